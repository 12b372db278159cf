"""The report of Hyena against attention: tables, verdicts and sentences follow from the records."""

import functools
import operator
import re
import warnings

import numpy as np
import pytest

from benchmarks.hyena_vs_mha.conclusion import conclusion
from benchmarks.hyena_vs_mha.figures import PICTURES, all_figures
from benchmarks.hyena_vs_mha.report import write_report
from benchmarks.hyena_vs_mha.summary import shown, student_table, teacher_table
from tests.cost_records import costs
from tests.study_records import CIRCUMSTANCES, both, skilled, student, teacher


@pytest.fixture(scope="module")
def records():
    found = []
    for seed in range(2):
        found += both(seed)
        found += [
            student("Hyena order 1", 0.90 + 0.01 * seed, seed, score=0.9),
            student("Hyena order 2", 0.96 + 0.02 * seed, seed),
            student("Hyena order 4", 0.97, seed),
            student("GRU", 0.99, seed),
            student("control", 0.5, seed),
        ]
    return found + costs()


# -------------------------------------------------------------------------------------------------- tables


def test_means_and_spreads(records):
    rows = {row["student"]: row for row in student_table(records)}
    assert list(rows) == ["Hyena order 1", "Hyena order 2", "Hyena order 4", "GRU", "control"]
    row = rows["Hyena order 2"]
    assert row["n_seeds"] == 2
    np.testing.assert_allclose(row["token_r2"], (0.97, 0.02 / np.sqrt(2)))
    np.testing.assert_allclose(row["token_skill"], (0.94, 0.04 / np.sqrt(2)))  # 1 - .04 / .5 and 1 - .02 / .5
    np.testing.assert_allclose(row["pooled_skill"][0], 1 - 0.02 / 0.49)
    np.testing.assert_allclose(row["seconds"], (20.5, np.sqrt(0.5)))
    np.testing.assert_allclose(row["RSA, chance"], (0.1, 0), atol=1e-12)
    assert np.isnan(row["PWCCA"]).all()
    np.testing.assert_allclose(rows["Hyena order 1"]["lost"][0], 0.1)
    np.testing.assert_allclose(rows["control"]["token_skill"][0], 0)
    (of_teacher,) = teacher_table(records)  # without the networks that do not mix
    assert (of_teacher["score"], of_teacher["n_seeds"]) == ((1.0, 0.0), 2)
    assert row["by_seed"]["token_r2"] == {0: 0.96, 1: 0.98}
    assert row["by_seed"]["token_skill"] == pytest.approx({0: 0.92, 1: 0.96})


def test_fewer_bits_are_better():
    (row,) = student_table([*both(0, 2.0, unit="bits"), student("Hyena order 2", 0.9, score=2.5, unit="bits")])
    assert row["lost"][0] == pytest.approx(0.5)


def test_a_single_seed_has_no_spread():
    row = student_table([student("Hyena order 2", 0.9)])[0]
    assert row["token_r2"][0] == 0.9
    assert np.isnan([row["token_r2"][1], *row["token_skill"], row["lost"][0]]).all()
    assert shown(row["token_r2"]) == "0.900"
    assert shown((0.5, 0.25), 2) == "0.50 ± 0.25"
    assert shown((float("nan"), 1.0)) == ""


# ------------------------------------------------------------------------------------------------ sentences


def test_one_seed_is_said_to_be_chance():
    words = " ".join(conclusion(skilled({"Hyena order 1": (0.8,), "Hyena order 2": (0.9,), "GRU": (0.95,)})))
    assert "the best of orders 1, 2 is order 2 (skill 0.90), which may be chance" in words
    assert "Hyena loses to GRU, which explains 0.9500 of the variance" in words
    assert "1 seed; this may be chance" in words
    assert "matter" not in words


def test_conclusion_says_where_hyena_loses(records):
    said = " ".join(conclusion(records))
    assert (
        "Hyena loses to GRU, which explains 0.9900 ± 0.0000 of the variance of the tokens (Hyena order 2: 0.97" in said
    )
    assert "Distillation of Hyena order 2 takes 20 s of processor time, in addition to 9 s for the training" in said


def test_conclusion_says_nothing_that_does_not_hold(records):
    """No rival within the spread, no loss of memory or time where there is none."""
    close = [record for record in records if record.get("student") != "GRU"] + [
        student("GRU", 0.96 + 0.03 * seed, seed) for seed in range(2)
    ]
    quick = [record for record in close if record["kind"] != "cost"] + costs(1e4, 2.0)
    said = " ".join(conclusion(quick))
    assert "Hyena loses" not in said
    assert conclusion([]) == []


def test_similarity_is_said_beside_chance_and_the_control(records):
    said = " ".join(conclusion(records))
    assert "linear CKA 0.90 (chance 0.10, without mixing 0.90)" in said
    assert "alike" not in said
    alone = " ".join(conclusion([*both(), student("Hyena order 2", 0.9)]))
    assert "linear CKA 0.90 (chance 0.10);" in alone


