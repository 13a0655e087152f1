"""Is the loss surface rougher far from the optimum than near it?

The lecture (004:301-304): the beginning of training is numerically fragile, the surface may be
complex far from the optimum and flatter near it. A small tanh network from four starts, before and
after plain SGD: the largest eigenvalue and the trace of the Hessian of the training loss, and how
much of the loss on a filter-normalised plane through the weights no parabola explains.
Fixed before the run: all three must fall, from every start.

Command: python -m experiments --only is_the_surface_rougher_far_from_the_optimum
(CPU, about 25 s; MNIST halved in size where there is any, else digits)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import figure, interval
from experiments.engine.before import Verdict, combine, paired
from experiments.starts import one_of
from jaxtricks import initializers, models, optimizers, probes, training

FIGURES = ("F-041",)
CLAIMS = ("C-087",)
TIER = 2

STARTS = {
    "Xavier": initializers.xavier(),
    "He": initializers.he(),
    "N(0, 0.01)": initializers.gaussian(std=0.01),
    "N(0, 1)": initializers.gaussian(std=1.0),
}
MEASURES = {
    "top": "largest eigenvalue",
    "trace": "trace of the Hessian",
    "rough": "share that no parabola explains",
}
DRAWN = ("Xavier", "N(0, 1)")
COLOURS = {"Xavier": "#009E73", "He": "#CC79A7", "N(0, 0.01)": "#56B4E9", "N(0, 1)": "#D55E00"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`lanczos` and `draws`: steps and draws of eigenvalue and trace; `side` of the plane."""

    data_set: str = "mnist"
    count: int = 1500
    hidden: tuple[int, ...] = (32, 32)
    rate: float = 0.1
    steps: int = 2000
    lanczos: int = 20
    draws: int = 20
    side: int = 15
    seeds: int = 5


SMOKE = Config(
    "digits", 40, hidden=(), steps=4, lanczos=2, draws=2, side=3, seeds=2
)  # fmt: skip
FULL = Config(count=60_000, steps=50_000, lanczos=50, draws=100, side=51, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Per start: `[seed, (before, after)]` of each measure and of the loss, and the planes of the
    first seed."""
    (fit, _, _), name = networks.read_images(config.data_set, config.count)
    steps = np.linspace(-1, 1, config.side)

    def one(number: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        net = models.MLP(
            (*config.hidden, 10), activation=jnp.tanh,
            kernel_init=one_of(tuple(STARTS.values()), number),
        )  # fmt: skip
        keys = jax.random.split(key, 3)
        ours = networks.trainer(net, optimizers.gradient_descent(config.rate))
        state = ours.init(networks.first_variables(net, keys[0], fit))
        order = networks.order_of(keys[1], len(fit["label"]), config.steps, 32)
        trained, _ = training.train_epoch(ours, state, fit, order, key=key)
        per_example = training.classification_loss(net)

        def loss(params: Any) -> jax.Array:
            return jnp.mean(per_example(params, {}, fit, {}, train=False)[0])

        places = jax.tree.map(lambda *x: jnp.stack(x), state.params, trained.params)
        return jax.lax.map(lambda params: look(loss, params, keys[2], steps, config), places)

    keys = jax.random.split(jax.random.key(0), config.seeds)
    every = jax.jit(lambda number: jax.lax.map(lambda key: one(number, key), keys))
    found = {}
    for number, start in enumerate(STARTS):
        rows = jax.device_get(every(jnp.asarray(number)))
        rough = np.array([[unexplained(plane) for plane in pair] for pair in rows["plane"]])
        found[start] = {**rows, "rough": rough, "plane": rows["plane"][0]}
    return {"data_set": name, "side": steps, "steps": config.steps, "starts": found}


def look(
    loss: Any, params: Any, key: jax.Array, steps: np.ndarray, config: Config
) -> dict[str, jax.Array]:
    """The measures of the loss around some parameters, and the loss itself."""
    keys = jax.random.split(key, 4)
    ends = probes.hessian_eigenvalues(keys[0], loss, params, steps=config.lanczos)
    first, second = (probes.filter_normalized(key, params) for key in keys[2:])
    return {
        "loss": loss(params),
        "top": ends[-1],
        "trace": probes.hessian_trace(keys[1], loss, params, draws=config.draws)[0],
        "plane": probes.loss_slice(loss, params, first, second, jnp.asarray(steps)),
    }


def unexplained(plane: np.ndarray) -> float:
    """Share of the variance over a plane that is left by the best polynomial of degree 2."""
    side = np.linspace(-1, 1, len(plane))
    x, y = (part.ravel() for part in np.meshgrid(side, side, indexing="ij"))
    terms = np.stack([x**0, x, y, x * x, x * y, y * y], axis=1)
    values = np.asarray(plane, np.float64).ravel()
    rest = values - terms @ np.linalg.lstsq(terms, values)[0]
    return float(rest.var() / values.var())


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-087 if each measure is smaller after training than before, from every start."""
    parts = []
    for start, found in results["starts"].items():
        for key, label in MEASURES.items():
            before, after = np.asarray(found[key]).T
            text = f"{start}, {label}: {before.mean():.3g} before, {after.mean():.3g} after; change"
            parts.append(paired("C-087", after - before, text, claimed="negative"))
    return [combine("C-087", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Two starts' planes before and after, and the three measures of all."""
    fig, axes = figure(2, 4, width=3.3, height=3.0)
    side = results["side"]
    panels = iter((axes[0], axes[1], axes[4], axes[5]))
    for start in DRAWN:
        found = results["starts"][start]
        for when, plane in zip(("before", "after"), found["plane"], strict=True):
            panel = next(panels)
            lines = panel.contourf(side, side, np.asarray(plane).T, levels=20, cmap="viridis")
            fig.colorbar(lines, ax=panel, label="training loss")
            panel.plot(0, 0, "+", color="white", ms=10)
            panel.set(xlabel="step along direction 1", ylabel="step along direction 2")
            panel.set_title(f"{start}, {when} training (seed 0)")
    panels = iter((axes[2], axes[3], axes[6], axes[7]))
    for key, label in {"loss": "training loss", **MEASURES}.items():
        panel = next(panels)
        for start, found in results["starts"].items():
            rows = np.array([interval(column) for column in np.asarray(found[key]).T])
            bars = np.abs(rows[:, 1:] - rows[:, :1]).T
            panel.errorbar(
                (0, 1), rows[:, 0], bars, fmt="o-", ms=4, color=COLOURS[start], label=start
            )
        panel.set(yscale="log", ylabel=label, xlim=(-0.3, 1.3))
        panel.set_xticks((0, 1), ("before", "after"))
    axes[2].legend(loc="best")
    seeds = len(results["starts"]["Xavier"]["loss"])
    fig.suptitle(
        f"{results['data_set']}, tanh network, {results['steps']} updates of SGD; planes are "
        f"filter-normalised; right: mean and 95 % interval of {seeds} seeds",
        fontsize=9,
    )
    return fig
