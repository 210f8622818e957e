"""Simplify: compute the same function with fewer nodes.

Additions, one after the other, become one sum; products in a sum become a scalar product; constants are folded; and equal nodes
become one. The loop ``a = b; for wi, xi in zip(w, x): a = a + wi * xi``, over two weights, becomes one node:

    a1 = b + w0 * x0
    a2 = a1 + w1 * x1              a2 = dot([w0, w1, b], [x0, x1, 1])

``sum(wi * xi for ...) + b`` and ``math.sumprod(w, x) + b`` become the same node.
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
"""The code of a row plus this number is the code of its fold: ``maximum(maximum(a, b), c)`` as one node of three arguments."""
PROJECT = FOLD + LOGSUMEXP
"""The code of a second ``z - logsumexp(z)``, where z has been normalised already: z = v - logsumexp(v).

The values do not change, so the node has none, and z is read in its place. Only the cotangents of z change: they become more
accurate. The arguments of the node are the items of z."""
_FOLDED = {CODE[ops.maximum]: 3, CODE[ops.minimum]: 3, MUL: 5}
"""The rows whose chains become folds, and the smallest number of arguments. Shorter products may be part of a scalar product.

All of them are commutative, so a chain may go through either argument."""
_NOTHING = np.zeros(0, np.int64)


@dataclass
class Simplified:
    """A graph of few nodes, in an order in which arguments come first. The arrays may be longer than the list of nodes."""

    code: NDArray[np.int64]
    number: NDArray[np.float64]
    """The value of each constant."""
    leaf: NDArray[np.int64]
    """The number of each variable among the variables, and of each input among the inputs."""
    level: NDArray[np.int64]
    """0 for leaves, otherwise one more than the highest level of the arguments."""
    batched: NDArray[np.bool_]
    """Whether the value of the node differs between examples."""
    args: list[NDArray[np.int64]]
    roots: list[int]
    leaves: int = 0
    """The number of variables and inputs, which come before all other nodes."""
    zero: int = -1
    """The node of the constant 0."""
    one: int = -1
    """The node of the constant 1."""


@dataclass
class _Sums:
    """The sums that chains of additions amount to."""

    root: NDArray[np.int64]
    """The last node of each chain, which the sum replaces."""
    start: NDArray[np.int64]
    """The terms of sum ``k`` are ``term[start[k]:start[k + 1]]``."""
    term: NDArray[np.int64]
    negative: NDArray[np.bool_]
    """Whether the term is subtracted."""
    product: NDArray[np.bool_]
    """Whether the term is a product that becomes part of a scalar product."""
    absorbed: NDArray[np.bool_]
    """Whether a node of the graph is part of a sum, and needed nowhere else."""


def simplify(graph: Graph, *, folds: bool = True) -> Simplified:
    """Return a graph of the same function with fewer nodes. Without ``folds`` it has neither folds nor projections."""
    rebuilt = _Rebuilt(graph, set(), folds=folds)
    unchecked = rebuilt.left_out - rebuilt.looked_up
    return _Rebuilt(graph, unchecked, folds=folds).out if unchecked else rebuilt.out


def _uses(graph: Graph) -> NDArray[np.int64]:
    """Return how often each node is an argument or a result."""
    return np.bincount(np.append(graph.arg, np.array(graph.roots, np.int64)), minlength=len(graph.code))


def _find_sums(graph: Graph) -> _Sums:
    """Find the chains of additions, and the products among their terms.

    Of the nodes

        p = w0 * x0        q = w1 * x1        s = p + q        t = s + b        y = t - c

    each is used once. The addition s is absorbed by t, and t by y, so y is the root of the sum of the terms p, q, b and -c. As
    p and q are two products of the same sign, they are absorbed, too: y = dot([w0, w1], [x0, x1]) + b - c.

    A node is absorbed only if it is used once. A subtraction is absorbed only if its first argument is a chain, as that of y
    is. Otherwise a sum of differences would become a difference of two large sums.
    """
    code, first, arg = graph.code, graph.first, graph.arg
    count = len(code)
    owner = np.repeat(np.arange(count), np.diff(first))  # the node whose argument each item of arg is
    is_sum, is_sub = (code == ADD) | (code == FSUM), code == SUB
    slot_0 = np.zeros(len(arg), bool)
    slot_0[first[:-1][first[:-1] < first[1:]]] = True
    into = is_sum[owner] | (is_sub[owner] & slot_0)  # where a chain may go on
    single = _uses(graph) == 1
    goes_on = np.zeros(count, bool)
    left = arg[first[:-1][is_sub]]
    goes_on[is_sub] = single[left] & (is_sum | is_sub)[left]
    taken = into & (single & (is_sum | goes_on))[arg]
    absorbed = np.zeros(count, bool)
    absorbed[arg[taken]] = True
    end = np.arange(count)
    end[arg[taken]] = owner[taken]
    while not np.array_equal(further := end[end], end):  # after n rounds, end looks 2**n nodes ahead
        end = further
    term = ~taken & (is_sum | is_sub)[owner]
    where = np.flatnonzero(term)
    where = where[np.argsort(end[owner[where]], kind="stable")]
    owners, terms = owner[where], arg[where]
    root, start = np.unique(end[owners], return_index=True)
    is_powc_2 = np.zeros(count, bool)
    powc = np.flatnonzero(code == POWC)
    is_powc_2[powc] = (code[arg[first[powc] + 1]] == CONSTANT) & (graph.number[arg[first[powc] + 1]] == 2.0)  # noqa: PLR2004 - squares
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
    """Return the arguments of each fold, by the last node of its chain, and mark the other nodes of the chains as absorbed.

    ``p = max(a, b)``, ``q = max(c, p)`` and ``r = max(q, d)`` give ``{r: [a, b, c, d]}``, if p and q are used once.

    The arguments are in the order of the chain, because equal numbers share a gradient step by step. A chain goes through one
    argument only, the first one if both are possible: the tree ``max(max(a, b), max(c, d))`` shares gradients differently.
    """
    code, first, arg = graph.code, graph.first, graph.arg
    foldable = np.zeros(FOLD + 2, bool)  # the last two are leaves
    foldable[[*_FOLDED]] = True
    nodes = np.flatnonzero(foldable[code] & (np.diff(first) == 2) & ~sums.absorbed)  # noqa: PLR2004 - two arguments
    uses = _uses(graph)
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
    """Return the left and the right factors of a scalar product."""
    half = len(args) // 2
    return args[:half], args[half:]


def _find_second_times(graph: Graph) -> dict[int, NDArray[np.int64]]:
    """Return the differences that normalise logarithms a second time, by the logsumexp that they subtract.

    ``math.log_softmax`` normalises twice. Of v it makes z, and of z it makes y:

        l = logsumexp(v)        z[i] = v[i] - l        m = logsumexp(z)        y[i] = z[i] - m

    m is 0 but for rounding, so each y[i] has the value of z[i]. The result is ``{m: [the nodes of y]}``.
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
    """Rebuilds a graph node by node. A node is asked for by its row and its arguments, and made unless it is known."""

    def __init__(self, graph: Graph, unchecked: set[tuple[int, int]], *, folds: bool) -> None:
        """Rebuild ``graph``, and keep selections among equal values if their indices are ``unchecked``.

        An index is checked where something is selected by it at a call. So one selection by each index has to remain.
        """
        self.left_out: set[tuple[int, int]] = set()
        """The index and the number of values of each selection that became its value, because all values are equal."""
        self.looked_up: set[tuple[int, int]] = set()
        """The index and the number of values of each selection that remains."""
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
        """Make the variables and inputs. Return an array for the new node of each old one, in which these are set."""
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
        """Return the node that is known by ``key``, or make it."""
        if (known := self._known.get(key)) is not None:
            return known
        out = self.out
        node = self._known[key] = len(out.args)
        out.args.append(args)
        out.code[node] = code
        out.number[node] = number
        if len(args):
            out.level[node] = out.level[args].max() + (code != PROJECT)  # right after its arguments
            out.batched[node] = out.batched[args].any()
        return node

    def _constant(self, number: float) -> int:
        return self._add((CONSTANT, struct.pack("d", number)), CONSTANT, _NOTHING, number)

    def _node(self, code: int, args: NDArray[np.int64]) -> int:  # noqa: C901, PLR0911 - one branch a rule
        """Return the node of row ``code`` at ``args``, or a simpler one that is equal to it."""
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
        if (code in {FSUM, PROD}) and len(args) <= 2:  # noqa: PLR2004 - add and mul take two arguments
            return self._node(ADD if code == FSUM else MUL, args) if len(args) > 1 else int(args[0])
        if code == PROD and self._folds:
            code += FOLD
        return self._add((code, args.tobytes()), code, args)

    def _is_projected(self, args: NDArray[np.int64]) -> bool:
        """Whether ``args`` are different nodes, and each of them is still a difference, so that all have the same level."""
        return bool((self.out.code[args] == SUB).all()) and len(np.unique(args)) == len(args)

    def _select(self, index: int, args: NDArray[np.int64]) -> int:
        """Return the selection of ``args[1:]`` by ``args[0]``, or its value if all values are equal and need no check.

        ``index`` is the node of the index in the old graph.
        """
        checked = (index, len(args) - 1)
        if checked not in self._unchecked and (args[1:] == args[1]).all():
            self.left_out.add(checked)
            return int(args[1])
        self.looked_up.add(checked)
        return self._add((SELECT, args.tobytes()), SELECT, args)

    def _dot(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
        """Return the scalar product. Of two factors of which only one differs between examples, that one becomes the right."""
        out = self.out
        swap = out.batched[left] & ~out.batched[right]
        args = np.append(np.where(swap, right, left), np.where(swap, left, right))
        if len(args) == 2:  # noqa: PLR2004 - one product
            return self._node(MUL, args)
        return self._add((DOT, args.tobytes()), DOT, args)

    def _sum(self, sums: _Sums, part: slice, new: NDArray[np.int64]) -> int:
        """Return the sum of the terms in ``part``: a scalar product of the products, the others, less the negative ones."""
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
        """Return the sum of ``addends``, or None if the list is empty."""
        return self._node(FSUM, np.array(self._with_bias(addends))) if addends else None

    def _with_bias(self, addends: list[int]) -> list[int]:
        """Return ``addends``, or one scalar product in place of a scalar product with shared factors and a variable.

        ``dot([w0, w1], [x0, x1])`` and the bias b become ``dot([w0, w1, b], [x0, x1, 1])``.
        """
        out = self.out
        if sorted(out.code[addends].tolist()) != sorted([DOT, VARIABLE]):
            return addends
        product, bias = sorted(addends, key=lambda node: out.code[node] != DOT)
        left, right = halves(out.args[product])
        if out.batched[left].any() or not out.batched[right].all():
            return addends
        return [self._dot(np.append(left, bias), np.append(right, self._constant(1.0)))]
