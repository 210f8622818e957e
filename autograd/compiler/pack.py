"""Pack: find nodes that do the same, so that one operation on vectors or matrices computes all of them.

Nodes of one level do not need one another. Those of one row become one operation, and scalar products that share factors become
a matrix product. Of the inputs x0, x1, a layer of two neurons and their ReLUs become

    d0 = dot([w0, w1], [x0, x1])        Product   out [[[d0], [d1]]]   left [[[w0, w1], [w2, w3]]]   right [[[x0, x1]]]
    d1 = dot([w2, w3], [x0, x1])
    r0 = relu(d0), r1 = relu(d1)        Map       out [r0, r1]         of [d0, d1]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autograd import ops
from autograd.compiler.folds import Fold
from autograd.compiler.operations import Chain, Dots, Map, Operation, Pairwise, Pick, Product, Project, Reduce, Take
from autograd.compiler.record import CODE, ROWS
from autograd.compiler.simplify import CONSTANT, DOT, FOLD, FSUM, LOGSUMEXP, MUL, PROJECT, Simplified, halves
from autograd.compiler.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

SELECT, HYPOT = CODE[ops.select], CODE[ops.hypot]
_STOPS = [CODE[op] for op in ROWS if op.stops]
_ANY_NUMBER = (DOT, FSUM, LOGSUMEXP, HYPOT, PROJECT)
"""Rows whose nodes are packed together although they have different numbers of arguments."""
_DENSE = 0.5
"""The smallest part of the items of a matrix product that has to be wanted."""


_NARROW, _LONG = 1.5, 16
"""Levels become a chain if vectors would compute at most ``_NARROW`` of their nodes with each call of NumPy, and if there are
at least ``_LONG`` nodes. A shorter run is worth its lines of source."""
_WIDER, _LONGER = 4.0, 1000
"""The same for long runs. Vectors would be up to three times quicker at 10 to 100 examples, but not at 1 or 1,000, and they
would take ten times as long to compile."""
_ARGUMENTS, _FACTORS = 32, 16
"""The largest number of arguments, or pairs of factors, of a step, and of pairs of factors of all scalar products of a level.
A level with more of them may hold a matrix product."""
_ONE_BY_ONE = np.zeros(FOLD * 2 + 2, bool)  # the last two are leaves
"""The codes of nodes that a chain can compute."""
_ONE_BY_ONE[: len(ROWS)] = True
_ONE_BY_ONE[CODE[ops.constant]] = False
_ONE_BY_ONE[[FOLD + CODE[op] for op in (ops.maximum, ops.minimum, ops.prod)]] = True


def pack(graph: Simplified, *, chains: bool = True) -> list[Operation]:
    """Return operations that compute all nodes that the results need, in an order in which arguments come first.

    Without ``chains`` there are no operations of that kind. The left factors of a Pairwise may end in zeros that are no
    arguments in the graph, and biases are still left factors whose right factors are 1.
    """
    operations: list[Operation] = []
    needed = np.zeros(len(graph.args), bool)
    needed[graph.roots] = True
    reached = needed.copy()  # by gradients. Other nodes are packed apart: a cotangent of 0 times a slope of inf would be NaN
    interior = np.arange(graph.leaves, len(graph.args))
    for i in interior[::-1].tolist():
        if needed[i]:
            needed[graph.args[i]] = True
            if reached[i] and graph.code[i] not in _STOPS:
                reached[graph.args[i]] = True
    project = np.flatnonzero(graph.code[: len(graph.args)] == PROJECT)
    for i in project.tolist():
        needed[i] = reached[i] = reached[graph.args[i]].any()
        reached[graph.args[i]] |= reached[i]
    interior = np.array([i for i in interior[needed[interior]].tolist() if len(graph.args[i])], np.int64)
    levels = graph.level[interior]
    order = np.argsort(levels, kind="stable")
    interior, levels = interior[order], levels[order]
    ends = np.append(np.flatnonzero(np.diff(levels)) + 1, len(levels)) if len(levels) else np.zeros(0, np.int64)
    starts = np.append(0, ends[:-1])[: len(ends)]
    narrow = _narrow(graph, interior, starts, ends) if chains else np.zeros(len(starts), bool)
    for first, last in _runs(narrow):
        part = interior[starts[first] : ends[last]]
        for nodes in (part[~graph.batched[part]], part[graph.batched[part]]) if narrow[first] else (part,):
            if narrow[first] and len(nodes) >= _LONG:
                operations.append(_chain(graph, nodes))
            else:
                operations += _levels(graph, nodes, reached)
    return operations


def _runs(some: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of each run of equal items.

    >>> [*_runs(np.array([True, True, False, True]))]
    [(0, 1), (2, 2), (3, 3)]
    """
    ends = [*np.flatnonzero(np.diff(some)).tolist(), len(some) - 1] if len(some) else []
    yield from zip([0, *[end + 1 for end in ends[:-1]]], ends, strict=False)


