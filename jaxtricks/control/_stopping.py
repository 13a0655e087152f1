"""What all rules that stop a run have in common: the best so far, and a decision that is final."""

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
from jaxtricks.control._observation import Mode, ThresholdMode, improves, nothing_yet, observe


class StoppingState(NamedTuple):
    """The state of a stopping rule.

    When the run has stopped there are two ways on: use the best model, `best_variables`, or train
    again, with other settings or on the validation examples too, for as many epochs as
    `best_observation` says.

    Attributes:
        best_value: the best metric; before the first finite one the largest float, or minus it for
            "max".
        best_observation: the observation, counted from 1, that had it; 0 before there was one. One
            observation an epoch makes it the best epoch.
        best_variables: the variables that came with it; None if they are not kept.
        count: observations so far.
        stopped: whether the rule has stopped the run. From then on the state does not change, so a
            run that goes on, as one of many in a `vmap`, ends like one that was stopped.
        memory: the rule's own state.
    """

    best_value: Float[Array, ""]
    best_observation: Int[Array, ""]
    best_variables: PyTree
    count: Int[Array, ""]
    stopped: Bool[Array, ""]
    memory: PyTree


class Progress(NamedTuple):
    """What a rule decides by: the metric, its best so far, and whether this is a new best.

    `after_warmup` says whether the rule looks at it; in its warm-up it does not.
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
    """Builds a stopping rule around its judgement.

    Args:
        judge: the rule: `(progress, raw value, memory) -> (whether to stop, memory)`.
        memory: the initial value of the rule's own state.
        metric: finds the validation metric in the raw value.
        min_delta: by how much a new best must differ from the last.
        mode: "min" or "max".
        keep_best: whether the state carries the best variables.
        threshold_mode: the unit of `min_delta`, as in `improves`.
        start_from: how many first observations can be no best.
    """
    check_flag("keep_best", keep_best)

    def init(variables: PyTree | None = None) -> StoppingState:
        _check_variables(variables, keep_best)
        # copies, and no array twice: the state and the variables may be donated
        return StoppingState(
            best_value=nothing_yet(mode),
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
        check_same_tree("state.memory", state.memory, "this rule's", memory)
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
        raise ValueError("variables must be given to keep the best; or set keep_best=False.")
