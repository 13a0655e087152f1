"""What is a network without activations?

The lecture (003:7-9) says that it classifies about like a linear classifier, and that activations
let it "store data". On two spirals of points three linear layers, logistic regression, and the same
layers with ReLU are trained alike (all points at once, momentum, cross-entropy). The three matrices
are multiplied out to one, and its outputs compared with the network's; the shares of the points
that each classifies rightly are compared in every draw of points and first weights.

Command: python -m experiments --only what_is_a_network_without_activations      (CPU, about 15 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    exactly,
    figure,
    interval,
    tolerance,
)
from jaxtricks import models, optimizers

FIGURES = ("F-097",)
CLAIMS = ("C-131",)
ERRATA = ("E-86",)

NETS = LOGISTIC, LINEAR, RELU = (
    "logistic regression", "three linear layers", "three layers with ReLU",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """Each of the two spirals has `examples`, scattered with the standard deviation `noise`.

    The two `hidden` layers have the given widths; all nets have `steps` updates at `rate`, with the
    momentum `decay`, from 0 to under 1. The picture has `grid` points a side.
    """

    examples: int = 100
    steps: int = 2000
    seed: int = 15_131
    seeds: int = 20
    grid: int = 80
    hidden: tuple[int, int] = (32, 32)
    rate: float = 0.1
    decay: float = 0.9
    noise: float = 0.02


SMOKE = Config(examples=20, steps=20, seeds=2, grid=10)
FULL = Config(examples=500, steps=20_000, seeds=50)
PLANS = {
    "C-131": Plan(
        effects={"of the largest logit": 1e-6, "points": 1.0},
        gates=("pos",),
        settings={
            "rate": Config.rate,
            "decay": Config.decay,
            "widths": (*Config.hidden, 2),
            "noise": Config.noise,
        },
    )
}


def spirals(key: jax.Array, count: int, noise: float) -> dict[str, jax.Array]:
    """Two arms of one turn and a half, with a little noise."""
    turn = jnp.linspace(0.3, 1.5, count) * 2 * jnp.pi
    arm = jnp.stack([turn * jnp.cos(turn), turn * jnp.sin(turn)], axis=1) / (3 * jnp.pi)
    points = jnp.concatenate([arm, -arm])
    return {
        "image": points + noise * jax.random.normal(key, points.shape),
        "label": jnp.repeat(jnp.arange(2), count),
    }


def run(config: Config) -> dict[str, Any]:
    """Accuracies in percent by seed, predictions of the first seed on a grid, and the collapse."""
    side = jnp.linspace(-1.2, 1.2, config.grid)
    grid = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)

    def one(net: models.MLP, key: jax.Array) -> dict[str, Any]:
        batch = spirals(key, config.examples, config.noise)
        ours = lab.trainer(net, optimizers.momentum(config.rate, decay=config.decay))
        first = ours.init(lab.first_variables(net, key, batch))
        state, _ = jax.lax.scan(
            lambda state, _: (ours.step(state, batch, key)[0], None), first, None, config.steps
        )
        logits, sheet = (
            net.apply(ours.variables(state), x, train=False) for x in (batch["image"], grid)
        )
        right = jnp.argmax(logits, axis=1) == batch["label"]
        found = {"accuracy": 100 * jnp.mean(right), "sheet": jnp.argmax(sheet, axis=1), **batch}
        if "Dense_2" in state.params:
            found["collapse"] = collapse(state.params, batch["image"], logits)
        return found

    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    linear = models.MLP((*config.hidden, 2), activation=jax.nn.identity)
    nets = models.linear_model(2), linear, models.MLP((*config.hidden, 2))
    found = {}
    for name, net in zip(NETS, nets, strict=True):
        every = functools.partial(jax.lax.map, functools.partial(one, net))
        rows = jax.jit(every)(keys)
        found[name] = {"accuracy": rows["accuracy"], "sheet": rows["sheet"][0]}
        found[name]["widths"] = net.features
        if name == LINEAR:
            found[name] |= {key: rows[key][0] for key in ("image", "label")}
            found[name]["collapse"] = rows["collapse"]
    return {
        "nets": found,
        "side": side,
        "steps": config.steps,
        "rate": config.rate,
        "decay": config.decay,
    }


def collapse(params: Any, x: jax.Array, logits: jax.Array) -> jax.Array:
    """Largest difference between the logits and those of the one matrix, over the largest logit."""
    weight, bias = jnp.eye(x.shape[1]), jnp.zeros(x.shape[1])
    for layer in ("Dense_0", "Dense_1", "Dense_2"):
        weight = weight @ params[layer]["kernel"]
        bias = bias @ params[layer]["kernel"] + params[layer]["bias"]
    return jnp.max(jnp.abs(logits - (x @ weight + bias[None]))) / jnp.max(jnp.abs(logits))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-131 if in every draw one matrix gives the network's logits to rounding and its accuracy is
    within a point of logistic regression's, where ReLU is better.

    E-86 if, of layers with equally many weights, those without activation are one matrix and those
    with ReLU classify better: a bend, and no room.
    """
    plan = PLANS["C-131"]
    nets = results["nets"]
    accuracy = {name: np.asarray(found["accuracy"]) for name, found in nets.items()}
    rounding, points = plan.effects["of the largest logit"], plan.effects["points"]
    distances = nets[LINEAR]["collapse"]
    one_matrix = tolerance(
        "distance of the logits of three linear layers from those of one matrix, over the largest "
        "logit",
        [exactly(distance) for distance in distances],
        within=rounding,
        panel="b",
    )
    equal = tolerance(
        "accuracy of three linear layers minus that of logistic regression, in percentage points",
        [exactly(difference) for difference in accuracy[LINEAR] - accuracy[LOGISTIC]],
        within=points,
        panel="b",
    )
    gain, low, high = interval(accuracy[RELU] - accuracy[LINEAR])
    control = Gate(
        "pos",
        low > points,
        f"ReLU classifies {gain:.1f} [{low:.1f}, {high:.1f}] points more rightly than none",
    )
    each = ", ".join(f"{name} {values.mean():.1f} %" for name, values in accuracy.items())
    seeds, examples = len(distances), len(nets[LINEAR]["label"])
    widths = nets[RELU]["widths"]
    same_weights = np.array_equal(nets[LINEAR]["widths"], widths)
    layers = "layers of {}, {} and {}".format(*widths)
    return [
        all_of(
            "C-131",
            [one_matrix, equal],
            gates=[control],
            scope=f"two spirals of {examples} points together, {seeds} draws, {layers}, "
            f"momentum {results['decay']} at rate {results['rate']}, {results['steps']} updates of "
            "all points at once, float32, accuracy on the points of the training",
            beside=[f"mean accuracies: {each}"],
        ),
        demonstration(
            "E-86",
            bool(same_weights and distances.max() < rounding and low > points),
            f"with equally many weights, {each}: the activation adds a bend, no room for data",
            panel="c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The first seed's decisions, and the mean accuracies."""
    fig, panels = figure(1, 3, width=5.0, height=5.0)
    side, points = results["side"], results["nets"][LINEAR]
    for axes, (name, found) in zip(panels, results["nets"].items(), strict=True):
        sheet = found["sheet"].reshape(len(side), len(side))
        axes.contourf(side, side, sheet, levels=[-0.5, 0.5, 1.5], colors=COLOURS[:2], alpha=0.3)
        for label, marker in enumerate("os"):
            chosen = points["image"][points["label"] == label]
            axes.plot(*chosen.T, marker, ms=3, color=COLOURS[label], label=f"class {label + 1}")
        mean, low, high = interval(found["accuracy"])
        seeds = len(found["accuracy"])
        title = f"{name}: {mean:.1f} % right\n(95 %: {low:.1f} to {high:.1f}, {seeds} seeds)"
        axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        axes.grid(visible=False)
    panels[0].legend(loc="lower left", borderpad=0.1)
    return fig
