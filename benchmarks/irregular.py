"""Scalar functions of a single point that contain no matrices, so that a compiler cannot turn them into matrix products.

Every function takes a list of numbers of any kind, and a module with ``sin``, ``tanh``, ``exp`` and ``sqrt`` for such numbers:
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
"""The number of coordinates of a point, for each function."""

OPERATIONS = {"add": 2, "sub": 2, "mul": 1, "sin": 1, "tanh": 1, "bell": 3}
"""The number of operations in each kind of step of ``random_graph``."""


def rosenbrock(x: Sequence[Any], functions: Any = math) -> Any:  # noqa: ARG001 - the functions are called alike
    """Rosenbrock's valley: the sum of ``100 (x[k + 1] - x[k]²)² + (1 - x[k])²``."""
    total: Any = 0.0
    for a, b in pairwise(x):
        rise, way = b - a * a, 1.0 - a
        total = total + (100.0 * rise * rise + way * way)
    return total


def gravity(x: Sequence[Any], functions: Any = math) -> Any:
    """Return the potential energy of bodies with the masses 1, 2, 3, …. ``x`` holds three coordinates for each body."""
    bodies = [x[k : k + 3] for k in range(0, len(x), 3)]
    energy: Any = 0.0
    for k, a in enumerate(bodies):
        for m, b in enumerate(bodies[:k]):
            dx, dy, dz = (ai - bi for ai, bi in zip(a, b, strict=True))
            energy = energy - (k + 1) * (m + 1) / functions.sqrt(dx * dx + dy * dy + dz * dz)
    return energy


def random_graph(x: Sequence[Any], functions: Any = math) -> Any:
    """Return the sum of the ends of a random graph of 10,000 operations. Nodes lie in [-1, 1] if the coordinates do."""
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
    """Return the steps ``(kind, operand, operand)`` of a random graph, always the same, and the nodes that no step uses.

    An operand is any earlier node, each equally likely. Kinds with one operand ignore the second.
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
