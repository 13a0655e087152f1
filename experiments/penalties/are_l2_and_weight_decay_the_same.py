r"""Are a gradient step on the L2 penalty and weight decay the same?

002:656-660 derive w' = (1 - alpha lambda) w - alpha grad f from the loss f + lambda/2 |w|^2, and
004:668 puts "weight decay" beside the L2 penalty, whatever the rule. C-063 is judged for gradient
descent, in float64: the gradient of the penalised loss by automatic differentiation against the
printed line, at nine pairs of rate and strength, and the two transformations of the library against
each other. The minimum of the loss, a turned valley, lies away from 0, so that loss and penalty
pull in different directions. Measured is the distance of the two paths after every step, over the
size of the path (1e-12 is rounding). As controls the same two forms must differ (1 % of the path)
under momentum with a falling rate, AdaGrad and Adam (E-81): there the rule takes the penalty into
its velocity or divides it by its second moment, and the decay is neither.

Command: python -m experiments --only are_l2_and_weight_decay_the_same      (CPU, about 5 s)
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    draw_path,
    draw_surface,
    exactly,
    figure,
    method,
    surface_grid,
    tolerance,
)
from jaxtricks import optimizers, regularizers, schedules, surfaces

CLAIMS = ("C-063",)
ERRATA = ("E-81",)

VIEW = ((-2.6, 3.2), (-1.6, 2.6))
CONTROLS, CONSTANT = ("momentum", "adagrad", "adam"), "momentum, constant rate"


@dataclasses.dataclass(frozen=True)
class Config:
    """The valley, and the rules that descend on it.

    Every path has `steps` and begins at `start`; momentum's rate falls to 0 along half a cosine of
    that length. The valley has these `curvatures` along its axes, which are turned by `angle`
    radians, and its minimum at `centre`. The printed line is tried at all pairs of
    `gradient_rates` and `strengths`, the rules at their own `rates` and at one `strength`; `decay`
    is momentum's, from 0 to under 1.
    """

    steps: int = 200
    curvatures: tuple[float, float] = (1.0, 10.0)
    angle: float = math.pi / 6
    centre: tuple[float, float] = (2.0, 1.5)
    start: tuple[float, float] = (-2.0, 1.0)
    gradient_rates: tuple[float, ...] = (0.01, 0.05, 0.15)
    strengths: tuple[float, ...] = (0.001, 0.1, 1.0)
    strength: float = 0.5
    rates: tuple[tuple[str, float], ...] = (
        ("gradient descent", 0.05), ("momentum", 0.02), ("adagrad", 0.5), ("adam", 0.1)
    )  # fmt: skip
    decay: float = 0.9


PLANS = {
    "C-063": Plan(
        effects={"relative": 1e-12, "controls differ by": 0.01},
        gates=("differ",),
        settings={
            "rates": Config.gradient_rates,
            "strengths": Config.strengths,
            "curvatures": Config.curvatures,
            "rates of the rules": dict(Config.rates),
            "strength of the rules": Config.strength,
        },
    )
}
SMOKE = Config(steps=30)
FULL = Config(steps=2000)


def bowl(config: Config) -> Callable[[jax.Array], jax.Array]:
    """The loss, a turned valley with its minimum at `config.centre`."""
    at_zero = surfaces.quadratic(config.curvatures, angle=config.angle)
    return lambda w: at_zero(w - jnp.array(config.centre, w.dtype))


def penalised(
    loss: Callable[[jax.Array], jax.Array], strength: Any
) -> Callable[[jax.Array], jax.Array]:
    """The loss and half the strength times the square of the weights' length."""
    return lambda w: loss(w) + regularizers.l2(w, strength)


def rules(config: Config) -> dict[str, tuple[optax.GradientTransformation, Any]]:
    """What each rule makes of a gradient, and its rate."""
    velocity, rates = optimizers.scale_by_momentum(config.decay), dict(config.rates)
    return {
        "gradient descent": (optax.identity(), rates["gradient descent"]),
        "momentum": (velocity, schedules.cosine_decay(rates["momentum"], config.steps)),
        CONSTANT: (velocity, rates["momentum"]),
        "adagrad": (optimizers.scale_by_adagrad(), rates["adagrad"]),
        "adam": (optimizers.scale_by_adam(), rates["adam"]),
    }


def run(config: Config) -> dict[str, Any]:
    """Paths of both forms under every rule, and their distances over the size of the path."""
    results = {
        "grid": surface_grid(bowl(config), VIEW),
        "steps": config.steps,
        "curvatures": config.curvatures,
        "centre": config.centre,
        "gradient rates": config.gradient_rates,
        "strengths": config.strengths,
        "strength": config.strength,
        "rates": dict(config.rates),
    }
    with jax.enable_x64(True):
        return results | measure(config)


