"""Does dropout work because a net of half the units overfits less?

003:53 says that half a net is less expressive, so that there are fewer variables and less
over-fitting; 001:74 that not the norm but the number of effective connections should go to 0; and
003:59 that whoever wants more regularisation drops more. A network of two hidden ReLU layers on a
thousand images, drawn anew by each seed: without a regulariser; with the drop rates 0.1 ... 0.8; of
half the width; with L2, and with L1. Each has eight trials, of the rate or of rate and strength,
chosen by validation error on five other seeds. All losses are those of evaluation.

C-075: the half-wide net's test error must be that of dropout at 0.5, within 0.3 point. C-068: with
dropout at 0.5 fewer weights must count than without (the participation ratio, and the share over
1 % of the layer's rms), and the norm must not fall by 5 %; L1 must thin them. C-078: from 0 to 0.8
the training loss must rise and the gap between test and training loss fall, by 0.02 nat per 0.1.

Command: python -m experiments --only is_a_dropped_net_a_smaller_net      (CPU, about 20 min)
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

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
    band,
    converged,
    data_name,
    equivalent,
    figure,
    finish,
    inside_grids,
    interval,
    paired,
    under,
)

CLAIMS = ("C-068", "C-075", "C-078")
ERRATA = ("E-72", "E-75")
TIER = 3

NONE, HALF, L1, L2 = "none", "half the width", "L1", "L2"
DROPPED = "0.5"  # the arm that is compared with the others
TWICE = "twice the updates"
WEIGHTS = {"participation": "participation ratio", "large weights": "weights over 1 % of the rms"}
SETTINGS = {
    "choice": "by validation error on tuning seeds, resampled 200 times",
    "gap": "test minus training, of evaluation",
    "fit": "training accuracy 99.5 % without a regulariser, gap 5 times the smallest effect",
}
PLANS = {
    "C-068": Plan(
        effects={"% of the weights": 5.0, "% of the norm": 5.0},
        gates=("nest", "L1"),
        settings=SETTINGS,
    ),
    "C-075": Plan(
        effects={"points": 0.3},
        gates=("fit", "conv", "nest"),
        settings=SETTINGS,
    ),
    "C-078": Plan(effects={"nat per 0.1": 0.02}, gates=("fit", "nest", "edge"), settings=SETTINGS),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: training images of a seed, drawn from `pool`; `strengths` and
    `penalised_rates` make the trials of L1 and L2."""

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 5000
    count: int = 1000
    hidden: tuple[int, ...] = (256, 256)
    epochs: int = 60
    batch: int = 50
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
    drops: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    strengths: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2)
    penalised_rates: tuple[float, ...] = (0.04, 0.16)
    seed: int = 16_075
    seeds: int = 20
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits",
    pool=800,
    validation=200,
    count=200,
    hidden=(8, 8),
    epochs=2,
    rates=(0.04, 0.08),
    drops=(0.5, 0.8),
    strengths=(1e-3,),
    seeds=2,
)
FULL = Config(hidden=(1024, 1024), epochs=200)


