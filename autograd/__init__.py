"""A scalar autograd engine: code that reads like the chain rule, and gradients that are checked.

>>> from autograd import Value
>>> x = Value(3.0)
>>> y = x**2 + 1
>>> y.backward()
>>> x.grad                               # 2x
6.0
"""

from __future__ import annotations

import importlib
import os
import warnings
from typing import TYPE_CHECKING, Any

from autograd import arrays, files, math, trees
from autograd.compiler import Compiled, Recording, compile  # noqa: A004 - the public name; this module does not use Python's compile
from autograd.draw import Drawing, draw
from autograd.errors import AnomalyError, AutogradError, DrawError, GradcheckError, GraphError, RecordingError
from autograd.functional import directional, gradient
from autograd.gradcheck import gradcheck
from autograd.graph import topological_sort
from autograd.modes import detect_anomaly, enable_grad, is_compiling, no_grad
from autograd.value import Value

if TYPE_CHECKING:
    from autograd.compiler.export import export

__all__ = [
    "AnomalyError",
    "AutogradError",
    "Compiled",
    "DrawError",
    "Drawing",
    "GradcheckError",
    "GraphError",
    "Recording",
    "RecordingError",
    "Value",
    "arrays",
    "compile",
    "detect_anomaly",
    "directional",
    "draw",
    "enable_grad",
    "export",
    "files",
    "gradcheck",
    "gradient",
    "is_compiling",
    "math",
    "no_grad",
    "topological_sort",
    "trees",
]

__version__ = "0.1.0"
__engine__ = "scalar-autograd"
"""The name by which ``nn`` tells this package from another one with the same import name."""

_here = os.path.dirname(__file__)  # noqa: PTH120 - pathlib takes 3 ms to import
_foreign = [name for name in ("tracer.py", "differential_operators.py") if os.path.exists(f"{_here}/{name}")]  # noqa: PTH110 - likewise
if _foreign:
    warnings.warn(
        f"{_here} holds files of another package named autograd as well ({', '.join(_foreign)}): pip installed "
        "one over the other. Make a clean environment (python -m venv .venv), or run: "
        "python -m pip uninstall -y autograd && python -m pip install --force-reinstall --no-deps scalar-autograd",
        RuntimeWarning,
        stacklevel=2,
    )


def __getattr__(name: str) -> Any:
    """``autograd.scipy`` and ``autograd.export``, which are imported when they are first asked for: few programs need them."""
    if name == "scipy":
        return importlib.import_module("autograd.scipy")
    if name == "export":
        return importlib.import_module("autograd.compiler.export").export
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
