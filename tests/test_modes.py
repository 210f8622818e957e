"""Modes: what they do, and that nothing else sees them."""

from __future__ import annotations

import asyncio
import math as python_math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from autograd import AnomalyError, GraphError, Value, detect_anomaly, enable_grad, gradient, math, modes, no_grad, ops

if TYPE_CHECKING:
    from collections.abc import Generator


def records() -> bool:
    return not (Value(1.0) + 1).is_leaf


def test_no_grad_records_nothing() -> None:
    x = Value(3.0)
    with no_grad():
        results = [x * x, x.exp(), 2 - x, math.fsum([x, x]), x**2]
    assert all(y.is_leaf and y.op is ops.constant for y in results)
    assert results[0].data == 9.0
    assert records()


def test_modes_nest() -> None:
    with no_grad():
        with enable_grad():
            assert records()
            with no_grad():
                assert not records()
            assert records()
        assert not records()
    assert records()


def test_modes_write_to_no_node() -> None:
    """What a mode puts in the place of a node is another one: whoever holds the node still sees what was recorded."""
    seen: list[tuple[Value, ops.Op | None, tuple[Value, ...], float]] = []

    class Watched(modes.Mode):
        def recorded(self, node: Any) -> Any:
            seen.append((node, node.op, node.args, node.data))
            return node

    x = Value(3.0)
    with Watched():
        with no_grad():
            y = x * x
        (slope,) = gradient(-x * 2.0 + math.where(x > 0, x, 0.0) + 0 * x, [x], create_graph=True)
    assert seen[0] == (seen[0][0], ops.mul, (x, x), 9.0)
    assert (y.op, y.args, y.data) == (ops.constant, (), 9.0)
    assert slope.data == -1.0
    assert all((node.op, node.args, node.data) == (op, args, data) for node, op, args, data in seen)


def test_one_mode_object_may_be_entered_twice() -> None:
    mode = no_grad()
    with mode:
        with mode:
            assert not records()
        assert not records()
    assert records()


def test_exceptions_leave_the_mode() -> None:
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert records()


def test_decorated_functions() -> None:
    @no_grad()
    def recorded_inside() -> bool:
        """Its docstring."""
        return records()

    assert not recorded_inside()
    assert recorded_inside.__doc__ == "Its docstring."
    assert records()


def test_threads_do_not_see_it() -> None:
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(records()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_coroutines_do_not_see_it() -> None:
    async def quiet(inside: asyncio.Event, leave: asyncio.Event) -> bool:
        with no_grad():
            inside.set()
            await leave.wait()
            return records()

    @no_grad()
    async def decorated() -> bool:
        await asyncio.sleep(0)
        return records()

    async def main() -> tuple[bool, bool, bool]:
        inside, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(quiet(inside, leave))
        await inside.wait()
        meanwhile = records()
        leave.set()
        return meanwhile, await task, await decorated()

    assert asyncio.run(main()) == (True, False, False)


def test_a_decorated_generator_keeps_its_mode_to_itself() -> None:
    log = []

    @no_grad()
    def generator() -> Generator[bool, str, str]:
        try:
            answer = yield records()
            log.append(answer)
            try:
                yield records()
            except KeyError:
                yield records()
        finally:
            log.append(str(records()))
        return "done"

    running = generator()
    assert next(running) is False
    assert records()
    assert running.send("hello") is False
    assert running.throw(KeyError()) is False
    assert records()
    with pytest.raises(StopIteration) as stopped:
        next(running)
    assert stopped.value.value == "done"
    assert log == ["hello", "False"]


def test_a_decorated_generator_that_is_closed_cleans_up_in_its_mode() -> None:
    log = []

    @no_grad()
    def generator() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            log.append(records())

    running = generator()
    next(running)
    running.close()
    assert log == [False]
    assert records()


def test_a_suspended_with_block_takes_away_no_mode_but_its_own() -> None:
    """Restoring what was there on entry would switch recording on again inside the caller's own block."""

    def generator() -> Generator[None, None, None]:
        with no_grad():
            yield

    running = generator()
    next(running)
    with no_grad():
        running.close()
        assert not records()
    assert records()


def test_eight_threads_give_the_serial_bits() -> None:
    def work(seed: int) -> list[float]:
        xs = [Value(python_math.sin(seed * 10 + k)) for k in range(20)]
        y = math.fsum([(a * b).tanh() + a.exp() for a in xs for b in xs])
        y.backward()
        return [x.grad for x in xs]

    serial = [work(seed) for seed in range(32)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(32))) == serial


