"""Metrics: numbers that tell people how good predictions are, and that need no derivatives."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from autograd import Value, arrays
from nn.errors import shown
from nn.settings import as_float


def accuracy(predictions: Any, targets: Any, *, threshold: float = 0.0) -> float:
    """Return the fraction of predictions that are right.

    ``predictions`` of shape (examples, classes) predict the class with the largest number, and ``targets`` are the indices of
    classes. ``predictions`` of shape (examples,) predict 1 if they are above the ``threshold``, which is 0 for scores and
    should be 0.5 for probabilities, and ``targets`` are 0 and 1, or -1 and 1. A prediction of NaN is wrong. ValueError for
    other shapes and targets; TypeError for arguments that are not numbers.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    >>> accuracy([2.5, -0.5, -1.0], [1, -1, 1])  # the last one is wrong
    0.6666666666666666
    """
    scores, truth = _numbers(predictions, "predictions"), _numbers(targets, "targets")
    if scores.ndim not in (1, 2) or truth.shape != scores.shape[:1] or not scores.size:
        msg = (
            "accuracy() expects predictions of shape (examples,) or (examples, classes), and targets of shape (examples,), at "
            f"least one example, not {scores.shape} and {truth.shape}"
        )
        raise ValueError(msg)
    if scores.ndim == 2:  # noqa: PLR2004 - a row of scores for each example
        classes = scores.shape[1]
        if not (known := np.isin(truth, np.arange(classes))).all():
            msg = f"accuracy() expects targets that are classes from 0 to {classes - 1}, not {truth[~known][0]}"
            raise ValueError(msg)
        return float(np.mean((scores.argmax(1) == truth) & ~np.isnan(scores).any(1)))
    if not isinstance(threshold, numbers.Real):
        msg = f"accuracy(): threshold must be a number, not {type(threshold).__name__} {shown(threshold)}"
        raise TypeError(msg)
    if not (np.isin(truth, (0, 1)).all() or np.isin(truth, (-1, 1)).all()):
        wrong = truth[~np.isin(truth, (-1, 0, 1))]
        msg = (
            "accuracy() of one score for each example expects the targets 0 and 1, or -1 and 1, not "
            f"{wrong[0] if len(wrong) else 'all three'}: to predict other numbers, write a metric of your own"
        )
        raise ValueError(msg)
    return float(np.mean(((scores > as_float(threshold)) == (truth > 0)) & ~np.isnan(scores)))


def _numbers(x: Any, name: str) -> Any:
    """Return ``x``, which may hold Values, as an array of real numbers. TypeError or ValueError if it is not one."""
    array = arrays.as_array(x, f"accuracy(): {name}")
    if array.dtype == object and all(isinstance(item, Value) for item in array.flat):
        return np.array([item.data for item in array.flat], float).reshape(array.shape)
    if array.dtype.kind not in "fiub":
        msg = f"accuracy(): {name} must be real numbers, not of {array.dtype}, such as {shown(array.ravel()[:1].tolist())}"
        raise TypeError(msg)
    return array
