"""The data that a model is trained on: arrays, checked once, split, and taken a batch at a time."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd import Value, arrays, no_grad, trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from nn.module import Module

Array = NDArray[Any]
Data = Any
"""An array whose first axis is the examples, or a tuple or dict of such."""

_LOSSES = "nn.losses"
_SOME = 100
"""How many different targets are looked at before training: as many as classes may be."""


class Examples(NamedTuple):
    """Some examples: what the model gets, and what it should make of that."""

    x: Data
    y: Data
    size: int

    def taken(self, which: slice | Array) -> Examples:
        """Those at the places ``which``."""
        x, y = mapped(lambda array: array[which], (self.x, self.y))
        return Examples(x, y, len(leaves(x)[0]))


mapped = trees.mapped


def leaves(data: Data) -> list[Any]:
    """The arrays in ``data``."""
    found: list[Any] = []
    trees.flatten(data, found)
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
        msg = f"{name} must be an array of real numbers, not of {array.dtype}, such as {array.ravel()[:1].tolist()}"
        if array.dtype.kind in "US":
            msg += f": number them, as by classes, {name} = np.unique({name}, return_inverse=True)"
        raise TypeError(msg)
    if array.ndim == 0:
        msg = (
            f"{name} is the single number {arrays.shown(x)}: examples lie along the first axis of an array; tuples and dicts "
            "hold arrays"
        )
        raise ValueError(msg)
    whole = array.dtype.kind != "f" and not (array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max)
    return np.ascontiguousarray(array, np.int64 if whole else np.float64)  # once, not at every step


def split(examples: Examples, validation: Any, generator: np.random.Generator) -> tuple[Examples, Examples | None]:
    """The examples to train on, and those to hold out."""
    if validation is None:
        return examples, None
    if isinstance(validation, tuple) and len(validation) == 2:  # noqa: PLR2004 - X and y
        return examples, checked_examples(*validation, "the validation X", "the validation y")
    if not isinstance(validation, int | float | np.floating) or not 0.0 < validation < 1.0:
        msg = f"validation must be a pair (X, y), or a fraction between 0 and 1, not {validation!r:.60}"
        raise ValueError(msg)
    held_out = math.ceil(validation * examples.size)
    if held_out == examples.size:
        msg = f"validation={validation} of {examples.size} examples leaves none to train on"
        raise ValueError(msg)
    order = generator.permutation(examples.size)
    return examples.taken(np.sort(order[held_out:])), examples.taken(np.sort(order[:held_out]))


def check_targets(model: Module, loss: Callable[[Any, Any], Any], examples: Examples, *, compiled: bool) -> None:
    """Raise what ``loss``, one of nn's, says of a target that it does not take: a program could not ask.

    A prediction is made for the first example, and held against different targets. Losses of the user's are not tried: they
    may expect Values.
    """
    if getattr(loss, "__module__", None) != _LOSSES or not isinstance(examples.y, np.ndarray):
        return
    with no_grad():
        first = example(examples.x, 0)
        prediction = model(mapped(_as_values, first) if compiled else first)
        if examples.y.shape[1:] == (1,) and isinstance(prediction, Value):
            msg = f"y has the shape {examples.y.shape}, and the model gives one number for an example: pass y.ravel()"
            raise ValueError(msg)
        different, counts = np.unique(examples.y, axis=0, return_counts=True)
        extremes = [*range(min(_SOME, len(different))), len(different) - 1]
        for target, count in zip(different[extremes].tolist(), counts[extremes].tolist(), strict=True):
            try:
                loss(prediction, target)
            except (ValueError, TypeError, IndexError) as error:
                error.add_note(f"In nn.fit: {count} of {examples.size} examples have the target {target!r:.60}.")
                raise


def _as_values(x: Any) -> Any:
    return [_as_values(item) for item in x] if isinstance(x, list) else Value(x).detach()


def crc32(examples: Examples) -> int:
    """A number that other examples would not have, most likely."""
    checksum = 0
    for leaf in leaves((examples.x, examples.y)):
        checksum = zlib.crc32(leaf, checksum)
    return checksum
