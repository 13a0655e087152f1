"""The interface of an averager: a pair of pure functions that process a run's parameters."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import PyTree


class Averager(NamedTuple):
    """A pair of functions that combines the parameters of a training run into an average.

    The state is a pytree of arrays whose structure, shapes and dtypes never change. It can be
    carried through `jax.lax.scan`, mapped with `jax.vmap`, and saved with the parameters.
    Update it once after every training step, or once per epoch: it counts its own updates.

    Averages are stored in `promote_types(leaf, float32)` and returned in the dtype of each leaf.
    Average a model's `"params"` only. Batch-norm statistics fit only the parameters with which
    they were computed; re-estimate them for the average with `recalibrate_batch_norm`, which no
    averager calls by itself.

    Attributes:
        init: `init(params) -> state`. It uses the structure, shapes and dtypes of `params`;
            `snapshots` also uses the values, to fill its empty slots.
        update: `update(params, state) -> (output, state)`, a pure function. The output is the
            average, a tree like `params`; the output of `snapshots` is a `Snapshots`.

    Example:
        >>> import jax.numpy as jnp
        >>> def update(params, state):
        ...     average = (params + state) / 2
        ...     return average, average
        >>> halfway = Averager(jnp.zeros_like, update)
        >>> average, state = halfway.update(jnp.array(4.0), halfway.init(jnp.array(0.0)))
        >>> float(average)
        2.0
    """

    init: Callable[[PyTree], PyTree]
    update: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]]
