"""``Module``, the base of everything that has parameters; it finds them and names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from autograd import Value
from nn.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 100
"""How deep the lists in an attribute may be nested."""


class Module:
    """The base of neurons, layers and networks, and of modules that you write.

    Assign Values, Modules, or (nested) lists of them to attributes, and define ``forward``. The parameters are those of the
    Values that are variables: neither computed nor constant.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3.0).data, [name for name, _ in line.named_parameters()]
    (7.0, ['slope', 'offset'])
    """

    training = True
    """Whether the module is being trained: ``train()`` sets it, ``eval()`` clears it."""
    name = ""
    """The path of the module in the one that it belongs to, such as ``layers.0``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return ``forward(*args, **kwargs)``."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module computes. A subclass defines it."""
        msg = f"{type(self).__name__} has no forward(): define what it computes"
        raise NotImplementedError(msg)

    def parameters(self) -> list[Value]:
        """Return the parameters, in the order in which they were assigned."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Value]]:
        """Yield each parameter once, with its name, such as ``layers.0.neurons.3.w[1]``, after ``prefix``."""
        if not isinstance(prefix, str):
            msg = f"prefix must be a str to put before the names, not {type(prefix).__name__} {shown(prefix)}"
            raise TypeError(msg)
        seen = set()
        for name, item in self._items(prefix):
            found = item.named_parameters(f"{name}.") if isinstance(item, Module) else [(name, item)]
            for full_name, parameter in found:
                if parameter not in seen:
                    seen.add(parameter)
                    yield full_name, parameter

    def children(self) -> Iterator[tuple[str, Module]]:
        """Return an iterator over the modules directly inside this one, with their names."""
        return ((name, item) for name, item in self._items("") if isinstance(item, Module))

    def zero_grad(self, set_to_none: bool = False) -> None:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Set the grad of every parameter to 0, or with ``set_to_none`` to None, which counts as 0."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none else 0.0

    def state_dict(self) -> dict[str, float]:
        """Return the numbers of all parameters, by name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set all parameters to the numbers in ``state``. KeyError, and no change, if a name is missing or unexpected."""
        if not isinstance(state, Mapping):
            msg = f"load_state_dict() takes a dict of numbers by name, not {type(state).__name__} {shown(state)}"
            raise TypeError(msg)
        parameters = dict(self.named_parameters())
        missing = [name for name in parameters if name not in state]
        unexpected = [name for name in state if name not in parameters]
        if missing or unexpected:
            msg = f"the state does not fit this {type(self).__name__}: missing {missing[:5]}, unexpected {unexpected[:5]}"
            raise KeyError(msg)
        values = {}
        for name in parameters:  # all numbers are checked before the first parameter changes
            try:
                values[name] = Value(state[name]).data
            except TypeError as error:
                msg = f"{name}: {error}"
                raise TypeError(msg) from None
            except OverflowError:
                msg = f"{name}: {shown(state[name])} is too large for a float"
                raise ValueError(msg) from None
        for name, parameter in parameters.items():
            parameter.data = values[name]

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Set ``training`` of this module and of all modules inside to ``mode``, and return this module."""
        if not isinstance(mode, bool):
            msg = f"train() takes True or False, not {type(mode).__name__} {shown(mode)}"
            raise TypeError(msg)
        self.training = mode
        for _, child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Set ``training`` of this module and of all modules inside to False, and return this module."""
        return self.train(mode=False)

    def architecture(self) -> Any:
        """Return plain data from which ``nn.load`` rebuilds the module; None, as here, if only your program can make it."""
        return None

    def describe(self) -> str:
        """Return the call that makes such a module."""
        return f"{type(self).__name__}()"

    def summary(self) -> str:
        """Return a line that says what the module is, and how many parameters it has."""
        count = len(self.parameters())
        return f"{self.describe()}: {count:,} parameter{'s' * (count != 1)}"

    def __repr__(self) -> str:
        lines = [f"{name}: {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        return "\n  ".join([self.summary(), *lines])

    def _items(self, prefix: str) -> Iterator[tuple[str, Value | Module]]:
        """Yield the variables and modules among the attributes, and in lists among them, with their names."""
        for name, attribute in vars(self).items():
            yield from _found(f"{prefix}{name}", attribute)

    def _name_parts(self) -> None:
        """Give every parameter its label and every module inside its name, for messages and drawings."""
        for name, parameter in self.named_parameters():
            parameter.label = name
        self._name_modules("")

    def _name_modules(self, prefix: str) -> None:
        for name, child in self.children():
            child.name = prefix + name
            child._name_modules(f"{child.name}.")  # noqa: SLF001 - a module's own kind


def _found(name: str, x: object, depth: int = 0) -> Iterator[tuple[str, Value | Module]]:
    """Yield the variables and modules in ``x``, which is one of them or a list, with their names.

    Called "w", [Value, [Value, Neuron]] has the names "w[0]", "w[1][0]" and "w[1].1".
    """
    if depth > _DEPTH:
        msg = f"{name[:60]}… is nested in more than {_DEPTH} lists, or in itself, so a Module cannot find its parameters there"
        raise ValueError(msg)
    if isinstance(x, Module) or (isinstance(x, Value) and x.op is None):
        yield name, x
    elif isinstance(x, list | tuple):
        for k, item in enumerate(x):
            yield from _found(f"{name}.{k}" if isinstance(item, Module) else f"{name}[{k}]", item, depth + 1)
