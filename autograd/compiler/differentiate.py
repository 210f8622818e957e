"""Reverse mode over instructions: for each one, last to first, those that hand its cotangent on to its arguments.

The partial derivatives are those of the table, applied to views; the transposes of what is no row of the table stand here.
The first contribution to a row is written, later ones are added, and what nobody differentiates by is not computed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.folds import STEP_BY_STEP
from autograd.compiler.views import Space, View, common, contiguous, nested, strided
from autograd.symbols import Formula

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Arg = View | float


class Term(Formula):
    """What partial derivatives are written with: a view, or an operation on Terms and numbers, emitted once it is needed."""

    __slots__ = ("_args", "_op", "_sweep", "_view")

    def __init__(self, sweep: Reverse, view: View | None, op: ops.Op | None = None, args: tuple[Any, ...] = ()) -> None:
        self._sweep = sweep
        self._view = view
        self._op = op
        self._args = args

    @property
    def view(self) -> View:
        """Where the numbers are."""
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
        """Emit the operation, whose arguments are there, unless that is done."""
        if self._view is None:
            assert self._op is not None
            args = [arg.view if isinstance(arg, Term) else float(arg) for arg in self._args]
            self._view = self._sweep.map(self._op, args)

    def apply(self, op: ops.Op, args: tuple[Any, ...]) -> Any:
        """``op`` at ``args``, Terms or numbers, without multiplications by 1 and choices that are known."""
        if op is ops.where and not isinstance(args[0], Term):
            return args[1] if args[0] else args[2]
        if op is ops.mul and not isinstance(args[0], Term) and args[0] == 1.0:
            return args[1]
        if op is ops.mul and not isinstance(args[1], Term) and args[1] == 1.0:
            return args[0]
        return Term(self._sweep, None, op, args)


class Reverse:
    """The instructions that differentiate the row ``root``, the result, by the first ``trained`` rows of ``variable``."""

    def __init__(
        self, forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, trained: int, root: View
    ) -> None:
        self.instructions: list[ir.Instruction] = []
        self.scratch = {batched: Space("t" if batched else "u", batched=batched) for batched in (True, False)}
        self.cotangents = {
            space: Space(f"d_{space.name}", space.batched, space.size, fresh=space is variable) for space in spaces
        }
        self._written = {space: np.zeros(space.size, bool) for space in self.cotangents.values()}
        self._projected = {space: np.zeros(space.size, bool) for space in spaces}
        self._known = {_key(i.op, i.args): i.out for i in forward if isinstance(i, ir.Map)}
        self._result = self.cotangents[variable]
        self._zeros: dict[Space, int] = {}
        self._temporary: dict[object, View] = {}
        self._active = _active(forward, spaces, variable, trained)
        self._stand_ins: dict[tuple[Space, int], View] = {}
        self._readers = self._count_readers(forward, root)
        self._whole = {(i.out.space, i.out.start): i.out.size for i in forward if not isinstance(i, ir.Chain | ir.Project)}
        if self._active[root.space][root.start]:
            self._contribute(root, lambda out: self._emit(ir.Seed(out)))
            for instruction in reversed(forward):
                if self._is_active(instruction.out):
                    self._temporary.clear()
                    for space in self.temporaries:
                        space.used = 0
                    self._hand_on(instruction)
        self._fill(self._result, np.flatnonzero(~self._written[self._result][:trained]))

    @property
    def temporaries(self) -> list[Space]:
        """What holds numbers while one instruction hands on its cotangent."""
        return [*self.scratch.values()]

    def _count_readers(self, forward: Sequence[ir.Instruction], root: View) -> dict[Space, NDArray[np.int64]]:
        """How often each row is read on the way to the result."""
        readers = {space: np.zeros(space.size, np.int64) for space in self.cotangents}
        readers[root.space][root.start] += 2  # the seed is written, not handed on
        for instruction in forward:
            for space, rows in instruction.reads:
                readers[space][rows] += 1  # once, if the view reads a row several times
        return readers

    def _is_active(self, view: View) -> bool:
        return bool(self._active[view.space][view.rows].any())

    def _emit(self, instruction: ir.Instruction) -> None:
        self.instructions.append(instruction)

    # Cotangents

    def _cotangent(self, view: View) -> View | None:
        """The cotangent of what an instruction wrote; None if nothing was handed on to it."""
        if (stand_in := self._stand_ins.get((view.space, view.start))) is not None:
            return stand_in
        space = self.cotangents[view.space]
        written = self._written[space][view.rows]
        if not written.any():
            return None
        space.filled.update(dict.fromkeys(view.rows[~written].tolist(), 0.0))  # nobody will write to these any more
        return View(space, view.start, view.shape, view.strides)

    def _fill(self, space: Space, rows: NDArray[np.int64]) -> None:
        """Write zeros to ``rows``."""
        rows = np.unique(rows)
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if rows.size else []:
            self._emit(ir.Fill(View(space, int(run[0]), (len(run),), contiguous((len(run),))), 0.0))
        self._written[space][rows] = True

    def _contribute(self, view: View, emit: Callable[[View], None]) -> None:
        """Have ``emit(out)`` write the cotangent of ``view``, or add what it writes if there is one already."""
        space = self.cotangents[view.space]
        out = View(space, view.start, view.shape, view.strides)
        written = self._written[space][out.rows]
        if not written.any():
            emit(out)
        else:
            before = self._before(out, written)
            emit(more := self._new(view.batched, view.shape))
            self._emit(ir.Map(out, ops.add, (before, more)))
        self._written[space][out.rows] = True

    def _before(self, out: View, written: NDArray[np.bool_]) -> View:
        """What the rows of ``out`` hold, those that are not ``written`` yet being 0.

        Of the rows 3, 4, 5, 6, of which 4 and 6 are written, the copy of z, 4, z, 6 is, where z is a row that holds 0: nothing
        is filled with zeros that will be written later. A single gap is filled, which takes less time than a copy.
        """
        space = out.space
        missing = out.rows[~written]
        if (np.diff(missing) == 1).all() or space is self._result:
            self._fill(space, missing)
            return out
        return self._copy(space, out.rows, written).reshaped(out.shape)

    def _copy(self, space: Space, rows: NDArray[np.int64], written: NDArray[np.bool_]) -> View:
        """A copy of the ``rows`` of a space of cotangents, 0 for those that are not ``written`` yet."""
        if space is self._result:  # it is given away, and has no row to spare
            self._fill(space, rows[~written])
        elif not written.all():
            rows = np.where(written, rows, self._zero_of(space))
        copy = self._new(space.batched, (rows.size,))
        self._emit(ir.Gather(copy, space.all_rows, rows.ravel()))
        return copy

    def _zero_of(self, space: Space) -> int:
        """A row of ``space``, behind those that have a place, that holds 0."""
        if space not in self._zeros:
            self._zeros[space] = space.size
            space.filled[space.size] = 0.0
            space.size += 1
        return self._zeros[space]

    def _hand(self, view: View, value: View, factor: Arg = 1.0) -> None:
        """Add ``value * factor`` to the cotangent of ``view``, summed over what is spread in ``view`` and not in ``value``."""
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
                self._contribute(view, lambda out: self._emit(ir.Map(out, ops.mul, (value, factor))))
            return
        negative = not isinstance(factor, View) and factor == -1.0
        if not negative and (isinstance(factor, View) or factor != 1.0):
            value = self.map(ops.mul, [value, factor])
        long = [i for i, size in enumerate(view.shape) if size > 1] or [0]
        value, axes = value.only(long), tuple([long.index(i) for i in axes])
        reduced = view.only([i for i in long if view.strides[i]])
        if negative:
            total = self._new(view.batched, reduced.shape)
            self._emit(ir.Sum(total, value, axes, over_batch))
            self._hand_as_it_is(reduced, total, ops.neg, ops.sub)
        else:
            self._contribute(reduced, lambda out: self._emit(ir.Sum(out, value, axes, over_batch)))

    def _hand_as_it_is(self, view: View, value: View, alone: ops.Op | None, added: ops.Op) -> None:
        """Add ``value``, or ``alone`` of it, to the cotangent of ``view``; if it is all there will be, it may stand for it."""
        space = self.cotangents[view.space]
        out = View(space, view.start, view.shape, view.strides)
        written = self._written[space][out.rows]
        whole = self._whole.get((view.space, view.start))
        lasting = value.space not in self.temporaries
        if (
            alone is None
            and lasting
            and whole == view.size
            and view.contiguous
            and (self._readers[view.space][view.rows] == 1).all()
        ):
            self._stand_ins[view.space, view.start] = value
        elif written.all():
            self._emit(ir.Map(out, added, (out, value)))
        elif alone is None:
            self._contribute(view, lambda out: self._emit(ir.Move(out, value)))
        else:
            self._contribute(view, lambda out: self._emit(ir.Map(out, alone, (value,))))

    # Expressions

    def map(self, op: ops.Op, args: Sequence[Arg]) -> View:
        """The view of ``op`` at ``args``, computed anew only if the program has not got it."""
        key = _key(op, args)
        known = self._known.get(key) or self._temporary.get(key)
        if known is None:
            views = [arg for arg in args if isinstance(arg, View)]
            batched = any(view.batched for view in views)
            known = self._new(batched, views[0].shape)
            self._emit(ir.Map(known, op, tuple(args)))
            self._temporary[key] = known
        return known

    def _new(self, batched: bool, shape: tuple[int, ...]) -> View:  # noqa: FBT001 - a space is, or is not
        space = self.scratch[batched]
        return View(space, space.allocate(math.prod(shape)), shape, contiguous(shape))

    # The transposes

    def _hand_on(self, i: ir.Instruction) -> None:  # noqa: C901, PLR0912 - one case for each kind
        """Hand the cotangent of ``i.out`` on to the arguments of ``i``."""
        if isinstance(i, ir.Chain):
            self._chain(i)
            return
        if isinstance(i, ir.Project):
            self._project(i)
            return
        gradient = self._cotangent(i.out)
        if gradient is None:
            return
        match i:
            case ir.Map():
                self._map(i, gradient)
            case ir.Move():
                self._hand(i.x, self._as(gradient, i.out) if gradient.shape != i.x.shape else gradient)
            case ir.Reduce():
                self._reduce(i, self._as(gradient, i.out))
            case ir.Segments():
                self._segments(i, self._as(gradient, i.out))
            case ir.Product():
                self._product(i, self._matrix(self._as(gradient, i.out)))
            case ir.Pairwise():
                self._pairwise(i, self._matrix(self._as(gradient, i.out)))
            case ir.Gather():
                self._gather(i.x, i.rows, self._as(gradient, i.out))
            case ir.Take():
                taken = self._matrix(self._as(gradient, i.out))
                if self._is_active(i.table):
                    self._contribute(i.table, lambda out: self._emit(ir.Put(out, taken, i.index)))
            case ir.Pick():
                picked = self._as(gradient, i.out)
                if self._is_active(i.table):
                    self._contribute(i.table, lambda out: self._emit(ir.Place(out, picked, i.index)))
            case (
                ir.Fill()
                | ir.Peak()
                | ir.Peaks()
                | ir.Place()
                | ir.Put()
                | ir.Scatter()
                | ir.Seed()
                | ir.Sum()
                | ir.Sweep()
                | ir.Unfold()
            ):
                raise AssertionError  # no gradient flows through a Peak, and only this pass makes the others
            case _:
                assert_never(i)

    def _map(self, i: ir.Map, gradient: View) -> None:
        gradient, views = self._in_one_shape(gradient, [i.out, *i.views])
        out, *rest = views
        left = iter(rest)
        args = [next(left) if isinstance(arg, View) else arg for arg in i.args]
        partials = i.op.partials(*[Term(self, a) if isinstance(a, View) else a for a in (out, *args)])
        if self._projected[i.out.space][i.out.rows].all():  # the logsumexp in these differences has got its share
            args, partials = args[:1], partials[:1]
        for arg, partial in zip(args, partials, strict=True):
            if isinstance(arg, View) and self._is_active(arg):
                self._hand(arg, gradient, partial.view if isinstance(partial, Term) else float(partial))

    def _in_one_shape(self, gradient: View, views: list[View]) -> tuple[View, list[View]]:
        """``gradient`` and ``views`` in one shape: what stands in for another cotangent may have a shape of its own."""
        if gradient.shape == views[0].shape:
            return gradient, views
        shape = common([view.loops for view in (gradient, *views)])
        if shape is None:
            gradient = self._copied(gradient)
            shape = common([view.loops for view in (gradient, *views)])
        assert shape is not None
        sizes, strides = shape
        first, *others = [View(v.space, v.start, sizes, s) for v, s in zip((gradient, *views), strides, strict=True)]
        return first, others

    def _copied(self, view: View) -> View:
        copy = self._new(view.batched, view.shape)
        self._emit(ir.Move(copy, view))
        return copy.reshaped((copy.size,))

    def _as(self, gradient: View, view: View) -> View:
        """``gradient``, whatever it was written as, in the shape and order of the contiguous ``view``."""
        if gradient.shape == view.shape:
            return gradient
        loops = nested(gradient.rows.ravel())
        target = View(gradient.space, gradient.start, view.shape, contiguous(view.shape))
        if loops is not None and np.array_equal(target.rows.ravel(), gradient.rows.ravel()):
            return target
        return self._copied(gradient).reshaped(view.shape)

    def _reduce(self, i: ir.Reduce, gradient: View) -> None:
        if i.op in STEP_BY_STEP:
            cotangents = self._new(i.x.batched, i.x.shape)
            self._emit(ir.Unfold(cotangents, i.op, gradient, i.out, i.x))
            self._hand(i.x, cotangents)
            return
        (partial,) = i.op.partials(Term(self, i.out.spread(i.x.shape[-1])), Term(self, i.x))
        self._hand(i.x, gradient.spread(i.x.shape[-1]), partial.view if isinstance(partial, Term) else partial)

    def _chain(self, i: ir.Chain) -> None:
        x, out = i.x, i.out
        space, active = self.cotangents[x.space], self._active[x.space]
        written = self._written[space]
        reached = np.concatenate([active[x.rows], np.zeros(len(i.steps.numbers), bool), active[out.rows]])
        steps = i.steps.differentiate(written[out.rows], reached)
        if len(steps.back):
            d_x, d_y = View(space, x.start, x.shape, x.strides), View(space, out.start, out.shape, out.strides)
            self._emit(ir.Sweep(d_x, d_y, x, out, steps))
            written[x.rows[steps.ends]] = True

    def _project(self, i: ir.Project) -> None:
        """Take from cotangents of ``z = v - logsumexp(v)`` their sum, in parts that are the shares: that makes them those of v.

        That is done twice. Where one share is nearly 1, its own cotangent was lost to rounding the first time.
        """
        view = i.out
        rows, space = i.rows, self.cotangents[view.space]
        written = self._written[space][rows]
        if not written.any():
            return
        self._fill(space, rows[~written])
        self._projected[view.space][rows] = True
        lengths = np.diff(i.starts, append=rows.size)
        alike = bool((lengths == lengths[0]).all())
        if alike:
            rows = rows.reshape(lengths.size, -1)
        z = strided(view.space, rows) or self._picked(view.space, rows)
        regular = z.space is view.space
        gradient = View(space, z.start, z.shape, z.strides) if regular else self._picked(space, rows)
        shares = self.map(ops.exp, [z.reshaped((z.size,)) if z.contiguous else z])
        shares = shares.reshaped(rows.shape)
        before = gradient if regular else self._copied(gradient).reshaped(rows.shape)
        for _ in range(2):
            total = self._new(view.batched, lengths.shape)
            if alike:
                self._emit(ir.Sum(total, gradient, (1,)))
                spread = total.spread(rows.shape[1])
            else:
                self._emit(ir.Segments(total, ops.fsum, gradient, i.starts))
                spread = self._gathered(total, np.repeat(np.arange(lengths.size), lengths), z)
            self._emit(ir.Map(gradient, ops.sub, (gradient, self.map(ops.mul, [spread, shares]))))
        if not regular:
            more = self.map(ops.sub, [gradient, before]).reshaped((rows.size,))
            self._gather(view, i.rows, more)

    def _picked(self, space: Space, rows: NDArray[np.int64]) -> View:
        """A copy of the ``rows`` of a space."""
        out = self._new(space.batched, (rows.size,))
        self._emit(ir.Gather(out, space.all_rows, rows.ravel()))
        return out.reshaped(rows.shape)

    def _segments(self, i: ir.Segments, gradient: View) -> None:
        which = np.repeat(np.arange(i.out.size), np.diff(np.append(i.starts, i.x.size)))
        spread = self._gathered(gradient, which, i.x)
        y = i.out if i.op is ops.fsum else self._gathered(i.out, which, i.x)
        (partial,) = i.op.partials(Term(self, y), Term(self, i.x))
        self._hand(i.x, spread, partial.view if isinstance(partial, Term) else partial)

    def _gathered(self, view: View, rows: NDArray[np.int64], like: View) -> View:
        out = self._new(view.batched, like.shape)
        self._emit(ir.Gather(out, view.reshaped((view.size,)) if view.contiguous else self._copied(view), rows))
        return out

    def _product(self, i: ir.Product, gradient: View) -> None:
        a, b, sparse = i.a, i.b, self._is_sparse(i.out)
        if i.bias is not None:
            self._hand(i.bias.spread(i.out.shape[-1]), gradient)
        if self._is_active(a):
            self._contribute(a, lambda out: self._emit(ir.Product(out, gradient, b, (False, True), (b,) if sparse else ())))
        if self._is_active(b):
            self._contribute(b, lambda out: self._emit(ir.Product(out, a, gradient, (True, False), (a,) if sparse else ())))

    def _pairwise(self, i: ir.Pairwise, gradient: View) -> None:
        a, b, sparse = i.a, i.b, self._is_sparse(i.out)
        if self._is_active(a):
            self._contribute(a, lambda out: self._emit(ir.Pairwise(out, gradient, b, finite=(b,) if sparse else ())))
        if self._is_active(b):
            finite = (*((a,) if sparse else ()), *((gradient,) if i.finite else ()))
            self._contribute(b, lambda out: self._emit(ir.Pairwise(out, gradient, a, (True, False), finite)))

    def _is_sparse(self, out: View) -> bool:
        """Whether some items of a matrix product are of no use, so that their cotangents, which are 0, meet its factors."""
        return (out.space, out.start) not in self._stand_ins and not self._written[self.cotangents[out.space]][out.rows].all()

    def _matrix(self, gradient: View) -> View:
        """``gradient`` itself, or a copy if it is spread, which is no matter for a matrix product."""
        return gradient if gradient.contiguous else self._copied(gradient).reshaped(gradient.shape)

    def _gather(self, view: View, chosen: NDArray[np.int64], gradient: View) -> None:
        if not gradient.contiguous:
            gradient = self._copied(gradient)
        rows = view.start + chosen
        order = np.argsort(rows, kind="stable")
        order = order[self._active[view.space][rows[order]]]
        unique, starts, counts = np.unique(rows[order], return_index=True, return_counts=True)
        often = int(counts[0])

        def summed(out: View) -> None:
            """Write the sum of what was handed to each row."""
            out = out.reshaped((len(unique),)) if out.contiguous else out
            if (counts == 1).all():
                self._emit(ir.Gather(out, gradient, order))
                return
            ordered = gradient
            if not np.array_equal(order, np.arange(gradient.size)):
                ordered = self._new(gradient.batched, order.shape)
                self._emit(ir.Gather(ordered, gradient, order))
            if (counts == often).all():
                self._emit(ir.Sum(out, ordered.reshaped((len(unique), often)), (1,)))
            else:
                self._emit(ir.Segments(out, ops.fsum, ordered, starts))

        loops = nested(unique)
        if loops is not None and len(loops) <= 1 and gradient.batched == view.batched:
            ((size, stride),) = loops or [(1, 0)]
            self._contribute(View(view.space, int(unique[0]), (size,), (stride,)), summed)
            return
        summed(total := self._new(gradient.batched, (len(unique),)))
        if loops is not None:
            shape, strides = tuple([n for n, _ in loops or [(1, 0)]]), tuple([s for _, s in loops or [(1, 0)]])
            self._hand(View(view.space, int(unique[0]), shape, strides), total.reshaped(shape))
            return
        space = self.cotangents[view.space]
        written = self._written[space][unique]
        if written.any():
            total = self.map(ops.add, [self._copy(space, unique, written), total])
        self._emit(ir.Scatter(space.all_rows, total, unique))
        self._written[space][unique] = True


def _key(op: ops.Op | None, args: Sequence[Arg]) -> object:
    return op, *[(a.space, a.start, a.shape, a.strides) if isinstance(a, View) else a for a in args]


def _active(
    forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, trained: int
) -> dict[Space, NDArray[np.bool_]]:
    """Which rows of each space a gradient flows through to the first ``trained`` rows of ``variable``."""
    active = {space: np.zeros(space.size, bool) for space in spaces}
    active[variable][:trained] = True
    for i in forward:
        out = active[i.out.space]
        match i:
            case ir.Peak() | ir.Peaks() | ir.Project():
                pass
            case ir.Map(_, op) if op.stops:
                pass
            case ir.Gather():
                out[i.out.rows] = active[i.x.space][i.rows]
            case ir.Map() | ir.Move():
                some = np.zeros(i.out.shape, bool)
                for view in i.views:
                    some |= active[view.space][view.rows]
                out[i.out.rows] = some
            case ir.Chain():
                out[i.out.rows] = i.steps.reached(active[i.x.space][i.x.rows])
            case _:
                out[i.out.rows] = any(active[view.space][view.rows].any() for view in i.views)
    return active


def differentiate(
    forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, trained: int, root: View
) -> Reverse:
    """What differentiates the row ``root`` of a program by the first ``trained`` rows of ``variable``, theta or an input."""
    return Reverse(forward, spaces, variable, trained, root)
