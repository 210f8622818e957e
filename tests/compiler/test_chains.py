"""Where little packs: chains, recurrences and random graphs are tables of steps, and compile in little time and memory."""

from __future__ import annotations

import gc
import pickle
import random
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from passes import agree, backward, kinds_of, program, recorded, variables

import autograd
from autograd import Value, math, no_grad, ops
from autograd.compiler import pack
from autograd.compiler.executors.chains import transpose
from autograd.compiler.executors.numpy import BETWEEN
from autograd.compiler.instructions import Fill
from autograd.compiler.program import Program
from autograd.compiler.record import Input
from autograd.compiler.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

a, b, c, d = w = variables(4)
for v in w:
    v.data = 0.5 + 0.1 * v.data
BATCHES = [1, 2, 7]


def examples(batch: int, size: int = 3) -> list[list[float]]:
    rng = np.random.default_rng(batch)
    return rng.uniform(-1.0, 1.0, (batch, size)).tolist()


def again_and_again(step: Callable[[Any, list[Any], int], Any], times: int = 40) -> Callable[[list[Any]], Any]:
    def f(x: list[Any]) -> Any:
        y = x[0]
        for k in range(times):
            y = step(y, x, k)
        return y

    return f


def recurrent(units: int, times: int) -> Callable[[list[Any]], Any]:
    """A recurrent network; its weights are those of :func:`weights`."""
    u = weights(units)

    def f(x: list[Any]) -> Any:
        h: list[Any] = [0.0] * units
        for k in range(times):
            h = [math.tanh(math.sumprod(u[i], [x[k % len(x)], *h])) for i in range(units)]
        return math.fsum(h)

    return f


def weights(units: int) -> list[list[Value]]:
    rng = random.Random(units)
    return [[Value(rng.uniform(-1.0, 1.0) / units) for _ in range(units + 1)] for _ in range(units)]


def pendulum(x: list[Any]) -> Any:
    angle, speed = x[0], x[1]
    for _ in range(30):
        angle, speed = angle + 0.1 * speed, speed - 0.1 * a * math.sin(angle)
    return angle * speed


def long_memory(x: list[Any]) -> Any:
    """A cell whose gates are four scalar products."""
    h, cell = x[0], x[1]
    for _ in range(20):
        gates = [math.sigmoid(math.sumprod([p, q], [h, x[2]])) for p, q in ((a, b), (b, c), (c, d), (d, a))]
        cell = gates[0] * cell + gates[1] * math.tanh(gates[2])
        h = gates[3] * math.tanh(cell)
    return h


