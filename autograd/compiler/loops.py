"""Instructions as loops over single numbers, for one example: what executes them where there is no NumPy.

The statements are those that Python and C have in common; what the two spell differently is a :class:`Language`'s to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, assert_never

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.views import Space, View, contiguous

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Arg = View | float

_LARGEST = float(np.finfo(float).max)


class Language(Protocol):
    """What statements need to know of the language that they are in."""

    def number(self, x: float) -> str:
        """A number, as it is written."""

    def call(self, op: ops.Op, args: Sequence[str]) -> str:
        """The expression for ``op`` at ``args``, which are names, items of arrays or numbers."""

    def item(self, index: str, size: int) -> str:
        """``index`` as that of one of ``size`` items."""

    def found(self, x: str) -> str:
        """``x``, an item at such an index."""

    def when(self, condition: str, statement: str) -> str:
        """The statement, if the condition holds."""


@dataclass
class Loop:
    """``body`` for each whole number from ``start`` to before ``stop``."""

    variable: str
    start: str
    stop: str
    body: list[Statement]


Statement = Loop | str


class Loops:
    """Writes statements, and collects the tables of whole numbers that they mention."""

    def __init__(self, language: Language, locate: Callable[[View], tuple[str, int]]) -> None:
        self._language = language
        self._locate = locate
        """The array in which a view lies, and where there the space's row 0 would be."""
        self.tables: dict[str, NDArray[np.int64]] = {}
        self._named: dict[tuple[str, bytes], str] = {}
        self._zeros: dict[Space, NDArray[np.bool_]] = {}

    def statements(self, instructions: Iterable[ir.Instruction]) -> list[Statement]:
        """The statements for ``instructions``, in their order."""
        self._zeros = {}
        written = []
        for i in instructions:
            written += self._statements(i)
            self._follow_zeros(i)
        return written

    def constants(self, space: Space, rows: Iterable[int]) -> list[Statement]:
        """The statements that put constants where they belong, in these ``rows`` of ``space``."""
        written: list[Statement] = []
        known = sorted(rows)
        while known:
            first, number = known[0], space.filled[known[0]]
            size = 1
            while size < len(known) and known[size] == first + size and repr(space.filled[first + size]) == repr(number):
                size += 1
            written += self._each(View(space, first, (size,), (1,)), self._language.number(number))
            known = known[size:]
        return written

    # Pieces

    def at(self, view: View, variables: Sequence[str]) -> str:
        """The item of an array that the ``variables``, one for each axis, say."""
        name, zero = self._locate(view)
        return f"{name}[{_index(view.start + zero, view.shape, view.strides, variables)}]"

    def _operand(self, arg: Arg, variables: Sequence[str]) -> str:
        return self.at(arg, variables) if isinstance(arg, View) else self._language.number(arg)

    def _table(self, stem: str, numbers: NDArray[np.int64]) -> str:
        key = stem, numbers.tobytes()
        if key not in self._named:
            self._named[key] = name = f"{stem}{sum(known == stem for known, _ in self._named) + 1}"
            self.tables[name] = numbers.ravel()
        return self._named[key]

    def _each(self, out: View, expression: str) -> list[Statement]:
        """Assign the ``expression``, of the variables of ``out``, to each item."""
        variables = _variables(out.shape)
        return _nest(out.shape, variables, [f"{self.at(out, variables)} = {expression}"])

    # Zeros that the graph has not: products are padded with them, and they are to be passed over where they meet infinities

    def _is_zero(self, space: Space) -> NDArray[np.bool_]:
        """Which rows of ``space`` hold a constant 0, or a copy of one."""
        if space not in self._zeros:
            zeros = self._zeros[space] = np.zeros(space.size, bool)
            zeros[[row for row, number in space.filled.items() if number == 0.0]] = True
        return self._zeros[space]

    def _follow_zeros(self, i: ir.Instruction) -> None:
        zeros: Any = False
        if isinstance(i, ir.Gather | ir.Move | ir.Scatter):
            zeros = self._is_zero(i.x.space)[i.x.rows]
        if isinstance(i, ir.Gather):
            zeros = zeros.ravel()[i.rows].reshape(i.out.shape)
        self._is_zero(i.out.space)[i.writes if isinstance(i, ir.Scatter) else i.out.rows] = zeros

    # The kinds of instructions

    def _statements(self, i: ir.Instruction) -> list[Statement]:  # noqa: C901, PLR0911, PLR0912 - one case for each kind
        """The statements for one instruction."""
        variables = _variables(i.out.shape)
        match i:
            case ir.Map(out, op, args):
                return self._each(out, self._language.call(op, [self._operand(arg, variables) for arg in args]))
            case ir.Move(out, x):
                return self._each(out, self._operand(x, variables))
            case ir.Fill(out, number):
                return self._each(out, self._language.number(number))
            case ir.Seed(out):
                return self._each(out, self._language.number(1.0))
            case ir.Sum(out, x, axes):
                return self._folded(x.shape, axes, ops.fsum, out, x)
            case ir.Reduce(out, op, x):
                return self._folded(x.shape, [len(x.shape) - 1], op, out, x)
            case ir.Peak(out, x):
                return self._folded(x.shape, [len(x.shape) - 1], ops.maximum, out, x)
            case ir.Peaks(out, x, starts):
                return self._segments(ops.maximum, x, starts, out)
            case ir.Segments(out, op, x, starts):
                return self._segments(op, x, starts, out)
            case ir.Product() | ir.Pairwise():
                return self._product(i)
            case ir.Gather(out, x, rows):
                name, zero = self._locate(x)
                table = self._table("rows", zero + x.start + x.strides[0] * rows.ravel())
                return self._each(out, f"{name}[{table}[{variables[0]}]]")
            case ir.Scatter(out, x, rows):
                name, zero = self._locate(out)
                table = self._table("rows", zero + out.start + out.strides[0] * rows)
                return [Loop("i", "0", str(rows.size), [f"{name}[{table}[i]] = {self.at(x, ['i'])}"])]
            case ir.Take():
                return self._take(i)
            case ir.Pick():
                return self._pick(i)
            case ir.Place():
                return self._place(i)
            case ir.Chain() | ir.Sweep() | ir.Unfold() | ir.Put() | ir.Project():
                raise AssertionError  # plans for loops have none of them
            case _:
                assert_never(i)

    def _folded(self, shape: tuple[int, ...], axes: Sequence[int], op: ops.Op, out: View, x: View) -> list[Statement]:
        """``out``, of the axes that are left, as the ``op`` of what lies along ``axes`` in ``x``."""
        variables = _variables(shape)
        kept = [axis for axis in range(len(shape)) if axis not in axes]
        start, fold, end = self._fold(op, self.at(x, variables))
        inner = _nest([shape[a] for a in axes], [variables[a] for a in axes], [fold])
        names = [variables[axis] for axis in kept] or ["0"]
        body: list[Statement] = [start, *inner, f"{self.at(out, names)} = {end}"]
        return _nest([shape[a] for a in kept], names, body)

    def _fold(self, op: ops.Op, x: str) -> tuple[str, str, str]:
        """How to begin folding, what to do with each ``x``, and what comes out in the end."""
        if op is ops.maximum:  # only a shift: it is to be finite, so that what is shifted by it stays what it is
            language, largest = self._language, self._language.number(_LARGEST)
            end = language.call(ops.minimum, ["total", largest])
            return f"total = -{largest}", f"total = {language.call(op, ['total', x])}", end
        fold = f"total += {x}" if op is ops.fsum else f"total = {self._language.call(op, ['total', x])}"
        return f"total = {self._language.number(0.0)}", fold, "total"

    def _segments(self, op: ops.Op, x: View, starts: NDArray[np.int64], out: View) -> list[Statement]:
        table = self._table("starts", np.append(starts, x.size))
        start, fold, end = self._fold(op, self.at(x, ["j"]))
        body: list[Statement] = [start, Loop("j", f"{table}[i]", f"{table}[i + 1]", [fold]), f"{self.at(out, ['i'])} = {end}"]
        return [Loop("i", "0", str(out.size), body)]

    def _product(self, i: ir.Product | ir.Pairwise) -> list[Statement]:
        a, b = i.a, i.b
        size = a.shape[1] if i.transposed[0] else a.shape[2]
        names = _variables((*i.out.shape, size))
        group, row, column, inner = names
        left = [group, inner, row] if i.transposed[0] else [group, row, inner]
        right = [group, column, inner] if i.transposed[1] else [group, inner, column]
        fold = f"total += {self.at(a, left)} * {self.at(b, right)}"
        if i.finite:
            for view, variables in ((a, left), (b, right)):
                mask = ~self._is_zero(view.space)[view.rows]
                if not mask.all():
                    table = self._table("mask", mask.astype(np.int64))
                    fold = self._language.when(f"{table}[{_index(0, view.shape, contiguous(view.shape), variables)}]", fold)
        bias = f" + {self.at(i.bias, [group, row])}" if isinstance(i, ir.Product) and i.bias else ""
        body: list[Statement] = [
            f"total = {self._language.number(0.0)}",
            *_nest([size], [inner], [fold]),
            f"{self.at(i.out, names[:3])} = total{bias}",
        ]
        return _nest(i.out.shape, names, body)

    def _take(self, i: ir.Take) -> list[Statement]:
        table, which = i.table, i.index
        row, column = _variables(i.out.shape)
        body = [
            f"at = {self._language.item(self.at(which, [column]), table.shape[1])}",
            *_nest(
                i.out.shape[:1],
                [row],
                [f"{self.at(i.out, [row, column])} = {self._language.found(self.at(table, [row, 'at']))}"],
            ),
        ]
        return _nest(i.out.shape[1:], [column], body)

    def _pick(self, i: ir.Pick) -> list[Statement]:
        table, which = i.table, i.index
        (row,) = _variables(i.out.shape)
        body = [
            f"at = {self._language.item(self.at(which, [row]), table.shape[1])}",
            f"{self.at(i.out, [row])} = {self._language.found(self.at(table, [row, 'at']))}",
        ]
        return _nest(i.out.shape, [row], body)

    def _place(self, i: ir.Place) -> list[Statement]:
        value, which = i.d_y, i.index
        row, _ = _variables(i.out.shape)
        body = [
            f"at = {self._language.item(self.at(which, [row]), i.out.shape[1])}",
            self._language.when("at >= 0", f"{self.at(i.out, [row, 'at'])} = {self.at(value, [row])}"),
        ]
        return [*self._each(i.out, self._language.number(0.0)), *_nest(i.out.shape[:1], [row], body)]


