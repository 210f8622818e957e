"""``autograd.compile`` from outside: results, what is read afresh, what is recorded anew, threads, memory, copies."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import re
import subprocess
import sys
import threading
import types
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import nn
from autograd import RecordingError, Value, compile, draw, gradcheck, gradient, math, no_grad  # noqa: A004 - autograd.compile
from autograd.compiler.capture import Captured

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSE = 1e-12
TWO = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
rng = np.random.default_rng(0)


def eager(fn: Callable[..., Any], *args: Any) -> float:
    """The mean of ``fn`` over examples, as eager code computes it."""
    each = [
        fn(*[[Value(a) for a in x] if isinstance(x, list) else Value(x) for x in example])
        for example in zip(*args, strict=True)
    ]
    return float(math.fsum([y.data for y in each]) / len(each))


# Results


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
def test_means_sums_and_gradients(batch: int) -> None:
    model = nn.MLP(3, [4, 1], "tanh", rng=0)
    x, y = rng.normal(size=(batch, 3)), rng.normal(size=batch)
    losses = {reduction: compile(lambda x, y: (model(x) - y) ** 2, reduction=reduction) for reduction in ("mean", "sum")}
    for reduction, loss_of in losses.items():
        loss_of(x[:1], y[:1])
        loss = loss_of(x, y)
        each = [(model(a) - b) ** 2 for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        expected = math.fsum(each) / (batch if reduction == "mean" else 1)
        assert loss.data == pytest.approx(expected.data, rel=CLOSE)
        slopes = gradient(expected, model.parameters())
        assert gradient(loss, model.parameters()) == pytest.approx(slopes, rel=CLOSE, abs=CLOSE)
        theta = np.array([p.data for p in loss_of.parameters])
        value, by_theta = loss_of.value_and_grad(theta, x, y)
        assert (type(value), value) == (float, loss.data)
        assert by_theta.tolist() == [*gradient(loss, loss_of.parameters)]


def test_a_call_is_one_node() -> None:
    """And goes on as any Value: grads accumulate, arithmetic goes on, a penalty is added."""
    w = Value(2.0)
    loss_of = compile(lambda x: w * x * x)
    loss = loss_of([1.0, 3.0])
    assert (loss.data, loss.args, str(loss.op)) == (10.0, (w,), "compiled")
    loss.backward()
    loss.backward()
    assert w.grad == 10.0
    total = math.exp(loss - 10.0) + 3.0 * w
    assert gradient(total, [w]) == (8.0,)
    assert "compiled" in draw(total).dot
    assert gradcheck(lambda v: loss_of([1.0, 2.0]) * v, [w])


class Pair(NamedTuple):
    mean: Any
    spread: Any


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (lambda x: x[0] + x[1], np.array([3.0, 7.0, 11.0])),
        (lambda x: [x[1], x[0]], np.array([[2.0, 1.0], [4.0, 3.0], [6.0, 5.0]])),
        (lambda x: (x[0], [x[1]]), (np.array([1.0, 3.0, 5.0]), np.array([[2.0], [4.0], [6.0]]))),
        (lambda x: {"a": x[0], "b": {"c": 1.0}}, {"a": np.array([1.0, 3.0, 5.0]), "b": {"c": np.ones(3)}}),
        (lambda x: [[x[0]], [2.0]], np.array([[[1.0], [2.0]], [[3.0], [2.0]], [[5.0], [2.0]]])),
        (lambda x: [[x[0]], [x[1], x[0]]], [np.array([[1.0], [3.0], [5.0]]), np.array([[2.0, 1.0], [4.0, 3.0], [6.0, 5.0]])]),
        (lambda x: np.array(x) * 2, 2 * np.array(TWO)),
        (lambda x: (x[0], []), (np.array([1.0, 3.0, 5.0]), np.zeros((3, 0)))),
        (lambda x: Pair(x[0], x[1]), Pair(np.array([1.0, 3.0, 5.0]), np.array([2.0, 4.0, 6.0]))),
    ],
)  # fmt: skip
def test_results_have_the_form_that_the_function_gives_them(fn: Any, expected: Any) -> None:
    results = compile(fn, reduction=None)(TWO)
    assert type(results) is type(expected)
    for one, other in zip(leaves(results), leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def leaves(x: Any) -> list[Any]:
    if isinstance(x, np.ndarray):
        return [x]
    return [leaf for item in (x.values() if isinstance(x, dict) else x) for leaf in leaves(item)]


def test_no_examples() -> None:
    """After a first call with some: the mean of none is nan, the sum 0, results have a length of 0, gradients are 0."""
    w = Value(2.0)
    none = np.zeros((0, 2))
    mean, total = compile(lambda x: w * x[0]), compile(lambda x: w * x[0], reduction="sum")
    every = compile(lambda x: {"a": x[0], "b": [w, x[1]]}, reduction=None)
    for fn in (mean, total, every):
        fn(TWO)
    assert math.isnan(mean(none))
    assert total(none).data == 0.0
    assert gradient(total(none), [w]) == (0.0,)
    assert [leaf.shape for leaf in leaves(every(none))] == [(0,), (0, 2)]


def test_arguments_of_many_shapes_and_kinds() -> None:
    """A recording for each; dicts and tuples as the function would get them; examples of two axes are lists of lists."""
    w = Value(2.0)
    loss = compile(lambda x, y: math.fsum([w * a for row in x for a in (row if isinstance(row, list) else [row])]) + y["b"][0])
    y = {"b": (np.ones(3),)}
    assert loss(TWO, y).data == pytest.approx(15.0)
    assert loss(np.array(TWO, np.float32), y).data == pytest.approx(15.0)
    assert loss(np.ones((3, 2, 2)), y).data == pytest.approx(9.0)
    assert loss(np.ones((3, 2, 2))[:, ::-1].transpose(0, 2, 1), y).data == pytest.approx(9.0)
    assert [recording.shapes["x"] for recording in loss.recordings] == [(2,), (2, 2)]
    assert re.fullmatch(r"Recording\(x: \(batch, 2\), .*; \d+ scalar nodes, \d+ instructions\)", repr(loss.recordings[0]))
    assert repr(loss) == "<compiled <lambda>: reduction='mean', float64, 2 recordings>"
    assert loss.source == loss.recordings[-1].source
    assert loss.stats["scalar nodes"] > 0


def test_a_dict_is_not_the_keywords() -> None:
    """Mistake: a dict as the last argument, and keywords of its keys, had the same recording."""
    w = Value(1.0)
    loss = compile(lambda x, y: w * (x["y"] if isinstance(x, dict) else x + y["y"] if isinstance(y, dict) else x + 10 * y))
    assert loss([1.0], {"y": [2.0]}).data == 3.0
    assert loss([1.0], y=[2.0]).data == 21.0


def test_parameters_that_only_some_shapes_use() -> None:
    """They join at the end; recordings that do not know them have the gradient 0 by them."""
    a, b = Value(2.0), Value(3.0)
    loss = compile(lambda x: a * x[0] if len(x) == 1 else b * x[0] * x[1])
    loss([[1.0]])
    assert loss.parameters == [a]
    loss([[1.0, 2.0]])
    assert loss.parameters == [a, b]
    value, slopes = loss.value_and_grad([5.0, 7.0], [[1.0]])
    assert (value, slopes.tolist()) == (5.0, [1.0, 0.0])
    value, slopes = loss.value_and_grad([5.0, 7.0], [[1.0, 2.0]])
    assert (value, slopes.tolist()) == (14.0, [0.0, 2.0])
    assert gradient(loss([[4.0]]), [a, b]) == (4.0, 0.0)


Alias = deque[int]


def test_an_alias_that_does_not_give_what_its_class_has() -> None:
    """Mistake: the attributes of a generic alias are those of its class, and asking for all of them raised AttributeError."""
    w = Value(2.0)
    loss = compile(lambda x: w * x if hasattr(Alias, "__copy__") else x)
    assert loss([3.0]).data == loss([3.0]).data == 3.0


def test_an_assertion_under_pytest_leads_nowhere() -> None:
    """Mistake: pytest puts its own modules into assertions, and the walk went through all that they hold, for 13 seconds."""
    w = Value(2.0)

    def doubled(x: Any) -> Any:
        assert isinstance(x, Value), "not recorded"
        return w * x

    captured = Captured(doubled, [w])
    assert len(captured.nodes) < 10
    assert not any("_pytest" in path for path in captured.nodes)
    assert compile(doubled)([3.0]).data == 6.0


def test_given_parameters() -> None:
    """Their order is theta's; others are read at each call, and not differentiated by; one that is not used has gradient 0."""
    a, b, c, unused = Value(2.0), Value(3.0), Value(5.0), Value(7.0)
    loss = compile(lambda x: a * b * c * x, parameters=[unused, b, a])
    result = loss([1.0])
    assert (result.data, gradient(result, [a, b, c, unused])) == (30.0, (15.0, 10.0, 0.0, 0.0))
    value, slopes = loss.value_and_grad([0.0, 1.0, 1.0], [1.0])
    assert (value, slopes.tolist()) == (5.0, [0.0, 5.0, 5.0])
    c.data = 10.0
    assert loss.value_and_grad([0.0, 1.0, 1.0], [1.0])[0] == 10.0
    assert loss([1.0]).data == 60.0


