"""The slopes of a recorded graph, from the slopes of its operations; and whether the graph is the function near the point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from autograd.functional import gradient
from autograd.gradcheck.slopes import EPSILON, Slope
from autograd.graph import topological_sort

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autograd.gradcheck.partials import Partials
    from autograd.value import Value

MOVED = 2.0**-24
"""How far outputs must move, relatively, to show whether their graph moves with them."""


class Graph(NamedTuple):
    """The graph of an output, and sums over all paths from a node to the output."""

    output: Value
    nodes: list[Value]
    """The nodes that depend on the inputs, each after its arguments."""
    size: float
    """How large the numbers are that the output is computed from, as far as their rounding reaches the output."""
    slopes: dict[Value, float]
    sizes: dict[Value, float]
    """The sums of the absolute values of what ``slopes`` are sums of."""
    errors: dict[Value, float]
    scales: dict[Value, float]
    """How steep the operations are whose slopes are not known exactly. A logarithm near 1 is small beside its argument."""

    def slope(self, x: Value) -> Slope:
        """Return the slope of the output by ``x``, according to the slopes of the operations."""
        value, size, error, scale = [sums.get(x, 0.0) for sums in (self.slopes, self.sizes, self.errors, self.scales)]
        return Slope(value, error, size + scale + abs(self.output.data) / (abs(x.data) or 1.0), left=value, right=value)

    def at(self, x: Value, number: float) -> float:
        """Return the output that the graph computes if ``x`` is ``number``."""
        data = {x: number}
        for node in self.nodes:
            if any([arg in data for arg in node.args]):
                op: Any = node.op
                data[node] = op.on_floats(*[data.get(arg, arg.data) for arg in node.args])
        return data.get(self.output, self.output.data)


def graph_of(output: Value, inputs: Sequence[Value], partials: Partials) -> Graph:
    """Return the graph of ``output``, with the chain rule applied to numeric slopes instead of the rules of the table.

    From the output back to the inputs, each node hands its sum on to its arguments. For ``y = x * exp(x)`` at x = 2:

        node       slope of y by it
        y          1
        e = exp(x) 2             1 times the slope of x * e by e
        x          e + 2 e       1 times the slope of x * e by x, plus 2 times the slope of exp by x
    """
    order = topological_sort(output)
    size = sum([abs(slope * node.data) for slope, node in zip(gradient(output, order), order, strict=True) if node.args])
    depends = dict.fromkeys(inputs)
    for node in order:
        if any([arg in depends for arg in node.args]):
            depends[node] = None
    nodes = [node for node in order if node in depends]
    slopes, sizes, errors, scales = [dict.fromkeys(nodes, 0.0) for _ in range(4)]
    if nodes:
        slopes[output] = sizes[output] = 1.0
    for node in [node for node in reversed(nodes) if node.args]:
        for arg, partial in zip(node.args, partials.of(node), strict=True):
            if arg in slopes:
                steep = abs(partial.value)
                error = partial.error + 4.0 * EPSILON * steep if partial.is_sure() and not partial.flaw else math.inf
                slopes[arg] += slopes[node] * partial.value
                sizes[arg] += sizes[node] * steep
                errors[arg] += errors[node] * steep + sizes[node] * error
                scales[arg] += scales[node] * steep + (sizes[node] * partial.scale if partial.scale < math.inf else 0.0)
    return Graph(output, nodes, size if math.isfinite(size) else 0.0, slopes, sizes, errors, scales)


def are_same(along: Callable[[float], list[float]], x: Value, graphs: Sequence[Graph]) -> tuple[list[bool], list[float]]:
    """Return whether each output of fn is what its graph computes when ``x`` moves, and the steepest secant of each.

    The graph misses what fn computes outside of it. ``x.detach() * x``, recorded at 3, is the graph ``3 * x``:

        x      fn      graph
        3      9       9
        3.1    9.61    9.3       not the same: the slope of the graph, 3, is not that of fn, 6

    Steps grow until all outputs have moved so far that such a difference shows, or the domain of fn ends.
    """
    own = abs(x.data) or 1.0
    wide = max(own, 1.0)
    same, secants = [True for _ in graphs], [0.0 for _ in graphs]
    for step in (2.0**-20 * own, 0.125 * own, 0.125 * wide, 2.0**10 * wide, 2.0**24 * wide, 2.0**40 * wide):
        moved = [False for _ in graphs]
        for number in x.data + step, x.data - step:
            found = along(number)
            if all(map(math.isnan, found)):
                return same, secants
            for i, (graph, got) in enumerate(zip(graphs, found, strict=True)):
                y, expected = graph.output.data, graph.at(x, number)
                same[i] &= got == expected or (math.isnan(got) and math.isnan(expected))
                change = abs(got - y)
                secants[i] = max(secants[i], change / step if change < math.inf else 0.0)
                moved[i] |= not same[i] or change > MOVED * max(graph.size, abs(y))
        if all(moved) and step >= 0.125 * own:
            break
    return same, secants
