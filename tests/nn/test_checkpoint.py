from __future__ import annotations

import os
import pickle
import random
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from collections import OrderedDict, namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Value, math
from nn import MLP, SGD, Adam, Layer, Module, Neuron, Sequential, checkpoint, formats
from nn.checkpoint import Checkpoint, load, save
from nn.errors import CheckpointError
from nn.optim import LBFGS, AdamW, RMSprop

ROOT = Path(__file__).parents[2]
QUIET_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))[0]
SIGNALLING_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF0_0000_0000_0001))[0]
NUMBERS = [0.0, -0.0, 5e-324, -2.2e-308, 0.1, 1.7976931348623157e308, float("inf"), -float("inf"), QUIET_NAN, SIGNALLING_NAN]
"""Zeros, subnormals, the largest number, infinities, and NaNs that carry something."""

FORMATS = ["npz", "safetensors"]


@pytest.fixture(params=FORMATS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file to save to, in each format."""
    if request.param == "safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"model.{request.param}"


class Mine(Module):
    """A module of a user's, with parameters in matrices, one in a list with a gap, and one that is shared."""

    def __init__(self) -> None:
        self.table = [[Value(10.0 * i + j) for j in range(3)] for i in range(2)]
        self.ragged = [[Value(1.0)], [Value(2.0), Value(3.0)]]
        self.gap = [Value(4.0).detach(), Value(5.0)]
        self.layer = Layer(2, 2, rng=0)
        self.again = [self.table[0][0], Value(6.0)]
        self.alone = Value(7.0)


def bits(x: Any) -> Any:
    """What ``x`` is, to the last bit: types, dtypes, shapes, order in memory, bytes."""
    if isinstance(x, np.ndarray | np.generic):
        order = (x.flags.c_contiguous, x.flags.f_contiguous) if isinstance(x, np.ndarray) else None
        return type(x), x.dtype, x.shape, order, x.tobytes(order="A" if isinstance(x, np.ndarray) else None)
    if isinstance(x, float):
        return float, struct.pack("<d", x)
    if isinstance(x, complex):
        return complex, struct.pack("<dd", x.real, x.imag)
    if isinstance(x, list | tuple):
        return type(x), [bits(item) for item in x]
    if isinstance(x, dict):
        return dict, [(bits(key), bits(item)) for key, item in x.items()]
    return type(x), x


def returned(path: Path, x: Any) -> Any:
    """``x``, saved and loaded."""
    return load(save(path, Neuron(1, rng=0), x=x)).extra["x"]


def data_of(model: Module) -> list[bytes]:
    return [struct.pack("<d", parameter.data) for parameter in model.parameters()]


# What comes back


def test_parameters_come_back_to_the_bit(path: Path) -> None:
    """Law 11: -0.0, subnormals, the payloads of NaNs."""
    model = Neuron(len(NUMBERS) - 1, rng=0)
    for parameter, number in zip(model.parameters(), NUMBERS, strict=True):
        parameter.data = number
    loaded = load(save(path, model))
    assert data_of(loaded.model) == data_of(model)
    assert [struct.pack("<d", x) for x in loaded.state_dict.values()] == data_of(model)
    assert loaded.theta.tobytes() == b"".join(data_of(model))


FORTRAN = np.asfortranarray(np.arange(12.0).reshape(3, 4))
EXTRA: dict[str, Any] = {
    "floats": NUMBERS,
    "payloads": np.array(NUMBERS),
    "halves": np.array([1e-7, np.nan, -0.0], np.float16),
    "long": np.array([1, -0.0], np.longdouble) / 3,
    "big_endian": np.arange(3.0).astype(">f8"),
    "fortran": FORTRAN,
    "fortran_complex": FORTRAN.astype(complex) * (1 + 1j),
    "no_dimensions": np.array(-0.0),
    "nothing": np.empty((0, 3), np.int8),
    "strings": np.array(["ä", "", "漢字"]),
    "bytes": np.array([b"\x00\xff", b"a"]),
    "days": np.array(["2026-02-01", "NaT"], "datetime64[D]"),
    "truths": np.array([[True, False]]),
    "scalars": [
        np.float64(-0.0),
        np.float32(0.1),
        np.int64(-3),
        np.bool_(True),
        np.str_("x"),
        np.complex64(1j),
        np.datetime64("NaT", "s"),
    ],
    "complex": [complex(-0.0, SIGNALLING_NAN), complex(float("inf"), -0.0)],
    "ints": [0, -1, 2**53 - 1, 2**53, -(2**127) - 1, 10**5000],
    "truth": [True, False, None],
    "text": ["", "\x00", '"\\', "漢字 \U0001f600", "\ud800", "$tuple", "SHA-256 " + "0" * 64],
    "tuples": ((), (1,), ([2], (3.0,)), {"a": (4,)}),
    "dicts": {"": {}, 1: "one", (2, "b"): [3], None: 0.0, -0.0: 1},
    "tags": [{"$tuple": [1]}, {"$": 1}, {"$array": 0, "b": 1}, {"$array": 0}],
    "generator": np.random.default_rng(1).bit_generator.state,
    "random": random.Random(1).getstate(),
}


@pytest.mark.parametrize("name", EXTRA)
def test_extra_comes_back_to_the_bit_with_its_types(path: Path, name: str) -> None:
    """Order in memory, byte order and shapes of arrays included; tuples are tuples, scalars of NumPy are scalars of NumPy."""
    assert bits(returned(path, EXTRA[name])) == bits(EXTRA[name])


def test_all_of_it_together(path: Path) -> None:
    assert bits(load(save(path, Neuron(1, rng=0), **EXTRA)).extra) == bits(EXTRA)


def test_strided_arrays_come_back_with_their_numbers(path: Path) -> None:
    """Of such arrays safetensors 0.8.0 writes the memory, with other numbers in between."""
    strided = np.arange(24.0).reshape(4, 6)[::2, ::-3]
    assert np.array_equal(returned(path, strided), strided)
    model = Neuron(3, rng=0)
    theta = np.arange(8.0)[::-2]
    replace(Checkpoint.of(model, None, {}), theta=theta).write(path)
    assert load(path).theta.tolist() == [7.0, 5.0, 3.0, 1.0]


def test_an_array_that_was_loaded_can_be_written_to(path: Path) -> None:
    loaded = load(save(path, Neuron(1, rng=0), x=np.zeros(2)))
    loaded.extra["x"][0] = loaded.theta[0] = 1.0


def test_names_that_are_also_those_of_arguments_can_be_saved(path: Path) -> None:
    assert load(save(path, Neuron(1, rng=0), path=1, model=2)).extra == {"path": 1, "model": 2}


# What cannot be saved


Point = namedtuple("Point", "x y")  # noqa: PYI024 - what users have


@pytest.mark.parametrize(
    ("x", "place"),
    [
        (np.array([None]), r"extra\['x'\] is an array of dtype object"),
        (np.zeros(2, [("a", float)]), r"extra\['x'\] is an array of dtype .*save a dict of its fields"),
        ({"history": [1, 2, 3, object()]}, r"extra\['x'\]\['history'\]\[3\] is an object"),
        ((1, {2: {3}}), r"extra\['x'\]\[1\]\[2\] is a set"),
        ({(1, b"x"): 1}, r"extra\['x'\]\[\(1, b'x'\)\]\[1\] is a bytes"),
        (Point(1, 2), r"extra\['x'\] is a Point"),
        (OrderedDict(a=1), r"extra\['x'\] is an OrderedDict"),
        (np.ma.masked_array([1.0], [True]), r"extra\['x'\] is a MaskedArray"),
        (Value(1.0), r"extra\['x'\] is a Value"),
        (signal.SIGINT, r"extra\['x'\] is a Signals"),
        (np.void(b"x"), r"extra\['x'\] is an array of dtype"),
    ],
)
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(path: Path, x: object, place: str) -> None:
    """TypeError with the place; nothing is pickled, and nothing comes back as something else."""
    save(path, Neuron(1, rng=0), old=True)
    with pytest.raises(TypeError, match=place):
        save(path, Neuron(1, rng=0), x=x)
    assert load(path).extra == {"old": True}


def test_what_contains_itself_is_refused(path: Path) -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match=r"extra\['x'\]\[0\]\[0\].* is nested more than 100 levels deep, or contains itself"):
        save(path, Neuron(1, rng=0), x=circle)
    deep: Any = 1.0
    for _ in range(95):
        deep = (deep,)
    assert returned(path, deep) == deep


