"""``autograd.math`` beside Python's ``math``, on floats, Values, mixtures and arrays."""

from __future__ import annotations

import math as python_math
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from autograd import Value, gradcheck, gradient, math, ops

NAMES = [name for name in vars(python_math) if not name.startswith("_")]
NEW = {"softmax", "log_softmax"}
WITHOUT_NAMES = {
    "constant",
    "detach",
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "square",
    "sign",
    "abs",
    "powc",
    "floordiv",
    "mod",
    "rint",
}
WITHOUT_NAMES |= {"equal", "not_equal", "less", "less_equal", "sech", "semicircle", "inversion", "polygamma", "dot"}
"""Rows that are operators, that have other names, or that are there for the derivatives of others."""
ONE = [
    "acos",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cbrt",
    "cos",
    "cosh",
    "degrees",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "gamma",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "radians",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]
TWO = ["atan2", "copysign", "fmod", "hypot", "log", "pow", "remainder"]


def test_all_of_python_s_names_are_there_and_nothing_is_forgotten() -> None:
    assert set(NAMES) <= set(math.__all__)
    ours = NEW | ops.TABLE.keys() - WITHOUT_NAMES
    assert set(math.__all__) == set(NAMES) | ours | {"fma", "sumprod"}  # Python has these from 3.13 and 3.12 on
    for name in math.__all__:
        assert hasattr(math, name)
    assert (math.pi, math.e, math.tau, math.inf) == (python_math.pi, python_math.e, python_math.tau, python_math.inf)


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name: str) -> None:
    ours, pythons = getattr(math, name), getattr(python_math, name)
    expected = pythons(0.75)
    assert ours(0.75) == pytest.approx(expected, rel=1e-15)
    assert type(ours(0.75)) is float
    assert ours(Value(0.75)).data == ours(0.75)
    np.testing.assert_allclose(ours(np.array([[0.75, 0.5]])), [[expected, pythons(0.5)]], rtol=2e-15)
    assert ours(np.array([Value(0.75)]))[0].data == ours(0.75)
    assert gradcheck(ours, [Value(0.75)])


@pytest.mark.parametrize("name", TWO)
def test_two_arguments_and_mixtures(name: str) -> None:
    ours, expected = getattr(math, name), getattr(python_math, name)(2.5, 0.75)
    for args in ((2.5, 0.75), (Value(2.5), 0.75), (2.5, Value(0.75)), (Value(2.5), Value(0.75))):
        result = ours(*args)
        assert (result.data if isinstance(result, Value) else result) == pytest.approx(expected, rel=1e-15)
    np.testing.assert_allclose(ours(np.array([2.5]), 0.75), [expected], rtol=2e-15)
    assert ours(np.array([2.5]), Value(0.75))[0].data == pytest.approx(expected, rel=1e-15)
    assert gradcheck(ours, [Value(2.5), Value(0.75)])


def test_acosh() -> None:
    assert math.acosh(Value(1.5)).data == python_math.acosh(1.5)
    assert gradcheck(math.acosh, [Value(1.5)])


def test_a_function_written_for_python_s_math() -> None:
    source = """
def black_scholes(s, k, t, r, v):
    d1 = (math.log(s / k) + (r + v * v / 2) * t) / (v * math.sqrt(t))
    d2 = d1 - v * math.sqrt(t)
    cdf = lambda x: 0.5 * math.erfc(-x / math.sqrt(2))
    return s * cdf(d1) - k * math.exp(-r * t) * cdf(d2)
"""
    plain: dict[str, Any] = {"math": python_math}
    ours: dict[str, Any] = {"math": math}
    exec(source, plain)  # noqa: S102 - the point is that the same text serves twice
    exec(source, ours)  # noqa: S102
    point = (100.0, 95.0, 0.5, 0.02, 0.3)
    xs = [Value(x) for x in point]
    price = ours["black_scholes"](*xs)
    assert price.data == pytest.approx(plain["black_scholes"](*point), rel=1e-14)
    d1 = (python_math.log(100 / 95) + (0.02 + 0.045) * 0.5) / (0.3 * python_math.sqrt(0.5))
    delta = 0.5 * python_math.erfc(-d1 / python_math.sqrt(2))  # the known first derivative by s
    assert gradient(price, xs[:1]) == pytest.approx((delta,), rel=1e-12)


