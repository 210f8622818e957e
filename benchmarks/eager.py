"""Compares this engine with micrograd: the time of a training step, of an assignment and of an import; the memory of a node.

    python -m pip install micrograd && python -m benchmarks.eager [--rounds N]

The job is micrograd's own example: forward and backward of MLP(2, [16, 16, 1]) over 100 points. ``loops`` runs micrograd's
loops on this engine's Value, and ``nn.MLP`` is this project's network. Every contestant has a process of its own, so that none
pays for another's garbage. They take turns. The ratio of a round compares steps that follow one another, and the figures are
medians over rounds.

The time of an assignment to ``data``, which optimizers do for each parameter, and the time that new processes take to import
autograd after NumPy are the shortest of all rounds.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
import timeit
import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

POINTS = 100
SIZES = (2, 16, 16, 1)


def micrograd_loops(value: Any) -> Callable[[], Any]:
    """Return the job as micrograd's ``nn`` and its moons notebook write it, on any engine's class ``value``."""
    rng = random.Random(0)
    layers = [
        [([value(rng.uniform(-1, 1)) for _ in range(nin)], value(0)) for _ in range(nout)] for nin, nout in pairwise(SIZES)
    ]
    points = [[rng.uniform(-1, 1), rng.uniform(-1, 1)] for _ in range(POINTS)]
    labels = [rng.choice((-1, 1)) for _ in range(POINTS)]

    def neuron(w: list[Any], b: Any, x: list[Any], *, nonlin: bool) -> Any:
        act = sum((wi * xi for wi, xi in zip(w, x, strict=False)), b)
        return act.relu() if nonlin else act

    def step() -> Any:
        inputs = [list(map(value, row)) for row in points]
        scores = []
        for row in inputs:
            x = row
            for k, layer in enumerate(layers):
                x = [neuron(w, b, x, nonlin=k < len(layers) - 1) for w, b in layer]
            scores.append(x[0])
        losses = [(1 + -yi * score).relu() for yi, score in zip(labels, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses))
        loss.backward()
        return loss

    return step


def micrograd() -> Callable[[], Any]:
    """Return the job on micrograd."""
    from micrograd.engine import Value

    sys.setrecursionlimit(10_000)  # micrograd recurses
    return micrograd_loops(Value)


def same_loops() -> Callable[[], Any]:
    """Return the same loops on this engine."""
    from autograd import Value

    return micrograd_loops(Value)


def fused() -> Callable[[], Any]:
    """Return the job with this project's network, in which each neuron is one scalar product."""
    import nn

    rng = random.Random(0)
    model = nn.MLP(SIZES[0], list(SIZES[1:]), rng=0)
    points = [[rng.uniform(-1, 1), rng.uniform(-1, 1)] for _ in range(POINTS)]
    labels = [rng.choice((-1, 1)) for _ in range(POINTS)]

    def step() -> Any:
        loss = nn.hinge_loss([model(row) for row in points], labels)
        loss.backward()
        return loss

    return step


CONTESTANTS = {"micrograd": micrograd, "loops": same_loops, "nn.MLP": fused}


def pin_to_one_core() -> None:
    """Run on the same core as all other contestants, because cores differ."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def work(make: Callable[[], Callable[[], Any]], pipe: Connection, *, collector: bool) -> None:
    """Run a step and send its time, as often as the pipe asks for it."""
    pin_to_one_core()
    step = make()
    step()
    gc.collect()
    (gc.enable if collector else gc.disable)()
    while pipe.recv():
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        if not collector:
            gc.collect()  # of the step's garbage, untimed, before the next contestant's turn
        pipe.send(seconds)


def race(*, collector: bool, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each step, by contestant. All take turns."""
    context = multiprocessing.get_context("spawn")
    workers = {}
    for name, make in CONTESTANTS.items():
        mine, theirs = context.Pipe()
        process = context.Process(target=work, args=(make, theirs), kwargs={"collector": collector}, daemon=True)
        process.start()
        workers[name] = mine
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, pipe in workers.items():
            pipe.send(True)
            times[name].append(pipe.recv())
    for pipe in workers.values():
        pipe.send(False)
    return times


def memory() -> tuple[float, int]:
    """Return the bytes per node of a graph after ``backward``, and the number of objects left for the garbage collector."""
    from autograd import topological_sort

    step = same_loops()
    step()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    loss = step()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    nodes = sum(not node.is_leaf for node in topological_sort(loss)) + 2 * POINTS  # the step also makes the inputs
    del loss
    return used / nodes, gc.collect()


def assignment(value: Any) -> float:
    """Return the microseconds of ``p.data = x``, the fastest of many rounds."""
    return min(timeit.repeat("p.data = x", globals={"p": value(1.0), "x": 2.0}, number=10_000, repeat=20)) * 1e6 / 10_000


def import_over_numpy(rounds: int) -> float:
    """Return the milliseconds of ``import autograd`` after NumPy was imported, the fastest of some rounds."""
    program = "import numpy, time; start = time.perf_counter(); import autograd; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", program]
    return 1e3 * min(float(subprocess.check_output(command)) for _ in range(rounds))  # noqa: S603 - the program above


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"CPython {sys.version.split()[0]}, median of {rounds} rounds")
    print(f"{'':12}{'collector on':>24}{'collector off':>24}")
    on, off = race(collector=True, rounds=rounds), race(collector=False, rounds=rounds)
    for name in CONTESTANTS:
        cells = []
        for times in (on, off):
            ratio = statistics.median([t / peer for t, peer in zip(times[name], times["micrograd"], strict=True)])
            cells.append(f"{1e3 * statistics.median(times[name]):8.1f} ms, ratio {ratio:.3f}")
        print(f"{name:12}{cells[0]:>24}{cells[1]:>24}")
    size, garbage = memory()
    print(f"{size:.0f} bytes a node; {garbage} objects left for the collector")
    from micrograd.engine import Value as Micrograd

    from autograd import Value

    print(f"p.data = x: {assignment(Value):.2f} us, micrograd's {assignment(Micrograd):.2f}")
    print(f"import autograd: {import_over_numpy(rounds):.1f} ms over numpy")


if __name__ == "__main__":
    main()
