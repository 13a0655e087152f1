"""Are warm restarts of the learning rate useful?

Note 002:541 (SGDR). A 64-unit ReLU net, plain SGD, batches of 32, 15 epochs: cosine cycles of 1, 2,
4 and 8 epochs against one cosine over all 15. Each has the (first) rate whose last weights have the
least mean validation error. C-054, two parts, paired by seed, confirmed if both hold: (a) anytime:
if training were stopped after epoch e, the checkpoint with the least validation error so far (the
latest of equals) would be kept; its test error, mean over the 15 epochs, is smaller with restarts;
(b) the mean prediction of the last three cycles' ends has a smaller test error than the single
cosine's last weights, which took as many steps.

Command: python -m experiments --only are_restarts_useful      (CPU, about 60 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import COLOURS, band, figure, interval
from experiments.engine.before import Verdict, combine, paired
from experiments.ensembles import _runs as runs
from jaxtricks import models, optimizers, schedules
from jaxtricks.averaging import cycle_ends

FIGURES = ()
CLAIMS = ("C-054",)

KINDS = ("one cosine", "restarts")
EPOCHS, ENSEMBLE = 15, 3  # cycles of 1, 2, 4 and 8 epochs; the ends of the last three


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the training and validation examples together, and of the test's."""

    data_set: str = "mnist"
    limit: int = 5000
    hidden: int = 64
    rates: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    seeds: int = 10


SMOKE = Config(data_set="digits", limit=500, hidden=16, rates=(0.2,), seeds=2)
FULL = Config(limit=60_000, hidden=256, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Errors in percent `[rate, seed, epoch]` of both kinds, and of the ensemble of cycle ends."""
    sets = runs.load(config.data_set, config.limit)
    model = models.MLP((config.hidden, 10))
    steps = runs.steps_per_epoch(sets.train)
    once = schedules.cosine_decay(1.0, EPOCHS * steps)
    again = schedules.cosine_restarts(1.0, steps, multiplier=2)
    ends = np.asarray(jax.vmap(cycle_ends(1, multiplier=2))(jnp.arange(EPOCHS)))
    members = runs.last_of(ends, (ENSEMBLE,))

    def one(key: jax.Array, arm: Any, train: Any, *others: Any) -> dict[str, jax.Array]:
        def rate(count: jax.Array) -> jax.Array:
            return arm["rate"] * jnp.where(arm["restarts"], again(count), once(count))

        def look(state: Any) -> list[jax.Array]:
            return [runs.logits(model, state.params, some) for some in others]

        ours = networks.trainer(model, optimizers.gradient_descent(rate))
        scores = runs.train(ours, model, key, train, look, epochs=EPOCHS)
        out = {
            name: runs.error(score, some["label"])
            for name, score, some in zip(("validation", "test"), scores, others, strict=True)
        }
        ensemble = runs.ensemble_errors(scores[1], others[1]["label"], members)[0]
        return {**out, "ensemble": ensemble}

    rates = np.array(config.rates, np.float32)
    arms = {"rate": np.tile(rates, 2), "restarts": np.repeat([False, True], len(rates))}
    out = runs.over_seeds(one, arms, config.seeds, sets[:3])
    return {
        "data_set": sets.name,
        "rates": rates,
        "cycle ends": 1 + np.flatnonzero(ends),
        "one cosine": {name: values[: len(rates)] for name, values in out.items()},
        "restarts": {name: values[len(rates) :] for name, values in out.items()},
    }


def best(results: dict[str, Any], kind: str) -> dict[str, Any]:
    """The runs at the rate whose last weights have the least mean validation error."""
    i = int(np.argmin(results[kind]["validation"][..., -1].mean(axis=1)))
    runs_of_rate = {name: values[i] for name, values in results[kind].items()}
    return {**runs_of_rate, "rate": results["rates"][i]}


def anytime(validation: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Test errors of the best checkpoint so far by validation, all `[seed, epoch]`."""
    kept = np.zeros(validation.shape, int)
    for epoch in range(1, validation.shape[1]):
        before = np.take_along_axis(validation, kept[:, epoch - 1 : epoch], axis=1)[:, 0]
        kept[:, epoch] = np.where(validation[:, epoch] <= before, epoch, kept[:, epoch - 1])
    return np.take_along_axis(test, kept, axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Anytime error, and the snapshot ensemble against the one cosine's last weights."""
    once, again = (best(results, kind) for kind in KINDS)
    mean_once, mean_again = (
        anytime(at["validation"], at["test"]).mean(axis=1) for at in (once, again)
    )
    last = once["test"][:, -1]
    parts = [
        paired(
            "C-054",
            mean_once - mean_again,
            f"anytime test error {mean_again.mean():.2f} % with restarts from {again['rate']:g}, "
            f"{mean_once.mean():.2f} % with one cosine from {once['rate']:g}; gain",
            claimed="positive",
        ),
        paired(
            "C-054",
            last - again["ensemble"],
            f"at the end: ensemble of the last {ENSEMBLE} cycle ends "
            f"{again['ensemble'].mean():.2f} %, last weights with restarts "
            f"{again['test'][:, -1].mean():.2f} %, with one cosine {last.mean():.2f} %; gain of "
            "the ensemble over the one cosine",
            claimed="positive",
        ),
    ]
    return [combine("C-054", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Test error after each epoch, anytime error, and the errors at the end."""
    fig, (curves, kept, end) = figure(1, 3, width=4.4, height=3.5)
    columns = []
    for kind, colour in zip(KINDS, COLOURS, strict=False):
        at = best(results, kind)
        label = f"{kind}, from {at['rate']:g}"
        best_so_far = anytime(at["validation"], at["test"])
        for axes, errors in ((curves, at["test"]), (kept, best_so_far)):
            rows = np.array([interval(column) for column in errors.T])
            epochs = 1 + np.arange(len(rows))
            band(axes, epochs, *rows.T, color=colour, label=label, marker="o", markersize="3")
        columns.append((f"{kind},\nlast", at["test"][:, -1], colour))
    columns.append((f"ensemble of {ENSEMBLE}\ncycle ends", at["ensemble"], COLOURS[2]))
    for place, (_, errors, colour) in enumerate(columns):
        mean, low, high = interval(errors)
        end.plot(np.full(len(errors), place - 0.12), errors, ".", color=colour, alpha=0.5)
        end.errorbar(place, mean, [[mean - low], [high - mean]], fmt="o", color=colour, capsize=4)
    end.set_xticks(range(len(columns)), [name for name, _, _ in columns])
    end.set(xlim=(-0.5, len(columns) - 0.5), ylabel="test error / %", title="at the end")
    for axes, title in ((curves, "after each epoch"), (kept, "best so far by validation")):
        for cycle_end in results["cycle ends"][:-1]:
            axes.axvline(cycle_end, color="black", lw=0.6, ls=":")
        axes.set(xlabel="epoch (dotted: restarts)", ylabel="test error / %", title=title)
        axes.legend()
    seeds = len(columns[0][1])
    fig.suptitle(f"{results['data_set']}, mean and 95 % interval of {seeds} seeds", fontsize=9)
    return fig
