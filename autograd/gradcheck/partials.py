"""The slopes of single operations, from their own functions: what the rows of the table are compared with."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.gradcheck.slopes import LEAST, OUTSIDE, Slope, by_differences
from autograd.ops import Op, constant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from autograd.value import Value

IMAGINARY = 2.0**-27, 2.0**-54, 2.0**-81
"""The steps of the complex-step derivative, times |x|. The first two neighbours that agree are used."""
AGREE = 2.0**-40
"""How well they must agree, relatively."""


class Partials:
    """The numeric partial derivatives of each node, computed when they are first asked for."""

    def __init__(self) -> None:
        self._known: dict[Value, list[Slope]] = {}

    def of(self, node: Value) -> list[Slope]:
        """Return the slope of ``node`` with respect to each argument. Constants have the slope 0."""
        if node not in self._known:
            self._known[node] = _partials(node)
        return self._known[node]

    def blame(self, nodes: Iterable[Value], rtol: float, atol: float) -> str:
        """Return a sentence that names the first wrong rule.

        A rule is wrong if the partial derivatives in its row are not the slopes of its own function at the arguments that
        occurred. Each node is judged by itself, so that one wrong rule does not make others look wrong:

            s = sin(a)     slope 0.54 at a = 1, and its row says -0.54: this rule is to blame
            y = s * b      slopes b and s, as its row says, although the gradient of y is wrong

        If every rule is right, a kink of one of the operations may explain the mismatch.
        """
        kink = ""
        for node in nodes:
            op: Any = node.op
            at = ", ".join([f"{arg.data:.6g}" for arg in node.args])
            rows = op.partials(node.data, *[arg.data for arg in node.args])
            for k, (slope, row) in enumerate(zip(self.of(node), rows, strict=True)):
                if slope.flaw:
                    kink = kink or (
                        f"No rule is wrong, but {op} has no slope at ({at}): what its row says there is a convention."
                    )
                elif node.args[k].op is not constant and not slope.fits(row, rtol, atol):
                    return (
                        f"The first wrong rule is that of {op}: at ({at}) its derivative by argument {k} "
                        f"is {slope.value:.9g}, and its row says {float(row):.9g}."
                    )
        return kink or (
            "Every rule used fits its own function. So either the graph is not that of fn (does fn read .data or call "
            "detach()?), or a sweep is wrong."
        )


def _partials(node: Value) -> list[Slope]:
    op: Any = node.op
    at = [arg.data for arg in node.args]
    slopes = []
    for k, (arg, exact) in enumerate(zip(node.args, _complex_step(op, node.data, at), strict=True)):

        def along(number: float, k: int = k) -> list[float]:
            try:
                return [op.on_floats(*at[:k], number, *at[k + 1 :])]
            except OUTSIDE:
                return [math.nan]

        if arg.op is constant:
            slopes.append(Slope(0.0, 0.0, 0.0))
        elif exact:
            slopes.append(exact)
        else:  # erf beyond 6 is flat but for rounding: a slope that is tiny beside erf itself counts as 0
            scale = abs(node.data) / (abs(at[k]) or 1.0)
            slopes += by_differences(along, at[k], [node.data], [0.0], [scale], max(map(abs, at)))
    return slopes


def _complex_step(op: Op, y: float, at: list[float]) -> list[Slope | None]:
    """Return the slope by each argument as ``Im f(x + ih) / h``, or None where this cannot be used.

    Nothing is subtracted here, so that no digits are lost however small h is. For x³ at 2:

        (2 + ih)³ = 8 + 12 ih - 6 h² - ih³         imaginary part / h = 12 - h²

    It needs an analytic function. At the point, ``x + ih`` and ``x - ih`` must give mirror images of each other, whose real
    part is ``y``, and two steps must agree.
    """
    count = len(at)
    if not _is_analytic(op.on_arrays, count):
        return [None] * count
    x = np.array(at)
    own = np.where(x, np.maximum(np.abs(x), 1e-150), 1.0)
    steps = np.concatenate([np.outer(IMAGINARY, own), np.outer(IMAGINARY, np.minimum(own, 1.0))])
    points = x[:, None, None] + 1j * np.eye(count)[:, None, :] * steps
    with np.errstate(all="ignore"):
        above = np.broadcast_to(op.on_arrays(*points), steps.shape)
        below = np.broadcast_to(op.on_arrays(*points.conj()), steps.shape)
        values = above.imag / steps
        close = AGREE * np.abs(values)
        same = 2.0**-24 * abs(y) + 2.0**-48 * np.abs(x).max()  # a sum that cancels is no more exact than its terms
        usable = (np.abs(above.real - y) <= same) & (np.abs(values + below.imag / steps) <= close)
        usable &= (np.abs(above.imag) >= 2.0**-1000) | (above.imag == 0.0)
        agree = usable[:-1] & usable[1:] & (np.abs(values[1:] - values[:-1]) <= close[1:])
        agree[1:] &= values[1:-1] != 0.0  # at the smaller steps, 0 may be an underflow
    slopes: list[Slope | None] = []
    for k in range(count):
        m = next((m for m in range(1, len(steps)) if agree[m - 1, k]), 0)
        value, error = float(values[m, k]), AGREE * abs(float(values[m, k])) + LEAST / float(steps[m, k])
        slopes.append(Slope(value, error, math.inf, left=value, right=value) if m else None)
    return slopes


@functools.lru_cache(maxsize=256)
def _is_analytic(on_arrays: Callable[..., Any], count: int) -> bool:
    """Return whether the function takes complex numbers and has the same slope in the real and in the imaginary direction.

    exp does. abs takes complex numbers, but its slopes at 0.55 + 0.3i are 0.88 and -0.48i.
    """
    z = 0.55 + 0.3j + 0.05 * np.arange(count) / count
    steps = 2.0**-20 * np.array([[1.0], [1.0j]])
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="error"):  # as when an imaginary part is dropped
            moved = np.broadcast_to(on_arrays(*(z[:, None, None] + np.eye(count)[:, None, :] * steps)), (2, count))
            slopes = (moved - on_arrays(*z)) / steps
    except (TypeError, ValueError, IndexError, Warning):
        return False
    return bool(np.all(np.abs(slopes[0] - slopes[1]) <= 1e-4 * (1.0 + np.abs(slopes[0]))))  # false for NaN
