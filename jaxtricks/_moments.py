"""Moments of the gradients: how update rules store them, average them and divide by them.

Moments are stored in `promote_types(leaf, float32)`, so that small changes are not lost in a
bfloat16 model. The updates are converted back to the dtype of the gradient.
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
    """Returns a tree like `params` filled with `value`, in `dtype` or else in float32 or wider."""
    return jax.tree.map(
        lambda leaf: jnp.full_like(leaf, value, dtype=_wide(leaf) if dtype is None else dtype),
        params,
    )


def to_float32(updates: PyTree) -> PyTree:
    """Converts the updates to the dtype in which moments are stored: float32 or wider."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, _wide(leaf)), updates)


def _wide(leaf: PyTree) -> np.dtype:
    return wide_dtype(jnp.result_type(leaf))


def cast_like(tree: PyTree, like: PyTree) -> PyTree:
    """Converts a tree back to the dtypes of `like`: updates to those of the gradients, for example.

    A leaf stays as it is where `like` holds integers, because an update is a fraction.
    """
    return jax.tree.map(_cast_leaf, tree, like)


def _cast_leaf(leaf: PyTree, like: PyTree) -> PyTree:
    dtype = jnp.result_type(like)
    return jnp.asarray(leaf, dtype if jnp.issubdtype(dtype, jnp.floating) else None)


def narrow_like(moment: PyTree, like: PyTree) -> PyTree:
    """Rounds a moment to the dtypes in which it is stored; finite numbers stay finite.

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
    """Converts an array to float32 or wider; a Python number stays as it is, and exact."""
    return value if isinstance(value, int | float) else jnp.asarray(value, _wide(value))


def scalar_like(value: ScalarLike, leaf: Array) -> Float[Array, ""]:
    """Converts a hyper-parameter to the dtype of a moment, as strict promotion requires."""
    return jnp.asarray(value, leaf.dtype)


def average(moment: PyTree, updates: PyTree, decay: ScalarLike) -> PyTree:
    r"""Updates a moving average, $m \leftarrow \beta m + (1 - \beta) g$, without bias correction.

    It is computed as $m + (1 - \beta) (g - m)$, or as $g - \beta (g - m)$ for $\beta \le 0.5$. The
    reason is that 0.999 itself is off by 1.3e-8 in float32, which adds up to 1e-5 of $m$ in a
    thousand updates. Where $g - m$ is infinite, because a square overflowed or two huge numbers
    have opposite signs, the plain sum is used, which has no $\infty - \infty$. An infinite second
    moment then stays infinite instead of becoming NaN, and the rule can divide by it.
    """
    decay = scalar(decay)
    return weighted_mean(moment, updates, share=1 - decay, decay=decay)


def weighted_mean(
    moment: PyTree, updates: PyTree, *, share: ScalarLike, decay: ScalarLike
) -> PyTree:
    """Returns `decay * moment + share * updates`, as in `average`; the weights must sum to 1."""
    return jax.tree.map(partial(_weighted_mean, share, decay), moment, updates)


def _weighted_mean(share: ScalarLike, decay: ScalarLike, m: Array, g: Array) -> Array:
    g, a, b = (jnp.asarray(x, m.dtype) for x in (g, share, decay))
    change = g - m
    small = jnp.isfinite(change)
    step = jnp.where(small, change, 0)
    near = jnp.where(share < 0.5, m + a * step, g - b * step)
    past = b * jnp.where(decay == 0, 0, m)  # at decay 0 an infinite past has no effect
    present = a * jnp.where(share == 0, 0, g)  # and at decay 1 an infinite gradient
    return jnp.where(small, near, past + present)


def weight_sum(decay: ScalarLike, count: ScalarLike) -> Float[Array, ""]:
    r"""Returns $1 - \beta^t$ with $t$ = `count` + 1, the sum of the weights in `average` so far.

    Dividing by it is the bias correction. It is computed as $-\mathrm{expm1}(t \log \beta)$,
    because $1 - \beta^t$ loses five digits at 0.999. At $\beta = 0$, where the logarithm has no
    derivative, it is computed as $1 - \beta^t$.
    """
    times = jnp.asarray(count, float) + 1
    decay = scalar(decay)
    share, decay = jnp.asarray(1 - decay, times.dtype), jnp.asarray(decay, times.dtype)
    none = decay == 0
    logarithm = jnp.log1p(-jnp.where(none, 0.5, share))
    return jnp.where(none, 1 - jnp.power(decay, times), -jnp.expm1(times * logarithm))


@jax.custom_jvp
def root(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Computes the square root, with the derivative 0 at 0 instead of infinity.

    It has its own derivative rule, because a `where` around `sqrt` would be computed in every
    update and would make XLA copy moments.
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

    Where the divisor is 0, because $r = 0$ and `eps` is 0 or rounds to 0 in float32, the result is
    0: a coordinate whose gradients were all 0 has the update 0.
    """
    shift = scalar_like(eps, second_moment)
    if eps_inside:  # the maximum changes no value, but avoids the slower reciprocal root of XLA
        return safe_divide(numerator, jnp.maximum(root(second_moment + shift), 0))
    return safe_divide(numerator, root(second_moment) + shift)


def safe_divide(
    numerator: Float[Array, "..."], divisor: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Returns the quotient, and 0 where the divisor is 0 or infinite, whatever the numerator."""
    nothing = (divisor == 0) | (divisor == jnp.inf)
    return jnp.where(nothing, 0, numerator / jnp.where(nothing, 1, divisor))
