r"""Do penalties pull the weights towards 0, and which of them to 0 exactly?

004:663: the training loss should be small, "and the parameters as near 0 as possible". C-064 is
judged on sparse linear regressions, 100 examples of 30 correlated features of which 6 have weights,
in float64: on each of 20 problems the L2 norm of the minimum under the L2 penalty, and the L1 norm
of that under L1, may not rise from one strength to the next (1e-6). The minima are those of
gradient descent from 0, with a soft threshold after each step where there is an L1 term; its
gradient must be under 1e-8, and its weights must be those of scikit-learn's coordinate descent
(1e-6). F-062 (002:634-638): the weights under L1, the elastic net (half of the strength is L1's)
and L2, how many are exactly 0, and descent with a threshold against descent along a subgradient.
Printed beside: small ReLU nets on digits, which have no minimum to speak of.

Command: python -m experiments --only do_penalties_pull_the_weights_to_zero      (CPU, about 40 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    exactly,
    figure,
    interval,
    under,
)
from experiments.penalties import _nets as nets
from experiments.penalties import _sparse_regression as sparse
from jaxtricks import schedules

FIGURES = ("F-062",)
CLAIMS = ("C-064",)
TIER = 2

NORMS = {"L1": 1, "L2": 2}
EXAMPLES, FEATURES = 100, 30
NET_STRENGTHS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
PLANS = {
    "C-064": Plan(
        revised="20 problems instead of 10, decided after a look at 10 others",
        effects={"rise of the norm": 1e-6, "gradient": 1e-8},
        gates=("conv", "oracle"),
        settings={
            "examples": EXAMPLES,
            "features": FEATURES,
            "correlation": sparse.CORRELATION,
            "noise": sparse.NOISE,
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`strengths`: from the first to the second in equal factors, so many; `shown`: the place of
    the one whose weights are drawn; `net_epochs` and `net_seeds`: of the nets beside."""

    strengths: tuple[float, float, int] = (1e-3, 10.0, 17)
    shown: int = 9
    steps: int = 2000
    seeds: int = 20
    seed: int = 25_064
    net_epochs: int = 60
    net_seeds: int = 5


