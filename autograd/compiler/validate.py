"""What a legal list of instructions is. The tests hold every program that they compile to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autograd import ops
from autograd.compiler.folds import Fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.instructions import Instruction, Space, View


class IllegalProgramError(AssertionError):
    """A pass of the compiler has made a list of instructions that is none."""


def validate(instructions: Iterable[Instruction], given: Sequence[Space]) -> dict[Space, NDArray[np.bool_]]:
    """Which rows of each space hold numbers after the ``instructions``, the spaces ``given`` being full from the start.

    Raises IllegalProgramError, naming the instruction, where a view leaves its space, shapes do not fit, a row is read before
    it is written, a constant is written to, an instruction reads what it is writing, or a number for each example is put where
    there is room for a single one.
    """
    held = {space: np.ones(space.size, bool) for space in given}
    for position, instruction in enumerate(instructions):

        def insist(truth: object, claim: str, position: int = position, i: Instruction = instruction) -> None:
            if not truth:
                msg = f"instruction {position}, {i.kind} {i.op.name if i.op else ''} to {i.out}: not true that {claim}"
                raise IllegalProgramError(msg)

        for view in (instruction.out, *instruction.views):
            rows = _held(held, view.space)
            insist(len(view.shape) == len(view.strides) and min(view.shape, default=1) > 0, "a view has a stride for each axis")
            insist(view.rows.min() >= 0 and view.rows.max() < len(rows), f"{view} lies inside of its space")
        _reads(instruction, held, insist)
        _writes(instruction, held, given, insist)
        _SHAPES[instruction.kind](instruction, insist)
        for view in instruction.views:
            if view.space is instruction.out.space and (instruction.kind, view) != ("map", instruction.out):
                apart = not set(_rows_read(instruction, view).tolist()) & set(instruction.out.rows.ravel().tolist())
                insist(apart or instruction.kind in {"scatter", "project"}, "it does not read what it is writing")
        summed = instruction.over_batch or instruction.kind in {"product", "put", "place"}
        mixed = not instruction.out.batched and any(view.batched for view in instruction.views)
        insist(not mixed or summed, "numbers of examples are summed before they go where there are none")
    return held


def _held(held: dict[Space, NDArray[np.bool_]], space: Space) -> NDArray[np.bool_]:
    """Which rows of ``space`` hold numbers: its constants, to begin with."""
    if space not in held:
        held[space] = np.zeros(space.size, bool)
        held[space][[*space.filled]] = True
    return held[space]


def _rows_read(i: Instruction, view: View) -> NDArray[np.int64]:
    return view.rows.ravel()[i.rows] if i.kind in {"gather", "project"} and i.rows is not None else view.rows.ravel()


def _reads(i: Instruction, held: dict[Space, NDArray[np.bool_]], insist: Callable[..., None]) -> None:
    if i.kind in {"gather", "project"}:
        insist(
            i.rows is not None and i.rows.min() >= 0 and i.rows.max() < i.views[0].size, "there are the rows that it gathers"
        )
    for view in (*i.views, *i.finite):
        if i.chain is not None and i.kind == "sweep" and view is i.args[0]:
            received = _held(held, view.space)[view.rows[i.chain.received]]
            insist(received.all(), "the cotangents that steps have received have been written")
            continue
        insist(_held(held, view.space)[_rows_read(i, view)].all(), f"what it reads, {view}, has been written")


def _writes(i: Instruction, held: dict[Space, NDArray[np.bool_]], given: Sequence[Space], insist: Callable[..., None]) -> None:
    rows = i.out.rows.ravel() if i.kind not in {"scatter", "project"} or i.rows is None else i.out.rows.ravel()[i.rows]
    if i.chain is not None and i.kind == "sweep":  # it writes to what it hands something on to, and nowhere else
        cells = np.unique(i.chain.target[i.chain.target >= 0])
        steps = cells[cells >= i.chain.base] - i.chain.base
        rows = np.append(rows[cells[cells < i.chain.given]], i.args[0].rows[steps])
    insist(i.out.space not in given, "it writes where there is something to be written")
    insist(len(np.unique(rows)) == len(rows), "it writes each row once")
    insist(not set(rows.tolist()) & set(i.out.space.filled), "constants stay what they are")
    _held(held, i.out.space)[rows] = True


def _elementwise(i: Instruction, insist: Callable[..., None]) -> None:
    insist(i.op is not None and len(i.args) > 0, "it has an operation, and arguments")
    insist(all(view.shape == i.out.shape for view in i.views), "all shapes are the same")
    if i.op is not None and i.op not in ANY_ARITY:
        insist(len(i.args) == len(i.op.domain), "the operation takes so many arguments")


ANY_ARITY = (ops.dot, ops.fsum, ops.prod, ops.hypot, ops.logsumexp, ops.select, ops.maximum, ops.minimum)


def _move(i: Instruction, insist: Callable[..., None]) -> None:
    (view,) = i.views
    insist(view.shape == i.out.shape, "the shapes are the same")


def _sum(i: Instruction, insist: Callable[..., None]) -> None:
    (view,) = i.views
    kept = tuple([size for axis, size in enumerate(view.shape) if axis not in i.axes]) or (1,)
    insist(kept == i.out.shape, "what is left is the shape")
    insist(i.axes or i.over_batch, "there is something to sum over")


def _reduce(i: Instruction, insist: Callable[..., None]) -> None:
    (view,) = i.views
    insist(view.shape[:-1] == i.out.shape, "the last axis is the one that goes")


def _unfold(i: Instruction, insist: Callable[..., None]) -> None:
    g, y, x = i.views
    insist(x.shape == i.out.shape and g.shape == y.shape == x.shape[:-1], "there is a cotangent for each item that was reduced")


def _chain(i: Instruction, insist: Callable[..., None]) -> None:
    chain = i.chain
    assert chain is not None
    insist(len(i.views[0].shape) == len(i.out.shape) == 1, "its rows are in one axis")
    insist(chain.given == i.views[0].size and len(chain.code) == i.out.size, "there is a row for each step")
    last = np.repeat(chain.base + np.arange(len(chain.code)), np.diff(chain.first))
    insist(((chain.arg >= 0) & (chain.arg < last)).all(), "no step needs a later one")
    for k, code in enumerate(chain.code.tolist()):
        row, arity = chain.rows[code], int(chain.first[k + 1] - chain.first[k])
        insist(row in ANY_ARITY or isinstance(row, Fold) or arity == len(row.domain), "operations take so many arguments")


def _sweep(i: Instruction, insist: Callable[..., None]) -> None:
    d_out, x, out = i.views
    chain = i.chain
    assert chain is not None
    insist(chain.given == x.size == i.out.size and len(chain.code) == out.size == d_out.size, "there is a row for each step")
    written = [False] * chain.base + chain.received.tolist()
    for k in chain.back.tolist():
        insist(written[chain.base + k], "a step has a cotangent to hand on")
        for j in range(chain.first[k], chain.first[k + 1]):
            if (to := int(chain.target[j])) >= 0:
                insist(to == chain.arg[j], "cotangents go to arguments")
                insist(bool(chain.adds[j]) == written[to], "the first contribution is written, later ones are added")
                written[to] = True


def _segments(i: Instruction, insist: Callable[..., None]) -> None:
    (view,) = i.views
    insist(len(view.shape) == 1 and i.rows is not None and i.out.shape == i.rows.shape, "there is a result for each segment")
    insist(
        i.rows is not None and i.rows[0] == 0 and (np.diff(i.rows) > 0).all() and i.rows[-1] < view.size, "no segment is empty"
    )


def _matrices(i: Instruction, insist: Callable[..., None]) -> None:
    a, b, *biases = i.views
    sizes = [
        (v.shape[0], *(v.shape[1:] if not turned else v.shape[:0:-1])) for v, turned in zip((a, b), i.transposed, strict=True)
    ]
    insist(all(len(v.shape) == 3 for v in (a, b, i.out)), "all are stacks of matrices")  # noqa: PLR2004 - axes
    (g, m, k), (g2, k2, n) = sizes
    insist((g, k) == (g2, k2) and i.out.shape == (g, m, n), "the matrices fit")
    for view in (a, b, i.out):
        if i.kind == "product" and view.batched:
            insist(view.shape[2] == 1 or view.strides[2] == 1, "columns and examples can be one axis")
    insist(i.kind == "product" or all(v.batched == i.out.batched for v in (a, b)), "each example has a product of its own")
    insist(all(bias.shape == (g, m) for bias in biases) and len(biases) <= 1, "there is a bias for each row")


def _gather(i: Instruction, insist: Callable[..., None]) -> None:
    insist(i.rows is not None and len(i.views[0].shape) == 1 and i.out.size == i.rows.size, "there is room for each row")


def _scatter(i: Instruction, insist: Callable[..., None]) -> None:
    insist(i.rows is not None and len(i.out.shape) == 1 and i.views[0].size == i.rows.size, "there is a row for each number")


def _project(i: Instruction, insist: Callable[..., None]) -> None:
    (view,) = i.views
    insist(view == i.out and len(view.shape) == 1 and i.rows is not None, "its rows are in one axis")
    insist(i.axes[0] == 0 and (np.diff(i.axes) > 0).all() and i.rows is not None and i.axes[-1] < i.rows.size, "none is empty")


def _columns(i: Instruction, insist: Callable[..., None]) -> None:
    values, index = (i.args[0], i.args[1]) if i.kind == "take" else (i.out, i.args[1])
    table, taken = (values, i.out) if i.kind == "take" else (i.out, i.args[0])
    insist(not table.batched, "all examples share the table")
    insist(len(table.shape) == 2 and taken.shape == (table.shape[0], index.size), "a column is taken for each index")  # noqa: PLR2004


def _items(i: Instruction, insist: Callable[..., None]) -> None:
    table, item = (i.args[0], i.out) if i.kind == "pick" else (i.out, i.args[0])
    insist(len(table.shape) == 2 and table.shape[:1] == item.shape == i.args[1].shape, "an item is picked from each row")  # noqa: PLR2004


def _fill(i: Instruction, insist: Callable[..., None]) -> None:
    insist(len(i.args) == 1 and (i.args[0] == "seed" or isinstance(i.args[0], float)), "it is filled with a number")


_SHAPES: dict[str, Callable[[Instruction, Callable[..., None]], None]] = {
    "map": _elementwise,
    "move": _move,
    "sum": _sum,
    "reduce": _reduce,
    "unfold": _unfold,
    "chain": _chain,
    "sweep": _sweep,
    "peak": _reduce,
    "segments": _segments,
    "project": _project,
    "product": _matrices,
    "pairwise": _matrices,
    "gather": _gather,
    "scatter": _scatter,
    "take": _columns,
    "put": _columns,
    "pick": _items,
    "place": _items,
    "fill": _fill,
}
