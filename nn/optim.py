"""Optimizers: a step is arithmetic on flat arrays of numbers and of their gradients. Formulas and defaults are PyTorch's."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autograd import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

Array = NDArray[np.float64]


class Optimizer:
    """The base of optimizers: ``step()`` moves the parameters against their grads, ``zero_grad()`` forgets the grads."""

    def __init__(self, parameters: Iterable[Value], lr: float, weight_decay: float) -> None:
        if not hasattr(parameters, "__iter__"):
            msg = f"{type(self).__name__} takes a list of parameters, not {type(parameters).__name__}: pass model.parameters()"
            raise TypeError(msg)
        self.parameters = [*parameters]
        if not self.parameters:
            msg = f"{type(self).__name__} got no parameters: pass model.parameters()"
            raise ValueError(msg)
        for parameter in self.parameters:
            if not isinstance(parameter, Value) or parameter.op is not None:
                msg = f"{type(self).__name__} moves variables, and {parameter!r:.60} is none: pass model.parameters()"
                raise TypeError(msg)
        self.lr = _at_least_0("lr", lr)
        self.weight_decay = _at_least_0("weight_decay", weight_decay)

    def step(self) -> None:
        """Move every parameter once, by its grad."""
        theta = np.array([parameter.data for parameter in self.parameters])
        gradient = np.array([parameter.grad for parameter in self.parameters])
        moved = self.update(theta, gradient)
        for parameter, number in zip(self.parameters, moved.tolist(), strict=True):
            parameter.data = number

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def update(self, theta: Array, gradient: Array) -> Array:
        """The numbers after a step from ``theta`` with this ``gradient``, both of shape (parameters,)."""
        return self.moved(theta, gradient + self.weight_decay * theta if self.weight_decay else gradient)

    def moved(self, theta: Array, gradient: Array) -> Array:
        """The same, where ``gradient`` includes the weight decay."""
        raise NotImplementedError

    def __repr__(self) -> str:
        settings = {k: v for k, v in vars(self).items() if not k.startswith("_") and k != "parameters"}
        return f"{type(self).__name__}({len(self.parameters)} parameters, {', '.join(f'{k}={v}' for k, v in settings.items())})"


class SGD(Optimizer):
    """Gradient descent: ``v = momentum * v + g``, then ``θ = θ - lr * v`` (with ``nesterov``: ``lr * (g + momentum * v)``).

    >>> x = Value(1.0)
    >>> optimizer = SGD([x], lr=0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> x.data                               # 1 - 0.1 · 2
    0.8
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        momentum: float = 0.0,
        nesterov: bool = False,  # noqa: FBT001, FBT002 - PyTorch's users pass it by position, too
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = _at_least_0("momentum", momentum)
        self.nesterov = nesterov
        if nesterov and not momentum:
            msg = "nesterov needs a momentum above 0"
            raise ValueError(msg)
        self._velocity = np.zeros(len(self.parameters))

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See the class."""
        self._velocity = self.momentum * self._velocity + gradient
        direction = gradient + self.momentum * self._velocity if self.nesterov else self._velocity
        return theta - self.lr * direction


class Adam(Optimizer):
    """Steps of about ``lr``, whatever the size of the gradients: the mean gradient over the root of its mean square.

    Both means forget exponentially, by ``betas``, and are corrected for starting at 0 (Kingma & Ba 2015, algorithm 1).
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.betas = betas
        self.eps = _at_least_0("eps", eps)
        if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):  # noqa: PLR2004 - a pair
            msg = f"betas must be two numbers, at least 0 and below 1, not {betas!r}"
            raise ValueError(msg)
        self._steps = 0
        self._mean = np.zeros(len(self.parameters))
        self._square = np.zeros(len(self.parameters))

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See the class."""
        b1, b2 = self.betas
        self._steps += 1
        self._mean = b1 * self._mean + (1.0 - b1) * gradient
        self._square = b2 * self._square + (1.0 - b2) * gradient**2
        mean = self._mean / (1.0 - b1**self._steps)
        square = self._square / (1.0 - b2**self._steps)
        return theta - self.lr * mean / (np.sqrt(square) + self.eps)


def _at_least_0(name: str, x: Any) -> float:
    if not isinstance(x, numbers.Real) or not float(x) >= 0.0:
        msg = f"{name} must be 0 or more, not {x!r}"
        raise ValueError(msg)
    return float(x)
