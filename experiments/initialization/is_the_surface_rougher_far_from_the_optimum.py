"""Is the loss surface rougher far from the optimum than near it?

The lecture (004:301-303): the beginning of training is prone to numerical instability, the surface
may be complex far from the optimum and flatter near it. One start of four has to show each. A tanh
net of two layers of 32 units learns MNIST, halved in size, by plain SGD with an L2 penalty of
0.001: without a penalty there is no optimum to come near to. At the start and at the end two things
are measured of the loss on 1,000 training images: the share of its variation, on a plane through
the weights along two random directions as long as the weights (filter-normalised), that no
polynomial of degree 2 explains, and the largest eigenvalue of its Hessian. Instability is taken as
a first gradient, of a batch of 32, that is not finite or longer than 1,000, in a net of ten tanh
layers of 100 units, the depth of the lecture's example. Digits stand in where there is no MNIST.

Command: python -m experiments --only is_the_surface_rougher_far_from_the_optimum
(CPU, about 1 min)
"""

import dataclasses
import functools
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
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    converged,
    data_name,
    figure,
    interval,
    paired,
    part_of,
    proportion,
    repeat,
)
from experiments.initialization._roughness import bowl, look, mean_loss, unexplained
from experiments.lab.starts import one_of
from jaxtricks import initializers, models, optimizers, training

FIGURES = ("F-041",)
CLAIMS = ("C-087",)
TIER = 2

