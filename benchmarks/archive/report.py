"""What is written of a run: results.json, accuracy.csv, pictures and report.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from benchmarks.archive import figures
from benchmarks.archive.apart import LEAST_PROBABILITY
from benchmarks.archive.comparison import DIGITS, LEVEL, SHARE, Comparison, comparisons, wins_draws_losses
from benchmarks.archive.diagram import critical_difference
from benchmarks.archive.pipelines import is_ours, label
from benchmarks.archive.published import is_published
from benchmarks.archive.summary import accuracy_tables, cost_table, kinds, probability_table, time_and_accuracy
from benchmarks.measure import markdown_table
from benchmarks.study.files import write
from benchmarks.study.pages import run_facts, when
from benchmarks.study.pictures import plain_svg
from benchmarks.study.records import Record, write_results

TIMING = (
    "Each cell, a classifier on a data set with a seed, ran in a process of its own. Before it was timed, its code was "
    "warmed up by fit and predict on a few series of the same set, so that compiling is not in these times. Seconds "
    "are by the wall clock, in brackets of the processor; memory is what fit and predict took at most beyond the data "
    "and the libraries. Published figures have neither."
)


PADDING = (
    "Ours take shorter series padded with NaN. For aeon's classifiers each series repeats its last value up to the "
    "longest one, at least up to 10 points, and a value that is missing is the one before."
)


PROBABILITIES = (
    "Log loss, and Brier score summed over the classes, on the test parts; means over the data sets that all "
    "classifiers finished. The probabilities of a ridge classifier that has none are the softmax of its margins. "
    f"In the log loss probabilities are at least {LEAST_PROBABILITY:g}, so that a single vote of 0 does not decide it."
)


def write_report(
    records: Sequence[Record], about: Mapping[str, Any], published: pd.DataFrame | None, folder: Path
) -> None:
    """Write everything that is written of a run.

    Parameters
    ----------
    records : sequence of dict
        Of the cells, also of those that failed.
    about : mapping
        As `benchmarks.measure.circumstances` gives, with the settings as "config".
    published : DataFrame or None
        As `read_published` gives.
    folder : Path
        Where the files go.
    """
    write_results(records, about, folder)
    mean, spread = accuracy_tables(records)
    write(folder / "accuracy.csv", _wide(mean, spread).to_csv(float_format="%.6g"))
    everything = mean if published is None else mean.join(published.dropna(axis=1, how="all"), how="left")
    everything = everything.dropna(axis=1, how="all")
    ours = [label(name) for name in dict.fromkeys(record["pipeline"] for record in records) if is_ours(name)]
    ours = [name for name in ours if name in everything]
    found = comparisons(everything, kinds(records)) if len(everything) else []
    drawn = _pictures(records, everything, found, ours)
    for name, figure in drawn.items():
        write(folder / "figures" / f"{name}.svg", plain_svg(figure, name, figures.STYLE))
    parts = ["# Accuracy, time and memory on the archive", _facts(records, about), *_accuracies(mean, spread, records)]
    for comparison in found:
        parts += _compared(comparison, ours, drawn)
    parts += _probabilities(records)
    parts += ["## Set by set", *_links(name for name in drawn if name.startswith("scatter"))] if len(drawn) else []
    parts += ["## Time and memory", TIMING, *_costs(records), *_links(name for name in drawn if name == "time")]
    parts += [*_failures(records), "## What was run", _what(about, records)]
    write(folder / "report.md", "\n\n".join(parts) + "\n")


def picture_name(*words: str) -> str:
    """Name of a picture's file, without ending."""
    return "-".join(word.lower().replace(" ", "-") for word in words)


def _pictures(records, accuracy, found, ours):
    with matplotlib.rc_context(figures.STYLE):
        drawn = {picture_name("ranks", one.title): critical_difference(one, set(ours)) for one in found}
        for method in ours:
            drawn[picture_name("scatter", method)] = figures.scatter(accuracy, kinds(records), method)
        drawn["time"] = figures.accuracy_against_time(time_and_accuracy(records))
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _accuracies(mean, spread, records):
    """Section of the accuracy by data set, and of its means."""
    if not len(mean):
        return ["## Accuracy", "No cell is finished."]
    rows = [[name, *[_with_spread(mean.loc[name, one], spread.loc[name, one]) for one in mean]] for name in mean.index]
    kind_of, whole = kinds(records), mean.dropna()
    groups = {"all": list(whole.index)}
    for kind in sorted(set(kind_of.values())) if len(set(kind_of.values())) > 1 else []:
        groups[kind] = [name for name in whole.index if kind_of[name] == kind]
    means = [
        [f"mean, {kind} ({len(names)} set{'s' * (len(names) != 1)})", *_bold_best(whole.loc[names].mean())]
        for kind, names in groups.items()
        if names
    ]
    return [
        "## Accuracy",
        "Of the test part, mean and standard deviation over seeds. Means are over the data sets that all have.",
        *([] if all(is_ours(record["pipeline"]) for record in records) else [PADDING]),
        markdown_table(["data set", *mean.columns], rows),
        markdown_table(["", *mean.columns], means) if means else "No data set was finished by all.",
    ]


