"""How Python and C99 spell the operations, numbers, loops and tables of an exported program."""

from __future__ import annotations

import builtins
import functools
import inspect
import keyword
import math
import re
from types import CodeType
from typing import TYPE_CHECKING, Any

from autograd import kernels, ops
from autograd.compiler.loops import Loop, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autograd.ops import Op

_WIDTH = 100
"""How long the lines of tables are."""
_INFIX = {
    ops.add: "{0} + {1}",
    ops.sub: "{0} - {1}",
    ops.mul: "{0} * {1}",
    ops.neg: "-{0}",
    ops.square: "{0} * {0}",
    ops.detach: "{0}",
}
"""What both spell alike; the arguments are names, items or numbers, and need no brackets."""


def _rows(numbers: Iterable[str]) -> list[str]:
    """The ``numbers`` with commas between them, in indented lines of a readable length."""
    lines = [""]
    for number in numbers:
        if len(lines[-1]) + len(number) + 2 > _WIDTH:
            lines.append("")
        lines[-1] += f"{'' if lines[-1] else '    '}{' ' if lines[-1] else ''}{number},"
    return lines


class Python:
    """Plain Python, and its module ``math``."""

    end, indent = "", "    "
    reserved: re.Pattern[str]
    """Names that an exported file uses itself, or may not use."""

    def __init__(self) -> None:
        self.helpers: dict[str, str] = {}
        """Functions that the statements call, and what these need, by name."""

    def number(self, x: float) -> str:
        """A number, as it is written."""
        return repr(x) if math.isfinite(x) else f"{'-' if x < 0 else ''}math.{abs(x)!r}"

    def call(self, op: Op, args: Sequence[str]) -> str:
        """The expression for ``op`` at ``args``; it never raises, but gives what IEEE 754 gives."""
        if op in _PYTHON:
            return _PYTHON[op].format(*args)
        if op is ops.prod:
            return " * ".join(args)
        kernel: Any = op.on_floats
        if op in _RAISING:
            name, plain, otherwise = _RAISING[op]
            names = "a, b" if len(args) > 1 else "a"
            self.helpers[name] = (
                f"def {name}({names}):\n    try:\n        return {plain}\n"
                f"    except (ArithmeticError, ValueError):\n        return {otherwise}"
            )
        elif kernel.__module__ == kernels.__name__:
            name = self._source(kernel.__name__)
        else:
            name = kernel.__name__ if kernel.__module__ == "builtins" else f"{kernel.__module__}.{kernel.__name__}"
        return f"{name}({', '.join(args)})"

    def _source(self, name: str) -> str:
        """The ``name`` of something in ``autograd.kernels``, after taking in the source of it and of what it needs."""
        x = getattr(kernels, name)
        if name in self.helpers:
            return name
        if x is kernels.power:
            self.call(ops.power, ["", ""])
        elif not inspect.isfunction(x):
            self.helpers[name] = f"{name} = {x!r}"
        else:
            self.helpers[name] = ""  # or what refers to itself would be taken in again and again
            for other in _names(x.__code__):
                if other != "math" and hasattr(kernels, other):
                    self._source(other)
            del self.helpers[name]
            self.helpers[name] = re.sub(r"  # noqa.*", "", inspect.getsource(x)).rstrip()
        return name

    def item(self, index: str, size: int) -> str:
        """``index`` as that of one of ``size`` items; in the program, IndexError if it is none."""
        self.helpers["item"] = _PYTHON_ITEM
        return f"item({index}, {size})"

    def found(self, x: str) -> str:
        """``x``, an item at such an index."""
        return x

    def when(self, condition: str, statement: str) -> str:
        """The statement, if the condition holds."""
        return f"if {condition}: {statement}"

    def loop(self, loop: Loop) -> str:
        """The head of a loop."""
        return f"for {loop.variable} in range({loop.stop if loop.start == '0' else f'{loop.start}, {loop.stop}'}):"

    def table(self, name: str, numbers: Sequence[float], shape: Sequence[int]) -> str:
        """The definition of constant numbers."""
        about = f"  # {' x '.join(map(str, shape))}" if len(shape) > 1 else ""
        return "\n".join([f"{name} = ({about}", *_rows([self.number(x) for x in numbers]), ")"])


