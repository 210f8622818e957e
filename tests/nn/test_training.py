"""``nn.fit``: its results, its early ends, its files and its messages."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, math
from nn.engines import Engine, compiled_engine
from nn.state import State
from nn.training import fit

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
Y = np.sin(X).sum(1)
LABELS = (Y > 0).astype(int)
CLOSE = 1e-12
"""Compiled and eager code add up in different orders: a few ulp a step, over some dozen steps on well-scaled numbers."""


def mlp(*, outputs: int = 1) -> nn.MLP:
    return nn.MLP(3, [5, outputs], "tanh", rng=1)


def theta_of(model: nn.Module) -> list[float]:
    return [p.data for p in model.parameters()]


def quiet(model: nn.Module, **changed: Any) -> nn.History:
    """A short training without output."""
    settings: dict[str, Any] = {"loss": nn.mse_loss, "epochs": 5, "batch_size": 16, "rng": 0, "progress": False}
    return fit(model, changed.pop("X", X), changed.pop("y", Y), **(settings | changed))


# What it computes


def test_it_is_forward_loss_backward_step() -> None:
    """Parameters and losses are those of the textbook's loop on Values, with the order of examples that the seed gives."""
    model, textbook = mlp(), mlp()
    history = quiet(model, optimizer=nn.SGD(model.parameters(), lr=0.1, momentum=0.9))
    optimizer = nn.SGD(textbook.parameters(), lr=0.1, momentum=0.9)
    rng = np.random.default_rng(0)
    for epoch in range(5):
        order = rng.permutation(50)
        total = 0.0
        for start in range(0, 50, 16):
            batch = order[start : start + 16]
            losses = [nn.mse_loss(textbook(X[i].tolist()), float(Y[i])) for i in batch]
            loss = math.fsum(losses) / len(losses)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.data * len(batch)
        assert history.loss[epoch] == pytest.approx(total / 50, rel=CLOSE)
    assert theta_of(model) == pytest.approx(theta_of(textbook), rel=CLOSE)
    assert history.lr.tolist() == [0.1] * 5
    assert (len(history), history.stopped, history.best_epoch) == (5, "ran to the end", None)


def test_eager_is_the_same() -> None:
    """``compiled=False`` gives the same numbers, validation and metric included."""
    results = []
    for compiled in (True, False):
        model = mlp(outputs=2)
        history = quiet(
            model,
            y=LABELS,
            loss=nn.cross_entropy,
            validation=0.2,
            metric=nn.accuracy,
            compiled=compiled,
            optimizer=None,
            epochs=3,
        )
        results.append([*theta_of(model), *history.loss, *history.validation_loss, *history.metric])
    assert results[0] == pytest.approx(results[1], rel=CLOSE)


def test_trees_of_arrays() -> None:
    """X and y may be tuples or dicts of arrays. A batch takes the same examples from each array."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            self.w = Value(0.0)

        def forward(self, x: Any) -> Any:
            return self.w * (x["a"] + x["b"][0])

    def weighted(prediction: Any, target: Any) -> Any:
        return target[1] * (prediction - target[0]) ** 2

    for compiled in (True, False):
        model = Sum()
        x = {"a": np.arange(4.0), "b": np.ones((4, 1))}
        y = (2 * (np.arange(4.0) + 1), np.array([1.0, 1.0, 0.0, 1.0]))
        y[0][2] = 1e6  # has no weight
        quiet(
            model,
            X=x,
            y=y,
            loss=weighted,
            epochs=200,
            batch_size=2,
            optimizer=nn.SGD(model.parameters(), lr=0.05),
            compiled=compiled,
        )
        assert model.w.data == pytest.approx(2.0, abs=1e-9)


def test_only_what_the_optimizer_holds_moves() -> None:
    """Parameters that the optimizer was not given stay as they are."""
    model = mlp()
    before = theta_of(model)
    quiet(model, optimizer=nn.SGD(model.layers[1].parameters(), lr=0.1))
    after = theta_of(model)
    assert after[:20] == before[:20]
    assert all(a != b for a, b in zip(after[20:], before[20:], strict=True))


def test_validation_is_not_trained_on() -> None:
    """A fraction of the examples, drawn by rng, is set aside. These examples do not influence the parameters."""
    held_out = np.sort(np.random.default_rng(0).permutation(50)[:10])
    results = []
    for change in (0.0, 100.0):
        y = Y.copy()
        y[held_out] += change
        model = mlp()
        history = quiet(model, y=y, validation=0.2)
        results.append(theta_of(model))
        scores = np.array([model(x).data for x in X[held_out].tolist()])
        assert history.validation_loss[-1] == pytest.approx(((scores - y[held_out]) ** 2).mean(), rel=CLOSE)
    assert results[0] == results[1]


def test_given_validation() -> None:
    model = mlp()
    history = quiet(model, validation=(X[:7], Y[:7]), metric=lambda p, t: float(np.abs(p - t).max()))
    errors = np.array([model(x).data for x in X[:7].tolist()]) - Y[:7]
    assert history.validation_loss[-1] == pytest.approx((errors**2).mean(), rel=CLOSE)
    assert history.metric[-1] == pytest.approx(np.abs(errors).max(), rel=CLOSE)


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    """``shuffle=False`` draws no random numbers, so rng makes no difference. With shuffling it does."""
    results = {}
    for shuffle in (True, False):
        for rng in (0, 1):
            model = mlp()
            quiet(model, shuffle=shuffle, rng=rng)
            results[shuffle, rng] = theta_of(model)
    assert results[False, 0] == results[False, 1]
    assert results[True, 0] != results[True, 1]
    assert results[True, 0] != results[False, 0]


def test_the_default_is_adam_with_its_defaults() -> None:
    models = mlp(), mlp()
    quiet(models[0])
    quiet(models[1], optimizer=nn.Adam(models[1].parameters()))
    assert theta_of(models[0]) == theta_of(models[1])


def test_schedules_move_on_by_epoch_or_by_step() -> None:
    """The history has the rate at the end of each epoch. An epoch has 4 steps."""
    model = mlp()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    history = quiet(model, optimizer=optimizer, schedule=nn.StepLR(optimizer, step_size=2, gamma=0.1))
    assert history.lr == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    schedule = nn.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=20, interval="step")
    history = quiet(model, schedule=schedule)  # whose optimizer it takes
    assert history.lr == pytest.approx([0.08, 0.06, 0.04, 0.02, 0.0])


def test_lbfgs_trains_as_well() -> None:
    """LBFGS evaluates the loss many times in a step, and solves least squares."""
    model = nn.Neuron(3, "linear", rng=0)
    quiet(
        model, batch_size=None, epochs=3, optimizer=nn.LBFGS(model.parameters(), tolerance_grad=1e-12, tolerance_change=1e-15)
    )
    expected, *_ = np.linalg.lstsq(np.c_[X, np.ones(50)], Y, rcond=None)
    assert theta_of(model) == pytest.approx(expected.tolist(), abs=1e-6)


# When it stops


def test_early_stopping_gives_back_the_best() -> None:
    """The validation loss gets worse from some epoch on. The model then has the parameters of the best epoch."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=50)  # nothing to learn, so what is learned hurts
    model = mlp()
    history = quiet(
        model,
        y=noise,
        validation=(X[25:], noise[25:]),
        X=X,
        epochs=500,
        optimizer=nn.SGD(model.parameters(), lr=0.3),
        early_stopping=nn.EarlyStopping(patience=7),
    )
    losses = history.validation_loss.tolist()
    assert history.stopped == "the loss stopped improving"
    assert history.best_epoch == losses.index(min(losses)) + 1 == len(history) - 7
    scores = np.array([model(x).data for x in X[25:].tolist()])
    assert ((scores - noise[25:]) ** 2).mean() == pytest.approx(min(losses), rel=CLOSE)


