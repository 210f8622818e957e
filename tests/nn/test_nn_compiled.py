"""Losses and layers, compiled as they are: the mean over a batch and its gradients are those of eager code."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import nn
from autograd import RecordingError, Value, compile, gradient, math  # noqa: A004 - autograd.compile
from nn.layers import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

CLOSE = {"rel": 1e-12, "abs": 1e-12}  # of numbers near 1, added up in another order
BATCH, CLASSES = 7, 3
rng = np.random.default_rng(0)
X = rng.normal(size=(BATCH, 4))
LABELS = rng.integers(0, CLASSES, BATCH)
SHARES = rng.dirichlet(np.ones(CLASSES), BATCH)
SHARES[0] = [0.0, 1.0, 0.0]
ZERO_OR_ONE = np.array([0, 1, 1, 0, 1, 0, 0])
WEIGHT = [0.5, 2.0, 3.0]


def check(model: nn.Module, loss: Callable[[Any, Any], Any], targets: Any) -> None:
    """``loss(model(x), t)``, compiled, against the mean of what eager code makes of each example, targets being plain there."""
    compiled = compile(lambda x, t: loss(model(x), t))
    result = compiled(X, targets)
    each = [loss(model(x), t) for x, t in zip(X.tolist(), targets.tolist(), strict=True)]
    expected = math.fsum(each) / len(each)
    assert result.data == pytest.approx(expected.data, **CLOSE)
    assert gradient(result, model.parameters()) == pytest.approx(gradient(expected, model.parameters()), **CLOSE)


ELEMENTWISE: list[tuple[Any, Any, np.ndarray]] = [
    (nn.mse_loss, lambda z: z, rng.normal(size=BATCH)),
    (nn.mse_loss, lambda z: z, LABELS),
    (nn.hinge_loss, lambda z: z, 2 * ZERO_OR_ONE - 1),
    (nn.hinge_loss, lambda z: z, 2.0 * ZERO_OR_ONE - 1.0),
    (nn.binary_cross_entropy, math.sigmoid, ZERO_OR_ONE),
    (nn.binary_cross_entropy, math.sigmoid, ZERO_OR_ONE.astype(bool)),
    (nn.binary_cross_entropy, math.sigmoid, SHARES[:, 0]),
    (nn.binary_cross_entropy_with_logits, lambda z: z, ZERO_OR_ONE),
    (nn.binary_cross_entropy_with_logits, lambda z: z, SHARES[:, 1]),
]


@pytest.mark.parametrize(("loss", "link", "targets"), ELEMENTWISE)
def test_elementwise_losses(loss: Any, link: Any, targets: Any) -> None:
    """Of single outputs, and of lists of outputs under every reduction that gives a number."""
    check(nn.MLP(4, [5, 1], rng=1), lambda z, t: loss(link(z), t), targets)
    pairs = np.stack([targets, targets[::-1]], axis=1)
    for reduction in ("mean", "sum"):
        check(nn.MLP(4, [5, 2], rng=1), lambda z, t, r=reduction: loss([link(a) for a in z], t, reduction=r), pairs)  # type: ignore[misc]
    check(nn.MLP(4, [5, 2], rng=1), lambda z, t: math.fsum(loss([link(a) for a in z], t, reduction="none")), pairs)


@pytest.mark.parametrize("targets", [LABELS, LABELS.astype(float), SHARES], ids=["int", "float", "probabilities"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy(targets: Any, label_smoothing: float, weight: Any, reduction: Any) -> None:
    def loss(z: Any, t: Any) -> Any:
        t = int(t) if isinstance(t, float) else t  # eager code takes whole numbers only
        return nn.cross_entropy(z, t, weight=weight, label_smoothing=label_smoothing, reduction=reduction)

    check(nn.MLP(4, [5, CLASSES], activation="tanh", rng=2), loss, targets)


@pytest.mark.parametrize(("weight", "reduction"), [*itertools.product([None, WEIGHT], ["mean", "sum", "none"])])
def test_nll_loss(weight: Any, reduction: Any) -> None:
    def loss(z: Any, t: Any) -> Any:
        return nn.nll_loss(math.log_softmax(z), t, weight=weight, reduction=reduction)

    check(nn.MLP(4, [5, CLASSES], rng=3), loss, LABELS)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_a_sequence_of_classes_in_each_example(weight: Any) -> None:
    """As a language model has them: the loss of an example is itself a mean, weighted if there are weights."""
    model = nn.MLP(4, [CLASSES], rng=4)
    check(
        model, lambda z, t: nn.cross_entropy([z, [-a for a in z]], t, weight=weight), np.stack([LABELS, LABELS[::-1]], axis=1)
    )


def test_likelihood() -> None:
    model = nn.MLP(4, [CLASSES], rng=5)
    check(model, lambda z, t: nn.likelihood([math.softmax(z)], t), LABELS[:, np.newaxis])
    check(
        nn.MLP(4, [2], rng=5), lambda z, t: nn.likelihood([math.sigmoid(a) for a in z], t), ZERO_OR_ONE.repeat(2).reshape(-1, 2)
    )


def test_a_fixed_target_is_checked_when_it_is_recorded() -> None:
    model = nn.MLP(4, [CLASSES], rng=5)
    loss = compile(lambda x: nn.cross_entropy(model(x), 1))
    each = [nn.cross_entropy(model(x), 1).data for x in X.tolist()]
    assert loss(X).data == pytest.approx(sum(each) / BATCH, **CLOSE)
    with pytest.raises(IndexError, match="3 is not one of the classes 0 to 2"):
        compile(lambda x: nn.cross_entropy(model(x), 3))(X)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["neuron", "layer", "mlp", "sequential"])
def test_layers(kind: str, activation: str) -> None:
    models: dict[str, nn.Module] = {
        "neuron": nn.Neuron(4, activation, rng=6),
        "layer": nn.Layer(4, 3, activation, rng=6),
        "mlp": nn.MLP(4, [5, 3], activation, rng=6),
        "sequential": nn.Sequential(nn.Layer(4, 5, activation, rng=6), nn.Layer(5, 2, rng=7), math.logsumexp),
    }
    model = models[kind]
    check(model, lambda y, t: nn.mse_loss(y, [t] * len(y) if isinstance(y, list) else t), rng.normal(size=BATCH))
    outputs = compile(model, reduction=None)(X)
    expected = [[v.data for v in y] if isinstance(y := model(x), list) else y.data for x in X.tolist()]
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-12)


def test_numbers_among_the_inputs_of_a_layer() -> None:
    """Mistake: a layer makes Values of numbers; these were taken for Values that the function makes of its data."""
    model = nn.MLP(5, [3, 1], rng=8)
    assert compile(lambda x: model([*x, 1.0]))(X).data == pytest.approx(
        sum(model([*x, 1.0]).data for x in X.tolist()) / BATCH, **CLOSE
    )


# Corners


def test_binary_cross_entropy_of_the_sure() -> None:
    """0 · log 0 is 0 in compiled code, too, and so is its gradient; a sure mistake costs inf."""
    w = Value(1.0)
    loss = compile(lambda p, t: nn.binary_cross_entropy(w * p, t))
    sure = loss([1.0, 0.0, 1e-310], [1, 0, 0])
    assert sure.data == pytest.approx(0.0, abs=1e-300)
    assert gradient(sure, [w]) == pytest.approx((-1 / 3,))
    assert loss([0.5, 0.0], [1, 1]).data == math.inf
    assert loss([1.0, 0.5], [0, 1]).data == math.inf


def test_binary_cross_entropy_with_large_logits() -> None:
    w = Value(1.0)
    loss = compile(lambda z, t: nn.binary_cross_entropy_with_logits(w * z, t))
    for z, t in ((1e4, 1), (1e4, 0), (-1e4, 1), (-1e4, 0), (50.0, 1), (-50.0, 0), (0.0, 0)):
        expected = nn.binary_cross_entropy_with_logits(w * z, t)
        result = loss([z], [t])
        assert result.data == expected.data
        assert gradient(result, [w]) == pytest.approx(gradient(expected, [w]), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("target", [-1, 3, 0.5, -100, np.nan])
@pytest.mark.parametrize("where", [0, 4])
def test_an_index_that_is_no_class_is_refused_at_every_call(target: float, where: int) -> None:
    """-100, too: there is no ignore_index for the index of each example."""
    model = nn.MLP(4, [CLASSES], rng=9)
    loss = compile(lambda x, t: nn.cross_entropy(model(x), t))
    good = LABELS.astype(float)
    bad = good.copy()
    bad[where] = target
    for recorded in (False, True):
        with pytest.raises(IndexError, match=re.escape("select() expects an index that is a whole number from 0 to 2, not")):
            loss(X, bad)
        if not recorded:
            loss(X, good)
    assert loss(X, good).data > 0  # and goes on


def test_training_a_compiled_model_is_training_the_model() -> None:
    """Fifty steps of Adam with compiled and with eager losses end at the same parameters."""
    ends = []
    for compiled in (False, True):
        model = nn.MLP(4, [5, CLASSES], rng=10)
        optimizer = nn.Adam(model.parameters(), lr=0.05)
        loss_of = compile(lambda x, t, model=model: nn.cross_entropy(model(x), t))
        for _ in range(50):
            loss = loss_of(X, LABELS) if compiled else nn.cross_entropy([model(x) for x in X.tolist()], LABELS.tolist())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        ends.append([p.data for p in model.parameters()])
    assert ends[1] == pytest.approx(ends[0], rel=1e-9, abs=1e-9)  # 50 steps of rounding


def test_reading_the_truth_of_a_target_names_the_way_out() -> None:
    with pytest.raises(RecordingError, match="where"):
        compile(lambda z, t: nn.relu(z) if t else z)([1.0], [1])
