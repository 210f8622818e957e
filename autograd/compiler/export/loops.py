"""Instructions as loops over single numbers, for one example, which run where there is no NumPy.

    instruction                                      statements, in Python

    v[6:8] = product(W1 as 2x3, v[0:3], bias=b1)     for i in range(2):
                                                         total = 0.0
                                                         for j in range(3):
                                                             total += W1[3 * i + j] * v[j]
                                                         v[6 + i] = total + b1[i]

Statements are assignments, conditions and loops, which all languages have. Numbers, operations and the heads of loops differ
between languages: a :class:`~autograd.compiler.export.language.Language` spells them.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, assert_never

import numpy as np

from autograd import ops
from autograd.compiler import instructions as ir
from autograd.compiler.export.file import Loop, Table
from autograd.compiler.views import Space, View, contiguous

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.export.file import Statement
    from autograd.compiler.export.language import Language

    Rows = NDArray[np.int64]

_LARGEST = float(np.finfo(float).max)


class Loops:
    """Writes statements, and collects the tables of whole numbers that they mention."""

    def __init__(self, language: Language, tables: Mapping[Space, Iterable[Table]]) -> None:
        """``tables`` hold the rows of some spaces. Any other space is an array that has the name of the space."""
        self.tables: dict[tuple[str, bytes], Table] = {}
        self._language = language
        self._constants = tables
        self._zeros: dict[Space, NDArray[np.bool_]] = {}

    def statements(self, instructions: Iterable[ir.Instruction]) -> list[Statement]:
        """Return the statements for ``instructions``, in their order."""
        self._zeros = {}
        written = []
        for i in instructions:
            written += self._statements(i)
            self._follow_zeros(i)
        return written

    def constants(self, space: Space, rows: Iterable[int]) -> list[Statement]:
        """Return the statements that fill ``rows`` of ``space``, which are sorted, with their constants.

        Consecutive rows of the same number become one loop. If the rows 3, 4 and 5 hold 1.0, that is, in Python:

            for i in range(3):
                v[3 + i] = 1.0
        """
        written: list[Statement] = []
        # Row minus place is the same for consecutive rows; repr tells 0.0 from -0.0, and finds NaN equal to NaN.
        for _, run in groupby(enumerate(rows), lambda pair: (pair[1] - pair[0], repr(space.filled[pair[1]]))):
            (_, first), *rest = run
            out = View(space, first, (1 + len(rest),), (1,))
            written += self._each(out, self._language.number(space.filled[first]))
        return written

    def located(self, view: View) -> View:
        """Return the view of an array in the file that has the items of ``view``. The array has the name of the new space."""
        first = view.rows.min()
        for table in self._constants.get(view.space, ()):
            if table.start <= first < table.start + len(table.numbers):
                return View(Space(table.name, batched=False), view.start - table.start, view.shape, view.strides)
        return view

    def _at(self, view: View | float, variables: Sequence[str]) -> str:
        """Spell a number, or the item of a view at ``variables``."""
        return at(self.located(view), variables) if isinstance(view, View) else self._language.number(view)

    def _table(self, stem: str, numbers: Rows) -> str:
        """Return the name of a table of whole numbers, which is new or known."""
        key = stem, numbers.tobytes()
        if key not in self.tables:
            number = sum(known == stem for known, _ in self.tables) + 1
            self.tables[key] = Table(f"{stem}{number}", numbers.ravel().tolist())
        return self.tables[key].name

    def _each(self, out: View, expression: str) -> list[Statement]:
        """Assign the ``expression``, of the variables of ``out``, to each item."""
        variables = _variables(out.shape)
        return _nest(out.shape, variables, [f"{self._at(out, variables)} = {expression}"])

    # A product may have zeros that the function does not have (see "Giving up" in instructions.py). Where these could meet an
    # infinity, the loop skips them, by a table that says which factors are real:
    #
    #     if mask1[3 * i + j]: total += v[3 * i + j] * v[9 + j]

    def _is_zero(self, space: Space) -> NDArray[np.bool_]:
        """Return which rows of ``space`` hold the constant 0, or a copy of it."""
        if space not in self._zeros:
            self._zeros[space] = np.array([space.filled.get(row) == 0.0 for row in range(space.size)], bool)
        return self._zeros[space]

    def _follow_zeros(self, i: ir.Instruction) -> None:
        """Note what ``i`` writes: a copy of a zero is a zero, and other results may be anything."""
        copied = isinstance(i, ir.Gather | ir.Move | ir.Scatter) and self._is_zero(i.reads[0][0])[i.reads[0][1]]
        self._is_zero(i.out.space)[i.writes] = copied

    # The kinds of instructions

    def _statements(self, i: ir.Instruction) -> list[Statement]:  # noqa: C901, PLR0911, PLR0912 - one case for each kind
        """Return the statements for one instruction."""
        variables = _variables(i.out.shape)
        match i:
            case ir.Map(out, op, args):
                return self._each(out, self._language.call(op, [self._at(arg, variables) for arg in args]))
            case ir.Move(out, x):
                return self._each(out, self._at(x, variables))
            case ir.Fill(out, number):
                return self._each(out, self._language.number(number))
            case ir.Seed(out):
                return self._each(out, self._language.number(1.0))
            case ir.Sum(out, x, axes):
                return self._folded(ops.fsum, x, axes, out)
            case ir.Reduce(out, op, x):
                return self._folded(op, x, [len(x.shape) - 1], out)
            case ir.Peak(out, x):
                return self._folded(ops.maximum, x, [len(x.shape) - 1], out)
            case ir.Segments(out, op, x, starts):
                return self._runs(op, x, starts, out)
            case ir.Peaks(out, x, starts):
                return self._runs(ops.maximum, x, starts, out)
            case ir.Product() | ir.Pairwise():
                return self._product(i)
            case ir.Gather(out, x, rows):
                x = self.located(x)
                table = self._table("rows", x.start + x.strides[0] * rows.ravel())
                return self._each(out, f"{x.space.name}[{table}[{variables[0]}]]")
            case ir.Scatter(out, x, rows):
                table = self._table("rows", out.start + out.strides[0] * rows)
                return [Loop("i", "0", str(rows.size), [f"{out.space.name}[{table}[i]] = {self._at(x, ['i'])}"])]
            case ir.Take(out, table, index) | ir.Pick(out, table, index):
                item = self._language.found(self._at(table, [variables[0], "at"]))
                body = _nest(out.shape[:-1], variables, [f"{self._at(out, variables)} = {item}"])
                return self._looked_up(index, variables[-1:], table.shape[1], body)
            case ir.Place(out, d_y, index):
                body = [
                    self._language.when("at >= 0", f"{self._at(out, [variables[0], 'at'])} = {self._at(d_y, variables[:1])}")
                ]
                return [
                    *self._each(out, self._language.number(0.0)),
                    *self._looked_up(index, variables[:1], out.shape[1], body),
                ]
            case ir.Chain() | ir.Sweep() | ir.Unfold() | ir.Put() | ir.Project():
                raise AssertionError  # no plan has them that is not rolled up
            case _:
                assert_never(i)

    def _folded(self, op: ops.Op, x: View, axes: Sequence[int], out: View) -> list[Statement]:
        """Return the statements that write ``op`` of the items along ``axes`` of ``x`` to ``out``, which has the other axes."""
        variables = _variables(x.shape)
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        start, fold, end = self._fold(op, self._at(x, variables))
        inner = _nest([x.shape[a] for a in axes], [variables[a] for a in axes], [fold])
        names = [variables[axis] for axis in kept] or ["0"]
        return _nest([x.shape[a] for a in kept], names, [start, *inner, f"{self._at(out, names)} = {end}"])

    def _runs(self, op: ops.Op, x: View, starts: Rows, out: View) -> list[Statement]:
        """Return the statements that write ``op`` of each run of items to ``out``."""
        table = self._table("starts", np.append(starts, x.size))
        start, fold, end = self._fold(op, self._at(x, ["j"]))
        inner = Loop("j", f"{table}[i]", f"{table}[i + 1]", [fold])
        return [Loop("i", "0", str(out.size), [start, inner, f"{self._at(out, ['i'])} = {end}"])]

    def _fold(self, op: ops.Op, x: str) -> tuple[str, str, str]:
        """Return how to begin, what to do with each ``x``, and the result: for a sum total = 0.0, total += x, and total."""
        language = self._language
        if op is ops.maximum:  # a peak, which must be finite
            largest = language.number(_LARGEST)
            end = language.call(ops.minimum, ["total", largest])
            return f"total = -{largest}", f"total = {language.call(op, ['total', x])}", end
        fold = f"total += {x}" if op is ops.fsum else f"total = {language.call(op, ['total', x])}"
        return f"total = {language.number(0.0)}", fold, "total"

    def _product(self, i: ir.Product | ir.Pairwise) -> list[Statement]:
        size = i.a.shape[1] if i.transposed[0] else i.a.shape[2]
        names = _variables((*i.out.shape, size))
        group, row, column, inner = names
        left = [group, inner, row] if i.transposed[0] else [group, row, inner]
        right = [group, column, inner] if i.transposed[1] else [group, inner, column]
        fold = f"total += {self._at(i.a, left)} * {self._at(i.b, right)}"
        for view, variables in ((i.a, left), (i.b, right)) if i.finite else ():
            mask = ~self._is_zero(view.space)[view.rows]
            if not mask.all():
                table = Space(self._table("mask", mask.astype(np.int64)), batched=False)
                fold = self._language.when(at(View(table, 0, view.shape, contiguous(view.shape)), variables), fold)
        bias = f" + {self._at(i.bias, [group, row])}" if isinstance(i, ir.Product) and i.bias else ""
        body = [
            f"total = {self._language.number(0.0)}",
            *_nest([size], [inner], [fold]),
            f"{self._at(i.out, names[:3])} = total{bias}",
        ]
        return _nest(i.out.shape, names, body)

    def _looked_up(self, index: View, variables: Sequence[str], size: int, body: Sequence[Statement]) -> list[Statement]:
        """Return the ``body`` in a loop over the items of ``index``. In it, ``at`` is the item as an integer below ``size``."""
        return _nest(index.shape, variables, [f"at = {self._language.item(self._at(index, variables), size)}", *body])


def at(view: View, variables: Sequence[str]) -> str:
    """Spell the item of a view at ``variables``, one for each axis.

    >>> v = Space("v", batched=True)
    >>> at(View(v, 3, (4, 1, 5), (5, 0, 1)), ["i", "0", "j"]), at(View(v, 4, (5,), (-1,)), ["i"])
    ('v[3 + 5 * i + j]', 'v[4 - i]')
    """
    text = str(view.start) if view.start else ""
    for size, stride, variable in zip(view.shape, view.strides, variables, strict=True):
        if size > 1 and stride:
            term = variable if abs(stride) == 1 else f"{abs(stride)} * {variable}"
            sign = "-" if stride < 0 else "+" if text else ""
            text = f"{text} {sign} {term}" if text else f"{sign}{term}"
    return f"{view.space.name}[{text or '0'}]"


def _variables(shape: Sequence[int]) -> list[str]:
    """Return the variable of the loop over each axis; 0 for axes of length 1, which need no loop."""
    names = iter([*"ijkl", *[f"i{n}" for n in range(5, 5 + len(shape))]])
    return [next(names) if size > 1 else "0" for size in shape]


def _nest(shape: Sequence[int], variables: Sequence[str], statements: Sequence[Statement]) -> list[Statement]:
    """Return the ``statements`` in a loop for each axis that is longer than 1."""
    body = [*statements]
    for size, variable in reversed([*zip(shape, variables, strict=False)]):
        if size > 1:
            body = [Loop(variable, "0", str(size), body)]
    return body


def needed(instructions: Sequence[ir.Instruction], wanted: View) -> tuple[list[ir.Instruction], dict[Space, NDArray[np.bool_]]]:
    """Return the ``instructions`` that compute the rows ``wanted``, and which rows of each space are read or wanted.

    If y is wanted, these are the first two of

        v = sin(x);   y = 2 * v;   z = v + x
    """
    read: dict[Space, NDArray[np.bool_]] = {wanted.space: np.zeros(wanted.space.size, bool)}
    read[wanted.space][wanted.rows] = True
    kept = []
    for i in reversed(instructions):
        if i.out.space in read and read[i.out.space][i.writes].any():
            kept.append(i)
            for space, rows in i.reads:
                read.setdefault(space, np.zeros(space.size, bool))[rows] = True
    return kept[::-1], read


def tables(space: Space, numbers: NDArray[np.float64], views: Iterable[View], stems: tuple[str, str]) -> list[Table]:
    """Return the ``numbers`` of ``space`` that the ``views`` read, as tables.

    Each view has a table of its own, but views that overlap share one: views of the rows 0 to 5 and 4 to 7 read a table of the
    rows 0 to 7. The first of the ``stems`` begins the names of matrices, the second those of other tables.
    """
    spans = [(int(v.rows.min()), int(v.rows.max()) + 1, v.shape) for v in views if v.space is space]
    merged: list[tuple[int, int, tuple[int, ...]]] = []
    for start, stop, shape in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            first, last, known = merged.pop()
            merged.append((first, max(last, stop), known))
        else:
            merged.append((start, stop, shape))
    counts = dict.fromkeys(stems, 0)
    found = []
    for start, stop, shape in merged:
        long = tuple([n for n in shape if n > 1])
        counts[stem := stems[len(long) < 2 and len(shape) < 3]] += 1  # noqa: PLR2004 - a matrix, or a stack of matrices
        is_whole = math.prod(long) == stop - start
        found.append(Table(f"{stem}{counts[stem]}", numbers[start:stop].tolist(), long if is_whole else (), start))
    return found
