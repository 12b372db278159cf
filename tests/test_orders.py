"""At which orders Hyena reproduces attention: mixing gaps, the lowest order that is enough, and sentences by hand."""

import math

import numpy as np
import pytest

from benchmarks.hyena_vs_mha.conclusion import conclusion
from benchmarks.hyena_vs_mha.order_tables import order_tables
from benchmarks.hyena_vs_mha.orders import REACHED, gap_table, order_sentences, orders_of
from benchmarks.hyena_vs_mha.summary import judged_hyena, student_table
from benchmarks.hyena_vs_mha.tasks import LEAST_GAP
from tests.study_records import both, skilled, student, teacher

PLACE = ("Motions", "supervised")
ONE, TWO, FOUR = "Hyena order 1", "Hyena order 2", "Hyena order 4"
EQUAL = ", equal weights"


def orders(skills, equal_weights=False):
    return orders_of(student_table(skilled(skills)), PLACE, equal_weights)


def said(skills):
    (sentence,) = order_sentences(skilled(skills))
    return sentence


# ----------------------------------------------------------------------------------------------------- gaps


def test_gaps_by_hand():
    records = [
        *both(0, 0.9, 0.3),
        *both(1, 0.8, 0.1),
        teacher(2, 0.1),  # its control is missing
        *both(0, 2.0, 0.5, unit="bits", data_set="text", objective="next token"),
        *both(0, 0.5, -0.2, data_set="Worse"),
        teacher(0, 0.9, data_set="Alone"),
    ]
    text, motions, worse, alone = gap_table(records)
    assert (text.place, motions.place) == (("text", "next token"), PLACE)
    assert text.gap[0] == pytest.approx(0.5)  # fewer bits are better
    np.testing.assert_allclose(motions.gap, (0.2, 0.2 / math.sqrt(2)))
    assert (motions.n_seeds, worse.n_seeds, alone.n_seeds) == (2, 1, 0)
    assert [gap.is_large for gap in (text, motions, worse, alone)] == [True, True, False, False]
    assert [gap.is_below for gap in (text, motions, worse, alone)] == [False, False, True, False]
    assert not alone.is_known


@pytest.mark.parametrize("unit", LEAST_GAP)
def test_the_least_gap(unit):
    for gap, expected in ((LEAST_GAP[unit] + 1e-6, True), (LEAST_GAP[unit] - 1e-6, False)):
        assert [one.is_large for one in gap_table(both(0, 0.5, gap, unit=unit))] == [expected]


@pytest.mark.parametrize("mixes", [True, False])
def test_a_score_that_is_not_finite_leaves_the_gap_unknown(mixes):
    records = [record | {"score": None} if record["mixes"] is mixes else record for record in both()]
    (gap,) = gap_table(records)
    assert [gap.is_known, gap.is_large, gap.is_below] == [False] * 3
    assert "The mixing gap is not known for Motions" in " ".join(conclusion(records))


# --------------------------------------------------------------------------------------------------- orders


def test_the_lowest_order_within_one_standard_error():
    found = orders({ONE: (0.90, 0.90), TWO: (0.938, 0.938), FOUR: (0.94, 0.96)})
    assert list(found.skills) == [1, 2, 4]
    assert (found.best, found.enough, found.n_seeds) == (4, 4, 2)  # .938 < .95 - .01
    assert found.error == pytest.approx(0.01)
    found = orders({ONE: (0.90, 0.90), TWO: (0.942, 0.942), FOUR: (0.94, 0.96)})
    assert (found.best, found.enough, found.matters) == (4, 2, True)
    assert orders({ONE: (0.942, 0.942), FOUR: (0.94, 0.96)}).matters is False


def test_one_seed_has_no_error():
    found = orders({ONE: (0.5,), TWO: (0.9,)})
    assert (found.best, found.enough, found.n_seeds) == (2, 2, 1)
    assert math.isnan(found.error)
    assert [found.is_compared, found.matters] == [False, False]


