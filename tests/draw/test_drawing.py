"""``draw`` and ``Drawing`` as users meet them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from autograd import Value
from autograd.draw import Drawing, draw
from autograd.errors import DrawError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


def product() -> Value:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    return a * b


def chain(length: int) -> Value:
    value = Value(0.0)
    for _ in range(length - 1):
        value = value.tanh()
    return value


def test_repr_counts_values_and_arguments() -> None:
    drawing = draw(product())
    assert (repr(drawing), drawing.nodes, drawing.edges) == ("Drawing(3 nodes, 2 edges)", 3, 2)


def test_a_drawing_does_not_follow_the_graph() -> None:
    """It shows the graph as it was, and drawing changes nothing."""
    y = product()
    before = draw(y)
    assert draw(y) == before
    y.backward()
    assert draw(y) != before


@pytest.mark.parametrize(
    ("given", "said"), [(3.0, "float 3.0"), ("x", "str 'x'"), (None, "NoneType None"), ([Value(1.0)], "list [Value(")]
)
def test_only_values_are_drawn(given: object, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        draw(given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"draw() expects a Value, not {said}")


@pytest.mark.parametrize("rankdir", ["LR", "TB", "RL", "BT"])
def test_rankdir(rankdir: str) -> None:
    assert f"rankdir={rankdir} " in draw(product(), rankdir=rankdir).dot


@pytest.mark.parametrize("wrong", ["lr", "", "LR]; a -> b", None])
def test_wrong_rankdir(wrong: str) -> None:
    with pytest.raises(ValueError, match="expects rankdir to be one of LR, TB, RL, BT, not "):
        draw(product(), rankdir=wrong)


@pytest.mark.parametrize("wrong", ["label", "grad, data", "data,", "all", None])
def test_wrong_show(wrong: str) -> None:
    with pytest.raises(ValueError, match="expects show to be one of '', 'data', 'grad', 'data, grad', not "):
        draw(product(), show=wrong)


def test_max_nodes() -> None:
    """As many as are allowed are drawn, one more is not, and the error says how many there are."""
    assert draw(chain(500)).nodes == 500
    with pytest.raises(DrawError) as caught:
        draw(chain(501))
    assert str(caught.value) == (
        "the graph has 501 nodes, more than max_nodes=500, and its picture would be hard to read: "
        "draw a smaller part, such as one neuron or one example, or pass max_nodes=501"
    )
    assert draw(chain(501), max_nodes=501).nodes == 501


def test_a_deep_graph_is_drawn_without_recursion() -> None:
    assert draw(chain(20_000), max_nodes=20_000).edges == 19_999


def test_svg() -> None:
    svg = draw(product()).svg()
    assert "<svg" in svg
    assert "×" in svg


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.dot", b"digraph"), ("A.SVG", b"<?xml")],
)
def test_save(name: str, start: bytes, tmp_path: Path) -> None:
    """Exactly one file is written; a path may be a string."""
    assert draw(product()).save(str(tmp_path / name)) == tmp_path / name
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.usefixtures("nothing_installed")
def test_save_dot_needs_no_renderer(tmp_path: Path) -> None:
    drawing = draw(product())
    assert drawing.save(tmp_path / "a.dot").read_text(encoding="utf-8") == drawing.dot


@pytest.mark.parametrize("name", ["a", "a.gif", "a.svg.gz", ".svg"])
def test_save_under_an_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"save\(\) writes files that end in \.svg, \.png, \.pdf, \.dot, not "):
        draw(product()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("nothing_installed")
def test_a_failed_picture_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("old")
    with pytest.raises(DrawError):
        draw(product()).save(tmp_path / "a.svg")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: nothing is left of the new file."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.dot").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        draw(product()).save(tmp_path / "a.dot")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_saved_file_has_the_usual_permissions(tmp_path: Path) -> None:
    """Those of tempfile would keep everybody else, a web server say, from reading it."""
    (tmp_path / "usual").touch()
    assert draw(product()).save(tmp_path / "a.dot").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_notebooks_show_a_drawing() -> None:
    bundle = draw(product())._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == "Drawing(3 nodes, 2 edges)"
    assert "<svg" in bundle["image/svg+xml"]


@pytest.mark.usefixtures("nothing_installed")
def test_notebooks_say_why_there_is_no_drawing() -> None:
    bundle = draw(product())._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert bundle["text/plain"].startswith("Drawing(3 nodes, 2 edges): the graph could not be drawn as svg")


def test_notebooks_show_a_value() -> None:
    bundle = product()._repr_mimebundle_()
    assert bundle["text/plain"] == "Value(data=-6.0, grad=0.0)"
    assert "<svg" in bundle["image/svg+xml"]


def test_notebooks_show_a_large_value_as_text() -> None:
    assert "image/svg+xml" in chain(100)._repr_mimebundle_()
    assert list(chain(101)._repr_mimebundle_()) == ["text/plain"]


@pytest.mark.usefixtures("nothing_installed")
def test_notebooks_show_a_value_as_text_when_nothing_renders() -> None:
    assert list(product()._repr_mimebundle_()) == ["text/plain"]


def test_importing_is_cheap() -> None:
    """The package graphviz is imported by the first drawing, not before."""
    script = "import sys, autograd.draw; assert 'graphviz' not in sys.modules; assert 'pygraphviz' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_drawing_is_a_plain_value() -> None:
    assert Drawing("digraph {}", 0, 0) == Drawing("digraph {}", 0, 0)
