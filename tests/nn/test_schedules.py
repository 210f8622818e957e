"""Schedules: every rate is that of PyTorch's published formulas, and a loaded state leads to the same next rates."""

from __future__ import annotations

import copy
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograd import Value
from nn.optim import LBFGS, SGD, Adam, AdamW, Optimizer, RMSprop
from nn.schedules import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR, SequentialLR, StepLR

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 100
CLOSE = 1e-12
"""PyTorch multiplies its rates from step to step: a few ulp each, over a hundred steps on rates of about 1."""

STEP: list[dict[str, Any]] = [{"step_size": 30}, {"step_size": 1, "gamma": 0.9}, {"step_size": 7, "gamma": 1.0}]
COSINE: list[dict[str, Any]] = [
    {"T_max": 100},
    {"T_max": 30},
    {"T_max": 7, "eta_min": 0.01},
    {"T_max": 1},
    {"T_max": 200, "eta_min": 1.0},
]
LINEAR: list[dict[str, Any]] = [
    {},
    {"start_factor": 0.1, "total_iters": 40},
    {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 99},
    {"start_factor": 0.5, "end_factor": 0.25, "total_iters": 1},
]
ONE_CYCLE: list[dict[str, Any]] = [
    {"max_lr": 0.4, "total_steps": 101},
    {"max_lr": 0.4, "epochs": 21, "steps_per_epoch": 5, "anneal_strategy": "linear"},
    {"max_lr": 0.4, "total_steps": 150, "three_phase": True},
    {"max_lr": 0.4, "total_steps": 101, "three_phase": True, "anneal_strategy": "linear", "pct_start": 0.47},
    {"max_lr": 0.4, "total_steps": 101, "pct_start": 0.0},
    {"max_lr": 0.4, "total_steps": 101, "pct_start": 1.0},
    {"max_lr": 0.4, "total_steps": 133, "pct_start": 0.123, "div_factor": 3.0, "final_div_factor": 7.0},
    {"max_lr": 0.4, "total_steps": 101, "base_momentum": 0.1, "max_momentum": 0.9},
    {"max_lr": 0.4, "total_steps": 101, "cycle_momentum": False},
]
ALL: list[tuple[type[LRScheduler], dict[str, Any]]] = [
    *[(StepLR, settings) for settings in STEP],
    *[(CosineAnnealingLR, settings) for settings in COSINE],
    *[(LinearLR, settings) for settings in LINEAR],
    *[(OneCycleLR, settings) for settings in ONE_CYCLE],
]


def an_optimizer(lr: float = 0.8) -> SGD:
    return SGD([Value(1.0)], lr=lr)


def warmed_up(optimizer: Any, kinds: Any) -> Any:
    """Return a warm-up, then half a cosine, then steps. ``kinds`` are the classes of nn, or those of torch."""
    linear, cosine, step, sequential = kinds
    first = linear(optimizer, start_factor=0.1, total_iters=10)
    second = cosine(optimizer, T_max=60)
    third = step(optimizer, step_size=5, gamma=0.5)
    return sequential(optimizer, [first, second, third], milestones=[10, 50])


def path_of(schedule: Any, value: Callable[[], Any]) -> list[Any]:
    """Return ``value()`` before each of the steps."""
    path = []
    for _ in range(STEPS):
        path.append(value())
        schedule.step()
    return path


# The formulas in PyTorch's documentation


def step_lr(t: int, lr: float, *, step_size: int, gamma: float = 0.1) -> float:
    for epoch in range(1, t + 1):
        if epoch % step_size == 0:
            lr *= gamma
    return lr


def cosine(t: int, lr: float, *, T_max: int, eta_min: float = 0.0) -> float:  # noqa: N803 - PyTorch's name
    return eta_min + 0.5 * (lr - eta_min) * (1 + math.cos(t * math.pi / T_max))


def linear(t: int, lr: float, *, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5) -> float:
    if t >= total_iters:
        return lr * end_factor
    return lr * ((total_iters - t) * start_factor + t * end_factor) / total_iters


