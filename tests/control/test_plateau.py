"""Plateau against sequences worked out by hand from PyTorch's rule, and against optax's."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, optimizers
from tests.untyped import untyped

NAN = float("nan")


def values(machine, metrics):
    state, out = machine.init(), []
    for metric in metrics:
        value, state = machine.update(metric, state)
        out.append(float(value))
    return np.array(out)


@pytest.mark.parametrize(
    "hyper, metrics, want",
    [
        # patience 2: the third bad one in a row cuts
        ({}, [1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0.1, 0.1, 0.1, 0.01]),
        ({"patience": 0}, [1, 1, 1], [1, 0.1, 0.01]),
        ({"patience": 1}, [3, 2, 1, 1, 0.5, 0.6, 0.4, 0.4], [1] * 8),
        # a drop by a part in 10 000 is none, one by two parts is
        ({"patience": 0}, [1.0, 0.99995], [1, 0.1]),
        ({"patience": 0}, [1.0, 0.9998], [1, 1]),
        ({"patience": 0, "mode": "max"}, [1, 2, 3, 3, 4, 2], [1, 1, 1, 0.1, 0.1, 0.01]),
        # two observations are excused after a cut, and the next counts from one
        ({"patience": 1, "cooldown": 2}, [1] * 8, [1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ({"patience": 0, "min_value": 0.05}, [1] * 4, [1, 0.1, 0.05, 0.05]),
        # the cut from 0.01 to 0.001 changes less than eps, and is skipped for ever
        ({"patience": 0, "eps": 0.05}, [1] * 5, [1, 0.1, 0.01, 0.01, 0.01]),
        ({"patience": 0, "initial": 0.3, "factor": 0.5}, [1, 1, 1], [0.3, 0.15, 0.075]),
        # NaN is bad, also first; the first finite value is then a new best
        ({"patience": 1}, [NAN, 5, 6, 6], [1, 1, 1, 0.1]),
        ({"patience": 1}, [5, NAN, NAN, 4], [1, 1, 0.1, 0.1]),
        ({"patience": 0}, [NAN, NAN, 5], [0.1, 0.01, 0.01]),
        ({"patience": 1}, [None, 1, None, 1, None, 1, None], [1, 1, 1, 1, 1, 0.1, 0.1]),
        # an absolute margin
        ({"patience": 0, "threshold_mode": "abs", "threshold": 0.5}, [2, 1.4, 1], [1, 1, 0.1]),
    ],
)
def test_sequences_by_hand(hyper, metrics, want):
    rule = control.plateau(**{"factor": 0.1, "patience": 2, **hyper})
    np.testing.assert_allclose(values(rule, metrics), want, rtol=1e-5)


NEGATIVE = [-1.0] * 6  # a constant log-likelihood


def test_negative_metrics_plateau_only_with_a_signed_margin():
    """PyTorch's "rel" takes -1 for better than -1 (1 - 1e-4), at every observation."""
    signed = values(control.plateau(0.1, patience=2), NEGATIVE)
    np.testing.assert_allclose(signed, [1, 1, 1, 0.1, 0.1, 0.1], rtol=1e-6)
    rel = values(control.plateau(0.1, patience=2, threshold_mode="rel"), NEGATIVE)
    np.testing.assert_array_equal(rel, 1.0)


@pytest.mark.parametrize("mode, better", [("min", [-1, -1.01]), ("max", [-1.01, -1])])
def test_signed_margin_follows_improvement_of_negative_metrics(mode, better):
    assert values(control.plateau(0.1, patience=0, mode=mode), better)[-1] == 1
    assert values(control.plateau(0.1, patience=0, mode=mode), better[::-1])[-1] == pytest.approx(
        0.1
    )


@pytest.mark.parametrize("threshold_mode", ["signed", "rel"])
def test_margins_agree_for_positive_metrics(threshold_mode):
    metrics = np.random.default_rng(0).uniform(0.5, 1, 40)
    rule = control.plateau(0.5, patience=1, threshold_mode=threshold_mode)
    np.testing.assert_allclose(values(rule, metrics), reduce_on_plateau(metrics, 0.5, 1))


def reduce_on_plateau(metrics, factor, patience, rate=1.0, min_lr=0.0, eps=1e-8, cooldown=0):
    """PyTorch's documented rule, "rel" and "min", in plain Python."""
    best, bad, cooling, rates = np.inf, 0, 0, []
    for metric in metrics:
        if metric < best * (1 - 1e-4):
            best, bad = metric, 0
        else:
            bad += 1
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad > patience:
            lower = max(rate * factor, min_lr)
            rate = lower if rate - lower > eps else rate
            cooling, bad = cooldown, 0
        rates.append(rate)
    return rates


@pytest.mark.slow
@pytest.mark.parametrize("cooldown, min_lr, eps", [(0, 0.0, 1e-8), (3, 1e-3, 1e-8), (1, 0.0, 0.02)])
def test_carrying_the_rate_itself_is_the_rule_of_pytorch(cooldown, min_lr, eps):
    metrics = 1 + np.abs(np.random.default_rng(1).normal(size=80))
    metrics[[0, 7, 8]] = np.nan
    rule = control.plateau(
        0.3,
        patience=2,
        initial=0.1,
        min_value=min_lr,
        eps=eps,
        threshold_mode="rel",
        cooldown=cooldown,
    )
    want = reduce_on_plateau(metrics, 0.3, 2, 0.1, min_lr, eps, cooldown)
    assert len(set(want)) > 2
    np.testing.assert_allclose(values(rule, metrics), want, rtol=1e-5)


