"""Derivatives that are returned, not stored."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, overload

from autograd import modes, ops
from autograd.chain_rule import forward, reverse
from autograd.errors import RecordingError, shown
from autograd.graph import topological_sort
from autograd.math import items
from autograd.value import Value, _constant, _number

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


class _Shadow:
    """A copy of a node for one sweep: the sweep writes nothing to the node, and other threads may sweep the same graph."""

    __slots__ = ("_args", "_clock", "_data", "_grad", "_row", "label")

    def __init__(self, node: Value, args: tuple[_Shadow, ...], data: Any) -> None:
        self._grad: Any = 0.0
        self.label = node.label
        self._args = args
        self._clock = node._clock
        self._data = data
        self._row = node.op


class _Simplify(modes.Mode):
    """While a sweep writes a gradient as a graph: leave out nodes that the gradient does not need.

    A node of constants is a constant. A product with the constant 1, a sum with the constant 0 and a choice by a constant are
    one of their arguments; a product with -1 is a negative. For y = 3 x the sweep computes 1 × 3, where the 1 is the
    gradient that it starts with: the slope is then the constant 3, and no node.
    """

    by_sweep = True

    def recorded(self, node: Any) -> Any:
        """Return the simplest equal of ``node``."""
        op, args = node._row, node._args
        constants = [arg for arg in args if arg._row is ops.constant]
        if len(constants) == len(args):
            return _constant(node._data)
        if op is ops.where and args[0]._row is ops.constant:
            return args[1 if args[0]._data else 2]
        if constants and op in (ops.add, ops.mul):
            number = constants[0]._data
            other = args[1] if args[0]._row is ops.constant else args[0]
            if number == (0.0 if op is ops.add else 1.0):
                return other
            if op is ops.mul and number == -1.0:
                return -other
            # Infinity or NaN times 0 is NaN; and what is finite while a function is compiled may be infinite in a later call.
            if op is ops.mul and number == 0.0 and math.isfinite(other._data) and not modes.compiling.get():
                return _constant(0.0)
        return node


@overload
def gradient(y: Value, xs: Sequence[Value], *, create_graph: Literal[False] = False) -> tuple[float, ...]: ...
@overload
def gradient(y: Value, xs: Sequence[Value], *, create_graph: Literal[True]) -> tuple[Value, ...]: ...
def gradient(y: Value, xs: Sequence[Value], *, create_graph: bool = False) -> tuple[Any, ...]:
    """Return the partial derivatives of ``y`` by each of ``xs``, by one reverse sweep.

    Nothing is stored: ``x.grad`` stays as it is, and a second call gives the same result. The derivative by an ``x`` that
    ``y`` does not depend on is 0.0; a constant depends on nothing. With ``create_graph`` the results are Values and can be
    differentiated again. Raises GraphError if the ``data`` of a variable was assigned after it was used.

    >>> x = Value(3.0)
    >>> (slope,) = gradient(x * x * x, [x], create_graph=True)
    >>> slope.data                       # 3 x²
    27.0
    >>> gradient(slope, [x])             # 6 x
    (18.0,)
    """
    xs = _checked("gradient()", y, xs)
    if not create_graph:
        modes.refuse_while_compiling(
            "gradient() without a graph",
            "its numbers for the first example would be used for all examples: add create_graph=True",
        )
    recorded = create_graph and modes.recording()
    shadows: dict[Value, _Shadow] = {}
    for node in topological_sort(y):
        args = tuple([shadows[arg] for arg in node.args])
        shadows[node] = _Shadow(node, args, node if recorded else node.data)  # partials are computed from this
    with _Simplify() if recorded else nullcontext():
        reverse([*shadows.values()], 1.0)
    grads = {node: shadow._grad for node, shadow in shadows.items()}
    if not recorded:
        for mode in modes.active.get():
            mode.swept(grads)
    slopes = [grads.get(x, 0.0) for x in xs]
    return tuple([_apart(slope, shadows) for slope in slopes] if create_graph else slopes)


def _apart(slope: Value | float, graph: Container[Value]) -> Value:
    """Return ``slope`` as a Value outside of ``graph``, because the labels and grads in there are the user's."""
    if not isinstance(slope, Value):
        return Value(slope).detach()
    return slope * 1.0 if slope in graph else slope


def directional(y: Value, xs: Sequence[Value], tangents: Sequence[float]) -> float:
    """Return the derivative of ``y`` in a direction, by one forward sweep.

    ``tangents`` holds the speed at which each of ``xs`` moves. The result is the speed at which ``y`` then moves. Raises
    TypeError unless the tangents are real numbers, and ValueError unless there is one for each of ``xs``.

    >>> a, b = Value(2.0), Value(3.0)
    >>> directional(a * b, [a, b], [1.0, 10.0])     # b · 1 + a · 10
    23.0
    """
    xs = _checked("directional()", y, xs)
    modes.refuse_while_compiling(
        "directional()",
        "its number for the first example would be used for all: multiply and add up gradient(y, xs, create_graph=True)",
    )
    speeds = [_number(tangent, "a tangent of directional()") for tangent in items(tangents, "directional()")]
    if len(xs) != len(speeds):
        msg = f"directional() expects a tangent for each of the {len(xs)} variables, not {len(speeds)}"
        raise ValueError(msg)
    moving = dict.fromkeys(xs, 0.0)
    for x, speed in zip(xs, speeds, strict=True):
        moving[x] += speed
    return forward(topological_sort(y), moving)


def _checked(function: str, y: object, xs: Any) -> list[Value]:
    """Return ``xs`` as a list; TypeError unless they, and ``y``, are Values."""
    if not isinstance(y, Value):
        msg = f"{function} differentiates a Value, not {type(y).__name__} {shown(y)}"
        raise TypeError(msg)
    values = [xs] if isinstance(xs, Value) else items(xs, function)
    made = modes.compiling.get().made
    for x in values:
        if not isinstance(x, Value):
            msg = f"{function} differentiates by Values, not by {type(x).__name__} {shown(x)}"
            raise TypeError(msg)
        if x in made:
            msg = f"{function} differentiates by a Value that was made inside the function, {made[x]}: make it outside"
            raise RecordingError(msg)
    return values
