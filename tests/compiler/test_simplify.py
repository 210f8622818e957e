"""Simplifying: what ends as one scalar product, what is folded and shared, and what stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from passes import formulas, recorded, simpler, simplified, variables

from autograd import Value, math
from autograd.compiler.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Callable

a, b, c, d = w = variables(4)


def loop(x: list[Value]) -> Value | float:
    total: Value | float = 0.0
    for i in range(3):
        total = total + w[i] * x[i]
    return total


def backwards(x: list[Value]) -> Value | float:
    total: Value | float = 0.0
    for i in range(3):
        total = w[i] * x[i] + total
    return total


@pytest.mark.parametrize(
    "fn",
    [
        loop,
        backwards,
        lambda x: sum(w[i] * x[i] for i in range(3)),
        lambda x: sum(x[i] * w[i] for i in range(3)),
        lambda x: math.fsum([w[i] * x[i] for i in range(3)]),
        lambda x: math.sumprod(w[:3], x),
        lambda x: math.sumprod(x, w[:3]),
        lambda x: math.sumprod([a, x[1], c], [x[0], b, x[2]]),
    ],
)
def test_however_it_is_written_it_is_one_scalar_product(fn: Callable[[list[Value]], Value]) -> None:
    """Whose first factors are those that all examples share."""
    assert simpler(fn, 3) == "dot(a, b, c, x0, x1, x2)"


def test_squares_are_products() -> None:
    for fn in (lambda x: x[0] * x[0] + x[1] * x[1], lambda x: x[0] ** 2 + x[1] ** 2, lambda x: x[0] ** 2 + x[1] * x[1]):
        assert simpler(fn, 2) == "dot(x0, x1, x0, x1)"
    assert simpler(lambda x: x[0] ** 2 + x[1] ** 3, 2) == "add(square(x0), powc(x1, 3))"


def test_one_product_stays_a_product() -> None:
    assert simpler(lambda x: a * x[0] + b, 1) == "add(mul(a, x0), b)"
    assert simpler(lambda x: math.sumprod([x[0]], [a]), 1) == "mul(a, x0)"
    assert simpler(lambda x: math.sumprod([x[0]], [x[0]]), 1) == "square(x0)"


def test_products_among_other_terms() -> None:
    assert simpler(lambda x: x[0] + a * x[1] + x[2] + b * x[3], 4) == "fsum(dot(a, b, x1, x3), x0, x2)"


# Biases


def test_a_bias_has_the_factor_1() -> None:
    for fn in (
        lambda x: a * x[0] + b * x[1] + c,
        lambda x: c + a * x[0] + b * x[1],
        lambda x: math.sumprod([a, b], x) + c,
        lambda x: c + math.sumprod([a, b], x),
        lambda x: sum(v * y for v, y in zip(w, x, strict=False)) + c,
    ):
        assert simpler(fn, 2) == "dot(a, b, c, x0, x1, 1)"


def test_what_is_no_bias() -> None:
    assert simpler(lambda x: x[0] * x[1] + x[1] * x[2] + a, 3) == "add(dot(x0, x1, x1, x2), a)"  # no weights
    assert simpler(lambda _: a * b + b * c + d) == "add(dot(a, b, b, c), d)"  # no inputs
    assert simpler(lambda x: a * x[0] + b * x[1] + c + d, 2) == "fsum(dot(a, b, x0, x1), c, d)"
    assert simpler(lambda x: a * x[0] + b * x[1] + x[2], 3) == "add(dot(a, b, x0, x1), x2)"
    assert simpler(lambda x: a * x[0] + b * x[1] + 3.0, 2) == "add(dot(a, b, x0, x1), 3)"


# Sums and differences


def test_chains_of_additions_are_one_sum() -> None:
    assert simpler(lambda x: x[0] + x[1] + (x[2] + x[3]), 4) == "fsum(x0, x1, x2, x3)"
    assert simpler(lambda x: math.fsum(x[:2]) + math.fsum(x[2:]), 4) == "fsum(x0, x1, x2, x3)"
    assert simpler(lambda x: math.fsum(x[:2]), 2) == "add(x0, x1)"
    assert simpler(lambda x: math.fsum(x[:1]), 1) == "x0"


def test_what_is_subtracted_in_a_chain_is_subtracted_once() -> None:
    """But a difference by itself stays one: a sum of differences is no difference of two large sums."""
    assert simpler(lambda x: x[0] + x[1] - x[2] - x[3], 4) == "sub(add(x0, x1), add(x2, x3))"
    assert simpler(lambda x: x[0] - x[1] - x[2], 3) == "sub(sub(x0, x1), x2)"
    assert simpler(lambda x: (x[0] - x[1]) + (x[2] - x[3]), 4) == "add(sub(x0, x1), sub(x2, x3))"
    assert simpler(lambda x: x[0] - (x[1] + x[2]), 3) == "sub(x0, add(x1, x2))"
    assert simpler(lambda x: x[0] - (x[1] - x[2]), 3) == "sub(x0, sub(x1, x2))"


def test_products_that_are_subtracted() -> None:
    assert simpler(lambda x: x[0] + x[1] - a * x[0] - b * x[1], 2) == "sub(add(x0, x1), dot(a, b, x0, x1))"
    assert simpler(lambda x: x[0] + a * x[0] - b * x[1], 2) == "sub(add(x0, mul(a, x0)), mul(b, x1))"


# Constants


def test_constants_are_folded() -> None:
    two = Value(2.0).detach()
    assert simpler(lambda x: (two + 3.0) * x[0], 1) == "mul(5, x0)"
    assert simpler(lambda _: math.exp(two - 2.0)) == "1"
    assert simpler(lambda _: math.sumprod([two, two], [two, two])) == "8"


def test_nothing_is_done_for_zeros_and_ones() -> None:
    for fn in (
        lambda x: x[0] + 0.0,
        lambda x: 0.0 + x[0],
        lambda x: x[0] - 0.0,
        lambda x: x[0] * 1.0,
        lambda x: 1.0 * x[0],
        lambda x: x[0] + 0.0 - 0.0,
    ):
        assert simpler(fn, 1) == "x0"
    assert simpler(lambda _: Value(0.0).detach() - 0.0) == "0"


def test_what_is_subtracted_may_come_to_nothing() -> None:
    one = Value(1.0).detach()
    assert simpler(lambda x: x[0] + x[1] - one - -1.0, 2) == "add(x0, x1)"
    assert simpler(lambda x: x[0] + one - x[1] - one, 2) == "sub(add(x0, 1), add(x1, 1))"  # sums of constants stay apart


def test_what_only_looks_like_nothing() -> None:
    """0 * inf is nan, and so is inf - inf; 1 - x is not x."""
    assert simpler(lambda x: 0.0 * x[0], 1) == "mul(0, x0)"
    assert simpler(lambda x: x[0] - x[0], 1) == "sub(x0, x0)"
    assert simpler(lambda x: 0.0 - x[0], 1) == "sub(0, x0)"
    assert simpler(lambda x: 1.0 + x[0], 1) == "add(1, x0)"
    assert simpler(lambda x: x[0] * -1.0, 1) == "mul(x0, -1)"
    assert simpler(lambda x: x[0] - 1.0, 1) == "sub(x0, 1)"


def test_zeros_of_both_signs_are_two_constants() -> None:
    assert formulas(lambda x: [x[0] * 0.0, x[0] * -0.0], 1) == ["mul(x0, 0)", "mul(x0, -0)"]


def test_squares() -> None:
    for fn in (lambda x: x[0] * x[0], lambda x: x[0] ** 2, lambda x: math.pow(x[0], 2.0)):
        assert simpler(fn, 1) == "square(x0)"
    assert simpler(lambda x: x[0] ** 3, 1) == "powc(x0, 3)"


def test_a_choice_among_equals_is_none_where_another_one_checks_the_index() -> None:
    assert simpler(lambda x: math.select([x[1], x[1], x[1]], x[0]), 2) == "select(x0, x1, x1, x1)"
    both = simpler(lambda x: math.select([x[1], x[1]], x[0]) * math.select([x[1], x[2]], x[0]), 3)
    assert both == "mul(x1, select(x0, x1, x2))"
    assert simpler(lambda x: math.select([x[1], x[1], x[0]], x[0]), 2) == "select(x0, x1, x1, x0)"


# Sharing


def test_equal_nodes_are_one() -> None:
    graph = simplified(lambda x: math.exp(x[0]) * math.exp(x[0]), 1)
    assert len(graph.args) == 5  # x0, exp, square, and the constants 0 and 1

    def products(x: list[Value]) -> list[Value]:
        return [a * x[0] + b * x[1], math.sumprod([b, a], [x[1], x[0]]), math.sumprod(x, [a, b])]

    assert formulas(products, 2) == ["dot(a, b, x0, x1)", "dot(b, a, x1, x0)", "dot(a, b, x0, x1)"]
    first, second, third = simplified(products, 2).roots
    assert first == third != second


def test_what_is_used_twice_is_absorbed_by_none() -> None:
    """It would be computed twice."""

    def product(x: list[Value]) -> Any:
        p = a * x[0]
        return p + b * x[1] + math.exp(p)

    def total(x: list[Value]) -> Any:
        s = a + x[0]
        return s + b + math.exp(s)

    def difference(x: list[Value]) -> Any:
        s = x[0] - x[1]
        return s - x[0] + math.exp(s)

    assert simpler(product, 2) == "fsum(mul(a, x0), mul(b, x1), exp(mul(a, x0)))"
    assert simpler(total, 1) == "fsum(add(a, x0), b, exp(add(a, x0)))"
    assert simpler(difference, 2) == "add(sub(sub(x0, x1), x0), exp(sub(x0, x1)))"


def test_what_is_returned_is_absorbed_by_none() -> None:
    def fn(x: list[Value]) -> list[Value]:
        s, p = x[0] + x[1], x[0] * x[1]
        return [s, s + a, p, p + a * x[0]]

    assert formulas(fn, 2) == ["add(x0, x1)", "add(add(x0, x1), a)", "mul(x0, x1)", "add(mul(x0, x1), mul(a, x0))"]


def test_a_product_that_is_added_to_itself() -> None:
    assert simpler(lambda x: (p := a * x[0]) + p, 1) == "add(mul(a, x0), mul(a, x0))"


def test_repeated_factors() -> None:
    """Two equal terms count twice."""
    assert simpler(lambda x: a * x[0] + a * x[0], 1) == "dot(a, a, x0, x0)"


# What the other passes read


def test_levels_and_batched() -> None:
    graph = simplified(lambda x: [math.exp(x[0]) * math.exp(a), math.exp(math.exp(a))], 1)
    product, shared = graph.roots
    assert (graph.level[product], graph.batched[product]) == (2, True)
    assert (graph.level[shared], graph.batched[shared]) == (2, False)
    assert graph.level[: graph.leaves].tolist() == [0] * graph.leaves == [0, 0]


def test_there_are_a_zero_and_a_one() -> None:
    graph = simplified(lambda x: x[0], 1)
    assert graph.number[[graph.zero, graph.one]].tolist() == [0.0, 1.0]
    assert graph.roots == [0]


def test_arguments_come_before_what_is_made_of_them() -> None:
    graph = simplify(recorded(lambda x: math.fsum([math.exp(a * y + b) for y in x]) ** 2, 5))
    assert all((args < i).all() for i, args in enumerate(graph.args))
