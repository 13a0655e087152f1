"""Do ten layers of N(0, 1) weights saturate every unit, so that no gradient arrives?

The lecture (004:332-338): nearly all outputs lie at -1 or 1, the gradient is 0, the neurons are
dead and the parameters hardly updated. A saturated unit's slope is small, but the weights that
multiply it are large: by the law of infinite width the mean square of the gradient grows by
N E[tanh'^2] a layer. Ten tanh layers of width 500 at their start, from N(0, 1) and, as controls,
from Xavier's start, which must not saturate, and from N(0, 0.01), whose gradient must vanish. The
numbers in brackets are deviations. What is updated is seen in a training run: digits, ten tanh
layers of width 100 and one of logits, plain SGD at the rate 0.01 in batches of 32; how far a
layer's weights have moved, over their norm.

Command: python -m experiments --only do_large_weights_kill_the_gradient      (CPU, about 20 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import Gate, Plan, Verdict, all_of, demonstration, mean, paired, under
from experiments.initialization import _ten_layers as ten_layers
from experiments.lab.starts import one_of
from jaxtricks import data, models, optimizers, training

FIGURES = ("F-043",)
CLAIMS = ("C-092", "C-093")
ERRATA = ("E-54",)
TIER = 2

LARGE, XAVIER, SMALL = NAMES = ("N(0, 1), tanh", "Xavier, tanh", "N(0, 0.01), tanh")
STARTS = {name: ten_layers.ARMS[name].initializer for name in NAMES}
LEVELS = (0.9, 0.95, 0.99)
JUDGED = LEVELS.index(0.95)
RATE, BATCH = 0.01, 32
PLANS = {
    "C-092": Plan(
        effects={"share within ±0.95": 0.1, "Xavier's share over 0.95": 0.2},
        gates=("pos",),
        settings={"levels": LEVELS},
    ),
    "C-093": Plan(
        effects={"decades of the gradient": 1.0, "decades of the movement": 1.0},
        gates=("pos",),
        settings={"rate": RATE, "batch": BATCH},
    ),
}


@dataclasses.dataclass(frozen=True)
class Config(ten_layers.Config):
    """And of the training run: layers of `hidden` units, `steps` of SGD."""

    seed: int = 15_092
    hidden: int = 100
    steps: int = 100


SMOKE = Config(width=20, examples=16, draws=2, hidden=8, steps=2)
FULL = Config(examples=1000, draws=50, steps=2000)


def run(config: Config) -> dict[str, Any]:
    """By arm, draw and layer: activations and gradients; `over`: shares over each level `[draw,
    level, layer]`; `moved` of the weights in training."""
    results = ten_layers.run(NAMES, config)
    moved = train(config)
    for name, arm in results["arms"].items():
        arm |= {"over": shares(config, STARTS[name]), "moved": moved[name]}
        arm["large"] = arm["over"][:, JUDGED]
    return {"data_set": "digits", "steps": config.steps, "hidden": config.hidden, **results}


def shares(config: Config, initializer: Any) -> np.ndarray:
    """Of activations over each level in size `[draw, level, layer]`, of the draws of `measure`."""
    width, levels = config.width, jnp.array(LEVELS)[:, None, None]

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        input_key, _, weight_key = jax.random.split(key, 3)
        x = jax.random.normal(input_key, (config.examples, width))
        first, others = ten_layers.draw(initializer, weight_key, width, width)

        def layer(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
            y = jnp.tanh(x @ kernel)
            return y, jnp.mean(jnp.abs(y)[None] > levels, axis=(1, 2))

        return jax.lax.scan(layer, x, jnp.concatenate([first[None], others[:-1]]))[1].T

    keys = jax.random.split(jax.random.key(config.seed), config.draws)
    return np.stack([jax.device_get(one(key)) for key in keys])


def train(config: Config) -> dict[str, np.ndarray]:
    """Norm of the change of each layer's weights over that of the weights `[draw, layer]`."""
    split = data.load("digits").train
    images = split["image"].reshape(len(split["label"]), -1)
    examples = {**split, "image": data.standardize(images).apply(images)}
    rule = optimizers.gradient_descent(RATE)

    def one(start: jax.Array, key: jax.Array) -> jax.Array:
        init = one_of(tuple(STARTS.values()), start)
        net = models.deep_mlp(ten_layers.DEPTH, width=config.hidden, kernel_init=init)
        ours = lab.trainer(net, rule)
        variables = lab.first_variables(net, key, examples)

        def update(state: training.TrainState, count: jax.Array) -> tuple[Any, None]:
            chosen = jax.random.randint(jax.random.fold_in(key, count), (BATCH,), 0, len(images))
            batch = {name: jnp.asarray(values)[chosen] for name, values in examples.items()}
            return ours.step(state, batch, key)[0], None

        state, _ = jax.lax.scan(update, ours.init(variables), jnp.arange(config.steps))
        names = [f"Dense_{layer - 1}" for layer in ten_layers.LAYERS]
        pairs = [(variables["params"][n]["kernel"], state.params[n]["kernel"]) for n in names]
        return jnp.stack([jnp.linalg.norm(b - a) / jnp.linalg.norm(a) for a, b in pairs])

    keys = jax.random.split(jax.random.key(config.seed + 1), config.draws)
    every = jax.jit(lambda start: jax.lax.map(functools.partial(one, start), keys))
    return {name: jax.device_get(every(i)) for i, name in enumerate(STARTS)}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-092 if in every layer under a tenth of the activations lie within 0.95; C-093 if the first
    layer's gradient is a decade below the tenth's, and it moves a decade less than Xavier's."""
    growth = {name: -ten_layers.at_depth(results, name, "gradient") for name in NAMES}
    vanishing = mean(growth[SMALL])
    return [
        saturation(results),
        gradient(results, growth[LARGE], vanishing.value, vanishing.high),
        demonstration(
            "E-54",
            bool(growth[LARGE].min() > 2 and growth[SMALL].max() < -2),
            f"from N(0, 1) the gradient at layer 1 is {10 ** growth[LARGE].mean():.3g} times that "
            f"at layer 10, and {10 ** growth[LARGE].min():.3g} times in the draw where it grows "
            f"least; from N(0, 0.01) it is {10**vanishing.value:.2g} times",
            panel="c",
        ),
    ]


