"""Compile the loops that most tests use, so that the processes of the tests need not each compile them.

``make test`` runs ``python -m tests.loops`` beside the linters. The tests do not depend on it.
"""

import warnings

import numpy as np

from sigfeat import ISSTransformer, LowRankISSTransformer, PathDevelopmentTransformer
from tests.panels import padded, ragged
from tests.test_contract import FEATURES, fit, installed

SEMIRINGS = ("real", "max_plus", "min_plus", "max_times")
LOOPS = [
    *[ISSTransformer(semiring=name, decay=0.1, strict=strict) for name in SEMIRINGS for strict in (True, False)],
    LowRankISSTransformer(6, semiring=SEMIRINGS[:3], pooling=("end", "mean", "max", "min", "ppv", "mpv", "mipv")),
    *[PathDevelopmentTransformer(group, dim=2, n_developments=1) for group in ("SO", "Sp", "U", "GL")],
    PathDevelopmentTransformer("Sp", dim=2, n_developments=1, fit_mode="supervised", max_epochs=1),
]


def main():
    """Fit and transform in both precisions."""
    warnings.simplefilter("ignore")
    for dtype in (np.float64, np.float32):
        X = padded(ragged(dtype=dtype))
        for transformer in [*LOOPS, *FEATURES]:
            if installed(transformer):
                fit(transformer, abs(X)).transform(abs(X))


if __name__ == "__main__":
    main()
