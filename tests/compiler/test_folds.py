"""Chains of one row, as people write a maximum in a loop, are one reduction with one gradient, which is that of eager code."""

from __future__ import annotations

import functools
import pickle
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from passes import agree, backward, formulas, forward, program, recorded, run, simpler, variables

import autograd
from autograd import Value, math, ops
from autograd.compiler.executors.runtime import unfold
from autograd.compiler.folds import Fold
from autograd.compiler.record import ROWS as ROWS_OF_THE_TABLE
from autograd.compiler.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

a, b, c, d = w = variables(4)
EXAMPLES = [[1.0, -2.0, 3.0, 0.5, 2.0], [0.5, 0.5, 0.5, -1.0, 0.5], [2.0, 0.0, -0.0, 2.0, 1.0]]


def first_then_others(f: Callable[[Any, Any], Any], x: Sequence[Any]) -> Any:
    m = x[0]
    for o in x[1:]:
        m = f(m, o)
    return m


def others_first(f: Callable[[Any, Any], Any], x: Sequence[Any]) -> Any:
    m = x[0]
    for o in x[1:]:
        m = f(o, m)
    return m


def from_a_number(f: Callable[[Any, Any], Any], x: Sequence[Any]) -> Any:
    return functools.reduce(f, x, 1.0)


FORMS = [first_then_others, others_first, from_a_number]
ROWS: dict[str, Callable[[Any, Any], Any]] = {
    "maximum": math.maximum,
    "minimum": math.minimum,
    "mul": lambda p, q: p * q,
}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("form", FORMS)
def test_a_chain_of_one_row_is_one_reduction_with_one_gradient(form: Callable[..., Any], row: str) -> None:
    def f(x: list[Value]) -> Value:
        return form(ROWS[row], [math.sin(a * y) for y in x])

    lines = [line.split(" = ")[1] for line in [*forward(f, 5), *backward(f, 5)]]
    assert sum(line.startswith(f"reduce:{row}") for line in lines) == 1
    assert sum(line.startswith(f"unfold:{row}") for line in lines) == 1
    assert not any(line.startswith(f"{row}(v") for line in lines if row != "mul")
    agree(f, EXAMPLES)
    agree(f, EXAMPLES[:1])


def test_equal_numbers_share_the_gradient_step_by_step() -> None:
    """As eager code, which takes two at a time: ¼, ¼, ½, wherever the smaller ones are."""
    _, slopes = run(
        lambda x: first_then_others(math.maximum, [a * x[0], b * x[1], c * x[2], d * x[3]]), [[30.0, 20.0, 15.0, 1.0]]
    )
    assert [slopes[v] / y for v, y in zip(w, [30.0, 20.0, 15.0, 1.0], strict=True)] == [0.25, 0.25, 0.5, 0.0]
    for x in ([1.0, 5.0, 5.0, 2.0, 5.0], [5.0, 5.0, 1.0, 1.0, 1.0], [5.0] * 5, [0.0, -0.0, 0.0, -1.0, -0.0]):
        agree(lambda x: first_then_others(math.maximum, [*x, a - 2.0]) + a * others_first(math.minimum, x), [x])
        agree(lambda x: first_then_others(math.maximum, [a * y for y in x]), [x, EXAMPLES[0]])


def test_a_tie_in_one_example_does_not_make_up_for_a_nan_in_another() -> None:
    """The quick way out counts one largest number an example."""
    x = np.array([[3.0, np.nan, 1.0], [3.0, 2.0, 5.0]])  # (items, examples)
    out = np.empty_like(x)
    with np.errstate(invalid="ignore"):
        unfold("maximum", (np.ones(3), np.maximum.reduce(x, axis=0), x), 0, out)
    eager = [first_then_others(math.maximum, items) for items in [[Value(n) for n in column] for column in x.T]]
    for column, result in zip(out.T, eager, strict=True):
        result.backward()
        np.testing.assert_array_equal(column, [leaf.grad for leaf in result.args])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", ROWS)