def test_mistakes_are_named(path: Path) -> None:
    model = Neuron(1, rng=0)
    with pytest.raises(TypeError, match="a checkpoint holds an nn.Module, not str"):
        save(path, "model.npz")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="optimizer must be an nn.BaseOptimizer or None, not 3"):
        save(path, model, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"theta must have the shape \(2,\), one number for each parameter, not \(3,\)"):
        replace(Checkpoint.of(model, None, {}), theta=np.zeros(3)).write(path)
    model.__dict__["w[0]"] = Value(1.0)
    model.w.append(Value(2.0).detach())
    with pytest.raises(ValueError, match="two parameters of this Neuron have the same name"):
        save(path, model)
    assert not path.exists()


# Models


TIED = Layer(2, 2, rng=1)


@pytest.mark.parametrize(
    "model",
    [
        Neuron(3, "tanh", rng=0),
        Layer(3, 2, "sigmoid", rng=0),
        MLP(2, [3, 4, 1], "softplus", rng=0),
        MLP(2, [1], "tanh", rng=0),
        Sequential(Layer(2, 3, "tanh", rng=0), Sequential(MLP(3, [2, 2], rng=1)), math.softmax),
        Sequential(TIED, Layer(2, 2, rng=2), TIED, math.logsumexp, Value.sin, Value.__neg__),
        Sequential(),
    ],
    ids=repr,
)
def test_models_of_nn_are_rebuilt(path: Path, model: Module) -> None:
    """With their activations, functions and shared modules: the same names, the same outputs, parameters of their own."""
    rebuilt = load(save(path, model)).model
    assert repr(rebuilt) == repr(model)
    assert rebuilt.state_dict() == model.state_dict()
    assert [p.label for p in rebuilt.parameters()] == [p.label for p in model.parameters()]
    assert not set(rebuilt.parameters()) & set(model.parameters())
    if model.parameters():
        x = [0.3, -0.2, 0.5] if "(3, " in model.summary() else [0.3, -0.2]
        assert repr(rebuilt(x)) == repr(model(x))
    assert len({id(module) for _, module in rebuilt.children()}) == len({id(module) for _, module in model.children()})


