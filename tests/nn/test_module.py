from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import autograd
import nn
from autograd import Value
from nn import MLP, Layer, Module, Neuron, Sequential

CHECKOUT = Path(nn.__file__).parents[1]


class Tied(Module):
    """A parameter and a module under two names each, and Values that are no parameters."""

    def __init__(self) -> None:
        self.first = Value(1.0)
        self.unit = Neuron(1, "linear", rng=0)
        self.again = [self.first, self.unit]
        self.last = Value(2.0)
        self.constant = Value(3.0).detach()
        self.computed = self.first * 2.0
        self.setting = 5.0


class Nested(Module):
    """Parameters and modules in lists of lists, beside things that are neither."""

    def __init__(self) -> None:
        self.table = [[Value(1.0), Value(2.0)], (Value(3.0), "not a parameter")]
        self.blocks: list[Any] = [[Neuron(1, rng=0)], [Sequential(Neuron(1, rng=0))]]
        self.title = "nested"


def numbers(module: Module) -> list[float]:
    return [parameter.data for parameter in module.parameters()]


def test_parameters_are_named_by_where_they_stand_and_labelled_so() -> None:
    """Weights of a neuron, then its bias; neurons and layers in order; label and name are one."""
    model = MLP(2, [2, 1], rng=0)
    expected = [f"layers.0.neurons.{j}.{p}" for j in range(2) for p in ("w[0]", "w[1]", "b")]
    expected += [f"layers.1.neurons.0.{p}" for p in ("w[0]", "w[1]", "b")]
    assert [name for name, _ in model.named_parameters()] == expected
    assert [parameter.label for parameter in model.parameters()] == expected
    assert model.parameters()[1] is model.layers[0].neurons[0].w[1]
    assert [layer.name for layer in model.layers] == ["layers.0", "layers.1"]
    assert model.layers[0].neurons[1].name == "layers.0.neurons.1"
    assert "layers.0.neurons.3.w[1]" in MLP(2, [4], rng=0).state_dict()
    assert [name for name, _ in model.layers[1].named_parameters("head.")] == [
        f"head.neurons.0.{p}" for p in ("w[0]", "w[1]", "b")
    ]


def test_shared_parameters_count_once_under_their_first_name_and_only_variables_count() -> None:
    """A constant, a computed Value and a plain number are not parameters."""
    module = Tied()
    assert [name for name, _ in module.named_parameters()] == ["first", "unit.w[0]", "unit.b", "last"]
    assert module.summary() == "Tied(): 4 parameters"


def test_parameters_in_nested_lists_are_found() -> None:
    """A table of parameters once was overlooked without a word, and never trained."""
    expected = ["table[0][0]", "table[0][1]", "table[1][0]", "blocks[0].0.w[0]", "blocks[0].0.b"]
    expected += ["blocks[1].0.steps.0.w[0]", "blocks[1].0.steps.0.b"]
    module = Nested()
    assert list(module.state_dict()) == expected
    assert [name for name, _ in module.children()] == ["blocks[0].0", "blocks[1].0"]
    module.eval()
    assert not module.blocks[1][0].steps[0].training


def test_state_round_trip() -> None:
    """What one model saves makes another compute the same, and the state is a copy."""
    one, other = MLP(2, [3, 1], rng=1), MLP(2, [3, 1], rng=2)
    state = one.state_dict()
    assert other([0.3, -0.7]).data != one([0.3, -0.7]).data
    other.load_state_dict(state)
    assert other([0.3, -0.7]).data == one([0.3, -0.7]).data
    assert other.state_dict() == state
    one.parameters()[0].data = 9.0
    assert 9.0 not in state.values()
    assert 9.0 not in numbers(other)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"b": None}, KeyError, "the state does not fit this Neuron: missing ['b'], unexpected []"),
        ({"c": 1.0}, KeyError, "the state does not fit this Neuron: missing [], unexpected ['c']"),
        ({"w[1]": None, "w1": 1.0}, KeyError, "missing ['w[1]'], unexpected ['w1']"),
        ({"b": "1"}, TypeError, "expects a real number, not str '1'"),
        ({"b": [1.0]}, TypeError, "expects a real number, not list [1.0]"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change: dict[str, Any], error: type[Exception], message: str) -> None:
    """Neither a wrong name nor what is no number leaves a model half loaded."""
    neuron = Neuron(2, rng=0)
    before = numbers(neuron)
    state = {name: item for name, item in ({"w[0]": 7.0, "w[1]": 8.0, "b": 9.0} | change).items() if item is not None}
    with pytest.raises(error, match=re.escape(message)):
        neuron.load_state_dict(state)
    assert numbers(neuron) == before


