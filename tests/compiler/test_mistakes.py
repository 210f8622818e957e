"""What users get wrong with ``autograd.compile``: each works, or says what happened and what to write."""

# ruff: noqa: ARG005, PLW0108 - functions as users write them, some of whose arguments count for nothing

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import itertools
import math as python_math
import pickle
import random
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import nn
from autograd import (
    AnomalyError,
    GraphError,
    RecordingError,
    Value,
    compile,  # noqa: A004 - autograd.compile
    detect_anomaly,
    directional,
    gradcheck,
    gradient,
    is_compiling,
    math,
    modes,
    no_grad,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE = [1.0, 2.0, 3.0]
TWO = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
w = Value(2.0, label="w")


@pytest.fixture(autouse=True)
def _nothing_stays_switched_on() -> Iterator[None]:
    """Whatever happens in a recording, the modes and the garbage collector are afterwards as they were."""
    collecting = gc.isenabled()
    yield
    assert not is_compiling()
    assert modes.active.get() == ()
    assert gc.isenabled() == collecting
    w.grad = 0.0
    w.data = 2.0


# What would freeze a number

TRUTH = r"the truth of a Value was asked for.*write autograd\.math\.where\(condition, a, b\), maximum or minimum"
NUMBER = r"a Value was converted to a plain number.*write autograd\.math\.exp\(v\) and the like, or v\.detach\(\)"
INDEX = r"a Value was used as an index.*write autograd\.math\.select\(values, index\)"
DATA = r"the data of a Value was read.*compute with v, or with v\.detach\(\)"
ASKED = r"\(\) was called on a Value.*compute it outside, and pass it"


TWO_VALUES = r"two Values were compared by == or !=.*write autograd\.math\.where\(a - b == 0, x, y\)"
LOOKED_UP = r"looked up a Value in a dict or a set.*select\(values, index\), or where\(v == 0, a, b\)"
TEXT = "a Value was turned into text.*after the call"


def matched(x: Any) -> Any:
    match x:
        case 1:
            return w
        case _:
            return w * x


def assigns(x: Any) -> Any:
    w.data = 3.0
    return w * x


FROZEN: list[tuple[Callable[..., Any], Any, str]] = [
    (lambda x: x if x > 0 else -x, ONE, TRUTH),
    (lambda x: x and w, ONE, TRUTH),
    (lambda x: x or w, ONE, TRUTH),
    (lambda x: w * (not x), ONE, TRUTH),
    (lambda x: w * bool(x), ONE, TRUTH),
    (lambda x: max(x), TWO, TRUTH),
    (lambda x: sorted(x), TWO, TRUTH),
    (lambda x: w if 0 < x < 1 else x, ONE, TRUTH),
    (lambda x: w if w > 0 else x, ONE, TRUTH),
    (lambda x: np.max(x) * w, TWO, TRUTH),
    (lambda x: np.maximum(np.array(x), 0.0)[0] * w, TWO, TRUTH),
    (lambda x: np.clip(x, 0, 1)[0] * w, TWO, TRUTH),
    (lambda x: np.sort(x)[0] * w, TWO, TRUTH),
    (lambda x: np.argmax(x) * w, TWO, TRUTH),
    (lambda x: w * x.data, ONE, DATA),
    (lambda x: w.data * x, ONE, DATA),
    (lambda x: w * x.item(), ONE, DATA),
    (lambda x: w * float(x), ONE, NUMBER),
    (lambda x: w * int(x), ONE, NUMBER),
    (lambda x: w * round(x), ONE, NUMBER),
    (lambda x: w * complex(x), ONE, NUMBER),
    (lambda x: w * python_math.exp(x), ONE, NUMBER),
    (lambda x: w * np.asarray(x, float)[0], TWO, NUMBER),
    (lambda x: w * math.isclose(x, 1.0), ONE, "isclose" + ASKED),
    (lambda x: w * math.modf(x)[0], ONE, "modf" + ASKED),
    (lambda x: w * TWO[x][0], [0, 1], INDEX),
    (lambda x: sum(w for _ in range(x)), [1, 2], INDEX),
    (lambda x: copy.copy(w) * x, ONE, "a Value was copied.*copy it outside"),
    (lambda x: copy.deepcopy([w])[0] * x, ONE, "a Value was copied.*copy it outside"),
    (lambda x: pickle.loads(pickle.dumps(w)) * x, ONE, "a Value was pickled.*pickle it outside"),
    (assigns, ONE, "the data of a Value was assigned.*assign before or after the call"),
    (lambda x: (w * x).backward(), ONE, r"backward\(\) in a function.*differentiate what the compiled function returns"),
    (lambda x: gradient(w * x, [x])[0], ONE, r"gradient\(\) without a graph.*add create_graph=True"),
    (lambda x: w * directional(w * x, [x], [1.0]), ONE, r"directional\(\) in a function.*gradient\(y, xs, create_graph=True\)"),
    (lambda x: gradcheck(math.exp, [x]) * w, ONE, DATA),
    # Equality
    (lambda x: w * x if x == 1 else -w * x, ONE, TRUTH),
    (lambda x: w * x if x != 1 else -w * x, ONE, TRUTH),
    (lambda x: w * x if w == 2 else -w * x, ONE, TRUTH),
    (lambda x: w * x if np.float64(1.0) == x else w, ONE, TRUTH),
    (lambda x: w * (x in (0, 1)), ONE, TRUTH),
    (lambda x: w * (1 not in x), TWO, TRUTH),
    (lambda x: w * x.count(1), TWO, TRUTH),
    (lambda x: w * x.index(1), TWO, TRUTH),
    (lambda x: x.remove(1), TWO, TRUTH),
    (lambda x: w * (np.array(x) == 1), TWO, TRUTH),
    (lambda x: w * np.count_nonzero(np.array(x) != 1), TWO, TRUTH),
    (lambda x: w * np.unique(x)[0], TWO, TRUTH),
    (lambda x: w * np.where(np.array(x) == 1, 1.0, 2.0)[0], TWO, TRUTH),
    (lambda x: w * np.any(x), TWO, TRUTH),
    (lambda x: w * np.sign(np.array(x))[0], TWO, TRUTH),
    (matched, ONE, TRUTH),
    (lambda x: w * (x[0] == x[1]), TWO, TWO_VALUES),
    (lambda x: w * (x[0] != x[1]), TWO, TWO_VALUES),
    (lambda x: w * (x == Value(1.0)), ONE, TWO_VALUES),
    (lambda x: w * (x * 2.0 in [w, w + x]), ONE, TWO_VALUES),
    (lambda x: w * np.array_equal(x, [w, w]), TWO, TWO_VALUES),
    (lambda x: w * {0.0: 1.0, 1.0: 2.0}[x], ONE, LOOKED_UP),  # type: ignore[index]  # a mistake
    (lambda x: {0.0, 1.0}.remove(x), ONE, LOOKED_UP),
    # Text
    (lambda x: w * len(f"{x}"), ONE, TEXT),
    (lambda x: w * len(f"{w:.2f}"), ONE, TEXT),
    (lambda x: w * float(str(x)), ONE, TEXT),
    (lambda x: w * len("%s" % x), ONE, TEXT),  # noqa: UP031 - as people write
    (lambda x: w * len(format(x, ".3f")), ONE, TEXT),
    (lambda x: w * {"1.0": 2.0}.get(str(x), 3.0), ONE, TEXT),
    (lambda x: print(x), ONE, TEXT),  # noqa: T201 - as people write
    # Gradients
    (lambda x: w * x * w.grad, ONE, "the grad of a Value was read.*create_graph=True"),
    (lambda x: w.zero_grad() or w * x, ONE, "the grad of a Value was assigned.*before or after the call"),
    (lambda x: gradient(x * w, [Value(1.0)], create_graph=True)[0], ONE, "by a Value that was made inside.*test_mistakes.py"),
]


def test_a_dict_that_lacks_another_key_says_so() -> None:
    with pytest.raises(KeyError, match="'b'"):
        compile(lambda x: w * x * {"a": 1.0}["b"])(ONE)


@pytest.mark.parametrize(("fn", "examples", "message"), FROZEN)
@pytest.mark.parametrize("batch", [1, 2])
def test_what_would_freeze_a_number_is_refused(fn: Any, examples: Any, message: str, batch: int) -> None:
    """With one example as with two: nothing is left to a comparison of their results."""
    with pytest.raises(RecordingError, match=f"(?s)^.*{message}"):
        compile(fn)(examples[:batch])
    with pytest.raises(TypeError):  # which RecordingError is, too
        compile(fn)(examples[:batch])


def counted() -> Callable[[Any], Any]:
    count = itertools.count(1)
    return lambda x: w * x * next(count)


def remembered() -> Callable[[Any], Any]:
    last = [Value(0.0)]

    def fn(x: Any) -> Any:
        last[0] = w * x + last[0]
        return last[0]

    return fn


@pytest.mark.parametrize("make", [counted, remembered, lambda: lambda x: w * x * random.random()])
def test_what_differs_when_it_is_called_again_is_refused(make: Any) -> None:
    """Random numbers, counters, state: the recording is checked against a second call."""
    with pytest.raises(
        RecordingError, match=r"(?s)gives .* for example 0; called again, .*Pass what changes .* as an argument"
    ):
        compile(make())([1.0])


def test_a_result_of_another_form_is_refused() -> None:
    count = itertools.count(1)
    grows = compile(lambda x: [w * x] * next(count), reduction=None)
    with pytest.raises(
        RecordingError, match=r"returns \['number'\]; called again, \['number', 'number'\]\. Its result does not depend"
    ):
        grows([1.0])


# What may be done with Values all the same


def test_the_repr_of_a_value_is_for_messages_and_holds_no_number() -> None:
    seen = []

    def fn(x: Any) -> Any:
        seen.append(f"{x!r} {Value(1.0, 'b')!r}")
        return w * x

    assert compile(fn)(ONE).data == 4.0
    assert seen[0] == "<Value, while a function is recorded> <Value label='b', while a function is recorded>"


def test_equality_with_a_number_is_recorded() -> None:
    """Mistake: ``==`` was False for all examples, and the labels of half of them were wrong."""
    inputs, targets = [0.5, -1.0, 2.0], [1.0, 0.0, 1.0]
    loss = compile(lambda x, t: math.where(t == 1, w * x, -w * x), reduction=None)
    assert loss(inputs, targets).tolist() == [1.0, 2.0, 4.0]
    loss = compile(lambda x, t: math.where(t != 1, w * x, -w * x), reduction=None)
    assert loss(inputs, targets).tolist() == [-1.0, -2.0, -4.0]
    loss = compile(lambda x, t: w * x * (1 == t), reduction=None)  # noqa: SIM300 - the reflected method
    assert loss(inputs, targets).tolist() == [1.0, 0.0, 4.0]
    assert compile(lambda x: math.where(x == w, 1.0, 0.0) if x is w else w * x)([1.0]).data == 2.0


def test_no_gradient_flows_through_equality() -> None:
    """Nor does 0 times an infinity."""
    compile(lambda x: (w * x[0] - x[1] == 0) * x[0] + w * (w * x[1] != 2.0))([[1.0, 1.0], [2.0, 3.0]]).backward()
    assert w.grad == 0.5
    w.zero_grad()
    compile(lambda x: math.where(math.sqrt(w - 2.0) - x == 0.0, 3.0 * w, w))([0.0, 1.0]).backward()
    assert w.grad == 2.0
    w.zero_grad()


def test_the_removable_singularity() -> None:
    sinc = compile(lambda x: math.where(x == 0, 1.0, math.sin(x) / math.where(x == 0, 1.0, x)) * w, reduction=None)
    np.testing.assert_allclose(sinc([0.0, 1.0]), [2.0, 2.0 * python_math.sin(1.0)], rtol=1e-15)


def test_parameters_are_themselves_in_a_recorded_function() -> None:
    """Two Values of which none depends on an example are compared by identity, as in eager code."""
    v = Value(2.0)
    fn = compile(lambda x: w * x if w in [v, w] and v != w and v * 2.0 != w * 2.0 else -w * x)
    assert fn([1.0]).data == 2.0
    assert compile(lambda x: w * x if x in [x, w] and [x, w].index(x) == 0 else w)([3.0]).data == 6.0


def test_a_value_of_a_value_is_that_value() -> None:
    """What converts plain numbers in eager code meets Values in a recording."""
    loss = compile(lambda x: Value(x * w) * Value(x, "x"))
    result = loss([1.0, 3.0])
    result.backward()
    assert (result.data, w.grad) == (10.0, 5.0)
    w.zero_grad()


def test_a_value_that_is_made_inside_is_a_constant() -> None:
    """A sum that starts from Value(0.0), as micrograd's users write it."""

    def fn(x: Any) -> Any:
        total = Value(0.0)
        for _ in range(3):
            total = total + w * x
        return total * Value(2) - Value(1.0).detach()

    result = compile(fn)([1.0, 2.0])
    result.backward()
    assert (result.data, w.grad) == (17.0, 9.0)
    w.zero_grad()
    assert compile(lambda _: Value(3.0))([1.0, 2.0]).data == 3.0


def test_a_value_that_is_made_inside_and_kept_is_a_parameter() -> None:
    """Made at the first call and trained from then on."""
    kept: dict[str, Value] = {}

    def fn(x: Any) -> Any:
        if "b" not in kept:
            kept["b"] = Value(3.0, "b")
        return w * x + kept["b"]

    compiled = compile(fn)
    compiled([1.0]).backward()
    assert kept["b"].grad == 1.0
    kept["b"].data = 10.0
    assert compiled([1.0]).data == 12.0


def test_a_value_that_is_made_inside_and_kept_out_of_sight_is_refused_with_its_line() -> None:
    """It would stay what it was."""

    @functools.lru_cache
    def kept() -> Value:
        return Value(3.0, "b")

    line = kept.__wrapped__.__code__.co_firstlineno + 2
    match = rf"a Value of 3\.0 was made inside .*test_mistakes\.py\", line {line}: return Value\(3\.0.*Make it outside"
    with pytest.raises(RecordingError, match=match):
        compile(lambda x: w * x + kept())([1.0])


def test_whole_numbers_and_questions_are_recorded() -> None:
    x = [-1.5, 0.0, 2.5, python_math.inf, python_math.nan]
    of = {
        "floor": lambda x: w * math.floor(x),
        "ceil": lambda x: w * math.ceil(x),
        "trunc": lambda x: w * math.trunc(x),
        "isnan": lambda x: w * math.isnan(x),
        "isinf": lambda x: w * np.isinf(x),
        "isfinite": lambda x: w * math.isfinite(x),
        "sign": lambda x: w * np.sign(x),
        "rint": lambda x: w * np.rint(x),
    }
    for name, fn in of.items():
        expected = 2.0 * getattr(np, name)(np.array(x))
        np.testing.assert_array_equal(compile(fn, reduction=None)(x), expected, err_msg=name)
    np.testing.assert_array_equal(compile(lambda x: w * python_math.floor(x), reduction=None)(x[:3]), [-4.0, 0.0, 4.0])
    np.testing.assert_array_equal(compile(lambda x: np.maximum(x, 1.0) * w, reduction=None)(x[:3]), [2.0, 2.0, 5.0])


def test_remainders_are_recorded() -> None:
    a, b = [7.5, -7.5, 7.5, -7.5], [2.0, 2.0, -2.0, -2.0]
    v = Value(1.0)
    for fn in (lambda a, b: v * a % b, lambda a, b: v * a // b, lambda a, b: sum(divmod(v * a, b)), lambda a, b: 5 % (v * b)):
        expected = [fn(*pair).data for pair in zip(a, b, strict=True)]
        assert compile(fn, reduction=None)(a, b).tolist() == expected
        compiled = compile(fn)(a, b)
        compiled.backward()
        slope, v.grad = v.grad, 0.0
        for pair in zip(a, b, strict=True):
            (fn(*pair) / 4).backward()
        assert slope == pytest.approx(v.grad, rel=1e-15)
        v.grad = 0.0


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: np.exp(x).sum() * w,
        lambda x: np.array(x) @ [1.0, 2.0] * w,
        lambda x: np.sum(x) * w,
        lambda x: np.mean(x) * w,
        lambda x: np.dot(x, [w, w]),
        lambda x: np.tanh(np.array([w, w]) * x)[1],
    ],
)
def test_numpy_s_functions_that_compute(fn: Any) -> None:
    assert compile(fn)(TWO).data == pytest.approx(sum(fn([Value(a) for a in x]).data for x in TWO) / 3, rel=1e-12)


