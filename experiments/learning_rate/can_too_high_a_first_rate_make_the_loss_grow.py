"""Can too high a first learning rate make the loss keep growing?

The lecture's reason for warmup (002:601): too high a first rate may make the loss grow on and on.
ReLU nets with one, three, six and nine hidden layers of 64 on digits, momentum 0.9, batches of 32,
He's initialization, two first rates each. The loss on all training examples is looked at before the
first update and after each of the first 20. It keeps growing if the slope of its log10 is over 0
and it rises at more than half of the updates. It is cut at 1e6 nats, which stands for NaN too; at
that ceiling it counts as risen. One of the eight settings is enough. As a control the loss must
fall at a tenth of each rate.

Command: python -m experiments --only can_too_high_a_first_rate_make_the_loss_grow
(CPU, about 10 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Part,
    Plan,
    Verdict,
    exists,
    figure,
    interval,
    over,
    paired,
    part_of,
)
from experiments.lab import small_mlp as mlp
from jaxtricks import data, optimizers

CLAIMS = ("C-056",)
TIER = 2

DEPTHS = {"one": 1, "three": 3, "six": 6, "nine": 9}  # hidden layers
WIDTH, UPDATES = 64, 20
WORST = 1e6  # stands for any larger loss and for NaN
PLANS = {
    "C-056": Plan(
        effects={"slope": 0.005, "share of rises": 0.5},
        gates=("pos",),
        settings={
            "nets": "1, 3, 6, 9 hidden ReLU layers of 64",
            "rule": "momentum 0.9, batches of 32",
            "loss": "on all training examples, before and after each of 20 updates, at most 1e6",
            "part": "both: slope of log10 loss over 0; rises, or is at 1e6, at over half of the "
            "updates",
            "control": "slope under 0 at a tenth of each rate, 95 % interval, every setting",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: first rates of every net; each tenth of one is a control."""

    rates: tuple[float, ...] = (0.7, 1.4)
    seeds: int = 20
    seed: int = 15_056


SMOKE = Config(rates=(1.4,), seeds=2)
FULL = Config(seeds=200)


def run(config: Config) -> dict[str, Any]:
    """Per net, losses `[rate, seed, update]`: at the rates, then at their tenths."""
    fit = mlp.examples(data.load("digits").train)
    rates = np.array(config.rates, np.float32)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    return {
        "data_set": "digits",
        "examples": len(fit.y),
        "rates": rates,
        "losses": {
            name: first_losses(fit, keys, np.concatenate([rates, rates / 10]), depth)
            for name, depth in DEPTHS.items()
        },
    }


def first_losses(fit: mlp.Examples, keys: jax.Array, rates: np.ndarray, depth: int) -> jax.Array:
    """The loss on all examples before the first update and after each, `[rate, key, update]`."""
    sizes = (fit.x.shape[1], *[WIDTH] * depth, 10)

    def one(key: jax.Array, rate: jax.Array) -> jax.Array:
        init_key, order_key = jax.random.split(key)
        start = mlp.init(init_key, sizes)
        tx = optimizers.momentum(rate, decay=0.9)

        def step(carry: tuple, rows: jax.Array) -> tuple[tuple, jax.Array]:
            params, state = carry
            some = mlp.Examples(fit.x[rows], fit.y[rows])
            updates, state = tx.update(jax.grad(mlp.loss)(params, some), state, params)
            params = jax.tree.map(jnp.add, params, updates)
            return (params, state), mlp.loss(params, fit)

        order = lab.order_of(order_key, len(fit.y), UPDATES, mlp.BATCH, whole=True).indices
        losses = jax.lax.scan(step, (start, tx.init(start)), order)[1]
        losses = jnp.append(mlp.loss(start, fit), losses)
        return jnp.where(losses < WORST, losses, WORST)

    return jax.jit(jax.vmap(jax.vmap(one, (0, None)), (None, 0)))(keys, rates)


def slopes(losses: np.ndarray) -> np.ndarray:
    """Least-squares slopes of log10 loss `[seed, update]`, per update."""
    return np.polyfit(np.arange(losses.shape[1]), np.log10(losses).T, 1)[0]


def rises(losses: np.ndarray) -> np.ndarray:
    """Share of the updates at which the loss rises or is at the ceiling, one a seed."""
    return np.mean((np.diff(losses) > 0) | (losses[:, 1:] >= WORST), axis=1)