def changed(change: str) -> Module:
    model = MLP(2, [2, 2, 1], rng=0)
    exec(change, {"model": model, "Value": Value, "Layer": Layer})  # noqa: S102 - the texts are below
    return model


class Renamed(MLP):
    """A subclass, which may compute anything."""


@pytest.mark.parametrize(
    "model",
    [
        Mine(),
        Renamed(2, [1], rng=0),
        Sequential(Layer(2, 2, rng=0), Mine()),
        Sequential(Neuron(2, rng=0), lambda x: x),
        changed("model.layers[0].neurons[1].activation = 'tanh'"),
        changed("model.layers[0] = Layer(2, 2, 'tanh', rng=0)"),
        changed("model.layers.append(Layer(1, 1, rng=0))"),
        changed("model.layers[1].neurons.pop()"),
        changed("model.activation = 'tanh'"),
        changed("model.scale = Value(1.0)"),
        changed("model.layers[0].neurons[0].scale = 2.0"),
        changed("model.forward = len"),
        changed("model.layers[0].neurons[0].w[0] = model.layers[0].neurons[1].w[0]"),
        changed("model.layers[0].neurons[0].w[0] = Value(1.0).detach()"),
        changed("model.layers[2] = Layer(2, 1, 'relu', rng=0)"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_that_nn_cannot_rebuild_say_how_to_load_them(path: Path, model: Module) -> None:
    """Never another model in silence; and the way out is one."""
    loaded = load(save(path, model))
    with pytest.raises(CheckpointError, match=r"model\.load_state_dict\(checkpoint\.state_dict\)$"):
        _ = loaded.model
    expected = model.state_dict()
    for parameter in model.parameters():
        parameter.data = 0.25
    model.load_state_dict(loaded.state_dict)
    assert model.state_dict() == expected


def test_names_are_kept_in_groups_and_come_back_one_by_one(path: Path) -> None:
    model = Mine()
    loaded = load(save(path, model))
    assert loaded.names == list(model.state_dict())
    assert loaded.parameters[0] == ("table", (2, 3))
    assert [stem for stem, _ in loaded.parameters[1:5]] == ["ragged[0][0]", "ragged[1][0]", "ragged[1][1]", "gap[1]"]
    assert loaded.parameters[-2:] == (("again[1]", ()), ("alone", ()))


def test_an_architecture_that_nobody_knows_is_a_checkpoint_error(path: Path) -> None:
    class Unknown(Neuron):
        def architecture(self) -> Any:
            return {"type": "Unknown", "size": (3, 4)}

    loaded = load(save(path, Unknown(2, rng=0)))
    assert loaded.architecture == {"type": "Unknown", "size": (3, 4)}
    with pytest.raises(CheckpointError, match="nn cannot rebuild a model from .*'Unknown'"):
        _ = loaded.model


# Optimizers


def trained(optimizer: nn.BaseOptimizer, steps: int = 3) -> nn.BaseOptimizer:
    for _ in range(steps):
        for k, parameter in enumerate(optimizer.parameters):
            parameter.zero_grad()
            parameter.grad += (k + 1) * parameter.data + 0.1
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("chosen", [slice(None), slice(1, 4), slice(None, None, -2)])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Adam, {"betas": (0.5, 0.75)}),
        (AdamW, {"weight_decay": 0.5}),
        (RMSprop, {"momentum": 0.5, "centered": True}),
        (SGD, {"momentum": 0.5, "nesterov": True, "clip_grad_norm": 0.25}),
    ],
)
def test_optimizers_go_on_to_the_bit_with_the_parameters_they_had(path: Path, kind: Any, settings: Any, chosen: slice) -> None:
    """Also over some of the parameters, in an order of their own: the others stay frozen."""
    model = MLP(2, [2, 1], rng=0)
    optimizer = trained(kind(model.parameters()[chosen], lr=0.125, **settings))
    loaded = load(save(path, model, optimizer))
    rebuilt = loaded.optimizer
    assert rebuilt is not None
    assert rebuilt is loaded.optimizer
    assert type(rebuilt) is kind
    assert bits(rebuilt.state_dict()) == bits(optimizer.state_dict())
    assert rebuilt.parameters == loaded.model.parameters()[chosen]
    trained(optimizer)
    trained(rebuilt)
    assert data_of(loaded.model) == data_of(model)


