"""The layers of a hidden layer with batch normalization."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array

from jaxtricks._checks import check_flag, check_instance
from jaxtricks.models.mlp._hidden_layer import HiddenLayer
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout


def batch_norm_block(
    hidden: HiddenLayer, *, axis_name: str | None = None, use_bias: bool = True
) -> tuple[Callable[..., Array], ...]:
    """Makes the layers of a hidden layer with batch norm: dense, batch norm, activation, dropout.

    Pass it as the argument `block` of `MLP`, which calls it once for each hidden layer. To set
    `axis_name` or `use_bias`, pass a `functools.partial`, as in the example.

    Args:
        hidden: the size, functions and dtype of the hidden layer.
        axis_name: name of a mapped axis (`pmap`, `vmap`, `shard_map`) over which batch norm
            averages its statistics, or None.
        use_bias: whether the dense layer has a bias. In training batch norm subtracts the bias
            again, so the bias does not change the output and its gradient is 0.

    Returns:
        A dense layer, `normalization.BatchNorm`, the activation and `Dropout`, in the order in
        which they are applied.

    Raises:
        TypeError: `hidden` is not a `HiddenLayer`, `use_bias` is not a bool, or `axis_name` is
            neither a string nor None.

    Example:
        >>> import functools, jax
        >>> from jaxtricks.models import MLP
        >>> net = MLP((32, 10), block=functools.partial(batch_norm_block, use_bias=False))
        >>> variables = net.init(jax.random.key(0), jax.numpy.ones((2, 64)), train=False)
        >>> {name: sorted(layer) for name, layer in sorted(variables["params"].items())}
        {'BatchNorm_0': ['bias', 'scale'], 'Dense_0': ['kernel'], 'Dense_1': ['bias', 'kernel']}

    References:
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015.
    """
    check_flag("use_bias", use_bias)
    check_instance("hidden", hidden, HiddenLayer)
    start, dtype = hidden.kernel_init, hidden.dtype
    dense = nn.Dense(hidden.features, use_bias=use_bias, kernel_init=start, dtype=dtype)
    norm = BatchNorm(axis_name=axis_name, dtype=dtype)
    return dense, norm, hidden.activation, Dropout(hidden.dropout_rate)
