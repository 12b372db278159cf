"""Parameters that only some settings use: under the other settings they are refused, not ignored."""

import inspect
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from sigfeat._messages import plain


class OnlyWith(NamedTuple):
    """The setting with which a parameter is used.

    Parameters
    ----------
    parameter : str
        The parameter that decides.
    values : tuple or None
        Its values, or those that it must contain one of, with which the other parameter is used; None for any value
        except None, False, 0 and empty ones.
    """

    parameter: str
    values: tuple[Any, ...] | None = None

    def holds(self, value: Any) -> bool:
        """Whether the other parameter is used with this value of the deciding one."""
        if self.values is None:
            return bool(value)
        found = value if isinstance(value, tuple | list) else (value,)
        return any(isinstance(item, type(allowed)) and item == allowed for item in found for allowed in self.values)

    def __str__(self) -> str:
        if self.values is None:
            return f"a positive {self.parameter}"
        return f"{self.parameter}={' or '.join(repr(value) for value in self.values)}"


TRAINED = OnlyWith("fit_mode", ("supervised",))


def refuse_unused(estimator: Any, used_only: dict[str, OnlyWith]) -> None:
    """Raise a ValueError for a parameter that differs from its default although the other settings do not use it.

    A parameter that is silently ignored makes a grid search compare equal models.
    """
    defaults = inspect.signature(type(estimator)).parameters
    for name, only in used_only.items():
        value, default = getattr(estimator, name), defaults[name].default
        deciding = getattr(estimator, only.parameter)
        if only.holds(deciding) or _is_default(value, default):
            continue
        raise ValueError(
            f"{name} is used with {only} only, got {name}={plain(value)!r} with {only.parameter}={plain(deciding)!r}: "
            f"leave it at {plain(default)!r}"
        )


def _is_default(value: Any, default: Any) -> bool:
    """Whether a value is the default; 0 is 0.0, but True is not 1, and a grid of NumPy has numbers of its own types."""
    value = value.item() if isinstance(value, np.generic) else value
    numbers = all(isinstance(one, Real) and not isinstance(one, bool) for one in (value, default))
    return value is default or ((numbers or type(value) is type(default)) and bool(value == default))