def settings(results: dict[str, Any]) -> list[tuple[str, float, np.ndarray, np.ndarray]]:
    """Each net and rate with its losses `[seed, update]` and those at a tenth of the rate."""
    rates = results["rates"]
    return [
        (net, float(rate), losses[i], losses[len(rates) + i])
        for net, losses in results["losses"].items()
        for i, rate in enumerate(rates)
    ]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """One of eight settings in which the loss keeps growing is enough."""
    rows = settings(results)
    falls = [interval(slopes(tenth)) for _, _, _, tenth in rows]
    worst = max(falls, key=lambda fall: fall[2])
    gate = Gate(
        "pos",
        all(fall[2] < 0 for fall in falls),
        f"at a tenth of the rate the loss falls in {sum(fall[2] < 0 for fall in falls)} of "
        f"{len(falls)} settings; the largest slope is {worst[0]:.3f} [{worst[1]:.3f}, "
        f"{worst[2]:.3f}]",
    )
    beside = [
        f"{net} hidden, rate {rate:g}: slope {slopes(losses).mean():.3f}, share of rises "
        f"{rises(losses).mean():.2f}"
        for net, rate, losses, _ in rows
    ]
    return [
        exists(
            "C-056",
            [keeps_growing(net, rate, losses) for net, rate, losses, _ in rows],
            gates=[gate],
            scope=f"digits, {results['examples']:,} examples, ReLU nets of 1 to 9 hidden layers of "
            f"{WIDTH}, momentum 0.9, batches of {mlp.BATCH}, {UPDATES} updates, float32",
            beside=beside,
        )
    ]


def keeps_growing(net: str, rate: float, losses: np.ndarray) -> Part:
    """Both: the slope is up, and more than half of the updates raise the loss."""
    effects = PLANS["C-056"].effects
    where = f"{net} hidden, rate {rate:g}"
    return part_of(
        [
            paired(
                f"{where}: slope", slopes(losses), effect=effects["slope"], claimed="up", panel="b"
            ),
            over(f"{where}: share of rises", rises(losses), effects["share of rises"], panel="c"),
        ],
        "all",
    )


def draw(results: dict[str, Any]) -> Figure:
    """The losses at the highest rate and its tenth; slopes; shares of rises."""
    fig, (curves, slope, share) = figure(1, 3, width=5.4, height=4.6)
    rate = results["rates"][-1]
    for (net, losses), colour in zip(results["losses"].items(), COLOURS, strict=False):
        middle = len(results["rates"])
        for place, line, label in ((middle - 1, "-", f"{net} hidden"), (-1, ":", None)):
            shown = 10 ** np.log10(losses[place]).mean(axis=0)
            curves.semilogy(shown, line, color=colour, label=label)
    curves.plot([], [], ":", color="black", label=f"rate {rate / 10:g}")
    curves.set(xlabel="update", ylabel="training loss / nats", xticks=range(0, UPDATES + 1, 5))
    curves.set_title(f"rate {rate:g}, geometric mean of {losses.shape[1]} seeds")
    curves.legend()
    draw_settings(slope, results, slopes)
    slope.axhline(0, color="black", lw=1)
    slope.set(ylabel=r"slope of $\log_{10}$ loss per update", title="mean and 95 % over the seeds")
    draw_settings(share, results, rises)
    share.axhline(0.5, color="black", lw=1, ls="--")
    share.set(ylabel="share of updates", ylim=(-0.03, 1.05), title="updates that raise the loss")
    share.legend(loc="upper left")
    return fig


def draw_settings(axes: Axes, results: dict[str, Any], metric: Any) -> None:
    """Each setting's number with its interval, filled, and that of the tenth of its rate."""
    rates = results["rates"]
    for place, (net, _, losses, tenth) in enumerate(settings(results)):
        for shift, runs, face in ((-0.1, losses, None), (0.1, tenth, "white")):
            mean, low, high = interval(metric(runs))
            label = "first rate" if face is None else "a tenth of it"
            axes.errorbar(
                place + shift, mean, [[mean - low], [high - mean]], fmt="o", capsize=3, mfc=face,
                color=COLOURS[list(DEPTHS).index(net)], label=label if place == 0 else None,
            )  # fmt: skip
    names = [f"{net}\n{rate:g}" for net in results["losses"] for rate in rates]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlabel("hidden layers, first rate")
