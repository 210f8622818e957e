"""What validate refuses: each of the rules is broken once, by instructions that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograd import ops
from autograd.compiler.chains import Chain
from autograd.compiler.instructions import Instruction, Space, View, contiguous
from autograd.compiler.validate import IllegalProgramError, validate

if TYPE_CHECKING:
    from collections.abc import Callable

THETA, X, V, S = (Space(name, batched, 20) for name, batched in (("theta", False), ("x", True), ("v", True), ("s", False)))
V.filled[19] = 1.0


def at(space: Space, start: int, *shape: int, strides: tuple[int, ...] = ()) -> View:
    """Rows that follow one another, unless ``strides`` say otherwise."""
    return View(space, start, shape, strides or contiguous(shape))


def rows(*numbers: int) -> Any:
    return np.array(numbers)


def make(kind: str, out: View, *args: Any, **more: Any) -> Instruction:
    return Instruction(kind, out, args, **more)


def steps(*args: int, rows_of: tuple[ops.Op, ...] = (ops.square, ops.add)) -> Chain:
    """``y0 = x * x`` and ``y1 = y0 + x``, or the same with other arguments."""
    return Chain([*rows_of], rows(0, 1), rows(0, 1, 3), np.array(args or (0, 1, 0)), 1, [])


def swept(**changed: Any) -> Chain:
    """The same with a reverse sweep, in which something is ``changed``."""
    return replace(steps().differentiate(np.array([False, True]), np.ones(3, bool), ()), **changed)


LEGAL: dict[str, Callable[[], Instruction]] = {
    "map": lambda: make("map", at(V, 0, 2), at(X, 0, 2), at(THETA, 0, 2), op=ops.mul),
    "map in place": lambda: make("map", at(V, 5, 2), at(V, 5, 2), at(X, 0, 2), op=ops.add),
    "map by a number": lambda: make("map", at(V, 0, 2), 2.0, at(X, 0, 2), op=ops.sub),
    "map of any arity": lambda: make("map", at(V, 0, 2), at(X, 0, 2), at(X, 2, 2), at(X, 4, 2), op=ops.fsum),
    "move": lambda: make("move", at(V, 0, 2), at(THETA, 0, 2)),
    "sum": lambda: make("sum", at(V, 0, 2), at(X, 0, 2, 3), axes=(1,)),
    "sum of all": lambda: make("sum", at(S, 0, 1), at(X, 0, 2, 3), axes=(0, 1), over_batch=True),
    "sum over the batch": lambda: make("sum", at(S, 0, 2), at(X, 0, 2), over_batch=True),
    "reduce": lambda: make("reduce", at(V, 0, 2), at(X, 0, 2, 3), op=ops.fsum),
    "unfold": lambda: make("unfold", at(V, 0, 2, 2), at(V, 5, 2), at(V, 7, 2), at(X, 0, 2, 2), op=ops.maximum),
    "chain": lambda: make("chain", at(V, 0, 2), at(V, 5, 1), chain=steps()),
    "sweep": lambda: make("sweep", at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), chain=swept()),
    "peak": lambda: make("peak", at(V, 0, 2), at(X, 0, 2, 3)),
    "segments": lambda: make("segments", at(V, 0, 2), at(X, 0, 5), op=ops.fsum, rows=rows(0, 3)),
    "product": lambda: make("product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    "product with biases": lambda: make(
        "product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), at(THETA, 9, 1, 2)
    ),
    "product of the gradient": lambda: make(
        "product", at(S, 0, 1, 2, 4), at(V, 5, 1, 2, 1), at(X, 0, 1, 4, 1), transposed=(False, True)
    ),
    "pairwise": lambda: make("pairwise", at(V, 0, 1, 2, 3), at(X, 0, 1, 2, 4), at(X, 8, 1, 3, 4), transposed=(False, True)),
    "gather": lambda: make("gather", at(V, 0, 3), at(X, 0, 4), rows=rows(3, 0, 3)),
    "gather from where it writes": lambda: make("gather", at(V, 0, 2), at(V, 0, 10), rows=rows(5, 6)),
    "scatter": lambda: make("scatter", at(V, 0, 4), at(X, 0, 2), rows=rows(3, 1)),
    "take": lambda: make("take", at(V, 0, 2, 3), at(THETA, 0, 2, 5), at(X, 0, 3)),
    "put": lambda: make("put", at(S, 0, 2, 5), at(V, 5, 2, 1), at(X, 0, 1)),
    "pick": lambda: make("pick", at(V, 0, 2), at(X, 0, 2, 3), at(X, 6, 2)),
    "place": lambda: make("place", at(V, 10, 2, 3), at(V, 5, 2), at(X, 6, 2)),
    "fill": lambda: make("fill", at(V, 0, 2), 0.0),
    "seed": lambda: make("fill", at(V, 0, 1), "seed"),
    "constant": lambda: make("map", at(V, 0, 1), at(V, 19, 1), op=ops.exp),
}
BEFORE = make("fill", at(V, 5, 5), 0.0)


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_passes(name: str) -> None:
    instruction = LEGAL[name]()
    held = validate([BEFORE, instruction], [THETA, X])
    written = instruction.out.rows.ravel()
    written = written[instruction.rows] if instruction.kind == "scatter" else written
    space = instruction.out.space
    expected = np.zeros(20, bool)
    expected[[*written, *space.filled, *(BEFORE.out.rows if space is V else [])]] = True
    assert held[space].tolist() == expected.tolist()
    assert held[THETA].all()


ILLEGAL: dict[str, tuple[str, Callable[[], Instruction]]] = {
    "fewer strides than axes": ("a stride for each axis", lambda: make("fill", View(V, 0, (2, 3), (1,)), 0.0)),
    "an axis of length 0": ("a stride for each axis", lambda: make("fill", View(V, 0, (0,), (1,)), 0.0)),
    "below its space": ("lies inside of its space", lambda: make("fill", at(V, 0, 2, strides=(-1,)), 0.0)),
    "beyond its space": ("lies inside of its space", lambda: make("map", at(V, 0, 2), at(X, 19, 2), op=ops.exp)),
    "not yet written": ("has been written", lambda: make("map", at(V, 0, 2), at(V, 4, 2), op=ops.exp)),
    "checked, and not yet written": (
        "has been written",
        lambda: make("product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), finite=(at(S, 0, 2),)),
    ),
    "gathered from beyond": (
        "there are the rows that it gathers",
        lambda: make("gather", at(V, 0, 2), at(X, 0, 4), rows=rows(0, 4)),
    ),
    "gathered from below": (
        "there are the rows that it gathers",
        lambda: make("gather", at(V, 0, 2), at(X, 0, 4), rows=rows(0, -1)),
    ),
    "gathered, and not yet written": ("has been written", lambda: make("gather", at(V, 0, 1), at(V, 0, 6), rows=rows(4))),
    "writing to what is given": (
        "it writes where there is something to be written",
        lambda: make("fill", at(THETA, 0, 2), 0.0),
    ),
    "writing a row twice": ("it writes each row once", lambda: make("move", at(V, 0, 2, strides=(0,)), at(X, 0, 2))),
    "scattering to a row twice": (
        "it writes each row once",
        lambda: make("scatter", at(V, 0, 4), at(X, 0, 2), rows=rows(1, 1)),
    ),
    "writing to a constant": ("constants stay what they are", lambda: make("fill", at(V, 19, 1), 0.0)),
    "no operation": ("it has an operation, and arguments", lambda: make("map", at(V, 0, 2), at(X, 0, 2))),
    "no arguments": ("it has an operation, and arguments", lambda: make("map", at(V, 0, 2), op=ops.fsum)),
    "other shapes": ("all shapes are the same", lambda: make("map", at(V, 0, 2), at(X, 0, 2), at(THETA, 0, 1), op=ops.mul)),
    "too few arguments": ("takes so many arguments", lambda: make("map", at(V, 0, 2), at(X, 0, 2), op=ops.mul)),
    "moved to another shape": ("the shapes are the same", lambda: make("move", at(V, 0, 2), at(X, 0, 3))),
    "summed to another shape": ("what is left is the shape", lambda: make("sum", at(V, 0, 3), at(X, 0, 2, 3), axes=(1,))),
    "summed to all": ("what is left is the shape", lambda: make("sum", at(V, 0, 2), at(X, 0, 2), axes=(0,))),
    "summed over nothing": ("there is something to sum over", lambda: make("sum", at(V, 0, 2), at(X, 0, 2))),
    "the first axis reduced": (
        "the last axis is the one that goes",
        lambda: make("reduce", at(V, 0, 3), at(X, 0, 2, 3), op=ops.fsum),
    ),
    "segments of a matrix": (
        "a result for each segment",
        lambda: make("segments", at(V, 0, 2), at(X, 0, 2, 3), op=ops.fsum, rows=rows(0, 3)),
    ),
    "too many segments": (
        "a result for each segment",
        lambda: make("segments", at(V, 0, 2), at(X, 0, 5), op=ops.fsum, rows=rows(0, 1, 3)),
    ),
    "an empty segment": (
        "no segment is empty",
        lambda: make("segments", at(V, 0, 2), at(X, 0, 5), op=ops.fsum, rows=rows(0, 0)),
    ),
    "an empty last segment": (
        "no segment is empty",
        lambda: make("segments", at(V, 0, 2), at(X, 0, 5), op=ops.fsum, rows=rows(0, 5)),
    ),
    "segments that begin later": (
        "no segment is empty",
        lambda: make("segments", at(V, 0, 2), at(X, 0, 5), op=ops.fsum, rows=rows(1, 3)),
    ),
    "matrices without a stack": (
        "all are stacks of matrices",
        lambda: make("product", at(V, 0, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    ),
    "matrices that do not fit": (
        "the matrices fit",
        lambda: make("product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 3, 4)),
    ),
    "another result than theirs": (
        "the matrices fit",
        lambda: make("product", at(V, 0, 1, 3, 2), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    ),
    "stacks that differ": (
        "the matrices fit",
        lambda: make("product", at(V, 0, 1, 2, 2), at(THETA, 0, 2, 2, 2), at(X, 0, 1, 2, 2)),
    ),
    "columns that lie apart": (
        "columns and examples can be one axis",
        lambda: make("product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3, strides=(0, 1, 4))),
    ),
    "a shared factor of pairs": (
        "each example has a product of its own",
        lambda: make("pairwise", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    ),
    "biases for columns": (
        "there is a bias for each row",
        lambda: make("product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), at(THETA, 9, 1, 3)),
    ),
    "two biases": (
        "there is a bias for each row",
        lambda: make(
            "product", at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), at(THETA, 9, 1, 2), at(THETA, 9, 1, 2)
        ),
    ),
    "no room for what is gathered": (
        "there is room for each row",
        lambda: make("gather", at(V, 0, 2), at(X, 0, 4), rows=rows(0, 1, 2)),
    ),
    "gathered from a matrix": (
        "there is room for each row",
        lambda: make("gather", at(V, 0, 2), at(X, 0, 2, 2), rows=rows(0, 1)),
    ),
    "fewer rows than numbers": (
        "there is a row for each number",
        lambda: make("scatter", at(V, 0, 4), at(X, 0, 3), rows=rows(0, 1)),
    ),
    "a table of each example's": (
        "all examples share the table",
        lambda: make("take", at(V, 0, 2, 3), at(X, 0, 2, 5), at(X, 10, 3)),
    ),
    "fewer columns than indices": (
        "a column is taken for each index",
        lambda: make("take", at(V, 0, 2, 2), at(THETA, 0, 2, 5), at(X, 0, 3)),
    ),
    "put to other rows": ("a column is taken for each index", lambda: make("put", at(S, 0, 3, 5), at(V, 5, 2, 1), at(X, 0, 1))),
    "fewer items than rows": (
        "an item is picked from each row",
        lambda: make("pick", at(V, 0, 1), at(X, 0, 2, 3), at(X, 6, 2)),
    ),
    "fewer indices than rows": (
        "an item is picked from each row",
        lambda: make("place", at(V, 10, 2, 3), at(V, 5, 2), at(X, 6, 1)),
    ),
    "filled with words": ("it is filled with a number", lambda: make("fill", at(V, 0, 2), "zero")),
    "filled with a view": ("it is filled with a number", lambda: make("fill", at(V, 0, 2), at(X, 0, 2))),
    "cotangents of other items than those that were reduced": (
        "there is a cotangent for each item",
        lambda: make("unfold", at(V, 0, 2, 2), at(V, 5, 2), at(V, 7, 1), at(X, 0, 2, 2), op=ops.maximum),
    ),
    "a chain in two axes": (
        "its rows are in one axis",
        lambda: make("chain", at(V, 0, 2), at(V, 5, 1, 1), chain=steps()),
    ),
    "a chain of more steps than rows": (
        "there is a row for each step",
        lambda: make("chain", at(V, 0, 1), at(V, 5, 1), chain=steps()),
    ),
    "a step that needs a later one": (
        "no step needs a later one",
        lambda: make("chain", at(V, 0, 2), at(V, 5, 1), chain=steps(1, 2, 0)),
    ),
    "a step with an argument more": (
        "operations take so many arguments",
        lambda: make("chain", at(V, 0, 2), at(V, 5, 1), chain=steps(rows_of=(ops.square, ops.exp))),
    ),
    "a sweep of other rows": (
        "there is a row for each step",
        lambda: make("sweep", at(V, 12, 2), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), chain=swept()),
    ),
    "a sweep from a cotangent that is not there": (
        "cotangents that steps have received have been written",
        lambda: make("sweep", at(V, 12, 1), at(V, 15, 2), at(V, 5, 1), at(V, 6, 2), chain=swept()),
    ),
    "a step without a cotangent": (
        "a step has a cotangent to hand on",
        lambda: make("sweep", at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), chain=swept(back=rows(0, 1))),
    ),
    "a cotangent for another row": (
        "cotangents go to arguments",
        lambda: make("sweep", at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), chain=swept(target=rows(0, 0, 0))),
    ),
    "adding to nothing": (
        "the first contribution is written",
        lambda: make("sweep", at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), chain=swept(adds=np.ones(3, bool))),
    ),
    "reading what it is writing": ("it does not read what it is writing", lambda: make("move", at(V, 5, 2), at(V, 6, 2))),
    "the same, elementwise": ("it does not read what it is writing", lambda: make("map", at(V, 5, 2), at(V, 6, 2), op=ops.exp)),
    "gathering what it is writing": (
        "it does not read what it is writing",
        lambda: make("gather", at(V, 5, 2), at(V, 5, 5), rows=rows(1, 0)),
    ),
    "examples in a room for one": (
        "summed before they go where there are none",
        lambda: make("move", at(S, 0, 2), at(X, 0, 2)),
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_is_illegal_is_named(name: str) -> None:
    """The rule, the instruction and where it stands."""
    claim, instruction = ILLEGAL[name]
    with pytest.raises(IllegalProgramError, match=rf"^instruction 1, {instruction().kind} .*: not true that .*{claim}"):
        validate([BEFORE, instruction()], [THETA, X])


def test_a_row_is_written_before_it_is_read() -> None:
    """In this order; the other way round it is not."""
    write, read = make("fill", at(V, 0, 2), 0.0), make("map", at(V, 2, 2), at(V, 0, 2), op=ops.exp)
    validate([write, read], [])
    with pytest.raises(IllegalProgramError, match="instruction 0, map exp to View"):
        validate([read, write], [])
