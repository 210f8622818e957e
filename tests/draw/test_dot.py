"""The DOT text of a graph, and what labels can do to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograd import Value, ops
from autograd.draw import draw
from autograd.draw.render import _renderers, render

NASTY = (
    "<b>bold</b>", "<", ">", "<>", "<!--", "-->", "]]>", "</TD>", "<script>alert(1)</script>",
    '<a href="javascript:alert(1)">',
    "javascript:alert(1)", '"]; n9 [URL="javascript:alert(1)"', "\\", "\\\\", "\\N", "\\G", "\\L", "\\E", "\\T", "\\H",
    "\\l", "\\n",
    "x\\", "\\<", "&", "&amp;", "&amp;amp;", "&lt;", "&lt", "&#65;", "&#x0;", "&bogus;", "&nbsp;", "{a|b}", "|", "a:b",
    "n0:e", "n0 -> n1", ";", "//", "#", "/*", "]", '"', '\\"', "'", "=", "%", "%3", "é", "中", "😀",
    "e\u0301", "\u200b", "\u202e",
    "\u00a0", "\u2028", " ", "  ", "a  b", "\n", "\r\n", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\x9f", "\ud800", "\udfff",
    "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U0001fffe",
)  # fmt: skip
ELEMENTS = {"svg", "g", "title", "polygon", "polyline", "path", "ellipse", "text"}
ATTRIBUTES = {
    "width", "height", "viewBox", "id", "class", "transform", "fill", "fill-opacity", "stroke", "stroke-width",
    "stroke-opacity", "points", "d", "cx", "cy", "rx", "ry", "x", "y", "text-anchor", "font-family", "font-size", "font-weight",
    "{http://www.w3.org/XML/1998/namespace}space",
}  # fmt: skip


def squared(label: str = "a") -> Value:
    a = Value(2.0, label=label)
    return a * a


def arrows(dot: str) -> list[str]:
    return re.findall(r"^\t(\w+ -> \w+)$", dot, re.MULTILINE)


def texts(dot: str) -> dict[str, str]:
    """What a person reads in each node of the DOT text."""
    found = re.findall(r"^\t([no]\d+) \[label=<(.*?)> color=", dot, re.MULTILINE)
    return {name: " ".join(re.sub("<[^>]*>", " ", label).split()) for name, label in found}


def test_the_exact_text_of_a_tiny_graph() -> None:
    """Every byte, so that no change of the looks goes unseen."""
    a = Value(2.0, label="a")
    b = a * 3
    b.backward()
    box = '[label=<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="6" COLOR="#c6cdd5"><TR>{}</TR></TABLE>> {}]'
    data, grad = (f'<FONT COLOR="#66717d">{field} </FONT>' for field in ("data", "grad"))
    line = '<TD BORDER="1" SIDES="L">'
    constant = box.format("<TD>3</TD>", 'color="#d3d9e0" fillcolor="#fafbfc" fontcolor="#66717d"')
    variable = box.format(f"<TD><B>a</B></TD>{line}{data}2</TD>{line}{grad}3</TD>", 'color="#6ea4dc" fillcolor="#e3effc"')
    result = box.format(f"<TD>{data}6</TD>{line}{grad}1</TD>", 'color="#dd9e3e" fillcolor="#fdeed3"')
    assert draw(b).dot == "\n".join(
        [
            'digraph "graph" {',
            "\tgraph [bgcolor=transparent nodesep=0.2 ordering=in rankdir=LR ranksep=0.3]",
            "\tnode [{} {} fontsize=11 height=0.36 margin=0 shape=box {} width=0.36]".format(
                'fontcolor="#1f2933"', 'fontname="Helvetica,Arial,sans-serif"', 'style="rounded,filled"'
            ),
            '\tedge [arrowsize=0.6 color="#8a94a0" penwidth=0.9]',
            f"\tn0 {variable}",
            f"\tn1 {constant}",
            f"\tn2 {result}",
            '\to2 [label=<×> color="#8a94a0" fillcolor="#eef1f4" margin="0.06,0" shape=ellipse style=filled]',
            "\to2 -> n2",
            "\tn0 -> o2",
            "\tn1 -> o2",
            "}",
            "",
        ]
    )


def test_an_argument_used_twice_has_two_arrows() -> None:
    """A set of arguments, as in micrograd, would lose one."""
    assert arrows(draw(squared()).dot) == ["o1 -> n1", "n0 -> o1", "n0 -> o1"]


def test_arguments_are_written_in_their_order() -> None:
    """The layout follows it, so that a - b is not drawn as b - a."""
    a, b = Value(1.0, label="a"), Value(2.0, label="b")
    dot = draw(a - b).dot
    names = {text.split()[0]: name for name, text in texts(dot).items()}
    assert arrows(dot) == ["o2 -> n2", f"{names['a']} -> o2", f"{names['b']} -> o2"]
    assert "ordering=in" in dot


def test_a_shared_value_has_one_box() -> None:
    a = Value(3.0, label="a")
    b = a + a
    drawing = draw(b * a)
    assert list(texts(drawing.dot)) == ["n0", "n1", "o1", "n2", "o2"]
    assert (drawing.nodes, drawing.edges, len(arrows(drawing.dot))) == (3, 4, 6)


@pytest.mark.parametrize("op", [ops.tanh, ops.sigmoid, ops.relu, ops.square, ops.cbrt])
def test_an_operation_shows_its_label(op: ops.Op) -> None:
    assert texts(draw(op(Value(1.0))).dot)["o1"] == op.label


def test_an_operation_on_nothing_is_drawn() -> None:
    assert texts(draw(Value(1.0).apply(ops.fsum, ())).dot) == {"n0": "data 0 grad 0", "o0": "sum"}


def test_constants_show_their_number_only() -> None:
    dot = draw(Value(2.0) * 3.25, show="data, grad").dot
    assert sorted(texts(dot).values()) == ["3.25", "data 2 grad 0", "data 6.5 grad 0", "×"]
    constant = Value(5.0).detach()
    constant.label = "five"
    assert texts(draw(constant, show="").dot) == {"n0": "five 5"}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333"),
        (-1e-7, "-1e-07"),
        (123456.0, "1.235e+05"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_have_four_digits(number: float, text: str) -> None:
    assert texts(draw(Value(number), show="data").dot) == {"n0": f"data {text}"}


@pytest.mark.parametrize(
    ("show", "text"), [("", "a"), ("data", "a data 2"), ("grad", "a grad 4"), ("data, grad", "a data 2 grad 4")]
)
def test_show(show: str, text: str) -> None:
    y = squared()
    y.backward()
    assert texts(draw(y, show=show).dot)["n0"] == text


def test_a_grad_of_none_is_drawn() -> None:
    x = Value(1.0)
    x.grad = None
    assert "grad </FONT>None<" in draw(x * x, show="grad").dot


def test_leaves_inner_values_and_the_result_differ() -> None:
    dot = draw(squared() + 1).dot
    assert len(set(re.findall(r'^\tn\d.*fillcolor="(#\w+)"', dot, re.MULTILINE))) == 4


def test_the_text_is_the_same_under_any_hash_seed() -> None:
    script = """
