"""Select operations: what is computed from what, over numbered values that have no place yet.

The values of a program are the nodes of its graph, by their numbers, and new numbers for the results in between. An operation
reads and writes arrays of such numbers. ``allocate`` decides later where the values lie, and in which order.

``[logsumexp([x0, x1]), logsumexp([x2, x3])]``, whose nodes are 0 to 5, of which 4 and 5 are the results, becomes

    [6, 7]         = peak [0, 1 | 2, 3]                          | separates the runs
    [8, 9, 10, 11] = sub  [0, 1 | 2, 3], [6, 6 | 7, 7]
    [12, …, 15]    = exp  [8, 9 | 10, 11]
    [16, 17]       = sum  [12, 13 | 14, 15]
    [18, 19]       = log  [16, 17]
    [4, 5]         = add  [18, 19], [6, 7]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from autograd import ops
from autograd.compiler.folds import Fold
from autograd.compiler.record import ROWS
from autograd.compiler.simplify import CONSTANT, FOLD, Simplified
from autograd.compiler.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.pack import Group

    Values = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Map:
    """``op`` of each row of the arguments, which are values in the shape of ``out``, or one number for all.

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
class Chain:
    """The results of steps that are taken one after the other, beginning with the ``given`` values."""

    out: Values
    given: Values
    steps: Steps


Operation = Map | Reduce | Peak | Project | Product | Pairwise | Take | Pick | Chain
"""An operation on arrays of value numbers. A -1 in ``out`` stands for a value that is computed although nothing reads it."""


@dataclass
class Selection:
    """The operations of a program, in their order, over the nodes of a graph and new values."""

    graph: Simplified
    operations: list[Operation] = field(default_factory=list)
    more: list[bool] = field(default_factory=list)
    """For each value that is no node, whether it differs between examples."""

    @property
    def batched(self) -> NDArray[np.bool_]:
        """For each value, whether it differs between examples."""
        return np.append(self.graph.batched[: len(self.graph.args)], np.array(self.more, bool))

    def add(self, group: Group) -> None:  # noqa: C901 - one branch for each kind of group
        """Append the operations that compute the nodes of ``group``."""
        nodes, operands = group.nodes, group.operands
        match group.kind:
            case "map":
                self._add(Map(nodes, tuple(map(self._number_or_values, operands)), ROWS[group.code]))
            case "reduce" if ROWS[group.code % FOLD] is ops.logsumexp:
                self._logsumexp(nodes, *operands)
            case "reduce":
                self._add(Reduce(nodes, operands[0], operands[1], ROWS[group.code % FOLD]))
            case "dots":
                self._dots(nodes, *operands)
            case "product":
                self._product(nodes, *operands)
            case "chain":
                self._chain(nodes, *operands)
            case "project":
                self._add(Project(nodes, *operands))
            case "pairwise":
                self._add(Pairwise(nodes, *operands))
            case "take":
                self._add(Take(nodes, *operands))
            case "pick":
                self._add(Pick(nodes, *operands))

    def _add(self, operation: Operation) -> None:
        self.operations.append(operation)

    def _new(self, count: int, nodes: Values) -> Values:
        """Return ``count`` new values, which differ between examples if the ``nodes`` that are made of them do."""
        first = len(self.graph.args) + len(self.more)
        self.more += [bool(self.graph.batched[nodes[0]])] * count
        return np.arange(first, first + count)

    def _number_or_values(self, values: Values) -> Values | float:
        """Return the ``values``, or the number that all of them are."""
        graph = self.graph
        is_number = graph.code[values[0]] == CONSTANT and (values == values[0]).all()
        return float(graph.number[values[0]]) if is_number else values

    def _logsumexp(self, nodes: Values, x: Values, lengths: Values) -> None:
        """Add ``log Σ exp x = m + log Σ exp(x - m)`` of each run, where m is its largest value, so that nothing overflows."""
        peak, total, logarithm = [self._new(len(nodes), nodes) for _ in range(3)]
        shape = (len(nodes), -1) if (lengths == lengths[0]).all() else (-1,)
        spread, x = np.repeat(peak, lengths).reshape(shape), x.reshape(shape)
        shifted, exponentials = [self._new(x.size, nodes).reshape(shape) for _ in range(2)]
        self._add(Peak(peak, x, lengths))
        self._add(Map(shifted, (x, spread), ops.sub, lengths))
        self._add(Map(exponentials, (shifted,), ops.exp, lengths))
        self._add(Reduce(total, exponentials, lengths, ops.fsum))
        self._add(Map(logarithm, (total,), ops.log))
        self._add(Map(nodes, (logarithm, peak), ops.add))

    def _dots(self, nodes: Values, left: Values, right: Values, lengths: Values) -> None:
        """Add the scalar products of the runs: all products at once, or squares, and their sums."""
        products = self._new(len(left), nodes)
        if np.array_equal(left, right):
            self._add(Map(products, (left,), ops.square, lengths))
        else:
            self._add(Map(products, (left, right), ops.mul, lengths))
        self._add(Reduce(nodes, products, lengths, ops.fsum))

    def _product(self, nodes: Values, left: Values, right: Values) -> None:
        """Add a matrix product. Left factors whose right factors are all 1 are biases."""
        if (right[..., -1] == self.graph.one).all():
            self._add(Product(nodes, left[..., :-1], right[..., :-1], left[..., -1]))
        else:
            self._add(Product(nodes, left, right))

    def _chain(self, nodes: Values, code: Values, first: Values, arg: Values) -> None:
        """Add steps that are taken one after the other.

        Of ``y = sin(x)``, ``z = y * 2`` and ``w = z * x``, x is given, 2 is a number, and y, z and w are written. They get the
        cells 0 to 4 in this order, and the steps are sin(0), mul(2, 1) and mul(3, 0).
        """
        graph = self.graph
        cells = np.full(len(graph.args), -1)
        cells[nodes] = 0
        outside = arg[cells[arg] < 0]
        outside = outside[np.sort(np.unique(outside, return_index=True)[1])]
        is_number = graph.code[outside] == CONSTANT
        given, numbers = outside[~is_number], outside[is_number]
        order = np.concatenate([given, numbers, nodes])
        cells[order] = np.arange(len(order))
        codes, which = np.unique(code, return_inverse=True)
        steps = Steps(
            [*map(_step, codes.tolist())],
            which.astype(np.int32),
            first.astype(np.int32),
            cells[arg].astype(np.int32),
            len(given),
            graph.number[numbers].tolist(),
        )
        self._add(Chain(nodes, given, steps))


def _step(code: int) -> ops.Op:
    """Return the operation of a step. The fold of a row takes any number of arguments; a product does so anyway."""
    row = ROWS[code % FOLD]
    return row if code < FOLD or row is ops.prod else Fold(row)


def select(graph: Simplified, groups: Sequence[Group]) -> Selection:
    """Return the operations that compute the ``groups`` of nodes, in their order."""
    selection = Selection(graph)
    for group in groups:
        selection.add(group)
    return selection
