"""Types that `help` prints by name instead of as long unions."""

import jax.typing
import jaxtyping
from typing_extensions import TypeAliasType

ArrayLike = TypeAliasType("ArrayLike", jaxtyping.ArrayLike)
DTypeLike = TypeAliasType("DTypeLike", jax.typing.DTypeLike)
RandomKey = TypeAliasType(
    "RandomKey",
    jaxtyping.Key[jax.Array, ""]
    | jaxtyping.UInt32[jax.Array, " words"],  # old-style keys, which Flax accepts in `rngs`
)
ScalarLike = TypeAliasType("ScalarLike", jaxtyping.ScalarLike)
