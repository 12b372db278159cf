"""Every page of the guide does what it says."""

import re

import pytest

from sigfeat import classifiers
from tests.pages import GUIDE, ROOT, blocks, run

PAGES = sorted(GUIDE.glob("*.md"))
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_blocks_run_and_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(blocks(page))


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = LINK.findall(text)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_index_lists_every_page():
    tree = re.search(r"```\{toctree\}\n(.*?)```", (GUIDE / "index.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    listed = [line for line in tree.splitlines() if line and not line.startswith(":")]
    assert sorted(listed) == sorted(page.stem for page in PAGES if page.stem != "index")


PAGES_OF_ADVICE = ("README.md", "docs/guide/choosing.md", "docs/accuracy.md")
RECOMMENDATION = (
    "use sigfeat_classifier(): it weighs three views of a series that err on different data, so that noisy channels or "
    "an unsuitable view cost little. Use iss_classifier(), which is one of the three views, where a fit must take a "
    "fraction of a second."
)


@pytest.mark.parametrize(
    "text",
    [
        *(
            (ROOT / name).read_text(encoding="utf-8")
            for name in ("README.md", "docs/guide/choosing.md", "docs/accuracy.md")
        ),
        *(item.__doc__ for item in (classifiers, classifiers.sigfeat_classifier, classifiers.iss_classifier)),
    ],
    ids=["README", "choosing", "accuracy", "classifiers", "sigfeat_classifier", "iss_classifier"],
)
def test_there_is_one_recommendation(text):
    assert RECOMMENDATION in re.sub(r"[`*]", "", " ".join(text.split()))


@pytest.mark.slow
def test_readme_begins_with_lines_that_run():
    pytest.importorskip("sktime")
    first = [block for block in blocks(ROOT / "README.md") if block.heading in ("Ten lines", "A ready classifier")]
    page = run(first)
    assert page["search"].score(page["to_panel"](page["X_test"]), page["y_test"]) > 0.9
    assert (
        page["sigfeat_classifier"]().fit(page["X_train"], page["y_train"]).score(page["X_test"], page["y_test"]) > 0.95
    )
