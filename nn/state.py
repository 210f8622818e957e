"""Where a training stands, in one object that is saved and restored whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.history import History

if TYPE_CHECKING:
    from nn.optim import BaseOptimizer
    from nn.schedules import LRScheduler

Array = NDArray[np.float64]

_PLAIN = ("theta", "before", "epoch", "step", "total", "best", "stopped")
"""The attributes that are saved as they are."""


@dataclass
class State:
    """Where a training stands: all that its next step depends on, and the numbers that its history will show."""

    optimizer: BaseOptimizer
    schedule: LRScheduler | None
    generator: np.random.Generator
    theta: Array
    """The parameters that the optimizer moves. Each step makes a new array."""
    before: Array = field(init=False)
    """The parameters at the beginning of this epoch."""
    order: Any = field(init=False)
    """The generator's state before it drew the order of this epoch's examples."""
    epoch: int = 0
    """How many epochs are done."""
    step: int = 0
    """How many steps of this epoch are done."""
    total: float = 0.0
    """The sum of the losses of this epoch's examples so far."""
    columns: dict[str, list[float]] = field(default_factory=dict)
    """The columns of the history: one number for each epoch."""
    step_loss: list[float] = field(default_factory=list)
    best: dict[str, Any] = field(init=False)
    """The loss, the epoch and the parameters (``theta``) that early stopping found best. Epoch 0 stands for none so far."""
    stopped: str | None = None
    """Why the training ended early."""

    def __post_init__(self) -> None:
        self.before, self.best = self.theta, {"loss": math.inf, "epoch": 0, "theta": self.theta}
        self.order = self.generator.bit_generator.state

    def saved(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "order": self.order if self.step else self.generator.bit_generator.state,
            "columns": {name: np.array(column) for name, column in self.columns.items()},
            "step_loss": np.array(self.step_loss),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what ``saved`` returned. The steps to come are then the same to the last bit."""
        for name in _PLAIN:
            setattr(self, name, saved[name])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(saved["schedule"])
            self.optimizer.scheduled = self.schedule.base_lr, self.optimizer.lr
        self.generator.bit_generator.state = saved["order"]
        self.columns = {name: column.tolist() for name, column in saved["columns"].items()}
        self.step_loss = saved["step_loss"].tolist()

    def history(self, stopped: str) -> History:
        """Return the history so far, of a training that has ``stopped`` for this reason."""
        columns = {name: np.array(column) for name, column in self.columns.items()}
        return History(**columns, step_loss=np.array(self.step_loss), stopped=stopped, best_epoch=self.best["epoch"] or None)
