"""Plans as plain data, and executors: what each kind of instruction means, in numbers that can be checked by hand."""

from __future__ import annotations

import math as python_math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from passes import planned, recorded, variables

from autograd import math, ops
from autograd.compiler import instructions as ir
from autograd.compiler import lower as lowering
from autograd.compiler.executors.numpy import Numpy
from autograd.compiler.executors.reference import Memory, Reference
from autograd.compiler.lower import lower
from autograd.compiler.plan import NotFiniteError, Plan
from autograd.compiler.program import Program
from autograd.compiler.record import Input
from autograd.compiler.steps import Steps
from autograd.compiler.views import Space, View, contiguous

if TYPE_CHECKING:
    from collections.abc import Callable

w = a, b, c = variables(3)
X, Y = Space("x", batched=True, size=6), Space("y", batched=True, size=20)
P, S = Space("p", batched=False, size=6), Space("s", batched=False, size=20)
GIVEN = {X: np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0], [0.0, 1.0]]), P: np.arange(6.0)}
"""Two examples, in columns: 1, 2, 3, 4, 5, 0 and 10, 20, 30, 40, 50, 1. What they share: 0, 1, 2, 3, 4, 5."""


def at(space: Space, start: int, *shape: int) -> View:
    return View(space, start, shape, contiguous(shape))


def rows(*numbers: int) -> Any:
    return np.array(numbers)


STEPS = Steps([ops.square, ops.add], rows(0, 1), rows(0, 1, 3), rows(0, 1, 0), 1, [])
"""y0 = x², y1 = y0 + x."""
MEANING: dict[str, tuple[ir.Instruction, Any]] = {
    "map": (ir.Map(at(Y, 0, 2), ops.mul, (at(X, 0, 2), at(P, 2, 2))), [[2, 20], [6, 60]]),
    "map by a number": (ir.Map(at(Y, 0, 1), ops.sub, (1.0, at(X, 0, 1))), [[0, -9]]),
    "move": (ir.Move(at(Y, 0, 2), at(P, 1, 2)), [[1, 1], [2, 2]]),
    "fill": (ir.Fill(at(S, 0, 2), 7.0), [7, 7]),
    "seed": (ir.Seed(at(Y, 0, 1)), [[0.5, 0.5]]),
    "reduce": (ir.Reduce(at(Y, 0, 2), ops.prod, at(X, 0, 2, 2)), [[2, 200], [12, 1200]]),
    "segments": (ir.Segments(at(Y, 0, 2), ops.fsum, at(X, 0, 5), rows(0, 3)), [[6, 60], [9, 90]]),
    "peak": (ir.Peak(at(Y, 0, 1), at(X, 0, 1, 3)), [[3, 30]]),
    "peaks": (ir.Peaks(at(Y, 0, 2), at(X, 0, 5), rows(0, 2)), [[2, 20], [5, 50]]),
    "sum": (ir.Sum(at(Y, 0, 2), at(X, 0, 2, 2), (1,)), [[3, 30], [7, 70]]),
    "sum over examples": (ir.Sum(at(S, 0, 2), at(X, 0, 2), (), over_batch=True), [11, 22]),
    "sum of all": (ir.Sum(at(S, 0, 1), at(X, 0, 2), (0,), over_batch=True), [33]),
    "unfold": (ir.Unfold(at(S, 0, 3), ops.maximum, at(P, 2), at(P, 3), at(P, 1, 3)), [0, 0, 2]),
    "unfold a product": (ir.Unfold(at(S, 0, 2), ops.prod, at(P, 2), at(P, 5), at(P, 3, 2)), [8, 6]),
    "chain": (ir.Chain(at(Y, 0, 2), at(X, 1, 1), STEPS), [[4, 400], [6, 420]]),
    "product": (ir.Product(at(Y, 0, 1, 1, 1), at(P, 1, 1, 1, 2), at(X, 0, 1, 2, 1)), [[[[5, 50]]]]),
    "product with a bias": (
        ir.Product(at(Y, 0, 1, 1, 1), at(P, 1, 1, 1, 2), at(X, 0, 1, 2, 1), bias=at(P, 4, 1, 1)),
        [[[[9, 54]]]],
    ),
    "product summed over examples": (
        ir.Product(at(S, 0, 1, 1, 1), at(X, 0, 1, 1, 1), at(X, 1, 1, 1, 1), (False, True)),
        [[[202]]],
    ),
    "pairwise": (ir.Pairwise(at(Y, 0, 1, 1, 1), at(X, 0, 1, 1, 2), at(X, 2, 1, 1, 2), (False, True)), [[[[11, 1100]]]]),
    "gather": (ir.Gather(at(Y, 0, 3), at(X, 1, 4), rows(3, 0, 0)), [[5, 50], [2, 20], [2, 20]]),
    "scatter": (ir.Scatter(at(Y, 0, 2), at(X, 0, 2), rows(1, 0)), [[2, 20], [1, 10]]),
    "take": (ir.Take(at(Y, 0, 2, 1), at(P, 0, 2, 2), at(X, 5, 1)), [[[0, 1]], [[2, 3]]]),
    "put": (ir.Put(at(S, 0, 1, 3), at(X, 0, 1, 1), at(X, 5, 1)), [[1, 10, 0]]),
    "pick": (ir.Pick(at(Y, 0, 1), at(X, 0, 1, 2), at(X, 5, 1)), [[1, 20]]),
    "pick from what examples share": (ir.Pick(at(Y, 0, 1), at(P, 3, 1, 2), at(X, 5, 1)), [[3, 4]]),
    "place": (ir.Place(at(Y, 0, 1, 2), at(X, 0, 1), at(X, 5, 1)), [[[1, 0], [0, 10]]]),
    "place in what examples share": (ir.Place(at(S, 0, 1, 2), at(X, 0, 1), at(X, 5, 1)), [[1, 10]]),
}


