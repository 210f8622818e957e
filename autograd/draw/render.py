"""Renders DOT text as a picture, by the program ``dot``, or else by the Graphviz that the package pygraphviz contains."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from autograd.errors import DrawError

if TYPE_CHECKING:
    from collections.abc import Iterator

PYGRAPHVIZ = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""
INSTALL = 'python -m pip install "scalar-autograd[render]"'


def render(dot: str, file_format: str, timeout: float) -> bytes:
    """Return the picture in ``file_format``: "svg", "png" or "pdf". Raises DrawError if no installed renderer can make it.

    Each renderer runs in a process of its own, which is killed after ``timeout`` seconds.
    """
    failures = []
    for name, command in _renderers(file_format):
        try:
            done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            failures.append(
                f"{name} took longer than {timeout:g} s (draw a smaller part of the graph, or pass a larger timeout=)"
            )
        except OSError as error:
            failures.append(f"{name} did not start: {error}")
        else:
            if done.returncode == 0 and done.stdout:
                return done.stdout
            said = done.stderr.decode(errors="replace").strip()[-500:]
            failures.append(f"{name} failed (exit status {done.returncode}): {said}")
    found = "; ".join(failures) or "neither the program dot nor the package pygraphviz is installed"
    msg = f"the graph could not be drawn as {file_format}: {found}. The attribute .dot of the drawing holds the DOT text"
    if not importlib.util.find_spec("pygraphviz"):
        msg += f". To install a renderer: {INSTALL}"
    raise DrawError(msg)


def _renderers(file_format: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the command of each installed renderer. It reads DOT from stdin and writes to stdout."""
    if program := shutil.which("dot"):
        yield "dot", [program, f"-T{file_format}"]
    if importlib.util.find_spec("pygraphviz"):
        yield (
            "pygraphviz",
            [sys.executable, "-P", "-c", PYGRAPHVIZ, file_format],
        )  # -P: import nothing from the working directory
