"""Formulas: operands whose operators apply rows of the table, and formulas as text."""

from __future__ import annotations

from typing import Any

from autograd import ops

_CONDITION, _SUM, _PRODUCT, _SIGN, _ATOM = range(5)  # how strongly a formula holds together


class Formula(ops.Operand):
    """An operand whose operators apply rows of the table. The method ``apply`` of a subclass says what that makes."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return ops.add(self, other)

    def __sub__(self, other: Any) -> Any:
        return ops.sub(self, other)

    def __mul__(self, other: Any) -> Any:
        return ops.mul(self, other)

    def __truediv__(self, other: Any) -> Any:
        return ops.div(self, other)

    def __radd__(self, other: Any) -> Any:
        return ops.add(other, self)

    def __rsub__(self, other: Any) -> Any:
        return ops.sub(other, self)

    def __rmul__(self, other: Any) -> Any:
        return ops.mul(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return ops.div(other, self)

    def __neg__(self) -> Any:
        return ops.neg(self)

    def __abs__(self) -> Any:
        return ops.absolute(self)

    def __lt__(self, other: Any) -> Any:
        return ops.less(self, other)

    def __le__(self, other: Any) -> Any:
        return ops.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return ops.less(other, self)

    def __ge__(self, other: Any) -> Any:
        return ops.less_equal(other, self)


class Symbol(Formula):
    """A formula as text. Arithmetic and the operations of the table make longer formulas.

    >>> a, b = Symbol("a"), Symbol("b")
    >>> a * (a + b) / ops.exp(-b)
    a × (a + b) / exp(-b)
    """

    __slots__ = ("rank", "text")

    def __init__(self, text: str, rank: int = _ATOM) -> None:
        self.text = text
        self.rank = rank

    def __repr__(self) -> str:
        return self.text

    def apply(self, op: ops.Op, args: tuple[Any, ...]) -> Symbol:
        """Return the formula of ``op`` at ``args``."""
        if op in _INFIX:
            sign, rank = _INFIX[op]
            left, right = args
            return Symbol(f"{_text(left, rank)} {sign} {_text(right, rank + (sign in '-/'))}", rank)
        if op is ops.neg:
            return Symbol(f"-{_text(self, _SIGN)}", _SIGN)
        if op is ops.absolute:
            return Symbol(f"|{self}|")
        return Symbol(f"{op.name}({', '.join([_text(arg) for arg in args])})")

    def __gt__(self, other: Any) -> Symbol:  # the table has no row for it: a > 0 would be shown as 0 < a
        return Symbol(f"{self} > {_text(other)}", _CONDITION)

    def __ge__(self, other: Any) -> Symbol:
        return Symbol(f"{self} >= {_text(other)}", _CONDITION)


_INFIX = {
    ops.add: ("+", _SUM),
    ops.sub: ("-", _SUM),
    ops.mul: ("×", _PRODUCT),
    ops.div: ("/", _PRODUCT),
    ops.less: ("<", _CONDITION),
    ops.less_equal: ("<=", _CONDITION),
}


def _text(x: Any, rank: int = _CONDITION) -> str:
    """Return ``x`` as it stands inside a formula that holds together as strongly as ``rank``."""
    if isinstance(x, Symbol):
        return x.text if x.rank >= rank else f"({x.text})"
    return f"{x:.17g}"


def derivatives(op: ops.Op) -> tuple[str, ...]:
    """Return the partial derivatives of ``op`` by its arguments a, b, c, as formulas, in which ``y`` is the output.

    An operation of any number of arguments is shown with two of them (``dot`` with two pairs).

    >>> derivatives(ops.div)
    ('1 / b', '-y / b')
    """
    arity = 4 if op is ops.dot else 2 if op.arity is None else op.arity
    return tuple([_text(partial) for partial in op.partials(Symbol("y"), *[Symbol(name) for name in "abcd"[:arity]])])
