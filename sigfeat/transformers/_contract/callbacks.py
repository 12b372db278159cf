"""Checks of the callbacks of skorch that users pass."""

import inspect
from collections.abc import Sequence
from typing import Any

from sigfeat._messages import plain

VALIDATION_MONITORS = ("valid_loss", "valid_loss_best")
NO_VALIDATION_SET = "there is no validation set, so set validation_fraction, which is 0, to 0.2 for example"


def check_callbacks(callbacks: Sequence[Any] | None, without_validation: str | None = None) -> None:
    """Raise a ValueError for anything that is no callback of skorch, and for one that monitors a missing loss.

    `without_validation` explains why there is no validation loss, and what to do; None if there is one.
    """
    for item in callbacks or ():
        named = isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str)
        callback = item[1] if named else item
        if callback is None:
            continue
        if not hasattr(callback, "on_epoch_end"):
            raise ValueError(f"callbacks must be callbacks of skorch, got {plain(item)!r} among them")
        monitored = _monitored(callback)
        if without_validation is not None and monitored in VALIDATION_MONITORS:
            name = (callback if inspect.isclass(callback) else type(callback)).__name__
            raise ValueError(f"callbacks: {name} monitors {monitored!r}, which is not computed: {without_validation}")


def _monitored(callback: Any) -> str | None:
    """Name of the figure that a callback, or a class of them with its defaults, monitors; None without one."""
    if not inspect.isclass(callback):
        return _text(getattr(callback, "monitor", None))
    parameter = inspect.signature(callback).parameters.get("monitor")
    return None if parameter is None else _text(parameter.default)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
