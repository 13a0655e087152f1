"""Law 9: an example of weight 0 has no influence, whatever its label or pixels hold."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models, normalization, optimizers, training
from jaxtricks.data import epoch_order
from jaxtricks.models import batch_norm_block

KEY = jax.random.key(3)
CLOSE = {"rtol": 2e-5, "atol": 2e-6}
TX = optimizers.momentum(0.1, decay=0.9)
MODELS = {
    "mlp": lambda **o: models.MLP((8, 3)),
    "batch_norm_mlp": lambda **o: models.MLP(
        (8, 3), block=functools.partial(batch_norm_block, **o)
    ),
    "deep_mlp": lambda **o: models.deep_mlp(
        2, width=6, classes=3, block=functools.partial(batch_norm_block, **o)
    ),
    "small_cnn": lambda **o: models.SmallCNN((4,), 8, classes=3, batch_norm=True, **o),
    "resnet": lambda **o: models.ResNet(depth=8, width=2, classes=3, **o),
    "sequential": lambda **o: models.Sequential(
        [models.flatten, nn.Dense(8), normalization.BatchNorm(**o), nn.relu, nn.Dense(3)]
    ),
    "own_block": lambda **o: models.MLP((8, 3), block=own_block),
}


LONG = ("deep_mlp", "small_cnn", "resnet")  # to compile


def own_block(hidden):
    """A block of the caller's own, whose layers take no mask."""
    return [nn.Dense(hidden.features), hidden.activation]


def present(size=8):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(size, 4, 4, 1)).astype(np.float32)
    weight = np.linspace(0.5, 1.5, size, dtype=np.float32)
    return {"image": image, "label": np.arange(size) % 3, "weight": weight}


def with_absent(batch, places, label, pixel):
    """The batch with further examples of weight 0 at these places."""
    size = len(batch["label"]) + len(places)
    rest = np.setdiff1d(np.arange(size), places)
    image = np.full((size, *batch["image"].shape[1:]), pixel, np.float32)
    labels, weight = np.full(size, label), np.zeros(size, np.float32)
    image[rest], labels[rest], weight[rest] = batch["image"], batch["label"], batch["weight"]
    return {"image": image, "label": labels, "weight": weight}


WRONG = [(-1, np.nan), (255, np.inf), (2**31 - 1, -np.inf), (2**40, 1e30)]
PLACES = np.array([0, 1, 5, 8, 9, 12, 14, 15])


@functools.cache
def made(name, **options):
    net = MODELS[name](**({"axis_name": options["axis_name"]} if "axis_name" in options else {}))
    trainer = training.trainer(training.classification_loss(net), TX, **options)
    start = jax.jit(lambda: MODELS[name]().init(KEY, jnp.zeros((2, 4, 4, 1)), train=False))()
    compiled = training.pmap_step if "axis_name" in options else training.jit_step
    return trainer, trainer.init(start), compiled(trainer)


