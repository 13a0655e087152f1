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

GRADIENT_RATES, STRENGTHS = (0.01, 0.05, 0.15), (0.001, 0.1, 1.0)
RATES = {"gradient descent": 0.05, "momentum": 0.02, "adagrad": 0.5, "adam": 0.1}
CURVATURES, CENTRE, START, DRAWN = (1.0, 10.0), (2.0, 1.5), (-2.0, 1.0), 0.5
VIEW = ((-2.6, 3.2), (-1.6, 2.6))
CONTROLS, CONSTANT = ("momentum", "adagrad", "adam"), "momentum, constant rate"
PLANS = {
    "C-063": Plan(
        effects={"relative": 1e-12, "controls differ by": 0.01},
        gates=("differ",),
        settings={
            "rates": GRADIENT_RATES,
            "strengths": STRENGTHS,
            "curvatures": CURVATURES,
            "rates of the rules": RATES,
            "strength of the rules": DRAWN,
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps` of every path; the momentum's rate falls to 0 along half a cosine of that length."""

    steps: int = 200


SMOKE = Config(steps=30)
FULL = Config(steps=2000)


def valley(w: jax.Array) -> jax.Array:
    """A bowl ten times as steep across as along, with its minimum at `CENTRE`."""
    return surfaces.quadratic(CURVATURES, angle=math.pi / 6)(w - jnp.array(CENTRE, w.dtype))


def penalised(w: jax.Array, strength: Any = DRAWN) -> jax.Array:
    """The valley and half the strength times the square of the weights' length."""
    return valley(w) + regularizers.l2(w, strength)


def rules(steps: int) -> dict[str, tuple[optax.GradientTransformation, Any]]:
    """What each rule makes of a gradient, and its rate."""
    return {
        "gradient descent": (optax.identity(), RATES["gradient descent"]),
        "momentum": (
            optimizers.scale_by_momentum(0.9),
            schedules.cosine_decay(RATES["momentum"], steps),
        ),
        CONSTANT: (optimizers.scale_by_momentum(0.9), RATES["momentum"]),
        "adagrad": (optimizers.scale_by_adagrad(), RATES["adagrad"]),
        "adam": (optimizers.scale_by_adam(), RATES["adam"]),
    }


def run(config: Config) -> dict[str, Any]:
    """Paths of both forms under every rule, and their distances over the size of the path."""
    results = {"grid": surface_grid(valley, VIEW), "steps": config.steps}
    with jax.enable_x64(True):
        return results | measure(config)


def minimum() -> jax.Array:
    """Of the penalised loss: one Newton step reaches it, as the loss is quadratic."""
    zero = jnp.zeros(2)
    return -jnp.linalg.solve(jax.hessian(penalised)(zero), jax.grad(penalised)(zero))


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All paths, in one program."""
    start = jnp.array(START)

    def follow(tx: optax.GradientTransformation) -> jax.Array:
        return surfaces.trajectory(tx, valley, start, config.steps).points

    end, results = minimum(), {"paths": {}, "away": {}, "apart": {}}
    for name, (rule, rate) in rules(config.steps).items():
        descent = optimizers.gradient_descent(rate)
        forms = {
            "L2": follow(optax.chain(optimizers.add_l2(DRAWN), rule, descent)),
            "decay": follow(optax.chain(rule, optimizers.add_decoupled_decay(DRAWN), descent)),
        }
        results["paths"][name] = forms
        results["away"][name] = {
            form: jnp.linalg.norm(path - end[None], axis=1) for form, path in forms.items()
        }
        results["apart"][name] = distance(forms["L2"], forms["decay"])

    def pair(rate: jax.Array, strength: jax.Array) -> jax.Array:
        def loss(w: jax.Array) -> jax.Array:
            return penalised(w, strength)

        descent = optimizers.gradient_descent(rate)
        l2 = surfaces.trajectory(descent, loss, start, config.steps).points
        return distance(l2, as_printed(rate, strength, start, config.steps))

    grid = jnp.meshgrid(jnp.array(GRADIENT_RATES), jnp.array(STRENGTHS), indexing="ij")
    pairs = jax.vmap(jax.vmap(pair))(*grid)
    return results | {"minimum": end, "printed": pairs}


def as_printed(rate: Any, strength: Any, start: jax.Array, steps: int) -> jax.Array:
    """002:660, step after step: the start and the points reached."""

    def body(w: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        w = (1 - rate * strength) * w - rate * jax.grad(valley)(w)
        return w, w

    return jnp.concatenate([start[None], jax.lax.scan(body, start, length=steps)[1]])


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
    scope = (
        f"a turned valley of 2 parameters, curvatures {CURVATURES[0]:g} and {CURVATURES[1]:g}, "
        f"{results['steps']:.0f} steps of gradient descent at rates {GRADIENT_RATES} and strengths "
        f"{STRENGTHS}, float64; no data, no random number"
    )
    return [
        all_of("C-063", parts, gates=[gate], scope=scope, beside=beside),
        demonstration(
            "E-81",
            bool(apart and same.value < within),
            f"L2 and decay of strength {DRAWN} part by up to these shares of the path: {text}; "
            f"gradient descent {same.value:.2g}",
            panel="e",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both paths of every rule, their distance, and the way to the penalised minimum."""
    fig, axes = figure(2, 3, width=5.0, height=4.2)
    for panel, name in zip(axes, RATES, strict=False):
        draw_surface(panel, results["grid"], start=START, optimum=CENTRE, bar=False)
        paths = results["paths"][name]
        mark = {"mfc": "white", "mec": "black", "ms": 9, "label": "optimum with penalty"}
        panel.plot(*results["minimum"], "P", zorder=5, **mark)
        panel.plot(*paths["decay"].T, color="black", ls=":", zorder=5, label="weight decay")
        draw_path(panel, paths["L2"], name, label="L2 penalty", every=5)
        falling = ", falling to 0" if name == "momentum" else ""
        panel.set_title(f"{name}, rate {RATES[name]}{falling}")
    handles = [line for line in axes[0].get_lines() if line.get_label()[0] != "_"]
    axes[0].legend(handles=handles, loc="lower right", frameon=True, framealpha=0.8)
    apart, ends = axes[4:]
    for name in RATES:
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
