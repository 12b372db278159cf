"""Random damage and forgery of saved estimators and of `.ts` files: right, or refused in one sentence.

Run `python -m tests.fuzz_files --cases 20000`. Cases depend on the seed alone, so a run can be repeated.
"""

import argparse
import copy
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder, RecurrentEmbeddingTransformer, S4EmbeddingTransformer

SEED = 0
VALUES, WEIGHTS = "estimator.json", "weights.safetensors"
SMALL = {"d_model": 4, "n_layers": 1, "d_ff": 5, "max_epochs": 1, "batch_size": 4}
ODD = [None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, -0.5, "", "nan", "x" * 999, "../..", "<f8", [], [[]], {}]
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


def forged_values(document, rng):
    """A document in which some value is another, with a checksum that says that all is well."""
    everything = nodes(document["estimator"])
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


def damage_estimator(folder, others, rng):
    """Change something in the folder of a saved estimator."""
    kind = rng.choice(["bytes", "values", "values", "weights", "swap", "missing", "fields"])
    file = folder / rng.choice([VALUES, WEIGHTS])
    if kind == "bytes":
        file.write_bytes(damaged_bytes(file.read_bytes(), rng))
    elif kind == "swap":
        shutil.copy(rng.choice(others) / file.name, file)
    elif kind == "missing":
        file.unlink()
        if rng.random() < 0.5:
            file.mkdir()
    else:
        document, data = json.loads((folder / VALUES).read_bytes()), (folder / WEIGHTS).read_bytes()
        try:
            if kind == "values":
                document = forged_values(document, rng)
            elif kind == "weights":
                data = save(forged_weights(load(data), rng))
            else:
                document[rng.choice(list(document))] = rng.choice(ODD)
            (folder / WEIGHTS).write_bytes(data)
            document["weights"] = hashlib.sha256(data).hexdigest()
            document.pop("sha256", None)
            document["sha256"] = hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()
            (folder / VALUES).write_text(json.dumps(document, indent=1))
        except RecursionError:  # too deep to be written as JSON
            (folder / VALUES).write_text("[" * 100_000)


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


def estimator_case(saved, X, folder, rng):
    """Damage a copy of a saved estimator and load it; whether it was refused."""
    cls, source, expected = rng.choice(saved)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    damage_estimator(folder, [path for _, path, _ in saved], rng)
    unchanged = all(
        (folder / n).is_file() and (folder / n).read_bytes() == (source / n).read_bytes() for n in (VALUES, WEIGHTS)
    )
    try:
        loaded = cls.load(folder)
    except (ValueError, FileNotFoundError) as error:
        if unchanged:
            raise AssertionError("what was not damaged is refused") from error
        check_sentence(error, folder)
        return True
    if unchanged:
        np.testing.assert_array_equal(loaded.transform(X), expected)
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


def run(n_cases, seed=SEED):
    """Numbers of cases and refusals; raises an AssertionError, or what came instead of a sentence, with the case."""
    counts = {"estimators": [0, 0], "ts": [0, 0]}
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = Path(name)
        saved, X = saved_estimators(folder)
        for case in range(n_cases):
            rng = random.Random(f"{seed} {case}")
            kind = "estimators" if case % 2 else "ts"
            try:
                work = folder / "work"
                refused = estimator_case(saved, X, work, rng) if case % 2 else text_case(folder / "texts", rng)
            except Exception as error:
                error.add_note(f"case {case} of seed {seed}, {kind}")
                raise
            counts[kind][0] += 1
            counts[kind][1] += refused
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    start = time.perf_counter()
    try:
        counts = run(arguments.cases, arguments.seed)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    for kind, (n_cases, refused) in counts.items():
        print(f"{kind}: {n_cases} cases, {refused} refused")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