def test_a_detached_value_made_inside_is_a_number() -> None:
    assert compile(lambda x: Value(3.0).detach() * x * w)(ONE).data == 12.0


def test_no_grad_inside_is_recorded() -> None:
    """Its numbers follow the parameters, and nothing flows through them."""

    def fn(x: Any) -> Any:
        with no_grad():
            a = w * x
        return a * w

    loss = compile(fn)
    assert gradient(loss(ONE), [w]) == (4.0,)
    w.data = 3.0
    assert loss(ONE).data == 18.0


def test_derivatives_inside() -> None:
    """A physics loss: the second derivative by an input, and the gradient of that by a parameter."""

    def fn(x: Any) -> Any:
        (slope,) = gradient(w * x**3, [x], create_graph=True)
        return gradient(slope, [x], create_graph=True)[0]  # 6 w x

    assert compile(fn)(ONE).data == pytest.approx(24.0)
    assert gradient(compile(fn)(ONE), [w]) == pytest.approx((12.0,))
    fold = compile(lambda x: gradient(math.where(x > 1.5, w * x * x, -x), [x], create_graph=True)[0])
    assert fold(ONE).data == pytest.approx((-1.0 + 8.0 + 12.0) / 3)


def test_nan_and_infinity_are_numbers() -> None:
    loss = compile(lambda x: w * x)
    assert math.isnan(loss([1.0, math.nan]))
    assert loss([1.0, math.inf]).data == math.inf
    assert math.isnan(gradient(loss([math.nan]), [w])[0])


