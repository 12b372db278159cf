"""
A grid search over settings of features
=======================================

Which semiring and which weight of words suit the data, and are increments better than the series? Settings of features
are parameters of the pipeline, so that scikit-learn's grid search compares them.
"""

import time

from matplotlib import pyplot as plt
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sktime.datasets import load_japanese_vowels

from sigfeat import Increments, ISSTransformer, to_panel

X, y = load_japanese_vowels(split="train", return_type="df-list")
X_test, y_test = load_japanese_vowels(split="test", return_type="df-list")
X, X_test = to_panel(X), to_panel(X_test)

pipeline = Pipeline(
    [
        ("augmentation", "passthrough"),
        ("features", ISSTransformer()),
        ("scaler", StandardScaler()),
        ("classifier", RidgeClassifierCV([0.1, 10, 1000])),
    ]
)
grid = {
    "augmentation": ["passthrough", Increments(basepoint=True)],
    "features__semiring": ["real", "max_plus", "min_plus"],
    "features__depth": [1, 2],
}
search = GridSearchCV(pipeline, grid, cv=3)
search

# %%
# Twelve settings, three folds each.

start = time.perf_counter()
search.fit(X, y)
print(f"{time.perf_counter() - start:.1f} s; test accuracy of the best {search.score(X_test, y_test):.3f}")
print(search.best_params_)

# %%
# What to see: pairs of times (depth 2, diamonds) are better than single times (depth 1, dots) with every semiring.
# Increments do not help here, because the levels of the channels distinguish the speakers. The circle marks the best
# setting.

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
rows = {"passthrough": "series", str(Increments(basepoint=True)): "increments"}
colours = {"real": "#0072b2", "max_plus": "#d55e00", "min_plus": "#e69f00"}
for setting, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    semiring, depth = setting["features__semiring"], setting["features__depth"]
    place = list(rows).index(str(setting["augmentation"])) + 0.2 * (list(colours).index(semiring) - 1)
    axes.plot(score, place, "oD"[depth - 1], color=colours[semiring])
    if setting == search.best_params_:
        axes.plot(score, place, "o", ms=15, fillstyle="none", color="black")
axes.set_yticks(range(2), rows.values())
axes.set_ylim(1.5, -0.5)
axes.set_xlabel("cross-validated accuracy")
for semiring, colour in colours.items():
    axes.plot([], [], "s", color=colour, label=semiring)
for depth in (1, 2):
    axes.plot([], [], "oD"[depth - 1], color="0.4", label=f"depth {depth}")
figure.legend(loc="outside lower center", ncols=5)
plt.show()
