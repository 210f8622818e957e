"""gradcheck itself: every injected fault is found and named, and nothing sound is accused."""

from __future__ import annotations

import inspect
import math as python_math
import random
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import autograd.functional
from autograd import AutogradError, GradcheckError, Value, chain_rule, gradcheck, gradient, math, ops
from autograd.gradcheck.slopes import extrapolated

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
    with pytest.raises(GradcheckError, match="Every rule used fits its own function[.] .* or a sweep is wrong"):
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
    assert "does fn read .data or call detach()?" in lines[4]


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
def test_a_kink_nearby_does_not_matter(x: float) -> None:
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


def test_outputs_that_are_not_values_are_refused() -> None:
    with pytest.raises(TypeError, match="to return Values, or lists of them, not float 3.0"):
        gradcheck(lambda x: [x * 1.0, x.data * 3], Value(1.0))
    with pytest.raises(ValueError, match="expects order to be a whole number from 1 to 20, not 0"):
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
    ours, plain = [], []
    for k in range(200):
        x = -2.0 + 0.02 * k
        for f, slope in ((python_math.sin, python_math.cos), (python_math.exp, python_math.exp)):
            (found,) = extrapolated(lambda t, f=f: [f(t)], x, [f(x)], 1e-3 * max(abs(x), 1.0))
            size = max(1.0, abs(slope(x)))
            ours.append(abs(found.value - slope(x)) / size)
            plain.append(abs((f(x + 6e-6) - f(x - 6e-6)) / 12e-6 - slope(x)) / size)
    assert max(ours) < 5e-13
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


NEAR_EDGES: list[tuple[Callable[..., Any], list[float]]] = [
    (lambda a: 1 / a, [1e-10]),
    (lambda a: 1 / a, [-1e-100]),
    (lambda a: a**-2, [1e-7]),
    (lambda a: a**0.1, [1e-12]),
    (lambda a, b: a**b, [1e-8, 3.3]),
    (math.log, [0.001]),
    (math.log1p, [-1 + 1e-9]),
    (lambda a: math.log(math.log(a)), [1 + 1e-7]),
    (math.sqrt, [1e-12]),
    (math.tan, [python_math.pi / 2 - 1e-6]),
    (math.tan, [-python_math.pi / 2 + 1e-9]),
    (math.lgamma, [1e-9]),
    (math.lgamma, [-2 + 1e-7]),
    (math.gamma, [-1 - 1e-7]),
    (math.asin, [1 - 1e-6]),
    (math.acos, [-1 + 1e-9]),
    (math.acosh, [1 + 1e-9]),
    (math.atanh, [1 - 1e-9]),
    (math.atan2, [1e-7, -1.0]),
    (lambda a, b: 1 / math.hypot(a, b), [1e-8, 1e-9]),
    (lambda a: math.relu(1 / a), [1e-9]),
    (lambda a: abs(math.log(a)), [1e-8]),
    (lambda a: 1e-9 * abs(a - 1), [1 + 1e-7]),
]
LARGE_SMALL_AND_MIXED: list[tuple[Callable[..., Any], list[float]]] = [
    (math.sin, [1e10]),
    (math.cos, [1e150]),
    (lambda a: (1e-150 * a).sin(), [1e150]),
    (lambda a: 1 + a, [1e-150]),
    (lambda a: 1e-9 * a * a, [3.0]),
    (lambda a: 1e300 * a.sin(), [3.0]),
    (lambda a: 1e-300 * a * a, [3.0]),
    (lambda a, b: 1e10 * a + 1e-10 * b, [1.0, 1.0]),
    (lambda a, b: (a * b).exp() + a / b, [1e-5, 1e5]),
    (lambda a, b, c: a * b * c, [1e-100, 1e100, 1.0]),
    (lambda a, _: a * a, [1.0, 2.0]),
    (lambda a, b: a * a + 0.0 * b, [1.0, 2.0]),
    (lambda a: (a + 1e8) - 1e8, [1.0]),
    (lambda a: 1 - math.cos(a), [1e-5]),
    (lambda a: math.fmod(a, 2.0), [7.3]),
    (math.tanh, [330.0]),
    (math.erf, [10.0]),
    (math.sigmoid, [-600.0]),
    (lambda a, b: math.logsumexp([a, b]), [1000.0, -1000.0]),
]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", range(len(NEAR_EDGES)))
def test_a_right_rule_near_a_pole_or_the_end_of_a_domain_is_not_blamed(case: int, order: int) -> None:
    fn, point = NEAR_EDGES[case]
    assert gradcheck(fn, [Value(x) for x in point], order=order)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", range(len(LARGE_SMALL_AND_MIXED)))
def test_a_right_rule_at_any_scale_is_not_blamed(case: int, order: int) -> None:
    fn, point = LARGE_SMALL_AND_MIXED[case]
    assert gradcheck(fn, [Value(x) for x in point], order=order)


