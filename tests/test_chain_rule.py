"""The two sweeps against each other, against finite differences, and against an engine that shares no code with them."""

from __future__ import annotations

import math as python_math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from autograd import GraphError, Value, directional, gradcheck, gradient, math, no_grad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDING = 1e-10  # relative: some hundred operations, each good to a few 1e-16, with room for cancellation


def random_graph(rng: random.Random, leaves: Sequence[Any], size: int) -> Any:
    """The last of ``size`` smooth operations on what came before: works on Values and on floats alike."""
    made = list(leaves)
    for _ in range(size):
        a, b = rng.choice(made), rng.choice(made)
        made.append(
            rng.choice(
                [
                    lambda a=a, b=b: a + b,
                    lambda a=a, b=b: a - 2.0 * b,
                    lambda a=a, b=b: math.tanh(a) * b,
                    lambda a=a, b=b: a / (b * b + 1.0),
                    lambda a=a: math.sin(a),
                    lambda a=a: math.sigmoid(a) - a,
                    lambda a=a: math.sqrt(a * a + 1.0),
                    lambda a=a, b=b: math.sumprod([math.cos(a), b], [b, 0.5]),
                    lambda a=a, b=b: math.logsumexp([math.sin(a), b]),
                ]
            )()
        )
    return made[-1] + math.fsum(made[-5:])


@pytest.mark.parametrize("seed", range(200))
def test_forward_and_reverse_are_transposes(seed: int) -> None:
    """<u, J v> = <Jᵀ u, v> for random directions, on random graphs with several results."""
    rng = random.Random(seed)
    xs = [Value(rng.uniform(-2, 2)) for _ in range(4)]
    ys = [random_graph(rng, xs, rng.randrange(1, 60)) for _ in range(3)]
    v = [rng.gauss(0, 1) for _ in xs]
    u = [rng.gauss(0, 1) for _ in ys]
    pushed = sum(ui * directional(y, xs, v) for ui, y in zip(u, ys, strict=True))
    terms = [ui * g * vi for ui, y in zip(u, ys, strict=True) for g, vi in zip(gradient(y, xs), v, strict=True)]
    assert pushed == pytest.approx(sum(terms), rel=ROUNDING, abs=ROUNDING * sum(map(abs, terms)))


