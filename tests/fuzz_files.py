"""Random damage and forgery of saved models and of `.ts` files: right, or refused in one sentence.

Run `python -m tests.fuzz_files --cases 20000`. Cases depend on the seed alone, so a run can be repeated.
"""

import argparse
import copy
import hashlib
import json
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load, save

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder, RecurrentEmbeddingTransformer, S4EmbeddingTransformer
from sigfeat.nn import HyenaLM, LanguageModelConfig

SEED = 0
WEIGHTS = "weights.safetensors"
SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1, "batch_size": 4}
ODD = [
    None,
    True,
    -1,
    0,
    20_000,
    10**8,
    2**31,
    2**63,
    10**400,
    1e308,
    -0.5,
    "",
    "nan",
    "x" * 999,
    "../..",
    "<f8",
    [],
    [[]],
    {},
]
ODD += [{"dict": {"x": 1}}, {"array": "<f8"}, {"tuple": []}, {"estimator": {}}, {"scalar": "|O"}, {"same": "teacher"}]
HEADER = "@problemName B\n@timeStamps false\n@missing false\n@univariate false\n@dimensions 2\n@equalLength false\n"
HEADER += "@classLabel true a b\n@data\n"
SERIES = ["1,2,3:4,5,6:a", "1,2.5:3,-4e3:b", "7:8:a", "0.1,0.2,0.3,0.4:1,1,1,1:b"]
JUNK = [
    "?",
    "NaN",
    "inf",
    "1e999",
    "",
    ":",
    ",,,",
    "a",
    "\x00",
    "é",
    "9" * 400,
    "(1,2)",
    "@data",
    "#",
    "\t",
    "__import__",
]


def saved_estimators(folder):
    """Folders of estimators of every kind, and the series that they are asked for."""
    X = np.random.default_rng(0).standard_normal((6, 2, 9))
    teacher = MHAEmbedder(n_heads=2, **SMALL)
    estimators = [
        teacher,
        HyenaEmbeddingTransformer(teacher, max_epochs=1, windows=2),
        S4EmbeddingTransformer(teacher, max_epochs=1, d_state=2, kind="dplr", random_state=np.random.RandomState(1)),  # noqa: NPY002
        RecurrentEmbeddingTransformer(teacher, max_epochs=1, dtype="float64"),
    ]
    for i, estimator in enumerate(estimators):
        estimator.fit(X).save(folder / str(i))
    return [(type(estimator), folder / str(i), estimator.transform(X)) for i, estimator in enumerate(estimators)], X


def saved_language_models(folder):
    """Folders of language models with mixers that are built differently, and the tokens that they are asked for."""
    tokens, saved = torch.arange(6)[None], []
    small = {"n_tokens": 7, "context": 9, "d_model": 4, "n_layers": 2, "d_ff": 5, "n_heads": 2, "filter_width": 3}
    for changed in ({}, {"mixer": "attention"}, {"mixer": "s4", "kind": "dplr", "d_state": 4}, {"filter": "modal"}):
        model = HyenaLM(LanguageModelConfig(**small | changed), generator=torch.Generator().manual_seed(0)).eval()
        place = folder / f"model{len(saved)}"
        model.save(place)
        saved.append((HyenaLM, place, model(tokens).detach().numpy()))
    return saved, tokens


def values_in(folder):
    """File of the document of a saved model, and the name of its content."""
    file = folder / "model.json"
    return (file, "config") if "model" in folder.name else (folder / "estimator.json", "estimator")


# ------------------------------------------------------------------------------------------------------ damage


def damaged_bytes(data, rng):
    """Bytes with one thing changed."""
    data, place = bytearray(data), rng.randrange(max(1, len(data)))
    kind = rng.choice(["flip", "cut", "insert", "drop", "zero", "repeat", "replace"])
    if kind == "flip" and data:
        data[place] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[place:]
    elif kind == "insert":
        data[place:place] = rng.randbytes(rng.randrange(1, 20))
    elif kind == "drop":
        del data[place : place + rng.randrange(1, 20)]
    elif kind == "zero":
        data[place : place + 8] = bytes(8)
    elif kind == "repeat":
        data[place:place] = data[place : place + 50]
    else:
        data = bytearray(rng.randbytes(rng.randrange(40)))
    return bytes(data)


