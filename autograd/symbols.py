"""Formulas as text: a row's partial derivatives applied to names, so that the table prints itself."""

from __future__ import annotations

from typing import Any

from autograd import ops

_SUM, _PRODUCT, _SIGN, _ATOM = range(1, 5)  # how strongly a formula holds together


class Symbol(ops.Operand):
    """A formula. Arithmetic and the operations of the table give longer formulas.

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
        """The formula of ``op`` at ``args``."""
        return Symbol(f"{op.name}({', '.join(map(_text, args))})")

    def __add__(self, other: Any) -> Symbol:
        return _infix(self, "+", other, _SUM)

    def __sub__(self, other: Any) -> Symbol:
        return _infix(self, "-", other, _SUM)

    def __mul__(self, other: Any) -> Symbol:
        return _infix(self, "×", other, _PRODUCT)

    def __truediv__(self, other: Any) -> Symbol:
        return _infix(self, "/", other, _PRODUCT)

    def __radd__(self, other: Any) -> Symbol:
        return _infix(other, "+", self, _SUM)

    def __rsub__(self, other: Any) -> Symbol:
        return _infix(other, "-", self, _SUM)

    def __rmul__(self, other: Any) -> Symbol:
        return _infix(other, "×", self, _PRODUCT)

    def __rtruediv__(self, other: Any) -> Symbol:
        return _infix(other, "/", self, _PRODUCT)

    def __neg__(self) -> Symbol:
        return Symbol(f"-{_text(self, _SIGN)}", _SIGN)

    def __abs__(self) -> Symbol:
        return Symbol(f"|{self}|")

    def __lt__(self, other: Any) -> Symbol:
        return Symbol(f"{self} < {_text(other)}", 0)

    def __le__(self, other: Any) -> Symbol:
        return Symbol(f"{self} <= {_text(other)}", 0)

    def __gt__(self, other: Any) -> Symbol:
        return Symbol(f"{self} > {_text(other)}", 0)

    def __ge__(self, other: Any) -> Symbol:
        return Symbol(f"{self} >= {_text(other)}", 0)


def _text(x: Any, rank: int = 0) -> str:
    """``x`` as it stands inside a formula that holds together as strongly as ``rank``."""
    if isinstance(x, Symbol):
        return x.text if x.rank >= rank else f"({x.text})"
    return f"{x:.17g}"


def _infix(left: Any, sign: str, right: Any, rank: int) -> Symbol:
    return Symbol(f"{_text(left, rank)} {sign} {_text(right, rank + (sign in '-/'))}", rank)


def derivatives(op: ops.Op) -> tuple[str, ...]:
    """The partial derivatives of ``op`` by its arguments a, b, c, as formulas; ``y`` is its output.

    An operation of any number of arguments is shown with two (``dot`` with two pairs).

    >>> derivatives(ops.div)
    ('1 / b', '-y / b')
    """
    arity = 4 if op is ops.dot else 2 if op in NARY else len(op.domain)
    return tuple([_text(partial) for partial in op.partials(Symbol("y"), *map(Symbol, "abcd"[:arity]))])


NARY = (ops.dot, ops.fsum, ops.prod, ops.hypot, ops.logsumexp, ops.select, ops.maximum, ops.minimum)
