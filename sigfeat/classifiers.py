"""Ready pipelines: features of series, scaled, and a linear model on top.

Each function returns a scikit-learn `Pipeline` of the steps "features" and "classifier" or "regressor", not fitted,
that takes any panel of series (see `to_panel`). There is nothing in them that could not be written by hand.

Parameters that all of them share
---------------------------------
classifier, regressor : estimator or None, default=None
    The last step. None: ridge regression, whose penalty is chosen by leaving one out; on classes it has no
    `predict_proba`, for which give `LogisticRegression` or the like.
n_jobs : int or None, default=None
    Threads, in joblib's convention.
random_state : int or None, default=0
    Of all that is random. An int; None for a different outcome each time.
"""

import importlib

from sklearn.linear_model import RidgeCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from sigfeat.linear_model import ALPHAS, LeaveOneOutRidgeClassifier
from sigfeat.transformers.augmentation import AddTime
from sigfeat.transformers.iss import ISSTransformer
from sigfeat.transformers.scaling import FeatureScaler
from sigfeat.transformers.signature import SignatureTransformer

N_TRAINED = 32  # functionals of the recommended union that are trained


def iss_classifier(*, n_functionals=1000, classifier=None, n_jobs=None, random_state=0):
    """Low-rank iterated sums and a ridge classifier: the default of the library.

    Parameters
    ----------
    n_functionals : int, default=1000
        Functionals of two letters; each gives nine features.
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of the functionals.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Notes
    -----
    All settings were chosen by cross-validation on training data; see docs/accuracy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_classifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((40, 2, 50)), np.repeat(["slow", "fast"], 20)
    >>> X[:20] = X[:20].cumsum(axis=2)
    >>> iss_classifier(n_functionals=50).fit(X[::2], y[::2]).score(X[1::2], y[1::2])
    1.0
    """
    return _classifier(_iss(n_functionals, n_jobs, random_state), classifier)


def iss_regressor(*, n_functionals=1000, regressor=None, n_jobs=None, random_state=0):
    """The regression twin of `iss_classifier`: the same features, and a ridge regression.

    Parameters
    ----------
    n_functionals, n_jobs, random_state : optional
        See `iss_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> iss_regressor(n_functionals=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_iss(n_functionals, n_jobs, random_state), regressor)


def signature_classifier(*, depth=3, classifier=None, n_jobs=None, random_state=0):
    """Signatures of the series with time as a channel, over dyadic windows, and a ridge classifier.

    Parameters
    ----------
    depth : int, default=3
        Of the signature; the number of features grows like (n_channels + 1)^depth.
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs, random_state : optional
        Not used: there is nothing random, and one thread.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    References
    ----------
    .. [1] Morrill, Fermanian, Kidger, Lyons, "A generalised signature method for multivariate time series feature
       extraction", 2020, arXiv:2006.00873.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import signature_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> signature_classifier().fit(X, y).predict(X).shape
    (20,)
    """
    return _classifier(_signature(depth), classifier)


def signature_regressor(*, depth=3, regressor=None, n_jobs=None, random_state=0):
    """The regression twin of `signature_classifier`.

    Parameters
    ----------
    depth, n_jobs, random_state : optional
        See `signature_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import signature_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> signature_regressor().fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_signature(depth), regressor)


def path_development_classifier(*, classifier=None, n_jobs=None, random_state=0):
    """Random developments of the series with time as a channel, and a ridge classifier.

    Parameters
    ----------
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of the developments.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import path_development_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> path_development_classifier().fit(X, y).predict(X).shape
    (20,)
    """
    return _classifier(_development(n_jobs, random_state), classifier)


def path_development_regressor(*, regressor=None, n_jobs=None, random_state=0):
    """The regression twin of `path_development_classifier`.

    Parameters
    ----------
    n_jobs, random_state : optional
        See `path_development_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import path_development_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> path_development_regressor().fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_development(n_jobs, random_state), regressor)


