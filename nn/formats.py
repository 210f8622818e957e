"""The formats of checkpoints: a JSON header and arrays become one file, .npz or .safetensors, with a checksum over every byte.

An .npz is an archive that ``np.load`` reads, without pickle:

    header.npy    the JSON text, as bytes
    theta.npy     the numbers of all parameters
    array/0.npy   the arrays to which the header refers by number
    comment       the mark, and the checksum of all bytes other than its own

A .safetensors has a tensor for each group of parameters, such as ``layers.0.neurons.0.w`` of shape (2,). The bytes of each
array's .npy file are another tensor. Its metadata is one text: the mark, the checksum, and the JSON text of the header.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

Parts = dict[str, NDArray[Any]]
"""The arrays in a file: "theta", "array/0", "array/1", ..."""

MARK = b"scalar-autograd checkpoint, SHA-256 "
"""What stands before the checksum."""
_DIGITS = 64
_BLANK = b"0" * _DIGITS
"""What stands in the place of the checksum until it is computed."""


def pack(path: Path, header: dict[str, Any], parts: Parts) -> bytes:
    """Return the contents of the file: of a .safetensors if the path ends so, and otherwise of an .npz."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False)
    return _to_safetensors(text, header, parts) if path.suffix == ".safetensors" else _to_npz(text, parts)


def unpack(data: bytes) -> tuple[dict[str, Any], Parts]:
    """Return the header and the arrays in the contents of a file, whatever the file is called.

    Raises CheckpointError if a byte differs from what was written.
    """
    return _from_npz(data) if data.startswith(b"PK\x03\x04") else _from_safetensors(data)


# The checksum


def sealed(data: bytes, at: int) -> bytes:
    """Return ``data`` with the checksum of all other bytes in place of those from ``at`` on."""
    rest = data[:at], data[at + _DIGITS :]
    return hashlib.sha256(b"".join(rest)).hexdigest().encode().join(rest)


def _check_seal(data: bytes, at: int) -> None:
    """Raise CheckpointError unless the mark stands before ``at``, and the right checksum from there on."""
    if not data:
        msg = "the file is empty"
        raise CheckpointError(msg)
    if at < len(MARK) or data[at - len(MARK) : at] != MARK:
        msg = "nn.save did not write this file, or it was damaged or cut short"
        raise CheckpointError(msg)
    if sealed(data, at) != data:
        msg = "the file is damaged: its checksum does not match its contents"
        raise CheckpointError(msg)


# .npz


def _to_npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def _from_npy(data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def _to_npz(text: str, parts: Parts) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in {"header": np.frombuffer(text.encode(), np.uint8), **parts}.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that the same contents are the same bytes
            member.create_system, member.external_attr = 3, 0o644 << 16  # as on Unix, on all systems
            archive.writestr(member, _to_npy(array))
        archive.comment = MARK + _BLANK
    data = file.getvalue()
    return sealed(data, len(data) - _DIGITS)


def _from_npz(data: bytes) -> tuple[dict[str, Any], Parts]:
    _check_seal(data, len(data) - _DIGITS)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name.removesuffix(".npy"): _from_npy(archive.read(name)) for name in archive.namelist()}
    return json.loads(parts.pop("header").tobytes()), parts


# .safetensors


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy  # noqa: PLC0415 - an extra
    except ImportError:
        msg = 'files that end in .safetensors need another package: python -m pip install "scalar-autograd[safetensors]"'
        raise ImportError(msg) from None
    return safetensors.numpy


def _to_safetensors(text: str, header: dict[str, Any], parts: Parts) -> bytes:
    # theta is contiguous, and so are its pieces: safetensors 0.8.0 writes wrong numbers for strided arrays
    stems, shapes = zip(*header["parameters"], strict=True) if header["parameters"] else ((), ())
    pieces = np.split(parts["theta"], np.cumsum([math.prod(shape) for shape in shapes], dtype=int)[:-1])
    tensors = {stem: piece.reshape(shape) for stem, shape, piece in zip(stems, shapes, pieces, strict=False)}
    tensors |= {name: np.frombuffer(_to_npy(array), np.uint8) for name, array in parts.items() if name != "theta"}
    metadata = {"checkpoint": MARK.decode() + _BLANK.decode() + text}  # one entry, because several have no fixed order
    data: bytes = _safetensors().save(tensors, metadata)
    return sealed(data, data.index(MARK) + len(MARK))


def _from_safetensors(data: bytes) -> tuple[dict[str, Any], Parts]:
    _check_seal(data, data.find(MARK) + len(MARK))
    tensors = _safetensors().load(data)
    size = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + size])["__metadata__"]["checkpoint"]
    header = json.loads(text[len(MARK) + _DIGITS :])
    parts = {name: _from_npy(tensor.tobytes()) for name, tensor in tensors.items() if name.startswith("array/")}
    pieces = [tensors[stem].ravel() for stem, _ in header["parameters"]]
    return header, {"theta": np.concatenate([*pieces, np.empty(0)]), **parts}
