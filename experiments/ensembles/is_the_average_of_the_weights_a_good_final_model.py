"""Is the moving average of the weights a good final model?

Note 002:958 takes a moving average of the parameters as the final model. A 64-unit ReLU net on
MNIST averaged to 14 x 14 (digits where it is not prepared) is trained by plain SGD in batches of 32
for 15 epochs, at a constant rate and with a cosine decay to 0. After every step debiased averages
with decays from 0.9 to 0.9999 see the weights. Under each schedule the last weights have the rate,
and the average has the rate and the decay, with their own least validation error on tuning seeds;
this choice is resampled 200 times and its variance added. C-140: at the constant rate the average's
test error must be less than that of the last weights (0.1 point matters), under the decaying rate
it must be the same to 0.1 point. F-095: the roughness of a curve is the standard deviation of the
changes of the test error from epoch to epoch in the second half.

Command: python -m experiments --only is_the_average_of_the_weights_a_good_final_model (CPU, 90 s)
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
    Plan,
    Tuned,
    Verdict,
    all_of,
    band,
    choice_variance,
    choose,
    data_name,
    equivalent,
    figure,
    interval,
    not_saturated,
    ordered,
    paired,
)
from experiments.lab import ensembles as runs
from jaxtricks import models, optimizers, schedules, training
from jaxtricks.averaging import Averager, exponential_average

FIGURES = ("F-095",)
CLAIMS = ("C-140",)
TIER = 2

DECAYS = (0.9, 0.97, 0.99, 0.997, 0.999, 0.9999)
KINDS = ("constant", "decaying")
SHOWN = (0.9, 0.99, 0.999)
PLANS = {
    "C-140": Plan(
        effects={"points": 0.1},
        gates=("own rate and decay", "edge", "sat"),
        settings={"decays": DECAYS, "batch": runs.BATCH},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the training and validation examples together, and of the test's; `curves`: seeds
    whose errors are drawn after each epoch."""

    data_set: str = "mnist"
    limit: int = 5000
    hidden: int = 64
    epochs: int = 15
    rates: tuple[float, ...] = (0.4, 0.57, 0.8, 1.13, 1.6)
    seed: int = 15_140
    seeds: int = 20
    tuning_seeds: int = 10
    curves: int = 5


SMOKE = Config(
    data_set="digits", limit=300, hidden=8, epochs=4, rates=(0.1, 0.4), seeds=3, tuning_seeds=2,
    curves=2,
)  # fmt: skip
FULL = Config(limit=60_000, hidden=256)


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
    """Errors in percent at the end `[rate, seed, model]`, curves `[seed, epoch, model]`.

    The first model is the last weights, the others are the averages.
    """
    sets = lab.split(config.data_set, config.limit, digits_test=0.3)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    rates = np.array(config.rates, np.float32)
    arms = {"rate": np.tile(rates, 2), "decaying": np.repeat([False, True], len(rates))}
    out = train(config, sets, keys, arms, every=False)
    results: dict[str, Any] = {
        "data_set": sets.name,
        "examples": (len(sets.pool["label"]), len(sets.test["label"])),
        "epochs": config.epochs,
        "rates": rates,
    }
    for kind, rows in zip(KINDS, np.split(np.arange(2 * len(rates)), 2), strict=True):
        results[kind] = {
            "test": out["test"][rows, : config.seeds],
            "tuning": out["validation"][rows, config.seeds :],
        }
    best = np.array([last_weights(results, kind).trial for kind in KINDS])
    arms = {"rate": best, "decaying": np.array([False, True])}
    curves = train(config, sets, keys[: config.curves], arms, every=True)["test"]
    return results | {"curves": dict(zip(KINDS, curves, strict=True))}


