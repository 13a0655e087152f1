"""Does Adam's bias correction prevent learning rates that are too large at the start?

The lecture says so (002:461-486). Without correction the step under a constant gradient is
(1 - b1^t) / sqrt(1 - b2^t) times the corrected one, whatever the gradient. At t = 1 that is
(1 - b1) / sqrt(1 - b2): over 1 only if 1 - b1 > sqrt(1 - b2), else the correction *enlarges* the
first step, as at (0.99, 0.999). Then training: a 64-64-10 network on the digits, 100 mini-batches
of 64, with and without correction. Usable is a rate at which the final loss on all digits is under
half the first; the metric is the largest usable one of rates 2^(1/4) apart, for each seed.

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

from experiments.engine import (
    COLOURS,
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    demonstration,
    exactly,
    figure,
    interval,
    over,
    paired,
)
from experiments.lab.rates import usable
from jaxtricks.data import load
from jaxtricks.optimizers import adam, scale_by_adam

FIGURES = ("F-033",)
CLAIMS = ("C-037",)
ERRATA = ("E-64",)
TIER = 2
PLANS = {
    "C-037": Plan(
        effects={"step ratio over 1": 0.01, "octaves": 0.25},
        gates=("pos", "R-32"),
        settings={
            "decays": "0.9, 0.999; control 0.99, 0.999, where the first step's ratio is under 1",
            "updates of the ratio": 100,
            "network": "64-64-10, He's weights, batch 64",
            "usable": "final loss under half the first",
            "R-32": "at most a fifth of the seeds at an end of the rates",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Adam has the decays `adam`, the control has `control`, and the grid has `b1` and `b2`.

    The ratio is followed for `long` steps. The network has `hidden` units and `steps` updates of
    `batch_size` examples, at rates from `lowest` on over so many `octaves`.
    """

    seed: int = 15_037
    seeds: int = 20
    long: int = 5000
    b1: tuple[float, ...] = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
    b2: tuple[float, ...] = (0.5, 0.9, 0.99, 0.999, 0.9999)
    lowest: float = 0.01
    octaves: int = 8
    steps: int = 100
    adam: tuple[float, float] = (0.9, 0.999)
    control: tuple[float, float] = (0.99, 0.999)
    hidden: int = 64
    batch_size: int = 64


SMOKE = Config(seeds=5, octaves=2, steps=20)
FULL = Config(seeds=100, octaves=10, steps=200)


def run(config: Config) -> dict[str, Any]:
    """Ratios of the steps under constant and noisy gradients, and the losses."""
    grid, constant, noisy = map(
        np.asarray, jax.jit(all_ratios, static_argnums=1)(config.seed, config)
    )
    digits = load("digits").train
    images = np.asarray(digits["image"], np.float32).reshape(-1, 64) / 255
    rates = config.lowest * 2 ** (np.arange(4 * config.octaves + 1) / 4)
    first, last = jax.jit(train, static_argnums=4)(
        config.seed, rates, images, digits["label"], config
    )
    return {
        "data_set": "digits",
        "constant": constant[:100],
        "reverse": np.asarray(ratios(jnp.ones(100), *config.control)),
        "maximum": np.max(constant),
        "maximum_at": np.argmax(constant) + 1,
        "under_one_percent": np.argmax(constant < 1.01) + 1,
        "noisy": noisy,
        "adam": config.adam,
        "control": config.control,
        "network": (images.shape[1], config.hidden, 10),
        "batch_size": config.batch_size,
        "b1": config.b1,
        "b2": config.b2,
        "first_ratio": grid[..., 0],
        "largest_ratio": grid.max(axis=-1),
        "rates": rates,
        "first": first,
        "last": last,
        "updates": config.steps,
        "examples": len(images),
    }


