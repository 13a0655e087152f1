"""Regularizers: Flax modules with `train` as an argument, and their pure kernels."""

from jaxtricks.regularizers._dropout import Dropout as Dropout
from jaxtricks.regularizers._dropout import dropout as dropout
from jaxtricks.regularizers._maxout import Maxout as Maxout

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