EXTREMES = {
    "no gap": skilled({"Hyena order 2": (0.9, 0.9)}, gap=0.0),
    "below the control": skilled({"Hyena order 2": (0.9, 0.9)}, gap=-0.5),
    "no controls": [record for record in skilled({"Hyena order 2": (0.9, 0.9)}) if record.get("mixes", True)],
    "no students without mixing": [r for r in skilled({"Hyena order 2": (0.9,)}) if r.get("student") != "control"],
    "no students": both(),
    "only students": [student("Hyena order 2", 0.9), student("control", 0.5)],
    "only the networks without mixing": both()[1:],
    "no Hyena": skilled({"GRU": (0.9, 0.9), "S4D": (0.8, 0.9)}),
    "only equal weights": skilled({"Hyena order 1, equal weights": (0.9, 0.9), "Hyena order 4, equal weights": (0.8,)}),
    "one seed": skilled({"Hyena order 1": (0.9,), "Hyena order 2": (0.1,), "GRU": (0.5,)}),
    "nothing explained": skilled({"Hyena order 1": (-5.0, -9.0), "Hyena order 2": (-3.0, -3.0)}),
    "everything explained": skilled({"Hyena order 1": (1.0, 1.0), "Hyena order 2": (1.0, 1.0), "GRU": (1.0, 1.0)}),
    "a perfect control": [*both(), student("Hyena order 2", 1.0), student("control", 1.0)],
    "a failed teacher": [
        record for record in skilled({"Hyena order 2": (0.9, 0.9)}) if record["seed"] or "student" in record
    ],
    "several tasks": [
        record
        for k in range(6)
        for record in skilled({"Hyena order 1": (0.8, 0.9), "Hyena order 2": (0.9,)}, data_set=f"S{k}", unit="bits")
    ],
}
ON_STUDENTS = ("order ", "Hyena loses", "correlated", "Similarity", "Distillation")


@pytest.mark.parametrize("name", EXTREMES)
def test_the_conclusion_does_not_contradict_itself(name):
    sentences = conclusion(EXTREMES[name])
    words = " ".join(sentences)
    assert len(sentences) == len(set(sentences))
    assert not re.search(r"\b(nan|None)\b|  ", words)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)
    if "All sentences on students are based on these" not in words:
        assert not any(sentence.split(": ")[-1].startswith(ON_STUDENTS) for sentence in sentences)
    assert not ("order matters" in words and name == "one seed")
    for gap in ("No teacher has a mixing gap", "Nothing is concluded from its students"):
        if gap in words:
            assert "All sentences on students" not in words
    assert not ("is worse than the same network" in words and "about as good as attention" in words)


@pytest.mark.parametrize("name", EXTREMES)
def test_pages_of_extreme_records(name, undrawn, tmp_path):
    write_report(EXTREMES[name], CIRCUMSTANCES, tmp_path)
    assert not re.search(r"<td>(nan|None)</td>", (tmp_path / "report.html").read_text())


@pytest.mark.parametrize("name", EXTREMES)
def test_pictures_of_extreme_records(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = all_figures(EXTREMES[name])
    has_students = any(record["kind"] == "student" for record in EXTREMES[name])
    assert {"measures", "layers", "pareto", "training"} <= set(drawn) if has_students else not drawn
    assert ("skill" in drawn) == any(": at equal w" in sentence for sentence in conclusion(EXTREMES[name]))


# ---------------------------------------------------------------------------------------------------- pages


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without pictures, which take seconds."""
    monkeypatch.setattr("benchmarks.hyena_vs_mha.report.all_figures", lambda records: {})


def test_the_page_loads_no_other_file_and_has_the_figures_of_the_tables(records, tmp_path):
    write_report(records, CIRCUMSTANCES, tmp_path)
    text = (tmp_path / "report.html").read_text()
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    references = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert {reference[1:] for reference in references if reference.startswith("#")} <= set(ids)
    assert all(reference.startswith(("#", "data:")) for reference in references)
    assert not re.search(r"<(script|link|iframe)|@import|url\((?!#)", text)
    assert text.count("<svg") == len(PICTURES)
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {picture.name for picture in PICTURES}
    markdown = (tmp_path / "report.md").read_text()
    for words in ("0.970 ± 0.014", "no memory", "a processor", "torch 2.13", "1, 2"):
        assert words in text
        assert words in markdown


def test_names_are_escaped(undrawn, tmp_path):
    records = [teacher(data_set="<b>&"), student("Hyena order 2", 0.9, data_set="<b>&")]
    write_report(records, CIRCUMSTANCES, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text


@pytest.mark.parametrize("missing", ["teacher", "student", "cost", "control", "all"])
def test_parts_of_a_study(records, undrawn, tmp_path, missing):
    left = [record for record in records if missing not in (record["kind"], record.get("student")) and missing != "all"]
    write_report(left, CIRCUMSTANCES, tmp_path)
    assert ("Nothing was measured yet." in (tmp_path / "report.md").read_text()) == (missing == "all")


def test_values_that_are_not_finite(tmp_path):
    """They are None in the records, here another one for each student."""
    broken = []
    for order, (*way, last) in enumerate(
        (
            ("health", "largest_gradient_norm"),
            ("health", "loss"),
            ("health", "signal"),
            ("layers",),
            ("fidelity", "token_r2"),
            ("score",),
            ("attention", "entropy", "error"),
            ("attention", "distance", "rank_correlation"),
            ("transform_seconds",),
            ("similarity", "linear CKA", "random"),
        ),
        start=1,
    ):
        broken.append(student(f"Hyena order {order}", 0.9))
        within = functools.reduce(operator.getitem, way, broken[-1])
        within[last] = _without_numbers(within[last])
    write_report([*both(), *broken, student("control", 0.1)], CIRCUMSTANCES, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"<td>(nan|None)</td>", text)
    assert text.count("<td>not finite</td>") == 3  # one gradient, tokens before and after training


def _without_numbers(value):
    return [_without_numbers(part) for part in value] if isinstance(value, list) else None