def _compared(comparison: Comparison, ours, drawn):
    """Section of a comparison."""
    parts = [f"## {comparison.title}", _shared(comparison)]
    if not len(comparison.accuracy.columns):
        return parts
    parts += _links(name for name in drawn if name == picture_name("ranks", comparison.title))
    accuracy = comparison.accuracy
    header = ["method", "mean accuracy", "mean rank", "best on"]
    best = accuracy.round(DIGITS).eq(accuracy.round(DIGITS).max(axis=1), axis=0).sum()
    rows = [
        [one, f"{accuracy[one].mean():.4f}", f"{comparison.mean_ranks[one]:.2f}", f"{best[one]}"] for one in accuracy
    ]
    parts.append(markdown_table(header, rows))
    if any(is_published(method) for method in accuracy):
        table = [[name, *_bold_best(accuracy.loc[name])] for name in accuracy.index]
        parts += ["Accuracy set by set:", markdown_table(["data set", *accuracy.columns], table)]
    rows_of = [method for method in ours if method in accuracy] or list(accuracy.columns)
    if len(accuracy.columns) > 1:
        rows = [[one, *[_score(accuracy, one, other) for other in accuracy]] for one in rows_of]
        parts += ["Wins/draws/losses of the row against the column:", markdown_table(["", *accuracy.columns], rows)]
        rows = [[one, *[_p_values(comparison, one, other) for other in accuracy]] for one in rows_of]
        n_pairs = len(accuracy.columns) * (len(accuracy.columns) - 1) // 2
        words = (
            "P-values of Wilcoxon's signed-rank test, with Holm's correction and, in brackets, without (number of "
            f"pairs: {n_pairs}). Bold: below {LEVEL:g}."
        )
        if (least := 2.0 ** (1 - len(accuracy))) > LEVEL / n_pairs:
            words += f" On {len(accuracy)} data sets none can be below {least:.2g} without correction: too few to tell."
        parts += [
            words,
            markdown_table(["", *accuracy.columns], rows),
        ]
    return parts


def _shared(comparison):
    n_sets, n_methods = len(comparison.accuracy), len(comparison.accuracy.columns)
    words = f"{n_sets} of {comparison.n_sets} data sets are shared by all {n_methods} methods shown."
    if comparison.left_out:
        names = "; ".join(comparison.left_out)
        words += f" Left out, since fewer than {SHARE:.0%} of the data sets would have remained: {names}."
    return words


def _costs(records):
    costs = cost_table(records)
    if not len(costs):
        return ["No data set was finished by all."]
    header = ["classifier", "fit s", "predict s", "features", "peak MiB", "largest peak MiB"]
    rows = [
        [
            name,
            f"{row['fit_seconds']:.3g} ({row['fit_cpu_seconds']:.3g})",
            f"{row['predict_seconds']:.3g} ({row['predict_cpu_seconds']:.3g})",
            "" if pd.isna(row["n_features"]) else f"{row['n_features']:,.0f}",
            f"{row['peak_mib']:,.0f}",
            f"{row['largest_mib']:,.0f}",
        ]
        for name, row in costs.iterrows()
    ]
    number = int(costs["n_sets"].iloc[0])
    words = f"Means over {number} data set{'s' * (number != 1)} that all classifiers finished; features: the median."
    return [words, markdown_table(header, rows)]


def _probabilities(records):
    scores = probability_table(records)
    if not len(scores):
        return []
    rows = [[name, f"{row['log_loss']:.3f}", f"{row['brier']:.3f}"] for name, row in scores.iterrows()]
    return ["## Probabilities", PROBABILITIES, markdown_table(["classifier", "log loss", "Brier score"], rows)]


def _failures(records):
    failed = [record for record in records if "failure" in record]
    if not failed:
        return []
    lines = [
        f"* {record['data_set']}, {label(record['pipeline'])}, seed {record['seed']}: {record['failure']}"
        for record in failed
    ]
    words = "The next run tries these again, those that took too long only with a larger --limit."
    return ["## Cells that failed", words, "\n".join(lines)]


def _facts(records, about):
    n_failed = sum("failure" in record for record in records)
    jobs = about["config"]["jobs"]
    threads = "one thread" if jobs == 1 else f"{jobs} threads"
    where = f"{when(records, about)}, {about['cpu']}, {threads}"
    return f"{len(records) - n_failed} cells finished, {n_failed} failed; {where}."


def _what(about, records):
    facts = run_facts(records, about, about["config"])
    return "\n".join(f"* {name}: {value}" for name, value in facts.items())


def _wide(mean, spread):
    columns = {}
    for method in mean:
        columns[f"{method} mean"], columns[f"{method} std"] = mean[method], spread[method]
    return pd.DataFrame(columns, index=mean.index).rename_axis("data_set")


def _with_spread(mean, spread):
    if pd.isna(mean):
        return ""
    return f"{mean:.4f}" if pd.isna(spread) else f"{mean:.4f} ± {spread:.4f}"


def _bold_best(values):
    best = values.round(DIGITS).max()
    return [f"**{value:.4f}**" if round(value, DIGITS) == best else f"{value:.4f}" for value in values]


def _score(accuracy, one, other):
    return "" if one == other else "/".join(map(str, wins_draws_losses(accuracy[one], accuracy[other])))


def _p_values(comparison, one, other):
    if one == other:
        return ""
    raw, corrected = comparison.p_values.loc[one, other], comparison.corrected.loc[one, other]
    words = f"{corrected:.2g} ({raw:.2g})"
    return f"**{words}**" if corrected < LEVEL else words


def _links(names):
    return [f"![{name}](figures/{name}.svg)" for name in names]
