"""Reading a metric: one number, and whether it is better than the best so far.

Only a finite number can improve, and the first one always does. NaN and the infinities never do, so
that a run which starts with NaN is not stuck with it, and one which ends in it is not rewarded.
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
        ValueError: it is an array with axes.
        TypeError: it is not a real scalar.
    """
    if isinstance(value, np.ndarray | jax.Array) and value.ndim != 0:
        raise ValueError(f"value must be a scalar, got shape {jnp.shape(value)}.")
    check_scalar("value", value)
    return jnp.asarray(value, jnp.result_type(float))


def check_error(name: str, value: object) -> None:
    """Refuses a negative error, as the rules with a ratio do; a tracer or an infinity passes.

    Raises:
        ValueError: it is negative, or an array with axes.
        TypeError: it is not a real scalar.
    """
    observe(value)
    if not isinstance(value, jax.core.Tracer) and -np.inf < np.asarray(value) < 0:
        raise ValueError(f"{name} must be at least 0: a ratio to it is taken, got {value}.")


def nothing_yet(mode: Mode) -> Float[Array, ""]:
    """The best value before any observation: the worst finite one.

    Not infinity, because `jax_debug_infs` raises an error for one in any result, states included.
    """
    largest = jnp.finfo(jnp.result_type(float)).max
    return observe(largest if mode == "min" else -largest)


def has_best(best: Float[Array, ""], mode: Mode) -> Bool[Array, ""]:
    """Whether there has been a best value."""
    return best != nothing_yet(mode)


def nan_to_inf(value: Float[Array, ""]) -> Float[Array, ""]:
    """The value, or infinity for NaN."""
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
    r"""Whether `value` is better than `best` by more than the threshold.

    With the best value $b$, the margin is $\theta$ ("abs"), $\theta |b|$ ("signed") or $\theta b$
    ("rel", PyTorch's formula, whose margin has the wrong sign where $b < 0$). Unless `finite_only`,
    infinities are compared as numbers, and the first best is infinite.
    """
    begun = has_best(best, mode)
    base = jnp.where(begun & jnp.isfinite(best), best, 0)
    scale = {"abs": jnp.ones_like(base), "signed": jnp.abs(base), "rel": base}[threshold_mode]
    margin = jnp.asarray(threshold, base.dtype) * scale
    better = value < base - margin if mode == "min" else value > base + margin
    if finite_only:
        return jnp.isfinite(value) & (~begun | better)
    beats_worst = jnp.isfinite(value) | (value < 0 if mode == "min" else value > 0)
    if threshold_mode == "rel" and mode == "min":  # infinity times 1 - threshold, 0 and under 0 too
        beats_infinity = beats_worst & jnp.where(begun, threshold > 1, threshold < 1)
    else:
        beats_infinity = beats_worst & ~begun
    return jnp.where(begun & jnp.isfinite(best), better, beats_infinity)
