"""Checkpoints: a model, its optimizer and whatever else, in one file that is whole or refused."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import re
import struct
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import autograd
from autograd import files
from nn import optim
from nn.errors import CheckpointError, shown
from nn.layers import build
from nn.module import Module
from nn.optim import BaseOptimizer

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from autograd import Value

Array = NDArray[np.float64]
Parts = dict[str, NDArray[Any]]

_FORMAT = 1
"""The version of the format. A file of a higher one is refused."""
_MARK = b"scalar-autograd checkpoint, SHA-256 "
"""Before the checksum of all the rest of a file: at the end of an .npz, in the header of a .safetensors."""
_DIGITS = 64
_DEPTH = 100
"""How deep ``extra`` may be nested; what contains itself is deeper."""


def save(path: str | os.PathLike[str], model: Module, /, optimizer: BaseOptimizer | None = None, **extra: Any) -> Path:
    """Write the model's architecture and parameters, the optimizer's settings and state, and ``extra``; return the path.

    The path is taken as it is. One that ends in ``.safetensors`` gets that format (extra ``[safetensors]``), any other the
    format of ``np.load``. ``extra`` may hold numbers, strings, booleans, None, NumPy arrays and scalars, and lists, tuples
    and dicts of these, and comes back to the bit and with the same types; a TypeError names the place of anything else.
    Nothing is pickled.

    The file is replaced at once: whatever happens, there is the old one or the new one. A link remains a link, and a file's
    permissions remain. A process that is killed while saving may leave a file ``.scalar-autograd-*.tmp``, which can be removed.

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
    """What ``save`` wrote there: its ``.model``, ``.optimizer`` and ``.extra``.

    Each byte is checked: CheckpointError if a single one is not as it was written, and also if the file is of a newer version.
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
    read = _from_npz if data.startswith(b"PK\x03\x04") else _from_safetensors  # whatever the file is called
    try:
        header, parts = read(data)
        if header["format"] > _FORMAT:
            msg = (
                f"it was written by scalar-autograd {header['library']}, in a newer format than this version can read: "
                "python -m pip install --upgrade scalar-autograd"
            )
            raise CheckpointError(msg)  # noqa: TRY301 - the path is added below, as to all others
        return _checkpoint(header, parts)
    except ImportError:
        raise
    except CheckpointError as error:
        msg = f"{path}: {error}"
        raise CheckpointError(msg) from None
    except Exception as error:  # the checksum is right: somebody made such a file, and may have put anything there
        msg = f"{path}: it is no checkpoint that nn.save wrote ({type(error).__name__}: {error})"
        raise CheckpointError(msg) from error


def as_path(path: str | os.PathLike[str], name: str) -> Path:
    """``path``, if it is one; TypeError if not."""
    try:
        return Path(path)
    except TypeError:
        msg = f"{name} must be the path of a file, a str or a pathlib.Path, not {type(path).__name__} {shown(path)}"
        raise TypeError(msg) from None


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint:
    """What a file holds, as plain data; and what can be made of that: ``model``, ``optimizer``, ``state_dict``."""

    architecture: Any
    """What ``model.architecture()`` said: how to make the model; None if only the user's program knows."""
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    """Names and shapes: ("layers.0.neurons.0.w", (2,)) are the parameters w[0] and w[1] of that neuron."""
    theta: Array
    """The numbers of all parameters, in the order of ``model.parameters()``."""
    optimizer_state: dict[str, Any] | None
    """``class`` and ``module``, their names; ``state``, its ``state_dict()``; ``places``, those of its parameters among the
    model's, -1 for one that is not there."""
    extra: dict[str, Any]
    """What else was saved."""

    @classmethod
    def of(cls, model: Module, optimizer: BaseOptimizer | None, extra: dict[str, Any]) -> Checkpoint:
        """The checkpoint of a model as it now is."""
        if not isinstance(model, Module):
            msg = f"a checkpoint is of an nn.Module, not {type(model).__name__} {shown(model)}"
            raise TypeError(msg)
        if not isinstance(optimizer, BaseOptimizer | None):
            msg = f"optimizer must be an nn.Optimizer or None, not {shown(optimizer)}; name what else to save, as epoch=3"
            raise TypeError(msg)
        named = [*model.named_parameters()]
        groups = tuple(_grouped([name for name, _ in named]))
        if len({stem for stem, _ in groups}) < len(groups):
            msg = f"two parameters of this {type(model).__name__} have the same name: rename an attribute"
            raise ValueError(msg)
        theta = np.array([parameter.data for _, parameter in named], dtype=np.float64)
        state = None if optimizer is None else _state_of(optimizer, [parameter for _, parameter in named])
        return cls(model.architecture(), groups, theta, state, extra)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, as ``save`` does."""
        path = Path(path)
        arrays: list[NDArray[Any]] = []
        header = {
            "format": _FORMAT,
            "library": autograd.__version__,
            "architecture": _encode(self.architecture, "architecture", arrays),
            "parameters": self.parameters,
            "optimizer": _encode(self.optimizer_state, "optimizer", arrays),
            "extra": _encode(self.extra, "extra", arrays),
        }
        text = json.dumps(header, separators=(",", ":"), allow_nan=False)
        theta = np.ascontiguousarray(self.theta, dtype=np.float64)
        if theta.shape != (expected := sum(math.prod(shape) for _, shape in self.parameters),):
            msg = f"theta must have the shape ({expected},), the number of parameters, not {theta.shape}"
            raise ValueError(msg)
        if _is_safetensors(path):
            files.write(path, _to_safetensors(text, self.parameters, theta, arrays))
        else:
            files.write(path, _to_npz(text, theta, arrays))
        return path

    def __repr__(self) -> str:
        optimizer = self.optimizer_state and self.optimizer_state["class"]
        return f"Checkpoint({len(self.theta):,} parameters, optimizer: {optimizer}, extra: {[*self.extra]})"

    @property
    def names(self) -> list[str]:
        """The names of all parameters."""
        return [name for stem, shape in self.parameters for name in _expanded(stem, shape)]

    @property
    def state_dict(self) -> dict[str, float]:
        """The numbers of all parameters, by name, for ``model.load_state_dict``."""
        return dict(zip(self.names, self.theta.tolist(), strict=True))

    @cached_property
    def model(self) -> Module:
        """The model, made of nn's own modules and of functions in ``autograd.math``; CheckpointError if it had others.

        Then make it as it was made before, and load its parameters: ``model.load_state_dict(checkpoint.state_dict)``.
        """
        way_out = "make it as your program did, and then: model.load_state_dict(checkpoint.state_dict)"
        if self.architecture is None:
            msg = f"nn cannot rebuild this model, which has modules, functions or attributes that are not nn's: {way_out}"
            raise CheckpointError(msg)
        try:
            model = build(self.architecture)
        except Exception as error:
            msg = f"nn cannot rebuild a model from {shown(self.architecture)}: {way_out}"
            raise CheckpointError(msg) from error
        parameters = dict(model.named_parameters())
        if list(parameters) != self.names:
            msg = f"nn cannot rebuild this model, as some of its parameters are shared, constant or added: {way_out}"
            raise CheckpointError(msg)
        for parameter, number in zip(parameters.values(), self.theta.tolist(), strict=True):
            parameter.data = number
        return model

    @cached_property
    def optimizer(self) -> BaseOptimizer | None:
        """The optimizer of ``model``, with its settings and state; None if none was saved.

        CheckpointError if the model or the optimizer is of a class of yours. Then make it as it was made before, and load its
        state: ``optimizer.load_state_dict(checkpoint.optimizer_state["state"])``.
        """
        if self.optimizer_state is None:
            return None
        name, module, places, state = (self.optimizer_state[key] for key in ("class", "module", "places", "state"))
        parameters = self.model.parameters()
        way_out = "make it as your program did, and then: optimizer.load_state_dict(checkpoint.optimizer_state['state'])"
        if module != optim.__name__ or (places < 0).any():
            msg = f"nn cannot rebuild {name}, which is not nn's or moves parameters that are not the model's: {way_out}"
            raise CheckpointError(msg)
        try:
            optimizer: BaseOptimizer = getattr(optim, name)([parameters[k] for k in places])
            optimizer.load_state_dict(state)
        except Exception as error:
            msg = f"nn cannot rebuild {name}: {way_out}"
            raise CheckpointError(msg) from error
        return optimizer


def _state_of(optimizer: BaseOptimizer, parameters: list[Value]) -> dict[str, Any]:
    """What to keep of the optimizer of a model with these ``parameters``."""
    place_of = {parameter: k for k, parameter in enumerate(parameters)}
    places = np.array([place_of.get(parameter, -1) for parameter in optimizer.parameters])
    kind = type(optimizer)
    return {"class": kind.__name__, "module": kind.__module__, "places": places, "state": optimizer.state_dict()}


# The names of parameters


def _grouped(names: Sequence[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The names with those of a list together: w[0], w[1] as ("w", (2,)); where indices are missing each name by itself."""
    for stem, run in itertools.groupby(names, key=lambda name: name.partition("[")[0]):
        found = [*run]
        shape = tuple(int(index) + 1 for index in re.findall(r"\[(\d+)\]", found[-1]))
        if found == _expanded(stem, shape):
            yield stem, shape
        else:
            yield from ((name, ()) for name in found)


