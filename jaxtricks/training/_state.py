"""Everything that training changes, in one tree."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from jaxtricks._checks import check_functions, check_instance
from jaxtricks.averaging import Averager


class Averaged(NamedTuple):
    """What an averager has made of the parameters.

    Attributes:
        output: the average, a tree like the parameters, or `averaging.Snapshots`. Before the first
            update it is that of the initial parameters, which do not count later.
        state: the averager's own.
    """

    output: PyTree
    state: PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """What a train step takes and gives back; change it by `dataclasses.replace`.

    Fields are not typed by shape, because mapping stacks them.

    Attributes:
        step: int32, finished updates; the next one uses `schedule(step)`.
        params: what the gradient is taken by.
        model_state: what the model keeps besides, such as `{"batch_stats": ...}`; `{}` if nothing.
        opt_state: of the gradient transformation.
        learning_rate_scale: float32, multiplies every update. A control rule sets it between
            epochs, and nothing is traced again.
        average: an `Averaged`, if the step has an averager.
    """

    step: PyTree
    params: PyTree
    model_state: PyTree
    opt_state: PyTree
    learning_rate_scale: PyTree
    average: PyTree = None


def init_state(
    params: PyTree,
    tx: optax.GradientTransformation,
    model_state: PyTree | None = None,
    *,
    averager: Averager | None = None,
) -> TrainState:
    """Makes the state before the first update.

    Args:
        params: a tree of real floating arrays, such as `variables["params"]`.
        tx: the rule whose state it will hold.
        model_state: the model's other variables, without `"params"`.
        averager: that of the step, such as `averaging.exponential_average(0.999)`.

    Raises:
        TypeError: `tx` is no gradient transformation, `averager` no averager, or a leaf of
            `params` is not real and floating.
        ValueError: `model_state` holds `"params"`, or `params` holds nothing else.

    Example:
        >>> state = init_state({"w": jnp.ones(2)}, optax.sgd(0.1))
        >>> int(state.step), float(state.learning_rate_scale), state.model_state
        (0, 1.0, {})

    References:
        S-DAT-08; notes 003:5.
    """
    check_instance("tx", tx, optax.GradientTransformation)
    if isinstance(model_state, Mapping) and "params" in model_state:
        raise ValueError('model_state must not hold "params": take them out of the variables.')
    if isinstance(params, Mapping) and "params" in params:
        raise ValueError('params must be variables["params"], got variables that hold them.')
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"params{jax.tree_util.keystr(path)} must be real and floating, "
                f"got {jnp.result_type(leaf)}: put what is not trained into model_state."
            )
    average = None
    if averager is not None:
        check_functions("averager", averager, Averager)
        start = averager.init(params)
        average = Averaged(averager.update(params, start)[0], start)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        model_state={} if model_state is None else model_state,
        opt_state=tx.init(params),
        learning_rate_scale=jnp.ones((), jnp.float32),
        average=average,
    )


def variables(state: TrainState) -> dict[str, PyTree]:
    """What `model.apply` takes: the parameters and what the model keeps besides.

    Example:
        >>> state = init_state(jnp.ones(2), optax.sgd(0.1), {"batch_stats": jnp.zeros(1)})
        >>> list(variables(state))
        ['params', 'batch_stats']
    """
    return {"params": state.params, **state.model_state}


def with_variables(state: TrainState, variables: Mapping[str, PyTree]) -> TrainState:
    """The state with another model in it, such as the best of a run, to be evaluated.

    Args:
        state: any of that model's.
        variables: `"params"` and what the model keeps besides, as `variables` gives them.

    Raises:
        ValueError: there are no `"params"`.
        TypeError: `variables` is no dict.

    Example:
        >>> state = init_state(jnp.ones(2), optax.sgd(0.1))
        >>> with_variables(state, {"params": jnp.zeros(2)}).params.tolist()
        [0.0, 0.0]
    """
    check_instance("variables", variables, Mapping)
    if "params" not in variables:
        raise ValueError(
            f'variables must hold "params", got {sorted(variables)}: parameters alone are '
            '{"params": params, **state.model_state}.'
        )
    rest = {name: tree for name, tree in variables.items() if name != "params"}
    return dataclasses.replace(state, params=variables["params"], model_state=rest)


def averaged(averager: Averager | None, params: PyTree, before: PyTree) -> PyTree:
    """Shows the new parameters to the averager, if there is one.

    Raises:
        ValueError: only one of step and state has an averager, or each another one.
    """
    if (averager is None) != (before is None):
        raise ValueError(
            "averager must be given to make_train_step and to init_state, or to neither."
        )
    if averager is None:
        return None
    own = jax.eval_shape(averager.init, params)
    if jax.tree.structure(own) != jax.tree.structure(before.state):
        raise ValueError(
            "averager must be the same in make_train_step and init_state, got one with a "
            f"{type(own).__name__} and one with a {type(before.state).__name__}."
        )
    return Averaged(*averager.update(params, before.state))
