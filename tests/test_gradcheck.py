"""gradcheck itself: every injected fault is found and named, and nothing sound is accused."""

from __future__ import annotations

import inspect
import math as python_math
import random
from typing import TYPE_CHECKING, Any

import pytest

import autograd.functional
from autograd import AutogradError, GradcheckError, Value, chain_rule, gradcheck, gradient, math, ops
from autograd.gradcheck import _extrapolated

if TYPE_CHECKING:
    from collections.abc import Callable

FAULTS: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "flipped sign": lambda p: (-p[0], *p[1:]),
    "dropped factor": lambda p: (1.0, *p[1:]),
    "swapped operands": lambda p: p[::-1] if len(p) > 1 else (p[0] + 0.3,),
    "dropped argument": lambda p: (*p[:-1], 0.0),
    "1 % off": lambda p: (*p[:-1], 1.01 * p[-1]),
}
USES: dict[ops.Op, Callable[..., Any]] = {
    ops.mul: lambda a, b: math.sin(a) + a * b,
    ops.div: lambda a, b: math.exp(a) - a / b,
    ops.power: lambda a, b: a**b + b,
    ops.atan2: lambda a, b: math.atan2(a, b) * 2.0,
    ops.hypot: lambda a, b: math.hypot(a, b) - a,
    ops.dot: lambda a, b: math.sumprod([a, 0.5], [b, b]),
    ops.logsumexp: lambda a, b: math.logsumexp([a, 2.0 * b]),
    ops.tanh: lambda a, b: (a * b).tanh(),
    ops.sigmoid: lambda a, b: math.sigmoid(a - b),
    ops.sqrt: lambda a, b: math.sqrt(a * b),
    ops.lgamma: lambda a, b: math.lgamma(a + b),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("row", USES, ids=lambda row: row.name)
def test_a_wrong_rule_is_found_and_named(row: ops.Op, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [Value(1.3, "a"), Value(0.7, "b")]
    assert gradcheck(USES[row], inputs)
    sound = row.partials

    def wrong(y: Any, *args: Any) -> tuple[Any, ...]:
        return FAULTS[fault](sound(y, *args))

    monkeypatch.setattr(row, "partials", wrong)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(USES[row], inputs)
    assert f"The first wrong rule is that of {row!r}: at (" in str(caught.value)


@pytest.mark.parametrize(
    ("sound", "wrong"),
    [
        ("a._grad += ", "a._grad = "),
        ("b._grad += ", "b._grad = "),
        ("arg._grad += ", "arg._grad = "),
        ("a._grad += node._grad * by_a", "a._grad += by_a"),
        ("zip(args, partials", "zip(args[:1], partials[:1]"),
        ("_grad = gradient", "_grad = -gradient"),
    ],
)
def test_a_wrong_sweep_is_found_and_no_rule_is_blamed(sound: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.getsource(chain_rule.reverse)
    assert sound in source
    namespace = dict(vars(chain_rule))
    exec(source.replace(sound, wrong), namespace)  # noqa: S102 - the sweep with one fault in it

    def fn(a: Value, b: Value) -> Value:
        return a * b + b * a + (a * a).tanh() + math.sumprod([a, b], [b, a]) + (b.exp() * a).sin()

    assert gradcheck(fn, [Value(1.3), Value(0.7)])
    monkeypatch.setattr(autograd.functional, "reverse", namespace["reverse"])
    with pytest.raises(GradcheckError, match="Every rule used fits its own function, .* or a sweep is wrong"):
        gradcheck(fn, [Value(1.3), Value(0.7)])


def test_a_wrong_forward_sweep_is_told_from_the_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autograd.functional, "forward", lambda order, tangents: 0.0)  # noqa: ARG005 - as it is called
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x: x * x, Value(3.0))
    assert "forward" in str(caught.value)
    assert "reverse" not in str(caught.value)


def test_the_table_of_mismatches() -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x, y: [x + y, x.data * x], [Value(3.0, "x"), Value(2.0, "y")])
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 derivatives do not fit"
    for title in ("output", "input", "label", "value", "sweep", "analytic", "numeric", "abs error", "rel error", "step"):
        assert title in lines[1]
    assert lines[2].split()[:8] == ["1", "0", "x", "3", "reverse", "3", "6", "3"]
    assert lines[3].split()[:6] == ["1", "0", "x", "3", "forward", "3"]
    assert "was .data read, or detach() called, on the way?" in lines[4]


@pytest.mark.parametrize(
    ("fn", "x", "left", "right"),
    [
        (math.relu, 0.0, "0", "1"),
        (abs, 0.0, "-1", "1"),
        (lambda x: math.maximum(x, 2.0), 2.0, "0", "1"),
        (lambda x: 3 * math.clip(x, -1.0, 1.0), 1.0, "3", "0"),
    ],
)
def test_a_kink_is_reported_as_a_kink(fn: Callable[[Any], Any], x: float, left: str, right: str) -> None:
    with pytest.raises(GradcheckError, match=rf"kink in input 0 \(v = {x}\): slope {left} on the left, {right} on the right"):
        gradcheck(fn, Value(x, "v"))


@pytest.mark.parametrize("x", [1e-5, -1e-4, 1e-3, 0.5])
def test_a_kink_nearby_is_none(x: float) -> None:
    assert gradcheck(abs, Value(x))


def test_the_edge_of_the_domain_is_no_wrong_rule() -> None:
    with pytest.raises(GradcheckError, match=r"not finite on both sides of input 0 \(x = 0\.0\): move the point"):
        gradcheck(math.sqrt, Value(0.0))
    assert gradcheck(math.log, Value(1e-4))


