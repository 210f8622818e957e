"""``autograd.compile``, and the compiled function that it returns."""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from autograd import modes, ops
from autograd.arrays import shown
from autograd.compiler.calls import (
    LastCall,
    Reduction,
    as_theta,
    batch_size,
    names_in_source,
    numbers_of,
    positional,
    raise_by_name,
    read,
    rebuilt,
    rows,
)
from autograd.compiler.checks import CLOSE
from autograd.compiler.methods import Method
from autograd.compiler.recorder import Recorder
from autograd.compiler.recording import Recording, insist_on_one_number
from autograd.errors import GraphError
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

_CALLS = itertools.count(1)
"""Numbers the calls, so that of many recordings the one that was used longest ago can be forgotten."""


class Compiled(Method):
    """A function of one example, compiled to run on batches. See :func:`autograd.compile`.

    In a class it is a method, as a plain function would be: each instance has recordings of its own.
    """

    __slots__ = ()

    def __init__(
        self, fn: Callable[..., Any], reduction: Reduction, parameters: Sequence[Value] | None, dtype: np.dtype[Any]
    ) -> None:
        super().__init__(fn)
        self.reduction = reduction
        self.dtype = dtype
        self._recorder = Recorder(reduction, parameters, dtype, positional(self.fn))
        self._last: LastCall | None = None

    # What it is

    @property
    def parameters(self) -> list[Value]:
        """The Values that theta stands for, in its order; GraphError before the first call unless ``parameters`` were given."""
        if not self._recorder.given and not self._recorder.recordings:
            msg = f"{self!r} does not know its parameters yet: call it once, or pass parameters to compile()"
            raise GraphError(msg)
        return list(self._recorder.parameters)

    @property
    def recordings(self) -> list[Recording]:
        """The recordings so far, one for each combination of the shapes of arguments."""
        return list(self._recorder.recordings.values())

    @property
    def source(self) -> str:
        """The NumPy program of the latest recording."""
        return self._latest.source

    @property
    def stats(self) -> dict[str, Any]:
        """The latest recording's program in figures: scalar nodes, instructions by kind, matrix products, bytes."""
        return self._latest.stats

    @property
    def _latest(self) -> Recording:
        if not self._recorder.recordings:
            msg = f"{self!r} has not been recorded yet: call it once"
            raise GraphError(msg)
        return self.recordings[-1]

    def __repr__(self) -> str:
        return self._recorder.describe(self.fn)

    # What it does

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the mean (or sum) of the function over the examples in ``args``, as a Value; or all results, as arrays."""
        if self._owners and args and isinstance(args[0], self._owners) and (method := self._as_method(args[0])) is not self:
            return method(*args[1:], **kwargs)
        try:
            recording, arrays, batch = self._prepare(args, kwargs)
        except TypeError:
            if args and (method := self._as_method(args[0])) is not self:
                return method(*args[1:], **kwargs)  # @property calls it so, and from Python 3.13 on @classmethod
            raise
        if recording.captured.changed() and self._recorder.is_stale(self.fn, recording):
            recording, arrays, batch = self._prepare(args, kwargs)
        theta = numbers_of(recording.parameters)
        if self.reduction is None:
            return rebuilt(recording.structure, recording._run(theta, arrays, batch), batch)
        if not (recording.parameters and modes.recording()):
            return Value(float(recording._run(theta, arrays, batch, gradient=False))).detach()
        value, slopes = recording._run(theta, arrays, batch)
        return _Call(float(value), tuple(slopes.tolist()))(*recording.parameters)

    def value(self, theta: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what a call would return if the parameters were ``theta``: the mean (or sum), a float; or results as arrays.

        ``theta`` has the order of ``parameters``; the Values themselves are neither read nor changed.
        """
        recording, arrays, batch = self._prepare(args, kwargs)
        result = recording._run(self._theta(theta)[: len(recording.parameters)], arrays, batch, gradient=False)
        return rebuilt(recording.structure, result, batch) if self.reduction is None else float(result)

    def value_and_grad(self, theta: Any, *args: Any, **kwargs: Any) -> tuple[float, NDArray[Any]]:
        """Return the mean (or sum) over the examples in ``args``, and the array of its derivatives by the numbers in ``theta``.

        ``theta`` has the order of ``parameters``; the Values themselves are neither read nor changed. It does not notice if a
        captured Value or number was replaced. Only a call of the function itself does.
        """
        insist_on_one_number(self.reduction)
        recording, arrays, batch = self._prepare(args, kwargs)
        theta = self._theta(theta)
        known = len(recording.parameters)
        if known == len(theta):
            value_and_slopes: tuple[float, NDArray[Any]] = recording._run(theta, arrays, batch)
            return value_and_slopes
        value, slopes = recording._run(theta[:known].copy(), arrays, batch)
        return value, np.append(slopes, np.zeros(len(theta) - known, slopes.dtype))  # by parameters of other recordings

    def _theta(self, theta: Any) -> NDArray[Any]:
        """Return ``theta`` as an array with one number for each parameter."""
        return as_theta(theta, self.dtype, len(self._recorder.parameters))

    def _prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Recording, list[NDArray[Any]], int]:
        """Return the recording for these arguments, the arguments as rows of numbers, and how many examples they hold."""
        if modes.is_compiling():
            what = f"{self!r} was called"
            modes.refuse_while_compiling(what, "call the plain function, .__wrapped__, with the Values of one example")
        recorder, last = self._recorder, self._last
        known = recorder.recordings
        if last is not None and not kwargs and (arrays := last.taken(args)) is not None and last.known is known:
            last.recording.used = next(_CALLS)
            return last.recording, arrays, last.batch
        try:
            key, leaves = read(args, kwargs)
        except (TypeError, ValueError):
            raise_by_name(args, kwargs, recorder.argument_names)
            raise
        batch = batch_size(leaves, lambda: names_in_source(args, kwargs, recorder.argument_names))
        recording = known.get(key) or recorder.recorded(self.fn, key, args, kwargs, batch)
        recording.used = next(_CALLS)
        arrays = list(map(rows, leaves, recording.program.plan.kinds))
        if not kwargs and len(args) == len(leaves) and all(map(operator.is_, args, leaves)):
            self._last = LastCall(known, recording, arrays, leaves)
        return recording, arrays, batch


