"""Executors: each runs any :class:`~autograd.compiler.plan.Plan`, in its own way.

``numpy`` writes NumPy source, ``reference`` interprets one instruction after the other and defines what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd.compiler.plan import Plan


class Executor(Protocol):
    """Runs a plan. It can be pickled, but its steps cannot."""

    def __init__(self, plan: Plan) -> None:
        """Prepare to run ``plan``."""

    @property
    def source(self) -> str:
        """The program, for people to read."""

    def step(self, batch: int) -> Callable[..., Any]:
        """A function that runs the plan for ``batch`` examples, 1 or more, in arrays of its own. Its calls must not overlap.

        It takes theta, the input arrays (batch, size), and, if the plan has a reduction, whether to differentiate. It
        returns the reduced result, a float, with the gradient if wanted, a new array; or all results (batch, roots), a new
        array. It raises NotFiniteError if the plan's numbers must be finite and are not, and IndexError for a wrong index.
        """
