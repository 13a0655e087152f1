"""Is dropout an approximate ensemble at low cost?

004:729. An ensemble of eight networks, the mean of their probabilities, is compared with one
network that was trained with dropout at 0.5 and is used once, all units present. Two hidden ReLU
layers; a training set drawn anew by each seed, which its eight members and the dropout net share;
the rates of both kinds chosen by validation error on five other seeds. C-080: the dropout net's
test error must be lower than one plain net's (the mean of the eight), at most 0.3 point over the
ensemble's, and its CPU time for training and test at most half of the ensemble's. The mean over
sampled masks (Monte-Carlo dropout) is drawn, not judged.

Command: python -m experiments --only is_dropout_a_cheap_ensemble      (CPU, about 5 min)
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.dropout import _runs as runs
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
    finish,
    interval,
    mean,
    paired,
    under,
)
from jaxtricks.averaging import ensemble_predictions, monte_carlo_predictions

CLAIMS = ("C-080",)
TIER = 3

MEMBERS = 8
PLANS = {
    "C-080": Plan(
        effects={"points": 0.3, "share of the time": 0.5},
        gates=("fit", "conv", "nest"),
        settings={
            "members": MEMBERS,
            "choice": "by validation error on tuning seeds, resampled 200 times",
            "time": "CPU seconds of training and test in compiled programs, both kinds one by one",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: training images of a seed; `samples`: masks of the Monte-Carlo means."""

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 5000
    count: int = 1000
    hidden: tuple[int, ...] = (256, 256)
    epochs: int = 60
    batch: int = 50
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
    drop: float = 0.5
    samples: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    seed: int = 36_080
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits",
    pool=800,
    validation=200,
    count=200,
    hidden=(8, 8),
    epochs=2,
    rates=(0.04, 0.08),
    samples=(1, 2),
    seeds=2,
)
FULL = Config(hidden=(1024, 1024), epochs=200, seeds=20)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for both kinds, the baseline at twice the updates, and CPU seconds."""
    images = lab.read(config.data_set, pool=config.pool, validation=config.validation)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]
    twice = dataclasses.replace(config, epochs=2 * config.epochs)
    single, longer = one_net(config), one_net(twice)
    judges = {"one": several(config, MEMBERS), "drop": several(config, 1)}
    kinds = {"one": runs.trial(config.rates), "drop": runs.trial(config.rates, drop=config.drop)}
    options = {"tuning": tuning, "judged": judged, "shared": images[:3]}

    def tuned(arm: dict[str, Any]) -> dict[str, Any]:
        return lab.tune(single, arm["trials"], judge=judges[arm["kind"]], **options)

    arms = finish(trials, {k: {"kind": k, "trials": of} for k, of in kinds.items()}, tuned)
    chosen = {
        kind: {name: value[None] for name, value in lab.best(arm).trial.items()}
        for kind, arm in arms.items()
    }

    def repeated(arm: dict[str, Any]) -> dict[str, Any]:
        program = longer if arm["longer"] else single
        return {"error": lab.over(program, arm["trials"], tuning, images[:3])["test error"][0]}

    errors = finish(
        trials,
        {
            name: {"longer": longer, "trials": chosen["one"]}
            for name, longer in (("baseline", False), ("doubled", True))
        },
        repeated,
    )
    rates = {kind: float(trial["rate"][0]) for kind, trial in chosen.items()}
    seconds = finish(
        trials, {"seconds": rates}, lambda rates: clocks(config, rates, judged, images)
    )["seconds"]
    return {
        "data_set": images.name,
        "test": len(images.test["label"]),
        "count": config.count,
        "hidden": config.hidden,
        "epochs": config.epochs,
        "drop": config.drop,
        "samples": config.samples,
        "arms": arms,
        "baseline": errors["baseline"]["error"],
        "doubled": errors["doubled"]["error"],
        "seconds": seconds,
    }


def one_net(config: Config) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network, measured on all three sets."""

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, *keys = jax.random.split(key, 4)
        return fitted(config, keys, trial, lab.subset(set_key, pool, config.count)).measured(
            validation, test
        )

    return run


def several(config: Config, members: int) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of some networks on one training set: errors `[member]`, those of the mean of
    the first k's probabilities, and, of one network, of means over sampled masks `[samples]`."""

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, member_key = jax.random.split(key)
        fit = lab.subset(set_key, pool, config.count)
        images, label = jnp.float32(test["image"]) / 255, jnp.asarray(test["label"])

        def member(key: jax.Array) -> dict[str, Any]:
            learned = fitted(config, jax.random.split(key, 3), trial, fit)
            logits = learned.net.apply(learned.variables, images, train=False)
            found = learned.measured(validation, test)
            if members == 1:
                means = [masks_mean(learned, images, samples) for samples in config.samples]
                found["sampled"] = jnp.array([wrong(mean, label) for mean in means])
            return {"logits": logits, **found}

        every = jax.lax.map(member, jax.random.split(member_key, members))
        logits = every.pop("logits")
        means = [
            wrong(ensemble_predictions(logits, weights=weights), label)
            for weights in jnp.tri(members)
        ]
        found = {name: jnp.mean(values, axis=0) for name, values in every.items()}
        return found | {"ensemble": jnp.array(means)}

    return run


def fitted(config: Config, keys: Any, trial: Any, fit: Any) -> runs.Learned:
    """One trained network."""
    options = {"hidden": config.hidden, "epochs": config.epochs, "batch": config.batch}
    return runs.learn(keys, trial, fit, **options)


