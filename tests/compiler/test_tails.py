"""Compiled functions where one term dominates, at ties of many arguments, and where a NaN comes in: as eager code has them."""

from __future__ import annotations

import math as python_math
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import autograd
from autograd import Value, gradient, math, ops

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAN = python_math.nan
LOGITS = [100.0, 50.0, 1.0]
TIGHT = 1e-13
"""exp(-99) feels the last bit of its argument: 99 roundings."""


def slopes(fn: Callable[[list[Value]], Any], numbers: list[float]) -> tuple[list[float], list[float]]:
    """The derivatives of ``fn`` by what it is of, in eager code and compiled."""
    eager = list(map(Value, numbers))
    compiled = list(map(Value, numbers))
    fn(eager).backward()
    autograd.compile(lambda one: fn([x * one for x in compiled]))(np.ones(1)).backward()
    return [x.grad for x in eager], [x.grad for x in compiled]


def shares() -> tuple[list[float], list[float]]:
    """The softmax of LOGITS from its definition, and for each share what the others leave of 1."""
    weights = [python_math.exp(x - LOGITS[0]) for x in LOGITS]
    total = sum(weights)
    return [w / total for w in weights], [sum(weights[:i] + weights[i + 1 :]) / total for i in range(3)]


@pytest.mark.parametrize("which", range(3))
def test_slopes_of_softmax_add_up_to_0(which: int) -> None:
    """Mistake: the slope of a share of nearly 1 was 0, and that of the others was not."""
    p, rest = shares()
    exact = [p[which] * (rest[i] if i == which else -p[i]) for i in range(3)]
    for found in slopes(lambda x: math.softmax(x)[which], LOGITS):
        assert found == pytest.approx(exact, rel=TIGHT, abs=0.0)


@pytest.mark.parametrize("which", range(3))
def test_slopes_of_log_softmax_add_up_to_0(which: int) -> None:
    p, rest = shares()
    exact = [rest[i] if i == which else -p[i] for i in range(3)]
    for found in slopes(lambda x: math.log_softmax(x)[which], LOGITS):
        assert found == pytest.approx(exact, rel=TIGHT, abs=0.0)


@pytest.mark.parametrize("lengths", [(3, 3), (3, 2), (2, 3), (1, 3)])
@pytest.mark.parametrize("by", [1, -1])
def test_slopes_of_several_softmaxes_add_up_to_0(lengths: tuple[int, int], by: int) -> None:
    """Of one length or several, whose arguments lie in any order: mistake, a softmax was taken for one of another's length."""

    def several(x: list[Value]) -> Any:
        rows = [math.log_softmax([x[i] * (k + 1.0) for i in range(n)][::by]) for k, n in enumerate(lengths)]
        return math.fsum([math.exp(z) * (k + 2.0) * (j + 1.0) for j, row in enumerate(rows) for k, z in enumerate(row)])

    for numbers in (LOGITS, [0.3, -0.2, 0.5]):
        eager, compiled = slopes(several, numbers)
        assert compiled == pytest.approx(eager, rel=1e-12, abs=0.0)
        assert any(eager)


def test_a_softmax_of_equal_arguments_is_normalised_twice() -> None:
    """Mistake: what two terms share would be counted for each of them."""
    eager, compiled = slopes(lambda x: math.fsum([z * z for z in math.log_softmax([x[0], x[0], x[1]])]), [0.5, 2.0])
    assert compiled == pytest.approx(eager, rel=TIGHT)


def test_a_softmax_in_a_program_is_one_softmax() -> None:
    """Mistake: the second normalisation was computed, though nothing but derivatives feels it."""
    w = [Value(x) for x in LOGITS]
    fn = autograd.compile(lambda x, t: math.select(math.log_softmax([v * x for v in w]), t))
    fn(np.ones(1), np.array([1]))
    assert fn.source.count("np.maximum.reduce") == 1
    assert fn.source.count("np.log(") == 1


