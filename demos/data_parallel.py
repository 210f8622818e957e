"""Trains one network with several processes, of which one is killed on the way, without losing anything.

The loss is the mean over n examples. Split the examples into shards. Shard k has n_k examples, whose mean loss is L_k. Then

    L = (1/n) Σ_i loss_i = (1/n) Σ_k Σ_(i in k) loss_i = Σ_k (n_k / n) L_k        so        ∇L = Σ_k (n_k / n) ∇L_k

because differentiation is linear. A worker needs the compiled program, the parameters theta and its shard, and returns L_k and
∇L_k. Their weighted sum is the gradient of the whole. It differs from that of a single process only by rounding, because the
examples are added in another order. Each task depends only on its arguments: if a worker dies, another one computes the task
again and gets the same bits. The result does not depend on the number of workers, because the number of shards is fixed and
shards are added in order, not as they arrive.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import operator
import os
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import autograd
import nn
from autograd import math
from demos import stage

with stage.extras(name="dask"):
    from distributed import Client, LocalCluster
with stage.extras():
    from matplotlib.figure import Figure
    from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from autograd.compiler import Recording

    Array = NDArray[np.float64]
    Shard = tuple[NDArray[Any], ...]

SHARDS = 8
"""The number of parts that the data are split into, whatever the number of workers."""


class Run(NamedTuple):
    """The result of a training: the loss before each step, and the final parameters."""

    losses: Array
    theta: Array


class Sharded:
    """The mean loss over all shards and its gradient, computed by the workers of a cluster."""

    def __init__(self, client: Client, program: Recording, shards: Sequence[Shard]) -> None:
        self._client = client
        # The program and the shards are results of tasks. If a worker is killed, the scheduler has the results that it held
        # computed again, which it cannot do for client.scatter(). Here the data travel through the scheduler. If each worker
        # can read them by itself, let the tasks do so. No task is a function of this module, so that workers import only
        # autograd and NumPy, never the demo.
        self._share = client.submit(getattr, program, "value_and_grad", pure=False)
        self._shards = [[client.submit(np.asarray, array, pure=False) for array in shard] for shard in shards]
        sizes = np.array([len(shard[0]) for shard in shards])
        self._weights = (sizes / sizes.sum()).tolist()

    def value_and_grad(self, theta: Array, disturb: Callable[[], None] | None = None) -> tuple[float, Array]:
        """Return the mean loss and its gradient at ``theta``. ``disturb`` is called while the workers compute them."""
        parts = [self._client.submit(operator.call, self._share, theta, *shard, pure=False) for shard in self._shards]
        if disturb is not None:
            disturb()
        value, gradient = 0.0, np.zeros_like(theta)
        for weight, (mean, slopes) in zip(self._weights, self._client.gather(parts), strict=True):  # in order
            value += weight * mean
            gradient += weight * slopes
        return value, gradient

    def kill_a_worker(self) -> None:
        """Kill the process that holds the first shard. It must run on this machine. All its data and results are lost."""
        first = self._shards[0][0]
        (holder, *_) = self._client.who_has([first])[first.key]
        (process,) = self._client.run(os.getpid, workers=[holder]).values()
        os.kill(process, signal.SIGKILL)


def train(optimizer: nn.SGD, theta: Array, steps: int, value_and_grad: Callable[[int, Array], tuple[float, Array]]) -> Run:
    """Take ``steps`` steps from ``theta``. In each, ``value_and_grad(step, theta)`` returns the loss and its gradient."""
    losses = []
    for step in stage.progress(range(steps), "training"):
        loss, gradient = value_and_grad(step, theta)
        theta = optimizer.update(theta, gradient)
        losses.append(loss)
    return Run(np.array(losses), theta)


@contextlib.contextmanager
def connected(workers: int, address: str | None) -> Iterator[Client]:
    """Connect to the scheduler at ``address``, or else to a new cluster of ``workers`` processes that ends with the block."""
    if address is not None:
        try:
            client = Client(address)
        except OSError as error:
            msg = (
                f"no scheduler answers at {address} ({error}): start one with `dask scheduler`, and workers with `dask worker`"
            )
            raise SystemExit(msg) from error
        with client:
            yield client
        return
    # Any free port, because other clusters may run. No logs, because the killed worker is expected.
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def draw_runs(single: Run, sharded: Run, killed_in: int | None) -> Figure:
    """Draw the losses of both runs, one over the other, and their difference."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    above.plot(single.losses, color=stage.BLUE, linewidth=6, alpha=0.4, label="one process, all examples at once")
    above.plot(sharded.losses, color=stage.AMBER, linewidth=1.5, label=f"{SHARDS} shards, on workers")
    above.set_ylabel("loss")
    below.plot(np.abs(sharded.losses - single.losses), ".", color=stage.INK, markersize=4)
    below.set_yscale("symlog", linthresh=1e-17)
    below.set_ylim(0, 1e-11)
    below.axhline(1e-12, color=stage.INK, linewidth=0.8, linestyle="--", label="allowed")
    below.legend(frameon=False, loc="upper left")
    below.set_ylabel("difference of losses")
    below.set_xlabel("step")
    if killed_in is not None:
        for axes in (above, below):
            axes.axvline(killed_in, color=stage.INK, linewidth=1, linestyle=":", label="a worker is killed")
    above.legend(frameon=False)
    return figure


