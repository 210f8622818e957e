"""Recording: the arrays of a small graph, what is refused, and what is as it was before, whatever happens."""

from __future__ import annotations

import contextvars
import gc

import pytest
from passes import recorded, variables

from autograd import RecordingError, Value, is_compiling, math, no_grad, ops
from autograd.compiler.record import CODE, INPUT, ROWS, VARIABLE, as_graph, collector_paused, record
from autograd.modes import recording

ADD, MUL, EXP, CONSTANT = (CODE[op] for op in (ops.add, ops.mul, ops.exp, ops.constant))


def test_every_row_of_the_table_has_a_code_and_leaves_have_others() -> None:
    assert [ROWS[CODE[op]] for op in ops.TABLE.values()] == [*ops.TABLE.values()]
    assert len({*CODE.values(), VARIABLE, INPUT}) == len(ops.TABLE) + 2


def test_the_arrays_of_a_graph() -> None:
    """Arguments come before what is made of them; a constant has its number, a leaf says which one it is."""
    w = Value(3.0)
    graph = recorded(lambda x: math.exp(w * x[0] + 5.0), 1)
    names = {CODE[op]: op.name for op in (ops.add, ops.mul, ops.exp, ops.constant)} | {VARIABLE: "w", INPUT: "x"}
    nodes = [
        (names[code], graph.arg[graph.first[i] : graph.first[i + 1]].tolist()) for i, code in enumerate(graph.code.tolist())
    ]
    place = {name: i for i, (name, _) in enumerate(nodes)}
    assert {name: [nodes[arg][0] for arg in args] for name, args in nodes} == {
        "w": [],
        "x": [],
        "constant": [],
        "mul": ["w", "x"],
        "add": ["mul", "constant"],
        "exp": ["add"],
    }
    assert all(arg < i for i, (_, args) in enumerate(nodes) for arg in args)
    assert graph.roots == [place["exp"]]
    numbers = {"w": 3.0, "x": 1.0, "constant": 5.0, "mul": 3.0, "add": 8.0, "exp": math.exp(8.0)}
    assert graph.number.tolist() == [numbers[name] for name, _ in nodes]
    assert graph.leaf.tolist() == [0 if name in {"w", "x"} else -1 for name, _ in nodes]
    assert (graph.variables, graph.captured, graph.constants) == ([w], [w], [])


def test_variables_are_in_the_order_in_which_they_are_used() -> None:
    a, b, c = variables(3)
    assert recorded(lambda _: (c * a) + (a * b)).variables == [c, a, b]
    assert recorded(lambda _: [c, a * b]).variables == [a, b, c]  # what is returned as it is comes last


def test_inputs_keep_their_places_and_those_that_are_not_used_are_left_out() -> None:
    graph = recorded(lambda x: x[2] * x[0], 3)
    assert sorted(graph.leaf[graph.code == INPUT].tolist()) == [0, 2]
    assert graph.leaf[graph.arg[graph.first[graph.roots[0]] :]].tolist() == [2, 0]
    assert (graph.variables, graph.captured) == ([], [])


def test_results_that_are_inputs_or_variables() -> None:
    w = Value(2.0)
    graph = recorded(lambda x: [x[0], w, x[0]], 1)
    assert graph.code[graph.roots].tolist() == [INPUT, VARIABLE, INPUT]
    assert (len(graph.code), len(graph.arg), graph.variables, graph.captured) == (2, 0, [w], [w])


def test_what_was_computed_before_is_captured_with_all_that_it_needs() -> None:
    """The function takes ``product``; the two variables in it are read afresh, but the function does not name them."""
    a, b, fixed = Value(2.0), Value(3.0), Value(5.0).detach()
    product = a * b
    graph = recorded(lambda x: product * x[0] + fixed, 1)
    assert graph.variables == [a, b]
    assert set(graph.captured) == {product, fixed}
    assert graph.constants == [fixed]
    assert graph.number[graph.code == CONSTANT].tolist() == [5.0]


def test_a_variable_that_is_made_inside_is_a_constant_there() -> None:
    graph = recorded(lambda x: Value(2.0) * x[0], 1)
    assert graph.variables == graph.captured == graph.constants == []
    assert [ROWS[code].name for code in graph.code if code >= 0] == ["constant", "mul"]
    ((value, line),) = graph.made.items()
    assert value._data == 2.0
    assert "test_record.py" in line
    assert "recorded(lambda x: Value(2.0)" in line


def test_a_variable_that_another_thread_assigns_meanwhile_is_refused() -> None:
    w = Value(2.0, "w")

    def fn(x: list[Value]) -> Value:
        contextvars.Context().run(setattr, w, "data", 3.0)
        return w * x[0]

    with pytest.raises(RecordingError, match="the data of 'w' was assigned while the function was recorded"):
        recorded(fn, 1)


def test_a_variable_that_is_assigned_inside_is_refused() -> None:
    w = Value(2.0)

    def fn(x: list[Value]) -> Value:
        w.data = 7.0
        return w * x[0]

    with pytest.raises(RecordingError, match="the data of a Value was assigned"):
        recorded(fn, 1)


def test_a_variable_that_was_made_or_assigned_just_before_is_not() -> None:
    w, v = Value(1.0), Value(3.0)
    w.data = 2.0
    assert recorded(lambda x: w * v * x[0], 1).variables == [w, v]


def test_only_while_it_is_recorded_a_function_is_being_compiled() -> None:
    seen, _ = record(is_compiling)
    assert seen
    assert not is_compiling()


def test_the_modes_around_the_call_are_not_the_functions_own() -> None:
    with no_grad():
        assert record(recording)[0]
        assert not recording()


def test_modes_are_as_before_when_the_function_raises() -> None:
    def failing() -> None:
        assert is_compiling()
        raise KeyError

    with no_grad():
        with pytest.raises(KeyError):
            record(failing)
        assert not is_compiling()
        assert not recording()
    assert recording()


def test_the_clock_tells_what_was_made_before() -> None:
    before = Value(1.0)
    result, began = record(lambda: before * 2.0)
    assert before._clock < began <= result._clock
    assert as_graph([result], [], began).captured == [before]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_and_is_then_as_before(enabled: bool) -> None:  # noqa: FBT001 - both states
    """Also when the block raises."""
    try:
        (gc.enable if enabled else gc.disable)()
        with collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        with pytest.raises(KeyError), collector_paused():
            raise KeyError
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