CHAINS: dict[str, Callable[[list[Any]], Any]] = {
    "one row": again_and_again(lambda y, _, __: math.tanh(y)),
    "sums and products": again_and_again(lambda y, x, k: math.sin(y) * w[k % 4] + x[k % 3]),
    "quotients": again_and_again(lambda y, x, _: a / (1.0 + y * y) - x[1]),
    "numbers": again_and_again(lambda y, _, k: 0.5 * y - 0.25 * k + (1.0 - y) ** 2 / 8),
    "differences and negatives": again_and_again(lambda y, x, k: -y - math.sin(x[k % 3] - y)),
    "the same argument twice": again_and_again(lambda y, _, __: math.cos(y * y) / 4 + (y + y) / 4),
    "choices": again_and_again(lambda y, x, _: math.where(y < 0.5, y + a, math.relu(y * x[1]) - x[2])),
    "comparisons": again_and_again(lambda y, x, _: (y < x[1]) * a + y * 0.9),
    "lookups": again_and_again(lambda y, x, _: math.select([y, a, x[1] * y], math.where(y < 0.2, 1.0, 2.0)) - 0.1),
    "sums of many": again_and_again(lambda y, x, _: math.fsum([y, *x, a, 0.5]) / 7),
    "hypot": again_and_again(lambda y, x, _: math.hypot(y, x[1], a) / 2),
    "hypot of one number": again_and_again(lambda y, _, __: math.hypot(math.sin(y)) - 0.5),
    "logsumexp": again_and_again(lambda y, x, _: math.logsumexp([y, a, x[1]]) - 1.0),
    "products of many": again_and_again(lambda y, x, _: math.prod([math.sin(y), 1.5, x[1] + 1.5, a])),
    "scalar products": recurrent(1, 40),
    "scalar products, several": recurrent(2, 20),
    "four scalar products": long_memory,
    "two at once": pendulum,
    "what is detached": again_and_again(lambda y, x, _: y.detach() * a - math.sin(y) + x[1]),
    "what all examples share": lambda x: again_and_again(lambda y, _, __: math.sin(y) + a)([b]) * x[0],
    "shared and not": lambda x: again_and_again(lambda y, x, k: math.sin(y + x[k % 2]))([again_and_again(
        lambda y, _, __: math.sin(y) + a)([b]), x[0]]) * c,
    "what no variable is in": lambda x: again_and_again(lambda y, _, __: math.sin(y) + 0.1)(x) * a,
    "results on the way": lambda x: math.fsum([y := x[0] * a, *[y := math.sin(y) + b * k / 100 for k in range(40)]]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("batch", BATCHES)
def test_chains_are_what_plain_code_gives(name: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "_LONGER", 32)
    assert kinds_of(CHAINS[name], 3)["chain"] >= 1
    agree(CHAINS[name], examples(batch))
    agree(CHAINS[name], examples(batch), "mean")


@pytest.mark.parametrize("name", CHAINS)
def test_all_results_of_chains(name: str) -> None:
    for batch in BATCHES:
        agree(lambda x: [CHAINS[name](x), math.sin(CHAINS[name](x))], examples(batch), None)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch", [1, 3])
def test_numbers_that_are_not_finite_in_chains(bad: float, batch: int) -> None:
    """They arrive where plain code has them, and nowhere else: a slope of 0 that nobody hands on meets no infinity."""
    some = [[0.5, bad, 0.25], *examples(batch - 1)]
    for name in ("sums and products", "choices", "quotients", "two at once", "results on the way", "comparisons"):
        agree(CHAINS[name], some)
    agree(again_and_again(lambda y, _, k: math.where(y < 0.0, y, math.log(y + a) * k)), some)


def test_10_000_steps_are_a_few_instructions() -> None:
    """0.15 ms and 30 kB a node, and as many lines: the table holds them in 0.4 kB."""
    graph = recorded(again_and_again(lambda y, _, __: math.tanh(y), 10_000), 1)
    tracemalloc.start()
    made = Program(graph, [Input("x", 1, whole=False)], [], "sum", np.dtype(float))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000 * len(graph.code)
    assert len(made.plan.forward) + len(made.plan.backward) < 10
    assert made.source.count("\n") < 40


@pytest.mark.parametrize("units", [1, 2, 3])
def test_recurrences_of_a_few_units_are_chains(units: int) -> None:
    """They took 0.1 to 0.3 ms a node, as two of their nodes go together."""
    made = kinds_of(recurrent(units, 400), 3)
    assert made["chain"] == 1
    assert sum(made.values()) < 20
    agree(recurrent(units, 400), examples(2))


def test_what_packs_is_packed() -> None:
    """However long: layers of a recurrent network are matrix products, and a short loop over a few is vectors."""
    assert "chain" not in kinds_of(recurrent(6, 50), 3)
    assert "chain" not in kinds_of(recurrent(3, 10), 3)


def test_a_few_operations_are_lines() -> None:
    assert "chain" not in kinds_of(again_and_again(lambda y, _, __: math.tanh(y), 15), 1)
    assert "chain" in kinds_of(again_and_again(lambda y, _, __: math.tanh(y), 16), 1)


def test_the_source_says_what_the_steps_are() -> None:
    source = program(again_and_again(lambda y, _, __: math.sin(y * 0.5), 10), 1).source
    assert "# chain1, from x to y: 20 steps: y[0] = mul(x[0], 0.5); y[1] = sin(y[0]); y[2] = mul(y[1], 0.5); …\n" in source


def test_nothing_is_handed_on_where_nobody_differentiates() -> None:
    lines = backward(again_and_again(lambda y, _, __: math.sin(y) * 0.5), 1)
    assert not lines


def test_an_index_that_is_none_in_a_chain() -> None:
    chosen = autograd.compile(
        lambda x, i: again_and_again(lambda y, x, _: math.select([y, a], x[1]) * x[0])([x, i]), reduction=None
    )
    chosen([0.5, 0.5, 0.5], [0.0, 1.0, 1.0])
    for batch in (1, 3):
        with pytest.raises(IndexError, match=r"select\(\) expects an index that is a whole number from 0 to 1, not 2\.0"):
            chosen([0.5] * batch, [2.0] * batch)


@pytest.mark.parametrize("batch", BATCHES)
def test_single_precision(batch: int) -> None:
    """Arrays of it, also for one example."""
    for name in ("sums and products", "quotients", "choices", "hypot", "scalar products"):
        fast, slow = [autograd.compile(CHAINS[name], dtype=dtype) for dtype in ("float32", "float64")]
        x = np.array(examples(batch))
        assert fast(x).data == pytest.approx(slow(x).data, rel=1e-4)
        theta = np.array([p.data for p in fast.parameters])
        assert fast.value_and_grad(theta, x)[1].dtype == np.float32
        np.testing.assert_allclose(fast.value_and_grad(theta, x)[1], slow.value_and_grad(theta, x)[1], rtol=1e-3, atol=1e-5)


def test_pickling() -> None:
    """The steps are plain data; what they are executed with is made anew."""
    made = program(CHAINS["sums and products"], 3)
    theta = np.array([v.data for v in w])
    for batch in (1, 3):
        arrays = [np.array(examples(batch))]
        value, slopes = made.run(theta, arrays, batch)
        again = pickle.loads(pickle.dumps(made))
        assert again.run(theta, arrays, batch)[0] == value
        np.testing.assert_array_equal(again.run(theta, arrays, batch)[1], slopes)


def test_frozen_parameters() -> None:
    made = program(CHAINS["sums and products"], 3, parameters=(1, 0), frozen=True)
    theta = np.array([w[i].data for i in (1, 0, 2, 3)])
    whole = program(CHAINS["sums and products"], 3)
    for batch in (1, 3):
        arrays = [np.array(examples(batch))]
        slopes = whole.run(np.array([v.data for v in w]), arrays, batch)[1]
        np.testing.assert_allclose(made.run(theta, arrays, batch)[1], slopes[[1, 0]], rtol=1e-12)


def test_without_gradients() -> None:
    with no_grad():
        made = program(CHAINS["sums and products"], 3, None)
    assert not made.plan.backward


# Pieces


def test_the_first_contribution_is_written_and_later_ones_are_added() -> None:
    """Of ``y = a * a`` and ``z = y + a``, where z has a cotangent and the row of x is that of a."""
    steps = Steps([ops.mul, ops.add], np.array([0, 1]), np.array([0, 2, 4]), np.array([0, 0, 1, 0]), 1, [])  # type: ignore[arg-type]  # int64 will do
    whole = steps.differentiate(np.array([False, True]), np.array([True, True, True]))
    assert whole.back.tolist() == [1, 0]
    assert whole.target.tolist() == [0, 0, 1, 0]
    assert whole.adds.tolist() == [True, True, False, False]
    assert whole.ends.tolist() == [0]
    part = steps.differentiate(np.array([False, True]), np.array([True, False, True]))
    assert part.target.tolist() == [-1, -1, -1, 0]


def test_transposes_are_written_once() -> None:
    g, y, p, q = np.full(2, 2.0), np.full(2, 12.0), np.full(2, 3.0), np.full(2, 4.0)
    by_p, by_q = np.zeros(2), np.ones(2)
    transpose(ops.mul, (False, True), (False, False))(g, y, p, q, by_p, by_q)
    assert by_p.tolist() == [8.0, 8.0]
    assert by_q.tolist() == [7.0, 7.0]
    transpose(ops.sub, (None, False), (True, False))(g, y, 3.0, q, None, by_q)
    assert by_q.tolist() == [-2.0, -2.0]
    assert transpose(ops.mul, (False, True), (False, False)) is transpose(ops.mul, (False, True), (False, False))


# Fills


def test_zeros_are_written_only_where_something_is_added() -> None:
    """8,634 of 19,450 instructions of a random graph wrote zeros that were overwritten."""
    rng = random.Random(0)

    def f(x: list[Value]) -> Value:
        nodes = [*x, *w]
        for _ in range(2000):
            p, q = rng.choices(nodes, k=2)
            nodes.append(rng.choice([lambda p, q: math.sin(p - q), lambda p, q: p * q, lambda p, _: math.tanh(p)])(p, q))  # type: ignore[no-untyped-call]
        return math.fsum(nodes[-500:])

    made = program(f, 3)
    fills = [i for i in made.plan.backward if isinstance(i, Fill)]
    assert len(fills) < 0.03 * len(made.plan.backward)


# Long programs


def wide(x: list[Value]) -> Value:
    """Of many lines: a random graph."""
    rng = random.Random(1)
    nodes = [*x, *w]
    for _ in range(1500):
        p, q = rng.choices(nodes, k=2)
        nodes.append(rng.choice([math.sin(p - q), p * q, math.tanh(p)]))
    return math.fsum(nodes[-300:])


def test_long_programs_are_compiled_in_blocks() -> None:
    made = program(wide, 3)
    blocks = made.source.split(BETWEEN)
    assert len(blocks) > 4
    assert max(block.count("\n") for block in blocks) <= 502
    agree(wide, examples(1))
    agree(wide, examples(3), "mean")
    agree(lambda x: [wide(x), wide(x) + 1.0], examples(3), None)


def test_the_value_of_a_long_program_needs_no_gradient() -> None:
    made = program(wide, 3)
    theta = np.array([v.data for v in w])
    value, _ = made.run(theta, [np.array(examples(2))], 2)
    assert made.run(theta, [np.array(examples(2))], 2, gradient=False) == value


def test_buffers_of_long_programs_die_with_them() -> None:
    """Functions in blocks are not kept by what they look their names up in."""
    made = program(wide, 3)
    made.run(np.array([v.data for v in w]), [np.array(examples(2))], 2)
    (step,) = made._idle[2]
    buffer = weakref.ref(step.__globals__["v"])
    gc.disable()
    try:
        del step, made
        assert buffer() is None
    finally:
        gc.enable()


def test_arguments_named_as_parts_of_a_program() -> None:
    f = autograd.compile(lambda part_1, unfold, chain1: wide([part_1, unfold, chain1]))
    expected = autograd.compile(wide)(examples(2))
    assert f(*np.array(examples(2)).T).data == expected.data
