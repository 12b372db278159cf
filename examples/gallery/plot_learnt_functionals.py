"""
Functionals that are trained
============================

The functionals of `LowRankISSTransformer` are random by default: many of them, and a linear classifier on top. With
``fit_mode="supervised"`` the functionals themselves are trained on the classes, so that a few are enough.

In this task one channel has four shapes, and a pulse in the other channel marks the relevant one, whose kind is the
class. So a functional must use both channels at the same times.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.pipeline import make_pipeline

from sigfeat import FeatureScaler, LeaveOneOutRidgeClassifier, LowRankISSTransformer
from sigfeat.datasets import make_coincidence

X, y = make_coincidence(150, length=100, random_state=0)
X_test, y_test = make_coincidence(300, length=100, random_state=1)

figure, places = plt.subplots(len(np.unique(y)), 1, figsize=(7, 3), sharex=True, layout="constrained")
for axes, label in zip(places, np.unique(y), strict=True):
    axes.plot(X[y == label][0].T, lw=1)
    axes.set_title(f"class {label}")
axes.set_xlabel("time step")
plt.show()

# %%
# The same number of functionals, random and trained.

counts, accuracies, histories = (2, 4, 8, 16, 32), {}, {}
for mode in ("random", "supervised"):
    for n_functionals in counts:
        epochs = {"max_epochs": 15} if mode == "supervised" else {}
        low_rank = LowRankISSTransformer(n_functionals, fit_mode=mode, **epochs)
        model = make_pipeline(low_rank, FeatureScaler(), LeaveOneOutRidgeClassifier()).fit(X, y)
        accuracies[mode, n_functionals] = model.score(X_test, y_test)
        if mode == "supervised":
            histories[n_functionals] = model[0].history_["train_loss"]

# %%
# What to see: far fewer trained functionals are needed for the same accuracy. With very few of them, the training loss
# decreases more slowly.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for mode, colour in (("random", "#0072b2"), ("supervised", "#d55e00")):
    left.plot(counts, [accuracies[mode, count] for count in counts], "o-", color=colour, label=mode)
left.set(xscale="log", xlabel="functionals", ylabel="test accuracy", title="Random and trained functionals")
left.set_xticks(counts, [str(count) for count in counts])
left.minorticks_off()
left.legend()
for count, shade in zip(counts, plt.cm.viridis(np.linspace(0, 0.85, len(counts))), strict=True):
    right.plot(histories[count], color=shade, label=f"{count} functionals")
right.set(xlabel="epoch", ylabel="loss", title="Training", ylim=(0, None))
right.legend(fontsize=8)
plt.show()
