"""Packing: which nodes become one operation on vectors, and which scalar products a matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from passes import packed, program, simplified, variables

from autograd import Value, math
from autograd.compiler.operations import Dots, Map, Operation, Pairwise, Product, Reduce, Take
from autograd.compiler.pack import _components, _matrix, _numbered, pack

w = variables(16)


def kinds(fn: Any, size: int = 0) -> list[str]:
    """The kinds of operations, the rows of the table that they apply, and the shapes of what they compute."""
    return [described(operation) for operation in packed(fn, size)]


def described(operation: Operation) -> str:
    row = f" {operation.op.name}" if isinstance(operation, Map | Reduce) else ""
    return f"{type(operation).__name__.lower()}{row} {'x'.join(map(str, operation.out.shape))}"


def layer(rows: int, x: list[Value], first: int = 0) -> list[Value]:
    """Products of a matrix of variables with x."""
    n = len(x)
    return [math.sumprod(w[first + i * n : first + (i + 1) * n], x) for i in range(rows)]


# Vectors


def test_nodes_of_one_level_and_one_row_are_one_vector() -> None:
    assert kinds(lambda x: [math.exp(y) for y in x], 3) == ["map exp 3"]
    assert kinds(lambda x: [math.exp(math.exp(y)) for y in x], 3) == ["map exp 3", "map exp 3"]
    assert kinds(lambda x: [math.exp(x[0]), math.sin(x[1])], 2) == ["map exp 1", "map sin 1"]


def test_what_examples_share_is_computed_apart() -> None:
    assert sorted(kinds(lambda x: [math.exp(x[0]), math.exp(w[0]), math.exp(w[1])], 1)) == ["map exp 1", "map exp 2"]


def test_groups_come_after_those_that_they_need() -> None:
    def fn(x: list[Value]) -> list[Value]:
        hidden = [math.tanh(z) for z in layer(2, x)]
        return [math.exp(math.fsum(hidden)), math.sumprod(hidden, hidden)]

    graph = simplified(fn, 2)
    done = set(range(graph.leaves))
    for operation in pack(graph):
        wanted = operation.out[operation.out >= 0].tolist()
        assert {arg for node in wanted for arg in graph.args[node].tolist() if len(graph.args[arg])} <= done
        done |= set(wanted)
    assert set(graph.roots) <= done


def test_constants_and_what_is_not_needed_belong_to_no_group() -> None:
    """A bias's product, once it is part of a scalar product, is not computed."""
    graph = simplified(lambda x: w[0] * x[0] + w[1] * x[1] + w[2] + 0.0 * x[0], 2)
    nodes = np.concatenate([operation.out.ravel() for operation in pack(graph)])
    assert not {graph.zero, graph.one} & set(nodes.tolist())
    assert kinds(lambda x: [x[0], w[0], Value(1.0).detach()], 1) == []


# Sums


def test_sums_of_any_lengths_are_one_reduction() -> None:
    (operation,) = packed(lambda x: [math.fsum(x[:3]), math.fsum(x[3:])], 7)
    assert described(operation) == "reduce fsum 2"
    assert isinstance(operation, Reduce)
    assert (operation.x.tolist(), operation.lengths.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [3, 4])
    assert kinds(lambda x: [math.logsumexp(x[:3]), math.logsumexp(x[3:])], 7) == ["reduce logsumexp 2"]
    assert kinds(lambda x: [math.hypot(*x[:3]), math.hypot(*x[3:])], 7) == ["reduce hypot 2"]


def test_hypot_of_one_number_is_its_size_and_no_fold() -> None:
    """Mistake: the fold of a single number is that number, sign and all."""

    def fn(x: list[Value]) -> list[Value]:
        return [math.hypot(x[0]), math.hypot(*x[1:3]), math.hypot(*x)]

    assert sorted(kinds(fn, 3)) == ["map hypot 1", "reduce hypot 2"]
    result = program(fn, 3, reduction=None).run(np.zeros(0), [np.array([[-2.0, 3.0, 4.0]])], 1)
    assert result.tolist() == [[2.0, 5.0, pytest.approx(29.0**0.5)]]


# Matrix products


def test_a_layer_is_one_product() -> None:
    (operation,) = packed(lambda x: layer(3, x), 2)
    assert described(operation) == "product 1x3x1"
    assert isinstance(operation, Product)
    assert (operation.left.shape, operation.right.shape) == ((1, 3, 2), (1, 1, 2))


