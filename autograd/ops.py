"""The table: every operation once, with the derivative that stands in the calculus book.

    y            the output                     a, b, c    the arguments
    label        what a drawing shows           on floats  the function on Python floats
    on arrays    the same on NumPy arrays       partials   (∂y/∂a, ∂y/∂b, …)
    domain       an interval for each argument; REAL, ... for any number of arguments, in one interval
    arity        the number of arguments; None for any number
    stops        whether no gradient flows through the operation: its partials are _stop

A row holds partial derivatives, written in the library's own operations. So the same row serves floats, Values (which makes
derivatives of derivatives), arrays, and the symbols that print the table. Partials whose division could raise in Python are
wrapped in ``ieee_partials``. chain_rule.py makes gradients of partials.

At kinks the rows follow PyTorch: relu'(0) = 0, abs'(0) = 0, hypot'(0) = 0, ties of maximum and minimum are split equally,
sqrt'(0) = inf, ∂(x⁰)/∂x = 0 even at 0, ∂(0ᵇ)/∂b = 0 for b >= 0, and both slopes of xlogy are 0 at (0, 0). Where the output is NaN,
the slope at a kink is NaN as well.
"""

from __future__ import annotations

import functools
import math
import numbers
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import kernels as k
from autograd.errors import shown
from autograd.kernels import elementwise, ieee, ieee_partials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import EllipsisType

Interval = tuple[float, float]

REAL: Interval = (-math.inf, math.inf)
POSITIVE: Interval = (0.0, math.inf)
UNIT: Interval = (-1.0, 1.0)
FROM_ONE: Interval = (1.0, math.inf)
FROM_MINUS_ONE: Interval = (-1.0, math.inf)
LOG_2 = math.log(2.0)
LOG2_E, LOG10_E = 1.0 / math.log(2.0), 1.0 / math.log(10.0)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


class Operand:
    """What an operation can be applied to besides numbers and arrays. Its method ``apply`` says what that means."""

    __slots__ = ()

    def apply(self, op: Op, args: tuple[Any, ...]) -> Any:
        """Return ``op(*args)``, where this operand is one of ``args``."""
        raise NotImplementedError


class Op:
    """One row. A call applies it to floats, to arrays (elementwise), or to Operands such as Values."""

    __slots__ = ("arity", "domain", "label", "name", "on_arrays", "on_floats", "partials", "stops")

    def __init__(
        self,
        name: str,
        label: str,
        on_floats: Callable[..., float],
        on_arrays: Callable[..., Any],
        partials: Callable[..., tuple[Any, ...]],
        *domain: Interval | EllipsisType,
    ) -> None:
        self.name = name
        self.label = label
        self.on_floats = on_floats
        self.on_arrays = on_arrays
        self.partials = partials
        self.domain: tuple[Interval, ...] = tuple([interval for interval in domain if isinstance(interval, tuple)])
        self.arity = len(domain) if self.domain == domain else None
        self.stops = partials is _stop

    def __call__(self, *args: Any) -> Any:
        """Return the value at ``args``; TypeError unless they are numbers, arrays or Operands."""
        for arg in args:
            if type(arg) is not float:
                break
        else:  # the most frequent call, by sweeps
            return self.on_floats(*args)
        for operand in args:
            if isinstance(operand, Operand):
                return operand.apply(self, args)
        return self._on_numbers(args)

    def _on_numbers(self, args: tuple[Any, ...]) -> Any:
        """Return the number, or the array, at numbers and arrays."""
        kinds = set(map(type, args))
        if kinds <= _NUMBERS:
            return self.on_floats(*map(float, args))
        if np.ndarray in kinds:
            for a in args:
                if not (a.dtype.kind in "fiubO" if type(a) is np.ndarray else _is_number(a)):
                    raise self.refusal(a)
            if any([np.asarray(a).dtype == object for a in args]):
                return self.elementwise(args)
            with np.errstate(all="ignore"):
                return self.on_arrays(*[np.asarray(a, dtype=float) for a in args])
        for a in args:
            if not _is_number(a):
                raise self.refusal(a)
        return np.float64(self.on_floats(*map(float, args)))  # NumPy's numbers stay NumPy's

    def elementwise(self, args: tuple[Any, ...]) -> Any:
        """Return the values at the elements of ``args``, which may be arrays of operands."""
        with np.errstate(all="ignore"):  # NumPy reports the processor's flags, which Python's floats set, too
            return k.for_each(self, args)

    def refusal(self, arg: object) -> TypeError:
        """Return the error for an argument that is not a number, a Value or an array of them."""
        advice = "; make it an array: np.array(...)" if isinstance(arg, list | tuple) else ""
        return TypeError(
            f"{self.name}() expects numbers, Values or arrays of them, not {type(arg).__name__} {shown(arg)}{advice}"
        )

    def __repr__(self) -> str:
        return f"{self.name} ({self.label})" if self.label != self.name else self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return _row, (self.name,)  # copies and pickles of a row are the row itself