def test_value_at_other_parameters() -> None:
    """``value`` is what a call would give if the parameters were theta, for means and for arrays; the Values stay."""
    a, b = Value(2.0), Value(3.0)
    loss = compile(lambda x: a * x + b, parameters=[b, a])
    assert loss.value([10.0, 100.0], [1.0, 3.0]) == 210.0
    line = compile(lambda x: {"y": [a * x + b, a]}, reduction=None, parameters=[b, a])
    assert line.value([10.0, 100.0], [1.0, 3.0])["y"].tolist() == [[110.0, 100.0], [310.0, 100.0]]
    assert line.value([0.0, 1.0], np.zeros(0))["y"].shape == (0, 2)
    only_b = compile(lambda x: a * x + b, reduction=None, parameters=[b])
    assert only_b.value([10.0], [1.0]).tolist() == [12.0]
    assert (a.data, b.data) == (2.0, 3.0)
    with pytest.raises(ValueError, match=re.escape("theta has the shape (1,); expected (2,), one number")):
        line.value([1.0], [1.0])


def test_value_where_other_shapes_brought_parameters() -> None:
    """Those that a recording does not know are left aside."""
    a, b = Value(2.0), Value(3.0)
    total = compile(lambda x: a * x[0] if len(x) == 1 else b * x[0] * x[1], reduction="sum")
    total([[1.0]])
    total([[1.0, 2.0]])
    assert total.value([5.0, 7.0], [[1.0], [1.0]]) == 10.0
    assert total.value([5.0, 7.0], [[1.0, 2.0]]) == 14.0


