"""Compares the speed of compiled functions with NumPy by hand, the eager engine, PyTorch, JAX and CasADi.

    python -m pip install -e ".[demos]" torch jax casadi && python -m benchmarks.compiled [--rounds N] [--only NAME ...]

All contestants take turns in one process, on one core, in float64. Before that, they must agree on losses and gradients. The
compiled functions are written for one example, with ``nn`` or as plain loops over scalars. A limit is a goal that was set for a
ratio. Peers that are not installed are skipped. The eager engine has few turns. Where it would take minutes, it does a part of
the job.
"""

from __future__ import annotations

import os

os.environ.update(  # before NumPy is imported
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false"
)

import argparse
import multiprocessing
import platform
import resource
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import autograd
import nn
from autograd import Value, math, topological_sort
from benchmarks import hand_gpt, hand_numpy, irregular, peers
from benchmarks.eager import pin_to_one_core
from benchmarks.race import Contestant, race, stopwatch
from demos import gpt as scalar_gpt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Layers = list[list[tuple[list[Value], Value]]]

SLOW = 3  # rounds, for jobs that take seconds
POINTS = 1000  # at which the irregular functions are evaluated

MLPS = {  # sizes, examples, limits for: NumPy by hand, PyTorch
    "mlp-2-16-16-1": ((2, 16, 16, 1), 100, 0.85, 0.2),
    "mlp-64-32-10": ((64, 32, 10), 128, 0.85, 0.4),
    "mlp-784-128-10": ((784, 128, 10), 128, 1.0, 0.9),
}


class Job(NamedTuple):
    """A job: the mean of ``loss`` over examples, the rows of ``x`` and ``y``, and its gradient by ``parameters``."""

    loss: Callable[[Any, Any], Any]
    parameters: list[Value]
    x: Array
    y: Array

    @property
    def theta(self) -> Array:
        """The numbers of the parameters."""
        return np.array([parameter.data for parameter in self.parameters])

    def first(self, count: int) -> Job:
        """The job on the first ``count`` examples."""
        return self._replace(x=self.x[:count], y=self.y[:count])


def mlp(sizes: Sequence[int], examples: int) -> dict[str, Job]:
    """Return the training step of an MLP with ReLUs, written in two ways: MSE of one output, or cross-entropy of classes."""
    rng = np.random.default_rng(0)
    model = nn.MLP(sizes[0], list(sizes[1:]), rng=0)
    parameters = model.parameters()
    network = plain_loops([[(neuron.w, neuron.b) for neuron in layer.neurons] for layer in model.layers])
    x = rng.normal(size=(examples, sizes[0]))
    if sizes[-1] == 1:
        y: Array = rng.normal(size=examples)
        losses = (lambda x, y: nn.mse_loss(model(x), y), lambda x, y: squared_error(network(x)[0], y))
    else:
        y = rng.integers(0, sizes[-1], examples)
        losses = (lambda x, y: nn.cross_entropy(model(x), y), lambda x, y: cross_entropy(network(x), y))
    return {way: Job(loss, parameters, x, y) for way, loss in zip(("nn.MLP", "loops"), losses, strict=True)}


def plain_loops(layers: Layers) -> Callable[[Any], list[Any]]:
    """Return a network of neurons ``(w, b)`` with ReLUs between layers, written as single multiplications and additions."""

    def network(x: Any) -> list[Any]:
        for layer in layers:
            outputs = []
            for w, b in layer:
                a = b
                for wi, xi in zip(w, x, strict=True):
                    a = a + wi * xi
                outputs.append(a if layer is layers[-1] else math.relu(a))
            x = outputs
        return list(x)

    return network


def squared_error(prediction: Any, target: Any) -> Any:
    """The square of the difference."""
    error = prediction - target
    return error * error


def cross_entropy(logits: list[Any], target: Any) -> Any:
    """``-log softmax(logits)[target]``."""
    return math.logsumexp(logits) - math.select(logits, target)


def gpt(documents: int) -> Job:
    """The training step of the GPT, on documents of 16 tokens."""
    model, share = scalar_gpt.GPT(hand_gpt.VOCABULARY, np.random.default_rng(0)), [1 / hand_gpt.CONTEXT] * hand_gpt.CONTEXT
    tokens = np.random.default_rng(0).integers(0, hand_gpt.VOCABULARY, (documents, hand_gpt.CONTEXT + 1))
    return Job(
        lambda x, y: scalar_gpt.loss(model(x), (y, share)), model.parameters(), tokens[:, :-1].copy(), tokens[:, 1:].copy()
    )


