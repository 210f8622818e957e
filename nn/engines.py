"""What computes a loss and its gradient at flat arrays of parameters: a compiled program, or a graph of Values each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

import autograd
from autograd import Value, gradient, math, no_grad
from nn.examples import Data, example, leaves, mapped
from nn.vectors import vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = NDArray[Any]


class Engine(Protocol):
    """Both have these; ``theta`` has the order of the parameters that they were made with."""

    def value_and_grad(self, theta: Array, x: Data, y: Data) -> tuple[float, Array]:
        """The mean loss, and its derivative by each number in ``theta``."""

    def value(self, theta: Array, x: Data, y: Data) -> float:
        """The mean loss."""

    def predict(self, theta: Array, x: Data) -> Any:
        """What the model makes of each example."""


class CompiledEngine:
    """Programs of ``autograd.compile``: the Values are neither read nor written."""

    def __init__(self, model: Callable[[Any], Any], loss: Callable[[Any, Any], Any], parameters: Sequence[Value]) -> None:
        def example_loss(x: Any, y: Any) -> Any:
            return loss(model(x), y)

        compiled = autograd.compile(example_loss, parameters=parameters)
        self.value_and_grad, self.value = compiled.value_and_grad, compiled.value
        self.predict = autograd.compile(model, reduction=None, parameters=parameters).value


class EagerEngine:
    """Graphs of Values, one for each batch; ``theta`` is written to the parameters first."""

    def __init__(self, model: Callable[[Any], Any], loss: Callable[[Any, Any], Any], parameters: Sequence[Value]) -> None:
        self.model, self.loss, self.parameters = model, loss, parameters

    def value_and_grad(self, theta: Array, x: Data, y: Data) -> tuple[float, Array]:
        """See Engine."""
        mean = self._mean(theta, x, y)
        return mean.data, np.array(gradient(mean, self.parameters))

    def value(self, theta: Array, x: Data, y: Data) -> float:
        """See Engine."""
        with no_grad():
            return self._mean(theta, x, y).data

    def predict(self, theta: Array, x: Data) -> Any:
        """See Engine."""
        vector_to_parameters(theta, self.parameters)
        with no_grad():
            return _stacked([self.model(example) for example in _examples(x)])

    def _mean(self, theta: Array, x: Data, y: Data) -> Value:
        vector_to_parameters(theta, self.parameters)
        losses = [self.loss(self.model(xi), yi) for xi, yi in zip(_examples(x), _examples(y), strict=True)]
        mean = math.fsum(losses) / len(losses)
        return mean if isinstance(mean, Value) else Value(mean)  # of losses that are plain numbers, as max(0, 1 - x) may be


def _examples(data: Data) -> list[Any]:
    """The examples one by one, arrays as lists."""
    return [example(data, i) for i in range(len(leaves(data)[0]))]


def _stacked(predictions: list[Any]) -> Any:
    """The predictions as arrays, in the dicts and tuples in which the model returned them."""
    columns = zip(*[leaves(prediction) for prediction in predictions], strict=True)
    return mapped(lambda _: np.array([_numbers(item) for item in next(columns)]), predictions[0])


def _numbers(prediction: Any) -> Any:
    """The numbers of Values in nested lists."""
    if isinstance(prediction, list | tuple):
        return [_numbers(item) for item in prediction]
    return prediction.data if isinstance(prediction, Value) else prediction
