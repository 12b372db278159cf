"""Costs in the report of Hyena against attention: medians and spreads, verdicts, sentences and tables."""

import math

import numpy as np
import pytest

from benchmarks.hyena_vs_mha.cost import EXPLICIT, FUSED
from benchmarks.hyena_vs_mha.cost_conclusion import losses, speed
from benchmarks.hyena_vs_mha.cost_report import cost_section
from benchmarks.hyena_vs_mha.cost_table import (
    Range,
    as_exponent,
    as_range,
    cost_table,
    crossover,
    growth_between,
    last_growth,
    range_of,
    ratios,
)
from benchmarks.hyena_vs_mha.figures import scaling
from benchmarks.hyena_vs_mha.verdicts import LINEAR, MEMORY, RULES, SPEED, verdicts
from benchmarks.study.pages import Section, write_pages
from tests.cost_records import LENGTHS, cost, costs


def verdict_of(records, claim, against):
    (found,) = [one for one in verdicts(records) if claim == one.claim and one.against == against]
    return found


def of_length(records, longest):
    return [record for record in records if record["length"] <= longest]


def said(records):
    rows = cost_table(records)
    return " ".join(speed(rows) + losses(rows))


# -------------------------------------------------------------------------------------------------- tables


def test_costs_by_length():
    rows = {(row["name"], row["task"]): row for row in cost_table(costs())}
    own, explicit = rows["Hyena order 2", "forward"], rows[EXPLICIT, "forward"]
    middle = 1e-3 * np.array(LENGTHS) / 16384
    np.testing.assert_allclose(own["seconds"], middle)  # medians
    np.testing.assert_allclose(own["low"], 0.98 * middle)
    np.testing.assert_allclose(own["high"], 1.03 * middle)
    assert own["growth"].exponent == pytest.approx(1)
    assert rows[FUSED, "forward"]["growth"].exponent == pytest.approx(2)
    assert own["crossover"][FUSED] == pytest.approx(16384 / 10)
    assert np.isnan(explicit["seconds"][-2:]).all()
    assert explicit["failures"] == {16384: "memory", 65536: "memory"}
    assert explicit["memory_growth"].exponent == pytest.approx(2)


def test_spreads_of_few_and_of_many_runs():
    assert range_of([3.0, 1.0, 9.0]) == (3, 1, 9, 3)
    assert range_of([1.0, 2.0, 3.0, 4.0, 50.0]) == (3, 2, 4, 5)


def test_ratios_are_those_of_the_same_round():
    """A moment in which both are slow changes no ratio, and a round of only one of them is left out."""
    own, other = {"runs": {8: [1.0, 5.0, 1.0]}}, {"runs": {8: [3.0, 15.0], 16: [1.0]}}
    assert ratios(own, other) == {8: (3, 3, 3, 2)}


def test_growth_by_hand():
    runs = {2: [1.0, 2.0, 4.0], 8: [8.0, 32.0, 128.0]}
    assert growth_between(runs, 2, 8) == pytest.approx((2, 8, 2, 0.5, 3.5))  # 32/2, 8/4 and 128/1
    assert last_growth({1: [9.0]} | runs) == growth_between(runs, 2, 8)
    assert last_growth({2: [1.0], 4: [0.0]}) is None
    assert as_exponent(growth_between(runs, 2, 8)) == "2.00 (0.50 to 3.50)"
    assert as_exponent(growth_between({2: [1.0], 4: [2.0]}, 2, 4)) == "1.00"


def test_ranges_in_words():
    assert as_range(Range(12.0, 10.0, 15.0, 3)) == "1/15 to 1/10 in 3 runs"
    assert as_range(Range(1.0, 0.5, 2.5, 5)) == "1/2.5 to 2 in 5 runs"
    assert as_range(Range(3.0, 3.0, 3.0, 2)) == "1/3 in 2 runs"
    assert as_range(Range(3.0, 3.0, 3.0, 1)) == "1 run"


def test_crossover_by_hand():
    # twice as slow at 100, half as slow at 400: equal halfway between the logarithms
    assert crossover([100, 400], [2, 3], [1, 6]) == pytest.approx(200)
    assert crossover([100, 400], [1, 6], [2, 3]) is None
    assert crossover([10, 20, 40], [1, 1, 1], [2, 2, 2]) == 10
    assert crossover([10, 20, 40], [2, 2, 2], [2, 2, 2]) is None
    assert crossover([10, 20, 40], [2, 2, 1], [2, 2, 2]) == pytest.approx(20)
    # the last crossing counts: eight times, then half as slow
    assert crossover([1, 2, 4, 64], [1, 1, 8, 1], [2, 2, 1, 2]) == pytest.approx(4 * 16 ** (3 / 4))
    assert crossover([7], [1], [2]) == 7
    assert crossover([], [], []) is None


