"""Does a flat loss on fifty images want a higher rate, and one that explodes a lower rate?

002:983-984: where a network is to learn about 50 images by heart, a loss that does not fall means
too low a rate, and one that explodes too high a rate. Three networks in turn get 50 images of
CIFAR-10, averaged to 16 x 16 and drawn anew for each of 75 units, all of them in each of 500
updates by momentum SGD, at 21 rates from 1e-7 to 1e3. `tuning.check_overfit` says what came of each
run. C-144: of each unit one flat run and one that explodes are drawn, if it has any; some higher
rate must cure the first, and some lower one the second.
Planted is the rate 10, at which ReLU units die: their loss is flat because the rate is too high
(E-134).

Command: python -m experiments --only does_a_flat_loss_on_fifty_images_want_a_higher_rate
(CPU, about 10 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    figure,
    finish,
    ordered,
    proportion,
)
from experiments.tuning import _fifty_images as few

FIGURES = ("F-076",)
CLAIMS = ("C-144",)
TIER = 3
PLANS = {
    "C-144": Plan(
        effects={"share": 0.95},
        gates=("planted",),
        settings={
            "networks": tuple(few.NETWORKS),
            "flat": "the verdict of check_overfit is flat or dead: not learned, and the loss fell "
            "by under 5 %, in all or in the second half of the updates",
            "exploding": "the verdict is exploded: over twice the first, or not finite",
            "drawn": "of each unit one flat and one exploding run, all of its own equally likely",
            "cured": "the verdict is learned at some higher (exploding: lower) rate of the grid",
            "planted": "at rate 10 ten or more of the ReLU units are flat, of which none is cured "
            "by a higher rate, and all are by a lower one",
        },
    )
}
TOO_HIGH = 10.0
LEAST = 10  # units that are flat there
LARGEST = 1e4  # stands in the picture for any larger loss and for NaN
EVERY = 10  # updates between two points of the picture
SHOWN = {few.TANH: (0, 1, 2), few.RELU: (2,)}  # curves in the picture: places in `Config.shown`


@dataclasses.dataclass(frozen=True)
class Config:
    """`images` of a unit, out of `pool`; `seeds`: units; `shown`: rates whose losses are drawn."""

    data_set: str = "cifar10"
    pool: int = 40_000
    images: int = 50
    updates: int = 500
    networks: tuple[str, ...] = tuple(few.NETWORKS)
    rates: tuple[float, ...] = tuple(10 ** (power / 2) for power in range(-14, 7))
    shown: tuple[float, ...] = (1e-6, 1e-2, TOO_HIGH)
    seed: int = 144
    seeds: int = 75


SMOKE = Config(
    data_set="digits",
    pool=500,
    updates=20,
    networks=(few.RELU, few.TANH),
    rates=(1e-6, 1e-2, TOO_HIGH, 1000.0),
    seeds=4,
)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Verdicts `[unit, rate]` of each network, and which of the runs are drawn."""
    images = lab.read(config.data_set, pool=config.pool, validation=100, test=100)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    units = few.keys_of(keys, config.networks)
    shown = [config.rates.index(rate) for rate in config.shown]

    def at_every_rate(network: str) -> dict[str, Any]:
        learner = few.learner(network, few.Code(), images=config.images, updates=config.updates)
        rates = {"rate": np.array(config.rates, np.float32)}
        found = lab.over(learner, rates, units[network], (images.pool,))
        curves = {name: found["metrics"][name][shown, :, ::EVERY] for name in ("loss", "accuracy")}
        spreads = {name: spread(values) for name, values in curves.items()}
        return {"verdicts": few.verdicts(found).T, **spreads}

    found = finish(trials, {name: name for name in units}, at_every_rate)
    verdicts = np.concatenate([found[name]["verdicts"] for name in units])
    flat_key, exploding_key = np.random.SeedSequence(config.seed).spawn(2)
    return {
        "data_set": images.name,
        "images": config.images,
        "updates": config.updates,
        "rates": config.rates,
        "units": {name: len(own) for name, own in units.items()},
        "verdicts": verdicts,
        "flat": drawn(is_flat(verdicts), flat_key),
        "exploding": drawn(verdicts == few.EXPLODED, exploding_key),
        "shown": shown,
        "curves": {
            name: {kind: found[name][kind] for kind in ("loss", "accuracy")} for name in SHOWN
        },
    }


def spread(curves: np.ndarray) -> np.ndarray:
    """Median and ends of the middle 80 % of the units `[rate, unit, point]`."""
    return np.quantile(np.where(curves < LARGEST, curves, LARGEST), [0.5, 0.1, 0.9], axis=1)


def is_flat(verdicts: np.ndarray) -> np.ndarray:
    return np.isin(verdicts, (few.FLAT, few.DEAD))


def drawn(cells: np.ndarray, seed: np.random.SeedSequence) -> np.ndarray:
    """The place of one true cell in each row, all equally likely; -1 where there is none."""
    random = np.random.default_rng(seed)
    places = [np.flatnonzero(row) for row in cells]
    return np.array([random.choice(own) if len(own) else -1 for own in places])


