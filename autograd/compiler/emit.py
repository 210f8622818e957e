"""Instructions as NumPy source: one line an instruction, into buffers that are made once a batch size."""

from __future__ import annotations

import itertools
import keyword
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.folds import FOLDED
from autograd.compiler.formula import literal
from autograd.compiler.instructions import Arg, Instruction, Space, View, contiguous
from autograd.kernels import clip_array, relu_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.chains import Chain

INDENT = "    "
BETWEEN = "\n\n\n"
"""What is between blocks of lines, which may be compiled one by one."""
_BLOCK = 500
"""As many lines are compiled at once, at most: Python's own compiler takes 10 kB for each of them."""
RESERVED = re.compile(
    "np|dot|float|check|view|index|theta|constants|[stuvB]|ones|examples|seed|step|results?|differentiate|unfold|"
    r"[A-Za-z]+\d+|(rows|starts|filled|numbers|range|hot|part)_?\w*|" + "|".join([*ops.TABLE, *keyword.kwlist])
)
"""The names that the source uses itself, or that Python does: an argument cannot have them."""


class Source:
    """The source of a program, line by line, and what its lines mention."""

    def __init__(self, theta: Space, inputs: Sequence[Space], dtype: np.dtype[Any]) -> None:
        self.constants: dict[str, NDArray[Any] | Chain] = {}
        """Arrays that lines mention."""
        self.kernels: set[str] = set()
        """Rows of the table whose functions on arrays lines mention, NumPy having none of the kind."""
        self.made: list[str] = []
        """Lines that run once a batch size."""
        self.bound: list[str] = []
        """Lines that run at the beginning of each call."""
        self.lines: list[str] = []
        self.late: list[str] = []
        """Lines that run before a gradient is computed."""
        self.used: set[Space] = set()
        """The spaces that are made once a batch size."""
        self._theta = theta
        self._given = {theta, *inputs}
        self._inputs = set(inputs)
        self._taken = {"", *[space.name for space in inputs]}
        self._dtype = dtype
        self._bound: dict[object, str] = {}
        self._counts: dict[str, int] = {}
        self._largest = repr(float(np.finfo(dtype).max))

    # Names

    def _name(self, stem: str) -> str:
        """A name that nothing has yet: ``x_2`` and 55 are ``x_255``, and so are ``x_25`` and 5."""
        name = ""
        while name in self._taken:
            self._counts[stem] = number = self._counts.get(stem, 0) + 1
            name = f"{stem}{number}"
        self._taken.add(name)
        return name

    def _constant(self, stem: str, value: NDArray[Any]) -> str:
        """The name of an array that the source cannot spell."""
        key = (stem, value.tobytes(), value.shape)
        if key not in self._bound:
            self._bound[key] = name = self._name(stem)
            self.constants[name] = value
        return self._bound[key]

    def array(self, v: View, form: str = "") -> str:
        """The name of an array that is the view ``v``, as the shape (*shape, batch), or (*shape) if that is not batched.

        In the form "column" it has one more axis, of length 1; as a "matrix", which is one of a stack if there are more, the
        examples are columns; for "examples" they are the first axis.
        """
        if form == "matrix" and v.shape[0] == 1:
            v = View(v.space, v.start, v.shape[1:], v.strides[1:])
            if v.batched and v.shape[1] == 1:
                v, form = View(v.space, v.start, v.shape[:1], v.strides[:1]), ""
        if form == "matrix" and not v.batched:
            form = ""
        key = (v, form)
        if key not in self._bound:
            stem = ("W" if len(v.shape) > 1 else "b") if v.space is self._theta else _STEMS.get(v.space.name, v.space.name)
            self._bound[key] = name = self._name(stem)
            where = self.bound if v.space in self._given else self.late if v.space.fresh else self.made
            where.append(f"{name} = {self._expression(v, form)}")
            if where is self.made:
                self.used.add(v.space)
        return self._bound[key]

    def _expression(self, v: View, form: str) -> str:
        name = f"{v.space.name}.T" if v.space in self._inputs else v.space.name
        merge = form == "matrix"
        text = _slice(name, v, merge) or (_block(name, v, merge) if v.space not in self._inputs else "")
        if not text:
            text = f"view({name}, {v.start}, {v.shape}, {v.strides}{', merge=True' if merge else ''})"
        if form == "column":
            text += "[..., None]"
        return f"np.moveaxis({text}, -1, 0)" if form == "examples" and v.batched else text

    # Lines

    def add(self, instruction: Instruction) -> None:
        """Write the lines of an instruction."""
        getattr(self, "_" + instruction.kind)(instruction)

    def _line(self, text: str) -> None:
        self.lines.append(text)

    def _operand(self, arg: Arg, out: View) -> str:
        if not isinstance(arg, View):
            return literal(arg)
        return self.array(arg, "column" if out.batched and not arg.batched else "")

    def _map(self, i: Instruction) -> None:
        assert i.op is not None
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

    def _move(self, i: Instruction) -> None:
        self._line(f"{self.array(i.out)}[...] = {self._operand(i.args[0], i.out)}")

    def _fill(self, i: Instruction) -> None:
        if i.args[0] == "seed" and not i.out.space.fresh:  # the same at every call, and nobody writes to it
            self.made.append(f"{self.array(i.out)}.fill(seed)")
        else:
            self._line(f"{self.array(i.out)}.fill({literal(i.args[0]) if isinstance(i.args[0], float) else i.args[0]})")

    def _sum(self, i: Instruction) -> None:
        (x,) = i.args
        out = self.array(i.out)
        if i.over_batch and not i.axes:
            best = "np.dot" if x.contiguous and i.out.contiguous and len(x.shape) == 1 else "np.matmul"
            self._line(f"{best}({self.array(x)}, ones, out={out})")
            return
        axes = [*i.axes, len(x.shape)] if i.over_batch else list(i.axes)
        if len(axes) == len(x.shape) + i.over_batch:
            out = f"{out}[0]" if i.out.batched else f"{out}.reshape(())"
        self._line(f"np.add.reduce({self.array(x)}, axis={tuple(axes) if len(axes) > 1 else axes[0]}, out={out})")

    def _reduce(self, i: Instruction) -> None:
        (x,) = i.args
        ufunc = FOLDED[i.op].__name__  # type: ignore[index]  # of what pack reduces
        self._line(f"np.{ufunc}.reduce({self.array(x)}, axis={len(x.shape) - 1}, out={self.array(i.out)})")

    def _unfold(self, i: Instruction) -> None:
        assert i.op is not None
        of = ", ".join(map(self.array, i.args))
        self._line(f"unfold({i.op.name!r}, ({of}), {len(i.out.shape) - 1}, {self.array(i.out)})")

    def _chain(self, i: Instruction) -> None:
        assert i.chain is not None
        name = self._name("chain")
        self.constants[name] = i.chain
        self._line(f"# {name}, from x to y: {i.chain.about()}")
        self._line(f"{name}.forward({self.array(i.args[0])}, {self.array(i.out)})")

    def _sweep(self, i: Instruction) -> None:
        assert i.chain is not None
        name = self._name("sweep")
        self.constants[name] = i.chain
        d_out, x, out = map(self.array, i.args)
        self._line(f"{name}.reverse({x}, {out}, {self.array(i.out)}, {d_out})")

    def _peak(self, i: Instruction) -> None:
        (x,) = i.args
        out = self.array(i.out)
        self._line(f"np.maximum.reduce({self.array(x)}, axis={len(x.shape) - 1}, initial=-{self._largest}, out={out})")
        self._line(f"np.minimum({out}, {self._largest}, out={out})")

    def _segments(self, i: Instruction) -> None:
        assert i.rows is not None
        ufunc = FOLDED[i.op].__name__  # type: ignore[index]  # as above
        out = self.array(i.out)
        starts = self._constant("starts", i.rows)
        self._line(f"np.{ufunc}.reduceat({self.array(i.args[0])}, {starts}, axis=0, out={out})")
        if i.op is ops.maximum:
            self._line(f"np.minimum(np.maximum({out}, -{self._largest}, out={out}), {self._largest}, out={out})")

    def _product(self, i: Instruction) -> None:
        self._checked(i.finite)
        out = self.array(i.out, "matrix")
        flat = i.out.shape[0] == 1
        turn = ".T" if flat else ".swapaxes(1, 2)"
        a, b = [self.array(arg, "matrix") + turn * t for arg, t in zip(i.args[:2], i.transposed, strict=True)]
        best = "np.dot" if flat and i.out.contiguous else "np.matmul"  # the first is quicker, but wants room of its own
        inner = i.args[0].shape[2 - i.transposed[0]]
        if best == "np.dot" and inner == 1 and 1 in i.out.shape[1:]:
            best = "dot" if any(v.batched for v in i.views) else "np.matmul"
        self._line(f"{best}({a}, {b}, out={out})")
        for bias in i.args[2:]:
            column = self.array(View(bias.space, bias.start, bias.shape[flat:], bias.strides[flat:]), "column")
            self._line(f"np.add({out}, {column}, out={out})")

    def _checked(self, views: Sequence[View]) -> None:
        """Lines that give up unless all numbers in ``views`` are finite."""
        for x in views:
            rows = np.unique(x.rows)
            block = View(x.space, int(rows[0]), (int(rows[-1] - rows[0]) + 1,), (1,))
            self._line(f"check({self.array(block if block.size == len(rows) else x)})")

    def _pairwise(self, i: Instruction) -> None:
        form = "examples"
        self._checked(i.finite)
        a, b = [self.array(arg, form) + ".swapaxes(-1, -2)" * t for arg, t in zip(i.args, i.transposed, strict=True)]
        self._line(f"np.matmul({a}, {b}, out={self.array(i.out, form)})")

    def _gather(self, i: Instruction) -> None:
        (x,) = i.args
        if x.space not in self._given:
            self.used.add(x.space)
        source = f"{x.space.name}.T" if x.space in self._inputs else x.space.name
        rows = self._constant("rows", x.start + i.rows)
        self._line(f"np.take({source}, {rows}, axis=0, out={self.array(i.out)}, mode='clip')")

    def _scatter(self, i: Instruction) -> None:
        assert i.rows is not None
        self.used.add(i.out.space)
        self._line(f"{i.out.space.name}[{self._constant('rows', i.rows)}] = {self.array(i.args[0])}")

    def _index(self, v: View, size: int) -> str:
        """The name of the whole numbers in ``v``, which are from 0 to ``size - 1``."""
        key = ("index", v, size)
        if key not in self._bound:
            self._bound[key] = name = self._name("i")
            self._line(f"{name} = index({self.array(v)}, {size}{', whole=True' if v.space.whole else ''})")
        return self._bound[key]

    def _take(self, i: Instruction) -> None:
        table, which = i.args
        columns = self._index(which, table.shape[1])
        self._line(f"np.take({self.array(table)}, {columns}, axis=1, out={self.array(i.out)}, mode='clip')")

    def _put(self, i: Instruction) -> None:
        taken, which = i.args
        size, indices = i.out.shape[1], which.size
        chosen = self._index(which, size)
        hot, numbers = self._name("hot"), self._constant("range", np.arange(size)[:, None])
        self.made.append(f"{hot} = np.empty(({size}, {indices} * B), {self._dtype.name!r})")
        self._line(f"np.equal({numbers}, {chosen}.ravel(), out={hot})")
        self._line(f"np.matmul({self.array(taken)}.reshape({taken.shape[0]}, -1), {hot}.T, out={self.array(i.out)})")

    def _pick(self, i: Instruction) -> None:
        table, which = i.args
        self._line(f"{self.array(i.out)}[...] = {self._item(table, which)}")

    def _place(self, i: Instruction) -> None:
        value, which = i.args
        self._line(f"{self.array(i.out)}.fill(0.0)")
        columns = self._index(which, i.out.shape[1])
        rows = self._constant("rows", np.arange(i.out.shape[0])[:, None])
        if i.out.batched:
            self._line(f"{self._item(i.out, which)} = {self.array(value)}")
        else:
            self._line(f"np.add.at({self.array(i.out)}, ({rows}, {columns}), {self.array(value)})")

    def _item(self, table: View, which: View) -> str:
        columns = self._index(which, table.shape[1])
        rows = self._constant("rows", np.arange(table.shape[0])[:, None])
        spread = "[:, None]" if not which.batched else ""  # the same item in every example
        return f"{self.array(table)}[{rows}, {columns}{spread}{', examples' if table.batched else ''}]"


