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
from autograd.compiler.formula import Spelled
from autograd.kernels import relu_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Steps = list[tuple[Any, ...]]

_UNARY, _MANY = -1, -2
"""In the place of a second argument: there is none; the first is a tuple of all."""
REDUCED = {ops.fsum: np.add, ops.hypot: np.hypot}
"""Rows of any number of arguments that NumPy folds."""


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
    def reached_by_sweep(self) -> NDArray[np.int32]:
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

    def _steps(self, which: Sequence[int], functions: Sequence[Any]) -> Iterator[tuple[Any, int, Any, int]]:
        """For each of the steps: one of the ``functions`` of rows, the step's cell, its first and its second argument."""
        first, arg, code, base = self.first.tolist(), self.arg.tolist(), self.code.tolist(), self.base
        for k in which:
            start, stop = first[k], first[k + 1]
            f = functions[code[k]]
            if stop - start == 1:
                yield f, base + k, arg[start], _UNARY
            elif stop - start == 2:  # noqa: PLR2004 - two arguments
                yield f, base + k, arg[start], arg[start + 1]
            else:
                yield f, base + k, tuple(arg[start:stop]), _MANY

    @functools.cached_property
    def _on_floats(self) -> Steps:
        return [*self._steps(range(len(self.code)), [row.on_floats for row in self.rows])]

    @functools.cached_property
    def _on_arrays(self) -> Steps:
        return [*self._steps(range(len(self.code)), [*map(_with_room, self.rows)])]

    def forward(self, x: NDArray[Any], out: NDArray[Any]) -> None:
        """Take all steps: rows of ``x`` (rows, examples) to rows of ``out``."""
        if _single(x):
            numbers = self._numbers(x)
            out.reshape(-1)[:] = numbers[self.base :]
            return
        cells = self._cells(x, out)
        for kernel, k, a, b in self._on_arrays:
            if b >= 0:
                kernel(cells[a], cells[b], out=cells[k])
            elif b == _UNARY:
                kernel(cells[a], out=cells[k])
            else:
                kernel(*[cells[c] for c in a], out=cells[k])

    def _numbers(self, x: NDArray[Any]) -> list[float]:
        """All cells, as floats."""
        cells: list[float] = [*x.ravel().tolist(), *self.numbers]
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
        return [*x.reshape(len(x), -1), *map(x.dtype.type, self.numbers), *out.reshape(len(out), -1)]

    # Backward

    @functools.cached_property
    def _slopes_of_floats(self) -> Steps:
        return [*self._steps(self.back.tolist(), [row.partials for row in self.rows])]

    @functools.cached_property
    def _slopes_of_arrays(self) -> Steps:
        """For each step of the sweep: the slopes, the step's cell, those of its arguments, and what becomes of each slope."""
        first, arg, code, base = self.first.tolist(), self.arg.tolist(), self.code.tolist(), self.base
        target, adds = self.target.tolist(), self.adds.tolist()
        known: dict[object, Any] = {}
        steps = []
        for k in self.back.tolist():
            start, stop = first[k], first[k + 1]
            args = tuple(arg[start:stop])
            wanted = tuple([t >= 0 for t in target[start:stop]])
            numbers = tuple([self.given <= a < base for a in args])
            key = code[k], wanted, numbers
            if key not in known:
                known[key] = slopes(self.rows[code[k]], wanted, numbers)
            ends = tuple([(t, add) for t, add in zip(target[start:stop], adds[start:stop], strict=True) if t >= 0])
            steps.append((known[key], base + k, args, ends))
        return steps

    def reverse(self, x: NDArray[Any], y: NDArray[Any], d_x: NDArray[Any], d_y: NDArray[Any]) -> None:
        """Hand on the cotangents ``d_y`` of all steps, which are completed on the way, to those of the rows of ``x``."""
        if _single(x):
            self._reverse_floats(x, y, d_x, d_y)
            return
        cells, grads = self._cells(x, y), self._cells(d_x, d_y)
        multiply, add, subtract = np.multiply, np.add, np.subtract
        for slopes_of, k, args, ends in self._slopes_of_arrays:
            g = grads[k]
            for (to, adds), slope in zip(ends, slopes_of(cells[k], *[cells[a] for a in args]), strict=True):
                end = grads[to]
                if slope is _ONE:
                    if adds:
                        add(end, g, out=end)
                    else:
                        end[...] = g
                elif not adds:
                    multiply(g, slope, out=end)
                elif slope is _MINUS_ONE:
                    subtract(end, g, out=end)
                else:
                    add(end, g * slope, out=end)

    def _reverse_floats(self, x: NDArray[Any], y: NDArray[Any], d_x: NDArray[Any], d_y: NDArray[Any]) -> None:
        cells = [*x.ravel().tolist(), *self.numbers, *y.ravel().tolist()]
        grads = [0.0] * self.base + np.where(self.received, d_y.ravel(), 0.0).tolist()
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
        d_x.reshape(-1)[self.reached_by_sweep] = [grads[c] for c in self.reached_by_sweep.tolist()]


def _single(x: NDArray[Any]) -> bool:
    """Whether the rows of ``x`` are single numbers of the precision of Python's floats."""
    return x.size == len(x) and x.dtype == np.float64


def _with_room(row: ops.Op) -> Callable[..., Any]:
    """The row's function on arrays, which writes its result to ``out``."""
    kernel: Any = row.on_arrays
    if isinstance(kernel, np.ufunc) or kernel is relu_array:
        return kernel  # type: ignore[no-any-return]  # a ufunc is a function
    if row in REDUCED:
        kernel = functools.partial(_folded, REDUCED[row])

    def store(*args: Any, out: NDArray[Any]) -> None:
        out[...] = kernel(*args)

    return store


def _folded(ufunc: Any, *args: Any) -> Any:
    return functools.reduce(ufunc, args[1:], args[0] if len(args) > 1 else ufunc(args[0], 0.0))


_ONE, _MINUS_ONE = 1.0, -1.0
"""Slopes that are known, by identity."""


def slopes(row: ops.Op, wanted: Sequence[bool], numbers: Sequence[bool]) -> Callable[..., tuple[Any, ...]]:
    """The partial derivatives that are ``wanted`` as a function of y and the arguments, which are arrays or ``numbers``.

    >>> slopes(ops.mul, [True, False], [False, True])(6.0, 2.0, 3.0)
    (3.0,)
    """
    names = [f"a{n}" for n in range(len(numbers))]
    partials = row.partials(Spelled("y"), *[Spelled(name, number=n) for name, n in zip(names, numbers, strict=True)])
    texts = []
    for partial, is_wanted in zip(partials, wanted, strict=True):
        if is_wanted:
            known = {1.0: "ONE", -1.0: "MINUS_ONE"}
            texts.append(partial.text if isinstance(partial, Spelled) else known.get(float(partial), repr(float(partial))))
    source = f"lambda y, {', '.join(names)}: ({', '.join(texts)},)"
    kernels = {name: op.on_arrays for name, op in ops.TABLE.items()}
    return eval(source, {**kernels, "np": np, "ONE": _ONE, "MINUS_ONE": _MINUS_ONE})  # type: ignore[no-any-return]  # noqa: S307 - its own
