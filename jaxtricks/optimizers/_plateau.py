"""Scaling the updates by a control rule that watches a metric."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxtricks._checks import check_functions
from jaxtricks._moments import cast_like, scalar_like, to_float32
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks.control import ControlRule


class PlateauScaleState(NamedTuple):
    """State of `scale_by_plateau`.

    Attributes:
        scale: the current scale.
        control: state of the control rule.
    """

    scale: Float[Array, ""]
    control: PyTree


def scale_by_plateau(rule: ControlRule) -> optax.GradientTransformationExtraArgs:
    r"""Multiplies the updates by the output $s_t$ of a control rule, which watches a metric.

    `update(updates, state, params, value=loss)` shows the metric to the rule and scales by the
    rule's new output. Without `value` nothing is observed and the current scale is used, so pass a
    metric that is computed once an epoch at one update of the epoch. If a wrapper drops extra
    arguments, there is no error, but the rule observes nothing. The loss of one batch is too noisy
    to show a plateau: pass a validation metric or a mean over batches.

    Inside a `scan`, `value` must be given at every update or at none. To observe once an epoch,
    make the first update of the epoch with `value` before the `scan` over the others. Or call the
    control rule itself once an epoch, outside the `scan`, and pass its output as the learning rate.

    Args:
        rule: a control rule whose output is the scale, such as `control.plateau()`, whose output
            begins at 1. A rule whose output is the learning rate itself, such as
            `control.plateau(initial=0.1)`, needs `optax.scale(-1)` after this transformation, and
            no other learning rate.

    Raises:
        TypeError: `rule` is not a `control.ControlRule`, a field of it is not a function, its
            output is not floating-point (that of a stopping rule is a bool), or a leaf is not
            floating-point.

    Example:
        >>> from jaxtricks.control import plateau
        >>> tx = scale_by_plateau(plateau(0.1, patience=1))
        >>> state = tx.init(jnp.zeros(()))
        >>> for loss in (1.0, 1.0, None, 1.0, None):
        ...     update, state = tx.update(jnp.ones(()), state, value=loss)
        ...     print(round(float(update), 3), end=" ")
        1.0 1.0 1.0 0.1 0.1

    References:
        PyTorch's
        [`ReduceLROnPlateau`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html).
        `optax.contrib.reduce_on_plateau` needs the metric at every update and cuts one observation
        earlier.
    """
    check_functions("rule", rule, ControlRule)

    def init(params: PyTree) -> PlateauScaleState:
        check_floating_tree("params", params)
        scale, control = rule.update(None, rule.init(params), params)
        if not jnp.issubdtype(jnp.result_type(scale), jnp.floating):
            raise TypeError(
                "rule must output a scale, as control.plateau does, got an output of dtype "
                f"{jnp.result_type(scale)}."
            )
        return PlateauScaleState(jnp.array(scale), control)  # a copy: the state may be donated

    def update(
        updates: PyTree,
        state: PlateauScaleState,
        params: PyTree | None = None,
        *,
        value: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, PlateauScaleState]:
        del extra_args
        check_updates(updates, params)
        scale, control = rule.update(value, state.control, params)
        scaled = jax.tree.map(lambda u: scalar_like(scale, u) * u, to_float32(updates))
        return cast_like(scaled, updates), PlateauScaleState(jnp.array(scale), control)

    return optax.GradientTransformationExtraArgs(init, update)
