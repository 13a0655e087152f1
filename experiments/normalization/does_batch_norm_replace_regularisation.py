"""Does batch norm lessen the need for dropout and L2?

The lecture (004:533). A ReLU network on 1,000 images of MNIST averaged to 14 x 14, drawn anew by
each seed, a fifth of them with random labels, with batch norm and without; with dropout, with L2,
and with neither. In the pilots L2 gained nothing without such labels, and then batch norm cannot
lessen it. For each of the six the learning rate, and the drop rate or the strength of L2, are the
best of 24 random draws, by validation error on other seeds. C-108: dropout must lower the test
error by more points without batch norm than with it, and so must L2 (0.3 point matters). Both must
gain 0.5 point or more without batch norm. That both networks are good ones shows on 4,000 images
with right labels, after which they must get 93 % of the test right.

Command: python -m experiments --only does_batch_norm_replace_regularisation    (CPU, about 25 min)
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Tuned,
    Verdict,
    all_of,
    choice_variance,
    converged,
    data_name,
    figure,
    finish,
    mean,
    paired,
)
from jaxtricks import models, optimizers, training

CLAIMS = ("C-108",)
TIER = 3

BLOCKS = {"without batch norm": models.dense_block, "batch norm": models.batch_norm_block}
PLAIN, NORMED = NETS = tuple(BLOCKS)
NEITHER, DROPOUT, L2 = KINDS = ("neither", "dropout", "L2")
FITTED, FLOOR = 0.5, 7.0  # errors in percent, at most: of training, and of the test (many images)
PLANS = {
    "C-108": Plan(
        effects={"points": 0.3},
        gates=("fit", "pos", "nest", "conv"),
        settings={
            "fit": {"training error": FITTED, "gap": "5 times the smallest effect", "of": NETS},
            "pos": 0.5,
            "conv": "of both networks without a regulariser",
            "floor": {
                "test error": FLOOR,
                "of": "both without a regulariser, on `many` images without noise",
            },
            "choice": "best random draw by validation error on tuning seeds, resampled 200 times",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: training images, of which a share `noise` has random labels; `many`: those, without
    such labels, with which the networks must reach the floor; `rates`, `drops` and `strengths`:
    ends of the ranges from which the `trials` of every arm are drawn.
    """

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 5000
    test: int = 10_000
    count: int = 1000
    noise: float = 0.2
    many: int = 4000
    hidden: tuple[int, ...] = (128, 128)
    epochs: int = 200
    batch: int = 50
    trials: int = 24
    rates: tuple[float, float] = (0.02, 0.5)
    drops: tuple[float, float] = (0.1, 0.9)
    strengths: tuple[float, float] = (1e-4, 0.1)
    seed: int = 28_108
    seeds: int = 20
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits",
    count=40,
    many=100,
    hidden=(8,),
    epochs=1,
    batch=20,
    trials=3,
    seeds=2,
)
FULL = Config(hidden=(1024, 1024), trials=48)