def nodes(document):
    """All lists and objects of a document."""
    found, below = [], [document]
    while below:
        node = below.pop()
        if isinstance(node, dict | list):
            found.append(node)
            below.extend(node.values() if isinstance(node, dict) else node)
    return found


def forged_values(document, content, rng):
    """A document in which some value is another, with a checksum that says that all is well."""
    everything = nodes(document[content])
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        node = rng.choice([node for node in everything if node])
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        value = rng.choice([rng.choice(ODD), copy.deepcopy(rng.choice(everything)), ..., "name", "deep"])
        if value is ...:
            del node[key]
        elif value == "name" and isinstance(node, dict):
            node[rng.choice(["transform", "__class__", "encoder_", "x.y", "fit"])] = node.pop(key)
        elif value == "deep":
            deep = []
            for _ in range(rng.choice([10, 3000])):
                deep = [deep]
            node[key] = deep
        else:
            node[key] = value
    return document


def forged_weights(weights, rng):
    """Tensors of which one is missing, another, of another shape, or of another dtype."""
    name = rng.choice(list(weights))
    array, kind = weights[name], rng.choice(["drop", "shape", "dtype", "nan", "huge", "rename", "swap", "empty"])
    if kind == "drop":
        del weights[name]
    elif kind == "shape":
        weights[name] = array.reshape(-1)[: rng.randrange(1, array.size + 1)].copy()
    elif kind == "dtype":
        weights[name] = array.astype(rng.choice(["float16", "float64", "int64", "uint8", "float32"]))
    elif kind == "nan":
        weights[name] = np.full_like(array, np.nan) if array.dtype.kind == "f" else ~array
    elif kind == "huge":
        weights[name] = np.full_like(array, 3e38 if array.dtype.kind == "f" else 127)
    elif kind == "rename":
        weights[name + "x"] = weights.pop(name)
    elif kind == "swap":
        other = rng.choice(list(weights))
        weights[name], weights[other] = weights[other], weights[name]
    else:
        weights[name] = array.reshape(-1)[:0]
    return weights


def damage_saved(folder, others, rng):
    """Change something in the folder of a saved model."""
    kind = rng.choice(["bytes", "values", "values", "weights", "swap", "missing", "fields"])
    values, content = values_in(folder)
    file = rng.choice([values, folder / WEIGHTS])
    if kind == "bytes":
        file.write_bytes(damaged_bytes(file.read_bytes(), rng))
    elif kind == "swap":
        shutil.copy(rng.choice(others) / file.name, file)
    elif kind == "missing":
        file.unlink()
        if rng.random() < 0.5:
            file.mkdir()
    else:
        document, data = json.loads(values.read_bytes()), (folder / WEIGHTS).read_bytes()
        try:
            if kind == "values":
                document = forged_values(document, content, rng)
            elif kind == "weights":
                data = save(forged_weights(load(data), rng))
            else:
                document[rng.choice(list(document))] = rng.choice(ODD)
            (folder / WEIGHTS).write_bytes(data)
            document["weights"] = hashlib.sha256(data).hexdigest()
            document.pop("sha256", None)
            document["sha256"] = hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()
            values.write_text(json.dumps(document, indent=1))
        except RecursionError:  # too deep to be written as JSON
            values.write_text("[" * 100_000)


