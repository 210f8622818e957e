"""Optimizers: every step is that of PyTorch's published algorithms, and a loaded state leads to the same next steps."""

from __future__ import annotations

import builtins
import copy
import inspect
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import autograd
import nn
from autograd import GraphError, Value
from nn.optim import LBFGS, SGD, Adam, AdamW, BaseOptimizer, Optimizer, RMSprop, clip_grad_norm

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 100
CLOSE = 1e-12
"""The loss below pulls back to its minimum: rounding (2e-16 a step) is not amplified. For Adam that takes an eps above the tiny
gradients near the minimum where its memory is short, since it divides by them."""
START = [1.5, -2.0, 0.3]

SGD_SETTINGS: list[dict[str, Any]] = [
    {},
    {"lr": 0.05},
    {"lr": 0.05, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.8, "dampening": 0.4},
    {"lr": 0.05, "momentum": 0.5, "dampening": 0.9, "weight_decay": 0.1},
    {"lr": 0.05, "dampening": 0.4},
    {"lr": 0.05, "momentum": 0.8, "nesterov": True},
    {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.8, "clip": 0.5},
    {"lr": 0.05, "weight_decay": 0.1, "clip": 0.5},
]
ADAM_SETTINGS: list[dict[str, Any]] = [
    {},
    {"lr": 0.05},
    {"lr": 0.05, "betas": (0.5, 0.9), "eps": 0.1},
    {"lr": 0.05, "betas": (0.0, 0.9), "eps": 0.1},
    {"lr": 0.05, "eps": 1e-3, "weight_decay": 0.1},
    {"lr": 0.05, "eps": 0.1, "weight_decay": 0.1, "clip": 0.5},
]
RMSPROP_SETTINGS: list[dict[str, Any]] = [
    {},
    {"lr": 0.02, "alpha": 0.9},
    {"lr": 0.02, "eps": 0.1, "weight_decay": 0.1},
    {"lr": 0.02, "eps": 0.1, "momentum": 0.5},
    {"lr": 0.02, "eps": 0.1, "centered": True},
    {"lr": 0.01, "alpha": 0.8, "eps": 0.1, "momentum": 0.7, "centered": True, "weight_decay": 0.1},
    {"lr": 0.02, "eps": 0.1, "momentum": 0.5, "clip": 0.5},
]
ALL: list[tuple[type[Optimizer], dict[str, Any]]] = [
    *[(SGD, settings) for settings in SGD_SETTINGS],
    *[(kind, settings) for kind in (Adam, AdamW) for settings in ADAM_SETTINGS],
    *[(RMSprop, settings) for settings in RMSPROP_SETTINGS],
]


def slope(k: int, x: float) -> float:
    """The derivative of ``(k + 1) x² / 2 + sin(x)``, by hand."""
    return (k + 1) * x + math.cos(x)


def made(kind: type[Optimizer], start: list[float], settings: dict[str, Any]) -> Optimizer:
    """The optimizer, where "clip" is short for ``clip_grad_norm``."""
    renamed = {"clip_grad_norm" if name == "clip" else name: x for name, x in settings.items()}
    return kind([Value(x) for x in start], **renamed)


def moved_once(optimizer: Optimizer) -> list[float]:
    """Return the parameters after a step on the sum of ``(k + 1) x² / 2 + sin(x)``."""
    optimizer.zero_grad()
    loss = sum(((k + 1) * x * x / 2 + x.sin() for k, x in enumerate(optimizer.parameters)), start=Value(0.0))
    loss.backward()
    optimizer.step()
    return [x.data for x in optimizer.parameters]


def trajectory(optimizer: Optimizer, steps: int = STEPS) -> list[list[float]]:
    return [moved_once(optimizer) for _ in range(steps)]


# The algorithms in PyTorch's documentation, for one number; each is a generator that is sent gradients


