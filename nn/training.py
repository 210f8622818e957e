"""``fit``: forward, loss, backpropagation, update, again and again, on flat arrays from the first step to the last."""

from __future__ import annotations

import errno
import math
import numbers
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from autograd import Compiled, RecordingError
from nn.checkpoint import Checkpoint, as_path, load
from nn.engines import CompiledEngine, EagerEngine
from nn.errors import DivergedError, shown
from nn.examples import Examples, check_targets, checked_examples, crc32, not_finite, split
from nn.history import History
from nn.module import Module
from nn.optim import Adam, BaseOptimizer
from nn.progress import Interrupt, Progress, interruptible
from nn.schedules import LRScheduler
from nn.settings import as_float, at_least_1, flag
from nn.vectors import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from autograd import Value
    from nn.engines import Engine
    from nn.examples import Data

Array = NDArray[np.float64]

_TICK = 0.1
"""Seconds between two looks at progress and checkpoint."""
_SHARE = 20
"""Saving takes at most one part in so many of the time."""


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop: after ``patience`` epochs in a row that were not better by more than ``min_delta`` than the best before.

    What counts is the loss of the validation examples, or if there are none, of those trained on. With ``restore_best`` the
    model then gets back its parameters as they were at the end of the best epoch: the last one that was better by more than
    ``min_delta``.
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


@dataclass
class TrainingState:
    """What a callback gets to see after each epoch. The model's parameters are those of the moment, and may be changed.

    What else the loss depends on and a callback changes must be a Value: plain numbers are part of the compiled program.
    """

    model: Module
    optimizer: BaseOptimizer
    epoch: int
    """Counted from 1."""
    loss: float
    validation_loss: float | None
    metric: float | None
    lr: float
    stopping: bool = False

    def stop(self) -> None:
        """End the training after this epoch."""
        self.stopping = True


