"""Folders of fitted estimators: a file of values, one of arrays and weights, with checksums."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load as arrays_of_bytes
from safetensors.numpy import save as bytes_of_arrays

from sigfeat._devices import Device
from sigfeat._validation import check_is_fitted
from sigfeat.nn.devices import check_device
from sigfeat.nn.saved.documents import SavedKind
from sigfeat.nn.training.processes import processes
from sigfeat.transformers.embeddings._persistence.reader import Reader
from sigfeat.transformers.embeddings._persistence.writer import Writer

SAVED = SavedKind("estimator", 3, "estimator.json", "estimator")


def save_estimator(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator into a folder; one that was saved there before is replaced as a whole.

    `callbacks` are omitted. Raises a TypeError for values that cannot be saved, a ValueError for values that could not
    be loaded again, and a FileExistsError if something else exists at the path.
    """
    check_is_fitted(estimator)
    writer = Writer()
    try:
        content = writer.estimator(estimator, "")
    except RecursionError as error:
        raise ValueError(f"{type(estimator).__name__} cannot be saved: its values contain themselves") from error
    SAVED.save(path, content, bytes_of_arrays(writer.arrays))


def load_estimator(cls: type[Any], path: str | Path, device: Device | None = None) -> Any:
    """Estimator of class `cls` that `save_estimator` wrote. Encoders are in evaluation mode, without gradients.

    If `device` is given, it replaces every `device` parameter; otherwise these are kept, and encoders are on the CPU.
    Raises a ValueError if a file has any invalid content, and a FileNotFoundError if one is missing.
    """
    if device is not None:
        check_device(processes(device).device)

    def build(content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Any:
        return Reader(arrays, device).whole(content, cls)

    return SAVED.load(path, arrays_of_bytes, build)
