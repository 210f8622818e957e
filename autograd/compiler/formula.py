"""Partial derivatives as expressions in NumPy's functions, for source code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd import ops
from autograd.symbols import Formula


class Spelled(Formula):
    """An expression of arrays, or of numbers alone if ``number`` is true.

    >>> Spelled("a") * ops.exp(-Spelled("b"))
    np.multiply(a, np.exp(np.negative(b)))
    """

    __slots__ = ("number", "text")

    def __init__(self, text: str, *, number: bool = False) -> None:
        self.text = text
        self.number = number

    def __repr__(self) -> str:
        return self.text

    def apply(self, op: ops.Op, args: tuple[Any, ...]) -> Any:
        """The expression of ``op`` at ``args``. A choice by a number is made here."""
        if op is ops.where and not isinstance(args[0], Spelled):
            return args[1] if args[0] else args[2]
        texts = [arg.text if isinstance(arg, Spelled) else literal(float(arg)) for arg in args]
        number = all([not isinstance(arg, Spelled) or arg.number for arg in args])
        kernel: Any = op.on_arrays
        if op is ops.where and args[0].number:
            return Spelled(f"({texts[1]} if {texts[0]} else {texts[2]})", number=number)
        name = f"np.{kernel.__name__}" if isinstance(kernel, np.ufunc) else op.name
        return Spelled(f"{name}({', '.join(texts)})", number=number)


def literal(number: float) -> str:
    """The source of a number."""
    return repr(number) if math.isfinite(number) else f"{'-' if number < 0 else ''}np.{abs(number)!r}"
