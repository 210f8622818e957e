"""Plans as NumPy source: one line for each instruction, which works in buffers that are made once for each batch size."""

from __future__ import annotations

import itertools
import keyword
import re
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.executors.chains import Runner
from autograd.compiler.executors.runtime import check, index, unfold, view
from autograd.compiler.executors.slices import expression, shape_of
from autograd.compiler.folds import FOLDED
from autograd.compiler.formula import literal
from autograd.compiler.views import Space, View
from autograd.kernels import clip_array, relu_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.plan import Plan
    from autograd.compiler.steps import Steps

INDENT = "    "
BETWEEN = "\n\n\n"
"""The text between blocks of lines that can be compiled one by one."""
_BLOCK = 500
"""The largest number of lines that are compiled at once. Python's compiler takes 10 kB of memory for each line."""
RESERVED = re.compile(
    "np|dot|float|check|view|index|theta|constants|[stuvB]|ones|examples|seed|step|results?|differentiate|unfold|"
    r"[A-Za-z]+\d+(_\d+)?|(rows|starts|filled|numbers|range|hot|part)_?\w*|" + "|".join([*ops.TABLE, *keyword.kwlist])
)
"""The names that the source or Python uses, and that no argument of a program can have."""


class Source:
    """The lines of a program, and the objects that they mention."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.constants: dict[str, NDArray[Any] | Runner] = {}
        """The arrays and chains that lines mention."""
        self.kernels: set[str] = set()
        """The names of operations whose functions on arrays the lines call, because NumPy has no such function."""
        self.made: list[str] = []
        """Lines that run once for each batch size."""
        self.bound: list[str] = []
        """Lines that run at the beginning of each call."""
        self.lines: list[str] = []
        self.late: list[str] = []
        """Lines that run at the beginning of the backward part."""
        self.used: set[Space] = set()
        """The spaces whose arrays are made once for each batch size."""
        self._given = {plan.theta, *plan.inputs}
        self._taken = {"", *[space.name for space in plan.spaces]}
        self._bound: dict[object, str] = {}
        self._counts: dict[str, int] = {}
        self._parameters: dict[View, str] = {}
        """The names of squeezed views of theta."""
        computed = {i.out.space for i in plan.forward}
        self._writers = {space: np.zeros(space.size, int) for space in plan.spaces if (space.of or space) in computed}
        """For each row, the number of the instruction that writes it, or whose result's cotangent it is; 0 for constants."""
        for number, i in enumerate(plan.forward, 1):
            for space, writer in self._writers.items():
                if (space.of or space) is i.out.space:
                    writer[_rows(i.out)] = number
        self._largest = repr(float(np.finfo(plan.dtype).max))

    # Names

    def _name(self, stem: str) -> str:
        """A new name that begins with ``stem``. Names may collide: ``x_2`` and 55 make the same one as ``x_25`` and 5."""
        name = ""
        while name in self._taken:
            self._counts[stem] = number = self._counts.get(stem, 0) + 1
            name = f"{stem}{number}"
        self._taken.add(name)
        return name

    def _constant(self, stem: str, value: NDArray[Any]) -> str:
        """The name of a constant array, which the source does not contain."""
        key = (stem, value.tobytes(), value.shape)
        if key not in self._bound:
            self._bound[key] = name = self._name(stem)
            self.constants[name] = value
        return self._bound[key]

    def array(self, v: View, form: str = "") -> str:
        """The name of the array of the view ``v``. Its shape is (*shape, batch), or (*shape) if the view is not batched.

        In the form "column" it has one more axis, of length 1. In the form "matrix" the last axis and the examples are one, and
        a stack of one matrix is that matrix. In the form "examples" the examples are the first axis.
        """
        if form == "matrix" and v.shape[0] == 1:
            v = View(v.space, v.start, v.shape[1:], v.strides[1:])
            if v.batched and v.shape[1] == 1:
                v, form = View(v.space, v.start, v.shape[:1], v.strides[:1]), ""
        if form == "matrix" and not v.batched:
            form = ""
        key = (v, form)
        if key not in self._bound:
            name, about = self._called(v)
            self._bound[key] = name
            where = self.bound if v.space in self._given else self.late if v.space.fresh else self.made
            where.append(f"{name} = {expression(v, form)}{about and f'  # {about}'}")
            if where is self.made:
                self.used.add(v.space)
        return self._bound[key]

    def _called(self, v: View) -> tuple[str, str]:
        """A name for the view ``v``, and what to say about it.

        What the third instruction writes is h3, and its cotangent is g3. Other views of these rows are h3_2, h3_3, …
        """
        space = v.space
        if space is self.plan.theta or space is self.plan.slopes:
            return self._parameter(v), ""
        writer = self._writers.get(space)
        if writer is None:
            return self._name(_SCRATCH.get(space.name, space.name)), ""
        stem = ("hg" if space.batched else "se")[space.of is not None]
        numbers = writer[_rows(v)]
        number = int(numbers.max())
        if number == 0:  # constants
            return self._name("c"), ""
        block, out = f"{stem}{number}", self.plan.forward[number - 1].out
        if (v.start, v.size) == (out.start, out.size) and v.contiguous:
            return self._free(block), ""
        others = v.rows.ravel()[numbers.ravel() != number].tolist()
        if others:
            return self._free(block, 2), f"{block}, and {'ones' if {*map(space.filled.get, others)} == {1.0} else 'others'}"
        part = v.contiguous and v.size < out.size
        return self._free(block, 2), f"{block}[{v.start - out.start}:{v.start - out.start + v.size}]" if part else block

    def _parameter(self, v: View) -> str:
        """A name for ``v``, rows of theta or of the gradient, after the labels of the parameters."""
        is_slope = v.space is self.plan.slopes
        view = View(self.plan.theta, v.start, v.shape, v.strides).squeezed
        name, known = self._parameters.get(view), view in self._parameters
        if name is None:
            stem, label = "W" if len(v.shape) > 1 else "b", self.plan.names.get(view, "")
            label = f"{stem}_{label}" if RESERVED.fullmatch(label) else label
            name = self._parameters[view] = self._free(label) if label else self._name(stem)
        return self._free(f"d_{name}") if is_slope else self._free(name) if known else name

    def _free(self, name: str, number: int = 1) -> str:
        """The ``name``, or one with a ``number`` behind it, from 2 on, that nothing has yet."""
        free = name if number == 1 else f"{name}_{number}"
        while free in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(free)
        return free

    # Lines

    def differentiated(self) -> None:
        """Write what follows the forward part: the reduced result, and the backward part."""
        plan, slopes = self.plan, self.plan.slopes
        assert slopes is not None
        total = self.array(plan.total)
        each = f"np.dot({total}[0], ones)" if plan.total.batched else f"{total}[0]"
        self.lines += [
            f"result = float({each}){_TIMES[plan.power]}",
            "if not differentiate:",
            INDENT + "return result",
            "",
            f"{slopes.name} = {self.empty(slopes)}",
        ]
        forward, self.lines = self.lines, []
        for i in plan.once:
            self.add(i)
        self.made, self.lines = [*self.made, *self.lines], []
        for i in plan.backward:
            self.add(i)
        self.lines = [*forward, *self.late, *self.lines]
        some = "" if plan.trained == slopes.size else f"[:{plan.trained}].copy()"
        self.lines.append(f"return result, {slopes.name}{'.T' * slopes.batched}{some}")

    def empty(self, space: Space) -> str:
        """The expression that makes an array for a space."""
        dtype = self.plan.dtype.name
        return f"np.empty(({space.size}, B), {dtype!r})" if space.batched else f"np.empty({space.size}, {dtype!r})"

    def text(self) -> str:
        """The source: blocks that make the buffers for B examples, and one that makes the function ``step``."""
        made = [*_helpers(self), *_buffers(self), *self.made]
        given = [self.plan.theta.name, *[space.name for space in self.plan.inputs]]
        blocks = [made[i : i + _BLOCK] for i in range(0, len(made), _BLOCK)] + _step(given, [*self.bound, *self.lines])
        return BETWEEN.join(["\n".join(block) for block in blocks]) + "\n"

    def _line(self, text: str) -> None:
        self.lines.append(text)

    def _operand(self, arg: View | float, out: View) -> str:
        if not isinstance(arg, View):
            return literal(arg)
        return self.array(arg, "column" if out.batched and not arg.batched else "")

    def add(self, i: ir.Instruction) -> None:  # noqa: C901, PLR0912, PLR0915 - one case for each kind
        """Write the lines of an instruction."""
        array, line, constant = self.array, self._line, self._constant
        match i:
            case ir.Map():
                self._map(i)
            case ir.Move(out, x):
                line(f"{array(out)}[...] = {self._operand(x, out)}")
            case ir.Fill(out, number):
                line(f"{array(out)}.fill({literal(number)})")
            case ir.Seed(out):
                line(f"{array(out)}.fill(seed)")
            case ir.Sum():
                self._sum(i)
            case ir.Reduce(out, op, x):
                line(f"np.{FOLDED[op].__name__}.reduce({array(x)}, axis={len(x.shape) - 1}, out={array(out)})")
            case ir.Segments(out, op, x, starts):
                line(f"np.{FOLDED[op].__name__}.reduceat({array(x)}, {constant('starts', starts)}, axis=0, out={array(out)})")
            case ir.Peak(out, x):
                line(f"np.maximum.reduce({array(x)}, axis={len(x.shape) - 1}, initial=-{self._largest}, out={array(out)})")
                line(f"np.minimum({array(out)}, {self._largest}, out={array(out)})")
            case ir.Peaks(out, x, starts):
                line(f"np.maximum.reduceat({array(x)}, {constant('starts', starts)}, axis=0, out={array(out)})")
                y, largest = array(out), self._largest
                line(f"np.minimum(np.maximum({y}, -{largest}, out={y}), {largest}, out={y})")
            case ir.Unfold(out, op, d_y, y, x):
                line(f"unfold({op.name!r}, ({array(d_y)}, {array(y)}, {array(x)}), {len(out.shape) - 1}, {array(out)})")
            case ir.Chain(out, x, steps):
                name = self._runner("chain", steps)
                line(f"# {name}, from x to y: {steps}")
                line(f"{name}.forward({array(x)}, {array(out)})")
            case ir.Sweep(out, d_y, x, y, steps):
                name = self._runner("sweep", steps)
                line(f"{name}.reverse({array(x)}, {array(y)}, {array(out)}, {array(d_y)})")
            case ir.Product():
                self._product(i)
            case ir.Pairwise(out, a, b):
                self._check(i.finite)
                left, right = [
                    array(v, "examples") + ".swapaxes(-1, -2)" * t for v, t in zip((a, b), i.transposed, strict=True)
                ]
                line(f"np.matmul({left}, {right}, out={array(out, 'examples')})")
            case ir.Gather(out, x, rows):
                source, which = self._whole(x.space), constant("rows", x.start + rows)
                line(f"np.take({source}, {which}, axis=0, out={array(out)}, mode='clip')")
            case ir.Scatter(out, x, rows):
                line(f"{self._whole(out.space)}[{constant('rows', rows)}] = {array(x)}")
            case ir.Take(out, table, index):
                columns = self._index(index, table.shape[1])
                line(f"np.take({array(table)}, {columns}, axis=1, out={array(out)}, mode='clip')")
            case ir.Put():
                self._put(i)
            case ir.Pick(out, table, index):
                line(f"{array(out)}[...] = {self._item(table, index)}")
            case ir.Place():
                self._place(i)
            case ir.Project():
                raise AssertionError
            case _:
                assert_never(i)

    def _map(self, i: ir.Map) -> None:
        out = self.array(i.out)
        operands = [self._operand(arg, i.out) for arg in i.args]
        kernel: Any = i.op.on_arrays
        ufunc = getattr(kernel, "__wrapped__", kernel)
        if isinstance(ufunc, np.ufunc):
            self._line(f"np.{ufunc.__name__}({', '.join(operands[: ufunc.nin])}, out={out})")
            for operand in operands[ufunc.nin :]:
                self._line(f"np.{ufunc.__name__}({out}, {operand}, out={out})")
            return
        args = ", ".join(operands)
        name = "np.where" if kernel is np.where else i.op.name
        if kernel is not np.where:
            self.kernels.add(name)
        if kernel in _WITH_ROOM:
            self._line(f"{name}({args}, out={out})")
        else:
            self._line(f"{out}[...] = {name}({args})")

    def _sum(self, i: ir.Sum) -> None:
        x, out = i.x, self.array(i.out)
        if i.over_batch and not i.axes:
            best = "np.dot" if x.contiguous and i.out.contiguous and len(x.shape) == 1 else "np.matmul"
            self._line(f"{best}({self.array(x)}, ones, out={out})")
            return
        axes = [*i.axes, len(x.shape)] if i.over_batch else list(i.axes)
        if len(axes) == len(x.shape) + i.over_batch:
            out = f"{out}[0]" if i.out.batched else f"{out}.reshape(())"
        self._line(f"np.add.reduce({self.array(x)}, axis={tuple(axes) if len(axes) > 1 else axes[0]}, out={out})")

    def _runner(self, stem: str, steps: Steps) -> str:
        name = self._name(stem)
        self.constants[name] = Runner(steps)
        return name

    def _product(self, i: ir.Product) -> None:
        self._check(i.finite)
        out = self.array(i.out, "matrix")
        flat = i.out.shape[0] == 1
        turn = ".T" if flat else ".swapaxes(1, 2)"
        a, b = [self.array(arg, "matrix") + turn * t for arg, t in zip((i.a, i.b), i.transposed, strict=True)]
        best = "np.dot" if flat and i.out.contiguous else "np.matmul"  # np.dot is faster, but out must be contiguous
        inner = i.a.shape[2 - i.transposed[0]]
        if best == "np.dot" and inner == 1 and 1 in i.out.shape[1:]:
            best = "dot" if any(v.batched for v in i.views) else "np.matmul"
        shapes = [shape_of(v, turned=turned) for v, turned in zip((i.a, i.b), i.transposed, strict=True)]
        self._line(f"{best}({a}, {b}, out={out})  # {' @ '.join(shapes)}")
        if i.bias is not None:
            column = self.array(View(i.bias.space, i.bias.start, i.bias.shape[flat:], i.bias.strides[flat:]), "column")
            self._line(f"np.add({out}, {column}, out={out})")

    def _check(self, views: Sequence[View]) -> None:
        """Write lines that give up unless all numbers in ``views`` are finite."""
        for x in views:
            rows = np.unique(x.rows)
            block = View(x.space, int(rows[0]), (int(rows[-1] - rows[0]) + 1,), (1,))
            self._line(f"check({self.array(block if block.size == len(rows) else x)})")

    def _whole(self, space: Space) -> str:
        """The array of all rows of a space."""
        if space not in self._given:
            self.used.add(space)
        return f"{space.name}.T" if space.examples_first else space.name

    def _index(self, v: View, size: int) -> str:
        """The name of the array of the indices in ``v``, integers from 0 to ``size - 1``."""
        key = ("index", v, size)
        if key not in self._bound:
            self._bound[key] = name = self._name("i")
            self._line(f"{name} = index({self.array(v)}, {size}{', whole=True' if v.space.whole else ''})")
        return self._bound[key]

    def _put(self, i: ir.Put) -> None:
        """A matrix product with the one-hot columns of the indices, which is faster than adding column by column."""
        size = i.out.shape[1]
        chosen = self._index(i.index, size)
        hot, numbers = self._name("hot"), self._constant("range", np.arange(size)[:, None])
        self.made.append(f"{hot} = np.empty(({size}, {i.index.size} * B), {self.plan.dtype.name!r})")
        self._line(f"np.equal({numbers}, {chosen}.ravel(), out={hot})")
        self._line(f"np.matmul({self.array(i.d_y)}.reshape({i.d_y.shape[0]}, -1), {hot}.T, out={self.array(i.out)})")

    def _place(self, i: ir.Place) -> None:
        out, d_y = self.array(i.out), self.array(i.d_y)
        self._line(f"{out}.fill(0.0)")
        if i.out.batched:
            self._line(f"{self._item(i.out, i.index)} = {d_y}")
        else:
            rows = self._constant("rows", np.arange(i.out.shape[0])[:, None])
            self._line(f"np.add.at({out}, ({rows}, {self._index(i.index, i.out.shape[1])}), {d_y})")

    def _item(self, table: View, which: View) -> str:
        """The items of the rows of ``table``, one of each, at the indices ``which``."""
        columns = self._index(which, table.shape[1])
        rows = self._constant("rows", np.arange(table.shape[0])[:, None])
        spread = "[:, None]" if not which.batched else ""  # the same item in every example
        return f"{self.array(table)}[{rows}, {columns}{spread}{', examples' if table.batched else ''}]"


