"""Do outputs of layer, instance and group norm depend on the rest of the batch?

002:107-120 shows the three beside batch norm, which averages along the batch: they average within
one example. C-113: in convolutional networks trained with each of them, none of the outputs of a
layer for the first example of a batch may change by 1e-6 or more when the other images are replaced
by different images, by noise of 100 times their size, or by zeros. With batch norm they must
change. No use is asserted: test errors after training with batches of 1 to 64 are printed only,
with the learning rate of each norm chosen at batches of 16 on other seeds, and in proportion to the
batch elsewhere.

Command: python -m experiments --only do_other_norms_serve_small_batches    (CPU, about 12 min)
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    exactly,
    figure,
    finish,
    interval,
    tolerance,
)
from jaxtricks import models, training
from jaxtricks.normalization import BatchNorm
from jaxtricks.probes import layer_values

CLAIMS = ("C-113",)
TIER = 3

BATCH, LAYER, INSTANCE, GROUP = NORMS = ("batch norm", "layer norm", "instance norm", "group norm")
CHANGES = ("other images", "noise of 100 times the size", "zeros")
PLANS = {
    "C-113": Plan(
        effects={"change of an output": 1e-6},
        gates=("BN must change",),
        settings={
            "changes of the other examples": CHANGES,
            "outputs": "of every layer and the logits, in training mode, after training",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`looked_at`: batch sizes at which other examples change; `batches`: sizes to train with;
    `usual`: the one at which the rate is chosen; `groups`: of the channels, for group norm.
    """

    data_set: str = "mnist"
    count: int = 2000
    validation: int = 2000
    test: int = 10_000
    features: tuple[int, ...] = (8, 16)
    groups: int = 4
    looked_at: tuple[int, ...] = (2, 8, 64)
    batches: tuple[int, ...] = (1, 4, 16, 64)
    usual: int = 16
    rates: tuple[float, ...] = (0.001, 0.0025, 0.006, 0.015, 0.04, 0.1)
    epochs: int = 6
    seed: int = 27_113
    seeds: int = 5
    tuning_seeds: int = 3


SMOKE = Config(
    data_set="digits",
    count=64,
    features=(4,),
    looked_at=(2,),
    batches=(16,),
    rates=(0.04, 0.1),
    epochs=1,
    seeds=2,
    tuning_seeds=1,
)
FULL = Config(count=20_000, features=(32, 64), epochs=20, seeds=10)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Of each norm: its rate, test errors in percent, and changes of the first example's outputs.

    Errors are `[batch, seed]`, changes `[batch, seed, size of the batch looked at, kind]`.
    """
    images = lab.read(config.data_set, pool=40_000, validation=config.validation, test=config.test)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]

    def trained(norm: str) -> dict[str, Any]:
        rates = np.array(config.rates, np.float32)
        usual = learner(config, norm, config.usual)
        losses = lab.over(usual, {"rate": rates}, tuning, images[:3])["validation error"]
        best = rates[np.argmin(losses.mean(axis=1))]
        look, errors, found = looker(config, norm), [], []
        for batch in config.batches:
            rate = best[None] * np.float32(batch / config.usual)
            learned = lab.over(learner(config, norm, batch), {"rate": rate}, judged, images[:3])
            errors.append(learned["test error"][0])
            networks = jax.tree.map(lambda values: values[0], learned["variables"])
            found.append(training.train_population(look, judged, networks, shared=(images.test,)))
        return {"rate": best, "error": np.stack(errors), "change": np.stack(found)}

    return {
        "data_set": images.name,
        "images": config.count,
        "features": config.features,
        "groups": config.groups,
        "epochs": config.epochs,
        "looked_at": config.looked_at,
        "batches": config.batches,
        "usual": config.usual,
        "norms": finish(trials, {norm: norm for norm in NORMS}, trained),
    }


def network(config: Config, norm: str) -> models.Sequential:
    """Convolutions, each with a norm, a rectifier and pooling, and a dense layer."""
    layers: list[Any] = []
    for size in config.features:
        kinds = {
            BATCH: BatchNorm(),
            LAYER: nn.LayerNorm(reduction_axes=(1, 2, 3)),
            INSTANCE: nn.InstanceNorm(),
            GROUP: nn.GroupNorm(num_groups=config.groups),
        }
        layers += [models.Conv(size), kinds[norm], nn.relu, models.max_pool]
    return models.Sequential([*layers, models.flatten, nn.Dense(10)])


@functools.cache
def learner(config: Config, norm: str, batch: int) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network: its errors and its variables after training."""
    net = network(config, norm)
    steps = config.epochs * (config.count // batch)

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, config.count)
        rule = lab.momentum_to_zero(trial["rate"], steps=steps)
        ours = training.trainer(training.classification_loss(net), rule, diagnostics=False)
        start = net.init(init_key, jnp.zeros((1, *fit["image"].shape[1:])), train=False)
        state, _ = lab.train(ours, start, fit, key=run_key, epochs=config.epochs, batch=batch)
        variables = ours.variables(state)
        return {
            "validation error": lab.measure(ours, variables, validation)["error"],
            "test error": lab.measure(ours, variables, test)["error"],
            "variables": variables,
        }

    return run


