"""The data that a model is trained on: arrays, checked once, split, and taken a batch at a time."""

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
"""An array whose first axis is the examples, or a tuple or dict of such."""

_SOME = 100
"""How many different targets are tried before training: as many as classes may be."""
_FEW = 10
"""How many, beside the extremes, if there are more than that."""
_AT_ONCE = 100_000
"""How many numbers are sorted at once to see which are different."""


class Examples(NamedTuple):
    """Some examples: what the model gets, and what it should make of that."""

    x: Data
    y: Data
    size: int

    def taken(self, which: slice | Array) -> Examples:
        """Those at the places ``which``."""
        x, y = mapped(lambda array: array[which], (self.x, self.y))
        return Examples(x, y, len(leaves(x)[0]))


mapped = trees.map


def leaves(data: Data) -> list[Any]:
    """The arrays in ``data``."""
    found: list[Any] = trees.flatten(data)[0]
    return found


def example(data: Data, which: int) -> Any:
    """One of the examples, arrays as lists."""
    return mapped(lambda array: array[which].tolist(), data)


def checked_examples(x: Data, y: Data, x_name: str, y_name: str) -> Examples:
    """Inputs and targets as arrays of float64 or int64, of as many examples each."""
    checked = [_checked(data, name) for name, data in ((x_name, x), (y_name, y))]
    sizes = [len(leaf) for data in checked for leaf in leaves(data)]
    if len(set(sizes)) != 1 or not sizes[0]:
        msg = f"{x_name} and {y_name} must hold the same number of examples, at least one; their first axes are {sizes}"
        raise ValueError(msg)
    return Examples(checked[0], checked[1], sizes[0])


def _checked(data: Data, name: str) -> Data:
    given = [*trees.paths(data, name)]
    if not given:
        msg = f"{name} is {data!r}, in which there is no array: pass a list or an array of examples, or a tuple or dict of such"
        raise ValueError(msg)
    checked = iter([_array(x, path) for path, x in given])
    return mapped(lambda _: next(checked), data)


def _array(x: Any, name: str) -> Array:
    array = arrays.as_array(x, name)
    if array.dtype.kind not in "fiub":
        msg = f"{name} must be an array of real numbers, not of {array.dtype}, such as {shown(array.ravel()[:1].tolist())}"
        if array.dtype.kind in "US":
            msg += f": number them, as by classes, {name} = np.unique({name}, return_inverse=True)"
        raise TypeError(msg)
    if array.ndim == 0:
        msg = f"{name} is the single number {shown(x)}: examples lie along the first axis of an array"
        raise ValueError(msg)
    whole = array.dtype.kind != "f" and not (array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max)
    return np.ascontiguousarray(array, np.int64 if whole else np.float64)  # once, not at every step


def not_finite(examples: Examples) -> str | None:
    """What array holds infinite numbers or NaNs, and in how many examples; None if there are no such numbers."""
    for name, data in (("X", examples.x), ("y", examples.y)):
        for leaf in leaves(data):
            if not np.isfinite(leaf).all():
                count = int((~np.isfinite(leaf.reshape(len(leaf), -1)).all(1)).sum())
                return f"{name} holds infinite numbers or NaNs in {count} examples: leave these out, or put other numbers there"
    return None


def split(examples: Examples, validation: Any, generator: np.random.Generator) -> tuple[Examples, Examples | None]:
    """The examples to train on, and those to hold out."""
    if validation is None:
        return examples, None
    if isinstance(validation, tuple) and len(validation) == 2:  # noqa: PLR2004 - X and y
        return examples, checked_examples(*validation, "the validation X", "the validation y")
    if not isinstance(validation, int | float | np.floating) or not 0.0 < validation < 1.0:
        msg = f"validation must be a pair (X, y), or a fraction between 0 and 1, not {shown(validation)}"
        raise ValueError(msg)
    held_out = math.ceil(validation * examples.size)
    if held_out == examples.size:
        msg = f"validation={validation} of {examples.size} examples leaves none to train on"
        raise ValueError(msg)
    order = generator.permutation(examples.size)
    return examples.taken(np.sort(order[held_out:])), examples.taken(np.sort(order[:held_out]))


