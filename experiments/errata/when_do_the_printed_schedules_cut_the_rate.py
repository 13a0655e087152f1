"""When do the printed schedules cut the learning rate, and by how much?

001:38 prints ReduceLROnPlateau(factor=10), two arguments fused: factor=0.1 and patience=10 (E-13).
001:55 calls scheduler.step() before train, right up to PyTorch 1.0 and since 1.1 one epoch early
(E-21). 001:47 and 001:60 cut every "20K epochs", or with a step_size of 1k or 10k, where the code
has 30 epochs: those are iterations (E-36), here 938 an epoch (60 000 images in batches of 64).

Command: python -m experiments --only when_do_the_printed_schedules_cut_the_rate (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, Verdict, demonstration, figure
from jaxtricks.control import plateau
from jaxtricks.schedules import step_decay

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-13", "E-21", "E-36")
PATIENCE, STEP_SIZE, ITERATIONS_PER_EPOCH = 10, 30, 938
LONG_STEPS = (1_000, 10_000, 20_000)


@dataclasses.dataclass(frozen=True)
class Config:
    """`observations` of a metric that never improves; `epochs` of the step schedule."""

    observations: int = 40
    epochs: int = 100


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Rates by observation, by epoch, and by the unit in which the long step is counted."""
    rule = plateau(0.1, patience=PATIENCE, initial=0.1, threshold_mode="rel")
    metric = jnp.ones(config.observations)
    _, right = jax.lax.scan(lambda s, v: rule.update(v, s)[::-1], rule.init(), metric)
    epochs = jnp.arange(config.epochs)
    iterations = epochs * ITERATIONS_PER_EPOCH
    long = {
        str(every): {
            "epochs": jax.vmap(step_decay(0.05, every))(epochs),
            "iterations": jax.vmap(step_decay(0.05, every))(iterations),
        }
        for every in LONG_STEPS
    }
    return {
        "plateau_right": right,
        "plateau_literal": printed_plateau(np.ones(config.observations)),
        "refused": factor_ten_is_refused(),
        "step_right": jax.vmap(step_decay(0.05, STEP_SIZE))(epochs),
        "step_literal": printed_order(config.epochs),
        "long": long,
        "first_cut_epoch": np.array(LONG_STEPS) / ITERATIONS_PER_EPOCH,
    }


def printed_plateau(metric: np.ndarray, rate: float = 0.1, factor: float = 10.0) -> np.ndarray:
    """PyTorch's rule in its own words with the printed factor, which PyTorch itself refuses."""
    best, bad, rates = np.inf, 0, []
    for value in metric:
        improved = value < best * (1 - 1e-4)
        best, bad = (value, 0) if improved else (best, bad + 1)
        if bad > PATIENCE:
            rate, bad = rate * factor, 0
        rates.append(rate)
    return np.array(rates)


def printed_order(epochs: int) -> np.ndarray:
    """001:54-57 on a scheduler that counts its own calls: the rate that each epoch trains with."""
    rates, last_epoch = [], 0  # PyTorch >= 1.1 has set up epoch 0 when the loop begins
    for _ in range(epochs):
        last_epoch += 1  # scheduler.step()
        rates.append(0.05 * 0.1 ** (last_epoch // STEP_SIZE))  # train(...)
    return np.array(rates)


def factor_ten_is_refused() -> bool:
    try:
        plateau(10.0)
    except ValueError:
        return True
    return False


def cuts(rates: np.ndarray) -> list[int]:
    """The indices of the first value after each change."""
    return (np.flatnonzero(np.diff(rates)) + 1).tolist()


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-13: three plateaus end a thousand times above and below. E-21: one epoch early, all three.

    E-36: counted in epochs a 20 000 never cuts; counted in iterations it does.
    """
    wrong, right = results["plateau_literal"], results["plateau_right"]
    early, late = cuts(results["step_literal"]), cuts(results["step_right"])
    long, epochs = results["long"], len(results["step_right"])
    in_epochs = [len(cuts(long[str(every)]["epochs"])) for every in LONG_STEPS]
    in_iterations = [len(cuts(long[str(every)]["iterations"])) for every in LONG_STEPS]
    first = results["first_cut_epoch"]
    return [
        demonstration(
            "E-13",
            np.isclose(wrong[-1], 100, rtol=1e-5)
            and np.isclose(right[-1], 1e-4, rtol=1e-5)
            and results["refused"],
            f"rate after {len(cuts(right))} plateaus: {wrong[-1]:g} with factor 10, "
            f"{right[-1]:.4g} with factor 0.1, from 0.1; our rule refuses factor 10",
            panel="a",
        ),
        demonstration(
            "E-21",
            early == [29, 59, 89] and late == [30, 60, 90],
            f"first epochs with a smaller rate: {early} if step() comes before training, {late} "
            "after it, as the printed comment says",
            panel="b",
        ),
        demonstration(
            "E-36",
            sum(in_epochs) == 0 and min(in_iterations) > 0,
            f"cuts in {epochs} epochs at a step of 1 000, 10 000 and 20 000: {in_epochs} counted "
            f"in epochs, the first after {first[0]:.1f}, {first[1]:.1f} and {first[2]:.1f} epochs "
            f"counted in iterations ({ITERATIONS_PER_EPOCH} an epoch)",
            panel="c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Rates by observation, and by epoch."""
    fig, (factor, order, unit) = figure(1, 3, height=4.8)
    x = np.arange(1, len(results["plateau_right"]) + 1)
    wrong, right = results["plateau_literal"], results["plateau_right"]
    factor.step(x, wrong, where="post", color=LITERAL, ls="--", label="factor 10 (printed)")
    factor.step(x, right, where="post", color=RIGHT, label="factor 0.1, patience 10")
    factor.set(yscale="log", ylim=(3e-5, 1e5))
    factor.set(xlabel="epoch without improvement", ylabel="learning rate")
    factor.set_title("ReduceLROnPlateau's factor")
    factor.legend(loc="upper left")
    epochs = np.arange(len(results["step_right"]))
    order.step(epochs, results["step_right"], where="post", color=RIGHT, label="train, then step()")
    early = results["step_literal"]
    order.step(epochs, early, where="post", color=LITERAL, ls="--", label="step(), then train")
    order.set(xlabel="epoch", ylabel="learning rate", yscale="log", xlim=(20, 99))
    order.set_title("cuts at 29, 59, 89 or 30, 60, 90")
    order.legend(loc="upper right")
    never = results["long"][str(LONG_STEPS[-1])]["epochs"]
    unit.plot(epochs, never, color=LITERAL, ls="--", label="counted in epochs (1k, 10k and 20k)")
    for every, colour in zip(LONG_STEPS[1:], (COLOURS[4], RIGHT), strict=True):
        rates = results["long"][str(every)]["iterations"]
        label = f"{every // 1000}k counted in iterations"
        unit.step(epochs, rates, where="post", color=colour, label=label)
    unit.set(xlabel=f"epoch ({ITERATIONS_PER_EPOCH} iterations)", ylabel="learning rate")
    unit.set(yscale="log", ylim=(1e-11, 1e6))
    unit.set_title("a step counted in epochs or iterations")
    unit.legend(loc="upper right")
    return fig