def fit(  # noqa: PLR0913 - training takes that much, and each has a name
    model: Module,
    X: Data,  # noqa: N803 - as in scikit-learn
    y: Data,
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: BaseOptimizer | None = None,
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    validation: tuple[Data, Data] | float | None = None,
    metric: Callable[[Any, Any], float] | None = None,
    schedule: LRScheduler | None = None,
    early_stopping: EarlyStopping | None = None,
    callbacks: Iterable[Callable[[TrainingState], object]] = (),
    progress: bool = True,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    rng: int | np.random.Generator | None = None,
    compiled: bool = True,
) -> History:
    """Train ``model`` on the examples ``X`` with the targets ``y``, and return the history of that.

    ``X`` and ``y`` are arrays, or tuples or dicts of arrays, whose first axis is the examples. ``loss(model(x), y)`` is
    that of a single example: ``nn.mse_loss``, ``nn.cross_entropy``, or yours. A step moves the optimizer's parameters
    (default: ``nn.Adam`` of all) against the gradient of the mean loss of ``batch_size`` examples (None: of all), an epoch
    takes each example once, in an order drawn from ``rng``.

    ``validation`` is a pair (X, y) of examples that are not trained on, or the fraction of the examples to set aside.
    ``metric(predictions, targets)``, of whole arrays, is taken after each epoch, as ``nn.accuracy``. ``schedule`` moves on
    after each epoch, or each step where its ``interval`` is "step". ``callbacks`` are called with a TrainingState after each
    epoch. An ``nn.LBFGS`` wants all examples at once: ``batch_size=None``.

    Ctrl-C ends the training after the step that is under way; the model keeps what it has learned. A loss that is infinite
    or NaN raises DivergedError; the model then keeps the parameters from before that epoch. ``checkpoint`` is a file in
    which all of this is saved every now and then, at the cost of a twentieth of the time at most; ``resume`` goes on from
    there, to the same bits as if there had been no interruption, and begins anew if there is no such file. ValueError if data,
    model, loss, optimizer or schedule are others than they were.

    With ``compiled`` false each step is a graph of Values, for models that ``autograd.compile`` cannot record. The model then
    gets plain numbers in ``x``, not Values: ``math.tanh(x[0])`` of ``autograd.math`` takes both, ``x[0].tanh()`` does not.

    >>> import nn
    >>> from autograd import Value
    >>> model = nn.Module()
    >>> model.slope = Value(0.0)
    >>> model.forward = lambda x: model.slope * x
    >>> history = nn.fit(
    ...     model, [1.0, 2.0], [3.0, 6.0], loss=lambda p, t: (p - t) ** 2, epochs=2, batch_size=None,
    ...     optimizer=nn.SGD(model.parameters(), lr=0.1), progress=False,
    ... )
    >>> history.loss                     # (3² + 6²) / 2, and then, with the slope 0 + 0.1 · 15, (1.5² + 3²) / 2
    array([22.5  ,  5.625])
    >>> model.slope.data
    2.25
    """
    parameters, optimizer, schedule = _checked_optimizer(model, optimizer, schedule)
    for name, number in (("epochs", epochs), ("batch_size", 1 if batch_size is None else batch_size)):
        at_least_1(name, number)
    if early_stopping is not None and not isinstance(early_stopping, EarlyStopping):
        msg = f"early_stopping must be nn.EarlyStopping(patience=...), not {shown(early_stopping)}"
        raise TypeError(msg)
    for name, switch in (("shuffle", shuffle), ("progress", progress), ("resume", resume), ("compiled", compiled)):
        flag(name, switch)
    callbacks = _checked_calls(loss, metric, callbacks)
    loss = loss.__wrapped__ if isinstance(loss, Compiled) else loss  # it is compiled together with the model
    examples = checked_examples(X, y, "X", "y")
    if rng is not None and not (isinstance(rng, np.random.Generator) or (isinstance(rng, numbers.Integral) and rng >= 0)):
        msg = f"rng must be an int or a numpy Generator, not {type(rng).__name__} {shown(rng)}: a seed is 0 or more"
        raise TypeError(msg)
    kept = _kept(checkpoint, model, resume=resume)
    generator = np.random.default_rng(rng) if kept is None else _generator(kept.extra["training"]["settings"]["began"])
    began = generator.bit_generator.state
    examples, held_out = split(examples, validation, generator)

    for each in (examples, held_out):
        if each is not None:
            check_targets(model, loss, each, compiled=compiled)

    training = _Training(model, parameters, optimizer, schedule, generator)
    training.engine = (CompiledEngine if compiled else EagerEngine)(model, loss, parameters)
    training.early_stopping, training.metric, training.callbacks = early_stopping, metric, callbacks
    training.settings = {
        "examples": examples.size,
        "batch_size": min(batch_size or examples.size, examples.size),
        "shuffle": bool(shuffle),
        "loss": getattr(loss, "__qualname__", type(loss).__name__),
        # what schedules and callbacks may change is what it was when the training began, and nobody knows that now
        "optimizer": type(optimizer).__name__ if schedule or callbacks else repr(optimizer),
        "schedule": schedule and f"{type(schedule).__name__}({ {**schedule.state_dict(), 'last_epoch': 0} })",
        "crc32 of the data": crc32(examples),
        "crc32 of the validation data": None if held_out is None else crc32(held_out),
        "metric": None if metric is None else getattr(metric, "__qualname__", type(metric).__name__),
        "began": began,
    }
    if checkpoint is not None:
        training.path, training.everything = Path(checkpoint).absolute(), model.parameters()
        training.file = Checkpoint.of(model, optimizer, {})
    if kept is not None:
        training.restore(kept)
    try:
        return training.run(examples, held_out, epochs, progress=progress)
    except RecordingError as error:
        error.add_note("In nn.fit, compiled=False trains without recording: on graphs of Values, and far more slowly.")
        raise


