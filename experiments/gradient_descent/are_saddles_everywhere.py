"""Is almost every critical point in many dimensions a saddle?

So the lecture (002:196). A model: the Hessian at a critical point is a random symmetric matrix
(Gaussian orthogonal ensemble), a minimum with probability 1/2, (2 - sqrt 2)/4, (pi - 2 sqrt 2)/(4
pi) for n = 1, 2, 3. Negative eigenvalues are counted as negative pivots of the elimination
(Sylvester's law of inertia). And a network: 16-4-10 tanh, 118 weights, on 100 digits of 4 x 4
pixels, with a weight decay of 0.01, without which the gradient is small only infinitely far away.
Each run descends by Adam from its own first weights and seeks one critical point by Newton's method
in float64, from where it is after 0, 10, 100 or 1000 steps, a quarter of the runs each (so Dauphin
et al. 2014); it counts if the gradient gets under 1e-8. An eigenvalue is negative if under -1e-3 of
the largest; the other cuts from 1e-5 to 1e-2 are printed.

Command: python -m experiments --only are_saddles_everywhere      (CPU, about 2 min)
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from experiments.engine import COLOURS, Gate, Plan, Verdict, all_of, figure, proportion, share
from experiments.gradient_descent import _low_gradient_points as points
from jaxtricks import data, surfaces

FIGURES = ("F-023",)
CLAIMS = ("C-010",)
TIER = 2
CUT, CUTS = 1e-3, (1e-5, 1e-4, 1e-3, 1e-2)
PLANS = {
    "C-010": Plan(
        effects={"share": 0.9},
        gates=("pos",),
        settings={"cut": CUT, "cuts": CUTS, "Adam's first rate": points.RATE},
    )
}
LAW = {1: 1 / 2, 2: (2 - math.sqrt(2)) / 4, 3: (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws`: matrices of each of the `dimensions`; the last one is judged.

    Of the network: `seeds` runs, of which every fourth seeks from the same of the `starts`, with
    `rounds` of twice `newton_steps`.
    """

    seed: int = 15_010
    dimensions: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 10)
    draws: int = 100_000
    seeds: int = 140
    hidden: int = 4
    examples: int = 100
    weight_decay: float = 0.01
    starts: tuple[int, ...] = (0, 10, 100, 1000)
    tolerance: float = 1e-8
    rounds: int = 2
    newton_steps: int = 60


SMOKE = Config(
    dimensions=(1, 2, 3), draws=20_000, seeds=4, hidden=2, examples=50, starts=(0, 500), rounds=1,
    newton_steps=40,
)  # fmt: skip
FULL = Config(draws=4_000_000, seeds=1000, hidden=6, examples=300, rounds=5)


def run(config: Config) -> dict[str, Any]:
    """How often all eigenvalues are positive; the network's critical points."""
    counts = jax.jit(count_minima, static_argnums=1)(jax.random.key(config.seed), config)
    with jax.enable_x64(True), threadpool_limits(1):
        network, bowl = network_points(config), bowl_points(config)
    return {
        "data_set": "digits",
        "dimensions": config.dimensions,
        "minima": counts,
        "draws": config.draws,
        "starts": config.starts,
        "examples": config.examples,
        "bowl": bowl,
        **network,
    }


def network_points(config: Config) -> dict[str, np.ndarray]:
    """Where each run looked, whether it found a critical point, its loss and eigenvalues."""
    split = data.load("digits", limit=config.examples, validation=0).train
    pixels = split["image"].reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    inputs = jnp.asarray(data.standardize(pixels).apply(pixels), float)
    labels = jnp.asarray(split["label"])
    loss, first = points.training_loss(inputs, labels, config.hidden, config.weight_decay)
    wanted = np.arange(config.seeds) % len(config.starts)

    def place(key: jax.Array, start: jax.Array) -> jax.Array:
        return points.descend(loss, jnp.asarray(first(key), float), config.starts[-1])[start]

    keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), 1), config.seeds)
    places = jax.jit(jax.vmap(place))(keys, jnp.array(config.starts)[wanted])
    slopes = points.slopes_of(loss)
    ends, found = zip(*(search(slopes, start, config) for start in places), strict=True)
    hessians = [np.asarray(slopes(end)[1]) for end in ends]
    return {
        "kind": wanted,
        "found": np.array(found),
        "loss": np.asarray(jax.jit(jax.vmap(loss))(jnp.array(ends))),
        "eigenvalues": np.linalg.eigvalsh(hessians).astype(np.float32),
    }


