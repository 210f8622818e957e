"""The exceptions of ``nn``, besides Python's own TypeError, ValueError and OSError.

AutogradError
    CheckpointError    a file is not a checkpoint, or a model cannot be made from it
    DivergedError      the loss became infinite or NaN in training
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd import AutogradError, arrays

if TYPE_CHECKING:
    from nn.history import History


class CheckpointError(AutogradError, ValueError):
    """A file is not a checkpoint, is damaged or of a newer version, or nn cannot rebuild the model or optimizer in it."""


class DivergedError(AutogradError, FloatingPointError):
    """The loss or a parameter became infinite or NaN during training."""

    history: History
    """The history of the epochs before."""


shown = arrays.shown
"""Return an object as a message shows it: its repr, cut short."""
