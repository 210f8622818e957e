"""The functions that emitted lines call, beside those of NumPy and of the table of operations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.folds import EXTREMES, FOLDED
from autograd.compiler.plan import NotFiniteError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def view(array: Any, start: int, shape: tuple[int, ...], strides: tuple[int, ...], *, merge: bool = False) -> Any:
    """The rows ``start + i * strides[0] + j * strides[1] + …`` of ``array``, an example's number after the other's.

    With ``merge``, the last axis of ``shape`` and that of the examples are one.
    """
    row = array.strides[0]
    steps = tuple([stride * row for stride in strides]) + array.strides[1:]
    shape += array.shape[1:]
    if merge:
        *shape_before, columns, batch = shape
        shape, steps = (*shape_before, columns * batch), (*steps[:-2], steps[-1])
    # An axis of length 1 gets the stride that it would have in an array of its own, as BLAS takes no stride of 0.
    step, usual = array.itemsize, []
    for size in reversed(shape):
        usual.append(step)
        step *= max(size, 1)
    steps = tuple([own if size == 1 else stride for size, stride, own in zip(shape, steps, reversed(usual), strict=True)])
    if array.flags.c_contiguous and array.size:
        return np.ndarray(shape, array.dtype, array, start * row, steps)
    return np.lib.stride_tricks.as_strided(array[start:], shape, steps)


def index(numbers: Any, size: int, *, whole: bool = False) -> Any:
    """``numbers`` as indices of a table of ``size`` items; IndexError for what is none. They may be known to be ``whole``."""
    rounded = numbers.astype(np.intp, copy=False)
    if rounded.size and (rounded.view(np.uintp).max() >= size or not (whole or (rounded == numbers).all())):
        wrong = numbers[~((numbers >= 0) & (numbers < size) & (rounded == numbers))].flat[0]
        msg = f"select() expects an index that is a whole number from 0 to {size - 1}, not {float(wrong)!r}"
        raise IndexError(msg)
    return rounded


def check(numbers: Any) -> None:
    """Raise NotFiniteError unless all ``numbers`` are finite, and small enough for their squares to be."""
    flat = numbers.ravel()
    if not math.isfinite(np.dot(flat, flat)):
        raise NotFiniteError


def unfold(name: str, of: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], axis: int, out: NDArray[Any]) -> None:
    """Write to ``out`` the cotangents of the items of x along ``axis``.

    Of the arrays (g, y, x), y is the fold of x by the row ``name``, and g its cotangent. The results are those of eager code,
    which takes the row step by step: the last of equal numbers gets half, the one before it half of the rest.

    >>> x, out = np.array([2.0, 5.0, 5.0, 5.0]), np.zeros(4)
    >>> unfold("maximum", (np.array(1.0), x.max(), x), 0, out)
    >>> out
    array([0.  , 0.25, 0.25, 0.5 ])
    """
    g, y, x = of
    row, once = ops.TABLE[name], (*[slice(None)] * axis, None)
    if row in EXTREMES:
        chosen, flat = np.equal(x, y[once]), y.ravel()
        if np.count_nonzero(chosen) == y.size and not math.isnan(np.dot(flat, flat)):  # one of each fold: nothing is shared
            np.multiply(g[once], chosen, out=out)
            return
    x, out = np.moveaxis(x, axis, 0), np.moveaxis(out, axis, 0)
    results = FOLDED[row].accumulate(x, axis=0)
    step = ops.mul if row is ops.prod else row
    by_before, by_item = step.partials(results[1:], results[:-1], x[1:])
    begun = np.ones_like(g) if row is ops.prod else g  # a product as a whole is a row: the products of the others come first
    handed_back = np.multiply.accumulate(np.concatenate([begun[None], by_before[::-1]]), axis=0)
    np.multiply(handed_back[-2::-1], by_item, out=out[1:])
    out[0] = handed_back[-1]
    if row is ops.prod:
        out *= g
