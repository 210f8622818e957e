from __future__ import annotations

import math
import random
import re
from typing import Any

import numpy as np
import pytest

from nn import MLP, Layer, init

FAN_IN, FAN_OUT = 40, 100
WEIGHTS = FAN_IN * FAN_OUT
HE = math.sqrt(6 / FAN_IN)
GLOROT = math.sqrt(6 / (FAN_IN + FAN_OUT))
FIVE_SIGMA = 5 * math.sqrt(0.8 / WEIGHTS)  # a uniform variable has kurtosis 9/5: Var(s²) = (9/5 - 1) σ⁴ / n


def weights(rng: Any) -> list[float]:
    return [parameter.data for parameter in MLP(3, [4, 2], rng=rng).parameters()]


@pytest.mark.parametrize(
    ("activation", "bound"), [("relu", HE), ("softplus", HE), ("tanh", GLOROT), ("sigmoid", GLOROT), ("linear", GLOROT)]
)
def test_weights_are_uniform_with_the_variance_that_suits_the_activation(activation: str, bound: float) -> None:
    """He: 2 / fan_in. Glorot: 2 / (fan_in + fan_out). Both bounds are reached, neither is passed; biases are 0."""
    layer = Layer(FAN_IN, FAN_OUT, activation, rng=0)
    w = np.array([weight.data for neuron in layer.neurons for weight in neuron.w])
    assert bound * 0.99 < w.max() <= bound
    assert -bound <= w.min() < -bound * 0.99
    assert np.mean(w**2) == pytest.approx(bound**2 / 3, rel=FIVE_SIGMA)
    assert abs(np.mean(w)) < 5 * bound / math.sqrt(3 * WEIGHTS)
    assert len(set(w)) == WEIGHTS
    assert [neuron.b.data for neuron in layer.neurons] == [0.0] * FAN_OUT


def test_initialisers_return_plain_floats() -> None:
    for initial in (init.he_uniform, init.glorot_uniform):
        assert type(initial(np.random.default_rng(0), 2, 3)) is float


def test_a_seed_fixes_the_weights() -> None:
    """An int stands for ``random.Random`` of it; another seed, and None, differ."""
    assert weights(7) == weights(7) == weights(random.Random(7))
    assert weights(7) != weights(8)
    assert weights(None) != weights(None)
    assert weights(np.random.default_rng(7)) == weights(np.random.default_rng(7)) != weights(7)


def test_one_source_goes_on_from_model_to_model() -> None:
    """A source that is passed on is drawn from, not started again, and the global one is left alone."""
    rng, before = random.Random(7), random.getstate()
    assert weights(rng) == weights(7)
    assert weights(rng) != weights(7)
    assert weights(8) != weights(None)
    assert random.getstate() == before


@pytest.mark.parametrize("rng", ["7", 7.0, True, [7]])
def test_what_is_no_source_is_refused(rng: Any) -> None:
    message = f"rng must be an int, a random.Random or a numpy Generator, not {type(rng).__name__} {rng!r}"
    with pytest.raises(TypeError, match=re.escape(message)):
        MLP(3, [2], rng=rng)


@pytest.mark.parametrize("wrong", [None, 0, -1, math.nan, 10**400, "a"])
def test_units_are_counted(wrong: Any) -> None:
    for initial in (init.he_uniform, init.glorot_uniform):
        with pytest.raises(ValueError, match="fan_in must be a number of units above 0, not "):
            initial(random.Random(0), wrong, 1)
    with pytest.raises(ValueError, match="fan_out must be a number of units above 0, not "):
        init.glorot_uniform(random.Random(0), 1, wrong)
