"""What a step spoils is seen in that step; what is not trained is not looked at."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging, optimizers, training
from jaxtricks.training._non_finite import norm

KEY = jax.random.key(0)
X = {"x": jnp.array([1.0, 2.0, 3.0])}


def plain(params, model_state, batch, keys, *, train):
    return (params["w"] * batch["x"]) ** 2, (model_state, {})


def step_of(loss, tx, model_state=None, params=None, **options):
    trainer = training.trainer(loss, tx, rng_streams=(), **options)
    state = trainer.init({"params": params or {"w": jnp.ones(())}, **(model_state or {})})
    return trainer, state, jax.jit(trainer.step)


def spoiling(place, bad, size):
    """A rule that keeps arrays and does no more than spoil one entry in the third step."""

    def init(params):
        best = jnp.full(size, jnp.inf)
        return {"count": jnp.zeros((), jnp.int32), "m": jnp.zeros(size), "best": best, "key": KEY}

    def update(updates, state, params=None, **extra_args):
        count = state["count"] + 1
        spoiled = jnp.where(count == 3, bad, 1.0)
        if size == () or place == "m":
            state = {**state, place: state[place].at[(0,) * len(size)].set(spoiled)}
        return jax.tree.map(lambda u: -0.01 * u, updates), {**state, "count": count}

    return optax.GradientTransformationExtraArgs(init, update)


@pytest.mark.slow
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
@pytest.mark.parametrize("size", [(), (3,), (40, 30)])
def test_the_rules_state_is_watched_from_what_it_was(bad, size):
    """It may begin with infinities, in arrays of up to 1,024 entries."""
    tx = spoiling("m", bad, size)
    if size == (40, 30):
        tx = optax.chain(spoiling("m", bad, size))
    _, state, step = step_of(plain, tx)
    if size == (40, 30):
        state.opt_state[0]["best"] = jnp.zeros(size)
    seen = []
    for _ in range(4):
        state, metrics = step(state, X, KEY)
        seen.append(int(metrics["non_finite"]))
    assert seen[:3] == [0, 0, 1]


def counting(params, model_state, batch, keys, *, train):
    """A model whose running variance overflows in the second step."""
    seen = model_state["stats"]["var"]
    return (params["w"] * batch["x"]) ** 2, ({"stats": {"var": seen * 1e30}}, {})


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["scan", "host"])
def test_fit_ends_at_the_step_that_spoils_the_models_state(loop):
    """It used to go on for ever with a running variance of infinity."""
    model_state = {"stats": {"var": jnp.ones(3)}}
    trainer, state, _ = step_of(counting, optax.sgd(0.01), model_state)
    data = {"x": np.ones(12, np.float32)}
    options = {"key": KEY, "epochs": 2, "batch_size": 3, "progress": False, "loop": loop}
    with pytest.raises(training.NonFiniteError) as caught:
        training.fit(trainer, state, data, data, **options)
    assert caught.value.step == 1
    assert caught.value.path == ".model_state['stats']['var']"
    assert np.all(np.isfinite(caught.value.state.model_state["stats"]["var"]))


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["scan", "host"])
def test_a_rule_that_overflows_is_named_with_the_state_before(loop):
    """Adam's second moment of a gradient of 1e20 is infinite, and its updates are then 0."""

    def steep(params, model_state, batch, keys, *, train):
        return params["w"] * batch["x"], (model_state, {})

    trainer, state, _ = step_of(steep, optax.adam(0.1))
    data = {"x": np.float32([1, 1, 1e20, 1])}
    options = {"key": KEY, "epochs": 1, "batch_size": 1, "progress": False, "loop": loop}
    with pytest.raises(training.NonFiniteError, match=r"first in \.opt_state\[0\]\.nu\['w'\]") as e:
        training.fit(trainer, state, data, {"x": np.ones(2, np.float32)}, **options)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(e.value.state.opt_state))
    assert int(e.value.state.step) == e.value.step


@pytest.mark.slow
def test_penalty_average_and_weights_are_watched():
    tx, infinite = optax.sgd(0.0), {"x": jnp.ones(4), "weight": jnp.full(4, 1e38)}
    _, state, step = step_of(plain, tx, penalty=lambda p: jnp.log(p["w"] - 1))
    assert int(step(state, X, KEY)[1]["non_finite"]) > 0
    _, state, step = step_of(plain, tx)
    metrics = step(state, infinite, KEY)[1]
    assert np.isnan(metrics["loss"]) and int(metrics["non_finite"]) > 0
    assert int(step(state, {**X, "weight": jnp.array([1, jnp.nan, 0])}, KEY)[1]["non_finite"]) > 0
    overflowing = averaging.Averager(lambda p: p, lambda p, state: (p, {"w": state["w"] * 1e30}))
    trainer = training.trainer(plain, tx, averager=overflowing, rng_streams=())
    state = trainer.init({"params": {"w": jnp.ones(())}})
    seen = []
    for _ in range(2):
        state, metrics = jax.jit(trainer.step)(state, X, KEY)
        seen.append(int(metrics["non_finite"]))
    assert seen == [0, 1]


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1e-30, 1e-19, 1.0, 1e18, 1e20, 1e38])
def test_the_norm_is_that_of_float64(scale):
    tree = {"a": jnp.array([3.0, -2.0]) * scale, "b": jnp.array([[1.0]], jnp.bfloat16) * scale}
    exact = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)]
    want = np.linalg.norm(np.concatenate(exact))
    if want > np.finfo(np.float32).max:
        want = np.inf
    np.testing.assert_allclose(jax.jit(norm)(tree), want, rtol=1e-6)


