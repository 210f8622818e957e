"""Allocate: give each value of a selection a row of a space, and write its operations as instructions over views.

The values that an operation computes get rows one after the other, in the order in which its arguments lie, so that almost
every operand is a slice or a strided view. Values that lie in no regular pattern are gathered, which means copied, and values
from different spaces are moved into one. ``[exp(x2), exp(x0)]`` and its sum, of inputs x0, x1, x2, become

    v[0:2] = exp(x[0] as 2 by 2)                                   exp(x0) lies first, as x0 does
    v[2:3] = reduce:fsum(v[0:2] as 1x2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np

from autograd.compiler import operations
from autograd.compiler.instructions import (
    Chain,
    Gather,
    Map,
    Move,
    Pairwise,
    Peak,
    Peaks,
    Pick,
    Product,
    Project,
    Reduce,
    Segments,
    Take,
)
from autograd.compiler.record import INPUT, VARIABLE, Input
from autograd.compiler.simplify import CONSTANT
from autograd.compiler.views import Space, View, common, contiguous, nested, strided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.operations import Operation, Values
    from autograd.compiler.selection import Selection
    from autograd.compiler.views import Loops

    Rows = NDArray[np.int64]


class Allocation:
    """The spaces and the forward instructions of a program."""

    def __init__(self, selected: Selection, inputs: Sequence[Input], parameters: Sequence[int]) -> None:
        self.instructions: list[Instruction] = []
        self.theta = Space("theta", batched=False)
        self.constants = Space("constants", batched=False)
        self.shared = Space("s", batched=False)
        self.arena = Space("v", batched=True)
        self.inputs = [Space(i.name, batched=True, size=i.size, examples_first=True, whole=i.whole) for i in inputs]
        self.spaces = [self.theta, self.constants, self.shared, self.arena, *self.inputs]
        self.parameters: list[int] = []
        """The variables in the order of theta."""
        self._graph = graph = selected.graph
        self._batched = selected.batched
        self._space = np.full(len(self._batched), -1)
        self._row = np.full(len(self._batched), -1)
        self._moved: dict[tuple[int, bool], int] = {}
        """The row of the copy of each value that was moved, by the value and by whether the space of the copy is batched."""
        self._gathered: dict[tuple[int, bytes], View] = {}
        """The copy of rows that were gathered, by the number of their space and the rows."""
        nodes = np.arange(len(graph.args))
        code, leaf = graph.code[nodes], graph.leaf[nodes]
        self._variables = np.full(leaf.max(initial=-1) + 2, -1)
        """The node of each variable. The last item belongs to the parameter -1, which is no variable of the graph."""
        self._variables[leaf[code == VARIABLE]] = nodes[code == VARIABLE]
        self._join_theta(list(parameters))
        ends = np.cumsum([0, *[space.size for space in self.inputs]])
        is_input = nodes[code == INPUT]
        which = np.searchsorted(ends, leaf[is_input], side="right") - 1
        self._space[is_input] = which + self._first_input
        self._row[is_input] = leaf[is_input] - ends[which]
        products = [o for o in selected.operations if isinstance(o, operations.Product) and o.bias is not None]
        self._biased = {_set(o.right): o.out.shape[2] for o in products}
        """How many ones belong below the right factors of each product with biases, by these factors."""
        self._ones: dict[tuple[Space, int], int] = {}
        """How many ones lie in a space from a row on."""
        for operation in selected.operations:
            self._write(operation)

    # Where values lie

    @property
    def _first_input(self) -> int:
        return len(self.spaces) - len(self.inputs)

    def join_theta(self) -> None:
        """Give a row of theta to each variable that has none, because no instruction needs it."""
        nodes = np.arange(len(self._graph.args))
        self._join_theta(self._graph.leaf[nodes[(self._graph.code[nodes] == VARIABLE) & (self._row[nodes] < 0)]].tolist())

    def _join_theta(self, variables: Sequence[int]) -> None:
        """Give each of the ``variables`` a row of theta, unless it has one. Each -1 gets a row that no value has."""
        chosen = np.asarray(variables, np.int64)
        nodes = self._variables[chosen]
        new = chosen[(chosen < 0) | (self._row[nodes] < 0)]
        rows = self.theta.allocate(len(new)) + np.arange(len(new))
        self.parameters += new.tolist()
        nodes = self._variables[new]
        self._space[nodes[nodes >= 0]], self._row[nodes[nodes >= 0]] = 0, rows[nodes >= 0]

    def _settle(self, values: Values) -> None:
        """Give rows to the variables and constants among ``values`` that have none."""
        graph = self._graph
        homeless = values[(values >= 0) & (self._row[values] < 0)]
        if homeless.size:
            homeless = homeless[np.sort(np.unique(homeless, return_index=True)[1])]
            self._join_theta(graph.leaf[homeless[graph.code[homeless] == VARIABLE]].tolist())
            for value in homeless[graph.code[homeless] == CONSTANT].tolist():
                self._space[value], self._row[value] = 1, self.constants.allocate(1)
                self.constants.filled[int(self._row[value])] = float(graph.number[value])

    def _places(self, values: Values) -> Rows:
        """Return a number for each of the ``values`` that orders them by their spaces and rows."""
        self._settle(values.ravel())
        places: Rows = self._space[values] * _FAR + self._row[values]
        return places

    def _home(self, *, batched: bool) -> Space:
        """Return the space of computed values."""
        return self.arena if batched else self.shared

    def _place(self, values: Values) -> View:
        """Give new rows to ``values``, in their order, and return these. Each -1 gets a row that nothing reads."""
        space = self._home(batched=bool(self._batched[values.max()]))
        flat = values.ravel()
        out = self._scratch(space, values.shape)
        if (ones := self._biased.get(_set(flat))) is not None:
            self._add_ones(space, ones)
        wanted = flat >= 0
        self._space[flat[wanted]] = self.spaces.index(space)
        self._row[flat[wanted]] = out.start + np.flatnonzero(wanted)
        return out

    def _scratch(self, space: Space, shape: tuple[int, ...]) -> View:
        """Return new rows of ``space``."""
        size = int(np.prod(shape))
        return View(space, space.allocate(size), shape, contiguous(shape))

    def _add_ones(self, space: Space, count: int) -> None:
        """Add rows that hold 1, the factors of biases."""
        start = space.allocate(count)
        space.filled.update(dict.fromkeys(range(start, start + count), 1.0))
        self._ones[space, start] = count

    def _rows(self, values: Values) -> tuple[Space, Rows]:
        """Return the rows of ``values`` and their space, after moving them into one if they lie in several."""
        self._settle(values.ravel())
        places = self._space[values]
        home = places.flat[0]
        if (places == home).all():
            return self.spaces[home], self._row[values]
        space = self._home(batched=bool(self._batched[values].any()))
        return space, self._rows_in(space, values)

    def _rows_in(self, space: Space, values: Values) -> Rows:
        """Return the rows of ``values`` in ``space``, of copies if they lie elsewhere."""
        rows = self._row[values].copy()
        strange = self._space[values] != self.spaces.index(space)
        self._move(np.unique(values[strange]), space)
        rows[strange] = [self._moved[value, space.batched] for value in values[strange].tolist()]
        return rows

    def _move(self, values: Values, space: Space) -> None:
        """Copy ``values`` to ``space``, unless copies are there already."""
        new = np.array([value for value in values.tolist() if (value, space.batched) not in self._moved], np.int64)
        is_constant = self._space[new] == 1
        for value in new[is_constant].tolist():
            row = self._moved[value, space.batched] = space.allocate(1)
            space.filled[row] = float(self._graph.number[value])
        others = new[~is_constant]
        for home in np.unique(self._space[others]).tolist():
            mine = others[self._space[others] == home]
            mine = mine[np.argsort(self._row[mine], kind="stable")]
            out = self._scratch(space, mine.shape)
            self._moved.update(zip([(value, space.batched) for value in mine.tolist()], out.rows.tolist(), strict=True))
            source = self._regular(self.spaces[home], self._row[mine])
            self._emit(Move(out.reshaped(source.shape), source))

    # Reading

    def _regular(self, space: Space, rows: Rows) -> View:
        """Return the view of ``rows``, one after the other, or of a copy if they lie in no pattern."""
        loops = nested(rows)
        if loops is None or not _distinct(loops):
            return self._gather(space, rows)
        loops = loops or [(1, 0)]
        return View(space, int(rows[0]), tuple([n for n, _ in loops]), tuple([s for _, s in loops]))

    def _gather(self, space: Space, rows: Rows) -> View:
        """Return the view of a copy of ``rows``, in their shape."""
        key = (self.spaces.index(space), rows.tobytes())
        if key not in self._gathered:
            out = self._gathered[key] = self._scratch(self._home(batched=space.batched), (rows.size,))
            self._emit(Gather(out, space.all_rows, rows.ravel()))
        return self._gathered[key].reshaped(rows.shape)

    def read(self, values: Values) -> View:
        """Return a view of ``values``, of one axis."""
        space, rows = self._rows(values)
        view = self._regular(space, rows)
        return view if len(view.shape) == 1 else self._gather(space, rows)

    def _stack(self, values: Values) -> View:
        """Return a view of the same shape as ``values``, in which no row comes twice."""
        space, rows = self._rows(values)
        view = _strided(space, rows)
        return view if view and not _repeats(view) else self._gather(space, rows)

    def _table(self, space: Space, rows: Rows) -> View:
        """Return a view of ``rows`` (k, n), of one axis for the n and any number of axes for the k."""
        return _strided(space, rows) or _nested_table(space, rows) or self._gather(space, rows)

    def _alike(self, operands: Sequence[tuple[Space, Rows]], out: View) -> list[View]:
        """Return views of the ``operands``, and of ``out``, all in one shape.

        If the shape of ``out`` does not do, it is made of the loops that visit the rows: the rows 0 1 2 3 4 5 and 0 1 2 10 11
        12 are both read in the shape (2, 3). All rows are gathered if their loops do not fit together.
        """
        read = self._regular if len(out.shape) == 1 else self._table
        views = [*[read(space, rows.reshape(out.shape)) for space, rows in operands], out]
        if all(view.shape == out.shape for view in views):
            return views
        found = common([view.loops for view in views])
        if found is None:
            return [*[self._gather(space, rows.reshape(out.shape)) for space, rows in operands], out]
        shape, strides = found
        return [View(view.space, view.start, shape, steps) for view, steps in zip(views, strides, strict=True)]

    def _emit(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)

    def _write(self, operation: Operation) -> None:
        """Write the instructions of an operation."""
        match operation:
            case operations.Map():
                self._map(operation)
            case operations.Reduce() | operations.Peak():
                self._reduce(operation)
            case operations.Project():
                self._project(operation)
            case operations.Product():
                self._product(operation)
            case operations.Pairwise():
                self._pairwise(operation)
            case operations.Take():
                self._take(operation)
            case operations.Pick():
                self._pick(operation)
            case operations.Chain():
                self._chain(operation)
            case operations.Dots():
                raise AssertionError  # select has written it as products and sums
            case _:
                assert_never(operation)

    # Vectors and runs

    def _map(self, o: operations.Map) -> None:
        """Write an operation on vectors, whose items are sorted by the places of their arguments.

        ``mul(w1, x0)``, ``mul(w0, x1)`` and ``mul(w0, x0)`` are two weights by two inputs. Sorted by w, then by x, they are
        ``mul(w0, x0)``, ``mul(w0, x1)`` and ``mul(w1, x0)``.
        """
        out, *operands = [values.ravel() for values in (o.out, *o.args) if not isinstance(values, float)]
        if o.lengths is None:
            keys = [self._places(operand) for operand in operands]
            keys.sort(key=lambda key: -len(np.unique(key)))  # the most telling first
            order = np.lexsort(keys[::-1]) if keys else np.arange(out.size)  # of numbers alone, if an index is constant
        else:
            order = _items(o.lengths, self._by_place(operands[0], o.lengths))
        rows = [self._rows(operand[order]) for operand in operands]
        *views, view = self._alike(rows, self._place(out[order]).reshaped(o.out.shape))
        rest = iter(views)
        self._emit(Map(view, o.op, tuple([arg if isinstance(arg, float) else next(rest) for arg in o.args])))

    def _by_place(self, runs: Values, lengths: Values) -> Values:
        """Return the order of ``runs`` by where the first value of each lies."""
        return np.argsort(self._places(runs)[np.cumsum(lengths) - lengths], kind="stable")

    def _reduce(self, o: operations.Reduce | operations.Peak) -> None:
        """Write a reduction of the last axis of a table, or of segments if the runs have different lengths."""
        runs = o.x.ravel()
        order = self._by_place(runs, o.lengths)
        lengths = o.lengths[order]
        space, rows = self._rows(runs[_items(o.lengths, order)])
        out = self._place(o.out[order])
        if (lengths == lengths[0]).all():
            view = self._table(space, rows.reshape(len(lengths), -1))
            out = out.reshaped(view.shape[:-1])
            self._emit(Peak(out, view) if isinstance(o, operations.Peak) else Reduce(out, o.op, view))
            return
        view = self._regular(space, rows)
        view = (view if view.contiguous else self._gather(space, rows)).reshaped(rows.shape)
        starts = np.cumsum(lengths) - lengths
        self._emit(Peaks(out, view, starts) if isinstance(o, operations.Peak) else Segments(out, o.op, view, starts))

    def _project(self, o: operations.Project) -> None:
        space, rows = self._rows(o.x)
        runs = sorted([np.sort(some) for some in np.split(rows, np.cumsum(o.lengths)[:-1])], key=min)
        self._emit(Project(space.all_rows, np.concatenate(runs), np.cumsum([0, *map(len, runs[:-1])])))

    def _chain(self, o: operations.Chain) -> None:
        """Write a chain. It begins with a copy of the given values, in the rows before its own, so that all are one block."""
        space = self._home(batched=bool(self._batched[o.out[0]]))
        self._settle(o.given)
        rows = self._rows_in(space, o.given)
        x = self._scratch(space, rows.shape)
        self._emit(Gather(x, View(space, 0, (x.start,), (1,)), rows))
        self._emit(Chain(self._place(o.out), x, o.steps))

    # Matrix products

    def _sorted(self, nodes: Values, left: Values, right: Values) -> tuple[Values, Values, Values]:
        """Return the items (g, m, n), left and right factors of matrix products, with all axes but k sorted by place.

        A layer whose neurons were made in another order than their weights lie in becomes

            h0 = dot([w2, w3], [x0, x1])           [h1]   [w0 w1]
            h1 = dot([w0, w1], [x0, x1])           [h0] = [w2 w3] @ [x0 x1]
        """
        for factors in (left, right):
            self._settle(factors.ravel())
        by_left, by_right = [np.argsort(self._places(x[..., 0]), axis=1, kind="stable") for x in (left, right)]
        left = np.take_along_axis(left, by_left[..., None], axis=1)
        right = np.take_along_axis(right, by_right[..., None], axis=1)
        nodes = np.take_along_axis(np.take_along_axis(nodes, by_left[..., None], axis=1), by_right[:, None], axis=2)
        order = np.argsort(self._places(right[:, 0, 0]), kind="stable")
        return nodes[order], left[order], right[order]

    def _product(self, o: operations.Product) -> None:
        """Write a matrix product. Biases are a column of the left factors if a row of ones can lie below the right factors."""
        k = o.left.shape[2]
        augmented = o.bias is not None and self._is_worth_ones(o.right, o.out.shape[1])
        if not augmented:  # weights that have no rows yet lie best without the biases between them
            self._settle(o.left.ravel())
        factors = o.left if o.bias is None else np.append(o.left, o.bias[..., None], axis=2)
        nodes, factors, right = self._sorted(o.out, factors, o.right)
        if augmented:
            a, b = _strided(*self._rows(factors)), self._with_ones(right)
            if a and b and not _repeats(a):
                self._emit(Product(self._place(nodes), a, b))
                return
        out = self._place(nodes)
        a, b = self._stack(factors[..., :k]), self._columns(right)
        self._emit(Product(out, a, b, bias=None if o.bias is None else self._stack(factors[..., -1])))

    def _is_worth_ones(self, factors: Values, rows: int) -> bool:
        """Whether a row of ones below the factors is quicker than adding biases, although inputs must be copied first."""
        return bool((self._space[factors] < self._first_input).any()) or 2 * factors.shape[2] <= rows

    def _columns(self, right: Values) -> View:
        """Return the factors (g, n, k) as matrices (g, k, n), whose columns and the examples can be merged into one axis."""
        space, rows = self._rows(right.transpose(0, 2, 1))
        view = _strided(space, rows)
        if view is None or _repeats(view):
            return self._gather(space, rows)
        several = view.batched and view.shape[2] > 1
        return self._gather(space, rows) if several and (view.strides[2] != 1 or space.examples_first) else view

    def _with_ones(self, right: Values) -> View | None:
        """Return the factors (1, n, k) as a matrix (1, k + 1, n) whose last row is 1, or None if it is better to add biases.

        A layer of the results h0, h1 of another layer multiplies ``[[w0, w1, b0], [w2, w3, b1]]`` by ``[h0, h1, 1]``. The rows
        of v are

            0: h0      1: h1      2: 1                  as ``_place`` left room for a 1 below h1

        and the view of the rows 0 to 2 is returned. Inputs have no such room, and neither have values that lie in no pattern.
        These are copied above a 1. Other values that lie in a pattern, as h0 alone does, are not worth a copy.
        """
        space, rows = self._rows(right.transpose(0, 2, 1))
        groups, k, n = rows.shape
        view = _strided(space, rows)
        if groups > 1 or (view and _repeats(view)):
            return None
        if view and view.contiguous and space is self.arena and self._ones.get((space, view.start + view.size)) == n:
            return View(space, view.start, (1, k + 1, n), contiguous((1, k + 1, n)))
        if view and not space.examples_first:
            return None
        key = (-1 - self.spaces.index(space), rows.tobytes())
        if key not in self._gathered:
            copy = self._scratch(self.arena, (1, k, n))
            self._add_ones(self.arena, n)
            if view:
                self._emit(Move(copy, view))
            else:
                self._emit(Gather(copy.reshaped((k * n,)), space.all_rows, rows.ravel()))
            self._gathered[key] = View(self.arena, copy.start, (1, k + 1, n), contiguous((1, k + 1, n)))
        return self._gathered[key]

    def _pairwise(self, o: operations.Pairwise) -> None:
        nodes, left, right = self._sorted(o.out, o.left, o.right)
        a, b = self._stack(left), self._stack(right)
        finite = (b,) if (left == self._graph.zero).any() else ()
        self._emit(Pairwise(self._place(nodes), a, b, (False, True), finite))

    # Tables

    def _take(self, o: operations.Take) -> None:
        table, index = o.table, o.index
        rows, columns = [np.argsort(places, kind="stable") for places in (self._places(table)[:, 0], self._places(index))]
        self._emit(Take(self._place(o.out[np.ix_(rows, columns)]), self._stack(table[rows]), self.read(index[columns])))

    def _pick(self, o: operations.Pick) -> None:
        table, index = o.table, o.index
        order = np.argsort(self._places(table)[:, 0], kind="stable")
        self._emit(Pick(self._place(o.out[order]), self._stack(table[order]), self.read(index[order])))


_FAR = 1 << 40
"""A number that is larger than the number of rows of any space."""


def _set(values: Values) -> bytes:
    """Return a key that is the same for the same values in another order."""
    return np.sort(values, axis=None).tobytes()


def _items(lengths: Values, order: Values) -> Values:
    """Return the items of runs of these ``lengths``, after the runs are put into another ``order``.

    >>> _items(np.array([2, 1, 3]), np.array([1, 2, 0]))
    array([2, 3, 4, 5, 0, 1])
    """
    starts, lengths = (np.cumsum(lengths) - lengths)[order], lengths[order]
    items: Values = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return items


def _strided(space: Space, rows: Rows) -> View | None:
    """Return the view of ``rows`` in their shape, or None if strides cannot express it."""
    view = strided(space, rows)
    return view if view and _distinct(view.loops) else None


def _nested_table(space: Space, rows: Rows) -> View | None:
    """Return a view of ``rows`` (k, n) whose last axis is n, and whose other axes are loops over the k, or None.

    The rows 0 1 2, 3 4 5, 10 11 12, 13 14 15 are the view of the shape (2, 2, 3) with the strides (10, 3, 1).
    """
    loops, last = nested(rows[:, 0]), nested(rows[0])
    if loops is None or last is None or len(last) != 1:
        return None
    shape = (*[n for n, _ in loops], last[0][0])
    view = View(space, int(rows[0, 0]), shape, (*[s for _, s in loops], last[0][1]))
    return view if np.array_equal(view.rows, rows.reshape(shape)) and _distinct(view.loops) else None


def _repeats(view: View) -> bool:
    """Whether the view has some row more than once."""
    return any(stride == 0 and size > 1 for size, stride in zip(view.shape, view.strides, strict=True))


def _distinct(loops: Loops) -> bool:
    """Whether the loops (length, stride) visit no row twice, without regard to loops of stride 0, which repeat everything.

    >>> _distinct([(2, 3), (3, 1)])                 # 0 1 2, 3 4 5
    True
    >>> _distinct([(2, 2), (3, 1)])                 # 0 1 2, 2 3 4
    False
    """
    reach = 0
    for size, stride in sorted([loop for loop in loops if loop[1]], key=lambda loop: abs(loop[1])):
        if abs(stride) <= reach:
            return False
        reach += (size - 1) * abs(stride)
    return True


def allocate(selected: Selection, inputs: Sequence[Input], parameters: Sequence[int]) -> Allocation:
    """Return the instructions of a selection, whose inputs come in arrays, as ``inputs`` describe them.

    ``parameters`` are the variables in the order of theta, as far as it is given. A -1 is a parameter that the graph lacks.
    """
    return Allocation(selected, inputs, parameters)
