"""Runs of one ReLU network on images, with dropout, with a penalty, or with neither."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import lab
from experiments.engine import Estimate, Gate, Tuned, choice_variance, mean
from jaxtricks import models, optimizers, schedules, training
from jaxtricks.probes import layer_values

MOMENTUM = 0.9
DELETED, DRAWS = 0.25, 10  # share of the hidden units that are deleted, and how often
LOOKED_AT = 2000  # test images


def trial(rates: Any, **others: Any) -> dict[str, np.ndarray]:
    """Hyper-parameters of a run, for each learning rate; what is not given is 0."""
    fields = ("drop", "l1", "l2")
    rates = np.asarray(rates, np.float32)
    values = {name: np.asarray(others.get(name, 0.0), np.float32) for name in fields}
    return {"rate": rates, **{k: np.broadcast_to(v, rates.shape) for k, v in values.items()}}


class Learned(NamedTuple):
    """A trained network.

    Attributes:
        net: the model.
        ours: its trainer.
        variables: what was learned.
        examples: from what.
        key: for whatever is drawn afterwards.
    """

    net: models.MLP
    ours: training.Trainer
    variables: Any
    examples: Any
    key: jax.Array

    def measured(self, validation: Any, test: Any) -> dict[str, jax.Array]:
        """Losses and errors of evaluation on the three sets: "test error" and so on."""
        sets = {"train": self.examples, "validation": validation, "test": test}
        return {
            f"{name} {metric}": value
            for name, some in sets.items()
            for metric, value in lab.measure(self.ours, self.variables, some).items()
        }


def learn(
    keys: Sequence[jax.Array],
    trial: Any,
    fit: Any,
    *,
    hidden: Sequence[int],
    epochs: int,
    batch: int,
) -> Learned:
    """Trains one network on the examples `fit`.

    Momentum 0.9, its rate falling to 0. Penalties are of weights, not biases: L2 in the gradient,
    L1 by its proximal step.

    Args:
        keys: three: of the first weights, of order and masks, and for whatever is drawn afterwards.
        trial: hyper-parameters, see `trial`.
        fit: the training set.
        hidden: units of the hidden layers.
        epochs: passes.
        batch: examples of an update.
    """
    init_key, run_key, look_key = keys
    net = models.MLP((*hidden, 10), dropout_rates=trial["drop"])
    steps = epochs * (len(fit["label"]) // batch)
    step = schedules.cosine_decay(trial["rate"] / (1 - MOMENTUM), steps)  # of steady gradients
    rule = optax.chain(
        optimizers.add_l2(trial["l2"], mask=optimizers.weights_only),
        lab.momentum_to_zero(trial["rate"], steps=steps, decay=MOMENTUM),
        optimizers.proximal_l1(step, trial["l1"], mask=optimizers.weights_only),
    )
    ours = training.trainer(training.classification_loss(net), rule, diagnostics=False)
    start = lab.first_variables(net, init_key, fit)
    state, _ = lab.train(ours, start, fit, key=run_key, epochs=epochs, batch=batch)
    return Learned(net, ours, ours.variables(state), fit, look_key)


def runner(
    hidden: Sequence[int], count: int, *, epochs: int, batch: int
) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, pool, validation, test)`, which learns and measures all there is.

    The key draws the training set of `count` images, the first weights, the order and the masks.
    """

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, *keys = jax.random.split(key, 4)
        fit = lab.subset(set_key, pool, count)
        learned = learn(keys, trial, fit, hidden=hidden, epochs=epochs, batch=batch)
        found = learned.measured(validation, test)
        return found | weights(learned.variables["params"]) | habits(learned, test)

    return run


