"""What a function captured, so that it is noticed when something else has been put in its place.

From the function on, a walk follows what its code names: globals, closures, attributes, methods, what lists and dicts hold. If
a Value was used that is not met so, the walk goes on through attributes that no code names, as ``vars`` and ``getattr`` do.
At each call the names on the way are looked up again: a few comparisons, of many things each.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import itertools
import operator
import sys
import weakref
from collections import defaultdict, deque
from types import BuiltinFunctionType, CodeType, MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_FEW = 1000
"""How many items of lists, dicts and arrays of numbers are compared at each call, the smallest of these first."""
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, range, slice, CodeType, BuiltinFunctionType})
_LIBRARY = sys.stdlib_module_names | {"autograd", "numpy", "scipy", "pytest", "_pytest"}  # pytest puts itself into assertions
_MUTABLE: Any = (list, dict, set, deque)
_PARTS: list[tuple[Any, Callable[[Any], Iterable[Any]]]] = [
    ((list, tuple, set, frozenset, deque), list),
    (dict, lambda x: x.values()),
    (np.ndarray, lambda x: x.ravel().tolist() if x.dtype == object else ()),
    (MethodType, lambda x: (x.__self__, x.__func__)),
    (functools.partial, lambda x: (x.func, x.args, x.keywords)),
    (property, lambda x: (x.fget,)),
    ((classmethod, staticmethod), lambda x: (x.__func__,)),
]
"""What holds something, and what it holds."""


class Captured:
    """The names, attributes and containers by which ``fn`` comes by ``values`` and by numbers, and what they held."""

    def __init__(self, fn: Callable[..., Any], values: Iterable[Value], constants: Iterable[Value] = ()) -> None:
        wanted = {id(value): value for value in values}
        walk = _Walk(fn, wanted)
        self.missing = [value for key, value in wanted.items() if key not in walk.found]
        """The Values of which it is not known from where ``fn`` takes them."""
        leading = walk.leading()
        groups: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for owner, attributes in walk.owners:
            if names := [
                name for name, x in attributes.items() if name in walk.names or id(x) in leading or walk.is_special(owner, name)
            ]:
                groups[*names].append(owner)
        groups["_data",] = [*constants]  # a detached Value may be assigned, too
        arrays = [x for key, x in walk.seen.items() if isinstance(x, np.ndarray) and key in (leading | walk.named)]
        looks: list[tuple[Callable[[Any], Any], list[Any]]] = [
            *[(operator.attrgetter(*names), owners) for names, owners in groups.items()],
            *[(operator.itemgetter(*names), [space]) for space, names in walk.globals.values()],
            (_size, [owner for owner, _ in walk.owners if hasattr(owner, "__dict__") and not inspect.ismodule(owner)]),
            (np.ndarray.tolist, [x for x in arrays if x.dtype == object]),
            (np.ndarray.tobytes, _few([x for x in arrays if x.dtype != object])),
        ]
        self._looks: list[tuple[Callable[[Any], Any], list[Any], list[Any]]] = []
        for get, some in looks:
            held = [(owner, get(owner)) for owner in some if _works(get, owner)]
            self._looks.append((get, [owner for owner, _ in held], [x for _, x in held]))
        containers = {key: x for key, x in walk.seen.items() if isinstance(x, _MUTABLE)}
        self._containers = [x for key, x in containers.items() if key in leading]
        self._containers += _few([x for key, x in containers.items() if key in walk.named and key not in leading])
        self._held = [x.copy() for x in self._containers]

    def hold_weakly(self, x: Any) -> None:
        """Hold ``x``, by whose own attributes the function comes by its Values, only for as long as somebody else does."""
        proxy = weakref.proxy(x)

        def weak(items: Iterable[Any]) -> list[Any]:
            return [tuple(weak(item)) if type(item) is tuple else proxy if item is x else item for item in items]

        self._looks = [(get, weak(owners), weak(held)) for get, owners, held in self._looks]

    def changed(self) -> bool:
        """Whether any of them holds something else now."""
        try:
            return self._containers != self._held or any([[*map(get, some)] != before for get, some, before in self._looks])
        except Exception:  # noqa: BLE001 - an attribute that is gone, an array in the place of another: whatever it is, it changed
            return True


class _Walk:
    """What a function may come by, and through what."""

    def __init__(self, fn: Any, wanted: dict[int, Value]) -> None:
        self.names = {"cell_contents", "__wrapped__", "__defaults__", "__kwdefaults__"}
        """What the code that was met looks up in objects."""
        self.seen: dict[int, Any] = {}
        """Everything that was met but Values and what is plain, by its id."""
        self.found: set[int] = set()
        """Those of the ``wanted`` that were met."""
        self._wanted = wanted
        self._holders: set[int] = set()
        """What holds one of them."""
        self._parents: dict[int, list[int]] = {}
        """By what everything else was met."""
        self.owners: list[tuple[Any, dict[str, Any]]] = []
        """What has attributes, and those it has itself."""
        self.globals: dict[int, tuple[dict[str, Any], dict[str, None]]] = {}
        """The globals of functions, and the names that these look up there."""
        self._stack: list[Any] = []
        self._classes: set[int] = set()
        """What the code has names for: classes among it may be instantiated."""
        self._everything = False
        self._meet(0, [fn])
        known = 0
        while known < len(self.names):  # a name that was met last may be that of an attribute passed by
            known = len(self.names)
            for owner, attributes in [*self.owners]:
                self._meet(id(owner), self._looked_up(owner, attributes))
        self.named = self.seen.keys() | set()
        """What was met by following names alone."""
        if len(self.found) < len(wanted):
            self._everything = True
            for owner, attributes in [*self.owners]:
                self._meet(id(owner), self._looked_up(owner, attributes))

    def leading(self) -> set[int]:
        """The wanted Values, and all through which they were met."""
        leading = set(self._wanted)
        stack = [*self._holders]
        while stack:
            if (key := stack.pop()) not in leading:
                leading.add(key)
                stack += self._parents.get(key, ())
        return leading

    def _meet(self, parent: int, items: Iterable[Any]) -> None:
        """Follow ``items``, and what is met there."""
        self._note(parent, items)
        while self._stack:
            x = self._stack.pop()
            self._note(id(x), self._inside(x))

    def _note(self, parent: int, items: Iterable[Any]) -> None:
        for item in items:
            key = id(item)
            if type(item) is Value:
                if key in self._wanted:
                    self.found.add(key)
                    self._holders.add(parent)
            elif type(item) not in _PLAIN:
                self._parents.setdefault(key, []).append(parent)
                if key not in self.seen:
                    self.seen[key] = item
                    self._stack.append(item)

    def _inside(self, x: Any) -> Iterable[Any]:
        """What ``x`` holds or looks up."""
        for kinds, parts in _PARTS:
            if isinstance(x, kinds):
                return parts(x) if _is_library(type(x)) else [*parts(x), *self._of_instance(x)]
        if inspect.isfunction(x):
            return self._of_function(x)
        if inspect.isclass(x) or inspect.ismodule(x):
            return () if _is_library(x) else [*self._owned(x, dict(vars(x))), *getattr(x, "__bases__", ())]
        return self._of_instance(x)

    def _of_instance(self, x: Any) -> Iterable[Any]:
        if type(x).__module__.partition(".")[0] == "autograd":  # a compiled function, of which only the plain one counts
            return self._owned(x, {"__wrapped__": x.__wrapped__}) if hasattr(x, "__wrapped__") else ()
        slots = [name for kind in type(x).__mro__ for name in _slots(kind) if hasattr(x, name)]
        return [type(x), *self._owned(x, {name: getattr(x, name) for name in slots} | getattr(x, "__dict__", {}))]

    def _of_function(self, fn: Any) -> Iterator[Any]:
        for cell in fn.__closure__ or ():
            with contextlib.suppress(ValueError):  # not assigned yet
                self._classes.add(id(cell.cell_contents))
                yield from self._owned(cell, {"cell_contents": cell.cell_contents})
        defaults = {name: x for name in ("__defaults__", "__kwdefaults__") if (x := getattr(fn, name))}
        if vars(fn) or defaults:
            yield from self._owned(fn, vars(fn) | defaults)
        space = fn.__globals__
        module = space.get("__name__", "")
        if module.partition(".")[0] in _LIBRARY and vars(sys.modules.get(module, object)) is space:
            return
        attributes, names, modules = _names_in(fn.__code__)
        self.names |= attributes
        yield from [sys.modules[module] for module in modules if module in sys.modules]
        if known := dict.fromkeys(name for name in names if name in space):
            self.globals.setdefault(id(space), (space, {}))[1].update(known)
            self._classes |= {id(space[name]) for name in known}
            yield from [space[name] for name in known]

    def _owned(self, owner: Any, attributes: dict[str, Any]) -> list[Any]:
        self.owners.append((owner, attributes))
        return self._looked_up(owner, attributes)

    def _looked_up(self, owner: Any, attributes: dict[str, Any]) -> list[Any]:
        everything = self._everything and not inspect.ismodule(owner)
        return [x for name, x in attributes.items() if everything or name in self.names or self.is_special(owner, name)]

    def is_special(self, owner: Any, name: str) -> bool:
        """Whether ``name`` is that of a method of the class ``owner`` which Python may call by itself.

        Those that make an instance are called only where the code has got the class, not just an instance.
        """
        if name[:2] != "__" or not inspect.isclass(owner) or not inspect.isfunction(vars(owner).get(name)):
            return False
        return name not in _OF_NO_CALL or id(owner) in self._classes


def _few(containers: Iterable[Any]) -> list[Any]:
    """The smallest of ``containers``, as many as hold a few numbers together."""
    sizes = sorted([(x.size if isinstance(x, np.ndarray) else len(x), i, x) for i, x in enumerate(containers)])
    totals = itertools.accumulate(size for size, _, _ in sizes)
    return [x for (_, _, x), total in zip(sizes, totals, strict=True) if total <= _FEW]


_OF_NO_CALL = {
    *("__init__", "__new__", "__post_init__", "__del__", "__init_subclass__", "__set_name__", "__class_getitem__"),
    *("__repr__", "__str__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__copy__", "__deepcopy__"),
}
"""Special methods that are not called on an object that exists already, or not to compute with it."""


def _is_library(x: Any) -> bool:
    """Whether a class or a module is Python's, NumPy's, SciPy's, pytest's or this package's, of which nobody replaces parts."""
    name = str(x.__name__ if inspect.ismodule(x) else x.__module__)
    return name.partition(".")[0] in _LIBRARY


def _slots(kind: type) -> Iterable[str]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def _works(get: Callable[[Any], Any], owner: Any) -> bool:
    """Whether ``owner`` can be asked: a generic alias has the attributes of its class, and does not give all of them."""
    try:
        get(owner)
    except Exception:  # noqa: BLE001 - a property may raise anything
        return False
    return True


def _size(owner: Any) -> int:
    """How many attributes ``owner`` has: one more may hide one of its class."""
    return len(vars(owner))


@functools.cache
def _names_in(code: CodeType) -> tuple[set[str], list[str], list[str]]:
    """The names of attributes, globals and modules that ``code`` mentions."""
    attributes, names, modules = set(code.co_names), [], []
    attributes |= {x for x in code.co_consts if isinstance(x, str) and x.isidentifier()}  # as getattr may be given
    for step in dis.get_instructions(code):
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            names.append(step.argval)
        elif step.opname == "IMPORT_NAME":
            modules.append(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            for mine, inner in zip((attributes.update, names.extend, modules.extend), _names_in(constant), strict=True):
                mine(inner)
    return attributes, names, modules
