"""Draws a graph: ``draw(value)`` is a picture that notebooks show, and that can be saved."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, NamedTuple

from autograd import files
from autograd.draw.dot import to_dot
from autograd.errors import DrawError, shown
from autograd.graph import topological_sort
from autograd.value import Value

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["Drawing", "draw"]

SHOW = {"": (), "data": ("data",), "grad": ("grad",), "data, grad": ("data", "grad")}
RANKDIR = ("LR", "TB", "RL", "BT")
SUFFIXES = (".svg", ".png", ".pdf", ".dot")


class Drawing(NamedTuple):
    """A graph as DOT text, which notebooks show as a picture; ``svg()`` and ``save()`` give the picture itself."""

    dot: str
    """The text, in Graphviz's language."""
    nodes: int
    """How many Values there are."""
    edges: int
    """How many arguments they have together: two for ``a * a``."""

    def __repr__(self) -> str:
        return f"Drawing({self.nodes} nodes, {self.edges} edges)"

    def svg(self, timeout: float = 30) -> str:
        """The picture as SVG. Raises DrawError when no renderer is installed, or none is done within ``timeout`` seconds."""
        return self._rendered("svg", timeout).decode()

    def save(self, path: str | os.PathLike[str], timeout: float = 30) -> Path:
        """The path, after writing the picture there, in the format that its suffix says: .svg, .png, .pdf or .dot.

        The file is written whole or not at all. Raises DrawError as ``svg`` does, which .dot, being text, never needs.
        """
        from pathlib import Path  # noqa: PLC0415 - to import autograd stays cheap

        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            msg = f"save() writes {', '.join(SUFFIXES)}, not {str(path)!r}: end the name in one of these"
            raise ValueError(msg)
        if not path.parent.is_dir():
            msg = f"there is no folder {str(path.parent)!r} to save {path.name} in: make it first"
            raise FileNotFoundError(msg)
        picture = self.dot.encode() if suffix == ".dot" else self._rendered(suffix[1:], timeout)
        files.write(path, picture)
        return path

    def _rendered(self, file_format: str, timeout: float) -> bytes:
        from autograd.draw.render import render  # noqa: PLC0415 - to import autograd stays cheap

        return render(self.dot, file_format, timeout)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        try:
            return {"text/plain": repr(self), "image/svg+xml": self.svg()}
        except DrawError as error:
            return {"text/plain": f"{self!r}: {error}"}


def draw(value: Value, *, rankdir: str = "LR", max_nodes: int = 500, show: str = "data, grad") -> Drawing:
    """The picture of the graph that ``value`` was computed from, as it is now.

    Variables are blue, the result is amber, and constants, in grey, show their number only. Numbers have four digits, and
    labels end in an ellipsis after 60 characters. ``show`` says what stands beside the labels: "data, grad", "data", "grad" or
    ""; ``rankdir`` where the arrows go: "LR" (left to right), "TB" (top to bottom), "RL" or "BT". Raises DrawError for a graph
    of more than ``max_nodes`` Values.

    >>> x = Value(3.0, label="x")
    >>> draw(x * x + 1)                  # x, x², 1 and the sum; two arguments each for × and +
    Drawing(4 nodes, 4 edges)
    """
    if not isinstance(value, Value):
        msg = f"draw() expects a Value, not {type(value).__name__} {shown(value)}"
        raise TypeError(msg)
    if not isinstance(rankdir, str) or rankdir not in RANKDIR:
        msg = f"rankdir is one of {', '.join(RANKDIR)}, not {shown(rankdir)}"
        raise ValueError(msg)
    if not isinstance(show, str) or show not in SHOW:
        msg = f"show is one of {', '.join(map(repr, SHOW))}, not {shown(show)}"
        raise ValueError(msg)
    if not isinstance(max_nodes, numbers.Real):
        msg = f"max_nodes must be a number, not {type(max_nodes).__name__} {shown(max_nodes)}"
        raise TypeError(msg)
    order = topological_sort(value)
    if len(order) > max_nodes:
        msg = (
            f"the graph has {len(order)} nodes, and draw() stops at max_nodes={max_nodes} to stay readable: "
            f"draw a smaller part, such as one neuron or one example, or pass max_nodes={len(order)}"
        )
        raise DrawError(msg)
    return Drawing(to_dot(order, SHOW[show], rankdir), len(order), sum(len(node.args) for node in order))


def _display(value: Value) -> str | None:
    """What a notebook shows of ``value``: the SVG of its graph, unless that is too large to be drawn at once, unasked."""
    try:
        return draw(value, max_nodes=100).svg(timeout=5)
    except DrawError:
        return None


Value._display = staticmethod(_display)
