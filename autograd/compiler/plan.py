"""What stands between the passes of the compiler and whoever executes a program: a :class:`Plan`, made by :func:`lower`.

    graph -> simplify -> pack -> select -> allocate -> differentiate -> Plan -> an executor of autograd.compiler.executors

Nothing above a plan knows who executes it, and no executor knows of anything above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiler.allocate import allocate
from autograd.compiler.differentiate import differentiate
from autograd.compiler.instructions import Pairwise, Pick, Product, Project, Seed, Take
from autograd.compiler.labels import names
from autograd.compiler.pack import pack
from autograd.compiler.selection import select
from autograd.compiler.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.record import Graph, Input
    from autograd.compiler.views import Space, View


@dataclass(frozen=True)
class Plan:
    """All that an executor may know: instructions, and the spaces that they read and write. It is plain data, and pickles.

    A call gives the arrays of ``theta`` and ``inputs``. It runs ``forward``, and then ``backward`` if a gradient is wanted.
    What is the same in every call are the constants, which are the ``filled`` rows of spaces; and what ``once`` writes, which
    depends on the number of examples alone. Executors that keep their arrays from call to call need not write these again.
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


hooks: list[Callable[[Plan], None]] = []
"""Functions that :func:`lower` calls with each plan that it makes. The tests append ``validate``."""


def lower(  # noqa: PLR0913 - what a program depends on
    graph: Graph,
    inputs: Sequence[Input],
    parameters: Sequence[int] = (),
    reduction: str | None = None,
    dtype: np.dtype[Any] = np.dtype(float),  # noqa: B008 - immutable
    *,
    frozen: bool = False,
    by: int | None = None,
    rolled: bool = True,
) -> Plan:
    """The plan for a recorded ``graph``, whose inputs are those of the arrays ``inputs``, one array after the other.

    ``parameters`` are variables of the graph in the order of theta, -1 for one that the graph does not use. Variables that
    are missing there come behind them, and nothing is differentiated by these if they are ``frozen``.

    With ``by``, the last root of the graph is differentiated by the input array of that number, in place of theta. It is no
    result of the plan, unless it is the only root.

    A plan that is not ``rolled`` up has no folds and no chains: an executor then needs fewer kinds of instructions.
    """
    simplified = simplify(graph, folds=rolled)
    allocation = allocate(select(simplified, pack(simplified, chains=rolled)), inputs, parameters)
    given = allocation.inputs
    variable = allocation.theta if by is None else given[by]
    roots = np.array(simplified.roots)
    results = allocation.read(roots[:-1] if by is not None and len(roots) > 1 else roots)
    total = results if len(roots) == 1 or by is None else allocation.read(roots[-1:])
    allocation.join_theta()
    trained = variable.size if by is not None or not frozen else len(parameters)
    spaces, backward, slopes = [*allocation.spaces], list[Any](), None
    if reduction is not None:
        sweep = differentiate(allocation.instructions, spaces, variable, trained, total)
        backward, slopes = sweep.instructions, sweep.gradient
        spaces += [*sweep.spaces.values(), *sweep.scratch]
    once = [i for i in backward if isinstance(i, Seed) and not i.out.space.fresh]
    forward = [i for i in allocation.instructions if not isinstance(i, Project)]
    indices = _only_indices(forward)
    plan = Plan(
        forward=tuple(forward),
        once=tuple(once),
        backward=tuple([i for i in backward if i not in once]),
        spaces=tuple(spaces),
        theta=allocation.theta,
        inputs=tuple(given),
        kinds=tuple([np.dtype(np.intp) if space in indices else dtype for space in given]),
        roots=results,
        total=total,
        reduction=reduction,
        slopes=slopes,
        trained=trained,
        names=names(forward, allocation.theta, [graph.variables[i].label if i >= 0 else "" for i in allocation.parameters]),
        parameters=tuple(allocation.parameters),
        dtype=dtype,
    )
    for hook in hooks:
        hook(plan)
    return plan


def _only_indices(forward: Sequence[Instruction]) -> set[Space]:
    """The spaces of integers that are read as indices, and as nothing else."""
    lookups = [i.index.space for i in forward if isinstance(i, Take | Pick)]
    others = [view.space for i in forward for view in ([i.table] if isinstance(i, Take | Pick) else i.views)]
    return {space for space in lookups if space.whole} - {*others}
