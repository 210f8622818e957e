"""Law 16: whatever a public function is called with, it gives a right result or says at once what was wrong with that.

Every public function has a right call here. Each of its arguments is replaced by each bad value, and so is the first item of
each list. What comes of it is a result, or a TypeError, ValueError, OverflowError or error of this package, raised by this
package or by the function of Python's that was called; never an error from inside of NumPy or of this package's own code.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import functools
import inspect
import itertools
import linecache
import random
import warnings
from collections import UserList
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, math
from autograd.errors import AutogradError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Call = tuple[Any, list[Any], dict[str, Any]]

HERE = __file__
PACKAGES = tuple(str(Path(package.__file__).parent) for package in (autograd, nn))  # type: ignore[arg-type]  # they have files
WORDS = (TypeError, ValueError, OverflowError, OSError, AutogradError)


# What is bad


class Broken:
    """An object of which each of the ``names`` raises."""

    def __new__(cls, *names: str) -> Any:
        def method(*_: Any, **__: Any) -> Any:
            msg = "broken on purpose"
            raise RuntimeError(msg)

        return object.__new__(type("Broken", (), dict.fromkeys(names, method)))


class Text:
    """An object whose ``__array__`` returns no array."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        return "no array"


def _nested_in_itself(kind: Any) -> Any:
    x: Any = kind()
    if kind is list:
        x.append(x)
    else:
        x["a"] = x
    return x


def _deep(levels: int) -> list[Any]:
    x: list[Any] = [1.0]
    for _ in range(levels):
        x = [x]
    return x


def _recorded() -> Value:
    x = Value(0.5)
    return x * x


BAD: dict[str, Callable[[], Any]] = {
    # numbers that may be out of range
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "10**400": lambda: 10**400,
    "-10**400": lambda: -(10**400),
    "-1": lambda: -1,
    "0": lambda: 0,
    "0.5": lambda: 0.5,
    "True": lambda: True,
    "Fraction": lambda: fractions.Fraction(1, 3),
    "huge Fraction": lambda: fractions.Fraction(10**400, 3),
    "float16": lambda: np.float16(0.5),
    "longdouble": lambda: np.longdouble(0.5),
    "bool_": lambda: np.bool_(True),
    "0-d": lambda: np.array(0.5),
    "Value": lambda: Value(0.5),
    "Value of inf": lambda: Value(float("inf")),
    "recorded Value": _recorded,
    # arrays and lists
    "[]": list,
    "[[]]": lambda: [[]],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "ragged at another depth": lambda: [1.0, [2.0]],
    "nested in itself": lambda: _nested_in_itself(list),
    "5,000 deep": lambda: _deep(5_000),
    "[None]": lambda: [None],
    "['a']": lambda: ["a"],
    "[1j]": lambda: [1j],
    "[10**400]": lambda: [10**400],
    "()": tuple,
    "UserList": lambda: UserList([1.0]),
    "generator": lambda: (x for x in [1.0, 2.0]),
    "empty array": lambda: np.zeros(0),
    "3-d": lambda: np.ones((2, 2, 2)),
    "bool array": lambda: np.array([True, False]),
    "float16 array": lambda: np.ones(2, np.float16),
    "longdouble array": lambda: np.ones(2, np.longdouble),
    "read-only": lambda: np.broadcast_to(1.0, (2,)),
    "not contiguous": lambda: np.ones((4, 4))[::2, 0],
    "masked": lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    "objects": lambda: np.array([None, object()]),
    "array of Values": lambda: np.array([Value(1.0), Value(2.0)]),
    # what is neither
    "None": lambda: None,
    "''": str,
    "'a'": lambda: "a",
    "b''": bytes,
    "1j": lambda: 1j,
    "Decimal": lambda: decimal.Decimal("0.5"),
    "dict": lambda: {"a": 1.0},
    "dict nested in itself": lambda: _nested_in_itself(dict),
    "set": lambda: {1.0, 2.0},
    "object": object,
    "class": lambda: SimpleNamespace,
    "lambda": lambda: lambda: None,
    "module": lambda: random,
    "Module": lambda: nn.Neuron(1, rng=0),
    "Path": lambda: Path("a"),
    "date": lambda: dt.date(2000, 1, 1),
    "datetime64": lambda: np.array(["2000-01-01"], "datetime64[D]"),
    "complex array": lambda: np.ones(2, complex),
    "timedelta64 array": lambda: np.array([3], "timedelta64[D]"),
    "strings": lambda: np.array(["a", "b"]),
    "structured": lambda: np.zeros(2, [("a", float), ("b", int)]),
    "returns no array": Text,
    **{
        f"broken {name}": (lambda name=name: Broken(name))
        for name in (
            *("__array__", "__len__", "__iter__", "__getitem__", "__eq__", "__bool__", "__float__", "__index__"),
            *("__getattr__", "__repr__", "__call__"),
        )
    },
}
NO_NUMBERS = [*itertools.dropwhile(lambda name: name != "None", BAD)]
"""Those that stand for no number and for no array of numbers."""