def test_where_python_raises_ours_are_ieee() -> None:
    assert math.exp(710.0) == python_math.inf
    assert math.log(0.0) == -python_math.inf
    assert python_math.isnan(math.sqrt(-1.0))
    assert python_math.isnan(math.pow(-8.0, 1 / 3))
    assert math.gamma(-0.0) == -python_math.inf


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_stable_far_out(size: float) -> None:
    assert math.logsumexp([size, size]) == pytest.approx(size + python_math.log(2), rel=1e-15)
    assert math.softplus(size) == max(size, 0.0)
    assert math.sigmoid(size) == (1.0 if size > 0 else 0.0)
    assert math.softmax([size, 0.0]) == ([1.0, 0.0] if size > 0 else [0.0, 1.0])
    x = Value(size)
    for y in (math.logsumexp([x, 0.0]), math.softplus(x), math.sigmoid(x), math.log_softmax([x, 0.0])[1]):
        assert all(python_math.isfinite(g) for g in gradient(y, [x]))


def test_variance() -> None:
    """As NumPy's, and accurate beside a large mean; a difference that overflows makes it infinite, not NaN."""
    numbers = [1.0, 2.5, -4.0, 7.0]
    assert math.var(numbers) == pytest.approx(np.var(numbers), rel=1e-15)
    assert math.var([0.1] * 3) == math.var([7.0]) == 0.0
    assert math.var([1e15 + 1, 1e15 + 2, 1e15 + 3]) == pytest.approx(2 / 3, rel=1e-15)
    assert math.var([1.7e308, -1.7e308, -1.7e308]) == python_math.inf
    assert python_math.isnan(math.var([]))
    assert python_math.isnan(math.var([python_math.inf, 1.0]))
    columns = math.var([np.array([1.0, 2.0]), np.array([3.0, 2.0])])
    assert columns.tolist() == [1.0, 0.0]
    xs = [Value(x) for x in numbers]
    assert gradient(math.var(xs), xs) == pytest.approx([2 * (x - 1.625) / 4 for x in numbers], rel=1e-14)
    assert gradcheck(lambda *v: math.var(v), xs, order=2)


def test_xlogy() -> None:
    """0 times the logarithm of 0 is 0, and so are its slopes there, as in PyTorch; NaN is not hidden."""
    assert [math.xlogy(0.0, x) for x in (0.0, -1.0, python_math.inf)] == [0.0] * 3
    assert python_math.isnan(math.xlogy(0.0, python_math.nan))
    assert python_math.isnan(math.xlogy(1.0, -1.0))
    assert math.xlogy(2.0, 0.0) == -python_math.inf
    assert math.xlogy(np.array([0.0, 1.0]), 0.0).tolist() == [0.0, -python_math.inf]
    p = [Value(0.0), Value(0.25), Value(0.75)]
    entropy = -math.fsum(math.xlogy(x, x) for x in p)
    assert gradient(entropy, p) == pytest.approx((0.0, -python_math.log(0.25) - 1, -python_math.log(0.75) - 1), rel=1e-15)
    a, b = Value(0.0), Value(2.0)
    by_a, by_b = gradient(math.xlogy(a, b), [a, b], create_graph=True)
    assert (by_a.data, by_b.data) == (python_math.log(2.0), 0.0)
    assert gradient(by_b, [a, b]) == (0.5, 0.0)  # also where a is 0


