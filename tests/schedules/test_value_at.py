"""A rate is a number at every update, a schedule its own."""

import jax
import jax.numpy as jnp

from jaxtricks import schedules


def test_a_number_is_itself_and_a_schedule_is_called():
    assert schedules.value_at(0.5, 7) == 0.5
    step = schedules.step_decay(1.0, 3)
    got = jax.vmap(lambda count: schedules.value_at(step, count))(jnp.arange(5))
    assert jnp.allclose(got, jnp.array([1.0, 1.0, 1.0, 0.1, 0.1]))