def all_ratios(seed: jax.Array, config: Config) -> tuple[jax.Array, ...]:
    """On the grid of decays under a constant gradient; at Adam's under a constant and noisy one."""
    per_b2 = jax.vmap(lambda a, b: ratios(jnp.ones(100), a, b), (None, 0))
    grid = jax.vmap(per_b2, (0, None))(jnp.array(config.b1), jnp.array(config.b2))
    noise = jax.random.normal(jax.random.key(seed), (config.seeds, 50))
    noisy = jax.vmap(lambda n: ratios(1 + n, *config.adam))(noise)
    return grid, ratios(jnp.ones(config.long), *config.adam), noisy


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
    first = jax.random.normal(keys[0], (64, config.hidden)) * (2 / 64) ** 0.5
    second = jax.random.normal(keys[1], (config.hidden, 10)) / config.hidden**0.5
    return (first, second), jax.random.randint(
        keys[2], (config.steps, config.batch_size), 0, examples
    )


def train(
    seed: jax.Array, rates: jax.Array, inputs: jax.Array, targets: jax.Array, config: Config
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """First loss on all digits by [seed], last by [rate, seed]; the same networks and batches."""
    keys = jax.random.split(jax.random.key(seed), config.seeds)
    networks, batches = jax.vmap(lambda key: draw_seed(key, config, len(inputs)))(keys)

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        logits = jax.nn.relu(x @ params[0]) @ params[1]
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))

    def one(correct: bool, rate: jax.Array, params: Any, batches: jax.Array) -> jax.Array:
        tx = adam(rate, b1=config.adam[0], b2=config.adam[1], bias_correction=correct)

        def body(carry: Any, batch: jax.Array) -> Any:
            params, state = carry
            gradient = jax.grad(loss)(params, inputs[batch], targets[batch])
            updates, state = tx.update(gradient, state)
            return (optax.apply_updates(params, updates), state), None

        end = jax.lax.scan(body, (params, tx.init(params)), batches)[0][0]
        return jnp.nan_to_num(loss(end, inputs, targets), nan=jnp.inf)

    def per_rate(correct: bool) -> jax.Array:
        per_seed = jax.vmap(partial(one, correct), (None, 0, 0))
        return jax.lax.map(lambda rate: per_seed(rate, networks, batches), rates)

    first = jax.vmap(lambda params: loss(params, inputs, targets))(networks)
    return first, {str(correct): jnp.minimum(per_rate(correct), 1e9) for correct in (True, False)}