def test_the_settings_of_lbfgs_come_back(path: Path) -> None:
    """It keeps nothing from step to step."""
    model = Neuron(2, rng=0)
    rebuilt = load(save(path, model, LBFGS(model.parameters(), max_iter=7))).optimizer
    assert isinstance(rebuilt, LBFGS)
    assert (rebuilt.max_iter, rebuilt.max_eval) == (7, LBFGS(model.parameters(), max_iter=7).max_eval)


def test_without_an_optimizer_there_is_none(path: Path) -> None:
    assert load(save(path, Neuron(1, rng=0))).optimizer is None


class Own(SGD):
    """An optimizer of a user's."""


def test_optimizers_that_nn_cannot_rebuild_say_how_to_load_them(path: Path) -> None:
    """Of a class of the user's; with parameters that are not the model's; with a state that is not that of the class."""
    model = Neuron(2, rng=0)
    other = Value(1.0)
    for optimizer in (Own(model.parameters(), momentum=0.5), SGD([*model.parameters(), other], momentum=0.5)):
        trained(optimizer)
        loaded = load(save(path, model, optimizer))
        with pytest.raises(CheckpointError, match=r"optimizer\.load_state_dict\(checkpoint\.optimizer_state\['state'\]\)$"):
            _ = loaded.optimizer
        assert loaded.optimizer_state is not None
        again = type(optimizer)(optimizer.parameters)
        again.load_state_dict(loaded.optimizer_state["state"])
        assert bits(again.state_dict()) == bits(optimizer.state_dict())
    of = Checkpoint.of(model, SGD(model.parameters()), {})
    assert of.optimizer_state is not None
    with pytest.raises(CheckpointError, match="nn cannot rebuild SGD"):
        _ = replace(of, optimizer_state={**of.optimizer_state, "state": {}}).optimizer


