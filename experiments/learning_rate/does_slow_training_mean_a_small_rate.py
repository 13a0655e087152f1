"""Does slow training mean that the learning rate is too small?

The lecture says that a small rate takes long (001:32), and that a loss that changes too slowly
means too low a rate (004:186). Gradient descent on the lecture's valley, to 1e-3 of the first
gradient, and a 64-64-10 ReLU net on digits (batches of 32), to a mean loss of 0.5 over 41 batches:
the slope of log steps in log rate must be -1, on the valley up to a tenth of the limit of
stability, on the net from 0.003 to 0.1. Conversely, of runs at random rates between 1e-5 and 10
those are flat whose loss changes by under 5 % in the second half of 400 updates and stays over half
its first value; does ten to 1e4 times the rate cure them, so that the loss halves? Planted is the
rate 10, at which many nets are flat because it is too high.

Command: python -m experiments --only does_slow_training_mean_a_small_rate      (CPU, about 60 s)
"""

import dataclasses
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
    exactly,
    figure,
    interval,
    mean,
    proportion,
    tolerance,
)
from experiments.lab import small_mlp as mlp
from experiments.lab.scenes import valley
from experiments.learning_rate import _net_at_rates as net
from jaxtricks import data, optimizers, surfaces

CLAIMS = ("C-043",)
TIER = 2
CURVATURE = 20.0  # of the steep weight of the valley

