"""Law 1: every row of the table against mpmath, and the three ways of running a row against one another."""

from __future__ import annotations

import functools
import itertools
import math
import random
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest

from autograd import Value, gradient, ops

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd.ops import Op

mp = mpmath.MPContext()  # our own, so that nobody else's precision is touched
mp.prec = 1200  # 360 digits: 50 are left of tanh'(370) = 4e-321 after a difference over a step of 2⁻¹⁰⁰
STEP = mp.mpf(2) ** -100  # a relative step of 8e-31: a one-sided difference is then exact to 1e-30 x f''/f'
RATIO = mp.mpf(0.37)
SECOND_PREC = 3000  # 900 digits: of sigmoid''(1e-200) = -1.25e-201, differences over two steps of 1e-230 leave some

EPS = math.ulp(1.0)
LIBM_ULPS = 3.0  # law 1: one more than libm's, which are 2 for the hyperbolic functions and less for most (glibc's manual)
LIBM_WORST_ULPS = 6.0  # the same for cbrt and erfc, of which that manual admits 4 and 5
GAMMA_ULPS = 11.0  # the same for CPython's own gamma and lgamma: 10 by Modules/mathmodule.c, the latter but near its zeros
OUR_ULPS = 8.0  # ours, of three or four roundings and calls within 2
PARTIAL_ULPS = 4.0  # law 1: for two or three roundings and one libm call, times what the condition number makes of them
ENOUGH = 60  # points of every row that have a reference
ENOUGH_SECOND = 20  # second derivatives of every row that have a reference
SECOND = 1e-12  # law 1: what they may be off, relatively, times their condition number
SMALLEST = 16 * 5e-324  # where products underflow, they are off by some of the smallest numbers
OVERFLOWING = {"prod", "pow"}  # on the way to a product, or to 0 times a power, that do not
DOMINATED = [(40.0, 0.3), (-1.5, 25.0), (1.5, 30.0, 2.0), (2.0, 1e-9, 1e-5)]
EXTREMES = (1e-200, 1e-17, 1e-9, 0.3, 1.5, 2.0, 40.0, 700.0, 1e5, 1e81, 1e160)
LOST = 2.0**24  # no condition number excuses more than 4 * 2²⁴ ulp = 1.5e-8: a wrong formula is seen everywhere
KERNEL_ULPS = 4.0  # law 1: NumPy's own bound for its vectorised functions

VALUE_ULPS: dict[str, float] = {
    **dict.fromkeys(("cbrt", "erfc"), LIBM_WORST_ULPS),
    **dict.fromkeys(("gamma", "lgamma"), GAMMA_ULPS),
    **dict.fromkeys(("sigmoid", "softplus", "polygamma", "dot", "prod", "logsumexp", "var"), OUR_ULPS),
}
WITH_ZEROS = {
    "lgamma",
    "polygamma",
    "dot",
    "logsumexp",
    "var",
}  # sums, which cancel where they vanish: their condition number counts

