"""Do decaying schedules beat the best constant rate?

The lecture calls decay the common choice (002:523-526, and 002:548-580 for the later formulas).
Gradient descent on a 196-64-10 ReLU net, MNIST averaged to 14 x 14 (digits, 64-64-10, where MNIST
is not prepared), batches of 32. Constant, and seven shapes: /10 after each third; exponential and
1/t, both to a hundredth; cosine and straight line to 0; 1/sqrt(t); a residual network's /10 at 1/2
and 3/4. All have the same ten first rates to choose from, 0.03 to 15 by factors of 2, by the mean
validation loss of the same tuning seeds. Metric: test loss at the end on fresh seeds, constant
minus decaying; every shape must win.

Command: python -m experiments --only do_decaying_schedules_beat_the_best_constant_rate
(CPU, about 30 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import COLOURS, Arm, data_name, figure, interval, tune
from experiments.engine.before import Verdict, combine, paired
from experiments.lab import small_mlp as mlp
from jaxtricks import optimizers, schedules

CLAIMS = ("C-053",)
TIER = 2

RATES = 0.03 * 2.0 ** np.arange(10)
DECAYING = ("step", "exponential", "1/t", "cosine", "linear", "1/sqrt(t)", "residual")
KINDS = ("constant", *DECAYING)


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images; `steps`: of every run; `seeds`, and others to tune."""

    count: int = 5000
    steps: int = 1000
    seeds: int = 10
    tuning_seeds: int = 3


SMOKE = Config(count=300, steps=12, seeds=2, tuning_seeds=1)
FULL = Config(count=60_000, steps=20_000, seeds=20, tuning_seeds=5)


def shapes(steps: int) -> dict[str, schedules.Schedule]:
    """The schedules, each beginning at 1."""
    cuts = (steps // 2, 3 * steps // 4)
    return {
        "constant": schedules.constant(1.0),
        "step": schedules.step_decay(1.0, -(-steps // 3)),
        "exponential": schedules.exponential_decay(1.0, np.log(100) / steps),
        "1/t": schedules.inverse_time_decay(1.0, 99 / steps),
        "cosine": schedules.cosine_decay(1.0, steps),
        "linear": schedules.linear_decay(1.0, steps),
        "1/sqrt(t)": schedules.inverse_sqrt_decay(1.0),
        "residual": schedules.multistep_decay(1.0, cuts),
    }


@functools.partial(jax.jit, static_argnums=0)
def tables(steps: int) -> dict[str, jax.Array]:
    """Every schedule's values at all updates."""
    return {kind: jax.vmap(shape)(jnp.arange(steps)) for kind, shape in shapes(steps).items()}


def run(config: Config) -> dict[str, Any]:
    """Per schedule: validation losses [rate, tuning seed], the best rate, and the fresh tests."""
    *splits, name = lab.split("mnist", config.count)
    fit, held_back, test = (mlp.examples(split) for split in splits)
    sizes = (fit.x.shape[1], 64, 10)

    @jax.jit
    def trained(key: jax.Array, rates: jax.Array) -> dict[str, jax.Array]:
        tx = optimizers.gradient_descent(lambda count: rates[count])
        end = mlp.train(tx, key, fit, config.steps, sizes=sizes).params
        tested = {"loss": mlp.loss(end, test), "accuracy": mlp.accuracy(end, test)}
        return {"held back": mlp.loss(end, held_back), **tested}

    curves = {kind: np.asarray(curve) for kind, curve in tables(config.steps).items()}
    arms = {
        kind: Arm(trained, np.float32(RATES[:, None] * curve), lambda result: result["held back"])
        for kind, curve in curves.items()
    }
    found = tune(jax.random.key(0), arms, tuning_seeds=config.tuning_seeds, seeds=config.seeds)
    return {
        "data_set": name,
        "steps": config.steps,
        "curves": {kind: curve[:: max(config.steps // 100, 1)] for kind, curve in curves.items()},
        "best": {kind: arm.best for kind, arm in found.items()},
        "tuning": {kind: tuning_curve(arm.tuning) for kind, arm in found.items()},
        "tested": {
            kind: {key: arm.tested[key] for key in ("loss", "accuracy")}
            for kind, arm in found.items()
        },
    }


def tuning_curve(losses: np.ndarray) -> np.ndarray:
    """Means over the tuning seeds; 1000 stands for any larger loss and for NaN."""
    return np.where(losses < 1e3, losses, 1e3).mean(axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Every shape must have a smaller test loss than the best constant rate."""
    tested, best = results["tested"], results["best"]
    constant = tested["constant"]
    parts = []
    for kind in DECAYING:
        text = (
            f"{kind} from {RATES[best[kind]]:.2g} ends at {tested[kind]['loss'].mean():.3f} "
            f"(accuracy {tested[kind]['accuracy'].mean():.1%}), gain"
        )
        gain = constant["loss"] - tested[kind]["loss"]
        parts.append(paired("C-053", gain, text, claimed="positive"))
    verdict = combine("C-053", parts)
    text = (
        f"{results['data_set']}, {results['steps']} steps, test loss: constant "
        f"{RATES[best['constant']]:.2g} ends at {constant['loss'].mean():.3f} (accuracy "
        f"{constant['accuracy'].mean():.1%}); {verdict.measured}"
    )
    return [dataclasses.replace(verdict, measured=text)]


def draw(results: dict[str, Any]) -> Figure:
    """The tuned rates over the run, the tuning, and the tests."""
    fig, (curves, tuning, tests) = figure(1, 3, width=5.4, height=4.6)
    looks = [("grey", "--"), *((colour, "-") for colour in COLOURS[: len(DECAYING)])]
    for kind, (colour, line) in zip(KINDS, looks, strict=True):
        look = {"color": colour, "ls": line, "label": kind}
        curve = RATES[results["best"][kind]] * np.asarray(results["curves"][kind])
        curves.semilogy(np.linspace(0, results["steps"], len(curve)), curve, **look)
        tuning.loglog(RATES, results["tuning"][kind], marker="o", ms=3, **look)
    curves.set(xlabel="update", ylabel="learning rate", ylim=(1e-3, 3e3))
    curves.set_title("each with its best first rate")
    curves.legend(ncol=2, loc="upper right")
    lowest = min(values.min() for values in results["tuning"].values())
    tuning.set(xlabel="first learning rate", ylabel="validation loss / nats")
    tuning.set_ylim(0.85 * lowest, 3)
    tuning.set_yticks([0.2, 0.3, 0.5, 1, 2, 3], ["0.2", "0.3", "0.5", "1", "2", "3"])
    tuning.minorticks_off()
    tuning.set_title("tuning: equal trials")
    losses = [results["tested"][kind]["loss"] for kind in KINDS]
    for place, (colour, _) in enumerate(looks):
        mean, low, high = interval(losses[place])
        tests.errorbar(place, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, color=colour)
        shift = np.full(len(losses[place]), place + 0.25)
        tests.plot(shift, losses[place], ".", ms=3, color=colour, alpha=0.5)
    tests.axhline(np.mean(losses[0]), color="grey", ls=":", lw=1)
    tests.set_xticks(np.arange(len(KINDS)), KINDS, rotation=35, ha="right")
    tests.set(ylabel="test loss / nats")
    tests.set_title(f"{data_name(results['data_set'])}: mean and 95 % of {len(losses[0])} seeds")
    return fig
