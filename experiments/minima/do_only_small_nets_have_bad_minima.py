"""Do only small nets have bad minima, and do all ends draw together with the net's size?

003:29: the many minima have about the same loss, the gap between worst and best shrinks with size,
bad ones exist only in small nets, and any start gives the same result. A tanh net of one hidden
layer is trained from many seeds at every width (Adam, batches of 64, the rate falling from 0.01 to
0 as a cosine). C-129: the slope of log sd of the final loss against log width must be negative for
the training and the test loss (95 %, bootstrap over seeds), and the worst at the widest at most
twice the best. C-130: a run is bad if its training loss is over twice the best of its width; there
must be bad ones at the smallest width and none at the widest from any start: LeCun's weights, and,
as controls, ten times them and zeros. E-84 ("over time"): at the smallest width the sd must not
shrink from a tenth of the training to its end. E-47, three emphases: the trap (002:184) must be a
bad end of the smallest width that is no saddle, "no bad minima" (003:29) the widest, and the saddle
(002:196) the end of the zero start. A saddle: lowest eigenvalue under -1 % of the highest.

Command: python -m experiments --only do_only_small_nets_have_bad_minima      (CPU, about 45 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, data_name, figure, ordered
from experiments.engine.before import Verdict, combine, exact
from experiments.minima._ends import trainer
from experiments.minima._spread import resampled_sd, trend
from experiments.networks import read_images
from jaxtricks.training import train_population

FIGURES = ("F-093",)
CLAIMS = ("C-129", "C-130")
ERRATA = ("E-47", "E-84")
TIER = 2

GAINS = {"LeCun": 1.0, "LeCun x 10": 10.0, "zeros": 0.0}
START_COLOURS = (COLOURS[0], COLOURS[5], COLOURS[6])
BAD, SADDLE = 2.0, -0.01


@dataclasses.dataclass(frozen=True)
class Config:
    """`controls`: seeds of each bad start; `marks`: looks; `count`: images, a fifth unused."""

    widths: tuple[int, ...] = (2, 8, 32, 128, 512)
    seeds: int = 30
    controls: int = 5
    steps: int = 600
    marks: int = 10
    count: int = 1250


SMOKE = Config(widths=(2,), seeds=10, controls=1, steps=20, marks=2, count=200)
FULL = Config(
    widths=(2, 4, 8, 16, 32, 64, 128, 256, 512),
    seeds=100, controls=30, steps=20_000, marks=20, count=5000,
)  # fmt: skip


def run(config: Config) -> dict[str, Any]:
    """Losses `[seed, width, mark]` of every start, and curvature at the smallest width's ends."""
    (fit, _, held), name = read_images("mnist", config.count)
    counts = [config.seeds, config.controls, config.controls]
    keys = jax.random.split(jax.random.key(0), config.seeds)
    every_key = jnp.concatenate([keys[:count] for count in counts])
    gains = np.repeat(np.float32(list(GAINS.values())), counts)
    ends: dict[str, list] = {"train": [], "test": []}
    results: dict[str, Any] = {"data_set": name, "widths": config.widths, "steps": config.steps}
    for width in config.widths:
        curved = width == config.widths[0]
        one = trainer(width, steps=config.steps, marks=config.marks, curved=curved)
        measured = train_population(one, every_key, gains, shared=(fit, held))
        for split, rows in ends.items():
            rows.append(measured[split])
        if curved:
            eigenvalues = np.linalg.eigvalsh(measured["hessian"])
            results["slope"] = by_start(measured["slope"], counts)
            results["lowest"] = by_start(eigenvalues[:, 0], counts)
            results["highest"] = by_start(eigenvalues[:, -1], counts)
    return results | {
        split: by_start(np.swapaxes(rows, 0, 1), counts) for split, rows in ends.items()
    }


