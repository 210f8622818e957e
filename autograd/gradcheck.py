"""Derivatives held against numbers found without them, and where they disagree, the rule that is to blame."""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd import trees
from autograd.errors import GradcheckError, shown
from autograd.functional import directional, gradient
from autograd.graph import topological_sort
from autograd.ops import Op, constant
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = Callable[[Sequence[float]], tuple[list[Value], list[Value]]]
"""From numbers to fresh inputs with these numbers, and the outputs computed from them."""

EPSILON = 2.0**-52
LARGEST = sys.float_info.max
TINY, LEAST = 2.0**-1022, 2.0**-1074  # below the first, floats lose digits; the second is the smallest of them
IMAGINARY = 2.0**-27, 2.0**-54, 2.0**-81  # steps of the complex-step derivative, times |x|: the first two that agree
AGREE = 2.0**-40  # how well they must, relatively
MOVED = 2.0**-24  # how far, relatively, outputs must move for it to show that their graph moves with them
CAUTION = 16.0  # how much larger than the last correction of an extrapolation its error may be: 14 where fn has a kinked slope
PRECISE = 2.0**-32  # a numeric slope with this relative error needs no other step
UNSURE = 1e-3, 1e-4  # one less certain than this, relatively and beside its scale, proves nothing
HIGHEST = 20  # the highest order of derivatives
OUTSIDE = ArithmeticError, ValueError, IndexError  # how functions say that a number is outside of their domain: as if NaN


def gradcheck(fn: Callable[..., Any], inputs: Any, *, rtol: float = 1e-6, atol: float = 0.0, order: int = 1) -> bool:
    """True if the derivatives of ``fn`` at ``inputs``, by the reverse and by the forward sweep, are those of its numbers.

    ``inputs`` is an argument for ``fn``, or a list or tuple of arguments: Values, and lists, tuples, dicts and arrays of them,
    nested as you like. Anything else is passed on as it is. ``fn`` returns Values in the same ways.

    Two things are checked. Near the point, the recorded graph computes the same numbers as ``fn``, bit by bit. And its slope
    fits: each operation is differentiated by a complex step if NumPy has it for complex numbers, or else by differences at a
    step that suits its scale, and the chain rule does the rest. Where the graph or an operation has no slope, differences of
    ``fn`` decide. Steps are extrapolated to 0 (Richardson), and the one that promises the smallest error counts.

    A derivative passes if it is within ``atol + rtol * |numeric|`` and the error of the numeric one. ``atol`` is 0, as 1e-8
    is much for a function that is scaled by 1e-9. With ``order=2`` the derivatives of the derivatives are checked as well.

    Raises GradcheckError, with a table of every mismatch and the first rule of ``autograd/ops.py`` that is wrong; a kink of
    ``fn`` at the point is reported as what it is. TypeError if there are no Values to differentiate, or by.

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
    """TypeError or ValueError for a setting of gradcheck() that means nothing."""
    if not callable(fn):
        msg = f"gradcheck() expects a function, not {type(fn).__name__} {shown(fn)}"
        raise TypeError(msg)
    for name, number in ("rtol", rtol), ("atol", atol), ("order", order):
        if not isinstance(number, int | float | np.integer | np.floating):
            msg = f"gradcheck() expects {name} to be a number, not {type(number).__name__} {shown(number)}"
            raise TypeError(msg)
    if not (0.0 <= rtol <= LARGEST and 0.0 <= atol <= LARGEST):
        msg = f"gradcheck() expects tolerances that are finite and not negative, not rtol={shown(rtol)}, atol={shown(atol)}"
        raise ValueError(msg)
    if not 1 <= order <= HIGHEST or order != int(order):
        msg = f"gradcheck() checks derivatives of order 1 or more, not {shown(order)}; {HIGHEST} is the highest"
        raise ValueError(msg)


def _differentiated(at: Function) -> Function:
    """The function whose outputs are the derivatives of all outputs of ``at`` by all inputs."""

    def slopes_at(numbers: Sequence[float]) -> tuple[list[Value], list[Value]]:
        fresh, outputs = at(numbers)
        return fresh, [slope for output in outputs for slope in gradient(output, fresh, create_graph=True)]

    return slopes_at


TITLES = ("analytic", "numeric", "abs error", "rel error", "step", "± numeric")


class _Slope(NamedTuple):
    """What numbers say of one output's derivative by one input."""

    value: float
    error: float
    scale: float
    """How steep the function is around there: what the error is to be small beside, where ``value`` is 0; inf if the error is
    known."""
    step: float = 0.0
    """Of the differences; 0 if the slope was found without."""
    left: float = 0.0
    right: float = 0.0
    sides_error: float = 0.0
    rough: bool = False
    """Whether the mean of both sides does not lead to the value between them: the step meets a kink, a jump or a pole."""

    def fits(self, analytic: float, rtol: float, atol: float) -> bool:
        """Whether ``analytic`` is the slope, and the slope is certain enough to say so."""
        allowed = atol + rtol * abs(self.value) + self.error + TINY
        return abs(analytic - self.value) <= allowed and (self.is_sure(analytic) or self.error <= atol)

    def is_sure(self, analytic: float = 0.0) -> bool:
        """Whether the error is small enough for the slope to prove anything."""
        relative, beside = UNSURE
        return self.error <= relative * max(abs(self.value), abs(analytic)) + beside * self.scale + TINY

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
        if gap > 1e-4 * max(abs(self.left), abs(self.right)) + 10.0 * self.sides_error + TINY:
            return f"has a kink in {{}}: slope {self.left:.6g} on the left, {self.right:.6g} on the right"
        return "jumps, or is too rough to have a slope, at {}" if self.rough and not self.is_sure() else ""


