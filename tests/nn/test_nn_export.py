"""``nn.export``: what the files give for 1,000 inputs is what the model gives, and what ``gradient`` gives; and mistakes."""

from __future__ import annotations

import ctypes
import json
import math as python_math
import random
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import nn
from autograd import RecordingError, Value, gradient, math
from nn.export import export
from nn.layers import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

CC = shutil.which("cc") or shutil.which("gcc")
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror"]
CLOSE = 1e-12
"""Of the number itself, or of 1 if it is smaller: it is made of less than 100 terms of about 1, each rounded a few times by
1.1e-16, by functions that differ by 4 ulp at most."""
INPUTS = 1000
SPECIAL = [0.0, -0.0, 1e-320, 40.0, -40.0, 1e5, -1e5, 1e300, -1e300, python_math.inf, -python_math.inf, python_math.nan]

BARE = """
import json, runpy, sys
names = runpy.run_path(sys.argv[1])
calls = [[names[function](*arguments) for arguments in calls] for function, calls in json.load(sys.stdin)]
assert not [name for name in sys.modules if name.split(".")[0] in ("numpy", "autograd", "nn")]
print(json.dumps(calls))
"""
"""Runs a file where nothing is installed."""


def by_python(path: Path, calls: list[Any]) -> Any:
    """What the functions of a Python file give, in a process that sees Python's own library and nothing else."""
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", BARE, path], input=json.dumps(calls), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def by_c(path: Path, calls: list[Any], outputs: int, trained: list[int]) -> Any:
    """What the functions of a C file give, compiled without a warning."""
    assert CC is not None
    subprocess.run([CC, *FLAGS, "-c", "-o", path.with_suffix(".o"), path], check=True)
    library = path.with_suffix(".so")
    subprocess.run([CC, *FLAGS, "-fPIC", "-shared", "-o", library, path, "-lm"], check=True)
    functions = ctypes.CDLL(str(library))

    def array(x: Any) -> Any:
        numbers = np.ravel(np.array(x, float)).tolist()
        return (ctypes.c_double * len(numbers))(*numbers)

    found = []
    for name, some in calls:
        results = []
        for arguments in some:
            outs = [(ctypes.c_double * size)() for size in (trained if name == "gradient" else [outputs])]
            given = [array(x) for x in arguments]
            if name == "gradient" and outputs == 1:
                given[-1] = ctypes.c_double(arguments[-1])
            functions[name](*given, *outs)
            results.append([list(out) for out in outs])
        found.append(results)
    return found


def flat(x: Any) -> list[Any]:
    """The numbers, or the Values, in nested lists."""
    return [leaf for item in x for leaf in flat(item)] if isinstance(x, list | tuple) else [x]


def near(got: Any, wanted: NDArray[np.float64]) -> None:
    got = np.array([flat(item) for item in got], float)
    finite = np.isfinite(wanted)
    scale = np.maximum(1.0, np.max(np.abs(np.where(finite, wanted, 0.0)), axis=1, keepdims=True))
    with np.errstate(invalid="ignore"):
        close = np.abs(got - wanted) <= CLOSE * scale
    good = np.where(finite, close, (got == wanted) | (np.isnan(got) & np.isnan(wanted)))
    assert good.all(), (got[~good], wanted[~good])


def check(model: nn.Module, folder: Path, inputs: Any, looked_up: Any = None, **more: Any) -> None:
    """Predictions and gradients of both files, for each of the ``inputs``, against the model."""
    rng = np.random.default_rng(1)
    outputs, slopes, predict, differentiate = [], [], [], []
    for k, x in enumerate(inputs):
        values = [Value(float(number)) for number in x]
        results = flat(model(values) if looked_up is None else model((looked_up[k], values)))
        cotangents = rng.normal(size=len(results)).tolist()
        outputs.append([result.data for result in results])
        slopes.append(gradient(math.sumprod(cotangents, results), values))
        arguments = [x] if looked_up is None else [looked_up[k], x]
        predict.append(arguments)
        differentiate.append([*arguments, cotangents[0] if len(results) == 1 else cotangents])
    calls = [["predict", predict], ["gradient", differentiate]]
    wanted = [np.array(outputs), np.array(slopes)]
    path = export(model, folder / "model.py", **more)
    for got, expected in zip(by_python(path, calls), wanted, strict=True):
        near([[item] if isinstance(item, float) else item for item in got], expected)
    if CC is not None:
        path = export(model, folder / "model.c", **more)
        for got, expected in zip(by_c(path, calls, len(outputs[0]), [len(inputs[0])]), wanted, strict=True):
            near(got, expected)


