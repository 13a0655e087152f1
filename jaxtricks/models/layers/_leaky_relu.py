"""ReLU with a small slope below zero."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from jaxtricks._array_checks import real_array
from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike


def leaky_relu(x: Real[Array, "*shape"], *, slope: ScalarLike = 0.1) -> Float[Array, "*shape"]:
    r"""Applies leaky ReLU: returns $x$ above 0 and $a x$ below 0, which is $\max(a x, x)$.

    The default slope is 0.1. In `jax.nn.leaky_relu`, Flax and PyTorch it is 0.01, in Keras 0.3.

    Args:
        x: finite numbers, in any shape; integers are converted to floats.
        slope: $a$, in `[0, 1]`; 0 gives ReLU and 1 the identity. It may be traced.

    Raises:
        TypeError: `x` does not consist of real numbers.
        ValueError: `slope` is out of range.

    Example:
        >>> leaky_relu(jnp.array([-2.5, 3.0])).tolist()
        [-0.25, 3.0]

    References:
        Maas et al., [Rectifier nonlinearities improve neural network acoustic models](
        https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf), 2013.
    """
    check_range("slope", slope, low=0.0, high=1.0)
    x = real_array("x", x)
    x = x.astype(jnp.result_type(x, float))
    return jax.nn.leaky_relu(x, jnp.asarray(slope, x.dtype))
