"""Programs as they are written for micrograd's ``Value``: they run with the import changed, and their numbers are right."""

from __future__ import annotations

import copy
import itertools
import math as python_math
import pickle
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import autograd
import nn
from autograd import GraphError, RecordingError, gradcheck, gradient, math, no_grad, value
from autograd.micrograd import Value

if TYPE_CHECKING:
    from collections.abc import Callable


def ordered(root: Value) -> list[Value]:
    """As courses write it: by recursion over ``_prev``."""
    order: list[Value] = []
    seen = set()

    def visit(v: Value) -> None:
        if v not in seen:
            seen.add(v)
            for child in v._prev:
                visit(child)  # type: ignore[arg-type]  # a course does not tell them apart
            order.append(v)

    visit(root)
    return order


def tanh_of(x: Value) -> Value:
    """An operation that a course adds: its derivative is a function of numbers."""
    t = (python_math.exp(2 * x.data) - 1) / (python_math.exp(2 * x.data) + 1)
    out = Value(t, (x,), "tanh")

    def backward() -> None:
        x.grad += (1 - t**2) * out.grad

    out._backward = backward
    return out


# Client 1: the chain rule by hand


def test_the_chain_rule_by_hand() -> None:
    """Every number of a lecture's neuron: the gradients of 2 inputs and 2 weights, one ``_backward`` after the other."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1, x2w2 = x1 * w1, x2 * w2
    total = x1w1 + x2w2
    n = total + b
    o = n.tanh()
    assert o.data == pytest.approx(0.7071067811865476)
    o.grad = 1.0
    for node in (o, n, total, x2w2, x1w1):
        node._backward()
    assert n.grad == pytest.approx(0.5)
    assert (x1.grad, w1.grad) == pytest.approx((-1.5, 1.0))
    assert (x2.grad, w2.grad) == pytest.approx((0.5, 0.0))


def test_a_grader_walks_the_graph_itself() -> None:
    def f(a: Value, b: Value) -> Value:
        c = a + b
        d = a * b + b**3
        c = c + c + 1 - (-a)
        d = d * 2 + (b + a).relu()
        return (c - d) ** 2 / 2.0 + 10.0 / (1.0 + d.exp() * 1e-9)

    a, b = Value(-4.0), Value(2.0)
    root = f(a, b)
    root.grad = 1.0
    for node in reversed(ordered(root)):
        node._backward()
    by_hand = a.grad, b.grad
    a.grad = b.grad = 0.0
    root.backward()
    assert (a.grad, b.grad) == pytest.approx(by_hand, rel=1e-14)
    x, y = value.Value(-4.0), value.Value(2.0)
    assert gradient(f(x, y), [x, y]) == pytest.approx(by_hand, rel=1e-14)  # type: ignore[arg-type]


def test_hand_called_on_leaves_nothing_happens() -> None:
    a = Value(1.0)
    a.grad = 3.0
    a._backward()
    (a * 2)._backward()  # its own grad is 0
    assert a.grad == 3.0
    a.grad = None  # type: ignore[assignment]  # it counts as 0
    b = a * 2
    b.grad = 1.0
    b._backward()
    assert a.grad == 2.0


def test_out_of_date_graphs_are_refused_by_hand_as_well() -> None:
    """Mistake: an update, and then the gradients of the graph from before."""
    a = Value(1.0)
    b = a * a
    a.data = 5.0
    b.grad = 1.0
    with pytest.raises(GraphError, match="was assigned after mul"):
        b._backward()
    c = tanh_of(a) * 2
    a.data = 0.0
    with pytest.raises(GraphError, match="was assigned after"):
        c.backward()


# Client 2: drawing by _prev and _op


def test_a_copied_drawing_function_names_every_node_and_edge() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    d = a * b + 10
    d.label = "d"
    nodes, edges = set(), set()

    def build(v: Value) -> None:
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)  # type: ignore[arg-type]

    build(d)
    text = []
    for n in nodes:
        text.append("%s | data %.4f | grad %.4f" % (n.label, n.data, n.grad))  # noqa: UP031, PERF401 - as courses write it
    assert sorted(text) == [
        " | data -6.0000 | grad 0.0000",
        " | data 10.0000 | grad 0.0000",
        "a | data 2.0000 | grad 0.0000",
        "b | data -3.0000 | grad 0.0000",
        "d | data 4.0000 | grad 0.0000",
    ]
    assert sorted(f"{x.data:g} {v._op}" for x, v in edges) == ["-3 *", "-6 +", "10 +", "2 *"]
    assert [n._op for n in nodes if not n._prev] == [""] * 3


@pytest.mark.parametrize(
    ("build", "op", "children"),
    [
        (lambda a, b: a + b, "+", 2),
        (lambda a, b: a * b, "*", 2),
        (lambda a, _: a * a, "*", 1),
        (lambda a, _: a + 1, "+", 2),
        (lambda a, _: 2 * a, "*", 2),
        (lambda a, _: a**2, "**2", 1),
        (lambda a, _: a**-1, "**-1", 1),
        (lambda a, _: a**0.5, "**0.5", 1),
        (lambda a, b: a**b, "**", 2),
        (lambda a, _: a.relu(), "ReLU", 1),
        (lambda a, _: a.tanh(), "tanh", 1),
        (lambda a, _: a.exp(), "exp", 1),
        (lambda a, _: a.sigmoid(), "sigmoid", 1),
        (lambda a, b: a / b, "/", 2),
        (lambda a, b: a - b, "-", 2),
        (lambda a, _: -a, "-", 1),
        (math.maximum, "max", 2),
        (lambda a, b: Value(1.0, (a, b, a), "mine"), "mine", 2),
        (lambda _, __: Value(1.0, (), "input"), "input", 0),
    ],
)
def test_names_of_operations(build: Callable[[Value, Value], Value], op: str, children: int) -> None:
    a, b = Value(2.0), Value(3.0)
    out = build(a, b)
    assert isinstance(out, Value)
    assert out._op == op
    assert type(out._op) is str
    assert len(out._prev) == children
    assert out._prev == set(out._prev)
    assert not children or a in out._prev
    assert out._prev is not out.args


# Client 3: operations of one's own


def test_an_operation_of_one_s_own_among_others() -> None:
    a, b = Value(0.3), Value(-0.7)

    def f(tanh: Callable[[Value], Value], a: Value, b: Value) -> Value:
        x = tanh(a * b + a)
        return x * x + tanh(x) * b

    root = f(tanh_of, a, b)
    root.backward()
    own = a.grad, b.grad
    x, y = value.Value(0.3), value.Value(-0.7)
    assert own == pytest.approx(gradient(f(lambda v: v.tanh(), x, y), [x, y]), rel=1e-12)  # type: ignore[arg-type, return-value]
    assert gradient(f(tanh_of, a, b), [a, b]) == pytest.approx(own, rel=1e-12)
    root.backward()
    assert (a.grad, b.grad) == (2 * own[0], 2 * own[1])
    assert gradcheck(lambda a, b: f(tanh_of, a, b), [a, b])


def test_a_wrong_backward_is_found_by_gradcheck() -> None:
    def wrong(x: Value) -> Value:
        out = Value(x.data**2, (x,), "square")

        def backward() -> None:
            x.grad = 2 * x.data * out.grad * 1.01

        out._backward = backward
        return out

    with pytest.raises(autograd.GradcheckError, match="square"):
        gradcheck(wrong, Value(3.0))


def test_a_backward_that_is_no_linear_function_is_called_with_the_grad() -> None:
    """A course clips gradients on the way, on a node that the engine made."""
    a = Value(3.0)
    b = a * 2
    seen = []

    def clipped() -> None:
        seen.append(b.grad)
        a.grad += 2 * max(-1.0, min(1.0, b.grad))

    b._backward = clipped
    c = b * 10
    c.backward()
    assert (seen, a.grad, b.grad) == ([10.0], 2.0, 10.0)
    assert (b._op, c._op) == ("*", "*")
    math.fsum([value.Value(5.0), c]).backward()  # the root is the engine's own
    assert (seen, a.grad) == ([10.0, 10.0], 4.0)


def test_children_given_twice_get_what_backward_adds_once() -> None:
    a = Value(3.0)
    out = Value(9.0, (a, a), "square")

    def backward() -> None:
        a.grad += a.data * out.grad
        a.grad += a.data * out.grad

    out._backward = backward
    (out * 2).backward()
    assert a.grad == 12.0
    assert gradient(out * 2, [a]) == (12.0,)
    assert a.grad == 12.0  # gradient() stores nothing


def test_an_operation_of_one_s_own_without_backward_hands_nothing_on() -> None:
    a = Value(3.0)
    out = Value(9.0, (a,), "?")
    (out + a).backward()
    assert a.grad == 1.0
    a._backward = lambda: None  # as in micrograd, where leaves have one
    (out * a).backward()
    assert a.grad == 10.0


def test_a_backward_that_fails_leaves_the_leaves_as_they_were() -> None:
    a = Value(3.0)
    a.grad = 7.0
    out = Value(9.0, (a,), "fails")

    def fails() -> None:
        a.grad += 1.0
        raise ZeroDivisionError

    out._backward = fails
    with pytest.raises(ZeroDivisionError):
        (out * a).backward()
    with pytest.raises(ZeroDivisionError):
        gradient(out * a, [a])
    assert a.grad == 7.0


def test_what_an_operation_of_one_s_own_cannot_do() -> None:
    a = Value(0.5)
    with pytest.raises(TypeError, match="the _children of a Value must be Values, not float 1.0"):
        Value(1.0, (a, 1.0), "+")  # type: ignore[arg-type]
    with pytest.raises(
        GraphError, match="the _backward of 'tanh' adds plain numbers, .* write the operation with autograd.math"
    ):
        gradient(tanh_of(a), [a], create_graph=True)
    with pytest.raises(TypeError, match="'tanh' has a _backward of its own"):
        pickle.dumps(tanh_of(a))
    with pytest.raises(TypeError, match="'tanh' has a _backward of its own"):
        copy.deepcopy(tanh_of(a) * 2)
    with pytest.raises(RecordingError, match="an operation of your own was applied|data of a Value was read"):
        autograd.compile(tanh_of)([0.5])  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="an operation of your own was applied"):
        autograd.compile(lambda x: Value(1.0, (x,), "own"))([0.5])


def test_a_copy_of_an_operation_of_one_s_own_hands_on_the_same() -> None:
    a = Value(0.5)
    original = tanh_of(a)
    original.note = ["mine"]  # type: ignore[attr-defined]
    copied = copy.copy(original)
    assert copied.note is original.note
    (copied * 3).backward()
    assert a.grad == pytest.approx(3 / python_math.cosh(0.5) ** 2)
    assert original.grad == 0.0


def test_a_copy_made_under_no_grad_is_still_a_variable() -> None:
    """Mistake: it was a constant, as if it had been computed there."""
    with no_grad():
        x = copy.copy(Value(3.0))
    (x * x).backward()
    assert x.grad == 6.0


def test_under_no_grad_nothing_is_recorded() -> None:
    a = Value(0.5)
    with no_grad():
        t, s = tanh_of(a), a * 2
    assert (t.is_leaf, s.is_leaf, list(t._prev), list(s._prev)) == (True, True, [], [])
    assert isinstance(s, Value)
    t = t * a
    t.backward()
    assert a.grad == pytest.approx(python_math.tanh(0.5))


# Client 4: parameters with attributes


def test_an_optimizer_that_keeps_its_state_on_the_parameters() -> None:
    """Adam, as people write it on Values: the first step is the learning rate, whatever the gradient."""
    parameters = [Value(3.0), Value(-2.0)]
    for p in parameters:
        p.m = p.v = 0.0  # type: ignore[attr-defined]
    state: Any = parameters
    for step in range(1, 301):
        loss = sum(((p - 1.0) ** 2 * k for k, p in enumerate(parameters, 1)), Value(0.0))
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in state:
            p.m = 0.9 * p.m + 0.1 * p.grad
            p.v = 0.999 * p.v + 0.001 * p.grad**2
            p.data -= 0.1 * (p.m / (1 - 0.9**step)) / (python_math.sqrt(p.v / (1 - 0.999**step)) + 1e-8)
        if step == 1:
            assert [p.data for p in parameters] == pytest.approx([2.9, -1.9])
    assert [p.data for p in parameters] == pytest.approx([1.0, 1.0], abs=1e-2)


def test_a_network_of_a_course_learns() -> None:
    """A class of neurons of one's own; 4 points of a lecture; gradient descent by hand."""
    rng = random.Random(1)

    class Neuron:
        def __init__(self, nin: int) -> None:
            self.w = [Value(rng.uniform(-1, 1)) for _ in range(nin)]
            self.b = Value(0)

        def __call__(self, x: list[Any]) -> Value:
            return sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b).tanh()

    layers = [[Neuron(3) for _ in range(4)], [Neuron(4)]]
    parameters = [p for layer in layers for n in layer for p in (*n.w, n.b)]
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    losses = []
    for _ in range(100):
        out = []
        for row in xs:
            x: list[Any] = row
            for layer in layers:
                x = [n(x) for n in layer]
            out.append(x[0])
        loss = sum((o - y) ** 2 for o, y in zip(out, ys, strict=True))
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data += -0.1 * p.grad
        losses.append(loss.data)
    assert losses[-1] < 0.05 < losses[0]


