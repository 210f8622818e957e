"""Arguments may be called anything: what is made of a function compiles, in each language, and gives its numbers."""

from __future__ import annotations

import ctypes
import math as python_math
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import autograd
from autograd import Value, math
from autograd.compiler.executors.numpy import RESERVED
from autograd.compiler.export.c import C
from autograd.compiler.export.python import Python
from autograd.compiler.names import distinct

if TYPE_CHECKING:
    from pathlib import Path

OURS, PYTHONS, CS = (
    text.split()
    for text in (
        """
        x d_x d_ d__x d_d_x d_v d_inputs _ __ ___ _x _X __x __init__ __name__ X__y x_ x__ x___ predict gradient cotangent
        cotangents inputs outputs output total at item numbers flat name count found rest v t u m s i j k l p q r B W b W1 b1
        c1 rows1 starts1 mask1 i5 x_1 x_2 x_2_ input_0 input_1 theta constants ones examples seed result step check view index
        differentiate hot hot1 range1 filled_s numbers_v np dot relu relu_array maximum sigmoid sech power constant f exported
        argument_0
        """,
        """
        self cls match case type False_ print float range len list tuple abs isinstance hasattr reversed ValueError IndexError
        object math exec int complex bool str Ellipsis NotImplemented __builtins__ __file__ __debug_ args kwargs lambda_
        """,
        """
        sin exp y0 y1 j0 j1 jn yn gamma lgamma tgamma signal index fabs pow floor isnan isinf signgam nan log log1p hypot
        copysign printf malloc free exit read write time new this bool true false class_ template restrict inline M_PI M_PI_2
        M_E linux unix i386 math_errhandling isfinite signbit NULL INFINITY NAN EOF HUGE_VAL FP_NAN DOMAIN OVERFLOW I complex
        imaginary errno double char void auto register volatile signed unsigned struct union enum typedef sizeof static extern
        switch default do goto const long short main and_eq alignas alignof char8_t char16_t char32_t wchar_t concept co_await
        co_return co_yield _Bool _Complex _Generic _Pragma _Static_assert asm __asm__ typeof typeof_unqual nullptr constexpr
        consteval constinit decltype delete dynamic_cast explicit export friend mutable namespace noexcept operator private
        protected public reinterpret_cast requires static_cast throw typeid typename using virtual xor xor_eq compl bitand
        bitor catch bitor near far huge pascal cdecl interface small stdin stdout stderr size_t int8_t double_t float_t FILE
        std min max __FILE__ __LINE__ __func__ __cplusplus __attribute__
        """,
    )
)
UNICODE = ["größe", "名前", "µ", "x́", "ﬁ", "𝐲", "ℝ", "ǅ", "Ａ"]
LONG = ["a" * 1_000, "a" * 1_000 + "b", "a" * 70, "d_" + "b" * 300, "_" * 500 + "c"]
NAMES = [*dict.fromkeys([*OURS, *PYTHONS, *CS, *UNICODE, *LONG])]
ALONE = [*OURS[:24], "numbers", "float", "len", "math", "sin", "new", "bool", "M_PI", "linux", "I", *UNICODE[:3], *LONG[2:]]
"""Those that are tried alone as well: most of all, names that the sources have themselves."""
DIALECTS = [
    *[("gcc", "c", standard) for standard in ("c99", "gnu99", "c11", "gnu17", "c17", "c2x")],
    *[("g++", "c++", standard) for standard in ("c++11", "c++17", "gnu++17", "c++20", "gnu++20")],
]


def _function(names: list[str], body: str) -> Any:
    """A function whose arguments have these ``names`` and are the list ``each`` in its ``body``."""
    space: dict[str, Any] = {"the_math": math}
    exec(f"def f({', '.join(names)}, /):\n    each = [*locals().values()]\n    return {body}", space)  # noqa: S102 - its own source
    return space["f"]