def test_the_shared_factor_is_the_left_one() -> None:
    graph = simplified(lambda x: [math.sumprod(x, w[:3]), math.sumprod(x, w[3:6])], 3)
    (operation,) = pack(graph)
    assert isinstance(operation, Product)
    assert not graph.batched[operation.left].any()
    assert graph.batched[operation.right].all()


def test_a_layer_at_several_positions_is_one_product() -> None:
    """(3, 2) times (2, 4): every row of weights meets every position."""
    (operation,) = packed(lambda x: [z for p in range(4) for z in layer(3, x[2 * p : 2 * p + 2])], 8)
    assert described(operation) == "product 1x3x4"
    assert sorted(operation.out.ravel().tolist()) == sorted({*operation.out.ravel().tolist()})


def test_layers_that_share_nothing_are_a_stack() -> None:
    assert kinds(lambda x: [*layer(2, x[:2]), *layer(2, x[2:], 4)], 4) == ["product 2x2x1"]


def test_products_of_numbers_that_all_examples_share() -> None:
    def fn(_: list[Value]) -> list[Value]:
        return [math.sumprod(w[2 * i : 2 * i + 2], w[8 + 2 * j : 10 + 2 * j]) for i in range(2) for j in range(3)]

    assert kinds(fn) == ["product 1x2x3"]


def test_attention_is_a_product_for_each_example() -> None:
    def scores(x: list[Value]) -> list[Value]:
        queries, keys = [x[0:2], x[2:4]], [x[4:6], x[6:8], x[8:10]]
        return [math.sumprod(q, k) for q in queries for k in keys]

    assert kinds(scores, 10) == ["pairwise 1x2x3"]


def causal(x: list[Value]) -> list[Value]:
    """Position i weighs the values 0 to i, of two columns."""
    weights, values = [x[0:1], x[1:3], x[3:6]], [x[6:9], x[9:12]]
    return [math.sumprod(row, column[: len(row)]) for row in weights for column in values]


def test_causal_attention_is_one_product_with_zeros() -> None:
    graph = simplified(causal, 12)
    (operation,) = pack(graph)
    assert described(operation) == "pairwise 1x3x2"
    assert isinstance(operation, Pairwise)
    left, right = operation.left, operation.right
    assert sorted((left[0] == graph.zero).sum(axis=1).tolist()) == [0, 1, 2]
    leaf = graph.leaf[right[0]].tolist()
    assert sorted(leaf) == [[6, 7, 8], [9, 10, 11]]
    order = np.argsort([(row == graph.zero).sum() for row in left[0]])
    assert graph.leaf[left[0][order[0]]].tolist() == [3, 4, 5]
    assert graph.leaf[left[0][order[1]][:2]].tolist() == [1, 2]
    assert operation.out[0][order[::-1]].tolist() == np.reshape(graph.roots, (3, 2)).tolist()


def test_sums_that_begin_differently_are_not_made_longer() -> None:
    """Neither is one that shares its first factor with a longer one, and no more."""

    def fn(x: list[Value]) -> list[Value]:
        return [math.sumprod(x[:3], x[3:6]), math.sumprod(x[:2], [x[3], x[6]])]

    assert kinds(fn, 7) == ["dots 2"]


def test_what_is_mostly_zeros_is_not_made_longer() -> None:
    """One product of 5 factors, three of 1: 8 of 20 are there."""

    def fn(x: list[Value]) -> list[Value]:
        return [math.sumprod(x[:5], x[5:10]), *[math.sumprod([y], [x[5]]) for y in x[1:4]]]

    assert sorted(kinds(fn, 10)) == ["dots 1", "map mul 3"]


def test_a_sparse_matrix_of_several_lengths_is_none() -> None:
    """Five rows of two in a chain of columns, and for each column a row of one."""

    def fn(x: list[Value]) -> list[Value]:
        rows, columns, ones = [x[2 * i : 2 * i + 2] for i in range(5)], [x[10 + 2 * i : 12 + 2 * i] for i in range(5)], x[20:25]
        chain = [math.sumprod(rows[i], columns[j]) for i in range(5) for j in (i, i + 1) if j < 5]
        return [*chain, *[math.sumprod([y], column[:1]) for y, column in zip(ones, columns, strict=True)]]

    assert sorted(kinds(fn, 25)) == ["dots 9", "map mul 5"]


def test_an_item_that_is_missing_is_computed_and_not_wanted() -> None:
    def fn(x: list[Value]) -> list[Value]:
        rows, columns = [w[:2], w[2:4]], [x[:2], x[2:]]
        return [math.sumprod(rows[i], columns[j]) for i, j in ((0, 0), (0, 1), (1, 0))]

    graph = simplified(fn, 4)
    (operation,) = pack(graph)
    assert described(operation) == "product 1x2x2"
    assert sorted(operation.out.ravel().tolist()) == [-1, *sorted(graph.roots)]
    i, j = np.argwhere(operation.out[0] == graph.roots[0])[0]
    assert isinstance(operation, Product)
    assert graph.args[graph.roots[0]].tolist() == [*operation.left[0, i], *operation.right[0, j]]


