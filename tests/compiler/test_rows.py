"""Every row of the table, compiled, gives what eager code gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Value, gradient, math, ops

ROWS = [row for row in ops.TABLE.values() if row is not ops.constant]
WHOLE = {ops.select, ops.polygamma}
"""Rows whose first argument is a whole number."""


def test_a_variance_is_compiled_as_sums_and_products() -> None:
    """A row of many arguments would be a line of as many vectors: it takes four times as long."""
    weights = [Value(0.1 * k) for k in range(16)]
    examples = np.random.default_rng(0).normal(size=(5, 16))

    def function(x: list[Any]) -> Any:
        return math.var(w * item for w, item in zip(weights, x, strict=True))

    compiled = autograd.compile(function)
    values = [function(example) for example in examples.tolist()]
    assert compiled(examples).data == pytest.approx(np.mean([value.data for value in values]), rel=1e-13)
    assert "var" not in compiled.source
    compiled(examples).backward()
    slopes = np.mean([gradient(value, weights) for value in values], axis=0)
    assert [w.grad for w in weights] == pytest.approx(slopes, rel=1e-12)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_value_and_gradient(row: ops.Op) -> None:
    """Of rows of any number of arguments, with 2 and with 6 of them: in vectors, and with many arguments to a line."""
    rng = np.random.default_rng(0)
    for arity in (2, 6) if row.arity is None else (row.arity,):
        low = 1.1 if row.domain[0] == ops.FROM_ONE else 0.1
        examples = rng.uniform(low, low + 0.7, (5, arity))
        if row in WHOLE:
            examples[:, 0] = np.arange(5) % (arity - 1)
        weights = [Value(1.0 - 0.01 * k) for k in range(arity)]

        def function(x: list[Any], row: ops.Op = row, weights: list[Value] = weights) -> Any:
            scaled = [w * item for w, item in zip(weights, x, strict=True)]
            return row(x[0], *scaled[1:]) if row in WHOLE else row(*scaled)

        results = [function(example) for example in examples.tolist()]
        slopes = [gradient(result, weights) for result in results]
        value, found = autograd.compile(function, parameters=weights).value_and_grad([w.data for w in weights], examples)
        assert value == pytest.approx(np.mean([result.data for result in results]), rel=1e-12)
        assert found == pytest.approx(np.mean(slopes, axis=0), rel=1e-12, abs=1e-15)
