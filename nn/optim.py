"""Optimizers: a step is arithmetic on flat arrays of numbers and of their gradients. Formulas and defaults are PyTorch's."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autograd import Value
from nn.errors import shown
from nn.vectors import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Array = NDArray[np.float64]

_STRUCTURE = ("parameters", "scheduled")
"""The attributes of an optimizer that are neither settings nor state."""
_NORM_EPS = 1e-6
"""PyTorch adds it to the norm of a gradient, to divide by."""


class Optimizer:
    """The base of optimizers: ``step()`` moves the parameters against their grads, ``zero_grad()`` forgets the grads.

    ``clip_grad_norm`` is how long the gradient may be, see :func:`clip_grad_norm`; it is clipped before weights decay. For an
    optimizer of your own, define ``moved`` and keep arrays, numbers, booleans and tuples as attributes: those whose names
    begin with an underscore are state, the others settings, and ``state_dict`` has both.
    """

    scheduled: tuple[float, float] | None = None
    """The ``lr`` from which schedules reckon, and the one that a schedule set last."""

    def __init__(
        self, parameters: Iterable[Value], lr: float, weight_decay: float = 0.0, *, clip_grad_norm: float | None = None
    ) -> None:
        self.parameters = _variables(parameters, type(self).__name__)
        self.lr = _at_least_0("lr", lr)
        self.weight_decay = _at_least_0("weight_decay", weight_decay)
        self.clip_grad_norm = None if clip_grad_norm is None else _at_least_0("clip_grad_norm", clip_grad_norm)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter once, by its grad; returns what ``closure`` returned.

        The closure, if there is one, is called first: it sets the grads to 0, computes the loss, and calls ``backward()``.
        """
        loss = None if closure is None else _closure(closure)()
        theta = parameters_to_vector(self.parameters)
        vector_to_parameters(self.update(theta, self._gradient()), self.parameters)
        return loss

    def zero_grad(self, set_to_none: bool = False) -> None:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Set the grad of every parameter to 0, or to None, which counts as 0."""
        for parameter in self.parameters:
            parameter.grad = None if set_to_none else 0.0

    def descend(self, value_and_grad: Callable[[Array], tuple[float, Array]], theta: Array) -> tuple[float, Array]:
        """The loss at ``theta``, and the numbers after a step from there; ``value_and_grad`` is as that of a compiled loss."""
        loss, gradient = value_and_grad(theta)
        return loss, self.update(theta, gradient)

    def update(self, theta: Array, gradient: Array) -> Array:
        """The numbers after a step from ``theta`` with this ``gradient``, of shape (parameters,) each; both stay the same."""
        theta, gradient = self._checked(theta, gradient)
        gradient = self._clipped(gradient)
        if self.weight_decay:
            gradient = gradient + self.weight_decay * theta
        return self.moved(theta, gradient)

    def moved(self, theta: Array, gradient: Array) -> Array:
        """The same, where ``gradient`` is clipped and includes the weight decay."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """All settings and state, by name without underscore: numbers, booleans, tuples, None, and copies of arrays."""
        return {
            name.removeprefix("_"): x.copy() if isinstance(x, np.ndarray) else x
            for name, x in vars(self).items()
            if name not in _STRUCTURE
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings and state, so that the steps to come are the same to the bit.

        KeyError unless the names are those of this optimizer; ValueError for arrays of another length. Nothing is changed then.
        """
        attributes = {name.removeprefix("_"): name for name in vars(self) if name not in _STRUCTURE}
        check_names(self, attributes, state)
        for name, attribute in attributes.items():
            mine, new = getattr(self, attribute), state[name]
            check_setting(name, mine, new)
            if isinstance(mine, np.ndarray) and np.shape(new) != mine.shape:
                msg = (
                    f"{name} has the shape {np.shape(new)}, and this {type(self).__name__} has {len(self.parameters)} "
                    "parameters to move"
                )
                raise ValueError(msg)
        for name, attribute in attributes.items():
            mine = getattr(self, attribute)
            setattr(self, attribute, np.array(state[name], mine.dtype) if isinstance(mine, np.ndarray) else state[name])

    def __repr__(self) -> str:
        settings = {k: v for k, v in vars(self).items() if not k.startswith("_") and k not in _STRUCTURE}
        return f"{type(self).__name__}({len(self.parameters)} parameters, {', '.join(f'{k}={v}' for k, v in settings.items())})"

    def _checked(self, theta: Any, gradient: Any) -> tuple[Array, Array]:
        """Both as arrays of one number for each parameter; ValueError for anything else, which NumPy might spread out."""
        shape = (len(self.parameters),)
        flat = type(theta) is type(gradient) is np.ndarray and theta.shape == gradient.shape == shape
        if not (flat and theta.dtype == gradient.dtype == float):
            try:
                theta, gradient = np.array(theta, float), np.array(gradient, float)
            except Exception as error:  # of what is no number, ragged, or does not become an array
                msg = f"update() takes two arrays of {shape[0]} numbers: {error}"
                raise TypeError(msg) from error
            if not theta.shape == gradient.shape == shape:
                msg = f"update() takes two arrays of shape {shape}, one number a parameter, not {theta.shape}, {gradient.shape}"
                raise ValueError(msg)
        return theta, gradient

    def _clipped(self, gradient: Array) -> Array:
        if self.clip_grad_norm is None:
            return gradient
        with np.errstate(over="ignore"):
            norm = math.sqrt(gradient.dot(gradient))
        if norm == math.inf:  # of the squares, perhaps, and not of the gradient
            norm = _norm(gradient)
        factor = self.clip_grad_norm / (norm + _NORM_EPS)
        return gradient * factor if factor < 1.0 else gradient

    def _gradient(self) -> Array:
        return _grads(self.parameters)


