"""`freeze_dropped`: what `keep` leaves out does not change by one bit, the rest is the rule's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.cases.build import build
from tests.cases.transforms import TRANSFORMS
from tests.untyped import untyped

START = {"kernel": np.array([[0.3, 0.1], [-1.7, 1e-6], [2.0, 0.7]]), "bias": np.array([-0.1, 3])}
DROPPED = np.array([True, False])  # the units, in the last update
KEEP = {"kernel": ~DROPPED[None], "bias": ~DROPPED}
DTYPES = ("float32", "bfloat16")
STANDING = {"gradient_descent", "adagrad", "scale_by_adagrad", "scale_by_adadelta", "adadelta"}
MOVING = {"momentum", "nesterov", "adam", "adamw", "rmsprop", "full_precision"}


def bits(x):
    return np.asarray(x).view({2: np.uint16, 4: np.uint32}[x.dtype.itemsize])


def last_update(rule, params, extra):
    """The parameters before the last of three updates, which drops a unit, and two ways after it.

    Frozen, and free, as the rule has it: until then the two are the same.
    """
    freeze = optimizers.freeze_dropped()

    def step(carry, keep):
        params, state = carry
        gradients = jax.tree.map(lambda p, k: jnp.where(k, jnp.cos(9 * p), 0), params, keep)
        gradients = jax.tree.map(lambda g, p: g.astype(p.dtype), gradients, params)
        updates, state = rule.update(gradients, state, params, **extra)
        free = optax.apply_updates(params, updates)
        updates, _ = freeze.update(updates, freeze.init(params), params, keep=keep)
        frozen = optax.apply_updates(params, updates)
        return (frozen, state), {"before": params, "frozen": frozen, "free": free}

    keeps = jax.tree.map(lambda k: jnp.stack([k | True, k | True, k]), KEEP)
    _, path = jax.lax.scan(step, (params, rule.init(params)), keeps)
    return jax.tree.map(lambda x: x[-1], path)


@pytest.fixture(scope="module")
def runs():
    """Of each rule and dtype, in one program."""

    @jax.jit
    def compute():
        return {
            (name, dtype): last_update(
                build(case), jax.tree.map(lambda x, d=dtype: jnp.asarray(x, d), START), case.extra
            )
            for name, case in TRANSFORMS.items()
            for dtype in DTYPES
        }

    return compute()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_dropped_units_keep_every_bit_and_the_others_follow_the_rule(runs, name, dtype):
    before, frozen, free = (runs[name, dtype][form] for form in ("before", "frozen", "free"))
    for leaf in START:
        assert (bits(frozen[leaf]) == bits(before[leaf]))[..., DROPPED].all()
        assert (bits(frozen[leaf]) == bits(free[leaf]))[..., ~DROPPED].all()
        if name in MOVING:
            assert (frozen[leaf] != before[leaf])[..., ~DROPPED].all()


@pytest.mark.parametrize("name", sorted(STANDING | MOVING))
def test_without_it_velocity_and_decay_go_on(runs, name):
    """The control: the same gradients, of which plain descent makes nothing."""
    before, free = runs[name, "float32"]["before"], runs[name, "float32"]["free"]
    changed = [(free[leaf] != before[leaf])[..., DROPPED] for leaf in START]
    assert [bool(np.all(leaf)) for leaf in changed] == [name in MOVING] * 2
    assert [bool(np.any(leaf)) for leaf in changed] == [name in MOVING] * 2


def test_zeros_keep_their_signs():
    @jax.jit
    def end(w, keep):
        updates, _ = tx.update(jnp.ones(2), tx.init(w), w, keep=keep)
        return updates, optax.apply_updates(w, updates)

    tx, w = optimizers.freeze_dropped(), jnp.array([-0.0, 0.0])
    updates, after = end(w, jnp.array(False))
    assert updates.tolist() == after.tolist() == [0, 0]
    assert np.signbit(after).tolist() == [True, False]


def test_the_full_precision_copy_stays_too():
    """Else the bfloat16 weight would jump when its unit comes back."""
    rule = optax.chain(optimizers.momentum(0.1, decay=0.9), optimizers.freeze_dropped())
    tx, w = optimizers.full_precision(rule), jnp.ones(2, jnp.bfloat16)
    state, step = tx.init(w), jax.jit(tx.update)
    for keep in (np.array([1, 1]), np.array([1, 0]), np.array([1, 0])):
        before = optax.tree.get(state, "params")
        updates, state = step(w * keep.astype(jnp.bfloat16), state, w, keep=keep)
        w = optax.apply_updates(w, updates)
    after = optax.tree.get(state, "params")
    assert after[1] == before[1] < 1 and after[0] < before[0]


def test_keep_may_be_mapped():
    tx, w = optimizers.freeze_dropped(), jnp.arange(6.0).reshape(2, 3)
    keeps = jax.random.bernoulli(jax.random.key(0), 0.5, (4, 1, 3))
    got = jax.jit(jax.vmap(lambda keep: tx.update(w, tx.init(w), keep=keep)[0]))(keeps)
    np.testing.assert_array_equal(got, np.asarray(w) * np.asarray(keeps))


@pytest.mark.parametrize(
    "keep, want",
    [
        (True, [[[1, 1], [1, 1]], [1, 1], [1]]),
        (0, [[[0, 0], [0, 0]], [0, 0], [0]]),
        ({"a": False, "b": None}, [[[0, 0], [0, 0]], [0, 0], [1]]),
        ({"a": np.array([0, 1.0]), "b": True}, [[[0, 1], [0, 1]], [0, 1], [1]]),
        ({"a": [np.array([[0], [1]]), None], "b": 0}, [[[0, 0], [1, 1]], [1, 1], [0]]),
        ({"a": [True, np.array([1], np.int8)], "b": 1}, [[[1, 1], [1, 1]], [1, 1], [1]]),
    ],
)
def test_leaves_broadcast_and_stand_for_branches(keep, want):
    tx, params = optimizers.freeze_dropped(), {"a": [jnp.ones((2, 2)), jnp.ones(2)], "b": [1.0]}
    updates, _ = tx.update(params, tx.init(params), params, keep=keep)
    assert [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(updates)] == [
        *want[:2],
        want[2][0],
    ]
    empty = {"a": [None, jnp.ones(2)], "b": None}
    if keep != 0:
        assert (
            jax.tree.structure(tx.update(empty, optax.EmptyState(), empty, keep=keep)[0]).num_leaves
            == 1
        )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tx: optax.apply_if_finite(tx, 2),
        lambda tx: optax.masked(tx, {"w": True, "b": True}),
        lambda tx: optax.partition({"all": tx}, {"w": "all", "b": "all"}),
        lambda tx: optimizers.freeze(tx, {"w": False, "b": True}),
        lambda tx: optimizers.accumulate(tx, 1),
        lambda tx: optax.MultiSteps(tx, 1),
    ],
)
def test_wrappers_pass_keep_on(wrap):
    inner = optax.chain(optimizers.gradient_descent(1.0), optimizers.freeze_dropped())
    params = {"w": jnp.ones(2), "b": jnp.ones(2)}
    tx = wrap(inner)
    updates, _ = tx.update(params, tx.init(params), params, keep={"w": np.array([0, 1]), "b": 0})
    assert updates["w"].tolist() == [0, -1]


MISSING = "keep must be given: call update"


def test_what_does_not_pass_it_on_is_told():
    inner = optax.chain(optimizers.gradient_descent(1.0), optimizers.freeze_dropped())
    params = jnp.ones(2)
    both = optax.LookaheadParams.init_synced(params)
    steps = optax.MultiSteps(inner, 1).gradient_transformation()
    for tx, weights in (
        (optax.chain(optax.lookahead(inner, 5, 0.5)), both),
        (optax.chain(steps), params),
    ):
        with pytest.raises(ValueError, match=MISSING):
            tx.update(params, tx.init(weights), weights, keep=0)


@pytest.mark.slow
def test_a_dropped_weight_stays_where_the_norm_is_limited_too():
    tx = optax.chain(
        optimizers.gradient_descent(1.0), optimizers.max_norm(3.0), optimizers.freeze_dropped()
    )
    w, gradient = jnp.array([[2.0], [2.0]]), jnp.array([[-3.0], [0.0]])
    updates, state = tx.update(gradient, tx.init(w), w, keep=np.array([[1], [0]]))
    after = optax.apply_updates(w, updates)
    assert after[1] == 2 and jnp.linalg.norm(after) > 3
    updates, _ = tx.update(jnp.zeros_like(w), state, after, keep=True)
    np.testing.assert_allclose(jnp.linalg.norm(optax.apply_updates(after, updates)), 3, rtol=1e-6)


@pytest.mark.parametrize(
    "keep, error, words",
    [
        (None, ValueError, MISSING),
        ({"w": 0.5, "b": 1}, ValueError, r"keep\['w'\] must hold 0 and 1 only, got 0.5"),
        ({"w": np.array([0, 2]), "b": 1}, ValueError, r"keep\['w'\] must hold 0 and 1 only"),
        ({"w": np.nan, "b": 1}, ValueError, r"keep\['w'\] must hold 0 and 1 only, got nan"),
        ({"w": np.ones(3), "b": 1}, ValueError, r"keep\['w'\] must broadcast to .* \(2, 2\)"),
        ({"w": np.ones((1, 1, 1)), "b": 1}, ValueError, r"keep\['w'\] must broadcast .* got \(1, "),
        ({"w": 1, "b": np.ones(2)}, ValueError, r"keep\['b'\] must broadcast to the shape \(\)"),
        ({"w": 1}, ValueError, r"keep must be a prefix .* keep\['b'\] is missing"),
        ({"w": "yes", "b": 1}, TypeError, r"keep\['w'\] must be an array of numbers, got 'yes'"),
        ({"w": 1j, "b": 1}, TypeError, r"keep\['w'\] is complex"),
    ],
)  # fmt: skip
def test_bad_keeps_are_named(keep, error, words):
    tx, params = optimizers.freeze_dropped(), {"w": jnp.ones((2, 2)), "b": jnp.ones(())}
    with untyped(), pytest.raises(error, match=words):
        tx.update(params, tx.init(params), params, keep=keep)
