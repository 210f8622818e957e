"""The walk from a function to all that it reaches, and by which path.

From ``loss``, defined in the module ``train`` as ``lambda x: model.layers[0].w * x``, it meets

    train.model                the code names this global
    train.model.layers         the code names this attribute
    train.model.layers[0]      all items of containers are reached
    train.model.layers[0].w    a Value, where the path ends

Each thing that holds others becomes a Node, by which two walks can be compared, and joins the Watch. Names in the code of one
function may be attributes of what another one reaches, so the walk starts again until it meets no new names.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import sys
import weakref
from collections import OrderedDict, deque
from contextvars import ContextVar
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

from autograd.compiler.capture.origin import ANY_ATTRIBUTE, is_installed, is_own, is_own_space, names_in
from autograd.compiler.capture.sameness import Copy, as_array, bits, flat
from autograd.compiler.capture.watch import Watch
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, range, slice, CodeType, type(...), np.ufunc})
_ENDS = _PLAIN | {Value}
"""Types of things that hold nothing else."""
_PARTS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    ((type({}.keys()), type({}.values()), type({}.items())), ("mapping",)),
    (MethodType, ("__self__", "__func__")),
    ((classmethod, staticmethod), ("__func__",)),
)
"""Types whose objects hold certain attributes and nothing else, and never others in their place."""
_OF_NO_CALL = frozenset(
    {"__del__", "__init_subclass__", "__set_name__", "__class_getitem__", "__repr__", "__str__", "__reduce__", "__reduce_ex__"}
    | {"__getstate__", "__setstate__", "__copy__", "__deepcopy__", "__setattr__", "__delattr__", "__dir__", "__sizeof__"}
)
"""Special methods that no computation calls."""
_MAKERS = frozenset({"__init__", "__new__", "__post_init__"})
"""Special methods that are called only where the code reaches the class itself, and not just an object of it."""
_MADE_BY_PYTHON = 1 << 9
"""The flag of classes that a class statement has made, and not C code: Py_TPFLAGS_HEAPTYPE."""


class Node(NamedTuple):
    """Something that holds other things."""

    path: str
    """What the paths to these other things begin with."""
    kind: type
    keys: Sequence[Any]
    items: Sequence[Any]


class Attributes:
    """The kind of a Node whose keys are names of attributes."""


class Walk:
    """What is reached from a function, by which path; the same things in the same order wherever it starts from the same.

    ``names`` are the attributes to look at, to which those in the code that it meets are added; with ``everything``, all
    attributes are looked at. The ``places``, which are paths, are left out.
    """

    def __init__(self, names: set[str], places: frozenset[str], *, everything: bool) -> None:
        self.names, self.places, self.everything = names, places, everything
        self.values: list[int] = []
        """The ids of the Values that were met."""
        self.nodes: dict[str, Node] = {}
        self.paths: dict[int, str] = {}
        """The first path to each thing, by its id."""
        self.watch = Watch()
        self._taken: set[str] = set()
        self._stack: list[tuple[str, Any]] = []
        self._alive: list[Any] = []
        """All that was met, so that no id is used again."""
        self._root: Any = None
        self._method_of: Any = None
        self._referred: set[int] = set()
        """The ids of what the code reaches by a name: of these classes it may make objects."""
        self._spaces: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        """The globals of modules, and those of them that code names."""

    def start(self, fn: Any, constants: list[Value]) -> None:
        """Walk from ``fn``, whose graph reads these ``constants``."""
        if isinstance(fn, MethodType):
            self._method_of = fn.__self__
            self._meet("self" if not isinstance(fn.__self__, type) else fn.__self__.__name__, fn.__self__)
            fn = fn.__func__
        self._root = fn
        self._meet(getattr(fn, "__name__", type(fn).__name__), fn)
        while self._stack:
            self._visit(*self._stack.pop())
        for space, names in self._spaces.values():
            self._held(str(space.get("__name__")), Attributes, [*names], [*names.values()], ".globals")
            self.watch.slot(operator.itemgetter, [*names], [*names.values()], space)
        if constants:
            data = [x._data for x in constants]
            self.nodes["detach()"] = Node("a constant", Value, ("_data",) * len(data), data)
            for x in constants:
                self.watch.got(lambda x: (x._data,), x, [x._data])

    def _meet(self, path: str, x: Any) -> None:
        """Take note of ``x``, and go on from there later."""
        if isinstance(x, Value):
            self.values.append(id(x))
            if type(x) is Value:
                return
        plain = type(x) in _PLAIN or isinstance(x, np.generic | np.dtype | Copy)
        if plain or id(x) in self.paths or path in self.places:
            return
        while path in self._taken:
            path += "'"
        self._taken.add(path)
        self.paths[id(x)] = path
        self._alive.append(x)
        self._stack.append((path, x))

    def _held(
        self, path: str, kind: type, keys: Sequence[Any], items: Sequence[Any], part: str = ""
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Meet what something of a ``kind``, met by ``path``, or a ``part`` of it, holds. Return what is not left out."""
        if self.places:
            kept = [(key, item) for key, item in zip(keys, items, strict=True) if path + step(kind, key) not in self.places]
            if len(kept) < len(keys):
                keys, items = [key for key, _ in kept], [item for _, item in kept]
        self.nodes[path + part] = Node(path, kind, keys, items)
        kinds = {*map(type, items)}
        if Value in kinds:
            self.values += map(id, items) if len(kinds) == 1 else [id(item) for item in items if type(item) is Value]
        if not kinds <= _ENDS:
            for key, item in zip(keys, items, strict=True):
                if type(item) not in _ENDS:
                    self._meet(path + step(kind, key), item)
                    if kind is dict and isinstance(item, type):
                        self._referred.add(id(item))
        return keys, items

    def _watched(  # noqa: PLR0913 - the place, what it holds, and how to look at that
        self, path: str, x: Any, keys: Sequence[Any], items: Sequence[Any], look: Callable[..., None], *how: Any, part: str = ""
    ) -> None:
        """Meet what ``x`` holds, and ``look`` at that in each call; only at these items if some are left out."""
        kept = self._held(path, type(x), keys, items, part)
        if len(kept[0]) == len(keys):
            look(*how)
        else:
            self.watch.slot(operator.itemgetter, *kept, x)

    def _visit(self, path: str, x: Any) -> None:  # noqa: C901, PLR0911, PLR0912 - one branch for each kind of thing that holds others
        watch = self.watch
        if isinstance(x, FunctionType):
            return self._function(path, x)
        if isinstance(x, type):
            return self._class(path, x)
        if isinstance(x, ModuleType):
            return None if is_installed(vars(x)) else self._attributes(path, vars(x), modules=True)
        for kind, names in _PARTS:
            if isinstance(x, kind):
                self._held(path, type(x), names, [getattr(x, name) for name in names])
                return None
        if isinstance(x, list | deque):
            items = [*x]
            self._watched(path, x, range(len(items)), items, watch.whole, x, items)
        elif isinstance(x, tuple):
            self._held(path, type(x), range(len(x)), [*x])
        elif isinstance(x, dict):
            held = {**x} if not isinstance(x, OrderedDict) else dict(OrderedDict.items(x))
            self._watched(path, x, [*held], [*held.values()], watch.mapping, x, held)
            for key in held:
                if type(key) not in _PLAIN:
                    self._meet(f"a key of {path}", key)
        elif isinstance(x, set | frozenset):
            items = [*x]
            self._watched(path, x, [""] * len(items), items, watch.sized, list, x, items)
        elif isinstance(x, MappingProxyType):
            held = {**x}
            self._watched(
                path, x, [*held], [*held.values()], watch.sized, lambda x: [*x, *x.values()], x, [*held, *held.values()]
            )
        elif isinstance(x, np.ndarray):
            self._array(path, x, x)
        elif isinstance(x, BuiltinFunctionType | MethodWrapperType):
            if not isinstance(x.__self__, ModuleType):
                self._held(path, type(x), ["__self__"], [x.__self__])
            return None
        elif isinstance(x, functools.partial):
            self._held(path, type(x), ["func", "args", "keywords"], [x.func, x.args, x.keywords])
        elif type(x) is property:
            self._held(path, property, ["fget"], [x.fget])
            return None
        elif isinstance(x, weakref.ref):
            items = [x()]
            return self._watched(path, x, ["()"], items, watch.got, lambda x: (x(),), x, items)
        elif isinstance(x, ContextVar):
            items = [x.get(None)]
            return self._watched(path, x, ["get()"], items, watch.got, lambda x: (x.get(None),), x, items)
        elif isinstance(x, operator.attrgetter | operator.methodcaller):
            self.names |= {name for part in x.__reduce__()[1] if isinstance(part, str) for name in part.split(".")}
            return None
        elif (array := as_array(x)) is not None:
            return self._array(path, x, array)
        return self._instance(path, x)

    def _array(self, path: str, x: Any, array: Any) -> None:
        """Numbers, and whatever arrays of objects hold. ``array`` is ``x``, or made of it."""
        if array.dtype == object:
            items = flat(x)
            if array is x:
                self._watched(path, x, range(len(items)), items, self.watch.got, flat, x, items)
            else:  # a table of columns of different kinds makes other objects of its numbers each time
                self._watched(path, x, [""], [Copy(items, items)], self.watch.made, flat, x)
        elif array is not x:
            self._watched(path, x, [""], [_numbers(array)], self.watch.made, bits, x)
        elif x.flags.writeable or (x.base is not None and getattr(getattr(x.base, "flags", None), "writeable", True)):
            self._watched(path, x, [""], [_numbers(x)], self.watch.numbers, x)
        else:
            self._held(path, type(x), [""], [_numbers(x)])
        if array is not x and isinstance(axes := getattr(x, "axes", None), list):  # the labels of a table
            names = [f"axes[{i}]" for i in range(len(axes))]
            self._watched(path, x, names, axes, self.watch.got, operator.attrgetter("axes"), x, axes, part=".axes")

    def _instance(self, path: str, x: Any) -> None:
        kind = x.__class__  # for a weak proxy, that of the object that it stands for
        if isinstance(kind, type) and kind.__module__.partition(".")[0] == "autograd" and is_own(kind):
            if hasattr(x, "__wrapped__"):  # a compiled function, of which only the plain one counts
                self._held(path, type(x), ["__wrapped__"], [x.__wrapped__])
            return
        slots = [name for base in kind.__mro__ for name, y in vars(base).items() if type(y) is MemberDescriptorType]
        self._meet(f"type({path})", kind)
        named = [name for name in slots if (self.everything or name in self.names) and hasattr(x, name)]
        if named:
            kept = self._held(path, Attributes, named, [getattr(x, name) for name in named], ".__slots__")
            self.watch.slot(operator.attrgetter, *kept, x)
        if type(space := getattr(x, "__dict__", None)) is dict:
            self._attributes(path, space)
            if x is not self._method_of:
                self.watch.owners.append(x)
                self.watch.spaces.append(space)
            else:
                with contextlib.suppress(TypeError):  # it cannot be held weakly
                    self.watch.method_of = weakref.ref(x), type(x), id(space), len(space)

    def _attributes(self, path: str, space: dict[str, Any], *, modules: bool = False) -> None:
        """The attributes in ``space``, the ``__dict__`` of an object or a module, that code may read."""
        wanted = [*space] if self.everything and not modules else sorted(space.keys() & self.names)
        keys = [name for name in wanted if type(name) is str]
        items = [space[key] for key in keys]
        self.watch.slot(operator.itemgetter, *self._held(path, Attributes, keys, items, ".__dict__"), space)
        if modules:
            self._referred |= {id(item) for item in items}
        else:
            self.watch.sizes.append(space)

    def _class(self, path: str, x: type) -> None:
        """The special methods of a class, and the attributes that code may read."""
        space: Any = vars(x)
        if not x.__flags__ & _MADE_BY_PYTHON or is_own(x):
            return
        where = vars(sys.modules.get(x.__module__, sys))
        installed = is_installed(where) and where.get(x.__name__) is x
        referred = id(x) in self._referred
        uncalled = _OF_NO_CALL if referred else _OF_NO_CALL | _MAKERS
        special = [
            name for name, y in space.items() if name[:2] == "__" and isinstance(y, FunctionType) and name not in uncalled
        ]
        named = space.keys() & self.names
        if self.everything and not installed:
            named = {name for name in space if name[:2] != "__"}
        if referred:
            self.names.update([name for name in space.get("__match_args__", ()) if type(name) is str])
        keys = [*dict.fromkeys([*special, *sorted(named - _OF_NO_CALL - _MAKERS - {"__dict__", "__weakref__"})])]
        kept = self._held(path, Attributes, keys, [space[key] for key in keys])
        if not installed:
            self.watch.slot(operator.itemgetter, *kept, space)
            self.watch.sizes.append(space)
        for base in (*x.__bases__, type(x)):
            self._meet(f"{base.__name__}", base)

    def _function(self, path: str, x: FunctionType) -> None:
        """The code of a function, its defaults, its closure, its attributes, and the globals and modules that it names."""
        space = x.__globals__
        if is_own_space(space) and x is not self._root:
            if "__wrapped__" in vars(x):
                self._meet(path, vars(x)["__wrapped__"])
            return
        parts = ["__code__", "__defaults__", "__kwdefaults__"]
        kept = self._held(path, Attributes, parts, [getattr(x, name) for name in parts])
        self.watch.slot(operator.attrgetter, *kept, x)
        for name, cell in zip(x.__code__.co_freevars, x.__closure__ or (), strict=True):
            self._cell(name if x is self._root else f"{path}.{name}", cell)
        self._attributes(path, vars(x))
        names = names_in(x.__code__)
        self.names |= names
        if is_installed(space):
            return
        self.everything = self.everything or not names.isdisjoint(ANY_ATTRIBUTE)
        seen = self._spaces.setdefault(id(space), (space, {}))[1]
        for name in sorted(names & space.keys()):
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
        """The variable of a closure, unless it has no value yet."""
        if path in self.places:
            return
        with contextlib.suppress(ValueError):
            item = cell.cell_contents
            self._referred.add(id(item))
            self._held(path, CellType, [""], [item], ".cell")
            self.watch.slot(operator.attrgetter, ["cell_contents"], [item], cell)


def _numbers(array: Any) -> Copy:
    """A copy of the numbers in an array."""
    return Copy(bits(array), f"an array {array.shape} {array.ravel()[:3].tolist()!r}")


def step(kind: type, key: Any) -> str:
    """How a path goes on from something of a ``kind`` to what it holds by a ``key``: ``[0]``, ``['a']`` or ``.a``."""
    if kind is CellType or key == "":
        return ""
    if issubclass(kind, list | tuple | deque | dict | np.ndarray | MappingProxyType):
        return f"[{key!r}]"
    return f".{key}"
