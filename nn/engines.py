"""Engines compute a loss and its gradient at flat arrays of parameters: by a compiled program, or by graphs of Values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import autograd
from autograd import Value, gradient, math, no_grad, trees
from nn.examples import Data, example, leaves
from nn.vectors import vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[Any]
Model = Callable[[Any], Any]
Loss = Callable[[Any, Any], Any]


@dataclass
class Engine:
    """Three functions of ``theta``, which holds the parameters' numbers in their order, and of the examples ``x`` and ``y``."""

    value_and_grad: Callable[[Array, Data, Data], tuple[float, Array]]
    """Return the mean loss, and its derivative by each number in ``theta``."""
    value: Callable[[Array, Data, Data], float]
    """Return the mean loss."""
    predict: Callable[[Array, Data], Any]
    """Return the model's predictions of all examples ``x``, as arrays."""


def compiled_engine(model: Model, loss: Loss, parameters: Sequence[Value]) -> Engine:
    """Return an engine of programs of ``autograd.compile``. It neither reads nor writes the Values."""

    def example_loss(x: Any, y: Any) -> Any:
        return loss(model(x), y)

    compiled = autograd.compile(example_loss, parameters=parameters)
    predict = autograd.compile(model, reduction=None, parameters=parameters).value
    return Engine(compiled.value_and_grad, compiled.value, predict)


def eager_engine(model: Model, loss: Loss, parameters: Sequence[Value]) -> Engine:
    """Return an engine that writes ``theta`` to the parameters and records a graph of Values for each batch."""

    def mean_loss(theta: Array, x: Data, y: Data) -> Value:
        vector_to_parameters(theta, parameters)
        losses = [loss(model(xi), yi) for xi, yi in zip(_examples(x), _examples(y), strict=True)]
        mean = math.fsum(losses) / len(losses)
        return mean if isinstance(mean, Value) else Value(mean)  # losses may be plain numbers, as max(0, 1 - x) where it is 0

    def value_and_grad(theta: Array, x: Data, y: Data) -> tuple[float, Array]:
        mean = mean_loss(theta, x, y)
        return mean.data, np.array(gradient(mean, parameters))

    def value(theta: Array, x: Data, y: Data) -> float:
        with no_grad():
            return mean_loss(theta, x, y).data

    def predict(theta: Array, x: Data) -> Any:
        vector_to_parameters(theta, parameters)
        with no_grad():
            return _stacked([model(xi) for xi in _examples(x)])

    return Engine(value_and_grad, value, predict)


def _examples(data: Data) -> list[Any]:
    """Return the examples one by one, with lists in place of arrays."""
    return [example(data, i) for i in range(len(leaves(data)[0]))]


def _stacked(predictions: list[Any]) -> Any:
    """Return the predictions as arrays, in a tree like that of one prediction.

    The predictions {"a": 1.0, "b": [2.0, 3.0]} and {"a": 4.0, "b": [5.0, 6.0]} become {"a": array([1., 4.]),
    "b": array([[2., 3.], [5., 6.]])}.
    """
    return trees.map(lambda *items: np.array([trees.map(_number, item, lists=True) for item in items]), *predictions)


def _number(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x
