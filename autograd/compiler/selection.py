"""Select: write what has no instruction of its own as several operations.

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
from autograd.compiler.operations import Dots, Map, Operation, Peak, Product, Reduce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.operations import Values
    from autograd.compiler.simplify import Simplified


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

    def add(self, operation: Operation) -> None:
        """Append ``operation``, or the operations that it stands for."""
        match operation:
            case Reduce(op=ops.logsumexp):
                self._logsumexp(operation)
            case Dots():
                self._dots(operation)
            case Product(out, left, right) if (right[..., -1] == self.graph.one).all():
                self.operations.append(Product(out, left[..., :-1], right[..., :-1], bias=left[..., -1]))
            case _:
                self.operations.append(operation)

    def _new(self, count: int, nodes: Values) -> Values:
        """Return ``count`` new values, which differ between examples if the ``nodes`` that are made of them do."""
        first = len(self.graph.args) + len(self.more)
        self.more += [bool(self.graph.batched[nodes[0]])] * count
        return np.arange(first, first + count)

    def _logsumexp(self, o: Reduce) -> None:
        """Add ``log Σ exp x = m + log Σ exp(x - m)`` of each run, where m is its largest value, so that nothing overflows."""
        peak, total, logarithm = [self._new(len(o.out), o.out) for _ in range(3)]
        shape = (len(o.out), -1) if (o.lengths == o.lengths[0]).all() else (-1,)
        spread, x = np.repeat(peak, o.lengths).reshape(shape), o.x.reshape(shape)
        shifted, exponentials = [self._new(x.size, o.out).reshape(shape) for _ in range(2)]
        self.operations += [
            Peak(peak, x, o.lengths),
            Map(shifted, (x, spread), ops.sub, o.lengths),
            Map(exponentials, (shifted,), ops.exp, o.lengths),
            Reduce(total, exponentials, o.lengths, ops.fsum),
            Map(logarithm, (total,), ops.log),
            Map(o.out, (logarithm, peak), ops.add),
        ]

    def _dots(self, o: Dots) -> None:
        """Add the products of all factors, or squares, and the sums of their runs."""
        products = self._new(len(o.left), o.out)
        same = np.array_equal(o.left, o.right)
        self.operations += [
            Map(products, (o.left,) if same else (o.left, o.right), ops.square if same else ops.mul, o.lengths),
            Reduce(o.out, products, o.lengths, ops.fsum),
        ]


def select(graph: Simplified, operations: Sequence[Operation]) -> Selection:
    """Return ``operations`` on the nodes of ``graph``, written in terms of those that an instruction can compute."""
    selection = Selection(graph)
    for operation in operations:
        selection.add(operation)
    return selection
