"""Chooses the examples of a batch on which a recording is checked: a few that differ as much as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CANDIDATES, _COLUMNS = 1000, 64
"""The most examples to choose from, and the most numbers of each array to compare them by."""
_NARROW = 4
"""An array with at most this many numbers for each example, such as labels, is searched whole for rare numbers."""
_NAN, _INFINITE, _EXTREME = -1e300, 2.0, 3.0
"""The codes of NaN, of an infinity, and of the largest number in a column. The signs -1, 0 and 1 are codes as well."""


def varied(arrays: Sequence[NDArray[Any]], count: int) -> list[int]:
    """Return the places of up to ``count`` examples: the first one, and others that differ from all before as much as possible.

    Each number gets a code, and examples differ where their codes do. In a column of few different numbers, such as labels,
    the code is the number itself. Elsewhere it is the sign, or tells that the number is NaN, infinite, or the smallest or the
    largest of its column. All arrays count the same, however wide they are.

    Here 6.0 and -1.0 differ from the first example, and from each other:

    >>> varied([np.array([5.0, 5.0, 6.0, -1.0, 5.0])], 3)
    [0, 2, 3]
    """
    which = _candidates(arrays)
    codes = [_codes(array.reshape(len(array), -1)[which], count) for array in arrays if array.size]
    if not codes:
        return [0]
    code = np.hstack(codes)
    fresh = np.broadcast_to(np.hstack([np.full(part.shape[1], 1 / part.shape[1]) for part in codes]), code.shape).copy()
    picked = [0]
    while len(picked) < count:
        fresh[code == code[picked[-1]]] = 0.0  # a code that an example before has counts no more
        score = fresh.sum(1)
        best = int(score.argmax())
        if not score[best]:
            break
        picked.append(best)
    return [int(which[i]) for i in picked]


def _candidates(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Return places that are spread evenly over the batch, and those at which a label occurs for the first time."""
    size = len(arrays[0])
    which = [np.linspace(0, size - 1, min(size, _CANDIDATES)).astype(np.int64)]
    for array in arrays:
        if size > _CANDIDATES and 0 < array.size <= _NARROW * size:
            for column in array.reshape(size, -1).T:
                labels, first = np.unique(column, return_index=True)
                which.append(first[:: max(1, len(labels) // _COLUMNS)])
    return np.unique(np.concatenate(which))


def _codes(rows: NDArray[Any], few: int) -> NDArray[np.float64]:
    """Return the code of each number in ``rows``; a column with at most ``few`` different numbers keeps them as codes."""
    rows = rows[:, :: -(-rows.shape[1] // _COLUMNS)].astype(float)
    inorder = np.sort(rows, axis=0)
    distinct = 1 + np.count_nonzero(inorder[1:] != inorder[:-1], axis=0)
    kinds = np.where(np.isinf(rows), np.copysign(_INFINITE, rows), np.sign(rows))
    for extreme, code in ((np.fmin.reduce(rows), -_EXTREME), (np.fmax.reduce(rows), _EXTREME)):
        kinds[rows == extreme] = code
    return np.nan_to_num(np.where(distinct <= few, rows, kinds), nan=_NAN, posinf=np.inf, neginf=-np.inf)