@pytest.mark.parametrize("name", MEANING)
def test_what_an_instruction_means(name: str) -> None:
    instruction, expected = MEANING[name]
    memory = Memory(2, given=dict(GIVEN))
    memory.execute([instruction], 0.5)
    got = memory.read(instruction.out)
    np.testing.assert_array_equal(got, expected)


def test_a_sweep_completes_the_cotangents_of_steps() -> None:
    """Of x = 2: y0 = x² = 4 and y1 = y0 + x = 6, whose cotangent is 1. That of y0 becomes 1, that of x is 1 + 2x."""
    received = STEPS.differentiate(np.array([False, True]), np.ones(3, bool))
    memory = Memory(1, given={S: np.array([2.0, 4.0, 6.0, np.nan, np.nan, 1.0])})
    memory.execute([ir.Sweep(at(S, 3, 1), at(S, 4, 2), at(S, 0, 1), at(S, 1, 2), received)])
    assert memory.of(S)[3] == 5.0


def test_all_kinds_have_a_meaning_here() -> None:
    kinds = {type(instruction) for instruction, _ in MEANING.values()} | {ir.Sweep, ir.Project}
    assert kinds == {*ir.Instruction.__args__}


def test_what_must_be_finite_is_looked_at() -> None:
    infinite = Memory(1, given={P: np.full(6, np.inf)})
    for kind in (ir.Product, ir.Pairwise):
        with pytest.raises(NotFiniteError):
            infinite.execute([kind(at(S, 0, 1, 1, 1), at(P, 0, 1, 1, 1), at(P, 0, 1, 1, 1), finite=(at(P, 0, 1),))])


