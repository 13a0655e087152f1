"""Penalties against the gradients of what they penalise, and where decay goes in a chain."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import optimizers

PARAMS = {
    "Dense_0": {"kernel": jnp.array([[1.5, -0.5], [0.0, 2.0]]), "bias": jnp.array([3.0, -1.0])},
    "LayerNorm_0": {"scale": jnp.array([1.0, 2.0]), "bias": jnp.array([0.0, 4.0])},
}
PENALTIES = {
    "l1": (optimizers.add_l1(0.3), lambda w: 0.3 * jnp.sum(jnp.abs(w))),
    "l2": (optimizers.add_l2(0.3), lambda w: 0.3 / 2 * jnp.sum(w**2)),
    "l2 whole": (optimizers.add_l2(0.3, half=False), lambda w: 0.3 * jnp.sum(w**2)),
    "elastic net": (
        optimizers.add_elastic_net(0.3, 0.7),
        lambda w: 0.3 * jnp.sum(jnp.abs(w) + 0.7 * w**2),
    ),
}


def first_update(tx, grads, params):
    return tx.update(grads, tx.init(params), params)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", PENALTIES)
def test_adds_the_gradient_of_the_penalty(name):
    tx, penalty = PENALTIES[name]
    grads = jax.tree.map(lambda w: jnp.cos(w) + 0.1, PARAMS)

    def total(params):
        return sum(penalty(leaf) for leaf in jax.tree.leaves(params))

    # the mean of both sides, as jax.grad of |w| is 1 at w = 0
    slopes = jax.jit(lambda d: jax.grad(total)(jax.tree.map(lambda w: w + d, PARAMS)))
    sides = [slopes(d) for d in (1e-3, -1e-3)]
    want = jax.tree.map(lambda g, right, left: g + (right + left) / 2, grads, *sides)
    chex.assert_trees_all_close(first_update(tx, grads, PARAMS), want, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("rule", [optimizers.momentum(0.05, decay=0.9), optimizers.adam(0.05)])
def test_first_in_a_chain_it_trains_the_penalised_loss(rule, name):
    tx, penalty = PENALTIES[name]

    def loss(w):
        return jnp.sum((w - jnp.array([1.0, -2.0])) ** 2)

    def train(tx, loss):
        def body(carry, _):
            w, state = carry
            updates, state = tx.update(jax.grad(loss)(w), state, w)
            return (w + updates, state), w

        start = jnp.array([3.0, 1.0])
        return jax.lax.scan(body, (start, tx.init(start)), length=50)[1]

    got = train(optax.chain(tx, rule), loss)
    want = train(rule, lambda w: loss(w) + penalty(w))
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)


def test_l2_then_momentum_is_sgd_of_pytorch():
    """S-OPT-08, by optax, which writes it the same way: the decay enters the velocity."""
    ours = optax.chain(optimizers.add_l2(0.1), optimizers.momentum(0.05, decay=0.9))
    theirs = optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.05, 0.9))

    def train(tx):
        params, state = PARAMS, tx.init(PARAMS)
        for _ in range(20):
            updates, state = tx.update(jax.tree.map(jnp.sin, params), state, params)
            params = optax.apply_updates(params, updates)
        return params

    chex.assert_trees_all_close(train(ours), train(theirs), rtol=1e-5)


def test_l2_and_decoupled_decay_agree_under_gradient_descent():
    """002:660: w' = (1 - alpha lambda) w - alpha g."""
    grads = jax.tree.map(jnp.cos, PARAMS)
    want = jax.tree.map(lambda w, g: (1 - 0.5 * 0.2) * w - 0.5 * g, PARAMS, grads)
    for decay in (optimizers.add_l2(0.2), optimizers.add_decoupled_decay(0.2)):
        tx = optax.chain(decay, optimizers.gradient_descent(0.5))
        got = optax.apply_updates(PARAMS, first_update(tx, grads, PARAMS))
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)


def test_l2_without_the_half_decays_twice_as_fast():
    """E-22: shrink factors 1 - 2 alpha lambda and 1 - alpha lambda."""
    for half, want in ((True, 0.9), (False, 0.8)):
        tx = optax.chain(optimizers.add_l2(0.2, half=half), optimizers.gradient_descent(0.5))
        assert 1 + first_update(tx, jnp.zeros(()), jnp.ones(())) == pytest.approx(want)


