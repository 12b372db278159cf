"""Who is better on how many data sets, and whether that may be chance: accuracies in, numbers out."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata, wilcoxon

from benchmarks.archive.published import is_published

DIGITS = 5  # of an accuracy; equal ones are a draw
SHARE = 0.75  # of the data sets, that must remain when a method is taken in
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Methods on the data sets that all of them have.

    Parameters
    ----------
    title : str
        Which data sets these are.
    accuracy : DataFrame
        Data sets by methods, without gaps, the method of the lowest mean rank first.
    n_sets : int
        Number of data sets before those were left out that not all methods have.
    left_out : tuple of str
        Methods with which too few data sets would have remained.
    """

    title: str
    accuracy: pd.DataFrame
    n_sets: int
    left_out: tuple[str, ...]

    @cached_property
    def mean_ranks(self) -> pd.Series:
        """Mean rank of each method."""
        return mean_ranks(self.accuracy)

    @cached_property
    def p_values(self) -> pd.DataFrame:
        """Of pairs of methods, as they are."""
        return p_values(self.accuracy)

    @cached_property
    def corrected(self) -> pd.DataFrame:
        """Those of all pairs, with Holm's correction."""
        matrix, (rows, columns) = self.p_values.to_numpy().copy(), np.triu_indices(len(self.p_values), 1)
        matrix[rows, columns] = matrix[columns, rows] = holm(matrix[rows, columns])
        return pd.DataFrame(matrix, self.p_values.index, self.p_values.columns)

    @cached_property
    def cliques(self) -> list[tuple[int, int]]:
        """First and last place of methods that do not differ; see `cliques`."""
        return cliques(self.corrected.to_numpy() < LEVEL)


def comparisons(accuracy: pd.DataFrame, kinds: Mapping[str, str]) -> list[Comparison]:
    """One over all data sets and, if there are sets of several kinds, one over those of each kind.

    Parameters
    ----------
    accuracy : DataFrame
        Data sets by methods, NaN where there is none; published methods last.
    kinds : mapping of str to str
        Data sets and their kinds.
    """
    chosen = {"All sets": list(accuracy.index)}
    found = sorted(set(kinds.values()))
    if len(found) > 1:
        for kind in found:
            chosen[f"{kind.capitalize()} sets"] = [name for name in accuracy.index if kinds[name] == kind]
    return [_compared(title, accuracy.loc[names]) for title, names in chosen.items()]


def shared(accuracy: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Methods to compare, and the data sets that all of them have.

    Methods are taken in one by one, those that were run first, then published ones, of these the ones with more data
    sets first. One with which fewer than 3/4 of the data sets would remain is not taken in.
    """
    counts = accuracy.notna().sum()
    order = sorted(accuracy.columns, key=lambda method: (is_published(method), -counts[method]))
    known = pd.Series(True, index=accuracy.index)
    methods: list[str] = []
    for method in order:
        remaining = known & accuracy[method].notna()
        if remaining.any() and remaining.sum() >= SHARE * len(accuracy):
            known, methods = remaining, [*methods, method]
    return [method for method in accuracy.columns if method in methods], list(accuracy.index[known])


def mean_ranks(accuracy: pd.DataFrame) -> pd.Series:
    """Mean over data sets of the rank of each method, 1 for the most accurate; those that draw share their ranks."""
    ranks = rankdata(-accuracy.round(DIGITS).to_numpy(), axis=1)
    return pd.Series(ranks.mean(axis=0), index=accuracy.columns)


def wins_draws_losses(ours: ArrayLike, theirs: ArrayLike) -> tuple[int, int, int]:
    """Number of data sets on which the first is better, equal and worse."""
    difference = np.round(np.asarray(ours, float), DIGITS) - np.round(np.asarray(theirs, float), DIGITS)
    return int((difference > 0).sum()), int((difference == 0).sum()), int((difference < 0).sum())


def p_values(accuracy: pd.DataFrame) -> pd.DataFrame:
    """P-values of Wilcoxon's two-sided signed-rank test of each pair of methods.

    Data sets on which both are equal are left out; where all are, p is 1.
    """
    values = accuracy.round(DIGITS)
    found = pd.DataFrame(1.0, index=accuracy.columns, columns=accuracy.columns)
    for one, other in itertools.combinations(accuracy.columns, 2):
        difference = (values[one] - values[other]).round(DIGITS).to_numpy()
        difference = difference[difference != 0]
        if len(difference):
            found.loc[one, other] = found.loc[other, one] = float(wilcoxon(difference).pvalue)
    return found


def holm(p_values: ArrayLike) -> NDArray[np.floating]:
    """P-values with Holm's correction: the k-th smallest of m times m - k + 1, at least the one before, at most 1."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected


def cliques(different: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last place of each largest run of methods, in the order of ranks, of which no two are different.

    A run of one is none. Since runs have no gaps, a bar over one never passes a method that differs from another
    under the bar.
    """
    found: list[tuple[int, int]] = []
    for first in range(len(different)):
        last = first
        while last + 1 < len(different) and not different[first : last + 1, last + 1].any():
            last += 1
        if last > first and not (found and found[-1][1] >= last):
            found.append((first, last))
    return found


def pairs(accuracy: pd.DataFrame, ours: Sequence[str]) -> list[tuple[str, str, pd.DataFrame]]:
    """Each of ours with each other method, and their accuracies on the data sets that both have."""
    found = []
    for one in ours:
        for other in accuracy.columns:
            if other != one and len(both := accuracy[[one, other]].dropna()):
                found.append((one, other, both))
    return found


def _compared(title, accuracy):
    methods, names = shared(accuracy)
    kept = accuracy.loc[names, methods]
    if methods:
        kept = kept[mean_ranks(kept).sort_values(kind="stable").index]
    left_out = tuple(method for method in accuracy.columns if method not in methods)
    return Comparison(title, kept, len(accuracy), left_out)
