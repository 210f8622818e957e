"""The plan of a program, which stands between the passes of the compiler and the executors.

The passes end in a :class:`Plan`, and executors begin with it: neither knows of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograd.compiler.instructions import Pairwise, Product

if TYPE_CHECKING:
    import numpy as np

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.views import Space, View


@dataclass(frozen=True)
class Plan:
    """Everything that an executor may know: instructions, and the spaces that they read and write. It is plain data.

    A call gives the arrays of ``theta`` and ``inputs``. It runs ``forward``, and then ``backward`` if a gradient is wanted. Two
    things are the same in every call: the constants, which are the ``filled`` rows of spaces, and what ``once`` writes, which
    depends only on the number of examples. Executors that keep their arrays from call to call need not write these again.
    """

    forward: tuple[Instruction, ...]
    once: tuple[Instruction, ...]
    """Instructions that run before ``backward``, and may be run once for each batch size."""
    backward: tuple[Instruction, ...]
    spaces: tuple[Space, ...]
    theta: Space
    """The parameters: variables that all examples share."""
    inputs: tuple[Space, ...]
    """The arguments, arrays (batch, size)."""
    kinds: tuple[np.dtype[Any], ...]
    """The kind of numbers that each input array must hold: ``dtype``, or integers for what only indexes tables."""
    roots: View
    """The results of an example."""
    total: View
    """The one result whose sum or mean over the examples is differentiated. Without a ``reduction`` it has no meaning."""
    reduction: str | None
    """What becomes of the results of the examples: "mean" or "sum" gives one number and a gradient, None all results."""
    slopes: Space | None
    """The gradient: by theta, or by an input. None if nothing is differentiated."""
    trained: int
    """The number of rows, the first ones, that are differentiated by."""
    names: dict[View, str]
    """What squeezed views of theta are called, after the labels of the parameters. Several views may have one name."""
    parameters: tuple[int, ...]
    """The variable of the graph that each row of theta holds; -1 for a parameter that the graph does not use."""
    dtype: np.dtype[Any]

    @property
    def may_give_up(self) -> bool:
        """Whether some numbers must be finite."""
        return any(i.finite for i in (*self.forward, *self.backward) if isinstance(i, Product | Pairwise))

    @property
    def power(self) -> int:
        """The number n, so that the reduced result is batch ** n times the sum of what ``total`` holds.

        A mean over the examples is 1 / batch times their sum. A result that all examples share is its own mean, and comes
        ``batch`` times in a sum. A function without arguments has no examples, and its result comes once.
        """
        if self.total.batched:
            return -1 if self.reduction == "mean" else 0
        return 1 if self.inputs and self.reduction == "sum" else 0

    def __str__(self) -> str:
        """The instructions, one a line."""
        parts = {"forward": self.forward, "once": self.once, "backward": self.backward}
        return "".join([f"{name}:\n" + "".join([f"    {i}\n" for i in part]) for name, part in parts.items() if part])


class NotFiniteError(ArithmeticError):
    """Raised by an executor that gives up: a number is not finite that a zero which the function does not have would meet."""
