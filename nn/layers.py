"""Neurons, layers of neurons, and networks of layers."""

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
"""The activations by name, each with the initialiser that suits it."""
_MOST = 10_000_000
"""How many weights a layer may have. More Values would fill the memory."""


class Neuron(Module):
    """``activation(w · x + b)`` of ``nin`` inputs: one scalar product, one sum, one activation.

    The weights ``w`` start at random, with the initialiser that suits the activation (see ``nn.init``), and the bias ``b`` at
    0. ``rng`` is a seed, a ``random.Random`` or a NumPy Generator. Call a neuron with a list of ``nin`` numbers or Values, and
    it returns a Value. ValueError for a list of another length.

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
        """Return the output for the inputs ``x``."""
        _check_inputs(self, x, len(self.w))
        return self.output(x)

    def output(self, x: Sequence[Value | float]) -> Value:
        """Return the output without counting the inputs, which a layer has done for all its neurons."""
        activate, _ = ACTIVATIONS[self.activation]
        z: Value = activate(math.sumprod(self.w, x) + self.b)
        return z

    def architecture(self) -> dict[str, Any] | None:
        """Return the type and the arguments that make such a neuron; None if this one was changed in other ways."""
        if not _is_own(self, Neuron, {"activation", "w", "b"}):
            return None
        return {"type": "Neuron", "nin": len(self.w), "activation": self.activation}

    def describe(self) -> str:
        """Return the call that makes such a module."""
        return f"Neuron({len(self.w)}, {self.activation!r})"


class Layer(Module):
    """``nout`` neurons with the same ``nin`` inputs. A call returns the list of their outputs.

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
        """Return the outputs for the inputs ``x``."""
        _check_inputs(self, x, len(self.neurons[0].w))
        inputs = [xi if isinstance(xi, Value) else Value(xi).detach() for xi in x]  # one Value for all neurons
        return [neuron.output(inputs) for neuron in self.neurons]

    def architecture(self) -> dict[str, Any] | None:
        """Return the type and the arguments that make such a layer; None if it was changed, so that its neurons differ."""
        first, *others = (neuron.architecture() for neuron in self.neurons)
        if not _is_own(self, Layer, {"neurons"}) or first is None or any(other != first for other in others):
            return None
        return {"type": "Layer", "nin": first["nin"], "nout": len(self.neurons), "activation": first["activation"]}

    def describe(self) -> str:
        """Return the call that makes such a module."""
        neuron = self.neurons[0]
        return f"Layer({len(neuron.w)}, {len(self.neurons)}, {neuron.activation!r})"

    def __repr__(self) -> str:
        return self.summary()  # without the neurons, which are all alike


class MLP(Module):
    """A multilayer perceptron: ``nin`` inputs, and then a layer for each size in ``nouts``. The last layer is linear.

    Call it with a list of ``nin`` numbers or Values. It returns a Value if the last layer has one neuron, and otherwise a list
    of Values.

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
        _check_activation(activation)  # here, because an MLP of one layer makes only a linear one
        rng = init.generator(rng)
        sizes = [nin, *nouts]
        for before, size in zip(sizes, nouts, strict=False):  # check all sizes before the first layer is made
            _check_size("nin", before)
            _check_size("nout", size, before)
        activations = [activation] * (len(nouts) - 1) + ["linear"]
        self.activation = activation
        self.layers = [Layer(a, b, f, rng=rng) for a, b, f in zip(sizes, nouts, activations, strict=False)]
        self._name_parts()

    def forward(self, x: Sequence[Value | float]) -> Value | list[Value]:
        """Return the output, or the list of outputs, for the inputs ``x``."""
        for layer in self.layers:
            x = layer(x)
        return x[0] if len(x) == 1 else x  # type: ignore[return-value]  # a layer's outputs are Values

    def architecture(self) -> dict[str, Any] | None:
        """Return the type and the arguments that make such a network; None if it was changed, as by another layer."""
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
        """Return the call that makes such a module."""
        sizes = [len(layer.neurons) for layer in self.layers]
        return f"MLP({len(self.layers[0].neurons[0].w)}, {sizes}, {self.activation!r})"


class Sequential(Module):
    """Modules and functions, each applied to the output of the one before.

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
        """Return ``x`` after all steps: the second step takes what the first returns, and so on."""
        for step in self.steps:
            x = step(x)
        return x

    def architecture(self) -> dict[str, Any] | None:
        """Return the steps: the architecture of a module, or the index of its first occurrence, or the name of a function.

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
    """Return the module whose ``architecture()`` was this. Its parameters are arbitrary.

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
    """Return the functions of ``autograd.math`` and the methods of Value, by name."""
    found = {f"math.{name}": getattr(math, name) for name in math.__all__}
    found |= {f"Value.{name}": method for name, method in vars(Value).items()}
    return {name: function for name, function in found.items() if callable(function)}


def _name_of(function: object) -> str | None:
    return next((name for name, known in _functions().items() if known is function), None)


def _is_own(module: Module, kind: type[Module], attributes: set[str]) -> bool:
    """Return whether the module is a plain ``kind``: not of a subclass, and without attributes besides these."""
    return type(module) is kind and vars(module).keys() <= attributes | {"name", "training"}


def _check_size(name: str, size: Any, times: int = 1) -> None:
    """Raise ValueError unless ``size`` is a whole number from 1 on, and a layer may have ``times * size`` weights."""
    if not isinstance(size, numbers.Integral) or isinstance(size, bool) or int(size) < 1:
        msg = f"{name} must be a whole number of at least 1, not {shown(size)}"
        raise ValueError(msg)
    if int(size) * times > _MOST:
        msg = (
            f"{name} must be a whole number from 1 to {_MOST // times:,} here, not {shown(size)}: "
            f"every weight is a Value, and a layer may have {_MOST:,} of them"
        )
        raise ValueError(msg)


def _check_activation(activation: str) -> None:
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        msg = f"activation must be one of {', '.join(ACTIVATIONS)}, not {shown(activation)}"
        raise ValueError(msg)


def _check_inputs(module: Module, x: object, expected: int) -> None:
    """Raise TypeError or ValueError, which names the module, unless ``x`` is a sequence of ``expected`` items."""
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
