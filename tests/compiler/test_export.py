"""What ``autograd.export`` writes, in both languages, against eager code: rows, random programs, structures, mistakes."""

from __future__ import annotations

import ctypes
import dataclasses
import fractions
import itertools
import math as python_math
import random
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from noisy import Noisy
from random_programs import example, random_program

import autograd
from autograd import RecordingError, Value, gradient, math, modes, ops
from autograd.compiler.calls import Call, taken_apart
from autograd.compiler.export import LANGUAGES, export
from autograd.compiler.export import function as exporting
from autograd.compiler.export.language import OWN, lines
from autograd.compiler.export.loops import at
from autograd.compiler.record import INPUT, VARIABLE, as_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.export.file import Loop

CC = shutil.which("cc") or shutil.which("gcc")
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror"]
CLOSE = 1e-12
"""Of sums of some tens of products in another order, a rounding of 1.1e-16 each, and kernels that differ by 4 ulp."""
SUFFIXES: list[Any] = ["py", pytest.param("c", marks=pytest.mark.skipif(CC is None, reason="there is no C compiler"))]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -2.5, 1e-320, 1e308, -1e308, 710.0, -746.0, np.inf, -np.inf, np.nan]


class Exported:
    """An exported file, whose functions take lists of numbers, one an argument, and give arrays."""

    def __init__(self, path: Path, *sizes: int, outputs: int, trained: list[int] | None = None) -> None:
        self.path, self.outputs = path, outputs
        self.trained = [*sizes] if trained is None else trained
        self.is_c = path.suffix == ".c"
        if self.is_c:
            assert CC is not None
            library = path.with_suffix(".so")
            subprocess.run([CC, *FLAGS, "-fPIC", "-shared", "-o", library, path, "-lm"], check=True)
            self.names: Any = ctypes.CDLL(str(library))
        else:
            self.names = {}
            exec(compile(path.read_text(), path, "exec"), self.names)  # noqa: S102 - it is to be run

    def predict(self, *x: Any) -> NDArray[np.float64]:
        if not self.is_c:
            return np.array([*_flat(self.names["predict"](*x))])
        out = (ctypes.c_double * self.outputs)()
        self.names.predict(*map(_c_array, x), out)
        return np.array(out)

    def gradient(self, *x: Any, by: Any = 1.0) -> NDArray[np.float64]:
        if not self.is_c:
            return np.array([*_flat(self.names["gradient"](*x, by))])
        slopes = [(ctypes.c_double * size)() for size in self.trained]
        cotangent = ctypes.c_double(by) if self.outputs == 1 else _c_array(by)
        self.names.gradient(*map(_c_array, x), cotangent, *slopes)
        return np.concatenate([np.array(some) for some in slopes])


def _flat(x: Any) -> Any:
    if isinstance(x, dict):
        x = x.values()
    if isinstance(x, float):
        yield x
    else:
        for item in x:
            yield from _flat(item)


def _c_array(x: Any) -> Any:
    flat = np.ravel(np.array(x, float)).tolist()
    return (ctypes.c_double * len(flat))(*flat)


def exported(fn: Callable[..., Any], folder: Path, suffix: str, *arguments: Any, **more: Any) -> Exported:
    """``fn``, exported with these ``arguments`` as the example."""
    path = export(fn, folder / f"exported.{suffix}", *arguments)
    return Exported(path, *[np.size(x) for x in arguments], **more)


def same(got: Any, wanted: Any, relative: float = CLOSE, off: Any = 0.0) -> None:
    """Assert that infinities and NaNs are in their places, and other numbers near enough."""
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    finite = np.isfinite(wanted)
    with np.errstate(invalid="ignore"):
        near = np.abs(got - wanted) <= relative * np.abs(wanted) + off + 1e-320  # where products underflow
    good = np.where(finite, near, (got == wanted) | (np.isnan(got) & np.isnan(wanted)))
    assert good.all(), f"{got[~good]}, expected {wanted[~good]}"


# Every row of the table

