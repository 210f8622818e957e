"""Recordings: the program of a function for arguments of certain shapes, and the meaning of its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiler.calls import as_theta, batch_size, numbers_of, read, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd.compiler.capture import Captured
    from autograd.compiler.program import Program
    from autograd.trees import Structure
    from autograd.value import Value


class Recording:
    """A function as ``autograd.compile`` recorded it for arguments of certain shapes.

    ``Compiled.recordings`` lists those of a function: one for each combination of the shapes of its arguments. A recording has
    the ``parameters`` by which it differentiates, the ``frozen`` variables that it only reads, the ``shapes`` of one example
    in each argument, the NumPy program as ``source``, and its ``stats``. It runs without the function, so it can be pickled
    even where the function cannot, and run by another process.

    >>> from autograd import Recording, Value, compile
    >>> w = Value(2.0)
    >>> loss = compile(lambda x: (w * x[0] - x[1]) ** 2)
    >>> _ = loss([[1.0, 2.0], [3.0, 4.0]])       # a batch of two examples
    >>> (recording,) = loss.recordings
    >>> isinstance(recording, Recording), recording.shapes, recording.parameters == [w], recording.frozen
    (True, {'x': (2,)}, True, [])
    """

    captured: Captured
    """Where the function found what it used; absent from a copy that was pickled."""
    key: tuple[Any, ...]
    """How the arguments are nested, and the shapes and kinds of their arrays."""
    graph: tuple[Any, ...]
    """What tells the recorded graph from others; absent from a copy that was pickled."""
    used = 0
    """The number of the call that used it last."""

    def __init__(
        self, shapes: dict[str, tuple[int, ...]], program: Program, variables: list[Value], structure: Structure
    ) -> None:
        self.shapes = shapes
        """The shape of one example in each argument."""
        self.program = program
        self.parameters = variables[: program.plan.trained]
        """The Values that it differentiates by, in the order of theta."""
        self.frozen = variables[program.plan.trained :]
        """The Values that it reads, but does not differentiate by."""
        self.structure = structure
        """That of the function's result."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The kind of numbers that it computes with."""
        return self.program.plan.dtype

    def value_and_grad(self, theta: Any, *args: Any, **kwargs: Any) -> tuple[float, NDArray[Any]]:
        """Do what :meth:`Compiled.value_and_grad` does, for arguments of the recorded shapes and kinds; ValueError for others.

        ``theta`` has the order of the recording's own ``parameters``. The function is not needed: another process that gets a
        pickle of the recording runs the program itself and records nothing. There, ``frozen`` variables have the numbers that
        they had when the recording was pickled.

        >>> import pickle
        >>> from autograd import Value, compile
        >>> w = Value(2.0)
        >>> loss = compile(lambda x: (w * x) ** 2)        # a lambda cannot be pickled
        >>> _ = loss([1.0])
        >>> (recording,) = loss.recordings
        >>> value, slopes = pickle.loads(pickle.dumps(recording)).value_and_grad([3.0], [1.0, 2.0])
        >>> value, slopes.tolist()                        # (3² + 6²) / 2, and the mean of 2x · wx
        (22.5, [15.0])
        """
        insist_on_one_number(self.program.plan.reduction)
        key, leaves = read(args, kwargs)
        if key != self.key:
            given = ", ".join(f"{array.dtype} {array.shape}" for array in leaves) or "nothing"
            msg = (
                f"{self!r} was given {given}: the arguments must have the same structure, shapes and kinds of numbers "
                "as those that were recorded"
            )
            raise ValueError(msg)
        batch = batch_size(leaves, lambda: self.shapes)
        theta = as_theta(theta, self.dtype, len(self.parameters))
        value_and_slopes: tuple[float, NDArray[Any]] = self._run(theta, list(map(rows, leaves, self.program.plan.kinds)), batch)
        return value_and_slopes

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"captured", "graph"}}

    def _run(self, theta: NDArray[Any], arrays: Sequence[NDArray[Any]], batch: int, *, gradient: bool = True) -> Any:
        """Run the program on ``theta``, one number for each parameter, and on ``arrays``, each with a row for each example."""
        if self.frozen:
            theta = np.append(theta, numbers_of(self.frozen))
        if theta.dtype != self.dtype:
            theta = theta.astype(self.dtype)
        return self.program.run(theta, arrays, batch, gradient=gradient)

    @property
    def source(self) -> str:
        """The NumPy program."""
        return self.program.source

    @property
    def stats(self) -> dict[str, Any]:
        """The program in figures: scalar nodes, instructions by kind, matrix products, bytes."""
        return self.program.stats

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: ({', '.join(map(str, ('batch', *shape)))})" for name, shape in self.shapes.items())
        count = sum(self.stats["instructions"].values())
        return f"Recording({shapes or 'no arguments'}; {self.stats['scalar nodes']:,} scalar nodes, {count} instructions)"


def insist_on_one_number(reduction: str | None) -> None:
    """Raise TypeError if the result is arrays, which have no gradient."""
    if reduction is None:
        msg = 'value_and_grad() differentiates one number: compile with reduction="mean" or "sum"'
        raise TypeError(msg)
