"""What a function captured, so that it is noticed when something else has been put in its place."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Captured:
    """The names, attributes and lists through which a function comes by some Values, and what they held."""

    def __init__(self, fn: Callable[..., Any], values: Iterable[Value]) -> None:
        self._held: list[tuple[Any, tuple[int, ...], Any]] = []
        wanted = set(map(id, values))
        leads: dict[int, bool] = {}
        stack: list[tuple[Any, bool]] = [(fn, False)]
        # Depth first; the second time that a container is met, it is known what is in it.
        while stack:
            x, seen_inside = stack.pop()
            if seen_inside:
                inside = _items(x)
                if any(id(item) in wanted or leads.get(id(item)) for item in inside):
                    leads[id(x)] = True
                    self._held.append((x, tuple(map(id, inside)), inside))  # held, so that no id is used again
            elif id(x) not in leads and not isinstance(x, Value):
                leads[id(x)] = False
                if items := _items(x):
                    stack.append((x, True))
                    stack += [(item, False) for item in items]

    def changed(self) -> bool:
        """Whether any of them holds something else now."""
        return any(tuple(map(id, _items(x))) != before for x, before, _ in self._held)


def _items(x: Any) -> Sequence[Any]:
    """What is directly inside ``x``, if it is a function, a container, or an instance of a class of Python's."""
    if isinstance(x, list | tuple):
        return x
    if isinstance(x, dict):
        return list(x.values())
    if inspect.ismethod(x):
        return [x.__self__, x.__func__]
    if inspect.isfunction(x):
        return _free(x)
    if inspect.isclass(x) or inspect.ismodule(x) or isinstance(x, str | bytes | int | float):
        return ()
    return list(getattr(x, "__dict__", {}).values())


def _free(fn: Any) -> list[Any]:
    """What a function's free names stand for, its defaults, and what it wraps."""
    cells = []
    for cell in fn.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not yet assigned
            continue
    names = _names_in(fn.__code__)
    found = [fn.__globals__[name] for name in names if name in fn.__globals__]
    return [*cells, *found, *(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values()]


def _names_in(code: Any) -> list[str]:
    names = list(code.co_names)
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names += _names_in(constant)
    return names
