"""Splitting a Flax nnx module into its variables and a pure function."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxtricks._checks import shown
from jaxtricks._types import RandomKey
from jaxtricks.training._apply import Apply


def split_nnx(model: Any) -> tuple[dict[str, PyTree], Apply]:
    """Splits a Flax nnx module into its variables and a function that calls it.

    The variables are a dict of nested dicts of arrays: `"params"` and, if the module has such
    variables, `"batch_stats"` and `"other"`, which holds all types but `nnx.Param`, `nnx.BatchStat`
    and random states. The function calls a copy of the module, in `train()` or in `eval()` mode, so
    the module itself never changes. In training, each random stream of each layer gets its own key.
    It is made from the key of the same name in `rngs` (`"dropout"` for `nnx.Rngs(dropout=...)`), or
    from the first key in `rngs` if none has that name. A trainer passes one key for each name in
    its `rng_streams`.

    Args:
        model: an `nnx.Module` that is called with the inputs alone.

    Returns:
        The variables for the `init` of a trainer, and the function for `classification_loss`.

    Raises:
        TypeError: `model` is not an `nnx.Module`.
        ValueError: when the returned function is called in training, the module has random streams,
            but `rngs` is empty.

    Example:
        >>> from flax import nnx
        >>> model = nnx.Sequential(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), nnx.relu)
        >>> variables, apply = split_nnx(model)
        >>> outputs, model_state = apply(variables, jnp.ones((2, 3)), train=False, rngs={})
        >>> sorted(variables), outputs.shape, model_state
        (['params'], (2, 4), {})

    References:
        [Flax nnx](https://flax.readthedocs.io/en/latest/nnx_basics.html).
    """
    from flax import nnx

    if not isinstance(model, nnx.Module):
        raise TypeError(f"model must be a flax.nnx Module, got {shown(model)}.")
    kinds = {"params": nnx.Param, "batch_stats": nnx.BatchStat}
    graph, *states, streams, other = nnx.split(model, *kinds.values(), nnx.RngState, ...)
    first = dict(zip((*kinds, "other"), (*states, other), strict=True))

    def pure(states: Mapping[str, Any]) -> dict[str, PyTree]:
        trees = {name: nnx.to_pure_dict(state) for name, state in states.items()}
        return {name: tree for name, tree in trees.items() if tree or name == "params"}

    def apply(
        variables: Mapping[str, PyTree],
        inputs: Any,
        *,
        train: bool,
        rngs: Mapping[str, RandomKey],
    ) -> tuple[Any, PyTree]:
        filled = []
        for name, state in first.items():
            filled.append(jax.tree.map(lambda x: x, state))  # a copy, which is changed next
            if name in variables:
                nnx.replace_by_pure_dict(filled[-1], variables[name])
        keys = reseeded(streams, rngs) if train else streams
        copied = nnx.merge(graph, *filled, keys, copy=True)
        copied.train() if train else copied.eval()
        outputs = copied(inputs)
        _, *after, _, rest = nnx.split(copied, *kinds.values(), nnx.RngState, ...)
        state = pure(dict(zip((*kinds, "other"), (*after, rest), strict=True)))
        del state["params"]
        return outputs, state

    return pure(first), apply


def reseeded(streams: Any, rngs: Mapping[str, RandomKey]) -> Any:
    """Returns the states of all random streams, each with its own key and its counter at 0.

    Raises:
        ValueError: there are streams, but `rngs` is empty.
    """
    from flax import nnx

    variables = jax.tree.leaves(streams, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
    if variables and not rngs:
        raise ValueError(
            "rng_streams of the trainer must not be empty: the model draws from the "
            f"streams {sorted({variable.tag for variable in variables})}."
        )
    numbers = itertools.count()

    def renewed(variable: Any) -> Any:
        value = variable[...]
        if not isinstance(variable, nnx.RngKey):
            return variable.replace(jnp.zeros_like(value))
        own = rngs.get(variable.tag, next(iter(rngs.values())))
        own = jax.random.fold_in(own, next(numbers))
        return variable.replace(jax.random.split(own, value.shape) if value.shape else own)

    return jax.tree.map(renewed, streams, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
