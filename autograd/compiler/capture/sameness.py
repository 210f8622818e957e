"""Whether two things are the same for a computation: NaN is the same as NaN, 0.0 is not the same as -0.0, nor 1 as True."""

from __future__ import annotations

import weakref
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def equal(a: Any, b: Any) -> bool:
    """Whether two things of one type, which hold nothing else, are the same.

    >>> equal(float("nan"), float("nan")), equal(0.0, -0.0)
    (True, False)
    """
    if isinstance(a, float | complex | np.generic):
        return repr(a) == repr(b)
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - a user's __eq__ may raise anything; what cannot be compared counts as different
        return False


def same_keys(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two containers have the same keys in the same order."""
    if isinstance(a, range) and isinstance(b, range):
        return a == b
    return len(a) == len(b) and all([x is y or (type(x) is type(y) and equal(x, y)) for x, y in zip(a, b, strict=True)])


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays have the same shape, kind and bits."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == np.float64 and a.flags.c_contiguous:
        return bool((a.view(np.uint64) == b.view(np.uint64)).all())
    return bool(a.tobytes() == b.tobytes())


def ambiguous(x: Any) -> bool:
    """Whether something else could be equal to ``x`` by ``==``, so that only ``is`` tells them apart.

    >>> [ambiguous(x) for x in (0.0, 1, [0.0], 2.5, "text")]        # 0.0 == -0.0, 1 == True
    [True, True, True, False, False]
    """
    kind = type(x)
    if kind is list:
        return {*map(type, x)} != {Value} and any([type(item) is list or ambiguous(item) for item in x])
    equality: Any = kind.__eq__
    by_identity = equality is object.__eq__
    return not (isinstance(x, Value) or kind in {str, CodeType} or (kind is float and x != 0) or by_identity)


def as_array(x: Any) -> Any:
    """The numbers of something that can give them as an array, such as a tensor or a table; None for anything else."""
    kind = type(x)
    if not (hasattr(kind, "__array__") or isinstance(x, memoryview | bytearray) or kind.__module__ in {"array", "mmap"}):
        return None
    conversions: list[Callable[[Any], Any]] = [np.asarray, lambda x: np.array(x.tolist())]  # a tensor may refuse the first
    for convert in conversions:
        try:
            return convert(x)
        except Exception:  # noqa: BLE001, S112 - a user's __array__ or tolist may raise anything; then the next conversion is tried
            continue
    return None


def flat(x: Any) -> list[Any]:
    """The items of an array of objects, or of a table."""
    return np.asarray(x).ravel().tolist()


def bits(x: Any) -> tuple[Any, ...]:
    """What is equal for arrays of the same shape, kind and bits."""
    array = x if isinstance(x, np.ndarray) else as_array(x)
    return array.shape, array.dtype, array.tobytes()


class Copy:
    """A copy of what something held, which equals another one if ``==`` says so of what they held. A walk ends at it."""

    __slots__ = ("held", "shown")

    def __init__(self, held: Any, shown: Any) -> None:
        self.held = held
        self.shown = shown
        """What a message shows."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Copy) and bool(self.held == other.held)

    __hash__ = None  # type: ignore[assignment]  # None is how Python says unhashable

    def __repr__(self) -> str:
        return str(self.shown)


class Weak:
    """Equals one thing alone, which it does not keep alive."""

    __slots__ = ("reference",)

    def __init__(self, x: Any) -> None:
        self.reference = weakref.ref(x)

    def __eq__(self, other: object) -> bool:
        return bool(self.reference() is other)

    __hash__ = None  # type: ignore[assignment]  # None is how Python says unhashable
