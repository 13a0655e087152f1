"""Does it matter whether the rate stands inside the velocity or outside?

001:13 and 002:229 multiply the velocity by the rate; 002:293 and 004:74 put the rate into it. As
long as the rate is constant, both forms take the same steps. Here it drops to a tenth on the way:
after 100 steps under a constant gradient of 1, where both displacements have a closed form, and
after 10 steps on the valley; rho = 0.9, float64. Outside, the whole velocity shrinks at once;
inside, old gradients keep their old rate until they have decayed.

Command: python -m experiments --only does_the_rate_belong_inside_the_velocity      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, figure
from experiments.lab.scenes import DECAY, VALLEY_START, valley
from jaxtricks import optimizers, schedules, surfaces

FIGURES = ("F-098",)
CLAIMS = ()

FORMS = {"outside": False, "inside": True}


@dataclasses.dataclass(frozen=True)
class Config:
    """The rate is multiplied by `factor` after `drop` steps of `steps`, of which `after` more are
    counted; on the valley, whose paths begin at `start`, after `valley_drop`.

    It starts at `rate`, on the valley at `valley_rate`; `decay` is rho, from 0 to under 1.
    """

    drop: int = 100
    after: int = 10
    steps: int = 140
    valley_drop: int = 10
    rate: float = 0.1
    valley_rate: float = 0.02
    factor: float = 0.1
    decay: float = DECAY
    start: tuple[float, float] = VALLEY_START


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Both forms under a constant gradient, and on the valley."""
    with jax.enable_x64(True):
        results: dict[str, Any] = {"drop": config.drop, "after": config.after}
        results |= {"valley_drop": config.valley_drop, "decay": config.decay}
        results["rates"] = [config.rate, config.factor * config.rate]
        results["valley_rates"] = [config.valley_rate, config.factor * config.valley_rate]
        ground = lambda w: w, jnp.zeros(()), config.rate, config.drop
        bowl = valley(), jnp.array(config.start), config.valley_rate, config.valley_drop
        for name, inside in FORMS.items():
            path, on_valley = follow(config, inside, *ground), follow(config, inside, *bowl)
            results |= {
                f"{name} position": path.points,
                f"{name} displacement": path.points[config.drop + config.after]
                - path.points[config.drop],
                f"{name} loss": on_valley.losses,
            }
    return results


def follow(
    config: Config, inside: bool, loss: Any, start: jax.Array, rate: float, drop: int
) -> Any:
    schedule = schedules.multistep_decay(rate, (drop,), factor=config.factor)
    rule = optimizers.momentum(schedule, decay=config.decay, lr_inside=inside)
    return surfaces.trajectory(rule, loss, start, config.steps)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Owns a figure only; the erratum about the two forms is judged elsewhere."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Position under a constant gradient, and the valley's loss."""
    fig, (position, losses) = figure(1, 2, width=5.8, height=4.4)
    drop, after = results["drop"], results["after"]
    for i, name in enumerate(FORMS):
        look = {"color": COLOURS[i], "linestyle": ("-", "--")[i]}
        moved = results[f"{name} displacement"]
        y = results[f"{name} position"] - results[f"{name} position"][drop]
        label = rf"rate {name} $v$: ${moved:.2f}$ in {after} steps"
        position.plot(range(-10, 3 * after + 1), y[drop - 10 : drop + 3 * after + 1], label=label,
                      **look)  # fmt: skip
        losses.semilogy(results[f"{name} loss"], label=f"rate {name} $v$", **look)
    for axes, where in ((position, 0), (losses, results["valley_drop"])):
        axes.axvline(where, color="grey", linestyle=":", linewidth=1)
        axes.legend(loc="upper right")
    position.axvspan(0, after, color="grey", alpha=0.1, linewidth=0)
    position.set(xlabel="steps after the drop", ylabel="position, 0 at the drop")
    position.set_title("constant gradient 1, rate from {:g} to {:g}".format(*results["rates"]))
    losses.set(xlabel="step (dotted: the drop)", ylabel="loss")
    before, after = results["valley_rates"]
    losses.set_title(rf"valley, rate from {before:g} to {after:g}, $\rho$ = {results['decay']}")
    return fig
