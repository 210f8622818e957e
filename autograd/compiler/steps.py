"""The steps of a chain: operations on single rows, as a table, where so little packs that a line of source each is too much.

A chain writes the rows of ``y``, one a step, from rows of ``x``, from numbers, and from rows that it has written:

    y = x[0]                         cells         0      1     2        3         4         5
    for w in (w1, w2):               hold          x[0]   w1    w2       y[0]      y[1]      y[2]
        y = sin(y) * w               step                                sin(0)    mul(3,1)  …

The table holds an operation for each step, and the cells of its arguments.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autograd import ops


_SHOWN = 3
"""The number of steps that a text shows."""


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps, as arrays. Cells are numbered as above: the rows of x, the numbers, the rows of y."""

    rows: list[ops.Op]
    """The operations."""
    code: NDArray[np.int32]
    """The place in ``rows`` of each step's operation."""
    first: NDArray[np.int32]
    """The cells of step k's arguments are ``arg[first[k]:first[k + 1]]``."""
    arg: NDArray[np.int32]
    given: int
    """The number of rows of x."""
    numbers: list[float]
    back: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """The steps that the reverse sweep visits, in its order."""
    target: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """For each item of ``arg``: its cell, if the reverse sweep hands a cotangent to it there, and else -1."""
    adds: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """For each item of ``arg``: whether that cotangent is added to an earlier one."""
    received: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """The steps whose cotangents others have written before the sweep."""

    @property
    def base(self) -> int:
        """The cell of the first step."""
        return self.given + len(self.numbers)

    def differentiate(self, received: NDArray[np.bool_], active: NDArray[np.bool_]) -> Steps:
        """The steps with a reverse sweep, from the steps that have ``received`` a cotangent to the cells that are ``active``.

        For ``y = a * a`` and ``z = y + a``, where z has received one, the sweep visits z, then y: z writes the cotangent of
        y, z writes that of a, y adds to that of a twice. So ``adds`` is (for y) True, True, (for z) False, False.
        """
        base, first, arg = self.base, self.first.tolist(), self.arg.tolist()
        written = [False] * base + received.tolist()
        alive, stopped = active.tolist(), [row.stops for row in self.rows]
        back, target, adds = [], [-1] * len(arg), [False] * len(arg)
        for k, code in zip(range(len(self.code) - 1, -1, -1), self.code[::-1].tolist(), strict=True):
            if written[base + k] and alive[base + k] and not stopped[code]:
                back.append(k)
                for j in range(first[k], first[k + 1]):
                    if alive[a := arg[j]]:
                        target[j], adds[j] = a, written[a]
                        written[a] = True
        return Steps(
            self.rows, self.code, self.first, self.arg, self.given, self.numbers,
            np.array(back, np.int32), np.array(target, np.int32), np.array(adds, bool), received,
        )  # fmt: skip

    def reached(self, active: NDArray[np.bool_]) -> list[bool]:
        """Which steps depend on rows of x that are ``active``, by a path without a step that ``stops`` gradients."""
        first, arg, stopped = self.first.tolist(), self.arg.tolist(), [row.stops for row in self.rows]
        alive = [*active.tolist(), *[False] * len(self.numbers)]
        for k, code in enumerate(self.code.tolist()):
            alive.append(not stopped[code] and any([alive[a] for a in arg[first[k] : first[k + 1]]]))
        return alive[self.base :]

    @functools.cached_property
    def ends(self) -> NDArray[np.int32]:
        """The rows of x whose cotangents the sweep writes."""
        return np.unique(self.target[(self.target >= 0) & (self.target < self.given)])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}

    def __str__(self) -> str:
        """The first steps, and how many there are."""
        shown = range(min(_SHOWN, len(self.code)))
        cells = [f"x[{i}]" for i in range(self.given)] + [repr(n) for n in self.numbers] + [f"y[{k}]" for k in shown]
        steps = []
        for k in shown:
            args = ", ".join([cells[a] for a in self.arg[self.first[k] : self.first[k + 1]]])
            steps.append(f"y[{k}] = {self.rows[self.code[k]].name}({args})")
        return f"{len(self.code):,} steps: {'; '.join(steps)}{'; …' * (len(shown) < len(self.code))}"
