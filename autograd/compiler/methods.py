"""Compiled methods: in a class, a compiled function gives each instance a method with recordings of its own.

    class Model:
        @compile
        def loss(self, x): ...

    model.loss([1.0])      # Method.__get__(loss, model) makes a method, and __call__ calls it

Python makes a new method object each time that ``model.loss`` is read. All of them share one ``__dict__``, which holds the
recorder. The class's own object keeps that dict for as long as the instance lives. Only the method objects hold the instance.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd.compiler.recorder import Recorder

_new = object.__new__
KEPT = 64
"""How many instances are kept that cannot be held weakly: they have no ``__weakref__``, or their parts refer back to them."""


class _PlainMethod:
    """The plain function of a compiled method. It is made when asked for, because storing it would keep the instance alive."""

    def __get__(self, method: Method | None, owner: type) -> Any:
        if method is None:
            msg = "a compiled method has a plain function only on an instance: read it from an object of the class"
            raise AttributeError(msg)
        return MethodType(method._method_of.fn, method.__self__)  # type: ignore[union-attr]  # only methods lack an fn of their own, and they have _method_of


class Method:
    """A compiled function as a member of classes: binding to instances, equality, and pickling by name."""

    __slots__ = ("__dict__", "__self__", "__weakref__")

    __self__: Any
    """The instance, or the class, whose method this is; absent from functions."""
    fn = __wrapped__ = _PlainMethod()
    """The plain function."""
    __call__: Callable[..., Any]
    _recorder: Recorder

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._raw = fn
        plain = fn.__func__ if isinstance(fn, classmethod | staticmethod) else fn
        functools.update_wrapper(self, plain, updated=())
        self.fn = plain
        self.__isabstractmethod__ = getattr(plain, "__isabstractmethod__", False)
        self._method_of: Self | None = None
        self._owners: tuple[type, ...] = ()
        """The classes in which it is a method."""
        self._methods: dict[int, dict[str, Any]] = {}
        """The ``__dict__`` of each instance's method, by the instance's id."""
        self._kept: list[int] = []
        """The ids of instances that cannot be held weakly."""

    def __set_name__(self, owner: type, name: str) -> None:
        if not self._owners:  # a second name is an alias
            self.__name__ = name
        self._owners += (owner,)

    def __get__(self, instance: Any, owner: type | None = None) -> Self:
        """The compiled method of the ``instance``, or of the class; itself where Python would not bind a plain function."""
        raw = self._raw
        if instance is not None and type(raw) is FunctionType:
            return self._method(instance)
        get = getattr(type(raw), "__get__", None)
        method = raw if get is None else get(raw, instance, owner)
        return self if type(method) is not MethodType or method is raw else self._method(method.__self__)

    def _method(self, instance: Any) -> Self:
        """The function as a method of ``instance``. All methods of one instance share what is known."""
        method = _new(type(self))
        method.__dict__ = self._methods.get(id(instance)) or self._first_method(instance)
        method.__self__ = instance
        return method

    def _first_method(self, instance: Any) -> dict[str, Any]:
        """A ``__dict__`` for the methods of an ``instance``, with no recordings yet."""
        key, methods = id(instance), self._methods
        with self._recorder.lock:
            if key in methods:  # another thread has made it meanwhile
                return methods[key]
            known = vars(type(self)(self.fn, *self._recorder.settings))  # type: ignore[call-arg]  # subclasses take these settings
            del known["fn"], known["__wrapped__"]  # see _PlainMethod
            known.update(_raw=None, _method_of=self, __name__=self.__name__)
            recorder: Recorder = known["_recorder"]
            recorder.argument_names = self._recorder.argument_names[1:]
            methods[key] = known
            try:
                known["_instance"] = weakref.ref(instance, lambda _: methods.pop(key, None))
            except TypeError:  # it has slots, and none for this
                self._keep(known, instance)
            else:
                recorder.keep = functools.partial(self._keep, known)
        return known

    def _keep(self, known: dict[str, Any], instance: Any) -> None:
        """Hold an ``instance`` strongly. Of many such, only the last ones are kept."""
        known["_instance"] = instance
        self._kept.append(id(instance))
        if len(self._kept) > KEPT:
            del self._methods[self._kept.pop(0)]

    def _as_method(self, instance: Any) -> Self:
        """The method of ``instance``, as in ``Base.method(instance, x)``; itself if it is not a method of ``instance``."""
        for kind in (instance if isinstance(instance, type) else type(instance)).__mro__:
            for x in vars(kind).values():
                inside = [getattr(x, name, None) for name in ("__func__", "fget", "func")]  # classmethod, property
                wrapped = inspect.unwrap(x, stop=lambda f: f is self) if isinstance(x, FunctionType) else x
                if not isinstance(x, staticmethod) and any([f is self for f in (x, wrapped, *inside)]):
                    return self if isinstance(self._raw, staticmethod) else self._method(instance)
        return self

    def __eq__(self, other: object) -> bool:
        return self.__dict__ is other.__dict__ if isinstance(other, Method) else NotImplemented

    def __hash__(self) -> int:
        return id(self.__dict__)

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self._method_of is not None:
            if getattr(self.__self__, self.__name__, None) == self:
                return getattr, (self.__self__, self.__name__)
            return Method._method, (self._method_of, self.__self__)  # of super()
        place: Any = sys.modules.get(self.__module__)
        for name in (path := getattr(self, "__qualname__", "")).split("."):
            place = vars(place).get(name) if hasattr(place, "__dict__") else None
        if place is self:  # under @compile it has taken the function's name
            return path
        return type(self), (self._raw, *self._recorder.settings)
