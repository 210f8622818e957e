"""Which examples of a batch a recording is checked on: a few that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CANDIDATES, _COLUMNS = 1000, 64
"""How many examples are looked at, and how many numbers of each array."""
_NARROW = 4
"""Of arrays of so few numbers an example, as labels are, all examples are looked at."""
_NAN, _INFINITE, _EXTREME = -1e300, 2.0, 3.0


def varied(arrays: Sequence[NDArray[Any]], count: int) -> list[int]:
    """The places of up to ``count`` examples in ``arrays``: the first one, and others that are as different as there are.

    Different are labels (all columns of few numbers), signs, zeros, NaN and infinities, and the smallest and the largest
    number. All arrays count the same, however wide they are.

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
        fresh[code == code[picked[-1]]] = 0.0  # what has been seen
        score = fresh.sum(1)
        best = int(score.argmax())
        if not score[best]:
            break
        picked.append(best)
    return [int(which[i]) for i in picked]


def _candidates(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Places of examples evenly over the batch, and all those at which a label is seen for the first time."""
    size = len(arrays[0])
    which = [np.linspace(0, size - 1, min(size, _CANDIDATES)).astype(np.int64)]
    for array in arrays:
        if size > _CANDIDATES and 0 < array.size <= _NARROW * size:
            for column in array.reshape(size, -1).T:
                labels, first = np.unique(column, return_index=True)
                which.append(first[:: max(1, len(labels) // _COLUMNS)])
    return np.unique(np.concatenate(which))


def _codes(rows: NDArray[Any], few: int) -> NDArray[np.float64]:
    """A number for each number in ``rows``, the same for those of a column that count as alike."""
    rows = rows[:, :: -(-rows.shape[1] // _COLUMNS)].astype(float)
    inorder = np.sort(rows, axis=0)
    distinct = 1 + np.count_nonzero(inorder[1:] != inorder[:-1], axis=0)
    kinds = np.where(np.isinf(rows), np.copysign(_INFINITE, rows), np.sign(rows))
    for extreme, code in ((np.fmin.reduce(rows), -_EXTREME), (np.fmax.reduce(rows), _EXTREME)):
        kinds[rows == extreme] = code
    return np.nan_to_num(np.where(distinct <= few, rows, kinds), nan=_NAN, posinf=np.inf, neginf=-np.inf)
