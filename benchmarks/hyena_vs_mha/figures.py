"""Pictures of a study."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED
from benchmarks.hyena_vs_mha.cost_table import cost_table, judged, rounded
from benchmarks.hyena_vs_mha.order_figures import errors_of_attention, skill_against_order
from benchmarks.hyena_vs_mha.students import CONTROL, EQUAL_WEIGHTS, HYENA
from benchmarks.hyena_vs_mha.summary import Record, mean_of_known, order_of, place_of, student_table, teacher_table
from benchmarks.hyena_vs_mha.tasks import ACCURACY
from benchmarks.similarity import MEASURES
from benchmarks.study.pictures import INK, PALETTE, Picture, draw_all, grid, panels, with_legend

MARKERS = {"S4D": "s", "GRU": "^", CONTROL: "x"}
OTHERS = {"S4D": PALETTE[2], "GRU": PALETTE[1], CONTROL: PALETTE[7]}
REFERENCES = {FUSED: INK, EXPLICIT: PALETTE[3]}


def similarity_maps(records: Sequence[Record]) -> Figure | None:
    """Linear CKA of each layer of the teacher with each of the student, means over seeds, the first data set."""
    students = [record for record in records if record["kind"] == "student" and record.get("layers")]
    if not students:
        return None
    data_set, objective = place_of(students[0])
    own = [record for record in students if place_of(record) == (data_set, objective)]
    names = _names(record["student"] for record in own)
    figure, lines = panels(len(names), 1, height=2.5)
    for place, name in zip(lines[0], names, strict=True):
        layers = np.array([record["layers"] for record in own if record["student"] == name], float).mean(axis=0)
        place.pcolormesh(layers, cmap="viridis", vmin=0, vmax=1, edgecolor="none")
        for (row, column), value in np.ndenumerate(layers):
            ink = "#ffffff" if value < 0.6 else "#000000"
            place.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)
        words = ["embedding", *[f"block {k}" for k in range(1, len(layers))]]
        place.set_xticks(np.arange(layers.shape[1]) + 0.5, words[: layers.shape[1]], fontsize=8)
        place.set_yticks(np.arange(len(layers)) + 0.5, words, fontsize=8, rotation=90, va="center")
        place.set(title=name)
        place.grid(visible=False)
        place.invert_yaxis()
    figure.supxlabel(f"layers of the student ({data_set}, {objective} teacher)", fontsize=10)
    figure.supylabel("layers of the teacher", fontsize=10)
    return figure


def measures(records: Sequence[Record]) -> Figure | None:
    """Every measure of similarity by student, and its level of chance."""
    rows = student_table(records)
    sets = list(dict.fromkeys(row["data_set"] for row in rows))
    if not rows:
        return None
    figure, lines = panels(len(sets), 1, height=3.0)
    for place, data_set in zip(lines[0], sets, strict=True):
        own = [row for row in rows if row["data_set"] == data_set]
        known = [name for name in MEASURES if any(not math.isnan(row[name][0]) for row in own)]
        names = _names(row["student"] for row in own)
        for k, student in enumerate(names):
            means = [mean_of_known(row[name][0] for row in own if row["student"] == student) for name in known]
            shift = (k - (len(names) - 1) / 2) * 0.08
            place.plot(means, np.arange(len(known)) + shift, ls="", ms=4.5, **_look(student, names))
        chances = [mean_of_known(row[f"{name}, chance"][0] for row in own) for name in known]
        place.plot(chances, np.arange(len(known)), ls="", marker="|", ms=22, mew=2, color=INK, label="chance")
        place.set_yticks(range(len(known)), known)
        place.set(title=data_set, xlim=(-0.1, 1.02))
        place.invert_yaxis()
    figure.supxlabel("similarity to the teacher, mean over teachers", fontsize=10)
    return with_legend(figure)


def pareto(records: Sequence[Record]) -> Figure | None:
    """Score against the time of a transform, and fidelity against the time of distillation."""
    rows, teachers = student_table(records), teacher_table(records)
    units = {row["data_set"]: row["unit"] for row in rows}
    if not rows:
        return None
    figure, lines = panels(len(units), 2, height=2.4)
    names = _names(row["student"] for row in rows)
    axes = (("transform_seconds", "score", "seconds of a transform"), ("seconds", "token_r2", "s of distillation"))
    for line, (x, y, x_label) in zip(lines, axes, strict=True):
        for place, (data_set, unit) in zip(line, units.items(), strict=True):
            for student in names:
                own = [row for row in rows if (row["data_set"], row["student"]) == (data_set, student)]
                if own:
                    means = [mean_of_known(row[figure_of][0] for row in own) for figure_of in (x, y)]
                    place.plot(*means, ls="", ms=6, **_look(student, names))
            own = [row for row in teachers if row["data_set"] == data_set]
            if y == "score" and own:
                means = [mean_of_known(row[figure_of][0] for row in own) for figure_of in (x, y)]
                place.plot(*means, ls="", marker="*", ms=10, color=INK, label="attention")
            of_score = "accuracy" if unit == ACCURACY else "bits per byte"
            label = of_score if y == "score" else "R2 of tokens"
            place.set(title=data_set, xlabel=x_label, ylabel=label, xlim=(0, None))
            if y == "score" and unit != ACCURACY:
                place.invert_yaxis()
    return with_legend(figure)


def scaling(records: Sequence[Record]) -> Figure | None:
    """Time and peak memory against the length of the sequence, with the length from which on Hyena is faster."""
    rows = [row for row in cost_table(records) if any(value > 0 for value in row["seconds"])]
    if not rows:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    names = _names(row["name"] for row in rows)
    figure, axes = grid(len(tasks), 2, height=3.2)
    for line, task in zip(axes, tasks, strict=True):
        own = [row for row in rows if row["task"] == task]
        for row in sorted(own, key=lambda row: names.index(row["name"])):
            look = _look(row["name"], names)
            seconds, low, high = (np.array(row[name]) for name in ("seconds", "low", "high"))
            line[0].errorbar(row["lengths"], seconds, [seconds - low, high - seconds], ms=4, capsize=2, **look)
            line[1].plot(row["lengths"], np.array(row["peak_bytes"]) / 2**20, ms=4, **look)
        line[0].set(title=f"{task.capitalize()}: seconds", xlabel="steps", ylabel="seconds")
        line[1].set(title=f"{task.capitalize()}: peak memory", xlabel="steps", ylabel="MiB")
        hyena = judged(own, task)
        start = hyena["crossover"].get(FUSED) if hyena else None
        if start and start > min(hyena["lengths"]):
            _mark(
                line[0], start, f"{hyena['name']} faster than\nfused attention from\nabout {rounded(start):,} steps on"
            )
        for place in line:
            place.set(xscale="log", yscale="log")
            ticks = own[0]["lengths"][:: 2 if len(own[0]["lengths"]) > 6 else 1]
            place.set_xticks(ticks, [_steps(length) for length in ticks])
            place.minorticks_off()
        line[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def training(records: Sequence[Record]) -> Figure | None:
    """Loss and norm of the gradient against the step, and the size of tokens by layer, for each student."""
    students = [record for record in records if record["kind"] == "student" and record["health"].get("step")]
    if not students:
        return None
    data_set, objective = place_of(students[0])
    own = [record for record in students if place_of(record) == (data_set, objective)]
    names = _names(record["student"] for record in own)
    figure, (places,) = grid(1, 3, height=3.2)
    for name in names:
        health = [record["health"] for record in own if record["student"] == name]
        look = _look(name, names) | {"marker": ""}
        n_steps = min(len(one["step"]) for one in health)
        for place, curve in zip(places, ("loss", "gradient_norm"), strict=False):
            means = np.mean([np.array(one[curve][:n_steps], float) for one in health], axis=0)
            place.plot(health[0]["step"][:n_steps], means, lw=1.2, **look)
        before, after = np.mean(np.array([one["signal"] for one in health], float), axis=0)
        places[2].plot(after, lw=1.2, **look)
        places[2].plot(before, lw=0.8, ls=":", **{key: look[key] for key in ("color", "marker")})
    places[0].set(title="Loss", xlabel="step", yscale="log")
    places[1].set(title="Norm of the gradient", xlabel="step", yscale="log")
    n_layers = len(own[0]["health"]["signal"][0])
    places[2].set(title="Size of tokens, dotted: at the start", ylim=(0, None))
    places[2].set_xticks(range(n_layers), ["embedding", *[f"block {k}" for k in range(1, n_layers)]])
    places[2].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"{data_set}, {objective} teacher, means over seeds", x=0.01, ha="left", fontsize=10)
    return figure


PICTURES = (
    Picture(
        "skill",
        "Fidelity against order",
        "Fraction of the variance of the teacher's tokens, unexplained by a student without mixing over time, that is "
        "explained (skill), on the test part, for teachers with a mixing gap. Bars: a standard deviation over seeds, "
        "if there are several.",
        skill_against_order,
    ),
    Picture(
        "attention",
        "Where students err",
        "Squared error of tokens of the Hyena of order 2, or of the lowest order, for teachers with a mixing gap, in "
        "five groups of equally many tokens, against three properties of the weights of attention at these tokens, "
        "means over heads, layers and seeds: their entropy, the mean distance to the tokens that are attended to, and "
        "by how much the weights differ from their mean over all inputs (total variation; 0 for weights that a fixed "
        "filter can have).",
        errors_of_attention,
    ),
    Picture(
        "measures",
        "Measures of similarity",
        "Similarity of the pooled tokens of student and teacher on test series, by seven measures that are 1 for "
        "representations that are equal up to a rotation. The bar in ink is the level of chance: the same for random "
        "pairings of series. SVCCA and PWCCA are left out where there are not more series than dimensions.",
        measures,
    ),
    Picture(
        "layers",
        "Layer by layer",
        "Linear CKA, debiased, of the tokens after each layer of the teacher (rows) and of the student (columns).",
        similarity_maps,
    ),
    Picture(
        "pareto",
        "What fidelity and scores cost",
        "First accuracy, or bits per byte on an axis that points downwards, on the test part against the time of a "
        "transform, then fidelity against the time of distillation. Means over teachers and seeds, processor time of "
        "one thread. Up and to the left is better.",
        pareto,
    ),
    Picture(
        "scaling",
        "Cost against length",
        "One mixer with its projections, sequences of width 64, float32, one thread. Times are medians of rounds in "
        "which all mixers take turns, with bars for the quartiles of 5 or more runs, or the lowest and the highest of "
        "fewer. Peak memory is measured in a process of its own for each mixer, beyond weights and input. Points that "
        "are missing ran out of time or memory, or were left out; the tables name the reason.",
        scaling,
    ),
    Picture(
        "training",
        "Training",
        "Loss, norm of the gradient before clipping, and root mean square of the tokens after each layer, before "
        "(dotted) and after training.",
        training,
    ),
)


def all_figures(records: Sequence[Record]) -> dict[str, Figure]:
    """Every picture that there are records for, by name."""
    return draw_all(PICTURES, records)


def _names(found):
    """Each name once, Hyenas by their order first, without those of equal weights if there are others."""
    found = list(found)
    wide = [name for name in found if not name.endswith(EQUAL_WEIGHTS)]
    found = wide if any(name.startswith(HYENA) for name in wide) else found
    return sorted(dict.fromkeys(found), key=lambda name: order_of(name) if name.startswith(HYENA) else math.inf)


def _look(name, names):
    """Colour, marker and label."""
    if name in REFERENCES:
        return {"color": REFERENCES[name], "marker": "*", "label": name}
    if name in OTHERS:
        return {"color": OTHERS[name], "marker": MARKERS[name], "label": name}
    hyenas = sorted((other for other in names if other.startswith(HYENA)), key=order_of)
    place = hyenas.index(name)
    shades = [PALETTE[k] for k in (5, 0, 4, 6, 8, 9)]
    return {"color": shades[place % len(shades)], "marker": "o", "label": name}


def _mark(place, start, words):
    """A dotted line at a length, and words below rising curves."""
    place.axvline(start, color=INK, lw=0.8, ls=":")
    place.text(0.98, 0.03, words, transform=place.transAxes, ha="right", va="bottom", fontsize=8).set_in_layout(False)


def _steps(length):
    return f"{length // 1024}k" if length % 1024 == 0 else str(length)
