"""Numbers that JAX would change on their way to the device, and sums that float32 would lose."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, data, training
from tests.training.nets import Net, examples, start
from tests.training.test_evaluate import Rows
from tests.training.test_losses import Echo
from tests.untyped import untyped

KEY = jax.random.key(0)
BAD = {
    "label": (np.arange(48, dtype=np.int64) + 2**32, r"label must fit into int32, .* got 42949\d+"),
    "image": (np.full((48, 4, 3, 1), 1e39), r"image must fit into float32, .* got 1e\+39 in"),
    "weight": (np.full(48, 1e39), r"weight must (fit into float32|have a sum)"),
    "time": (
        np.full(48, 2**63, np.uint64),
        r"time must fit into uint32, .* got 9223372036854775808",
    ),
}


class Read(Rows):
    """A source of these examples."""

    def __init__(self, data):
        self.data, self.given = data, slice(None)


def batch_of(some):
    return {name: values[:8] for name, values in some.items()}


def first_of_stream(some):
    options = {"key": KEY, "batch_size": 8, "epochs": 1}
    return next(data.stream(some, **options))


def epoch(trainer, state, some):
    order = data.epoch_order(KEY, 48, 8)
    return training.train_epoch(trainer, state, some, order, key=KEY)


SIZES = {"key": KEY, "epochs": 1, "batch_size": 8}
USES = {
    "check": lambda t, s, some: data.check_examples(some),
    "take": lambda t, s, some: data.take_batch(some, np.arange(8), np.ones(8, np.float32)),
    "take_on_device": lambda t, s, some: data.take_batch(some, jnp.arange(8), jnp.ones(8)),
    "stream": lambda t, s, some: first_of_stream(some),
    "stream_source": lambda t, s, some: first_of_stream(Read(some)),
    "place": lambda t, s, some: training.place_batch(some, training.data_sharding()),
    "step": lambda t, s, some: t.step(s, batch_of(some), KEY),
    "jit_step": lambda t, s, some: training.jit_step(t)(s, batch_of(some), KEY),
    "shard_step": lambda t, s, some: training.shard_step(t, training.data_sharding())(
        s, batch_of(some), KEY
    ),
    "pmap_step": lambda t, s, some: training.pmap_step(
        start(Net(), optax.sgd(0.1), axis_name="i")[0]
    )(s, batch_of(some), KEY),
    "batch": lambda t, s, some: t.evaluate(t.variables(s), batch_of(some)),
    "loss": lambda t, s, some: training.classification_loss(Net())(
        s.params, {}, batch_of(some), {}, train=False
    ),
    "evaluate": lambda t, s, some: training.evaluate(t, t.variables(s), some, 8),
    "evaluate_source": lambda t, s, some: training.evaluate(t, t.variables(s), Read(some), 8),
    "predict": lambda t, s, some: training.predict(t, t.variables(s), some, 8),
    "predict_batch": lambda t, s, some: t.predict(t.variables(s), batch_of(some)),
    "epoch": epoch,
    "run": lambda t, s, some: training.run(t, s, some, some, **SIZES),
    "fit": lambda t, s, some: training.fit(t, s, some, some, **SIZES, progress=False),
    "fit_validation": lambda t, s, some: training.fit(
        t, s, examples(), some, **SIZES, progress=False
    ),
    "fit_source": lambda t, s, some: training.fit(t, s, Read(some), some, **SIZES, progress=False),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("use", USES)
def test_a_number_that_jax_would_change_is_refused_wherever_it_comes_in(use, name):
    """As int32 the label 2^32 is the class 0."""
    values, match = BAD[name]
    trainer, state = start(Net(), optax.sgd(0.1))
    with pytest.raises(ValueError, match=match):
        USES[use](trainer, state, {**examples(), name: values})


@pytest.mark.slow
@pytest.mark.parametrize("use", sorted(set(USES) - {"place"}))
def test_it_may_stand_in_an_example_of_weight_zero(use):
    trainer, state = start(Net(), optax.sgd(0.1))
    label = np.where(np.arange(48) % 2, 2**40, examples()["label"])
    weight = np.float32(np.arange(48) % 2 == 0)
    USES[use](trainer, state, {**examples(), "label": label, "weight": weight})


def test_long_labels_are_out_of_range_where_jax_has_them():
    with jax.enable_x64(True):
        labels, logits = jnp.array([2**32, 1]), jnp.zeros((2, 4))
        assert labels.dtype == jnp.int64
        rows = jax.jit(lambda labels: data.one_hot(labels, 4))(labels)
        assert rows.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
        loss = training.classification_loss(Echo())
        batch = {"image": logits, "label": labels}
        losses, _ = jax.jit(lambda batch: loss({}, {}, batch, {}, train=False))(batch)
        assert np.isnan(losses).tolist() == [True, False]


@pytest.mark.slow
def test_a_mean_over_many_batches_is_that_of_float64():
    """One after another, 60,000 float32 numbers were off by 6e-4."""

    def loss(params, model_state, batch, keys, *, train):
        return batch["x"] + params, (model_state, {})

    trainer, x = training.trainer(loss, optax.sgd(0.1)), np.random.default_rng(0).random(60_000)
    x, variables = x.astype(np.float32), {"params": jnp.zeros(())}
    want = x.astype(np.float64).mean()
    got = training.evaluate(trainer, variables, {"x": x}, 1)["loss"]
    assert float(got) == pytest.approx(want, rel=3e-7)
    state = trainer.init(variables)
    order = data.epoch_order(KEY, 60_000, 1)
    still = training.trainer(loss, optax.sgd(0.0))
    metrics = jax.jit(lambda s: training.train_epoch(still, s, {"x": x}, order, key=KEY)[1])(state)
    assert float(training.mean_over_steps(metrics)["loss"]) == pytest.approx(want, rel=3e-7)


@pytest.mark.slow
def test_weights_add_up_beyond_16_million():
    """To a float32 of 2^24 nothing is added by 1."""
    steps = {"loss": jnp.ones(2**24 + 8), "weight": jnp.ones(2**24 + 8)}
    assert float(training.mean_over_steps(steps)["weight"]) == 2**24 + 8


def test_a_metric_is_compared_in_float32():
    """What is documented: from one observation to the next it has to change by 6e-8 of itself."""
    for rule in (
        control.early_stopping(1, keep_best=False),
        control.plateau(patience=1, threshold=0.0),
    ):
        state = rule.init()
        for value in (100_000_001.0, 100_000_000.0, 99_999_992.0):
            _, state = rule.update(value, state)
        assert float(state.best_value) == 99_999_992.0


NESTED = {
    "dict": (lambda x: {"a": {"b": x}}, r"a\['b'\] must fit into int32, .* got 4294967296 in exam"),
    "list": (lambda x: {"a": [x, x]}, r"a\[0\] must fit into int32, .* example 0"),
    "beside": (lambda x: {"weight": np.ones(2, np.float32), "a": {"b": x}}, r"a\['b'\] must fit"),
}


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("use", ["place", "step", "jit_step", "evaluate"])
def test_numbers_deep_in_a_batch_are_refused_too(use, name):
    """They went around, so that 2^32 arrived as 0."""
    make, match = NESTED[name]
    trainer, state = start(Net(), optax.sgd(0.1))
    batch = make(np.array([2**32, 1]))
    uses = {
        "place": lambda: training.place_batch(batch, training.data_sharding()),
        "step": lambda: trainer.step(state, batch, KEY),
        "jit_step": lambda: training.jit_step(trainer)(state, batch, KEY),
        "evaluate": lambda: trainer.evaluate(trainer.variables(state), batch),
    }
    with untyped(), pytest.raises(ValueError, match=match):
        uses[use]()


def test_a_batch_that_is_no_dict_is_looked_through():
    whole = training.data_sharding(jax.devices()[:1])
    for batch in (np.array([2**32]), (np.array([0]), np.array([2**32]))):
        with pytest.raises(ValueError, match=r"batch(\[1\])? must fit into int32"):
            training.place_batch(batch, whole)


def test_a_large_number_for_all_examples_is_refused():
    batch = {"x": np.ones(2, np.float32), "zoom": np.array(1e39), "weight": np.array([1, 0])}
    trainer, state = start(Net(), optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"zoom must fit into float32, .* got 1e\+39"):
        trainer.step(state, batch, KEY)