POINTS = [1e-150, 1e-10, 1e-3, 0.3, 1 - 1e-6, 1 + 1e-6, 1.5, 5.5, 100.0, 1e5, 1e10, 1e150, -1e-7, -0.4, -2 + 1e-6, -2.5, -1e10]
UNARY = [row for row in ops.TABLE.values() if row.arity == 1 and any(row.partials(1.0, 1.5))]


@pytest.mark.parametrize("row", UNARY, ids=lambda row: row.name)
def test_every_row_passes_everywhere_and_a_thousandth_more_is_named(row: ops.Op, monkeypatch: pytest.MonkeyPatch) -> None:
    def slope(x: float) -> float:
        y = row.on_floats(x)
        return float(row.partials(y, x)[0]) if python_math.isfinite(y) else python_math.nan

    points = [x for x in POINTS if python_math.isfinite(slope(x))]
    for x in points:
        assert gradcheck(row, Value(x)), x
    steep = [x for x in points if abs(slope(x) * x) > 1e-8 * abs(row.on_floats(x))]
    assert len(steep) >= 3
    sound = row.partials
    monkeypatch.setattr(row, "partials", lambda *args: (1.001 * sound(*args)[0],))
    for x in steep:
        with pytest.raises(GradcheckError) as caught:
            gradcheck(row, Value(x))
        assert f"The first wrong rule is that of {row!r}: at ({x:.6g})" in str(caught.value)


@pytest.mark.parametrize(
    ("fn", "point"),
    [
        (lambda a: 1e-9 * a.detach() ** 2, [3.0]),
        (lambda a: 1e-9 * a.detach() * a, [3.0]),
        (lambda a: 1e9 * a.detach() ** 2, [3.0]),
        (lambda a: 1e-300 * a.detach() ** 2, [3.0]),
        (lambda a: a.detach() * a, [1e-30]),
        (lambda a: 1 / a.detach(), [1e-10]),
        (lambda a: math.log(a.detach()), [1e-8]),
        (lambda a: 1 + a.detach(), [1e-10]),
        (lambda a: Value(abs(a.data)), [1e-5]),
        (lambda a, b: 1e10 * a + 1e-10 * b.detach(), [1.0, 1.0]),
        (lambda a: 1e17 + a.detach(), [1.0]),
        (lambda a: (1e12 + a.detach()) - 1e12 + a, [1.0]),
    ],
)
def test_a_missing_gradient_is_found_at_any_scale(fn: Callable[..., Any], point: list[float]) -> None:
    with pytest.raises(GradcheckError, match=r"do not fit[^!]*either the graph is not that of fn"):
        gradcheck(fn, [Value(x) for x in point])


@pytest.mark.parametrize(
    ("fn", "x"),
    [
        (lambda a: a * a if a.data > 0 else 0.0 * a, 1e-3),
        (lambda a: a * a if a.data > 0 else 0.0 * a, -3.0),
        (lambda a: 5.0 + (a * a if a.data > 0 else 0.0 * a), -3.0),
        (lambda a: 1 / a if a.data > 0 else -1 / a, 1e-10),
    ],
)
def test_a_branch_elsewhere_is_no_missing_gradient(fn: Callable[[Any], Any], x: float) -> None:
    assert gradcheck(fn, Value(x))


def test_fn_is_asked_within_its_domain_only() -> None:
    """Steps stop where it raises what Python's functions raise outside of theirs."""

    def logit(p: Value) -> Value:
        if not 0.0 <= p.data <= 1.0:
            msg = "a probability must be between 0 and 1"
            raise ValueError(msg)
        return math.log(p / (1 - p))  # type: ignore[no-any-return]  # of a Value

    for p in (0.5, 0.9, 1 - 1e-6, 1e-10):
        assert gradcheck(logit, Value(p), order=2)
    with pytest.raises(GradcheckError, match="do not fit"):
        gradcheck(lambda p: logit(p.detach()), Value(1 - 1e-3))
    with pytest.raises(GradcheckError, match=r"not finite on both sides of input 0 \(i = 1\.0\)"):
        gradcheck(lambda i: math.select([3.0, 4.0], i), Value(1.0, "i"))


def test_as_many_outputs_nearby() -> None:
    with pytest.raises(GradcheckError, match="returns 1 Values at the point, and 2 nearby: it has no derivative"):
        gradcheck(lambda a: [a] if a.data <= 1.0 else [a, a], Value(1.0))


@pytest.mark.parametrize("fn", [lambda a: 1e-9 * abs(a), lambda a: 1 + abs(a), lambda a: math.sqrt(a * a)])
def test_a_kink_is_reported_at_any_scale(fn: Callable[[Any], Any]) -> None:
    with pytest.raises(GradcheckError, match=r"no derivative at this point: output 0 has a kink in input 0 \(x = 0\.0\)"):
        gradcheck(fn, Value(0.0))


@pytest.mark.parametrize(
    ("fn", "x", "flaw"),
    [
        (lambda a: a * 0.0 + float(a.data > 0.2), 0.2, "jumps, or is too rough to have a slope, at input 0"),
        (lambda a: 1 / a, 0.0, "not finite on both sides of input 0"),
        (math.log, -1.0, "not finite on both sides of input 0"),
        (lambda a: a, python_math.nan, "not finite on both sides of input 0"),
        (lambda a: a, python_math.inf, "not finite on both sides of input 0"),
    ],
)
def test_where_there_is_no_slope_it_says_why(fn: Callable[[Any], Any], x: float, flaw: str) -> None:
    with pytest.raises(GradcheckError, match=flaw):
        gradcheck(fn, Value(x))


