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
    """The path, after writing ``model`` there as one file: plain Python if it ends in .py, C99 if it ends in .c.

    The file has ``predict``, which gives what the model gives for one example, and ``gradient``, the derivatives by the inputs:
    see ``autograd.export``. How many inputs neurons, layers, MLPs, and Sequentials that begin with one of these take, is known;
    for your own Modules give an ``example``, what they are called with. Raises RecordingError for a model that
    ``autograd.compile`` cannot record.

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
        msg = f"nn.export() takes a Module, not {type(model).__name__} {shown(model)}: for functions there is autograd.export"
        raise TypeError(msg)
    path = as_path(path, "path")
    if example is None:
        count = _inputs(model)
        if count is None:
            msg = (
                f"nn.export() does not know what a {type(model).__name__} is called with: give an example of it, "
                "as nn.export(model, path, example=[0.0, 0.0])"
            )
            raise TypeError(msg)
        example = [0.0] * count
    return autograd.export(model.forward, path, example)


def _inputs(model: object) -> int | None:
    """How many inputs a model of this package's own takes; None if it is another."""
    if type(model) is Sequential:
        return _inputs(model.steps[0]) if model.steps else None
    if type(model) is MLP:
        return _inputs(model.layers[0])
    if type(model) is Layer:
        return _inputs(model.neurons[0])
    return len(model.w) if type(model) is Neuron else None
