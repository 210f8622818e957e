from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from autograd import GraphError, Value
from nn import MLP, SGD, Adam, Optimizer

STEPS = 100
CLOSE = 1e-12  # the loss below pulls back to its minimum: rounding (2e-16 a step) is not amplified
START = [1.5, -2.0, 0.3]

SGD_SETTINGS: list[dict[str, Any]] = [
    {"lr": 0.05},
    {"lr": 0.05, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.8, "nesterov": True},
    {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
]
ADAM_SETTINGS: list[dict[str, Any]] = [
    {},
    {"lr": 0.05},
    {"lr": 0.05, "betas": (0.5, 0.9)},
    {"lr": 0.05, "betas": (0.0, 0.9), "eps": 0.1},
    {"lr": 0.05, "eps": 1e-3, "weight_decay": 0.1},
]


def slope(k: int, x: float) -> float:
    """The derivative of ``(k + 1) x² / 2 + sin(x)``, by hand."""
    return (k + 1) * x + math.cos(x)


def trajectory(optimizer: Optimizer) -> list[list[float]]:
    """Where the parameters are after each step down the sum of ``(k + 1) x² / 2 + sin(x)``."""
    path = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = sum(((k + 1) * x * x / 2 + x.sin() for k, x in enumerate(optimizer.parameters)), start=Value(0.0))
        loss.backward()
        optimizer.step()
        path.append([x.data for x in optimizer.parameters])
    return path


def sgd_by_hand(  # noqa: PLR0913 - torch's settings
    k: int, x: float, *, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
) -> list[float]:
    """The algorithm in the documentation of ``torch.optim.SGD``, with dampening 0, for one number."""
    path, buffer = [], 0.0
    for t in range(1, STEPS + 1):
        g = slope(k, x)
        if weight_decay != 0:
            g = g + weight_decay * x
        if momentum != 0:
            buffer = momentum * buffer + g if t > 1 else g
            g = g + momentum * buffer if nesterov else buffer
        x = x - lr * g
        path.append(x)
    return path


def adam_by_hand(  # noqa: PLR0913 - torch's settings
    k: int,
    x: float,
    *,
    lr: float = 0.001,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> list[float]:
    """The algorithm in the documentation of ``torch.optim.Adam``, for one number."""
    path, m, v = [], 0.0, 0.0
    for t in range(1, STEPS + 1):
        g = slope(k, x)
        if weight_decay != 0:
            g = g + weight_decay * x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        x = x - lr * m_hat / (math.sqrt(v_hat) + eps)
        path.append(x)
    return path


def assert_close(path: list[list[float]], expected: list[list[float]]) -> None:
    assert len(path) == len(expected) == STEPS
    for here, there in zip(path, expected, strict=True):
        assert here == pytest.approx(there, rel=0, abs=CLOSE)


@pytest.mark.parametrize("settings", SGD_SETTINGS)
def test_sgd_takes_the_published_steps(settings: dict[str, Any]) -> None:
    by_hand = [sgd_by_hand(k, x, **settings) for k, x in enumerate(START)]
    assert_close(trajectory(SGD([Value(x) for x in START], **settings)), [list(row) for row in zip(*by_hand, strict=True)])


@pytest.mark.parametrize("settings", ADAM_SETTINGS)
def test_adam_takes_the_published_steps(settings: dict[str, Any]) -> None:
    by_hand = [adam_by_hand(k, x, **settings) for k, x in enumerate(START)]
    assert_close(trajectory(Adam([Value(x) for x in START], **settings)), [list(row) for row in zip(*by_hand, strict=True)])


@pytest.mark.parametrize(
    ("make", "settings"), [*[(SGD, settings) for settings in SGD_SETTINGS], *[(Adam, settings) for settings in ADAM_SETTINGS]]
)
def test_steps_are_those_of_torch(make: Any, settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    theta = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    factors = torch.arange(1, len(START) + 1, dtype=torch.float64)
    optimizer = getattr(torch.optim, make.__name__)([theta], **settings)
    path = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (factors * theta * theta / 2 + theta.sin()).sum().backward()
        optimizer.step()
        path.append(theta.tolist())
    assert_close(trajectory(make([Value(x) for x in START], **settings)), path)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (SGD, 2.0 - 1e-3 * 4.0),
        (lambda x: SGD(x, 0.1), 1.6),  # 2 - 0.1 · 4
        (lambda x: SGD(x, 0.1, 0.9), 1.6),  # nothing to remember yet
        (lambda x: SGD(x, 0.1, 0.5, True), 1.4),  # 2 - 0.1 · (4 + 0.5 · 4)
        (lambda x: SGD(x, 0.1, weight_decay=0.5), 1.5),  # 2 - 0.1 · (4 + 0.5 · 2)
        (Adam, 2.0 - 1e-3 * 4.0 / (4.0 + 1e-8)),
        (lambda x: Adam(x, 0.1, eps=4.0), 1.95),  # 2 - 0.1 · 4 / (√16 + 4)
        (lambda x: Adam(x, 0.1, eps=5.0, weight_decay=0.5), 1.95),  # 2 - 0.1 · 5 / (√25 + 5)
    ],
)
def test_a_first_step_by_hand(make: Any, expected: float) -> None:
    """At x = 2, where the slope of x² is 4."""
    x = Value(2.0)
    optimizer = make([x])
    (x * x).backward()
    optimizer.step()
    assert x.data == pytest.approx(expected, rel=1e-15)
    assert x.grad == 4.0  # a step forgets nothing: zero_grad does
    optimizer.zero_grad()
    assert x.grad == 0.0


def test_an_old_graph_is_refused_after_a_step() -> None:
    """Its derivative would be taken at numbers that are gone."""
    model = MLP(2, [2, 1], rng=0)
    loss = model([1.0, 2.0])
    loss.backward()
    SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(GraphError, match=r"was assigned after .* had used it: compute the result again"):
        loss.backward()


def test_parameters_may_come_from_a_generator() -> None:
    values = [Value(1.0), Value(2.0)]
    assert SGD(x for x in values).parameters == values


@pytest.mark.parametrize("make", [SGD, Adam])
def test_only_variables_can_be_moved(make: Any) -> None:
    """Not what was computed, not a constant, not a number, not nothing."""
    for wrong in (Value(1.0) * 2.0, Value(1.0).detach(), 1.0):
        message = f"{make.__name__} moves variables, and {wrong!r} is none: pass model.parameters()"
        with pytest.raises(TypeError, match=re.escape(message)):
            make([Value(1.0), wrong])
    with pytest.raises(ValueError, match=re.escape(f"{make.__name__} got no parameters: pass model.parameters()")):
        make([])


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        *[(make, {name: x}, f"{name} must be 0 or more, not {x}") for make, name, x in [
            (SGD, "lr", -0.1), (SGD, "lr", math.nan), (SGD, "momentum", -1), (SGD, "weight_decay", -1),
            (Adam, "lr", -0.1), (Adam, "eps", -1e-8), (Adam, "weight_decay", math.nan),
        ]],
        (SGD, {"nesterov": True}, "nesterov needs a momentum above 0"),
        *[(Adam, {"betas": betas}, f"betas must be two numbers, at least 0 and below 1, not {betas}") for betas in [
            (1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, math.nan), (0.9,), (0.9, 0.9, 0.9),
        ]],
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(make: Any, settings: dict[str, Any], message: str) -> None:
    """NaN is out of every range. A single beta once was found at the first step only."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make([Value(1.0)], **settings)


def test_repr_shows_the_settings() -> None:
    x = Value(1.0)
    assert repr(SGD([x], 0.1)) == "SGD(1 parameters, lr=0.1, weight_decay=0.0, momentum=0.0, nesterov=False)"
    assert repr(Adam([x])) == "Adam(1 parameters, lr=0.001, weight_decay=0.0, betas=(0.9, 0.999), eps=1e-08)"


def test_the_base_of_optimizers_has_no_step_of_its_own() -> None:
    with pytest.raises(NotImplementedError):
        Optimizer([Value(1.0)], 0.1, 0.0).step()


def test_update_by_itself_decays_weights_too() -> None:
    optimizer = SGD([Value(1.0)], lr=0.1, weight_decay=1.0)
    assert optimizer.update(np.array([1.0]), np.array([0.0])) == [1.0 - 0.1 * 1.0]
