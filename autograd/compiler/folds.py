"""Folds: ``maximum(maximum(a, b), c)`` is one reduction of NumPy's, and its gradient is one call of :func:`unfold`.

Where it is a step of a chain, it is a row of the table's kind, :class:`Fold`.
"""

from __future__ import annotations

import functools
import itertools
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


class Fold(ops.Op):
    """A row of two arguments, taken again and again, as one of any number of arguments.

    >>> Fold(ops.maximum).partials(5.0, 5.0, 2.0, 5.0)
    (0.5, 0.0, 0.5)
    """

    __slots__ = ("_row",)

    def __init__(self, row: ops.Op) -> None:
        self._row = row
        on_floats, on_arrays = [functools.partial(_folded, kernel) for kernel in (row.on_floats, row.on_arrays)]
        super().__init__(f"fold of {row.name}", row.label, on_floats, on_arrays, self._partials, row.domain[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return Fold, (self._row,)

    def _partials(self, y: Any, *args: Any) -> tuple[Any, ...]:
        *before, _ = results = [*itertools.accumulate(args[:-1], self._row), y]
        handed_back: Any = 1.0
        partials = []
        for result, earlier, arg in zip(results[:0:-1], before[::-1], args[:0:-1], strict=True):
            by_before, by_arg = self._row.partials(result, earlier, arg)
            partials.append(handed_back * by_arg)
            handed_back = handed_back * by_before
        return (handed_back, *reversed(partials))


def _folded(kernel: Any, *args: Any) -> Any:
    return functools.reduce(kernel, args)
