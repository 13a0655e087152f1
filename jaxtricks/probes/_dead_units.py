"""Units that no example switches on."""

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
    """Tells which units of each layer are at or under 0 for every example and at every position.

    Behind a ReLU such a unit passes on nothing, gets no gradient, and stays so unless the layers
    before it change. It is a matter of a data set, not of a batch: `examples` should be all. A unit
    that is NaN anywhere is not dead.

    Args:
        model: any Flax module.
        variables: its collections.
        examples: `[n, ...]`, the first argument of the model's call.
        batch_size: how many go through the model at once; the last batch may be smaller.
        at: "output" looks at pre-activations where the activation is a function, "input" at what
            the next layer is given.
        layers: kinds to look at.
        **kwargs: of `model.apply`, such as `train=False`.

    Returns:
        For each layer one bool for each entry of the last axis; for a stack of layers in `nn.scan`
        or `nn.vmap`, see `layer_values`, one row of them for each layer of the stack.

    Raises:
        ValueError: there is no example, `batch_size` is under 1, or as `layer_values`.
        TypeError: `batch_size` is not an integer, `examples` not an array, or as `layer_values`.

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
        raise ValueError(f"examples must be [n, ...] and not empty, got shape {examples.shape}.")

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