def test_numbers_that_are_not_finite(row: str, bad: float) -> None:
    for position in range(5):
        x = [1.0, 2.0, 3.0, 2.0, 0.0]
        x[position] = bad
        agree(lambda x: first_then_others(ROWS[row], [a * y for y in x]), [x, EXAMPLES[0]])
        agree(lambda x: math.prod([b * y for y in x]), [x, EXAMPLES[0]])


def test_products_that_overflow_on_the_way_as_eager_ones_do() -> None:
    """A chain hands on g times the later factors times the earlier ones; a product as a row, g times that of the others."""
    x = [1e200, 1e200, 1e-200, 1e-200, 1e-200, 1e200]
    agree(lambda x: first_then_others(ROWS["mul"], [a * y for y in x]), [x, x[::-1]])
    agree(lambda x: math.prod([a * y for y in x]), [x, x[::-1]])
    agree(lambda x: math.prod([a * y for y in x]) * 1e-200, [x, x[::-1]])


def test_a_product_of_500_factors_is_no_recursion() -> None:
    """RecursionError: its partial derivatives are products of products of …."""
    factors = [Value(1.0 + (-1) ** k * k / 4096) for k in range(500)]
    product = autograd.compile(lambda x: math.prod([v * x for v in factors]))
    slopes = product.value_and_grad(np.array([v.data for v in factors]), [1.0])[1] if product([1.0]) else None
    exact = [Fraction(v.data) for v in product.parameters]
    whole = functools.reduce(lambda p, q: p * q, exact)
    assert slopes is not None
    np.testing.assert_allclose(slopes, [float(whole / q) for q in exact], rtol=1000 * 2.0**-53)
    assert product.stats["instructions"]["reduce"] == product.stats["instructions"]["unfold"] == 1


def test_the_gradient_of_a_product_is_times_what_comes_later() -> None:
    agree(lambda x: math.sin(math.prod([a * y for y in x])) * b + math.cos(first_then_others(ROWS["mul"], x) * c), EXAMPLES)
    agree(lambda x: math.prod([a, *x, b]), EXAMPLES, "mean")


def test_what_examples_share_and_what_they_do_not() -> None:
    def f(x: list[Value]) -> Value:
        shared = first_then_others(math.maximum, w)
        return first_then_others(math.minimum, [a, x[0], b * x[1], 7.0, shared, x[1]]) * shared

    agree(f, EXAMPLES)
    agree(f, EXAMPLES, "mean")


def test_a_fold_of_the_same_number_again_and_again() -> None:
    agree(lambda x: first_then_others(math.maximum, [a * x[0]] * 4), EXAMPLES)
    agree(lambda x: first_then_others(ROWS["mul"], [a * x[0]] * 6), EXAMPLES)


def test_several_folds_of_windows_that_overlap() -> None:
    agree(lambda x: math.fsum(first_then_others(math.maximum, [a * y for y in x][i : i + 3]) for i in range(3)), EXAMPLES)


def test_what_is_used_twice_is_not_folded() -> None:
    """What is on the way and needed for something else is computed by itself."""

    def f(x: list[Value]) -> Value:
        m = math.maximum(math.maximum(a, x[0]), x[1])
        return math.maximum(math.maximum(m, x[2]), b) * m

    assert simpler(f, 3) == "mul(maximum(maximum(a, x0, x1), x2, b), maximum(a, x0, x1))"
    agree(f, EXAMPLES)
    assert formulas(lambda x: [m := math.maximum(a, x[0]), math.maximum(math.maximum(m, x[1]), b)], 2) == [
        "maximum(a, x0)", "maximum(maximum(a, x0), x1, b)",
    ]  # fmt: skip


