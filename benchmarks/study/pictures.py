"""The look of pictures, and SVG of them for light and dark pages."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmarks.study.records import Record

INK, GRID = "#010203", "#b0b1b2"  # replaced by colours of the page
PALETTE = (  # the first six of Okabe and Ito
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8c6d46",
    "#7f7f80",
    "#882255",
    "#332288",
)
VARIABLES = {INK: "currentColor", GRID: "var(--grid)"} | {
    colour: f"var(--colour-{k + 1})" for k, colour in enumerate(PALETTE)
}
COLUMNS = 4  # of figures with many panels
LOOK: dict[str, Any] = {  # of all pictures
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
STYLE = LOOK | {  # of those that take the colours of a page
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Picture:
    """How a picture is drawn, its name, its title and what it shows."""

    name: str
    title: str
    caption: str
    draw: Callable[[Sequence[Record]], Figure | None]


def draw_all(pictures: Sequence[Picture], records: Sequence[Record]) -> dict[str, Figure]:
    """Every picture that there are records for, by name."""
    with matplotlib.rc_context(STYLE):
        drawn = {picture.name: picture.draw(records) for picture in pictures}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def plain_svg(figure: Figure, name: str, style: Mapping[str, Any] = STYLE) -> str:
    """SVG file on white; the same figure gives the same bytes."""
    with matplotlib.rc_context({**style} | {"svg.hashsalt": name}):
        file = io.StringIO()
        figure.savefig(file, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def svg(figure: Figure, name: str) -> str:
    """SVG element for a page that says ``currentColor``, ``--grid`` and ``--colour-1``, ... .

    Text stays text. All ids begin with the name, so that several fit on one page; the same figure gives the same bytes.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    return re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1), count=1
    )


def grid(n_rows: int, n_columns: int, height: float) -> tuple[Figure, Any]:
    """A figure as wide as a page, and its places, an array (n_rows, n_columns); height of a row in inches."""
    figure = Figure(figsize=(10, height * n_rows), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False)


def panels(n_panels: int, n_lines: int, height: float) -> tuple[Figure, Any]:
    """A figure, and its places, an array (n_lines, n_panels); a line continues below after `COLUMNS` panels."""
    n_columns = min(COLUMNS, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = grid(n_lines * n_rows, n_columns, height)
    lines = axes.reshape(n_lines, n_rows * n_columns)
    for place in lines[:, n_panels:].flat:
        place.remove()
    return figure, lines[:, :n_panels]


def with_legend(figure: Figure) -> Figure:
    """The same figure with one legend for all its places."""
    looks = {name: look for place in figure.axes for look, name in zip(*place.get_legend_handles_labels(), strict=True)}
    figure.legend(list(looks.values()), list(looks), loc="outside right center")
    return figure