class C:
    """C99 and its ``math.h``."""

    end, indent = ";", "    "
    reserved: re.Pattern[str]
    """Names that an exported file uses itself, or that C, C++ or a common macro has, and so may not be those of arguments."""

    def __init__(self) -> None:
        self.helpers: dict[str, str] = {}
        """Functions that the statements call, and what these need, by name."""

    def number(self, x: float) -> str:
        """A number, as it is written."""
        return repr(x) if math.isfinite(x) else "NAN" if math.isnan(x) else "INFINITY" if x > 0 else "-INFINITY"

    def call(self, op: Op, args: Sequence[str]) -> str:
        """The expression for ``op`` at ``args``; ExportError if C has none."""
        if op in _C:
            return _C[op].format(*args)
        if op is ops.prod:
            return " * ".join(args)
        if op in _C_HELPERS:
            if op is ops.softplus:
                self.helpers["relu"] = _C_HELPERS[ops.relu]
            if op is ops.clip:
                self.helpers |= {row.name: _C_HELPERS[row] for row in (ops.maximum, ops.minimum)}
            self.helpers[op.name] = _C_HELPERS[op]
            if op in (ops.maximum, ops.minimum):  # of two each time
                return functools.reduce(lambda y, arg: f"{op.name}({y}, {arg})", args)
            if op.arity is None:
                return self._of_an_array(op.name, args)
            return f"{op.name}({', '.join(args)})"
        if op not in _C_FUNCTIONS:
            msg = f"{op.name} ({op.label}) is no function of C's math.h, so there can be no .c file: export to a .py file"
            raise ValueError(msg)
        if op is ops.hypot and len(args) == 1:
            args = [*args, "0.0"]
        return f"{_C_FUNCTIONS[op]}({', '.join(args)})"

    def _of_an_array(self, name: str, args: Sequence[str]) -> str:
        """Return the call of the function ``name``, which takes an array in C, by one that takes so many arguments."""
        names = [f"a{i}" for i in range(len(args))]
        self.helpers[f"{name}{len(args)}"] = (
            f"static double {name}{len(args)}({', '.join([f'double {a}' for a in names])})\n{{\n"
            f"    double a[] = {{{', '.join(names)}}};\n    return {name}({len(args)}, a);\n}}"
        )
        return f"{name}{len(args)}({', '.join(args)})"

    def item(self, index: str, size: int) -> str:
        """``index`` as that of one of ``size`` items, -1 if it is none."""
        self.helpers["item"] = _C_ITEM
        return f"item({index}, {size})"

    def found(self, x: str) -> str:
        """``x``, an item at such an index; NaN if there is none."""
        return f"at < 0 ? NAN : {x}"

    def when(self, condition: str, statement: str) -> str:
        """The statement, if the condition holds."""
        return f"if ({condition}) {statement}"

    def loop(self, loop: Loop) -> str:
        """The head of a loop."""
        return f"for (int {loop.variable} = {loop.start}; {loop.variable} < {loop.stop}; {loop.variable}++) {{"

    def table(self, name: str, numbers: Sequence[float], shape: Sequence[int]) -> str:
        """The definition of constant numbers."""
        kind = "int" if isinstance(numbers[0], int) else "double"
        about = f" /* {' x '.join(map(str, shape))} */" if len(shape) > 1 else ""
        head = f"static const {kind} {name}[{len(numbers)}] = {{{about}"
        return "\n".join([head, *_rows([self.number(x) for x in numbers]), "};"])


def _names(code: CodeType) -> list[str]:
    """The names that a function's code mentions, those in its comprehensions among them."""
    inside = [name for x in code.co_consts if isinstance(x, CodeType) for name in _names(x)]
    return [*code.co_names, *inside]


