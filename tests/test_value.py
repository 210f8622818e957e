"""What a Value is and does: arithmetic, gradients, and the mistakes that engines like this one have made."""

from __future__ import annotations

import copy
import math as python_math
import operator
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograd import AnomalyError, GraphError, Value, detect_anomaly, gradient, math, no_grad, ops, topological_sort

if TYPE_CHECKING:
    from collections.abc import Callable


# micrograd's own two tests, with the numbers that they compare with


def test_micrograd_sanity_check() -> None:
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    assert y.data == -20.0
    assert x.grad == 46.0


def test_micrograd_more_ops() -> None:
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert g.data == pytest.approx(24.70408163265306, rel=1e-15)
    assert a.grad == pytest.approx(138.83381924198252, rel=1e-14)
    assert b.grad == pytest.approx(645.5772594752186, rel=1e-14)


# Mistakes, named


def test_reuse_needs_the_topological_order() -> None:
    a = Value(1.0)
    b = a + a
    c = b + b
    c.backward()
    assert (a.grad, b.grad, c.grad) == (4.0, 2.0, 1.0)


def test_seven_node_diamond() -> None:
    """Depth first without a sort, the long path's contribution comes too late."""
    a = Value(3.0)
    b = a * 2
    c = b * 5
    d = c + b
    e = d * c
    e.backward()
    # with b = 2a: c = 10a, d = 12a, e = 120a²
    assert (e.data, a.grad, b.grad, c.grad, d.grad) == (1080.0, 720.0, 360.0, 66.0, 30.0)


def test_second_backward_doubles_the_leaf_and_not_more() -> None:
    x = Value(3.0)
    y = x**3
    y.backward()
    assert x.grad == 27.0
    y.backward()
    assert x.grad == 54.0


def test_second_backward_is_exactly_twice() -> None:
    """The sum of one call is complete before it is added: 3 · 0.1 summed twice would be off in the last bit."""
    x = Value(0.1)
    y = x * 0.1 + x * 0.2 + x * 0.7 + x * x * x
    y.backward()
    once = x.grad
    for n in range(2, 6):
        y.backward()
        assert x.grad == sum([once] * n)


def test_interior_grads_are_set_anew() -> None:
    x = Value(3.0)
    square = x * x
    y = square * 2
    y.backward()
    y.backward()
    assert square.grad == 2.0


def test_leaf_grads_accumulate_over_results() -> None:
    x = Value(3.0)
    (x * 2).backward()
    (x * 5).backward()
    assert x.grad == 7.0
    x.zero_grad()
    assert x.grad == 0.0


@pytest.mark.parametrize(
    ("f", "value", "slope"),
    [(lambda x: x * x, 9.0, 6.0), (lambda x: x + x, 6.0, 2.0), (lambda x: x - x, 0.0, 0.0), (lambda x: x / x, 1.0, 0.0)],
)
def test_the_same_operand_twice(f: Callable[[Value], Value], value: float, slope: float) -> None:
    x = Value(3.0)
    y = f(x)
    y.backward()
    assert (y.data, x.grad) == (value, pytest.approx(slope, abs=1e-16))


def test_backward_of_a_leaf_is_one() -> None:
    x = Value(3.0)
    x.backward()
    assert x.grad == 1.0


def test_gradient_of_the_result_scales_everything() -> None:
    x = Value(3.0)
    (x * x).backward(gradient=10)
    assert x.grad == 60.0


def test_saturation_and_overflow_are_ieee() -> None:
    assert Value(1000.0).tanh().data == 1.0
    assert Value(710.0).exp().data == python_math.inf
    assert Value(0.0).log().data == -python_math.inf
    assert python_math.isnan(Value(-1.0).log().data)
    assert (1 / Value(0.0)).data == python_math.inf
    assert python_math.isnan((Value(0.0) / 0).data)
    assert python_math.isnan((Value(-8.0) ** (1 / 3)).data)
    assert (Value(1e200) ** 2).data == python_math.inf