EVERY_ROW = (
    "the_math.fsum([the_math.exp(-x * x) * the_math.sin(x) + the_math.tanh(x) * the_math.fabs(x)"
    " + the_math.relu(x) * the_math.pow(x, 2) + the_math.sigmoid(x) + the_math.maximum(x, 0.5)"
    " + the_math.copysign(x, -1.0) / (x + 10.0) for x in each])"
)


def _expected(numbers: list[float]) -> float:
    return python_math.fsum(
        [
            python_math.exp(-x * x) * python_math.sin(x)
            + python_math.tanh(x) * abs(x)
            + max(x, 0.0) * x**2
            + 1 / (1 + python_math.exp(-x))
            + max(x, 0.5)
            - abs(x) / (x + 10.0)
            for x in numbers
        ]
    )


NUMBERS = [0.01 * k for k in range(len(NAMES))]


def _c_numbers(numbers: list[float]) -> list[Any]:
    return [(ctypes.c_double * 1)(x) for x in numbers]


@pytest.mark.parametrize(("compiler", "language", "standard"), DIALECTS)
def test_c_files_compile_as_c_and_as_cpp(compiler: str, language: str, standard: str, tmp_path: Path) -> None:
    """Mistake: an argument called new, this, bool, M_PI or linux; a function of C's in the place of an argument."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    path = autograd.export(_function(NAMES, EVERY_ROW), tmp_path / "f.c", *[0.5] * len(NAMES))
    flags = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared"]
    subprocess.run([compiler, "-x", language, f"-std={standard}", *flags, "-o", tmp_path / "f.so", path, "-lm"], check=True)
    library: Any = ctypes.CDLL(str(tmp_path / "f.so"))  # by the names predict and gradient, so there is an extern "C"
    out = (ctypes.c_double * 1)()
    library.predict(*_c_numbers(NUMBERS), out)
    assert out[0] == pytest.approx(_expected(NUMBERS), rel=1e-12)
    slopes = _c_numbers([0.0] * len(NAMES))
    library.gradient(*_c_numbers(NUMBERS), ctypes.c_double(1.0), *slopes)
    h = 1e-6
    for k in (0, 40, len(NAMES) - 1):
        x = NUMBERS[k]
        assert slopes[k][0] == pytest.approx((_expected([x + h]) - _expected([x - h])) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("suffix", ["c", "py"])
@pytest.mark.parametrize("name", ALONE, ids=lambda name: f"{name[:20]!a}")
def test_a_name_alone(name: str, suffix: str, tmp_path: Path) -> None:
    """The only argument is what is differentiated by, and its derivative is called after it. Mistake: `d_x` was never done."""
    path = autograd.export(_function([name], EVERY_ROW), tmp_path / f"f.{suffix}", 0.5)
    text = path.read_text()
    if suffix == "py":
        names: dict[str, Any] = {}
        exec(compile(text, path, "exec"), names)  # noqa: S102 - it is to be run
        assert names["predict"](1.25) == pytest.approx(_expected([1.25]), rel=1e-12)
        assert names["gradient"](1.25) == pytest.approx((_expected([1.25 + 1e-6]) - _expected([1.25 - 1e-6])) / 2e-6, rel=1e-6)
    else:
        (written,) = re.findall(r"(?m)^void predict\(const double \*(\w+), double \*outputs\);", text)
        assert f"double *d_{written})" in text
        assert len(f"d_{written}") <= 63  # as many as a C99 compiler looks at


def test_python_files_run_whatever_the_arguments_are_called(tmp_path: Path) -> None:
    path = autograd.export(_function(NAMES, EVERY_ROW), tmp_path / "f.py", *[0.5] * len(NAMES))
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), path, "exec"), names)  # noqa: S102 - it is to be run
    assert names["predict"](*NUMBERS) == pytest.approx(_expected(NUMBERS), rel=1e-12)
    assert len(names["gradient"](*NUMBERS)) == len(NAMES)


@pytest.mark.parametrize("names", [*[[name] for name in ALONE], NAMES], ids=lambda names: f"{names[0][:20]!a} {len(names)}")
def test_compiled_functions_run_whatever_their_arguments_are_called(names: list[str]) -> None:
    w = Value(1.0)
    f = _function(names, EVERY_ROW)
    compiled = autograd.compile(lambda *x: w * f(*x), reduction="sum")
    numbers = NUMBERS[: len(names)]
    named = autograd.compile(f, parameters=[w], reduction="sum")
    assert compiled(*[[x, x] for x in numbers]).data == pytest.approx(2 * _expected(numbers), rel=1e-12)
    assert named(*[[x, x] for x in numbers]).data == pytest.approx(2 * _expected(numbers), rel=1e-12)


def test_keywords_and_keys_need_not_be_names() -> None:
    """Keyword arguments and the keys of dicts are any text. Mistake: `1` became `1_`, which is no name either."""
    odd = ["1", "", " ", "a b", "a-b", "a\nb", "class", "x²", "𐄇", "d_x", "a b_", "é" * 300, "'", '"""', "\x00", "\ud800"]

    def f(table: Any, **more: Any) -> Any:
        return math.fsum(table.values()) + math.fsum(more.values()) * 2

    numbers = {name: [float(k)] for k, name in enumerate(odd)}
    total = sum(range(len(odd)))
    assert autograd.compile(f, reduction=None)(numbers, **numbers).tolist() == [3.0 * total]


