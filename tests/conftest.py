"""What holds for all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from autograd.compiler import emit, program
from autograd.compiler.validate import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


def validated_emit(forward: Any, backward: Any, spaces: Any, theta: Any, inputs: Any, *rest: Any) -> Any:
    """``emit``, for legal programs only."""
    given = [theta, *inputs, next(space for space in spaces if space.name == "constants")]
    validate([*forward, *backward], given)
    return emit.emit(forward, backward, spaces, theta, inputs, *rest)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_pythons_own() -> Iterator[None]:
    """A process that was started in the background ignores it, and what tests of Ctrl-C start from is Python's handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _every_program_is_validated() -> Iterator[None]:
    """All programs that the tests compile are held to the rules of legal instructions."""
    program.emit = validated_emit
    yield
    program.emit = emit.emit
