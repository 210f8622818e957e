"""Selection: what has no instruction becomes several operations. Runs of any lengths are lowered in the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
from passes import packed, simplified, variables

from autograd import Value, math
from autograd.compiler.operations import Chain, Map, Product, Reduce
from autograd.compiler.pack import pack
from autograd.compiler.selection import Selection, select

w = variables(8)


def selected(fn: Any, size: int = 0) -> Selection:
    graph = simplified(fn, size)
    return select(graph, pack(graph))


def texts(fn: Any, size: int = 0) -> list[str]:
    """The operations on values, as ``out = operation(arguments)``; ``|`` separates runs."""
    return [text(operation) for operation in selected(fn, size).operations]


def text(o: Any) -> str:
    name = o.op.name if hasattr(o, "op") else type(o).__name__.lower()
    args = o.args if isinstance(o, Map) else [o.x]
    return f"{o.out.ravel().tolist()} = {name}({', '.join([runs(arg, o.lengths) for arg in args])})"


def runs(arg: Any, lengths: Any) -> str:
    if isinstance(arg, float):
        return repr(arg)
    ends = [arg.size] if lengths is None else np.cumsum(lengths).tolist()
    return " | ".join([" ".join(map(str, run)) for run in np.split(arg.ravel(), ends[:-1])])


def test_logsumexp_is_shifted_by_the_largest_value_of_each_run() -> None:
    """The nodes 0 to 4 are inputs, 5 and 6 are the constants 0 and 1 or results; new values follow the nodes."""
    graph = simplified(two := lambda x: [math.logsumexp(x[:2]), math.logsumexp(x[2:])], 5)
    assert graph.roots == [5, 6]
    n = len(graph.args)
    peak, total, log = [f"{n + i} {n + i + 1}" for i in (0, 2, 4)]
    a, b, c, d, e = range(n + 6, n + 11)
    assert texts(two, 5) == [
        f"[{peak.replace(' ', ', ')}] = peak(0 1 | 2 3 4)",
        f"[{a}, {b}, {c}, {d}, {e}] = sub(0 1 | 2 3 4, {n} {n} | {n + 1} {n + 1} {n + 1})",
        f"[{e + 1}, {e + 2}, {e + 3}, {e + 4}, {e + 5}] = exp({a} {b} | {c} {d} {e})",
        f"[{total.replace(' ', ', ')}] = fsum({e + 1} {e + 2} | {e + 3} {e + 4} {e + 5})",
        f"[{log.replace(' ', ', ')}] = log({total})",
        f"[5, 6] = add({log}, {peak})",
    ]


def test_runs_of_one_length_are_a_table() -> None:
    operations = selected(lambda x: [math.logsumexp(x[:2]), math.logsumexp(x[2:])], 4).operations
    assert [o.out.shape for o in operations] == [(2,), (2, 2), (2, 2), (2,), (2,), (2,)]


def test_scalar_products_of_any_lengths_are_products_and_sums() -> None:
    first, second = texts(lambda x: [math.sumprod(x[:2], x[2:4]), math.sumprod(x[:3], x[3:])], 6)
    assert first.endswith("= mul(0 1 | 0 1 2, 2 3 | 3 4 5)")
    assert second.startswith("[6, 7] = fsum(")
    square, total = texts(lambda x: [math.sumprod(x[:2], x[:2]), math.sumprod(x[1:], x[1:])], 4)
    assert square.endswith("= square(0 1 | 1 2 3)")
    assert total.startswith("[4, 5] = fsum(")


def test_biases_are_apart_from_other_factors() -> None:
    def layer(x: list[Value]) -> list[Value]:
        return [math.sumprod(w[2 * i : 2 * i + 2], x) + w[4 + i] for i in range(2)]

    (packed_product,) = packed(layer, 2)
    (product,) = selected(layer, 2).operations
    assert isinstance(product, Product)
    assert isinstance(packed_product, Product)
    assert product.left.tolist() == packed_product.left[..., :2].tolist()
    assert product.right.tolist() == packed_product.right[..., :2].tolist()
    assert product.bias is not None
    assert product.bias.tolist() == packed_product.left[..., 2].tolist()
    (plain,) = selected(lambda x: [math.sumprod(w[:2], x), math.sumprod(w[2:4], x)], 2).operations
    assert isinstance(plain, Product)
    assert plain.bias is None


def test_a_constant_for_all_is_a_number() -> None:
    assert texts(lambda x: [y * 2.0 for y in x], 2)[0].endswith("mul(0 1, 2.0)")
    assert texts(lambda x: [x[0] * 2.0, x[1] * 3.0], 2)[0].endswith("mul(0 1, 2 4)")


def test_new_values_differ_between_examples_if_what_is_made_of_them_does() -> None:
    selection = selected(lambda x: [math.logsumexp(x), math.logsumexp(w[:2])], 2)
    for operation in selection.operations:
        batched = selection.batched[operation.out]
        assert (batched == batched.flat[0]).all()
    made = [selection.batched[o.out].flat[0] for o in selection.operations if isinstance(o, Reduce)]
    assert sorted(made) == [False, True]


def test_the_cells_of_a_chain() -> None:
    """The cells 0 and 1 are x and the number 2.0. The cells of the steps follow."""

    def fn(x: list[Value]) -> Value:
        y = x[0]
        for _ in range(10):
            y = math.sin(y) * 2.0
        return y

    (chain,) = selected(fn, 1).operations
    assert isinstance(chain, Chain)
    assert chain.given.tolist() == [0]
    assert chain.steps.numbers == [2.0]
    assert [row.name for row in chain.steps.rows] == ["mul", "sin"]
    assert chain.steps.arg.tolist()[:6] == [0, 2, 1, 3, 4, 1]
    assert len(chain.out) == 20
