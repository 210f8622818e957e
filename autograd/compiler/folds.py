"""Folds: an operation of two arguments that is applied again and again, as in ``maximum(maximum(a, b), c)``.

A fold is one Reduce, whose gradient is one Unfold. Where it is a step of a chain, it is a row by itself, a :class:`Fold`.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np

from autograd import ops

FOLDED = {
    ops.fsum: np.add,
    ops.hypot: np.hypot,
    ops.prod: np.multiply,
    ops.mul: np.multiply,
    ops.maximum: np.maximum,
    ops.minimum: np.minimum,
}
"""The NumPy functions that reduce any number of arguments by a row."""
STEP_BY_STEP = (ops.prod, ops.mul, ops.maximum, ops.minimum)
"""The rows among them whose gradient is an Unfold."""
EXTREMES = (ops.maximum, ops.minimum)


class Fold(ops.Op):
    """The row of any number of arguments that applies a row of two arguments again and again.

    >>> Fold(ops.maximum).partials(5.0, 5.0, 2.0, 5.0)
    (0.5, 0.0, 0.5)
    """

    __slots__ = ("_row",)

    def __init__(self, row: ops.Op) -> None:
        self._row = row
        on_floats, on_arrays = [functools.partial(_folded, kernel) for kernel in (row.on_floats, row.on_arrays)]
        super().__init__(f"fold of {row.name}", row.label, on_floats, on_arrays, self._partials, row.domain[0], ...)

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
