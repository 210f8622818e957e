from __future__ import annotations

import itertools
import math
import re
import warnings
from collections import deque
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd
from autograd import Value, gradcheck, gradient
from autograd import math as amath
from nn import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    likelihood,
    mse_loss,
    nll_loss,
)

CLOSE = 1e-14  # some ten roundings of numbers near 1
LOGITS = [[0.3, -1.2, 2.0], [1.5, 0.1, -0.4], [-0.7, 0.9, 0.2], [0.0, 0.5, -2.0]]
CLASSES = [2, 1, 0, 1]
PROBABILITIES = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.4, 0.6], [0.1, 0.1, 0.8]]
WEIGHT = [0.5, 2.0, 3.0]
ELEMENTWISE = [mse_loss, hinge_loss, binary_cross_entropy, binary_cross_entropy_with_logits]


def about(expected: Any) -> Any:
    return pytest.approx(expected, rel=CLOSE, abs=CLOSE)


def values(nested: Any) -> Any:
    return [values(x) for x in nested] if isinstance(nested, list) else Value(nested)


def data(nested: Any) -> Any:
    return [data(x) for x in nested] if isinstance(nested, list) else nested.data


def documented(  # noqa: PLR0913 - torch's settings
    logits: Any, target: Any, *, reduction: str, weight: Any = None, ignore_index: int = -100, label_smoothing: float = 0.0
) -> Any:
    """The formulas in the documentation of ``torch.nn.CrossEntropyLoss``, on arrays of shape (examples, classes)."""
    x, y = np.asarray(logits, float), np.asarray(target)
    n, c = x.shape
    w = np.ones(c) if weight is None else np.asarray(weight, float)
    log_p = np.log(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True))
    if y.ndim == 1:
        counts = (y != ignore_index).astype(float)
        y = np.where(y == ignore_index, 0, y)
        hit = -w[y] * log_p[np.arange(n), y]
        losses = counts * ((1 - label_smoothing) * hit + label_smoothing / c * -(log_p * w).sum(axis=1))
        divisor = (counts * w[y]).sum()
    else:
        losses = -(w * log_p * ((1 - label_smoothing) * y + label_smoothing / c)).sum(axis=1)
        divisor = n
    return {"none": losses.tolist(), "sum": losses.sum(), "mean": losses.sum() / divisor}[reduction]


