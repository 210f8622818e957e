"""Neurons, layers of them, and networks of layers."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autograd import Value, math
from nn import init
from nn.errors import shown
from nn.module import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nn.init import Generator


ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Generator, int, int], float]]] = {
    "relu": (Value.relu, init.he_uniform),
    "softplus": (Value.softplus, init.he_uniform),
    "tanh": (Value.tanh, init.glorot_uniform),
    "sigmoid": (Value.sigmoid, init.glorot_uniform),
    "linear": (Value.__pos__, init.glorot_uniform),
}
"""Each activation by name, with the initialiser that suits it."""
_MOST = 10_000_000
"""How many weights a layer may have: more Values than that would fill the memory."""


class Neuron(Module):
    """``activation(w · x + b)``, for ``nin`` inputs: one scalar product, one sum, one activation.

    ``w`` starts as ``nn.init`` says for the activation, ``b`` at 0. ``rng`` is a seed, a ``random.Random`` or a NumPy
    Generator. Calling it with a list of ``nin`` numbers or Values gives a Value; ValueError for another length.

    >>> neuron = Neuron(2, "linear", rng=0)
    >>> neuron.load_state_dict({"w[0]": 1.0, "w[1]": 2.0, "b": 3.0})
    >>> neuron([10.0, 100.0])
    Value(data=213.0, grad=0.0)
    """

    def __init__(self, nin: int, activation: str = "relu", *, rng: int | Generator | None = None, fan_out: int = 1) -> None:
        _check_size("nin", nin)
        _check_size("fan_out", fan_out)
        _check_activation(activation)
        rng = init.generator(rng)
        self.activation = activation
        _, initial = ACTIVATIONS[activation]
        self.w = [Value(initial(rng, nin, fan_out)) for _ in range(nin)]
        self.b = Value(0.0)
        self._name_parts()

    def forward(self, x: Sequence[Value | float]) -> Value:
        """The output for the inputs ``x``."""
        _check_inputs(self, x, len(self.w))
        return self.output(x)

    def output(self, x: Sequence[Value | float]) -> Value:
        """The same, for a layer that has counted the inputs."""
        activate, _ = ACTIVATIONS[self.activation]
        z: Value = activate(math.sumprod(self.w, x) + self.b)
        return z

    def architecture(self) -> dict[str, Any] | None:
        """The arguments that make such a neuron, and its type; None if it has become another."""
        if not _is_own(self, Neuron, {"activation", "w", "b"}):
            return None
        return {"type": "Neuron", "nin": len(self.w), "activation": self.activation}

    def describe(self) -> str:
        """What the module is, as it would be written."""
        return f"Neuron({len(self.w)}, {self.activation!r})"


class Layer(Module):
    """``nout`` neurons that see the same ``nin`` inputs. Calling it gives the list of their outputs.

    >>> Layer(3, 2, activation="tanh", rng=0)
    Layer(3, 2, 'tanh'): 8 parameters
    """

    def __init__(self, nin: int, nout: int, activation: str = "relu", *, rng: int | Generator | None = None) -> None:
        _check_size("nin", nin)
        _check_size("nout", nout, nin)
        rng = init.generator(rng)
        self.neurons = [Neuron(nin, activation, rng=rng, fan_out=nout) for _ in range(nout)]
        self._name_parts()

    def forward(self, x: Sequence[Value | float]) -> list[Value]:
        """The outputs for the inputs ``x``."""
        _check_inputs(self, x, len(self.neurons[0].w))
        inputs = [xi if isinstance(xi, Value) else Value(xi).detach() for xi in x]  # once, not once a neuron
        return [neuron.output(inputs) for neuron in self.neurons]

    def architecture(self) -> dict[str, Any] | None:
        """The arguments that make such a layer, and its type; None if it has become another, as by unlike neurons."""
        first, *others = (neuron.architecture() for neuron in self.neurons)
        if not _is_own(self, Layer, {"neurons"}) or first is None or any(other != first for other in others):
            return None
        return {"type": "Layer", "nin": first["nin"], "nout": len(self.neurons), "activation": first["activation"]}

    def describe(self) -> str:
        """What the module is, as it would be written."""
        neuron = self.neurons[0]
        return f"Layer({len(neuron.w)}, {len(self.neurons)}, {neuron.activation!r})"

    def __repr__(self) -> str:
        return self.summary()  # the neurons are all alike


class MLP(Module):
    """A multilayer perceptron: ``nin`` inputs, then layers of ``nouts`` neurons, the last of them linear.

    Calling it with a list of ``nin`` numbers or Values gives a Value where the last layer has one neuron, and a list of
    Values otherwise.

    >>> model = MLP(2, [16, 16, 1], rng=0)
    >>> model
    MLP(2, [16, 16, 1], 'relu'): 337 parameters
      layers.0: Layer(2, 16, 'relu'): 48 parameters
      layers.1: Layer(16, 16, 'relu'): 272 parameters
      layers.2: Layer(16, 1, 'linear'): 17 parameters
    >>> model([1.0, 2.0, 3.0])
    Traceback (most recent call last):
        ...
    ValueError: layers.0, Layer(2, 16, 'relu'), expects 2 inputs, not 3
    """

    def __init__(self, nin: int, nouts: Sequence[int], activation: str = "relu", *, rng: int | Generator | None = None) -> None:
        if not isinstance(nouts, list | tuple) or not nouts:
            msg = f"nouts must be a list of the sizes of the layers, as [16, 16, 1], not {shown(nouts)}"
            raise TypeError(msg)
        _check_activation(activation)  # a single layer is linear and would not
        rng = init.generator(rng)
        sizes = [nin, *nouts]
        for before, size in zip(sizes, nouts, strict=False):  # of all, before the first is made
            _check_size("nin", before)
            _check_size("nout", size, before)
        activations = [activation] * (len(nouts) - 1) + ["linear"]
        self.activation = activation
        self.layers = [Layer(a, b, f, rng=rng) for a, b, f in zip(sizes, nouts, activations, strict=False)]
        self._name_parts()

    def forward(self, x: Sequence[Value | float]) -> Value | list[Value]:
        """The output, or the list of outputs, for the inputs ``x``."""
        for layer in self.layers:
            x = layer(x)
        return x[0] if len(x) == 1 else x  # type: ignore[return-value]  # a layer's outputs are Values

    def architecture(self) -> dict[str, Any] | None:
        """The arguments that make such a network, and its type; None if it has become another, as by a changed layer."""
        layers: list[Any] = [layer.architecture() for layer in self.layers]
        if not _is_own(self, MLP, {"activation", "layers"}) or None in layers:
            return None
        nin, nouts = layers[0]["nin"], [layer["nout"] for layer in layers]
        activations = [self.activation] * (len(layers) - 1) + ["linear"]
        expected = [
            {"type": "Layer", "nin": a, "nout": b, "activation": f}
            for a, b, f in zip([nin, *nouts], nouts, activations, strict=False)
        ]
        return {"type": "MLP", "nin": nin, "nouts": nouts, "activation": self.activation} if layers == expected else None

    def describe(self) -> str:
        """What the module is, as it would be written."""
        sizes = [len(layer.neurons) for layer in self.layers]
        return f"MLP({len(self.layers[0].neurons[0].w)}, {sizes}, {self.activation!r})"


class Sequential(Module):
    """Modules, or any functions, one after the other.

    >>> model = Sequential(Layer(2, 3, "tanh", rng=0), Layer(3, 1, "linear", rng=1), lambda outputs: outputs[0])
    >>> model([0.0, 0.0])
    Value(data=0.0, grad=0.0)
    """

    def __init__(self, *steps: Callable[[Any], Any]) -> None:
        for step in steps:
            if not callable(step):
                msg = f"Sequential() takes modules and functions, not {type(step).__name__} {shown(step)}"
                raise TypeError(msg)
        self.steps = list(steps)
        self._name_parts()

    def forward(self, x: Any) -> Any:
        """What the last step makes of what the one before it makes, and so on, of ``x``."""
        for step in self.steps:
            x = step(x)
        return x

    def architecture(self) -> dict[str, Any] | None:
        """The steps: what a module says of itself, or the place of the same module before; functions by their names.

        None if a step is neither a module of nn nor a function of ``autograd.math`` or of Value.
        """
        steps: list[Any] = []
        for step in self.steps:
            first = self.steps.index(step)
            if isinstance(step, Module) and first < len(steps):
                steps.append(first)
            else:
                steps.append(step.architecture() if isinstance(step, Module) else _name_of(step))
        return {"type": "Sequential", "steps": steps} if _is_own(self, Sequential, {"steps"}) and None not in steps else None


def build(architecture: dict[str, Any]) -> Module:
    """The module, with parameters of no meaning, that described itself so.

    >>> build(Layer(3, 2, "tanh").architecture())
    Layer(3, 2, 'tanh'): 8 parameters
    """
    kind, arguments = architecture["type"], {key: x for key, x in architecture.items() if key != "type"}
    if kind != "Sequential":
        made: Module = _BUILT[kind](**arguments, rng=0)
        return made
    steps: list[Any] = []
    for step in arguments["steps"]:
        if isinstance(step, int):
            steps.append(steps[step])
        else:
            steps.append(_functions()[step] if isinstance(step, str) else build(step))
    return Sequential(*steps)


_BUILT: dict[str, Any] = {"Neuron": Neuron, "Layer": Layer, "MLP": MLP}


def _functions() -> dict[str, Any]:
    """The functions of ``autograd.math`` and the methods of Value, by name."""
    found = {f"math.{name}": getattr(math, name) for name in math.__all__}
    found |= {f"Value.{name}": method for name, method in vars(Value).items()}
    return {name: function for name, function in found.items() if callable(function)}


def _name_of(function: object) -> str | None:
    return next((name for name, known in _functions().items() if known is function), None)


def _is_own(module: Module, kind: type[Module], attributes: set[str]) -> bool:
    """Whether the module is what ``kind`` makes: of no subclass, and with no attribute beside these."""
    return type(module) is kind and vars(module).keys() <= attributes | {"name", "training"}


def _check_size(name: str, size: Any, times: int = 1) -> None:
    """Raise ValueError unless ``size`` is one, and so many Values, ``times`` over, can be kept."""
    if not isinstance(size, numbers.Integral) or isinstance(size, bool) or int(size) < 1:
        msg = f"{name} must be a whole number from 1 on, not {shown(size)}"
        raise ValueError(msg)
    if int(size) * times > _MOST:
        msg = (
            f"{name} must be a whole number from 1 to {_MOST // times:,} here, not {shown(size)}: "
            f"every weight is a Value, and a layer may have {_MOST:,} of them"
        )
        raise ValueError(msg)


def _check_activation(activation: str) -> None:
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        msg = f"there is no activation {shown(activation)}: choose one of {', '.join(ACTIVATIONS)}"
        raise ValueError(msg)


def _check_inputs(module: Module, x: object, expected: int) -> None:
    """Raise unless ``x`` is a sequence of ``expected`` items."""
    if not hasattr(x, "__len__") or getattr(x, "ndim", 1) == 0 or isinstance(x, Mapping | set | frozenset | str | bytes):
        msg = f"{_full_name(module)} expects a list of {expected} inputs, not {type(x).__name__}"
        raise TypeError(msg)
    if len(x) and hasattr(x[0], "__len__"):  # type: ignore[index]  # what has a length here has items
        msg = f"{_full_name(module)} takes one example, a list of {expected} inputs, not a list of lists: [model(x) for x in X]"
        raise ValueError(msg)
    if len(x) != expected:
        msg = f"{_full_name(module)} expects {expected} inputs, not {len(x)}"
        raise ValueError(msg)


def _full_name(module: Module) -> str:
    return f"{module.name}, {module.describe()}," if module.name else module.describe()