TINY = 2.0**-1022
"""Below, numbers have fewer digits."""
LIBM = 1e-13
"""Gamma functions of two libraries differ by some hundred roundings where they are large."""
NOT_IN_C = [ops.polygamma, ops.gamma, ops.lgamma]
"""gamma and lgamma are, but not their derivatives."""
ELSEWHERE = [ops.constant, ops.dot, ops.fsum, ops.logsumexp, ops.select, ops.polygamma]


def _rows(suffix: str) -> list[ops.Op]:
    return [row for row in ops.TABLE.values() if row not in ELSEWHERE and not (suffix == "c" and row in NOT_IN_C)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows(suffix: str, tmp_path: Path) -> None:
    """Each row of the table, and its derivatives, at points in and outside of its domain: as eager code has them."""
    rows = _rows(suffix)
    arity = [2 if row.arity is None else row.arity for row in rows]

    def each(x: list[list[Value]]) -> list[Any]:
        return [row(*args[:count]) for row, args, count in zip(rows, x, arity, strict=True)]

    file = exported(each, tmp_path, suffix, [[0.5, 2.0, 0.25]] * len(rows), outputs=len(rows))
    rng = random.Random(0)
    points = [*itertools.product(SPECIAL, SPECIAL), *[(rng.uniform(-3, 3), rng.uniform(-3, 3)) for _ in range(250)]]
    for a, b in points:
        x = [[Value(a), Value(b), Value(0.75)] for _ in rows]
        y = each(x)
        y = [v if isinstance(v, Value) else Value(v) for v in y]
        numbers = [[a, b, 0.75]] * len(rows)
        same(file.predict(numbers), [v.data for v in y], LIBM)
        slopes = [gradient(v, some) for v, some in zip(y, x, strict=True)]
        got = file.gradient(numbers, by=[1.0] * len(rows)).reshape(len(rows), 3)
        for row, mine, wanted, v in zip(rows, got, slopes, y, strict=True):
            few_digits = row is ops.hypot and 0.0 < v.data < TINY  # a fold divides by the length once, so by what is left of it
            try:
                same(mine, wanted, 1e-3 if few_digits else LIBM)
            except AssertionError as error:
                msg = f"{row} at {a!r}, {b!r}: {error}"
                raise AssertionError(msg) from None


@pytest.mark.parametrize("n", [0, 1, 4])
def test_polygamma(n: int, tmp_path: Path) -> None:
    """In Python with all that it needs; in C there is none, and the message says which."""

    def f(x: Any) -> Any:
        return math.polygamma(n, x) if hasattr(math, "polygamma") else ops.polygamma(float(n), x)

    file = exported(f, tmp_path, "py", 1.5, outputs=1)
    for number in [0.5, 3.0, 40.0, -0.5, -7.25, 0.0, -2.0, np.inf, np.nan]:
        x = Value(number)
        y = f(x)
        same(file.predict(number), y.data)
        same(file.gradient(number), gradient(y, [x]))
    with pytest.raises(
        ValueError,
        match=r"polygamma \(ψ\) is not in C's math.h, so the function cannot be exported to C: export it to a .py file",
    ):
        export(f, tmp_path / "no.c", 1.5)
    assert [*tmp_path.iterdir()] == [tmp_path / "exported.py"]


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_each_row_is_spelled_or_refused_by_name(suffix: str) -> None:
    """C has no polygamma; what else it refuses never reaches a language, as the compiler makes loops of it."""
    refused = []
    for row in ops.TABLE.values():
        args = ["first", "second", "third"][: row.arity or 2]
        try:
            text = LANGUAGES[suffix]().call(row, args)
        except ValueError as error:
            assert str(error).startswith(f"{row.name} ({row.label}) ")  # noqa: PT017 - or else there is no telling which
            refused.append(row)
        else:
            assert all(arg in text for arg in args)
    lowered = [ops.constant, ops.polygamma, ops.dot, ops.fsum, ops.select, ops.logsumexp]
    assert refused == {".py": [], ".c": lowered}[suffix]


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_an_operation_that_a_language_does_not_have_is_refused_by_name(suffix: str) -> None:
    """Mistake: Python called a lambda by the name of its module."""
    row = ops.Op("thirds", "⅓", lambda a: a / 3, np.positive, lambda y, a: (1 / 3,), ops.REAL)  # noqa: ARG005 - partials take y
    with pytest.raises(ValueError, match=r"thirds \(⅓\) "):
        LANGUAGES[suffix]().call(row, ["x"])


class Toy:
    """A third language, in which a test runs: numbers, operations and indices are calls of functions."""

    suffix, end, close = ".toy", ";", "pass"
    reserved = re.compile(f"{OWN}|x")

    def number(self, x: float) -> str:
        return f"float('{x}')"

    def call(self, op: ops.Op, args: Sequence[str]) -> str:
        return f"TABLE['{op.name}']({', '.join(args)})"

    def item(self, index: str, size: int) -> str:
        return f"range({size})[int({index})]"

    def found(self, x: str) -> str:
        return f"({x})"

    def when(self, condition: str, statement: str) -> str:
        return f"exec('{statement}' if {condition} else '')"

    def loop(self, loop: Loop) -> str:
        return f"for {loop.variable} in range({loop.start}, {loop.stop}):"

    def file(self, function: exporting.Exported, name: str) -> str:
        tables = [f"{table.name} = {table.numbers}" for table in function.tables]
        parts = [part for part in (function.predict, function.gradient) if part]
        arrays = [f"{array} = [0.0] * {size}" for part in parts for array, size in part.arrays]
        return "\n".join([f"# {name}", *tables, *arrays, *[line for part in parts for line in lines(self, part.body, 0)]])


def test_a_third_language_is_one_class() -> None:
    """What the others share knows neither of them: lookups, matrix products, chains and sums, and their derivatives."""
    w = [[Value(0.5), Value(-1.0)], [Value(2.0), Value(3.0)]]

    def f(x: Any, i: Any) -> Any:
        hidden = [math.tanh(math.sumprod(row, x)) for row in w]
        return [math.select(hidden, i) * math.exp(x[0]), math.logsumexp(hidden)]

    toy = Toy()
    made = exporting.exported(f, ([0.5, 0.25], 0), toy)
    assert [a.name for a in made.arguments] == ["x_", "i_"]
    names = {"TABLE": ops.TABLE, "x_": [0.75, -0.5], "i_": [1], "cotangents": [2.0, -1.0]}
    exec(toy.file(made, "f.toy"), names)  # noqa: S102 - it is to be run
    x = [Value(0.75), Value(-0.5)]
    y = f(x, Value(1.0))
    same([eval(at(made.results, [str(k)]), names) for k in range(2)], [v.data for v in y])
    same(names["d_x_"], gradient(2.0 * y[0] - y[1], x))


# Random programs


def _first(result: Any) -> Value:
    """The first number of a result: what is differentiated."""
    roots, _ = taken_apart(result, None, "")
    return roots[0]


def _leaves(x: Any) -> list[Any]:
    """The arrays, or the Values of an example, in an argument."""
    items = x.values() if isinstance(x, dict) else x
    return [leaf for item in items for leaf in _leaves(item)] if isinstance(x, dict | tuple | list) else [x]


def _which(x: Any, k: int) -> Any:
    """Example ``k`` of the batch ``x``, or its numbers alone in a batch if ``k`` is a slice."""
    if isinstance(x, dict):
        return {key: _which(item, k) for key, item in x.items()}
    return tuple([_which(item, k) for item in x]) if isinstance(x, tuple) else x[k]


def _with_variables(function: Callable[..., Any], arguments: Any) -> tuple[Any, Any]:
    """The graph of ``function`` at one example whose numbers are variables, the last ones; and what all variables hold."""
    roots, _, inputs, began = Call(function, arguments, reduction=None, who="function").record()
    graph = as_graph(roots[:1], inputs, began)
    known = len(graph.variables)
    is_input = graph.code == INPUT
    graph.leaf[is_input] += known
    graph.code[is_input] = VARIABLE
    graph.variables += inputs
    return graph, np.array([v.data for v in graph.variables])


def _compare(seed: int, folder: Path, suffix: str) -> int:
    """How many numbers that a random program gives, exported, were compared with eager code."""
    rng = random.Random(seed)
    program = random_program(rng, wild=seed % 3 == 0)
    function = program.function([Value(x) for x in program.theta(rng)])
    arguments = [*program.arguments(rng, 4).values()]
    if not arguments:
        return 0
    language = LANGUAGES[f".{suffix}"]()
    try:
        made = exporting.exported(lambda *x: _first(function(*x)), tuple([_which(x, 0) for x in arguments]), language)
    except ValueError as error:
        assert suffix == "c" and "polygamma" in str(error)  # noqa: PT017, PT018 - or else there is no telling which
        return 0
    path = folder / f"p{seed}.{suffix}"
    path.write_text(language.file(made, path.name), encoding="utf-8")
    file = Exported(path, outputs=1, trained=[a.size for a in made.trained])
    trained = np.concatenate([np.full(a.size, not a.index) for a in made.arguments])
    compared = 0
    for k in range(4):
        values = [example({"x": x}, k)["x"] for x in arguments]
        graph, theta = _with_variables(function, [_which(x, slice(k, k + 1)) for x in arguments])
        expected = Noisy(graph, "float64", seed).run(theta, np.zeros((1, 0)), "sum")
        if not expected.decided:
            continue
        y = _first(function(*values))
        numbers = [leaf[k] for leaf in _leaves(tuple(arguments))]
        same(file.predict(*numbers), [y.data], off=expected.total_off)
        compared += 1
        if made.gradient is not None:
            inputs = _leaves(values)
            off = expected.gradient_off[len(expected.gradient_off) - len(inputs) :]
            slopes = np.array(gradient(y, inputs) if y.op is not ops.constant else [0.0] * len(inputs))
            same(file.gradient(*numbers), slopes[trained], off=off[trained])
            compared += int(trained.sum())
    return compared


@pytest.mark.parametrize(("suffix", "count"), [("py", 100), pytest.param("c", 30, marks=SUFFIXES[1].marks)])
def test_random_programs(suffix: str, count: int, tmp_path: Path) -> None:
    """Predictions and gradients by the inputs are those of eager code, as near as noise in each operation lets them be."""
    assert sum(_compare(seed, tmp_path, suffix) for seed in range(count)) > 4 * count


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "count"), [("py", 5000), pytest.param("c", 1000, marks=SUFFIXES[1].marks)])
def test_many_random_programs(suffix: str, count: int, tmp_path: Path) -> None:
    assert sum(_compare(seed, tmp_path, suffix) for seed in range(1000, 1000 + count)) > 4 * count


