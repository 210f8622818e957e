"""A call of a compiled function: its arguments become arrays of numbers, and an array of numbers becomes its results.

An argument is an array whose first axis is the batch, or a tuple, a dict or a dataclass that holds such arrays. A list counts
as an array. One example of ``(x, {"a": y})``, where ``x`` has the shape (batch, 3) and ``y`` the shape (batch,), is
``([1.0, 2.0, 3.0], {"a": 4.0})``: nested lists of numbers in place of the arrays.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from autograd import modes, trees
from autograd.arrays import as_array, shown
from autograd.compiler.names import distinct
from autograd.compiler.record import Input, record
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

Reduction = Literal["mean", "sum"] | None
NUMBER = "number"
"""Stands for one number in the form of a result. The form of ``{"a": [y, z]}`` is ``{"a": [NUMBER, NUMBER]}``."""


# Arguments


def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], list[NDArray[Any]]]:
    """Return the key of the arguments and the arrays that they hold. Calls of the same key share a recording.

    The key says how the arguments are nested, and the shape of one example and the kind of numbers of each array.

    >>> read(([1.0, 2.0],), {"t": np.array([[3, 4]])})
    ((None, ('**', ('t', None)), ((), 'f'), ((2,), 'i')), [array([1., 2.]), array([[3, 4]])])
    """
    leaves: list[NDArray[Any]] = []
    forms = [_flatten(arg, leaves) for arg in args]
    if kwargs:
        forms.append(("**", *[(name, _flatten(arg, leaves)) for name, arg in kwargs.items()]))
    return (*forms, *[(array.shape[1:], array.dtype.kind) for array in leaves]), leaves


def _flatten(arg: Any, leaves: list[NDArray[Any]]) -> Any:
    """Return the form of an argument, and append its arrays to ``leaves``."""
    if type(arg) is np.ndarray or type(arg) is list:  # nearly all are
        leaves.append(_as_batch(arg))
        return None
    given, form = trees.flatten(arg, name="an argument")
    leaves += map(_as_batch, given)
    return form


def batch_size(leaves: Sequence[NDArray[Any]], names: Callable[[], Iterable[str]]) -> int:
    """Return how many examples the arrays hold: 1 without arrays; ValueError, with the ``names``, if they differ.

    >>> batch_size([np.zeros(3), np.zeros((2, 5))], lambda: ["x", "y"])
    Traceback (most recent call last):
        ...
    ValueError: the arguments hold different numbers of examples (x: 3, y: 2): the first axis of each must be the batch
    """
    size = len(leaves[0]) if leaves else 1
    for array in leaves:
        if len(array) != size:
            listed = ", ".join([f"{name}: {len(array)}" for name, array in zip(names(), leaves, strict=True)])
            msg = f"the arguments hold different numbers of examples ({listed}): the first axis of each must be the batch"
            raise ValueError(msg)
    return size


def rows(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the numbers of each example in one row: an array of the shape (batch, numbers)."""
    if array.dtype != dtype or not array.flags.c_contiguous:
        array = np.ascontiguousarray(array, dtype)
    is_table = array.ndim == 2  # noqa: PLR2004 - rows and columns
    return (
        array if is_table else array.reshape(len(array), math.prod(array.shape[1:]))
    )  # -1 is not allowed if there are no rows


