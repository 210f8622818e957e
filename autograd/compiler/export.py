"""``autograd.export``: a function as one file that needs no library, in Python or in C, with its gradient."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import files, modes, ops, trees
from autograd.arrays import as_array
from autograd.compiler.calls import NUMBER, Call
from autograd.compiler.compiled import Compiled, compile  # noqa: A004 - autograd.compile
from autograd.compiler.executors.reference import Memory
from autograd.compiler.languages import C, Python, rendered
from autograd.compiler.loops import Block, Loop, Loops, Statement, blocks, needed
from autograd.compiler.lower import lower
from autograd.compiler.names import distinct
from autograd.compiler.record import CODE, INPUT, Graph, Input, as_graph, collector_paused
from autograd.math import sumprod
from autograd.value import Value

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.plan import Plan
    from autograd.compiler.views import Space, View

_LANGUAGES: dict[str, type[Python | C]] = {".py": Python, ".c": C}


def export(fn: Callable[..., Any], path: str | os.PathLike[str], *example: Any) -> Path:
    """The path, after writing ``fn`` there as a file that needs no library: Python if it ends in .py, C99 if it ends in .c.

    ``fn`` is what ``autograd.compile`` takes, a function of one example, and ``example`` is what it is called with: numbers, or
    nested lists or arrays of them. (Tuples and dicts hold such; in the file, each array is an argument.) The numbers of all
    Values that ``fn`` captures are written into the file, which C++ compiles, too. There are two functions in it:

    ``predict`` gives what ``fn`` gives: in Python in the same form, in C the numbers one after the other.

    ``gradient`` gives the derivatives by the arguments of the sum of all results, each times its ``cotangent`` (1, if there is
    one result and nothing else is said). Arguments that ``fn`` looks up with, in ``select``, have none. An index that there
    is not raises IndexError in Python, and gives NaN in C.

    The arguments are called as those of ``fn``, but for names that the file or its language needs itself: ``new`` becomes
    ``new_`` in C, ``_a`` and ``d_a`` become ``x_a`` and ``x_d_a``, and a second ``new_`` gets a number, ``new_2_``. The first
    comment of the file shows the names.

    Both agree with ``fn`` but for rounding. The file is written whole or not at all. Raises RecordingError for what cannot be
    recorded, and ValueError for an operation that C has not got.

    >>> import runpy, tempfile
    >>> from autograd import Value
    >>> w = Value(3.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = runpy.run_path(str(export(lambda x: w * x * x, f"{folder}/parabola.py", 0.0)))
    >>> names["predict"](2.0), names["gradient"](2.0)      # 3x² and 6x
    (12.0, 12.0)
    """
    path = Path(path)
    language = _LANGUAGES.get(path.suffix)
    if language is None:
        msg = f"export() writes {' and '.join(_LANGUAGES)} files, not {str(path)!r}: end the name in one of these"
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"there is no folder {str(path.parent)!r} to export {path.name} to: make it first"
        raise FileNotFoundError(msg)
    if not example:
        msg = "export() records what the function does with an example, and there is none: export(fn, path, [0.0, 0.0]), say"
        raise TypeError(msg)
    made = _Export(fn.fn if isinstance(fn, Compiled) else fn, example, language())
    text = _python(made, path.stem) if isinstance(made.language, Python) else _c(made, path.name)
    files.write(path, text.encode())
    return path


@dataclass
class _Argument:
    """An array that the exported functions take."""

    name: str
    shape: tuple[int, ...]
    start: int
    """Where its numbers begin, those of all arrays lying one after the other."""
    index: bool
    """Whether something is looked up with it, so that there is no derivative by it."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def about(self) -> str:
        """What the array holds, in words."""
        if self.shape == ():
            return "a whole number" if self.index else "a number"
        numbers = f"{' x '.join(map(str, self.shape))} {'whole ' * self.index}number{'s' * (self.size != 1)}"
        return f"{numbers}, row by row" if len(self.shape) > 1 else numbers


@dataclass
class _Function:
    """Statements, and the arrays that they write to or read."""

    body: list[Statement]
    spaces: set[Space]

    def buffers(self, *given: Space) -> list[tuple[str, int]]:
        """The name and the size of each array that is neither constant nor ``given``."""
        return sorted([(space.name, space.size) for space in self.spaces - {*given}])


class _Export:
    """A function on its way to a file: what its statements, tables and arguments are."""

    d_x: Space
    """The derivatives by what is differentiated by, if there is such."""

    def __init__(self, fn: Callable[..., Any], example: tuple[Any, ...], language: Python | C) -> None:
        self.language = language
        compiled = compile(fn, reduction=None)
        self.title = _title(fn)
        arrays = iter([as_array([x], path) for i, tree in enumerate(example) for path, x in trees.paths(tree, f"example {i}")])
        batch = trees.map(lambda _: next(arrays), example)
        compiled(*batch)  # which refuses what cannot be recorded, and checks what was
        (recording,) = compiled.recordings
        self.form = recording.form
        with collector_paused(), modes.apart():
            roots, _, values, began = Call(compiled.fn, batch, reduction=None, who=repr(compiled)).record()
            cotangents = [Value(1.0) for _ in roots]
            graph = as_graph([*roots, sumprod(cotangents, roots)], [*values, *cotangents], began)
        self.outputs = len(roots)
        self.arguments = _arguments(recording.shapes, graph, language)
        self.trained = [a for a in self.arguments if not a.index]
        self.looked_up = [a for a in self.arguments if a.index]
        self._lay_out(graph)

    def _lay_out(self, graph: Graph) -> None:
        """Make the statements. The arrays that are differentiated by are one in these, and begin one after the other in it."""
        order = [np.arange(a.start, a.start + a.size) for a in (*self.trained, *self.looked_up)]
        count = sum(map(len, order))
        new = np.append(np.argsort(np.concatenate(order)), np.arange(count, count + self.outputs))
        is_input = graph.code == INPUT
        graph.leaf[is_input] = new[graph.leaf[is_input]]
        whole = Input(
            self.trained[0].name if len(self.trained) == 1 else "inputs", sum(a.size for a in self.trained), whole=False
        )
        others = [Input(a.name, a.size, whole=False) for a in self.looked_up]
        arrays = [whole, *others, Input("cotangents", self.outputs, whole=False)]
        plan = lower(graph, arrays, reduction="sum" if self.trained else None, by=0, rolled=False)
        self.x, *_, self.cotangents = plan.inputs
        self.results = plan.roots
        forward = [i for i in plan.forward if i.out.batched]  # the others are the same for all examples: numbers
        lists = [needed(forward, self.results)]
        if plan.slopes is not None:
            self.d_x = plan.slopes
            lists.append(needed([*forward, *plan.once, *plan.backward], self.d_x.all_rows))
        self._blocks = self._constants(plan, graph, [view for kept, _ in lists for i in kept for view in i.views])
        self.loops = Loops(self.language, self._locate)
        self.predict, *differentiated = [self._function(kept, read) for kept, read in lists]
        self.gradient = differentiated[0] if differentiated else None

    def _constants(self, plan: Plan, graph: Graph, views: list[View]) -> dict[Space, list[Block]]:
        """The constant numbers that the ``views``, and the results, read."""
        theta = np.array([graph.variables[i].data for i in plan.parameters], float)
        memory = Memory(1, given={plan.theta: theta})
        memory.execute([i for i in plan.forward if not i.out.batched])
        stems = {"theta": ("W", "b"), "constants": ("c", "c"), "s": ("S", "s")}
        views = [*views, self.results]
        return {
            space: blocks(space, memory.of(space), views, stems[space.name]) for space in plan.spaces if space.name in stems
        }

    def _locate(self, view: View) -> tuple[str, int]:
        """The array in which ``view`` lies, and the place of its space's row 0 in it."""
        for block in self._blocks.get(view.space, []):
            if block.start <= view.rows.min() < block.start + len(block.numbers):
                return block.name, -block.start
        return view.space.name, 0

    def _function(self, instructions: list[Instruction], read: dict[Space, NDArray[np.bool_]]) -> _Function:
        """The statements for ``instructions``, of which, and of the result, the rows ``read`` are read."""
        begin: list[Statement] = []
        spaces = {i.out.space for i in instructions}
        for space, rows in read.items():
            if space not in self._blocks:
                some = [row for row in space.filled if rows[row]]
                begin += self.loops.constants(space, some)
                spaces |= {space} if some else set()
        return _Function([*begin, *self.loops.statements(instructions)], spaces)

    def tables(self) -> list[str]:
        """The definitions of constant numbers."""
        found = [block for some in self._blocks.values() for block in some]
        weights = [self.language.table(block.name, block.numbers.tolist(), block.shape) for block in found]
        return weights + [self.language.table(name, rows.tolist(), ()) for name, rows in self.loops.tables.items()]

    def result(self, variable: str) -> str:
        """The result that ``variable`` says."""
        return self.loops.at(self.results, [variable])


def _arguments(shapes: dict[str, tuple[int, ...]], graph: Graph, language: Python | C) -> list[_Argument]:
    """The arguments, with names that neither language nor the file has use for."""
    selects = np.flatnonzero(graph.code == CODE[ops.select])
    chosen = graph.arg[graph.first[selects]]
    indices = graph.leaf[chosen[graph.code[chosen] == INPUT]]
    arguments: list[_Argument] = []
    start = 0
    names = distinct([name if name.isascii() else "" for name in shapes], language.reserved)
    for name, shape in zip(names, shapes.values(), strict=True):
        stop = start + math.prod(shape)
        arguments.append(_Argument(name, shape, start, bool(((indices >= start) & (indices < stop)).any())))
        start = stop
    return arguments


def _title(fn: Any) -> str:
    """What the function is called, or the model whose method it is, in a line that a comment can hold."""
    owner = getattr(fn, "__self__", fn)
    name = getattr(owner, "__qualname__", "").rpartition("<locals>.")[2] or (repr(owner).splitlines() or [""])[0]
    name = re.sub(r" at 0x\w+", "", name).encode("ascii", "replace").decode()
    return re.sub(r'[\\"*/]', "", name)


# Python


def _python(made: _Export, stem: str) -> str:
    """The file in Python."""
    names = [a.name for a in made.arguments]
    last = "cotangent=1.0" if made.outputs == 1 else "cotangents"
    functions = [
        _python_function(
            made,
            made.predict,
            f"predict({', '.join(names)})",
            f"{made.title}, at one example.",
            [*_returned(made)],
        )
    ]
    calls = [f"predict({', '.join(names)})"]
    if made.gradient is not None:
        slopes = [_nested(made.d_x.name, start, a.shape) for a, start in zip(made.trained, _starts(made), strict=True)]
        functions.append(
            _python_function(
                made,
                made.gradient,
                f"gradient({', '.join([*names, last])})",
                f"The derivatives of predict by {_and([a.name for a in made.trained])}, {_times(made)}.",
                [f"return {', '.join(slopes)}"],
            )
        )
        calls.append(f"gradient({', '.join([*names, last])})")
    imported = f"    from {stem} import {', '.join(sorted(call.split('(')[0] for call in calls))}\n\n" * (
        stem.isidentifier() and not iskeyword(stem)
    )
    about = "\n".join([f"    {a.name}: {a.about}" for a in made.arguments])
    head = (
        f'"""{made.title}.\n\n{_what(made)}, in plain Python, of one example at a time. Written by scalar-autograd.\n\n'
        + imported
        + "\n".join([f"    {call}" for call in calls])
        + f"\n\n{about}\n    result: {_output(made)}\n"
        + '"""'
    )
    helpers = [*made.language.helpers.values(), _NUMBERS]
    code = [*helpers, *functions]
    math_used = ["import math"] if any("math." in text for text in (*code, *made.tables())) else []
    return "\n".join(
        [head, *["", *math_used] * bool(math_used), "", "\n\n".join(made.tables()), "", "", "\n\n\n".join(code), ""]
    )


def _python_function(made: _Export, function: _Function, signature: str, about: str, end: list[str]) -> str:
    given = [f"numbers({a.name!r}, {a.name}, {a.size})" for a in made.trained]
    name = made.cotangents.name
    lines = [f"def {signature}:", f'    """{about}"""']
    lines += [f"    {made.x.name} = {' + '.join(given)}"] if given else []
    lines += [f"    {a.name} = numbers({a.name!r}, {a.name}, {a.size})" for a in made.looked_up]
    if function is made.gradient:
        parameter = "cotangent" if made.outputs == 1 else name
        lines.append(f"    {name} = numbers({parameter!r}, {parameter}, {made.outputs})")
    lines += [f"    {buffer} = [0.0] * {size}" for buffer, size in function.buffers()]
    return "\n".join([*lines, *rendered(made.language, function.body), *[f"    {line}" for line in end]])


def _returned(made: _Export) -> Iterator[str]:
    """The lines that return the results in the form in which the function does."""
    if made.form is NUMBER:
        yield f"return {made.result('0')}"
        return
    flat = f"[{made.result('i')} for i in range({made.outputs})]" if made.outputs > 1 else f"[{made.result('0')}]"
    if isinstance(made.form, list) and all(part is NUMBER for part in made.form):
        yield f"return {flat}"
        return
    yield f"outputs = {flat}"
    place = 0

    def spelled(part: Any) -> str:
        nonlocal place
        if part is NUMBER:
            place += 1
            return f"outputs[{place - 1}]"
        if isinstance(part, dict):
            return f"{{{', '.join([f'{key!r}: {spelled(item)}' for key, item in part.items()])}}}"
        if isinstance(part, tuple):
            return f"({''.join([f'{spelled(item)}, ' for item in part]).rstrip()})"
        if part and all(item is NUMBER for item in part):
            place += len(part)
            return f"outputs[{place - len(part)}:{place}]"
        return f"[{', '.join(map(spelled, part))}]"

    yield f"return {spelled(made.form)}"


def _nested(name: str, start: int | str, shape: Sequence[int], variables: str = "ijklpqr") -> str:
    """The numbers of the array ``name`` from ``start`` on, in nested lists.

    >>> _nested("d", 3, (2, 5))
    '[d[3 + 5 * i:3 + 5 * i + 5] for i in range(2)]'
    """
    if not shape:
        return f"{name}[{start}]"
    if len(shape) == 1:
        return f"{name}[{start}:{start + shape[0] if isinstance(start, int) else f'{start} + {shape[0]}'}]"
    inner = _nested(name, f"{f'{start} + ' * (start != 0)}{math.prod(shape[1:])} * {variables[0]}", shape[1:], variables[1:])
    return f"[{inner} for {variables[0]} in range({shape[0]})]"


_NUMBERS = '''def numbers(name, x, count):
    """The ``count`` numbers in ``x``, nested lists or arrays, one after the other."""
    found, rest = [], [x]
    while rest:
        item = rest.pop()
        item = item.tolist() if hasattr(item, "tolist") else item
        if isinstance(item, (list, tuple)):
            rest += reversed(item)
        else:
            found.append(float(item))
    if len(found) != count:
        raise ValueError(f"{name} has {count} numbers, and here are {len(found)}")
    return found'''


# C

_CPP = "#ifdef __cplusplus\n{}\n#endif"


def _c(made: _Export, filename: str) -> str:
    """The file in C."""
    arrays = [f"const double *{a.name}" for a in made.arguments]
    inputs = ", ".join([a.name for a in made.arguments])
    signatures = [f"void predict({', '.join([*arrays, 'double *outputs'])})"]
    example = [f"double {', '.join([f'{a.name}[{a.size}]' for a in made.arguments])}, outputs[{made.outputs}];"]
    calls = [f"predict({inputs}, outputs);"]
    functions = [_c_function(made, made.predict, signatures[0], "")]
    about = [f"{a.name}: {a.about}" for a in made.arguments] + [f"outputs: {_output(made)}"]
    if made.gradient is not None:
        last = "double cotangent" if made.outputs == 1 else f"const double *{made.cotangents.name}"
        signatures.append(f"void gradient({', '.join([*arrays, last, *[f'double *d_{a.name}' for a in made.trained]])})")
        functions.append(_c_function(made, made.gradient, signatures[1], last))
        slopes = ", ".join([f"d_{a.name}" for a in made.trained])
        example += [f"double {made.cotangents.name}[{made.outputs}];"] * (made.outputs > 1)
        example.append(f"double {', '.join([f'd_{a.name}[{a.size}]' for a in made.trained])};")
        weight = "1.0" if made.outputs == 1 else made.cotangents.name
        calls.append(f"gradient({inputs}, {weight}, {slopes});")
        about.append(f"{slopes}: the derivatives by {_and([a.name for a in made.trained])}, {_times(made)}")
    if made.looked_up:
        about.append("An index that there is not gives NaN.")
    given = (made.x, made.cotangents)
    stack = max(sum(8 * size for _, size in f.buffers(*given)) for f in (made.predict, made.gradient) if f is not None)
    stem = re.sub(r"\W|^(?=\d)", "_", filename.removesuffix(".c"), flags=re.ASCII)
    renamed = [f"-D{name}={stem}_{name}" for name in ("predict", "gradient")[: len(signatures)]]
    head = [
        f"{made.title}.",
        "",
        f"{_what(made)}, in C99 that is C++ as well, of one example at a time. Written by scalar-autograd.",
        "",
        "It needs math.h only, allocates nothing and keeps no state between calls, so that threads may call it at the same",
        f"time. A call takes {stack // 1024 + 1} KiB of the stack, or a little more.",
        "Compile (without -ffast-math, which knows no infinities and NaNs), and link with -lm:",
        "",
        f"    cc -std=c99 -O2 -c {_shown(filename)}",
        "",
        "Declare and call, from C:",
        "",
        *[f"    {signature};" for signature in signatures],
        *[f"    {line}" for line in (*example, *calls)],
        "",
        *about,
        "",
        f"For two such files in one program, compile with {' '.join(renamed)}.",
    ]
    comment = "\n".join(["/*", *[f" * {line}".rstrip() for line in head], " */"])
    prototypes = "\n".join(
        ["#include <math.h>", _CPP.format('extern "C" {'), *[f"{signature};" for signature in signatures], _CPP.format("}")]
    )
    parts = [*made.tables(), *made.language.helpers.values(), *functions]
    return "\n\n".join([comment, prototypes, *[part for part in parts if part]]) + "\n"


def _c_function(made: _Export, function: _Function, signature: str, last: str) -> str:
    """The definition of a function, whose ``last`` argument before the results is the cotangent of the gradient."""
    body = [*function.body]
    is_gradient, apart = function is made.gradient, len(made.trained) != 1
    if not is_gradient and made.outputs == 1:
        body.append(f"outputs[0] = {made.result('0')}")
    elif not is_gradient:
        body.append(Loop("i", "0", str(made.outputs), [f"outputs[i] = {made.result('i')}"]))
    declared = function.buffers(made.d_x) if is_gradient and not apart else function.buffers()
    if apart:  # what is differentiated by is one array in the statements
        parts = [
            (a, str(a.size), f"{start} + i" if start else "i") for a, start in zip(made.trained, _starts(made), strict=True)
        ]
        if re.search(rf"\b{made.x.name}\b", "\n".join(rendered(made.language, body))):
            body[:0] = [Loop("i", "0", size, [f"{made.x.name}[{place}] = {a.name}[i]"]) for a, size, place in parts]
            declared.append((made.x.name, made.x.size))
        if is_gradient:
            body += [Loop("i", "0", size, [f"d_{a.name}[i] = {made.d_x.name}[{place}]"]) for a, size, place in parts]
    lines = rendered(made.language, body)
    used = set(re.findall(r"\w+", "\n".join(lines)))
    names = [f"{name}[{size}]" for name, size in declared] + ["total"] * ("total" in used)
    begin = [f"    double {name};" for name in names] + ["    int at;"] * ("at" in used)
    begin += ["    const double cotangents[1] = {cotangent};"] * (last == "double cotangent")
    arguments = [*[a.name for a in made.arguments], *["cotangents"] * is_gradient]
    begin += [f"    (void){name};" for name in arguments if name not in used]
    return "\n".join([signature, "{", *begin, *[""] * bool(begin), *lines, "}"])


# Words


def _starts(made: _Export) -> list[int]:
    """Where the numbers of each array that is differentiated by begin."""
    return [sum(before.size for before in made.trained[:k]) for k in range(len(made.trained))]


def _what(made: _Export) -> str:
    return "Prediction" if made.gradient is None else "Prediction and gradient"


def _output(made: _Export) -> str:
    """What the results are, in words."""
    return "a number" if made.form is NUMBER else f"{made.outputs} number{'s' * (made.outputs > 1)}"


def _times(made: _Export) -> str:
    """What the derivatives are multiplied by."""
    return "times cotangent" if made.outputs == 1 else "summed over the results, each times its cotangent"


def _and(names: Sequence[str]) -> str:
    """The names in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _shown(name: str) -> str:
    """A file's name, in a comment."""
    return name.encode("ascii", "replace").decode().replace("*/", "")
