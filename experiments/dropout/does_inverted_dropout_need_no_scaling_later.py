"""Does inverted dropout divide by the keep probability in training and need no scaling later?

002:734-793 divides the mask by p, there the probability of keeping, in training, and leaves
evaluation alone; standard dropout (002:692-721) only drops in training, and scales in evaluation.
Two networks of 002's shape (two hidden ReLU layers with dropout behind each) draw the same masks by
the same keys: an inverted one with weights W, and a standard one whose weights behind dropout are
W / keep, which computes the same in training. C-074: the inverted layer's training output over the
standard one's is 1 / keep, and the inverted network evaluated without scaling equals the standard
one evaluated with it, by its layers and by scaled weights, to 1e-6 of the root mean square of the
output. The drop rates are multiples of 1/16, which the layers draw exactly; others are rounded to
multiples of 2^-16, which stands beside. As a control the inverted network is scaled once more,
which must fail.

Command: python -m experiments --only does_inverted_dropout_need_no_scaling_later
(CPU, about 5 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.dropout._standard import BEHIND, standard_net
from experiments.engine import COLOURS, Gate, Plan, Verdict, all_of, exactly, figure, tolerance
from jaxtricks import models
from jaxtricks.regularizers import Dropout, dropout, scale_weights

FIGURES = ()
CLAIMS = ("C-074",)
TIER = 2

RATES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8, 15 / 16)
ROUNDED = 0.1  # a drop rate that is no multiple of 2^-16
PLANS = {
    "C-074": Plan(
        effects={"relative distance": 1e-6},
        gates=("a second scaling",),
        settings={"rates": RATES},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`width`: units of a hidden layer; `examples`: rows of random inputs of 64 numbers."""

    width: int = 100
    examples: int = 256


SMOKE = Config(width=64, examples=32)
FULL = Config(width=1000, examples=1000)


def run(config: Config) -> dict[str, Any]:
    """Distances by rate, how far a step goes, and one layer's outputs at the rate 1/2."""
    x = jax.random.normal(jax.random.key(0), (config.examples, 64))
    distances = compare(x, jnp.array(RATES), width=config.width)
    layer = {name: outputs(x[0, :24], 0.5, inverted) for name, inverted in FORMS.items()}
    drawn = np.asarray(Dropout(ROUNDED, inverted=False).apply({}, jnp.ones(1), train=False))
    return {
        "distances": distances,
        "layer": layer,
        "keep": float(drawn[0]),
        "width": config.width,
        "examples": config.examples,
    }


FORMS = {"inverted": True, "standard": False}
KEY = {"dropout": jax.random.key(1)}


def outputs(x: jax.Array, rate: Any, inverted: bool) -> jax.Array:
    return dropout(KEY["dropout"], x, rate, inverted=inverted)


@functools.partial(jax.jit, static_argnames="width")
def compare(x: jax.Array, rates: jax.Array, *, width: int) -> dict[str, jax.Array]:
    """`compare_at` every rate, in one program."""
    return jax.lax.map(functools.partial(compare_at, x, width), rates)


def compare_at(x: jax.Array, width: int, rate: jax.Array) -> dict[str, jax.Array]:
    """Relative distances at one rate, and the ratio of two steps of gradient descent."""
    nets = {
        "inverted": models.three_layer_net(width, dropout_rate=rate),
        "standard": standard_net(width, rate),
        "plain": models.three_layer_net(width, dropout_rate=0.0),
    }
    own = nets["inverted"].init(jax.random.key(2), x, train=False)
    divided = scaled_by(own, 1 / (1 - rate))
    rates = dict.fromkeys(BEHIND, rate)

    def trained(name: str, variables: Any) -> jax.Array:
        return nets[name].apply(variables, x, train=True, rngs=KEY)

    def tested(name: str, variables: Any) -> jax.Array:
        return nets[name].apply(variables, x, train=False)

    def gradient(name: str, variables: Any) -> jax.Array:
        loss = lambda given: jnp.mean(trained(name, given) ** 2)  # noqa: E731
        return jax.grad(loss)(variables)["params"]["Dense_1"]["kernel"]

    standard, inverted = outputs(x, rate, False), outputs(x, rate, True)
    unscaled = tested("inverted", own)
    # W / keep moves by the gradient, so W by keep times that
    step = gradient("inverted", own), (1 - rate) * gradient("standard", divided)
    return {
        "training ratio": apart((1 - rate) * inverted, standard),
        "training outputs": apart(trained("inverted", own), trained("standard", divided)),
        "evaluated by its layers": apart(unscaled, tested("standard", divided)),
        "by scaled weights": apart(unscaled, tested("plain", scale_weights(divided, rates))),
        "scaled once more": apart(tested("inverted", scale_weights(own, rates)), unscaled),
        "step": jnp.linalg.norm(step[0]) / jnp.linalg.norm(step[1]),
    }


