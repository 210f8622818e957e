"""What of the kernels lies outside of the domains that the table declares: poles, reflections, high orders, C99's Annex F."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import mpmath
import numpy as np
import pytest

from autograd import kernels as k

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("error")

mp = mpmath.MPContext()
mp.prec = 400
ULPS = 8.0  # as for positive x: a handful of roundings, here in each of two parts
PER_ORDER = 2.0  # dⁿ/dxⁿ cot is a sum of powers up to cⁿ⁺¹, each as far off as n + 1 times 1/tan, of 2 ulp


def polygamma_and_scale(n: int, x: float) -> tuple[mpmath.mpf, float]:
    """The exact value, and that of the larger of the two parts that reflection adds up, which may cancel."""
    exact = mp.polygamma(n, mp.mpf(x))
    return exact, float(max(abs(exact), abs(mp.polygamma(n, 1 - mp.mpf(x)))))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 12])
def test_polygamma_left_of_zero(n: int) -> None:
    rng = random.Random(n)
    for x in [-rng.uniform(0, 20) for _ in range(40)] + [-(10 ** rng.uniform(-8, -1)) for _ in range(20)]:
        exact, scale = polygamma_and_scale(n, x)
        # Beside a zero the last bit of x decides: ψ⁽ⁿ⁾ may move by eps |x ψ⁽ⁿ⁺¹⁾| between neighbouring x.
        wobble = float(abs(mp.mpf(x) * mp.polygamma(n + 1, mp.mpf(x)))) * math.ulp(1.0)
        assert abs(k.polygamma(n, x) - exact) <= (ULPS + PER_ORDER * n) * math.ulp(scale) + wobble, (n, x)


@pytest.mark.parametrize("n", [20, 50, 100, 149, 150])
def test_polygamma_of_high_order(n: int) -> None:
    for x in (0.25, 1.0, 2.5, 17.0, 40.0):
        try:
            exact = float(mp.polygamma(n, mp.mpf(x)))
        except OverflowError:
            continue
        assert k.polygamma(n, x) == pytest.approx(exact, rel=ULPS * math.ulp(1.0), abs=0.0)


def test_polygamma_beyond_the_highest_order_is_unknown_and_raises_nothing() -> None:
    """Mistake: an OverflowError from the factorials, in the derivative of the highest order too."""
    assert [k.polygamma(n, x) for n in (151, 171, 1000) for x in (1.0, -0.5)] == pytest.approx([math.nan] * 6, nan_ok=True)


def test_polygamma_beside_its_pole_is_infinite() -> None:
    """Mistake: 0 * inf in the polynomial of the reflection made NaN. The sign is that of ``(-1/x)ⁿ⁺¹``."""
    assert [k.polygamma(n, -5e-324) for n in range(4)] == [math.inf, math.inf, math.inf, math.inf]
    assert [k.polygamma(n, 5e-324) for n in range(4)] == [-math.inf, math.inf, -math.inf, math.inf]


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("kernel", "args", "expected"),
    [
        *[(k.polygamma, (n, x), NAN) for n in (0, 2) for x in (-1.0, -7.0, -1e300, -INF, NAN)],  # another sign from each side
        *[(k.polygamma, (1, x), INF) for x in (0.0, -0.0, -1.0, -7.0, -1e300)],  # inf from both
        *[(k.polygamma, (n, x), -math.copysign(INF, x)) for n in (0, 2) for x in (0.0, -0.0)],
        *[(k.polygamma, (1, x), NAN) for x in (-INF, NAN)],
        (k.polygamma, (0, INF), INF),
        (k.polygamma, (1, INF), 0.0),
        (k.gamma, (0.0,), INF),
        (k.gamma, (-0.0,), -INF),
        (k.gamma, (-1.0,), NAN),
        (k.gamma, (-INF,), NAN),
        (k.gamma, (INF,), INF),
        (k.gamma, (NAN,), NAN),
        (k.gamma, (172.0,), INF),
        (k.gamma, (5.0,), 24.0),
        (k.gamma, (-200.5,), -0.0),
        (k.lgamma, (0.0,), INF),
        (k.lgamma, (-3.0,), INF),
        (k.lgamma, (-INF,), INF),
        (k.lgamma, (1e306,), INF),
        (k.lgamma, (NAN,), NAN),
        (k.lgamma, (1.0,), 0.0),
        (k.remainder, (1.0, 0.0), NAN),
        (k.remainder, (INF, 1.0), NAN),
        (k.remainder, (5.0, INF), 5.0),
        (k.remainder, (5.0, 2.0), 1.0),
        (k.remainder, (7.0, 2.0), -1.0),
        (k.fsum, (1e308, 1e308), INF),
        (k.fsum, (INF, -INF), NAN),
        (k.fsum, (0.1,) * 10, 1.0),
        (k.sign, (-0.0,), 0.0),
    ],
)
def test_edges(kernel: Callable[..., float], args: tuple[float, ...], expected: float) -> None:
    y = kernel(*args)
    assert y == expected or (math.isnan(y) and math.isnan(expected))
    assert math.copysign(1.0, y) == math.copysign(1.0, expected) or math.isnan(y)


def test_elementwise_broadcasts() -> None:
    orders, xs = np.array([[0.0], [1.0]]), np.array([1.0, 2.0, 3.0])
    expected = [[k.polygamma(n, x) for x in (1.0, 2.0, 3.0)] for n in (0, 1)]
    assert k.elementwise(k.polygamma)(orders, xs).tolist() == expected
