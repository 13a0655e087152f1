"""What an averager is: a pair of pure functions that watch the parameters."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import PyTree


class Averager(NamedTuple):
    """A state machine on the parameters, which makes one model, or a few, of a whole run.

    The state is a pytree of arrays whose structure, shapes and dtypes never change, so an averager
    can be carried through `scan`, swept with `vmap`, compiled and saved with the parameters.
    Update it once after every training step, or once an epoch: it counts its own updates.

    Averages are kept in `promote_types(leaf, float32)` and returned in the leaf's own dtype.
    Average a model's `"params"` only: batch-norm statistics belong to the parameters that they
    were taken with, so re-estimate them for the average with `recalibrate_batch_norm`. No averager
    does so by itself.

    Attributes:
        init: `init(params) -> state`. Of `params` only the structure, shapes and dtypes count.
        update: `update(params, state) -> (output, state)`, pure. The output is the average, a tree
            like `params`; that of `snapshots` is a `Snapshots`.

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
