"""Can fifty images be learned by heart, and not if the code has a bug?

002:979-980: before anything else, make sure that a small set of about 50 images can be over-fitted,
without a penalty. Three networks in turn get 50 images of CIFAR-10, averaged to 16 x 16 and drawn
anew for each of 75 units, all of them in each of 500 updates by momentum SGD. The rate of each
network is chosen with the right code on other seeds. `tuning.check_overfit` says what came of it.
C-143: right code must reach 100 % of its training images, and with each of six planted bugs the
network must not (see `_planted_bugs.py`). Random labels are learned as well. Two more bugs,
which leave the images learnable, are shown besides.

Command: python -m experiments --only can_fifty_images_be_learned_by_heart      (CPU, about 10 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    figure,
    finish,
    proportion,
    share,
)
from experiments.tuning import _fifty_images as few
from experiments.tuning import _planted_bugs as planted

CLAIMS = ("C-143",)
TIER = 3
PLANS = {
    "C-143": Plan(
        effects={"share": 0.95},
        gates=("pos", "nest", "edge"),
        settings={
            "networks": tuple(few.NETWORKS),
            "bugs": tuple(planted.BUGS),
            "passed": "the verdict of check_overfit is learned: the loss fell, and 100 % of the "
            "training images are right in evaluation at the end",
            "rate": "the middle one of those at which right code learned most of the tuning seeds, "
            "for each network; code with a bug has the same",
            "pos": "of random labels the share 0.95 of the units or more is learned",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`images` of a unit, out of `pool`; `rates` to choose from; `seeds`: units."""

    data_set: str = "cifar10"
    pool: int = 40_000
    images: int = 50
    updates: int = 500
    networks: tuple[str, ...] = tuple(few.NETWORKS)
    rates: tuple[float, ...] = tuple(10 ** (power / 2) for power in range(-10, 3))
    seed: int = 143
    seeds: int = 75
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits",
    pool=500,
    updates=20,
    networks=(few.RELU,),
    rates=(0.01, 0.1, 1.0),
    seeds=2,
    tuning_seeds=1,
)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """The verdicts on each code, at the rates that right code has chosen."""
    images = lab.read(config.data_set, pool=config.pool, validation=100, test=100)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    units = few.keys_of(keys[: config.seeds], config.networks)

    def found(network: str, code: str, rates: Any, keys: jax.Array) -> dict[str, Any]:
        sizes = {"images": config.images, "updates": config.updates}
        learner = few.learner(network, planted.CODES[code], **sizes)
        every = lab.over(learner, {"rate": np.array(rates, np.float32)}, keys, (images.pool,))
        return {"verdicts": few.verdicts(every), "accuracy": every["ended"]["accuracy"]}

    def tuned(network: str) -> dict[str, Any]:
        return found(network, planted.RIGHT, config.rates, keys[config.seeds :])

    def judged(trial: dict[str, Any]) -> dict[str, Any]:
        network = trial["network"]
        every = found(network, trial["code"], [config.rates[trial["rate"]]], units[network])
        return {name: values[0] for name, values in every.items()}

    tuning = finish(trials, {name: name for name in units}, tuned)
    chosen = {name: middle_of_the_best(tuning[name]["verdicts"]) for name in units}
    every = {
        f"{code}, {name}": {"code": code, "network": name, "rate": chosen[name]}
        for code in planted.CODES
        for name in units
    }
    ended = finish(trials, every, judged)
    return {
        "data_set": images.name,
        "images": config.images,
        "updates": config.updates,
        "units": {name: len(own) for name, own in units.items()},
        "rates": config.rates,
        "tuning": {name: tuning[name]["verdicts"] for name in units},
        "chosen": chosen,
        "codes": {
            code: {name: ended[f"{code}, {name}"] for name in units} for code in planted.CODES
        },
    }


