"""Forged and damaged zarr and parquet files of series: transformed, or refused in one sentence, at little cost.

Run `python -m tests.fuzz_arrays --cases 2000`. Cases depend on the seed alone, so a run can be repeated.
"""

import argparse
import copy
import json
import random
import resource
import shutil
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from sigfeat import ISSTransformer
from tests.fuzz_files import ODD, SEED, check_sentence, damaged_bytes, nodes

KINDS = ("zarr 2", "zarr 3", "shards", "parquet")
METADATA = {"zarr 2": ".zarray", "zarr 3": "zarr.json", "shards": "zarr.json"}
MAX_SECONDS, MAX_MIB = 0.3, 200
HUGE = [2**31, 2**62, 2**63, -1, 0, True, 1.0, "3", None, [3]]
NAMES = [
    "pickle",
    "numcodecs.pickle",
    "json2",
    "vlen-utf8",
    "msgpack2",
    "zstd",
    "lzma",
    "bytes",
    "sharding_indexed",
    "x",
]
DTYPES = ["|O", "<U9", "|V8", "<M8[s]", "<c16", [["x", "<f8"]], "object", "string", "complex128", "<f8", "r64"]
NUMPY_TYPES = ["period[D]", "category", "interval[int64]", "Sparse[float64]", "datetime64[ns, ../x]", "Int64", "", 3]


def panel(n_series=8):
    return np.random.default_rng(0).standard_normal((n_series, 3, 9))


def write_array(folder, kind, X):
    """A good array of zarr."""
    import zarr

    shards = (4, *X.shape[1:]) if kind == "shards" else None
    chunks = (2, *X.shape[1:])
    zarr.create_array(folder, data=X, shards=shards, chunks=chunks, zarr_format=2 if kind == "zarr 2" else 3)


def read_metadata(folder, kind):
    return json.loads((folder / METADATA[kind]).read_text())


def write_metadata(folder, kind, metadata):
    (folder / METADATA[kind]).write_text(json.dumps(metadata))


def frame(n_series=8):
    X = panel(n_series)
    index = pd.MultiIndex.from_product([range(len(X)), range(9)], names=["instance", "time"])
    return pd.DataFrame(X.transpose(0, 2, 1).reshape(-1, 3), columns=list("abc"), index=index)


def write_frame(file, table):
    table.to_parquet(file)


def forged_metadata(metadata, rng):
    """Metadata in which some values are others."""
    everything = nodes(metadata)
    for _ in range(rng.choice([1, 1, 2])):
        node = rng.choice([node for node in everything if node])
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        values = [ODD, HUGE, NAMES, DTYPES, [[side, 3, 9] for side in HUGE], [copy.deepcopy(rng.choice(everything))]]
        value = rng.choice(rng.choice(values))
        if rng.random() < 0.1:
            del node[key]
        elif rng.random() < 0.1 and isinstance(node, dict):
            node[rng.choice(["id", "name", "codecs", "filters", "x"])] = value
        else:
            node[key] = value
    return metadata


def forge_array(folder, kind, rng):
    """Change something in an array of zarr."""
    change = rng.choice(["metadata"] * 6 + ["bytes", "text", "link", "both", "missing", "deep"])
    chunks = sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".json", "s", "y"))
    )
    if change == "metadata":
        write_metadata(folder, kind, forged_metadata(read_metadata(folder, kind), rng))
    elif change in ("bytes", "text"):
        file = rng.choice(chunks) if change == "bytes" else folder / METADATA[kind]
        file.write_bytes(damaged_bytes(file.read_bytes(), rng))
    elif change == "link":
        file = rng.choice(chunks)
        file.unlink()
        file.symlink_to(rng.choice(["/dev/zero", "/etc/passwd", "."]))
    elif change == "both":
        (folder / rng.choice([".zarray", "zarr.json"])).write_text("{}")
        (folder / ".zgroup").mkdir()
    elif change == "missing":
        (folder / METADATA[kind]).unlink()
    else:
        (folder / METADATA[kind]).write_text("[" * 100_000)


def forge_frame(file, rng):
    """Write a parquet file with other types, other metadata of pandas, or damage."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    change = rng.choice(["bytes", "bytes", "pandas", "pandas", "types", "many"])
    table = pa.Table.from_pandas(frame())
    if change == "types":
        extra = rng.choice(
            [["x"] * 72, [b"x"] * 72, [{"a": 1}] * 72, pd.period_range("2020", periods=72), [["x"]] * 72]
        )
        table = table.append_column("extra", pa.array(extra))
    elif change == "pandas":
        document = json.loads(table.schema.metadata[b"pandas"])
        node = rng.choice(document["columns"] + document["column_indexes"])
        node["numpy_type" if rng.random() < 0.7 else rng.choice(list(node))] = rng.choice(NUMPY_TYPES + ODD)
        table = table.replace_schema_metadata({b"pandas": json.dumps(document).encode()})
    elif change == "many":
        table = pa.table({name: pa.repeat(1.0, 2_000_000) for name in "abc"})
    pq.write_table(table, file)
    if change == "bytes":
        file.write_bytes(damaged_bytes(file.read_bytes(), rng))


def array_case(work, kind, estimator, rng):
    """Forge a file and transform its series; whether it was refused, and after how many seconds."""
    from sigfeat.adapters.dask import transform_files

    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    file = work / ("series.parquet" if kind == "parquet" else "series.zarr")
    if kind == "parquet":
        forge_frame(file, rng)
    else:
        write_array(file, kind, panel())
        forge_array(file, kind, rng)
    start = time.perf_counter()
    try:
        transform_files(estimator, file, work / "out")
    except ValueError as error:
        seconds = time.perf_counter() - start
        check_sentence(error, file)
        return True, seconds
    return False, time.perf_counter() - start


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(n_cases, seed=SEED):
    """Numbers of cases and refusals of each kind, the longest time of a refusal and the growth of memory in MiB."""
    import dask

    counts, seconds = {kind: [0, 0] for kind in KINDS}, [0.0]
    estimator = ISSTransformer(pooling="end", windows="whole").fit(panel())
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):
        warnings.simplefilter("ignore")  # of zarr and pyarrow, about unusual files
        for case in range(-8, n_cases):  # the first ones import and compile
            if case == 0:
                before = peak_mib()
            rng, kind = random.Random(f"{seed} {case}"), KINDS[case % 4]
            try:
                refused, needed = array_case(Path(name) / "work", kind, estimator, rng)
            except Exception as error:
                error.add_note(f"case {case} of seed {seed}, {kind}")
                raise
            if case >= 0:
                counts[kind][0] += 1
                counts[kind][1] += refused
                seconds += [needed] if refused else []
    return counts, max(seconds), peak_mib() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    counts, seconds, mib = run(arguments.cases, arguments.seed)
    for kind, (n_cases, refused) in counts.items():
        print(f"{kind}: {n_cases} cases, {refused} refused")
    print(f"the slowest refusal took {seconds:.3f} s; memory grew by {mib:.0f} MiB")


if __name__ == "__main__":
    main()
