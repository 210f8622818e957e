"""Where code comes from, and which names it uses."""

from __future__ import annotations

import functools
import os
import sys
from types import CodeType
from typing import Any

ANY_ATTRIBUTE = frozenset(
    {"getattr", "vars", "__dict__", "__getattribute__", "attrgetter", "methodcaller", "asdict", "astuple", "getmembers"}
    | {"getattr_static", "__getstate__", "__reduce_ex__"}
)
"""Code with one of these names may read attributes that it does not name."""
_up = os.path.dirname
_ROOT = _up(_up(_up(_up(os.path.abspath(__file__)))))  # noqa: PTH100 - pathlib takes 3 ms to import
_AUTOGRAD, _NN = (f"{_ROOT}{os.sep}{name}{os.sep}" for name in ("autograd", "nn"))
"""These packages count as installed, even in a checkout."""


@functools.cache
def names_in(code: CodeType) -> frozenset[str]:
    """The names of globals, attributes and modules in ``code``, and its strings that may be given to ``getattr``.

    >>> sorted(names_in((lambda x: getattr(model, "w.data") * len(x)).__code__))
    ['data', 'getattr', 'len', 'model', 'w']
    """
    names = {*code.co_names}
    stack = [*code.co_consts]
    while stack:
        x = stack.pop()
        if isinstance(x, CodeType):
            names |= names_in(x)
        elif isinstance(x, tuple | frozenset):
            stack += x
        elif isinstance(x, str) and all([part.isidentifier() for part in x.split(".")]):
            names.update(x.split("."))
    return frozenset(names)


def is_own(kind: type) -> bool:
    """Whether a class is of the package ``autograd``."""
    module = sys.modules.get(kind.__module__)
    return module is not None and is_own_space(vars(module)) and vars(module).get(kind.__name__) is kind


def is_own_space(space: dict[str, Any]) -> bool:
    """Whether these globals are those of a module of the package ``autograd``."""
    return str(space.get("__file__")).startswith(_AUTOGRAD) and _of_module(space)


def is_installed(space: dict[str, Any]) -> bool:
    """Whether these globals are those of a module of Python, or of a package that was installed."""
    file = space.get("__file__")
    if file is None:
        return getattr(space.get("__spec__"), "origin", None) in {"built-in", "frozen"}
    return _is_installed(str(file)) and _of_module(space)


def _of_module(space: dict[str, Any]) -> bool:
    """Whether a module has these globals. doctest, for one, runs code in copies of them."""
    return vars(sys.modules.get(str(space.get("__name__")), object)) is space


@functools.cache
def _is_installed(file: str) -> bool:
    parts = file.replace("\\", "/").split("/")
    return not {"site-packages", "dist-packages"}.isdisjoint(parts) or file.startswith((*_at_home(), _AUTOGRAD, _NN))


@functools.cache
def _at_home() -> tuple[str, ...]:
    """The folders of Python's own modules."""
    import sysconfig  # noqa: PLC0415 - only a first recording needs it, and importing autograd is to be quick

    places = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return tuple({f"{place}{os.sep}" for place in (*places, *map(os.path.realpath, places))})
