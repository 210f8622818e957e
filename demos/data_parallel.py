"""How several processes train one network: each takes shards of the data, one is killed in the middle, and nothing is lost.

The loss is the mean over n examples. Split these into shards, the k-th of n_k examples whose own mean is L_k:

    L = (1/n) Σ_i loss_i = (1/n) Σ_k Σ_(i in k) loss_i = Σ_k (n_k / n) L_k        so        ∇L = Σ_k (n_k / n) ∇L_k

since differentiation is linear. So a worker needs the compiled program, the parameters theta, and its shard, and returns L_k
and ∇L_k. The sum is the whole gradient; only roundings differ, as the examples are added in another order. Each task depends on
its arguments alone: if a worker dies, another computes the task again and gets the same bits. How the data are split does not
depend on the number of workers, and shards are added in their own order, not in that of arrival; so the result doesn't, either.
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
"""Into how many parts the data are split, whatever the number of workers."""


class Run(NamedTuple):
    """What training gave: the loss before each step, and the parameters in the end."""

    losses: Array
    theta: Array


class Sharded:
    """The mean over all shards and its gradient, computed by the workers of a cluster."""

    def __init__(self, client: Client, program: Recording, shards: Sequence[Shard]) -> None:
        self._client = client
        # Results of tasks, not client.scatter(): what a killed worker held of them, the scheduler has computed again. (Where
        # each worker can read the data by itself, let the task read them: here they travel through the scheduler.) No task is a
        # function of this module, so that workers import autograd and NumPy alone, and never the demo.
        self._share = client.submit(getattr, program, "value_and_grad", pure=False)
        self._shards = [[client.submit(np.asarray, array, pure=False) for array in shard] for shard in shards]
        sizes = np.array([len(shard[0]) for shard in shards])
        self._weights = (sizes / sizes.sum()).tolist()

    def value_and_grad(self, theta: Array, disturb: Callable[[], None] | None = None) -> tuple[float, Array]:
        """The mean and its gradient at ``theta``; ``disturb`` is called while workers compute them."""
        parts = [self._client.submit(operator.call, self._share, theta, *shard, pure=False) for shard in self._shards]
        if disturb is not None:
            disturb()
        value, gradient = 0.0, np.zeros_like(theta)
        for weight, (mean, slopes) in zip(self._weights, self._client.gather(parts), strict=True):  # in the order of the shards
            value += weight * mean
            gradient += weight * slopes
        return value, gradient

    def kill_a_worker(self) -> None:
        """Kill the process, on this machine, that holds the first shard: what it computes and what it holds is lost."""
        first = self._shards[0][0]
        (holder, *_) = self._client.who_has([first])[first.key]
        (process,) = self._client.run(os.getpid, workers=[holder]).values()
        os.kill(process, signal.SIGKILL)


def train(optimizer: nn.SGD, theta: Array, steps: int, value_and_grad: Callable[[int, Array], tuple[float, Array]]) -> Run:
    """``steps`` steps from ``theta``, by the loss and the gradient that ``value_and_grad`` finds in each."""
    losses = []
    for step in stage.progress(range(steps), "training"):
        loss, gradient = value_and_grad(step, theta)
        theta = optimizer.update(theta, gradient)
        losses.append(loss)
    return Run(np.array(losses), theta)


@contextlib.contextmanager
def connected(workers: int, address: str | None) -> Iterator[Client]:
    """A client of the scheduler at ``address``; without one, of a cluster of ``workers`` processes that ends with the block."""
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
    # Any free port, as others may run a cluster, too; and that a worker was killed is no news here.
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
    """The losses of both runs, one over the other, and by how much they differ."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    above.plot(single.losses, color=stage.BLUE, linewidth=6, alpha=0.4, label="one process, all examples at once")
    above.plot(sharded.losses, color=stage.AMBER, linewidth=1.5, label=f"{SHARDS} shards, on workers")
    above.set_ylabel("loss")
    below.plot(np.abs(sharded.losses - single.losses), ".", color=stage.INK, markersize=4)
    below.set_yscale("symlog", linthresh=1e-17)
    below.set_ylim(0, 1e-11)
    below.axhline(1e-12, color=stage.INK, linewidth=0.8, linestyle="--", label="what is allowed")
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
    parser.add_argument("--address", help="a running Dask scheduler, as tcp://HOST:8786, whose workers to use; none is killed")
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
    print(f"Of the digits that it learned from, {right:.1%} are read.")
    for what, one, other in (("losses", single.losses, sharded.losses), ("parameters", single.theta, sharded.theta)):
        print(f"The {what} differ from those of a single process by at most {np.max(np.abs(one - other)):.1e}.")
    print("Wrote", stage.save(draw_runs(single, sharded, killed_in), options.out / "data_parallel.png"))


if __name__ == "__main__":
    main()