def sgd(  # noqa: PLR0913 - PyTorch's settings
    x: float,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> Callable[[float], float]:
    b: float | None = None

    def step(g: float) -> float:
        nonlocal x, b
        if weight_decay != 0:
            g = g + weight_decay * x
        if momentum != 0:
            b = momentum * b + (1 - dampening) * g if b is not None else g
            g = g + momentum * b if nesterov else b
        x = x - lr * g
        return x

    return step


def adam(  # noqa: PLR0913 - PyTorch's settings
    x: float,
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Callable[[float], float]:
    t, m, v = 0, 0.0, 0.0

    def step(g: float) -> float:
        nonlocal x, t, m, v
        t += 1
        if decoupled:
            x = x - lr * weight_decay * x
        else:
            g = g + weight_decay * x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        x = x - lr * m_hat / (math.sqrt(v_hat) + eps)
        return x

    return step


def adamw(x: float, **settings: Any) -> Callable[[float], float]:
    return adam(x, **{"weight_decay": 0.01, **settings}, decoupled=True)


def rmsprop(  # noqa: PLR0913 - PyTorch's settings
    x: float,
    *,
    lr: float = 0.01,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
) -> Callable[[float], float]:
    v = average = b = 0.0

    def step(g: float) -> float:
        nonlocal x, v, average, b
        if weight_decay != 0:
            g = g + weight_decay * x
        v = alpha * v + (1 - alpha) * g * g
        v_tilde = v
        if centered:
            average = average * alpha + (1 - alpha) * g
            v_tilde = v_tilde - average * average
        if momentum > 0:
            b = momentum * b + g / (math.sqrt(v_tilde) + eps)
            x = x - lr * b
        else:
            x = x - lr * g / (math.sqrt(v_tilde) + eps)
        return x

    return step


BY_HAND: dict[type[Optimizer], Any] = {SGD: sgd, Adam: adam, AdamW: adamw, RMSprop: rmsprop}


def by_hand(kind: type[Optimizer], settings: dict[str, Any]) -> list[list[float]]:
    """The path of all numbers; ``clip`` scales their gradients by ``min(1, clip / (norm + 1e-6))``."""
    settings = dict(settings)
    clip = settings.pop("clip", math.inf)
    moves = [BY_HAND[kind](x, **settings) for x in START]
    here, path = START, []
    for _ in range(STEPS):
        slopes = [slope(k, x) for k, x in enumerate(here)]
        norm = math.sqrt(math.fsum(g * g for g in slopes))
        factor = min(1.0, clip / (norm + 1e-6))
        here = [move(g * factor) for move, g in zip(moves, slopes, strict=True)]
        path.append(here)
    return path


def assert_close(path: list[list[float]], expected: list[list[float]]) -> None:
    assert len(path) == len(expected) == STEPS
    for here, there in zip(path, expected, strict=True):
        assert here == pytest.approx(there, rel=0, abs=CLOSE)


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_steps_are_the_published_ones(kind: type[Optimizer], settings: dict[str, Any]) -> None:
    assert_close(trajectory(made(kind, START, settings)), by_hand(kind, settings))


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_steps_are_those_of_torch(kind: type[Optimizer], settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    factors = torch.arange(1, len(START) + 1, dtype=torch.float64)
    optimizer = getattr(torch.optim, kind.__name__)([theta], **{name: x for name, x in settings.items() if name != "clip"})
    path = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (factors * theta * theta / 2 + theta.sin()).sum().backward()
        if "clip" in settings:
            torch.nn.utils.clip_grad_norm_([theta], settings["clip"])
        optimizer.step()
        path.append(theta.tolist())
    assert_close(trajectory(made(kind, START, settings)), path)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (SGD, 2.0 - 1e-3 * 4.0),
        (lambda x: SGD(x, 0.1), 1.6),  # 2 - 0.1 · 4
        (lambda x: SGD(x, 0.1, 0.9), 1.6),  # nothing to remember yet
        (lambda x: SGD(x, 0.1, 0.9, 0.5), 1.6),  # nothing to dampen yet
        (lambda x: SGD(x, 0.1, 0.0, 0.0, 0.5), 1.5),  # 2 - 0.1 · (4 + 0.5 · 2)
        (lambda x: SGD(x, 0.1, 0.5, 0.0, 0.0, True), 1.4),  # 2 - 0.1 · (4 + 0.5 · 4)
        (lambda x: SGD(x, 0.1, weight_decay=0.5, clip_grad_norm=2.0 + 1e-6), 1.7),  # 2 - 0.1 · (2 + 0.5 · 2), but for 1e-7
        (Adam, 2.0 - 1e-3 * 4.0 / (4.0 + 1e-8)),
        (lambda x: Adam(x, 0.1, eps=4.0), 1.95),  # 2 - 0.1 · 4 / (√16 + 4)
        (lambda x: Adam(x, 0.1, (0.9, 0.9), 5.0, 0.5), 1.95),  # 2 - 0.1 · 5 / (√25 + 5)
        (lambda x: AdamW(x, 0.1, (0.9, 0.9), 4.0, 0.5), 1.85),  # 2 - 0.1 · 0.5 · 2 - 0.1 · 4 / (√16 + 4)
        (lambda x: AdamW(x, 0.1, eps=4.0), 1.948),  # 2 - 0.1 · 0.01 · 2 - 0.05
        (lambda x: RMSprop(x, 0.1, 0.75, 2.0), 1.9),  # 2 - 0.1 · 4 / (√4 + 2)
        (lambda x: RMSprop(x, 0.1, 0.96, 1.0, 0.5, 0.9), 1.75),  # 2 - 0.1 · 5 / (√1 + 1)
        (lambda x: RMSprop(x, 0.1, 0.5, 2.0, 0.0, 0.0, True), 1.9),  # 2 - 0.1 · 4 / (√(8 - 2²) + 2)
    ],
)
def test_a_first_step_by_hand(make: Any, expected: float) -> None:
    """At x = 2, where the slope of x² is 4; the arguments come in PyTorch's order."""
    x = Value(2.0)
    optimizer = make([x])
    (x * x).backward()
    assert optimizer.step() is None
    assert x.data == pytest.approx(expected, rel=1e-15 if optimizer.clip_grad_norm is None else 1e-7)
    assert x.grad == 4.0  # a step forgets nothing: zero_grad does
    optimizer.zero_grad()
    assert x.grad == 0.0


def test_defaults_are_those_of_torch() -> None:
    """The arguments that both have agree in names, order and defaults."""
    torch = pytest.importorskip("torch")
    left_out = {"params", "parameters", "self", "amsgrad", "clip_grad_norm", "line_search_fn"}
    for kind in (SGD, Adam, AdamW, RMSprop, LBFGS):
        theirs = inspect.signature(getattr(torch.optim, kind.__name__).__init__).parameters.values()
        ours = inspect.signature(kind).parameters.values()
        expected = [
            (p.name, p.default)
            for p in theirs
            if p.kind is p.POSITIONAL_OR_KEYWORD
            and p.name not in left_out | {"capturable", "foreach", "maximize", "differentiable"}
        ]
        assert [(p.name, p.default) for p in ours if p.name not in left_out] == expected


def test_rmsprop_centered_on_a_gradient_that_stays_the_same() -> None:
    """Mistake: the mean square minus the squared mean was rounded to below 0, and its root was NaN."""
    optimizer = RMSprop([Value(0.0) for _ in range(3)], alpha=0.5, centered=True)
    theta = np.zeros(3)
    for _ in range(STEPS):
        theta = optimizer.update(theta, np.array([0.1, 0.7, 1e-3]))
    assert np.isfinite(theta).all()


# States


@pytest.mark.parametrize(("kind", "settings"), ALL)
@pytest.mark.parametrize("before", [0, 1, 7])
def test_a_loaded_state_goes_on_to_the_bit(kind: type[Optimizer], settings: dict[str, Any], before: int) -> None:
    """An optimizer with other settings takes over the state. The state is a copy, which later steps do not change."""
    whole = made(kind, START, settings)
    expected = trajectory(whole, before + 10)
    first = made(kind, START, settings)
    here = (trajectory(first, before) or [START])[-1]
    state = first.state_dict()
    saved = copy.deepcopy(state)
    trajectory(first, 3)
    second = kind([Value(x) for x in here])
    second.load_state_dict(state)
    assert trajectory(second, 10) == expected[before:]
    assert repr(state) == repr(saved)
    assert repr(second) == repr(whole)


def test_states_are_plain_data_without_underscores() -> None:
    optimizer = Adam([Value(1.0), Value(2.0)], clip_grad_norm=3)
    optimizer.update(np.array([1.0, 2.0]), np.array([1.0, -1.0]))
    state = optimizer.state_dict()
    assert {name: x for name, x in state.items() if not isinstance(x, np.ndarray)} == {
        "lr": 0.001, "weight_decay": 0.0, "clip_grad_norm": 3.0, "betas": (0.9, 0.999), "eps": 1e-8, "steps": 1,
    }  # fmt: skip
    assert state["mean"] == pytest.approx([0.1, -0.1])
    assert state["square"] == pytest.approx([0.001, 0.001])
    assert state["clip_grad_norm"] is not None


def test_a_state_may_have_lists_for_arrays() -> None:
    """JSON turns a state into lists and numbers."""
    first, second = Adam([Value(1.0)]), Adam([Value(1.0)])
    first.update(np.array([1.0]), np.array([2.0]))
    second.load_state_dict({name: x.tolist() if isinstance(x, np.ndarray) else x for name, x in first.state_dict().items()})
    assert second.update(np.array([1.0]), np.array([3.0])) == first.update(np.array([1.0]), np.array([3.0]))


def test_another_optimizers_state_is_refused() -> None:
    """The optimizer does not change."""
    optimizer = SGD([Value(1.0), Value(2.0)], lr=0.5)
    adam_state = Adam(optimizer.parameters).state_dict()
    message = (
        "the state does not fit this SGD: missing ['momentum', 'dampening', 'nesterov', 'velocity', 'moving'], "
        "unexpected ['betas', 'eps', 'steps', 'mean', 'square']"
    )
    with pytest.raises(KeyError, match=re.escape(message)):
        optimizer.load_state_dict(adam_state)
    message = "velocity in the state has the shape (3,), but this SGD moves 2 parameters"
    with pytest.raises(ValueError, match=re.escape(message)):
        optimizer.load_state_dict(SGD([Value(1.0) for _ in range(3)], lr=0.1).state_dict())
    assert optimizer.lr == 0.5


# Arrays, closures, graphs


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_update_leaves_its_arguments_alone(kind: type[Optimizer], settings: dict[str, Any]) -> None:
    """Neither do arrays that it returned earlier: ``nn.fit`` keeps the best parameters."""
    optimizer = made(kind, START, settings)
    theta, gradient = np.array(START), np.array([1.0, -3.0, 0.5])
    results = []
    for _ in range(3):
        result = optimizer.update(theta, gradient)
        results.append((result, result.copy()))
        assert theta.tolist() == START
        assert gradient.tolist() == [1.0, -3.0, 0.5]
    assert all(np.array_equal(result, kept) for result, kept in results)


def test_descend_is_the_loss_and_a_step() -> None:
    optimizer = SGD([Value(0.0)], lr=0.25)
    loss, theta = optimizer.descend(lambda theta: (float(theta @ theta), 2.0 * theta), np.array([4.0]))
    assert (loss, theta.tolist()) == (16.0, [2.0])


def test_a_closure_computes_loss_and_grads() -> None:
    x = Value(4.0)
    optimizer = SGD([x], lr=0.25)

    def closure() -> Value:
        optimizer.zero_grad()
        loss = x * x
        loss.backward()
        return loss

    assert optimizer.step(closure).data == 16.0
    assert x.data == 2.0


def test_an_old_graph_is_refused_after_a_step() -> None:
    """A sweep after the step would take the derivative at parameters that have changed."""
    model = nn.MLP(2, [2, 1], rng=0)
    loss = model([1.0, 2.0])
    loss.backward()
    SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(GraphError, match=r"was assigned after .* had used it: compute the result again"):
        loss.backward()


def test_parameters_may_come_from_a_generator() -> None:
    values = [Value(1.0), Value(2.0)]
    assert SGD(x for x in values).parameters == values


# Clipping


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 1.0, 5.0, 100.0])
def test_clipping_is_that_of_torch(norm_type: float, max_norm: float) -> None:
    torch = pytest.importorskip("torch")
    grads = [3.0, -4.0, 0.5]
    values, tensors = [Value(0.0) for _ in grads], [torch.zeros(1, dtype=torch.float64) for _ in grads]
    for value, tensor, grad in zip(values, tensors, grads, strict=True):
        value.grad, tensor.grad = grad, torch.tensor([grad], dtype=torch.float64)
    theirs = torch.nn.utils.clip_grad_norm_(tensors, max_norm, norm_type).item()
    assert clip_grad_norm(values, max_norm, norm_type) == pytest.approx(theirs, rel=CLOSE)
    assert [value.grad for value in values] == pytest.approx([tensor.grad.item() for tensor in tensors], rel=CLOSE)


