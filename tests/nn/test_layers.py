from __future__ import annotations

import copy
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

from autograd import Value, gradcheck, topological_sort
from nn import MLP, Layer, Module, Neuron, Sequential

ULPS = 1e-15  # a few units in the last place of numbers near 1


def loaded(module: Any, *numbers: float) -> Any:
    """``module`` with these numbers as its parameters, in order."""
    module.load_state_dict(dict(zip(module.state_dict(), numbers, strict=True)))
    return module


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu", 0.0),
        ("softplus", math.log1p(math.exp(-0.5))),
        ("tanh", math.tanh(-0.5)),
        ("sigmoid", 1 / (1 + math.exp(0.5))),
        ("linear", -0.5),
    ],
)
def test_a_neuron_is_its_activation_of_its_weights_times_its_inputs_and_its_bias(activation: str, expected: float) -> None:
    """2·1 - 3·1.5 + 2 = -0.5, and minus everything 0.5."""
    out = loaded(Neuron(2, activation), 2.0, -3.0, 2.0)([1.0, 1.5])
    assert isinstance(out, Value)
    assert out.data == pytest.approx(expected, rel=ULPS)
    if activation == "relu":
        assert loaded(Neuron(2), -2.0, 3.0, -2.0)([1.0, 1.5]).data == 0.5


@pytest.mark.parametrize("activation", ["relu", "softplus", "tanh", "sigmoid", "linear"])
def test_a_neuron_is_three_nodes(activation: str) -> None:
    """One dot, one sum, one activation, whatever the number of inputs; a linear one has no activation."""
    ops = [node.op.name for node in topological_sort(Neuron(5, activation, rng=0)([1.0] * 5)) if node.args and node.op]
    assert ops == ["dot", "add"] + [activation] * (activation != "linear")


def test_a_layer_wraps_its_inputs_once() -> None:
    """Every neuron of a layer reads the same nodes: 2 inputs, 3 · (2 weights + 1 bias), 3 · 3 computed, 1 sum."""
    assert len(topological_sort(sum(Layer(2, 3, "tanh", rng=0)([1.0, 2.0]), start=Value(0.0)))) == 2 + 9 + 9 + 1 + 3


def test_plain_inputs_are_constants() -> None:
    """The variables of a graph are the parameters alone."""
    layer = Layer(2, 1, rng=0)
    assert {node for node in topological_sort(layer([1.0, 2.0])[0]) if node.op is None} == set(layer.parameters())


def test_a_layer_gives_the_list_of_its_neurons_outputs() -> None:
    """One neuron gives a list, too."""
    layer = loaded(Layer(2, 2, "relu"), 1.0, 2.0, 3.0, -1.0, -1.0, 0.0)
    assert [y.data for y in layer([10.0, 100.0])] == [213.0, 0.0]
    assert [y.data for y in loaded(Layer(1, 1), 2.0, 1.0)([3.0])] == [7.0]


def test_an_mlp_by_hand() -> None:
    """Hidden relu(1 - 2), relu(1 + 2) = 0, 3; output 5·0 - 2·3 + 1 = -5: the last layer is linear."""
    out = loaded(MLP(2, [2, 1]), 1.0, -1.0, 0.0, 1.0, 1.0, 0.0, 5.0, -2.0, 1.0)([1.0, 2.0])
    assert isinstance(out, Value)
    assert out.data == -5.0


def test_the_activation_is_that_of_all_layers_but_the_last() -> None:
    model = MLP(1, [1, 1, 2], "tanh", rng=0)
    assert [layer.neurons[0].activation for layer in model.layers] == ["tanh", "tanh", "linear"]
    assert model.activation == "tanh"


def test_several_outputs_are_a_list() -> None:
    outputs = loaded(MLP(1, [2]), 2.0, 1.0, -2.0, 0.0)([3.0])
    assert isinstance(outputs, list)
    assert [y.data for y in outputs] == [7.0, -6.0]


def test_sequential_is_one_step_after_the_other() -> None:
    """Modules and functions alike; without steps, the identity."""
    model = Sequential(loaded(Layer(1, 2, "linear"), 1.0, 0.0, 2.0, 0.0), sum, lambda y: y * y)
    assert model([3.0]).data == 81.0
    assert [name for name, _ in model.named_parameters()] == [
        f"steps.0.neurons.{j}.{p}" for j in range(2) for p in ("w[0]", "b")
    ]
    assert Sequential()("anything") == "anything"
    with pytest.raises(TypeError, match=re.escape("Sequential() takes modules and functions, not float 3.0")):
        Sequential(abs, 3.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [Neuron(2, rng=0), Layer(2, 3, rng=0), MLP(2, [3, 2], rng=0)])
def test_floats_values_and_arrays_are_inputs(make: Module) -> None:
    """All the same numbers out, and Values get their gradients."""

    def outputs(x: Any) -> list[float]:
        y = make(x)
        return [item.data for item in (y if isinstance(y, list) else [y])]

    expected = outputs([0.5, 2.0])
    for x in (
        (0.5, 2),
        np.array([0.5, 2.0]),
        np.array([0.5, 2.0], dtype=np.float32),
        [Value(0.5), 2.0],
        [Value(0.5), Value(2.0)],
    ):
        assert outputs(x) == expected


def test_inputs_that_are_computed_pass_gradients_on() -> None:
    """A weight of 3 and an input x² at 2: 3 · 2x = 12."""
    x = Value(2.0)
    loaded(MLP(1, [1]), 3.0, 0.0)([x * x]).backward()
    assert x.grad == 12.0


