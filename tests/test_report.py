"""The report of Hyena against attention: tables, verdicts and sentences follow from the records."""

import functools
import operator
import re

import numpy as np
import pytest

from benchmarks.hyena_vs_mha.conclusion import conclusion
from benchmarks.hyena_vs_mha.figures import PICTURES
from benchmarks.hyena_vs_mha.report import write_report
from benchmarks.hyena_vs_mha.summary import shown, student_table, teacher_table
from benchmarks.similarity import MEASURES
from tests.cost_records import costs

CIRCUMSTANCES = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "cpu": "a processor",
    "n_cpus": 2,
    "system": "a system",
    "python": "3.11",
    "versions": {"torch": "2.13", "sigfeat": "0.1"},
    "config": {"orders": [1, 2], "seeds": 2},
}


def teacher(seed=0, accuracy=1.0, data_set="Motions", objective="supervised"):
    return {
        "kind": "teacher",
        "data_set": data_set,
        "objective": objective,
        "seed": seed,
        "n_train": 40,
        "n_test": 30,
        "n_channels": 6,
        "n_timepoints": 100,
        "seconds": 9.0,
        "transform_seconds": 0.02,
        "n_parameters": 70000,
        "accuracy": {"ridge": accuracy, "logistic": accuracy},
        "commit": "abc",
        "date": "2026-01-02T03:04:05+00:00",
    }


def student(name, token_r2, seed=0, accuracy=1.0, data_set="Motions", objective="supervised"):
    return {
        "kind": "student",
        "data_set": data_set,
        "objective": objective,
        "seed": seed,
        "student": name,
        "seconds": 20.0 + seed,
        "transform_seconds": 0.03,
        "n_parameters": 80000,
        "accuracy": {"ridge": accuracy, "logistic": 0.5},
        "agreement": {"ridge": 0.9, "logistic": 0.8},
        "fidelity": {"pooled_r2": token_r2 + 0.01, "token_r2": token_r2, "cosine": 0.99},
        "similarity": {measure: {"value": 0.9, "random": 0.1} for measure in MEASURES}
        | {"PWCCA": {"value": None, "random": None}},
        "layers": [[1.0, 0.5, 0.1], [0.5, 0.9, 0.6], [0.1, 0.5, 0.95]],
        "health": {
            "step": [1, 5, 10],
            "loss": [3.0, 2.0, 1.0],
            "gradient_norm": [9.0, 3.0, 1.0],
            "largest_gradient_norm": 10.0 + seed,
            "signal": [[1.0, 1.5, 2.0], [1.0, 2.0, 4.0]],
        },
    }


@pytest.fixture(scope="module")
def records():
    found = []
    for seed in range(2):
        found.append(teacher(seed))
        found += [
            student("Hyena order 1", 0.90 + 0.01 * seed, seed, accuracy=0.9),
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
    assert teacher_table(records)[0]["ridge"] == (1.0, 0.0)


def test_a_single_seed_has_no_spread():
    row = student_table([student("Hyena order 2", 0.9)])[0]
    assert row["token_r2"][0] == 0.9
    assert np.isnan([row["token_r2"][1], *row["token_skill"], row["lost"][0]]).all()
    assert shown(row["token_r2"]) == "0.900"
    assert shown((0.5, 0.25), 2) == "0.50 ± 0.25"
    assert shown((float("nan"), 1.0)) == ""


# ------------------------------------------------------------------------------------------------ sentences


def test_conclusion_of_orders(records):
    """Order 4 is .01 below order 2, more or less, and order 1 .07 with half a hundredth of spread."""
    first = conclusion(records)[0]
    assert first.startswith("Motions, supervised teacher: Hyena order 2 imitates attention best, and explains 0.970")
    assert "(skill over no mixing 0.940 ± 0.028). Orders below explain less than Hyena order 2, by 0.0650" in first
    assert "Higher" not in conclusion([record for record in records if record.get("student") != "Hyena order 4"])[0]
    assert "skill" not in conclusion([student("Hyena order 2", 0.9)])[0]


def orders(**token_r2):
    """Students of orders "one", "two", ... with a fidelity for each seed."""
    names = {"one": 1, "two": 2, "eight": 8}
    return [
        student(f"Hyena order {names[word]}", value, seed)
        for word, values in token_r2.items()
        for seed, value in enumerate(values)
    ]


def test_orders_are_compared_seed_by_seed():
    """Teachers differ far more than orders do, which are in the same order for each of them."""
    (first, *_) = conclusion(orders(one=(0.80, 0.90, 0.85), two=(0.81, 0.912, 0.861), eight=(0.805, 0.904, 0.855)))
    assert "Hyena order 2 imitates attention best" in first
    assert "Orders below explain less than Hyena order 2, by 0.0110 or more." in first
    assert "Higher orders explain less, too, by up to 0.0063 (Hyena order 8)." in first


def test_orders_that_cannot_be_told_apart():
    (first, *_) = conclusion(orders(one=(0.80, 0.90), two=(0.83, 0.89), eight=(0.84, 0.87)))
    assert "Hyena order 2 imitates attention best" in first
    assert "Hyena order 1 is not distinguishable from it with these seeds, and explains 0.850 ± 0.071" in first
    assert "Higher orders bring no gain beyond the spread over seeds." in first
    assert "less" not in first


def test_one_seed_tells_nothing_apart():
    said = " ".join(conclusion([*orders(one=(0.8,), two=(0.9,)), student("GRU", 0.95)]))
    assert (
        "Hyena order 2 imitates attention best, and explains 0.900 of the variance of its tokens; with one seed" in said
    )
    assert "Hyena loses to GRU, which explains 0.9500 of the variance" in said
    assert said.count("with one seed, this may be chance") == 2


def test_conclusion_says_where_hyena_loses(records):
    said = " ".join(conclusion(records))
    assert (
        "Hyena loses to GRU, which explains 0.9900 ± 0.0000 of the variance of the tokens (Hyena order 2: 0.97" in said
    )
    assert "it loses most, 0.100 ± 0.000, with Hyena order 1 on Motions, supervised teacher" in said
    assert "Distillation of Hyena order 2 takes 20 s of processor time, beside the 9 s" in said


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
    alone = " ".join(conclusion([student("Hyena order 2", 0.9)]))
    assert "linear CKA 0.90 (chance 0.10);" in alone


def test_hardest_and_easiest_teacher(records):
    hard = [
        student(name, value, seed, objective="masked")
        for name, value in (("Hyena order 2", 0.8), ("control", 0.6))
        for seed in range(2)
    ]
    said = " ".join(conclusion(records + hard))
    assert "lowest for Motions, masked teacher (Hyena order 2: 0.500 ± 0.000), and highest for Motions, superv" in said
    assert "Skill over no mixing is lowest" not in " ".join(conclusion(records))


def test_equal_accuracy_is_said_so():
    assert "is as accurate as on those of attention" in " ".join(conclusion([teacher(), student("Hyena order 2", 0.9)]))


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
            ("accuracy", "ridge"),
            ("transform_seconds",),
            ("similarity", "linear CKA", "random"),
        ),
        start=1,
    ):
        broken.append(student(f"Hyena order {order}", 0.9))
        within = functools.reduce(operator.getitem, way, broken[-1])
        within[last] = _without_numbers(within[last])
    write_report([teacher(), *broken], CIRCUMSTANCES, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"<td>(nan|None)</td>", text)
    assert text.count("<td>not finite</td>") == 3  # one gradient, tokens before and after training


def _without_numbers(value):
    return [_without_numbers(part) for part in value] if isinstance(value, list) else None