@pytest.mark.parametrize(
    ("norm_type", "norm"), [(2.0, 5.0), (1.0, 7.0), (3.0, (27 + 64) ** (1 / 3)), (math.inf, 4.0)]
)  # fmt: skip
def test_clipping_by_hand(norm_type: float, norm: float) -> None:
    x, y = Value(0.0), Value(0.0)
    (3 * x - 4 * y).backward()
    assert clip_grad_norm([x, y], 8.0, norm_type) == pytest.approx(norm, rel=1e-15)
    assert (x.grad, y.grad) == (3.0, -4.0)
    clip_grad_norm((v for v in (x, y)), 0.5, norm_type)
    factor = 0.5 / (norm + 1e-6)
    assert (x.grad, y.grad) == pytest.approx((3.0 * factor, -4.0 * factor), rel=1e-15)


@pytest.mark.parametrize("norm_type", [2.0, 3.0, math.inf])
def test_clipping_hides_no_nan(norm_type: float) -> None:
    x, y = Value(0.0), Value(0.0)
    x.grad, y.grad = math.nan, 1.0
    assert math.isnan(clip_grad_norm([x, y], 1.0, norm_type))
    assert math.isnan(x.grad)
    x.grad = math.inf
    assert clip_grad_norm([x, y], 1.0, norm_type) == math.inf


