"""Losses: how wrong a prediction is, as graph expressions, for one example or for a list of examples.

``reduction`` chooses what becomes of the losses of a batch: "mean", "sum", or "none" for the list of them. Every loss works on
Values, on plain numbers, and in functions that ``autograd.compile`` records. There a target stands for the targets of all
examples, so that only the index of a class can be checked, at every call. Whether a target is between 0 and 1 cannot.

For that reason every loss has a function ``check_target(prediction, target)``, which raises what the loss would raise for
numbers, and computes nothing. ``nn.fit`` calls it with the targets before it trains. A loss of your own may have one, too.

Where 0 is multiplied by an infinite cost, the result is 0, as in an entropy: 0 log 0 = 0. An infinite cost with any other
factor makes the loss infinite. PyTorch's ``binary_cross_entropy`` clamps it instead. A prediction of NaN makes the loss and
its slopes NaN. So does ``inf - inf``, as in PyTorch: in the cross-entropy of a class whose logit is inf, and in the squared
error of two inf.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable, Sequence
from sys import float_info
from typing import Any, Literal, TypeVar

from autograd import Value, arrays, is_compiling, math
from nn.errors import shown

Reduction = Literal["mean", "sum", "none"]
Loss = TypeVar("Loss", bound=Callable[..., Any])

_LARGEST = float_info.max
_NEARLY_0, _NEARLY_1 = 1e-150, 1.0 - 2.0**-53
"""Probabilities near the ends. Their logarithms, multiplied by 0, are 0, and so are the first and the second derivatives."""
_DEPTH = 32
"""How deep lists may be nested, which is how many dimensions NumPy's arrays may have."""


def _checked_by(check: Callable[..., Any]) -> Callable[[Loss], Loss]:
    """Make ``check`` the ``check_target`` of a loss."""

    def add(loss: Loss) -> Loss:
        loss.check_target = check  # type: ignore[attr-defined]  # mypy knows no attributes of functions
        return loss

    return add


