"""The layers of a hidden layer without normalization."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array

from jaxtricks._checks import check_instance
from jaxtricks.models.mlp._hidden_layer import HiddenLayer
from jaxtricks.regularizers import Dropout


def dense_block(hidden: HiddenLayer) -> tuple[Callable[..., Array], ...]:
    """Makes the layers of a plain hidden layer: dense, activation, dropout.

    It is the default `block` of `MLP`, which calls it once for each hidden layer.

    Args:
        hidden: the size, functions and dtype of the hidden layer.

    Returns:
        A dense layer, the activation and `Dropout`, in the order in which they are applied.

    Raises:
        TypeError: `hidden` is not a `HiddenLayer`.

    Example:
        >>> import jax
        >>> from jaxtricks.models import MLP
        >>> net = MLP((32, 10), block=dense_block)  # equal to MLP((32, 10))
        >>> variables = net.init(jax.random.key(0), jax.numpy.ones((1, 64)), train=False)
        >>> sorted(variables["params"])
        ['Dense_0', 'Dense_1']
    """
    check_instance("hidden", hidden, HiddenLayer)
    dense = nn.Dense(hidden.features, kernel_init=hidden.kernel_init, dtype=hidden.dtype)
    return dense, hidden.activation, Dropout(hidden.dropout_rate)
