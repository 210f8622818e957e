"""Allocation: what is read in a pattern is a view, what is not is gathered, and where variables and constants lie."""

from __future__ import annotations

from typing import Any

import pytest
from passes import agree, forward, planned, recorded, run, variables

from autograd import Value, math
from autograd.compiler.allocate import _distinct

w = variables(16)


def filled(fn: Any, size: int = 0) -> dict[str, dict[int, float]]:
    """The constants in each space."""
    return {space.name: space.filled for space in planned(fn, size).spaces if space.filled}


# Reading


def test_rows_in_order_are_a_slice() -> None:
    assert forward(lambda x: [math.exp(y) for y in x], 3) == ["v[0:3] = exp(x[0:3])"]


def test_every_other_row_is_a_strided_view() -> None:
    assert forward(lambda x: [math.exp(y) for y in x[::2]], 5) == ["v[0:3] = exp(x[0] as 3 by 2)"]


def test_nodes_lie_in_the_order_of_what_they_read() -> None:
    """So that the result, not the argument, is read backwards."""
    plan = planned(lambda x: [math.exp(y) for y in x[::-1]], 3)
    assert [str(view) for i in plan.forward for view in (i.out, *i.views)] == ["v[0:3]", "x[0:3]"]
    assert str(plan.roots) == "v[2] as 3 by -1"


def test_rows_in_no_pattern_are_gathered() -> None:
    assert forward(lambda x: [math.exp(x[i]) for i in (0, 1, 3)], 4) == [
        "v[3:6] = gather(x[0:4], rows=[0, 1, 3])",
        "v[0:3] = exp(v[3:6])",
    ]


def test_the_same_rows_are_gathered_once() -> None:
    def fn(x: list[Value]) -> Any:
        return math.fsum([f(x[i]) for f in (math.exp, math.sin) for i in (0, 1, 3)])

    assert sum("gather(x" in line for line in forward(fn, 4)) == 1


def test_one_number_for_all_has_stride_0() -> None:
    assert forward(lambda x: [w[0] * y for y in x], 3) == ["v[0:3] = mul(theta[0] as 3 by 0, x[0:3])"]


def test_two_loops_are_two_axes() -> None:
    """Every w by every x: nothing is copied."""
    line = forward(lambda x: [w[i] * x[j] for i in range(2) for j in range(3)], 3)[0]
    assert line == "v[0:6] as 3x2 = mul(theta[0] as 3x2 by 0,1, x[0] as 3x2 by 1,0)"


def test_rows_that_come_again_in_part_are_gathered() -> None:
    """A view that visits a row twice, as 0 1, 1 2, 2 3, is no view to write a gradient to."""
    assert not _distinct([(3, 1), (2, 1)])
    assert forward(lambda x: [math.fsum(x[i : i + 3]) for i in range(3)], 5) == [
        "v[3:12] = gather(x[0:5], rows=[0, 1, 2, 1, 2, 3, 2, 3, 4])",
        "v[0:3] = reduce:fsum(v[3:12] as 3x3)",
    ]


def test_distinct() -> None:
    assert _distinct([(3, 2), (2, 1)])
    assert _distinct([(2, 1), (3, -2)])
    assert _distinct([(5, 0), (2, 1)])
    assert not _distinct([(3, 1), (2, 2)])
    assert not _distinct([(3, 1), (2, -1)])
    assert _distinct([(3, 1), (2, 3)])


def test_repeated_weights_that_have_no_shape_in_common_are_gathered() -> None:
    """Mistake: the view of the result was gathered, too, and the products went to the copy (2e-322 instead of the sum)."""
    five = variables(5)
    rows = [[4, 0, 1, 2], [3, 4, 0, 1], [2, 3, 4, 0], [1, 2, 3, 4], [0, 1, 2, 3]]

    def fn(_: list[Value]) -> Any:
        return math.fsum([five[i] * five[j] for row in rows for i, j in zip(row, range(4), strict=True)])

    expected = sum((i + 2.0) * (j + 2.0) for row in rows for i, j in zip(row, range(4), strict=True))
    assert run(fn, [[]])[0] == expected == 280.0
    agree(fn, [[]])
    (products,) = [line for line in forward(fn) if "mul" in line]
    assert products.startswith("s[0:20] = mul(s[")


