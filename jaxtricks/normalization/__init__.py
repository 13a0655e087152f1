"""Batch normalization, and the parameters that undo it."""

from jaxtricks.normalization._batch_norm import BatchNorm as BatchNorm
from jaxtricks.normalization._undo_batch_norm import undo_batch_norm as undo_batch_norm

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
