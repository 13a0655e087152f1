"""Optimizers, schedules and batch norm with the exact conventions of PyTorch and of Keras."""

from jaxtricks.presets import keras as keras
from jaxtricks.presets import torch as torch

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