def trials_of(config: Config) -> dict[str, dict[str, np.ndarray]]:
    """The trials of each arm: as many for all."""
    rates, strengths = np.repeat(config.penalised_rates, len(config.strengths)), config.strengths
    strengths = np.tile(strengths, len(config.penalised_rates))
    arms = {NONE: runs.trial(config.rates), HALF: runs.trial(config.rates)}
    arms |= {f"{drop:g}": runs.trial(config.rates, drop=drop) for drop in config.drops}
    return arms | {L1: runs.trial(rates, l1=strengths), L2: runs.trial(rates, l2=strengths)}


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for every arm, and the baseline again at twice the updates."""
    images = lab.read(config.data_set, pool=config.pool, validation=config.validation)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]
    half = tuple(units // 2 for units in config.hidden)
    sizes = {"count": config.count, "batch": config.batch}
    programs = {
        name: runs.runner(hidden, epochs=epochs, **sizes)
        for name, hidden, epochs in (
            (NONE, config.hidden, config.epochs),
            (HALF, half, config.epochs),
            (TWICE, config.hidden, 2 * config.epochs),
        )
    }

    def tuned(arm: dict[str, Any]) -> dict[str, Any]:
        program, shared = programs[arm["program"]], images[:3]
        return lab.tune(program, arm["trials"], tuning=tuning, judged=judged, shared=shared)

    def repeated(arm: dict[str, Any]) -> dict[str, Any]:
        found = lab.over(programs[arm["program"]], arm["trials"], tuning, images[:3])
        return {"error": found["test error"][0]}

    arms = finish(
        trials,
        {
            name: {"program": name if name == HALF else NONE, "trials": of}
            for name, of in trials_of(config).items()
        },
        tuned,
    )
    chosen = {name: value[None] for name, value in lab.best(arms[NONE]).trial.items()}
    again = {name: {"program": name, "trials": chosen} for name in (NONE, TWICE)}
    again = {f"again, {name}": arm for name, arm in again.items()}
    errors = finish(trials, again, repeated)
    return {
        "data_set": images.name,
        "test": len(images.test["label"]),
        "count": config.count,
        "hidden": config.hidden,
        "epochs": config.epochs,
        "drops": config.drops,
        "baseline": errors[f"again, {NONE}"]["error"],
        "doubled": errors[f"again, {TWICE}"]["error"],
        "arms": arms,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The three claims, and the errata that give another reason."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    effects = {claim: plan.effects for claim, plan in PLANS.items()}
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} training images a seed and "
        f"{results['test']:.0f} test images of 14 x 14 pixels (digits 8 x 8), hidden ReLU layers "
        f"of {' and '.join(f'{n:.0f}' for n in results['hidden'])}, momentum 0.9, rate falling to "
        f"0, {results['epochs']:.0f} epochs, float32"
    )
    points, nats = effects["C-075"]["points"], effects["C-078"]["nat per 0.1"]
    grown = {name: arms[name] for name in (NONE, *map("{:g}".format, results["drops"]))}
    nest = Gate("nest", None, "chosen on other seeds and other images; the choice is resampled")
    half = runs.difference(
        lambda half, drop: half["test error"] - drop["test error"], arms[HALF], arms[DROPPED]
    )
    text = "test error of the half-wide net minus that of dropout at 0.5, points"
    thinner = {name: change(arms[DROPPED], arms[NONE], name) for name in WEIGHTS}
    size = effects["C-068"]["% of the weights"]
    thin = [
        paired(f"{words}, with dropout minus without", thinner[name], effect=size, claimed="down")
        for name, words in WEIGHTS.items()
    ]
    norm = under(
        "fall of the norm by dropout, in %",
        runs.difference(
            lambda drop, none: 100 * (1 - drop["norm"] / none["norm"]), arms[DROPPED], arms[NONE]
        ),
        effects["C-068"]["% of the norm"],
    )
    stay = [
        under(f"{words}, without dropout minus with", change(arms[NONE], arms[DROPPED], name), size)
        for name, words in WEIGHTS.items()
    ]
    return [
        all_of("C-068", [*thin, norm], scope=scope, gates=[nest, thins(arms, size)]),
        all_of(
            "C-075",
            [equivalent(text, half, within=points, panel="a")],
            scope=scope,
            gates=[
                runs.overfits(arms[NONE], least=5 * points),
                converged(results["baseline"], results["doubled"], effect=points),
                nest,
            ],
        ),
        all_of(
            "C-078",
            slopes(grown, nats),
            scope=scope,
            gates=[
                runs.overfits(arms[NONE], least=5 * nats, metric="loss"),
                nest,
                inside_grids(grown),
            ],
        ),
        all_of("E-72", stay, scope=scope),
        all_of("E-75", [paired(text, half, effect=points, claimed="up", panel="a")], scope=scope),
    ]


def change(arm: Tuned, plain: Tuned, name: str) -> Estimate:
    """What an arm has of something, minus what the plain net has."""
    return runs.difference(lambda some, none: some[name] - none[name], arm, plain)


def thins(arms: dict[str, Tuned], size: float) -> Gate:
    """Whether L1 makes weights vanish."""
    falls = [-change(arms[L1], arms[NONE], name).value for name in WEIGHTS]
    text = ", ".join(f"{w} by {f:.3g} %" for w, f in zip(WEIGHTS.values(), falls, strict=True))
    return Gate("L1", min(falls) >= size, f"L1 lowers the {text}")


def slopes(grown: dict[str, Tuned], effect: float) -> list[Part]:
    """Training loss and gap against the drop rate, nat per 0.1."""
    rates = np.array([0.0, *(float(name) for name in grown if name != NONE)])

    def slope(of: Callable[[Any], np.ndarray]) -> Estimate:
        def fit(*tested: Any) -> np.ndarray:
            return 0.1 * np.polyfit(rates, np.stack([of(found) for found in tested]), 1)[0]

        return runs.difference(fit, *grown.values())

    train = slope(lambda found: found["train loss"])
    gap = slope(lambda found: runs.gap(found, "loss"))
    words = "slope of the {} in the drop rate, nat per 0.1"
    return [
        paired(words.format("training loss"), train, effect=effect, claimed="up", panel="b"),
        paired(
            words.format("gap between test and training loss"),
            gap,
            effect=effect,
            claimed="down",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Test errors of the arms, losses against the drop rate, and the weights that count."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    fig, (left, middle, right) = figure(1, 3, width=5.2, height=4.8)
    shown = {"none": NONE, "half the\nwidth": HALF, "dropout\n0.5": DROPPED, L2: L2, L1: L1}
    for place, name in enumerate(shown.values()):
        errors = arms[name].tested["test error"]
        left.plot(np.full(len(errors), place - 0.15), errors, ".", color="0.6", ms=4)
        centre, low, high = interval(errors)
        look = {"fmt": "o", "capsize": 4, "color": COLOURS[place]}
        left.errorbar(place, centre, [[centre - low], [high - centre]], **look)
    left.set_xticks(range(len(shown)), shown)
    left.set_ylabel("test error / %")
    seeds = len(arms[NONE].tested["test error"])
    left.set_title(
        f"{data_name(results['data_set'])}, {results['count']:.0f} images, {seeds} seeds"
    )
    rates = np.array([0.0, *results["drops"]])
    grown = [arms[NONE], *(arms[f"{drop:g}"] for drop in results["drops"])]
    curves = {
        "test loss": lambda found: found["test loss"],
        "gap, test minus training": lambda found: runs.gap(found, "loss"),
        "training loss": lambda found: found["train loss"],
    }
    for number, (label, of) in enumerate(curves.items()):
        rows = np.array([interval(of(arm.tested)) for arm in grown])
        look = {"color": COLOURS[number], "marker": "os^"[number], "label": label}
        band(middle, rates, *rows.T, **look)
    middle.set(xlabel="drop rate", ylabel="cross-entropy / nat", ylim=(0, None))
    middle.set_title("Losses of evaluation; mean and 95 % over the seeds")
    middle.legend(loc="center left", bbox_to_anchor=(0.0, 0.62))
    for number, (name, words) in enumerate(WEIGHTS.items()):
        for place, arm in enumerate((NONE, DROPPED, L1)):
            centre, low, high = interval(arms[arm].tested[name])
            right.errorbar(
                place + 0.16 * (number - 0.5),
                centre,
                [[centre - low], [high - centre]],
                fmt="os"[number],
                capsize=4,
                color=COLOURS[number],
                label=None if place else words,
            )
    right.set_xticks(range(3), ("none", "dropout 0.5", "L1"))
    right.set(ylabel="% of the weights", ylim=(0, 118), xlim=(-0.5, 2.5))
    right.set_title("Weights that count")
    right.legend(loc="upper center", ncols=2)
    return fig
