"""
Iterated sums, developments and Hyena side by side
==================================================

All transformers return named columns, so that scikit-learn's `FeatureUnion` can combine them for one ridge classifier.
Which of them does it use?
"""

from matplotlib import pyplot as plt
from sklearn.pipeline import FeatureUnion, make_pipeline
from sktime.datasets import load_japanese_vowels

from sigfeat import (
    FeatureScaler,
    HyenaEmbeddingTransformer,
    LeaveOneOutRidgeClassifier,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
    to_panel,
)
from sigfeat.plotting import plot_importance

X, y = load_japanese_vowels(split="train", return_type="df-list")
X_test, y_test = load_japanese_vowels(split="test", return_type="df-list")
X, X_test = to_panel(X), to_panel(X_test)

small = {"d_model": 32, "n_layers": 1, "max_epochs": 5}
parts = {
    "iss": LowRankISSTransformer(100),
    "development": PathDevelopmentTransformer(dim=4, n_developments=3),
    "hyena": HyenaEmbeddingTransformer(MHAEmbedder(**small), **small),
}
union = FeatureUnion([(name, make_pipeline(part, FeatureScaler())) for name, part in parts.items()])
model = make_pipeline(union, LeaveOneOutRidgeClassifier())
model

# %%
# The scaler gives each block the same weight for any number of columns. The union, and each part of it alone:

scores = {"all three": model.fit(X, y).score(X_test, y_test)}
for name, fitted in model[0].transformer_list:
    ridge = LeaveOneOutRidgeClassifier().fit(fitted.transform(X), y)
    scores[name] = ridge.score(fitted.transform(X_test), y_test)

# %%
# What to see: iterated sums alone are as accurate as all three together. Developments alone are less accurate, although
# the ridge classifier gives them much weight. A union is not always better than its parts: compare them on your data.

names = model[0].get_feature_names_out()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.barh(list(scores), list(scores.values()), color=["#d55e00", *["#0072b2"] * 3], height=0.6)
left.set(xlim=(min(scores.values()) - 0.05, 1), xlabel="test accuracy", title=f"{len(names):,} features")
left.invert_yaxis()
plot_importance(model[-1], names, by="union", axes=right).set_title("Weights by kind of features")
plt.show()

# %%
# The name of each column describes it.

for name in parts:
    print(next(column for column in names if column.startswith(name)))