@pytest.mark.parametrize(
    ("fn", "numbers"),
    [
        (math.logsumexp, LOGITS),
        (lambda x: math.hypot(*x), [1.0, 1e-9, 1e-10]),
        (lambda x: math.hypot(*x), [1.0, 2.0, 3.0]),
        (lambda x: math.sigmoid(x[0]) + math.asin(x[1]) + math.atanh(x[2]), [1e-17, 1e-17, 1e-17]),
        (lambda x: math.atan2(x[0], x[1]) * x[2], [1e-160, 1.0, 1.0]),
    ],
)
def test_second_derivatives(fn: Callable[[list[Value]], Any], numbers: list[float]) -> None:
    """The derivative of each slope, by a compiled function that takes the slope, is that of eager code."""
    for which in range(3):

        def slope(x: list[Value], which: int = which) -> Any:
            return gradient(fn(x), x, create_graph=True)[which]

        eager, compiled = slopes(slope, numbers)
        assert compiled == pytest.approx(eager, rel=TIGHT, abs=0.0)
        assert any(eager)


TIES = [[3.0, 3.0, 3.0], [1.0, 3.0, 3.0], [2.0, 1.0, 0.0], [NAN, 1.0, 2.0]]


@pytest.mark.parametrize("row", [ops.maximum, ops.minimum], ids=repr)
@pytest.mark.parametrize("numbers", TIES)
def test_ties_of_many_are_split_equally(row: ops.Op, numbers: list[float]) -> None:
    """Mistake: NumPy's function takes a third argument for the array to write to."""
    best = max(numbers) if row is ops.maximum else min(numbers)
    parts = [float(x == best) for x in numbers]
    exact = [NAN] * 3 if NAN in numbers else [part / sum(parts) for part in parts]
    for found in slopes(lambda x: row(*x), numbers):
        assert found == pytest.approx(exact, nan_ok=True)
    arrays = np.array(TIES).T
    before = arrays.copy()
    expected = np.max(arrays, axis=0) if row is ops.maximum else np.min(arrays, axis=0)
    np.testing.assert_array_equal(row(*arrays), expected)
    np.testing.assert_array_equal(arrays, before)
    predict = autograd.compile(lambda x: row(x[0], x[1], 2.5, x[2]), reduction=None)
    np.testing.assert_array_equal(predict(np.array(TIES)), [row(a, b, 2.5, c) for a, b, c in TIES])


def test_a_maximum_of_many_is_exported(tmp_path: Path) -> None:
    fn = autograd.compile(lambda x: ops.maximum(*x) - ops.minimum(*x), reduction=None)
    autograd.export(fn, tmp_path / "spread.py", np.array([1.0, 2.0, 3.0]))
    autograd.export(fn, tmp_path / "spread.c", np.array([1.0, 2.0, 3.0]))
    names: dict[str, Any] = {}
    exec((tmp_path / "spread.py").read_text(), names)  # noqa: S102 - what was just exported
    assert names["predict"]([3.0, -1.0, 2.0]) in (4.0, [4.0])
    source = (tmp_path / "spread.c").read_text()
    assert "maximum(maximum(x[0], x[1]), x[2])" in source
    if (cc := shutil.which("cc")) is not None:
        subprocess.run([cc, "-std=c99", "-Wall", "-Werror", "-fsyntax-only", tmp_path / "spread.c"], check=True)


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: math.relu(x[0]),
        lambda x: math.fabs(x[0]),
        lambda x: math.maximum(x[0], x[1]),
        lambda x: math.minimum(x[1], x[0]),
        lambda x: math.clip(x[0], -1.0, 1.0),
        lambda x: math.clip(x[1], x[0], 5.0),
        lambda x: math.copysign(x[0], x[1]),
        lambda x: ops.sign(x[0]),
        lambda x: math.hypot(x[0], x[1]),
    ],
)
def test_the_slope_at_nan_is_nan(fn: Callable[[list[Value]], Any]) -> None:
    """Mistake: a comparison with NaN is false, so the slope was 0 and the NaN hidden."""
    for found in slopes(fn, [NAN, 2.0]):
        assert python_math.isnan(found[0])
