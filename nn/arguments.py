"""The arguments of ``fit`` that are not data: what each may be, and the error if it is something else."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.errors import shown
from nn.module import Module
from nn.optim import Adam, BaseOptimizer
from nn.schedules import LRScheduler
from nn.settings import at_least_1, flag

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop: after ``patience`` epochs in a row without an improvement.

    An epoch is an improvement if its loss is lower than the best so far by more than ``min_delta``. The loss is that of the
    validation examples, or of the training examples if there are no others. With ``restore_best`` the model then gets the
    parameters that it had at the end of the best epoch, which is the last epoch that was an improvement.
    """

    patience: int = 10
    min_delta: float = 0.0
    restore_best: bool = True

    def __post_init__(self) -> None:
        at_least_1("patience", self.patience)
        flag("restore_best", self.restore_best)
        if not isinstance(self.min_delta, numbers.Real) or not self.min_delta >= 0:
            msg = f"min_delta must be 0 or more, not {shown(self.min_delta)}"
            raise ValueError(msg)


def check_kinds(**arguments: Any) -> None:
    """Raise TypeError if one of the arguments is of a type that ``fit`` does not take under its name."""
    for name, x in arguments.items():
        fits, wanted = _KINDS[name]
        if not fits(x):
            msg = f"{name} must be {wanted}, not {type(x).__name__} {shown(x)}"
            raise TypeError(msg)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (lambda x: isinstance(x, Module), "an nn.Module"),
    "schedule": (
        lambda x: isinstance(x, LRScheduler | None),
        "an nn.LRScheduler, such as nn.CosineAnnealingLR(optimizer, T_max=epochs)",
    ),
    "optimizer": (
        lambda x: isinstance(x, BaseOptimizer | None),
        "an nn.BaseOptimizer, such as nn.Adam(model.parameters(), lr=0.01)",
    ),
    "early_stopping": (lambda x: isinstance(x, EarlyStopping | None), "nn.EarlyStopping(patience=...)"),
    "loss": (callable, "a function of a prediction and a target, such as nn.mse_loss"),
    "metric": (lambda x: x is None or callable(x), "a function of predictions and targets, such as nn.accuracy"),
    "rng": (
        lambda x: isinstance(x, np.random.Generator | None) or (isinstance(x, numbers.Integral) and int(x) >= 0),
        "a numpy Generator or a seed, an int from 0 on",
    ),
}


def chosen_optimizer(model: Module, optimizer: BaseOptimizer | None, schedule: LRScheduler | None) -> BaseOptimizer:
    """Return the optimizer, or the default. ValueError if model, optimizer and schedule do not belong together."""
    if optimizer is None:
        optimizer = Adam(model.parameters()) if schedule is None else schedule.optimizer
    if schedule is not None and optimizer.searches:
        msg = f"{type(optimizer).__name__} finds the length of each step itself: omit the schedule"
        raise ValueError(msg)
    if schedule is not None and schedule.optimizer is not optimizer:
        msg = "the schedule belongs to another optimizer: make it with the optimizer that you pass to fit()"
        raise ValueError(msg)
    if not set(optimizer.parameters) & set(model.parameters()):
        msg = "the optimizer has none of the model's parameters: make it with model.parameters() of the same model"
        raise ValueError(msg)
    return optimizer


def listed(callbacks: Any) -> list[Callable[[Any], object]]:
    """Return the callbacks in a list. TypeError unless they are functions."""
    try:
        functions = [callbacks] if callable(callbacks) else [*(() if callbacks is None else callbacks)]
    except TypeError:
        functions = [callbacks]
    for function in functions:
        if not callable(function):
            msg = f"callbacks must be functions of a TrainingState, not {type(function).__name__} {shown(function)}"
            raise TypeError(msg)
    return functions
