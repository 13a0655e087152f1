"""Types that `help` prints by their names, not as long unions."""

import jax.typing
import jaxtyping
from typing_extensions import TypeAliasType

ArrayLike = TypeAliasType("ArrayLike", jaxtyping.ArrayLike)
DTypeLike = TypeAliasType("DTypeLike", jax.typing.DTypeLike)
ScalarLike = TypeAliasType("ScalarLike", jaxtyping.ScalarLike)
