"""How wrong a model is, as graph expressions: for one example, or for a list of examples.

``reduction`` says what becomes of the losses of a batch: their "mean", their "sum", or "none" for the list itself. Everything
works on Values and on plain numbers alike, and in functions that ``autograd.compile`` records. There a target stands for those
of all examples: whether it is 0 or 1, or in between, is not checked (``nn.fit`` does that before it trains); the index of a
class still is, at every call.

What counts 0 times costs 0, even if it is infinite: 0 times log 0 is 0, as in an entropy. What costs inf and counts makes the
loss inf; it is not clamped as in PyTorch's ``binary_cross_entropy``. A prediction of NaN makes the loss and its slopes NaN.
So does ``inf - inf``, as in PyTorch: in the cross-entropy of a class whose logit is inf, and in the squared error of two inf.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Sequence
from sys import float_info
from typing import Any, Literal

from autograd import Value, arrays, is_compiling, math
from nn.errors import shown

Reduction = Literal["mean", "sum", "none"]

_LARGEST = float_info.max
_NEARLY_0, _NEARLY_1 = 1e-150, 1.0 - 2.0**-53
"""Probabilities whose logarithms, times 0, are 0, and so are the first and the second derivatives."""
_DEPTH = 32
"""How deep lists may be nested: NumPy's arrays had so many dimensions."""


