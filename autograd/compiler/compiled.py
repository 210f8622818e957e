"""``autograd.compile``, and what it returns."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import itertools
import math
import numbers
import operator
import sys
import threading
import warnings
import weakref
from collections import Counter
from time import thread_time
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from autograd import modes, ops, trees
from autograd.arrays import as_array, shown
from autograd.compiler import oracle
from autograd.compiler.captured import Captured
from autograd.compiler.executors.numpy import RESERVED
from autograd.compiler.names import distinct
from autograd.compiler.program import Program
from autograd.compiler.record import CODE, Graph, Input, as_graph, collector_paused, record
from autograd.compiler.varied import varied
from autograd.errors import GraphError, RecordingError
from autograd.graph import describe, topological_sort
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

Reduction = Literal["mean", "sum"] | None
_OVERFLOWS = 1e150
_NOISY = 4
"""How many times a function that seems to differ from its program is run with noise, before that is said."""
_CLOSE = {"float64": (1e-9, 1e-12), "float32": (1e-3, 1e-5)}
"""How far a program may be from eager code when it is checked: relative to the result, and to the largest number on the way."""
_GIVE_IT = (
    "It does not depend on its arguments and on Values alone. Pass what changes between calls (random numbers, options, data "
    "from elsewhere) as an argument, or make it a Value outside the function"
)
_CHOOSE = (
    "It takes another way there than for the example that was recorded, as by int(t), isinstance(t, float) or a look-up. For "
    "what depends on an example, write autograd.math.where(condition, a, b), or select(values, index)"
)
_LOOKED_AT = 8
"""On how many examples a recording is checked that differ."""
_SHARE = 1 / 8
"""How much of the time of recording and compiling that takes, at most, after the first of them."""
_AT_ONCE = 0.002
"""Seconds that nobody notices."""
_new = object.__new__
_KEPT = 64
"""How many instances are kept that cannot be held weakly: they have slots alone, or their parts refer back to them."""
_SHOWN = 4
"""How many numbers a message shows."""
_MOST = 64
"""How many recordings a function keeps: of more, those that were used last."""
_OFTEN = 3
"""How often one thing may change before it is said that this costs a recording each time."""
_TRIES, _CHECKED = 50, 10
"""How often a function is recorded while other threads change what it captures, and how often a check in that time counts."""


class Recording:
    """A function as it was recorded for arguments of certain shapes. It pickles, whatever the function: that stays behind."""

    captured: Captured
    """Where the function found what it used; a copy from a pickle has none."""
    key: tuple[Any, ...]
    """The forms, shapes and kinds of the arguments."""
    graph: tuple[Any, ...]
    """What tells the recorded graph from others; a copy from a pickle has none."""
    used = 0
    """When it was used last, by the number of calls."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], program: Program, variables: list[Value], form: Any) -> None:
        self.shapes = shapes
        """The shape of an example in each argument."""
        self.program = program
        self.parameters = variables[: program.trained]
        """By what it differentiates."""
        self.frozen = variables[program.trained :]
        """Variables that are read, but not differentiated by."""
        self.form = form
        """That of the function's results."""

    def goes_with(self, parameters: list[Value]) -> bool:
        """Whether it has ``parameters`` first, or they begin with its own."""
        return all(map(operator.is_, self.parameters, parameters))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The kind of numbers that it computes with."""
        return self.program.dtype

    def value_and_grad(self, theta: Any, *args: Any, **kwargs: Any) -> tuple[float, NDArray[Any]]:
        """As :meth:`Compiled.value_and_grad`, for arguments of the shapes and kinds that were recorded; ValueError for others.

        ``theta`` has the order of the recording's own ``parameters``. The function is not needed: another process that gets a
        pickle of the recording runs the program itself and records nothing. What is frozen has there the numbers that it
        had when it was pickled.

        >>> import pickle
        >>> w = Value(2.0)
        >>> loss = compile(lambda x: (w * x) ** 2)        # a lambda cannot be pickled
        >>> _ = loss([1.0])
        >>> (recording,) = loss.recordings
        >>> value, slopes = pickle.loads(pickle.dumps(recording)).value_and_grad([3.0], [1.0, 2.0])
        >>> value, slopes.tolist()                        # (3² + 6²) / 2, and the mean of 2x · wx
        (22.5, [15.0])
        """
        _insist_on_one_number(self.program.reduction)
        key, leaves = _read(args, kwargs)
        if key != self.key:
            given = ", ".join(f"{array.dtype} {array.shape}" for array in leaves) or "nothing"
            msg = f"{self!r} was given {given}: arguments must have the forms, shapes and kinds with which it was recorded"
            raise ValueError(msg)
        sizes = [len(array) for array in leaves]
        batch = sizes[0] if sizes else 1
        if any([size != batch for size in sizes]):
            msg = f"the arguments have different numbers of examples, {sizes}: the first axis is the batch"
            raise ValueError(msg)
        theta = _as_theta(theta, self.dtype, len(self.parameters))
        return self.run(theta, list(map(_rows, leaves, self.program.dtypes)), batch)  # type: ignore[no-any-return]  # the program gives it

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"captured", "graph"}}

    def run(self, theta: NDArray[Any], arrays: Sequence[NDArray[Any]], batch: int, *, gradient: bool = True) -> Any:
        """What the program makes of ``theta``, one number for each parameter, and of ``arrays``."""
        if self.frozen:
            theta = np.append(theta, _numbers(self.frozen))
        if theta.dtype != self.dtype:
            theta = theta.astype(self.dtype)
        return self.program.run(theta, arrays, batch, gradient=gradient)

    @property
    def source(self) -> str:
        """The NumPy program."""
        return self.program.source

    @property
    def stats(self) -> dict[str, Any]:
        """What the program is made of."""
        return self.program.stats

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: ({', '.join(map(str, ('batch', *shape)))})" for name, shape in self.shapes.items())
        count = sum(self.stats["instructions"].values())
        return f"Recording({shapes or 'no arguments'}; {self.stats['scalar nodes']:,} scalar nodes, {count} instructions)"


class _Last:
    """A call with arrays alone: the next one with arrays of the same shapes and kinds need not be looked at as closely."""

    __slots__ = ("batch", "how", "known", "recording")

    def __init__(
        self,
        known: dict[Any, Recording],
        recording: Recording,
        arrays: Sequence[NDArray[Any]],
        given: Sequence[NDArray[Any]],
        batch: int,
    ) -> None:
        self.known = known
        """The recordings that there were: as soon as one is forgotten, there is another dict of them."""
        self.recording = recording
        self.how = [
            (x.shape, x.dtype, y.dtype, None if x.shape == y.shape else y.shape) for x, y in zip(given, arrays, strict=True)
        ]
        """For each array its shape, its kind, and which kind and shape the program takes."""
        self.batch = batch

    def taken(self, args: tuple[Any, ...]) -> list[NDArray[Any]] | None:
        """The arrays ``args`` as rows of numbers; None unless they are like those of that call."""
        if len(args) != len(self.how):
            return None
        arrays = []
        for x, (shape, dtype, wanted, rows) in zip(args, self.how, strict=True):
            if type(x) is not np.ndarray or x.shape != shape or x.dtype is not dtype:
                return None
            if wanted is not dtype or not x.flags.c_contiguous:
                x = np.ascontiguousarray(x, wanted)  # noqa: PLW2901 - the same numbers
            arrays.append(x if rows is None else x.reshape(rows))
        return arrays


class _PlainMethod:
    """Of a compiled method, the plain one: among what is known of it, this would keep the instance alive."""

    def __get__(self, method: Compiled | None, owner: type) -> Any:
        if method is None:
            msg = "the class has no plain function, only its objects have"
            raise AttributeError(msg)
        return MethodType(method._method_of.fn, method.__self__)  # type: ignore[union-attr]  # functions have their own


class Compiled:
    """A function of one example, compiled to run on batches. See :func:`autograd.compile`.

    In a class it is a method, as a function would be. All that is known of the method of an instance is one ``__dict__``, which
    the class's own object keeps for as long as the instance lives: each time that the method is asked for, it is a new object
    with that ``__dict__`` and with the instance, which nothing else holds.
    """

    __slots__ = ("__dict__", "__self__", "__weakref__")

    __self__: Any
    """Whose method it is; there is none but of methods."""
    fn = __wrapped__ = _PlainMethod()
    """The plain function."""

    def __init__(
        self, fn: Callable[..., Any], reduction: Reduction, parameters: Iterable[Value] | None, dtype: np.dtype[Any]
    ) -> None:
        self._raw = fn
        fn = fn.__func__ if isinstance(fn, classmethod | staticmethod) else fn
        functools.update_wrapper(self, fn, updated=())
        self.fn = fn
        self.__isabstractmethod__ = getattr(fn, "__isabstractmethod__", False)
        self.reduction = reduction
        self.dtype = dtype
        self._given = parameters is not None
        self._parameters: list[Value] = list(parameters or [])
        self._recordings: dict[Any, Recording] = {}
        self._forgotten: dict[Any, Recording] = {}
        self._one_at_a_time = threading.RLock()
        self._last: _Last | None = None
        """What the last call was given, if that was arrays alone."""
        self._examples: dict[Any, Any] = {}
        """The example that was recorded last, for each combination of shapes: a batch of 0 has none."""
        self._calls = itertools.count(1)
        self._changes: Counter[str] = Counter()
        self._warned = False
        self._argument_names = _positional(fn)
        self._method_of: Compiled | None = None
        self._owners: tuple[type, ...] = ()  # the classes in which it is a method
        self._methods: dict[int, dict[str, Any]] = {}  # what is known of each instance's, by the instance's id
        self._kept: list[int] = []  # those of instances that cannot be held weakly

    # What it is

    @property
    def parameters(self) -> list[Value]:
        """The Values that theta stands for, in its order; GraphError before the first call unless ``parameters`` were given."""
        if not self._given and not self._recordings:
            msg = f"{self!r} does not know its parameters yet: call it once, or give compile() the parameters"
            raise GraphError(msg)
        return list(self._parameters)

    @property
    def recordings(self) -> list[Recording]:
        """What was recorded, one for each combination of the shapes of arguments."""
        return list(self._recordings.values())

    @property
    def source(self) -> str:
        """The NumPy program of the latest recording."""
        return self._latest.source

    @property
    def stats(self) -> dict[str, Any]:
        """What the latest recording's program is made of: scalar nodes, instructions by kind, matrix products, bytes."""
        return self._latest.stats

    @property
    def _latest(self) -> Recording:
        if not self._recordings:
            msg = f"{self!r} has not been recorded yet: call it once"
            raise GraphError(msg)
        return list(self._recordings.values())[-1]

    def __repr__(self) -> str:
        name = getattr(self.fn, "__name__", type(self.fn).__name__)
        known = f"{len(self._recordings)} recording{'s' * (len(self._recordings) != 1)}"
        return f"<compiled {name}: reduction={self.reduction!r}, {self.dtype}, {known}>"

    # What it does

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The mean (or sum) of the function over the examples in the arrays ``args``, as a Value; or all results, as arrays."""
        if self._owners and args and isinstance(args[0], self._owners) and (method := self._as_method(args[0])) is not self:
            return method(*args[1:], **kwargs)
        try:
            recording, arrays, batch = self._prepare(args, kwargs)
        except TypeError:
            if args and (method := self._as_method(args[0])) is not self:
                return method(*args[1:], **kwargs)  # @property calls it so, and from Python 3.13 on @classmethod
            raise
        if recording.captured.changed() and self._is_stale(recording):
            recording, arrays, batch = self._prepare(args, kwargs)
        theta = _numbers(recording.parameters)
        if self.reduction is None:
            return _rebuilt(recording.form, recording.run(theta, arrays, batch), batch)
        if not (recording.parameters and modes.recording()):
            return Value(float(recording.run(theta, arrays, batch, gradient=False))).detach()
        value, slopes = recording.run(theta, arrays, batch)
        return _Call(float(value), tuple(slopes.tolist()))(*recording.parameters)

    def value(self, theta: Any, *args: Any, **kwargs: Any) -> Any:
        """What a call gives where the parameters are ``theta``: the mean (or sum), a float; or all results, as arrays.

        ``theta`` has the order of ``parameters``; the Values themselves are neither read nor changed.
        """
        recording, arrays, batch = self._prepare(args, kwargs)
        result = recording.run(self._theta(theta)[: len(recording.parameters)], arrays, batch, gradient=False)
        return _rebuilt(recording.form, result, batch) if self.reduction is None else float(result)

    def value_and_grad(self, theta: Any, *args: Any, **kwargs: Any) -> tuple[float, NDArray[Any]]:
        """The mean (or sum) over the examples in ``args``, and its derivative by each number in ``theta``, an array like it.

        ``theta`` has the order of ``parameters``; the Values themselves are neither read nor changed. What the function
        captured is not looked at: a call of the function itself notices when something else has been put in its place.
        """
        _insist_on_one_number(self.reduction)
        recording, arrays, batch = self._prepare(args, kwargs)
        theta = self._theta(theta)
        known = len(recording.parameters)
        if known == len(theta):
            return recording.run(theta, arrays, batch)  # type: ignore[no-any-return]  # what the emitted program gives
        value, slopes = recording.run(theta[:known].copy(), arrays, batch)
        return value, np.append(slopes, np.zeros(len(theta) - known, slopes.dtype))  # other shapes brought in the others

    def _theta(self, theta: Any) -> NDArray[Any]:
        """``theta`` as an array of one number for each parameter."""
        return _as_theta(theta, self.dtype, len(self._parameters))

    def _is_stale(self, recording: Recording) -> bool:
        """Whether what a recording captured is another now. If so, be as if there had been no call."""
        with self._one_at_a_time:
            if not any([known is recording for known in self._recordings.values()]):
                return True  # it was seen already
            found = recording.captured.difference(self.fn)
            if found:
                self._recordings, self._forgotten = {}, self._forgotten | self._recordings
                if not self._given:
                    self._parameters = []
                self._count(*found[0])
        return bool(found)

    def _count(self, place: str, old: Any, new: Any) -> None:
        """Warn, once, if what changed has changed often."""
        self._changes[place] += 1
        if self._changes[place] == _OFTEN and not self._warned:
            self._warned = True
            msg = (
                f"{self!r} was recorded anew {_OFTEN} times because {place} had changed, at last from {shown(old)} to "
                f"{shown(new)}. Each time takes much longer than a call: pass what changes as an argument, or make it a Value "
                "and assign its data"
            )
            warnings.warn(msg, stacklevel=4)

    # Methods, copies

    def __set_name__(self, owner: type, name: str) -> None:
        if not self._owners:  # a second name is an alias
            self.__name__ = name
        self._owners += (owner,)

    def __get__(self, instance: Any, owner: type | None = None) -> Compiled:
        """The compiled method of the ``instance``, or of the class; itself where Python would not bind a plain function."""
        raw = self._raw
        if instance is not None and type(raw) is FunctionType:
            return self._method(instance)
        get = getattr(type(raw), "__get__", None)
        method = raw if get is None else get(raw, instance, owner)
        return self if type(method) is not MethodType or method is raw else self._method(method.__self__)

    def _method(self, instance: Any) -> Compiled:
        """The function as a method of ``instance``: what one finds out about it, the next one knows."""
        method = _new(Compiled)
        method.__dict__ = self._methods.get(id(instance)) or self._first_method(instance)
        method.__self__ = instance
        return method

    def _first_method(self, instance: Any) -> dict[str, Any]:
        """What is known of the method of an ``instance``: nothing yet."""
        key, methods = id(instance), self._methods
        with self._one_at_a_time:
            if key in methods:  # by another thread meanwhile
                return methods[key]
            known = vars(Compiled(self.fn, self.reduction, self._parameters if self._given else None, self.dtype))
            del known["fn"], known["__wrapped__"]  # see _PlainMethod
            known.update(_raw=None, _method_of=self, __name__=self.__name__, _argument_names=self._argument_names[1:])
            methods[key] = known
            try:
                known["_instance"] = weakref.ref(instance, lambda _: methods.pop(key, None))
            except TypeError:  # it has slots, and none for this
                self._keep(instance, known)
        return known

    def _keep(self, instance: Any, known: dict[str, Any]) -> None:
        """Keep an ``instance`` that cannot be held weakly; of many such, the last ones."""
        known["_instance"] = instance
        self._kept.append(id(instance))
        if len(self._kept) > _KEPT:
            del self._methods[self._kept.pop(0)]

    def _as_method(self, instance: Any) -> Compiled:
        """The method of ``instance``, as in ``Base.method(instance, x)``; itself if this is none of its methods."""
        for kind in (instance if isinstance(instance, type) else type(instance)).__mro__:
            for x in vars(kind).values():
                inside = [getattr(x, name, None) for name in ("__func__", "fget", "func")]  # classmethod, property
                wrapped = inspect.unwrap(x, stop=lambda f: f is self) if isinstance(x, FunctionType) else x
                if not isinstance(x, staticmethod) and any([f is self for f in (x, wrapped, *inside)]):
                    return self if isinstance(self._raw, staticmethod) else self._method(instance)
        return self

    def __eq__(self, other: object) -> bool:
        return self.__dict__ is other.__dict__ if isinstance(other, Compiled) else NotImplemented

    def __hash__(self) -> int:
        return id(self.__dict__)

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self._method_of is not None:
            if getattr(self.__self__, self.__name__, None) == self:
                return getattr, (self.__self__, self.__name__)
            return Compiled._method, (self._method_of, self.__self__)  # of super()
        place: Any = sys.modules.get(self.__module__)
        for name in (path := getattr(self, "__qualname__", "")).split("."):
            place = vars(place).get(name) if hasattr(place, "__dict__") else None
        if place is self:  # under @compile it has taken the function's name
            return path
        return Compiled, (self._raw, self.reduction, self._parameters if self._given else None, self.dtype)

    # Arguments

    def _prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Recording, list[NDArray[Any]], int]:
        """The recording for arguments of these shapes, the arguments as rows of numbers, and how many examples they hold."""
        if modes.is_compiling():
            what = f"{self!r} was called"
            modes.refuse_while_compiling(what, "call the plain function, .__wrapped__, with the Values of one example")
        last = self._last
        if last is not None and not kwargs and (arrays := last.taken(args)) is not None and last.known is self._recordings:
            last.recording.used = next(self._calls)
            return last.recording, arrays, last.batch
        known = self._recordings
        try:
            key, leaves = _read(args, kwargs)
        except (TypeError, ValueError):
            self._name_the_wrong_one(args, kwargs)
            raise
        recording = known.get(key)
        batch = len(leaves[0]) if leaves else 1
        for array in leaves:
            if len(array) != batch:
                names = _names(args, kwargs, self._argument_names)
                sizes = ", ".join(f"{name}: {len(array)}" for name, array in zip(names, leaves, strict=True))
                msg = f"the arguments have different numbers of examples ({sizes}): the first axis of each is the batch"
                raise ValueError(msg)
        if recording is None:
            if batch == 0:
                if (example := self._examples.get(key)) is None:
                    msg = f"{self!r} cannot be recorded from 0 examples: call it first with some, of the same shapes and kinds"
                    raise ValueError(msg)
                args, kwargs = example
            recording = self._recorded(key, args, kwargs)
        recording.used = next(self._calls)
        arrays = list(map(_rows, leaves, recording.program.dtypes))
        if not kwargs and len(args) == len(leaves) and all(map(operator.is_, args, leaves)):
            self._last = _Last(known, recording, arrays, leaves, batch)
        return recording, arrays, batch

    def _recorded(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording:
        """The recording for arguments of a ``key`` that there was none for."""
        _, leaves = _read(args, kwargs)
        with self._one_at_a_time:
            if (recording := self._recordings.get(key)) is not None:
                return recording  # another thread has made it meanwhile
            for known in self.recordings:
                if known.captured.changed():
                    self._is_stale(known)
            recording = self._record_as_it_stands(args, kwargs, leaves, self._forgotten.pop(key, None))
            recording.key = key
            self._examples.pop(key, None)
            self._examples[key] = trees.mapped(lambda array: np.array(np.asarray(array)[:1]), (args, kwargs))
            if len(self._examples) > _MOST:
                del self._examples[next(iter(self._examples))]
            if len(self._recordings) >= _MOST:
                oldest = min(self._recordings.values(), key=lambda known: known.used)
                self._recordings = {k: known for k, known in self._recordings.items() if known is not oldest}
            self._recordings[key] = recording
        return recording

    def _name_the_wrong_one(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the error of the first argument that is no array of numbers, with its name."""
        names = [*self._argument_names[: len(args)], *[f"argument {i}" for i in range(len(self._argument_names), len(args))]]
        for name, arg in (*zip(names, args, strict=True), *kwargs.items()):
            for path, x in trees.paths(arg, name):
                _array(x, path)

    def _record_as_it_stands(
        self, args: Any, kwargs: Any, leaves: Sequence[NDArray[Any]], known: Recording | None
    ) -> Recording:
        """The recording of the function, with what it captures now: another thread may have changed it meanwhile."""
        before = Captured(self.fn)
        for tries in range(_TRIES):
            lenient = tries >= _CHECKED and threading.active_count() > 1
            try:
                known = self._record(args, kwargs, leaves, before, known, lenient=lenient)
            except RecordingError:
                after = before.again(self.fn)
                if not self._again(before.compared(after), tries):
                    raise
                before = after
            else:
                if lenient or not self._again(known.captured.meanwhile, tries):
                    break
                before = known.captured
        return known  # type: ignore[return-value]  # the last try has made it, or raised

    @staticmethod
    def _again(changes: list[tuple[str, Any, Any]], tries: int) -> bool:
        """Whether to record it once more after these ``changes``: again and again where another thread puts variables there.

        What was computed is the function's own, such as the state of a recurrent network.
        """
        return bool(changes) and tries < (_TRIES if _variables_in(changes) else 2) - 1

    def _record(  # noqa: PLR0913 - what is called, on what, and what is known
        self,
        args: Any,
        kwargs: Any,
        leaves: Sequence[NDArray[Any]],
        before: Captured,
        known: Recording | None,
        *,
        lenient: bool,
    ) -> Recording:
        """The recording of the function on the first example, checked on that one and on others.

        It is the one that was ``known`` for these shapes if the graph is the same as it was. If it is ``lenient``, a check says
        nothing if another thread has put variables in the place of others meanwhile.
        """
        names = _names(args, kwargs, self._argument_names)
        arrays = [Input(name, math.prod(a.shape[1:]), a.dtype.kind != "f") for name, a in zip(names, leaves, strict=True)]
        shapes = {name: array.shape[1:] for name, array in zip(names, leaves, strict=True)}
        start, arrays_of = thread_time(), iter(leaves)
        args, kwargs = trees.mapped(lambda _: next(arrays_of), (tuple(args), kwargs))  # lists are read once
        with collector_paused():
            result, began, inputs = self._run(args, kwargs, 0, record)
            roots, form = _taken_apart(result, self.reduction, repr(self))
            graph = as_graph(roots, inputs, began)
            captured = Captured(
                self.fn, graph.captured, graph.constants, like=before
            )  # at once, before another thread changes it
            numbers = {value: i for i, value in enumerate(graph.variables)}
            order = [numbers.get(parameter, -1) for parameter in self._parameters]
            told_by = _told_by(graph)
            if known is not None and (known.graph, known.form) == (told_by, form) and known.goes_with(self._parameters):
                recording = known
                variables = max(self._parameters, recording.parameters, key=len)
            else:
                self._forgotten = {}
                program = Program(graph, arrays, order, self.reduction, self.dtype, frozen=self._given)
                variables = self._parameters + [graph.variables[i] for i in program.parameters[len(order) :]]
                recording = Recording(shapes, program, variables, form)
                recording.graph = told_by
            try:
                self._check(recording, graph, args, kwargs, leaves, thread_time() - start)
            except RecordingError:
                if not (lenient and _variables_in(before.compared(before.again(self.fn)))):
                    raise
            recording.captured = captured.but_for_what_it_does(self.fn, before, graph.captured)
            if self._method_of is not None and isinstance(vars(self)["_instance"], weakref.ref):
                recording.captured.hold_weakly(self.__self__)
                if _leads_to(recording.captured, self.__self__):
                    self._method_of._keep(self.__self__, vars(self))
            if hidden := [value for value in recording.captured.missing if not (self._given and value in self._parameters)]:
                msg = (
                    f"{self!r} uses {describe(hidden[0])}, and it cannot be seen from where it takes it: another in its place "
                    "would go unnoticed. Reach it by a name, an attribute, a list or a dict, or give compile() parameters=[...]"
                )
                raise RecordingError(msg)
        if not self._given:
            self._parameters = variables
        return recording

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any], example: int, how: Callable[..., Any]) -> tuple[Any, ...]:
        """What the function returns for an example, whatever ``how`` adds to that, and the Values that the example became."""
        inputs: list[Value] = []
        arguments, keywords = _example((tuple(args), kwargs), example, lambda x: _as_values(x, inputs))
        return *how(lambda: self.fn(*arguments, **keywords), inputs), inputs

    def _check(  # noqa: PLR0913, PLR0917 - what was recorded, from what, and how long that took
        self, recording: Recording, graph: Graph, args: Any, kwargs: Any, leaves: Sequence[NDArray[Any]], seconds: float
    ) -> None:
        """Raise RecordingError unless the program does for some examples what the function itself does.

        The first two are always looked at, on Values. Then follow up to ``_LOOKED_AT`` that differ: on plain numbers, as eager
        code would call the function, if it takes them, and on Values again. One is always looked at, and more as long as that
        takes less than an eighth of the ``seconds``, of the processor's time, that recording and compiling took, or than
        ``_AT_ONCE``.
        """
        last = min(1, len(leaves[0]) - 1) if leaves else 0
        compare = functools.partial(self._compare, recording, graph, args, kwargs)
        with _as_it_was(graph.variables):
            roots, form = self._called(args, kwargs, last)
            if kept := [node for root in roots if graph.made for node in topological_sort(root) if node in graph.made]:
                msg = (
                    f"a Value of {kept[0]._data!r} was made inside the function, {graph.made[kept[0]]}, and used again by the "
                    "next call: the program would not see it change. Make it outside"
                )
                raise RecordingError(msg)
            compare(last, roots, form, "again")
            if last:
                compare(0, [Value(number) for number in graph.number[graph.roots].tolist()], recording.form, "again")
            first, *others = varied(leaves, _LOOKED_AT) if leaves else [0]
            plainly = [*others, first] if leaves else []
            began, takes_numbers = thread_time(), True
            calls = [*[(i, True) for i in plainly], *[(i, False) for i in others if i != last]]
            for count, (example, plain) in enumerate(calls, 2):
                if plain and not takes_numbers:
                    continue
                try:
                    roots, form = self._called(args, kwargs, example, plain=plain)
                except Exception as error:  # noqa: BLE001 - a method that only Values have, or as 1 / 0
                    takes_numbers = takes_numbers and not isinstance(error, AttributeError | TypeError)
                else:
                    compare(example, roots, form, "with its plain numbers" if plain else "again")
                with_another = (thread_time() - began) / (count - 1) * count
                if with_another > max(seconds * _SHARE, _AT_ONCE):
                    break

    def _called(self, args: Any, kwargs: Any, example: int, *, plain: bool = False) -> tuple[list[Value], Any]:
        """The Values, and the form, of what the function returns for an example of Values, or of plain numbers."""
        arguments, keywords = _example((args, kwargs), example, lambda x: x if plain else _as_values(x, []))
        with modes.apart(), np.errstate(all="ignore"):
            result = self.fn(*arguments, **keywords)
        return _taken_apart(result, self.reduction, repr(self))

    def _compare(  # noqa: PLR0913, PLR0917 - likewise
        self, recording: Recording, graph: Graph, args: Any, kwargs: Any, example: int, roots: list[Value], form: Any, how: str
    ) -> None:
        """Raise RecordingError unless the program gives for an example what the function gave, called so."""
        if _kind(form) != _kind(recording.form):
            why = _GIVE_IT if how == "again" else _CHOOSE
            msg = f"{self!r}: recorded, the function returns {recording.form!r:.80}; called {how}, {form!r:.80}. {why}"
            raise RecordingError(msg)
        wanted = [root._data for root in roots]
        _, leaves = _read(args, kwargs)
        rows = [_rows(array[example : example + 1], kind) for array, kind in zip(leaves, recording.program.dtypes, strict=True)]
        got = np.ravel(recording.run(_numbers(recording.parameters), rows, 1, gradient=False)).tolist()
        relative, absolute = _CLOSE[self.dtype.name]
        if got == wanted or np.allclose(got, wanted, relative, 0.0, equal_nan=True):
            return
        # Numbers that cancel leave an error of their own size; sums of the largest overflow in one order and not another.
        theta, inputs = _numbers(graph.variables), oracle.side_by_side(rows)
        largest = oracle.largest(graph, theta, inputs)
        close = functools.partial(np.allclose, rtol=relative, atol=absolute * largest, equal_nan=True)
        if largest >= _OVERFLOWS or close(got, wanted):
            return
        recorded = oracle.results(graph, theta, inputs)
        if not all([close(oracle.results(graph, theta, inputs, absolute, seed), recorded) for seed in range(_NOISY)]):
            return  # a jump is as near as rounding errors are: either side is right
        if close(recorded, wanted):
            msg = (
                f"{self!r}: the program gives {_few(got)} for example {example}, what was recorded {_few(recorded)}. "
                "This is a bug of autograd.compile, please report it; the plain function, .__wrapped__, is right"
            )
            raise RuntimeError(msg)
        first = [root._data for root in self._called(args, kwargs, 0)[0]]
        changes = not np.allclose(first, graph.number[graph.roots], relative, absolute * largest, equal_nan=True)
        msg = (
            f"{self!r}: recorded, the function gives {_few(recorded)} for example {example}; called {how}, "
            f"{_few(wanted)}. {_GIVE_IT if changes else _CHOOSE}"
        )
        raise RecordingError(msg)