def normal(*shape: int) -> list[Any]:
    return np.random.default_rng(0).normal(size=shape).tolist()


class Mixture(nn.Module):
    """A Module of a user's own: choices, powers, and a parameter that is used twice."""

    def __init__(self) -> None:
        self.rate, self.shift = Value(0.75), Value(-0.25)
        self.gate = nn.Neuron(2, "sigmoid", rng=3)

    def forward(self, x: Any) -> Any:
        a, b = x
        gate = self.gate(x)
        wave = math.sin(self.rate * a) * math.exp(-(b**2)) + self.shift
        return [math.where(a > b, gate * wave, math.maximum(wave, b)), math.hypot(a, b + 2.0), math.atan2(gate, self.rate)]


class Attention(nn.Module):
    """Tokens and how loud each is: lookups, causal attention, softmax, residuals, norms, in two heads."""

    def __init__(self, vocabulary: int = 5, width: int = 4, positions: int = 3) -> None:
        rng = random.Random(0)

        def matrix(m: int, n: int) -> list[list[Value]]:
            return [[Value(rng.gauss(0.0, 0.5)) for _ in range(n)] for _ in range(m)]

        self.tokens, self.places, self.head = matrix(vocabulary, width), matrix(positions, width), matrix(vocabulary, width)
        self.query, self.key, self.value = matrix(width, width), matrix(width, width), matrix(width, width)

    def forward(self, x: Any) -> Any:
        tokens, loudness = x
        rows, keys, values, results = [], [], [], []
        for place, (token, loud) in enumerate(zip(tokens, loudness, strict=True)):
            columns = zip(*self.tokens, strict=True)
            row = [math.select(column, token) * loud + p for column, p in zip(columns, self.places[place], strict=True)]
            size = (math.sumprod(row, row) / len(row) + 1e-5) ** -0.5
            rows.append([number * size for number in row])
            keys.append(_times(self.key, rows[-1]))
            values.append(_times(self.value, rows[-1]))
            query = _times(self.query, rows[-1])
            mixed = []
            for part in (slice(0, 2), slice(2, 4)):
                weights = math.softmax([math.sumprod(query[part], key[part]) for key in keys])
                mixed += [math.sumprod(weights, column) for column in zip(*[v[part] for v in values], strict=True)]
            results.append(_times(self.head, [a + math.relu(b) for a, b in zip(rows[-1], mixed, strict=True)]))
        return results


def _times(matrix: list[list[Value]], x: list[Any]) -> list[Any]:
    return [math.sumprod(row, x) for row in matrix]


MODELS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    **{f"MLP, {name}": ((lambda name=name: nn.MLP(3, [5, 4, 2], name, rng=1)), 3) for name in ACTIVATIONS},
    "one output": (lambda: nn.MLP(2, [4, 1], "tanh", rng=2), 2),
    "Neuron": (lambda: nn.Neuron(3, "softplus", rng=4), 3),
    "Layer": (lambda: nn.Layer(3, 2, "sigmoid", rng=4), 3),
    "softmax": (lambda: nn.Sequential(nn.Layer(3, 4, rng=5), nn.Layer(4, 3, "linear", rng=6), math.softmax), 3),
}


@pytest.mark.parametrize("name", MODELS)
def test_1000_inputs(name: str, tmp_path: Path) -> None:
    """For models that nn knows."""
    make, count = MODELS[name]
    check(make(), tmp_path, normal(INPUTS, count))


def test_a_module_of_ones_own(tmp_path: Path) -> None:
    check(Mixture(), tmp_path, normal(INPUTS, 2), example=[0.5, 1.0])


def test_attention_with_lookups(tmp_path: Path) -> None:
    """Gradients are by the numbers, not by the tokens; attention is padded with zeros by the compiler."""
    tokens = np.random.default_rng(2).integers(0, 5, (INPUTS, 3)).tolist()
    check(Attention(), tmp_path, normal(INPUTS, 3), tokens, example=([0, 1, 2], [1.0, 0.5, 1.0]))


@pytest.mark.parametrize("name", MODELS)
def test_special_inputs(name: str, tmp_path: Path) -> None:
    """Infinities and NaNs are where the model has them; huge numbers are as near as others."""
    make, count = MODELS[name]
    rng = random.Random(0)
    check(make(), tmp_path, [[rng.choice([*SPECIAL, 0.5]) for _ in range(count)] for _ in range(100)])


