"""Do the curves of a run tell what is wrong with it, and does it help to act on them?

002:1052 and 1078: plot the learning curves and take the measures that they ask for. Eight things
are made wrong on purpose in a ReLU network on 4,000 images of MNIST (14 x 14 pixels), 40 times
each, at a severity drawn at random. `tuning.diagnose` reads the curves; its first finding is the
diagnosis, and what it advises is done, up to three times as long as there is a finding. The rules
were written on runs on digits and on other runs on MNIST, and frozen before this one. C-148: over
half of the diagnoses must be right, and acting on them must gain test accuracy for each of the
eight.

Command: python -m experiments --only do_curves_tell_what_is_wrong      (CPU, about 20 min)
"""

import ast
import collections
import dataclasses
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    figure,
    finish,
    mean,
    paired,
    proportion,
    share,
)
from experiments.tuning._planted import CAUSES, CURVES, NONE, TRACED, Setting, act, learner, plant
from jaxtricks import training, tuning
from jaxtricks.tuning import _diagnose

FIGURES = ("F-081",)
CLAIMS = ("C-148",)
TIER = 3
NON_FINITE = ("pictured",)
RULES = "01abee321582fc21911ad054f1bf9f184c195e607aa72609faa624353000c689"  # source, when frozen
COMPUTED = "6851d54a5d350b239821ddca3c4935a5dd956e39a84ccb3af8c1cee1262baf56"  # by `frozen_rules`
PLANS = {
    "C-148": Plan(
        effects={"share": 0.5, "points": 0.5},
        gates=("healthy run", "rules frozen"),
        settings={
            "rules": RULES,
            "diagnosis": "the first finding; 'dead' is right where the rate is too high",
            "action": "what the finding advises, again while there is one, at most three times; "
            "the last run counts",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`right`: what the planted runs differ from; `seeds`: of each cause."""

    data_set: str = "mnist"
    right: Setting = Setting()
    seeds: int = 40
    rounds: int = 3
    seed: int = 148


SMOKE = Config(
    data_set="digits",
    right=Setting(hidden=(8,), epochs=5, examples=400),
    seeds=2,
    rounds=0,  # spares most programs
)
FULL = Config()


def frozen_rules() -> str:
    """The SHA-256 of what the rules compute: their source without docstrings and texts."""
    rules = ("diverged", "flat", "bad_start", "decayed_too_early", "overfit", "means", "plateau")
    source = "".join(bare(getattr(_diagnose, rule)) for rule in (*rules, "still_falling"))
    return hashlib.sha256(source.encode()).hexdigest()


def bare(function: Callable[..., Any]) -> str:
    """A function's source without comments and docstring, and with one text for all texts."""

    class Texts(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:  # noqa: N802
            return ast.Constant("text") if isinstance(node.value, str) else node

        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Constant:  # noqa: N802
            return ast.Constant("text")

    (definition,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(definition, ast.FunctionDef)
    definition.body = definition.body[1:]
    return ast.unparse(Texts().visit(definition))


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Diagnoses of every planted run, test accuracies after every round, and some curves."""
    images = lab.read(config.data_set, pool=50_000, validation=2000)
    shape = (1 + len(CAUSES), config.seeds)
    severities = np.random.default_rng(config.seed).uniform(size=shape)
    keys = jax.random.split(jax.random.key(config.seed), shape)
    found = finish(
        trials,
        {cause: place for place, cause in enumerate((NONE, *CAUSES))},
        lambda place: acted_on(config, images, place, severities[place], keys[place]),
    )
    every = [found[cause] for cause in (NONE, *CAUSES)]
    return {
        "first": [one["first"] for one in every],
        "accuracies": np.stack([one["accuracies"] for one in every], axis=1),
        "pictured": [one["pictured"] for one in every],
        "rules": frozen_rules(),
        "data_set": images.name,
    }


def acted_on(
    config: Config, images: lab.Images, place: int, severities: np.ndarray, keys: jax.Array
) -> dict[str, Any]:
    """The runs of one cause: first diagnoses, accuracies `[round, seed]`, and one run's curves."""
    cause = (NONE, *CAUSES)[place]
    settings = [plant(cause, u, config.right) for u in severities]
    curves = trained(settings, keys, images)
    last = first = [diagnosis(one) for one in curves]
    accuracies = [[one["test"] for one in curves]]
    for _ in range(config.rounds):
        settings = [act(found, one) for found, one in zip(last, settings, strict=True)]
        todo = [i for i, found in enumerate(last) if found != NONE]
        new = trained([settings[i] for i in todo], keys[np.array(todo, int)], images)
        ended = dict(zip(todo, new, strict=True))
        accuracies.append(
            [ended[i]["test"] if i in ended else old for i, old in enumerate(accuracies[-1])]
        )
        last = [diagnosis(ended[i]) if i in ended else NONE for i in range(len(last))]
    shown = curves[len(curves) // 2]
    return {
        "first": first,
        "accuracies": np.array(accuracies),
        "pictured": {name: shown[name] for name in ("train.loss", "validation.loss")},
    }


def trained(settings: list[Setting], keys: jax.Array, images: lab.Images) -> list[dict[str, Any]]:
    """The curves of these runs, those of one shape by one program."""
    groups: dict[Any, list[int]] = collections.defaultdict(list)
    for i, setting in enumerate(settings):
        groups[setting.shape].append(i)
    found: dict[int, dict[str, Any]] = {}
    for shape, rows in groups.items():
        traced = {k: np.array([getattr(settings[i], k) for i in rows], np.float32) for k in TRACED}
        out = training.train_population(
            learner(*shape), keys[np.array(rows)], traced, shared=(images[:3],)
        )
        for place, i in enumerate(rows):
            found[i] = {name: values[place] for name, values in out.items()}
    return [found[i] for i in range(len(settings))]


def diagnosis(curves: dict[str, Any]) -> str:
    """The name of the first finding."""
    found = tuning.diagnose({name: curves[name] for name in CURVES}, classes=10)
    return found[0].name if found else NONE


def right_diagnoses(results: dict[str, Any]) -> np.ndarray:
    """Whether each is right, `[cause, seed]`, the healthy runs first."""
    wanted = [{cause, "dead"} if cause == "rate too high" else {cause} for cause in (NONE, *CAUSES)]
    return np.array(
        [
            [name in names for name in row]
            for names, row in zip(wanted, results["first"], strict=True)
        ]
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if most diagnoses are right and acting on them helps, whatever was planted."""
    plan, right = PLANS["C-148"], right_diagnoses(results)
    gained = np.asarray(results["accuracies"])[-1] - np.asarray(results["accuracies"])[0]
    healthy = share(int(right[0].sum()), right[0].size)
    parts = [
        proportion(
            "share of right diagnoses over the eight causes",
            int(right[1:].sum()),
            right[1:].size,
            bound=plan.effects["share"],
            claimed="up",
            panel="j",
        )
    ]
    parts += [
        paired(
            f"{cause}: test points gained by acting",
            row,
            effect=plan.effects["points"],
            claimed="up",
            panel="k",
        )
        for cause, row in zip(CAUSES, gained[1:], strict=True)
    ]
    gates = [
        Gate(
            "healthy run",
            healthy.low > 0.5,
            f"{healthy.value:.0%} of the runs without a fault get no finding",
        ),
        Gate(
            "rules frozen",
            results["rules"] == plan.settings["rules"],
            "the rules are those of the plan",
        ),
    ]
    beside = [
        f"{cause}: {np.mean(row):.0%} diagnosed as that"
        for cause, row in zip((NONE, *CAUSES), right, strict=True)
    ]
    scope = (
        f"{right.shape[1]} runs of each, {data_name(results['data_set'])} (4,000 images of 14 x 14 "
        "pixels), ReLU networks with one to three hidden layers of 100 units, momentum 0.9, "
        "batches of 64, float32"
    )
    return [all_of("C-148", parts, scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """A gallery of one run of each cause, the table of diagnoses, and what acting gains."""
    fig, axes = figure(4, 3, width=4.6, height=3.2)
    names = ("healthy", *CAUSES)
    for one, name, curves, row in zip(
        axes, names, results["pictured"], results["first"], strict=False
    ):
        for part, colour in (("train", COLOURS[0]), ("validation", COLOURS[1])):
            losses = np.minimum(np.asarray(curves[f"{part}.loss"], float), 10)
            one.plot(1 + np.arange(len(losses)), losses, color=colour, marker=".", label=part)
        bad = ~np.isfinite(np.asarray(curves["train.loss"], float))
        if bad.any():
            one.set_xlim(0, len(bad))
            one.text(len(bad) / 2, 5, f"not finite from epoch {bad.argmax() + 1} on", ha="center")
        one.axhline(np.log(10), color="grey", lw=1, ls=":")
        said = row[len(row) // 2]
        one.set(title=f"{name}; said: {said}", xlabel="epoch", ylabel="loss / nats", ylim=0)
    axes[0].legend(title="dotted: ln 10")
    said = sorted({name for row in results["first"] for name in row}, key=order)
    counts = np.array([[row.count(name) for name in said] for row in results["first"]])
    table = axes[9]
    table.imshow(counts, cmap="Blues", vmax=1.5 * counts.max(), aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            table.text(j, i, str(count), ha="center", va="center", fontsize=9)
    table.set_xticks(range(len(said)), said, rotation=60, ha="right", fontsize=9)
    table.set_yticks(range(len(names)), names, fontsize=9)
    table.set(title=f"diagnoses of {counts.sum(axis=1)[0]} runs of each", xlabel="first finding")
    table.grid(False)
    gained = axes[10]
    rounds = np.asarray(results["accuracies"])
    for place, row in enumerate((rounds[-1] - rounds[0])[1:]):
        found = mean(row)
        ends = [[found.value - found.low], [found.high - found.value]]
        gained.errorbar(found.value, place, xerr=ends, fmt="o", color=COLOURS[2], capsize=4)
    gained.set_yticks(range(len(CAUSES)), CAUSES, fontsize=9)
    gained.invert_yaxis()
    gained.axvline(0, color="grey", lw=1)
    gained.set(title="gained by acting, mean and 95 %", xlabel="test accuracy / points")
    gained.set_xscale("symlog", linthresh=1)
    axes[11].remove()
    return fig


def order(name: str) -> int:
    """Places the findings like the causes in the table."""
    names = (NONE, *CAUSES)
    return names.index(name) if name in names else len(names)