# Right calls


def _model() -> Any:
    return nn.Neuron(2, "linear", rng=0)


def _optimizer(kind: Any = nn.SGD) -> Any:
    x = Value(1.0)
    x.grad = 0.5
    return kind([x])


def _y() -> tuple[Value, Value]:
    x = Value(0.5)
    return x * x, x


def _loss() -> Any:
    w = Value(2.0)
    return autograd.compile(lambda x: w * x)


def _recording() -> Any:
    loss = _loss()
    loss([1.0, 2.0])
    return loss.recordings[0]


def _parameters() -> list[Value]:
    return [Value(1.0), Value(2.0)]


def _gradient() -> Call:
    y, x = _y()
    return autograd.gradient, [y, [x]], {"create_graph": False}


def _directional() -> Call:
    y, x = _y()
    return autograd.directional, [y, [x], [1.0]], {}


def _with_optimizer(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[Any], Call]:
    return lambda _: (make, [_optimizer(), *args], kwargs)


def _sequential() -> Call:
    optimizer = _optimizer()
    return nn.SequentialLR, [optimizer, [nn.StepLR(optimizer, 1), nn.StepLR(optimizer, 2)], [3]], {"interval": "epoch"}


def _sequential_schedule() -> Any:
    make, args, kwargs = _sequential()
    return make(*args, **kwargs)