def search(slopes: points.Slopes, start: jax.Array, config: Config) -> tuple[np.ndarray, bool]:
    """A critical point from a start, if there is one within the steps."""
    return points.find_critical(
        slopes, np.asarray(start), tolerance=config.tolerance, rounds=config.rounds,
        steps=config.newton_steps,
    )  # fmt: skip


def bowl_points(config: Config) -> dict[str, Any]:
    """The same search on a quadratic bowl of curvatures 0.01 to 1."""
    curvatures = jnp.geomspace(0.01, 1.0, 100)
    slopes = points.slopes_of(lambda theta: 0.5 * jnp.sum(curvatures * theta**2))
    end, found = search(slopes, jnp.ones(100), config)
    return {"found": found, "eigenvalues": np.linalg.eigvalsh(slopes(end)[1])}


def count_minima(key: jax.Array, config: Config) -> jax.Array:
    """Numbers of minima among the drawn Hessians, by dimension."""

    def minima(key: jax.Array, dimension: int) -> jax.Array:
        keys = jax.random.split(key, config.draws)
        drawn = jax.vmap(lambda key: surfaces.random_goe(key, dimension))(keys)
        return jnp.sum(jax.vmap(negative_pivots)(drawn) == 0)

    return jnp.stack([minima(jax.random.fold_in(key, n), n) for n in config.dimensions])


def negative_pivots(matrix: jax.Array) -> jax.Array:
    """Counts negative pivots of a symmetric matrix, as many as negative eigenvalues."""
    pivots = []
    while matrix.shape[0]:
        pivots.append(matrix[0, 0])
        matrix = matrix[1:, 1:] - jnp.outer(matrix[1:, 0], matrix[0, 1:]) / matrix[0, 0]
    return jnp.sum(jnp.stack(pivots) < 0)


def negative_share(eigenvalues: np.ndarray, cut: float = CUT) -> np.ndarray:
    """Share of eigenvalues that are clearly negative, of each point."""
    return np.mean(eigenvalues < -cut * eigenvalues[..., -1:], axis=-1)