SETTINGS = [
    dict(zip(("target", "weight", "label_smoothing", "ignore_index", "reduction"), setting, strict=True))
    for setting in itertools.product(
        [CLASSES, PROBABILITIES], [None, WEIGHT], [0.0, 0.3, 1.0], [-100, 1], ["mean", "sum", "none"]
    )
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_cross_entropy_is_what_torch_documents(settings: dict[str, Any]) -> None:
    """For every combination of settings, on floats, Values and arrays; ``ignore_index`` is about class indices alone."""
    expected = about(documented(LOGITS, **settings))
    assert cross_entropy(LOGITS, **settings) == expected
    assert data(cross_entropy(values(LOGITS), **settings)) == expected
    assert cross_entropy(np.array(LOGITS), **settings | {"target": np.array(settings["target"])}) == expected


@pytest.mark.parametrize("settings", SETTINGS)
def test_cross_entropy_is_that_of_torch(settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    tensors = {
        k: torch.tensor(x, dtype=torch.int64 if x is CLASSES else torch.float64) if isinstance(x, list) else x
        for k, x in settings.items()
    }
    if settings["target"] is PROBABILITIES:
        tensors["ignore_index"] = -100  # torch refuses any other for probabilities
    expected = torch.nn.functional.cross_entropy(torch.tensor(LOGITS, dtype=torch.float64), **tensors).tolist()
    assert cross_entropy(LOGITS, **settings) == about(expected)


def test_cross_entropy_by_hand() -> None:
    """Logits 0 and log 3 are probabilities 1/4 and 3/4. The weighted mean of losses log 4 and log 4/3 with 1 and 3."""
    row = [0.0, math.log(3)]
    assert cross_entropy(row, 0) == about(math.log(4))
    assert cross_entropy(row, [0.5, 0.5]) == about((math.log(4) + math.log(4 / 3)) / 2)
    assert cross_entropy(row, 0, label_smoothing=1.0) == about((math.log(4) + math.log(4 / 3)) / 2)
    weighted = (math.log(4) + 3 * math.log(4 / 3)) / 4
    assert cross_entropy([row, row], [0, 1], weight=[1.0, 3.0]) == about(weighted)
    assert cross_entropy(row, 1, weight=[1.0, 3.0]) == about(math.log(4 / 3))  # the weighted mean of one


def test_one_example_is_a_batch_of_one() -> None:
    for target, reduction in itertools.product((2, [0.2, 0.3, 0.5]), ("mean", "sum")):
        settings: Any = {"weight": WEIGHT, "label_smoothing": 0.1, "reduction": reduction}
        assert cross_entropy(LOGITS[0], target, **settings) == cross_entropy([LOGITS[0]], [target], **settings)
    alone = cross_entropy(LOGITS[0], 2, reduction="none")
    assert [alone] == cross_entropy([LOGITS[0]], [2], reduction="none")
    assert nll_loss([-0.5, -1.5], 0, weight=[3.0, 1.0], reduction="none") == 1.5


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("ignore_index", [-100, 1])
def test_nll_loss_of_log_softmax_is_cross_entropy(reduction: Any, weight: Any, ignore_index: int) -> None:
    settings: Any = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
    scores = [amath.log_softmax(row) for row in LOGITS]
    assert nll_loss(scores, CLASSES, **settings) == about(documented(LOGITS, CLASSES, **settings))


def test_ignored_examples_count_for_nothing() -> None:
    """The mean of none is nan, the sum 0, as in torch. They stay Values: a batch of them once broke ``backward()``."""
    for loss in (cross_entropy, nll_loss):
        z = Value(1.0)
        assert math.isnan(loss([[z, 2.0]], [-100]).data)
        assert data(loss([[z, 2.0], [z, 2.0]], [-100, -100], reduction="none")) == [0.0, 0.0]
        ignored = loss([z, 2.0], -100, reduction="sum")
        assert ignored.data == 0.0
        ignored.backward()
        assert z.grad == 0.0
        assert loss([[math.inf, math.nan]], [-100], reduction="sum") == 0.0


def test_gradient_of_cross_entropy_is_softmax_minus_one_hot() -> None:
    """For the mean of a batch, divided by its size."""
    logits = values(LOGITS)
    slopes = gradient(cross_entropy(logits, CLASSES), [z for row in logits for z in row])
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    assert slopes == pytest.approx(((p - np.eye(3)[CLASSES]) / 4).ravel().tolist(), rel=1e-13)


@pytest.mark.parametrize("size", [400.0, 1e4])
def test_extreme_logits(size: float) -> None:
    """Nothing overflows: right costs 0, wrong costs the distance, and gradients are softmax minus one-hot still."""
    for target, cost, slope in ((0, 0.0, 0.0), (1, 2 * size, 1.0)):
        row = [Value(size), Value(-size)]
        for t in (target, [1.0 - target, float(target)]):
            loss = cross_entropy(row, t)
            assert loss.data == cost
            assert gradient(loss, row) == (slope, -slope)
        for z, right in ((size, 1), (-size, 0)):
            logit = Value(z)
            loss = binary_cross_entropy_with_logits(logit, right if cost == 0.0 else 1 - right)
            assert loss.data == pytest.approx(cost / 2, rel=0, abs=1e-170)  # exp(-400) = 2e-174
            assert gradient(loss, [logit]) == pytest.approx((math.copysign(slope, z),), rel=0, abs=1e-170)


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "each"),
    [
        (mse_loss, [1.0, 5.0, -2.0, 0.5], [1.0, 3.0, 1.0, 0.0], [0.0, 4.0, 9.0, 0.25]),
        (hinge_loss, [2.0, 0.5, -1.0, -1.0], [1, 1, 1, -1], [0.0, 0.5, 2.0, 0.0]),
        (binary_cross_entropy, [0.5, 0.2, 0.2, 0.2], [1, 1, 0, 0.25],
         [math.log(2), math.log(5), math.log(1.25), 0.25 * math.log(5) + 0.75 * math.log(1.25)]),
        (binary_cross_entropy_with_logits, [0.0, math.log(3), math.log(3), math.log(3)], [1, 1, 0, 0.5],
         [math.log(2), math.log(4 / 3), math.log(4), (math.log(4) + math.log(4 / 3)) / 2]),
    ],
)  # fmt: skip
def test_elementwise_losses_by_hand(loss: Any, prediction: list[float], target: list[float], each: list[float]) -> None:
    """Of a batch, of a batch of lists and of one example; on floats, Values and arrays; under every reduction."""
    for x, t in ((prediction, target), (values(prediction), target), (np.array(prediction), np.array(target))):
        plain = data if isinstance(x[0], Value) else lambda y: y
        assert plain(loss(x, t)) == about(sum(each) / 4)
        assert plain(loss(x, t, reduction="sum")) == about(sum(each))
        assert plain(loss(x, t, reduction="none")) == about(each)
        assert plain(loss(x[1], t[1])) == about(each[1])
    pairs, targets = [prediction[:2], prediction[2:]], [target[:2], target[2:]]
    assert loss(pairs, targets) == about(sum(each) / 4)
    first, second = loss(pairs, targets, reduction="none")
    assert first + second == about(each)
    assert math.isnan(loss([], []))
    assert loss([], [], reduction="sum") == 0.0


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradients_are_those_of_finite_differences(reduction: Any) -> None:
    """By predictions, and by targets where they have derivatives."""
    x = values([0.3, 0.6, 0.8])
    for loss, target in zip(ELEMENTWISE, ([0.1, 2.0, 0.8], [1, -1, 1], [1, 0, 0.3], [1, 0, 0.3]), strict=True):
        assert gradcheck(lambda x, loss=loss, t=target: loss(x, t, reduction=reduction), [x], order=2)
    assert gradcheck(lambda x, t: mse_loss(x, t, reduction=reduction), [x, values([1.0, 2.0, 3.0])])
    for settings in ({}, {"weight": WEIGHT, "label_smoothing": 0.3, "ignore_index": 0}):
        for t in (CLASSES, PROBABILITIES):
            kinds: Any = {"reduction": reduction} | settings
            assert gradcheck(lambda x, t=t, kinds=kinds: cross_entropy(x, t, **kinds), [values(LOGITS)], order=2)
    assert gradcheck(lambda x: nll_loss(x, CLASSES, weight=WEIGHT, reduction=reduction), [values(LOGITS)])