def test_a_peak_is_finite() -> None:
    """So that what it shifts stays what it is: exp(inf - largest) is inf, not NaN."""
    memory = Memory(1, given={P: np.array([1.0, np.inf, -np.inf, -np.inf, 0.0, 0.0])})
    memory.execute([ir.Peak(at(S, 0, 2), at(P, 0, 2, 2)), ir.Peaks(at(S, 2, 2), at(P, 0, 3), rows(0, 2))])
    largest = float(np.finfo(float).max)
    assert memory.of(S)[:4].tolist() == [largest, -largest, largest, -largest]


# Plans


def test_a_plan_is_plain_data() -> None:
    """A copy from a pickle is the same plan, and another process can run it."""
    plan = planned(lambda x: math.logsumexp([math.tanh(a * x[0]), x[1], 2.0]) * b, 2, reduction="mean")
    again = pickle.loads(pickle.dumps(plan))
    assert str(again) == str(plan)
    theta, x = np.array([0.5, 2.0]), np.array([[1.0, 2.0], [3.0, 4.0]])
    for executor in (Numpy, Reference):
        value, slopes = executor(again).step(2)(theta, x, True)
        expected, gradient = executor(plan).step(2)(theta, x, True)
        assert (value, slopes.tolist()) == (expected, gradient.tolist())
    with pytest.raises(AttributeError):
        plan.theta = Space("theta", batched=False)  # type: ignore[misc]  # it is frozen, which is what is tested


def test_a_plan_prints_its_instructions() -> None:
    plan = planned(lambda x: math.exp(a * x[0]), 1, reduction="sum")
    assert str(plan) == (
        "forward:\n    v[0:1] = mul(theta[0:1], x[0:1])\n    v[1:2] = exp(v[0:1])\n"
        "once:\n    d_v[1:2] = seed()\n"
        "backward:\n    d_v[0:1] = mul(d_v[1:2], v[1:2])\n    t[0:1] = mul(d_v[0:1], x[0:1])\n"
        "    d_theta[0:1] = sum(t[0:1], over_batch)\n"
    )
    assert Reference(plan).source.splitlines() == [line.strip() for line in str(plan).splitlines() if line.startswith(" ")]


def test_long_rows_are_cut_in_the_text() -> None:
    text = str(ir.Gather(at(Y, 0, 14), at(X, 0, 6), np.zeros(14, int)))
    assert text == "y[0:14] = gather(x[0:6], rows=[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, …])"


def test_hooks_see_each_plan() -> None:
    seen: list[Plan] = []
    lowering.hooks.append(seen.append)
    try:
        made = Program(recorded(lambda x: a * x[0], 1), [Input("x", 1, whole=False)], [], "sum", np.dtype(float))
    finally:
        lowering.hooks.remove(seen.append)
    assert seen == [made.plan]


@pytest.mark.parametrize("executor", [Numpy, Reference])
def test_the_gradient_by_an_input_is_that_of_each_example(executor: Callable[[Plan], Any]) -> None:
    """(x² + a y)' by x and y is 2x and a, for each example by itself; the last root is the one that is differentiated."""
    graph = recorded(lambda x: [x[0] * x[0] + a * x[1]], 2)
    plan = lower(graph, [Input("x", 2, whole=False)], [], "sum", by=0)
    value, slopes = executor(plan).step(2)(np.array([7.0]), np.array([[1.0, 2.0], [3.0, 4.0]]), True)
    assert value == 1 + 14 + 9 + 28
    assert slopes.tolist() == [[2.0, 7.0], [6.0, 7.0]]


def test_a_program_runs_on_another_executor() -> None:
    at_work = Program(recorded(lambda x: math.exp(a * x[0]), 1), [Input("x", 1, whole=False)], [], "mean", np.dtype(float))
    before = at_work.run(np.array([0.5]), [np.array([[2.0]])], 1)
    at_work.use(Reference)
    value, slopes = at_work.run(np.array([0.5]), [np.array([[2.0]])], 1)
    assert (value, slopes.tolist()) == (before[0], before[1].tolist())
    assert value == pytest.approx(python_math.e)
    assert "seed()" in at_work.source
