"""Captured: the objects that a function captured when it was recorded, and which of them have changed since."""

from __future__ import annotations

import gc
import operator
import weakref
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autograd import modes
from autograd.compiler.capture.sameness import Weak, equal, same_keys
from autograd.compiler.capture.walk import Node, Walk, step
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

Change = tuple[str, Any, Any]
"""A place where something is another now, what was there, and what is there."""
_ALWAYS = frozenset({"__wrapped__", "__func__", "fget", "func", "args", "keywords"})
"""The attributes in which what wraps a function keeps it."""
_COMPARING = modes.Beginning(1)
"""While things are compared, as while a function is recorded, a Value and a number must not compare as equal."""


class Captured:
    """The objects that ``fn`` reaches, and their contents when this was made.

    ``values`` are Values that the function is known to have used, and ``constants`` those whose numbers are in the program.
    ``places`` are not looked at. ``like`` is what was captured before: its names need not be found again.

    >>> def scaled_by(options):
    ...     return lambda x: x * options["scale"]
    >>> options = {"scale": 2.0}
    >>> fn = scaled_by(options)
    >>> captured = Captured(fn)
    >>> options["scale"] = 3.0
    >>> captured.changed(), captured.difference(fn)
    (True, [("options['scale']", 2.0, 3.0)])
    """

    _weak: Any = None
    """A reference to what is held weakly."""
    meanwhile: list[Change]
    """What has changed while the function was recorded, and not again since."""

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
        """The Values that the function used, but that were not found."""
        if self.missing and not self.everything:
            self.everything = True
            walk = self._walk(fn)
            self.missing = _unseen(values, walk)
        walk.watch.close()
        self.nodes, self.paths, self._watch = walk.nodes, walk.paths, walk.watch

    def _walk(self, fn: Any) -> Walk:
        """Walk again and again, until all names that code uses are known."""
        while True:
            known = len(self.names), self.everything
            walk = Walk(self.names, self.places, everything=self.everything)
            walk.start(fn, self._constants)
            self.everything = walk.everything
            if known == (len(self.names), self.everything):
                return walk

    def again(self, fn: Callable[..., Any]) -> Captured:
        """Return what ``fn`` reaches now."""
        return Captured(fn, (), self._constants, self.places, self)

    def changed(self) -> bool:
        """Whether something may have changed. If it returns False, nothing has."""
        token = modes.compiling.set(_COMPARING)
        try:
            return self._watch.changed()
        except Exception:  # noqa: BLE001 - looking up runs the user's code; what fails now did not fail before
            return True
        finally:
            modes.compiling.reset(token)

    def hold_weakly(self, x: Any) -> None:
        """Hold ``x``, whose method the function is, only for as long as somebody else does."""
        self._weak = weakref.ref(x)
        self._watch.hold_weakly(x)
        for path, node in self.nodes.items():
            if any([item is x for item in node.items]):
                self.nodes[path] = node._replace(items=[Weak(x) if item is x else item for item in node.items])

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

    def difference(self, fn: Callable[..., Any]) -> list[Change]:
        """Return what has changed. If nothing has, watch from now on what is there now."""
        now = self.again(fn)
        found = self.compared(now)
        if not found:
            if self._weak is not None:
                now.hold_weakly(self._weak())
            self.nodes, self.paths, self._watch = now.nodes, now.paths, now._watch
        return found

    def but_for_what_it_does(self, fn: Callable[..., Any], before: Captured, values: Collection[Value]) -> Captured:
        """Return the same without the places that ``fn`` itself changes each time that it runs, such as a counter.

        It ran between ``before`` and this, when it was recorded, and between this and now, when it was checked. A place that
        changed both times is its own, unless there were Values that it did not compute itself.
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

    def compared(self, now: Captured) -> list[Change]:
        """Return where ``now`` holds something else."""
        found: list[Change] = []
        for path, old in self.nodes.items():
            new = now.nodes.get(path)
            if new is None or new is old:
                continue
            if old.kind is not new.kind or not same_keys(old.keys, new.keys):
                found.append((old.path, _Size(old), _Size(new)))
            elif not all(map(operator.is_, old.items, new.items)):
                for key, a, b in zip(old.keys, old.items, new.items, strict=True):
                    if a is not b and not self._alike(a, b, now):
                        found.append((old.path + step(old.kind, key), a, b))
        return found

    def _alike(self, a: Any, b: Any, now: Captured) -> bool:
        """Whether ``a``, which was there, and ``b``, which is there now, are the same for a computation."""
        if isinstance(a, Weak):
            return bool(a == b)
        if type(a) is not type(b) or isinstance(a, Value | type | ModuleType):
            return False
        if (path := self.paths.get(id(a))) in self.nodes:
            return path == now.paths.get(id(b))
        return equal(a, b)


class _Size:
    """What a message shows of a container: its type, and how many items it had."""

    def __init__(self, node: Node) -> None:
        self.text = f"{node.kind.__name__} of {len(node.keys)}"

    def __repr__(self) -> str:
        return self.text


def _unseen(values: list[Value], walk: Walk) -> list[Value]:
    """Return those of ``values`` that a walk has not met."""
    met = {*walk.values} if values else set()
    return [] if met.issuperset(map(id, values)) else [value for value in values if id(value) not in met]
