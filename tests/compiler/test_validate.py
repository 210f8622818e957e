"""What validate refuses: each of the rules is broken once, by instructions that are made by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograd import ops
from autograd.compiler.instructions import (
    Chain,
    Fill,
    Gather,
    Instruction,
    Map,
    Move,
    Pairwise,
    Peak,
    Pick,
    Place,
    Product,
    Put,
    Reduce,
    Scatter,
    Seed,
    Segments,
    Sum,
    Sweep,
    Take,
    Unfold,
)  # fmt: skip
from autograd.compiler.steps import Steps
from autograd.compiler.validate import IllegalProgramError, legal
from autograd.compiler.views import Space, View, contiguous

if TYPE_CHECKING:
    from collections.abc import Callable

THETA, X, V, S = (Space(name, batched, 20) for name, batched in (("theta", False), ("x", True), ("v", True), ("s", False)))
V.filled[19] = 1.0


def at(space: Space, start: int, *shape: int, strides: tuple[int, ...] = ()) -> View:
    """Rows that follow one another, unless ``strides`` say otherwise."""
    return View(space, start, shape, strides or contiguous(shape))


def rows(*numbers: int) -> Any:
    return np.array(numbers)


def steps(*args: int, rows_of: tuple[ops.Op, ...] = (ops.square, ops.add)) -> Steps:
    """``y0 = x * x`` and ``y1 = y0 + x``, or the same with other arguments."""
    return Steps([*rows_of], rows(0, 1), rows(0, 1, 3), np.array(args or (0, 1, 0)), 1, [])


def swept(**changed: Any) -> Steps:
    """The same with a reverse sweep, in which something is ``changed``."""
    return replace(steps().differentiate(np.array([False, True]), np.ones(3, bool)), **changed)


LEGAL: dict[str, Callable[[], Instruction]] = {
    "map": lambda: Map(at(V, 0, 2), ops.mul, (at(X, 0, 2), at(THETA, 0, 2))),
    "map in place": lambda: Map(at(V, 5, 2), ops.add, (at(V, 5, 2), at(X, 0, 2))),
    "map by a number": lambda: Map(at(V, 0, 2), ops.sub, (2.0, at(X, 0, 2))),
    "map of any arity": lambda: Map(at(V, 0, 2), ops.fsum, (at(X, 0, 2), at(X, 2, 2), at(X, 4, 2))),
    "move": lambda: Move(at(V, 0, 2), at(THETA, 0, 2)),
    "sum": lambda: Sum(at(V, 0, 2), at(X, 0, 2, 3), axes=(1,)),
    "sum of all": lambda: Sum(at(S, 0, 1), at(X, 0, 2, 3), axes=(0, 1), over_batch=True),
    "sum over the batch": lambda: Sum(at(S, 0, 2), at(X, 0, 2), over_batch=True),
    "reduce": lambda: Reduce(at(V, 0, 2), ops.fsum, at(X, 0, 2, 3)),
    "unfold": lambda: Unfold(at(V, 0, 2, 2), ops.maximum, at(V, 5, 2), at(V, 7, 2), at(X, 0, 2, 2)),
    "chain": lambda: Chain(at(V, 0, 2), at(V, 5, 1), steps()),
    "sweep": lambda: Sweep(at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), swept()),
    "peak": lambda: Peak(at(V, 0, 2), at(X, 0, 2, 3)),
    "segments": lambda: Segments(at(V, 0, 2), ops.fsum, at(X, 0, 5), rows(0, 3)),
    "product": lambda: Product(at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    "product with biases": lambda: Product(
        at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), bias=at(THETA, 9, 1, 2)
    ),
    "product of the gradient": lambda: Product(
        at(S, 0, 1, 2, 4), at(V, 5, 1, 2, 1), at(X, 0, 1, 4, 1), transposed=(False, True)
    ),
    "pairwise": lambda: Pairwise(at(V, 0, 1, 2, 3), at(X, 0, 1, 2, 4), at(X, 8, 1, 3, 4), transposed=(False, True)),
    "gather": lambda: Gather(at(V, 0, 3), at(X, 0, 4), rows(3, 0, 3)),
    "gather from where it writes": lambda: Gather(at(V, 0, 2), at(V, 0, 10), rows(5, 6)),
    "scatter": lambda: Scatter(at(V, 0, 4), at(X, 0, 2), rows(3, 1)),
    "take": lambda: Take(at(V, 0, 2, 3), at(THETA, 0, 2, 5), at(X, 0, 3)),
    "put": lambda: Put(at(S, 0, 2, 5), at(V, 5, 2, 1), at(X, 0, 1)),
    "pick": lambda: Pick(at(V, 0, 2), at(X, 0, 2, 3), at(X, 6, 2)),
    "place": lambda: Place(at(V, 10, 2, 3), at(V, 5, 2), at(X, 6, 2)),
    "fill": lambda: Fill(at(V, 0, 2), 0.0),
    "seed": lambda: Seed(at(V, 0, 1)),
    "constant": lambda: Map(at(V, 0, 1), ops.exp, (at(V, 19, 1),)),
}
BEFORE = Fill(at(V, 5, 5), 0.0)


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_legal_passes(name: str) -> None:
    instruction = LEGAL[name]()
    held = legal([BEFORE, instruction], [THETA, X])
    written = instruction.writes
    space = instruction.out.space
    expected = np.zeros(20, bool)
    expected[[*written, *space.filled, *(BEFORE.out.rows if space is V else [])]] = True
    assert held[space].tolist() == expected.tolist()
    assert held[THETA].all()


ILLEGAL: dict[str, tuple[str, Callable[[], Instruction]]] = {
    "fewer strides than axes": ("a stride for each axis", lambda: Fill(View(V, 0, (2, 3), (1,)), 0.0)),
    "an axis of length 0": ("a stride for each axis", lambda: Fill(View(V, 0, (0,), (1,)), 0.0)),
    "below its space": ("lies inside of its space", lambda: Fill(at(V, 0, 2, strides=(-1,)), 0.0)),
    "beyond its space": ("lies inside of its space", lambda: Map(at(V, 0, 2), ops.exp, (at(X, 19, 2),))),
    "not yet written": ("has been written", lambda: Map(at(V, 0, 2), ops.exp, (at(V, 4, 2),))),
    "checked, and not yet written": (
        "has been written",
        lambda: Product(at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), finite=(at(S, 0, 2),)),
    ),
    "gathered from beyond": (
        "the rows that it gathers exist",
        lambda: Gather(at(V, 0, 2), at(X, 0, 4), rows(0, 4)),
    ),
    "gathered from below": (
        "the rows that it gathers exist",
        lambda: Gather(at(V, 0, 2), at(X, 0, 4), rows(0, -1)),
    ),
    "gathered, and not yet written": ("has been written", lambda: Gather(at(V, 0, 1), at(V, 0, 6), rows(4))),
    "writing to what is given": (
        "it does not write to the arrays of the caller",
        lambda: Fill(at(THETA, 0, 2), 0.0),
    ),
    "writing a row twice": ("it writes each row once", lambda: Move(at(V, 0, 2, strides=(0,)), at(X, 0, 2))),
    "scattering to a row twice": (
        "it writes each row once",
        lambda: Scatter(at(V, 0, 4), at(X, 0, 2), rows(1, 1)),
    ),
    "writing to a constant": ("it does not write to constants", lambda: Fill(at(V, 19, 1), 0.0)),
    "no arguments": ("it has arguments", lambda: Map(at(V, 0, 2), ops.fsum, ())),
    "other shapes": ("all shapes are the same", lambda: Map(at(V, 0, 2), ops.mul, (at(X, 0, 2), at(THETA, 0, 1)))),
    "too few arguments": ("takes this number of arguments", lambda: Map(at(V, 0, 2), ops.mul, (at(X, 0, 2),))),
    "moved to another shape": ("the shapes are the same", lambda: Move(at(V, 0, 2), at(X, 0, 3))),
    "summed to another shape": (
        "out has the shape of x without the axes that are summed",
        lambda: Sum(at(V, 0, 3), at(X, 0, 2, 3), axes=(1,)),
    ),
    "summed to all": (
        "out has the shape of x without the axes that are summed",
        lambda: Sum(at(V, 0, 2), at(X, 0, 2), axes=(0,)),
    ),
    "summed over nothing": ("there is something to sum over", lambda: Sum(at(V, 0, 2), at(X, 0, 2))),
    "the first axis reduced": (
        "out has the shape of x without the last axis",
        lambda: Reduce(at(V, 0, 3), ops.fsum, at(X, 0, 2, 3)),
    ),
    "segments of a matrix": (
        "a result for each segment",
        lambda: Segments(at(V, 0, 2), ops.fsum, at(X, 0, 2, 3), rows(0, 3)),
    ),
    "too many segments": (
        "a result for each segment",
        lambda: Segments(at(V, 0, 2), ops.fsum, at(X, 0, 5), rows(0, 1, 3)),
    ),
    "an empty segment": (
        "no segment is empty",
        lambda: Segments(at(V, 0, 2), ops.fsum, at(X, 0, 5), rows(0, 0)),
    ),
    "an empty last segment": (
        "no segment is empty",
        lambda: Segments(at(V, 0, 2), ops.fsum, at(X, 0, 5), rows(0, 5)),
    ),
    "segments that begin later": (
        "no segment is empty",
        lambda: Segments(at(V, 0, 2), ops.fsum, at(X, 0, 5), rows(1, 3)),
    ),
    "matrices without a stack": (
        "all are stacks of matrices",
        lambda: Product(at(V, 0, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    ),
    "matrices that do not fit": (
        "the matrices fit",
        lambda: Product(at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 3, 4)),
    ),
    "another result than theirs": (
        "the matrices fit",
        lambda: Product(at(V, 0, 1, 3, 2), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    ),
    "stacks that differ": (
        "the matrices fit",
        lambda: Product(at(V, 0, 1, 2, 2), at(THETA, 0, 2, 2, 2), at(X, 0, 1, 2, 2)),
    ),
    "columns that lie apart": (
        "columns and examples can be one axis",
        lambda: Product(at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3, strides=(0, 1, 4))),
    ),
    "a shared factor of pairs": (
        "each example has a product of its own",
        lambda: Pairwise(at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3)),
    ),
    "biases for columns": (
        "there is a bias for each row",
        lambda: Product(at(V, 0, 1, 2, 3), at(THETA, 0, 1, 2, 4), at(X, 0, 1, 4, 3), bias=at(THETA, 9, 1, 3)),
    ),
    "no room for what is gathered": (
        "there is room for each row",
        lambda: Gather(at(V, 0, 2), at(X, 0, 4), rows(0, 1, 2)),
    ),
    "gathered from a matrix": (
        "there is room for each row",
        lambda: Gather(at(V, 0, 2), at(X, 0, 2, 2), rows(0, 1)),
    ),
    "fewer rows than numbers": (
        "there is a row for each number",
        lambda: Scatter(at(V, 0, 4), at(X, 0, 3), rows(0, 1)),
    ),
    "a table of each example's": (
        "all examples share the table",
        lambda: Take(at(V, 0, 2, 3), at(X, 0, 2, 5), at(X, 10, 3)),
    ),
    "fewer columns than indices": (
        "a column is taken for each index",
        lambda: Take(at(V, 0, 2, 2), at(THETA, 0, 2, 5), at(X, 0, 3)),
    ),
    "put to other rows": ("a column is taken for each index", lambda: Put(at(S, 0, 3, 5), at(V, 5, 2, 1), at(X, 0, 1))),
    "fewer items than rows": (
        "an item is picked from each row",
        lambda: Pick(at(V, 0, 1), at(X, 0, 2, 3), at(X, 6, 2)),
    ),
    "fewer indices than rows": (
        "an item is picked from each row",
        lambda: Place(at(V, 10, 2, 3), at(V, 5, 2), at(X, 6, 1)),
    ),
    "filled with words": ("it is filled with a number", lambda: Fill(at(V, 0, 2), "zero")),
    "filled with a view": ("it is filled with a number", lambda: Fill(at(V, 0, 2), at(X, 0, 2))),
    "cotangents of other items than those that were reduced": (
        "there is a cotangent for each item that was reduced",
        lambda: Unfold(at(V, 0, 2, 2), ops.maximum, at(V, 5, 2), at(V, 7, 1), at(X, 0, 2, 2)),
    ),
    "a chain in two axes": (
        "its rows are in one axis",
        lambda: Chain(at(V, 0, 2), at(V, 5, 1, 1), steps()),
    ),
    "a chain of more steps than rows": (
        "there is a row for each step",
        lambda: Chain(at(V, 0, 1), at(V, 5, 1), steps()),
    ),
    "a step that needs a later one": (
        "no step needs a later one",
        lambda: Chain(at(V, 0, 2), at(V, 5, 1), steps(1, 2, 0)),
    ),
    "a step with an argument more": (
        "operations take this number of arguments",
        lambda: Chain(at(V, 0, 2), at(V, 5, 1), steps(rows_of=(ops.square, ops.exp))),
    ),
    "a sweep of other rows": (
        "there is a row for each step",
        lambda: Sweep(at(V, 12, 2), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), swept()),
    ),
    "a sweep from a cotangent that is not there": (
        "what it reads in v has been written",
        lambda: Sweep(at(V, 12, 1), at(V, 15, 2), at(V, 5, 1), at(V, 6, 2), swept()),
    ),
    "a step without a cotangent": (
        "a step has a cotangent to hand on",
        lambda: Sweep(at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), swept(back=rows(0, 1))),
    ),
    "a cotangent for another row": (
        "cotangents go to arguments",
        lambda: Sweep(at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), swept(target=rows(0, 0, 0))),
    ),
    "adding to nothing": (
        "the first contribution is written, later ones are added",
        lambda: Sweep(at(V, 12, 1), at(V, 8, 2), at(V, 5, 1), at(V, 6, 2), swept(adds=np.ones(3, bool))),
    ),
    "reading what it is writing": ("it does not read what it is writing", lambda: Move(at(V, 5, 2), at(V, 6, 2))),
    "the same, elementwise": ("it does not read what it is writing", lambda: Map(at(V, 5, 2), ops.exp, (at(V, 6, 2),))),
    "gathering what it is writing": (
        "it does not read what it is writing",
        lambda: Gather(at(V, 5, 2), at(V, 5, 5), rows(1, 0)),
    ),
    "examples in a room for one": (
        "summed before they go to a space without examples",
        lambda: Move(at(S, 0, 2), at(X, 0, 2)),
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_is_illegal_is_named(name: str) -> None:
    """The rule, the instruction and where it stands."""
    claim, instruction = ILLEGAL[name]
    with pytest.raises(
        IllegalProgramError, match=rf"^instruction 1, {re.escape(str(instruction()))}: not true that .*{claim}$"
    ):
        legal([BEFORE, instruction()], [THETA, X])


def test_a_row_is_written_before_it_is_read() -> None:
    """In this order; the other way round it is not."""
    write, read = Fill(at(V, 0, 2), 0.0), Map(at(V, 2, 2), ops.exp, (at(V, 0, 2),))
    legal([write, read], [])
    with pytest.raises(IllegalProgramError, match=r"instruction 0, v\[2:4\] = exp\(v\[0:2\]\)"):
        legal([read, write], [])