def test_sums_and_products() -> None:
    xs = [Value(2.0), Value(3.0), Value(4.0)]
    assert math.prod(xs).data == 24.0
    assert math.prod(xs, start=10).data == 240.0
    assert math.prod([2, 3]) == 6.0
    assert math.prod([]) == 1.0
    assert math.fsum([]) == 0.0
    assert gradient(math.prod([*xs, 0.0]), xs) == (0.0, 0.0, 0.0)
    assert gradient(math.prod([Value(0.0), *xs]), xs) == (0.0, 0.0, 0.0)
    assert gradient(math.prod(xs), xs) == (12.0, 8.0, 6.0)
    assert math.fsum([1e16, 1.0, -1e16]) == 1.0
    assert gradient(math.fsum([*xs, 1.0]), xs) == (1.0, 1.0, 1.0)
    assert math.sumprod([1.0, 2.0], np.array([3.0, 4.0])) == 11.0
    assert gradcheck(lambda *v: math.sumprod(v, v[::-1]), [Value(2.0), Value(-3.0), Value(4.0)])
    assert gradcheck(lambda *v: math.dist(v, [1.0, 2.0, 3.0]), [Value(2.0), Value(-3.0), Value(4.0)])
    assert gradcheck(lambda *v: math.softmax(v), [Value(2.0), Value(-3.0), Value(4.0)])
    assert math.logsumexp([]) == -python_math.inf
    assert math.hypot(3.0, 4.0, 12.0) == 13.0


@pytest.mark.parametrize("function", [math.sumprod, math.dist])
def test_lengths_must_match(function: Any) -> None:
    with pytest.raises(ValueError, match="of the same (length|dimension), not of 1 and 2 (items|coordinates)"):
        function([1.0], [1.0, 2.0])


def test_clip_and_where() -> None:
    for number, value, slope in ((-5.0, -1.0, 0.0), (-1.0, -1.0, 1.0), (0.3, 0.3, 1.0), (1.0, 1.0, 1.0), (7.0, 1.0, 0.0)):
        x = Value(number)
        y = math.clip(x, -1.0, 1.0)
        assert (y.data, *gradient(y, [x])) == (value, slope)
    np.testing.assert_array_equal(math.clip(np.array([-5.0, 0.5, 5.0]), -1.0, 1.0), [-1.0, 0.5, 1.0])
    a, b = Value(1.0), Value(2.0)
    assert gradient(math.where(a < b, a, b), [a, b]) == (1.0, 0.0)
    assert python_math.isnan(math.clip(python_math.nan, 0.0, 1.0))


def test_select() -> None:
    """By plain numbers of any kind, by Values and by arrays; the derivative goes to the item that was selected."""
    table = [Value(10.0), Value(20.0), Value(30.0)]
    for index in (1, 1.0, np.int64(1), np.float32(1), True):
        assert math.select(table, index) is table[1]
    assert math.select([10.0, 20.0], Value(1.0)).data == 20.0
    assert gradient(math.select(table, Value(2.0)), table) == (0.0, 0.0, 1.0)
    assert gradient(math.select(table, index := Value(2.0)), [index]) == (0.0,)
    np.testing.assert_array_equal(math.select([10.0, 20.0], np.array([1, 0, 1])), [20.0, 10.0, 20.0])
    assert math.select(table, np.array([Value(0.0), Value(2.0)]))[1].data == 30.0
    assert gradcheck(lambda *v: math.select(v, Value(1.0).detach()), [Value(2.0), Value(-3.0)])


def test_select_of_rows() -> None:
    rows = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
    assert math.select(rows, 1) is rows[1]
    assert [v.data for v in math.select(rows, Value(1.0))] == [3.0, 4.0]
    assert [v.data for v in math.select(np.array(rows), Value(1.0))] == [3.0, 4.0]


@pytest.mark.parametrize(
    "index", [-1, 2, 0.5, python_math.nan, python_math.inf, Value(2.0), Value(-1.0), Value(0.5), np.array([2])]
)
def test_select_knows_what_is_no_index(index: Any) -> None:
    """A negative index is no way to count from the end."""
    with pytest.raises(IndexError, match=r"select\(\) expects an index that is a whole number from 0 to 1, not "):
        math.select([1.0, 2.0], index)


def test_select_refuses_other_types() -> None:
    with pytest.raises(IndexError, match="select\\(\\) expects at least one item to select from"):
        math.select([], 0)
    with pytest.raises(TypeError, match="select\\(\\) expects a list of items to select from, not float 1.0"):
        math.select(1.0, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="select\\(\\) expects a number or a Value as index, not str '1'"):
        math.select([1.0, 2.0], "1")


