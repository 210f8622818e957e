"""The same function in fewer nodes: chains of sums become sums of products, constants are folded, equal nodes are one.

``a = a + w[i] * x[i]`` in a loop, ``sum(w * x for ...)`` and ``math.sumprod(w, x)`` all end as one ``dot``.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autograd import ops
from autograd.compiler.record import CODE, INPUT, ROWS, VARIABLE, Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

ADD, SUB, MUL, FSUM, DOT = (CODE[op] for op in (ops.add, ops.sub, ops.mul, ops.fsum, ops.dot))
SQUARE, POWC, CONSTANT, SELECT, PROD = (CODE[op] for op in (ops.square, ops.powc, ops.constant, ops.select, ops.prod))
LOGSUMEXP = CODE[ops.logsumexp]
FOLD = len(ROWS)
"""Added to a row's code, it is that of the row's fold over any number of arguments: ``maximum(maximum(a, b), c)``."""
PROJECT = FOLD + LOGSUMEXP
"""The code of a node of numbers that are less their logsumexp: it has no value, and stands for doing that a second time, which
changes nothing but the accuracy of their cotangents."""
_FOLDED = {CODE[ops.maximum]: 3, CODE[ops.minimum]: 3, MUL: 5}
"""Rows whose chains become folds, and of how many arguments at least: products of a few are better off in scalar products.
They are commutative, so that it doesn't matter which argument the chain goes through."""
_NOTHING = np.zeros(0, np.int64)


@dataclass
class Simplified:
    """A graph of few nodes, arguments before what is made of them; one item a node (the arrays may be longer)."""

    code: NDArray[np.int64]
    number: NDArray[np.float64]
    """Of a constant, what it is."""
    leaf: NDArray[np.int64]
    """Of a variable or an input, which one."""
    level: NDArray[np.int64]
    """0 for leaves; else 1 more than the highest of the arguments."""
    batched: NDArray[np.bool_]
    """Whether the node differs from example to example."""
    args: list[NDArray[np.int64]]
    roots: list[int]
    leaves: int = 0
    """How many of the first nodes are variables and inputs."""
    zero: int = -1
    """A constant 0."""
    one: int = -1
    """A constant 1."""


@dataclass
class _Sums:
    """For the node at the end of each chain of additions: what is added up in the end."""

    root: NDArray[np.int64]
    start: NDArray[np.int64]
    term: NDArray[np.int64]
    negative: NDArray[np.bool_]
    product: NDArray[np.bool_]
    absorbed: NDArray[np.bool_]
    """The nodes that are no longer needed: they live on as terms of a sum."""


def simplify(graph: Graph, *, folds: bool = True) -> Simplified:
    """The same function in fewer nodes; with ``folds``, if there may be such, and projections."""
    rebuilt = _Rebuilt(graph, set(), folds=folds)
    unchecked = rebuilt.left_out - rebuilt.looked_up
    return _Rebuilt(graph, unchecked, folds=folds).out if unchecked else rebuilt.out


