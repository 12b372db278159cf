"""
Quick start
===========

Motion sensors of people who walk, run, rest and play badminton: 40 training series of 6 channels, and 40
test series. A ready pipeline computes 9000 features of each series and fits a ridge classifier.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from sktime.datasets import load_basic_motions

from sigfeat.classifiers import iss_classifier

X, y = load_basic_motions(split="train", return_type="numpy3D")
X_test, y_test = load_basic_motions(split="test", return_type="numpy3D")
X.shape  # series, channels, time

# %%
# One channel of one series of each class. The motions do not start at the same time, so that values at single times
# carry little information. What matters is the order of events, and how often they happen.

figure, rows = plt.subplots(4, 1, figsize=(7, 4.5), sharex=True, layout="constrained")
for axes, label in zip(rows, np.unique(y), strict=True):
    axes.plot(X[y == label][0, 0], color="#0072b2", lw=1)
    axes.set_ylabel(label, rotation=0, ha="right", va="center")
    axes.set_yticks([])
axes.set_xlabel("time step")
figure.suptitle("Acceleration, one series of each class", x=0.02, ha="left", fontsize=11)
plt.show()

# %%
# It is an ordinary scikit-learn pipeline, to be used in `cross_val_score`, in `GridSearchCV`, or as it is.

model = iss_classifier().fit(X, y)
model

# %%
# What to see: all test series are on the diagonal: the model classifies them correctly.

figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=axes, colorbar=False, cmap="Blues", xticks_rotation=30)
axes.set_title(f"Test series: accuracy {model.score(X_test, y_test):.2f}")
plt.show()
