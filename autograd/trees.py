"""Trees: tuples, dicts and dataclasses, nested in one another, that hold leaves such as arrays.

``flatten`` takes a tree apart into its leaves and its structure, ``unflatten`` puts it together again, ``map`` applies a
function to each leaf, and ``paths`` names each leaf. A list is a leaf, because elsewhere in this package a list is an array;
with ``lists=True`` it is part of the structure, like a tuple.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

DEEPEST = 100
"""How many levels a tree may have. Data has far fewer, and Python's recursion limit allows far more."""

Structure = tuple[Any, ...] | None
"""A tree without its leaves: None for a leaf, and (kind, keys, structure of each item...) for a container. It is hashable.

For ``({"a": 1}, 2)`` it is ``(tuple, (), (dict, ("a", str), None), None)``. The types of a dict's keys follow its keys: 1
and True are equal.
"""


def flatten(tree: Any, *, lists: bool = False, name: str = "the tree") -> tuple[list[Any], Structure]:
    """Return the leaves of ``tree``, in order, and its structure.

    Two structures are equal if no function could tell the trees apart except by their leaves: types, keys and their order are
    the same. Raises ValueError, in which ``name`` stands for the tree, if the tree contains itself.

    >>> leaves, structure = flatten({"a": 1, "b": (2, 3)})
    >>> leaves
    [1, 2, 3]
    >>> structure == flatten({"a": 4, "b": (5, 6)})[1], structure == flatten({"b": (5, 6), "a": 4})[1]
    (True, False)
    """
    leaves: list[Any] = []
    return leaves, _structure(tree, leaves, name, 0, lists=lists)


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """Return the tree of ``structure`` with ``leaves``, in order: the inverse of ``flatten``.

    The containers are new and have their former types. No ``__init__`` runs. Raises ValueError if there are fewer or more
    leaves than the structure has places.

    >>> _, structure = flatten({"a": 1, "b": (2, 3)})
    >>> unflatten(structure, [10, 20, 30])
    {'a': 10, 'b': (20, 30)}
    """
    rest = iter(leaves)
    try:
        tree = _rebuilt(structure, rest)
    except StopIteration:
        msg = "the structure has more places than there are leaves"
        raise ValueError(msg) from None
    for _ in rest:
        msg = "the structure has fewer places than there are leaves"
        raise ValueError(msg)
    return tree


def map(fn: Callable[..., Any], tree: Any, *others: Any, lists: bool = False) -> Any:  # noqa: A001 - as jax.tree.map
    """Return ``tree`` with each leaf replaced by ``fn`` of it, and of the leaves at the same place in ``others``.

    Raises ValueError if ``others`` differ from ``tree`` in structure, or if a tree contains itself.

    >>> map(len, ([1, 2], {"a": "xyz"}))
    (2, {'a': 3})
    >>> map(max, {"a": 1, "b": 5}, {"a": 3, "b": 4})
    {'a': 3, 'b': 5}
    """
    leaves, structure = flatten(tree, lists=lists)
    columns = [leaves]
    for other in others:
        found, its_structure = flatten(other, lists=lists)
        if its_structure != structure:
            msg = "map() expects trees of the same structure: the same types, keys and numbers of items, in the same order"
            raise ValueError(msg)
        columns.append(found)
    return unflatten(structure, [fn(*row) for row in zip(*columns, strict=True)])