# Arguments


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (
        [[1.0], [1.0, 2.0]],
        ValueError,
        "x is ragged: its examples differ in shape. Pad them to one shape, or call once for each",
    ),
    (3.0, ValueError, "x is the single number 3.0; expected a list or an array with one number for each example"),
    (np.array(3.0), ValueError, "x is the single number array(3.); expected a list"),
    (True, ValueError, "To fix an option, use functools.partial before compile()"),
    ((1.0, 2.0), ValueError, "x[0] is the single number 1.0; expected a list"),
    ({"a": [1.0], "b": {"c": 2.0}}, ValueError, "x['b']['c'] is the single number 2.0; expected a list"),
    ("abc", TypeError, "x must be a list or an array of real numbers, not str 'abc'"),
    (["a"], TypeError, "x must be a list or an array of real numbers, not list ['a']"),
    ([1j], TypeError, "x must be a list or an array of real numbers, not list [1j]"),
    (None, TypeError, "x must be a list or an array of real numbers, not NoneType None"),
    ([None], TypeError, "x must be a list or an array of real numbers, not list [None]"),
    ({1.0}, TypeError, "x must be a list or an array of real numbers, not set {1.0}"),
    (object, TypeError, "x must be a list or an array of real numbers, not type <class 'object'>"),
    (np.array(["2020"], "datetime64[Y]"), TypeError, "x must be a list or an array of real numbers, not ndarray"),
    (w, TypeError, "x holds Values: a compiled function takes numbers, and differentiates by the Values that it captures"),
    ([[w]], TypeError, "x holds Values"),
    ([], ValueError, "cannot be recorded from 0 examples: call it first with at least one, of the same shapes and kinds"),
]


