"""Nodes that do the same become one operation on vectors, and scalar products that share factors become matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autograd import ops
from autograd.compiler.record import CODE
from autograd.compiler.simplify import DOT, FSUM, Simplified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SELECT, LOGSUMEXP, HYPOT = CODE[ops.select], CODE[ops.logsumexp], CODE[ops.hypot]
_DENSE = 0.5
"""A matrix product is worth it if at least this part of its items is wanted."""


@dataclass
class Group:
    """Nodes that are computed together.

    kind       nodes       operands
    map        (k)         each argument, (k)
    reduce     (k)         the arguments, (k, n)
    segments   (k)         the arguments one after the other, and where each node's begin
    product    (g, m, n)   left factors (g, m, k), right factors (g, n, k); the left ones are shared by all examples
    pairwise   (g, m, n)   the same, where the left ones are not shared
    take       (f, p)      tables (f, n), indices (p)
    pick       (p)         tables (p, n), indices (p)
    dots       (k)         left factors (k, n), right factors (k, n)
    ragged     (k)         left factors one after the other, right ones likewise, and where each node's begin

    A node of -1 is computed but not wanted. In ``padded`` products a left factor may be 0 that in the graph is none.
    """

    kind: str
    code: int
    nodes: NDArray[np.int64]
    operands: list[NDArray[np.int64]]
    padded: bool = False


def pack(graph: Simplified) -> list[Group]:
    """The groups, each after those that it needs."""
    interior = np.array([i for i, args in enumerate(graph.args) if len(args)], np.int64)
    arity = np.array([len(graph.args[i]) for i in interior], np.int64)
    code, level, batched = graph.code[interior], graph.level[interior], graph.batched[interior]
    many = np.isin(code, (FSUM, LOGSUMEXP, HYPOT, DOT))
    arity[many] = 0  # these are packed whatever the number of their arguments
    keys = np.stack([level, code, batched, arity])
    order = np.lexsort(keys[::-1])
    keys, interior = keys[:, order], interior[order]
    cuts = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    groups: list[Group] = []
    for nodes in np.split(interior, cuts) if len(interior) else []:
        args = [graph.args[i] for i in nodes.tolist()]
        row = int(graph.code[nodes[0]])
        if row == DOT:
            groups += _products(graph, nodes, args)
        elif row in (FSUM, LOGSUMEXP, HYPOT):
            groups.append(_reduction(row, nodes, args))
        elif row == SELECT and graph.batched[nodes[0]]:
            groups += _lookups(graph, nodes, np.stack(args))
        else:
            groups.append(Group("map", row, nodes, list(np.stack(args, axis=1))))
    return groups


def _reduction(code: int, nodes: NDArray[np.int64], args: list[NDArray[np.int64]]) -> Group:
    if len({len(a) for a in args}) == 1:
        return Group("reduce", code, nodes, [np.stack(args)])
    starts = np.cumsum([0, *[len(a) for a in args[:-1]]])
    return Group("segments", code, nodes, [np.concatenate(args), starts])


def _lookups(graph: Simplified, nodes: NDArray[np.int64], args: NDArray[np.int64]) -> Iterator[Group]:
    """Selections from tables that all examples share, each by each of some indices, take columns; others pick items."""
    shared = ~graph.batched[args[:, 1:]].any(axis=1) & graph.batched[args[:, 0]]
    for mine in (shared, ~shared):
        some, rows = nodes[mine], args[mine]
        matrix = _matrix(_numbered(rows[:, 1:]), _numbered(rows[:, :1])) if mine is shared and len(some) else None
        if matrix is not None and (matrix >= 0).all():
            yield Group("take", SELECT, some[matrix], [rows[matrix[:, 0], 1:], rows[matrix[0], 0]])
        elif len(some):
            yield Group("pick", SELECT, some, [rows[:, 1:], rows[:, 0]])


def _numbered(tuples: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row the number of the first row that is equal to it."""
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), i) for i, row in enumerate(tuples)])


def _matrix(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The edges (left[i], right[i]) as a matrix of their numbers, -1 where there is none; None if it is too sparse."""
    lefts, i = np.unique(left, return_inverse=True)
    rights, j = np.unique(right, return_inverse=True)
    if len(left) < _DENSE * len(lefts) * len(rights):
        return None
    matrix = np.full((len(lefts), len(rights)), -1)
    matrix[i, j] = np.arange(len(left))
    return matrix


def _products(graph: Simplified, nodes: NDArray[np.int64], args: list[NDArray[np.int64]]) -> Iterator[Group]:
    """Scalar products as matrix products, where the same factors meet; as products and sums of vectors, where not."""
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
        for stack in found:
            # Some item of each row tells its left factors, and some item of each column its right ones.
            wanted = np.where(stack >= 0, nodes[mine[stack]], -1)
            operands = [left[stack.max(axis=2)], right[stack.max(axis=1)]]
            yield Group("product" if shared or not graph.batched[nodes[0]] else "pairwise", DOT, wanted, operands)
    if loose:
        rest = [args[i] for i in sorted(loose)]
        halves = [np.split(a, 2) for a in rest]
        left, right = [h[0] for h in halves], [h[1] for h in halves]
        lengths = [len(a) for a in left]
        if len(set(lengths)) == 1:
            yield Group("dots", DOT, nodes[sorted(loose)], [np.stack(left), np.stack(right)])
        else:
            starts = np.cumsum([0, *lengths[:-1]])
            yield Group("ragged", DOT, nodes[sorted(loose)], [np.concatenate(left), np.concatenate(right), starts])


_FEW = 8


def _matrices(
    left: NDArray[np.int64], right: NDArray[np.int64], *, lone: bool
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Stacks of matrices of edges (left[i], right[i]), those of one shape in one stack, and the edges in none of them.

    An edge that meets no other is a matrix of its own, if ``lone`` ones are wanted and there are few of them.
    """
    stacks: dict[tuple[int, ...], list[NDArray[np.int64]]] = {}
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


def _components(left: NDArray[np.int64], right: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The edges of each connected component of the bipartite graph with the edges (left[i], right[i])."""
    label = np.arange(len(left))
    while True:
        before = label
        for side in (left, right):
            lowest = np.full(len(left), len(left))
            np.minimum.at(lowest, side, label)
            label = lowest[side]
        label = np.minimum(label, label[label])
        if np.array_equal(before, label):
            break
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
