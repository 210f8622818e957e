"""``minimize``: SciPy's, of a function of Values, with the exact gradient and, where a method takes it, the exact Hessian."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.arrays import as_array, shown
from autograd.compiler import compile as compiled_function
from autograd.errors import RecordingError
from autograd.functional import gradient
from autograd.math import sumprod
from autograd.modes import enable_grad
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.optimize import OptimizeResult

    Array = NDArray[np.float64]

_PRODUCTS = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr")
"""The methods that take the products of the Hessian with vectors."""
_HESSIANS = ("dogleg", "trust-exact")
"""And those that take it whole."""


def minimize(
    fn: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str | Callable[..., Any] | None = None,
    *,
    compiled: bool = True,
    **kwargs: Any,
) -> OptimizeResult:
    """What ``scipy.optimize.minimize(fn, x0, args, method, ...)`` returns, where the gradient is exact, not by differences.

    ``fn(x, *args)`` gets an array of Values, of the shape (n,) that ``x0`` has, and returns one Value. ``args`` are handed on
    as they are, whole. All else is SciPy's: the default method (BFGS, or L-BFGS-B with ``bounds``), ``constraints`` (functions
    of numbers), ``tol``, ``callback``, ``options``. Whether it converged is in ``result.success``; a NaN is no exception.

    Methods that use second derivatives get exact ones: "Newton-CG", "trust-ncg", "trust-krylov" and "trust-constr" the products
    of the Hessian with vectors, "dogleg" and "trust-exact" the Hessian, which is n products. Your own ``hess`` or ``hessp``
    is used instead if you give one.

    The function is compiled, once for each call of ``minimize``. One that ``autograd.compile`` cannot record, as it branches
    on numbers, raises RecordingError: with ``compiled`` false each evaluation is a graph of Values, and slower.

    >>> def rosenbrock(x):
    ...     a, b = x
    ...     return (1 - a) ** 2 + 100 * (b - a * a) ** 2
    >>> result = minimize(rosenbrock, [-1.2, 1.0])
    >>> result.success, result.x.round(4)
    (True, array([1., 1.]))

    For a sum over many examples, ``value_and_grad`` of a function of one example is what SciPy expects with ``jac=True``:

    >>> from autograd import compile
    >>> from scipy import optimize
    >>> slope = Value(0.0)
    >>> loss = compile(lambda x, y: (slope * x - y) ** 2, parameters=[slope])
    >>> optimize.minimize(loss.value_and_grad, [0.0], args=([1.0, 2.0], [3.0, 6.0]), jac=True).x.round(6)
    array([3.])
    """
    try:
        from scipy import optimize  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        msg = 'autograd.scipy.minimize() needs SciPy: python -m pip install "scalar-autograd[scipy]"'
        raise ModuleNotFoundError(msg, name=error.name) from error
    if not callable(fn):
        msg = f"minimize() expects a function of an array of Values, not {type(fn).__name__} {shown(fn)}"
        raise TypeError(msg)
    if "jac" in kwargs:
        msg = "minimize() finds the gradient itself: leave jac out, or give your own to scipy.optimize.minimize()"
        raise TypeError(msg)
    start = _checked(x0)
    rest = args if isinstance(args, tuple) else (args,)
    value_and_grad, product = (_compiled if compiled else _eager)(fn, start, rest)
    kind = method.lower() if isinstance(method, str) else ""
    if kwargs.get("hess") is None and kwargs.get("hessp") is None:
        if kind in _PRODUCTS:
            kwargs["hessp"] = product
        if kind in _HESSIANS:
            kwargs["hess"] = lambda x: np.array([product(x, direction) for direction in np.eye(len(x))])
    try:
        return optimize.minimize(value_and_grad, start, method=method, jac=True, **kwargs)
    except RecordingError as error:
        error.add_note("In autograd.scipy.minimize, compiled=False evaluates graphs of Values instead, more slowly.")
        raise


def _checked(x0: Any) -> Array:
    """``x0`` as an array (n,) of numbers."""
    start = np.atleast_1d(as_array(x0, "x0"))
    if start.dtype.kind not in "fiu":
        msg = f"x0 must be a list or an array of real numbers, not {type(x0).__name__} {shown(x0)}"
        raise TypeError(msg)
    if start.ndim > 1 or not start.size:
        msg = f"x0 must be of the shape (n,), n at least 1, not {start.shape}: flatten it, and reshape in the function"
        raise ValueError(msg)
    if not np.isfinite(start).all():
        msg = f"the search cannot start from x0 = {shown(x0)}: all of its numbers must be finite"
        raise ValueError(msg)
    return start.astype(float)


Evaluations = tuple["Callable[[Array], tuple[float, Array]]", "Callable[[Array, Array], Array]"]
"""What gives the number and its gradient, and what gives the product of the Hessian with a vector."""


def _compiled(fn: Callable[..., Any], start: Array, args: tuple[Any, ...]) -> Evaluations:
    parameters = [Value(number) for number in start.tolist()]
    loss = compiled_function(lambda: _result(fn, parameters, args), parameters=parameters)
    slope = compiled_function(
        lambda direction: _slope(_result(fn, parameters, args), parameters, direction), parameters=parameters
    )

    def product(x: Array, direction: Array) -> Array:
        return slope.value_and_grad(x, np.array([direction]))[1]

    return loss.value_and_grad, product


def _eager(fn: Callable[..., Any], _: Array, args: tuple[Any, ...]) -> Evaluations:
    def values_at(x: Array) -> list[Value]:
        return [Value(number) for number in x.tolist()]

    def value_and_grad(x: Array) -> tuple[float, Array]:
        values = values_at(x)
        with enable_grad():
            y = Value(0.0).detach() + _result(fn, values, args)  # a plain number is a Value then, too
        return y.data, np.array(gradient(y, values))

    def product(x: Array, direction: Array) -> Array:
        values = values_at(x)
        with enable_grad():
            slope = _slope(_result(fn, values, args), values, direction.tolist())
        return np.array(gradient(slope, values))

    return value_and_grad, product


def _slope(y: Any, values: list[Value], direction: Any) -> Any:
    """The derivative of ``y`` as ``values`` move in a direction; its own gradient is the Hessian times that."""
    y = Value(0.0).detach() + y  # a plain number is a Value then, too
    return sumprod(gradient(y, values, create_graph=True), direction)


def _result(fn: Callable[..., Any], values: list[Value], args: tuple[Any, ...]) -> Any:
    """What ``fn`` makes of ``values``; TypeError unless that is one number."""
    y = fn(np.array(values, object), *args)
    if isinstance(y, np.ndarray) and y.size == 1:  # as SciPy allows
        y = y.item()
    if not isinstance(y, Value | numbers.Real):
        msg = f"the function to minimize must return one Value, not {type(y).__name__} {shown(y)}: a sum, or a mean, of these"
        raise TypeError(msg)
    return y