def _expanded(stem: str, shape: Sequence[int]) -> list[str]:
    """The names in a group."""
    return [stem + "".join(f"[{k}]" for k in index) for index in itertools.product(*map(range, shape))]


# Plain data as JSON and arrays


def _encode(x: Any, place: str, arrays: list[NDArray[Any]], depth: int = 0) -> Any:  # noqa: C901 - a branch a type
    """``x`` as JSON, in which an object whose one key begins with a $ is what JSON has not; arrays go to ``arrays``."""
    if depth > _DEPTH:
        msg = f"{place[:60]}... is nested more than {_DEPTH} deep, or contains itself"
        raise ValueError(msg)

    def inside(item: Any, key: Any) -> Any:
        return _encode(item, f"{place}[{key!r}]", arrays, depth + 1)

    kind, out = type(x), x
    if kind is int and abs(x) >= 2**53:  # other programs read numbers in JSON as floats
        out = {"$int": hex(x)}
    elif kind is float and not math.isfinite(x):
        out = {"$float": struct.pack(">d", x).hex()}
    elif kind is complex:
        out = {"$complex": [inside(x.real, "real"), inside(x.imag, "imag")]}
    elif kind is list:
        out = [inside(item, k) for k, item in enumerate(x)]
    elif kind is tuple:
        out = {"$tuple": [inside(item, k) for k, item in enumerate(x)]}
    elif kind is dict:
        if all(type(key) is str and not key.startswith("$") for key in x):
            out = {key: inside(item, key) for key, item in x.items()}
        else:
            out = {"$dict": [[inside(key, key), inside(item, key)] for key, item in x.items()]}
    elif kind is np.ndarray or isinstance(x, np.generic):
        _check_array(x, place)
        out = {"$array" if kind is np.ndarray else "$scalar": len(arrays)}
        arrays.append(np.asarray(x))
    elif x is not None and kind not in (bool, int, float, str):
        msg = (
            f"{place} is {_a(kind.__name__)}, which cannot be saved: make it of numbers, strings, booleans, None, arrays, and "
            "lists, tuples and dicts of these"
        )
        raise TypeError(msg)
    return out


