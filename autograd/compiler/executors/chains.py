"""Runs chains: on Python's floats, one example after the other, if there are one or two, and on arrays if there are more.

A call of a NumPy function on an array of one number takes ten times as long as the same operation on a float.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.executors.runtime import index
from autograd.compiler.folds import FOLDED
from autograd.compiler.formula import Spelled
from autograd.kernels import relu_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.steps import Steps

    Calls = list[tuple[Any, ...]]
    """For each step: its function, its cell, that of its first argument and that of its second one."""

_UNARY, _MANY = -1, -2
"""In the place of the second argument: the step takes one argument; it takes many, and the first is a tuple of all."""


class Runner:
    """Runs the ``steps`` of a chain, forward and in reverse. A pickle holds the steps alone."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __getstate__(self) -> dict[str, Any]:
        return {"steps": self.steps}

    # Forward

    def _calls(self, which: Sequence[int], function: Callable[[int], Any]) -> Calls:
        """The calls of the steps ``which``, whose functions ``function`` gives."""
        first, arg, base = self.steps.first.tolist(), self.steps.arg.tolist(), self.steps.base
        calls: Calls = []
        for k in which:
            start, stop = first[k], first[k + 1]
            if stop - start == 1:
                calls.append((function(k), base + k, arg[start], _UNARY))
            elif stop - start == 2:  # noqa: PLR2004 - two arguments
                calls.append((function(k), base + k, arg[start], arg[start + 1]))
            else:
                calls.append((function(k), base + k, tuple(arg[start:stop]), _MANY))
        return calls

    def _by_row(self, which: Sequence[int], functions: Sequence[Any]) -> Calls:
        code = self.steps.code.tolist()
        return self._calls(which, lambda k: functions[code[k]])

    @functools.cached_property
    def _on_floats(self) -> Calls:
        return self._by_row(range(len(self.steps.code)), [row.on_floats for row in self.steps.rows])

    @functools.cached_property
    def _on_arrays(self) -> Calls:
        return self._by_row(range(len(self.steps.code)), [*map(_with_room, self.steps.rows)])

    def forward(self, x: NDArray[Any], out: NDArray[Any]) -> None:
        """Take all steps, from the rows of ``x`` (rows, examples), and write their results to the rows of ``out``."""
        x, out = x.reshape(len(x), -1), out.reshape(len(out), -1)
        if _few(x):
            for example in range(x.shape[1]):
                out[:, example] = self._numbers(x[:, example].tolist())[self.steps.base :]
            return
        cells = self._cells(x, out)
        for kernel, k, a, b in self._on_arrays:
            if b >= 0:
                kernel(cells[a], cells[b], out=cells[k])
            elif b == _UNARY:
                kernel(cells[a], out=cells[k])
            else:
                kernel(*[cells[c] for c in a], out=cells[k])

    def _numbers(self, x: list[float]) -> list[float]:
        """The numbers in all cells, for one example."""
        cells = [*x, *self.steps.numbers]
        append = cells.append
        for kernel, _, a, b in self._on_floats:
            if b >= 0:
                append(kernel(cells[a], cells[b]))
            elif b == _UNARY:
                append(kernel(cells[a]))
            else:
                append(kernel(*[cells[c] for c in a]))
        return cells

    def _cells(self, x: NDArray[Any], out: NDArray[Any]) -> list[Any]:
        """The arrays of all cells, each with one number for each example."""
        return [*x, *map(x.dtype.type, self.steps.numbers), *out]

    # Backward

    @functools.cached_property
    def _slopes_of_floats(self) -> Calls:
        return self._by_row(self.steps.back.tolist(), [row.partials for row in self.steps.rows])

    @functools.cached_property
    def _transposes(self) -> Calls:
        first, arg, code = self.steps.first.tolist(), self.steps.arg.tolist(), self.steps.code.tolist()
        target, adds = self.steps.target.tolist(), self.steps.adds.tolist()

        def function(k: int) -> Any:
            slots = range(first[k], first[k + 1])
            hands = tuple([None if target[j] < 0 else adds[j] for j in slots])
            return transpose(
                self.steps.rows[code[k]], hands, tuple([self.steps.given <= arg[j] < self.steps.base for j in slots])
            )

        return self._calls(self.steps.back.tolist(), function)

    def reverse(self, x: NDArray[Any], y: NDArray[Any], d_x: NDArray[Any], d_y: NDArray[Any]) -> None:
        """Complete the cotangents ``d_y`` of the steps, from last to first, and write the cotangents of x to ``d_x``."""
        x, y, d_x, d_y = [rows.reshape(len(rows), -1) for rows in (x, y, d_x, d_y)]
        if _few(x):
            for example in range(x.shape[1]):
                given = np.where(self.steps.received, d_y[:, example], 0.0).tolist()
                slopes = self._reversed([*x[:, example].tolist(), *self.steps.numbers, *y[:, example].tolist()], given)
                d_x[self.steps.ends, example] = [slopes[c] for c in self.steps.ends.tolist()]
            return
        cells, grads = self._cells(x, y), self._cells(d_x, d_y)
        for hand_on, k, a, b in self._transposes:
            if b >= 0:
                hand_on(grads[k], cells[k], cells[a], cells[b], grads[a], grads[b])
            elif b == _UNARY:
                hand_on(grads[k], cells[k], cells[a], grads[a])
            else:
                hand_on(grads[k], cells[k], *[cells[c] for c in a], *[grads[c] for c in a])

    def _reversed(self, cells: list[float], given: list[float]) -> list[float]:
        """The cotangents of all cells, for one example, from those that were ``given`` to the steps."""
        grads = [0.0] * self.steps.base + given
        for partials, k, a, b in self._slopes_of_floats:
            g = grads[k]
            if b >= 0:
                by_a, by_b = partials(cells[k], cells[a], cells[b])
                grads[a] += g * by_a
                grads[b] += g * by_b
            elif b == _UNARY:
                (by_a,) = partials(cells[k], cells[a])
                grads[a] += g * by_a
            else:
                for c, by_c in zip(a, partials(cells[k], *[cells[c] for c in a]), strict=True):
                    grads[c] += g * by_c
        return grads


