"""C99, with its ``math.h``, as a language to export to. The files are C++ as well."""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING

from autograd import ops
from autograd.compiler.export.file import Loop
from autograd.compiler.export.language import INFIX, OWN, lines, table
from autograd.compiler.export.loops import at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd.compiler.export.file import Exported, Function, Table
    from autograd.ops import Op

_FORMULAS = INFIX | {
    ops.div: "{0} / {1}",
    ops.where: "{0} != 0.0 ? {1} : {2}",
    ops.equal: "{0} == {1}",
    ops.not_equal: "{0} != {1}",
    ops.less: "{0} < {1}",
    ops.less_equal: "{0} <= {1}",
}
_FUNCTIONS = {
    ops.TABLE[name]: name
    for name in (
        *("sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "tanh", "erf", "erfc", "lgamma", "hypot"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh"),
        *("floor", "rint", "fmod", "remainder", "copysign"),
    )
} | {ops.absolute: "fabs", ops.powc: "pow", ops.power: "pow", ops.gamma: "tgamma"}
"""Functions of math.h."""
_HELPERS = {
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
_ITEM = """static int item(double x, int size)
{
    return x >= 0.0 && x < size && x == floor(x) ? (int)x : -1;
}"""
_CPP = "#ifdef __cplusplus\n{}\n#endif"
_WORDS = """
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


class C:
    """C99: see :class:`~autograd.compiler.export.language.Language`."""

    suffix, end, close = ".c", ";", "}"
    reserved = re.compile(
        "|".join(
            [
                OWN,
                *[_FUNCTIONS.get(row, row.name) for row in ops.TABLE.values()],
                "floor|isnan|signgam|main",
                "[A-Z][A-Z0-9_]+|I",  # macros: M_PI, NULL, EOF
                *_WORDS.split(),
            ]
        )
    )

    def __init__(self) -> None:
        self._helpers: dict[str, str] = {}
        """The functions that statements call, and what these need, by name."""

    def number(self, x: float) -> str:
        """Spell a number."""
        return repr(x) if math.isfinite(x) else "NAN" if math.isnan(x) else "INFINITY" if x > 0 else "-INFINITY"

    def call(self, op: Op, args: Sequence[str]) -> str:
        """Spell an operation: as a formula, or as a call of a function of math.h or of ours."""
        if op in _FORMULAS:
            return _FORMULAS[op].format(*args)
        if op is ops.prod:
            return " * ".join(args)
        if op in _HELPERS:
            calls = set(re.findall(r"(\w+)\(", _HELPERS[op]))
            self._helpers |= {row.name: text for row, text in _HELPERS.items() if row is not op and row.name in calls}
            self._helpers[op.name] = _HELPERS[op]
            if op in (ops.maximum, ops.minimum):  # the function in C takes two arguments
                return functools.reduce(lambda y, arg: f"{op.name}({y}, {arg})", args)
            if op.arity is None:
                return self._of_an_array(op.name, args)
            return f"{op.name}({', '.join(args)})"
        if op not in _FUNCTIONS:
            msg = (
                f"{op.name} ({op.label}) is not in C's math.h, so the function cannot be exported to C: export it to a .py file"
            )
            raise ValueError(msg)
        if op is ops.hypot and len(args) == 1:
            args = [*args, "0.0"]
        return f"{_FUNCTIONS[op]}({', '.join(args)})"

    def _of_an_array(self, name: str, args: Sequence[str]) -> str:
        """Spell a call of the function ``name``, which takes an array in C, by a function of these arguments."""
        names = [f"a{i}" for i in range(len(args))]
        self._helpers[f"{name}{len(args)}"] = (
            f"static double {name}{len(args)}({', '.join([f'double {a}' for a in names])})\n{{\n"
            f"    double a[] = {{{', '.join(names)}}};\n    return {name}({len(args)}, a);\n}}"
        )
        return f"{name}{len(args)}({', '.join(args)})"

    def item(self, index: str, size: int) -> str:
        """Spell an index. A wrong one becomes -1."""
        self._helpers["item"] = _ITEM
        return f"item({index}, {size})"

    def found(self, x: str) -> str:
        """Spell an item at an index: NaN if the index is wrong."""
        return f"at < 0 ? NAN : {x}"

    def when(self, condition: str, statement: str) -> str:
        """Spell a condition."""
        return f"if ({condition}) {statement}"

    def loop(self, loop: Loop) -> str:
        """Spell the head of a loop."""
        return f"for (int {loop.variable} = {loop.start}; {loop.variable} < {loop.stop}; {loop.variable}++) {{"

    def file(self, function: Exported, name: str) -> str:
        """Return the text of the file."""
        arrays = [f"const double *{a.name}" for a in function.arguments]
        inputs = ", ".join([a.name for a in function.arguments])
        signatures = [f"void predict({', '.join([*arrays, 'double *outputs'])})"]
        example = [f"double {', '.join([f'{a.name}[{a.size}]' for a in function.arguments])}, outputs[{function.outputs}];"]
        calls = [f"predict({inputs}, outputs);"]
        code = [self._function(function, function.predict, signatures[0])]
        about = [f"{a.name}: {a.about}" for a in function.arguments] + [f"outputs: {function.output}"]
        if function.gradient is not None:
            one = function.outputs == 1
            slopes = ", ".join([f"d_{a.name}" for a in function.trained])
            last = [
                "double cotangent" if one else "const double *cotangents",
                *[f"double *d_{a.name}" for a in function.trained],
            ]
            signatures.append(f"void gradient({', '.join([*arrays, *last])})")
            example += [f"double cotangents[{function.outputs}];"] * (not one)
            example.append(f"double {', '.join([f'd_{a.name}[{a.size}]' for a in function.trained])};")
            calls.append(f"gradient({inputs}, {'1.0' if one else 'cotangents'}, {slopes});")
            code.append(self._function(function, function.gradient, signatures[1]))
            about.append(f"{slopes}: {function.derivatives}")
        if function.looked_up:
            about.append("A result is NaN where an index is not a whole number within its table.")
        parts = [part for part in (function.predict, function.gradient) if part]
        stack = max([sum([8 * size for _, size in part.arrays]) for part in parts])
        stem = re.sub(r"\W|^(?=\d)", "_", name.removesuffix(self.suffix), flags=re.ASCII)
        renamed = [f"-D{each}={stem}_{each}" for each in ("predict", "gradient")[: len(parts)]]
        head = [
            f"{function.title}.",
            "",
            f"{function.what} of one example at a time, in C99 that is C++ as well. Written by scalar-autograd.",
            "",
            "The functions need math.h only. They allocate no memory and keep no state, so several threads may call them at",
            f"once. A call takes {stack // 1024 + 1} KiB of the stack, or a little more.",
            "Compile without -ffast-math, which makes infinities and NaNs undefined, and link with -lm:",
            "",
            f"    cc -std=c99 -O2 -c {name.encode('ascii', 'replace').decode().replace('*/', '')}",
            "",
            "Declare and call, from C:",
            "",
            *[f"    {signature};" for signature in signatures],
            *[f"    {line}" for line in (*example, *calls)],
            "",
            *about,
            "",
            f"To use two such files in one program, compile this one with {' '.join(renamed)}.",
        ]
        comment = ["/*", *[f" * {line}".rstrip() for line in head], " */"]
        prototypes = [_CPP.format('extern "C" {'), *[f"{signature};" for signature in signatures], _CPP.format("}")]
        tables = [self._table(x) for x in function.tables]
        blocks = ["\n".join(comment), "\n".join(["#include <math.h>", *prototypes]), *tables, *self._helpers.values(), *code]
        return "\n\n".join(blocks) + "\n"

    def _table(self, x: Table) -> str:
        kind = "int" if isinstance(x.numbers[0], int) else "double"
        about = f" /* {' x '.join(map(str, x.shape))} */" if len(x.shape) > 1 else ""
        head = f"static const {kind} {x.name}[{len(x.numbers)}] = {{{about}"
        return "\n".join([head, *table(map(self.number, x.numbers)), "};"])

    def _function(self, function: Exported, part: Function, signature: str) -> str:
        """Return the definition of predict or of gradient.

        The statements read one array of all inputs that they differentiate by. If that is not the one argument, the function
        begins by copying the arguments to it, and gradient ends by copying parts of its derivatives:

            for (int i = 0; i < 2; i++) {
                inputs[3 + i] = y[i];
            }
        """
        body, is_gradient, apart = [*part.body], part is function.gradient, len(function.trained) != 1
        if not is_gradient and function.outputs == 1:
            body.append(f"outputs[0] = {at(function.results, ['0'])}")
        elif not is_gradient:
            body.append(Loop("i", "0", str(function.outputs), [f"outputs[i] = {at(function.results, ['i'])}"]))
        arrays = [(name, size) for name, size in part.arrays if apart or name != function.slopes]
        if apart:
            places = [(a, str(a.size), f"{start} + i" if start else "i") for start, a in function.places]
            if re.search(rf"\b{function.inputs}\b", "\n".join(lines(self, body))):
                body[:0] = [Loop("i", "0", size, [f"{function.inputs}[{place}] = {a.name}[i]"]) for a, size, place in places]
                arrays.append((function.inputs, sum([a.size for a in function.trained])))
            if is_gradient:
                body += [Loop("i", "0", size, [f"d_{a.name}[i] = {function.slopes}[{place}]"]) for a, size, place in places]
        written = lines(self, body)
        used = set(re.findall(r"\w+", "\n".join(written)))
        begin = [f"    double {name}[{size}];" for name, size in arrays] + ["    double total;"] * ("total" in used)
        begin += ["    int at;"] * ("at" in used)
        begin += ["    const double cotangents[1] = {cotangent};"] * (is_gradient and function.outputs == 1)
        arguments = [*[a.name for a in function.arguments], *["cotangents"] * is_gradient]
        begin += [f"    (void){name};" for name in arguments if name not in used]
        return "\n".join([signature, "{", *begin, *[""] * bool(begin), *written, "}"])