_WITH_ROOM = (relu_array, clip_array)
"""Kernels of ours that write to where they are told, as NumPy's do."""
_STEMS = {"theta": "b", "constants": "c", "v": "h", "d_v": "g", "t": "p", "u": "q", "s": "s", "d_s": "e", "d_theta": "d"}


def _slice(name: str, v: View, merge: bool) -> str:  # noqa: FBT001 - as view's
    """A slice that is the view, or "" if none is: one axis is longer than 1, at most, and its stride is positive."""
    long = [axis for axis, size in enumerate(v.shape) if size > 1]
    if merge or len(long) > 1 or any(v.strides[axis] <= 0 for axis in long):
        return ""
    step = v.strides[long[0]] if long else 1
    stop = v.start + (v.size - 1) * step + 1
    text = f"{name}[{v.start}:{stop}{f':{step}' if step > 1 else ''}]"
    return text if len(v.shape) == 1 else f"{text}.reshape({', '.join(map(str, v.shape))}{', B' if v.batched else ''})"


def _block(name: str, v: View, merge: bool) -> str:  # noqa: FBT001 - as view's
    """A slice that is reshaped, its axes in another order perhaps, or cut at the end of rows; "" if none is the view."""
    shape, strides = v.shape, v.strides
    if len(shape) == 2 and strides[1] == 1 and strides[0] > shape[1] and not v.batched:  # noqa: PLR2004 - a matrix
        stop = v.start + shape[0] * strides[0]
        return f"{name}[{v.start}:{stop}].reshape({shape[0]}, {strides[0]})[:, 0:{shape[1]}]" if stop <= v.space.size else ""
    order = sorted(range(len(shape)), key=lambda axis: (-strides[axis], axis))
    sizes = tuple([shape[axis] for axis in order])
    if tuple([strides[axis] for axis in order]) != contiguous(sizes) or (merge and order != sorted(order)):
        return ""
    *outer, last = map(str, sizes)
    rows = [*outer, f"{last} * B"] if merge else [*outer, last, *(["B"] if v.batched else [])]
    text = f"{name}[{v.start}:{v.start + v.size}].reshape({', '.join(rows)})"
    if order == sorted(order):
        return text
    back = [order.index(axis) for axis in range(len(order))] + ([len(order)] if v.batched else [])
    return f"{text}.T" if back == [1, 0] else f"{text}.transpose({', '.join(map(str, back))})"