def _variables(shape: Sequence[int]) -> list[str]:
    """The names of the variables of loops, one for each axis; 0 for axes of length 1, which need no loop."""
    names = iter([*"ijkl", *[f"i{n}" for n in range(5, 5 + len(shape))]])
    return [next(names) if size > 1 else "0" for size in shape]


def _nest(shape: Sequence[int], variables: Sequence[str], statements: Sequence[Statement]) -> list[Statement]:
    """The ``statements`` in a loop for each axis that is longer than 1."""
    body = [*statements]
    for size, variable in reversed([*zip(shape, variables, strict=False)]):
        if size > 1:
            body = [Loop(variable, "0", str(size), body)]
    return body


def _index(start: int, shape: Sequence[int], strides: Sequence[int], variables: Sequence[str]) -> str:
    """``start`` and the ``variables`` times their strides, as it is written.

    >>> _index(3, (4, 1, 5), (5, 0, 1), ["i", "0", "j"]), _index(4, (5,), (-1,), ["i"])
    ('3 + 5 * i + j', '4 - i')
    """
    text = str(start) if start else ""
    for size, stride, variable in zip(shape, strides, variables, strict=True):
        if size > 1 and stride:
            term = variable if abs(stride) == 1 else f"{abs(stride)} * {variable}"
            sign = "-" if stride < 0 else "+" if text else ""
            text = f"{text} {sign} {term}" if text else f"{sign}{term}"
    return text or "0"


