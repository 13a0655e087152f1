"""What does the p of dropout mean?

It is the probability of dropping in 000:50, 001:79 and 004:684, of keeping in 001:93, 002:698 and
002:737 (E-31); the second argument of tf.nn.dropout is the first in 000:61 (TensorFlow 2) and the
second in 001:93 (TensorFlow 1, keep_prob), so that one call has complementary meanings (E-32). Our
argument is `rate`, the probability of dropping; both readings are handed to it. 000:60 writes
`layer.Dropout` where `layers` was imported (E-44): both lines are run. 001:92 says that at p = 1
all "may" be dropped (E-73): a layer of 200 units is dropped as a whole with probability p^200.

Command: python -m experiments --only what_does_the_p_of_dropout_mean      (CPU, about 4 s)
"""

import dataclasses
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, convention, demonstration, figure
from jaxtricks import regularizers
from jaxtricks.regularizers import dropout

FIGURES = ()
ERRATA = ("E-31", "E-32", "E-44", "E-73")

LINES = {"printed": "layer.Dropout(0.5)", "repaired": "layers.Dropout(0.5)"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`values` of p; `near_one`: those that may drop a layer; `draws` of its mask.

    `units` of that layer, of which 001's hidden layers have 200.
    """

    units: int = 200
    values: tuple[float, ...] = (0.0, 0.1, 0.2, 0.5, 0.8, 0.9, 1.0)
    near_one: tuple[float, ...] = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9998, 1.0)
    draws: int = 2000


SMOKE = Config(draws=50)
FULL = Config(draws=200_000)


def run(config: Config) -> dict[str, Any]:
    """Shares dropped in both readings, shares of layers dropped, and what the lines give."""
    rows = jnp.ones((config.draws, config.units))
    values, near = jnp.array(config.values), jnp.array(config.near_one)
    rate, keep, gone, largest, slope = jax.device_get(measure(rows, values, near))
    return {
        "values": config.values,
        "near one": config.near_one,
        "share": {"rate": rate, "keep": keep},
        "gone": gone,
        "largest at 1": largest,
        "slope at 1": slope,
        "lines": {name: outcome(line) for name, line in LINES.items()},
        "parameters": list(inspect.signature(dropout).parameters)[:3],
        "draws": config.draws,
        "units": config.units,
    }


@jax.jit
def measure(rows: jax.Array, values: jax.Array, near: jax.Array) -> tuple[jax.Array, ...]:
    """Shares of entries dropped, of rows dropped, and output and gradient at the rate 1."""
    key = jax.random.key(0)

    def dropped(rate: jax.Array) -> jax.Array:
        return dropout(key, rows, rate) == 0

    rate = jax.lax.map(lambda p: jnp.mean(dropped(p)), values)
    keep = jax.lax.map(lambda p: jnp.mean(dropped(1 - p)), values)
    gone = jax.lax.map(lambda p: jnp.mean(jnp.all(dropped(p), axis=1)), near)
    total, slope = jax.value_and_grad(lambda x: jnp.sum(abs(dropout(key, x, 1.0))))(rows)
    return rate, keep, gone, total, jnp.max(abs(slope))


def outcome(line: str) -> str:
    """The layer that a line makes where `layers` was imported, or the error that it raises."""
    try:
        return type(eval(line, {"layers": regularizers})).__name__
    except Exception as error:
        return type(error).__name__


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-44 if the printed line fails and the repaired one makes the layer; E-73 if at 1 every entry
    of every draw is 0, with finite gradients, and at lower rates not always the whole layer."""
    values, share = list(results["values"]), results["share"]
    tenth = values.index(0.1)
    as_rate, as_keep = (100 * share[name][tenth] for name in ("rate", "keep"))
    gone = dict(zip(map(float, results["near one"]), results["gone"], strict=True))
    zero = results["largest at 1"] == 0 and results["slope at 1"] == 0
    below = max(share for rate, share in gone.items() if rate < 1)
    printed, repaired = results["lines"]["printed"], results["lines"]["repaired"]
    names = ", ".join(results["parameters"])
    return [
        convention(
            "E-31",
            f"p = 0.1 drops {as_rate:.0f} % of the units as the probability of dropping (our "
            f"`rate`), {as_keep:.0f} % as that of keeping",
        ),
        convention(
            "E-32",
            f"the same call with 0.1 drops {as_rate:.0f} % (TensorFlow 2: rate) or {as_keep:.0f} % "
            f"(TensorFlow 1: keep_prob); ours is dropout({names})",
        ),
        demonstration(
            "E-44",
            printed == "NameError" and repaired == "Dropout",
            f"{LINES['printed']} gives {printed}, {LINES['repaired']} a layer {repaired}",
        ),
        demonstration(
            "E-73",
            bool(gone[1.0] == 1 and below < 1 and zero),
            f"at p = 1 all {results['units']} units are 0 in {100 * gone[1.0]:.0f} % of "
            f"{results['draws']:.0f} draws, with no 0 / 0 in output and gradient; at 0.999 in "
            f"{100 * gone[0.999]:.0f} %",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Shares dropped in both readings, and how often a layer is dropped as a whole."""
    fig, (share, gone) = figure(1, 2, width=5.4, height=4.6)
    labels = {"rate": "probability of dropping (rate)", "keep": "probability of keeping"}
    for i, (name, label) in enumerate(labels.items()):
        look = {"color": COLOURS[i], "marker": "os"[i], "label": f"p as the {label}"}
        share.plot(results["values"], 100 * results["share"][name], **look)
    share.axvline(0.1, color="grey", ls=":", lw=1)
    share.set(xlabel="p", ylabel="units dropped, %", ylim=(-4, 135))
    share.set_title("one number, two readings")
    share.legend(loc="upper center")
    draw_gone(gone, results)
    return fig


def draw_gone(axes: Axes, results: dict[str, Any]) -> None:
    """As far from 1 as p is, on a logarithmic axis, with p = 1 at its right end."""
    near, units = np.asarray(results["near one"]), results["units"]
    edge = 3e-5  # where p = 1 is drawn
    dense = np.geomspace(1e-1, 1e-4, 200)
    law = 100 * (1 - dense) ** units
    axes.plot(dense, law, color="black", lw=1, label=f"law: $p^{{{units}}}$")
    found = 100 * np.asarray(results["gone"])
    axes.plot(np.maximum(1 - near, edge), found, "o", color=COLOURS[0], label="as drawn")
    axes.set_xscale("log")
    axes.set_xlim(0.15, edge / 1.5)
    axes.set_xticks([0.1, 0.01, 0.001, 0.0001, edge], ["0.9", "0.99", "0.999", "0.9999", "1"])
    axes.minorticks_off()
    axes.set(xlabel="p as the probability of dropping", ylabel="draws that drop all units, %")
    axes.set_title(f"a layer of {units} units, {results['draws']:.0f} draws")
    axes.legend(loc="upper left")
