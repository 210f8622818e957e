"""Computation graphs: nodes that know their arguments, and the order in which to visit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from autograd.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Node(Protocol):
    """What the sort and the sweeps see of a Value. A node's row and arguments never change."""

    label: str
    _grad: Any
    """The derivative of a result by this node, which a sweep writes."""
    _row: Any
    """The row of the table that made this node; None for a variable."""
    _args: tuple[Any, ...]
    """The arguments of the operation, in order; empty for a leaf."""
    _data: Any
    """The number."""
    _clock: int
    """The number of assignments to leaves before this node was made. For a leaf, before it was last assigned."""


N = TypeVar("N", bound=Node)


def topological_sort(root: N) -> list[N]:
    """Return the nodes that ``root`` was computed from, each after all of its arguments; ``root`` comes last.

    The search goes depth first and keeps its own stack, because a graph may be a million nodes deep. Raises TypeError unless
    ``root`` is a Value.

    >>> from autograd import Value
    >>> a = Value(1.0, label="a")
    >>> b = a + a; b.label = "b"
    >>> c = b * a; c.label = "c"
    >>> [node.label for node in topological_sort(c)]
    ['a', 'b', 'c']
    """
    if not hasattr(root, "_args"):
        msg = f"topological_sort() expects a Value, not {type(root).__name__}"
        raise TypeError(msg)
    order: list[N] = []
    seen = {root}
    node, rest = root, iter(root._args)
    waiting: list[tuple[N, Iterator[N]]] = []  # nodes, each with those of its arguments that are not visited yet
    while True:
        for arg in rest:
            if arg not in seen:
                seen.add(arg)
                if not seen.issuperset(arg._args):
                    waiting.append((node, rest))
                    node, rest = arg, iter(arg._args)
                    break
                order.append(arg)  # a leaf, or a node whose arguments are in order already
        else:  # all arguments of the node are in order
            order.append(node)
            if not waiting:
                return order
            node, rest = waiting.pop()


def validate(order: Iterable[Node]) -> None:
    """Raise GraphError unless each node comes after its arguments, and was made after these were last assigned.

    The public interface cannot make a cycle. This check finds cycles that were made by other means.
    """
    visited: set[Node] = set()
    for node in order:
        if not visited.issuperset(node._args):
            msg = f"the graph has a cycle through {describe(node)}: a Value cannot be computed from itself"
            raise GraphError(msg)
        if any([arg._clock > node._clock for arg in node._args]):
            raise stale(node)
        visited.add(node)


def stale(node: Node) -> GraphError:
    """Return the error for a node with an argument that was assigned after the node had used it."""
    arg = next(arg for arg in node._args if arg._clock > node._clock)
    return GraphError(
        f"the data of {describe(arg)} was assigned after {node._row} had used it: compute the result again, then differentiate"
    )


def describe(node: Node) -> str:
    """Return the node's label for messages, or its number if it has no label."""
    return repr(node.label) if node.label else f"a Value of {node._data!r}"
