"""Numbers of the dropout experiments that have a closed form, and pictures that show real masks."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from experiments import lab
from experiments.dropout import at_which_layers_can_dropout_stand as places
from experiments.dropout import do_convolutions_need_dropout as convolutions
from experiments.dropout import does_dropout_commute_with_the_activation as order
from experiments.dropout import does_dropout_remove_units_or_connections as parts
from experiments.dropout import does_inverted_dropout_need_no_scaling_later as inverted
from experiments.dropout import does_scaling_after_the_activation_keep_the_mean as late
from experiments.dropout import does_weight_scaling_give_the_mean_output as scaling
from experiments.dropout import is_every_mask_a_new_model as masks
from experiments.dropout import what_changes_between_training_and_evaluation as modes
from experiments.dropout import what_does_the_p_of_dropout_mean as meaning
from experiments.dropout import which_networks_does_dropout_train as trained
from experiments.dropout import which_regions_does_fractional_pooling_draw as pooling
from experiments.engine._style import RC
from jaxtricks import models, optimizers, regularizers


@pytest.mark.slow
def test_printed_form_is_right_for_a_linear_map_without_biases_only():
    """Wa has variance 1 and b 1/4, so the slope of Wa + 2b is 1 + 1/4 / (5/4) by its law.

    256 units tell it to 0.03, 1,000 masks a mean to 0.03 of one unit's deviation.
    """
    config = late.Config(units=256, masks=1000)
    found = late.measure(jax.random.key(0), act=late.ACTIVATIONS["identity"], config=config)
    with_biases, without = found["slopes"]["printed"]
    np.testing.assert_allclose(with_biases, 1.2, atol=0.15)
    np.testing.assert_allclose(without, 1, atol=0.02)
    np.testing.assert_allclose(found["sum"], 1 / (1 - late.RATE), rtol=1e-5)


@pytest.mark.slow
def test_relu_without_biases_is_alike_in_both_forms():
    """ReLU keeps factors above 0."""
    config = late.Config(units=8, masks=500)
    found = late.measure(jax.random.key(0), act=late.ACTIVATIONS["ReLU"], config=config)
    assert found["apart"] == 0


@pytest.mark.slow
def test_a_step_of_inverted_dropout_goes_as_far_as_the_law_says():
    x, rates = jax.random.normal(jax.random.key(0), (32, 64)), np.array(inverted.RATES)
    found = inverted.compare(x, jnp.array(rates), width=64)
    np.testing.assert_allclose(found["step"], 1 / (1 - rates) ** 2, rtol=1e-4)


def test_mean_outputs_of_both_orders_have_their_two_values():
    """With a share s of masks that keep: s f(2x) + (1 - s) f(0), and 2 s f(x)."""
    at = jnp.array([-2.0, 0.5, 3.0])
    found = order.mean_outputs(at)["sigmoid"]
    share = found["after"] / (2 * jax.nn.sigmoid(at))
    np.testing.assert_allclose(share, share[0], rtol=1e-5)
    before = share * jax.nn.sigmoid(2 * at) + (1 - share) / 2
    np.testing.assert_allclose(found["before"], before, rtol=1e-5)


@pytest.mark.slow
def test_drop_for_keep_is_wrong_by_their_ratio():
    found = scaling.linear_layers(jax.random.split(jax.random.key(0), 3))
    for rate in scaling.ERRATUM_RATES:
        rows = found[f"{rate:g}"]
        np.testing.assert_allclose(rows["right ratio"], 1, rtol=1e-4)
        np.testing.assert_allclose(rows["printed ratio"], rate / (1 - rate), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_distance_from_a_noisy_mean_has_no_bias(offset):
    """Of noise of deviation 1 the mean of 2,000 repeats is off by 0.02 per entry."""
    right = jnp.linspace(-2, 2, 200).reshape(20, 10)

    def repeat(key):
        return right + offset + jax.random.normal(key, right.shape)

    found = scaling.against_mean(repeat, right, right + offset, jax.random.key(0), 2000)
    size = np.sqrt(np.mean((right + offset) ** 2))
    np.testing.assert_allclose(found["distance"], offset / size, atol=0.01)
    assert found["printed distance"] < 0.01
    np.testing.assert_allclose(found["variance"], 1 / size**2, rtol=0.02)


def test_masks_are_counted():
    three_of_four = np.array([[1, 2], [3, 4], [1, 2], [1, 3]], np.uint8)
    assert masks.most_common(three_of_four) == (1, 2)
    assert masks.most_common(three_of_four, rows=8) == (1, 16)
    # Two masks of 2 units: alike in a quarter of the cases.
    np.testing.assert_allclose(masks.expected_repeats(np.array([1.0]), 2), 0.25)


@pytest.mark.slow
def test_masks_of_a_run_repeat_as_often_as_the_law_says():
    """All 16 masks of two layers of 2 units come in 512 draws."""
    config = masks.Config(examples=512, epochs=1, batch=64)
    drawn = masks.run_masks(config, 2, jax.random.key(0))
    assert drawn.shape == (512, 1)
    assert masks.most_common(drawn)[0] == 512 - 16
    shared = masks.run_masks(config, 2, jax.random.key(0), shared=True)
    assert shared.shape == (8, 1)


@pytest.mark.slow
def test_parameters_of_a_sub_network():
    first, second = jnp.arange(200) < 50, jnp.arange(200) < 20
    ours = masks.parameters_of([first, second])
    assert masks.count(ours) == 65 * 50 + 51 * 20 + 21 * 10 - 0


@pytest.mark.slow
def test_p_is_read_as_a_rate():
    results = meaning.run(meaning.SMOKE)
    values, draws = np.array(results["values"]), meaning.SMOKE.draws * meaning.SMOKE.units
    error = 5 * np.sqrt(values * (1 - values) / draws) + 1e-6
    assert (abs(results["share"]["rate"] - values) <= error).all()
    assert (abs(results["share"]["keep"] - (1 - values)) <= error).all()
    assert results["gone"][-1] == 1


@pytest.mark.slow
def test_regions_tile_the_image_and_sizes_are_grahams():
    results = pooling.run(pooling.Config(largest=20, draws=20))
    assert set(results["heights"]["disjoint"]) <= {1, 2}
    assert set(results["heights"]["overlapping"]) <= {2, 3}
    for found in results["draws"].values():
        rows, columns = found["first"][:, 0, 0], found["last"][:, 0, 0]
        np.testing.assert_array_equal(rows[1:], columns[:-1] + 1)
        assert rows[0] == 0 and columns[-1] == len(results["image"]) - 1
    beyond = np.stack(list(results["outputs"].values())) - np.floor(results["sizes"] / 2**0.5)
    assert set(np.unique(beyond)) <= {0, 1}


@pytest.mark.slow
def test_evaluation_does_not_vary_and_training_does():
    """Logits behind dropout are linear in the mask, so that their mean is evaluation's."""
    results = modes.run(modes.SMOKE)
    for found in results["networks"].values():
        assert found["in evaluation"]["deviation"] == 0
        assert found["in training"]["deviation"] > 0
    training, evaluation = (results["networks"]["dropout"][mode] for mode in modes.MODES)
    error = training["deviation"] / results["repeats"] ** 0.5
    assert abs(training["mean"] - evaluation["mean"]) < 5 * error


