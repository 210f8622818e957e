"""The functions that emitted programs call, besides those of NumPy and of the table of operations."""

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
    """The rows ``start + i * strides[0] + j * strides[1] + …`` of ``array``, whose last axis is that of the examples.

    With ``merge``, the result has one axis for the last axis of ``shape`` and the examples together.
    """
    row = array.strides[0]
    steps = tuple([stride * row for stride in strides]) + array.strides[1:]
    shape += array.shape[1:]
    if merge:
        *shape_before, columns, batch = shape
        shape, steps = (*shape_before, columns * batch), (*steps[:-2], steps[-1])
    # BLAS takes no stride of 0, so an axis of length 1 gets the stride that it has in an array without gaps.
    step, usual = array.itemsize, []
    for size in reversed(shape):
        usual.append(step)
        step *= max(size, 1)
    steps = tuple([own if size == 1 else stride for size, stride, own in zip(shape, steps, reversed(usual), strict=True)])
    if array.flags.c_contiguous and array.size:
        return np.ndarray(shape, array.dtype, array, start * row, steps)
    return np.lib.stride_tricks.as_strided(array[start:], shape, steps)


def index(numbers: Any, size: int, *, whole: bool = False) -> Any:
    """``numbers`` as indices of a table of ``size`` items. Raises IndexError for other numbers than 0, 1, …, ``size - 1``.

    Integers are ``whole``, which saves a comparison.
    """
    rounded = numbers.astype(np.intp, copy=False)
    if rounded.size and (rounded.view(np.uintp).max() >= size or not (whole or (rounded == numbers).all())):
        wrong = numbers[~((numbers >= 0) & (numbers < size) & (rounded == numbers))].flat[0]
        msg = f"select() expects an index that is a whole number from 0 to {size - 1}, not {float(wrong)!r}"
        raise IndexError(msg)
    return rounded


def check(numbers: Any) -> None:
    """Raise NotFiniteError unless the squares of all ``numbers`` are finite, and their sum is."""
    flat = numbers.ravel()
    if not math.isfinite(np.dot(flat, flat)):
        raise NotFiniteError


def unfold(name: str, of: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], axis: int, out: NDArray[Any]) -> None:
    """Write to ``out`` the cotangents of the items of x along ``axis``.

    ``of`` is (g, y, x): y is the fold of x by the row ``name``, and g is its cotangent. The result is the same as if the row
    had been applied step by step. So of equal numbers, the last one gets half, and the one before it half of the rest:

    >>> x, out = np.array([2.0, 5.0, 5.0, 5.0]), np.zeros(4)
    >>> unfold("maximum", (np.array(1.0), x.max(), x), 0, out)
    >>> out
    array([0.  , 0.25, 0.25, 0.5 ])
    """
    g, y, x = of
    row, once = ops.TABLE[name], (*[slice(None)] * axis, None)
    if row in EXTREMES:
        chosen, flat = np.equal(x, y[once]), y.ravel()
        if np.count_nonzero(chosen) == y.size and not math.isnan(
            np.dot(flat, flat)
        ):  # each fold has one largest item, which gets all
            np.multiply(g[once], chosen, out=out)
            return
    x, out = np.moveaxis(x, axis, 0), np.moveaxis(out, axis, 0)
    results = FOLDED[row].accumulate(x, axis=0)
    step = ops.mul if row is ops.prod else row
    by_before, by_item = step.partials(results[1:], results[:-1], x[1:])
    begun = np.ones_like(g) if row is ops.prod else g  # of a product as one row, the other factors are multiplied first
    handed_back = np.multiply.accumulate(np.concatenate([begun[None], by_before[::-1]]), axis=0)
    np.multiply(handed_back[-2::-1], by_item, out=out[1:])
    out[0] = handed_back[-1]
    if row is ops.prod:
        out *= g
