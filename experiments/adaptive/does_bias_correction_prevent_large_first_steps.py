"""Does Adam's bias correction prevent learning rates that are too large at the start?

The lecture says so (002:461-486). Without correction the step under a constant gradient is
(1 - b1^t) / sqrt(1 - b2^t) times the corrected one, whatever the gradient. At t = 1 that is
(1 - b1) / sqrt(1 - b2): over 1 only if 1 - b1 > sqrt(1 - b2), else the correction *enlarges* the
first step. Then the loss: a 64-64-10 network on the digits, mini-batches of 64, first 50 steps at
the notes' rate 0.001 and above; the spike is the largest loss on all digits over the first one.

Command: python -m experiments --only does_bias_correction_prevent_large_first_steps
(CPU, about 4 s)
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, band, figure, interval
from experiments.engine.before import Verdict, combine, exact, paired
from jaxtricks.data import load
from jaxtricks.optimizers import adam, scale_by_adam

FIGURES = ("F-033",)
CLAIMS = ("C-037",)
ERRATA = ("E-64",)
NOTES_RATE = 0.001


@dataclasses.dataclass(frozen=True)
class Config:
    """`long`: steps of the ratio; `b1`, `b2`: the grid; `rates`: of the network's training."""

    seeds: int = 20
    long: int = 5000
    b1: tuple[float, ...] = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
    b2: tuple[float, ...] = (0.5, 0.9, 0.99, 0.999, 0.9999)
    rates: tuple[float, ...] = (0.001, 0.01, 0.03)
    steps: int = 50


SMOKE = Config(seeds=5, rates=(0.001,), steps=10)
FULL = Config(seeds=100, rates=(0.0005, 0.001, 0.003, 0.01, 0.03, 0.1))


def run(config: Config) -> dict[str, Any]:
    """Ratios of the steps under constant and noisy gradients, and the first losses."""
    grid, constant, noisy = map(np.asarray, jax.jit(all_ratios, static_argnums=1)(0, config))
    digits = load("digits").train
    images = np.asarray(digits["image"], np.float32).reshape(-1, 64) / 255
    losses = jax.jit(train, static_argnums=3)(1, images, digits["label"], config)
    return {
        "data_set": "digits",
        "constant": constant[:50],
        "maximum": np.max(constant),
        "maximum_at": np.argmax(constant) + 1,
        "under_one_percent": np.argmax(constant < 1.01) + 1,
        "noisy": noisy,
        "b1": config.b1,
        "b2": config.b2,
        "first_ratio": grid[..., 0],
        "largest_ratio": grid.max(axis=-1),
        "rates": config.rates,
        "losses": losses,
    }


def all_ratios(seed: jax.Array, config: Config) -> tuple[jax.Array, ...]:
    """On the grid of decays under a constant gradient; at Adam's under a constant and noisy one."""
    per_b2 = jax.vmap(lambda a, b: ratios(jnp.ones(100), a, b), (None, 0))
    grid = jax.vmap(per_b2, (0, None))(jnp.array(config.b1), jnp.array(config.b2))
    noise = jax.random.normal(jax.random.key(seed), (config.seeds, 50))
    noisy = jax.vmap(lambda n: ratios(1 + n, 0.9, 0.999))(noise)
    return grid, ratios(jnp.ones(config.long), 0.9, 0.999), noisy


def ratios(gradients: jax.Array, b1: jax.Array | float, b2: jax.Array | float) -> jax.Array:
    """Step without correction over the step with it, at each step of a run of gradients."""

    def steps(correct: bool) -> jax.Array:
        tx = scale_by_adam(b1, b2=b2, bias_correction=correct)

        def body(state: Any, gradient: jax.Array) -> Any:
            step, state = tx.update(gradient, state)
            return state, step

        return jax.lax.scan(body, tx.init(jnp.zeros([])), gradients)[1]

    return steps(False) / steps(True)


def draw_seed(key: jax.Array, config: Config, examples: int) -> tuple[Any, jax.Array]:
    """He-initialised weights, and the examples of each mini-batch."""
    keys = jax.random.split(key, 3)
    first = jax.random.normal(keys[0], (64, 64)) * (2 / 64) ** 0.5
    second = jax.random.normal(keys[1], (64, 10)) / 8
    return (first, second), jax.random.randint(keys[2], (config.steps, 64), 0, examples)


