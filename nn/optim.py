"""Optimizers: a step is arithmetic on flat arrays of numbers and of their gradients. Formulas and defaults are PyTorch's.

There are two kinds. An :class:`Optimizer` steps along one gradient: it says in ``moved`` how far. A search, such as
:class:`LBFGS`, evaluates the loss at many places before it steps. Both are a :class:`BaseOptimizer`, and that is all that
``nn.fit``, schedules and checkpoints know.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autograd import Value
from nn.errors import shown
from nn.settings import ABOVE_0, FRACTION, as_float, at_least_1, check_state, flag, number
from nn.vectors import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Array = NDArray[np.float64]
LossAndGradient = Callable[[Array], tuple[float, Array]]
"""A function of the parameters' numbers, as ``value_and_grad`` of a compiled loss."""

_STRUCTURE = ("parameters", "scheduled")
"""The attributes of an optimizer that are neither settings nor state."""
_NORM_EPS = 1e-6
"""PyTorch adds this to the norm of a gradient before it divides by the norm."""


class BaseOptimizer:
    """The base of all optimizers: parameters, a learning rate, and ``descend``, which takes one step.

    Derive from it to write a search that evaluates the loss several times in a step: define ``descend``. To write an
    optimizer that needs one gradient for a step, derive from :class:`Optimizer`. Keep arrays, numbers, booleans and tuples as
    attributes. ``state_dict`` returns all of them: those whose names begin with an underscore are state, the others settings.
    """

    searches = False
    """Whether a step finds its own length. Then there is no learning rate to change, and so no schedule."""
    scheduled: tuple[float, float] | None = None
    """The ``lr`` that schedules start from, and the ``lr`` that a schedule set last."""

    def __init__(self, parameters: Iterable[Value], lr: float) -> None:
        self.parameters = _variables(parameters, type(self).__name__)
        self.lr = number("lr", lr)

    def descend(self, value_and_grad: LossAndGradient, theta: Array) -> tuple[float, Array]:
        """Return the loss at ``theta``, and the parameters' numbers after one step from there.

        ``theta`` has the shape (parameters,) and is not changed. ``value_and_grad(theta)`` returns the loss and its gradient.
        """
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter, and return what the closure returned when it was called first, before the step.

        The closure is called at many places. It sets the grads to 0, computes the loss, calls ``backward()``, and returns the
        loss. TypeError without a closure.
        """
        name = type(self).__name__
        if closure is None:
            msg = f"{name} computes the loss several times in a step: pass step() a closure that computes and returns it"
            raise TypeError(msg)
        _check_closure(closure)
        losses = []

        def value_and_grad(theta: Array) -> tuple[float, Array]:
            vector_to_parameters(theta, self.parameters)
            loss = closure()
            if not isinstance(loss, Value | numbers.Real):
                msg = f"the closure of {name} must return the loss, not {type(loss).__name__} {shown(loss)}"
                raise TypeError(msg)
            losses.append(loss)
            return loss.data if isinstance(loss, Value) else as_float(loss), _grads(self.parameters)

        _, theta = self.descend(value_and_grad, parameters_to_vector(self.parameters))
        vector_to_parameters(theta, self.parameters)
        return losses[0]

    def zero_grad(self, set_to_none: bool = False) -> None:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Set the grad of every parameter to 0, or to None, which counts as 0."""
        for parameter in self.parameters:
            parameter.grad = None if set_to_none else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return all settings and state, by name without underscore: numbers, booleans, tuples, None, and copies of arrays."""
        return {
            name.removeprefix("_"): x.copy() if isinstance(x, np.ndarray) else x
            for name, x in vars(self).items()
            if name not in _STRUCTURE
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the settings and state that ``state_dict`` returned. The next steps are then the same to the last bit.

        KeyError unless the names are those of this optimizer, TypeError for values of another type, ValueError for arrays of
        another length. After an error the optimizer is as it was.
        """
        attributes = {name.removeprefix("_"): name for name in vars(self) if name not in _STRUCTURE}
        mine = {name: getattr(self, attribute) for name, attribute in attributes.items()}
        check_state(self, mine, state)
        for name, old in mine.items():
            if isinstance(old, np.ndarray) and np.shape(state[name]) != old.shape:
                msg = (
                    f"{name} in the state has the shape {np.shape(state[name])}, but this {type(self).__name__} moves "
                    f"{len(self.parameters)} parameters"
                )
                raise ValueError(msg)
        for name, old in mine.items():
            new = np.array(state[name], old.dtype) if isinstance(old, np.ndarray) else state[name]
            setattr(self, attributes[name], new)

    def __repr__(self) -> str:
        settings = {k: v for k, v in vars(self).items() if not k.startswith("_") and k not in _STRUCTURE}
        return f"{type(self).__name__}({len(self.parameters)} parameters, {', '.join(f'{k}={v}' for k, v in settings.items())})"