PLANS = {
    "C-043": Plan(
        effects={"slope": 0.1, "share of flat runs": 0.95},
        gates=("pos",),
        settings={
            "flat": "last epoch's mean loss within 5 % of that of the epoch halfway, and over "
            "half the first loss",
            "search": "rates 1e-5 to 10, log-uniform; its first flat runs are judged",
            "cured": "10, 100, 1e3 or 1e4 times the rate trains to under half the first loss",
            "steps of the net": "to a mean loss of 0.5 over 41 batches, counted to their middle",
            "planted": "rate 10: flat in at least half of the runs, of which none is cured by a "
            "higher and all are by a lower rate",
        },
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`path_rates`: on the valley, 2e-4 to 0.1; `slow_rates`: of the net, for the slope.

    `search`: random rates; `steps`: of their runs; `seeds`: of the slope, flat runs that are judged
    and planted runs.
    """

    path_rates: int = 28
    max_steps: int = 60_000
    slow_rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1)
    search: int = 300
    steps: int = 400
    seeds: int = 75
    seed: int = 15_043


SMOKE = Config(path_rates=10, slow_rates=(0.03, 0.1), search=12, steps=80, seeds=2)
FULL = Config(path_rates=109, search=3000, steps=4000, seeds=300)


def run(config: Config) -> dict[str, Any]:
    """Steps at small rates, and the runs of the search and at the planted rate."""
    fit = mlp.examples(data.load("digits").train)
    keys = jax.random.split(jax.random.key(config.seed), 3)
    return {
        "data_set": "digits",
        "examples": len(fit.y),
        "updates": config.steps,
        "valley": valley_runs(config),
        "slow": slow_runs(fit, keys[0], config),
        "flat": flat_runs(fit, keys[1], config),
        "planted": planted_runs(fit, keys[2], config),
    }


def valley_runs(config: Config) -> dict[str, Any]:
    """Steps until the gradient is 1e-3 of its first norm; at the last rate, the limit, never."""
    rates = np.geomspace(2e-4, 0.1, config.path_rates, dtype=np.float32)[:-1]
    start = jnp.array(valley().start, jnp.float32)
    tolerance = 1e-3 * jnp.linalg.norm(jax.grad(valley())(start))

    def steps(rate: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(rate)
        return surfaces.descend(
            tx, valley(), start, tolerance=tolerance, max_steps=config.max_steps
        ).steps

    return {"rates": rates, "steps": jax.jit(jax.vmap(steps))(rates)}


def slow_runs(fit: mlp.Examples, key: jax.Array, config: Config) -> dict[str, Any]:
    """Steps `[seed, rate]` of the net at small rates, at most 20 / rate + 100, and how many runs
    take more."""
    keys = jax.random.split(key, config.seeds)
    columns, late = [], 0
    for rate in config.slow_rates:
        most = round(20 / rate) + 100
        losses = net.losses_at(fit, keys, jnp.full(config.seeds, rate), steps=most)
        steps = net.arrivals(np.asarray(losses))
        late += int(np.sum(steps < 0))
        columns.append(np.where(steps < 0, most, steps))
    return {"rates": config.slow_rates, "steps": np.stack(columns, axis=1), "late": late}


def flat_runs(fit: mlp.Examples, key: jax.Array, config: Config) -> dict[str, Any]:
    """A search's rates and last losses; which are flat, and of the first of them which are cured
    by a higher rate, and which by a lower one."""
    rate_key, run_key = jax.random.split(key)
    rates = 10 ** jax.random.uniform(rate_key, (config.search,), minval=-5.0, maxval=1.0)
    keys = jax.random.split(run_key, config.search)
    losses = np.asarray(net.losses_at(fit, keys, rates, steps=config.steps))
    chosen = np.flatnonzero(net.flat(losses))[: config.seeds]
    cures = [
        net.cured(fit, keys[chosen], rates[chosen], steps=config.steps, higher=higher)
        for higher in (True, False)
    ]
    return {
        "rates": rates,
        "last": losses[:, -net.EPOCH :].mean(axis=1),
        "chosen": chosen,
        "higher": cures[0].astype(int),
        "lower": cures[1].astype(int),
    }


def planted_runs(fit: mlp.Examples, key: jax.Array, config: Config) -> dict[str, Any]:
    """The net at rate 10: is it flat, and which rates cure it?"""
    keys = jax.random.split(key, config.seeds)
    rates = jnp.full(config.seeds, 10.0)
    flat = net.flat(np.asarray(net.losses_at(fit, keys, rates, steps=config.steps)))
    cures = [
        net.cured(fit, keys, rates, steps=config.steps, higher=higher) for higher in (True, False)
    ]
    return {"flat": flat.astype(int), "higher": cures[0].astype(int), "lower": cures[1].astype(int)}


def slope(rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Slopes of log steps `[rate, ...]` in log rate."""
    return np.polyfit(np.log(rates), np.log(steps), 1)[0]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The law, and whether flat runs want a higher rate."""
    effects = PLANS["C-043"].effects
    flat, slow, of_valley = (results[name] for name in ("flat", "slow", "valley"))
    small = of_valley["rates"] <= 0.1 / CURVATURE
    valley_slope = float(slope(of_valley["rates"][small], of_valley["steps"][small]))
    net_slope = mean(slope(slow["rates"], slow["steps"].T))
    parts = [
        tolerance(
            "slope of log steps in log rate",
            [exactly(valley_slope), net_slope],
            within=effects["slope"],
            target=-1.0,
            panel="a",
        ),
        proportion(
            "share of flat runs that a higher rate cures",
            int(flat["higher"].sum()),
            len(flat["higher"]),
            bound=effects["share of flat runs"],
            claimed="up",
            panel="b",
        ),
    ]
    return [
        all_of(
            "C-043",
            parts,
            gates=[planted_gate(results["planted"])],
            scope="valley of 2 weights, h = 1 and 20, from (-3, 1); digits, "
            f"{results['examples']:,} examples, ReLU net 64-64-10 (4,810 parameters), SGD, batches "
            f"of {mlp.BATCH}, {results['updates']:.0f} updates in the search, at most 20 / rate + "
            "100 for the slope, float32",
            beside=[
                f"slope on the valley {valley_slope:.3f}, of the net {net_slope.value:.3f} "
                f"[{net_slope.low:.3f}, {net_slope.high:.3f}] ({slow['late']:.0f} runs came too "
                "late)",
                f"a lower rate cures {flat['lower'].mean():.0%} of the flat runs",
            ],
        )
    ]


def planted_gate(planted: dict[str, np.ndarray]) -> Gate:
    """At rate 10 half of the runs are flat; a lower rate cures them all, a higher one none."""
    flat = planted["flat"] > 0
    higher, lower = (int(planted[name][flat].sum()) for name in ("higher", "lower"))
    passed = flat.mean() >= 0.5 and higher == 0 and lower == flat.sum()
    text = f"at rate 10 {flat.sum()} of {len(flat)} runs are flat; a higher rate cures {higher} "
    return Gate("pos", bool(passed), text + f"of them, a lower one {lower}")


def draw(results: dict[str, Any]) -> Figure:
    """The steps against the rate; where the runs of the search end."""
    fig, (steps, ends) = figure(1, 2, width=6.0, height=4.6)
    draw_steps(steps, results)
    draw_ends(ends, results)
    return fig


def draw_steps(axes: Axes, results: dict[str, Any]) -> None:
    """Steps of the valley and of the net, and the law through each first point."""
    slow = results["slow"]
    logs = np.array([interval(np.log10(column)) for column in slow["steps"].T])
    middle, low, high = 10**logs.T
    for name, x, y, colour, mark in (
        ("valley", results["valley"]["rates"], results["valley"]["steps"], COLOURS[0], "o"),
        ("net on digits", np.asarray(slow["rates"]), middle, COLOURS[1], "s"),
    ):
        axes.loglog(x, y, mark, color=colour, ms=5, label=name)
        axes.plot(x, y[0] * x[0] / x, ":", color="black")
    axes.vlines(slow["rates"], low, high, color=COLOURS[1])
    axes.plot([], [], ":", color="black", label=r"law $\propto 1 / \alpha$")
    axes.set(xlabel=r"learning rate $\alpha$", ylabel="steps to arrive")
    axes.set_title(f"net: mean and 95 % of {len(slow['steps'])} seeds")
    axes.legend()


def draw_ends(axes: Axes, results: dict[str, Any]) -> None:
    """The last epoch's loss of every run of the search, and what becomes of the flat ones."""
    flat = results["flat"]
    chosen, cured = flat["chosen"].astype(int), flat["higher"] > 0
    others = np.setdiff1d(np.arange(len(flat["rates"])), chosen)
    for where, mark, colour, label in (
        (others, ".", "grey", "not flat (or not among the judged)"),
        (chosen[cured], "o", COLOURS[0], "flat, cured by a higher rate"),
        (chosen[~cured], "X", COLOURS[1], "flat, not cured by a higher rate"),
    ):
        axes.plot(flat["rates"][where], flat["last"][where], mark, color=colour, ms=6, label=label)
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="last loss / nats")
    axes.set_title(f"net on digits, {len(flat['rates'])} random rates")
    axes.legend(loc="lower left")