def test_a_chain_goes_through_one_argument() -> None:
    """Two halves share a gradient otherwise than one chain."""

    def f(x: list[Value]) -> Value:
        return math.maximum(math.maximum(math.maximum(x[0], a), b), math.maximum(math.maximum(x[1], c), d))

    assert simpler(f, 2) == "maximum(x0, a, b, maximum(x1, c, d))"
    agree(f, [[5.0, 5.0], [4.0, 5.0], [9.0, 9.0]])


def test_products_of_a_few_stay_products() -> None:
    """They may be factors of scalar products, and a chain of sums is no fold of additions."""
    assert simpler(lambda x: a * x[0] * b * x[1], 2) == "mul(mul(mul(a, x0), b), x1)"
    assert simpler(lambda x: a * x[0] * b * x[1] * c, 2) == "mul(a, x0, b, x1, c)"


def test_a_fold_of_numbers_is_a_number() -> None:
    """So is what a chain may begin with."""
    assert simpler(lambda _: math.maximum(math.maximum(math.cos(Value(0.0)), 2.0), 3.0) * a, 1) == "mul(3, a)"


def test_exports_have_the_chain_as_it_is_written() -> None:
    """They are loops over single numbers: a fold would save nothing."""
    graph = simplify(recorded(lambda x: math.maximum(math.maximum(x[0], 1.0), 2.0) * math.prod(x), 3), folds=False)
    rows = [ROWS_OF_THE_TABLE[graph.code[i]].name for i in range(len(graph.args)) if len(graph.args[i])]
    assert rows == ["maximum", "maximum", "prod", "mul"]


def test_single_precision() -> None:
    numbers = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")

    def f(x: Any) -> Any:
        return first_then_others(math.maximum, [v * y for v, y in zip([*w, a], x, strict=True)]) * math.prod([*x, a])

    slow = autograd.compile(f)
    fast = autograd.compile(f, dtype="float32")
    assert fast(numbers).data == pytest.approx(slow(numbers).data, rel=1e-5)
    theta = np.array([v.data for v in fast.parameters])
    np.testing.assert_allclose(fast.value_and_grad(theta, numbers)[1], slow.value_and_grad(theta, numbers)[1], rtol=1e-5)


def test_folds_as_steps() -> None:
    """In a loop they are steps of a chain: a row of any number of arguments, also in a pickle."""

    def f(x: list[Value]) -> Value:
        y = x[0]
        for k in range(30):
            y = math.minimum(math.minimum(y + a, x[1] * b), math.maximum(math.maximum(x[2], y), c)) - 0.25 * k
            y = math.prod([y, math.cos(x[0]), d / 4])
        return y

    made = program(f, 5)
    assert made.stats["instructions"]["chain"] == 1
    agree(f, EXAMPLES)
    agree(f, EXAMPLES[:1])
    again = pickle.loads(pickle.dumps(made))
    theta = np.array([2.0, 3.0, 4.0, 5.0])
    for batch in (1, 3):
        arrays = [np.array(EXAMPLES[:batch])]
        value, slopes = made.run(theta, arrays, batch)
        assert again.run(theta, arrays, batch)[0] == value
        np.testing.assert_array_equal(again.run(theta, arrays, batch)[1], slopes)


@pytest.mark.parametrize("x", [[5.0, 2.0, 5.0, 5.0], [1.0, 2.0, 3.0], [3.0, 3.0]])
@pytest.mark.parametrize("row", [ops.maximum, ops.minimum])
def test_a_fold_as_a_row_has_the_gradient_of_its_steps(row: ops.Op, x: list[float]) -> None:
    leaves = [Value(number) for number in x]
    first_then_others(row, leaves).backward()
    assert Fold(row)(*x) == first_then_others(row, x)
    assert Fold(row).partials(Fold(row)(*x), *x) == tuple([leaf.grad for leaf in leaves])
    assert pickle.loads(pickle.dumps(Fold(row))).partials(max(x), *x) == Fold(row).partials(max(x), *x)
