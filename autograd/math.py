"""Python's ``math``, on floats, Values, mixtures of them, and NumPy arrays (elementwise).

A function that was written for ``import math`` can be differentiated after ``from autograd import math``. The differences are
few. Where Python's functions raise, these return the infinity or NaN of IEEE 754. Results are floats, even of whole numbers.
``sumprod`` and ``fma`` round after each step. The module also has functions of neural networks, and others.

>>> from autograd import Value, math
>>> math.exp(0.0), math.exp(Value(0.0))
(1.0, Value(data=1.0, grad=0.0))
"""

from __future__ import annotations

import math as _python
from collections.abc import Mapping
from math import comb, e, factorial, gcd, inf, isqrt, lcm, nan, nextafter, perm, pi, tau, ulp
from numbers import Integral, Rational, Real
from sys import float_info
from typing import TYPE_CHECKING, Any

from autograd import kernels, ops
from autograd.errors import shown
from autograd.modes import is_compiling, refuse_while_compiling
from autograd.symbols import derivatives
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# fmt: off
__all__ = [  # noqa: RUF022 - many to a line, in the order of the alphabet
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clip", "comb", "copysign", "cos", "cosh",
    "degrees", "dist", "e", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "factorial", "floor", "fma", "fmod", "frexp", "fsum",
    "gamma", "gcd", "hypot", "inf", "isclose", "isfinite", "isinf", "isnan", "isqrt", "lcm", "ldexp", "lgamma", "log", "log10",
    "log1p", "log2", "log_softmax", "logsumexp", "maximum", "minimum", "modf", "nan", "nextafter", "perm", "pi", "pow", "prod",
    "radians", "relu", "remainder", "select", "sigmoid", "sin", "sinh", "softmax", "softplus", "sqrt", "sumprod", "tan", "tanh",
    "tau", "trunc", "ulp", "var", "where", "xlogy",
]
# fmt: on


def _unary(op: ops.Op, summary: str) -> Callable[[Any], Any]:
    def function(x: Any, /) -> Any:
        return op(x)

    return _documented(function, op, summary)


def _binary(op: ops.Op, summary: str) -> Callable[[Any, Any], Any]:
    def function(x: Any, y: Any, /) -> Any:
        return op(x, y)

    return _documented(function, op, summary)


def _documented(function: Callable[..., Any], op: ops.Op, summary: str) -> Callable[..., Any]:
    rule = ", ".join(f"∂y/∂{name} = {partial}" for name, partial in zip("abc", derivatives(op), strict=False))
    legend = "of y at a" if len(op.domain) == 1 else "of y at a, b"
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = f"{summary}\n\n    Derivative {legend}: {rule}.\n"
    return function


acos = _unary(ops.acos, "The angle in [0, π], in radians, whose cosine is ``x``; NaN outside [-1, 1].")
acosh = _unary(ops.acosh, "The non-negative number whose hyperbolic cosine is ``x``; NaN below 1.")
asin = _unary(ops.asin, "The angle in [-π/2, π/2], in radians, whose sine is ``x``; NaN outside [-1, 1].")
asinh = _unary(ops.asinh, "The number whose hyperbolic sine is ``x``.")
atan = _unary(ops.atan, "The angle in (-π/2, π/2), in radians, whose tangent is ``x``.")
atan2 = _binary(ops.atan2, "The angle in [-π, π], in radians, of the point whose ordinate comes first, its abscissa second.")
atanh = _unary(ops.atanh, "The number whose hyperbolic tangent is ``x``; ±inf at ±1, NaN beyond.")
cbrt = _unary(ops.cbrt, "The cube root of ``x``, negative for negative ``x``.")
copysign = _binary(ops.copysign, "The size of the first argument with the sign of the second.")
cos = _unary(ops.cos, "The cosine of ``x`` radians.")
cosh = _unary(ops.cosh, "The hyperbolic cosine of ``x``.")
erf = _unary(ops.erf, "The error function at ``x``.")
erfc = _unary(ops.erfc, "``1 - erf(x)``, accurate where that would cancel.")
exp = _unary(ops.exp, "e to the power of ``x``; inf above 709.78.")
exp2 = _unary(ops.exp2, "2 to the power of ``x``.")
expm1 = _unary(ops.expm1, "``exp(x) - 1``, accurate for small ``x``.")
fabs = _unary(ops.absolute, "The absolute value of ``x``.")
fmod = _binary(
    ops.fmod, "The remainder of the division that truncates, as C's ``fmod``; it has the sign of the first argument."
)
gamma = _unary(ops.gamma, "The gamma function at ``x``: ``(x - 1)!`` for whole numbers.")
lgamma = _unary(ops.lgamma, "The natural logarithm of the absolute value of the gamma function at ``x``.")
log10 = _unary(ops.log10, "The logarithm of ``x`` to base 10; -inf at 0, NaN below.")
log1p = _unary(ops.log1p, "The natural logarithm of ``1 + x``, accurate for small ``x``.")
log2 = _unary(ops.log2, "The logarithm of ``x`` to base 2; -inf at 0, NaN below.")
relu = _unary(ops.relu, "``x`` above 0, and 0 below.")
remainder = _binary(ops.remainder, "IEEE 754's remainder: what is left after the nearest multiple of the second argument.")
sigmoid = _unary(ops.sigmoid, "``1 / (1 + exp(-x))``, without overflow.")
sin = _unary(ops.sin, "The sine of ``x`` radians.")
sinh = _unary(ops.sinh, "The hyperbolic sine of ``x``.")
softplus = _unary(ops.softplus, "``log(1 + exp(x))``, without overflow.")
sqrt = _unary(ops.sqrt, "The square root of ``x``; NaN below 0.")
tan = _unary(ops.tan, "The tangent of ``x`` radians.")
tanh = _unary(ops.tanh, "The hyperbolic tangent of ``x``.")
xlogy = _binary(ops.xlogy, "The first argument times the logarithm of the second; 0 where the first is 0.")


