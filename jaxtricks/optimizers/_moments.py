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


@jax.custom_jvp
def root(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The square root, with slope 0 at 0 in place of infinity.

    Its own derivative rule, because a `where` around `sqrt` is computed in every update, and makes
    XLA copy moments.
    """
    return jnp.sqrt(x)


@root.defjvp
def _root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = root(primals[0])
    return y, jnp.where(y > 0, tangents[0] / (2 * jnp.where(y > 0, y, 1)), 0)


def divisor(
    second_moment: Float[Array, "*shape"], eps: ScalarLike, *, eps_inside: bool
) -> Float[Array, "*shape"]:
    r"""Returns $\sqrt r + \varepsilon$, or $\sqrt{r + \varepsilon}$ when `eps_inside`.

    A zero, which only `eps = 0` allows, becomes infinity, so that a coordinate that was never
    updated is not updated; its gradient is then 0 too.
    """
    total = root(second_moment + eps) if eps_inside else root(second_moment) + eps
    return jnp.where(total == 0, jnp.inf, total)