def view(array: Any, start: int, shape: tuple[int, ...], strides: tuple[int, ...], *, merge: bool = False) -> Any:
    """The rows ``start + i * strides[0] + j * strides[1] + …`` of ``array``, an example's number after the other's.

    With ``merge``, the last axis of ``shape`` and that of the examples are one.
    """
    row = array.strides[0]
    steps = tuple([stride * row for stride in strides]) + array.strides[1:]
    shape += array.shape[1:]
    if merge:
        *shape_before, columns, batch = shape
        shape, steps = (*shape_before, columns * batch), (*steps[:-2], steps[-1])
    # An axis of length 1 gets the stride that it would have in an array of its own, as BLAS takes no stride of 0.
    step, usual = array.itemsize, []
    for size in reversed(shape):
        usual.append(step)
        step *= max(size, 1)
    steps = tuple([own if size == 1 else stride for size, stride, own in zip(shape, steps, reversed(usual), strict=True)])
    if array.flags.c_contiguous and array.size:
        return np.ndarray(shape, array.dtype, array, start * row, steps)
    return np.lib.stride_tricks.as_strided(array[start:], shape, steps)


def index(numbers: Any, size: int, *, whole: bool = False) -> Any:
    """``numbers`` as indices of a table of ``size`` items; IndexError for what is none. They may be known to be ``whole``."""
    rounded = numbers.astype(np.intp, copy=False)
    if rounded.size and (rounded.view(np.uintp).max() >= size or not (whole or (rounded == numbers).all())):
        wrong = numbers[~((numbers >= 0) & (numbers < size) & (rounded == numbers))].flat[0]
        msg = f"select() expects an index that is a whole number from 0 to {size - 1}, not {float(wrong)!r}"
        raise IndexError(msg)
    return rounded