def scales(tx, losses):
    state, out = tx.init(jnp.ones(())), []
    for loss in losses:
        update, state = tx.update(jnp.ones(()), state, value=loss)
        out.append(float(update))
    return np.array(out)


@pytest.mark.slow
def test_optax_cuts_one_observation_earlier():
    """S-LIB-04: at bad == patience, where PyTorch and we wait for bad > patience."""
    losses = jnp.ones(7)
    theirs = scales(optax.contrib.reduce_on_plateau(0.1, 2), losses)
    ours = scales(optimizers.scale_by_plateau(control.plateau(0.1, patience=2)), losses)
    np.testing.assert_allclose(theirs, [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001], rtol=1e-5)
    np.testing.assert_allclose(ours, [1, 1, 1, 0.1, 0.1, 0.1, 0.01], rtol=1e-5)
    one_less = scales(optimizers.scale_by_plateau(control.plateau(0.1, patience=1)), losses)
    np.testing.assert_allclose(one_less, theirs, rtol=1e-5)


def test_notes_factor_of_ten_is_refused():
    """E-13: literally, three plateaus would turn 0.1 into 100."""
    with pytest.raises(ValueError, match=r"factor must be in \[0.0, 1.0\], got 10"):
        control.plateau(10)


@pytest.mark.parametrize(
    "bad", [{"factor": 1.1}, {"patience": -1}, {"mode": "lower"}, {"threshold_mode": "relative"}]
)
def test_bad_arguments(bad):
    with pytest.raises((TypeError, ValueError), match=next(iter(bad))):
        control.plateau(**bad)


def test_patience_may_be_swept():
    def last(patience):
        rule = control.plateau(0.1, patience=patience)
        step = lambda state, loss: rule.update(loss, state)[::-1]  # noqa: E731
        return jax.lax.scan(step, rule.init(), jnp.ones(6))[0].value

    got = jax.vmap(last)(jnp.arange(4))
    chex.assert_trees_all_close(got, jnp.array([1e-5, 1e-2, 0.1, 0.1]), rtol=1e-5)


def test_transformation_scales_updates_and_needs_no_metric_at_each_step():
    """Once an epoch of three updates; in between the scale in force is applied."""
    tx = optax.chain(
        optimizers.scale_by_momentum(0.0),
        optimizers.scale_by_plateau(control.plateau(0.1, patience=0)),
    )
    state, out = tx.init(jnp.ones(2)), []
    for step in range(6):
        metric = {"value": 1.0} if step % 3 == 0 else {}
        update, state = tx.update(jnp.full(2, 2.0), state, **metric)
        out.append(update)
    want = jnp.repeat(jnp.array([[2.0, 2.0], [0.2, 0.2]]), 3, axis=0)
    chex.assert_trees_all_close(jnp.stack(out), want, rtol=1e-6)


def test_rate_carried_by_the_machine():
    tx = optax.chain(
        optimizers.scale_by_plateau(control.plateau(0.1, patience=0, initial=0.5)), optax.scale(-1)
    )
    update, _ = tx.update(jnp.ones(()), tx.init(jnp.ones(())))
    assert update == -0.5


def test_a_stopping_rule_is_no_scale():
    tx = optimizers.scale_by_plateau(control.early_stopping(1, keep_best=False))
    with pytest.raises(TypeError, match="rule must output a scale, .* output of dtype bool"):
        tx.init(jnp.zeros(2))


@pytest.mark.parametrize("state", [None, (1, 2), control.early_stopping(1).init(jnp.zeros(2))])
@pytest.mark.parametrize("value", [None, 1.0])
def test_a_state_of_something_else_is_refused(value, state):
    with untyped(), pytest.raises(TypeError, match="state must be a PlateauState, got"):
        control.plateau().update(value, state)


@pytest.mark.parametrize(
    "machine, message",
    [
        (control.ControlRule(1, 2), "rule.init must be a function, got 1"),
        (control.plateau()._replace(update=2), "rule.update must be a function, got 2"),
        (tuple(control.plateau()), "rule must be a ControlRule, got"),
        (0.1, "rule must be a ControlRule, got 0.1"),
    ],
)
def test_what_is_no_machine_is_refused(machine, message):
    with untyped(), pytest.raises(TypeError, match=message):
        optimizers.scale_by_plateau(machine)


def test_only_finite_numbers_improve_unless_infinities_are_numbers():
    for finite_only, best in ((True, 5.0), (False, -jnp.inf)):
        rule = control.plateau(finite_only=finite_only)
        state = rule.init()
        for value in (jnp.inf, 5.0, jnp.nan, -jnp.inf, 4.0 if not finite_only else 6.0):
            _, state = rule.update(value, state)
        assert state.best_value == best


def test_a_factor_of_1_never_cuts():
    rule = control.plateau(1.0, patience=0)
    state = rule.init()
    for _ in range(5):
        value, state = rule.update(1.0, state)
    assert value == 1.0
