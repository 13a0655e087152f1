"""Every example counts once, whatever the batches."""

import jax
import numpy as np
import optax
import pytest

from jaxtricks import data, training
from tests.training.nets import Net, examples, start
from tests.untyped import untyped


@pytest.mark.parametrize("batch_size", [1, 7, 16, 20, 100])
def test_means_do_not_depend_on_the_batches(batch_size):
    net = Net(rate=0.5, batch_norm=True)
    state, loss = start(net, optax.sgd(0.1))
    data = examples(20)
    losses, (_, metrics) = loss(state.params, state.model_state, data, {}, train=False)
    got = jax.jit(
        lambda state, data: training.evaluate(
            training.make_eval_step(loss), state, data, batch_size
        )
    )(state, data)
    assert set(got) == {"loss", "accuracy"}
    assert float(got["loss"]) == pytest.approx(float(np.mean(losses)), rel=1e-6)
    assert float(got["accuracy"]) == pytest.approx(float(np.mean(metrics["accuracy"])), rel=1e-6)


def test_examples_of_weight_zero_do_not_count():
    net = Net()
    state, loss = start(net, optax.sgd(0.1))
    eval_step = training.make_eval_step(loss)
    data = examples(10)
    weighted = {**data, "weight": np.float32([1] * 6 + [0] * 4)}
    some = {name: values[:6] for name, values in data.items()}
    got = training.evaluate(eval_step, state, weighted, 4)
    want = training.evaluate(eval_step, state, some, 4)
    assert float(got["loss"]) == pytest.approx(float(want["loss"]), rel=1e-6)


def test_batch_size_must_be_positive():
    state, loss = start(Net(), optax.sgd(0.1))
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        training.evaluate(training.make_eval_step(loss), state, examples(4), 0)


@pytest.mark.parametrize("longer", ["image", "label"])
def test_arrays_of_other_lengths_are_refused(longer):
    """Their indices would be clipped to the last example."""
    state, loss = start(Net(), optax.sgd(0.1))
    data = {**examples(4), longer: examples(9)[longer]}
    with pytest.raises(ValueError, match="examples must have arrays of one length, .* 9"):
        training.evaluate(training.make_eval_step(loss), state, data, 2)
    with untyped(), pytest.raises(TypeError, match="examples must be a Mapping, got"):
        training.evaluate(training.make_eval_step(loss), state, tuple(data.values()), 2)


class Rows:
    """Pictures that are read when asked for."""

    def __init__(self, size, given=slice(None)):
        self.data, self.given = examples(size), given

    def __len__(self):
        return len(self.data["label"])

    def __getitem__(self, indices):
        return {name: values[indices][self.given] for name, values in self.data.items()}


class Tuples:
    """Rows that are no dict."""

    def __len__(self):
        return 8

    def __getitem__(self, indices):
        return (np.zeros(len(indices)),)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("sharded", [False, True])
def test_a_source_has_the_means_of_its_arrays(batch_size, sharded):
    state, loss = start(Net(rate=0.5, batch_norm=True), optax.sgd(0.1))
    eval_step, source = training.make_eval_step(loss), Rows(20)
    sharding = training.data_sharding() if sharded else None
    got = training.evaluate_source(eval_step, state, source, batch_size, sharding=sharding)
    want = training.evaluate(eval_step, state, source.data, batch_size)
    assert set(got) == {"loss", "accuracy"}
    for name, value in want.items():
        assert float(got[name]) == pytest.approx(float(value), rel=1e-6), name


def test_a_source_without_rows_or_with_too_few_is_refused():
    state, loss = start(Net(), optax.sgd(0.1))
    eval_step = training.make_eval_step(loss)
    with pytest.raises(ValueError, match="source has no examples"):
        training.evaluate_source(eval_step, state, Rows(0), 2)
    pairs = data.Split(**examples(4))
    for bad, message in (
        ({"source": pairs}, r"source must be a dict of arrays.*got a Split; give \._asdict"),
        ({"source": None}, "source must be a dict of arrays.*got a NoneType"),
        ({"source": Tuples()}, "what the examples give must be a Mapping, got"),
        ({"state": {}}, "state must be a TrainState, got {}"),
        ({"sharding": 3}, "sharding must be a NamedSharding, got 3"),
    ):
        with untyped(), pytest.raises(TypeError, match=message):
            arguments = {"state": state, "source": Rows(8), "batch_size": 4, **bad}
            training.evaluate_source(eval_step, **arguments)
    with untyped(), pytest.raises(TypeError, match="state must be a TrainState, got {}"):
        training.evaluate(eval_step, {}, examples(4), 2)
    with pytest.raises(ValueError, match=r"a row for each of 4 indices, got \{'image': 3"):
        training.evaluate_source(eval_step, state, Rows(8, slice(3)), 4)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        training.evaluate_source(eval_step, state, Rows(8), 0)
