"""The learning-rate schedule of the Transformer."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def noam(model_size: int, *, warmup_steps: int = 4000, scale: ScalarLike = 1.0) -> Schedule:
    r"""Raises the learning rate linearly, then lowers it as one over the square root of the time.

    The learning rate is $c\, d^{-1/2} \min(t^{-1/2},\, t\, w^{-3/2})$ with $t$ = `count` + 1. Its
    peak is $c\, (d w)^{-1/2}$, at $t = w$.

    Args:
        model_size: $d \ge 1$, the width of the model.
        warmup_steps: $w \ge 0$, the number of updates up to the peak; with 0 the learning rate
            falls from the first update on.
        scale: $c \ge 0$; 1 in the paper.

    Raises:
        ValueError: `model_size` is less than 1, `warmup_steps` is negative, or `scale` is negative
            or not finite.
        TypeError: `model_size` or `warmup_steps` is not an integer.

    Example:
        >>> rate = noam(512)
        >>> [f"{float(rate(count)):.3e}" for count in (0, 1999, 3999, 15999)]
        ['1.747e-07', '3.494e-04', '6.988e-04', '3.494e-04']

    References:
        Vaswani et al., [Attention is all you need](https://arxiv.org/abs/1706.03762), 2017, eq. 3.
    """
    check_integer("model_size", model_size, low=1)
    check_integer("warmup_steps", warmup_steps, low=0)
    check_range("scale", scale, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        time = optax.safe_increment(count)
        risen, _ = progress(time, warmup_steps)
        later = jnp.float32(jnp.maximum(time, jnp.asarray(warmup_steps, count.dtype)))
        return jnp.float32(scale) * risen / jnp.sqrt(jnp.float32(model_size)) / jnp.sqrt(later)

    return schedule
