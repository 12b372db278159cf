"""Series as rows of vectors, and running sums of rows over one block of time, one series per SIMD lane.

A *row* holds one word (or letter) over one block: `block_steps + 1` vectors, lanes innermost. A row of running
sums keeps the value before the block in slot 0 and the value at step t in slot t + 1 (backward: step t in slot
t, the value after the block in the last slot), so that strict and weak sums differ only in the slot at which
a parent is read. Within a block the sums run in the working dtype, from block to block in float64: float32
input loses no digits to the length of a series.
"""

from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.emitter import LANE_BYTES, Emitter, block_steps, operands
from sigfeat._kernels.simd.semirings import KINDS, REAL, REAL_DECAYED, emitted

CHAINS = 4  # running sums advanced together: enough to hide the latency of an addition


class Data(NamedTuple):
    """Series (n_samples, n_channels, n_timepoints), each read up to its own length, and how they are scaled."""

    series: np.ndarray
    lengths: np.ndarray
    shift: np.ndarray
    scale: np.ndarray


class Span(NamedTuple):
    """Numbers first, ..., first + n - 1."""

    first: int
    n: int


class Factors(NamedTuple):
    """For word w, row parent_of[w] of `parents` from `slot` on, and row letter_of[w] of `letters`."""

    parents: np.ndarray
    parent_of: np.ndarray
    slot: int
    letters: np.ndarray
    letter_of: np.ndarray


class Decay(NamedTuple):
    """Factors of the semiring: of one step for a sum and for its parent, and of the whole block for the sum."""

    own: float
    parent: float
    block: float


NO_DECAY = Decay(1.0, 1.0, 1.0)  # of the real semiring


class Sums(NamedTuple):
    """Row w of `running` has the running sums of word w, vector w of `state` its last value in float64."""

    state: np.ndarray
    running: np.ndarray


