"""An nnx module trains like a linen one: by a pure function, with masks of its own in each step."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxtricks import averaging, training
from tests.training.nets import examples
from tests.untyped import untyped

KEY = jax.random.key(0)
X = jnp.linspace(-1, 1, 40).reshape(10, 4)


class Net(nnx.Module):
    """A hidden layer with batch norm and dropout."""

    def __init__(self, rngs):
        self.hidden = nnx.Linear(4, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.logits = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.hidden(x.reshape(len(x), -1)[:, :4])))
        return self.logits(self.dropout(x))


class Masks(nnx.Module):
    """Two layers of dropout, the first called twice, and one that has no stream of that name."""

    def __init__(self):
        self.a = nnx.Dropout(0.5, rngs=nnx.Rngs(dropout=0))
        self.b = nnx.Dropout(0.5, rngs=nnx.Rngs(dropout=0))
        self.c = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.a(x), self.a(x), self.b(x), self.c(x)


@pytest.mark.slow
def test_evaluation_is_that_of_the_module_and_draws_nothing():
    model = Net(nnx.Rngs(0))
    variables, apply = training.split_nnx(model)
    assert sorted(variables) == ["batch_stats", "params"]
    outputs, state = jax.jit(lambda v: apply(v, X, train=False, rngs={}))(variables)
    model.eval()
    np.testing.assert_allclose(outputs, model(X), rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_equal(state["batch_stats"], variables["batch_stats"])


@pytest.mark.slow
def test_training_moves_the_statistics_as_the_module_does_and_leaves_the_module_alone():
    model, twin = Net(nnx.Rngs(0)), Net(nnx.Rngs(0))
    variables, apply = training.split_nnx(model)
    _, state = apply(variables, X, train=True, rngs={"dropout": KEY})
    twin(X)
    mean = state["batch_stats"]["norm"]["mean"]
    np.testing.assert_allclose(mean, twin.norm.mean[...], rtol=1e-6)
    assert jnp.any(mean != 0) and jnp.all(model.norm.mean[...] == 0)
    counts = jax.tree.leaves(nnx.state(model, nnx.RngCount))
    assert [int(count) for count in counts] == [0]


def test_masks_differ_by_layer_call_and_step_and_repeat_with_their_key():
    variables, apply = training.split_nnx(Masks())
    draw = jax.jit(lambda key: apply(variables, jnp.ones(64), train=True, rngs={"dropout": key})[0])
    masks = [np.asarray(mask) for mask in (*draw(KEY), *draw(jax.random.key(1)))]
    for index, mask in enumerate(masks):
        assert set(mask.tolist()) == {0.0, 2.0}
        for other in masks[:index]:
            assert np.any(mask != other)
    np.testing.assert_array_equal(masks[0], draw(KEY)[0])


@pytest.mark.slow
def test_it_learns_with_the_statistics_of_its_average_estimated_anew():
    variables, apply = training.split_nnx(Net(nnx.Rngs(0)))
    loss = training.classification_loss(apply)
    trainer = training.trainer(loss, optax.adam(0.01), averager=averaging.polyak_average())
    some, options = examples(48), {"key": KEY, "epochs": 12, "batch_size": 16}
    result = training.fit(trainer, trainer.init(variables), some, some, **options)
    assert result.history[-1]["train.loss"] < 0.7 * result.history[0]["train.loss"]
    average = trainer.variables(result.state)

    def in_training(variables, images):
        return apply(variables, images, train=True, rngs={"dropout": KEY})[1]

    images = jnp.asarray(some["image"]) / 255
    statistics = averaging.recalibrate_batch_norm(in_training, average, images, batch_size=48)
    rows = images.reshape(48, -1)[:, :4]
    hidden = average["params"]["hidden"]
    want = jnp.mean(rows @ hidden["kernel"] + hidden["bias"][None], axis=0)
    np.testing.assert_allclose(statistics["batch_stats"]["norm"]["mean"], want, rtol=1e-4)
    with pytest.raises(ValueError, match="models of flax.nnx cannot be measured"):
        averaging.measure_batch_norm(
            lambda v, x: apply(v, x, train=False, rngs={}), average, images, 16
        )


def test_what_cannot_be_split_or_drawn_is_named():
    with untyped(), pytest.raises(TypeError, match="model must be a flax.nnx Module, got"):
        training.split_nnx(jnp.tanh)
    variables, apply = training.split_nnx(Net(nnx.Rngs(dropout=1, params=0)))
    trainer = training.trainer(training.classification_loss(apply), optax.sgd(0.1), rng_streams=())
    state = trainer.init(variables)
    with pytest.raises(ValueError, match=r"rng_streams .* must not be empty: .* \['dropout'\]"):
        jax.eval_shape(trainer.step, state, examples(4), KEY)
    for bad in (3, Net):
        with untyped(), pytest.raises(TypeError, match="model must be a flax.linen Module or a"):
            training.classification_loss(bad)
