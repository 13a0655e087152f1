"""Every example counts once, whatever the batches."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import training
from tests.training.nets import Net, examples, start
from tests.untyped import untyped

NET = Net(rate=0.5, batch_norm=True)


@functools.cache
def begun():
    """A trainer of the net, and its first state."""
    return start(NET, optax.sgd(0.1))


@functools.cache
def losses_of_all():
    """The losses and the metrics of 20 examples in one batch."""
    _, state = begun()
    loss = training.classification_loss(NET)
    of_all = jax.jit(lambda data: loss(state.params, state.model_state, data, {}, train=False))
    losses, (_, metrics) = of_all(examples(20))
    return losses, metrics


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7, 16, 20, 100])
def test_means_do_not_depend_on_the_batches(batch_size):
    (trainer, state), data = begun(), examples(20)
    losses, metrics = losses_of_all()
    variables = trainer.variables(state)
    got = training.evaluate(trainer, variables, data, batch_size)
    inside = jax.jit(lambda v, data: training.evaluate(trainer, v, data, batch_size))
    chex.assert_trees_all_close(inside(variables, data), got, rtol=1e-6)
    assert set(got) == {"loss", "accuracy"}
    assert float(got["loss"]) == pytest.approx(float(np.mean(losses)), rel=1e-6)
    assert float(got["accuracy"]) == pytest.approx(float(np.mean(metrics["accuracy"])), rel=1e-6)


@pytest.mark.slow
def test_examples_of_weight_zero_do_not_count():
    trainer, state = start(Net(), optax.sgd(0.1))
    variables, data = trainer.variables(state), examples(10)
    weighted = {**data, "weight": np.float32([1] * 6 + [0] * 4)}
    some = {name: values[:6] for name, values in data.items()}
    got = training.evaluate(trainer, variables, weighted, 4)
    want = training.evaluate(trainer, variables, some, 4)
    assert float(got["loss"]) == pytest.approx(float(want["loss"]), rel=1e-6)


def test_batch_size_must_be_positive():
    trainer, state = start(Net(), optax.sgd(0.1))
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        training.evaluate(trainer, trainer.variables(state), examples(4), 0)


@pytest.mark.parametrize("longer", ["image", "label"])
def test_arrays_of_other_lengths_are_refused(longer):
    """Their indices would be clipped to the last example."""
    trainer, state = start(Net(), optax.sgd(0.1))
    data = {**examples(4), longer: examples(9)[longer]}
    with pytest.raises(ValueError, match="examples must have arrays of one length, .* 9"):
        training.evaluate(trainer, trainer.variables(state), data, 2)
    with untyped(), pytest.raises(TypeError, match="examples must be a dict of arrays, .* a tuple"):
        training.evaluate(trainer, trainer.variables(state), tuple(data.values()), 2)


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


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("sharded", [False, True])
def test_a_source_has_the_means_of_its_arrays(batch_size, sharded):
    trainer, state = begun()
    variables, source = trainer.variables(state), Rows(20)
    sharding = training.data_sharding() if sharded else None
    got = training.evaluate(trainer, variables, source, batch_size, sharding=sharding)
    want = training.evaluate(trainer, variables, source.data, batch_size, sharding=sharding)
    assert set(got) == {"loss", "accuracy"}
    for name, value in want.items():
        assert float(got[name]) == pytest.approx(float(value), rel=1e-6), name


def test_a_source_without_rows_or_with_too_few_is_refused():
    trainer, state = start(Net(), optax.sgd(0.1))
    variables = trainer.variables(state)
    for bad, message in (
        ({"examples": None}, "examples must be a dict of arrays.*got a NoneType"),
        ({"examples": Tuples()}, "examples.indices. must be a Mapping, got"),
        ({"variables": state}, "variables must be a Mapping, got a TrainState"),
        ({"sharding": 3}, "sharding must be a NamedSharding, got 3"),
        ({"trainer": state}, "trainer must be a Trainer, got a TrainState"),
    ):
        arguments = {"trainer": trainer, "variables": variables, "examples": Rows(8), **bad}
        with untyped(), pytest.raises(TypeError, match=message):
            training.evaluate(**arguments, batch_size=4)
    for size, given, message in (
        (0, slice(None), "examples must not be empty"),
        (8, slice(3), r"a row for each of 4 indices, got \{'image': 3"),
    ):
        with pytest.raises(ValueError, match=message):
            training.evaluate(trainer, variables, Rows(size, given), 4)
    wrong: dict = {"weights": 1.0, 3: 2.0}
    named = r"variables must hold \"params\", got \['3', 'weights'\]"
    for use in (training.evaluate, training.predict):
        with untyped(), pytest.raises(ValueError, match=named):
            use(trainer, wrong, examples(4), 2)


@pytest.mark.slow
def test_a_trainer_made_inside_a_program_is_not_kept():
    """A cache of it would hold the tracers that its loss closes over."""

    @jax.jit
    def smoothed(smoothing, variables, some):
        loss = training.classification_loss(Net(), label_smoothing=smoothing)
        trainer = training.trainer(loss, optax.sgd(0.1))
        return training.evaluate(trainer, variables, some, 4)["loss"]

    trainer, state = start(Net(), optax.sgd(0.1))
    variables = trainer.variables(state)
    with jax.checking_leaks():
        got = smoothed(0.0, variables, examples(8))
    want = training.evaluate(trainer, variables, examples(8), 4)["loss"]
    assert float(got) == pytest.approx(float(want), rel=1e-6)


@pytest.mark.parametrize("made", [examples, Rows], ids=["arrays", "source"])
def test_means_of_whole_numbers_are_not_whole(made):
    """A trainer of one's own may count in whole numbers; of a source the mean was cut to one."""
    ours, state = start(Net(), optax.sgd(0.1))

    def counting(variables, batch):
        present = batch["weight"] != 0
        right = jnp.sum(present & (batch["label"] == 0), dtype=jnp.int32)
        return {"loss": right.astype(jnp.float32), "right": right, "weight": jnp.sum(present)}

    ours = ours._replace(evaluate=counting)
    means = training.evaluate(ours, ours.variables(state), made(48), batch_size=20)
    assert float(means["right"]) == pytest.approx(1 / 3)
    assert float(means["loss"]) == pytest.approx(1 / 3)
