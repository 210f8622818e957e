"""How good predictions are, in numbers that people understand, which need no derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np


def accuracy(predictions: Any, targets: Any) -> float:
    """The fraction of predictions that are right.

    Of ``predictions`` of shape (examples, classes) the largest one counts, and ``targets`` are the indices of classes. Of shape
    (examples,) the sign counts, and ``targets`` are positive or not: 0 and 1, or -1 and 1. ValueError for other shapes.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    >>> accuracy([2.5, -0.5, -1.0], [1, -1, 1])  # the last one is wrong
    0.6666666666666666
    """
    scores, truth = np.asarray(predictions), np.asarray(targets)
    if scores.ndim not in (1, 2) or truth.shape != scores.shape[:1]:
        msg = (
            "accuracy() expects predictions of shape (examples,) or (examples, classes) and targets of shape (examples,), not "
            f"{scores.shape} and {truth.shape}"
        )
        raise ValueError(msg)
    return float(np.mean((scores > 0) == (truth > 0) if scores.ndim == 1 else scores.argmax(1) == truth))