def _partials(node: Value, known: dict[Value, list[_Slope]]) -> list[_Slope]:
    """The slope of ``node`` by each of its arguments, from the kernels of its operation alone; 0 by constants."""
    if node not in known:
        op: Any = node.op
        at = [arg.data for arg in node.args]
        known[node] = slopes = []
        for k, (arg, exact) in enumerate(zip(node.args, _complex_step(op, node.data, at), strict=True)):

            def along(number: float, k: int = k) -> list[float]:
                try:
                    return [op.on_floats(*at[:k], number, *at[k + 1 :])]
                except OUTSIDE:
                    return [math.nan]

            if arg.op is constant:
                slopes.append(_Slope(0.0, 0.0, 0.0))
            elif exact:
                slopes.append(exact)
            else:  # a kernel may be flat but for what rounding hides, as erf beyond 6 is: beside its own size that is 0
                scale = abs(node.data) / (abs(at[k]) or 1.0)
                slopes += _slopes(along, at[k], [node.data], [0.0], [scale], max(map(abs, at)))
    return known[node]


def _complex_step(op: Op, y: float, at: list[float]) -> list[_Slope | None]:
    """``Im f(x + ih) / h`` by each argument, which no subtraction spoils; None where the array kernel is not analytic.

    There ``x + ih`` and ``x - ih`` do not give mirror images of each other, or do not lead to ``y``.
    """
    count = len(at)
    if not _is_analytic(op.on_arrays, count):
        return [None] * count
    x = np.array(at)
    own = np.where(x, np.maximum(np.abs(x), 1e-150), 1.0)
    steps = np.concatenate([np.outer(IMAGINARY, own), np.outer(IMAGINARY, np.minimum(own, 1.0))])
    points = x[:, None, None] + 1j * np.eye(count)[:, None, :] * steps
    with np.errstate(all="ignore"):
        above = np.broadcast_to(op.on_arrays(*points), steps.shape)
        below = np.broadcast_to(op.on_arrays(*points.conj()), steps.shape)
        values = above.imag / steps
        close = AGREE * np.abs(values)
        same = 2.0**-24 * abs(y) + 2.0**-48 * np.abs(x).max()  # a sum that cancels is no more exact than its terms
        usable = (np.abs(above.real - y) <= same) & (np.abs(values + below.imag / steps) <= close)
        usable &= (np.abs(above.imag) >= 2.0**-1000) | (above.imag == 0.0)
        agree = usable[:-1] & usable[1:] & (np.abs(values[1:] - values[:-1]) <= close[1:])
        agree[1:] &= values[1:-1] != 0.0  # 0 at the smaller steps may be what has underflowed
    slopes: list[_Slope | None] = []
    for k in range(count):
        m = next((m for m in range(1, len(steps)) if agree[m - 1, k]), 0)
        value, error = float(values[m, k]), AGREE * abs(float(values[m, k])) + LEAST / float(steps[m, k])
        slopes.append(_Slope(value, error, math.inf, left=value, right=value) if m else None)
    return slopes


