"""Where each number lies, chosen so that almost every operand is a slice or a strided view, and the forward instructions.

The nodes of a group get rows one after the other, in the order in which their arguments lie. What a group reads in no regular
pattern is gathered; what lies in different spaces is moved into one first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from autograd import ops
from autograd.compiler.folds import Fold
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
from autograd.compiler.record import INPUT, ROWS, VARIABLE, Input
from autograd.compiler.simplify import CONSTANT, FOLD, Simplified
from autograd.compiler.steps import Steps
from autograd.compiler.views import Space, View, common, contiguous, nested, strided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.pack import Group

    Arg = View | float | None
    Rows = NDArray[np.int64]


class Layout:
    """The forward program of some groups of nodes."""

    def __init__(self, graph: Simplified, groups: Sequence[Group], inputs: Sequence[Input], parameters: Sequence[int]) -> None:
        """``parameters`` are variables in the order of theta, which those that are missing join as they are needed."""
        self.graph = graph
        self.instructions: list[Instruction] = []
        self.theta = Space("theta", batched=False)
        self.constants = Space("constants", batched=False)
        self.shared = Space("s", batched=False)
        self.arena = Space("v", batched=True)
        self.inputs = [Space(i.name, batched=True, size=i.size, examples_first=True, whole=i.whole) for i in inputs]
        self.spaces = [self.theta, self.constants, self.shared, self.arena, *self.inputs]
        count = len(graph.args)
        self.parameters: list[int] = []
        """The variables in the order of theta."""
        self._space = np.full(count, -1)
        self._row = np.full(count, -1)
        self._moved: dict[tuple[int, bool], int] = {}
        self._gathered: dict[tuple[int, bytes], View] = {}
        nodes = np.arange(count)
        code, leaf = graph.code[:count], graph.leaf[:count]
        variables = np.full(leaf.max(initial=-1) + 2, -1)  # the last one is that of the parameter -1
        variables[leaf[code == VARIABLE]] = nodes[code == VARIABLE]
        self._variables = variables
        self._join_theta(list(parameters))
        ends = np.cumsum([0, *[space.size for space in self.inputs]])
        is_input = nodes[code == INPUT]
        which = np.searchsorted(ends, leaf[is_input], side="right") - 1
        self._space[is_input] = which + self.spaces.index(self.arena) + 1
        self._row[is_input] = leaf[is_input] - ends[which]
        self._biased = {np.sort(g.operands[1][..., :-1], axis=None).tobytes(): g for g in groups if _has_bias(graph, g)}
        self._ones: dict[tuple[Space, int], int] = {}
        for group in groups:
            getattr(self, "_" + group.kind)(group)

    # Where nodes lie

    def join_theta(self) -> None:
        """Give each variable that no instruction needs a row of theta."""
        count = len(self._row)
        self._join_theta(self.graph.leaf[:count][(self.graph.code[:count] == VARIABLE) & (self._row < 0)].tolist())

    def _join_theta(self, variables: Sequence[int]) -> None:
        """Give each of the ``variables`` a row of theta, unless it has one; to -1 as well, which is none of the graph."""
        chosen = np.asarray(variables, np.int64)
        nodes = self._variables[chosen]
        new = chosen[(chosen < 0) | (self._row[nodes] < 0)]
        rows = self.theta.allocate(len(new)) + np.arange(len(new))
        self.parameters += new.tolist()
        nodes = self._variables[new]
        self._space[nodes[nodes >= 0]], self._row[nodes[nodes >= 0]] = 0, rows[nodes >= 0]

    def _settle(self, nodes: Rows) -> None:
        """Give rows to the leaves among ``nodes`` that have none."""
        graph = self.graph
        homeless = nodes[(nodes >= 0) & (self._row[nodes] < 0)]
        if homeless.size:
            homeless = homeless[np.sort(np.unique(homeless, return_index=True)[1])]
            self._join_theta(graph.leaf[homeless[graph.code[homeless] == VARIABLE]].tolist())
            for node in homeless[graph.code[homeless] == CONSTANT].tolist():
                self._space[node], self._row[node] = 1, self.constants.allocate(1)
                self.constants.filled[int(self._row[node])] = float(graph.number[node])

    def _place(self, nodes: Rows) -> View:
        """New rows for ``nodes``, in their order; -1 is a row that nobody reads."""
        space = self.arena if self.graph.batched[nodes.max()] else self.shared
        start = space.allocate(nodes.size)
        flat = nodes.ravel()
        if (reader := self._biased.get(np.sort(flat).tobytes())) is not None:
            self._add_ones(space, reader.nodes.shape[2])
        wanted = flat >= 0
        self._space[flat[wanted]] = self.spaces.index(space)
        self._row[flat[wanted]] = start + np.flatnonzero(wanted)
        return View(space, start, nodes.shape, contiguous(nodes.shape))

    def _add_ones(self, space: Space, count: int) -> None:
        """New rows that hold 1: the factors of biases."""
        start = space.allocate(count)
        space.filled.update(dict.fromkeys(range(start, start + count), 1.0))
        self._ones[space, start] = count

    def _rows(self, nodes: Rows) -> tuple[Space, Rows]:
        """The one space in which ``nodes`` lie, after moving those there that do not, and their rows."""
        self._settle(nodes.ravel())
        places = self._space[nodes]
        home = places.flat[0]
        if (places == home).all():
            return self.spaces[home], self._row[nodes]
        batched = bool(self.graph.batched[nodes].any())
        space = self.arena if batched else self.shared
        rows = self._row[nodes].copy()
        strange = places != self.spaces.index(space)
        self._move(np.unique(nodes[strange]), space)
        rows[strange] = [self._moved[node, batched] for node in nodes[strange].tolist()]
        return space, rows

    def _move(self, nodes: Rows, space: Space) -> None:
        """Copy ``nodes`` to ``space``, unless they are there already."""
        graph = self.graph
        new = np.array([node for node in nodes.tolist() if (node, space.batched) not in self._moved], np.int64)
        is_constant = graph.code[new] == CONSTANT
        for node in new[is_constant].tolist():
            row = self._moved[node, space.batched] = space.allocate(1)
            space.filled[row] = float(graph.number[node])
        others = new[~is_constant]
        for home in np.unique(self._space[others]).tolist():
            mine = others[self._space[others] == home]
            mine = mine[np.argsort(self._row[mine], kind="stable")]
            start = space.allocate(len(mine))
            self._moved.update(
                zip([(node, space.batched) for node in mine.tolist()], range(start, start + len(mine)), strict=True)
            )
            source = self._regular(self.spaces[home], self._row[mine])
            self._emit(Move(View(space, start, source.shape, contiguous(source.shape)), source))

    # Reading

    def _regular(self, space: Space, rows: Rows, loops: list[tuple[int, int]] | None = None) -> View:
        """The view of ``rows``, one after the other: the rows themselves if they have a pattern, or else a copy that has."""
        loops = nested(rows.ravel()) if loops is None else loops
        if loops is not None:
            loops = loops or [(1, 0)]
            view = View(space, int(rows.flat[0]), tuple([n for n, _ in loops]), tuple([s for _, s in loops]))
            if _distinct(loops):
                return view
        return self._gather(space, rows.ravel())

    def _gather(self, space: Space, rows: Rows) -> View:
        key = (self.spaces.index(space), rows.tobytes())
        if key not in self._gathered:
            into = self.arena if space.batched else self.shared
            out = View(into, into.allocate(rows.size), rows.shape, contiguous(rows.shape))
            self._emit(Gather(out, space.all_rows, rows))
            self._gathered[key] = out
        return self._gathered[key]

    def read(self, nodes: Rows) -> View:
        """A view of ``nodes`` in a row."""
        space, rows = self._rows(nodes)
        view = self._regular(space, rows)
        return view if len(view.shape) == 1 else self._gather(space, rows.ravel())

    def _stack(self, nodes: Rows) -> View:
        """A view of the same shape as ``nodes``, with a stride for each of its axes."""
        space, rows = self._rows(nodes)
        view = self._strided(space, rows)
        return view if view and not _repeats(view) else self._gather(space, rows.ravel()).reshaped(nodes.shape)

    @staticmethod
    def _strided(space: Space, rows: Rows) -> View | None:
        view = strided(space, rows)
        return view if view and _distinct(view.loops) else None

    def _aligned(self, operands: Sequence[tuple[Space, Rows]], out: View) -> list[View]:
        """Views of the ``operands`` and of ``out``, all of one shape. What has no pattern, or none in common, is gathered."""
        found: list[tuple[Space, int, list[tuple[int, int]]]] = []
        for space, rows in operands:
            loops = nested(rows)
            if loops is None or not _distinct(loops):
                gathered = self._gather(space, rows)
                found.append((gathered.space, gathered.start, [(gathered.size, 1)]))
            else:
                found.append((space, int(rows[0]), loops or [(1, 0)]))
        found.append((out.space, out.start, [(out.size, 1)]))
        shape = common([loops for _, _, loops in found])
        if shape is None:
            return [*[self._gather(space, rows) for space, rows in operands], out.reshaped((out.size,))]
        sizes, strides = shape
        return [View(space, start, sizes, steps) for (space, start, _), steps in zip(found, strides, strict=True)]

    def _emit(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)

    # The kinds of groups

    def _map(self, group: Group) -> None:
        nodes, operands = group.nodes, group.operands
        for operand in operands:
            self._settle(operand)
        keys = [self._space[operand] * (1 << 40) + self._row[operand] for operand in operands]
        keys.sort(key=lambda key: -len(np.unique(key)))  # the most telling first
        order = np.lexsort(keys[::-1])
        self._apply(ROWS[group.code], [operand[order] for operand in operands], nodes[order])

    def _apply(self, op: ops.Op, operands: Sequence[Rows], nodes: Rows) -> View:
        """The view of ``op`` at ``operands``, which are ``nodes``."""
        args: list[Arg] = []
        views = []
        for operand in operands:
            if (operand == operand[0]).all() and self.graph.code[operand[0]] == CONSTANT:
                args.append(float(self.graph.number[operand[0]]))
            else:
                args.append(None)
                views.append(self._rows(operand))
        return self._elementwise(op, args, views, self._place(nodes))

    def _elementwise(self, op: ops.Op, args: Sequence[Arg], operands: Sequence[tuple[Space, Rows]], out: View) -> View:
        """``out``, after writing to it ``op`` at ``args``, of which those that are None are the ``operands``."""
        *views, home = self._aligned(operands, out)
        rest = iter(views)
        self._emit(Map(home, op, tuple([next(rest) if arg is None else arg for arg in args])))
        return out

    def _scratch(self, space: Space, shape: tuple[int, ...]) -> View:
        return View(space, space.allocate(math.prod(shape)), shape, contiguous(shape))

    def _by_place(self, nodes: Rows, *operands: Rows) -> list[Rows]:
        """``nodes`` and their ``operands``, in the order in which the first of these lie."""
        self._settle(operands[0].ravel())
        first = operands[0].reshape(len(nodes), -1)[:, 0]
        order = np.lexsort((self._row[first], self._space[first]))
        return [nodes[order], *[operand[order] for operand in operands]]

    def _reduce(self, group: Group) -> None:
        nodes, operand = self._by_place(group.nodes, *group.operands)
        space, rows = self._rows(operand)
        out = self._place(nodes)
        self._reduce_rows(ROWS[group.code % FOLD], space, rows, out)

    def _chain(self, group: Group) -> None:
        """One step after the other, from a copy of the rows that come from elsewhere, which is the chain's own.

        The copy gets the rows before those of the steps, so that all are one block.
        """
        graph, (code, first, arg) = self.graph, group.operands
        batched = bool(graph.batched[group.nodes[0]])
        space = self.arena if batched else self.shared
        mine = np.full(len(graph.args), -1)
        mine[group.nodes] = np.arange(len(group.nodes))
        outside = arg[mine[arg] < 0]
        outside = outside[np.sort(np.unique(outside, return_index=True)[1])]
        is_number = graph.code[outside] == CONSTANT
        numbers, given = outside[is_number], outside[~is_number]
        places = mine + len(outside)
        places[given] = np.arange(len(given))
        places[numbers] = len(given) + np.arange(len(numbers))
        self._settle(given)
        strange = self._space[given] != self.spaces.index(space)
        self._move(np.unique(given[strange]), space)
        rows = self._row[given].copy()
        rows[strange] = [self._moved[node, batched] for node in given[strange].tolist()]
        x = self._scratch(space, (len(given),))
        self._emit(Gather(x, View(space, 0, (x.start,), (1,)), rows))
        codes, steps = np.unique(code, return_inverse=True)
        chain = Steps(
            [*map(_step, codes.tolist())],
            steps.astype(np.int32),
            first.astype(np.int32),
            places[arg].astype(np.int32),
            len(given),
            graph.number[numbers].tolist(),
        )
        self._emit(Chain(self._place(group.nodes), x, chain))

    def _reduce_rows(self, op: ops.Op, space: Space, rows: Rows, out: View) -> None:
        view = (
            self._strided(space, rows)
            or self._nested_rows(space, rows)
            or self._gather(space, rows.ravel()).reshaped(rows.shape)
        )
        out = out.reshaped(view.shape[:-1])
        if op is not ops.logsumexp:
            self._emit(Reduce(out, op, view))
            return
        # log Σ exp z = m + log Σ exp(z - m), where m is the largest, so that nothing overflows; no gradient flows through m.
        peak = self._scratch(out.space, out.shape)
        self._emit(Peak(peak, view))
        spread = peak.spread(view.shape[-1])
        exponentials = self._scratch(out.space, view.shape)
        self._emit(Map(exponentials, ops.sub, (view, spread)))
        shifted, exponentials = exponentials, self._scratch(out.space, view.shape)
        self._emit(Map(exponentials, ops.exp, (shifted,)))
        total = self._scratch(out.space, out.shape)
        self._emit(Reduce(total, ops.fsum, exponentials))
        logarithm = self._scratch(out.space, out.shape)
        self._emit(Map(logarithm, ops.log, (total,)))
        self._emit(Map(out, ops.add, (logarithm, peak)))

    def _nested_rows(self, space: Space, rows: Rows) -> View | None:
        """The view of ``rows`` (k, n) whose last axis is n, and whose others are the loops over the k."""
        loops, last = nested(rows[:, 0]), nested(rows[0])
        if loops is None or last is None or len(last) != 1:
            return None
        shape = (*[n for n, _ in loops], last[0][0])
        view = View(space, int(rows[0, 0]), shape, (*[s for _, s in loops], last[0][1]))
        return (
            view
            if np.array_equal(view.rows, rows.reshape(shape)) and _distinct([*zip(shape, view.strides, strict=True)])
            else None
        )

    def _segments(self, group: Group) -> None:
        operand, starts = group.operands
        lengths = np.diff(np.append(starts, len(operand)))
        self._settle(operand)
        first = operand[starts]
        order = np.lexsort((self._row[first], self._space[first]))
        pieces = np.split(operand, starts[1:])
        flat = np.concatenate([pieces[i] for i in order])
        lengths = lengths[order]
        space, rows = self._rows(flat)
        out = self._place(group.nodes[order])
        self._reduce_segments(ROWS[group.code], space, rows, lengths, out)

    def _project(self, group: Group) -> None:
        operand, *given = group.operands
        starts = given[0] if given else np.arange(len(operand)) * operand.shape[1]
        space, rows = self._rows(operand.ravel())
        each = sorted([np.sort(some) for some in np.split(rows, starts[1:])], key=min)
        self._emit(Project(space.all_rows, np.concatenate(each), np.cumsum([0, *map(len, each[:-1])])))

    def _reduce_segments(self, op: ops.Op, space: Space, rows: Rows, lengths: Rows, out: View) -> None:
        starts = np.cumsum(np.append(0, lengths[:-1]))
        view = self._regular(space, rows)
        if not view.contiguous:
            view = self._gather(space, rows)
        view = view.reshaped((view.size,))
        if op is not ops.logsumexp:
            self._emit(Segments(out, op, view, starts))
            return
        peak = self._scratch(out.space, out.shape)
        self._emit(Peaks(peak, view, starts))
        spread = self._gather(peak.space, np.repeat(peak.rows, lengths))
        shifted = self._scratch(out.space, view.shape)
        self._emit(Map(shifted, ops.sub, (view, spread)))
        exponentials = self._scratch(out.space, view.shape)
        self._emit(Map(exponentials, ops.exp, (shifted,)))
        total = self._scratch(out.space, out.shape)
        self._emit(Segments(total, ops.fsum, exponentials, starts))
        logarithm = self._scratch(out.space, out.shape)
        self._emit(Map(logarithm, ops.log, (total,)))
        self._emit(Map(out, ops.add, (logarithm, peak)))

    def _dots(self, group: Group) -> None:
        nodes, left, right = self._by_place(group.nodes, *group.operands)
        operands = [self._rows(left.ravel()), self._rows(right.ravel())]
        space = self.arena if any(space.batched for space, _ in operands) else self.shared
        products = self._scratch(space, (left.size,))
        if np.array_equal(left, right):
            self._elementwise(ops.square, [None], operands[:1], products)
        else:
            self._elementwise(ops.mul, [None, None], operands, products)
        self._reduce_rows(ops.fsum, space, products.rows.reshape(left.shape), self._place(nodes))

    def _ragged(self, group: Group) -> None:
        left, right, starts = group.operands
        lengths = np.diff(np.append(starts, len(left)))
        operands = [self._rows(left), self._rows(right)]
        space = self.arena if any(space.batched for space, _ in operands) else self.shared
        products = self._scratch(space, (left.size,))
        self._elementwise(ops.mul, [None, None], operands, products)
        self._reduce_segments(ops.fsum, space, products.rows, lengths, self._place(group.nodes))

    def _sorted(self, group: Group) -> tuple[Rows, Rows, Rows]:
        """Nodes (g, m, n), left and right factors of matrix products, each in the order in which they lie."""
        nodes, (left, right) = group.nodes, group.operands
        for factors in (left, right):
            self._settle(factors.ravel())
        left_order = np.lexsort((self._row[left[..., 0]], self._space[left[..., 0]]), axis=1)
        right_order = np.lexsort((self._row[right[..., 0]], self._space[right[..., 0]]), axis=1)
        left = np.take_along_axis(left, left_order[..., None], axis=1)
        right = np.take_along_axis(right, right_order[..., None], axis=1)
        nodes = np.take_along_axis(np.take_along_axis(nodes, left_order[..., None], axis=1), right_order[:, None], axis=2)
        heads = right[:, 0, 0]
        order = np.lexsort((self._row[heads], self._space[heads]))
        return nodes[order], left[order], right[order]

    def _product(self, group: Group) -> None:
        biased = _has_bias(self.graph, group)
        augmented = biased and self._is_worth_ones(group)
        if biased and not augmented:  # then weights, if they have no place yet, lie best without the biases between them
            self._settle(group.operands[0][..., :-1].ravel())
        nodes, left, right = self._sorted(group)
        if augmented:
            a, b = self._strided(*self._rows(left)), self._with_ones(right[..., :-1])
            if a and b and not _repeats(a):
                self._emit(Product(self._place(nodes), a, b))
                return
        if biased:
            a, b, bias = self._stack(left[..., :-1]), self._columns(right[..., :-1]), self._stack(left[..., -1])
            self._emit(Product(self._place(nodes), a, b, bias=bias))
        else:
            self._emit(Product(self._place(nodes), self._stack(left), self._columns(right)))

    def _is_worth_ones(self, group: Group) -> bool:
        """Whether a row of ones below the factors takes less time than adding the biases: not if many inputs must be moved."""
        _, rows, _ = group.nodes.shape
        factors = group.operands[1][..., :-1]
        return bool((self.graph.code[factors] != INPUT).any()) or 2 * factors.shape[2] <= rows

    def _columns(self, right: Rows) -> View:
        """The factors (g, n, k) as matrices (g, k, n), whose columns and the examples can be one axis."""
        space, rows = self._rows(right.transpose(0, 2, 1))
        view = self._strided(space, rows)
        if (
            view is None
            or _repeats(view)
            or (view.batched and view.shape[2] > 1 and (view.strides[2] != 1 or space.examples_first))
        ):
            view = self._gather(space, rows.ravel()).reshaped(rows.shape)
        return view

    def _with_ones(self, right: Rows) -> View | None:
        """The same, with a row of ones below, the factors of biases; None if there is no room, and nothing to be moved."""
        space, places = self._rows(right.transpose(0, 2, 1))
        groups, k, n = places.shape
        view = self._strided(space, places)
        if groups > 1 or (view is not None and _repeats(view)):
            return None
        if (
            view is not None
            and view.contiguous
            and self._ones.get((self.arena, view.start + view.size)) == n
            and space is self.arena
        ):
            return View(space, view.start, (1, k + 1, n), contiguous((1, k + 1, n)))
        if view is not None and not space.examples_first:
            return None
        key = (-1 - self.spaces.index(space), places.tobytes())
        if key not in self._gathered:
            copy = View(self.arena, self.arena.allocate(k * n), (k * n,), contiguous((k * n,)))
            self._add_ones(self.arena, n)
            if view is None:
                self._emit(Gather(copy, space.all_rows, places.ravel()))
            else:
                self._emit(Move(copy.reshaped(view.shape), view))
            self._gathered[key] = View(self.arena, copy.start, (1, k + 1, n), contiguous((1, k + 1, n)))
        return self._gathered[key]

    def _pairwise(self, group: Group) -> None:
        nodes, left, right = self._sorted(group)
        a, b = self._stack(left), self._stack(right)
        padded = (left == self.graph.zero).any()
        finite = (b,) if padded else ()
        self._emit(Pairwise(self._place(nodes), a, b, (False, True), finite))

    def _take(self, group: Group) -> None:
        nodes, (table, index) = group.nodes, group.operands
        self._settle(table.ravel())
        rows, columns = np.argsort(self._row[table[:, 0]], kind="stable"), np.argsort(self._row[index], kind="stable")
        self._emit(Take(self._place(nodes[np.ix_(rows, columns)]), self._stack(table[rows]), self.read(index[columns])))

    def _pick(self, group: Group) -> None:
        nodes, table, index = self._by_place(group.nodes, *group.operands)
        self._emit(Pick(self._place(nodes), self._stack(table), self.read(index)))


def _step(code: int) -> ops.Op:
    """The row of a step; that of a fold takes any number of arguments, as a product does anyway."""
    row = ROWS[code % FOLD]
    return row if code < FOLD or row is ops.prod else Fold(row)


def _has_bias(graph: Simplified, group: Group) -> bool:
    """Whether each scalar product of the group ends in a variable times 1."""
    return group.kind == "product" and bool((group.operands[1][..., -1] == graph.one).all())


def _repeats(view: View) -> bool:
    """Whether some row comes more than once."""
    return any(stride == 0 and size > 1 for size, stride in zip(view.shape, view.strides, strict=True))


def _distinct(loops: Sequence[tuple[int, int]]) -> bool:
    """Whether these loops visit no row twice, but for those of stride 0, which repeat everything."""
    reach = 0
    for size, stride in sorted([loop for loop in loops if loop[1]], key=lambda loop: abs(loop[1])):
        if abs(stride) <= reach:
            return False
        reach += (size - 1) * abs(stride)
    return True