def test_a_step_that_cannot_be_differentiated_does_not_pass() -> None:
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x * 0.0 + float(x.data > 0.2), Value(0.2))


def test_randomness_is_reported() -> None:
    rng = random.Random(0)
    with pytest.raises(GradcheckError, match="different results for the same inputs"):
        gradcheck(lambda x: x * rng.random(), Value(1.0))


def test_nested_inputs_and_outputs() -> None:
    def fn(weights: list[list[Value]], scale: float, bias: Value) -> list[Any]:
        return [[w * scale + bias for w in row] for row in weights] + [bias.exp()]

    assert gradcheck(fn, [[[Value(1.0), Value(2.0)], [Value(3.0)]], 2.5, Value(0.1)])


def test_second_order_is_checked() -> None:
    def without_graph(_: Any, a: Any) -> tuple[Any, ...]:
        return (3.0 * (a.data if isinstance(a, Value) else a) ** 2,)

    def cube(a: Any) -> Any:
        return a**3

    curved = ops.Op("curved", "curved", cube, cube, without_graph, ops.REAL)
    assert gradcheck(curved, Value(2.0))
    with pytest.raises(GradcheckError):
        gradcheck(curved, Value(2.0), order=2)
    assert gradcheck(lambda x, y: x.exp() * y.sin(), [Value(0.3), Value(0.4)], order=3)


@pytest.mark.parametrize("fn", [lambda x: 1e12 + x.detach(), lambda x: 1e10 + 0.95 * x + 0.05 * x.detach()])
def test_differences_that_drown_in_rounding_prove_nothing(fn: Callable[[Any], Any]) -> None:
    with pytest.raises(GradcheckError):
        gradcheck(fn, Value(1.0))


@pytest.mark.parametrize(
    ("fn", "x"),
    [(lambda x: 1 / x, 1e-7), (math.log, 1e-8), (lambda x: math.relu(x) ** 2, 0.0), (lambda x: x * abs(x), 0.0)],
)
def test_poles_nearby_and_kinked_slopes_are_no_faults(fn: Callable[[Any], Any], x: float) -> None:
    assert gradcheck(fn, Value(x))


def test_what_is_no_value_is_not_skipped() -> None:
    with pytest.raises(TypeError, match="to return Values, or lists of them, not float 3.0"):
        gradcheck(lambda x: [x * 1.0, x.data * 3], Value(1.0))
    with pytest.raises(ValueError, match="of order 1 or more, not 0"):
        gradcheck(lambda x: x, Value(1.0), order=0)


def test_inputs_are_left_alone() -> None:
    x = Value(3.0)
    gradcheck(lambda v: v * v, x)
    assert (x.data, x.grad) == (3.0, 0.0)


def test_misuse() -> None:
    with pytest.raises(TypeError, match="at least one Value"):
        gradcheck(lambda x: x, [1.0])
    with pytest.raises(TypeError, match="to return Values"):
        gradcheck(lambda x: x.data, Value(1.0))
    assert issubclass(GradcheckError, AutogradError)
    assert issubclass(GradcheckError, AssertionError)


def test_extrapolation_reaches_what_plain_differences_cannot() -> None:
    """At the default step the largest error is below 5e-13; plain central differences, at their best step, go beyond 1e-11."""
    extrapolated, plain = [], []
    for k in range(200):
        x = -2.0 + 0.02 * k
        for f, slope in ((python_math.sin, python_math.cos), (python_math.exp, python_math.exp)):
            (found,) = _extrapolated(lambda t, f=f: [f(t)], x, [f(x)], 1e-3 * max(abs(x), 1.0))
            size = max(1.0, abs(slope(x)))
            extrapolated.append(abs(found.value - slope(x)) / size)
            plain.append(abs((f(x + 6e-6) - f(x - 6e-6)) / 12e-6 - slope(x)) / size)
    assert max(extrapolated) < 5e-13
    assert max(plain) > 1e-11


def smooth(rng: random.Random, xs: list[Value]) -> Value:
    made: list[Any] = list(xs)
    for _ in range(rng.randrange(1, 7)):
        a, b = rng.choice(made), rng.choice(made)
        made.append(
            rng.choice(
                [
                    lambda a=a, b=b: a + b,
                    lambda a=a, b=b: a - b,
                    lambda a=a, b=b: a * b,
                    lambda a=a, b=b: a / (b * b + 1.0),
                    lambda a=a: math.sin(a),
                    lambda a=a: math.tanh(a),
                    lambda a=a: math.exp(math.sin(a)),
                    lambda a=a: a**3,
                    lambda a=a: math.log(a * a + 0.5),
                    lambda a=a: math.sigmoid(5.0 * a),
                    lambda a=a: 30.0 * a,
                    lambda a=a: a - 30.0,
                ]
            )()
        )
    return made[-1] * rng.choice([1e-6, 1.0, 1e6]) + rng.choice([0.0, 1e6])


def smooth_function(seed: int) -> Callable[..., Value]:
    return lambda *xs: smooth(random.Random(seed), list(xs))


@pytest.mark.parametrize("block", range(20))
def test_no_false_alarm_in_ten_thousand_smooth_functions(block: int) -> None:
    for seed in range(500 * block, 500 * (block + 1)):
        rng = random.Random(-seed - 1)
        inputs = [Value(rng.uniform(-3, 3)) for _ in range(rng.randrange(1, 3))]
        assert gradcheck(smooth_function(seed), inputs), seed


def test_agrees_with_gradient() -> None:
    x = Value(3.0)
    assert gradcheck(lambda v: v**2, x)
    assert gradient(x**2, [x]) == (6.0,)