def test_single_precision() -> None:
    w = Value(0.1)
    loss = compile(lambda x: (w * x).exp(), dtype="float32")
    assert loss([1.0, 2.0]).data == pytest.approx((np.exp(0.1) + np.exp(0.2)) / 2, rel=1e-6)
    _, slopes = loss.value_and_grad([0.1], [1.0, 2.0])
    assert slopes.dtype == np.float32


def test_as_a_decorator() -> None:
    @compile(reduction="sum")
    def loss(x: Any) -> Any:
        """What it says."""
        return w * x

    w = Value(2.0)
    assert loss([1.0, 2.0]).data == 6.0
    assert (loss.__name__, loss.__doc__) == ("loss", "What it says.")


class Trainer:
    """Its step changes at every call, and its history grows: neither is used in ``loss``."""

    def __init__(self, w: float) -> None:
        self.w, self.step, self.history = Value(w), 0, [Value(0.0)]

    @compile
    def loss(self, x: Any) -> Any:
        """Compiled for every instance."""
        return self.w * x


def test_methods() -> None:
    one, other = Trainer(2.0), Trainer(3.0)
    for _ in range(3):
        one.step += 1
        one.history.append(one.loss([1.0, 2.0]))  # type: ignore[call-arg, arg-type]  # mypy knows no such descriptor
    assert [one.loss([1.0]).data, other.loss([1.0]).data] == [2.0, 3.0]  # type: ignore[call-arg, arg-type]
    assert len(one.loss.recordings) == 1
    first = one.loss.recordings[0]
    one.step += 1
    one.history.append(one.loss([1.0]))  # type: ignore[call-arg, arg-type]
    one.loss([1.0])  # type: ignore[call-arg, arg-type]
    assert one.loss.recordings[0] is first  # what only __init__ names has no part in the loss
    assert isinstance(Trainer.loss, type(one.loss))


