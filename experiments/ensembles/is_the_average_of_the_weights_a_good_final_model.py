"""Is the moving average of the weights a good final model?

Note 002:958: momentum on the parameters (a moving average), whose result is the final model. A
64-unit ReLU net, plain SGD, batches of 32, 15 epochs, at a constant rate and with a cosine decay to
0. After every step debiased averages with decays 0.9, 0.99 and 0.999 see the weights. Both
schedules have the rate whose last weights have the least mean validation error, and the decay whose
average has it. C-140: test error at the end, last weights minus average, paired by seed; confirmed
if the average is better under both schedules. F-095: the curve's roughness is the standard
deviation of the changes of the test error from epoch to epoch in the second half.

Command: python -m experiments --only is_the_average_of_the_weights_a_good_final_model (CPU, 60 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, data_name, figure, interval, ordered
from experiments.engine.before import Verdict, combine, paired
from experiments.ensembles import _runs as runs
from jaxtricks import models, optimizers, schedules, training
from jaxtricks.averaging import Averager, exponential_average

FIGURES = ("F-095",)
CLAIMS = ("C-140",)
TIER = 2

DECAYS = (0.9, 0.99, 0.999)
KINDS = ("constant", "decaying")


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the training and validation examples together, and of the test's."""

    data_set: str = "mnist"
    limit: int = 5000
    hidden: int = 64
    epochs: int = 15
    rates: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    seeds: int = 10


SMOKE = Config(data_set="digits", limit=500, hidden=16, epochs=4, rates=(0.1,), seeds=2)
FULL = Config(limit=60_000, hidden=256, seeds=20)


def all_decays(decays: tuple[float, ...]) -> Averager:
    """One averager for several decays, the first axis of its average."""
    every = jnp.array(decays)

    def init(params: Any) -> Any:
        return jax.vmap(lambda decay: exponential_average(decay).init(params))(every)

    def update(params: Any, state: Any) -> tuple[Any, Any]:
        def one(decay: jax.Array, kept: Any) -> tuple[Any, Any]:
            return exponential_average(decay).update(params, kept)

        return jax.vmap(one)(every, state)

    return Averager(init, update)


def run(config: Config) -> dict[str, Any]:
    """Errors in percent `[rate, seed, epoch, model]`; the first model is the last weights."""
    sets = runs.load(config.data_set, config.limit)
    model = models.MLP((config.hidden, 10))
    falling = schedules.cosine_decay(1.0, config.epochs * runs.steps_per_epoch(sets.train))

    def one(key: jax.Array, arm: Any, train: Any, *others: Any) -> dict[str, jax.Array]:
        def rate(count: jax.Array) -> jax.Array:
            return arm["rate"] * jnp.where(arm["decaying"], falling(count), 1.0)

        def look(state: Any) -> dict[str, jax.Array]:
            every = jax.tree.map(
                lambda last, averaged: jnp.concatenate([last[None], averaged]),
                state.params, state.average.output,
            )  # fmt: skip
            return {
                name: jax.lax.map(
                    lambda p, some=some: runs.error(runs.logits(model, p, some), some["label"]),
                    every,
                )
                for name, some in zip(("validation", "test"), others, strict=True)
            }

        ours = training.trainer(
            training.classification_loss(model), optimizers.gradient_descent(rate),
            averager=all_decays(DECAYS), evaluate_average=False,
            rng_streams=(), diagnostics=False,
        )  # fmt: skip
        return runs.train(ours, model, key, train, look, epochs=config.epochs)

    rates = np.array(config.rates, np.float32)
    arms = {"rate": np.tile(rates, 2), "decaying": np.repeat([False, True], len(rates))}
    out = runs.over_seeds(one, arms, config.seeds, sets[:3])
    return {
        "data_set": sets.name,
        "rates": rates,
        "constant": {name: values[: len(rates)] for name, values in out.items()},
        "decaying": {name: values[len(rates) :] for name, values in out.items()},
    }


