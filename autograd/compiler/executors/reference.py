"""The meaning of instructions: each is executed by itself, in plain NumPy.

This is the definition of the instruction set, written to be read. The tests hold all other executors to it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.executors.runtime import check, index
from autograd.compiler.folds import FOLDED, Fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from autograd.compiler.plan import Plan
    from autograd.compiler.steps import Steps
    from autograd.compiler.views import Space, View


class Memory:
    """The numbers in each space: an array (rows, examples), or (rows) if it is not batched. Unwritten rows are NaN."""

    def __init__(self, batch: int, dtype: Any = float, given: dict[Space, NDArray[Any]] | None = None) -> None:
        self.batch = batch
        self.arrays = given or {}
        self._dtype = dtype

    def of(self, space: Space) -> NDArray[Any]:
        """The array of a space."""
        if space not in self.arrays:
            array = np.full((space.size, self.batch) if space.batched else space.size, np.nan, self._dtype)
            for row, number in space.filled.items():
                array[row] = number
            self.arrays[space] = array
        return self.arrays[space]

    def read(self, x: View | float, *, batched: bool | None = None) -> Any:
        """The numbers of a view, in its shape, and with one more axis for the examples if it is, or is to be, ``batched``."""
        if isinstance(x, float):
            return x
        numbers = self.of(x.space)[x.rows]
        return numbers[..., None] if batched and not x.batched else numbers

    def execute(self, instructions: Iterable[ir.Instruction], seed: float = 1.0) -> None:
        """Execute ``instructions``. ``seed`` is the cotangent of the result of each example."""
        with np.errstate(all="ignore"):
            for i in instructions:
                if isinstance(i, ir.Sweep):
                    self._sweep(i)
                elif isinstance(i, ir.Scatter):
                    self.of(i.out.space)[i.writes] = self.read(i.x)
                else:
                    y = self._result(i, seed)
                    self.of(i.out.space)[i.out.rows] = y[..., None] if i.out.batched and np.ndim(y) == len(i.out.shape) else y

    def _result(self, i: ir.Instruction, seed: float) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case for each kind
        """What an instruction writes to its ``out``."""
        batched, read = i.out.batched, self.read
        match i:
            case ir.Map(_, op, args):
                return np.asarray(op.on_arrays(*[read(arg, batched=batched) for arg in args]))
            case ir.Move(_, x):
                return read(x, batched=batched)
            case ir.Fill(_, number):
                return np.full(i.out.shape, number)
            case ir.Seed():
                return np.full(i.out.shape, seed)
            case ir.Reduce(_, op, x):
                return FOLDED[op].reduce(read(x), axis=len(x.shape) - 1)
            case ir.Peak(_, x):
                return _clamped(read(x).max(axis=len(x.shape) - 1))
            case ir.Peaks(_, x, starts):
                return _clamped(_each_run(np.maximum, read(x), starts))
            case ir.Segments(_, op, x, starts):
                return _each_run(FOLDED[op], read(x), starts)
            case ir.Sum(_, x, axes, over_batch):
                return (
                    read(x)
                    .sum(axis=(*axes, len(x.shape)) if over_batch else axes)
                    .reshape((*i.out.shape, -1)[: len(i.out.shape) + batched])
                )
            case ir.Unfold(_, op, d_y, y, x):
                items = np.moveaxis(read(x), len(x.shape) - 1, 0)
                partials = (op if op is ops.prod else Fold(op)).partials(read(y), *items)
                return np.stack([read(d_y) * partial for partial in partials], axis=len(x.shape) - 1)
            case ir.Chain(_, x, steps):
                return np.stack(_cells(steps, read(x))[steps.base :])
            case ir.Product(_, a, b) | ir.Pairwise(_, a, b):
                for view in i.finite:
                    check(read(view))
                factors = [np.moveaxis(read(v, batched=True), -1, 0) for v in (a, b)]
                left, right = [np.swapaxes(f, -1, -2) if t else f for f, t in zip(factors, i.transposed, strict=True)]
                y = np.moveaxis(left @ right, 0, -1) if batched else (left @ right).sum(axis=0)
                return y + read(i.bias, batched=batched)[:, :, None] if isinstance(i, ir.Product) and i.bias else y
            case ir.Gather(_, x, rows):
                return read(x)[rows.ravel()].reshape((*i.out.shape, -1)[: len(i.out.shape) + batched])
            case ir.Take(_, table, which):
                return read(table)[:, index(read(which), table.shape[1])]
            case ir.Put(_, d_y, which):
                total, columns = np.zeros(i.out.shape), index(read(which, batched=d_y.batched), i.out.shape[1])
                np.add.at(total.T, np.broadcast_to(columns, read(d_y).shape[1:]), np.moveaxis(read(d_y), 0, -1))
                return total
            case ir.Pick(_, table, which):
                chosen = index(read(which, batched=batched), table.shape[1])[:, None]
                return np.take_along_axis(read(table, batched=batched), chosen, axis=1)[:, 0]
            case ir.Place(_, d_y, which):
                examples = (self.batch,) if d_y.batched or which.batched else ()
                placed = np.zeros((*i.out.shape, *examples))
                chosen = np.broadcast_to(index(read(which, batched=bool(examples)), i.out.shape[1]), (len(placed), *examples))
                np.put_along_axis(placed, chosen[:, None], read(d_y, batched=bool(examples))[:, None], axis=1)
                return placed if batched or not examples else placed.sum(axis=-1)
            case ir.Scatter() | ir.Sweep() | ir.Project():
                raise AssertionError
            case _:
                assert_never(i)

    def _sweep(self, i: ir.Sweep) -> None:
        """From the last step to the first: hand ``cotangent * partial`` to the cells of the step's arguments."""
        steps, y = i.steps, self.read(i.y)
        cells = _cells(steps, self.read(i.x), y)
        cotangents = [0.0] * steps.base + [d if got else 0.0 for d, got in zip(self.read(i.d_y), steps.received, strict=True)]
        for k in steps.back.tolist():
            places = range(steps.first[k], steps.first[k + 1])
            partials = steps.rows[steps.code[k]].partials(y[k], *[cells[steps.arg[j]] for j in places])
            for j, partial in zip(places, partials, strict=True):
                if steps.target[j] >= 0:
                    cotangents[steps.target[j]] = cotangents[steps.target[j]] + cotangents[steps.base + k] * partial
        self.of(i.out.space)[i.out.rows[steps.ends]] = [np.broadcast_to(cotangents[c], y[0].shape) for c in steps.ends]


