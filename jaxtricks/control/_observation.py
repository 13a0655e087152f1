"""Reading a metric as one number, and deciding whether it is better than the best so far.

Only a finite number can be an improvement, and the first one always is. NaN and the infinities
never are: a run that starts with NaN is not stuck with it, and a run that ends in NaN is not
rewarded for it.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxtricks._checks import check_scalar
from jaxtricks._types import ScalarLike

Mode = Literal["min", "max"]
ThresholdMode = Literal["signed", "rel", "abs"]


def observe(value: object) -> Float[Array, ""]:
    """Converts an observed metric to a scalar of JAX's default float type.

    Raises:
        ValueError: `value` is an array with axes.
        TypeError: `value` is not a real scalar.
    """
    if isinstance(value, np.ndarray | jax.Array) and value.ndim != 0:
        raise ValueError(f"value must be a scalar, got the shape {jnp.shape(value)}.")
    check_scalar("value", value)
    return jnp.asarray(value, jnp.result_type(float))


def check_error(name: str, value: object) -> None:
    """Checks that an error is not negative, for rules that divide by it; a tracer or -inf passes.

    Raises:
        ValueError: `value` is negative, or an array with axes.
        TypeError: `value` is not a real scalar.
    """
    observe(value)
    if not isinstance(value, jax.core.Tracer) and -np.inf < np.asarray(value) < 0:
        raise ValueError(f"{name} must be at least 0, because the rule divides by it, got {value}.")


def initial_best(mode: Mode) -> Float[Array, ""]:
    """Returns the best value before any observation, which is the worst finite one.

    It is not infinity, because `jax_debug_infs` raises an error for infinity in any result, also in
    states.
    """
    largest = jnp.finfo(jnp.result_type(float)).max
    return observe(largest if mode == "min" else -largest)


def has_best(best: Float[Array, ""], mode: Mode) -> Bool[Array, ""]:
    """Says whether there has been a best value."""
    return best != initial_best(mode)


def nan_to_inf(value: Float[Array, ""]) -> Float[Array, ""]:
    """Replaces NaN by infinity."""
    return jnp.where(jnp.isnan(value), np.asarray(np.inf, value.dtype), value)


def improves(
    value: Float[Array, ""],
    best: Float[Array, ""],
    threshold: ScalarLike,
    *,
    threshold_mode: ThresholdMode,
    mode: Mode,
    finite_only: bool = True,
) -> Bool[Array, ""]:
    r"""Says whether `value` is better than `best` by more than the threshold.

    With $b$ the best value, the margin is $\theta$ ("abs"), $\theta |b|$ ("signed") or $\theta b$
    ("rel", the formula of PyTorch, whose sign is wrong where $b < 0$). If not `finite_only`,
    infinities are compared as numbers, and the best value before any observation is infinite.
    """
    begun = has_best(best, mode)
    base = jnp.where(begun & jnp.isfinite(best), best, 0)
    scale = {"abs": jnp.ones_like(base), "signed": jnp.abs(base), "rel": base}[threshold_mode]
    margin = jnp.asarray(threshold, base.dtype) * scale
    better = value < base - margin if mode == "min" else value > base + margin
    if finite_only:
        return jnp.isfinite(value) & (~begun | better)
    beats_worst = jnp.isfinite(value) | (value < 0 if mode == "min" else value > 0)
    # the bound is infinity * (1 - threshold), whose factor may be 0 or negative
    if threshold_mode == "rel" and mode == "min":
        beats_infinity = beats_worst & jnp.where(begun, threshold > 1, threshold < 1)
    else:
        beats_infinity = beats_worst & ~begun
    return jnp.where(begun & jnp.isfinite(best), better, beats_infinity)
