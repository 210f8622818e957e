"""The keeper of a training's file: when it is written, and how a training continues from it.

The file is an ordinary checkpoint, so that ``nn.load`` finds the model and the optimizer in it. Its ``extra`` holds, under
"training", the State without the optimizer's part, and the settings that must be the same when the training continues.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.checkpoint import Checkpoint, as_path, load
from nn.examples import crc32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nn.examples import Examples
    from nn.module import Module
    from nn.state import State

_SHARE = 20
"""Saving takes at most one part in so many of the time."""


class Keeper:
    """Writes a training's file, and restores the training from it."""

    def __init__(self, path: str | Path, model: Module, state: State, settings: dict[str, Any]) -> None:
        self.path = Path(path).absolute()  # a callback may change the directory
        self._settings = settings
        self._everything = model.parameters()  # also those that the optimizer does not move
        self._file = Checkpoint.of(model, state.optimizer, {})
        self._save_at = 0.0

    def is_due(self) -> bool:
        """Return whether it is time to save."""
        return perf_counter() > self._save_at

    def save(self, state: State, theta: NDArray[np.float64]) -> None:
        """Write the model with the parameters ``theta``, and the state. Nothing is written if the training has diverged."""
        if not np.isfinite(state.theta).all():
            return
        began = perf_counter()
        saved = state.saved()
        optimizer = {**self._optimizer, "state": saved.pop("optimizer")}
        numbers = np.array([parameter.data for parameter in self._everything])
        places = self._optimizer["places"]
        numbers[places[places >= 0]] = theta[places >= 0]  # an optimizer may also move variables that are not the model's
        extra = {"training": {"settings": self._settings, **saved}}
        replace(self._file, theta=numbers, optimizer_state=optimizer, extra=extra).write(self.path)
        self._save_at = perf_counter() + _SHARE * (perf_counter() - began)

    def restore(self, kept: Checkpoint, model: Module, state: State) -> None:
        """Set ``model`` and ``state`` to what the file holds. ValueError if it is the file of another training."""
        saved = kept.extra["training"]
        for name, mine in self._settings.items():
            theirs = saved["settings"][name]
            if name != "began" and theirs != mine:
                what = f"with {name}={theirs}, but this training has {name}={mine}"
                if name.startswith("crc32"):
                    what = f"on other {name.removeprefix('crc32 of the ')}, or on the same in another order"
                msg = (
                    f"the checkpoint is of a training {what}: call fit() as before, or name another checkpoint to start "
                    "again. nn.load(path).model is the model that was learned, if the new training should start from it"
                )
                raise ValueError(msg)
        assert kept.optimizer_state is not None  # every training has one
        if not np.array_equal(kept.optimizer_state["places"], self._optimizer["places"]):
            msg = (
                "the checkpoint belongs to a training of other parameters of the model: make the optimizer with those "
                "parameters, or name another checkpoint to start again"
            )
            raise ValueError(msg)
        model.load_state_dict(kept.state_dict)  # also the parameters that the optimizer does not move
        state.restore({**saved, "optimizer": kept.optimizer_state["state"]})

    @property
    def _optimizer(self) -> dict[str, Any]:
        assert self._file.optimizer_state is not None  # as there is an optimizer
        return self._file.optimizer_state


def resumable(path: str | Path | None, model: Module, *, resume: bool) -> Checkpoint | None:
    """Return the checkpoint to continue from, or None if the file does not exist. Raise if the file cannot be continued."""
    if path is None:
        if resume:
            msg = "resume=True needs the file to resume from: checkpoint='training.npz'"
            raise ValueError(msg)
        return None
    path = as_path(path, "checkpoint")
    if not path.exists():
        if not path.absolute().parent.is_dir():  # say so now, and not after the first epochs
            raise FileNotFoundError(errno.ENOENT, "the directory to save to does not exist", str(path.parent))
        return None
    if not resume:
        msg = f"{path} exists already: resume=True continues from it; to start again, remove it or name another checkpoint"
        raise FileExistsError(msg)
    kept = load(path)
    if "training" not in kept.extra:
        msg = f"{path} is a model that nn.save wrote, without a training to resume: name another checkpoint"
        raise ValueError(msg)
    if list(kept.state_dict) != list(model.state_dict()) or kept.architecture != model.architecture():
        msg = f"{path} is of another model: make the model as it was, or name another checkpoint"
        raise ValueError(msg)
    return kept


def generator_of(kept: Checkpoint) -> np.random.Generator:
    """Return random numbers that start as they did when the training began."""
    state = kept.extra["training"]["settings"]["began"]
    generator = np.random.Generator(getattr(np.random, state["bit_generator"])())
    generator.bit_generator.state = state
    return generator


def settings_of(  # noqa: PLR0913 - each setting has a name
    state: State,
    examples: Examples,
    held_out: Examples | None,
    *,
    loss: Any,
    metric: Any,
    callbacks: list[Any],
    began: Any,
    **plain: Any,
) -> dict[str, Any]:
    """Return the settings that must be the same when a training continues. ``began`` is the generator's state at the start."""
    schedule, optimizer = state.schedule, state.optimizer
    return {
        "examples": examples.size,
        **plain,
        "loss": _name(loss),
        # a schedule or a callback may have changed the optimizer's settings: then only its class is compared
        "optimizer": type(optimizer).__name__ if schedule or callbacks else repr(optimizer),
        "schedule": schedule and f"{type(schedule).__name__}({ {**schedule.state_dict(), 'last_epoch': 0} })",
        "crc32 of the data": crc32(examples),
        "crc32 of the validation data": None if held_out is None else crc32(held_out),
        "metric": None if metric is None else _name(metric),
        "began": began,
    }


def _name(function: Any) -> str:
    name: str = getattr(function, "__qualname__", type(function).__name__)
    return name
