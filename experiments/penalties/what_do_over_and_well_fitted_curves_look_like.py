r"""What do over-fitted, well-fitted and under-fitted curves look like?

The picture of 002:616-618. A polynomial of degree 12 through 15 noisy points of one period of a
sine, equally far from each other, by the mean squared error plus lambda times the sum of the
squared coefficients, in Legendre polynomials and float64: without a penalty, at the strength with
the least test error, and at one that is too large. The loss is quadratic, so that one Newton step
from 0 reaches its minimum. Beside it the mean squared errors against the strength, on the points
and on 1,000 fresh ones.

Command: python -m experiments --only what_do_over_and_well_fitted_curves_look_like      (CPU, 5 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, band, figure, interval
from jaxtricks import regularizers

FIGURES = ("F-061",)

LOOKS = {"over-fitted": (COLOURS[1], "-"), "well fitted": (COLOURS[0], "-"),
         "under-fitted": (COLOURS[2], "--")}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """A polynomial of `degree`, 1 or more, on so many `points` and `fresh` ones for the test.

    The standard deviation of their `noise` is in units of the sine's height. `strengths`: from ten
    to the first to ten to the second, so many; `seeds`: data sets.
    """

    degree: int = 12
    points: int = 15
    fresh: int = 1000
    noise: float = 0.3
    strengths: tuple[float, float, int] = (-7.0, 2.0, 37)
    seeds: int = 100
    seed: int = 15_061


SMOKE = Config(strengths=(-7.0, 2.0, 4), seeds=3)
FULL = Config(strengths=(-7.0, 2.0, 181), seeds=1000)


def run(config: Config) -> dict[str, Any]:
    """Errors `[seed, strength]`, that of strength 0 first, and the curves of the first data set."""
    at = np.linspace(-1, 1, 201)
    strengths = np.append(0.0, np.logspace(*config.strengths))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(config.seed), config.seeds)
        found = jax.device_get(fits(keys, jnp.asarray(strengths), config))
    best = 1 + int(np.argmin(found["test"].mean(axis=0)[1:]))
    chosen = dict(zip(LOOKS, (0, best, len(strengths) - 1), strict=True))
    curves = np.polynomial.legendre.legval(at, found["weights"][0].T)
    return {
        "degree": config.degree,
        "noise": config.noise,
        "strengths": strengths,
        "train": found["train"],
        "test": found["test"],
        "points": (found["x"][0], found["y"][0]),
        "at": at,
        "truth": np.sin(np.pi * at),
        "curves": {name: curves[i] for name, i in chosen.items()},
        "chosen": {name: strengths[i] for name, i in chosen.items()},
    }


@functools.partial(jax.jit, static_argnames="config")
def fits(keys: jax.Array, strengths: jax.Array, config: Config) -> dict[str, jax.Array]:
    """Every data set at every strength, as one program."""

    def one(key: jax.Array) -> dict[str, jax.Array]:
        train_key, place_key, test_key = jax.random.split(key, 3)
        x = jnp.linspace(-1.0, 1.0, config.points)
        fresh_x = jax.random.uniform(place_key, (config.fresh,), minval=-1.0)
        y, fresh_y = targets(train_key, x, config.noise), targets(test_key, fresh_x, config.noise)
        weights = jax.lax.map(lambda strength: fit(x, y, strength, config.degree), strengths)
        train = jax.vmap(error, (0, None, None))(weights, x, y)
        test = jax.vmap(error, (0, None, None))(weights, fresh_x, fresh_y)
        return {"x": x, "y": y, "weights": weights, "train": train, "test": test}

    return jax.vmap(one)(keys)


def targets(key: jax.Array, x: jax.Array, noise: float) -> jax.Array:
    """The sine at these places, with noise."""
    return jnp.sin(jnp.pi * x) + noise * jax.random.normal(key, x.shape)


def error(weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean squared error of the polynomial with these coefficients."""
    return jnp.mean((legendre(x, len(weights) - 1) @ weights - y) ** 2)


def legendre(x: jax.Array, degree: int) -> jax.Array:
    """Values of the polynomials of degrees 0 to `degree`, `[points, degree + 1]`."""
    columns = [jnp.ones_like(x), x]
    for n in range(1, degree):
        columns.append(((2 * n + 1) * x * columns[n] - n * columns[n - 1]) / (n + 1))
    return jnp.stack(columns[: degree + 1], axis=1)


def fit(x: jax.Array, y: jax.Array, strength: jax.Array, degree: int) -> jax.Array:
    """The coefficients that minimise the error with its penalty."""

    def loss(weights: jax.Array) -> jax.Array:
        return error(weights, x, y) + regularizers.l2(weights, strength, half=False)

    zero = jnp.zeros(degree + 1)
    return -jnp.linalg.solve(jax.hessian(loss)(zero), jax.grad(loss)(zero))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Owns a figure only."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Three curves through one data set, and errors against the strength."""
    fig, (curves, errors) = figure(1, 2, width=5.8, height=4.6)
    curves.plot(*results["points"], "o", color="black", ms=4, label="training points")
    curves.plot(results["at"], results["truth"], color="grey", ls=":", label="truth")
    for name, (colour, style) in LOOKS.items():
        strength = results["chosen"][name]
        label = rf"{name}, $\lambda$ = {float(f'{strength:.2g}'):g}"
        curves.plot(results["at"], results["curves"][name], color=colour, ls=style, label=label)
    curves.set(xlabel="x", ylabel="y", ylim=(-2.2, 3.6))
    curves.set_title(f"polynomials of degree {results['degree']:.0f}")
    curves.legend(loc="upper left")
    strengths = np.array(results["strengths"], float)
    strengths[0] = strengths[1] ** 2 / strengths[2]  # where 0 is drawn
    for i, kind in enumerate(("train", "test")):
        logs = np.log10(results[kind])
        rows = 10 ** np.array([interval(column) for column in logs.T])
        band(errors, strengths, *rows.T, color=COLOURS[3 + i], label=kind)
    errors.axhline(results["noise"] ** 2, color="grey", ls=":", label="variance of the noise")
    errors.set(xscale="log", yscale="log", xlabel=r"strength $\lambda$ (leftmost: 0)")
    errors.set(ylabel="mean squared error")
    errors.set_title(f"geometric mean and 95 % of {len(logs)} data sets")
    errors.legend(loc="center left", bbox_to_anchor=(0, 0.38))
    return fig