def test_crossover_where_something_is_missing():
    nan = math.nan
    assert crossover([10, 100, 400, 800], [1, 2, 3, 1], [nan, 1, 6, nan]) == pytest.approx(200)
    assert crossover([10, 20, 40], [1, nan, 1], [nan, 1, 2]) == 40
    assert crossover([10, 20], [nan, 1], [1, nan]) is None


def test_tables_have_spreads_and_reasons():
    records = [*costs(), cost("GRU", 65536, "forward", None, None, failure="left out")]
    section = cost_section(records, [])
    times = {row[0]: row[1:] for row in section.tables[0].rows}
    assert times["Hyena order 2"][3] == "1 (0.98 to 1.03)"
    assert times[EXPLICIT][3:5] == ["no memory", "no memory"]
    assert times["GRU"][4] == "left out"
    assert "on 1 sequence of width 64" in section.paragraphs[0]
    assert section.paragraphs[1].endswith("\u201cGRU\u201d were left out at 65,536 steps and longer lengths.")
    assert cost_section([], []).tables == cost_section([], []).paragraphs == []


def test_the_picture_of_costs_has_bars():
    places = scaling(costs()).axes
    assert len(places) == 4
    assert len(places[0].containers) == 3
    assert scaling([]) is None


# ------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(5.0, "holds"), (4.9, "holds in part"), (1.3, "holds in part"), (1.2, "does not hold")],
)
def test_faster(ratio, expected):
    """At 65536 steps it is four times the ratio that it is at 16384."""
    found = verdict_of(costs(ratio_of_time=ratio), SPEED, "attention, fused, forward")
    assert found.verdict == expected
    assert found.sentence.startswith("Judged at 16,384 and 65,536 steps: Hyena order 2 takes ")
    assert f"1/{4 * ratio:.{0 if ratio > 2.5 else 1}f} in 3 runs) at 65,536 steps." in found.sentence


def test_faster_in_some_runs_holds_in_part():
    own = [cost("Hyena order 2", 8192, "forward", 1.0, 1, spread=(1.0, 1.0))]
    other = [cost(FUSED, 8192, "forward", 1.0, 1, spread=(4.8, 5.2))]
    found = verdict_of(own + other, SPEED, "attention, fused, forward")
    assert found.verdict == "holds in part"
    assert "takes 1/5 of the time (1/5.2 to 1/4.8 in 2 runs)." in found.sentence


def test_what_is_too_short_is_not_judged():
    found = verdict_of(of_length(costs(), 4096), SPEED, "attention, fused, training")
    assert found.verdict == "not judged"
    assert found.sentence == (
        "Not judged: needs lengths from 8,192 steps on; the longest measured with both is 4,096. Run with --full, or "
        "with more --lengths. At 4,096 steps, Hyena order 2 takes 1/2.5 of the time (1/2.5 in 3 runs)."
    )
    short = verdicts(of_length(costs(), 4096))
    assert len(short) == 10
    assert {one.verdict for one in short} == {"not judged"}


def test_faster_than_what_does_not_fit():
    found = verdict_of(costs(), SPEED, "attention, explicit, training")
    assert found.verdict == "not judged"
    assert "runs out of memory at 16,384 steps. More memory would be needed." in found.sentence
    without = [record | {"failure": "left out"} if "failure" in record else record for record in costs()]
    found = verdict_of(without, MEMORY, "attention, explicit, training")
    assert "is left out of this study at 16,384 steps. Run with --full" in found.sentence


@pytest.mark.parametrize(("ratio", "expected"), [(5.0, "holds"), (4.9, "does not hold"), (0.5, "does not hold")])
def test_less_memory(ratio, expected):
    found = verdict_of(costs(ratio_of_memory=ratio), MEMORY, "attention, fused, training")
    assert found.verdict == expected
    if ratio == 0.5:
        assert "needs 2 times the memory at 16,384 steps, 2 times the memory at 65,536 steps" in found.sentence


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(0.89, "not judged"), (0.98, "holds"), (1.2, "holds"), (1.23, "holds in part"), (1.7, "holds in part")]
    + [(1.8, "holds in part")],
)
def test_linear(exponent, expected):
    """The range is .036 to either side: log(1.03 / .98) / log(4)."""
    found = verdict_of(costs(exponent=exponent), LINEAR, "forward")
    assert found.verdict == expected
    assert found.sentence.startswith("Judged between 16,384 and 65,536 steps, from 3 and 3 runs: ")
    assert f"length^{exponent:.2f} ({exponent - 0.036:.2f} to {exponent + 0.036:.2f})" in found.sentence
    assert "operations, by formula, as length^1.00." in found.sentence
    assert "fused attention grows as length^2.00 (1.96 to 2.04) between 16,384 and 65,536 steps" in found.sentence
    assert ("fixed costs dominate" in found.sentence) == (exponent == 0.89)
    assert ("outgrow a cache" in found.sentence) == (expected == "holds in part")


