"""Derivatives that are returned, not stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd import Value, directional, gradient


def test_nothing_is_stored_and_twice_is_the_same() -> None:
    x = Value(3.0)
    y = x * x
    x.grad, y.grad = 5.0, 6.0
    assert gradient(y, [x]) == gradient(y, [x]) == (6.0,)
    assert directional(y, [x], [1.0]) == 6.0
    assert (x.grad, y.grad) == (5.0, 6.0)


def test_by_what_the_result_does_not_depend_on() -> None:
    x, other = Value(3.0), Value(1.0)
    assert gradient(x * x, [other, x]) == (0.0, 6.0)
    (zero,) = gradient(x * x, [other], create_graph=True)
    assert (zero.data, zero.is_leaf) == (0.0, True)
    assert directional(x * x, [other], [1.0]) == 0.0


def test_by_intermediate_values_and_by_the_result_itself() -> None:
    x = Value(3.0)
    square = x * x
    y = square * square
    assert gradient(y, [square, y, x]) == (18.0, 1.0, 108.0)
    assert directional(y, [square], [1.0]) == 18.0
    assert directional(y, [y], [2.0]) == 2.0


def test_a_variable_named_twice_moves_by_both_tangents() -> None:
    x = Value(3.0)
    assert directional(x * x, [x, x], [1.0, 1.0]) == 12.0


def test_one_value_will_do_for_a_list() -> None:
    x = Value(3.0)
    assert gradient(x * x, x) == (6.0,)  # type: ignore[call-overload]
    assert directional(x * x, x, [2.0]) == 12.0  # type: ignore[arg-type]


def test_a_slope_is_not_the_users_own_value() -> None:
    """d(ab)/da is b, but not the variable itself: to label or assign the one must not touch the other."""
    a, b = Value(2.0, "a"), Value(3.0, "b")
    by_a, by_b = gradient(a * b, [a, b], create_graph=True)
    by_a.label = "slope"
    assert (b.label, by_a.data, by_b.data) == ("b", 3.0, 2.0)
    assert gradient(by_a, [a, b]) == (0.0, 1.0)
    y = a.exp()
    assert gradient(y, [a], create_graph=True)[0] is not y


def test_fourth_derivative() -> None:
    x = Value(2.0)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0, 0.0):
        (y,) = gradient(y, [x], create_graph=True)
        assert y.data == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("wrong", [1.0, None, "y", [Value(1.0)]])
def test_what_is_no_value_is_refused(wrong: object) -> None:
    x = Value(1.0)
    with pytest.raises(TypeError, match=r"gradient\(\) differentiates a Value, not"):
        gradient(wrong, [x])  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"gradient\(\) differentiates by Values, not by"):
        gradient(x * x, [wrong])  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"directional\(\) differentiates a Value"):
        directional(wrong, [x], [1.0])  # type: ignore[arg-type]


def test_a_tangent_for_each_variable() -> None:
    x = Value(1.0)
    with pytest.raises(ValueError, match="a tangent for each of the 1 variables, not 2"):
        directional(x * x, [x], [1.0, 2.0])


def test_stale_graphs_are_refused_by_both() -> None:
    x = Value(1.0)
    y = x.exp()
    x.data = 2.0
    with pytest.raises(RuntimeError, match="assigned after exp"):
        gradient(y, [x])
    with pytest.raises(RuntimeError, match="assigned after exp"):
        directional(y, [x], [1.0])


@pytest.mark.parametrize("wrong", [1j, "1", None, np.array([1j]), np.array(1j), [1.0], np.timedelta64(1, "D")])
def test_tangents_are_real_numbers(wrong: Any) -> None:
    """Mistake: the forward sweep went through with a complex tangent, and gave a complex slope."""
    x = Value(2.0)
    with pytest.raises(TypeError, match=r"a tangent of directional\(\) expects a real number, not"):
        directional(x * x, [x], [wrong])
    with pytest.raises(TypeError, match=r"backward\(\) expects a real number, not"):
        (x * x).backward(wrong)
    assert x.grad == 0.0


@pytest.mark.parametrize("wrong", [1.0, "", "a", None, {}])
def test_tangents_and_variables_are_lists(wrong: Any) -> None:
    x = Value(2.0)
    with pytest.raises(TypeError, match=r"directional\(\) expects a list, not"):
        directional(x * x, [x], wrong)
    with pytest.raises(TypeError, match=r"gradient\(\) expects a list, not"):
        gradient(x * x, wrong)
