"""``select`` checks its index wherever it runs, also where all that could be selected is the same."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Any

import pytest

import autograd
from autograd import Value, math

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

W = Value(2.0)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "equal Values": lambda i: math.select([W, W], i),
    "equal numbers": lambda i: W * math.select([1.0, 1.0], i),
    "equal results": lambda i: math.select([W * 3.0, 3.0 * W], i),
    "one row": lambda i: W * math.select([W], i),
    "equal rows": lambda i: math.fsum(math.select([[W, 1.0], [W, 1.0]], i)),
    "a column that is used, of equal numbers": lambda i: math.select([[W, 1.0], [W, 2.0]], i)[0],
    "two tables, one of more rows": lambda i: (
        math.select([W, W, W], i) + math.select([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], i)
    ),
    "times 0": lambda i: W + 0.0 * math.select([W, W * 2], i),
    "not chosen": lambda i: math.where(i > 100.0, math.select([W, W * 3], i), W),
}


@pytest.mark.parametrize("wrong", [7.0, -1.0, 0.5, float("nan")])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_index_is_refused(name: str, wrong: float, tmp_path: Path) -> None:
    """Mistake: among equal values there was nothing to select, and nothing was checked."""
    fn = FUNCTIONS[name]
    compiled = autograd.compile(fn, reduction=None)
    assert compiled([0.0, 0.0]).tolist() == [fn(Value(0.0)).data] * 2
    exported = runpy.run_path(str(autograd.export(fn, tmp_path / "f.py", 0.0)))
    assert exported["predict"](0.0) == fn(Value(0.0)).data
    for call in (lambda: fn(Value(wrong)), lambda: compiled([0.0, wrong]), lambda: exported["predict"](wrong)):
        with pytest.raises(IndexError, match="whole number from 0 to"):
            call()


def test_an_index_is_looked_up_once() -> None:
    """Mistake: the weights of a cross-entropy, all 1, cost a look-up of their own beside that of the logits."""
    table = [Value(float(k)) for k in range(3)]
    both = autograd.compile(lambda i: math.select([1.0, 1.0, 1.0], i) * math.select(table, i), reduction="sum")
    alone = autograd.compile(lambda i: math.select(table, i), reduction="sum")
    assert both([0.0, 2.0]).data == alone([0.0, 2.0]).data == 2.0
    assert both.source == alone.source


@pytest.mark.parametrize("rows", [[[], []], [[1.0], [2.0]]])
def test_rows_of_any_length_have_an_index(rows: list[list[float]]) -> None:
    assert [x.data for x in math.select(rows, Value(1.0))] == rows[1]
    with pytest.raises(IndexError, match="from 0 to 1"):
        math.select(rows, Value(2.0))


def test_rows_are_of_one_length() -> None:
    with pytest.raises(ValueError, match="rows of one length, and the first row has 2 items, not"):
        math.select([[1.0, 2.0], [3.0]], Value(0.0))


def test_an_index_that_turns_out_to_be_a_number() -> None:
    """Mistake: an operation on numbers alone had no argument by whose place to sort it."""
    w = [Value(0.5), Value(0.25)]

    def fn(x: Any, index: Any) -> Any:
        half = math.select([0.5, 0.5], math.select([1.0, 1.0], index))
        return half * math.tanh(w[1] + math.select(w, index)) + x

    expected = 2.0 + 0.25 * (math.tanh(0.75) + math.tanh(0.5))
    assert autograd.compile(fn)([2.0, 2.0], [0, 1]).data == pytest.approx(expected)
