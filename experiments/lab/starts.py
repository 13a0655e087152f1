"""Several initialisers as one, so that networks from all of them are one program."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer


def one_of(starts: Sequence[Initializer], number: Any) -> Initializer:
    """The start of this number, which may be traced."""

    def init(key: jax.Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> Any:
        del out_sharding
        return jax.lax.switch(number, [lambda k, s=s: s(k, shape, dtype) for s in starts], key)

    return init
