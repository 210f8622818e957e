"""The order of a graph, at any depth and width, and what a node costs."""

from __future__ import annotations

import copy
import gc
import pickle
import resource
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from autograd import GraphError, Value, gradient, math, topological_sort
from autograd.graph import validate

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION = 1_000_000
BYTES_PER_NODE = 300  # after backward; a binary node is 80 bytes, its tuple 56, its two floats 48


def test_arguments_come_first_and_every_node_once() -> None:
    a, b = Value(1.0), Value(2.0)
    c = a * b
    d = c + a
    e = d * c
    order = topological_sort(e)
    assert sorted(map(id, order)) == sorted(map(id, [a, b, c, d, e]))
    assert order[-1] is e
    for node in order:
        assert all(order.index(arg) < order.index(node) for arg in node.args)


def test_the_order_does_not_depend_on_addresses() -> None:
    def labels() -> list[str]:
        a, b = Value(1.0, "a"), Value(2.0, "b")
        c = a * b
        c.label = "c"
        d = c + b
        d.label = "d"
        return [node.label for node in topological_sort(d)]

    kept = [Value(0.0) for _ in range(100)]
    assert len({tuple(labels()) for _ in kept}) == 1


@pytest.mark.parametrize("wrong", [3.0, None, [Value(1.0)]])
def test_what_is_no_value_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="expects a Value, not"):
        topological_sort(wrong)  # type: ignore[type-var]


def test_a_cycle_made_by_hand_is_reported() -> None:
    """The public attribute refuses; what was forced past it ends the sort, and ``validate`` finds it."""
    x = Value(1.0, "x")
    y = x + 1
    z = y * 2
    with pytest.raises(AttributeError):
        y.args = (z, x)  # type: ignore[misc]
    y._args = (z, x)
    with pytest.raises(GraphError, match="the graph has a cycle through"):
        validate(topological_sort(z))
    y._args = (y, x)
    with pytest.raises(GraphError, match="a Value cannot be computed from itself"):
        validate(topological_sort(y))


def test_a_sound_graph_is_valid() -> None:
    x = Value(1.0)
    validate(topological_sort((x + x) * x))


def chain(length: int) -> tuple[Value, Value]:
    x = y = Value(1.0)
    for _ in range(length):
        y = y.tanh()
    return x, y


def deep(size: int) -> tuple[Value, Value]:
    x = Value(1.0)
    y = x
    for _ in range(size):
        y = y + x
    return x, y


def wide(size: int) -> tuple[Value, Value]:
    x = Value(1.0)
    return x, math.fsum([x + 1.0 for _ in range(size)])


@pytest.mark.parametrize(("shape", "result"), [(deep, MILLION + 1.0), (wide, 2.0 * MILLION)])
def test_a_million_deep_and_a_million_wide(shape: Callable[[int], tuple[Value, Value]], result: float) -> None:
    assert sys.getrecursionlimit() == 1000
    x, y = shape(MILLION)
    y.backward()
    assert (y.data, x.grad) == (result, MILLION + (shape is deep))
    assert repr(y) == f"Value(data={result}, grad=1.0)"
    del y  # would overflow the C stack if freeing recursed


@pytest.mark.parametrize("shape", [deep, wide])
def test_bytes_of_a_node(shape: Callable[[int], tuple[Value, Value]]) -> None:
    tracemalloc.start()
    _, y = shape(100_000)
    y.backward()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / len(topological_sort(y)) <= BYTES_PER_NODE


def test_copies_of_a_deep_graph() -> None:
    x, y = chain(100_000)
    for copied in (pickle.loads(pickle.dumps(y)), copy.deepcopy(y)):
        assert (copied.data, len(topological_sort(copied))) == (y.data, 100_001)
        copied.backward()
    y.backward()
    assert topological_sort(copied)[0].grad == x.grad


def test_gradient_and_second_order_of_a_deep_graph() -> None:
    x, y = chain(20_000)
    (slope,) = gradient(y, [x], create_graph=True)
    slope.backward()
    assert x.grad < 0


def test_every_interior_node_dies_with_the_result() -> None:
    """With the collector off nothing but reference counts frees them: there are no cycles."""
    gc.collect()
    gc.disable()
    try:
        w = [Value(0.1 * k) for k in range(50)]
        before = sum(type(o) is Value for o in gc.get_objects())
        loss = math.fsum([(wi * wi + 1).log().tanh() for wi in w])
        loss.backward()
        slopes = gradient(loss, w, create_graph=True)
        (second,) = gradient(slopes[0], w[:1])
        assert sum(type(o) is Value for o in gc.get_objects()) > before
        del loss, slopes, second
        assert sum(type(o) is Value for o in gc.get_objects()) == before
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_ten_thousand_steps_do_not_grow() -> None:
    """In a process of its own: RSS is the whole interpreter's."""
    program = """
import gc, resource
from autograd import Value
import nn
gc.disable()
model = nn.MLP(2, [4, 1], rng=0)
optimizer = nn.SGD(model.parameters(), lr=0.01)
def step():
    loss = nn.mse_loss(model([1.0, 2.0]), 3.0)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
for _ in range(500): step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(10_000): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 1024


def test_the_peak_is_in_kilobytes() -> None:
    """What the test above reads is a number that grows with the memory in use."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    block = bytearray(before * 1024 + 64_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > before
