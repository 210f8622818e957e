"""``minimize``: SciPy's function of that name, with exact gradients and Hessians of functions of Values."""

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
"""Methods that use products of the Hessian with vectors."""
_HESSIANS = ("dogleg", "trust-exact")
"""Methods that use the whole Hessian."""


def minimize(
    fn: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str | Callable[..., Any] | None = None,
    *,
    compiled: bool = True,
    **kwargs: Any,
) -> OptimizeResult:
    """Return what ``scipy.optimize.minimize(fn, x0, args, method, ...)`` returns, using the exact gradient of ``fn``.

    ``fn(x, *args)`` is called with an array of Values that has the shape (n,) of ``x0``, and returns one Value. ``args`` are
    passed on unchanged. Everything else is SciPy's: the default method (BFGS, or L-BFGS-B with ``bounds``), ``constraints``
    (functions of numbers), ``tol``, ``callback`` and ``options``. ``result.success`` says whether the search converged. A NaN
    raises no exception.

    Methods that use second derivatives get exact ones. "Newton-CG", "trust-ncg", "trust-krylov" and "trust-constr" get the
    products of the Hessian with vectors. "dogleg" and "trust-exact" get the Hessian, which costs n products. If you pass
    ``hess`` or ``hessp``, it is used instead.

    ``fn`` is compiled once for each call of ``minimize``. A function that ``autograd.compile`` cannot record, for example
    because it branches on numbers, raises RecordingError. Pass ``compiled=False`` for such a function: each evaluation is then
    a graph of Values, which is slower.

    >>> def rosenbrock(x):
    ...     a, b = x
    ...     return (1 - a) ** 2 + 100 * (b - a * a) ** 2
    >>> result = minimize(rosenbrock, [-1.2, 1.0])
    >>> result.success, result.x.round(4)
    (True, array([1., 1.]))

    If ``fn`` is a sum over many examples, compile the function of one example instead, and pass its ``value_and_grad`` to SciPy
    with ``jac=True``:

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
        msg = "autograd.scipy.minimize() computes the gradient itself: omit jac, or pass your own to scipy.optimize.minimize()"
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
        error.add_note(
            "autograd.scipy.minimize(..., compiled=False) evaluates such a function on graphs of Values, more slowly."
        )
        raise


def _checked(x0: Any) -> Array:
    """Return ``x0`` as an array (n,) of floats."""
    start = np.atleast_1d(as_array(x0, "x0"))
    if start.dtype.kind not in "fiu":
        msg = f"x0 must be a list or an array of real numbers, not {type(x0).__name__} {shown(x0)}"
        raise TypeError(msg)
    if start.ndim > 1 or not start.size:
        msg = f"x0 must have the shape (n,) with n at least 1, not {start.shape}: flatten it, and reshape x in the function"
        raise ValueError(msg)
    if not np.isfinite(start).all():
        msg = f"x0 must contain finite numbers only, not {shown(x0)}"
        raise ValueError(msg)
    return start.astype(float)


Evaluations = tuple["Callable[[Array], tuple[float, Array]]", "Callable[[Array, Array], Array]"]
"""A function that returns the value and its gradient, and one that returns the product of the Hessian with a vector."""


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
            y = Value(0.0).detach() + _result(fn, values, args)  # makes a Value of a plain number
        return y.data, np.array(gradient(y, values))

    def product(x: Array, direction: Array) -> Array:
        values = values_at(x)
        with enable_grad():
            slope = _slope(_result(fn, values, args), values, direction.tolist())
        return np.array(gradient(slope, values))

    return value_and_grad, product


def _slope(y: Any, values: list[Value], direction: Any) -> Any:
    """Return the derivative of ``y`` along ``direction``. Its gradient is the product of the Hessian with ``direction``."""
    y = Value(0.0).detach() + y  # makes a Value of a plain number
    return sumprod(gradient(y, values, create_graph=True), direction)


def _result(fn: Callable[..., Any], values: list[Value], args: tuple[Any, ...]) -> Any:
    """Return ``fn`` of an array of ``values``. Raises TypeError unless that is one number or Value."""
    y = fn(np.array(values, object), *args)
    if isinstance(y, np.ndarray) and y.size == 1:  # as SciPy allows
        y = y.item()
    if not isinstance(y, Value | numbers.Real):
        msg = f"the function to minimize must return one Value, not {type(y).__name__} {shown(y)}: return a sum or a mean"
        raise TypeError(msg)
    return y
