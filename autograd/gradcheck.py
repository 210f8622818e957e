"""Derivatives held against numbers found without them, and where they disagree, the rule that is to blame."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd.errors import GradcheckError
from autograd.functional import directional, gradient
from autograd.graph import topological_sort
from autograd.ops import Op, constant
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

Function = Callable[[Sequence[float]], tuple[list[Value], list[Value]]]
"""From numbers to fresh inputs with these numbers, and the outputs computed from them."""

EPSILON = 2.0**-52
TINY = 2.0**-1022  # below it, floats lose digits
CAUTION = 16.0  # how much larger than the last correction of an extrapolation its error may be: 14 where fn has a kinked slope
UNSURE = 1e-3, 1e-4  # a numeric slope less certain than this, relatively and beside its scale, proves nothing
IMAGINARY = 2.0**-27, 2.0**-54, 2.0**-81  # steps of the complex-step derivative, times |x|: the first two that agree
AGREE = 2.0**-40  # how well they must, relatively
DEEPEST = 100  # levels of nested containers


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
    point = [x for x in _flat(arguments, "inputs") if isinstance(x, Value)]
    if not point:
        msg = "gradcheck() needs at least one Value among its inputs"
        raise TypeError(msg)
    labels = [x.label for x in point]

    def at(numbers: Sequence[float]) -> tuple[list[Value], list[Value]]:
        fresh = [Value(number, label) for number, label in zip(numbers, labels, strict=True)]
        outputs = [*_flat(fn(*_rebuilt(arguments, iter(fresh))), "what fn returns")]
        for output in outputs:
            if not isinstance(output, Value):
                msg = f"gradcheck() expects fn to return Values, or lists of them, not {type(output).__name__} {output!r:.60}"
                raise TypeError(msg)
        if not outputs:
            msg = "gradcheck() expects fn to return at least one Value: there is nothing to differentiate"
            raise TypeError(msg)
        return fresh, outputs

    function: Function = at
    for _ in range(order):
        _check(function, [x.data for x in point], rtol, atol)
        function = _differentiated(function)
    return True


def _check_settings(fn: Any, rtol: Any, atol: Any, order: Any) -> None:
    if not callable(fn):
        msg = f"gradcheck() expects a function, not {type(fn).__name__} {fn!r:.60}"
        raise TypeError(msg)
    for name, tolerance in ("rtol", rtol), ("atol", atol):
        if not isinstance(tolerance, int | float | np.floating | np.integer):
            msg = f"gradcheck() expects {name} to be a number, not {type(tolerance).__name__} {tolerance!r:.60}"
            raise TypeError(msg)
        if not 0.0 <= tolerance < math.inf:
            msg = f"gradcheck() expects {name} to be finite and at least 0, not {tolerance!r:.60}"
            raise ValueError(msg)
    if not isinstance(order, int | np.integer):
        msg = f"gradcheck() expects order to be a whole number, not {type(order).__name__} {order!r:.60}"
        raise TypeError(msg)
    if order < 1:
        msg = f"gradcheck() checks derivatives of order 1 or more, not {order!r}"
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
    """How steep the function is around there: what the error is to be small beside, where ``value`` is 0."""
    step: float = 0.0
    """Of the differences; 0 if the slope was found without."""
    left: float = 0.0
    right: float = 0.0
    sides_error: float = 0.0

    def fits(self, analytic: float, rtol: float, atol: float) -> bool:
        """Whether ``analytic`` is the slope, and the slope is certain enough to say so."""
        difference = abs(analytic - self.value)
        within = difference <= atol + rtol * abs(self.value) + self.error + TINY
        return (within and self.is_sure(analytic)) or difference <= atol

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
        return ""


class _Partials:
    """The partial derivatives of operations by their arguments, found from their kernels alone; each once."""

    def __init__(self, rtol: float, atol: float) -> None:
        self.rtol = rtol
        self.atol = atol
        self.known: dict[Value, list[_Slope]] = {}

    def of(self, node: Value) -> list[_Slope]:
        """A slope for each argument of ``node``; 0 for constants."""
        if node not in self.known:
            assert node.op is not None  # noqa: S101 - nodes with arguments have one
            numbers = [arg.data for arg in node.args]
            exact = _complex_step(node.op, node.data, numbers)
            self.known[node] = [
                _Slope(0.0, 0.0, 0.0) if arg.op is constant else slope or self._by_differences(node, numbers, k)
                for k, (arg, slope) in enumerate(zip(node.args, exact, strict=True))
            ]
        return self.known[node]

    def _by_differences(self, node: Value, numbers: list[float], k: int) -> _Slope:
        op: Any = node.op

        def along(number: float) -> list[float]:
            return [op.on_floats(*numbers[:k], number, *numbers[k + 1 :])]

        # A kernel may be flat but for what rounding hides, as erf is beyond 6: beside its own size that counts as 0.
        scale = abs(node.data) / (abs(numbers[k]) or 1.0)
        return _slopes(along, numbers[k], [node.data], [scale], max(map(abs, numbers)), self.rtol, self.atol)[0]


def _complex_step(op: Op, y: float, numbers: list[float]) -> list[_Slope | None]:
    """``Im f(x + ih) / h`` by each argument, which no subtraction spoils; None where the array kernel is not analytic.

    So it is not if it refuses complex numbers, depends on more than their analytic part (as ``abs`` does), meets the end of
    its domain, or has a kink: then it sees x + ih and x - ih as other than mirror images.
    """
    count = len(numbers)
    if not _is_analytic(op.on_arrays, count):
        return [None] * count
    x = np.array(numbers)
    steps = np.outer(IMAGINARY, np.where(x, np.maximum(np.abs(x), 1e-150), 1.0))
    points = x[:, None, None] + 1j * np.eye(count)[:, None, :] * steps
    with np.errstate(all="ignore"):
        above = np.broadcast_to(op.on_arrays(*points), steps.shape)
        below = np.broadcast_to(op.on_arrays(*points.conj()), steps.shape)
        values = above.imag / steps
        close = AGREE * np.abs(values)
        usable = (np.abs(above.real - y) <= 2.0**-24 * abs(y)) & (np.abs(values + below.imag / steps) <= close)
        usable &= (np.abs(above.imag) >= 2.0**-1000) | (above.imag == 0.0)
        agree = usable[:-1] & usable[1:] & (np.abs(values[1:] - values[:-1]) <= close[1:])
        agree[1:] &= values[1:-1] != 0.0  # 0 at the smaller steps may be what has underflowed
    slopes: list[_Slope | None] = []
    for k in range(count):
        value = next((float(values[m, k]) for m in range(1, len(steps)) if agree[m - 1, k]), math.nan)
        sure = math.isfinite(value)
        slopes.append(_Slope(value, AGREE * abs(value), abs(value), left=value, right=value) if sure else None)
    return slopes


@functools.lru_cache(maxsize=256)
def _is_analytic(on_arrays: Callable[..., Any], count: int) -> bool:
    """Whether the kernel takes complex numbers and has, at some point beside the axis, one slope in all directions."""
    z = 0.55 + 0.3j + 0.05 * np.arange(count) / count
    steps = 2.0**-20 * np.array([[1.0], [1.0j]])
    try:
        with np.errstate(all="ignore"):
            moved = np.broadcast_to(on_arrays(*(z[:, None, None] + np.eye(count)[:, None, :] * steps)), (2, count))
            slopes = (moved - on_arrays(*z)) / steps
    except (TypeError, ValueError):
        return False
    return bool(np.all(np.abs(slopes[0] - slopes[1]) <= 1e-4 * (1.0 + np.abs(slopes[0]))))  # false for NaN


def _check(at: Function, point: list[float], rtol: float, atol: float) -> None:
    """Compare every derivative of every output; raise GradcheckError for what does not fit."""
    fresh, outputs = at(point)
    here = [output.data for output in outputs]
    if repr(here) != repr([output.data for output in at(point)[1]]):
        msg = "fn gives different results for the same inputs, so its slope means nothing: take the randomness out of it"
        raise GradcheckError(msg)
    graphs = [_depending(output, fresh) for output in outputs]
    partials = _Partials(rtol, atol)
    chained = [_chained(graph, partials) for graph in graphs]
    reverse = [gradient(output, fresh) for output in outputs]
    kinks, rows = [], []
    for j, x in enumerate(fresh):
        where = f"input {j} ({x.label or 'x'} = {x.data!r})"

        def along(number: float, j: int = j) -> list[float]:
            found = [output.data for output in at([*point[:j], number, *point[j + 1 :]])[1]]
            if len(found) != len(here):
                msg = f"fn returns {len(here)} Values at the point, and {len(found)} nearby: it has no derivative"
                raise GradcheckError(msg)
            return found

        def replayed(number: float, x: Value = x) -> list[float]:
            return [_replayed(graph, output, x, number) for graph, output in zip(graphs, outputs, strict=True)]

        same, scales = _same(along, replayed, x.data, here, rtol)
        slopes = [_chained_slope(chain, x, y) for chain, y in zip(chained, here, strict=True)]
        trusted = [is_same and math.isfinite(slope.error) and slope.is_sure() for is_same, slope in zip(same, slopes, strict=True)]
        if not all(trusted):
            differences = _slopes(along, x.data, here, scales, abs(x.data), rtol, atol)
            slopes = [s if t else d for s, t, d in zip(slopes, trusted, differences, strict=True)]
        for i, slope in enumerate(slopes):
            if slope.flaw:
                kinks.append(f"output {i} {slope.flaw.format(where)}")
                continue
            for sweep, analytic in ("reverse", reverse[i][j]), ("forward", directional(outputs[i], [x], [1.0])):
                if not slope.fits(analytic, rtol, atol):
                    rows.append((str(i), str(j), x.label, f"{x.data:.6g}", sweep, *slope.compared(analytic)))
    if rows:
        titles = ("output", "input", "label", "value", "sweep", *TITLES)
        lines = [f"{len(rows)} derivatives do not fit", *_table([titles, *rows]), *kinks, _culprit(graphs, partials)]
        raise GradcheckError("\n".join(lines))
    if kinks:
        raise GradcheckError("no derivative at this point: " + "\n".join(kinks))


def _depending(output: Value, fresh: list[Value]) -> list[Value]:
    """The nodes of a graph that depend on the inputs, each after its arguments."""
    depends = set(fresh)
    for node in topological_sort(output):
        if not depends.isdisjoint(node.args):
            depends.add(node)
    return [node for node in topological_sort(output) if node in depends]


def _replayed(graph: list[Value], output: Value, x: Value, number: float) -> float:
    """What ``output`` is, by its graph, where ``x`` is ``number``."""
    data = {x: number}
    for node in graph:
        if any([arg in data for arg in node.args]):
            op: Any = node.op
            data[node] = op.on_floats(*[data[arg] if arg in data else arg.data for arg in node.args])
    return data.get(output, output.data)


def _same(
    along: Callable[[float], list[float]], replayed: Callable[[float], list[float]], x: float, here: list[float], rtol: float
) -> tuple[list[bool], list[float]]:
    """Whether each output of fn is what its graph computes for other numbers than ``x``, and the steepest secant met.

    Steps grow until all outputs have moved so far that a graph which misses ``rtol`` of the slope shows.
    """
    scale = abs(x) or 1.0
    widest = max(scale, 1.0)
    same, secants = [True] * len(here), [0.0] * len(here)
    for step in (2.0**-20 * scale, 0.125 * scale, 0.125 * widest, 2.0**10 * widest, 2.0**24 * widest, 2.0**40 * widest):
        moved = True
        for number in x + step, x - step:
            found, expected = along(number), replayed(number)
            for i, (y, got, want) in enumerate(zip(here, found, expected, strict=True)):
                same[i] &= got == want or (math.isnan(got) and math.isnan(want))
                change = abs(got - y)
                if change < math.inf:
                    secants[i] = max(secants[i], change / step)
                moved &= not same[i] or not change <= max(16.0 * EPSILON / max(rtol, EPSILON) * abs(y), TINY)
        if moved and step >= 0.125 * scale:
            break
    return same, secants


class _Sums(NamedTuple):
    """Three sums over all paths from a node to an output: of the slopes, of their sizes, of their errors."""

    value: dict[Value, float]
    size: dict[Value, float]
    error: dict[Value, float]


def _chained(graph: list[Value], partials: _Partials) -> _Sums:
    """The slope of the last node of ``graph`` by each, if the partial derivatives are those of the kernels."""
    sums = _Sums(dict.fromkeys(graph, 0.0), dict.fromkeys(graph, 0.0), dict.fromkeys(graph, 0.0))
    value, size, error = sums
    for node in graph[-1:]:
        value[node] = size[node] = 1.0
    for node in reversed(graph):
        for arg, partial in zip(node.args, partials.of(node) if node.args else (), strict=True):
            if arg in value:
                steep = abs(partial.value)
                unsure = bool(partial.flaw) or not partial.is_sure()
                value[arg] += value[node] * partial.value
                error[arg] += error[node] * steep + size[node] * (math.inf if unsure else partial.error + 4.0 * EPSILON * steep)
                size[arg] += size[node] * steep
    return sums


def _chained_slope(sums: _Sums, x: Value, y: float) -> _Slope:
    value, size, error = [kind.get(x, 0.0) for kind in sums]
    return _Slope(value, error, size + abs(y) / (abs(x.data) or 1.0), left=value, right=value)


def _slopes(  # noqa: PLR0913, PLR0917 - a function, a point, and what is known of both
    f: Callable[[float], list[float]], x: float, here: list[float], scales: list[float], size: float, rtol: float, atol: float
) -> list[_Slope]:
    """The slope of each output of ``f`` at ``x``, by the step that promises the smallest error.

    Steps are powers of 2, so that they can be added exactly: first small beside ``x``, then small beside ``size``.
    """
    if not math.isfinite(x):
        return [_Slope(math.nan, math.inf, 0.0) for _ in here]
    own, wide = [2.0 ** math.frexp(scale)[1] for scale in (abs(x) or 1.0, max(size, 1.0))]
    steps = [own * 8.0**-k for k in range(1, 17)]
    steps += [step for step in [wide * 8.0**-k for k in range(1, 17)] if step > steps[0]]
    best: list[_Slope] = []
    for step in steps:
        slopes = _extrapolated(f, x, here, step)
        best = [min(pair, key=_error) for pair in zip(best, slopes, strict=True)] if best else slopes
        scales = [max(scale, slope.scale) for scale, slope in zip(scales, slopes, strict=True)]
        if all(slope.error <= 0.1 * (atol + rtol * abs(slope.value)) for slope in best):
            break
    return [slope._replace(scale=scale) for slope, scale in zip(best, scales, strict=True)]


def _error(slope: _Slope) -> float:
    return slope.error if math.isfinite(slope.error) else math.inf


def _extrapolated(f: Callable[[float], list[float]], x: float, here: list[float], step: float) -> list[_Slope]:
    """Differences at ``step``, its half and its quarter, and from these the limit at step 0 (Richardson).

    Central differences err by h², h⁴, …, one-sided ones by h, h², …: each extrapolation removes the first of these. The
    error is reckoned from the last correction, plus what rounding ``f`` may have done. Differences across a pole may agree
    with one another, but the mean of both sides does not lead to the value at ``x``: that counts as error, too.
    """
    steps = [step, step / 2, step / 4]
    right, left = [f(x + h) for h in steps], [f(x - h) for h in steps]
    slopes = []
    for i, y in enumerate(here):
        central = [(r[i] - b[i]) / ((x + h) - (x - h)) for r, b, h in zip(right, left, steps, strict=True)]
        after = [(r[i] - y) / ((x + h) - x) for r, h in zip(right, steps, strict=True)]
        before = [(y - b[i]) / (x - (x - h)) for b, h in zip(left, steps, strict=True)]
        middle, _ = _limit([0.5 * r[i] + 0.5 * b[i] for r, b in zip(right, left, strict=True)], 4.0, 16.0)
        size = max([abs(y), *[abs(v[i]) for v in right + left]])
        rounding = 8.0 * EPSILON * size / steps[-1]
        value, correction = _limit(central, 4.0, 16.0)
        from_right, right_correction = _limit(after, 2.0, 4.0)
        from_left, left_correction = _limit(before, 2.0, 4.0)
        error = CAUTION * correction + rounding + abs(middle - y) / step
        sides = right_correction + left_correction + 4.0 * rounding
        scale = max([abs(slope) for slope in after + before if math.isfinite(slope)], default=0.0)
        slopes.append(_Slope(value, error, scale, step, from_left, from_right, sides))
    return slopes


def _limit(slopes: list[float], first: float, second: float) -> tuple[float, float]:
    """Three slopes extrapolated twice, and the size of the second correction."""
    once = [(first * finer - coarser) / (first - 1.0) for coarser, finer in pairwise(slopes)]
    twice = (second * once[1] - once[0]) / (second - 1.0)
    return twice, abs(twice - once[1])


def _culprit(graphs: list[list[Value]], partials: _Partials) -> str:
    """A sentence that names the first rule whose partial derivatives are not those of its own function."""
    kink = ""
    for node in [node for graph in graphs for node in graph if node.args]:
        op: Any = node.op
        at = ", ".join([f"{arg.data:.6g}" for arg in node.args])
        rows = op.partials(node.data, *[arg.data for arg in node.args])
        for k, (arg, slope, row) in enumerate(zip(node.args, partials.of(node), rows, strict=True)):
            if slope.flaw:
                kink = kink or f"No rule is wrong, but {op} has no slope at ({at}): what its row says there is a convention."
            elif arg.op is not constant and not slope.fits(row, partials.rtol, partials.atol):
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


def _held(nested: Any) -> list[Any] | None:
    """What a list, tuple, dict or array of objects holds; None for anything else."""
    if isinstance(nested, dict):
        return [*nested.values()]
    if isinstance(nested, np.ndarray) and nested.dtype == object:
        return [*nested.flat]
    return [*nested] if isinstance(nested, list | tuple) else None


def _flat(nested: Any, name: str, depth: int = 0) -> Iterator[Any]:
    """What is in nested containers, in order; ValueError, by their ``name``, if they hold themselves."""
    held = _held(nested)
    if held is None:
        yield nested
        return
    if depth == DEEPEST:
        msg = f"gradcheck() expects Values in lists, tuples, dicts or arrays, and {name} are more than {DEEPEST} levels deep"
        raise ValueError(msg)
    for item in held:
        yield from _flat(item, name, depth + 1)


def _rebuilt(nested: Any, fresh: Iterator[Value]) -> Any:
    """The same nested containers, with the next fresh Value in the place of each."""
    if isinstance(nested, Value):
        return next(fresh)
    held = _held(nested)
    if held is None:
        return nested
    items = [_rebuilt(item, fresh) for item in held]
    if isinstance(nested, dict):
        rebuilt = copy.copy(nested)
        rebuilt.update(zip(nested, items, strict=True))
        return rebuilt
    if isinstance(nested, np.ndarray):
        array = np.empty_like(nested)
        array.flat = items
        return array
    return tuple.__new__(type(nested), items) if isinstance(nested, tuple) else items