class Optimizer(BaseOptimizer):
    """The base of optimizers that step along one gradient: ``step()`` moves the parameters against their grads.

    ``clip_grad_norm`` is the largest norm that the gradient may have. A longer gradient is scaled down to it, as by
    :func:`clip_grad_norm`, before ``weight_decay`` times the parameters is added. For an optimizer of your own, define
    ``moved``, and keep settings and state as attributes, as :class:`BaseOptimizer` says.
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float, weight_decay: float = 0.0, *, clip_grad_norm: float | None = None
    ) -> None:
        super().__init__(parameters, lr)
        self.weight_decay = number("weight_decay", weight_decay)
        self.clip_grad_norm = None if clip_grad_norm is None else number("clip_grad_norm", clip_grad_norm)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter once, by its grad, and return what ``closure`` returned.

        The closure is optional. It is called before the step: it sets the grads to 0, computes the loss, and calls
        ``backward()``.
        """
        loss = None if closure is None else _check_closure(closure)()
        theta = parameters_to_vector(self.parameters)
        vector_to_parameters(self.update(theta, _grads(self.parameters)), self.parameters)
        return loss

    def descend(self, value_and_grad: LossAndGradient, theta: Array) -> tuple[float, Array]:
        """See the base."""
        loss, gradient = value_and_grad(theta)
        return loss, self.update(theta, gradient)

    def update(self, theta: Array, gradient: Array) -> Array:
        """Return the parameters' numbers after a step from ``theta``. Arrays have the shape (parameters,) and do not change."""
        theta, gradient = self._checked(theta, gradient)
        gradient = self._clipped(gradient)
        if self.weight_decay:
            theta, gradient = self._decayed(theta, gradient)
        return self.moved(theta, gradient)

    def moved(self, theta: Array, gradient: Array) -> Array:
        """Return the same as ``update``, of a gradient that is clipped and includes the weight decay."""
        raise NotImplementedError

    def _decayed(self, theta: Array, gradient: Array) -> tuple[Array, Array]:
        return theta, gradient + self.weight_decay * theta

    def _checked(self, theta: Any, gradient: Any) -> tuple[Array, Array]:
        """Return both as arrays of one number for each parameter. ValueError for other shapes, which NumPy might broadcast."""
        shape = (len(self.parameters),)
        flat = type(theta) is type(gradient) is np.ndarray and theta.shape == gradient.shape == shape
        if not (flat and theta.dtype == gradient.dtype == float):
            try:
                theta, gradient = np.array(theta, float), np.array(gradient, float)
            except Exception as error:  # not a number, ragged, or an object that raises when it becomes an array
                msg = f"update() takes two arrays of {shape[0]} numbers: {error}"
                raise TypeError(msg) from error
            if not theta.shape == gradient.shape == shape:
                msg = (
                    f"update() takes two arrays of shape {shape}, one number for each parameter, not {theta.shape} and "
                    f"{gradient.shape}"
                )
                raise ValueError(msg)
        return theta, gradient

    def _clipped(self, gradient: Array) -> Array:
        if self.clip_grad_norm is None:
            return gradient
        with np.errstate(over="ignore"):
            norm = math.sqrt(gradient.dot(gradient))
        if norm == math.inf:  # the squares may have overflowed where the norm does not
            norm = _norm(gradient)
        factor = self.clip_grad_norm / (norm + _NORM_EPS)
        return gradient * factor if factor < 1.0 else gradient