def saturation(results: dict[str, Any]) -> Verdict:
    """C-092."""
    effects, arms = PLANS["C-092"].effects, results["arms"]
    within = 1 - np.asarray(arms[LARGE]["large"])
    least = np.mean(arms[LARGE]["over"], axis=0).min(axis=1)
    control = float(np.mean(arms[XAVIER]["large"], axis=0).max())
    return all_of(
        "C-092",
        [
            under(
                f"share of activations within ±0.95 in layer {layer}",
                within[:, layer - 1],
                effects["share within ±0.95"],
                panel="b",
            )
            for layer in ten_layers.LAYERS
        ],
        scope=ten_layers.scope(results, "tanh"),
        gates=[
            Gate(
                "pos",
                control < effects["Xavier's share over 0.95"],
                f"from Xavier's start at most {control:.2g} of a layer are over 0.95",
            )
        ],
        beside=[
            f"over {level:g} in size are {share:.3f} or more of every layer"
            for level, share in zip(LEVELS, least, strict=True)
        ],
    )


def gradient(
    results: dict[str, Any], growth: np.ndarray, vanishing: float, at_most: float
) -> Verdict:
    """C-093; `vanishing`: the control's mean, `at_most`: its interval's upper end."""
    effects = PLANS["C-093"].effects
    moved = {name: np.asarray(results["arms"][name]["moved"])[:, 0] for name in NAMES}
    return all_of(
        "C-093",
        [
            paired(
                "log10 of the gradient's rms at layer 1 over that at layer 10",
                growth,
                effect=effects["decades of the gradient"],
                claimed="down",
                panel="c",
            ),
            paired(
                "log10 of the first layer's movement over that from Xavier's start",
                np.log10(moved[LARGE] / moved[XAVIER]),
                effect=effects["decades of the movement"],
                claimed="down",
                panel="d",
            ),
        ],
        scope=f"{ten_layers.scope(results, 'tanh')}; digits, {ten_layers.DEPTH} tanh layers of "
        f"{results['hidden']} units, {results['steps']} updates of SGD at rate {RATE}, batch "
        f"{BATCH}, float32",
        gates=[
            Gate(
                "pos",
                at_most < -effects["decades of the gradient"],
                f"from N(0, 0.01) that log10 is {vanishing:.2f}",
            )
        ],
        beside=[
            f"in {results['steps']} updates the first layer moves by {values.mean():.2g} of its "
            f"norm from {name}"
            for name, values in moved.items()
        ],
    )


def draw(results: dict[str, Any]) -> Figure:
    """Histograms; saturation, the gradient and the movement by layer."""
    fig = ten_layers.draw_histograms(
        results,
        NAMES,
        {
            "large": ("share over 0.95 in size", "linear"),
            "gradient": ("gradient's rms / layer 10's", "log"),
            "moved": ("movement / weights' norm", "log"),
        },
    )
    fig.axes[-1].set_title(f"{results['steps']} updates, width {results['hidden']}")
    return fig