# L-BFGS


def rosenbrock(theta: Any) -> tuple[float, Any]:
    """Return Rosenbrock's function and its gradient. The minimum is 0, at (1, 1)."""
    x, y = theta
    return float((1 - x) ** 2 + 100 * (y - x * x) ** 2), np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def test_lbfgs_finds_the_minimum_of_rosenbrock() -> None:
    """With arrays in one step, and with a closure in steps of 20 iterations. The loss returned is that before the step."""
    pytest.importorskip("scipy")
    x, y = Value(-1.2), Value(1.0)
    loss, theta = LBFGS([x, y], max_iter=100, tolerance_change=0.0).descend(rosenbrock, np.array([-1.2, 1.0]))
    assert loss == pytest.approx(24.2)  # 2.2² + 100 · (1 - 1.44)²
    assert theta == pytest.approx([1.0, 1.0], abs=1e-6)  # where slopes are 1e-7, and curvature is 0.4 at least
    optimizer = LBFGS([x, y], tolerance_change=0.0)

    def closure() -> Value:
        optimizer.zero_grad()
        loss = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        loss.backward()
        return loss

    losses = [optimizer.step(closure).data for _ in range(5)]
    assert losses[0] == pytest.approx(24.2)
    assert losses == sorted(losses, reverse=True)
    assert [x.data, y.data] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert (x.grad, y.grad) != (0.0, 0.0)