def _find_sums(graph: Graph) -> _Sums:
    """All chains of additions, the products in them looked through.

    An addition is absorbed by what it is added to if nothing else needs it. A subtraction is absorbed where it goes on with a
    chain, ``a + b - c``, and only through its first argument: a difference by itself stays one, so that a sum of differences
    does not become a difference of two large sums.
    """
    code, first, arg = graph.code, graph.first, graph.arg
    count = len(code)
    uses = np.bincount(arg, minlength=count)
    np.add.at(uses, graph.roots, 1)
    owner = np.repeat(np.arange(count), np.diff(first))
    is_sum, is_sub = (code == ADD) | (code == FSUM), code == SUB
    slot_0 = np.zeros(len(arg), bool)
    slot_0[first[:-1][first[:-1] < first[1:]]] = True
    into = is_sum[owner] | (is_sub[owner] & slot_0)
    single = uses == 1
    goes_on = np.zeros(count, bool)
    left = arg[first[:-1][is_sub]]
    goes_on[is_sub] = single[left] & (is_sum | is_sub)[left]
    taken = into & (single & (is_sum | goes_on))[arg]
    absorbed = np.zeros(count, bool)
    absorbed[arg[taken]] = True
    end = np.arange(count)
    end[arg[taken]] = owner[taken]
    while not np.array_equal(further := end[end], end):  # each round doubles how far we look
        end = further
    term = ~taken & (is_sum | is_sub)[owner]
    where = np.flatnonzero(term)
    where = where[np.argsort(end[owner[where]], kind="stable")]
    owners, terms = owner[where], arg[where]
    root, start = np.unique(end[owners], return_index=True)
    is_powc_2 = np.zeros(count, bool)
    powc = np.flatnonzero(code == POWC)
    is_powc_2[powc] = (code[arg[first[powc] + 1]] == CONSTANT) & (graph.number[arg[first[powc] + 1]] == 2.0)  # noqa: PLR2004
    is_product = single & ((code == MUL) | (code == SQUARE) | is_powc_2)
    negative = is_sub[owners] & ~slot_0[where]
    product = is_product[terms]
    # Two products make a dot; one alone stays what it is.
    size = np.diff(np.append(start, len(terms)))
    group = np.repeat(np.arange(len(root)), size)
    for sign in (False, True):
        some = product & (negative == sign)
        lonely = np.bincount(group[some], minlength=len(root)) < 2  # noqa: PLR2004 - two
        product &= ~(some & lonely[group])
    absorbed[terms[product]] = True
    return _Sums(root, np.append(start, len(terms)), terms, negative, product, absorbed)


def _find_folds(graph: Graph, sums: _Sums) -> dict[int, list[int]]:
    """For the node at the end of each chain of one row, what it is folded over; nodes in chains are absorbed by ``sums``.

    ``p = max(a, b)``, ``q = max(c, p)``, ``r = max(q, d)``, where nothing else needs p and q, gives ``{r: [a, b, c, d]}``. The
    order is that of the chain: a gradient shared by equal numbers is shared step by step. A chain goes through one argument,
    the first if both would do: ``max(max(a, b), max(c, d))`` shares otherwise than a fold.
    """
    code, first, arg = graph.code, graph.first, graph.arg
    foldable = np.zeros(FOLD + 2, bool)  # the last two are leaves
    foldable[[*_FOLDED]] = True
    nodes = np.flatnonzero(foldable[code] & (np.diff(first) == 2) & ~sums.absorbed)  # noqa: PLR2004 - two arguments
    uses = np.bincount(arg, minlength=len(code))
    np.add.at(uses, graph.roots, 1)
    pairs = arg[first[nodes][:, None] + [0, 1]]
    inner = np.zeros(len(code), bool)
    inner[nodes] = uses[nodes] == 1
    goes_on = inner[pairs] & (code[pairs] == code[nodes][:, None])
    through = np.where(goes_on.any(axis=1), pairs[np.arange(len(nodes)), goes_on.argmax(axis=1)], -1)
    other = np.where(goes_on[:, 0], pairs[:, 1], pairs[:, 0])
    links = dict(zip(nodes.tolist(), zip(through.tolist(), other.tolist(), strict=True), strict=True))
    inside = set(through.tolist())
    folds: dict[int, list[int]] = {}
    for end in [node for node in links if node not in inside]:
        members, terms = [end], []
        while (link := links[members[-1]])[0] >= 0:
            terms.append(link[1])
            members.append(link[0])
        terms += arg[first[members[-1]] : first[members[-1]] + 2][::-1].tolist()
        if len(terms) >= _FOLDED[int(code[end])]:
            folds[end] = terms[::-1]
            sums.absorbed[members[1:]] = True
    return folds


