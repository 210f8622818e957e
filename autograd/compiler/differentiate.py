"""Reverse mode over instructions: for each one, last to first, those that hand its cotangent on to its arguments.

The partial derivatives are those of the table, applied to views; the transposes of what is no row of the table stand here.
The first contribution to a row is written, later ones are added, and what nobody differentiates by is not computed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.folds import STEP_BY_STEP
from autograd.compiler.formula import Formula
from autograd.compiler.instructions import Arg, Instruction, Space, View, common, contiguous, nested
from autograd.compiler.record import STOPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Term(Formula):
    """What partial derivatives are written with: a view, or an operation on Terms and numbers, emitted once it is needed."""

    __slots__ = ("_args", "_op", "_sweep", "_view")

    def __init__(self, sweep: Sweep, view: View | None, op: ops.Op | None = None, args: tuple[Any, ...] = ()) -> None:
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


class Sweep:
    """The instructions that differentiate the row ``root``, the result, by theta."""

    def __init__(self, forward: Sequence[Instruction], spaces: Sequence[Space], theta: Space, trained: int, root: View) -> None:
        self.instructions: list[Instruction] = []
        self.scratch = {batched: Space("t" if batched else "u", batched=batched) for batched in (True, False)}
        self.cotangents = {space: Space(f"d_{space.name}", space.batched, space.size, fresh=space is theta) for space in spaces}
        self._written = {space: np.zeros(space.size, bool) for space in self.cotangents.values()}
        self._projected = {space: np.zeros(space.size, bool) for space in spaces}
        self._known = {_key(i.op, i.args): i.out for i in forward if i.kind == "map"}
        self._result = self.cotangents[theta]
        self._zeros: dict[Space, int] = {}
        self._temporary: dict[object, View] = {}
        self._active = _active(forward, spaces, theta, trained)
        self._stand_ins: dict[tuple[Space, int], View] = {}
        self._readers = self._count_readers(forward, root)
        self._whole = {(i.out.space, i.out.start): i.out.size for i in forward if i.kind not in {"chain", "project"}}
        if self._active[root.space][root.start]:
            self._contribute(root, lambda out: self._emit("fill", out, "seed"))
            for instruction in reversed(forward):
                if self._is_active(instruction.out) and instruction.kind != "peak" and instruction.op not in STOPS:
                    self._temporary.clear()
                    for space in self.temporaries:
                        space.used = 0
                    self._hand_on(instruction)
        self._fill(self.cotangents[theta], np.flatnonzero(~self._written[self.cotangents[theta]][:trained]))

    @property
    def temporaries(self) -> list[Space]:
        """What holds numbers while one instruction hands on its cotangent."""
        return [*self.scratch.values()]

    def _count_readers(self, forward: Sequence[Instruction], root: View) -> dict[Space, NDArray[np.int64]]:
        """How often each row is read on the way to the result."""
        readers = {space: np.zeros(space.size, np.int64) for space in self.cotangents}
        readers[root.space][root.start] += 2  # the seed is written, not handed on
        for instruction in forward:
            for view in instruction.views:
                once = _with_axes(view, [axis for axis, stride in enumerate(view.strides) if stride])
                chosen = instruction.rows if instruction.kind in {"gather", "project"} else None
                rows = once.rows if chosen is None else np.unique(chosen)
                readers[view.space][rows] += 1
        return readers

    def _is_active(self, view: View) -> bool:
        return bool(self._active[view.space][view.rows].any())

    def _emit(self, kind: str, out: View, *args: Arg, **more: Any) -> None:
        self.instructions.append(Instruction(kind, out, args, **more))

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
            self._emit("fill", View(space, int(run[0]), (len(run),), contiguous((len(run),))), 0.0)
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
            self._emit("map", out, before, more, op=ops.add)
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
        self._emit("gather", copy, View(space, 0, (space.size,), (1,)), rows=rows.ravel())
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
                self._contribute(view, lambda out: self._emit("map", out, value, factor, op=ops.mul))
            return
        negative = not isinstance(factor, View) and factor == -1.0
        if not negative and (isinstance(factor, View) or factor != 1.0):
            value = self.map(ops.mul, [value, factor])
        long = [i for i, size in enumerate(view.shape) if size > 1] or [0]
        value, axes = _with_axes(value, long), tuple([long.index(i) for i in axes])
        reduced = _with_axes(view, [i for i in long if view.strides[i]])
        if negative:
            total = self._new(view.batched, reduced.shape)
            self._emit("sum", total, value, axes=axes, over_batch=over_batch)
            self._hand_as_it_is(reduced, total, ops.neg, ops.sub)
        else:
            self._contribute(reduced, lambda out: self._emit("sum", out, value, axes=axes, over_batch=over_batch))

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
            self._emit("map", out, out, value, op=added)
        elif alone is None:
            self._contribute(view, lambda out: self._emit("move", out, value))
        else:
            self._contribute(view, lambda out: self._emit("map", out, value, op=alone))

    # Expressions

    def map(self, op: ops.Op, args: Sequence[Arg]) -> View:
        """The view of ``op`` at ``args``, computed anew only if the program has not got it."""
        key = _key(op, args)
        known = self._known.get(key) or self._temporary.get(key)
        if known is None:
            views = [arg for arg in args if isinstance(arg, View)]
            batched = any(view.batched for view in views)
            known = self._new(batched, views[0].shape)
            self._emit("map", known, *args, op=op)
            self._temporary[key] = known
        return known

    def _new(self, batched: bool, shape: tuple[int, ...]) -> View:  # noqa: FBT001 - a space is, or is not
        space = self.scratch[batched]
        return View(space, space.allocate(math.prod(shape)), shape, contiguous(shape))

    # The transposes

    def _hand_on(self, instruction: Instruction) -> None:
        if instruction.kind == "chain":
            self._chain(instruction)
            return
        if instruction.kind == "project":
            self._project(instruction)
            return
        gradient = self._cotangent(instruction.out)
        if gradient is not None:
            getattr(self, "_" + instruction.kind)(instruction, gradient)

    def _map(self, i: Instruction, gradient: View) -> None:
        assert i.op is not None
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
        shape = common([_loops(view) for view in (gradient, *views)])
        if shape is None:
            gradient = self._copied(gradient)
            shape = common([_loops(view) for view in (gradient, *views)])
        assert shape is not None
        sizes, strides = shape
        first, *others = [View(v.space, v.start, sizes, s) for v, s in zip((gradient, *views), strides, strict=True)]
        return first, others

    def _copied(self, view: View) -> View:
        copy = self._new(view.batched, view.shape)
        self._emit("move", copy, view)
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

    def _move(self, i: Instruction, gradient: View) -> None:
        (view,) = i.args
        self._hand(view, self._as(gradient, i.out) if gradient.shape != view.shape else gradient)

    def _reduce(self, i: Instruction, gradient: View) -> None:
        assert i.op is not None
        (view,) = i.args
        gradient = self._as(gradient, i.out)
        if i.op in STEP_BY_STEP:
            cotangents = self._new(view.batched, view.shape)
            self._emit("unfold", cotangents, gradient, i.out, view, op=i.op)
            self._hand(view, cotangents)
            return
        spread = View(gradient.space, gradient.start, view.shape, (*gradient.strides, 0))
        y = View(i.out.space, i.out.start, view.shape, (*i.out.strides, 0))
        (partial,) = i.op.partials(Term(self, y), Term(self, view))
        self._hand(view, spread, partial.view if isinstance(partial, Term) else partial)

    def _chain(self, i: Instruction) -> None:
        (x,) = i.args
        assert i.chain is not None
        space, active = self.cotangents[x.space], self._active[x.space]
        written = self._written[space]
        reached = np.concatenate([active[x.rows], np.zeros(len(i.chain.numbers), bool), active[i.out.rows]])
        chain = i.chain.differentiate(written[i.out.rows], reached, STOPS)
        if len(chain.back):
            d_x, d_out = View(space, x.start, x.shape, x.strides), View(space, i.out.start, i.out.shape, i.out.strides)
            self._emit("sweep", d_x, d_out, x, i.out, chain=chain)
            written[x.rows[chain.ends]] = True

    def _project(self, i: Instruction) -> None:
        """Take from cotangents of ``z = v - logsumexp(v)`` their sum, in parts that are the shares: that makes them those of v.

        That is done twice. Where one share is nearly 1, its own cotangent was lost to rounding the first time.
        """
        (view,) = i.args
        assert i.rows is not None
        rows, space = i.rows, self.cotangents[view.space]
        written = self._written[space][rows]
        if not written.any():
            return
        self._fill(space, rows[~written])
        self._projected[view.space][rows] = True
        starts = np.array(i.axes)
        lengths = np.diff(starts, append=rows.size)
        alike = bool((lengths == lengths[0]).all())
        if alike:
            rows = rows.reshape(lengths.size, -1)
        z = _strided(view.space, rows) or self._picked(view.space, rows)
        regular = z.space is view.space
        gradient = View(space, z.start, z.shape, z.strides) if regular else self._picked(space, rows)
        shares = self.map(ops.exp, [z.reshaped((z.size,)) if z.contiguous else z])
        shares = shares.reshaped(rows.shape)
        before = gradient if regular else self._copied(gradient).reshaped(rows.shape)
        for _ in range(2):
            total = self._new(view.batched, lengths.shape)
            if alike:
                self._emit("sum", total, gradient, axes=(1,))
                spread = View(total.space, total.start, rows.shape, (*total.strides, 0))
            else:
                self._emit("segments", total, gradient, op=ops.fsum, rows=starts)
                spread = self._gathered(total, np.repeat(np.arange(lengths.size), lengths), z)
            self._emit("map", gradient, gradient, self.map(ops.mul, [spread, shares]), op=ops.sub)
        if not regular:
            more = self.map(ops.sub, [gradient, before]).reshaped((rows.size,))
            self._gather(Instruction("gather", more, (view,), rows=i.rows), more)

    def _picked(self, space: Space, rows: NDArray[np.int64]) -> View:
        """A copy of the ``rows`` of a space."""
        out = self._new(space.batched, (rows.size,))
        self._emit("gather", out, View(space, 0, (space.size,), (1,)), rows=rows.ravel())
        return out.reshaped(rows.shape)

    def _segments(self, i: Instruction, gradient: View) -> None:
        (view,) = i.args
        assert i.op is not None
        assert i.rows is not None
        gradient = self._as(gradient, i.out)
        which = np.repeat(np.arange(i.out.size), np.diff(np.append(i.rows, view.size)))
        spread = self._gathered(gradient, which, view)
        y = i.out if i.op is ops.fsum else self._gathered(i.out, which, view)
        (partial,) = i.op.partials(Term(self, y), Term(self, view))
        self._hand(view, spread, partial.view if isinstance(partial, Term) else partial)

    def _gathered(self, view: View, rows: NDArray[np.int64], like: View) -> View:
        out = self._new(view.batched, like.shape)
        self._emit("gather", out, view.reshaped((view.size,)) if view.contiguous else self._copied(view), rows=rows)
        return out

    def _product(self, i: Instruction, gradient: View) -> None:
        a, b, *biases = i.args
        sparse = self._is_sparse(i.out)
        gradient = self._matrix(self._as(gradient, i.out))
        for bias in biases:
            self._hand(View(bias.space, bias.start, i.out.shape, (*bias.strides, 0)), gradient)
        if self._is_active(a):
            how: dict[str, Any] = {"transposed": (False, True), "finite": (b,) if sparse else ()}
            self._contribute(a, lambda out: self._emit("product", out, gradient, b, **how))
        if self._is_active(b):
            turned: dict[str, Any] = {"transposed": (True, False), "finite": (a,) if sparse else ()}
            self._contribute(b, lambda out: self._emit("product", out, a, gradient, **turned))

    def _pairwise(self, i: Instruction, gradient: View) -> None:
        a, b = i.args
        sparse = self._is_sparse(i.out)
        gradient = self._matrix(self._as(gradient, i.out))
        if self._is_active(a):
            self._contribute(a, lambda out: self._emit("pairwise", out, gradient, b, finite=(b,) if sparse else ()))
        if self._is_active(b):
            finite = (*((a,) if sparse else ()), *((gradient,) if i.finite else ()))
            self._contribute(b, lambda out: self._emit("pairwise", out, gradient, a, transposed=(True, False), finite=finite))

    def _is_sparse(self, out: View) -> bool:
        """Whether some items of a matrix product are of no use, so that their cotangents, which are 0, meet its factors."""
        return (out.space, out.start) not in self._stand_ins and not self._written[self.cotangents[out.space]][out.rows].all()

    def _matrix(self, gradient: View) -> View:
        """``gradient`` itself, or a copy if it is spread, which is no matter for a matrix product."""
        return gradient if gradient.contiguous else self._copied(gradient).reshaped(gradient.shape)

    def _gather(self, i: Instruction, gradient: View) -> None:
        (view,) = i.args
        assert i.rows is not None
        gradient = self._as(gradient, i.out)
        if not gradient.contiguous:
            gradient = self._copied(gradient)
        rows = view.start + i.rows
        order = np.argsort(rows, kind="stable")
        order = order[self._active[view.space][rows[order]]]
        unique, starts, counts = np.unique(rows[order], return_index=True, return_counts=True)
        often = int(counts[0])

        def summed(out: View) -> None:
            """Write the sum of what was handed to each row."""
            out = out.reshaped((len(unique),)) if out.contiguous else out
            if (counts == 1).all():
                self._emit("gather", out, gradient, rows=order)
                return
            ordered = gradient
            if not np.array_equal(order, np.arange(gradient.size)):
                ordered = self._new(gradient.batched, order.shape)
                self._emit("gather", ordered, gradient, rows=order)
            if (counts == often).all():
                self._emit("sum", out, ordered.reshaped((len(unique), often)), axes=(1,))
            else:
                self._emit("segments", out, ordered, op=ops.fsum, rows=starts)

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
        whole = View(space, 0, (space.size,), contiguous((space.size,)))
        written = self._written[space][unique]
        if written.any():
            total = self.map(ops.add, [self._copy(space, unique, written), total])
        self._emit("scatter", whole, total, rows=unique)
        self._written[space][unique] = True

    def _take(self, i: Instruction, gradient: View) -> None:
        table, index = i.args
        gradient = self._matrix(self._as(gradient, i.out))
        if self._is_active(table):
            self._contribute(table, lambda out: self._emit("put", out, gradient, index))

    def _pick(self, i: Instruction, gradient: View) -> None:
        table, index = i.args
        gradient = self._as(gradient, i.out)
        if self._is_active(table):
            self._contribute(table, lambda out: self._emit("place", out, gradient, index))


def _with_axes(view: View, axes: Sequence[int]) -> View:
    """The view with these axes only, the others being of length 1 or spread."""
    return View(
        view.space, view.start, tuple([view.shape[i] for i in axes]) or (1,), tuple([view.strides[i] for i in axes]) or (0,)
    )


def _strided(space: Space, rows: NDArray[np.int64]) -> View | None:
    """The view of ``rows``, a table or one axis of them; None if they have no pattern."""
    origin = int(rows.flat[0])
    strides = tuple(
        [
            int(rows[tuple(step)]) - origin if n > 1 else 0
            for n, step in zip(rows.shape, np.eye(rows.ndim, dtype=int), strict=True)
        ]
    )
    view = View(space, origin, rows.shape, strides)
    return view if np.array_equal(view.rows, rows) else None


def _loops(view: View) -> list[tuple[int, int]]:
    return [(n, s) for n, s in zip(view.shape, view.strides, strict=True) if n > 1] or [(1, 0)]


def _key(op: ops.Op | None, args: Sequence[Arg]) -> object:
    return op, *[(a.space, a.start, a.shape, a.strides) if isinstance(a, View) else a for a in args]


def _active(
    forward: Sequence[Instruction], spaces: Sequence[Space], theta: Space, trained: int
) -> dict[Space, NDArray[np.bool_]]:
    """Which rows of each space a gradient flows through to theta."""
    active = {space: np.zeros(space.size, bool) for space in spaces}
    active[theta][:trained] = True
    for i in forward:
        if i.kind in {"peak", "project"} or i.op in STOPS or (i.kind == "segments" and i.op is ops.maximum):
            continue
        if i.kind == "gather":
            active[i.out.space][i.out.rows] = active[i.args[0].space][i.rows]
        elif i.kind in ("map", "move"):
            some = np.zeros(i.out.shape, bool)
            for view in i.views:
                some |= active[view.space][view.rows].reshape(some.shape)
            active[i.out.space][i.out.rows] = some
        elif i.chain is not None:
            (x,) = i.args
            active[i.out.space][i.out.rows] = i.chain.reached(active[x.space][x.rows], STOPS)
        else:
            active[i.out.space][i.out.rows] = any(active[view.space][view.rows].any() for view in i.views)
    return active


def differentiate(forward: Sequence[Instruction], spaces: Sequence[Space], theta: Space, trained: int, root: View) -> Sweep:
    """What differentiates the row ``root`` of a program by the first ``trained`` rows of ``theta``."""
    return Sweep(forward, spaces, theta, trained, root)
