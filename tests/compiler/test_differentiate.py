"""Differentiating: what is written first and added later, what is not computed at all, and the transpose of each kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from passes import agree, backward, differentiated, forward, planned, run, variables

from autograd import Value, math, ops
from autograd.compiler.cotangents import Cotangents, Term
from autograd.compiler.views import Space

w = a, b, c, d = variables(4)
e = variables(9)
ROWS = [[1.0, 0.5, -2.0, 3.0], [0.0, 2.0, 1.0, -1.0], [2.0, 2.0, 0.25, 1.5]]
"""Examples."""


def kinds(lines: list[str]) -> list[str]:
    """The kinds, or rows of the table, of instructions as texts."""
    return [line.split(" = ")[1].split("(")[0] for line in lines]


# What is computed


def test_no_gradient_by_inputs() -> None:
    """Though w * x has a partial derivative by x."""
    assert backward(lambda x: a * x[0], 1) == [
        "d_v[0:1] = seed()",
        "t[0:1] = mul(d_v[0:1], x[0:1])",
        "d_theta[0:1] = sum(t[0:1], over_batch)",
    ]


def test_nothing_where_there_is_nothing_to_differentiate_by() -> None:
    assert backward(lambda x: math.exp(x[0]) * x[1], 2) == []
    assert backward(lambda x: math.exp(x[0]) * a, 1, trained=0) == []


def test_what_no_variable_is_in_is_passed_by() -> None:
    """No derivative of exp."""
    assert kinds(backward(lambda x: a * math.exp(math.exp(x[0])), 1)) == ["seed", "mul", "sum"]


def test_frozen_parameters() -> None:
    """Theta begins with the two that are trained; the third has no cotangent."""

    def fn(x: list[Value]) -> Any:
        return a * b * math.exp(c * x[0])

    spaces = [i.out.space.name for i in differentiated(fn, 1, trained=2)]
    rows = [row for i in differentiated(fn, 1, trained=2) if i.out.space.name == "d_theta" for row in i.out.rows]
    assert sorted(rows) == [0, 1]
    assert spaces.count("d_theta") == 2


def test_a_parameter_that_makes_no_difference_has_the_gradient_0() -> None:
    assert backward(lambda x: a.detach() * x[0], 1) == ["d_theta[0:1] = fill(0.0)"]
    assert run(lambda x: a.detach() * x[0] + b, [[5.0], [7.0]]) == (2.0 * 12 + 2 * 3.0, {a: 0.0, b: 2.0})


def test_comparisons_hand_nothing_on() -> None:
    def fn(x: list[Value]) -> Any:
        return math.where(a * x[0] < b, a * x[0], b * x[0])

    agree(fn, [[1.0], [2.0], [-3.0]])
    assert run(fn, [[1.0], [2.0]]) == (2.0 + 6.0, {a: 1.0, b: 2.0})


# What is written, and what is added


def test_the_first_contribution_writes_and_later_ones_add() -> None:
    """Nothing is zeroed; and the gradient of a sum of two stands for those of its terms."""
    assert backward(lambda _: a * b + math.exp(a)) == [
        "d_s[2:3] = seed()",
        "d_theta[0:1] = mul(d_s[2:3], s[1:2])",
        "u[0:1] = mul(d_s[2:3], theta[1:2])",
        "d_theta[0:1] = add(d_theta[0:1], u[0:1])",
        "d_theta[1:2] = mul(d_s[2:3], theta[0:1])",
    ]


def test_what_is_written_in_part_is_zeroed_in_the_other_part_only() -> None:
    """The sum of two hands on to b and c, then that of three to all."""

    def fn(_: list[Value]) -> Any:
        return math.fsum([a, b, c]) * math.fsum([b, c])

    agree(fn, [[]])
    assert backward(fn)[3:] == [
        "d_theta[1:2] = move(d_s[1:2])",
        "d_theta[2:3] = move(d_s[1:2])",
        "d_theta[0:1] = fill(0.0)",
        "u[0:3] as 1x3 = move(d_s[0] as 1x3 by 0,0)",
        "d_theta[0:3] as 1x3 = add(d_theta[0:3] as 1x3, u[0:3] as 1x3)",
    ]


def test_a_gradient_that_is_handed_on_as_it_is_stands_for_the_other() -> None:
    """Of a sum of one read: no copy is made, and exp's derivative reads the cotangent of the sum."""
    lines = backward(lambda x: math.exp(a * x[0]) + x[1], 2)
    assert lines[1] == "d_v[0:1] = mul(d_v[2:3], v[1:2])"


def test_what_is_read_twice_has_a_cotangent_of_its_own() -> None:
    def fn(x: list[Value]) -> Any:
        h = math.exp(a * x[0])
        return (h + x[1]) * (h + b)

    agree(fn, ROWS)
    agree(lambda x: (h := math.exp(a * x[0])) + h, ROWS)
    agree(lambda x: (h := math.exp(a * x[0])) - h * x[1] + h, ROWS)