def draws(config: Config, kind: str) -> dict[str, np.ndarray]:
    """Rates and strengths on a logarithmic scale, drop rates on a linear one, at random.

    Every arm has them at the same places of the ranges.
    """
    first, second = np.random.default_rng(0).random((2, config.trials))

    def between(ends: tuple[float, float], places: np.ndarray) -> np.ndarray:
        return np.asarray(ends[0] * (ends[1] / ends[0]) ** places, np.float32)

    low, high = config.drops
    nothing = np.zeros(config.trials, np.float32)
    return {
        "rate": between(config.rates, first),
        "drop": np.asarray(low + (high - low) * second, np.float32) if kind == DROPOUT else nothing,
        "l2": between(config.strengths, second) if kind == L2 else nothing,
    }


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for the six, and controls of both networks without a regulariser."""
    images = lab.read(
        config.data_set, pool=config.pool, validation=config.validation, test=config.test
    )
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]

    def tuned(arm: list[str]) -> dict[str, Any]:
        net, kind = arm
        one, drawn = learner(config, net), draws(config, kind)
        tried = lab.over(one, drawn, tuning, images[:3])
        losses = np.asarray(tried["validation error"], np.float64)
        found = lab.tested(one, drawn, losses, judged=judged, shared=images[:3])
        return {**found, "tuning": tried["test error"][lab.best(found).best]}

    arms = {f"{net}, {kind}": [net, kind] for net in NETS for kind in KINDS}
    found = finish(trials, arms, tuned)

    def controls(net: str) -> dict[str, Any]:
        drawn = {k: v[None] for k, v in lab.best(found[f"{net}, {NEITHER}"]).trial.items()}
        longer = learner(config, net, times=2)
        larger = learner(dataclasses.replace(config, count=config.many, noise=0.0), net)
        return {
            name: lab.over(program, drawn, tuning, images[:3])["test error"][0]
            for name, program in (("doubled", longer), ("many", larger))
        }

    controlled = finish(trials, {f"{net}, controls": net for net in NETS}, controls)
    return {
        "data_set": images.name,
        "images": config.count,
        "noise": config.noise,
        "hidden": config.hidden,
        "epochs": config.epochs,
        "batch": config.batch,
        "arms": found,
        "controls": {net: controlled[f"{net}, controls"] for net in NETS},
    }


@functools.cache
def learner(config: Config, net: str, *, times: int = 1) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one of the two networks, with `times` the epochs: errors on three sets."""
    epochs = times * config.epochs
    steps = epochs * (config.count // config.batch)

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, config.count, noise=config.noise)
        model = models.MLP((*config.hidden, 10), dropout_rates=trial["drop"], block=BLOCKS[net])
        rule = optax.chain(
            optimizers.add_l2(trial["l2"], mask=optimizers.weights_only),
            lab.momentum_to_zero(trial["rate"], steps=steps),
        )
        ours = training.trainer(training.classification_loss(model), rule, diagnostics=False)
        start = model.init(init_key, jnp.zeros((1, *fit["image"].shape[1:])), train=False)
        state, _ = lab.train(ours, start, fit, key=run_key, epochs=epochs, batch=config.batch)
        sets = {"train": fit, "validation": validation, "test": test}
        return {
            f"{name} error": lab.measure(ours, ours.variables(state), some)["error"]
            for name, some in sets.items()
        }

    return run


def best(results: dict[str, Any], net: str, kind: str) -> Tuned:
    """The best draw of one of the six, with its errors."""
    return lab.best(results["arms"][f"{net}, {kind}"], name=f"{net}, {kind}")


def gain(results: dict[str, Any], net: str, kind: str) -> Estimate:
    """Points by which a regulariser lowers the test error of one network."""

    def points(neither: Any, own: Any) -> np.ndarray:
        return neither["test error"] - own["test error"]

    return estimate(points, best(results, net, NEITHER), best(results, net, kind))


def less(results: dict[str, Any], kind: str) -> Estimate:
    """Points that a regulariser gains without batch norm minus those that it gains with it."""

    def points(neither: Any, own: Any, normed: Any, both: Any) -> np.ndarray:
        plain = neither["test error"] - own["test error"]
        return plain - (normed["test error"] - both["test error"])

    arms = [best(results, net, one) for net in NETS for one in (NEITHER, kind)]
    return estimate(points, *arms)


def estimate(points: Callable[..., np.ndarray], *arms: Tuned) -> Estimate:
    """The mean over the judged seeds, with the luck of the choices in its variance."""
    values = points(*(arm.tested for arm in arms))
    return mean(values, choice_variance=choice_variance(points, *arms))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """How much less each regulariser gains with batch norm."""
    parts = [
        paired(
            f"points of test error that {kind} gains without batch norm minus with it",
            less(results, kind),
            effect=PLANS["C-108"].effects["points"],
            claimed="up",
            panel="b",
        )
        for kind in (DROPOUT, L2)
    ]
    hidden = " and ".join(f"{units:.0f}" for units in results["hidden"])
    scope = (
        f"{data_name(results['data_set'])} ({results['images']:,.0f} training images of 14 x 14 "
        f"pixels, digits 8 x 8, {100 * results['noise']:.0f} % with random labels), hidden layers "
        f"of {hidden} rectifiers, momentum 0.9, rate falling to 0, {results['epochs']:.0f} epochs, "
        f"batches of {results['batch']:.0f}, float32"
    )
    return [all_of("C-108", parts, scope=scope, gates=gates(results), beside=told(results))]