def test_lbfgs_fits_a_line_of_least_squares() -> None:
    """A layer without activation finds the solution of the normal equations. The array passed as theta does not change."""
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 3))
    targets = points @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.normal(size=40)
    model = nn.MLP(3, [1], rng=0)
    compiled = autograd.compile(lambda x, y: nn.mse_loss(model(x), y), parameters=model.parameters())
    start = np.array([p.data for p in model.parameters()])
    theta = start.copy()
    optimizer = LBFGS(model.parameters(), max_iter=50, tolerance_change=0.0)
    _, found = optimizer.descend(lambda theta: compiled.value_and_grad(theta, points, targets), theta)
    design = np.column_stack([points, np.ones(40)])
    expected = np.linalg.lstsq(design, targets, rcond=None)[0]
    assert found == pytest.approx(expected, abs=1e-6)  # where slopes are 1e-7, and curvature is about 1
    assert np.array_equal(theta, start)


def test_lbfgs_goes_on_to_the_bit() -> None:
    pytest.importorskip("scipy")
    settings = {"max_iter": 3, "max_eval": 7, "tolerance_grad": 1e-9, "tolerance_change": 1e-12, "history_size": 2}
    whole = LBFGS([Value(-1.2), Value(1.0)], **settings)  # type: ignore[arg-type]
    path = [np.array([-1.2, 1.0])]
    for _ in range(6):
        path.append(whole.descend(rosenbrock, path[-1])[1])
        if len(path) == 4:
            state = whole.state_dict()
    second = LBFGS([Value(0.0), Value(0.0)])
    second.load_state_dict(state)
    theta = path[3]
    for expected in path[4:]:
        theta = second.descend(rosenbrock, theta)[1]
        assert theta.tolist() == expected.tolist()


def test_lbfgs_keeps_within_its_limits() -> None:
    """One iteration takes a few evaluations. At the minimum, one evaluation is enough."""
    pytest.importorskip("scipy")
    calls = 0

    def counted(theta: Any) -> tuple[float, Any]:
        nonlocal calls
        calls += 1
        return rosenbrock(theta)

    values = [Value(0.0), Value(0.0)]
    LBFGS(values, max_iter=1).descend(counted, np.array([-1.2, 1.0]))
    assert 2 <= calls <= 20
    calls = 0
    _, theta = LBFGS(values).descend(counted, np.array([1.0, 1.0]))
    assert (calls, theta.tolist()) == (1, [1.0, 1.0])
    calls = 0
    LBFGS(values, max_iter=10**6, max_eval=5, tolerance_change=0.0, tolerance_grad=0.0).descend(counted, np.array([-1.2, 1.0]))
    assert calls <= 5 + 20  # a line search under way is finished; it takes 20 evaluations at most
    assert LBFGS(values).max_eval == 25
    assert LBFGS(values, max_iter=8, max_eval=3).max_eval == 3


def test_lbfgs_stays_where_there_are_numbers() -> None:
    """If the first loss is NaN, it is returned and the parameters stay. The search does not end where a later loss is NaN."""
    pytest.importorskip("scipy")
    optimizer = LBFGS([Value(0.0)])
    loss, theta = optimizer.descend(lambda _: (math.nan, np.array([math.nan])), np.array([1.0]))
    assert math.isnan(loss)
    assert theta.tolist() == [1.0]

    def logarithm(theta: Any) -> tuple[float, Any]:
        """-log(x) + 100 x, which is NaN below 0."""
        x = float(theta[0])
        return (100 * x - math.log(x), np.array([100 - 1 / x])) if x > 0 else (math.nan, np.array([math.nan]))

    loss, theta = optimizer.descend(logarithm, np.array([1.0]))
    assert loss == 100.0
    assert theta[0] > 0.0
    assert logarithm(theta)[0] <= 100.0


