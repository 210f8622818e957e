"""A tiny neural-network package: neurons, layers, losses and optimizers, made of expressions of ``autograd.Value``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import autograd

if TYPE_CHECKING:
    from types import ModuleType

if getattr(autograd, "__engine__", None) != "scalar-autograd":
    msg = (
        f"nn needs scalar-autograd, but 'import autograd' found another package, at {autograd.__file__}. "
        "Make a clean environment (python -m venv .venv), or run: "
        "python -m pip uninstall -y autograd && python -m pip install --force-reinstall --no-deps scalar-autograd"
    )
    raise ImportError(msg)

from nn import init
from nn.arguments import EarlyStopping
from nn.checkpoint import Checkpoint, load, save
from nn.errors import CheckpointError, DivergedError
from nn.export import export
from nn.history import History
from nn.layers import MLP, Layer, Neuron, Sequential
from nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    likelihood,
    mse_loss,
    nll_loss,
)
from nn.metrics import accuracy
from nn.module import Module
from nn.optim import LBFGS, SGD, Adam, AdamW, BaseOptimizer, Optimizer, RMSprop, clip_grad_norm
from nn.schedules import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR, SequentialLR, StepLR
from nn.training import TrainingState, fit
from nn.vectors import parameters_to_vector, vector_to_parameters

# fmt: off
__all__ = [  # noqa: RUF022 - many to a line, in the order of the alphabet
    "accuracy", "Adam", "AdamW", "BaseOptimizer", "binary_cross_entropy", "binary_cross_entropy_with_logits", "Checkpoint",
    "CheckpointError", "clip_grad_norm", "CosineAnnealingLR", "cross_entropy", "DivergedError", "EarlyStopping", "export",
    "fit", "hinge_loss", "History", "init", "Layer", "LBFGS", "likelihood", "LinearLR", "load", "LRScheduler", "MLP",
    "Module", "mse_loss", "Neuron", "nll_loss", "OneCycleLR", "Optimizer", "parameters_to_vector", "RMSprop", "save",
    "Sequential", "SequentialLR", "SGD", "StepLR", "TrainingState", "vector_to_parameters",
]
# fmt: on


def __getattr__(name: str) -> ModuleType:
    """Return ``nn.sklearn``, which is imported when it is first used, because it needs scikit-learn."""
    if name == "sklearn":
        return importlib.import_module("nn.sklearn")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