def test_only_seeds_that_all_orders_have_are_compared():
    """As in a study that was stopped: the second seed is easy, and order 1 does not have it."""
    found = orders({ONE: (0.6,), TWO: (0.5, 0.9)})
    assert (found.best, found.n_seeds, found.skills[2][0]) == (1, 1, pytest.approx(0.5))
    records = skilled({ONE: (0.6,), TWO: (0.5, 0.9)})
    apart = [r for r in records if r.get("student") != TWO or r["seed"] == 1]
    assert orders_of(student_table(apart), PLACE) is None


def test_equal_weights_have_the_student_of_order_2():
    skills = {ONE: (0.5,), TWO: (0.9,), FOUR: (0.95,), ONE + EQUAL: (0.7,), FOUR + EQUAL: (0.8,)}
    assert {order: mean for order, (mean, _) in orders(skills, True).skills.items()} == pytest.approx(
        {1: 0.7, 2: 0.9, 4: 0.8}
    )
    assert list(orders(skills).skills) == [1, 2, 4]
    assert orders({TWO: (0.9,)}, True) is None
    assert orders({"GRU": (0.9,)}) is None


def test_students_without_a_control_have_no_skill():
    assert orders_of(student_table([*both(), student(TWO, 0.9)]), PLACE) is None


def test_the_student_that_stands_for_hyena():
    assert judged_hyena([FOUR, TWO, ONE, "GRU"]) == TWO
    assert judged_hyena([FOUR, ONE + EQUAL, "Hyena order 10"]) == FOUR
    assert judged_hyena([TWO + EQUAL, "GRU"]) is None


# ------------------------------------------------------------------------------------------------ sentences

LOST = "The accuracy of the student of order 4 is equal to that of its teacher."


def test_order_matters():
    assert said({ONE: (0.80, 0.82), TWO: (0.88, 0.90), FOUR: (0.94, 0.96)}) == (
        "Motions: at equal width (2 seeds), order matters: order 4 (skill 0.95 ± 0.01) is best, whereas order 2 has "
        "0.89 ± 0.01. " + LOST
    )
    assert said({ONE: (0.80, 0.82), TWO: (0.942, 0.944), FOUR: (0.94, 0.96)}) == (
        "Motions: at equal width (2 seeds), order matters: order 2 is the lowest that is within one standard error of "
        "the best, order 4 (skill 0.95 ± 0.01), whereas order 1 has 0.81 ± 0.01. " + LOST
    )


def test_order_does_not_matter():
    assert said({ONE: (0.945, 0.945), TWO: (0.942, 0.944), FOUR: (0.94, 0.96)}) == (
        "Motions: at equal width (2 seeds), order does not matter: all of orders 1, 2, 4 are within one standard error "
        "of the best, order 4 (skill 0.95 ± 0.01). " + LOST
    )


def test_higher_orders_bring_no_gain():
    assert "higher orders bring no gain: order 1 (skill 0.95 ± 0.01) is best. The" in said(
        {ONE: (0.94, 0.96), TWO: (0.9, 0.9), FOUR: (0.7, 0.7)}
    )
    assert (
        "higher orders bring no gain: order 1 (skill 0.95 ± 0.00) is within one standard error of the best, order 2 "
        "(skill 0.95 ± 0.01)." in said({ONE: (0.945, 0.946), TWO: (0.94, 0.96), FOUR: (0.7, 0.7)})
    )


def test_one_seed_is_no_conclusion():
    words = said({ONE: (0.2,), TWO: (0.5,), "GRU": (0.9,)})
    assert words == (
        "Motions: at equal width (1 seed), the best of orders 1, 2 is order 2 (skill 0.50), which may be chance. The "
        "accuracy of the student of order 2 is equal to that of its teacher (1 seed)."
    )


def test_one_order_is_no_comparison():
    assert "at equal width (2 seeds), only order 2 (skill 0.90 ± 0.00) was trained. " in said({TWO: (0.9, 0.9)})


