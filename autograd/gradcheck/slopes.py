"""Slopes found from the numbers of a function alone, and how far each of them can be trusted."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Numbers = Callable[[float], list[float]]
    """A function of one number, with any number of outputs."""

EPSILON = 2.0**-52
TINY, LEAST = 2.0**-1022, 2.0**-1074
"""Floats below TINY lose digits, and LEAST is the smallest of them."""
OUTSIDE = ArithmeticError, ValueError, IndexError
"""What functions raise outside of their domain. Here this counts as NaN."""

CAUTION = 16.0
"""How many times as large as the last correction of an extrapolation its error may be. A kinked slope needs 14."""
PRECISE = 2.0**-32
"""A slope with this relative error is good enough, and no other step is tried."""
UNSURE = 1e-3, 1e-4
"""A slope whose error is larger than this proves nothing. The first is relative to the slope, the second to its scale."""


class Slope(NamedTuple):
    """A numeric derivative of one output with respect to one number."""

    value: float
    error: float
    scale: float
    """How steep the function is nearby: where ``value`` is 0, the error must be small beside this. It is inf where the error is
    known exactly."""
    step: float = 0.0
    """The step of the differences, or 0 if there were none."""
    left: float = 0.0
    """The slope on the left side alone, and below on the right side alone."""
    right: float = 0.0
    sides_error: float = 0.0
    rough: bool = False
    """Whether the values at both sides do not lead to the value between them, because of a kink, a jump or a pole."""

    def fits(self, analytic: float, rtol: float, atol: float) -> bool:
        """Return whether ``analytic`` is this slope, and this slope is certain enough to tell."""
        allowed = atol + rtol * abs(self.value) + self.error + TINY
        return abs(analytic - self.value) <= allowed and (self.is_sure(analytic) or self.error <= atol)

    def is_sure(self, analytic: float = 0.0) -> bool:
        """Return whether the error is small enough for the slope to prove anything."""
        relative, to_scale = UNSURE
        return self.error <= relative * max(abs(self.value), abs(analytic)) + to_scale * self.scale + TINY

    @property
    def flaw(self) -> str:
        """Why there is no derivative here, with {} in place of the input's name. Empty if there is one."""
        if not math.isfinite(self.value):
            return "is not finite on both sides of {}: move the point into the domain of fn"
        gap = abs(self.right - self.left)
        if gap > 1e-4 * max(abs(self.left), abs(self.right)) + 10.0 * self.sides_error + TINY:
            return f"has a kink in {{}}: slope {self.left:.6g} on the left, {self.right:.6g} on the right"
        return "jumps, or is too rough to have a slope, at {}" if self.rough and not self.is_sure() else ""


def by_differences(  # noqa: PLR0913, PLR0917 - a function, a point, and what is known of both
    f: Numbers, x: float, here: list[float], sizes: list[float], scales: list[float], reach: float
) -> list[Slope]:
    """Return the slope of each output of ``f`` at ``x``, from differences at the step that promises the smallest error.

    ``here`` are the outputs at ``x``. ``sizes`` say how large the numbers are that each output is computed from, and ``scales``
    how steep each output is at least.

    With small steps, rounding spoils the differences. With large ones, the extrapolation is not yet close to the limit. For
    exp at 1, the error and its estimate are

        step         1e-11    6e-8     2e-3     0.02     0.1
        error        3e-5     1e-8     6e-13    2e-15    3e-11
        estimate     1e-3     3e-7     1e-11    3e-10    1e-6

    So steps grow by factors of 8, first from a fraction of ``x``, then from a fraction of ``reach``, until a slope is precise.
    They also stop at a step that is rough or contradicts the steps before it. Beyond it, differences may look precise and mean
    nothing, such as the difference of a sine over a whole period. Steps are powers of 2, so that adding them is exact.
    """
    if not math.isfinite(x):
        return [Slope(math.nan, math.inf, 0.0) for _ in here]
    own, wide = [2.0 ** math.frexp(scale)[1] for scale in (abs(x) or 1.0, max(reach, 1.0))]
    steps = [own * 8.0**-k for k in range(16, 0, -1)]
    steps += [step for step in [wide * 8.0**-k for k in range(16, 0, -1)] if step > steps[-1]]
    best: list[Slope] = []
    growing = [True for _ in here]
    for step in steps:
        found = extrapolated(f, x, here, step, sizes)
        scales = [max(scale, slope.scale) if more else scale for scale, slope, more in zip(scales, found, growing, strict=True)]
        found = [slope._replace(scale=scale) for slope, scale in zip(found, scales, strict=True)]
        best = best or found
        for i, slope in enumerate(found):
            if growing[i]:
                noise = EPSILON * abs(x * best[i].value) / best[i].step  # as if x were rounded: near 1, log Γ is no better
                passed = slope.rough or abs(slope.value - best[i].value) > CAUTION * (slope.error + best[i].error + 4.0 * noise)
                better = not best[i].is_sure() if passed else slope.error < best[i].error
                best[i] = slope if better else best[i]
                growing[i] = not passed and slope.error > PRECISE * abs(slope.value)
        if not any(growing):
            break
    return best


