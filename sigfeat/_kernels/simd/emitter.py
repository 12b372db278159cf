"""Vector instructions for blocks of time with one series per SIMD lane.

LLVM's vectoriser looks at innermost loops only and cannot keep a tile of sums in registers, so the few loops
that matter are emitted as LLVM vectors; everything around them is plain numba.
"""

from types import SimpleNamespace

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types

_WIDE = bool(llvm.get_host_cpu_features().get("avx512f"))
LANE_BYTES = 64 if _WIDE else 32
# Side of the square of sums that stays in registers beside its operands: of 32 registers of 512 bits, or of 16 of
# 256 bits (or 32 of 128, in pairs).
TILE = 5 if _WIDE else 3


@njit(inline="always")
def block_steps(lanes):
    """Time steps of one block. A row has one more, which also keeps rows off each other's cache sets."""
    return 256 // LANE_BYTES * lanes


class Emitter:
    """Vector instructions for one working dtype, `narrow`; `wide` is float64 with as many lanes."""

    def __init__(self, builder, dtype):
        self.builder, self.itemsize = builder, dtype.bitwidth // 8
        self.lanes = LANE_BYTES // self.itemsize
        self.word = ir.IntType(64)
        self.narrow = ir.VectorType(ir.FloatType() if self.itemsize == 4 else ir.DoubleType(), self.lanes)
        self.wide = ir.VectorType(ir.DoubleType(), self.lanes)
        self.row_items = (block_steps.py_func(self.lanes) + 1) * self.lanes

    def integer(self, value):
        return ir.Constant(self.word, value)

    def constant(self, value):
        return ir.Constant(self.narrow, [float(value)] * self.lanes)

    def splat(self, scalar, vector_type=None):
        """A scalar in every lane, float64 or of the lanes' own type."""
        vector_type = vector_type or self.narrow
        if vector_type.element == ir.FloatType() and scalar.type == ir.DoubleType():
            scalar = self.builder.fptrunc(scalar, ir.FloatType())
        nothing = ir.Constant(vector_type, ir.Undefined)
        one = self.builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(one, nothing, lanes)

    def widen(self, value):
        return self.builder.fpext(value, self.wide) if self.itemsize == 4 else value

    def round(self, value):
        return self.builder.fptrunc(value, self.narrow) if self.itemsize == 4 else value

    def fma(self, a, b, c):
        kind = "f32" if a.type.element == ir.FloatType() else "f64"
        function_type = ir.FunctionType(a.type, [a.type] * 3)
        name = f"llvm.fmuladd.v{self.lanes}{kind}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function_type, name), (a, b, c))

    def add(self, a, b):
        return self.builder.fadd(a, b)

    def multiply(self, a, b):
        return self.builder.fmul(a, b)

    def larger(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def smaller(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def read(self, base, vectors, vector_type=None):
        pointer = self._place(base, vectors, vector_type or self.narrow)
        return self.builder.load(pointer, align=self.itemsize)

    def write(self, value, base, vectors):
        self.builder.store(value, self._place(base, vectors, value.type), align=self.itemsize)

    def _place(self, base, vectors, vector_type):
        items = self.builder.mul(vectors, self.integer(self.lanes))
        return self.builder.bitcast(self.builder.gep(base, [items]), vector_type.as_pointer())

    def skip(self, base, vectors):
        """The place so many vectors behind `base`."""
        return self.builder.gep(base, [self.builder.mul(vectors, self.integer(self.lanes))])

    def row(self, data, number):
        """The place of a row, given its number."""
        return self.builder.gep(data, [self.builder.mul(number, self.integer(self.row_items))])

    def rows(self, data, table, first, n, slot=None):
        """The places of the rows table[first], ..., table[first + n - 1], or of a slot in them."""
        places = [self.builder.add(first, self.integer(s)) for s in range(n)]
        rows = [self.row(data, self.builder.load(self.builder.gep(table, [place]))) for place in places]
        return rows if slot is None else [self.skip(row, slot) for row in rows]

    def choose(self, selectors, ranges, body):
        """Run body(i, j) for the values (i, j) of the two selectors; nothing where they are out of range."""
        builder, width = self.builder, max(ranges[1]) + 1
        selector = builder.add(builder.mul(selectors[0], self.integer(width)), selectors[1])
        done = builder.append_basic_block()
        switch = builder.switch(selector, done)
        for i in ranges[0]:
            for j in ranges[1]:
                entry = builder.append_basic_block()
                switch.add_case(self.integer(i * width + j), entry)
                builder.position_at_end(entry)
                body(i, j)
                builder.branch(done)
        builder.position_at_end(done)

    def loop(self, n_steps, initial, step, *, backward=False):
        """Run values = step(t, values) for t = 0, ..., n_steps - 1 or backward, n_steps >= 1; the last values."""
        builder, entry = self.builder, self.builder.block
        body, end = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(body)
        builder.position_at_end(body)
        count = builder.phi(self.word)
        count.add_incoming(self.integer(0), entry)
        values = [builder.phi(value.type) for value in initial]
        t = builder.sub(builder.sub(n_steps, self.integer(1)), count) if backward else count
        new = step(t, values)
        following, last = builder.add(count, self.integer(1)), builder.block
        count.add_incoming(following, last)
        for phi, first, value in zip(values, initial, new, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(value, last)
        builder.cbranch(builder.icmp_signed("<", following, n_steps), body, end)
        builder.position_at_end(end)
        return new


def operands(context, builder, signature, args):
    """Arguments of an intrinsic as its code needs them.

    An array becomes the pointer to its data, a NamedTuple a namespace of its fields; numbers stay what they are.
    """
    pairs = zip(signature.args, args, strict=True)
    return [_operand(context, builder, argument_type, value) for argument_type, value in pairs]


def _operand(context, builder, argument_type, value):
    if isinstance(argument_type, types.Array):
        return context.make_array(argument_type)(context, builder, value).data
    if isinstance(argument_type, types.BaseNamedTuple):
        names, items = argument_type.fields, cgutils.unpack_tuple(builder, value)
        fields = zip(names, argument_type, items, strict=True)
        return SimpleNamespace(**{name: _operand(context, builder, kind, item) for name, kind, item in fields})
    return value
