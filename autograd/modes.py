"""Modes: switches around a block of code, such as whether graphs are recorded, and whether infinities and NaNs are errors.

The modes in force are a ContextVar, so threads and coroutines do not see one another's. The end of a block removes the mode
that its beginning added, and no other, so generators may be closed in any order.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import linecache
import math
import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from autograd import ops
from autograd.errors import AnomalyError, RecordingError
from autograd.graph import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from collections.abc import Set as AbstractSet

    from autograd.graph import N, Node

F = TypeVar("F", bound="Callable[..., Any]")

active: ContextVar[tuple[Mode, ...]] = ContextVar("autograd_modes", default=())
"""The modes in force, outermost first. It is nearly always empty, and recording a node asks only whether it is."""


class Beginning(int):
    """The time on the clock of all graphs when the recording of a function began, and the Values that the recording knows."""

    def __init__(self, _: int = 0) -> None:
        self.examples: AbstractSet[Any] = frozenset()
        """The Values that stand for the numbers of an example."""
        self.made: dict[Any, str] = {}
        """The variables that the function made, each with its place in the user's program."""


NEVER = Beginning()
compiling: ContextVar[Beginning] = ContextVar("autograd_compiling", default=NEVER)
"""When the recording of the function that now runs began. It is 0 if the compiler calls the function without recording it, and
NEVER if the compiler does not call it at all."""


def is_compiling() -> bool:
    """Return whether ``autograd.compile`` is recording the code that calls this. Its Values then stand for every example.

    >>> is_compiling()
    False
    """
    return compiling.get() > 0


@contextlib.contextmanager
def apart(*, since: Beginning | None = None) -> Iterator[None]:
    """Run a block without the modes around it. With ``since``, the block is recorded for the compiler from that time on."""
    tokens = compiling.set(since or Beginning()), active.set(())
    try:
        yield
    finally:
        compiling.reset(tokens[0])
        active.reset(tokens[1])


def refuse_while_compiling(what: str, instead: str) -> None:
    """Raise RecordingError, which says ``what`` was done and what to do ``instead``, while a function is recorded."""
    if compiling.get():
        msg = f"{what} in a function that autograd.compile records: {instead}"
        raise RecordingError(msg)


class Mode:
    """A context manager, and a decorator of functions, generator functions and coroutine functions.

    A decorated generator has the mode only while it runs. A ``with`` block inside a generator is different, as everywhere in
    Python: if the generator yields inside the block, the mode stays in force for the code that asked for the item.
    """

    records: ClassVar[bool | None] = None
    """Whether graphs are recorded; None if this mode does not decide that."""
    by_sweep: ClassVar[bool] = False
    """Whether nodes are made by a sweep that writes a gradient as a graph, and not by the user's program."""

    def __enter__(self) -> Self:
        active.set((*active.get(), self))
        return self

    def __exit__(self, *error: object) -> None:
        modes = list(active.get())
        if self in modes:  # another thread than the one that entered the block may close a generator
            del modes[len(modes) - 1 - modes[::-1].index(self)]
            active.set(tuple(modes))

    def __call__(self, function: F) -> F:
        """Return ``function`` with the mode in force while it runs."""
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
        """Yield what ``generator`` yields, with the mode in force only while it runs."""
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
        """Return what takes the place of a ``node`` that was just recorded: the node itself, or another Value."""
        return node

    def swept(self, grads: dict[Any, float]) -> None:
        """Look at the ``grads`` that a sweep has just given to nodes, which are in topological order."""


def recording() -> bool:
    """Return whether graphs are recorded now. The innermost mode that decides it counts."""
    says = [mode.records for mode in active.get() if mode.records is not None]
    return says[-1] if says else True


def supervise(node: N) -> N:
    """Return what takes the place of a ``node`` that was just recorded, by the modes in force. The node is not changed."""
    for mode in active.get():
        node = mode.recorded(node)
    if recording() or node._row.stops:
        return node
    return node.detach()  # type: ignore[attr-defined, no-any-return]  # nodes are Values; this module is below value


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
    """A block in which an operation raises AnomalyError if it makes an infinity or a NaN from finite numbers.

    This holds for results and for gradients. The error names the operation, its arguments and the line of your program.
    Outside of such blocks infinities and NaNs are ordinary numbers, as in IEEE 754. Inside, recording is slow, and every node
    is kept until the end of the block.

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
        """Return ``node``; AnomalyError if it is not finite and its arguments are."""
        if any(mode.by_sweep for mode in active.get()):
            return node
        line = self._lines[node] = calling_line()
        numbers = [arg._data for arg in node._args]
        if not math.isfinite(node._data) and all(map(math.isfinite, numbers)):
            shown = ", ".join([*map(repr, numbers[:_SHOWN]), *["…"] * (len(numbers) > _SHOWN)])
            msg = f"{node._row.name}({shown}) is {node._data!r} {line}"
            raise AnomalyError(msg)
        return node

    def swept(self, grads: dict[Any, float]) -> None:
        """Raise AnomalyError if a node with a finite grad handed on one that is not finite."""
        for node, grad in reversed(grads.items()):
            if not (node._args and math.isfinite(grad)):
                continue
            partials = node._row.partials(node._data, *[arg._data for arg in node._args])
            for arg, partial in zip(node._args, partials, strict=True):
                if arg._row is not ops.constant and not math.isfinite(handed_on := grad * partial):
                    line = self._lines.get(node, "before detect_anomaly()")
                    turned = f"{grad!r} into {float(handed_on)!r} by {describe(arg)}"
                    msg = f"{node._row} turns a gradient of {turned}, computed {line}"
                    raise AnomalyError(msg)


_SHOWN = 8
"""The number of arguments of an operation that a message shows."""
_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib takes 3 ms to import


def calling_line() -> str:
    """Return the place in the user's program that is running now, and the text of its line."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f'in File "{name}", line {line}: {linecache.getline(name, line, frame.f_globals).strip()}'