def _check_array(x: NDArray[Any] | np.generic, place: str) -> None:
    if x.dtype.kind not in "biufcSUMm" or np.dtype(x.dtype.str) != x.dtype:
        way_out = "convert it to a dtype of numbers or strings" if x.dtype.names is None else "save a dict of its fields"
        msg = f"{place} is an array of dtype {x.dtype}, which cannot be saved: {way_out}"
        raise TypeError(msg)


def _decode(x: Any, parts: Parts) -> Any:
    """What ``_encode`` made ``x`` of."""
    if isinstance(x, list):
        return [_decode(item, parts) for item in x]
    if not isinstance(x, dict):
        return x
    if len(x) != 1 or not (tag := next(iter(x))).startswith("$"):
        return {key: _decode(item, parts) for key, item in x.items()}
    return _TAGS[tag](_decode(x[tag], parts), parts)


_TAGS: dict[str, Any] = {
    "$int": lambda text, _: int(text, 16),
    "$float": lambda text, _: struct.unpack(">d", bytes.fromhex(text))[0],
    "$complex": lambda pair, _: complex(*pair),
    "$tuple": lambda items, _: tuple(items),
    "$dict": lambda pairs, _: dict(pairs),
    "$array": lambda k, parts: parts[f"array/{k}"],
    "$scalar": lambda k, parts: parts[f"array/{k}"][()],
}


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _checkpoint(header: dict[str, Any], parts: Parts) -> Checkpoint:
    """The checkpoint that a file's header and arrays are of."""
    parameters = tuple((stem, tuple(shape)) for stem, shape in header["parameters"])
    theta = parts["theta"]
    if theta.shape != (sum(math.prod(shape) for _, shape in parameters),) or theta.dtype != np.float64:
        msg = f"its theta has the shape {theta.shape} and dtype {theta.dtype}"
        raise CheckpointError(msg)
    architecture, optimizer, extra = (_decode(header[key], parts) for key in ("architecture", "optimizer", "extra"))
    return Checkpoint(architecture, parameters, theta, optimizer, extra)


