"""Regularizers: Flax modules with `train` as an argument, and their pure kernels."""

from jaxtricks.regularizers._batch_norm import BatchNorm as BatchNorm
from jaxtricks.regularizers._dropout import Dropout as Dropout
from jaxtricks.regularizers._dropout import dropout as dropout
from jaxtricks.regularizers._maxout import Maxout as Maxout
from jaxtricks.regularizers._undo_batch_norm import undo_batch_norm as undo_batch_norm

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
