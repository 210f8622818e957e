"""The exceptions of ``nn``, beside Python's own TypeError, ValueError and OSError.

AutogradError
    CheckpointError    a file that holds no checkpoint, or one of which a model cannot be made
    DivergedError      a training whose loss became infinite or NaN
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd import AutogradError

if TYPE_CHECKING:
    from nn.history import History


class CheckpointError(AutogradError, ValueError):
    """A file is no checkpoint, is damaged, or is of a newer version; or nn cannot rebuild the model or optimizer in it."""


class DivergedError(AutogradError, FloatingPointError):
    """The loss, or a parameter, became infinite or NaN in the middle of a training."""

    history: History
    """Of the epochs before."""


def shown(x: object) -> str:
    """``x`` as a message shows it: the beginning of its repr, if it has one."""
    try:
        return f"{x!r:.60}"
    except Exception:  # noqa: BLE001 - a number of 5,000 digits has none, nor have deeply nested lists, and others' may fail
        return f"<{type(x).__name__}>"
