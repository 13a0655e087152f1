"""What a rule answers to a given sequence of gradients."""

import jax
import jax.numpy as jnp


def updates_of(tx, gradients, params=None):
    """The update at each step, stacked along the first axis, from `params` (zeros), not moved."""
    params = jnp.zeros_like(gradients[0]) if params is None else params

    def body(state, gradient):
        updates, state = tx.update(gradient, state, params)
        return state, updates

    return jax.lax.scan(body, tx.init(params), gradients)[1]