# With nn and the rest of the engine


def test_layers_take_it_and_its_names_can_be_read_throughout() -> None:
    model = nn.MLP(3, [4, 4, 1])
    x = [Value(2.0), Value(3.0), Value(-1.0)]
    out = model(x)
    root = (out - 1.0) ** 2
    root.backward()
    before = [p.grad for p in model.parameters()] + [v.grad for v in x]
    for node in [*model.parameters(), *x]:
        node.grad = 0.0
    order = ordered(root)
    assert {*model.parameters(), *x} <= {*order}
    assert all(type(node._op) is str for node in order)
    root.grad = 1.0
    for node in order[:-1]:
        node.grad = 0.0
    for node in reversed(order):
        node._backward()
    assert [p.grad for p in model.parameters()] + [v.grad for v in x] == pytest.approx(before, rel=1e-13)
    for layer in (nn.Neuron(2), nn.Layer(2, 3)):
        ys = layer([Value(1.0), Value(2.0)])
        assert len(np.atleast_1d(ys)) == (1 if isinstance(layer, nn.Neuron) else 3)


def test_modules_of_nn_may_be_made_of_it() -> None:
    class Line(nn.Module):
        def __init__(self) -> None:
            self.a, self.b = Value(0.0), Value(0.0)

        def __call__(self, x: Any) -> Any:
            return self.a * x + self.b

    line = Line()
    assert len(line.parameters()) == 2
    line.a.m = 1.0  # type: ignore[attr-defined]
    xs, ys = [k / 10.0 for k in range(10)], [3.0 * k / 10.0 - 1.0 for k in range(10)]
    nn.fit(line, xs, ys, loss=nn.mse_loss, optimizer=nn.SGD(line.parameters(), 0.1), epochs=300, progress=False)
    assert (line.a.data, line.b.data) == pytest.approx((3.0, -1.0), abs=0.2)
    assert line.a.m == 1.0  # type: ignore[attr-defined]