def test_binary_cross_entropy_of_the_sure() -> None:
    """Right costs nothing, not nan; wrong costs inf, in a batch as well."""
    assert [binary_cross_entropy(p, t) for p, t in ((1.0, 1), (0.0, 0))] == [0.0, 0.0]
    assert [binary_cross_entropy(p, t) for p, t in ((0.0, 1), (1.0, 0), (1.0, 0.5))] == [math.inf] * 3
    assert binary_cross_entropy(values([1.0, 0.0, 1.0]), [1, 0, 0]).data == math.inf
    p = Value(1.0)
    assert gradient(binary_cross_entropy(p, 1), [p]) == (-1.0,)


@given(st.lists(st.tuples(st.floats(-20, 20), st.sampled_from([0, 1])), min_size=1, max_size=30))
def test_binary_cross_entropy_with_logits_is_that_of_the_sigmoid(examples: list[tuple[float, int]]) -> None:
    """Near 1 a probability is rounded to 1e-16, which counts e^20 times as much in 1 - p."""
    logits, targets = zip(*examples, strict=True)
    expected = binary_cross_entropy([1 / (1 + math.exp(-z)) for z in logits], targets)
    assert binary_cross_entropy_with_logits(logits, targets) == pytest.approx(expected, rel=1e-12, abs=math.exp(20) * 2.3e-16)


# At the extremes. The truth is that of 50 digits; where a share is 0, what it is a share of costs nothing, as 0 log 0 is 0.

mp = mpmath.MPContext()
mp.dps = 50
EXACT = 1e-14
INF = math.inf
LOGIT_LIST = [0.0, 1.0, -30.0, 40.0, -750.0, 1e10, -1e10, 1e-300, -1e-17, 1.7e308, INF, -INF]
PROBABILITY_LIST = [0.0, 1.0, 0.5, 0.3, 1e-300, 1e-17, 1.0 - 2.0**-53]
TARGETS = [0, 1, 0.5, 0.3, 1.0 - 2.0**-53, 1e-17]


def near(found: float, truth: Any, absolute: float = 0.0) -> bool:
    """Whether a float is the ``truth``, to some roundings; what is beyond the floats is infinite."""
    nearest = float(truth)
    return found == nearest or abs(found - nearest) <= EXACT * abs(nearest) + absolute


def logit_truth(z: float, t: float) -> tuple[Any, Any, Any]:
    """Binary cross-entropy of a logit, its slope and the slope of that."""
    if math.isinf(z):
        right = 1 if z > 0 else 0
        return (mp.mpf(0) if t == right else mp.inf), right - mp.mpf(t), mp.mpf(0)
    e = mp.exp(-abs(mp.mpf(z)))
    wrong = (1 - mp.mpf(t)) if z > 0 else mp.mpf(t)
    return mp.log1p(e) + wrong * abs(mp.mpf(z)), (1 if z > 0 else -1) * (wrong - e / (1 + e)), e / (1 + e) ** 2


