"""A tiny neural-network package: neurons, layers, losses and optimizers, all of them expressions over ``autograd.Value``."""

from __future__ import annotations

import autograd

if getattr(autograd, "__engine__", None) != "scalar-autograd":
    msg = (
        f"nn needs scalar-autograd, but 'import autograd' found another package, at {autograd.__file__}. "
        "Make a clean environment (python -m venv .venv), or run: "
        "python -m pip uninstall -y autograd && python -m pip install --force-reinstall --no-deps scalar-autograd"
    )
    raise ImportError(msg)

from nn import init
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
from nn.module import Module
from nn.optim import SGD, Adam, Optimizer

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "Layer",
    "Module",
    "Neuron",
    "Optimizer",
    "Sequential",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "hinge_loss",
    "init",
    "likelihood",
    "mse_loss",
    "nll_loss",
]
