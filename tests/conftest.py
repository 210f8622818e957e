"""What holds for all tests."""

import pytest
from hypothesis import settings

from autograd.compiler import emit, program
from autograd.compiler.validate import validate

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


def validated_emit(forward, backward, spaces, theta, inputs, roots, *rest):
    """``emit``, for legal programs only."""
    given = [theta, *inputs, next(space for space in spaces if space.name == "constants")]
    validate([*forward, *backward], given)
    return emit.emit(forward, backward, spaces, theta, inputs, roots, *rest)


@pytest.fixture(autouse=True, scope="session")
def _every_program_is_validated():
    """All programs that the tests compile are held to the rules of legal instructions."""
    program.emit = validated_emit
    yield
    program.emit = emit.emit
