"""The functions behind the table, on floats and on arrays. They return the infinities and NaNs of IEEE 754.

Where IEEE 754 has an infinity or a NaN, Python's ``math`` raises and NumPy does not. ``ieee`` makes a function that calls
Python's, which is faster, and then NumPy's if Python's raises. So floats and arrays agree at the edges by construction.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def ieee(on_floats: Callable[..., float], on_arrays: Callable[..., Any]) -> Callable[..., float]:
    """Return ``on_floats``, with the result of ``on_arrays`` where it raises an arithmetic or a domain error."""

    def kernel(*args: float) -> float:
        try:
            return on_floats(*args)
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                return float(on_arrays(*args))

    return kernel


def ieee_partials(partials: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Return ``partials``, with IEEE division and overflow where Python's floats would raise."""

    def guarded(y: Any, *args: Any) -> tuple[Any, ...]:
        try:
            return partials(y, *args)
        except ArithmeticError:
            with np.errstate(all="ignore"):
                return tuple(map(float, partials(np.float64(y), *map(np.float64, args))))

    return guarded


def elementwise(on_floats: Callable[..., float]) -> Callable[..., Any]:
    """Return ``on_floats`` for arrays, element by element. It is for functions that NumPy does not have."""

    def kernel(*args: Any) -> Any:
        return np.asarray(for_each(on_floats, args), dtype=float)[()]

    return kernel


def for_each(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return ``function`` at the elements of ``args``, which are broadcast: an array of objects, or one without any axes."""
    if len(args) < _MOST:
        return np.frompyfunc(function, len(args), 1)(*args)
    columns = np.broadcast_arrays(*[np.asarray(a, object) for a in args])
    results = np.empty(columns[0].shape, object)
    for place, items in enumerate(zip(*[column.flat for column in columns], strict=True)):
        results.flat[place] = function(*items)
    return results[()]


_MOST = 32
"""The largest number of arguments and results of NumPy's functions, in the oldest version of NumPy that we support."""


power = ieee(math.pow, np.power)


def relu(a: float) -> float:
    """Return ``a`` above zero, 0 below, and NaN for NaN."""
    return 0.0 if a <= 0.0 else a  # noqa: FURB136 - max() would make 0 of NaN


def relu_array(a: Any, out: Any = None) -> Any:
    """Return :func:`relu` of each element."""
    return np.maximum(a, 0.0, out=out)


def folded(ufunc: Any) -> Callable[..., Any]:
    """Return ``ufunc`` for any number of arguments: of the first two, then of the result and the third, and so on."""

    @functools.wraps(ufunc)
    def kernel(*args: Any) -> Any:
        return functools.reduce(ufunc, args)

    return kernel


def maximum(a: float, b: float, *more: float) -> float:
    """Return the largest; NaN if one of them is NaN."""
    y = a if a >= b or a != a else b  # noqa: PLR0124 - NaN is what differs from itself
    for c in more:
        y = maximum(y, c)
    return y


def minimum(a: float, b: float, *more: float) -> float:
    """Return the smallest; NaN if one of them is NaN."""
    y = a if a <= b or a != a else b  # noqa: PLR0124 - NaN is what differs from itself
    for c in more:
        y = minimum(y, c)
    return y


def clip(a: float, low: float, high: float) -> float:
    """Return ``a`` or the bound that it exceeds; ``high`` if ``low`` is above ``high``; NaN if one of the three is NaN."""
    return minimum(maximum(a, low), high)


def clip_array(a: Any, low: Any, high: Any, out: Any = None) -> Any:
    """Return :func:`clip` of each element."""
    return np.minimum(np.maximum(a, low, out=out), high, out=out)


def equal(a: float, b: float) -> float:
    """Return 1 if the two are equal, else 0. NaN equals no number."""
    return 1.0 if a == b else 0.0


def not_equal(a: float, b: float) -> float:
    """Return 1 if the two differ, else 0. NaN differs from every number."""
    return 1.0 if a != b else 0.0


def less(a: float, b: float) -> float:
    """Return 1 if ``a`` is less than ``b``, else 0, and 0 for NaN."""
    return 1.0 if a < b else 0.0


def less_equal(a: float, b: float) -> float:
    """Return 1 if ``a`` is at most ``b``, else 0, and 0 for NaN."""
    return 1.0 if a <= b else 0.0


def sign(a: float) -> float:
    """Return -1 below 0, 0 at 0, 1 above, and NaN for NaN."""
    return 1.0 if a > 0.0 else -1.0 if a < 0.0 else a + 0.0


def floor(a: float) -> float:
    """Return the largest whole number that is not above ``a``; infinities and NaN are returned as they are."""
    return a // 1.0 if math.isfinite(a) else a


def sigmoid(a: float) -> float:
    """Return ``1 / (1 + exp(-a))``. For negative ``a`` it is computed as ``exp(a) / (1 + exp(a))``, which cannot overflow."""
    if a >= 0.0:
        return 1.0 / (1.0 + math.exp(-a))
    e = math.exp(a)
    return e / (1.0 + e)


def sigmoid_array(a: Any) -> Any:
    """Return :func:`sigmoid` of each element."""
    e = np.exp(-np.abs(a))
    return np.where(np.greater_equal(a, 0.0), 1.0, e) / (1.0 + e)


def sech(a: float) -> float:
    """Return ``1 / cosh(a)``, without overflow."""
    e = math.exp(-abs(a))
    return 2.0 * e / (1.0 + e * e)


def sech_array(a: Any) -> Any:
    """Return :func:`sech` of each element."""
    e = np.exp(-np.abs(a))
    return 2.0 * e / (1.0 + e * e)


def softplus(a: float) -> float:
    """Return ``log(1 + exp(a))``, without overflow."""
    return math.log1p(math.exp(-abs(a))) + relu(a)


def softplus_array(a: Any) -> Any:
    """Return :func:`softplus` of each element."""
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0.0)


