"""Wrong targets, searches and orders of calls, and the sentence for each."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from sigfeat import (
    AddTime,
    ChannelUnion,
    IntervalNetworkClassifier,
    ISSTransformer,
    LowRankISSTransformer,
    MHAEmbedder,
    PathDevelopmentTransformer,
)
from tests.mistakes import (
    CLASSIFIER,
    FRAMES,
    MULTI,
    NEVER,
    SMALL,
    TAUGHT,
    UNFITTED,
    N,
    S,
    X,
    Y,
    fit,
    search,
    use,
)

V, T = ValueError, TypeError
ROWS = r"y must have one entry per series, 8, got 160; to_panel\(X\) has one row per series"
OF_ONE_KIND = "y must be one class or number per series for LowRankISSTransformer, got {}$"

NETWORK = IntervalNetworkClassifier(max_epochs=1)
TARGETS = {
    "y of each row": ("y", lambda: fit(MULTI, np.repeat(Y, 20)), V, ROWS),
    "y of each row, for a transformer": ("y", lambda: fit(MULTI, np.repeat(Y, 20), AddTime()), V, ROWS),
    "short y": ("y", lambda: fit(X, Y[:-1]), V, "y must have one entry per series, 8, got 7$"),
    "short y of a list": ("y", lambda: fit(S, Y[:-1].tolist()), V, "y must have one entry per series, 8, got 7$"),
    "no y": ("y", lambda: fit(X, None), V, "requires y to be passed, but the target y is None"),
    "no y for training": (
        "y",
        lambda: use(LowRankISSTransformer(fit_mode="supervised"), None),
        V,
        "requires y",
    ),
    "no y for an encoder": (
        "y",
        lambda: use(MHAEmbedder(fit_mode="supervised", n_heads=2, **SMALL), None),
        V,
        "requires y to be",
    ),
    "one class": ("y", lambda: fit(X, np.zeros(N)), V, "y must have at least 2 classes, got 1 class: 0.0$"),
    "one class for a network": (
        "y",
        lambda: use(NETWORK, ["a"] * N),
        V,
        "2 classes for Interval.*, got one class: 'a'$",
    ),
    "NaN in y": ("y", lambda: fit(X, np.r_[np.nan, Y[1:]]), V, "Input y contains NaN.$"),
    "NaN in y of a network": ("y", lambda: use(NETWORK, np.r_[np.nan, Y[1:]]), V, "Input y contains NaN.$"),
    "None in y": (
        "y",
        lambda: fit(X, [None, *"abababa"]),
        V,
        r"y must be one class .*, got None for series 0 \(from 0\)$",
    ),
    "numbers and texts in y": (
        "y",
        lambda: fit(X, [1, "a"] * 4),
        V,
        "all numbers or all text, got numbers and 'a' for series",
    ),
    "numbers and texts in y of a network": ("y", lambda: use(NETWORK, [1, "a"] * 4), V, "all numbers or all text, got"),
    "two columns of y": (
        "y",
        lambda: fit(X, np.c_[Y, Y]),
        V,
        r"y should be a 1d array, got an array of shape \(8, 2\)",
    ),
    "one column of y": (
        "y",
        lambda: fit(X, Y[:, np.newaxis]),
        UserWarning,
        "A column-vector y was passed when a 1d array",
    ),
    "y as a frame": (
        "y",
        lambda: fit(X, pd.DataFrame({"y": Y})),
        UserWarning,
        "A column-vector y was passed when a 1d",
    ),
    "numbers for a classifier": ("label", lambda: fit(X, np.linspace(0, 1, N)), V, "Unknown label type: continuous. "),
    "numbers for a network": (
        "label",
        lambda: use(NETWORK, np.linspace(0, 1, N)),
        V,
        "Unknown label type: continuous. ",
    ),
    "a number for y": ("y", lambda: fit(X, 1), V, OF_ONE_KIND.format(1)),
    "y of one series": ("y", lambda: fit(X, Y[0]), V, OF_ONE_KIND.format(0)),
    "a name for y": ("y", lambda: fit(X, "label"), V, OF_ONE_KIND.format("'label'")),
    "a set for y": ("y", lambda: fit(X, {0, 1}), V, OF_ONE_KIND.format("{0, 1}")),
    "a dict for y": ("y", lambda: fit(X, {"a": 1}), V, OF_ONE_KIND.format("{'a': 1}")),
    "a generator for y": ("y", lambda: fit(X, iter(Y)), V, OF_ONE_KIND.format("<class '.*iterator'>")),
}
SEARCHES = {
    "a search over a multi-index": (
        "numbers",
        lambda: search(MULTI, Y),
        V,
        r"Found input variables with inconsistent numbers of samples: \[160, 8\]$",
    ),
    "a score of a multi-index": (
        "numbers",
        lambda: cross_val_score(CLASSIFIER, MULTI, Y),
        V,
        r"inconsistent .* \[160, 8\]$",
    ),
    "a search with y of each row": (
        "y",
        lambda: search(MULTI, np.repeat(Y, 20)),
        V,
        r"y must have one entry per series, 4, got 80; to_panel\(X\) has one row per series, as searches",
    ),
    "a grid of an unknown parameter": (
        "dept",
        lambda: search(X, Y, {"features__lowrankisstransformer__dept": [1]}),
        V,
        r"Invalid parameter 'dept' for estimator LowRankISSTransformer\(",
    ),
    "a grid of one value": (
        "features__lowrankisstransformer__depth",
        lambda: search(X, Y, {"features__lowrankisstransformer__depth": 1}),
        T,
        "needs to be a list or a numpy array, but got 1",
    ),
    "a grid of a wrong value": (
        "depth",
        lambda: search(X, Y, {"features__lowrankisstransformer__depth": [0]}),
        V,
        NEVER.format("depth", "LowRankISSTransformer", 0),
    ),
    "a search over a transformer": (
        "scoring",
        lambda: search(X, Y, {"depth": [1]}, ISSTransformer()),
        T,
        "If no scoring is",
    ),
    "an unknown score": (
        "scoring",
        lambda: search(X, Y, scoring="auc"),
        V,
        "'scoring' parameter of GridSearchCV must be",
    ),
    "the area of three classes": (
        "multi_class",
        lambda: search(X, [0, 1, 2, 0, 1, 2, 0, 1], scoring="roc_auc"),
        V,
        "'ovo', 'ovr'",
    ),
    "weights for all steps": (
        "sample_weight",
        lambda: CLASSIFIER.fit(X, Y, sample_weight=np.ones(N)),
        V,
        "Pipeline.fit does not accept the sample_weight parameter",
    ),
}
UNUSED = [ISSTransformer(), AddTime(), ChannelUnion([("all", "passthrough")]), PathDevelopmentTransformer(), TAUGHT]
ORDER = {
    f"{type(estimator).__name__}.{method} before fit": (
        type(estimator).__name__,
        lambda estimator=estimator, method=method, args=args: getattr(clone(estimator), method)(*args),
        NotFittedError,
        UNFITTED.format(type(estimator).__name__),
    )
    for estimator in UNUSED
    for method, args in [
        ("transform", (X,)),
        ("get_feature_names_out", ()),
        ("stream", ()),
        ("save", ("a folder",)),
        ("feature_table", ()),
    ]
    if hasattr(type(estimator), method)
}
ORDER |= {
    "predict before fit": (
        "Pipeline",
        lambda: clone(CLASSIFIER).predict(X),
        NotFittedError,
        UNFITTED.format("Pipeline"),
    ),
    "predict of a network before fit": (
        "IntervalNetworkClassifier",
        lambda: clone(NETWORK).predict(X),
        NotFittedError,
        UNFITTED.format("IntervalNetworkClassifier"),
    ),
    "no such folder": (
        "file",
        lambda: MHAEmbedder.load("no/such/folder"),
        FileNotFoundError,
        "there is no file no/such/folder",
    ),
    "names of other channels": (
        "input_features",
        lambda: fit(FRAMES, Y, ISSTransformer()).get_feature_names_out(["x", "b", "c"]),
        V,
        "input_features is not equal to feature_names_in_$",
    ),
    "one name for three channels": (
        "input_features",
        lambda: fit(X, Y, AddTime()).get_feature_names_out(["x"]),
        V,
        r"input_features should have length equal to number of features \(3\), got 1$",
    ),
    "an unknown container": (
        "output",
        lambda: ISSTransformer().set_output(transform="panda").fit_transform(X),
        V,
        "got panda$",
    ),
}
FITS = TARGETS | SEARCHES | ORDER