def one_cycle(  # noqa: PLR0913 - PyTorch's settings
    t: int,
    _: float,
    *,
    max_lr: float,
    total_steps: int = 0,
    epochs: int = 0,
    steps_per_epoch: int = 0,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    cycle_momentum: bool = True,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> tuple[float, float]:
    """Return rate and momentum at time ``t``, phase by phase."""
    total_steps = total_steps or epochs * steps_per_epoch
    initial = max_lr / div_factor
    up = pct_start * total_steps - 1
    phases = [(0.0, up, initial, max_lr, max_momentum, base_momentum)]
    if three_phase:
        phases.append((up, 2 * up, max_lr, initial, base_momentum, max_momentum))
        phases.append((2 * up, total_steps - 1, initial, initial / final_div_factor, max_momentum, max_momentum))
    else:
        phases.append((up, total_steps - 1, max_lr, initial / final_div_factor, base_momentum, max_momentum))
    begin, end, lr_from, lr_to, momentum_from, momentum_to = next(phase for phase in phases if t <= phase[1])
    part = (t - begin) / (end - begin)
    if anneal_strategy == "cos":
        part = (1 - math.cos(math.pi * part)) / 2
    momentum = momentum_from + (momentum_to - momentum_from) * part if cycle_momentum else 0.0
    return lr_from + (lr_to - lr_from) * part, momentum


FORMULAS: dict[type[LRScheduler], Any] = {StepLR: step_lr, CosineAnnealingLR: cosine, LinearLR: linear, OneCycleLR: one_cycle}


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_rates_are_the_published_ones(kind: type[LRScheduler], settings: dict[str, Any]) -> None:
    """The momentum of OneCycleLR is compared, too."""
    optimizer = an_optimizer()
    schedule = kind(optimizer, **settings)
    assert schedule.lr_at(STEPS - 1) == pytest.approx(_rate(kind, STEPS - 1, settings), abs=CLOSE)  # from anywhere
    path = path_of(schedule, lambda: (optimizer.lr, optimizer.momentum, schedule.get_last_lr(), schedule.last_epoch))
    for t, (lr, momentum, last, epoch) in enumerate(path):
        expected = FORMULAS[kind](t, 0.8, **settings)
        expected = expected if kind is OneCycleLR else (expected, 0.0)
        assert (lr, momentum) == pytest.approx(expected, rel=0, abs=CLOSE)
        assert (last, epoch) == ([lr], t)


def _rate(kind: type[LRScheduler], t: int, settings: dict[str, Any]) -> float:
    found: Any = FORMULAS[kind](t, 0.8, **settings)
    return float(found[0] if kind is OneCycleLR else found)


def test_schedules_in_sequence_are_the_published_ones() -> None:
    optimizer = an_optimizer()
    schedule = warmed_up(optimizer, (LinearLR, CosineAnnealingLR, StepLR, SequentialLR))
    for t, lr in enumerate(path_of(schedule, lambda: optimizer.lr)):
        if t < 10:
            expected = linear(t, 0.8, start_factor=0.1, total_iters=10)
        else:
            expected = cosine(t - 10, 0.8, T_max=60) if t < 50 else step_lr(t - 50, 0.8, step_size=5, gamma=0.5)
        assert lr == pytest.approx(expected, rel=0, abs=CLOSE)


def torch_optimizer(kind: str = "SGD", **settings: Any) -> Any:
    torch = pytest.importorskip("torch")
    theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    theta.grad = torch.zeros(1, dtype=torch.float64)
    optimizer = getattr(torch.optim, kind)([theta], **{"lr": 0.8, **settings})
    optimizer.step()  # or its schedules would warn
    return optimizer


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_rates_are_those_of_torch(kind: type[LRScheduler], settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    optimizer, theirs = an_optimizer(), torch_optimizer()
    group = theirs.param_groups[0]
    other = getattr(torch.optim.lr_scheduler, kind.__name__)(theirs, **settings)
    theirs.step()
    expected = path_of(other, lambda: (group["lr"], group["momentum"]))
    schedule = kind(optimizer, **settings)
    for here, there in zip(path_of(schedule, lambda: (optimizer.lr, optimizer.momentum)), expected, strict=True):
        assert here == pytest.approx(there, rel=0, abs=CLOSE)


def test_schedules_in_sequence_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    optimizer, theirs = an_optimizer(), torch_optimizer()
    module = torch.optim.lr_scheduler
    other = warmed_up(theirs, (module.LinearLR, module.CosineAnnealingLR, module.StepLR, module.SequentialLR))
    theirs.step()
    expected = path_of(other, lambda: theirs.param_groups[0]["lr"])
    schedule = warmed_up(optimizer, (LinearLR, CosineAnnealingLR, StepLR, SequentialLR))
    assert path_of(schedule, lambda: optimizer.lr) == pytest.approx(expected, rel=0, abs=CLOSE)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
def test_training_with_one_cycle_is_torchs(kind: type[Optimizer]) -> None:
    """Rates, momenta and betas change at every step of a descent on x² + sin(x)."""
    torch = pytest.importorskip("torch")
    x = Value(1.5)
    optimizer = kind([x], lr=0.1)
    schedule = OneCycleLR(optimizer, 0.02, STEPS)
    theta = torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
    theirs = getattr(torch.optim, kind.__name__)([theta], lr=0.1)
    other = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.02, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (x * x + x.sin()).backward()
        optimizer.step()
        schedule.step()
        theirs.zero_grad()
        (theta * theta + theta.sin()).sum().backward()
        theirs.step()
        other.step()
        assert x.data == pytest.approx(theta.item(), rel=0, abs=CLOSE)


# OneCycleLR by itself


def test_one_cycle_cycles_the_first_beta() -> None:
    """The second of the betas does not change."""
    optimizer = Adam([Value(1.0)], betas=(0.5, 0.99))
    schedule = OneCycleLR(optimizer, 1.0, 11, pct_start=6 / 11, anneal_strategy="linear")
    assert optimizer.betas == (0.95, 0.99)
    for _ in range(5):
        schedule.step()
    assert optimizer.betas == pytest.approx((0.85, 0.99))
    assert optimizer.lr == pytest.approx(1.0)


def test_one_cycle_ends_where_it_was_made_to() -> None:
    """One step beyond the last keeps the last rate, where PyTorch's falls below 0. A second step beyond it is an error."""
    optimizer = an_optimizer()
    schedule = OneCycleLR(optimizer, 1.0, 10, anneal_strategy="linear", final_div_factor=math.inf)
    for _ in range(10):
        schedule.step()
    assert optimizer.lr == 0.0
    message = (
        "this OneCycleLR is made for 10 steps, and the training has more: make it with total_steps = epochs * steps per epoch"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        schedule.step()
    assert schedule.last_epoch == 10


@pytest.mark.parametrize(
    "settings", [{"total_steps": 1}, {"total_steps": 2, "pct_start": 0.5}, {"total_steps": 10, "pct_start": 0.1}]
)
def test_one_cycle_with_phases_of_no_length(settings: dict[str, Any]) -> None:
    """PyTorch divides by 0 in some of these. Here a phase of no length is skipped, and the last rate is reached."""
    optimizer = an_optimizer()
    schedule = OneCycleLR(optimizer, 1.0, **settings)
    for _ in range(settings["total_steps"] - 1):
        assert 0.0 < optimizer.lr <= 1.0
        schedule.step()
    assert optimizer.lr == pytest.approx(1.0 / 25.0 / 1e4)


def test_intervals() -> None:
    """It is an epoch by default, a step for OneCycleLR, and that of its schedules for SequentialLR."""
    optimizer = an_optimizer()
    assert StepLR(optimizer, 1).interval == "epoch"
    assert StepLR(optimizer, 1, interval="step").interval == "step"
    assert OneCycleLR(optimizer, 1.0, 10).interval == "step"
    assert OneCycleLR(optimizer, 1.0, 10, interval="epoch").interval == "epoch"
    for interval in ("epoch", "step"):
        assert SequentialLR(optimizer, [StepLR(optimizer, 1, interval=interval)], []).interval == interval  # type: ignore[arg-type]


# Which rate they reckon from


def test_schedules_of_one_optimizer_have_one_base() -> None:
    """The second schedule starts from the rate before the first was made, in either order, and also after steps."""
    optimizer = an_optimizer(0.5)
    cosine_first = CosineAnnealingLR(optimizer, 10, eta_min=0.1)
    for _ in range(3):
        cosine_first.step()
    warm_up = LinearLR(optimizer, 0.1)
    assert warm_up.base_lr == cosine_first.base_lr == 0.5
    assert optimizer.lr == pytest.approx(0.05)
    OneCycleLR(optimizer, 9.0, 10)
    assert StepLR(optimizer, 1).base_lr == 0.5


def test_a_rate_set_by_hand_is_a_new_base() -> None:
    """PyTorch silently continues with the first schedule."""
    optimizer = an_optimizer(0.5)
    LinearLR(optimizer, 0.1)
    optimizer.lr = 0.3
    assert StepLR(optimizer, 1).base_lr == 0.3


def test_schedules_leave_no_trace_in_the_optimizers_state() -> None:
    """An optimizer without a schedule can load it."""
    optimizer = an_optimizer(0.5)
    LinearLR(optimizer, 0.1)
    other = an_optimizer()
    other.load_state_dict(optimizer.state_dict())
    assert other.lr == optimizer.lr == 0.05
    assert repr(other) == repr(optimizer)


# States


def everything(optimizer: Optimizer, variant: int) -> LRScheduler:
    if variant < len(ALL):
        kind, settings = ALL[variant]
        return kind(optimizer, **settings)
    return SequentialLR(
        optimizer,
        [
            LinearLR(optimizer, 0.2, interval="step"),
            OneCycleLR(optimizer, 0.3, 97, three_phase=True),
            StepLR(optimizer, 2, interval="step"),
        ],
        [4, 40],
    )


@pytest.mark.parametrize("variant", range(len(ALL) + 1))
@pytest.mark.parametrize("before", [0, 1, 4, 7, 40, 63])
def test_a_loaded_state_goes_on_to_the_bit(variant: int, before: int) -> None:
    """A schedule of a new optimizer with another rate takes it over, also from JSON. Later steps do not change the state."""
    optimizer = an_optimizer()
    schedule = everything(optimizer, variant)
    expected = path_of(schedule, lambda: (optimizer.lr, optimizer.momentum))
    first = an_optimizer()
    interrupted = everything(first, variant)
    for _ in range(before):
        interrupted.step()
    state, optimizer_state = interrupted.state_dict(), first.state_dict()
    saved = copy.deepcopy(state)
    interrupted.step()
    assert state == saved
    second = an_optimizer(0.123)
    resumed = everything(second, variant)
    second.load_state_dict(optimizer_state)
    resumed.load_state_dict(json.loads(json.dumps(state)))
    path = path_of_rest(resumed, second, STEPS - before)
    assert path == expected[before:]
    assert resumed.base_lr == 0.8


def path_of_rest(schedule: LRScheduler, optimizer: SGD, steps: int) -> list[Any]:
    path = []
    for _ in range(steps):
        path.append((optimizer.lr, optimizer.momentum))
        schedule.step()
    return path


def test_another_schedules_state_is_refused() -> None:
    optimizer = an_optimizer()
    step = StepLR(optimizer, 3)
    message = "the state does not fit this StepLR: missing ['step_size', 'gamma'], unexpected ['T_max', 'eta_min']"
    with pytest.raises(KeyError, match=re.escape(message)):
        step.load_state_dict(CosineAnnealingLR(optimizer, 3).state_dict())
    two, one = SequentialLR(optimizer, [step, step], [1]), SequentialLR(optimizer, [step], [])
    with pytest.raises(ValueError, match="the state holds 1 schedules, but this SequentialLR has 2"):
        two.load_state_dict(one.state_dict())
    with pytest.raises(KeyError, match="the state does not fit this SequentialLR"):
        two.load_state_dict(step.state_dict())


# Mistakes, and the rest


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        *[(kind, {name: x}, f"{name} must be a whole number of at least 1, not {x}") for kind, name in [
            (StepLR, "step_size"), (CosineAnnealingLR, "T_max"), (LinearLR, "total_iters"),
        ] for x in (0, 2.5, True)],
        (StepLR, {"step_size": 1, "gamma": -1}, "gamma must be a finite number from 0 on, not -1"),
        (CosineAnnealingLR, {"T_max": 1, "eta_min": math.inf}, "eta_min must be a finite number from 0 on, not inf"),
        (LinearLR, {"start_factor": 1.5}, "start_factor must be a number from 0 to 1, not 1.5"),
        (LinearLR, {"end_factor": math.nan}, "end_factor must be a number from 0 to 1, not nan"),
        (StepLR, {"step_size": 1, "interval": "batch"}, "interval must be \"epoch\" or \"step\", not 'batch'"),
        *[(OneCycleLR, {"max_lr": 1.0} | settings, message) for settings, message in [
            ({}, "OneCycleLR needs total_steps, or epochs and steps_per_epoch"),
            ({"epochs": 3}, "OneCycleLR needs total_steps, or epochs and steps_per_epoch"),
            ({"steps_per_epoch": 3}, "OneCycleLR needs total_steps, or epochs and steps_per_epoch"),
            ({"total_steps": 0}, "total_steps must be a whole number of at least 1, not 0"),
            ({"epochs": 0, "steps_per_epoch": 3}, "epochs must be a whole number of at least 1, not 0"),
            ({"epochs": 3, "steps_per_epoch": 1.5}, "steps_per_epoch must be a whole number of at least 1, not 1.5"),
            ({"total_steps": 9, "anneal_strategy": "step"}, "anneal_strategy must be \"cos\" or \"linear\", not 'step'"),
            ({"total_steps": 9, "pct_start": 30}, "pct_start must be a number from 0 to 1, not 30"),
            ({"total_steps": 9, "pct_start": 0.6, "three_phase": True}, "pct_start must be a number from 0 to 0.5, not 0.6"),
            ({"total_steps": 9, "max_lr": -1}, "max_lr must be a finite number from 0 on, not -1"),
            ({"total_steps": 9, "base_momentum": 1.0}, "base_momentum must be a number, at least 0 and below 1, not 1.0"),
            ({"total_steps": 9, "max_momentum": -0.1}, "max_momentum must be a number, at least 0 and below 1, not -0.1"),
            ({"total_steps": 9, "div_factor": 0}, "div_factor must be a number above 0, not 0"),
            ({"total_steps": 9, "final_div_factor": "4"}, "final_div_factor must be a number above 0, not '4'"),
        ]],
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(kind: Any, settings: dict[str, Any], message: str) -> None:
    """The optimizer keeps its rate."""
    optimizer = an_optimizer()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(optimizer, **settings)
    assert (optimizer.lr, optimizer.momentum) == (0.8, 0.0)


def test_a_schedule_is_of_an_optimizer() -> None:
    with pytest.raises(TypeError, match="StepLR takes an optimizer, not float 0.1"):
        StepLR(0.1, 3)  # type: ignore[arg-type]


def test_one_cycle_needs_a_momentum_to_cycle() -> None:
    optimizer = LBFGS([Value(1.0)])
    with pytest.raises(ValueError, match="LBFGS has no momentum and no betas to cycle: pass cycle_momentum=False"):
        OneCycleLR(optimizer, 1.0, 10)


def test_sequences_that_make_no_sense_are_refused() -> None:
    optimizer = an_optimizer()
    step = StepLR(optimizer, 3)
    for schedulers, milestones in (([step], [3]), ([step, step], []), ([], [])):
        message = (
            f"takes one more schedule than milestones, .* not {len(schedulers)} schedules and {len(milestones)} milestones"
        )
        with pytest.raises(ValueError, match=message):
            SequentialLR(optimizer, schedulers, milestones)
    for wrong in ([5, 3], [3, 3]):
        with pytest.raises(ValueError, match=re.escape(f"milestones must increase, not ({wrong[0]}, {wrong[1]})")):
            SequentialLR(optimizer, [step] * 3, wrong)
    with pytest.raises(ValueError, match="a milestone must be a whole number of at least 1, not 0"):
        SequentialLR(optimizer, [step, step], [0])
    with pytest.raises(ValueError, match=r"SequentialLR takes schedules of its own optimizer, not StepLR\(step_size=3"):
        SequentialLR(an_optimizer(), [step], [])
    with pytest.raises(
        ValueError, match="SequentialLR takes schedules of its own optimizer, not 0.1: make them with that optimizer"
    ):
        SequentialLR(optimizer, [0.1], [])  # type: ignore[list-item]
    message = re.escape("SequentialLR and its schedules must have the same interval, not ['epoch', 'step']")
    with pytest.raises(ValueError, match=message):
        SequentialLR(optimizer, [step], [], interval="step")
    with pytest.raises(ValueError, match=message):
        SequentialLR(optimizer, [step, OneCycleLR(optimizer, 1.0, 9)], [3])


def test_repr_shows_settings_and_place() -> None:
    optimizer = an_optimizer(0.5)
    schedule = StepLR(optimizer, 3)
    schedule.step()
    assert repr(schedule) == "StepLR(step_size=3, gamma=0.1, interval=epoch, base_lr=0.5, last_epoch=1)"


def test_a_schedule_of_your_own() -> None:
    """It defines ``lr_at``, which the base does not."""

    class Inverse(LRScheduler):
        def lr_at(self, t: int) -> float:
            return self.base_lr / (1 + t)

    optimizer = an_optimizer(6.0)
    assert path_of(Inverse(optimizer), lambda: optimizer.lr)[:3] == [6.0, 3.0, 2.0]
    with pytest.raises(NotImplementedError):
        LRScheduler(optimizer)


def test_a_rate_that_grows_beyond_the_floats_is_infinite() -> None:
    """Mistake: Python's power raised OverflowError in the middle of a training."""
    assert StepLR(an_optimizer(0.5), 1, gamma=10.0).lr_at(400) == math.inf
    assert StepLR(an_optimizer(0.5), 1, gamma=0.1).lr_at(400) == 0.0


@pytest.mark.parametrize("wrong", [None, "a", -1, math.nan, 10**400, True, []])
def test_steps_are_counted(wrong: Any) -> None:
    optimizer = an_optimizer()
    step = StepLR(optimizer, 2)
    for schedule in (step, LinearLR(optimizer), CosineAnnealingLR(optimizer, 3), OneCycleLR(optimizer, 1.0, 3),
                     SequentialLR(optimizer, [step, StepLR(optimizer, 1)], [2])):  # fmt: skip
        with pytest.raises(ValueError, match=re.escape("t in lr_at() must be the number of steps done, from 0 on, not ")):
            schedule.lr_at(wrong)


def test_settings_of_the_wrong_kind_are_refused() -> None:
    """Mistake: these were accepted: numbers too large for a float, arrays as switches, and a state with a word as a rate."""
    optimizer = an_optimizer()
    for setting in ({"gamma": 10**400}, {"step_size": 10**400}, {"interval": ["epoch"]}):
        with pytest.raises(ValueError, match=f"{next(iter(setting))} must be "):
            StepLR(optimizer, **{"step_size": 2} | setting)
    for name in ("cycle_momentum", "three_phase"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, not ndarray"):
            OneCycleLR(optimizer, 1.0, 9, **{name: np.array([1, 2])})
    schedule = StepLR(optimizer, 2)
    with pytest.raises(TypeError, match=re.escape("load_state_dict() takes what state_dict() returned, not NoneType None")):
        schedule.load_state_dict(None)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(
        TypeError, match=r"the state has 'a' for gamma, which cannot replace 0.1: load what state_dict\(\) returned"
    ):
        schedule.load_state_dict(schedule.state_dict() | {"gamma": "a"})
    for name, wrong in (("schedules", {"schedulers": 3}), ("milestones", {"milestones": np.array(1.0)})):
        with pytest.raises(TypeError, match=f"SequentialLR takes a list of {name}, not "):
            SequentialLR(optimizer, **{"schedulers": [schedule], "milestones": []} | wrong)
    with pytest.raises(ValueError, match='interval must be "epoch" or "step", not 3'):
        SequentialLR(optimizer, [schedule], [], interval=3)  # type: ignore[arg-type]  # on purpose
