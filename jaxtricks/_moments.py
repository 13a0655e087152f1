"""Moments of the gradients, which update rules average, correct for bias and divide by.

Moments are kept in float32 or wider (`promote_types(leaf, float32)`), so that a bfloat16 model does
not lose small changes. Updates are converted back to the dtype of the gradient.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_dtype import wide_dtype


def full_moment(
    params: PyTree, value: ScalarLike = 0.0, *, dtype: DTypeLike | None = None
) -> PyTree:
    """Returns a tree like `params`, filled with `value`, in `dtype` or else float32 or wider."""
    return jax.tree.map(
        lambda leaf: jnp.full_like(leaf, value, dtype=_wide(leaf) if dtype is None else dtype),
        params,
    )


def to_float32(updates: PyTree) -> PyTree:
    """Converts the updates to the dtype in which moments are kept."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, _wide(leaf)), updates)


def _wide(leaf: PyTree) -> np.dtype:
    return wide_dtype(jnp.result_type(leaf))


def cast_like(tree: PyTree, like: PyTree) -> PyTree:
    """Converts the leaves of `tree` to the dtypes of `like`, such as updates to those of gradients.

    A leaf is not converted if its leaf in `like` holds integers, because updates are fractions.
    """
    return jax.tree.map(_cast_leaf, tree, like)


def _cast_leaf(leaf: PyTree, like: PyTree) -> PyTree:
    dtype = jnp.result_type(like)
    return jnp.asarray(leaf, dtype if jnp.issubdtype(dtype, jnp.floating) else None)


def narrow_like(moment: PyTree, like: PyTree) -> PyTree:
    """Rounds a moment to the dtypes of `like`; finite numbers stay finite.

    Example:
        >>> narrow_like(jnp.float32(1e6), jnp.float16(0)).item()
        65504.0
    """
    return jax.tree.map(_narrow_leaf, moment, like)


def _narrow_leaf(leaf: Array, like: Array) -> Array:
    most = float(jnp.finfo(like.dtype).max)
    if most < float(jnp.finfo(leaf.dtype).max):
        leaf = jnp.where(jnp.isfinite(leaf), jnp.clip(leaf, -most, most), leaf)
    return leaf.astype(like.dtype)


def scalar(value: ScalarLike) -> ScalarLike:
    """Converts a hyper-parameter to float32 or wider; a Python number is returned unchanged."""
    return value if isinstance(value, int | float) else jnp.asarray(value, _wide(value))


def scalar_like(value: ScalarLike, leaf: Array) -> Float[Array, ""]:
    """Converts a hyper-parameter to the dtype of `leaf`, as strict dtype promotion requires."""
    return jnp.asarray(value, leaf.dtype)


def average(moment: PyTree, updates: PyTree, decay: ScalarLike) -> PyTree:
    r"""Updates the moving average $m \leftarrow \beta m + (1 - \beta) g$, without bias correction.

    It is computed as $m + (1 - \beta) (g - m)$, or as $g - \beta (g - m)$ for decays up to 0.5,
    because the decay 0.999 in float32 has an error of 1.3e-8, which would add up to 1e-5 of $m$ in
    a thousand steps. Where $g - m$ is infinite, because a square overflowed or two huge numbers
    have opposite signs, it is the plain sum, which avoids $\infty - \infty$: an infinite
    second moment stays infinite, and the update rule divides by it.
    """
    decay = scalar(decay)
    return weighted_mean(moment, updates, share=1 - decay, decay=decay)


def weighted_mean(
    moment: PyTree, updates: PyTree, *, share: ScalarLike, decay: ScalarLike
) -> PyTree:
    """Returns `decay * moment + share * updates` as `average` does; `decay + share` must be 1."""
    return jax.tree.map(partial(_weighted_mean, share, decay), moment, updates)


def _weighted_mean(share: ScalarLike, decay: ScalarLike, m: Array, g: Array) -> Array:
    g, a, b = (jnp.asarray(x, m.dtype) for x in (g, share, decay))
    change = g - m
    small = jnp.isfinite(change)
    step = jnp.where(small, change, 0)
    near = jnp.where(share < 0.5, m + a * step, g - b * step)
    past = b * jnp.where(decay == 0, 0, m)  # at decay 0 an infinite past is forgotten
    present = a * jnp.where(share == 0, 0, g)  # and at decay 1 an infinite present
    return jnp.where(small, near, past + present)


def weight_sum(decay: ScalarLike, count: ScalarLike) -> Float[Array, ""]:
    r"""Returns $1 - \beta^t$ with $t$ = `count` + 1, the sum of the weights in `average`.

    Bias correction divides by it. It is computed as $-\mathrm{expm1}(t \log \beta)$, because
    $1 - \beta^t$ loses five digits at $\beta = 0.999$. At $\beta = 0$, where the logarithm has no
    finite slope, it is computed as $1 - \beta^t$.
    """
    times = jnp.asarray(count, float) + 1
    decay = scalar(decay)
    share, decay = jnp.asarray(1 - decay, times.dtype), jnp.asarray(decay, times.dtype)
    none = decay == 0
    logarithm = jnp.log1p(-jnp.where(none, 0.5, share))
    return jnp.where(none, 1 - jnp.power(decay, times), -jnp.expm1(times * logarithm))


@jax.custom_jvp
def root(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns the square root, whose derivative at 0 is 0 instead of infinity.

    It has a derivative rule of its own, because a `where` around `sqrt` would be computed in every
    update and make XLA copy moments.
    """
    return jnp.sqrt(x)


@root.defjvp
def _root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = root(primals[0])
    return y, jnp.where(y > 0, tangents[0] / (2 * jnp.where(y > 0, y, 1)), 0)


def divide_by_root(
    numerator: Float[Array, "..."],
    second_moment: Float[Array, "*shape"],
    eps: ScalarLike,
    *,
    eps_inside: bool,
) -> Float[Array, "*shape"]:
    r"""Returns $m / (\sqrt r + \varepsilon)$, or $m / \sqrt{r + \varepsilon}$ if `eps_inside`.

    The quotient is 0 where the divisor is 0, so that a coordinate whose gradients were all 0 has
    the update 0. The divisor can be 0 only if `eps` is 0 or if float32 rounds it to 0.
    """
    shift = scalar_like(eps, second_moment)
    if eps_inside:  # the maximum changes nothing, but keeps XLA from its slower reciprocal root
        return safe_divide(numerator, jnp.maximum(root(second_moment + shift), 0))
    return safe_divide(numerator, root(second_moment) + shift)


def safe_divide(
    numerator: Float[Array, "..."], divisor: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Returns the quotient, which is 0 where the divisor is 0 or infinite, for any numerator."""
    nothing = (divisor == 0) | (divisor == jnp.inf)
    return jnp.where(nothing, 0, numerator / jnp.where(nothing, 1, divisor))
