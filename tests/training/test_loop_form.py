"""A native convolution on a CPU is kept out of loops."""

import jax
import pytest

from jaxtricks import models, optimizers, training
from tests.training.nets import Net, examples, start


@pytest.mark.parametrize(
    "net, want",
    [
        (Net(), "scan"),
        (models.SmallCNN((4,), classes=3, form="patches"), "scan"),
        (models.SmallCNN((4,), classes=3, form="native"), "host"),
    ],
    ids=["mlp", "patches", "native"],
)
def test_rule(net, want):
    tx = optimizers.gradient_descent(0.1)
    if isinstance(net, Net):
        state, loss = start(net, tx)
    else:
        image = jax.numpy.zeros((1, 4, 3, 1))
        variables = net.init(jax.random.key(0), image, train=False)
        params = variables.pop("params")
        state, loss = training.init_state(params, tx, variables), training.classification_loss(net)
    step = training.make_train_step(loss, tx)
    assert training.loop_form(step, state, examples(6), jax.random.key(0)) == want
