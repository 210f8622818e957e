"""Measures graphs with few operations to combine: long chains, recurrences, random graphs; and a softmax written by hand.

    python -m benchmarks.chains [NAME …]

For each graph it prints, per node, the processor time (best of three) and the memory of compiling, without recording. Then it
compares a step at batch 1 with forward and backward of the eager engine, and a step at batch 1,000 with the same graph computed
node by node on arrays. Ratios are medians over rounds in which both take turns.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import random
import statistics
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np

import autograd
import nn
from autograd import Value, math
from autograd.compiler import oracle
from autograd.compiler.program import Program
from autograd.compiler.record import Graph, Input, as_graph, collector_paused, record
from benchmarks import hand_numpy, irregular
from benchmarks.eager import pin_to_one_core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BATCH = 1000
ROUNDS = 7


def tanh_chain(x: Sequence[Any], w: Sequence[Any], steps: int = 10_000) -> Any:
    """Apply tanh to a product, again and again."""
    y = x[0] * w[0]
    for _ in range(steps):
        y = math.tanh(y)
    return y


def mixed_chain(x: Sequence[Any], w: Sequence[Any], steps: int = 3_333) -> Any:
    """A chain of sines, products and sums."""
    y = x[0]
    for k in range(steps):
        y = math.sin(y) * w[k % 4] + x[k % 4]
    return y


def deep_graph(x: Sequence[Any], w: Sequence[Any], steps: int = 10_000) -> Any:
    """A random graph, in which each operation takes some of the last 30 results."""
    rng = random.Random(0)
    nodes = [*x, *w]
    kinds: list[Any] = [lambda a, b: (a + b) * 0.5, lambda a, b: a * b, lambda a, _: math.sin(a), lambda a, _: math.tanh(a)]
    for _ in range(steps):
        nodes.append(rng.choice(kinds)(*rng.choices(nodes[-30:], k=2)))
    return math.fsum(nodes[-30:])


def random_graph(x: Sequence[Any], w: Sequence[Any]) -> Any:
    """The random graph of benchmarks/irregular.py, in which operations take any earlier results."""
    return irregular.random_graph([*x, *w])


def recurrence(x: Sequence[Any], w: Sequence[Any], steps: int = 1000) -> Any:
    """A recurrent network of 4 units over 1,000 steps."""
    h: list[Any] = [0.0] * 4
    for t in range(steps):
        h = [math.tanh(math.sumprod(w[5 * k : 5 * k + 5], [x[t % len(x)], *h])) for k in range(4)]
    return math.fsum(h)


def cell(x: Sequence[Any], w: Sequence[Any], steps: int = 1000) -> Any:
    """A long short-term memory of one unit over 1,000 steps."""
    h, memory = x[0], x[1]
    for t in range(steps):
        forget, write, what, show = [math.sumprod(w[3 * k : 3 * k + 3], [1.0, x[t % len(x)], h]) for k in range(4)]
        memory = math.sigmoid(forget) * memory + math.sigmoid(write) * math.tanh(what)
        h = math.sigmoid(show) * math.tanh(memory)
    return h


def oscillators(x: Sequence[Any], w: Sequence[Any], steps: int = 800) -> Any:
    """Four oscillators, each pulled by the next one, over 800 steps."""
    h = [*x]
    for _ in range(steps):
        h = [a + w[0] * math.sin(b - a) for a, b in zip(h, [*h[1:], h[0]], strict=True)]
    return math.fsum(h)


GRAPHS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "tanh_chain": (tanh_chain, 4, 4),
    "mixed_chain": (mixed_chain, 4, 4),
    "deep_graph": (deep_graph, 4, 4),
    "random_graph": (random_graph, 10, 10),
    "oscillators": (oscillators, 4, 1),
    "cell": (cell, 4, 12),
    "recurrence": (recurrence, 4, 20),
}


def interleaved(*steps: Callable[[], Any], rounds: int = ROUNDS) -> list[float]:
    """Return the time of each step relative to the last one, and the last one's time, as medians over rounds."""
    table = []
    for _ in range(rounds):
        row = []
        for step in steps:
            began = time.perf_counter()
            count = 0
            while time.perf_counter() - began < 0.02:  # noqa: PLR2004 - seconds
                step()
                count += 1
            row.append((time.perf_counter() - began) / count)
        table.append(row)
    return [
        *[statistics.median(row[k] / row[-1] for row in table) for k in range(len(steps) - 1)],
        statistics.median(row[-1] for row in table),
    ]


