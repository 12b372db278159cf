"""
Weights of words in a ridge classifier
======================================

Features have names that can be read: ``[1][2]|real|end`` is the sum over times i < j of channel 1 at i times
channel 2 at j. The weights of a linear model therefore show which sums it depends on. Here the answer is known: in
one class channel 1 has its bump first, in the other class channel 2.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sigfeat import ISSTransformer
from sigfeat.plotting import name_parts, plot_importance

rng = np.random.default_rng(0)
n_series, n_timepoints = 300, 80
y = np.where(np.arange(n_series) % 2, "2 first", "1 first")
times = np.arange(n_timepoints)
first = rng.integers(10, 35, n_series)
bumps = first, first + rng.integers(15, 35, n_series)  # at any time, and at any distance
X = 0.2 * rng.standard_normal((n_series, 3, n_timepoints))  # channel 3 is nothing but noise
for k in range(n_series):
    for channel, place in zip((0, 1) if y[k] == "1 first" else (1, 0), (bumps[0][k], bumps[1][k]), strict=True):
        X[k, channel] += np.exp(-(((times - place) / 3) ** 2))

figure, rows = plt.subplots(3, 2, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained")
for column, label in enumerate(np.unique(y)):
    rows[0, column].set_title(f"class “{label}”")
    for channel in range(3):
        rows[channel, column].plot(X[y == label][0, channel], color="#0072b2", lw=1)
        rows[channel, 0].set_ylabel(f"channel {channel + 1}")
plt.show()

# %%
# All words of one or two letters, without decay, at the end of the series; then a ridge classifier.

iss = ISSTransformer(words="length", depth=2, decay=0, pooling="end", windows="whole")
model = make_pipeline(iss, StandardScaler(), RidgeClassifierCV(np.logspace(-2, 4, 7))).fit(X[:150], y[:150])
print(f"accuracy on the other half: {model.score(X[150:], y[150:]):.2f}")

# %%
# What to see: [1][2] and [2][1] have the largest weights, because they distinguish the classes. Words with channel 3
# have almost none, and single letters have little. The sign of a weight shows which class it supports.

names, weights = model[0].get_feature_names_out(), model[-1].coef_.ravel()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
plot_importance(model[-1], names, by="word", axes=left)
left.set_title("Importance of each word")
order = np.argsort(weights)
right.barh(range(len(weights)), weights[order], color=np.where(weights[order] > 0, "#d55e00", "#0072b2"))
right.set_yticks(range(len(weights)), [name_parts(name).word for name in names[order]])
right.set_title("For class “1 first” (blue) or “2 first” (red)")
right.set_xlabel("weight")
plt.show()

# %%
# With poolings over windows there are hundreds of features. They can be grouped by a part of their names.
# ``by="channel"`` shows which channel matters; the importance of a word of two channels is divided between them.

model[0].set_params(pooling=("end", "mean", "max", "min"), windows=("dyadic", 1), decay=0.1)
model.fit(X[:150], y[:150])
figure, places = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
for axes, part in zip(places, ("channel", "level", "pooling", "window"), strict=True):
    plot_importance(model[-1], model[0].get_feature_names_out(), by=part, axes=axes)
    axes.set_xlabel("importance")
figure.suptitle(f"{len(model[0].get_feature_names_out())} features", x=0.02, ha="left", fontsize=11)
plt.show()
