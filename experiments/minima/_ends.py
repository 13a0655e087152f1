"""Training one-hidden-layer networks of every width to their ends, from good and bad starts."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from experiments import networks
from jaxtricks import data, models, optimizers, schedules, training

RATE, BATCH, CLASSES = 0.01, 64, 10
Examples = networks.Examples


def trainer(width: int, *, steps: int, marks: int, curved: bool) -> Callable[..., dict[str, Any]]:
    """Makes `run(key, gain, fit, held)`: losses of both sets at `marks` even times, and the end.

    A tanh layer (smooth, so that Hessians mean something) and one of logits. The first weights are
    LeCun's times `gain`, the biases 0; Adam's rate falls from 0.01 to 0 as a cosine. If `curved`,
    the end's gradient and Hessian come too.
    """
    model = models.MLP((width, CLASSES), activation=nn.tanh)
    ours = networks.trainer(model, optimizers.adam(schedules.cosine_decay(RATE, steps)))

    def mean_loss(variables: dict[str, Any], examples: Examples) -> jax.Array:
        sums = ours.evaluate(variables, examples)
        return sums["loss"] / sums["weight"]

    def run(key: jax.Array, gain: jax.Array, fit: Examples, held: Examples) -> dict[str, Any]:
        init_key, order_key = jax.random.split(key)
        first = networks.first_variables(model, init_key, fit)
        state = ours.init(jax.tree.map(lambda w: gain * w, first))
        order = networks.order_of(order_key, len(fit["label"]), steps, BATCH)
        parts = jax.tree.map(lambda x: x.reshape(marks, -1, BATCH), order)

        def part(state: training.TrainState, rows: data.Order) -> tuple[Any, dict[str, jax.Array]]:
            state, _ = training.train_epoch(ours, state, fit, rows, key=key)
            found = ours.variables(state)
            return state, {"train": mean_loss(found, fit), "test": mean_loss(found, held)}

        end, losses = jax.lax.scan(part, state, parts)
        if not curved:
            return losses
        flat, restore = ravel_pytree(end.params)

        def loss(flat: jax.Array) -> jax.Array:
            return mean_loss({"params": restore(flat)}, fit)

        return losses | {
            "slope": jnp.linalg.norm(jax.grad(loss)(flat)),
            "hessian": jax.hessian(loss)(flat),
        }

    return run
