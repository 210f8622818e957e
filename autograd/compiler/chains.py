"""Runs of operations on single rows, as a table of steps: where nothing packs, a line of source a step is too much.

A chain writes the rows of ``out``, one a step, from rows of ``x``, from numbers and from rows that it has written:

    y = x[0]                         cells         0      1     2        3         4         5
    for w in (w1, w2):               hold          x[0]   w1    w2       out[0]    out[1]    out[2]
        y = sin(y) * w               step                                sin(0)    mul(3,1)  …

The table holds for each step an operation and the cells of its arguments. Where a row is one number, the steps are taken on
floats, as eager code takes them; else on arrays of one number an example.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler.emit import index
from autograd.compiler.folds import FOLDED
from autograd.compiler.formula import Spelled
from autograd.kernels import relu_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Steps = list[tuple[Any, ...]]

_UNARY, _MANY = -1, -2
"""In the place of a second argument: there is none; the first is a tuple of all."""


@dataclass
class Chain:
    """The steps. ``cells`` are numbered as above: the rows of x, the numbers, the rows of out."""

    rows: list[ops.Op]
    """The operations."""
    code: NDArray[np.int32]
    """Which of them each step takes."""
    first: NDArray[np.int32]
    """The cells of step k's arguments are ``arg[first[k]:first[k + 1]]``."""
    arg: NDArray[np.int32]
    given: int
    """How many rows x has."""
    numbers: list[float]
    back: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """The steps that the reverse sweep visits, in its order."""
    target: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """For each item of ``arg``, the cell to which the reverse sweep hands something on; -1 if there is none."""
    adds: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """Whether it adds to what is there already."""
    received: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """The steps whose cotangents others have written before the sweep."""

    @property
    def base(self) -> int:
        """The cell of the first step."""
        return self.given + len(self.numbers)

    def differentiate(self, received: NDArray[np.bool_], active: NDArray[np.bool_], stops: Sequence[ops.Op]) -> Chain:
        """The same with a reverse sweep, from the steps that have ``received`` a cotangent to the cells that are ``active``.

        Of ``y = a * a`` and ``z = y + a``, where z has received one: z writes to y, z writes to a, y adds to a twice.
        """
        base, first, arg = self.base, self.first.tolist(), self.arg.tolist()
        written = [False] * base + received.tolist()
        alive, stopped = active.tolist(), [row in stops for row in self.rows]
        back, target, adds = [], [-1] * len(arg), [False] * len(arg)
        for k, code in zip(range(len(self.code) - 1, -1, -1), self.code[::-1].tolist(), strict=True):
            if written[base + k] and alive[base + k] and not stopped[code]:
                back.append(k)
                for j in range(first[k], first[k + 1]):
                    if alive[a := arg[j]]:
                        target[j], adds[j] = a, written[a]
                        written[a] = True
        return Chain(
            self.rows, self.code, self.first, self.arg, self.given, self.numbers,
            np.array(back, np.int32), np.array(target, np.int32), np.array(adds, bool), received,
        )  # fmt: skip

    def reached(self, active: NDArray[np.bool_], stops: Sequence[ops.Op]) -> list[bool]:
        """The steps to which something leads from the rows of x that are ``active``, other than through ``stops``."""
        first, arg, stopped = self.first.tolist(), self.arg.tolist(), [row in stops for row in self.rows]
        alive = [*active.tolist(), *[False] * len(self.numbers)]
        for k, code in enumerate(self.code.tolist()):
            alive.append(not stopped[code] and any([alive[a] for a in arg[first[k] : first[k + 1]]]))
        return alive[self.base :]

    @functools.cached_property
    def ends(self) -> NDArray[np.int32]:
        """The rows of x to whose cotangents the sweep hands something on."""
        return np.unique(self.target[(self.target >= 0) & (self.target < self.given)])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}

    def about(self, shown: int = 3) -> str:
        """The first steps, for a comment."""
        cells = [f"x[{i}]" for i in range(self.given)] + [repr(n) for n in self.numbers]
        cells += [f"y[{k}]" for k in range(min(shown, len(self.code)))]
        steps = []
        for k in range(min(shown, len(self.code))):
            args = ", ".join([cells[a] for a in self.arg[self.first[k] : self.first[k + 1]]])
            steps.append(f"y[{k}] = {self.rows[self.code[k]].name}({args})")
        return f"{len(self.code):,} steps: {'; '.join(steps)}{'; …' * (shown < len(self.code))}"

    # Forward

    def _steps(self, which: Sequence[int], function: Callable[[int], Any]) -> Steps:
        """For each of the steps: its function, its cell, that of its first argument and that of its second one."""
        first, arg, base = self.first.tolist(), self.arg.tolist(), self.base
        steps: Steps = []
        for k in which:
            start, stop = first[k], first[k + 1]
            if stop - start == 1:
                steps.append((function(k), base + k, arg[start], _UNARY))
            elif stop - start == 2:  # noqa: PLR2004 - two arguments
                steps.append((function(k), base + k, arg[start], arg[start + 1]))
            else:
                steps.append((function(k), base + k, tuple(arg[start:stop]), _MANY))
        return steps

    def _by_row(self, which: Sequence[int], functions: Sequence[Any]) -> Steps:
        code = self.code.tolist()
        return self._steps(which, lambda k: functions[code[k]])

    @functools.cached_property
    def _on_floats(self) -> Steps:
        return self._by_row(range(len(self.code)), [row.on_floats for row in self.rows])

    @functools.cached_property
    def _on_arrays(self) -> Steps:
        return self._by_row(range(len(self.code)), [*map(_with_room, self.rows)])

    def forward(self, x: NDArray[Any], out: NDArray[Any]) -> None:
        """Take all steps: rows of ``x`` (rows, examples) to rows of ``out``."""
        x, out = x.reshape(len(x), -1), out.reshape(len(out), -1)
        if _few(x):
            for example in range(x.shape[1]):
                out[:, example] = self._numbers(x[:, example].tolist())[self.base :]
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
        """All cells of an example."""
        cells = [*x, *self.numbers]
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
        """All cells, as arrays of one number an example."""
        return [*x, *map(x.dtype.type, self.numbers), *out]

    # Backward

    @functools.cached_property
    def _slopes_of_floats(self) -> Steps:
        return self._by_row(self.back.tolist(), [row.partials for row in self.rows])

    @functools.cached_property
    def _transposes(self) -> Steps:
        first, arg, code = self.first.tolist(), self.arg.tolist(), self.code.tolist()
        target, adds = self.target.tolist(), self.adds.tolist()

        def function(k: int) -> Any:
            slots = range(first[k], first[k + 1])
            hands = tuple([None if target[j] < 0 else adds[j] for j in slots])
            return transpose(self.rows[code[k]], hands, tuple([self.given <= arg[j] < self.base for j in slots]))

        return self._steps(self.back.tolist(), function)

    def reverse(self, x: NDArray[Any], y: NDArray[Any], d_x: NDArray[Any], d_y: NDArray[Any]) -> None:
        """Hand on the cotangents ``d_y`` of all steps, which are completed on the way, to those of the rows of ``x``."""
        x, y, d_x, d_y = [rows.reshape(len(rows), -1) for rows in (x, y, d_x, d_y)]
        if _few(x):
            for example in range(x.shape[1]):
                given = np.where(self.received, d_y[:, example], 0.0).tolist()
                slopes = self._reversed([*x[:, example].tolist(), *self.numbers, *y[:, example].tolist()], given)
                d_x[self.ends, example] = [slopes[c] for c in self.ends.tolist()]
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
        """The cotangents of all cells of an example, from those that were ``given`` for the steps."""
        grads = [0.0] * self.base + given
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
"""So many examples take less time one by one, on floats."""


def _few(x: NDArray[Any]) -> bool:
    """Whether ``x`` (rows, examples) holds a few examples of the precision of Python's floats."""
    return x.shape[1] <= _FEW and x.dtype == np.float64


def _with_room(row: ops.Op) -> Callable[..., Any]:
    """The row's function on arrays, which writes its result to ``out``."""
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
    """A function of a step's cotangent g, its y, its arguments a0, a1, … and their cotangents d0, d1, …, to which it hands on.

    ``hands`` says for each argument whether its cotangent is written (False), added to (True), or none of this one's business
    (None); ``numbers`` says which arguments are numbers. Of a product that writes to the first and adds to the second, it is

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
    exec(source, space)  # noqa: S102 - its own source
    return space["hand_on"]  # type: ignore[no-any-return]  # a function
