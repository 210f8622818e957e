"""Schedules: learning rates that change from epoch to epoch, or from step to step. Formulas and defaults are PyTorch's."""

from __future__ import annotations

import math
import numbers
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Literal

from nn.errors import shown
from nn.optim import Optimizer, as_float, at_least_1, check_names, check_setting, flag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Interval = Literal["epoch", "step"]


class LRScheduler:
    """The base of schedules: each call of ``step()`` sets the optimizer's ``lr`` to ``lr_at(last_epoch)``, counted from 0.

    ``interval`` tells ``nn.fit`` when to call it: after each "epoch", or after each "step" of the optimizer; ``last_epoch``
    counts whichever it is. The rates are reckoned from ``base_lr``, the optimizer's when its first schedule was made, and
    those set by hand are lost at the next step. For a schedule of your own, define ``lr_at``, and set the attributes that it
    needs before you call this class's ``__init__``.
    """

    def __init__(self, optimizer: Optimizer, *, interval: Interval = "epoch") -> None:
        if not isinstance(optimizer, Optimizer):
            msg = f"{type(self).__name__} schedules an optimizer, not {type(optimizer).__name__} {shown(optimizer)}"
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
        """The learning rate after ``t`` calls of ``step()``."""
        raise NotImplementedError

    def apply(self, t: int) -> None:
        """Give the optimizer the settings that it has after ``t`` calls of ``step()``."""
        self.optimizer.lr = self.lr_at(t)

    def step(self) -> None:
        """Go on to the next learning rate."""
        self.apply(self.last_epoch + 1)
        self.last_epoch += 1
        self.optimizer.scheduled = self.base_lr, self.optimizer.lr

    def get_last_lr(self) -> list[float]:
        """The learning rate of now, in a list, as PyTorch has it."""
        return [self.lr_at(self.last_epoch)]

    def state_dict(self) -> dict[str, Any]:
        """All settings, and where the schedule stands."""
        return {name: x for name, x in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings and place; KeyError unless the names are those of this schedule.

        The optimizer is left alone: its own ``load_state_dict`` brings back the ``lr``.
        """
        check_names(self, mine := self.state_dict(), state)
        for name, setting in mine.items():
            check_setting(name, setting, state[name])
        vars(self).update(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={x}' for name, x in self.state_dict().items())})"


class StepLR(LRScheduler):
    """``base_lr``, multiplied by ``gamma`` every ``step_size`` epochs.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> schedule = StepLR(SGD([Value(1.0)], lr=8.0), step_size=2, gamma=0.5)
    >>> [schedule.lr_at(t) for t in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, *, interval: Interval = "epoch") -> None:
        self.step_size = at_least_1("step_size", step_size)
        self.gamma = _number("gamma", gamma)
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        t = _steps(t)
        try:
            return self.base_lr * self.gamma ** (t // self.step_size)
        except OverflowError:  # where Python's power raises, IEEE 754's is infinite
            return self.base_lr * math.inf


class CosineAnnealingLR(LRScheduler):
    """From ``base_lr`` to ``eta_min`` in ``T_max`` epochs, on half a cosine wave; after that it goes up again.

    Loshchilov & Hutter 2017, without the restarts.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> schedule = CosineAnnealingLR(SGD([Value(1.0)], lr=3.0), T_max=4, eta_min=1.0)
    >>> [round(schedule.lr_at(t), 2) for t in range(6)]      # 1 + 2 · (1 + cos(t π / 4)) / 2
    [3.0, 2.71, 2.0, 1.29, 1.0, 1.29]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 - PyTorch's name
        eta_min: float = 0.0,
        *,
        interval: Interval = "epoch",
    ) -> None:
        self.T_max = at_least_1("T_max", T_max)
        self.eta_min = _number("eta_min", eta_min)
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        t = _steps(t)
        return self.eta_min + (self.base_lr - self.eta_min) * (1.0 + math.cos(math.pi * t / self.T_max)) / 2.0


class LinearLR(LRScheduler):
    """From ``start_factor * base_lr`` to ``end_factor * base_lr`` in ``total_iters`` equal steps; then it stays there.

    >>> from autograd import Value
    >>> from nn import SGD
    >>> schedule = LinearLR(SGD([Value(1.0)], lr=8.0), start_factor=0.5, total_iters=4)
    >>> [schedule.lr_at(t) for t in range(6)]
    [4.0, 5.0, 6.0, 7.0, 8.0, 8.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        *,
        interval: Interval = "epoch",
    ) -> None:
        self.start_factor = _number("start_factor", start_factor, most=1.0)
        self.end_factor = _number("end_factor", end_factor, most=1.0)
        self.total_iters = at_least_1("total_iters", total_iters)
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base."""
        done = min(_steps(t), self.total_iters) / self.total_iters
        return self.base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class OneCycleLR(LRScheduler):
    """From ``max_lr / div_factor`` up to ``max_lr`` and down to nearly 0, once in ``total_steps`` steps (Smith & Topin 2018).

    The way up takes ``pct_start`` of the steps. The optimizer's own ``lr`` plays no part. The last rate is the first one
    divided by ``final_div_factor``; with ``three_phase``, the way down leads to the first rate in as many steps as the way
    up, and only then to the last. ``anneal_strategy`` is "cos" or "linear". With ``cycle_momentum``, the optimizer's
    ``momentum``, or the first of its ``betas``, goes the other way: from ``max_momentum`` to ``base_momentum`` and back.

    It is made for as many calls of ``step()`` as there are steps, ``total_steps`` or ``epochs * steps_per_epoch``, and raises
    ValueError at one more.

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
        optimizer: Optimizer,
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
        self.pct_start = _number("pct_start", pct_start, most=0.5 if three_phase else 1.0)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum = _number("base_momentum", base_momentum, below=1.0)
        self.max_momentum = _number("max_momentum", max_momentum, below=1.0)
        self.max_lr = _number("max_lr", max_lr)
        self.div_factor = _above_0("div_factor", div_factor)
        self.final_div_factor = _above_0("final_div_factor", final_div_factor)
        self.three_phase = three_phase
        super().__init__(optimizer, interval=interval)

    def lr_at(self, t: int) -> float:
        """See the base; ValueError beyond ``total_steps``."""
        first = self.max_lr / self.div_factor
        last = first / self.final_div_factor
        return self._at(t, (first, self.max_lr, first, last) if self.three_phase else (first, self.max_lr, last))

    def apply(self, t: int) -> None:
        """See the base; it sets the momentum, too."""
        super().apply(t)
        if self.cycle_momentum:
            low, high = self.base_momentum, self.max_momentum
            momentum = self._at(t, (high, low, high, high) if self.three_phase else (high, low, high))
            if hasattr(self.optimizer, "betas"):
                self.optimizer.betas = (momentum, self.optimizer.betas[1])
            else:
                self.optimizer.momentum = momentum  # type: ignore[attr-defined]  # as __init__ has made sure

    def _at(self, t: int, levels: tuple[float, ...]) -> float:
        """Where a number that goes from the first of the ``levels`` to the last is after ``t`` steps."""
        if _steps(t) > self.total_steps:
            msg = (
                f"this OneCycleLR is made for {self.total_steps} steps, and there are more: "
                "make it with total_steps = epochs * steps per epoch"
            )
            raise ValueError(msg)
        rise = self.pct_start * self.total_steps - 1.0
        last = self.total_steps - 1.0
        ends = [rise, 2.0 * rise, last] if self.three_phase else [rise, last]
        t = min(t, self.total_steps - 1)  # PyTorch would go on beyond the end, down to rates below 0
        phase = sum(end < t for end in ends)
        begin, end = (0.0, *ends)[phase : phase + 2]
        done = (t - begin) / (end - begin) if end > begin else 1.0
        a, b = levels[phase : phase + 2]
        return b + (a - b) / 2.0 * (1.0 + math.cos(math.pi * done)) if self.anneal_strategy == "cos" else a + (b - a) * done


class SequentialLR(LRScheduler):
    """One schedule after the other: at each of the ``milestones``, the next begins at its own 0. Warm-up is done with it.

    All are of the same optimizer and reckon from the same ``base_lr``. ``interval`` is theirs, which must be one.

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
        optimizer: Optimizer,
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
                f"SequentialLR takes a schedule more than milestones, which lie between them, "
                f"not {len(self.schedulers)} and {len(self.milestones)}"
            )
            raise ValueError(msg)
        if [*self.milestones] != sorted(set(self.milestones)):
            msg = f"milestones must increase, not {self.milestones}"
            raise ValueError(msg)
        for schedule in self.schedulers:
            if not isinstance(schedule, LRScheduler) or schedule.optimizer is not optimizer:
                msg = f"SequentialLR takes schedules of its own optimizer, and {shown(schedule)} is none"
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
        """See the base; ``schedulers`` are the states of all."""
        return super().state_dict() | {"schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See the base."""
        check_names(self, self.state_dict(), state)
        if not isinstance(state["schedulers"], list | tuple):
            msg = f"the state has {shown(state['schedulers'])} as schedulers, and that is a list: load what state_dict() gave"
            raise TypeError(msg)
        if len(state["schedulers"]) != len(self.schedulers):
            msg = f"the state is that of {len(state['schedulers'])} schedules, and these are {len(self.schedulers)}"
            raise ValueError(msg)
        for schedule, its_state in zip(self.schedulers, state["schedulers"], strict=True):
            schedule.load_state_dict(its_state)
        super().load_state_dict({**state, "schedulers": self.schedulers})

    def _schedule_at(self, t: int) -> tuple[LRScheduler, int]:
        """The schedule that sets the rate after ``t`` steps, and when it began."""
        k = bisect_right(self.milestones, _steps(t))
        return self.schedulers[k], (0, *self.milestones)[k]


def _steps(t: Any) -> int:
    """``t``, if it is a number of steps."""
    if not isinstance(t, numbers.Real) or isinstance(t, bool) or not 0 <= as_float(t) <= sys.maxsize:
        msg = f"lr_at() takes how many steps were done, a number from 0 on, not {shown(t)}"
        raise ValueError(msg)
    return t  # type: ignore[return-value]  # or a place between two steps


def _check_interval(interval: Any) -> None:
    if not isinstance(interval, str) or interval not in ("epoch", "step"):
        msg = f'interval must be "epoch" or "step", not {shown(interval)}'
        raise ValueError(msg)


def _number(name: str, x: Any, most: float = math.inf, below: float = math.inf) -> float:
    """``x`` as a float, if it is a finite number of that size from 0 on; ValueError if not."""
    if not isinstance(x, numbers.Real) or isinstance(x, bool) or not (0.0 <= as_float(x) <= most and as_float(x) < below):
        sizes = f" to {most:g}" if most < math.inf else f" on and below {below:g}" if below < math.inf else " on, and finite"
        msg = f"{name} must be a number from 0{sizes}, not {shown(x)}"
        raise ValueError(msg)
    return float(x)


def _above_0(name: str, x: Any) -> float:
    if not isinstance(x, numbers.Real) or isinstance(x, bool) or not as_float(x) > 0.0:
        msg = f"{name} must be a number above 0, not {shown(x)}"
        raise ValueError(msg)
    return as_float(x)
