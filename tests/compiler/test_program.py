"""Programs at work: buffers, threads, copies, numbers that are not finite, no examples, and two ways to write one network."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from passes import agree, program, recorded, run, variables

import nn
from autograd import Value, compile, math  # noqa: A004 - autograd.compile
from autograd.compiler.instructions import Gather, Product
from autograd.compiler.plan import NotFiniteError
from autograd.compiler.program import Program
from autograd.compiler.record import Input

w = a, b, c, d = variables(4)
ONE = np.array([2.0])


def scaled() -> Program:
    """The sum of exp(a x)."""
    return program(lambda x: math.exp(a * x[0]), 1)


def batch(size: int) -> list[Any]:
    return [np.arange(1.0, size + 1.0).reshape(size, 1) / size]


# Buffers


def test_buffers_are_kept_for_four_batch_sizes() -> None:
    made: list[int] = []
    at_work = scaled()
    step = at_work.executor.step

    def counting(size: int) -> Any:
        made.append(size)
        return step(size)

    at_work.executor.step = counting  # type: ignore[method-assign]  # to count its calls
    for size in (1, 2, 3, 4, 1, 2, 3, 4):
        at_work.run(ONE, batch(size), size)
    assert made == [1, 2, 3, 4]
    at_work.run(ONE, batch(5), 5)  # in the place of those for 1
    for size in (2, 3, 4, 5):
        at_work.run(ONE, batch(size), size)
    assert made == [1, 2, 3, 4, 5]
    at_work.run(ONE, batch(1), 1)
    assert made == [1, 2, 3, 4, 5, 1]
    assert len(at_work._idle) == 4


def test_results_are_no_buffers() -> None:
    """A later call leaves them as they are."""
    at_work, results = scaled(), program(lambda x: [math.exp(a * x[0])], 1, None)
    gradient, all_results = at_work.run(ONE, batch(2), 2)[1], results.run(ONE, batch(2), 2)
    before = gradient.tolist(), all_results.tolist()
    at_work.run(5 * ONE, batch(2), 2)
    results.run(5 * ONE, batch(2), 2)
    assert (gradient.tolist(), all_results.tolist()) == before


def test_calls_that_overlap_have_buffers_of_their_own() -> None:
    """Two threads meet in the middle of a step, and a third buffer is not made."""
    at_work = scaled()
    expected = [at_work.run(np.array([theta]), batch(3), 3) for theta in (1.0, 2.0)]
    together = threading.Barrier(2, timeout=20.0)
    names = at_work.executor._names  # type: ignore[attr-defined]  # of Numpy, the executor here
    inner = names["np"]

    class Meeting:
        """NumPy, in which everyone waits for the other before exp."""

        def __getattr__(self, name: str) -> Any:
            if name == "exp":
                together.wait()
            return getattr(inner, name)

    names["np"] = Meeting()
    at_work._idle.clear()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            found = [*pool.map(lambda theta: at_work.run(np.array([theta]), batch(3), 3), (1.0, 2.0))]
            assert [(value, slopes.tolist()) for value, slopes in found] == [(v, s.tolist()) for v, s in expected]
    assert len(at_work._idle[3]) == 2


def test_eight_threads() -> None:
    at_work = scaled()
    thetas = [np.array([number / 7]) for number in range(40)]
    expected = [at_work.run(theta, batch(5), 5)[0] for theta in thetas]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert [found[0] for found in pool.map(lambda theta: at_work.run(theta, batch(5), 5), thetas)] == expected


def test_pickling() -> None:
    """The source goes with it, buffers do not."""
    at_work = program(lambda x: math.logsumexp([math.tanh(a * x[0]), x[1], 2.0]) + math.fsum([x[0], b, x[1]]), 2)
    rows = [np.array([[1.0, 2.0], [3.0, 4.0]])]
    value, slopes = at_work.run(np.array([2.0, 3.0]), rows, 2)
    again = pickle.loads(pickle.dumps(at_work))
    assert again._idle == {}
    assert (again.source, again.stats, again.plan.parameters) == (at_work.source, at_work.stats, at_work.plan.parameters)
    value_again, slopes_again = again.run(np.array([2.0, 3.0]), rows, 2)
    assert (value_again, slopes_again.tolist()) == (value, slopes.tolist())


def test_only_the_value() -> None:
    at_work = scaled()
    value = at_work.run(ONE, batch(2), 2, gradient=False)
    assert isinstance(value, float)
    assert value == at_work.run(ONE, batch(2), 2)[0] == pytest.approx(math.exp(1.0) + math.exp(2.0))


def test_stats() -> None:
    stats = program(lambda x: math.fsum([math.exp(a * x[0] + b * x[1]), math.exp(c * x[0] + d * x[1])]), 2).stats
    assert (stats["scalar nodes"], stats["matrix products"]) == (15, 1)
    assert stats["instructions"] == {"map": 3, "move": 2, "product": 2, "seed": 1}
    assert (stats["bytes of buffers"], stats["bytes of buffers, an example"]) == (4 * 8, (5 + 5) * 8)  # d_theta; v and d_v


# No examples


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_no_examples(reduction: str) -> None:
    """Mistake: the gradient of a shared part with an infinite partial was nan, 0 * inf."""
    for fn in (lambda x: a * x[0], lambda _: math.sqrt(a - 2.0), lambda x: math.exp(b) + x[0]):
        value, slopes = program(fn, 1, reduction).run(ONE, [np.zeros((0, 1))], 0)
        assert value == 0.0 if reduction == "sum" else math.isnan(value)
        assert slopes.tolist() == [0.0] * len(slopes)
        value = program(fn, 1, reduction).run(ONE, [np.zeros((0, 1))], 0, gradient=False)
        assert value == 0.0 if reduction == "sum" else math.isnan(value)


def test_no_examples_and_all_results() -> None:
    none = program(lambda x: [a * x[0], x[0], b], 1, None, dtype="float32").run(ONE, [np.zeros((0, 1))], 0)
    assert (none.shape, none.dtype) == ((0, 3), np.float32)


def test_the_gradient_of_no_examples_has_the_trained_parameters() -> None:
    at_work = program(lambda x: a * b * x[0], 1, parameters=[1], frozen=True)
    assert at_work.plan.trained == 1
    assert at_work.run(np.array([1.0, 2.0]), [np.zeros((0, 1))], 0)[1].tolist() == [0.0]


# Numbers that are not finite


def causal(x: list[Value]) -> Any:
    """Position i weighs the values 0 to i."""
    weights, values = [[a * x[0]], [b * y for y in x[1:3]]], [x[3:5], x[5:7]]
    return math.fsum([math.tanh(math.sumprod(row, column[: len(row)]) * 0.1) for row in weights for column in values])


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, 1e200])
def test_causal_attention_with_a_number_that_is_not_finite(bad: float) -> None:
    """Position 0 does not see the infinite value at 1: the program gives up rather than multiply it by 0."""
    at_work = program(causal, 7)
    assert at_work.plan.may_give_up
    examples = [[1.0, 0.5, 0.2, 0.3, bad, 0.1, 0.4], [1.0] * 7]
    agree(causal, examples)
    agree(causal, examples, "mean")
    agree(lambda x: [causal(x), causal(x[::-1])], examples, None)
    value = at_work.run(np.array([2.0, 3.0]), [np.array(examples)], 2, gradient=False)
    np.testing.assert_array_equal(value, run(causal, examples)[0])


@pytest.mark.parametrize("position", range(7))
def test_causal_attention_with_an_infinity_anywhere(position: int) -> None:
    examples = [[1.0, 0.5, 0.2, 0.3, 0.7, 0.1, 0.4], [1.0] * 7]
    examples[1][position] = math.inf
    agree(causal, examples)


@pytest.mark.parametrize("position", range(8))
def test_a_score_that_nobody_wants_and_an_infinity(position: int) -> None:
    """Its cotangent, 0, meets the factors of the others."""

    def scores(x: list[Value]) -> Any:
        queries, keys = [[a * y for y in x[i : i + 2]] for i in (0, 2)], [[b * y for y in x[i : i + 2]] for i in (4, 6)]
        return math.fsum([math.sumprod(queries[i], keys[j]) * x[i] for i, j in ((0, 0), (0, 1), (1, 0))])

    examples = [[1.0, 0.5, 0.2, 0.3, 0.7, 0.1, 0.4, 2.0], [1.0] * 8]
    agree(scores, examples)
    examples[1][position] = math.inf
    agree(scores, examples)


def test_only_position_0_is_finite() -> None:
    first = program(
        lambda x: [math.sumprod(x[:1], x[3:4]), math.sumprod(x[1:3], x[3:5]), math.sumprod(x[1:3], x[5:7])], 7, None
    )
    found = first.run(np.zeros(0), [np.array([[2.0, 1.0, 1.0, 3.0, math.inf, 1.0, 1.0]])], 1)
    assert found.tolist() == [[6.0, math.inf, 2.0]]


def test_buffers_of_a_call_that_gave_up_are_not_needed_again() -> None:
    at_work = program(causal, 7)
    ones, theta = np.ones((1, 7)), np.array([2.0, 3.0])
    before = at_work.run(theta, [ones], 1)
    bad = ones.copy()
    bad[0, 4] = math.inf
    at_work.run(theta, [bad], 1)
    value, slopes = at_work.run(theta, [ones], 1)
    assert (value, slopes.tolist()) == (before[0], before[1].tolist())


def test_giving_up_knows_which_parameters_are_trained() -> None:
    """In the order of theta, with one that the function does not use, and with one that is frozen."""
    known = recorded(causal, 7).variables
    at_work = program(causal, 7, parameters=[-1, known.index(b)], frozen=True)
    x = [np.array([[1.0, 0.5, 0.2, 0.3, 1e200, 0.1, 0.4]])]
    value, slopes = at_work.run(np.array([9.0, 3.0, 2.0]), x, 1)
    expected = run(causal, x[0].tolist())
    assert (value, slopes.tolist()) == (expected[0], [0.0, expected[1][b]])


def test_an_unwanted_item_and_an_infinity() -> None:
    """Mistake: a function without arguments could not give up; an item that nobody wants made a gradient nan."""
    infinite, v = Value(1.0), variables(3)

    def fn() -> Any:
        rows, columns = [[infinite, v[0]], [v[1], v[2]]], [[v[0], v[1]], [v[2], v[0]]]
        return math.fsum([math.sumprod(rows[i], columns[j]) for i, j in ((0, 0), (1, 0), (1, 1))])

    compiled = compile(fn)
    assert compiled().data == fn().data
    infinite.data = math.inf
    assert compiled().data == fn().data == math.inf
    compiled().backward()
    found = [p.grad for p in (infinite, *v)]
    for p in (infinite, *v):
        p.zero_grad()
    fn().backward()
    assert found == [p.grad for p in (infinite, *v)] == [2.0, math.inf, 12.0, 8.0]


def test_a_program_that_never_gives_up_keeps_no_graph() -> None:
    assert scaled()._graph is None
    assert program(causal, 7)._graph is not None


def test_giving_up_without_a_graph_is_a_mistake_of_ours() -> None:
    at_work = scaled()

    def failing(*_: Any) -> Any:
        raise NotFiniteError

    at_work._idle[2] = [failing]
    with pytest.raises(AssertionError):
        at_work.run(ONE, batch(2), 2)


# What kinds of numbers the arrays hold


def kinds_of(fn: Any, whole: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - one or the other
    """Those of two inputs, the first of which is said to hold whole numbers."""
    inputs = [Input("i", 1, whole=whole), Input("x", 2, whole=False)]
    return [kind.name for kind in Program(recorded(fn, 3), inputs, [], "sum", np.dtype("float32")).plan.kinds]


def test_indices_stay_whole_numbers() -> None:
    """Where they are read as indices and as nothing else."""
    assert kinds_of(lambda x: math.select([a, b, c], x[0]) * x[1]) == ["int64", "float32"]
    assert kinds_of(lambda x: math.select([a, b, c], x[0]) * x[0]) == ["float32", "float32"]
    assert kinds_of(lambda x: math.select([a, b, c], x[0]) * x[1], whole=False) == ["float32", "float32"]
    assert kinds_of(lambda x: math.select([a, x[1], c], x[0])) == ["int64", "float32"]
    assert kinds_of(lambda x: x[0] * x[1]) == ["float32", "float32"]


# One network in two ways


def by_hand(sizes: list[int], theta: list[Value]) -> Any:
    """A network of tanh layers in plain loops, whose variables are those of nn.MLP: the weights of a neuron, then its bias."""

    def network(x: list[Value]) -> list[Value]:
        at = 0
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            out = []
            for _ in range(outputs):
                total = theta[at + inputs]
                for i in range(inputs):
                    total = total + theta[at + i] * x[i]
                out.append(math.tanh(total) if layer < len(sizes) - 2 else total)
                at += inputs + 1
            x = out
        return x

    return network


@pytest.mark.parametrize("sizes", [[2, 16, 16, 1], [64, 32, 10]])
def test_two_ways_to_write_one_network_are_one_program(sizes: list[int]) -> None:
    """Layers and plain loops end in the same instructions and the same source, in as few lines as one would write."""
    model = nn.MLP(sizes[0], sizes[1:], "tanh", rng=0)
    parameters = model.parameters()
    programs = []
    for network in (model, by_hand(sizes, parameters)):

        def loss(x: list[Value], network: Any = network) -> Any:
            out = network(x)
            return out**2 if isinstance(out, Value) else math.fsum([y**2 for y in out]) if len(out) > 1 else out[0] ** 2

        order = recorded(loss, sizes[0]).variables
        programs.append(program(loss, sizes[0], "mean", parameters=[order.index(p) for p in parameters]))
    one, other = programs
    assert str(one.plan) == str(other.plan)
    assert one.source == other.source
    assert sum(isinstance(i, Product) for i in one.plan.forward) == len(sizes) - 1
    assert not any(isinstance(i, Gather) for i in (*one.plan.forward, *one.plan.backward))