def train(
    seed: jax.Array, inputs: jax.Array, targets: jax.Array, config: Config
) -> dict[str, jax.Array]:
    """Loss on all digits by [rate, seed, step]; the same networks and batches for all."""
    keys = jax.random.split(jax.random.key(seed), config.seeds)
    networks, batches = jax.vmap(lambda key: draw_seed(key, config, len(inputs)))(keys)

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        logits = jax.nn.relu(x @ params[0]) @ params[1]
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))

    def one(correct: bool, rate: jax.Array, params: Any, batches: jax.Array) -> jax.Array:
        tx = adam(rate, bias_correction=correct)

        def body(carry: Any, batch: jax.Array) -> Any:
            params, state = carry
            before = loss(params, inputs, targets)
            gradient = jax.grad(loss)(params, inputs[batch], targets[batch])
            updates, state = tx.update(gradient, state)
            return (optax.apply_updates(params, updates), state), before

        return jax.lax.scan(body, (params, tx.init(params)), batches)[1]

    def per_rate(correct: bool) -> jax.Array:
        per_seed = jax.vmap(partial(one, correct), (None, 0, 0))
        return jax.vmap(per_seed, (0, None, None))(jnp.array(config.rates), networks, batches)

    return {str(correct): per_rate(correct) for correct in (True, False)}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-037: at the notes' decays the uncorrected steps are larger, and at their rate the spike is.

    E-64: the correction enlarges the first step in some cells of the grid, shrinks it in others,
    and the ratios are those of the law.
    """
    law = (1 - results["b1"][:, None]) / np.sqrt(1 - results["b2"][None, :])
    first = results["first_ratio"]
    enlarged = first < 1 - 1e-3
    as_law = np.allclose(first, law, rtol=1e-3)
    spikes = {key: spike(losses) for key, losses in results["losses"].items()}
    difference = spikes["False"] - spikes["True"]
    last = results["rates"][-1]
    return [
        combine(
            "C-037",
            [
                exact(
                    "C-037",
                    results["constant"].min() > 1,
                    f"uncorrected over corrected step at (0.9, 0.999): "
                    f"{results['constant'][0]:.3f} at t = 1, at most {results['maximum']:.3f} at "
                    f"t = {results['maximum_at']:.0f}, under 1.01 "
                    f"from t = {results['under_one_percent']:.0f}",
                ),
                paired(
                    "C-037",
                    difference[0],
                    f"loss spike (largest over first loss) without minus with correction: mean "
                    f"{difference[-1].mean():.2f} at rate {last}, and at the notes' rate 0.001",
                    claimed="positive",
                ),
            ],
        ),
        exact(
            "E-64",
            as_law and enlarged.any() and (~enlarged).any(),
            f"the correction enlarges the first step in {enlarged.sum()} of {first.size} cells of "
            f"the (b1, b2) grid, by up to {1 / first.min():.1f} times, and shrinks it by up to "
            f"{first.max():.0f} times; all as (1 - b1) / sqrt(1 - b2)",
        ),
    ]


def spike(losses: np.ndarray) -> np.ndarray:
    """Largest loss of a run over its first, by [rate, seed]."""
    return losses.max(axis=-1) / losses[..., 0]


def draw(results: dict[str, Any]) -> Figure:
    """Ratio of the steps over time and over the grid of decays; the first losses."""
    fig, axes = figure(2, 2, width=4.7, height=3.4)
    draw_ratio(axes[0], results)
    draw_grid(fig, axes[1], results)
    for panel, index in ((axes[2], 0), (axes[3], -1)):
        for key, colour, label in (
            ("False", LITERAL, "without correction"),
            ("True", RIGHT, "with correction"),
        ):
            losses = results["losses"][key][index]
            mean, low, high = np.array([interval(step) for step in losses.T]).T
            band(panel, np.arange(len(mean)), mean, low, high, color=colour, label=label)
        panel.set(xlabel="step", ylabel="loss on all digits")
        panel.set_title(f"rate {results['rates'][index]}: mean of {len(losses)} seeds, 95 %")
        panel.legend()
    axes[3].set_yscale("log")
    return fig


def draw_ratio(axes: Axes, results: dict[str, Any]) -> None:
    """At (0.9, 0.999), constant and noisy gradient, and the law."""
    t = np.arange(1, 51)
    axes.plot(t, results["constant"], "o", ms=5, color=RIGHT, label="constant gradient")
    axes.plot(
        t[::3], np.median(results["noisy"], axis=0)[::3], "x", ms=7, mew=1.5, color="#E69F00",
        label="gradient 1 + N(0, 1), median",
    )  # fmt: skip
    law = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    axes.plot(t, law, "k:", label=r"$(1-\beta_1^t)/\sqrt{1-\beta_2^t}$")
    axes.annotate(
        f"maximum {results['maximum']:.2f} at t = {results['maximum_at']:.0f}",
        (results["maximum_at"], results["maximum"]), (8, 4.0), arrowprops={"arrowstyle": "->"},
    )  # fmt: skip
    axes.set(xlabel="step t", ylabel="step without / with correction", ylim=(0, None))
    axes.set_title(r"Adam, $\beta = (0.9, 0.999)$")
    axes.legend(loc="lower right")


def draw_grid(fig: Figure, axes: Axes, results: dict[str, Any]) -> None:
    """The first step's ratio in each cell; blue under 1, where the correction enlarges it."""
    first = results["first_ratio"]
    image = axes.imshow(np.log10(first), cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
    for (row, column), value in np.ndenumerate(first):
        colour = "white" if abs(np.log10(value)) > 1.3 else "black"
        axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(results["b2"])), [f"{b:g}" for b in results["b2"]])
    axes.set_yticks(range(len(results["b1"])), [f"{b:g}" for b in results["b1"]])
    axes.set(xlabel=r"$\beta_2$", ylabel=r"$\beta_1$")
    axes.set_title("first step without / with correction")
    axes.grid(False)
    fig.colorbar(image, ax=axes, label="log10 of the ratio")