REFERENCE: dict[str, Callable[..., Any]] = {
    "constant": lambda a: a,
    "detach": lambda a: a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "square": lambda a: a**2,
    "where": lambda c, a, b: b if c == 0 else a,
    "sign": mp.sign,
    "abs": abs,
    "relu": lambda a: max(a, 0),
    "maximum": lambda *a: max(a),
    "minimum": lambda *a: min(a),
    "clip": lambda a, low, high: min(max(a, low), high),
    "copysign": lambda a, b: abs(a) if b >= 0 else -abs(a),
    "equal": lambda a, b: mp.mpf(a == b),
    "not_equal": lambda a, b: mp.mpf(a != b),
    "less": lambda a, b: mp.mpf(a < b),
    "less_equal": lambda a, b: mp.mpf(a <= b),
    "powc": mp.power,
    "pow": mp.power,
    "sqrt": mp.sqrt,
    "cbrt": lambda a: mp.sign(a) * mp.cbrt(abs(a)),
    "exp": mp.exp,
    "exp2": lambda a: mp.power(2, a),
    "expm1": mp.expm1,
    "log": mp.log,
    "log2": lambda a: mp.log(a) / mp.log(2),
    "log10": mp.log10,
    "log1p": mp.log1p,
    "tanh": mp.tanh,
    "sech": mp.sech,
    "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
    "softplus": lambda a: mp.log1p(mp.exp(a)),
    "erf": mp.erf,
    "erfc": mp.erfc,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "semicircle": lambda a: mp.sqrt(1 - a**2),
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "inversion": lambda a, b: a / (a**2 + b**2),
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "floor": mp.floor,
    "floordiv": lambda a, b: mp.floor(a / b),
    "mod": lambda a, b: a - b * mp.floor(a / b),
    "rint": mp.nint,
    "fmod": lambda a, b: mp.sign(a) * (abs(a) % b),  # C's: the sign of a, where mpmath's % has that of b
    "remainder": lambda a, b: (a + b / 2) % b - b / 2,
    "gamma": mp.gamma,
    "lgamma": mp.loggamma,
    "polygamma": lambda n, a: mp.polygamma(int(n), a),
    "dot": lambda *a: sum(x * y for x, y in zip(a[: len(a) // 2], a[len(a) // 2 :], strict=True)),
    "fsum": lambda *a: sum(a),
    "prod": lambda *a: mp.fprod(a),
    "select": lambda i, *a: a[int(i)],
    "hypot": lambda *a: mp.sqrt(sum(x * x for x in a)),
    "logsumexp": lambda *a: mp.log(sum(map(mp.exp, a))),
    "xlogy": lambda a, b: a * mp.log(b) if a else mp.zero,
    "var": lambda *a: sum((x - sum(a) / len(a)) ** 2 for x in a) / len(a),
}
# The partial is 0 by definition.
NOT_DIFFERENTIATED = {"constant": 0, "detach": 0, "where": 0, "copysign": 1, "polygamma": 0, "powc": 1, "select": 0}
FLAT = {"floor", "floordiv", "rint"}  # 0, although differences see jumps that are closer than a step
ARITIES = {"dot": [2, 4, 6], "maximum": [2, 3, 5], "minimum": [2, 3, 5], "select": [2, 3, 4]}  # others: 1, 2, 3, 5
ORDERS = [0.0, 1.0, 2.0, 3.0, 6.0]  # of polygamma
SPECIAL = [0.0, 5e-324, 1e-310, 1e-8, 0.5, 1.0, 2.0, 3.0, 7.5, 1e8, 1e155, 1e308, math.inf]
SPECIAL = [*SPECIAL, *[-x for x in SPECIAL], math.nan]
FEWER = [0.0, -0.0, 5e-324, 1.0, -2.0, 1e308, math.inf, -math.inf, math.nan]  # where three or four of them are combined

pytestmark = pytest.mark.filterwarnings("error")
every_row = pytest.mark.parametrize("row", ops.TABLE.values(), ids=list(ops.TABLE))


def arities(row: Op) -> list[int]:
    return ARITIES.get(row.name, [1, 2, 3, 5]) if row.arity is None else [row.arity or 1]  # a constant has a number


@functools.cache
def points(row: Op) -> list[tuple[float, ...]]:
    """Arguments from the whole domain of a row: magnitudes 1e-8 to 1e8, ordinary numbers, edges and their neighbourhood."""
    rng = random.Random(row.name)
    sizes = [10 ** rng.uniform(-8, 8) for _ in range(16)] + [rng.uniform(0, 4) for _ in range(24)] + [25.0, 300.0]
    sizes.append(1e100 if row.arity is None else 1e200)  # its square overflows; for hypot 1200 bits are too few
    return drawn(row, sizes, rng)


def drawn(row: Op, sizes: list[float], rng: random.Random) -> list[tuple[float, ...]]:
    """Arguments of these sizes, and so far from the edges of the domain: all that there are; of several arguments 80."""

    def inside(interval: ops.Interval) -> list[float]:
        low, high = interval
        edges = [edge for edge in interval if math.isfinite(edge)]
        near = [x for edge in edges for size in sizes for x in (edge + size, edge - size)]
        return [x for x in (0.0, 1.0, -1.0, *edges, *near, *sizes, *[-x for x in sizes]) if low <= x <= high]

    found: list[tuple[float, ...]] = []
    for n in arities(row):
        domain = row.domain * n if len(row.domain) == 1 else row.domain or (ops.REAL,)
        columns = [inside(interval) for interval in domain]
        if row is ops.polygamma:
            columns[0] = ORDERS
        if row is ops.select:
            columns[0] = [*map(float, range(n - 1))]
        if row in (ops.power, ops.powc):
            columns[1] += [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0] * 6
        found += [(x,) for x in columns[0]] if n == 1 else [tuple(map(rng.choice, columns)) for _ in range(80)]
    return found


@functools.cache
def extreme_points(row: Op) -> list[tuple[float, ...]]:
    """Some fifty arguments that are tiny, ordinary or huge, so that some dominate others; half of them are of ``points``."""
    sizes = [size for size in EXTREMES if row.name not in OVERFLOWING or 1e-60 < size < 1e60]
    found = [points(row), drawn(row, sizes, random.Random(row.name))]
    count = 12 if row.arity is None else 25  # of several arguments, there are many second derivatives
    dominated = DOMINATED if {2, 3} <= {*arities(row)} and row is not ops.select else []
    return [args for some in found for args in some[:: -(-len(some) // count)]] + dominated


def special_points(row: Op, n: int) -> list[tuple[float, ...]]:
    columns = [SPECIAL if n <= 2 else FEWER] * n if n < 5 else []  # 9⁴ are enough
    if row is ops.polygamma:
        columns[0] = ORDERS
    if row is ops.select:
        columns[0] = [-0.0, *map(float, range(n - 1))]
    return list(itertools.product(*columns)) if columns else []


def reference(row: Op, args: tuple[Any, ...]) -> Any:
    """The exact value of a row at these numbers; None where mpmath has none."""
    try:
        y = mp.mpmathify(REFERENCE[row.name](*map(mp.mpf, args)))
    except (ValueError, ArithmeticError):  # the latter at erfc(1e200), too
        return None
    return None if isinstance(y, mp.mpc) or mp.isnan(y) else y


def moved(args: tuple[Any, ...], i: int, step: Any) -> tuple[tuple[Any, ...], Any]:
    """``args`` with the ``i``-th one moved by a relative ``step`` (absolute at 0), and by how much that is."""
    by = step * (abs(mp.mpf(args[i])) or 1)
    return (*args[:i], args[i] + by, *args[i + 1 :]), by


def slope(row: Op, args: tuple[Any, ...], i: int, step: Any = STEP) -> Any:
    """The derivative by the ``i``-th argument from one side; None where that side is outside of the domain."""
    there, by = moved(args, i, step)
    y, z = reference(row, args), reference(row, there)
    return None if y is None or z is None or not mp.isfinite(z - y) else (z - y) / by


def derivative(row: Op, args: tuple[float, ...], i: int) -> Any:
    """The derivative by the ``i``-th argument; None at kinks, jumps, poles and edges, where left and right disagree.

    The two steps differ in length as well, by an odd ratio, or a vertical tangent or a period would pass for a slope.
    """
    left, right = slope(row, args, i, -STEP), slope(row, args, i, RATIO * STEP)
    if left is None or right is None:
        return None
    if abs(left - right) > mp.mpf(2) ** -60 * max(abs(left), abs(right), 1 / (1 + abs(mp.mpf(args[i])))):
        return None
    return mp.zero if left * right < 0 else (RATIO * left + right) / (RATIO + 1)  # 0: an extremum. f'' cancels


def second_difference(row: Op, args: tuple[float, ...], i: int, j: int, step: Any) -> Any:
    """The derivative by the ``i``-th and the ``j``-th argument by central differences; None where some side has none."""
    size = min([abs(mp.mpf(x)) for x in args if x], default=mp.one)  # how far to go from an argument of 0
    by = [step * (abs(mp.mpf(args[k])) or size) for k in (i, j)]

    def at(*directions: int) -> Any:
        there = list(map(mp.mpf, args))
        for k, size, direction in zip((i, j), by, directions, strict=True):
            there[k] += direction * size
        return reference(row, tuple(there))

    ends = [at(1, 1), at(1, -1), at(-1, 1), at(-1, -1)]
    if any(y is None or not mp.isfinite(y) for y in ends):
        return None
    return (ends[0] - ends[1] - ends[2] + ends[3]) / (4 * by[0] * by[1])


def second_derivative(row: Op, args: tuple[float, ...], i: int, j: int) -> Any:
    """The derivative by the ``i``-th and the ``j``-th argument; None at kinks, poles and edges, where two steps disagree."""
    if any(args[k] == 0.0 and derivative(row, args, k) is None for k in (i, j)):
        return None  # a vertical tangent, which central differences do not see
    with mp.workprec(SECOND_PREC):
        long, short = [second_difference(row, args, i, j, step) for step in (STEP, RATIO * STEP)]
        if long is None or short is None or abs(long - short) > mp.mpf(2) ** -60 * max(abs(long), abs(short)):
            return None
        return short


def condition(f: Callable[[tuple[Any, ...]], Any], args: tuple[float, ...]) -> float:
    """By what factor ``f`` amplifies relative errors of its arguments: the sum of ``|x ∂f/∂x / f|``."""
    here, total = f(args), mp.zero
    for i, x in enumerate(args):
        there, by = moved(args, i, mp.mpf(2) ** -40)
        change = f(there)
        if x and here and change is not None:
            total += abs((change - here) / by * x / here)
    return float(min(total, LOST))


def ulps(actual: float, exact: Any) -> float:
    """How far ``actual`` is from ``exact``, in units in the last place of the latter."""
    expected = float(exact)
    if not (math.isfinite(expected) and math.isfinite(actual)):
        return 0.0 if actual == expected or (actual != actual and expected != expected) else math.inf  # noqa: PLR0124
    return float(abs(mp.mpf(actual) - exact) / math.ulp(expected))


def test_the_rows_that_stop_gradients() -> None:
    """Comparisons, constants and what was detached. A floor is flat, which is something else: infinity times its 0 is NaN."""
    stops = {"constant", "detach", "equal", "not_equal", "less", "less_equal"}
    assert {row.name for row in ops.TABLE.values() if row.stops} == stops


def test_the_arity_is_the_number_of_arguments_that_a_row_takes() -> None:
    for row in ops.TABLE.values():
        if row.arity is None:
            assert len(arities(row)) > 1
        elif row is not ops.constant:
            args = points(row)[0]
            assert len(args) == row.arity == len(row.partials(row(*args), *args))


def test_every_row_has_a_reference() -> None:
    assert set(ops.TABLE) == set(REFERENCE)


@every_row
def test_value(row: Op) -> None:
    """The float kernel is as accurate as libm at 60 points of its domain or more, its edges among them."""
    checked = 0
    for args in points(row):
        exact = reference(row, args)
        if exact is not None:
            checked += 1
            y = row.on_floats(*args)
            allowed = VALUE_ULPS.get(row.name, LIBM_ULPS)
            if row.name in WITH_ZEROS and ulps(y, exact) > allowed:  # the condition number takes time
                allowed *= 1 + condition(functools.partial(reference, row), args)
            assert type(y) is float
            assert ulps(y, exact) <= allowed, f"{row}{args} = {mp.nstr(exact, 20)}, not {y!r}: {ulps(y, exact):.1f} ulp"
    assert checked >= ENOUGH


@every_row
def test_partials(row: Op) -> None:
    """Every partial is the derivative of the reference by differences, within 4 ulp times its condition number."""
    checked = [0] * max(arities(row))
    for args in points(row):
        y = row.on_floats(*args)
        for i, partial in enumerate(row.partials(y, *args)):
            exact = mp.zero if is_zero(row, i) else derivative(row, args, i)
            if exact is None:
                continue
            checked[i] += 1
            allowed = PARTIAL_ULPS
            if ulps(partial, exact) > allowed:
                allowed *= 1 + condition(lambda there, i=i: slope(row, there, i), args)  # type: ignore[misc]
            error = ulps(partial, exact)
            assert error <= allowed, f"∂{row}{args} by {i} = {mp.nstr(exact, 20)}, not {partial!r}: {error:.1f} ulp"
    assert min(checked) >= ENOUGH


def is_zero(row: Op, *which: int) -> bool:
    """Whether the derivative by these arguments is 0 by definition."""
    return row.name in FLAT or NOT_DIFFERENTIATED.get(row.name) in which


def hessian(row: Op, args: tuple[float, ...]) -> list[tuple[float, ...]]:
    """The second derivatives, by the derivative of the graph of the first ones."""
    xs = list(map(Value, args))
    return [gradient(slope, xs) for slope in gradient(row(*xs), xs, create_graph=True)]


@every_row
def test_second_derivatives(row: Op) -> None:
    """They are those of the reference, to 1e-12 times their condition number, also where arguments are tiny, huge or dominate.

    So none is 0 that should not be, and none is the difference of two large numbers that should have cancelled.
    """
    checked = 0
    for args in extreme_points(row):
        if math.isnan(row.on_floats(*args)):
            continue
        found = hessian(row, args)
        slack = SMALLEST
        if row is ops.inversion:
            slack += 4 * EPS * max(map(abs, itertools.chain(*found)))  # those of atan2 are of third order, and may cancel
        for i, j in itertools.product(range(len(args)), repeat=2):
            exact = mp.zero if is_zero(row, i, j) else second_derivative(row, args, i, j)
            if exact is None or (i != j and is_zero(row, i, j)):
                continue
            checked += 1
            allowed = SECOND * abs(exact) + slack
            error = distance(found[i][j], exact)
            if error > allowed:
                allowed *= 1 + condition(lambda there, i=i, j=j: second_derivative(row, there, i, j), args)  # type: ignore[misc]
            message = f"∂²{row}{args} by {i} and {j} = {mp.nstr(exact, 20)}, not {found[i][j]!r}"
            assert error <= allowed, message
    assert checked >= ENOUGH_SECOND


def distance(actual: float, exact: Any) -> Any:
    """How far ``actual`` is from ``exact``, which counts as infinite beyond the range of floats."""
    expected = float(exact)
    if math.isfinite(actual) and math.isfinite(expected):
        return abs(mp.mpf(actual) - exact)
    return mp.zero if actual == expected else mp.inf


@pytest.mark.parametrize("row", [ops.tanh, ops.sigmoid], ids=repr)
def test_tanh_and_sigmoid_keep_the_digits_of_their_tails(row: Op) -> None:
    """The partials, on floats and on arrays: 1e-13 for |x| <= 2, 2.3e-16 beyond, and 8 ulp as far as 20."""
    xs = np.linspace(-20.0, 20.0, 201)
    (on_arrays,) = row.partials(row(xs), xs)
    for x, on_array in zip(xs.tolist(), on_arrays, strict=True):
        exact = derivative(row, (x,), 0)
        for actual in (row.partials(row(x), x)[0], on_array):
            assert abs(actual - exact) <= (1e-13 * exact if abs(x) <= 2 else 2.3e-16)
            assert ulps(float(actual), exact) <= OUR_ULPS


@every_row
def test_floats_arrays_and_values_agree(row: Op) -> None:
    """Kernels agree within 4 ulp, partials of floats and arrays within 8, and those of Values to the bit.

    At zeros of either sign, subnormals, huge numbers, infinities and NaNs, in all combinations, as well as inside the domain:
    the same infinities, NaNs and signs of zero, no exception, and (the mark above) no warning.
    """
    for n in arities(row):
        table = special_points(row, n) + [args for args in points(row) if len(args) == n]
        ys = [row.on_floats(*args) for args in table]
        arrays = list(map(np.array, zip(*table, strict=True)))
        with np.errstate(all="ignore"):  # as a compiled program does
            partials = row.partials(np.array(ys), *arrays)
        columns = [np.broadcast_to(np.asarray(partial, dtype=float), len(table)).tolist() for partial in partials]
        for args, y, on_array, *by_arrays in zip(table, ys, row(*arrays).tolist(), *columns, strict=True):
            by_floats = row.partials(y, *args)
            values = list(map(Value, args))
            out = row(*values)
            by_values = [p.data if isinstance(p, Value) else p for p in row.partials(out, *values)]
            slack = 1.0
            if row.name in WITH_ZEROS and math.isfinite(y) and y:
                slack += sum(abs(x * p / y) for x, p in zip(args, by_floats, strict=True) if math.isfinite(x * p / y))
            assert type(y) is type(out.data) is float
            assert close(out.data, y, 0.0, row), f"{row}{args}: {y!r} on floats, {out.data!r} on Values"
            assert close(on_array, y, KERNEL_ULPS * slack, row), f"{row}{args}: {y!r} on floats, {on_array!r} on arrays"
            for p, q in zip(by_floats, by_arrays, strict=True):
                assert close(q, p, 2 * KERNEL_ULPS, row), f"∂{row}{args}: {by_floats} on floats, {by_arrays} on arrays"
            for p, q in zip(by_floats, by_values, strict=True):
                assert close(q, p, 0.0, row), f"∂{row}{args}: {by_floats} on floats, {by_values} on Values"


def close(actual: float, expected: float, tolerance: float, row: Op) -> bool:
    """Whether two floats are the same, but for some ulp. A maximum may pick either of two zeros: IEEE 754 leaves it open."""
    if math.isnan(actual) or math.isnan(expected):
        return math.isnan(actual) and math.isnan(expected)
    if actual == expected:
        same_sign = math.copysign(1.0, actual) == math.copysign(1.0, expected)
        return same_sign or bool(actual) or row in (ops.maximum, ops.minimum, ops.clip)
    return abs(actual - expected) <= tolerance * math.ulp(max(abs(actual), abs(expected))) < math.inf


ANALYTIC = "add sub mul div neg square powc pow sqrt exp exp2 expm1 log log2 log10 log1p tanh sin cos tan asin acos atan"
ANALYTIC += " sinh cosh asinh acosh atanh dot prod"


@pytest.mark.parametrize("row", [ops.TABLE[name] for name in ANALYTIC.split()], ids=repr)
def test_partials_by_complex_step(row: Op) -> None:
    """``f(x + ih).imag / h`` has no cancellation: a reference to rounding, where NumPy's kernel takes complex numbers."""
    h, rounding = 1e-30, 64 * EPS
    near = [args for args in points(row) if all(1e-3 < abs(x) < 20 and abs(abs(x) - 1) > 1e-3 for x in args)]
    assert len(near) >= 10
    for args in near:
        for i, partial in enumerate(row.partials(row(*args), *args)):
            if NOT_DIFFERENTIATED.get(row.name) != i:
                stepped = row.on_arrays(*[complex(x, h * (i == j)) for j, x in enumerate(args)])
                assert stepped.imag / h == pytest.approx(partial, rel=rounding, abs=0.0), f"∂{row}{args} by {i}"


@pytest.mark.parametrize(
    ("row", "args", "y", "partials"),
    [
        (ops.relu, (0.0,), 0.0, (0.0,)),
        (ops.relu, (math.nan,), math.nan, (math.nan,)),
        (ops.relu, (math.inf,), math.inf, (1.0,)),
        (ops.absolute, (0.0,), 0.0, (0.0,)),
        (ops.absolute, (math.nan,), math.nan, (math.nan,)),
        (ops.sign, (math.nan,), math.nan, (math.nan,)),
        (ops.clip, (0.5, 0.0, 1.0), 0.5, (1.0, 0.0, 0.0)),
        (ops.clip, (0.0, 0.0, 1.0), 0.0, (1.0, 0.0, 0.0)),
        (ops.clip, (1.0, 0.0, 1.0), 1.0, (1.0, 0.0, 0.0)),
        (ops.clip, (-2.0, 0.0, 1.0), 0.0, (0.0, 1.0, 0.0)),
        (ops.clip, (math.inf, 0.0, math.inf), math.inf, (1.0, 0.0, 0.0)),
        (ops.clip, (2.0, 0.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
        (ops.clip, (0.5, 2.0, 1.0), 1.0, (0.0, 0.0, 1.0)),  # NumPy's: the upper bound wins
        (ops.clip, (math.nan, 0.0, 1.0), math.nan, (math.nan, math.nan, math.nan)),
        (ops.clip, (0.5, math.nan, 1.0), math.nan, (math.nan, math.nan, math.nan)),
        (ops.clip, (0.5, 0.0, math.nan), math.nan, (math.nan, math.nan, math.nan)),
        (ops.sign, (0.0,), 0.0, (0.0,)),
        (ops.maximum, (3.0, 3.0), 3.0, (0.5, 0.5)),
        (ops.minimum, (3.0, 3.0), 3.0, (0.5, 0.5)),
        (ops.maximum, (3.0, 3.0, 1.0, 3.0), 3.0, (1 / 3, 1 / 3, 0.0, 1 / 3)),
        (ops.minimum, (1.0, 3.0, 1.0), 1.0, (0.5, 0.0, 0.5)),
        (ops.minimum, (1.0, 3.0, math.nan), math.nan, (math.nan, math.nan, math.nan)),
        (ops.maximum, (math.inf, 1.0), math.inf, (1.0, 0.0)),
        (ops.maximum, (1.0, math.nan), math.nan, (math.nan, math.nan)),
        (ops.where, (math.nan, 2.0, 3.0), 2.0, (0.0, 1.0, 0.0)),
        (ops.equal, (3.0, 3.0), 1.0, (0.0, 0.0)),
        (ops.equal, (-0.0, 0.0), 1.0, (0.0, 0.0)),
        (ops.equal, (math.nan, math.nan), 0.0, (0.0, 0.0)),
        (ops.not_equal, (math.nan, math.nan), 1.0, (0.0, 0.0)),
        (ops.not_equal, (math.inf, math.inf), 0.0, (0.0, 0.0)),
        (ops.floor, (-0.5,), -1.0, (0.0,)),
        (ops.floor, (-math.inf,), -math.inf, (0.0,)),
        (ops.mod, (7.5, -2.0), -0.5, (1.0, 4.0)),
        (ops.mod, (-7.5, 2.0), 0.5, (1.0, 4.0)),
        (ops.mod, (6.0, 2.0), 0.0, (1.0, -3.0)),
        (ops.mod, (1.0, 0.0), math.nan, (1.0, -math.inf)),
        (ops.mod, (-5.0, math.inf), math.inf, (1.0, 1.0)),
        (ops.floordiv, (-7.5, 2.0), -4.0, (0.0, 0.0)),
        (ops.floordiv, (1.0, 0.0), math.inf, (0.0, 0.0)),
        (ops.floordiv, (0.0, 0.0), math.nan, (0.0, 0.0)),
        (ops.less, (3.0, 3.0), 0.0, (0.0, 0.0)),
        (ops.less, (math.nan, 3.0), 0.0, (0.0, 0.0)),
        (ops.less_equal, (3.0, 3.0), 1.0, (0.0, 0.0)),
        (ops.less_equal, (3.0, math.nan), 0.0, (0.0, 0.0)),
        (ops.less_equal, (-0.0, 0.0), 1.0, (0.0, 0.0)),
        (ops.detach, (math.inf,), math.inf, (0.0,)),
        (ops.select, (1.0, math.nan, 2.0), 2.0, (0.0, 0.0, 1.0)),
        (ops.sqrt, (0.0,), 0.0, (math.inf,)),
        (ops.sqrt, (-1.0,), math.nan, (math.nan,)),
        (ops.cbrt, (0.0,), 0.0, (math.inf,)),
        (ops.cbrt, (-8.0,), -2.0, (1 / 12,)),
        (ops.powc, (0.0, 0.0), 1.0, (0.0, 0.0)),
        (ops.powc, (0.0, 1.0), 0.0, (1.0, 0.0)),
        (ops.powc, (0.0, -1.0), math.inf, (-math.inf, 0.0)),
        (ops.powc, (-8.0, 1 / 3), math.nan, (math.nan, 0.0)),
        (ops.powc, (-2.0, 3.0), -8.0, (12.0, 0.0)),
        (ops.power, (0.0, 0.0), 1.0, (0.0, 0.0)),
        (ops.power, (0.0, 2.0), 0.0, (0.0, 0.0)),
        (ops.power, (-2.0, 3.0), -8.0, (12.0, math.nan)),
        (ops.exp, (710.0,), math.inf, (math.inf,)),
        (ops.log, (0.0,), -math.inf, (math.inf,)),
        (ops.log, (-1.0,), math.nan, (-1.0,)),
        (ops.log1p, (-1.0,), -math.inf, (math.inf,)),
        (ops.div, (1.0, 0.0), math.inf, (math.inf, -math.inf)),
        (ops.asin, (1.0,), math.pi / 2, (math.inf,)),
        (ops.acos, (-1.0,), math.pi, (-math.inf,)),
        (ops.acosh, (1.0,), 0.0, (math.inf,)),
        (ops.atanh, (-1.0,), -math.inf, (math.inf,)),
        (ops.tanh, (1000.0,), 1.0, (0.0,)),
        (ops.sigmoid, (-1000.0,), 0.0, (0.0,)),
        (ops.softplus, (1000.0,), 1000.0, (1.0,)),
        (ops.prod, (0.0, 3.0, 0.0), 0.0, (0.0, 0.0, 0.0)),
        (ops.prod, (0.0, 3.0, 5.0), 0.0, (15.0, 0.0, 0.0)),
        (ops.hypot, (0.0, 0.0), 0.0, (0.0, 0.0)),
        (ops.hypot, (math.nan, 1.0), math.nan, (math.nan, math.nan)),
        (ops.hypot, (math.inf, 1.0), math.inf, (math.nan, 0.0)),
        (ops.hypot, (5e-324, 5e-324), 5e-324, (0.5**0.5, 0.5**0.5)),
        (ops.exp2, (1024.25,), math.inf, (1.4818304672708375e308,)),  # ln 2 · 2^1024.25
        (ops.power, (2.0, 1024.25), math.inf, (math.inf, 1.4818304672708375e308)),
        (ops.log10, (1e308,), 308.0, (4.3429448190325185e-309,)),
        (ops.atan, (1e160,), math.pi / 2, (1e-320,)),
        (ops.gamma, (0.0,), math.inf, (-math.inf,)),
        (ops.gamma, (-0.0,), -math.inf, (-math.inf,)),
        (ops.gamma, (-1.0,), math.nan, (math.nan,)),
        (ops.lgamma, (0.0,), math.inf, (-math.inf,)),
        (ops.lgamma, (-0.0,), math.inf, (math.inf,)),
        (ops.lgamma, (-1.0,), math.inf, (math.nan,)),  # -inf from the right, inf from the left
        (ops.fmod, (1.0, 0.1), math.fmod(1.0, 0.1), (1.0, -9.0)),
        (ops.fmod, (1e-300, 5e-324), 0.0, (1.0, -2.0240225330731058e23)),
        (ops.fmod, (1e300, 3e-5), math.fmod(1e300, 3e-5), (1.0, -1e300 / 3e-5)),
        (ops.remainder, (1.6e308, 1e308), -4e307, (1.0, -2.0)),
        (ops.remainder, (-1.6e308, 1e308), 4e307, (1.0, 2.0)),
        (ops.remainder, (0.7, 0.1), math.remainder(0.7, 0.1), (1.0, -7.0)),
        (ops.clip, (2.0, 0.0, 2.0), 2.0, (1.0, 0.0, 0.0)),  # at a bound, the slope is the number's, as PyTorch has it
        (ops.clip, (0.0, 0.0, 2.0), 0.0, (1.0, 0.0, 0.0)),
        (ops.logsumexp, (1e155, 1e155), 1e155, (0.5, 0.5)),
        (ops.logsumexp, (1e4, -1e4), 1e4, (1.0, 0.0)),
        (ops.logsumexp, (-math.inf, 1.0), 1.0, (0.0, 1.0)),
        (ops.logsumexp, (math.inf, 1.0), math.inf, (math.nan, 0.0)),  # as PyTorch; NaN does not spread to the others
        (ops.logsumexp, (math.inf, math.inf, 1.0), math.inf, (math.nan, math.nan, 0.0)),
    ],
)
def test_edges_and_kinks(row: Op, args: tuple[float, ...], y: float, partials: tuple[float, ...]) -> None:
    """What we promise where calculus has no answer, or where Python's ``math`` raises."""
    assert (row(*args), *row.partials(row(*args), *args)) == pytest.approx((y, *partials), rel=EPS, abs=0.0, nan_ok=True)


@pytest.mark.parametrize(
    ("row", "args", "expected"),
    [
        (ops.asin, (1.0,), [(math.inf,)]),
        (ops.asin, (-1.0,), [(-math.inf,)]),
        (ops.acos, (1.0,), [(-math.inf,)]),
        (ops.acosh, (1.0,), [(-math.inf,)]),
        (ops.atanh, (1.0,), [(math.inf,)]),
        (ops.atanh, (-1.0,), [(-math.inf,)]),
        (ops.sqrt, (0.0,), [(-math.inf,)]),
        (ops.log, (0.0,), [(-math.inf,)]),
        (ops.lgamma, (-3.0,), [(math.inf,)]),
        (ops.hypot, (0.0, 0.0), [(0.0, 0.0), (0.0, 0.0)]),
        (ops.fmod, (1.0, 0.3), [(0.0, 0.0), (0.0, 0.0)]),
        (ops.fmod, (1e5, 1e-200), [(0.0, 0.0), (0.0, 0.0)]),  # a / b² is infinite, and 0 times that was NaN
        (ops.remainder, (-0.3, 1e-308), [(0.0, 0.0), (0.0, 0.0)]),
        # (b - a) (b + a) loses a, and with it a third of the derivative
        (ops.inversion, (-1e-20, 3.0), [(2e-20 / 27, -2 / 27), (-2 / 27, -2e-20 / 27)]),
        (ops.inversion, (1e77, -100.0), [(2e-231, -6e-306), (-6e-306, -2e-231)]),
        (ops.atan2, (1e-160, 1e-160), [(-math.inf, 0.0), (0.0, math.inf)]),
        (ops.atan2, (1e-160, 2e-160), [(-math.inf, -math.inf), (-math.inf, math.inf)]),
        (ops.atan2, (1e-160, 1.0), [(-2e-160, -1.0), (-1.0, 2e-160)]),
        (ops.atan2, (1e-308, 0.0), [(0.0, math.inf), (math.inf, 0.0)]),
    ],
)
def test_second_derivatives_at_edges(row: Op, args: tuple[float, ...], expected: list[tuple[float, ...]]) -> None:
    """Where differences find none: poles are infinite on the side of the domain, and what is flat has none."""
    for found, wanted in zip(hessian(row, args), expected, strict=True):
        assert found == pytest.approx(wanted, rel=4 * EPS, abs=0.0)


@pytest.mark.parametrize("args", [(0.0, -40.0), (100.0, 50.0, 1.0), (0.0, 0.0, -80.0), (3.0, 1.0, 2.0)])
def test_rows_of_the_hessian_of_logsumexp_add_up_to_0(args: tuple[float, ...]) -> None:
    """Mistake: where one term dominates, its own second derivative was 0, or the rounding error of 1 - 1."""
    weights = [mp.exp(mp.mpf(x) - mp.mpf(max(args))) for x in args]
    shares = [w / sum(weights) for w in weights]
    for i, found in enumerate(hessian(ops.logsumexp, args)):
        exact = [shares[i] * ((i == j) - shares[j]) for j in range(len(args))]
        assert found == pytest.approx([float(x) for x in exact], rel=1e-14, abs=0.0)
        assert abs(math.fsum(found)) <= 4 * EPS * max(map(abs, found))


def test_operations_on_nothing_are_neutral() -> None:
    nothing = [row() for row in (ops.dot, ops.fsum, ops.prod, ops.hypot, ops.logsumexp)]
    assert nothing == [0.0, 0.0, 1.0, 0.0, -math.inf]


def test_logsumexp_near_zero_keeps_its_digits() -> None:
    """Mistake: log(1 + 4e-18) was 0."""
    y = math.exp(-40.0)
    assert ops.logsumexp(0.0, -40.0) == pytest.approx(y, rel=4 * EPS, abs=0.0)
    assert ops.logsumexp(np.array([0.0, -40.0]), np.array([-40.0, 0.0])) == pytest.approx([y, y], rel=4 * EPS, abs=0.0)