def compiled(job: Job, *, jobs: float = 1.0, limit: float | None = None) -> Contestant:
    """Return the compiled function, which chooses the order of its parameters."""
    function = autograd.compile(job.loss)
    first = stopwatch(lambda: function(job.x[:1], job.y[:1]))
    theta = np.array([parameter.data for parameter in function.parameters])
    place = {parameter: i for i, parameter in enumerate(function.parameters)}
    order = [place[parameter] for parameter in job.parameters]
    contestant = Contestant(
        f"compiled, batch {len(job.x)}",
        lambda: function.value_and_grad(theta, job.x, job.y),
        lambda result: (result[0], result[1][order]),
        limit,
        jobs,
    )
    contestant.first = first
    return contestant


def recorded_and_compiled(job: Job) -> Contestant:
    """Return the first call of a compiled function, which records and compiles."""
    theta, one = job.theta, job.first(1)

    def step() -> Any:
        return autograd.compile(one.loss, parameters=one.parameters).value_and_grad(theta, one.x, one.y)

    return Contestant("recording, compiling", step, lambda result: result)


def eager(job: Job, *, limit: float | None = None, jobs: float = 1.0) -> Contestant:
    """Forward and backward on Values."""
    examples = list(zip(job.x.tolist(), job.y.tolist(), strict=True))

    def step() -> Any:
        for parameter in job.parameters:
            parameter.grad = 0.0
        loss = math.fsum([job.loss(x, y) for x, y in examples]) / len(examples)
        loss.backward()
        return loss

    name = "eager" if jobs == 1.0 else f"eager, 1 example x {1 / jobs:.0f}"
    return Contestant(name, step, lambda loss: gradient(loss, job.parameters), limit, jobs, SLOW)


def gradient(loss: Any, parameters: list[Value]) -> tuple[float, Array]:
    """Return the number of ``loss`` and the vector of the gradients that ``backward`` stored in ``parameters``."""
    return loss.data, np.array([parameter.grad for parameter in parameters])


def race_mlp(name: str, rounds: int) -> None:
    """Compare a step of an MLP with all peers."""
    sizes, examples, hand_limit, torch_limit = MLPS[name]
    for way, job in mlp(sizes, examples).items():
        arrays = peers.unflat_layers(job.theta, sizes)
        hand = hand_mlp(arrays, job.x, job.y, hand_limit)
        on_values = eager(job.first(1), jobs=1 / examples) if sizes[0] > 100 else eager(job)  # noqa: PLR2004 - minutes
        contestants = [hand, on_values, *peers.mlp(sizes, job.theta, job.x, job.y, torch_limit)]
        race(f"{name}, batch {examples}, written with {way}", compiled(job), contestants, rounds)


def hand_mlp(arrays: Sequence[Array], x: Array, y: Array, limit: float) -> Contestant:
    """Return ``hand_numpy`` on an MLP with the arrays W, b, W, b, …."""
    outputs = len(arrays[-1])
    function: Any = hand_numpy.mse_step if outputs == 1 else hand_numpy.cross_entropy_step
    targets = y[:, None] if outputs == 1 else np.eye(outputs)[y]

    def answer(result: Any) -> tuple[float, Array]:
        loss, layers = result
        return loss, peers.flat_layers([array for layer in layers for array in layer])

    return Contestant("NumPy by hand", lambda: function(x, targets, arrays[::2], arrays[1::2]), answer, limit)


def race_gpt(rounds: int) -> None:
    """Compare a step of the GPT on 1 and on 32 documents, per document."""
    one, many = gpt(1), gpt(32)
    contestants = [eager(one, limit=1 / 300), hand_gpt_step(one), *peers.gpt(one.theta, one.x, one.y, 1.0)]
    race("gpt, 16 positions, 1 document", compiled(one), contestants, rounds)
    contestants = [compiled(one, limit=0.3), hand_gpt_step(many), *peers.gpt(many.theta, many.x, many.y, 1.0)]
    race("gpt, 16 positions, 32 documents: times per document", compiled(many, jobs=32), contestants, rounds)


def hand_gpt_step(job: Job) -> Contestant:
    """``hand_gpt`` on the documents of ``job``."""
    weights = hand_gpt.unflattened(job.theta)

    def answer(result: Any) -> tuple[float, Array]:
        return result[0], hand_gpt.flattened(result[1])

    return Contestant("NumPy by hand", lambda: hand_gpt.step(weights, job.x, job.y), answer, 2.5, len(job.x))


def race_compiling(rounds: int) -> None:
    """Compare recording and compiling with forward and backward on Values, for one example."""
    jobs = {f"{name}, {way}": job for name, (sizes, *_) in MLPS.items() for way, job in mlp(sizes, 1).items()}
    for name, job in {**jobs, "gpt": gpt(1)}.items():
        race(f"compiling {name}", recorded_and_compiled(job), [eager(job, limit=3.0)], min(rounds, SLOW))


