"""Limits of iisignature, and the cost of preparing its logarithms."""

import math
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce
from typing import Any

from sigfeat.transformers._contract.memory import available_memory, gibibytes

MAX_COUNT = 2**31 - 1  # iisignature counts in 32 bits; larger counts make it write outside its arrays
WARN_SECONDS, MAX_SECONDS = 30, 3600  # time of a preparation
LARGE_LEVEL = 2**22  # entries; larger arrays are allocated anew each time
SECONDS_PER_ENTRY, SECONDS_PER_LARGE_ENTRY, SECONDS_PER_TERM = 4e-10, 6e-9, 6e-8  # measured, within a factor of 3
BYTES_PER_TERM, BYTES_PER_SQUARE, BYTES_PER_PAIR = 4, 10, 200  # measured, from above


def load_iisignature() -> Any:
    """Return the module iisignature; the ImportError explains how to install it."""
    try:
        import iisignature
    except ImportError as error:
        raise ImportError(
            "SignatureTransformer needs iisignature, which is built on installation: run "
            "`pip install numpy setuptools wheel`, then "
            "`pip install --no-build-isolation --no-cache-dir iisignature`"
        ) from error
    return iisignature


def check_limits(kind: str, n_channels: int, depth: int) -> None:
    """Raise a ValueError if iisignature cannot count the words, or cannot prepare the brackets in reasonable time.

    It computes n_channels ** (depth + 1) for signatures, and for logarithms of depth 3 and more, which it derives from
    whole signatures; for shallower logarithms it computes n_channels * (n_channels + 1).
    """
    if n_channels == 1:
        return
    if kind == "logsignature" and depth <= 2:
        _check_count("n_channels * (n_channels + 1)", n_channels * (n_channels + 1), kind, n_channels, depth)
        return
    exponent = (depth + 1) * math.log10(n_channels)  # the number itself may have too many digits
    count = n_channels ** (depth + 1) if exponent < 15 else f"about 1e{exponent:.0f}"
    _check_count("n_channels ** (depth + 1)", count, kind, n_channels, depth)
    if kind == "logsignature":
        seconds, size = preparation_cost(n_channels, depth)
        available = available_memory()
        if seconds > MAX_SECONDS or size > available:
            reason = (
                f"and at most {_duration(MAX_SECONDS)} are allowed"
                if seconds > MAX_SECONDS
                else f"but {gibibytes(available)} of memory are available"
            )
            raise ValueError(
                f"{_preparation(n_channels, depth)} would take about {_duration(seconds)} and {gibibytes(size)}, "
                f'{reason}: lower the depth, take fewer channels, or take kind="signature"'
            )


def check_points(n_channels: int, n_timepoints: int) -> None:
    """Raise a ValueError if iisignature cannot count the values of one series."""
    if n_channels * n_timepoints > MAX_COUNT:
        raise ValueError(
            f"n_channels * n_timepoints must be at most {MAX_COUNT} for SignatureTransformer because "
            f"iisignature counts in 32 bits, got {n_channels} * {n_timepoints}"
        )


@lru_cache(maxsize=16)
def prepared(n_channels: int, depth: int) -> tuple[str, Any]:
    """Prepare iisignature. The result cannot be pickled, so it is cached in the process and not in the estimator."""
    method = "A" if depth <= 2 else "S"
    if method == "S":
        seconds, size = preparation_cost(n_channels, depth)
        if seconds > WARN_SECONDS:
            warnings.warn(
                f"{_preparation(n_channels, depth)} takes about {_duration(seconds)} and {gibibytes(size)}, once in "
                'each process: lower the depth, take fewer channels, or take kind="signature"',
                UserWarning,
                stacklevel=2,
            )
    return method, load_iisignature().prepare(n_channels, depth, method)


@lru_cache(maxsize=16)
def preparation_cost(n_channels: int, depth: int) -> tuple[float, int]:
    """Approximate seconds and bytes that iisignature needs to prepare logarithms of depth 3 and more.

    Lyndon words that contain the same letters equally often form a group. For each group iisignature lists the terms of
    the brackets, and fills a square matrix and an array of the size of the whole level. All groups of one pattern, such
    as (2, 1) for the letters aab, cost the same.
    """
    seconds = size = 0.0
    n_words = {1: n_channels}
    for level in range(2, depth + 1):
        n_words[level] = 0
        of_entry = SECONDS_PER_ENTRY if n_channels**level <= LARGE_LEVEL else SECONDS_PER_LARGE_ENTRY
        for pattern in _patterns(level, n_channels):
            n_of_group = _count_lyndon(pattern)
            n_groups = _count_groups(pattern, n_channels)
            n_terms = n_groups * n_of_group * min(2 ** (level - 1), _multinomial(pattern))
            n_squares = n_groups * n_of_group**2
            n_words[level] += n_groups * n_of_group
            seconds += SECONDS_PER_TERM * (n_terms + n_squares)
            seconds += of_entry * n_groups * n_channels**level * (n_of_group > 1)
            size += BYTES_PER_TERM * n_terms + BYTES_PER_SQUARE * n_squares
        size += BYTES_PER_PAIR * sum(n_words[k] * n_words[level - k] for k in range(1, level))
    return seconds, math.ceil(size)


def _check_count(formula: str, count: int | str, kind: str, n_channels: int, depth: int) -> None:
    if isinstance(count, str) or count > MAX_COUNT:
        raise ValueError(
            f'{formula} must be at most {MAX_COUNT} for SignatureTransformer with kind="{kind}" because '
            f"iisignature counts in 32 bits, got {count} for n_channels={n_channels}, depth={depth}: lower the depth, "
            "or take fewer channels"
        )


def _preparation(n_channels: int, depth: int) -> str:
    return f'the preparation of kind="logsignature" with n_channels={n_channels}, depth={depth}'


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _patterns(total: int, n_parts: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """Ways to write `total` as a sum of at most `n_parts` positive numbers in descending order."""
    if total == 0:
        yield ()
    elif n_parts:
        for first in range(min(total, largest or total), 0, -1):
            for rest in _patterns(total - first, n_parts - 1, first):
                yield (first, *rest)


def _count_groups(pattern: tuple[int, ...], n_channels: int) -> int:
    """Count the choices of letters that have the numbers of occurrences in the pattern."""
    repeats = (pattern.count(number) for number in set(pattern))
    return math.perm(n_channels, len(pattern)) // math.prod(map(math.factorial, repeats))


def _count_lyndon(pattern: tuple[int, ...]) -> int:
    """Count Lyndon words whose letters have the numbers of occurrences in the pattern (Witt's formula)."""
    common = reduce(math.gcd, pattern)
    parts = (_moebius(k) * _multinomial([n // k for n in pattern]) for k in range(1, common + 1) if common % k == 0)
    return sum(parts) // sum(pattern)


def _multinomial(pattern: Sequence[int]) -> int:
    return math.factorial(sum(pattern)) // math.prod(map(math.factorial, pattern))


def _moebius(number: int) -> int:
    sign = 1
    for prime in range(2, number + 1):
        if number % prime == 0:
            number //= prime
            if number % prime == 0:
                return 0
            sign = -sign
    return sign