def test_minus_is_handed_on_as_a_subtraction() -> None:
    assert backward(lambda x: x[0] - math.exp(a * x[1]), 2)[1] == "d_v[1:2] = neg(d_v[2:3])"
    agree(lambda x: (h := math.exp(a * x[0])) * x[1] - h, ROWS)


def test_derivatives_that_are_known_already_are_not_computed_again() -> None:
    """Exp is its own derivative; that of the square root needs the square root."""
    assert "exp" not in kinds(backward(lambda x: math.exp(a * x[0]), 1))
    assert "sqrt" not in kinds(backward(lambda x: math.sqrt(a * x[0]), 1))


def test_the_slope_of_relu_is_the_sign_of_what_it_gave() -> None:
    lines = backward(lambda x: math.relu(a * x[0]), 1)
    assert lines[1:3] == ["t[0:1] = sign(v[1:2])", "d_v[0:1] = mul(d_v[1:2], t[0:1])"]
    agree(lambda x: math.relu(a * x[0]), ROWS)


def test_terms() -> None:
    """Products by 1 and choices that are known are no operations; others are, each emitted once, when it is needed."""
    space = Space("v", batched=True, size=1)
    sweep = Cotangents([], [space], space, space.all_rows)
    before = len(sweep.instructions)
    term = Term(sweep, space.all_rows)
    assert term * 1.0 is term
    assert 1.0 * term is term
    assert ops.where(1.0, term, 2.0) is term
    assert ops.where(0.0, 2.0, term) is term
    made = [term * 2.0, 2.0 * term, term + 1.0, 1.0 - term, term / 1.0, -term, abs(term), term < 1.0, term >= 1.0, 1.0 / term]
    made += [1.0 + term, term - 1.0, term <= 1.0, term > 1.0]
    assert len(sweep.instructions) == before
    for one in made:
        assert one.view is one.view
    names = [str(i).split(" = ")[1].replace("v[0:1]", "z") for i in sweep.instructions[before:]]
    assert names == [
        "mul(z, 2.0)", "mul(2.0, z)", "add(z, 1.0)", "sub(1.0, z)", "div(z, 1.0)", "neg(z)", "abs(z)", "less(z, 1.0)",
        "less_equal(1.0, z)", "div(1.0, z)", "add(1.0, z)", "sub(z, 1.0)", "less_equal(z, 1.0)", "less(1.0, z)",
    ]  # fmt: skip


def test_a_sum_over_examples_and_over_what_was_spread() -> None:
    """One a for all numbers of all examples."""
    lines = backward(lambda x: math.fsum([math.exp(a * y) for y in x]), 3)
    assert lines[-1] == "d_theta[0:1] = sum(t[0:3], axes=(0,), over_batch)"
    agree(lambda x: math.fsum([math.exp(a * y) for y in x]), ROWS)


def test_scratch_rooms_are_used_again() -> None:
    """By each instruction that hands on its cotangent: the space is as large as the most that one of them needs."""
    plan = planned(lambda x: math.tanh(math.tanh(math.tanh(a * x[0]))), 1, reduction="sum")
    assert {space.name: space.size for space in plan.spaces}["t"] == 2


# The transpose of each kind, against plain code