def probability_truth(p: float, t: float) -> tuple[Any, Any, Any]:
    """Binary cross-entropy of a probability, its slope and the slope of that; a part that counts 0 times is left out."""
    q, happened, happened_not = mp.mpf(p), mp.mpf(t), 1 - mp.mpf(t)
    parts = []
    if happened:
        parts.append((-happened * mp.log(q), -happened / q, happened / q**2) if q else (mp.inf, -mp.inf, mp.inf))
    if happened_not:
        rest = 1 - q
        parts.append(
            (-happened_not * mp.log1p(-q), happened_not / rest, happened_not / rest**2) if rest else (mp.inf, mp.inf, mp.inf)
        )
    return mp.fsum([a for a, _, _ in parts]), mp.fsum([b for _, b, _ in parts]), mp.fsum([c for _, _, c in parts])


def eager_and_compiled(loss: Any, x: float, t: float) -> list[list[float]]:
    """The loss and its slopes: on Values, with a number and a Value as target; compiled, with one captured and one recorded."""
    found = []
    for target in (t, Value(float(t))):
        value = Value(x)
        result = loss(value, target)
        (slope,) = gradient(result, [value], create_graph=True)
        found.append([result.data, slope.data, *gradient(slope, [value])])
    w = Value(x)
    captured, recorded = (lambda one: loss(w + 0.0 * one, t)), (lambda one, target: loss(w + 0.0 * one, target))
    for function, args in ((captured, ([0.0],)), (recorded, ([0.0], [t]))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of infinities
            value, slopes = autograd.compile(function, parameters=[w]).value_and_grad([x], *args)
        found.append([value, *slopes])
    return found


@pytest.mark.parametrize("t", TARGETS)
@pytest.mark.parametrize("z", LOGIT_LIST)
def test_cross_entropy_of_a_logit_however_large(z: float, t: float) -> None:
    """Mistake: 0 times inf at an infinite logit; and beyond 1e10, a fraction of the target was lost in a difference."""
    value, *slopes = logit_truth(z, t)
    assert near(binary_cross_entropy_with_logits(z, t), value)
    for found in eager_and_compiled(binary_cross_entropy_with_logits, z, t):
        assert near(found[0], value)
        for slope, truth in zip(found[1:], slopes, strict=False):
            assert near(slope, truth, 3e-16)  # where they are the difference of two numbers near 1


@pytest.mark.parametrize("t", TARGETS)
@pytest.mark.parametrize("p", PROBABILITY_LIST)
def test_cross_entropy_of_a_probability_at_the_ends(p: float, t: float) -> None:
    """Mistake: with a recorded target, the slope at 0 and 1 was NaN: the infinite slope of what was not chosen, times 0.

    And the second derivative at 1e-300 was, as 1 / p² is infinite.
    """
    value, *slopes = probability_truth(p, t)
    assert near(binary_cross_entropy(p, t), value)
    for found in eager_and_compiled(binary_cross_entropy, p, t):
        assert near(found[0], value)
        for slope, truth in zip(found[1:], slopes, strict=False):
            assert near(slope, truth, 3e-16)


def test_a_class_of_probability_0_with_an_infinite_logit_counts_0_in_a_compiled_loss() -> None:
    """Mistake: with recorded probabilities the loss was NaN, from 0 times inf, where it is inf, as it is with plain ones."""
    z = [INF, 0.0, 1.0]
    assert cross_entropy(z, [0.0, 0.5, 0.5]) == INF
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of infinities
        assert autograd.compile(cross_entropy)([z], [[0.0, 0.5, 0.5]]).data == INF


CLASS_LOGITS = [
    [0.3, -1.2], [30.0, 0.0], [0.0, 50.0], [1e10, -1e10], [1e10, 1e10 - 1], [1e10, 1e10], [-INF, 0.0], [0.0, -INF],
    [-INF, 0.0, 1.0], [40.0, 1.0, 2.0], [1e10, 0.0, 1e10 + 3], [1e-300, 0.0], [-1e10, 1e10, 1e10 - 1],
]  # fmt: skip


def classes_truth(z: list[float], shares: list[Any]) -> tuple[Any, list[Any]]:
    """The sum of ``share * (logsumexp(z) - z)``, and its slopes."""
    top = max(z)
    depths = [mp.mpf(x) - mp.mpf(top) if x > -INF else -mp.inf for x in z]
    powers = [mp.exp(d) if d > -1e6 else mp.mpf(0) for d in depths]
    total = mp.log(mp.fsum(powers))
    value = mp.fsum([share * (total - d) for share, d in zip(shares, depths, strict=True) if share])
    return value, [mp.fsum(shares) * e / mp.fsum(powers) - share for e, share in zip(powers, shares, strict=True)]


@pytest.mark.parametrize("z", CLASS_LOGITS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_of_classes_however_large(z: list[float], weighted: bool, label_smoothing: float) -> None:  # noqa: FBT001 - a parameter
    """Mistake: of [-inf, 0] and the target [0, 1] it was NaN, and logits of 1e10 lost six digits of what they differ by."""
    n = len(z)
    weight = [0.0] + [2.0] * (n - 1) if weighted else None
    rest = [0.7 / (n - 1)] * (n - 1)
    for target in (*range(n), [1.0] + [0.0] * (n - 1), [0.0] * (n - 1) + [1.0], [1 / n] * n, [0.3, *rest]):
        probabilities = target if isinstance(target, list) else [float(k == target) for k in range(n)]
        smooth = mp.mpf(label_smoothing)
        shares = [
            mp.mpf(w) * ((1 - smooth) * mp.mpf(p) + smooth / n) for w, p in zip(weight or [1.0] * n, probabilities, strict=True)
        ]
        value, slopes = classes_truth(z, shares)
        settings: Any = {"weight": weight, "label_smoothing": label_smoothing, "reduction": "sum"}
        assert near(cross_entropy(z, target, **settings), value)
        for t in (target, [Value(p) for p in target] if isinstance(target, list) else Value(float(target))):
            row = values(z)
            loss = cross_entropy(row, t, **settings)
            assert near(loss.data, value)
            for found, truth in zip(gradient(loss, row), slopes, strict=True):
                assert near(found, truth, 1e-15)
        # A program is exact to a rounding of the largest number on the way, as ever; its slopes are as exact as those above.
        rounding = 4 * max(1.0, *[abs(x) for x in z if x > -INF]) * 2.0**-52
        row = values(z)

        def captured(one: Any, t: Any = target, row: Any = row, settings: Any = settings) -> Any:
            return cross_entropy([x + 0.0 * one for x in row], t, **settings)

        def recorded(one: Any, t: Any, row: Any = row, settings: Any = settings) -> Any:
            return cross_entropy([x + 0.0 * one for x in row], t, **settings)

        for function, args in ((captured, ([0.0],)), (recorded, ([0.0], [target]))):
            found, grads = autograd.compile(function, parameters=row).value_and_grad(z, *args)
            assert near(found, value, rounding)
            for slope, truth in zip(grads, slopes, strict=True):
                assert near(slope, truth, 1e-15)


def test_infinite_logits_are_as_in_torch_where_there_is_no_limit() -> None:
    """Both impossible, or infinitely likely: NaN, in the loss and so in a training, which says so."""
    assert math.isnan(cross_entropy([-INF, -INF], 0))
    assert math.isnan(cross_entropy([INF, 0.0], 0))
    assert cross_entropy([INF, 0.0], 1) == INF
    assert math.isnan(mse_loss(INF, INF))
    for loss in (binary_cross_entropy, binary_cross_entropy_with_logits):
        for t in (0, 1, 0.5):
            for found in eager_and_compiled(loss, math.nan, t):
                assert math.isnan(found[0])
                assert math.isnan(found[1])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_row_that_does_not_count_hands_no_nan_on(reduction: Any) -> None:
    """Mistake: 0 times the NaN in the graph of an ignored row went to the weights that all rows share."""
    for loss, targets, settings in (
        (cross_entropy, [-100, 1], {}),
        (nll_loss, [-100, 1], {}),
        (cross_entropy, [0, 1], {"weight": [0.0, 1.0]}),
        (nll_loss, [0, 1], {"weight": [0.0, 1.0]}),
        (cross_entropy, [[1.0, 0.0], [0.0, 1.0]], {"weight": [0.0, 1.0]}),
        (cross_entropy, [0, 1], {"weight": [0.0, 1.0], "label_smoothing": 0.0}),
    ):
        w, good = Value(2.0), Value(1.0)
        broken = amath.log(w * 0.0 - 1.0) + amath.sqrt(w * 0.0)  # NaN, with a slope that is NaN
        rows = [[broken, w], [good * w, good]]
        losses = loss(rows, targets, **settings, reduction=reduction)
        total = amath.fsum(losses) if reduction == "none" else losses
        alone = loss(rows[1:], targets[1:], **settings, reduction="sum")
        halved = reduction == "mean" and isinstance(targets[0], list)  # which count by their number, as torch's
        assert total.data == alone.data / (2 if halved else 1)
        assert gradient(total, [w, good]) == tuple(slope / (2 if halved else 1) for slope in gradient(alone, [w, good]))


def test_a_row_of_weight_0_costs_0_in_a_program() -> None:
    """Whatever finite numbers its logits were computed from: they may be infinite themselves."""
    w = Value(1.0)
    function = autograd.compile(lambda x, t: cross_entropy([x[0] * w, x[1] * w], t, weight=[0.0, 1.0], reduction="sum"))
    value, slopes = function.value_and_grad([1.0], [[-1e308, 5.0], [1.0, 3.0]], [0, 1])
    assert near(value, mp.log1p(mp.exp(-2)) / 2)
    assert near(slopes[0], -2 * mp.exp(-2) / (1 + mp.exp(-2)) / 2)


def test_the_weighted_mean_of_a_program_is_that_of_eager_code() -> None:
    """Of class indices that are arguments: many of them in one example."""
    rows = [LOGITS[k % 4] for k in range(8)]
    classes = [CLASSES[k % 4] for k in range(8)]
    w = Value(1.0)
    program = autograd.compile(lambda t: cross_entropy([[w * z for z in row] for row in rows], t, weight=WEIGHT))
    assert near(program([classes]).data, mp.mpf(cross_entropy(rows, classes, weight=WEIGHT)))


# Likelihood


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.sampled_from([0, 1, False, True, 1.0])), min_size=1, max_size=50))
def test_the_negative_log_mean_of_the_likelihood_is_the_binary_cross_entropy(examples: list[tuple[float, float]]) -> None:
    """To minimise the one is to maximise the other; 100 factors of 0.01 are 1e-100 and do not underflow."""
    probabilities, targets = zip(*examples, strict=True)
    negative_log_mean = -math.log(likelihood(probabilities, targets)) / len(examples)
    assert negative_log_mean == pytest.approx(binary_cross_entropy(probabilities, targets), rel=1e-13, abs=1e-15)


