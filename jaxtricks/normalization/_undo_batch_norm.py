"""The parameters with which batch normalization returns its input."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._array_checks import check_floating
from jaxtricks._checks import check_range, shown
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype


def undo_batch_norm(
    mean: Float[Array, "*features"], var: Float[Array, "*features"], *, eps: ScalarLike = 1e-5
) -> dict[str, Float[Array, "*features"]]:
    r"""Returns the scale and bias with which a batch-norm layer returns its input unchanged.

    $\gamma = \sqrt{\sigma^2 + \epsilon}$ and $\beta = \mu$ give
    $\gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta = x$. So a network with batch norm can
    represent every function that it can represent without it. The parameters invert one set of
    statistics: those of one batch, or the running statistics.

    Args:
        mean: $\mu$ of each feature, in any shape.
        var: $\sigma^2$ of each feature, at least 0, in the shape of `mean`.
        eps: $\epsilon$ of the layer, at least 0.

    Returns:
        The parameters `"scale"` and `"bias"` of a `BatchNorm`, in the shape of `mean`.

    Raises:
        ValueError: `eps` or a variance is negative or not finite, or the shapes differ.
        TypeError: `mean` or `var` is not a floating array.

    Example:
        >>> parameters = undo_batch_norm(jnp.array([3.0]), jnp.array([4.0]), eps=0.0)
        >>> {name: value.tolist() for name, value in parameters.items()}
        {'scale': [2.0], 'bias': [3.0]}

    References:
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.
    """
    check_range("eps", eps, low=0.0)
    check_floating("mean", mean)
    check_floating("var", var)
    if mean.shape != var.shape:
        raise ValueError(f"var must have the shape of mean, {mean.shape}, got {var.shape}.")
    if not isinstance(var, jax.core.Tracer) and not np.all(
        np.isfinite(var) & (np.asarray(var) >= 0)
    ):
        raise ValueError(f"var must be finite and at least 0, got {shown(var)}.")
    scale = jnp.sqrt(jnp.asarray(var, wide_dtype(var.dtype)) + eps)
    return {"scale": scale.astype(var.dtype), "bias": mean}