def test_early_stopping_by_the_training_loss_with_a_threshold() -> None:
    """Without validation the training loss counts, and an improvement up to min_delta does not count."""
    w = nn.Module()
    w.w = Value(1.0)
    w.forward = lambda x: w.w * x
    rule = nn.EarlyStopping(patience=2, min_delta=0.5, restore_best=False)
    history = quiet(
        w, X=[1.0], y=[0.0], epochs=50, batch_size=None, optimizer=nn.SGD(w.parameters(), lr=0.25), early_stopping=rule
    )
    # w halves at each step: losses 1, 1/4, 1/16, 1/64; only the second is better than the best by more than 0.5
    assert history.loss.tolist() == [1.0, 1 / 4, 1 / 16, 1 / 64]
    assert (history.best_epoch, w.w.data) == (2, 1 / 16)


def test_early_stopping_in_the_last_epoch_is_early_stopping() -> None:
    """Mistake: the history said that it ran to the end."""
    w = nn.Module()
    w.w = Value(0.0)
    w.forward = lambda x: w.w * x
    history = quiet(w, X=[1.0], y=[0.0], epochs=3, early_stopping=nn.EarlyStopping(patience=2))
    assert (len(history), history.best_epoch, history.stopped) == (3, 1, "the loss stopped improving")


def test_callbacks_look_change_and_stop() -> None:
    """A callback sees the current parameters, may change them, and may end the training."""
    model = mlp()
    seen = []

    def look(state: nn.TrainingState) -> None:
        seen.append((state.epoch, state.loss, state.lr, theta_of(state.model)))
        if state.epoch == 2:
            for parameter in model.parameters():
                parameter.data = 0.0
        if state.epoch == 3:
            state.stop()

    history = quiet(model, callbacks=[look], optimizer=nn.SGD(model.parameters(), lr=0.1))
    assert (len(history), history.stopped) == (3, "a callback stopped it")
    assert [loss for _, loss, _, _ in seen] == history.loss.tolist()
    assert seen[2][3] == theta_of(model) != seen[1][3]
    assert seen[2][3][:15] == [0.0] * 15  # a network of zeros learns in its last bias only


def test_a_single_callback_needs_no_list() -> None:
    epochs = []
    quiet(mlp(), callbacks=lambda state: epochs.append(state.epoch))
    assert epochs == [1, 2, 3, 4, 5]


def test_an_error_in_a_callback_leaves_what_was_learned() -> None:
    model = mlp()
    seen = []

    def fail(state: nn.TrainingState) -> None:
        seen.append(theta_of(state.model))
        msg = "a mistake in the callback"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="a mistake in the callback"):
        quiet(model, callbacks=fail)
    assert theta_of(model) == seen[0] != theta_of(mlp())


@pytest.mark.parametrize("compiled", [True, False])
def test_a_diverging_loss_says_what_to_try(compiled: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """The error names the epoch, the learning rate and remedies. The model has the parameters from before that epoch."""
    model = nn.Neuron(3, "linear", rng=0)
    seen: list[list[float]] = []
    with pytest.raises(
        nn.DivergedError, match=r"the loss became (inf|nan) in epoch \d+, step \d+, at a learning rate of 1e\+60\. Try"
    ) as error:
        quiet(
            model,
            optimizer=nn.SGD(model.parameters(), lr=1e60),
            callbacks=lambda state: seen.append(theta_of(state.model)),
            compiled=compiled,
        )
    assert "lr=0.01," in str(error.value)
    assert theta_of(model) == (seen[-1] if seen else theta_of(nn.Neuron(3, "linear", rng=0)))
    assert len(error.value.history) == len(seen)


def test_a_last_step_into_infinity_is_noticed() -> None:
    """No loss is computed after the last step."""
    w = nn.Module()
    w.w = Value(1.0)
    w.forward = lambda x: w.w * x
    with pytest.raises(nn.DivergedError, match="a parameter became"):
        quiet(w, X=[1e10], y=[0.0], epochs=1, optimizer=nn.SGD(w.parameters(), lr=1e300))
    assert w.w.data == 1.0


def test_nans_in_the_data_are_named() -> None:
    x = X.copy()
    x[7, 1] = np.nan
    with pytest.raises(nn.DivergedError, match="X holds infinite numbers or NaNs"):
        quiet(mlp(), X=x)
    with pytest.raises(nn.DivergedError, match="y holds infinite numbers or NaNs"):
        quiet(mlp(), y=np.full(50, np.inf))


def test_ctrl_c_ends_training_in_good_order() -> None:
    """The current step is finished, the model keeps what it has learned, and Ctrl-C has its former handler again."""
    model = mlp()
    calls = 0

    class Interrupted(nn.SGD):
        def update(self, theta: Any, gradient: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 6:  # the second of the second epoch's four steps
                signal.raise_signal(signal.SIGINT)
            return super().update(theta, gradient)

    history = quiet(model, optimizer=Interrupted(model.parameters(), lr=0.1))
    assert (calls, len(history), history.stopped) == (6, 1, "interrupted")
    expected = mlp()
    rng = np.random.default_rng(0)
    first, second = rng.permutation(50), rng.permutation(50)
    batches = [*np.split(first, [16, 32, 48]), *np.split(second, [16, 32])[:2]]
    for batch in batches:
        quiet(expected, X=X[batch], y=Y[batch], epochs=1, batch_size=None, optimizer=nn.SGD(expected.parameters(), lr=0.1))
    assert theta_of(model) == pytest.approx(theta_of(expected), rel=CLOSE)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_is_pythons_own() -> None:
    model = mlp()

    class Twice(nn.SGD):
        def update(self, theta: Any, gradient: Any) -> Any:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            return super().update(theta, gradient)

    with pytest.raises(KeyboardInterrupt):
        quiet(model, optimizer=Twice(model.parameters(), lr=0.1))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_train_too() -> None:
    """Only the main thread handles signals. In another thread the result is the same."""
    models = mlp(), mlp()
    quiet(models[0])
    thread = threading.Thread(target=quiet, args=(models[1],))
    thread.start()
    thread.join()
    assert theta_of(models[0]) == theta_of(models[1])


# What is kept


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, ...]]:
    """A training with momentum, schedule, validation, metric and early stopping, which can be interrupted at a step."""
    update = nn.Adam.update
    steps_left = math.inf

    def interrupting(self: nn.Adam, theta: Any, gradient: Any) -> Any:
        nonlocal steps_left
        steps_left -= 1
        if steps_left == 0:
            signal.raise_signal(signal.SIGINT)
        return update(self, theta, gradient)

    monkeypatch.setattr(nn.Adam, "update", interrupting)

    def run(
        path: Path | None,
        *,
        resume: bool = False,
        epochs: int = 6,
        interrupt_at: float = math.inf,
        shuffle: bool = True,
    ) -> tuple[Any, ...]:
        nonlocal steps_left
        steps_left = interrupt_at
        model = mlp(outputs=2)
        optimizer = nn.Adam(model.parameters(), lr=0.02)
        warm_up = nn.LinearLR(optimizer, 0.1, total_iters=7, interval="step")
        cosine = nn.CosineAnnealingLR(optimizer, 20, interval="step")
        history = quiet(
            model,
            y=LABELS,
            loss=nn.cross_entropy,
            optimizer=optimizer,
            schedule=nn.SequentialLR(optimizer, [warm_up, cosine], milestones=[7], interval="step"),
            validation=0.2,
            metric=nn.accuracy,
            early_stopping=nn.EarlyStopping(patience=50),
            checkpoint=path,
            resume=resume,
            epochs=epochs,
            rng=None if resume else 7,
            batch_size=7,
            shuffle=shuffle,
        )
        columns = {name: column.tolist() for name, column in history.columns.items()}
        return theta_of(model), columns, history.best_epoch, history.step_loss.tolist()

    return run


