"""Conversion of what a user passes to an array. What would lose information is refused, by the name of the argument."""

from __future__ import annotations

import numbers
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.errors import shown as shown  # noqa: PLC0414 - nn shows what it was given by it

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEEPEST = 32
"""The number of axes that an array may have with every version of NumPy."""
_PLAIN = {float, int, bool}
_LISTS = (list, tuple)
_NUMBERS = {*_PLAIN, *_LISTS}


def as_array(x: Any, name: str) -> NDArray[Any]:
    """Return ``numpy.asarray(x)``; TypeError or ValueError, with the ``name`` of the argument, if NumPy cannot read ``x``.

    These errors are also raised if the array would lose information: a masked array in which something is masked would lose its
    mask, missing numbers (NA) would become NaN, and numbers in a unit would lose the unit.
    """
    refuse_to_lose(x, name)
    try:
        array = np.asarray(x)
        if array.dtype.kind == "O" and array.size and all(isinstance(item, numbers.Real) for item in array.flat):
            array = array.astype(float)  # NumPy makes objects of ints of more than 64 bits
    except OverflowError as error:
        msg = f"{name} holds a whole number that is too large for a float, which ends at 1.8e308"
        raise ValueError(msg) from error
    except Exception as error:  # an object's __array__ may raise anything
        if isinstance(error, ValueError) and "inhomogeneous" in str(error):
            msg = f"{name} is ragged: its examples differ in shape. Pad them to one shape, or call once for each shape"
            raise ValueError(msg) from error
        if isinstance(error, UserWarning):  # NumPy warns of masked numbers, and the user may have made errors of warnings
            _look_inside(x, name, rows=True)
        msg = f"{name} cannot be read as an array: {type(x).__name__} {shown(x)} raises {type(error).__name__}: {error}"
        raise TypeError(msg) from error
    if isinstance(x, _LISTS) and array.dtype.kind == "f" and np.isnan(array).any():  # a NaN may be a masked number in a row
        _look_inside(x, name, rows=True)
    return array


def refuse_to_lose(x: Any, name: str) -> None:
    """Raise an error that names the argument if an array of ``x``, or of its items, would lose information."""
    if isinstance(x, _LISTS):
        if not _PLAIN.issuperset(map(type, x)):
            _look_inside(x, name)
    elif type(x) is not np.ndarray:
        _look_at(x, name)


def _look_inside(x: Any, name: str, *, rows: bool = False) -> None:
    """Raise an error if lists are nested in themselves, or if an array of what they hold would say less.

    The items of rows, the innermost lists, are looked at only if ``rows`` is set, because that takes as long as to read them.
    """
    level = x
    for left in reversed(range(_DEEPEST)):
        if not _NUMBERS.issuperset(map(type, level)):
            for item in level:
                if not isinstance(item, _LISTS):
                    _look_at(item, name)
        lists = [*{id(item): item for item in level if isinstance(item, _LISTS)}.values()]
        if not lists:
            return
        if left and not rows and type(next(chain.from_iterable(lists), 0.0)) in _PLAIN:
            return
        level = [*chain.from_iterable(lists)]
    msg = f"{name} is nested in itself, or more than {_DEEPEST} levels deep: an array has no more axes than that"
    raise ValueError(msg)


def _look_at(x: Any, name: str) -> None:
    """Raise an error if ``x``, which is not a list, says more than its numbers."""
    kind = type(x)
    if kind is np.ndarray or issubclass(kind, np.generic):
        return
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            msg = f"{name} has masked items, and the mask would be lost: fill it with .filled(), or drop those examples"
            raise ValueError(msg)
    elif _has_missing(x):
        msg = f"{name} has missing numbers (NA), which would become NaN: fill them with .fillna(), or drop those examples"
        raise ValueError(msg)
    for unit in ("units", "unit"):  # an attribute of the class, because a data frame may have a column of that name
        if hasattr(kind, unit):
            msg = f"{name} is in units of {getattr(x, unit)}, which would be lost: pass plain numbers in the unit that you mean"
            raise TypeError(msg)


def _has_missing(x: Any) -> bool:
    """Return whether a column or a table of pandas, Polars or Arrow has missing items."""
    if hasattr(type(x), "null_count"):
        return bool(np.any(np.asarray(x.null_count() if callable(x.null_count) else x.null_count)))
    if not any([kind.__module__.startswith("pandas.") for kind in type(x).__mro__]):
        return False
    kinds = np.ravel(np.asarray(x.dtypes if hasattr(x, "dtypes") else getattr(x, "dtype", None), object))
    nullable = any([type(getattr(kind, "na_value", None)).__name__ == "NAType" for kind in kinds])
    return nullable and bool(np.any(np.asarray(x.isna())))