def best(results: dict[str, Any], kind: str) -> tuple[int, int]:
    """Rate of the best last weights and, at it, the best average, by mean validation error."""
    errors = results[kind]["validation"][:, :, -1].mean(axis=1)
    rate = int(np.argmin(errors[:, 0]))
    return rate, 1 + int(np.argmin(errors[rate, 1:]))


def roughness(curves: np.ndarray) -> np.ndarray:
    """Standard deviation of the changes in the second half of curves `[seed, epoch]`."""
    half = curves[:, curves.shape[1] // 2 :]
    return np.std(np.diff(half, axis=1), axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The average against the last weights, with and without a decay of the rate."""
    parts = []
    for kind in KINDS:
        i, j = best(results, kind)
        errors = results[kind]["test"][i]
        last, average = errors[:, -1, 0], errors[:, -1, j]
        rough, smooth = (roughness(errors[..., model]).mean() for model in (0, j))
        way = np.mean(errors[..., 0] - errors[..., j])
        text = (
            f"{kind} rate {results['rates'][i]:g}: test error of the last weights "
            f"{last.mean():.2f} %, of the average with decay {DECAYS[j - 1]} {average.mean():.2f} "
            f"% (roughness {rough:.2f} and {smooth:.2f}; mean gain over all epochs {way:.2f}); gain"
        )
        parts.append(paired("C-140", last - average, text, claimed="positive"))
    return [combine("C-140", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Errors after each epoch under both schedules; the gain of the averages at every rate."""
    fig, (constant, decaying, gains) = figure(1, 3, width=5.2, height=4.6)
    for axes, kind in ((constant, "constant"), (decaying, "decaying")):
        i, _ = best(results, kind)
        draw_curves(axes, results[kind]["test"][i])
        name, rate = data_name(results["data_set"]), results["rates"][i]
        axes.set_title(f"{name}, {kind} rate {rate:g}: mean and one seed")
    low = min(axes.get_ylim()[0] for axes in (constant, decaying))
    high = max(axes.get_ylim()[1] for axes in (constant, decaying))
    constant.set_ylim(low, high)
    decaying.set_ylim(low, high)
    constant.legend(loc="upper right")
    for kind, style in zip(KINDS, ("-", "--"), strict=True):
        for j, decay in enumerate(DECAYS, start=1):
            errors = results[kind]["test"][:, :, -1]
            rows = np.array([interval(row) for row in errors[..., 0] - errors[..., j]])
            look = {"color": ordered("decay", decay), "linestyle": style, "marker": "o^s"[j - 1]}
            band(gains, results["rates"], *rows.T, **look, label=f"{kind}, {decay}")
    gains.axhline(0, color="black", lw=0.8)
    low, high = gains.get_ylim()
    gains.set_ylim(low, high + 0.45 * (high - low))
    gains.set(xscale="log", xlabel="(first) learning rate", ylabel="gain at the end / points")
    gains.set_xticks(results["rates"], [f"{rate:g}" for rate in results["rates"]])
    gains.minorticks_off()
    seeds = results["constant"]["test"].shape[1]
    gains.set_title(f"Last weights minus average, 95 % of {seeds} seeds")
    gains.legend(ncol=2, loc="upper left", columnspacing=1.0)
    return fig


def draw_curves(axes: Axes, errors: np.ndarray) -> None:
    """Test errors `[seed, epoch, model]`: mean over the seeds, and the first seed thin."""
    for j in range(errors.shape[-1]):
        rows = np.array([interval(column) for column in errors[..., j].T])
        epochs = 1 + np.arange(len(rows))
        label = "last weights" if j == 0 else f"average, decay {DECAYS[j - 1]}"
        colour = COLOURS[1] if j == 0 else ordered("decay", DECAYS[j - 1])
        band(axes, epochs, *rows.T, color=colour, label=label)
        axes.plot(epochs, errors[0, :, j], color=colour, lw=0.8, ls=":")
    axes.plot([], [], color="black", lw=0.8, ls=":", label="one seed")
    axes.set(xlabel="epoch", ylabel="test error / %", xticks=np.arange(0, len(rows) + 1, 5))
