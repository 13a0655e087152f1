"""Moments of the gradients: what the update rules keep, average, correct and divide by.

Moments are kept in `promote_types(leaf, float32)`, so that a bfloat16 model does not lose them;
the updates go back to the gradient's dtype.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype


def full_moment(params: PyTree, value: ScalarLike = 0.0) -> PyTree:
    """Returns a tree shaped like `params`, filled with `value`, in float32 or wider."""
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, value, dtype=_wide(leaf)), params)


def to_float32(updates: PyTree) -> PyTree:
    """Converts the updates to the dtype in which moments are kept."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, _wide(leaf)), updates)


def _wide(leaf: PyTree) -> np.dtype:
    return wide_dtype(jnp.result_type(leaf))


def cast_like(tree: PyTree, like: PyTree) -> PyTree:
    """Converts back to the dtypes of `like`: updates to the gradients', a new state to the old.

    Where `like` holds integers the leaf stays as it is, because an update is a fraction.
    """
    return jax.tree.map(_cast_leaf, tree, like)


def _cast_leaf(leaf: PyTree, like: PyTree) -> PyTree:
    dtype = jnp.result_type(like)
    return jnp.asarray(leaf, dtype if jnp.issubdtype(dtype, jnp.floating) else None)


def average(moment: PyTree, updates: PyTree, decay: ScalarLike) -> PyTree:
    r"""One step of the moving average, $m \leftarrow \beta m + (1 - \beta) g$, not debiased.

    Written as $m + (1 - \beta) (g - m)$, or as $g - \beta (g - m)$ for decays below 0.5: 0.999
    itself is off by 1.3e-8 in float32, which adds up to 1e-5 of $m$ in a thousand steps.
    """
    return cast_like(jax.tree.map(partial(_mix, decay), moment, updates), moment)


def _mix(decay: ScalarLike, m: Array, g: Array) -> Array:
    share = 1 - decay
    return jnp.where(share < 0.5, m + share * (g - m), g - decay * (g - m))


def weight_sum(decay: ScalarLike, count: ScalarLike) -> Float[Array, ""]:
    r"""Returns $1 - \beta^t$, $t$ = `count` + 1: the sum of the weights of `average` by then.

    Dividing by it is the bias correction. Written as $-\mathrm{expm1}(t \log \beta)$, because
    $1 - \beta^t$ loses five digits at 0.999; at $\beta = 0$, where the logarithm has no slope, as
    $1 - \beta^t$.
    """
    times = count + 1.0
    none = decay == 0
    logarithm = jnp.log1p(-jnp.where(none, 0.5, 1 - decay))
    return jnp.where(none, 1 - jnp.power(decay, times), -jnp.expm1(times * logarithm))


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

    A zero, which only `eps = 0` allows, becomes infinity, so that a coordinate whose gradients were
    all 0 has the update 0.
    """
    if eps_inside:  # the maximum changes nothing, but keeps XLA from its slower reciprocal root
        total = jnp.maximum(root(second_moment + eps), 0)
    else:
        total = root(second_moment) + eps
    if not isinstance(eps, jax.core.Tracer) and np.asarray(eps) > 0:
        return total
    return jnp.where(total == 0, jnp.inf, total)