def test_the_norm_of_what_is_not_finite_is_not():
    assert np.isnan(norm({"a": jnp.array([jnp.nan, jnp.inf, 1.0])}))
    assert np.isinf(norm({"a": jnp.array([-jnp.inf, 1.0])}))
    assert float(norm({})) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "trainable", [{"body": False, "head": True}, lambda p: {name: name == "head" for name in p}]
)
def test_what_is_not_trained_takes_no_part(trainable):
    """As in PyTorch: clipping by the norm of all gradients leaves -0.5 of the head's."""
    params = {"body": jnp.ones(2), "head": jnp.ones(())}

    def loss(params, model_state, batch, keys, *, train):
        return 50 * jnp.sum(params["body"]) + 0.5 * params["head"] + batch["x"], (model_state, {})

    clip = optax.clip_by_global_norm(1.0)
    rules = {0.5: optax.chain(clip, optax.sgd(1.0)), 0.0: optax.chain(clip, optimizers.adam(1.0))}
    for want, rule in rules.items():
        trainer, state, step = step_of(
            loss, rule, params=params, trainable=trainable, averager=averaging.polyak_average()
        )
        state, metrics = step(state, {"x": jnp.full(4, 2.0)}, KEY)
        assert int(metrics["non_finite"]) == 0
        assert float(metrics["gradient_norm"]) == pytest.approx(0.5)
        assert float(state.params["head"]) == pytest.approx(want, abs=1e-4)
        chex.assert_trees_all_equal(state.params["body"], params["body"])
        assert state.average.output["body"].shape == (2,)


@pytest.mark.slow
def test_a_nan_gradient_of_what_is_not_trained_poisons_nothing():
    """The square root has the slope infinity at 0, times 0 it is NaN."""

    def loss(params, model_state, batch, keys, *, train):
        return params["head"] * batch["x"] + 0 * jnp.sqrt(params["body"]), (model_state, {})

    params = {"body": jnp.zeros(()), "head": jnp.ones(())}
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1.0))
    seen = {}
    for trainable in (None, {"body": False, "head": True}):
        trainer, state, step = step_of(loss, tx, params=params, trainable=trainable)
        state, metrics = step(state, X, KEY)
        seen[trainable is None] = int(metrics["non_finite"]), float(state.params["head"])
    assert seen[True][0] > 0 and np.isnan(seen[True][1])
    assert seen[False] == (0, pytest.approx(0.0))
    data = {"x": np.ones(4, np.float32)}
    options = {"key": KEY, "epochs": 1, "batch_size": 2, "progress": False}
    assert training.fit(trainer, state, data, data, **options).epochs == 1


@pytest.mark.slow
def test_masks_and_decay_fit_what_is_trained():
    """A rule's own masks, full or prefixes, name the parameters that are left."""
    params = {"body": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "head": jnp.ones(2)}

    def loss(params, model_state, batch, keys, *, train):
        return sum(jnp.sum(x) for x in jax.tree.leaves(params)) * batch["x"], (model_state, {})

    for mask in (None, {"body": True, "head": False}, optimizers.weights_only):
        decay = optimizers.add_decoupled_decay(0.1, mask=mask)
        tx = optax.chain(optimizers.scale_by_adam(), decay, optax.scale(-0.1))
        trainable = {"body": {"kernel": True, "bias": False}, "head": True}
        _, state, step = step_of(loss, tx, params=params, trainable=trainable)
        after, metrics = step(state, X, KEY)
        assert float(metrics["gradient_norm"]) == pytest.approx(2 * np.sqrt(6))
        chex.assert_trees_all_equal(after.params["body"]["bias"], params["body"]["bias"])
        assert np.all(np.asarray(after.params["body"]["kernel"]) < 1)


def test_trainable_is_checked():
    for trainable, error, match in (
        ({"v": True}, ValueError, "trainable must be a prefix of the parameters' tree"),
        ({"w": 1.0}, TypeError, r"trainable\['w'\] must be a bool, got 1.0"),
        (jnp.array(True), TypeError, "trainable must be a bool, got"),
    ):
        with pytest.raises(error, match=match):
            step_of(plain, optax.sgd(0.1), trainable=trainable)


def masked(params, model_state, batch, keys, *, train):
    """A model that keeps a mask of logits, and a running mean that is spoiled by a bad example."""
    mean = model_state["mean"] + batch["x"][0]
    return (params["w"] * 0.5) ** 2 + 0 * batch["y"], ({**model_state, "mean": mean}, {})


@pytest.mark.slow
@pytest.mark.parametrize("size", [8, 64])
def test_the_models_state_is_watched_from_what_it_was_whatever_its_size(size):
    """A causal mask of 64 places, infinite in half of its entries, made each step non-finite."""
    causal = jnp.where(jnp.tri(size), 0, -jnp.inf)
    model_state = {"mask": causal, "mean": jnp.zeros((size, size))}
    _, state, step = step_of(masked, optax.sgd(0.1), model_state)
    seen = []
    for x in (1.0, jnp.inf, 1.0):
        state, metrics = step(state, {"x": jnp.full(2, x), "y": jnp.zeros(2)}, KEY)
        seen.append(int(metrics["non_finite"]))
    assert seen == [0, size**2, 0]