def halves(args: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The left and the right factors of a scalar product."""
    half = len(args) // 2
    return args[:half], args[half:]


def _find_second_times(graph: Graph) -> dict[int, NDArray[np.int64]]:
    """For the logsumexp of each softmax's logarithms: what is left of these where it is taken from all of them.

    As ``math.log_softmax`` does. They are as good as normalised already, so it is 0, to rounding, and they are what is left.
    """
    code, first, arg = graph.code, graph.first, graph.arg
    subs = np.flatnonzero(code == SUB)
    subs = subs[code[arg[first[subs] + 1]] == LOGSUMEXP]
    subs = subs[np.argsort(arg[first[subs] + 1], kind="stable")]
    totals = arg[first[subs] + 1]
    found = {}
    for node in np.flatnonzero(code == LOGSUMEXP).tolist():
        terms = arg[first[node] : first[node + 1]]
        if not terms.size or (code[terms] != SUB).any():
            continue
        total = int(arg[first[terms[0]] + 1])
        mine = subs[np.searchsorted(totals, node) : np.searchsorted(totals, node, "right")]
        if (
            code[total] == LOGSUMEXP
            and (arg[first[terms] + 1] == total).all()
            and np.array_equal(arg[first[terms]], arg[first[total] : first[total + 1]])
            and np.array_equal(np.sort(arg[first[mine]]), np.sort(terms))
        ):
            found[node] = mine
    return found


class _Rebuilt:
    """A graph on its way to another one: each node is asked for by its row and its arguments, and made if there is none."""

    def __init__(self, graph: Graph, unchecked: set[tuple[int, int]], *, folds: bool) -> None:
        """The graph, in which there remain selections among equal values by the ``unchecked`` indices."""
        self.left_out: set[tuple[int, int]] = set()
        """The indices of selections among equal values, which are these values, each with how many there are of them."""
        self.looked_up: set[tuple[int, int]] = set()
        """The indices of the selections that remain, which are checked at every call."""
        self._unchecked = unchecked
        count = len(graph.code) + 2
        empty = np.zeros(count, np.int64)
        self.out = Simplified(empty, np.zeros(count), empty.copy(), empty.copy(), np.zeros(count, bool), [], [])
        self._known: dict[tuple[object, ...], int] = {}
        self._graph = graph
        self._folds = folds
        new = self._leaves()
        sums = _find_sums(graph)
        chains = _find_folds(graph, sums) if folds else {}
        second = _find_second_times(graph) if folds else {}
        same: set[int] = set()
        pending = dict(zip(sums.root.tolist(), range(len(sums.root)), strict=True))
        first, codes = graph.first.tolist(), graph.code.tolist()
        for i in np.flatnonzero(~sums.absorbed & (graph.code >= 0)).tolist():
            if codes[i] == CONSTANT:
                new[i] = self._constant(float(graph.number[i]))
            elif i in same:
                new[i] = new[graph.arg[first[i]]]
            elif i in second and self._is_projected(args := new[graph.arg[first[i] : first[i + 1]]]):
                new[i] = self._node(PROJECT, args)
                same.update(second[i].tolist())
            elif (k := pending.get(i)) is not None:
                new[i] = self._sum(sums, slice(sums.start[k], sums.start[k + 1]), new)
            elif i in chains:
                new[i] = self._node(FOLD + codes[i], new[chains[i]])
            elif codes[i] == SELECT:
                new[i] = self._select(int(graph.arg[first[i]]), new[graph.arg[first[i] : first[i + 1]]])
            else:
                new[i] = self._node(codes[i], new[graph.arg[first[i] : first[i + 1]]])
        self.out.zero, self.out.one = self._constant(0.0), self._constant(1.0)
        self.out.roots = new[graph.roots].tolist()

    def _leaves(self) -> NDArray[np.int64]:
        """The new node of each old one, of which the variables and inputs are there already."""
        graph, out = self._graph, self.out
        leaves = np.flatnonzero(graph.code < 0)
        new = np.full(len(graph.code), -1)
        new[leaves] = some = np.arange(len(leaves))
        out.code[some] = graph.code[leaves]
        out.leaf[some] = graph.leaf[leaves]
        out.batched[some] = graph.code[leaves] == INPUT
        out.args = [_NOTHING] * len(leaves)
        out.leaves = len(leaves)
        return new

    def _add(self, key: tuple[object, ...], code: int, args: NDArray[np.int64], number: float = 0.0) -> int:
        """The node known by ``key``, made if there is none."""
        if (known := self._known.get(key)) is not None:
            return known
        out = self.out
        node = self._known[key] = len(out.args)
        out.args.append(args)
        out.code[node] = code
        out.number[node] = number
        if len(args):
            out.level[node] = out.level[args].max() + (code != PROJECT)  # it comes right after what it is of
            out.batched[node] = out.batched[args].any()
        return node

    def _constant(self, number: float) -> int:
        return self._add((CONSTANT, struct.pack("d", number)), CONSTANT, _NOTHING, number)

    def _node(self, code: int, args: NDArray[np.int64]) -> int:  # noqa: C901, PLR0911 - one branch for each way of being simpler
        """The node of row ``code`` at ``args``, or something simpler that is equal to it."""
        out = self.out
        constant = out.code[args] == CONSTANT
        if constant.any():
            numbers = out.number[args[constant]].tolist()
            if len(numbers) == len(args):
                if code >= FOLD:
                    return self._constant(functools.reduce(ROWS[code - FOLD].on_floats, numbers))
                return self._constant(ROWS[code].on_floats(*numbers))
            if code == POWC and numbers == [2.0]:
                return self._node(SQUARE, args[:1])
            if (code == ADD and numbers == [0.0]) or (code == MUL and numbers == [1.0]):
                return int(args[~constant][0])
            if code == SUB and numbers == [0.0] and constant[1]:
                return int(args[0])
        if code == MUL and args[0] == args[1]:
            return self._node(SQUARE, args[:1])
        if code == DOT:
            return self._dot(*halves(args))
        if (code in {FSUM, PROD}) and len(args) <= 2:  # noqa: PLR2004 - what add and mul are for
            return self._node(ADD if code == FSUM else MUL, args) if len(args) > 1 else int(args[0])
        if code == PROD and self._folds:
            code += FOLD
        return self._add((code, args.tobytes()), code, args)

    def _is_projected(self, args: NDArray[np.int64]) -> bool:
        """Whether ``args`` are still a difference each, none of them twice: then all have the same level."""
        return bool((self.out.code[args] == SUB).all()) and len(np.unique(args)) == len(args)

    def _select(self, index: int, args: NDArray[np.int64]) -> int:
        """What is selected by an ``index`` of the graph: no node if all are the same and another one checks the index."""
        checked = (index, len(args) - 1)
        if checked not in self._unchecked and (args[1:] == args[1]).all():
            self.left_out.add(checked)
            return int(args[1])
        self.looked_up.add(checked)
        return self._add((SELECT, args.tobytes()), SELECT, args)

    def _dot(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
        """The scalar product, whose first factors are those that all examples share, where one of the two is."""
        out = self.out
        swap = out.batched[left] & ~out.batched[right]
        args = np.append(np.where(swap, right, left), np.where(swap, left, right))
        if len(args) == 2:  # noqa: PLR2004 - one product
            return self._node(MUL, args)
        return self._add((DOT, args.tobytes()), DOT, args)

    def _sum(self, sums: _Sums, part: slice, new: NDArray[np.int64]) -> int:
        """The sum of the terms in ``part``: the products as a dot, then the others, less those that are subtracted."""
        graph = self._graph
        sides = []
        for side in (False, True):
            mine = sums.negative[part] == side
            product = sums.product[part]
            terms = sums.term[part]
            addends = new[terms[mine & ~product]].tolist()
            if (factors := terms[mine & product]).size:
                first = graph.first[factors]
                second = np.where(graph.code[factors] == MUL, first + 1, first)  # a square has one argument
                addends.insert(0, self._dot(new[graph.arg[first]], new[graph.arg[second]]))
            sides.append(self._total([a for a in addends if not (self.out.code[a] == CONSTANT and self.out.number[a] == 0.0)]))
        plus, minus = sides
        if minus is None:
            return self._constant(0.0) if plus is None else plus
        return self._node(SUB, np.array([self._constant(0.0) if plus is None else plus, minus]))

    def _total(self, addends: list[int]) -> int | None:
        """The sum of ``addends``; None if there are none."""
        return self._node(FSUM, np.array(self._with_bias(addends))) if addends else None

    def _with_bias(self, addends: list[int]) -> list[int]:
        """``addends``, a scalar product by variables and another variable being one scalar product: that one's factor is 1."""
        out = self.out
        if sorted(out.code[addends].tolist()) != sorted([DOT, VARIABLE]):
            return addends
        product, bias = sorted(addends, key=lambda node: out.code[node] != DOT)
        left, right = halves(out.args[product])
        if out.batched[left].any() or not out.batched[right].all():
            return addends
        return [self._dot(np.append(left, bias), np.append(right, self._constant(1.0)))]
