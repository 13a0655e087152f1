"""The stopping rules against sequences worked out by hand from their definitions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import control
from tests.untyped import untyped

NAN = float("nan")


def stops(machine, values):
    """The observations, from 1, at which the rule says stop, and the last state."""
    state, out = machine.init(jnp.zeros(())), []
    for step, value in enumerate(values, start=1):
        stop, state = machine.update(value, state, jnp.float32(step))
        out += [step] if stop else []
    return out, state


def first_stop(machine, values):
    out, _ = stops(machine, values)
    assert out == list(range(out[0], len(values) + 1)) if out else True  # a verdict stands
    return out[0] if out else None


@pytest.mark.parametrize(
    "hyper, values, stop, best_observation",
    [
        ({"patience": 2}, [3, 2, 1, 1, 1, 1], 6, 3),
        ({"patience": 2}, [3, 2, 1, 1, 1, 0.9], None, 6),
        ({"patience": 0}, [3, 2, 2.5], 3, 2),
        # 002:947: stop when accuracy no longer rises, or falls
        ({"patience": 0, "mode": "max"}, [0.5, 0.6, 0.6], 3, 2),
        ({"patience": 0, "mode": "max"}, [0.5, 0.6, 0.4], 3, 2),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2.4, 2.3, 2.2], 5, 3),
        ({"patience": 1}, [-1, -2, -3, -3.5], None, 4),
        ({"patience": 1}, [NAN, 4, NAN, NAN], 4, 2),
        ({"patience": 1}, [NAN, NAN, 4], 2, 0),
        ({"patience": 1}, [4, None, None, None, 5, 6], 6, 1),
    ],
)
def test_patience_by_hand(hyper, values, stop, best_observation):
    rule = control.early_stopping(**hyper)
    assert first_stop(rule, values) == stop
    assert stops(rule, [v for v in values if v is not None])[1].best_observation == best_observation


def test_stop_restores_the_best_parameters():
    """S-STP-03: what is kept belongs to the best value, also after the run went on."""
    rule = control.early_stopping(1)
    _, state = stops(rule, [3.0, 1.0, 2.0, 2.0, 0.5, 0.1])
    assert (float(state.best_value), int(state.best_observation)) == (1.0, 2)
    assert state.best_variables == 2.0
    chex.assert_trees_all_equal(state, stops(rule, [3.0, 1.0, 2.0, 2.0])[1])


def test_both_exits_after_the_stop_reach_the_same_model():
    """S-STP-04: `best_variables` is what `best_observation` observations' training gives again."""
    slope = jax.grad(lambda x: (x - 1.0) ** 2)
    validate = lambda x: (x - 0.5) ** 2  # noqa: E731  (its best lies on the way)
    rule, x = control.early_stopping(1), jnp.zeros(())
    state = rule.init(x)
    for _ in range(30):
        x = x - 0.1 * slope(x)
        stop, state = rule.update(validate(x), state, x)
        if stop:
            break
    again = jnp.zeros(())
    for _ in range(int(state.best_observation)):
        again = again - 0.1 * slope(again)
    assert stop and again == state.best_variables != x


def test_without_parameters():
    rule = control.early_stopping(1, keep_best=False)
    _, state = rule.update(1.0, rule.init())
    assert state.best_variables is None
    with pytest.raises(ValueError, match="variables must be given"):
        control.early_stopping(1).init()
    with pytest.raises(ValueError, match="variables must be given"):
        control.early_stopping(1).update(1.0, control.early_stopping(1).init(jnp.ones(2)))


def test_other_parameters_are_refused():
    rule = control.early_stopping(1)
    with pytest.raises(ValueError, match="variables.* must have the shape of the first variables"):
        rule.update(1.0, rule.init(jnp.ones(2)), jnp.ones(3))


# 100 (E / E_opt - 1): 0, 0, 10, 0, 12.5, 50, 25
ERRORS = [2.0, 1.0, 1.1, 0.8, 0.9, 1.2, 1.0]


@pytest.mark.parametrize("alpha, stop", [(9.9, 3), (10.1, 5), (12.4, 5), (12.6, 6), (50.1, None)])
def test_generalization_loss_is_in_percent_of_the_lowest_error(alpha, stop):
    assert first_stop(control.generalization_loss(alpha), ERRORS) == stop


