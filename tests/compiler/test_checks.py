"""A recording is checked against the function itself: on the first examples, on others that differ, and on plain numbers."""

# ruff: noqa: ARG005, FURB171, NPY002 - as users write it

from __future__ import annotations

import itertools
import random
import re
import threading
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Recording, RecordingError, Value, compile, math  # noqa: A004 - autograd.compile
from autograd.compiler import checks
from autograd.compiler.varied import varied

w = Value(2.0)
X = [1.0, 2.0, 3.0, 4.0, 5.0]
T = [0, 0, 0, 1, 0]
"""The one label that differs is not among the first two."""


def number_of(v: Any) -> Any:
    """The number behind the graph's back, as no user should ask for it."""
    return v._data if isinstance(v, Value) else v


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, t: w * x if t in {1} else -w * x,
        lambda x, t: {1: w * x}.get(t, -w * x),
        lambda x, t: w * x if isinstance(t, Value) else -w * x,
        lambda x, t: w * x if type(t) is int else -w * x,
        lambda x, t: (w * x).tanh() if number_of(t) == 1 else w,
        lambda x, t: x.tanh() * w if number_of(t) == 1 else w,
        lambda x, t: w * x if isinstance(t, Value) and t._data == 1 else -w * x,
        lambda x, t: [w, -w][int(number_of(t))] * x,
    ],
    ids=["in", "dict", "isinstance", "type", "data", "methods", "Values only", "index"],
)
def test_what_takes_another_way_for_another_example_is_found(fn: Any) -> None:
    """Mistake: the way of the first example was that of all, without a word."""
    with pytest.raises(
        RecordingError,
        match=r"recorded, the function gives .* for example \d; called (again|with its plain numbers), .*"
        r"another path for that example.*write autograd\.math\.where\(condition, a, b\), or select\(values, index\)",
    ):
        compile(fn)(X, T)


def test_the_branch_of_the_issue() -> None:
    """Whether it is ``==`` that refuses, or this net that finds."""
    with pytest.raises(RecordingError, match="where"):
        compile(lambda x, t: w * x if t == 1 else -w * x)(X, T)


@pytest.mark.parametrize("compiled_by", [0, 1])
def test_a_training_that_would_be_another_one_is_refused(compiled_by: int) -> None:
    x, t = np.linspace(-1.0, 1.0, 16).reshape(16, 1), (np.arange(16) == 9).astype(int)
    losses = [
        lambda o, t: math.softplus(-o) if t in {1} else math.softplus(o),
        lambda o, t: math.softplus(-o) if isinstance(t, int) and t else math.softplus(o),
    ]
    with pytest.raises(RecordingError, match="another path for that example"):
        nn.fit(nn.MLP(1, [1], rng=0), x, t, loss=losses[compiled_by], epochs=1, progress=False)


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, t: (w * x - t) ** 2,
        lambda x, t: (w * x).tanh() + t,
        lambda x, t: x.tanh() * w,  # plain numbers have no such method
        lambda x, t: math.where(t - 1, w * x, -w * x),
        lambda x, t: math.log(x - 1) * w + t,  # -inf at the first example
        lambda x, t: w * x / t,  # ZeroDivisionError on plain numbers
        lambda x, t: w * (t - 1.0) ** 0.5 * x,  # complex on plain numbers, NaN on Values
        lambda x, t: np.exp(np.array([x, t])).sum() * w,
        lambda x, t: w if isinstance(x, Value) else 2.0,  # the same number all the same
        lambda x, t: nn.cross_entropy([w * x, x], t),
        lambda x, t: nn.binary_cross_entropy_with_logits(w * x, t),
    ],
)
def test_what_is_the_same_for_all_is_not_refused(fn: Any) -> None:
    made = compile(fn)(X, T)
    with np.errstate(all="ignore"):
        each = [
            fn(Value(x), Value(float(t))) if fn.__code__.co_names != ("nn",) else fn(Value(x), t)
            for x, t in zip(X, T, strict=True)
        ]
    np.testing.assert_allclose(made.data, sum(y.data if isinstance(y, Value) else y for y in each) / len(X), rtol=1e-12)


