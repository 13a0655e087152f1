"""Moments of the gradients: what the update rules keep, average, correct and divide by.

Moments are kept in `promote_types(leaf, float32)`, so that a bfloat16 model does not lose them;
the updates go back to the gradient's dtype.
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
    """Returns a tree shaped like `params`, filled with `value`, in `dtype` or float32 or wider."""
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
    """Converts back to the dtypes of `like`: updates to the gradients', a new state to the old.

    Where `like` holds integers the leaf stays as it is, because an update is a fraction.
    """
    return jax.tree.map(_cast_leaf, tree, like)


def _cast_leaf(leaf: PyTree, like: PyTree) -> PyTree:
    dtype = jnp.result_type(like)
    return jnp.asarray(leaf, dtype if jnp.issubdtype(dtype, jnp.floating) else None)


def narrow_like(moment: PyTree, like: PyTree) -> PyTree:
    """Rounds a moment to the dtypes in which it is kept; what is finite stays finite.

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
    """Widens a hyper-parameter that is an array to float32 or more; a Python number stays exact."""
    return value if isinstance(value, int | float) else jnp.asarray(value, _wide(value))


def scalar_like(value: ScalarLike, leaf: Array) -> Float[Array, ""]:
    """Converts a hyper-parameter to the dtype of a moment, as strict dtype promotion asks for."""
    return jnp.asarray(value, leaf.dtype)


def average(moment: PyTree, updates: PyTree, decay: ScalarLike) -> PyTree:
    r"""One step of the moving average, $m \leftarrow \beta m + (1 - \beta) g$, not debiased.

    Written as $m + (1 - \beta) (g - m)$, or as $g - \beta (g - m)$ for decays below 0.5: 0.999
    itself is off by 1.3e-8 in float32, which adds up to 1e-5 of $m$ in a thousand steps. Where that
    difference is infinite, because a square overflowed or two huge numbers have opposite signs, it
    is the plain sum, which has no $\infty - \infty$: an infinite second moment stays infinite,
    and the rule divides by it.
    """
    decay = scalar(decay)
    return weighted_mean(moment, updates, share=1 - decay, decay=decay)


def weighted_mean(
    moment: PyTree, updates: PyTree, *, share: ScalarLike, decay: ScalarLike
) -> PyTree:
    """Returns `decay * moment + share * updates` as `average` does; the two weights add up to 1."""
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
    r"""Returns $1 - \beta^t$, $t$ = `count` + 1: the sum of the weights of `average` by then.

    Dividing by it is the bias correction. Written as $-\mathrm{expm1}(t \log \beta)$, because
    $1 - \beta^t$ loses five digits at 0.999; at $\beta = 0$, where the logarithm has no slope, as
    $1 - \beta^t$.
    """
    times = jnp.asarray(count, float) + 1
    decay = scalar(decay)
    share, decay = jnp.asarray(1 - decay, times.dtype), jnp.asarray(decay, times.dtype)
    none = decay == 0
    logarithm = jnp.log1p(-jnp.where(none, 0.5, share))
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


def divide_by_root(
    numerator: Float[Array, "..."],
    second_moment: Float[Array, "*shape"],
    eps: ScalarLike,
    *,
    eps_inside: bool,
) -> Float[Array, "*shape"]:
    r"""Returns $m / (\sqrt r + \varepsilon)$, or $m / \sqrt{r + \varepsilon}$ if `eps_inside`.

    Over a zero, which needs an `eps` that is 0 or that float32 rounds to 0, it is 0, so that a
    coordinate whose gradients were all 0 has the update 0.
    """
    shift = scalar_like(eps, second_moment)
    if eps_inside:  # the maximum changes nothing, but keeps XLA from its slower reciprocal root
        return safe_divide(numerator, jnp.maximum(root(second_moment + shift), 0))
    return safe_divide(numerator, root(second_moment) + shift)


def safe_divide(
    numerator: Float[Array, "..."], divisor: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Returns the quotient, 0 over a divisor of 0 or of infinity, the numerator's too."""
    nothing = (divisor == 0) | (divisor == jnp.inf)
    return jnp.where(nothing, 0, numerator / jnp.where(nothing, 1, divisor))