# Forms of arguments and results

w = [Value(2.0), Value(3.0)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_arguments_in_tuples_and_dicts_are_arguments_by_themselves(suffix: str, tmp_path: Path) -> None:
    """In their order, and so are their derivatives; a name that the file has use for, or none of C's, gets another."""

    def f(x: Any, double: Any, größe: Any, exp: Any) -> Any:  # noqa: PLC2401 - a name that C has not
        return w[0] * x["a"][0] * x["b"] + double[0][1][0] * double[1] + math.exp(größe) * exp[1][2]

    first = {"a": [2.0], "b": 5.0}, ([[1.0], [7.0]], 11.0), 0.0, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    path = export(f, tmp_path / f"f.{suffix}", *first)
    file = Exported(path, outputs=1, trained=[1, 1, 2, 1, 1, 6])
    arguments = [[2.0], 5.0, [[1.0], [7.0]], 11.0, 0.0, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]
    assert file.predict(*arguments).tolist() == [2 * 2 * 5 + 77 + 6]
    assert file.gradient(*arguments).tolist() == [10.0, 4.0, 0.0, 11.0, 7.0, 6.0, *[0.0] * 5, 1.0]
    assert file.gradient(*arguments, by=10.0).tolist() == [100.0, 40.0, 0.0, 110.0, 70.0, 60.0, *[0.0] * 5, 10.0]
    names = {"py": "x_a, x_b, double_0, double_1, input_4, exp_", "c": "x_a, x_b, double_0, double_1, input_4, exp_"}[suffix]
    assert f"predict({names}" in path.read_text()


def test_results_keep_their_form_in_python(tmp_path: Path) -> None:
    def forms(a: Any) -> list[Any]:
        return [
            a[0],
            [a[0]],
            [a[0] + 1, a[1], 0.5],
            [[a[0], a[1]], [a[1], a[0]]],
            {"first": a[1], 2: (a[0], [a[1], [a[0]]]), "none": []},
            (a[0],),
        ]

    for k, wanted in enumerate(forms([1.0, 2.0])):
        file = exported(lambda x, k=k: forms(x)[k], tmp_path, "py", [5.0, 6.0], outputs=1)
        assert repr(file.names["predict"]([1.0, 2.0])) == repr(wanted)


@dataclasses.dataclass
class Two:
    """What a function may return."""

    first: Any
    others: list[Any]


def test_a_dataclass_becomes_a_dict_in_python(tmp_path: Path) -> None:
    """Mistake: it ended in an internal error."""
    file = exported(lambda x: [x, Two(x * w[0], [x, w[1]])], tmp_path, "py", 1.0, outputs=4)
    assert file.names["predict"](5.0) == [5.0, {"first": 10.0, "others": [5.0, 3.0]}]


def test_derivatives_have_the_form_of_the_arguments_in_python(tmp_path: Path) -> None:
    cube = np.arange(24.0).reshape(2, 3, 4)
    file = exported(lambda x, y: y * math.fsum([a * a for b in x for c in b for a in c]), tmp_path, "py", cube, 1.0, outputs=1)
    assert file.names["gradient"](cube.tolist(), 3.0) == ((6 * cube).tolist(), float((cube**2).sum()))
    assert file.names["gradient"](cube, np.float64(3.0), cotangent=0.5) == ((3 * cube).tolist(), float((cube**2).sum() / 2))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_depends_on_no_argument(suffix: str, tmp_path: Path) -> None:
    """Results that are constants, variables, or computed from these alone; and arguments that nothing depends on."""

    def f(x: Any, unused: Any) -> Any:  # noqa: ARG001 - what this is about
        return [w[0], 0.25, math.exp(w[0]) * w[1], math.select(w, w[0] - 1.0), math.logsumexp(w), x * math.hypot(*w)]

    file = exported(f, tmp_path, suffix, 1.0, [1.0, 2.0], outputs=6)
    wanted = [v.data if isinstance(v, Value) else v for v in f(Value(0.5), None)]
    same(file.predict(0.5, [0.0, 0.0]), wanted)
    assert file.gradient(0.5, [0.0, 0.0], by=[1.0] * 6).tolist() == [python_math.hypot(2.0, 3.0), 0.0, 0.0]
    assert "hypot(" not in file.path.read_text()  # it is a number by now


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lookups(suffix: str, tmp_path: Path) -> None:
    """In a table of parameters and in one of the arguments. There is no derivative by an index; one that there is not is an
    error in Python, and gives NaN in C.
    """

    def f(i: Any, x: Any) -> Any:
        return math.select(w, i) * math.select(x, i)

    for example_index in (0, 0.0):
        file = exported(f, tmp_path, suffix, example_index, [1.0, 2.0], outputs=1, trained=[2])
        assert file.predict(1, [5.0, 7.0]).tolist() == [21.0]
        assert file.gradient(1, [5.0, 7.0]).tolist() == [0.0, 3.0]
        if suffix == "c":
            break  # a library of the same name is not loaded again
    for wrong in (2, -1, 0.5, np.nan, np.inf):
        if suffix == "c":
            assert np.isnan(file.predict(wrong, [5.0, 7.0]))
            file.gradient(wrong, [5.0, 7.0])  # reads and writes nothing outside of the arrays
        else:
            with pytest.raises(IndexError, match="an index that is a whole number from 0 to 1, not"):
                file.predict(wrong, [5.0, 7.0])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lookups_alone_have_no_gradient(suffix: str, tmp_path: Path) -> None:
    file = exported(lambda i: math.select(w, i), tmp_path, suffix, 0, outputs=1)
    assert file.predict(1).tolist() == [3.0]
    assert "gradient" not in file.path.read_text()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_chains_are_exported_as_they_are_written(suffix: str, tmp_path: Path) -> None:
    """A largest one in a loop, a product of 300 factors, which was a RecursionError, and a recurrence; equal numbers, too."""

    def f(x: Any) -> Any:
        largest, smallest, state = x[0], x[0], x[1]
        for y in x[1:]:
            largest, smallest = math.maximum(largest, y), math.minimum(y, smallest)
        for k in range(50):
            state = math.tanh(state * w[0] + x[k % 3]) - 0.25 * state
        return largest * w[1] + math.prod([math.cos(y / 8) for y in x] * 60) * state + smallest

    file = exported(f, tmp_path, suffix, [0.0] * 5, outputs=1, trained=[5])
    for x in ([0.3, -0.5, 0.25, 0.3, 0.3], [1.0, 1.0, 1.0, 1.0, 1.0], [0.1, 0.2, -0.4, 0.4, -0.4]):
        leaves = [Value(number) for number in x]
        result = f(leaves)
        result.backward()
        same(file.predict(x), [result.data])
        same(file.gradient(x), [leaf.grad for leaf in leaves], off=1e-13)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hypot_of_one_number(suffix: str, tmp_path: Path) -> None:
    """It is the size of that number; C's function takes two."""
    file = exported(lambda x: math.hypot(x), tmp_path, suffix, 1.0, outputs=1)  # noqa: PLW0108 - a function of one argument
    assert (file.predict(-3.0).tolist(), file.gradient(-3.0).tolist()) == ([3.0], [-1.0])


# Files


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_large_models_are_loops(suffix: str, tmp_path: Path) -> None:
    """Besides the tables, a network of 100 inputs and 50 neurons takes few lines; and no number is written twice."""
    rng = random.Random(0)
    first, second = [[[Value(rng.random()) for _ in range(n)] for _ in range(m)] for m, n in ((50, 100), (3, 50))]

    def f(x: Any) -> Any:
        hidden = [math.tanh(math.sumprod(row, x)) for row in first]
        return [math.sumprod(row, hidden) for row in second]

    text = export(f, tmp_path / f"f.{suffix}", [0.0] * 100).read_text()
    numbers = [line for line in text.splitlines() if line.startswith("    0.") or line[4:8].strip().isdigit()]
    assert len(text.splitlines()) - len(numbers) < 120
    assert all(text.count(repr(v.data)) == 1 for row in first for v in row)


def test_the_same_function_gives_the_same_bytes(tmp_path: Path) -> None:
    """A compiled one, too."""
    for suffix in ("py", "c"):
        a = export(_parabola, tmp_path / f"a.{suffix}", 0.0).read_bytes()
        compiled = autograd.compile(_parabola, dtype="float32")
        assert export(compiled, str(tmp_path / f"a.{suffix}"), 0.0).read_bytes() == a


def test_a_function_is_recorded_once(tmp_path: Path) -> None:
    """Afterwards it is called again, to see that it does the same: once with a Value, and once with a number."""
    calls = []

    def f(x: Any) -> Any:
        calls.append((modes.is_compiling(), type(x)))
        return w[0] * x

    export(f, tmp_path / "f.py", 1.0)
    assert calls == [(True, Value), (False, Value), (False, float)]


def test_a_file_keeps_the_numbers_of_values_that_are_hidden(tmp_path: Path) -> None:
    """Where a compiled function would miss another Value in their place, the file is to stay what it is."""
    take = iter([Value(3.0)] * 3).__next__
    file = exported(lambda x: take() * x, tmp_path, "py", 1.0, outputs=1)
    assert (file.predict(5.0).tolist(), file.gradient(5.0).tolist()) == ([15.0], [3.0])


def _parabola(x: Any) -> Any:
    return w[0] * x * x


def test_python_files_say_how_to_use_them(tmp_path: Path) -> None:
    text = export(_parabola, tmp_path / "parabola.py", 0.0).read_text()
    assert text.startswith(
        '"""_parabola.\n\nPrediction and gradient of one example at a time, in plain Python. Written by scalar-autograd.\n\n'
        "    from parabola import gradient, predict\n\n    predict(x)\n    gradient(x, cotangent=1.0)\n\n    x: a number\n"
    )
    assert "import parabola" not in export(_parabola, tmp_path / "not-a-name.py", 0.0).read_text()


def test_a_comment_is_not_left_by_a_name(tmp_path: Path) -> None:
    """Mistake: what ends a comment, in the name of a function or of a file, would end it."""

    class Named:
        def __repr__(self) -> str:
            return '*/ """ \\ é\nsecond line'

        def __call__(self, x: Any) -> Any:
            return w[0] * x

    for suffix in ("py", "c"):
        text = export(Named(), tmp_path / f"a'é b.{suffix}", 0.0).read_text()
        assert text.isascii()
        assert "second line" not in text
        if suffix == "c":
            assert text.count("*/") == 1
        else:
            compile(text, "f", "exec")


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.py"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        export(_parabola, path, 0.0)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_text() == "old"


# Mistakes


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"export\(\) writes files that end in .py or .c, not '.*f.js'"):
        export(_parabola, tmp_path / "f.js", 0.0)
    with pytest.raises(
        FileNotFoundError, match=r"cannot write f.c, because the folder '.*none' does not exist: create it first"
    ):
        export(_parabola, tmp_path / "none" / "f.c", 0.0)
    with pytest.raises(TypeError, match=r"needs an example of the arguments, to record what .*: export\(fn, path, "):
        export(_parabola, tmp_path / "f.c")
    with pytest.raises(RecordingError, match="the truth of a Value was asked for"):
        export(lambda x: x if x > 0 else -x, tmp_path / "f.c", 1.0)
    with pytest.raises(TypeError, match=r"export\(\) expects a function of one example, not int 3"):
        export(3, tmp_path / "f.c", 1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"which holds no Value|expected Values"):
        export(lambda x: "text", tmp_path / "f.c", 1.0)  # noqa: ARG005
    with pytest.raises(TypeError, match="x holds Values"):
        export(_parabola, tmp_path / "f.c", Value(1.0))
    with pytest.raises(RecordingError, match="the function _parabola was exported in a function that autograd.compile records"):
        autograd.compile(lambda x: export(_parabola, tmp_path / "f.c", 1.0) and x)([1.0])
    assert not [*tmp_path.iterdir()]


