"""Pipelines of networks of interval layers."""

from typing import Any

from sklearn.pipeline import Pipeline

from sigfeat._validation import RandomState


def interval_stack_classifier(
    *,
    d_model: int = 6,
    n_filters: int = 4,
    max_epochs: int = 20,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of a network of two interval layers, trained as a whole; see `IntervalNetworkClassifier`.

    Parameters
    ----------
    d_model : int, default=6
        Number of channels between the layers.
    n_filters : int, default=4
        Number of filters of the second layer; the first has three times as many.
    max_epochs : int, default=20
        Number of passes over the training series.
    random_state : int or None, default=0
        Seed of the network and its training.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

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
    how: dict[str, Any] = {"d_model": d_model, "n_filters": n_filters, "max_epochs": max_epochs}
    return _network("stack", n_jobs=n_jobs, random_state=random_state, **how)


def interval_hyena_classifier(
    *,
    d_model: int = 16,
    n_filters: int = 4,
    order: int = 2,
    max_epochs: int = 20,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> Pipeline:
    """Pipeline of a network of an interval layer and two blocks of Hyena; see `IntervalNetworkClassifier`.

    Parameters
    ----------
    d_model : int, default=16
        Width of the tokens.
    n_filters : int, default=4
        Number of filters of the interval layer.
    order : int, default=2
        Order of Hyena: the number of long convolutions and gates.
    max_epochs : int, default=20
        Number of passes over the training series.
    random_state : int or None, default=0
        Seed of the network and its training.
    n_jobs : int or None, default=None
        Number of threads, in joblib's convention.

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
    how: dict[str, Any] = {"d_model": d_model, "n_filters": n_filters, "order": order, "max_epochs": max_epochs}
    return _network("hyena", n_jobs=n_jobs, random_state=random_state, **how)


def _network(layers: str, **parameters: Any) -> Pipeline:
    from sigfeat import IntervalNetworkClassifier  # loads torch

    return Pipeline([("classifier", IntervalNetworkClassifier(layers, **parameters))])