def test_a_result_of_another_form_on_plain_numbers() -> None:
    with pytest.raises(RecordingError, match=r"returns 'number'; called with its plain numbers, \['number'\]"):
        compile(lambda x: w * x if isinstance(x, Value) else [w * x], reduction=None)(X)


class Pair(tuple[Any, ...]):
    __slots__ = ()


def test_a_result_of_another_type() -> None:
    """Mistake: a tuple of one's own is equal to a plain one, and the check compared what is equal."""
    kinds = itertools.cycle([Pair, tuple])
    with pytest.raises(RecordingError, match="recorded, the function returns"):
        compile(lambda x: next(kinds)([w * x, x]), reduction=None)(X)


def test_random_numbers_are_not_taken_for_another_way() -> None:
    for fn in (lambda x: w * x * random.random(), lambda x: w * x * np.random.rand()):
        with pytest.raises(RecordingError, match="Pass what changes between calls"):
            compile(fn)(X)


def test_how_often_a_function_is_called() -> None:
    """It is recorded on the first example, checked on the second one; then come plain numbers, and Values that differ."""
    seen: list[Any] = []

    def fn(x: Any) -> Any:
        seen.append((type(x), number_of(x)))
        return w * x

    compile(fn)([3.0, 4.0, -5.0])
    assert seen[:2] == [(Value, 3.0), (Value, 4.0)]
    assert sorted(seen[2:], key=str) == [(Value, -5.0), (float, -5.0), (float, 3.0), (float, 4.0)]
    seen.clear()
    compile(fn)(np.linspace(-1.0, 1.0, 500))
    assert len(seen) <= 17


def test_without_time_one_example_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands for a processor that is slow to call, and was quick to compile."""
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr(checks, "thread_time", lambda: next(clock))
    seen: list[Any] = []

    def fn(x: Any) -> Any:
        seen.append(type(x))
        return w * x

    compile(fn)(X)
    assert seen == [Value, Value, float]


def test_functions_without_arguments_are_called_twice() -> None:
    seen: list[int] = []
    compile(lambda: seen.append(1) or w * 2.0)()
    assert len(seen) == 2


def test_the_check_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random numbers go on after what was recorded; numbers, gradients and graphs of Values are what they were."""
    monkeypatch.setattr(checks.threading, "active_count", lambda: 1)  # who runs the tests may have threads of its own
    v = Value(2.0)
    before = v * v

    def fn(x: Any) -> Any:
        random.random()
        np.random.rand()
        if not isinstance(x, Value):
            v.data = 9.0
            v.grad = 4.0
        return x * 2.0 + v * 0.0

    random.seed(1)
    np.random.seed(1)
    compile(fn)(X)
    drawn = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    random.random()
    np.random.rand()
    assert drawn == (random.random(), np.random.rand())
    assert (v.data, v.grad) == (2.0, 0.0)
    before.backward()  # which would refuse if the data had been assigned
    assert v.grad == 4.0


def test_the_check_does_not_undo_the_step_of_another_thread() -> None:
    v = Value(2.0)
    asked, done = threading.Event(), threading.Event()

    def step() -> None:
        asked.wait()
        v.grad = 4.0
        done.set()
        stop.wait()

    stop = threading.Event()
    thread = threading.Thread(target=step)
    thread.start()

    def fn(x: Any) -> Any:
        if not isinstance(x, Value):
            asked.set()
            done.wait()
        return x * v

    compile(fn)(X)
    stop.set()
    thread.join()
    assert v.grad == 4.0


def test_an_index_that_there_is_not_is_no_mistake_of_the_recording() -> None:
    table = [Value(1.0), Value(2.0)]
    look_up = compile(lambda i: math.select(table, i))
    with pytest.raises(IndexError, match="from 0 to 1, not 5.0"):
        look_up([0, 1, 1, 5])


