"""Types that `help` prints by their names, not as long unions."""

import jaxtyping
from typing_extensions import TypeAliasType

ScalarLike = TypeAliasType("ScalarLike", jaxtyping.ScalarLike)
