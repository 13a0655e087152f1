"""The switch: Adam before it, momentum SGD after it, at the step that was asked for."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import optimizers
from jaxtricks.control import ControlRule, early_stopping, plateau, progress_quotient
from tests.trajectories import updates_of
from tests.untyped import untyped

GRADIENTS = jax.random.normal(jax.random.key(0), (12, 5))


def switching(when, velocity="reset", **options) -> Any:
    return optimizers.adam_to_sgd(
        0.1, when=when, sgd_learning_rate=0.01, velocity=velocity, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("when", [0, 1, 5, 12])
def test_is_adam_and_then_momentum_from_rest(when):
    adam = updates_of(optimizers.adam(0.1), GRADIENTS)[:when]
    parts = [adam]
    if when < 12:
        parts.append(updates_of(optimizers.momentum(0.01, decay=0.9), GRADIENTS[when:]))
    got = updates_of(switching(when), GRADIENTS)
    chex.assert_trees_all_close(got, jnp.concatenate(parts), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("when", [0, 1, 5])
@pytest.mark.parametrize("bias_correction", [False, True])
def test_carried_velocity_is_that_of_sgd_from_the_start(when, bias_correction):
    """With rho = b1 Adam's first moment is SGD's velocity in another scale."""
    rule = switching(when, "carry", momentum=0.8, b1=0.8, bias_correction=bias_correction)
    sgd = updates_of(optimizers.momentum(0.01, decay=0.8), GRADIENTS)
    got = updates_of(rule, GRADIENTS)
    chex.assert_trees_all_close(got[when:], sgd[when:], rtol=1e-4, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.99])
def test_carried_velocity_of_a_constant_gradient_is_exact_for_any_decay(rho):
    """v_t = g (1 - rho^t) / (1 - rho), although Adam averaged with 0.9."""
    t = np.arange(1, 21)
    want = -0.01 * 3.0 * (1 - rho**t) / (1 - rho)
    got = updates_of(switching(4, "carry", momentum=rho), jnp.full((20, 1), 3.0))[:, 0]
    chex.assert_trees_all_close(got[4:], jnp.float32(want)[4:], rtol=1e-5)


@pytest.mark.slow
def test_one_program_compares_many_switches():
    whens = jnp.array([0, 3, 7, 100])

    @jax.vmap
    @chex.assert_max_traces(n=1)
    def sweep(when):
        return updates_of(switching(when, "carry"), GRADIENTS)

    want = jnp.stack([updates_of(switching(int(when), "carry"), GRADIENTS) for when in whens])
    chex.assert_trees_all_close(sweep(whens), want, rtol=1e-5, atol=1e-7)


def test_schedules_of_sgd_count_from_the_switch():
    def rate(count):
        return 1.0 / (count + 1.0)

    def decay(count):
        return jnp.where(count < 2, 0.0, 0.5)

    rule = optimizers.adam_to_sgd(
        0.1, when=3, sgd_learning_rate=rate, momentum=decay, velocity="reset"
    )
    got = updates_of(rule, jnp.ones((7, 1)))[3:, 0]
    chex.assert_trees_all_close(got, -jnp.array([1.0, 0.5, 1.5 / 3, 1.75 / 4]), rtol=1e-6)


def run(rule, values, params=None):
    state, sgd = rule.init(jnp.zeros(1) if params is None else params), []
    for value in values:
        _, state = rule.update(jnp.ones(1), state, params, value=value)
        sgd.append(bool(state.switched))
    return sgd, state


def rising():
    """Fires whenever the value rises, and calms down again."""

    def init(params=None):
        del params
        return jnp.inf * jnp.ones(())

    def update(value, state, params=None):
        del params
        return value > state, jnp.asarray(value, jnp.float32)

    return ControlRule(init, update)


@pytest.mark.slow
def test_a_control_rule_decides_and_the_switch_stays():
    sgd, state = run(switching(rising()), [3.0, 2.0, 2.5, 1.0, 0.5])
    assert sgd == [False, False, True, True, True]
    assert int(state.adam.count - state.sgd_step) == 2
    assert float(state.control) == 0.5


@pytest.mark.slow
def test_none_is_no_observation():
    sgd, state = run(switching(rising()), [None, 3.0, None, 2.0, None, 2.5, None])
    assert sgd == [False] * 5 + [True, True]
    assert float(state.control) == 2.5


def test_the_control_rule_sees_the_parameters():
    def update(value, state, params=None):
        return params[0] > value, state + 1

    def init(params=None):
        return jnp.sum(params)

    rule = switching(ControlRule(init, update))
    assert run(rule, [2.0, 0.5], jnp.ones(1))[0] == [False, True]


@pytest.mark.parametrize("keep_best", [False, True])
def test_early_stopping_is_a_control_rule(keep_best):
    """It stops at the observation at which it stops on its own; None does not count."""
    machine = early_stopping(1, keep_best=keep_best)
    values, params = [3.0, 2.0, None, 2.5, 1.9, 2.0, 2.0, 1.0], jnp.ones(1)
    alone, stops = machine.init(params), []
    for value in values:
        stop, alone = machine.update(value, alone, params)
        stops.append(bool(stop))
    sgd, state = run(switching(machine), values, params)
    assert sgd.index(True) == stops.index(True) > 3
    assert all(sgd[sgd.index(True) :])
    chex.assert_trees_all_equal(state.control, alone)


def test_a_control_rule_runs_in_scan_and_under_vmap():
    """Losses fall until they rise: the switch comes there, in a batch of runs."""
    rule, turns = switching(rising()), jnp.array([2, 5])

    def one(turn):
        def body(state, step):
            _, state = rule.update(jnp.ones(1), state, value=jnp.abs(step - turn) * 1.0)
            return state, None

        state, _ = jax.lax.scan(body, rule.init(jnp.zeros(1)), jnp.arange(9))
        return state.adam.count - state.sgd_step

    chex.assert_trees_all_equal(jax.vmap(one)(turns), turns + 1)


@pytest.mark.slow
def test_adams_averages_go_on_after_the_switch():
    rule, adam = switching(2), optimizers.scale_by_adam()
    got, want = rule.init(GRADIENTS[0]), adam.init(GRADIENTS[0])
    for gradient in GRADIENTS:
        _, got = rule.update(gradient, got)
        _, want = adam.update(gradient, want)
    chex.assert_trees_all_close(got.adam, want, rtol=1e-6)


@pytest.mark.parametrize(
    "options, error",
    [
        ({"when": -1}, ValueError),
        ({"when": 2.5}, TypeError),
        ({"when": 1, "velocity": "keep"}, (ValueError, TypeError)),
        ({"when": 1, "momentum": 1.1}, ValueError),
    ],
)
def test_bad_arguments(options, error):
    with pytest.raises(error, match=list(options)[-1]):
        switching(**options)


@pytest.mark.parametrize(
    "when, message",
    [
        (ControlRule(1, 2), "when.init must be a function, got 1"),
        ((1, 2), r"when must be an integer, got \(1, 2\)"),
        (None, "when must be an integer, got None"),
        (True, "when must be an integer, got True"),
        (lambda count: count, "when must be an integer, got <function"),
    ],
)
def test_what_is_no_control_rule_is_refused(when, message):
    with untyped(), pytest.raises(TypeError, match=message):
        switching(when)


def test_a_rule_that_does_not_stop_is_refused():
    tx = switching(plateau(0.1, patience=2))
    with pytest.raises(TypeError, match="when must output a bool, .* output of dtype float32"):
        tx.update(jnp.ones(2), tx.init(jnp.zeros(2)), value=1.0)


def test_a_rule_that_observes_a_pair():
    """PQ with strips of 1 stops at the first loss: the third pair, and its update, is SGD's."""
    tx = switching(progress_quotient(1.0, 1))
    state = tx.init(jnp.zeros(2))
    for step, error in enumerate((2.0, 1.0, 1.5)):
        _, state = tx.update(jnp.ones(2), state, jnp.zeros(2), value=(error, 1.0))
        assert bool(state.switched) == (step == 2)
    with pytest.raises(TypeError, match="value must be a pair, got 1.0"):
        tx.update(jnp.ones(2), state, jnp.zeros(2), value=1.0)