@contextlib.contextmanager
def _as_it_was(values: Sequence[Value]) -> Iterator[None]:
    """A block after which random numbers go on as if it had not been, and ``values`` are what they were.

    If other threads run, it may have been them who drew numbers or took a step of a training: then nothing is put back.
    """
    before = [(value, value._data, value._clock, value._grad) for value in values]
    python, ours = sys.modules.get("random"), sys.modules.get("numpy.random")  # if nobody has imported them, nobody draws
    drawn = python.getstate() if python else None, ours.get_state() if ours else None
    try:
        yield
    finally:
        if threading.active_count() == 1:
            for value, data, clock, grad in before:
                value._data, value._clock, value._grad = data, clock, grad
            if python:
                python.setstate(drawn[0])
            if ours:
                ours.set_state(drawn[1])


class _Call(ops.Op):
    """One call of a compiled function, and what it gave: a row of which a graph has a single node, of the parameters."""

    __slots__ = ()

    def __init__(self, value: float, slopes: tuple[float, ...]) -> None:
        def partials(y: Any, *_: Any) -> tuple[float, ...]:
            if isinstance(y, Value):
                msg = "a compiled function has no second derivatives: differentiate the plain function, .__wrapped__"
                raise GraphError(msg)
            return slopes

        super().__init__("compiled", "compiled", lambda *_: value, lambda *_: value, partials)

    def __reduce__(self) -> tuple[Any, ...]:
        msg = "a graph that holds the call of a compiled function cannot be pickled: keep the function and its arguments"
        raise TypeError(msg)


