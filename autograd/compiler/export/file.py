"""What an exported file is made of, as plain data: statements, tables of numbers, and the functions that they belong to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograd.compiler.calls import NUMBER

if TYPE_CHECKING:
    from autograd.compiler.views import View


@dataclass(frozen=True)
class Loop:
    """``body`` for each whole number from ``start`` to before ``stop``."""

    variable: str
    start: str
    stop: str
    body: list[Statement]


Statement = Loop | str


@dataclass(frozen=True)
class Table:
    """Constant numbers."""

    name: str
    numbers: list[float] | list[int]
    shape: tuple[int, ...] = ()
    """That of a matrix, if they are one."""
    start: int = 0
    """The row of their space where they begin."""


@dataclass(frozen=True)
class Argument:
    """An array that the exported functions take."""

    name: str
    shape: tuple[int, ...]
    index: bool
    """Whether the function uses it as an index. Then there is no derivative by it."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def about(self) -> str:
        """What it holds, in words."""
        if self.shape == ():
            return "a whole number" if self.index else "a number"
        numbers = f"{' x '.join(map(str, self.shape))} {'whole ' * self.index}number{'s' * (self.size != 1)}"
        return f"{numbers}, row by row" if len(self.shape) > 1 else numbers


@dataclass(frozen=True)
class Function:
    """One of the two functions of a file."""

    body: list[Statement]
    arrays: list[tuple[str, int]]
    """The name and the size of each array that the statements write to."""


@dataclass(frozen=True)
class Exported:
    """What a file is made of.

    Two arrays that the statements read must be made of the arguments: the one that is called like ``inputs`` holds the numbers
    of all arguments that are differentiated by, one argument after the other, and ``cotangents`` one number for each result.
    ``gradient`` leaves the derivatives in the array ``slopes``, in the same order as in ``inputs``.
    """

    title: str
    """The name of the function."""
    form: Any
    """The form of its result: see ``calls.NUMBER``."""
    outputs: int
    """How many numbers the result holds."""
    arguments: list[Argument]
    inputs: str
    slopes: str
    results: View
    """Where ``predict`` leaves the numbers of the result."""
    tables: list[Table]
    predict: Function
    gradient: Function | None
    """None if there is nothing to differentiate by."""

    @property
    def trained(self) -> list[Argument]:
        """The arguments that are differentiated by."""
        return [a for a in self.arguments if not a.index]

    @property
    def looked_up(self) -> list[Argument]:
        """The arguments that are indices."""
        return [a for a in self.arguments if a.index]

    @property
    def places(self) -> list[tuple[int, Argument]]:
        """For each argument that is differentiated by: where its numbers begin in ``inputs``."""
        sizes = [a.size for a in self.trained]
        return [(sum(sizes[:k]), a) for k, a in enumerate(self.trained)]

    # In words

    @property
    def what(self) -> str:
        """What the file computes."""
        return "Prediction" if self.gradient is None else "Prediction and gradient"

    @property
    def output(self) -> str:
        """What ``predict`` gives."""
        return "a number" if self.form is NUMBER else f"{self.outputs} number{'s' * (self.outputs > 1)}"

    @property
    def derivatives(self) -> str:
        """What ``gradient`` gives."""
        *names, last = [a.name for a in self.trained]
        by = f"{', '.join(names)} and {last}" if names else last
        of = "the result, times cotangent" if self.outputs == 1 else "the sum of the results, each times its cotangent"
        return f"the derivatives by {by} of {of}"
