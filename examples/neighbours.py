"""sigfeat in pipelines of sktime and of aeon, on series of unequal length.

Run ``python examples/neighbours.py``. The data, spoken vowels of nine speakers, come with sktime.
"""

import time

import numpy as np
from aeon.pipeline import make_pipeline as aeon_pipeline
from sklearn.linear_model import RidgeClassifierCV
from sktime.classification.model_selection import TSCGridSearchCV
from sktime.datasets import load_japanese_vowels

from sigfeat.adapters import aeon, sktime


def main():
    """Fit each pipeline and print its accuracy."""
    X, y = load_japanese_vowels(split="train", return_type="df-list")
    X_test, y_test = load_japanese_vowels(split="test", return_type="df-list")
    lengths = [len(series) for series in X]
    print(f"{len(X)} series of {X[0].shape[1]} channels, {min(lengths)} to {max(lengths)} steps")
    alphas = np.logspace(-3, 3, 13)
    of_sktime = {
        "sktime: AddTime * ISSTransformer * ridge": sktime.AddTime()
        * sktime.ISSTransformer()
        * RidgeClassifierCV(alphas),
        "sktime: ISSClassifier": sktime.ISSClassifier(),
        "sktime: grid search of ISSClassifier": TSCGridSearchCV(
            sktime.ISSClassifier(), {"n_functionals": [100, 500]}, cv=3
        ),
    }
    for name, model in of_sktime.items():
        report(name, model, (X, y), (X_test, y_test))
    arrays, test_arrays = ([series.to_numpy().T for series in panel] for panel in (X, X_test))
    of_aeon = {
        "aeon: ISSTransformer, ridge": aeon_pipeline(aeon.ISSTransformer(), RidgeClassifierCV(alphas)),
        "aeon: ISSClassifier": aeon.ISSClassifier(),
    }
    for name, model in of_aeon.items():
        report(name, model, (arrays, y), (test_arrays, y_test))


def report(name, model, training, test):
    """Print the accuracy on the test series."""
    start = time.perf_counter()
    accuracy = np.mean(model.fit(*training).predict(test[0]) == test[1])
    print(f"{name:42} {accuracy:.3f}   {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
