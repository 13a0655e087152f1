"""Does He's initialisation keep the variance of ReLU layers, and does Xavier's fail?

The lecture (004:399-416): Xavier cannot serve ReLU; half the units are active, so "divide Xavier by
2" and get 4 / (N_in + N_out), which is Xavier *times* 2. Ten layers of 500 ReLU units: He, Xavier,
and the words taken literally. Xavier fails if less than a tenth of layer 1's rms is left at layer
10; as a control He must keep it. Half: the share of active units of every layer, to 0.05. Kept: the
gain of the mean square a layer is 1, to 5 %, at equal widths (the mean of the ten layers of a draw)
and through 784-256-64-256-784 units, where each layer is judged and 4 / (N_in + N_out) is not He's
2 / N_in; as a control that one must give 1.

Command: python -m experiments --only does_he_keep_the_variance      (CPU, about 40 s)
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    equivalent,
    interval,
    mean,
    tolerance,
    under,
)
from experiments.initialization import _ten_layers as ten_layers
from jaxtricks import initializers

FIGURES = ("F-045", "F-046")
CLAIMS = ("C-097", "C-098")
ERRATA = ("E-07",)
TIER = 2
PLANS = {
    "C-097": Plan(
        effects={"log10 of layer 10 over 1": -1.0, "He's": 0.1},
        gates=("pos",),
        settings={"layers": 10, "metric of layer": "rms of the activations"},
    ),
    "C-098": Plan(
        effects={"share of units": 0.05, "gain": 0.05},
        gates=("pos",),
        settings={
            "equal widths": "the mean over the ten layers' gains of each draw",
            "unequal widths": "every layer, the mean over the draws",
        },
    ),
}

HE, XAVIER, HALVED = NAMES = ("He, ReLU", "Xavier, ReLU", "Xavier / 2, ReLU")
PRINTED, FAN_IN = "4 / (N_in + N_out)", "2 / N_in"
FORMS = {PRINTED: initializers.he("fan_avg"), FAN_IN: initializers.he("fan_in")}


@dataclasses.dataclass(frozen=True)
class Config(ten_layers.Config):
    """And of the unequal widths: `sizes`, `batch` inputs, `unequal_draws` of the weights."""

    seed: int = 15_097
    sizes: tuple[int, ...] = (784, 256, 64, 256, 784)
    batch: int = 50
    unequal_draws: int = 1000


SMOKE = Config(width=20, examples=16, draws=2, sizes=(20, 10, 20), batch=16, unequal_draws=5)
FULL = Config(examples=1000, draws=50, unequal_draws=5000)


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for the three; gains of unequal layers for both forms."""
    keys = jax.random.split(
        jax.random.fold_in(jax.random.key(config.seed), 1), config.unequal_draws
    )

    def one(key: jax.Array) -> dict[str, jax.Array]:
        return {name: gains(key, form, config.sizes, config.batch) for name, form in FORMS.items()}

    unequal = jax.device_get(jax.jit(lambda keys: jax.lax.map(one, keys))(keys))
    results = ten_layers.run(NAMES, config)
    for arm in results["arms"].values():
        arm["active"] = 100 * (1 - arm["zero"])
    return {"sizes": config.sizes, "batch": config.batch, "unequal": unequal, **results}


