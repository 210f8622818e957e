"""Parameters as one array, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, math

EXACT = 1e-12  # sums of a few numbers, in another order


def test_there_and_back_every_bit_is_the_same() -> None:
    numbers = [-0.0, 5e-324, 1.7976931348623157e308, 0.1, math.inf]
    parameters, others = [Value(number) for number in numbers], [Value(1.0) for _ in numbers]
    vector = nn.parameters_to_vector(parameters)
    nn.vector_to_parameters(vector, iter(others))
    assert vector.dtype == np.float64
    assert [parameter.data.hex() for parameter in others] == [number.hex() for number in numbers]


def test_the_order_is_that_of_compiled_parameters() -> None:
    model = nn.MLP(2, [3, 1], activation="tanh", rng=0)
    loss = autograd.compile(lambda x, y: (model(x) - y) ** 2, parameters=model.parameters())
    X, y = [[0.0, 1.0], [1.0, 0.5]], [1.0, 2.0]  # noqa: N806 - as in scikit-learn
    value, _ = loss.value_and_grad(nn.parameters_to_vector(model.parameters()), X, y)
    assert value == pytest.approx(loss(X, y).data, rel=EXACT)


def test_the_vector_is_a_copy() -> None:
    parameter = Value(1.0)
    nn.parameters_to_vector([parameter])[0] = 5.0
    assert parameter.data == 1.0


def test_no_parameters_are_an_empty_vector() -> None:
    assert nn.parameters_to_vector([]).shape == (0,)
    nn.vector_to_parameters([], [])


@pytest.mark.parametrize("vector", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0])
def test_another_shape_is_refused_and_nothing_is_changed(vector: Any) -> None:
    parameters = [Value(0.0), Value(0.0)]
    with pytest.raises(ValueError, match=r"vector must have the shape \(2,\), one number for each parameter, not \("):
        nn.vector_to_parameters(vector, parameters)
    assert [parameter.data for parameter in parameters] == [0.0, 0.0]


@pytest.mark.parametrize("vector", [["a", "b"], [1j, 2.0], [Value(1.0), Value(2.0)], None])
def test_what_holds_no_numbers_is_refused(vector: Any) -> None:
    with pytest.raises(TypeError, match="vector must be an array of real numbers, not "):
        nn.vector_to_parameters(vector, [Value(0.0), Value(0.0)])


def test_a_model_is_trained_by_scipy_in_two_lines() -> None:
    """The line 2x - 1, from three points, by SciPy's BFGS."""
    optimize = pytest.importorskip("scipy.optimize")
    line = nn.Neuron(1, "linear", rng=0)
    loss = autograd.compile(lambda x, y: (line(x) - y) ** 2, parameters=line.parameters())
    theta = nn.parameters_to_vector(line.parameters())
    result = optimize.minimize(loss.value_and_grad, theta, args=([[0.0], [1.0], [2.0]], [-1.0, 1.0, 3.0]), jac=True)
    nn.vector_to_parameters(result.x, line.parameters())
    assert nn.parameters_to_vector(line.parameters()) == pytest.approx([2.0, -1.0], abs=1e-4)  # slopes of 1e-5 are left


def test_parameters_are_values() -> None:
    for wrong in (None, 1.0, [1.0], "ab", np.array(1.0)):
        with pytest.raises(TypeError, match="parameters must be "):
            nn.parameters_to_vector(wrong)
        with pytest.raises(TypeError, match="parameters must be "):
            nn.vector_to_parameters([1.0], wrong)
    with pytest.raises(ValueError, match="vector is ragged"):
        nn.vector_to_parameters([[1.0], [1.0, 2.0]], [Value(1.0)])
