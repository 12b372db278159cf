"""Folders of fitted estimators: a file of values, one of arrays and weights, with checksums."""

import hashlib
import json
import reprlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of_bytes
from safetensors.numpy import save as bytes_of_arrays

import sigfeat
from sigfeat._devices import Device
from sigfeat._validation import check_is_fitted
from sigfeat.nn.devices import check_device
from sigfeat.nn.folders import is_saved, write_folder
from sigfeat.nn.training.processes import processes
from sigfeat.transformers.embeddings._persistence.checks import check_fields
from sigfeat.transformers.embeddings._persistence.reader import Reader
from sigfeat.transformers.embeddings._persistence.writer import Writer

FORMAT, VERSION = "sigfeat estimator", 3
VALUES, WEIGHTS = "estimator.json", "weights.safetensors"
HEADER = {"format": str, "version": int, "sigfeat": str, "estimator": dict, "weights": str, "sha256": str}


def save_estimator(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator into a folder; one that was saved there before is replaced as a whole.

    `callbacks` are omitted. Raises a TypeError for values that cannot be saved, and a FileExistsError if something else
    exists at the path.
    """
    check_is_fitted(estimator)
    writer = Writer()
    try:
        content = writer.estimator(estimator, "")
    except RecursionError as error:
        raise ValueError(f"{type(estimator).__name__} cannot be saved: its values contain themselves") from error
    weights = bytes_of_arrays(writer.arrays)
    document = {"format": FORMAT, "version": VERSION, "sigfeat": sigfeat.__version__, "estimator": content}
    document["weights"] = hashlib.sha256(weights).hexdigest()
    document["sha256"] = _checksum(document)
    values = json.dumps(document, indent=1, allow_nan=False).encode()
    write_folder(Path(path).resolve(), {VALUES: values, WEIGHTS: weights}, _is_saved_estimator, "a saved estimator")


def load_estimator(cls: type[Any], path: str | Path, device: Device | None = None) -> Any:
    """Estimator of class `cls` that `save_estimator` wrote. Encoders are in evaluation mode, without gradients.

    If `device` is given, it replaces every `device` parameter; otherwise these are kept, and encoders are on the CPU.
    Raises a ValueError if a file has any invalid content, and a FileNotFoundError if one is missing.
    """
    if device is not None:
        check_device(processes(device).device)
    values, weights = Path(path) / VALUES, Path(path) / WEIGHTS
    document = _read_values(values)
    reader = Reader(_read_arrays(weights, document["weights"]), device)
    try:
        estimator = reader.whole(document["estimator"], cls)
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{values} cannot be loaded: {error}") from error
    if reader.arrays:
        raise ValueError(f"{weights} has a tensor {min(reader.arrays)} that belongs to nothing in {VALUES}")
    return estimator


def _checksum(document: Any) -> str:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_bytes(file: Path) -> bytes:
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    return file.read_bytes()


def _parse(data: bytes) -> dict[str, Any]:
    """Parse a document and check its format."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not allowed")

    try:
        document: dict[str, Any] = json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if type(document) is not dict or document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    return document


def _read_values(file: Path) -> dict[str, Any]:
    data = _read_bytes(file)
    try:
        document = _parse(data)
        if document.get("version") != VERSION:
            raise ValueError(f"format version must be {VERSION}, got {reprlib.repr(document.get('version'))}")
        expected = check_fields(document, HEADER, "it").pop("sha256")
        if _checksum(document) != expected:
            raise ValueError("its checksum is wrong, so it was changed or damaged")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} cannot be loaded: {error}") from error
    return document


def _read_arrays(file: Path, checksum: str) -> dict[str, NDArray[Any]]:
    data = _read_bytes(file)
    if hashlib.sha256(data).hexdigest() != checksum:
        raise ValueError(f"{file} cannot be loaded: its checksum is not that in {VALUES}")
    try:
        arrays: dict[str, NDArray[Any]] = arrays_of_bytes(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{file} cannot be loaded: it is not safetensors of numbers ({error})") from error
    return arrays


def _is_saved_estimator(folder: Path) -> bool:
    return is_saved(folder, VALUES, WEIGHTS, _parse)