def gains(key: jax.Array, form: Initializer, sizes: Sequence[int], batch: int) -> jax.Array:
    """Mean square of each ReLU layer's activations over that of its inputs, N(0, 1) at first."""
    x, found = jax.random.normal(key, (batch, sizes[0])), []
    for layer, shape in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        y = jax.nn.relu(x @ form(jax.random.fold_in(key, layer), shape, jnp.float32))
        found.append(jnp.mean(jnp.square(y)) / jnp.mean(jnp.square(x)))
        x = y
    return jnp.stack(found)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-097 by what is left at layer 10, C-098 by the active units and the gains, E-07 by rms."""
    change = {name: ten_layers.at_depth(results, name, "rms") for name in NAMES}
    deep = {name: results["arms"][name]["rms"][:, -1].mean() for name in NAMES}
    scope = ten_layers.scope(results, "ReLU")
    return [
        judge_xavier(change, scope),
        judge_he(results, scope),
        demonstration(
            "E-07",
            bool((change[HALVED] < change[XAVIER]).all() and abs(change[HE].mean()) < 0.3),
            f"rms at layer 10: {deep[HE]:.3g} for twice Xavier's variance, {deep[XAVIER]:.3g} for "
            f"Xavier's, {deep[HALVED]:.3g} for half of it",
            panel="b",
        ),
    ]


def judge_xavier(change: dict[str, np.ndarray], scope: str) -> Verdict:
    effects, kept = PLANS["C-097"].effects, mean(change[HE])
    part = under(
        "log10 of the activations' rms at layer 10 over layer 1, Xavier",
        change[XAVIER],
        effects["log10 of layer 10 over 1"],
        panel="b",
    )
    gate = Gate(
        "pos",
        max(-kept.low, kept.high) < effects["He's"],
        f"the same of He's start is {kept.value:.3f} [{kept.low:.3f}, {kept.high:.3f}]",
    )
    return all_of("C-097", [part], gates=[gate], scope=scope)


def judge_he(results: dict[str, Any], scope: str) -> Verdict:
    effects, sizes = PLANS["C-098"].effects, results["sizes"]
    active = [mean(column) for column in results["arms"][HE]["active"].T / 100]
    through = {
        name: tolerance(
            f"gain of the mean square of one layer of {'-'.join(map(str, sizes))}, {name}",
            [mean(column) for column in columns.T],
            within=effects["gain"],
            target=1.0,
            panel="d",
        )
        for name, columns in results["unequal"].items()
    }
    equal = equal_gains(results)
    parts = [
        tolerance(
            "share of active units in a layer", active, within=effects["share of units"],
            target=0.5, panel="c",
        ),
        equivalent(
            f"gain of the mean square a layer, {results['width']} units each, {PRINTED}",
            equal.mean(axis=1), within=effects["gain"], target=1.0, panel="b",
        ),
        through[PRINTED],
    ]  # fmt: skip
    control = through[FAN_IN]
    return all_of(
        "C-098",
        parts,
        gates=[
            Gate(
                "pos",
                control.outcome == "confirmed",
                f"{control.text}, is {control.estimate:.3f} [{control.low:.3f}, "
                f"{control.high:.3f}]",
            )
        ],
        scope=f"{scope}; unequal widths: {results['batch']} N(0, 1) inputs, "
        f"{len(results['unequal'][PRINTED])} draws",
        beside=[
            f"{name} gives {', '.join(f'{gain:.3f}' for gain in columns.mean(axis=0))} from layer "
            f"to layer of {'-'.join(map(str, sizes))}"
            for name, columns in results["unequal"].items()
        ],
    )


def equal_gains(results: dict[str, Any]) -> np.ndarray:
    """Of every draw and layer: mean square over the one before, 1 of the inputs."""
    squares = np.square(results["arms"][HE]["rms"])
    return squares / np.concatenate([np.ones((len(squares), 1)), squares[:, :-1]], axis=1)


def draw(results: dict[str, Any]) -> Figure:
    """Histograms of the three; rms, active units, and gains at unequal widths."""
    fig = ten_layers.draw_histograms(
        results,
        NAMES,
        {"rms": ten_layers.QUANTITIES["rms"], "active": ("active units / %", "linear")},
        further=[lambda axes: draw_gains(axes, results)],
    )
    active = fig.axes[-2]
    active.set(ylim=(44, 56), title="equal for all three: no scale changes a sign")
    return fig


def draw_gains(axes: Axes, results: dict[str, Any]) -> None:
    """Gain of each layer of unequal widths; short lines are the law."""
    shapes = list(zip(results["sizes"][:-1], results["sizes"][1:], strict=True))
    laws = {PRINTED: [2 * a / (a + b) for a, b in shapes], FAN_IN: [1.0] * len(shapes)}
    for (name, law), colour in zip(laws.items(), (LITERAL, RIGHT), strict=True):
        rows = np.array([interval(column) for column in results["unequal"][name].T])
        label = f"${name.replace('in', '{in}').replace('out', '{out}')}$"
        at = np.arange(len(shapes))
        bars = np.abs(rows[:, 1:].T - rows[:, 0])
        axes.errorbar(at, rows[:, 0], bars, fmt="o", ms=5, color=colour, label=label, capsize=3)
        axes.plot(at, law, "_", color=colour, ms=24)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(range(len(shapes)), [f"{a} to {b}" for a, b in shapes])
    axes.set(xlabel="layer of unequal widths", ylabel="gain of the mean square")
    axes.set(xlim=(-0.5, len(shapes) - 0.5), ylim=(0, 2.1))
    axes.set(title=f"{len(results['unequal'][FAN_IN])} draws; strokes: the law")
    axes.legend(loc="best")