@pytest.mark.slow
def test_the_picture_shows_the_masks_that_were_drawn():
    results = parts.run(parts.SMOKE)
    with plt.rc_context(RC):
        figure = parts.draw(results)
    _, thinned, connected, *_ = figure.axes
    crosses = sum(len(line.get_xdata()) for line in thinned.lines if line.get_marker() == "x")
    assert crosses == sum(int(np.sum(~np.asarray(mask))) for mask in results["units"])
    lines = [c for c in connected.collections if isinstance(c, LineCollection)]
    kept = [int(np.sum(mask)) for mask in results["connections"]]
    assert [len(one.get_segments()) for one in lines] == kept
    plt.close(figure)


@pytest.mark.slow
def test_shown_masks_are_those_of_the_run():
    """A unit that an update drops keeps its incoming weights in that update."""
    net = models.MLP((12, 12, 10), dropout_rates=0.5, block=trained.shared_block)
    images = np.random.default_rng(0).integers(1, 255, (trained.BATCH, 4, 4, 1), np.uint8)
    fit = {"image": images, "label": np.arange(trained.BATCH) % 10}
    key = jax.random.key(3)
    first = lab.first_variables(net, key, fit)
    ours = lab.trainer(net, optimizers.gradient_descent(0.1), ("dropout",))
    _, looks = lab.train(
        ours, first, fit, key=key, epochs=trained.SHOWN, batch=trained.BATCH,
        look=lambda state: state.params,
    )  # fmt: skip
    drawn = np.asarray(trained.first_masks(net, first, fit, key))
    for layer in range(2):
        name = f"Dense_{layer}"
        before = np.asarray(first["params"][name]["kernel"])[None]
        every = np.concatenate([before, looks[name]["kernel"]])
        changed = np.any(np.diff(every, axis=0) != 0, axis=1)  # [update, unit]
        assert not changed[~drawn[:, layer]].any()
        assert changed[drawn[:, layer]].mean() > 0.5  # dead ReLUs aside


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(places.PLACES)))
def test_rate_1_cuts_the_network_at_its_place(place):
    """Behind it nothing depends on the input."""
    net = places.net(8, np.eye(len(places.PLACES), dtype=np.float32)[place])
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    variables = net.init(jax.random.key(0), images, train=False)
    rngs = {"dropout": jax.random.key(1)}
    logits = np.asarray(net.apply(variables, images, train=True, rngs=rngs))
    np.testing.assert_array_equal(logits, np.broadcast_to(logits[:1], logits.shape))
    evaluated = np.asarray(net.apply(variables, images, train=False))
    assert np.ptp(evaluated, axis=0).max() > 0