def test_train_and_eval_reach_every_module_and_return_the_first() -> None:
    model = Sequential(MLP(2, [2, 1], rng=0))
    mlp: Any = model.steps[0]
    parts = [model, mlp, *mlp.layers, *[neuron for layer in mlp.layers for neuron in layer.neurons]]
    assert all(part.training for part in parts)
    assert model.eval() is model
    assert not any(part.training for part in parts)
    assert model.train() is model
    assert all(part.training for part in parts)
    assert MLP(2, [1], rng=0).training  # another model has its own mode


def test_zero_grad() -> None:
    model = MLP(2, [3, 1], "tanh", rng=0)
    model([1.0, 2.0]).backward()
    assert all(parameter.grad for parameter in model.parameters())
    model.zero_grad()
    assert [parameter.grad for parameter in model.parameters()] == [0.0] * 13


def test_repr_counts_parameters() -> None:
    """337 = (2 + 1) 16 + (16 + 1) 16 + (16 + 1) 1; thousands have a comma, one has no s."""
    assert repr(MLP(2, [16, 16, 1], rng=0)) == (
        "MLP(2, [16, 16, 1], 'relu'): 337 parameters\n"
        "  layers.0: Layer(2, 16, 'relu'): 48 parameters\n"
        "  layers.1: Layer(16, 16, 'relu'): 272 parameters\n"
        "  layers.2: Layer(16, 1, 'linear'): 17 parameters"
    )
    assert repr(Sequential(MLP(1, [2], rng=0), abs)) == (
        "Sequential(): 4 parameters\n"
        "  steps.0: MLP(1, [2], 'relu'): 4 parameters\n"
        "    layers.0: Layer(1, 2, 'linear'): 4 parameters"
    )
    assert repr(Neuron(3, "tanh", rng=0)) == "Neuron(3, 'tanh'): 4 parameters"
    assert Layer(10, 100, rng=0).summary() == "Layer(10, 100, 'relu'): 1,100 parameters"
    lone = Module()
    lone.parameter = Value(0.0)  # type: ignore[attr-defined]
    assert repr(lone) == "Module(): 1 parameter"


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match=re.escape("Nested has no forward(): define what it computes")):
        Nested()(1.0)


def test_calling_passes_all_arguments_to_forward() -> None:
    class Scaled(Module):
        def forward(self, x: float, *, by: float) -> float:
            return x * by

    assert Scaled()(3.0, by=4.0) == 12.0


def test_all_names_exist() -> None:
    assert sorted(nn.__all__) == sorted(set(nn.__all__))
    assert all(hasattr(nn, name) for name in nn.__all__)


def test_another_package_named_autograd_is_refused(tmp_path: Path) -> None:
    """With a foreign ``autograd`` first on the path, importing ``nn`` names it and the way out."""
    foreign = tmp_path / "autograd" / "__init__.py"
    foreign.parent.mkdir()
    foreign.write_text("def grad(f): ...\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(CHECKOUT)])}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", "import nn"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: nn needs scalar-autograd, but 'import autograd' found another package, at {foreign}. "
        "Make a clean environment (python -m venv .venv), or run: "
        "python -m pip uninstall -y autograd && python -m pip install --force-reinstall --no-deps scalar-autograd"
    )


def test_another_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """To have an ``__engine__`` is not enough."""
    monkeypatch.setattr(autograd, "__engine__", "tensor-autograd")
    with pytest.raises(ImportError, match=re.escape(f"found another package, at {autograd.__file__}.")):
        runpy.run_path(nn.__file__)


def test_lists_of_parameters_end_somewhere() -> None:
    """Mistake: a RecursionError from a list that holds itself."""
    module = Module()
    module.parts = parts = [Value(1.0)]
    parts.append(parts)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ValueError, match="is nested in more than 100 lists, or in itself"):
        module.parameters()


def test_states_and_modes_are_what_they_should_be() -> None:
    neuron = Neuron(1, rng=0)
    for wrong in (None, 3, [1.0]):
        with pytest.raises(TypeError, match=re.escape("load_state_dict() takes a dict of numbers by name, not ")):
            neuron.load_state_dict(wrong)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(TypeError, match=re.escape("train() takes True or False, not ")):
            neuron.train(wrong)  # type: ignore[arg-type]  # on purpose
    before = neuron.state_dict()
    with pytest.raises((ValueError, TypeError), match=re.escape("b: ")):
        neuron.load_state_dict({"w[0]": 1.0, "b": 10**400})
    assert neuron.state_dict() == before


@pytest.mark.parametrize("use", [nn.load, lambda path: nn.save(path, Neuron(1)), lambda path: nn.export(Neuron(1), path)])
def test_a_path_is_the_name_of_a_file(use: Any) -> None:
    for wrong in (None, 3, b"a.npz", [], Neuron):
        with pytest.raises(TypeError, match="path must be the path of a file, a str or a pathlib.Path, not "):
            use(wrong)
