"""The watch: the objects that each call compares with their former contents, arranged so that comparing is fast.

A model of a hundred neurons holds thousands of Values, and each call compares all of them with those that were there when the
function was recorded. So they are not compared one by one, but many at once by C code: ``[*map(get, owners)] != before``
compares the ``weights`` and the ``bias`` of a hundred neurons. Comparing by ``==`` is fast, but takes -0.0 for 0.0 and True
for 1. So what is ``ambiguous`` is compared by ``is``.
"""

from __future__ import annotations

import operator
import weakref
from collections import deque
from itertools import chain, compress
from typing import TYPE_CHECKING, Any

from autograd.compiler.capture.sameness import Weak, ambiguous, bits, same_bits
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_LARGE = 1 << 14
"""Arrays of at least this many bytes are compared in place: copying them would take longer."""


class Watch:
    """The things to look at in each call, and what they were."""

    def __init__(self) -> None:
        self.live: list[Any] = []
        """Lists and deques that are compared as a whole,"""
        self.held: list[Any] = []
        """with copies of them."""
        self.slots: list[tuple[Callable[[Any], Any], Any]] = []
        """Functions that get several things, and what to get these out of,"""
        self.same: list[Any] = []
        """with the very things that they got, one after the other."""
        self.alike: dict[Any, tuple[Callable[[Any], Any], list[Any], list[Any]]] = {}
        """Functions that get things which ``==`` compares rightly, what to get these out of, and what they were."""
        self.owners: list[Any] = []
        """Objects with a ``__dict__``,"""
        self.spaces: list[Any] = []
        """and that ``__dict__``."""
        self.method_of: Any = None
        """The object whose method the function is (a weak reference), its class, the id and the size of its ``__dict__``."""
        self.sizes: list[Any] = []
        """Dicts of attributes, in which one more may hide one of the class, and sets."""
        self.dicts: list[Any] = []
        """Dicts, which are compared with their order,"""
        self.keys: list[list[Any]] = []
        """their keys,"""
        self.values: list[list[Any]] = []
        """and what these held."""
        self.derived: list[tuple[Callable[[Any], Any], Any, Any]] = []
        """Functions that make something to compare by ``==``, of what they make it, and what it was."""
        self.arrays: list[tuple[Any, Any]] = []
        """Large arrays, with copies."""

    # What to look at

    def slot(self, getter: Any, names: Sequence[Any], items: Sequence[Any], x: Any) -> None:
        """Watch what the ``getter`` of ``names`` (itemgetter or attrgetter) returns for ``x``, which now is ``items``."""
        held = dict(zip(names, items, strict=True))
        sure = [name for name, item in held.items() if not ambiguous(item)]
        if sure:
            get = getter(*sure, sure[0])  # the first name twice: for one name alone, no tuple would come back
            _, owners, before = self.alike.setdefault((getter, *sure), (get, [], []))
            owners.append(x)
            before.append((*[held[name] for name in sure], held[sure[0]]))
        if others := [name for name in held if name not in sure]:
            self.got(getter(*others, others[0]), x, [*[held[name] for name in others], held[others[0]]])

    def got(self, get: Callable[[Any], Any], x: Any, items: Iterable[Any]) -> None:
        """Look at all that ``get`` gets out of ``x``."""
        self.slots.append((get, x))
        self.same += items

    def whole(self, x: Any, items: list[Any]) -> None:
        """Look at a list or a deque as a whole, and once more at its ambiguous ``items``."""
        self.live.append(x)
        self.held.append(items if isinstance(x, list) else deque(items))
        if {*map(type, items)} != {Value}:
            self._ambiguous(range(len(items)), items, x)

    def mapping(self, x: Any, held: dict[Any, Any]) -> None:
        """Look at a dict, which ``held`` this."""
        self.dicts.append(x)
        self.keys.append([*held])
        self.values.append([*held.values()])
        if type(x).__getitem__ is dict.__getitem__:
            self._ambiguous(held, [*held.values()], x)
        else:
            self.got(lambda x: [*dict.values(x)], x, dict.values(x))

    def sized(self, get: Callable[[Any], Any], x: Any, items: Iterable[Any]) -> None:
        """Look at how many items ``x`` has, and at all that ``get`` gets out of it, in order."""
        self.sizes.append(x)
        self.got(get, x, items)

    def numbers(self, x: Any) -> None:
        """Look at an array."""
        if x.nbytes < _LARGE or not x.flags.c_contiguous:
            self.made(bits, x)
        else:
            self.arrays.append((x, x.copy()))

    def made(self, make: Callable[[Any], Any], x: Any) -> None:
        """Look at what ``make`` makes of ``x``."""
        self.derived.append((make, x, make(x)))

    def _ambiguous(self, keys: Iterable[Any], items: list[Any], x: Any) -> None:
        which = [*map(ambiguous, items)]
        self.slot(operator.itemgetter, [*compress(keys, which)], [*compress(items, which)], x)

    def close(self) -> None:
        """Remember the present contents of all watched objects. No more objects can be added."""
        self.groups, self.alike = [*self.alike.values()], {}
        self.kinds = [*map(type, self.owners)]
        self.counts = [*map(len, self.sizes)]

    def hold_weakly(self, x: Any) -> None:
        """Hold ``x``, whose method the function is, only for as long as somebody else does."""
        reference, space = weakref.ref(x), getattr(x, "__dict__", None)

        def weak(items: Iterable[Any]) -> list[Any]:
            return [tuple(weak(item)) if type(item) is tuple else Weak(x) if item is x else item for item in items]

        def look(get: Callable[[Any], Any], owner: Any) -> tuple[Callable[[Any], Any], Any]:
            if owner is x:
                return lambda held: get(held()), reference
            return (lambda held: get(vars(held())), reference) if owner is space else (get, owner)

        self.slots, self.same = [look(get, owner) for get, owner in self.slots], weak(self.same)
        groups: list[tuple[Callable[[Any], Any], list[Any], list[Any]]] = []
        for get, owners, held in self.groups:
            others = [owner is not x and owner is not space for owner in owners]
            groups.append((get, [*compress(owners, others)], weak(compress(held, others))))
            for owner, before, other in zip(owners, held, others, strict=True):
                if not other:
                    weakly, its = look(get, owner)
                    groups.append((weakly, [its], weak([before])))
        self.groups = groups
        self.sizes = [y for y in self.sizes if y is not space]
        self.counts = [*map(len, self.sizes)]

    # Looking

    def changed(self) -> bool:  # noqa: PLR0911 - a comparison a line, the likely and cheap ones first
        """Whether anything differs, or is another object."""
        for get, owners, before in self.groups:
            if [*map(get, owners)] != before:
                return True
        if self.live != self.held or [*map(len, self.sizes)] != self.counts:
            return True
        if self.owners and ([*map(type, self.owners)] != self.kinds or [*map(vars, self.owners)] != self.spaces):
            return True
        if self.method_of is not None and self._is_another():
            return True
        if self.slots and not all(map(operator.is_, chain.from_iterable([get(x) for get, x in self.slots]), self.same)):
            return True
        if self.dicts and ([*map(list, self.dicts)] != self.keys or [[*x.values()] for x in self.dicts] != self.values):
            return True
        if self.derived and any([get(x) != before for get, x, before in self.derived]):
            return True
        return bool(self.arrays) and any([not same_bits(*x) for x in self.arrays])

    def _is_another(self) -> bool:
        """Whether the object whose method the function is has got another class or ``__dict__``."""
        get, kind, space, size = self.method_of
        return type(x := get()) is not kind or id(vars(x)) != space or len(vars(x)) != size
