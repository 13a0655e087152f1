"""What all rules that end a run have in common: the best so far, and a verdict that stands."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree, ScalarLike

from jaxtricks._checks import check_flag, check_instance
from jaxtricks._tree_checks import check_same_tree
from jaxtricks.control._machine import Machine
from jaxtricks.control._observation import Mode, improves, nothing_yet, observe


class StoppingState(NamedTuple):
    """What a stopping rule remembers.

    When the run has stopped there are two ways on: use the best model, `best_params`, or train
    anew, with other settings or on the validation examples too, for `best_step` observations' time.


    Attributes:
        best_value: the best metric; infinite before the first finite one.
        best_step: the observation, counted from 1, that had it; 0 before there was one.
        best_params: the parameters that came with it; None if they are not kept.
        step: observations so far.
        stopped: whether the rule has stopped the run. From then on the state does not change, so a
            run that goes on, as one of many in a `vmap`, ends like one that was broken off.
        memory: what the rule alone remembers.
    """

    best_value: Float[Array, ""]
    best_step: Int[Array, ""]
    best_params: PyTree
    step: Int[Array, ""]
    stopped: Bool[Array, ""]
    memory: PyTree


class Progress(NamedTuple):
    """What a rule is told: the metric, its best up to now, and whether this is a new best."""

    value: Float[Array, ""]
    best_value: Float[Array, ""]
    improved: Bool[Array, ""]


Judge = Callable[[Progress, PyTree, PyTree], tuple[Bool[Array, ""], PyTree]]


def stopping(
    judge: Judge,
    memory: PyTree,
    *,
    metric: Callable[[PyTree], ScalarLike],
    min_delta: ScalarLike,
    mode: Mode,
    keep_params: bool,
) -> Machine:
    """Builds the machine around one rule.

    Args:
        judge: the rule: `(progress, raw value, memory) -> (whether to stop, memory)`.
        memory: the rule's first memory.
        metric: finds the validation metric in the raw value.
        min_delta: by how much a new best must differ from the last.
        mode: "min" or "max".
        keep_params: whether the state carries the best parameters.
    """
    check_flag("keep_params", keep_params)

    def init(params: PyTree | None = None) -> StoppingState:
        _check_params(params, keep_params)
        # copies, and no array twice: the state and the parameters may be donated
        return StoppingState(
            best_value=nothing_yet(mode),
            best_step=jnp.zeros([], jnp.int32),
            best_params=jax.tree.map(jnp.array, params) if keep_params else None,
            step=jnp.zeros([], jnp.int32),
            stopped=jnp.zeros([], bool),
            memory=jax.tree.map(jnp.array, memory),
        )

    def update(
        value: PyTree, state: StoppingState, params: PyTree | None = None
    ) -> tuple[Bool[Array, ""], StoppingState]:
        check_instance("state", state, StoppingState)
        check_same_tree("state.memory", state.memory, "this rule's", memory)
        if value is None:
            return state.stopped, state
        _check_params(params, keep_params)
        seen, step = observe(metric(value)), optax.safe_increment(state.step)
        improved = improves(seen, state.best_value, min_delta, threshold_mode="abs", mode=mode)
        best_value = jnp.where(improved, seen, state.best_value)
        stop, remembered = judge(Progress(seen, best_value, improved), value, state.memory)
        kept = state.best_params
        if keep_params:
            check_same_tree("params", params, "the first params", kept)
            kept = jax.tree.map(
                lambda new, old: jnp.where(improved, jnp.asarray(new, old.dtype), old), params, kept
            )
        best_step = jnp.where(improved, step, state.best_step)
        after = StoppingState(best_value, best_step, kept, step, stop, remembered)
        after = jax.tree.map(lambda old, new: jnp.where(state.stopped, old, new), state, after)
        return after.stopped, after

    return Machine(init, update)


def _check_params(params: PyTree | None, keep_params: bool) -> None:
    if keep_params and params is None:
        raise ValueError("params must be given to keep the best; or set keep_params=False.")
