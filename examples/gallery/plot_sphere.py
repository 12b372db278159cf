"""
Developments on a sphere
========================

A development turns a path into a path of matrices, here of rotations: each step of the series rotates the sphere by a
small angle about an axis that depends on the channels that changed. The figure shows the path of the north pole.
"""

import numpy as np
import torch
from matplotlib import pyplot as plt
from sktime.datasets import load_basic_motions

from sigfeat import PathDevelopmentTransformer, to_panel
from sigfeat.nn import GROUPS, development
from sigfeat.plotting import plot_development

X, y = load_basic_motions(split="train", return_type="numpy3D")
X_test, y_test = load_basic_motions(split="test", return_type="numpy3D")
X, X_test = to_panel(X), to_panel(X_test)


def paths(transformer, series, n_parts=8):
    """Matrices X_t of each series; each step in parts, so that lines follow the sphere."""
    increments = np.diff(series, axis=2).swapaxes(1, 2).repeat(n_parts, axis=1) / n_parts
    algebra = torch.from_numpy(transformer.algebra_)
    return development(torch.from_numpy(increments), algebra, GROUPS["SO"](3), whole_path=True)[:, :, 0].numpy()


# %%
# What to see: lines are one series of each kind of motion, and dots are the ends of all test series. Resting and
# walking stay near the pole, and running moves far away from it. Rotations that are trained on the classes separate the
# kinds of motion better: the number below a sphere is the proportion of dots whose nearest class mean is that of their
# own class.

figure, places = plt.subplots(1, 2, figsize=(9, 5), subplot_kw={"projection": "3d"}, layout="constrained")
labels = np.unique(y)
for axes, mode in zip(places, ("random", "supervised"), strict=True):
    transformer = PathDevelopmentTransformer(
        "SO", dim=3, n_developments=1, fit_mode=mode, step_size=0.5, pooling="end", windows="whole"
    ).fit(X, y)
    ends = {label: paths(transformer, X_test[y_test == label], n_parts=1)[:, -1, :, 2] for label in labels}
    means = np.stack([ends[label].mean(axis=0) for label in labels])
    nearest = [np.linalg.norm(ends[label][:, np.newaxis] - means, axis=2).argmin(axis=1) for label in labels]
    share = np.mean([own == k for k, own in enumerate(nearest)])
    for label, colour in zip(labels, ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), strict=True):
        plot_development(paths(transformer, X_test[y_test == label][:1]), labels=[label], color=colour, axes=axes)
        axes.plot(*ends[label].T, "o", color=colour, ms=5)
    axes.set_title(f"{mode}: {share:.2f}", y=-0.02, loc="center")
figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# The entries of the matrix over time. Pooled over windows, they are the features.

running = X_test[y_test == "running"][:1]
axes = plot_development(paths(transformer, running, n_parts=1)[0], show="entries")
axes.set_title("Entries of X_t for one series of running")
axes.legend(ncols=3, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, title="row, column")
plt.show()
transformer.get_feature_names_out()[:3]