# The formats


def _sealed(data: bytes, at: int) -> bytes:
    """``data`` with the checksum of all the rest in its place, from ``at`` on."""
    rest = data[:at], data[at + _DIGITS :]
    return hashlib.sha256(b"".join(rest)).hexdigest().encode().join(rest)


def _check_seal(data: bytes, at: int) -> None:
    """Raise unless ``data`` has its own checksum at ``at``, after the mark."""
    if not data:
        msg = "the file is empty"
        raise CheckpointError(msg)
    if at < len(_MARK) or data[at - len(_MARK) : at] != _MARK:
        msg = "it is no checkpoint that nn.save wrote, or it was damaged or cut short"
        raise CheckpointError(msg)
    if _sealed(data, at) != data:
        msg = "the file is damaged: its checksum is not that of its contents"
        raise CheckpointError(msg)


def _to_npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def _from_npy(data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def _to_npz(text: str, theta: Array, arrays: list[NDArray[Any]]) -> bytes:
    """A zip archive of .npy files, the first of which is the header as bytes; its comment ends with the checksum."""
    parts: Parts = {"header": np.frombuffer(text.encode(), np.uint8), "theta": theta}
    parts |= {f"array/{k}": array for k, array in enumerate(arrays)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in parts.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # of 1980: the same contents are the same bytes
            member.create_system, member.external_attr = 3, 0o644 << 16  # those of Unix, for all
            archive.writestr(member, _to_npy(array))
        archive.comment = _MARK + b"0" * _DIGITS
    data = file.getvalue()
    return _sealed(data, len(data) - _DIGITS)


def _from_npz(data: bytes) -> tuple[dict[str, Any], Parts]:
    _check_seal(data, len(data) - _DIGITS)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name.removesuffix(".npy"): _from_npy(archive.read(name)) for name in archive.namelist()}
    return json.loads(parts["header"].tobytes()), parts


def _is_safetensors(path: Path) -> bool:
    return path.suffix == ".safetensors"


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy  # noqa: PLC0415 - an extra
    except ImportError:
        msg = 'files that end in .safetensors need another package: python -m pip install "scalar-autograd[safetensors]"'
        raise ImportError(msg) from None
    return safetensors.numpy


def _to_safetensors(
    text: str, parameters: Sequence[tuple[str, tuple[int, ...]]], theta: Array, arrays: list[NDArray[Any]]
) -> bytes:
    """A tensor for each list of parameters; other arrays as .npy files, byte by byte. The checksum is before the header."""
    ends = np.cumsum([math.prod(shape) for _, shape in parameters], dtype=int).tolist()
    # theta is contiguous, and so are these: strided arrays are written wrongly by safetensors 0.8.0
    tensors = {
        stem: theta[end - math.prod(shape) : end].reshape(shape) for end, (stem, shape) in zip(ends, parameters, strict=True)
    }
    tensors |= {f"array/{k}": np.frombuffer(_to_npy(array), np.uint8) for k, array in enumerate(arrays)}
    metadata = {"checkpoint": _MARK.decode() + "0" * _DIGITS + text}  # one entry: several have no order
    data: bytes = _safetensors().save(tensors, metadata)
    return _sealed(data, data.index(_MARK) + len(_MARK))


def _from_safetensors(data: bytes) -> tuple[dict[str, Any], Parts]:
    _check_seal(data, data.find(_MARK) + len(_MARK))
    library = _safetensors()
    size = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + size])["__metadata__"]["checkpoint"]
    header = json.loads(text[len(_MARK) + _DIGITS :])
    tensors = library.load(data)
    parts = {name: _from_npy(tensor.tobytes()) for name, tensor in tensors.items() if name.startswith("array/")}
    return header, parts | {
        "theta": np.concatenate([tensors[stem].ravel() for stem, _ in header["parameters"]] or [np.empty(0)])
    }
