"""Is the first loss with weights near 0 the logarithm of the number of classes?

The lecture (002:962-974) checks a new classifier by its first loss: with W near 0 it should be
about log C. All scores are equal then, so each class has the probability 1/C. A linear classifier
and a network with two hidden layers look at 500 digits with random labels of C classes; all their
weights are normal with one standard deviation, from 1e-4 to 10. With weights that are not small the
loss is larger: scores of variance v cost about v/2 more.

Command: python -m experiments --only is_the_first_loss_log_c      (CPU, about 40 s)
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Gate, Plan, Verdict, all_of, exactly, figure, tolerance
from jaxtricks import data, models, training, tuning

FIGURES = ("F-075",)
CLAIMS = ("C-142",)
TIER = 2
PLANS = {
    "C-142": Plan(
        effects={"loss": 1e-3, "large": 0.1},
        gates=("large W differs",),
        settings={
            "small": 1e-3,
            "large": 1.0,
            "networks": "linear; two hidden layers of 100 rectifiers",
            "images": "500 digits, pixels from 0 to 1",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`scales`: standard deviations of all weights; `small` and `large`: those that are judged.

    `hidden`: units of the two hidden layers.
    """

    hidden: tuple[int, int] = (100, 100)
    classes: tuple[int, ...] = (2, 3, 10, 100)
    scales: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
    small: float = 1e-3
    large: float = 1.0
    examples: int = 500
    seed: int = 142


SMOKE = Config(classes=(2, 10), examples=100)
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """First losses `[classes, scale]` of each network, by the library's own check."""
    images = data.load("digits").train["image"][: config.examples]
    networks = {"linear": (), "two hidden layers": config.hidden}
    losses = {
        name: np.array(
            [first_losses(hidden, classes, images, config) for classes in config.classes]
        )
        for name, hidden in networks.items()
    }
    return {
        "classes": np.array(config.classes),
        "scales": np.array(config.scales),
        "small": config.scales.index(config.small),
        "large": config.scales.index(config.large),
        "losses": losses,
        "data_set": "digits",
    }


def first_losses(
    hidden: tuple[int, ...], classes: int, images: np.ndarray, config: Config
) -> list[float]:
    """The loss before the first update with weights of each scale."""
    label_key, init_key, key = jax.random.split(jax.random.key(config.seed), 3)
    batch = {
        "image": images,
        "label": np.asarray(jax.random.randint(label_key, (len(images),), 0, classes)),
    }
    net = models.MLP((*hidden, classes), activation=nn.relu)
    ours = training.trainer(training.classification_loss(net), optax.sgd(0.1))
    variables = net.init(init_key, jnp.zeros((1, *images.shape[1:])), train=False)
    leaves, structure = jax.tree.flatten(variables)
    keys = jax.random.split(init_key, len(leaves))
    normal = [jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    found = []
    for scale in config.scales:
        scaled = jax.tree.unflatten(structure, [scale * leaf for leaf in normal])
        checked = tuning.check_initial_loss(
            ours, ours.init(scaled), batch, key=key, classes=classes
        )
        found.append(checked.loss)
    return found


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if at the small scale every loss is within 1e-3 of ln C, and at the large one none
    within 0.1.
    """
    plan, natural = PLANS["C-142"], np.log(results["classes"])[:, None]
    excess = {name: losses - natural for name, losses in results["losses"].items()}
    small = {name: rows[:, results["small"]] for name, rows in excess.items()}
    large = np.array([rows[:, results["large"]] for rows in excess.values()])
    part = tolerance(
        "first loss less ln C",
        [exactly(value) for values in small.values() for value in values],
        within=plan.effects["loss"],
        panel="a and b",
    )
    differs = Gate(
        "large W differs",
        bool(np.all(np.abs(large) > plan.effects["large"])),
        f"with a standard deviation of {results['scales'][results['large']]:g} the loss is "
        f"{large.min():.2g} to {large.max():.2g} nats over ln C",
    )
    counts = ", ".join(map(str, results["classes"]))
    return [
        all_of(
            "C-142",
            [part],
            gates=[differs],
            scope=f"{len(excess)} networks, C = {counts}, all weights and biases normal with a "
            f"standard deviation of {results['scales'][results['small']]:g}, random labels of 500 "
            "digits",
            beside=[
                f"{name}: off by at most {np.abs(values).max():.2g} nats"
                for name, values in small.items()
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The first loss by the scale of the weights, for each number of classes."""
    fig, axes = figure(1, len(results["losses"]), height=4.6, sharey=True)
    scales = results["scales"]
    for one, (name, losses) in zip(axes, results["losses"].items(), strict=True):
        for row, classes, colour in zip(losses, results["classes"], COLOURS, strict=False):
            one.axhline(np.log(classes), color=colour, lw=1, ls=":")
            one.loglog(scales, row, "o-", color=colour, ms=4, label=f"{classes} classes")
        one.axvline(scales[results["small"]], color="grey", lw=1, ls="--")
        one.set(xlabel="standard deviation of the weights", title=name)
    axes[0].set_ylabel("first loss / nats")
    axes[0].legend(loc="upper center", title="dotted: ln C; dashed: judged")
    return fig
