"""``fit``, and its loop: forward, loss, backpropagation, update, on flat arrays from the first step to the last."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from autograd import Compiled, RecordingError
from nn.arguments import check_kinds, chosen_optimizer, listed
from nn.engines import Engine, compiled_engine, eager_engine
from nn.errors import DivergedError, shown
from nn.examples import Examples, check_targets, checked_examples, not_finite, split
from nn.keeper import Keeper, generator_of, resumable, settings_of
from nn.progress import Interrupt, Progress, interruptible
from nn.settings import as_float, at_least_1, flag
from nn.state import State
from nn.vectors import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nn.arguments import EarlyStopping
    from nn.examples import Data
    from nn.history import History
    from nn.module import Module
    from nn.optim import BaseOptimizer
    from nn.schedules import LRScheduler

Array = NDArray[np.float64]

_TICK = 0.1
"""Seconds between two updates of the progress, and between two looks whether it is time to save."""


@dataclass
class TrainingState:
    """The argument of callbacks, which are called after each epoch. The model has its current parameters, and a callback may
    change them.

    If a callback changes something else that the loss depends on, that must be a Value: plain numbers are constants of the
    compiled program.
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
    """Train ``model`` on the examples ``X`` with the targets ``y``, and return the history of the training.

    ``X`` and ``y`` are arrays, or tuples or dicts of arrays, whose first axis counts the examples. ``loss(model(x), y)`` is
    the loss of one example: ``nn.mse_loss``, ``nn.cross_entropy``, or a function of your own. A step moves the optimizer's
    parameters (default: ``nn.Adam`` of all parameters) against the gradient of the mean loss of ``batch_size`` examples
    (None: all examples). An epoch takes each example once, in an order drawn from ``rng``. An ``nn.LBFGS`` should get all
    examples at once: ``batch_size=None``.

    ``validation`` is a pair (X, y) of examples that are not trained on, or the fraction of the examples to set aside.
    ``metric(predictions, targets)`` takes whole arrays, as ``nn.accuracy`` does, and is called after each epoch. ``schedule``
    changes the learning rate after each epoch, or after each step if its ``interval`` is "step". ``callbacks`` are called with
    a TrainingState after each epoch.

    Ctrl-C ends the training after the current step, and the model keeps what it has learned. An infinite or NaN loss raises
    DivergedError, and the model gets the parameters from before that epoch. ``checkpoint`` is a file in which the training is
    saved from time to time, which takes at most a twentieth of the time. With ``resume`` the training continues from that
    file, to the same bits as without an interruption, or begins if there is no such file. ValueError if data, model, loss,
    optimizer or schedule have changed.

    With ``compiled`` false each step records a graph of Values, for models that ``autograd.compile`` cannot record. The model
    then gets plain numbers in ``x``, not Values: use ``math.tanh(x[0])`` of ``autograd.math``, which takes both, in place of
    ``x[0].tanh()``.

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
    check_kinds(model=model, schedule=schedule, optimizer=optimizer)
    optimizer = chosen_optimizer(model, optimizer, schedule)
    for name, number in (("epochs", epochs), ("batch_size", 1 if batch_size is None else batch_size)):
        at_least_1(name, number)
    for name, switch in (("shuffle", shuffle), ("progress", progress), ("resume", resume), ("compiled", compiled)):
        flag(name, switch)
    check_kinds(early_stopping=early_stopping, loss=loss, metric=metric, rng=rng)
    functions = listed(callbacks)
    loss = loss.__wrapped__ if isinstance(loss, Compiled) else loss  # it is compiled together with the model
    examples = checked_examples(X, y, "X", "y")
    kept = resumable(checkpoint, model, resume=resume)
    generator = np.random.default_rng(rng) if kept is None else generator_of(kept)
    began = generator.bit_generator.state
    examples, held_out = split(examples, validation, generator)
    for each in (examples, held_out):
        if each is not None:
            check_targets(model, loss, each, compiled=compiled)

    parameters = optimizer.parameters
    state = State(optimizer, schedule, generator, parameters_to_vector(parameters))
    size = min(batch_size or examples.size, examples.size)
    keeper = None
    if checkpoint is not None:
        settings = settings_of(
            state, examples, held_out, batch_size=size, shuffle=bool(shuffle), loss=loss, metric=metric, callbacks=functions,
            began=began,
        )  # fmt: skip
        keeper = Keeper(checkpoint, model, state, settings)
        if kept is not None:
            keeper.restore(kept, model, state)
    engine = (compiled_engine if compiled else eager_engine)(model, loss, parameters)
    loop = _Loop(state, model, engine, examples, held_out, epochs, size, shuffle, metric, early_stopping, functions, keeper)
    try:
        return loop.run(shown=progress)
    except RecordingError as error:
        error.add_note("In nn.fit, compiled=False trains without recording: on graphs of Values, and far more slowly.")
        raise


@dataclass
class _Loop:
    """A training that is under way: ``state`` says where it stands, and the rest does not change."""

    state: State
    model: Module
    engine: Engine
    examples: Examples
    held_out: Examples | None
    epochs: int
    batch_size: int
    shuffle: bool
    metric: Callable[[Any, Any], float] | None
    early_stopping: EarlyStopping | None
    callbacks: list[Callable[[TrainingState], object]]
    keeper: Keeper | None

    def __post_init__(self) -> None:
        self.steps = -(-self.examples.size // self.batch_size)
        """How many steps an epoch has."""

    def run(self, *, shown: bool) -> History:
        """Train until all epochs are done or there is a reason to stop, and return the history."""
        state, steps = self.state, self.steps
        self._check()
        self.progress = Progress(self.epochs, steps, self._done(), shown=shown)
        if self._done() and self.keeper is not None:
            self.progress.say(f"continues after {state.epoch} epochs and {state.step} steps, as saved in {self.keeper.path}")
        self.look_at = perf_counter() + _TICK
        reason = None
        try:
            with interruptible() as interrupt:
                while state.epoch < self.epochs and state.stopped is None and not interrupt.asked:
                    self._take_steps(interrupt)
                    if state.step == steps:
                        self._end_epoch()
                        if perf_counter() > self.look_at:
                            self._look()
            reason = state.stopped or ("interrupted" if state.epoch < self.epochs else None)
            self.progress.update(self._done(), self._losses())
        finally:
            chosen, _ = self._chosen()
            vector_to_parameters(chosen, state.optimizer.parameters)
            if reason:
                self.progress.say(f"{reason} in epoch {state.epoch + (state.step > 0)}")
            self.progress.close()
        if self.keeper is not None:
            self.keeper.save(state, chosen)
        return state.history(reason or "ran to the end")

    def _check(self) -> None:
        """Raise now what would otherwise be raised, or be NaN, at the end of the training."""
        state, held_out = self.state, self.held_out
        if state.schedule is not None:  # a schedule may be made for fewer steps
            state.schedule.lr_at(self.epochs * (1 if state.schedule.interval == "epoch" else self.steps))
        wrong = None if held_out is None else not_finite(held_out)
        if wrong and held_out is not None and not math.isfinite(self.engine.value(state.theta, held_out.x, held_out.y)):
            msg = f"the loss of the validation examples would be infinite or NaN in every epoch, as the validation {wrong}"
            raise ValueError(msg)

    @np.errstate(over="ignore", invalid="ignore")  # in the optimizer: the results are checked here
    def _take_steps(self, interrupt: Interrupt) -> None:
        """Take the steps of this epoch that are left, or those until Ctrl-C."""
        state, examples, steps, size = self.state, self.examples, self.steps, self.batch_size
        if steps > 1 and self.shuffle:
            state.order = state.generator.bit_generator.state
            examples = examples.taken(state.generator.permutation(examples.size))
        if not state.step:
            state.before = state.theta
        schedule = state.schedule if state.schedule is not None and state.schedule.interval == "step" else None
        optimizer, of_engine = state.optimizer, self.engine.value_and_grad

        def value_and_grad(theta: Array) -> tuple[float, Array]:
            return of_engine(theta, x, y)

        for step in range(state.step, steps):
            x, y, count = examples if steps == 1 else examples.taken(slice(step * size, (step + 1) * size))
            loss, state.theta = optimizer.descend(value_and_grad, state.theta)
            if not math.isfinite(loss):
                self._diverge("the loss", loss, step + 1)
            state.total += loss * count
            state.step_loss.append(loss)
            state.step = step + 1
            if schedule is not None:
                schedule.step()
            if interrupt.asked:
                break
            if state.step < steps and perf_counter() > self.look_at:
                self._look()
        # After the last step no loss may follow that would show it. The square of theta is the faster test.
        theta = state.theta
        if not math.isfinite(theta.dot(theta)) and not np.isfinite(theta).all():
            self._diverge("a parameter", theta[~np.isfinite(theta)][0], state.step)

    def _end_epoch(self) -> None:
        """Record the epoch's numbers, and let callbacks, early stopping and the schedule act on them."""
        state, held_out = self.state, self.held_out
        state.epoch, state.step = state.epoch + 1, 0
        found = {"loss": state.total / self.examples.size, "lr": state.optimizer.lr}
        state.total = 0.0
        if held_out is not None:
            found["validation_loss"] = self.engine.value(state.theta, held_out.x, held_out.y)
        if self.metric is not None:
            x, y, _ = held_out or self.examples
            number = self.metric(self.engine.predict(state.theta, x), y)
            if not isinstance(number, numbers.Real):
                msg = f"metric must return a number, not {type(number).__name__} {shown(number)}"
                raise TypeError(msg)
            found["metric"] = as_float(number)
        for name, number in found.items():
            state.columns.setdefault(name, []).append(number)
        if self.callbacks:
            self._call_back(found)
        if self.early_stopping is not None:
            self._judge(found.get("validation_loss", found["loss"]), self.early_stopping)
        if state.schedule is not None and state.schedule.interval == "epoch":
            state.schedule.step()

    def _judge(self, loss: float, rule: EarlyStopping) -> None:
        """Remember the parameters if ``loss`` is the best so far, or stop if the best was too long ago."""
        state, best = self.state, self.state.best
        loss = math.inf if math.isnan(loss) else loss  # no loss is below NaN, which would stay the best
        if loss < best["loss"] - rule.min_delta or not best["epoch"]:
            state.best = {"loss": loss, "epoch": state.epoch, "theta": state.theta}
        elif state.epoch - best["epoch"] >= rule.patience:
            state.stopped = state.stopped or "the loss stopped improving"

    def _call_back(self, found: dict[str, Any]) -> None:
        """Show the callbacks the model with its current parameters, and take over what they change."""
        state = self.state
        vector_to_parameters(state.theta, state.optimizer.parameters)
        seen = TrainingState(self.model, state.optimizer, state.epoch, **{"validation_loss": None, "metric": None, **found})
        for callback in self.callbacks:
            callback(seen)
        state.theta = parameters_to_vector(state.optimizer.parameters)
        if seen.stopping:
            state.stopped = "a callback stopped it"

    def _chosen(self) -> tuple[Array, int]:
        """Return the parameters that the model will have, and the epoch that they are from."""
        state = self.state
        if self.early_stopping is not None and self.early_stopping.restore_best and state.best["epoch"]:
            return state.best["theta"], state.best["epoch"]
        return state.theta, state.epoch

    def _done(self) -> int:
        """Return how many steps are done in all epochs."""
        return self.state.epoch * self.steps + self.state.step

    def _look(self) -> None:
        """Show the progress, and save if it is time to."""
        self.progress.update(self._done(), self._losses())
        if self.keeper is not None and self.keeper.is_due():
            self.keeper.save(self.state, self.state.theta)
        self.look_at = perf_counter() + _TICK

    def _losses(self) -> str:
        """Return the latest numbers, as text: the mean loss of this epoch's steps so far, and the last epoch's numbers."""
        state = self.state
        found = {name: column[-1] for name, column in state.columns.items() if name != "lr"}
        if state.step:
            found = {**found, "loss": state.total / min(state.step * self.batch_size, self.examples.size)}
        return "  ".join(f"{name.replace('_', ' ')} {number:.4g}" for name, number in found.items())

    def _diverge(self, what: str, number: float, step: int) -> NoReturn:
        """Raise DivergedError. The parameters are then those from before this epoch."""
        state, lr = self.state, self.state.optimizer.lr
        state.theta = state.before
        if wrong := not_finite(self.examples):
            remedy = wrong
        elif state.optimizer.searches:
            remedy = "Try inputs and targets scaled to about 1, all examples at once (batch_size=None), or nn.Adam"
        else:
            remedy = (
                f"Try a lower learning rate, such as lr={min(lr / 10, 0.01):g}, clip_grad_norm=1.0 in the optimizer, or "
                "inputs scaled to about 1. With compiled=False, autograd.detect_anomaly() names the operation that fails"
            )
        if self.keeper is not None:
            remedy += ". Then name another checkpoint, as this one belongs to the old settings"
        epoch = self._chosen()[1]
        error = DivergedError(
            f"the training diverged: {what} became {number:g} in epoch {state.epoch + 1}, step {step}, at a learning rate of "
            f"{lr:g}. {remedy}. "
            f"The model has the parameters from {f'the end of epoch {epoch}' if epoch else 'before the training'}"
        )
        error.history = state.history("diverged")
        raise error
