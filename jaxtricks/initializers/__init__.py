"""Initializers of weights: functions `(key, shape, dtype) -> weights`, as Flax's layers take them.

`zeros` is such a function, for `bias_init=zeros`. `he`, `xavier`, `lecun`, `fan_out` and `gaussian`
return one, for `kernel_init=he()`.
"""

from jax.nn.initializers import zeros as zeros

from jaxtricks.initializers._copy_pretrained import copy_pretrained as copy_pretrained
from jaxtricks.initializers._fan_out import fan_out as fan_out
from jaxtricks.initializers._fans import fans as fans
from jaxtricks.initializers._gaussian import gaussian as gaussian
from jaxtricks.initializers._he import he as he
from jaxtricks.initializers._lecun import lecun as lecun
from jaxtricks.initializers._scaled import Distribution as Distribution
from jaxtricks.initializers._xavier import xavier as xavier

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