@pytest.mark.parametrize("interrupt_at", [1, 5, 6, 7, 20, 35])
def test_interrupted_and_resumed_it_is_the_same_to_the_bit(
    tmp_path: Path, train: Callable[..., Any], interrupt_at: int
) -> None:
    """Interrupted at the first step, in the middle of an epoch, at its last step, and at the very last step."""
    path = tmp_path / "training.npz"
    train(path, interrupt_at=interrupt_at)
    assert train(path, resume=True) == train(None)


def test_interrupted_without_shuffling_and_resumed_it_is_the_same_to_the_bit(tmp_path: Path, train: Callable[..., Any]) -> None:
    """Mistake: in the middle of an epoch whose order was not drawn, there was no state of the generator to save."""
    path = tmp_path / "training.npz"
    train(path, interrupt_at=3, shuffle=False)
    assert train(path, resume=True, shuffle=False) == train(None, shuffle=False)


def test_interrupted_at_every_step(tmp_path: Path, train: Callable[..., Any]) -> None:
    """The result is the same if each run takes one step."""
    path = tmp_path / "training.npz"
    train(path, interrupt_at=1)
    for _ in range(36):
        result = train(path, resume=True, interrupt_at=1)
    assert result == train(None)


def test_every_file_on_the_way_leads_to_the_same_end(
    tmp_path: Path, train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is saved after each of the 36 steps. From each file the training continues to the same bits."""
    write, kept = nn.Checkpoint.write, []

    def keeping(checkpoint: nn.Checkpoint, path: Path) -> Path:
        write(checkpoint, path)
        kept.append(path.read_bytes())
        return path

    monkeypatch.setattr(nn.Checkpoint, "write", keeping)
    monkeypatch.setattr("nn.training._TICK", -1.0)
    monkeypatch.setattr("nn.keeper._SHARE", -1.0)
    expected = train(tmp_path / "whole.npz")
    assert len(kept) == 37  # the last one when all was done
    for k, content in enumerate(kept.copy()):
        (tmp_path / f"{k}.npz").write_bytes(content)
        assert train(tmp_path / f"{k}.npz", resume=True) == expected


def test_what_has_diverged_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step goes to infinity, which only the loss of the second step shows. It was time to save between them."""
    monkeypatch.setattr("nn.training._TICK", -1.0)
    w = nn.Module()
    w.w = Value(1.0)
    w.forward = lambda x: w.w * x
    optimizer = nn.SGD(w.parameters(), lr=1e300)
    path = tmp_path / "training.npz"
    with pytest.raises(nn.DivergedError, match="epoch 1, step 2"):
        quiet(w, X=[1e10, 1e10], y=[0.0, 0.0], batch_size=1, optimizer=optimizer, checkpoint=path)
    assert not path.exists()


def test_a_state_is_saved_whole() -> None:
    """Every field is saved, and a state with other numbers takes all of them over."""

    def state(seed: int) -> State:
        rng = np.random.default_rng(seed)
        theta = rng.normal(size=2)
        optimizer = nn.Adam([Value(0.0), Value(0.0)], lr=seed)
        made = State(optimizer, nn.StepLR(optimizer, seed), rng, theta, epoch=seed, step=0, total=0.5 * seed)
        made.schedule.step()
        made.columns, made.step_loss, made.stopped = {"loss": [1.0 * seed] * seed}, [2.0 * seed], str(seed)
        made.best = {"loss": 1.0, "epoch": seed, "theta": optimizer.update(theta, theta)}
        return made

    first, second = state(1), state(2)
    saved = first.saved()
    assert saved.keys() == {field.name for field in dataclasses.fields(State)} - {"generator"}  # of which order is the state
    second.restore(saved)
    np.testing.assert_equal(second.saved(), saved)
    assert second.generator.random() == first.generator.random()


def test_a_finished_training_resumed_does_nothing_and_a_longer_one_goes_on(tmp_path: Path, train: Callable[..., Any]) -> None:
    path = tmp_path / "training.npz"
    short = train(path, epochs=3)
    assert train(path, epochs=3, resume=True) == short
    assert train(path, epochs=6, resume=True) == train(None)


def test_resuming_what_never_began_begins(tmp_path: Path) -> None:
    """One command then serves for the first start and for all others."""
    model = mlp()
    quiet(model, checkpoint=tmp_path / "new.npz", resume=True)
    expected = mlp()
    quiet(expected)
    assert theta_of(model) == theta_of(expected)


def test_the_file_is_the_model(tmp_path: Path) -> None:
    """``nn.load`` finds the trained model in the checkpoint, and its optimizer."""
    model = mlp()
    quiet(model, checkpoint=tmp_path / "training.npz")
    loaded = nn.load(tmp_path / "training.npz")
    assert theta_of(loaded.model) == theta_of(model)
    assert loaded.optimizer.state_dict()["steps"] == 20


def test_what_stopped_early_stays_stopped(tmp_path: Path) -> None:
    settings = {"early_stopping": nn.EarlyStopping(patience=1), "checkpoint": tmp_path / "training.npz", "epochs": 200}
    model = mlp()
    history = quiet(model, optimizer=nn.SGD(model.parameters(), lr=1.0), **settings)
    assert history.stopped == "the loss stopped improving"
    again = mlp()
    resumed = quiet(again, optimizer=nn.SGD(again.parameters(), lr=1.0), resume=True, **settings)
    assert theta_of(again) == theta_of(model)
    assert (len(resumed), resumed.stopped) == (len(history), history.stopped)


KILLED = """
    import sys
    import numpy as np
    import nn
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = (X.sum(1) > 0).astype(int)
    model = nn.MLP(3, [8, 2], rng=0)
    optimizer = nn.Adam(model.parameters(), lr=0.01)
    schedule = nn.CosineAnnealingLR(optimizer, T_max=int(sys.argv[2]))
    print("begins", flush=True)
    history = nn.fit(
        model, X, y, loss=nn.cross_entropy, optimizer=optimizer, schedule=schedule, epochs=int(sys.argv[2]), batch_size=8,
        validation=0.25, early_stopping=nn.EarlyStopping(patience=10**6), checkpoint=sys.argv[1], resume=True, rng=3,
        progress=False,
    )
    print(np.array([p.data for p in model.parameters()]).tobytes().hex(), history.loss.tobytes().hex(), flush=True)
"""


def test_killed_twenty_times_and_resumed(tmp_path: Path) -> None:
    """Killed at random moments, the training continues from the file each time, and ends with the same bits.

    How long it takes is measured once, and a machine may be quicker later: then it is done before it has been killed 20 times.
    """
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(KILLED))
    root = Path(__file__).parents[2]

    def start(path: str, epochs: int) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(root)}
        return subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / path), str(epochs)], stdout=subprocess.PIPE, text=True, env=environment
        )

    epochs = 1500
    process = start("whole.npz", epochs)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    began = perf_counter()
    uninterrupted, _ = process.communicate()
    whole = perf_counter() - began
    rng = np.random.default_rng(1)
    killed = 0
    for _ in range(20):
        process = start("killed.npz", epochs)
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        try:
            process.communicate(timeout=whole * rng.uniform(0.03, 0.08))
        except subprocess.TimeoutExpired:
            killed += 1
        process.kill()
        process.communicate()
    assert killed > 0
    assert 0 < nn.load(tmp_path / "killed.npz").extra["training"]["epoch"] <= epochs
    resumed, _ = start("killed.npz", epochs).communicate()
    assert resumed.removeprefix("begins\n") == uninterrupted
    assert len(uninterrupted.split()) == 2


