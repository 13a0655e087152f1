"""`check_initial_loss`: zero weights cost ln C, wider scores half their variance more."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models, regularizers, training, tuning

KEY = jax.random.key(3)


def trainer(classes, **options):
    net = models.linear_model(classes=classes)
    return training.trainer(training.classification_loss(net), optax.sgd(0.1), **options)


def case_of(classes, kernel, size=64, **options):
    images = jnp.eye(size)[:, :, None, None]
    batch = {"image": images, "label": jnp.arange(size) % classes}
    ours = trainer(classes, **options)
    layer = {"kernel": kernel, "bias": jnp.zeros(classes)}
    net = models.linear_model(classes=classes)
    shapes = net.init(KEY, images, train=False)["params"]
    state = ours.init({"params": {name: layer for name in shapes}})
    return ours, state, batch


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_zero_weights_cost_ln_c(classes):
    case = case_of(classes, jnp.zeros((64, classes)))
    found = tuning.check_initial_loss(*case, key=KEY, classes=classes, tolerance=1e-5)
    assert found.verdict == "as expected"
    assert found.loss == pytest.approx(math.log(classes), abs=1e-5) == found.expected
    assert found.penalty == 0


@pytest.mark.parametrize("variance, verdict", [(0.5, "as expected"), (4.0, "too high")])
def test_scores_of_a_variance_cost_half_of_it(variance, verdict):
    """E log sum exp of C normal scores is ln C + v/2 - (e^v - 1)/2C + ..., here of 1000 classes."""
    kernel = math.sqrt(variance) * jax.random.normal(KEY, (512, 1000))
    case = case_of(1000, kernel, size=512)
    found = tuning.check_initial_loss(*case, key=KEY, classes=1000)
    assert found.verdict == verdict
    assert found.loss - found.expected == pytest.approx(variance / 2, abs=0.2)


def test_what_knows_the_label_is_too_low_and_what_is_nan_is_named():
    ours, state, batch = case_of(4, 9.0 * jnp.eye(64, 4))
    known = {"image": batch["image"][:4], "label": batch["label"][:4]}
    found = tuning.check_initial_loss(ours, state, known, key=KEY, classes=4)
    assert found.verdict == "too low" and "labels among the inputs" in found.advice
    broken = {**batch, "image": batch["image"].at[0].set(jnp.nan)}
    found = tuning.check_initial_loss(ours, state, broken, key=KEY, classes=4)
    assert found.verdict == "not finite"


def test_the_penalty_is_told_apart_and_the_state_is_left_alone():
    def penalty(params):
        return regularizers.l2(params, 3.0, half=False)

    ours, state, batch = case_of(4, jnp.full((64, 4), 0.01), penalty=penalty)
    before = jax.tree.map(np.asarray, state)
    found = tuning.check_initial_loss(ours, state, batch, key=KEY, classes=4)
    assert found.loss == pytest.approx(math.log(4), abs=1e-4)
    assert found.penalty == pytest.approx(3 * 256 * 0.01**2, rel=1e-5)
    jax.tree.map(np.testing.assert_array_equal, before, state)


@pytest.mark.parametrize(
    "change", [{"classes": 1}, {"tolerance": 0.0}, {"tolerance": float("nan")}]
)
def test_bad_values_are_named(change):
    case = case_of(4, jnp.zeros((64, 4)))
    (name,) = change
    with pytest.raises(ValueError, match=name):
        tuning.check_initial_loss(*case, key=KEY, **{"classes": 4, **change})


def test_a_state_of_another_rule_and_arrays_of_two_lengths_are_named():
    ours, state, batch = case_of(4, jnp.zeros((64, 4)))
    with pytest.raises(ValueError, match="batch must have arrays of one length"):
        fewer = {**batch, "label": batch["label"][:-1]}
        tuning.check_initial_loss(ours, state, fewer, key=KEY, classes=4)
    with pytest.raises(ValueError, match=r"state.opt_state must have the structure"):
        other = dataclasses.replace(state, opt_state=(jnp.zeros(()),))
        tuning.check_initial_loss(ours, other, batch, key=KEY, classes=4)
