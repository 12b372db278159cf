"""Pages of the site that lie elsewhere in the repository, or are made from measured results.

Links between Markdown files are written for the files' own places, so that they hold on a code host; here they are
turned into links of the site.
"""

import os
import re
from pathlib import Path

from results_page import write_results
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {  # file of the repository: page of the site
    "ARCHITECTURE.md": "generated/architecture.md",
    "CHANGELOG.md": "generated/changelog.md",
    "CONTRIBUTING.md": "generated/contributing.md",
    "SECURITY.md": "generated/security.md",
    "README.md": "index.md",
}
REPORTS = ROOT / "benchmarks" / "results"
PAGES |= {
    path.relative_to(ROOT).as_posix(): f"generated/{path.parent.name}/report.md" for path in REPORTS.glob("*/report.md")
}
RESULTS = re.compile(r"benchmarks/results/\w+\.json")  # all of which the page of results shows
MADE = ("index.md", "generated/archive/report.md", "generated/hyena_vs_mha/report.md")  # by hand, by their benchmarks
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def relinked(text, home, place):
    """Markdown whose relative links, written for the folder `home`, hold for a page in the folder `place`."""

    def turned(match):
        target = match[2]
        if re.match(r"\w+:", target):
            return match[0]
        path = (home / target).resolve()
        inside = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else None
        if inside in PAGES:
            path = DOCS / PAGES[inside]
        elif inside and RESULTS.fullmatch(inside):
            path = DOCS / "generated" / "results.md"
        elif not path.exists():
            return match[0]  # a page of the site without its ending, or a mistake, of which MyST tells
        elif path.is_dir():
            raise ValueError(f"a link must lead to a file, got {target} in {home}")
        return f"{match[1]}{os.path.relpath(path, place)}{match[3]}"

    parts = re.split(r"(^```.*?^```|`[^`\n]+`)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if k % 2 else LINK.sub(turned, part) for k, part in enumerate(parts))


def write_if_changed(path, text):
    """Write a page unless it is as it should be, so that Sphinx does not read it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def make_pages(app):
    """Copy the repository's pages, and make those of measured results."""
    logger = logging.getLogger(__name__)
    for source, page in PAGES.items():
        if page not in MADE:
            file = ROOT / source
            write_if_changed(DOCS / page, relinked(file.read_text(), file.parent, (DOCS / page).parent))
    logger.info("writing measured results from benchmarks/results ...")
    write_results(ROOT / "benchmarks" / "results", DOCS / "generated")


def read(app, docname, content):
    """Links of the pages in this folder."""
    path = Path(app.env.doc2path(docname))
    if path.suffix == ".md" and "generated" not in path.parts:
        content[0] = relinked(content[0], path.parent, path.parent)


def setup(app):
    """Add the listeners."""
    app.connect("builder-inited", make_pages, priority=100)
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