def test_threads_that_share_leaves_lose_nothing() -> None:
    w = Value(0.5)

    def work(_: int) -> tuple[float, ...]:
        for _ in range(20):
            math.fsum([w * k for k in range(200)]).backward()
        return gradient(w * w, [w])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [(1.0,)] * 16
    assert w.grad == 16 * 20 * sum(range(200))


def test_backward_inside_backward() -> None:
    """A finalizer may run anywhere, also in the middle of a sweep over the same leaf."""
    x = Value(2.0)
    y = x * x * x

    class Nested:
        def __rmul__(self, other: float) -> float:
            (x * x).backward()
            return other * 3.0

    triple = ops.Op("triple", "3", lambda a: 3 * a, lambda a: 3 * a, lambda y, a: (Nested(),), ops.REAL)  # noqa: ARG005
    z = triple(y)
    assert (z.data, z.op) == (24.0, triple)
    z.backward()
    assert x.grad == 36.0 + 4.0  # 9x², and 2x from inside


# detect_anomaly


def test_an_anomaly_names_operation_arguments_and_line() -> None:
    x = Value(-2.0)
    with detect_anomaly():
        assert x.exp().data > 0
        with pytest.raises(AnomalyError) as caught:
            x.log()  # the line that is named
    message = str(caught.value)
    assert message.startswith("log(-2.0) is nan in File ")
    assert __file__ in message
    assert message.endswith("x.log()  # the line that is named")


@pytest.mark.parametrize(
    "f",
    [
        lambda: Value(710.0).exp(),
        lambda: 1 / Value(0.0),
        lambda: Value(-8.0) ** (1 / 3),
        lambda: math.log(Value(0.0)),
        lambda: math.fsum([Value(1e308), 1e308]),
    ],
)
def test_every_kind_of_operation_is_watched(f: object) -> None:
    with detect_anomaly(), pytest.raises(AnomalyError, match="test_modes.py"):
        f()  # type: ignore[operator]


def test_what_was_not_finite_before_is_nobodys_fault() -> None:
    with detect_anomaly():
        assert python_math.isnan((Value(python_math.nan) + 1).data)


def test_an_anomalous_gradient_names_the_operation_that_made_it() -> None:
    x = Value(0.0, "x")
    with detect_anomaly():
        y = x.sqrt() * 2
        for differentiate in (y.backward, lambda: gradient(y, [x])):
            with pytest.raises(AnomalyError, match=r"sqrt \(√\) turns a gradient of 2.0 into inf by 'x', computed in File "):
                differentiate()
    z = x.sqrt()
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"computed before detect_anomaly\(\)"):
        z.backward()


def test_the_operation_to_blame_is_the_one_that_made_it() -> None:
    """Not the neighbour that adds to the same leaf, nor one that meets an old grad there."""
    x = Value(0.0, "x")
    with detect_anomaly():
        y = x * 2 + x.sqrt()
        with pytest.raises(AnomalyError, match=r"sqrt \(√\) turns a gradient of 1\.0 into inf"):
            y.backward()
        assert x.grad == 0.0
        x.grad = python_math.inf
        (x * 2).backward()
        gradient(x**0, [x], create_graph=True)  # what the sweep makes is not the user's


def test_sound_gradients_pass() -> None:
    x = Value(1.0)
    with detect_anomaly():
        (x.sqrt() * 2 + 1).backward()
    assert x.grad == 1.0


def test_lines_are_forgotten_at_the_end_of_the_outermost_block() -> None:
    mode = detect_anomaly()
    with mode:
        y = Value(1.0) * 2
        with mode:
            y = y * 2
        assert len(mode._lines) == 2
    assert not mode._lines
    assert modes.active.get() == ()


def test_modes_and_graphs_of_gradients() -> None:
    x = Value(3.0)
    y = x * x * x
    with no_grad():
        (slope,) = gradient(y, [x], create_graph=True)
        assert (slope.data, slope.is_leaf) == (27.0, True)
    with pytest.raises(GraphError):
        slope.backward()
    assert (x.op, y.args[1]) == (None, x)
    y.backward()
    assert x.grad == 27.0
