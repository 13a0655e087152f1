"""`keras.layers.BatchNormalization`."""

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.normalization import BatchNorm


def batch_normalization(
    axis: int | tuple[int, ...] = -1,
    momentum: ScalarLike = 0.99,
    epsilon: ScalarLike = 1e-3,
    center: bool = True,
    scale: bool = True,
) -> BatchNorm:
    r"""`keras.layers.BatchNormalization`: `momentum` is what is *kept*, the variance is biased.

    $\text{moving} \leftarrow m\, \text{moving} + (1 - m) \sigma^2$. The $\epsilon$ is a hundred
    times PyTorch's, and matters where a feature varies little.

    Args:
        axis: of the features.
        momentum: $m$ in `[0, 1]`.
        epsilon: $\epsilon \ge 0$, inside the root.
        center: whether there is a bias.
        scale: whether there is a scale.

    Raises:
        ValueError: `epsilon` or `momentum` is out of range.
        TypeError: `center` or `scale` is not a bool, or `axis` is not an integer.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = batch_normalization(momentum=0.9), jnp.array([[0.0], [2.0]])
        >>> variables = layer.init(jax.random.key(0), x, train=False)
        >>> _, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        >>> round(float(updated["batch_stats"]["var"][0]), 4)  # 0.9 * 1 + 0.1 * 1
        1.0
    """
    check_range("momentum", momentum, low=0.0, high=1.0)
    check_range("epsilon", epsilon, low=0.0)
    check_flag("center", center)
    check_flag("scale", scale)
    return BatchNorm(momentum, epsilon, use_scale=scale, use_bias=center, axis=axis)
