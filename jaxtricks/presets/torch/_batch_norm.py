"""The layers `torch.nn.BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`."""

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
    r"""Makes a batch-norm layer with the conventions of `torch.nn.BatchNorm2d`.

    The running variance is updated to $(1 - m) \text{running} + m \frac{N}{N-1} \sigma^2$, so
    `momentum` is the share of the new value, and the running variance is unbiased. The batch itself
    is normalized by its biased variance. The layer takes the place of `BatchNorm1d`, `BatchNorm2d`
    and `BatchNorm3d`. It has no argument `num_features`, because Flax takes the number from the
    input, so all arguments are keyword-only. There is no `track_running_stats=False` and no
    cumulative average (`momentum=None`).

    Args:
        eps: $\epsilon \ge 0$, added to the variance before the square root is taken.
        momentum: $m$, in `[0, 1]`.
        affine: whether to multiply by a scale and to add a bias.
        bias: whether to add a bias if `affine` is True.
        axis: the axis of the channels: -1 for images with channels last, as in Flax, 1 for images
            with channels first, as in PyTorch.

    Returns:
        A `normalization.BatchNorm`, a Flax module that is called with `train`.

    Raises:
        ValueError: `eps` or `momentum` is out of range.
        TypeError: `affine` or `bias` is not a bool, or `axis` is not an integer or a tuple.

    References:
        PyTorch's
        [`BatchNorm2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html);
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.

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
