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
        Its values, or those that it must contain one of, with which the other parameter is used; None for numbers
        larger than `above`.
    above : int or None, default=0
        The other parameter is used if the deciding one is larger; None if it is used whenever that is not None.
    """

    parameter: str
    values: tuple[Any, ...] | None = None
    above: int | None = 0

    def holds(self, value: Any) -> bool:
        """Whether the other parameter is used with this value of the deciding one."""
        if self.values is None:
            return value is not None if self.above is None else bool(value > self.above)
        found = value if isinstance(value, tuple | list) else (value,)
        return any(isinstance(item, type(allowed)) and item == allowed for item in found for allowed in self.values)

    def __str__(self) -> str:
        if self.values is None:
            return f"{self.parameter} > {self.above}" if self.above is not None else self.parameter
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
    """Whether a value means the default: 0 is 0.0, but True is not 1; NumPy and torch have types of their own."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(default, str):  # also of devices
        return str(value) == default
    if default is None and isinstance(value, tuple | list):
        return not value  # no callbacks
    numbers = all(isinstance(one, Real) and not isinstance(one, bool) for one in (value, default))
    return value is default or ((numbers or type(value) is type(default)) and bool(value == default))