class _Training:
    """A training under way: where it stands, which is all that the next step depends on, and what it makes."""

    engine: Engine
    metric: Callable[[Any, Any], float] | None = None
    early_stopping: EarlyStopping | None = None
    callbacks: list[Callable[[TrainingState], object]]
    settings: dict[str, Any]
    """What must be the same for a training to be resumed, and the random numbers' state when it began."""
    path: Path
    everything: list[Value]
    """The model's parameters, and also those that the optimizer does not move."""
    file: Checkpoint | None = None
    """What is written to ``path``, but for what changes."""

    def __init__(
        self,
        model: Module,
        parameters: list[Value],
        optimizer: BaseOptimizer,
        schedule: LRScheduler | None,
        generator: np.random.Generator,
    ) -> None:
        self.model = model
        self.parameters = parameters
        self.optimizer = optimizer
        self.schedule = schedule
        self.generator = generator
        self.theta = self.before = parameters_to_vector(parameters)
        self.epoch = 0  # how many are done
        self.step = 0  # how many of this epoch's are done
        self.total = 0.0  # of the losses of this epoch's examples
        self.order = generator.bit_generator.state  # from which this epoch's order is drawn
        self.columns: dict[str, list[float]] = {}
        self.step_loss: list[float] = []
        self.best: dict[str, Any] = {"loss": math.inf, "epoch": 0, "theta": self.theta}
        self.stopped: str | None = None

    # The loop

    def run(self, examples: Examples, held_out: Examples | None, epochs: int, *, progress: bool) -> History:
        """Train until ``epochs`` are done or there is a reason to stop; the history of it."""
        steps = -(-examples.size // self.settings["batch_size"])
        if self.schedule is not None:  # one that does not go so far says so now
            self.schedule.lr_at(epochs if self.schedule.interval == "epoch" else epochs * steps)
        wrong = not_finite(held_out) if held_out is not None else None
        if wrong and held_out is not None and not math.isfinite(self.engine.value(self.theta, held_out.x, held_out.y)):
            msg = f"the loss of the validation examples would be no number in any epoch, as the validation {wrong}"
            raise ValueError(msg)
        shown = Progress(epochs, steps, self.epoch * steps + self.step, shown=progress)
        if self.epoch or self.step:
            shown.say(f"goes on after {self.epoch} epochs and {self.step} steps, as saved in {self.path}")
        self.look_at = self.save_at = perf_counter() + _TICK
        reason = None
        try:
            with interruptible() as interrupt:
                while self.epoch < epochs and self.stopped is None and not interrupt.asked:
                    self._steps(examples, steps, shown, interrupt)
                    if self.step == steps:
                        self._end_epoch(examples, held_out)
                        if perf_counter() > self.look_at:
                            self._look(shown, self.epoch * steps, examples.size)
            reason = self.stopped or ("interrupted" if self.epoch < epochs else None)
            shown.update(self.epoch * steps + self.step, self._losses(examples.size))
        finally:
            chosen, _ = self._chosen()
            vector_to_parameters(chosen, self.parameters)
            if reason:
                shown.say(f"{reason} in epoch {self.epoch + (self.step > 0)}")
            shown.close()
        if self.file is not None:
            self._save(chosen)
        return self._history(reason or "ran to the end")

    @np.errstate(over="ignore", invalid="ignore")  # of the optimizer: what comes of it is noticed here
    def _steps(self, examples: Examples, steps: int, shown: Progress, interrupt: Interrupt) -> None:
        """Take the steps of this epoch that are left, or those until Ctrl-C."""
        if steps > 1 and self.settings["shuffle"]:
            self.order = self.generator.bit_generator.state
            examples = examples.taken(self.generator.permutation(examples.size))
        size = self.settings["batch_size"]
        if not self.step:
            self.before = self.theta
        each_step = self.schedule if self.schedule is not None and self.schedule.interval == "step" else None

        def value_and_grad(theta: Array) -> tuple[float, Array]:
            return self.engine.value_and_grad(theta, x, y)

        for step in range(self.step, steps):
            x, y, count = examples if steps == 1 else examples.taken(slice(step * size, (step + 1) * size))
            loss, self.theta = self.optimizer.descend(value_and_grad, self.theta)
            if not math.isfinite(loss):
                self._diverge("the loss", loss, step + 1, examples)
            self.total += loss * count
            self.step_loss.append(loss)
            self.step = step + 1
            if each_step is not None:
                each_step.step()
            if interrupt.asked:
                break
            if self.step < steps and perf_counter() > self.look_at:
                self._look(shown, self.epoch * steps + self.step, examples.size)
        # its square is the quicker test; of the last step: there may be none after it to notice
        if not math.isfinite(self.theta.dot(self.theta)) and not np.isfinite(self.theta).all():
            self._diverge("a parameter", self.theta[~np.isfinite(self.theta)][0], self.step, examples)

    def _end_epoch(self, examples: Examples, held_out: Examples | None) -> None:
        """Note down what the epoch was like, and ask early stopping, callbacks and schedule what they make of it."""
        self.epoch, self.step = self.epoch + 1, 0
        found = {"loss": self.total / examples.size, "lr": self.optimizer.lr}
        self.total = 0.0
        if held_out is not None:
            found["validation_loss"] = self.engine.value(self.theta, held_out.x, held_out.y)
        if self.metric is not None:
            x, y, _ = held_out or examples
            number = self.metric(self.engine.predict(self.theta, x), y)
            if not isinstance(number, numbers.Real):
                msg = f"metric must return a number, not {type(number).__name__} {shown(number)}"
                raise TypeError(msg)
            found["metric"] = as_float(number)
        for name, number in found.items():
            self.columns.setdefault(name, []).append(number)
        if self.callbacks:
            self._call_back(found)
        if self.early_stopping is not None:
            self._judge(found.get("validation_loss", found["loss"]), self.early_stopping)
        if self.schedule is not None and self.schedule.interval == "epoch":
            self.schedule.step()

    def _judge(self, loss: float, rule: EarlyStopping) -> None:
        """Remember the parameters if ``loss`` is the best so far, or stop if that was too long ago."""
        loss = math.inf if math.isnan(loss) else loss  # NaN would be the best for ever: nothing is below it
        if loss < self.best["loss"] - rule.min_delta or not self.best["epoch"]:
            self.best = {"loss": loss, "epoch": self.epoch, "theta": self.theta}
        elif self.epoch - self.best["epoch"] >= rule.patience:
            self.stopped = self.stopped or "the loss stopped improving"

    def _call_back(self, found: dict[str, float]) -> None:
        """Let the callbacks see the model as it is now, and take over what they change."""
        vector_to_parameters(self.theta, self.parameters)
        state = TrainingState(
            self.model,
            self.optimizer,
            self.epoch,
            found["loss"],
            found.get("validation_loss"),
            found.get("metric"),
            found["lr"],
        )
        for callback in self.callbacks:
            callback(state)
        self.theta = parameters_to_vector(self.parameters)
        if state.stopping:
            self.stopped = "a callback stopped it"

    def _chosen(self) -> tuple[Array, int]:
        """The parameters that the model is to have, and the epoch that they are from."""
        if self.early_stopping is not None and self.early_stopping.restore_best and self.best["epoch"]:
            return self.best["theta"], self.best["epoch"]
        return self.theta, self.epoch

    def _look(self, shown: Progress, done: int, count: int) -> None:
        """Show how far it has come, and save that if it is time to."""
        shown.update(done, self._losses(count))
        if self.file is not None and perf_counter() > self.save_at:
            self._save(self.theta)
        self.look_at = perf_counter() + _TICK

    def _losses(self, count: int) -> str:
        """The numbers so far: the loss of this epoch's steps, if there were some, and else what there is of the last one."""
        found = {name: column[-1] for name, column in self.columns.items() if name != "lr"}
        if self.step:
            found = {**found, "loss": self.total / min(self.step * self.settings["batch_size"], count)}
        return "  ".join(f"{name.replace('_', ' ')} {number:.4g}" for name, number in found.items())

    def _diverge(self, what: str, number: float, step: int, examples: Examples) -> NoReturn:
        """Raise DivergedError; the parameters are again those from before this epoch."""
        self.theta = self.before
        where = f"epoch {self.epoch + 1}, step {step}, at a learning rate of {self.optimizer.lr:g}"
        if wrong := not_finite(examples):
            remedy = wrong
        elif self.optimizer.searches:  # which has neither
            remedy = "Try inputs and targets scaled to about 1, all examples at once (batch_size=None), or nn.Adam"
        else:
            remedy = (
                f"Try a lower learning rate, such as lr={min(self.optimizer.lr / 10, 0.01):g}, "
                "clip_grad_norm=1.0 in the optimizer, or "
                "inputs scaled to about 1. With compiled=False, autograd.detect_anomaly() names the operation to blame"
            )
        if self.file is not None:
            remedy += ". Name another checkpoint then: in this one are the old settings"
        epoch = self._chosen()[1]
        error = DivergedError(
            f"the training diverged: {what} became {number:g} in {where}. {remedy}. "
            f"The model has the parameters from {f'the end of epoch {epoch}' if epoch else 'before the training'}"
        )
        error.history = self._history("diverged")
        raise error

    def _history(self, stopped: str) -> History:
        columns = {name: np.array(column) for name, column in self.columns.items()}
        return History(**columns, step_loss=np.array(self.step_loss), stopped=stopped, best_epoch=self.best["epoch"] or None)

    # The file

    def state(self) -> dict[str, Any]:
        """Where the training stands."""
        return {
            "settings": self.settings,
            "theta": self.theta,
            "before": self.before,
            "epoch": self.epoch,
            "step": self.step,
            "total": self.total,
            "order": self.order if self.step else self.generator.bit_generator.state,
            "columns": {name: np.array(column) for name, column in self.columns.items()},
            "step_loss": np.array(self.step_loss),
            "best": self.best,
            "stopped": self.stopped,
            "schedule": self.schedule and self.schedule.state_dict(),
        }

    def restore(self, kept: Checkpoint) -> None:
        """Go on from where a training was when it was saved; ValueError if it was another one."""
        state, optimizer = kept.extra["training"], kept.optimizer_state
        settings, mine = state["settings"], self.settings
        for name in mine:
            if name != "began" and settings[name] != mine[name]:
                what = f"with {name}={settings[name]}, and this one has {name}={mine[name]}"
                if name.startswith("crc32"):
                    what = f"on other {name.removeprefix('crc32 of the ')}, or on the same in another order"
                msg = (
                    f"the checkpoint is of a training {what}: call fit() as before, or begin anew with another checkpoint (and "
                    "with nn.load(path).model, if what was learned is to be the start)"
                )
                raise ValueError(msg)
        assert optimizer is not None  # as there is a training
        assert self.file is not None
        assert self.file.optimizer_state is not None
        if not np.array_equal(optimizer["places"], self.file.optimizer_state["places"]):
            msg = (
                "the checkpoint is of a training that moved other parameters of the model: make the optimizer with those, "
                "or begin anew with another checkpoint"
            )
            raise ValueError(msg)
        self.model.load_state_dict(kept.state_dict)  # those that the optimizer does not move
        self.optimizer.load_state_dict(optimizer["state"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
            self.optimizer.scheduled = self.schedule.base_lr, self.optimizer.lr
        self.theta, self.epoch, self.step, self.total = state["theta"], state["epoch"], state["step"], state["total"]
        self.before = state["before"]
        self.generator.bit_generator.state = state["order"]
        self.columns = {name: column.tolist() for name, column in state["columns"].items()}
        self.step_loss = state["step_loss"].tolist()
        self.best, self.stopped = state["best"], state["stopped"]

    def _save(self, theta: Array) -> None:
        """Write the model with the parameters ``theta``, and where the training stands; not what has diverged."""
        assert self.file is not None
        assert self.file.optimizer_state is not None
        if not np.isfinite(self.theta).all():
            return
        began = perf_counter()
        whole = np.array([parameter.data for parameter in self.everything])
        places = self.file.optimizer_state["places"]
        whole[places[places >= 0]] = theta[places >= 0]  # an optimizer may move what is not the model's, too
        optimizer = {**self.file.optimizer_state, "state": self.optimizer.state_dict()}
        replace(self.file, theta=whole, optimizer_state=optimizer, extra={"training": self.state()}).write(self.path)
        self.save_at = perf_counter() + _SHARE * (perf_counter() - began)


def _checked_optimizer(
    model: Module, optimizer: BaseOptimizer | None, schedule: LRScheduler | None
) -> tuple[list[Value], BaseOptimizer, LRScheduler | None]:
    """The parameters to move, and what moves them."""
    if not isinstance(model, Module):
        msg = f"fit() trains an nn.Module, not {type(model).__name__} {shown(model)}"
        raise TypeError(msg)
    if schedule is not None and not isinstance(schedule, LRScheduler):
        msg = "schedule must be an nn.LRScheduler, such as nn.CosineAnnealingLR(optimizer, T_max=epochs), not " + shown(
            schedule
        )
        raise TypeError(msg)
    if optimizer is None:
        optimizer = Adam(model.parameters()) if schedule is None else schedule.optimizer
    if not isinstance(optimizer, BaseOptimizer):
        msg = f"optimizer must be one of nn's, such as nn.Adam(model.parameters(), lr=0.01), not {shown(optimizer)}"
        raise TypeError(msg)
    if schedule is not None and optimizer.searches:
        msg = "LBFGS searches for the length of each step itself: leave the schedule out"
        raise ValueError(msg)
    if schedule is not None and schedule.optimizer is not optimizer:
        msg = "the schedule is that of another optimizer: make it with the one that is passed to fit()"
        raise ValueError(msg)
    if not set(optimizer.parameters) & set(model.parameters()):
        msg = "the optimizer moves none of the model's parameters: make it with model.parameters() of this very model"
        raise ValueError(msg)
    return optimizer.parameters, optimizer, schedule


def _checked_calls(loss: Any, metric: Any, callbacks: Any) -> list[Callable[[TrainingState], object]]:
    """The callbacks, in a list."""
    if not callable(loss):
        msg = (
            "loss must be a function of a prediction and a target, such as nn.mse_loss, "
            f"not {type(loss).__name__} {shown(loss)}"
        )
        raise TypeError(msg)
    if metric is not None and not callable(metric):
        msg = f"metric must be a function of predictions and targets, such as nn.accuracy, not {shown(metric)}"
        raise TypeError(msg)
    try:
        functions: list[Any] = [callbacks] if callable(callbacks) else list(() if callbacks is None else callbacks)
    except TypeError:
        msg = f"callbacks must be a list of functions of a TrainingState, not {type(callbacks).__name__} {shown(callbacks)}"
        raise TypeError(msg) from None
    for callback in functions:
        if not callable(callback):
            msg = f"callbacks must be functions of a TrainingState, not {type(callback).__name__} {shown(callback)}"
            raise TypeError(msg)
    return functions


def _generator(state: Any) -> np.random.Generator:
    """Random numbers that go on from the state of a bit generator."""
    generator = np.random.Generator(getattr(np.random, state["bit_generator"])())
    generator.bit_generator.state = state
    return generator


def _kept(path: str | Path | None, model: Module, *, resume: bool) -> Checkpoint | None:
    """The checkpoint to go on from, if there is one."""
    if path is None:
        if resume:
            msg = "resume=True needs the file to resume from: checkpoint='training.npz'"
            raise ValueError(msg)
        return None
    path = as_path(path, "checkpoint")
    if not path.exists():
        if not Path(path).absolute().parent.is_dir():  # not only when it is time to save
            raise FileNotFoundError(errno.ENOENT, "there is no such directory to save to", str(Path(path).parent))
        return None
    if not resume:
        msg = f"{path} exists already: resume=True goes on with it; to begin anew, remove it or name another checkpoint"
        raise FileExistsError(msg)
    kept = load(path)
    if "training" not in kept.extra:
        msg = f"{path} is a model that nn.save wrote, and there is no training in it to resume: name another checkpoint"
        raise ValueError(msg)
    if list(kept.state_dict) != list(model.state_dict()) or kept.architecture != model.architecture():
        msg = f"{path} is of another model: make the model as it was, or name another checkpoint"
        raise ValueError(msg)
    return kept
