"""Checkpoints: a model, its optimizer and other data in one file, which is loaded whole or refused.

Here is what a program calls. ``nn.codec`` turns the data into JSON and arrays, and ``nn.formats`` turns these into bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import autograd
from autograd import files
from nn import optim
from nn.codec import decode, encode, expanded, grouped
from nn.errors import CheckpointError, shown
from nn.formats import Parts, pack, unpack
from nn.layers import build
from nn.module import Module
from nn.optim import BaseOptimizer

if TYPE_CHECKING:
    import os

    from autograd import Value

Array = NDArray[np.float64]

_FORMAT = 1
"""The version of the format. Files of later versions are refused."""


def save(path: str | os.PathLike[str], model: Module, /, optimizer: BaseOptimizer | None = None, **extra: Any) -> Path:
    """Write a model, its optimizer and ``extra`` to a file, and return the path.

    The file holds the model's architecture and parameters, and the optimizer's settings and state. A path that ends in
    ``.safetensors`` gets that format (extra ``[safetensors]``). Any other gets the format of ``np.load``. Nothing is added to
    the path.

    ``extra`` may hold numbers, strings, booleans, None, NumPy arrays and scalars, and lists, tuples and dicts of these. They
    come back to the bit, with the same types. TypeError names the place of anything else. Nothing is pickled.

    The file is replaced in one step, by ``autograd.files``: after a crash it has either the old contents or the new ones.

    >>> import nn, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/neuron.npz", nn.Neuron(2, "linear", rng=0), note="untrained")
    ...     checkpoint = load(path)
    >>> path.name, checkpoint.names, checkpoint.extra
    ('neuron.npz', ['w[0]', 'w[1]', 'b'], {'note': 'untrained'})
    """
    path = as_path(path, "path")
    return Checkpoint.of(model, optimizer, extra).write(path)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Return what ``save`` wrote: the checkpoint has a ``.model``, an ``.optimizer`` and ``.extra``.

    Raises CheckpointError if a single byte differs from what was written, or if a later version of the package wrote the file.
    No code in the file is ever run.

    >>> import nn, tempfile
    >>> model = nn.MLP(2, [3, 1], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = load(save(f"{folder}/model.npz", model, nn.Adam(model.parameters(), lr=0.01), epochs=20))
    >>> checkpoint.model([1.0, 2.0]).data == model([1.0, 2.0]).data
    True
    >>> checkpoint.optimizer.lr, checkpoint.extra
    (0.01, {'epochs': 20})
    """
    path = as_path(path, "path")
    data = path.read_bytes()
    try:
        header, parts = unpack(data)
        if header["format"] > _FORMAT:
            msg = (
                f"scalar-autograd {header['library']} wrote this file, in a newer format than this version can read: "
                "python -m pip install --upgrade scalar-autograd"
            )
            raise CheckpointError(msg)  # noqa: TRY301 - the path is added below, as to all others
        return _checkpoint(header, parts)
    except ImportError:
        raise
    except CheckpointError as error:
        msg = f"{path}: {error}"
        raise CheckpointError(msg) from None
    except Exception as error:  # another program may have written anything, with the right checksum
        msg = f"{path}: nn.save did not write this file ({type(error).__name__}: {error})"
        raise CheckpointError(msg) from error


