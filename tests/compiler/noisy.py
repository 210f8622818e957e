"""How far two correct programs for one function may be apart: the function is run with noise in every operation.

This is Monte Carlo arithmetic (D. S. Parker, 1997). Every rounded result, and every term of a sum by itself, so that the order
of additions does not matter, is multiplied by 1 + δ for a random |δ| <= NOISE. What results and gradients do then is what they
do in another correct program, conditioning and cancellation included. The first of the runs is without noise.

Correct programs may also differ in this, and nothing is decided where they do:

    rounding leads to another side of a kink, a jump or a pole
    a sum overflows on the way, or a product that is added to a sum, which may not be rounded before that
    in gradients, an infinity times 0 is NaN only for who multiplies: equal nodes, and those that all examples share, may hand
    the sum of their cotangents on, and an item of a table that was not selected may be handed nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.record import INPUT, ROWS, VARIABLE, Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ULPS = 4
"""By so many may the kernels of one row on floats and on arrays differ: law 1 of what the tests show."""
NOISE = {"float64": ULPS * 2.0**-52, "float32": ULPS * 2.0**-23}
RUNS = 5
"""One without noise, and four with it."""
FACTOR = 100.0
"""How many times the largest difference among the runs a result may be off. Noise and true roundings add up with the same
weights; the former are larger, but may happen to cancel, all four to 1 % with a probability of 1e-8."""
TINY = 1e-300
"""Below, products underflow and have no relative accuracy: they are off by some of the smallest numbers."""
HUGE = 1e307
"""Sums of such terms may or may not overflow on the way, depending on their order, which is not promised."""
EXACT = (ops.neg, ops.absolute, ops.relu, ops.maximum, ops.minimum, ops.where, ops.select, ops.sign, ops.copysign, ops.detach)
EXACT += (ops.clip, ops.rint, ops.floor, ops.floordiv)
COMPARISONS = (ops.equal, ops.not_equal, ops.less, ops.less_equal)
PRODUCTS = (ops.mul, ops.square, ops.powc)
SUMS = (ops.add, ops.sub, ops.fsum)
KINKS = {
    ops.relu: lambda a: [a],
    ops.absolute: lambda a: [a],
    ops.sign: lambda a: [a],
    ops.maximum: lambda *a: [x - y for x, y in combinations(a, 2)],
    ops.minimum: lambda *a: [x - y for x, y in combinations(a, 2)],
    ops.clip: lambda a, low, high: [a - low, a - high, low - high],
    ops.equal: lambda a, b: [a - b],
    ops.not_equal: lambda a, b: [a - b],
    ops.less: lambda a, b: [a - b],
    ops.less_equal: lambda a, b: [a - b],
    ops.where: lambda c, a, b: [c],  # noqa: ARG005 - the arguments of the row
    ops.copysign: lambda a, b: [a, b],
    ops.power: lambda a, b: [a, b],
    ops.powc: lambda a, n: [a],  # noqa: ARG005
    ops.hypot: lambda *a: [*a],
    ops.atan2: lambda a, b: [a, b],
    ops.fmod: lambda a, b: [a, np.remainder(a / b + 0.5, 1.0) - 0.5],
    ops.remainder: lambda a, b: [np.remainder(a / b, 1.0) - 0.5],
    ops.rint: lambda a: [np.remainder(a, 1.0) - 0.5],
    ops.floor: lambda a: [a - np.rint(a)],
    ops.floordiv: lambda a, b: [a / b - np.rint(a / b)],
    ops.mod: lambda a, b: [a / b - np.rint(a / b)],
}
"""What is 0 where a row, or its derivative, jumps."""


@dataclass
class Expected:
    """What a function and its gradient are, and how far from that a correct program may be."""

    results: NDArray[Any]
    """Of each root, for each example."""
    results_off: NDArray[Any]
    total: float
    total_off: float
    gradient: NDArray[Any]
    gradient_off: NDArray[Any]
    decided: bool
    """Whether rounding cannot lead another correct program to another side of a kink, or to an overflow."""


class Noisy:
    """The runs of one graph."""

    def __init__(self, graph: Graph, dtype: str, seed: int) -> None:
        self.graph = graph
        self.dtype = dtype
        self.noise = NOISE[dtype]
        self.random = np.random.default_rng(seed)
        self.decided = True
        first, arg = graph.first.tolist(), graph.arg.tolist()
        self.args = [arg[a:b] for a, b in pairwise(first)]
        self.same = self._same_nodes()

    def _same_nodes(self) -> list[int]:
        """For each node the first one that is the same: noise is the same in both, as in two runs of one program."""
        known: dict[Any, int] = {}
        same: list[int] = []
        for i, code in enumerate(self.graph.code.tolist()):
            args = tuple([same[a] for a in self.args[i]])
            key = (
                (code, args) if args else (code, int(self.graph.leaf[i]), self.graph.number[i].tobytes() if code >= 0 else b"")
            )
            same.append(known.setdefault(key, i))
        return same

    def noised(self, x: Any) -> Any:
        """``x``, as another program may round it; the first row is left alone."""
        delta = self.random.uniform(-self.noise, self.noise, x.shape)
        delta[0] = 0.0
        y = x * (1.0 + delta)
        y = np.where(np.isfinite(x) & ~np.isfinite(y), x, y)
        tiny = (np.abs(x) < TINY) & (x != 0.0)
        if tiny.any():
            y = y + tiny * np.sign(delta) * (ULPS * 5e-324)
        return y

    def value(self, i: int, data: list[Any]) -> Any:
        """What a node is, in each run and for each example."""
        graph = self.graph
        op = ROWS[graph.code[i]]
        if op is ops.constant:
            number = np.full((RUNS, 1), graph.number[i])
            return number if float(np.dtype(self.dtype).type(graph.number[i])) == graph.number[i] else self.noised(number)
        args = [data[a] for a in self.args[i]]
        for distance in KINKS[op](*args) if op in KINKS else ():
            self.decide(distance)
        if op in EXACT or op in COMPARISONS:
            return np.asarray(op.on_arrays(*args), float) + np.zeros((RUNS, 1))
        if op in PRODUCTS:
            y = op.on_arrays(*args)
            self.fused(y, *args)
            return self.noised(y)
        if op in SUMS:
            terms = [-a if k and op is ops.sub else a for k, a in enumerate(args)]
        elif op is ops.dot:
            half = len(args) // 2
            terms = [a * b for a, b in zip(args[:half], args[half:], strict=True)]
            for a, b, term in zip(args[:half], args[half:], terms, strict=True):
                self.fused(term, a, b)
        elif op is ops.logsumexp:  # of which the largest argument is a term
            return self.noised(op.on_arrays(*[self.noised(a) for a in args]))
        else:
            return self.noised(op.on_arrays(*args))
        self.watch(terms)
        terms = [self.noised(a) for a in terms]
        return ops.fsum.on_arrays(*terms) if op is ops.fsum else sum(terms[1:], terms[0])

    def decide(self, distance: Any) -> None:
        """Note whether the noise hides the sign of ``distance``."""
        off = np.abs(distance - distance[:1]).max(axis=0)
        self.decided &= not ((off > 0.0) & (np.abs(distance[0]) <= FACTOR * off)).any()

    def fused(self, product: Any, *factors: Any) -> None:
        """Note whether a ``product`` overflows: where it is added to something, that may be done before it is rounded."""
        overflows = ~np.isfinite(product)
        for factor in factors:
            overflows = overflows & np.isfinite(factor)
        self.decided &= not overflows.any()

    def watch(self, terms: Sequence[Any]) -> None:
        """Note whether the sum of ``terms`` may overflow on the way."""
        sizes = [np.where(np.isfinite(a), np.abs(a) / HUGE, 0.0) for a in terms]
        self.decided &= not (np.asarray(sum(sizes)) > 1.0).any()

    def run(self, theta: NDArray[Any], rows: NDArray[Any], reduction: str | None) -> Expected:
        """The function for the examples in ``rows``, and its gradient by ``theta`` unless the ``reduction`` is None."""
        graph, batch = self.graph, len(rows)
        data: list[Any] = []
        with np.errstate(all="ignore"):
            for i, code in enumerate(graph.code.tolist()):
                if self.same[i] < i:
                    data.append(data[self.same[i]])
                elif code < 0:
                    leaf = theta[graph.leaf[i]] if code == VARIABLE else rows[:, graph.leaf[i]]
                    data.append(np.broadcast_to(leaf, (RUNS, np.size(leaf))))
                else:
                    data.append(self.value(i, data))
            roots = np.stack([np.broadcast_to(data[root], (RUNS, batch)) for root in graph.roots], axis=2)
            if self.dtype == "float32":
                self.decided &= not any([_leaves_float32(x).any() for x in data])
            results, results_off = self.measured(roots)
            total, gradient = roots[:, :, 0].sum(axis=1), np.zeros((RUNS, len(theta)))
            if reduction is not None:
                self.watch(roots[:, :, 0].T)
                total = self.noised(roots[:, :, 0]).sum(axis=1) / (batch if reduction == "mean" else 1)
                seed = 1.0 / max(batch, 1) if reduction == "mean" else 1.0
                gradient = self.gradient(data, batch, seed, self.args, merged=False)
                if not np.isfinite(
                    gradient
                ).all():  # in one run, then, as it is if all that can be is added before it is handed on
                    args = [[self.same[a] for a in some] for some in self.args]
                    gradient[-1] = self.gradient(data, batch, seed, args, merged=True)[0]
            total, total_off = self.measured(total)
            gradient, gradient_off = self.measured(gradient)
        return Expected(results, results_off, total, total_off, gradient, gradient_off, bool(self.decided))

    def gradient(self, data: list[Any], batch: int, seed: float, arguments: list[list[int]], *, merged: bool) -> Any:
        """The derivative by each variable, in each run. If ``merged``, what all examples share has one cotangent."""
        graph = self.graph
        grad: list[Any] = [None] * len(data)
        gradient = np.zeros((RUNS, len(graph.variables)))
        sizes: list[Any] = [0.0] * len(data)
        root = self.same[graph.roots[0]] if merged else graph.roots[0]
        grad[root] = np.full((RUNS, batch), seed)
        for i in reversed(range(len(data))):
            if grad[i] is None:
                continue
            code = int(graph.code[i])
            if merged and data[i].shape[1] == 1:
                grad[i] = grad[i].sum(axis=1, keepdims=True)
            self.decided &= not (np.asarray(sizes[i]) > 1.0).any()
            if code == VARIABLE:
                gradient[:, graph.leaf[i]] = self.noised(grad[i]).sum(axis=1)
                self.watch(grad[i].T)
            elif code != INPUT and not ROWS[code].stops:
                partials = ROWS[code].partials(data[i], *[data[a] for a in arguments[i]])
                for a, partial in zip(arguments[i], partials, strict=True):
                    handed = grad[i] * partial
                    if merged and ROWS[code] is ops.select:
                        handed = np.where(partial != 0.0, handed, 0.0)
                    self.fused(handed, grad[i], partial)
                    handed = self.noised(handed)
                    grad[a] = handed if grad[a] is None else grad[a] + handed
                    sizes[a] = sizes[a] + np.where(np.isfinite(handed), np.abs(handed) / HUGE, 0.0)
        if self.dtype == "float32":
            self.decided &= not any([_leaves_float32(x).any() for x in grad if x is not None])
        return gradient

    def measured(self, runs: Any) -> tuple[Any, Any]:
        """The first of the runs, and how far others may be from it; infinities and NaNs that not all have are not decided."""
        same = np.isfinite(runs) == np.isfinite(runs[0])
        same &= np.isfinite(runs) | (np.isnan(runs) == np.isnan(runs[0]))
        same &= np.isfinite(runs) | np.isnan(runs) | (np.sign(runs) == np.sign(runs[0]))
        self.decided &= bool(same.all())
        off = np.abs(runs[1:] - runs[:1]).max(axis=0)
        return runs[0], FACTOR * np.where(np.isfinite(off), off, 0.0)


def _leaves_float32(x: Any) -> Any:
    """Where ``x`` is out of the range in which float32 has its digits, with some room for what is computed on the way."""
    size = np.abs(x)
    return ~(size < 1e15) | ((size > 0.0) & (size < 1e-15))