@given(st.lists(st.tuples(st.lists(st.floats(-4, 4), min_size=3, max_size=3), st.integers(0, 2)), min_size=1, max_size=30))
def test_the_negative_log_mean_of_the_likelihood_of_classes_is_the_cross_entropy(
    examples: list[tuple[list[float], int]],
) -> None:
    rows, targets = zip(*examples, strict=True)
    negative_log_mean = -math.log(likelihood([amath.softmax(row) for row in rows], targets)) / len(examples)
    assert negative_log_mean == pytest.approx(cross_entropy(rows, targets), rel=1e-12, abs=1e-14)
    assert negative_log_mean == pytest.approx(nll_loss([amath.log_softmax(row) for row in rows], targets), rel=1e-12, abs=1e-14)


def test_likelihood_by_hand() -> None:
    """Higher is better, 1 is perfect, and one sure mistake makes it 0."""
    assert likelihood([0.5, 0.25, 0.5], [1, 0, 1]) == 0.1875
    assert likelihood(values([0.5, 0.25]), [1, 0]).data == 0.375
    assert likelihood([[0.5, 0.5], [0.25, 0.75]], np.array([0, 1])) == 0.375
    assert likelihood([0.9, 0.1], [1, 0]) > likelihood([0.8, 0.1], [1, 0]) > likelihood([0.8, 0.2], [1, 0])
    assert likelihood([1.0, 0.0], [1, 0]) == 1.0
    assert likelihood([1.0, 0.5], [0, 1]) == 0.0
    p = Value(0.25)
    likelihood([p, 0.5], [0, 1]).backward()
    assert p.grad == -0.5


