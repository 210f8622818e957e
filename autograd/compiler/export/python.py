"""Plain Python, with its module ``math``, as a language to export to."""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import keyword
import math
import re
from types import CodeType
from typing import TYPE_CHECKING, Any

from autograd import kernels, ops
from autograd.compiler.calls import NUMBER
from autograd.compiler.export.language import INFIX, OWN, lines, table
from autograd.compiler.export.loops import at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autograd.compiler.export.file import Exported, Function, Loop, Table
    from autograd.ops import Op


class Python:
    """Python: see :class:`~autograd.compiler.export.language.Language`."""

    suffix, end, close = ".py", "", ""
    reserved = re.compile(
        "|".join(
            [
                *(OWN, "math|numbers"),
                *ops.TABLE,
                *[name for name in vars(kernels) if not name.startswith("_")],
                *dir(builtins),
                *keyword.kwlist,
            ]
        )
    )

    def __init__(self) -> None:
        self._helpers: dict[str, str] = {}
        """The functions that statements call, and what these need, by name."""

    def number(self, x: float) -> str:
        """Spell a number."""
        return repr(x) if math.isfinite(x) else f"{'-' if x < 0 else ''}math.{abs(x)!r}"

    def call(self, op: Op, args: Sequence[str]) -> str:
        """Spell an operation: as a formula, or as a call of a function of Python's, or of ours, whose source is copied."""
        if op in _FORMULAS:
            return _FORMULAS[op].format(*args)
        if op is ops.prod:
            return " * ".join(args)
        kernel: Any = op.on_floats
        name: str = kernel.__name__
        if op in _RAISING:
            name, plain, otherwise = _RAISING[op]
            names = "a, b" if len(args) > 1 else "a"
            self._helpers[name] = (
                f"def {name}({names}):\n    try:\n        return {plain}\n"
                f"    except (ArithmeticError, ValueError):\n        return {otherwise}"
            )
        elif vars(kernels).get(name) is kernel:
            name = self._source(name)
        elif vars(math).get(name) is kernel:
            name = f"math.{name}"
        elif vars(builtins).get(name) is not kernel:
            msg = f"{op.name} ({op.label}) has no spelling in Python: give it one in autograd/compiler/export/python.py"
            raise ValueError(msg)
        return f"{name}({', '.join(args)})"

    def _source(self, name: str) -> str:
        """Return ``name``, that of something in ``autograd.kernels``, and copy its source and that of what it needs."""
        x = getattr(kernels, name)
        if name in self._helpers:
            return name
        if x is kernels.power:
            self.call(ops.power, ["", ""])
        elif not inspect.isfunction(x):
            self._helpers[name] = f"{name} = {x!r}"
        else:
            self._helpers[name] = ""  # so that a function that calls itself is not copied again and again
            for other in _names(x.__code__):
                if other != "math" and hasattr(kernels, other):
                    self._source(other)
            del self._helpers[name]  # a function comes behind what it needs
            self._helpers[name] = re.sub(r"  # noqa.*", "", inspect.getsource(x)).rstrip()
        return name

    def item(self, index: str, size: int) -> str:
        """Spell an index. The file raises IndexError if it is wrong."""
        self._helpers["item"] = _ITEM
        return f"item({index}, {size})"

    def found(self, x: str) -> str:
        """Spell an item at an index, which is right."""
        return x

    def when(self, condition: str, statement: str) -> str:
        """Spell a condition."""
        return f"if {condition}: {statement}"

    def loop(self, loop: Loop) -> str:
        """Spell the head of a loop."""
        return f"for {loop.variable} in range({loop.stop if loop.start == '0' else f'{loop.start}, {loop.stop}'}):"

    def file(self, function: Exported, name: str) -> str:
        """Return the text of the file."""
        stem = name.removesuffix(self.suffix)
        names = ", ".join([a.name for a in function.arguments])
        calls = [f"predict({names})"]
        code = [
            self._function(function, function.predict, calls[0], f"{function.title}, at one example.", [*_returned(function)])
        ]
        if function.gradient is not None:
            calls.append(f"gradient({names}, {'cotangent=1.0' if function.outputs == 1 else 'cotangents'})")
            about = f"T{function.derivatives[1:]}."
            slopes = [_nested(function.slopes, start, a.shape) for start, a in function.places]
            code.append(self._function(function, function.gradient, calls[1], about, [f"return {', '.join(slopes)}"]))
        imported = ", ".join(sorted([call.split("(")[0] for call in calls]))
        head = [
            f'"""{function.title}.\n',
            f"{function.what} of one example at a time, in plain Python. Written by scalar-autograd.\n",
            *[f"    from {stem} import {imported}\n"] * (stem.isidentifier() and not keyword.iskeyword(stem)),
            *[f"    {call}" for call in calls],
            "",
            *[f"    {a.name}: {a.about}" for a in function.arguments],
            f'    result: {function.output}\n"""',
        ]
        code = [*self._helpers.values(), _NUMBERS, *code]
        tables = [self._table(x) for x in function.tables]
        head += ["\nimport math"] if any("math." in text for text in (*code, *tables)) else []
        return "\n".join([*head, "", "\n\n".join(tables), "", "", "\n\n\n".join(code), ""])

    def _table(self, x: Table) -> str:
        about = f"  # {' x '.join(map(str, x.shape))}" if len(x.shape) > 1 else ""
        return "\n".join([f"{x.name} = ({about}", *table(map(self.number, x.numbers)), ")"])

    def _function(self, function: Exported, part: Function, signature: str, about: str, end: list[str]) -> str:
        """Return the definition of predict or of gradient. ``end`` are its last lines."""
        given = [f"numbers({a.name!r}, {a.name}, {a.size})" for a in function.trained]
        written = [f"def {signature}:", f'    """{about}"""']
        written += [f"    {function.inputs} = {' + '.join(given)}"] if given else []
        written += [f"    {a.name} = numbers({a.name!r}, {a.name}, {a.size})" for a in function.looked_up]
        if part is function.gradient:
            parameter = "cotangent" if function.outputs == 1 else "cotangents"
            written.append(f"    cotangents = numbers({parameter!r}, {parameter}, {function.outputs})")
        written += [f"    {array} = [0.0] * {size}" for array, size in part.arrays]
        return "\n".join([*written, *lines(self, part.body), *[f"    {line}" for line in end]])


