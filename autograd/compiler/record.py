"""Recording: a function is called once on Values that stand for every example, and the graph that it leaves becomes arrays.

Roles of leaves: an input stands for a number of each example, a variable is read afresh at every call, a constant is baked in.
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
    """An array that a recorded function takes: what it is called in the source, and what it holds."""

    name: str
    size: int
    """How many numbers of an example."""
    whole: bool
    """Whether they are whole numbers."""


@dataclass
class Graph:
    """A graph as arrays, arguments before what is made of them. Node ``i`` has the arguments ``arg[first[i]:first[i + 1]]``."""

    code: NDArray[np.int64]
    """The row of each node, by its place in ``ROWS``; VARIABLE or INPUT for these leaves."""
    first: NDArray[np.int64]
    arg: NDArray[np.int64]
    number: NDArray[np.float64]
    """What each node was on the example that was recorded; of a constant, what it is."""
    leaf: NDArray[np.int64]
    """Of a variable or an input, which one."""
    roots: list[int]
    """The nodes that the function returned."""
    variables: list[Value]
    captured: list[Value]
    """What was made before and used in the function."""
    constants: list[Value]
    """The constants that were made before."""
    made: dict[Value, str]
    """The variables that the function made, which are constants here, and where in the user's program."""


class _Everything:
    """A node whose arguments are all that a function returned."""

    def __init__(self, args: tuple[Value, ...]) -> None:
        self._args = args


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """A block in which the cyclic garbage collector rests: it would look at each new node again and again, and find nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def record(fn: Callable[[], Any], examples: Iterable[Value] = ()) -> tuple[Any, modes.Beginning]:
    """What ``fn()`` returns while it is recorded, and the time by the clock of all graphs when it began.

    Raises RecordingError where ``fn`` does what a recording would freeze, given that ``examples`` stand for each example. The
    modes around the call, as ``no_grad``, are not the function's own, and are not recorded.
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
                "a Value was looked up in a dict or a set in a function that autograd.compile records: a key that is a Value "
                "equals itself alone. Write autograd.math.select(values, index), or where(v == 0, a, b)"
            )
            raise RecordingError(msg) from error


def as_graph(roots: Sequence[Value], inputs: Sequence[Value], began: modes.Beginning) -> Graph:
    """The graph of ``roots``, recorded from ``began`` on; RecordingError if a variable was assigned since then.

    Variables that were made since then are constants: nobody else can assign or differentiate by them.
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
    # Variables in the order in which they are used, which for a network is that of its layers.
    used, where = np.unique(
        np.append(arg, np.asarray(roots_at := [place[root] for root in roots], np.int64)), return_index=True
    )
    used = used[np.argsort(where)]
    used = used[code[used] == VARIABLE]
    leaf[used] = np.arange(len(used))
    variables: list[Value] = [order[i] for i in used.tolist()]
    before = np.fromiter([node._clock for node in order], np.int64, len(order)) < began
    before[code == INPUT] = False
    inside = np.repeat(~before, np.diff(first))  # of each place in arg, whether the node there was made in the function
    captured = np.unique(np.append(arg[inside], roots_at).astype(np.int64))
    for value in variables:
        if value._clock >= began:
            msg = (
                f"the data of {describe(value)} was assigned while the function was recorded, and what was computed from it "
                "before is out of date: assign before or after the call"
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
