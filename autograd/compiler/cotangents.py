"""Cotangents: where they lie, which of them have been written, and what hands something on to them.

The first contribution to a row is written, and later ones are added, so that almost nothing is filled with zeros. Of

    h = exp(a)          v[0:3], read by the next two
    y = h * b           v[3:6]
    z = h + y           v[6:9]

the reverse pass hands g(z) on to h and y. The cotangent of y is g(z) itself, as nothing else reads y: no copy is made, and g(z)
stands in for it. That of h is written first, ``d_v[0:3] = move(d_v[6:9])``, and then what comes through y is added:
``t[0:3] = mul(d_v[6:9], b)``, ``d_v[0:3] = add(d_v[0:3], t[0:3])``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.views import Space, View, contiguous
from autograd.symbols import Formula

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Arg = View | float


class Term(Formula):
    """What partial derivatives are written in: a view, or an operation on Terms and numbers, emitted when it is needed."""

    __slots__ = ("_args", "_cotangents", "_op", "_view")

    def __init__(self, cotangents: Cotangents, view: View | None, op: ops.Op | None = None, args: tuple[Any, ...] = ()) -> None:
        self._cotangents = cotangents
        self._view = view
        self._op = op
        self._args = args

    @property
    def view(self) -> View:
        """The view that holds the numbers, after emitting what computes them."""
        waiting = [self]  # no recursion: a product of many factors is a deep term
        while waiting:
            term = waiting[-1]
            missing = [] if term._view else [a for a in term._args if isinstance(a, Term) and a._view is None]
            if not missing:
                waiting.pop()
                term._compute()
            waiting += reversed(missing)
        assert self._view is not None
        return self._view

    def _compute(self) -> None:
        """Emit the operation, once. Its arguments have been emitted."""
        if self._view is None:
            assert self._op is not None
            args = [arg.view if isinstance(arg, Term) else float(arg) for arg in self._args]
            self._view = self._cotangents.map(self._op, args)

    def apply(self, op: ops.Op, args: tuple[Any, ...]) -> Any:
        """``op`` at ``args``, Terms or numbers. A product with 1 is the other factor, and a choice by a number is made here."""
        if op is ops.where and not isinstance(args[0], Term):
            return args[1] if args[0] else args[2]
        if op is ops.mul and not isinstance(args[0], Term) and args[0] == 1.0:
            return args[1]
        if op is ops.mul and not isinstance(args[1], Term) and args[1] == 1.0:
            return args[0]
        return Term(self._cotangents, None, op, args)


class Cotangents:
    """The cotangents of all rows of ``spaces``, and the instructions that compute them.

    ``root`` is the result that is differentiated, and the cotangent of ``variable`` is the gradient, which the caller keeps.
    """

    def __init__(self, forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, root: View) -> None:
        self.instructions: list[ir.Instruction] = []
        self.spaces = {
            space: Space(f"d_{space.name}", space.batched, space.size, fresh=space is variable, of=space) for space in spaces
        }
        self.written = {space: np.zeros(space.size, bool) for space in self.spaces.values()}
        """The rows of each space of cotangents that have been written."""
        self.gradient = self.spaces[variable]
        self.scratch = [Space("u", batched=False), Space("t", batched=True)]
        """Spaces of numbers that are needed until the cotangent of one instruction has been handed on."""
        self._known: dict[object, View] = {(i.op, *i.args): i.out for i in forward if isinstance(i, ir.Map)}
        """Where the forward part has computed an operation at some arguments."""
        self._temporary: dict[object, View] = {}
        """The same of the scratch spaces."""
        self._zeros: dict[Space, int] = {}
        """A row of a space that holds 0."""
        self._stand_ins: dict[tuple[Space, int], View] = {}
        """Cotangents that are the same numbers as another one, by the space and the first row of what they belong to."""
        self._readers = _count_readers(forward, self.spaces, root)
        self._whole = {(i.out.space, i.out.start): i.out.size for i in forward if not isinstance(i, ir.Chain | ir.Project)}
        """How many rows the instruction writes that begins at a row. A chain's steps have cotangents one by one."""

    def emit(self, instruction: ir.Instruction) -> None:
        """Append an instruction."""
        self.instructions.append(instruction)

    def forget(self) -> None:
        """Free the scratch spaces: the cotangent of an instruction has been handed on."""
        self._temporary.clear()
        for space in self.scratch:
            space.used = 0

    def of(self, view: View) -> View | None:
        """The cotangent of what an instruction wrote; None if no instruction has handed anything on to it."""
        if (stand_in := self._stand_ins.get((view.space, view.start))) is not None:
            return stand_in
        space = self.spaces[view.space]
        written = self.written[space][view.rows]
        if not written.any():
            return None
        space.filled.update(dict.fromkeys(view.rows[~written].tolist(), 0.0))  # no later instruction writes to them
        return View(space, view.start, view.shape, view.strides)

    def is_complete(self, view: View) -> bool:
        """Whether every row of what an instruction wrote has a cotangent."""
        return (view.space, view.start) in self._stand_ins or bool(self.written[self.spaces[view.space]][view.rows].all())

    def fill(self, space: Space, rows: NDArray[np.int64]) -> None:
        """Write zeros to ``rows``."""
        rows = np.unique(rows)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if rows.size else []:
            self.emit(ir.Fill(View(space, int(run[0]), (len(run),), contiguous((len(run),))), 0.0))
        self.written[space][rows] = True

    def contribute(self, view: View, emit: Callable[[View], None]) -> None:
        """Call ``emit(out)``, which writes a contribution to the cotangent of ``view``. Later ones are added to the first."""
        space = self.spaces[view.space]
        out = View(space, view.start, view.shape, view.strides)
        written = self.written[space][out.rows]
        if not written.any():
            emit(out)
        else:
            before = self._before(out, written)
            emit(more := self.new(view.shape, batched=view.batched))
            self.emit(ir.Map(out, ops.add, (before, more)))
        self.written[space][out.rows] = True

    def _before(self, out: View, written: NDArray[np.bool_]) -> View:
        """The numbers in the rows of ``out``, with 0 for the rows that are not ``written`` yet.

        If of the rows 3, 4, 5, 6 only 4 and 6 are written, the result is a copy of the rows z, 4, z, 6, where z is a row that
        holds 0. So rows that a later instruction writes are not filled with zeros first. A single gap is filled, because that
        takes less time than a copy.
        """
        space = out.space
        missing = out.rows[~written]
        if (np.diff(missing) == 1).all() or space is self.gradient:
            self.fill(space, missing)
            return out
        return self.copy(space, out.rows, written).reshaped(out.shape)

    def copy(self, space: Space, rows: NDArray[np.int64], written: NDArray[np.bool_]) -> View:
        """A copy of the ``rows`` of a space of cotangents, 0 for those that are not ``written`` yet."""
        if space is self.gradient:  # the caller keeps it, so that it has no row for a zero
            self.fill(space, rows[~written])
        elif not written.all():
            rows = np.where(written, rows, self._zero_of(space))
        copy = self.new((rows.size,), batched=space.batched)
        self.emit(ir.Gather(copy, space.all_rows, rows.ravel()))
        return copy

    def _zero_of(self, space: Space) -> int:
        """A row of ``space`` that holds 0, which is appended to it."""
        if space not in self._zeros:
            self._zeros[space] = space.size
            space.filled[space.size] = 0.0
            space.size += 1
        return self._zeros[space]

    def hand(self, view: View, value: View, factor: Arg = 1.0) -> None:
        """Add ``value * factor`` to the cotangent of ``view``.

        Where the view reads one row for several items (stride 0), or one number for all examples, the products are summed:
        if a bias ``b`` of theta was added to two positions of each example, as the view (2,) of stride 0, its cotangent is the
        sum over both positions and all examples.
        """
        axes = tuple([i for i, (n, s) in enumerate(zip(view.shape, view.strides, strict=True)) if s == 0 and n > 1])
        over_batch = value.batched and not view.batched
        if isinstance(factor, View):
            over_batch |= factor.batched and not view.batched
        if not axes and not over_batch:
            if isinstance(factor, float) and factor == 1.0:
                self._hand_as_it_is(view, value, None, ops.add)
            elif isinstance(factor, float) and factor == -1.0:
                self._hand_as_it_is(view, value, ops.neg, ops.sub)
            else:
                self.contribute(view, lambda out: self.emit(ir.Map(out, ops.mul, (value, factor))))
            return
        negative = not isinstance(factor, View) and factor == -1.0
        if not negative and (isinstance(factor, View) or factor != 1.0):
            value = self.map(ops.mul, [value, factor])
        long = [i for i, size in enumerate(view.shape) if size > 1] or [0]
        value, axes = value.only(long), tuple([long.index(i) for i in axes])
        reduced = view.only([i for i in long if view.strides[i]])
        if negative:
            total = self.new(reduced.shape, batched=view.batched)
            self.emit(ir.Sum(total, value, axes, over_batch))
            self._hand_as_it_is(reduced, total, ops.neg, ops.sub)
        else:
            self.contribute(reduced, lambda out: self.emit(ir.Sum(out, value, axes, over_batch)))

    def _hand_as_it_is(self, view: View, value: View, alone: ops.Op | None, added: ops.Op) -> None:
        """Combine ``value`` with the cotangent of ``view`` by the row ``added``.

        The first contribution is ``alone`` of the value, or the value itself if that is None. If it is also the last one, no
        copy is made: the value stands in for the cotangent.
        """
        space = self.spaces[view.space]
        out = View(space, view.start, view.shape, view.strides)
        written = self.written[space][out.rows]
        whole = self._whole.get((view.space, view.start))
        lasting = value.space not in self.scratch
        if (
            alone is None
            and lasting
            and whole == view.size
            and view.contiguous
            and (self._readers[view.space][view.rows] == 1).all()
        ):
            self._stand_ins[view.space, view.start] = value
        elif written.all():
            self.emit(ir.Map(out, added, (out, value)))
        elif alone is None:
            self.contribute(view, lambda out: self.emit(ir.Move(out, value)))
        else:
            self.contribute(view, lambda out: self.emit(ir.Map(out, alone, (value,))))

    def map(self, op: ops.Op, args: Sequence[Arg]) -> View:
        """The view of ``op`` at ``args``, which is computed again only if no instruction has computed it yet."""
        key = (op, *args)
        known = self._known.get(key) or self._temporary.get(key)
        if known is None:
            views = [arg for arg in args if isinstance(arg, View)]
            batched = any(view.batched for view in views)
            known = self.new(views[0].shape, batched=batched)
            self.emit(ir.Map(known, op, tuple(args)))
            self._temporary[key] = known
        return known

    def new(self, shape: tuple[int, ...], *, batched: bool) -> View:
        """A view of new scratch rows."""
        space = self.scratch[batched]
        return View(space, space.allocate(math.prod(shape)), shape, contiguous(shape))


def _count_readers(forward: Sequence[ir.Instruction], spaces: Iterable[Space], root: View) -> dict[Space, NDArray[np.int64]]:
    """How many instructions read each row. The result counts as read twice: its own cotangent is written, not handed on."""
    readers = {space: np.zeros(space.size, np.int64) for space in spaces}
    readers[root.space][root.start] += 2
    for instruction in forward:
        for space, rows in instruction.reads:
            readers[space][rows] += 1  # once, if the view reads a row several times
    return readers
