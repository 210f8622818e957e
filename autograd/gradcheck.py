"""Derivatives held against finite differences, and where they disagree, the rule that is to blame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from autograd.errors import GradcheckError
from autograd.functional import directional, gradient
from autograd.graph import topological_sort
from autograd.ops import constant
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = Callable[[Sequence[float]], tuple[list[Value], list[Value]]]
"""From numbers to fresh inputs with these numbers, and the outputs computed from them."""

EPSILON = 2.0**-52
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # times max(|x|, 1), until one is good enough; then the best of them
CLOSE = 1e-3  # times |x|, for the poles near 0
CAUTION = 16.0  # how much larger than the last correction of an extrapolation its error may be: 14 where fn has a kinked slope
UNSURE = 1e-3, 1e-4  # a numeric slope less certain than this, relatively and absolutely, proves nothing


def gradcheck(fn: Callable[..., Any], inputs: Any, *, rtol: float = 1e-6, atol: float = 1e-8, order: int = 1) -> bool:
    """True if the derivatives of ``fn`` at ``inputs``, by the reverse and by the forward sweep, agree with finite differences.

    ``inputs`` is a Value or a sequence of arguments for ``fn``: Values, lists of them (nested as you like), anything else is
    passed on as it is. ``fn`` returns a Value, or a list of them. Differences are central, at three steps, extrapolated to
    step 0 (Richardson). An analytic derivative passes if it is within ``atol + rtol * |numeric|`` and the error of the
    numeric one. With ``order=2`` the derivatives of the derivatives are checked as well.

    Raises GradcheckError, with a table of every mismatch and the first rule of ``autograd/ops.py`` that is wrong; a kink of
    ``fn`` at the point is reported as what it is.

    >>> gradcheck(lambda x, y: x * y.exp(), [Value(2.0), Value(-1.0)], order=2)
    True
    >>> gradcheck(lambda x: x.relu(), Value(0.0, label="x"))
    Traceback (most recent call last):
        ...
    autograd.errors.GradcheckError: no derivative at this point: output 0 has a kink in input 0 (x = 0.0): ...
    """
    arguments = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    point = [x for x in _flat(arguments) if isinstance(x, Value)]
    if not point:
        msg = "gradcheck() needs at least one Value among its inputs"
        raise TypeError(msg)
    if order < 1:
        msg = f"gradcheck() checks derivatives of order 1 or more, not {order!r}"
        raise ValueError(msg)
    labels = [x.label for x in point]

    def at(numbers: Sequence[float]) -> tuple[list[Value], list[Value]]:
        fresh = [Value(number, label) for number, label in zip(numbers, labels, strict=True)]
        outputs = [*_flat(fn(*_rebuilt(arguments, iter(fresh))))]
        for output in outputs:
            if not isinstance(output, Value):
                msg = f"gradcheck() expects fn to return Values, or lists of them, not {type(output).__name__} {output!r:.60}"
                raise TypeError(msg)
        return fresh, outputs

    function: Function = at
    for _ in range(order):
        _check(function, [x.data for x in point], rtol, atol)
        function = _differentiated(function)
    return True


def _differentiated(at: Function) -> Function:
    """The function whose outputs are the derivatives of all outputs of ``at`` by all inputs."""

    def slopes_at(numbers: Sequence[float]) -> tuple[list[Value], list[Value]]:
        fresh, outputs = at(numbers)
        return fresh, [slope for output in outputs for slope in gradient(output, fresh, create_graph=True)]

    return slopes_at


TITLES = ("analytic", "numeric", "abs error", "rel error", "step", "± numeric")


class _Slope(NamedTuple):
    """What finite differences say of one output's derivative by one input."""

    value: float
    error: float
    step: float
    left: float
    right: float
    sides_error: float

    def fits(self, analytic: float, rtol: float, atol: float) -> bool:
        """Whether ``analytic`` is the slope, and the slope is certain enough to say so."""
        relative, absolute = UNSURE
        sure = self.error <= atol + absolute + relative * max(abs(self.value), abs(analytic))
        within = abs(analytic - self.value) <= atol + rtol * abs(self.value) + self.error
        return (sure and within) or abs(analytic - self.value) <= atol

    def compared(self, analytic: float) -> tuple[str, ...]:
        """A cell for each of TITLES."""
        difference = abs(analytic - self.value)
        relative = difference / abs(self.value) if self.value else math.inf
        return (
            f"{analytic:.9g}",
            f"{self.value:.9g}",
            f"{difference:.2g}",
            f"{relative:.2g}",
            f"{self.step:.1g}",
            f"{self.error:.1g}",
        )

    @property
    def flaw(self) -> str:
        """Why there is no derivative here, if there is none: a place is to be filled in."""
        if not math.isfinite(self.value):
            return "is not finite on both sides of {}: move the point into the domain of fn"
        gap = abs(self.right - self.left)
        if gap > 1e-6 + 1e-4 * max(abs(self.left), abs(self.right)) + 10.0 * self.sides_error:
            return f"has a kink in {{}}: slope {self.left:.6g} on the left, {self.right:.6g} on the right"
        return ""


