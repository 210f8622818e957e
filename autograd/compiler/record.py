"""Records a function: calls it once, on Values that stand for every example, and makes arrays of the graph that it leaves.

Each leaf of that graph has a role. An input stands for a number of each example. A variable is a Value from outside the
function, whose number is read in each call. A constant has the same number in each call. From ``w * x + 1.0`` with the variable
``w`` and the input ``x`` comes the Graph

    node    0         1      2         3         4
    code    VARIABLE  INPUT  mul       constant  add
    args                     0, 1                2, 3
"""

from __future__ import annotations

import contextlib
import gc
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import modes, ops
from autograd.errors import RecordingError
from autograd.graph import describe, topological_sort
from autograd.value import Value, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

ROWS = list(ops.TABLE.values())
VARIABLE, INPUT = -1, -2
CODE = {op: code for code, op in enumerate(ROWS)}
_CODE_OR_LEAF = CODE | {None: VARIABLE}


@dataclass(frozen=True)
class Input:
    """An array that a program takes."""

    name: str
    """The name in the source."""
    size: int
    """How many numbers one example has in it."""
    whole: bool
    """Whether these are whole numbers."""


@dataclass
class Graph:
    """A graph as arrays. The arguments of node ``i`` are the nodes ``arg[first[i]:first[i + 1]]``, which come before it."""

    code: NDArray[np.int64]
    """The operation of each node, by its place in ``ROWS``; VARIABLE or INPUT for these leaves."""
    first: NDArray[np.int64]
    arg: NDArray[np.int64]
    number: NDArray[np.float64]
    """The number of each node, for the example that was recorded. That of a constant is the same for all examples."""
    leaf: NDArray[np.int64]
    """For a variable or an input, its place among all of these; -1 for other nodes."""
    roots: list[int]
    """The nodes that the function returned."""
    variables: list[Value]
    captured: list[Value]
    """The Values from outside that the function used."""
    constants: list[Value]
    """The constants among the Values from outside."""
    made: dict[Value, str]
    """The variables that the function itself made, which are constants here, and where in the user's program it did."""


class _Everything:
    """A node whose arguments are all Values that a function returned."""

    def __init__(self, args: tuple[Value, ...]) -> None:
        self._args = args


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """A block without the cyclic garbage collector, which would look at each new node again and again, and find nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def record(fn: Callable[[], Any], examples: Iterable[Value] = ()) -> tuple[Any, modes.Beginning]:
    """Return what ``fn()`` returns while it is recorded, and when it began, by the clock of all graphs.

    The Values in ``examples`` stand for every example. Raises RecordingError where ``fn`` takes the number of one of them for a
    constant, as a truth test does. Modes around the call, such as ``no_grad``, do not belong to the function and are not
    recorded.
    """
    began = modes.Beginning(tick())
    began.examples = frozenset(examples)
    with modes.apart(since=began):
        try:
            return fn(), began
        except KeyError as error:
            if not any(isinstance(key, Value) for key in error.args):
                raise
            msg = (
                "a function that autograd.compile records looked up a Value in a dict or a set, but a Value as a key equals "
                "only itself. Write autograd.math.select(values, index), or where(v == 0, a, b)"
            )
            raise RecordingError(msg) from error


def as_graph(roots: Sequence[Value], inputs: Sequence[Value], began: modes.Beginning) -> Graph:
    """Return the graph of ``roots``, recorded from ``began`` on; RecordingError if a variable was assigned since then.

    Variables that the function itself made are constants of the graph, because nobody else can assign them, or differentiate by
    them.
    """
    order: list[Any] = topological_sort(_Everything(tuple(roots)))[:-1]  # type: ignore[type-var]  # as much of a node as a sort needs
    place = dict(zip(order, range(len(order)), strict=True))
    args = [node._args for node in order]
    code = np.fromiter(map(_CODE_OR_LEAF.__getitem__, [node._row for node in order]), np.int64, len(order))
    first = np.zeros(len(order) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, args), np.int64, len(args)), out=first[1:])
    arg = np.fromiter(map(place.__getitem__, chain.from_iterable(args)), np.int64, first[-1])
    number = np.fromiter([node._data for node in order], np.float64, len(order))
    leaf = np.full(len(order), -1)
    made = [value for value in began.made if value in place]
    code[[place[value] for value in made]] = CODE[ops.constant]
    for k, value in enumerate(inputs):
        if value in place:
            code[place[value]] = INPUT
            leaf[place[value]] = k
    # Variables are numbered in the order in which they are used. For a network that is the order of its layers.
    used, where = np.unique(
        np.append(arg, np.asarray(roots_at := [place[root] for root in roots], np.int64)), return_index=True
    )
    used = used[np.argsort(where)]
    used = used[code[used] == VARIABLE]
    leaf[used] = np.arange(len(used))
    variables: list[Value] = [order[i] for i in used.tolist()]
    before = np.fromiter([node._clock for node in order], np.int64, len(order)) < began
    before[code == INPUT] = False
    inside = np.repeat(
        ~before, np.diff(first)
    )  # for each place in arg: was the node that has this argument made in the function?
    captured = np.unique(np.append(arg[inside], roots_at).astype(np.int64))
    for value in variables:
        if value._clock >= began:
            msg = (
                f"the data of {describe(value)} was assigned while the function was recorded, and what was computed from it "
                "before is out of date: assign it before or after the call, not in the function"
            )
            raise RecordingError(msg)
    return Graph(
        code,
        first,
        arg,
        number,
        leaf,
        roots_at,
        variables,
        captured=[order[i] for i in captured[before[captured]].tolist()],
        made=began.made,
        constants=[order[i] for i in np.flatnonzero(before & (code == CODE[ops.constant])).tolist()],
    )
