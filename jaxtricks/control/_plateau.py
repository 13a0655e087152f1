"""Lowering the learning rate when a metric has stopped improving."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxtricks._checks import check_choice, check_flag, check_instance, check_integer, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import Mode, ThresholdMode, improves, initial_best, observe


class PlateauState(NamedTuple):
    """State of `plateau`.

    Attributes:
        value: the current learning rate, or its scale.
        best_value: the best metric so far.
        bad_count: number of bad observations in a row.
        cooldown_count: number of observations that remain of the cooldown.
    """

    value: Float[Array, ""]
    best_value: Float[Array, ""]
    bad_count: Int[Array, ""]
    cooldown_count: Int[Array, ""]


def plateau(
    factor: ScalarLike = 0.1,
    *,
    patience: int | Int[Array, ""] = 10,
    initial: ScalarLike = 1.0,
    min_value: ScalarLike = 0.0,
    eps: ScalarLike = 1e-8,
    mode: Mode = "min",
    threshold: ScalarLike = 1e-4,
    threshold_mode: ThresholdMode = "signed",
    cooldown: int | Int[Array, ""] = 0,
    finite_only: bool = True,
) -> ControlRule:
    r"""Lowers the learning rate, or a scale of it, when a metric has stopped improving.

    `update(value, state)` returns the current learning rate or scale, and the state. By default an
    observation $v$ is better than the best so far, $b$, if $v < b - \theta |b|$; otherwise it is
    bad. When there have been *more* than `patience` bad observations in a row, the learning rate is
    multiplied by `factor`, as in PyTorch. Keras and `optax.contrib.reduce_on_plateau` do so at bad
    observation number `patience`, so give one less here than there.

    Args:
        factor: $\gamma$, in `[0, 1]`; 1 never changes the learning rate.
        patience: number of bad observations in a row that are tolerated, at least 0.
        initial: the first value, at least 0. With 1, the value is a scale of the learning rate.
            With the learning rate itself, the rule is PyTorch's `ReduceLROnPlateau`, with its
            `min_value` (`min_lr`) and `eps` in the same unit.
        min_value: the lowest value that a cut leads to, at least 0.
        eps: a cut that would lower the value by no more than this is skipped; at least 0.
        mode: whether a small metric is good ("min", a loss) or a large one ("max", an accuracy).
        threshold: $\theta \ge 0$.
        threshold_mode: the margin by which an observation must beat the best: $\theta |b|$
            ("signed"), $\theta$ ("abs"), or $\theta b$ ("rel", the formula of PyTorch, which takes
            a slightly worse value of a negative metric for a better one).
        cooldown: number of observations after a cut that do not count as bad, at least 0.
        finite_only: whether an infinite metric is always bad. False compares it as a number, as
            PyTorch does: minus infinity is then the best possible loss, and nothing improves on it.

    Raises:
        ValueError: an argument is out of range, or `mode` or `threshold_mode` is unknown.
        TypeError: `patience` or `cooldown` is not an integer, or `finite_only` is not a bool.

    Example:
        >>> rule = plateau(0.1, patience=2)
        >>> state = rule.init()
        >>> for loss in (1.0, 1.0, 1.0, 1.0, 0.5, 0.5):
        ...     scale, state = rule.update(loss, state)
        ...     print(round(float(scale), 3), end=" ")
        1.0 1.0 1.0 0.1 0.1 0.1

    References:
        [PyTorch's
        `ReduceLROnPlateau`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html).
    """
    check_range("factor", factor, low=0.0, high=1.0)
    check_integer("patience", patience, low=0)
    for name, number in {
        "initial": initial,
        "min_value": min_value,
        "eps": eps,
        "threshold": threshold,
    }.items():
        check_range(name, number, low=0.0)
    check_choice("mode", mode, ("min", "max"))
    check_choice("threshold_mode", threshold_mode, ("signed", "rel", "abs"))
    check_integer("cooldown", cooldown, low=0)
    check_flag("finite_only", finite_only)

    def init(variables: PyTree | None = None) -> PlateauState:
        del variables
        return PlateauState(
            value=jnp.array(observe(initial)),  # a copy: the state may be donated
            best_value=initial_best(mode),
            bad_count=jnp.zeros([], jnp.int32),
            cooldown_count=jnp.zeros([], jnp.int32),
        )

    def update(
        value: ScalarLike | None, state: PlateauState, variables: PyTree | None = None
    ) -> tuple[Float[Array, ""], PlateauState]:
        del variables
        check_instance("state", state, PlateauState)
        if value is None:
            return state.value, state
        seen, cooling = observe(value), state.cooldown_count > 0
        better = improves(
            seen,
            state.best_value,
            threshold,
            threshold_mode=threshold_mode,
            mode=mode,
            finite_only=finite_only,
        )
        bad = jnp.where(better | cooling, 0, optax.safe_increment(state.bad_count))
        cut = bad > patience
        lower = jnp.maximum(state.value * observe(factor), observe(min_value))
        after = PlateauState(
            value=jnp.where(cut & (state.value - lower > observe(eps)), lower, state.value),
            best_value=jnp.where(better, seen, state.best_value),
            bad_count=jnp.where(cut, 0, bad),
            cooldown_count=jnp.where(cut, cooldown, jnp.maximum(state.cooldown_count, 1) - 1),
        )
        return after.value, after

    return ControlRule(init, update, mode)
