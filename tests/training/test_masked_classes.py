"""Classes that cannot be chosen and labels that are ignored, against float64 and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import training
from tests.training.test_losses import Echo

LOGITS = np.float32([[2, -np.inf, 0.5], [-np.inf, 0, 3], [1, -2, -np.inf], [90, 0, -np.inf]])
LABELS = np.array([2, 1, 0, 0])
BATCH = {"label": LABELS, "image": LOGITS}


def total(logits, batch, **options):
    loss = training.classification_loss(Echo(), **options)
    trainer = training.trainer(loss, optax.sgd(0.0))
    sums = trainer.evaluate({"params": {}}, {**batch, "image": logits})
    return sums["loss"] / sums["weight"], sums


def by_float64(label, weight, class_weights):
    """Loss and gradient by their formulas: the classes that cannot be chosen are left out."""
    loss, gradient = 0.0, np.zeros(LOGITS.shape)
    for row in range(len(LOGITS)):
        logits = LOGITS[row].astype(np.float64)
        if weight[row] == 0:
            continue
        p = np.exp(logits - logits.max())
        p /= p.sum()
        share = weight[row] / weight.sum() * class_weights[label[row]]
        loss -= share * np.log(p[label[row]])
        gradient[row] = share * (p - np.eye(3)[label[row]])
    return loss, gradient


@pytest.mark.slow
@pytest.mark.parametrize("ignored", [[], [1], [0, 3]])
@pytest.mark.parametrize("class_weights", [(1.0, 1.0, 1.0), (0.5, 2.0, 0.0)])
def test_value_and_gradient_are_those_of_float64(ignored, class_weights):
    label, weight = LABELS.copy(), np.ones(4, np.float32)
    label[ignored], weight[ignored] = -100, 0
    batch = {"label": label, "weight": (label != -100).astype(np.float32)}
    options = {"class_weights": class_weights}
    grad = jax.value_and_grad(lambda x: total(x, batch, **options), has_aux=True)
    (loss, sums), gradient = jax.jit(grad)(LOGITS)
    want, want_gradient = by_float64(label, weight, class_weights)
    np.testing.assert_allclose(loss, want, rtol=1e-6)
    np.testing.assert_allclose(gradient, want_gradient, rtol=1e-5, atol=1e-7)
    right = (LOGITS.argmax(1) == label) & (weight > 0)
    assert float(sums["accuracy"]) == right.sum()


@pytest.mark.parametrize("ignored", [[], [1], [0, 3]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_pytorch(ignored, smoothing):
    torch = pytest.importorskip("torch")
    label, logits = LABELS.copy(), torch.tensor(LOGITS, requires_grad=True)
    label[ignored] = -100
    batch = {"label": label, "weight": np.float32(label != -100)}
    finite = np.where(np.isinf(LOGITS), -5, LOGITS) if smoothing else LOGITS
    logits = torch.tensor(finite, dtype=torch.float64, requires_grad=True)
    want = torch.nn.functional.cross_entropy(logits, torch.tensor(label), label_smoothing=smoothing)
    want.backward()
    grad = jax.value_and_grad(lambda x: total(x, batch, label_smoothing=smoothing)[0])
    loss, gradient = jax.jit(grad)(jnp.asarray(finite))
    np.testing.assert_allclose(loss, want.item(), rtol=1e-6)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_a_label_that_cannot_be_chosen_is_infinite_and_one_out_of_range_not_a_number():
    of_labels = jax.jit(lambda label: total(LOGITS, {"label": label}))
    loss, _ = of_labels(np.array([1, 1, 0, 0]))
    assert np.isinf(loss)
    _, sums = of_labels(np.array([-1, 1, 0, 0]))
    assert np.isnan(sums["loss"]) and np.isnan(sums["accuracy"])


def test_the_gradient_by_the_smoothing_is_finite_without_any():
    logits = np.array([2.0, -1.0, 1.5])

    def by(smoothing):
        batch = {"label": LABELS[:1]}
        return total(np.float32(logits)[None], batch, label_smoothing=smoothing)[0]

    slope = jax.jit(jax.grad(by))(0.0)
    log_p = logits - np.log(np.exp(logits).sum())
    np.testing.assert_allclose(slope, log_p[2] - log_p.mean(), rtol=1e-5)


def test_label_smoothing_leaves_out_what_cannot_be_chosen():
    """Of each row the loss is that of its finite logits alone."""
    label, smoothing = np.array([2, 1, 0, 0]), 0.3
    batch = {"label": label, "weight": np.ones(4, np.float32)}
    grad = jax.value_and_grad(lambda x: total(x, batch, label_smoothing=smoothing), has_aux=True)
    (loss, _), gradient = jax.jit(grad)(LOGITS)
    want, want_gradient = 0.0, np.zeros(LOGITS.shape)
    for row in range(len(LOGITS)):
        logits = LOGITS[row].astype(np.float64)
        open_ = np.isfinite(logits)
        p = np.where(open_, np.exp(logits - logits.max()), 0)
        p /= p.sum()
        q = (1 - smoothing) * np.eye(3)[label[row]] + smoothing * open_ / open_.sum()
        want -= np.sum(q[open_] * np.log(p[open_])) / 4
        want_gradient[row] = (p - q) / 4
    np.testing.assert_allclose(loss, want, rtol=1e-6)
    np.testing.assert_allclose(gradient, want_gradient, rtol=1e-5, atol=1e-7)
