"""The same function node by node: nothing packed, nothing emitted, nothing kept. What programs are checked against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.record import INPUT, ROWS, VARIABLE, Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STOPS = (ops.constant, ops.detach, ops.less, ops.less_equal)


def evaluate(graph: Graph, theta: NDArray[Any], rows: NDArray[Any]) -> list[Any]:
    """What each node is at ``theta`` (one number a variable), for each of the examples in ``rows`` (batch, inputs)."""
    data: list[Any] = []
    with np.errstate(all="ignore"):
        for i, code in enumerate(graph.code.tolist()):
            if code == VARIABLE:
                data.append(theta[graph.leaf[i]])
            elif code == INPUT:
                data.append(rows[:, graph.leaf[i]])
            elif ROWS[code] is ops.constant:
                data.append(graph.number[i])
            else:
                args = graph.arg[graph.first[i] : graph.first[i + 1]].tolist()
                data.append(ROWS[code].on_arrays(*[data[a] for a in args]))
    return data


def value_and_grad(graph: Graph, theta: NDArray[Any], rows: NDArray[Any], reduction: str) -> tuple[float, NDArray[Any]]:
    """The mean or the sum of the result over the examples in ``rows``, and its derivative by each variable."""
    data = evaluate(graph, theta, rows)
    batch = len(rows)
    root = graph.roots[0]
    gradient = np.zeros(len(theta))
    with np.errstate(all="ignore"):
        total = np.broadcast_to(data[root], batch).sum()
        grad: list[Any] = [np.zeros(batch) for _ in data]
        grad[root] = grad[root] + (1.0 / max(batch, 1) if reduction == "mean" else 1.0)
        for i in reversed(range(len(data))):
            code = int(graph.code[i])
            if code == VARIABLE:
                gradient[graph.leaf[i]] += grad[i].sum()
            elif code != INPUT and ROWS[code] not in STOPS:
                args = graph.arg[graph.first[i] : graph.first[i + 1]].tolist()
                partials = ROWS[code].partials(data[i], *[np.asarray(data[a]) for a in args])
                for a, partial in zip(args, partials, strict=True):
                    grad[a] = grad[a] + grad[i] * partial
        return float(total / batch if reduction == "mean" else total), gradient


def run(
    graph: Graph,
    parameters: Sequence[int],
    theta: NDArray[Any],
    arrays: Sequence[NDArray[Any]],
    reduction: str | None,
    *,
    trained: int,
    gradient: bool,
) -> Any:
    """What a program for ``graph`` gives, whose theta holds these ``parameters``, the first ``trained`` of which are its own."""
    order = np.array(parameters)
    numbers = np.zeros(len(graph.variables))
    numbers[order[order >= 0]] = theta[order >= 0]
    rows = np.concatenate(arrays, axis=1, dtype=float)
    if reduction is None:
        data = evaluate(graph, numbers, rows)
        return np.stack([np.broadcast_to(data[root], len(rows)) for root in graph.roots], axis=1)
    value, slopes = value_and_grad(graph, numbers, rows, reduction)
    by_theta = np.where(order >= 0, slopes[order], 0.0)[:trained].astype(theta.dtype)
    return (value, by_theta) if gradient else value