class _Call(ops.Op):
    """One call of a compiled function: an operation of its own, with the parameters as arguments and the slopes as partials."""

    __slots__ = ()

    def __init__(self, value: float, slopes: tuple[float, ...]) -> None:
        def partials(y: Any, *_: Any) -> tuple[float, ...]:
            if isinstance(y, Value):
                msg = "a compiled function has no second derivatives: differentiate the plain function, .__wrapped__"
                raise GraphError(msg)
            return slopes

        super().__init__("compiled", "compiled", lambda *_: value, lambda *_: value, partials)

    def __reduce__(self) -> tuple[Any, ...]:
        msg = "a graph with a call of a compiled function cannot be pickled: pickle the function and its arguments instead"
        raise TypeError(msg)


@overload
def compile(  # noqa: A001 - as jax.jit and torch.compile, it is called with its module's name
    fn: None = None, *, reduction: Reduction = ..., parameters: Iterable[Value] | None = ..., dtype: str = ...
) -> Callable[[Callable[..., Any]], Compiled]: ...
@overload
def compile(  # noqa: A001 - likewise
    fn: Callable[..., Any], *, reduction: Reduction = ..., parameters: Iterable[Value] | None = ..., dtype: str = ...
) -> Compiled: ...
def compile(  # noqa: A001 - likewise
    fn: Callable[..., Any] | None = None,
    *,
    reduction: Reduction = "mean",
    parameters: Iterable[Value] | None = None,
    dtype: str = "float64",
) -> Any:
    """Return ``fn``, which is written for one example and works on Values, as a function of a batch that runs as NumPy.

    The first call records what ``fn`` does with the first example: an array of the shape (batch, …) becomes a Value, or nested
    lists of Values. Later calls with examples of the same shapes run the program, for batches of any size, on the current
    numbers of the Values that ``fn`` captures. The result is one node of the eager graph, the "mean" or the "sum" over the
    batch. With ``reduction=None`` the results of all examples come as arrays, which have no gradient. ``parameters`` are the
    Values by which :meth:`Compiled.value_and_grad` differentiates, in this order; other Values that ``fn`` captures are then
    read, but not differentiated by. ``dtype`` is "float64", or "float32", which is faster and keeps seven digits.

    A recording captures the objects that ``fn`` reaches from its closure, its defaults, its ``self`` and the globals that its
    code names, through the items of containers and the attributes that the code names (all attributes, if it uses ``getattr``
    or ``vars``). If a call finds another Value or another number in one of these places, it records ``fn`` again.

    A call does not look at the globals of installed packages, arrays that are read-only, the internal state of C code (such as
    that of a generator of random numbers), and what ``fn`` itself changes each time that it runs, such as a counter. A warning
    names a place that has changed three times. The 64 recordings that were used last are kept. Code that would freeze the
    number of a Value raises RecordingError, which says what to write instead.

    A call that records also calls ``fn`` itself with some examples, to see that the program does the same: with the first two,
    and with up to eight that differ, as Values and as plain numbers, while that takes less than an eighth of the time. This
    finds code that asks for the type or the number of a Value. So ``fn`` may run up to 17 times, and count or print as often.
    Afterwards, random numbers, and the numbers and gradients of Values, are what they were, unless other threads run.

    Arguments and results may be tuples, dicts and dataclasses of arrays, and keep their types; types and the order of keys
    count as shapes do. A masked array, which would lose its mask, raises ValueError. In a class, a compiled function is a
    method: each instance has recordings of its own, for as long as it lives.

    >>> w = Value(2.0)
    >>> @compile
    ... def loss(x, y):
    ...     return (w * x - y) ** 2
    >>> result = loss([1.0, 2.0], [0.0, 1.0])    # ((2 - 0)² + (4 - 1)²) / 2
    >>> result.backward()
    >>> result.data, w.grad                      # and the mean of 2x (wx - y)
    (6.5, 8.0)
    """
    if fn is None:
        return functools.partial(compile, reduction=reduction, parameters=parameters, dtype=dtype)
    plain = fn.__func__ if isinstance(fn, classmethod | staticmethod) else fn
    if not callable(plain):
        msg = f"compile() expects a function of one example, not {type(fn).__name__} {shown(fn)}"
        raise TypeError(msg)
    if isinstance(fn, Compiled):
        msg = f"{fn!r} is already compiled"
        raise TypeError(msg)
    if isinstance(fn, type):
        msg = f"compile() expects a function, but {fn.__name__} is a class: compile an instance, compile({fn.__name__}(...))"
        raise TypeError(msg)
    if any([kind(plain) for kind in (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)]):
        msg = f"compile() expects a function that returns its result, but {fn!r} is a generator or a coroutine: return a list"
        raise TypeError(msg)
    if reduction is not None and (not isinstance(reduction, str) or reduction not in ("mean", "sum")):
        msg = f'reduction must be "mean", "sum" or None, not {shown(reduction)}'
        raise ValueError(msg)
    return Compiled(fn, reduction, _checked(parameters), _dtype(dtype))


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except Exception:  # noqa: BLE001 - NumPy raises many kinds of errors for what is not a dtype
        kind = np.dtype(object)
    if kind.name not in CLOSE:
        msg = f"dtype must be float64 or float32, not {shown(dtype)}"
        raise ValueError(msg)
    return kind


def _checked(parameters: Iterable[Value] | None) -> list[Value] | None:
    if parameters is None:
        return None
    if not hasattr(parameters, "__iter__") or getattr(parameters, "ndim", 1) == 0:
        msg = f"parameters must be a list of Values, not {type(parameters).__name__}: write parameters=model.parameters()"
        raise TypeError(msg)
    values = list(parameters)
    if not values:
        msg = (
            "parameters is empty; expected at least one Value to differentiate by. Leave parameters out to differentiate "
            "by all Values that the function uses"
        )
        raise ValueError(msg)
    for value in values:
        if not isinstance(value, Value) or value.op is not None:
            msg = f"parameters must be variables, such as model.parameters() returns, not {shown(value)}"
            raise TypeError(msg)
    if len(set(values)) < len(values):
        msg = "parameters holds a Value twice: give each Value once"
        raise ValueError(msg)
    return values