def test_sums_of_neighbours_and_of_every_other_one() -> None:
    assert forward(lambda x: [math.fsum(x[:3]), math.fsum(x[3:])], 6) == ["v[0:2] = reduce:fsum(x[0:6] as 2x3)"]
    assert forward(lambda x: [math.fsum(x[::2]), math.fsum(x[1::2])], 6) == ["v[0:2] = reduce:fsum(x[0] as 2x3 by 1,2)"]
    assert forward(lambda x: [math.fsum(x[:3]), math.fsum(x[3:])], 7) == ["v[0:2] = segments:fsum(x[0:7], starts=[0, 3])"]


def test_sums_whose_beginnings_are_in_two_loops() -> None:
    """0, 3, 10 and 13: no stride, but no copy either."""
    lines = forward(lambda x: [math.fsum(x[i : i + 3]) for i in (0, 3, 10, 13)], 16)
    assert lines == ["v[0:4] as 2x2 = reduce:fsum(x[0] as 2x2x3 by 10,3,1)"]


def test_logsumexp_is_shifted_by_the_largest() -> None:
    assert forward(lambda x: [math.logsumexp(x[:2]), math.logsumexp(x[2:])], 4) == [
        "v[0:2] = peak(x[0:4] as 2x2)",
        "v[2:6] as 2x2 = sub(x[0:4] as 2x2, v[0] as 2x2 by 1,0)",
        "v[6:10] as 2x2 = exp(v[2:6] as 2x2)",
        "v[10:12] = reduce:fsum(v[6:10] as 2x2)",
        "v[12:14] = log(v[10:12])",
        "v[14:16] = add(v[12:14], v[0:2])",
    ]
    assert forward(lambda x: [math.logsumexp(x[:2]), math.logsumexp(x[2:])], 5)[:3] == [
        "v[0:2] = peaks(x[0:5], starts=[0, 2])",
        "v[7:12] = gather(v[0:12], rows=[0, 0, 1, 1, 1])",
        "v[2:7] = sub(x[0:5], v[7:12])",
    ]


# Where numbers lie


def test_theta_is_in_the_order_in_which_it_is_read() -> None:
    """Weights first, row by row, then the biases: all of them are read in a slice."""

    def fn(x: list[Value]) -> list[Value]:
        return [w[2] + w[0] * x[0] + w[1] * x[1], w[5] + w[3] * x[0] + w[4] * x[1]]

    assert forward(fn, 2) == ["v[0:2] as 1x2x1 = product(theta[0:4] as 1x2x2, x[0:2] as 1x2x1, theta[4:6] as 1x2)"]


def test_theta_is_in_the_order_that_is_given() -> None:
    """As nn.Neuron has them, weights and then the bias: then the weights of all neurons have a stride of 3."""

    def fn(x: list[Value]) -> list[Value]:
        return [w[0] * x[0] + w[1] * x[1] + w[2], w[3] * x[0] + w[4] * x[1] + w[5]]

    order = [recorded(fn, 2).variables.index(v) for v in w[:6]]
    assert forward(fn, 2, order) == [
        "v[0:2] as 1x2x1 = product(theta[0] as 1x2x2 by 0,3,1, x[0:2] as 1x2x1, theta[2] as 1x2 by 0,3)"
    ]
    assert planned(fn, 2, order).parameters == tuple(order)


def test_parameters_that_the_function_does_not_use_have_a_place() -> None:
    """-1 in the order of theta; and those that were not given come after."""
    plan = planned(lambda x: [w[0] * x[0], w[1]], 1, [-1, 1, -1])
    assert plan.parameters == (-1, 1, -1, 0)
    assert plan.theta.size == 4


def test_a_variable_that_is_only_returned_is_in_theta() -> None:
    plan = planned(lambda _: w[0])
    assert (plan.forward, str(plan.roots), plan.parameters) == ((), "theta[0:1]", (0,))


def test_results_that_are_inputs_are_read_where_they_are() -> None:
    plan = planned(lambda x: [x[1], x[0]], 2)
    assert (plan.forward, str(plan.roots)) == ((), "x[1] as 2 by -1")


def test_results_from_everywhere_are_moved_together() -> None:
    assert forward(lambda x: [x[1], x[0], w[0], x[1]], 2) == [
        "v[0:1] = move(theta[0:1])",
        "v[1:3] = move(x[0:2])",
        "v[3:7] = gather(v[0:7], rows=[2, 1, 0, 2])",
    ]


def test_what_lies_in_several_spaces_is_moved_into_one() -> None:
    assert forward(lambda x: [math.fsum([w[0], w[1], x[0]])], 1) == [
        "v[0:2] = move(theta[0:2])",
        "v[2:3] = move(x[0:1])",
        "v[3:4] = reduce:fsum(v[0:3] as 1x3)",
    ]


