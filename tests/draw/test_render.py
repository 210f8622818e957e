"""From DOT text to a picture: by whatever is installed, within a time, or with an error that helps."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from autograd.draw.render import render
from autograd.errors import DrawError

if TYPE_CHECKING:
    from pathlib import Path

TINY = "digraph {a -> b}"
MEND = 'python -m pip install "scalar-autograd[render]"'
STARTS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


@pytest.fixture
def fake_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test writes the Python script that is then the only ``dot`` on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "dot"


@pytest.fixture
def no_pygraphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


def write(path: Path, script: str) -> None:
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("kind", STARTS)
def test_every_format(kind: str) -> None:
    assert render(TINY, kind, 30).startswith(STARTS[kind])


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.usefixtures("fake_dot")
def test_without_dot_pygraphviz_renders(kind: str) -> None:
    assert shutil.which("dot") is None
    assert render(TINY, kind, 30).startswith(STARTS[kind])


def test_dot_comes_first(fake_dot: Path) -> None:
    write(fake_dot, "import sys; print(sys.argv[1:], sys.stdin.read())")
    assert render("digraph {é}", "svg", 30).decode() == "['-Tsvg'] digraph {é}\n"


@pytest.mark.usefixtures("fake_dot", "no_pygraphviz")
def test_nothing_installed() -> None:
    """The one command that mends it is named, and what still works."""
    with pytest.raises(DrawError) as caught:
        render(TINY, "svg", 30)
    assert str(caught.value) == (
        "the graph could not be drawn as svg: neither the program dot nor the package pygraphviz is installed. "
        f"The attribute .dot of the drawing holds the DOT text. To install a renderer: {MEND}"
    )


@pytest.mark.parametrize("script", ["import sys; sys.exit('out of ink')", "", "import time; time.sleep(600)"])
def test_pygraphviz_steps_in(script: str, fake_dot: Path) -> None:
    """For a dot that fails, one that says nothing, and one that hangs."""
    write(fake_dot, script)
    assert b"<svg" in render(TINY, "svg", 5 if "sleep" in script else 30)


@pytest.mark.usefixtures("no_pygraphviz")
def test_a_dot_that_cannot_be_started(fake_dot: Path) -> None:
    fake_dot.write_bytes(b"\x00not a program")
    fake_dot.chmod(0o755)
    with pytest.raises(DrawError, match="dot did not start: "):
        render(TINY, "svg", 30)


@pytest.mark.usefixtures("no_pygraphviz")
def test_what_dot_said_is_quoted(fake_dot: Path) -> None:
    write(fake_dot, "import sys; sys.exit('out of ink')")
    with pytest.raises(DrawError) as caught:
        render(TINY, "svg", 30)
    assert "dot failed (exit status 1): out of ink" in str(caught.value)
    assert MEND in str(caught.value)


def test_what_both_said_is_quoted() -> None:
    """And nothing is to be installed when everything is."""
    with pytest.raises(DrawError) as caught:
        render("digraph {", "svg", 30)
    assert "pygraphviz failed (exit status 1): " in str(caught.value)
    assert MEND not in str(caught.value)


@pytest.mark.usefixtures("no_pygraphviz")
def test_the_time_limit_holds_for_dot(fake_dot: Path) -> None:
    """The script would sleep for longer than the suite may last."""
    write(fake_dot, "import time; time.sleep(3600)")
    with pytest.raises(DrawError) as caught:
        render(TINY, "svg", 0.2)
    assert "dot took longer than 0.2 s (draw a smaller part of the graph, or pass a larger timeout=)" in str(caught.value)


@pytest.mark.usefixtures("fake_dot")
def test_the_time_limit_holds_for_pygraphviz() -> None:
    with pytest.raises(DrawError, match=r"pygraphviz took longer than 0\.001 s"):
        render(TINY, "svg", 0.001)


@pytest.mark.usefixtures("fake_dot")
def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -c`` would import the user's own pygraphviz.py first."""
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('wrong one')")
    monkeypatch.chdir(tmp_path)
    assert b"<svg" in render(TINY, "svg", 30)