def test_lbfgs_refuses_what_it_cannot_do() -> None:
    pytest.importorskip("scipy")
    x = Value(1.0)
    with pytest.raises(
        ValueError,
        match=r"LBFGS finds the length of its steps .* lr=1.0.* but it has lr=0.1, weight_decay=0.0, clip_grad_norm=None",
    ):
        LBFGS([x], lr=0.1)
    for name, setting in (("lr", 0.5), ("weight_decay", 0.1), ("clip_grad_norm", 1.0)):
        optimizer = LBFGS([x])
        setattr(optimizer, name, setting)
        with pytest.raises(
            ValueError, match=f"LBFGS finds the length.* but it has .*{name}={setting}.*: leave them as they are"
        ):
            optimizer.descend(rosenbrock, np.array([1.0, 1.0]))
    with pytest.raises(
        TypeError,
        match=r"LBFGS computes the loss several times in a step: pass step\(\) a closure that computes and returns it",
    ):
        LBFGS([x]).step()
    with pytest.raises(TypeError, match=r"the closure of LBFGS must return the loss, not NoneType None"):
        LBFGS([x]).step(lambda: None)
    assert not hasattr(LBFGS, "update")  # one gradient is not enough
    for name in ("max_iter", "max_eval", "history_size"):
        for wrong in (0, 2.5, True):
            with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, not {wrong}"):
                LBFGS([x], **{name: wrong})
    for name in ("tolerance_grad", "tolerance_change"):
        with pytest.raises(ValueError, match=f"{name} must be a finite number from 0 on, not -1"):
            LBFGS([x], **{name: -1})


def test_lbfgs_takes_numbers_from_closures() -> None:
    """A closure may return the number of the loss."""
    pytest.importorskip("scipy")
    x = Value(5.0)
    optimizer = LBFGS([x])

    def closure() -> float:
        optimizer.zero_grad()
        loss = (x - 2) ** 2
        loss.backward()
        return loss.data

    assert optimizer.step(closure) == 9.0
    assert x.data == pytest.approx(2.0, abs=1e-6)


def test_lbfgs_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_scipy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    with pytest.raises(ImportError, match=re.escape('python -m pip install "scalar-autograd[scipy]"')):
        LBFGS([Value(1.0)]).descend(rosenbrock, np.array([1.0, 1.0]))


# Mistakes


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, RMSprop, LBFGS])
def test_only_variables_can_be_moved(make: Any) -> None:
    """Results, constants, numbers and empty lists are refused."""
    for wrong in (Value(1.0) * 2.0, Value(1.0).detach(), 1.0):
        message = f"{make.__name__} moves variables, and {wrong!r} is not a variable: pass model.parameters()"
        with pytest.raises(TypeError, match=re.escape(message)):
            make([Value(1.0), wrong])
    with pytest.raises(ValueError, match=re.escape(f"{make.__name__} got no parameters: pass model.parameters()")):
        make([])
    with pytest.raises(TypeError, match=f"{make.__name__} takes a list of parameters, not MLP"):
        make(nn.MLP(1, [1], rng=0))


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        *[(make, {name: x}, f"{name} must be a finite number from 0 on, not {x}") for make, name, x in [
            (SGD, "lr", -0.1), (SGD, "lr", math.nan), (SGD, "lr", math.inf), (SGD, "lr", None), (SGD, "momentum", -1),
            (SGD, "dampening", -1), (SGD, "dampening", True), (SGD, "weight_decay", -1), (SGD, "clip_grad_norm", -1),
            (Adam, "lr", -0.1), (Adam, "eps", -1e-8), (Adam, "weight_decay", math.nan), (Adam, "clip_grad_norm", math.inf),
            (AdamW, "weight_decay", -1), (RMSprop, "eps", -1), (RMSprop, "momentum", -1), (RMSprop, "clip_grad_norm", -1),
        ]],
        *[(SGD, {"nesterov": True} | more, "nesterov needs a momentum above 0 and a dampening of 0")
          for more in ({}, {"momentum": 0.9, "dampening": 0.1})],
        *[(make, {"betas": betas}, f"betas must be two numbers, at least 0 and below 1, not {betas}") for make in (Adam, AdamW)
          for betas in [(0.9,), (0.9, 0.9, 0.9), 0.9]],
        *[(make, {"betas": betas}, f"betas[{k}] must be a number, at least 0 and below 1, not {betas[k]}")
          for make in (Adam, AdamW) for betas, k in [((1.0, 0.9), 0), ((0.9, 1.0), 1), ((-0.1, 0.9), 0), ((0.9, math.nan), 1)]],
        *[(RMSprop, {"alpha": x}, f"alpha must be a number, at least 0 and below 1, not {x}") for x in (1.0, -0.1, math.nan)],
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(make: Any, settings: dict[str, Any], message: str) -> None:
    """NaN is out of every range. Mistake: a single beta was an error in the first step only."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make([Value(1.0)], **settings)


def test_nesterov_in_its_old_place_is_refused() -> None:
    """The third setting is PyTorch's dampening. It was nesterov in an earlier version."""
    with pytest.raises(ValueError, match="dampening must be a finite number from 0 on, not True"):
        SGD([Value(1.0)], 0.1, 0.9, True)


