"""Does a good learning rate show within 100 updates?

002:992-994: with a very small weight decay, search for a rate at which the loss falls quickly,
within 100 updates; try 0.1, 0.01, 0.001 and 0.0001. `tuning.find_learning_rate` trains for 100
updates at each rate of a grid and takes that with the least loss. All rates are also trained to the
end, falling to 0 along half a cosine. Every seed draws its own images of digits, MNIST and
CIFAR-10. C-145: on each task the rate that is chosen so must lose less than 0.5 point of test error
to the best rate, which is chosen by validation error on other seeds. A rate drawn at random from
the grid must lose more.

Command: python -m experiments --only does_a_good_rate_show_within_100_updates
(CPU, about 40 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Tuned,
    Verdict,
    all_of,
    band,
    choice_variance,
    choose,
    data_name,
    figure,
    finish,
    interval,
    mean,
    ordered,
    under,
)
from experiments.tuning import _tasks as tasks
from experiments.tuning._tasks import SMALL_TASKS, TASKS, Task
from jaxtricks import tuning

FIGURES = ("F-077",)
CLAIMS = ("C-145",)
TIER = 3
PLANS = {
    "C-145": Plan(
        effects={"points": 0.5},
        gates=("random choice loses more", "nest", "edge", "floor"),
        settings={
            "floors": tasks.FLOORS,
            "choice": "least mean loss of the updates 91 to 100, by tuning.find_learning_rate",
            "best": "rate of the grid by validation error on tuning seeds, resampled 200 times",
            "random": "mean test error over all rates of the grid",
        },
    )
}
NOTED = (0.0001, 0.001, 0.01, 0.1)  # what the notes would try
SHORT, SWEEP, RANDOM = WAYS = ("100 updates", "one sweep", "at random")


@dataclasses.dataclass(frozen=True)
class Config:
    """`updates`: of the short runs; `seeds`: of each task."""

    tasks: tuple[Task, ...] = TASKS
    updates: int = 100
    seed: int = 145
    seeds: tuple[int, ...] = (40, 20, 10)
    tuning_seeds: int = 5


SMOKE = Config(tasks=SMALL_TASKS, updates=30, seeds=(2,), tuning_seeds=1)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What every seed found, and the validation errors that choose the best rate, by task."""
    most = max(config.seeds)
    keys = jax.random.split(jax.random.key(config.seed), most + config.tuning_seeds)
    own, others = keys[:most], keys[most:]

    def one(task: Task, key: jax.Array) -> dict[str, Any]:
        return explored(config, task, key)

    every = tasks.by_seed(trials, config.tasks, config.seeds, own, one)
    numbers = {f"{task.data_set}, tuning": i for i, task in enumerate(config.tasks)}

    def validated(number: int) -> dict[str, Any]:
        task = config.tasks[number]
        return tasks.trained(task, others, task.rates, attempt=tasks.FINAL)

    tuned = finish(trials, numbers, validated)
    for found, errors in zip(every.values(), tuned.values(), strict=True):
        found["tuning"] = errors["validation"]
    data_set = every[config.tasks[-1].data_set]["data_set"]
    return {"data_set": data_set, "tasks": every}


def explored(config: Config, task: Task, key: jax.Array) -> dict[str, Any]:
    """What short runs say of the rates, and the test errors of whole ones, of one seed.

    `losses` are of the rates of the notes; the last test error is that of the sweep's rate.
    """
    fitting, examples, _ = tasks.read(task)
    fit = tasks.divide(key, fitting, examples)[0]
    start_key, order_key = jax.random.split(jax.random.fold_in(key, tasks.SEARCH))
    start = jax.jit(task.start)(start_key, fit["image"])
    options = {"key": order_key, "updates": config.updates, "batch_size": task.batch}
    found, noted = (
        tuning.find_learning_rate(task.trainer, start, fit, rates=rates, **options)
        for rates in (task.rates, NOTED)
    )
    ends = {"low": task.rates[0], "high": task.rates[-1]}
    swept = tuning.sweep_learning_rate(task.trainer, start, fit, **ends, **options)
    rates = [*task.rates, swept.best]
    return {
        "chosen": task.rates.index(found.best),
        "swept": swept.best,
        "scores": bounded(found.scores),
        "losses": np.round(bounded(noted.losses), 3),  # for the picture
        "test": tasks.trained(task, key[None], rates, attempt=tasks.FINAL)["test"][:, 0],
    }


def bounded(losses: np.ndarray) -> np.ndarray:
    """With 100 for any larger loss and for NaN."""
    return np.where(losses < 100, losses, 100.0)


def best(results: dict[str, Any], name: str) -> Tuned:
    """The best rate of a task, with its test errors."""
    found = results["tasks"][name]
    return choose(found["tuning"], found["rates"], lambda place: found["test"][:, place], name=name)