def test_mistakes_with_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "training.npz"
    with pytest.raises(ValueError, match="resume=True needs the file to resume from: checkpoint="):
        quiet(mlp(), resume=True)
    quiet(mlp(), checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="resume=True continues from it"):
        quiet(mlp(), checkpoint=path)
    with pytest.raises(ValueError, match="of a training with batch_size=16, but this training has batch_size=8"):
        quiet(mlp(), checkpoint=path, resume=True, batch_size=8)
    with pytest.raises(ValueError, match="of a training on other data, or on the same in another order"):
        quiet(mlp(), checkpoint=path, resume=True, y=Y + 1)
    model = mlp()
    with pytest.raises(ValueError, match=r"of a training with optimizer=Adam\(.*, but this training has optimizer=SGD\("):
        quiet(model, checkpoint=path, resume=True, optimizer=nn.SGD(model.parameters()))
    with pytest.raises(ValueError, match="of another model"):
        quiet(mlp(outputs=2), checkpoint=path, resume=True, y=LABELS, loss=nn.cross_entropy)
    nn.save(path, mlp())
    with pytest.raises(ValueError, match="without a training to resume: name another"):
        quiet(mlp(), checkpoint=path, resume=True)
    path.write_bytes(before[:-1])
    with pytest.raises(nn.CheckpointError):
        quiet(mlp(), checkpoint=path, resume=True)


# Mistakes that a review found


class Line(nn.Module):
    """``a x + b``."""

    def __init__(self, a: float = 0.0, b: float = 0.0) -> None:
        self.a, self.b = Value(a), Value(b)

    def forward(self, x: Any) -> Any:
        return self.a * x + self.b


def squared(prediction: Any, target: Any) -> Any:
    return (prediction - target) ** 2


NUMBERS = np.arange(8.0)


def on_a_line(model: nn.Module, **changed: Any) -> nn.History:
    return quiet(model, **({"X": NUMBERS, "y": 2 * NUMBERS + 1, "loss": squared, "batch_size": 4} | changed))


def test_a_variable_of_the_optimizer_that_is_not_the_models(tmp_path: Path) -> None:
    """Mistake: the file had its number in the place of the model's last parameter. It must be trained, saved and resumed."""
    ends = []
    for epochs in ((5,), (2, 5)):
        path = tmp_path / f"{epochs}.npz"
        for k, until in enumerate(epochs):
            model, temperature = Line(), Value(5.0)
            optimizer = nn.SGD([*model.parameters(), temperature], lr=1e-4)

            def loss(p: Value, t: Value, temperature: Value = temperature) -> Value:
                return (p * temperature - t) ** 2

            on_a_line(model, loss=loss, optimizer=optimizer, checkpoint=path, epochs=until, resume=k > 0)
            assert nn.load(path).state_dict == model.state_dict()
        ends.append((model.state_dict(), temperature.data))
    assert ends[0] == ends[1]
    assert ends[0][1] != 5.0


def test_parameters_that_the_optimizer_does_not_move_are_kept_too(tmp_path: Path) -> None:
    """Mistake: a resumed training continued with those of the new model, and changes by a callback were not saved."""
    results = []
    for resumed in (False, True):
        path, model = tmp_path / f"{resumed}.npz", Line(b=1.0)

        def run(model: Line, epochs: int, path: Path = path, *, resume: bool = False) -> None:
            def move(state: nn.TrainingState) -> None:
                model.b.data += state.epoch

            optimizer = nn.SGD([model.a], lr=0.01)
            on_a_line(model, optimizer=optimizer, callbacks=move, epochs=epochs, checkpoint=path, resume=resume)

        run(model, 3 if resumed else 5)
        if resumed:
            model = Line(b=77.0)
            run(model, 5, resume=True)
        results.append((model.a.data, model.b.data, nn.load(path).state_dict))
    assert results[0] == results[1]
    assert results[0][1] == 16.0


def test_resuming_with_other_parameters_to_move_is_refused(tmp_path: Path) -> None:
    """Mistake: b got the number of a from the file."""
    path = tmp_path / "training.npz"
    model = Line()
    on_a_line(model, optimizer=nn.SGD([model.a]), checkpoint=path)
    with pytest.raises(ValueError, match="a training of other parameters of the model"):
        on_a_line(model, optimizer=nn.SGD([model.b]), checkpoint=path, resume=True)


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("on other validation data", {"validation": (X, Y)}),
        ("with metric=None, but this training has metric=<lambda>", {"metric": lambda *_: 0.0}),
        ("with shuffle=True, but this training has shuffle=False", {"shuffle": False}),
        ("with loss=mse_loss, but this training has loss=squared", {"loss": squared}),
    ],
)
def test_resuming_another_training_is_refused(tmp_path: Path, what: str, changed: dict[str, Any]) -> None:
    """Mistake: with validation or a metric added, the columns of the history had different lengths."""
    path = tmp_path / "training.npz"
    quiet(mlp(), checkpoint=path)
    with pytest.raises(ValueError, match=f"of a training {what}"):
        quiet(mlp(), checkpoint=path, resume=True, epochs=9, **changed)


def test_resuming_with_another_activation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "training.npz"
    quiet(mlp(), checkpoint=path)
    with pytest.raises(ValueError, match="of another model"):
        quiet(nn.MLP(3, [5, 1], "relu", rng=1), checkpoint=path, resume=True)


def test_resuming_with_another_schedule_is_refused(tmp_path: Path) -> None:
    """Mistake: a longer T_max was ignored, and the rate rose again."""
    path = tmp_path / "training.npz"
    for epochs in (5, 10):
        model = mlp()
        optimizer = nn.SGD(model.parameters())
        schedule = nn.CosineAnnealingLR(optimizer, T_max=epochs)
        if epochs == 5:
            quiet(model, schedule=schedule, checkpoint=path, epochs=epochs)
            quiet(model, schedule=schedule, checkpoint=path, epochs=epochs, resume=True)  # the same, as it stands
        else:
            with pytest.raises(ValueError, match=r"of a training with schedule=CosineAnnealingLR.*'T_max': 5.*'T_max': 10"):
                quiet(model, schedule=schedule, checkpoint=path, epochs=epochs, resume=True)


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_infinite_gradient_of_a_finite_loss_leaves_numbers(epochs: int) -> None:
    """Mistake: the epoch ended with parameters that were NaN, and the model kept them."""
    model = Line()  # √(p p) is 0 where p is, and its slope is not a number
    with pytest.raises(nn.DivergedError, match="a parameter became nan in epoch 1, step 1") as error:
        on_a_line(
            model, loss=lambda p, _: math.sqrt(p * p), epochs=epochs, batch_size=None, optimizer=nn.SGD(model.parameters())
        )
    assert (model.a.data, model.b.data, len(error.value.history)) == (0.0, 0.0, 0)


def test_early_stopping_begins_at_the_first_number() -> None:
    """Mistake: a NaN in the first epoch stayed the best loss, as no loss is below NaN."""
    model = Line()
    losses = iter([np.nan, np.nan, 5.0, 4.0, 3.0])

    def validation_loss(*_: object) -> float:
        return next(losses)

    engine = "nn.training.compiled_engine"
    with mock.patch(engine, lambda *args: _with_value(compiled_engine(*args), validation_loss)):
        history = on_a_line(model, validation=0.25, early_stopping=nn.EarlyStopping(patience=2))
    assert (len(history), history.best_epoch, history.stopped) == (5, 5, "ran to the end")


