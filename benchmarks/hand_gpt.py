"""The mean loss of a character GPT and its gradient by hand in NumPy: the baseline that the compiled GPT is compared with.

Columns are positions, one document after the other: then matrices stand on the left, as in formulas, and sums over features,
keys or classes add up whole rows. Buffers, masks and the views into them are made once for each shape of a batch, so a step is
no business of two threads at once. The tables of tokens and of positions are one matrix, and so are those of queries, keys and
values. Rows of tables are looked up by a product with one-hot columns, as the gradient is then the transposed product.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VOCABULARY, CONTEXT, WIDTH, HEADS, HIDDEN = 27, 16, 16, 4, 64
EPSILON = 1e-5
PADDING = 8  # numbers between rows whose distance would be a power of two, and hence the same lines of the cache

SHAPES = {
    "embedding": (VOCABULARY + CONTEXT, WIDTH),  # a row a token, then a row a position
    "head": (VOCABULARY, WIDTH),
    "attention": (3 * WIDTH, WIDTH),  # queries, keys, values, each head by head
    "projection": (WIDTH, WIDTH),
    "hidden": (HIDDEN, WIDTH),
    "output": (WIDTH, HIDDEN),
}


def unflattened(theta: Floats) -> dict[str, Floats]:
    """The matrices in the vector ``theta`` of all weights, as views, by name."""
    weights, start = {}, 0
    for name, (rows, columns) in SHAPES.items():
        weights[name] = theta[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
    return weights


def flattened(weights: dict[str, Floats]) -> Floats:
    """The vector of which ``weights`` are the parts."""
    return np.concatenate([weights[name].ravel() for name in SHAPES])


class Workspace:
    """What a step on ``batch`` documents of ``n`` tokens writes to, and the constants that it needs."""

    def __init__(self, batch: int, n: int) -> None:
        columns = batch * n
        self.columns = np.arange(columns)
        self.mean = np.full(WIDTH, 1 / WIDTH)
        self.per_head = np.kron(np.eye(HEADS), np.ones(WIDTH // HEADS))  # sums over the features of each head
        self.ones = np.ones(max(VOCABULARY, columns))
        # 1 where a query sees a key, and in the padding, where no sum must vanish. The future is struck out of the
        # exponentials, not of the logits: NumPy's exp is slow at -inf.
        self.past = np.ones((n, HEADS * columns + PADDING))  # keys in rows, queries in columns, by head and document
        self.past[:, :-PADDING] = np.tile(np.tri(n).T, HEADS * batch)

        one_hot = np.zeros((VOCABULARY + VOCABULARY + CONTEXT, columns))  # targets, tokens, positions
        self.targets, self.looked_up = one_hot[:VOCABULARY], one_hot[VOCABULARY:]
        self.looked_up[VOCABULARY + self.columns % n, self.columns] = 1.0
        self.to_clear = one_hot[: 2 * VOCABULARY]

        self.x0, self.x1, self.x2, self.x3, self.y1, self.y2, self.mixed, self.dx, self.dy, self.square = np.empty(
            (10, WIDTH, columns)
        )
        self.norm0, self.norm1, self.norm2, self.inner, self.total = np.empty((5, columns))
        self.qkv, self.dqkv = np.empty((2, 3 * WIDTH, columns))
        self.relu, self.active = np.empty((2, HIDDEN, columns))
        self.logits, self.exps = np.empty((2, VOCABULARY, columns))
        self.attention, self.dattention = np.zeros((2, n, HEADS * columns + PADDING))
        self.inner_attention = np.zeros(HEADS * columns + PADDING)

        def by_head(x: Floats) -> Any:
            """A view of the rows of ``x``, in matrices (features x positions), by head and document."""
            return x.reshape(-1, HEADS, WIDTH // HEADS, batch, n).transpose(0, 1, 3, 2, 4)

        self.q, self.k, self.v = by_head(self.qkv)
        self.dq, self.dk, self.dv = by_head(self.dqkv)
        self.k_t, self.v_t = self.k.swapaxes(2, 3), self.v.swapaxes(2, 3)
        self.p, self.dp = (
            x[:, :-PADDING].reshape(n, HEADS, batch, n).transpose(1, 2, 0, 3) for x in (self.attention, self.dattention)
        )
        self.p_t, self.dp_t = self.p.swapaxes(2, 3), self.dp.swapaxes(2, 3)
        self.mixed_heads, self.dmixed_heads = by_head(self.mixed)[0], by_head(self.dy)[0]
        self.queries, self.dqueries = self.qkv[:WIDTH], self.dqkv[:WIDTH]
        self.inner_by_head = self.inner_attention[:-PADDING].reshape(HEADS, columns)


workspace = lru_cache(maxsize=32)(Workspace)


def rms_norm(x: Floats, norm: Floats, out: Floats, space: Workspace) -> None:
    """Write the root of the mean square of each column of ``x`` to ``norm``, and the columns divided by it to ``out``."""
    np.multiply(x, x, space.square)
    np.dot(space.mean, space.square, norm)
    np.add(norm, EPSILON, norm)
    np.sqrt(norm, norm)
    np.divide(x, norm, out)


def rms_norm_backward(g: Floats, y: Floats, norm: Floats, space: Workspace) -> None:
    """Replace the gradient ``g`` by ``y = x / norm`` with that by ``x``: ``(g - y mean(g y)) / norm``."""
    np.multiply(g, y, space.square)
    np.dot(space.mean, space.square, space.inner)
    np.multiply(y, space.inner, space.square)
    np.subtract(g, space.square, g)
    np.divide(g, norm, g)


def step(weights: dict[str, Floats], tokens: NDArray[np.int64], targets: NDArray[np.int64]) -> tuple[float, dict[str, Floats]]:
    """The mean loss of documents, rows of ``tokens`` and of the ``targets`` that follow them, and its gradient by weight."""
    space = workspace(*tokens.shape)
    space.to_clear.fill(0.0)
    space.looked_up[tokens.ravel(), space.columns] = 1.0
    space.targets[targets.ravel(), space.columns] = 1.0 / tokens.size
    return forward(weights, space), backward(weights, space)


def forward(weights: dict[str, Floats], s: Workspace) -> float:
    """The mean loss."""
    np.dot(weights["embedding"].T, s.looked_up, s.x0)
    rms_norm(s.x0, s.norm0, s.x1, s)

    rms_norm(s.x1, s.norm1, s.y1, s)
    np.dot(weights["attention"], s.y1, s.qkv)
    np.multiply(s.queries, (WIDTH // HEADS) ** -0.5, s.queries)
    np.matmul(s.k_t, s.q, s.p)
    p = s.attention
    np.subtract(p, np.maximum.reduce(p, 0), p)
    np.exp(p, p)
    np.multiply(p, s.past, p)
    np.divide(p, np.dot(s.ones[: len(p)], p), p)
    np.matmul(s.v, s.p, s.mixed_heads)
    np.dot(weights["projection"], s.mixed, s.x2)
    np.add(s.x2, s.x1, s.x2)

    rms_norm(s.x2, s.norm2, s.y2, s)
    np.dot(weights["hidden"], s.y2, s.relu)
    np.greater(s.relu, 0.0, s.active)
    np.multiply(s.relu, s.active, s.relu)
    np.dot(weights["output"], s.relu, s.x3)
    np.add(s.x3, s.x2, s.x3)

    z = np.dot(weights["head"], s.x3, s.logits)
    np.subtract(z, np.maximum.reduce(z, 0), z)
    np.exp(z, s.exps)
    np.dot(s.ones[:VOCABULARY], s.exps, s.total)
    count = len(s.total)
    return float(np.dot(s.ones[:count], np.log(s.total)) / count - np.vdot(s.targets, z))


def backward(weights: dict[str, Floats], s: Workspace) -> dict[str, Floats]:
    """The gradient by each matrix, after ``forward``, whose results are used up."""
    dx, dy, p = s.dx, s.dy, s.attention
    np.multiply(s.total, len(s.total), s.total)
    g = np.divide(s.exps, s.total, s.exps)
    np.subtract(g, s.targets, g)
    gradient = {"head": np.dot(g, s.x3.T)}
    np.dot(weights["head"].T, g, dx)

    gradient["output"] = np.dot(dx, s.relu.T)
    g = np.dot(weights["output"].T, dx, s.relu)
    np.multiply(g, s.active, g)
    gradient["hidden"] = np.dot(g, s.y2.T)
    np.dot(weights["hidden"].T, g, dy)
    rms_norm_backward(dy, s.y2, s.norm2, s)
    np.add(dx, dy, dx)

    gradient["projection"] = np.dot(dx, s.mixed.T)
    np.dot(weights["projection"].T, dx, dy)
    np.matmul(s.dmixed_heads, s.p_t, s.dv)
    np.matmul(s.v_t, s.dmixed_heads, s.dp)
    np.multiply(dy, s.mixed, s.square)
    np.dot(s.per_head, s.square, s.inner_by_head)  # is the sum of p ∂p over the keys
    np.subtract(s.dattention, s.inner_attention, s.dattention)
    np.multiply(s.dattention, p, s.dattention)
    np.matmul(s.k, s.dp, s.dq)
    np.matmul(s.q, s.dp_t, s.dk)
    np.multiply(s.dqueries, (WIDTH // HEADS) ** -0.5, s.dqueries)
    gradient["attention"] = np.dot(s.dqkv, s.y1.T)
    np.dot(weights["attention"].T, s.dqkv, dy)
    rms_norm_backward(dy, s.y1, s.norm1, s)
    np.add(dx, dy, dx)

    rms_norm_backward(dx, s.x1, s.norm0, s)
    gradient["embedding"] = np.dot(s.looked_up, dx.T)
    return gradient
