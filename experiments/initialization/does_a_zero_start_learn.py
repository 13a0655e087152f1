"""Does a start from zero learn?

The lecture (004:309-310): for logistic regression zeros or small random numbers will do; for deep
models it matters. Logistic regression and a network of two hidden tanh layers on digits, full-batch
momentum, from zeros, from all weights equal, and from N(0, std^2) of three deviations. From zeros
or equal weights the units of a layer get equal gradients and stay the same unit. Fixed before the
run: "will do" means a final training loss within 1 % of the best start's.
(The steps were halved after a run, for its time; the verdicts are the same.)

Command: python -m experiments --only does_a_zero_start_learn      (CPU, about 10 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import band, figure, interval
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.starts import one_of
from jaxtricks import data, initializers, models, optimizers, training

CLAIMS = ("C-088", "C-089")
TIER = 2

STARTS = {
    "zeros": initializers.zeros,
    "all 0.1": jax.nn.initializers.constant(0.1),
    "N(0, 0.001²)": initializers.gaussian(std=0.001),
    "N(0, 0.01²)": initializers.gaussian(std=0.01),
    "N(0, 0.1²)": initializers.gaussian(std=0.1),
}
LOOKS = {  # of N(0, 0.01) as in the other figures
    "zeros": {"color": "#000000", "linestyle": "--"},
    "all 0.1": {"color": "#7F7F7F", "linestyle": "--"},
    "N(0, 0.001²)": {"color": "#F0E442"},
    "N(0, 0.01²)": {"color": "#56B4E9"},
    "N(0, 0.1²)": {"color": "#E69F00"},
}
NETS = {"logistic regression": (), "two hidden layers": (32, 32)}
LOGISTIC, DEEP = NETS
RANDOM = tuple(name for name in STARTS if name[0] == "N")
WITHIN = 0.01


@dataclasses.dataclass(frozen=True)
class Config:
    """`marks` looks at the loss; `seeds` of the random starts."""

    steps: int = 500
    marks: int = 50
    seeds: int = 5


SMOKE = Config(steps=10, marks=2, seeds=2)
FULL = Config(steps=10_000, marks=500, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Training losses `[seed, mark]`, and how many different units the first layer ends with."""
    split = data.load("digits").train
    images = split["image"].reshape(len(split["label"]), -1)
    examples = {**split, "image": data.standardize(images).apply(images)}
    keys = jax.random.split(jax.random.key(0), config.seeds)
    found: dict[str, Any] = {}
    for net, hidden in NETS.items():
        one = functools.partial(train, config=config, examples=examples, hidden=hidden)
        over_starts = functools.partial(jax.lax.map, lambda run, one=one: one(*run))
        runs = jnp.repeat(jnp.arange(len(STARTS)), config.seeds), jnp.tile(keys, len(STARTS))
        ended = jax.device_get(jax.jit(over_starts)(runs))
        rows = jax.tree.map(lambda x: x.reshape(len(STARTS), config.seeds, *x.shape[1:]), ended)
        found[net] = {
            name: {"loss": rows["loss"][number], "units": units(rows["first"][number])}
            for number, name in enumerate(STARTS)
        }
    return {"data_set": "digits", "steps": config.steps, "nets": found}


def train(
    start: jax.Array, key: jax.Array, *, config: Config, examples: Any, hidden: tuple[int, ...]
) -> dict[str, jax.Array]:
    """The loss at each mark and the first layer's weights at the end."""
    init = one_of(tuple(STARTS.values()), start)
    net = models.MLP((*hidden, 10), activation=jnp.tanh, kernel_init=init)
    ours = networks.trainer(net, optimizers.momentum(0.1))
    first = ours.init(networks.first_variables(net, key, examples))

    def mark(state: training.TrainState, _: Any) -> tuple[training.TrainState, jax.Array]:
        def update(state: training.TrainState, _: Any) -> tuple[training.TrainState, jax.Array]:
            state, metrics = ours.step(state, examples, key)
            return state, metrics["loss"]

        state, losses = jax.lax.scan(update, state, None, config.steps // config.marks)
        return state, losses[-1]

    state, losses = jax.lax.scan(mark, first, None, config.marks)
    return {"loss": losses, "first": state.params["Dense_0"]["kernel"]}


def units(kernels: np.ndarray) -> np.ndarray:
    """Of each seed: how many columns differ by more than rounding."""
    scale = np.abs(kernels).max() or 1.0
    return np.array([len(np.unique(np.round(kernel / scale, 4), axis=1).T) for kernel in kernels])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-088 if for logistic regression zeros and every small random start end within 1 % of the
    best loss. C-089 if the deep network from zeros ends with one unit, and a larger loss than from
    the best random start."""
    ends = {
        net: {name: np.asarray(found["loss"])[:, -1] for name, found in starts.items()}
        for net, starts in results["nets"].items()
    }
    flat = {name: values.mean() for name, values in ends[LOGISTIC].items() if name != "all 0.1"}
    excess = max(flat.values()) / min(flat.values()) - 1
    best = min(RANDOM, key=lambda name: ends[DEEP][name].mean())
    count = np.asarray(results["nets"][DEEP]["zeros"]["units"])
    return [
        exact(
            "C-088", excess < WITHIN,
            f"final losses from zeros and three random starts are {excess:.2%} apart",
        ),
        combine(
            "C-089",
            [
                exact("C-089", (count == 1).all(), f"different units from zeros: {count.max()}"),
                paired(
                    "C-089", ends[DEEP]["zeros"] - ends[DEEP][best],
                    f"final loss from zeros {ends[DEEP]['zeros'].mean():.3g}, from {best} "
                    f"{ends[DEEP][best].mean():.3g}; difference", claimed="positive",
                ),
            ],
        ),
    ]  # fmt: skip


def draw(results: dict[str, Any]) -> Figure:
    """Training losses of both networks from all starts."""
    fig, panels = figure(1, 2, width=4.8, height=3.6, sharey=True)
    for axes, (net, starts) in zip(panels, results["nets"].items(), strict=True):
        for name, found in starts.items():
            losses = np.asarray(found["loss"])
            steps = (1 + np.arange(losses.shape[1])) * results["steps"] / losses.shape[1]
            rows = np.array([interval(column) for column in losses.T])
            band(axes, steps, *rows.T, label=name, **LOOKS[name])
        axes.set(yscale="log", xlabel="update", title=net)
    panels[0].set_ylabel("training loss / nats")
    panels[1].legend(loc="lower left")
    seeds = len(results["nets"][DEEP]["zeros"]["loss"])
    fig.suptitle(f"digits, full batch, mean and 95 % interval of {seeds} seeds", fontsize=9)
    return fig
