"""What a legal plan is. The tests hold every plan that the compiler makes to it, as a hook of ``lower``."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np

from autograd.compiler import instructions as ir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.plan import Plan
    from autograd.compiler.steps import Steps
    from autograd.compiler.views import Space

    Insist = Callable[[object, str], None]
    Held = dict[Space, NDArray[np.bool_]]


class IllegalProgramError(AssertionError):
    """The compiler has made an illegal instruction."""


def validate(plan: Plan) -> None:
    """Raise IllegalProgramError, naming the instruction and the rule, unless ``plan`` is legal."""
    held = legal([*plan.forward, *plan.once, *plan.backward], [plan.theta, *plan.inputs])
    wanted = [(view.space, view.rows) for view in (plan.roots, plan.total)]
    if plan.slopes is not None:
        wanted.append((plan.slopes, np.arange(plan.trained)))
    for space, rows in wanted:
        if not _held(held, space)[rows].all():
            msg = f"not true that the results and the gradient have been written in {space.name}"
            raise IllegalProgramError(msg)


def legal(instructions: Iterable[ir.Instruction], given: Sequence[Space]) -> Held:
    """Which rows of each space hold numbers after ``instructions``, if the spaces ``given`` are full at the start.

    Raises IllegalProgramError, naming the instruction, where a view leaves its space, shapes do not fit, a row is read before
    it is written, a constant is written to, an instruction reads what it is writing, or numbers of examples are put where
    there is room for a single number.
    """
    held = {space: np.ones(space.size, bool) for space in given}
    for position, instruction in enumerate(instructions):

        def insist(truth: object, claim: str, position: int = position, i: ir.Instruction = instruction) -> None:
            if not truth:
                msg = f"instruction {position}, {i}: not true that {claim}"
                raise IllegalProgramError(msg)

        for view in (instruction.out, *instruction.views):
            insist(len(view.shape) == len(view.strides) and min(view.shape, default=1) > 0, "a view has a stride for each axis")
            insist(view.rows.min() >= 0 and view.rows.max() < len(_held(held, view.space)), f"{view} lies inside of its space")
        if isinstance(instruction, ir.Gather):
            rows, size = instruction.rows, instruction.x.size
            insist(rows.min() >= 0 and rows.max() < size, "the rows that it gathers exist")
        _shapes(instruction, insist)
        _reads(instruction, held, insist)
        _writes(instruction, held, given, insist)
        summed = isinstance(instruction, ir.Product | ir.Put | ir.Place) or (
            isinstance(instruction, ir.Sum) and instruction.over_batch
        )
        mixed = not instruction.out.batched and any(view.batched for view in instruction.views)
        insist(not mixed or summed, "numbers that differ by example are summed before they go to a space without examples")
    return held


def _held(held: Held, space: Space) -> NDArray[np.bool_]:
    """Which rows of ``space`` hold numbers: its constants, to begin with."""
    if space not in held:
        held[space] = np.zeros(space.size, bool)
        held[space][[*space.filled]] = True
    return held[space]


def _reads(i: ir.Instruction, held: Held, insist: Insist) -> None:
    checked = [(view.space, view.rows.ravel()) for view in (i.finite if isinstance(i, ir.Product | ir.Pairwise) else ())]
    for space, rows in [*i.reads, *checked]:
        insist(_held(held, space)[rows].all(), f"what it reads in {space.name} has been written")


def _writes(i: ir.Instruction, held: Held, given: Sequence[Space], insist: Insist) -> None:
    space, rows = i.out.space, i.writes
    insist(space not in given, "it does not write to the arrays of the caller")
    insist(len(np.unique(rows)) == len(rows), "it writes each row once")
    insist(not set(rows.tolist()) & set(space.filled), "it does not write to constants")
    in_place = [i.out] if isinstance(i, ir.Map) else []
    if not isinstance(i, ir.Scatter | ir.Sweep | ir.Project):
        read = [rows for view, (other, rows) in zip(i.views, i.reads, strict=True) if other is space and view not in in_place]
        insist(
            not set(rows.tolist()).intersection(*[r.tolist() for r in read]) or not read, "it does not read what it is writing"
        )
    _held(held, space)[rows] = True


def _shapes(i: ir.Instruction, insist: Insist) -> None:  # noqa: C901, PLR0912 - one case for each kind
    """The rules of each kind."""
    out = i.out
    match i:
        case ir.Map(_, op):
            insist(len(i.args) > 0, "it has arguments")
            insist(all(view.shape == out.shape for view in i.views), "all shapes are the same")
            insist(op.arity in (None, len(i.args)), "the operation takes this number of arguments")
        case ir.Move(_, x):
            insist(x.shape == out.shape, "the shapes are the same")
        case ir.Fill(_, number):
            insist(isinstance(number, float), "it is filled with a number")
        case ir.Seed():
            insist(out.size == 1, "there is one result")
        case ir.Reduce(_, _, x) | ir.Peak(_, x):
            insist(x.shape[:-1] == out.shape, "out has the shape of x without the last axis")
        case ir.Segments(_, _, x, starts) | ir.Peaks(_, x, starts):
            insist(len(x.shape) == 1 and out.shape == starts.shape, "there is a result for each segment")
            insist(starts[0] == 0 and (np.diff(starts) > 0).all() and starts[-1] < x.size, "no segment is empty")
        case ir.Sum(_, x, axes, over_batch):
            kept = tuple([size for axis, size in enumerate(x.shape) if axis not in axes]) or (1,)
            insist(kept == out.shape, "out has the shape of x without the axes that are summed")
            insist(axes or over_batch, "there is something to sum over")
        case ir.Unfold(_, _, d_y, y, x):
            fits = x.shape == out.shape and d_y.shape == y.shape == x.shape[:-1]
            insist(fits, "there is a cotangent for each item that was reduced")
        case ir.Chain(_, x, steps):
            insist(len(x.shape) == len(out.shape) == 1, "its rows are in one axis")
            insist(steps.given == x.size and len(steps.code) == out.size, "there is a row for each step")
            _steps(steps, insist)
        case ir.Sweep(_, d_y, x, y, steps):
            fits = steps.given == x.size == out.size and len(steps.code) == y.size == d_y.size
            insist(fits and out.space is d_y.space, "there is a row for each step")
            _swept(steps, insist)
        case ir.Product() | ir.Pairwise():
            _matrices(i, insist)
        case ir.Gather(_, x, rows):
            insist(len(x.shape) == 1 and out.size == rows.size, "there is room for each row")
        case ir.Scatter(_, x, rows):
            insist(len(out.shape) == 1 and x.size == rows.size, "there is a row for each number")
        case ir.Take(taken, table, index) | ir.Put(table, taken, index):
            insist(not table.batched, "all examples share the table")
            fits = len(table.shape) == 2 and taken.shape == (table.shape[0], index.size)  # noqa: PLR2004 - a matrix
            insist(fits, "a column is taken for each index")
        case ir.Pick(item, table, index) | ir.Place(table, item, index):
            fits = len(table.shape) == 2 and table.shape[:1] == item.shape == index.shape  # noqa: PLR2004 - a matrix
            insist(fits, "an item is picked from each row")
        case ir.Project():
            insist(False, "plans have no projections")
        case _:
            assert_never(i)


def _steps(steps: Steps, insist: Insist) -> None:
    last = np.repeat(steps.base + np.arange(len(steps.code)), np.diff(steps.first))
    insist(((steps.arg >= 0) & (steps.arg < last)).all(), "no step needs a later one")
    for k, code in enumerate(steps.code.tolist()):
        row, arity = steps.rows[code], int(steps.first[k + 1] - steps.first[k])
        insist(row.arity in (None, arity), "operations take this number of arguments")


def _swept(steps: Steps, insist: Insist) -> None:
    written = [False] * steps.base + steps.received.tolist()
    for k in steps.back.tolist():
        insist(written[steps.base + k], "a step has a cotangent to hand on")
        for j in range(steps.first[k], steps.first[k + 1]):
            if (to := int(steps.target[j])) >= 0:
                insist(to == steps.arg[j], "cotangents go to arguments")
                insist(bool(steps.adds[j]) == written[to], "the first contribution is written, later ones are added")
                written[to] = True


def _matrices(i: ir.Product | ir.Pairwise, insist: Insist) -> None:
    a, b, out = i.a, i.b, i.out
    sizes = [
        (v.shape[0], *(v.shape[1:] if not turned else v.shape[:0:-1])) for v, turned in zip((a, b), i.transposed, strict=True)
    ]
    insist(all(len(v.shape) == 3 for v in (a, b, out)), "all are stacks of matrices")  # noqa: PLR2004 - axes
    (g, m, k), (g2, k2, n) = sizes
    insist((g, k) == (g2, k2) and out.shape == (g, m, n), "the matrices fit")
    if isinstance(i, ir.Pairwise):
        insist(all(v.batched == out.batched for v in (a, b)), "each example has a product of its own")
        return
    for view in (a, b, out):
        insist(not view.batched or view.shape[2] == 1 or view.strides[2] == 1, "columns and examples can be one axis")
    insist(i.bias is None or i.bias.shape == (g, m), "there is a bias for each row")
