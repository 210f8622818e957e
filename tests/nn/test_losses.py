from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


# Mistakes


@pytest.mark.parametrize("loss", [*ELEMENTWISE, likelihood])
def test_shapes_that_differ_are_refused(loss: Any) -> None:
    """Nothing is cut short or repeated."""
    message = f"{loss.__name__}() expects two lists of one length, not "
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
        (LOGITS, [0, 1], {}, ValueError, "expects two lists of one length, not a list of 4 and a list of 2"),
        (LOGITS, 0, {}, ValueError, "expects two lists of one length, not a list of 4 and the single int 0"),
        (
            LOGITS[0],
            [1.0, 0.0],
            {},
            ValueError,
            ", for probabilities as target, expects two lists of one length, not a list of 3",
        ),
        (LOGITS, CLASSES, {"weight": [1.0]}, ValueError, ", for weight, expects two lists of one length, not a list of 3 and"),
        (LOGITS, [0, 1, 2, 3], {}, IndexError, ": 3 is not one of the classes 0 to 2"),
        (LOGITS[0], -1, {}, IndexError, ": -1 is not one of the classes 0 to 2"),
        (LOGITS[0], 0.5, {}, TypeError, ": the index of a class is a whole number, not float 0.5"),
        (LOGITS[0], -100, {"ignore_index": 0}, IndexError, ": -100 is not one of the classes 0 to 2"),
        (1.0, 0, {}, TypeError, "expects a list with one number a class, or a list of such lists, not 1.0"),
        ([], [], {}, TypeError, "expects a list with one number a class, or a list of such lists, not []"),
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
    with pytest.raises(ValueError, match=re.escape("likelihood() expects two lists of one length, not the single int 1 and")):
        likelihood(1, 1)


def test_nll_loss_takes_no_probabilities_as_target() -> None:
    with pytest.raises(TypeError, match=re.escape("for probabilities there is cross_entropy()")):
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
