"""micrograd's ``Value``: write ``from autograd.micrograd import Value`` for ``from micrograd.engine import Value``.

It is an ``autograd.Value`` with ``_prev``, ``_op``, ``_backward`` and attributes besides. See docs/micrograd.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograd import modes, ops, value
from autograd.chain_rule import reverse
from autograd.errors import GraphError, shown
from autograd.graph import stale, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, KeysView

_SIGNS = {ops.mul: "*", ops.div: "/", ops.neg: "-"}


class Value(value.Value):
    """A number, its gradient, and the attributes of micrograd's ``Value``.

    With ``_children`` it is the result of an operation of your own, whose name is ``_op``. Assign to ``_backward`` a function
    that adds to the ``grad`` of each child. Raises TypeError unless the children are Values.

    >>> a = Value(3.0)
    >>> b = Value(a.data**3, (a,), "cube")
    >>> def _backward(): a.grad += 3 * a.data**2 * b.grad
    >>> b._backward = _backward
    >>> (b * 2).backward()
    >>> a.grad                           # 6a²
    54.0
    """

    def __init__(self, data: float, _children: Iterable[value.Value] = (), _op: str = "", label: str = "") -> None:
        super().__init__(data, label)
        if _op:
            vars(self)["_op"] = _op
        if children := tuple(dict.fromkeys(_children)):
            self._come_from(children)

    def _come_from(self, children: tuple[value.Value, ...]) -> None:
        """Make this the result of an operation on ``children`` that only its ``_backward`` can differentiate."""
        modes.refuse_while_compiling("an operation of your own was applied", "write it with the functions of autograd.math")
        if strangers := [child for child in children if not isinstance(child, value.Value)]:
            msg = f"the _children of a Value must be Values, not {type(strangers[0]).__name__} {shown(strangers[0])}"
            raise TypeError(msg)
        name, number = self._op, self._data
        vars(self).update(_op=name, _backward=lambda: None)
        self._args, self._row = children, ops.Op(name, name, lambda *_: number, lambda *_: number, self._partials)
        if modes.supervise(self) is not self:  # under no_grad, where nothing is recorded
            self._args, self._row = (), ops.constant

    def _partials(self, _: float, *numbers: Any) -> tuple[float, ...]:
        """Return what ``_backward`` adds to the children if ``grad`` is 1. Sweeps that store nothing need it."""
        if any(isinstance(number, value.Value) for number in numbers):
            msg = (
                f"the _backward of {self._op!r} adds plain numbers, which cannot be differentiated again: write the operation "
                "with autograd.math"
            )
            raise GraphError(msg)
        before = [(node, node._grad) for node in (self, *self._args)]
        try:
            for node, _grad in before:
                node._grad = float(node is self)
            self._backward()
            return tuple([arg._grad for arg in self._args])
        finally:
            for node, grad in before:
                node._grad = grad

    @property
    def _prev(self) -> KeysView[value.Value]:
        """The Values it was computed from, as an ordered set. Of a power with a number as exponent it is the base alone."""
        return dict.fromkeys(self._args[:1] if self._row is ops.powc else self._args).keys()

    @property
    def _op(self) -> str:
        """The name of the operation, as micrograd writes it: "+", "*", "**2", "ReLU"; "" for a leaf."""
        row, given = self._row, getattr(self, "__dict__", {}).get("_op", "")
        if row is None or not self._args or given:
            return str(given)
        if row is ops.powc:
            return f"**{self._args[1]._data!r}".removesuffix(".0")
        return _SIGNS.get(row, row.label if row.label.isascii() else row.name)

    @property
    def _backward(self) -> Callable[[], None]:
        """A function that adds to the ``grad`` of each child what the chain rule says. It can be assigned."""

        def hand_on() -> None:
            if any([arg._clock > self._clock for arg in self._args]):
                raise stale(self)
            partials = self._row.partials(self._data, *[arg._data for arg in self._args]) if self._row and self._args else ()
            for arg, partial in zip(self._args, partials, strict=True):
                arg._grad = (arg._grad or 0.0) + (self._grad or 0.0) * partial

        return getattr(self, "__dict__", {}).get("_backward", hand_on)  # type: ignore[no-any-return]  # what was assigned

    @_backward.setter
    def _backward(self, function: Callable[[], None]) -> None:
        if self._args and "_backward" not in vars(self):
            self._come_from(tuple(self._prev))
        if self._row is not ops.constant:  # under no_grad nothing is recorded
            vars(self)["_backward"] = function

    def apply(self, op: ops.Op, args: tuple[Any, ...]) -> Any:
        """Return the Value of ``op`` at ``args``, of this class."""
        return _adopted(super().apply, op, args)

    def __reduce__(self) -> tuple[Any, ...]:
        if "_backward" in vars(self):
            msg = (
                f"{self._op!r} has a _backward of its own, which belongs to this Value alone, so it cannot be copied or pickled"
            )
            raise TypeError(msg)
        make, args = super().__reduce__()
        return _adopted, (make, *args), vars(self)

    def __copy__(self) -> Any:
        out = _adopted(super().__copy__)
        vars(out).update({name: x for name, x in vars(self).items() if name != "_backward"})  # it has the original's _partials
        return out

    __deepcopy__: Any = None  # as pickle does it: with the attributes


def _adopted(make: Callable[..., Any], *args: Any) -> Any:
    """Return ``make(*args)``, as a Value of this module if it is an ``autograd.Value``."""
    if type(x := make(*args)) is not value.Value:
        return x
    out = object.__new__(Value)
    out._data, out._clock, out._grad, out._row, out._args, out._label = x._data, x._clock, x._grad, x._row, x._args, x._label
    return modes.supervise(out) if out._args and modes.active.get() else out


def _sweep(order: list[Any], gradient: float) -> None:
    """Run the reverse sweep. If a function was assigned to some ``_backward``, run it by the ``_backward`` of all nodes."""
    if not any(["_backward" in getattr(node, "__dict__", ()) for node in order]):
        return reverse(order, gradient)
    validate(order)
    for node in order:
        node._grad = gradient if node is order[-1] else 0.0
    for node in reversed(order):
        node._backward()
    return None


for _name, _method in vars(value.Value).items():  # methods that are bound to rows
    if getattr(_method, "__name__", None) in ops.TABLE and _name not in vars(Value):
        setattr(Value, _name, lambda *args, method=_method: _adopted(method, *args))
for _name in ("_prev", "_op", "_backward"):  # a graph holds constants that are of the class autograd.Value
    setattr(value.Value, _name, property(vars(Value)[_name].fget))
value.Value._sweep = staticmethod(_sweep)
