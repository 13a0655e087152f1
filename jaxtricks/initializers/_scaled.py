"""Initializers whose variance follows from the fans of the kernel."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Key

from jaxtricks._check_static import check_static_integer
from jaxtricks._checks import check_choice
from jaxtricks._types import ScalarLike
from jaxtricks.initializers._fans import Axes, check_axes, fans

Distribution = Literal["normal", "uniform", "truncated_normal"]


def scaled(
    variance: Callable[[float, float], ScalarLike],
    distribution: Distribution,
    groups: int,
    in_axis: Axes,
    out_axis: Axes,
    batch_axis: Axes,
) -> Initializer:
    """Makes an initializer with mean 0 and the variance `variance(fan_in, fan_out)`.

    The distribution is "normal", "uniform" on `[-sqrt(3 variance), sqrt(3 variance)]`, or
    "truncated_normal", which is cut at two standard deviations and widened to the variance.
    """
    check_choice("distribution", distribution, ("normal", "uniform", "truncated_normal"))
    check_static_integer("groups", groups, low=1)
    check_axes("in_axis", in_axis)
    check_axes("out_axis", out_axis)
    check_axes("batch_axis", batch_axis)
    axes: dict[str, Any] = {"in_axis": in_axis, "out_axis": out_axis, "batch_axis": batch_axis}

    def init(
        key: Key[Array, ""], shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> Array:
        fan_in, fan_out = fans(shape, groups=groups, **axes)
        draw = jax.nn.initializers.variance_scaling(
            variance(fan_in, fan_out) * fan_in,  # JAX divides by the same fan in
            "fan_in",
            distribution,
            **axes,
        )
        return draw(key, shape, dtype, out_sharding)

    return init
