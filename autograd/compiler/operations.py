"""Operations over values: the computation of a program, before its numbers have places.

The values are the nodes of a graph, by their numbers, and further numbers for the results in between. An operation reads and
writes arrays of such numbers. A -1 in ``out`` stands for an item that is computed although no node needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from autograd import ops
    from autograd.compiler.steps import Steps

    Values = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Map:
    """``op`` of the arguments, item by item. They are values in the shape of ``out``, or one number for all.

    If there are ``lengths``, the values are runs of these lengths, which stay together.
    """

    out: Values
    args: tuple[Values | float, ...]
    op: ops.Op
    lengths: Values | None = None


@dataclass(frozen=True, eq=False)
class Reduce:
    """``op`` of each run of ``x``: of the first ``lengths[0]`` values, of the next ``lengths[1]`` values, and so on."""

    out: Values
    x: Values
    lengths: Values
    op: ops.Op


@dataclass(frozen=True, eq=False)
class Peak:
    """The largest value of each run of ``x``. No gradient flows through it."""

    out: Values
    x: Values
    lengths: Values


@dataclass(frozen=True, eq=False)
class Project:
    """A mark: each run of ``x`` holds logarithms of shares. See ``simplify.PROJECT``."""

    out: Values
    x: Values
    lengths: Values


@dataclass(frozen=True, eq=False)
class Product:
    """Matrix products (g, m, n) of left factors (g, m, k), which the examples share, and right factors (g, n, k).

    If there are biases (g, m), each is added to its row.
    """

    out: Values
    left: Values
    right: Values
    bias: Values | None = None


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Matrix products (g, m, n) of left factors (g, m, k) and right factors (g, n, k), both of which differ by example."""

    out: Values
    left: Values
    right: Values


@dataclass(frozen=True, eq=False)
class Take:
    """The columns (f, p) of a table (f, n), which the examples share, at indices (p)."""

    out: Values
    table: Values
    index: Values


@dataclass(frozen=True, eq=False)
class Pick:
    """From each row of a table (p, n) the item at an index; the indices are (p)."""

    out: Values
    table: Values
    index: Values


@dataclass(frozen=True, eq=False)
class Dots:
    """The scalar products of runs of left factors and runs of right factors."""

    out: Values
    left: Values
    right: Values
    lengths: Values


@dataclass(frozen=True, eq=False)
class Chain:
    """The results of steps that are taken one after the other, beginning with the ``given`` values."""

    out: Values
    given: Values
    steps: Steps


Operation = Map | Reduce | Peak | Project | Product | Pairwise | Dots | Take | Pick | Chain
"""One of these, so that mypy knows whether a ``match`` has forgotten one."""
