"""The page of measured results, from the JSON files in benchmarks/results and from nothing else.

``make docs`` runs it; ``python docs/results_page.py FOLDER`` writes the pages into a folder by hand.
"""

import importlib
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from benchmarks.archive.report import write_report as write_archive_report  # noqa: E402
from benchmarks.archive.summary import accuracy_tables, kinds  # noqa: E402
from benchmarks.gpu.report import NO_RECORD  # noqa: E402
from benchmarks.hyena_vs_mha.report import write_report as write_comparison  # noqa: E402
from benchmarks.measure import markdown_table  # noqa: E402

INTRODUCTION = """\
# Measured results

Every figure on this page and on those that it leads to is made from the files in `benchmarks/results` while this site
is built; each of these holds all that was measured, with machine, versions and commit. To measure again, run the
commands.
"""
TABLES = {  # file: title, and the command that measures it and, with --table, prints it
    "default_fit.json": ("Time of a default fit of a student", "benchmarks.default_fit"),
    "pointer.json": ("The pointer task", "benchmarks.pointer"),
    "language_model.json": ("Language models", "benchmarks.language_model"),
    "language_model_256.json": ("Language models with a context of 256", "benchmarks.language_model"),
    "streaming_inference.json": ("Language models, token by token and at length", "benchmarks.streaming_inference"),
    "long_series.json": ("Students on longer series than in training", "benchmarks.long_series"),
    "kernels.json": ("Speed of the compiled loops", "benchmarks.speed"),
    "gpu.json": ("On a GPU", "benchmarks.gpu"),
}
ELSEWHERE = {  # file: page that has its tables
    "accuracy.json": "accuracy.md",
    "accuracy_trained.json": "accuracy.md",
    "settings.json": "settings.md",
    "settings_development.json": "developments.md",
    "trained.json": "developments.md",
}
REPORTS = ("archive", "hyena_vs_mha")
OWN_TABLES = ("panel", "scale")  # speed benchmarks whose files are shown as they print them
LARGEST_GENERIC = 60  # rows of a table of a file that has none of its own


def write_results(results, folder):
    """Write results.md, archive/report.md and hyena_vs_mha/report.md with their pictures into a folder."""
    files = {path.name: path for path in sorted(results.glob("*.json"))}
    files |= {f"{path.parent.name}/results.json": path for path in sorted(results.glob("*/results.json"))}
    documents = {name: json.loads(path.read_text()) for name, path in files.items()}
    parts = [INTRODUCTION, *_archive(documents, folder), *_comparison(documents, folder)]
    for name, (title, module) in TABLES.items():
        if name in documents:
            command = [sys.executable, "-m", module, "--table", str(files[name])]
            tables = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
            parts += [f"## {title}", f"Measured by `python -m {module}`.", tables.strip()]
            if "commit" not in tables.lower():
                parts += [_circumstances(documents[name])]
    if "gpu.json" not in documents:
        parts += ["## On a GPU", NO_RECORD]
    for path in sorted(results.glob("*/report.md")):
        if path.parent.name not in REPORTS:  # which are made anew
            parts += [*_copied(path), _circumstances(documents.get(f"{path.parent.name}/results.json", {}))]
    for name, document in documents.items():
        if name not in TABLES | ELSEWHERE and "/" not in name:
            stem = name.removesuffix(".json")
            parts += [f"## {stem.replace('_', ' ').capitalize()}", *_own_tables(stem, document)]
            parts += [_circumstances(document)]
    parts += ["## All files", _overview(documents)]
    _write(folder / "results.md", "\n\n".join(parts) + "\n")


def _archive(documents, folder):
    document = documents.get("archive/results.json")
    if document is None:
        return []
    records = document["records"]
    write_archive_report(records, document["circumstances"], None, folder / "archive")
    mean, _ = accuracy_tables([record for record in records if "failure" not in record])
    mean = mean.dropna()
    of_kind = kinds(records)
    groups = {kind: [name for name in mean.index if of_kind[name] == kind] for kind in sorted(set(of_kind.values()))}
    header = ["", *(f"{len(names)} {kind}" for kind, names in groups.items()), f"all {len(mean)}"]
    rows = [
        [label, *(f"{mean.loc[names, label].mean():.4f}" for names in groups.values()), f"{mean[label].mean():.4f}"]
        for label in mean.columns
    ]
    return [
        "## Accuracy on the archive",
        "Mean test accuracy over data sets and seeds, default split, no setting for a single data set. "
        "[Every data set, ranks, tests, time and memory](archive/report.md). "
        "Measured by `python -m benchmarks.archive`.",
        markdown_table(header, rows),
        "![Mean ranks over all data sets](archive/figures/ranks-all-sets.svg)",
        _circumstances(document),
    ]


