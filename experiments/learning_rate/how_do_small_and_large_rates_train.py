"""How do small and large learning rates train?

The lecture (001:32-33, 004:186): a small rate takes long; a large one ends in "false gradient
divergence" or swings and finds nothing. Gradient descent on the lecture's valley from the shared
start, until the gradient is 1e-3 of its first norm, and a 64-64-10 ReLU net on digits (batches of
32), until the mean loss of an epoch's batches is under 0.5; rates over four decades. The slope of
log steps against log rate is taken up to a tenth of the largest rate at which all runs arrive, and
must be -1 within 0.1. Beyond the best rate a run that does not arrive has blown up if a loss was
over 10 times the first.

Command: python -m experiments --only how_do_small_and_large_rates_train      (CPU, about 4 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, draw_surface, figure, surface_grid
from experiments.engine.before import Verdict, combine, exact
from experiments.learning_rate import _small_mlp as mlp
from experiments.scenes import valley
from jaxtricks import data, optimizers, surfaces

FIGURES = ("F-003",)
CLAIMS = ("C-043", "C-044")
ERRATA = ("E-90",)

STEEPEST = 20.0  # the valley's largest curvature
PATH_RATES = (0.001, 0.01, 0.095, 0.102)
ARRIVED, WINDOW = 0.5, 41  # loss; batches of an epoch of 1,294 examples are 40


@dataclasses.dataclass(frozen=True)
class Config:
    """`path_rates`: on the valley, 2e-4 to 2; `rates`: of the net, 1e-3 to 10."""

    path_rates: int = 41
    max_steps: int = 60_000
    rates: int = 9
    net_steps: int = 3000
    seeds: int = 5


SMOKE = Config(path_rates=13, max_steps=40_000, net_steps=400, seeds=1)
FULL = Config(path_rates=161, rates=17, net_steps=30_000, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Four paths, the number of steps at every rate on the valley, and the net's training."""
    rates = np.geomspace(2e-4, 2.0, config.path_rates, dtype=np.float32)
    net_rates = np.geomspace(1e-3, 10.0, config.rates, dtype=np.float32)
    return {
        "data_set": "digits",
        "grid": surface_grid(valley()),
        "rates": rates,
        **descend_valley(rates, config.max_steps),
        "net_rates": net_rates,
        **train_nets(net_rates, config),
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


@functools.partial(jax.jit, static_argnames="config")
def train_nets(rates: jax.Array, config: Config) -> dict[str, jax.Array]:
    """Per seed and rate: steps until arrival (-1: never), first and largest loss, the last mean."""
    fit = mlp.examples(data.load("digits").train)

    def one(key: jax.Array, rate: jax.Array) -> dict[str, jax.Array]:
        tx = optimizers.gradient_descent(rate)
        losses = mlp.train(tx, key, fit, config.net_steps).losses
        mean = jnp.convolve(losses, jnp.full(WINDOW, 1 / WINDOW), mode="valid")
        arrived = mean < ARRIVED
        steps = jnp.where(jnp.any(arrived), jnp.argmax(arrived) + WINDOW, -1)
        peak = jnp.max(jnp.where(jnp.isfinite(losses), losses, 1e30))
        return {"net_steps": steps, "net_peak": peak / losses[0], "net_last": mean[-1]}

    keys = jax.random.split(jax.random.key(0), config.seeds)
    over_rates = jax.vmap(one, (None, 0))
    return jax.vmap(over_rates, (0, None))(keys, rates)


def slope(rates: np.ndarray, steps: np.ndarray) -> float:
    """Slope of log steps against log rate up to a tenth of the largest rate that arrives."""
    small = (steps > 0) & (rates <= 0.101 * rates[steps > 0].max())
    return float(np.polyfit(np.log(rates[small]), np.log(steps[small]), 1)[0])


def mean_steps(results: dict[str, Any]) -> np.ndarray:
    """The net's steps at every rate, mean over the seeds; -1 where one does not arrive."""
    steps = results["net_steps"]
    return np.where((steps > 0).all(axis=0), steps.mean(axis=0), -1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Slopes near -1; nothing arrives above 2 / h2 and at the net's largest rate, all below."""
    slopes = {
        "valley": slope(results["rates"], results["steps"]),
        "net": slope(results["net_rates"], mean_steps(results)),
    }
    small = [
        exact("C-043", abs(number + 1) < 0.1, f"{name}: steps ~ rate^{number:.3f}")
        for name, number in slopes.items()
    ]
    return [combine("C-043", small), combine("C-044", large(results)), divergence(results)]


def large(results: dict[str, Any]) -> list[Verdict]:
    """The parts of C-044: on the valley and in the net."""
    arrives, stable = results["steps"] > 0, results["rates"] * STEEPEST < 2
    rates, steps, peak = results["net_rates"], results["net_steps"], results["net_peak"]
    best = int(np.argmax(np.where(mean_steps(results) > 0, -mean_steps(results), -np.inf)))
    lost, blown = steps < 0, peak > 10
    last = results["net_last"][:, best:][lost[:, best:]]
    shares = ", ".join(
        f"{rates[i]:.3g}: {lost[:, i].mean():.0%} ({(lost & blown)[:, i].mean():.0%})"
        for i in range(best, len(rates))
    )
    return [
        exact(
            "C-044",
            np.array_equal(arrives, stable),
            f"valley: {np.mean(~arrives[stable]):.0%} of the rates under 2 / h2 = 0.1 fail, "
            f"{np.mean(~arrives[~stable]):.0%} of those above",
        ),
        exact(
            "C-044",
            not lost[:, best].any() and lost[:, -1].all(),
            f"net: share of runs that do not arrive (and blew up) at rate {shares}; "
            f"{len(steps)} seeds, which end at losses of {last.min():.2f} to {last.max():.2f}",
        ),
    ]


def divergence(results: dict[str, Any]) -> Verdict:
    """E-90: above the limit the gradient itself grows, by alpha h2 - 1 a step; below it falls."""
    growth = results["gradient_norms"][:, -1] / results["gradient_norms"][:, -2]
    law = PATH_RATES[-1] * STEEPEST - 1
    return exact(
        "E-90",
        growth[-2] < 1 < growth[-1] and abs(growth[-1] - law) < 1e-3,
        f"nothing false about it: at rate {PATH_RATES[-1]} the gradient grows by "
        f"{growth[-1]:.3f} a step (law {law:.3f}), at {PATH_RATES[-2]} it shrinks by "
        f"{growth[-2]:.3f}",
    )


def draw(results: dict[str, Any]) -> Figure:
    """Four paths; steps against the rate on the valley; steps and failures of the net."""
    fig, (above, valley, net) = figure(1, 3, width=4.7, height=3.6)
    draw_surface(above, results["grid"], start=results["paths"][0, 0], optimum=(0, 0), bar=False)
    top = results["grid"]["y"][-1]
    for i, (rate, points) in enumerate(zip(PATH_RATES, results["paths"], strict=True)):
        seen = np.cumsum(np.abs(points[:, 1]) > top) <= 1  # up to the step that leaves the view
        label = rf"$\alpha$ = {rate:g}, $\alpha h_2$ = {rate * STEEPEST:.3g}"
        above.plot(
            *points[seen].T, "o-", color=COLOURS[i], ms=3.5, lw=1.2, mec="white", mew=0.3,
            zorder=4 - 0.1 * i, label=label,
        )  # fmt: skip
    above.set_title("valley: 60 steps (redder = lower loss)")
    fig.legend(*above.get_legend_handles_labels(), loc="outside lower left", ncol=6)
    draw_steps(valley, results["rates"], results["steps"], lost="never arrives")
    valley.axvline(2 / STEEPEST, color="black", ls="--", label=r"limit $2 / h_2$")
    valley.set_title("valley: steps to 0.1 % of the first gradient")
    valley.legend()
    draw_net(net, results)
    return fig


def draw_steps(axes: Axes, rates: np.ndarray, steps: np.ndarray, *, lost: str) -> None:
    """Steps of the rates that arrive, crosses at the top for the others, and the law 1 / rate."""
    arrives = steps > 0
    first = np.argmax(arrives)
    axes.loglog(rates[arrives], steps[arrives], "o-", color=COLOURS[0], ms=4, label="arrives")
    law = steps[first] * rates[first] / rates[arrives]
    axes.plot(rates[arrives], law, ":", color="black", label=r"$\propto 1 / \alpha$")
    top = np.full(len(rates) - np.count_nonzero(arrives), 2.0 * steps.max())
    axes.plot(rates[~arrives], top, "x", color=COLOURS[5], label=lost)
    axes.set(xlabel=r"learning rate $\alpha$", ylabel="steps")


def draw_net(axes: Axes, results: dict[str, Any]) -> None:
    """The net's steps, and the share of runs at each rate that do not arrive."""
    seeds, rates = len(results["net_steps"]), results["net_rates"]
    draw_steps(axes, rates, mean_steps(results), lost="does not arrive in time")
    axes.set_title(f"net on digits: steps to loss {ARRIVED}, mean of {seeds} seeds")
    each = results["net_steps"].T
    axes.plot(rates, np.where(each > 0, each, np.nan), ".", color="black", ms=3)
    axes.plot([], [], ".", color="black", ms=3, label="one seed")
    axes.set_ylim(20, 1e5)
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.9))
    share = axes.twinx()
    share.grid(False)
    share.spines.right.set_visible(True)
    lost = np.mean(results["net_steps"] < 0, axis=0)
    blown = np.mean((results["net_steps"] < 0) & (results["net_peak"] > 10), axis=0)
    draw_share = functools.partial(share.plot, rates)
    draw_share(lost, "--", color=COLOURS[5], alpha=0.6, label="not arrived")
    draw_share(blown, "-.", color=COLOURS[3], label="blown up")
    share.set(ylabel="share of runs", ylim=(-0.05, 2.2), yticks=(0, 0.5, 1))
    share.legend(loc="upper right", ncol=2)