# What is read afresh, and what is recorded anew


class Slotted:
    __slots__ = ("scale", "w")

    def __init__(self) -> None:
        self.w, self.scale = Value(2.0), 3.0

    def __call__(self, x: Any) -> Any:
        return self.w * x[0] * self.scale


class Tree:
    shared: Any = Value(2.0)
    factor = 1.0

    def __init__(self) -> None:
        self.me, self._w, self.parts, self.table = self, Value(2.0), [Value(1.0), Value(3.0)], {"a": Value(1.0)}
        self.parts_twice = [self.parts, [self.parts]]
        self.queue = deque([Value(4.0)])
        self.array = np.array([Value(1.0), Value(2.0)])
        self.numbers, self.options = np.array([1.0, 2.0]), {"l2": 0.1}

    @property
    def w(self) -> Value:
        return self._w

    def helper(self, x: Any) -> Any:
        return x[0] * self.factor

    def bare(self, x: Any) -> Any:
        return x[0]


def scaled(x: Any, scale: Any = Value(2.0)) -> Any:  # noqa: B008 - as users do
    return scale * x[0]


module = types.ModuleType("a_module_of_the_users")
module.w = Value(2.0)  # type: ignore[attr-defined]
activation = math.tanh


def activated(z: Any) -> Any:
    return activation(z)


@no_grad()
def without_gradient(tree: Tree, x: Any) -> Any:
    return tree.w * x[0]


def importing(x: Any) -> Any:
    import a_module_of_the_users as users  # type: ignore[import-not-found]  # noqa: PLC0415 - the point of it

    return users.w * x[0]


