"""The properties of `tests.fuzz`, with few cases of every transformer."""

import numpy as np
import pytest

from sigfeat import AddTime
from tests.fuzz import SEED, run, trains
from tests.test_contract import PATHS, each


@each(sum(PATHS, []))  # the other parameters are drawn
def test_random_panels_are_answered_rightly_or_refused_in_a_sentence(transformer):
    seen = {"accepted": 0, "refused": 0}
    run(transformer, 10 if trains(transformer) else 25, SEED, seen)
    assert seen["accepted"] > 0


def raises(error):
    def spoil(panel, X):
        raise error

    return spoil


def forgets_a_value(panel, X):
    panel[:, :, 0] = np.nan
    return panel


def writes_into_the_input(panel, X):
    X.setflags(write=True)
    X[:] = 0.0
    return panel


WRONG = {
    "not finite": forgets_a_value,
    "padding is not NaN": lambda panel, X: np.nan_to_num(panel),
    "the input was changed": writes_into_the_input,
    "float64 from float32": lambda panel, X: panel.astype(np.float64),
    "shape ": lambda panel, X: panel[1:],
    "no sentence": raises(ValueError("no")),
    "refused: it does not like": raises(ValueError("it does not like this")),
    "division": raises(ZeroDivisionError("division")),
    "beware": raises(RuntimeWarning("beware")),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_found(message):
    class Wrong(AddTime):
        def _augment(self, X, lengths):
            return WRONG[message](super()._augment(X, lengths), X)

    with pytest.raises((AssertionError, ZeroDivisionError, RuntimeWarning), match=message):
        run(Wrong(), 200, SEED, {"accepted": 0, "refused": 0})