@functools.lru_cache(maxsize=256)
def _is_analytic(on_arrays: Callable[..., Any], count: int) -> bool:
    """Whether the kernel takes complex numbers and has, beside the real axis, the same slope in all directions."""
    z = 0.55 + 0.3j + 0.05 * np.arange(count) / count
    steps = 2.0**-20 * np.array([[1.0], [1.0j]])
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="error"):  # of imaginary parts that are dropped
            moved = np.broadcast_to(on_arrays(*(z[:, None, None] + np.eye(count)[:, None, :] * steps)), (2, count))
            slopes = (moved - on_arrays(*z)) / steps
    except (TypeError, ValueError, IndexError, Warning):
        return False
    return bool(np.all(np.abs(slopes[0] - slopes[1]) <= 1e-4 * (1.0 + np.abs(slopes[0]))))  # false for NaN


def _check(at: Function, point: list[float], rtol: float, atol: float) -> None:
    """Compare every derivative of every output; raise GradcheckError for what does not fit."""
    fresh, outputs = at(point)
    here = [output.data for output in outputs]
    if repr(here) != repr([output.data for output in at(point)[1]]):
        msg = "fn gives different results for the same inputs, so its slope means nothing: take the randomness out of it"
        raise GradcheckError(msg)
    known: dict[Value, list[_Slope]] = {}
    graphs = [_graph(output, fresh, known) for output in outputs]
    reverse = [gradient(output, fresh) for output in outputs]
    kinks, rows = [], []
    for j, x in enumerate(fresh):
        where = f"input {j} ({x.label or 'x'} = {x.data!r})"
        for i, slope in enumerate(_slopes_of_fn(at, fresh, j, graphs)):
            if slope.flaw:
                kinks.append(f"output {i} {slope.flaw.format(where)}")
                continue
            for sweep, analytic in ("reverse", reverse[i][j]), ("forward", directional(outputs[i], [x], [1.0])):
                if not slope.fits(analytic, rtol, atol):
                    rows.append((str(i), str(j), x.label, f"{x.data:.6g}", sweep, *slope.compared(analytic)))
    if rows:
        titles = ("output", "input", "label", "value", "sweep", *TITLES)
        culprit = _culprit(graphs, known, rtol, atol)
        raise GradcheckError("\n".join([f"{len(rows)} derivatives do not fit", *_table([titles, *rows]), *kinks, culprit]))
    if kinks:
        raise GradcheckError("no derivative at this point: " + "\n".join(kinks))


class _Graph(NamedTuple):
    """What an output was computed from, and sums over all paths from a node to it."""

    output: Value
    nodes: list[Value]
    """Those that depend on the inputs, each after its arguments."""
    size: float
    """How large the numbers are that the output is computed from, as far as their rounding reaches it."""
    slopes: dict[Value, float]
    sizes: dict[Value, float]
    """Of slopes without their signs."""
    errors: dict[Value, float]
    scales: dict[Value, float]
    """How steep operations are whose slopes are not known exactly: a logarithm near 1 is not the scale of its argument."""

    def slope(self, x: Value) -> _Slope:
        """That of the output by ``x``, if the partial derivatives are those of the kernels."""
        value, size, error, scale = [sums.get(x, 0.0) for sums in (self.slopes, self.sizes, self.errors, self.scales)]
        return _Slope(value, error, size + scale + abs(self.output.data) / (abs(x.data) or 1.0), left=value, right=value)

    def at(self, x: Value, number: float) -> float:
        """What the output is where ``x`` is ``number``."""
        data = {x: number}
        for node in self.nodes:
            if any([arg in data for arg in node.args]):
                op: Any = node.op
                data[node] = op.on_floats(*[data.get(arg, arg.data) for arg in node.args])
        return data.get(self.output, self.output.data)