class SGD(Optimizer):
    """Gradient descent with momentum: ``v = momentum * v + (1 - dampening) * g``, and then ``θ = θ - lr * v``.

    In the first step ``v = g``. With ``nesterov`` the second formula is ``θ = θ - lr * (g + momentum * v)``.

    >>> x = Value(1.0)
    >>> optimizer = SGD([x], lr=0.1)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> x.data                               # 1 - 0.1 · 2
    0.8
    """

    def __init__(  # noqa: PLR0913, PLR0917 - PyTorch's signature
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,  # noqa: FBT001, FBT002 - PyTorch's signature
        *,
        clip_grad_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, clip_grad_norm=clip_grad_norm)
        self.momentum = number("momentum", momentum)
        self.dampening = number("dampening", dampening)
        self.nesterov = flag("nesterov", nesterov)
        if self.nesterov and (not momentum or dampening):
            msg = "nesterov needs a momentum above 0 and a dampening of 0"
            raise ValueError(msg)
        self._velocity = np.zeros(len(self.parameters))
        self._moving = False

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See the class."""
        if not self.momentum:
            return theta - self.lr * gradient
        velocity = self._velocity
        velocity *= self.momentum
        velocity += (1.0 - self.dampening) * gradient if self.dampening and self._moving else gradient
        self._moving = True
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return theta - self.lr * direction


class Adam(Optimizer):
    """The step is ``lr`` times the mean gradient divided by the root of the mean square gradient (Kingma & Ba 2015).

    So steps are about ``lr`` long, however large the gradients are. Both means are exponential moving averages, with the decay
    rates ``betas``, and are corrected for starting at 0 (algorithm 1, in the order of section 2). ``weight_decay`` times the
    parameters is added to the gradient; see AdamW for the other kind.

    >>> x = Value(1.0)
    >>> optimizer = Adam([x], lr=0.1, eps=2.0)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> x.data                               # 1 - 0.1 · 2 / (√4 + 2)
    0.95
    """

    def __init__(  # noqa: PLR0913 - PyTorch's signature
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        clip_grad_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, clip_grad_norm=clip_grad_norm)
        if not isinstance(betas, tuple | list) or len(betas) != 2:  # noqa: PLR2004 - a pair
            msg = f"betas must be two numbers, at least 0 and below 1, not {shown(betas)}"
            raise ValueError(msg)
        self.betas = (number("betas[0]", betas[0], FRACTION), number("betas[1]", betas[1], FRACTION))
        self.eps = number("eps", eps)
        self._steps = 0
        self._mean = np.zeros(len(self.parameters))
        self._square = np.zeros(len(self.parameters))

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See the class."""
        b1, b2 = self.betas
        mean, square = self._mean, self._square
        self._steps += 1
        mean *= b1
        mean += (1.0 - b1) * gradient
        square *= b2
        change = (1.0 - b2) * gradient  # in PyTorch's order, which overflows for larger gradients only
        change *= gradient
        square += change
        # lr * (mean / c1) / (√(square / c2) + eps), where the corrections are two numbers, which cost less than on arrays
        root_c2 = math.sqrt(1.0 - b2**self._steps)
        root = np.sqrt(square, out=change)
        root += self.eps * root_c2
        change = np.divide(mean, root, out=root)
        change *= self.lr * root_c2 / (1.0 - b1**self._steps)
        return np.subtract(theta, change, out=change)


class AdamW(Adam):
    """Adam with decoupled weight decay: ``θ = θ - lr * weight_decay * θ`` before each step (Loshchilov & Hutter 2019).

    >>> x = Value(1.0)
    >>> optimizer = AdamW([x], lr=0.1, eps=2.0, weight_decay=0.5)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> round(x.data, 15)                    # 1 - 0.1 · 0.5 · 1 - 0.1 · 2 / (√4 + 2)
    0.9
    """

    def __init__(  # noqa: PLR0913 - PyTorch's signature
        self,
        parameters: Iterable[Value],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        clip_grad_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, clip_grad_norm=clip_grad_norm)

    def _decayed(self, theta: Array, gradient: Array) -> tuple[Array, Array]:
        return theta * (1.0 - self.lr * self.weight_decay), gradient