def test_it_compiles_as_the_engine_s_value_does() -> None:
    w = Value(2.0)
    f = autograd.compile(lambda x: (w * x).tanh() ** 2, reduction=None)
    numbers = [0.1, 0.2, 0.3]
    expected = [python_math.tanh(2 * x) ** 2 for x in numbers]
    assert list(f(numbers)) == pytest.approx(expected, rel=1e-14)
    w.data = 3.0
    assert f([0.1])[0] == pytest.approx(python_math.tanh(0.3) ** 2, rel=1e-14)


# What micrograd gets wrong


def test_a_second_backward_adds_the_same_again() -> None:
    """There it adds three times as much, as the grads of nodes between are left from the first."""
    a = Value(3.0)
    b = a * 2
    c = b * b
    c.backward()
    assert (a.grad, b.grad) == (24.0, 12.0)
    c.backward()
    assert (a.grad, b.grad) == (48.0, 12.0)


def test_any_depth() -> None:
    x = Value(0.5)
    y = x
    for _ in range(50_000):
        y = y * 1.0 + 0.0
    y.note = "deep"  # type: ignore[attr-defined]
    y.backward()
    assert x.grad == 1.0
    for other in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert type(other) is Value
        assert (other.note, other.data) == ("deep", 0.5)  # type: ignore[attr-defined]
        assert next(iter(other._prev))._op == "*"


