"""Moments of the gradients: what the update rules keep, average, correct and divide by.

Moments are kept in `promote_types(leaf, float32)`, so that a bfloat16 model does not lose them;
the updates go back to the gradient's dtype.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, ScalarLike


def full_moment(params: PyTree, value: ScalarLike = 0.0) -> PyTree:
    """Returns a tree shaped like `params`, filled with `value`, in float32 or wider."""

    def full(leaf: PyTree) -> PyTree:
        dtype = jnp.promote_types(jnp.result_type(leaf), jnp.float32)
        return jnp.full_like(leaf, value, dtype=dtype)

    return jax.tree.map(full, params)


def widen(updates: PyTree) -> PyTree:
    """Converts the updates to the dtype in which moments are kept."""

    def convert(leaf: PyTree) -> PyTree:
        return jnp.asarray(leaf, jnp.promote_types(jnp.result_type(leaf), jnp.float32))

    return jax.tree.map(convert, updates)


def narrow(updates: PyTree, like: PyTree) -> PyTree:
    """Converts `updates` back to the dtypes of `like`."""
    return jax.tree.map(lambda u, g: jnp.asarray(u, jnp.result_type(g)), updates, like)


def average(moment: PyTree, updates: PyTree, decay: ScalarLike) -> PyTree:
    r"""One step of the moving average, $m \leftarrow \beta m + (1 - \beta) g$, not debiased.

    Written as $m + (1 - \beta) (g - m)$, from the nearer end: 0.999 itself is off by 1.3e-8 in
    float32, which adds up to 1e-5 of $m$ in a thousand steps.
    """

    def mix(m: Array, g: Array) -> Array:
        share = 1 - decay
        return jnp.where(share < 0.5, m + share * (g - m), g - decay * (g - m))

    return jax.tree.map(mix, moment, updates)


def weight_sum(decay: ScalarLike, count: ScalarLike) -> Float[Array, ""]:
    r"""Returns $1 - \beta^t$, $t$ = `count` + 1: what the weights of `average` add up to by then.

    Dividing by it is the bias correction. Written as $-\mathrm{expm1}(t \log \beta)$, because
    $1 - \beta^t$ loses five digits at 0.999.
    """
    return -jnp.expm1((count + 1.0) * jnp.log1p(-(1 - decay)))


def inverse_root(
    second_moment: Float[Array, "*shape"], eps: ScalarLike, *, eps_inside: bool
) -> Float[Array, "*shape"]:
    r"""Returns $1 / (\sqrt r + \varepsilon)$, or $1 / \sqrt{r + \varepsilon}$ when `eps_inside`.

    `1 / 0`, which only `eps = 0` allows, is 0, and so is its gradient: a coordinate that was never
    updated is not updated.
    """
    radicand = second_moment + eps if eps_inside else second_moment
    root = jnp.where(radicand > 0, jnp.sqrt(jnp.where(radicand > 0, radicand, 1)), 0)
    denominator = root if eps_inside else root + eps
    return jnp.where(denominator > 0, 1 / jnp.where(denominator > 0, denominator, 1), 0)