def test_the_likelihood_of_recorded_targets() -> None:
    """A program for all examples chooses between p and 1 - p: 1/4 and 3/4, and of classes the probability of each."""
    p = Value(0.25)
    single = autograd.compile(lambda t: likelihood([p], [t]), reduction=None)
    assert single([1.0, 0.0]).tolist() == [0.25, 0.75]
    classes = autograd.compile(lambda t: likelihood([[p, 1 - p]], [t]), reduction=None)
    assert classes([0, 1]).tolist() == [0.25, 0.75]


# Mistakes


@pytest.mark.parametrize("loss", [*ELEMENTWISE, likelihood])
def test_shapes_that_differ_are_refused(loss: Any) -> None:
    """Nothing is cut short or repeated."""
    message = f"{loss.__name__}() expects two lists of the same length, not "
    with pytest.raises(ValueError, match=re.escape(f"{message}a list of 1 and a list of 2")):
        loss([0.5], [1, 1])
    with pytest.raises(ValueError, match=re.escape(f"{message}a list of 2 and the single int 1")):
        loss([0.5, 0.5], 1)
    if loss is not likelihood:
        with pytest.raises(ValueError, match=re.escape(f"{message}the single float 0.5 and a list of 1")):
            loss(0.5, [1])
        with pytest.raises(ValueError, match=re.escape(f"{message}a list of 2 and a list of 1")):
            loss([[0.5], [0.5, 0.5]], [[1], [1]])


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
@pytest.mark.parametrize(
    ("scores", "target", "settings", "error", "message"),
    [
        (LOGITS, [0, 1], {}, ValueError, "expects two lists of the same length, not a list of 4 and a list of 2"),
        (LOGITS, 0, {}, ValueError, "expects two lists of the same length, not a list of 4 and the single int 0"),
        (
            LOGITS[0],
            [1.0, 0.0],
            {},
            ValueError,
            ", for probabilities as target, expects two lists of the same length, not a list of 3",
        ),
        (
            LOGITS,
            CLASSES,
            {"weight": [1.0]},
            ValueError,
            ", for weight, expects two lists of the same length, not a list of 3 and",
        ),
        (LOGITS, [0, 1, 2, 3], {}, IndexError, ": 3 is not one of the classes 0 to 2"),
        (LOGITS[0], -1, {}, IndexError, ": -1 is not one of the classes 0 to 2"),
        (LOGITS[0], 0.5, {}, TypeError, ": the index of a class must be a whole number, not float 0.5"),
        (LOGITS[0], -100, {"ignore_index": 0}, IndexError, ": -100 is not one of the classes 0 to 2"),
        (1.0, 0, {}, TypeError, "expects a list with one number for each class, or a list of such lists, not 1.0"),
        ([], [], {}, TypeError, "expects a list with one number for each class, or a list of such lists, not []"),
    ],
)
def test_mistakes_with_classes_are_named(  # noqa: PLR0913 - a table of calls
    *, loss: Any, scores: Any, target: Any, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A negative index is no way to count from the end."""
    with pytest.raises(error, match=rf"^{loss.__name__}\(\) ?{re.escape(message)}"):
        loss(scores, target, **settings)


@pytest.mark.parametrize("target", [-1, 2])
def test_likelihood_refuses_classes_that_do_not_exist(target: int) -> None:
    """-1 once meant the last class, and as one of two outcomes, 1."""
    with pytest.raises(IndexError, match=re.escape(f"likelihood(): {target} is not one of the classes 0 to 1")):
        likelihood([[0.5, 0.5]], [target])
    with pytest.raises(ValueError, match=re.escape(f"single probabilities expects targets of 0 or 1, not {target}")):
        likelihood([0.5], [target])


def test_likelihood_takes_lists() -> None:
    with pytest.raises(
        ValueError, match=re.escape("likelihood() expects two lists of the same length, not the single int 1 and")
    ):
        likelihood(1, 1)


def test_nll_loss_takes_no_probabilities_as_target() -> None:
    with pytest.raises(TypeError, match=re.escape("for probabilities use cross_entropy()")):
        nll_loss([-1.0, -2.0], [0.5, 0.5])


@pytest.mark.parametrize("loss", [*ELEMENTWISE, cross_entropy, nll_loss])
def test_an_unknown_reduction_is_refused(loss: Any) -> None:
    message = 'reduction must be "mean", "sum" or "none", not \'average\''
    with pytest.raises(ValueError, match=re.escape(message)):
        loss([0.5, 0.5], 1 if loss in (cross_entropy, nll_loss) else [1, 1], reduction="average")


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.1, math.nan])
def test_label_smoothing_is_a_part(label_smoothing: float) -> None:
    with pytest.raises(ValueError, match=re.escape(f"label_smoothing must be between 0 and 1, not {label_smoothing}")):
        cross_entropy([0.0, 0.0], 1, label_smoothing=label_smoothing)


@pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        (hinge_loss, 5.0, 0),
        (binary_cross_entropy, 0.5, -1),
        (binary_cross_entropy, 1.5, 1),
        (binary_cross_entropy_with_logits, 1.5, 7),
    ],
)
def test_labels_and_probabilities_out_of_range_are_refused(loss: Any, prediction: float, target: float) -> None:
    """0/1 labels for a hinge loss, or logits for probabilities, would train something else without a word."""
    with pytest.raises(ValueError, match="-1 or 1, not 0|must be between 0 and 1, not"):
        loss(prediction, target)


NESTED: list[Any] = []
NESTED.append(NESTED)


class Broken:
    """Not an array, though it says so, and nothing that can be shown."""

    def __array__(self) -> Any:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("loss", [*ELEMENTWISE, cross_entropy, nll_loss, likelihood])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "must be a number, a Value, or lists or arrays of these, not NoneType None"),
        ("abc", "must be a number, a Value, or lists or arrays of these, not str 'abc'"),
        ({"a": 1.0}, "must be a number, a Value, or lists or arrays of these, not dict {'a': 1.0}"),
        ([None], "must be a number, a Value, or lists or arrays of these, not NoneType None"),
        (1j, "must be a number, a Value, or lists or arrays of these, not complex 1j"),
        (10**400, "is a whole number that is too large: the largest float is 1.8e308"),
        (NESTED, "is nested in more than 32 lists, or in itself"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), "has masked items, and the mask would be lost"),
        (np.array(["a"]), "must be a number, a Value, or lists or arrays of these, not ndarray array(['a']"),
        (Broken(), "cannot be read as an array: Broken "),
    ],
)
def test_what_is_no_number_is_refused(loss: Any, wrong: Any, message: str) -> None:
    """Mistake: the keys of a dict were predictions, and None ended in an error of an operator."""
    right, target = ([1.0, 2.0], 1) if loss in (cross_entropy, nll_loss) else ([0.5], [1])
    for args in ((wrong, target), (right, wrong)):
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            loss(*args)


def test_numbers_of_other_kinds_are_numbers() -> None:
    """Of NumPy, of fractions, in any sequence."""
    assert mse_loss(np.float32(3.0), np.int8(1)) == 4.0
    assert mse_loss(range(3), deque([0, 1, 4])) == 4 / 3
    assert mse_loss(np.array(3.0), True) == 4.0
    assert mse_loss(np.array([Value(3.0)]), [1]).data == 4.0
    assert likelihood(np.array([[0.25, 0.75]]), np.array([1.0])) == 0.75


def test_rows_of_classes_are_rows_of_numbers() -> None:
    for function in (cross_entropy, nll_loss):
        with pytest.raises(TypeError, match="expects one number for each class, and at least one class, not "):
            function([[[1.0], [2.0]]], [0])
        with pytest.raises(TypeError, match="expects one number for each class, and at least one class, not "):
            function([1.0, 2.0], 0, weight=[[1.0], [2.0]])
        with pytest.raises(TypeError, match="ignore_index must be a whole number, not None"):
            function([1.0, 2.0], 0, ignore_index=None)


def test_the_likelihood_of_many_examples_has_a_graph_of_one_product() -> None:
    """600 factors; the slope by one is the product of the others."""
    p = [Value(0.999) for _ in range(600)]
    result = likelihood(p, [1] * 600)
    assert near(result.data, mp.mpf(0.999) ** 600, 1e-12)
    assert near(gradient(result, [p[300]])[0], mp.mpf(0.999) ** 599, 1e-12)


@pytest.mark.parametrize("given", [lambda x: x, values, np.array], ids=["numbers", "Values", "arrays"])
@pytest.mark.parametrize(
    ("loss", "prediction", "right", "wrong"),
    [
        (mse_loss, [0.5, 2.0], [[1.0, -7.0]], [[1.0], 1.0]),
        (hinge_loss, [0.5, 2.0], [[1, -1]], [[1, 0], [1, math.nan], [1]]),
        (binary_cross_entropy, [0.5, 0.2], [[1, 0.5], [0, 1]], [[1, 1.5], [-1, 0], [1]]),
        (binary_cross_entropy_with_logits, [0.5, 2.0], [[1, 0.5], [0, 1]], [[1, 1.5], [-1, 0], 1]),
        (cross_entropy, [0.5, 2.0, 1.0], [0, 2.0, [0.2, 0.3, 0.5]], [3, -1, 0.5, math.inf, [0.5, 0.5]]),
        (nll_loss, [-0.5, -2.0, -1.0], [0, 2.0], [3, -1, 0.5, math.nan, [0.2, 0.3, 0.5]]),
    ],
)
def test_a_loss_says_of_a_target_what_its_check_says(loss: Any, prediction: Any, right: Any, wrong: Any, given: Any) -> None:
    """Mistake: of the index 3 in a Value, select() said something else than the loss says of the number 3."""
    for target in right:
        loss.check_target(given(prediction), given(target))
        loss(given(prediction), given(target))
    for target in wrong:
        said = []
        for check in (loss, loss.check_target):
            with pytest.raises((ValueError, TypeError, IndexError), match=re.escape(f"{loss.__name__}()")) as error:
                check(given(prediction), given(target))
            said.append((error.type, str(error.value)))
        assert said[0] == said[1]
        with pytest.raises(error.type):
            loss(prediction, target)


@pytest.mark.parametrize(("loss", "prediction"), [(mse_loss, 1e300), (binary_cross_entropy, 0.0)])
def test_a_check_computes_nothing(loss: Any, prediction: float) -> None:
    """Under detect_anomaly the loss itself raises, as it is infinite."""
    with autograd.detect_anomaly():
        loss.check_target(Value(prediction), 1)
        with pytest.raises(autograd.AnomalyError):
            loss(Value(prediction), 1)