def test_a_checkpoint_shows_what_it_holds() -> None:
    model = Neuron(2, rng=0)
    assert repr(Checkpoint.of(model, None, {})) == "Checkpoint(3 parameters, optimizer: None, extra: [])"
    expected = "Checkpoint(3 parameters, optimizer: SGD, extra: ['epoch'])"
    assert repr(Checkpoint.of(model, SGD(model.parameters()), {"epoch": 1})) == expected


# Files


def test_the_same_contents_are_the_same_bytes(path: Path) -> None:
    """Also in another process, with another seed of hashes."""
    script = (
        "import sys, nn; m = nn.MLP(2, [3, 1], rng=0); nn.save(sys.argv[1], m, nn.Adam(m.parameters()), b=(1,), a={'x': 2.5})"
    )
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=environment)
        found.add(path.read_bytes())
    assert len(found) == 1


def test_numpy_reads_the_npz(tmp_path: Path) -> None:
    """Other programs find the parameters as theta, without pickle."""
    model = MLP(2, [3, 1], rng=0)
    with np.load(save(tmp_path / "model.npz", model, extra=np.arange(3)), allow_pickle=False) as file:
        assert file.files == ["header", "theta", "array/0"]
        assert file["theta"].tolist() == list(model.state_dict().values())
        assert file["array/0"].tolist() == [0, 1, 2]


def test_safetensors_has_a_tensor_for_each_list_of_parameters(tmp_path: Path) -> None:
    """By their names, with their shapes, for other programs."""
    library = pytest.importorskip("safetensors.numpy")
    tensors = library.load_file(save(tmp_path / "model.safetensors", Mine()))
    assert tensors["table"].tolist() == [[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]
    assert tensors["layer.neurons.1.w"].shape == (2,)
    assert tensors["alone"].shape == ()
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(float)}


def test_a_module_without_parameters_can_be_saved(path: Path) -> None:
    assert load(save(path, Module(), x=1)).names == []


def test_the_path_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is appended, and what is returned is what was written."""
    monkeypatch.chdir(tmp_path)
    for name in ("model", "model.bin", "model.v1.5", ".hidden", "n" * 255):
        assert save(name, Neuron(1, rng=0)) == Path(name)
        assert len(load(name).theta) == 2
    assert {file.name for file in tmp_path.iterdir()} == {"model", "model.bin", "model.v1.5", ".hidden", "n" * 255}


def test_permissions_are_those_of_a_new_file_or_of_the_old_one(path: Path) -> None:
    """Not 0600, as of temporary files; and what was private stays so."""
    before = os.umask(0o027)
    try:
        save(path, Neuron(1, rng=0))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        save(path, Neuron(1, rng=0), again=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_link_stays_a_link(path: Path) -> None:
    target = path.with_name("target")
    path.symlink_to(target)
    save(path, Neuron(1, rng=0), x=1)
    assert path.is_symlink()
    assert target.is_file()
    assert load(path).extra == {"x": 1}


def test_errors_of_the_file_system_are_those_of_python(path: Path) -> None:
    """FileNotFoundError and IsADirectoryError, which name the path; no temporary file is left."""
    with pytest.raises(FileNotFoundError, match=path.name):
        load(path)
    with pytest.raises(FileNotFoundError, match="the directory to save to does not exist: .*nowhere"):
        save(path.parent / "nowhere" / path.name, Neuron(1, rng=0))
    path.mkdir()
    for attempt in (lambda: load(path), lambda: save(path, Neuron(1, rng=0))):
        with pytest.raises(IsADirectoryError):
            attempt()
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied"), KeyboardInterrupt()]
)
def test_a_save_that_fails_leaves_the_old_file_and_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    """At the last of the writing, or when the file is put in its place."""
    save(path, Neuron(1, rng=0), old=True)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise error

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(type(error)):
        save(path, Neuron(1, rng=0), old=False)
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def test_a_full_disk_leaves_the_old_file_and_no_other(path: Path) -> None:
    """A disk with no space for the last bytes, as far as a process can have one: a limit on the sizes of its files."""
    script = """
        import resource, signal, sys, numpy as np, nn
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        nn.save(sys.argv[1], nn.Neuron(1, rng=0), old=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            nn.save(sys.argv[1], nn.Neuron(1, rng=0), x=np.zeros(10_000))
        except OSError as error:
            print(error.strerror)
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)], check=True, env=environment, capture_output=True, text=True
    )
    assert result.stdout == "File too large\n"
    assert load(path).extra == {"old": True}
    assert [*path.parent.iterdir()] == [path]