def copy(tree):
    return jax.tree.map(jnp.copy, tree)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in LONG else ()) for n in MODELS],
)
@pytest.mark.parametrize("label, pixel", WRONG)
def test_a_step_does_not_see_them(name, label, pixel):
    trainer, state, step = made(name)
    want = step(copy(state), present(), KEY)
    got = step(copy(state), with_absent(present(), PLACES, label, pixel), KEY)
    chex.assert_trees_all_close(got, want, **CLOSE)
    assert int(got[1]["non_finite"]) == 0 and np.isfinite(got[1]["loss"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequential"])
@pytest.mark.parametrize("label, pixel", WRONG)
def test_evaluation_does_not_see_them(name, label, pixel):
    trainer, state, _ = made(name)
    variables, some = trainer.variables(state), present()
    want = training.evaluate(trainer, variables, some, 3)
    got = training.evaluate(trainer, variables, with_absent(some, PLACES, label, pixel), 3)
    chex.assert_trees_all_close(got, want, **CLOSE)
    got, want = (
        jax.jit(lambda variables, batch=batch: trainer.evaluate(variables, batch))(variables)
        for batch in (with_absent(some, PLACES, label, pixel), some)
    )
    chex.assert_trees_all_close(got, want, **CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequential"])
def test_parts_and_devices_do_not_see_them(name):
    """Parts have as many present examples as without, so batch norm sees the same."""
    some, label, pixel = present(), *WRONG[0]
    parts = with_absent(some, np.array([1, 2, 3, 4, 8, 9, 14, 15]), label, pixel)
    for make, options in (
        (training.jit_step, {"accumulate": 2}),
        (training.pmap_step, {"axis_name": "devices"}),
        (lambda t: training.shard_step(t, training.data_sharding()), {"rng_streams": ("other",)}),
    ):
        trainer, state, _ = made(name, **options)
        step = make(trainer)
        got, want = (step(copy(state), batch, KEY) for batch in (parts, some))
        chex.assert_trees_all_close(got, want, **CLOSE)


def whole_runs(trainer, state, examples):
    """What an epoch, a run and a fit give."""
    order = epoch_order(KEY, len(examples["label"]), len(examples["label"]), order="cyclic")
    size = {"batch_size": len(examples["label"]), "epochs": 2, "key": KEY}
    epoch = training.train_epoch(trainer, state, examples, order, key=KEY)
    run = training.run(trainer, state, examples, examples, **size)
    ends = [
        training.fit(trainer, state, examples, examples, loop=loop, progress=False, **size)
        for loop in ("scan", "host")
    ]
    records = [[r | {"seconds": 0} for r in end.history] for end in ends]
    return epoch, run.state, run.validation, [end.state for end in ends], records


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequential"])
def test_whole_runs_do_not_see_them(name):
    trainer, state, _ = made(name)
    label, pixel = WRONG[0]
    wrong = with_absent(present(), PLACES, label, pixel)
    got = whole_runs(trainer, state, wrong)
    chex.assert_trees_all_close(got, whole_runs(trainer, state, present()), **CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small_cnn"])
def test_a_batch_of_none_leaves_the_model_as_it_is(name):
    net = MODELS[name]()
    trainer = training.trainer(training.classification_loss(net), optimizers.gradient_descent(1.0))
    _, state, _ = made(name)
    state = trainer.init(trainer.variables(state))
    absent = {**present(), "weight": np.zeros(8), "image": np.full((8, 4, 4, 1), np.nan)}
    after, metrics = jax.jit(trainer.step)(state, absent, KEY)
    chex.assert_trees_all_equal(trainer.variables(after), trainer.variables(state))
    assert float(metrics["loss"]) == 0 and int(metrics["non_finite"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("mask", [None, "example_mask"])
def test_other_models_count_present_examples_only(mask):
    """A model without a mask sees the first present example again, one with a mask none."""

    class Other(nn.Module):
        def norm(self, x, train, mask):
            given = None if mask is None else mask[:, None]
            return nn.BatchNorm(use_running_average=not train)(x, mask=given)

    class WithMask(Other):
        @nn.compact
        def __call__(self, x, *, train, example_mask=None):
            return nn.Dense(3)(self.norm(models.flatten(x), train, example_mask))

    class Without(Other):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dense(3)(self.norm(models.flatten(x), train, None))

    net = Without() if mask is None else WithMask()
    trainer = training.trainer(training.classification_loss(net), optax.sgd(0.1))
    state = trainer.init(net.init(KEY, jnp.zeros((2, 4, 4, 1)), train=False))
    some = present()
    got, _ = jax.jit(trainer.step)(state, with_absent(some, PLACES, -1, np.nan), KEY)
    rows = some["image"].reshape(8, -1)
    if mask is None:
        rows = np.concatenate([rows, np.repeat(rows[:1], len(PLACES), axis=0)])
    want = {"mean": 0.01 * rows.mean(0), "var": 0.99 + 0.01 * rows.var(0)}
    chex.assert_trees_all_close(got.model_state["batch_stats"]["BatchNorm_0"], want, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", [np.float16, jnp.bfloat16, np.float64, np.int8, np.int32, np.int64, bool]
)
def test_weights_of_any_dtype_are_the_same_numbers(dtype):
    """Sums over them are float32: 8 times 60,000 has no place in float16."""
    scale = {np.float16: 60_000, np.int32: 2**30, np.int64: 2**30, np.int8: 100}.get(dtype, 1)
    weight = np.array([1, 0, 1, 1, 1, 1, 1, 1]) * scale
    trainer, state, step = made("sequential")
    some = {**present(), "weight": weight.astype(np.float32)}
    want = step(copy(state), some, KEY)
    variables = trainer.variables(state)
    for wrap in (np.asarray, jnp.asarray):
        if wrap is jnp.asarray and dtype in (np.float64, np.int64):
            continue
        given = {**some, "weight": wrap(weight.astype(dtype))}
        chex.assert_trees_all_close(step(copy(state), given, KEY), want, **CLOSE)
        means = training.evaluate(trainer, variables, given, 3)
        chex.assert_trees_all_close(means, training.evaluate(trainer, variables, some, 3))
        order = epoch_order(KEY, 8, 8, order="cyclic")
        _, metrics = training.train_epoch(trainer, state, given, order, key=KEY)
        assert float(metrics["weight"][0]) == 7 * scale


def standardized(images):
    """Each image by its own deviation, which has no derivative at a constant image."""
    axes = tuple(range(1, images.ndim))
    return images / jnp.std(images, axes, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("absent", [range(8), range(4, 8)])
@pytest.mark.parametrize("how", ["jit", "pmap"])
def test_a_share_of_none_has_no_gradient(how, absent):
    """However undefined that of what stands in the place of its rows is."""

    class Scaled(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return nn.Dense(3)(standardized(nn.Dense(4)(x.reshape(len(x), -1))))

    net, some = Scaled(), present()
    some["weight"][list(absent)] = 0
    plain = training.trainer(training.classification_loss(net), TX)
    start = net.init(KEY, some["image"], train=False)
    want, _ = jax.jit(plain.step)(plain.init(start), some, KEY)
    loss = training.classification_loss(net, preprocess=standardized)
    trainers = {
        "jit": training.trainer(loss, TX),
        "pmap": training.trainer(training.classification_loss(net), TX, axis_name="devices"),
    }
    step = {"jit": training.jit_step, "pmap": training.pmap_step}[how](trainers[how])
    got, metrics = step(trainers[how].init(copy(start)), some, KEY)
    assert int(metrics["non_finite"]) == 0
    if how == "pmap":
        chex.assert_trees_all_close(got.params, want.params, **CLOSE)
    elif len(absent) == 8:
        chex.assert_trees_all_equal(got.params, start["params"])