def rendered(language: Python | C, statements: Iterable[Statement], depth: int = 1) -> list[str]:
    """The lines of ``statements``."""
    lines = []
    for statement in statements:
        if isinstance(statement, Loop):
            lines += [language.indent * depth + language.loop(statement), *rendered(language, statement.body, depth + 1)]
            lines += [language.indent * depth + "}"] if language.end else []
        else:
            lines.append(language.indent * depth + statement + language.end)
    return lines


_PYTHON = _INFIX | {
    ops.where: "{1} if {0} else {2}",
    ops.equal: "float({0} == {1})",
    ops.not_equal: "float({0} != {1})",
    ops.less: "float({0} < {1})",
    ops.less_equal: "float({0} <= {1})",
}
_NAN, _INF = "math.nan", "math.inf"
_POWER = (
    "power",
    "math.pow(a, b)",
    "math.nan if a < 0.0 and b % 1.0 else math.copysign(math.inf, a) if b % 2.0 == 1.0 else math.inf",
)
_BY_ZERO = "math.nan if a == 0.0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)"
_RAISING = {
    ops.div: ("div", "a / b", _BY_ZERO),
    ops.floordiv: ("floordiv", "a // b", _BY_ZERO),
    ops.mod: ("mod", "a % b", _NAN),
    ops.powc: _POWER,
    ops.power: _POWER,
} | {
    op: (op.name, f"math.{op.name}(a{', b' if len(op.domain) > 1 else ''})", otherwise)
    for otherwise, some in {
        _INF: (ops.exp, ops.exp2, ops.expm1, ops.cosh),
        _NAN: (ops.sqrt, ops.sin, ops.cos, ops.tan, ops.asin, ops.acos, ops.acosh, ops.fmod),
        "math.nan if a < 0.0 else -math.inf": (ops.log, ops.log2, ops.log10),
        "math.nan if a < -1.0 else -math.inf": (ops.log1p,),
        "math.copysign(math.inf, a)": (ops.sinh,),
        "math.copysign(math.inf, a) if abs(a) == 1.0 else math.nan": (ops.atanh,),
    }.items()
    for op in some
}
"""What Python's functions raise for: the name of the one that does not, Python's expression, and what there is instead."""
_PYTHON_ITEM = '''def item(x, size):
    """``x`` as the index of one of ``size`` items."""
    if not (0.0 <= x < size and x == int(x)):
        raise IndexError(f"expected an index that is a whole number from 0 to {size - 1}, not {x!r}")
    return int(x)'''

