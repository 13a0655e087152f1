"""Numbers of the early-stopping experiments that have a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import lab
from experiments.early_stopping import (
    _rules,
    _runs,
    does_stopping_at_the_peak_help,
    how_long_must_a_decline_last,
    what_should_choose_the_parameters,
)
from jaxtricks import control


@pytest.mark.slow
def test_a_seeds_images_are_trained_with_or_held_back():
    pool = {"image": np.arange(50).reshape(50, 1), "label": np.arange(50) % 10}
    fit, held_back = _runs.draw(jax.random.key(0), pool, 20, 6, noise=0.0)
    assert (len(fit["label"]), len(held_back["label"])) == (14, 6)
    every = _runs.joined(fit, held_back)["image"][:, 0]
    assert len(np.unique(every)) == 20


def test_pixels_are_averaged_as_often_as_told(monkeypatch):
    white = {"image": np.full((3, 8, 8, 3), 255, np.uint8), "label": np.zeros(3, np.int32)}
    monkeypatch.setattr(lab, "read", lambda *_, **__: lab.Images(white, white, white, "cifar10"))
    images = _runs.read("cifar10", pool=3, shrink=2)
    assert images.pool["image"].shape == (3, 4, 4, 3) and np.all(images.pool["image"] == 255)
    assert len(images.test["label"]) == 2


def test_a_rule_is_replayed_on_a_curve():
    rule = control.early_stopping(1, keep_best=False)
    found = _runs.stop(rule, jnp.array([3.0, 2.0, 2.5, 2.2, 1.0]))
    assert {name: int(value) for name, value in found.items()} == {"best": 2, "trained": 4}
    curves = np.array([[5.0, 4.0, 3.0], [7.0, 8.0, 9.0]])
    assert _runs.at(curves, np.array([1, 3])).tolist() == [5.0, 9.0]


@pytest.fixture(scope="module")
def replayed():
    """Of seven runs of 60 epochs whose curves are noise around a valley."""
    rng, epochs = np.random.default_rng(0), np.arange(60)
    valley = 10 + np.abs(epochs - 20) / 10
    curves = {
        name: jnp.asarray(valley + rng.normal(0, 0.5, (7, 60)), jnp.float32)
        for name in ("validation error", "validation loss", "train loss")
    }
    return curves, jax.device_get(_rules.replay(curves))


@pytest.mark.slow
def test_more_patience_trains_longer_and_finds_a_better_best(replayed):
    curves, found = replayed
    for family, curve in ((_rules.ERROR, "validation error"), (_rules.LOSS, "validation loss")):
        best, trained = found[family]["best"], found[family]["trained"]
        errors = np.stack([_runs.at(curves[curve], row) for row in best])
        assert np.all(np.diff(trained, axis=0) >= 0) and np.all(np.diff(errors, axis=0) <= 0)
        patience = np.array(_rules.PATIENCE)[:, None]
        stopped = trained < 60
        assert np.all((trained == best + patience + 1)[stopped]) and stopped[:5].all()


@pytest.mark.slow
def test_the_rules_of_a_family_are_those_of_the_library(replayed):
    curves, found = replayed
    for family, (make, numbers, looks_at) in _rules.FAMILIES.items():
        rule = make(numbers[1])
        state, update = rule.init(), jax.jit(rule.update)
        for values in zip(*(curves[name][2] for name in looks_at), strict=True):
            stop, state = update(values if len(values) > 1 else values[0], state)
            if stop:
                break
        assert found[family]["trained"][1, 2] == state.count, family
        assert found[family]["best"][1, 2] == state.best_observation, family


def test_an_oracle_that_is_measured_on_other_images_has_no_luck():
    """Both halves alike: nothing lost at the lowest. Pure noise: the lowest is luck alone."""
    curve, best = np.array([[3.0, 1.0, 2.0]]), np.array([[2], [3]])
    for lost in _rules.lost(curve, curve, best).values():
        assert lost.tolist() == [[0.0], [1.0]]
    first, second = np.random.default_rng(0).normal(0, 1, (2, 4000, 30))
    found = _rules.lost(first, second, np.full((1, 4000), 7))
    assert abs(found["lost to a fresh oracle"].mean()) < 0.05
    assert found["lost"].mean() == pytest.approx(2.04 / np.sqrt(2), abs=0.05)  # least of 30 normals


def test_criteria_are_compared_at_equal_cost():
    def rows(*values):
        return np.repeat(np.array(values, float)[:, None], 2, axis=1)

    setting = {
        _rules.LOSS: {"trained": rows(2, 10), "lost": rows(3, 1)},
        "GL": {"trained": rows(6, 10, 99), "lost": rows(2, 0.5, 1)},
    }
    assert _rules.at_equal_cost(setting, "GL") == pytest.approx([0.0, -0.5, 0.0])


def test_a_net_that_does_not_learn_its_images_does_not_overfit():
    learned, gap = np.array([0.1, 0.4]), np.array([5.1, 6.0])
    assert _runs.overfits(learned, gap, least=3).passed
    assert not _runs.overfits(np.array([0.1, 0.6]), gap, least=3).passed
    assert not _runs.overfits(learned, np.array([5.1, 3.0]), least=3).passed


def test_the_models_of_a_run_are_those_of_its_epochs():
    results = {
        "test error": np.array([[9.0, 5.0, 6.0, 8.0]]),
        "validation error": np.array([[4.0, 3.0, 3.0, 2.0]]),
        "retrained": np.array([[7.0, 3.0, 3.5, 4.0]]),
        "norm": np.array([[1.0, 2.0, 3.0, 4.0]]),
        "best": np.array([2]),
        "trained": np.array([3]),
    }
    found = does_stopping_at_the_peak_help.errors(results)
    assert {name: values.tolist() for name, values in found.items()} == {
        "best of all epochs": [8.0],
        "at the end": [8.0],
        "best before the stop": [5.0],
        "at the stop": [6.0],
        "trained again": [3.0],
        "norm": [1.0],
    }


@pytest.mark.parametrize(
    ("scale", "outcomes"), [(0.1, ["confirmed", "no difference"]), (1.0, ["refuted", "confirmed"])]
)
def test_patience_is_judged_by_the_settings_it_loses_little_in(scale, outcomes):
    """Patience of 3 and more loses `scale` points, none 3 times as many, up to a tenth of them."""
    rng = np.random.default_rng(0)

    def setting():
        lost = np.array([3.0, 2.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0])[:, None]
        lost = scale * lost * rng.uniform(0.95, 1.05) * rng.uniform(0.95, 1.05, (1, 5))
        patience = {"lost": lost, "lost to a fresh oracle": lost, "trained": 4 - lost}
        criterion = {name: values[:3] for name, values in patience.items()}
        families = dict.fromkeys((_rules.ERROR, _rules.LOSS), patience)
        families |= dict.fromkeys(_rules.CRITERIA, criterion)
        return families | {"train error": np.full(5, 0.1), "test error": np.full(5, 30.0)}

    settings = {str(number): setting() for number in range(12)}
    sizes = dict.fromkeys(("count", "held_back", "noise", "wide", "epochs"), 1)
    results = {"data_sets": ["mnist", "cifar10"], "data_set": "mnist", "settings": settings}
    judge = how_long_must_a_decline_last.judge
    verdicts = judge(results | sizes)
    assert [verdict.outcome for verdict in verdicts] == outcomes
    assert len(verdicts[0].beside) == 5 + 9
    alone = judge(results | sizes | {"data_sets": ["digits", "digits"], "data_set": "digits"})
    assert [verdict.outcome for verdict in alone] == ["not run", "not run"]


@pytest.mark.slow
def test_the_better_of_two_that_guess_looks_better_by_chance():
    """Less by the deviation over the root of pi, of an error of half and 100 images: 2.82 points.

    And it is no better than it looks on images that have not chosen it.
    """
    rng = np.random.default_rng(0)
    wrong = rng.permuted(np.arange(2 * 4000).reshape(2, 4000) % 2, axis=1)
    drawn = np.stack([rng.permutation(4000) for _ in range(3000)])
    found = what_should_choose_the_parameters.choices(np.zeros(2), wrong, drawn, 100)
    for name in ("validation", "test"):
        assert found[f"optimism of {name}"] == pytest.approx(5 / np.sqrt(np.pi), abs=0.2)
    assert abs(found["optimism of unseen"]) < 0.25
    assert found["training"] == pytest.approx(50, abs=0.2)  # the two are equal: their mean


def test_equally_good_configurations_are_averaged():
    scores, values = np.array([[1.0], [1.0], [2.0]]), np.array([[4.0, 4.0], [6.0, 8.0], [0.0, 0.0]])
    assert what_should_choose_the_parameters.chosen(scores, values) == 5.5