def log(x: Any, base: Any = None, /) -> Any:
    """Return the logarithm of ``x`` to ``base``, natural by default; -inf at 0, NaN below. Its derivative is ``1 / x``.

    >>> log(8.0, 2.0)
    3.0
    """
    return ops.log(x) if base is None else ops.div(ops.log(x), ops.log(base))


def pow(x: Any, y: Any, /) -> Any:  # noqa: A001 - Python's math has it
    """Return ``x`` to the power of ``y``; NaN for a negative ``x`` unless ``y`` is a whole number.

    >>> pow(Value(3.0), 2)
    Value(data=9.0, grad=0.0)
    """
    return ops.powc(x, y) if isinstance(y, Real) else ops.power(x, y)


def ldexp(x: Any, i: int, /) -> Any:
    """Return ``x * 2**i``; TypeError unless ``i`` is a whole number."""
    if not isinstance(i, Integral):
        msg = f"ldexp() expects an int as exponent, not {type(i).__name__} {shown(i)}: write x * 2.0**i"
        raise TypeError(msg)
    i = max(-3000, min(i, 3000))  # beyond, the product is 0 or infinite for every x
    third = int(i / 3)  # 2.0**i alone may overflow where the product does not
    return ops.mul(ops.mul(ops.mul(x, 2.0**third), 2.0**third), 2.0 ** (i - 2 * third))


def frexp(x: Any, /) -> tuple[Any, int]:
    """Return a mantissa in [0.5, 1) and an exponent, a plain int, such that ``x == ldexp(mantissa, exponent)``."""
    _, exponent = _python.frexp(_plain(x, "frexp"))
    return ldexp(x, -exponent), exponent


def modf(x: Any, /) -> tuple[Any, float]:
    """Return the fractional part of ``x``, and the whole part as a float."""
    fraction, whole = _python.modf(_plain(x, "modf"))
    return fraction if isinf(x) else fmod(x, 1.0), whole


def fma(x: Any, y: Any, z: Any, /) -> Any:
    """Return ``x * y + z``, rounded after each of the two steps."""
    return ops.add(ops.mul(x, y), z)


def degrees(x: Any, /) -> Any:
    """Return ``x`` radians in degrees."""
    return ops.mul(x, 180.0 / pi)


def radians(x: Any, /) -> Any:
    """Return ``x`` degrees in radians."""
    return ops.mul(x, pi / 180.0)


def where(condition: Any, x: Any, y: Any, /) -> Any:
    """Return ``x`` where ``condition`` holds, and ``y`` elsewhere. Both are computed, so neither may divide by 0.

    >>> x = Value(-3.0)
    >>> where(x > 0, x, 0.1 * x).data        # a leaky ReLU
    -0.30000000000000004
    """
    return ops.where(condition, x, y)


def select(values: Sequence[Any], index: Any, /) -> Any:
    """Return ``values[index]``, for an ``index`` that may be a Value. Use it to look something up in a compiled function.

    The derivative by the item that is selected is 1, and by the others 0. ``values`` may be a list of lists: the result is
    then one of the lists. Raises IndexError unless ``index`` is a whole number from 0 to ``len(values) - 1``.

    >>> select([10.0, 20.0, 30.0], 2)
    30.0
    """
    if not (hasattr(values, "__getitem__") and _is_list(values)):
        msg = f"select() expects a list of items to select from, not {type(values).__name__} {shown(values)}"
        raise TypeError(msg)
    if len(values) == 0:
        msg = "select() expects at least one item to select from, not an empty list"
        raise IndexError(msg)
    if isinstance(index, Value) and isinstance(values[0], list | tuple):
        _check_rows(values, index)
        return [select(column, index) for column in zip(*values, strict=True)]
    if isinstance(index, Value) or getattr(index, "ndim", None):
        return ops.select(index, *values)
    position: Any = index
    if not isinstance(index, Real):
        msg = f"select() expects a number or a Value as index, not {type(index).__name__} {shown(index)}"
        raise TypeError(msg)
    if not (0 <= position < len(values) and position == int(position)):
        msg = f"select() expects an index that is a whole number from 0 to {len(values) - 1}, not {shown(index)}"
        raise IndexError(msg)
    return values[int(position)]


