"""The check of a recording: on a few examples, the program must give what the function itself gives.

A function that looks at the type or the number of a Value computes something else for other examples than its recording does:

    def f(x):
        return w * x if x.data > 0 else x      # recorded with x = 3.0, the program is w * x for every x

The check calls ``f`` with other examples, as Values and as plain numbers, and compares. Rounding must not count: the program
adds in another order than the function. So numbers that differ are looked at again, relative to the largest number on the way
to them, and with noise of the size of rounding errors added to each node.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from dataclasses import dataclass
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import trees
from autograd.compiler import oracle
from autograd.compiler.calls import numbers_of, rows
from autograd.compiler.varied import varied
from autograd.errors import RecordingError
from autograd.graph import topological_sort
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.calls import Call
    from autograd.compiler.record import Graph

CLOSE = {"float64": (1e-9, 1e-12), "float32": (1e-3, 1e-5)}
"""How far program and function may differ: relative to the result, and relative to the largest number on the way to it."""
_OVERFLOWS = {"float64": 1e150, "float32": 1e19}
"""Squares of numbers larger than this, and sums of them, may overflow, in one order of adding or in all."""
_NOISY = 4
"""How often the recorded graph is run with noise before a difference counts."""
_LOOKED_AT = 8
"""The number of different examples to check at most."""
_SHARE = 1 / 8
"""The share of the time of recording and compiling that the check may take, after the first of these examples."""
_AT_ONCE = 0.002
"""The check may take this many seconds in any case: nobody notices them."""
_SHOWN = 4
"""How many numbers a message shows."""
_GIVE_IT = (
    "Its result does not depend on its arguments and on Values alone. Pass what changes between calls (random numbers, "
    "options, data from elsewhere) as an argument, or make it a Value outside the function"
)
_CHOOSE = (
    "It takes another path for that example than for the recorded one, for instance by int(t), isinstance(t, float) or a "
    "look-up. To choose by what depends on an example, write autograd.math.where(condition, a, b), or select(values, index)"
)


@dataclass(frozen=True)
class Check:
    """The comparison of a recorded ``graph``, and the program made of it, with the function.

    ``program`` takes one example, as a row of numbers for each array of the call, in these ``dtypes``.
    """

    call: Call
    graph: Graph
    form: Any
    """The form of the recorded result."""
    program: Callable[[list[NDArray[Any]]], Any]
    dtypes: Sequence[np.dtype[Any]]
    dtype: np.dtype[Any]
    """The kind of numbers that the program computes with."""

    def run(self, seconds: float) -> None:
        """Compare a few examples; RecordingError where they differ.

        The first two examples of the batch are always compared, as Values. Then come up to ``_LOOKED_AT`` that differ from one
        another: as plain numbers, if the function takes them, and as Values again. The first of these is always compared, and
        more only while that takes less than an eighth of the ``seconds`` of processor time that recording and compiling took.
        """
        leaves = self.call.leaves
        last = min(1, len(leaves[0]) - 1) if leaves else 0
        with _as_it_was(self.graph.variables):
            roots, form = self.call.result(last)
            self._refuse_kept_values(roots)
            self._compare(last, roots, form, "again")
            if last:
                recorded = [Value(number) for number in self.graph.number[self.graph.roots].tolist()]
                self._compare(0, recorded, self.form, "again")
            first, *others = varied(leaves, _LOOKED_AT) if leaves else [0]
            plainly = [*others, first] if leaves else []
            began, takes_numbers = thread_time(), True
            calls = [*[(i, True) for i in plainly], *[(i, False) for i in others if i != last]]
            for count, (example, plain) in enumerate(calls, 2):
                if plain and not takes_numbers:
                    continue
                try:
                    roots, form = self.call.result(example, plain=plain)
                except Exception as error:  # noqa: BLE001 - a method that only Values have, or 1 / 0
                    takes_numbers = takes_numbers and not isinstance(error, AttributeError | TypeError)
                else:
                    self._compare(example, roots, form, "with its plain numbers" if plain else "again")
                with_another = (thread_time() - began) / (count - 1) * count
                if with_another > max(seconds * _SHARE, _AT_ONCE):
                    break

    def _refuse_kept_values(self, roots: list[Value]) -> None:
        """Raise RecordingError if a second call used a Value that the recorded call had made."""
        made = self.graph.made
        if kept := [node for root in roots if made for node in topological_sort(root) if node in made]:
            msg = (
                f"a Value of {kept[0]._data!r} was made inside the function, {made[kept[0]]}, and used again by the "
                "next call: the program would not see it change. Make it outside the function"
            )
            raise RecordingError(msg)

    def _compare(self, example: int, roots: list[Value], form: Any, how: str) -> None:
        """Raise RecordingError unless the program gives for an ``example`` the ``roots`` that the function gave."""
        who = self.call.who
        if _kind(form) != _kind(self.form):
            why = _GIVE_IT if how == "again" else _CHOOSE
            msg = f"{who}: recorded, the function returns {self.form!r:.80}; called {how}, {form!r:.80}. {why}"
            raise RecordingError(msg)
        wanted = [root._data for root in roots]
        arrays = [rows(array[example : example + 1], kind) for array, kind in zip(self.call.leaves, self.dtypes, strict=True)]
        got = np.ravel(self.program(arrays)).tolist()
        relative, absolute = CLOSE[self.dtype.name]
        if got == wanted or np.allclose(got, wanted, relative, 0.0, equal_nan=True):
            return
        # Where large numbers cancel, as in 1e8 + 1 - 1e8, the rounding errors are as large as those of 1e8.
        theta, inputs = numbers_of(self.graph.variables), oracle.side_by_side(arrays)
        largest = oracle.largest(self.graph, theta, inputs)
        absolute_error = max(absolute * largest, float(np.finfo(self.dtype).tiny))  # what is smaller may become 0
        close = functools.partial(np.allclose, rtol=relative, atol=absolute_error, equal_nan=True)
        if largest >= _OVERFLOWS[self.dtype.name] or close(got, wanted):
            return
        recorded = oracle.results(self.graph, theta, inputs)
        if not all([close(oracle.results(self.graph, theta, inputs, absolute, seed), recorded) for seed in range(_NOISY)]):
            return  # the example lies so close to a jump that rounding errors decide the side: both are right
        if close(recorded, wanted):
            msg = (
                f"{who}: the program gives {few(got)} for example {example}, and the recorded graph {few(recorded)}. "
                "This is a bug of autograd.compile, please report it; the plain function, .__wrapped__, is right"
            )
            raise RuntimeError(msg)
        first = [root._data for root in self.call.result(0)[0]]
        changes = not np.allclose(first, self.graph.number[self.graph.roots], relative, absolute * largest, equal_nan=True)
        msg = (
            f"{who}: recorded, the function gives {few(recorded)} for example {example}; called {how}, "
            f"{few(wanted)}. {_GIVE_IT if changes else _CHOOSE}"
        )
        raise RecordingError(msg)


@contextlib.contextmanager
def _as_it_was(values: Sequence[Value]) -> Iterator[None]:
    """A block after which ``values`` are what they were, and random numbers go on as if it had not run.

    If other threads run, one of them may have drawn the numbers or taken a step of a training: then nothing is put back.
    """
    before = [(value, value._data, value._clock, value._grad) for value in values]
    python, ours = sys.modules.get("random"), sys.modules.get("numpy.random")  # if nobody has imported them, nobody draws
    drawn = python.getstate() if python else None, ours.get_state() if ours else None
    try:
        yield
    finally:
        if threading.active_count() == 1:
            for value, data, clock, grad in before:
                value._data, value._clock, value._grad = data, clock, grad
            if python:
                python.setstate(drawn[0])
            if ours:
                ours.set_state(drawn[1])


def _kind(form: Any) -> Any:
    """Return what is equal for forms that differ only in what the program cannot tell apart."""
    return trees.flatten(form, lists=True)[1]


def few(numbers: Sequence[float]) -> str:
    """Return the first of ``numbers``, for a message.

    >>> few([1.0]), few([1.0, 2.0, 3.0, 4.0, 5.0])
    ('1.0', '[1.0, 2.0, 3.0, 4.0, …]')
    """
    shown = [*map(repr, numbers[:_SHOWN]), *["…"] * (len(numbers) > _SHOWN)]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