SMOKE = Config(strengths=(1e-3, 10.0, 3), shown=1, steps=200, seeds=3, net_epochs=1, net_seeds=2)
FULL = Config(strengths=(1e-3, 10.0, 65), shown=36, steps=20_000, net_epochs=600, net_seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Norms, zeros, residual gradients and distances from scikit-learn `[strength, problem]`."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(config.seed), config.seeds)
        problems = jax.vmap(lambda key: sparse.problem(key, EXAMPLES, FEATURES))(keys)
        strengths = jnp.geomspace(*config.strengths)
        found = {name: minima(name, strengths, problems, config.steps) for name in sparse.PENALTIES}
        first = jax.tree.map(lambda values: values[0], problems)
        ways = descents(strengths[config.shown], first, config.steps)
        strengths, first, found, ways = jax.device_get((strengths, first, found, ways))
    results: dict[str, Any] = {
        "strengths": strengths,
        "steps": config.steps,
        "shown": strengths[config.shown],
        "truth": first.truth,
        "ways": ways,
        "nets": norms_of_nets(config),
    }
    for name, minimum in found.items():
        weights = np.asarray(minimum["weights"])
        norms = {kind: np.linalg.norm(weights, p, axis=2) for kind, p in NORMS.items()}
        results[name] = {
            "norms": norms,
            "rises": {kind: np.diff(values, axis=0).max(axis=0) for kind, values in norms.items()},
            "zeros": (weights == 0).sum(axis=2),
            "gradient": float(minimum["gradient"].max()),
            "apart": apart(name, strengths, problems, weights),
            "weights": weights[config.shown, 0],
        }
    return results


@functools.partial(jax.jit, static_argnames=("penalty", "steps"))
def minima(
    penalty: str, strengths: jax.Array, problems: sparse.Problem, steps: int
) -> dict[str, jax.Array]:
    """Of every problem at every strength, as one program."""

    def one(strength: jax.Array, given: sparse.Problem) -> dict[str, jax.Array]:
        return sparse.minimise(penalty, strength, given, steps)

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(strengths, problems)


def apart(
    penalty: str, strengths: jax.Array, problems: sparse.Problem, weights: np.ndarray
) -> float:
    """The largest difference of a weight from scikit-learn's."""
    largest = 0.0
    for i in range(weights.shape[1]):
        given = jax.tree.map(lambda values, i=i: values[i], problems)
        theirs = sparse.by_coordinate_descent(penalty, np.asarray(strengths), given)
        largest = max(largest, float(np.abs(theirs - weights[:, i]).max()))
    return largest


@functools.partial(jax.jit, static_argnames="steps")
def descents(strength: jax.Array, given: sparse.Problem, steps: int) -> dict[str, Any]:
    """Three ways to the L1 minimum: sizes of the weights that are 0 there, and zeros at the end."""
    falling = schedules.cosine_decay(1.0, steps)
    paths = {
        "soft threshold": sparse.by_thresholds(strength, given, steps),
        "subgradient": sparse.by_subgradients(strength, given, steps, lambda count: 1.0),
        "subgradient, falling rate": sparse.by_subgradients(strength, given, steps, falling),
    }
    gone = paths["soft threshold"][-1] == 0
    seen = np.unique(np.geomspace(1, steps, 200).astype(int))
    return {
        "step": seen,
        "largest": {
            name: jnp.max(jnp.abs(path) * gone[None], axis=1)[seen] for name, path in paths.items()
        },
        "zeros": {name: jnp.sum(path[-1] == 0) for name, path in paths.items()},
    }


def norms_of_nets(config: Config) -> dict[str, Any]:
    """Norms of the weights of trained nets `[strength, seed]`, by the penalty that has the norm."""
    images = lab.read("digits", pool=1000, validation=250)
    recipe = nets.Recipe(hidden=(32,), count=500, epochs=config.net_epochs)

    def one(key: jax.Array, trial: Any, pool: Any) -> dict[str, jax.Array]:
        params = nets.train(key, trial, pool, recipe).state.params
        weights = jnp.concatenate([layer["kernel"].ravel() for layer in params.values()])
        return {name: jnp.linalg.norm(weights, p) for name, p in NORMS.items()}

    keys = jax.random.split(jax.random.key(config.seed), config.net_seeds)
    strengths, count = np.array(NET_STRENGTHS, np.float32), len(NET_STRENGTHS)
    none = np.zeros_like(strengths)
    trials = {"L1": np.append(strengths, none), "L2": np.append(none, strengths)}
    found = lab.over(one, trials, keys, (images.pool,))
    return {"L1": found["L1"][:count], "L2": found["L2"][count:]}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Neither norm may rise by more than 1e-6 on any problem."""
    plan = PLANS["C-064"]
    rise, flat = plan.effects["rise of the norm"], plan.effects["gradient"]
    parts = [
        under(
            f"{name} penalty: largest change of its minimum's {name} norm from one strength to the "
            "next, on any problem",
            exactly(results[name]["rises"][name].max()),
            rise,
            panel="b",
        )
        for name in ("L2", "L1")
    ]
    gradient = max(results[name]["gradient"] for name in sparse.PENALTIES)
    away = max(results[name]["apart"] for name in sparse.PENALTIES)
    gates = [
        Gate("conv", gradient < flat, f"largest entry of a last gradient {gradient:.1g}"),
        Gate("oracle", away < rise, f"no weight differs from scikit-learn's by over {away:.1g}"),
    ]
    strengths, problems = results["strengths"], results["L1"]["zeros"].shape[1]
    some = ", ".join(f"{value:.3g}" for value in strengths[::4])
    beside = []
    for name in sparse.PENALTIES:
        found = results[name]
        zeros = ", ".join(f"{value:.3g}" for value in found["zeros"].mean(axis=1)[::4])
        worst = {kind: float(values.max()) for kind, values in found["rises"].items()}
        beside.append(
            f"{name}: on average {zeros} of {FEATURES} weights are exactly 0 at strengths {some}; "
            f"largest change of its L1 norm {worst['L1']:.2g}, of its L2 norm {worst['L2']:.2g}"
        )
    zeros = ", ".join(f"{name} {count:.0f}" for name, count in results["ways"]["zeros"].items())
    beside.append(
        f"exact zeros after {results['steps']:,.0f} steps at L1 strength {results['shown']:.3g}: "
        f"{zeros}"
    )
    for name, norms in results["nets"].items():
        means = ", ".join(f"{value:.3g}" for value in norms.mean(axis=1))
        rises = int(np.sum(np.diff(norms, axis=0) > 0))
        beside.append(
            f"nets, {name}: mean {name} norm {means} at strengths {NET_STRENGTHS}; it rose "
            f"{rises} times in {np.diff(norms, axis=0).size} comparisons"
        )
    scope = (
        f"{problems} sparse linear regressions, {EXAMPLES} examples, {FEATURES} features, "
        f"{len(strengths)} strengths from {strengths[0]:g} to {strengths[-1]:g}, half the mean "
        f"squared error (convex), {results['steps']:,.0f} steps of gradient descent, float64"
    )
    return [all_of("C-064", parts, gates=gates, scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Weights of one problem, norms and zeros against the strength, and ways to exact zeros."""
    fig, (weights, norms, zeros, ways) = figure(2, 2, width=6.0, height=4.0)
    strengths, place = results["strengths"], np.arange(FEATURES)
    weights.bar(place, results["truth"], color="0.85", label="true weights")
    problems = results["L1"]["zeros"].shape[1]
    for i, name in enumerate(sparse.PENALTIES):
        found, look = results[name], {"color": COLOURS[i], "marker": "os^"[i]}
        weights.plot(place + 0.2 * (i - 1), found["weights"], ls="", ms=5, label=name, **look)
        kind = "L2" if name == "L2" else "L1"
        draw_band(
            norms,
            strengths,
            found["norms"][kind] / found["norms"][kind][0],
            label=f"{name}: {kind} norm",
            **look,
        )
        draw_band(zeros, strengths, 100 * found["zeros"] / FEATURES, label=name, **look)
    weights.set(xlabel="feature", ylabel="weight", ylim=(-1.5, 2.4))
    weights.set_title(f"one problem, strength {results['shown']:.2g}")
    weights.legend(loc="upper center", ncols=4, columnspacing=1)
    for axes in (norms, zeros):
        axes.set(xscale="log", xlabel=r"strength $\lambda$ (elastic net: half of it L1's)")
    norms.set(ylabel=f"norm / at strength {strengths[0]:g}")
    norms.set_title(f"norm of the minimum, mean and 95 % of {problems} problems")
    norms.legend(loc="lower left")
    zeros.set(ylabel="weights that are exactly 0 / %")
    zeros.set_title("exact zeros of the same minima")
    zeros.legend(loc="upper left")
    found = results["ways"]
    for i, (name, sizes) in enumerate(found["largest"].items()):
        label = f"{name}: {found['zeros'][name]:.0f} zeros"
        ways.loglog(
            found["step"],
            np.maximum(sizes, 1e-9),
            color=COLOURS[3 + i],
            ls=("-", ":", "--")[i],
            label=label,
        )
    ways.set(xlabel="step", ylabel="largest size (1e-9: exactly 0)", ylim=(3e-10, 1e4))
    ways.set_title("the weights that are 0 at the L1 minimum of panel a")
    ways.legend(loc="upper left")
    return fig


def draw_band(axes: Axes, strengths: np.ndarray, values: np.ndarray, **look: Any) -> None:
    """Mean and interval over the problems."""
    band(axes, strengths, *np.array([interval(row) for row in values]).T, ms=4, **look)
