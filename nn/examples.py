"""The data that a model is trained on: arrays that are checked once, split, and taken in batches."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd import AnomalyError, Value, arrays, trees
from nn.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from nn.module import Module

Array = NDArray[Any]
Data = Any
"""An array whose first axis counts the examples, or a tuple, dict or dataclass of such arrays."""

_SOME = 100
"""How many different targets are tried before training: enough for as many classes."""
_FEW = 10
"""How many of the targets are tried, besides the extremes, if more than that are different."""
_AT_ONCE = 100_000
"""How many numbers are sorted first, to see whether more than that are different."""


class Examples(NamedTuple):
    """Some examples: the inputs ``x`` of the model, their targets ``y``, and how many they are."""

    x: Data
    y: Data
    size: int

    def taken(self, which: slice | Array) -> Examples:
        """Return the examples at the places ``which``."""
        x, y = trees.map(lambda array: array[which], (self.x, self.y))
        return Examples(x, y, len(leaves(x)[0]))


def leaves(data: Data) -> list[Any]:
    """Return the arrays in ``data``."""
    found: list[Any] = trees.flatten(data)[0]
    return found


def example(data: Data, which: int) -> Any:
    """Return one example, with lists in place of arrays."""
    return trees.map(lambda array: array[which].tolist(), data)


def checked_examples(x: Data, y: Data, x_name: str, y_name: str) -> Examples:
    """Return inputs and targets as arrays of float64 or int64. ValueError if they differ in the number of examples."""
    checked = [_checked(data, name) for name, data in ((x_name, x), (y_name, y))]
    sizes = [len(leaf) for data in checked for leaf in leaves(data)]
    if len(set(sizes)) != 1 or not sizes[0]:
        msg = f"{x_name} and {y_name} must hold the same number of examples, at least one; their first axes are {sizes}"
        raise ValueError(msg)
    return Examples(checked[0], checked[1], sizes[0])


def _checked(data: Data, name: str) -> Data:
    checked = [_array(x, path) for path, x in trees.paths(data, name)]
    if not checked:
        msg = f"{name} is {data!r}, which holds no array: pass a list or an array of examples, or a tuple or dict of these"
        raise ValueError(msg)
    return trees.unflatten(trees.flatten(data)[1], checked)


def _array(x: Any, name: str) -> Array:
    array = arrays.as_array(x, name)
    if array.dtype.kind not in "fiub":
        msg = f"{name} must be an array of real numbers, not of {array.dtype}, such as {shown(array.ravel()[:1].tolist())}"
        if array.dtype.kind in "US":
            msg += f": number the classes first, with classes, {name} = np.unique({name}, return_inverse=True)"
        raise TypeError(msg)
    if array.ndim == 0:
        msg = f"{name} is the single number {shown(x)}: pass an array whose first axis counts the examples"
        raise ValueError(msg)
    whole = array.dtype.kind != "f" and not (array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max)
    return np.ascontiguousarray(array, np.int64 if whole else np.float64)  # once, not at every step


def not_finite(examples: Examples) -> str | None:
    """Return which array holds infinite numbers or NaNs, in how many examples, and what to do. None if all are finite."""
    for name, data in (("X", examples.x), ("y", examples.y)):
        for leaf in leaves(data):
            if not np.isfinite(leaf).all():
                count = int((~np.isfinite(leaf.reshape(len(leaf), -1)).all(1)).sum())
                return f"{name} holds infinite numbers or NaNs in {count} examples: leave these out, or replace the numbers"
    return None


def split(examples: Examples, validation: Any, generator: np.random.Generator) -> tuple[Examples, Examples | None]:
    """Return the examples to train on, and those to hold out."""
    if validation is None:
        return examples, None
    if isinstance(validation, tuple) and len(validation) == 2:  # noqa: PLR2004 - X and y
        return examples, checked_examples(*validation, "the validation X", "the validation y")
    if not isinstance(validation, int | float | np.floating) or not 0.0 < validation < 1.0:
        msg = f"validation must be a pair (X, y), or a fraction between 0 and 1, not {shown(validation)}"
        raise ValueError(msg)
    held_out = math.ceil(validation * examples.size)
    if held_out == examples.size:
        msg = f"validation={validation} of {examples.size} examples leaves no example to train on"
        raise ValueError(msg)
    order = generator.permutation(examples.size)
    return examples.taken(np.sort(order[held_out:])), examples.taken(np.sort(order[:held_out]))


def check_targets(model: Module, loss: Callable[[Any, Any], Any], examples: Examples, *, compiled: bool) -> None:
    """Raise the error with which ``loss`` refuses one of the targets. A compiled program could not look at them.

    Predict the first example, and call ``loss.check_target`` with this prediction and different targets, which are numbers. If
    the loss has no such function, call the loss itself, with Values, as in recording, unless nothing will be recorded. In this
    way any function, method or object may lie between ``fit`` and a loss that checks its targets. It costs one prediction, and
    one check or loss for each target that is tried.

    For nn.hinge_loss and y = [-1, 1, 1, 0], the targets -1, 0 and 1 are tried, and 0 is refused: "hinge_loss() expects targets
    of -1 or 1, not 0", with the note "In nn.fit: 1 of 4 examples have the target 0".
    """

    def given(x: Any) -> Any:
        return trees.map(Value, x, lists=True) if compiled else x

    try:
        prediction = model(given(example(examples.x, 0)))
    except Exception as refused:
        shapes = [leaf.shape for leaf in leaves(examples.x)]
        refused.add_note(f"In nn.fit: X has the shape {', '.join(map(str, shapes))}; the first axis counts the examples.")
        raise
    # A wrapper may pass other targets on, and functools.wraps copied the attribute to it.
    check = None if hasattr(loss, "__wrapped__") else getattr(loss, "check_target", None)

    def refusal(target: Any) -> Exception | None:
        return _refusal(loss, prediction, given(target)) if check is None else _refusal(check, prediction, target)

    telling = _telling(examples.y)
    for which in telling:
        target = example(examples.y, which)
        error = refusal(target)
        if error is None:
            continue
        if getattr(examples.y, "shape", ())[1:] == (1,) and isinstance(prediction, Value):
            msg = f"y has the shape {examples.y.shape}, and the model returns one number for each example: pass y.ravel()"
            raise ValueError(msg) from error
        if all(refusal(example(examples.y, other)) for other in telling):
            raise error  # all targets are refused, so that this one is not at fault
        same = np.ones(examples.size, bool)
        for leaf in leaves(examples.y):
            same &= (leaf == leaf[which]).reshape(examples.size, -1).all(1)
        count = max(1, np.count_nonzero(same))  # NaN differs from itself
        error.add_note(f"In nn.fit: {count} of {examples.size} examples have the target {shown(target)}.")
        raise error


def _refusal(loss: Callable[[Any, Any], Any], prediction: Any, target: Any) -> Exception | None:
    """Return the error with which ``loss`` refuses the target, or None."""
    try:
        loss(prediction, target)
    except AnomalyError:  # this prediction and this target do not belong together
        return None
    except (ValueError, TypeError, IndexError) as error:
        return error
    return None


def _telling(y: Data) -> list[int]:
    """Return the places of examples that together hold each different number in ``y``, or the most telling if these are many.

    For y = [2, 0, 2, 1] they are [0, 1, 3]. If more than 100 numbers are different, they are the places of the smallest and the
    largest, of a fraction, of a NaN, and of a few others.
    """
    chosen: set[int] = set()
    for leaf in leaves(y):
        flat, width = leaf.ravel(), math.prod(leaf.shape[1:])
        if not width:
            continue
        _, places = np.unique(flat[:_AT_ONCE], return_index=True)
        if len(places) <= _SOME:
            _, places = np.unique(flat, return_index=True)
        if len(places) > _SOME:
            rare = [np.flatnonzero(numbers)[:1] for numbers in (flat != np.floor(flat), np.isnan(flat))]
            places = np.concatenate([[np.argmin(flat), np.argmax(flat)], *rare, places[:_FEW]])
        seen: set[float] = set()  # the numbers in the examples that are chosen
        for place in places.tolist():
            if flat[place] not in seen:
                chosen.add(place // width)
                seen.update(leaf[place // width].ravel().tolist())
    return sorted(chosen)


def crc32(examples: Examples) -> int:
    """Return a checksum of the examples, which other examples are very unlikely to have."""
    checksum = 0
    for leaf in leaves((examples.x, examples.y)):
        checksum = zlib.crc32(leaf, checksum)
    return checksum
