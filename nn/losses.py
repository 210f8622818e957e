"""How wrong a model is, as graph expressions: for one example, or for a list of examples.

``reduction`` says what becomes of the losses of a batch: their "mean", their "sum", or "none" for the list itself. Everything
works on Values and on plain numbers alike, and in functions that ``autograd.compile`` records. There a target stands for those
of all examples: whether it is 0 or 1, or in between, is not checked; the index of a class still is, at every call.
"""

from __future__ import annotations

import numbers
from typing import Any, Literal

from autograd import Value, arrays, is_compiling, math

Reduction = Literal["mean", "sum", "none"]

_NEARLY_0, _NEARLY_1 = 1e-300, 1.0 - 2.0**-53
"""Probabilities whose logarithms, times 0, are 0."""


def mse_loss(prediction: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """The squared error: over all outputs of all examples, the mean (or the sum).

    ``prediction`` and ``target`` are numbers, lists of them, or lists of such lists, of the same shape; ValueError if not.

    >>> mse_loss([1.0, 5.0], [1.0, 3.0])     # (0² + 2²) / 2
    2.0
    """
    errors = _zipped(prediction, target, "mse_loss()", lambda p, t: math.pow(p - t, 2))
    if reduction == "none":
        return errors
    return _reduced(_flat(errors), reduction)


def hinge_loss(score: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """How far ``score`` falls short of 1 on the side of ``target``, which is -1 or 1: ``relu(1 - target * score)``.

    >>> hinge_loss([2.0, 0.5, -1.0], [1, 1, 1])     # (0 + 0.5 + 2) / 3
    0.8333333333333334
    """

    def loss(s: Any, t: Any) -> Any:
        if not _recorded(t) and (t.data if isinstance(t, Value) else t) not in (-1, 1):
            msg = f"hinge_loss() expects targets of -1 or 1, not {t!r}"
            raise ValueError(msg)
        return math.relu(1 - t * s)

    losses = _zipped(score, target, "hinge_loss()", loss)
    return losses if reduction == "none" else _reduced(_flat(losses), reduction)


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
        if isinstance(t, Value):  # as below, whichever of the three it is: 0 times the logarithm of 0 is to be 0
            happened = math.log(math.where(t > 0, p, math.maximum(p, _NEARLY_0)))
            happened_not = math.log1p(-math.where(t < 1, p, math.minimum(p, _NEARLY_1)))
            return -(t * happened + (1 - t) * happened_not)
        if t == 1:
            return -math.log(p)
        if t == 0:
            return -math.log1p(-p)
        return -(t * math.log(p) + (1 - t) * math.log1p(-p))

    losses = _zipped(probability, target, "binary_cross_entropy()", loss)
    return losses if reduction == "none" else _reduced(_flat(losses), reduction)


def binary_cross_entropy_with_logits(logit: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """``binary_cross_entropy(sigmoid(logit), target)``, without overflow.

    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1, 1])
    5000.0
    """

    def loss(z: Any, t: Any) -> Any:
        _check_between_0_and_1(t, "binary_cross_entropy_with_logits(): a target")
        if isinstance(t, Value):
            return t * math.softplus(-z) + (1 - t) * math.softplus(z)
        if t == 1:
            return math.softplus(-z)
        return math.softplus(z) if t == 0 else math.softplus(z) - t * z

    losses = _zipped(logit, target, "binary_cross_entropy_with_logits()", loss)
    return losses if reduction == "none" else _reduced(_flat(losses), reduction)


def likelihood(probabilities: Any, targets: Any) -> Any:
    """The product of the probabilities that a model gave to what really happened: higher is better, 1 is perfect.

    ``probabilities`` are those of 1 where ``targets`` are 0 or 1, or rows of probabilities where ``targets`` are classes. The
    negative logarithm of the likelihood, divided by the number of examples, is the binary cross-entropy (for classes, the
    cross-entropy): to minimise the one is to maximise the other. The product of many examples underflows, the sum of their
    logarithms does not: train with the cross-entropy, explain with the likelihood.

    >>> likelihood([0.9, 0.2], [1, 0])       # 0.9 · (1 - 0.2)
    0.7200000000000001
    """
    _check_lengths(probabilities, targets, "likelihood()")
    factors = []
    for p, t in zip(probabilities, targets, strict=True):
        if _is_list(p):
            _check_class(t, len(p), "likelihood()")
        elif not _recorded(t) and t * (1 - t):
            msg = f"likelihood() of single probabilities expects targets of 0 or 1, not {t!r}"
            raise ValueError(msg)
        if isinstance(t, Value):
            factors.append(math.select(p, t) if _is_list(p) else math.where(t, p, 1 - p))
        else:
            factors.append(p[int(t)] if _is_list(p) else p if t else 1 - p)
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
    """``-log(softmax(logits)[target])``, without overflow.

    ``logits`` is a list of one number a class, or a list of such lists. ``target`` is, for each, the index of a class, or a
    list of probabilities, one a class. ``weight`` has a factor for each class; examples whose target is ``ignore_index`` do
    not count; ``label_smoothing`` is the part of the target that is spread evenly over all classes. With class indices, the
    mean is weighted by ``weight``, as PyTorch's. IndexError for an index that is no class; ValueError for wrong lengths.
    In a compiled function the index may be an argument, and there is no ``ignore_index`` then.

    >>> cross_entropy([0.0, 0.0], 1) == math.log(2.0)
    True
    >>> cross_entropy([1e4, -1e4], 1)
    20000.0
    """
    if not 0.0 <= label_smoothing <= 1.0:
        msg = f"label_smoothing must be between 0 and 1, not {label_smoothing!r}"
        raise ValueError(msg)

    def loss(z: Any, t: Any, weights: list[float]) -> Any:
        total = math.logsumexp(z)
        if not _is_list(t):
            hit = _weighted(_item(weights, t), total - _item(z, t))
            if not label_smoothing:
                return hit
            spread = (math.fsum(weights) * total - math.sumprod(weights, z)) / len(z)
            return (1.0 - label_smoothing) * hit + label_smoothing * spread
        shares = [w * (p * (1.0 - label_smoothing) + label_smoothing / len(z)) for w, p in zip(weights, t, strict=True)]
        return math.fsum(shares) * total - math.sumprod(shares, z)

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

    def loss(z: Any, t: Any, weights: list[float]) -> Any:
        if _is_list(t):
            msg = "nll_loss() takes the index of a class as target; for probabilities there is cross_entropy()"
            raise TypeError(msg)
        return _weighted(_item(weights, t), -_item(z, t))

    return _over_classes(
        log_probabilities,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        function="nll_loss()",
        loss=loss,
    )


def _over_classes(  # noqa: PLR0913 - what the two losses below are called with
    scores: Any, target: Any, *, weight: Any, ignore_index: int, reduction: Reduction, function: str, loss: Any
) -> Any:
    """The ``loss`` of one example or of many, whose targets are classes or probabilities of classes."""
    if not _is_list(scores) or len(scores) == 0:
        msg = f"{function} expects a list with one number a class, or a list of such lists, not {scores!r:.60}"
        raise TypeError(msg)
    batched = _is_list(scores[0])
    rows, targets = (scores, target) if batched else ([scores], [target])
    _check_lengths(rows, targets, function)
    losses, counts = [], []
    for row, t in zip(rows, targets, strict=True):
        _check_lengths(row, rows[0], f"{function}, for the classes,")
        weights = [1.0] * len(row) if weight is None else weight
        _check_lengths(row, weights, f"{function}, for weight,")
        if _is_list(t):
            _check_lengths(row, t, f"{function}, for probabilities as target,")
        elif t == ignore_index:
            losses.append(math.where(0.0, row[0], 0.0))  # 0, and a Value where the others are
            continue
        else:
            _check_class(t, len(row), function)
        losses.append(loss(row, t, weights))
        counts.append(1.0 if _is_list(t) or weight is None else _item(weights, t))
    if reduction == "none":
        return losses if batched else losses[0]
    return _reduced(losses, reduction, sum(counts))


def _item(items: Any, index: Any) -> Any:
    """``items[index]``, where ``index`` may be a Value: that of a class, in a function that is being compiled."""
    return math.select(items, index) if isinstance(index, Value) else items[int(index)]


def _weighted(weight: Any, loss: Any) -> Any:
    return loss if weight == 1.0 else weight * loss  # to multiply by 1 would be a node for nothing


def _reduced(losses: list[Any], reduction: str, count: Any = None) -> Any:
    """The sum of ``losses``, or their mean, ``count`` being what they count as."""
    if reduction not in ("mean", "sum"):
        msg = f'reduction must be "mean", "sum" or "none", not {reduction!r}'
        raise ValueError(msg)
    total = losses[0] if len(losses) == 1 else math.fsum(losses)
    if reduction == "sum":
        return total
    count = len(losses) if count is None else count
    if isinstance(count, Value):
        return total / count
    return total if count == 1 else total / count if count else total * math.nan


def _zipped(a: Any, b: Any, function: str, f: Any) -> Any:
    """``f`` of the items of two nested lists of one shape, in lists of that shape."""
    if not _is_list(a) and not _is_list(b):
        return f(a, b)
    _check_lengths(a, b, function)
    return [_zipped(x, y, function, f) for x, y in zip(a, b, strict=True)]


def _flat(nested: Any) -> list[Any]:
    return [x for item in nested for x in _flat(item)] if isinstance(nested, list) else [nested]


def _is_list(x: Any) -> bool:
    return hasattr(x, "__len__") and getattr(x, "ndim", 1) > 0


def _recorded(x: Any) -> bool:
    """Whether ``x`` stands for a number of every example: there is no asking which."""
    return is_compiling() and isinstance(x, Value)


def _check_between_0_and_1(x: Any, what: str) -> None:
    if not _recorded(x) and (x < 0 or x > 1):
        msg = f"{what} must be between 0 and 1, not {x!r}"
        raise ValueError(msg)


def _check_class(t: Any, count: int, function: str) -> None:
    """Raise IndexError unless ``t`` is the index of one of ``count`` classes."""
    if isinstance(t, Value):
        return  # select() checks it, at every call
    if not isinstance(t, numbers.Integral) and not (isinstance(t, float) and t.is_integer()):
        msg = f"{function}: the index of a class is a whole number, not {type(t).__name__} {t!r:.40}"
        raise TypeError(msg)
    if t not in range(count):
        msg = f"{function}: {t!r} is not one of the classes 0 to {count - 1}"
        raise IndexError(msg)


def _check_lengths(a: Any, b: Any, function: str) -> None:
    """Raise ValueError unless ``a`` and ``b`` are lists of one length."""
    for x in (a, b):
        if not isinstance(x, list | tuple):
            arrays.refuse_to_lose(x, f"{function}: one of the arguments")
    shapes = [f"a list of {len(x)}" if _is_list(x) else f"the single {type(x).__name__} {x!r:.40}" for x in (a, b)]
    if shapes[0] != shapes[1] or not _is_list(a):
        msg = f"{function} expects two lists of one length, not {shapes[0]} and {shapes[1]}"
        raise ValueError(msg)
