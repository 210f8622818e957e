"""The source of programs: what its lines are, and the functions that they call."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from passes import agree, planned, program, run, variables

import nn
from autograd import Value, math, ops
from autograd.compiler.executors.runtime import check, index, view
from autograd.compiler.executors.slices import expression
from autograd.compiler.formula import Spelled, literal
from autograd.compiler.plan import NotFiniteError
from autograd.compiler.views import Space, View

w = a, b, c, d = variables(4)


def lines(fn: Any, size: int = 0, reduction: str | None = "sum", **more: Any) -> list[str]:
    """The lines of the source, without what they are indented by."""
    return [line.strip() for line in program(fn, size, reduction, **more).source.splitlines()]


# The text


def test_a_choice_that_is_known_takes_its_side() -> None:
    """Whatever the other side is."""
    one, other = Spelled("one"), Spelled("other")
    assert ops.where(1.0, one, other) is one
    assert ops.where(0.0, one, other) is other
    assert ops.where(1.0, 0.0, other) == 0.0


def test_a_network_of_two_layers_reads_like_one_by_hand() -> None:
    model = nn.MLP(2, [3, 1], "tanh", rng=0)
    source = program(lambda x: (model(x[:2]) - x[2]) ** 2, 3, "mean").source
    made, step = source.split("\n\n\n")
    assert "np.empty" in made
    assert "h1 = v[0:3]" in made.splitlines()
    assert step.startswith("def step(theta, x, differentiate=True):\n")
    before, after = step.split("    if not differentiate:\n        return result\n")
    for line in (
        "np.dot(W_layers_0, x1, out=h1)  # (3, 2) @ (2, B)",
        "np.add(h1, b_layers_0, out=h1)",
        "np.tanh(h1, out=h2)",
        "np.dot(W_layers_1_neurons_0, h2_2, out=h3)  # (1, 4) @ (4, B)",
    ):
        assert f"    {line}\n" in before
    assert "h2_2 = v[3:7]  # h2, and ones" in made.splitlines()
    assert "    W_layers_0 = theta[0:6].reshape(3, 2)\n" in before
    assert "    result = float(np.dot(h5[0], ones)) / B\n" in before
    assert after.count("dot(") == 4  # by W2 and its bias, by h, by b1, by W1
    assert after.endswith("    return result, d_theta\n")
    assert not re.search("np.take|view|rows|zeros", source)


def test_cotangents_are_called_after_results_and_slopes_after_parameters() -> None:
    """The cotangent of h3 is g3, that of W_layers_0 is d_W_layers_0; without labels, parameters are counted."""
    model = nn.MLP(2, [3], "tanh", rng=0)
    found = lines(lambda x: math.fsum(model(x)) ** 2, 2)
    assert {line.split(" = ")[0] for line in found if " = d_theta[" in line} == {"d_W_layers_0", "d_b_layers_0"}
    assert "np.dot(g1, x1.T, out=d_W_layers_0)  # (3, B) @ (B, 2)" in found
    for p in model.parameters():
        p.label = ""
    assert "d_W1" in str([line for line in lines(lambda x: math.fsum(model(x)) ** 2, 2) if " = d_theta[" in line])


def test_labels_that_programs_have_use_for_get_a_letter() -> None:
    """And two parameters of one label get numbers."""
    one, other, named_np = Value(1.0, label="v"), Value(2.0, label="v"), Value(2.0, label="np")
    found = lines(lambda x: math.exp(one * x[0]) * math.sin(other * x[0]) * named_np, 1, parameters=())
    assert run(lambda x: math.exp(one * x[0]) * math.sin(other * x[0]) * named_np, [[1.0]])[0] == pytest.approx(
        2.0 * math.exp(1.0) * math.sin(2.0)
    )
    assert not any(line.startswith(("v = theta", "np = theta")) for line in found)


@pytest.mark.parametrize("label", ["d_theta", "d_v", "d_s", "d theta"])
def test_labels_that_are_names_of_spaces_get_a_number(label: str) -> None:
    """Mistake: the array of the gradient, or of cotangents, replaced the parameter that was called like it."""
    w = [Value(0.5 * i - 1.25, label=label) for i in range(3)]
    agree(lambda x: math.sin(w[0]) * x[0], [[2.0]])

    def gathered(x: Any) -> Any:
        a, b, c = [math.exp(wi * x[0]) for wi in w]
        return math.select([a * b, c, b], x[1]) * w[0] + math.tanh(c * w[1]) * math.sin(a)

    agree(gathered, [[1.0, 2.0], [-0.5, 0.0]])


@pytest.mark.parametrize(
    ("label", "name"), [("größe", "größe"), ("2nd", "b_2nd"), ("½", "b_1_2"), ("µ", "μ"), ("lambda", "b_lambda")]
)
def test_labels_in_any_letters_are_names(label: str, name: str) -> None:
    """As Python normalizes them, and with a letter in front where they are no identifiers."""
    weight = Value(0.5, label=label)
    assert f"{name} = theta[0:1][..., None]" in lines(lambda x: math.sin(weight * x[0]) + x[0], 1)
    agree(lambda x: math.sin(weight * x[0]) + x[0], [[2.0], [1.0]])


def test_long_labels_are_cut() -> None:
    """Mistake: each line of a source repeated labels of thousands of characters."""
    one, other = Value(0.5, label="a" * 5_000), Value(2.0, label="a" * 5_000 + "b")
    assert "a" * 50 in program(lambda x: math.sin(one) * x[0], 1).source
    assert len(program(lambda x: math.sin(one) * x[0] + math.cos(other) * x[0], 1).source) < 5_000
    agree(lambda x: math.sin(one) * x[0] + math.cos(other) * x[0], [[2.0]])


def test_without_a_gradient_nothing_of_it_is_there() -> None:
    source = program(lambda x: [math.exp(a * x[0])], 1, None).source
    assert "d_" not in source
    assert source.endswith("    return h2.T.copy()\n")


def test_the_source_is_the_same_in_every_process() -> None:
    """With another seed of hashes."""
    code = (
        "from passes import *; w = variables(6)\n"
        "def fn(x):\n"
        "    h = [math.tanh(w[0] * y + w[1]) for y in x] + [math.exp(w[2]), math.hypot(x[0], w[3], w[4])]\n"
        "    return math.logsumexp(h) * math.fsum([h[0], h[2], w[5], 2.0]) + math.select(w, x[1])\n"
        "print(program(fn, 3).source)"
    )
    here = Path(__file__)
    sources = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=here.parent,
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(here.parents[2])},
        ).stdout
        for seed in (1, 2)
    }
    assert len(sources) == 1


def test_numbers_that_have_no_literal() -> None:
    assert [literal(number) for number in (0.1, -2.0, math.inf, -math.inf, math.nan)] == [
        "0.1",
        "-2.0",
        "np.inf",
        "-np.inf",
        "np.nan",
    ]
    assert run(lambda x: [x[0] + math.inf, x[0] * -math.inf], [[1.0], [-1.0]], None) == [
        [math.inf, -math.inf],
        [math.inf, math.inf],
    ]
    assert np.isnan(run(lambda x: [x[0] - math.nan], [[1.0]], None)).all()


def test_results_of_each_example_and_results_of_all() -> None:
    assert "return h1.T.copy()" in lines(lambda x: [a * x[0]], 1, None)
    assert "return np.tile(s1, (B, 1))" in lines(lambda _: [a * b], 0, None)
    assert run(lambda _: [a * b, a], [[], [], []], None) == [[6.0, 2.0]] * 3


@pytest.mark.parametrize(
    ("reduction", "size", "result", "seed"),
    [
        ("sum", 1, "result = float(np.dot(h1[0], ones))", "seed = 1.0"),
        ("mean", 1, "result = float(np.dot(h1[0], ones)) / B", "seed = 1.0 / B"),
    ],
)
def test_reductions(reduction: str, size: int, result: str, seed: str) -> None:
    found = lines(lambda x: a * x[0], size, reduction)
    assert result in found
    assert seed in found


def test_reductions_of_what_all_examples_share() -> None:
    """Its sum is so many times what it is, if there are examples; its mean is what it is."""

    def fn(_: Any) -> Any:
        return a * b

    assert run(fn, [[1.0], [1.0], [1.0]]) == (18.0, {a: 9.0, b: 6.0})
    assert run(fn, [[1.0], [1.0], [1.0]], "mean") == (6.0, {a: 3.0, b: 2.0})
    assert run(fn, [[]]) == (6.0, {a: 3.0, b: 2.0})


def test_a_result_that_is_a_variable() -> None:
    """Mistake: the gradient had no name."""
    assert run(lambda _: a, [[1.0], [1.0]]) == (4.0, {a: 2.0})
    assert run(lambda _: a, [[1.0], [1.0]], "mean") == (2.0, {a: 1.0})


def test_a_result_that_is_an_input() -> None:
    assert run(lambda x: x[1], [[1.0, 2.0], [3.0, 4.0]]) == (6.0, {})
    assert run(lambda x: [x[1], x[0], x[1]], [[1.0, 2.0]], None) == [[2.0, 1.0, 2.0]]


def test_gradients_of_the_first_parameters_only() -> None:
    source = program(lambda x: a * b * x[0], 1, parameters=[1], frozen=True).source
    assert source.endswith("    return result, d_theta[:1].copy()\n")


def test_single_precision() -> None:
    """Everywhere: also the largest number, to which infinite peaks are cut."""
    found = program(lambda x: math.logsumexp([a * x[0], x[1]]), 2, dtype="float32").source
    assert "float64" not in found
    assert repr(float(np.finfo(np.float32).max)) in found


def test_buffers_hold_their_constants_from_the_start() -> None:
    found = lines(lambda x: math.fsum([x[0], x[1], 7.0]), 2)
    assert "v[filled_v] = numbers_v[:, None]" in found
    assert run(lambda x: math.fsum([x[0], x[1], 7.0]), [[1.0, 2.0], [3.0, 4.0]], "sum")[0] == 24.0


def test_only_what_is_needed_is_made() -> None:
    source = program(lambda x: [x[0] + x[1]], 2, None).source
    assert not re.search(r"\b(seed|ones|dot|theta = |constants|s =)\b", source)
    source = program(lambda x: [math.exp(y) for some in (x, w) for y in (some[0], some[1], some[3])], 4, None).source
    assert not re.search(r"\b(theta|x) = np.empty", source)


def test_products_by_one_number() -> None:
    """Mistake: np.dot takes inf * 0 to be 0 where a column meets a single number, as in the gradient by a and b here."""
    big = Value(math.inf)
    agree(lambda x: math.sumprod([big, c], [math.exp(a * x[0]), math.exp(b * x[0])]) * x[1], [[1.0, 0.0]])
    agree(lambda x: math.sumprod([big, c, c], [math.exp(a * x[0]), math.exp(b * x[0]), x[0]]) * x[1], [[1.0, 0.0]])
    agree(lambda x: math.sumprod([a, b, c], x[:3]) * x[3], [[math.inf, 1.0, 1.0, 0.0]])
    agree(lambda x: math.sumprod([big, c], [math.exp(a * x[0]), math.exp(b * x[0])]) * x[1], [[1.0, 0.0], [1.0, 1.0]])
    agree(lambda x: math.exp(big * x[0] + b * x[1]) * 0.0 + big * x[0] + c, [[0.0, 1.0]])


@pytest.mark.parametrize(
    "numbers", [[math.inf, 1.0], [-math.inf, 1.0], [-math.inf, -math.inf], [math.inf, -math.inf], [1e308, 1e308]]
)
def test_sums_of_numbers_that_are_not_finite(numbers: list[float]) -> None:
    """Of equal and of different lengths: only the peaks of logsumexp are cut to what is finite."""
    for rest in ([1.0, 2.0], [1.0, 2.0, 3.0]):
        for fn in (math.fsum, math.logsumexp, lambda some: math.hypot(*some)):
            agree(lambda x, fn=fn: [fn(x[:2]), fn(x[2:])], [[*numbers, *rest]], None)  # type: ignore[misc]


def test_places_of_gradients_that_are_picked_by_all_examples() -> None:
    """Several examples pick the same item of what they share: np.add.at."""

    def fn(x: list[Value]) -> Any:
        return math.select([math.exp(a), b], x[0]) * x[1] * math.select([c, d, a], x[2] - 1.0)

    agree(fn, [[1.0, 2.0, 3.0], [0.0, 3.0, 1.0], [1.0, 5.0, 3.0]])


FORTY = variables(40)
PLAN = planned(lambda x: math.fsum([v * y for v, y in zip(FORTY, x, strict=True)]), 40)
THETA, (X,) = PLAN.theta, PLAN.inputs
V = Space("v", batched=True, size=40)


@pytest.mark.parametrize(
    ("rows", "form", "text"),
    [
        (View(THETA, 1, (3,), (1,)), "", "theta[1:4]"),
        (View(THETA, 1, (3,), (1,)), "column", "theta[1:4][..., None]"),
        (View(THETA, 1, (3,), (4,)), "", "theta[1:10:4]"),
        (View(THETA, 0, (3, 2), (2, 1)), "", "theta[0:6].reshape(3, 2)"),
        (View(THETA, 0, (3, 2), (1, 3)), "", "theta[0:6].reshape(2, 3).T"),
        (View(THETA, 0, (3, 2), (3, 1)), "", "theta[0:9].reshape(3, 3)[:, 0:2]"),  # weights, and biases between them
        (View(THETA, 34, (2, 2), (3, 1)), "", "theta[34:40].reshape(2, 3)[:, 0:2]"),
        (View(THETA, 35, (2, 2), (3, 1)), "", "view(theta, 35, (2, 2), (3, 1))"),  # the last bias would be one too far
        (View(THETA, 36, (2, 1), (3, 0)), "", "theta[36:40:3].reshape(2, 1)"),
        (View(THETA, 0, (2, 3, 2), (1, 4, 2)), "", "theta[0:12].reshape(3, 2, 2).transpose(2, 0, 1)"),
        (View(THETA, 0, (3,), (0,)), "", "view(theta, 0, (3,), (0,))"),
        (View(THETA, 2, (3,), (-1,)), "", "view(theta, 2, (3,), (-1,))"),
        (View(V, 0, (2, 3), (3, 1)), "", "v[0:6].reshape(2, 3, B)"),
        (View(V, 0, (2, 3), (1, 2)), "", "v[0:6].reshape(3, 2, B).transpose(1, 0, 2)"),
        (View(V, 0, (2, 3), (4, 1)), "", "view(v, 0, (2, 3), (4, 1))"),
        (View(V, 5, (1, 3), (0, 2)), "", "v[5:10:2].reshape(1, 3, B)"),
        (View(V, 0, (2, 3), (3, 1)), "matrix", "v[0:6].reshape(2, 3 * B)"),
        (View(V, 0, (2, 3), (4, 1)), "matrix", "view(v, 0, (2, 3), (4, 1), merge=True)"),
        (View(V, 0, (2, 3), (3, 1)), "examples", "np.moveaxis(v[0:6].reshape(2, 3, B), -1, 0)"),
        (View(X, 3, (2,), (1,)), "", "x.T[3:5]"),
        (View(X, 3, (2, 2), (2, 1)), "", "view(x.T, 3, (2, 2), (2, 1))"),
    ],
)
def test_views_are_written_as_one_would_write_them(rows: View, form: str, text: str) -> None:
    """And are the rows that they should be."""
    assert expression(rows, form) == text
    arrays = {"theta": np.arange(40.0), "v": np.arange(80.0).reshape(40, 2), "x": np.arange(80.0).reshape(40, 2).T.copy()}
    got = eval(text, arrays | {"np": np, "view": view, "B": 2})
    expected = np.arange(40.0)[rows.rows] if rows.space is THETA else np.arange(80.0).reshape(40, 2)[rows.rows]
    expected = expected[..., None] if form == "column" else np.moveaxis(expected, -1, 0) if form == "examples" else expected
    assert got.tolist() == (expected.reshape(len(expected), -1) if form == "matrix" else expected).tolist()


# The functions that lines call


def test_view() -> None:
    rows = np.arange(12.0).reshape(6, 2)  # six rows of two examples
    assert view(rows, 1, (2,), (2,)).tolist() == [[2.0, 3.0], [6.0, 7.0]]
    assert view(rows, 4, (3,), (-2,)).tolist() == [[8.0, 9.0], [4.0, 5.0], [0.0, 1.0]]
    assert view(rows, 0, (2, 3), (3, 1)).tolist() == rows.reshape(2, 3, 2).tolist()
    assert view(rows, 0, (2, 2), (1, 2))[1, 1].tolist() == [6.0, 7.0]
    assert view(rows, 2, (3,), (0,)).tolist() == [[4.0, 5.0]] * 3
    assert view(np.arange(5.0), 1, (2,), (2,)).tolist() == [1.0, 3.0]


def test_view_writes_through() -> None:
    rows = np.zeros((4, 2))
    view(rows, 1, (2,), (2,))[...] = 1.0
    assert rows.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]


def test_view_with_columns_and_examples_merged() -> None:
    rows = np.arange(12.0).reshape(6, 2)
    merged = view(rows, 0, (2, 2), (3, 1), merge=True)
    assert merged.tolist() == [[0.0, 1.0, 2.0, 3.0], [6.0, 7.0, 8.0, 9.0]]
    assert merged.strides == (48, 8)


def test_view_of_axes_of_length_1() -> None:
    """Which get the stride of an array of its own, as BLAS takes none of 0."""
    rows = np.arange(12.0).reshape(6, 2)
    assert view(rows, 2, (1, 3), (0, 1)).strides == (48, 16, 8)
    assert view(rows, 2, (3, 1), (1, 0)).strides == (16, 16, 8)
    assert view(np.arange(3.0), 2, (1, 1), (0, 0)).strides == (8, 8)
    assert view(rows[:, :1], 0, (2, 3), (3, 1)).shape == (2, 3, 1)


def test_view_of_what_is_not_contiguous() -> None:
    rows = np.arange(12.0).reshape(2, 6).T  # as the inputs are
    assert view(rows, 1, (2,), (3,)).tolist() == [[1.0, 7.0], [4.0, 10.0]]
    assert view(rows, 5, (3,), (-2,)).tolist() == [[5.0, 11.0], [3.0, 9.0], [1.0, 7.0]]


def test_index() -> None:
    assert index(np.array([0.0, 2.0]), 3).tolist() == [0, 2]
    assert index(np.zeros(0), 3).tolist() == []
    whole = np.array([0, 2])
    assert index(whole, 3, whole=True) is whole
    for wrong in (-1.0, 3.0, 0.5, math.nan, math.inf, -math.inf, 1e30):
        with (
            np.errstate(invalid="ignore"),
            pytest.raises(IndexError, match=rf"a whole number from 0 to 2, not {re.escape(repr(wrong))}"),
        ):
            index(np.array([1.0, wrong]), 3)
    for wrong in (-1, 3):
        with pytest.raises(IndexError, match=rf"a whole number from 0 to 2, not {wrong}\.0"):
            index(np.array([1, wrong]), 3, whole=True)


def test_check() -> None:
    check(np.ones((2, 3)))
    check(np.zeros(0))
    for wrong in (math.inf, -math.inf, math.nan, 1e200):
        with np.errstate(all="ignore"), pytest.raises(NotFiniteError):
            check(np.array([[1.0, wrong]]))


def test_indices_are_checked_once() -> None:
    found = lines(lambda x: math.select(w, x[0]) * math.select([math.exp(v) for v in w], x[0]), 1)
    assert sum("= index(" in line for line in found) == 1
    with pytest.raises(IndexError, match=r"a whole number from 0 to 3, not 4\.0"):
        program(lambda x: math.select(w, x[0] - 1.0), 1).run(np.zeros(4), [np.array([[5.0]])], 1)