class SGD(Optimizer):
    """Gradient descent: ``v = momentum * v + (1 - dampening) * g``, at first ``v = g``, and then ``θ = θ - lr * v``.

    With ``nesterov`` it is ``θ = θ - lr * (g + momentum * v)``.

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
        self.momentum = _at_least_0("momentum", momentum)
        self.dampening = _at_least_0("dampening", dampening)
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
    """Steps of about ``lr``, whatever the size of the gradients: the mean gradient over the root of its mean square.

    Both means forget exponentially, by ``betas``, and are corrected for starting at 0 (Kingma & Ba 2015, algorithm 1, in the
    order of its section 2). ``weight_decay`` is added to the gradient; see AdamW for the other kind.

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
        if not isinstance(betas, tuple | list) or len(betas) != 2 or not all(map(_is_fraction, betas)):  # noqa: PLR2004 - a pair
            msg = f"betas must be two numbers, at least 0 and below 1, not {shown(betas)}"
            raise ValueError(msg)
        self.betas = (float(betas[0]), float(betas[1]))
        self.eps = _at_least_0("eps", eps)
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
        change = (1.0 - b2) * gradient  # in PyTorch's order, which overflows later
        change *= gradient
        square += change
        # lr * (mean / c1) / (√(square / c2) + eps), with the corrections as factors of numbers instead of arrays
        root_c2 = math.sqrt(1.0 - b2**self._steps)
        root = np.sqrt(square, out=change)
        root += self.eps * root_c2
        change = np.divide(mean, root, out=root)
        change *= self.lr * root_c2 / (1.0 - b1**self._steps)
        return np.subtract(theta, change, out=change)


class AdamW(Adam):
    """Adam whose weights decay by themselves: ``θ = θ - lr * weight_decay * θ`` before each step (Loshchilov & Hutter 2019).

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

    def update(self, theta: Array, gradient: Array) -> Array:
        """See the base."""
        theta, gradient = self._checked(theta, gradient)
        return self.moved(theta * (1.0 - self.lr * self.weight_decay), self._clipped(gradient))


class RMSprop(Optimizer):
    """The gradient over the root of its mean square, which forgets exponentially, by ``alpha`` (Hinton 2012, lecture 6).

    ``centered`` has the variance in place of the mean square (Graves 2013). With ``momentum``, what is multiplied by ``lr``
    is ``v = momentum * v + g / root``.

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
        if not _is_fraction(alpha):
            msg = f"alpha must be a number, at least 0 and below 1, not {shown(alpha)}"
            raise ValueError(msg)
        self.alpha = float(alpha)
        self.eps = _at_least_0("eps", eps)
        self.momentum = _at_least_0("momentum", momentum)
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
            np.maximum(change, 0.0, out=change)  # where the gradient is always the same, rounding may go below
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