def gates(results: dict[str, Any]) -> list[Gate]:
    """Both networks over-fit and have converged; both regularisers help without batch norm."""
    plan = PLANS["C-108"]
    effect, fits, convs = plan.effects["points"], [], []
    for net in NETS:
        errors = {k: float(np.mean(v)) for k, v in best(results, net, NEITHER).tested.items()}
        train, test = errors["train error"], errors["test error"]
        told = f"{net}: training error {train:.2g} %, test error {test:.3g} %"
        fits.append((train <= FITTED and test - train >= 5 * effect, told))
        once = results["arms"][f"{net}, {NEITHER}"]["tuning"]
        control = results["controls"][net]
        gate, many = converged(once, control["doubled"], effect=effect), np.mean(control["many"])
        text = f"{net}: {gate.text}; with many images the test error is {many:.2f} %"
        convs.append((gate.passed and many <= FLOOR, text))
    gains = {kind: gain(results, PLAIN, kind).value for kind in (DROPOUT, L2)}
    text = ", ".join(f"{kind} gains {points:.2f} points" for kind, points in gains.items())
    return [
        Gate("fit", all(fine for fine, _ in fits), "; ".join(text for _, text in fits)),
        Gate("pos", min(gains.values()) >= plan.settings["pos"], f"{text} without batch norm"),
        Gate("nest", None, "chosen on other seeds and other images; the choice is resampled"),
        Gate("conv", all(fine for fine, _ in convs), "; ".join(text for _, text in convs)),
    ]


def told(results: dict[str, Any]) -> list[str]:
    """What each of the six reaches, with the draw that was chosen."""
    rows = []
    for net in NETS:
        for kind in KINDS:
            arm = best(results, net, kind)
            drawn = {k: float(v) for k, v in arm.trial.items() if np.any(v)}
            words = ", ".join(f"{name} {value:.2g}" for name, value in drawn.items())
            rows.append(f"{net}, {kind}: {np.mean(arm.tested['test error']):.2f} % ({words})")
    return rows


def draw(results: dict[str, Any]) -> Figure:
    """Errors of the six, and the gains."""
    fig, (left, right) = figure(1, 2, width=5.4, height=4.4)
    looks = {NEITHER: (COLOURS[6], "o"), DROPOUT: (COLOURS[0], "s"), L2: (COLOURS[1], "^")}
    for place, net in enumerate(NETS):
        for offset, (kind, (colour, marker)) in zip((-0.2, 0, 0.2), looks.items(), strict=True):
            errors = best(results, net, kind).tested["test error"]
            look = {"color": colour, "fmt": marker, "label": None if place else kind}
            left.plot(np.full(len(errors), place + offset), errors, ".", color=colour, alpha=0.35)
            bar(left, place + offset, mean(errors), **look)
            if kind != NEITHER:
                bar(right, place + offset, gain(results, net, kind), **look)
                label = {"label": None}
                bar(right, 2 + offset, less(results, kind), **(look | label)) if place else None
    effect = PLANS["C-108"].effects["points"]
    right.axhspan(-effect, effect, color="0.88", lw=0, label=f"{effect:g} point to each side")
    right.axhline(0, color="black", lw=0.8)
    for axes, names in ((left, NETS), (right, (*NETS, "difference"))):
        axes.set_xticks(range(len(names)), [name.replace(" b", "\nb", 1) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.25 * (high - low))  # above them is room for the legend
        axes.legend(loc="upper right", ncols=3 if axes is left else 2)
    seeds = len(best(results, PLAIN, NEITHER).tested["test error"])
    left.set(title=f"{data_name(results['data_set'])}, {seeds} seeds", ylabel="test error / %")
    right.set(title="mean and 95 % of seeds and choices", ylabel="gain / points of test error")
    return fig


def bar(axes: Axes, at: float, found: Estimate, **look: Any) -> None:
    """A mean with its interval, which equal values do not have."""
    ends = [[found.value - found.low], [found.high - found.value]]
    axes.errorbar(at, found.value, None if found.saturated else ends, capsize=4, **look)