def test_a_convention_at_a_kink_is_no_wrong_rule() -> None:
    """relu(x) - relu(-x) is x, but both rows say 0 there."""
    with pytest.raises(GradcheckError, match=r"No rule is wrong, but relu \(ReLU\) has no slope at \(0\): .* a convention"):
        gradcheck(lambda a: math.relu(a) - math.relu(-a), Value(0.0))


def test_a_complex_step_loses_no_digits() -> None:
    assert gradcheck(lambda a, b: math.tan(a) * math.exp(b) / a, [Value(1.5707), Value(-3.0)], rtol=1e-11)


class Line(NamedTuple):
    slope: Any
    shift: Any


def test_dicts_and_arrays_of_values() -> None:
    array = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    assert gradcheck(lambda a: a @ a, array)
    assert gradcheck(lambda a, s: s * np.exp(a).sum(), [array, Value(0.5)], order=2)
    assert gradcheck(lambda p: {"y": p["w"] * p["b"][0], "z": p["b"]}, {"w": Value(2.0), "b": [Value(3.0)], "name": "f"})
    assert gradcheck(lambda d: d.popitem()[1] * 2, OrderedDict(z=Value(1.0), a=Value(2.0)))
    assert gradcheck(lambda line, x: line.slope * x + line.shift, [Line(Value(2.0), 1.0), Value(3.0)])
    assert array[0, 0].data == 1.0
    for inputs in ({"w": Value(2.0)}, [{"w": Value(2.0)}]):
        with pytest.raises(GradcheckError, match="do not fit"):
            gradcheck(lambda p: p["w"] * p["w"].detach(), inputs)


@pytest.mark.parametrize("nothing", [None, [], (), {}, np.array([], dtype=object)])
def test_a_function_that_returns_nothing_is_refused(nothing: Any) -> None:
    with pytest.raises(TypeError, match="expects fn to return"):
        gradcheck(lambda _: nothing, Value(1.0))


def test_nested_in_itself() -> None:
    endless: list[Any] = [Value(1.0)]
    endless.append(endless)
    with pytest.raises(ValueError, match="what it was given is nested in itself, or more than 100 levels deep"):
        gradcheck(lambda *x: x[0], endless)
    with pytest.raises(ValueError, match="what fn returns is nested in itself, or more than 100 levels deep"):
        gradcheck(lambda _: endless, Value(1.0))


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"rtol": "a"}, TypeError),
        ({"rtol": 1j}, TypeError),
        ({"atol": None}, TypeError),
        ({"order": "2"}, TypeError),
        ({"rtol": -1}, ValueError),
        ({"rtol": python_math.nan}, ValueError),
        ({"atol": 10**400}, ValueError),
        ({"order": 1.5}, ValueError),
        ({"order": 10**400}, ValueError),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match=rf"gradcheck\(\) expects .*{next(iter(settings)) if kind is TypeError else 'not'}"):
        gradcheck(lambda x: x, Value(1.0), **settings)
    with pytest.raises(TypeError, match="expects a function, not int 3"):
        gradcheck(3, Value(1.0))  # type: ignore[arg-type]  # the mistake


def test_tolerances_are_what_they_are_called() -> None:
    """``atol`` is absolute, rtol relative; both default to what no scale can hide behind."""
    assert gradcheck(lambda a: a.detach() * 1e-9, Value(1.0), atol=1e-8)
    assert gradcheck(lambda a: a * 1.001 - 0.001 * a.detach(), Value(1.0), rtol=0.01)
    with pytest.raises(GradcheckError):
        gradcheck(lambda a: a * 1.001 - 0.001 * a.detach(), Value(1.0), rtol=1e-4)


def test_agrees_with_gradient() -> None:
    x = Value(3.0)
    assert gradcheck(lambda v: v**2, x)
    assert gradient(x**2, [x]) == (6.0,)


@pytest.mark.parametrize("x", [3.0, 30.0, 36.0, 50.0, 800.0])
@pytest.mark.parametrize("fn", [math.sigmoid, math.erf, math.tanh])
def test_the_logarithm_of_what_saturates_is_not_blamed(fn: Callable[[Any], Any], x: float) -> None:
    """Mistake: near log 1 = 0 the error of a slope was to be small beside 0, not beside what the logarithm is of."""
    assert gradcheck(lambda a: math.log(fn(a)), Value(x))


@pytest.mark.parametrize("x", [-550896.6383504017, -1234567.3, -40000.7])
def test_differences_over_whole_periods_are_no_slope(x: float) -> None:
    """Mistake: log Γ has a pole at each whole number, and steps of 4, 2 and 1 met none of them: they looked precise."""
    assert gradcheck(math.lgamma, Value(x))
