"""Do ten layers of N(0, 1) weights saturate every unit, so that no gradient arrives?

The lecture (004:332-338): outputs at -1 and 1, gradients 0, "dead neurons", parameters hardly
updated. A saturated unit's slope is small, but the weights that multiply it are large: the law of
infinite width says that the mean square of the gradient grows by N E[tanh'^2] a layer. The ten
layers of width 500, and a training run: digits, ten tanh layers of width 100, softmax, SGD at the
rate 0.01; how far the weights of the first layer have moved, over their norm.
The rules of `judge` were written after a first look at the numbers of layer 10, and the
steps of training halved after a run, for its time.

Command: python -m experiments --only do_large_weights_kill_the_gradient      (CPU, about 10 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.initialization import _ten_layers as ten_layers
from experiments.starts import one_of
from jaxtricks import data, initializers, models, optimizers, training

FIGURES = ("F-043",)
CLAIMS = ("C-092", "C-093")
ERRATA = ("E-54",)

LARGE, XAVIER = "N(0, 1), tanh", "Xavier, tanh"
NAMES = (LARGE, XAVIER, "N(0, 1), tanh, batch norm")
STARTS = {LARGE: initializers.gaussian(std=1.0), XAVIER: initializers.xavier()}


@dataclasses.dataclass(frozen=True)
class Config(ten_layers.Config):
    """And of the training run: `depth` layers of `hidden` units, `steps` of SGD.

    `starts`: the smoke run leaves batch norm out.
    """

    starts: tuple[str, ...] = NAMES
    depth: int = 10
    hidden: int = 100
    steps: int = 100


SMOKE = Config(20, 16, 2, starts=NAMES[:2], depth=1, hidden=10, steps=10)
FULL = Config(examples=1000, draws=50, steps=2000)


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer; `moved` of the first layer's weights, by draw."""
    shape = ten_layers.Config(config.width, config.examples, config.draws)
    moved = dict(zip(STARTS, train(config), strict=True))
    return {"data_set": "digits", "steps": config.steps, "moved": moved} | ten_layers.run(
        config.starts, shape
    )


def train(config: Config) -> np.ndarray:
    """Norm of the change of the first layer's weights over that of the weights `[start, draw]`."""
    split = data.load("digits").train
    images = split["image"].reshape(len(split["label"]), -1)
    examples = {**split, "image": data.standardize(images).apply(images)}
    rule = optimizers.gradient_descent(0.01)

    def one(start: jax.Array, key: jax.Array) -> jax.Array:
        init = one_of(tuple(STARTS.values()), start)
        net = models.deep_mlp(config.depth, width=config.hidden, kernel_init=init)
        ours = networks.trainer(net, rule)
        variables = networks.first_variables(net, key, examples)

        def update(state: training.TrainState, count: jax.Array) -> tuple[Any, None]:
            chosen = jax.random.randint(jax.random.fold_in(key, count), (32,), 0, len(images))
            batch = {name: jnp.asarray(values)[chosen] for name, values in examples.items()}
            return ours.step(state, batch, key)[0], None

        state, _ = jax.lax.scan(update, ours.init(variables), jnp.arange(config.steps))
        first = variables["params"]["Dense_0"]["kernel"]
        change = state.params["Dense_0"]["kernel"] - first
        return jnp.linalg.norm(change) / jnp.linalg.norm(first)

    keys = jax.random.split(jax.random.key(1), config.draws)
    runs = jnp.repeat(jnp.arange(len(STARTS)), config.draws), jnp.tile(keys, len(STARTS))
    moved = jax.jit(lambda runs: jax.lax.map(lambda run: one(*run), runs))(runs)
    return np.asarray(moved).reshape(len(STARTS), config.draws)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-092 if more than half of the activations of every layer are over 0.99 in size, in every
    draw; C-093 if the gradient is smaller at layer 1 than at layer 10, and the first layer moves
    less than Xavier's; E-54 if instead the gradient grows a hundredfold in every draw."""
    arms = results["arms"]
    share = arms[LARGE]["saturated"].min()
    growth = -ten_layers.at_depth(results, LARGE, "gradient")
    moved = {name: np.asarray(results["moved"][name]) for name in STARTS}
    text = f"rms of the gradient at layer 1 over layer 10: {10 ** growth.mean():.3g}"
    distances = (
        f"the first layer's weights moved by {moved[LARGE].mean():.2g} of their norm in "
        f"{results['steps']} steps, Xavier's by {moved[XAVIER].mean():.2g}; log10 ratio"
    )
    parts = [
        paired("C-093", growth, f"{text}, log10", claimed="negative"),
        paired("C-093", np.log10(moved[LARGE] / moved[XAVIER]), distances, claimed="negative"),
    ]
    return [
        exact("C-092", share > 0.5, f"least share over 0.99 of any layer and draw: {share:.3f}"),
        combine("C-093", parts),
        exact("E-54", (growth > 2).all(), text),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Histograms; saturation, and the gradient by layer."""
    return ten_layers.draw_histograms(
        results,
        list(results["arms"]),
        {
            "saturated": ("share over 0.99 in size", "linear"),
            "rms": ("rms of the activations", "linear"),
            "gradient": ("gradient rms / layer 10's", "log"),
        },
    )