def test_a_nan_is_never_hidden() -> None:
    for y in (Value(python_math.nan).relu(), Value(python_math.nan).maximum(0.0), Value(0.0).minimum(python_math.nan)):
        assert python_math.isnan(y.data)


@pytest.mark.parametrize(
    ("base", "exponent", "slope"),
    [(-2.0, 3, 12.0), (-2.0, 2, -4.0), (0.0, 0, 0.0), (0.0, 1, 1.0), (0.0, 2, 0.0), (4.0, 0.5, 0.25), (5.0, 0, 0.0)],
)
def test_powers_of_a_number(base: float, exponent: float, slope: float) -> None:
    x = Value(base)
    y = x**exponent
    y.backward()
    assert (y.data, x.grad) == (base**exponent, slope)


def test_number_to_the_power_of_a_value() -> None:
    x = Value(3.0)
    y = 2**x
    y.backward()
    assert (y.data, x.grad) == (8.0, pytest.approx(8 * python_math.log(2), rel=1e-15))


def test_value_to_the_power_of_a_value() -> None:
    a, b = Value(-2.0), Value(3.0)
    (a**b).backward()
    assert a.grad == 12.0
    assert python_math.isnan(b.grad)
    zero, none = Value(0.0), Value(0.0)
    (zero**none).backward()
    assert (zero.grad, none.grad) == (0.0, 0.0)


# Python's protocols


def test_arithmetic_with_numbers_on_either_side() -> None:
    x = Value(4.0)
    results = [x + 1, 1 + x, x - 1, 1 - x, x * 2, 2 * x, x / 2, 2 / x, x**2, 2**x, -x, +x, abs(-x)]
    assert [y.data for y in results] == [5.0, 5.0, 3.0, -3.0, 8.0, 8.0, 2.0, 0.5, 16.0, 16.0, -4.0, 4.0, 4.0]
    total = Value(0.0)
    for y in results:
        total = total + y
    total.backward()
    assert x.grad == pytest.approx(1 + 1 + 1 - 1 + 2 + 2 + 0.5 - 2 / 16 + 8 + 16 * python_math.log(2) - 1 + 1 + 1, rel=1e-15)


def test_a_number_becomes_a_constant_and_keeps_its_place() -> None:
    y = 2 * Value(3.0)
    two, three = y.args
    assert two.op is ops.constant
    assert (two.data, three.data) == (2.0, 3.0)
    y.backward()
    assert (two.grad, three.grad) == (0.0, 2.0)


@pytest.mark.parametrize(
    "number", [3, 3.0, True, np.float64(3), np.float32(3), np.int64(3), np.array(3.0), np.bool_(True), Fraction(3)]
)
def test_real_numbers_become_floats(number: Any) -> None:
    value = Value(number)
    assert type(value.data) is float
    assert value.data == float(number)


@pytest.mark.parametrize(
    "wrong", [1j, "1", None, [1.0], np.array([True, False]), np.array([1.0]), Value(1.0), object(), b"1", np.complex128(1)]
)
def test_what_is_no_real_number_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"Value\(\) expects a real number, not "):
        Value(wrong)
    x = Value(1.0)
    with pytest.raises(TypeError, match="data expects a real number, not "):
        x.data = wrong
    assert x.data == 1.0


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"\[Value\(x\) for x in data\]"):
        Value([1.0, 2.0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"use x itself, or x\.data for its number"):
        Value(Value(1.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [1j, "1", None, [1.0]])
def test_operators_refuse_what_is_no_number(wrong: Any) -> None:
    x = Value(1.0)
    for f in (
        lambda: x + wrong,
        lambda: wrong + x,
        lambda: x * wrong if wrong != [1.0] else x - wrong,
        lambda: wrong / x,
        lambda: x**wrong,
        lambda: wrong**x,
        lambda: x < wrong,
        lambda: x.maximum(wrong),
    ):
        with pytest.raises(TypeError):
            f()


def test_math_exp_of_a_value_names_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"autograd\.math\.exp\(v\).*v\.data"):
        python_math.exp(Value(1.0))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"autograd\.math"):
        np.array([Value(1.0)], dtype=float)