def test_derivatives_have_names_of_their_own(tmp_path: Path) -> None:
    """An argument `d_x` beside `x`, whose derivative has that name; and two that would be called alike."""
    text = autograd.export(
        _function(["x", "d_x", "new", "new_", "_x"], "each[0] * each[1] + each[2]"), tmp_path / "f.c", *[1.0] * 5
    )
    assert "d_x, double *d_x_d_x, double *d_new_, double *d_new_2_, double *d_x_x)" in text.read_text()


def test_a_name_is_kept_where_it_can_be() -> None:
    kept = ["x", "weights", "X", "h_t", "x_1", "größe", "new"]
    assert distinct(kept, RESERVED) == kept
    assert distinct(kept, C.reserved) == [*kept[:-1], "new_"]
    assert distinct(["len", "new", "x"], Python.reserved) == ["len_", "new", "x"]


@pytest.mark.parametrize("stem", ["class", "1st", "a b", "é", "-", "d_x"])
def test_any_name_of_a_file(stem: str, tmp_path: Path) -> None:
    """What the comments say to import, and to define, can be."""
    text = autograd.export(_function(["x"], "each[0]"), tmp_path / f"{stem}.py", 1.0).read_text()
    imported = re.findall("(?m)^    (from .*)$", text)
    assert len(imported) == (stem in {"é", "d_x"})
    compile("\n".join(imported), "f", "exec")
    text = autograd.export(_function(["x"], "each[0]"), tmp_path / f"{stem}.c", 1.0).read_text()
    assert all(name.isidentifier() for name in re.findall(r"-Dpredict=(\S*)", text))


@pytest.mark.parametrize("count", [11, 255])
def test_the_numbers_behind_names_are_told_apart(count: int) -> None:
    """Mistake: `x_2` and a 55 behind it were called as `x_25` and a 5 behind that, so that a column was added up twice."""
    w = Value(1.0)
    total = autograd.compile(lambda *x: w * math.fsum([-each for each in x]), reduction="sum")
    assert total(*[[float(k)] for k in range(count)]).data == -count * (count - 1) / 2
    names = [f"x_{k}" for k in range(count)]
    named = autograd.compile(_function(names, "the_math.fsum([-x for x in each])"), reduction=None)
    assert named(*[[float(k)] for k in range(count)]).tolist() == [-count * (count - 1) / 2]