def extrapolated(f: Numbers, x: float, here: list[float], step: float, sizes: Sequence[float] = (0.0,)) -> list[Slope]:
    """Return the slopes at ``x`` by Richardson extrapolation: differences at three steps, and from these their limit at step 0.

    The error of a central difference has terms in h², h⁴, …, where h is the step. Halving h divides the first term by 4, so
    that ``(4 · finer - coarser) / 3`` has no h² term. A second extrapolation removes h⁴. For x⁵ at 1, whose slope is 5:

        step   central difference     without h²     without h⁴
        0.4    6.6256
        0.2    5.4016                 4.9936
        0.1    5.1001                 4.9996         5

    One-sided differences, which show kinks, have terms in h, h², … and are treated alike.

    The estimate of the error is the size of the last correction, times CAUTION, plus the rounding of ``f``. Differences on both
    sides of a pole may agree with one another. To find a pole, the mean of both sides is extrapolated, too: it must lead to the
    value at ``x``, or else the slope is ``rough``.
    """
    steps = [step, step / 2, step / 4]
    right, left = [f(x + h) for h in steps], [f(x - h) for h in steps]
    slopes = []
    for i, (y, known) in enumerate(zip(here, sizes, strict=True)):
        central = [(r[i] - b[i]) / ((x + h) - (x - h)) for r, b, h in zip(right, left, steps, strict=True)]
        after = [(r[i] - y) / ((x + h) - x) for r, h in zip(right, steps, strict=True)]
        before = [(y - b[i]) / (x - (x - h)) for b, h in zip(left, steps, strict=True)]
        middle, _ = _limit([0.5 * r[i] + 0.5 * b[i] for r, b in zip(right, left, strict=True)], 4.0, 16.0)
        size = max([known, abs(y), *[abs(v[i]) for v in right + left]])
        change = max([abs(v[i] - y) for v in right + left])
        rough = not abs(middle - y) <= 0.01 * change + 64.0 * EPSILON * (size + abs(x) * change / step)
        rounding = (8.0 * EPSILON * size + LEAST) / steps[-1]
        value, correction = _limit(central, 4.0, 16.0) if math.isfinite(y) else (math.nan, math.nan)
        from_right, right_correction = _limit(after, 2.0, 4.0)
        from_left, left_correction = _limit(before, 2.0, 4.0)
        error = CAUTION * (correction + rough * abs(middle - y) / steps[-1]) + rounding
        sides = right_correction + left_correction + 4.0 * rounding
        scale = max([abs(slope) for slope in after + before if math.isfinite(slope)], default=0.0)
        slopes.append(Slope(value, error, scale, step, from_left, from_right, sides, rough))
    return slopes


def _limit(slopes: list[float], first: float, second: float) -> tuple[float, float]:
    """Return three slopes extrapolated twice, and the size of the second correction.

    ``first`` and ``second`` are the factors by which halving the step divides the first two terms of the error.
    """
    once = [(first * finer - coarser) / (first - 1.0) for coarser, finer in pairwise(slopes)]
    twice = (second * once[1] - once[0]) / (second - 1.0)
    return twice, abs(twice - once[1])
