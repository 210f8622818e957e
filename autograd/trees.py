"""Tuples, dicts and dataclasses that hold others and, at the ends, leaves: what is in them, and the same with other leaves.

A list is structure only where ``lists`` says so: elsewhere it is an array, a leaf.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

DEEPEST = 100
"""How many levels a tree may have: far more than data has, and few enough to walk by recursion wherever Python is."""


def items(x: Any, *, lists: bool = False) -> list[Any] | None:
    """What ``x`` holds, one level down; None if it is a leaf.

    >>> items({"a": 1, "b": (2, 3)}), items([1, 2]), items([1, 2], lists=True)
    ([1, (2, 3)], None, [1, 2])
    """
    if isinstance(x, dict):
        return [*x.values()]
    if isinstance(x, tuple) or (lists and isinstance(x, list)):
        return [*x]
    if _is_dataclass(x):
        return [getattr(x, name) for name in _fields(x)]
    return None


def like(x: Any, items: list[Any]) -> Any:
    """A tree of the type of ``x``, with ``items`` in the place of what that holds.

    No ``__init__`` runs, which might expect what was there before. A dataclass is its fields; of dicts, attributes and the
    default of a ``defaultdict`` are kept, too.

    >>> like(OrderedDict(a=1, b=2), [3, 4])["b"]
    4
    """
    kind = type(x)
    if kind is dict:
        return dict(zip(x, items, strict=True))
    if isinstance(x, dict):
        y = copy.copy(x)
        put = OrderedDict.__setitem__ if isinstance(x, OrderedDict) else dict.__setitem__
        for key, item in zip(x, items, strict=True):
            put(y, key, item)
        if getattr(x, "__dict__", None) is x:  # items that can be read as attributes
            object.__setattr__(y, "__dict__", y)
        return y
    if isinstance(x, tuple):
        return tuple.__new__(kind, items)
    if isinstance(x, list):
        return [*items]
    y = object.__new__(kind)
    for name, item in zip(_fields(x), items, strict=True):
        object.__setattr__(y, name, item)  # frozen or not
    return y


def flatten(x: Any, leaves: list[Any], name: str = "an argument", *, lists: bool = False, depth: int = 0) -> Hashable:
    """The form of ``x``, whose leaves join ``leaves``: equal for trees that a function cannot tell apart but by their leaves.

    A leaf has the form None. ValueError, by the ``name`` of ``x``, if that is nested in itself: look before you map it.

    >>> leaves = []
    >>> flatten({"a": 1, "b": 2}, leaves) == flatten({"b": 3, "a": 4}, leaves), leaves    # in another order
    (False, [1, 2, 3, 4])
    """
    kind = type(x)
    held: Any = x
    if kind is dict:
        form, held = [kind, *x, *map(type, x)], x.values()  # 1 and True are equal
    elif kind is tuple or (lists and kind is list):
        form = [kind]
    elif (held := items(x, lists=lists)) is None:
        leaves.append(x)
        return None
    else:
        form = [kind, *_beside(x)]
    if depth == DEEPEST:
        raise ValueError(_too_deep(name))
    for item in held:
        if type(item) is np.ndarray and not lists:  # at once, as there are many
            leaves.append(item)
            form.append(None)
        else:
            form.append(flatten(item, leaves, name, lists=lists, depth=depth + 1))
    return tuple(form)


def mapped(f: Callable[[Any], Any], x: Any, *, lists: bool = False) -> Any:
    """``x`` with ``f`` of each leaf in its place.

    >>> mapped(len, ([1, 2], {"a": "xyz"}))
    (2, {'a': 3})
    """
    held = items(x, lists=lists)
    return f(x) if held is None else like(x, [mapped(f, item, lists=lists) for item in held])


def paths(x: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Each leaf of ``x``, after what a program would write for it where ``x`` is called ``name``.

    >>> [*paths({"a": (1, 2)}, "x")]
    [("x['a'][0]", 1), ("x['a'][1]", 2)]
    """
    held = items(x)
    if held is None:
        yield name, x
        return
    if depth == DEEPEST:
        raise ValueError(_too_deep(name.partition("[")[0].partition(".")[0]))
    if isinstance(x, dict):
        steps = [f"[{key!r}]" for key in x]
    elif isinstance(x, tuple) and not hasattr(x, "_fields"):
        steps = [f"[{i}]" for i in range(len(x))]
    else:
        steps = [f".{field}" for field in (x._fields if isinstance(x, tuple) else _fields(x))]  # type: ignore[attr-defined]  # of a namedtuple
    for step, item in zip(steps, held, strict=True):
        yield from paths(item, name + step, depth + 1)


def _too_deep(name: str) -> str:
    return f"{name} is nested in itself, or more than {DEEPEST} levels deep: at the ends of tuples and dicts there are arrays"


def _beside(x: Any) -> list[Hashable]:
    """What else a function may see of a tree than its type and what that holds."""
    if not isinstance(x, dict):
        return [*_fields(x)] if _is_dataclass(x) else []
    own = getattr(x, "__dict__", None)
    kept = [(name, type(value), _hashable(value)) for name, value in own.items()] if own and own is not x else []
    return [*x, *map(type, x), *kept, x.default_factory if isinstance(x, defaultdict) else None]


def _hashable(x: Any) -> Hashable:
    """``x``, or what is equal for all that are equal to it."""
    try:
        hash(x)
    except TypeError:
        return pickle.dumps(x)
    return x  # type: ignore[no-any-return]  # as it could be hashed


def _is_dataclass(x: Any) -> bool:
    return hasattr(type(x), "__dataclass_fields__") and not hasattr(type(x), "__array__")


def _fields(x: Any) -> list[str]:
    """The names of a dataclass's fields that have been assigned."""
    return [field.name for field in dataclasses.fields(x) if hasattr(x, field.name)]