@pytest.mark.parametrize(("exponent", "expected"), [(1.7, "holds in part"), (1.9, "does not hold")])
def test_linear_fails_only_at_all_steps(exponent, expected):
    lengths = (8192, 16384, 32768)
    quadratic = [cost("Hyena order 2", n, "forward", (n / 8192) ** exponent, 1, spread=(1.0,)) for n in lengths]
    assert verdict_of(quadratic, LINEAR, "forward").verdict == expected
    assert verdict_of(quadratic[1:], LINEAR, "forward").verdict == "holds in part"
    slower_at_first = [*quadratic[:1], *costs(exponent=1.0)]
    assert verdict_of(slower_at_first, LINEAR, "forward").verdict == "holds"


def test_linear_needs_two_long_lengths():
    found = verdict_of(of_length(costs(exponent=0.7), 16384), LINEAR, "training")
    assert found.verdict == "not judged"
    assert found.sentence == (
        "Not judged: needs two lengths from 8,192 steps on; only 16,384 was measured. Run with --full, or with more "
        "--lengths."
    )


def test_order_two_is_judged_and_else_the_lowest():
    found = costs() + [cost("Hyena order 1", length, "forward", 1e-9, 1) for length in LENGTHS]
    assert "Hyena order 2" in verdict_of(found, SPEED, "attention, fused, forward").sentence
    others = [record | {"name": record["name"].replace("order 2", "order 16")} for record in found]
    assert "Hyena order 1 " in verdict_of(others, SPEED, "attention, fused, forward").sentence


def test_no_verdict_without_costs():
    assert verdicts([]) == []
    assert "8,192" in RULES[0]


def test_verdicts_are_stacked_on_a_narrow_screen(tmp_path):
    write_pages("Costs", "", [Section("claims", "Claims", verdicts=verdicts(costs()))], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert text.count('<td data-label="measured">Judged ') == 6
    narrow = text[text.index("@media (max-width: 46rem)") :]
    assert ".words tr, .words td { display: block; min-width: 0; }" in narrow


# ------------------------------------------------------------------------------------------------ sentences


def test_sentences_have_the_ratios_of_the_verdicts():
    words = said(costs())
    assert "Forward, Hyena order 2 is faster than fused attention from about 1,600 steps on. At 65,536 steps" in words
    assert "it takes 1/40 of the time of fused attention (1/40 in 3 runs)." in words
    assert (
        "1/40 of the time (1/40 in 3 runs) at 65,536 steps"
        in verdict_of(costs(), SPEED, "attention, fused, forward").sentence
    )
    assert "Hyena loses on short sequences: forward, Hyena order 2 takes 6.4 times as long as fused" in words
    assert "Hyena loses in memory: training, Hyena order 2 needs 2 times the memory of fused attention" in words
    quicker = [cost("S4D", length, "training", 1e-3 * length / 16384 / 3, 1) for length in LENGTHS]
    words = said(costs() + quicker)
    assert "Hyena loses to S4D in time: training, S4D takes 1/3 of the time of Hyena order 2 at 65,536 steps" in words


def test_nothing_is_said_that_does_not_hold():
    assert "Hyena loses" not in said(costs(1e4, 2.0))
    assert "faster than fused attention at all lengths measured, from 256 steps on" in said(costs(1e4, 2.0))
    assert "faster than fused attention at no length measured" in said(costs(1e-4))
    assert said([]) == ""


def test_slower_in_some_runs_is_no_loss():
    own = [cost("Hyena order 2", 8192, "forward", 1.0, 1, spread=(1.0, 1.0))]
    other = [cost(FUSED, 8192, "forward", 1.0, 1, spread=(0.5, 1.1))]
    assert "Hyena loses" not in said(own + other)


def test_short_lengths_are_said_to_be_short():
    words = said(of_length(costs(), 4096))
    assert words.count("this is not a long sequence, and the claims about long ones are not judged here") == 4


def test_faster_in_between_only():
    own = [cost("Hyena order 2", length, "forward", 1.0, 1) for length in (256, 1024, 4096)]
    fused = [cost(FUSED, length, "forward", time, 1) for length, time in ((256, 0.5), (1024, 2.0), (4096, 0.8))]
    words = said(own + fused)
    assert "faster than fused attention at some lengths, but not at the longest. At 4,096 steps" in words
    assert "it takes 1.2 times as long as fused attention" in words
    assert "Hyena loses in time: forward, Hyena order 2 takes 2 times as long as fused attention at 256 steps" in words