_FEW = 2
"""Up to this number of examples, floats take less time than arrays."""


def _few(x: NDArray[Any]) -> bool:
    """Whether ``x`` (rows, examples) holds few examples, in the precision of Python's floats."""
    return x.shape[1] <= _FEW and x.dtype == np.float64


def _with_room(row: ops.Op) -> Callable[..., Any]:
    """The row's function on arrays, with an argument ``out`` for its result."""
    kernel: Any = row.on_arrays
    if isinstance(kernel, np.ufunc) or kernel is relu_array:
        return kernel
    if row is ops.select:
        return _chosen
    if row in FOLDED:
        return functools.partial(_folded, FOLDED[row])

    def store(*args: Any, out: NDArray[Any]) -> None:
        out[...] = kernel(*args)

    return store


def _chosen(numbers: NDArray[Any], *values: Any, out: NDArray[Any]) -> None:
    np.choose(index(numbers, len(values)), values, out=out, mode="clip")


def _folded(ufunc: Any, *args: Any, out: NDArray[Any]) -> None:
    *others, last = args if len(args) > 1 else (0.0, *args)  # the norm of one number is that of two, one of which is 0
    ufunc(functools.reduce(ufunc, others), last, out=out)


@functools.cache
def transpose(row: ops.Op, hands: tuple[bool | None, ...], numbers: tuple[bool, ...]) -> Callable[..., None]:
    """The function that hands a step's cotangent g on to the cotangents d0, d1, … of its arguments a0, a1, …; y is its result.

    ``hands`` says for each argument whether its cotangent is written (False), added to (True) or left alone (None).
    ``numbers`` says which arguments are numbers. For a product that writes to the first and adds to the second, it is

        def mul(g, y, a0, a1, d0, d1):
            multiply(g, a1, d0)
            add(d1, multiply(g, a0), d1)
    """
    count = len(numbers)
    args = [Spelled(f"a{n}", number=is_number) for n, is_number in enumerate(numbers)]
    lines = []
    for n, (partial, adds) in enumerate(zip(row.partials(Spelled("y"), *args), hands, strict=True)):
        if adds is None:
            continue
        if isinstance(partial, Spelled):
            lines.append(f"add(d{n}, multiply(g, {partial}), d{n})" if adds else f"multiply(g, {partial}, d{n})")
        elif partial == 1.0:
            lines.append(f"add(d{n}, g, d{n})" if adds else f"d{n}[...] = g")
        elif partial == -1.0:
            lines.append(f"subtract(d{n}, g, d{n})" if adds else f"negative(g, d{n})")
        else:
            product = f"multiply(g, {float(partial)!r}"
            lines.append(f"add(d{n}, {product}), d{n})" if adds else f"{product}, d{n})")
    names = ", ".join(["g", "y", *[f"a{n}" for n in range(count)], *[f"d{n}" for n in range(count)]])
    source = f"def hand_on({names}):\n    " + "\n    ".join(lines)
    space: dict[str, Any] = {name: op.on_arrays for name, op in ops.TABLE.items()}
    space |= {"np": np, "multiply": np.multiply, "add": np.add, "subtract": np.subtract, "negative": np.negative}
    exec(source, space)  # noqa: S102 - source that is written above, of names and numbers
    return space["hand_on"]  # type: ignore[no-any-return]  # the source above defines it
