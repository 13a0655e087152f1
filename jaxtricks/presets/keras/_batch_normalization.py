"""The layer `keras.layers.BatchNormalization`."""

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
    r"""Makes a batch-norm layer with the conventions of `keras.layers.BatchNormalization`.

    $\text{moving} \leftarrow m\, \text{moving} + (1 - m) \sigma^2$, so `momentum` is the share of
    the moving statistics that an update keeps, and the moving variance is biased. The default
    $\epsilon$ is a hundred times that of PyTorch, which matters for features that vary little.

    Args:
        axis: the axis or axes of the features.
        momentum: $m$, in `[0, 1]`.
        epsilon: $\epsilon \ge 0$, added to the variance before the square root is taken.
        center: whether to add a bias.
        scale: whether to multiply by a scale.

    Returns:
        A `normalization.BatchNorm`, a Flax module that is called with `train`.

    Raises:
        ValueError: `epsilon` or `momentum` is out of range.
        TypeError: `center` or `scale` is not a bool, or `axis` is not an integer or a tuple.

    References:
        Keras's
        [`BatchNormalization`](https://keras.io/api/layers/normalization_layers/batch_normalization/);
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.

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