def _levels(graph: Simplified, nodes: Rows, reached: NDArray[np.bool_]) -> Iterator[Operation]:
    """Yield the operations for ``nodes``, which are sorted by level."""
    levels = graph.level[nodes]
    for some in np.split(nodes, np.flatnonzero(np.diff(levels)) + 1) if len(nodes) else []:
        for part in (some[reached[some]], some[~reached[some]]):
            yield from _level(graph, part)


def _narrow(graph: Simplified, nodes: Rows, starts: Rows, ends: Rows) -> NDArray[np.bool_]:
    """Return which levels are better computed node by node. A level is ``nodes[starts[i]:ends[i]]``.

    All nodes of one row in a level take one call of NumPy. If their arguments are of several kinds, two more calls gather the
    arguments and scatter their cotangents.

        8 sines of 8 sums                      1 call  for 8 nodes     vectors
        8 sines of 4 sums and 4 products       3 calls for 8 nodes     vectors
        2 sines of a sum and a product         3 calls for 2 nodes     steps
    """
    if not len(starts):
        return np.zeros(0, bool)
    count = len(graph.args)
    code, batched = graph.code[:count], graph.batched[:count]
    kind = (graph.level[:count] * len(_ONE_BY_ONE) + code + 2) * 2 + batched
    args = [graph.args[i] for i in nodes.tolist()]
    arity = np.fromiter(map(len, args), np.int64, len(args))
    kinds, which = np.unique(kind[nodes], return_inverse=True)
    is_dot = code[nodes] == DOT
    width = np.where(is_dot, arity / 2, arity)
    alone = _ONE_BY_ONE[code[nodes]] & (width <= _ARGUMENTS)
    alone &= ~is_dot | (np.bincount(which)[which] == 1) | (np.bincount(which, width)[which] <= _FACTORS)
    begin = np.cumsum(arity) - arity
    flat = np.concatenate(args)
    calls = np.zeros(len(kinds))
    for slot in range(min(2 * _ARGUMENTS, int(arity.max()))):
        has = arity > slot
        taken, group = flat[begin[has] + slot], which[has]
        same = _alike(kind[taken], group, len(kinds)) | _alike(taken, group, len(kinds))
        calls += np.where(same, 0.0, 2.0)
    calls += 1.0
    level_of = np.repeat(np.arange(len(starts)), ends - starts)
    at = np.zeros(len(kinds), np.int64)
    at[which] = level_of
    a_call = np.where(np.minimum.reduceat(alone, starts), (ends - starts) / np.bincount(at, calls), np.inf)
    narrow = a_call <= _NARROW
    for first, last in _runs(a_call <= _WIDER):
        if ends[last] - starts[first] >= _LONGER and a_call[first] <= _WIDER:
            narrow[first : last + 1] = True
    return narrow


