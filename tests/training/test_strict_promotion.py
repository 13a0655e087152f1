"""No part of a step mixes dtypes, whatever those of the parameters."""

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import averaging, control, optimizers, training

KEY = jax.random.key(0)
RULES = {"optax": lambda: optax.sgd(0.25), "ours": lambda: optimizers.adam(0.25)}
OPTIONS = {
    "plain": {},
    "parts": {"accumulate": 2},
    "penalty": {"penalty": lambda params: params["w"] ** 2},
    "average": {"averager": averaging.exponential_average(0.9)},
    "frozen": {"trainable": {"w": True, "v": False}},
}


def loss(params, model_state, batch, keys, *, train):
    errors = params["w"].astype(jnp.float32) - batch["x"]
    return errors**2 + params["v"].astype(jnp.float32) ** 2, (model_state, {"error": errors})


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "dtype",
    [
        "bfloat16",
        pytest.param("float16", marks=pytest.mark.slow),
        pytest.param("float32", marks=pytest.mark.slow),
        "float64",
    ],
)
def test_a_step_needs_no_implicit_promotion(dtype, rule, options):
    """The updates of narrow parameters used to be multiplied by a float32 scale as they were."""
    with jax.enable_x64(dtype == "float64"):
        batch = {"x": jnp.float32([1, 1, 3, 9]), "weight": jnp.int32([1, 1, 1, 0])}
        trainer = training.trainer(loss, RULES[rule](), **OPTIONS[options])
        params = {"w": jnp.zeros((), dtype), "v": jnp.zeros(())}
        want, reported = jax.jit(trainer.step)(trainer.init({"params": params}), batch, KEY)
        with jax.numpy_dtype_promotion("strict"):
            trainer = training.trainer(loss, RULES[rule](), **OPTIONS[options])
            got, metrics = training.jit_step(trainer)(trainer.init({"params": params}), batch, KEY)
        assert got.params["w"].dtype == dtype
        assert float(got.params["w"]) == float(want.params["w"]) != 0
        assert float(metrics["gradient_norm"]) == float(reported["gradient_norm"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_a_run_needs_none(dtype):
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        trainer = training.trainer(loss, optax.sgd(0.25))
        state = trainer.init({"params": {"w": jnp.zeros((), dtype), "v": jnp.zeros(())}})
        data = {"x": jnp.float32([1, 1, 3])}
        options = {"key": KEY, "epochs": 2, "batch_size": 2, "plateau": control.plateau()}
        end = training.run(trainer, state, data, data, **options)
        assert end.position.state.params["w"].dtype == dtype
