"""Small matrices, one per SIMD lane: products, sums, and the star of a bilinear form.

A matrix is `rows * columns` vectors in row-major order at some place of a workspace, lanes innermost. A complex
matrix of side n is the upper half [Re, Im] of its real form [[Re, Im], [-Im, Re]] of side 2 n: as a right factor it
needs the lower half too (`complete`), as a left factor it does not, which makes a complex product cost four real ones.
Hence rows = columns = n for real and rows = n, columns = 2 n for complex matrices.
"""

import functools
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sigfeat._kernels.compiled import compiled
from sigfeat._kernels.simd.emitter import TILE, Emitter, operands

UNROLLED = 8  # sums that are advanced together where one of the factors is a scalar


class Shape(NamedTuple):
    """Rows and columns of a matrix, and lanes."""

    rows: int
    columns: int
    lanes: int


class Star(NamedTuple):
    """X*[e] = signs[e] X[places[e]] for the entries e of a matrix X; both empty where there is no star."""

    places: np.ndarray
    signs: np.ndarray


class Tile(NamedTuple):
    """Part of a product: the places of its first row in `left`, first column in `right`, and first entry in `out`.

    All three matrices have `columns` vectors a row; the entries of `out` are kept and added to if `keep`.
    """

    left: int
    right: int
    out: int
    columns: int
    n_rows: int
    n_columns: int
    keep: bool


class Block(NamedTuple):
    """Vectors of `data` from `place` on; n says how many."""

    data: np.ndarray
    place: int
    n: int


class Weights(NamedTuple):
    """Rows of numbers, of `pitch` items, from item `first` on."""

    values: np.ndarray
    first: int
    pitch: int


