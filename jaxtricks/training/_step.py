"""One training step: the gradient of a batch, the update, the new parameters and the metrics."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, PyTree
from typing_extensions import TypeAliasType

from jaxtricks._prefix import Mask
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.averaging import Averager
from jaxtricks.training._augmented import augmented
from jaxtricks.training._loss import (
    Batch,
    Loss,
    Metrics,
    divisor_of,
    split_output,
    weighted_sums,
)
from jaxtricks.training._non_finite import (
    SMALL,
    count_newly_non_finite,
    count_non_finite,
    norm,
)
from jaxtricks.training._present import present_examples
from jaxtricks.training._reported_rate import reported_rate
from jaxtricks.training._scaled_update import scaled_update
from jaxtricks.training._state import Averaged, TrainState
from jaxtricks.training._trainable import join_params, split_params

TrainStep = TypeAliasType(
    "TrainStep", Callable[[TrainState, Batch, Key[Array, ""]], tuple[TrainState, Metrics]]
)
AUGMENT = 2**32 - 1  # folded into the step's key for augmentation; parts of the batch use 0, 1, 2


class StepSettings(NamedTuple):
    """The arguments of `trainer` that a step depends on."""

    loss: Loss
    tx: optax.GradientTransformation
    averager: Averager | None
    penalty: Callable[[PyTree], Float[Array, ""]] | None
    accumulate: int
    augment: Callable[[Key[Array, ""], Batch], Batch] | None
    rng_streams: Sequence[str]
    diagnostics: bool
    axis_name: str | None
    trainable: Mask


def make_step(settings: StepSettings) -> TrainStep:
    """Makes the pure function `step(state, batch, key) -> (state, metrics)` of a trainer."""
    axis_name = settings.axis_name
    rule = optax.with_extra_args_support(settings.tx)

    def step(state: TrainState, batch: Batch, key: Key[Array, ""]) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(key, state.step)
        if axis_name is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        batch = present_examples(batch)
        loss, augment = settings.loss, settings.augment
        if augment is not None:
            augment_key = jax.random.fold_in(key, jnp.uint32(AUGMENT))
            batch = present_examples(augmented(augment, loss, augment_key, batch))
            loss = getattr(loss, "per_example", loss)
        weight = sum_over_devices(jnp.sum(batch["weight"]), axis_name)
        mass = divisor_of(weight)
        trained, frozen = split_params(settings.trainable, state.params)
        gradients, model_state, metrics, extra_args = gradients_in_parts(
            settings._replace(loss=loss), (trained, frozen), state.model_state, batch, mass, key
        )
        metrics, gradients = sum_over_devices((metrics, gradients), axis_name)
        gradients = jax.tree.map(lambda g, p: g.astype(p.dtype), gradients, trained)
        if settings.penalty is not None:
            check_scalar_penalty(settings.penalty, state.params)
            metrics["penalty"], extra = jax.value_and_grad(
                lambda trained: settings.penalty(join_params(trained, frozen))
            )(trained)
            gradients = jax.tree.map(jnp.add, gradients, extra)
        scale = state.learning_rate_scale
        updates, opt_state = scaled_update(
            rule, scale, gradients, state.opt_state, trained, value=metrics["loss"], **extra_args
        )
        new = optax.apply_updates(trained, updates)
        params = join_params(new, frozen)
        rate = reported_rate(opt_state)
        if rate is not None:
            metrics["learning_rate"] = scale * rate
        average = next_average(settings.averager, params, state.average)
        if settings.diagnostics:
            numbers = (weight, metrics["loss"], metrics.get("penalty"))
            metrics["gradient_norm"] = norm(gradients)
            own, new_own = (state.opt_state, state.average), (opt_state, average)
            metrics["non_finite"] = (
                count_non_finite((numbers, gradients, new))
                + count_newly_non_finite(state.model_state, model_state)
                + count_newly_non_finite(own, new_own, largest=SMALL)
            )
        metrics["weight"] = weight
        count = optax.safe_increment(state.step)
        return TrainState(count, params, model_state, opt_state, scale, average), metrics

    return step


def gradients_in_parts(
    settings: StepSettings,
    params: tuple[PyTree, PyTree],
    model_state: PyTree,
    batch: Batch,
    mass: Float[Array, ""],
    key: Key[Array, ""],
) -> tuple[PyTree, PyTree, Metrics, dict[str, Any]]:
    """Sums gradients and metrics over equal parts of the batch, one part after another.

    Each part starts with the model's state that the part before returned. Of n parts, part k has
    the examples k, k + n, k + 2n and so on. If the batch is divided among devices, each part has a
    share on each device, and no example has to move.

    Raises:
        ValueError: the batch cannot be divided into `settings.accumulate` equal parts.
    """
    parts, size = settings.accumulate, len(batch["weight"])
    if size % parts:
        raise ValueError(f"accumulate must divide the batch of {size} examples, got {parts}.")

    def of_part(model_state: PyTree, part: Batch, number: Any) -> Any:
        part_key = jax.random.fold_in(key, number)
        gradient = jax.grad(mean_of_part, argnums=1, has_aux=True)
        g, aux = gradient(settings, *params, model_state, part, mass, part_key)
        present = jnp.any(part["weight"] != 0)  # if False, the gradient is that of replaced rows
        # float32 or wider, so that sums over parts and devices are not rounded to bfloat16
        wide = jax.tree.map(lambda x: x.astype(wide_dtype(x.dtype)), g)
        return jax.tree.map(lambda x: jnp.where(present, x, 0), wide), aux

    if parts == 1:
        g, (model_state, sums, extra_args) = of_part(model_state, batch, 0)
        return g, model_state, sums, extra_args

    def by_turns(x: Any) -> Array:
        x = jnp.asarray(x)
        if x.ndim == 0:  # one value for all examples
            return jnp.broadcast_to(x, (parts,))
        return jnp.moveaxis(x.reshape(size // parts, parts, *x.shape[1:]), 1, 0)

    split = jax.tree.map(by_turns, batch)

    def body(carry: Any, row: Any) -> tuple[Any, None]:
        total, model_state = carry
        g, (model_state, sums, _) = of_part(model_state, *row)
        return (jax.tree.map(jnp.add, total, (g, sums)), model_state), None

    first = jax.tree.map(lambda x: x[0], split)
    g, (model_state, sums, _) = of_part(model_state, first, 0)
    rest = (jax.tree.map(lambda x: x[1:], split), jnp.arange(1, parts))
    ((g, sums), model_state), _ = jax.lax.scan(body, ((g, sums), model_state), rest)
    return g, model_state, sums, {}


def mean_of_part(
    settings: StepSettings,
    trained: PyTree,
    frozen: PyTree,
    model_state: PyTree,
    part: Batch,
    mass: Float[Array, ""],
    key: Key[Array, ""],
) -> Any:
    """Returns a part's share of the batch's mean loss, and the other results of the loss function.

    These are the model's state, the part's shares of the metrics, and arguments for `tx.update`.

    Raises:
        ValueError: the loss returns extra arguments, and the batch is in parts or on a mapped axis.
    """
    keys = {name: jax.random.fold_in(key, i) for i, name in enumerate(settings.rng_streams)}
    given = settings.loss(join_params(trained, frozen), model_state, part, keys, train=True)
    losses, model_state, metrics, extra_args = split_output(given)
    if extra_args and (settings.accumulate > 1 or settings.axis_name is not None):
        raise ValueError(
            "extra_args of the loss belong to one whole batch: use accumulate=1 and "
            f"axis_name=None, got accumulate={settings.accumulate} and "
            f"axis_name={settings.axis_name!r}."
        )
    sums = weighted_sums(losses, metrics, part["weight"] / mass)
    return sums["loss"], (model_state, sums, extra_args)


def check_scalar_penalty(penalty: Callable[[PyTree], Float[Array, ""]], params: PyTree) -> None:
    """Checks that a penalty returns one number.

    Raises:
        ValueError: it returns an array with axes.
    """
    shape = jnp.shape(jax.eval_shape(penalty, params))
    if shape:
        raise ValueError(f"penalty must return one number, got an array of the shape {shape}.")


def next_average(
    averager: Averager | None, params: PyTree, before: Averaged | None
) -> Averaged | None:
    """Updates the average with the new parameters; None if neither trainer nor state has one.

    Raises:
        ValueError: only one of the trainer and the state has an average, or the average of the
            state is that of another averager.
    """
    if averager is None and before is None:
        return None
    if averager is not None and before is not None:
        own = jax.tree.structure(jax.eval_shape(averager.init, params))
        if own == jax.tree.structure(before.state):
            return Averaged(*averager.update(params, before.state))
    raise ValueError(
        "state must come from the init of this trainer, with its averager, got a state with "
        f"{'no average' if before is None else f'the average {type(before.state).__name__}'}."
    )


def sum_over_devices(tree: PyTree, axis_name: str | None) -> PyTree:
    """Sums over the devices of a mapped axis, if there is one."""
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)
