"""Predictions are the model's outputs for all examples, preprocessed as in the loss."""

import chex
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import training
from tests.training.nets import Net, examples, start
from tests.untyped import untyped

NET = Net(rate=0.5, batch_norm=True)


class Rows:
    """A source of images without labels."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, indices):
        return {"image": self.images[indices]}


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("sharded", [False, True])
def test_predictions_are_those_of_the_model_on_preprocessed_images(batch_size, sharded):
    trainer, state = start(NET, optax.sgd(0.1))
    variables, images = trainer.variables(state), examples(20)["image"]
    want = NET.apply(variables, jnp.asarray(images) / 255, train=False)
    sharding = training.data_sharding() if sharded else None
    for some in ({"image": images}, Rows(images)):
        got = training.predict(trainer, variables, some, batch_size, sharding=sharding)
        assert isinstance(got, np.ndarray) and got.shape == (20, 3)
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_preprocessing_is_that_of_the_loss():
    loss = training.classification_loss(NET, preprocess=lambda x: x / 51.0 - 1)
    trainer = training.trainer(loss, optax.sgd(0.1))
    variables = start(NET, optax.sgd(0.1))[0].variables(start(NET, optax.sgd(0.1))[1])
    images = examples(6)["image"]
    got = training.predict(trainer, variables, {"image": images}, 6)
    want = NET.apply(variables, jnp.asarray(images) / 51.0 - 1, train=False)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)


def test_outputs_may_be_a_tree():
    def two(params, model_state, batch, keys, *, train):
        return params * batch["x"], (model_state, {})

    def both(variables, batch):
        return {
            "one": variables["params"] * batch["x"],
            "two": batch["x"][:, None] * jnp.ones((1, 2)),
        }

    trainer = training.trainer(training.ModelLoss(two, both), optax.sgd(0.1))
    got = training.predict(trainer, {"params": 2.0}, {"x": np.arange(5.0)}, 2)
    assert got["one"].tolist() == [0, 2, 4, 6, 8] and got["two"].shape == (5, 2)


def test_a_loss_that_knows_no_model_cannot_predict():
    def loss(params, model_state, batch, keys, *, train):
        return params * batch["x"], (model_state, {})

    trainer = training.trainer(loss, optax.sgd(0.1))
    with pytest.raises(ValueError, match="trainer must have a loss with predict"):
        training.predict(trainer, {"params": 2.0}, {"x": np.arange(5.0)}, 2)
    trainer, state = start(NET, optax.sgd(0.1))
    for bad, message in (
        ({"variables": state}, "variables must be a Mapping"),
        ({"examples": 3}, "examples must be a dict of arrays"),
        ({"batch_size": 1.5}, "batch_size must be an integer"),
    ):
        given = {"variables": trainer.variables(state), "examples": examples(4), "batch_size": 2}
        with untyped(), pytest.raises(TypeError, match=message):
            training.predict(trainer, **{**given, **bad})
    with pytest.raises(ValueError, match='batch must hold "image"'):
        training.predict(trainer, trainer.variables(state), {"x": np.zeros(3)}, 2)
