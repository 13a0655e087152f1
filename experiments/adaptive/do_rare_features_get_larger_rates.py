"""Do rare features get larger learning rates, and does that help them?

The lecture on AdaGrad (004:198-199): parameters that change often get a small rate, rare ones a
large one, so as to learn more from the few examples that have them. Linear regression on 50
features, present with probability 0.5 / j, noise 0.1; mini-batches of 10, 400 steps. AdaGrad and
gradient descent each at the rate, of one grid, with the lowest mean loss on all examples; the
metric is the mean squared error of the weights of the 10 rarest features.

Command: python -m experiments --only do_rare_features_get_larger_rates      (CPU, about 3 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import band, figure, interval, method
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.scenes import rule
from jaxtricks.optimizers import effective_learning_rate
from jaxtricks.surfaces import SparseFeatures, least_squares, random_sparse_features

FIGURES = ("F-096",)
CLAIMS = ("C-031",)
METHODS = ("gradient descent", "adagrad")
FEATURES, RAREST = 50, 10


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples`: of each seed's data; `rates`: of the grid, from 0.001 to 10."""

    seeds: int = 20
    examples: int = 2000
    batch: int = 10
    steps: int = 400
    rates: int = 17


SMOKE = Config(seeds=5, steps=50, rates=5)
FULL = Config(seeds=100, steps=400, rates=33)


def run(config: Config) -> dict[str, Any]:
    """Loss, squared errors of the weights and AdaGrad's rates, by method."""
    rates = np.logspace(-3, 1, config.rates, dtype=np.float32)
    races = jax.tree.map(np.asarray, jax.jit(race_all, static_argnums=3)(0, 1, rates, config))
    errors, losses, best = {}, {}, {}
    for name, (loss, error, _) in races.items():
        best[name] = np.argmin(np.nan_to_num(loss, nan=np.inf).mean(axis=1, dtype=float))
        errors[name], losses[name] = error[best[name]], loss[best[name]]
    chosen = best["adagrad"]
    return {
        "frequencies": 0.5 / np.arange(1, FEATURES + 1),
        "effective": effective_learning_rate(rates[chosen], races["adagrad"][2][chosen]),
        "errors": errors,
        "losses": losses,
        "rates": {name: rates[best[name]] for name in METHODS},
        "edge": {name: best[name] in (0, config.rates - 1) for name in METHODS},
    }


def race_all(
    data_seed: jax.Array, batch_seed: jax.Array, rates: jax.Array, config: Config
) -> dict[str, tuple[jax.Array, ...]]:
    """The same data and mini-batches for both methods."""
    keys = jax.random.split(jax.random.key(data_seed), config.seeds)
    data = jax.vmap(lambda key: random_sparse_features(key, config.examples, FEATURES, noise=0.1))(
        keys
    )
    shape = (config.seeds, config.steps, config.batch)
    batches = jax.random.randint(jax.random.key(batch_seed), shape, 0, config.examples)
    return {name: race(name, rates, data, batches) for name in METHODS}


def race(
    name: str, rates: jax.Array, data: SparseFeatures, batches: jax.Array
) -> tuple[jax.Array, ...]:
    """Final loss, squared error and sum of squared gradients by [rate, seed]."""

    def one(
        rate: jax.Array, data: SparseFeatures, batches: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        tx = rule(name, rate)

        def body(carry: Any, batch: jax.Array) -> Any:
            weights, state, squares = carry
            surface = least_squares(data.inputs[batch], data.targets[batch])
            gradient = jax.grad(surface.loss)(weights)
            updates, state = tx.update(gradient, state)
            weights = optax.apply_updates(weights, updates)
            return (weights, state, squares + gradient**2), None

        zero = jnp.zeros(FEATURES)
        (weights, _, squares), _ = jax.lax.scan(body, (zero, tx.init(zero), zero), batches)
        loss = least_squares(data.inputs, data.targets)(weights)
        return loss, (weights - data.weights) ** 2, squares

    per_seed = jax.vmap(one, (None, 0, 0))
    return jax.vmap(per_seed, (0, None, None))(rates, data, batches)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Rates fall with the frequency (slope under -0.25), and the rare weights are nearer."""
    rare = {name: results["errors"][name][:, -RAREST:].mean(axis=1) for name in METHODS}
    slope = rate_slope(results)
    means = ", ".join(
        f"{name} {rare[name].mean():.3f} (loss {results['losses'][name].mean():.4f}, rate "
        f"{results['rates'][name]:.3g})"
        for name in METHODS
    )
    return [
        combine(
            "C-031",
            [
                exact(
                    "C-031",
                    slope < -0.25,
                    f"log effective rate against log frequency: slope {slope:.2f} (square-root law "
                    "-0.5)",
                ),
                paired(
                    "C-031",
                    rare["adagrad"] - rare["gradient descent"],
                    f"squared error of the {RAREST} rarest weights, both tuned: {means}; AdaGrad "
                    "minus gradient descent",
                    claimed="negative",
                ),
            ],
        )
    ]


def rate_slope(results: dict[str, Any]) -> float:
    """Slope of the mean log effective rate against log frequency."""
    logs = np.log(results["effective"]).mean(axis=0)
    return float(np.polyfit(np.log(results["frequencies"]), logs, 1)[0])


def draw(results: dict[str, Any]) -> Figure:
    """Ratio of the rates against the root of the ratio of frequencies; errors by frequency."""
    fig, (ratio, error) = figure(1, 2, width=4.8, height=3.6)
    frequencies = results["frequencies"]
    root = np.sqrt(frequencies[0] / frequencies)
    relative = results["effective"] / results["effective"][:, :1]
    mean, low, high = np.array([interval(column) for column in relative.T]).T
    look = method("adagrad")
    band(ratio, root, mean, low, high, color=look["color"], label="AdaGrad, mean and 95 %")
    ratio.plot(root, root, "k:", label=r"law $\sqrt{f_1 / f_j}$")
    ratio.set(
        xscale="log", yscale="log", xlabel=r"$\sqrt{f_1 / f_j}$ (rare features to the right)",
        ylabel="effective rate of feature j / of feature 1",
    )  # fmt: skip
    ratio.set_xticks([1, 2, 3, 4, 5, 6, 7], list("1234567"))
    ratio.set_yticks([1, 2, 3, 5, 10], ["1", "2", "3", "5", "10"])
    ratio.minorticks_off()
    seeds = len(results["effective"])
    ratio.set_title(f"log rate on log frequency: slope {rate_slope(results):.2f}, {seeds} seeds")
    ratio.legend()
    for name in METHODS:
        mean, low, high = np.array([interval(c) for c in results["errors"][name].T]).T
        label = f"{name}, tuned rate {results['rates'][name]:.3g}"
        band(error, frequencies, mean, low, high, **(method(name) | {"label": label}))
    error.axvspan(frequencies[-1], frequencies[-RAREST], color="grey", alpha=0.15, lw=0)
    error.set(xscale="log", yscale="log", xlabel="frequency of the feature (grey: the rarest 10)")
    error.set_ylabel("squared error of its weight")
    error.set_title(f"{seeds} seeds, mean and 95 %")
    error.legend(loc="lower left")
    return fig
