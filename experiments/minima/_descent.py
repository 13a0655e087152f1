"""Training one hidden layer until a minimum of the training loss is reached, and looking at it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from experiments import lab
from jaxtricks import models, optimizers, schedules, training

CLASSES = 10
MEMORY = 20  # pairs that L-BFGS keeps
PRODUCTS = 64  # of the Hessian with a direction, at a time


class Descent(NamedTuple):
    """How a network is trained.

    Attributes:
        width: tanh units of the hidden layer.
        penalty: of L2 on the weights, a part of the training loss.
        rate: of Adam, falling to 0 as a cosine.
        epochs: of Adam.
        looks: at the training loss meanwhile, evenly spaced.
        batch: of Adam.
        tolerance: norm of the gradient at which L-BFGS ends, on all examples.
        longest: its iterations at most.
    """

    width: int
    penalty: float
    rate: float
    epochs: int
    looks: int
    batch: int
    tolerance: float
    longest: int


def descent(how: Descent) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, fit, test)`: losses on the way and at the end, gradient, curvatures.

    The trial has the "gain" of LeCun's first weights and the "group", which is the row of `fit`.
    Adam computes in float32, L-BFGS in float64, which has to be enabled.
    """
    net = models.MLP((how.width, CLASSES), activation=nn.tanh)

    def run(key: jax.Array, trial: Any, fit: Any, test: Any) -> dict[str, jax.Array]:
        init_key, run_key = jax.random.split(key)
        own = jax.tree.map(lambda rows: rows[trial["group"]], fit)
        steps = how.epochs * (len(own["label"]) // how.batch)
        rule = optax.chain(
            optimizers.add_l2(how.penalty, mask=optimizers.weights_only),
            optimizers.adam(schedules.cosine_decay(how.rate, steps)),
        )
        ours, first = lab.trainer(net, rule), lab.first_variables(net, init_key, own)
        start = jax.tree.map(lambda w: jnp.float32(trial["gain"]) * w, first)

        def look(state: training.TrainState) -> jax.Array:
            return penalised(net, ours.variables(state), own, how.penalty)

        options = {"epochs": how.epochs, "batch": how.batch, "every": how.epochs // how.looks}
        state, course = lab.train(ours, start, own, key=run_key, look=look, **options)
        wide = jax.tree.map(jnp.float64, ours.variables(state))
        flat, restore = ravel_pytree(wide)

        def loss(flat: jax.Array) -> jax.Array:
            return penalised(net, restore(flat), own, how.penalty)

        end = lowest_near(loss, flat, tolerance=how.tolerance, longest=how.longest)
        curvatures = jnp.linalg.eigvalsh(hessian(loss, end))
        return {
            "course": course,
            "train": loss(end),
            "test": penalised(net, restore(end), test, 0.0),
            "slope": jnp.linalg.norm(jax.grad(loss)(end)),
            "lowest": curvatures[0],
            "highest": curvatures[-1],
        }

    return run


def penalised(net: nn.Module, variables: Any, examples: Any, penalty: float) -> jax.Array:
    """Mean cross-entropy in nats, and half the penalty times the weights' squares."""
    images = jnp.float64(examples["image"]) / 255
    logits = net.apply(variables, images, train=False)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, examples["label"])
    squares = sum(jnp.sum(layer["kernel"] ** 2) for layer in variables["params"].values())
    return jnp.mean(losses) + penalty / 2 * squares


def lowest_near(
    loss: Callable[[jax.Array], jax.Array], start: jax.Array, *, tolerance: float, longest: int
) -> jax.Array:
    """Where L-BFGS ends: one step from where the gradient's norm is under the tolerance.

    Or wherever it is after the `longest` number of iterations.
    """
    solver = optax.lbfgs(memory_size=MEMORY)
    value_and_gradient = optax.value_and_grad_from_state(loss)

    def goes_on(carry: Any) -> jax.Array:
        _, _, slope, iteration = carry
        return (iteration < longest) & (slope > tolerance)

    def iterate(carry: Any) -> Any:
        flat, state, _, iteration = carry
        value, gradient = value_and_gradient(flat, state=state)
        given = {"value": value, "grad": gradient, "value_fn": loss}
        updates, state = solver.update(gradient, state, flat, **given)
        return optax.apply_updates(flat, updates), state, jnp.linalg.norm(gradient), iteration + 1

    begun = (start, solver.init(start), jnp.array(jnp.inf, start.dtype), 0)
    return jax.lax.while_loop(goes_on, iterate, begun)[0]


def hessian(loss: Callable[[jax.Array], jax.Array], flat: jax.Array) -> jax.Array:
    """The matrix of second derivatives."""

    def row(direction: jax.Array) -> jax.Array:
        return jax.jvp(jax.grad(loss), (flat,), (direction,))[1]

    size = len(flat)
    return jax.lax.map(row, jnp.eye(size, dtype=flat.dtype), batch_size=min(PRODUCTS, size))


def is_minimum(lowest: np.ndarray, highest: np.ndarray, *, rounding: float = 1e-6) -> np.ndarray:
    """Whether no curvature is negative; adding one number to all logits has none at all."""
    return np.asarray(lowest) >= -rounding * np.asarray(highest)