@pytest.mark.parametrize(
    "errors, stop",
    [([NAN, 2.0, 2.0], None), ([2.0, NAN], 2), ([0.0, 0.0, 0.1], 3), ([0.0, 0.0, 0.0], None)],
)
def test_generalization_loss_at_nan_and_at_zero(errors, stop):
    assert first_stop(control.generalization_loss(1000.0), errors) == stop


# Strips of 2. Training (3, 1): P = 1000 (4 / 2 - 1) = 1000; (1, .8): 125; (.8, .8): 0.
# GL at the strips' ends: 10, 20, 0 (a new best).
PAIRS = [(1.0, 3.0), (1.1, 1.0), (1.1, 1.0), (1.2, 0.8), (1.05, 0.8), (0.9, 0.8)]


@pytest.mark.parametrize("alpha, stop", [(0.009, 2), (0.011, 4), (0.159, 4), (0.161, None)])
def test_progress_quotient_divides_by_the_progress_in_thousandths(alpha, stop):
    """10 / 1000 = 0.010 at observation 2, 20 / 125 = 0.160 at 4, 0 / 0 is no loss at 6."""
    assert first_stop(control.progress_quotient(alpha, 2), PAIRS) == stop


def test_progress_quotient_without_progress():
    """A constant training error: any loss is then too much, at the end of a strip."""
    pairs = [(1.0, 0.5), (1.0, 0.5), (1.001, 0.5), (1.0, 0.5), (1.0, 0.5), (1.001, 0.5)]
    assert first_stop(control.progress_quotient(3.0, 2), pairs) == 6


@pytest.mark.parametrize(
    "pairs, stop",
    [
        ([(NAN, 1.0), (NAN, 1.0), (2.0, 1.0), (2.0, 0.9)], None),
        ([(2.0, 1.0), (NAN, 0.9)], 2),
        ([(2.0, 1.0), (NAN, NAN)], 2),
        ([(2.0, 1.0), (2.1, NAN), (2.1, 1.0), (2.1, 1.0)], 4),
        ([(2.0, 0.0), (2.1, 0.0)], 2),
        ([(2.0, 1.0), (2.1, 0.0)], None),
    ],
)
def test_progress_quotient_at_nan_and_at_zero(pairs, stop):
    assert first_stop(control.progress_quotient(3.0, 2), pairs) == stop


@pytest.mark.parametrize(
    "times, strip, errors, stop",
    [
        (1, 1, [3.0, 2.0, 2.1], 3),
        (2, 1, [3.0, 3.1, 2.0, 2.1, 2.05, 2.1, 2.2], 7),
        # only the strips' ends are compared: 2.0, 2.1, 2.2
        (2, 2, [3.0, 2.0, 9.0, 2.1, 0.1, 2.2], 6),
        (2, 2, [3.0, 2.0, 9.0, 2.1, 9.0, 2.1, 9.0, 2.2], None),
        (1, 3, [1.0, 2.0, 3.0], None),
        (1, 1, [NAN, 1.0, 1.0], None),
        (1, 1, [1.0, NAN], 2),
    ],
)
def test_successive_increase_by_hand(times, strip, errors, stop):
    assert first_stop(control.successive_increase(times, strip), errors) == stop


def test_prechelt_rules_restore_the_lowest_error():
    for rule, values in (
        (control.generalization_loss(30.0), ERRORS),
        (control.progress_quotient(0.1, 2), [(error, 1.0) for error in ERRORS]),
        (control.successive_increase(2, 1), ERRORS),
    ):
        _, state = stops(rule, values)
        assert bool(state.stopped)
        np.testing.assert_allclose(state.best_value, 0.8)
        assert (int(state.best_observation), float(state.best_variables)) == (4, 4.0)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: control.early_stopping(-1), "patience"),
        (lambda: control.early_stopping(1, min_delta=-0.1), "min_delta"),
        (lambda: control.early_stopping(1, mode="lowest"), "mode"),
        (lambda: control.generalization_loss(-1.0), "alpha"),
        (lambda: control.progress_quotient(1.0, 0), "strip"),
        (lambda: control.successive_increase(0, 5), "times"),
        (lambda: control.successive_increase(2, 0), "strip"),
    ],
)
def test_bad_arguments(make, name):
    with pytest.raises((TypeError, ValueError), match=name):
        make()


@pytest.mark.parametrize("bad", ["0.1", True, 1j, [1.0]])
def test_a_metric_that_is_no_number_is_named(bad):
    rule = control.early_stopping(1, keep_best=False)
    with pytest.raises(TypeError, match="value must be a real scalar, got"):
        rule.update(bad, rule.init())