def largest_usable(results: dict[str, Any], key: str) -> np.ndarray:
    """Number of the largest usable rate, by seed; -1 where none is."""
    trained = usable(results["first"], results["last"][key])
    numbers = np.arange(len(trained))[:, None]
    return np.where(trained, numbers, -1).max(axis=0)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-037: at (0.9, 0.999) the uncorrected steps are larger, and fewer rates are usable.

    E-64: the correction enlarges the first step in some cells of the grid, shrinks it in others,
    and the ratios are those of the law.
    """
    law = (1 - results["b1"][:, None]) / np.sqrt(1 - results["b2"][None, :])
    first = results["first_ratio"]
    enlarged = first < 1 - 1e-3
    as_law = np.allclose(first, law, rtol=1e-3)
    return [
        prevents(results),
        demonstration(
            "E-64",
            bool(as_law and enlarged.any() and (~enlarged).any()),
            f"The correction enlarges the first step in {enlarged.sum()} of {first.size} cells of "
            f"the grid, by up to {1 / first.min():.1f} times, and shrinks it in the others by up "
            f"to {first.max():.0f} times",
            panel="b",
        ),
    ]


def prevents(results: dict[str, Any]) -> Verdict:
    """C-037, with its controls."""
    effects = PLANS["C-037"].effects
    reverse, control = results["reverse"][0], [f"{decay:g}" for decay in results["control"]]
    (b1, b2), network = results["adam"], "-".join(f"{width}" for width in results["network"])
    best = {key: largest_usable(results, key) for key in ("True", "False")}
    ends = max(np.isin(row, (-1, 0, len(results["rates"]) - 1)).mean() for row in best.values())
    rates = {key: results["rates"][np.median(row).astype(int)] for key, row in best.items()}
    return all_of(
        "C-037",
        [
            over(
                "uncorrected over corrected step less 1, the smallest of 100 steps",
                exactly(results["constant"][:100].min() - 1),
                effects["step ratio over 1"],
                panel="a",
            ),
            paired(
                "octaves by which correction raises the largest usable rate",
                (best["True"] - best["False"]) / 4,
                effect=effects["octaves"],
                claimed="up",
                panel="c",
            ),
        ],
        scope=f"decays {b1:g} and {b2:g}; a constant gradient; a {network} network on all "
        f"{results['examples']} training digits, {results['updates']} updates, batch "
        f"{results['batch_size']}, float32",
        gates=[
            Gate(
                "pos",
                bool(reverse < 1),
                f"at ({', '.join(control)}) the first ratio is {reverse:.3f}",
            ),
            Gate("R-32", bool(ends <= 0.2), f"{100 * ends:.0f} % of an arm's seeds at an end"),
        ],
        beside=[
            f"the ratio is {results['constant'][0]:.3f} at t = 1, at most {results['maximum']:.3f} "
            f"at t = {results['maximum_at']:.0f}, under 1.01 from t = "
            f"{results['under_one_percent']:.0f}",
            f"median largest usable rate {rates['True']:.3g} with correction, "
            f"{rates['False']:.3g} without",
        ],
    )


def draw(results: dict[str, Any]) -> Figure:
    """Ratio of the steps over time and over the grid of decays; the last losses by rate."""
    fig, axes = figure(1, 3, width=5.2, height=4.6)
    draw_ratio(axes[0], results)
    draw_grid(axes[1], results)
    for key, colour, label in (
        ("False", LITERAL, "without correction"),
        ("True", RIGHT, "with correction"),
    ):
        logs = np.log10(results["last"][key])
        mean, low, high = 10 ** np.array([interval(row) for row in logs]).T
        band(axes[2], results["rates"], mean, low, high, color=colour, label=label)
    half = 0.5 * results["first"].mean()
    axes[2].axhline(half, color="black", linestyle=":", linewidth=1)
    axes[2].text(results["rates"][-1], 1.05 * half, "usable below", ha="right", fontsize=10.5)
    axes[2].set(xscale="log", yscale="log", xlabel="learning rate", ylabel="last loss / nats")
    seeds = len(results["first"])
    axes[2].set_title(f"{data_name('digits')}, {seeds} seeds, mean and 95 %")
    axes[2].legend()
    return fig


def draw_ratio(axes: Axes, results: dict[str, Any]) -> None:
    """At Adam's decays, constant and noisy gradient, and the law."""
    b1, b2 = results["adam"]
    t = np.arange(1, 51)
    axes.plot(t, results["constant"][:50], "o", ms=5, color=RIGHT, label="constant gradient")
    axes.plot(
        t[::3], np.median(results["noisy"], axis=0)[::3], "x", ms=7, mew=1.5, color=COLOURS[4],
        label="gradient 1 + N(0, 1), median",
    )  # fmt: skip
    law = (1 - b1**t) / np.sqrt(1 - b2**t)
    axes.plot(t, law, "k:", label=r"law $(1-\beta_1^t)/\sqrt{1-\beta_2^t}$")
    axes.set(xlabel="step $t$", ylabel="step without / with correction", ylim=(0, 10))
    axes.set_title(rf"Adam, $\beta = ({b1:g}, {b2:g})$")
    axes.legend(loc="upper right", fontsize=10)


def draw_grid(axes: Axes, results: dict[str, Any]) -> None:
    """The first step's ratio in each cell; blue under 1, where the correction enlarges it."""
    first = results["first_ratio"]
    axes.imshow(np.log10(first), cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
    for (row, column), value in np.ndenumerate(first):
        colour = "white" if abs(np.log10(value)) > 1.3 else "black"
        axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=10, color=colour)
    axes.set_xticks(range(len(results["b2"])), [f"{b:g}" for b in results["b2"]])
    axes.set_yticks(range(len(results["b1"])), [f"{b:g}" for b in results["b1"]])
    axes.set(xlabel=r"$\beta_2$", ylabel=r"$\beta_1$")
    axes.set_title("first step without / with correction")
    axes.grid(False)
