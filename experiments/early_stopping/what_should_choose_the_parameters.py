"""Which images should choose among configurations: those of training, of validation, or the test's?

000:25 says that the validation set selects the parameters. Each seed trains a ReLU net on 700 MNIST
images of its own, a share of them with random labels, at four strengths of L2, and keeps it after
five numbers of epochs: 20 configurations. The test images, which no net has seen, are divided at
random, 100 times: 300 validate, 300 test, and the others measure, so that nothing that was chosen
by has a say in it. C-061: the fresh error of the configuration that is best on the validation
images must be lower than that of the best on the training images (0.3 point matters), and the test
error of the former must be unbiased (within 0.3 point of its fresh error), while that of the best
on the test images is lower than its fresh error by more. Equally good configurations are averaged.
The control: where the labels of all test images are random, every choice shows optimism.

Command: python -m experiments --only what_should_choose_the_parameters     (CPU, about 60 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.early_stopping import _runs as runs
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    equivalent,
    figure,
    interval,
    mean,
    paired,
    part_of,
)
from jaxtricks import models

CLAIMS = ("C-061",)
TIER = 2

PLANS = {
    "C-061": Plan(
        effects={"points": 0.3},
        gates=("pos",),
        settings={
            "choices": ("training", "validation", "test"),
            "optimism": "fresh error minus the error on the images chosen by",
            "unbiased": "test error of what the validation images chose",
            "ties": "averaged",
            "pos": "optimism over the effect where labels are random, of both choices",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: training images of a seed, drawn from `pool`; `noise`: share of random labels;
    `chosen_by`: images that validate, and as many that test, of which there are `draws`."""

    data_set: str = "mnist"
    pool: int = 20_000
    count: int = 700
    noise: float = 0.2
    hidden: int = 128
    strengths: tuple[float, ...] = (0.0, 0.003, 0.01, 0.03)
    epochs: tuple[int, ...] = (5, 10, 20, 50, 100)
    batch: int = 50
    rate: float = 0.01
    chosen_by: int = 300
    draws: int = 100
    seed: int = 16_061
    seeds: int = 20


SMOKE = Config(
    data_set="digits", pool=800, count=100, hidden=4, epochs=(1, 2), draws=5, chosen_by=50, seeds=3
)
FULL = Config(hidden=512, draws=1000, seeds=100)


def run(config: Config) -> dict[str, Any]:
    """Errors of what each set of images chooses, and its optimism, one a seed."""
    images = runs.read(config.data_set, pool=config.pool)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    net = models.MLP((config.hidden, 10))
    every = int(np.gcd.reduce(config.epochs))
    places = np.array(config.epochs) // every - 1

    def one(key: jax.Array, trial: Any, pool: Any, test: Any) -> dict[str, jax.Array]:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, config.count, noise=config.noise)
        ours = runs.trainer(net, config.rate, pool, l2=trial["l2"])

        def look(state: Any) -> dict[str, jax.Array]:
            variables = ours.variables(state)
            scores = net.apply(variables, runs.standardised(pool)(test["image"]), train=False)
            return {
                "train": lab.measure(ours, variables, fit)["error"],
                "answers": jnp.argmax(scores, axis=-1).astype(jnp.uint8),
            }

        first = lab.first_variables(net, init_key, pool)
        options = {"epochs": config.epochs[-1], "batch": config.batch, "every": every}
        _, looks = lab.train(ours, first, fit, key=run_key, look=look, **options)
        return {name: values[places] for name, values in looks.items()}

    l2 = {"l2": np.array(config.strengths, np.float32)}
    found = lab.over(one, l2, keys, (images.pool, images.test))
    label, size = images.test["label"], len(images.test["label"])
    train, answers = (
        np.moveaxis(found[name], 1, 0).reshape(config.seeds, -1, *found[name].shape[3:])
        for name in ("train", "answers")
    )
    rows: dict[str, list[dict[str, float]]] = {"right labels": [], "random labels": []}
    for number in range(config.seeds):
        rng = np.random.default_rng((config.seed, number))
        drawn = np.stack([rng.permutation(size) for _ in range(config.draws)])
        labels = {"right labels": label, "random labels": rng.integers(0, 10, size)}
        for name, some in labels.items():
            wrong = answers[number] != some
            rows[name].append(choices(train[number], wrong, drawn, config.chosen_by))
    return {
        "data_set": images.name,
        "test": size,
        "count": config.count,
        "noise": config.noise,
        "hidden": config.hidden,
        "epochs": config.epochs,
        "strengths": config.strengths,
        "chosen_by": config.chosen_by,
        "draws": config.draws,
        "train error": train,
        "test error": 100 * np.mean(answers != label, axis=-1),
        **{
            name: {key: [row[key] for row in some] for key in some[0]}
            for name, some in rows.items()
        },
    }


def choices(train: np.ndarray, wrong: np.ndarray, drawn: np.ndarray, size: int) -> dict[str, float]:
    """What each set of images chooses, in percent and points, means over the draws.

    Args:
        train: training errors in percent, one a configuration.
        wrong: which answers are, `[configuration, image]`.
        drawn: orders of the images, `[draw, image]`: the first `size` of them validate, the next
            as many test, and the others measure.
        size: images to validate.

    Returns:
        The fresh error of what "training", "validation" and "test" choose; the "optimism" of the
        error that "validation" and "test" chose by; and that of the test error of what validation
        chose ("unseen"): the fresh error minus it.
    """
    parts = np.split(drawn, (size, 2 * size), axis=1)
    validation, test, fresh = (
        np.stack([100 * wrong[:, rows].mean(axis=1) for rows in part], axis=1) for part in parts
    )
    by = {"training": train[:, None], "validation": validation, "test": test}
    found = {name: chosen(scores, fresh) for name, scores in by.items()}
    return found | {
        "optimism of validation": chosen(validation, fresh - validation),
        "optimism of test": chosen(test, fresh - test),
        "optimism of unseen": chosen(validation, fresh - test),
    }


