"""What is a network without activations?

The lecture (003:7-9) says a linear classifier, and that activations let it "store data". Two
spirals: three linear layers against logistic regression and against the same layers with ReLU,
trained alike (full batch, momentum), and the three matrices multiplied out against the network.

Command: python -m experiments --only what_is_a_network_without_activations      (CPU, about 10 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import COLOURS, figure, interval
from experiments.engine.before import Verdict, combine, exact, paired
from jaxtricks import models, optimizers

FIGURES = ("F-097",)
CLAIMS = ("C-131",)
ERRATA = ("E-86",)

NETS = {
    "logistic regression": models.linear_model(2),
    "three linear layers": models.MLP((32, 32, 2), activation=jax.nn.identity),
    "three layers with ReLU": models.MLP((32, 32, 2)),
}
LOGISTIC, LINEAR, RELU = NETS
SAME = 2.0  # percentage points between two accuracies that count as equal
ROUNDING = 1e-5  # of the largest logit


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples` of each of the two spirals; `grid`: points a side of the picture."""

    examples: int = 100
    steps: int = 2000
    seeds: int = 10
    grid: int = 80


SMOKE = Config(examples=20, steps=20, seeds=2, grid=10)
FULL = Config(examples=500, steps=20_000, seeds=50)


def spirals(key: jax.Array, count: int) -> dict[str, jax.Array]:
    """Two arms of one turn and a half, with a little noise."""
    turn = jnp.linspace(0.3, 1.5, count) * 2 * jnp.pi
    arm = jnp.stack([turn * jnp.cos(turn), turn * jnp.sin(turn)], axis=1) / (3 * jnp.pi)
    points = jnp.concatenate([arm, -arm])
    return {
        "image": points + 0.02 * jax.random.normal(key, points.shape),
        "label": jnp.repeat(jnp.arange(2), count),
    }


def run(config: Config) -> dict[str, Any]:
    """Accuracies in percent by seed, predictions of the first seed on a grid, and the collapse."""
    side = jnp.linspace(-1.2, 1.2, config.grid)
    grid = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)

    def one(net: models.MLP, key: jax.Array) -> dict[str, Any]:
        batch = spirals(key, config.examples)
        ours = networks.trainer(net, optimizers.momentum(0.1))
        first = ours.init(networks.first_variables(net, key, batch))
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

    keys = jax.random.split(jax.random.key(0), config.seeds)
    found = {}
    for name, net in NETS.items():
        every = functools.partial(jax.lax.map, functools.partial(one, net))
        rows = jax.jit(every)(keys)
        found[name] = {"accuracy": rows["accuracy"], "sheet": rows["sheet"][0]}
        if name == LINEAR:
            found[name] |= {key: rows[key][0] for key in ("image", "label")}
            found[name]["collapse"] = rows["collapse"]
    return {"nets": found, "side": side}


def collapse(params: Any, x: jax.Array, logits: jax.Array) -> jax.Array:
    """Largest difference between the logits and those of the one matrix, over the largest logit."""
    weight, bias = jnp.eye(x.shape[1]), jnp.zeros(x.shape[1])
    for layer in ("Dense_0", "Dense_1", "Dense_2"):
        weight = weight @ params[layer]["kernel"]
        bias = bias @ params[layer]["kernel"] + params[layer]["bias"]
    return jnp.max(jnp.abs(logits - (x @ weight + bias[None]))) / jnp.max(jnp.abs(logits))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-131 if one matrix gives the network's logits to rounding, its accuracy is within 2 points
    of logistic regression's, and ReLU's is higher; E-86 if, of layers with equally many weights,
    those without activation are one matrix and those with ReLU are better: a bend and no room."""
    nets = results["nets"]
    accuracy = {name: np.asarray(found["accuracy"]) for name, found in nets.items()}
    worst = np.max(nets[LINEAR]["collapse"])
    apart = np.abs(accuracy[LINEAR] - accuracy[LOGISTIC])
    each = ", ".join(f"{name} {values.mean():.1f}" for name, values in accuracy.items())
    parts = [
        exact("C-131", worst < ROUNDING, f"one matrix instead of three: {worst:.1e} of the logits"),
        paired("C-131", apart - SAME, f"accuracies / %: {each}; linear apart, minus {SAME:g}",
               claimed="negative"),
        paired("C-131", accuracy[RELU] - accuracy[LINEAR], "ReLU minus linear", claimed="positive"),
    ]  # fmt: skip
    better = parts[0].outcome == parts[2].outcome == "confirmed"
    same = NETS[LINEAR].features == NETS[RELU].features
    return [
        combine("C-131", parts),
        exact("E-86", better and same, f"equally many weights; one matrix to {worst:.1e}; {each}"),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The first seed's decisions."""
    fig, panels = figure(1, 3, width=3.9, height=3.7)
    side, points = results["side"], results["nets"][LINEAR]
    for axes, (name, found) in zip(panels, results["nets"].items(), strict=True):
        sheet = found["sheet"].reshape(len(side), len(side))
        axes.contourf(side, side, sheet, levels=[-0.5, 0.5, 1.5], colors=COLOURS[:2], alpha=0.3)
        for label, marker in enumerate("os"):
            chosen = points["image"][points["label"] == label]
            axes.plot(*chosen.T, marker, ms=3, color=COLOURS[label], label=f"class {label}")
        mean, low, high = interval(found["accuracy"])
        title = f"{name}\n{mean:.1f} % right [{low:.1f}, {high:.1f}]"
        axes.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
        axes.grid(visible=False)
    panels[0].legend(loc="upper right")
    seeds = len(points["accuracy"])
    fig.suptitle(
        f"decisions of the first seed, mean accuracy and 95 % interval of {seeds} seeds", fontsize=9
    )
    return fig
