"""What a setting may be: numbers, whole numbers and switches that a user passes, and those in a state that is loaded."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable

Range = tuple[str, "Callable[[float], bool]"]
"""The words for a range of numbers, as a message says them, and the test for it."""

AT_LEAST_0: Range = ("a finite number from 0 on", lambda x: 0.0 <= x < math.inf)
ABOVE_0: Range = ("a number above 0", lambda x: x > 0.0)
FRACTION: Range = ("a number, at least 0 and below 1", lambda x: 0.0 <= x < 1.0)


def number(name: str, x: Any, within: Range = AT_LEAST_0) -> float:
    """Return ``x`` as a float. Raise ValueError if it is not a real number, or lies outside the range.

    >>> number("lr", 1)
    1.0
    >>> number("lr", -1)
    Traceback (most recent call last):
    ValueError: lr must be a finite number from 0 on, not -1
    """
    words, holds = within
    if not isinstance(x, numbers.Real) or isinstance(x, bool) or not holds(as_float(x)):
        msg = f"{name} must be {words}, not {shown(x)}"
        raise ValueError(msg)
    return as_float(x)


def at_least_1(name: str, x: Any) -> int:
    """Return ``x`` as an int. Raise ValueError unless it is a whole number from 1 to the largest size of a list."""
    if not isinstance(x, numbers.Integral) or isinstance(x, bool | np.timedelta64) or not 1 <= int(x) <= sys.maxsize:
        msg = f"{name} must be a whole number of at least 1, not {shown(x)}"
        raise ValueError(msg)
    return int(x)


def flag(name: str, x: Any) -> bool:
    """Return ``x`` as a bool. Raise TypeError unless it is a bool, NumPy's bool, or an int."""
    if not isinstance(x, bool | np.bool_ | int):
        msg = f"{name} must be True or False, not {type(x).__name__} {shown(x)}"
        raise TypeError(msg)
    return bool(x)


def as_float(x: Any) -> float:
    """Return ``x`` as a float. Whole numbers too large for a float become infinite."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def check_state(owner: object, mine: Mapping[str, Any], state: Any) -> None:
    """Raise unless ``state`` has the names of ``mine``, and for each name a value that can replace it.

    TypeError if ``state`` is not a dict, or a value has another type. KeyError if names are missing or unexpected.
    """
    if not isinstance(state, Mapping):
        msg = f"load_state_dict() takes what state_dict() returned, not {type(state).__name__} {shown(state)}"
        raise TypeError(msg)
    missing = [name for name in mine if name not in state]
    unexpected = [name for name in state if name not in mine]
    if missing or unexpected:
        msg = f"the state does not fit this {type(owner).__name__}: missing {missing}, unexpected {unexpected}"
        raise KeyError(msg)
    for name, old in mine.items():
        if not _can_replace(name, old, state[name]):
            msg = (
                f"the state has {shown(state[name])} for {name}, which cannot replace {shown(old)}: "
                "load what state_dict() returned"
            )
            raise TypeError(msg)


def _can_replace(name: str, old: Any, new: Any) -> bool:
    """Return whether ``new`` is of the same kind as ``old``. A limit may be None."""
    if isinstance(old, np.ndarray):
        try:
            return np.asarray(new).dtype.kind in "fiub"
        except Exception:  # noqa: BLE001 - of a ragged list, or whatever another library's __array__ raises
            return False
    kind = next((kind for kind in (bool, numbers.Real, str, tuple | list) if isinstance(old, kind)), object)
    return isinstance(new, kind) or (new is None and (old is None or name == "clip_grad_norm"))