def paths(tree: Any, name: str = "", *, lists: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the path and the leaf of each leaf; a path is the Python expression for it, where the tree is called ``name``.

    >>> [*paths({"a": (1, 2)}, "x")]
    [("x['a'][0]", 1), ("x['a'][1]", 2)]
    """
    leaves, structure = flatten(tree, lists=lists, name=name)
    return zip(_paths(structure, name), leaves, strict=True)


def _structure(x: Any, leaves: list[Any], name: str, depth: int, *, lists: bool) -> Structure:
    """Return the structure of ``x``, and append the leaves to ``leaves``."""
    kind: Any = type(x)
    keys: tuple[Any, ...] = ()
    items: Any = x
    if isinstance(x, dict):
        keys, items = (*x, *[type(key) for key in x]), x.values()
        kind = kind if kind is dict else _Dict(x)
    elif isinstance(x, tuple) or (lists and isinstance(x, list)):
        pass
    elif _is_dataclass(kind):
        keys = (*[field.name for field in dataclasses.fields(x) if hasattr(x, field.name)],)
        items = [getattr(x, key) for key in keys]
    else:
        leaves.append(x)
        return None
    if depth == DEEPEST:
        msg = f"{name} is nested in itself, or more than {DEEPEST} levels deep"
        raise ValueError(msg)
    structure = [kind, keys]
    for item in items:
        if type(item) is np.ndarray:  # the most frequent leaf, without a call
            leaves.append(item)
            structure.append(None)
        else:
            structure.append(_structure(item, leaves, name, depth + 1, lists=lists))
    return tuple(structure)


def _rebuilt(structure: Structure, leaves: Iterator[Any]) -> Any:
    """Return the tree of ``structure`` with the next of ``leaves``."""
    if structure is None:
        return next(leaves)
    kind, keys, *parts = structure
    items = [_rebuilt(part, leaves) for part in parts]
    if kind is dict:
        return dict(zip(keys, items, strict=False))  # behind the keys come their types
    if isinstance(kind, _Dict):
        return kind.filled(keys, items)
    if issubclass(kind, tuple):
        return tuple.__new__(kind, items)
    if issubclass(kind, list):
        tree = list.__new__(kind)
        list.extend(tree, items)
        return tree
    tree = object.__new__(kind)
    for key, item in zip(keys, items, strict=True):
        object.__setattr__(tree, key, item)  # frozen or not
    return tree


def _paths(structure: Structure, path: str) -> Iterator[str]:
    """Yield the path of each leaf in a tree of ``structure`` that is at ``path``."""
    if structure is None:
        yield path
        return
    kind, keys, *parts = structure
    if kind is dict or isinstance(kind, _Dict):
        steps = [f"[{key!r}]" for key in keys[: len(parts)]]
    elif hasattr(kind, "_fields"):  # a namedtuple
        steps = [f".{field}" for field in kind._fields]
    elif issubclass(kind, tuple | list):
        steps = [f"[{i}]" for i in range(len(parts))]
    else:
        steps = [f".{key}" for key in keys]
    for step, part in zip(steps, parts, strict=True):
        yield from _paths(part, path + step)


class _Dict:
    """A dict of a subclass of ``dict``, without its items: two are equal if a function can see no difference."""

    def __init__(self, x: dict[Any, Any]) -> None:
        own = getattr(x, "__dict__", None)
        self._items_are_attributes = own is x
        attributes = own.items() if own and own is not x else ()
        seen = [(name, type(value), _hashable(value)) for name, value in attributes]
        self._key = type(x), self._items_are_attributes, *seen, x.default_factory if isinstance(x, defaultdict) else None
        self._empty = copy.copy(x)
        clear = OrderedDict.clear if isinstance(x, OrderedDict) else dict.clear
        clear(self._empty)
        if self._items_are_attributes:  # the copy has the items as attributes
            object.__setattr__(self._empty, "__dict__", self._empty)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Dict) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def filled(self, keys: Iterable[Any], items: list[Any]) -> Any:
        """Return a new dict of this kind, with the first of ``keys`` for ``items``."""
        new = copy.copy(self._empty)
        put = OrderedDict.__setitem__ if isinstance(new, OrderedDict) else dict.__setitem__
        for key, item in zip(keys, items, strict=False):
            put(new, key, item)
        if self._items_are_attributes:
            object.__setattr__(new, "__dict__", new)
        return new


def _hashable(x: Any) -> Hashable:
    """Return ``x``, or else its pickle, which is equal for things that are equal in all their parts."""
    try:
        hash(x)
    except TypeError:
        return pickle.dumps(x)
    return x  # type: ignore[no-any-return]  # it could be hashed


def _is_dataclass(kind: type) -> bool:
    """Return whether instances of ``kind`` are dataclasses; one that NumPy can read as an array is a leaf."""
    return hasattr(kind, "__dataclass_fields__") and not hasattr(kind, "__array__")