def _graph(output: Value, fresh: list[Value], known: dict[Value, list[_Slope]]) -> _Graph:
    order = topological_sort(output)
    size = sum([abs(slope * node.data) for slope, node in zip(gradient(output, order), order, strict=True) if node.args])
    depends = dict.fromkeys(fresh)
    for node in order:
        if any([arg in depends for arg in node.args]):
            depends[node] = None
    nodes = [node for node in order if node in depends]
    slopes, sizes, errors, scales = [dict.fromkeys(nodes, 0.0) for _ in range(4)]
    if nodes:
        slopes[output] = sizes[output] = 1.0
    for node in [node for node in reversed(nodes) if node.args]:
        for arg, partial in zip(node.args, _partials(node, known), strict=True):
            if arg in slopes:
                steep = abs(partial.value)
                error = partial.error + 4.0 * EPSILON * steep if partial.is_sure() and not partial.flaw else math.inf
                slopes[arg] += slopes[node] * partial.value
                sizes[arg] += sizes[node] * steep
                errors[arg] += errors[node] * steep + sizes[node] * error
                scales[arg] += scales[node] * steep + (sizes[node] * partial.scale if partial.scale < math.inf else 0.0)
    return _Graph(output, nodes, size if math.isfinite(size) else 0.0, slopes, sizes, errors, scales)


def _slopes_of_fn(at: Function, fresh: list[Value], j: int, graphs: list[_Graph]) -> list[_Slope]:
    """The slope of each output by input ``j``: that of its graph where this is fn near the point, or else by differences."""
    x, here = fresh[j], [graph.output.data for graph in graphs]
    numbers = [value.data for value in fresh]

    def along(number: float) -> list[float]:
        try:
            with np.errstate(all="ignore"):  # far from the point, its numbers are not the user's
                found = [output.data for output in at([*numbers[:j], number, *numbers[j + 1 :]])[1]]
        except OUTSIDE:
            return [math.nan for _ in here]
        if len(found) != len(here):
            msg = f"fn returns {len(here)} Values at the point, and {len(found)} nearby: it has no derivative"
            raise GradcheckError(msg)
        return found

    same, secants = _same(along, x, graphs)
    slopes = [graph.slope(x) for graph in graphs]
    trusted = [is_same and math.isfinite(slope.error) and slope.is_sure() for is_same, slope in zip(same, slopes, strict=True)]
    if all(trusted):
        return slopes
    differences = _slopes(along, x.data, here, [graph.size for graph in graphs], secants, abs(x.data))
    return [slope if ok else by for slope, ok, by in zip(slopes, trusted, differences, strict=True)]


