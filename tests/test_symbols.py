"""Formulas as text."""

from __future__ import annotations

import math

import pytest

from autograd import ops
from autograd.symbols import Symbol, derivatives

a, b = Symbol("a"), Symbol("b")


FORMULAS = [
    (a + b * 2, "a + b × 2"),
    ((a + b) * 2, "(a + b) × 2"),
    (a - (b - 1), "a - (b - 1)"),
    (a - b - 1, "a - b - 1"),
    (2 - a, "2 - a"),
    (3 + a, "3 + a"),
    (a / (b / 2), "a / (b / 2)"),
    (a / b / 2, "a / b / 2"),
    (1 / (a * b), "1 / (a × b)"),
    (-a * b, "-a × b"),
    (-(a * b), "-(a × b)"),
    (abs(a + b), "|a + b|"),
    ((a > 0) * 0.5, "(a > 0) × 0.5"),
    (a < b, "a < b"),
    (a <= 1.5, "a <= 1.5"),
    (a >= b, "a >= b"),
    (ops.exp(-a), "exp(-a)"),
    (ops.where(a > 0, 1.0, 0.0), "where(a > 0, 1, 0)"),
]


@pytest.mark.parametrize(("formula", "text"), FORMULAS)
def test_formulas(formula: Symbol, text: str) -> None:
    assert repr(formula) == text


def test_the_calculus_book() -> None:
    expected = {
        "mul": ("b", "a"),
        "exp": ("y",),
        "log": ("1 / a",),
        "sin": ("cos(a)",),
        "cos": ("-sin(a)",),
        "relu": ("sign(y)",),
        "dot": ("c", "d", "a", "b"),
        "asin": ("1 / semicircle(a)",),
        "atan2": ("inversion(b, a)", "-inversion(a, b)"),
    }
    assert {name: derivatives(ops.TABLE[name]) for name in expected} == expected


@pytest.mark.parametrize("name", ops.TABLE)
def test_every_printed_formula_is_python_and_gives_the_partial(name: str) -> None:
    """What is printed for reading, evaluated as Python, is what the sweeps compute."""
    op = ops.TABLE[name]
    arity = 4 if op is ops.dot else 2 if op.arity is None else op.arity
    point = [2.0 if op in {ops.polygamma, ops.acosh} else 0.4, 0.7, 0.3, 0.9][:arity]
    if op is ops.select:
        point[0] = 0.0  # a whole number, as an index is
    y = op.on_floats(*point) if point else 0.0
    names = {**ops.TABLE, "inf": math.inf, "y": y, **dict(zip("abcd", point, strict=False))}
    texts = derivatives(op)
    found = [
        eval(text.replace("×", "*").replace("|b|", "b").replace("|a|", "a"), {"__builtins__": {}}, names) for text in texts
    ]
    assert [float(x) for x in found] == pytest.approx([float(p) for p in op.partials(y, *point)], rel=1e-15)
    assert all(math.isfinite(x) for x in found)


def test_comparisons_were_turned_round() -> None:
    """A derivative is shown as it is written in the table: a >= y, and not y <= a."""
    assert derivatives(ops.maximum)[0] == "1 × (a >= y) / (1 × (a >= y) + 1 × (b >= y))"