def recorded(name: str) -> tuple[Graph, Callable[[Sequence[Any]], Any], list[Value], int]:
    """Return the graph of a function, the function, the Values that it captures, and its number of inputs."""
    function, inputs, variables = GRAPHS[name]
    w = [Value(0.3 + 0.4 * k / variables) for k in range(variables)]
    with collector_paused():
        given = [Value(0.1 * k) for k in range(inputs)]
        result, began = record(lambda: function(given, w))
        return as_graph([result], given, began), lambda x: function(x, w), w, inputs


def measure(name: str) -> None:
    """Print the row of one graph."""
    graph, function, w, inputs = recorded(name)

    def compiled() -> Program:
        with collector_paused():
            return Program(graph, [Input("x", inputs, whole=False)], [], "mean", np.dtype(float))

    nodes, seconds = len(graph.code), float("inf")
    for _ in range(3):
        began = time.process_time()
        program = compiled()
        seconds = min(seconds, time.process_time() - began)
    tracemalloc.start()
    another = compiled()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del another
    one = np.linspace(-1.0, 1.0, inputs)[None]
    many = np.random.default_rng(0).uniform(-1.0, 1.0, (BATCH, inputs))
    theta = np.array([graph.variables[k].data for k in program.plan.parameters])

    def eager() -> None:
        for value in w:
            value.zero_grad()
        function([Value(number) for number in one[0].tolist()]).backward()

    in_order = np.array([value.data for value in graph.variables])
    at_1, seconds_eager = interleaved(lambda: program.run(theta, [one], 1), eager, rounds=3 * ROUNDS)
    at_many, _ = interleaved(
        lambda: program.run(theta, [many], BATCH), lambda: oracle.value_and_grad(graph, in_order, many, "mean"), rounds=3
    )
    print(
        f"{name:>14} {nodes:>8,} nodes  compiling {1e3 * seconds / nodes:8.4f} ms {peak / 1e3 / nodes:7.2f} kB a node   "
        f"batch 1 / eager {at_1:6.3f} (eager {1e3 * seconds_eager:.1f} ms)   batch {BATCH} / node by node {at_many:6.3f}"
    )


def softmax_by_hand(_: str) -> None:
    """Compare an MLP 64-32-10, whose cross-entropy is written as loops over a stable softmax, with NumPy by hand."""
    rng = np.random.default_rng(0)
    model = nn.MLP(64, [32, 10], rng=0)

    def loss(x: Any, t: Any) -> Any:
        z = model(x)
        m = z[0]
        for o in z[1:]:
            m = math.maximum(m, o)
        exps = [math.exp(o - m) for o in z]
        total = exps[0]
        for e in exps[1:]:
            total = total + e
        return -math.log(math.select(exps, t) / total)

    x, t = rng.normal(size=(128, 64)), rng.integers(0, 10, 128)
    function = autograd.compile(loss)
    function(x, t)
    theta = np.array([p.data for p in function.parameters])
    arrays = []
    for layer in model.layers:
        arrays.append(np.array([[w.data for w in neuron.w] for neuron in layer.neurons]))
        arrays.append(np.array([neuron.b.data for neuron in layer.neurons]))
    by_hand: Any = hand_numpy.cross_entropy_step
    hot = np.eye(10)[t]
    ratio, seconds = interleaved(
        lambda: function.value_and_grad(theta, x, t),
        lambda: by_hand(x, hot, arrays[::2], arrays[1::2]),
        rounds=5 * ROUNDS,
    )
    lines = function.source.count("\n")
    print(f"   softmax written out, 64-32-10: {ratio:.3f} of NumPy by hand ({1e6 * seconds:.0f} us), {lines} lines of source")


def main() -> None:
    """Print a line for each graph."""
    pin_to_one_core()
    for name in sys.argv[1:] or [*GRAPHS, "softmax"]:
        (measure if name in GRAPHS else softmax_by_hand)(name)


if __name__ == "__main__":
    main()