def test_no_order_reaches():
    skills = {ONE: (0.3, 0.3), TWO: (0.50, 0.52)}
    assert f"No order reaches a skill of {REACHED}. The" in said(skills)
    better = said(skills | {"GRU": (0.7, 0.8), "S4D": (0.6, 0.6)})
    assert f"No order reaches a skill of {REACHED}, but GRU has 0.75 ± 0.07. The accuracy of the student of " in better
    assert "reaches" not in said({ONE: (0.3, 0.3), TWO: (0.86, 0.86)})
    for alike in ((0.51, 0.52), (0.9,)):  # within one standard error; one seed
        assert "but" not in said(skills | {"GRU": alike})
    assert "reaches" not in said(skills | {ONE + EQUAL: (0.9, 0.9)})


def test_equal_weights_in_words():
    wide = {ONE: (0.5, 0.5), TWO: (0.94, 0.96)}
    assert said(wide | {ONE + EQUAL: (0.95, 0.95)}).startswith(
        "Motions: at equal width (2 seeds), order matters: order 2 (skill 0.95 ± 0.01) is best, whereas order 1 has "
        "0.50 ± 0.00; at equal weights (2 seeds), order does not matter: all of orders 1, 2 are within one standard "
        "error of the best, order "
    )
    assert ", so that the number of weights makes the difference, and not the order. The accuracy of the" in said(
        wide | {ONE + EQUAL: (0.95, 0.95)}
    )
    needed = said(wide | {ONE + EQUAL: (0.6, 0.6)})
    assert "; at equal weights (2 seeds), order matters: order 2 (skill 0.95 ± 0.01) is best, whereas" in needed
    assert "number of weights makes" not in needed
    unfinished = said(wide | {ONE + EQUAL: (0.99,)})
    assert "; at equal weights (1 seed), the best of orders 1, 2 is order 1 (skill 0.99), which may be chance" in (
        unfinished
    )
    assert "number of weights makes" not in unfinished


def test_only_equal_weights():
    words = said({ONE + EQUAL: (0.5, 0.5), TWO + EQUAL: (0.94, 0.96)})
    assert words.startswith("Motions: at equal weights (2 seeds), order matters: order 2")
    assert words.endswith("of order 2 at equal weights is equal to that of its teacher.")
    assert "width" not in words


@pytest.mark.parametrize(
    ("unit", "scores", "words"),
    [
        ("accuracy", (0.9, 0.9), "accuracy of the student of order 2 is 0.100 ± 0.000 below that of its teacher."),
        ("accuracy", (1.1, 1.1), "accuracy of the student of order 2 is 0.100 ± 0.000 above that of its teacher."),
        ("bits", (1.2, 1.4), "number of bits per byte of the student of order 2 is 0.300 ± 0.141 above that"),
        ("bits", (0.9, 0.9), "number of bits per byte of the student of order 2 is 0.100 ± 0.000 below that"),
        ("accuracy", (0.9, 1.1), "of order 2 is on average equal to (± 0.141) that of its teacher."),
        ("accuracy", (0.9, None), "of order 2 is 0.100 below that of its teacher (1 seed)."),
    ],
)
def test_differences_of_scores(unit, scores, words):
    records = skilled({ONE: (0.2, 0.2), TWO: (0.9, 0.9)}, unit=unit)
    for record in records:
        if record.get("student") == TWO:
            record["score"] = scores[record["seed"]]
    assert words in order_sentences(records)[0]


# --------------------------------------------------------------------------------------- tables, conclusion