def needed(instructions: Sequence[ir.Instruction], wanted: View) -> tuple[list[ir.Instruction], dict[Space, NDArray[np.bool_]]]:
    """Those of the ``instructions`` that the rows ``wanted`` need, and which rows of each space they read, or are wanted."""
    read: dict[Space, NDArray[np.bool_]] = {}

    def rows_of(space: Space) -> Any:
        return read.setdefault(space, np.zeros(space.size, bool))

    rows_of(wanted.space)[wanted.rows] = True
    kept = []
    for i in reversed(instructions):
        if rows_of(i.out.space)[i.writes].any():
            kept.append(i)
            for space, rows in i.reads:
                rows_of(space)[rows] = True
    return kept[::-1], read


@dataclass
class Block:
    """Constant numbers that lie together."""

    name: str
    start: int
    """The row of the space at which it begins."""
    numbers: NDArray[np.float64]
    shape: tuple[int, ...]
    """As whose numbers it is read."""


def blocks(space: Space, numbers: NDArray[np.float64], views: Iterable[View], stems: tuple[str, str]) -> list[Block]:
    """What ``views`` read of ``numbers``, which are those of ``space``: each a block, but those that overlap, which are one.

    The first of the ``stems`` is for the names of matrices.
    """
    spans = [(int(v.rows.min()), int(v.rows.max()) + 1, v.shape) for v in views if v.space is space]
    merged: list[tuple[int, int, tuple[int, ...]]] = []
    for start, stop, shape in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, last, known = merged[-1]
            merged[-1] = (first, max(last, stop), known)
        else:
            merged.append((start, stop, shape))
    counts = dict.fromkeys(stems, 0)
    found = []
    for start, stop, shape in merged:
        long = tuple([n for n in shape if n > 1])
        counts[stem := stems[len(long) < 2 and len(shape) < 3]] += 1  # noqa: PLR2004 - a matrix, or a stack of matrices
        name = f"{stem}{counts[stem]}"
        found.append(Block(name, start, numbers[start:stop], long if math.prod(long) == stop - start else (stop - start,)))
    return found