def test_progress_quotient_wants_a_pair():
    rule = control.progress_quotient(0.5, 2, keep_best=False)
    with pytest.raises(TypeError, match="value must be a pair, got 1.0"):
        rule.update(1.0, rule.init())


@pytest.mark.parametrize("state", [None, (1, 2), control.plateau().init()])
def test_a_state_of_something_else_is_refused(state):
    rule = control.early_stopping(1, keep_best=False)
    with untyped(), pytest.raises(TypeError, match="state must be a StoppingState, got"):
        rule.update(1.0, state)


def test_a_state_of_another_rule_is_refused():
    state = control.generalization_loss(5.0, keep_best=False).init()
    with pytest.raises(ValueError, match="state.memory must have the structure of this rule's"):
        control.progress_quotient(5.0, 2, keep_best=False).update((1.0, 1.0), state)


@pytest.mark.parametrize(
    "rule, value, message",
    [
        (control.generalization_loss(5.0, keep_best=False), -1.0, "value .* got -1.0"),
        (control.generalization_loss(5.0, keep_best=False), jnp.bfloat16(-2), "value .* got -2"),
        (
            control.progress_quotient(5.0, 2, keep_best=False),
            (-1.0, 1),
            r"value\[0\] .* got -1.0",
        ),
        (
            control.progress_quotient(5.0, 2, keep_best=False),
            (1, -1.0),
            r"value\[1\] .* got -1.0",
        ),
    ],
)
def test_a_negative_error_is_refused_where_a_ratio_is_taken(rule, value, message):
    with pytest.raises(ValueError, match=message):
        rule.update(value, rule.init())
    jax.jit(rule.update)(value, rule.init())


def test_keep_best_never_stops_and_keeps_the_best():
    rule = control.keep_best(mode="max")
    state = rule.init(jnp.zeros(()))
    for epoch, accuracy in enumerate((jnp.nan, 0.5, 0.9, 0.1, *[0.2] * 50)):
        stop, state = rule.update(accuracy, state, jnp.float32(epoch))
        assert not stop
    assert (int(state.best_observation), float(state.best_variables)) == (3, 2.0)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_rules_say_which_side_is_good(mode):
    for rule in (
        control.plateau(mode=mode),
        control.early_stopping(1, mode=mode),
        control.keep_best(mode=mode),
    ):
        assert rule.mode == mode
    assert control.generalization_loss(5.0).mode == "min"


def answers_to(rule, metrics):
    """What the rule answers to each metric, and its last state."""
    state, answers = rule.init(), []
    for metric in metrics:
        stop, state = rule.update(metric, state)
        answers.append(bool(stop))
    return answers, state


@pytest.mark.parametrize("start_from", [0, 1, 3])
def test_the_warm_up_is_as_if_it_had_not_been_observed(start_from):
    metrics = (0.5, 3.0, 2.0, 2.5, 2.4, 2.3)
    rule = control.early_stopping(1, start_from=start_from, keep_best=False)
    answers, state = answers_to(rule, metrics)
    plain = control.early_stopping(1, keep_best=False)
    later, wanted = answers_to(plain, metrics[start_from:])
    assert answers == [False] * start_from + later
    assert float(state.best_value) == float(wanted.best_value)
    assert int(state.best_observation) == start_from + int(wanted.best_observation)


def test_nothing_is_best_in_a_warm_up_that_never_ends():
    answers, state = answers_to(
        control.early_stopping(0, start_from=9, keep_best=False), (3.0, 4.0, 5.0, 1.0)
    )
    assert not any(answers) and int(state.best_observation) == 0


@pytest.mark.parametrize("mode, sign", [("min", 1.0), ("max", -1.0)])
@pytest.mark.parametrize("best", [100.0, -100.0])
def test_a_relative_margin_is_a_part_of_the_best(mode, sign, best):
    """A tenth of 100 is 10, whatever the sign of the best."""
    rule = control.early_stopping(
        9, min_delta=0.1, threshold_mode="signed", mode=mode, keep_best=False
    )
    _, state = answers_to(rule, (best, best - sign * 9.5))
    assert int(state.best_observation) == 1
    _, state = answers_to(rule, (best, best - sign * 10.5))
    assert int(state.best_observation) == 2