def test_what_was_moved_once_is_read_where_it_is() -> None:
    lines = forward(lambda x: [math.fsum([w[0], w[1], x[0]]), math.logsumexp([w[0], x[0], w[1]])], 1)
    assert sum("move(theta" in line for line in lines) == 1
    assert sum("move(x" in line for line in lines) == 1


def test_a_constant_is_a_number_in_the_instruction() -> None:
    plan = planned(lambda x: [y * 2.0 for y in x], 2)
    assert [str(i) for i in plan.forward] == ["v[0:2] = mul(x[0:2], 2.0)"]


def test_constants_that_differ_have_rows() -> None:
    assert forward(lambda x: [x[0] * 2.0, x[1] * 3.0], 2) == ["v[0:2] = mul(x[0:2], constants[0:2])"]
    assert filled(lambda x: [x[0] * 2.0, x[1] * 3.0], 2) == {"constants": {0: 2.0, 1: 3.0}}


def test_a_constant_among_others_is_there_from_the_start() -> None:
    assert filled(lambda x: math.fsum([x[0], x[1], 7.0]), 2)["v"] == {0: 7.0}
    assert forward(lambda x: math.fsum([x[0], x[1], 7.0]), 2)[0] == "v[1:3] = move(x[0:2])"


def test_a_layer_after_a_layer_multiplies_a_row_of_ones() -> None:
    """Below the first one's results: (w | b) (h, 1)."""

    def fn(x: list[Value]) -> list[Value]:
        h = [math.tanh(math.sumprod(w[2 * i : 2 * i + 2], x) + w[12 + i]) for i in range(2)]
        return [math.sumprod(w[4 + 2 * i : 6 + 2 * i], h) + w[14 + i] for i in range(2)]

    assert forward(fn, 2) == [
        "v[0:2] as 1x2x1 = product(theta[0:4] as 1x2x2, x[0:2] as 1x2x1, theta[4:6] as 1x2)",
        "v[2:4] = tanh(v[0:2])",
        "v[5:7] as 1x2x1 = product(theta[6:12] as 1x2x3, v[2:5] as 1x3x1)",
    ]
    assert filled(fn, 2)["v"] == {4: 1.0}


def test_layers_at_several_positions_have_a_row_of_ones_for_each() -> None:
    """In whatever order the nodes were made: here the first neuron at all positions, then the other."""

    def fn(x: list[Value]) -> list[Value]:
        h = [[math.tanh(math.sumprod(w[2 * i : 2 * i + 2], p) + w[12 + i]) for p in (x[:2], x[2:])] for i in range(2)]
        out = [math.sumprod(w[4 + 2 * i : 6 + 2 * i], [h[0][p], h[1][p]]) + w[14 + i] for i in range(2) for p in range(2)]
        return [math.fsum(h[0]), math.fsum(h[1]), *out]

    (product,) = [line for line in forward(fn, 4) if "1x2x3" in line]
    assert product.endswith("product(theta[6:12] as 1x2x3, v[8:14] as 1x3x2)")
    assert filled(fn, 4)["v"] == {12: 1.0, 13: 1.0}


def test_a_wide_layer_of_inputs_is_worth_a_copy_with_ones() -> None:
    """Two inputs, four rows: the copy costs less than adding the biases; with four inputs it does not."""
    biases = variables(4)

    def fn(x: list[Value]) -> list[Value]:
        n = len(x)
        return [math.sumprod(w[n * i : n * i + n], x) + bias for i, bias in enumerate(biases)]

    assert forward(fn, 2) == [
        "v[0:2] as 1x2x1 = move(x[0:2] as 1x2x1)",
        "v[3:7] as 1x4x1 = product(theta[0:12] as 1x4x3, v[0:3] as 1x3x1)",
    ]
    assert filled(fn, 2)["v"] == {2: 1.0}
    assert len(forward(fn, 4)) == 1