STARTS = {
    "Xavier": initializers.xavier(),
    "He": initializers.he(),
    "N(0, 0.01)": initializers.gaussian(std=0.01),
    "N(0, 1)": initializers.gaussian(std=1.0),
}
MEASURES = {"rough": "unexplained share", "top": "largest eigenvalue"}
DRAWN = "N(0, 1)"
BATCH = 32
PLANS = {
    "C-087": Plan(
        effects={
            "change over the start's": 0.1,
            "share of unstable starts": 0.5,
            "gradient": 1e3,
            "bowl": 1e-3,
        },
        gates=("conv", "conv", "floor", "pos"),
        settings={"starts": tuple(STARTS), "batch": BATCH, "accuracy": 0.93, "bowl's updates": 100},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`seen`: images of the measured loss; `lanczos`: steps; `side` of the plane.

    `deep`: layers and units of the net whose first gradient is measured; `tuning`: seeds that show
    convergence.
    """

    seed: int = 15_087
    data_set: str = "mnist"
    count: int = 5000
    seen: int = 1000
    hidden: tuple[int, ...] = (32, 32)
    deep: tuple[int, int] = (10, 100)
    rate: float = 0.1
    penalty: float = 1e-3
    steps: int = 6000
    lanczos: int = 15
    side: int = 11
    seeds: int = 20
    tuning: int = 5


SMOKE = Config(
    data_set="digits", count=40, seen=20, hidden=(), deep=(1, 4), steps=4, lanczos=2, side=3,
    seeds=2,
)  # fmt: skip
FULL = Config(count=60_000, steps=50_000, lanczos=50, side=51, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """Per start, `[seed, (start, end)]` of each measure and the first gradient of the deep net; of
    the tuning seeds `[seed, (start, end, twice the updates)]`, and the measures on a bowl."""
    fit, _, test, name = lab.split(config.data_set, config.count)
    seen = {key: values[: config.seen] for key, values in fit.items()}

    def follow_all(start: int, keys: jax.Array, rounds: int) -> dict[str, np.ndarray]:
        one = functools.partial(follow, sets=(fit, seen, test), rounds=rounds, config=config)
        found = jax.device_get(repeat(one, keys, start))
        return found | {"rough": np.array([[*map(unexplained, row)] for row in found["plane"]])}

    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    tuning = jax.random.split(jax.random.key(config.seed + 500), config.tuning)
    batch = {key: values[:BATCH] for key, values in fit.items()}
    steep = functools.partial(steepness, batch=batch, deep=config.deep)
    starts: dict[str, Any] = {}
    for number, start in enumerate(STARTS):
        starts[start] = follow_all(number, keys, 1) | {"gradient": repeat(steep, keys, number)}
    planes = {start: found.pop("plane")[0] for start, found in starts.items()}
    pilots = follow_all(0, tuning, 2)
    pilots.pop("plane")
    updates = PLANS["C-087"].settings["bowl's updates"]
    measure = {"lanczos": config.lanczos, "side": config.side}
    stays = bowl(jax.random.key(config.seed), updates=updates, **measure)
    how = {key: getattr(config, key) for key in ("steps", "hidden", "deep", "rate", "penalty")}
    return {
        "data_set": name, "examples": len(fit["label"]), "seen": len(seen["label"]), **how,
        "side": np.linspace(-1, 1, config.side), "starts": starts, "plane": planes[DRAWN],
        "pilots": pilots, "bowl": stays,
    }  # fmt: skip


def network(start: Any, hidden: tuple[int, ...]) -> models.MLP:
    """From the start of this number, which may be traced."""
    init = one_of(tuple(STARTS.values()), start)
    return models.MLP((*hidden, 10), activation=jnp.tanh, kernel_init=init)


@functools.partial(jax.jit, static_argnames=("rounds", "config"))
def follow(
    key: jax.Array, start: Any, *, sets: tuple[Any, Any, Any], rounds: int, config: Config
) -> dict[str, jax.Array]:
    """The measures at the start and after every round of `steps` updates, `[place]`."""
    fit, seen, test = sets
    init_key, order_key, look_key = jax.random.split(key, 3)
    net = network(start, config.hidden)
    rule = optax.chain(optimizers.add_l2(config.penalty), optimizers.gradient_descent(config.rate))
    ours = lab.trainer(net, rule)
    state = ours.init(lab.first_variables(net, init_key, fit))
    places = [state.params]
    for number in range(rounds):
        round_key = jax.random.fold_in(order_key, number)
        order = lab.order_of(round_key, len(fit["label"]), config.steps, BATCH)
        state, _ = training.train_epoch(ours, state, fit, order, key=key)
        places.append(state.params)

    def measure(params: Any) -> dict[str, jax.Array]:
        sums = ours.evaluate({"params": params}, test)
        accuracy = sums["accuracy"] / sums["weight"]
        return {"accuracy": accuracy} | look(
            mean_loss(net, seen), params, look_key, lanczos=config.lanczos, side=config.side
        )

    return jax.lax.map(measure, jax.tree.map(lambda *x: jnp.stack(x), *places))


@functools.partial(jax.jit, static_argnames="deep")
def steepness(key: jax.Array, start: Any, *, batch: Any, deep: tuple[int, int]) -> jax.Array:
    """Norm of the first gradient of the deep net."""
    layers, units = deep
    net = network(start, (units,) * layers)
    params = lab.first_variables(net, key, batch)["params"]
    return optax.tree.norm(jax.grad(mean_loss(net, batch))(params))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-087 if one start of the four is unstable, one has a smaller unexplained share at its end,
    and one a smaller largest eigenvalue."""
    effects, starts = PLANS["C-087"].effects, results["starts"]
    unstable = []
    for start, found in starts.items():
        size = np.asarray(found["gradient"])
        count = int(np.sum(~(size < effects["gradient"])))  # one that is not finite counts
        text = "share of first gradients over 1,000 or not finite: " * (not unstable)
        part = proportion(
            f"{text}from {start}",
            count,
            len(size),
            bound=effects["share of unstable starts"],
            claimed="up",
            panel="d",
        )
        unstable.append(part)
    parts = [part_of(unstable, "any")]
    parts += [part_of(falls(starts, key), "any") for key in MEASURES]
    halved = results["data_set"] != "digits"
    scope = (
        f"{data_name(results['data_set'])}{' at half the size' * halved}, {results['examples']} "
        "images, tanh "
        f"layers {results['hidden']}, {results['steps']} updates of SGD at rate "
        f"{results['rate']:g}, L2 penalty {results['penalty']:g}, batch {BATCH}, measured on "
        f"{results['seen']} training images; first gradients of {results['deep'][0]:g} layers of "
        f"{results['deep'][1]:g} units; float32"
    )
    return [all_of("C-087", parts, scope=scope, gates=gates(results), beside=beside(results))]


def falls(starts: dict[str, Any], key: str) -> list[Part]:
    """Of every start: does this measure fall from the start to the end?"""
    effect, parts = PLANS["C-087"].effects["change over the start's"], []
    for start, found in starts.items():
        values = change(found[key])
        text = f"{MEASURES[key]}, end minus start over the start's: " * (not parts)
        text += f"from {start}"
        parts.append(paired(text, values, effect=effect, claimed="down", panel="c"))
    return parts


def change(values: np.ndarray) -> np.ndarray:
    """End minus start of `[seed, (start, end)]`, over the start's mean."""
    start, end = np.asarray(values).T
    return (end - start) / start.mean()


def gates(results: dict[str, Any]) -> list[Gate]:
    """Twice the updates change little, the net has learnt, a bowl's measures stay."""
    plan, pilots, found = PLANS["C-087"], results["pilots"], []
    for key, label in MEASURES.items():
        start, end, later = np.asarray(pilots[key]).T
        effect = plan.effects["change over the start's"] * start.mean()
        gate = converged(end, later, effect=effect)
        found.append(dataclasses.replace(gate, text=f"{label}, from Xavier's start: {gate.text}"))
    accuracy, floor = np.asarray(pilots["accuracy"])[:, 1].mean(), plan.settings["accuracy"]
    found.append(
        Gate("floor", bool(accuracy >= floor), f"test accuracy {100 * accuracy:.2f} %, floor 93 %")
    )
    top, rough = results["bowl"]["top"], results["bowl"]["rough"]
    moved = max(abs(top[1] / top[0] - 1), max(rough))
    text = f"on a quadratic bowl the measures change by {moved:.1g} or less"
    return [*found, Gate("pos", bool(moved < plan.effects["bowl"]), text)]


def beside(results: dict[str, Any]) -> list[str]:
    """What is measured, and both measures of every start, before and after."""
    told = "unexplained share: of the loss's variance on a plane around the weights, by a quadratic"
    return [told] + [
        f"{start}: {MEASURES[key]} {np.mean(found[key], 0)[0]:.3g} at the start, "
        f"{np.mean(found[key], 0)[1]:.3g} at the end"
        for start, found in results["starts"].items()
        for key in MEASURES
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The planes of one run, the change of the measures, and the first gradients."""
    fig, (before, after, changes, gradients) = figure(2, 2, width=5.8, height=4.2)
    side, levels = results["side"], np.linspace(0, np.max(results["plane"]), 21)  # of both planes
    for axes, when, plane in zip(
        (before, after), ("before", "after"), results["plane"], strict=True
    ):
        filled = axes.contourf(side, side, np.asarray(plane).T, levels=levels, cmap="viridis")
        axes.contour(side, side, np.asarray(plane).T, levels=levels, colors="white", linewidths=0.5)
        axes.plot(0, 0, "+", color="white", ms=12)
        axes.grid(visible=False)
        axes.set(xlabel="step along direction 1", ylabel="step along direction 2")
        axes.set_title(f"{DRAWN}, {when} training, first seed")
    fig.colorbar(filled, ax=[before, after], label="training loss / nats", format="%.3g")
    draw_changes(changes, results)
    draw_gradients(gradients, results)
    return fig


def draw_changes(axes: Axes, results: dict[str, Any]) -> None:
    """End minus start of both measures, by start."""
    for i, (key, label) in enumerate(MEASURES.items()):
        rows = np.array([interval(change(found[key])) for found in results["starts"].values()])
        places = np.arange(len(rows)) + 0.2 * i - 0.1
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        axes.errorbar(places, rows[:, 0], bars, fmt="os"[i], color=COLOURS[3 * i], label=label)
    axes.axhline(0, color="black", lw=1)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_yticks([-1, 0, 1, 10, 100], ["-1", "0", "1", "10", "100"])
    axes.set_xticks(range(len(STARTS)), list(STARTS))
    axes.set(xlabel="start", ylabel="(end - start) / start", xlim=(-0.5, 3.5), ylim=(-2, 100))
    seeds = len(results["starts"][DRAWN]["top"])
    axes.set_title(f"change in training, mean and 95 % of {seeds} seeds")
    axes.legend(loc="upper left")


def draw_gradients(axes: Axes, results: dict[str, Any]) -> None:
    """First gradient of every seed, by start."""
    for i, found in enumerate(results["starts"].values()):
        sizes = np.asarray(found["gradient"])
        axes.plot(np.full(len(sizes), i), sizes, "o", color=COLOURS[0], alpha=0.5)
    limit = PLANS["C-087"].effects["gradient"]
    axes.axhline(limit, color="black", linestyle="--", lw=1)
    axes.text(0, 1.3 * limit, "unstable above", va="bottom")
    axes.set_xticks(range(len(STARTS)), list(STARTS))
    axes.set(yscale="log", xlabel="start", ylabel="norm of the first gradient", xlim=(-0.5, 3.5))
    layers, units = results["deep"]
    axes.set_title(f"{layers:g} tanh layers of {units:g} units, every seed")
