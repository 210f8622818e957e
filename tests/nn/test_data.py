"""The data that nn takes: trees of arrays. Data with more than its numbers, such as a mask, is refused."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value
from autograd import scipy as of_scipy

MASKED = np.ma.array([1.0, 0.0, 1.0], mask=[False, True, False])
ROWS = np.ma.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], mask=[[False, True], [False, False], [False, False]])
X = np.array(ROWS)
Y = np.array(MASKED)


def fit(x: Any, y: Any, **options: Any) -> Any:
    return nn.fit(nn.MLP(2, [1], rng=0), x, y, loss=nn.mse_loss, epochs=1, progress=False, **options)


ENTRIES: dict[str, Any] = {
    "X of fit": lambda: fit(ROWS, Y),
    "y of fit": lambda: fit(X, MASKED),
    "validation of fit": lambda: fit(X, Y, validation=(ROWS, Y)),
    "fit, eager": lambda: fit(ROWS, Y, compiled=False),
    "predictions of mse_loss": lambda: nn.mse_loss(MASKED, [1.0, 0.0, 1.0]),
    "targets of mse_loss": lambda: nn.mse_loss([Value(1.0)] * 3, MASKED),
    "binary_cross_entropy": lambda: nn.binary_cross_entropy([0.5] * 3, MASKED),
    "cross_entropy": lambda: nn.cross_entropy(ROWS, [0, 1, 0]),
    "classes of cross_entropy": lambda: nn.cross_entropy(X, MASKED),
    "likelihood": lambda: nn.likelihood(MASKED, [0, 1, 0]),
    "accuracy": lambda: nn.accuracy(MASKED, [0, 1, 0]),
    "targets of accuracy": lambda: nn.accuracy([1.0, 1.0, 1.0], MASKED),
    "vector_to_parameters": lambda: nn.vector_to_parameters(MASKED, [Value(0.0) for _ in range(3)]),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_mask_is_not_lost(entry: str) -> None:
    """Mistake: masked numbers were used as data."""
    with pytest.raises(ValueError, match=r"has masked items, and the mask would be lost: fill it with \.filled\(\), or drop"):
        ENTRIES[entry]()


def test_a_mask_is_not_lost_by_a_search() -> None:
    pytest.importorskip("scipy")
    with pytest.raises(ValueError, match="^x0 has masked items"):
        of_scipy.minimize(lambda x: x[0] ** 2, MASKED)


def test_a_mask_is_not_lost_by_estimators() -> None:
    """scikit-learn would use masked numbers as data."""
    pytest.importorskip("sklearn")
    from nn.sklearn import ValueClassifier, ValueRegressor  # noqa: PLC0415 - an extra

    labels = np.ma.array([0, 1, 0], mask=[False, False, True])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one step is not enough
        fitted = ValueRegressor(max_iter=1).fit(X, Y)
    for estimate in (
        lambda: ValueRegressor().fit(ROWS, Y),
        lambda: ValueRegressor().fit(X, MASKED),
        lambda: ValueRegressor().fit(X, Y, sample_weight=MASKED),
        lambda: fitted.predict(ROWS),
        lambda: ValueClassifier().fit(ROWS, [0, 1, 0]),
        lambda: ValueClassifier().fit(X, labels),
        lambda: ValueClassifier().fit(X, [0, 1, 0], sample_weight=MASKED),
    ):
        with pytest.raises(ValueError, match="(X|y|sample_weight) has masked items"):
            estimate()


@pytest.mark.parametrize("x", [{}, (), {"a": ()}])
def test_data_without_an_array(x: Any) -> None:
    """Mistake: the error was an IndexError from inside the package."""
    with pytest.raises(ValueError, match=r"^X is .*, which holds no array: pass a list or an array of examples"):
        fit(x, Y)


def in_itself() -> Any:
    x: dict[str, Any] = {}
    x["x"] = x
    return x


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[10**400, 1.0]] * 3, ValueError, "X holds a whole number that is too large for a float"),
        (in_itself(), ValueError, "X is nested in itself"),
        ([{"a": 1.0}] * 3, TypeError, "X must be an array of real numbers, not of object"),
        ({"a": X, "b": "no"}, TypeError, r"X\['b'\] must be an array of real numbers"),
    ],
)
def test_data_that_is_refused_is_named(x: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        fit(x, Y)


@dataclass(frozen=True)
class Pair:
    left: Any
    right: Any


class OfPairs(nn.Module):
    """A model that returns the slope times the sum, and the left number."""

    def __init__(self) -> None:
        self.slope = Value(0.5)

    def forward(self, x: Pair) -> Pair:
        return Pair(self.slope * (x.left + x.right), x.left)


@pytest.mark.parametrize("compiled", [True, False])
def test_dataclasses_as_inputs_targets_and_predictions(compiled: bool) -> None:  # noqa: FBT001 - both engines
    seen = []

    def metric(predictions: Pair, targets: Pair) -> float:
        seen.append((type(predictions), type(targets), predictions.left.tolist(), predictions.right.tolist()))
        return 0.0

    model = OfPairs()
    history = nn.fit(
        model, Pair([1.0, 2.0], [1.0, 0.0]), Pair([2.0, 2.0], [0.0, 0.0]), loss=lambda p, t: (p.left - t.left) ** 2 + t.right,
        optimizer=nn.SGD(model.parameters(), lr=0.125), epochs=1, batch_size=None, metric=metric, progress=False,
        compiled=compiled,
    )  # fmt: skip
    assert history.loss.tolist() == [1.0]  # 0.5 · 2 - 2, squared; the slope of which is 2 · (-1) · 2
    assert seen == [(Pair, Pair, [2.0, 2.0], [1.0, 2.0])]  # with 0.5 + 0.125 · 4