def _variables_in(changes: list[tuple[str, Any, Any]]) -> bool:
    """Whether some of ``changes`` have put variables in the place of others, as threads do."""
    return any([isinstance(new, Value) and not new._args for *_, new in changes])


def _told_by(graph: Graph) -> tuple[Any, ...]:
    """What tells a graph from others: a digest of its nodes and constants, and its variables."""
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, which takes a tenth of the time of importing this package

    digest = hashlib.blake2b()
    for array in (graph.code, graph.first, graph.arg, graph.leaf, graph.number[graph.code == CODE[ops.constant]]):
        digest.update(array.tobytes())
    return digest.digest(), graph.roots, [*map(id, graph.variables)]


def _numbers(values: Sequence[Value]) -> NDArray[np.float64]:
    return np.array([value._data for value in values], float)


def _rows(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers of each example in a row."""
    if array.dtype != dtype or not array.flags.c_contiguous:
        array = np.ascontiguousarray(array, dtype)
    return array if array.ndim == 2 else array.reshape(len(array), math.prod(array.shape[1:]))  # noqa: PLR2004 - rows of numbers


def _leads_to(x: Any, goal: Any) -> bool:
    """Whether ``x`` holds ``goal``, through whatever but a module, a class or a Value."""
    seen, stack = {id(x)}, [x]
    while stack:
        for item in gc.get_referents(stack.pop()):
            if item is goal:
                return True
            plain = not gc.is_tracked(item) or isinstance(item, type | ModuleType | Value)
            if not (plain or id(item) in seen or (type(item) is dict and "__builtins__" in item)):  # a module's names
                seen.add(id(item))
                stack.append(item)
    return False


def _few(numbers: Sequence[float]) -> str:
    """The first of ``numbers``, for a message."""
    shown = [*map(repr, numbers[:_SHOWN]), *["…"] * (len(numbers) > _SHOWN)]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _positional(fn: Callable[..., Any]) -> list[str]:
    """The names of the arguments that a function takes by position, as far as it has names for them."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # not all of C's functions have a signature
        return []
    return [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]


def _insist_on_one_number(reduction: str | None) -> None:
    if reduction is None:
        msg = 'value_and_grad() differentiates one number: compile with reduction="mean" or "sum"'
        raise TypeError(msg)


def _as_theta(theta: Any, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """``theta`` as an array of one number for each of ``count`` parameters."""
    if type(theta) is not np.ndarray or theta.dtype != dtype or not theta.flags.c_contiguous:
        theta = np.ascontiguousarray(_real_array(as_array(theta, "theta"), "theta", theta), dtype)
    if theta.shape != (count,):
        msg = f"theta has the shape {theta.shape}, and there are {count} parameters: see .parameters"
        raise ValueError(msg)
    return theta  # type: ignore[no-any-return]  # it is an array by now


# Arguments: tuples and dicts hold arrays, whose first axis is the batch; a list is an array.


def _read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], list[NDArray[Any]]]:
    """The forms of the arguments with the shapes and kinds of their arrays, and these arrays."""
    leaves: list[NDArray[Any]] = []
    form = [_leaves(arg, leaves) for arg in args]
    if kwargs:
        form.append(("**", *[(name, _leaves(arg, leaves)) for name, arg in kwargs.items()]))
    return (*form, *[(array.shape[1:], array.dtype.kind) for array in leaves]), leaves