def masks_mean(learned: runs.Learned, images: jax.Array, samples: int) -> jax.Array:
    """Probabilities averaged over so many sampled masks."""

    def apply(key: jax.Array, variables: Any, images: jax.Array) -> jax.Array:
        return learned.net.apply(variables, images, train=True, rngs={"dropout": key})

    found = monte_carlo_predictions(learned.key, apply, learned.variables, images, samples=samples)
    return found.arithmetic


def wrong(scores: jax.Array, label: jax.Array) -> jax.Array:
    """Error in percent."""
    return 100 * jnp.mean(jnp.argmax(scores, axis=-1) != label)


def clocks(
    config: Config, rates: dict[str, float], keys: jax.Array, images: lab.Images
) -> dict[str, list[float]]:
    """CPU seconds of training and testing one dropout net and eight plain ones, by seed."""

    def program(drop: float) -> Callable[..., Any]:
        def run(key: jax.Array, rate: Any, pool: Any, validation: Any, test: Any) -> Any:
            del validation
            set_key, *keys = jax.random.split(key, 4)
            fit = lab.subset(set_key, pool, config.count)
            learned = fitted(config, keys, {"rate": rate, "drop": drop, "l1": 0.0, "l2": 0.0}, fit)
            return lab.measure(learned.ours, learned.variables, test)["error"]

        return run

    plans = {"one": (program(0.0), MEMBERS), "drop": (program(config.drop), 1)}
    seconds: dict[str, list[float]] = {kind: [] for kind in plans}
    for round_, key in enumerate([keys[0], *keys]):
        for kind, (run, members) in plans.items():
            own = jax.random.split(key, members)
            start = time.process_time()
            lab.over(run, np.float32([rates[kind]]), own, images[:3])
            if round_:  # the first compiles
                seconds[kind].append(time.process_time() - start)
    return seconds


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Against one net, against eight, and the cost."""
    effects = PLANS["C-080"].effects
    one, drop = (lab.best(results["arms"][kind], name=kind) for kind in ("one", "drop"))
    better = runs.difference(lambda d, o: d["test error"] - o["test error"], drop, one)
    behind = runs.difference(lambda d, o: d["test error"] - o["ensemble"][:, -1], drop, one)
    clocks = {kind: np.asarray(values) for kind, values in results["seconds"].items()}
    parts = [
        paired(
            "test error of dropout minus one net's, points",
            better,
            effect=effects["points"],
            claimed="down",
            panel="a",
        ),
        under(
            f"test error of dropout minus that of {MEMBERS} nets, points",
            behind,
            effects["points"],
            panel="a",
        ),
        under(
            f"CPU time of dropout over that of {MEMBERS} nets",
            mean(clocks["drop"] / clocks["one"]),
            effects["share of the time"],
        ),
    ]
    gates = [
        runs.overfits(one, least=5 * effects["points"]),
        converged(results["baseline"], results["doubled"], effect=effects["points"]),
        Gate("nest", None, "chosen on other seeds and other images; the choice is resampled"),
    ]
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} training images a seed and "
        f"{results['test']:.0f} test images of 14 x 14 pixels (digits 8 x 8), hidden ReLU layers "
        f"of {' and '.join(f'{n:.0f}' for n in results['hidden'])}, dropout {results['drop']:g}, "
        f"momentum 0.9, rate falling to 0, {results['epochs']:.0f} epochs, float32"
    )
    sampled = float(np.mean(drop.tested["sampled"][:, -1]))
    beside = [f"mean over {results['samples'][-1]:.0f} sampled masks: test error {sampled:.2f} %"]
    return [all_of("C-080", parts, scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Errors against the number of networks, or of masks; and CPU seconds."""
    one, drop = (lab.best(results["arms"][kind], name=kind) for kind in ("one", "drop"))
    fig, (errors, cost) = figure(1, 2, width=5.6, height=4.6)
    samples = np.asarray(results["samples"])
    for number, (label, x, values) in enumerate(
        (
            ("ensemble of so many nets", 1 + np.arange(MEMBERS), one.tested["ensemble"]),
            ("dropout, mean over so many masks", samples, drop.tested["sampled"]),
        )
    ):
        rows = np.array([interval(column) for column in values.T])
        band(errors, x, *rows.T, color=COLOURS[number], marker="os"[number], label=label)
    centre, low, high = interval(drop.tested["test error"])
    errors.axhline(centre, color=COLOURS[2], ls="--", label="dropout, all units, once")
    errors.axhspan(low, high, color=COLOURS[2], alpha=0.15, lw=0)
    errors.set_xscale("log", base=2)
    errors.set(xlabel="networks, or masks", ylabel="test error / %")
    errors.legend()
    seeds = len(drop.tested["test error"])
    name = data_name(results["data_set"])
    errors.set_title(f"{name}, {results['count']:.0f} images; mean and 95 % of {seeds} seeds")
    bars = {f"{MEMBERS} nets": "one", "dropout": "drop"}
    for place, kind in enumerate(bars.values()):
        seconds = results["seconds"][kind]
        cost.bar(place, np.mean(seconds), color=COLOURS[2 * place], width=0.6)
        cost.plot(np.full(len(seconds), place), seconds, ".", color="black", ms=5)
    cost.set_xticks(range(2), bars)
    cost.set(ylabel="CPU time of training and test / s")
    cost.set_title(f"{len(seconds)} clocks")
    return fig
