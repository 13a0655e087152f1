"""The base class of the DropConnect layers."""

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_choice, check_flag, check_function, check_integer, check_range
from jaxtricks._convolution import Product
from jaxtricks._types import ScalarLike
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.regularizers._drop_connect_moments import mean_activation, moments
from jaxtricks.regularizers._dropped_product import dropped_product
from jaxtricks.regularizers._random_layer import check_stream, stream_key

Activation = Callable[[Array], Array]
Inference = Literal["mean", "gaussian"]


class DropConnectLayer(nn.Module):
    """Base of the DropConnect layers; a subclass adds the fields and the product."""

    def check_input(self, x: object) -> None:
        """Raises `TypeError` or `ValueError` if the layer cannot be applied to `x`."""
        raise NotImplementedError

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """Returns the shape of the kernel for inputs with `channels` entries in the last axis."""
        raise NotImplementedError

    def product(self) -> Product:
        """Returns the bilinear function of inputs and kernel that the layer computes."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        check_integer("features", self.features, low=1)
        check_range("rate", self.rate, low=0.0, high=1.0)
        check_flag("per_example", self.per_example)
        if self.activation is not None:
            check_function("activation", self.activation)
        check_choice("inference", self.inference, ("mean", "gaussian"))
        if self.inference == "gaussian" and self.activation is None:
            raise ValueError(
                "activation must be a function if inference is 'gaussian', because the layer then "
                "averages activations, got None."
            )
        check_integer("samples", self.samples, low=1)
        check_flag("use_bias", self.use_bias)
        check_function("kernel_init", self.kernel_init)
        check_dtype("dtype", self.dtype)
        check_stream(self.rng_collection)
        super().__post_init__()

    @nn.compact
    def __call__(
        self, x: Float[Array, "..."], *, train: bool, rate: ScalarLike | None = None
    ) -> Float[Array, "..."]:
        """Applies the layer.

        Args:
            x: the inputs.
            train: whether to drop weights.
            rate: replaces the layer's own `rate` in this call. It may be traced, so that a schedule
                or a search can change it.
        """
        check_flag("train", train)
        self.check_input(x)
        rate = self.rate if rate is None else rate
        check_range("rate", rate, low=0.0, high=1.0)
        shape = self.kernel_shape(x.shape[-1])
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
            bias = bias.reshape((1,) * (x.ndim - 1) + (-1,))
        drops = isinstance(rate, jax.core.Tracer) or rate != 0
        if drops and not train and self.inference == "gaussian" and not self.is_initializing():
            y = self.gaussian(x, kernel, bias, rate)
        else:
            dtype = wide_dtype(x.dtype) if self.dtype is None else self.dtype
            y = self.linear(jnp.asarray(x, dtype), kernel, rate if drops else None, train)
            y = y if bias is None else y + bias.astype(dtype)
            y = y if self.activation is None else self.activation(y)
        return y.astype(x.dtype if self.dtype is None else self.dtype)

    def linear(self, x: Array, kernel: Array, rate: ScalarLike | None, train: bool) -> Array:
        """Returns the product; weights are dropped if `train` is True and `rate` is not None."""
        sown = train and self.is_mutable_collection("masks") and not self.is_initializing()
        if train and rate is not None:
            key = stream_key(self, self.rng_collection)
            settings = {"per_example": self.per_example, "return_mask": sown}
            kernel = kernel.astype(wide_dtype(kernel.dtype))
            y, mask = dropped_product(key, x, kernel, rate, self.product(), **settings)
        else:
            y = self.product()(x, kernel.astype(x.dtype))
            masks = len(x) if self.per_example else 1
            mask = jnp.ones((masks, *kernel.shape), bool) if sown else None
        if sown:
            self.sow("masks", "keep", mask)
        return y

    def gaussian(self, x: Array, kernel: Array, bias: Array | None, rate: ScalarLike) -> Array:
        """Returns the mean activation of each unit, as if the units were normally distributed."""
        key = stream_key(self, self.rng_collection, when="for inference='gaussian'")
        dtype = wide_dtype(x.dtype)
        given = jnp.asarray(x, dtype), kernel.astype(dtype)
        mean, variance = moments(*given, rate, self.product())
        mean = mean if bias is None else mean + bias.astype(dtype)
        return mean_activation(key, mean, variance, self.activation, samples=self.samples)