def _clamped(x: Any) -> Any:
    largest = np.finfo(x.dtype).max
    return np.clip(x, -largest, largest)


def _each_run(ufunc: Any, x: Any, starts: Any) -> Any:
    return np.stack([ufunc.reduce(run, axis=0) for run in np.split(x, starts[1:])])


def _cells(steps: Steps, x: Any, y: Any = None) -> list[Any]:
    """The cells of a chain: the rows of x, the numbers, and the rows of y, which are computed unless they are given."""
    cells = [*x, *map(x.dtype.type, steps.numbers), *([] if y is None else y)]
    for k in range(len(steps.code) if y is None else 0):
        row, args = steps.rows[steps.code[k]], [cells[c] for c in steps.arg[steps.first[k] : steps.first[k + 1]]]
        if row is ops.select:
            index(np.atleast_1d(args[0]), len(args) - 1)
        cells.append(np.asarray(row.on_arrays(*args), x.dtype))
    return cells


class Reference:
    """The executor that interprets a plan's instructions."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @property
    def source(self) -> str:
        """The instructions, one a line."""
        return "".join([f"{i}\n" for i in (*self._plan.forward, *self._plan.once, *self._plan.backward)])

    def step(self, batch: int) -> Callable[..., Any]:
        """The function of theta and of the input arrays that runs the plan for ``batch`` examples."""
        return functools.partial(self._run, batch)

    def _run(self, batch: int, theta: NDArray[Any], *arrays: Any) -> Any:
        plan = self._plan
        *inputs, differentiate = arrays if plan.reduction else (*arrays, False)
        memory = Memory(batch, plan.dtype, {plan.theta: theta} | {s: x.T for s, x in zip(plan.inputs, inputs, strict=True)})
        memory.execute(plan.forward)
        if plan.reduction is None:
            return np.broadcast_to(memory.read(plan.roots, batched=True), (plan.roots.size, batch)).T.copy()
        seed = float(batch) ** plan.power
        value = float(memory.read(plan.total).sum() * seed)
        if not differentiate:
            return value
        memory.execute([*plan.once, *plan.backward], seed)
        assert plan.slopes is not None
        return value, memory.of(plan.slopes)[: plan.trained].T.copy()
