"""Normalising each feature by the statistics of its batch."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, ScalarLike

from jaxtricks._checks import (
    check_flag,
    check_floating,
    check_function,
    check_instance,
    check_integer,
    check_range,
)


class BatchNorm(nn.Module):
    r"""Batch normalization over every axis but the last, or but `axis`.

    In training $\mu = \frac1N \sum_i x_i$, $\sigma^2 = \frac1N \sum_i (x_i - \mu)^2$ and
    $y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$, and the running statistics in the
    collection `"batch_stats"` (`"mean"` and `"var"`, float32) become
    $\text{decay} \cdot \text{running} + (1 - \text{decay}) \cdot \text{batch}$. In evaluation the
    running ones take the place of $\mu$ and $\sigma^2$. Apply with `mutable=["batch_stats"]` in
    training; initialising leaves them at 0 and 1.

    Values are counted from the first example's, and the variance is the mean square of the centred
    ones, so both are right where the mean is a million times the standard deviation. Where
    $\sigma^2 + \epsilon = 0$ the normalised value is 0.

    Under `jit` with a sharded batch the statistics are those of the whole batch; under a mapped
    axis (`pmap`, `vmap`) they are if `axis_name` names it. Examples of weight 0 count.

    Attributes:
        decay: share of the running statistics kept, in `[0, 1]` (PyTorch's momentum is what is
            taken: 1 - decay).
        eps: $\epsilon$, at least 0, inside the root.
        unbiased_running_var: whether the running variance stores $\frac{N}{N-1} \sigma^2$, as in
            PyTorch; else the batch's own, as in Flax and Keras.
        axis_name: of a mapped axis to share statistics over, or None.
        use_scale: whether there is a $\gamma$, `"scale"`, initially 1.
        use_bias: whether there is a $\beta$, `"bias"`, initially 0.
        scale_init: draws $\gamma$, `(key, shape, dtype) -> array`.
        bias_init: draws $\beta$.
        axis: the axis, or axes, with statistics of their own: -1 for rows `[n, features]` and
            channels-last images (over n, height and width), 1 for channels-first ones,
            `(-3, -2, -1)` for every pixel's own. Statistics and parameters have these axes' shape.

    Raises:
        TypeError: an attribute is of another type, or, when called, the input is no floating array
            or `train` no bool.
        ValueError: `decay` or `eps` is out of range, or, when called, an axis is not the input's,
            or twice; the input's features are not those of the running statistics; in training
            there are fewer than two values per feature, whose variance would be 0; or no axis of
            the name `axis_name` is mapped.

    Example:
        >>> layer = BatchNorm(decay=0.5, unbiased_running_var=True)
        >>> x = jnp.array([[0.0], [2.0]])
        >>> variables = layer.init(jax.random.key(0), x, train=False)
        >>> y, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        >>> y.round(3).tolist(), updated["batch_stats"]["var"].tolist()
        ([[-1.0], [1.0]], [1.5])

    References:
        S-NRM-01, S-NRM-04, E-50; notes 002:66-104, 004:475-522.
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

    def __post_init__(self) -> None:
        check_range("decay", self.decay, low=0.0, high=1.0)
        check_range("eps", self.eps, low=0.0)
        check_flag("unbiased_running_var", self.unbiased_running_var)
        check_flag("use_scale", self.use_scale)
        check_flag("use_bias", self.use_bias)
        check_function("scale_init", self.scale_init)
        check_function("bias_init", self.bias_init)
        if isinstance(self.axis, list):
            raise TypeError(f"axis must be an integer or a tuple of them, got {self.axis}.")
        for axis in self.axis if isinstance(self.axis, tuple) else (self.axis,):
            check_integer("axis", axis)
        if self.axis_name is not None:
            check_instance("axis_name", self.axis_name, str)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Float[Array, "*shape"], *, train: bool) -> Float[Array, "*shape"]:
        """Normalises by the batch in training, by the running statistics else."""
        check_floating("x", x)
        check_flag("train", train)
        kept = kept_axes(self.axis, x.ndim)
        features = tuple(x.shape[axis] for axis in kept)
        row = tuple(size if axis in kept else 1 for axis, size in enumerate(x.shape))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, features, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, features, jnp.float32)
        if running_mean.value.shape != features:
            raise ValueError(
                f"x must have the {running_mean.value.shape} features of the running statistics, "
                f"got {features} along axis {self.axis} of {x.shape}."
            )
        x = jnp.asarray(x)
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if train:
            mean, centred, var, size = self.statistics(wide, kept)
            if not self.is_initializing():
                stored = var * size / (size - 1) if self.unbiased_running_var else var
                running_mean.value = self.moved(running_mean.value, mean)
                running_var.value = self.moved(running_var.value, stored)
        else:
            centred, var = wide - running_mean.value.reshape(row), running_var.value.reshape(row)
        total = var + self.eps
        factor = jnp.where(total > 0, jax.lax.rsqrt(jnp.where(total > 0, total, 1)), 0)
        if self.use_scale:
            factor *= self.param("scale", self.scale_init, features).reshape(row)
        y = factor * centred
        if self.use_bias:
            y += self.param("bias", self.bias_init, features).reshape(row)
        return y.astype(x.dtype)

    def statistics(
        self, x: Float[Array, "*shape"], kept: tuple[int, ...]
    ) -> tuple[Float[Array, "*row"], Float[Array, "*shape"], Float[Array, "*row"], int]:
        """Mean, centred values, biased variance, and over how many values."""
        axes = tuple(axis for axis in range(x.ndim) if axis not in kept)
        size = math.prod(x.shape[axis] for axis in axes)
        # The axis need not exist while initialising.
        name = None if self.is_initializing() else self.axis_name
        if name is not None:
            size *= axis_size(name)
        if size < 1 or (size == 1 and not self.is_initializing()):
            raise ValueError(f"x has {size} values per feature: too few for batch statistics.")

        def shared(values: Array) -> Array:
            return values if name is None else jax.lax.pmean(values, name)

        first = tuple(slice(None if axis in kept else 1) for axis in range(x.ndim))
        origin = shared(jax.lax.stop_gradient(x[first]))
        distance = x - origin
        mean = shared(jnp.mean(distance, axes, keepdims=True))
        centred = distance - mean
        var = shared(jnp.mean(jnp.square(centred), axes, keepdims=True))
        return origin + mean, centred, var, size

    def moved(self, running: Array, batch: Array) -> Array:
        """The running statistic after a batch."""
        batch = batch.reshape(running.shape)
        return (self.decay * running + (1 - self.decay) * batch).astype(running.dtype)


def kept_axes(axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """The axes with statistics of their own, from 0 and in order."""
    given = axis if isinstance(axis, tuple) else (axis,)
    if ndim < 2:
        raise ValueError(f"x must have two axes or more, got {ndim}.")
    if not given or not all(-ndim <= one < ndim for one in given):
        raise ValueError(f"axis must be of the input's {ndim} axes, got {axis}.")
    kept = tuple(sorted(one % ndim for one in given))
    if len(set(kept)) != len(kept) or len(kept) == ndim:
        raise ValueError(f"axis must name different axes, and not all {ndim}, got {axis}.")
    return kept


def axis_size(name: str) -> int:
    """Of the mapped axis."""
    try:
        return jax.lax.axis_size(name)
    except NameError:
        raise ValueError(
            f"axis_name must be that of a mapped axis (pmap, vmap, shard_map), got {name!r}."
        ) from None
