"""The common part of all stopping rules: the best model so far, and a final decision to stop."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import check_flag, check_instance
from jaxtricks._tree_checks import check_same_tree
from jaxtricks._types import ScalarLike
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import Mode, ThresholdMode, improves, initial_best, observe


class StoppingState(NamedTuple):
    """The state of a stopping rule, with the best value and the best model.

    After a stop, use the best model, `best_variables`; or train again, with other settings or also
    on the validation examples, for `best_observation` epochs.

    Attributes:
        best_value: the best metric so far. Before the first finite one it is the largest float for
            "min", and minus the largest float for "max".
        best_observation: number of the observation with the best metric, counted from 1; 0 before
            there is one. With one observation per epoch it is the best epoch.
        best_variables: the variables at that observation; None if they are not kept.
        count: number of observations so far.
        stopped: whether the rule has stopped the run. After that the state does not change, even
            if the run continues, as one of many in a `vmap` does.
        memory: further state of the particular rule.
    """

    best_value: Float[Array, ""]
    best_observation: Int[Array, ""]
    best_variables: PyTree
    count: Int[Array, ""]
    stopped: Bool[Array, ""]
    memory: PyTree


class Progress(NamedTuple):
    """What a stopping rule decides by.

    Attributes:
        value: the observed metric.
        best_value: the best metric so far, this one included.
        improved: whether this metric is a new best.
        after_warmup: False for the first observations, which the rule ignores.
    """

    value: Float[Array, ""]
    best_value: Float[Array, ""]
    improved: Bool[Array, ""]
    after_warmup: Bool[Array, ""]


Judge = Callable[[Progress, PyTree, PyTree], tuple[Bool[Array, ""], PyTree]]


def stopping(
    judge: Judge,
    memory: PyTree,
    *,
    metric: Callable[[PyTree], ScalarLike],
    min_delta: ScalarLike,
    mode: Mode,
    keep_best: bool,
    threshold_mode: ThresholdMode = "abs",
    start_from: int | Int[Array, ""] = 0,
) -> ControlRule:
    """Builds a stopping rule from its decision function.

    Args:
        judge: the decision: `(progress, raw value, memory) -> (whether to stop, memory)`.
        memory: initial value of the rule's further state.
        metric: extracts the validation metric from the raw value.
        min_delta: the margin by which a new best must beat the previous one.
        mode: "min" or "max".
        keep_best: whether the state stores the best variables.
        threshold_mode: the unit of `min_delta`, as in `improves`.
        start_from: number of first observations that cannot become the best.

    Raises:
        TypeError: `keep_best` is not a bool.
    """
    check_flag("keep_best", keep_best)

    def init(variables: PyTree | None = None) -> StoppingState:
        _check_variables(variables, keep_best)
        # copies, so that no array occurs twice: the state and the variables may be donated
        return StoppingState(
            best_value=initial_best(mode),
            best_observation=jnp.zeros([], jnp.int32),
            best_variables=jax.tree.map(jnp.array, variables) if keep_best else None,
            count=jnp.zeros([], jnp.int32),
            stopped=jnp.zeros([], bool),
            memory=jax.tree.map(jnp.array, memory),
        )

    def update(
        value: PyTree, state: StoppingState, variables: PyTree | None = None
    ) -> tuple[Bool[Array, ""], StoppingState]:
        check_instance("state", state, StoppingState)
        check_same_tree("state.memory", state.memory, "this rule's memory", memory)
        if value is None:
            return state.stopped, state
        _check_variables(variables, keep_best)
        seen, count = observe(metric(value)), optax.safe_increment(state.count)
        after_warmup = count > start_from
        improved = after_warmup & improves(
            seen, state.best_value, min_delta, threshold_mode=threshold_mode, mode=mode
        )
        best_value = jnp.where(improved, seen, state.best_value)
        progress = Progress(seen, best_value, improved, after_warmup)
        stop, remembered = judge(progress, value, state.memory)
        best = state.best_variables
        if keep_best:
            check_same_tree("variables", variables, "the first variables", best)
            best = jax.tree.map(
                lambda new, old: jnp.where(improved, jnp.asarray(new, old.dtype), old),
                variables,
                best,
            )
        best_observation = jnp.where(improved, count, state.best_observation)
        after = StoppingState(best_value, best_observation, best, count, stop, remembered)
        after = jax.tree.map(lambda old, new: jnp.where(state.stopped, old, new), state, after)
        return after.stopped, after

    return ControlRule(init, update, mode)


def _check_variables(variables: PyTree | None, keep_best: bool) -> None:
    if keep_best and variables is None:
        raise ValueError(
            "variables must be given to keep the best model "
            "(a stopping rule with keep_best=False needs none)."
        )