def hyena_classifier(*, order=2, teacher=None, n_steps=600, classifier=None, n_jobs=None, random_state=0):
    """Embeddings of a Hyena that was distilled from attention trained on the classes, and a ridge classifier.

    Parameters
    ----------
    order : int, default=2
        Of the Hyena.
    teacher : MHAEmbedder, FrozenEstimator or None, default=None
        What the Hyena is distilled from; see `HyenaEmbeddingTransformer`.
    n_steps : int, default=600
        Steps of the distillation.
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of teacher and student.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch or skorch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import hyena_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> hyena_classifier(n_steps=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _classifier(_hyena(order, teacher, n_steps, n_jobs, random_state), classifier)


def hyena_regressor(*, order=2, teacher=None, n_steps=600, regressor=None, n_jobs=None, random_state=0):
    """The regression twin of `hyena_classifier`.

    Parameters
    ----------
    order, teacher, n_steps, n_jobs, random_state : optional
        See `hyena_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import hyena_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> hyena_regressor(n_steps=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_hyena(order, teacher, n_steps, n_jobs, random_state), regressor)


def iss_hyena_classifier(
    *, n_functionals=1000, order=2, teacher=None, n_steps=600, classifier=None, n_jobs=None, random_state=0
):
    """The features of `iss_classifier` and of `hyena_classifier` side by side, and a ridge classifier.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    order, teacher, n_steps : optional
        See `hyena_classifier`.
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of all that is random.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch or skorch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_hyena_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> iss_hyena_classifier(n_functionals=20, n_steps=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _classifier(_iss_hyena(n_functionals, order, teacher, n_steps, n_jobs, random_state), classifier)


def iss_hyena_regressor(
    *, n_functionals=1000, order=2, teacher=None, n_steps=600, regressor=None, n_jobs=None, random_state=0
):
    """The regression twin of `iss_hyena_classifier`.

    Parameters
    ----------
    n_functionals, order, teacher, n_steps, n_jobs, random_state : optional
        See `iss_hyena_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_hyena_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> iss_hyena_regressor(n_functionals=20, n_steps=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_iss_hyena(n_functionals, order, teacher, n_steps, n_jobs, random_state), regressor)


