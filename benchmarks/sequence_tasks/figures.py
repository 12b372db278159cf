"""Pictures of a study."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.sequence_tasks.summary import Record, chosen_rates, place_of, table
from benchmarks.sequence_tasks.tasks import TASKS
from benchmarks.sequence_tasks.training import SOLVED
from benchmarks.study.pictures import INK, PALETTE, Picture, draw_all, grid

LOOKS = {
    "Hyena order 1": (PALETTE[5], "o"),
    "Hyena order 2": (PALETTE[0], "o"),
    "Hyena order 3": (PALETTE[9], "o"),
    "S4D": (PALETTE[2], "s"),
    "S4 DPLR": (PALETTE[4], "D"),
    "GRU": (PALETTE[1], "^"),
    "attention": (INK, "*"),
}
FURTHER = (PALETTE[3], "o")  # Hyenas of other orders
OF_FILTERS = "previous bit"  # the task whose best filter is known: a tap at the lag
APART, ROOM = 0.018, 1.3  # share of an axis by which networks are moved apart; factor of room beside the sizes
NEVER = 1.6  # place of those that do not solve a task, in budgets


def accuracy(records: Sequence[Record]) -> Figure | None:
    """Accuracy on test sequences against length or lag, a panel for each task."""
    rows = table(records)
    figure, places = _panels(rows)
    for task, place in places.items():
        names, sizes = _networks(rows), _sizes_of(rows, task)
        for k, network in enumerate(names):
            own = [row for row in rows if (row["task"], row["network"]) == (task, network)]
            place.plot(_moved(own, k, sizes), [row["accuracy"][0] for row in own], ms=5, lw=1.3, **_look(network))
        chance = next(row["chance"] for row in rows if row["task"] == task)
        place.axhline(chance, color=INK, lw=0.9, ls=":")
        place.text(0.5, chance + 0.015, "chance", ha="center", fontsize=8, transform=place.get_yaxis_transform())
        place.set(ylim=(0, 1.07), ylabel="accuracy")
        _sizes(place, rows, task)
    return figure


def steps_to_solve(records: Sequence[Record]) -> Figure | None:
    """Steps to the first evaluation at .99 against length or lag; above the line: not within the budget."""
    rows = table(records)
    figure, places = _panels(rows)
    for task, place in places.items():
        budget = max(record["n_steps"] for record in records if record["task"] == task)
        names, sizes = _networks(rows), _sizes_of(rows, task)
        for k, network in enumerate(names):
            own = [row for row in rows if (row["task"], row["network"]) == (task, network)]
            steps = [row["steps_to_solve"] or NEVER * budget for row in own]
            place.plot(_moved(own, k, sizes), steps, ms=5, lw=1.3, **_look(network))
        place.axhline(budget, color=INK, lw=0.9, ls=":")
        place.set(yscale="log", ylabel="steps", ylim=(None, budget * NEVER**2))
        ticks = [tick for tick in (25, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= budget]
        place.set_yticks([*ticks, NEVER * budget], [*map(str, ticks), "never"])
        place.minorticks_off()
        _sizes(place, rows, task)
    return figure


def learning(records: Sequence[Record]) -> Figure | None:
    """Held-out accuracy against the step at the largest size of each task, the first seed."""
    rows = table(records)
    figure, places = _panels(rows)
    for task, place in places.items():
        largest = max(row["size"] for row in rows if row["task"] == task)
        for record in _chosen(records, task, largest):
            curve = record["curve"]
            look = _look(record["network"])
            place.plot(curve["step"], curve["accuracy"], lw=1.3, color=look["color"], label=look["label"])
            place.plot(curve["step"][-1], curve["accuracy"][-1], ms=5, color=look["color"], marker=look["marker"])
        place.axhline(SOLVED, color=INK, lw=0.9, ls=":")
        place.set(title=f"{_title(task)}, {TASKS[task].size} {largest}", xlabel="step", ylabel="accuracy")
        place.set(ylim=(0, 1.05), xlim=(0, None))
    return figure


def kernels(records: Sequence[Record]) -> Figure | None:
    """Taps of S4 before and after training."""
    return _filters(records, lambda name: name.startswith("S4"))


def hyena_filters(records: Sequence[Record]) -> Figure | None:
    """Taps of Hyena before and after training."""
    return _filters(records, lambda name: name.startswith("Hyena"))


PICTURES = (
    Picture(
        "accuracy",
        "Accuracy against length or lag",
        "Fraction of right answers on 1,000 fresh test sequences, means over seeds; networks are moved apart a little. "
        "Dotted: the best guess that does not look at the sequence.",
        accuracy,
    ),
    Picture(
        "steps",
        "Steps to solve",
        "Steps to the first evaluation on held-out sequences at .99 or above, the median over seeds. The dotted line "
        "is the budget; marks above it did not get there.",
        steps_to_solve,
    ),
    Picture(
        "learning",
        "Learning curves",
        "Accuracy on held-out sequences at the largest size, first seed. A training ends after three evaluations in a "
        "row at .99 (dotted); the mark is at its end.",
        learning,
    ),
    Picture(
        "kernels",
        "Kernels of S4 on the previous bit",
        "Taps by lag of the four channels, of both layers, that changed most in training, before (above) and after "
        "(below), first seed, largest lag. The dotted line is the lag that is asked for.",
        kernels,
    ),
    Picture(
        "filters",
        "Filters of Hyena on the previous bit",
        "The same of Hyena's implicit filters, of its last convolution in each layer. The tap at lag 0 by which tokens "
        "pass the filter is not drawn.",
        hyena_filters,
    ),
)


def all_figures(records: Sequence[Record]) -> dict[str, Figure]:
    """Every picture that there are records for, by name."""
    return draw_all(PICTURES, records)


def _panels(rows):
    """A figure with a panel for each task, and the legend below."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    if not tasks:
        return None, {}
    n_columns = min(3, len(tasks))
    figure, axes = grid(-(-len(tasks) // n_columns), n_columns, height=3.1)
    places = dict(zip(tasks, axes.flat, strict=False))
    for task, place in places.items():
        place.set(title=_title(task))
    for place in list(axes.flat)[len(tasks) :]:
        place.remove()
    looks = [_look(network) for network in _networks(rows)]
    lines = [Line2D([], [], ms=5, lw=1.3, **look) for look in looks]
    figure.legend(lines, [look["label"] for look in looks], loc="outside lower left", ncols=len(looks))
    return figure, places


def _filters(records, is_one):
    sizes = [record["size"] for record in records if record["task"] == OF_FILTERS and is_one(record["network"])]
    if not sizes:
        return None
    chosen = [record for record in _chosen(records, OF_FILTERS, max(sizes)) if is_one(record["network"])]
    figure, axes = grid(2, len(chosen), height=2.4)
    for record, column in zip(chosen, axes.T, strict=True):
        for place, moment in zip(column, ("before", "after"), strict=True):
            for k, taps in enumerate(record["filters"][moment]):
                place.plot(np.array(taps, float), lw=1.1, color=PALETTE[(0, 1, 2, 3)[k % 4]])
            place.axvline(record["size"], color=INK, lw=0.9, ls=":")
            place.set(title=f"{record['network']}, {moment}", xlim=(0, None))
        column[-1].set_xlabel("lag")
    for line in axes:
        line[0].set_ylabel("tap")
    return figure


def _chosen(records, task, size):
    """Records of the first seed at a size, at the rate that was chosen."""
    rates = chosen_rates(records)
    own = [record for record in records if (record["task"], record["size"]) == (task, size)]
    seed = min(record["seed"] for record in own)
    own = [record for record in own if record["seed"] == seed and record["lr"] == rates[task, size, record["network"]]]
    return sorted(own, key=lambda record: place_of(record["network"]))


def _networks(rows):
    return sorted(dict.fromkeys(row["network"] for row in rows), key=place_of)


def _look(network):
    colour, marker = LOOKS.get(network, FURTHER)
    return {"color": colour, "marker": marker, "label": network}


def _moved(rows, k, sizes):
    """Sizes, a little beside those of the network before."""
    width = ROOM**2 * max(sizes) / min(sizes)
    return [row["size"] * width ** (APART * (k - 3)) for row in rows]


def _sizes_of(rows, task):
    return sorted({row["size"] for row in rows if row["task"] == task})


def _sizes(place, rows, task):
    """An axis of the sizes, each with its number."""
    sizes = _sizes_of(rows, task)
    place.set(xscale="log", xlim=(sizes[0] / ROOM, sizes[-1] * ROOM))
    place.set_xticks(sizes, [str(size) for size in sizes])
    place.xaxis.minorticks_off()
    place.set_xlabel(TASKS[task].size)


def _title(task):
    return task[0].upper() + task[1:]