_C = _INFIX | {
    ops.div: "{0} / {1}",
    ops.where: "{0} != 0.0 ? {1} : {2}",
    ops.equal: "{0} == {1}",
    ops.not_equal: "{0} != {1}",
    ops.less: "{0} < {1}",
    ops.less_equal: "{0} <= {1}",
}
_C_FUNCTIONS = {
    row: row.name
    for row in (
        *(
            ops.sqrt,
            ops.cbrt,
            ops.exp,
            ops.exp2,
            ops.expm1,
            ops.log,
            ops.log2,
            ops.log10,
            ops.log1p,
            ops.tanh,
            ops.erf,
            ops.erfc,
        ),
        *(
            ops.sin,
            ops.cos,
            ops.tan,
            ops.asin,
            ops.acos,
            ops.atan,
            ops.atan2,
            ops.sinh,
            ops.cosh,
            ops.asinh,
            ops.acosh,
            ops.atanh,
        ),
        *(ops.floor, ops.rint, ops.fmod, ops.remainder, ops.lgamma, ops.hypot, ops.copysign),
    )
} | {ops.absolute: "fabs", ops.powc: "pow", ops.power: "pow", ops.gamma: "tgamma"}
_C_HELPERS = {
    ops.relu: "static double relu(double a) { return a <= 0.0 ? 0.0 : a; }",
    ops.sign: "static double sign(double a) { return a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : a + 0.0; }",
    ops.maximum: "static double maximum(double a, double b) { return a >= b || isnan(a) ? a : b; }",
    ops.minimum: "static double minimum(double a, double b) { return a <= b || isnan(a) ? a : b; }",
    ops.floordiv: """static double floordiv(double a, double b)
{
    double m = fmod(a, b), d = (a - m) / b;
    if (b == 0.0) return a / b;
    if (m != 0.0 && (b < 0.0) != (m < 0.0)) d -= 1.0;
    if (d == 0.0) return copysign(0.0, a / b);
    return d - floor(d) > 0.5 ? floor(d) + 1.0 : floor(d);
}""",
    ops.mod: """static double mod(double a, double b)
{
    double m = fmod(a, b);
    return m == 0.0 ? copysign(0.0, b) : (b < 0.0) != (m < 0.0) ? m + b : m;
}""",
    ops.clip: "static double clip(double a, double low, double high) { return minimum(maximum(a, low), high); }",
    ops.semicircle: "static double semicircle(double a) { return sqrt((1.0 - a) * (1.0 + a)); }",
    ops.inversion: "static double inversion(double a, double b) { return a / hypot(a, b) / hypot(a, b); }",
    ops.sigmoid: """static double sigmoid(double a)
{
    double e = exp(-fabs(a));
    return (a >= 0.0 ? 1.0 : e) / (1.0 + e);
}""",
    ops.sech: """static double sech(double a)
{
    double e = exp(-fabs(a));
    return 2.0 * e / (1.0 + e * e);
}""",
    ops.xlogy: "static double xlogy(double a, double b) { return a == 0.0 && !isnan(b) ? 0.0 : a * log(b); }",
    ops.var: """static double var(int n, const double *a)
{
    double mean = 0.0, squares = 0.0;
    for (int i = 0; i < n; i++) mean += (0.5 * a[i] - 0.5 * a[0]) / n;
    for (int i = 0; i < n; i++) squares += (0.5 * a[i] - 0.5 * a[0] - mean) * (0.5 * a[i] - 0.5 * a[0] - mean);
    return 4.0 * (squares / n);
}""",
    ops.softplus: "static double softplus(double a) { return log1p(exp(-fabs(a))) + relu(a); }",
}
_C_ITEM = """static int item(double x, int size)
{
    return x >= 0.0 && x < size && x == floor(x) ? (int)x : -1;
}"""


_C_WORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while alignas alignof
bool constexpr false nullptr static_assert thread_local true typeof typeof_unqual asm fortran

and and_eq bitand bitor catch char8_t char16_t char32_t class co_await co_return co_yield compl concept const_cast
consteval constinit contract_assert decltype delete dynamic_cast explicit export final friend import module mutable
namespace new noexcept not not_eq operator or or_eq override private protected public reflexpr reinterpret_cast
requires static_cast synchronized template this throw try typeid typename using virtual wchar_t xor xor_eq std

alloca assert complex errno imaginary math_errhandling noreturn offsetof setjmp stderr stdin stdout unix linux hpux
sun sparc mips vax sgi arm cdecl far huge hyper interface near pascal small vector pixel major minor min max
"""
"""The keywords of C, to C23; those of C++, to C++26; and macros in small letters, of headers and of compilers."""
_OWN = "predict|gradient|cotangents?|inputs|outputs|total|at|item|[stuvmijkl]|theta|constants|[A-Za-z]+\\d+"
"""What files in both languages use: functions, arguments, arrays, variables of loops and tables."""
Python.reserved = re.compile(
    "|".join(
        [
            _OWN,
            "math|numbers",
            *ops.TABLE,
            *[name for name in vars(kernels) if not name.startswith("_")],
            *dir(builtins),
            *keyword.kwlist,
        ]
    )
)
C.reserved = re.compile(
    "|".join(
        [
            _OWN,
            *[_C_FUNCTIONS.get(row, row.name) for row in ops.TABLE.values()],
            "floor|isnan|signgam|main",
            "[A-Z][A-Z0-9_]+|I",  # macros: M_PI, NULL, EOF
            *_C_WORDS.split(),
        ]
    )
)
