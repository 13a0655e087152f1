"""Normalising each feature by the statistics of its batch."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, ScalarLike

from jaxtricks._checks import check_flag, check_range


class BatchNorm(nn.Module):
    r"""Batch normalization over every axis but the last.

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

    Raises:
        TypeError: when called, the input is not floating.
        ValueError: `decay` or `eps` is out of range, or, when called in training, there is no
            example, or only one for an unbiased variance.

    Example:
        >>> layer = BatchNorm(decay=0.5, unbiased_running_var=True)
        >>> x = jnp.array([[0.0], [2.0]])
        >>> variables = layer.init(jax.random.key(0), x, train=False)
        >>> y, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
        >>> y.round(3).tolist(), updated["batch_stats"]["var"].tolist()
        ([[-1.0], [1.0]], [1.5])

    References:
        S-NRM-01, S-NRM-04; notes 002:66-104, 004:475-522.
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.
    """

    decay: ScalarLike = 0.9
    eps: ScalarLike = 1e-5
    unbiased_running_var: bool = False
    axis_name: str | None = None
    use_scale: bool = True
    use_bias: bool = True

    def __post_init__(self) -> None:
        check_range("decay", self.decay, low=0.0, high=1.0)
        check_range("eps", self.eps, low=0.0)
        check_flag("unbiased_running_var", self.unbiased_running_var)
        check_flag("use_scale", self.use_scale)
        check_flag("use_bias", self.use_bias)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "*batch features"], *, train: bool
    ) -> Float[Array, "*batch features"]:
        """Normalises by the batch in training, by the running statistics else."""
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(f"x must be floating, got {x.dtype}.")
        features = x.shape[-1:]
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, features, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, features, jnp.float32)
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if train:
            mean, centred, var, size = self.statistics(wide)
            if not self.is_initializing():
                stored = var * size / (size - 1) if self.unbiased_running_var else var
                running_mean.value = self.moved(running_mean.value, mean)
                running_var.value = self.moved(running_var.value, stored)
        else:
            centred, var = wide - row(running_mean.value, x.ndim), running_var.value
        total = var + self.eps
        factor = jnp.where(total > 0, jax.lax.rsqrt(jnp.where(total > 0, total, 1)), 0)
        if self.use_scale:
            factor *= self.param("scale", nn.initializers.ones, features)
        y = row(factor, x.ndim) * centred
        if self.use_bias:
            y += row(self.param("bias", nn.initializers.zeros, features), x.ndim)
        return y.astype(x.dtype)

    def statistics(
        self, x: Float[Array, "*batch features"]
    ) -> tuple[
        Float[Array, " features"], Float[Array, "*batch features"], Float[Array, " features"], int
    ]:
        """Mean, centred values, biased variance, and over how many values."""
        axes = tuple(range(x.ndim - 1))
        size = math.prod(x.shape[:-1])
        # The axis need not exist while initialising.
        name = None if self.is_initializing() else self.axis_name
        if name is not None:
            size *= jax.lax.axis_size(name)
        if size < 1 + self.unbiased_running_var:
            raise ValueError(f"x has {size} values per feature: too few for batch statistics.")

        def shared(values: Array) -> Array:
            return values if name is None else jax.lax.pmean(values, name)

        first = shared(jax.lax.stop_gradient(x[(0,) * len(axes)]))
        distance = x - row(first, x.ndim)
        mean = shared(jnp.mean(distance, axes))
        centred = distance - row(mean, x.ndim)
        return first + mean, centred, shared(jnp.mean(jnp.square(centred), axes)), size

    def moved(self, running: Array, batch: Array) -> Array:
        """The running statistic after a batch."""
        return (self.decay * running + (1 - self.decay) * batch).astype(running.dtype)


def row(values: Float[Array, " features"], ndim: int) -> Float[Array, "*ones features"]:
    """One value per feature, with as many axes as the input."""
    return values.reshape((1,) * (ndim - 1) + values.shape)
