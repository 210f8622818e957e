"""Where numbers lie: spaces of rows, views of regular patterns of rows, and how such a pattern is found.

A row holds a number for each example of the batch if its space is batched, and a single number otherwise. A view is what an
operand of an instruction is: rows at a start and at multiples of strides, as NumPy's arrays are.

    rows        3  4  5   13 14 15   23 24 25         start 3, shape (3, 3), strides (10, 1)
    as loops    (3, 10), (3, 1)                       3 steps of 10, and 3 steps of 1 in each
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Loops = list[tuple[int, int]]
    """The length and the stride of each of some nested loops, outermost first."""


@dataclass(eq=False)
class Space:
    """An array of numbers, which the passes of the compiler enlarge until the plan is complete."""

    name: str
    batched: bool
    """Whether each row holds a number for each example."""
    size: int = 0
    """The number of rows."""
    examples_first: bool = False
    """The order in memory: an example's numbers lie together, as in an argument (batch, size), or a row's do."""
    fresh: bool = False
    """Whether each call makes the array anew, because the caller keeps it."""
    whole: bool = False
    """Whether its numbers are integers: it is an argument of an integer or boolean kind."""
    of: Space | None = None
    """The space whose cotangents it holds."""
    filled: dict[int, float] = field(default_factory=dict)
    """The rows that hold a constant, in every call. Instructions read them and never write to them."""
    used: int = 0
    """The number of rows that are allocated now. The scratch spaces free all their rows after each transposed instruction."""

    def allocate(self, count: int) -> int:
        """Allocate ``count`` rows, and return the first of them."""
        start, self.used = self.used, self.used + count
        self.size = max(self.size, self.used)
        return start

    @property
    def all_rows(self) -> View:
        """The view of all rows, in their order."""
        return View(self, 0, (self.size,), contiguous((self.size,)))


@dataclass(frozen=True)
class View:
    """Rows in a regular pattern: ``start + i * strides[0] + j * strides[1] + …`` for i, j, … below ``shape``."""

    space: Space
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def batched(self) -> bool:
        """Whether each row holds a number for each example."""
        return self.space.batched

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows, in the shape of the view."""
        if self.contiguous:
            return np.arange(self.start, self.start + self.size).reshape(self.shape)
        rows = np.array(self.start)
        for size, stride in zip(self.shape, self.strides, strict=True):
            rows = np.add.outer(rows, np.arange(size) * stride)
        return rows

    @property
    def size(self) -> int:
        """The number of items. A row that comes twice counts twice."""
        return math.prod(self.shape)

    @property
    def contiguous(self) -> bool:
        """Whether the rows follow one another without a gap."""
        return self.strides == contiguous(self.shape)

    @property
    def loops(self) -> Loops:
        """The loops that visit the rows in their order; one of length 1 for a single row."""
        return [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n > 1] or [(1, 0)]

    def reshaped(self, shape: tuple[int, ...]) -> View:
        """The same rows, which must be contiguous, in another shape."""
        assert self.contiguous
        return View(self.space, self.start, shape, contiguous(shape))

    def only(self, axes: Sequence[int]) -> View:
        """The view with these axes alone. The other axes must be of length 1 or of stride 0."""
        shape = tuple([self.shape[i] for i in axes]) or (1,)
        return View(self.space, self.start, shape, tuple([self.strides[i] for i in axes]) or (0,))

    @property
    def squeezed(self) -> View:
        """The view without its axes of length 1."""
        return self.only([axis for axis, size in enumerate(self.shape) if size > 1])

    def spread(self, size: int) -> View:
        """The view with one more axis, along which each item comes ``size`` times."""
        return View(self.space, self.start, (*self.shape, size), (*self.strides, 0))

    def __str__(self) -> str:
        """``v[3:9] as 2x3`` for rows that follow one another, else with the strides: ``v[3] as 2x3 by 10,1``."""
        shape = "x".join(map(str, self.shape))
        if not self.contiguous:
            return f"{self.space.name}[{self.start}] as {shape} by {','.join(map(str, self.strides))}"
        return f"{self.space.name}[{self.start}:{self.start + self.size}]" + f" as {shape}" * (len(self.shape) > 1)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of rows that follow one another in this shape. The stride of an axis of length 1 is 0.

    >>> contiguous((2, 1, 3))
    (3, 0, 1)
    """
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step if size > 1 else 0)
        step *= size
    return tuple(reversed(strides))


def strided(space: Space, rows: NDArray[np.int64]) -> View | None:
    """The view of ``rows``, of the same shape, with one stride for each axis; None if there is no such view.

    >>> print(strided(Space("v", batched=True), np.array([[3, 4, 5], [13, 14, 15]])))
    v[3] as 2x3 by 10,1
    """
    start = int(rows.flat[0])
    strides = []
    for axis, size in enumerate(rows.shape):
        strides.append(int(np.moveaxis(rows, axis, 0)[(1, *[0] * (rows.ndim - 1))]) - start if size > 1 else 0)
    view = View(space, start, rows.shape, tuple(strides))
    return view if np.array_equal(view.rows, rows) else None


def nested(rows: NDArray[np.int64]) -> Loops | None:
    """The loops that visit ``rows`` in their order; None if it takes more than five of them, or no loops visit these rows.

    >>> nested(np.array([3, 4, 5, 13, 14, 15]))
    [(2, 10), (3, 1)]
    >>> nested(np.array([1, 1, 2]))
    """
    loops: Loops = []
    while len(rows) > 1:
        steps = np.diff(rows)
        other = np.flatnonzero(steps != steps[0])
        run = int(other[0]) + 1 if len(other) else len(rows)
        if len(rows) % run or len(loops) == _DEEPEST:
            return None
        table = rows.reshape(-1, run)
        if (table - table[:, :1] != table[0] - table[0, 0]).any():
            return None
        loops.insert(0, (run, int(steps[0])))
        rows = table[:, 0]
    return loops


_DEEPEST = 5


def common(nests: list[Loops]) -> tuple[tuple[int, ...], list[tuple[int, ...]]] | None:
    """The one shape in which all ``nests`` of loops can be written, and the strides of each; None if there is no such shape.

    A loop of 6 steps is two loops of 2 and 3 steps:

    >>> common([[(6, 1)], [(2, 10), (3, 0)]])
    ((2, 3), [(3, 1), (10, 0)])
    """
    cuts = {1}
    for nest in nests:
        size = 1
        for length, _ in reversed(nest):
            cuts.add(size := size * length)
    ends = sorted(cuts)
    if ends == [1]:
        return (1,), [(0,)] * len(nests)
    if any(b % a for a, b in pairwise(ends)):
        return None
    strides = []
    for nest in nests:
        mine = []
        for end in ends[:-1]:
            size = 1
            for length, stride in reversed(nest):
                if size * length > end:
                    mine.append(stride * (end // size))
                    break
                size *= length
        strides.append(tuple(reversed(mine)))
    return tuple([b // a for a, b in pairwise(ends)][::-1]), strides