def _leaves(x: Any, leaves: list[NDArray[Any]]) -> Any:
    """The form of the argument ``x``, whose arrays join ``leaves``: None for an array."""
    if type(x) is np.ndarray and x.ndim and x.dtype.kind in "fiub":
        leaves.append(x)
        return None
    if type(x) is list:
        leaves.append(_array(x))
        return None
    given: list[Any] = []
    form = trees.flatten(x, given)
    leaves += [leaf if type(leaf) is np.ndarray and leaf.ndim and leaf.dtype.kind in "fiub" else _array(leaf) for leaf in given]
    return form


def _paths(x: Any, name: str) -> Iterator[str]:
    """What the arrays in the argument ``x``, which is called ``name``, are called."""
    for path, _ in trees.paths(x, name):
        yield name + path[len(name) :].translate(_JOINED)


_JOINED = str.maketrans({"[": "_", ".": "_", "]": None, "'": None})
"""How the steps of a path become one name."""


def _array(x: Any, name: str = "an argument") -> NDArray[Any]:
    """The batch ``x`` as an array; TypeError or ValueError if it is none, by the ``name`` of an argument."""
    array = _real_array(as_array(x, name), name, x)
    if array.ndim == 0:
        msg = (
            f"{name} is the single number {shown(x)}, and the first axis of an argument is the batch: a list or an array of "
            "one number for each example. (Tuples and dicts hold such arrays.) An option is for functools.partial, before "
            "compile()"
        )
        raise ValueError(msg)
    return array


