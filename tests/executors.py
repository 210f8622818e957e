"""All executors, held to one another: what the reference interpreter computes, the others compute."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.compiler.executors.numpy import Numpy
from autograd.compiler.executors.reference import Reference
from autograd.compiler.instructions import Pick, Take
from autograd.compiler.plan import NotFiniteError

if TYPE_CHECKING:
    from autograd.compiler.plan import Plan

EXECUTORS = [Numpy]
BATCH = 3
ROUNDINGS = 1e4
"""How many roundings sums in another order may be off by: they have up to thousands of terms."""
LONGEST = 3000
"""Plans of more instructions are left out, because the reference takes long for them."""


def arguments(plan: Plan) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """Theta and input arrays for a plan, always the same ones; indices are below the lengths of their tables."""
    rng = np.random.default_rng(zlib.crc32(str(plan).encode()))
    sizes = [(space.size, kind) for space, kind in zip(plan.inputs, plan.kinds, strict=True)]
    inputs = [rng.uniform(0.25, 1.0, (BATCH, size)).astype(kind) for size, kind in sizes]
    for i in plan.forward:
        if isinstance(i, Take | Pick) and i.index.space in plan.inputs:
            array = inputs[plan.inputs.index(i.index.space)]
            rows = i.index.rows.ravel()
            array[:, rows] = rng.integers(0, i.table.shape[1], (BATCH, rows.size))
    return rng.uniform(0.25, 1.0, plan.theta.size).astype(plan.dtype), inputs


def agree(plan: Plan) -> None:
    """Assert that all executors give what the reference gives, where all numbers on the way are finite."""
    if len(plan.forward) + len(plan.backward) > LONGEST:
        return
    theta, inputs = arguments(plan)
    given = [theta, *inputs, *([True] if plan.reduction else [])]
    with np.errstate(all="ignore"):
        try:
            expected = Reference(plan).step(BATCH)(*given)
        except (IndexError, NotFiniteError) as error:
            for executor in EXECUTORS:
                try:
                    executor(plan).step(BATCH)(*given)
                except type(error):
                    continue
                msg = f"{executor.__name__} raised no {type(error).__name__}"
                raise AssertionError(msg) from error
            return
        expected = expected if plan.reduction else (expected,)
        for executor in EXECUTORS:
            got = executor(plan).step(BATCH)(*given)
            for one, other in zip(got if plan.reduction else (got,), expected, strict=True):
                _same(one, other, plan)


def _same(got: Any, expected: Any, plan: Plan) -> None:
    assert np.shape(got) == np.shape(expected)
    assert np.asarray(got).dtype == np.asarray(expected).dtype
    if np.isfinite(expected).all():
        size = ROUNDINGS * np.finfo(plan.dtype).eps
        np.testing.assert_allclose(got, expected, size, size * np.max(np.abs(expected), initial=1.0))
