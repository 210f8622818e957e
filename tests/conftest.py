"""What holds for all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from executors import agree
from hypothesis import settings

from autograd.compiler import lower
from autograd.compiler.validate import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_pythons_own() -> Iterator[None]:
    """A process that was started in the background ignores it, and what tests of Ctrl-C start from is Python's handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _every_program_is_validated() -> Iterator[None]:
    """All plans that the tests make are held to the rules of legal instructions, and executors to one another."""
    lower.hooks += [validate, agree]
    yield
    lower.hooks.clear()
