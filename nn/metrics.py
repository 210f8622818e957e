"""How good predictions are, in numbers that people understand, which need no derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import arrays


def accuracy(predictions: Any, targets: Any, *, threshold: float = 0.0) -> float:
    """The fraction of predictions that are right.

    Of ``predictions`` of shape (examples, classes) the largest one counts, and ``targets`` are the indices of classes. Of shape
    (examples,) it counts whether they are above the ``threshold``: 0 for scores, 0.5 for probabilities; ``targets`` are 0 and
    1, or -1 and 1. ValueError for other shapes and targets.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    >>> accuracy([2.5, -0.5, -1.0], [1, -1, 1])  # the last one is wrong
    0.6666666666666666
    """
    scores, truth = arrays.as_array(predictions, "predictions"), arrays.as_array(targets, "targets")
    if scores.ndim not in (1, 2) or truth.shape != scores.shape[:1]:
        msg = (
            "accuracy() expects predictions of shape (examples,) or (examples, classes) and targets of shape (examples,), not "
            f"{scores.shape} and {truth.shape}"
        )
        raise ValueError(msg)
    if scores.ndim == 2:  # noqa: PLR2004 - a row of scores for each example
        return float(np.mean(scores.argmax(1) == truth))
    if not (np.isin(truth, (0, 1)).all() or np.isin(truth, (-1, 1)).all()):
        wrong = truth[~np.isin(truth, (-1, 0, 1))]
        msg = (
            "accuracy() of one score for each example expects the targets 0 and 1, or -1 and 1, not "
            f"{wrong[0] if len(wrong) else 'all three'}: for numbers that are to be predicted, pass a metric of your own"
        )
        raise ValueError(msg)
    return float(np.mean((scores > threshold) == (truth > 0)))