def _real_array(array: NDArray[Any], name: str, given: Any) -> NDArray[Any]:
    """``array``; TypeError unless it is of real numbers, by its ``name`` and what was ``given`` for it."""
    if array.dtype.kind not in "fiub":
        if array.dtype == object and any(isinstance(item, Value) for item in array.flat):
            msg = f"{name} holds Values: a compiled function takes numbers, and differentiates by the Values that it captures"
            raise TypeError(msg)
        msg = f"{name} must be a list or an array of real numbers, not {type(given).__name__} {shown(given)}"
        if hasattr(given, "toarray"):
            msg += f": pass {name}.toarray()"
        raise TypeError(msg)
    return array


def _example(tree: Any, which: int, become: Callable[[Any], Any]) -> Any:
    """Example ``which`` of arguments: the numbers of each array, in lists, as what they ``become``."""
    return trees.mapped(lambda array: become(np.asarray(array)[which].tolist()), tree)


def _as_values(x: Any, inputs: list[Value]) -> Any:
    if isinstance(x, list):
        return [_as_values(item, inputs) for item in x]
    inputs.append(value := Value(float(x)))
    return value


def _names(args: Sequence[Any], kwargs: dict[str, Any], known: Sequence[str]) -> list[str]:
    """A name in the source for each array: that of the function's parameter, as far as these are ``known``."""
    called = [*known[: len(args)], *[f"argument_{i}" for i in range(len(known), len(args))]]
    paths = [path for name, arg in (*zip(called, args, strict=True), *kwargs.items()) for path in _paths(arg, name)]
    return distinct(paths, RESERVED)


