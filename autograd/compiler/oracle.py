"""The recorded graph, evaluated and differentiated node by node. Programs are checked against it, and it takes their place
where an executor gives up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.record import INPUT, ROWS, VARIABLE, Graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.plan import Plan


def evaluate(graph: Graph, theta: NDArray[Any], rows: NDArray[Any], rounded: Callable[[Any], Any] = lambda x: x) -> list[Any]:
    """The numbers of each node at ``theta``, one number for each variable, and for the examples in ``rows`` (batch, inputs).

    The function ``rounded`` is applied to each number before it is used.
    """
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
            data[-1] = rounded(data[-1])
    return data


def results(graph: Graph, theta: NDArray[Any], rows: NDArray[Any], noise: float = 0.0, seed: int = 0) -> list[float]:
    """The results for the one example in ``rows``, with a relative error of up to ``noise`` in each number on the way.

    Whole numbers have no error, because they may be labels, indices and truth values.
    """
    random = np.random.default_rng(seed)

    def rounded(x: Any) -> Any:
        return np.where(x == np.rint(x), x, x * (1.0 + noise * random.uniform(-1.0, 1.0, np.shape(x))))

    data = evaluate(graph, theta, rows, rounded) if noise else evaluate(graph, theta, rows)
    return [float(np.ravel(data[root])[0]) for root in graph.roots]


def side_by_side(arrays: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The inputs of each example in one row. A function without arguments has one example, without inputs."""
    return np.concatenate(arrays, axis=1, dtype=float) if arrays else np.zeros((1, 0))


def largest(graph: Graph, theta: NDArray[Any], rows: NDArray[Any]) -> float:
    """The largest number on the way to the results, which bounds their rounding errors; infinite if one of them is NaN."""
    return max([float(np.max(np.abs(np.where(np.isnan(data), np.inf, data)))) for data in evaluate(graph, theta, rows)])


def value_and_grad(graph: Graph, theta: NDArray[Any], rows: NDArray[Any], reduction: str) -> tuple[float, NDArray[Any]]:
    """The mean or the sum of the result over the examples in ``rows``, and its derivative by each variable."""
    data = evaluate(graph, theta, rows)
    batch = len(rows)
    root = graph.roots[0]
    gradient = np.zeros(len(theta))
    with np.errstate(all="ignore"):
        total = np.broadcast_to(data[root], batch).sum()
        grad: list[Any] = [None] * len(data)
        grad[root] = np.full(batch, 1.0 / max(batch, 1) if reduction == "mean" else 1.0)
        for i in reversed(range(len(data))):
            code = int(graph.code[i])
            if grad[i] is None:  # nothing was handed on to it, and 0 times its partial derivatives could be NaN
                continue
            if code == VARIABLE:
                gradient[graph.leaf[i]] += grad[i].sum()
            elif code != INPUT and not ROWS[code].stops:
                args = graph.arg[graph.first[i] : graph.first[i + 1]].tolist()
                partials = ROWS[code].partials(data[i], *[np.asarray(data[a]) for a in args])
                for a, partial in zip(args, partials, strict=True):
                    grad[a] = grad[i] * partial + (0.0 if grad[a] is None else grad[a])
        return float(total / batch if reduction == "mean" else total), gradient


def run(graph: Graph, plan: Plan, theta: NDArray[Any], arrays: Sequence[NDArray[Any]], *, gradient: bool) -> Any:
    """Return the same as an executor of ``plan``, which was made from ``graph``."""
    order = np.array(plan.parameters, np.int64)
    numbers = np.zeros(len(graph.variables))
    numbers[order[order >= 0]] = theta[order >= 0]
    rows = side_by_side(arrays)
    if plan.reduction is None:
        data = evaluate(graph, numbers, rows)
        return np.stack([np.broadcast_to(data[root], len(rows)) for root in graph.roots], axis=1).astype(theta.dtype)
    value, slopes = value_and_grad(graph, numbers, rows, plan.reduction)
    by_theta = np.append(slopes, 0.0)[order][: plan.trained].astype(
        theta.dtype
    )  # a parameter that is not in the graph has slope 0
    return (value, by_theta) if gradient else value