def test_a_directory_that_cannot_be_synced_is_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows cannot open one."""

    def fail(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "open", fail)
    assert load(save(path, Neuron(1, rng=0))).names == ["w[0]", "b"]


# What is not as it was written


def full(path: Path, seed: int = 0) -> Path:
    model = MLP(3, [4, 2], rng=seed)
    optimizer = trained(Adam(model.parameters()))
    return save(path, model, optimizer, epoch=3, history=np.arange(20.0), tuple=(1, "two"), nested={"a": [1.5, None]})


def corrupted(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one change of some kind, at a random place."""
    at, size = rng.randrange(len(data)), rng.choice([1, 2, 8, 64, 512])
    head, block, rest, tail = data[:at], data[at : at + size], data[at + size :], data[at:]
    return rng.choice(
        [
            head + bytes([tail[0] ^ (1 << rng.randrange(8))]) + tail[1:],  # a flipped bit
            head,  # the end cut off
            head + rest,  # a block left out,
            head + rng.randbytes(size) + tail,  # inserted,
            head + rng.randbytes(len(block)) + rest,  # replaced,
            head + bytes(len(block)) + rest,  # zeroed,
            head + rest[:size] + block + rest[size:],  # swapped with the next,
            data + rng.choice([b"\0", b"\n", tail, block]),  # or appended
        ]
    )


def test_a_thousand_corruptions_are_all_found(path: Path) -> None:
    """Law 11: bits flipped; bytes cut off, left out, inserted, zeroed, swapped, appended, replaced."""
    data = full(path).read_bytes()
    rng = random.Random(11)
    count = 0
    while count < 1000:
        bad = corrupted(data, rng)
        if bad == data:
            continue
        path.write_bytes(bad)
        with pytest.raises(CheckpointError):
            load(path)
        count += 1


def test_every_bit_of_a_small_file_counts(path: Path) -> None:
    """In the checksum, the structure of the archive and the contents alike."""
    data = bytearray(save(path, Neuron(1, rng=0)).read_bytes())
    for at in range(len(data)):
        data[at] ^= 1 << at % 8
        path.write_bytes(data)
        with pytest.raises(CheckpointError):
            load(path)
        data[at] ^= 1 << at % 8


def test_other_files_are_said_to_be_none(path: Path) -> None:
    """Empty ones, archives of NumPy, text, and pickles, which are not unpickled."""
    for data in (b"", b"PK", b"PK\x03\x04", pickle.dumps(Explosive()), b"some text\n" * 100, bytes(10_000)):
        path.write_bytes(data)
        message = "nn.save did not write this file" if data else "the file is empty"
        with pytest.raises(CheckpointError, match=f"{path.name}: {message}"):
            load(path)
    with path.open("wb") as file:
        np.savez(file, theta=np.zeros(3))
    with pytest.raises(CheckpointError, match="nn.save did not write this file"):
        load(path)


def test_a_file_can_be_renamed(path: Path) -> None:
    """What format it is of stands in it."""
    renamed = path.with_name("renamed.npz" if path.suffix == ".safetensors" else "renamed.safetensors")
    save(path, Neuron(1, rng=0), x=1).rename(renamed)
    assert load(renamed).extra == {"x": 1}


class Explosive:
    def __reduce__(self) -> Any:
        return os.abort, ()


def forged(header: bytes, **arrays: Any) -> bytes:
    """A file with a right checksum, and anything in it."""
    members = {"header": np.frombuffer(header, np.uint8), **arrays}
    path = Path("forged.npz")
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in members.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(array))
        archive.comment = formats.MARK + b"0" * 64
    data = path.read_bytes()
    return formats.sealed(data, len(data) - 64)


ROOM = b'"architecture":null,"optimizer":null,"library":"0"'


