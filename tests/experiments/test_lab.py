"""The laboratory: training sets drawn by each seed, and arms that are tuned and judged alike."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import lab
from experiments.engine import choice_variance
from experiments.engine._results import from_json, to_json
from jaxtricks import models, training

KEYS = jax.random.split(jax.random.key(0), 6)


@pytest.fixture(scope="module")
def digits():
    return lab.read("digits", pool=800, validation=200, test=100)


def test_sets_have_the_sizes_that_are_asked_for_and_share_no_image(digits):
    sizes = [len(some["label"]) for some in digits[:3]]
    assert sizes == [800, 200, 100] and digits.name == "digits"
    rows = np.concatenate([some["image"].reshape(-1, 64) for some in digits[:3]])
    again = lab.read("digits", pool=800, validation=200, test=100)
    chex.assert_trees_all_equal(digits.pool, again.pool)
    assert len(np.unique(rows, axis=0)) > 1090  # digits hold a few images twice


def test_a_set_that_is_not_prepared_is_digits(monkeypatch):
    monkeypatch.setattr(lab.images.data, "available", lambda name: False)
    assert lab.read("mnist", pool=20, validation=20, test=20).name == "digits"


def test_halved_images_are_means_of_four_pixels():
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1) * 4
    assert lab.images.halved(image)[0, :, :, 0].tolist() == [[10, 18], [42, 50]]


def test_splits_have_the_shares_that_are_asked_for():
    images = lab.split("digits", 500, validation=0.1, test=40)
    assert [len(some["label"]) for some in images[:3]] == [450, 50, 40]
    whole = lab.split("digits", 500, validation=0.1)
    chex.assert_trees_all_equal(images.pool, whole.pool)
    chex.assert_trees_all_equal(images.test["label"], whole.test["label"][:40])
    larger = lab.split("digits", 2000, digits_test=0.3).test["label"]
    assert len(whole.test["label"]) < len(larger) == 539


@pytest.mark.slow
def test_each_seed_draws_its_own_training_set(digits):
    draw = jax.jit(lambda key: lab.subset(key, digits.pool, 300, noise=0.5))
    first, second = draw(KEYS[0]), draw(KEYS[1])
    chex.assert_trees_all_equal(first, draw(KEYS[0]))
    assert not np.array_equal(first["image"], second["image"])
    pool = {row.tobytes(): label for row, label in zip(*digits.pool.values(), strict=True)}
    right = [
        pool[row.tobytes()] == label
        for row, label in zip(np.asarray(first["image"]), first["label"], strict=True)
    ]
    assert abs(np.mean(right) - 0.55) < 0.15  # a tenth of the random labels is right
    with pytest.raises(ValueError, match="count must be at most the 800 images of the pool, got"):
        lab.subset(KEYS[0], digits.pool, 801)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [3, 7, 14])
def test_a_stream_visits_every_example_once_an_epoch_whatever_the_batch(batch):
    order = lab.order_of(jax.random.key(0), 7, 42 // batch, batch)
    epochs = np.asarray(order.indices).reshape(6, 7)
    assert (np.sort(epochs, axis=1) == np.arange(7)).all()
    np.testing.assert_array_equal(epochs, np.asarray(lab.order_of(jax.random.key(0), 7, 6, 7)[0]))
    assert len(np.unique(epochs, axis=0)) > 1


def test_whole_batches_hold_the_examples_of_one_epoch():
    rows = np.asarray(lab.order_of(jax.random.key(0), 10, 6, 3, whole=True).indices)
    epochs = rows.reshape(2, 9)  # one of the 10 is left out of each
    assert [len(np.unique(epoch)) for epoch in epochs] == [9, 9]
    assert epochs[0].tolist() != epochs[1].tolist()


@pytest.mark.slow
def test_parts_are_looked_at_in_turn_and_end_as_one_does(digits):
    net = models.linear_model()
    ours = lab.trainer(net, lab.momentum_to_zero(0.1, steps=12))
    first = ours.init(lab.first_variables(net, KEYS[0], digits.pool))
    order = lab.order_of(KEYS[1], 800, 12, 32)

    def look(state, metrics):
        return state.step, metrics["loss"]

    def train(parts):
        return lab.train_in_parts(
            ours, first, digits.pool, order, key=KEYS[2], parts=parts, look=look
        )

    whole, (_, losses) = jax.jit(train, static_argnums=0)(1)
    state, (steps, of_parts) = jax.jit(train, static_argnums=0)(4)
    assert steps.tolist() == [3, 6, 9, 12] and of_parts.shape == (4, 3)
    np.testing.assert_allclose(of_parts.ravel(), losses.ravel(), rtol=1e-5)
    chex.assert_trees_all_close(state.params, whole.params, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_training_learns_and_looks_as_often_as_told(digits):
    net = models.MLP((16, 10))
    ours = training.trainer(
        training.classification_loss(net), lab.momentum_to_zero(0.1, steps=6 * 40)
    )

    @jax.jit
    def learn(key, examples):
        start = net.init(key, jnp.zeros((1, 8, 8, 1)), train=False)

        def look(state):
            return {"step": state.step, **lab.measure(ours, ours.variables(state), examples)}

        return lab.train(ours, start, examples, key=key, epochs=6, batch=20, look=look, every=2)

    state, looks = learn(KEYS[0], digits.pool)
    assert looks["step"].tolist() == [80, 160, 240] and int(state.step) == 240
    assert looks["error"][-1] < looks["error"][0] and looks["error"][-1] < 5


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(digits, tmp_path, monkeypatch):
    net = models.MLP((4, 10), dropout_rates=0.5)
    rule = lab.momentum_to_zero(0.1, steps=4 * 40)
    ours = training.trainer(training.classification_loss(net), rule)

    def begin(key):
        return ours.init(net.init(key, jnp.zeros((1, 8, 8, 1)), train=False))

    def advance(key, done, state, examples):
        options = {"epochs": 1, "batch": 20, "done": done}
        return lab.train(ours, state, examples, key=key, **options)[0]

    def resume(folder, keys=KEYS[:2], every=1):
        options = {"epochs": 4, "every": every, "shared": (digits.pool,)}
        return lab.resume(tmp_path / folder, begin, advance, keys, **options)

    def killed_in_the_third_save(*args, step, **options):
        if step == 3:
            raise KeyboardInterrupt
        return save(*args, step=step, **options)

    whole, save = resume("whole"), training.save
    (tmp_path / "killed" / "00000001.tmp").mkdir(parents=True)  # of a kill in the first save
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "save", killed_in_the_third_save)
        resume("killed")
    chex.assert_trees_all_equal(resume("killed"), whole)
    with pytest.raises(ValueError, match="configuration differs .* keys"):
        resume("killed", KEYS[2:4])
    with pytest.raises(ValueError, match="multiple of every, got 4 and 3"):
        resume("killed", every=3)

    @jax.jit
    def at_once(key, examples):
        return lab.train(ours, begin(key), examples, key=key, epochs=4, batch=20)[0]

    chex.assert_trees_all_close(
        whole.params,
        jax.tree.map(lambda *x: jnp.stack(x), *[at_once(k, digits.pool).params for k in KEYS[:2]]),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_rate_falls_to_zero_along_half_a_cosine():
    rule = lab.momentum_to_zero(0.1, steps=4, decay=0.0)

    def step(state, _):
        updates, state = rule.update(jnp.ones(()), state)
        return state, -updates

    _, rates = jax.lax.scan(step, rule.init(jnp.zeros(())), length=5)
    chex.assert_trees_all_close(rates, 0.05 + 0.05 * jnp.cos(jnp.pi * jnp.arange(5) / 4), atol=1e-8)


def test_a_model_that_diverged_has_the_worst_values():
    def loss(params, model_state, batch, keys, *, train):
        losses = jnp.full(batch["label"].shape, jnp.nan)
        return losses, (model_state, {"accuracy": jnp.zeros(losses.shape)})

    ours = training.trainer(loss, optax.sgd(1.0))
    examples = {"label": np.zeros(3, np.int32)}
    assert lab.measure(ours, {"params": jnp.zeros(())}, examples) == {"loss": 100.0, "error": 100.0}


@pytest.mark.slow
def test_arms_are_tuned_on_other_seeds_than_they_are_judged_on():
    def run(key, trial, shift):
        noise = jax.random.uniform(key)
        loss = (trial["rate"] - 0.3) ** 2 + 0.001 * noise + shift
        return {"validation error": loss, "noise": noise}

    trials = {"rate": np.array([1.0, 0.3, 0.2], np.float32)}
    arm = lab.tune(run, trials, tuning=KEYS[:2], judged=KEYS[2:], shared=(jnp.float32(2.0),))
    found = lab.best(from_json(to_json(arm)))
    assert found.best == 1 and found.tuning.shape == (3, 2) and found.trial["rate"] == 0.3
    np.testing.assert_allclose(
        found.tested["noise"], jax.vmap(jax.random.uniform)(KEYS[2:]), rtol=1e-5
    )
    assert choice_variance(lambda results: results["noise"], found) < 1e-20  # rounding
    every = lab.over(run, trials, KEYS, (jnp.float32(0.0),))
    assert every["noise"].shape == (3, 6)
    chex.assert_trees_all_equal(every["noise"][0], every["noise"][2])


@pytest.mark.slow
def test_trials_that_resampled_seeds_would_choose_are_judged_too():
    def run(key, trial):
        luck = jax.random.uniform(key)
        loss = jnp.where(trial["rate"] > 0, luck, 1 - luck)
        return {"validation error": loss, "value": trial["rate"]}

    trials = {"rate": np.array([-1.0, 1.0], np.float32)}
    found = lab.best(lab.tune(run, trials, tuning=KEYS[:3], judged=KEYS[3:]))
    assert sorted(found.others) == [0, 1]
    assert choice_variance(lambda results: results["value"], found) > 0


@pytest.mark.slow
def test_recipes_do_what_the_lecture_says(digits):
    large = lab.large_fully_connected((16, 16))
    small = lab.small_data((4, 4), patience=1)
    images = jnp.float32(digits.pool["image"][:20]) / 255

    @jax.jit
    def outputs(key):
        found = {}
        for name, recipe in (("large", large), ("small", small)):
            variables = recipe.model.init(key, images, train=False)
            options = {"train": True, "rngs": {"dropout": key}, "mutable": ["batch_stats", "masks"]}
            found[name] = recipe.model.apply(variables, images, **options)[1]
        kernel = {"kernel": jnp.full((2, 2), 9.0)}
        rule = large.rule(0.1, 10)
        steps, _ = rule.update({"kernel": jnp.zeros((2, 2))}, rule.init(kernel), kernel)
        return found, jnp.sum(optax.apply_updates(kernel, steps)["kernel"] ** 2, axis=0)

    found, squares = outputs(KEYS[0])
    shares = [jnp.mean(jnp.stack(jax.tree.leaves(m))) for m in found["large"]["masks"].values()]
    np.testing.assert_allclose(sorted(shares), [0.5, 0.5, 0.8], atol=0.12)
    np.testing.assert_allclose(squares, [9.0, 9.0], rtol=1e-5)
    assert "batch_stats" in found["small"] and small.stopping is not None


def test_equal_losses_are_chosen_alike_before_and_after_they_are_written():
    """The seven digits of a record make some losses equal that were not, and others unequal."""
    losses = np.array([[52.60000001], [52.6]])
    trials = {"rate": np.array([0.1, 0.2], np.float32)}

    def run(key, trial):
        return {"error": trial["rate"] + jax.random.uniform(key)}

    keys = jax.random.split(jax.random.key(0), 3)
    arm = lab.tested(run, trials, losses, judged=keys)
    found = lab.best(from_json(to_json(arm)))
    assert found.best == 0 and set(found.others) == set(map(int, arm["numbers"]))


def test_one_of_several_starts_is_the_start_of_that_number():
    starts = [jax.nn.initializers.constant(2.0), jax.nn.initializers.normal(1.0)]
    draw = jax.jit(lambda number: lab.one_of(starts, number)(KEYS[0], (3, 4), jnp.float32))
    for number, start in enumerate(starts):
        np.testing.assert_allclose(draw(number), start(KEYS[0], (3, 4), jnp.float32), rtol=1e-6)
