"""A character GPT, one scalar at a time: additions and multiplications of Values in plain loops, no matrices anywhere.

One layer, width 16, 4 heads, a context of 16, 27 tokens (26 letters and the one that opens and closes a document): 4,192
parameters, and some 130,000 nodes for a document of 16 tokens. A matrix is a list of rows, each the weights of one output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograd import Value, math

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    Vector = list[Any]
    Matrix = list[list[Value]]

WIDTH, HEADS = 16, 4
SIZE = WIDTH // HEADS  # of a head

SHAPES = {
    "token": (27, WIDTH),
    "position": (16, WIDTH),
    "head": (27, WIDTH),
    "query": (WIDTH, WIDTH),
    "key": (WIDTH, WIDTH),
    "value": (WIDTH, WIDTH),
    "projection": (WIDTH, WIDTH),
    "hidden": (64, WIDTH),
    "output": (WIDTH, 64),
}


def initial(rng: Random) -> dict[str, Matrix]:
    """Matrices of normal random numbers with the standard deviation 0.08, by name."""
    return {
        name: [[Value(rng.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }


def parameters(weights: dict[str, Matrix]) -> list[Value]:
    """All parameters, matrix by matrix in the order of ``SHAPES``, row by row."""
    return [value for name in SHAPES for row in weights[name] for value in row]


def loss(weights: dict[str, Matrix], tokens: Sequence[Any], targets: Sequence[Any]) -> Any:
    """The mean of ``-log softmax(logits)[target]`` over the positions of one document.

    ``tokens`` and ``targets``, what follows each token, are whole numbers or Values: all are looked up with ``math.select``.
    """
    total: Any = 0.0
    for logits, target in zip(predictions(weights, tokens), targets, strict=True):
        total = total - math.select(math.log_softmax(logits), target)
    return total / len(tokens)


def predictions(weights: dict[str, Matrix], tokens: Sequence[Any]) -> list[Vector]:
    """The logits of the next token after each of ``tokens``, a position seeing itself and those before."""
    keys: list[Vector] = []
    values: list[Vector] = []
    logits = []
    for token, position in zip(tokens, weights["position"], strict=False):
        looked_up = [math.select(column, token) for column in zip(*weights["token"], strict=True)]
        x = rms_norm(added(looked_up, position))

        normed = rms_norm(x)
        keys.append(linear(weights["key"], normed))
        values.append(linear(weights["value"], normed))
        mixed = attention(linear(weights["query"], normed), keys, values)
        x = added(linear(weights["projection"], mixed), x)

        hidden = [math.relu(h) for h in linear(weights["hidden"], rms_norm(x))]
        x = added(linear(weights["output"], hidden), x)
        logits.append(linear(weights["head"], x))
    return logits


def attention(query: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
    """The means of ``values``, for each head weighted by how well its part of the keys answers its part of the query."""
    mixed = []
    for start in range(0, WIDTH, SIZE):
        head = slice(start, start + SIZE)
        weights = math.softmax([product(query[head], key[head]) / SIZE**0.5 for key in keys])
        mixed += [product(weights, [value[k] for value in values]) for k in range(start, start + SIZE)]
    return mixed


def rms_norm(x: Vector) -> Vector:
    """``x`` divided by the root of the mean of its squares."""
    scale = (product(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def linear(matrix: Matrix, x: Vector) -> Vector:
    """The product of a matrix and a vector."""
    return [product(row, x) for row in matrix]


def product(a: Vector, b: Vector) -> Any:
    """The scalar product of two vectors, by multiplications and additions."""
    total = a[0] * b[0]
    for ai, bi in zip(a[1:], b[1:], strict=True):
        total = total + ai * bi
    return total


def added(a: Vector, b: Vector) -> Vector:
    """The sum of two vectors."""
    return [ai + bi for ai, bi in zip(a, b, strict=True)]