def _check(at: Function, point: list[float], rtol: float, atol: float) -> None:
    """Compare every derivative of every output; raise GradcheckError for what does not fit."""
    fresh, outputs = at(point)
    here = [output.data for output in outputs]
    if repr(here) != repr([output.data for output in at(point)[1]]):
        msg = "fn gives different results for the same inputs, so its slope means nothing: take the randomness out of it"
        raise GradcheckError(msg)
    reverse = [gradient(output, fresh) for output in outputs]
    kinks, rows = [], []
    for j, x in enumerate(fresh):
        where = f"input {j} ({x.label or 'x'} = {x.data!r})"

        def along(number: float, j: int = j) -> list[float]:
            return [output.data for output in at([*point[:j], number, *point[j + 1 :]])[1]]

        for i, slope in enumerate(_slopes(along, point[j], here, rtol, atol)):
            if slope.flaw:
                kinks.append(f"output {i} {slope.flaw.format(where)}")
                continue
            for sweep, analytic in ("reverse", reverse[i][j]), ("forward", directional(outputs[i], [x], [1.0])):
                if not slope.fits(analytic, rtol, atol):
                    rows.append((str(i), str(j), x.label, f"{x.data:.6g}", sweep, *slope.compared(analytic)))
    if rows:
        titles = ("output", "input", "label", "value", "sweep", *TITLES)
        lines = [f"{len(rows)} derivatives do not fit", *_table([titles, *rows]), *kinks, _culprit(outputs, rtol, atol)]
        raise GradcheckError("\n".join(lines))
    if kinks:
        raise GradcheckError("no derivative at this point: " + "\n".join(kinks))


def _slopes(f: Callable[[float], list[float]], x: float, here: list[float], rtol: float, atol: float) -> list[_Slope]:
    """The slope of each output of ``f`` at ``x``, by the step that promises the smallest error."""
    best: list[_Slope] = []
    for step in [relative * max(abs(x), 1.0) for relative in STEPS] + [CLOSE * abs(x)] * (0.0 < abs(x) < CLOSE):
        slopes = _extrapolated(f, x, here, step)
        best = [min(pair, key=_error) for pair in zip(best, slopes, strict=True)] if best else slopes
        if all(slope.error <= 0.1 * (atol + rtol * abs(slope.value)) for slope in best):
            break
    return best


def _error(slope: _Slope) -> float:
    return slope.error if math.isfinite(slope.error) else math.inf


def _extrapolated(f: Callable[[float], list[float]], x: float, here: list[float], step: float) -> list[_Slope]:
    """Differences at ``step``, its half and its quarter, and from these the limit at step 0 (Richardson).

    Central differences err by h², h⁴, …, one-sided ones by h, h², …: each extrapolation removes the first of these. The
    error is reckoned from the last correction, plus what rounding ``f`` may have done.
    """
    steps = [step, step / 2, step / 4]
    right, left = [f(x + h) for h in steps], [f(x - h) for h in steps]
    slopes = []
    for i, y in enumerate(here):
        central = [(r[i] - b[i]) / ((x + h) - (x - h)) for r, b, h in zip(right, left, steps, strict=True)]
        after = [(r[i] - y) / ((x + h) - x) for r, h in zip(right, steps, strict=True)]
        before = [(y - b[i]) / (x - (x - h)) for b, h in zip(left, steps, strict=True)]
        size = max([abs(v[i]) for v in right + left])
        rounding = 8.0 * EPSILON * size / steps[-1]
        value, correction = _limit(central, 4.0, 16.0)
        from_right, right_correction = _limit(after, 2.0, 4.0)
        from_left, left_correction = _limit(before, 2.0, 4.0)
        sides = right_correction + left_correction + 4.0 * rounding
        slopes.append(_Slope(value, CAUTION * correction + rounding, step, from_left, from_right, sides))
    return slopes


def _limit(slopes: list[float], first: float, second: float) -> tuple[float, float]:
    """Three slopes extrapolated twice, and the size of the second correction."""
    once = [(first * finer - coarser) / (first - 1.0) for coarser, finer in pairwise(slopes)]
    twice = (second * once[1] - once[0]) / (second - 1.0)
    return twice, abs(twice - once[1])


def _culprit(outputs: list[Value], rtol: float, atol: float) -> str:
    """A sentence that names the first rule whose partial derivatives are not those of its own function."""
    for output in outputs:
        for node in topological_sort(output):
            numbers = [arg.data for arg in node.args]
            partials = node.op.partials(node.data, *numbers) if node.op and numbers else ()
            for k, (arg, partial) in enumerate(zip(node.args, partials, strict=True)):

                def along(number: float, k: int = k, op: Any = node.op, numbers: list[float] = numbers) -> list[float]:
                    return [op.on_floats(*numbers[:k], number, *numbers[k + 1 :])]

                (slope,) = _slopes(along, numbers[k], [node.data], rtol, atol)
                if arg.op is not constant and not slope.flaw and not slope.fits(partial, rtol, atol):
                    arguments = ", ".join([f"{number:.6g}" for number in numbers])
                    return (
                        f"The first wrong rule is that of {node.op}: at ({arguments}) its derivative by argument {k} "
                        f"is {slope.value:.9g}, and its row says {float(partial):.9g}."
                    )
    return (
        "Every rule used fits its own function, so the graph is not that of fn (was .data read, or detach() called, on the "
        "way?), or a sweep is wrong."
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([cell.rjust(width) for cell, width in zip(row, widths, strict=True)]) for row in rows]


def _flat(nested: Any) -> Iterator[Any]:
    """What is in nested lists and tuples, in order."""
    if isinstance(nested, list | tuple):
        for item in nested:
            yield from _flat(item)
    else:
        yield nested


def _rebuilt(nested: Any, fresh: Iterator[Value]) -> Any:
    """The same nested lists, with the next fresh Value in the place of each."""
    if isinstance(nested, Value):
        return next(fresh)
    return type(nested)([_rebuilt(item, fresh) for item in nested]) if isinstance(nested, list | tuple) else nested
