"""What the layers of a network are given, or give."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Array, PyTree

from jaxtricks.probes._watch import Layers, Place, named, watch


def layer_values(
    model: nn.Module,
    variables: Mapping[str, PyTree],
    *args: Any,
    at: Place = "output",
    layers: Layers = nn.Module,
    **kwargs: Any,
) -> OrderedDict[str, Array]:
    """Applies a Flax model and gives the values of its layers, in the order of the calls.

    Every module within the model is a layer, blocks of others too; the model itself is none. An
    input comes where its call begins, an output where it ends: a block's behind those inside it.

    The model need not know. A network whose activations are functions, not layers, has its
    pre-activations as the "output" of its dense or convolutional layers, and its activations as the
    "input" of the next ones. Pure: it jits, and maps over `variables`.

    Layers inside `nn.jit` and `nn.remat` are layers like others. Those inside `nn.scan` and
    `nn.vmap` are where that carries the collection `"probes"`, as with `variable_axes={"params": 0,
    "probes": 0}`: their values are stacked along that axis. Without it they are refused.

    Args:
        model: any Flax module.
        variables: `"params"` and its other collections; changes to them are dropped.
        *args: of the model's call.
        at: "input", the first argument of each layer's call, or "output".
        layers: kinds to look at, such as `nn.Dense` or `(nn.Dense, nn.Conv)`.
        **kwargs: of `model.apply`, such as `train=False` and `rngs`.

    Returns:
        Arrays by the layers' names, `"Dense_0"` or `"Block_1/Conv_0"`; `"Dense_0#0"` and
        `"Dense_0#1"` if one is called twice.

    Raises:
        ValueError: there is no such layer, one is inside `nn.scan`, `nn.vmap` or another
            transformation that does not carry `"probes"`, or `at` is neither.
        TypeError: the model is not a Flax module, or `layers` not a kind of them.

    Example:
        >>> import jax
        >>> from jaxtricks import models
        >>> net, x = models.MLP((3, 2), activation=jax.numpy.tanh), jax.numpy.ones((5, 4))
        >>> variables = net.init(jax.random.key(0), x, train=False)
        >>> before = layer_values(net, variables, x, train=False, layers=nn.Dense)
        >>> {name: value.shape for name, value in before.items()}
        {'Dense_0': (5, 3), 'Dense_1': (5, 2)}
        >>> after = layer_values(net, variables, x, train=False, at="input")
        >>> bool((after["Dense_1"] == jax.numpy.tanh(before["Dense_0"])).all())
        True

    References:
        Glorot and Bengio, [Understanding the difficulty of training deep feedforward neural
        networks](https://proceedings.mlr.press/v9/glorot10a.html), 2010, sections 3 and 4.
    """
    return named(watch(model, variables, args, kwargs, at=at, layers=layers)[1])