_WITH_ROOM = (relu_array, clip_array)
"""Kernels of the library that take an argument ``out``, as NumPy's functions do."""
_SCRATCH = {"t": "p", "u": "q", "constants": "c"}
"""How the names of arrays begin that hold numbers for a short time, or constants."""


def _rows(v: View) -> Any:
    """The rows of a view, as an index of an array of rows: a slice, which is faster, if they follow one another."""
    return slice(v.start, v.start + v.size) if v.contiguous else v.rows


class Numpy:
    """The executor that runs a plan as NumPy source."""

    def __init__(self, plan: Plan) -> None:
        lines = Source(plan)
        for i in plan.forward:
            lines.add(i)
        if plan.reduction is None:
            result = lines.array(plan.roots)
            lines.lines.append(f"return {result}.T.copy()" if plan.roots.batched else f"return np.tile({result}, (B, 1))")
        else:
            lines.differentiated()
        self.source, self._constants, self._kernels = lines.text(), lines.constants, lines.kernels
        self._start()

    def _start(self) -> None:
        """Make the objects that do not pickle."""
        self._names = _RUNTIME | self._constants | {name: ops.TABLE[name].on_arrays for name in self._kernels}
        self._code = [compile(block, "<autograd.compile>", "exec") for block in self.source.split(BETWEEN)]

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name not in {"_names", "_code"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def step(self, batch: int) -> Callable[..., Any]:
        """A function that runs the program in buffers of its own, which it keeps from call to call."""
        names = self._names | {"B": batch}
        for code in self._code:
            exec(code, names)  # noqa: S102 - source that this class wrote; names of users are checked identifiers in it
        return names.pop("step")  # type: ignore[return-value]  # the source defines it; popped, or its globals would hold it


def _step(given: Sequence[str], body: Sequence[str]) -> list[list[str]]:
    """The function ``step`` with the lines of its ``body``.

    If there are many lines, they are divided among functions part_1, part_2, …, which share the names that they assign. The
    defaults of ``step`` hold these functions, so that nothing keeps them when the step is gone.
    """
    if len(body) <= _BLOCK:
        return [_function("step", [*given, "differentiate=True"], body)]
    blocks, calls = [], []
    names: list[str] = []
    for is_last, group in itertools.groupby(body, lambda line: not line or line.startswith((INDENT, "if ", "return "))):
        lines = [*group]
        if is_last:
            calls += lines
            continue
        for first in range(0, len(lines), _BLOCK):
            some = lines[first : first + _BLOCK]
            assigned = [found[1] for line in some if (found := re.match(r"(\w+) = ", line))]
            shared = [f"global {', '.join(assigned)}"] if assigned else []
            names.append(f"part_{len(names) + 1}")
            blocks.append(_function(names[-1], given, [*shared, *some]))
            calls.append(f"{names[-1]}({', '.join(given)})")
    step = _function("step", [*given, "differentiate=True", *[f"{name}={name}" for name in names]], calls)
    return [*blocks, step, [f"del {', '.join(names)}"]]


def _function(name: str, arguments: Sequence[str], body: Sequence[str]) -> list[str]:
    return [f"def {name}({', '.join(arguments)}):", *[INDENT + line if line else "" for line in body]]


def _helpers(source: Source) -> list[str]:
    """Lines that define names which other lines use."""
    plan, dtype = source.plan, source.plan.dtype.name
    made = {
        "ones": f"ones = np.ones(B, {dtype!r})",
        "examples": "examples = np.arange(B)",
        "dot": "dot = np.dot if B > 1 else np.matmul",  # np.dot takes 0 * inf to be 0 where a column meets a single number
        "seed": f"seed = 1.0{_TIMES[plan.power]}",
    }
    mentioned = set(re.findall(r"(?<![.\w])[a-z]+(?!\w)", "\n".join([*source.made, *source.lines])))
    return [line for name, line in made.items() if name in mentioned]


def _buffers(source: Source) -> list[str]:
    """Lines that make the arrays of spaces, with their constants."""
    lines, dtype = [], source.plan.dtype
    for space in source.plan.spaces:
        if space.size and space in source.used:
            lines.append(f"{space.name} = {source.empty(space)}")
            if space.filled:
                rows, numbers = f"filled_{space.name}", f"numbers_{space.name}"
                source.constants[rows] = np.array([*space.filled])
                source.constants[numbers] = np.array([*space.filled.values()], dtype)
                lines.append(f"{space.name}[{rows}] = {numbers}{'[:, None]' if space.batched else ''}")
    return lines


_TIMES = {-1: " / B", 0: "", 1: " * B"}
"""How a factor is spelled that is a power of the number of examples."""
_RUNTIME = {"np": np, "view": view, "index": index, "check": check, "unfold": unfold}