@pytest.mark.parametrize(("x", "error", "message"), REFUSED)
@pytest.mark.parametrize("known", [False, True])
def test_arguments_that_are_no_batches(x: Any, error: type[Exception], message: str, known: bool) -> None:  # noqa: FBT001 - a parameter of the test
    loss = compile(lambda x: w * x[0])
    if known:
        loss(TWO)
    with pytest.raises(error, match=re.escape(message)):
        loss(x)
    if error is TypeError:
        with pytest.raises(error, match=re.escape(message)):
            loss.value_and_grad([2.0], x)


def test_numbers_of_examples_must_be_the_same() -> None:
    loss = compile(lambda x, y: w * x[0] * y)
    for _ in range(2):
        with pytest.raises(ValueError, match=re.escape("different numbers of examples (x: 3, y: 1): the first axis of each")):
            loss(TWO, [1.0])
        loss(TWO, ONE)


def test_python_s_own_errors_of_calls() -> None:
    loss = compile(lambda x: w * x)
    for call in (lambda: loss(), lambda: loss(ONE, ONE), lambda: loss(ONE, z=ONE)):
        with pytest.raises(TypeError, match="argument"):
            call()


@pytest.mark.parametrize(
    ("theta", "error", "message"),
    [
        ([1.0, 2.0], ValueError, "theta has the shape (2,); expected (1,), one number for each Value in .parameters"),
        ([[1.0]], ValueError, "theta has the shape (1, 1); expected (1,)"),
        ([], ValueError, "theta has the shape (0,); expected (1,)"),
        ([w], TypeError, "theta holds Values"),
        ("a", TypeError, "theta must be a list or an array of real numbers, not str 'a'"),
        ([1j], TypeError, "theta must be a list or an array of real numbers, not list [1j]"),
        (None, TypeError, "theta must be a list or an array of real numbers, not NoneType None"),
    ],
)
def test_theta_that_is_none(theta: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        compile(lambda x: w * x).value_and_grad(theta, ONE)


@pytest.mark.parametrize("theta", [[2], (2.0,), np.array([2]), np.array([2.0], np.float32), np.array([2.0, 0.0])[::2]])
def test_theta_of_any_real_kind(theta: Any) -> None:
    value, slopes = compile(lambda x: w * x).value_and_grad(theta, ONE)
    assert (value, slopes.tolist()) == (4.0, [2.0])


# Functions


class Affine:
    def __init__(self) -> None:
        self.w = Value(2.0)

    def method(self, x: Any) -> Any:
        return self.w * x

    def __call__(self, x: Any) -> Any:
        return self.w * x

    @staticmethod
    def static(x: Any) -> Any:
        return w * x


def plain(x: Any, scale: float = 2.0, *, offset: float = 1.0) -> Any:
    return w * x * scale + offset


@pytest.mark.parametrize(
    ("fn", "args", "kwargs", "expected"),
    [
        (plain, [ONE], {}, 9.0),
        (plain, [ONE, ONE], {}, (2 + 8 + 18) / 3 + 1),
        (plain, [], {"x": ONE}, 9.0),
        (plain, [ONE], {"offset": ONE}, 10.0),
        (functools.partial(plain, scale=1.0, offset=0.0), [ONE], {}, 4.0),
        (functools.partial(plain, Value(3.0)), [], {}, 13.0),
        (lambda *args: args[0] * args[1] * w, [ONE, ONE], {}, 28 / 3),
        (lambda **named: named["a"] * named["b"] * w, [], {"a": ONE, "b": ONE}, 28 / 3),
        (lambda x: {"u": lambda: w * x["a"][0] * x["b"][0][1]}["u"](), [{"a": TWO, "b": (TWO,)}], {}, (4 + 24 + 60) / 3),
        (Affine(), [ONE], {}, 4.0),
        (Affine().method, [ONE], {}, 4.0),
        (Affine.static, [ONE], {}, 4.0),
        (nn.Sequential(Affine()), [ONE], {}, 4.0),
        (w.__mul__, [ONE], {}, 4.0),
        (abs, [[-1.0, 3.0]], {}, 2.0),
        (math.exp, [[0.0, 0.0]], {}, 1.0),
        (sum, [TWO], {}, 7.0),
        (lambda: w * w, [], {}, 4.0),
        (lambda x: w * w, [ONE], {}, 4.0),  # of which no input is part
        (lambda x: x * x, [ONE], {}, 14 / 3),  # and no parameter
        (lambda x: x, [ONE], {}, 2.0),
        (lambda x: w, [ONE], {}, 2.0),
        (lambda x: 3.0, [ONE], {}, 3.0),
        (lambda x: True, [ONE], {}, 1.0),
        (lambda x: np.array(w * x), [ONE], {}, 4.0),
    ],
)
def test_functions_of_all_kinds(fn: Any, args: list[Any], kwargs: dict[str, Any], expected: float) -> None:
    compiled = compile(fn)
    for _ in range(2):
        assert compiled(*args, **kwargs).data == pytest.approx(expected, rel=1e-12)


def generator(x: Any) -> Any:
    yield w * x


async def coroutine(x: Any) -> Any:
    await asyncio.sleep(0)
    return w * x


async def both(x: Any) -> Any:
    yield w * x


@pytest.mark.parametrize(
    ("fn", "settings", "error", "message"),
    [
        (3.0, {}, TypeError, "compile() expects a function of one example, not float 3.0"),
        (w, {}, TypeError, "compile() expects a function of one example, not Value Value(data=2.0"),
        (nn.MLP, {}, TypeError, "MLP is a class: compile an instance, compile(MLP(...))"),
        (generator, {}, TypeError, "is a generator or a coroutine: return a list"),
        (coroutine, {}, TypeError, "is a generator or a coroutine: return a list"),
        (both, {}, TypeError, "is a generator or a coroutine: return a list"),
        (compile(plain), {}, TypeError, "is already compiled"),
        (plain, {"reduction": "none"}, ValueError, 'reduction must be "mean", "sum" or None, not \'none\''),
        (plain, {"dtype": "int64"}, ValueError, "dtype must be float64 or float32, not 'int64'"),
        (plain, {"parameters": [2.0]}, TypeError, "parameters must be variables, such as model.parameters() returns, not 2.0"),
        (plain, {"parameters": [w * w]}, TypeError, "parameters must be variables"),
        (plain, {"parameters": [w.detach()]}, TypeError, "parameters must be variables"),
        (plain, {"parameters": [w, w]}, ValueError, "parameters holds a Value twice"),
        (plain, {"parameters": []}, ValueError, "parameters is empty; expected at least one Value to differentiate by"),
        (plain, {"parameters": nn.MLP(1, [1]).parameters}, TypeError, "write parameters=model.parameters()"),
        (plain, {"parameters": w}, TypeError, "parameters must be a list of Values, not Value"),
    ],
)
def test_what_cannot_be_compiled(fn: Any, settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        compile(fn, **settings)


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda x: None, "returned NoneType None: expected Values, or lists, tuples or dicts of them"),
        (lambda x: "loss", "returned str 'loss': expected Values"),
        (
            lambda x: [w * x],
            "which has no mean or sum: return one Value, or compile with reduction=None, which returns all results as arrays",
        ),
        (lambda x: (w * x,), "which has no mean or sum: return one Value"),
        (lambda x: {"loss": w * x}, "which has no mean or sum: return one Value"),
        (lambda x: [], "which has no mean or sum: return one Value"),
        (lambda x: w < x, None),
    ],
)
def test_results_that_are_no_number(fn: Any, message: str | None) -> None:
    if message is None:  # a comparison is one while it is recorded
        assert compile(fn)(ONE).data == pytest.approx(1 / 3)
    else:
        with pytest.raises(TypeError, match=re.escape(message)):
            compile(fn)(ONE)