@pytest.mark.parametrize("seed", range(40))
def test_backward_gradient_and_graphs_of_gradients_agree(seed: int) -> None:
    rng = random.Random(seed)
    xs = [Value(rng.uniform(-2, 2)) for _ in range(3)]
    y = random_graph(rng, xs, 40)
    stored = gradient(y, xs)
    recorded = gradient(y, xs, create_graph=True)
    assert [x.grad for x in xs] == [0.0, 0.0, 0.0]
    y.backward()
    assert [x.grad for x in xs] == list(stored)
    assert [g.data for g in recorded] == pytest.approx(stored, rel=ROUNDING, abs=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_first_and_second_order_against_differences(seed: int) -> None:
    numbers = random.Random(seed)

    def f(*xs: Value) -> Value:
        result: Value = random_graph(random.Random(seed), xs, 15)
        return result

    assert gradcheck(f, [Value(numbers.uniform(-1, 1)) for _ in range(2)], rtol=1e-5, order=2)


def test_third_derivative_of_a_product_with_a_zero_factor() -> None:
    a, b, c = Value(0.0), Value(2.0), Value(3.0)
    y = math.prod([a, b, c])
    for x in (a, b, c):
        (y,) = gradient(y, [x], create_graph=True)
    assert y.data == 1.0


def test_multiplying_by_one_or_zero_leaves_no_node_behind() -> None:
    x = Value(3.0)
    (slope,) = gradient(x * x + 5 * x, [x], create_graph=True)  # x + x + 5
    (curvature,) = gradient(slope, [x], create_graph=True)
    assert (slope.data, curvature.data, curvature.is_leaf) == (11.0, 2.0, True)
    assert len([node for node in (slope, *slope.args) if not node.is_leaf]) <= 2
    (minus,) = gradient(-(x.exp()), [x], create_graph=True)
    assert minus.op is not None
    assert minus.op.name == "neg"


def test_mixed_second_derivative_of_a_power_where_its_first_is_zero() -> None:
    """∂²(aᵇ)/∂a∂b at (2, 0) is 1/2 in either order: a mask of ∂/∂a at b = 0 would lose it."""
    a, b = Value(2.0), Value(0.0)
    by_a, by_b = gradient(a**b, [a, b], create_graph=True)
    assert (by_a.data, *gradient(by_a, [b]), *gradient(by_b, [a])) == (0.0, 0.5, 0.5)


@pytest.mark.parametrize("x", [800.0, -800.0, python_math.inf])
def test_second_derivative_of_a_saturated_tanh_is_zero(x: float) -> None:
    v = Value(x)
    (slope,) = gradient(v.tanh(), [v], create_graph=True)
    assert gradient(slope, [v]) == (0.0,)


def test_a_nan_is_not_dropped_with_a_factor_of_zero() -> None:
    x = Value(0.0)
    y = 0.0 * x.sqrt()
    assert python_math.isnan(gradient(y, [x])[0])
    assert python_math.isnan(gradient(y, [x], create_graph=True)[0].data)


def test_derivatives_of_whole_powers_at_zero() -> None:
    x = Value(0.0)
    y = x**2
    for expected in (0.0, 2.0, 0.0, 0.0):
        (y,) = gradient(y, [x], create_graph=True)
        assert y.data == expected


# A state machine. The oracle knows nothing of graphs: it is a dual number that carries the derivatives by every variable.


@dataclass
class Dual:
    """A number and its derivative by each variable, as the forward rules of the calculus book give them."""

    data: float
    slopes: dict[int, float]

    def by(self, key: int) -> float:
        return self.slopes.get(key, 0.0)


def dual_op(name: str, a: Dual, b: Dual) -> Dual:
    x, y = a.data, b.data
    data, by_a, by_b = {
        "+": (x + y, 1.0, 1.0),
        "-": (x - y, 1.0, -1.0),
        "*": (x * y, y, x),
        "/": (x / (y * y + 1.0), 1.0 / (y * y + 1.0), -2.0 * x * y / (y * y + 1.0) ** 2),
        "tanh": (python_math.tanh(x), 1.0 / python_math.cosh(x) ** 2, 0.0),
        "sin": (python_math.sin(x), python_math.cos(x), 0.0),
        "max": (max(x, y), (x > y) + 0.5 * (x == y), (y > x) + 0.5 * (x == y)),
    }[name]
    return Dual(data, {key: by_a * a.by(key) + by_b * b.by(key) for key in {**a.slopes, **b.slopes}})


VALUE_OPS: dict[str, Callable[[Value, Value], Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / (b * b + 1.0),
    "tanh": lambda a, b: a.tanh(),  # noqa: ARG005 - all are called alike
    "sin": lambda a, b: a.sin(),  # noqa: ARG005
    "max": lambda a, b: a.maximum(b),
}


@dataclass
class Pair:
    """A Value and what the oracle says of it; ``stale`` once a variable that it depends on was assigned."""

    value: Value
    dual: Dual
    variable: int | None = None
    stale: bool = False


class Engine(RuleBasedStateMachine):
    """Combine, differentiate, forget, detach, switch recording off, assign: in any order."""

    pairs: Bundle[Pair] = Bundle("pairs")

    @initialize()
    def start(self) -> None:
        self.made: list[Pair] = []
        self.grads: dict[int, float] = {}

    def keep(self, pair: Pair) -> Pair:
        self.made.append(pair)
        return pair

    @rule(target=pairs, number=st.floats(-2, 2))
    def variable(self, number: float) -> Pair:
        key = len(self.made)
        self.grads[key] = 0.0
        return self.keep(Pair(Value(number), Dual(number, {key: 1.0}), variable=key))

    @rule(target=pairs, name=st.sampled_from(sorted(VALUE_OPS)), a=pairs, b=pairs)
    def combine(self, name: str, a: Pair, b: Pair) -> Pair:
        stale = a.stale or (b.stale and name not in {"tanh", "sin"})
        if abs(a.dual.data) > 1e6 or abs(b.dual.data) > 1e6:
            name = "tanh"
            stale = a.stale
        return self.keep(Pair(VALUE_OPS[name](a.value, b.value), dual_op(name, a.dual, b.dual), stale=stale))

    @rule(target=pairs, name=st.sampled_from(sorted(VALUE_OPS)), a=pairs)
    def combine_with_itself(self, name: str, a: Pair) -> Pair:
        return self.combine(name, a, a)

    @rule(target=pairs, a=pairs, b=pairs)
    def without_grad(self, a: Pair, b: Pair) -> Pair:
        with no_grad():
            value = a.value + b.value
        return self.keep(Pair(value, Dual(a.dual.data + b.dual.data, {})))

    @rule(target=pairs, a=pairs)
    def detached(self, a: Pair) -> Pair:
        return self.keep(Pair(a.value.detach(), Dual(a.dual.data, {})))

    @rule(a=pairs, gradient_of_result=st.sampled_from([1.0, -2.5, 0.0]))
    def backward(self, a: Pair, gradient_of_result: float) -> None:
        if a.stale:
            with pytest.raises(GraphError, match="assigned after"):
                a.value.backward()
        elif a.value.op is not None and a.value.is_leaf:
            with pytest.raises(GraphError, match="constant"):
                a.value.backward()
        else:
            a.value.backward(gradient_of_result)
            for key, slope in a.dual.slopes.items():
                self.grads[key] += gradient_of_result * slope

    @rule(a=pairs)
    def returned(self, a: Pair) -> None:
        variables = [pair for pair in self.made if pair.variable is not None]
        xs = [pair.value for pair in variables]
        if a.stale:
            with pytest.raises(GraphError, match="assigned after"):
                gradient(a.value, xs)
        else:
            expected = [a.dual.by(pair.variable or 0) for pair in variables]
            assert gradient(a.value, xs) == pytest.approx(expected, rel=ROUNDING, abs=1e-9)

    @rule(a=pairs)
    def forget(self, a: Pair) -> None:
        if a.variable is not None:
            a.value.zero_grad()
            self.grads[a.variable] = 0.0

    @rule(a=pairs, number=st.floats(-2, 2))
    def assign(self, a: Pair, number: float) -> None:
        if a.variable is None:
            return
        a.value.data = number
        a.dual.data = number
        for pair in self.made:
            if pair is not a and a.variable in pair.dual.slopes and pair.variable is None:
                pair.stale = True

    @invariant()
    def agrees(self) -> None:
        for pair in getattr(self, "made", []):
            if not pair.stale:
                assert pair.value.data == pytest.approx(pair.dual.data, rel=ROUNDING, abs=1e-12)
            if pair.variable is not None:
                grad = self.grads[pair.variable]
                assert pair.value.grad == pytest.approx(grad, rel=1e-9, abs=1e-9)


TestEngine = Engine.TestCase
TestEngine.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