NUMBERS = [
    0,
    0.0,
    -0.0,
    False,
    np.float64(0),
    np.float32(0),
    np.int8(0),
    np.bool_(False),
    np.array(0.0),
    Fraction(0),
    Decimal(0),
    0j,
]


@pytest.mark.parametrize("zero", NUMBERS, ids=lambda x: type(x).__name__)
def test_a_value_and_a_number_are_equal_by_number(zero: Any) -> None:
    """Mistake: ``1.0 if x == 0 else sin(x) / x`` divided 0 by 0."""
    x, y = Value(0.0), Value(1.0)
    for answer in (x == zero, zero == x, y != zero, zero != y):
        assert answer is True or type(answer) is np.bool_
        assert answer
    assert not any((x != zero, zero != x, y == zero, zero == y))
    assert (x in [1, zero], [1, zero].count(x), [1, zero].index(x)) == (True, 1, 1)


def test_nan_and_whole_numbers_beyond_floats_are_equal_to_nothing() -> None:
    nan, big = python_math.nan, 10**400
    assert Value(nan) != nan
    assert not Value(nan) == nan  # noqa: SIM201 - the other method
    assert Value(1.0) != big
    assert not Value(python_math.inf) == big  # noqa: SIM201
    assert Value(1.0) < big
    assert Value(1.0) > -big


@pytest.mark.parametrize("other", ["0", None, 1j, [0.0], (0.0,), object(), b"", {}])
def test_what_is_no_real_number_is_not_equal(other: Any) -> None:
    assert Value(0.0) != other
    assert not Value(0.0) == other  # noqa: SIM201 - the other method


def test_values_are_equal_by_identity() -> None:
    """They are keys of dicts, and members of lists of parameters."""
    a, b = Value(0.0), Value(0.0)
    assert a == a  # noqa: PLR0124 - what is claimed
    assert a != b
    assert not a != a  # noqa: PLR0124, SIM202 - likewise
    assert [b, a].index(a) == 1
    assert a not in [b, Value(0.0)]
    assert {a: 1, b: 2}[b] == 2
    assert hash(a) == object.__hash__(a)
    match a:
        case 0:
            matched = True
    assert matched


def test_arrays_are_compared_item_by_item() -> None:
    x, y = Value(1.0), Value(2.0)
    values = np.array([x, y])
    assert np.equal(values, 1).tolist() == np.equal(1, values).tolist() == [True, False]
    assert (values != np.array([1.0, 3.0])).tolist() == [False, True]
    assert (values == x).tolist() == (x == values).tolist() == [True, False]
    assert (np.array([1.0, 2.0]) == y).tolist() == (y == np.array([1.0, 2.0])).tolist() == [False, True]
    assert np.unique(values == 1).tolist() == [False, True]


def test_comparisons_are_by_data_and_equality_is_identity() -> None:
    a, b = Value(1.0), Value(2.0)
    assert a < b
    assert a <= 1
    assert b < 3
    assert b >= a
    assert not a > b
    assert a != Value(1.0)
    assert len({a, b, Value(1.0)}) == 3
    assert not Value(0.0)
    assert Value(-1.0)


def test_repr_and_format() -> None:
    assert repr(Value(3, "x")) == "Value(data=3.0, grad=0.0, label='x')"
    assert repr(Value(0.5)) == "Value(data=0.5, grad=0.0)"
    assert f"{Value(2 / 3):.3f} {Value(1.0)}" == "0.667 Value(data=1.0, grad=0.0)"
    assert Value(2.5).item() == 2.5


def test_detach_cuts_the_graph() -> None:
    x = Value(3.0)
    constant = (x * x).detach()
    assert (constant.data, constant.is_leaf) == (9.0, True)
    (constant * x).backward()
    assert x.grad == 9.0