class LBFGS(Optimizer):
    """Steps of a quasi-Newton method, for the loss of all examples at once: SciPy's L-BFGS-B, which has a line search.

    A step is at most ``max_iter`` iterations and about ``max_eval`` evaluations of the loss (default: 5/4 of that). It ends
    earlier where no partial derivative is above ``tolerance_grad``, or an iteration lowers the loss by a part of less than
    ``tolerance_change``. ``history_size`` is how many iterations it remembers: of this step only, so few steps of many
    iterations are better than many steps of few.

    The line search says how long a step is, and the loss is that of the search: ``lr`` stays 1, there is no weight decay
    (add it to the loss), no clipping and no schedule. ImportError without SciPy (extra ``[scipy]``).

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
        self.max_iter = at_least_1("max_iter", max_iter)
        self.max_eval = self.max_iter * 5 // 4 if max_eval is None else at_least_1("max_eval", max_eval)
        self.tolerance_grad = _at_least_0("tolerance_grad", tolerance_grad)
        self.tolerance_change = _at_least_0("tolerance_change", tolerance_change)
        self.history_size = at_least_1("history_size", history_size)
        self._check_settings()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter; returns what ``closure`` returned at first, before the step.

        The closure is called at many places: it sets the grads to 0, computes the loss, calls ``backward()``, and returns
        the loss.
        """
        if closure is None:
            msg = "LBFGS computes the loss several times in a step: step() needs a closure, which computes and returns it"
            raise TypeError(msg)
        _closure(closure)
        losses = []

        def value_and_grad(theta: Array) -> tuple[float, Array]:
            vector_to_parameters(theta, self.parameters)
            loss = closure()
            if not isinstance(loss, Value | numbers.Real):
                msg = f"the closure of LBFGS must return the loss, not {type(loss).__name__} {shown(loss)}"
                raise TypeError(msg)
            losses.append(loss)
            return loss.data if isinstance(loss, Value) else as_float(loss), self._gradient()

        _, theta = self.descend(value_and_grad, parameters_to_vector(self.parameters))
        vector_to_parameters(theta, self.parameters)
        return losses[0]

    def descend(self, value_and_grad: Callable[[Array], tuple[float, Array]], theta: Array) -> tuple[float, Array]:
        """See the base; the loss is evaluated several times."""
        try:
            from scipy.optimize import minimize  # noqa: PLC0415 - an extra
        except ImportError as error:
            msg = 'LBFGS is SciPy\'s: python -m pip install "scalar-autograd[scipy]"'
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
        found = minimize(evaluate, theta, jac=True, method="L-BFGS-B", options=options)
        return losses[0], found.x if found.fun <= losses[0] else theta  # it may have ended where there is no number

    def update(self, theta: Array, gradient: Array) -> Array:  # noqa: ARG002 - the base's signature
        """TypeError: one gradient is not enough."""
        msg = "LBFGS computes the loss several times in a step: call step(closure), or descend(value_and_grad, theta)"
        raise TypeError(msg)

    def _check_settings(self) -> None:
        if self.lr != 1.0 or self.weight_decay or self.clip_grad_norm is not None:
            msg = (
                f"LBFGS has a line search, and so an lr of 1, no schedule, no weight decay and no clipping, not lr={self.lr}, "
                f"weight_decay={self.weight_decay}, clip_grad_norm={self.clip_grad_norm}: leave them as they are"
            )
            raise ValueError(msg)


def clip_grad_norm(parameters: Iterable[Value], max_norm: float, norm_type: float = 2.0) -> float:
    """The norm of all grads together, as they were; they are scaled down so that it is at most ``max_norm``.

    It is PyTorch's ``clip_grad_norm_``: grads are multiplied by ``max_norm / (norm + 1e-6)`` where that is below 1. The norm
    is the ``norm_type``-th root of the sum of those powers; for ``math.inf``, the largest absolute value. If a
    grad is NaN, all stay as they are; if one is infinite, it becomes NaN and the finite ones 0.

    >>> x, y = Value(1.0), Value(2.0)
    >>> (3 * x + 4 * y).backward()
    >>> clip_grad_norm([x, y], 1.0)
    5.0
    >>> round(x.grad, 6), round(y.grad, 6)
    (0.6, 0.8)
    """
    variables = _variables(parameters, "clip_grad_norm()")
    if not (isinstance(max_norm, float) and max_norm == math.inf):
        max_norm = _at_least_0("max_norm", max_norm)
    if not isinstance(norm_type, numbers.Real) or isinstance(norm_type, bool) or not norm_type > 0.0:
        msg = f"norm_type must be a number above 0, or math.inf, not {shown(norm_type)}"
        raise ValueError(msg)
    norm = _norm(_grads(variables), as_float(norm_type))
    factor = max_norm / (norm + _NORM_EPS)
    if factor < 1.0:
        for parameter in variables:
            if parameter.grad is not None:
                parameter.grad *= factor
    return norm


