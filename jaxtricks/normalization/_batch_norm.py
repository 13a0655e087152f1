"""Batch normalization."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Bool, Float

from jaxtricks._array_checks import check_floating
from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import (
    check_flag,
    check_function,
    check_instance,
    check_integer,
    check_range,
)
from jaxtricks._statistics_axes import statistics_axes
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.normalization._masked_statistics import aligned_mask, masked_statistics


class BatchNorm(nn.Module):
    r"""Applies batch normalization: normalizes each feature by its mean and variance over a batch.

    In training, with the $N$ values $x_i$ of one feature,
    $\mu = \frac1N \sum_i x_i$, $\sigma^2 = \frac1N \sum_i (x_i - \mu)^2$ and
    $y_i = \gamma (x_i - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$. Training updates the running
    statistics too, the float32 arrays `"mean"` and `"var"` in the collection `"batch_stats"`, to
    $\text{decay} \cdot \text{running} + (1 - \text{decay}) \cdot \text{batch}$. Call `apply` with
    `mutable=["batch_stats"]` in training. Evaluation uses the running statistics in place of
    $\mu$ and $\sigma^2$. `init` sets the running mean to 0 and the running variance to 1.

    The variance is computed from centred values, so it is accurate even if the mean is a million
    times the standard deviation. If $\sigma^2 + \epsilon = 0$, the normalized value is 0.

    Under `jit` with a sharded batch the statistics are those of the whole batch. Under `pmap` or
    `vmap` they are those of the whole batch only if `axis_name` names the mapped axis.

    With a `mask` in training, only the values where it is True count, and $N$ is their number, so
    that padding has no effect. The output at the other values is $\beta$. If fewer than two values
    count, the running statistics do not change. Evaluation ignores the mask.

    Attributes:
        decay: share of the running statistics that an update keeps, in `[0, 1]`. PyTorch's
            `momentum` is `1 - decay`.
        eps: $\epsilon$, at least 0, added to the variance before the square root is taken.
        unbiased_running_var: whether the running variance is updated with
            $\frac{N}{N-1} \sigma^2$, as in PyTorch, instead of $\sigma^2$, as in Flax and Keras.
        axis_name: name of a mapped axis (`pmap`, `vmap`, `shard_map`) over which the statistics are
            averaged too, or None.
        use_scale: whether to multiply by the parameter $\gamma$, `"scale"`.
        use_bias: whether to add the parameter $\beta$, `"bias"`.
        scale_init: initializer of $\gamma$, `(key, shape, dtype) -> array`; by default 1.
        bias_init: initializer of $\beta$, `(key, shape, dtype) -> array`; by default 0.
        axis: the axis or axes along which the statistics vary; the mean and variance are taken over
            all other axes. -1 is for rows `[n, features]` and for images with channels last, 1 for
            images with channels first, and `(-3, -2, -1)` gives each channel of each pixel its own
            statistics. Statistics and parameters have the sizes of these axes as their shape.
        dtype: dtype of the output; None returns the input's dtype. The statistics of a batch are
            computed in float32, or in `dtype` (or the input's dtype) if that is wider. Running
            statistics and parameters are float32.

    Raises:
        TypeError: an attribute has the wrong type; when the layer is called, the input is not a
            floating array, `train` is not a bool, or `mask` is not boolean.
        ValueError: `decay` or `eps` is out of range. When the layer is called: `axis` or `mask`
            does not fit the input, the number of features differs from that of the running
            statistics, a feature has fewer than two values in training (their variance would be 0),
            or `axis_name` is not the name of a mapped axis.

    Example:
        >>> layer = BatchNorm(decay=0.5, unbiased_running_var=True)
        >>> x = jnp.array([[0.0], [2.0]])
        >>> variables = layer.init(jax.random.key(0), x, train=False)
        >>> y, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        >>> y.round(3).tolist(), updated["batch_stats"]["var"].tolist()
        ([[-1.0], [1.0]], [1.5])

    References:
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.
    """

    decay: ScalarLike = 0.9
    eps: ScalarLike = 1e-5
    unbiased_running_var: bool = False
    axis_name: str | None = None
    use_scale: bool = True
    use_bias: bool = True
    scale_init: Initializer = nn.initializers.ones
    bias_init: Initializer = nn.initializers.zeros
    axis: int | tuple[int, ...] = -1
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        check_range("decay", self.decay, low=0.0, high=1.0)
        check_range("eps", self.eps, low=0.0)
        check_flag("unbiased_running_var", self.unbiased_running_var)
        check_flag("use_scale", self.use_scale)
        check_flag("use_bias", self.use_bias)
        check_function("scale_init", self.scale_init)
        check_function("bias_init", self.bias_init)
        if isinstance(self.axis, list):
            raise TypeError(f"axis must be an integer or a tuple of integers, got {self.axis}.")
        for axis in self.axis if isinstance(self.axis, tuple) else (self.axis,):
            check_integer("axis", axis)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        check_dtype("dtype", self.dtype)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "*shape"], *, train: bool, mask: Bool[Array, "*some"] | None = None
    ) -> Float[Array, "*shape"]:
        """Normalizes by the batch in training and by the running statistics in evaluation.

        Args:
            x: the input.
            train: whether to normalize by the batch and to update the running statistics.
            mask: a boolean array, True for the values that count in training; None means all. Its
                shape is `[batch]`, or has one axis for each axis of the input other than `axis`,
                such as `[batch, time]`.
        """
        check_floating("x", x)
        check_flag("train", train)
        own = statistics_axes(self.axis, x.ndim)
        features = tuple(x.shape[axis] for axis in own)
        row = tuple(size if axis in own else 1 for axis, size in enumerate(x.shape))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, features, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, features, jnp.float32)
        if running_mean.value.shape != features:
            raise ValueError(
                f"x must have the {running_mean.value.shape} features of the running statistics, "
                f"got {features} along axis {self.axis} of {x.shape}."
            )
        dtype = x.dtype if self.dtype is None else self.dtype
        wide = jnp.asarray(x, wide_dtype(dtype))
        if train:
            mean, centred, var, size = self.statistics(wide, own, mask)
            if not self.is_initializing():
                bessel = size / jnp.maximum(size - 1, 1) if self.unbiased_running_var else 1
                running_mean.value = self.update_running(running_mean.value, mean, size)
                running_var.value = self.update_running(running_var.value, var * bessel, size)
        else:
            centred, var = wide - running_mean.value.reshape(row), running_var.value.reshape(row)
        total = var + self.eps
        factor = jnp.where(total > 0, jax.lax.rsqrt(jnp.where(total > 0, total, 1)), 0)
        if self.use_scale:
            factor *= self.param("scale", self.scale_init, features).reshape(row)
        y = factor * centred
        if self.use_bias:
            y += self.param("bias", self.bias_init, features).reshape(row)
        return y.astype(dtype)

    def statistics(
        self, x: Float[Array, "*shape"], own: tuple[int, ...], mask: Bool[Array, "*some"] | None
    ) -> tuple[Float[Array, "*row"], Float[Array, "*shape"], Float[Array, "*row"], ScalarLike]:
        """Returns the mean, the centred values, the biased variance and the number of values."""
        axes = tuple(axis for axis in range(x.ndim) if axis not in own)
        size = math.prod(x.shape[axis] for axis in axes)
        # In `init` there need not be a mapped axis.
        name = None if self.is_initializing() else self.axis_name
        if name is not None:
            size *= axis_size(name)
        if size < 1 or (size == 1 and not self.is_initializing()):
            raise ValueError(f"x must have two or more values per feature in training, got {size}.")
        if mask is not None:
            return masked_statistics(x, aligned_mask(mask, x.shape, own), own, name)

        def shared(values: Array) -> Array:
            return values if name is None else jax.lax.pmean(values, name)

        first = tuple(slice(None if axis in own else 1) for axis in range(x.ndim))
        origin = shared(jax.lax.stop_gradient(x[first]))
        distance = x - origin
        mean = shared(jnp.mean(distance, axes, keepdims=True))
        centred = distance - mean
        var = shared(jnp.mean(jnp.square(centred), axes, keepdims=True))
        return origin + mean, centred, var, size

    def update_running(self, running: Array, batch: Array, size: ScalarLike) -> Array:
        """Returns a running statistic after a training batch of `size` values per feature."""
        batch = batch.reshape(running.shape)
        new = (self.decay * running + (1 - self.decay) * batch).astype(running.dtype)
        return jnp.where(size > 1, new, running)


def axis_size(name: str) -> int:
    """Returns the size of a mapped axis; raises `ValueError` if no axis of that name is mapped."""
    try:
        return jax.lax.axis_size(name)
    except NameError:
        raise ValueError(
            f"axis_name must be that of a mapped axis (pmap, vmap, shard_map), got {name!r}."
        ) from None