def test_parameters_that_are_no_numbers_to_be_written_as_others(tmp_path: Path) -> None:
    """Infinite, NaN, subnormal weights, and -0.0."""
    for special in [python_math.inf, -python_math.inf, python_math.nan, 5e-324, -0.0, 1.7976931348623157e308]:
        model = nn.MLP(2, [3, 1], rng=0)
        model.parameters()[0].data = special
        (folder := tmp_path / str(special)).mkdir()  # a library of the same name would not be loaded again
        check(model, folder, normal(5, 2))


def test_an_index_that_there_is_not(tmp_path: Path) -> None:
    """An error in Python; NaN, and nothing read outside of the table, in C."""
    example = ([0, 1, 2], [1.0, 0.5, 1.0])
    path = export(Attention(), tmp_path / "model.py", example=example)
    with pytest.raises(subprocess.CalledProcessError):
        by_python(path, [["predict", [[[0, 5, 1], [1.0, 1.0, 1.0]]]]])
    if CC is not None:
        path = export(Attention(), tmp_path / "model.c", example=example)
        results = by_c(path, [["predict", [[[0, 5, 1], [1.0, 1.0, 1.0]]]]], 15, [3])[0][0][0]
        assert not np.isnan(results[:5]).any()
        assert np.isnan(results[5:]).all()  # later positions see it


def test_a_c_file_says_what_a_program_needs(tmp_path: Path) -> None:
    """The prototypes and the example in its head make a program that prints what the model gives."""
    model = nn.MLP(2, [3, 1], "tanh", rng=0)
    path = export(model, tmp_path / "moons.c")
    comment = path.read_text().split("*/")[0]
    assert comment.startswith("/*\n * MLP(2, [3, 1], 'tanh'): 13 parameters.\n")
    code = [line.removeprefix(" *     ") for line in comment.splitlines() if line.endswith(";")]
    prototypes, calls = code[:2], code[2:]
    if CC is None:
        pytest.skip("there is no C compiler")
    calls.insert(2, "x[0] = 0.5; x[1] = -1.0;")
    program = "\n".join(
        ["#include <stdio.h>", *prototypes, "int main(void) {", *calls, 'printf("%.17g %.17g", outputs[0], d_x[1]); }']
    )
    (tmp_path / "main.c").write_text(program)
    names = ["-Dpredict=moons_predict", "-Dgradient=moons_gradient"]
    assert " ".join(names) in comment
    subprocess.run([CC, *FLAGS, *names, "-o", tmp_path / "main", tmp_path / "main.c", path, "-lm"], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    x = [Value(0.5), Value(-1.0)]
    y = model(x)
    assert [float(number) for number in done.stdout.split()] == pytest.approx([y.data, gradient(y, x)[1]], rel=CLOSE)


# Mistakes


def test_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    with pytest.raises(TypeError, match=r"nn.export\(\) expects a Module, not builtin_function_or_method .* autograd.export"):
        export(max, path)  # type: ignore[arg-type]
    for model in (Mixture(), nn.Sequential(), nn.Sequential(math.tanh, nn.Layer(2, 1))):
        message = (
            f"cannot tell how many inputs a {type(model).__name__} takes: pass an example of what it is called with, as in "
            "nn.export(model, path, example=[0.0, 0.0])"
        )
        with pytest.raises(TypeError, match=re.escape(message)):
            export(model, path)
    with pytest.raises(ValueError, match=r"expects 2 inputs, not 3"):
        export(nn.MLP(2, [1]), path, example=[0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="writes files that end in .py or .c, not"):
        export(nn.MLP(2, [1]), tmp_path / "model.txt")
    with pytest.raises(FileNotFoundError, match="the folder .* does not exist: create it first"):
        export(nn.MLP(2, [1]), tmp_path / "none" / "model.py")
    with pytest.raises(RecordingError, match=r"the truth of a Value was asked for"):
        export(nn.Sequential(nn.Layer(2, 2), max), path)
    with pytest.raises(NotImplementedError, match=r"Module has no forward\(\): define what it computes"):
        export(nn.Module(), path, example=[0.0])
    assert not [*tmp_path.iterdir()]


def test_an_example_may_be_given_for_any_model(tmp_path: Path) -> None:
    """Of whole numbers, too: what is differentiated by is everything that nothing is looked up with."""
    check(nn.Sequential(lambda x: x, nn.Neuron(2, rng=0)), tmp_path, normal(5, 2), example=[0, 1])
