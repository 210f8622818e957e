"""The passes of the compiler, one after the other, on functions of a list of inputs, and their results as short texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Value, gradient, math
from autograd.compiler.lower import lower
from autograd.compiler.pack import pack
from autograd.compiler.program import Program
from autograd.compiler.record import INPUT, ROWS, VARIABLE, Graph, Input, as_graph, record
from autograd.compiler.simplify import CONSTANT, FOLD, Simplified, simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.operations import Operation
    from autograd.compiler.plan import Plan

    Function = Callable[[list[Value]], Any]

CLOSE = 1e-13
"""How far apart sums of a few numbers may be that are added up in another order."""


def variables(count: int) -> list[Value]:
    """Variables that hold 2, 3, 4, …."""
    return [Value(2.0 + i) for i in range(count)]


def recorded(fn: Function, size: int = 0) -> Graph:
    """The graph of ``fn`` of so many inputs, which are 1, 2, 3, … in the recording."""
    inputs = [Value(1.0 + i) for i in range(size)]
    result, began = record(lambda: fn(inputs), inputs)
    return as_graph(result if isinstance(result, list) else [result], inputs, began)


def simplified(fn: Function, size: int = 0) -> Simplified:
    """What ``simplify`` makes of it."""
    return simplify(recorded(fn, size))


def formulas(fn: Function, size: int = 0) -> list[str]:
    """What ``simplify`` makes of each result: formulas of variables a, b, c, …, which hold 2, 3, 4, …, and inputs x0, x1, …."""
    recording = recorded(fn, size)
    graph = simplify(recording)

    def formula(node: int) -> str:
        code, leaf = int(graph.code[node]), int(graph.leaf[node])
        if code == VARIABLE:
            return "abcdefgh"[int(recording.variables[leaf].data) - 2]
        if code == INPUT:
            return f"x{leaf}"
        if code == CONSTANT:
            return f"{graph.number[node]:g}"
        return f"{ROWS[code % FOLD].name}({', '.join(map(formula, graph.args[node].tolist()))})"

    return [formula(root) for root in graph.roots]


def simpler(fn: Function, size: int = 0) -> str:
    """The formula that ``simplify`` makes of ``fn``, which has one result."""
    (formula,) = formulas(fn, size)
    return formula


def packed(fn: Function, size: int = 0) -> list[Operation]:
    """What ``pack`` makes of it."""
    return pack(simplified(fn, size))


def planned(fn: Function, size: int = 0, parameters: Sequence[int] = (), **more: Any) -> Plan:
    """The plan of it; its inputs are one array, x."""
    return lower(recorded(fn, size), [Input("x", size, whole=False)] if size else [], parameters, **more)


def forward(fn: Function, size: int = 0, parameters: Sequence[int] = ()) -> list[str]:
    """The forward instructions, as texts."""
    return [*map(str, planned(fn, size, parameters).forward)]


def differentiated(fn: Function, size: int = 0, trained: int | None = None) -> list[Instruction]:
    """The instructions that differentiate it, by the first ``trained`` variables or by all."""
    some = {"parameters": range(trained), "frozen": True} if trained is not None else {}
    plan = planned(fn, size, reduction="sum", **some)
    return [*plan.once, *plan.backward]


def backward(fn: Function, size: int = 0, trained: int | None = None) -> list[str]:
    """The same, as texts."""
    return [*map(str, differentiated(fn, size, trained))]


def program(fn: Function, size: int = 0, reduction: str | None = "sum", **more: Any) -> Program:
    """The program."""
    inputs = [Input("x", size, whole=False)] if size else []
    parameters = more.pop("parameters", ())
    return Program(recorded(fn, size), inputs, parameters, reduction, np.dtype(more.pop("dtype", "float64")), **more)


def run(fn: Function, examples: Sequence[Sequence[float]], reduction: str | None = "sum", **more: Any) -> Any:
    """What the program gives for ``examples``: a value and its gradient by each variable, or else all results."""
    size = len(examples[0])
    made = program(fn, size, reduction, **more)
    known = recorded(fn, size).variables
    theta = np.array([known[i].data for i in made.plan.parameters])
    found = made.run(theta, [np.array(examples)] if size else [], len(examples))
    if reduction is None:
        return found.tolist()
    value, slopes = found
    return value, {known[i]: slope for i, slope in zip(made.plan.parameters, slopes.tolist(), strict=True)}


def eager(fn: Function, examples: Sequence[Sequence[float]], reduction: str | None = "sum") -> Any:
    """The same, by plain code on Values, an example after the other."""
    results = [fn([Value(number) for number in example]) for example in examples]
    if reduction is None:
        return [[root.data for root in (result if isinstance(result, list) else [result])] for result in results]
    total = math.fsum(results) / (len(examples) if reduction == "mean" else 1)
    known = recorded(fn, len(examples[0])).variables
    return total.data, dict(zip(known, gradient(total, known), strict=True))


def agree(fn: Function, examples: Sequence[Sequence[float]], reduction: str | None = "sum") -> None:
    """Assert that both give the same but for rounding, and infinities and NaNs in the same places."""
    got, expected = run(fn, examples, reduction), eager(fn, examples, reduction)
    if reduction is None:
        np.testing.assert_allclose(got, expected, CLOSE, CLOSE)
        return
    np.testing.assert_allclose(got[0], expected[0], CLOSE, CLOSE)
    assert got[1].keys() == expected[1].keys()
    np.testing.assert_allclose([got[1][v] for v in expected[1]], [*expected[1].values()], CLOSE, CLOSE)


def kinds_of(fn: Function, size: int = 0) -> dict[str, int]:
    """How many instructions of each kind there are in the program that gives the sum and its gradient."""
    kinds: dict[str, int] = program(fn, size).stats["instructions"]
    return kinds