@pytest.mark.parametrize("fn", [lambda x: w * x, lambda x: math.where(x > 0.25, w * x, -0.1 * w * x)], ids=["smooth", "a jump"])
def test_a_program_that_is_wrong_is_our_mistake(fn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Recording._run

    def wrong(self: Any, theta: Any, arrays: Any, batch: int, *, gradient: bool = True) -> Any:
        result = run(self, theta, arrays, batch, gradient=gradient)
        return result if arrays[0][0, 0] < 5.0 else result + 1.0

    monkeypatch.setattr(Recording, "_run", wrong)
    with pytest.raises(RuntimeError, match="This is a bug of autograd.compile, please report it"):
        compile(fn)(X)


@pytest.mark.parametrize(
    ("fn", "sides"),
    [
        (lambda x, h: math.where(h * x * 100 >= 29, 1.0, 2.0), (1.0, 2.0)),
        (lambda x, h: h * x * 100 % 1, (0.0, 1.0)),
        (lambda x, h: h * x * 100 // 1, (28.0, 29.0)),
        (lambda x, h: (h * x * 100).floor(), (28.0, 29.0)),
        (lambda x, h: (h * x * 100 + 0.5).rint(), (29.0, 30.0)),
        (lambda x, h: math.where(h * 100 * (x + 0.41) >= 70, 1.0, 2.0), (1.0, 2.0)),
    ],
)
def test_a_jump_as_near_as_rounding_errors_is_no_mistake(fn: Any, sides: tuple[float, float]) -> None:
    """0.29 * 100 is below 29 in float64, and is 29 in float32."""
    one = Value(1.0)
    (result,) = compile(lambda x: fn(x, one), dtype="float32", reduction=None)([0.29])
    assert min([abs(result - side) for side in sides]) < 1e-5


@pytest.mark.parametrize(
    ("fn", "x", "expected"),
    [
        (math.exp, 100.0, math.inf),
        (lambda x: x * x, 1e20, math.inf),
        (lambda x: math.xlogy(x, x), 1e-50, 0.0),
        (lambda x: x * x, 1e-50, 0.0),
    ],
)
def test_numbers_out_of_the_range_of_float32_were_called_a_bug(fn: Any, x: float, expected: float) -> None:
    (result,) = compile(fn, dtype="float32", reduction=None)([x])
    assert result == expected


# Which examples


def test_examples_that_differ_come_first() -> None:
    """A label that is rare, a sign, a zero, NaN, an infinity, the smallest and the largest number."""
    x = np.ones((300, 3))
    y = np.zeros(300, int)
    x[50, 1], x[60, 1], x[70, 1], x[80, 2], y[299] = -1.0, 0.0, np.nan, np.inf, 7
    assert set(varied([x, y], 8)) == {0, 50, 60, 70, 80, 299}
    many = np.arange(1.0, 501.0)
    many[[200, 300]] = 0.5, 1e6
    assert varied([many], 8) == [0, 200, 300]


def test_infinities_of_both_signs_are_labels() -> None:
    assert varied([np.array([np.inf, -np.inf, np.inf, np.nan])], 8) == [0, 1, 3]


def test_equal_examples_are_looked_at_once() -> None:
    assert varied([np.ones((50, 2)), np.zeros(50)], 8) == [0]
    assert varied([np.ones((50, 0))], 8) == [0]
    assert varied([np.arange(3.0)], 2) == [0, 1]


def test_a_narrow_array_counts_as_much_as_a_wide_one() -> None:
    """All of five labels are there, although each pixel of an example differs from those of the others."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 5
    picked = varied([rng.normal(size=(200, 784)), labels], 8)
    assert set(labels[picked].tolist()) == {0, 1, 2, 3, 4}


def test_a_rare_label_in_a_large_batch() -> None:
    """Where none of the examples lies that are looked at for their other numbers."""
    labels = np.zeros(100_000, int)
    labels[77_700] = 3
    assert 77_700 in varied([np.zeros((100_000, 20)), labels], 8)
    assert 77_700 in varied([np.stack([labels, labels], 1)], 8)


def test_examples_are_as_many_as_there_are() -> None:
    assert varied([np.array([5.0])], 8) == [0]
    assert re.fullmatch(r"\[0(, \d+){7}\]", str(varied([np.arange(16) // 2], 8)))