def test_a_layer_of_some_results_of_a_layer() -> None:
    """Those in a pattern are read where they are, without a row of ones below; others are gathered above one."""
    first = variables(4)

    def layer_of(which: list[int]) -> Any:
        def fn(x: list[Value]) -> list[Value]:
            h = [math.tanh(first[i] * x[0]) for i in range(4)]
            return [*h, *[math.sumprod(w[3 * i : 3 * i + len(which)], [h[k] for k in which]) + w[12 + i] for i in range(4)]]

        return fn

    (product,) = [line for line in forward(layer_of([0, 1]), 1) if "product" in line]
    assert ", v[4:6] as 1x2x1, theta[" in product
    lines = [line for line in forward(layer_of([0, 1, 3]), 1) if "product" in line or "gather(v[0:12], rows=[4, 5, 7])" in line]
    assert [line.split(" = ")[0] for line in lines] == ["v[8:11]", "v[12:16] as 1x4x1"]
    assert lines[1].endswith(", v[8:12] as 1x4x1)")
    agree(layer_of([0, 1, 3]), [[0.5], [1.0]], None)


def test_the_copy_with_ones_is_made_once() -> None:
    """Though the second layer of the same inputs comes later, as its weights are computed."""
    weights, biases = variables(16), variables(8)

    def fn(x: list[Value]) -> list[Value]:
        one = [math.sumprod(weights[2 * i : 2 * i + 2], x) + biases[i] for i in range(4)]
        two = [math.sumprod([math.exp(v) for v in weights[8 + 2 * i : 10 + 2 * i]], x) + biases[4 + i] for i in range(4)]
        return [*one, *two]

    assert sum("move(x" in line for line in forward(fn, 2)) == 1


def test_lone_products_are_a_stack() -> None:
    assert forward(lambda x: [w[0] * x[0] + w[1] * x[1], w[2] * x[2] + w[3] * x[3]], 4) == [
        "v[0:2] as 2x1x1 = product(theta[0:4] as 2x1x2, x[0:4] as 2x2x1)"
    ]


def test_columns_of_examples_lie_side_by_side() -> None:
    """A product's columns and the examples are one axis, so columns of inputs, of which there are several, are gathered."""
    lines = forward(lambda x: [math.sumprod(w[2 * i : 2 * i + 2], x[2 * j : 2 * j + 2]) for i in (0, 1) for j in (0, 1)], 4)
    assert lines[:2] == [
        "v[4:8] = gather(x[0:4], rows=[0, 2, 1, 3])",
        "v[0:4] as 1x2x2 = product(theta[0:4] as 1x2x2, v[4:8] as 1x2x2)",
    ]


def test_causal_attention_ends_in_zeros() -> None:
    """And gives up where an infinity would meet one of them."""

    def fn(x: list[Value]) -> list[Value]:
        weights, values = [x[0:1], x[1:3]], [x[3:5], x[5:7]]
        return [math.sumprod(row, column[: len(row)]) for row in weights for column in values]

    lines = forward(fn, 7)
    assert lines[-1].endswith("finite=x[3:7] as 1x2x2)")
    assert sum("pairwise" in line for line in lines) == 1


def test_whole_products_of_inputs_need_not_be_finite() -> None:
    def fn(x: list[Value]) -> list[Value]:
        return [math.sumprod(x[2 * i : 2 * i + 2], x[4 + 2 * j : 6 + 2 * j]) for i in range(2) for j in range(2)]

    assert forward(fn, 8) == ["v[0:4] as 1x2x2 = pairwise(x[0:4] as 1x2x2, x[4:8] as 1x2x2.T)"]


def test_squares_and_products_that_are_summed() -> None:
    assert forward(lambda x: math.sumprod(x, x), 2) == ["v[0:2] = square(x[0:2])", "v[2:3] = reduce:fsum(v[0:2] as 1x2)"]
    assert forward(lambda x: math.sumprod(x[:2], x[2:]), 4)[0] == "v[0:2] = mul(x[0:2], x[2:4])"


def test_columns_of_a_table() -> None:
    def fn(x: list[Value]) -> list[Value]:
        return [math.select(w[:3], x[0]), math.select(w[3:6], x[0])]

    assert forward(fn, 1) == ["v[0:2] as 2x1 = take(theta[0:6] as 2x3, x[0:1])"]
    assert forward(lambda x: [math.select(x[1:3], x[0])], 3) == ["v[0:1] = pick(x[1:3] as 1x2, x[0:1])"]


@pytest.mark.parametrize("rows", [[0, 1, 3], [2, 1, 0], [0, 0, 1], [1, 3, 5, 0, 2, 4]])
def test_whatever_is_read_in_whatever_order(rows: list[int]) -> None:
    x = [1.0, 2.0, 3.0, 5.0, 7.0, 11.0]
    assert run(lambda x: [x[i] * x[i] + x[rows[0]] for i in rows], [x], None) == [[x[i] ** 2 + x[rows[0]] for i in rows]]
