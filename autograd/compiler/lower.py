"""The passes in their order, which make a plan from a recorded graph.

graph -> simplify -> pack -> select -> allocate -> differentiate -> Plan
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiler.allocate import allocate
from autograd.compiler.differentiate import differentiate
from autograd.compiler.instructions import Pick, Project, Seed, Take
from autograd.compiler.labels import names
from autograd.compiler.pack import pack
from autograd.compiler.plan import Plan
from autograd.compiler.selection import select
from autograd.compiler.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.record import Graph, Input
    from autograd.compiler.views import Space

_FLOAT64 = np.dtype(float)
hooks: list[Callable[[Plan], None]] = []
"""Functions that :func:`lower` calls with each plan that it makes. The tests append ``validate``."""


def lower(  # noqa: PLR0913 - a plan depends on all of these, and the last three have defaults
    graph: Graph,
    inputs: Sequence[Input],
    parameters: Sequence[int] = (),
    reduction: str | None = None,
    dtype: np.dtype[Any] = _FLOAT64,
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
    indices, order = _only_indices(forward), tuple(allocation.parameters)
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
        names=names(forward, allocation.theta, lambda row: graph.variables[order[row]].label if order[row] >= 0 else ""),
        parameters=order,
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
