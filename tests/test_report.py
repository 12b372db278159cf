"""The report of Hyena against attention: tables, verdicts and sentences follow from the records."""

import functools
import itertools
import operator
import re

import numpy as np
import pytest

from benchmarks.hyena_vs_mha.conclusion import conclusion
from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED
from benchmarks.hyena_vs_mha.figures import PICTURES
from benchmarks.hyena_vs_mha.report import write_report
from benchmarks.hyena_vs_mha.summary import cost_table, shown, student_table, teacher_table
from benchmarks.hyena_vs_mha.verdicts import verdicts
from benchmarks.similarity import MEASURES

LENGTHS = (256, 1024, 4096, 16384, 65536)
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


def cost(name, length, task, seconds, peak):
    found = {"kind": "cost", "name": name, "length": length, "task": task, "n_parameters": 17000, "flops": 1e9}
    if seconds is None:
        return found | {"seconds": [], "peak_bytes": None, "failure": "memory"}
    return found | {"seconds": [seconds, 9 * seconds, seconds], "peak_bytes": peak}


def costs(ratio_of_time=10.0, ratio_of_memory=0.5, exponent=1.0):
    """Hyena of order 2, and fused attention that takes so many times its time and memory at 16384 steps."""
    found = []
    for length, task in itertools.product(LENGTHS, ("forward", "training")):
        own = 1e-3 * (length / 16384) ** exponent
        found.append(cost("Hyena order 2", length, task, own, 1e3 * length))
        fused = 1e-3 * ratio_of_time * (length / 16384) ** 2
        found.append(cost(FUSED, length, task, fused, 1e3 * ratio_of_memory * length))
        found.append(cost(EXPLICIT, length, task, 2 * fused if length <= 4096 else None, 100 * length**2))
    return found


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


def test_costs_by_length(records):
    rows = {(row["name"], row["task"]): row for row in cost_table(records)}
    own, explicit = rows["Hyena order 2", "forward"], rows[EXPLICIT, "forward"]
    np.testing.assert_allclose(own["seconds"], 1e-3 * np.array(LENGTHS) / 16384)  # medians
    assert own["exponent"] == pytest.approx(1)
    assert rows[FUSED, "forward"]["exponent"] == pytest.approx(2)
    assert own["crossover"][FUSED] == pytest.approx(16384 / 10)
    assert np.isnan(explicit["seconds"][-2:]).all()
    assert explicit["failures"] == {16384: "memory", 65536: "memory"}
    assert explicit["memory_exponent"] == pytest.approx(2)


# ------------------------------------------------------------------------------------------------- verdicts


def verdict_of(records, claim, against):
    (found,) = [one for one in verdicts(records) if claim in one.claim and one.against == against]
    return found


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(5.0, "holds"), (4.9, "holds in part"), (1.3, "holds in part"), (1.2, "does not hold")],
)
def test_faster(ratio, expected):
    """At 65536 steps it is four times the ratio that it is at 16384."""
    found = verdict_of(costs(ratio_of_time=ratio), "faster", "attention, fused, forward")
    assert found.verdict == expected
    assert "at 16,384 steps" in found.sentence
    assert "at 65,536 steps" in found.sentence


def test_faster_than_what_does_not_fit():
    found = verdict_of(costs(), "faster", "attention, explicit, training")
    assert found.verdict == "not measured"
    assert found.sentence == (
        "Hyena order 2 takes 1/5 of the time at 4,096 steps. Explicit softmax attention runs out of memory at 16,384 "
        "steps."
    )


@pytest.mark.parametrize(("ratio", "expected"), [(5.0, "holds"), (4.9, "does not hold"), (0.5, "does not hold")])
def test_less_memory(ratio, expected):
    found = verdict_of(costs(ratio_of_memory=ratio), "memory", "attention, fused, training")
    assert found.verdict == expected
    if ratio == 0.5:
        assert "needs 2 times the memory at 16,384 steps, 2 times the memory at 65,536 steps" in found.sentence


@pytest.mark.parametrize(("exponent", "expected"), [(1.1, "holds"), (1.5, "holds in part"), (1.8, "does not hold")])
def test_linear(exponent, expected):
    found = verdict_of(costs(exponent=exponent), "linear", "forward")
    assert found.verdict == expected
    assert f"length^{exponent:.2f}" in found.sentence
    assert "fused attention as length^2.00" in found.sentence


def test_order_two_is_judged_and_else_the_lowest():
    found = costs() + [cost("Hyena order 1", length, "forward", 1e-9, 1) for length in LENGTHS]
    assert "Hyena order 2" in verdict_of(found, "faster", "attention, fused, forward").sentence
    others = [record | {"name": record["name"].replace("order 2", "order 16")} for record in found]
    assert "Hyena order 1 " in verdict_of(others, "faster", "attention, fused, forward").sentence


def test_no_verdict_without_costs(records):
    assert verdicts([record for record in records if record["kind"] != "cost"]) == []
    short = [record for record in records if record["kind"] != "cost" or record["length"] < 8192]
    assert {one.verdict for one in verdicts(short) if "linear" not in one.claim} == {"not measured"}


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
    assert "Hyena loses on short sequences: forward, Hyena order 2 takes 6.4 times as long" in said
    assert "Hyena loses in memory: training, Hyena order 2 needs 2 times the memory" in said
    assert "Forward, Hyena order 2 is faster than fused attention from about 1,600 steps on, and takes 1/40" in said
    assert "Distillation of Hyena order 2 takes 20 s of processor time, beside the 9 s" in said
    quicker = [cost("S4D", length, "training", 1e-3 * length / 16384 / 3, 1) for length in LENGTHS]
    said = " ".join(conclusion(records + quicker))
    assert "Hyena loses to S4D in time: training, S4D takes 1/3 of the time of Hyena order 2 at 65,536 steps." in said


def test_conclusion_says_nothing_that_does_not_hold(records):
    """No rival within the spread, no loss of memory or time where there is none."""
    close = [record for record in records if record.get("student") != "GRU"] + [
        student("GRU", 0.96 + 0.03 * seed, seed) for seed in range(2)
    ]
    quick = [record for record in close if record["kind"] != "cost"] + costs(1e4, 2.0)
    said = " ".join(conclusion(quick))
    assert "Hyena loses" not in said
    assert "faster than fused attention at all lengths measured, from 256 steps on" in said
    assert "faster than fused attention at no length measured" in " ".join(conclusion(costs(1e-4)))
    assert conclusion([]) == []


def test_faster_in_between_only():
    own = [cost("Hyena order 2", length, "forward", 1.0, 1) for length in (256, 1024, 4096)]
    fused = [cost(FUSED, length, "forward", time, 1) for length, time in ((256, 0.5), (1024, 2.0), (4096, 0.8))]
    said = " ".join(conclusion(own + fused))
    assert "faster than fused attention at some lengths, but not at the longest, and takes 1.2 times as long" in said
    assert "Hyena loses in time: forward, Hyena order 2 takes 2 times as long as fused attention at 256 steps" in said


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