RULES = {
    "momentum": optimizers.scale_by_momentum(0.9),
    "nesterov": optimizers.scale_by_momentum(0.9, nesterov=True),
    "adam": optimizers.scale_by_adam(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_decoupled_decay_is_blind_to_the_rule_and_l2_is_not(name):
    """The decay's share of each step is -alpha_t lambda w with the one, not with the other."""
    w, decay = jnp.array([2.0, -0.1]), 0.3
    grads = jax.random.normal(jax.random.key(1), (12, 2))

    def falling(count):
        return 0.1 * 0.5**count

    def steps(*links):
        tx = optax.chain(*links, optimizers.gradient_descent(falling))
        state, out = tx.init(w), []
        for g in grads:
            updates, state = tx.update(g, state, w)
            out.append(updates)
        return jnp.stack(out)

    rule = RULES[name]
    want = -decay * jnp.outer(falling(jnp.arange(12.0)), w)
    apart = steps(rule, optimizers.add_decoupled_decay(decay)) - steps(rule)
    coupled = steps(optimizers.add_l2(decay), rule) - steps(rule)
    chex.assert_trees_all_close(apart, want, rtol=1e-4, atol=1e-7)
    assert jnp.abs(coupled / want - 1)[-1].max() > 0.2


@pytest.mark.parametrize("lr_inside", [False, True])
def test_coupled_decay_inside_and_outside_the_velocity(lr_inside):
    """No gradient, w held: -lambda w sum_j rho^(t-j) alpha_j inside, alpha_t in front outside."""
    rates = [0.4, 0.2, 0.1]
    tx = optax.chain(
        optimizers.add_l2(0.5),
        optimizers.momentum(lambda t: 0.4 * 0.5**t, decay=0.8, lr_inside=lr_inside),
    )
    state, w = tx.init(jnp.ones(())), jnp.array(2.0)
    for t in range(3):
        updates, state = tx.update(jnp.zeros(()), state, w)
        shares = [0.8 ** (t - j) * rates[j if lr_inside else t] for j in range(t + 1)]
        assert updates == pytest.approx(-0.5 * 2.0 * sum(shares), rel=1e-5)


ALL_MASKED = (
    optimizers.add_l1,
    optimizers.add_l2,
    lambda strength, **kwargs: optimizers.add_elastic_net(strength, 0.5, **kwargs),
    optimizers.add_decoupled_decay,
    lambda strength, **kwargs: optimizers.proximal_l1(0.1, strength, **kwargs),
)


@pytest.mark.parametrize("make", ALL_MASKED)
@pytest.mark.parametrize(
    "mask",
    [
        optimizers.weights_only,
        {"Dense_0": {"kernel": True, "bias": False}, "LayerNorm_0": False},
    ],
    ids=["weights_only", "prefix"],
)
def test_masks(make, mask):
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    got = first_update(make(0.5, mask=mask), grads, PARAMS)
    whole = first_update(make(0.5), grads, PARAMS)
    chex.assert_trees_all_equal(got["Dense_0"]["kernel"], whole["Dense_0"]["kernel"])
    chex.assert_trees_all_equal(got["Dense_0"]["bias"], grads["Dense_0"]["bias"])
    chex.assert_trees_all_equal(got["LayerNorm_0"], grads["LayerNorm_0"])
    for leaf, grad in zip(jax.tree.leaves(whole), jax.tree.leaves(grads), strict=True):
        assert jnp.any(leaf != grad)


@pytest.mark.parametrize("make", ALL_MASKED)
def test_refusals(make):
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    with pytest.raises(ValueError, match="params must be given"):
        make(0.5).update(grads, make(0.5).init(PARAMS))
    with pytest.raises(ValueError, match="strength must be in .* got -0.5"):
        make(-0.5)
    with pytest.raises(ValueError, match="mask must be a prefix of the parameters' tree"):
        first_update(make(0.5, mask={"Dense_0": True}), grads, PARAMS)
    with pytest.raises(TypeError, match=r"mask\['Dense_0'\] must be a bool, got 1"):
        first_update(make(0.5, mask={"Dense_0": 1, "LayerNorm_0": True}), grads, PARAMS)
    with pytest.raises(ValueError, match="updates must have the structure of params"):
        first_update(make(0.5), grads["Dense_0"], PARAMS)
