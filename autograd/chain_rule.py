"""The chain rule, twice: gradients from the result back to the leaves, and tangents from the leaves to the result.

    grad of a node       ∂result/∂node: how fast the result changes when that node moves (its cotangent)
    tangent of a node    how fast the node changes when the leaves move in a given direction

Both sweeps visit the nodes in topological order and use only the Node protocol. The partial derivatives are those of the table
in ops.py. The numbers need not be floats: where nodes carry Values, the gradient is a graph, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograd.graph import stale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autograd.graph import N, Node


def reverse(order: Sequence[Node], gradient: Any) -> None:
    """Set the grad of each node to the derivative of the last node by it, times ``gradient``.

    Each node passes its grad on to its arguments. The topological order ensures that its grad is complete by then: all nodes
    that were computed from it have already passed theirs on.
    """
    for node in order:
        node._grad = 0.0
    order[-1]._grad = gradient
    for node in reversed(order):
        args, clock = node._args, node._clock
        # Most nodes have one or two arguments. A branch for each of the two cases halves the time of the sweep.
        if len(args) == 2:  # noqa: PLR2004 - two is the arity, not a magic number
            a, b = args
            if a._clock > clock or b._clock > clock:
                raise stale(node)
            by_a, by_b = node._row.partials(node._data, a._data, b._data)
            a._grad += node._grad * by_a
            b._grad += node._grad * by_b
        elif len(args) == 1:
            (a,) = args
            if a._clock > clock:
                raise stale(node)
            (by_a,) = node._row.partials(node._data, a._data)
            a._grad += node._grad * by_a
        elif args:
            partials = node._row.partials(node._data, *[arg._data for arg in args])
            grad = node._grad
            for arg, partial in zip(args, partials, strict=True):
                if arg._clock > clock:
                    raise stale(node)
                arg._grad += grad * partial


def forward(order: Sequence[N], tangents: Mapping[N, float]) -> float:
    """Return the tangent of the last node, given those of some nodes. Nodes that do not depend on these have the tangent 0."""
    tangent = dict(tangents)
    for node in order:
        if node in tangent or not any([arg in tangent for arg in node._args]):
            continue
        if any([arg._clock > node._clock for arg in node._args]):
            raise stale(node)
        partials = node._row.partials(node._data, *[arg._data for arg in node._args])
        tangent[node] = 0.0
        for arg, partial in zip(node._args, partials, strict=True):
            if arg in tangent:
                tangent[node] += tangent[arg] * partial
    return tangent.get(order[-1], 0.0)
