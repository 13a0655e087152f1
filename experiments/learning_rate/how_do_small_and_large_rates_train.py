"""How do small and large learning rates train?

The lecture (001:33): a large rate ends in "false gradient divergence" or swings and finds nothing.
Gradient descent on the lecture's valley, to 1e-3 of the first gradient, and a 64-64-10 ReLU net on
digits (batches of 32), to a mean loss of 0.5 over 41 batches. Judged is how many runs arrive at
random rates of one to a hundred times the limit of stability 2 / h, where h is the largest
curvature at the start: at most one in twenty may. At the best rate all must. How long small rates
take is judged by does_slow_training_mean_a_small_rate.

Command: python -m experiments --only how_do_small_and_large_rates_train      (CPU, about 20 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    draw_surface,
    figure,
    proportion,
    surface_grid,
)
from experiments.lab import small_mlp as mlp
from experiments.lab.scenes import valley
from experiments.learning_rate import _net_at_rates as net
from jaxtricks import data, optimizers, surfaces

FIGURES = ("F-003",)
CLAIMS = ("C-044",)
ERRATA = ("E-90",)
TIER = 2

CURVATURES = (1.0, 20.0)  # the valley's
STEEPEST = CURVATURES[1]
PATH_RATES = (0.001, 0.01, 0.095, 0.102)
FASTEST = (0.03, 0.1, 0.3, 1.0, 3.0)  # the net's best rate is chosen among them
HUNDRED = 100.0  # times the limit, at most
PLANS = {
    "C-044": Plan(
        effects={"share": 0.05},
        gates=("best rate",),
        settings={
            "rates": "log-uniform, 1 to 100 times 2 / h, h the largest curvature at the start",
            "valley": "starts uniform in [-3, 3] x [-1, 1]; to 1e-3 of the first gradient",
            "net": "to a mean loss of 0.5 over 41 batches at two successive steps",
            "best rate": "valley 2 / (h1 + h2); net the fastest of 5 on 5 tuning seeds",
        },
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`path_rates`: on the valley, 2e-4 to 2; `net_steps`: at most; `seeds`: runs of each."""

    path_rates: int = 41
    max_steps: int = 60_000
    net_steps: int = 2000
    seeds: int = 75
    tuning_seeds: int = 5
    seed: int = 15_044


SMOKE = Config(path_rates=13, max_steps=40_000, net_steps=200, seeds=5, tuning_seeds=1)
FULL = Config(path_rates=161, net_steps=20_000, seeds=300)


def run(config: Config) -> dict[str, Any]:
    """Four paths, the steps at every rate on the valley, and the runs above the limits."""
    rates = np.geomspace(2e-4, 2.0, config.path_rates, dtype=np.float32)
    fit = mlp.examples(data.load("digits").train)
    valley_key, net_key = jax.random.split(jax.random.key(config.seed))
    return {
        "data_set": "digits",
        "examples": len(fit.y),
        "updates": config.net_steps,
        "grid": surface_grid(valley()),
        "rates": rates,
        **descend_valley(rates, config.max_steps),
        "valley": valley_runs(valley_key, config),
        "net": net_runs(fit, net_key, config),
    }


