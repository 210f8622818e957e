"""A program: a plan, what executes it, and buffers that are kept from call to call."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiler import oracle
from autograd.compiler.executors.numpy import Numpy
from autograd.compiler.instructions import Pairwise, Product
from autograd.compiler.lower import lower
from autograd.compiler.plan import NotFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.executors import Executor
    from autograd.compiler.record import Graph, Input

_KEPT = 4
"""For how many batch sizes buffers are kept."""


class Program:
    """A recorded function, ready to run for batches of any size. Its arguments are those of ``lower``."""

    def __init__(  # noqa: PLR0913 - what compile() was called with
        self,
        graph: Graph,
        inputs: Sequence[Input],
        parameters: Sequence[int],
        reduction: str | None,
        dtype: np.dtype[Any],
        *,
        frozen: bool = False,
    ) -> None:
        self.plan = plan = lower(graph, inputs, parameters, reduction, dtype, frozen=frozen)
        self.use(Numpy)
        self._graph = graph if plan.may_give_up else None
        instructions = [*plan.forward, *plan.once, *plan.backward]
        buffers = {view.space for i in instructions for view in (i.out, *i.views)} - {plan.theta, *plan.inputs}
        self.stats: dict[str, Any] = {
            "scalar nodes": len(graph.code),
            "instructions": dict(sorted(Counter([i.kind for i in instructions]).items())),
            "matrix products": sum(isinstance(i, Product | Pairwise) for i in plan.forward),
            "bytes of buffers": sum(space.size for space in buffers if not space.batched) * dtype.itemsize,
            "bytes of buffers, an example": sum(space.size for space in buffers if space.batched) * dtype.itemsize,
        }

    def use(self, executor: type[Executor]) -> None:
        """Run on ``executor`` from the next call on."""
        self.executor = executor(self.plan)
        self._idle: dict[int, list[Callable[..., Any]]] = {}

    @property
    def source(self) -> str:
        """The program, for people to read."""
        return self.executor.source

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_idle": {}}

    def run(self, theta: NDArray[Any], arrays: Sequence[NDArray[Any]], batch: int, *, gradient: bool = True) -> Any:
        """The result at ``theta`` and the rows of ``arrays``, each (batch, numbers), and the gradient by theta, if wanted.

        Calls may overlap: each has buffers of its own, which later calls of the same batch size use again.
        """
        if batch == 0:
            return self._nothing(theta, gradient=gradient)
        idle = self._idle.get(batch)
        if idle is None:
            for old in list(self._idle)[: 1 - _KEPT]:
                self._idle.pop(old, None)
            idle = self._idle[batch] = []
        try:
            step = idle.pop()
        except IndexError:
            step = self.executor.step(batch)
        try:
            with np.errstate(all="ignore"):
                return step(theta, *arrays, gradient) if self.plan.reduction else step(theta, *arrays)
        except NotFiniteError:
            assert self._graph is not None
            return oracle.run(self._graph, self.plan, theta, arrays, gradient=gradient)
        finally:
            idle.append(step)

    def _nothing(self, theta: NDArray[Any], *, gradient: bool) -> Any:
        """The result for no examples: a mean of nothing is NaN, a sum 0, and neither depends on theta."""
        plan = self.plan
        if plan.reduction is None:
            return np.zeros((0, plan.roots.size), plan.dtype)
        value = math.nan if plan.reduction == "mean" else 0.0
        return (value, np.zeros(plan.trained, theta.dtype)) if gradient else value
