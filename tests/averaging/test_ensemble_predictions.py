"""Mean predictions against probabilities averaged by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.averaging import ensemble_predictions

P = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.4, 0.6], [0.2, 0.8]], [[0.8, 0.2], [0.5, 0.5]]])
LOGITS = jnp.log(jnp.asarray(P, jnp.float32)) + 7.0  # a constant is no evidence

compiled = jax.jit(ensemble_predictions, static_argnames="average")


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 3.0]])
def test_by_hand(weights):
    share = np.full(3, 1 / 3) if weights is None else np.array([0.25, 0.0, 0.75])
    arithmetic = np.einsum("m,mbc->bc", share, P)
    geometric = np.prod(P ** share[:, None, None], axis=0)
    geometric /= geometric.sum(axis=-1, keepdims=True)
    got = ensemble_predictions(LOGITS, weights=weights)
    np.testing.assert_allclose(np.exp(got), arithmetic, rtol=1e-5)
    got = ensemble_predictions(LOGITS, weights=weights, average="logits")
    np.testing.assert_allclose(np.exp(got), geometric, rtol=1e-5)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_one_member_and_equal_members_predict_as_one(average):
    want = jax.nn.log_softmax(LOGITS[0])
    for members in (1, 4):
        logits = jnp.stack([LOGITS[0]] * members)
        got = compiled(logits, average=average)
        np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("average, want", [("probabilities", np.log(0.5)), ("logits", 0.0)])
def test_tiny_probabilities_survive(average, want):
    """The sure member's least class has probability e^-500, 0 in float32."""
    logits = jnp.array([[[500.0, 0.0, 0.0]], [[0.0, 300.0, 0.0]]])
    got = np.asarray(compiled(logits, average=average))
    np.testing.assert_allclose(got[0, 0], want, atol=1e-6)
    # (e^-500 + e^-300) / 2; and e^-250 against the winner's e^0
    third = {"probabilities": -300 - np.log(2), "logits": -250.0}[average]
    np.testing.assert_allclose(got[0, 2], third, rtol=1e-6)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_a_diverged_member_of_weight_zero_is_ignored(average):
    logits = jnp.concatenate([LOGITS[:1], jnp.full((1, 2, 2), jnp.nan)])

    def total(logits, weights):
        return ensemble_predictions(logits, average=average, weights=weights)[0, 0]

    value, slope = jax.jit(jax.value_and_grad(total))(logits, jnp.array([2.0, 0.0]))
    np.testing.assert_allclose(value, np.log(0.9), rtol=1e-5)
    np.testing.assert_allclose(slope[0, 0], [0.1, -0.1], rtol=1e-5)
    assert jnp.all(slope[1] == 0)


def test_jit_and_vmap_over_weights_agree_and_half_precision_is_widened():
    weights = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
    got = jax.jit(jax.vmap(lambda w: ensemble_predictions(LOGITS, weights=w)))(weights)
    for row, w in zip(got, weights, strict=True):
        np.testing.assert_allclose(row, ensemble_predictions(LOGITS, weights=w), rtol=1e-6)
    assert ensemble_predictions(LOGITS.astype(jnp.bfloat16)).dtype == jnp.float32


@pytest.mark.parametrize(
    "options, message",
    [
        ({"weights": [1.0, 1.0]}, "weights must be 3 numbers, one per member, got"),
        ({"weights": [1.0, -1.0, 1.0]}, "weights must be finite, at least 0 and not all 0"),
        ({"weights": [0.0, 0.0, 0.0]}, "weights must be finite, at least 0 and not all 0"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ensemble_predictions(LOGITS, **options)


def test_no_member_is_refused():
    with pytest.raises(
        ValueError, match=r"logits must be \[members, batch, classes\], got the shape"
    ):
        ensemble_predictions(LOGITS[:0])
