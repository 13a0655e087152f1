"""Do convolutions need dropout as fully connected layers do?

004:744-747 and 002:938: dropout is for large fully connected networks, and little used in the
hidden layers of convolutional ones, since these and ReLU are sparse already. Two dense layers with
dropout at 0.5, and three convolutions with 0.25 behind each and a dense layer without, rates that
published networks have, both with batch norm and without, on images of CIFAR-10 drawn anew by each
seed. Each network is tuned with dropout and without, eight learning rates, by validation error on
three other seeds. C-083: with and without batch norm the dense network must gain by dropout, and
more than the convolutional one (0.3 point of test error matters). How much dropout is used is a
report that no experiment tests.

E-93 holds that few parameters and batch norm are the reason, not sparsity. Two dense layers with no
more parameters than the convolutions must gain less than the large ones, and the convolutions less
with batch norm than without. What shared weights do by themselves is not measured; the share of
zeros behind ReLU is printed.

The default runs the dense networks alone, as the convolutions take nine hours on two cores; nothing
is judged by it. --full runs all, with wider networks on full images, for hours on a GPU.

Command: python -m experiments --only do_convolutions_need_dropout      (CPU, about an hour)
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments import lab
from experiments.dropout import _runs as runs
from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Part,
    Plan,
    Tuned,
    Verdict,
    all_of,
    choose,
    data_name,
    figure,
    finish,
    inside_grids,
    interval,
    not_run,
    paired,
)
from jaxtricks import models, normalization, regularizers, training
from jaxtricks.probes import layer_values

CLAIMS = ("C-083",)
ERRATA = ("E-93",)
TIER = 3

LARGE, CONV, SMALL = "large dense", "convolutions", "small dense"
PLAIN, NORM = "without batch norm", "with batch norm"
NONE, DROPOUT = "no dropout", "dropout"
DENSE = ((LARGE, PLAIN), (LARGE, NORM), (SMALL, PLAIN))
NETWORKS = (*DENSE, (CONV, PLAIN), (CONV, NORM))
FLOORS = {"cifar10": 30.0, "digits": 10.0}  # errors in percent of convolutions without dropout
AGREEMENT = 0.7  # rank correlation from which a quarter of the updates may choose
LOOKED_AT = 2000  # test images
NOT_RUN = (
    "out of reach on two cores: convolutions without dropout, the first with stride 2, are right "
    "on 69.6 % of the test and 95 % of the training images after 12 epochs of 40,000 images of "
    "32 x 32 pixels (20,000 of 16 x 16, no stride, 9 epochs: 61 and 87 %, with batch norm 63 and "
    "87 %), and 70 and 99.5 % are demanded; with 20 epochs and its tuning the study takes about "
    "nine hours; --full runs it"
)
PLANS = {
    "C-083": Plan(
        effects={"points": 0.3},
        gates=("fit", "floor", "nest", "edge"),
        settings={
            "networks": NETWORKS,
            "floors": FLOORS,
            "fit": "training accuracy 99.5 % without dropout and a gap of 5 times the smallest "
            "effect, large dense and convolutions, with batch norm and without",
            "choice": "by validation error on tuning seeds, resampled 200 times; after a quarter "
            f"of the epochs if its ranks correlate over {AGREEMENT} with those of all epochs on "
            "one tuning seed, else after all epochs",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is fixed before the run.

    Attributes:
        networks: those that are run.
        halve: whether pixels are averaged over 2 x 2.
        count: training images of a seed.
        features: channels of the convolutions; `units` of the dense layer behind them, which has
            no dropout.
        large: units of the large dense network; `small` of the one that has no more parameters
            than the convolutions.
        drops: drop rates behind dense layers and behind convolutions.
        epochs: of the dense networks and of the convolutional ones.
    """

    data_set: str = "cifar10"
    networks: tuple[tuple[str, str], ...] = DENSE
    pool: int = 45_000
    validation: int = 5000
    test: int = 10_000
    halve: bool = True
    count: int = 20_000
    features: tuple[int, ...] = (32, 64, 128)
    units: int = 256
    large: tuple[int, ...] = (512, 512)
    small: tuple[int, ...] = (105, 105)
    drops: tuple[float, float] = (0.5, 0.25)
    epochs: tuple[int, int] = (20, 20)
    batch: int = 50
    rates: tuple[float, ...] = (0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
    seed: int = 46_083
    seeds: int = 10
    tuning_seeds: int = 3


SMOKE = Config(
    data_set="digits",
    networks=NETWORKS,
    pool=800,
    validation=200,
    test=200,
    count=200,
    features=(2,),
    units=4,
    large=(8, 8),
    small=(4,),
    epochs=(1, 1),
    rates=(0.04, 0.08),
    seeds=2,
    tuning_seeds=2,
)
FULL = Config(
    networks=NETWORKS,
    halve=False,
    count=40_000,
    features=(64, 128, 256),
    large=(2048, 2048),
    small=(115, 115),
    epochs=(60, 40),
    seeds=20,
)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for every network with dropout and without."""
    sizes = {"pool": config.pool, "validation": config.validation, "test": config.test}
    images = lab.read(config.data_set, halve=config.halve, **sizes)
    study = Study(config, images, trials)
    arms = {
        f"{net}, {norm}, {drop}": study.tuned(Arm(net, norm, drop))
        for net, norm in config.networks
        for drop in (NONE, DROPOUT)
    }
    return {
        "data_set": images.name,
        "networks": config.networks,
        "pixels": images.pool["image"].shape[1],
        "test": len(images.test["label"]),
        "count": config.count,
        "features": config.features,
        "units": config.units,
        "large": config.large,
        "small": config.small,
        "drops": config.drops,
        "epochs": config.epochs,
        "arms": arms,
    }


class Arm(NamedTuple):
    """One of `NETWORKS`, with dropout or without."""

    net: str
    norm: str
    drop: str


class Study(NamedTuple):
    """A configuration, its images, and the file of the trials that are finished."""

    config: Config
    images: lab.Images
    trials: Path

    def tuned(self, arm: Arm) -> dict[str, Any]:
        """One arm, as `lab.best` reads it, with the correlation of the ranks of both budgets."""
        config, epochs = self.config, self.config.epochs[arm.net == CONV]
        tuning = range(config.seeds, config.seeds + config.tuning_seeds)
        losses = self.losses(arm, -(-epochs // 4), tuning)
        ranks = rank_correlation(losses.mean(axis=1), self.losses(arm, epochs, tuning[:1])[:, 0])
        if ranks <= AGREEMENT:
            losses = self.losses(arm, epochs, tuning)

        def tested(number: int) -> dict[str, Any]:
            rate = config.rates[number]
            name = f"{', '.join(arm)}, judged at rate {rate:g}"
            return self.found(name, arm, epochs, [rate], range(config.seeds), judged=True)

        others = choose(losses, np.array(config.rates), tested).others
        names = others[min(others)]
        return {
            "trials": {"rate": config.rates},
            "losses": losses,
            "numbers": sorted(others),
            "tested": {k: np.stack([others[i][k][0] for i in sorted(others)]) for k in names},
            "ranks": ranks,
        }

    def losses(self, arm: Arm, epochs: int, seeds: Sequence[int]) -> np.ndarray:
        """Validation errors `[rate, seed]`."""
        columns = [
            self.found(
                f"{', '.join(arm)}, {epochs} epochs, tuning seed {seed}",
                arm,
                epochs,
                self.config.rates,
                [seed],
            )["validation error"]
            for seed in seeds
        ]
        return np.concatenate(columns, axis=1)

    def found(
        self,
        name: str,
        arm: Arm,
        epochs: int,
        rates: Sequence[float],
        seeds: Sequence[int],
        *,
        judged: bool = False,
    ) -> dict[str, np.ndarray]:
        """Results `[rate, seed]` of one piece of the study, which is run if it is not finished."""
        piece = {"arm": arm, "epochs": epochs, "rates": rates, "seeds": list(seeds)}

        def learned(piece: dict[str, Any]) -> dict[str, np.ndarray]:
            every = jax.random.key(self.config.seed)
            keys = jax.random.split(every, self.config.seeds + self.config.tuning_seeds)
            program = learner(self.config, arm, epochs, judged)
            return lab.over(
                program, np.float32(rates), keys[np.array(piece["seeds"])], self.images[:3]
            )

        results = finish(self.trials, {name: piece}, learned)[name]
        return {metric: np.asarray(values) for metric, values in results.items()}


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's; 0 where all values of one are equal."""
    if min(np.ptp(first), np.ptp(second)) == 0:
        return 0.0
    return float(stats.spearmanr(first, second).statistic)


def network(config: Config, arm: Arm) -> models.Sequential:
    """The network of an arm."""
    dense, convolution = config.drops if arm.drop == DROPOUT else (0.0, 0.0)
    norms = [normalization.BatchNorm] if arm.norm == NORM else []
    options: dict[str, Any] = {"use_bias": not norms, "kernel_init": nn.initializers.he_normal()}
    layers: list[Any] = []
    if arm.net == CONV:
        pool = functools.partial(models.max_pool, size=2)
        for size in config.features:
            layers += [models.Conv(size, **options), *(norm() for norm in norms), nn.relu]
            layers += [pool, regularizers.Dropout(convolution)]
        layers += [models.flatten, nn.Dense(config.units, **options), *(norm() for norm in norms)]
        return models.Sequential([*layers, nn.relu, nn.Dense(10)])
    for units in config.large if arm.net == LARGE else config.small:
        layers += [nn.Dense(units, **options), *(norm() for norm in norms), nn.relu]
        layers += [regularizers.Dropout(dense)]
    return models.Sequential([models.flatten, *layers, nn.Dense(10)])


@functools.cache
def learner(
    config: Config, arm: Arm, epochs: int, judged: bool
) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network: its validation error or, `judged`, what is judged by."""
    net = network(config, arm)

    def run(key: jax.Array, rate: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, config.count)
        rule = lab.momentum_to_zero(rate, steps=epochs * (config.count // config.batch))
        scaled = standardised(fit)
        loss = training.classification_loss(net, preprocess=scaled)
        ours = training.trainer(loss, rule, diagnostics=False)
        start = lab.first_variables(net, init_key, fit)
        options = {"epochs": epochs, "batch": config.batch}
        state, _ = lab.train(ours, start, fit, key=run_key, **options)
        variables = ours.variables(state)
        sets = {"train": fit, "test": test} if judged else {"validation": validation}
        errors = {
            f"{name} error": lab.measure(ours, variables, some)["error"]
            for name, some in sets.items()
        }
        if judged:
            errors["zeros"] = zeros(net, variables, scaled(test["image"][:LOOKED_AT]), arm)
        return errors

    return run


def standardised(examples: Any) -> Callable[[Any], jax.Array]:
    """Makes images whose channels have mean 0 and deviation 1 in these examples."""
    pixels = jnp.float32(examples["image"])
    mean, deviation = (of(pixels, axis=(0, 1, 2), keepdims=True) for of in (jnp.mean, jnp.std))
    return lambda images: (jnp.float32(images) - mean) / deviation


def zeros(net: models.Sequential, variables: Any, images: jax.Array, arm: Arm) -> jax.Array:
    """Percent of zeros behind the hidden ReLU layers, which count alike."""
    kinds = normalization.BatchNorm if arm.norm == NORM else (nn.Dense, models.Conv)
    values = list(layer_values(net, variables, images, layers=kinds, train=False).values())
    hidden = values if arm.norm == NORM else values[:-1]  # without the logits
    return 100 * jnp.mean(jnp.array([jnp.mean(layer <= 0) for layer in hidden]))


def gain(*pairs: Tuned) -> Estimate:
    """Points of test error that dropout takes away, of one network, or of one minus another's.

    Args:
        *pairs: a network without dropout and with it, and those of the other.
    """

    def difference(*found: Any) -> np.ndarray:
        errors = [np.asarray(own["test error"]) for own in found]
        own = errors[0] - errors[1]
        return own - (errors[2] - errors[3]) if len(errors) > 2 else own

    return runs.difference(difference, *pairs)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What dense layers gain and how much more than convolutions; and the reasons of E-93."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    pairs = paired_arms(results, arms)
    lines = beside(results, pairs)
    if len(pairs) < len(NETWORKS):
        lines = [f"dense networks alone: {described(results)}", *lines]
        return [not_run("C-083", NOT_RUN, beside=lines), not_run("E-93", NOT_RUN)]
    effect = PLANS["C-083"].effects["points"]

    def part(text: str, *networks: tuple[str, str]) -> Part:
        found = gain(*(arm for own in networks for arm in pairs[own]))
        return paired(f"{text}, points", found, effect=effect, claimed="up", panel="b")

    parts = []
    for norm in (PLAIN, NORM):
        large, convolutions = (LARGE, norm), (CONV, norm)
        parts.append(part(f"{norm}: gain of the large dense network by dropout", large))
        parts.append(part(f"{norm}: that gain minus the convolutions'", large, convolutions))
    reasons = [
        part(
            "gain of the large dense network minus that of the small one",
            (LARGE, PLAIN),
            (SMALL, PLAIN),
        ),
        part(
            "gain of the convolutions without batch norm minus that with it",
            (CONV, PLAIN),
            (CONV, NORM),
        ),
    ]
    options = {"gates": controls(results, arms, effect), "scope": described(results)}
    return [
        all_of("C-083", parts, beside=lines, **options),
        all_of("E-93", reasons, **options),
    ]


def paired_arms(
    results: dict[str, Any], arms: dict[str, Tuned]
) -> dict[tuple[str, str], tuple[Tuned, Tuned]]:
    """Every network that was run, without dropout and with it."""
    return {
        (net, norm): (arms[f"{net}, {norm}, {NONE}"], arms[f"{net}, {norm}, {DROPOUT}"])
        for net, norm in results["networks"]
    }


def controls(results: dict[str, Any], arms: dict[str, Tuned], effect: float) -> list[Gate]:
    """The networks that the claim compares must learn, over-fit, and be no bad ones."""
    fits, floors = [], []
    floor = FLOORS[results["data_set"]]
    for net in (LARGE, CONV):
        for norm in (PLAIN, NORM):
            plain = arms[f"{net}, {norm}, {NONE}"]
            found = runs.overfits(plain, least=5 * effect)
            fits.append(dataclasses.replace(found, text=f"{net} {norm}: {found.text}"))
            if net == CONV:
                error = float(np.mean(plain.tested["test error"]))
                text = f"{net} {norm}: test error {error:.3g} %, {floor:g} allowed"
                floors.append(Gate("floor", error <= floor, text))
    return [
        runs.every("fit", fits),
        runs.every("floor", floors),
        Gate("nest", None, "chosen on other seeds and other images; the choice is resampled"),
        inside_grids(arms),
    ]


def beside(results: dict[str, Any], pairs: dict[tuple[str, str], Any]) -> list[str]:
    """Gains, sparsity and what chose the rates, as printed lines."""
    lines = []
    for (net, norm), pair in pairs.items():
        found = gain(*pair)
        rates = " and ".join(f"{float(arm.trial['rate']):g}" for arm in pair)
        sparse = float(np.mean(pair[0].tested["zeros"]))
        lines.append(
            f"{net} {norm}: gain {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]; rates "
            f"{rates}; {sparse:.0f} % of the values behind ReLU are 0 without dropout"
        )
    ranks = ", ".join(f"{name} {arm['ranks']:.2f}" for name, arm in results["arms"].items())
    return [*lines, f"rank correlation of a quarter of the epochs with all: {ranks}"]


def described(results: dict[str, Any]) -> str:
    """The scope."""
    dense, convolution = results["drops"]
    convolutions = (
        f", 3 x 3 convolutions of {numbers(results['features'])} channels, each with maxima over "
        f"2 x 2 pixels and dropout {convolution:g} behind, and a dense layer of "
        f"{results['units']:.0f} without dropout"
    )
    return (
        f"{data_name(results['data_set'])}, {results['count']:.0f} training images a seed and "
        f"{results['test']:.0f} test images of {results['pixels']:.0f} x {results['pixels']:.0f} "
        f"pixels, ReLU layers of {numbers(results['large'])} units "
        f"({numbers(results['small'])} in the small network) with dropout {dense:g} behind each"
        f"{convolutions * (len(results['networks']) == len(NETWORKS))}, momentum 0.9, rate falling "
        f"to 0, {numbers(results['epochs'])} epochs of dense and convolutional networks, float32"
    )


def numbers(values: Sequence[float]) -> str:
    return " and ".join(f"{value:.0f}" for value in values)


def draw(results: dict[str, Any]) -> Figure:
    """Test errors of every network, and what dropout takes away."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    fig, (errors, gains) = figure(1, 2, width=6.0, height=4.8)
    pairs = paired_arms(results, arms)
    for place, pair in enumerate(pairs.values()):
        for number, (drop, arm) in enumerate(zip((NONE, DROPOUT), pair, strict=True)):
            look = {"fmt": "os"[number], "color": COLOURS[number], "label": "" if place else drop}
            bar(errors, place + 0.2 * (number - 0.5), interval(arm.tested["test error"]), **look)
        found = gain(*pair)
        bar(gains, place, (found.value, found.low, found.high), fmt="D", color=COLOURS[2])
    effect = PLANS["C-083"].effects["points"]
    gains.axhspan(-effect, effect, color="0.88", lw=0, label=f"{effect:g} point to each side")
    gains.axhline(0, color="black", lw=0.8)
    for axes in (errors, gains):
        labels = [f"{net}\n{norm}".replace(" batch", "\nbatch") for net, norm in pairs]
        axes.set_xticks(range(len(pairs)), labels, fontsize=10)
        axes.legend(loc="best")
    seeds = len(pairs[LARGE, PLAIN][0].tested["test error"])
    errors.set_ylabel("test error / %")
    errors.set_title(f"{data_name(results['data_set'])}; mean and 95 % of {seeds} seeds")
    gains.set_ylabel("gain by dropout / points")
    gains.set_title("Test error without dropout minus with it; mean and 95 %")
    return fig


def bar(axes: Axes, place: float, found: tuple[float, float, float], **look: Any) -> None:
    """A mean with its interval."""
    centre, low, high = found
    axes.errorbar(place, centre, [[centre - low], [high - centre]], capsize=4, **look)
