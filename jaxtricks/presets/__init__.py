"""The exact semantics of PyTorch and Keras in our terms, held to tables those frameworks made."""

from jaxtricks.presets import keras as keras
from jaxtricks.presets import torch as torch

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