def _alike(numbers: Rows, group: Rows, groups: int) -> NDArray[np.bool_]:
    """Return for each group whether all of its ``numbers`` are the same."""
    one = np.zeros(groups, np.int64)
    one[group] = numbers
    differs = np.zeros(groups, bool)
    np.logical_or.at(differs, group, numbers != one[group])
    return ~differs


def _chain(graph: Simplified, nodes: Rows) -> Chain:
    """Return the steps that compute ``nodes`` one after the other.

    Of ``y = sin(x)``, ``z = y * 2`` and ``w = z * x``, x is given, 2 is a number, and y, z and w are written. They get the
    cells 0 to 4 in this order, and the steps are sin(0), mul(2, 1) and mul(3, 0).
    """
    arg, lengths = _runs_of([graph.args[i] for i in nodes.tolist()])
    cells = np.full(len(graph.args), -1)
    cells[nodes] = 0
    outside = arg[cells[arg] < 0]
    outside = outside[np.sort(np.unique(outside, return_index=True)[1])]
    is_number = graph.code[outside] == CONSTANT
    given, numbers = outside[~is_number], outside[is_number]
    order = np.concatenate([given, numbers, nodes])
    cells[order] = np.arange(len(order))
    codes, which = np.unique(graph.code[nodes], return_inverse=True)
    steps = Steps(
        [*map(_step, codes.tolist())],
        which.astype(np.int32),
        np.append(0, np.cumsum(lengths)).astype(np.int32),
        cells[arg].astype(np.int32),
        len(given),
        graph.number[numbers].tolist(),
    )
    return Chain(nodes, given, steps)


def _step(code: int) -> ops.Op:
    """Return the operation of a step. The fold of a row takes any number of arguments; a product does so anyway."""
    row = ROWS[code % FOLD]
    return row if code < FOLD or row is ops.prod else Fold(row)


def _level(graph: Simplified, nodes: Rows) -> Iterator[Operation]:  # noqa: C901 - one branch a kind
    """Yield the operations for nodes that do not need one another."""
    alike: dict[tuple[int, bool, int], list[int]] = {}
    codes, batched = graph.code[nodes].tolist(), graph.batched[nodes].tolist()
    for node, code, varies in zip(nodes.tolist(), codes, batched, strict=True):
        arity = len(graph.args[node])
        if code in _ANY_NUMBER and (code, arity) != (HYPOT, 1):  # the fold of one number is that number, hypot its size
            arity = 0
        alike.setdefault((code, varies, arity), []).append(node)
    if (dots := alike.get((DOT, True, 0))) is not None:
        rest, products, padded = _families(graph, dots, alike.get((MUL, True, 2), []))
        for some, left, right in padded:
            found, others = _matrices(_numbered(left), _numbered(right), lone=False)
            yield from _stacks(Pairwise, some, left, right, found)
            for node in some[others].tolist():
                (rest if graph.code[node] == DOT else products).append(node)
        alike[DOT, True, 0], alike[MUL, True, 2] = rest, products
    # Lookups come late, so that the reverse sweep begins with them: it writes zeros, to which others add. Projections come
    # last, as their arguments are in the same level.
    for (code, _, arity), members in sorted(alike.items(), key=lambda item: (item[0][0] == PROJECT, item[0][0] == SELECT)):
        some = np.array(members, np.int64)
        args = [graph.args[i] for i in members]
        if not members:
            continue
        if code == DOT:
            yield from _products(graph, some, args)
        elif code == PROJECT:
            yield Project(some, *_runs_of(args))
        elif code >= FOLD or (code in _ANY_NUMBER and not arity):
            yield Reduce(some, *_runs_of(args), ROWS[code % FOLD])
        elif code == SELECT and graph.batched[some[0]]:
            yield from _lookups(graph, some, np.stack(args))
        else:
            yield Map(some, tuple([_number_or_values(graph, values) for values in np.stack(args, axis=1)]), ROWS[code])