def chosen(scores: np.ndarray, values: np.ndarray) -> float:
    """Mean over the draws of `values` `[configuration, draw]` where the scores are lowest; equally
    low ones are averaged."""
    lowest = np.isclose(scores, scores.min(axis=0), atol=1e-6)
    lowest = np.broadcast_to(lowest, values.shape)
    return float(np.mean((lowest * values).sum(axis=0) / lowest.sum(axis=0)))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Validation against training, its unbiased test error, and the control."""
    effect, right = PLANS["C-061"].effects["points"], results["right labels"]
    lower = paired(
        "fresh error of what validation chose minus that of what training chose, points",
        right["validation"] - right["training"],
        effect=effect,
        claimed="down",
        panel="a",
    )
    unbiased = equivalent(
        "fresh minus test error of what validation chose, points",
        right["optimism of unseen"],
        within=effect,
        panel="b",
    )
    more = paired(
        "the same of what the test chose, minus this, points",
        right["optimism of test"] - right["optimism of unseen"],
        effect=effect,
        claimed="up",
        panel="b",
    )
    lows = {
        name: mean(results["random labels"][f"optimism of {name}"]).low
        for name in ("validation", "test")
    }
    text = " and ".join(f"{low:.2f} points by {name}" for name, low in lows.items())
    control = Gate(
        "pos",
        min(lows.values()) > effect,
        f"where labels are random the best of {results['test error'].shape[1]} looks better than "
        f"it is, by at least {text}",
    )
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} images a seed of 14 x 14 pixels "
        f"(digits 8 x 8), {100 * results['noise']:.0f} % random labels, one hidden layer of "
        f"{results['hidden']:.0f} ReLUs, momentum 0.9 at a constant rate, L2 of "
        f"{len(results['strengths'])} strengths, {results['epochs'][0]:.0f} to "
        f"{results['epochs'][-1]:.0f} epochs, {results['chosen_by']:.0f} images to choose by of "
        f"{results['test']:.0f} test images, {results['draws']:.0f} times, float32"
    )
    own = interval(right["optimism of validation"])
    beside = [
        "fresh minus validation error of what validation chose, points: {:.2f} [{:.2f}, "
        "{:.2f}]".format(*own),
        f"fresh error of what the test chose: {np.mean(right['test']):.2f} %, of what validation "
        f"chose: {np.mean(right['validation']):.2f} %, of what training chose: "
        f"{np.mean(right['training']):.2f} %",
    ]
    parts = [lower, part_of([unbiased, more], "all")]
    return [all_of("C-061", parts, scope=scope, gates=[control], beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Fresh errors of what was chosen, optimism, and errors of the configurations."""
    fig, (errors, optimism, grid) = figure(1, 3, width=5.2, height=4.8)
    right = results["right labels"]
    fresh = {name: right[name] for name in ("training", "validation", "test")}
    places(errors, fresh, "o", "black", 0.0)
    errors.set(ylabel="error on other images / %", xlabel="chosen by the error on")
    errors.set_title(f"{data_name(results['data_set'])}, {len(right['test'])} seeds, mean and 95 %")
    shown = {
        "validation,\nwhich chose": "validation",
        "test, where\nvalidation chose": "unseen",
        "test,\nwhich chose": "test",
    }
    for number, labels in enumerate(("right labels", "random labels")):
        found = {name: results[labels][f"optimism of {key}"] for name, key in shown.items()}
        places(optimism, found, "os"[number], COLOURS[number], 0.3 * number - 0.15, labels)
    optimism.axhline(0, color="grey", lw=1)
    optimism.set(ylabel="fresh error minus error / points", xlabel="error on")
    optimism.set_title(f"{results['chosen_by']:.0f} images, best of 20 configurations")
    low, high = optimism.get_ylim()
    optimism.set_ylim(low, high + 0.25 * (high - low))
    optimism.legend(loc="upper center", ncols=2)
    means = results["test error"].mean(axis=0).reshape(len(results["strengths"]), -1)
    for number, (strength, row) in enumerate(zip(results["strengths"], means, strict=True)):
        look = {"color": COLOURS[number], "marker": "os^D"[number], "label": f"L2 {strength:g}"}
        grid.plot(results["epochs"], row, **look)
    grid.set(xscale="log", xlabel="epochs", ylabel="error on all test images / %")
    grid.set_xticks(results["epochs"], [f"{count:.0f}" for count in results["epochs"]])
    grid.minorticks_off()
    grid.legend(loc="best")
    grid.set_title("The configurations, mean of the seeds")
    return fig


def places(
    axes: Axes,
    found: dict[str, np.ndarray],
    marker: str,
    colour: str,
    shift: float,
    label: str = "",
) -> None:
    """A column of seeds each, with their mean and interval."""
    for place, values in enumerate(found.values()):
        at = place + shift
        axes.plot(np.full(len(values), at - 0.08), values, ".", color="0.7", ms=4)
        centre, low, high = interval(values)
        bars = [[centre - low], [high - centre]]
        look = {"fmt": marker, "color": colour, "capsize": 4, "label": None if place else label}
        axes.errorbar(at, centre, bars, **look)
    axes.set_xticks(range(len(found)), found)
    axes.set_xlim(-0.5, len(found) - 0.5)
