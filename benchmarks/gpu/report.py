"""Markdown of a record: sentences with what was found, and tables."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.gpu.device import MEMORY, TIME
from benchmarks.hyena_vs_mha.cost import FUSED
from benchmarks.hyena_vs_mha.cost_table import crossover
from benchmarks.measure import markdown_table

NO_RECORD = "No record of a GPU is committed yet; `make gpu` measures one."
REASONS = {MEMORY: "out of memory", TIME: "not measured: time"}
GROUP = ("batch", "width", "heads", "dtype", "task")  # what one table of mixers has in common
Record = Mapping[str, Any]
NOTE_ON_MIXERS = (
    "Medians in milliseconds with quartiles, and the time relative to that of attention. MiB: memory of torch's "
    "tensors at the peak of the first run beyond weights and input; it includes the spectra of filters that are kept. "
    "A dagger marks fewer than three runs. Forward: evaluation without gradients, with kept spectra. Training: forward "
    "and backward. In bfloat16 tokens are bfloat16 and weights float32, under autocast, and FFTs remain in float32. In "
    "float32 TensorFloat-32 is not used."
)


def markdown(document: Record) -> str:
    """Markdown of what `python -m benchmarks.gpu` wrote."""
    parts = [_circumstances(document)]
    if "tests" in document:
        parts += ["### Tests", tests_sentence(document["tests"])]
    if document.get("mixers"):
        groups = _groups(document["mixers"])
        parts += ["### Hyena against attention", _conditions(document["mixers"])]
        parts += ["\n".join(f"* {verdict(key, records)}" for key, records in groups.items())]
        parts += [part for key, records in groups.items() for part in (f"**{_title(key)}**", _mixer_table(records))]
        parts += [NOTE_ON_MIXERS]
    if document.get("transforms"):
        parts += ["### Transforms on the GPU and on the CPU", transforms_sentence(document["transforms"])]
        parts += [_transform_table(document["transforms"])]
    return "\n\n".join(parts)


def tests_sentence(found: Record) -> str:
    """Numbers of tests in a sentence."""
    if "not_run" in found:
        return f"The tests marked `gpu` did not run: {found['not_run']}."
    parts = [f"{found['passed']} tests marked `gpu` passed, {found['failed']} failed, {found['skipped']} were skipped."]
    if found["failures"]:
        parts.append(f"Failed: {', '.join(f'`{name}`' for name in found['failures'])}.")
    if found["not_loaded"]:
        files = ", ".join(f"`{name}` ({package} is not installed)" for name, package in found["not_loaded"].items())
        parts.append(f"Not loaded: {files}.")
    if not found["finished"]:
        parts.append("The others were not run: the time was over.")
    return " ".join(parts)


def transforms_sentence(records: Sequence[Record]) -> str:
    """Whether transforms are equal on both, in a sentence."""
    measured = [one for one in records if "equal" in one]
    different = [f"{one['name']} in {one['dtype']}" for one in measured if not one["equal"]]
    n_equal = len(measured) - len(different)
    parts = [f"{n_equal} of {len(measured)} measured transforms give the same features on both, within the tolerance."]
    if different:
        parts.append(f"Different: {'; '.join(different)}.")
    return " ".join(parts)


def verdict(key: Sequence[Any], records: Sequence[Record]) -> str:
    """Where each Hyena is faster than attention, with its time and memory at the greatest common length."""
    by_name = _by_name(records)
    attention = by_name.pop(FUSED, [])
    said = [f"{name} {_against(found, attention)}" for name, found in by_name.items()]
    return f"{_title(key)}: {'; '.join(said)}."


def _against(found, attention):
    pairs = [(one, other) for one, other in zip(found, attention, strict=True) if one["seconds"] and other["seconds"]]
    if not pairs:
        return "has no length at which both were measured"
    lengths = [one["length"] for one, _ in pairs]
    own, reference = ([_median(one) for one in side] for side in zip(*pairs, strict=True))
    start = crossover(lengths, own, reference)
    one, other = pairs[-1]
    if start is None:
        where = f"is not faster than fused attention at {lengths[-1]:,} steps"
    elif start == lengths[0]:
        where = f"is faster than fused attention at all lengths from {lengths[0]:,} steps on"
    else:
        where = f"is faster than fused attention from about {_two_digits(start):,} steps on"
    low, high = _ratio_range(one, other)
    ratio = f"takes {_median(one) / _median(other):.2g} ({low:.2g} to {high:.2g}) times as long at {lengths[-1]:,}"
    return f"{where} and {ratio}{_memory(one, other)}{_beyond(found, attention, lengths[-1])}"


def _memory(one, other):
    if not one["peak_bytes"] or not other["peak_bytes"]:
        return ""
    return f", with {one['peak_bytes'] / other['peak_bytes']:.2g} times its memory"


def _beyond(found, attention, longest):
    """What is known of the lengths that only one of both reached."""
    for side, name in ((found, "it"), (attention, "attention")):
        reached = max((one["length"] for one in side if one["seconds"]), default=longest)
        if reached > longest:
            return f" ({name} alone reached {reached:,})"
    return ""


def _ratio_range(one, other):
    """Ratio of the lower quartile to the upper one, and the reverse."""
    (low, high), (other_low, other_high) = _quartiles(one), _quartiles(other)
    return low / other_high, high / other_low


def _median(record):
    return statistics.median(record["seconds"])


def _quartiles(record):
    return tuple(float(value) for value in np.percentile(record["seconds"], [25, 75]))


def _two_digits(value):
    return int(round(value, 1 - math.floor(math.log10(value))))


def _groups(records):
    found: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        found.setdefault(tuple(record[name] for name in GROUP), []).append(record)
    return found


def _by_name(records):
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record["length"]):
        found.setdefault(record["name"], []).append(record)
    return found


def _title(key):
    batch, width, heads, dtype, task = key
    return f"{dtype}, {task}, width {width} ({heads} heads), batch {batch}"


def _mixer_table(records):
    by_name = _by_name(records)
    attention = by_name[FUSED]
    header, columns = ["steps"], [[f"{one['length']:,}" for one in attention]]
    for name, found in by_name.items():
        header += [f"{name} ms", "MiB"]
        pairs = zip(found, attention, strict=True)
        columns += [
            [_time(one, None if name == FUSED else other) for one, other in pairs],
            [_mib(one) for one in found],
        ]
    return markdown_table(header, [list(row) for row in zip(*columns, strict=True)])


def _time(record, other):
    if not record["seconds"]:
        return REASONS.get(record.get("failure"), f"failed: {record.get('failure')}".replace("|", "/"))
    low, high = _quartiles(record)
    few = "†" if len(record["seconds"]) < 3 else ""
    text = f"{1e3 * _median(record):.3g}{few} ({1e3 * low:.3g} to {1e3 * high:.3g})"
    if "backend" in record:
        text += f" {record['backend']}"
    return text + (f" {_median(record) / _median(other):.2g}x" if other and other["seconds"] else "")


def _mib(record):
    return "" if record["peak_bytes"] is None else f"{record['peak_bytes'] / 2**20:,.0f}"


def _transform_table(records):
    header = ["transform", "dtype", "CPU ms", "GPU ms", "CPU / GPU", "difference", "tolerance"]
    rows = []
    for one in records:
        if "equal" in one:
            cpu, device = (1e3 * statistics.median(one[side]) for side in ("cpu_seconds", "device_seconds"))
            figures = [f"{cpu:.3g}", f"{device:.3g}", f"{cpu / device:.2g}x"]
            figures += [f"{one['difference']:.1g}", f"{one['tolerance']:.0g}"]
        else:
            figures = [REASONS.get(one["failure"], one["failure"]).replace("|", "/"), "", "", "", ""]
        rows.append([one["name"], one["dtype"], *figures])
    shape = f"{records[0]['series']} series of {records[0]['steps']} steps and {records[0]['channels']} channels"
    note = (
        f"Medians of transforms of {shape}, arrays in the memory of the CPU, which uses all its cores. The difference "
        "is the largest one of a feature, relative to the largest absolute value in its column."
    )
    return f"{markdown_table(header, rows)}\n\n{note}"


def _conditions(records):
    measured = [one for one in records if one["seconds"]]
    kernels = sorted({f"{one['backend']} in {one['dtype']}" for one in measured if "backend" in one})
    runs = f"{len(measured)} of {len(records)} cells were measured."
    return f"{runs} Kernels of fused attention: {', '.join(kernels)}." if kernels else runs


def _circumstances(document):
    device = document["device"]
    about = [device.get("name", device["type"])]
    if "memory_bytes" in device:
        about += [f"{device['memory_bytes'] / 2**30:.0f} GiB", f"compute capability {device['compute_capability']}"]
        about += [f"driver {device['driver']}", f"CUDA {device['cuda']}", f"cuDNN {device['cudnn']}"]
    versions = [f"{name} {version}" for name, version in document["versions"].items()]
    cpu = f"{document['cpu']}, {document['n_cpus']} CPUs, torch threads: {document['threads']}"
    when = f"commit {document['commit']}, {document['date'][:10]}"
    return f"{', '.join(about)}; {cpu}; Python {document['python']}, {', '.join(versions)}; {when}."
