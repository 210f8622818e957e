"""Races: contestants take turns in one process, and a table shows the ratios of their times.

The ratio of a round compares turns that follow one another, and the printed figure is the median over rounds. The garbage
collector is off while the clock runs, which favours contestants that leave garbage.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Answer = tuple[float, NDArray[np.float64]]

TURN = 5e-3  # the least seconds of a turn: short steps are repeated
TOLERANCE = 1e-9  # relative: sums of thousands of terms, added in different orders, differ by less


@dataclass(eq=False)
class Contestant:
    """A way to do a job. ``answer`` turns the result of ``step`` into the loss and the gradient. It is not timed.

    A step does ``jobs`` jobs at once, and times are per job. At most ``rounds`` rounds are run.
    """

    name: str
    step: Callable[[], Any]
    answer: Callable[[Any], Answer] | None = None
    limit: float | None = None
    jobs: float = 1.0
    rounds: int = 1_000_000
    first: float = field(init=False, default=math.nan)
    repeats: int = field(init=False, default=1)

    def warm_up(self) -> None:
        """Time the first call, and find from the second how many steps a turn needs."""
        first = stopwatch(self.step)
        if math.isnan(self.first):
            self.first = first
        self.repeats = max(1, math.ceil(TURN / stopwatch(self.step)))

    def turn(self) -> float:
        """Return the seconds that a job takes."""
        return stopwatch(self.step, self.repeats) / self.repeats / self.jobs


def stopwatch(step: Callable[[], Any], repeats: int = 1) -> float:
    """Return the seconds that ``repeats`` steps take, without the cyclic garbage collector."""
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(repeats):
            step()
        return time.perf_counter() - start
    finally:
        gc.enable()


def race(title: str, subject: Contestant, peers: Sequence[Contestant], rounds: int) -> None:
    """Check that all answers agree, and print how long ``subject`` takes relative to each of ``peers``."""
    gc.collect()
    for contestant in (subject, *peers):
        contestant.warm_up()
    for peer in peers:
        check(title, subject, peer)
    times: dict[Contestant, list[tuple[float, float]]] = {peer: [] for peer in peers}
    for k in range(rounds):
        for peer in peers:
            if k < peer.rounds:
                times[peer].append((subject.turn(), peer.turn()))
    print(f"\n{title} (first call {subject.first:.3g} s)")
    for peer, pairs in times.items():
        mine, its = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median([a / b for a, b in pairs])
        limit = "" if peer.limit is None else f"limit {peer.limit:.2g}"
        print(f"  {subject.name:>20} {mine:10.4g} ms  {peer.name:>24} {its:10.4g} ms  ratio {ratio:8.3g}  {limit}".rstrip())


def check(title: str, subject: Contestant, peer: Contestant) -> None:
    """Raise AssertionError if both do the same job and give different losses or gradients."""
    if subject.answer is None or peer.answer is None or subject.jobs != peer.jobs:
        return
    (loss, gradient), (its_loss, its_gradient) = subject.answer(subject.step()), peer.answer(peer.step())
    np.testing.assert_allclose(loss, its_loss, rtol=TOLERANCE, err_msg=f"{title}: loss of {peer.name}")
    scale = float(np.abs(its_gradient).max())
    np.testing.assert_allclose(
        gradient, its_gradient, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=f"{title}: gradient of {peer.name}"
    )
