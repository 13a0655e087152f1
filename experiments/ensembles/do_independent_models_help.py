"""Does the mean prediction of independently trained models beat one model?

Notes 002:956 and 004:721: train several models and average their predictions. The members are
64-unit ReLU nets on MNIST averaged to 14 x 14 (digits where it is not prepared), plain SGD, batches
of 32, 30 epochs, which differ in their first weights and the order of the examples; the rate is the
one with the least mean validation error of other members. There are 20 disjoint sets of 8 members.
C-138: at every k from 2 to 8 the ensemble of a set's first k must have a smaller test error than
one model, the mean of its 8 members (0.1 point matters); probabilities are averaged, the mean of
logits is drawn besides. As a control 8 copies of one model must gain nothing. Cross-entropy is
drawn, not judged: the mean of probabilities cannot have a larger one than its members' mean.

Command: python -m experiments --only do_independent_models_help      (CPU, about 60 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    converged,
    data_name,
    figure,
    interval,
    paired,
)
from experiments.lab import ensembles as runs
from jaxtricks import models, optimizers
from jaxtricks.averaging import ensemble_predictions

FIGURES = ()
CLAIMS = ("C-138",)
TIER = 2

MEMBERS = 8
AVERAGES = ("probabilities", "logits")
PLANS = {
    "C-138": Plan(
        effects={"points": 0.1},
        gates=("copies", "conv"),
        settings={"k": (2, MEMBERS), "floors": runs.FLOORS, "batch": runs.BATCH},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`limit`: of the training and validation examples together, and of the test's."""

    data_set: str = "mnist"
    limit: int = 5000
    hidden: int = 64
    epochs: int = 30
    rates: tuple[float, ...] = (0.4, 0.57, 0.8, 1.13, 1.6)
    seed: int = 25_138
    seeds: int = 20
    tuning_seeds: int = 5


SMOKE = Config(data_set="digits", limit=300, hidden=8, epochs=2, rates=(0.4,), seeds=3)
FULL = Config(limit=60_000, hidden=256)


def run(config: Config) -> dict[str, Any]:
    """Validation errors `[rate, seed]` of the tuning, and test results of every set `[seed, k]`."""
    sets = lab.split(config.data_set, config.limit, digits_test=0.3)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]
    rates = np.array(config.rates, np.float32)
    validation, tested = train(config, sets, tuning, rates, np.zeros(len(rates), int))
    errors = np.asarray(runs.error(validation, sets.validation["label"]))
    best = int(np.argmin(errors.mean(axis=1)))
    numbers = np.arange(MEMBERS)
    scores = train(config, sets, judged, np.full(MEMBERS, rates[best]), numbers)[1]
    twice = dataclasses.replace(config, epochs=2 * config.epochs)
    longer = train(twice, sets, tuning, rates[[best]], numbers[:1])[1][0]
    labels = sets.test["label"]
    copies = ensembles(np.repeat(scores[:1], MEMBERS, axis=0), labels)
    return {
        "data_set": sets.name,
        "examples": (len(sets.pool["label"]), len(labels)),
        "epochs": config.epochs,
        "rates": rates,
        "tuning errors": errors,
        "rate": rates[best],
        "baseline": runs.error(tested[best], labels),
        "doubled": runs.error(longer, labels),
        "copies": copies["member error"] - copies["probabilities error"],
        **ensembles(scores, labels),
    }


def train(
    config: Config, sets: lab.Images, keys: jax.Array, rates: np.ndarray, members: np.ndarray
) -> list[np.ndarray]:
    """Logits `[arm, key, example, class]` of the last weights, validation and test."""
    model = models.MLP((config.hidden, 10))

    def one(key: jax.Array, arm: Any, train: Any, *others: Any) -> list[jax.Array]:
        def look(state: Any) -> Any:
            return state.params

        ours = lab.trainer(model, optimizers.gradient_descent(arm["rate"]))
        key = jax.random.fold_in(key, arm["member"])
        init_key, run_key = jax.random.split(key)
        first = lab.first_variables(model, init_key, train)
        _, every = lab.train(
            ours, first, train, key=run_key, epochs=config.epochs, batch=runs.BATCH, look=look
        )
        last = jax.tree.map(lambda leaf: leaf[-1], every)
        return [runs.logits(model, last, some) for some in others]

    return lab.over(one, {"rate": rates, "member": members}, keys, sets[:3])


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
    effect = PLANS["C-138"].effects["points"]
    single, errors = results["member error"].mean(axis=1), results["probabilities error"]
    parts = [
        paired(
            f"test points that {k} models gain over one",
            single - errors[:, k - 1],
            effect=effect,
            claimed="up",
            panel="a",
        )
        for k in range(2, MEMBERS + 1)
    ]
    copies = float(np.abs(results["copies"]).max())
    longer = converged(results["baseline"], results["doubled"], effect=effect)
    floor = runs.FLOORS[results["data_set"]]
    gates = [
        Gate("copies", copies < 1e-6, f"copies of one model gain at most {copies:.1g} points"),
        Gate(
            "conv",
            longer.passed and single.mean() < floor,
            f"error of one model {single.mean():.2f} %, at most {floor:g} allowed; {longer.text}",
        ),
    ]
    train_size, test_size = results["examples"]
    scope = (
        f"{data_name(results['data_set'])}, {train_size:.0f} training and {test_size:.0f} test "
        "images of 14 x 14 pixels (digits 8 x 8), one hidden ReLU layer, plain SGD at rate "
        f"{results['rate']:g}, batch {runs.BATCH}, {results['epochs']:.0f} epochs, float32"
    )
    return [all_of("C-138", parts, scope=scope, gates=gates)]


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