def _families(
    graph: Simplified, dots: list[int], products: list[int]
) -> tuple[list[int], list[int], list[tuple[Rows, Rows, Rows]]]:
    """Find scalar products of several lengths that are a matrix product if zeros are appended to their left factors.

    In causal attention, position i weighs the values 0 to i:

        y0 = a0 * v0                                   a0  0  0         v0
        y1 = dot([b0, b1], [v0, v1])                   b0 b1  0    @    v1
        y2 = dot([c0, c1, c2], [v0, v1, v2])           c0 c1 c2         v2

    A family is made of the nodes whose right factors are the first ones of the same longest array. Return the other scalar
    products, the other products, and for each length the nodes, their left factors with zeros, and their right factors.
    """
    longest: dict[int, Rows] = {}
    members: dict[int, list[int]] = {}
    by_length = sorted(dots, key=lambda node: -len(graph.args[node]))
    for node in [*by_length, *products]:
        left, right = halves(graph.args[node])
        if not graph.batched[left].all():
            continue
        family = longest.setdefault(int(right[0]), right) if len(right) > 1 else longest.get(int(right[0]), right[:0])
        if np.array_equal(family[: len(right)], right):
            members.setdefault(int(right[0]), []).append(node)
    padded: dict[int, list[int]] = {}
    for nodes in members.values():
        lengths = [len(graph.args[node]) // 2 for node in nodes]
        if min(lengths) < max(lengths) and sum(lengths) >= _DENSE * len(nodes) * max(lengths):
            padded.setdefault(max(lengths), []).extend(nodes)
    out = []
    for length, nodes in padded.items():
        left, right = np.full((len(nodes), length), graph.zero), np.empty((len(nodes), length), np.int64)
        for i, node in enumerate(nodes):
            mine = graph.args[node]
            left[i, : len(mine) // 2] = mine[: len(mine) // 2]
            right[i] = longest[int(mine[len(mine) // 2])]
        out.append((np.array(nodes), left, right))
    used = {node for nodes in padded.values() for node in nodes}
    return [n for n in dots if n not in used], [n for n in products if n not in used], out


def _runs_of(args: Sequence[Rows]) -> tuple[Rows, Rows]:
    """Return all ``args`` as one array, and the length of each."""
    return np.concatenate(args), np.array([*map(len, args)])


def _number_or_values(graph: Simplified, values: Rows) -> Rows | float:
    """Return the ``values``, or the number that all of them are."""
    is_number = graph.code[values[0]] == CONSTANT and (values == values[0]).all()
    return float(graph.number[values[0]]) if is_number else values


def _lookups(graph: Simplified, nodes: Rows, args: Rows) -> Iterator[Operation]:
    """Yield the selections: columns of a shared table if each row meets each index, otherwise items of rows."""
    shared = ~graph.batched[args[:, 1:]].any(axis=1) & graph.batched[args[:, 0]]
    for mine, columns in ((shared, True), (~shared, False)):
        some, rows = nodes[mine], args[mine]
        matrix = _matrix(_numbered(rows[:, 1:]), _numbered(rows[:, :1])) if columns and len(some) else None
        if matrix is not None and (matrix >= 0).all():
            yield Take(some[matrix], rows[matrix[:, 0], 1:], rows[matrix[0], 0])
        elif len(some):
            yield Pick(some, rows[:, 1:], rows[:, 0])


def _numbered(tuples: Rows) -> Rows:
    """Return for each row the number of the first row that is equal to it.

    >>> _numbered(np.array([[1, 2], [3, 4], [1, 2]]))
    array([0, 1, 0])
    """
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), i) for i, row in enumerate(tuples)])


def _matrix(left: Rows, right: Rows) -> Rows | None:
    """Return the edges (left[i], right[i]) as a matrix of their numbers i, or None if it is too sparse.

    A row stands for a left end, a column for a right end, and -1 for an edge that does not exist.

    >>> _matrix(np.array([7, 7, 9]), np.array([1, 2, 2]))
    array([[ 0,  1],
           [-1,  2]])
    """
    lefts, i = np.unique(left, return_inverse=True)
    rights, j = np.unique(right, return_inverse=True)
    if len(left) < _DENSE * len(lefts) * len(rights):
        return None
    matrix = np.full((len(lefts), len(rights)), -1)
    matrix[i, j] = np.arange(len(left))
    return matrix


def _products(graph: Simplified, nodes: Rows, args: list[Rows]) -> Iterator[Operation]:
    """Yield scalar products: as matrix products where the same factors meet often enough, and one by one."""
    loose: list[int] = []
    alike: dict[tuple[int, bool], list[int]] = {}
    for i, a in enumerate(args):
        half = len(a) // 2
        shared = graph.batched[nodes[0]] and not graph.batched[a[:half]].any()
        alike.setdefault((half, bool(shared)), []).append(i)
    for (half, shared), members in alike.items():
        mine = np.array(members)
        table = np.stack([args[i] for i in members])
        left, right = table[:, :half], table[:, half:]
        found, others = _matrices(_numbered(left), _numbered(right), lone=shared)
        loose += mine[others].tolist()
        kind = Product if shared or not graph.batched[nodes[0]] else Pairwise
        yield from _stacks(kind, nodes[mine], left, right, found)
    if loose:
        rest = [args[i] for i in sorted(loose)]
        lefts, rights = zip(*map(halves, rest), strict=True)
        yield Dots(nodes[sorted(loose)], np.concatenate(lefts), *_runs_of(rights))


def _stacks(
    kind: type[Product | Pairwise], nodes: Rows, left: Rows, right: Rows, found: list[Rows]
) -> Iterator[Product | Pairwise]:
    """Yield an operation for each stack of matrices of edges: edge i is ``nodes[i]``, of ``left[i]`` and ``right[i]``."""
    for stack in found:
        # Any edge in a row of a matrix tells the left factors of this row, and any edge in a column the right ones.
        wanted = np.where(stack >= 0, nodes[stack], -1)
        yield kind(wanted, left[stack.max(axis=2)], right[stack.max(axis=1)])


_FEW = 8
"""The largest number of matrices of a single item that are worth a product."""


def _matrices(left: Rows, right: Rows, *, lone: bool) -> tuple[list[Rows], Rows]:
    """Return matrices of edges (left[i], right[i]), in stacks of one shape, and the edges that are in no matrix.

    An edge that shares no end with another is a matrix only if ``lone`` is true and there are few such edges.
    """
    stacks: dict[tuple[int, ...], list[Rows]] = {}
    others = []
    for edges in _components(left, right):
        matrix = _matrix(left[edges], right[edges])
        if matrix is None:
            others.append(edges)
        else:
            stacks.setdefault(matrix.shape, []).append(np.where(matrix >= 0, edges[matrix], -1))
    alone = stacks.get((1, 1), [])
    if alone and not (lone and len(alone) <= _FEW):
        others += [matrix[0] for matrix in stacks.pop((1, 1))]
    return [np.stack(matrices) for matrices in stacks.values()], np.concatenate([*others, np.zeros(0, np.int64)])


def _components(left: Rows, right: Rows) -> list[Rows]:
    """Return the edges of each connected component of the bipartite graph with the edges (left[i], right[i]).

    Each edge begins with its own number as its label. In each round it takes the lowest label of the edges with the same left
    end, then with the same right end, until nothing changes. Of the edges 0-1, 1-2, 0-3, 1-4 and 4-0:

        labels         0 1 2 3 4
        same left      0 1 0 1 4
        same right     0 1 0 1 4        so the components are the edges {0, 2}, {1, 3} and {4}
    """
    label = np.arange(len(left))
    while True:
        before = label
        for side in (left, right):
            lowest = np.full(len(left), len(left))
            np.minimum.at(lowest, side, label)
            label = lowest[side]
        label = np.minimum(label, label[label])  # what is a long way off arrives in a few rounds
        if np.array_equal(before, label):
            break
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
