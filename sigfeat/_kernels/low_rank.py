"""Plans for the compiled loops of low-rank iterated sums: which terms in which letters."""

import numpy as np

from sigfeat._kernels.low_rank_sums import ChainPooling, Chains, functional_values, learn_thresholds, pooled_functionals
from sigfeat._kernels.pooling import chosen_poolings
from sigfeat._kernels.simd.emitter import LANE_BYTES
from sigfeat._kernels.simd.rows import Data
from sigfeat._kernels.simd.semirings import semiring_code
from sigfeat._kernels.simd.statistics import MAX_THRESHOLDS as MAX_THRESHOLDS
from sigfeat._kernels.threads import over_series
from sigfeat.functionals import Functionals, n_parts
from sigfeat.semirings import SEMIRINGS, semiring_named

# A letter is a linear form, whose values may be negative.
LOW_RANK_SEMIRINGS = tuple(name for name, semiring in SEMIRINGS.items() if not semiring.non_negative)
LANES = LANE_BYTES // 4  # computed in float32, whatever the input


def chain_arrays(functionals: Functionals, n_channels: int) -> Chains:
    """Functionals as index arrays for the kernels; channels from n_channels on are differences."""
    n_lags = functionals.taps.shape[3]
    used = np.asarray(functionals.taps.any(axis=-1))  # (n_chains, depth, n_used)
    used[:, :, 0] = True  # the loops need a term
    rows = functionals.channels + n_channels * functionals.differenced[:, np.newaxis, np.newaxis]
    lags = (np.arange(n_lags) - n_lags // 2) * functionals.dilations[..., np.newaxis]
    lags = np.broadcast_to(lags[:, :, np.newaxis], functionals.taps.shape)
    n_terms = n_lags * used.sum(axis=-1).ravel()
    names, rates = functionals.semirings, functionals.decays.tolist()
    semirings = {name: semiring_named(name) for name in set(names)}
    codes = {name: semiring_code(semiring) for name, semiring in semirings.items()}
    return Chains(
        np.concatenate([[0], n_terms.cumsum()]),
        rows[used].repeat(n_lags),
        lags[used].ravel(),
        np.ascontiguousarray(functionals.taps[used], np.float32).ravel(),
        functionals.reach.ravel(),
        functionals.differenced,
        np.array([codes[name].kind for name in names]),
        np.array([codes[name].zero for name in names]),
        np.array([semirings[name].decay_factor(rate) for name, rate in zip(names, rates, strict=True)]),
    )


def chosen_columns(columns):
    """Pairs (name of the pooling, number of the threshold) as the loops take them."""
    return chosen_poolings([name for name, _ in columns]), np.array([q for _, q in columns])


def pooled_low_rank(series, lengths, functionals, pooling, *, shift, scale, n_threads, out):
    """Fill `out` with the pooled values of all parts of all chains; whether none is too large for float32.

    pooling = (columns, thresholds, n_fine, windows): columns are pairs (name, number of the threshold).
    """
    columns, thresholds, n_fine, windows = pooling
    poolings, of_columns = chosen_columns(columns)
    data, chains = Data(np.ascontiguousarray(series), lengths, shift, scale), chain_arrays(functionals, series.shape[1])
    how = ChainPooling(thresholds, poolings, of_columns, n_fine, windows)

    def work(rows):
        return pooled_functionals(data, rows, functionals.depth, chains, how, LANES, out)

    return all(over_series(work, lengths, LANES, n_threads))


def low_rank_thresholds(series, lengths, functionals, rows, fractions, *, shift, scale):
    """Quantiles `fractions`, (n_chains, n_parts, n_thresholds), of the values of series rows[i] for chain i."""
    data, chains = Data(np.ascontiguousarray(series), lengths, shift, scale), chain_arrays(functionals, series.shape[1])
    thresholds = np.zeros(fractions.shape, np.float32)
    learn_thresholds(data, rows, functionals.depth, chains, fractions, LANES, thresholds)
    return thresholds


def low_rank_values(series, lengths, functionals, *, shift, scale):
    """Values of all parts at each own time, (n_samples, n_chains, n_parts, n_timepoints), NaN after the end."""
    shape = len(series), functionals.n_chains, n_parts(functionals.depth), series.shape[2]
    out = np.full(shape, np.nan, np.float32)
    data, chains = Data(np.ascontiguousarray(series), lengths, shift, scale), chain_arrays(functionals, series.shape[1])
    functional_values(data, np.arange(len(series)), functionals.depth, chains, LANES, out)
    return out
