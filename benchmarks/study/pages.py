"""Reports: an HTML page that loads no other file, and the same as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from benchmarks.measure import markdown_table
from benchmarks.study.files import write
from benchmarks.study.pictures import Picture, plain_svg, svg

HOLDS, PARTLY, FAILS = "holds", "holds in part", "does not hold"
UNKNOWN, NOT_JUDGED = "not measured", "not judged"
COLOURS = {HOLDS: "good", PARTLY: "middling", FAILS: "bad", UNKNOWN: "unknown", NOT_JUDGED: "unknown"}
TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclass(frozen=True)
class Verdict:
    """A claim, what it is compared with, whether it holds, and the figures in a sentence."""

    claim: str
    against: str
    verdict: str
    sentence: str


@dataclass(frozen=True)
class Table:
    """A table with a title."""

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Section:
    """Part of a report."""

    id: str
    title: str
    paragraphs: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    pictures: list[dict[str, str]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


def write_pages(title: str, facts: str, sections: Sequence[Section], folder: Path) -> None:
    """Write report.html and report.md."""
    environment = jinja2.Environment(autoescape=True, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text())
    write(folder / "report.html", template.render(title=title, sections=sections, facts=facts, colours=COLOURS))
    write(folder / "report.md", _markdown(title, sections, facts))


def write_pictures(pictures: Sequence[Picture], drawn: Mapping[str, Figure], folder: Path) -> dict[str, dict[str, str]]:
    """Write each picture as figures/NAME.svg, and return by name what a section takes."""
    for name, figure in drawn.items():
        write(folder / "figures" / f"{name}.svg", plain_svg(figure, name))
    return {
        picture.name: {
            "title": picture.title,
            "caption": picture.caption,
            "svg": svg(drawn[picture.name], picture.name),
        }
        for picture in pictures
        if picture.name in drawn
    }


def chosen(pictures: Mapping[str, dict[str, str]], *names: str) -> list[dict[str, str]]:
    """Pictures of these names, without those that were not drawn."""
    return [pictures[name] for name in names if name in pictures]


def when(records: Sequence[Mapping[str, Any]], circumstances: Mapping[str, Any]) -> str:
    """Day of the records, or the first and the last one."""
    dates = sorted({record["date"][:10] for record in records if record.get("date")})
    return " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else circumstances["date"][:10]


def run_facts(
    records: Sequence[Mapping[str, Any]], circumstances: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, str]:
    """Machine, commits, versions and settings.

    Versions are those of the records where they have them, otherwise those of the circumstances.
    """
    commits = sorted({record["commit"] for record in records if record.get("commit")})
    versions: dict[str, dict[str, None]] = {}
    for record in records:
        for name, version in record.get("versions", {}).items():
            versions.setdefault(name, {})[version] = None
    versions = versions or {name: {version: None} for name, version in circumstances["versions"].items()}
    facts = {
        "machine": f"{circumstances['cpu']}, {circumstances['n_cpus']} CPUs, {circumstances['system']}",
        "commit": ", ".join(commits) or str(circumstances["commit"]),
        "versions": ", ".join(
            [
                f"Python {circumstances['python']}",
                *[f"{name} {' and '.join(found)}" for name, found in versions.items()],
            ]
        ),
    }
    for name, value in settings.items():
        facts[name] = (", ".join(map(str, value)) if isinstance(value, list) else str(value)) or "none"
    return facts


def _markdown(title, sections, facts):
    parts = [f"# {title}", facts]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += section.paragraphs
        if section.sentences:
            parts.append("\n".join(f"* {sentence}" for sentence in section.sentences))
        if section.verdicts:
            lines = ["| claim | against | verdict | measured |", "|---|---|---|---|"]
            lines += [
                f"| {verdict.claim} | {verdict.against} | **{verdict.verdict}** | {verdict.sentence} |"
                for verdict in section.verdicts
            ]
            parts.append("\n".join(lines))
        for table in section.tables:
            parts += [f"### {table.title}", markdown_table(table.header, table.rows)]
        if section.facts:
            parts.append("\n".join(f"* {name}: {value}" for name, value in section.facts.items()))
    return "\n\n".join(parts) + "\n"
