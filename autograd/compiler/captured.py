"""What a recording captures, so that it is noticed when something else has been put in its place.

A recording captures what the function reaches from its closure, its defaults, its ``self`` and the globals that its code
names, through the items of containers and the attributes that code names (all attributes, where it has ``getattr`` or
``vars``). A call that finds another Value there, or a number or anything else that differs, records the function anew.

Not looked at are the globals of installed packages (Python's, this one, ``nn``, and what lies in ``site-packages``), arrays
that are read-only, what C code keeps to itself, and what the function itself changes each time that it runs, as a counter.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import operator
import os
import sys
import weakref
from collections import OrderedDict, deque
from contextvars import ContextVar
from itertools import chain, compress
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd import modes
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, range, slice, CodeType, type(...), np.ufunc})
_NO_MORE = _PLAIN | {Value}
"""Types of what leads nowhere."""
_ANY_ATTRIBUTE = frozenset(
    {"getattr", "vars", "__dict__", "__getattribute__", "attrgetter", "methodcaller", "asdict", "astuple", "getmembers"}
    | {"getattr_static", "__getstate__", "__reduce_ex__"}
)
"""Code that has one of these names may read attributes that it does not name."""
_OF_NO_CALL = frozenset(
    {"__del__", "__init_subclass__", "__set_name__", "__class_getitem__", "__repr__", "__str__", "__reduce__", "__reduce_ex__"}
    | {"__getstate__", "__setstate__", "__copy__", "__deepcopy__", "__setattr__", "__delattr__", "__dir__", "__sizeof__"}
)
"""Special methods that no computation calls."""
_MAKERS = frozenset({"__init__", "__new__", "__post_init__"})
"""Special methods that are called where the code has got the class, not just an object of it."""
_ALWAYS = frozenset({"__wrapped__", "__func__", "fget", "func", "args", "keywords"})
"""The attributes in which what wraps a function keeps it."""
_here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes 3 ms to import
_AUTOGRAD, _NN = f"{_here}{os.sep}", f"{os.path.dirname(_here)}{os.sep}nn{os.sep}"  # noqa: PTH120 - likewise
"""What comes with this package is installed, in a checkout, too."""
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_LARGE = 1 << 14
"""Of how many bytes on a copy costs more than to compare in place."""


class _Node(NamedTuple):
    """Something that holds other things: what the paths to them begin with, its type, and what it held, by a key for each."""

    path: str
    kind: type
    keys: Sequence[Any]
    items: Sequence[Any]


Change = tuple[str, Any, Any]
"""Where something is another now: the place, what was there, what is there."""
_COMPARING = modes.Beginning(1)  # a Value and a number cannot be compared in it, and so are not taken for the same


class Captured:
    """What ``fn`` reaches, and what that held. ``values`` are those that it is known to have used.

    ``places`` are not looked at; ``like`` is what was captured before, in which names were found already.
    """

    _weak: Any = None
    """A reference to what is held weakly."""
    meanwhile: list[tuple[str, Any, Any]]
    """What was changed only the first time."""

    def __init__(
        self,
        fn: Callable[..., Any],
        values: Iterable[Value] = (),
        constants: Iterable[Value] = (),
        places: Collection[str] = (),
        like: Captured | None = None,
    ) -> None:
        self.places = frozenset(places)
        self.names: set[str] = set(like.names) if like else {*_ALWAYS}
        self.everything: bool = like.everything if like else False
        self._constants = [*constants]
        walk = self._walk(fn)
        values = [*values]
        self.missing = _unseen(values, walk)
        """The Values of which it is not known from where ``fn`` takes them."""
        if self.missing and not self.everything:
            self.everything = True
            walk = self._walk(fn)
            self.missing = _unseen(values, walk)
        walk.looks.close()
        self.nodes, self.paths, self._looks = walk.nodes, walk.paths, walk.looks

    def _walk(self, fn: Any) -> _Walk:
        """A walk that knows all names that it met."""
        while True:
            known = len(self.names), self.everything
            walk = _Walk(self.names, self.places, everything=self.everything)
            walk.start(fn, self._constants)
            self.everything = walk.everything
            if known == (len(self.names), self.everything):
                return walk

    def again(self, fn: Callable[..., Any]) -> Captured:
        """What ``fn`` reaches now."""
        return Captured(fn, (), self._constants, self.places, self)

    def changed(self) -> bool:
        """Whether something may be another now: False is sure."""
        token = modes.compiling.set(_COMPARING)
        try:
            return self._looks.changed()
        except Exception:  # noqa: BLE001 - an attribute that is gone, an array in the place of another: whatever it is, it changed
            return True
        finally:
            modes.compiling.reset(token)

    def hold_weakly(self, x: Any) -> None:
        """Hold ``x``, whose method the function is, only for as long as somebody else does."""
        self._weak = weakref.ref(x)
        self._looks.hold_weakly(x)
        for path, node in self.nodes.items():
            if any([item is x for item in node.items]):
                self.nodes[path] = node._replace(items=[_Weak(x) if item is x else item for item in node.items])

    def leads_to(self, x: Any) -> bool:
        """Whether it still holds ``x``, through anything but a module, a class or a Value."""
        seen, stack = {id(self)}, [self]
        while stack:
            for item in gc.get_referents(stack.pop()):
                if item is x:
                    return True
                plain = not gc.is_tracked(item) or isinstance(item, type | ModuleType | Value)
                if not (plain or id(item) in seen or (type(item) is dict and "__builtins__" in item)):  # a module's names
                    seen.add(id(item))
                    stack.append(item)
        return False

    def difference(self, fn: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
        """Where something is another now: the place, what was there, what is there.

        If it is the same in all, what is looked at from now on is what is there now.
        """
        now = self.again(fn)
        found = self.compared(now)
        if not found:
            if self._weak is not None:
                now.hold_weakly(self._weak())
            self.nodes, self.paths, self._looks = now.nodes, now.paths, now._looks
        return found

    def but_for_what_it_does(self, fn: Callable[..., Any], before: Captured, values: Collection[Value]) -> Captured:
        """The same without the places that ``fn`` changed both times that it was called: since ``before``, and since this.

        Values that it puts there are its own if it has computed them, and not one of those before that it has used.
        """
        used, changes = frozenset(values), before.compared(self)

        def own(x: Any) -> bool:
            return not isinstance(x, Value) or bool(x._args and x not in used)

        places = {place for place, *pair in changes if all(map(own, pair))}
        changed = places and places & {place for place, *_ in self.compared(self.again(fn))}
        found = Captured(fn, values, self._constants, self.places | changed, self) if changed else self
        found.meanwhile = (
            [change for change in changes if change[0] not in changed] if before.everything == self.everything else []
        )
        return found

    def compared(self, now: Captured) -> list[tuple[str, Any, Any]]:
        """Where ``now`` holds something else: the place, what was there, what is there."""
        found: list[tuple[str, Any, Any]] = []
        for path, old in self.nodes.items():
            new = now.nodes.get(path)
            if new is None or new is old:
                continue
            if old.kind is not new.kind or not _same_keys(old.keys, new.keys):
                found.append((old.path, _Size(old), _Size(new)))
            elif not all(map(operator.is_, old.items, new.items)):
                for key, a, b in zip(old.keys, old.items, new.items, strict=True):
                    if a is not b and not self._alike(a, b, now):
                        found.append((old.path + _step(old.kind, key), a, b))
        return found

    def _alike(self, a: Any, b: Any, now: Captured) -> bool:
        """Whether ``a``, which was there, and ``b``, which is there now, are the same for a computation."""
        if isinstance(a, _Weak):
            return bool(a == b)
        if type(a) is not type(b) or isinstance(a, Value | type | ModuleType):
            return False
        if (path := self.paths.get(id(a))) in self.nodes:
            return path == now.paths.get(id(b))
        return _equal(a, b)


class _Size:
    """What a container was, for a message: how many items it had."""

    def __init__(self, node: _Node) -> None:
        self.text = f"{node.kind.__name__} of {len(node.keys)}"

    def __repr__(self) -> str:
        return self.text


class _Looks:
    """What to look at in each call, in a few comparisons of many things each."""

    def __init__(self) -> None:
        self.live: list[Any] = []
        """Containers, which are compared as a whole,"""
        self.held: list[Any] = []
        """and copies of them."""
        self.slots: list[tuple[Callable[[Any], Any], Any]] = []
        """How to get what must be the very same, and out of what,"""
        self.same: list[Any] = []
        """and what it was."""
        self.alike: dict[Any, tuple[Callable[[Any], Any], list[Any], list[Any]]] = {}
        """The same for what is equal only to itself: how to get it, out of what, and what it was."""
        self.owners: list[Any] = []
        """Objects with a ``__dict__``,"""
        self.spaces: list[Any] = []
        """and which it was."""
        self.method_of: Any = None
        """A weak reference to the object whose method the function is, which is not to be kept alive, with its ``__dict__``."""
        self.sizes: list[Any] = []
        """Dicts of attributes, where one more may hide one of the class, and sets."""
        self.dicts: list[Any] = []
        """Dicts, which are compared with their order,"""
        self.keys: list[list[Any]] = []
        """and their keys"""
        self.values: list[list[Any]] = []
        """and values."""
        self.derived: list[tuple[Callable[[Any], Any], Any, Any]] = []
        """How to make what is equal, of what, and what it was."""
        self.arrays: list[tuple[Any, Any]] = []
        """Large arrays, with copies."""

    def slot(self, getter: Any, held: dict[Any, Any], x: Any) -> None:
        """Look at what the ``getter`` of names gets out of ``x``, which was what is ``held`` by these names."""
        sure = [name for name, item in held.items() if not _exact(item)]
        if sure:
            get = getter(*sure, sure[0])  # twice: of one name alone it would not give a tuple
            _, owners, before = self.alike.setdefault((getter, *sure), (get, [], []))
            owners.append(x)
            before.append((*[held[name] for name in sure], held[sure[0]]))
        if others := [name for name in held if name not in sure]:
            self.slots.append((getter(*others, others[0]), x))
            self.same += [*[held[name] for name in others], held[others[0]]]

    def close(self) -> None:
        """All is there."""
        self.groups, self.alike = [*self.alike.values()], {}
        self.kinds = [*map(type, self.owners)]
        self.counts = [*map(len, self.sizes)]

    def hold_weakly(self, x: Any) -> None:
        """Hold ``x``, whose method the function is, only for as long as somebody else does."""
        reference, space = weakref.ref(x), getattr(x, "__dict__", None)

        def weak(items: Iterable[Any]) -> list[Any]:
            return [tuple(weak(item)) if type(item) is tuple else _Weak(x) if item is x else item for item in items]

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

    def changed(self) -> bool:  # noqa: PLR0911 - a comparison a line, the likely and cheap ones first
        """Whether anything differs, or is another."""
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
        return bool(self.arrays) and any([not _same_bits(*x) for x in self.arrays])

    def _is_another(self) -> bool:
        """Whether the object whose method it is has got another class or ``__dict__``."""
        get, kind, space, size = self.method_of
        return type(x := get()) is not kind or id(vars(x)) != space or len(vars(x)) != size


def _unseen(values: list[Value], walk: _Walk) -> list[Value]:
    """Those of ``values`` that a walk has not met."""
    met = {*walk.values} if values else set()
    return [] if met.issuperset(map(id, values)) else [value for value in values if id(value) not in met]


class _Walk:
    """What is reached from a function, by which path; the same things in the same order wherever it starts from the same."""

    def __init__(self, names: set[str], places: frozenset[str], *, everything: bool) -> None:
        self.names, self.places, self.everything = names, places, everything
        self.values: list[int] = []
        self.nodes: dict[str, _Node] = {}
        self.paths: dict[int, str] = {}
        self._taken: set[str] = set()
        self._stack: list[tuple[str, Any]] = []
        self._alive: list[Any] = []
        self._root: Any = None
        self._method_of: Any = None
        self._referred: set[int] = set()
        """Classes that the code has got, of which it may make objects."""
        self._spaces: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.looks = _Looks()

    def start(self, fn: Any, constants: list[Value]) -> None:
        """Walk from ``fn``."""
        if isinstance(fn, MethodType):  # the object itself is not kept, so that it may go
            self._method_of = fn.__self__
            self._meet("self" if not isinstance(fn.__self__, type) else fn.__self__.__name__, fn.__self__)
            fn = fn.__func__
        self._root = fn
        self._meet(getattr(fn, "__name__", type(fn).__name__), fn)
        while self._stack:
            path, x = self._stack.pop()
            self._visit(path, x)
        for space, names in self._spaces.values():
            self._held(str(space.get("__name__")), _Slots(), (*names,), None, [*names.values()], ".globals")
            self.looks.slot(operator.itemgetter, names, space)
        if constants:
            data = [x._data for x in constants]
            self.nodes["detach()"] = _Node("a constant", Value, ("_data",) * len(data), data)
            self.looks.slots += [(lambda x: (x._data,), x) for x in constants]
            self.looks.same += data

    def _meet(self, path: str, x: Any) -> None:
        """Take note of ``x``, and go on from there later."""
        if isinstance(x, Value):
            self.values.append(id(x))
            if type(x) is Value:
                return
        if (
            type(x) in _PLAIN
            or isinstance(x, np.generic | np.dtype | _Bits | _Bag)
            or id(x) in self.paths
            or path in self.places
        ):
            return
        while path in self._taken:
            path += "'"
        self._taken.add(path)
        self.paths[id(x)] = path
        self._alive.append(x)
        self._stack.append((path, x))

    def _held(  # noqa: PLR0913, PLR0917 - that is what there is to know
        self,
        path: str,
        x: Any,
        keys: Sequence[Any],
        look: Callable[[_Looks], None] | None,
        items: Sequence[Any],
        part: str = "",
    ) -> None:
        """``x``, met by ``path``, or a ``part`` of it, holds ``items`` by ``keys``; and how to look whether it still does."""
        kind = type(x)
        if self.places:
            kept = [(key, item) for key, item in zip(keys, items, strict=True) if path + _step(kind, key) not in self.places]
            if len(kept) < len(keys):
                keys, items = tuple([key for key, _ in kept]), [item for _, item in kept]
                held = dict(kept)
                look = functools.partial(_Looks.slot, getter=operator.itemgetter, held=held, x=x) if look else None
        self.nodes[path + part] = _Node(path, kind, keys, items)
        if look:
            look(self.looks)
        kinds = {*map(type, items)}
        if Value in kinds:
            self.values += map(id, items) if len(kinds) == 1 else [id(item) for item in items if type(item) is Value]
        if kinds <= _NO_MORE:
            return
        for key, item in zip(keys, items, strict=True):
            if type(item) not in _NO_MORE:
                self._meet(path + _step(kind, key), item)
                if kind is dict and isinstance(item, type):
                    self._referred.add(id(item))

    def _visit(self, path: str, x: Any) -> None:  # noqa: C901, PLR0911, PLR0912 - one branch for each kind of thing that holds others
        kind = type(x)
        if isinstance(x, FunctionType):
            return self._function(path, x)
        if isinstance(x, type):
            return self._class(path, x)
        if isinstance(x, ModuleType):
            return self._attributes(path, vars(x), modules=True) if not _installed(vars(x)) else None
        if isinstance(x, list | deque):
            items = [*x]
            self._held(path, x, range(len(items)), functools.partial(_whole, x=x, items=items), items)
        elif isinstance(x, tuple):
            self._held(path, x, range(len(x)), None, [*x])
        elif isinstance(x, dict):
            held = {**x} if not isinstance(x, OrderedDict) else dict(OrderedDict.items(x))
            self._held(path, x, (*held,), functools.partial(_dict, x=x, held=held), [*held.values()])
            for key in held:
                if type(key) not in _PLAIN:
                    self._meet(f"a key of {path}", key)
        elif isinstance(x, set | frozenset):
            items = [*x]
            self._held(path, x, ("",) * len(items), functools.partial(_set, x=x, items=items), items)
        elif isinstance(x, MappingProxyType):
            held = {**x}
            self._held(path, x, (*held,), lambda looks: _derived(looks, _pairs, x), [*held.values()])
        elif isinstance(x, _VIEWS):
            return self._held(path, x, ("mapping",), None, [x.mapping])
        elif isinstance(x, np.ndarray):
            self._array(path, x, x)
        elif isinstance(x, MethodType):
            return self._held(path, x, ("__self__", "__func__"), None, [x.__self__, x.__func__])
        elif isinstance(x, BuiltinFunctionType | MethodWrapperType):
            return None if isinstance(x.__self__, ModuleType) else self._held(path, x, ("__self__",), None, [x.__self__])
        elif isinstance(x, functools.partial):
            self._held(path, x, ("func", "args", "keywords"), None, [x.func, x.args, x.keywords])
        elif isinstance(x, classmethod | staticmethod):
            return self._held(path, x, ("__func__",), None, [x.__func__])
        elif isinstance(x, property) and kind is property:
            return self._held(path, x, ("fget",), None, [x.fget])
        elif isinstance(x, weakref.ref):
            items = [x()]
            return self._held(path, x, ("()",), functools.partial(_got, get=_called, x=x, items=items), items)
        elif isinstance(x, ContextVar):
            items = [x.get(None)]
            return self._held(path, x, ("get()",), functools.partial(_got, get=_var, x=x, items=items), items)
        elif isinstance(x, operator.attrgetter | operator.methodcaller):
            self.names |= {name for part in x.__reduce__()[1] if isinstance(part, str) for name in part.split(".")}
            return None
        elif (array := _as_array(x)) is not None:
            return self._array(path, x, array)
        return self._instance(path, x)

    def _array(self, path: str, x: Any, array: Any) -> None:
        """Numbers, and whatever objects of arrays hold."""
        if array.dtype == object:
            items = _flat(x)
            if array is x:
                self._held(path, x, range(len(items)), functools.partial(_got, get=_flat, x=x, items=items), items)
            else:  # a table of columns of different kinds makes other objects of its numbers each time
                self._held(path, x, ("",), lambda looks: _derived(looks, _flat, x), [_Bag(items)])
        elif array is x:
            frozen = not x.flags.writeable and (
                x.base is None or not getattr(getattr(x.base, "flags", None), "writeable", True)
            )
            self._held(path, x, ("",), None if frozen else lambda looks: _numbers(looks, x), [_Bits(x)])
        else:
            self._held(path, x, ("",), lambda looks: _derived(looks, _shape_and_bytes_of, x), [_Bits(array)])
        if array is not x and isinstance(axes := getattr(x, "axes", None), list):  # the labels of a table
            names = tuple([f"axes[{i}]" for i in range(len(axes))])
            self._held(path, x, names, functools.partial(_got, get=operator.attrgetter("axes"), x=x, items=axes), axes, ".axes")

    def _instance(self, path: str, x: Any) -> None:
        kind = x.__class__  # of what a weak proxy stands for
        if isinstance(kind, type) and kind.__module__.partition(".")[0] == "autograd" and _own(kind):
            if hasattr(x, "__wrapped__"):  # a compiled function, of which only the plain one counts
                self._held(path, x, ("__wrapped__",), None, [x.__wrapped__])
            return
        slots = [name for base in kind.__mro__ for name, y in vars(base).items() if type(y) is MemberDescriptorType]
        self._meet(f"type({path})", kind)
        named = [name for name in slots if (self.everything or name in self.names) and hasattr(x, name)]
        if named:
            items = [getattr(x, name) for name in named]
            self._held(path, _Slots(), tuple(named), None, items, ".__slots__")
            self.looks.slot(operator.attrgetter, self._kept(path, named, items), x)
        if type(space := getattr(x, "__dict__", None)) is dict:
            self._attributes(path, space)
            if x is not self._method_of:
                self.looks.owners.append(x)
                self.looks.spaces.append(space)
            else:
                with contextlib.suppress(TypeError):  # it has slots, and none for this
                    self.looks.method_of = weakref.ref(x), type(x), id(space), len(space)

    def _attributes(self, path: str, space: Any, *, modules: bool = False) -> None:
        """The attributes in ``space`` that count."""
        wanted = [*space] if self.everything and not modules else sorted(space.keys() & self.names)
        keys = tuple([name for name in wanted if type(name) is str])
        items = [space[key] for key in keys]
        self._held(path, _Slots(), keys, None, items, ".__dict__")
        self.looks.slot(operator.itemgetter, self._kept(path, keys, items), space)
        if not modules:
            self.looks.sizes.append(space)
        if modules:
            self._referred |= {id(item) for item in items}

    def _kept(self, path: str, names: Sequence[str], items: Sequence[Any]) -> dict[str, Any]:
        """The attributes at ``path`` that are looked at."""
        return {name: item for name, item in zip(names, items, strict=True) if f"{path}.{name}" not in self.places}

    def _class(self, path: str, x: type) -> None:
        space: Any = vars(x)
        if not x.__flags__ & 1 << 9 or _own(x):  # made in C
            return
        where = vars(sys.modules.get(x.__module__, sys))
        installed = _installed(where) and where.get(x.__name__) is x
        referred = id(x) in self._referred
        special = [
            name
            for name, y in space.items()
            if name[:2] == "__"
            and isinstance(y, FunctionType)
            and name not in _OF_NO_CALL
            and (referred or name not in _MAKERS)
        ]
        named = space.keys() & self.names
        if self.everything and not installed:
            named = {name for name in space if name[:2] != "__"}
        if referred:
            self.names.update([name for name in space.get("__match_args__", ()) if type(name) is str])
        keys = tuple(dict.fromkeys([*special, *sorted(named - _OF_NO_CALL - _MAKERS - {"__dict__", "__weakref__"})]))
        items = [space[key] for key in keys]
        self._held(path, _Slots(), keys, None, items)
        if not installed:
            self.looks.slot(operator.itemgetter, self._kept(path, keys, items), space)
            self.looks.sizes.append(space)
        for base in (*x.__bases__, type(x)):
            self._meet(f"{base.__name__}", base)

    def _function(self, path: str, x: FunctionType) -> None:
        space = x.__globals__
        if _own_space(space) and x is not self._root:
            if "__wrapped__" in vars(x):
                self._meet(path, vars(x)["__wrapped__"])
            return
        names_of_defaults = ("__code__", "__defaults__", "__kwdefaults__")
        items = [getattr(x, name) for name in names_of_defaults]
        self._held(path, _Slots(), names_of_defaults, None, items)
        self.looks.slot(operator.attrgetter, self._kept(path, names_of_defaults, items), x)
        for name, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
            self._cell(name if x is self._root else f"{path}.{name}", cell)
        self._attributes(path, vars(x))
        names = _names_in(x.__code__)
        self.names |= names
        if _installed(space):
            return
        self.everything = self.everything or not names.isdisjoint(_ANY_ATTRIBUTE)
        known = [name for name in sorted(names) if name in space]
        seen = self._spaces.setdefault(id(space), (space, {}))[1]
        for name in known:
            place = f"{space.get('__name__')}.{name}"
            if name not in seen and place not in self.places:
                seen[name] = space[name]
                self._referred.add(id(seen[name]))
                self._meet(place, seen[name])
        package = space.get("__package__") or ""
        for name in sorted(names):
            module = sys.modules.get(name) or sys.modules.get(f"{package}.{name}")
            if module is not None and isinstance(module, ModuleType):
                self._meet(module.__name__, module)

    def _cell(self, path: str, cell: CellType) -> None:
        """What a closure holds; it may not be assigned yet."""
        if path in self.places:
            return
        with contextlib.suppress(ValueError):
            item = cell.cell_contents
            self._referred.add(id(item))
            self._held(path, cell, ("",), None, [item], ".cell")
            self.looks.slot(operator.attrgetter, {"cell_contents": item}, cell)


class _Slots:
    """The kind of what has attributes."""


class _Weak:
    """Something that is held weakly: equal to that thing alone."""

    __slots__ = ("reference",)

    def __init__(self, x: Any) -> None:
        self.reference = weakref.ref(x)

    def __eq__(self, other: object) -> bool:
        return bool(self.reference() is other)

    __hash__ = None  # type: ignore[assignment]  # what is compared has no need of one


class _Bits:
    """The numbers in an array, compared bit by bit."""

    __slots__ = ("array",)

    def __init__(self, x: Any) -> None:
        self.array = np.array(_as_array(x) if not isinstance(x, np.ndarray) else x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bits) and _same_bits(self.array, other.array)

    __hash__ = None  # type: ignore[assignment]  # as that of an array

    def __repr__(self) -> str:
        return f"an array {self.array.shape} {self.array.ravel()[:3].tolist()!r}"


class _Bag:
    """Items that are made anew each time, compared by number."""

    __slots__ = ("items",)

    def __init__(self, items: Any) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bag) and bool(self.items == other.items)

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def __repr__(self) -> str:
        return repr(self.items)


def _step(kind: type, key: Any) -> str:
    """How a path goes on to what is held by ``key``."""
    if kind is CellType or key == "":
        return ""
    if issubclass(kind, list | tuple | deque | dict | np.ndarray | MappingProxyType):
        return f"[{key!r}]"
    return f".{key}"


def _whole(looks: _Looks, x: Any, items: list[Any]) -> None:
    """Compare a list as a whole, and what only seems to be the same one by one."""
    looks.live.append(x)
    looks.held.append(items if isinstance(x, list) else deque(items))
    if {*map(type, items)} != {Value}:
        looks.slot(operator.itemgetter, {i: item for i, item in enumerate(items) if _exact(item)}, x)


def _dict(looks: _Looks, x: dict[Any, Any], held: dict[Any, Any]) -> None:
    looks.dicts.append(x)
    looks.keys.append([*held])
    looks.values.append([*held.values()])
    if type(x).__getitem__ is dict.__getitem__:
        looks.slot(operator.itemgetter, {key: item for key, item in held.items() if _exact(item)}, x)
    else:
        _got(looks, _values_of, x, [*dict.values(x)])


def _set(looks: _Looks, x: Any, items: list[Any]) -> None:
    """Compare a set with its order, of which a computation may make use."""
    looks.sizes.append(x)
    _got(looks, list, x, items)


def _got(looks: _Looks, get: Callable[[Any], Any], x: Any, items: list[Any]) -> None:
    """Look at all that ``get`` gets out of ``x``."""
    looks.slots.append((get, x))
    looks.same += items


def _derived(looks: _Looks, make: Callable[[Any], Any], x: Any) -> None:
    looks.derived.append((make, x, make(x)))


def _numbers(looks: _Looks, x: Any) -> None:
    if x.nbytes < _LARGE or not x.flags.c_contiguous:
        _derived(looks, _shape_and_bytes, x)
    else:
        looks.arrays.append((x, x.copy()))


def _shape_and_bytes(x: Any) -> tuple[Any, ...]:
    return x.shape, x.dtype, x.tobytes()


def _shape_and_bytes_of(x: Any) -> tuple[Any, ...]:
    return _shape_and_bytes(_as_array(x))


def _exact(x: Any) -> bool:
    """Whether something else could be equal to ``x`` and not the same: 0.0 and -0.0, 1 and True, lists that hold these."""
    kind = type(x)
    if kind is list:
        return {*map(type, x)} != {Value} and any([type(item) is list or _exact(item) for item in x])
    return not (isinstance(x, Value) or kind in {str, CodeType} or (kind is float and x != 0) or _by_identity(kind))


def _by_identity(kind: Any) -> bool:
    """Whether things of this kind are equal only to themselves."""
    return kind.__eq__ is object.__eq__


def _values_of(x: Any) -> list[Any]:
    return [*dict.values(x)]


def _called(x: Any) -> tuple[Any]:
    return (x(),)


def _var(x: ContextVar[Any]) -> tuple[Any]:
    return (x.get(None),)


def _pairs(x: Any) -> list[Any]:
    return [_Exact(pair) for pair in x.items()]


class _Exact:
    """A key and what it holds, which must be the very same."""

    __slots__ = ("pair",)

    def __init__(self, pair: tuple[Any, Any]) -> None:
        self.pair = pair

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Exact) and self.pair[1] is other.pair[1] and self.pair[0] == other.pair[0]

    __hash__ = None  # type: ignore[assignment]  # as that of a list


def _flat(x: Any) -> list[Any]:
    return np.asarray(x).ravel().tolist()


def _same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same, NaN and the sign of 0 included."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == np.float64 and a.flags.c_contiguous:
        return bool((a.view(np.uint64) == b.view(np.uint64)).all())
    return bool(a.tobytes() == b.tobytes())


def _as_array(x: Any) -> Any:
    """The numbers of what can give them as an array without being one; None for anything else."""
    kind = type(x)
    if not (hasattr(kind, "__array__") or isinstance(x, memoryview | bytearray) or kind.__module__ in {"array", "mmap"}):
        return None
    try:
        return np.asarray(x)
    except Exception:  # noqa: BLE001 - as that of a tensor that requires a gradient
        try:
            return np.array(x.tolist())
        except Exception:  # noqa: BLE001 - likewise
            return None


def _equal(a: Any, b: Any) -> bool:
    """Whether two things of one type that hold nothing are equal, NaN to NaN, and 0.0 not to -0.0."""
    if isinstance(a, float | complex | np.generic):
        return repr(a) == repr(b)
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - who knows what it is
        return False


def _same_keys(a: Sequence[Any], b: Sequence[Any]) -> bool:
    if isinstance(a, range) and isinstance(b, range):
        return a == b
    return len(a) == len(b) and all([x is y or (type(x) is type(y) and _equal(x, y)) for x, y in zip(a, b, strict=True)])


def _own_space(space: dict[str, Any]) -> bool:
    """Whether it is this package's."""
    return str(space.get("__file__")).startswith(_AUTOGRAD) and _of_module(space)