@compiled
def vectors(n_items, like):
    """Items of the dtype of `like`, not yet set, that start at a cache line: no vector straddles two."""
    spare = LANE_BYTES // like.itemsize
    items = np.empty(n_items + spare, like.dtype)
    first = -(items.ctypes.data // like.itemsize) % spare
    return items[first : first + n_items]


@compiled
def longest_of(members, lengths):
    """Length of the longest of some series."""
    longest = 0
    for i in members:
        longest = max(longest, lengths[i])
    return longest


@compiled
def pack_block(data, members, n_steps, block, padding, rows, lanes):
    """Write one block of up to `lanes` series to rows[channel, step, lane] as (x - shift) * scale.

    Series are aligned at their ENDS, n_steps being the longest; what lies in front of a shorter one is
    `padding`, the semiring's zero, which adds nothing to a sum.
    """
    series, lengths, shift, scale = data
    n_block = block_steps(lanes)
    rows[:] = padding
    for c in range(series.shape[1]):
        offset, factor = shift[c], scale[c]
        for lane in range(members.shape[0]):
            values, first = series[members[lane], c], n_steps - lengths[members[lane]]
            begin, end = max(first, block * n_block), min(n_steps, (block + 1) * n_block)
            place = (c * (n_block + 1) + begin - block * n_block) * lanes + lane
            for t in range(begin - first, end - first):
                rows[place] = (values[t] - offset) * factor
                place += lanes


@compiled
def multiply(span, factors, n_steps, product, lanes):
    """Write letter(t) * parent(t) to row w of `product` for the words of the span."""
    parents, parent_of, slot, letters, letter_of = factors
    row, n_items = (block_steps(lanes) + 1) * lanes, n_steps * lanes
    for w in range(span.first, span.first + span.n):
        parent, letter = parents[parent_of[w] * row + slot * lanes :][:n_items], letters[letter_of[w] * row :][:n_items]
        own = product[w * row :][:n_items]
        for item in range(n_items):
            own[item] = letter[item] * parent[item]


@intrinsic
def scan(typing_context, kind, span, factors, n_steps, decay, sums):
    """Advance the words of the span by one block; at most CHAINS, none the parent of another.

    y(t) = own y(t - 1) (+) parent p(t) (x) x(t), with the two factors of `decay`, the parent p and the letter x.
    """
    signature = types.void(types.intp, span, factors, types.intp, decay, sums)

    def codegen(context, builder, signature, args):
        kind, words, inputs, n_steps, rates, outputs = operands(context, builder, signature, args)
        emit = Emitter(builder, factors[factors.fields.index("letters")].dtype)
        decays = emit.splat(rates.own), emit.splat(rates.parent)

        def body(kind, n):
            places = [builder.add(words.first, emit.integer(s)) for s in range(n)]
            old = [emit.read(outputs.state, place, emit.wide) for place in places]
            parent_rows, letter_rows = _rows(emit, inputs, words.first, n)
            own_rows = [emit.row(outputs.running, place) for place in places]
            new = _advance(emit, kind, n, parent_rows, letter_rows, own_rows, *decays, old, n_steps)
            for s in range(n):
                value = emit.widen(new[s])
                if kind == REAL:
                    value = builder.fadd(old[s], value)
                if kind == REAL_DECAYED:
                    value = emit.fma(old[s], emit.splat(rates.block, emit.wide), value)
                emit.write(value, outputs.state, places[s])

        emit.choose((kind, words.n), ((*KINDS, REAL_DECAYED), range(1, CHAINS + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


def _rows(emit, inputs, first, n):
    """Places of the parents' rows and of the letters' rows of n words."""
    parents = emit.rows(inputs.parents, inputs.parent_of, first, n, inputs.slot)
    return parents, emit.rows(inputs.letters, inputs.letter_of, first, n)


def _advance(emit, kind, n, parents, letters, running, own_factor, parent_factor, old, n_steps):
    """Emit n running sums over one block.

    Returns what the block adds to the sums (real), or the sums themselves (others).
    """
    builder, (plus, times) = emit.builder, emitted(emit, kind)
    real, decayed = kind in (REAL, REAL_DECAYED), kind != REAL
    base = [emit.round(value) for value in old]
    for s in range(n):
        emit.write(base[s], running[s], emit.integer(0))

    def step(t, values):
        sums, bases = list(values[:n]), list(values[n:]) or base
        for s in range(n):
            parent, letter = emit.read(parents[s], t), emit.read(letters[s], t)
            if decayed:
                parent, sums[s] = times(parent, parent_factor), times(sums[s], own_factor)
            if kind == REAL_DECAYED:
                bases[s] = times(bases[s], own_factor)
            sums[s] = emit.fma(parent, letter, sums[s]) if real else plus(sums[s], times(parent, letter))
            value = builder.fadd(bases[s], sums[s]) if real else sums[s]
            emit.write(value, running[s], builder.add(t, emit.integer(1)))
        return sums + (bases if kind == REAL_DECAYED else [])

    initial = [emit.constant(0.0)] * n if real else base
    return emit.loop(n_steps, initial + (base if kind == REAL_DECAYED else []), step)[:n]


@intrinsic
def scan_back(typing_context, span, factors, n_steps, sums):
    """Advance words by one block against time, in the real semiring without decay; otherwise as `scan`."""
    signature = types.void(span, factors, types.intp, sums)

    def codegen(context, builder, signature, args):
        words, inputs, n_steps, outputs = operands(context, builder, signature, args)
        emit = Emitter(builder, factors[factors.fields.index("letters")].dtype)

        def body(_, n):
            places = [builder.add(words.first, emit.integer(s)) for s in range(n)]
            parent_rows, letter_rows = _rows(emit, inputs, words.first, n)
            own_rows = [emit.row(outputs.running, place) for place in places]
            old = [emit.read(outputs.state, place, emit.wide) for place in places]
            base = [emit.round(value) for value in old]
            for s in range(n):
                emit.write(base[s], own_rows[s], n_steps)

            def step(t, sums):
                new = []
                for s in range(n):
                    new.append(emit.fma(emit.read(letter_rows[s], t), emit.read(parent_rows[s], t), sums[s]))
                    emit.write(builder.fadd(base[s], new[s]), own_rows[s], t)
                return new

            new = emit.loop(n_steps, [emit.constant(0.0)] * n, step, backward=True)
            for s in range(n):
                emit.write(builder.fadd(old[s], emit.widen(new[s])), outputs.state, places[s])

        emit.choose((emit.integer(0), words.n), ((0,), range(1, CHAINS + 1)), body)
        return context.get_dummy_value()

    return signature, codegen
