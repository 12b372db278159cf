"""
Series of unequal length
========================

Nine speakers say the same two vowels, in series of 7 to 29 points and 12 channels. Series are neither cut nor
stretched: every transformer uses each series at its own length.
"""

import numpy as np
from matplotlib import pyplot as plt
from sktime.datasets import load_japanese_vowels

from sigfeat import ISSTransformer, to_panel
from sigfeat.classifiers import iss_classifier

X_list, y = load_japanese_vowels(split="train", return_type="df-list")
X_test_list, y_test = load_japanese_vowels(split="test", return_type="df-list")
len(X_list), X_list[0].shape, X_list[-1].shape  # a list of DataFrames, times by channels

# %%
# Lists of arrays or DataFrames, sktime's and aeon's panels, padded arrays: all are the same to `fit` and `transform`.
# Where scikit-learn has to index the series, as in a grid search, `to_panel` makes one array of them. Shorter series
# end in NaN.

X, X_test = to_panel(X_list), to_panel(X_test_list)
lengths = np.isfinite(X[:, 0]).sum(axis=1)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.imshow(X[:60, 0], aspect="auto", cmap="viridis", interpolation="nearest")
left.set(title="Channel 1 of 60 series, white is NaN", xlabel="time step", ylabel="series")
right.hist(lengths, bins=np.arange(6.5, 30), color="#0072b2")
right.set(title="Lengths of all training series", xlabel="time steps", ylabel="series")
plt.show()

# %%
# Padding has no effect: a series among longer ones has the same features as the series alone, to the last bit.

iss = ISSTransformer().fit(X)
together = iss.transform(X)
alone = np.concatenate([iss.transform([series]) for series in X_list])
print("the same to the last bit:", np.array_equal(together, alone))

# %%
# What to see: the classifier is about as accurate on short series as on long ones.

model = iss_classifier().fit(X, y)
right_answers = model.predict(X_test) == y_test
test_lengths = np.isfinite(X_test[:, 0]).sum(axis=1)
groups = np.digitize(test_lengths, [11, 14, 17, 20])

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
names = ["up to 10", "11 to 13", "14 to 16", "17 to 19", "20 and more"]
accuracies = [right_answers[groups == group].mean() for group in range(5)]
axes.bar(names, accuracies, color="#0072b2", width=0.7)
for place, accuracy in enumerate(accuracies):
    axes.text(place, accuracy, f"{accuracy:.2f}\nof {np.sum(groups == place)}", ha="center", va="bottom", fontsize=9)
axes.set(ylim=(0, 1.25), yticks=[0, 0.5, 1], xlabel="time steps", ylabel="right answers")
axes.set_title(f"Test series by their length: accuracy {right_answers.mean():.3f} of all")
plt.show()
