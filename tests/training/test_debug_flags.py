"""Steps, losses and runs under JAX's own checks: nothing that is discarded is NaN or infinite."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models, training
from tests.training.nets import examples

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)


@contextlib.contextmanager
def numbers():
    with jax.debug_nans(True), jax.debug_infs(True):
        yield


CHECKS = {"numbers": numbers, "strict": lambda: jax.numpy_dtype_promotion("strict")}
SOME = {**examples(12), "weight": np.float32([0, 0] + [1] * 10)}
LABEL = np.where(SOME["weight"] == 0, -1, SOME["label"])
PIXEL = np.float32(SOME["image"] / 255)
PIXEL[:2] = np.nan
ABSENT = {"image": PIXEL, "label": LABEL, "weight": SOME["weight"]}
OPTIONS = {"label_smoothing": 0.1, "class_weights": (1.0, 0.0, 2.0), "top_k": (2,)}


def made(**options):
    net = models.MLP((8, 3), block=models.batch_norm_block)
    loss = training.classification_loss(net, **OPTIONS)
    trainer = training.trainer(loss, optax.sgd(0.1), **options)
    variables = net.init(KEY, jnp.zeros((2, 4, 3, 1)), train=False)
    return trainer, trainer.init(variables)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "batch, compile_it",
    [
        (examples(12), True),
        (ABSENT, True),
        pytest.param(ABSENT, False, marks=pytest.mark.slow),
    ],
    ids=["plain", "absent", "absent, eager"],
)
def test_a_step_and_its_evaluation_run(check, batch, compile_it):
    options = {"accumulate": 2, "penalty": lambda p: 0.1 * jnp.sum(p["Dense_0"]["kernel"] ** 2)}
    trainer, state = made(**options)
    with CHECKS[check]():
        step = jax.jit(trainer.step) if compile_it else trainer.step
        state, metrics = step(state, batch, KEY)
        assert int(metrics["non_finite"]) == 0
        sums = trainer.evaluate(trainer.variables(state), batch)
        assert np.isfinite(sums["loss"])


@pytest.mark.parametrize("check", CHECKS)
def test_runs_run(check):
    """Those with a stopping rule, whose states are the rule's own, in `control`."""
    trainer, state = made()
    options = {"key": KEY, "epochs": 2, "batch_size": 5}
    with CHECKS[check]():
        ended = training.run(trainer, state, ABSENT, ABSENT, **options)
        assert np.all(np.isfinite(ended.train["loss"]))
        means = training.evaluate(trainer, trainer.variables(ended.state), ABSENT, 5)
        assert np.isfinite(means["loss"])
        with jax.debug_infs(False):  # the best loss so far begins at infinity
            training.fit(trainer, state, ABSENT, ABSENT, progress=False, **options)
