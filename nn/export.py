"""``nn.export``: a trained model as one file that needs neither this package nor any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import autograd
from nn.checkpoint import as_path
from nn.errors import shown
from nn.layers import MLP, Layer, Neuron, Sequential
from nn.module import Module

if TYPE_CHECKING:
    import os
    from pathlib import Path


def export(model: Module, path: str | os.PathLike[str], *, example: Any = None) -> Path:
    """Write ``model`` as one file that needs no library, and return its path: Python if that ends in .py, C99 if it ends in .c.

    The file has a function ``predict``, which gives what the model gives for one example, and a function ``gradient``, which
    gives the derivatives by the inputs: see ``autograd.export``. For a Neuron, a Layer, an MLP, or a Sequential that begins
    with one of these, the number of inputs is known. For other Modules, pass an ``example`` of what they are called with.
    Raises TypeError without one, and RecordingError if ``autograd.compile`` cannot record the model.

    >>> import runpy, tempfile
    >>> model = Neuron(2, "linear", rng=0)
    >>> model.load_state_dict({"w[0]": 1.0, "w[1]": 2.0, "b": 3.0})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = runpy.run_path(str(export(model, f"{folder}/neuron.py")))
    >>> names["predict"]([10.0, 100.0])      # 1 · 10 + 2 · 100 + 3
    213.0
    >>> names["gradient"]([10.0, 100.0])
    [1.0, 2.0]
    """
    if not isinstance(model, Module):
        msg = f"nn.export() expects a Module, not {type(model).__name__} {shown(model)}: for a function, use autograd.export()"
        raise TypeError(msg)
    path = as_path(path, "path")
    if example is None:
        count = _inputs(model)
        if count is None:
            msg = (
                f"nn.export() cannot tell how many inputs a {type(model).__name__} takes: pass an example of what it is called "
                "with, as in nn.export(model, path, example=[0.0, 0.0])"
            )
            raise TypeError(msg)
        example = [0.0] * count
    return autograd.export(model.forward, path, example)


def _inputs(model: object) -> int | None:
    """Return how many inputs a model takes; None if that is not known."""
    if type(model) is Sequential:
        return _inputs(model.steps[0]) if model.steps else None
    if type(model) is MLP:
        return _inputs(model.layers[0])
    if type(model) is Layer:
        return _inputs(model.neurons[0])
    return len(model.w) if type(model) is Neuron else None
