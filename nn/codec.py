"""The codec of checkpoints: plain Python data becomes JSON and a list of arrays, and comes back to the bit.

JSON has no tuples, no infinities, no complex numbers and no arrays. An object with a single key that begins with $ stands for
these, and arrays are kept apart, by their numbers:

    {"best": (0.5, inf), "w": np.zeros(3)}
    {"best": {"$tuple": [0.5, {"$float": "7ff0000000000000"}]}, "w": {"$array": 0}}
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nn.formats import Parts

_DEPTH = 100
"""How deep data may be nested. Data that contains itself is deeper."""


def encode(x: Any, place: str, arrays: list[NDArray[Any]], depth: int = 0) -> Any:  # noqa: C901 - a branch for each type
    """Return ``x`` as JSON, and append the arrays in it to ``arrays``. TypeError names the ``place`` of anything else."""
    if depth > _DEPTH:
        msg = f"{place[:60]}... is nested more than {_DEPTH} levels deep, or contains itself"
        raise ValueError(msg)

    def inside(item: Any, key: Any) -> Any:
        return encode(item, f"{place}[{key!r}]", arrays, depth + 1)

    kind, out = type(x), x
    if kind is int and abs(x) >= 2**53:  # other programs read the numbers in JSON as floats
        out = {"$int": hex(x)}
    elif kind is float and not math.isfinite(x):
        out = {"$float": struct.pack(">d", x).hex()}
    elif kind is complex:
        out = {"$complex": [inside(x.real, "real"), inside(x.imag, "imag")]}
    elif kind in (list, tuple):
        items = [inside(item, k) for k, item in enumerate(x)]
        out = items if kind is list else {"$tuple": items}
    elif kind is dict:
        if all(type(key) is str and not key.startswith("$") for key in x):
            out = {key: inside(item, key) for key, item in x.items()}
        else:
            out = {"$dict": [[inside(key, key), inside(item, key)] for key, item in x.items()]}
    elif kind is np.ndarray or isinstance(x, np.generic):
        _check_array(x, place)
        out = {"$array" if kind is np.ndarray else "$scalar": len(arrays)}
        arrays.append(np.asarray(x))
    elif x is not None and kind not in (bool, int, float, str):
        article = "an" if kind.__name__[0] in "aeiouAEIOU" else "a"
        msg = (
            f"{place} is {article} {kind.__name__}, which cannot be saved: save numbers, strings, booleans, None, arrays, and "
            "lists, tuples and dicts of these"
        )
        raise TypeError(msg)
    return out


def decode(x: Any, parts: Parts) -> Any:
    """Return the data of which ``encode`` made ``x``; ``parts`` holds its arrays."""
    if isinstance(x, list):
        return [decode(item, parts) for item in x]
    if not isinstance(x, dict):
        return x
    if len(x) != 1 or not (tag := next(iter(x))).startswith("$"):
        return {key: decode(item, parts) for key, item in x.items()}
    return _TAGS[tag](decode(x[tag], parts), parts)


_TAGS: dict[str, Any] = {
    "$int": lambda text, _: int(text, 16),
    "$float": lambda text, _: struct.unpack(">d", bytes.fromhex(text))[0],
    "$complex": lambda pair, _: complex(*pair),
    "$tuple": lambda items, _: tuple(items),
    "$dict": lambda pairs, _: dict(pairs),
    "$array": lambda k, parts: parts[f"array/{k}"],
    "$scalar": lambda k, parts: parts[f"array/{k}"][()],
}


def _check_array(x: NDArray[Any] | np.generic, place: str) -> None:
    if x.dtype.kind not in "biufcSUMm" or np.dtype(x.dtype.str) != x.dtype:
        way_out = "convert it to a dtype of numbers or strings" if x.dtype.names is None else "save a dict of its fields"
        msg = f"{place} is an array of dtype {x.dtype}, which cannot be saved: {way_out}"
        raise TypeError(msg)


# The names of parameters


def grouped(names: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the names, with those of a whole list in one group: a stem and a shape. A list with gaps has no group.

    >>> [*grouped(["w[0]", "w[1]", "b", "v[1]"])]
    [('w', (2,)), ('b', ()), ('v[1]', ())]
    """
    for stem, run in itertools.groupby(names, key=lambda name: name.partition("[")[0]):
        found = [*run]
        shape = tuple(int(index) + 1 for index in re.findall(r"\[(\d+)\]", found[-1]))
        if found == expanded(stem, shape):
            yield stem, shape
        else:
            yield from ((name, ()) for name in found)


def expanded(stem: str, shape: Sequence[int]) -> list[str]:
    """Return the names in a group.

    >>> expanded("w", (2,))
    ['w[0]', 'w[1]']
    """
    return [stem + "".join(f"[{k}]" for k in index) for index in itertools.product(*map(range, shape))]