def test_results_of_nothing() -> None:
    for nothing in ([], (), {"a": []}):
        with pytest.raises(TypeError, match="which holds no Value: return a result made of Values"):
            compile(lambda x, nothing=nothing: nothing, reduction=None)(ONE)


def test_before_the_first_call() -> None:
    loss = compile(lambda x: w * x)
    with pytest.raises(GraphError, match=r"does not know its parameters yet: call it once, or pass parameters to compile\(\)"):
        _ = loss.parameters
    for name in ("source", "stats"):
        with pytest.raises(GraphError, match="has not been recorded yet: call it once"):
            getattr(loss, name)
    assert loss.recordings == []
    assert compile(lambda x: w * x, parameters=[w]).parameters == [w]


def test_one_inside_another() -> None:
    """Directly, in a recursion, by value_and_grad, or compiled on the spot: the way out is the plain function."""
    inner = compile(lambda x: w * x)

    def recursive(x: Any) -> Any:
        return again(x)

    again = compile(recursive)
    calls = [
        compile(lambda x: inner(x)),
        compile(lambda x: inner([1.0]) * x),
        compile(lambda x: inner.value_and_grad([1.0], [1.0])[0] * x),
        compile(lambda x: compile(lambda y: w * y)(x)),
        again,
    ]
    for call in calls:
        with pytest.raises(
            RecordingError, match=r"was called in a function that autograd\.compile records: call the plain function"
        ):
            call(ONE)
    assert compile(lambda x: inner.__wrapped__(x))(ONE).data == 4.0  # type: ignore[attr-defined]  # that of functools


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("collecting", [True, False])
def test_exceptions_pass_through(error: type[BaseException], call: int, collecting: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """In the first call of the function, which is recorded, and in the second, which checks it. The next try works."""
    calls = itertools.count(1)

    def fn(x: Any) -> Any:
        if next(calls) == call:
            raise error
        return w * x

    loss = compile(fn)
    (gc.enable if collecting else gc.disable)()
    try:
        with pytest.raises(error):
            loss(ONE)
        assert gc.isenabled() == collecting
        assert not is_compiling()
        assert loss.recordings == []
        assert loss(ONE).data == 4.0
        assert loss.parameters == [w]
    finally:
        gc.enable()


# The result in eager graphs


def test_modes_around_a_call() -> None:
    loss = compile(lambda x: math.log(w * x))
    with no_grad():
        assert loss(ONE).is_leaf  # and recorded under it
    assert gradient(loss(ONE), [w]) == (0.5,)
    with detect_anomaly():
        assert loss(ONE).data == pytest.approx(math.log(2.0) + math.log(6.0) / 3)
        with pytest.raises(AnomalyError, match=r"compiled\(2\.0\) is -inf in File .*test_mistakes"):
            loss([0.0])


def test_a_message_shows_some_of_many_parameters() -> None:
    many = [Value(1.0) for _ in range(100)]
    loss = compile(lambda x: x / math.fsum(many))
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"compiled\((1\.0, ){8}…\) is inf"):
        loss([math.inf])


def test_a_stale_graph_is_refused() -> None:
    result = compile(lambda x: w * x)(ONE)
    w.data = 3.0
    with pytest.raises(GraphError, match="the data of 'w' was assigned after compiled had used it"):
        result.backward()


def test_second_derivatives_are_refused() -> None:
    loss = compile(lambda x: w * w * x)
    assert gradcheck(lambda a: loss(ONE), [w])
    with pytest.raises(GraphError, match="no second derivatives: differentiate the plain function"):
        gradient(loss(ONE), [w], create_graph=True)
    with pytest.raises(GraphError, match="no second derivatives"):
        gradcheck(lambda a: loss(ONE), [w], order=2)


def test_a_constant_has_no_gradient() -> None:
    with pytest.raises(GraphError, match=r"backward\(\) of a constant"):
        compile(lambda x: x)(ONE).backward()
    with pytest.raises(TypeError, match='differentiates one number: compile with reduction="mean" or "sum"'):
        compile(lambda x: w * x, reduction=None).value_and_grad([2.0], ONE)