def _with_value(engine: Engine, value: Callable[..., float]) -> Engine:
    engine.value = value
    return engine


def test_the_best_parameters_are_those_after_the_callbacks() -> None:
    """Mistake: a callback projected a to 0, and the model got the parameters from before the projection."""
    model = Line()

    def project(_: nn.TrainingState) -> None:
        model.a.data = max(model.a.data, 0.0)

    on_a_line(
        model, y=-NUMBERS, callbacks=project, early_stopping=nn.EarlyStopping(), optimizer=nn.SGD(model.parameters(), lr=0.01)
    )
    assert model.a.data == 0.0


def test_eager_losses_may_be_plain_numbers() -> None:
    """Mistake: if the loss of all examples of a batch was a plain 0.0, there was no Value to differentiate."""
    model = Line(b=10.0)
    history = on_a_line(
        model,
        loss=lambda p, _: max(0.0, 1.0 - p) if p.data < 1.0 else 0.0,
        compiled=False,
        optimizer=nn.SGD(model.parameters()),
    )
    assert history.loss.tolist() == [0.0] * 5


def test_metrics_of_models_that_return_dicts_and_tuples() -> None:
    """Mistake: eager training expected numbers. Both engines must give dicts and tuples of arrays."""

    class Pair(NamedTuple):
        first: Any
        second: Any

    class Many(Line):
        def forward(self, x: Any) -> Any:
            return {"pair": Pair(self.a * x, [self.b, 2.0]), "tuple": (self.a,)}

    seen = []

    def metric(predictions: Any, _: Any) -> float:
        pair = predictions["pair"]
        seen.append((type(pair).__name__, pair.first.shape, np.shape(pair.second), predictions["tuple"][0].shape))
        return 0.0

    for compiled in (True, False):
        on_a_line(Many(), loss=lambda p, t: (p["pair"].first - t) ** 2, metric=metric, epochs=1, compiled=compiled)
    assert seen == [("Pair", (8,), (8, 2), (8,))] * 2


def test_the_largest_whole_numbers_stay_positive() -> None:
    """Mistake: unsigned numbers from 2**63 on were negative as int64."""
    model = Line(a=1.0)
    on_a_line(
        model,
        X=np.array([2**63 + 2**62], np.uint64),
        y=[0.0],
        epochs=1,
        metric=lambda p, _: float(p[0] > 0),
        optimizer=nn.SGD([model.b]),
    )
    history = on_a_line(
        Line(a=1.0), X=np.array([2**63], np.uint64), y=[0.0], epochs=1, metric=lambda p, _: float(p[0]), optimizer=None
    )
    assert history.metric is not None
    assert history.metric[0] > 0


def test_a_diverging_lbfgs_is_not_told_of_learning_rates() -> None:
    model = Line()
    with pytest.raises(nn.DivergedError, match="all examples at once"):
        on_a_line(model, loss=lambda p, t: math.log(p - t), optimizer=nn.LBFGS(model.parameters()))


def test_a_checkpoint_in_no_folder_is_refused_at_once(tmp_path: Path) -> None:
    """Mistake: it was an error only when the training had ended."""
    model = mlp()
    with pytest.raises(FileNotFoundError, match="the directory to save to does not exist"):
        quiet(model, checkpoint=tmp_path / "missing" / "training.npz")
    assert theta_of(model) == theta_of(mlp())


def test_the_checkpoint_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistake: a callback that changed the directory changed where the file was written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    quiet(mlp(), checkpoint="training.npz", callbacks=lambda _: os.chdir(tmp_path / "elsewhere"))
    assert (tmp_path / "training.npz").exists()


class Closing(io.StringIO):
    """A stream that fails after so many lines, like a pipe whose reader has ended."""

    def __init__(self, lines: int, *, terminal: bool) -> None:
        super().__init__()
        self.lines, self.terminal = lines, terminal

    def write(self, text: str) -> int:
        if not self.lines:
            raise BrokenPipeError
        self.lines -= 1
        return super().write(text)

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # by bars of old tqdm that were half made
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_stderr_that_breaks_ends_no_training(monkeypatch: pytest.MonkeyPatch, lines: int, terminal: bool) -> None:  # noqa: FBT001 - a parameter
    """Mistake: the training ended with an error when the reader of its progress ended."""
    monkeypatch.setattr("sys.stderr", Closing(lines, terminal=terminal))
    assert len(quiet(mlp(), progress=True)) == 5


def test_a_closed_stderr_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    for stderr in (stream, object()):
        monkeypatch.setattr("sys.stderr", stderr)
        assert len(quiet(mlp(), progress=True)) == 5


def test_without_stderr_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert len(quiet(mlp(), progress=True)) == 5


def test_a_handler_that_a_callback_installs_stays() -> None:
    def mine(*_: object) -> None: ...

    quiet(mlp(), callbacks=lambda _: signal.signal(signal.SIGINT, mine))
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is mine


def test_parameters_whose_squares_overflow_are_finite() -> None:
    """Mistake: the test whether all are finite warned of an overflow."""
    model = Line(a=1e200)
    assert len(on_a_line(model, loss=lambda p, _: p * 1e-250, optimizer=nn.SGD(model.parameters()))) == 5


class Fading(nn.LRScheduler):
    """A schedule with an array among its settings."""

    def __init__(self, optimizer: nn.Optimizer) -> None:
        self.factors = np.array([1.0, 0.5, 0.25])
        super().__init__(optimizer)

    def lr_at(self, t: int) -> float:
        return self.base_lr * float(self.factors[t % 3])


def test_a_schedule_of_ones_own_with_an_array_resumes(tmp_path: Path) -> None:
    """Mistake: the comparison of settings asked for the truth of an array."""
    ends = []
    for epochs in ((6,), (2, 6)):
        for k, until in enumerate(epochs):
            model = mlp()
            schedule = Fading(nn.SGD(model.parameters(), lr=0.1))
            quiet(model, schedule=schedule, epochs=until, checkpoint=tmp_path / f"{epochs}.npz", resume=k > 0)
        ends.append(theta_of(model))
    assert ends[0] == ends[1]


def test_after_resuming_a_schedule_can_be_made_anew(tmp_path: Path) -> None:
    """Mistake: it started from the rate at which the resumed training had ended."""
    model = mlp()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    quiet(model, schedule=nn.StepLR(optimizer, 1), checkpoint=tmp_path / "training.npz")
    model = mlp()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        quiet(model, schedule=nn.StepLR(optimizer, 1), checkpoint=tmp_path / "training.npz", resume=True)
    assert nn.StepLR(optimizer, 1).base_lr == 0.1


def test_other_settings_of_the_optimizer_are_refused(tmp_path: Path) -> None:
    """Mistake: a lower rate, which the message of a diverging loss suggests, was ignored."""
    path = tmp_path / "training.npz"
    model = mlp()
    quiet(model, optimizer=nn.SGD(model.parameters(), lr=0.1), checkpoint=path)
    with pytest.raises(ValueError, match=r"with optimizer=SGD\(.*lr=0.1.*has optimizer=SGD\(.*lr=0.01"):
        quiet(model, optimizer=nn.SGD(model.parameters(), lr=0.01), checkpoint=path, resume=True)


