"""Reverse mode over instructions: from the last to the first, instructions that hand its cotangent on to its arguments.

The partial derivatives are those of the table, applied to views. The transposes of the other kinds of instructions stand here.
What no parameter depends on is not computed. Of y = tanh(W x), with W in theta and x an input,

    v[0:2] = product(W, x)          the forward part; y is v[2:4]
    v[2:4] = tanh(v[0:2])

    t[0:2] = sech(v[0:2])           the derivative of tanh is the square of sech
    t[2:4] = square(t[0:2])
    d_v[0:2] = mul(d_v[2:4], t[2:4])
    d_theta = product(d_v[0:2], x.T)

and nothing computes a cotangent of x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.cotangents import Cotangents, Term
from autograd.compiler.folds import STEP_BY_STEP
from autograd.compiler.views import View, common, contiguous, nested, strided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.views import Space


def differentiate(
    forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, trained: int, root: View
) -> Cotangents:
    """The instructions that differentiate the row ``root`` by the first ``trained`` rows of ``variable``, theta or an input."""
    return _Reverse(forward, spaces, variable, trained, root).d


class _Reverse:
    """The transposes of instructions. ``d`` holds the cotangents."""

    def __init__(
        self, forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, trained: int, root: View
    ) -> None:
        self.d = Cotangents(forward, spaces, variable, root)
        self._active = _active(forward, spaces, variable, trained)
        self._projected = {space: np.zeros(space.size, bool) for space in spaces}
        """Rows of log-shares whose cotangents have been projected."""
        if self._active[root.space][root.start]:
            self.d.contribute(root, lambda out: self.d.emit(ir.Seed(out)))
            for instruction in reversed(forward):
                if self._is_active(instruction.out):
                    self._hand_on(instruction)
                    self.d.forget()
        gradient = self.d.gradient
        self.d.fill(gradient, np.flatnonzero(~self.d.written[gradient][:trained]))

    def _is_active(self, view: View) -> bool:
        return bool(self._active[view.space][view.rows].any())

    def _hand_on(self, i: ir.Instruction) -> None:  # noqa: C901, PLR0912 - one case for each kind
        """Hand the cotangent of ``i.out`` on to the arguments of ``i``."""
        if isinstance(i, ir.Chain):
            self._chain(i)
            return
        if isinstance(i, ir.Project):
            self._project(i)
            return
        gradient = self.d.of(i.out)
        if gradient is None:
            return
        match i:
            case ir.Map():
                self._map(i, gradient)
            case ir.Move():
                self.d.hand(i.x, self._as(gradient, i.out) if gradient.shape != i.x.shape else gradient)
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
                    self.d.contribute(i.table, lambda out: self.d.emit(ir.Put(out, taken, i.index)))
            case ir.Pick():
                picked = self._as(gradient, i.out)
                if self._is_active(i.table):
                    self.d.contribute(i.table, lambda out: self.d.emit(ir.Place(out, picked, i.index)))
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
        partials = i.op.partials(*[Term(self.d, a) if isinstance(a, View) else a for a in (out, *args)])
        if self._projected[i.out.space][i.out.rows].all():  # the projection has handed its share to the logsumexp
            args, partials = args[:1], partials[:1]
        for arg, partial in zip(args, partials, strict=True):
            if isinstance(arg, View) and self._is_active(arg):
                self.d.hand(arg, gradient, partial.view if isinstance(partial, Term) else float(partial))

    def _in_one_shape(self, gradient: View, views: list[View]) -> tuple[View, list[View]]:
        """``gradient`` and ``views`` in one shape. A cotangent that stands in for another one may have a shape of its own."""
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
        copy = self.d.new(view.shape, batched=view.batched)
        self.d.emit(ir.Move(copy, view))
        return copy.reshaped((copy.size,))

    def _as(self, gradient: View, view: View) -> View:
        """``gradient`` in the shape and the order of the contiguous ``view``."""
        if gradient.shape == view.shape:
            return gradient
        loops = nested(gradient.rows.ravel())
        target = View(gradient.space, gradient.start, view.shape, contiguous(view.shape))
        if loops is not None and np.array_equal(target.rows.ravel(), gradient.rows.ravel()):
            return target
        return self._copied(gradient).reshaped(view.shape)

    def _reduce(self, i: ir.Reduce, gradient: View) -> None:
        if i.op in STEP_BY_STEP:
            cotangents = self.d.new(i.x.shape, batched=i.x.batched)
            self.d.emit(ir.Unfold(cotangents, i.op, gradient, i.out, i.x))
            self.d.hand(i.x, cotangents)
            return
        (partial,) = i.op.partials(Term(self.d, i.out.spread(i.x.shape[-1])), Term(self.d, i.x))
        self.d.hand(i.x, gradient.spread(i.x.shape[-1]), partial.view if isinstance(partial, Term) else partial)

    def _chain(self, i: ir.Chain) -> None:
        x, out = i.x, i.out
        space, active = self.d.spaces[x.space], self._active[x.space]
        written = self.d.written[space]
        reached = np.concatenate([active[x.rows], np.zeros(len(i.steps.numbers), bool), active[out.rows]])
        steps = i.steps.differentiate(written[out.rows], reached)
        if len(steps.back):
            d_x, d_y = View(space, x.start, x.shape, x.strides), View(space, out.start, out.shape, out.strides)
            self.d.emit(ir.Sweep(d_x, d_y, x, out, steps))
            written[x.rows[steps.ends]] = True

    def _project(self, i: ir.Project) -> None:
        """Turn the cotangents g of log-shares ``z = v - logsumexp(v)`` into those of v: ``g - exp(z) * sum(g)``.

        With z = log(0.25), log(0.75) and g = 1, 0, the cotangents of v are 0.75, -0.75. They add up to 0. The projection is
        done twice, because a share near 1 loses the digits of its own cotangent the first time.
        """
        view = i.out
        rows, space = i.rows, self.d.spaces[view.space]
        written = self.d.written[space][rows]
        if not written.any():
            return
        self.d.fill(space, rows[~written])
        self._projected[view.space][rows] = True
        lengths = np.diff(i.starts, append=rows.size)
        alike = bool((lengths == lengths[0]).all())
        if alike:
            rows = rows.reshape(lengths.size, -1)
        z = strided(view.space, rows) or self._picked(view.space, rows)
        regular = z.space is view.space
        gradient = View(space, z.start, z.shape, z.strides) if regular else self._picked(space, rows)
        shares = self.d.map(ops.exp, [z.reshaped((z.size,)) if z.contiguous else z])
        shares = shares.reshaped(rows.shape)
        before = gradient if regular else self._copied(gradient).reshaped(rows.shape)
        for _ in range(2):
            total = self.d.new(lengths.shape, batched=view.batched)
            if alike:
                self.d.emit(ir.Sum(total, gradient, (1,)))
                spread = total.spread(rows.shape[1])
            else:
                self.d.emit(ir.Segments(total, ops.fsum, gradient, i.starts))
                spread = self._gathered(total, np.repeat(np.arange(lengths.size), lengths), z)
            self.d.emit(ir.Map(gradient, ops.sub, (gradient, self.d.map(ops.mul, [spread, shares]))))
        if not regular:
            more = self.d.map(ops.sub, [gradient, before]).reshaped((rows.size,))
            self._gather(view, i.rows, more)

    def _picked(self, space: Space, rows: NDArray[np.int64]) -> View:
        """A copy of the ``rows`` of a space."""
        out = self.d.new((rows.size,), batched=space.batched)
        self.d.emit(ir.Gather(out, space.all_rows, rows.ravel()))
        return out.reshaped(rows.shape)

    def _segments(self, i: ir.Segments, gradient: View) -> None:
        which = np.repeat(np.arange(i.out.size), np.diff(np.append(i.starts, i.x.size)))
        spread = self._gathered(gradient, which, i.x)
        y = i.out if i.op is ops.fsum else self._gathered(i.out, which, i.x)
        (partial,) = i.op.partials(Term(self.d, y), Term(self.d, i.x))
        self.d.hand(i.x, spread, partial.view if isinstance(partial, Term) else partial)

    def _gathered(self, view: View, rows: NDArray[np.int64], like: View) -> View:
        out = self.d.new(like.shape, batched=view.batched)
        self.d.emit(ir.Gather(out, view.reshaped((view.size,)) if view.contiguous else self._copied(view), rows))
        return out

    def _product(self, i: ir.Product, gradient: View) -> None:
        a, b, sparse = i.a, i.b, self._is_sparse(i.out)
        if i.bias is not None:
            self.d.hand(i.bias.spread(i.out.shape[-1]), gradient)
        if self._is_active(a):
            self.d.contribute(a, lambda out: self.d.emit(ir.Product(out, gradient, b, (False, True), (b,) if sparse else ())))
        if self._is_active(b):
            self.d.contribute(b, lambda out: self.d.emit(ir.Product(out, a, gradient, (True, False), (a,) if sparse else ())))

    def _pairwise(self, i: ir.Pairwise, gradient: View) -> None:
        a, b, sparse = i.a, i.b, self._is_sparse(i.out)
        if self._is_active(a):
            self.d.contribute(a, lambda out: self.d.emit(ir.Pairwise(out, gradient, b, finite=(b,) if sparse else ())))
        if self._is_active(b):
            finite = (*((a,) if sparse else ()), *((gradient,) if i.finite else ()))
            self.d.contribute(b, lambda out: self.d.emit(ir.Pairwise(out, gradient, a, (True, False), finite)))

    def _is_sparse(self, out: View) -> bool:
        """Whether nothing uses some items of a matrix product, so that zeros among the cotangents meet its factors."""
        return not self.d.is_complete(out)

    def _matrix(self, gradient: View) -> View:
        """``gradient`` itself, or a copy if its rows do not follow one another, as matrix products need."""
        return gradient if gradient.contiguous else self._copied(gradient).reshaped(gradient.shape)

    def _gather(self, view: View, chosen: NDArray[np.int64], gradient: View) -> None:
        """Add the items of ``gradient`` to the cotangents of the rows of ``view`` that were ``chosen``.

        A row may have been chosen several times. Of the rows 7, 5, 7, with the cotangents g0, g1, g2, the items are sorted by
        row, (g1), (g0, g2), and each run is summed: the contributions to rows 5 and 7 are g1 and g0 + g2. The runs are one
        array if they are of one length, and segments otherwise. If rows 5 and 7 form a view, as they do here, the sums are
        written, or added, there. If not, they are scattered.
        """
        if not gradient.contiguous:
            gradient = self._copied(gradient)
        rows = view.start + chosen
        order = np.argsort(rows, kind="stable")
        order = order[self._active[view.space][rows[order]]]
        unique, starts, counts = np.unique(rows[order], return_index=True, return_counts=True)
        often = int(counts[0])

        def summed(out: View) -> None:
            """Emit what writes the sum of each run to ``out``."""
            out = out.reshaped((len(unique),)) if out.contiguous else out
            if (counts == 1).all():
                self.d.emit(ir.Gather(out, gradient, order))
                return
            ordered = gradient
            if not np.array_equal(order, np.arange(gradient.size)):
                ordered = self.d.new(order.shape, batched=gradient.batched)
                self.d.emit(ir.Gather(ordered, gradient, order))
            if (counts == often).all():
                self.d.emit(ir.Sum(out, ordered.reshaped((len(unique), often)), (1,)))
            else:
                self.d.emit(ir.Segments(out, ops.fsum, ordered, starts))

        loops = nested(unique)
        if loops is not None and len(loops) <= 1 and gradient.batched == view.batched:
            ((size, stride),) = loops or [(1, 0)]
            self.d.contribute(View(view.space, int(unique[0]), (size,), (stride,)), summed)
            return
        summed(total := self.d.new((len(unique),), batched=gradient.batched))
        if loops is not None:
            shape, strides = tuple([n for n, _ in loops or [(1, 0)]]), tuple([s for _, s in loops or [(1, 0)]])
            self.d.hand(View(view.space, int(unique[0]), shape, strides), total.reshaped(shape))
            return
        space = self.d.spaces[view.space]
        written = self.d.written[space][unique]
        if written.any():
            total = self.d.map(ops.add, [self.d.copy(space, unique, written), total])
        self.d.emit(ir.Scatter(space.all_rows, total, unique))
        self.d.written[space][unique] = True


def _active(
    forward: Sequence[ir.Instruction], spaces: Sequence[Space], variable: Space, trained: int
) -> dict[Space, NDArray[np.bool_]]:
    """Which rows of each space a gradient leads from to the first ``trained`` rows of ``variable``."""
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