def as_path(path: str | os.PathLike[str], name: str) -> Path:
    """Return ``path`` as a Path. TypeError, for the argument ``name``, if it is not the path of a file."""
    try:
        return Path(path)
    except TypeError:
        msg = f"{name} must be the path of a file, a str or a pathlib.Path, not {type(path).__name__} {shown(path)}"
        raise TypeError(msg) from None


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint:
    """The contents of a file as plain data, from which ``model``, ``optimizer`` and ``state_dict`` are made on demand."""

    architecture: Any
    """What ``model.architecture()`` returned, from which the model is made. None if only the user's program can make it."""
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    """Names and shapes: ("layers.0.neurons.0.w", (2,)) stands for the parameters w[0] and w[1] of that neuron."""
    theta: Array
    """The numbers of all parameters, in the order of ``model.parameters()``."""
    optimizer_state: dict[str, Any] | None
    """``class`` and ``module``, the names of its class; ``state``, its ``state_dict()``; ``places``, the index of each of its
    parameters among the model's, or -1 for a parameter that is not the model's."""
    extra: dict[str, Any]
    """The other data."""

    @classmethod
    def of(cls, model: Module, optimizer: BaseOptimizer | None, extra: dict[str, Any]) -> Checkpoint:
        """Return a checkpoint of the present state of a model."""
        if not isinstance(model, Module):
            msg = f"a checkpoint holds an nn.Module, not {type(model).__name__} {shown(model)}"
            raise TypeError(msg)
        if not isinstance(optimizer, BaseOptimizer | None):
            msg = f"optimizer must be an nn.BaseOptimizer or None, not {shown(optimizer)}; save other data by name, as epoch=3"
            raise TypeError(msg)
        named = [*model.named_parameters()]
        theta = np.array([parameter.data for _, parameter in named], dtype=np.float64)
        groups = tuple(grouped([name for name, _ in named]))
        if len({stem for stem, _ in groups}) < len(groups):
            msg = f"two parameters of this {type(model).__name__} have the same name: rename an attribute"
            raise ValueError(msg)
        state = None if optimizer is None else _state_of(optimizer, [parameter for _, parameter in named])
        return cls(model.architecture(), groups, theta, state, extra)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, as ``save`` does."""
        path = Path(path)
        if self.theta.shape != (expected := _count(self.parameters),):
            msg = f"theta must have the shape ({expected},), one number for each parameter, not {self.theta.shape}"
            raise ValueError(msg)
        arrays: list[NDArray[Any]] = []
        header = {
            "format": _FORMAT,
            "library": autograd.__version__,
            "architecture": encode(self.architecture, "architecture", arrays),
            "parameters": self.parameters,
            "optimizer": encode(self.optimizer_state, "optimizer", arrays),
            "extra": encode(self.extra, "extra", arrays),
        }
        parts = {"theta": np.ascontiguousarray(self.theta, dtype=np.float64)}
        files.write(path, pack(path, header, parts | {f"array/{k}": array for k, array in enumerate(arrays)}))
        return path

    def __repr__(self) -> str:
        optimizer = self.optimizer_state and self.optimizer_state["class"]
        return f"Checkpoint({len(self.theta):,} parameters, optimizer: {optimizer}, extra: {[*self.extra]})"

    @property
    def names(self) -> list[str]:
        """The names of all parameters."""
        return [name for stem, shape in self.parameters for name in expanded(stem, shape)]

    @property
    def state_dict(self) -> dict[str, float]:
        """The numbers of all parameters, by name, for ``model.load_state_dict``."""
        return dict(zip(self.names, self.theta.tolist(), strict=True))

    @cached_property
    def model(self) -> Module:
        """The model, rebuilt from nn's own modules and functions of ``autograd.math``. CheckpointError if it had any others.

        In that case make the model as your program did, and then load its parameters:
        ``model.load_state_dict(checkpoint.state_dict)``.
        """
        way_out = "make it as your program did, and then: model.load_state_dict(checkpoint.state_dict)"
        if self.architecture is None:
            msg = f"nn cannot rebuild this model, because some modules, functions or attributes in it are not nn's: {way_out}"
            raise CheckpointError(msg)
        try:
            model = build(self.architecture)
        except Exception as error:
            msg = f"nn cannot rebuild a model from {shown(self.architecture)}: {way_out}"
            raise CheckpointError(msg) from error
        if list(model.state_dict()) != self.names:
            msg = f"nn cannot rebuild this model, because some of its parameters are shared, constant or added: {way_out}"
            raise CheckpointError(msg)
        model.load_state_dict(self.state_dict)
        return model

    @cached_property
    def optimizer(self) -> BaseOptimizer | None:
        """The optimizer of ``model``, with its settings and state; None if no optimizer was saved.

        Raises CheckpointError if the class of the model or of the optimizer is your own. In that case make the optimizer as
        your program did, and then load its state: ``optimizer.load_state_dict(checkpoint.optimizer_state["state"])``.
        """
        if self.optimizer_state is None:
            return None
        name, module, places, state = (self.optimizer_state[key] for key in ("class", "module", "places", "state"))
        parameters = self.model.parameters()
        way_out = "make it as your program did, and then: optimizer.load_state_dict(checkpoint.optimizer_state['state'])"
        if module != optim.__name__ or (places < 0).any():
            msg = f"nn cannot rebuild {name}, because it is not nn's or moves parameters that are not the model's: {way_out}"
            raise CheckpointError(msg)
        try:
            optimizer: BaseOptimizer = getattr(optim, name)([parameters[k] for k in places])
            optimizer.load_state_dict(state)
        except Exception as error:
            msg = f"nn cannot rebuild {name}: {way_out}"
            raise CheckpointError(msg) from error
        return optimizer


def _state_of(optimizer: BaseOptimizer, parameters: list[Value]) -> dict[str, Any]:
    """Return what a checkpoint keeps of the optimizer of a model with these ``parameters``."""
    place_of = {parameter: k for k, parameter in enumerate(parameters)}
    places = np.array([place_of.get(parameter, -1) for parameter in optimizer.parameters])
    kind = type(optimizer)
    return {"class": kind.__name__, "module": kind.__module__, "places": places, "state": optimizer.state_dict()}


def _checkpoint(header: dict[str, Any], parts: Parts) -> Checkpoint:
    """Return the checkpoint in a file's header and arrays."""
    parameters = tuple((stem, tuple(shape)) for stem, shape in header["parameters"])
    theta = parts["theta"]
    if theta.shape != (_count(parameters),) or theta.dtype != np.float64:
        msg = f"its theta has the shape {theta.shape} and dtype {theta.dtype}"
        raise CheckpointError(msg)
    architecture, optimizer, extra = (decode(header[key], parts) for key in ("architecture", "optimizer", "extra"))
    return Checkpoint(architecture, parameters, theta, optimizer, extra)


def _count(parameters: tuple[tuple[str, tuple[int, ...]], ...]) -> int:
    return sum(math.prod(shape) for _, shape in parameters)