def cured(verdicts: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
    """Of each unit with a drawn run: is it learned at a higher rate, and at a lower one?"""
    runs = [(row == few.LEARNED, int(place)) for row, place in zip(verdicts, places, strict=True)]
    return {
        "higher": np.array([own[place + 1 :].any() for own, place in runs if place >= 0]),
        "lower": np.array([own[:place].any() for own, place in runs if place >= 0]),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The shares of the drawn runs that the advised change of the rate cures."""
    effect = PLANS["C-144"].effects["share"]
    flat, exploding = (cured(results["verdicts"], results[name]) for name in ("flat", "exploding"))
    parts = [
        proportion(text, int(np.sum(own)), len(own), bound=effect, claimed="up", panel="c")
        for text, own in (
            ("share of flat runs that a higher rate cures", flat["higher"]),
            ("share of exploding runs that a lower rate cures", exploding["lower"]),
        )
    ]
    names = np.repeat([*results["units"]], [int(n) for n in results["units"].values()])
    has_flat = names[np.asarray(results["flat"]) >= 0]
    last = [np.flatnonzero(row).max(initial=-1) for row in results["verdicts"] == few.LEARNED]
    above = np.arange(results["verdicts"].shape[1]) > np.array(last)[:, None]
    called = [few.VERDICTS[int(number)] for number in results["verdicts"][above]]
    beside = [
        f"{name}: a higher rate cures {np.mean(flat['higher'][has_flat == name]):.0%} of the flat "
        f"runs, a lower one {np.mean(flat['lower'][has_flat == name]):.0%}"
        for name in results["units"]
        if name in has_flat
    ]
    beside += [
        f"{called.count(verdict)} of {len(called)} runs at rates above all that learn: {verdict}"
        for verdict in few.VERDICTS
        if verdict in called
    ]
    return [
        all_of(
            "C-144",
            parts,
            gates=[planted(results, names == few.RELU)],
            scope=f"{few.scope_of(results)}, {len(results['rates'])} rates from "
            f"{results['rates'][0]:.0e} to {results['rates'][-1]:.0e}",
            beside=beside,
        )
    ]


def planted(results: dict[str, Any], rectified: np.ndarray) -> Gate:
    """At rate 10 ReLU units are flat; a lower rate cures them all, and a higher one none."""
    verdicts = results["verdicts"][rectified]
    place = int(np.argmin(np.abs(np.asarray(results["rates"]) - TOO_HIGH)))
    flat = is_flat(verdicts[:, place])
    cures = cured(verdicts[flat], np.full(np.sum(flat), place))
    higher, lower, count = np.sum(cures["higher"]), np.sum(cures["lower"]), np.sum(flat)
    return Gate(
        "planted",
        bool(count >= LEAST and higher == 0 and lower == count),
        f"at rate {TOO_HIGH:g} {count} of {len(flat)} ReLU units are flat; a higher rate cures "
        f"{higher} of them, a lower one {lower}",
    )


def draw(results: dict[str, Any]) -> Figure:
    """Losses and accuracies at a low, a good and a high rate, and the verdicts at all."""
    fig, (losses, right, table) = figure(1, 3, width=5.4, height=4.8)
    rates = [results["rates"][int(place)] for place in results["shown"]]
    for name, numbers in SHOWN.items():
        loss, accuracy = (results["curves"][name][kind] for kind in ("loss", "accuracy"))
        updates = EVERY * np.arange(loss.shape[-1])
        for number in numbers:
            colour = COLOURS[1] if name == few.RELU else ordered("learning rate", rates[number])
            look = {"color": colour, "ls": ("--", "-", ":")[number]}
            look["label"] = f"{name}, rate {power(rates[number])}"
            band(losses, updates, *loss[:, number], **look)
            band(right, updates, *100 * accuracy[:, number], **look)
    data = f"{results['images']:.0f} images of {data_name(results['data_set'])}"
    losses.set(yscale="log", xlabel="update", ylabel="training loss / nats", title=data)
    right.set(xlabel="update", ylabel="training accuracy / %", ylim=(-3, 103))
    right.set_title(f"median and middle 80 % of {results['units'][few.TANH]:.0f} units")
    right.legend(loc="center")
    draw_verdicts(table, results)
    return fig


def power(rate: float) -> str:
    """The rate as a power of ten."""
    return f"$10^{{{np.log10(rate):.0f}}}$"


def draw_verdicts(axes: Axes, results: dict[str, Any]) -> None:
    """A cell for each unit and rate, coloured by the verdict on its run."""
    colours = {"learned": 0, "slow": 6, "flat": 4, "dead": 3, "exploded": 1}
    shades = [COLOURS[colours[name]] for name in few.VERDICTS]
    axes.imshow(
        results["verdicts"],
        cmap=ListedColormap(shades),
        vmin=-0.5,
        vmax=len(shades) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    rates = results["rates"]
    places = [i for i, rate in enumerate(rates) if round(np.log10(rate), 6) % 2 == 0]
    axes.set_xticks(places, [power(rates[i]) for i in places])
    ends = np.cumsum([int(count) for count in results["units"].values()])
    middles = ends - np.array([int(count) for count in results["units"].values()]) / 2
    axes.set_yticks(middles - 0.5, [name.replace(" ", "\n") for name in results["units"]])
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="white", lw=2)
    axes.grid(visible=False)
    axes.set(xlabel="learning rate", title=f"verdicts on {ends[-1]} units")
    patches = [
        Patch(color=shade, label=name) for shade, name in zip(shades, few.VERDICTS, strict=True)
    ]
    narrow = {"handlelength": 1.0, "columnspacing": 1.0}
    axes.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=5, **narrow)
