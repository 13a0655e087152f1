"""How large are Adam's first steps without bias correction, and how many steps does its loop make?

002:450 and 004:250 divide the raw moments, 002:469-471 the corrected ones (E-20). Under a constant
gradient the raw step is (1 - b1^t) / sqrt(1 - b2^t) times the corrected one. At the notes' (0.9,
0.999) it is too large, at (0.99, 0.999) too small. 002:445 and 465 loop over
range(1, num_iterations), which is one update fewer than its name says (E-27): the printed loop is
run as it stands, next to as many steps of our rule, under a gradient of 1.

Command: python -m experiments --only how_large_are_uncorrected_first_steps      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, Verdict, demonstration, figure
from jaxtricks import optimizers, surfaces
from jaxtricks.optimizers import scale_by_adam

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-20", "E-27")
DECAYS = {"0.9, 0.999": (0.9, 0.999), "0.99, 0.999": (0.99, 0.999)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of the ratio; `iterations`: values of num_iterations of the loop; `rate`: its."""

    rate: float = 0.001
    steps: int = 5000
    iterations: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100)


SMOKE = Config(steps=4000, iterations=(1, 2, 10))
FULL = Config(steps=20_000)


def printed_loop(num_iterations: int, learning_rate: float) -> float:
    """002:442-471 as printed, compute_gradient(x) being 1."""
    beta1, beta2 = 0.9, 0.999
    x = first_moment = second_moment = 0.0
    for t in range(1, num_iterations):
        dx = 1.0
        first_moment = beta1 * first_moment + (1 - beta1) * dx
        second_moment = beta2 * second_moment + (1 - beta2) * dx * dx
        first_unbias = first_moment / (1 - beta1**t)
        second_unbias = second_moment / (1 - beta2**t)
        x -= learning_rate * first_unbias / (np.sqrt(second_unbias) + 1e-7)
    return float(x)


def run(config: Config) -> dict[str, Any]:
    """Raw and corrected steps, and where both loops end."""
    with jax.enable_x64(True):
        decays = jnp.array(list(DECAYS.values()))

        def steps(b1: jax.Array, b2: jax.Array, correct: bool) -> jax.Array:
            tx = scale_by_adam(b1, b2=b2, bias_correction=correct)
            start = tx.init(jnp.zeros(()))
            gradients = jnp.ones(config.steps)
            return jax.lax.scan(lambda s, g: tx.update(g, s)[::-1], start, gradients)[1]

        raw, corrected = (
            jax.vmap(lambda d, on=on: steps(d[0], d[1], on))(decays) for on in (False, True)
        )
        most, rule = max(config.iterations), optimizers.adam(config.rate)
        ours = surfaces.trajectory(rule, lambda x: x, jnp.zeros(()), most).points
    ratio = np.asarray(raw / corrected)
    shown = np.unique(np.geomspace(1, config.steps, 100).astype(int))
    iterations = np.array(config.iterations)
    return {
        "count": shown,
        "raw": raw[:, shown - 1],
        "corrected": corrected[:, shown - 1],
        "first": ratio[:, 0],
        "largest": ratio.max(axis=1),
        "largest_at": ratio.argmax(axis=1) + 1,
        "under_one_percent_at": np.argmax(ratio[0] < 1.01) + 1,
        "iterations": iterations,
        "printed_end": [printed_loop(n, config.rate) for n in config.iterations],
        "right_end": np.asarray(ours)[iterations],
        "rate": config.rate,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-20: raw first steps are off by over 1 % both ways, the corrected ones are the rate (1e-4).

    E-27: the printed loop moves by one step less for every number of iterations, ours by all.
    """
    first, top, at = results["first"], results["largest"], results["largest_at"]
    rate, n = results["rate"], results["iterations"]
    exact_rate = np.allclose(results["corrected"], 1, rtol=1e-4)
    printed, right = np.abs(results["printed_end"]) / rate, np.abs(results["right_end"]) / rate
    off = np.allclose(printed, n - 1, rtol=1e-4) and np.allclose(right, n, rtol=1e-4)
    return [
        demonstration(
            "E-20",
            exact_rate and first[0] > 1.01 and first[1] < 0.99,
            f"raw step over corrected step: (0.9, 0.999) first {first[0]:.3f}, largest "
            f"{top[0]:.3f} at step {int(at[0])}, above 1.01 until step "
            f"{int(results['under_one_percent_at']) - 1}; (0.99, 0.999) first {first[1]:.3f}, "
            f"largest {top[1]:.3f} at step {int(at[1])}; corrected steps are the rate",
            panel="a",
        ),
        demonstration(
            "E-27",
            off,
            f"num_iterations = {n[0]}, {n[-1]}: the printed loop makes {printed[0]:.0f} and "
            f"{printed[-1]:.0f} updates, range(1, num_iterations + 1) {right[0]:.0f} and "
            f"{right[-1]:.0f}",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Steps by time, and updates by the argument of the loop."""
    fig, (steps, loop) = figure(1, 2, width=5.7, height=4.7)
    count, at = results["count"], results["largest_at"]
    for raw, name, colour, i in zip(
        results["raw"], DECAYS, (LITERAL, COLOURS[3]), range(2), strict=True
    ):
        label = f"raw, decays {name}"
        top = results["largest"][i]
        steps.semilogx(count, raw, color=colour, linestyle=("-", "--")[i], label=label)
        steps.plot(at[i], top, "o", color=colour)
        told = f"{top:.2f} at step {int(at[i])}"
        steps.annotate(told, (at[i], top), (12, 9), textcoords="offset points", color=colour)
    steps.semilogx(count, results["corrected"][0], color=RIGHT, label="corrected")
    steps.set(xlabel="step", ylabel="step / learning rate", ylim=(0, 10.5))
    steps.set_title("steps under a gradient of 1")
    steps.legend(loc="upper right")
    n, rate = results["iterations"], results["rate"]
    x = np.arange(len(n))
    for end, colour, shift, name in (
        (results["printed_end"], LITERAL, -0.2, "range(1, n) (printed)"),
        (results["right_end"], RIGHT, 0.2, "range(1, n + 1)"),
    ):
        bars = loop.bar(x + shift, -end / rate, 0.38, color=colour, label=name)
        loop.bar_label(bars, fmt="%.0f", fontsize=10)
    loop.set(
        xlabel="n = num_iterations",
        ylabel="updates made",
        yscale="symlog",
        ylim=(0, 1000),
    )
    loop.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    loop.set_xticks(x, [f"{i:.0f}" for i in n])
    loop.set_title("updates that the loop makes")
    loop.legend(loc="upper left")
    return fig