@_checked_by(lambda prediction, target: _elementwise("mse_loss()", prediction, target, "none", _check_nothing))
def mse_loss(prediction: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Return the squared error: the mean, or the sum, over all outputs of all examples.

    ``prediction`` and ``target`` are numbers, lists of numbers, or lists of such lists. ValueError if their shapes differ.

    >>> mse_loss([1.0, 5.0], [1.0, 3.0])     # (0² + 2²) / 2
    2.0
    """
    return _elementwise("mse_loss()", prediction, target, reduction, _check_nothing, lambda p, t: math.pow(p - t, 2))


@_checked_by(lambda score, target: _elementwise("hinge_loss()", score, target, "none", _check_sign))
def hinge_loss(score: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Return how far ``score`` falls short of 1 on the side of ``target``, which is -1 or 1: ``relu(1 - target * score)``.

    >>> hinge_loss([2.0, 0.5, -1.0], [1, 1, 1])     # (0 + 0.5 + 2) / 3
    0.8333333333333334
    """
    return _elementwise("hinge_loss()", score, target, reduction, _check_sign, lambda s, t: math.relu(1 - t * s))


@_checked_by(lambda p, target: _elementwise("binary_cross_entropy()", p, target, "none", _check_probabilities))
def binary_cross_entropy(probability: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Return ``-log`` of the probability of what happened: of ``p`` where ``target`` is 1, and of ``1 - p`` where it is 0.

    A ``target`` between 0 and 1 weighs the two. The mean is the negative logarithm of :func:`likelihood`, divided by the number
    of examples. If something happened whose probability is 0, the loss is inf.

    >>> binary_cross_entropy(0.5, 1) == math.log(2.0)
    True
    """

    def loss(p: Any, t: Any) -> Any:
        if isinstance(t, Value):
            # The three cases below in one expression, in which 0 times log 0 must be 0. The choice is between bounds, not
            # between logarithms: the slope of a logarithm that is not chosen may be infinite, and times 0 it would be NaN.
            happened = math.log(math.maximum(p, math.where(t > 0, -math.inf, _NEARLY_0)))
            happened_not = math.log1p(-math.minimum(p, math.where(t < 1, math.inf, _NEARLY_1)))
            return -(t * happened + (1 - t) * happened_not)
        if t == 1:
            return -math.log(p)
        if t == 0:
            return -math.log1p(-p)
        return -(t * math.log(p) + (1 - t) * math.log1p(-p))

    return _elementwise("binary_cross_entropy()", probability, target, reduction, _check_probabilities, loss)


@_checked_by(lambda z, target: _elementwise("binary_cross_entropy_with_logits()", z, target, "none", _check_between_0_and_1))
def binary_cross_entropy_with_logits(logit: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Return ``binary_cross_entropy(sigmoid(logit), target)``, computed without overflow or cancellation.

    With a logit of inf, the loss is 0 for the target 1, and inf for all others; with -inf it is 0 for the target 0.

    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1, 1])
    5000.0
    """

    def loss(z: Any, t: Any) -> Any:
        if not isinstance(t, Value) and t in (0, 1):
            return math.softplus(-z) if t else math.softplus(z)
        # softplus(z) = softplus(-z) + z. The one of the two that stays small where the logit is large cancels no digits.
        positive = z > 0
        wrong = (positive - t) * z
        return math.log1p(math.exp((1 - 2 * positive) * z)) + math.where(wrong <= math.inf, wrong, 0.0)  # 0 times inf is 0

    return _elementwise("binary_cross_entropy_with_logits()", logit, target, reduction, _check_between_0_and_1, loss)


def likelihood(probabilities: Any, targets: Any) -> Any:
    """Return the product of the probabilities that a model gave to what happened. Higher is better, and 1 is perfect.

    ``probabilities`` are the probabilities of 1 if ``targets`` are 0 or 1, and rows of probabilities if ``targets`` are
    classes. The negative logarithm of the likelihood, divided by the number of examples, is the binary cross-entropy, or for
    classes the cross-entropy. Minimising the one maximises the other. The product of many probabilities underflows, and the sum
    of their logarithms does not. So train with the cross-entropy, and report the likelihood.

    >>> likelihood([0.9, 0.2], [1, 0])       # 0.9 · (1 - 0.2)
    0.7200000000000001
    """
    name = "likelihood()"
    probabilities, targets = _listed(probabilities, f"{name}: probabilities"), _listed(targets, f"{name}: targets")
    _check_lengths(probabilities, targets, name)
    factors = []
    for p, target in zip(probabilities, targets, strict=True):
        if isinstance(p, list):
            _check_row(p, name)
            factors.append(_item(p, _class(target, len(p), name)))
        elif _recorded(target):
            factors.append(math.where(target, p, 1 - p))
        elif (happened := _number(target)) in (0, 1):
            factors.append(p if happened else 1 - p)
        else:
            msg = f"{name} of single probabilities expects targets of 0 or 1, not {shown(happened)}"
            raise ValueError(msg)
    return math.prod(factors)


@_checked_by(lambda logits, target, ignore_index=-100: _rows("cross_entropy()", logits, target, ignore_index))
def cross_entropy(  # noqa: PLR0913 - PyTorch's signature
    logits: Any,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
) -> Any:
    """Return ``-log(softmax(logits)[target])``, computed without overflow or cancellation.

    ``logits`` is a list with one number for each class, or a list of such lists. ``target`` is, for each of these lists, the
    index of a class, or a list of probabilities, one for each class. ``weight`` has a factor for each class.

    Examples whose target is ``ignore_index`` do not count, and neither do examples of weight 0. Their loss and its slopes are
    0, whatever their logits are. ``label_smoothing`` is the part of the target that is spread evenly over all classes. With
    indices as targets, the mean is weighted by ``weight``, as PyTorch's is. A logit of -inf means that a class is impossible:
    the loss is inf, unless its probability as a target is 0. IndexError for an index without a class; ValueError for wrong
    lengths.

    In a compiled function the index may be an argument. ``ignore_index`` has no effect there, and the numbers from which an
    example of weight 0 is computed must be finite, because the program computes all examples.

    >>> cross_entropy([0.0, 0.0], 1) == math.log(2.0)
    True
    >>> cross_entropy([1e4, -1e4], 1)
    20000.0
    """
    if not isinstance(label_smoothing, numbers.Real) or not 0.0 <= label_smoothing <= 1.0:
        msg = f"label_smoothing must be between 0 and 1, not {shown(label_smoothing)}"
        raise ValueError(msg)

    def loss(z: list[Any], t: Any, weights: list[Any]) -> Any:
        # -log softmax(z)[k] is total - z[k], where total = logsumexp(z). Its share in the loss is weight[k] times the target's
        # probability of k. For z = [0, 0, 0], t = 1 and label_smoothing = 0.3, the shares are 0.1 for each class by smoothing,
        # and 0.7 more, the "hit", for class 1.
        if isinstance(t, list):
            even = label_smoothing / len(z)
            shares = [_weighted(w, p * (1.0 - label_smoothing) + even if even else p) for w, p in zip(weights, t, strict=True)]
        else:
            shares = [w * (label_smoothing / len(z)) for w in weights]
        counted = [k for k, share in enumerate(shares) if not _is_0(share)]
        hits = 0.0 if isinstance(t, list) or _is_0(_item(weights, t)) else 1.0 - label_smoothing
        if not (counted or hits):
            return None
        # Two large logits have no digits left for a small difference, so the largest is subtracted from all first. A program
        # for indices does without: its slopes are exact anyway, and its steps would take a tenth longer.
        if counted or not is_compiling():
            top = math.minimum(functools.reduce(math.maximum, z), _LARGEST)
            top = top.detach() if isinstance(top, Value) else top
            z = [x - top for x in z]
        total = math.logsumexp(z)
        hit = _weighted(hits, _counted(weights, t, total - _item(z, t))) if hits else 0.0
        if not counted:
            return hit
        parts = [shares[k] for k in counted]
        even = _weighted(math.fsum(parts), total) - math.sumprod(parts, [_bounded(shares[k], z[k]) for k in counted])
        return hit + even if hits else even

    return _over_classes(cross_entropy, logits, target, weight, ignore_index, reduction, loss)


@_checked_by(lambda scores, target, ignore_index=-100: _rows("nll_loss()", scores, target, ignore_index, probabilities=False))
def nll_loss(
    log_probabilities: Any, target: Any, *, weight: Any = None, ignore_index: int = -100, reduction: Reduction = "mean"
) -> Any:
    """Return ``-log_probabilities[target]``: the cross-entropy, of what ``math.log_softmax`` returns instead of logits.

    >>> nll_loss([-0.5, -1.5], 1)
    1.5
    """

    def loss(z: list[Any], t: Any, weights: list[Any]) -> Any:
        return None if _is_0(_item(weights, t)) else _counted(weights, t, -_item(z, t))

    return _over_classes(nll_loss, log_probabilities, target, weight, ignore_index, reduction, loss)


# From single losses to those of batches


def _elementwise(  # noqa: PLR0913, PLR0917 - what differs from loss to loss
    name: str,
    prediction: Any,
    target: Any,
    reduction: Reduction,
    check: Callable[[Any, Any, str], None],
    formula: Callable[[Any, Any], Any] = lambda *_: None,
) -> Any:
    """Check each number and its target, and return the ``formula`` of them, reduced, or as lists of the prediction's shape."""
    _check_reduction(reduction)
    predictions, targets = _listed(prediction, f"{name}: a prediction"), _listed(target, f"{name}: a target")
    losses: list[Any] = []

    def loss(p: Any, t: Any) -> Any:
        check(p, t, name)
        losses.append(formula(p, t))
        return losses[-1]

    nested = _zipped(predictions, targets, name, loss)
    return nested if reduction == "none" else _reduced(losses, reduction)


def _zipped(a: Any, b: Any, name: str, f: Callable[[Any, Any], Any]) -> Any:
    """Return ``f`` of the items at the same places in two nested lists, as lists of their shape. ValueError if shapes differ.

    With f = max, ([1, [5, 2]], [3, [4, 4]]) becomes [3, [5, 4]].
    """
    if not isinstance(a, list) and not isinstance(b, list):
        return f(a, b)
    _check_lengths(a, b, name)
    return [_zipped(x, y, name, f) for x, y in zip(a, b, strict=True)]


def _over_classes(  # noqa: PLR0913, PLR0917 - the arguments of the two losses of classes
    loss: Any, scores: Any, target: Any, weight: Any, ignore_index: int, reduction: Reduction, formula: Callable[..., Any]
) -> Any:
    """Return the ``formula`` of each row of scores, its target and the weights, reduced. The formula returns None for 0."""
    name = f"{loss.__name__}()"
    _check_reduction(reduction)
    if not isinstance(ignore_index, numbers.Integral):
        msg = f"{name}: ignore_index must be a whole number, not {shown(ignore_index)}"
        raise TypeError(msg)
    rows, targets, batched = loss.check_target(scores, target, ignore_index)
    weights = [1.0] * len(rows[0])
    if weight is not None:
        weights = _listed(weight, f"{name}: weight")
        _check_lengths(rows[0], weights, f"{name}, for weight,")
        _check_row(weights, name)
    losses, counts = [], []
    for row, t in zip(rows, targets, strict=True):
        found = None if t is None else formula(row, t, weights)
        if found is None:  # 0 times the row would hand a NaN in it on
            found = Value(0.0) if any(isinstance(x, Value) for x in row) and not is_compiling() else 0.0
        losses.append(found)
        if t is not None:
            counts.append(1.0 if isinstance(t, list) or weight is None else _item(weights, t))
    if reduction == "none":
        return losses if batched else losses[0]
    return _reduced(losses, reduction, math.fsum(counts))


def _reduced(losses: list[Any], reduction: str, count: Any = None) -> Any:
    """Return the sum of ``losses``, or the sum divided by ``count``, by default the number of losses."""
    total = losses[0] if len(losses) == 1 else math.fsum(losses)
    if reduction == "sum":
        return total
    count = len(losses) if count is None else count
    if isinstance(count, Value):
        return total / count
    return total if count == 1 else total / count if count else total * math.nan


# Weights, some of which are 0 or 1


def _item(items: list[Any], index: Any) -> Any:
    """Return ``items[index]``. The index is a Value if it is an argument of a function that is being compiled."""
    return math.select(items, index) if isinstance(index, Value) else items[int(index)]


def _is_0(x: Any) -> bool:
    """Return whether ``x`` is the number 0, not a Value that may change."""
    return not isinstance(x, Value) and x == 0.0


def _weighted(weight: Any, loss: Any) -> Any:
    """Return ``weight * loss``, without a node where the weight is the number 1."""
    return loss if not isinstance(weight, Value) and weight == 1.0 else weight * loss


def _counted(weights: list[Any], t: Any, cost: Any) -> Any:
    """Return ``cost`` times the weight of the class ``t``, which is 0 for a weight of 0, even if the cost is infinite."""
    weighted = _weighted(_item(weights, t), cost)
    if isinstance(t, Value) and any(map(_is_0, weights)):
        return math.where(math.select([0.0 if _is_0(w) else 1.0 for w in weights], t), weighted, 0.0)
    return weighted


def _bounded(share: Any, x: Any) -> Any:
    """Return ``x`` where ``share`` is above 0, and otherwise the finite number nearest to ``x``, so that 0 times it is 0."""
    return math.where(share > 0, x, math.clip(x, -_LARGEST, _LARGEST)) if isinstance(share, Value) else x


# Arguments


def _recorded(x: Any) -> bool:
    """Return whether ``x`` stands for the numbers of all examples, in a function that is being compiled."""
    return is_compiling() and isinstance(x, Value)


def _number(x: Any) -> Any:
    """Return the number ``x``, or the number of a Value; as an int if it is whole, like the index of a class."""
    x = x.data if isinstance(x, Value) else x
    return int(x) if isinstance(x, float) and x.is_integer() else x


def _listed(x: Any, what: str, depth: int = 0) -> Any:
    """Return ``x`` as a number, a Value, or nested lists of these. Raise an error that names ``what`` for others."""
    if type(x) is float or isinstance(x, Value):
        return x
    if isinstance(x, numbers.Real):
        try:
            return int(x) if isinstance(x, numbers.Integral) and math.isfinite(x) else float(x)
        except OverflowError:
            msg = f"{what} is a whole number that is too large: the largest float is 1.8e308"
            raise ValueError(msg) from None
    if depth > _DEPTH:
        msg = (
            f"{what} is nested in more than {_DEPTH} lists, or in itself: pass a number, or lists of the same shape as "
            "the other argument"
        )
        raise ValueError(msg)
    if isinstance(x, Sequence) and not isinstance(x, str | bytes | bytearray):
        return [_listed(item, what, depth + 1) for item in x]
    if hasattr(x, "__array__"):
        array = arrays.as_array(x, what)
        if array.dtype.kind in "fiubO":
            return _listed(array.tolist(), what, depth + 1)
    msg = f"{what} must be a number, a Value, or lists or arrays of these, not {type(x).__name__} {shown(x)}"
    raise TypeError(msg)


def _check_nothing(_: Any, __: Any, name: str) -> None:
    """Accept every number."""


def _check_sign(_: Any, t: Any, name: str) -> None:
    if not _recorded(t) and _number(t) not in (-1, 1):
        msg = f"{name} expects targets of -1 or 1, not {shown(_number(t))}"
        raise ValueError(msg)


def _check_between_0_and_1(_: Any, x: Any, name: str, what: str = ": a target") -> None:
    if not _recorded(x) and (x < 0 or x > 1):
        msg = f"{name}{what} must be between 0 and 1, not {_number(x)!r}"
        raise ValueError(msg)


def _check_probabilities(p: Any, t: Any, name: str) -> None:
    _check_between_0_and_1(p, t, name)
    _check_between_0_and_1(p, p, name, ", without _with_logits: a probability")


def _rows(
    name: str, scores: Any, target: Any, ignore_index: int, *, probabilities: bool = True
) -> tuple[list[list[Any]], list[Any], bool]:
    """Return rows of scores and their targets, after checking them, and whether they are a batch.

    The target of each row is an index, a list of probabilities, or None if it is ``ignore_index``. For the scores [[1.0, 2.0],
    [3.0, 4.0]] and the target [1, -100] the targets are [1, None].
    """
    scores, target = _listed(scores, f"{name}: the scores of classes"), _listed(target, f"{name}: target")
    if not isinstance(scores, list) or not scores:
        msg = f"{name} expects a list with one number for each class, or a list of such lists, not {shown(scores)}"
        raise TypeError(msg)
    batched = isinstance(scores[0], list)
    rows, labels = (scores, target) if batched else ([scores], [target])
    _check_lengths(rows, labels, name)
    targets: list[Any] = []
    for row, label in zip(rows, labels, strict=True):
        _check_lengths(row, rows[0], f"{name}, for the classes,")
        _check_row(row, name)
        if isinstance(label, list):
            _check_lengths(row, label, f"{name}, for probabilities as target,")
            _check_row(label, name)
            if not probabilities:
                msg = f"{name} expects the index of a class as target: for probabilities use cross_entropy()"
                raise TypeError(msg)
            targets.append(label)
        else:
            ignored = not isinstance(label, Value) and label == ignore_index
            targets.append(None if ignored else _class(label, len(row), name))
    return rows, targets, batched


def _class(t: Any, count: int, name: str) -> Any:
    """Return ``t`` as the index of one of ``count`` classes. One that is recorded is checked by select(), at every call."""
    if _recorded(t):
        return t
    index = _number(t)
    if not isinstance(index, int):
        msg = f"{name}: the index of a class must be a whole number, not {type(index).__name__} {shown(index)}"
        raise TypeError(msg)
    if index not in range(count):
        msg = f"{name}: {shown(index)} is not one of the classes 0 to {count - 1}"
        raise IndexError(msg)
    return index


def _check_reduction(reduction: Any) -> None:
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        msg = f'reduction must be "mean", "sum" or "none", not {shown(reduction)}'
        raise ValueError(msg)


def _check_row(row: list[Any], name: str) -> None:
    if not row or any(isinstance(x, list) for x in row):
        msg = f"{name} expects one number for each class, and at least one class, not {shown(row)}"
        raise TypeError(msg)


def _check_lengths(a: Any, b: Any, name: str) -> None:
    """Raise ValueError unless ``a`` and ``b`` are lists of the same length."""
    shapes = [f"a list of {len(x)}" if isinstance(x, list) else f"the single {type(x).__name__} {shown(x)}" for x in (a, b)]
    if shapes[0] != shapes[1] or not isinstance(a, list):
        msg = f"{name} expects two lists of the same length, not {shapes[0]} and {shapes[1]}"
        raise ValueError(msg)