@intrinsic
def _add_product_tile(typing_context, work, tile):
    """out[i, j] = keep * out[i, j] + sum_k left[i, k] right[k, j] for a tile of at most TILE x TILE."""
    signature = types.void(work, tile)

    def codegen(context, builder, signature, args):
        data, part = operands(context, builder, signature, args)
        emit = Emitter(builder, work.dtype)
        a, b, c = (emit.skip(data, place) for place in (part.left, part.right, part.out))

        def body(m, n):
            offsets = [builder.mul(part.columns, emit.integer(r)) for r in range(m)]
            zero = emit.constant(0.0)

            def place(e):
                return builder.add(offsets[e // n], emit.integer(e % n))

            def step(k, sums):
                x = [emit.read(a, builder.add(offsets[r], k)) for r in range(m)]
                row = builder.mul(part.columns, k)
                y = [emit.read(b, builder.add(row, emit.integer(s))) for s in range(n)]
                return [emit.fma(x[e // n], y[e % n], sums[e]) for e in range(m * n)]

            initial = [builder.select(part.keep, emit.read(c, place(e)), zero) for e in range(m * n)]
            for e, total in enumerate(emit.loop(part.columns, initial, step)):
                emit.write(total, c, place(e))

        sides = range(1, TILE + 1)
        emit.choose((part.n_rows, part.n_columns), (sides, sides), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _weighted_tile(typing_context, weights, source, target):
    """target[s] = sum_j weights[s, j] source[j] for at most UNROLLED sums s."""
    signature = types.void(weights, source, target)

    def codegen(context, builder, signature, args):
        table, terms, sums_of = operands(context, builder, signature, args)
        emit = Emitter(builder, source[source.fields.index("data")].dtype)
        w = builder.gep(table.values, [table.first])
        x, y = emit.skip(terms.data, terms.place), emit.skip(sums_of.data, sums_of.place)

        def body(_, n):
            starts = [builder.mul(emit.integer(s), table.pitch) for s in range(n)]

            def step(j, sums):
                value = emit.read(x, j)
                new = []
                for s in range(n):
                    weight = builder.load(builder.gep(w, [builder.add(starts[s], j)]))
                    new.append(emit.fma(emit.splat(weight), value, sums[s]))
                return new

            for s, total in enumerate(emit.loop(terms.n, [emit.constant(0.0)] * n, step)):
                emit.write(total, y, emit.integer(s))

        emit.choose((emit.integer(0), sums_of.n), ((0,), range(1, UNROLLED + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _spread(typing_context, weights, source, target, keep):
    """target[s] = keep * target[s] + sum_j weights[s, j] source[j] for at most UNROLLED terms j."""
    signature = types.void(weights, source, target, types.boolean)

    def codegen(context, builder, signature, args):
        table, inputs, sums_of, keep = operands(context, builder, signature, args)
        emit = Emitter(builder, source[source.fields.index("data")].dtype)
        w = builder.gep(table.values, [table.first])
        x, y = emit.skip(inputs.data, inputs.place), emit.skip(sums_of.data, sums_of.place)

        def body(_, n):
            terms, zero = [emit.read(x, emit.integer(j)) for j in range(n)], emit.constant(0.0)

            def step(s, _):
                row = builder.mul(s, table.pitch)
                total = builder.select(keep, emit.read(y, s), zero)
                for j in range(n):
                    weight = builder.load(builder.gep(w, [builder.add(row, emit.integer(j))]))
                    total = emit.fma(emit.splat(weight), terms[j], total)
                emit.write(total, y, s)
                return []

            emit.loop(sums_of.n, [], step)

        emit.choose((emit.integer(0), inputs.n), ((0,), range(1, UNROLLED + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _norm_bounds(typing_context, steps, weights, n_terms, n_steps, out):
    """out[t] = largest finite value over the lanes of sum_j weights[j] |steps[t, j]|, above 0 beside others."""
    index = types.intp
    signature = types.void(steps, weights, index, index, out)

    def codegen(context, builder, signature, args):
        x, w, n_terms, n_steps, y = operands(context, builder, signature, args)
        emit = Emitter(builder, steps.dtype)
        kind = "f32" if emit.itemsize == 4 else "f64"
        vector, scalar = emit.narrow, emit.narrow.element

        def known(name, result):
            name = f"llvm.{name}.v{emit.lanes}{kind}"
            return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [vector]), name)

        size, largest = known("fabs", vector), known("vector.reduce.fmax", scalar)
        truth, wide = ir.IntType(1), functools.partial(ir.Constant, ir.DoubleType())
        truths = ir.FunctionType(truth, [ir.VectorType(truth, emit.lanes)])
        name = f"llvm.vector.reduce.and.v{emit.lanes}i1"
        all_true = cgutils.get_or_insert_function(builder.module, truths, name)

        def at(t, _):
            row = emit.skip(x, builder.mul(t, n_terms))

            def step(j, sums):
                weight = emit.splat(builder.load(builder.gep(w, [j])))
                return [emit.fma(builder.call(size, [emit.read(row, j)]), weight, sums[0])]

            (total,) = emit.loop(n_terms, [emit.constant(0.0)], step)
            finite = builder.fcmp_ordered("<", total, ir.Constant(vector, [float("inf")] * emit.lanes))
            value = builder.call(largest, [builder.select(finite, total, emit.constant(0.0))])
            value = builder.fpext(value, ir.DoubleType()) if emit.itemsize == 4 else value
            least = builder.select(builder.call(all_true, [finite]), wide(0.0), wide(1e-30))
            value = builder.select(builder.fcmp_ordered(">", value, least), value, least)
            builder.store(value, builder.gep(y, [t]))
            return []

        emit.loop(n_steps, [], at)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _add_outer_rows(typing_context, left, right, out):
    """out[s, e] += left[s] * right[e] for at most UNROLLED rows s and all entries e."""
    signature = types.void(left, right, out)

    def codegen(context, builder, signature, args):
        rows, entries, c = operands(context, builder, signature, args)
        emit = Emitter(builder, out.dtype)
        a, b = emit.skip(rows.data, rows.place), emit.skip(entries.data, entries.place)

        def body(_, n):
            x = [emit.read(a, emit.integer(s)) for s in range(n)]

            def step(e, _):
                y = emit.read(b, e)
                for s in range(n):
                    place = builder.add(builder.mul(entries.n, emit.integer(s)), e)
                    emit.write(emit.fma(x[s], y, emit.read(c, place)), c, place)
                return []

            emit.loop(entries.n, [], step)

        emit.choose((emit.integer(0), rows.n), ((0,), range(1, UNROLLED + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _mix(typing_context, work, out, n, places, weights):
    """out[e] = sum of weights[i] work[places[i] + e] for n entries, weights being float64."""
    index = types.intp
    signature = types.void(work, index, index, places, weights)

    def codegen(context, builder, signature, args):
        data, out, n, places, weights = operands(context, builder, signature, args)
        emit = Emitter(builder, work.dtype)
        y = emit.skip(data, out)
        terms = [emit.skip(data, place) for place in cgutils.unpack_tuple(builder, places)]
        factors = [emit.splat(weight) for weight in cgutils.unpack_tuple(builder, weights)]

        def step(e, _):
            total = builder.fmul(factors[0], emit.read(terms[0], e))
            for factor, term in zip(factors[1:], terms[1:], strict=True):
                total = emit.fma(factor, emit.read(term, e), total)
            emit.write(total, y, e)
            return []

        emit.loop(n, [], step)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _add_star(typing_context, work, source, target, n, star, own, other):
    """target[e] = own source[e] + other signs[e] source[places[e]] for n entries; target and source differ."""
    index = types.intp
    signature = types.void(work, index, index, index, star, work.dtype, work.dtype)

    def codegen(context, builder, signature, args):
        data, source, target, n, starred, own, other = operands(context, builder, signature, args)
        emit = Emitter(builder, work.dtype)
        x, y = emit.skip(data, source), emit.skip(data, target)
        own, other = emit.splat(own), emit.splat(other)

        def step(e, _):
            weight = builder.fmul(other, emit.splat(builder.load(builder.gep(starred.signs, [e]))))
            value = emit.read(x, builder.load(builder.gep(starred.places, [e])))
            emit.write(emit.fma(own, emit.read(x, e), builder.fmul(weight, value)), y, e)
            return []

        emit.loop(n, [], step)
        return context.get_dummy_value()

    return signature, codegen


@compiled
def multiply(work, left, right, out, shape, keep=False):
    """out = left @ right, or out += left @ right if `keep`; the three places differ, `right` is made complete."""
    rows, columns, lanes = shape
    complete(work, right, shape)
    row_tiles, column_tiles = -(-rows // TILE), -(-columns // TILE)
    for i in range(row_tiles):
        r = i * rows // row_tiles
        n_rows = (i + 1) * rows // row_tiles - r
        for j in range(column_tiles):
            c = j * columns // column_tiles
            n_columns = (j + 1) * columns // column_tiles - c
            place = r * columns
            tile = Tile(left + place, right + c, out + place + c, columns, n_rows, n_columns, keep)
            _add_product_tile(work, tile)


@compiled
def complete(work, place, shape):
    """Write the lower half [-Im, Re] behind the upper half [Re, Im] of a complex matrix."""
    rows, columns, lanes = shape
    if rows == columns:
        return
    half = rows * lanes
    for i in range(rows):
        upper = (place + i * columns) * lanes
        lower = upper + rows * columns * lanes
        for item in range(half):
            work[lower + item] = -work[upper + half + item]
            work[lower + half + item] = work[upper + item]


@compiled
def weighted_sums(weights, source, i, target, k):
    """target[k + s] = sum_j weights[s, j] source[i + j], the weights being scalars."""
    n_sums, n_terms = weights.shape
    if n_terms <= n_sums:
        for j in range(0, n_terms, UNROLLED):
            terms = Block(source, i + j, min(UNROLLED, n_terms - j))
            _spread(Weights(weights, j, n_terms), terms, Block(target, k, n_sums), j > 0)
        return
    for s in range(0, n_sums, UNROLLED):
        sums = Block(target, k + s, min(UNROLLED, n_sums - s))
        _weighted_tile(Weights(weights, s * n_terms, n_terms), Block(source, i, n_terms), sums)


@compiled
def norm_bounds(steps, weights, n_steps, out):
    """out[t] = largest over the lanes of sum_j weights[j] |steps[t, j]|."""
    if n_steps > 0:
        _norm_bounds(steps, weights, weights.shape[0], n_steps, out)


@compiled
def add_outer(left, i, n_left, right, j, n_right, out, lanes):
    """out[s, e] += left[i + s] * right[j + e]."""
    for s in range(0, n_left, UNROLLED):
        rows = Block(left, i + s, min(UNROLLED, n_left - s))
        _add_outer_rows(rows, Block(right, j, n_right), out[s * n_right * lanes :])


@compiled
def mix(work, out, shape, places, weights):
    """out = sum of weights[i] times the matrix at places[i], entry by entry; `out` may be one of them."""
    _mix(work, out, shape.rows * shape.columns, places, weights)


@compiled
def scale(work, place, shape, factor):
    """Multiply a matrix by a number."""
    _mix(work, place, shape.rows * shape.columns, (place,), (factor,))


@compiled
def copy(work, source, target, shape):
    """Copy a matrix."""
    _mix(work, target, shape.rows * shape.columns, (source,), (1.0,))


@compiled
def add_identity(work, place, shape, weight):
    """Add weight times the identity to a matrix."""
    rows, columns, lanes = shape
    number = work.dtype.type(weight)
    for i in range(rows):
        first = (place + i * columns + i) * lanes
        for item in range(first, first + lanes):
            work[item] += number


@compiled
def set_identity(work, place, shape):
    """Set a matrix to the identity."""
    rows, columns, lanes = shape
    work[place * lanes :][: rows * columns * lanes] = 0
    add_identity(work, place, shape, 1.0)


@compiled
def add_star(work, source, target, shape, star, own, other):
    """target = own X + other X* of the matrix X at `source`."""
    number = work.dtype.type
    _add_star(work, source, target, shape.rows * shape.columns, star, number(own), number(other))
