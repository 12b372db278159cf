"""
One series, four semirings
==========================

An iterated sum along the word [1][1] adds up products of the values at all pairs of times i < j up to now. Other
sums and products give other features of the same series: with max and + it is the largest sum of two values so far,
one after the other.
"""

import numpy as np
from matplotlib import pyplot as plt

from sigfeat import ISSTransformer
from sigfeat.reference.iss import iterated_sums

rng = np.random.default_rng(3)
x = np.abs(np.cumsum(rng.standard_normal(80)) / 3)
series = x[np.newaxis, np.newaxis]  # one series of one channel; values >= 0, as max_times requires

meaning = {
    "real": "sum of the products of all pairs",
    "max_plus": "largest sum of a pair",
    "min_plus": "smallest sum of a pair",
    "max_times": "largest product of a pair",
}

# %%
# What to see: the real sum changes at every time. The other sums stay constant until a new pair exceeds the best pair
# so far, and do not depend on how long the series rests in between.

figure, rows = plt.subplots(5, 1, figsize=(7, 7.5), sharex=True, layout="constrained")
rows[0].plot(x, color="black", lw=1)
rows[0].set_title("the series")
for axes, (name, words) in zip(rows[1:], meaning.items(), strict=True):
    running = iterated_sums(series, ["[1][1]"], semiring=name)[0, 0]
    running = np.where(np.isfinite(running), running, np.nan)  # no value before there is a pair
    axes.plot(running, color="#0072b2", lw=1.5)
    axes.set_title(f"[1][1] in {name}: {words}")
rows[-1].set_xlabel("time step")
plt.show()

# %%
# `ISSTransformer` computes the same by compiled loops for all words at once, and pools the running values.

for name in meaning:
    iss = ISSTransformer(words=["[1][1]"], semiring=name, decay=0, pooling="end", windows="whole", scale=None)
    print(f"{iss.fit(series).get_feature_names_out()[0]:22} {iss.transform(series)[0, 0]:8.3f}")
