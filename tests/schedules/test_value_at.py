"""A rate is a number at every update, a schedule its own."""

import jax
import jax.numpy as jnp
import pytest

from jaxtricks import optimizers, schedules
from tests.untyped import untyped


@pytest.mark.slow
def test_a_number_is_itself_and_a_schedule_is_called():
    assert schedules.value_at(0.5, 7) == 0.5
    step = schedules.step_decay(1.0, 3)
    got = jax.vmap(lambda count: schedules.value_at(step, count))(jnp.arange(5))
    assert jnp.allclose(got, jnp.array([1.0, 1.0, 1.0, 0.1, 0.1]))


@pytest.mark.parametrize("value, got", [("x", "'x'"), (jnp.ones(3), "1., 1., 1."), (None, "None")])
def test_a_schedule_that_gives_no_number_is_named(value, got):
    tx = optimizers.gradient_descent(lambda count: value)
    with untyped(), pytest.raises(TypeError, match="the value of a schedule must be .*"):
        tx.update(1.0, tx.init(0.0))
    with untyped(), pytest.raises(TypeError, match=f"must be a real scalar, got .*{got}"):
        schedules.value_at(lambda count: value, 0)


def test_a_traced_schedule_has_a_shape_too():
    with pytest.raises(TypeError, match=r"must be a scalar, got the shape \(2,\)"):
        jax.jit(lambda rates: schedules.value_at(lambda count: rates, 0))(jnp.ones(2))