def middle_of_the_best(verdicts: np.ndarray) -> int:
    """The middle one of the rates at which most runs `[rate, key]` were learned."""
    learned = np.sum(verdicts == few.LEARNED, axis=1)
    best = np.flatnonzero(learned == learned.max())
    return int(best[(len(best) - 1) // 2])


def learned(results: dict[str, Any], code: str) -> np.ndarray:
    """Whether each unit was learned, those of the first network first."""
    own = results["codes"][code].values()
    return np.concatenate([found["verdicts"] for found in own]) == few.LEARNED


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if right code is always learned and code with a bug never, to one in twenty."""
    effect, right = PLANS["C-143"].effects["share"], learned(results, planted.RIGHT)
    parts = [
        proportion(
            "share of units that right code learns",
            int(np.sum(right)),
            len(right),
            bound=effect,
            claimed="up",
            panel="a",
        )
    ]
    for bug in planted.BUGS:
        failed = ~learned(results, bug)
        text, count = f"share of units not learned with the bug: {bug}", int(np.sum(failed))
        parts.append(proportion(text, count, len(failed), bound=effect, claimed="up", panel="a"))
    beside = [
        f"{code}: {np.mean(learned(results, code)):.0%} of the units are learned"
        for code in planted.HIDDEN
    ]
    beside += [
        f"{bug}: {np.mean(right_images(results, bug)):.0f} % of the images are right at the end"
        for bug in planted.BUGS
    ]
    scope = few.scope_of(results)
    return [all_of("C-143", parts, gates=gates(results), scope=scope, beside=beside)]


def right_images(results: dict[str, Any], code: str) -> np.ndarray:
    """Percent of its images that each unit has right at the end, first network first."""
    own = results["codes"][code].values()
    return 100 * np.concatenate([found["accuracy"] for found in own])


def gates(results: dict[str, Any]) -> list[Gate]:
    """Random labels are learned; the rates were chosen on other seeds, and not at an end."""
    random, rates = np.mean(learned(results, planted.RANDOM)), results["rates"]
    least = PLANS["C-143"].effects["share"]
    places = {name: int(place) for name, place in results["chosen"].items()}
    told = ", ".join(f"{rates[place]:.2g} for {name}" for name, place in places.items())
    return [
        Gate("pos", random >= least, f"random labels: {random:.0%} of the units are learned"),
        Gate("nest", None, "the rates are chosen on other seeds, hence on other images"),
        Gate(
            "edge",
            all(0 < place < len(rates) - 1 for place in places.values()),
            f"{told}, of {rates[0]:.2g} to {rates[-1]:.2g}",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """How many units each code learns, and how many of its images a unit has right."""
    fig, (shares, images) = figure(1, 2, width=6.6, height=5.0, sharey=True)
    rows = {code: -row for row, code in enumerate(results["codes"])}
    for code, row in rows.items():
        which = learned(results, code)
        found = share(int(np.sum(which)), len(which))
        ends = np.array([[found.value - found.low], [found.high - found.value]])
        colour = COLOURS[code in planted.BUGS]
        shares.errorbar(100 * found.value, row, xerr=100 * ends, fmt="o", color=colour, capsize=4)
        right = right_images(results, code)
        shift = np.linspace(-0.3, 0.3, len(right))
        images.plot(right, row + shift, ".", color=colour, ms=5)
    for colour, label in ((COLOURS[1], "bugs that are judged"), (COLOURS[0], "all others")):
        images.plot([], [], "o", color=colour, label=label)
    images.legend(loc="center", bbox_to_anchor=(0.6, 0.72))
    bound = 100 * PLANS["C-143"].effects["share"]
    for at in (100 - bound, bound):
        shares.axvline(at, color="black", lw=0.8, ls="--")
    shares.set_yticks(list(rows.values()), list(rows))
    units = len(learned(results, planted.RIGHT))
    shares.set(xlabel="units that are learned / %", xlim=(-3, 103))
    shares.set_title(f"share of {units} units and 95 %; dashed: 5 and {bound:g} %")
    images.set(xlabel="images of a unit that are right at the end / %", xlim=(-3, 103))
    few_images = f"{results['images']:.0f} images of {data_name(results['data_set'])}"
    images.set_title(f"a dot is a unit, {few_images}")
    return fig