WRONG_TARGETS: list[tuple[Any, Any, int, type[Exception], str]] = [
    (nn.hinge_loss, LABELS, 1, ValueError, "expects targets of -1 or 1"),
    (nn.binary_cross_entropy_with_logits, LABELS + 1, 1, ValueError, "between 0 and 1, not 2"),
    (nn.binary_cross_entropy_with_logits, np.where(np.arange(50) == 49, 2, LABELS), 1, ValueError, "between 0 and 1, not 2"),
    (nn.cross_entropy, LABELS + 1, 2, IndexError, "2 is not one of the classes 0 to 1"),
    (nn.cross_entropy, LABELS + 0.5, 2, TypeError, "the index of a class must be a whole number"),
    (
        nn.mse_loss,
        Y[:, None],
        1,
        ValueError,
        "y has the shape (50, 1), and the model returns one number for each example: pass y.ravel()",
    ),
]


@pytest.mark.parametrize("rng", [0, 1, 2])
@pytest.mark.parametrize(("loss", "y", "outputs", "kind", "message"), WRONG_TARGETS)
def test_wrong_targets_are_found_wherever_they_are(  # noqa: PLR0913, PLR0917 - parameters of a test
    loss: Any, y: Any, outputs: int, kind: type[Exception], message: str, rng: int
) -> None:
    """Mistake: a compiled loss cannot check its targets, so wrong targets were trained on unless they were recorded."""
    with pytest.raises(kind, match=re.escape(message)):
        quiet(mlp(outputs=outputs), loss=loss, y=y, rng=rng)
    with pytest.raises(kind, match=re.escape(message)):
        quiet(mlp(outputs=outputs), loss=loss, y=np.zeros_like(y) if y.ndim == 1 else y, validation=(X, y), rng=rng)


