"""Regularizers: Flax modules with `train` as an argument, and their pure kernels."""

from jaxtricks.regularizers._batch_norm import BatchNorm as BatchNorm
from jaxtricks.regularizers._dropout import Dropout as Dropout
from jaxtricks.regularizers._dropout import dropout as dropout
