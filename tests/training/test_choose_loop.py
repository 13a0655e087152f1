"""A native convolution on a CPU is kept out of loops."""

import jax
import pytest

from jaxtricks import models, optimizers, training
from tests.training.nets import Net, examples


@pytest.mark.slow
@pytest.mark.parametrize(
    "net, want",
    [
        (Net(), "scan"),
        (models.SmallCNN((4,), classes=3, algorithm="patches"), "scan"),
        (models.SmallCNN((4,), classes=3, algorithm="native"), "host"),
    ],
    ids=["mlp", "patches", "native"],
)
def test_rule(net, want):
    tx = optimizers.gradient_descent(0.1)
    trainer = training.trainer(training.classification_loss(net), tx)
    image = jax.numpy.zeros((1, 4, 3, 1))
    key = jax.random.key(0)
    state = jax.eval_shape(lambda: trainer.init(net.init(key, image, train=False)))
    program = jax.make_jaxpr(trainer.step)(state, examples(6), key)
    assert training.choose_loop(program) == want
