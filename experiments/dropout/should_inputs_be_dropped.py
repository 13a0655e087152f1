"""Does dropping more than a fifth of the inputs do harm?

004:746: for the input layer p should be 0.2 or less, since deleting input data affects training
adversely. A network of two hidden ReLU layers with dropout at 0.5, on a thousand images drawn anew
by each seed, with 0, 0.1, 0.2, 0.3 and 0.5 of the pixels dropped in training; eight rates each,
chosen by validation error on five other seeds, which also choose the best of 0, 0.1 and 0.2. C-082:
at 0.3 and at 0.5 the test error must be higher than at that best one (0.2 point matters).

Command: python -m experiments --only should_inputs_be_dropped      (CPU, about 4 min)
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
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
    paired,
)
from jaxtricks import training

CLAIMS = ("C-082",)
TIER = 3

ADVISED, HARMFUL = (0.0, 0.1, 0.2), (0.3, 0.5)
PLAIN = "no dropout at all"
PLANS = {
    "C-082": Plan(
        effects={"points": 0.2},
        gates=("fit", "conv", "nest"),
        settings={
            "advised": ADVISED,
            "harmful": HARMFUL,
            "choice": "rate, and the best of the advised ones, by validation error on tuning seeds",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: training images of a seed, drawn from `pool`; `drop`: of the hidden units."""

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 5000
    count: int = 1000
    hidden: tuple[int, ...] = (256, 256)
    drop: float = 0.5
    epochs: int = 60
    batch: int = 50
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
    seed: int = 56_082
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
    seeds=2,
)
FULL = Config(hidden=(1024, 1024), epochs=200, seeds=20)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for every input rate and without dropout, and the baseline again."""
    images = lab.read(config.data_set, pool=config.pool, validation=config.validation)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]
    program = learner(config)
    longer = learner(dataclasses.replace(config, epochs=2 * config.epochs))
    rates = np.array(config.rates, np.float32)

    def trials_of(inputs: float, hidden: float) -> dict[str, np.ndarray]:
        return {
            "rate": rates,
            "inputs": np.full(len(rates), inputs, np.float32),
            "hidden": np.full(len(rates), hidden, np.float32),
        }

    def tuned(of: dict[str, Any]) -> dict[str, Any]:
        return lab.tune(program, of, tuning=tuning, judged=judged, shared=images[:3])

    names = {f"{inputs:g}": trials_of(inputs, config.drop) for inputs in ADVISED + HARMFUL}
    arms = finish(trials, names | {PLAIN: trials_of(0.0, 0.0)}, tuned)
    chosen = {name: value[None] for name, value in lab.best(arms[PLAIN]).trial.items()}

    def repeated(settings: dict[str, Any]) -> dict[str, Any]:
        own = longer if settings["longer"] else program
        return {"error": lab.over(own, settings["trials"], tuning, images[:3])["test error"][0]}

    again = {
        name: {"longer": name == "doubled", "trials": chosen} for name in ("baseline", "doubled")
    }
    errors = finish(trials, again, repeated)
    return {
        "data_set": images.name,
        "test": len(images.test["label"]),
        "count": config.count,
        "hidden": config.hidden,
        "drop": config.drop,
        "epochs": config.epochs,
        "arms": arms,
        "baseline": errors["baseline"]["error"],
        "doubled": errors["doubled"]["error"],
    }


def learner(config: Config) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network, measured on all three sets."""

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, config.count)
        recipe = lab.large_fully_connected(
            config.hidden, inputs=trial["inputs"], units=trial["hidden"], limit=None
        )
        net, steps = recipe.model, config.epochs * (config.count // config.batch)
        ours = training.trainer(
            training.classification_loss(net),
            recipe.rule(trial["rate"], steps),
            diagnostics=False,
        )
        start = lab.first_variables(net, init_key, fit)
        options = {"epochs": config.epochs, "batch": config.batch}
        state, _ = lab.train(ours, start, fit, key=run_key, **options)
        sets = {"train": fit, "validation": validation, "test": test}
        return {
            f"{name} error": lab.measure(ours, ours.variables(state), some)["error"]
            for name, some in sets.items()
        }

    return run


def best_advised(results: dict[str, Any]) -> str:
    """The input rate up to 0.2 whose best trial has the least validation error when tuned."""
    losses = {
        name: np.min(np.mean(results["arms"][name]["losses"], axis=1))
        for name in map("{:g}".format, ADVISED)
    }
    return min(losses, key=losses.__getitem__)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Both harmful rates against the best of the advised ones."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    effect, best = PLANS["C-082"].effects["points"], best_advised(results)
    parts = [
        paired(
            f"test error at input rate {inputs:g} minus that at {best}, points",
            runs.difference(
                lambda more, less: more["test error"] - less["test error"],
                arms[f"{inputs:g}"],
                arms[best],
            ),
            effect=effect,
            claimed="up",
        )
        for inputs in HARMFUL
    ]
    gates = [
        runs.overfits(arms[PLAIN], least=5 * effect),
        converged(results["baseline"], results["doubled"], effect=effect),
        Gate("nest", None, "chosen on other seeds and other images; the choice is resampled"),
    ]
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} training images a seed and "
        f"{results['test']:.0f} test images of 14 x 14 pixels (digits 8 x 8), hidden ReLU layers "
        f"of {' and '.join(f'{n:.0f}' for n in results['hidden'])} with dropout at "
        f"{results['drop']:g}, momentum 0.9, rate falling to 0, {results['epochs']:.0f} epochs, "
        "float32"
    )
    return [all_of("C-082", parts, scope=scope, gates=gates)]


def draw(results: dict[str, Any]) -> Figure:
    """Errors against the share of the inputs that is dropped, and what that costs."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    fig, (left, right) = figure(1, 2, width=5.4, height=4.4)
    rates, best = np.array(ADVISED + HARMFUL), best_advised(results)
    for number, metric in enumerate(("test error", "train error")):
        rows = np.array([interval(arms[f"{rate:g}"].tested[metric]) for rate in rates])
        label = metric.replace("train ", "training ")
        band(left, rates, *rows.T, color=COLOURS[number], marker="os"[number], label=label)
    left.set(xlabel="drop rate of the inputs", ylabel="error / %", ylim=(0, None))
    left.legend(loc="center left")
    name, seeds = data_name(results["data_set"]), len(arms[best].tested["test error"])
    left.set_title(f"{name}, {results['count']:.0f} images; mean and 95 % of {seeds} seeds")
    for rate in rates:
        if f"{rate:g}" == best:
            right.plot(rate, 0, "D", color="black", label="best of 0, 0.1 and 0.2")
            continue
        change = runs.difference(
            lambda more, less: more["test error"] - less["test error"],
            arms[f"{rate:g}"],
            arms[best],
        )
        ends = [[change.value - change.low], [change.high - change.value]]
        right.errorbar(rate, change.value, ends, fmt="o", capsize=4, color=COLOURS[0])
    right.axhline(0, color="black", lw=0.8)
    effect = PLANS["C-082"].effects["points"]
    right.axhspan(-effect, effect, color="0.85", lw=0, label=f"{effect:g} point to each side")
    right.set(xlabel="drop rate of the inputs", ylabel="test error over the best / points")
    right.set_title("The same seeds; mean difference and 95 %")
    right.legend(loc="upper left")
    return fig