def test_clipping_refuses_nonsense() -> None:
    x = Value(1.0)
    for wrong in (-1.0, math.nan, "1"):
        with pytest.raises(ValueError, match=f"max_norm must be a finite number from 0 on, not {wrong!r}"):
            clip_grad_norm([x], wrong)  # type: ignore[arg-type]
    for wrong in (0.0, -1.0, math.nan, "inf"):
        with pytest.raises(ValueError, match=f"norm_type must be a number above 0, or math.inf, not {wrong!r}"):
            clip_grad_norm([x], 1.0, wrong)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=re.escape("clip_grad_norm() takes a list of parameters, not Value: pass model.parameters()")
    ):
        clip_grad_norm(x, 1.0)  # type: ignore[arg-type]


def test_repr_shows_the_settings() -> None:
    x = Value(1.0)
    assert repr(SGD([x], 0.1)) == (
        "SGD(1 parameters, lr=0.1, weight_decay=0.0, clip_grad_norm=None, momentum=0.0, dampening=0.0, nesterov=False)"
    )
    assert (
        repr(Adam([x])) == "Adam(1 parameters, lr=0.001, weight_decay=0.0, clip_grad_norm=None, betas=(0.9, 0.999), eps=1e-08)"
    )


def test_an_optimizer_of_your_own() -> None:
    """It defines ``moved``, and inherits clipping, decay and states. The base itself cannot step."""

    class Signs(Optimizer):
        def __init__(self, parameters: Any, lr: float = 0.1, **settings: Any) -> None:
            super().__init__(parameters, lr, **settings)
            self._calls = 0

        def moved(self, theta: Any, gradient: Any) -> Any:
            self._calls += 1
            return theta - self.lr * np.sign(gradient)

    optimizer = Signs([Value(1.0)], weight_decay=1.0)
    assert optimizer.update(np.array([1.0]), np.array([-0.5])) == [0.9]  # -0.5 + 1 is above 0
    assert optimizer.state_dict() == {"lr": 0.1, "weight_decay": 1.0, "clip_grad_norm": None, "calls": 1}
    with pytest.raises(NotImplementedError):
        Optimizer([Value(1.0)], 0.1, 0.0).step()


def test_a_search_of_your_own() -> None:
    """It defines ``descend``; closures, states and training come from the base."""

    class Halving(BaseOptimizer):
        """Half the distance, as often as that lowers the loss."""

        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, 1.0)
            self._halvings = 0

        def descend(self, value_and_grad: Any, theta: Any) -> Any:
            first, _ = value_and_grad(theta)
            best = first
            while (lower := value_and_grad(theta / 2)[0]) < best:
                best, theta = lower, theta / 2
                self._halvings += 1
            return first, theta

    x = Value(8.0)
    optimizer = Halving([x])
    assert optimizer.step(lambda: (x - 1.5) ** 2).data == 42.25
    assert x.data == 2.0  # from 8 to 4 to 2, as 1 is as far from 1.5
    assert optimizer.state_dict() == {"lr": 1.0, "halvings": 2}
    model = nn.Module()
    model.w = Value(8.0)
    model.forward = lambda x: model.w * x
    history = nn.fit(model, [1.0], [1.5], loss=nn.mse_loss, optimizer=Halving([model.w]), epochs=1, progress=False)
    assert (history.loss.tolist(), model.w.data) == ([42.25], 2.0)
    with pytest.raises(NotImplementedError):
        BaseOptimizer([x], 1.0).step(lambda: x)


def test_a_parameter_that_is_there_twice_is_refused() -> None:
    x = Value(1.0)
    with pytest.raises(ValueError, match="SGD got a parameter twice"):
        nn.SGD([x, Value(2.0), x])


@pytest.mark.parametrize("optimizer", [SGD, Adam, RMSprop])
def test_a_grad_of_none_counts_as_0(optimizer: Any) -> None:
    """PyTorch's ``zero_grad(set_to_none=True)`` leaves such grads. Mistake: a step crashed, or differed."""

    def trained(nothing: float | None) -> list[float]:
        x, y = Value(1.0), Value(2.0)
        steps = optimizer([x, y], lr=0.1)
        for _ in range(3):
            steps.zero_grad(set_to_none=nothing is None)
            assert (x.grad, y.grad) == (nothing, nothing)
            (x * x).backward()
            assert clip_grad_norm([x, y], 1.0) == abs(2.0 * x.data)
            assert y.grad == nothing
            steps.step()
        return [x.data, y.data]

    assert trained(None) == trained(0.0)


def test_a_module_s_grads_are_set_to_0_or_to_none() -> None:
    model = nn.MLP(2, [2, 1], rng=0)
    model([1.0, 1.0]).backward()
    model.zero_grad()
    assert {p.grad for p in model.parameters()} == {0.0}
    model.zero_grad(set_to_none=True)
    assert {p.grad for p in model.parameters()} == {None}
    assert autograd.gradcheck(lambda *_: model([1.0, 1.0]), model.parameters())


