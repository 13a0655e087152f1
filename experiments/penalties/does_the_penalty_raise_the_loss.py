r"""Does the loss grow by lambda R when the penalty is added?

002:965, on how to check a loss: "with the penalty the loss should grow suitably". Compared are the
training losses of one ReLU net before its first update, on digits, with the penalty and without,
for the penalties of 002:634-638 and the halved L2, at strengths from 1e-6 to 1. The growth over
lambda R must be 1 (1e-6), where R is summed up in NumPy; at lambda = 0 nothing may change. Judged
in float64; printed beside: what float32, in which nets are trained, makes of it, and the growth as
a share of the loss, because no number says how much is "suitably".

Command: python -m experiments --only does_the_penalty_raise_the_loss      (CPU, about 5 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    exactly,
    figure,
    over,
    tolerance,
)
from jaxtricks import data, models, regularizers, training

CLAIMS = ("C-066",)

BETA = 0.5  # of the elastic net
PENALTIES = {
    "L1": regularizers.l1,
    "L2": functools.partial(regularizers.l2, half=False),
    "L2, halved": regularizers.l2,
    "elastic net": functools.partial(regularizers.elastic_net, ratio=BETA),
}
STRENGTHS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
PLANS = {
    "C-066": Plan(
        effects={"relative": 1e-6},
        gates=("zero",),
        settings={"strengths": STRENGTHS, "penalties": tuple(PENALTIES), "beta": BETA},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the examples; `hidden`: units of the net's layers."""

    limit: int = 1000
    hidden: tuple[int, ...] = (64, 64)
    seed: int = 15_066


SMOKE = Config(limit=100, hidden=(8,))
FULL = Config(hidden=(512, 512, 512))


def run(config: Config) -> dict[str, Any]:
    """The growth of the loss by precision and penalty, a number for each strength."""
    digits = data.load("digits", limit=config.limit).train
    images = np.asarray(digits["image"], np.float64) / 255
    net = models.MLP((*config.hidden, 10))
    with jax.enable_x64(True):
        key = jax.random.key(config.seed)
        params = net.init(key, jnp.asarray(images[:1]), train=False)["params"]
        found = {
            name: growth(net, optax.tree.cast(params, name), images, digits)
            for name in ("float64", "float32")
        }
    leaves = [np.asarray(w, np.float64) for w in jax.tree.leaves(params)]
    sizes = {
        "L1": sum(np.abs(w).sum() for w in leaves),
        "L2": sum(np.square(w).sum() for w in leaves),
    }
    sizes |= {"L2, halved": sizes["L2"] / 2, "elastic net": sizes["L1"] + BETA * sizes["L2"]}
    strengths = np.array(STRENGTHS[1:])
    return {
        "data_set": "digits",
        "examples": len(images),
        "hidden": config.hidden,
        "parameters": sum(w.size for w in leaves),
        "loss": found["float64"]["loss"],
        "sizes": sizes,
        "at zero": {name: grown[0] for name, grown in found["float64"]["growth"].items()},
        "growth": {name: grown[1:] for name, grown in found["float64"]["growth"].items()},
        "off": {
            precision: {
                name: np.asarray(grown[1:], np.float64) / (strengths * sizes[name]) - 1
                for name, grown in rows["growth"].items()
            }
            for precision, rows in found.items()
        },
    }


@functools.partial(jax.jit, static_argnames="net")
def growth(net: models.MLP, params: Any, images: jax.Array, digits: Any) -> dict[str, Any]:
    """The loss without penalty, and by how much each penalty raises it at each strength."""
    precision = jax.tree.leaves(params)[0].dtype
    batch = {"image": jnp.asarray(images, precision), "label": digits["label"]}
    per_example = training.classification_loss(net)
    strengths = jnp.array(STRENGTHS, precision)

    def loss(penalty: Any = None, strength: Any = None) -> jax.Array:
        mean = jnp.mean(per_example(params, {}, batch, {}, train=False)[0])
        return mean if penalty is None else mean + penalty(params, strength)

    rows = {
        name: jax.lax.map(lambda strength, one=one: loss(one, strength), strengths) - loss()
        for name, one in PENALTIES.items()
    }
    return {"loss": loss(), "growth": rows}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It grows at every strength above 0, and by lambda R to 1e-6."""
    within = PLANS["C-066"].effects["relative"]
    least = min(float(grown.min()) for grown in results["growth"].values())
    offs = np.concatenate([results["off"]["float64"][name] for name in PENALTIES])
    parts = [
        over("least growth of the loss / nat", exactly(least), 0.0, panel="a"),
        tolerance(
            "growth over lambda R, minus 1",
            [exactly(off) for off in offs],
            within=within,
            panel="b",
        ),
    ]
    unchanged = all(grown == 0 for grown in results["at zero"].values())
    gate = Gate("zero", unchanged, f"at lambda = 0 the growth is {results['at zero']['L2']:g}")
    beside = []
    for name in PENALTIES:
        grown = dict(zip(STRENGTHS[1:], results["growth"][name], strict=True))
        low = results["off"]["float32"][name]
        beside.append(
            f"{name}: R = {results['sizes'][name]:.4g}, at lambda = 0.0001 the loss of "
            f"{results['loss']:.3g} nat grows by {100 * grown[1e-4] / results['loss']:.2g} %; in "
            f"float32 the growth over lambda R is off by {abs(low[0]):.1g} at lambda = 1e-06 and "
            f"{abs(low[-1]):.1g} at 1"
        )
    hidden = "-".join(f"{units:.0f}" for units in results["hidden"])
    scope = (
        f"digits, {results['examples']:.0f} images of 8 x 8 pixels, a ReLU net of {hidden} hidden "
        f"units and {results['parameters']:,.0f} parameters before the first update, all of them "
        "penalised, mean cross-entropy, float64"
    )
    return [all_of("C-066", parts, gates=[gate], scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Growth against strength, and how far it is from lambda R, in both precisions."""
    fig, (grown, off) = figure(1, 2, width=5.8, height=4.4)
    strengths = STRENGTHS[1:]
    for i, name in enumerate(PENALTIES):
        look = {"color": COLOURS[i], "marker": "osD^"[i], "ms": 5}
        grown.loglog(strengths, results["growth"][name], label=name, **look)
        for precision, style in (("float64", "-"), ("float32", ":")):
            shown = np.maximum(np.abs(results["off"][precision][name]), 1e-17)
            off.loglog(strengths, shown, ls=style, **look)
    grown.axhline(results["loss"], color="grey", lw=0.8)
    grown.set(xlabel=r"strength $\lambda$", ylabel="growth of the loss / nat")
    grown.set_title("with the penalty minus without (grey: the loss)")
    grown.legend(loc="lower right")
    off.axhline(PLANS["C-066"].effects["relative"], color="grey", lw=0.8)
    off.set(xlabel=r"strength $\lambda$", ylabel=r"|growth / $\lambda R$ − 1|", ylim=(3e-18, 10))
    off.set_title("float64; dotted: float32 (grey: the tolerance)")
    return fig