def errors_by(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """Test errors of every seed, by the way in which the rate is chosen."""
    grid = found["test"][:, :-1]
    chosen = np.take_along_axis(grid, found["chosen"].astype(int)[:, None], axis=1)[:, 0]
    return {SHORT: chosen, SWEEP: found["test"][:, -1], RANDOM: grid.mean(axis=1)}


def lost(results: dict[str, Any], name: str, way: str) -> Estimate:
    """Points of test error lost to the best rate; the luck of its choice is in the variance."""
    errors, rate = errors_by(results["tasks"][name])[way], best(results, name)
    variance = choice_variance(lambda tested: errors - tested, rate)
    return mean(errors - rate.tested, choice_variance=variance)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What the rate that 100 updates choose loses on each task."""
    effect, every = PLANS["C-145"].effects["points"], results["tasks"]
    parts = [
        under(
            f"{data_name(found['data_set'])}: points of test error lost by the choice of {SHORT}",
            lost(results, name, SHORT),
            effect,
            panel="f",
        )
        for name, found in every.items()
    ]
    beside = [f"{name}: {told(results, name)}" for name in every]
    return [all_of("C-145", parts, scope=tasks.scope(every), gates=gates(results), beside=beside)]


def gates(results: dict[str, Any]) -> list[Gate]:
    """A random rate is worse, the grid is wide enough, and the networks are good ones."""
    worse, edges, floors = [], [], []
    for name, found in results["tasks"].items():
        errors, rate = errors_by(found), best(results, name)
        more, low, high = interval(errors[RANDOM] - errors[SHORT])
        worse.append((low > 0, f"{name} {more:.3g} [{low:.3g}, {high:.3g}]"))
        error = float(np.mean(rate.tested))
        floors.append((error <= tasks.FLOORS[name], f"{name} {error:.2f} %"))
        edges.append(tasks.inside(name, [rate.best, *found["chosen"]], found["rates"]))
    return [
        tasks.together("random choice loses more", worse, "points more than by 100 updates: "),
        Gate("nest", None, "the best rate is chosen on other seeds, and its choice resampled"),
        tasks.together("edge", edges, "chosen rates: "),
        tasks.together("floor", floors, "test error of the best rate: "),
    ]


def told(results: dict[str, Any], name: str) -> str:
    """What is not judged: the rates, what other ways lose, and how well 100 updates rank."""
    found = results["tasks"][name]
    chosen = found["rates"][found["chosen"].astype(int)]
    words = [
        f"the best rate is {float(best(results, name).trial):g}",
        f"{SHORT} choose {chosen.min():g} to {chosen.max():g}",
        f"{SWEEP} chooses {found['swept'].min():.2g} to {found['swept'].max():.2g}",
    ]
    for way in (SWEEP, RANDOM):
        points = lost(results, name, way)
        words.append(f"{way} {points.value:.2f} [{points.low:.2f}, {points.high:.2f}] are lost")
    pairs = zip(found["scores"], found["test"][:, :-1], strict=True)
    ranks = [stats.spearmanr(*pair).statistic for pair in pairs]
    spread = f"{np.mean(ranks):.2f} ({min(ranks):.2f} to {max(ranks):.2f})"
    return "; ".join([*words, f"Spearman of the loss then and the test error at the end {spread}"])


def draw(results: dict[str, Any]) -> Figure:
    """Losses at the rates of the notes; losses then and errors at the end; what is lost."""
    every = results["tasks"]
    fig, axes = figure(2, 3, width=5.2, height=4.2)
    for panel, found in zip(axes, every.values(), strict=False):
        draw_losses(panel, found)
    for number, found in enumerate(every.values()):
        look = {"color": COLOURS[number], "marker": tasks.MARKERS[number]}
        for panel, values in ((axes[3], found["scores"]), (axes[4], found["test"][:, :-1])):
            rows = np.array([interval(column) for column in values.T])
            band(panel, found["rates"], *rows.T, label=data_name(found["data_set"]), **look)
    axes[3].set(ylabel="loss after 100 updates / nats", ylim=(0.05, 40))
    axes[4].set(ylabel="test error at the end / %", ylim=(1, 900))
    for panel in axes[3:5]:
        panel.set(xscale="log", yscale="log", xlabel="learning rate")
        panel.set_title("mean and 95 % of the same seeds")
        panel.legend(loc="upper left")
    ways = {way: [lost(results, name, way) for name in every] for way in WAYS}
    tasks.draw_lost(axes[5], every, ways, effect=PLANS["C-145"].effects["points"], look=3)
    axes[5].set_yscale("symlog", linthresh=2)
    axes[5].set_yticks([-1, 0, 1, 2, 5, 10, 20, 50], ["-1", "0", "1", "2", "5", "10", "20", "50"])
    axes[5].set(ylim=(-2, 500), title="mean and 95 % of seeds and of the choice")
    axes[5].legend(title="rate chosen by", loc="upper left", ncols=2)
    return fig


def draw_losses(axes: Axes, found: dict[str, Any]) -> None:
    """Losses of the updates, mean and interval over the seeds."""
    seeds, _, updates = found["losses"].shape
    for number, rate in reversed(list(enumerate(NOTED))):
        rows = np.array([interval(column) for column in found["losses"][:, number].T])
        band(axes, range(updates), *rows.T, color=ordered("learning rate", rate), label=f"{rate:g}")
    axes.set(xlabel="update", ylabel="loss of the batch / nats", ylim=(0, 3.6))
    axes.set_title(f"{data_name(found['data_set'])}: mean and 95 % of {seeds} seeds")
    axes.legend(title="learning rate", loc="upper right", ncols=4)
