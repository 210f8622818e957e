"""Writes a graph as DOT text: a box for every Value, an ellipse for every operation, an arrow for every argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd.value import Value

# The canvas is transparent and the arrows are mid-grey: both a light and a dark page can lie behind them.
GRAPH = {"bgcolor": "transparent", "nodesep": "0.2", "ranksep": "0.3", "ordering": "in"}  # arguments in order
NODE = {
    "shape": "box", "style": "rounded,filled", "height": "0.36", "width": "0.36", "margin": "0",
    "fontname": "Helvetica,Arial,sans-serif", "fontsize": "11", "fontcolor": "#1f2933",
}  # fmt: skip
EDGE = {"color": "#8a94a0", "arrowsize": "0.6", "penwidth": "0.9"}

VARIABLE = {"fillcolor": "#e3effc", "color": "#6ea4dc"}
CONSTANT = {"fillcolor": "#fafbfc", "color": "#d3d9e0", "fontcolor": "#66717d"}
INTERMEDIATE = {"fillcolor": "#ffffff", "color": "#a9b3be"}
RESULT = {"fillcolor": "#fdeed3", "color": "#dd9e3e"}
OPERATION = {"shape": "ellipse", "style": "filled", "fillcolor": "#eef1f4", "color": "#8a94a0", "margin": "0.06,0"}

LONGEST = 60  # characters of a label; Graphviz gives up at 16,384 bytes

# Replacements, in labels, for characters that DOT interprets or XML forbids. A backslash is doubled because \N would become the
# name of the node. A ] is escaped because Graphviz 2.43 fails if it is the last character. Control characters become their
# pictures, and code points that are no characters become U+FFFD.
STAND_INS = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd"),
    **str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "]": "&#93;", "\\": "\\\\"}),
}


def to_dot(order: Sequence[Value], fields: Sequence[str], rankdir: str) -> str:
    """Return the DOT text of the graph whose nodes are ``order``, the result last. ``fields`` may contain "data" and "grad".

    Names in DOT are numbers, never labels: box ``n3`` is the fourth Value, and ``o3`` is the operation that computed it.
    """
    from graphviz import Digraph  # noqa: PLC0415 - to import autograd stays cheap

    picture = Digraph("graph", graph_attr={"rankdir": rankdir, **GRAPH}, node_attr=NODE, edge_attr=EDGE)
    names = {node: f"n{i}" for i, node in enumerate(order)}
    for i, node in enumerate(order):
        if node.op is None:
            picture.node(f"n{i}", label=_box(node, fields), **VARIABLE)
        elif node.op is ops.constant:
            picture.node(f"n{i}", label=_box(node, ()), **CONSTANT)
        else:
            picture.node(f"n{i}", label=_box(node, fields), **(RESULT if node is order[-1] else INTERMEDIATE))
            picture.node(f"o{i}", label=f"<{_text(node.op.label)}>", **OPERATION)
            picture.edge(f"o{i}", f"n{i}")
            for arg in node.args:
                picture.edge(names[arg], f"o{i}")
    text: str = picture.source
    return text


def _box(node: Value, fields: Sequence[str]) -> str:
    """Return the label of a box: a row of cells. It is HTML-like, because only such labels can show every character."""
    cells = [f"<B>{_text(str(node.label))}</B>"] if node.label else []
    if node.op is ops.constant:
        cells.append(f"{node.data:.4g}")
    for field in fields:
        number = getattr(node, field)  # a grad may be None
        cells.append(f'<FONT COLOR="#66717d">{field} </FONT>{number if number is None else format(number, ".4g")}')
    first, *others = cells or [""]
    row = f"<TD>{first}</TD>" + "".join(f'<TD BORDER="1" SIDES="L">{cell}</TD>' for cell in others)
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="6" COLOR="#c6cdd5"><TR>{row}</TR></TABLE>>'


def _text(text: str) -> str:
    r"""Return ``text`` escaped for an HTML-like label. Text that is too long ends in an ellipsis.

    >>> _text("a<b & \\N")
    'a&lt;b &amp; \\\\N'
    >>> _text("two\nlines")
    'two␊lines'
    """
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return shown.translate(STAND_INS)
