"""Do the histograms look the same on real images?

The lecture's histograms (004:323-416; recap in 002:60) are of N(0, 1) inputs. Here its four starts
get standardised images, whose pixels depend on each other, in place of noise. Black outlines are
the histograms that as much noise gives, through weights drawn from the same keys.

Command: python -m experiments --only do_images_pass_like_noise
(CPU, about 40 s; MNIST where there is any, else digits)
"""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.engine import Verdict, data_name
from experiments.initialization import _ten_layers as ten_layers
from jaxtricks import data

FIGURES = ("F-017",)
TIER = 2

NAMES = ("N(0, 0.01), tanh", "N(0, 1), tanh", "Xavier, tanh", "He, ReLU")


@dataclasses.dataclass(frozen=True)
class Config:
    """`count` images to draw from, standardised pixel by pixel; the rest as without images.

    `starts`: the smoke run takes one of the four.
    """

    data_set: str = "mnist"
    count: int = 2000
    starts: tuple[str, ...] = NAMES
    layers: ten_layers.Config = ten_layers.Config()


SMOKE = Config("digits", 50, NAMES[3:], ten_layers.SMOKE)
FULL = Config(count=60_000, layers=ten_layers.FULL)


def run(config: Config) -> dict[str, Any]:
    """Activations and gradients by layer for the four starts; `noise`: what N(0, 1) inputs give."""
    name = config.data_set if data.available(config.data_set) else "digits"
    images = data.load(name, limit=config.count).train["image"]
    rows = images.reshape(len(images), -1)
    standardized = np.asarray(data.standardize(rows).apply(rows))
    found = ten_layers.run(config.starts, config.layers, standardized)
    once = ten_layers.run(config.starts, dataclasses.replace(config.layers, draws=1))
    noise = {start: ten_layers.shares(once, start) for start in config.starts}
    return {"data_set": name, "noise": noise, **found}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Owns no claim: the scripts of the single starts judge."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Histograms of the four, rms and gradients by layer."""
    return ten_layers.draw_histograms(
        results,
        list(results["arms"]),
        inputs=f"standardised {data_name(results['data_set'])} images (black: N(0, 1) inputs)",
        outlines=results["noise"],
    )