def as_theta(theta: Any, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Return ``theta`` as an array of ``count`` numbers; TypeError or ValueError if it is anything else."""
    fits = type(theta) is np.ndarray and theta.dtype == dtype and theta.flags.c_contiguous
    array: NDArray[Any] = theta if fits else np.ascontiguousarray(_as_numbers(theta, "theta"), dtype)
    if array.shape != (count,):
        msg = f"theta has the shape {array.shape}; expected ({count},), one number for each Value in .parameters"
        raise ValueError(msg)
    return array


def numbers_of(values: Sequence[Value]) -> NDArray[np.float64]:
    """Return the current numbers of the Values."""
    return np.array([value._data for value in values], float)


def positional(fn: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that ``fn`` takes by position; an empty list if it has no signature."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # some functions that are written in C
        return []
    return [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]


def names_in_source(args: Sequence[Any], kwargs: dict[str, Any], known: Sequence[str]) -> list[str]:
    """Return a name for each array in the arguments, as the source of the program uses it.

    >>> names_in_source([{"a": [1.0]}, [2.0]], {"t": ([3.0], [4.0])}, ["x"])
    ['x_a', 'argument_1', 't_0', 't_1']
    """
    from autograd.compiler.executors.numpy import RESERVED  # noqa: PLC0415 - the executor takes long to import, and only recording needs it

    return distinct([path.translate(_JOINED) for path, _ in _named(args, kwargs, known)], RESERVED)


_JOINED = str.maketrans({"[": "_", ".": "_", "]": None, "'": None})
"""Makes ``x_a`` of ``x['a']``."""


def raise_by_name(args: Sequence[Any], kwargs: dict[str, Any], known: Sequence[str]) -> None:
    """Raise the error of the first argument that is not an array of numbers, and name the argument."""
    for path, x in _named(args, kwargs, known):
        _as_batch(x, path)


def _named(args: Sequence[Any], kwargs: dict[str, Any], known: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield each array in the arguments, after the expression that reads it, such as ``x['a'][0]``."""
    called = [*known[: len(args)], *[f"argument {i}" for i in range(len(known), len(args))]]
    for name, arg in (*zip(called, args, strict=True), *kwargs.items()):
        yield from trees.paths(arg, name)


def _as_batch(x: Any, name: str = "an argument") -> NDArray[Any]:
    """Return ``x`` as an array whose first axis is the batch; TypeError or ValueError, by its ``name``, if it has none."""
    if type(x) is np.ndarray and x.ndim and x.dtype.kind in "fiub":  # at once, for calls to be fast
        return x
    array = _as_numbers(x, name)
    if array.ndim == 0:
        msg = (
            f"{name} is the single number {shown(x)}; expected a list or an array with one number for each example, because "
            "the first axis of an argument is the batch. (Tuples and dicts hold such arrays.) To fix an option, use "
            "functools.partial before compile()"
        )
        raise ValueError(msg)
    return array


def _as_numbers(x: Any, name: str) -> NDArray[Any]:
    """Return ``x`` as an array of real numbers; TypeError, by its ``name``, if it holds anything else."""
    array = as_array(x, name)
    if array.dtype.kind not in "fiub":
        if array.dtype == object and any(isinstance(item, Value) for item in array.flat):
            msg = f"{name} holds Values: a compiled function takes numbers, and differentiates by the Values that it captures"
            raise TypeError(msg)
        msg = f"{name} must be a list or an array of real numbers, not {type(x).__name__} {shown(x)}"
        if hasattr(x, "toarray"):
            msg += f": pass {name}.toarray()"
        raise TypeError(msg)
    return array


class LastCall:
    """The shapes and kinds of the arrays in a call that had no other arguments.

    A training loop calls with arrays of the same shapes and kinds again and again. ``taken`` recognises such a call at half
    the cost of reading the arguments anew.
    """

    __slots__ = ("batch", "known", "likewise", "recording")

    def __init__(self, known: Any, recording: Any, arrays: Sequence[NDArray[Any]], given: Sequence[NDArray[Any]]) -> None:
        self.known = known
        """The dict of recordings at that time. It is replaced, not changed, as soon as a recording is forgotten."""
        self.recording = recording
        self.batch = len(given[0]) if given else 1
        self.likewise = [
            (x.shape, x.dtype, y.dtype, None if x.shape == y.shape else y.shape) for x, y in zip(given, arrays, strict=True)
        ]
        """For each array: its shape and kind, the kind that the program takes, and the shape if that differs."""

    def taken(self, args: tuple[Any, ...]) -> list[NDArray[Any]] | None:
        """Return ``args`` as the program takes them; None unless they have the shapes and kinds of the last call."""
        if len(args) != len(self.likewise):
            return None
        arrays = []
        for x, (shape, dtype, wanted, reshaped) in zip(args, self.likewise, strict=True):
            if type(x) is not np.ndarray or x.shape != shape or x.dtype is not dtype:
                return None
            array = x if wanted is dtype and x.flags.c_contiguous else np.ascontiguousarray(x, wanted)
            arrays.append(array if reshaped is None else array.reshape(reshaped))
        return arrays


# The function, called with one example


class Recorded(NamedTuple):
    """The results of calling a function with one example of Values."""

    roots: list[Value]
    """The numbers in its result, one after the other."""
    form: Any
    """The result with NUMBER in the place of each root."""
    inputs: list[Value]
    """The numbers of the example, one after the other, which it was given as Values."""
    began: modes.Beginning
    """When it was called, by the clock of all graphs."""


class Call:
    """A function together with a batch of arguments. It records the function, or calls it, with one example of the batch.

    ``who`` says in messages whose function it is, and ``known`` are the names of its arguments (see ``positional``).

    >>> call = Call(lambda x: {"double": x * 2.0}, ([1.0, 5.0],), reduction=None, who="double")
    >>> recorded = call.record()                       # with the first example
    >>> call.shapes, recorded.roots[0].data, recorded.form
    ({'x': ()}, 2.0, {'double': 'number'})
    >>> call.result(1)[0][0].data                      # of the second example
    10.0
    """

    def __init__(  # noqa: PLR0913 - a function, its arguments, and four facts that only the caller knows
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
        *,
        reduction: Reduction,
        who: str,
        known: Sequence[str] | None = None,
    ) -> None:
        self.fn, self.reduction, self.who = fn, reduction, who
        _, self.leaves = read(args, kwargs or {})
        names = names_in_source(args, kwargs or {}, positional(fn) if known is None else known)
        self.shapes = {name: array.shape[1:] for name, array in zip(names, self.leaves, strict=True)}
        """The shape of one example in each array, by the array's name in the source."""
        arrays = iter(self.leaves)
        self._arguments = trees.map(lambda _: next(arrays), (tuple(args), kwargs or {}))  # each list is read once

    @property
    def inputs(self) -> list[Input]:
        """A description of each array, for the program."""
        return [
            Input(name, math.prod(shape), array.dtype.kind != "f")
            for (name, shape), array in zip(self.shapes.items(), self.leaves, strict=True)
        ]

    def record(self) -> Recorded:
        """Record the function with the first example; RecordingError where a recording would freeze what changes."""
        inputs: list[Value] = []

        def value(x: float) -> Value:
            inputs.append(Value(float(x)))
            return inputs[-1]

        result, began = record(self._with_example(0, value), inputs)
        return Recorded(*taken_apart(result, self.reduction, self.who), inputs, began)

    def result(self, example: int, *, plain: bool = False) -> tuple[list[Value], Any]:
        """Call the function with an example of Values, or of plain numbers. Return the numbers of the result, and its form."""
        called = self._with_example(example, lambda x: x if plain else Value(float(x)))
        with modes.apart(), np.errstate(all="ignore"):
            result = called()
        return taken_apart(result, self.reduction, self.who)

    def _with_example(self, which: int, become: Callable[[Any], Any]) -> Callable[[], Any]:
        """Return the function, ready to be called with an example whose numbers ``become`` something else."""
        args, kwargs = trees.map(lambda array: trees.map(become, array[which].tolist(), lists=True), self._arguments)
        return functools.partial(self.fn, *args, **kwargs)


# Results


def taken_apart(result: Any, reduction: Reduction, who: str) -> tuple[list[Value], Any]:
    """Return the Values in a result and the result's form; TypeError or ValueError if ``who`` returned anything else.

    >>> taken_apart((Value(1.0), [2.0]), None, "a function")
    ([Value(data=1.0, grad=0.0), Value(data=2.0, grad=0.0)], ('number', ['number']))
    """
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
        return NUMBER

    def leaf(x: Any) -> Any:
        return trees.map(number, x.tolist(), lists=True) if isinstance(x, np.ndarray) else number(x)

    leaves, structure = trees.flatten(result, name=f"what {who} returned", lists=True)
    form = trees.unflatten(structure, map(leaf, leaves))
    if reduction is None and not roots:
        msg = f"{who} returned {type(result).__name__} {shown(result)}, which holds no Value: return a result made of Values"
        raise TypeError(msg)
    if reduction is not None and form is not NUMBER:
        msg = (
            f"{who} returned {type(result).__name__} {shown(result)}, which has no mean or sum: return one Value, "
            "or compile with reduction=None, which returns all results as arrays"
        )
        raise TypeError(msg)
    return roots, form


def rebuilt(structure: trees.Structure, results: NDArray[Any], batch: int) -> Any:
    """Return a result of that ``structure`` for a batch, from the array ``results`` of the shape (batch, numbers).

    A number becomes an array (batch,), and a list whose items have one shape becomes one array:

    >>> _, structure = trees.flatten({"a": NUMBER, "b": [NUMBER, NUMBER]}, lists=True)
    >>> rebuilt(structure, np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 2)
    {'a': array([1., 4.]), 'b': array([[2., 3.],
           [5., 6.]])}
    """
    columns = iter(results.T)

    def build(part: trees.Structure) -> Any:
        if part is None:
            return next(columns)
        kind, keys, *parts = part
        items = [*map(build, parts)]
        if kind is not list:
            return trees.unflatten((kind, keys, *[None for _ in items]), items)
        if not items:
            return np.zeros((batch, 0))
        alike = all(isinstance(item, np.ndarray) and item.shape == items[0].shape for item in items)
        return np.stack(items, axis=1) if alike else items

    return build(structure)
