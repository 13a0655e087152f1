"""Do standardised inputs train better?

The lecture (004:441): where features are distributed alike, an effective model is easier to train.
One hidden ReLU layer learns by plain SGD from pixels as they are (0 to 255), pixels from 0 to 1,
and pixels standardised, each by its own statistics of the training part; and from two tables whose
columns differ in range up to 100,000 times, as they are and standardised. Half of each data set
chooses the rates, one for each of the two measures, by five runs; the other half is judged. Every
run divides its half anew, two thirds to train and one to test. Batches have 32 images or one row of
a table, where more would reach the target at the first update. The measures are the updates until
the test error is at most a target, and the test error at the end. Targets and the distance between
two looks come from a pilot on other seeds.

Command: python -m experiments --only do_standardised_inputs_train_better
(CPU, about 70 s; MNIST halved in size where there is any, else digits)
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    data_name,
    figure,
    inside_grids,
    interval,
    mean,
    not_saturated,
    paired,
    repeat,
    under,
)
from experiments.preprocessing._halves import (
    IMAGES,
    STANDARDISED,
    TABLES,
    WAYS,
    Task,
    choose,
    chosen,
    racer,
    read_tasks,
    split_and_race,
)

CLAIMS = ("C-102",)
TIER = 2
EVERY = {IMAGES: 5, "breast cancer": 1, "wine": 1}  # updates
BATCH = {IMAGES: 32, "breast cancer": 1, "wine": 1}
TARGETS = {IMAGES: 25.0, "breast cancer": 10.0, "wine": 20.0}  # test error in percent
SOONER, FINAL = MEASURES = ("log10 of the updates", "final error")
PLANS = {
    "C-102": Plan(
        {SOONER: 0.1, FINAL: 0.3},
        gates=("tables", "nest", "sat"),
        settings={"targets in percent": TARGETS, "updates between looks": EVERY, "batch": BATCH},
        revised="tables in batches of 1: in batches of 32 most seeds reached the target at once",
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images; the rates are `trials` from `low` to `high`."""

    data_set: str = "mnist"
    count: int = 4000
    hidden: int = 64
    low: float = 1e-6
    high: float = 10.0
    trials: int = 15
    steps: int = 1600
    tuning_seeds: int = 5
    seeds: int = 10
    seed: int = 35_102