def test_tables_of_orders():
    skills = {ONE: (0.80, 0.82), TWO: (0.88, 0.90), FOUR: (0.94, 0.96), ONE + EQUAL: (0.5, 0.5)}
    records = skilled(skills) + both(gap=0.01, data_set="Easy") + skilled({TWO: (0.5,)}, data_set="Single")
    tables = {table.title: table for table in order_tables(records)}
    assert list(tables) == [
        "Skill by order, equal width",
        "Skill by order, equal weights",
        "Teachers with a mixing gap",
        "Easy teachers, from which nothing is concluded",
    ]
    wide, equal, _, easy = tables.values()
    row = dict(zip(wide.header, wide.rows[0], strict=True))
    assert (row["teacher"], row["seeds"], row["order 2"], row["best"]) == ("Motions", "2", "0.89 ± 0.01", "4")
    assert (row["enough"], row["0.85 reached by"], row["score lost by the best"]) == ("4", "2", "0.000 ± 0.000")
    single = dict(zip(wide.header, wide.rows[1], strict=True))
    assert (single["order 1"], single["order 2"], single["enough"], single["0.85 reached by"]) == (
        "",
        "0.50",
        "",
        "none",
    )
    assert [row[0] for row in equal.rows] == ["Motions"]
    assert easy.rows == [["Easy", "accuracy", "1.000", "0.990", "0.010", "1"]]


def test_a_teacher_below_its_control_comes_first():
    records = skilled({TWO: (0.9, 0.9)}) + skilled({TWO: (0.9, 0.9)}, gap=-0.2, data_set="Bad")
    first, second, *rest = conclusion(records)
    assert first.startswith(
        "The teacher of Bad is worse than the same network without mixing (1.000 ± 0.000 against 1.2"
    )
    assert second == (
        "Teachers with a mixing gap of at least 0.1 in accuracy or 0.1 bits per byte: Motions (0.50 ± 0.00, 2 seeds). "
        "All sentences on students are based on these."
    )
    assert "Bad" not in " ".join(rest)


def test_nothing_is_concluded_without_a_gap():
    records = skilled({ONE: (0.1, 0.1), TWO: (0.9, 0.9), "GRU": (1.0, 1.0)}, gap=0.05)
    assert conclusion(records) == [
        "No teacher has a mixing gap of at least 0.1 in accuracy or 0.1 bits per byte. Nothing is concluded about "
        "students.",
        "On Motions, a network without mixing is about as good as attention, so that students of these teachers show "
        "little about mixing.",
    ]
    assert conclusion([record for record in records if record.get("mixes", True)]) == [
        "The mixing gap is not known for Motions, since there is no score of both networks. Nothing is concluded from "
        "students of these teachers."
    ]


def test_the_orders_over_all_teachers():
    matters, same = {ONE: (0.5, 0.5), TWO: (0.9, 0.9)}, {ONE: (0.9, 0.9), TWO: (0.9, 0.9)}
    records = [
        *skilled(matters, data_set="A"),
        *skilled(same, data_set="B"),
        *skilled({ONE: (0.4, 0.4), TWO: (0.6, 0.6)}, data_set="C"),
        *skilled({ONE: (0.99,), TWO: (0.2,)}, data_set="D"),  # one seed
    ]
    words = " ".join(conclusion(records))
    assert (
        "At equal width, the lowest order within one standard error of the best is order 1 for 1, order 2 for 2 of 3 "
        "teachers. At equal width, the skill of the best order is lowest for C (0.60 ± 0.00, 2 seeds), and highest for "
        "D (0.99, 1 seed)." in words
    )
    assert "highest for" not in " ".join(conclusion(skilled(same, data_set="A") + skilled(same, data_set="B")))


@pytest.mark.parametrize(
    ("correlations", "words"),
    [
        ((0.5, 0.6), "(+0.55 ± 0.07)"),
        ((-0.5,), "(-0.50)"),
        ((0.1, 0.1), ""),
        ((None, None), ""),
        ((0.9, -0.3), ""),  # it differs more from seed to seed
    ],
)
def test_correlations_with_attention(correlations, words):
    records = skilled({TWO: [0.9] * len(correlations), FOUR: [0.9] * len(correlations)})
    for record in records:
        if record.get("student") == TWO:
            for values in record["attention"].values():
                values["rank_correlation"] = correlations[record["seed"]]
    text = " ".join(conclusion(records))
    assert (
        f"Motions: the error of {TWO} at a token is correlated with the entropy of its weights {words}" in text
    ) == (words != "")
    assert text.count("rank correlations") == (words != "")
