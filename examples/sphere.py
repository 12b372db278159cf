"""A development on the sphere: how motions turn the north pole.

Run ``python examples/sphere.py``. Series of BasicMotions, which comes with sktime, are developed in the rotations
SO(3), random and trained on the classes; X_t moves the north pole over the sphere. It draws examples/output/sphere.png.
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from sktime.datasets import load_basic_motions

from sigfeat import PathDevelopmentTransformer, to_panel
from sigfeat.nn import GROUPS, development

N_EACH, N_PARTS = 3, 8  # series of each class, parts of a step
PICTURE = Path(__file__).parent / "output" / "sphere.png"


def load(split):
    """Series as an array (series, channels, time), and their classes."""
    series, y = load_basic_motions(split=split, return_type="df-list")
    return to_panel(series), y


def paths_on_sphere(transformer, X):
    """Images of the north pole under X_t, (series, time, 3); each step in parts, so that lines follow the sphere."""
    increments = torch.from_numpy(np.diff(X, axis=2).swapaxes(1, 2).repeat(N_PARTS, axis=1) / N_PARTS)
    path = development(increments, torch.from_numpy(transformer.algebra_), GROUPS["SO"](3), whole_path=True)
    return path[:, :, 0, :, 2].numpy()


def draw(axes, paths, y, title):
    """Paths on a sphere in the colour of their class; a dot at the end."""
    azimuth, height = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    sphere = np.cos(azimuth) * np.sin(height), np.sin(azimuth) * np.sin(height), np.cos(height)
    axes.plot_wireframe(*sphere, color="0.8", linewidth=0.3)
    for colour, label in zip(mpl.color_sequences["tab10"], np.unique(y), strict=False):
        for number, path in enumerate(paths[y == label][:N_EACH]):
            axes.plot(*path.T, color=colour, linewidth=0.9, alpha=0.8, label=label if number == 0 else None)
            axes.plot(*path[-1:].T, "o", color=colour, markersize=5)
    axes.set_box_aspect((1, 1, 1), zoom=1.6)
    axes.view_init(elev=40)
    axes.set_axis_off()
    axes.set_title(title, y=0.02)


def main():
    """Fit, develop, draw."""
    X_train, y_train = load("train")
    X_test, y_test = load("test")
    figure, both = plt.subplots(1, 2, figsize=(11, 6), subplot_kw={"projection": "3d"}, layout="constrained")
    for axes, mode in zip(both, ("random", "supervised"), strict=True):
        transformer = PathDevelopmentTransformer(
            "SO", dim=3, n_developments=1, fit_mode=mode, step_size=1.2, pooling="end", windows="whole"
        ).fit(X_train, y_train)
        draw(axes, paths_on_sphere(transformer, X_test), y_test, f"{mode} development in SO(3), test series")
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=130)
    print(f"picture: {PICTURE}")


if __name__ == "__main__":
    mpl.use("agg")
    main()