def scaled_by(variables: Any, factor: jax.Array) -> dict[str, Any]:
    """With the kernels behind dropout multiplied by a number."""
    params = dict(variables["params"])
    for name in BEHIND:
        params[name] = {**params[name], "kernel": factor * params[name]["kernel"]}
    return {"params": params}


def apart(found: jax.Array, wanted: jax.Array) -> jax.Array:
    """Root mean square of the difference, over that of what is wanted."""
    return jnp.linalg.norm(found - wanted) / jnp.linalg.norm(wanted)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Both parts of C-074 at every rate, both ways of scaling the standard network."""
    within, found = PLANS["C-074"].effects["relative distance"], results["distances"]
    texts = {
        "training ratio": "inverted training output times keep, distance from the standard one",
        "evaluated by its layers": "inverted test output, distance from the standard network's "
        "that its layers scale",
        "by scaled weights": "inverted test output, distance from the standard network's with "
        "scaled weights",
    }
    parts = [
        tolerance(text, [exactly(value) for value in found[name]], within=within, panel="b")
        for name, text in texts.items()
    ]
    twice = min(found["scaled once more"])
    nominal = abs(results["keep"] / (1 - ROUNDED) - 1)
    half = list(RATES).index(0.5)
    return [
        all_of(
            "C-074",
            parts,
            gates=[
                Gate("a second scaling", twice > within, f"distance {twice:.3g} or more"),
            ],
            scope=f"a layer on {results['examples']:.0f} rows of 64 numbers and a network of two "
            f"hidden ReLU layers of {results['width']:.0f} units with its first weights, "
            f"{len(RATES)} drop rates from 1/16 to 15/16, one key, float32",
            beside=[
                f"training outputs of the two networks with the same masks are at most "
                f"{max(found['training outputs']):.1g} apart",
                f"at drop rate 1/2 a step of gradient descent moves the inverted network's weights "
                f"{found['step'][half]:.3g} times as far (1 / keep², the standard ones times keep)",
                f"a drop rate of {ROUNDED} is drawn as 1 − {results['keep']:.6f}, "
                f"{nominal:.1e} off",
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """One layer's outputs under the same mask, and the distances at every rate."""
    fig, (layer, distances) = figure(1, 2, width=5.8, height=4.8)
    draw_layer(layer, results["layer"])
    labels = {
        "training ratio": "training output times keep",
        "evaluated by its layers": "test output, scaled by layers",
        "by scaled weights": "test output, scaled weights",
        "scaled once more": "control: scaled once more",
    }
    floor, places = 1e-9, np.arange(len(RATES))
    for i, (name, label) in enumerate(labels.items()):
        values = np.maximum(results["distances"][name], floor)
        look = {"color": COLOURS[i], "marker": "os^D"[i], "label": label}
        distances.semilogy(places + 0.15 * (i - 1.5), values, ls="none", ms=6, **look)
    distances.axhline(1e-6, color="black", ls="--", lw=1)
    distances.text(places[-1], 1.3e-6, "allowed", ha="right", fontsize=10.5)
    distances.set_xticks(places, ["1/16", "1/8", "1/4", "1/2", "3/4", "7/8", "15/16"])
    distances.set(xlabel="drop rate", ylabel="relative distance", ylim=(floor / 2, 3e4))
    distances.set_yticks([1e-9, 1e-7, 1e-5, 1e-3, 1e-1], ["0", "1e-7", "1e-5", "0.001", "0.1"])
    distances.set_title("inverted against standard (0: alike bit by bit)")
    distances.legend(loc="upper left")
    return fig


def draw_layer(axes: Axes, layer: dict[str, np.ndarray]) -> None:
    """Twice as large where the unit stayed, 0 in both where it was dropped."""
    places = np.arange(len(layer["inverted"]))
    for shift, name, colour in ((-0.2, "standard", COLOURS[0]), (0.2, "inverted", COLOURS[1])):
        axes.bar(places + shift, layer[name], 0.4, color=colour, label=f"{name} dropout")
    dropped = np.flatnonzero(np.asarray(layer["standard"]) == 0)
    axes.plot(dropped, np.zeros(len(dropped)), "x", color="black", ms=5, label="dropped in both")
    axes.set(xlabel="unit", ylabel="training output", ylim=(-4, 6))
    axes.set_title("one layer, one mask, drop rate 1/2")
    axes.legend(loc="upper right")
