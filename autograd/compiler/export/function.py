"""From a function to what its file is made of: it is recorded, lowered to a plan, and written as loops."""

from __future__ import annotations

import math
import re
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import modes, ops, trees
from autograd.arrays import as_array
from autograd.compiler.calls import Call, positional, raise_by_name
from autograd.compiler.checks import Check
from autograd.compiler.compiled import compile  # noqa: A004 - this module does not use Python's compile
from autograd.compiler.executors.reference import Memory
from autograd.compiler.export.file import Argument, Exported, Function, Table
from autograd.compiler.export.loops import Loops, needed, tables
from autograd.compiler.lower import lower
from autograd.compiler.names import distinct
from autograd.compiler.oracle import results, side_by_side
from autograd.compiler.record import CODE, INPUT, Graph, Input, as_graph, collector_paused
from autograd.math import sumprod
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from autograd.compiler.export.file import Statement
    from autograd.compiler.export.language import Language
    from autograd.compiler.instructions import Instruction
    from autograd.compiler.plan import Plan
    from autograd.compiler.views import Space, View


def exported(fn: Callable[..., Any], example: tuple[Any, ...], language: Language) -> Exported:
    """Return what the file of ``fn`` is made of in a ``language``. ``example`` is what ``fn`` is called with.

    The graph that is differentiated has one more root than ``fn`` has results: the sum of all results, each times a number
    that is an input as well, its cotangent. Two results of an argument x:

        y, z = fn(x)
        total = cotangents[0] * y + cotangents[1] * z
    """
    graph, form, arguments = _recorded(fn, example, language.reserved)
    outputs = len(graph.roots) - 1
    trained = [a for a in arguments if not a.index]
    inputs = trained[0].name if len(trained) == 1 else "inputs"
    arrays = [
        Input(inputs, sum(a.size for a in trained), whole=False),
        *[Input(a.name, a.size, whole=False) for a in arguments if a.index],
        Input("cotangents", outputs, whole=False),
    ]
    plan = lower(graph, arrays, reduction="sum" if trained else None, by=0, rolled=False)
    forward = [i for i in plan.forward if i.out.batched]  # the others compute constants
    parts = [needed(forward, plan.roots)]
    if plan.slopes is not None:
        parts.append(needed([*forward, *plan.once, *plan.backward], plan.slopes.all_rows))
    constants = _constants(plan, graph, [*[view for kept, _ in parts for i in kept for view in i.views], plan.roots])
    loops = Loops(language, constants)
    predict, *gradient = [_function(loops, kept, read) for kept, read in parts]
    return Exported(
        title=_title(fn),
        form=form,
        outputs=outputs,
        arguments=arguments,
        inputs=inputs,
        slopes=f"d_{inputs}",
        results=loops.located(plan.roots),
        tables=[*[table for some in constants.values() for table in some], *loops.tables.values()],
        predict=predict,
        gradient=gradient[0] if gradient else None,
    )


def _recorded(fn: Callable[..., Any], example: tuple[Any, ...], reserved: re.Pattern[str]) -> tuple[Graph, Any, list[Argument]]:
    """Return the graph of ``fn`` and of the total, the form of the result, and the arguments.

    The inputs of the graph are the arguments that are differentiated by, then the indices, then the cotangents. Raises
    RecordingError if ``fn`` cannot be recorded, or does something else when it is called again.
    """
    compile(fn, reduction=None)  # refuses what is not a function
    who = f"the function {getattr(fn, '__name__', type(fn).__name__)}"
    modes.refuse_while_compiling(f"{who} was exported", "export it outside")
    arrays = iter([as_array([x], path) for i, tree in enumerate(example) for path, x in trees.paths(tree, f"example {i}")])
    batch = trees.map(lambda _: next(arrays), example)
    raise_by_name(batch, {}, positional(fn))
    call = Call(fn, batch, reduction=None, who=who)
    with collector_paused():
        recorded = call.record()
        graph = as_graph(recorded.roots, recorded.inputs, recorded.began)
        theta = np.array([value.data for value in graph.variables], float)
        kinds = [np.dtype(float) for _ in call.leaves]
        Check(call, graph, recorded.form, lambda x: results(graph, theta, side_by_side(x)), kinds, np.dtype(float)).run(0.0)
        arguments = _arguments(call.shapes, graph, reserved)
        rest = iter(recorded.inputs)
        values = [[*islice(rest, a.size)] for a in arguments]
        order = sorted(range(len(arguments)), key=lambda k: arguments[k].index)
        with modes.apart():
            cotangents = [Value(1.0) for _ in recorded.roots]
            total = sumprod(cotangents, recorded.roots)
        inputs = [*chain.from_iterable([values[k] for k in order]), *cotangents]
        return as_graph([*recorded.roots, total], inputs, recorded.began), recorded.form, arguments


def _arguments(shapes: dict[str, tuple[int, ...]], graph: Graph, reserved: re.Pattern[str]) -> list[Argument]:
    """Return the arguments, with names that are not ``reserved``."""
    selects = np.flatnonzero(graph.code == CODE[ops.select])
    chosen = graph.arg[graph.first[selects]]
    indices = graph.leaf[chosen[graph.code[chosen] == INPUT]]
    names = distinct([name if name.isascii() else "" for name in shapes], reserved)
    ends = np.cumsum([0, *map(math.prod, shapes.values())])
    return [
        Argument(name, shape, bool(((indices >= start) & (indices < stop)).any()))
        for name, shape, (start, stop) in zip(names, shapes.values(), pairwise(ends), strict=True)
    ]


def _constants(plan: Plan, graph: Graph, views: list[View]) -> dict[Space, list[Table]]:
    """Return the constant numbers that the ``views`` read: parameters, constants, and what is computed from these alone."""
    memory = Memory(1, given={plan.theta: np.array([graph.variables[i].data for i in plan.parameters], float)})
    memory.execute([i for i in plan.forward if not i.out.batched])
    stems = {"theta": ("W", "b"), "constants": ("c", "c"), "s": ("S", "s")}
    return {space: tables(space, memory.of(space), views, stems[space.name]) for space in plan.spaces if space.name in stems}


def _function(loops: Loops, instructions: list[Instruction], read: dict[Space, NDArray[np.bool_]]) -> Function:
    """Return the function that executes ``instructions``, after it has filled the rows that are ``read`` and constant."""
    body: list[Statement] = []
    spaces = {i.out.space for i in instructions}
    for space, rows in read.items():
        if space.batched and (some := [row for row in sorted(space.filled) if rows[row]]):
            body += loops.constants(space, some)
            spaces.add(space)
    return Function(body + loops.statements(instructions), sorted([(space.name, space.size) for space in spaces]))


def _title(fn: Any) -> str:
    """Return the name of the function, or of the model whose method it is, as one line that a comment can hold."""
    owner = getattr(fn, "__self__", fn)
    name = getattr(owner, "__qualname__", "").rpartition("<locals>.")[2] or (repr(owner).splitlines() or [""])[0]
    name = re.sub(r" at 0x\w+", "", name).encode("ascii", "replace").decode()
    return re.sub(r'[\\"*/]', "", name)