def _is_number(x: Any) -> bool:
    """Return whether ``x`` is a real number. ``numpy.timedelta64``, which counts as a ``numbers.Real``, is not."""
    return isinstance(x, numbers.Real | np.bool_) and not isinstance(x, np.timedelta64)


def of_objects(ufunc: Callable[..., Any], inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return NumPy's ``ufunc`` of ``inputs``, in which each Operand stands as an object in an array."""
    return ufunc(*[np.asarray(x, object) if isinstance(x, Operand) else x for x in inputs], **options)


_NUMBERS = {float, int, bool}
TABLE: dict[str, Op] = {}


def _op(name: str, *columns: Any) -> Op:
    row = TABLE[name] = Op(name, *columns)
    return row


def _row(name: str) -> Op:
    return TABLE[name]


def _zero(y: Any, *args: Any) -> tuple[float, ...]:  # noqa: ARG001 - the signature of every partials
    return (0.0,) * len(args)


def _stop(y: Any, *args: Any) -> tuple[float, ...]:
    return _zero(y, *args)


# fmt: off
#                name          label        on floats                          on arrays                   partials                      domain

# A number that the user wrote, a detached Value, or a result under no_grad. No gradient flows into it.
constant   = _op("constant",   "const",     float,                             np.asarray,                 _stop)

# The same number, through which no gradient flows: detach(), while a function is recorded for the compiler.
detach     = _op("detach",     "detach",    float,                             np.positive,                _stop,                        REAL)

# Arithmetic
add        = _op("add",        "+",         operator.add,                      np.add,                     lambda y, a, b: (1.0, 1.0),   REAL, REAL)
sub        = _op("sub",        "-",         operator.sub,                      np.subtract,                lambda y, a, b: (1.0, -1.0),  REAL, REAL)
mul        = _op("mul",        "×",         operator.mul,                      np.multiply,                lambda y, a, b: (b, a),       REAL, REAL)
div        = _op("div",        "÷",         ieee(operator.truediv, np.divide), np.divide,    ieee_partials(lambda y, a, b: (1 / b, -y / b)), REAL, REAL)
neg        = _op("neg",        "neg",       operator.neg,                      np.negative,                lambda y, a: (-1.0,),         REAL)
square     = _op("square",     "²",         lambda a: a * a,                   np.square,                  lambda y, a: (2 * a,),        REAL)

# Choice. The condition is a number, 0 for false.
where      = _op("where",      "where",     lambda c, a, b: a if c else b,     np.where,
                 lambda y, c, a, b: (0.0, where(c, 1.0, 0.0), where(c, 0.0, 1.0)),                         REAL, REAL, REAL)
sign       = _op("sign",       "sign",      k.sign,                            np.sign,                    lambda y, a: (0 * y,),        REAL)
absolute   = _op("abs",        "abs",       abs,                               np.abs,                     lambda y, a: (sign(a),),      REAL)
relu       = _op("relu",       "ReLU",      k.relu,                            k.relu_array,               lambda y, a: (sign(y),),      REAL)
maximum    = _op("maximum",    "max",       k.maximum,                         k.folded(np.maximum),
                 lambda y, a, b, *c: _equal_parts(a >= y, b >= y, [x >= y for x in c] if c else ()),       REAL, ...)
minimum    = _op("minimum",    "min",       k.minimum,                         k.folded(np.minimum),
                 lambda y, a, b, *c: _equal_parts(a <= y, b <= y, [x <= y for x in c] if c else ()),       REAL, ...)
clip       = _op("clip",       "clip",      k.clip,                            k.clip_array,
                 lambda y, a, b, c: (where((b <= a) * (a <= c), 1.0, 0 * sign(y)),
                                     where((a < b) * (b <= c), 1.0, 0 * sign(y)),
                                     where((c < a) + (c < b), 1.0, 0 * sign(y))),                      REAL, REAL, REAL)
copysign   = _op("copysign",   "copysign",  math.copysign,                     np.copysign,
                 lambda y, a, b: (sign(a) * copysign(1.0, b), 0.0),                                        REAL, REAL)

# Comparisons: 1 for true, 0 for false. They are nodes only while a function is recorded for the compiler.
equal      = _op("equal",      "=",         k.equal,                           np.equal,                   _stop,                        REAL, REAL)
not_equal  = _op("not_equal",  "≠",         k.not_equal,                       np.not_equal,               _stop,                        REAL, REAL)
less       = _op("less",       "<",         k.less,                            np.less,                    _stop,                        REAL, REAL)
less_equal = _op("less_equal", "≤",         k.less_equal,                      np.less_equal,              _stop,                        REAL, REAL)

# Powers. A number as exponent (powc) has no derivative of its own; a Value has.
powc       = _op("powc",       "**",        k.power,                           np.power,
                 lambda y, a, n: (where(abs(n) <= 0, 0.0, n * powc(a, n - 1)), 0.0),                       POSITIVE, REAL)
power      = _op("pow",        "**",        k.power,                           np.power,
                 lambda y, a, b: (where((abs(a) <= 0) * (abs(b) <= 0), 0.0, b * power(a, b - 1)),
                                  where((abs(a) <= 0) * (b >= 0), 0.0, power(a, b / 2) * log(a) * power(a, b / 2))), POSITIVE, REAL)
sqrt       = _op("sqrt",       "√",         ieee(math.sqrt, np.sqrt),          np.sqrt,      ieee_partials(lambda y, a: (0.5 / y,)),         POSITIVE)
cbrt       = _op("cbrt",       "∛",         math.cbrt,                         np.cbrt,      ieee_partials(lambda y, a: (1 / (3 * y * y),)), REAL)

# Exponentials and logarithms. 2ᵃ may overflow where its derivative does not, so the derivative is log 2 times 2^(a/2) twice.
exp        = _op("exp",        "exp",       ieee(math.exp, np.exp),            np.exp,                     lambda y, a: (y,),            REAL)
exp2       = _op("exp2",       "exp2",      ieee(math.exp2, np.exp2),          np.exp2,                    lambda y, a: (LOG_2 * exp2(a / 2) * exp2(a / 2),), REAL)
expm1      = _op("expm1",      "expm1",     ieee(math.expm1, np.expm1),        np.expm1,                   lambda y, a: (exp(a),),       REAL)
log        = _op("log",        "log",       ieee(math.log, np.log),            np.log,       ieee_partials(lambda y, a: (1 / a,)),           POSITIVE)
log2       = _op("log2",       "log2",      ieee(math.log2, np.log2),          np.log2,      ieee_partials(lambda y, a: (LOG2_E / a,)),      POSITIVE)
log10      = _op("log10",      "log10",     ieee(math.log10, np.log10),        np.log10,     ieee_partials(lambda y, a: (LOG10_E / a,)),      POSITIVE)
log1p      = _op("log1p",      "log1p",     ieee(math.log1p, np.log1p),        np.log1p,     ieee_partials(lambda y, a: (1 / (1 + a),)),     FROM_MINUS_ONE)

# a log b, which is 0 where a is 0, even for b = 0: so entropies are defined.
xlogy      = _op("xlogy",      "a log b",   k.xlogy,                           k.xlogy_array,
    ieee_partials(lambda y, a, b: (where((abs(a) <= 0) * (b <= 0), 0.0, log(b)),
                                   where((abs(a) <= 0) * (abs(b) <= 0), 0.0, a / b))),                     REAL, POSITIVE)

# Activations. tanh' is sech²: in the tails rounding would make 0 of 1 - y², and the derivative of 1 / cosh² a would overflow.
# sigmoid' is not the product y (1 - y), because near 0, where both factors are near 1/2, its derivative would cancel.
tanh       = _op("tanh",       "tanh",      math.tanh,                         np.tanh,                    lambda y, a: (square(sech(a)),), REAL)
sech       = _op("sech",       "sech",      k.sech,                            k.sech_array,               lambda y, a: (-y * tanh(a),), REAL)
sigmoid    = _op("sigmoid",    "σ",         k.sigmoid,                         k.sigmoid_array,            lambda y, a: (square(0.5 * sech(0.5 * a)),), REAL)
softplus   = _op("softplus",   "softplus",  k.softplus,                        k.softplus_array,           lambda y, a: (sigmoid(a),),   REAL)
erf        = _op("erf",        "erf",       math.erf,                          elementwise(math.erf),
                 lambda y, a: (TWO_OVER_SQRT_PI * exp(-a * a),),                                           REAL)
erfc       = _op("erfc",       "erfc",      math.erfc,                         elementwise(math.erfc),
                 lambda y, a: (-TWO_OVER_SQRT_PI * exp(-a * a),),                                          REAL)

# Trigonometry. √(1 - a²) and a / (a² + b²) are rows of their own, so that neither they nor their derivatives cancel or overflow.
sin        = _op("sin",        "sin",       ieee(math.sin, np.sin),            np.sin,                     lambda y, a: (cos(a),),       REAL)
cos        = _op("cos",        "cos",       ieee(math.cos, np.cos),            np.cos,                     lambda y, a: (-sin(a),),      REAL)
tan        = _op("tan",        "tan",       ieee(math.tan, np.tan),            np.tan,                     lambda y, a: (1 + y * y,),    REAL)
asin       = _op("asin",       "asin",      ieee(math.asin, np.arcsin),        np.arcsin,    ieee_partials(lambda y, a: (1 / semicircle(a),)), UNIT)
acos       = _op("acos",       "acos",      ieee(math.acos, np.arccos),        np.arccos,    ieee_partials(lambda y, a: (-1 / semicircle(a),)), UNIT)
semicircle = _op("semicircle", "√(1 - a²)", k.semicircle,                      k.semicircle_array, ieee_partials(lambda y, a: (-a / y,)),    UNIT)
atan       = _op("atan",       "atan",      math.atan,                         np.arctan,                  lambda y, a: (inversion(1.0, a),), REAL)
atan2      = _op("atan2",      "atan2",     math.atan2,                        np.arctan2,
                 lambda y, a, b: (inversion(b, a), -inversion(a, b)),                                      REAL, REAL)
inversion  = _op("inversion",  "a/(a² + b²)", k.inversion,                     k.inversion_array,
    ieee_partials(lambda y, a, b: (_of_inversion(a, b, hypot(a, b)), -2 * (y * inversion(b, a)))),           REAL, REAL)
sinh       = _op("sinh",       "sinh",      ieee(math.sinh, np.sinh),          np.sinh,                    lambda y, a: (cosh(a),),      REAL)
cosh       = _op("cosh",       "cosh",      ieee(math.cosh, np.cosh),          np.cosh,                    lambda y, a: (sinh(a),),      REAL)
asinh      = _op("asinh",      "asinh",     math.asinh,                        np.arcsinh,                 lambda y, a: (1 / hypot(1.0, a),), REAL)
acosh      = _op("acosh",      "acosh",     ieee(math.acosh, np.arccosh),      np.arccosh,
                 ieee_partials(lambda y, a: (1 / sqrt(a - 1) / sqrt(a + 1),)),                           FROM_ONE)
atanh      = _op("atanh",      "atanh",     ieee(math.atanh, np.arctanh),      np.arctanh,
                 ieee_partials(lambda y, a: (square(1 / semicircle(a)),)),                                   UNIT)

# Whole numbers, whose derivative between two jumps is 0, and Python's %, which has the sign of b.
floor      = _op("floor",      "floor",     k.floor,                           np.floor,                   _zero,                        REAL)
rint       = _op("rint",       "rint",      k.rint,                            np.rint,                    _zero,                        REAL)
floordiv   = _op("floordiv",   "//",        ieee(operator.floordiv, np.floor_divide), np.floor_divide,     _zero,                        REAL, POSITIVE)
mod        = _op("mod",        "%",         ieee(operator.mod, np.remainder),  np.remainder,
                 lambda y, a, b: (1.0, -floordiv(a, b)),                                                   REAL, POSITIVE)

# Remainders: y = a - n b for a whole n, so ∂y/∂b = -n. It is computed as ⌊y/b⌋ - ⌊a/b⌋, which is exact and has the slope 0.
fmod       = _op("fmod",       "fmod",      ieee(math.fmod, np.fmod),          np.fmod,
                 lambda y, a, b: (1.0, floordiv(y, b) - floordiv(a, b)),                                   REAL, POSITIVE)
remainder  = _op("remainder",  "remainder", k.remainder,                       elementwise(k.remainder),
                 lambda y, a, b: (1.0, floordiv(y, b) - floordiv(a, b)),                                   REAL, POSITIVE)

# Gamma and its logarithmic derivatives. polygamma has no derivative by n, the order.
gamma      = _op("gamma",      "Γ",         k.gamma,                           elementwise(k.gamma),   lambda y, a: (y * polygamma(0, a),), POSITIVE)
lgamma     = _op("lgamma",     "log Γ",     k.lgamma,                          elementwise(k.lgamma),      lambda y, a: (polygamma(0, a),), POSITIVE)
polygamma  = _op("polygamma",  "ψ",         k.polygamma,                       elementwise(k.polygamma),
                 lambda y, n, a: (0.0, polygamma(n + 1, a)),                                               POSITIVE, POSITIVE)

# Any number of arguments. dot takes the left factors, then the right ones; select takes an index, then the items.
dot        = _op("dot",        "dot",       k.dot,                             k.dot_array,
                 lambda y, *a: a[len(a) // 2:] + a[:len(a) // 2],                                          REAL, ...)
fsum       = _op("fsum",       "sum",       k.fsum,                            elementwise(k.fsum),        lambda y, *a: (1.0,) * len(a), REAL, ...)
prod       = _op("prod",       "prod",      k.prod,                            k.prod,                lambda y, *a: _products_of_the_others(a), REAL, ...)
select     = _op("select",     "select",    k.select,                          k.select_array,
                 lambda y, i, *a: (0.0, *[(i >= n) * (i <= n) * 1.0 for n in range(len(a))]),              REAL, ...)
hypot      = _op("hypot",      "hypot",     math.hypot,                        k.hypot_array, ieee_partials(lambda y, *a: _direction(y, a)), REAL, ...)
logsumexp  = _op("logsumexp",  "logsumexp", k.logsumexp,                       k.logsumexp_array,  lambda y, *a: _shares(y, a), REAL, ...)
var        = _op("var",        "var",       k.var,                             k.var,
                 lambda y, *a: tuple([4.0 / len(a) * d for d in k.half_deviations(*a)]),                   REAL, ...)
# fmt: on


def _products_of_the_others(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return for each argument the product of the others. It is not y divided by the argument, which may be 0.

    Of 2, 3 and 5 the products of what comes before are 1, 2 and 6, and of what comes after 15, 5 and 1. Together: 15, 10 and 6.
    """
    before: list[Any] = [1.0]
    for a in args[:-1]:
        before.append(before[-1] * a)
    after: list[Any] = [1.0]
    for a in args[:0:-1]:
        after.append(after[-1] * a)
    return tuple([left * right for left, right in zip(before, reversed(after), strict=True)])


def _equal_parts(first: Any, second: Any, others: Sequence[Any]) -> tuple[Any, ...]:
    """Return an equal part of 1 for each argument that reaches the extreme. If none does, the extreme is NaN: return NaN.

    The arguments say whether each one does. For maximum(3, 5, 5) they are 0, 1 and 1, and the parts 0, ½ and ½.
    """
    p, q = 1.0 * first, 1.0 * second
    try:
        if not others:
            return p / (p + q), q / (p + q)
        count = functools.reduce(operator.add, others, p + q)
        return tuple([part / count for part in (p, q, *[1.0 * other for other in others])])
    except ZeroDivisionError:
        return (math.nan,) * (2 + len(others))


def _of_inversion(a: Any, b: Any, length: Any) -> Any:
    """Return ``(b² - a²) / length⁴``, without overflow.

    It is a difference of squares, and not the product (b - a)(b + a), so that its derivatives do not cancel.
    """
    return (square(b / length) - square(a / length)) / length / length


def _direction(y: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return ``x / y`` for each argument, where ``y`` is their Euclidean norm; 0 where the norm is 0.

    The parts are divided by their own norm once more. This changes their last digits at most. But it makes the derivatives of
    the parts accurate where one argument dominates: by the first division alone they would be differences of large numbers.
    """
    length = where(y <= 0, math.inf, y)
    parts = tuple([x / length for x in args])
    if len(parts) == 1:
        return parts
    length = hypot(*parts)
    length = where(length > 0, length, math.inf)  # so that the NaN of an infinite argument does not spread to the others
    return tuple([part / length for part in parts])


def _shares(y: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return ``exp(x - y)`` for each argument, divided by their sum, which is nearly 1.

    The division corrects the last digits, and makes the derivatives of the shares add up to 0.
    """
    shares = [exp(x - y) for x in args]
    total = fsum(*shares)
    total = where(total > 0, total, 1.0)  # so that the NaN of an infinite argument does not spread to the others
    return tuple([share / total for share in shares])
