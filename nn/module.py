"""``Module``: whatever has parameters, and the names by which they are found."""

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
    """The base of neurons, layers and networks, and of your own.

    Assign Values, Modules, or (nested) lists of them to attributes, and define ``forward``: the Values that are variables are
    the parameters.

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
    """Whether the module is being trained, as ``train`` and ``eval`` say."""
    name = ""
    """Where the module stands in the one that it belongs to, as ``layers.0``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """``forward``."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        msg = f"{type(self).__name__} has no forward(): define what it computes"
        raise NotImplementedError(msg)

    def parameters(self) -> list[Value]:
        """The parameters, in the order in which they were assigned."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Value]]:
        """Each parameter with its name, as ``layers.0.neurons.3.w[1]``; one that is shared, once."""
        if not isinstance(prefix, str):
            msg = f"named_parameters() takes a str to put before the names, not {type(prefix).__name__} {shown(prefix)}"
            raise TypeError(msg)
        seen = set()
        for name, item in self._items(prefix):
            found = item.named_parameters(f"{name}.") if isinstance(item, Module) else [(name, item)]
            for full_name, parameter in found:
                if parameter not in seen:
                    seen.add(parameter)
                    yield full_name, parameter

    def children(self) -> Iterator[tuple[str, Module]]:
        """Each module directly inside this one, with its name."""
        return ((name, item) for name, item in self._items("") if isinstance(item, Module))

    def zero_grad(self, set_to_none: bool = False) -> None:  # noqa: FBT001, FBT002 - PyTorch's signature
        """Set the grad of every parameter to 0, or to None, which counts as 0."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none else 0.0

    def state_dict(self) -> dict[str, float]:
        """The numbers of all parameters, by name."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set all parameters to the numbers in ``state``; KeyError, and nothing is changed, unless the names are the same."""
        if not isinstance(state, Mapping):
            msg = f"load_state_dict() takes a dict of numbers by name, not {type(state).__name__} {shown(state)}"
            raise TypeError(msg)
        parameters = dict(self.named_parameters())
        missing = [name for name in parameters if name not in state]
        unexpected = [name for name in state if name not in parameters]
        if missing or unexpected:
            msg = f"the state is not that of this {type(self).__name__}: missing {missing[:5]}, unexpected {unexpected[:5]}"
            raise KeyError(msg)
        values = {}
        for name in parameters:  # a TypeError comes before the first change
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
        """Say that this module and those inside are being trained, or not; returns the module."""
        if not isinstance(mode, bool):
            msg = f"train() takes True or False, not {type(mode).__name__} {shown(mode)}"
            raise TypeError(msg)
        self.training = mode
        for _, child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Say that this module and those inside are being used, not trained; returns the module."""
        return self.train(mode=False)

    def architecture(self) -> Any:
        """What ``nn.load`` makes the module of again, beside its parameters; None, as here, if only your program can."""
        return None

    def describe(self) -> str:
        """What the module is, as it would be written."""
        return f"{type(self).__name__}()"

    def summary(self) -> str:
        """What the module is, and how many parameters it has."""
        count = len(self.parameters())
        return f"{self.describe()}: {count:,} parameter{'s' * (count != 1)}"

    def __repr__(self) -> str:
        lines = [f"{name}: {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        return "\n  ".join([self.summary(), *lines])

    def _items(self, prefix: str) -> Iterator[tuple[str, Value | Module]]:
        """The variables and modules among the attributes, and in lists there, with their names."""
        for name, attribute in vars(self).items():
            yield from _found(f"{prefix}{name}", attribute)

    def _name_parts(self) -> None:
        """Tell every parameter and module inside what it is called, for messages and drawings."""
        for name, parameter in self.named_parameters():
            parameter.label = name
        self._name_modules("")

    def _name_modules(self, prefix: str) -> None:
        for name, child in self.children():
            child.name = prefix + name
            child._name_modules(f"{child.name}.")  # noqa: SLF001 - a module's own kind


def _found(name: str, x: object, depth: int = 0) -> Iterator[tuple[str, Value | Module]]:
    """``x``, called ``name``, if it is a variable or a module; if it is a list, what is found in it."""
    if depth > _DEPTH:
        msg = f"{name[:60]}… is nested in more than {_DEPTH} lists, or in itself: a Module looks for its parameters in there"
        raise ValueError(msg)
    if isinstance(x, Module) or (isinstance(x, Value) and x.op is None):
        yield name, x
    elif isinstance(x, list | tuple):
        for k, item in enumerate(x):
            yield from _found(f"{name}.{k}" if isinstance(item, Module) else f"{name}[{k}]", item, depth + 1)
