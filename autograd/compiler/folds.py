"""Folds: ``maximum(maximum(a, b), c)`` is one reduction of NumPy's, and its gradient is one call of :func:`unfold`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDED = {
    ops.fsum: np.add,
    ops.hypot: np.hypot,
    ops.prod: np.multiply,
    ops.mul: np.multiply,
    ops.maximum: np.maximum,
    ops.minimum: np.minimum,
}
"""Rows that NumPy takes of any number of arguments, one after the other."""
STEP_BY_STEP = (ops.prod, ops.mul, ops.maximum, ops.minimum)
"""Those of them whose gradients :func:`unfold` gives."""
_EXTREMES = (ops.maximum, ops.minimum)


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
    if row in _EXTREMES:
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
