"""The gradients of a loss with respect to the inputs or outputs of a network's layers."""

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
    """Computes the gradient of `loss(output)` with respect to each layer's input or output.

    This is the gradient that reaches each layer in back-propagation, unlike the gradient with
    respect to the parameters, which `jax.grad` gives. The computation takes one forward and one
    backward pass. Integer inputs or outputs, such as the inputs of `nn.Embed`, have no derivative
    and are left out.

    Args:
        loss: a function of the model's output whose value is a scalar.
        model: a `flax.linen` module.
        variables: `"params"` and the model's other collections.
        *args: positional arguments of the model's call.
        at: whether to differentiate with respect to the `"input"` or `"output"` of each layer.
        layers: the class of layers to include, such as `nn.Dense`, or a tuple of classes.
        **kwargs: further arguments of `model.apply`, such as `train=False`.

    Returns:
        The gradients, with the same names, order and shapes as the values from `layer_values`.

    Raises:
        ValueError: no included layer has floating values; also as in `layer_values`.
        TypeError: `loss` is not a function or its value is not a scalar; also as in `layer_values`.

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
        raise ValueError(f"layers must include one with a floating {at}, got integers in {names}.")

    def shifted(shifts: OrderedDict[str, Array]) -> Array:
        return loss(watch(model, variables, args, kwargs, shifts=shifts, **places)[0])

    return named(jax.grad(shifted)(shifts))