@pytest.mark.parametrize("activation", ["relu", "softplus", "tanh", "sigmoid"])
def test_gradients_of_an_mlp_are_those_of_finite_differences(activation: str) -> None:
    """By all inputs and all 17 parameters; to second order where there is one."""
    model = MLP(2, [3, 2], activation, rng=3)
    point = [Value(parameter.data + 0.1) for parameter in model.parameters()]

    def outputs(x: list[Value], parameters: list[Value]) -> list[Value]:
        fresh = iter(parameters)
        for neuron in [neuron for layer in model.layers for neuron in layer.neurons]:
            neuron.w = [next(fresh) for _ in neuron.w]
            neuron.b = next(fresh)
        result: list[Value] = model(x)
        return result

    assert gradcheck(outputs, [[Value(0.7), Value(-0.4)], point], order=1 if activation == "relu" else 2)


@pytest.mark.parametrize(
    ("module", "x", "error", "message"),
    [
        (MLP(3, [4, 1]), [1.0] * 2, ValueError, "layers.0, Layer(3, 4, 'relu'), expects 3 inputs, not 2"),
        (MLP(3, [4, 1]), [1.0] * 5, ValueError, "layers.0, Layer(3, 4, 'relu'), expects 3 inputs, not 5"),
        (MLP(3, [4, 1]), 1.0, TypeError, "layers.0, Layer(3, 4, 'relu'), expects a list of 3 inputs, not float"),
        (Layer(3, 2, "tanh"), [], ValueError, "Layer(3, 2, 'tanh') expects 3 inputs, not 0"),
        (Neuron(1), Value(1.0), TypeError, "Neuron(1, 'relu') expects a list of 1 inputs, not Value"),
        (Layer(1, 2).neurons[1], [1.0] * 2, ValueError, "neurons.1, Neuron(1, 'relu'), expects 1 inputs, not 2"),
        (Sequential(Layer(1, 2), Layer(1, 2)), [1.0], ValueError, "steps.1, Layer(1, 2, 'relu'), expects 1 inputs, not 2"),
    ],
)
def test_wrong_inputs_are_an_error_that_names_the_layer(module: Module, x: Any, error: type[Exception], message: str) -> None:
    """Neither cut short nor filled up, and a scalar is no list of one."""
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        module(x)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
def test_sizes_are_whole_numbers_from_1_on(size: Any) -> None:
    for name, make in (("nin", lambda: Neuron(size)), ("nout", lambda: Layer(1, size)), ("nin", lambda: MLP(size, [1]))):
        with pytest.raises(ValueError, match=re.escape(f"{name} must be a whole number of at least 1, not {size!r}")):
            make()


@pytest.mark.parametrize("nouts", [4, [], None, "16"])
def test_nouts_is_a_list(nouts: Any) -> None:
    message = f"nouts must be a list of the sizes of the layers, as [16, 16, 1], not {nouts!r}"
    with pytest.raises(TypeError, match=re.escape(message)):
        MLP(3, nouts)


@pytest.mark.parametrize(
    "make", [lambda f: Neuron(1, f), lambda f: Layer(1, 1, f), lambda f: MLP(1, [1, 1], f), lambda f: MLP(1, [1], f)]
)
def test_an_unknown_activation_is_refused(make: Any) -> None:
    """Also in an MLP of one layer, which is linear and once took any name."""
    message = "activation must be one of relu, softplus, tanh, sigmoid, linear, not 'ReLU'"
    with pytest.raises(ValueError, match=re.escape(message)):
        make("ReLU")


def test_models_pickle_and_copy() -> None:
    model = MLP(2, [3, 1], "tanh", rng=0)
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert copied([1.0, 2.0]).data == model([1.0, 2.0]).data
        assert copied.state_dict() == model.state_dict()


def test_a_batch_is_told_to_be_one_example_at_a_time() -> None:
    for batch in ([[1.0, 2.0], [3.0, 4.0]], np.ones((2, 2))):
        with pytest.raises(ValueError, match=r"takes one example, a list of 2 inputs, .*: \[model\(x\) for x in X\]"):
            MLP(2, [1], rng=0)(batch)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Neuron(10**400),
        lambda: Layer(2, 10**400),
        lambda: Layer(10**400, 2),
        lambda: Layer(10_000, 1_001),
        lambda: MLP(2, [10**5000]),
        lambda: MLP(2, [3, 10**9]),
    ],
)
def test_more_weights_than_memory_are_refused_at_once(make: Any) -> None:
    """Mistake: an OverflowError, or a computer that does nothing else for a long time."""
    with pytest.raises(
        ValueError, match=r"(nin|nout) must be a whole number from 1 to [\d,]+ here, not .* every weight is a Value"
    ):
        make()


@pytest.mark.parametrize("wrong", [{"a": 1.0}, {1.0, 2.0}, "ab", np.array(1.0)])
@pytest.mark.parametrize("module", [Neuron(2, rng=0), Layer(2, 2, rng=0), MLP(2, [1], rng=0)])
def test_inputs_have_an_order(module: Any, wrong: Any) -> None:
    """Mistake: a dict was asked for the item 0, and a set had none."""
    with pytest.raises(TypeError, match="expects a list of 2 inputs, not "):
        module(wrong)


def test_an_activation_is_a_name() -> None:
    for wrong in (None, [], {}):
        with pytest.raises(ValueError, match="activation must be one of relu, .*, not "):
            Neuron(2, wrong)  # type: ignore[arg-type]  # on purpose
