"""Does the mean prediction of independently trained models beat one model?

Notes 002:956 and 004:721: train several models and average their predictions. Members are 64-unit
ReLU nets, plain SGD, batches of 32, 15 epochs, that differ in their first weights and the order of
the examples; the rate is the one with the least mean validation error of ten other members. k = 1
to 8, ten disjoint sets of 8. C-138: test error, mean of the 8 members minus ensemble of the
first k, paired by set; confirmed if positive at every k from 2 to 8. Cross-entropy is drawn, not
judged: the mean of probabilities cannot have a larger one than its members' mean (Jensen).

Command: python -m experiments --only do_independent_models_help      (CPU, about 70 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import COLOURS, band, data_name, figure, interval
from experiments.engine.before import Verdict, combine, paired
from experiments.ensembles import _runs as runs
from jaxtricks import models, optimizers
from jaxtricks.averaging import ensemble_predictions

FIGURES = ()
CLAIMS = ("C-138",)

MEMBERS = 8
AVERAGES = ("probabilities", "logits")


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the training and validation examples together, and of the test's."""

    data_set: str = "mnist"
    limit: int = 5000
    hidden: int = 64
    epochs: int = 15
    rates: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    seeds: int = 10


SMOKE = Config(data_set="digits", limit=500, hidden=16, epochs=2, rates=(0.2,), seeds=2)
FULL = Config(limit=60_000, hidden=256, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Validation errors `[rate, seed]` of the tuning, and test results of every set `[seed, k]`."""
    sets = runs.load(config.data_set, config.limit)
    model = models.MLP((config.hidden, 10))

    def one(key: jax.Array, arm: Any, train: Any, *others: Any) -> list[jax.Array]:
        def look(state: Any) -> list[jax.Array]:
            return [runs.logits(model, state.params, some) for some in others]

        ours = networks.trainer(model, optimizers.gradient_descent(arm["rate"]))
        key = jax.random.fold_in(key, arm["member"])
        looks = runs.train(ours, model, key, train, look, epochs=config.epochs)
        return [scores[-1] for scores in looks]

    def train_member(number: int, rate: np.float32) -> list[np.ndarray]:
        arm = {"rate": np.array([rate]), "member": np.array([number])}
        return [scores[0] for scores in runs.over_seeds(one, arm, config.seeds, sets[:3])]

    rates = np.array(config.rates, np.float32)
    labels = sets.validation["label"]
    tuned = np.stack([runs.error(train_member(MEMBERS, rate)[0], labels) for rate in rates])
    rate = rates[np.argmin(tuned.mean(axis=1))]
    scores = np.stack([train_member(number, rate)[1] for number in range(MEMBERS)])
    return {
        "data_set": sets.name,
        "rates": rates,
        "tuning errors": tuned,
        "rate": rate,
        **ensembles(scores, sets.test["label"]),
    }


@jax.jit
def ensembles(scores: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """From `[member, seed, ...]`: metrics of members `[seed, member]` and ensembles `[seed, k]`."""
    metrics = {"error": runs.error, "cross-entropy": runs.cross_entropy}
    out = {f"member {name}": metric(scores, labels).T for name, metric in metrics.items()}

    def first_members(weights: jax.Array, average: Any) -> dict[str, jax.Array]:
        def predict(of_seed: jax.Array) -> jax.Array:
            return ensemble_predictions(of_seed, average=average, weights=weights)

        mean = jax.vmap(predict, in_axes=1)(scores)
        return {f"{average} {name}": metric(mean, labels) for name, metric in metrics.items()}

    for average in AVERAGES:
        sizes = jnp.tri(MEMBERS)  # row k - 1: the first k
        every = jax.lax.map(functools.partial(first_members, average=average), sizes)
        out |= {name: values.T for name, values in every.items()}
    return out


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Every ensemble of 2 to 8 against the mean of the single models."""
    single, errors = results["member error"].mean(axis=1), results["probabilities error"]
    parts = [
        paired(
            "C-138",
            single - errors[:, k - 1],
            f"k = {k}: {errors[:, k - 1].mean():.2f} %, gain",
            claimed="positive",
        )
        for k in range(2, MEMBERS + 1)
    ]
    text = f"test error of one model {single.mean():.2f} %; " + "; ".join(
        part.measured for part in parts
    )
    return [combine("C-138", parts, text)]


def draw(results: dict[str, Any]) -> Figure:
    """Errors and cross-entropies against k."""
    fig, axes = figure(1, 2, width=5.6, height=4.8)
    sizes = 1 + np.arange(MEMBERS)
    for panel, (metric, unit) in zip(
        axes, (("error", "%"), ("cross-entropy", "nats")), strict=True
    ):
        single = results[f"member {metric}"].mean(axis=1)
        panel.axhline(single.mean(), color="black", ls=":", label="one model, mean of all")
        for i, average in enumerate(AVERAGES):
            rows = np.array([interval(column) for column in results[f"{average} {metric}"].T])
            look = {"color": COLOURS[i], "marker": "os"[i], "label": f"mean of {average}"}
            band(panel, sizes, *rows.T, **look)
        panel.set(xlabel="models in the ensemble, $k$", ylabel=f"test {metric} / {unit}")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high + 0.35 * (high - low))
    axes[0].legend(loc="upper right")
    axes[0].set_title(f"{data_name(results['data_set'])}, rate {results['rate']:g}")
    axes[1].set_title(f"Mean and 95 % of {len(single)} sets of models")
    return fig