TRANSPOSES: dict[str, Any] = {
    "map": lambda x: math.tanh(a * x[0] - b) / (math.exp(c) + x[1] * x[1]),
    "move": lambda x: math.fsum([a, b, a * x[0], x[1]]) ** 2,
    "reduce": lambda x: math.fsum([a * x[0], b * x[1], math.fsum([math.exp(w[i] * x[3]) for i in range(4)])]) ** 3,
    "hypot": lambda x: math.hypot(a * x[0], b, c * x[1]),
    "segments": lambda x: math.fsum([a * x[0], x[1], b * x[2]]) * math.fsum([c * x[2], d * x[3]]),
    "segments:hypot": lambda x: math.hypot(a, x[0], b * x[1]) * math.hypot(c, d * x[2]),
    "reduce:logsumexp": lambda x: math.logsumexp([a * x[0], b * x[1]]) * math.logsumexp([c, d * x[2]]),
    "segments:logsumexp": lambda x: math.logsumexp([a * x[0], b * x[1], a]) * math.logsumexp([c, d * x[2]]),
    "product": lambda x: math.fsum(math.tanh(math.sumprod(e[3 * i : 3 * i + 3], x[:3]) + w[i]) for i in range(3)),
    "product of shared": lambda x: x[0] * math.fsum(
        math.exp(0.1 * (e[i] * e[j] + e[i + 1] * e[j + 1])) for i in (0, 2) for j in (4, 6)
    ),
    "pairwise": lambda x: math.fsum(
        math.tanh(math.sumprod([a * x[i], b * x[i]], [c * x[j], d * x[j]])) for i in (0, 1) for j in (2, 3)
    ),
    "causal": lambda x: math.fsum(
        math.tanh(math.sumprod([e[n] * y for y in x[:n]], [v * y for y in x[:n]])) for n in (1, 2, 3) for v in (a, b)
    ),
    "gather": lambda x: math.fsum(math.exp(e[i] * x[0]) for i in (0, 1, 3, 1, 0, 0)),
    "gather what is spread": lambda x: math.fsum(
        [math.exp(a * x[0]), math.exp(b * x[1])][k] - y for k, y in zip((0, 1, 0), x, strict=False)
    ),
    "gather evenly": lambda x: math.fsum(math.exp(e[i] * y) for y, i in zip(x, (5, 0, 5, 0), strict=True)),
    "scatter": lambda x: math.fsum(math.exp(e[i] * x[0]) for i in (0, 1, 3, 8)) + math.fsum(e) + e[5] * x[1],
    "dots": lambda x: math.sumprod([a * y for y in x], [math.exp(b * y) for y in x]),
    "ragged": lambda x: math.sumprod([a * x[0], b], [x[1], c * x[2]]) * math.sumprod([d * y for y in x[:3]], [a, b, x[3]]),
    "take": lambda x: math.select(w, x[1] + 1.0) * x[0] + math.select([math.exp(v) for v in w], x[1] + 1.0),
    "take from what stays": lambda x: math.select([v.detach() for v in e[:5]], x[1] + a) * b,
    "pick": lambda x: math.select([v * x[0] for v in w], x[1] + 1.0) * math.select([a, x[0]], x[1] * 0.0),
    "shared pick": lambda x: math.select([math.exp(a), b], x[1] * 0.0) * math.select([c, d, a * b, a], x[1] + 1.0),
    "detach": lambda x: (a * x[0]).detach() * b * x[1],
    "first powers": lambda x: math.exp(b) * math.pow(a * x[0], 1.0),
    "powers": lambda x: (math.exp(a * x[0])) ** b + a**2 * x[1] ** 3,
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSPOSES)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_gradient_is_that_of_plain_code(name: str, reduction: str) -> None:
    examples = [[1.0, 0.0, -2.0, 3.0], [0.5, 1.0, 0.5, -1.0], [2.0, 2.0, 0.25, 1.5], [0.1, 0.0, 0.2, 0.3]]
    agree(TRANSPOSES[name], examples, reduction)
    agree(TRANSPOSES[name], examples[:1], reduction)


def test_of_each_kind_there_is_one_among_them() -> None:
    lines = [line for fn in TRANSPOSES.values() for line in [*forward(fn, 4), *backward(fn, 4)]]
    found = {kind.split(":")[0] for kind in kinds(lines)}
    assert found >= {
        "move", "reduce", "peak", "segments", "product", "pairwise", "gather", "take", "pick", "sum", "fill", "put", "place",
    }  # fmt: skip


def test_a_product_by_weights_hands_on_two_products() -> None:
    lines = backward(lambda x: math.fsum([math.exp(a * x[0] + b * x[1]), math.exp(c * x[0] + d * x[1])]), 2)
    assert lines[-1] == "d_theta[0:4] as 1x2x2 = product(d_v[0:2] as 1x2x1, x[0:2] as 1x2x1.T)"
    assert sum("product" in line for line in lines) == 1  # none by x


def test_a_bias_gets_the_gradient_of_its_row() -> None:
    lines = backward(lambda x: math.fsum([math.exp(a * x[0] + b * x[1] + e[7]), math.exp(c * x[0] + d * x[1] + e[8])]), 2)
    assert "d_theta[4:6] = sum(d_v[0:2], over_batch)" in lines


def test_gradients_that_are_infinite_or_nan_are_where_plain_code_has_them() -> None:
    big, zero = Value(1e200), Value(0.0)
    agree(lambda x: math.sqrt(zero * x[0]) + math.exp(big * x[1]), [[1.0, 0.0], [0.0, -1.0]])
    agree(lambda x: big * big * x[0] + a, [[1.0], [2.0]])


def test_a_product_with_an_unwanted_item_and_an_infinity() -> None:
    """Mistake: the cotangent 0 of an item that nobody wants met an infinite factor, and the gradient was nan."""
    infinite, v = Value(np.inf), [Value(1.0), Value(2.0), Value(3.0)]

    def fn(_: list[Value]) -> Any:
        rows, columns = [[infinite, v[0]], [v[1], v[2]]], [[v[0], v[1]], [v[2], v[0]]]
        return math.fsum([math.sumprod(rows[i], columns[j]) for i, j in ((0, 0), (1, 0), (1, 1))])

    agree(fn, [[]])
    assert any("finite" in line for line in backward(fn))
