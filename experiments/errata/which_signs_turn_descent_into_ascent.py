"""Which misprinted signs turn descent into ascent?

001:12 subtracts the gradient from a velocity that 001:11 subtracts again (E-01). 004:242 does the
same to Adam's first moment, 004:250 subtracts it again, the code of 004:244 does not (E-02).
000:116 and 001:119 multiply (y_hat - y) x by the gradient, which is (y_hat - y) x: a square has no
sign (E-14). 004:103 unfolds the velocity with a minus before the older one (E-18). Each printed
line is followed next to the right one, from the same start at the same rate: alpha 0.03 and
beta 0.78 (001:18) for 50 steps, Adam's for 500, single examples of the shared line for 640.

Command: python -m experiments --only which_signs_turn_descent_into_ascent      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure
from experiments.lab.scenes import LINE_RATE, RATES, line_fit, line_start, valley
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-01", "E-02", "E-14", "E-18")
NON_FINITE = ("example_literal",)
EXAMPLE_GRADIENTS, EXAMPLE_RATE, EXAMPLE_DECAY = (1.0, 2.0, 3.0), 0.1, 0.9


@dataclasses.dataclass(frozen=True)
class Config:
    """Updates of each path; `rate` and `decay` are those of the note's momentum picture.

    `adam_rate`: Adam's on the valley; `line_rate`: of the single examples.
    """

    rate: float = 0.03
    decay: float = 0.78
    adam_rate: float = RATES["adam"]
    line_rate: float = LINE_RATE
    momentum_steps: int = 50
    adam_steps: int = 500
    examples: int = 640


SMOKE = Config(adam_steps=200, examples=128)
FULL = Config()


def printed_momentum(rate: float, decay: float) -> optax.GradientTransformation:
    """001:11-12: z = beta z - g, w = w - alpha z."""

    def update(g: jax.Array, z: jax.Array, params: object = None) -> tuple[jax.Array, jax.Array]:
        z = decay * z - g
        return -rate * z, z

    return optax.GradientTransformation(jnp.zeros_like, update)


def printed_adam(rate: float, b1: float = 0.9, b2: float = 0.999) -> optax.GradientTransformation:
    """004:242-250: v = b1 v - (1 - b1) g, w = w - eta v / sqrt(s + eps)."""

    def update(g: jax.Array, state: Any, params: object = None) -> tuple[jax.Array, Any]:
        v, s = b1 * state[0] - (1 - b1) * g, b2 * state[1] + (1 - b2) * g * g
        return -rate * v / jnp.sqrt(s + 1e-7), (v, s)

    return optax.GradientTransformation(lambda w: (jnp.zeros_like(w), jnp.zeros_like(w)), update)


def run(config: Config) -> dict[str, Any]:
    """Both forms of each line."""
    with jax.enable_x64(True):
        return {
            **jax.jit(follow_valley, static_argnums=0)(config),
            "adam_steps": config.adam_steps,
            "examples": config.examples,
            **follow_examples(config.examples, config.line_rate),
            **unfold(),
        }


def follow_valley(config: Config) -> dict[str, jax.Array]:
    """Losses of momentum and of Adam, in both forms."""
    start, steps = jnp.array(valley().start, jnp.float64), config.momentum_steps
    rate = config.adam_rate
    right_adam = optimizers.adam(rate, eps_inside=True, bias_correction=False)
    right_momentum = optimizers.momentum(config.rate, decay=config.decay)

    def losses(tx: optax.GradientTransformation, steps: int) -> jax.Array:
        return surfaces.trajectory(tx, valley(), start, steps).losses

    return {
        "momentum_literal": losses(printed_momentum(config.rate, config.decay), steps),
        "momentum_right": losses(right_momentum, steps),
        "adam_literal": thin(losses(printed_adam(rate), config.adam_steps)),
        "adam_right": thin(losses(right_adam, config.adam_steps)),
    }


def thin(curve: jax.Array) -> jax.Array:
    return jnp.append(curve[: -1 : max(1, len(curve) // 150)], curve[-1])


def follow_examples(steps: int, rate: float) -> dict[str, Any]:
    """Mean squared error of the line after each update on one example, drawn by the same keys."""
    inputs, targets = map(jnp.asarray, line_fit())

    def one(key: jax.Array, theta: jax.Array) -> jax.Array:
        i = jax.random.randint(key, (), 0, len(inputs))
        return surfaces.least_squares(inputs[i][None], targets[i][None])(theta)

    right = optimizers.gradient_descent(rate)
    literal = optax.chain(optax.stateless(lambda g, _: g * g), right)

    @jax.jit
    def follow(start: jax.Array, key: jax.Array) -> list[jax.Array]:
        paths = [surfaces.trajectory(tx, one, start, steps, key=key) for tx in (literal, right)]
        return [jnp.mean((path.points @ inputs.T - targets[None]) ** 2, axis=1) for path in paths]

    wrong, meant = map(np.asarray, follow(jnp.array(line_start(), jnp.float64), jax.random.key(0)))
    return {
        "example_literal": wrong[:160],
        "example_literal_finite": np.sum(np.isfinite(wrong)),
        "example_right": meant[:160],
        "example_right_end": meant[-1],
    }


def unfold() -> dict[str, Any]:
    """The third velocity: from the rule, from the printed unfolding, from the printed sum."""
    tx = optimizers.momentum(EXAMPLE_RATE, decay=EXAMPLE_DECAY, lr_inside=True)
    state, velocities = tx.init(jnp.zeros(())), []
    for gradient in EXAMPLE_GRADIENTS:
        step, state = tx.update(jnp.array(gradient), state)
        velocities.append(float(step))
    g, eta, rho = EXAMPLE_GRADIENTS, EXAMPLE_RATE, EXAMPLE_DECAY
    return {
        "velocities": velocities,
        "unfolded": rho * (-rho * velocities[0] - eta * g[1]) - eta * g[2],
        "printed_sum": -eta * sum(rho ** (3 - j) * g[j - 1] for j in (1, 2, 3)),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the printed form ends above where it began, the right form 1000 times below.

    E-14: the printed error rises, the right one falls. E-18: the rule gives the printed final sum
    (to 1e-6), and not the printed line before it.
    """
    r = results
    verdicts = []
    for subject, key, steps, panel in (
        ("E-01", "momentum", len(r["momentum_right"]) - 1, "a"),
        ("E-02", "adam", r["adam_steps"], "b"),
    ):
        first, wrong, right = r[f"{key}_right"][0], r[f"{key}_literal"][-1], r[f"{key}_right"][-1]
        text = f"loss {first:.3g} after {steps} steps: printed {wrong:.2g}, right {right:.2g}"
        holds = wrong > first and right < first / 1000
        verdicts.append(demonstration(subject, holds, text, panel=panel))
    first, end = r["example_right"][0], r["example_right_end"]
    finite = int(r["example_literal_finite"])
    diverged = finite <= r["examples"]
    grown = diverged or r["example_literal"][-1] > first
    text = (
        f"mean squared error {first:.3g} after {r['examples']} single examples: right {end:.3g}, "
    )
    text += f"printed {'not finite from update ' + str(finite) if diverged else 'grown'}"
    verdicts.append(demonstration("E-14", grown and end < first, text, panel="c"))
    velocity, literal = r["velocities"][-1], r["unfolded"]
    same = abs(velocity - r["printed_sum"]) < 1e-6 and abs(velocity - literal) > 0.01
    text = f"gradients 1, 2, 3: third velocity {velocity:.3f} (rule and printed sum), "
    verdicts.append(demonstration("E-18", same, text + f"{literal:.3f} by the printed unfolding"))
    return verdicts


def draw(results: dict[str, Any]) -> Figure:
    """Losses of both forms."""
    fig, (momentum, adam, example) = figure(1, 3, height=4.6)
    panels = (
        (momentum, "momentum", "the sign in momentum's velocity"),
        (adam, "adam", "the sign in Adam's first moment"),
        (example, "example", "the gradient's square, an example a step"),
    )
    for axes, key, title in panels:
        show_losses(axes, results[f"{key}_literal"], results[f"{key}_right"])
        axes.set(title=title, xlabel="step", ylabel="loss on the valley")
    adam.lines[0].set_xdata(np.linspace(0, results["adam_steps"], len(results["adam_right"])))
    adam.lines[1].set_xdata(np.linspace(0, results["adam_steps"], len(results["adam_right"])))
    adam.relim()
    adam.autoscale_view()
    example.set(ylabel="mean squared error", xlim=(-2, 80), ylim=(0.05, 1e30))
    return fig


def show_losses(axes: Axes, literal: np.ndarray, right: np.ndarray) -> None:
    axes.semilogy(literal, color=LITERAL, linestyle="--", label="as printed")
    axes.semilogy(right, color=RIGHT, label="right")
    axes.legend()