# Results


def _taken_apart(result: Any, reduction: Reduction, who: str) -> tuple[list[Value], Any]:
    """The Values in a result, and its form."""
    roots: list[Value] = []

    def number(x: Any) -> str:
        if not isinstance(x, Value | numbers.Real):
            msg = f"{who} returned {type(x).__name__} {shown(x)}: expected Values, or lists, tuples or dicts of them"
            raise TypeError(msg)
        try:
            roots.append(x if isinstance(x, Value) else Value(float(x)).detach())
        except OverflowError as error:
            msg = f"{who} returned {type(x).__name__} {shown(x)}, which is too large for a float"
            raise ValueError(msg) from error
        return _NUMBER

    trees.flatten(result, [], f"what {who} returned", lists=True)  # which is not nested in itself then
    lists = trees.mapped(lambda x: x.tolist() if isinstance(x, np.ndarray) else x, result, lists=True)
    form = trees.mapped(number, lists, lists=True)
    if reduction is None and not roots:
        msg = f"{who} returned {type(result).__name__} {shown(result)}, in which there is no Value: return what it computes"
        raise TypeError(msg)
    if reduction is not None and form is not _NUMBER:
        msg = (
            f"{who} returned {type(result).__name__} {shown(result)}, which has no mean: return one Value, "
            "or compile with reduction=None for results as arrays"
        )
        raise TypeError(msg)
    return roots, form