SMOKE = Config("digits", 200, hidden=8, trials=3, steps=20, tuning_seeds=1, seeds=2)
FULL = Config(count=60_000, trials=29, steps=6000, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """By task and way: errors of the trials while tuning, and of the chosen ones when judged."""
    found, name = read_tasks(config.data_set, config.count)
    rates = np.geomspace(config.low, config.high, config.trials).astype(np.float32)
    key = jax.random.key(config.seed)
    return {
        "data_set": name, "rates": rates, "steps": config.steps, "hidden": config.hidden,
        "tasks": {
            title: study(title, task, rates, jax.random.fold_in(key, i), config)
            for i, (title, task) in enumerate(found.items())
        },
    }  # fmt: skip


def study(
    title: str, task: Task, rates: np.ndarray, key: jax.Array, config: Config
) -> dict[str, Any]:
    """Tunes on one half of the examples and judges on the other."""
    half_key, tuning_key, test_key = jax.random.split(key, 3)
    places = np.asarray(jax.random.permutation(half_key, len(task.label)))
    tuning_half, half = np.array_split(places, 2)
    tuning_keys = jax.random.split(tuning_key, config.tuning_seeds)
    test_keys = jax.random.split(test_key, config.seeds)
    classes = int(task.label.max()) + 1
    race = racer(config.hidden, classes, steps=config.steps, every=EVERY[title], batch=BATCH[title])
    found = {}
    for name in task.ways:
        ours = functools.partial(split_and_race, race, task, WAYS[name])
        tuning = np.array(
            [repeat(functools.partial(ours, tuning_half), tuning_keys, rate) for rate in rates]
        )
        judged = functools.cache(
            lambda i, ours=ours: repeat(functools.partial(ours, half), test_keys, rates[i])
        )
        measures = {m: functools.partial(measure, m, title=title) for m in MEASURES}
        found[name] = {m: choose(tuning, judged, of) for m, of in measures.items()}
        if title == IMAGES:  # what is drawn
            found[name]["errors"] = judged(found[name][SOONER]["best"])
    return {"examples": len(half), "ways": found}


def measure(name: str, errors: np.ndarray, title: str) -> np.ndarray:
    """Of errors `[..., look]`: the last, or log10 of the updates until the target, at most all."""
    if name == FINAL:
        return errors[..., -1]
    reached = errors <= TARGETS[title]
    first = np.where(reached.any(axis=-1), np.argmax(reached, axis=-1) + 1, errors.shape[-1])
    return np.log10(first * EVERY[title])


def tuned(results: dict[str, Any], title: str, way: str, name: str) -> Tuned:
    """What one measure chose."""
    return chosen(results["tasks"][title]["ways"][way][name], results["rates"])


def compared(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Each task with each way that is not standardised."""
    pairs = [(title, way) for title, task in results["tasks"].items() for way in task["ways"]]
    return [(title, way) for title, way in pairs if way != STANDARDISED]


def difference(results: dict[str, Any], title: str, way: str, name: str) -> Estimate:
    """The measure of standardised inputs minus that of the others; the choice's luck counts."""
    own, other = (tuned(results, title, w, name) for w in (STANDARDISED, way))
    values = own.tested - other.tested
    return mean(values, choice_variance=choice_variance(np.subtract, own, other))


def title_of(results: dict[str, Any], title: str) -> str:
    return data_name(results["data_set"]) if title == IMAGES else title


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-102 if in every task standardised inputs are sooner at the target and end no worse."""
    effects, pairs = PLANS["C-102"].effects, compared(results)
    sooner, final = [], []
    for title, way in pairs:
        where = f"{title_of(results, title)}, standardised minus {way}"
        sooner.append(
            paired(
                f"log10 of the updates until {TARGETS[title]:g} % test error: {where}",
                difference(results, title, way, SOONER),
                effect=effects[SOONER],
                claimed="down",
                panel="b",
            )
        )
        final.append(
            under(
                f"test points lost at the end: {where}",
                difference(results, title, way, FINAL),
                effects[FINAL],
                panel="c",
            )
        )
    sizes = ", ".join(
        f"{title_of(results, title)} {task['examples']}" for title, task in results["tasks"].items()
    )
    return [
        all_of(
            "C-102",
            [*sooner, *final],
            scope=f"{sizes} examples, two thirds to train; one hidden layer of "
            f"{results['hidden']} ReLU units, {results['steps']} updates of SGD, batch "
            f"{BATCH[IMAGES]} (tables 1), float32",
            gates=gates(results),
            beside=[rates_line(results, title) for title in results["tasks"]],
        )
    ]


def gates(results: dict[str, Any]) -> list[Gate]:
    """Tables of unequal ranges are there, no rate is an end of the grid, and nothing saturates."""
    effects = PLANS["C-102"].effects
    found = {
        (title, way, name): tuned(results, title, way, name)
        for title, task in results["tasks"].items()
        for way in task["ways"]
        for name in MEASURES
    }
    inside = inside_grids({f"{t}, {w}, {m}": one for (t, w, m), one in found.items()})
    arms, bounds, steps = {}, set(), []
    for (title, way, name), one in found.items():
        if name == SOONER:
            every = EVERY[title]
            arms[f"{title}, {way}"] = one.tested
            bounds |= {np.log10(every), np.log10(results["steps"])}
            steps.append(np.log10(1 + every / 10**one.tested).mean())
    tables = sorted(set(results["tasks"]) & set(TABLES.values()))
    return [
        Gate("tables", len(tables) == len(TABLES), f"columns of unequal range: {tables}"),
        Gate("nest", inside.passed, f"other examples and seeds; {inside.text}"),
        not_saturated(arms, bounds=list(bounds), step=max(steps), effect=effects[SOONER]),
    ]


def rates_line(results: dict[str, Any], title: str) -> str:
    """The numbers behind the differences."""
    told = []
    for way in results["tasks"][title]["ways"]:
        first, last = (tuned(results, title, way, name) for name in MEASURES)
        told.append(
            f"{way} {10 ** first.tested.mean():.0f} updates at rate {first.trial:.2g}, "
            f"{last.tested.mean():.1f} % at the end at rate {last.trial:.2g}"
        )
    return f"{title_of(results, title)}: {'; '.join(told)}"


def draw(results: dict[str, Any]) -> Figure:
    """Test error on the images, and the judged differences of all tasks."""
    fig, (curves, sooner, final) = figure(1, 3, height=4.4)
    for (way, found), colour in zip(
        results["tasks"][IMAGES]["ways"].items(), COLOURS, strict=False
    ):
        errors = np.asarray(found["errors"])
        updates = EVERY[IMAGES] * (1 + np.arange(errors.shape[1]))
        rows = np.array([interval(column) for column in errors.T])
        label = f"{way}, rate {results['rates'][int(found[SOONER]['best'])]:.2g}"
        band(curves, updates, *rows.T, label=label, color=colour)
    curves.axhline(TARGETS[IMAGES], color="black", lw=1, ls=":", label="target")
    curves.set(xlabel="update", ylabel="test error / %", ylim=(0, 100), xscale="log")
    curves.set_title(f"{title_of(results, 'images')}, mean and 95 % of {len(errors)} seeds")
    curves.legend(loc="upper right")
    draw_differences(sooner, results, SOONER)
    sooner.set(title="Updates to the target: under 0, sooner")
    sooner.set(xlabel="log10 of standardised / other", ylabel="standardised against")
    draw_differences(final, results, FINAL)
    final.set(title="Error at the end: above 0, worse", xlabel="standardised minus other / points")
    final.set_yticklabels([])
    return fig


def draw_differences(axes: Axes, results: dict[str, Any], name: str) -> None:
    """Each comparison's interval; grey: what would not matter."""
    pairs = compared(results)
    for row, (title, way) in enumerate(pairs):
        found = difference(results, title, way, name)
        if not found.saturated:
            axes.plot([found.low, found.high], [row, row], color=COLOURS[0], lw=3)
        axes.plot(found.value, row, "o", color=COLOURS[0], ms=8)
    effect = PLANS["C-102"].effects[name]
    axes.axvspan(-effect, effect, color="grey", alpha=0.2, lw=0)
    axes.axvline(0, color="black", lw=1, ls=":")
    labels = [f"{title_of(results, title)},\n{way}" for title, way in pairs]
    axes.set_yticks(range(len(pairs)), labels)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
