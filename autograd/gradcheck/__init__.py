"""Compares derivatives with numeric ones that are found without them, and names the rule that is wrong.

``slopes`` finds the slope of a function from its numbers alone, ``partials`` those of single operations, and ``graphs`` those
of a whole graph by way of its operations. This module compares all of them with what the sweeps say.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import trees
from autograd.errors import GradcheckError, shown
from autograd.functional import directional, gradient
from autograd.gradcheck.graphs import Graph, are_same, graph_of
from autograd.gradcheck.partials import Partials
from autograd.gradcheck.slopes import OUTSIDE, Slope, by_differences
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = Callable[[Sequence[float]], tuple[list[Value], list[Value]]]
"""A function of numbers. It makes new inputs with these numbers, and returns them and the outputs computed from them."""

HIGHEST = 20
"""The highest order of derivatives that is checked."""
TITLES = ("output", "input", "label", "value", "sweep", "analytic", "numeric", "abs error", "rel error", "step", "± numeric")


def gradcheck(fn: Callable[..., Any], inputs: Any, *, rtol: float = 1e-6, atol: float = 0.0, order: int = 1) -> bool:
    """Return True if the derivatives of ``fn`` at ``inputs`` are right, in reverse and in forward mode.

    ``inputs`` is one argument for ``fn``, or a list or tuple of its arguments. An argument is a Value, or lists, tuples, dicts
    and arrays of Values, nested as you like. Anything else is passed on as it is. ``fn`` returns Values in the same ways.

    Two things are checked. First, that near the point the recorded graph computes the same numbers as ``fn``, bit by bit.
    Second, that the derivatives of the graph are right. The slope of each operation is found by a complex step if NumPy has the
    operation for complex numbers, or else by differences. The chain rule combines these slopes. Where the graph is not the
    function, or an operation has no slope, differences of ``fn`` itself decide. Differences are extrapolated to step 0
    (Richardson), and the step that promises the smallest error is used.

    A derivative is right if it differs from the numeric one by at most ``atol + rtol * |numeric|`` plus the error of the
    numeric one. ``atol`` is 0 by default, because 1e-8 would be large for a function whose values are about 1e-9. With
    ``order=2``, derivatives of derivatives are checked as well.

    Raises GradcheckError if a derivative is wrong, with a table of every mismatch and the first wrong rule of
    ``autograd/ops.py``. Raises GradcheckError, too, if ``fn`` has a kink at the point. Raises TypeError if ``inputs`` contains
    no Values, or ``fn`` returns none.

    >>> gradcheck(lambda x, y: x * y.exp(), [Value(2.0), Value(-1.0)], order=2)
    True
    >>> gradcheck(lambda p: p["w"] / p["b"], {"w": Value(2.0), "b": Value(1e-10)})
    True
    >>> gradcheck(lambda x: x.relu(), Value(0.0, label="x"))
    Traceback (most recent call last):
        ...
    autograd.errors.GradcheckError: no derivative at this point: output 0 has a kink in input 0 (x = 0.0): ...
    """
    _check_settings(fn, rtol, atol, order)
    arguments = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    point = [x for x in _flat(arguments, "what it was given") if isinstance(x, Value)]
    if not point:
        msg = "gradcheck() needs at least one Value among its inputs"
        raise TypeError(msg)
    labels = [x.label for x in point]

    def at(numbers: Sequence[float]) -> tuple[list[Value], list[Value]]:
        fresh = [Value(number, label) for number, label in zip(numbers, labels, strict=True)]
        outputs = [*_flat(fn(*_rebuilt(arguments, iter(fresh))), "what fn returns")]
        for output in outputs:
            if not isinstance(output, Value):
                msg = f"gradcheck() expects fn to return Values, or lists of them, not {type(output).__name__} {shown(output)}"
                raise TypeError(msg)
        if not outputs:
            msg = "gradcheck() expects fn to return at least one Value: there is nothing to differentiate"
            raise TypeError(msg)
        return fresh, outputs

    function: Function = at
    for _ in range(int(order)):
        _check(function, [x.data for x in point], rtol, atol)
        function = _differentiated(function)
    return True


def _check_settings(fn: Any, rtol: Any, atol: Any, order: Any) -> None:
    if not callable(fn):
        msg = f"gradcheck() expects a function, not {type(fn).__name__} {shown(fn)}"
        raise TypeError(msg)
    for name, number in ("rtol", rtol), ("atol", atol), ("order", order):
        if not isinstance(number, int | float | np.integer | np.floating):
            msg = f"gradcheck() expects {name} to be a number, not {type(number).__name__} {shown(number)}"
            raise TypeError(msg)
    largest = sys.float_info.max
    if not (0.0 <= rtol <= largest and 0.0 <= atol <= largest):
        msg = f"gradcheck() expects tolerances that are finite and not negative, not rtol={shown(rtol)}, atol={shown(atol)}"
        raise ValueError(msg)
    if not 1 <= order <= HIGHEST or order != int(order):
        msg = f"gradcheck() expects order to be a whole number from 1 to {HIGHEST}, not {shown(order)}"
        raise ValueError(msg)


def _differentiated(at: Function) -> Function:
    """Return the function whose outputs are the derivatives of all outputs of ``at`` by all inputs."""

    def slopes_at(numbers: Sequence[float]) -> tuple[list[Value], list[Value]]:
        fresh, outputs = at(numbers)
        return fresh, [slope for output in outputs for slope in gradient(output, fresh, create_graph=True)]

    return slopes_at


def _check(at: Function, point: list[float], rtol: float, atol: float) -> None:
    """Raise GradcheckError unless every derivative of every output is right."""
    fresh, outputs = at(point)
    here = [output.data for output in outputs]
    if repr(here) != repr([output.data for output in at(point)[1]]):
        msg = "fn gives different results for the same inputs, so that it has no derivative: remove the randomness from it"
        raise GradcheckError(msg)
    partials = Partials()
    graphs = [graph_of(output, fresh, partials) for output in outputs]
    reverse = [gradient(output, fresh) for output in outputs]
    kinks, rows = [], []
    for j, x in enumerate(fresh):
        where = f"input {j} ({x.label or 'x'} = {x.data!r})"
        for i, slope in enumerate(_slopes(at, fresh, j, graphs)):
            if slope.flaw:
                kinks.append(f"output {i} {slope.flaw.format(where)}")
                continue
            for sweep, analytic in ("reverse", reverse[i][j]), ("forward", directional(outputs[i], [x], [1.0])):
                if not slope.fits(analytic, rtol, atol):
                    rows.append((str(i), str(j), x.label, f"{x.data:.6g}", sweep, *_compared(analytic, slope)))
    if rows:
        culprit = partials.blame([node for graph in graphs for node in graph.nodes if node.args], rtol, atol)
        raise GradcheckError("\n".join([f"{len(rows)} derivatives do not fit", *_table([TITLES, *rows]), *kinks, culprit]))
    if kinks:
        raise GradcheckError("no derivative at this point: " + "\n".join(kinks))


def _slopes(at: Function, fresh: list[Value], j: int, graphs: list[Graph]) -> list[Slope]:
    """Return the slope of each output by input ``j``, from its graph if that is fn near the point, or else by differences."""
    x, here = fresh[j], [graph.output.data for graph in graphs]
    numbers = [value.data for value in fresh]

    def along(number: float) -> list[float]:
        try:
            with np.errstate(all="ignore"):  # the user did not choose these numbers
                found = [output.data for output in at([*numbers[:j], number, *numbers[j + 1 :]])[1]]
        except OUTSIDE:
            return [math.nan for _ in here]
        if len(found) != len(here):
            msg = f"fn returns {len(here)} Values at the point, and {len(found)} nearby: it has no derivative"
            raise GradcheckError(msg)
        return found

    same, secants = are_same(along, x, graphs)
    slopes = [graph.slope(x) for graph in graphs]
    trusted = [is_same and math.isfinite(slope.error) and slope.is_sure() for is_same, slope in zip(same, slopes, strict=True)]
    if all(trusted):
        return slopes
    differences = by_differences(along, x.data, here, [graph.size for graph in graphs], secants, abs(x.data))
    return [slope if ok else by for slope, ok, by in zip(slopes, trusted, differences, strict=True)]


def _compared(analytic: float, slope: Slope) -> tuple[str, ...]:
    """Return the last cells of a row of the table."""
    difference = abs(analytic - slope.value)
    relative = difference / abs(slope.value) if slope.value else math.inf
    errors = [f"{number:.2g}" for number in (difference, relative)]
    return (f"{analytic:.9g}", f"{slope.value:.9g}", *errors, f"{slope.step:.1g}", f"{slope.error:.1g}")


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([cell.rjust(width) for cell, width in zip(row, widths, strict=True)]) for row in rows]


def _flat(nested: Any, name: str) -> Iterator[Any]:
    """Yield what is in nested containers and arrays of objects, in order. ValueError says ``name`` if they hold themselves."""
    for leaf in trees.flatten(nested, lists=True, name=f"gradcheck(): {name}")[0]:
        if _holds_objects(leaf):
            for item in leaf.flat:
                yield from _flat(item, name)
        else:
            yield leaf


def _rebuilt(nested: Any, fresh: Iterator[Value]) -> Any:
    """Return the same nested containers, with the next of ``fresh`` in place of each Value."""

    def replaced(leaf: Any) -> Any:
        if not _holds_objects(leaf):
            return next(fresh) if isinstance(leaf, Value) else leaf
        array = np.empty_like(leaf)
        for i, item in enumerate(leaf.flat):
            array.flat[i] = _rebuilt(item, fresh)
        return array

    return trees.map(replaced, nested, lists=True)


def _holds_objects(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == object