def weights(params: Any) -> dict[str, jax.Array]:
    """How many weights of the hidden layers count, in percent, and the norm of all.

    The participation ratio is $(\\sum w^2)^2 / \\sum w^4$ over the number of a layer's weights, 100
    % if all are equally large; and a weight counts if it is over 1 % of its layer's rms. Layers
    count by their sizes.
    """
    kernels = [layer["kernel"].ravel() for layer in params.values()]
    squares = [jnp.square(kernel) for kernel in kernels]
    sizes = np.array([len(kernel) for kernel in kernels], np.float32)
    share = jnp.array([jnp.sum(s) ** 2 / jnp.sum(s**2) for s in squares]) / sizes
    large = jnp.array([jnp.mean(s > 1e-4 * jnp.mean(s)) for s in squares])
    parts = sizes / sizes.sum()
    return {
        "participation": 100 * jnp.sum(parts * share),
        "large weights": 100 * jnp.sum(parts * large),
        "norm": jnp.sqrt(sum(jnp.sum(s) for s in squares)),
    }


def habits(learned: Learned, test: Any) -> dict[str, jax.Array]:
    """Test errors in percent without a quarter of the hidden units, and with dropout left on, and
    the correlation of units."""
    net, ours, variables, _, key = learned
    params, keys = variables["params"], jax.random.split(key, DRAWS)

    def without_some(key: jax.Array) -> jax.Array:
        out = dict(params)
        names = sorted(params)
        for number, (before, after) in enumerate(zip(names, names[1:], strict=False)):
            size = len(params[before]["bias"])
            order = jax.random.permutation(jax.random.fold_in(key, number), size)
            stay = (order >= round(DELETED * size)).astype(jnp.float32)
            out[after] = {**out[after], "kernel": stay[:, None] * params[after]["kernel"]}
        return lab.measure(ours, {**variables, "params": out}, test)["error"]

    images, label = jnp.float32(test["image"]) / 255, jnp.asarray(test["label"])
    logits = net.apply(variables, images, train=True, rngs={"dropout": key})
    return {
        "deleted error": jnp.mean(jax.lax.map(without_some, keys)),
        "noisy error": 100 * jnp.mean(jnp.argmax(logits, axis=-1) != label),
        "correlation": correlation(net, variables, images[:LOOKED_AT]),
    }


def correlation(net: models.MLP, variables: Any, images: jax.Array) -> jax.Array:
    """Mean absolute correlation of two units of the last hidden layer; dead ones count as 0."""
    inputs = layer_values(net, variables, images, at="input", layers=nn.Dense, train=False)
    units = list(inputs.values())[-1]
    centred = units - jnp.mean(units, axis=0, keepdims=True)
    size = jnp.sqrt(jnp.sum(centred**2, axis=0, keepdims=True))
    unit = centred / jnp.where(size > 0, size, 1)
    pairs = units.shape[1] * (units.shape[1] - 1)
    return (jnp.sum(jnp.abs(unit.T @ unit)) - jnp.sum(size > 0)) / pairs


def difference(of: Callable[..., Any], *arms: Tuned) -> Estimate:
    """The mean over the judged seeds of a function of the arms' results, the choices in its
    variance."""
    values = of(*(arm.tested for arm in arms))
    return mean(values, choice_variance=choice_variance(of, *arms))


def gap(found: dict[str, np.ndarray], metric: str = "error") -> np.ndarray:
    """Test minus training."""
    return np.asarray(found[f"test {metric}"]) - np.asarray(found[f"train {metric}"])


def overfits(plain: Tuned, *, least: float, metric: str = "error") -> Gate:
    """`fit`: without a regulariser 99.5 % of the training images are learned, and a gap is left.

    Args:
        plain: the arm without a regulariser.
        least: gap, 5 times the smallest effect that matters.
        metric: the "error" in points or the "loss" in nats.
    """
    error = float(np.mean(plain.tested["train error"]))
    found = float(np.mean(gap(plain.tested, metric)))
    unit = {"error": "points", "loss": "nat"}[metric]
    return Gate(
        "fit",
        error <= 0.5 and found >= least,
        f"without a regulariser {error:.2g} % of the training images are wrong and the gap is "
        f"{found:.3g} {unit}, at least {least:g} demanded",
    )


def every(name: str, gates: Sequence[Gate]) -> Gate:
    """Several controls as one, which passes if all do."""
    return Gate(name, all(gate.passed for gate in gates), "; ".join(gate.text for gate in gates))