def minimum(loss: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """Of a quadratic loss, which one Newton step reaches."""
    zero = jnp.zeros(2)
    return -jnp.linalg.solve(jax.hessian(loss)(zero), jax.grad(loss)(zero))


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All paths, in one program."""
    valley, start, penalty = bowl(config), jnp.array(config.start), config.strength

    def follow(tx: optax.GradientTransformation) -> jax.Array:
        return surfaces.trajectory(tx, valley, start, config.steps).points

    end, results = minimum(penalised(valley, penalty)), {"paths": {}, "away": {}, "apart": {}}
    for name, (rule, rate) in rules(config).items():
        descent = optimizers.gradient_descent(rate)
        forms = {
            "L2": follow(optax.chain(optimizers.add_l2(penalty), rule, descent)),
            "decay": follow(optax.chain(rule, optimizers.add_decoupled_decay(penalty), descent)),
        }
        results["paths"][name] = forms
        results["away"][name] = {
            form: jnp.linalg.norm(path - end[None], axis=1) for form, path in forms.items()
        }
        results["apart"][name] = distance(forms["L2"], forms["decay"])

    def pair(rate: jax.Array, strength: jax.Array) -> jax.Array:
        def as_printed(w: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            """002:660, one step."""
            w = (1 - rate * strength) * w - rate * jax.grad(valley)(w)
            return w, w

        descent, loss = optimizers.gradient_descent(rate), penalised(valley, strength)
        l2 = surfaces.trajectory(descent, loss, start, config.steps).points
        reached = jax.lax.scan(as_printed, start, length=config.steps)[1]
        return distance(l2, jnp.concatenate([start[None], reached]))

    grid = jnp.meshgrid(
        jnp.array(config.gradient_rates), jnp.array(config.strengths), indexing="ij"
    )
    pairs = jax.vmap(jax.vmap(pair))(*grid)
    return results | {"minimum": end, "printed": pairs}


def distance(first: jax.Array, second: jax.Array) -> jax.Array:
    """Of two paths at every point, over the largest distance of the first from 0."""
    size = jnp.max(jnp.linalg.norm(first, axis=1))
    return jnp.linalg.norm(first - second, axis=1) / size


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Gradient descent to 1e-12; the three other rules must differ by 1 % of the path."""
    plan = PLANS["C-063"]
    within, differ = plan.effects["relative"], plan.effects["controls differ by"]
    largest = {name: float(values.max()) for name, values in results["apart"].items()}
    pairs = results["printed"].max(axis=2).ravel()
    same = exactly(largest["gradient descent"])
    parts = [
        tolerance(
            "distance of the paths of the penalised loss and of the printed line, over their size",
            [exactly(value) for value in pairs],
            within=within,
            panel="e",
        ),
        tolerance(
            "distance of the paths of add_l2 and add_decoupled_decay, over their size",
            [same],
            within=within,
            panel="e",
        ),
    ]
    text = ", ".join(f"{name} {largest[name]:.2g}" for name in CONTROLS)
    apart = all(largest[name] > differ for name in CONTROLS)
    gate = Gate("differ", apart, f"largest distance over the size of the path: {text}")
    beside = [f"momentum at a constant rate: {largest[CONSTANT]:.2g} of the path apart"]
    beside += [
        f"{name}: {away['L2'][-1]:.2g} from the minimum of the penalised loss at the end with L2, "
        f"{away['decay'][-1]:.2g} with decay"
        for name, away in results["away"].items()
        if name != CONSTANT
    ]
    curvatures, rates, strengths = (
        np.asarray(results[name]).tolist() for name in ("curvatures", "gradient rates", "strengths")
    )
    scope = (
        f"a turned valley of 2 parameters, curvatures {curvatures[0]:g} and {curvatures[1]:g}, "
        f"{results['steps']:.0f} steps of gradient descent at rates {tuple(rates)} and strengths "
        f"{tuple(strengths)}, float64; no data, no random number"
    )
    return [
        all_of("C-063", parts, gates=[gate], scope=scope, beside=beside),
        demonstration(
            "E-81",
            bool(apart and same.value < within),
            f"L2 and decay of strength {results['strength']} part by up to these shares of the "
            f"path: {text}; gradient descent {same.value:.2g}",
            panel="e",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both paths of every rule, their distance, and the way to the penalised minimum."""
    fig, axes = figure(2, 3, width=5.0, height=4.2)
    for panel, (name, rate) in zip(axes, results["rates"].items(), strict=False):
        paths = results["paths"][name]
        start, optimum = paths["L2"][0], results["centre"]
        draw_surface(panel, results["grid"], start=start, optimum=optimum, bar=False)
        mark = {"mfc": "white", "mec": "black", "ms": 9, "label": "optimum with penalty"}
        panel.plot(*results["minimum"], "P", zorder=5, **mark)
        panel.plot(*paths["decay"].T, color="black", ls=":", zorder=5, label="weight decay")
        draw_path(panel, paths["L2"], name, label="L2 penalty", every=5)
        falling = ", falling to 0" if name == "momentum" else ""
        panel.set_title(f"{name}, rate {rate}{falling}")
    handles = [line for line in axes[0].get_lines() if line.get_label()[0] != "_"]
    axes[0].legend(handles=handles, loc="lower right", frameon=True, framealpha=0.8)
    apart, ends = axes[4:]
    for name in results["rates"]:
        found = results["printed"].max(axis=(0, 1)), results["apart"][name]
        shown = found[0] if name == "gradient descent" else found[1]
        apart.semilogy(np.maximum(shown, 1e-18), **method(name))
        for form, style in (("L2", "-"), ("decay", ":")):
            ends.semilogy(results["away"][name][form], color=method(name)["color"], ls=style)
    apart.axhline(PLANS["C-063"].effects["relative"], color="grey", lw=0.8)
    apart.set(xlabel="step", ylabel="distance / size of the path", ylim=(1e-18, 1e3))
    apart.set_title("L2 from decay (grey: the tolerance)")
    apart.legend(loc="center right", bbox_to_anchor=(1, 0.62))
    ends.set(xlabel="step", ylabel="distance, in units of the weights")
    ends.set_title("to the optimum with penalty; dotted: decay")
    return fig