@pytest.mark.parametrize("make", [lambda x: x.detach(), lambda x: (2 * x).args[0]])
def test_backward_of_a_constant_says_why_not(make: Callable[[Value], Value]) -> None:
    with pytest.raises(GraphError, match=r"backward\(\) of a constant .*: it was made by detach\(\), under no_grad"):
        make(Value(3.0)).backward()
    with no_grad():
        y = Value(3.0) * 2
    with pytest.raises(GraphError, match="under no_grad"):
        y.backward()


def test_a_loss_of_plain_numbers_only_is_a_constant_result() -> None:
    x = Value(3.0)
    (x * 0).backward()
    assert x.grad == 0.0


def test_assigned_data_is_used_by_what_is_computed_next() -> None:
    x = Value(3.0)
    x.data = 5
    assert type(x.data) is float
    (x * x).backward()
    assert x.grad == 10.0


def test_differentiating_after_an_assignment_is_refused_and_changes_nothing() -> None:
    x, w = Value(3.0, "x"), Value(2.0, "w")
    y = (x * w).tanh() * w
    (x * 1).backward()
    x.data = 4.0
    with pytest.raises(GraphError, match=r"the data of 'x' was assigned after mul \(×\) had used it"):
        y.backward()
    assert (x.grad, w.grad) == (1.0, 0.0)


@pytest.mark.parametrize("f", [Value.exp, lambda x: x + 1, lambda x: 1 + x, lambda x: math.fsum([x, x, x])])
def test_an_assignment_is_noticed_at_any_arity(f: Callable[[Value], Value]) -> None:
    x = Value(3.0)
    y = f(x)
    x.data = 3.0
    with pytest.raises(GraphError, match="a Value of 3.0 was assigned"):
        y.backward()


def test_a_graph_made_half_before_an_assignment_is_noticed() -> None:
    x = Value(3.0)
    square = x * x
    x.data = 4.0
    y = square + x  # newer than the assignment, and yet wrong
    with pytest.raises(GraphError, match="assigned after mul"):
        y.backward()


def test_a_grad_of_none_counts_as_0() -> None:
    """Mistake: backward() raised in its last step, when half of the leaves had their new grads."""
    x, w = Value(3.0), Value(2.0)
    y = x * x * w
    x.grad = w.grad = None
    assert x.grad is None
    y.backward()
    assert (x.grad, w.grad) == (12.0, 9.0)
    x.grad = None
    assert repr(x) == "Value(data=3.0, grad=None)"
    assert copy.copy(x).grad is None
    assert gradient(y, [x]) == (12.0,)
    x.zero_grad()
    assert x.grad == 0.0
    y.grad = None
    y.backward()
    assert (y.grad, x.grad) == (1.0, 12.0)


@pytest.mark.parametrize("wrong", ["1", 1j, [1.0], Value(1.0), np.ones(2), object(), {}])
def test_a_grad_that_is_no_number_is_refused_where_it_is_assigned(wrong: Any) -> None:
    x = Value(3.0)
    (x * x).backward()
    with pytest.raises(TypeError, match=f"grad expects a real number, not {type(wrong).__name__}"):
        x.grad = wrong
    assert x.grad == 6.0
    x.grad = np.float32(2)
    assert type(x.grad) is float


def test_a_backward_that_fails_leaves_the_leaves_as_they_were() -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    row = ops.Op("broken", "broken", lambda a: a, lambda a: a, fails, ops.REAL)
    x, w = Value(3.0), Value(2.0)
    y = x.apply(row, (x * w,)) * w * x
    x.grad, w.grad = None, 5.0
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert (x.grad, w.grad) == (None, 5.0)
    with pytest.raises(AnomalyError), detect_anomaly():
        (w * (x - 3.0).sqrt()).backward()
    assert (x.grad, w.grad) == (None, 5.0)


@pytest.mark.parametrize("wrong", [None, 1, b"a", ["a"], Value(1.0)])
def test_a_label_is_text(wrong: Any) -> None:
    match = f"the label of a Value must be a str, not {type(wrong).__name__}"
    with pytest.raises(TypeError, match=match):
        Value(1.0, wrong)
    x = Value(1.0, "x")
    with pytest.raises(TypeError, match=match):
        x.label = wrong
    x.label += np.str_("1")
    assert x.label == "x1"