CHANGES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "data": (lambda t: lambda x: t.w * x[0], lambda t: setattr(t.w, "data", 9.0)),
    "attribute": (lambda t: lambda x: t.w * x[0], lambda t: setattr(t, "_w", Value(9.0))),
    "cycle": (lambda t: lambda x: t.me.me.w * x[0], lambda t: setattr(t, "_w", Value(9.0))),
    "method": (lambda t: lambda x: t.w * t.helper(x), lambda t: setattr(t, "helper", lambda x: x[1])),
    "number": (lambda t: lambda x: t.w * t.helper(x), lambda t: setattr(t, "factor", 5.0)),
    "class's number": (lambda t: lambda x: t.w * t.helper(x), lambda _: setattr(Tree, "factor", Tree.factor + 1)),
    "class's Value": (lambda t: lambda x: t.shared * x[0], lambda _: setattr(Tree, "shared", Value(Tree.shared.data + 1))),
    "class": (lambda _: lambda x: Tree.shared * x[0], lambda _: setattr(Tree, "shared", Value(Tree.shared.data + 1))),
    "class's method": (lambda t: lambda x: t.w * t.bare(x), lambda _: setattr(Tree, "bare", lambda _, x: x[1])),
    "list item": (lambda t: lambda x: t.parts[0] * x[0], lambda t: t.parts.__setitem__(0, Value(9.0))),
    "list": (lambda t: lambda x: math.fsum(t.parts) * x[0], lambda t: t.parts.append(Value(9.0))),
    "nested list": (lambda t: lambda x: t.parts_twice[1][0][1] * x[0], lambda t: t.parts.__setitem__(1, Value(9.0))),
    "dict": (lambda t: lambda x: math.fsum(t.table.values()) * x[0], lambda t: t.table.update(b=Value(9.0))),
    "deque": (lambda t: lambda x: t.queue[0] * x[0], lambda t: t.queue.appendleft(Value(9.0))),
    "object array": (lambda t: lambda x: (t.array * x).sum(), lambda t: t.array.__setitem__(0, Value(9.0))),
    "numbers in an array": (lambda t: lambda x: t.w * x[0] * t.numbers[0], lambda t: t.numbers.__setitem__(0, 9.0)),
    "options": (lambda t: lambda x: t.w * x[0] * t.options["l2"], lambda t: t.options.update(l2=9.0)),
    "getattr": (lambda t: lambda x: getattr(t, "_" + "w") * x[0], lambda t: setattr(t, "_w", Value(9.0))),
    "vars": (lambda t: lambda x: vars(t)["parts"][0] * x[0], lambda t: setattr(t, "parts", [Value(9.0)])),
    "a function in between": (lambda t: lambda x: sum(t.w * y for y in x), lambda t: setattr(t, "_w", Value(9.0))),
    "partial": (lambda t: functools.partial(lambda t, x: t.w * x[0], t), lambda t: setattr(t, "_w", Value(9.0))),
    "decorated": (lambda t: lambda x: t.w * without_gradient(t, x), lambda t: setattr(t, "_w", Value(9.0))),
    "another's plain function": (lambda t: compile(lambda x: t.w * x[0]).__wrapped__, lambda t: setattr(t, "_w", Value(9.0))),  # type: ignore[attr-defined]
    "detached": (lambda t: lambda x: t.fixed * x[0], lambda t: setattr(t.fixed, "data", 9.0)),
    "made before": (lambda t: lambda x: t.product * x[0], lambda t: setattr(t, "product", t.w * 9.0)),
    "defaults": (lambda _: scaled, lambda _: setattr(scaled, "__defaults__", (Value(scaled.__defaults__[0].data + 1),))),  # type: ignore[index]
    "module": (lambda _: lambda x: module.w * x[0], lambda _: setattr(module, "w", Value(module.w.data + 1))),
    "import inside": (lambda _: importing, lambda _: setattr(module, "w", Value(module.w.data + 1))),
    "a helper's global": (lambda t: lambda x: activated(t.w * x[0]), lambda _: globals().update(activation=math.exp)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_function_captures_is_never_stale(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values put in the place of others, by whatever way, and small options, are noticed; then all is recorded once."""
    monkeypatch.setitem(sys.modules, "a_module_of_the_users", module)
    monkeypatch.setitem(globals(), "activation", math.tanh)
    monkeypatch.setattr(Tree, "bare", Tree.bare)
    tree: Any = Tree()
    tree.fixed, tree.product = Value(2.0).detach(), tree.w * 3.0
    make, mutate = CHANGES[change]
    fn = make(tree)
    loss = compile(fn)
    before = loss(TWO)
    recorded = loss.recordings[0]
    assert loss(TWO).data == before.data
    assert loss.recordings == [recorded]
    mutate(tree)
    after = loss(TWO)
    assert after.data == pytest.approx(eager(fn, TWO), rel=CLOSE)
    assert after.data != before.data
    assert (loss.recordings[0] is recorded) == (change == "data")
    recorded = loss.recordings[0]
    assert loss(TWO).data == after.data
    assert loss.recordings == [recorded]


def test_slots() -> None:
    slotted = Slotted()
    loss = compile(slotted)
    assert loss(TWO).data == 18.0
    slotted.w = Value(3.0)
    assert loss(TWO).data == 27.0
    slotted.scale = 1.0
    assert loss(TWO).data == 9.0


@dataclass(slots=True)
class Point:
    w: Value


def test_closures_and_slots_of_dataclasses() -> None:
    point = Point(Value(2.0))

    def inner(x: Any) -> Any:
        return point.w * x[0]

    def outer(x: Any) -> Any:
        return inner(x)

    loss = compile(outer)
    assert loss(TWO).data == 6.0
    point.w = Value(3.0)
    assert loss(TWO).data == 9.0
    point = Point(Value(4.0))
    assert loss(TWO).data == 12.0


def test_a_model_under_training_is_recorded_once_and_a_changed_one_again() -> None:
    model = nn.MLP(2, [3, 1], rng=0)

    def fn(x: Any) -> Any:
        return model(x)

    loss = compile(fn)

    def check(*, anew: bool) -> None:
        known = loss.recordings
        assert loss(TWO).data == pytest.approx(eager(fn, TWO), rel=CLOSE)
        assert (loss.recordings != known) == anew
        assert set(loss.parameters) == set(model.parameters())

    check(anew=True)
    optimizer = nn.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss(TWO).backward()
        optimizer.step()
        check(anew=False)
    model.load_state_dict({name: 2 * number for name, number in model.state_dict().items()})
    check(anew=False)
    model.eval()
    model.train()
    model.layers[0].neurons[0].w[1] = Value(9.0)
    check(anew=True)
    model.layers[1] = nn.Layer(3, 1, "linear", rng=4)
    check(anew=True)
    for neuron in model.layers[0].neurons:
        neuron.activation = "tanh"
    check(anew=True)
    model = nn.MLP(2, [5, 1], rng=1)
    check(anew=True)


def test_what_was_found_nowhere_is_refused() -> None:
    """A Value that comes from where nobody can see: parameters= says that it will stay."""
    hidden = Value(2.0)
    found = iter(lambda: hidden, None).__next__
    with pytest.raises(RecordingError, match=r"cannot see where it takes it from.*or give compile\(\) parameters=\[\.\.\.\]"):
        compile(lambda x: found() * x)([1.0])
    assert compile(lambda x: found() * x, parameters=[hidden])([1.0]).data == 2.0


def test_all_numbers_are_looked_at_however_many() -> None:
    """Mistake: of more than a thousand, the larger lists and arrays were taken to stay as they are."""
    w, rows, array = Value(1.0), [[float(i)] for i in range(10_000)], np.arange(10_000.0)
    flat, options = array.tolist(), {"l2": 0.1}

    def fn(x: Any) -> Any:
        return w * rows[3][0] * array[2] * flat[2] * options["l2"] * x

    for change in (
        lambda: flat.__setitem__(2, 7.0),
        lambda: options.update(l2=0.2),
        lambda: rows[3].__setitem__(0, 7.0),
        lambda: array.__setitem__(2, 7.0),
    ):
        captured = Captured(fn, [w])
        assert captured.missing == []
        assert not captured.changed()
        change()
        assert captured.changed()


# Threads, memory, copies


def test_eight_threads_share_one_function() -> None:
    """From the first call on, which all of them make; the bits are those of one thread."""
    model = nn.MLP(4, [8, 1], "tanh", rng=0)
    batches = [rng.normal(size=(1 + i % 5, 4)) for i in range(40)]

    def fn(x: Any) -> Any:
        return model(x) ** 2

    serial = compile(fn)
    expected = [(serial(x).data, gradient(serial(x), model.parameters())) for x in batches]
    shared = compile(fn)
    together = threading.Barrier(8)

    def work(_: int) -> list[Any]:
        together.wait()
        return [((y := shared(x)).data, gradient(y, model.parameters())) for x in batches]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(8)):
            assert found == expected
    assert len(shared.recordings) == 1
    assert sorted(map(id, shared.parameters)) == sorted(map(id, model.parameters()))


def test_calls_leave_nothing_behind() -> None:
    """10,000 steps, in a process of their own, without the garbage collector: not a megabyte more, and nothing to collect."""
    program = """
import gc, resource, numpy as np
from autograd import compile
import nn
model = nn.MLP(2, [4, 1], rng=0)
loss_of = compile(lambda x, y: (model(x) - y) ** 2)
x, y = np.ones((8, 2)), np.ones(8)
gc.disable()
for calls in (500, 10_000):
    if calls == 10_000:
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(calls):
        loss = loss_of(x, y)
        loss.backward()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after - before, gc.collect())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    kilobytes, garbage = map(int, done.stdout.split())
    assert kilobytes < 1024
    assert garbage == 0


def test_recording_leaves_nothing_for_the_collector() -> None:
    """Of the graph that was recorded, and the Values in it."""
    model = nn.MLP(2, [4, 1], rng=0)
    compile(model)(TWO)  # the first recording imports modules, which leave garbage of their own
    while gc.collect():
        pass
    gc.disable()
    try:
        loss = compile(lambda x: model(x) ** 2)
        loss(TWO)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_recording_holds_no_data() -> None:
    """Neither a node nor the function keeps the arrays of a call alive."""
    w = Value(2.0)
    loss = compile(lambda x: w * x)
    x = np.ones(1000)
    before = sys.getrefcount(x)
    history = [loss(x) for _ in range(5)]
    assert sys.getrefcount(x) == before
    assert sum(y.data for y in history) == 10.0


shared_w = Value(2.0)


@compile
def decorated(x: Any) -> Any:
    return shared_w * x


def plain(x: Any) -> Any:
    return shared_w * x


called = compile(plain, reduction="sum")


def test_pickling_and_copying_functions() -> None:
    """By name, where it is that of a module; else what it was made of, to be recorded anew."""
    assert decorated([1.0]).data == 2.0
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert copy.deepcopy(decorated) is decorated
    assert called([1.0, 2.0]).data == 6.0
    again = pickle.loads(pickle.dumps(called))
    assert again([1.0, 2.0]).data == 6.0
    assert (again.reduction, again.recordings == called.recordings) == ("sum", False)
    model = nn.MLP(2, [3, 1], rng=0)
    one = {"model": model, "loss": compile(model), "given": compile(model, parameters=model.parameters())}
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert other["loss"](TWO).data == one["loss"](TWO).data  # type: ignore[operator]
        other["model"].layers[0].neurons[0].b.data = 5.0
        assert other["loss"](TWO).data == other["given"](TWO).data != one["loss"](TWO).data  # type: ignore[operator]
    trainer = Trainer(3.0)
    trainer.loss([1.0])  # type: ignore[call-arg, arg-type]  # mypy knows no such descriptor
    for other in (copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        other.w.data = 5.0
        assert (other.loss([1.0]).data, trainer.loss([1.0]).data) == (5.0, 3.0)  # type: ignore[call-arg, arg-type]
    assert pickle.loads(pickle.dumps(Trainer.loss)) is Trainer.loss
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(compile(lambda x: x))


def test_graphs_with_a_call_cannot_be_pickled() -> None:
    result = called([1.0, 2.0]) * 2.0
    with pytest.raises(TypeError, match="a graph with a call of a compiled function cannot be pickled: pickle the function"):
        pickle.dumps(result)
    with pytest.raises(TypeError, match="a graph with a call of a compiled function"):
        pickle.dumps([result, shared_w])
    copied = copy.deepcopy(result)  # keeps what the call gave
    assert (copied.data, gradient(copied, [copied])) == (12.0, (1.0,))


def test_an_index_that_all_examples_share_picks_from_a_table_of_each() -> None:
    w = [Value(1.0), Value(2.0)]
    fn = compile(lambda x: math.select([x[0] * w[0], x[1] * w[1]], math.where(w[0] > 0, 1.0, 0.0)))
    result = fn([[1.0, 2.0], [3.0, 4.0]])
    assert result.data == (2.0 * 2.0 + 4.0 * 2.0) / 2
    assert gradient(result, w) == (0.0, 3.0)


def test_arguments_may_be_called_like_what_the_source_makes_of_another() -> None:
    w = Value(1.5)
    fn = compile(lambda xs, xs1, float: w * math.sin(xs) * math.exp(xs1) * float)  # noqa: A006 - a name that the source uses, too
    one, two = np.array([0.1, 0.2]), np.array([0.5, 0.6])
    fn(one, one, one)
    expected = sum(1.5 * math.sin(x) * math.exp(y) * x for x, y in zip(one.tolist(), two.tolist(), strict=True)) / 2
    assert fn(one, two, one).data == pytest.approx(expected, rel=CLOSE)


def test_ones_below_numbers_that_all_examples_share_are_none_below_others() -> None:
    q, scales = [Value(0.3), Value(0.7), Value(1.1)], [Value(0.5), Value(-0.4), Value(100.0)]
    w, v, b = [Value(0.2), Value(0.9)], [Value(-0.6), Value(0.8)], Value(0.1)

    def fn(x: Any) -> Any:
        shared = [math.tanh(a * a) for a in q[:2]]
        hidden = [math.tanh(scale * x) for scale in scales]  # the last is 1 for all but the smallest x
        rows = [math.sumprod([*row, b], [*values[:2], 1.0]) for row in (w, v) for values in (shared, hidden)]
        return math.fsum([math.sin(row) for row in rows]) + math.fsum(hidden) + math.fsum([a * a for a in q])

    compiled = compile(fn)
    compiled([1.0, 2.0])
    x = [0.001, -0.5]
    assert compiled(x).data == pytest.approx(sum(fn(Value(xi)).data for xi in x) / 2, rel=CLOSE)


def test_no_gradient_is_not_zero_times_infinity() -> None:
    w, guard = Value(2.0), Value(0.0)
    fn = compile(lambda x: math.sqrt(w * x) + math.sqrt(guard * x).detach() + math.where(math.sqrt(guard * x) > 1, x, w))
    by_w, by_guard = gradient(fn([1.0, 4.0]), [w, guard])
    assert by_guard == 0.0
    assert by_w == pytest.approx((0.5 / 2**0.5 + 1.0 / 2**0.5) / 2 + 1.0, rel=CLOSE)
