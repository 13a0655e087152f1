"""How the loss depends on what the layers of a network are given, or give."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxtricks.probes._scalar import scalar
from jaxtricks.probes._watch import Layers, Place, named, watch


def layer_gradients(
    loss: Callable[[Any], Array],
    model: nn.Module,
    variables: Mapping[str, PyTree],
    *args: Any,
    at: Place = "output",
    layers: Layers = nn.Module,
    **kwargs: Any,
) -> OrderedDict[str, Array]:
    """Gives the derivative of `loss(output)` by each of `layer_values`, with its name and shape.

    The gradient that arrives at a layer in back-propagation; that by the parameters is
    `jax.grad`'s. One forward and one backward pass, after the shapes are found without computing.
    Whole numbers, such as those that `nn.Embed` is given, have no derivative and are left out.

    Args:
        loss: from the model's output to a scalar.
        model: any Flax module.
        variables: as for `layer_values`.
        *args: of the model's call.
        at: "input" or "output" of each layer.
        layers: kinds to look at.
        **kwargs: of `model.apply`.

    Raises:
        ValueError: as `layer_values`, or there are only whole numbers.
        TypeError: `loss` is not a function, does not give a scalar, or the model is not a Flax
            module.

    Example:
        >>> from jaxtricks import models
        >>> net, x = models.MLP((3, 2)), jnp.ones((5, 4))
        >>> variables = net.init(jax.random.key(0), x, train=False)
        >>> gradients = layer_gradients(jnp.sum, net, variables, x, train=False)
        >>> gradients["Dense_1"].tolist() == jnp.ones((5, 2)).tolist()
        True

    References:
        Glorot and Bengio, [Understanding the difficulty of training deep feedforward neural
        networks](https://proceedings.mlr.press/v9/glorot10a.html), 2010, sections 3 and 4.
    """
    loss = scalar(loss)
    places: dict[str, Any] = {"at": at, "layers": layers}
    shapes = jax.eval_shape(lambda: watch(model, variables, args, kwargs, **places)[1])
    shifts = OrderedDict(
        (label, jnp.zeros(value.shape, value.dtype))
        for label, value in shapes.items()
        if jnp.issubdtype(value.dtype, jnp.inexact)
    )
    if not shifts:
        names = sorted({label.rpartition("#")[0] for label in shapes})
        raise ValueError(f"layers are given or give whole numbers only: {names}.")

    def shifted(shifts: OrderedDict[str, Array]) -> Array:
        return loss(watch(model, variables, args, kwargs, shifts=shifts, **places)[0])

    return named(jax.grad(shifted)(shifts))
