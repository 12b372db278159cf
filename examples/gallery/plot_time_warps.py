"""
What does not depend on the speed
=================================

The same movement at a constant speed, and with rests and faster parts: the sampled points differ, but the path through
them is the same. Iterated sums of increments and developments depend on the path only: where a series rests, its
increments are zero and add nothing [1]_.
"""

import numpy as np
from matplotlib import pyplot as plt

from sigfeat import Increments, ISSTransformer, PathDevelopmentTransformer

rng = np.random.default_rng(0)
path = np.cumsum(rng.standard_normal((2, 40)), axis=1)  # two channels, at an even speed

# %%
# A time warp of sampled points repeats some of them several times and leaves the others as they are.

repeats = rng.choice([1, 1, 2, 6], 40)
warped = np.repeat(path, repeats, axis=1)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", width_ratios=[1.6, 1])
left.plot(path[0], color="#0072b2", label="even speed")
left.plot(warped[0], color="#d55e00", label="warped")
left.set(title="Channel 1 over time: two series", xlabel="time step")
left.legend()
right.plot(*path, color="#0072b2", lw=4, alpha=0.4)
right.plot(*warped, color="#d55e00", lw=1)
right.set(title="Channel 1 against channel 2: one path", xlabel="channel 1", ylabel="channel 2")
plt.show()

# %%
# Features of both, with and without increments.

plain = {"words": "length", "depth": 3, "decay": 0, "pooling": "end", "windows": "whole", "scale": None}
iss = ISSTransformer(**plain)
increments = Increments(basepoint=True)  # the first value is the first increment
kinds = {
    "sums of the values": lambda series: iss.fit_transform([series])[0],
    "sums of the increments": lambda series: iss.fit_transform(increments.fit_transform([series]))[0],
    "the same with decay": lambda series: ISSTransformer(**plain | {"decay": 0.1}).fit_transform(
        increments.fit_transform([series])
    )[0],
}
development = PathDevelopmentTransformer(n_developments=2, pooling="end", windows="whole").fit([path])
kinds["developments"] = lambda series: development.transform([series])[0]

# %%
# What to see: features of increments without decay are on the diagonal, and so are developments. Sums of the values
# contain every repetition. Decay depends on the number of time steps, so that sums with decay are not invariant.

figure, places = plt.subplots(1, 4, figsize=(10, 3.1), layout="constrained")
for axes, (name, features) in zip(places, kinds.items(), strict=True):
    one, other = features(path), features(warped)
    largest = max(np.abs(one).max(), np.abs(other).max())
    axes.plot([-largest, largest], [-largest, largest], color="0.8", lw=1)
    axes.plot(one, other, "o", ms=4, color="#0072b2")
    axes.set_xscale("symlog", linthresh=largest / 100)
    axes.set_yscale("symlog", linthresh=largest / 100)
    axes.set(xticks=[], yticks=[], xlabel="even speed", title=name)
    print(f"{name:24} largest difference {np.abs(one - other).max() / np.abs(one).max():.1e} of the largest feature")
places[0].set_ylabel("warped")
plt.show()

# %%
# .. [1] Diehl, Ebrahimi-Fard, Tapia, "Time-warping invariants of multidimensional time series", 2020, arXiv:1906.05823.