def looker(config: Config, norm: str) -> Callable[..., jax.Array]:
    """Makes what measures the changes of the first example's outputs, `[size of batch, kind]`.

    Each is the largest of all layers and channels, in training mode, when the other images change.
    """
    net = network(config, norm)

    def look(key: jax.Array, variables: Any, test: Any) -> jax.Array:
        images = jnp.float32(test["image"]) / 255

        def outputs(batch: jax.Array) -> list[jax.Array]:
            values = layer_values(net, variables, batch, train=True)
            return [value[0] for value in values.values()]  # the last are the logits

        def change(size: int) -> jax.Array:
            first, others = images[:1], images[1:size]
            noise = 100 * jax.random.normal(key, others.shape)
            replaced = jnp.stack([others, images[size : 2 * size - 1], noise, 0 * others])
            every = jax.lax.map(lambda rest: outputs(jnp.concatenate([first, rest])), replaced)
            largest = [jnp.max(jnp.abs(o[1:] - o[:1]), axis=range(1, o.ndim)) for o in every]
            return jnp.max(jnp.stack(largest), axis=0)

        return jnp.stack([change(size) for size in config.looked_at])

    return look


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What changes for the first example with each of the three, at every size and kind."""
    effect, norms = PLANS["C-113"].effects["change of an output"], results["norms"]
    parts = [
        tolerance(
            f"{norm}: largest change of an output for the first example",
            [exactly(value) for value in np.max(norms[norm]["change"], axis=(0, 1)).ravel()],
            within=effect,
            panel="a",
        )
        for norm in (LAYER, INSTANCE, GROUP)
    ]
    least = float(np.min(norms[BATCH]["change"]))
    text = f"with batch norm outputs change by {least:.2g} at least in every network and batch"
    gate = Gate("BN must change", least > effect, text)
    beside = [
        f"batches of {size:.0f}, test error: "
        + ", ".join(f"{norm} {np.mean(norms[norm]['error'][place]):.2f} %" for norm in NORMS)
        for place, size in enumerate(results["batches"])
    ]
    channels = " and ".join(f"{size:.0f}" for size in results["features"])
    scope = (
        f"{data_name(results['data_set'])} ({results['images']:,.0f} training images averaged over "
        f"2 x 2 pixels, digits 8 x 8), convolutions of {channels} channels, "
        f"{results['groups']:.0f} groups, momentum 0.9, {results['epochs']:.0f} epochs; batches of "
        f"{', '.join(f'{size:.0f}' for size in results['looked_at'])} in training mode, float32"
    )
    return [all_of("C-113", parts, scope=scope, gates=[gate], beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """How far the first example's outputs change, and test errors by the size of the batch."""
    fig, (change, errors) = figure(1, 2, width=5.8, height=4.6)
    draw_changes(change, results)
    sizes = np.asarray(results["batches"])
    for place, (norm, found) in enumerate(results["norms"].items()):
        rows = np.array([interval(values) for values in found["error"]])
        look = {"fmt": f"{'os^D'[place]}-", "capsize": 4, "color": COLOURS[place]}
        label = f"{norm}, rate {float(found['rate']):.2g}"
        x = sizes * 1.06 ** (place - 1.5)
        errors.errorbar(x, rows[:, 0], np.abs(rows[:, 1:].T - rows[:, 0]), label=label, **look)
    errors.set(xscale="log", xlabel="training batch size", ylabel="test error / %")
    errors.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    errors.minorticks_off()
    errors.set_ylim(0, 1.5 * errors.get_ylim()[1])
    usual = f"rate at batches of {results['usual']:.0f}, elsewhere proportional to the batch"
    errors.legend(loc="upper center", ncols=2, title=usual)
    seeds = np.shape(results["norms"][BATCH]["error"])[1]
    errors.set_title(f"{data_name(results['data_set'])}; mean and 95 % of {seeds} seeds")
    return fig


def draw_changes(axes: Axes, results: dict[str, Any]) -> None:
    """The largest change of an output at each size and kind; the scale is linear near 0."""
    sizes = [int(size) for size in results["looked_at"]]
    for place, found in enumerate(results["norms"].values()):
        most = np.max(found["change"], axis=(0, 1))
        for number, values in enumerate(most.T):
            x = place + 0.22 * (number - 1) + 0.06 * (np.arange(len(sizes)) - 1)
            label = CHANGES[number] if place == 0 else None
            axes.plot(x, values, "os^"[number], color=COLOURS[4 + number], label=label)
    effect = PLANS["C-113"].effects["change of an output"]
    axes.axhline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g}")
    axes.set_yscale("symlog", linthresh=1e-7)
    axes.set_yticks([0, 1e-6, 1e-4, 1e-2, 1, 100, 1e4])
    axes.set(ylim=(-3e-8, 1e7), ylabel="largest change of an output")
    axes.set_xticks(range(len(NORMS)), [norm.replace(" ", "\n") for norm in NORMS])
    axes.legend(title="the other images become", loc="upper right", ncols=2)
    told = ", ".join(str(size) for size in sizes)
    axes.set_title(f"Batches of {told} images, from left to right")
