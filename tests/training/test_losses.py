"""The classification loss against optax, identities and hand-made cases."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import training
from tests.training.nets import examples
from tests.untyped import untyped

LOGITS = jnp.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [100.0, 0.0, -3.0]])
LABELS = jnp.array([0, 2, 1])


class Echo(nn.Module):
    """Gives back its input as logits."""

    def __call__(self, x, *, train):
        return x


def eager_losses_of(labels=LABELS, logits=LOGITS, **options):
    loss = training.classification_loss(Echo(), **options)
    return loss({}, {}, {"image": logits, "label": labels}, {}, train=False)


@functools.partial(jax.jit, static_argnums=2)
def compiled_losses_of(labels, logits, options):
    return eager_losses_of(labels, logits, **dict(options))


def losses_of(labels=LABELS, logits=LOGITS, **options):
    """In one program: outside of `jit`, each operation is compiled for itself."""
    return compiled_losses_of(labels, logits, tuple(options.items()))


@pytest.mark.slow
def test_equals_optax_and_stays_finite_at_large_gaps():
    losses, (model_state, metrics) = losses_of()
    want = optax.softmax_cross_entropy_with_integer_labels(LOGITS, LABELS)
    chex.assert_trees_all_close(losses, want, rtol=1e-6)
    assert float(losses[2]) == pytest.approx(100.0)
    assert model_state == {}
    assert metrics["accuracy"].tolist() == [1.0, 0.0, 0.0]


def test_loss_of_mixed_labels_is_the_mixture_of_the_losses():
    first, second = jax.nn.one_hot(LABELS, 3), jax.nn.one_hot((LABELS + 1) % 3, 3)
    mixed = losses_of(0.3 * first + 0.7 * second)[0]
    apart = 0.3 * losses_of(first)[0] + 0.7 * losses_of(second)[0]
    chex.assert_trees_all_close(mixed, apart, rtol=1e-6)


def test_smoothing_mixes_with_the_uniform_distribution():
    uniform = jnp.full((3, 3), 1 / 3)
    want = 0.9 * losses_of()[0] + 0.1 * losses_of(uniform)[0]
    chex.assert_trees_all_close(losses_of(label_smoothing=0.1)[0], want, rtol=1e-6)


def test_class_weights_multiply_the_losses_of_their_class():
    weighted = losses_of(class_weights=(1.0, 5.0, 0.5))[0]
    chex.assert_trees_all_close(weighted, losses_of()[0] * jnp.array([1.0, 0.5, 5.0]), rtol=1e-6)


@pytest.mark.parametrize("k, want", [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1])])
def test_top_k_counts_labels_among_the_k_largest(k, want):
    metrics = losses_of(top_k=(k,))[1][1]
    assert metrics[f"top_{k}_accuracy"].tolist() == want


def test_a_label_is_never_found_among_nan():
    """A network that has blown up is not right about everything."""
    metrics = losses_of(logits=jnp.full((3, 3), jnp.nan), top_k=(2,))[1][1]
    assert metrics["accuracy"].tolist() == metrics["top_2_accuracy"].tolist() == [0, 0, 0]


def test_smoothing_may_be_traced():
    first = jax.vmap(lambda smoothing: eager_losses_of(label_smoothing=smoothing)[0][0])
    values = jax.jit(first)(jnp.array([0.0, 0.1]))
    assert float(values[0]) == pytest.approx(float(losses_of()[0][0]))
    assert float(values[1]) > float(values[0])


@pytest.mark.slow
def test_whole_numbers_are_scaled_and_floats_left_alone():
    grey = jnp.array([[255, 0]], jnp.uint8)
    loss = training.classification_loss(Echo())
    for image, gap in ((grey, 1.0), (grey.astype(jnp.float32), 255.0)):
        losses, _ = loss({}, {}, {"image": image, "label": jnp.array([1])}, {}, train=False)
        assert float(losses[0]) == pytest.approx(float(jnp.logaddexp(gap, 0.0)), rel=1e-6)


@pytest.mark.slow
def test_preprocess_replaces_the_scaling():
    loss = training.classification_loss(Echo(), preprocess=lambda x: x * 2.0)
    batch = {"image": jnp.array([[1.0, 0.0]]), "label": jnp.array([0])}
    losses, _ = loss({}, {}, batch, {}, train=False)
    assert float(losses[0]) == pytest.approx(float(jnp.logaddexp(0.0, -2.0)), rel=1e-5)


def test_equal_logits_are_right_about_one_class_only():
    """As `argmax` has it: a dead network is at chance, not at 100 %."""
    metrics = losses_of(jnp.arange(3), jnp.zeros((3, 3)), top_k=(2,))[1][1]
    assert metrics["accuracy"].tolist() == [1, 0, 0]
    assert metrics["top_2_accuracy"].tolist() == [1, 1, 0]


def test_labels_out_of_range_are_nan_and_not_a_loss_of_zero():
    losses = losses_of(jnp.array([0, 3, -1]))[0]
    assert jnp.isnan(losses).tolist() == [False, True, True]


@pytest.mark.parametrize(
    "labels, options, match",
    [
        (LABELS[:, None], {}, r"label must be integers \[batch\] .*, got int32 \[3, 1\]"),
        (jnp.ones((3, 1)), {}, r"label must be .* floating \[batch, 3\], got float32 \[3, 1\]"),
        (
            LABELS,
            {"class_weights": (1.0, 2.0)},
            r"class_weights must .* of 3 classes, got .*2",
        ),
        (LABELS, {"class_weights": (1.0, 2.0, -1.0)}, "class_weights must be .*at least 0, got"),
        (LABELS, {"top_k": (1, 0)}, r"top_k\[1\] must be at least 1, got 0"),
        (LABELS, {"top_k": (4,)}, "top_k must be at most the 3 classes, got 4"),
    ],
)
def test_labels_and_options_of_other_shapes_are_refused(labels, options, match):
    with pytest.raises(ValueError, match=match):
        eager_losses_of(labels, **options)


def test_a_batch_without_labels_is_named():
    loss = training.classification_loss(Echo())
    with pytest.raises(ValueError, match=r"batch must hold .* got \['image'\]"):
        loss({}, {}, {"image": jnp.ones((2, 3))}, {}, train=False)


def test_one_number_is_no_sequence_of_top_k():
    with untyped(), pytest.raises(TypeError, match="top_k must be a Sequence, got 5"):
        eager_losses_of(top_k=5)


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int8, jnp.int32])
@pytest.mark.parametrize("classes", [200, 256, 300])
def test_labels_of_narrow_types_mean_what_they_say(dtype, classes):
    """In uint8 the class 256 is the class 0, and no label is under 256."""
    logits = jax.random.normal(jax.random.key(0), (3, classes))
    labels = jnp.array([0, 3, 44])
    want = losses_of(labels, logits)[0]
    chex.assert_trees_all_equal(losses_of(labels.astype(dtype), logits)[0], want)


@pytest.mark.slow
def test_narrow_probabilities_and_weights_are_computed_in_single_precision():
    rows = jax.nn.one_hot(LABELS, 3)
    want = losses_of(rows, label_smoothing=0.1)[0]
    chex.assert_trees_all_close(losses_of(rows.astype(jnp.bfloat16), label_smoothing=0.1)[0], want)

    def ones(params, model_state, batch, keys, *, train):
        return jnp.ones(301) + 0 * params, (model_state, {"count": jnp.ones(301, jnp.int32)})

    trainer = training.trainer(ones, optax.sgd(0.1))
    batch = {"weight": jnp.ones(301, jnp.bfloat16)}
    with jax.numpy_dtype_promotion("strict"):
        sums = trainer.evaluate({"params": jnp.float32(0)}, batch)
    assert {name: float(value) for name, value in sums.items()} == dict.fromkeys(sums, 301.0)


def test_truth_values_are_pixels_of_0_and_1():
    images = jnp.array([[True, False, True]] * 3)
    chex.assert_trees_all_equal(losses_of(logits=images)[0], losses_of(logits=1.0 * images)[0])


@pytest.mark.slow
def test_a_models_own_mask_is_not_that_of_the_examples():
    """A transformer's mask says which places see which; it was given which examples count."""

    class Transformer(nn.Module):
        @nn.compact
        def __call__(self, x, *, train, mask=None):
            assert mask is None
            return nn.Dense(3)(x.reshape(len(x), -1))

    def function(variables, inputs, *, train, rngs, mask=None):
        assert mask is None
        return jnp.tile(variables["params"], (len(inputs), 1)), {}

    data = {**examples(8), "weight": np.float32([1, 1, 1, 1, 1, 1, 0, 0])}
    images = jnp.zeros((2, 4, 3, 1))
    init = jax.jit(Transformer().init, static_argnames="train")
    drawn = init(jax.random.key(0), images, train=False)
    for model, variables in ((Transformer(), drawn), (function, {"params": jnp.ones(3)})):
        ours = training.trainer(training.classification_loss(model), optax.sgd(0.1))
        _, metrics = jax.jit(ours.step)(ours.init(variables), data, jax.random.key(0))
        assert float(metrics["weight"]) == 6