@functools.partial(jax.jit, static_argnames="max_steps")
def descend_valley(rates: jax.Array, max_steps: int) -> dict[str, jax.Array]:
    """Four paths, and steps until the gradient is 1e-3 of its first norm (-1: it never is)."""
    start = jnp.array(valley().start, jnp.float32)
    paths = jax.vmap(
        lambda rate: surfaces.trajectory(optimizers.gradient_descent(rate), valley(), start, 60)
    )(jnp.array(PATH_RATES))
    tolerance = 1e-3 * jnp.linalg.norm(jax.grad(valley())(start))

    def one(rate: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(rate)
        end = surfaces.descend(tx, valley(), start, tolerance=tolerance, max_steps=max_steps)
        return jnp.where(end.gradient_norm < tolerance, end.steps, -1)

    return {
        "paths": paths.points,
        "gradient_norms": jnp.linalg.norm(paths.gradients, axis=-1),
        "steps": jax.vmap(one)(rates),
    }


def valley_runs(key: jax.Array, config: Config) -> dict[str, Any]:
    """From random starts: arrivals at random rates above the limit, and at the best rate."""
    start_key, rate_key = jax.random.split(key)
    starts = jnp.array([[3.0, 1.0]]) * jax.random.uniform(
        start_key, (config.seeds, 2), minval=-1.0, maxval=1.0
    )
    rates = 2 / STEEPEST * draw_factors(rate_key, config.seeds)

    def arrives(start: jax.Array, rate: jax.Array) -> jax.Array:
        tolerance = 1e-3 * jnp.linalg.norm(jax.grad(valley())(start))
        tx = optimizers.gradient_descent(rate)
        end = surfaces.descend(tx, valley(), start, tolerance=tolerance, max_steps=config.max_steps)
        return end.gradient_norm < tolerance

    both = jax.jit(jax.vmap(arrives))
    best = jnp.full(config.seeds, 2 / sum(CURVATURES))
    return {"arrives": both(starts, rates).astype(int), "best": both(starts, best).astype(int)}


def draw_factors(key: jax.Array, count: int) -> jax.Array:
    """1 to 100, evenly on the log scale."""
    return HUNDRED ** jax.random.uniform(key, (count,))


def net_runs(fit: mlp.Examples, key: jax.Array, config: Config) -> dict[str, Any]:
    """Of the net: steps above the limit and at the best rate, and what became of the loss."""
    judged_key, tuning_key, rate_key = jax.random.split(key, 3)
    keys = jax.random.split(judged_key, config.seeds)
    tuning = jax.random.split(tuning_key, config.tuning_seeds)

    def steps_at(keys: jax.Array, rates: jax.Array) -> tuple[np.ndarray, np.ndarray]:
        losses = np.asarray(net.losses_at(fit, keys, rates, steps=config.net_steps))
        return net.arrivals(losses), losses

    times = [
        np.where(steps > 0, steps, config.net_steps).mean()
        for steps, _ in (steps_at(tuning, jnp.full(len(tuning), rate)) for rate in FASTEST)
    ]
    best = FASTEST[int(np.argmin(times))]
    limits = net.limits(fit, keys)
    rates = limits * draw_factors(rate_key, config.seeds)
    steps, losses = steps_at(keys, rates)
    return {
        "limits": limits,
        "rates": rates,
        "steps": steps,
        "last": losses[:, -net.EPOCH :].mean(axis=1),
        "blown": (losses.max(axis=1) > 10 * losses[:, 0]).astype(int),
        "best rate": best,
        "best": steps_at(keys, jnp.full(config.seeds, best))[0],
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """How many runs above the limit arrive all the same; E-90 by the gradient there."""
    of_valley, of_net = results["valley"], results["net"]
    arrived, n = of_net["steps"] > 0, len(of_net["steps"])
    near = of_net["rates"] < 10 * of_net["limits"]
    bound = PLANS["C-044"].effects["share"]
    parts = [
        proportion(
            f"share of runs above the limit that arrive, {name}",
            int(np.sum(arrives)),
            n,
            bound=bound,
            claimed="down",
            panel=panel,
        )
        for name, arrives, panel in (("valley", of_valley["arrives"], "b"), ("net", arrived, "c"))
    ]
    at_best = of_net["best"] > 0
    gate = Gate(
        "best rate",
        bool(at_best.all() and of_valley["best"].all()),
        f"at the valley's best rate {of_valley['best'].mean():.0%} of the runs arrive, at the "
        f"net's, {of_net['best rate']:g}, {at_best.mean():.0%}",
    )
    verdict = all_of(
        "C-044",
        parts,
        gates=[gate],
        scope=f"valley of 2 weights, h = 1 and 20; digits, {results['examples']:,} examples, ReLU "
        f"net 64-64-10 (4,810 parameters), SGD, batches of {mlp.BATCH}, at most "
        f"{results['updates']:.0f} updates, float32",
        beside=[
            f"the net's limit at the start is {of_net['limits'].mean():.2g} in the mean; at 1 to "
            f"10 limits {arrived[near].sum()} of {near.sum()} runs arrive, beyond "
            f"{arrived[~near].sum()} of {n - near.sum()}",
            f"of the net's {n - arrived.sum()} runs that do not arrive "
            f"{of_net['blown'][~arrived].sum():.0f} blow up to ten times the first loss",
        ],
    )
    return [verdict, divergence(results)]


def divergence(results: dict[str, Any]) -> Verdict:
    """E-90: above the limit the gradient itself grows, by alpha h2 - 1 a step; below it falls."""
    growth = results["gradient_norms"][:, -1] / results["gradient_norms"][:, -2]
    law = PATH_RATES[-1] * STEEPEST - 1
    return demonstration(
        "E-90",
        bool(growth[-2] < 1 < growth[-1] and abs(growth[-1] - law) < 1e-3),
        f"nothing false about it: at rate {PATH_RATES[-1]} the gradient grows by "
        f"{growth[-1]:.3f} a step (law {law:.3f}), at {PATH_RATES[-2]} it shrinks by "
        f"{growth[-2]:.3f}",
        panel="a",
    )


def draw(results: dict[str, Any]) -> Figure:
    """Four paths; steps against the rate on the valley; where the net's runs end."""
    fig, (above, steps, ends) = figure(1, 3, width=5.6, height=4.6)
    draw_paths(above, results)
    draw_steps(steps, results)
    draw_ends(ends, results)
    return fig


def draw_paths(axes: Axes, results: dict[str, Any]) -> None:
    """Sixty steps at four rates, up to the step that leaves the view."""
    draw_surface(axes, results["grid"], start=results["paths"][0, 0], optimum=(0, 0), bar=False)
    top = results["grid"]["y"][-1]
    colours = [COLOURS[i] for i in (5, 0, 2, 3)]  # that stand out from the red
    for rate, points, colour in zip(PATH_RATES, results["paths"], colours, strict=True):
        seen = np.cumsum(np.abs(points[:, 1]) > top) <= 1
        axes.plot(
            *points[seen].T, "o-", color=colour, ms=3.5, lw=1.2, mec="white", mew=0.3,
            label=rf"{rate:g} ($\alpha h_2$ = {rate * STEEPEST:.3g})",
        )  # fmt: skip
    axes.set_title("valley: 60 steps")
    axes.legend(loc="upper right", fontsize=9, frameon=True, title=r"rate $\alpha$")


def draw_steps(axes: Axes, results: dict[str, Any]) -> None:
    """Steps of the rates that arrive, crosses for the others, and the law 1 / rate."""
    rates, steps = results["rates"], results["steps"]
    arrives = steps > 0
    axes.loglog(rates[arrives], steps[arrives], "o", color=COLOURS[0], ms=5, label="arrives")
    law = steps[0] * rates[0] / rates[arrives]
    axes.plot(rates[arrives], law, ":", color="black", label=r"law $\propto 1 / \alpha$")
    top = np.full(np.count_nonzero(~arrives), 2.0 * steps.max())
    axes.plot(rates[~arrives], top, "x", color=COLOURS[1], label="never arrives")
    axes.axvline(2 / STEEPEST, color="black", ls="--", lw=1, label=r"limit $2 / h_2$")
    axes.set(xlabel=r"learning rate $\alpha$", ylabel="steps", title="valley: steps to arrive")
    axes.legend(loc="lower left")


def draw_ends(axes: Axes, results: dict[str, Any]) -> None:
    """The last epoch's loss of every run of the net above its limit."""
    runs = results["net"]
    arrived, blown = runs["steps"] > 0, runs["blown"] > 0
    for chosen, mark, colour, label in (
        (arrived, "o", COLOURS[0], "arrives"),
        (~arrived & ~blown, "s", COLOURS[2], "does not arrive"),
        (~arrived & blown, "X", COLOURS[1], "blows up, does not arrive"),
    ):
        x = runs["rates"][chosen] / runs["limits"][chosen]
        axes.plot(x, runs["last"][chosen], mark, color=colour, ms=6, label=label)
    axes.axhline(net.TARGET, color="black", ls="--", lw=1)
    axes.set(xscale="log", yscale="log", ylabel="last loss / nats")
    axes.set_xlabel(r"learning rate / limit $2 / h$ at the start")
    axes.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    axes.set_title(f"net on digits, {len(arrived)} seeds, each its own rate")
    axes.legend()