def by_start(values: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
    """Divides the first axis among the starts."""
    return dict(zip(GAINS, np.split(values, np.cumsum(counts)[:-1]), strict=True))


def bad(losses: np.ndarray, standard: np.ndarray) -> np.ndarray:
    """Which of the losses `[seed, ...]` are over twice the best of the standard start's."""
    return losses > BAD * standard.min(axis=0)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The four rows, by the rules above."""
    return [rule(results) for rule in (same_loss, only_small, emphases, over_time)]


def same_loss(results: dict[str, Any]) -> Verdict:
    """C-129: the spread shrinks with width, and is within a factor of two at the end."""
    parts = []
    for split in ("train", "test"):
        final = results[split]["LeCun"][:, :, -1]
        parts.append(trend("C-129", final, results["widths"], f"{split} loss"))
        gaps = ", ".join(f"{gap:.2g}" for gap in np.ptp(final, axis=0))
        ratios = np.max(final, axis=0) / np.min(final, axis=0)
        shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        text = f"range {gaps} nats by width, worst / best {shown}"
        parts.append(exact("C-129", ratios[-1] <= BAD, text))
    return combine("C-129", parts)


def only_small(results: dict[str, Any]) -> Verdict:
    """C-130: bad runs at the smallest width, none at the widest from any start."""
    train = results["train"]
    standard = train["LeCun"][:, :, -1]
    share = {start: bad(losses[:, :, -1], standard).mean(axis=0) for start, losses in train.items()}
    shown = ", ".join(f"{s:.0%}" for s in share["LeCun"])
    small = exact("C-130", share["LeCun"][0] > 0, f"bad runs {shown} by width")
    wide = exact("C-130", share["LeCun"][-1] == 0, f"{share['LeCun'][-1]:.0%} at the widest")
    controls = [
        exact(
            "C-130",
            share[start][-1] == 0,
            f"start {start}: {share[start][-1]:.0%} bad at the widest, mean training loss "
            f"{train[start][:, -1, -1].mean():.3g} against {standard[:, -1].mean():.3g}",
        )
        for start in list(GAINS)[1:]
    ]
    return combine("C-130", [small, wide, *controls])


def emphases(results: dict[str, Any]) -> Verdict:
    """E-47: each of the three lines fits one case."""
    lowest, highest, train = (results[name] for name in ("lowest", "highest", "train"))
    saddle = {start: lowest[start] < SADDLE * highest[start] for start in GAINS}
    standard = train["LeCun"][:, :, -1]
    trapped = bad(standard, standard)[:, 0]
    traps = int(np.sum(trapped & ~saddle["LeCun"]))
    width, widest = (int(results["widths"][i]) for i in (0, -1))
    parts = [
        exact("E-47", traps > 0, f"trap: width {width} has {traps} bad ends that are no saddles"),
        exact("E-47", not bad(standard, standard)[:, -1].any(), f"width {widest} has no bad end"),
        exact(
            "E-47",
            saddle["zeros"].all(),
            f"saddle: the zero start ends at one ({np.mean(saddle['zeros']):.0%} of its runs)",
        ),
    ]
    return combine("E-47", parts)


def over_time(results: dict[str, Any]) -> Verdict:
    """E-84: the smallest net's spread does not shrink with time, while size shrinks it."""
    losses = results["train"]["LeCun"]
    sd = np.std(losses, axis=0, ddof=1)
    log_sd = resampled_sd(losses[:, 0])
    tenth = max(losses.shape[-1] // 10, 1) - 1
    low, high = np.percentile(np.exp(log_sd[:, -1] - log_sd[:, tenth]), [2.5, 97.5])
    outcome = "confirmed" if low > 1 else "refuted" if high < 1 else "undecided"
    text = f"width {results['widths'][0]:.0f}: sd {sd[0, tenth]:.3g} after a tenth of the training,"
    text += f" {sd[0, -1]:.3g} at its end, ratio [{low:.2f}, {high:.2f}]"
    time = Verdict("E-84", outcome, text)
    size = trend("E-84", losses[:, :, -1], results["widths"], "size, training loss")
    return combine("E-84", [time, size])


def draw(results: dict[str, Any]) -> Figure:
    """Final losses by width, their spread, the share of bad runs, and the spread over time."""
    fig, (losses, spread, share, time) = figure(2, 2, width=5.8, height=5.0)
    draw_losses(losses, results)
    widths, seeds = results["widths"], len(results["train"]["LeCun"])
    for i, (split, name) in enumerate((("train", "training"), ("test", "test"))):
        final = results[split]["LeCun"][:, :, -1]
        low, high = np.exp(np.percentile(resampled_sd(final), [2.5, 97.5], axis=0))
        sd, look = np.std(final, axis=0, ddof=1), {"color": COLOURS[i]}
        band(spread, widths, sd, low, high, label=f"{name}: sd (band: 95 %)", **look)
        spread.plot(widths, np.ptp(final, axis=0), "s--", ms=4, label=f"{name}: range", **look)
    log_widths(spread, widths)
    spread.set(yscale="log", ylabel="spread of the final loss / nats")
    spread.set_title(f"LeCun's weights, {seeds} seeds")
    draw_share(share, results)
    draw_time(time, results)
    for axes in (losses, spread, share, time):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    return fig


def log_widths(axes: Axes, widths: np.ndarray) -> None:
    """Of every width a tick."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [f"{width:.0f}" for width in widths])
    axes.set_xlabel("hidden units")


def draw_losses(axes: Axes, results: dict[str, Any]) -> None:
    """Every run's final training loss, and the line between good and bad."""
    widths = results["widths"]
    for i, (start, losses) in enumerate(results["train"].items()):
        label = f"{start}, {len(losses)} seeds"
        shift = widths * 1.18 ** (i - 1)
        axes.plot(shift, losses[:, :, -1].T, ".", color=START_COLOURS[i], alpha=0.5, ms=5)
        axes.plot([], [], ".", color=START_COLOURS[i], label=label)
    best = results["train"]["LeCun"][:, :, -1].min(axis=0)
    axes.plot(widths, BAD * best, "k:", lw=1, label="twice the best")
    log_widths(axes, widths)
    axes.set(yscale="log", ylabel="final training loss / nats")
    axes.set_title(f"{data_name(results['data_set'])}, tanh, every run")


def draw_share(axes: Axes, results: dict[str, Any]) -> None:
    """Share of bad runs against the width, for every start."""
    standard = results["train"]["LeCun"][:, :, -1]
    for i, (start, losses) in enumerate(results["train"].items()):
        share = 100 * bad(losses[:, :, -1], standard).mean(axis=0)
        look = {"color": START_COLOURS[i], "ms": 5, "label": start}
        axes.plot(results["widths"], share, ("o-", "s--", "^:")[i], **look)
    log_widths(axes, results["widths"])
    axes.set(ylabel="bad runs / %", ylim=(-4, 104))
    axes.set_title("training loss over twice the best")


def draw_time(axes: Axes, results: dict[str, Any]) -> None:
    """The spread of the training loss during training."""
    losses = results["train"]["LeCun"]
    marks = losses.shape[-1]
    steps = results["steps"] * np.arange(1, marks + 1) / marks
    for i, width in enumerate(results["widths"]):
        sd = np.std(losses[:, i], axis=0, ddof=1)
        axes.plot(steps, sd, color=ordered("width", width), label=f"{width:.0f} units")
    axes.set(xlabel="update", ylabel="sd of the training loss / nats", yscale="log")
    axes.set_title(f"LeCun's weights, {len(losses)} seeds, over time")