@pytest.mark.parametrize("use", [Value, lambda x: setattr(Value(1.0), "data", x), lambda x: setattr(Value(1.0), "grad", x)])
def test_a_whole_number_that_no_float_can_hold_is_refused(use: Callable[[Any], Any]) -> None:
    with pytest.raises(
        OverflowError, match=r"expects a number that a float can hold, below 1\.8e308 in size, not a larger int"
    ):
        use(10**5000)


# Remainders


@pytest.mark.parametrize("a", [7.5, -7.5, 6.0, -6.0, 0.0, 0.3])
@pytest.mark.parametrize("b", [2.0, -2.0, 0.1, -0.75])
def test_remainders_are_python_s(a: float, b: float) -> None:
    x, y = Value(a), Value(b)
    for f in (operator.mod, operator.floordiv):
        assert f(x, y).data == f(x, b).data == f(a, y).data == f(a, b)
    assert [v.data for v in divmod(x, y)] == [v.data for v in divmod(x, b)] == [v.data for v in divmod(a, y)] == [*divmod(a, b)]
    (x % y * 3.0 + x // y).backward()
    assert (x.grad, y.grad) == (3.0, -3.0 * (a // b))


def test_remainders_by_0_are_ieee() -> None:
    x = Value(1.0)
    assert python_math.isnan((x % 0).data)
    assert ((x // 0).data, (-1 // Value(0.0)).data) == (python_math.inf, -python_math.inf)
    for f in (operator.mod, operator.floordiv, divmod):
        for args in ((x, "a"), ([1], x), (x, None)):
            with pytest.raises(TypeError):
                f(*args)
    assert [v.data for v in np.array([5.0, -5.0]) % Value(3.0)] == [2.0, 1.0]
    assert [v.data for v in Value(7.0) // np.array([2.0, -2.0])] == [3.0, -4.0]


def test_whole_numbers_keep_the_graph() -> None:
    x = Value(-2.5)
    for f in (python_math.floor, python_math.ceil, python_math.trunc, np.floor, np.ceil, np.trunc, np.rint):
        y = f(x) * x
        y.backward()
        expected = getattr(np, f.__name__)(-2.5)
        assert (f(x).data, x.grad) == (expected, expected)
        x.zero_grad()
    assert np.rint(Value(1e300)).data == 1e300


def test_what_was_recorded_cannot_be_edited() -> None:
    x = Value(1.0)
    y = x + 1
    for name in ("args", "op", "is_leaf"):
        with pytest.raises(AttributeError):
            setattr(y, name, (y,))
    with pytest.raises(AttributeError, match="assign to the leaves that it was computed from"):
        y.data = 3.0
    with pytest.raises(AttributeError):
        y.color = "red"  # type: ignore[attr-defined]


def test_backward_refuses_a_gradient_that_is_no_number() -> None:
    with pytest.raises(TypeError, match=r"backward\(\) expects a real number, not list"):
        Value(1.0).backward([1.0])  # type: ignore[arg-type]


# NumPy


def test_arithmetic_with_arrays_gives_arrays_of_values() -> None:
    x = Value(2.0)
    for y, expected in (
        (x * np.arange(3.0), [0, 2, 4]),
        (np.arange(3.0) * x, [0, 2, 4]),
        (np.ones(3) - x, [-1] * 3),
        (x / np.ones(3), [2] * 3),
        (np.full(3, 3.0) ** x, [9] * 3),
        (x ** np.arange(3), [1, 2, 4]),
    ):
        assert y.dtype == object
        assert [v.data for v in y] == expected
    assert isinstance(np.float64(2) * x, Value)
    assert isinstance(x * np.float64(2), Value)
    assert isinstance(np.int64(2) + x, Value)
    assert [bool(b) for b in x < np.arange(4)] == [False, False, False, True]


def test_matrix_products_and_reductions_of_object_arrays() -> None:
    weights = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    x = np.array([1.0, 10.0])
    y = weights @ x
    assert [v.data for v in y] == [21.0, 43.0]
    y.sum().backward()
    assert [[w.grad for w in row] for row in weights] == [[1.0, 10.0], [1.0, 10.0]]
    assert weights.mean().data == 2.5
    assert np.square(weights).max().data == 16.0


UNARY = (
    "fabs",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "radians",
    "degrees",
    "deg2rad",
    "rad2deg",
    "reciprocal",
    "negative",
    "positive",
    "absolute",
    "exp",
    "log",
    "log1p",
    "expm1",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arcsin",
    "arccos",
    "arctan",
    "square",
    "conjugate",
    "cbrt",
    "log2",
    "log10",
    "exp2",
    "arcsinh",
    "arctanh",
    "abs",
)


@pytest.mark.parametrize("name", UNARY)
def test_numpy_functions_work_on_arrays_of_values(name: str) -> None:
    function = getattr(np, name)
    y = function(np.array([Value(0.25), Value(0.75)]))
    np.testing.assert_allclose([v.data for v in y], function(np.array([0.25, 0.75])), rtol=1e-15)
    assert function(Value(0.25)).data == pytest.approx(float(function(0.25)), rel=1e-15)


BINARY = ("arctan2", "hypot", "fmod", "remainder", "floor_divide", "add", "subtract", "multiply", "divide", "power", "maximum")


@pytest.mark.parametrize("name", [*BINARY, "minimum", "logaddexp", "copysign", "float_power"])
def test_numpy_functions_of_two_take_values_on_either_side(name: str) -> None:
    function = getattr(np, name)
    a, b = 0.75, 2.0
    expected = pytest.approx(float(function(a, b)), rel=1e-15)
    slopes = [(float(function(a + h * i, b + h * (1 - i))) - float(function(a, b))) / h for i in (1, 0) for h in (1e-7,)]
    for x, y in ((Value(a), Value(b)), (Value(a), b), (a, Value(b)), (np.float64(a), Value(b)), (Value(a), np.float64(b))):
        z = function(x, y)
        assert type(z) is Value
        assert z.data == expected
        z.backward()
        for v, slope in zip((x, y), slopes, strict=True):
            assert not isinstance(v, Value) or v.grad == pytest.approx(slope, abs=1e-5)
    for x, y in ((np.array([a, a]), Value(b)), (Value(a), np.array([b, b]))):
        assert [v.data for v in function(x, y)] == [expected, expected]
    if function.types[-1] == "OO->O":  # NumPy has none of objects for the others
        of_objects = function(np.array([Value(a), Value(a)]), b)  # maximum chooses one of its two, which may be the number
        assert [v.data if isinstance(v, Value) else v for v in of_objects] == [expected, expected]


def test_numpy_asks_what_a_value_is() -> None:
    for number in (1.0, -0.0, python_math.inf, python_math.nan):
        x = Value(number)
        for f in (np.isnan, np.isinf, np.isfinite):
            assert f(x) == f(number)
        np.testing.assert_equal(np.sign(x).data, np.sign(number))
    quotient, rest = np.divmod(Value(7.5), 2.0)
    assert (quotient.data, rest.data) == (3.0, 1.5)
    assert np.sign(np.array([Value(-2.0), Value(0.0)])).tolist() == [-1, 0]


def test_divmod_of_arrays_and_values() -> None:
    """Mistake: an array and a Value called each other without end."""
    numbers = np.array([7.5, -7.5])
    values = np.array([Value(7.5), Value(-7.5)])
    for x, y in ((values, Value(2.0)), (Value(2.0), values), (numbers, Value(2.0))):
        wanted = np.divmod(*[numbers if isinstance(a, np.ndarray) else 2.0 for a in (x, y)])
        for got in (np.divmod(x, y), divmod(x, y)):
            assert [[v.data for v in part] for part in got] == [part.tolist() for part in wanted]


@pytest.mark.parametrize("masked", [np.ma.masked, np.ma.array(1.0, mask=True)])
def test_a_masked_number_is_no_number(masked: Any) -> None:
    """Mistake: it became NaN."""
    with pytest.raises(TypeError, match="real number"):
        Value(masked)
    x = Value(1.0)
    with pytest.raises(TypeError, match="real number"):
        x.grad = masked
    assert Value(np.ma.array(1.0)).data == 1.0


def test_a_value_has_no_bits() -> None:
    with pytest.raises(TypeError, match="the bits of a whole number or a bool, and a Value is neither"):
        ~Value(1.0)


def test_numpy_s_other_ways_of_calling() -> None:
    x = Value(2.0)
    out = np.empty(2, object)
    assert np.multiply(np.array([1.0, 2.0]), x, out=out) is out
    assert [v.data for v in out] == [2.0, 4.0]
    assert [v.data for v in np.multiply.outer(x, np.array([1.0, 3.0]))] == [2.0, 6.0]
    values = np.array([1.0, 2.0], object)
    values *= x
    assert [v.data for v in values] == [2.0, 4.0]
    with pytest.raises(TypeError):
        np.spacing(x)


def test_every_method_is_its_row() -> None:
    """A method bound to the wrong row would be a wrong function with a right derivative: nothing else would notice."""
    numpys = {"arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh"}
    for name, row in ops.TABLE.items():
        method = getattr(Value, name, None)
        if method is None or name in {"pow", "detach"}:  # detach() makes a node while a function is recorded only
            continue
        count = 2 if row.arity is None else row.arity
        args = [Value(1.25 + k) if row.domain[0][0] == 1.0 else Value(0.5 + k) for k in range(count)]
        assert method(*args).op is row, name
    for alias, name in numpys.items():
        assert getattr(Value, alias) is getattr(Value, name)
    a, b = Value(1.0), Value(2.0)
    made = [a + b, a - b, a * b, a / b, -a, abs(a), a**b, a**2, 1 + a, 1 - a, 1 * a, 1 / a, 2**a]
    assert [y.op.name for y in made if y.op] == [
        "add",
        "sub",
        "mul",
        "div",
        "neg",
        "abs",
        "pow",
        "powc",
        "add",
        "sub",
        "mul",
        "div",
        "pow",
    ]


# Copies


def test_pickle_and_deepcopy_keep_what_is_shared() -> None:
    x = Value(0.5, "x")
    hidden = (x * x).tanh()
    y = hidden + x
    y.backward()
    for copied in (pickle.loads(pickle.dumps([y, hidden, x])), copy.deepcopy([y, hidden, x])):
        y2, hidden2, x2 = copied
        assert y2.args == (hidden2, x2)
        assert hidden2.args[0].args == (x2, x2)
        assert (y2.data, y2.op, y2.grad, hidden2.grad, x2.grad, x2.label) == (y.data, y.op, y.grad, hidden.grad, x.grad, "x")
        y2.backward()
        assert x2.grad == 2 * x.grad
    assert x.grad == copied[2].grad / 2


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_and_both_picklers(protocol: int) -> None:
    x = Value(0.5)
    y = x.exp() * x
    for dumped in (pickle.dumps((y, x), protocol), pickle._dumps((y, x), protocol)):  # type: ignore[attr-defined]
        y2, x2 = pickle.loads(dumped)
        assert (y2.data, len(topological_sort(y2)), topological_sort(y2)[0]) == (y.data, 3, x2)


def test_a_failed_pickle_leaves_no_trace() -> None:
    x = Value(0.5)
    x._label = lambda: 0  # type: ignore[assignment]
    y = x.exp()
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(y)
    x.label = "x"
    assert pickle.loads(pickle.dumps(y)).args[0].label == "x"


def test_copy_is_another_node_of_the_same_arguments() -> None:
    x = Value(3.0)
    y = x * x
    z = copy.copy(y)
    assert z is not y
    assert z.args == (x, x)


def test_copies_of_stale_graphs_are_stale() -> None:
    x = Value(3.0)
    y = x * x
    x.data = 4.0
    with pytest.raises(GraphError, match="assigned after"):
        copy.deepcopy(y).backward()
    with pytest.raises(GraphError, match="assigned after"):
        pickle.dumps(y)