class RMSprop(Optimizer):
    """The step is ``lr`` times the gradient divided by the root of the mean square gradient (Hinton 2012, lecture 6).

    The mean is an exponential moving average with the decay rate ``alpha``. With ``centered``, the variance replaces the mean
    square (Graves 2013). With ``momentum``, the step is ``lr`` times ``v = momentum * v + g / root``.

    >>> x = Value(1.0)
    >>> optimizer = RMSprop([x], lr=0.1, alpha=0.75, eps=1.0)
    >>> (x * x).backward()
    >>> optimizer.step()
    >>> x.data                               # 1 - 0.1 · 2 / (√(0.25 · 4) + 1)
    0.9
    """

    def __init__(  # noqa: PLR0913, PLR0917 - PyTorch's signature
        self,
        parameters: Iterable[Value],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,  # noqa: FBT001, FBT002 - PyTorch's signature
        *,
        clip_grad_norm: float | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, clip_grad_norm=clip_grad_norm)
        self.alpha = number("alpha", alpha, FRACTION)
        self.eps = number("eps", eps)
        self.momentum = number("momentum", momentum)
        self.centered = flag("centered", centered)
        self._square = np.zeros(len(self.parameters))
        self._mean = np.zeros(len(self.parameters))
        self._velocity = np.zeros(len(self.parameters))

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See the class."""
        square, mean, velocity = self._square, self._mean, self._velocity
        square *= self.alpha
        change = (1.0 - self.alpha) * gradient  # as in Adam
        change *= gradient
        square += change
        if self.centered:
            mean += (1.0 - self.alpha) * (gradient - mean)
            np.subtract(square, mean * mean, out=change)
            np.maximum(change, 0.0, out=change)  # rounding may go below 0 where the gradient is constant
            root = np.sqrt(change, out=change)
        else:
            root = np.sqrt(square, out=change)
        root += self.eps
        direction = np.divide(gradient, root, out=root)
        if self.momentum:
            velocity *= self.momentum
            velocity += direction
            direction = velocity
        return theta - self.lr * direction


class LBFGS(BaseOptimizer):
    """A quasi-Newton search for the minimum of a loss of all examples at once: SciPy's L-BFGS-B, which has a line search.

    A step is at most ``max_iter`` iterations and about ``max_eval`` evaluations of the loss (default: 5/4 of ``max_iter``). It
    ends earlier where no partial derivative is above ``tolerance_grad``, or where an iteration lowers the loss by a fraction
    less than ``tolerance_change``. ``history_size`` is the number of iterations that it remembers. Each step starts with an
    empty memory, so few steps of many iterations are better than many steps of few iterations.

    The line search finds the length of each iteration: ``lr`` must be 1, and there is no clipping and no schedule. For weight
    decay, add it to the loss. ImportError without SciPy (extra ``[scipy]``).

    >>> x = Value(5.0)
    >>> optimizer = LBFGS([x])
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (x - 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).data         # before the step
    9.0
    >>> round(x.data, 6)
    2.0
    """

    searches = True

    def __init__(  # noqa: PLR0913, PLR0917 - PyTorch's signature
        self,
        parameters: Iterable[Value],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
    ) -> None:
        super().__init__(parameters, lr)
        self.weight_decay, self.clip_grad_norm = 0.0, None  # settings of every optimizer in the files of checkpoints
        self.max_iter = at_least_1("max_iter", max_iter)
        self.max_eval = self.max_iter * 5 // 4 if max_eval is None else at_least_1("max_eval", max_eval)
        self.tolerance_grad = number("tolerance_grad", tolerance_grad)
        self.tolerance_change = number("tolerance_change", tolerance_change)
        self.history_size = at_least_1("history_size", history_size)
        self._check_settings()

    def descend(self, value_and_grad: LossAndGradient, theta: Array) -> tuple[float, Array]:
        """See the base. The loss is evaluated several times."""
        loss, theta, _ = self._search(value_and_grad, theta)
        return loss, theta

    def _search(
        self, value_and_grad: LossAndGradient, theta: Array, callback: Callable[..., object] | None = None
    ) -> tuple[float, Array, Any]:
        """Return what ``descend`` returns, and SciPy's OptimizeResult. SciPy calls ``callback`` after each iteration."""
        try:
            from scipy.optimize import minimize  # noqa: PLC0415 - an extra
        except ImportError as error:
            msg = 'LBFGS needs SciPy: python -m pip install "scalar-autograd[scipy]"'
            raise ImportError(msg) from error
        self._check_settings()
        losses = []

        def evaluate(there: Array) -> tuple[float, Array]:
            loss, gradient = value_and_grad(there)
            losses.append(loss)
            return loss, gradient

        options = {
            "maxiter": self.max_iter,
            "maxfun": self.max_eval,
            "gtol": self.tolerance_grad,
            "ftol": self.tolerance_change,
            "maxcor": self.history_size,
        }
        found = minimize(evaluate, theta, jac=True, method="L-BFGS-B", callback=callback, options=options)
        better = found.fun <= losses[0]  # False if the search ended where the loss is NaN
        return losses[0], found.x if better else theta, found

    def _check_settings(self) -> None:
        if self.lr != 1.0 or self.weight_decay or self.clip_grad_norm is not None:
            msg = (
                f"LBFGS finds the length of its steps by a line search, so it takes lr=1.0, weight_decay=0.0 and "
                f"clip_grad_norm=None, and no schedule, but it has lr={self.lr}, weight_decay={self.weight_decay}, "
                f"clip_grad_norm={self.clip_grad_norm}: leave them as they are"
            )
            raise ValueError(msg)


