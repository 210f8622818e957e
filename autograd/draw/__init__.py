"""Draws the graph of a Value: ``draw(value)`` returns a picture that notebooks display and that can be saved."""

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
    """A graph as DOT text. Notebooks display it as a picture; ``svg()`` and ``save()`` render it."""

    dot: str
    """The text, in Graphviz's language."""
    nodes: int
    """The number of Values."""
    edges: int
    """The number of arguments of all operations. ``a * a`` has two."""

    def __repr__(self) -> str:
        return f"Drawing({self.nodes} nodes, {self.edges} edges)"

    def svg(self, timeout: float = 30) -> str:
        """Return the picture as SVG. Raises DrawError if no installed renderer makes it within ``timeout`` seconds."""
        return self._rendered("svg", timeout).decode()

    def save(self, path: str | os.PathLike[str], timeout: float = 30) -> Path:
        """Write the picture to a file and return its path. The suffix chooses the format: .svg, .png, .pdf or .dot.

        The file is written whole or not at all. Raises DrawError like ``svg``, but not for .dot, which needs no renderer.
        Raises ValueError for another suffix, and FileNotFoundError if the folder does not exist.
        """
        from pathlib import Path  # noqa: PLC0415 - to import autograd stays cheap

        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            msg = f"save() writes files that end in {', '.join(SUFFIXES)}, not {str(path)!r}: change the suffix"
            raise ValueError(msg)
        if not path.parent.is_dir():
            msg = f"save() cannot write {path.name}, because the folder {str(path.parent)!r} does not exist: create it first"
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
    """Return a picture of the graph that ``value`` was computed from, with its current numbers.

    Variables are blue, the result is amber, and constants are grey and show only their number. Numbers have four digits. Labels
    of more than 60 characters end in an ellipsis. ``show`` chooses the numbers beside the labels: "data, grad", "data", "grad"
    or "". ``rankdir`` is the direction of the arrows: "LR" (left to right), "TB" (top to bottom), "RL" or "BT". Raises
    DrawError if the graph has more than ``max_nodes`` Values.

    >>> x = Value(3.0, label="x")
    >>> draw(x * x + 1)                  # x, x², 1 and the sum; two arguments each for × and +
    Drawing(4 nodes, 4 edges)
    """
    if not isinstance(value, Value):
        msg = f"draw() expects a Value, not {type(value).__name__} {shown(value)}"
        raise TypeError(msg)
    if not isinstance(rankdir, str) or rankdir not in RANKDIR:
        msg = f"draw() expects rankdir to be one of {', '.join(RANKDIR)}, not {shown(rankdir)}"
        raise ValueError(msg)
    if not isinstance(show, str) or show not in SHOW:
        msg = f"draw() expects show to be one of {', '.join(map(repr, SHOW))}, not {shown(show)}"
        raise ValueError(msg)
    if not isinstance(max_nodes, numbers.Real):
        msg = f"draw() expects max_nodes to be a number, not {type(max_nodes).__name__} {shown(max_nodes)}"
        raise TypeError(msg)
    order = topological_sort(value)
    if len(order) > max_nodes:
        msg = (
            f"the graph has {len(order)} nodes, more than max_nodes={max_nodes}, and its picture would be hard to read: "
            f"draw a smaller part, such as one neuron or one example, or pass max_nodes={len(order)}"
        )
        raise DrawError(msg)
    return Drawing(to_dot(order, SHOW[show], rankdir), len(order), sum(len(node.args) for node in order))


def _display(value: Value) -> str | None:
    """Return the SVG that a notebook displays for ``value``, or None if the graph is too large to draw without being asked."""
    try:
        return draw(value, max_nodes=100).svg(timeout=5)
    except DrawError:
        return None


Value._display = staticmethod(_display)