@pytest.mark.parametrize(
    ("header", "theta", "message"),
    [
        (b"", [1.0], "nn.save did not write this file"),
        (b"[]", [1.0], "nn.save did not write this file"),
        (b"[" * 100_000, [1.0], "nn.save did not write this file"),
        (b'{"format":1,"parameters":[],"extra":{"$array":7},' + ROOM + b"}", [], "KeyError"),
        (b'{"format":1,"parameters":[],"extra":{"$eval":"1"},' + ROOM + b"}", [], "KeyError"),
        (b'{"format":1,"parameters":[["b",[2]]],"extra":{},' + ROOM + b"}", [1.0], r"its theta has the shape \(1,\)"),
        (b'{"format":1,"parameters":[["b",[1]]],"extra":{},' + ROOM + b"}", [1], "dtype int64"),
        (b'{"format":1,"parameters":[],"extra":{},' + ROOM + b"}", np.array([Explosive()]), "Object arrays cannot be loaded"),
    ],
)
def test_forged_files_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bytes, theta: Any, message: str
) -> None:
    """A right checksum in front of wrong contents: CheckpointError, and no code in them is run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.npz"
    path.write_bytes(forged(header, theta=theta))
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_a_newer_format_says_how_to_upgrade(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_FORMAT", 2)
        patch.setattr("autograd.__version__", "9.5")
        save(path, Neuron(1, rng=0))
        assert load(path).names == ["w[0]", "b"]
    with pytest.raises(
        CheckpointError, match=r"model\.\w+: scalar-autograd 9\.5 wrote this file, in a newer format.* --upgrade"
    ):
        load(path)


def test_safetensors_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On saving and on loading; the old file stays."""
    path = tmp_path / "model.safetensors"
    pytest.importorskip("safetensors")
    before = save(path, Neuron(1, rng=0)).read_bytes()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for attempt in (lambda: load(path), lambda: save(path, Neuron(2, rng=0))):
        with pytest.raises(ImportError, match=r'pip install "scalar-autograd\[safetensors\]"'):
            attempt()
    assert path.read_bytes() == before


# Killed, and at the same time


SAVER = """
    import os, signal, sys
    import numpy as np
    import nn
    paths = sys.argv[1].split(",")
    contents = [nn.Checkpoint.of(nn.Neuron(2, rng=0), None, {"which": k, "bulk": np.full(30_000, float(k))}) for k in range(2)]
    for request in sys.stdin:  # each forks a child that saves until it is killed, at first the other content
        child = os.fork()
        contents.reverse()
        if not child:
            for path in paths:
                contents[0].write(path)
            print(os.getpid(), flush=True)
            while True:
                for content in contents:
                    for path in paths:
                        content.write(path)
        os.waitpid(child, 0)
        print("dead", flush=True)
"""


def test_two_hundred_kills_leave_the_old_file_or_the_new(tmp_path: Path) -> None:
    """Law 11. Each child saves two contents in turn until it is killed; what it leaves beside is in no one's way."""
    paths = [tmp_path / "model.npz"]
    try:
        import safetensors  # noqa: F401, PLC0415
    except ImportError:
        pass
    else:
        paths.append(tmp_path / "model.safetensors")
    for file in paths:
        save(file, Neuron(2, rng=0), which=0, bulk=np.zeros(30_000))
    rng = random.Random(5)
    found = set()
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SAVER), ",".join(map(str, paths))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _ in range(200):
            print(file=parent.stdin, flush=True)
            child = int(parent.stdout.readline())
            time.sleep(rng.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            assert parent.stdout.readline() == "dead\n"
            for file in paths:
                extra = load(file).extra
                assert set(extra["bulk"].tolist()) == {float(extra["which"])}
                found.add((file, extra["which"]))
        parent.stdin.close()
    assert len(found) == 2 * len(paths)  # the kills came at different moments
    left = [file.name for file in tmp_path.iterdir() if file not in paths]
    assert left  # and some in the middle of a save
    assert all(name.startswith(".scalar-autograd-") and name.endswith(".tmp") for name in left)


def test_savers_at_the_same_time_leave_a_whole_file(path: Path) -> None:
    """The content of one of them."""
    script = """
        import sys, numpy as np, nn
        k = float(sys.argv[2])
        for _ in range(40):
            nn.save(sys.argv[1], nn.Neuron(1, rng=0), which=k, bulk=np.full(20_000, k))
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(path), str(k)], env=environment) for k in range(3)
    ]
    while any(process.poll() is None for process in processes):
        if path.exists():
            extra = load(path).extra
            assert set(extra["bulk"].tolist()) == {extra["which"]}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [*path.parent.iterdir()] == [path]