def test_taking_numbers_apart() -> None:
    x = Value(-6.75)
    fraction, whole = math.modf(x)
    assert (fraction.data, whole) == (-0.75, -6.0)
    mantissa, exponent = math.frexp(x)
    assert (mantissa.data, exponent) == python_math.frexp(-6.75)
    assert gradient(mantissa, [x]) == (2.0**-exponent,)
    assert (math.floor(x), math.ceil(x), math.trunc(x)) == (-7, -6, -6)
    assert type(math.floor(x)) is int
    assert math.ldexp(1.0, 1023) == 2.0**1023
    assert math.ldexp(1e-300, 1030) == python_math.ldexp(1e-300, 1030)
    assert gradient(math.ldexp(x, 3), [x]) == (8.0,)
    assert math.fma(x, 2.0, 1.0).data == -12.5


@pytest.mark.parametrize("wrong", [0.5, 2.0, Value(1.0), "1", None, [1]])
def test_ldexp_refuses_what_is_no_int(wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"ldexp\(\) expects an int as exponent, not {type(wrong).__name__}"):
        math.ldexp(1.0, wrong)
    assert math.ldexp(3.0, np.int64(2)) == 12.0


def test_maximum_and_minimum_refuse_lists_and_nothing() -> None:
    assert math.maximum(3.0) == math.minimum(3.0) == 3.0
    x = Value(3.0)
    assert gradient(math.maximum(x) + math.minimum(x), [x]) == (2.0,)
    for f in (math.maximum, math.minimum):
        with pytest.raises(TypeError, match="expects at least one number"):
            f()
        for numbers in ([1.0, 2.0], (x,)):
            with pytest.raises(TypeError, match=rf"one by one, not in a (list|tuple): write {f.__name__}\(\*values\)"):
                f(numbers)


def test_questions_and_whole_numbers_of_arrays() -> None:
    x = np.array([-1.5, 0.0, 2.5, python_math.inf, -python_math.inf, python_math.nan])
    for name in ("floor", "ceil", "trunc", "isnan", "isinf", "isfinite"):
        np.testing.assert_array_equal(getattr(math, name)(x), getattr(np, name)(x))
        of_values = [v.data for v in getattr(math, name)(np.array([Value(number) for number in x]))]
        np.testing.assert_array_equal(of_values, getattr(np, name)(x).astype(float))


def test_corners() -> None:
    b = Value(3.0)
    math.pow(2.0, np.array([b]))[0].backward()
    assert b.grad == pytest.approx(8 * python_math.log(2))
    assert math.modf(python_math.inf) == (0.0, python_math.inf)
    assert (math.ldexp(0.0, 5000), math.ldexp(1.0, -5000), math.ldexp(5e-324, 1100)) == (0.0, 0.0, 5e-324 * 2.0**550 * 2.0**550)
    assert math.log(2.0, 1.0) == python_math.inf
    v = Value(4.0)
    assert math.where(np.float64(1) > 0, v, 2.0).data == 4.0
    assert (v * np.bool_(True)).data == 4.0


def test_predicates_look_at_the_data() -> None:
    x = Value(python_math.nan)
    assert math.isnan(x)
    assert not math.isfinite(x)
    assert math.isinf(Value(-python_math.inf))
    assert math.isclose(Value(1.0), 1.0 + 1e-12)
    assert not math.isclose(Value(1.0), 1.1, rel_tol=1e-3)


@pytest.mark.parametrize("wrong", ["1", None, 1j, [1.0], b"1"])
def test_other_types_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"exp\(\) expects numbers, Values or arrays of them, not "):
        math.exp(wrong)
    with pytest.raises(TypeError, match=r"atan2\(\) expects numbers, Values or arrays of them, not "):
        math.atan2(Value(1.0), wrong)


def test_a_list_is_told_to_become_an_array() -> None:
    with pytest.raises(TypeError, match=r"make it an array: np\.array"):
        math.exp([1.0, 2.0])