class Judge:
    """A loss that is a callable object, and another that is its method."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss

    def __call__(self, prediction: Any, target: Any) -> Any:
        return self.loss(prediction, target)

    def twice(self, prediction: Any, target: Any) -> Any:
        return 2 * self.loss(prediction, target) + nn.mse_loss(prediction, target)


def wrapped(loss: Any) -> dict[str, Any]:
    """Return functions and objects that call ``loss``."""
    return {
        "lambda": lambda p, t: 1.0 * loss(p, t),
        "partial": functools.partial(loss, reduction="sum"),
        "object": Judge(loss),
        "method": Judge(loss).twice,
        "weighted": lambda p, t: 0.5 * loss(p, t) + 0.1 * math.where(t > 0, p, -p),
        "compiled": autograd.compile(loss),
        "wraps": functools.wraps(squared)(lambda p, t: loss(p, t) + p * 0.0),
    }


@pytest.mark.parametrize("way", wrapped(nn.hinge_loss))
@pytest.mark.parametrize("compiled", [True, False])
def test_wrong_targets_are_found_whatever_wraps_the_loss(way: str, compiled: bool) -> None:  # noqa: FBT001 - a parameter
    """Mistake: only losses of nn checked the targets, and a lambda around such a loss did not."""
    late = np.where(np.arange(50) == 49, 3, 1)
    for loss, y, message in (
        (nn.hinge_loss, LABELS, "expects targets of -1 or 1, not 0"),
        (nn.hinge_loss, late, "expects targets of -1 or 1, not 3"),
        (nn.binary_cross_entropy_with_logits, late, "must be between 0 and 1, not 3"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            quiet(mlp(), loss=wrapped(loss)[way], y=y, compiled=compiled)
        assert f"In nn.fit: {(y == y.min() if y is LABELS else y == 3).sum()} of 50 examples" in error.value.__notes__[0]
        with pytest.raises(ValueError, match=message):
            quiet(mlp(), loss=wrapped(loss)[way], y=np.ones(50, int), validation=(X, y), compiled=compiled)


@pytest.mark.parametrize("wrong", [1.5, 2.0, -1.0, np.nan])
def test_one_wrong_target_among_many_different_ones_is_found(wrong: float) -> None:
    """One wrong target among thousands of probabilities, or of classes. The extremes, fractions and NaNs are tried."""
    n = 3000
    x, y = RNG.normal(size=(n, 3)), RNG.uniform(size=n)
    y[n - 1] = wrong
    if wrong == wrong:  # noqa: PLR0124 - NaN is no probability that is out of range: the training says it
        with pytest.raises(ValueError, match="between 0 and 1"):
            quiet(mlp(), X=x, y=y, loss=lambda p, t: 2.0 * nn.binary_cross_entropy_with_logits(p, t), epochs=1)
    if wrong != 2.0:  # of the 150 classes here
        classes = (np.arange(n) % 150).astype(float)
        classes[n // 2] = wrong
        model = nn.Layer(3, 150, "linear", rng=0)
        with pytest.raises((TypeError, IndexError), match="classes 0 to 149|must be a whole number"):
            quiet(model, X=x, y=classes, loss=lambda p, t: 2.0 * nn.cross_entropy(p, t), epochs=1)


def test_wrong_targets_are_found_in_tuples_and_dicts_of_them() -> None:
    """The targets have weights beside them, all of which are different."""
    weights = RNG.uniform(size=50)
    with pytest.raises(ValueError, match="expects targets of -1 or 1, not 0"):
        quiet(mlp(), loss=lambda p, t: t[1] * nn.hinge_loss(p, t[0]), y=(LABELS, weights))
    with pytest.raises(ValueError, match="expects targets of -1 or 1, not 0"):
        quiet(mlp(), loss=lambda p, t: t["w"] * nn.hinge_loss(p, t["y"]), y={"w": weights, "y": LABELS})
    quiet(mlp(), loss=lambda p, t: t[1] * nn.hinge_loss(p, t[0]), y=(2 * LABELS - 1, weights))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_loss_of_ones_own_may_check_its_targets(compiled: bool) -> None:  # noqa: FBT001 - both engines
    """Its ``check_target`` is called with numbers, and the loss is not. A wrapper of a loss may pass other targets on."""

    def check_target(_: Any, target: Any) -> None:
        if target > 2.0:
            msg = f"targets are at most 2, not {target}"
            raise ValueError(msg)

    def loss(prediction: Any, target: Any) -> Any:
        return (prediction - target) ** 2

    loss.check_target = check_target  # type: ignore[attr-defined]  # mypy knows no attributes of functions
    y = np.where(np.arange(50) == 49, 3.0, 1.0)
    with pytest.raises(ValueError, match=re.escape("targets are at most 2, not 3.0")) as error:
        quiet(mlp(), loss=loss, y=y, compiled=compiled)
    assert error.value.__notes__ == ["In nn.fit: 1 of 50 examples have the target 3.0."]
    quiet(mlp(), loss=loss, y=np.minimum(y, 2.0), compiled=compiled)
    signed = functools.wraps(nn.hinge_loss)(lambda p, t: nn.hinge_loss(p, 2 * t - 1))
    quiet(mlp(), loss=signed, y=LABELS, compiled=compiled, epochs=1)


def test_a_compiled_loss_is_a_loss() -> None:
    """It is compiled together with the model."""
    models = [mlp(), mlp()]
    for model, loss in zip(models, (nn.mse_loss, autograd.compile(nn.mse_loss)), strict=True):
        quiet(model, loss=loss)
    assert theta_of(models[0]) == theta_of(models[1])


def test_losses_that_need_values_or_their_slopes_are_tried_on_values() -> None:
    """Losses may call methods of Values and take slopes. Under detect_anomaly, targets of other examples raise no alarm."""
    quiet(mlp(), loss=lambda p, t: (p - t.exp()) ** 2)
    model = nn.Sequential(nn.Neuron(1, "tanh", rng=0))
    quiet(model, X=X[:, :1], loss=lambda p, t: p * p + autograd.gradient(p * t, [t], create_graph=True)[0] ** 2)
    targets = np.array([0.0, 1.0])
    sure = nn.Sequential(lambda x: x[0])
    sure.w = Value(1.0)
    sure.forward = lambda x: sure.w * x[0]
    with autograd.detect_anomaly():
        quiet(sure, X=targets[:, None], y=targets, loss=nn.binary_cross_entropy, epochs=1, compiled=False, batch_size=None)


@pytest.mark.parametrize("compiled", [True, False])
def test_nans_in_validation_data_are_said(compiled: bool) -> None:  # noqa: FBT001 - a parameter
    """Mistake: the validation loss was NaN from the first epoch to the last, and early stopping never saw a better one."""
    y = Y.copy()
    y[7] = np.nan
    with pytest.raises(ValueError, match="the validation y holds infinite numbers or NaNs in 1 examples: leave these out"):
        quiet(mlp(), validation=(X, y), compiled=compiled)
    x = X.copy()
    x[3, 0] = np.inf
    with pytest.raises(ValueError, match="the validation X holds infinite numbers or NaNs in 1 examples"):
        quiet(mlp(), validation=(x * 1.0, Y), loss=lambda p, t: (p - t) ** 2 * 0.0 + p * math.inf, compiled=compiled)
    # A loss that knows what to do about it is left alone.
    quiet(mlp(), validation=(X, y), loss=lambda p, t: math.where(t <= 10, p - t, 0.0) * 0.0 + p * p, compiled=compiled)


def test_classes_as_floats_are_classes() -> None:
    """Files in CSV format give classes as floats. Both engines take them."""
    ends = []
    for compiled in (True, False):
        model = mlp(outputs=2)
        quiet(model, loss=nn.cross_entropy, y=LABELS.astype(float), compiled=compiled)
        ends.append(theta_of(model))
    assert ends[0] == pytest.approx(ends[1], rel=CLOSE)


def test_an_accuracy_of_numbers_is_refused() -> None:
    """Mistake: any positive number was the class 1."""
    with pytest.raises(ValueError, match="expects the targets 0 and 1, or -1 and 1, not 151.0: to predict other numbers"):
        nn.accuracy([1.0, 2.0], [151.0, 75.0])
    with pytest.raises(ValueError, match="not all three"):
        nn.accuracy([1.0, 2.0, 3.0], [-1, 0, 1])
    assert nn.accuracy([0.4, 0.6], [0, 1], threshold=0.5) == 1.0


def test_accuracy_takes_numbers() -> None:
    """Mistake: the accuracy of [[None]] for [1] was 0, and a prediction of NaN was the class 0."""
    nested: list[Any] = []
    nested.append(nested)
    for wrong in ([[None]], [["a"]], [1j], nested):
        with pytest.raises((TypeError, ValueError), match=r"accuracy\(\)"):
            nn.accuracy(wrong, [1])
        with pytest.raises((TypeError, ValueError), match=r"accuracy\(\)"):
            nn.accuracy([1.0], wrong)
    with pytest.raises(ValueError, match="predictions has masked items"):
        nn.accuracy(np.ma.array([1.0], mask=[1]), [1])
    with pytest.raises(ValueError, match="predictions is ragged"):
        nn.accuracy([[1.0], [1.0, 2.0]], [0, 1])
    with pytest.raises(ValueError, match="at least one example, not"):
        nn.accuracy([], [])
    with pytest.raises(ValueError, match="classes from 0 to 1, not 2"):
        nn.accuracy([[0.0, 1.0]], [2])
    with pytest.raises(ValueError, match=re.escape("classes from 0 to 1, not 0.5")):
        nn.accuracy([[0.0, 1.0]], [0.5])
    with pytest.raises(TypeError, match="threshold must be a number, not str 'a'"):
        nn.accuracy([0.0], [1], threshold="a")  # type: ignore[arg-type]  # on purpose
    assert nn.accuracy([np.nan, 1.0], [0, 1]) == 0.5
    assert nn.accuracy([[np.nan, 1.0], [0.0, 1.0]], [0, 1]) == 0.5
    assert nn.accuracy([Value(2.0), Value(-1.0)], [1, 1]) == 0.5


@pytest.mark.parametrize(
    ("argument", "wrong", "message"),
    [
        ("shuffle", np.array([1, 2]), "shuffle must be True or False, not ndarray"),
        ("compiled", "yes", "compiled must be True or False, not str 'yes'"),
        ("epochs", 10**400, "epochs must be a whole number of at least 1, not 1000"),
        ("callbacks", 3, "callbacks must be functions of a TrainingState, not int 3"),
        ("checkpoint", b"a", "checkpoint must be the path of a file, a str or a pathlib.Path, not bytes"),
        ("rng", -1, "rng must be a numpy Generator or a seed, an int from 0 on, not int -1"),
        ("X", np.ma.array(X, mask=X > 0), "X has masked items, and the mask would be lost"),
        ("y", np.ma.array(Y, mask=Y > 0), "y has masked items, and the mask would be lost"),
        ("y", [10**400] * 50, "y holds a whole number that is too large for a float"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(argument: str, wrong: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        quiet(mlp(), **{argument: wrong})


def test_data_that_holds_itself_or_breaks_is_refused() -> None:
    class Broken:
        def __array__(self) -> Any:
            raise RuntimeError

        def __repr__(self) -> str:
            raise RuntimeError

    data: dict[str, Any] = {}
    data["a"] = data["b"] = data
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for wrong, message in (
        (data, "is nested in itself, or more than 100 levels deep"),
        (deep, "is nested in itself, or more than 32 levels deep"),
        (Broken(), "cannot be read as an array: Broken "),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            quiet(mlp(), X=wrong)
        with pytest.raises((TypeError, ValueError), match=message):
            quiet(mlp(), y=wrong)
    for loss in (Broken(), 10**5000):
        with pytest.raises(TypeError, match="not (Broken|int) <(Broken|int)"):
            quiet(mlp(), loss=loss)


# What it says


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines on stderr show loss, metric and speed. The last line comes at the end."""
    monkeypatch.setattr("nn.training._TICK", -1.0)
    fit(mlp(), X, Y, loss=nn.mse_loss, epochs=20, batch_size=16, validation=0.2, metric=lambda *_: 0.5)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert 9 <= len(lines) <= 11
    assert re.fullmatch(
        r"epoch 20/20  step 60/60  loss [\d.e-]+  validation loss [\d.e-]+  metric 0.5  [\d,]+ steps/s", lines[-1]
    )


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is tqdm's, and it ends at 100 %."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("nn.training._TICK", -1.0)
    fit(mlp(), X, Y, loss=nn.mse_loss, epochs=3, batch_size=16)
    err = capsys.readouterr().err
    last = err.rstrip().rpartition("\r")[2]
    assert re.fullmatch(r"epoch 3/3 \|█+\| 00:00 .* steps/s, loss [\d.]+", last)
    assert len(last) <= 80


def test_above_the_bar_is_said_why_it_stopped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    fit(mlp(), X, Y, loss=nn.mse_loss, epochs=3, callbacks=lambda state: state.stop())
    assert "a callback stopped it in epoch 1" in capsys.readouterr().err


def test_lines_without_tqdm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fit(mlp(), X, Y, loss=nn.mse_loss, epochs=3, batch_size=16)
    assert capsys.readouterr().err.startswith("epoch 3/3  step 12/12  loss")


def test_why_it_stopped_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    fit(mlp(), X, Y, loss=nn.mse_loss, epochs=9, callbacks=lambda state: state.stop())
    assert capsys.readouterr().err.splitlines()[-1] == "a callback stopped it in epoch 1"


# Mistakes