def race_scaling(rounds: int) -> None:
    """Measure recording and compiling, per operation, for graphs of 10,000 to 1,000,000 operations."""
    jobs = [mlp((width, width, 10), 1)["loops"] for width in (66, 219, 702)]
    nodes = [operations(job.loss(job.x[0].tolist(), job.y[0].tolist())) for job in jobs]
    contestants = [recorded_and_compiled(job) for job in jobs]
    contestants[0].step()
    times = [
        [stopwatch(contestant.step) / n for contestant, n in zip(contestants, nodes, strict=True)]
        for _ in range(min(rounds, SLOW))
    ]
    print("\nscaling: recording and compiling, seconds a node, leaves aside, relative to the smallest")
    for k, n in enumerate(nodes):
        each = statistics.median(row[k] for row in times)
        ratio = statistics.median(row[k] / row[0] for row in times)
        print(f"  {n:>20,} nodes {each * n:7.3g} s  {1e6 * each:7.3g} us a node  ratio {ratio:8.3g}  limit 1.5")


def operations(result: Any) -> int:
    """Return the number of nodes in the graph of ``result`` that are not leaves."""
    return sum(not node.is_leaf for node in topological_sort(result))


def measure_memory(_rounds: int) -> None:
    """Measure the largest resident set of a process that records, compiles and runs an MLP 784-512-512-10."""
    print("\nmemory: 784-512-512-10 recorded, compiled and stepped on 128 examples, in a process of its own")
    for way in ("nn.MLP", "loops"):
        mine, its = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=report_memory, args=(way, its))
        process.start()
        its.close()  # then recv() fails, rather than waits, if the process does
        before, values, after = mine.recv()
        process.join()
        print(f"  {way:>20}: {before:5.0f} MB after the imports, {values:5.0f} MB with the Values, {after:5.0f} MB at the most")


def report_memory(way: str, pipe: Any) -> None:
    """Send the largest resident set in megabytes: after the imports, with the model, and after two steps."""
    sizes = [peak()]
    job = mlp((784, 512, 512, 10), 128)[way]
    sizes.append(peak())
    subject = compiled(job)
    subject.step()
    subject.step()
    pipe.send([*sizes, peak()])


def peak() -> float:
    """Return the largest resident set so far, in megabytes."""
    if (status := Path("/proc/self/status")).exists():  # here getrusage includes the parent process
        return float(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1e3
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def race_irregular(name: str, rounds: int) -> None:
    """Compare a function and its gradient at one point, and summed over many points that are shifted together."""
    function, dimension = getattr(irregular, name), irregular.DIMENSIONS[name]
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (POINTS, dimension))
    variables = [Value(number) for number in points[0].tolist()]
    shift = [Value(0.0) for _ in variables]

    def on_values() -> Any:
        for variable in variables:
            variable.grad = 0.0
        y = function(variables)
        y.backward()
        return y

    def on_one_point() -> Any:
        return function(variables)

    def shifted(x: Any) -> Any:
        return function([xi + pi for xi, pi in zip(x, shift, strict=True)])

    one = autograd.compile(on_one_point, parameters=variables)
    many = autograd.compile(shifted, reduction="sum", parameters=shift)
    subject = Contestant("compiled", lambda: one.value_and_grad(points[0]), lambda result: result)
    peer = Contestant("eager", on_values, lambda y: gradient(y, variables), 1 / 20, rounds=5 * SLOW)
    race(f"{name}, 1 point", subject, [peer, *peers.casadi(function, points[:1])], rounds)

    origin = np.zeros(dimension)
    subject = Contestant("compiled", lambda: many.value_and_grad(origin, points), lambda result: result)
    peer = Contestant(f"eager, 1 point x {POINTS}", on_values, limit=1 / 20, jobs=1 / POINTS, rounds=5 * SLOW)
    race(f"{name}, {POINTS} points", subject, [peer, *peers.casadi(function, points)], rounds)


WORKLOADS: dict[str, Callable[[int], None]] = {
    **{name: lambda rounds, name=name: race_mlp(name, rounds) for name in MLPS},  # type: ignore[misc]  # binds name
    "gpt": race_gpt,
    "compiling": race_compiling,
    "scaling": race_scaling,
    "memory": measure_memory,
    **{name: lambda rounds, name=name: race_irregular(name, rounds) for name in irregular.DIMENSIONS},  # type: ignore[misc]
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="NAME", help=", ".join(WORKLOADS)
    )
    arguments = parser.parse_args()
    pin_to_one_core()
    print(f"CPython {platform.python_version()}, NumPy {np.__version__}, median of {arguments.rounds} rounds at the most")
    for name in arguments.only:
        WORKLOADS[name](arguments.rounds)


if __name__ == "__main__":
    main()