class NotFiniteError(ArithmeticError):
    """An infinity or NaN where the program would multiply it by a zero that the function has not."""


def check(numbers: Any) -> None:
    """Raise NotFiniteError unless all ``numbers`` are finite, and small enough for their squares to be."""
    flat = numbers.ravel()
    if not math.isfinite(np.dot(flat, flat)):
        raise NotFiniteError


def emit(  # noqa: PLR0913, PLR0917 - the parts of a program
    forward: Sequence[Instruction],
    backward: Sequence[Instruction],
    spaces: Sequence[Space],
    theta: Space,
    inputs: Sequence[Space],
    roots: View,
    reduction: str | None,
    dtype: np.dtype[Any],
    trained: int,
) -> tuple[str, dict[str, NDArray[Any] | Chain], set[str]]:
    """The source of a program, which makes the buffers for B examples and a function ``step``; the arrays that it mentions, and
    the rows of the table whose functions it calls.

    ``step`` takes theta, the input arrays and whether to differentiate, and gives the result, with the gradient by the first
    ``trained`` numbers of theta if so; without a ``reduction``, it gives all results, (B, roots).
    """
    source = Source(theta, inputs, dtype)
    for instruction in forward:
        source.add(instruction)
    result = source.array(roots)
    if reduction is None:
        source.lines.append(f"return {result}.T.copy()" if roots.batched else f"return np.tile({result}, (B, 1))")
    else:
        source.lines += _reduced(result, roots, reduction, counts=bool(inputs))
        source.lines += [
            "if not differentiate:",
            INDENT + "return result",
            "",
            f"d_theta = np.empty({theta.size}, {dtype.name!r})",
        ]
        forward_lines, source.lines = source.lines, []
        for instruction in backward:
            source.add(instruction)
        source.lines = [*forward_lines, *source.late, *source.lines]
        source.lines.append("return result, d_theta" if trained == theta.size else f"return result, d_theta[:{trained}].copy()")
    made = [
        *_helpers(source, _seed(roots, reduction, counts=bool(inputs)), dtype),
        *_buffers(source, spaces, dtype),
        *source.made,
    ]
    given = [theta.name, *[space.name for space in inputs]]
    blocks = [made[i : i + _BLOCK] for i in range(0, len(made), _BLOCK)] + _step(given, [*source.bound, *source.lines])
    return BETWEEN.join(["\n".join(block) for block in blocks]) + "\n", source.constants, source.kernels


