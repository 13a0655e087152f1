"""Computing the outputs of a model for many examples, in batches."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import PyTree

from jaxtricks._checks import check_functions, check_instance, check_integer
from jaxtricks.data import Examples, count_examples
from jaxtricks.training._evaluate import padded_size
from jaxtricks.training._feed import feed, fetch_behind
from jaxtricks.training._loss import Batch
from jaxtricks.training._split_variables import check_model_variables
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._sharding import block_on_cpu, replicate


def predict(
    trainer: Trainer,
    variables: Mapping[str, PyTree],
    examples: Examples,
    batch_size: int,
    *,
    sharding: NamedSharding | None = None,
) -> PyTree:
    """Returns the model's outputs for all examples, in the order of the examples.

    The examples are preprocessed as in training, so raw images can be passed. Labels are not
    needed. Batches are read in threads while the device computes.

    Args:
        trainer: a trainer whose loss is a `ModelLoss`, such as `classification_loss` makes, or
            another function with an attribute `predict`.
        variables: the variables of the model, such as `trainer.variables(state)` or the
            `best_variables` of the result of `fit`.
        examples: a dict of arrays whose first axis is the example, or a data source such as
            `data.TfdsSource`.
        batch_size: the number of examples per batch, at least 1; if it is larger than the number of
            examples, there is one batch of all of them.
        sharding: from `data_sharding`, to divide each batch among devices.

    Returns:
        NumPy arrays whose first axis is the example, such as logits `[examples, classes]`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the trainer's loss has no `predict`, there are no examples, the arrays differ in
            length, `batch_size` is below 1, or `variables` has no `"params"`.

    Example:
        >>> import optax
        >>> from jaxtricks import models, training
        >>> net, images = models.linear_model(3), np.zeros((5, 2, 2, 1), np.uint8)
        >>> one = jax.numpy.zeros((1, 2, 2, 1))
        >>> variables = net.init(jax.random.key(0), one, train=False)
        >>> ours = training.trainer(training.classification_loss(net), optax.sgd(0.1))
        >>> predict(ours, variables, {"image": images}, batch_size=2).shape
        (5, 3)
    """
    check_functions("trainer", trainer, Trainer)
    check_model_variables(variables)
    check_integer("batch_size", batch_size, low=1)
    if sharding is not None:
        check_instance("sharding", sharding, NamedSharding)
    if trainer.predict is None:
        raise ValueError(
            "trainer must have a loss with predict, such as that of classification_loss, got a "
            "loss without it: if your_loss calls such a loss, named inner, pass "
            "training.ModelLoss(your_loss, inner.predict, inner.prepare) to trainer."
        )
    size = count_examples(examples)
    options = {"batch_size": padded_size(batch_size, size, sharding), "epochs": 1}
    batches = feed(examples, sharding, key=jax.random.key(0), order="cyclic", **options)
    results = (
        block_on_cpu(outputs_of(trainer.predict, sharding, variables, batch), sharding)
        for batch in batches
    )
    parts = list(fetch_behind(results))
    return jax.tree.map(lambda *rows: np.concatenate(rows)[:size], *parts)


@functools.partial(jax.jit, static_argnums=(0, 1))
def outputs_of(
    predict_batch: Callable[[Mapping[str, PyTree], Batch], Any],
    sharding: NamedSharding | None,
    variables: Mapping[str, PyTree],
    batch: Batch,
) -> Any:
    """Computes the outputs for one batch."""
    return replicate(predict_batch(variables, batch), sharding)