def percent_saddles(eigenvalues: np.ndarray) -> list[float]:
    """Share of the points with a negative eigenvalue, at every cut."""
    return [100 * float(np.mean(negative_share(eigenvalues, cut) > 0)) for cut in CUTS]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The share of critical points with a negative eigenvalue, in the model and in the network."""
    bound, draws = PLANS["C-010"].effects["share"], int(results["draws"])
    n, found = int(results["dimensions"][-1]), results["found"]
    values, kind = results["eigenvalues"][found], results["kind"][found]
    saddle = negative_share(values) > 0
    parts = [
        proportion(
            f"share of random symmetric Hessians of {n} dimensions with a negative eigenvalue",
            draws - int(results["minima"][-1]), draws, bound=bound, claimed="up", panel="a",
        ),
        proportion(
            "share of the network's critical points with a negative eigenvalue",
            int(saddle.sum()), len(saddle), bound=bound, claimed="up", panel="b",
        ),
    ]  # fmt: skip
    bowl = results["bowl"]
    most = max(float(negative_share(bowl["eigenvalues"], cut)) for cut in CUTS)
    control = Gate(
        "pos",
        bool(bowl["found"]) and most == 0,
        f"the same search on a quadratic bowl finds its minimum, with {100 * most:.0f} % of the "
        "eigenvalues negative at every cut",
    )
    by_cut = zip(percent_saddles(values), CUTS, strict=True)
    cuts = ", ".join(f"{percent:.0f} % at {cut:g}" for percent, cut in by_cut)
    kinds = ", ".join(
        f"{saddle[kind == i].sum()} of {np.sum(kind == i)} after {start} steps"
        for i, start in enumerate(results["starts"])
    )
    begun = ", ".join(f"{start}" for start in results["starts"])
    at_best = share(int(saddle.sum() + np.sum(~found)), len(found))
    return [
        all_of(
            "C-010",
            parts,
            gates=[control],
            scope=f"{draws} random matrices; tanh network of {values.shape[-1]} weights with "
            f"weight decay 0.01 on {results['examples']} digits of 4 x 4 pixels, full batch, a "
            f"quarter of the runs after each of {begun} updates of Adam, then Newton's method in "
            f"float64: {found.sum()} of {len(found)} runs reach a gradient of 1e-8",
            beside=[
                f"share with a negative eigenvalue, where those under a cut count as 0: {cuts}",
                f"with a negative eigenvalue, by the updates before the search: {kinds}",
                f"if all runs that reach no critical point ended beside saddles, it would be "
                f"{at_best.value:.2f} [{at_best.low:.2f}, {at_best.high:.2f}]",
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The model's share of minima; the network's critical points; and their saddles by the cut."""
    fig, (minima, network, cuts) = figure(1, 3, width=5.2, height=4.4)
    draw_minima(minima, results)
    found, kind = results["found"], results["kind"]
    values = results["eigenvalues"]
    for i, start in enumerate(results["starts"]):
        chosen = found & (kind == i)
        look = {"color": COLOURS[i], "marker": "o^sD"[i]}
        label = f"sought after {start} steps ({chosen.sum()})"
        negative = 100 * negative_share(values[chosen])
        network.plot(negative, results["loss"][chosen], ls="", alpha=0.7, label=label, **look)
        if chosen.any():
            cuts.semilogx(CUTS, percent_saddles(values[chosen]), **look)
    network.set(xlabel="negative eigenvalues / %", ylabel="loss with weight decay / nats")
    network.set_title(f"digits, network of {values.shape[-1]} weights")
    network.legend(loc="lower right")
    shares = percent_saddles(values[found])
    cuts.semilogx(CUTS, shares, "k-", lw=3)
    cuts.text(CUTS[0], shares[0] + 2, f"all {found.sum()}", fontweight="bold")
    cuts.axhline(90, color="black", ls="--", lw=1)
    cuts.set(xlabel="cut for 0 / largest eigenvalue", ylabel="saddles / %", ylim=(-5, 105))
    cuts.set_title("saddles (colours as in b; dashed: 90 %)")
    return fig


def draw_minima(minima: Axes, results: dict[str, Any]) -> None:
    """The share of random Hessians that are minima against the dimension."""
    n, draws = results["dimensions"], int(results["draws"])
    rows = [share(int(count), draws) for count in results["minima"]]
    value, low, high = np.array([(row.value, row.low, row.high) for row in rows]).T
    seen, colour = value > 0, COLOURS[0]
    bars = np.maximum([value - low, high - value], 0)[:, seen]
    label = f"{draws:,} draws, 95 % interval"
    minima.errorbar(n[seen], value[seen], bars, fmt="o", color=colour, capsize=3, label=label)
    minima.plot(n[~seen], high[~seen], "v", color=colour, label="none drawn: upper limit")
    minima.plot(list(LAW), list(LAW.values()), "k_", ms=16, mew=1.5, label="closed form")
    grid = np.linspace(n[0], n[-1], 50)
    minima.plot(grid, 3.0 ** (-(grid**2) / 4), "k:", lw=1, label=r"$3^{-n^2/4}$ (no factor)")
    minima.set(xlabel="dimension n", ylabel="share of minima", yscale="log", ylim=(1e-6, 300))
    minima.set_yticks([1e-6, 1e-4, 1e-2, 1])
    minima.tick_params(axis="y", which="minor", length=0)
    minima.set_xticks(n)
    minima.set_title("random symmetric Hessians")
    minima.legend(loc="upper right")
