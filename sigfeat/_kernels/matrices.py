"""Small matrices, one per SIMD lane: products, sums, and the star of a bilinear form.

A matrix is `rows * columns` vectors in row-major order at some place of a workspace, lanes innermost. A complex
matrix of side n is the upper half [Re, Im] of its real form [[Re, Im], [-Im, Re]] of side 2 n: as a right factor it
needs the lower half too (`complete`), as a left factor it does not, which makes a complex product cost four real ones.
Hence rows = columns = n for real and rows = n, columns = 2 n for complex matrices.
"""

import functools

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from sigfeat._kernels.emitter import TILE, Emitter, array_data

UNROLLED = 8  # sums that are advanced together where one of the factors is a scalar


@intrinsic
def _add_product_tile(typing_context, work, left, right, out, columns, inner, n_rows, n_columns, keep):
    """out[i, j] = keep * out[i, j] + sum_k left[i, k] right[k, j] for a tile of at most TILE x TILE.

    left, right, out: places of the first vectors of the tile; all matrices have `columns` vectors a row.
    """
    index = types.intp
    signature = types.void(work, index, index, index, index, index, index, index, types.boolean)

    def codegen(context, builder, signature, args):
        _, left, right, out, columns, inner, n_rows, n_columns, keep = args
        (data,) = array_data(context, builder, signature, args)
        emit = Emitter(builder, work.dtype)
        a, b, c = (emit.skip(data, place) for place in (left, right, out))

        def body(m, n):
            offsets = [builder.mul(columns, emit.integer(r)) for r in range(m)]
            zero = emit.constant(0.0)

            def place(e):
                return builder.add(offsets[e // n], emit.integer(e % n))

            def step(k, sums):
                x = [emit.read(a, builder.add(offsets[r], k)) for r in range(m)]
                row = builder.mul(columns, k)
                y = [emit.read(b, builder.add(row, emit.integer(s))) for s in range(n)]
                return [emit.fma(x[e // n], y[e % n], sums[e]) for e in range(m * n)]

            initial = [builder.select(keep, emit.read(c, place(e)), zero) for e in range(m * n)]
            for e, total in enumerate(emit.loop(inner, initial, step)):
                emit.write(total, c, place(e))

        sides = range(1, TILE + 1)
        emit.choose((n_rows, n_columns), (sides, sides), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _weighted_tile(typing_context, weights, first, n_terms, source, i, target, k, n_sums):
    """target[k + s] = sum_j weights[first + s, j] source[i + j] for at most UNROLLED sums s."""
    index = types.intp
    signature = types.void(weights, index, index, source, index, target, index, index)

    def codegen(context, builder, signature, args):
        _, first, n_terms, _, i, _, k, n_sums = args
        w, x, y = array_data(context, builder, signature, args)
        emit = Emitter(builder, source.dtype)
        x, y = emit.skip(x, i), emit.skip(y, k)

        def body(_, n):
            starts = [builder.mul(builder.add(first, emit.integer(s)), n_terms) for s in range(n)]

            def step(j, sums):
                value = emit.read(x, j)
                new = []
                for s in range(n):
                    weight = builder.load(builder.gep(w, [builder.add(starts[s], j)]))
                    new.append(emit.fma(emit.splat(weight), value, sums[s]))
                return new

            for s, total in enumerate(emit.loop(n_terms, [emit.constant(0.0)] * n, step)):
                emit.write(total, y, emit.integer(s))

        emit.choose((emit.integer(0), n_sums), ((0,), range(1, UNROLLED + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _spread(typing_context, weights, first, n_terms, source, i, target, k, n_sums, keep):
    """target[k + s] = keep * target[k + s] + sum_j weights[s, first + j] source[i + j] for at most UNROLLED terms j."""
    index = types.intp
    signature = types.void(weights, index, index, source, index, target, index, index, types.boolean)

    def codegen(context, builder, signature, args):
        _, first, n_terms, _, i, _, k, n_sums, keep = args
        w, x, y = array_data(context, builder, signature, args)
        width = builder.extract_value(builder.extract_value(args[0], 5), 1)  # row length of the weights
        emit = Emitter(builder, source.dtype)
        w, x, y = builder.gep(w, [first]), emit.skip(x, i), emit.skip(y, k)

        def body(_, n):
            terms, zero = [emit.read(x, emit.integer(j)) for j in range(n)], emit.constant(0.0)

            def step(s, _):
                row = builder.mul(s, width)
                total = builder.select(keep, emit.read(y, s), zero)
                for j in range(n):
                    weight = builder.load(builder.gep(w, [builder.add(row, emit.integer(j))]))
                    total = emit.fma(emit.splat(weight), terms[j], total)
                emit.write(total, y, s)
                return []

            emit.loop(n_sums, [], step)

        emit.choose((emit.integer(0), n_terms), ((0,), range(1, UNROLLED + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _norm_bounds(typing_context, steps, weights, n_terms, n_steps, out):
    """out[t] = largest finite value over the lanes of sum_j weights[j] |steps[t, j]|, above 0 beside others."""
    index = types.intp
    signature = types.void(steps, weights, index, index, out)

    def codegen(context, builder, signature, args):
        _, _, n_terms, n_steps, _ = args
        x, w, y = array_data(context, builder, signature, args)
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
def _add_outer_rows(typing_context, left, i, n_left, right, j, n_right, out):
    """out[s, e] += left[i + s] * right[j + e] for at most UNROLLED rows s and all n_right entries e."""
    index = types.intp
    signature = types.void(left, index, index, right, index, index, out)

    def codegen(context, builder, signature, args):
        _, i, n_left, _, j, n_right, _ = args
        a, b, c = array_data(context, builder, signature, args)
        emit = Emitter(builder, left.dtype)
        a, b = emit.skip(a, i), emit.skip(b, j)

        def body(_, n):
            x = [emit.read(a, emit.integer(s)) for s in range(n)]

            def step(e, _):
                y = emit.read(b, e)
                for s in range(n):
                    place = builder.add(builder.mul(n_right, emit.integer(s)), e)
                    emit.write(emit.fma(x[s], y, emit.read(c, place)), c, place)
                return []

            emit.loop(n_right, [], step)

        emit.choose((emit.integer(0), n_left), ((0,), range(1, UNROLLED + 1)), body)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _mix(typing_context, work, out, n, places, weights):
    """out[e] = sum of weights[i] work[places[i] + e] for n entries, weights being float64."""
    index = types.intp
    signature = types.void(work, index, index, places, weights)

    def codegen(context, builder, signature, args):
        _, out, n, places, weights = args
        (data,) = array_data(context, builder, signature, args)
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
def _add_star(typing_context, work, source, target, n, places, signs, own, other):
    """target[e] = own source[e] + other signs[e] source[places[e]] for n entries; target and source differ."""
    index = types.intp
    signature = types.void(work, index, index, index, places, signs, work.dtype, work.dtype)

    def codegen(context, builder, signature, args):
        _, source, target, n, _, _, own, other = args
        data, table, sign = array_data(context, builder, signature, args)
        emit = Emitter(builder, work.dtype)
        x, y = emit.skip(data, source), emit.skip(data, target)
        own, other = emit.splat(own), emit.splat(other)

        def step(e, _):
            weight = builder.fmul(other, emit.splat(builder.load(builder.gep(sign, [e]))))
            starred = emit.read(x, builder.load(builder.gep(table, [e])))
            emit.write(emit.fma(own, emit.read(x, e), builder.fmul(weight, starred)), y, e)
            return []

        emit.loop(n, [], step)
        return context.get_dummy_value()

    return signature, codegen


@njit(cache=True, nogil=True)
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
            _add_product_tile(
                work, left + r * columns, right + c, out + r * columns + c, columns, columns, n_rows, n_columns, keep
            )


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def weighted_sums(weights, source, i, target, k):
    """target[k + s] = sum_j weights[s, j] source[i + j], the weights being scalars."""
    n_sums, n_terms = weights.shape
    if n_terms <= n_sums:
        for j in range(0, n_terms, UNROLLED):
            _spread(weights, j, min(UNROLLED, n_terms - j), source, i + j, target, k, n_sums, j > 0)
        return
    for s in range(0, n_sums, UNROLLED):
        _weighted_tile(weights, s, n_terms, source, i, target, k + s, min(UNROLLED, n_sums - s))


@njit(cache=True, nogil=True)
def norm_bounds(steps, weights, n_steps, out):
    """out[t] = largest over the lanes of sum_j weights[j] |steps[t, j]|."""
    if n_steps > 0:
        _norm_bounds(steps, weights, weights.shape[0], n_steps, out)


@njit(cache=True, nogil=True)
def add_outer(left, i, n_left, right, j, n_right, out, lanes):
    """out[s, e] += left[i + s] * right[j + e]."""
    for s in range(0, n_left, UNROLLED):
        _add_outer_rows(left, i + s, min(UNROLLED, n_left - s), right, j, n_right, out[s * n_right * lanes :])


@njit(cache=True, nogil=True)
def mix(work, out, shape, places, weights):
    """out = sum of weights[i] times the matrix at places[i], entry by entry; `out` may be one of them."""
    _mix(work, out, shape[0] * shape[1], places, weights)


@njit(cache=True, nogil=True)
def scale(work, place, shape, factor):
    """Multiply a matrix by a number."""
    _mix(work, place, shape[0] * shape[1], (place,), (factor,))


@njit(cache=True, nogil=True)
def copy(work, source, target, shape):
    """Copy a matrix."""
    _mix(work, target, shape[0] * shape[1], (source,), (1.0,))


@njit(cache=True, nogil=True)
def add_identity(work, place, shape, weight):
    """Add weight times the identity to a matrix."""
    rows, columns, lanes = shape
    number = work.dtype.type(weight)
    for i in range(rows):
        first = (place + i * columns + i) * lanes
        for item in range(first, first + lanes):
            work[item] += number


@njit(cache=True, nogil=True)
def set_identity(work, place, shape):
    """Set a matrix to the identity."""
    work[place * shape[2] :][: shape[0] * shape[1] * shape[2]] = 0
    add_identity(work, place, shape, 1.0)


@njit(cache=True, nogil=True)
def add_star(work, source, target, shape, star, own, other):
    """target = own X + other X* of the matrix X at `source`: X*[e] = signs[e] X[places[e]], star = (places, signs)."""
    places, signs = star
    number = work.dtype.type
    _add_star(work, source, target, shape[0] * shape[1], places, signs, number(own), number(other))