# Extremes, and what is no number


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e308, 5e-324])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
def test_the_norm_of_gradients_however_large(size: float, norm_type: float) -> None:
    """Mistake: squares of 1e200 are infinite, so the grads became 0. Squares of 1e-200 are 0, so the norm was 0."""
    x, y = Value(0.0), Value(0.0)
    x.grad, y.grad = size, -size / 2
    large = size / 2 if size > 1e-300 else 0.0  # half of the smallest number is 0
    ratio = (1 + (large / size) ** norm_type) ** (1 / norm_type) if norm_type < math.inf else 1.0
    assert clip_grad_norm([x, y], 1.0, norm_type) == pytest.approx(size * ratio, rel=1e-15)
    if size > 1:
        assert (x.grad, y.grad) == pytest.approx((1 / ratio, -0.5 / ratio), rel=1e-15)
    else:
        assert (x.grad, y.grad) == (size, -size / 2)


def test_an_optimizer_clips_gradients_however_large() -> None:
    optimizer = SGD([Value(0.0), Value(0.0)], lr=1.0, clip_grad_norm=1.0)
    assert optimizer.update(np.zeros(2), np.array([3e200, 4e200])) == pytest.approx([-0.6, -0.8], rel=1e-15)


@pytest.mark.parametrize(("kind", "step"), [(Adam, 0.1), (RMSprop, 1.0)])
def test_a_step_of_a_gradient_whose_square_is_infinite_and_its_share_is_not(kind: Any, step: float) -> None:
    """Mistake: (1 - β) g² was infinite from 1e155 on, so nothing moved. In PyTorch's order, (1 - β) g · g, it is finite."""
    optimizer = kind([Value(0.0)], lr=0.1)
    assert optimizer.update(np.zeros(1), np.array([2e154])) == pytest.approx([-step], rel=1e-12)


def test_a_norm_without_a_limit_only_measures() -> None:
    """PyTorch's users log the norm in this way."""
    x = Value(0.0)
    x.grad = 3.0
    assert clip_grad_norm([x], math.inf) == 3.0
    assert x.grad == 3.0


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, RMSprop])
def test_a_gradient_is_a_number_for_each_parameter(make: Any) -> None:
    """Mistake: a single number was broadcast to all parameters."""
    optimizer = make([Value(1.0), Value(2.0)])
    for wrong in (np.ones(1), 1.0, np.ones((2, 1)), [1.0]):
        with pytest.raises(
            ValueError, match=re.escape("update() takes two arrays of shape (2,), one number for each parameter, not ")
        ):
            optimizer.update(np.zeros(2), wrong)
    for wrong in (None, "ab", ["a", "b"], [[1.0], [1.0, 2.0]]):
        with pytest.raises((TypeError, ValueError), match=re.escape("update() takes two arrays of ")):
            optimizer.update(np.zeros(2), wrong)
    assert optimizer.update([0.0, 0.0], [1, 0]).shape == (2,)


def test_settings_are_of_the_right_kind() -> None:
    """Numbers too large for a float, arrays as switches, words as numbers in a state, and closures that are not functions."""
    x = Value(1.0)
    for name in ("lr", "momentum", "dampening", "weight_decay", "clip_grad_norm"):
        with pytest.raises(ValueError, match=f"{name} must be a finite number from 0 on, not "):
            SGD([x], **{name: 10**400})
    for make, name in ((SGD, "nesterov"), (RMSprop, "centered")):
        with pytest.raises(TypeError, match=f"{name} must be True or False, not ndarray"):
            make([x], **{name: np.array([1.0, 2.0])})
    with pytest.raises(TypeError, match="takes a list of parameters, not ndarray"):
        SGD(np.array(1.0))  # type: ignore[arg-type]  # on purpose
    optimizer = SGD([x], momentum=0.5)
    with pytest.raises(TypeError, match=re.escape("load_state_dict() takes what state_dict() returned, not NoneType None")):
        optimizer.load_state_dict(None)  # type: ignore[arg-type]  # on purpose
    for name, wrong in (("lr", "a"), ("nesterov", 3.0), ("velocity", "a"), ("velocity", [[1.0], [1.0, 2.0]])):
        with pytest.raises(TypeError, match=f"the state has .* for {name}, which cannot replace .*"):
            optimizer.load_state_dict(optimizer.state_dict() | {name: wrong})
    optimizer.load_state_dict(optimizer.state_dict() | {"clip_grad_norm": 1.0})
    optimizer.load_state_dict(optimizer.state_dict() | {"clip_grad_norm": None})
    for optimizer in (SGD([x]), LBFGS([x])):
        with pytest.raises(TypeError, match=re.escape("step() takes a closure, a function that computes the loss, not int 3")):
            optimizer.step(3)  # type: ignore[arg-type]  # on purpose
