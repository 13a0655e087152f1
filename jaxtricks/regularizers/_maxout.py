"""Maxout: each unit is the largest of several linear functions of the input."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float

from jaxtricks._array_checks import check_floating
from jaxtricks._check_dtype import check_dtype
from jaxtricks._checks import check_flag, check_function, check_integer
from jaxtricks._types import DTypeLike
from jaxtricks._wide_dtype import wide_dtype


class Maxout(nn.Module):
    r"""Applies a dense layer with units $\max_{j \le k} (w_j^\top x + b_j)$.

    It needs no activation function. Each unit is a convex, piecewise linear function of the input.
    The gradient always reaches one of its pieces, so units cannot die as ReLU units can. The layer
    has $k$ times the parameters of a dense layer. With two pieces, a unit with $w_2 = 0$ is a ReLU
    and a unit with $w_2 = 0.1 w_1$ a leaky ReLU. The parameters are `"kernel"`
    `[inputs, k, features]` and `"bias"` `[k, features]`, both float32.

    Attributes:
        features: number of units, at least 1.
        pieces: $k$, the number of linear functions of a unit, at least 1; 1 gives a linear layer.
        use_bias: whether to add the biases $b_j$, which start at 0.
        kernel_init: initializer of the weights of one piece, of shape `[inputs, features]`.
        dtype: dtype of the computation and of the output. None returns the input's dtype, and
            computes in float32 if that dtype is narrower.

    Raises:
        ValueError: a number is under 1; when the layer is called, the input has no last axis or no
            entries along it.
        TypeError: a number is not an integer, `use_bias` is not a bool, `kernel_init` is not a
            function, or `dtype` is not floating; when the layer is called, the input is not a
            floating array.

    Example:
        >>> layer = Maxout(1, pieces=2)
        >>> params = {"kernel": jnp.array([[[1.0], [-1.0]]]), "bias": jnp.zeros((2, 1))}
        >>> layer.apply({"params": params}, jnp.array([[-3.0], [2.0]])).tolist()
        [[3.0], [2.0]]

    References:
        Goodfellow et al., [Maxout networks](https://arxiv.org/abs/1302.4389), 2013.
    """

    features: int
    pieces: int = 2
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        check_integer("features", self.features, low=1)
        check_integer("pieces", self.pieces, low=1)
        check_flag("use_bias", self.use_bias)
        check_function("kernel_init", self.kernel_init)
        check_dtype("dtype", self.dtype)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch {self.features}"]:
        """Returns the outputs of the units for inputs `[..., inputs]`."""
        check_floating("x", x)
        if not x.shape or not x.shape[-1]:
            raise ValueError(f"x must be [..., inputs], got the shape {x.shape}.")

        def pieces_init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
            keys = jax.random.split(key, self.pieces)
            one = jax.vmap(lambda key: self.kernel_init(key, (shape[0], shape[2]), dtype))
            return jnp.swapaxes(one(keys), 0, 1)

        kernel = self.param("kernel", pieces_init, (x.shape[-1], self.pieces, self.features))
        dtype = wide_dtype(x.dtype) if self.dtype is None else self.dtype
        each = jnp.tensordot(jnp.asarray(x, dtype), kernel.astype(dtype), 1)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.pieces, self.features))
            each += bias.reshape((1,) * (x.ndim - 1) + bias.shape).astype(dtype)
        return jnp.max(each, axis=-2).astype(x.dtype if self.dtype is None else self.dtype)
