"""`torch.nn.BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`."""

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.normalization import BatchNorm


def batch_norm(
    *,
    eps: ScalarLike = 1e-5,
    momentum: ScalarLike = 0.1,
    affine: bool = True,
    bias: bool = True,
    axis: int | tuple[int, ...] = -1,
) -> BatchNorm:
    r"""`torch.nn.BatchNorm2d`: `momentum` is what is *taken*, the running variance is unbiased.

    $\text{running} \leftarrow (1 - m) \text{running} + m \frac{N}{N-1} \sigma^2$ for the variance,
    while the batch itself is divided by its biased one. One layer for all ranks, and no
    `num_features`, PyTorch's first argument: Flax reads it off the input, and all arguments here
    are given by name. There is no `track_running_stats=False`
    and no cumulative average (`momentum=None`).

    Args:
        eps: $\epsilon \ge 0$, inside the root.
        momentum: $m$ in `[0, 1]`.
        affine: whether there are a scale and a bias.
        bias: False leaves out the bias alone.
        axis: of the channels: -1 for Flax's images, 1 for PyTorch's.

    Raises:
        ValueError: `eps` or `momentum` is out of range.
        TypeError: `affine` or `bias` is not a bool, or `axis` is not an integer.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, x = batch_norm(), jnp.array([[0.0], [2.0]])
        >>> variables = layer.init(jax.random.key(0), x, train=False)
        >>> _, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        >>> round(float(updated["batch_stats"]["var"][0]), 4)  # 0.9 * 1 + 0.1 * 2
        1.1
    """
    check_range("momentum", momentum, low=0.0, high=1.0)
    check_flag("affine", affine)
    check_flag("bias", bias)
    return BatchNorm(
        1 - momentum,
        eps,
        unbiased_running_var=True,
        use_scale=affine,
        use_bias=affine and bias,
        axis=axis,
    )