def test_a_function_that_changes_is_refused(tmp_path: Path) -> None:
    """As when it is compiled."""
    counter = itertools.count()

    def changing(x: Any) -> Any:
        return x * next(counter)

    with pytest.raises(RecordingError, match="the function changing: recorded, the function gives 0.0 .* called again, 1.0"):
        export(changing, tmp_path / "f.c", 1.0)
    assert not [*tmp_path.iterdir()]


def test_mistakes_in_calls_of_the_file(tmp_path: Path) -> None:
    file = exported(lambda x: [x[0], w[0] * x[1]], tmp_path, "py", [1.0, 2.0], outputs=2)
    with pytest.raises(ValueError, match="x must hold 2 numbers, not 3"):
        file.names["predict"]([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="cotangents must hold 2 numbers, not 1"):
        file.names["gradient"]([1.0, 2.0], 1.0)
    with pytest.raises(TypeError, match="cotangents"):
        file.names["gradient"]([1.0, 2.0])
    with pytest.raises(ValueError, match="could not convert string"):
        file.names["predict"](["one", "two"])


def test_examples_that_are_no_floats_and_nested_ones(tmp_path: Path) -> None:
    """Mistake: a Fraction and a dict in itself ended in internal errors."""
    path = export(lambda x: x * 2.0, tmp_path / "fraction.py", fractions.Fraction(1, 2))
    assert runpy.run_path(str(path))["predict"](3.0) == 6.0
    nested: dict[str, Any] = {}
    nested["a"] = nested
    with pytest.raises(ValueError, match="nested in itself"):
        export(lambda x: x["a"], tmp_path / "nested.py", nested)