def _check_rows(rows: Any, index: Value) -> None:
    """Raise unless the ``rows`` have one length, and ``index`` is that of a row. The rows may be empty."""
    for row in rows:
        if not isinstance(row, list | tuple) or len(row) != len(rows[0]):
            msg = f"select() expects rows of one length, and the first row has {len(rows[0])} items, not {shown(row)}"
            raise ValueError(msg)
    ops.select(index, *[0.0] * len(rows))


def maximum(*values: Any) -> Any:
    """Return the largest of ``values``; NaN if one of them is NaN. Values that are equally large share the derivative equally.

    >>> maximum(Value(3.0), 2.0).data
    3.0
    """
    return ops.maximum(*_at_least_one(values, "maximum"))


def minimum(*values: Any) -> Any:
    """Return the smallest of ``values``; NaN if one of them is NaN. Equally small values share the derivative equally."""
    return ops.minimum(*_at_least_one(values, "minimum"))


def _at_least_one(values: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    """Return ``values``, a single one twice; TypeError if there are none, or if they are in a list."""
    if not values:
        msg = f"{name}() expects at least one number, Value or array"
        raise TypeError(msg)
    if len(values) > 1:
        return values
    if isinstance(values[0], list | tuple):
        msg = f"{name}() expects its numbers one by one, not in a {type(values[0]).__name__}: write {name}(*values)"
        raise TypeError(msg)
    return values * 2  # the rows take two arguments or more


def clip(x: Any, low: Any, high: Any, /) -> Any:
    """Return ``x`` inside [``low``, ``high``], and else the nearer bound.

    The result is ``high`` if ``low`` is above ``high``, and NaN if one of the three is NaN. The derivative by ``x`` is 1
    inside and on the bounds, and 0 outside.
    """
    return ops.clip(x, low, high)


# Functions of any number of arguments


def items(values: Any, function: str) -> list[Any]:
    """Return the items of ``values``; TypeError, in the name of ``function``, for what has no items, and for text and dicts."""
    if not _is_list(values):
        msg = f"{function} expects a list, not {type(values).__name__} {shown(values)}"
        raise TypeError(msg)
    return [*values]


def _is_list(x: Any) -> bool:
    if isinstance(x, str | bytes | Mapping):
        return False
    return isinstance(x, list | tuple) or (hasattr(type(x), "__iter__") and getattr(x, "ndim", 1) != 0)


def fsum(values: Iterable[Any], /) -> Any:
    """Return the sum of ``values``, correctly rounded. It is one node.

    >>> fsum([0.1] * 10)
    1.0
    """
    return ops.fsum(*items(values, "fsum()"))


def prod(values: Iterable[Any], /, *, start: Any = 1) -> Any:
    """Return the product of ``values`` and ``start``. Its derivative by a factor is the product of the others, even at 0."""
    factors = items(values, "prod()")
    return ops.prod(*factors) if type(start) is int and start == 1 else ops.prod(start, *factors)


def sumprod(p: Sequence[Any], q: Sequence[Any], /) -> Any:
    """Return the scalar product of ``p`` and ``q``; ValueError if they differ in length.

    >>> w, x = [Value(1.0), Value(2.0)], [3.0, 4.0]
    >>> sumprod(w, x)
    Value(data=11.0, grad=0.0)
    """
    p, q = items(p, "sumprod()"), items(q, "sumprod()")
    if len(p) != len(q):
        msg = f"sumprod() expects two sequences of the same length, not of {len(p)} and {len(q)} items"
        raise ValueError(msg)
    return ops.dot(*p, *q)


def hypot(*coordinates: Any) -> Any:
    """Return the Euclidean norm of the point with these ``coordinates``, without overflow."""
    return ops.hypot(*coordinates)


def dist(p: Sequence[Any], q: Sequence[Any], /) -> Any:
    """Return the Euclidean distance of two points; ValueError if they differ in dimension.

    >>> dist([1.0, 1.0], [4.0, 5.0])
    5.0
    """
    p, q = items(p, "dist()"), items(q, "dist()")
    if len(p) != len(q):
        msg = f"dist() expects two points of the same dimension, not of {len(p)} and {len(q)} coordinates"
        raise ValueError(msg)
    return hypot(*[ops.sub(a, b) for a, b in zip(p, q, strict=True)])


def logsumexp(values: Iterable[Any], /) -> Any:
    """Return ``log(exp(v₁) + exp(v₂) + …)``, without overflow; -inf for no values. Its derivatives are their softmax.

    >>> logsumexp([1000.0, 1000.0])          # 1000 + log 2
    1000.6931471805599
    """
    return ops.logsumexp(*items(values, "logsumexp()"))


def var(values: Iterable[Any], /) -> Any:
    """Return the variance of ``values``, as ``numpy.var``: the mean square of their deviations from their mean; NaN for none.

    It is one node. It is accurate even if the mean is large. (The mean of the squares minus the square of the mean would lose
    all digits there.)

    >>> var([1e9 + 1, 1e9 + 2, 1e9 + 3])     # (1 + 0 + 1) / 3
    0.6666666666666666
    """
    given = items(values, "var()")
    return kernels.var(*given) if is_compiling() else ops.var(*given)  # sums and products pack into vectors


def softmax(values: Iterable[Any], /) -> list[Any]:
    """Return the exponentials of ``values``, divided by their sum, without overflow.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    return [ops.exp(v) for v in log_softmax(items(values, "softmax()"))]


def log_softmax(values: Iterable[Any], /) -> list[Any]:
    """Return the logarithms of ``softmax(values)``. They are accurate even if the softmax underflows, or is nearly 1."""
    once = _less_their_logsumexp(items(values, "log_softmax()"))
    return _less_their_logsumexp(once)  # the second time corrects the last digits, of values and of derivatives


def _less_their_logsumexp(values: list[Any]) -> list[Any]:
    total = ops.logsumexp(*values)
    return [ops.sub(v, total) for v in values]


# Functions without a derivative, or with the derivative 0. Of a Value they return a plain number, computed from its data. While
# a function is recorded for the compiler, those that can be made of rows are recorded.


def ceil(x: Any, /) -> Any:
    """Return the smallest whole number that is not below ``x``, as a plain int; of an array, as floats."""
    return ops.neg(ops.floor(ops.neg(x))) if _is_recorded(x) else _python.ceil(_plain(x, "ceil"))


def floor(x: Any, /) -> Any:
    """Return the largest whole number that is not above ``x``, as a plain int; of an array, as floats."""
    return ops.floor(x) if _is_recorded(x) else _python.floor(_plain(x, "floor"))


def trunc(x: Any, /) -> Any:
    """Return ``x`` without its fraction, as a plain int; of an array, as floats."""
    return ops.copysign(ops.floor(ops.absolute(x)), x) if _is_recorded(x) else _python.trunc(_plain(x, "trunc"))


def isclose(a: Any, b: Any, *, rel_tol: float = 1e-09, abs_tol: float = 0.0) -> bool:
    """Return whether two numbers are close to each other, as Python's ``math.isclose``."""
    return _python.isclose(
        *[_plain(x, "isclose") for x in (a, b)], rel_tol=_plain(rel_tol, "isclose"), abs_tol=_plain(abs_tol, "isclose")
    )


def isfinite(x: Any, /) -> Any:
    """Return whether ``x`` is neither infinite nor NaN."""
    return ops.less_equal(ops.absolute(x), float_info.max) if _is_recorded(x) else _python.isfinite(_plain(x, "isfinite"))


def isinf(x: Any, /) -> Any:
    """Return whether ``x`` is infinite."""
    return ops.equal(ops.absolute(x), inf) if _is_recorded(x) else _python.isinf(_plain(x, "isinf"))


def isnan(x: Any, /) -> Any:
    """Return whether ``x`` is NaN."""
    return ops.not_equal(x, x) if _is_recorded(x) else _python.isnan(_plain(x, "isnan"))


def _is_recorded(x: Any) -> bool:
    """Return whether ``x`` is an array, or a Value while a function is recorded: then a function of it is made of rows."""
    return is_compiling() if isinstance(x, Value) else getattr(x, "ndim", 0) > 0


def _plain(x: Value | float, name: str) -> float:
    """Return ``x`` as a plain number; TypeError, in the name of the function ``name``, if it is not a number or a Value."""
    if isinstance(x, Value):
        refuse_while_compiling(
            f"math.{name}() was called on a Value",
            "the result is a plain number: compute it outside, and pass it as an argument",
        )
        return x.data
    if isinstance(x, float | Rational):
        return x  # whole numbers of any size have a ceiling
    if (
        hasattr(type(x), "__float__")
        and getattr(x, "ndim", 0) == 0
        and getattr(getattr(x, "dtype", None), "kind", "f") in "fiub"
    ):
        return float(x)
    msg = f"{name}() expects a number or a Value, not {type(x).__name__} {shown(x)}"
    raise TypeError(msg)
