"""The largest of several linear functions as one unit."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float

from jaxtricks._checks import check_flag, check_floating, check_function, check_integer


class Maxout(nn.Module):
    r"""A dense layer whose units are $\max_{j \le k} (w_j^\top x + b_j)$.

    It is its own activation: piecewise linear and convex in the input, with a slope everywhere, so
    that no unit dies. It has k times the parameters of a dense layer. Two pieces of which one is 0
    are ReLU, of slopes 1 and 0.1 leaky ReLU. Parameters: `"kernel"` `[in, k, features]` and
    `"bias"` `[k, features]`.

    Attributes:
        features: number of units.
        pieces: k, at least 1; 1 is a dense layer without activation.
        use_bias: whether there are $b_j$, initially 0.
        kernel_init: draws the weights of each piece as one kernel `[in, features]`.

    Raises:
        ValueError: a number is under 1, or, when called, the input has no last axis, or 0 entries
            on it.
        TypeError: a number is no integer, a flag no bool, `kernel_init` no function, or, when
            called, the input is no floating array.

    Example:
        >>> layer = Maxout(1, pieces=2)
        >>> params = {"kernel": jnp.array([[[1.0], [-1.0]]]), "bias": jnp.zeros((2, 1))}
        >>> layer.apply({"params": params}, jnp.array([[-3.0], [2.0]])).tolist()
        [[3.0], [2.0]]

    References:
        S-ACT-05; note 002:35-37.
        Goodfellow et al., [Maxout networks](https://arxiv.org/abs/1302.4389), 2013.
    """

    features: int
    pieces: int = 2
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()

    def __post_init__(self) -> None:
        check_integer("features", self.features, low=1)
        check_integer("pieces", self.pieces, low=1)
        check_flag("use_bias", self.use_bias)
        check_function("kernel_init", self.kernel_init)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch {self.features}"]:
        """The units' outputs."""
        check_floating("x", x)
        if not x.shape or not x.shape[-1]:
            raise ValueError(f"x must be [..., inputs], got the shape {x.shape}.")

        def pieces_init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
            keys = jax.random.split(key, self.pieces)
            one = jax.vmap(lambda key: self.kernel_init(key, (shape[0], shape[2]), dtype))
            return jnp.swapaxes(one(keys), 0, 1)

        kernel = self.param("kernel", pieces_init, (x.shape[-1], self.pieces, self.features))
        each = jnp.tensordot(x, kernel, 1)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.pieces, self.features))
            each += bias.reshape((1,) * (x.ndim - 1) + bias.shape)
        return jnp.max(each, axis=-2)