def _names(code: CodeType) -> list[str]:
    """Return the names that a function's code mentions, also in its comprehensions."""
    inside = [name for x in code.co_consts if isinstance(x, CodeType) for name in _names(x)]
    return [*code.co_names, *inside]


def _returned(function: Exported) -> Iterator[str]:
    """Yield the lines that return the results in the form in which the function returned them.

    The form ``{"a": NUMBER, "b": [NUMBER, NUMBER]}`` becomes ``return {'a': outputs[0], 'b': outputs[1:3]}``.
    """
    results, count, form = function.results, function.outputs, function.form
    flat = f"[{at(results, ['i'])} for i in range({count})]" if count > 1 else f"[{at(results, ['0'])}]"
    if form is NUMBER:
        yield f"return {at(results, ['0'])}"
    elif isinstance(form, list) and all(part is NUMBER for part in form):
        yield f"return {flat}"
    else:
        yield f"outputs = {flat}"
        yield f"return {_spelled(form, iter(range(count)))}"


def _spelled(form: Any, places: Iterator[int]) -> str:
    """Spell a result of that ``form``, whose numbers are at the next ``places`` of the outputs."""
    if form is NUMBER:
        return f"outputs[{next(places)}]"
    if dataclasses.is_dataclass(form):  # whose class is not in the file
        form = {field.name: getattr(form, field.name) for field in dataclasses.fields(form)}
    if isinstance(form, dict):
        return f"{{{', '.join([f'{key!r}: {_spelled(part, places)}' for key, part in form.items()])}}}"
    if isinstance(form, tuple):
        return f"({''.join([f'{_spelled(part, places)}, ' for part in form]).rstrip()})"
    if form and all(part is NUMBER for part in form):
        first, *rest = [next(places) for _ in form]
        return f"outputs[{first}:{first + len(rest) + 1}]"
    return f"[{', '.join([_spelled(part, places) for part in form])}]"


def _nested(name: str, start: int | str, shape: Sequence[int], variables: str = "ijklpqr") -> str:
    """Spell the numbers of the array ``name`` from ``start`` on, in nested lists.

    >>> _nested("d", 3, (2, 5))
    '[d[3 + 5 * i:3 + 5 * i + 5] for i in range(2)]'
    """
    if not shape:
        return f"{name}[{start}]"
    if len(shape) == 1:
        return f"{name}[{start}:{start + shape[0] if isinstance(start, int) else f'{start} + {shape[0]}'}]"
    inner = _nested(name, f"{f'{start} + ' * (start != 0)}{math.prod(shape[1:])} * {variables[0]}", shape[1:], variables[1:])
    return f"[{inner} for {variables[0]} in range({shape[0]})]"


_FORMULAS = INFIX | {
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
"""Operations for which Python raises: the name of a function that does not, Python's expression, and what to give instead."""
_ITEM = '''def item(x, size):
    """Return ``x`` as an integer from 0 to ``size - 1``; IndexError if it is no such index."""
    if not (0.0 <= x < size and x == int(x)):
        raise IndexError(f"expected an index that is a whole number from 0 to {size - 1}, not {x!r}")
    return int(x)'''
_NUMBERS = '''def numbers(name, x, count):
    """Return the ``count`` numbers in ``x``, a number or nested lists or arrays of numbers, one after the other."""
    found, rest = [], [x]
    while rest:
        item = rest.pop()
        item = item.tolist() if hasattr(item, "tolist") else item
        if isinstance(item, (list, tuple)):
            rest += reversed(item)
        else:
            found.append(float(item))
    if len(found) != count:
        raise ValueError(f"{name} must hold {count} numbers, not {len(found)}")
    return found'''