def semicircle(a: float) -> float:
    """Return ``√(1 - a²)``, without cancellation near ±1; NaN beyond."""
    return math.sqrt((1.0 - a) * (1.0 + a)) if -1.0 <= a <= 1.0 else math.nan


def semicircle_array(a: Any) -> Any:
    """Return :func:`semicircle` of each element. Elements may be complex: then, near 0, the factors would cancel."""
    return np.sqrt(np.where(np.abs(a) < 0.5, 1.0 - a * a, (1.0 - a) * (1.0 + a)))  # noqa: PLR2004 - between 0 and 1


def inversion(a: float, b: float) -> float:
    """Return ``a / (a² + b²)``, without overflow; NaN if both are 0."""
    y = math.hypot(a, b)
    return a / y / y if y else math.nan


def inversion_array(a: Any, b: Any) -> Any:
    """Return :func:`inversion` of each pair of elements."""
    y = np.hypot(a, b)
    return a / y / y


def rint(a: float) -> float:
    """Return the nearest whole number, and the even one if two are equally near."""
    return math.copysign(round(a), a) if math.isfinite(a) else a


def dot(*args: float) -> float:
    """Return the scalar product of the first half of the arguments with the second, added up from left to right."""
    y = 0.0
    for a, b in zip(args, args[len(args) // 2 :], strict=False):
        y += a * b
    return y


def dot_array(*args: Any) -> Any:
    """Return :func:`dot`, elementwise."""
    half = len(args) // 2
    return functools.reduce(np.add, map(np.multiply, args[:half], args[half:]), 0.0)


def fsum(*args: float) -> float:
    """Return the sum, correctly rounded; the plain sum if there are infinities, or if it overflows on the way."""
    try:
        return math.fsum(args)
    except (OverflowError, ValueError):
        return sum(args)


def prod(*args: Any) -> Any:
    """Return the product, on floats and on arrays alike."""
    y = 1.0
    for a in args:
        y = y * a
    return y


def hypot_array(*args: Any) -> Any:
    """Return the Euclidean norm of the arguments, elementwise."""
    return functools.reduce(np.hypot, args, 0.0)


def select(index: float, *values: float) -> float:
    """Return ``values[index]``; IndexError unless ``index`` is a whole number from 0 to ``len(values) - 1``."""
    if not (0.0 <= index < len(values) and index == int(index)):
        msg = f"select() expects an index that is a whole number from 0 to {len(values) - 1}, not {index!r}"
        raise IndexError(msg)
    return values[int(index)]


def select_array(index: Any, *values: Any) -> Any:
    """Return :func:`select`, elementwise."""
    indices, *tables = np.broadcast_arrays(index, *values)
    for i in indices.flat:
        select(float(i), *[0.0] * len(values))
    return np.take_along_axis(np.stack(tables), indices.astype(np.intp)[np.newaxis], axis=0)[0]


def logsumexp(*args: float) -> float:
    """Return ``log(exp(a₁) + exp(a₂) + …)``, without overflow: all arguments are shifted by the largest one.

    The largest argument contributes a 1 to the sum. ``log1p`` adds it, so that small contributions of the others are not lost
    beside it. logsumexp(0, -40) = log(1 + e⁻⁴⁰) is 4.2e-18, where log(1 + 4.2e-18) of floats would be 0.
    """
    top = functools.reduce(maximum, args, -math.inf)
    if not math.isfinite(top):
        return top
    return top + math.log1p(math.fsum([-1.0, *[math.exp(a - top) for a in args]]))


def logsumexp_array(*args: Any) -> Any:
    """Return :func:`logsumexp`, elementwise."""
    top = functools.reduce(np.maximum, args, -np.inf)
    shift = np.where(np.isfinite(top), top, 0.0)
    ties = [np.equal(a, top) for a in args]
    others = sum(np.exp(a - shift) - tie for a, tie in zip(args, ties, strict=True)) + (sum(ties) - 1)
    return np.where(np.isfinite(top), shift + np.log1p(others), top)[()]


def var(*args: Any) -> Any:
    """Return the mean square of the deviations of ``args`` from their mean, on floats and on arrays alike; NaN for none."""
    if not args:
        return math.nan
    squares = 0.0
    for d in half_deviations(*args):
        squares = squares + d * d
    return 4.0 * (squares / len(args))


def half_deviations(*args: Any) -> list[Any]:
    """Return half of each argument's deviation from the mean of all; halves, because a difference may overflow.

    The differences to the first argument are averaged, so that rounding errors are relative to how far the arguments are apart:
    of 1e9 + 1, 1e9 + 2 and 1e9 + 3 the deviations are -1, 0 and 1 exactly.
    """
    mean = 0.0
    for a in args:
        mean = mean + (0.5 * a - 0.5 * args[0]) / len(args)
    return [0.5 * a - 0.5 * args[0] - mean for a in args]


def xlogy(a: float, b: float) -> float:
    """Return ``a * log(b)``, which is 0 where ``a`` is 0, whatever number ``b`` is."""
    if a == 0.0 and not math.isnan(b):
        return 0.0
    return a * math.log(b) if b > 0.0 else a * (-math.inf if b == 0.0 else math.nan)


def xlogy_array(a: Any, b: Any) -> Any:
    """Return :func:`xlogy` of each pair of elements."""
    return np.where(np.equal(a, 0.0) & ~np.isnan(b), 0.0, np.multiply(a, np.log(b)))[()]


def remainder(a: float, b: float) -> float:
    """Return IEEE 754's remainder: ``a - n * b`` for the whole number ``n`` that is nearest to ``a / b``."""
    try:
        return math.remainder(a, b)
    except ValueError:
        return math.nan


def gamma(x: float) -> float:
    """Return Γ(x): ±inf at ±0, inf where it overflows, and NaN at the negative integers (C99, Annex F)."""
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.copysign(math.inf, x) if x == 0.0 else math.nan


def lgamma(x: float) -> float:
    """Return ``log |Γ(x)|``: inf at its poles and where it overflows."""
    try:
        return math.lgamma(x)
    except (OverflowError, ValueError):
        return math.inf


# Bernoulli numbers B₂, B₄, … B₂₀ (Abramowitz & Stegun, table 23.2).
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_SERIES_FROM = 16.0  # the first term left out of the series is below 1e-17 of the sum from here on
_HIGHEST_ORDER = 150  # from the next one on, the factorials of the series leave the range of floats


def polygamma(order: float, x: float) -> float:
    """Return the derivative of order ``order`` of the digamma function at ``x``; NaN for orders above 150.

    At the poles 0, -1, -2 and so on, derivatives of odd order are inf. Those of even order change sign there, so they are NaN.
    At 0 alone they are infinite, because the sign of that 0 says on which side of the pole ``x`` is.

    A negative ``x`` is reflected to a positive one (Abramowitz & Stegun 6.4.7). Recurrence makes it larger than 16 (6.4.6).
    There the asymptotic series is accurate (6.3.18 and 6.4.11).
    """
    n = int(order)
    if n > _HIGHEST_ORDER:
        return math.nan
    alternating = -1.0 if n % 2 else 1.0
    if x <= 0.0:
        if x == -math.inf:
            return math.nan
        fraction = math.remainder(x, 1.0)
        if fraction == 0.0:
            return math.inf if n % 2 else math.copysign(math.inf, -x) if x == 0.0 else math.nan
        return alternating * polygamma(order, 1.0 - x) - _cotangent_derivative(n, fraction)
    if not math.isfinite(x):
        return 0.0 if x == math.inf and n > 0 else x
    terms = []
    start = _SERIES_FROM + n
    while x < start:
        terms.append(-math.factorial(n) * power(x, -(n + 1)))
        x += 1.0
    if n == 0:
        terms += [math.log(x), -0.5 / x]
        terms += [-b / (2 * k) * x ** (-2 * k) for k, b in enumerate(_BERNOULLI, 1)]
    else:
        terms += [-math.factorial(n - 1) * x**-n, -0.5 * math.factorial(n) * x ** -(n + 1)]
        terms += [
            -b * math.factorial(2 * k + n - 1) / math.factorial(2 * k) * x ** -(2 * k + n) for k, b in enumerate(_BERNOULLI, 1)
        ]
    return alternating * math.fsum(terms)


def _cotangent_derivative(n: int, x: float) -> float:
    """Return the ``n``-th derivative of ``π cot(πx)``: a polynomial in ``c = cot(πx)``, because c' is ``-π (1 + c²)``."""
    c = 1.0 / math.tan(math.pi * x)
    polynomial = [0.0, 1.0]
    for _ in range(n):
        slope = [k * p for k, p in enumerate(polynomial)][1:]
        polynomial = [-a - b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    return math.pi ** (n + 1) * sum(p * power(c, k) for k, p in enumerate(polynomial) if p)  # 0 * inf is no part of it