def iss_development_classifier(*, n_functionals=1000, classifier=None, n_jobs=None, random_state=0):
    """The features of `iss_classifier` and of `path_development_classifier` side by side, and a ridge classifier.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of all that is random.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_development_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> iss_development_classifier(n_functionals=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _classifier(_iss_development(n_functionals, n_jobs, random_state), classifier)


def iss_development_regressor(*, n_functionals=1000, regressor=None, n_jobs=None, random_state=0):
    """The regression twin of `iss_development_classifier`.

    Parameters
    ----------
    n_functionals, n_jobs, random_state : optional
        See `iss_development_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import iss_development_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> iss_development_regressor(n_functionals=20).fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_iss_development(n_functionals, n_jobs, random_state), regressor)


def sigfeat_classifier(*, n_functionals=1000, max_epochs=30, classifier=None, n_jobs=None, random_state=0):
    """The union that we recommend: low-rank iterated sums, many random ones and a few that are trained on the classes.

    Parameters
    ----------
    n_functionals : int, default=1000
        See `iss_classifier`.
    max_epochs : int, default=30
        Passes over the training series in the training of those few.
    classifier : estimator or None, default=None
        Last step; None for a ridge classifier.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of all that is random.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch or skorch is not installed.

    Notes
    -----
    Training takes some seconds on a few hundred short series, and much longer than `iss_classifier` on long ones. Exact
    words and developments beside them do not help, by cross-validation on training data; see docs/accuracy.md.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import sigfeat_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> sigfeat_classifier(n_functionals=20, max_epochs=2).fit(X, y).predict(X).shape
    (20,)
    """
    return _classifier(_union(n_functionals, max_epochs, n_jobs, random_state), classifier)


def sigfeat_regressor(*, n_functionals=1000, max_epochs=30, regressor=None, n_jobs=None, random_state=0):
    """The regression twin of `sigfeat_classifier`.

    Parameters
    ----------
    n_functionals, max_epochs, n_jobs, random_state : optional
        See `sigfeat_classifier`.
    regressor : estimator or None, default=None
        Last step; None for a ridge regression.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import sigfeat_regressor
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.linspace(0, 1, 20)
    >>> sigfeat_regressor(n_functionals=20, max_epochs=2).fit(X, y).predict(X).shape
    (20,)
    """
    return _regressor(_union(n_functionals, max_epochs, n_jobs, random_state), regressor)


def interval_stack_classifier(*, d_model=6, n_filters=4, max_epochs=20, n_jobs=None, random_state=0):
    """Two interval layers, one on what the other found, trained as a whole; see `IntervalNetworkClassifier`.

    Parameters
    ----------
    d_model : int, default=6
        Channels between the layers.
    n_filters : int, default=4
        Filters of the second layer; the first has three times as many.
    max_epochs : int, default=20
        Passes over the training series.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of the network and its training.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch or skorch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import interval_stack_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> interval_stack_classifier(max_epochs=2).fit(X, y).predict(X).shape
    (20,)
    """
    how = {"d_model": d_model, "n_filters": n_filters, "max_epochs": max_epochs}
    return _network("stack", n_jobs=n_jobs, random_state=random_state, **how)


def interval_hyena_classifier(*, d_model=16, n_filters=4, order=2, max_epochs=20, n_jobs=None, random_state=0):
    """An interval layer and two blocks of Hyena, trained as a whole; see `IntervalNetworkClassifier`.

    Parameters
    ----------
    d_model : int, default=16
        Width of the tokens.
    n_filters : int, default=4
        Filters of the interval layer.
    order : int, default=2
        Of Hyena.
    max_epochs : int, default=20
        Passes over the training series.
    n_jobs : int or None, default=None
        Threads.
    random_state : int or None, default=0
        Of the network and its training.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline

    Raises
    ------
    ImportError
        If torch or skorch is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.classifiers import interval_hyena_classifier
    >>> X, y = np.random.default_rng(0).standard_normal((20, 2, 30)), np.arange(20) % 2
    >>> interval_hyena_classifier(max_epochs=2).fit(X, y).predict(X).shape
    (20,)
    """
    how = {"d_model": d_model, "n_filters": n_filters, "order": order, "max_epochs": max_epochs}
    return _network("hyena", n_jobs=n_jobs, random_state=random_state, **how)


def _network(layers, **parameters):
    return Pipeline([("classifier", _torch("IntervalNetworkClassifier")(layers, **parameters))])


def _classifier(features, classifier):
    last = LeaveOneOutRidgeClassifier() if classifier is None else classifier
    return Pipeline([("features", features), ("classifier", last)])


def _regressor(features, regressor):
    last = RidgeCV(ALPHAS) if regressor is None else regressor
    return Pipeline([("features", features), ("regressor", last)])


def _iss(n_functionals, n_jobs, random_state):
    low_rank = ISSTransformer(
        functionals="low_rank", n_functionals=n_functionals, n_jobs=n_jobs, random_state=random_state
    )
    return make_pipeline(low_rank, FeatureScaler(power=0.5))


def _signature(depth):
    return make_pipeline(AddTime(), SignatureTransformer(depth=depth, windows=("dyadic", 2)), FeatureScaler(power=0.5))


def _development(n_jobs, random_state):
    development = _torch("PathDevelopmentTransformer")(n_jobs=n_jobs, random_state=random_state)
    return make_pipeline(AddTime(), development, FeatureScaler())


def _hyena(order, teacher, n_steps, n_jobs, random_state):
    how = {"order": order, "n_steps": n_steps, "n_jobs": n_jobs, "random_state": random_state}
    return make_pipeline(_torch("HyenaEmbeddingTransformer")(teacher, **how), FeatureScaler())


def _iss_hyena(n_functionals, order, teacher, n_steps, n_jobs, random_state):
    hyena = _hyena(order, teacher, n_steps, n_jobs, random_state)
    return FeatureUnion([("iss", _iss(n_functionals, n_jobs, random_state)), ("hyena", hyena)])


def _iss_development(n_functionals, n_jobs, random_state):
    return FeatureUnion(
        [("iss", _iss(n_functionals, n_jobs, random_state)), ("development", _development(n_jobs, random_state))],
        transformer_weights={"development": 0.1},
    )


def _union(n_functionals, max_epochs, n_jobs, random_state):
    trained = ISSTransformer(
        functionals="low_rank",
        n_functionals=N_TRAINED,
        fit_mode="supervised",
        max_epochs=max_epochs,
        n_jobs=n_jobs,
        random_state=random_state,
    )
    return FeatureUnion(
        [
            ("iss", _iss(n_functionals, n_jobs, random_state)),
            ("trained", make_pipeline(trained, FeatureScaler(power=0.5))),
        ],
        transformer_weights={"trained": 0.5},
    )


def _torch(name):
    """A transformer that needs torch, which is loaded only when it is asked for."""
    return getattr(importlib.import_module("sigfeat"), name)