def train(
    config: Config, sets: lab.Images, keys: jax.Array, arms: dict[str, np.ndarray], *, every: bool
) -> dict[str, np.ndarray]:
    """Errors of all models, `[arm, key, model]`, or of every epoch `[arm, key, epoch, model]`."""
    model = models.MLP((config.hidden, 10))
    falling = schedules.cosine_decay(1.0, config.epochs * (len(sets.pool["label"]) // runs.BATCH))

    def errors(weights: Any, some: Any) -> jax.Array:
        def one(params: Any) -> jax.Array:
            return runs.error(runs.logits(model, params, some), some["label"])

        return jax.lax.map(one, weights)

    def one(key: jax.Array, arm: Any, train: Any, *others: Any) -> dict[str, jax.Array]:
        def rate(count: jax.Array) -> jax.Array:
            return arm["rate"] * jnp.where(arm["decaying"], falling(count), 1.0)

        def look(state: Any) -> Any:
            return jax.tree.map(
                lambda last, averaged: jnp.concatenate([last[None], averaged]),
                state.params, state.average.output,
            )  # fmt: skip

        ours = training.trainer(
            training.classification_loss(model), optimizers.gradient_descent(rate),
            averager=all_decays(DECAYS), evaluate_average=False,
            rng_streams=(), diagnostics=False,
        )  # fmt: skip
        init_key, run_key = jax.random.split(key)
        first = lab.first_variables(model, init_key, train)
        _, weights = lab.train(
            ours, first, train, key=run_key, epochs=config.epochs, batch=runs.BATCH, look=look
        )
        if every:
            return {"test": jax.lax.map(lambda epoch: errors(epoch, others[1]), weights)}
        end = jax.tree.map(lambda leaf: leaf[-1], weights)
        named = zip(("validation", "test"), others, strict=True)
        return {name: errors(end, some) for name, some in named}

    return lab.over(one, arms, keys, sets[:3])


def last_weights(results: dict[str, Any], kind: str) -> Tuned:
    """At the rate with their own least validation error."""
    tuning, test = results[kind]["tuning"], results[kind]["test"]
    return choose(tuning[..., 0], results["rates"], test[..., 0].__getitem__)


def average(results: dict[str, Any], kind: str) -> Tuned:
    """At its own rate and decay; these are the trial."""
    rates = results["rates"]
    validation, tested = (
        np.moveaxis(results[kind][name][..., 1:], -1, 1).reshape(len(rates) * len(DECAYS), -1)
        for name in ("tuning", "test")
    )
    found = choose(validation, np.arange(len(validation)), tested.__getitem__)
    rate, decay = divmod(found.best, len(DECAYS))
    ends = {"rate": rate in (0, len(rates) - 1), "decay": decay in (0, len(DECAYS) - 1)}
    at_edge = tuple(name for name, there in ends.items() if there)
    return found._replace(trial=(rates[rate], DECAYS[decay]), at_edge=at_edge)


def roughness(curves: np.ndarray) -> np.ndarray:
    """Standard deviation of the changes in the second half of curves `[seed, epoch]`."""
    half = curves[:, curves.shape[1] // 2 :]
    return np.std(np.diff(half, axis=1), axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The average against the last weights, with and without a decay of the rate."""
    effect, gains, beside, ends, errors = PLANS["C-140"].effects["points"], {}, [], [], {}
    for kind in KINDS:
        last, mean = last_weights(results, kind), average(results, kind)
        choice = choice_variance(np.subtract, last, mean)
        gains[kind] = runs.estimate(last.tested - mean.tested, choice)
        ends += [f"{kind}: {name} of the last weights" for name in last.at_edge]
        ends += [f"{kind}: {name} of the average" for name in mean.at_edge]
        errors |= {f"last weights, {kind}": last.tested, f"average, {kind}": mean.tested}
        rough = roughness(results["curves"][kind][..., 0]).mean()
        smooth = roughness(results["curves"][kind][..., 1 + DECAYS.index(mean.trial[1])]).mean()
        beside.append(
            f"{kind}: last weights {last.tested.mean():.2f} % (rate {last.trial:.3g}), average "
            f"{mean.tested.mean():.2f} % (rate {mean.trial[0]:.3g}, decay {mean.trial[1]:g}); "
            f"roughness {rough:.2f} and {smooth:.2f}"
        )
    text = "{} rate: test points that the average gains over the last weights"
    parts = [
        paired(text.format("constant"), gains["constant"], effect=effect, claimed="up", panel="c"),
        equivalent(text.format("decaying"), gains["decaying"], within=effect, panel="c"),
    ]
    train_size, test_size = results["examples"]
    told = f"at an end of a grid: {'; '.join(ends) or 'none'}"
    gates = [
        Gate("own rate and decay", None, "each chosen by its own validation error"),
        Gate("edge", not ends, told),
        not_saturated(errors, bounds=(0.0, 100.0), step=100 / test_size, effect=effect),
    ]
    scope = (
        f"{data_name(results['data_set'])}, {train_size:.0f} training and {test_size:.0f} test "
        "images of 14 x 14 pixels (digits 8 x 8), one hidden ReLU layer, plain SGD, batch "
        f"{runs.BATCH}, {results['epochs']:.0f} epochs, float32"
    )
    return [all_of("C-140", parts, scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Errors after each epoch under both schedules; the gain of the averages at every rate."""
    fig, (constant, decaying, gains) = figure(1, 3, width=5.2, height=4.6)
    for axes, kind in ((constant, "constant"), (decaying, "decaying")):
        draw_curves(axes, results["curves"][kind])
        name, rate = data_name(results["data_set"]), last_weights(results, kind).trial
        seeds = len(results["curves"][kind])
        axes.set_title(f"{name}, {kind} rate {rate:.3g}: 95 % of {seeds} seeds")
    low = min(axes.get_ylim()[0] for axes in (constant, decaying))
    high = max(axes.get_ylim()[1] for axes in (constant, decaying))
    constant.set_ylim(low, high)
    decaying.set_ylim(low, high)
    constant.legend(loc="upper right")
    for kind, style in zip(KINDS, ("-", "--"), strict=True):
        for i, decay in enumerate(SHOWN):
            errors = results[kind]["test"]
            gain = errors[..., 0] - errors[..., 1 + DECAYS.index(decay)]
            rows = np.array([interval(row) for row in gain])
            look = {"color": ordered("decay", decay), "linestyle": style, "marker": "o^s"[i]}
            band(gains, results["rates"], *rows.T, **look, label=f"{kind}, {decay}")
    gains.axhline(0, color="black", lw=0.8)
    low, high = gains.get_ylim()
    gains.set_ylim(low, high + 0.45 * (high - low))
    gains.set(xscale="log", xlabel="(first) learning rate", ylabel="gain at the end / points")
    gains.set_xticks(results["rates"], [f"{rate:.3g}" for rate in results["rates"]])
    gains.minorticks_off()
    seeds = results["constant"]["test"].shape[1]
    gains.set_title(f"Last weights minus average, 95 % of {seeds} seeds")
    gains.legend(ncol=2, loc="upper left", columnspacing=1.0)
    return fig


def draw_curves(axes: Axes, errors: np.ndarray) -> None:
    """Test errors `[seed, epoch, model]`: the mean over the seeds and its interval."""
    for decay in (None, *SHOWN):
        j = 0 if decay is None else 1 + DECAYS.index(decay)
        rows = np.array([interval(column) for column in errors[..., j].T])
        epochs = 1 + np.arange(len(rows))
        label = "last weights" if decay is None else f"average, decay {decay}"
        colour = COLOURS[1] if decay is None else ordered("decay", decay)
        band(axes, epochs, *rows.T, color=colour, label=label)
    axes.set(xlabel="epoch", ylabel="test error / %", xticks=np.arange(0, len(rows) + 1, 5))
