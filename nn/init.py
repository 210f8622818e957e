"""Initial weights: uniform around 0, with a variance that keeps signals at the same size from layer to layer."""

from __future__ import annotations

import math
import numbers
import random
from typing import Protocol

from nn.errors import shown

_MOST = 10**300
"""How many units there may be, so that a float can be divided by their number."""


class Generator(Protocol):
    """A source of random numbers: ``random.Random``, or NumPy's ``Generator``."""

    def uniform(self, low: float, high: float, /) -> float:
        """Return a number between ``low`` and ``high``."""


def generator(rng: int | Generator | None) -> Generator:
    """Return a source of random numbers for a seed; for a source, itself; for None, one that differs every time."""
    if rng is None or (isinstance(rng, numbers.Integral) and not isinstance(rng, bool)):
        return random.Random(rng if rng is None else int(rng))
    if hasattr(rng, "uniform"):
        return rng
    msg = f"rng must be an int, a random.Random or a numpy Generator, not {type(rng).__name__} {shown(rng)}"
    raise TypeError(msg)


def he_uniform(rng: Generator, fan_in: int, fan_out: int) -> float:  # noqa: ARG001 - the initialisers are called alike
    """Return a weight from a distribution of variance ``2 / fan_in``; relu halves it (He et al. 2015, eq. 10)."""
    bound = math.sqrt(6.0 / _count("fan_in", fan_in))
    return float(rng.uniform(-bound, bound))


def glorot_uniform(rng: Generator, fan_in: int, fan_out: int) -> float:
    """Return a weight from a distribution of variance ``2 / (fan_in + fan_out)``.

    It suits units that leave small signals unchanged, such as tanh (Glorot & Bengio 2010).
    """
    bound = math.sqrt(6.0 / (_count("fan_in", fan_in) + _count("fan_out", fan_out)))
    return float(rng.uniform(-bound, bound))


def _count(name: str, x: float) -> float:
    if not isinstance(x, numbers.Real) or isinstance(x, bool) or not 0 < x < _MOST:
        msg = f"{name} must be a number of units above 0, not {shown(x)}"
        raise ValueError(msg)
    return x