def _same(along: Callable[[float], list[float]], x: Value, graphs: list[_Graph]) -> tuple[list[bool], list[float]]:
    """Whether each output of fn is what its graph computes for other numbers than that of ``x``, and the steepest secant met.

    Steps grow until all outputs have moved so far that a missing part of the slope shows, or the domain of fn ends.
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


def _slopes(  # noqa: PLR0913, PLR0917 - a function, a point, and what is known of both
    f: Callable[[float], list[float]], x: float, here: list[float], sizes: list[float], scales: list[float], reach: float
) -> list[_Slope]:
    """The slope of each output of ``f`` at ``x``, by the step that promises the smallest error.

    Steps grow, first beside ``x``, then beside ``reach``, until one is rough or contradicts those before it: the scale of the
    function is passed there, and beyond it differences may look precise and mean nothing, as those over whole periods do. They
    are powers of 2, which can be added exactly.
    """
    if not math.isfinite(x):
        return [_Slope(math.nan, math.inf, 0.0) for _ in here]
    own, wide = [2.0 ** math.frexp(scale)[1] for scale in (abs(x) or 1.0, max(reach, 1.0))]
    steps = [own * 8.0**-k for k in range(16, 0, -1)]
    steps += [step for step in [wide * 8.0**-k for k in range(16, 0, -1)] if step > steps[-1]]
    best: list[_Slope] = []
    growing = [True for _ in here]
    for step in steps:
        found = _extrapolated(f, x, here, step, sizes)
        scales = [max(scale, slope.scale) if more else scale for scale, slope, more in zip(scales, found, growing, strict=True)]
        found = [slope._replace(scale=scale) for slope, scale in zip(found, scales, strict=True)]
        best = best or found
        for i, slope in enumerate(found):
            if growing[i]:
                noise = EPSILON * abs(x * best[i].value) / best[i].step  # as if ``x`` were rounded: log Γ near 1 is no better
                passed = slope.rough or abs(slope.value - best[i].value) > CAUTION * (slope.error + best[i].error + 4.0 * noise)
                better = not best[i].is_sure() if passed else slope.error < best[i].error
                best[i] = slope if better else best[i]
                growing[i] = not passed and slope.error > PRECISE * abs(slope.value)
        if not any(growing):
            break
    return best


def _extrapolated(
    f: Callable[[float], list[float]], x: float, here: list[float], step: float, sizes: Sequence[float] = (0.0,)
) -> list[_Slope]:
    """Differences at ``step``, its half and its quarter, and from these the limit at step 0 (Richardson).

    Central differences err by h², h⁴, …, one-sided ones by h, h², …: each extrapolation removes the first of these. The
    error is reckoned from the last correction, plus what rounding ``f`` may have done. Differences across a pole may agree
    with one another, but the mean of both sides does not lead to the value at ``x``.
    """
    steps = [step, step / 2, step / 4]
    right, left = [f(x + h) for h in steps], [f(x - h) for h in steps]
    slopes = []
    for i, (y, known) in enumerate(zip(here, sizes, strict=True)):
        central = [(r[i] - b[i]) / ((x + h) - (x - h)) for r, b, h in zip(right, left, steps, strict=True)]
        after = [(r[i] - y) / ((x + h) - x) for r, h in zip(right, steps, strict=True)]
        before = [(y - b[i]) / (x - (x - h)) for b, h in zip(left, steps, strict=True)]
        middle, _ = _limit([0.5 * r[i] + 0.5 * b[i] for r, b in zip(right, left, strict=True)], 4.0, 16.0)
        size = max([known, abs(y), *[abs(v[i]) for v in right + left]])
        change = max([abs(v[i] - y) for v in right + left])
        rough = not abs(middle - y) <= 0.01 * change + 64.0 * EPSILON * (size + abs(x) * change / step)
        rounding = (8.0 * EPSILON * size + LEAST) / steps[-1]
        value, correction = _limit(central, 4.0, 16.0) if math.isfinite(y) else (math.nan, math.nan)
        from_right, right_correction = _limit(after, 2.0, 4.0)
        from_left, left_correction = _limit(before, 2.0, 4.0)
        error = CAUTION * (correction + rough * abs(middle - y) / steps[-1]) + rounding
        sides = right_correction + left_correction + 4.0 * rounding
        scale = max([abs(slope) for slope in after + before if math.isfinite(slope)], default=0.0)
        slopes.append(_Slope(value, error, scale, step, from_left, from_right, sides, rough))
    return slopes


def _limit(slopes: list[float], first: float, second: float) -> tuple[float, float]:
    """Three slopes extrapolated twice, and the size of the second correction."""
    once = [(first * finer - coarser) / (first - 1.0) for coarser, finer in pairwise(slopes)]
    twice = (second * once[1] - once[0]) / (second - 1.0)
    return twice, abs(twice - once[1])


def _culprit(graphs: list[_Graph], known: dict[Value, list[_Slope]], rtol: float, atol: float) -> str:
    """A sentence that names the first rule whose partial derivatives are not those of its own function."""
    kink = ""
    for node in [node for graph in graphs for node in graph.nodes if node.args]:
        op: Any = node.op
        at = ", ".join([f"{arg.data:.6g}" for arg in node.args])
        rows = op.partials(node.data, *[arg.data for arg in node.args])
        for k, (slope, row) in enumerate(zip(_partials(node, known), rows, strict=True)):
            if slope.flaw:
                kink = kink or f"No rule is wrong, but {op} has no slope at ({at}): what its row says there is a convention."
            elif node.args[k].op is not constant and not slope.fits(row, rtol, atol):
                return (
                    f"The first wrong rule is that of {op}: at ({at}) its derivative by argument {k} "
                    f"is {slope.value:.9g}, and its row says {float(row):.9g}."
                )
    return kink or (
        "Every rule used fits its own function, so the graph is not that of fn (was .data read, or detach() called, on the "
        "way?), or a sweep is wrong."
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([cell.rjust(width) for cell, width in zip(row, widths, strict=True)]) for row in rows]


def _flat(nested: Any, name: str) -> Iterator[Any]:
    """Yield what is in nested containers and arrays of objects, in order; ValueError, by their ``name``, without end."""
    for leaf in trees.flatten(nested, lists=True, name=f"gradcheck(): {name}")[0]:
        if _holds_objects(leaf):
            for item in leaf.flat:
                yield from _flat(item, name)
        else:
            yield leaf


def _rebuilt(nested: Any, fresh: Iterator[Value]) -> Any:
    """Return the same nested containers, with the next fresh Value in the place of each Value."""

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
