"""Each mistake is one clear error before anything is compiled."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks.control import early_stopping, keep_best, plateau
from jaxtricks.training import classification_loss, data_sharding, fit, trainer
from jaxtricks.training import run as training_run
from tests.training.small_run import examples, parts
from tests.untyped import untyped

TRAIN = examples(24, 0)
KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def _no_compilation(monkeypatch):
    """Nothing is compiled that takes more than a scalar or a key."""
    monkeypatch.setattr(
        "jaxtricks.training.loop._fit.first_position", lambda *_: pytest.fail("it ran")
    )


@pytest.fixture(scope="module")
def model():
    return parts()


def run(model, **changes):
    ours, state = model
    settings = {
        "trainer": ours,
        "state": state,
        "train": TRAIN,
        "validation": TRAIN,
        "key": jax.random.key(0),
        "epochs": 1,
        "batch_size": 8,
        "progress": False,
        **changes,
    }
    return fit(**settings)


def with_labels(*labels):
    return {**TRAIN, "label": np.resize(np.array(labels, np.int32), 24)}


def with_images(images):
    return {**TRAIN, "image": images}


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"train": with_labels(0, 3)}, ValueError, "label"),
        ({"train": with_labels(0, -1)}, ValueError, "label"),
        ({"train": with_images(np.zeros((24, 4), np.uint8))}, ValueError, "image"),
        (
            {"train": with_images(np.zeros((24, 4, 4, 1), np.int32))},
            (TypeError, ValueError),
            "image",
        ),
        (
            {"train": with_images(np.full((24, 4, 4, 1), np.nan, np.float32))},
            ValueError,
            "image",
        ),
        ({"train": {}}, ValueError, "train must have arrays of one length"),
        ({"validation": examples(0, 0)}, ValueError, "validation must not be empty"),
        ({"train": tuple(TRAIN.values())}, TypeError, "train must be a dict of arrays.*a tuple"),
        ({"batch_size": 25}, ValueError, "batch_size must be at most the 24 examples, got 25"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"save_every": 0}, ValueError, "save_every must be at least 1"),
        ({"batch_size": 7, "sharding": True}, ValueError, "7 examples cannot be divided among 2"),
        ({"monitor": "error"}, ValueError, r"monitor must be .*'accuracy', 'loss'.*'error'"),
        (
            {"monitor": "accuracy", "stopping": early_stopping(1)},
            ValueError,
            "stopping must have mode='max' for monitor='accuracy', got 'min'",
        ),
        ({"plateau": plateau(mode="max")}, ValueError, "plateau must have mode='min'"),
        ({"stopping": keep_best(mode="max")}, ValueError, "stopping must have mode='min'"),
        (
            {"train": {**TRAIN, "weight": np.zeros(24)}},
            ValueError,
            "train must have a weight above",
        ),
        ({"resume": True}, ValueError, "folder must be given for resume=True"),
        (
            {"configuration": {"a": 1}},
            ValueError,
            "folder must be given for configuration={'a'",
        ),
        ({"tensorboard": True}, ValueError, "folder must be given for tensorboard=True"),
    ],
)
def test_what_is_wrong_is_named(model, changes, error, message):
    if "sharding" in changes:
        changes = {**changes, "sharding": data_sharding()}
    with pytest.raises(error, match=message):
        run(model, classes=3, **changes)


def test_a_split_with_a_mistake_is_named(model):
    with pytest.raises(ValueError) as error:
        run(model, classes=3, validation=with_labels(0, 3))
    assert error.value.__notes__[-1:] == ["This is in `validation`."]


def test_a_source_needs_the_host_loop(model):
    class Rows:
        def __len__(self):
            return 24

        def __getitem__(self, indices):
            return {name: values[indices] for name, values in TRAIN.items()}

    with pytest.raises(TypeError, match='train must be a dict of arrays for loop="scan"'):
        run(model, train=Rows(), loop="scan")


def test_devices_that_cannot_share_a_mapped_batch():
    model = parts(axis_name="devices")
    with pytest.raises(ValueError, match="7 examples cannot be divided among 2"):
        run(model, batch_size=7)
    for options in ({"loop": "scan"}, {"sharding": data_sharding()}):
        with pytest.raises(ValueError, match="axis_name='devices' runs under pmap"):
            run(model, **options)


def test_a_missing_rng_stream():
    model = parts(rng_streams=())
    with pytest.raises(Exception, match='"dropout"') as error:
        run(model)
    assert "rng_streams" in error.value.__notes__[-1]


def test_a_model_without_train():
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(x.reshape(len(x), -1))

    ours = trainer(classification_loss(Plain()), optax.sgd(0.1))
    state = ours.init(Plain().init(jax.random.key(0), jnp.zeros((1, 4, 4, 1))))
    with pytest.raises(TypeError, match="train") as error:
        run((ours, state))
    assert "take `train` by keyword" in error.value.__notes__[-1]


def test_a_state_that_the_step_changes_the_tree_of(model):
    ours, state = model

    def grown(state, batch, key):
        state, metrics = ours.step(state, batch, key)
        params = {**state.params, "extra": jnp.zeros(3)}
        return type(state)(
            state.step, params, state.model_state, state.opt_state, state.learning_rate_scale
        ), metrics

    with pytest.raises(ValueError, match=r"'extra'.* is missing before and float32\[3\] after"):
        run((ours._replace(step=grown), state))


def test_a_state_that_is_none(model):
    ours, state = model
    with pytest.raises(TypeError, match=r"state"):
        run((ours, {"params": state.params}))


def test_a_step_without_diagnostics(model):
    with pytest.raises(ValueError, match="diagnostics=True"):
        run(parts(diagnostics=False))


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"key": 0}, "key must be a typed key such as jax.random.key"),
        ({"on_epoch": 3}, "on_epoch must be a function, got 3"),
        ({"configuration": "rate"}, "configuration must be a Mapping, got 'rate'"),
        ({"plateau": plateau}, "plateau must be .*, got <function plateau"),
        ({"stopping": early_stopping}, "stopping must be .*, got <function early_stopping"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_wrong_kinds_reach_the_loop_of_an_untyped_caller(model, changes, match):
    with untyped(), pytest.raises(TypeError, match=match):
        run(model, **changes)


@pytest.mark.slow
def test_the_state_of_another_rule_is_named_by_its_first_leaf(model):
    ours, state = model
    for tx in (optax.sgd(0.1), optax.sgd(0.1, momentum=0.9), optax.rmsprop(0.1)):
        wrong = trainer(lambda *_, train: None, tx).init(ours.variables(state))
        with pytest.raises(ValueError, match=r"state\.opt_state\S* is (missing|not in it)"):
            run((ours, wrong))
    stateless = dataclasses.replace(state, opt_state=())
    with pytest.raises(ValueError, match=r"state\.opt_state\S* is missing"):
        run(model, state=stateless)
    with pytest.raises(ValueError, match=r"start\.opt_state\S* is missing"):
        training_run(model[0], stateless, TRAIN, TRAIN, key=KEY, epochs=1, batch_size=8)
    longer = dataclasses.replace(
        state, opt_state=jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state.opt_state)
    )
    with pytest.raises(ValueError, match=r"state\.opt_state\S* must have the shape of what this"):
        run(model, state=longer)