def _step(given: Sequence[str], body: Sequence[str]) -> list[list[str]]:
    """The function ``step`` with the lines of its ``body``; if these are many, they are in functions that it calls.

    These share what they assign. They go with ``step``, which holds them as its defaults.
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


def _helpers(source: Source, seed: str, dtype: np.dtype[Any]) -> list[str]:
    """Lines that make what other lines mention."""
    made = {
        "ones": f"ones = np.ones(B, {dtype.name!r})",
        "examples": "examples = np.arange(B)",
        "dot": "dot = np.dot if B > 1 else np.matmul",  # np.dot takes 0 * inf to be 0 where a column meets a single number
        "seed": f"seed = {seed}",
    }
    mentioned = set(re.findall(r"(?<![.\w])[a-z]+(?!\w)", "\n".join([*source.made, *source.lines])))
    return [line for name, line in made.items() if name in mentioned]


def _buffers(source: Source, spaces: Sequence[Space], dtype: np.dtype[Any]) -> list[str]:
    """Lines that make the spaces, with the constants in them."""
    lines = []
    for space in spaces:
        if space.size and space in source.used:
            lines.append(f"{space.name} = np.empty(({space.size}{', B' if space.batched else ','}), {dtype.name!r})")
            if space.filled:
                rows, numbers = f"filled_{space.name}", f"numbers_{space.name}"
                source.constants[rows], source.constants[numbers] = (
                    np.array([*space.filled]),
                    np.array([*space.filled.values()], dtype),
                )
                lines.append(f"{space.name}[{rows}] = {numbers}{'[:, None]' if space.batched else ''}")
    return lines


def _reduced(result: str, roots: View, reduction: str, *, counts: bool) -> list[str]:
    """The line that makes one number of the results of all examples, which are to be counted if there are any."""
    if roots.batched:
        return [f"result = float(np.dot({result}[0], ones)){' / B' if reduction == 'mean' else ''}"]
    weight = " * B" if counts and reduction == "sum" else ""
    return [f"result = float({result}[0]){weight}"]


def _seed(roots: View, reduction: str | None, *, counts: bool) -> str:
    """The derivative of the result by the result of each example, or by the one that all examples have."""
    if roots.batched:
        return "1.0 / B" if reduction == "mean" else "1.0"
    return "1.0 * B" if counts and reduction == "sum" else "1.0"