def _comparison(documents, folder):
    document = documents.get("hyena_vs_mha/results.json")
    if document is None:
        return []
    write_comparison(document["records"], document["circumstances"], folder / "hyena_vs_mha")
    report = (folder / "hyena_vs_mha" / "report.md").read_text()
    conclusion = report.partition("## Conclusion\n")[2].partition("\n## ")[0].strip()
    return [
        "## Hyena against attention",
        "[All tables and pictures](hyena_vs_mha/report.md). Measured by `python -m benchmarks.hyena_vs_mha --full`.",
        conclusion,
        "![Time and memory against the length of the sequence](hyena_vs_mha/figures/scaling.svg)",
        "![Skill and fidelity against the order](hyena_vs_mha/figures/skill.svg)",
        _circumstances(document),
    ]


def _copied(path):
    """Title, link and conclusion of a report that a benchmark wrote beside its records."""
    report = path.read_text()
    title = report.partition("\n")[0].lstrip("# ")
    conclusion = report.partition("## Conclusion\n")[2].partition("\n## ")[0].strip()
    return [f"## {title}", f"[All tables and pictures]({path.parent.name}/report.md).", *filter(None, [conclusion])]


def _own_tables(stem, document):
    """Tables as the speed benchmark of this name prints them, or those of a file of any form."""
    if stem not in OWN_TABLES or "results" not in document:
        return _any_tables(document)
    module = importlib.import_module(f"benchmarks.speed.{stem}")
    return [f"Measured by `python -m benchmarks.speed {stem}`.", module.table(document["results"])]


def _any_tables(document):
    """Tables of a file of any form: a row for each innermost group of figures."""
    rows = list(_rows(document.get("results", document), ()))
    columns = list(dict.fromkeys(column for _, figures in rows for column in figures))
    if not rows:
        return ["No figures."]
    shown = [[" / ".join(name), *(_shown(figures.get(column)) for column in columns)] for name, figures in rows]
    more = [f"The first {LARGEST_GENERIC} of {len(rows)} rows."] if len(rows) > LARGEST_GENERIC else []
    return [markdown_table(["", *columns], shown[:LARGEST_GENERIC]), *more]


def _rows(value, name):
    if isinstance(value, list):
        value = {str(k): item for k, item in enumerate(value)}
    groups = {key: item for key, item in value.items() if key not in ("circumstances", "versions")}
    figures = {key: item for key, item in groups.items() if _is_figure(item)}
    if figures and not {"commit", "python"} & set(figures):
        yield name, figures
    for key, item in groups.items():
        if not _is_figure(item) and isinstance(item, dict | list):
            yield from _rows(item, (*name, str(key)))


def _is_figure(item):
    simple = int | float | str | None
    return isinstance(item, simple) or (isinstance(item, list) and all(isinstance(one, int | float) for one in item))


def _shown(item):
    if isinstance(item, list):
        return f"{statistics.median(item):.4g} (median of {len(item)})" if item else ""
    if isinstance(item, float):
        return f"{item:.4g}"
    return "" if item is None else f"{item:,}" if isinstance(item, int) and not isinstance(item, bool) else str(item)


def _found_circumstances(value):
    """Every group of machine, versions and commit in a document, and the numbers of the settings beside it."""
    if isinstance(value, dict):
        if {"commit", "cpu", "versions"} <= set(value):
            yield value
            return
        for item in value.values():
            yield from _found_circumstances(item)


def _circumstances(document):
    """Sentences on the machine and the versions of each measurement."""
    sentences = {}
    for found in _found_circumstances(document):
        versions = ", ".join(f"{package} {version}" for package, version in found["versions"].items())
        settings = {name: found[name] for name in ("dtype", "threads", "repeat", "n_jobs") if name in found}
        told = "".join(f", {name} {value}" for name, value in settings.items())
        sentence = f"{found['cpu']}, {found['n_cpus']} CPUs{told}, Python {found['python']}, {versions}; commit"
        sentences.setdefault(sentence, []).append(f"{found['commit']}, {found['date'][:10]}")
    return "\n\n".join(f"{said} {'; '.join(dict.fromkeys(when))}." for said, when in sentences.items())


def _overview(documents):
    rows = []
    for name, document in documents.items():
        found = list(_found_circumstances(document))
        dates = sorted({one["date"][:10] for one in found})
        page = f"[{ELSEWHERE[name]}](../{ELSEWHERE[name]})" if name in ELSEWHERE else "here"
        commits = ", ".join(dict.fromkeys(str(one["commit"]) for one in found))
        pythons = ", ".join(sorted({one["python"] for one in found}))
        cpus = ", ".join(sorted({f"{one['cpu']}, {one['n_cpus']} CPUs" for one in found}))
        rows.append([f"`{name}`", page, commits, ", ".join(dates), cpus, pythons])
    return markdown_table(["file", "tables", "commit", "date", "machine", "Python"], rows)


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    write_results(ROOT / "benchmarks" / "results", Path(sys.argv[1]))