from autograd import Value
from autograd.draw import draw
values = [Value(i, label=f"x{i}") for i in range(9)]
total = values[0]
for value in values * 3:
    total = total * value + value.tanh()
print(ascii(draw(total).dot))
"""
    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(3)
    }
    assert len(texts) == 1
    assert len(texts.pop()) > 1000


def test_a_long_label_ends_in_an_ellipsis() -> None:
    """Graphviz fails at 16,384 bytes; 60 characters are shown whole, the 61st makes 59 and an ellipsis."""
    assert texts(draw(Value(1.0, "x" * 60), show="").dot)["n0"] == "x" * 60
    assert texts(draw(Value(1.0, "x" * 61), show="").dot)["n0"] == "x" * 59 + "…"
    for _, command in _renderers("svg"):
        dot = draw(Value(1.0, "&<\\" * 1_000_000)).dot
        assert subprocess.run(command, input=dot.encode(), capture_output=True, check=True).stdout


def test_labels_are_never_attributes_or_names() -> None:
    """Whatever the label, only it differs: no link, no node, no statement more."""
    plain = draw(squared("LABEL")).dot.split("LABEL")
    for label in NASTY:
        dot = draw(squared(label)).dot
        assert dot.startswith(plain[0]), label
        assert dot.endswith(plain[1]), label
        written = dot[len(plain[0]) : -len(plain[1])]
        assert not re.search(r"[<>\x00-\x1f]|&(?!amp;|lt;|gt;|#93;)", written), label


# Law 12: whatever the labels, the SVG is well formed, has no element or attribute that we don't know, and says what they say.

labels = st.text(st.characters()) | st.lists(st.sampled_from(NASTY), max_size=8).map("".join)


def as_shown(label: str) -> str:
    """What the documentation promises: control characters as pictures, what is no character as U+FFFD, 60 at most."""
    shown = "".join(chr(ord(c) + 0x2400) if c < " " else "\u2421" if c == "\x7f" else c for c in label)
    shown = re.sub("[\x80-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", shown)
    return shown if len(shown) <= 60 else shown[:59] + "…"


def check(dot: str, values: list[Value], renderer: list[str]) -> None:
    done = subprocess.run(renderer, input=dot.encode(), capture_output=True, check=True)
    tree = ET.fromstring(done.stdout)  # noqa: S314 - of our own making
    svg = "{http://www.w3.org/2000/svg}"
    elements = list(tree.iter())
    assert {element.tag.removeprefix(svg) for element in elements} <= ELEMENTS
    assert {name for element in elements for name in element.attrib} <= ATTRIBUTES
    shown = {
        group.findtext(f"{svg}title"): "".join(text.text or "" for text in group.iter(f"{svg}text"))
        for group in tree.iter(f"{svg}g")
        if group.get("class") == "node"
    }
    for i, value in enumerate(values):
        assert shown[f"n{i}"].replace("\u00a0", " ") == as_shown(value.label).replace("\u00a0", " ")


def drawn(labels: list[str]) -> tuple[str, list[Value]]:
    values = [Value(0.0, label) for label in labels]
    total = Value(0.0).apply(ops.fsum, tuple(values))
    return draw(total, show="").dot, values


RENDERERS = dict(_renderers("svg"))


def test_there_is_a_renderer_to_test_with() -> None:
    assert RENDERERS


@pytest.mark.parametrize("renderer", RENDERERS)
def test_nasty_labels(renderer: str) -> None:
    check(*drawn([*NASTY, *(f"x{label}y" for label in NASTY), *(label * 2 for label in NASTY)]), RENDERERS[renderer])


@pytest.mark.parametrize("renderer", RENDERERS)
@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(labels, min_size=250, max_size=250))
def test_5_000_labels(renderer: str, labels: list[str]) -> None:
    check(*drawn(labels), RENDERERS[renderer])


def test_the_check_of_labels_finds_faults() -> None:
    """A link and a label that says something else are found."""
    values = [Value(0.0, "a")]
    with pytest.raises(AssertionError):
        check('digraph {n0 [label="a" URL="javascript:alert(1)"]}', values, next(iter(RENDERERS.values())))
    with pytest.raises(AssertionError):
        check('digraph {n0 [label="b"]}', values, next(iter(RENDERERS.values())))
    assert b"javascript" in render('digraph {n0 [URL="javascript:alert(1)"]}', "svg", 30)