def _fit() -> Call:
    model = _model()
    keywords = {
        "loss": nn.mse_loss,
        "optimizer": nn.SGD(model.parameters()),
        "epochs": 1,
        "batch_size": 2,
        "shuffle": True,
        "validation": 0.5,
        "metric": None,
        "schedule": None,
        "early_stopping": None,
        "callbacks": [],
        "checkpoint": None,
        "resume": False,
        "rng": 0,
        "progress": False,
        "compiled": False,
    }
    return nn.fit, [model, [[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]], keywords


def _state(owner: Any) -> Call:
    return owner.load_state_dict, [owner.state_dict()], {}


RIGHT: dict[str, Callable[[Path], Call]] = {
    "autograd.Compiled.value": lambda _: (_loss().value, [[2.0], [1.0, 2.0]], {}),
    "autograd.Compiled.value_and_grad": lambda _: (_loss().value_and_grad, [[2.0], [1.0, 2.0]], {}),
    "autograd.Recording.value_and_grad": lambda _: (_recording().value_and_grad, [[2.0], [1.0, 2.0]], {}),
    "autograd.Drawing.save": lambda folder: (autograd.draw(_y()[0]).save, [folder / "a.dot"], {}),
    "autograd.Value": lambda _: (Value, [1.0, "x"], {}),
    "autograd.Value.backward": lambda _: (_y()[0].backward, [1.0], {}),
    "autograd.compile": lambda _: (
        autograd.compile,
        [lambda x: x * 2],
        {"reduction": "mean", "parameters": [Value(1.0)], "dtype": "float64"},
    ),
    "autograd.directional": lambda _: _directional(),
    "autograd.draw": lambda _: (autograd.draw, [_y()[0]], {"rankdir": "LR", "max_nodes": 500, "show": "data"}),
    "autograd.export": lambda folder: (autograd.export, [lambda x: x * 2, folder / "a.py", 1.0], {}),
    "autograd.gradcheck": lambda _: (
        autograd.gradcheck,
        [lambda x: x * x, Value(0.5)],
        {"rtol": 1e-6, "atol": 1e-6, "order": 1},
    ),
    "autograd.gradient": lambda _: _gradient(),
    "autograd.topological_sort": lambda _: (autograd.topological_sort, [Value(1.0)], {}),
    "math.comb": lambda _: (math.comb, [3, 2], {}),
    "math.dist": lambda _: (math.dist, [[1.0, 2.0], [3.0, 4.0]], {}),
    "math.factorial": lambda _: (math.factorial, [3], {}),
    "math.fsum": lambda _: (math.fsum, [[0.5, 1.5]], {}),
    "math.gcd": lambda _: (math.gcd, [6, 4], {}),
    "math.isclose": lambda _: (math.isclose, [0.5, 0.5], {"rel_tol": 0.1, "abs_tol": 0.1}),
    "math.isqrt": lambda _: (math.isqrt, [6], {}),
    "math.lcm": lambda _: (math.lcm, [6, 4], {}),
    "math.ldexp": lambda _: (math.ldexp, [0.5, 2], {}),
    "math.log_softmax": lambda _: (math.log_softmax, [[0.5, 1.5]], {}),
    "math.logsumexp": lambda _: (math.logsumexp, [[0.5, 1.5]], {}),
    "math.perm": lambda _: (math.perm, [3, 2], {}),
    "math.prod": lambda _: (math.prod, [[0.5, 1.5]], {"start": 2.0}),
    "math.select": lambda _: (math.select, [[0.5, 1.5], 1], {}),
    "math.softmax": lambda _: (math.softmax, [[0.5, 1.5]], {}),
    "math.sumprod": lambda _: (math.sumprod, [[0.5, 1.5], [2.0, 3.0]], {}),
    "math.var": lambda _: (math.var, [[0.5, 1.5]], {}),
    "nn.LBFGS": lambda _: (nn.LBFGS, [_parameters(), 1.0, 20, 25, 1e-7, 1e-9, 10], {}),
    "nn.MLP": lambda _: (nn.MLP, [2, [2, 1], "tanh"], {"rng": 0}),
    "nn.MLP.forward": lambda _: (nn.MLP(2, [2, 1], rng=0), [[1.0, 2.0]], {}),
    "nn.SGD": lambda _: (nn.SGD, [_parameters(), 0.1, 0.5, 0.0, 0.1, False], {"clip_grad_norm": 1.0}),
    "nn.Adam": lambda _: (nn.Adam, [_parameters(), 0.1, [0.9, 0.99], 1e-8, 0.1], {"clip_grad_norm": 1.0}),
    "nn.AdamW": lambda _: (nn.AdamW, [_parameters(), 0.1, [0.9, 0.99], 1e-8, 0.1], {"clip_grad_norm": 1.0}),
    "nn.RMSprop": lambda _: (nn.RMSprop, [_parameters(), 0.1, 0.9, 1e-8, 0.1, 0.5, True], {"clip_grad_norm": 1.0}),
    "nn.Optimizer": lambda _: (nn.Optimizer, [_parameters(), 0.1, 0.1], {"clip_grad_norm": 1.0}),
    "nn.BaseOptimizer.load_state_dict": lambda _: _state(_optimizer(nn.Adam)),
    "nn.Optimizer.step": lambda _: (_optimizer().step, [lambda: 1.0], {}),
    "nn.BaseOptimizer.zero_grad": lambda _: (_optimizer().zero_grad, [], {"set_to_none": False}),
    "nn.BaseOptimizer.step": lambda _: (_optimizer(nn.LBFGS).step, [lambda: 1.0], {}),
    "nn.CosineAnnealingLR": _with_optimizer(nn.CosineAnnealingLR, 3, 0.1, interval="epoch"),
    "nn.LinearLR": _with_optimizer(nn.LinearLR, 0.5, 1.0, 3, interval="epoch"),
    "nn.OneCycleLR": lambda _: (
        nn.OneCycleLR,
        [_optimizer(), 0.1, 10, 2, 5, 0.3, "cos", True, 0.85, 0.95, 25.0, 1e4, False],
        {"interval": "step"},
    ),
    "nn.StepLR": _with_optimizer(nn.StepLR, 3, 0.5, interval="epoch"),
    "nn.SequentialLR": lambda _: _sequential(),
    "nn.LRScheduler.load_state_dict": lambda _: _state(nn.StepLR(_optimizer(), 3)),
    "nn.SequentialLR.load_state_dict": lambda _: _state(_sequential_schedule()),
    "nn.StepLR.lr_at": lambda _: (nn.StepLR(_optimizer(), 3).lr_at, [1], {}),
    "nn.LinearLR.lr_at": lambda _: (nn.LinearLR(_optimizer()).lr_at, [1], {}),
    "nn.CosineAnnealingLR.lr_at": lambda _: (nn.CosineAnnealingLR(_optimizer(), 3).lr_at, [1], {}),
    "nn.OneCycleLR.lr_at": lambda _: (nn.OneCycleLR(_optimizer(), 0.1, 10).lr_at, [1], {}),
    "nn.SequentialLR.lr_at": lambda _: (_sequential_schedule().lr_at, [1], {}),
    "nn.Checkpoint.of": lambda _: (nn.Checkpoint.of, [_model(), None, {"a": 1.0}], {}),
    "nn.Checkpoint.write": lambda folder: (nn.Checkpoint.of(_model(), None, {}).write, [folder / "a.npz"], {}),
    "nn.EarlyStopping": lambda _: (nn.EarlyStopping, [3, 0.1, True], {}),
    "nn.Layer": lambda _: (nn.Layer, [2, 2, "tanh"], {"rng": 0}),
    "nn.Layer.forward": lambda _: (nn.Layer(2, 2, rng=0), [[1.0, 2.0]], {}),
    "nn.Module.load_state_dict": lambda _: _state(_model()),
    "nn.Module.named_parameters": lambda _: (lambda prefix: [*_model().named_parameters(prefix)], ["a"], {}),
    "nn.Module.train": lambda _: (_model().train, [True], {}),
    "nn.Module.zero_grad": lambda _: (_model().zero_grad, [], {"set_to_none": False}),
    "nn.Neuron": lambda _: (nn.Neuron, [2, "tanh"], {"rng": 0, "fan_out": 1}),
    "nn.Neuron.forward": lambda _: (_model(), [[1.0, 2.0]], {}),
    "nn.Sequential": lambda _: (nn.Sequential, [_model()], {}),
    "nn.Sequential.forward": lambda _: (nn.Sequential(_model()), [[1.0, 2.0]], {}),
    "nn.accuracy": lambda _: (nn.accuracy, [[0.5, -0.5], [1, 0]], {"threshold": 0.0}),
    "nn.binary_cross_entropy": lambda _: (nn.binary_cross_entropy, [[0.5], [1]], {"reduction": "mean"}),
    "nn.binary_cross_entropy_with_logits": lambda _: (
        nn.binary_cross_entropy_with_logits,
        [[0.5], [1]],
        {"reduction": "mean"},
    ),
    "nn.clip_grad_norm": lambda _: (nn.clip_grad_norm, [_parameters(), 1.0, 2.0], {}),
    "nn.cross_entropy": lambda _: (
        nn.cross_entropy,
        [[[0.5, 1.0]], [1]],
        {"weight": [1.0, 2.0], "ignore_index": -100, "label_smoothing": 0.1, "reduction": "mean"},
    ),
    "nn.export": lambda folder: (nn.export, [_model(), folder / "a.py"], {"example": [1.0, 2.0]}),
    "nn.fit": lambda _: _fit(),
    "nn.hinge_loss": lambda _: (nn.hinge_loss, [[0.5], [1]], {"reduction": "mean"}),
    "nn.likelihood": lambda _: (nn.likelihood, [[0.5], [1]], {}),
    "nn.load": lambda folder: (nn.load, [nn.save(folder / "b.npz", _model())], {}),
    "nn.mse_loss": lambda _: (nn.mse_loss, [[0.5], [1.0]], {"reduction": "mean"}),
    "nn.nll_loss": lambda _: (
        nn.nll_loss,
        [[[-0.5, -1.0]], [1]],
        {"weight": [1.0, 2.0], "ignore_index": -100, "reduction": "mean"},
    ),
    "nn.parameters_to_vector": lambda _: (nn.parameters_to_vector, [_parameters()], {}),
    "nn.save": lambda folder: (nn.save, [folder / "a.npz", _model(), _optimizer()], {"a": 1.0}),
    "nn.vector_to_parameters": lambda _: (nn.vector_to_parameters, [[1.0, 2.0], _parameters()], {}),
    "nn.init.generator": lambda _: (nn.init.generator, [0], {}),
}


def _plain(function: Any) -> Call | None:
    """The call of a function of numbers with 0.5 for each; None if it takes no arguments."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return (function, [0.5] * len(parameters), {}) if parameters else None


NO_ENTRY = {
    "autograd.Compiled": "autograd.compile makes it",
    "autograd.Drawing": "autograd.draw makes it",
    "autograd.Recording": "autograd.compile makes it",
    "autograd.Drawing.svg": "it needs a renderer, which tests/draw has",
    "autograd.Value.apply": "the table calls it",
    "nn.Checkpoint": "nn.load and Checkpoint.of make it",
    "nn.History": "nn.fit makes it",
    "nn.History.plot": "it needs matplotlib",
    "nn.TrainingState": "nn.fit makes it",
    "nn.Module.forward": "a subclass has it",
    "nn.Neuron.output": "a layer calls it, which has counted the inputs",
    "nn.LRScheduler": "a base that cannot be made alone",
    "nn.BaseOptimizer": "likewise",
    "nn.init.shown": "it writes messages",
    "nn.init.he_uniform": "a neuron calls it",
    "nn.init.glorot_uniform": "a neuron calls it",
    **dict.fromkeys(
        [
            *(f"nn.{kind}.moved" for kind in ("Optimizer", "SGD", "Adam", "RMSprop")),
            *("nn.Optimizer.update", "nn.BaseOptimizer.descend", "nn.Optimizer.descend", "nn.LBFGS.descend"),
        ],
        "fit and step call it with arrays of their own",
    ),
    **dict.fromkeys(
        ["nn.LRScheduler.apply", "nn.LRScheduler.lr_at", "nn.OneCycleLR.apply", "nn.SequentialLR.apply"], "step calls it"
    ),
    "autograd.detect_anomaly.recorded": "Values call it",
    "autograd.detect_anomaly.swept": "sweeps call it",
}
"""Public names that nobody is to call, or not with arguments of their own."""


def _public() -> Iterator[tuple[str, Any]]:
    """All functions, classes, and methods of classes where they are defined, that are no exceptions, by name."""
    for prefix, module in (("autograd", autograd), ("math", math), ("nn", nn), ("nn.init", nn.init)):
        for name in getattr(module, "__all__", [name for name, x in vars(module).items() if inspect.isfunction(x)]):
            x = getattr(module, name)
            if name.startswith("_") or not callable(x) or (isinstance(x, type) and issubclass(x, BaseException)):
                continue
            yield f"{prefix}.{name}", x
            for key in dir(x) if isinstance(x, type) else []:
                method = getattr(x, key, None)  # None where its objects alone have it
                if not key.startswith("_") and callable(method) and key in vars(x):
                    yield f"{prefix}.{name}.{key}", method


def _right(name: str, function: Any, folder: Path) -> Call | None:
    """A right call of what is called ``name``; None if it takes no arguments."""
    if name in RIGHT:
        return RIGHT[name](folder)
    if name.startswith("math."):
        return _plain(function)
    parameters = [*inspect.signature(function).parameters]
    if parameters[:1] == ["self"] or inspect.isfunction(function):
        parameters = parameters[1:]
    if not parameters:
        return None
    if name.startswith("autograd.Value."):
        return functools.partial(function, Value(0.5)), [0.5] * len(parameters), {}
    msg = f"{name}{inspect.signature(function)} is new: give it a right call in RIGHT"
    raise LookupError(msg)


ENTRIES = [(name, function) for name, function in _public() if name not in NO_ENTRY]


def _replaced(name: str, function: Any, bad: str, folder: Path) -> Iterator[tuple[str, Call]]:
    """The right call, with a bad value in the place of each argument, and of the first item of each list."""
    right = _right(name, function, folder)
    places: list[Any] = [] if right is None else [*range(len(right[1])), *right[2]]
    for place in places:
        for inside in (False, True):
            call = _right(name, function, folder)
            assert call is not None
            arguments: Any = call[1] if isinstance(place, int) else call[2]
            if inside and not (isinstance(arguments[place], list | dict) and arguments[place]):
                continue
            if inside:
                key = next(iter(arguments[place])) if isinstance(arguments[place], dict) else 0
                arguments[place][key] = BAD[bad]()
            else:
                arguments[place] = BAD[bad]()
            yield f"{name} {place}{'[0]' * inside}", call


def _fault(error: BaseException, bad: Any) -> str:
    """What is wrong with the error that a bad value led to, if something is."""
    trace = error.__traceback__
    assert trace is not None
    own = trace.tb_next is None  # a function of Python's was called by its own name
    while trace.tb_next is not None:
        trace = trace.tb_next
    file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
    source, said = linecache.getline(file, line).strip(), str(error)
    raised = file.startswith(PACKAGES) and source.startswith("raise")
    right_kind = isinstance(error, WORDS) or (raised and isinstance(error, IndexError | KeyError | AttributeError))
    by_the_object = (file == HERE and said == "broken on purpose") or type(trace.tb_frame.f_locals.get("self")) is type(bad)
    by_python = own or isinstance(error, OverflowError | OSError) or "positional argument" in said or "_python." in source
    if by_the_object or (
        right_kind and not isinstance(error, RecursionError) and (raised or by_python or type(bad).__name__ in said)
    ):
        return ""
    return f"{type(error).__name__} at {Path(file).name}:{line} `{source:.60}`: {said:.100}"


def outcomes(name: str, function: Any, bad: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The places at which a bad value is given, each with what is wrong with what comes of it, if something is."""
    for place, (called, args, kwargs) in _replaced(name, function, bad, folder):
        fault = ""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                result = called(*args, **kwargs)
                if inspect.isgenerator(result):
                    result = [*result]
            except Exception as error:  # noqa: BLE001 - which it is, is what is asked
                fault = "" if place in FLAGS and "truth value" in str(error) else _fault(error, BAD[bad]())
            else:
                if bad in NO_NUMBERS and place not in ANYTHING.keys() | FLAGS and bad not in FINE.get(place, ()):
                    fault = f"accepted: {type(result).__name__}"
        yield place, fault


FLAGS = {
    *("autograd.gradient create_graph", "nn.Module.zero_grad set_to_none", "nn.BaseOptimizer.zero_grad set_to_none"),
    *("nn.Module.train 0", "nn.SGD 5", "nn.RMSprop 6", "nn.OneCycleLR 7", "nn.OneCycleLR 12", "nn.EarlyStopping 2"),
    *("nn.fit shuffle", "nn.fit resume", "nn.fit progress", "nn.fit compiled"),
}
"""Whatever is true or false will do, as in Python."""
ANYTHING = {
    "math.select 0[0]": "what is not selected is not looked at",
    "nn.OneCycleLR 3": "total_steps says it already",
    "nn.OneCycleLR 4": "likewise",
    "nn.Checkpoint.of 2": "write() says it, with the place in it",
    "nn.Checkpoint.of 2[0]": "likewise",
}
FINE = {
    **dict.fromkeys(
        [
            *("autograd.compile 0", "autograd.compile reduction", "autograd.compile parameters", "autograd.compile dtype"),
            *("math.log 1", "math.perm 1", "nn.LBFGS 3", "nn.SGD clip_grad_norm", "nn.Adam clip_grad_norm"),
            *("nn.AdamW clip_grad_norm", "nn.RMSprop clip_grad_norm", "nn.Optimizer clip_grad_norm", "nn.Optimizer.step 0"),
            *("nn.Neuron rng", "nn.Layer rng", "nn.MLP rng", "nn.init.generator 0", "nn.cross_entropy weight"),
            *("nn.nll_loss weight", "nn.OneCycleLR 2", "nn.SequentialLR interval", "nn.Checkpoint.of 1", "nn.save 2"),
            *("nn.export example", "nn.fit optimizer", "nn.fit batch_size", "nn.fit validation", "nn.fit metric"),
            *("nn.fit schedule", "nn.fit early_stopping", "nn.fit rng", "nn.save a"),
        ],
        ("None",),
    ),
    "autograd.Value 1": ("''", "'a'"),
    "nn.Module.named_parameters 0": ("''", "'a'"),
    "autograd.draw show": ("''",),
    "autograd.compile 0": ("None", "lambda", "Module", "broken __call__"),
    "nn.Sequential 0": ("class", "lambda", "Module", "broken __call__"),
    "nn.Optimizer.step 0": ("None", "class", "lambda"),
    "nn.fit checkpoint": ("None", "'a'", "Path"),
    "nn.fit callbacks": ("None", "''", "b''"),
    "nn.parameters_to_vector 0": ("''", "b''"),
    "nn.save a": ("None", "''", "'a'", "1j", "dict", "datetime64", "timedelta64 array", "complex array", "strings"),
    "math.select 0": ("complex array", "strings", "structured"),  # it gives an item as it is
    **dict.fromkeys(["nn.Checkpoint.of 0", "nn.save 1"], ("Module",)),
    **dict.fromkeys(["nn.Checkpoint.write 0", "nn.load 0", "nn.save 0"], ("'a'", "Path")),
    **dict.fromkeys(
        ["nn.Neuron rng", "nn.Layer rng", "nn.MLP rng", "nn.init.generator 0"], ("None", "module")
    ),  # random itself
    **dict.fromkeys(
        [f"math.{name} 0" for name in ("ceil", "floor", "trunc", "isfinite", "isinf", "isnan", "isclose", "nextafter", "ulp")],
        ("Decimal",),  # as Python's functions of these names
    ),
    **dict.fromkeys(["math.isclose 1", "math.isclose rel_tol", "math.isclose abs_tol", "math.nextafter 1"], ("Decimal",)),
    **dict.fromkeys(
        [f"math.{name} 0" for name in ("dist", "fsum", "prod", "log_softmax", "logsumexp", "softmax", "sumprod", "var")],
        ("set",),
    ),
    **dict.fromkeys(["math.dist 1", "math.sumprod 1"], ("set",)),
}
"""Bad values that are good in some places."""


@pytest.mark.parametrize(("name", "function"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_a_bad_argument_is_refused_or_right(
    name: str, function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """First the right call, then each bad value in each place."""
    monkeypatch.chdir(tmp_path)  # some bad values are names of files
    right = _right(name, function, tmp_path)
    if right is not None:
        called, args, kwargs = right
        called(*args, **kwargs)
    faults = {(place, bad): fault for bad in BAD for place, fault in outcomes(name, function, bad, tmp_path) if fault}
    capsys.readouterr()  # trainings say how they go
    assert faults == {}


def test_lists_of_exceptions_name_what_there_is() -> None:
    names = {name for name, _ in _public()}
    assert names >= RIGHT.keys()
    assert names >= NO_ENTRY.keys()
    assert not RIGHT.keys() & NO_ENTRY.keys()
    assert len(ENTRIES) + len(NO_ENTRY) > 200
