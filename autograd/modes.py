"""What can be switched around a block of code: whether graphs are recorded, and whether infinities and NaNs are errors.

The modes in force are a ContextVar, so threads and coroutines do not see one another's. Leaving a block takes away the mode
that it entered and no other, so generators may be closed in any order.
"""

from __future__ import annotations

import functools
import inspect
import math
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from autograd import ops
from autograd.errors import AnomalyError
from autograd.graph import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from autograd.graph import N, Node

F = TypeVar("F", bound="Callable[..., Any]")

active: ContextVar[tuple[Mode, ...]] = ContextVar("autograd_modes", default=())
"""The modes in force, outermost first. Empty nearly always: recording a node asks just that."""


class Mode:
    """A context manager, and a decorator of functions, generator functions and coroutine functions.

    A ``with`` block inside a generator stays in force, as everywhere in Python, where the generator yields in the middle of
    it; a decorated generator's mode does not.
    """

    records: ClassVar[bool | None] = None
    """Whether graphs are recorded; None where the mode has no say."""

    def __enter__(self) -> Self:
        active.set((*active.get(), self))
        return self

    def __exit__(self, *error: object) -> None:
        modes = list(active.get())
        del modes[len(modes) - 1 - modes[::-1].index(self)]
        active.set(tuple(modes))

    def __call__(self, function: F) -> F:
        """``function``, with the mode in force while it runs."""
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                return self._resume(function(*args, **kwargs))

        elif inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return cast("F", wrapper)

    def _resume(self, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """The same generator, with the mode in force only while it runs."""
        resume, value = generator.send, None
        while True:
            try:
                with self:
                    item = resume(value)
            except StopIteration as stop:
                return stop.value
            try:
                resume, value = generator.send, (yield item)
            except GeneratorExit:
                with self:
                    generator.close()
                raise
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in is the generator's to handle
                resume, value = generator.throw, error

    def recorded(self, node: N) -> N:
        """What stands for a ``node`` that was just recorded."""
        return node

    def swept(self, grads: dict[Any, float]) -> None:
        """These nodes, in topological order, have just been given these grads."""


def recording() -> bool:
    """Whether graphs are recorded here and now: the innermost mode that has a say decides."""
    says = [mode.records for mode in active.get() if mode.records is not None]
    return says[-1] if says else True


def supervise(node: N) -> N:
    """What stands for a ``node`` that was just recorded, under the modes in force."""
    for mode in active.get():
        node = mode.recorded(node)
    if not recording():
        node._op, node._args = ops.constant, ()
    return node


class no_grad(Mode):  # noqa: N801 - PyTorch's name
    """A block, or a decorated function, whose results are constants: no graph is recorded.

    >>> from autograd import Value, no_grad
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.is_leaf
    True
    """

    records = False


class enable_grad(Mode):  # noqa: N801 - PyTorch's name
    """A block, or a decorated function, that records graphs even inside ``no_grad``."""

    records = True


class detect_anomaly(Mode):  # noqa: N801 - PyTorch's name
    """A block in which a result or a gradient that is infinite or NaN, though its arguments are finite, raises AnomalyError.

    The error names the operation, its arguments and the line of your program that called for it. Elsewhere an infinity is a
    number like another, as in IEEE 754. Recording is some ten times slower in here.

    >>> from autograd import Value, detect_anomaly
    >>> with detect_anomaly():
    ...     y = Value(0.0).sqrt()
    ...     y.backward()
    Traceback (most recent call last):
        ...
    autograd.errors.AnomalyError: sqrt (√) turns a gradient of 1.0 into inf by a Value of 0.0, computed in ...
    """

    def __init__(self) -> None:
        self._lines: dict[Node, str] = {}

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self not in active.get():
            self._lines.clear()

    def recorded(self, node: N) -> N:
        """``node``, if it is finite."""
        line = self._lines[node] = _calling_line()
        numbers = [arg._data for arg in node._args]
        if not math.isfinite(node._data) and all(map(math.isfinite, numbers)):
            msg = f"{node._op.name}({', '.join(map(repr, numbers))}) is {node._data!r} {line}"
            raise AnomalyError(msg)
        return node

    def swept(self, grads: dict[Any, float]) -> None:
        """Raise AnomalyError if a grad that is not finite came from one that is."""
        for node in reversed(grads):
            for arg in node._args:
                if math.isfinite(grads[node]) and not math.isfinite(grads[arg]) and arg._op is not ops.constant:
                    line = self._lines.get(node, "before detect_anomaly()")
                    turned = f"{grads[node]!r} into {grads[arg]!r} by {describe(arg)}"
                    msg = f"{node._op} turns a gradient of {turned}, computed {line}"
                    raise AnomalyError(msg)


_PACKAGE = str(Path(__file__).parent)


def _calling_line() -> str:
    """The place in the user's program that is running now, and its text."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    code = inspect.getframeinfo(frame).code_context or [""]
    return f'in File "{frame.f_code.co_filename}", line {frame.f_lineno}: {code[0].strip()}'


class simplify(Mode):  # noqa: N801 - as its neighbours
    """While a sweep writes a gradient as a graph: terms that are constant, or multiplied by 1, -1 or 0, need no nodes."""

    def recorded(self, node: N) -> N:
        """The simplest equal of ``node``."""
        if all([arg._op is ops.constant for arg in node._args]):
            node._op, node._args = ops.constant, ()
        elif node._op is ops.mul or node._op is ops.add:
            for factor, other in (node._args, node._args[::-1]):
                if factor._op is ops.constant:
                    if factor._data == (1.0 if node._op is ops.mul else 0.0):
                        return other  # type: ignore[no-any-return]  # an argument is a node as well
                    if node._op is ops.mul and factor._data == -1.0:
                        node._op, node._args = ops.neg, (other,)
                    elif node._op is ops.mul and factor._data == 0.0:
                        node._op, node._args, node._data = ops.constant, (), 0.0
        return node
