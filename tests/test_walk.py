"""The walk of a newcomer: CSV files in, scores out, by the very lines of the quick start."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sigfeat import to_panel
from sigfeat.classifiers import iss_classifier
from tests.pages import GUIDE, ROOT, blocks, run

PAGE = GUIDE / "quickstart.md"
FORMS = ("One file per series, folders as classes", "One file per series, classes in a table", "All series in one file")


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Series of three kinds, 15 each, in all three forms; a kind is the signs of two bumps, in their order."""
    rng, rows = np.random.default_rng(1), []
    for kind, (first, second) in {"up-down": (3, -3), "down-up": (-3, 3), "up-up": (3, 3)}.items():
        (tmp_path / "recordings" / kind).mkdir(parents=True)
        for i in range(15):
            length = rng.integers(40, 90)
            values = rng.normal(size=(length, 2)).round(3)
            values[rng.integers(3, 12) :][:6, 0] += first
            values[rng.integers(22, 32) :][:6, 0] += second
            series = pd.DataFrame(values, columns=["x", "y"])
            series.to_csv(tmp_path / "recordings" / kind / f"{i}.csv", index=False)
            rows.append(series.assign(time=np.arange(length), series=f"{kind}/{i}.csv", label=kind))
    order = rng.permutation(len(rows))
    pd.concat([rows[i] for i in order]).to_csv(tmp_path / "recordings.csv", index=False)
    table = pd.DataFrame({"file": [row["series"][0] for row in rows], "label": [row["label"][0] for row in rows]})
    table.iloc[order].to_csv(tmp_path / "labels.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "recordings"


def lines_for(form):
    return [block for block in blocks(PAGE) if block.heading == form]


@pytest.mark.parametrize("form", FORMS)
def test_csv_files_in_and_scores_out(recordings, form):
    scoring = next(block for block in blocks(PAGE) if block.heading == "Scores")
    loaded = run(lines_for(form))
    assert (len(loaded["X"]), len(loaded["y"])) == (45, 45)
    lengths = (
        {len(series) for series in loaded["X"]} if form != FORMS[2] else set(np.isnan(loaded["X"]).sum(axis=2)[:, 0])
    )
    assert len(lengths) > 5
    exec(compile(scoring.code, str(PAGE), "exec"), loaded)
    assert loaded["scores"].mean() > 0.9  # guessing: 1 / 3


def test_series_and_classes_stay_together(recordings):
    folders, table, long = (run(lines_for(form)) for form in FORMS)
    by_class = {}
    for X, y in ((folders["X"], folders["y"]), (table["X"], table["y"]), (long["X"], long["y"])):
        panel, y = to_panel(X), np.asarray(y)
        for kind in np.unique(y):
            rows = sorted(np.nan_to_num(panel[y == kind]).reshape((y == kind).sum(), -1).tolist())
            assert by_class.setdefault(kind, rows) == rows


def first_lines(file, change):
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")


WRONG = {
    "a missing value": (
        lambda lines: [*lines[:3], lines[3].split(",")[0] + ",", *lines[4:]],
        r"X must have no missing value inside a series .* series 3 .* channel 2 .* time 2 .* FillMissing",
    ),
    "a text": (
        lambda lines: [*lines[:3], lines[3].split(",")[0] + ",n/a?", *lines[4:]],
        "series 3 of X must hold real numbers: got 'n/a\\?' in column 'y'$",
    ),
    "a column of text": (
        lambda lines: [lines[0] + ",note", *(line + ",fine" for line in lines[1:])],
        "series 3 of X must hold real numbers: got 'fine' in column 'note'$",
    ),
    "another channel": (
        lambda lines: [lines[0].replace("y", "z"), *lines[1:]],
        r"must have the columns of the first, \['x', 'y'\], got \['x', 'z'\] in series 3$",
    ),
    "a channel too many": (
        lambda lines: [lines[0] + ",z", *(line + ",1.5" for line in lines[1:])],
        r"must have the columns of the first, \['x', 'y'\], got \['x', 'y', 'z'\] in series 3$",
    ),
    "no line": (lambda lines: lines[:1], "every series must have at least one value, but series 3 "),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_gives_one_clear_sentence(recordings, wrong):
    change, sentence = WRONG[wrong]
    first_lines(sorted(recordings.glob("*/*.csv"))[3], change)
    loaded = run(lines_for(FORMS[0]))
    with pytest.raises(ValueError, match=sentence) as error:
        iss_classifier().fit(loaded["X"], loaded["y"])
    assert "\n" not in str(error.value)


def test_the_page_quotes_what_is_said(recordings):
    said = []
    files = sorted(recordings.glob("*/*.csv"))
    whole = files[3].read_text(encoding="utf-8")
    for change, _ in WRONG.values():
        files[3].write_text(whole, encoding="utf-8")
        first_lines(files[3], change)
        said.append(message(**run(lines_for(FORMS[0]))))
    files[3].write_text(whole, encoding="utf-8")
    right = run(lines_for(FORMS[0]))
    said += [message(right["X"], right["y"][:-1]), message([], [])]
    quoted = re.findall(r"^\| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[1:]
    assert len(quoted) == 5
    for sentence in quoted:
        assert any(all(part.strip(" ,") in other for part in sentence.split("...")) for other in said), sentence


def message(X, y, **_):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        iss_classifier().fit(X, y)
    return str(error.value)


NOTHING_ELSE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "skorch", "iisignature", "sktime", "aeon", "dask", "matplotlib"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def test_the_walk_needs_no_extra(tmp_path):
    """What `pip install .` brings is enough: the whole page runs where nothing else can be imported."""
    command = [sys.executable, "-W", "error", "-c", NOTHING_ELSE + "".join(block.code for block in blocks(PAGE))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["accuracy 1.00, most frequent class 0.50", "['walk']"]


def environment():
    """Variables with which sigfeat is found from any folder."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def test_no_file_gives_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = run(lines_for(FORMS[0]))
    with pytest.raises(ValueError, match="X must hold at least one series"):
        iss_classifier().fit(loaded["X"], loaded["y"])
