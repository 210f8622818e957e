"""Compares ``nn.fit`` with a loop of NumPy by hand: whole training steps, including the update.

``python -m benchmarks.training`` trains an MLP 2-16-16-1 on the moons: 100 points at once, MSE, plain gradient descent. Both
begin with the same numbers and must have the same losses. The time of a step is computed from the time of many steps minus that
of one, so that recording and compiling, which happen once, do not count. Their time is printed separately.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import nn
from benchmarks.hand_numpy import mse_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LR, STEPS, LIMIT = 0.05, 1000, 1.0
CLOSE = 1e-9
"""The tolerance of losses: rounding over a thousand steps, in two orders of adding."""


def moons(count: int) -> tuple[Array, Array]:
    """Return noisy points on two half-circles, and the half-circle of each, -1 or 1."""
    rng = np.random.default_rng(0)
    angles, side = np.pi * rng.random(count), np.where(np.arange(count) % 2, 1.0, -1.0)
    x, y = np.cos(angles) * side, np.sin(angles) * side
    points = np.stack([x + 0.5 * (side < 0), y + 0.25 * side], axis=1)
    return points + rng.normal(0.0, 0.1, points.shape), side


def by_fit(X: Array, y: Array, steps: int) -> tuple[float, Array]:  # noqa: N803 - as in nn.fit
    """Return the seconds, and the loss before each step."""
    model = nn.MLP(2, [16, 16, 1], rng=0)
    optimizer = nn.SGD(model.parameters(), lr=LR)
    start = perf_counter()
    history = nn.fit(model, X, y, loss=nn.mse_loss, optimizer=optimizer, epochs=steps, batch_size=None, progress=False)
    return perf_counter() - start, history.loss


def by_hand(X: Array, y: Array, steps: int) -> tuple[float, Array]:  # noqa: N803 - likewise
    """The same, in NumPy."""
    layers = nn.MLP(2, [16, 16, 1], rng=0).layers
    weights: list[Any] = [np.array([[w.data for w in neuron.w] for neuron in layer.neurons]) for layer in layers]
    biases: list[Any] = [np.array([neuron.b.data for neuron in layer.neurons]) for layer in layers]
    step: Any = mse_step  # the baseline has no types
    targets, losses = y[:, None], []
    start = perf_counter()
    for _ in range(steps):
        loss, gradients = step(X, targets, weights, biases)
        for k, (by_weight, by_bias) in enumerate(gradients):
            weights[k] -= LR * by_weight
            biases[k] -= LR * by_bias
        losses.append(loss)
    return perf_counter() - start, np.array(losses)


def main() -> None:
    """Take turns, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    X, y = moons(100)  # noqa: N806 - likewise
    once, many, hand = [], [], []
    for _ in range(rounds):
        once.append(by_fit(X, y, 1)[0])
        seconds, losses = by_fit(X, y, STEPS + 1)
        many.append(seconds)
        seconds, expected = by_hand(X, y, STEPS)
        hand.append(seconds)
        if not np.allclose(losses[:STEPS], expected, rtol=CLOSE, atol=0.0):
            msg = "nn.fit and NumPy by hand do not agree"
            raise SystemExit(msg)
    ratio = median([(b - a) / c for a, b, c in zip(once, many, hand, strict=True)])
    step, by_hand_step = (1e6 * (median(many) - median(once)) / STEPS, 1e6 * median(hand) / STEPS)
    print(f"nn.fit, 2-16-16-1, 100 points, SGD: {step:.1f} us a step, by hand {by_hand_step:.1f} us")
    print(f"ratio {ratio:.2f}, limit {LIMIT}; recording and compiling take {1e3 * median(once):.0f} ms, once")


if __name__ == "__main__":
    main()