MISTAKES: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (TypeError, "model must be an nn.Module, not function", lambda: quiet(lambda x: x)),  # type: ignore[arg-type]  # the mistake
    (
        TypeError,
        "loss must be a function of a prediction and a target, such as nn.mse_loss, not str",
        lambda: quiet(mlp(), loss="mse"),
    ),
    (
        TypeError,
        "optimizer must be an nn.BaseOptimizer, such as nn.Adam(model.parameters(), lr=0.01), not",
        lambda: quiet(mlp(), optimizer=nn.Adam),
    ),
    (
        ValueError,
        "the optimizer has none of the model's parameters",
        lambda: quiet(mlp(), optimizer=nn.Adam(mlp().parameters())),
    ),
    (ValueError, "epochs must be a whole number of at least 1, not 0", lambda: quiet(mlp(), epochs=0)),
    (ValueError, "batch_size must be a whole number of at least 1, not 2.5", lambda: quiet(mlp(), batch_size=2.5)),
    (
        ValueError,
        "X and y must hold the same number of examples, at least one; their first axes are [50, 49]",
        lambda: quiet(mlp(), y=Y[1:]),
    ),
    (ValueError, "their first axes are [0, 0]", lambda: quiet(mlp(), X=X[:0], y=Y[:0])),
    (TypeError, "y must be an array of real numbers, not of <U1", lambda: quiet(mlp(), y=list("ab" * 25))),
    (ValueError, "X is ragged", lambda: quiet(mlp(), X=[[1.0], [1.0, 2.0]], y=[0, 0])),
    (ValueError, "y is the single number 3", lambda: quiet(mlp(), y=3)),
    (
        ValueError,
        "validation must be a pair (X, y), or a fraction between 0 and 1, not 20",
        lambda: quiet(mlp(), validation=20),
    ),
    (ValueError, "validation=0.99 of 50 examples leaves no example to train on", lambda: quiet(mlp(), validation=0.99)),
    (ValueError, "the validation X and the validation y must hold", lambda: quiet(mlp(), validation=(X, Y[1:]))),
    (TypeError, "metric must be a function", lambda: quiet(mlp(), metric="accuracy")),
    (TypeError, "callbacks must be functions", lambda: quiet(mlp(), callbacks=[3])),
    (
        TypeError,
        "early_stopping must be nn.EarlyStopping(patience=...), not bool",
        lambda: quiet(mlp(), early_stopping=True),
    ),
    (ValueError, "patience must be a whole number of at least 1, not 0", lambda: nn.EarlyStopping(patience=0)),
    (ValueError, "min_delta must be 0 or more, not -1", lambda: nn.EarlyStopping(min_delta=-1)),
    (TypeError, "schedule must be an nn.LRScheduler", lambda: quiet(mlp(), schedule=nn.StepLR)),
    (TypeError, "rng must be a numpy Generator or a seed, an int from 0 on, not str", lambda: quiet(mlp(), rng="seed")),
    (ValueError, "layers.0, Layer(3, 5, 'tanh'), expects 3 inputs, not 2", lambda: quiet(mlp(), X=X[:, :2])),
]


@pytest.mark.parametrize(("kind", "message", "mistake"), MISTAKES, ids=[message for _, message, _ in MISTAKES])
def test_mistakes_are_named(kind: type[Exception], message: str, mistake: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        mistake()


def test_a_schedule_that_ends_too_soon_says_so_before_training() -> None:
    """Mistake: the error came in the last of the 20 steps, and what was learned was lost."""
    model = mlp()
    optimizer = nn.SGD(model.parameters(), momentum=0.9)
    with pytest.raises(ValueError, match="made for 19 steps"):
        quiet(model, schedule=nn.OneCycleLR(optimizer, 0.1, total_steps=19))
    assert theta_of(model) == theta_of(mlp())
    assert len(quiet(model, schedule=nn.OneCycleLR(optimizer, 0.1, total_steps=20))) == 5


def test_lbfgs_with_a_schedule_is_refused() -> None:
    model = mlp()
    optimizer = nn.LBFGS(model.parameters())
    with pytest.raises(ValueError, match="omit the schedule"):
        quiet(model, schedule=nn.StepLR(optimizer, 1))


def test_a_metric_that_returns_nothing_is_named() -> None:
    with pytest.raises(TypeError, match="metric must return a number, not NoneType None"):
        quiet(mlp(), metric=lambda *_: None)


def test_the_schedule_of_another_optimizer_is_refused() -> None:
    model = mlp()
    schedule = nn.StepLR(nn.SGD(model.parameters()), 1)
    with pytest.raises(ValueError, match="the schedule belongs to another optimizer"):
        quiet(model, optimizer=nn.SGD(model.parameters()), schedule=schedule)


def test_a_model_that_cannot_be_recorded_is_told_of_eager_training() -> None:
    """It can be trained without recording."""

    class Leaky(nn.Module):
        def __init__(self) -> None:
            self.w = Value(1.0)

        def forward(self, x: Any) -> Any:
            z = self.w * x[0]
            return z if z > 0 else 0.1 * z

    with pytest.raises(nn.training.RecordingError) as error:
        quiet(Leaky())
    assert "compiled=False" in error.value.__notes__[0]
    assert len(quiet(Leaky(), compiled=False)) == 5


# History


def test_a_long_history_is_shown_in_part() -> None:
    shown = repr(nn.History(loss=np.arange(30.0), lr=np.full(30, 0.1))).splitlines()
    assert shown[0] == "History of 30 epochs; ran to the end"
    assert [line.split()[0] for line in shown[2:]] == ["1", "2", "3", "4", "5", "…", "26", "27", "28", "29", "30"]
    assert repr(nn.History()) == "History of 0 epochs; ran to the end"


def test_a_history_is_drawn() -> None:
    """Each array is a line. The metric has an axis of its own."""
    pytest.importorskip("matplotlib")
    history = nn.History(np.array([2.0, 1.0]), np.array([0.1, 0.1]), np.array([3.0, 2.0]), np.array([0.5, 0.6]), best_epoch=2)
    ax = history.plot()
    assert [line.get_ydata().tolist() for line in ax.get_lines()[:2]] == [[2.0, 1.0], [3.0, 2.0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "validation loss", "metric", "best epoch"]
    assert history.plot(ax=ax) is ax
    assert nn.History(np.array([2.0]), np.array([0.1])).plot().get_lines()[0].get_marker() == "o"


def test_drawing_a_history_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape('python -m pip install "scalar-autograd[plot]"')):
        nn.History().plot()


def test_accuracy_of_other_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("not (3,) and (2,)")):
        nn.accuracy([1.0, 2.0, 3.0], [1, 0])


def test_a_loss_that_does_not_fit_the_model_does_not_blame_the_targets() -> None:
    """Mistake: a note counted the examples with the first target, although all targets were refused."""
    x = np.array([[0.0], [1.0], [2.0]])
    wrong = [(1, nn.cross_entropy, "one number for each class"), (3, nn.mse_loss, "two lists of the same length")]
    for outputs, loss, message in wrong:
        with pytest.raises((TypeError, ValueError), match=message) as caught:
            nn.fit(nn.MLP(1, [outputs]), x, [0, 1, 0], loss=loss, progress=False)
        assert not hasattr(caught.value, "__notes__")


def test_inputs_that_the_model_does_not_take_are_said_with_their_shape() -> None:
    with pytest.raises(TypeError, match="expects a list of 2 inputs, not Value") as caught:
        nn.fit(nn.MLP(2, [1]), [0.0, 1.0, 2.0], [0.0, 1.0, 0.0], loss=nn.mse_loss, progress=False)
    assert caught.value.__notes__ == ["In nn.fit: X has the shape (3,); the first axis counts the examples."]