@pytest.mark.parametrize("config, side", [(convolutions.Config(), 16), (convolutions.FULL, 32)])
def test_the_small_dense_network_has_the_parameters_of_the_convolutions(config, side):
    sizes = {}
    for kind, layers in ((convolutions.SMALL, nn.Dense), (convolutions.CONV, models.Conv)):
        net = convolutions.network(config, convolutions.Arm(kind, convolutions.PLAIN, "none"))
        images = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        params = jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), images)
        own = [i for i, layer in enumerate(net.layers) if isinstance(layer, layers)]
        rows = [params["params"][f"layers_{i}"] for i in own]
        sizes[kind] = sum(leaf.size for leaf in jax.tree.leaves(rows))
    assert 0.97 < sizes[convolutions.SMALL] / sizes[convolutions.CONV] <= 1


def test_dropout_stands_behind_convolutions_or_behind_dense_layers():
    config = convolutions.Config()
    for kind, rates in ((convolutions.CONV, [0.25] * 3), (convolutions.LARGE, [0.5] * 2)):
        for drop, factor in ((convolutions.DROPOUT, 1), (convolutions.NONE, 0)):
            net = convolutions.network(config, convolutions.Arm(kind, convolutions.NORM, drop))
            found = [own.rate for own in net.layers if isinstance(own, regularizers.Dropout)]
            assert found == [factor * rate for rate in rates]


@pytest.mark.parametrize("agree", [True, False])
def test_a_quarter_of_the_epochs_chooses_only_where_its_ranks_agree(monkeypatch, tmp_path, agree):
    config = convolutions.Config()
    rising = np.arange(8.0)[:, None] + np.zeros(3)

    def losses(self, arm, epochs, seeds):
        up = agree or epochs == config.epochs[0]
        return (rising if up else rising[::-1])[:, : len(seeds)] + epochs

    def found(self, name, arm, epochs, rates, seeds, *, judged):
        return {"test error": np.full((1, len(seeds)), rates[0])}

    monkeypatch.setattr(convolutions.Study, "losses", losses)
    monkeypatch.setattr(convolutions.Study, "found", found)
    study = convolutions.Study(config, None, tmp_path)
    arm = study.tuned(convolutions.Arm(convolutions.LARGE, convolutions.PLAIN, convolutions.NONE))
    assert arm["ranks"] == pytest.approx(1 if agree else -1)
    epochs = config.epochs[0] // 4 if agree else config.epochs[0]
    np.testing.assert_allclose(arm["losses"], rising + epochs)
    assert float(lab.best(arm).trial["rate"]) == config.rates[0]


def test_the_gain_of_one_network_is_that_of_dropout_and_of_two_their_difference():
    fives, arm = np.full(10, 5.0), {"losses": np.zeros((1, 3)), "numbers": [0]}
    noise = np.linspace(0, 1, 10)
    arms = [
        lab.best(
            {**arm, "trials": {"rate": [0.1]}, "tested": {"test error": (x * fives + n)[None]}}
        )
        for x, n in ((4, noise), (3, 0), (2, 0), (1.5, noise))
    ]
    assert convolutions.gain(*arms[:2]).value == pytest.approx(5.5)
    assert convolutions.gain(*arms).value == pytest.approx(5.5 - 2)