_NUMBER = "number"


def _kind(form: Any) -> Any:
    """What is equal for forms of results that a program cannot tell apart: a tuple with names is not one without."""
    return trees.flatten(form, [], lists=True)


def _rebuilt(form: Any, results: NDArray[Any], batch: int) -> Any:
    """The columns of ``results``, an array (batch, numbers), in a ``form``: arrays for numbers, and for lists of one shape."""
    columns = iter(results.T)

    def build(part: Any) -> Any:
        if part is _NUMBER:
            return next(columns)
        items = [build(item) for item in trees.items(part, lists=True) or []]
        if not isinstance(part, list):
            return trees.like(part, items)
        if not items:
            return np.zeros((batch, 0))
        alike = all(isinstance(item, np.ndarray) and item.shape == items[0].shape for item in items)
        return np.stack(items, axis=1) if alike else items

    return build(form)


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
    """``fn``, written for one example on Values, as a function of a batch that runs as NumPy.

    The first call records what ``fn`` does with the first example: arrays (batch, …) become Values, or nested lists of
    Values, of one example. Later calls with examples of the same shapes run the program, for batches of any size, on the
    current numbers of the Values that ``fn`` captures. The result is one node of the eager graph: the "mean" or the "sum" over
    the batch; with ``reduction`` None it is arrays of all results, and has no gradient. ``parameters`` says by which Values,
    and in which order, :meth:`Compiled.value_and_grad` differentiates; other Values that ``fn`` captures are then read, but not
    differentiated by. ``dtype`` is "float64", or "float32", which is faster and keeps seven digits.

    A recording captures what ``fn`` reaches from its closure, its defaults, its ``self`` and the globals that its code names,
    through the items of containers and the attributes that code names (all attributes, where it has ``getattr`` or ``vars``).
    A call that finds another Value there, or a number or anything else that differs, records ``fn`` anew.

    Not looked at are the globals of installed packages, arrays that are read-only, what C code keeps to itself (as the state
    of a generator of random numbers), and what ``fn`` itself changes each time that it runs, as a counter. A place that
    has changed three times is said, once, in a warning. 64 recordings are kept, those that were used last. What would freeze
    the number of a Value raises RecordingError, and says what to write instead.

    A call that records also calls ``fn`` itself on some examples, to see that the program does the same: on the first two, and
    as long as that takes less than an eighth of the time, on up to eight that differ, as Values and as plain numbers. That
    shows what asks for the type or the number of a Value. So what ``fn`` counts or prints, it counts or prints up to 17 times;
    random numbers, and the numbers and gradients of Values, are afterwards what they were, unless other threads run.

    Arguments and results may be tuples, dicts and dataclasses of arrays, and come as what they are: their types and the order
    of keys count as shapes do. A masked array, which would lose its mask, raises ValueError. In a class, a compiled function is
    a method: each instance has recordings of its own, for as long as it lives.

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
        msg = f"{fn!r} is compiled already"
        raise TypeError(msg)
    if isinstance(fn, type):
        msg = f"compile() expects a function, and {fn.__name__} is a class: compile an instance, compile({fn.__name__}(...))"
        raise TypeError(msg)
    if any([kind(plain) for kind in (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)]):
        msg = f"compile() expects a function that returns its result, and {fn!r} is a generator or a coroutine: return a list"
        raise TypeError(msg)
    if reduction is not None and (not isinstance(reduction, str) or reduction not in ("mean", "sum")):
        msg = f'reduction must be "mean", "sum" or None, not {shown(reduction)}'
        raise ValueError(msg)
    return Compiled(fn, reduction, _checked(parameters), _dtype(dtype))


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except Exception:  # noqa: BLE001 - NumPy takes much else for the description of one, and raises much
        kind = np.dtype(object)
    if kind.name not in _CLOSE:
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
            "parameters is empty, and there is nothing to differentiate by: leave it out for all Values that the function uses"
        )
        raise ValueError(msg)
    for value in values:
        if not isinstance(value, Value) or value.op is not None:
            msg = f"parameters must be variables, as model.parameters() gives, and {shown(value)} is none"
            raise TypeError(msg)
    if len(set(values)) < len(values):
        msg = "parameters holds a Value twice"
        raise ValueError(msg)
    return values
