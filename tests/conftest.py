"""What holds for all tests."""

from __future__ import annotations

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
def _every_program_is_validated() -> Iterator[None]:
    """All programs that the tests compile are held to the rules of legal instructions."""
    program.emit = validated_emit
    yield
    program.emit = emit.emit
