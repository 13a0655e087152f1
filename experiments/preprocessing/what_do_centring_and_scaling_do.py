"""What do centring and scaling do to a cloud of points?

The lecture's three clouds (002:53-58, 004:438-443): the data, centred, and divided by the standard
deviations. Two correlated features made up for it, and two of real images, from 0 to 1: red and
blue of all pixels of CIFAR-10's images where there are any, else two neighbouring pixels of the
digits. The clouds of a row have equal axes, so that what a stage does is seen; a cross shows the
mean and one deviation to each side, a dashed box the least and the largest value of each feature.

Command: python -m experiments --only what_do_centring_and_scaling_do      (CPU, about 5 s)
"""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.engine import COLOURS, Verdict, data_name, figure
from jaxtricks import data

FIGURES = ("F-016",)

WHITE = {"color": "white", "alpha": 0.8, "pad": 2, "lw": 0}
STAGES = ("raw", "centred", "centred and scaled")


@dataclasses.dataclass(frozen=True)
class Config:
    """`images` whose pixels are measured, and points made up; `shown` of each cloud.

    The made-up points are normal draws times the matrix `mixing`, about the point `centre`.
    `pixel`: row and column of the digits' pixel that is measured with its right neighbour.
    """

    data_set: str = "cifar10"
    images: int = 500
    shown: int = 500
    centre: tuple[float, float] = (2.0, 2.5)
    mixing: tuple[tuple[float, float], ...] = ((1.5, 0.9), (0.0, 0.4))
    pixel: tuple[int, int] = (3, 3)


SMOKE = Config("digits", images=100, shown=20)
FULL = Config(images=50_000)


def run(config: Config) -> dict[str, Any]:
    """Points, means, deviations, ends and the correlation of both clouds after each stage."""
    draws = np.random.default_rng(0).normal(size=(config.images, 2))
    made_up = config.centre + draws @ config.mixing
    real, names, name = two_features(config)
    clouds = {"made up": (made_up, ("feature 1", "feature 2")), name: (real, names)}
    return {
        "data_set": name,
        "clouds": {
            title: {"names": names, **stages(cloud, config.shown)}
            for title, (cloud, names) in clouds.items()
        },
    }


def two_features(config: Config) -> tuple[np.ndarray, tuple[str, str], str]:
    """Rows of two features from the images, what they are, and the set's name."""
    name = config.data_set if data.available(config.data_set) else "digits"
    images = data.load(name, limit=config.images).train["image"] / 255.0
    if images.shape[-1] == 3:
        return images.reshape(-1, 3)[:, ::2], ("red", "blue"), name
    row, column = config.pixel
    names = (f"pixel ({row}, {column})", f"pixel ({row}, {column + 1})")
    return images[:, row, column : column + 2, 0], names, name


def stages(cloud: np.ndarray, shown: int) -> dict[str, Any]:
    """The cloud as it is, centred, and centred and scaled: `[stage, ...]`."""
    rules = (lambda x: x, data.zero_center(cloud).apply, data.standardize(cloud).apply)
    each = [np.asarray(rule(cloud), np.float64) for rule in rules]
    some = np.random.default_rng(1).permutation(len(cloud))[:shown]
    return {
        "points": [points[some] for points in each],
        "mean": [points.mean(axis=0) for points in each],
        "std": [points.std(axis=0) for points in each],
        "low": [points.min(axis=0) for points in each],
        "high": [points.max(axis=0) for points in each],
        "correlation": [np.corrcoef(points.T)[0, 1] for points in each],
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """No claim: the tests hold means and deviations to 1e-6."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """A row of three clouds for each set, on the same axes."""
    fig, panels = figure(2, 3, width=4.6, height=4.6)
    rows = zip((panels[:3], panels[3:]), results["clouds"].items(), strict=True)
    for row, (title, cloud) in rows:
        ends = np.array([cloud["low"], cloud["high"]])
        limits = (ends.min() - 0.3 * np.ptp(ends), ends.max() + 0.05 * np.ptp(ends))
        for stage, axes in enumerate(row):
            draw_cloud(axes, cloud, stage, limits)
            axes.set_title(f"{data_name(title)}, {STAGES[stage]}")
    shown = len(results["clouds"]["made up"]["points"][0])
    told = f"cross: mean and deviations\nbox: extent\n{shown} points shown"
    panels[0].text(0.02, 0.98, told, transform=panels[0].transAxes, va="top", fontsize=10.5)
    return fig


def draw_cloud(axes: Axes, cloud: dict[str, Any], stage: int, limits: tuple[float, float]) -> None:
    """The points of a stage, their extent, mean and one deviation to each side, and the numbers."""
    low, high = (np.asarray(cloud[key][stage]) for key in ("low", "high"))
    axes.add_patch(Rectangle(low, *(high - low), fill=False, ls="--", lw=1.5, ec="grey"))
    points, mean, std = (np.asarray(cloud[key][stage]) for key in ("points", "mean", "std"))
    axes.scatter(*points.T, s=6, color=COLOURS[0], alpha=0.5, linewidths=0)
    axes.axhline(0, color="black", lw=0.8)
    axes.axvline(0, color="black", lw=0.8)
    look = {"fmt": "none", "ecolor": COLOURS[1], "elinewidth": 2.5, "capsize": 6, "capthick": 2.5}
    axes.errorbar(*mean, xerr=std[0], yerr=std[1], **look)
    axes.set(xlabel=cloud["names"][0], ylabel=cloud["names"][1], aspect="equal")
    axes.set(xlim=limits, ylim=limits)
    means, deviations = (", ".join(f"{v:.2f}".replace("-0.00", "0.00") for v in pair)
                         for pair in (mean, std))  # fmt: skip
    told = f"means {means}\ndeviations {deviations}\n"
    told += f"from {low[0]:.2f}, {low[1]:.2f} to {high[0]:.2f}, {high[1]:.2f}\n"
    told += f"correlation {cloud['correlation'][stage]:.2f}"
    axes.text(0.98, 0.02, told, transform=axes.transAxes, ha="right", fontsize=10.5, bbox=WHITE)
