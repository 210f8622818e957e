"""The instruction set: what a program is made of, as plain data, whoever is to execute it.

Numbers live in the rows of spaces. A row of a batched space holds a number for each example, a row of another one a single
number. An instruction reads and writes views, which are rows in a regular pattern; rows without one are gathered first.

    kind       out = …                                                       arguments
    map        op of the arguments, elementwise                              views of one shape, or numbers
    sum        the sum over the last axis of a view, or over others          one view; ``axes``, ``over_batch``
    reduce     op of all items along the last axis                           one view
    unfold     the cotangents of the items that were reduced                 that of the result, the result, and the items
    chain      steps one after the other, each to a row of out               one view of one axis: the rows that they begin with
    sweep      the cotangents of what a chain began with                     those of what it wrote, which are completed on the
                                                                             way; the chain's argument, and its out
    peak       the largest along the last axis; only a shift, so no          one view
               gradient flows through it
    segments   op over runs of rows, which begin at ``rows``                 one view of one axis
    project    nothing, but backward: from the cotangents of logarithms of   one view of one axis, the ``rows`` of it, among
               shares it takes their sum, in parts that are these shares     which a softmax begins at each of ``axes``
    product    matrix product, summed over examples where both factors       two stacks of matrices, of which those in
               are batched and out is not                                    ``transposed`` are transposed; and what is added to
                                                                             each of its columns, or nothing
    pairwise   matrix product of each example by itself                      two stacks of matrices, as above
    gather     the rows ``rows``                                             one view of one axis
    scatter    row i of the view, at ``rows[i]``                             one view of one axis
    move       the argument, spread over all examples if it is not batched   one view
    take       columns of a table that all examples share                    a table (f, n), an index (p)
    put        a table of zeros, with each column added where it was taken   what take gave (f, p), an index (p)
    pick       of each row of a table the item at an index                   a table (p, n), an index (p)
    place      a table of zeros, with each item put where it was picked      what pick gave (p), an index (p)
    fill       a number, or the string "seed": what the result's own         that
               cotangent is
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autograd.compiler.chains import Chain
    from autograd.ops import Op


@dataclass(eq=False)
class Space:
    """An array of numbers: one row a number, or a number for each example."""

    name: str
    batched: bool
    size: int = 0
    """In rows."""
    fresh: bool = False
    """Whether it is made anew at each call, as it is given away."""
    whole: bool = False
    """Whether its numbers are whole ones, being an argument that holds such."""
    filled: dict[int, float] = field(default_factory=dict)
    """Rows that hold a constant from the start, and are never written."""

    used: int = 0
    """How many of its rows are allocated now; of temporary ones there have been more before."""

    def allocate(self, count: int) -> int:
        """The first of ``count`` new rows."""
        start, self.used = self.used, self.used + count
        self.size = max(self.size, self.used)
        return start


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
        """How many rows, those that come again counted again."""
        return math.prod(self.shape)

    @property
    def contiguous(self) -> bool:
        """Whether the rows follow one another without a gap."""
        return self.strides == contiguous(self.shape)

    def reshaped(self, shape: tuple[int, ...]) -> View:
        """The same rows, which are contiguous, in another shape."""
        assert self.contiguous
        return View(self.space, self.start, shape, contiguous(shape))


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of rows that follow one another in this shape; 0 along axes of length 1, which have no stride."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step if size > 1 else 0)
        step *= size
    return tuple(reversed(strides))


Arg = Any
"""A View, a number, or (of ``fill``) the string "seed"."""


@dataclass(frozen=True, eq=False)
class Instruction:
    """See the table at the head of this module."""

    kind: str
    out: View
    args: tuple[Arg, ...]
    op: Op | None = None
    rows: NDArray[np.int64] | None = None
    axes: tuple[int, ...] = ()
    over_batch: bool = False
    transposed: tuple[bool, bool] = (False, False)
    chain: Chain | None = None
    """The steps."""
    finite: tuple[View, ...] = ()
    """Views in which infinities and NaNs would meet zeros that the graph has not: a program that finds one gives up."""

    @property
    def views(self) -> list[View]:
        """The views among the arguments."""
        return [arg for arg in self.args if isinstance(arg, View)]


def nested(rows: NDArray[np.int64]) -> list[tuple[int, int]] | None:
    """The loops (length, stride), outermost first, that visit ``rows`` in their order; None if there are none so simple.

    >>> nested(np.array([3, 4, 5, 13, 14, 15]))
    [(2, 10), (3, 1)]
    >>> nested(np.array([1, 1, 2]))
    """
    loops: list[tuple[int, int]] = []
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


def common(loops: list[list[tuple[int, int]]]) -> tuple[tuple[int, ...], list[tuple[int, ...]]] | None:
    """The one shape in which all of ``loops`` can be written, and the strides of each; None if there is no such shape.

    >>> common([[(6, 1)], [(2, 10), (3, 0)]])
    ((2, 3), [(3, 1), (10, 0)])
    """
    cuts = {1}
    for nest in loops:
        size = 1
        for length, _ in reversed(nest):
            cuts.add(size := size * length)
    ends = sorted(cuts)
    if ends == [1]:
        return (1,), [(0,)] * len(loops)
    if any(b % a for a, b in pairwise(ends)):
        return None
    strides = []
    for nest in loops:
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