def test_a_sparse_matrix_is_none() -> None:
    """Three rows and three columns in a chain of five items are more than half; five in a chain of nine are less."""

    def chain(n: int) -> Any:
        def fn(x: list[Value]) -> list[Value]:
            rows, columns = [w[2 * i : 2 * i + 2] for i in range(n)], [x[2 * i : 2 * i + 2] for i in range(n)]
            return [math.sumprod(rows[i], columns[j]) for i in range(n) for j in (i, i + 1) if j < n]

        return fn

    assert kinds(chain(3), 6) == ["product 1x3x3"]
    assert kinds(chain(5), 10) == ["dots 9"]


def test_a_few_lone_products_are_products_and_many_are_not() -> None:
    """With weights; without, they are products and a sum of vectors."""

    def fn(count: int) -> Any:
        return lambda x: [math.sumprod([w[i], w[i + 1]], [x[i], x[i + 1]]) for i in range(count)]

    assert kinds(fn(8), 9) == ["product 8x1x1"]
    assert kinds(fn(9), 10) == ["dots 9"]
    assert kinds(lambda x: [math.sumprod(x, x)], 2) == ["dots 1"]
    assert kinds(lambda _: [math.sumprod(w[:2], w[:2])]) == ["dots 1"]


def test_loose_products_of_several_lengths_are_one_group() -> None:
    (operation,) = packed(lambda x: [math.sumprod(x[:2], x[:2]), math.sumprod(x[1:], x[1:])], 4)
    assert described(operation) == "dots 2"
    assert isinstance(operation, Dots)
    assert operation.left.tolist() == operation.right.tolist() == [0, 1, 1, 2, 3]
    assert operation.lengths.tolist() == [2, 3]


# Tables


def test_columns_of_a_shared_table_are_taken() -> None:
    """Each row of the table by each of the indices."""

    def fn(x: list[Value]) -> list[Value]:
        return [math.select(row, i - 1.0) for row in (w[:3], w[3:6]) for i in x]

    (take,) = [operation for operation in packed(fn, 2) if isinstance(operation, Take)]
    assert (take.out.shape, take.table.shape, take.index.shape) == ((2, 2), (2, 3), (2,))


def test_items_are_picked_from_what_differs_between_examples() -> None:
    assert kinds(lambda x: [math.select(x[1:3], x[0]), math.select(x[2:4], x[0])], 4) == ["pick 2"]


def test_tables_and_indices_that_do_not_all_meet_are_picked_from() -> None:
    def fn(x: list[Value]) -> list[Value]:
        return [math.select(w[:3], x[0]), math.select(w[3:6], x[1])]

    assert kinds(fn, 2) == ["pick 2"]


def test_a_shared_table_and_another_one() -> None:
    assert kinds(lambda x: [math.select(w[:2], x[0]), math.select(x[1:], x[0])], 3) == ["take 1x1", "pick 1"]


def test_an_index_that_all_examples_share() -> None:
    """It is no leaf of the batch: each selection is a row of the table."""
    one = Value(1.0)
    assert kinds(lambda _: [math.select(w[:2], one), math.select(w[2:4], one)]) == ["map select 2"]


# What it is made with


def test_numbered() -> None:
    assert _numbered(np.array([[1, 2], [3, 4], [1, 2], [5, 6]])).tolist() == [0, 1, 0, 3]


def test_matrix_of_edges() -> None:
    left, right = np.array([7, 7, 9]), np.array([1, 2, 2])
    matrix = _matrix(left, right)
    assert matrix is not None
    assert matrix.tolist() == [[0, 1], [-1, 2]]
    assert _matrix(np.arange(2), np.arange(2)).tolist() == [[0, -1], [-1, 1]]  # type: ignore[union-attr]  # just half
    assert _matrix(np.arange(3), np.arange(3)) is None


def test_components() -> None:
    """A chain, in which each edge meets but the next, is one component, however long."""
    left, right = np.array([0, 1, 0, 1, 4]), np.array([1, 2, 3, 4, 0])
    assert [edges.tolist() for edges in _components(left, right)] == [[0, 2], [1, 3], [4]]
    chain = np.arange(100)
    assert len(_components(chain // 2, (chain + 1) // 2)) == 1
