"""Scalar functions with no matrix in them, of one point each: what a compiler can't turn into matrix products.

Every function takes a list of numbers of any kind, and the module whose ``sin``, ``tanh``, ``exp`` and ``sqrt`` suit them:
``autograd.math`` or another that has these names.
"""

from __future__ import annotations

import random
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from autograd import math

if TYPE_CHECKING:
    from collections.abc import Sequence

DIMENSIONS = {"rosenbrock": 1000, "gravity": 30, "random_graph": 20}
"""How many coordinates a point has, by function."""

OPERATIONS = {"add": 2, "sub": 2, "mul": 1, "sin": 1, "tanh": 1, "bell": 3}
"""How many operations each kind of step of ``random_graph`` is."""


def rosenbrock(x: Sequence[Any], functions: Any = math) -> Any:  # noqa: ARG001 - the functions are called alike
    """Rosenbrock's valley: the sum of ``100 (x[k + 1] - x[k]²)² + (1 - x[k])²``."""
    total: Any = 0.0
    for a, b in pairwise(x):
        rise, way = b - a * a, 1.0 - a
        total = total + (100.0 * rise * rise + way * way)
    return total


def gravity(x: Sequence[Any], functions: Any = math) -> Any:
    """The potential energy of bodies of the masses 1, 2, 3, …, the coordinates of one after those of the other."""
    bodies = [x[k : k + 3] for k in range(0, len(x), 3)]
    energy: Any = 0.0
    for k, a in enumerate(bodies):
        for m, b in enumerate(bodies[:k]):
            dx, dy, dz = (ai - bi for ai, bi in zip(a, b, strict=True))
            energy = energy - (k + 1) * (m + 1) / functions.sqrt(dx * dx + dy * dy + dz * dz)
    return energy


def random_graph(x: Sequence[Any], functions: Any = math) -> Any:
    """The sum of the ends of a random graph of 10,000 operations, whose nodes lie in [-1, 1] as the coordinates must."""
    nodes = [*x]
    steps, ends = random_steps(len(nodes))
    for kind, i, j in steps:
        a, b = nodes[i], nodes[j]
        if kind == "add":
            nodes.append((a + b) * 0.5)
        elif kind == "sub":
            nodes.append((a - b) * 0.5)
        elif kind == "mul":
            nodes.append(a * b)
        elif kind == "sin":
            nodes.append(functions.sin(a))
        elif kind == "tanh":
            nodes.append(functions.tanh(a))
        else:
            nodes.append(functions.exp(-(a * a)))
    total: Any = 0.0
    for k in ends:
        total = total + nodes[k]
    return total


@lru_cache
def random_steps(inputs: int, operations: int = 10_000) -> tuple[list[tuple[str, int, int]], list[int]]:
    """Steps ``(kind, operand, operand)`` of the same random graph each time, and the nodes that are nobody's operand.

    Operands are any nodes before, all equally likely; the second counts only where ``kind`` has two.
    """
    rng = random.Random(0)
    steps: list[tuple[str, int, int]] = []
    unused = set(range(inputs))
    while operations > 0:
        kind = rng.choice(list(OPERATIONS))
        known = inputs + len(steps)
        i, j = rng.randrange(known), rng.randrange(known)
        unused -= {i, j} if kind in ("add", "sub", "mul") else {i}
        unused.add(known)
        steps.append((kind, i, j))
        operations -= OPERATIONS[kind]
    return steps, sorted(unused)