def _of_module(space: dict[str, Any]) -> bool:
    """Whether it is what a module holds, and no copy, as doctest makes."""
    return vars(sys.modules.get(str(space.get("__name__")), object)) is space


def _own(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    return module is not None and _own_space(vars(module)) and vars(module).get(kind.__name__) is kind


def _installed(space: dict[str, Any]) -> bool:
    """Whether a module with these globals is Python's, or of a package that was installed."""
    file = space.get("__file__")
    if file is None:
        return getattr(space.get("__spec__"), "origin", None) in {"built-in", "frozen"}
    return _is_installed(str(file)) and _of_module(space)


@functools.cache
def _is_installed(file: str) -> bool:
    parts = file.replace("\\", "/").split("/")
    return not {"site-packages", "dist-packages"}.isdisjoint(parts) or file.startswith((*_at_home(), _AUTOGRAD, _NN))


@functools.cache
def _at_home() -> tuple[str, ...]:
    """Where Python's own modules are."""
    import sysconfig  # noqa: PLC0415 - here, as few programs need it

    places = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return tuple({f"{place}{os.sep}" for place in (*places, *map(os.path.realpath, places))})


@functools.cache
def _names_in(code: CodeType) -> frozenset[str]:
    """The names that ``code`` has, of globals, attributes and modules, and its strings that may be given to ``getattr``."""
    names = {*code.co_names}
    stack = [*code.co_consts]
    while stack:
        x = stack.pop()
        if isinstance(x, CodeType):
            names |= _names_in(x)
        elif isinstance(x, tuple | frozenset):
            stack += x
        elif isinstance(x, str) and all([part.isidentifier() for part in x.split(".")]):
            names.update(x.split("."))
    return frozenset(names)
