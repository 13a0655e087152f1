"""The type of a control rule: a pair of pure functions that watch a metric."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxtyping import PyTree


class ControlRule(NamedTuple):
    """A state machine that watches a metric, as a pair of pure functions.

    It does the work of a callback, but changes no object. Its state is a pytree of arrays whose
    structure, shapes and dtypes never change. A rule can therefore run inside `jit`, `scan` and
    `vmap`, and its state can be saved with the parameters.

    Attributes:
        init: `init(variables=None) -> state`. A rule that keeps the best model needs the
            `variables` of the model: any tree of arrays, such as the parameters.
        update: `update(value, state, variables=None) -> (output, state)`, a pure function. `value`
            is the observed metric. None means that there was no observation: the state is returned
            unchanged, with the current output. NaN is an observation that never improves the
            metric. Metrics are compared in JAX's default float: float32 does not show a change of
            less than 6e-8 of the metric, such as from 100,000,001 to 100,000,000. If a metric has a
            large constant part, subtract that first, or set `jax_enable_x64`.
        mode: whether a small metric is good ("min", a loss) or a large one ("max", an accuracy).

    Example:
        >>> import jax.numpy as jnp
        >>> def init(variables=None):
        ...     return jnp.inf
        >>> def update(value, state, variables=None):
        ...     lowest = state if value is None else jnp.fmin(value, state)
        ...     return lowest, lowest
        >>> record = ControlRule(init, update)
        >>> state = record.init()
        >>> for loss in (3.0, None, jnp.nan, 2.0, 4.0):
        ...     lowest, state = record.update(loss, state)
        ...     print(lowest)
        3.0
        3.0
        3.0
        2.0
        2.0
    """

    init: Callable[..., PyTree]
    update: Callable[..., tuple[PyTree, PyTree]]
    mode: Literal["min", "max"] = "min"
