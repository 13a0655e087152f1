"""ReLU that lets a tenth through."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real, ScalarLike

from jaxtricks._checks import check_range


def leaky_relu(x: Real[Array, "*shape"], slope: ScalarLike = 0.1) -> Float[Array, "*shape"]:
    r"""$\max(a x, x)$ for $0 \le a \le 1$: x above 0, a x below.

    The notes print a slope of 0.1; `jax.nn.leaky_relu`, Flax and PyTorch default to 0.01, Keras to
    0.3. The other activations of the notes are JAX's own: `jax.nn.sigmoid`, `jax.numpy.tanh`,
    `jax.nn.relu` (slope 0 at 0), `jax.nn.elu`, `jax.nn.identity`.

    Args:
        x: pre-activations, finite; whole numbers become floats.
        slope: a, in `[0, 1]`; at 0 it is ReLU, at 1 the identity. It may be traced.

    Raises:
        ValueError: the slope is out of range.

    Example:
        >>> leaky_relu(jnp.array([-2.5, 3.0])).tolist()
        [-0.25, 3.0]

    References:
        S-ACT-04, E-49; note 002:22-24.
    """
    check_range("slope", slope, low=0.0, high=1.0)
    x = jnp.asarray(x)
    x = x.astype(jnp.result_type(x, float))
    return jax.nn.leaky_relu(x, jnp.asarray(slope, x.dtype))
