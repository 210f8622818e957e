"""A program: the emitted source at work, in buffers that are kept from call to call."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops
from autograd.compiler import oracle
from autograd.compiler.differentiate import differentiate
from autograd.compiler.emit import BETWEEN, NotFiniteError, check, emit, index, view
from autograd.compiler.folds import unfold
from autograd.compiler.instructions import Instruction, Space
from autograd.compiler.layout import Layout
from autograd.compiler.pack import pack
from autograd.compiler.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from autograd.compiler.record import Graph, Input

_KEPT = 4
"""For how many batch sizes buffers are kept."""


class Program:
    """A recorded function as NumPy source, for batches of any size.

    ``reduction`` says what becomes of the examples' results: "mean", "sum", or None for all of them. ``parameters`` are the
    variables of ``graph`` in the order of theta, -1 standing for one that the graph has not; those that are missing join them,
    ``frozen`` if they are not differentiated by.
    """

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
        simplified = simplify(graph)
        layout = Layout(simplified, pack(simplified), inputs, parameters)
        self.dtype = dtype
        self.parameters = layout.parameters
        self.trained = len(parameters) if frozen else len(self.parameters)
        """By how many numbers of theta, the first ones, it differentiates."""
        self.forward, self.backward = layout.instructions, list[Instruction]()
        spaces = list(layout.spaces)
        if reduction is not None:
            sweep = differentiate(self.forward, spaces, layout.theta, self.trained, layout.roots)
            self.backward = sweep.instructions
            spaces += [*sweep.cotangents.values(), *sweep.temporaries]
        self.forward = [i for i in self.forward if i.kind != "project"]  # that was for the way back
        self.dtypes = [np.dtype(np.intp) if space in _only_indices(self.forward) else dtype for space in layout.inputs]
        """What kind of numbers each input array is to hold: indices of tables and nothing else stay whole numbers."""
        self.reduction = reduction
        self._roots = layout.roots.size
        self._graph = graph if any(i.finite for i in [*self.forward, *self.backward]) else None
        self.source, self._constants, self._kernels = emit(
            self.forward, self.backward, spaces, layout.theta, layout.inputs, layout.roots, reduction, dtype, self.trained
        )
        kinds = Counter(i.kind for i in [*self.forward, *self.backward])
        mentioned = {view.space for i in [*self.forward, *self.backward] for view in (i.out, *i.views)}
        buffers = mentioned - {layout.theta, *layout.inputs}
        self.stats: dict[str, Any] = {
            "scalar nodes": len(graph.code),
            "instructions": dict(sorted(kinds.items())),
            "matrix products": sum(i.kind in {"product", "pairwise"} for i in self.forward),
            "bytes of buffers": sum(space.size for space in buffers if not space.batched) * dtype.itemsize,
            "bytes of buffers, an example": sum(space.size for space in buffers if space.batched) * dtype.itemsize,
        }
        self._start()

    def _start(self) -> None:
        """Make what cannot be pickled."""
        names: dict[str, Any] = self._constants | {name: ops.TABLE[name].on_arrays for name in self._kernels}
        names |= {"np": np, "view": view, "index": index, "check": check, "unfold": unfold}
        self._names = names
        self._code = [compile(block, "<autograd.compile>", "exec") for block in self.source.split(BETWEEN)]
        self._idle: dict[int, list[Callable[..., Any]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_names", "_code", "_idle"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

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
            step = self._step(batch)
        try:
            with np.errstate(all="ignore"):
                return step(theta, *arrays, gradient) if self.reduction else step(theta, *arrays)
        except NotFiniteError:
            assert self._graph is not None
            return oracle.run(
                self._graph, self.parameters, theta, arrays, self.reduction, trained=self.trained, gradient=gradient
            )
        finally:
            idle.append(step)

    def _step(self, batch: int) -> Callable[..., Any]:
        """A function that runs the program in buffers of its own."""
        names = self._names | {"B": batch}
        for code in self._code:
            exec(code, names)  # noqa: S102 - its own source
        step: Callable[..., Any] = names.pop("step")  # or it would hold itself
        return step

    def _nothing(self, theta: NDArray[Any], *, gradient: bool) -> Any:
        """The result for no examples: a mean of nothing is NaN, a sum 0, and neither depends on theta."""
        if self.reduction is None:
            return np.zeros((0, self._roots), self.dtype)
        value = math.nan if self.reduction == "mean" else 0.0
        return (value, np.zeros(self.trained, theta.dtype)) if gradient else value


def _only_indices(forward: Sequence[Instruction]) -> set[Space]:
    """The spaces of whole numbers that are read as indices, and as nothing else."""
    lookups = [i for i in forward if i.kind in {"take", "pick"}]
    others = [view for i in forward for view in (i.args[:1] if i in lookups else i.views)]
    return {i.args[1].space for i in lookups if i.args[1].space.whole} - {view.space for view in others}