def clip_grad_norm(parameters: Iterable[Value], max_norm: float, norm_type: float = 2.0) -> float:
    """Scale all grads down so that their norm is at most ``max_norm``, and return the norm that they had.

    This is PyTorch's ``clip_grad_norm_``: grads are multiplied by ``max_norm / (norm + 1e-6)`` where that is below 1. The norm
    is the ``norm_type``-th root of the sum of the powers of all grads together. For ``math.inf`` it is the largest absolute
    value. If a grad is NaN, no grad changes. If a grad is infinite, it becomes NaN and the finite ones become 0.

    >>> x, y = Value(1.0), Value(2.0)
    >>> (3 * x + 4 * y).backward()
    >>> clip_grad_norm([x, y], 1.0)
    5.0
    >>> round(x.grad, 6), round(y.grad, 6)
    (0.6, 0.8)
    """
    variables = _variables(parameters, "clip_grad_norm()")
    if not (isinstance(max_norm, float) and max_norm == math.inf):
        max_norm = number("max_norm", max_norm)
    words, above_0 = ABOVE_0
    norm = _norm(_grads(variables), number("norm_type", norm_type, (f"{words}, or math.inf", above_0)))
    factor = max_norm / (norm + _NORM_EPS)
    if factor < 1.0:
        for parameter in variables:
            if parameter.grad is not None:
                parameter.grad *= factor
    return norm


def _grads(parameters: Iterable[Value]) -> Array:
    """Return the grads as a flat array. None counts as 0."""
    return np.array([parameter.grad or 0.0 for parameter in parameters])


def _norm(gradient: Array, order: float = 2.0) -> float:
    """Return the norm of ``gradient``, scaled so that its powers neither overflow nor vanish.

    The norm of (3e200, 4e200) is 4e200 times the norm of (0.75, 1): 5e200, though the squares are infinite.
    """
    largest = float(np.max(np.abs(gradient)))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(gradient / largest, order))


def _check_closure(x: Any) -> Any:
    if not callable(x):
        msg = f"step() takes a closure, a function that computes the loss, not {type(x).__name__} {shown(x)}"
        raise TypeError(msg)
    return x


def _variables(parameters: Iterable[Value], whose: str) -> list[Value]:
    """Return the parameters in a list. Raise unless they are variables, at least one, and each once."""
    try:
        variables = [*parameters]
    except TypeError:
        msg = f"{whose} takes a list of parameters, not {type(parameters).__name__}: pass model.parameters()"
        raise TypeError(msg) from None
    if not variables:
        msg = f"{whose} got no parameters: pass model.parameters()"
        raise ValueError(msg)
    for parameter in variables:
        if not isinstance(parameter, Value) or parameter.op is not None:
            msg = f"{whose} moves variables, and {shown(parameter)} is not a variable: pass model.parameters()"
            raise TypeError(msg)
    if len(set(variables)) < len(variables):
        msg = f"{whose} got a parameter twice: pass each parameter once"
        raise ValueError(msg)
    return variables