def check_targets(model: Module, loss: Callable[[Any, Any], Any], examples: Examples, *, compiled: bool) -> None:
    """Raise what ``loss`` says of a target that it does not take: a program could not ask.

    A prediction is made for the first example, and held against targets that differ: on Values, as if it were recorded, or
    if it is not going to be, on numbers. So it does not matter what functions, methods or objects are between ``fit`` and a
    loss that looks at its targets. It costs one prediction, and one loss for each target that is tried.
    """
    given = Value if compiled else _as_they_are
    try:
        prediction = model(trees.map(given, example(examples.x, 0), lists=True))
    except Exception as refused:
        shapes = [leaf.shape for leaf in leaves(examples.x)]
        refused.add_note(f"In nn.fit: X has the shape {', '.join(map(str, shapes))}; the first axis counts the examples.")
        raise
    telling = _telling(examples.y)
    for which in telling:
        target = example(examples.y, which)
        error = _refusal(loss, prediction, trees.map(given, target, lists=True))
        if error is None:
            continue
        if isinstance(error, IndexError):  # of select(), which asks for an index: of numbers, the loss says what it asks for
            error = _refusal(loss, prediction, target) or error
        if getattr(examples.y, "shape", ())[1:] == (1,) and isinstance(prediction, Value):
            msg = f"y has the shape {examples.y.shape}, and the model gives one number for an example: pass y.ravel()"
            raise ValueError(msg) from error
        if all(_refusal(loss, prediction, trees.map(given, example(examples.y, other), lists=True)) for other in telling):
            raise error  # it is not the target that is at fault
        same = np.ones(examples.size, bool)
        for leaf in leaves(examples.y):
            same &= (leaf == leaf[which]).reshape(examples.size, -1).all(1)
        count = max(1, np.count_nonzero(same))  # NaN differs from itself
        error.add_note(f"In nn.fit: {count} of {examples.size} examples have the target {shown(target)}.")
        raise error


def _refusal(loss: Callable[[Any, Any], Any], prediction: Any, target: Any) -> Exception | None:
    """What ``loss`` raises, if it does not take the target."""
    try:
        loss(prediction, target)
    except AnomalyError:  # of a prediction and a target that do not belong together
        return None
    except (ValueError, TypeError, IndexError) as error:
        return error
    return None


def _telling(y: Data) -> list[int]:
    """The places of examples that hold each different number in ``y``; the extremes, fractions and NaNs, if these are many."""
    chosen: list[int] = []
    for leaf in leaves(y):
        flat, width = leaf.ravel(), math.prod(leaf.shape[1:])
        if not width:
            continue
        places: dict[float, int] = {}
        for start in range(0, len(flat), _AT_ONCE):
            some, where = np.unique(flat[start : start + _AT_ONCE], return_index=True)
            for number, place in zip(some.tolist(), where.tolist(), strict=True):
                places.setdefault(number, start + place)
            if len(places) > _SOME:
                fractions = np.flatnonzero(flat != np.floor(flat))[:1].tolist()
                nans = np.flatnonzero(np.isnan(flat))[:1].tolist()
                extremes = [int(np.argmin(flat)), int(np.argmax(flat)), *fractions, *nans]
                places = {float(flat[place]): place for place in extremes + [*places.values()][:_FEW]}
                break
        seen: set[float] = set()
        for number, place in places.items():
            if number not in seen:
                chosen.append(place // width)
                seen.update(leaf[place // width].ravel().tolist())
    return sorted(set(chosen))


def _as_they_are(x: Any) -> Any:
    return x


def crc32(examples: Examples) -> int:
    """A number that other examples would not have, most likely."""
    checksum = 0
    for leaf in leaves((examples.x, examples.y)):
        checksum = zlib.crc32(leaf, checksum)
    return checksum