def damaged_text(rng):
    """Text of a `.ts` file with something wrong in it, or not."""
    text = HEADER + "\n".join(SERIES * rng.randrange(1, 4)) + "\n"
    if rng.random() < 0.3:
        return damaged_bytes(text.encode(), rng)
    lines = text.split("\n")
    for _ in range(rng.choice([0, 1, 1, 1, 3])):
        i, kind = rng.randrange(len(lines)), rng.choice(["drop", "swap", "repeat", "junk", "field", "letter"])
        if kind == "drop":
            lines[i] = ""
        elif kind == "swap":
            j = rng.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
        elif kind == "repeat":
            lines.insert(i, lines[i])
        elif kind == "junk":
            lines.insert(i, rng.choice(JUNK))
        else:
            sign = rng.choice(",: ") if kind == "field" else ""
            parts = lines[i].split(sign) if sign else list(lines[i]) or [""]
            parts[rng.randrange(len(parts))] = rng.choice(JUNK)
            lines[i] = (sign or "").join(parts)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


# -------------------------------------------------------------------------------------------------- properties


def check_sentence(error, *names):
    """One sentence, that names one of these."""
    text = str(error)
    assert text, "an empty message"
    assert "\n" not in text, f"more than one line: {text}"
    assert len(text) < 2000, f"a long message: {len(text)} letters"
    assert any(str(name) in text for name in names), f"{text} names none of {names}"


def saved_case(saved, X, folder, rng):
    """Damage a copy of a saved model and load it; whether it was refused."""
    cls, source, expected = rng.choice(saved)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    damage_saved(folder, [path for _, path, _ in saved], rng)
    names = (values_in(folder)[0].name, WEIGHTS)
    unchanged = all((folder / n).is_file() and (folder / n).read_bytes() == (source / n).read_bytes() for n in names)
    try:
        loaded = cls.load(folder)
    except (ValueError, FileNotFoundError) as error:
        if unchanged:
            raise AssertionError("what was not damaged is refused") from error
        check_sentence(error, folder)
        return True
    if unchanged:
        found = loaded(X).detach().numpy() if cls is HyenaLM else loaded.transform(X)
        np.testing.assert_array_equal(found, expected)
    return False


def text_case(folder, rng):
    """Write a damaged `.ts` file and load it; whether it was refused."""
    from benchmarks.archive import sets

    folder.mkdir(exist_ok=True)
    shutil.rmtree(folder / "B", ignore_errors=True)
    (folder / "B").mkdir()
    damaged = rng.choice(sets.PARTS)
    for part in sets.PARTS:
        data = damaged_text(rng) if part == damaged else (HEADER + "\n".join(SERIES) + "\n").encode()
        (folder / "B" / f"B_{part}.ts").write_bytes(data)
    try:
        X, y, X_test, y_test = sets.load("B", folder)
    except ValueError as error:
        check_sentence(error, folder)
        return True
    for series, labels in ((X, y), (X_test, y_test)):
        assert series.ndim == 3
        assert len(series) == len(labels)
        assert series.shape[1] == X.shape[1]
    return False


def run(n_cases, seed=SEED, costs=None):
    """Numbers of cases and refusals; raises an AssertionError, or what came instead of a sentence, with the case.

    If `costs` is a dict, it receives the longest time of the processor and the growth of memory for each kind.
    """
    counts = {"estimators": [0, 0], "language models": [0, 0], "ts": [0, 0]}
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = Path(name)
        cases = {
            "estimators": (*saved_estimators(folder), folder / "work"),
            "language models": (*saved_language_models(folder), folder / "work_model"),
        }
        for case in range(n_cases):
            rng = random.Random(f"{seed} {case}")
            kind = list(counts)[case % len(counts)]
            start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                refused = saved_case(*cases[kind], rng) if kind in cases else text_case(folder / "texts", rng)
            except Exception as error:
                error.add_note(f"case {case} of seed {seed}, {kind}")
                raise
            counts[kind][0] += 1
            counts[kind][1] += refused
            if costs is not None:
                seconds, kib = costs.get(kind, (0.0, 0))
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
                costs[kind] = max(seconds, time.process_time() - start), kib + grown
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    start, costs = time.perf_counter(), {}
    try:
        counts = run(arguments.cases, arguments.seed, costs)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    for kind, (n_cases, refused) in counts.items():
        seconds, kib = costs[kind]
        print(f"{kind}: {n_cases} cases, {refused} refused, at most {seconds:.3f} s each, {kib / 1024:.0f} MiB in all")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
