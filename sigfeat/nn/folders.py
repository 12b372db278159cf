"""Modules saved in folders: the config as JSON and the weights as safetensors, with a checksum; nothing is pickled."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

FORMAT, VERSION = "sigfeat language model", 2
VALUES, WEIGHTS = "model.json", "weights.safetensors"
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}

Model = TypeVar("Model", bound=nn.Module)


def save_model(folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write a config and weights into a folder; a model that was saved there before is replaced as a whole."""
    data = save(dict(weights))
    dtype = str(next(iter(weights.values())).dtype).removeprefix("torch.")
    document = {"format": FORMAT, "version": VERSION, "config": dict(config), "dtype": dtype}
    document["weights"] = hashlib.sha256(data).hexdigest()
    values = json.dumps(document, indent=1, allow_nan=False).encode()
    write_folder(folder.resolve(), {VALUES: values, WEIGHTS: data}, _is_saved_model, "a saved language model")


def load_model(folder: Path, empty: Callable[[dict[str, Any], torch.dtype], Model]) -> Model:
    """Load a model that `save_model` wrote into the module that `empty(config, dtype)` returns without memory."""
    values, weights = folder / VALUES, folder / WEIGHTS
    for file in (values, weights):
        if not file.is_file():
            raise FileNotFoundError(f"there is no file {file}")
    try:
        document = _parse(values.read_bytes())
        model = empty(document["config"], DTYPES[document["dtype"]])
    except (ValueError, KeyError, TypeError, RecursionError, RuntimeError) as error:
        raise ValueError(f"{values} cannot be loaded: {error}") from error
    data = weights.read_bytes()
    if hashlib.sha256(data).hexdigest() != document.get("weights"):
        raise ValueError(f"{weights} cannot be loaded: its checksum is not that in {VALUES}")
    try:
        model.load_state_dict(load(data), assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{weights} cannot be loaded: it does not fit {VALUES} ({error})") from error
    return model


def write_folder(folder: Path, files: Mapping[str, bytes], is_ours: Callable[[Path], bool], what: str) -> None:
    """Write files into a new folder and rename it into place; if that fails, the old folder stays.

    If the process is killed between the two renamings, the old folder is left next to it under a name with a dot.
    """
    if folder.exists() and not is_ours(folder):
        raise FileExistsError(f"{folder} is there, and is not (only) {what}: choose another path")
    mark = secrets.token_hex(4)
    new, old = (folder.with_name(f".{folder.name}.{mark}.{age}") for age in ("new", "old"))
    try:
        new.mkdir(parents=True)
        for name, data in files.items():
            (new / name).write_bytes(data)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def is_saved(folder: Path, values: str, weights: str, parse: Callable[[bytes], Any]) -> bool:
    """Whether a folder holds a file of values that can be parsed, perhaps one of weights, and nothing else."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if values not in names or names - {values, weights}:
        return False
    try:
        parse((folder / values).read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def _parse(data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    if type(document) is not dict or document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if document.get("version") != VERSION:
        raise ValueError(f"format version must be {VERSION}, got {document.get('version')!r}")
    if type(document.get("config")) is not dict:
        raise ValueError("it has no config")
    return document


def _is_saved_model(folder: Path) -> bool:
    return is_saved(folder, VALUES, WEIGHTS, _parse)
