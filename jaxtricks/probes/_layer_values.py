"""The inputs or outputs of a network's layers."""

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
    """Applies a Flax model and returns the input or output of each of its layers.

    Every module inside the model counts as a layer, including a block of other layers; the model
    itself does not count. The model needs no changes. If its activations are functions rather than
    layers, the outputs of its dense or convolutional layers are the pre-activations, and the inputs
    of the next layers are the activations. The function is pure: it works under `jax.jit`, and
    under `jax.vmap` over `variables`.

    Layers inside `nn.jit` and `nn.remat` are included. Layers inside `nn.scan` or `nn.vmap` need a
    transformation that carries the collection `"probes"`, in which this function stores the values,
    such as one with `variable_axes={"params": 0, "probes": 0}`. The values of the layers are then
    stacked along that axis.

    Args:
        model: a `flax.linen` module.
        variables: `"params"` and the model's other collections; changes to them are discarded.
        *args: positional arguments of the model's call.
        at: whether to return the `"input"` (the first argument of the layer's call) or the
            `"output"` of each layer.
        layers: the class of layers to include, or a tuple of classes, such as
            `(nn.Dense, nn.Conv)`.
        **kwargs: further arguments of `model.apply`, such as `train=False` and `rngs`.

    Returns:
        Arrays by the names of the layers, such as `"Dense_0"` or `"Block_1/Conv_0"`. A layer that
        is called twice has two arrays, named such as `"Dense_0#0"` and `"Dense_0#1"`. Inputs are in
        the order in which the calls begin, outputs in the order in which the calls end.

    Raises:
        ValueError: no layer matches, a layer is inside a transformation that does not carry
            `"probes"`, or `at` is neither `"input"` nor `"output"`.
        TypeError: `model` is not a `flax.linen` module, `variables` is not a mapping, or `layers`
            is not a class of modules or a tuple of classes.

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
