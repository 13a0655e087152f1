"""Does a loss that does not fall mean that the learning rate is too low?

004:186 and 002:983 say so (E-134). A ReLU net on the handwritten digits trains with gradient
descent at rates from 1e-5 to 10, all from one start. Planted are the two ends: both losses are
flat, and each is given a higher and a lower rate.

Command: python -m experiments --only does_a_flat_loss_mean_a_low_rate      (CPU, about 4 s)
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import Verdict, data_name, demonstration, figure, ordered
from jaxtricks import data, models, optimizers

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-134",)
LOW, HIGH, BETWEEN = 1e-5, 10.0, 0.1
FLAT = 0.2  # nats from ln 10: the loss of a guess among ten classes
WIDTHS = (64, 64, 10)


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`, and `steps` on all examples at once."""

    rates: tuple[float, ...] = (LOW, BETWEEN, HIGH)
    steps: int = 300
    seed: int = 15_134


SMOKE = Config(steps=100)
FULL = Config(steps=3000)


def run(config: Config) -> dict[str, Any]:
    """The loss of each rate at every step."""
    digits = data.load("digits").train
    x = jnp.asarray(digits["image"].reshape(len(digits["label"]), -1) / 255, jnp.float32)
    y = jnp.asarray(digits["label"])
    net = models.MLP(WIDTHS)
    start = net.init(jax.random.key(config.seed), x[:1], train=False)["params"]

    def loss(params: Any) -> jax.Array:
        logits = net.apply({"params": params}, x, train=False)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def descend(rate: jax.Array) -> jax.Array:
        rule = optimizers.gradient_descent(rate)

        def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
            params, state = carry
            value, gradient = jax.value_and_grad(loss)(params)
            updates, state = rule.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (start, rule.init(start)), length=config.steps)[1]

    losses = jax.jit(lambda rates: jax.lax.map(descend, rates))(jnp.array(config.rates))
    return {"losses": losses, "rates": config.rates, "data_set": "digits", "examples": len(y)}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-134 if both ends stay within 0.2 nats of ln 10 over the last half and the rate between
    falls under half of it: a higher rate cures the first only, a lower one the second only."""
    late = results["losses"][:, results["losses"].shape[1] // 2 :]
    low, between, high = late
    flat = [np.abs(end - math.log(10)).max() < FLAT for end in (low, high)]
    return [
        demonstration(
            "E-134",
            all(flat) and bool(between[-1] < math.log(10) / 2),
            f"at rates {LOW:.5f} and {HIGH:g} the loss is flat, {low[-1]:.2f} and {high[-1]:.2f} "
            f"nats (ln 10 = 2.30); {BETWEEN} cures both, {between[-1]:.2f}: the first flat loss "
            "wants a higher rate, the second a lower one",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The loss at each rate."""
    fig, (axes,) = figure(1, 1, width=7, height=4.8)
    looks = (("-", 4.5), ("--", 1.8), (":", 1.8))
    for rate, losses, (line, width) in zip(results["rates"], results["losses"], looks, strict=True):
        colour = ordered("learning rate", rate)
        label = f"learning rate {np.format_float_positional(rate, trim='-')}"
        axes.plot(losses, color=colour, ls=line, lw=width, label=label)
    last = len(results["losses"][0])
    guess = "ln 10: what a guess among ten classes loses"
    axes.text(last, math.log(10) - 0.06, guess, color="dimgrey", ha="right", va="top")
    axes.set(xlabel="update", ylabel="loss / nats", ylim=(0, 5))
    examples = f"{results['examples']} examples, one start"
    axes.set_title(f"{data_name(results['data_set'])}, {examples}; losses over 5 not shown")
    axes.legend()
    return fig
