"""Schedules: learning rates that change from epoch to epoch, or from step to step. Formulas and defaults are PyTorch's."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Literal

from nn.errors import shown
from nn.optim import BaseOptimizer
from nn.settings import ABOVE_0, FRACTION, Range, at_least_1, check_state, flag, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Interval = Literal["epoch", "step"]

_UP_TO_1: Range = ("a number from 0 to 1", lambda x: 0.0 <= x <= 1.0)
_UP_TO_HALF: Range = ("a number from 0 to 0.5", lambda x: 0.0 <= x <= 0.5)  # noqa: PLR2004 - the text says the bound
_STEPS: Range = ("the number of steps done, from 0 on", lambda x: 0.0 <= x <= sys.maxsize)
"""It need not be whole: a rate may lie between two steps."""


class LRScheduler:
    """The base of schedules: each call of ``step()`` sets the optimizer's ``lr`` to ``lr_at(last_epoch)``.

    ``last_epoch`` is the number of calls of ``step()``. ``interval`` tells ``nn.fit`` when to call it: after each "epoch", or
    after each "step" of the optimizer. ``base_lr`` is the optimizer's ``lr`` before its first schedule, and all rates follow
    from it. A rate that you set by hand is overwritten at the next step.

    For a schedule of your own, define ``lr_at``. Set the attributes that it needs before you call ``super().__init__``.
    """

    def __init__(self, optimizer: BaseOptimizer, *, interval: Interval = "epoch") -> None:
        if not isinstance(optimizer, BaseOptimizer):
            msg = f"{type(self).__name__} takes an optimizer, not {type(optimizer).__name__} {shown(optimizer)}"
            raise TypeError(msg)
        _check_interval(interval)
        self.optimizer = optimizer
        self.interval = interval
        base_lr, scheduled = optimizer.scheduled or (optimizer.lr, None)
        self.base_lr = base_lr if optimizer.lr == scheduled else optimizer.lr
        self.last_epoch = 0
        self.apply(0)
        optimizer.scheduled = self.base_lr, optimizer.lr

    def lr_at(self, t: int) -> float:
        """Return the learning rate after ``t`` calls of ``step()``."""
        raise NotImplementedError

    def apply(self, t: int) -> None:
        """Set the optimizer's ``lr`` to the rate after ``t`` calls of ``step()``."""
        self.optimizer.lr = self.lr_at(t)

    def step(self) -> None:
        """Set the next learning rate."""
        self.apply(self.last_epoch + 1)
        self.last_epoch += 1
        self.optimizer.scheduled = self.base_lr, self.optimizer.lr

    def get_last_lr(self) -> list[float]:
        """Return the current learning rate in a list, as PyTorch does."""
        return [self.lr_at(self.last_epoch)]

    def state_dict(self) -> dict[str, Any]:
        """Return all settings, and ``last_epoch``."""
        return {name: x for name, x in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the settings and ``last_epoch`` that ``state_dict`` returned.

        KeyError unless the names are those of this schedule, TypeError for values of another type. The optimizer does not
        change: its own ``load_state_dict`` restores the ``lr``.
        """
        check_state(self, self.state_dict(), state)
        vars(self).update(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={x}' for name, x in self.state_dict().items())})"


class StepLR(LRScheduler):
    """Multiply the rate by ``gamma`` every ``step_size`` epochs, starting from ``base_lr``.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> schedule = StepLR(SGD([Value(1.0)], lr=8.0), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(t) for t in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: BaseOptimizer, step_size: int, gamma: float = 0.1, *, interval: Interval = "epoch") -> None:
        self.step_size = at_least_1("step_size", step_size)
        self.gamma = number("gamma", gamma)
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        t = _steps(t)
        try:
            return self.base_lr * self.gamma ** (t // self.step_size)
        except OverflowError:  # Python's power raises where the result of IEEE 754 is infinite
            return self.base_lr * math.inf


class CosineAnnealingLR(LRScheduler):
    """Lower the rate from ``base_lr`` to ``eta_min`` in ``T_max`` epochs, along half a cosine wave.

    After that the rate rises again. This is Loshchilov & Hutter 2017 without the restarts.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> schedule = CosineAnnealingLR(SGD([Value(1.0)], lr=3.0), T_max=4, eta_min=1.0)
    >>> [round(schedule.lr_at(t), 2) for t in range(6)]      # 1 + 2 · (1 + cos(t π / 4)) / 2
    [3.0, 2.71, 2.0, 1.29, 1.0, 1.29]
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
        *,
        interval: Interval = "epoch",
    ) -> None:
        self.T_max = at_least_1("T_max", T_max)
        self.eta_min = number("eta_min", eta_min)
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        t = _steps(t)
        return self.eta_min + (self.base_lr - self.eta_min) * (1.0 + math.cos(math.pi * t / self.T_max)) / 2.0


class LinearLR(LRScheduler):
    """Change the rate from ``start_factor * base_lr`` to ``end_factor * base_lr`` in ``total_iters`` equal steps.

    After that the rate stays the same.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> schedule = LinearLR(SGD([Value(1.0)], lr=8.0), start_factor=0.5, total_iters=4)
    >>> [schedule.lr_at(t) for t in range(6)]
    [4.0, 5.0, 6.0, 7.0, 8.0, 8.0]
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        *,
        interval: Interval = "epoch",
    ) -> None:
        self.start_factor = number("start_factor", start_factor, _UP_TO_1)
        self.end_factor = number("end_factor", end_factor, _UP_TO_1)
        self.total_iters = at_least_1("total_iters", total_iters)
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        done = min(_steps(t), self.total_iters) / self.total_iters
        return self.base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class OneCycleLR(LRScheduler):
    """Raise the rate from ``max_lr / div_factor`` to ``max_lr``, then lower it to nearly 0 (Smith & Topin 2018).

    This takes ``total_steps`` steps, or ``epochs * steps_per_epoch``. One more call of ``step()`` is a ValueError. The rise
    takes the fraction ``pct_start`` of the steps. The last rate is the first rate divided by ``final_div_factor``. With
    ``three_phase``, the rate falls to the first rate in as many steps as it rose, and then to the last rate.
    ``anneal_strategy`` is "cos" or "linear". The optimizer's own ``lr`` is not used.

    With ``cycle_momentum``, the optimizer's ``momentum``, or the first of its ``betas``, falls from ``max_momentum`` to
    ``base_momentum`` while the rate rises, and rises again while the rate falls.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)])
    >>> schedule = OneCycleLR(
    ...     optimizer, 5.0, 10, pct_start=0.5, anneal_strategy="linear", div_factor=5.0, final_div_factor=float("inf")
    ... )
    >>> [schedule.lr_at(t) for t in range(10)]
    [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    >>> optimizer.momentum
    0.95
    """

    def __init__(  # noqa: PLR0913, PLR0917 - PyTorch's signature
        self,
        optimizer: BaseOptimizer,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,  # noqa: FBT001, FBT002 - PyTorch's signature
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,  # noqa: FBT001, FBT002 - PyTorch's signature
        *,
        interval: Interval = "step",
    ) -> None:
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            msg = "OneCycleLR needs total_steps, or epochs and steps_per_epoch"
            raise ValueError(msg)
        if total_steps is None:
            total_steps = at_least_1("epochs", epochs) * at_least_1("steps_per_epoch", steps_per_epoch)
        if not isinstance(anneal_strategy, str) or anneal_strategy not in ("cos", "linear"):
            msg = f'anneal_strategy must be "cos" or "linear", not {shown(anneal_strategy)}'
            raise ValueError(msg)
        three_phase, cycle_momentum = flag("three_phase", three_phase), flag("cycle_momentum", cycle_momentum)
        if cycle_momentum and not (hasattr(optimizer, "momentum") or hasattr(optimizer, "betas")):
            msg = f"{type(optimizer).__name__} has no momentum and no betas to cycle: pass cycle_momentum=False"
            raise ValueError(msg)
        self.total_steps = at_least_1("total_steps", total_steps)
        self.pct_start = number("pct_start", pct_start, _UP_TO_HALF if three_phase else _UP_TO_1)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum = number("base_momentum", base_momentum, FRACTION)
        self.max_momentum = number("max_momentum", max_momentum, FRACTION)
        self.max_lr = number("max_lr", max_lr)
        self.div_factor = number("div_factor", div_factor, ABOVE_0)
        self.final_div_factor = number("final_div_factor", final_div_factor, ABOVE_0)
        self.three_phase = three_phase
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base. ValueError if ``t`` is larger than ``total_steps``."""
        first = self.max_lr / self.div_factor
        last = first / self.final_div_factor
        return self._at(t, (first, self.max_lr, first, last) if self.three_phase else (first, self.max_lr, last))

    def apply(self, t: int) -> None:
        """See the base. This also sets the momentum."""
        super().apply(t)
        if self.cycle_momentum:
            low, high = self.base_momentum, self.max_momentum
            momentum = self._at(t, (high, low, high, high) if self.three_phase else (high, low, high))
            if hasattr(self.optimizer, "betas"):
                self.optimizer.betas = (momentum, self.optimizer.betas[1])
            else:
                self.optimizer.momentum = momentum  # type: ignore[attr-defined]  # as __init__ has made sure

    def _at(self, t: int, levels: tuple[float, ...]) -> float:
        """Return the value after ``t`` steps of a number that passes through the ``levels``, with a phase between each two.

        With 10 steps and ``pct_start=0.5``, the levels (1, 5, 0) are at the steps 0, 4 and 9. After 2 steps, a linear number
        is half of the way from 1 to 5, which is 3.
        """
        if _steps(t) > self.total_steps:
            msg = (
                f"this OneCycleLR is made for {self.total_steps} steps, and the training has more: "
                "make it with total_steps = epochs * steps per epoch"
            )
            raise ValueError(msg)
        rise = self.pct_start * self.total_steps - 1.0
        last = self.total_steps - 1.0
        ends = [rise, 2.0 * rise, last] if self.three_phase else [rise, last]
        t = min(t, self.total_steps - 1)  # PyTorch continues beyond the end, to rates below 0
        phase = sum(end < t for end in ends)
        begin, end = (0.0, *ends)[phase : phase + 2]
        done = (t - begin) / (end - begin) if end > begin else 1.0
        a, b = levels[phase : phase + 2]
        return b + (a - b) / 2.0 * (1.0 + math.cos(math.pi * done)) if self.anneal_strategy == "cos" else a + (b - a) * done


class SequentialLR(LRScheduler):
    """Follow one schedule after the other, for example a warm-up first. At each of the ``milestones`` the next schedule starts
    from its epoch 0.

    All schedules must have the same optimizer, and the same ``interval``, which is then the interval of this one.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> optimizer = SGD([Value(1.0)], lr=8.0)
    >>> warm_up, decay = LinearLR(optimizer, 0.25, total_iters=3), StepLR(optimizer, 1, 0.5)
    >>> schedule = SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> [schedule.lr_at(t) for t in range(6)]
    [2.0, 4.0, 6.0, 8.0, 4.0, 2.0]
    """

    def __init__(
        self,
        optimizer: BaseOptimizer,
        schedulers: Iterable[LRScheduler],
        milestones: Iterable[int],
        *,
        interval: Interval | None = None,
    ) -> None:
        for name, given in (("schedules", schedulers), ("milestones", milestones)):
            if not hasattr(given, "__iter__") or getattr(given, "ndim", 1) == 0:
                msg = f"SequentialLR takes a list of {name}, not {type(given).__name__} {shown(given)}"
                raise TypeError(msg)
        self.schedulers = [*schedulers]
        self.milestones = tuple([at_least_1("a milestone", milestone) for milestone in milestones])
        if not self.schedulers or len(self.schedulers) != len(self.milestones) + 1:
            msg = (
                f"SequentialLR takes one more schedule than milestones, as each milestone lies between two schedules, "
                f"not {len(self.schedulers)} schedules and {len(self.milestones)} milestones"
            )
            raise ValueError(msg)
        if [*self.milestones] != sorted(set(self.milestones)):
            msg = f"milestones must increase, not {self.milestones}"
            raise ValueError(msg)
        for schedule in self.schedulers:
            if not isinstance(schedule, LRScheduler) or schedule.optimizer is not optimizer:
                msg = f"SequentialLR takes schedules of its own optimizer, not {shown(schedule)}: make them with that optimizer"
                raise ValueError(msg)
        if interval is not None:
            _check_interval(interval)
        intervals = {schedule.interval for schedule in self.schedulers} | ({interval} if interval else set())
        if len(intervals) > 1:
            msg = f"SequentialLR and its schedules must have the same interval, not {sorted(intervals)}"
            raise ValueError(msg)
        super().__init__(optimizer, interval=self.schedulers[0].interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        schedule, begin = self._schedule_at(t)
        return schedule.lr_at(t - begin)

    def apply(self, t: int) -> None:
        """See the base."""
        schedule, begin = self._schedule_at(t)
        schedule.apply(t - begin)

    def state_dict(self) -> dict[str, Any]:
        """See the base. ``schedulers`` is the list of the schedules' states."""
        return super().state_dict() | {"schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See the base."""
        check_state(self, self.state_dict(), state)
        if len(state["schedulers"]) != len(self.schedulers):
            msg = f"the state holds {len(state['schedulers'])} schedules, but this SequentialLR has {len(self.schedulers)}"
            raise ValueError(msg)
        for schedule, its_state in zip(self.schedulers, state["schedulers"], strict=True):
            schedule.load_state_dict(its_state)
        vars(self).update({**state, "schedulers": self.schedulers})

    def _schedule_at(self, t: int) -> tuple[LRScheduler, int]:
        """Return the schedule that sets the rate after ``t`` steps, and the step at which it starts."""
        k = bisect_right(self.milestones, _steps(t))
        return self.schedulers[k], (0, *self.milestones)[k]


def _steps(t: int) -> int:
    """Return ``t``. Raise ValueError unless it is a number of steps."""
    number("t in lr_at()", t, _STEPS)
    return t


def _check_interval(interval: Any) -> None:
    if not isinstance(interval, str) or interval not in ("epoch", "step"):
        msg = f'interval must be "epoch" or "step", not {shown(interval)}'
        raise ValueError(msg)
