"""The format of what is saved: a document of values as JSON, weights as safetensors, and checksums of both."""

import hashlib
import json
import math
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from safetensors import SafetensorError

import sigfeat
from sigfeat.nn.saved.folders import is_saved, read_folder, write_folder

WEIGHTS = "weights.safetensors"
MAX_DEPTH = 200  # of lists and objects inside each other

Tensors = TypeVar("Tensors", bound=dict[str, Any])
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class SavedKind:
    """A kind of object that is saved in a folder.

    Parameters
    ----------
    name : str
        What the object is, "estimator" or "language model".
    version : int
        Version of the format.
    values : str
        Name of the file of the document.
    content : str
        Name of the object in the document that holds the values.
    """

    name: str
    version: int
    values: str
    content: str

    def save(self, folder: str | Path, content: Mapping[str, Any], weights: bytes) -> None:
        """Write values and weights into a folder; what was saved there before is replaced as a whole."""
        header = {"format": self.format, "version": self.version, "sigfeat": sigfeat.__version__}
        document = header | {self.content: dict(content), "weights": hashlib.sha256(weights).hexdigest()}
        check_depth(document)
        document["sha256"] = _checksum(document)
        values = json.dumps(document, indent=1, allow_nan=False).encode()
        files = {self.values: values, WEIGHTS: weights}
        write_folder(Path(folder).resolve(), files, self._is_in, f"a saved {self.name}")

    def load(
        self,
        folder: str | Path,
        tensors_of_bytes: Callable[[bytes], Tensors],
        build: Callable[[dict[str, Any], Tensors], Loaded],
    ) -> Loaded:
        """Return what `build(content, tensors)` returns, which removes the tensors that it uses.

        Raises a ValueError that names the file if it has any invalid content, and a FileNotFoundError if it is missing.
        """
        folder = Path(folder)
        values, weights = folder / self.values, folder / WEIGHTS
        text, data = read_folder(folder, (self.values, WEIGHTS))
        try:
            document = self._checked(text)
        except ValueError as error:
            raise ValueError(f"{values} cannot be loaded: {error}") from error
        if hashlib.sha256(data).hexdigest() != document["weights"]:
            raise ValueError(f"{weights} cannot be loaded: its checksum is not that in {self.values}")
        try:
            tensors = tensors_of_bytes(data)
        except (SafetensorError, KeyError, ValueError) as error:
            raise ValueError(f"{weights} cannot be loaded: it is not safetensors of numbers ({error})") from error
        del text, data
        try:
            loaded = build(document[self.content], tensors)
        except (ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{values} cannot be loaded: {error}") from error
        if tensors:
            raise ValueError(f"{weights} has a tensor {min(tensors)} that belongs to nothing in {self.values}")
        return loaded

    @property
    def format(self) -> str:
        """First entry of the document."""
        return f"sigfeat {self.name}"

    def _parse(self, data: bytes) -> dict[str, Any]:
        """Parse a document of any version."""
        document = parse(data)
        if type(document) is not dict or document.get("format") != self.format:
            raise ValueError(f"its format is not {self.format!r}")
        return document

    def _checked(self, data: bytes) -> dict[str, Any]:
        """Parse a document and check its version, its fields and its checksum."""
        document = self._parse(data)
        version = document.get("version")
        if version != self.version:
            whose = ""
            if type(version) is int:
                whose = f": {'an older' if version < self.version else 'a newer'} sigfeat saved it"
            raise ValueError(f"format version must be {self.version}, got {reprlib.repr(version)}{whose}")
        fields = {"format": str, "version": int, "sigfeat": str, self.content: dict, "weights": str, "sha256": str}
        expected = check_fields(document, fields, "it").pop("sha256")
        if _checksum(document) != expected:
            raise ValueError("its checksum is wrong, so it was changed or damaged")
        return document

    def _is_in(self, folder: Path) -> bool:
        return is_saved(folder, self.values, WEIGHTS, self._parse)


def parse(data: bytes) -> Any:
    """JSON of a document, which has finite numbers, no name twice, and a limited depth."""
    try:
        document = json.loads(data, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON of sigfeat ({error})") from error
    check_depth(document)
    return document


def check_depth(document: Any) -> None:
    """Raise a ValueError if more than MAX_DEPTH lists and objects are inside each other."""
    level, depth = [document], 0
    while level := [part for node in level for part in _parts(node)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"its values are nested deeper than {MAX_DEPTH} levels")


def check_fields(node: Any, types: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the node after a check that it has exactly these fields, of these types."""
    if type(node) is not dict or node.keys() != types.keys():
        found = reprlib.repr(sorted(node) if type(node) is dict else node)
        raise ValueError(f"{place} must have the fields {', '.join(types)}, got {found}")
    for name, kind in types.items():
        if type(node[name]) not in (get_args(kind) or (kind,)):
            wanted = getattr(kind, "__name__", str(kind))
            raise ValueError(f"{name} of {place} must be of type {wanted}, got {reprlib.repr(node[name])}")
    fields: dict[str, Any] = node
    return fields


def _parts(node: Any) -> list[Any]:
    if type(node) is dict:
        return list(node.values())
    return node if type(node) is list else []


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not allowed")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{reprlib.repr(repeated)} is there more than once")
    return fields


def _checksum(document: Any) -> str:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
