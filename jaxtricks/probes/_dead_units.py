"""Dead units: units that are 0 or negative for every example."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree

from jaxtricks._checks import check_integer, is_real, shown
from jaxtricks.probes._watch import Layers, Place, named, watch


def dead_units(
    model: nn.Module,
    variables: Mapping[str, PyTree],
    examples: Array | np.ndarray,
    batch_size: int,
    *,
    at: Place = "output",
    layers: Layers = nn.Module,
    **kwargs: Any,
) -> OrderedDict[str, Bool[Array, " units"]]:
    """Finds the units of each layer that are 0 or negative for all examples and positions.

    A unit is an entry of the last axis of a layer's values; its positions are the other axes but
    the first, such as height and width in a convolution. A ReLU maps the values of a dead unit to 0
    and gives it no gradient, so the unit stays dead unless the layers before it change. Pass the
    whole data set as `examples`, because a unit that is inactive for one batch may be active for
    another. A unit that is NaN for some example is not dead.

    Args:
        model: a `flax.linen` module.
        variables: `"params"` and the model's other collections.
        examples: `[n, ...]`, the first argument of the model's call.
        batch_size: number of examples that go through the model at once; the last batch may be
            smaller.
        at: `"output"` tests the outputs of the layers, which are pre-activations if the model
            applies its activations as functions, not as modules; `"input"` tests the inputs of the
            layers.
        layers: the class of layers to test, such as `nn.Dense`, or a tuple of classes.
        **kwargs: further arguments of `model.apply`, such as `train=False`.

    Returns:
        For each layer, by name, one bool per unit, True if the unit is dead. For layers stacked by
        `nn.scan` or `nn.vmap` (see `layer_values`), one row of bools for each layer of the stack.

    Raises:
        ValueError: `examples` is empty or has fewer than two axes, or `batch_size` is under 1; also
            as in `layer_values`.
        TypeError: `batch_size` is not an integer, or `examples` is not an array of real numbers;
            also as in `layer_values`.

    Example:
        >>> layer, x = nn.Sequential([nn.Dense(2)]), jnp.array([[1.0], [2.0], [3.0]])
        >>> params = {"layers_0": {"kernel": jnp.array([[1.0, -1.0]]), "bias": jnp.zeros(2)}}
        >>> dead_units(layer, {"params": params}, x, 2)["layers_0"].tolist()
        [False, True]

    References:
        Lu et al., [Dying ReLU and initialization](https://arxiv.org/abs/1903.06733), 2019.
    """
    check_integer("batch_size", batch_size, low=1)
    if not isinstance(examples, np.ndarray | jax.Array) or not is_real(examples.dtype):
        raise TypeError(f"examples must be an array of real numbers, got {shown(examples)}.")
    if examples.ndim < 2 or not len(examples):
        raise ValueError(
            f"examples must be [n, ...] and not empty, got the shape {examples.shape}."
        )

    def over_zero(x: Array) -> Array:
        return jnp.any(~(x <= 0), axis=tuple(range(x.ndim - 1)))

    def alive(batch: Array) -> OrderedDict[str, Array]:
        found = watch(model, variables, (batch,), kwargs, at=at, layers=layers, of=over_zero)
        return named(found[1])

    covered = len(examples) // batch_size * batch_size
    parts = []
    if covered:
        batches = examples[:covered].reshape(-1, batch_size, *examples.shape[1:])
        parts.append(jax.tree.map(lambda x: jnp.any(x, axis=0), jax.lax.map(alive, batches)))
    if covered < len(examples):
        parts.append(alive(examples[covered:]))
    return jax.tree.map(lambda *some: ~jnp.any(jnp.stack(some), axis=0), *parts)