def test_powers_of_values_and_functions_it_does_not_have() -> None:
    a, b = Value(2.0), Value(3.0)
    ((a**b).log() + 2**a).backward()
    assert a.grad == pytest.approx(1.5 + 4 * python_math.log(2.0))
    assert b.grad == pytest.approx(python_math.log(2.0))
    x = math.hypot(Value(3.0), 4.0)
    assert (type(x), x.data) == (Value, 5.0)
    assert type(Value(7.5) % 2) is type(abs(a)) is type(-a) is type(2 - a) is type(math.exp(a)) is Value


def test_every_method_that_is_bound_to_a_row_gives_a_value_of_this_class() -> None:
    numbers = itertools.repeat(Value(1.5))
    for name, method in vars(value.Value).items():
        if getattr(method, "__name__", None) not in autograd.ops.TABLE:
            continue
        x = next(numbers)
        try:
            out = getattr(x, name)()
        except TypeError:
            out = getattr(x, name)(2.0)
        assert type(out) is Value, name


def test_labels_reprs_and_attributes() -> None:
    a = Value(2, label="a")
    assert repr(a) == "Value(data=2.0, grad=0.0, label='a')"
    assert a == 2
    a.grad = 1.0
    a.m = [1]  # type: ignore[attr-defined]
    for other in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert (other.data, other.grad, other.label, other.m, other._op) == (2.0, 1.0, "a", [1], "")
    with pytest.raises(AttributeError):
        a._prev = set()  # type: ignore[misc]