def _grads(parameters: Iterable[Value]) -> Array:
    """The grads in a flat array; None counts as 0."""
    return np.array([parameter.grad or 0.0 for parameter in parameters])


def _norm(gradient: Array, order: float = 2.0) -> float:
    """The norm of ``gradient``, of which no power overflows or vanishes before the root is taken."""
    largest = float(np.max(np.abs(gradient)))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(gradient / largest, order))


def check_names(owner: object, names: Iterable[str], state: Mapping[str, Any]) -> None:
    """Raise KeyError unless ``state`` has these ``names``; TypeError if it is no dict."""
    if not isinstance(state, Mapping):
        msg = f"load_state_dict() takes what state_dict() gave, not {type(state).__name__} {shown(state)}"
        raise TypeError(msg)
    missing = [name for name in names if name not in state]
    unexpected = [name for name in state if name not in names]
    if missing or unexpected:
        msg = f"the state is not that of this {type(owner).__name__}: missing {missing}, unexpected {unexpected}"
        raise KeyError(msg)


def check_setting(name: str, mine: Any, new: Any) -> None:
    """Raise TypeError unless ``new`` is of the kind of ``mine``, whose place it is to take, or None, as a limit may be."""
    kind = next((kind for kind in (bool, numbers.Real, str, tuple | list, np.ndarray) if isinstance(mine, kind)), object)
    if kind is np.ndarray:
        try:
            fits = np.asarray(new).dtype.kind in "fiub"
        except Exception:  # noqa: BLE001 - of a ragged list, or whatever another library's __array__ raises
            fits = False
    else:
        fits = (new is None and (mine is None or name == "clip_grad_norm")) or isinstance(new, kind)
    if not fits:
        msg = f"the state has {shown(new)} as {name}, and that is {shown(mine)} here: load what state_dict() gave"
        raise TypeError(msg)


def at_least_1(name: str, x: Any) -> int:
    """``x``, if it is a whole number from 1 on; ValueError if not, or if no computer counts so far."""
    if not isinstance(x, numbers.Integral) or isinstance(x, bool | np.timedelta64) or not 1 <= int(x) <= sys.maxsize:
        msg = f"{name} must be a whole number from 1 on, not {shown(x)}"
        raise ValueError(msg)
    return int(x)


def _closure(x: Any) -> Any:
    if not callable(x):
        msg = f"step() takes a closure, a function that computes the loss, not {type(x).__name__} {shown(x)}"
        raise TypeError(msg)
    return x


def flag(name: str, x: Any) -> bool:
    """``x``, if it is True or False, or what Python takes for that among numbers; TypeError if not."""
    if not isinstance(x, bool | np.bool_ | int):
        msg = f"{name} must be True or False, not {type(x).__name__} {shown(x)}"
        raise TypeError(msg)
    return bool(x)


def as_float(x: Any) -> float:
    """``x`` as a float, infinite where it is a whole number too large for one."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def _variables(parameters: Iterable[Value], whose: str) -> list[Value]:
    """The parameters in a list, if that is what they are."""
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
            msg = f"{whose} moves variables, and {shown(parameter)} is none: pass model.parameters()"
            raise TypeError(msg)
    if len(set(variables)) < len(variables):
        msg = f"{whose} got a parameter twice: each may be there once"
        raise ValueError(msg)
    return variables


def _at_least_0(name: str, x: Any) -> float:
    if not isinstance(x, numbers.Real) or isinstance(x, bool) or not 0.0 <= as_float(x) < math.inf:
        msg = f"{name} must be a finite number from 0 on, not {shown(x)}"
        raise ValueError(msg)
    return float(x)


def _is_fraction(x: Any) -> bool:
    return isinstance(x, numbers.Real) and not isinstance(x, bool) and 0.0 <= as_float(x) < 1.0