def mse_loss(prediction: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """The squared error: over all outputs of all examples, the mean (or the sum).

    ``prediction`` and ``target`` are numbers, lists of them, or lists of such lists, of the same shape; ValueError if not.

    >>> mse_loss([1.0, 5.0], [1.0, 3.0])     # (0² + 2²) / 2
    2.0
    """
    return _elementwise(prediction, target, "mse_loss()", lambda p, t: math.pow(p - t, 2), reduction)


def hinge_loss(score: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """How far ``score`` falls short of 1 on the side of ``target``, which is -1 or 1: ``relu(1 - target * score)``.

    >>> hinge_loss([2.0, 0.5, -1.0], [1, 1, 1])     # (0 + 0.5 + 2) / 3
    0.8333333333333334
    """

    def loss(s: Any, t: Any) -> Any:
        if not _recorded(t) and _number(t) not in (-1, 1):
            msg = f"hinge_loss() expects targets of -1 or 1, not {shown(_number(t))}"
            raise ValueError(msg)
        return math.relu(1 - t * s)

    return _elementwise(score, target, "hinge_loss()", loss, reduction)


def binary_cross_entropy(probability: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """``-log`` of the probability given to what happened: ``p`` where ``target`` is 1, ``1 - p`` where it is 0.

    A ``target`` in between weighs the two. It is the negative logarithm of :func:`likelihood`, divided by the number of
    examples; a probability of 0 for what did happen costs inf.

    >>> binary_cross_entropy(0.5, 1) == math.log(2.0)
    True
    """

    def loss(p: Any, t: Any) -> Any:
        _check_between_0_and_1(t, "binary_cross_entropy(): a target")
        _check_between_0_and_1(p, "binary_cross_entropy(), without _with_logits: a probability")
        if isinstance(t, Value):
            # As below, whichever of the three it is: 0 times the logarithm of 0 is to be 0. The choice is between bounds, not
            # between logarithms: the infinite slope of one that was not chosen would be NaN, times 0.
            happened = math.log(math.maximum(p, math.where(t > 0, -math.inf, _NEARLY_0)))
            happened_not = math.log1p(-math.minimum(p, math.where(t < 1, math.inf, _NEARLY_1)))
            return -(t * happened + (1 - t) * happened_not)
        if t == 1:
            return -math.log(p)
        if t == 0:
            return -math.log1p(-p)
        return -(t * math.log(p) + (1 - t) * math.log1p(-p))

    return _elementwise(probability, target, "binary_cross_entropy()", loss, reduction)


def binary_cross_entropy_with_logits(logit: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """``binary_cross_entropy(sigmoid(logit), target)``, without overflow and cancellation.

    At a logit of inf, the target 1 costs 0 and any other inf; at -inf, the target 0 does.

    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1, 1])
    5000.0
    """

    def loss(z: Any, t: Any) -> Any:
        _check_between_0_and_1(t, "binary_cross_entropy_with_logits(): a target")
        if not isinstance(t, Value) and t in (0, 1):
            return math.softplus(-z) if t else math.softplus(z)
        # softplus(z) is softplus(-z) + z. Of the two, the one that does not grow with the logit leaves nothing to cancel.
        positive = z > 0
        wrong = (positive - t) * z
        return math.log1p(math.exp((1 - 2 * positive) * z)) + math.where(wrong <= math.inf, wrong, 0.0)  # 0 times inf is 0

    return _elementwise(logit, target, "binary_cross_entropy_with_logits()", loss, reduction)


def likelihood(probabilities: Any, targets: Any) -> Any:
    """The product of the probabilities that a model gave to what really happened: higher is better, 1 is perfect.

    ``probabilities`` are those of 1 where ``targets`` are 0 or 1, or rows of probabilities where ``targets`` are classes. The
    negative logarithm of the likelihood, divided by the number of examples, is the binary cross-entropy (for classes, the
    cross-entropy): to minimise the one is to maximise the other. The product of many examples underflows, the sum of their
    logarithms does not: train with the cross-entropy, explain with the likelihood.

    >>> likelihood([0.9, 0.2], [1, 0])       # 0.9 · (1 - 0.2)
    0.7200000000000001
    """
    probabilities, targets = _listed(probabilities, "likelihood(): probabilities"), _listed(targets, "likelihood(): targets")
    _check_lengths(probabilities, targets, "likelihood()")
    factors = []
    for p, target in zip(probabilities, targets, strict=True):
        t = target if _recorded(target) else _number(target)
        if isinstance(p, list):
            _check_row(p, "likelihood()")
            _check_class(target, len(p), "likelihood()")
            factors.append(_item(p, t))
            continue
        if not _recorded(t) and t not in (0, 1):
            msg = f"likelihood() of single probabilities expects targets of 0 or 1, not {shown(t)}"
            raise ValueError(msg)
        factors.append(math.where(t, p, 1 - p) if isinstance(t, Value) else p if t else 1 - p)
    return math.prod(factors)


def cross_entropy(  # noqa: PLR0913 - PyTorch's signature
    logits: Any,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Any:
    """``-log(softmax(logits)[target])``, without overflow and cancellation.

    ``logits`` is a list of one number a class, or a list of such lists. ``target`` is, for each, the index of a class, or a
    list of probabilities, one a class. ``weight`` has a factor for each class; examples whose target is ``ignore_index`` do
    not count, nor do those whose weight is 0: whatever their logits are, and were computed from, the loss is 0, and so are the
    slopes. ``label_smoothing`` is the part of the target that is spread evenly over all classes. With class indices, the
    mean is weighted by ``weight``, as PyTorch's. A logit of -inf is a class that cannot be: it costs inf, or 0 where its
    probability as a target is 0. IndexError for an index that is no class; ValueError for wrong lengths.

    In a compiled function the index may be an argument, and there is no ``ignore_index`` then. What an example of weight 0 was
    computed from must be finite there: all examples go through the same program.

    >>> cross_entropy([0.0, 0.0], 1) == math.log(2.0)
    True
    >>> cross_entropy([1e4, -1e4], 1)
    20000.0
    """
    if not isinstance(label_smoothing, numbers.Real) or not 0.0 <= label_smoothing <= 1.0:
        msg = f"label_smoothing must be between 0 and 1, not {shown(label_smoothing)}"
        raise ValueError(msg)

    def loss(z: list[Any], t: Any, weights: list[Any]) -> Any:
        if isinstance(t, list):
            even = label_smoothing / len(z)
            shares = [_weighted(w, p * (1.0 - label_smoothing) + even if even else p) for w, p in zip(weights, t, strict=True)]
        else:
            shares = [w * (label_smoothing / len(z)) for w in weights]
        counted = [k for k, share in enumerate(shares) if not _is_0(share)]
        hits = 0.0 if isinstance(t, list) or _is_0(_item(weights, t)) else 1.0 - label_smoothing
        if not (counted or hits):
            return None
        # Large logits have no digits left for a small difference of two, so they are taken from the largest first. A program
        # for class indices does without: its slopes are exact anyway, and the steps would take a tenth longer.
        if counted or not is_compiling():
            top = _constant(math.minimum(functools.reduce(math.maximum, z), _LARGEST))
            z = [x - top for x in z]
        total = math.logsumexp(z)
        hit = _weighted(hits, _counted(weights, t, total - _item(z, t))) if hits else 0.0
        if not counted:
            return hit
        parts = [shares[k] for k in counted]
        even = _weighted(math.fsum(parts), total) - math.sumprod(parts, [_bounded(shares[k], z[k]) for k in counted])
        return hit + even if hits else even

    return _over_classes(
        logits, target, weight=weight, ignore_index=ignore_index, reduction=reduction, function="cross_entropy()", loss=loss
    )


def nll_loss(
    log_probabilities: Any,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Any:
    """``-log_probabilities[target]``: what ``cross_entropy`` is of logits, for what ``math.log_softmax`` gives.

    >>> nll_loss([-0.5, -1.5], 1)
    1.5
    """

    def loss(z: list[Any], t: Any, weights: list[Any]) -> Any:
        if isinstance(t, list):
            msg = "nll_loss() takes the index of a class as target; for probabilities there is cross_entropy()"
            raise TypeError(msg)
        return None if _is_0(_item(weights, t)) else _counted(weights, t, -_item(z, t))

    return _over_classes(
        log_probabilities,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        function="nll_loss()",
        loss=loss,
    )


def _over_classes(  # noqa: PLR0913 - what the two losses above are called with
    scores: Any, target: Any, *, weight: Any, ignore_index: int, reduction: Reduction, function: str, loss: Any
) -> Any:
    """The ``loss`` of one example or of many, whose targets are classes or probabilities of classes; None is one of 0."""
    _check_reduction(reduction)
    if not isinstance(ignore_index, numbers.Integral):
        msg = f"{function}: ignore_index must be a whole number, not {shown(ignore_index)}"
        raise TypeError(msg)
    scores, target = _listed(scores, f"{function}: the scores of classes"), _listed(target, f"{function}: target")
    if not isinstance(scores, list) or not scores:
        msg = f"{function} expects a list with one number a class, or a list of such lists, not {shown(scores)}"
        raise TypeError(msg)
    batched = isinstance(scores[0], list)
    rows, targets = (scores, target) if batched else ([scores], [target])
    _check_lengths(rows, targets, function)
    weights = [1.0] * len(rows[0]) if weight is None else _listed(weight, f"{function}: weight")
    if weight is not None:
        _check_lengths(rows[0], weights, f"{function}, for weight,")
        _check_row(weights, function)
    losses, counts = [], []
    for row, label in zip(rows, targets, strict=True):
        _check_lengths(row, rows[0], f"{function}, for the classes,")
        _check_row(row, function)
        t = label if isinstance(label, list) or _recorded(label) else _number(label)
        if isinstance(t, list):
            _check_lengths(row, t, f"{function}, for probabilities as target,")
            _check_row(t, function)
        elif not isinstance(label, Value) and t == ignore_index:
            losses.append(_nothing(row))
            continue
        else:
            _check_class(label, len(row), function)
        found = loss(row, t, weights)
        losses.append(_nothing(row) if found is None else found)
        counts.append(1.0 if isinstance(t, list) or weight is None else _item(weights, t))
    if reduction == "none":
        return losses if batched else losses[0]
    return _reduced(losses, reduction, math.fsum(counts))


def _nothing(row: list[Any]) -> Any:
    """A loss of 0 that does not know ``row``, or what is NaN in there would be handed on, times 0; a Value where others are."""
    return Value(0.0) if any(isinstance(x, Value) for x in row) and not is_compiling() else 0.0


def _item(items: list[Any], index: Any) -> Any:
    """``items[index]``, where ``index`` may be a Value: that of a class, in a function that is being compiled."""
    return math.select(items, index) if isinstance(index, Value) else items[int(index)]


def _is_0(x: Any) -> bool:
    """Whether ``x`` is the number 0, for good."""
    return not isinstance(x, Value) and x == 0.0


def _weighted(weight: Any, loss: Any) -> Any:
    return loss if not isinstance(weight, Value) and weight == 1.0 else weight * loss  # to multiply by 1 is a node for nothing


def _counted(weights: list[Any], t: Any, cost: Any) -> Any:
    """``cost`` times the weight of the class ``t``; 0 where that is 0, whatever the cost."""
    weighted = _weighted(_item(weights, t), cost)
    if isinstance(t, Value) and any(map(_is_0, weights)):
        return math.where(math.select([0.0 if _is_0(w) else 1.0 for w in weights], t), weighted, 0.0)
    return weighted


def _bounded(share: Any, x: Any) -> Any:
    """``x``, if ``share`` is above 0; or else a finite number near it, that times a share of 0 is 0."""
    return math.where(share > 0, x, math.clip(x, -_LARGEST, _LARGEST)) if isinstance(share, Value) else x


def _constant(x: Any) -> Any:
    return x.detach() if isinstance(x, Value) else x


def _number(x: Any) -> Any:
    """``x``, or the number of a Value, which is an int where it can be, as the index of a class."""
    x = x.data if isinstance(x, Value) else x
    return int(x) if isinstance(x, float) and x.is_integer() else x


def _reduced(losses: list[Any], reduction: str, count: Any = None) -> Any:
    """The sum of ``losses``, or their mean, ``count`` being what they count as."""
    total = losses[0] if len(losses) == 1 else math.fsum(losses)
    if reduction == "sum":
        return total
    count = len(losses) if count is None else count
    if isinstance(count, Value):
        return total / count
    return total if count == 1 else total / count if count else total * math.nan


def _elementwise(prediction: Any, target: Any, function: str, loss: Any, reduction: Reduction) -> Any:
    """The ``loss`` of the items of two nested lists of one shape, reduced, or in lists of that shape."""
    _check_reduction(reduction)
    predictions, targets = _listed(prediction, f"{function}: a prediction"), _listed(target, f"{function}: a target")
    losses = _zipped(predictions, targets, function, loss)
    return losses if reduction == "none" else _reduced(_flat(losses), reduction)


def _zipped(a: Any, b: Any, function: str, f: Any) -> Any:
    """``f`` of the items of two nested lists of one shape, in lists of that shape."""
    if not isinstance(a, list) and not isinstance(b, list):
        return f(a, b)
    _check_lengths(a, b, function)
    return [_zipped(x, y, function, f) for x, y in zip(a, b, strict=True)]


def _flat(nested: Any) -> list[Any]:
    return [x for item in nested for x in _flat(item)] if isinstance(nested, list) else [nested]


def _recorded(x: Any) -> bool:
    """Whether ``x`` stands for a number of every example: there is no asking which."""
    return is_compiling() and isinstance(x, Value)


# What the losses are given


def _listed(x: Any, what: str, depth: int = 0) -> Any:
    """``x`` as a number, a Value, or nested lists of these; TypeError or ValueError if it is none, by its name, ``what``."""
    if type(x) is float or isinstance(x, Value):
        return x
    if isinstance(x, numbers.Real):
        return _plain(x, what)
    if depth > _DEPTH:
        msg = f"{what} is nested in more than {_DEPTH} lists, or in itself: give a number, or lists of the shape of the other"
        raise ValueError(msg)
    if isinstance(x, Sequence) and not isinstance(x, str | bytes | bytearray):
        return [_listed(item, what, depth + 1) for item in x]
    if hasattr(x, "__array__"):
        array = arrays.as_array(x, what)
        if array.dtype.kind in "fiubO":
            return _listed(array.tolist(), what, depth + 1)
    msg = f"{what} must be a number, a Value, or lists or arrays of these, not {type(x).__name__} {shown(x)}"
    raise TypeError(msg)


def _plain(x: Any, what: str) -> Any:
    """``x`` as an int or a float; ValueError if it is too large for a float."""
    try:
        return int(x) if isinstance(x, numbers.Integral) and math.isfinite(x) else float(x)
    except OverflowError:
        msg = f"{what} is a whole number that is too large: the largest float is 1.8e308"
        raise ValueError(msg) from None


def _check_reduction(reduction: Any) -> None:
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        msg = f'reduction must be "mean", "sum" or "none", not {shown(reduction)}'
        raise ValueError(msg)


def _check_row(row: list[Any], function: str) -> None:
    if not row or any(isinstance(x, list) for x in row):
        msg = f"{function} expects one number a class, of at least one class, not {shown(row)}"
        raise TypeError(msg)


def _check_between_0_and_1(x: Any, what: str) -> None:
    if not _recorded(x) and (x < 0 or x > 1):
        msg = f"{what} must be between 0 and 1, not {_number(x)!r}"
        raise ValueError(msg)


def _check_class(t: Any, count: int, function: str) -> None:
    """Raise IndexError unless ``t`` is the index of one of ``count`` classes."""
    if isinstance(t, Value):
        if not _recorded(t):  # select() checks that one at every call, and says of this one the same
            math.select([0.0] * count, t)
        return
    if not isinstance(t, numbers.Integral) and not (isinstance(t, float) and t.is_integer()):
        msg = f"{function}: the index of a class is a whole number, not {type(t).__name__} {shown(t)}"
        raise TypeError(msg)
    if t not in range(count):
        msg = f"{function}: {shown(t)} is not one of the classes 0 to {count - 1}"
        raise IndexError(msg)


def _check_lengths(a: Any, b: Any, function: str) -> None:
    """Raise ValueError unless ``a`` and ``b`` are lists of one length."""
    shapes = [f"a list of {len(x)}" if isinstance(x, list) else f"the single {type(x).__name__} {shown(x)}" for x in (a, b)]
    if shapes[0] != shapes[1] or not isinstance(a, list):
        msg = f"{function} expects two lists of one length, not {shapes[0]} and {shapes[1]}"
        raise ValueError(msg)