def _options(argv: Sequence[str] | None) -> stage.Options:
    parser = argparse.ArgumentParser("python -m demos.data_parallel", add_help=False)
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes to start on this machine (default: 2)")
    parser.add_argument("--address", help="use the workers of this Dask scheduler, as tcp://HOST:8786, and kill none")
    chosen = stage.options("data_parallel", (__doc__ or "").partition("\n")[0], argv, parents=[parser])
    if chosen.workers < 1:
        parser.error(f"--workers must be at least 1, not {chosen.workers}")
    return chosen


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = _options(argv)
    images, digits = load_digits(return_X_y=True)
    images = images / 16
    if options.quick:
        images, digits = images[:300], digits[:300]
    steps = 20 if options.quick else 100
    killed_in = steps // 2 if options.address is None else None

    model = nn.MLP(64, [8 if options.quick else 32, 10], rng=options.seed)
    parameters = model.parameters()
    start = nn.parameters_to_vector(parameters)
    loss = autograd.compile(lambda image, digit: nn.cross_entropy(model(image), digit), parameters=parameters)
    loss(images[:1], digits[:1])  # recorded once, here
    (program,) = loss.recordings
    shards = list(zip(np.array_split(images, SHARDS), np.array_split(digits, SHARDS), strict=True))
    print(f"{model}\n\n{len(images)} digits in {SHARDS} shards, {steps} steps of gradient descent on all of them")

    def optimizer() -> nn.SGD:
        return nn.SGD(parameters, lr=0.2, momentum=0.9)

    single = train(optimizer(), start, steps, lambda _, theta: program.value_and_grad(theta, images, digits))
    with connected(options.workers, options.address) as client:
        mean = Sharded(client, program, shards)
        sharded = train(
            optimizer(),
            start,
            steps,
            lambda step, theta: mean.value_and_grad(theta, mean.kill_a_worker if step == killed_in else None),
        )

    nn.vector_to_parameters(sharded.theta, parameters)
    predict = autograd.compile(lambda image: math.softmax(model(image)), reduction=None)
    right = np.mean(predict(images).argmax(axis=1) == digits)
    if killed_in is not None:
        print(f"In step {killed_in} the worker that held the first shard was killed.")
    print(f"The loss went from {sharded.losses[0]:.4f} to {sharded.losses[-1]:.4f}.")
    print(f"It reads {right:.1%} of the digits that it was trained on.")
    for what, one, other in (("losses", single.losses, sharded.losses), ("parameters", single.theta, sharded.theta)):
        print(f"The {what} differ from those of a single process by at most {np.max(np.abs(one - other)):.1e}.")
    print("Wrote", stage.save(draw_runs(single, sharded, killed_in), options.out / "data_parallel.png"))


if __name__ == "__main__":
    main()