def test_numpy_s_numbers_stay_numpy_s() -> None:
    assert type(math.exp(np.float64(1.0))) is np.float64
    assert math.exp(np.float32(1.0)) == pytest.approx(np.e, rel=1e-7)
    assert math.maximum(np.int64(3), True) == 3.0


def test_docstrings_quote_the_table() -> None:
    assert "∂y/∂a = cos(a)." in (math.sin.__doc__ or "")
    for name in math.__all__:
        if isinstance(function := getattr(math, name), FunctionType):
            assert function.__doc__, name
            assert function.__name__ in {name, "abs"}


def test_wrong_numbers_of_arguments() -> None:
    with pytest.raises(TypeError):
        math.exp()
    with pytest.raises(TypeError):
        math.atan2(1.0)


def test_rows_know_their_names() -> None:
    assert repr(ops.exp) == "exp"
    assert repr(ops.mul) == "mul (×)"


@pytest.mark.parametrize(
    "wrong",
    [np.array([1j]), np.array(1j), np.array(["2000-01-01"], "M8[D]"), np.array([3], "m8[D]"), np.array(["1.0"]), 1j, "1"],
)
@pytest.mark.parametrize("function", [math.exp, math.degrees, math.radians, math.relu, math.floor, math.ceil, math.trunc])
def test_what_is_no_real_number_is_refused(function: Any, wrong: Any) -> None:
    """Mistake: the real part of a complex array, the days of a date, the number in a text; 1j in degrees."""
    with pytest.raises(TypeError, match="expects (a number or a Value|numbers, Values or arrays of them), not"):
        function(wrong)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("wrong", [1j, np.array([1j]), "1", None])
def test_fma_and_ldexp_take_real_numbers(place: int, wrong: Any) -> None:
    arguments: list[Any] = [1.0, 2.0, 3.0]
    arguments[place] = wrong
    with pytest.raises(TypeError, match="expects numbers, Values or arrays"):
        math.fma(*arguments)
    with pytest.raises(TypeError, match="expects numbers, Values or arrays"):
        math.ldexp(wrong, 1)


@pytest.mark.parametrize("function", [math.comb, math.perm, math.gcd, math.lcm])
def test_whole_numbers_are_not_rounded(function: Any) -> None:
    with pytest.raises(TypeError):
        function(3, 0.5)
    with pytest.raises(TypeError, match="expects an int"):
        math.ldexp(1.0, 0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        math.factorial(0.5)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="whole number"):
        math.select([1.0, 2.0], 0.5)


@pytest.mark.parametrize("values", ["", "12", b"", {}, {"a": 1.0}, 1.0, np.array(1.0), None])
def test_lists_are_lists(values: Any) -> None:
    """Mistake: the sum of no text was 0."""
    functions = [math.fsum, math.prod, math.logsumexp, math.softmax, math.log_softmax]
    both: list[Any] = [lambda v: math.sumprod(v, v), lambda v: math.dist(v, v)]
    for function in (*functions, *both):
        with pytest.raises(TypeError, match="expects a list, not"):
            function(values)


@pytest.mark.parametrize("count", [31, 64, 500])
def test_arrays_of_any_number_of_arguments(count: int) -> None:
    """Mistake: NumPy's functions of functions take 31 or 63 arguments."""
    columns = [np.array([1.0, float(k)]) for k in range(count)]
    np.testing.assert_array_equal(math.fsum(columns), [count, count * (count - 1) / 2])
    total = math.fsum([np.array([Value(1.0), Value(float(k))]) for k in range(count)])
    assert [v.data for v in total] == [count, count * (count - 1) / 2]
    assert isinstance(math.fsum([np.array(1.0)] * count), float)


def test_numpy_s_small_numbers_have_a_whole_part() -> None:
    """Mistake: Python's trunc does not take them."""
    assert [math.trunc(x) for x in (np.float16(-1.5), np.float32(2.5), np.longdouble(2.5), np.bool_(True), np.array(1.5))] == [
        *(-1, 2, 2, 1, 1)
    ]
    assert math.floor(10**400) == 10**400
