"""Which variance of the weights keeps the signal, and which the gradient?

The lecture (004:360-383): o = sum of N_in products, so Var[o] = N_in sigma^2 gamma^2, and the
gradient's with N_out; both are kept if N_in sigma^2 = N_out sigma^2 = 1, hence 2 / (N_in + N_out).
Its derivation loses the sum and turns a product into a sum (E-10), its conclusion sounds as if both
held (E-56), and its He is 4 / (N_in + N_out) (E-08). Linear layers drawn at random: one of 500
inputs, and those of 784-256-128-64-32-10, each with N(0, 1) inputs and gradients; and ReLU through
all of them.

Command: python -m experiments --only which_variance_keeps_signal_and_gradient      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import figure, interval
from experiments.engine.before import Verdict, combine, exact
from jaxtricks import initializers

CLAIMS = ("C-094",)
ERRATA = ("E-08", "E-10", "E-56")
TIER = 2

SIGMA2, GAMMA2 = 0.04, 2.0  # of weights and inputs in the notes' derivation, mean 0 or 1
WITHIN = 0.1  # of the law


@dataclasses.dataclass(frozen=True)
class Config:
    """`draws` of every layer's weights, with `examples` inputs each."""

    sizes: tuple[int, ...] = (784, 256, 128, 64, 32, 10)
    inputs: int = 500
    examples: int = 100
    draws: int = 50


SMOKE = Config(sizes=(20, 10, 5), inputs=20, draws=5)
FULL = Config(examples=1000, draws=500)
STARTS = {
    "Xavier": initializers.xavier(),
    "forward only": initializers.lecun(),
    "backward only": initializers.fan_out(),
}
LOOKS = {"Xavier": "#009E73", "forward only": "#0072B2", "backward only": "#D55E00"}
HE = {"fan in": initializers.he("fan_in"), "as printed": initializers.he("fan_avg")}


def run(config: Config) -> dict[str, Any]:
    """Ratios of variances by draw: of a sum, of each layer forward and back, of a ReLU network."""
    keys = jax.random.split(jax.random.key(0), config.draws)
    shapes = list(zip(config.sizes[:-1], config.sizes[1:], strict=True))

    def one(key: jax.Array) -> dict[str, Any]:
        return {
            "sums": one_sum(key, config),
            "gains": {
                name: jnp.stack([gains(key, draw, shape, config) for shape in shapes])
                for name, draw in STARTS.items()
            },
            "relu": {name: through_relu(key, draw, config) for name, draw in HE.items()},
        }

    found = jax.device_get(jax.jit(lambda keys: jax.lax.map(one, keys))(keys))
    return {"sizes": config.sizes, "inputs": config.inputs, **found}


def one_sum(key: jax.Array, config: Config) -> jax.Array:
    """Variance of N weighted inputs, of mean 0 and of mean 1."""
    keys = jax.random.split(key, 2)
    weights = SIGMA2**0.5 * jax.random.normal(keys[0], (config.inputs, 1000))
    x = GAMMA2**0.5 * jax.random.normal(keys[1], (config.examples, config.inputs))
    return jnp.stack([jnp.mean(jnp.square((x + mean) @ weights)) for mean in (0.0, 1.0)])


def gains(key: jax.Array, draw: Any, shape: tuple[int, int], config: Config) -> jax.Array:
    """Of one layer: variance of what leaves it, forward and back, over what enters."""
    keys = jax.random.split(key, 3)
    weights = draw(keys[0], shape)
    x = jax.random.normal(keys[1], (config.examples, shape[0]))
    back = jax.random.normal(keys[2], (config.examples, shape[1]))
    return jnp.stack([jnp.mean(jnp.square(x @ weights)), jnp.mean(jnp.square(back @ weights.T))])


def through_relu(key: jax.Array, draw: Any, config: Config) -> jax.Array:
    """Mean square of the last pre-activations, over that of the first ones at 2 / N_in."""
    x = jax.random.normal(key, (config.examples, config.sizes[0]))
    for layer, shape in enumerate(zip(config.sizes[:-1], config.sizes[1:], strict=True)):
        x = jax.nn.relu(x) if layer else x
        x = x @ draw(jax.random.fold_in(key, layer), shape)
    return jnp.mean(jnp.square(x)) / 2


def close(values: np.ndarray, law: float) -> bool:
    """Whether the interval of the mean lies within a tenth of the law."""
    _, low, high = interval(values)
    return bool(abs(low / law - 1) < WITHIN and abs(high / law - 1) < WITHIN)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-094 if sum and gains are within a tenth of their laws; E-10 and E-56 if the printed forms
    are off by more than that; E-08 if the printed He multiplies the signal by the product of
    2 N_in / (N_in + N_out), within a fifth, and fan in by 1."""
    sums, sizes = results["sums"], results["sizes"]
    product, printed = results["inputs"] * SIGMA2 * GAMMA2, results["inputs"] * (SIGMA2 + GAMMA2)
    laws, found, parts = {}, results["gains"], []
    for name in STARTS:
        laws[name] = [law(name, *shape) for shape in zip(sizes[:-1], sizes[1:], strict=True)]
        fits = [
            close(found[name][:, layer, side], expected[side])
            for layer, expected in enumerate(laws[name])
            for side in (0, 1)
        ]
        parts.append(exact("C-094", all(fits), f"{name}: {sum(fits)} of {len(fits)} gains fit"))
    means = sums.mean(axis=0)
    variance = f"variance of {results['inputs']} products {means[0]:.4g}, law {product:.4g}"
    parts.insert(0, exact("C-094", close(sums[:, 0], product), variance))
    first, last = (found["Xavier"][:, layer].mean(axis=0) for layer in (0, -1))
    relu = {name: interval(rows) for name, rows in results["relu"].items()}
    expected = float(
        np.prod([law("Xavier", *s)[0] for s in zip(sizes[:-1], sizes[1:], strict=True)])
    )
    return [
        combine("C-094", parts),
        exact(
            "E-10", not close(sums[:, 0], printed) and not close(sums[:, 1], product),
            f"{variance}, the printed sum {printed:.4g}; with inputs of mean 1 {means[1]:.4g}",
        ),
        exact(
            "E-56", abs(first[0] - 1) > WITHIN and abs(first[1] - 1) > WITHIN,
            f"Xavier's gains forward and back: {first[0]:.3g}, {first[1]:.3g} at {sizes[0]} to "
            f"{sizes[1]}; {last[0]:.3g}, {last[1]:.3g} at {sizes[-2]} to {sizes[-1]}",
        ),
        exact(
            "E-08",
            abs(relu["as printed"][0] / expected - 1) < 0.2 and abs(relu["fan in"][0] - 1) < 0.2,
            f"signal after {'-'.join(map(str, sizes))}: {relu['as printed'][0]:.3g} as printed "
            f"(law {expected:.3g}), {relu['fan in'][0]:.3g} with fan in",
        ),
    ]  # fmt: skip


def law(name: str, n_in: int, n_out: int) -> tuple[float, float]:
    """Variance gains forward and back."""
    weight = {"Xavier": 2 / (n_in + n_out), "forward only": 1 / n_in, "backward only": 1 / n_out}
    return n_in * weight[name], n_out * weight[name]


def draw(results: dict[str, Any]) -> Figure:
    """Gains of each layer, forward and back."""
    fig, panels = figure(1, 2, width=5.0, height=3.6, sharey=True)
    sizes = results["sizes"]
    shapes = list(zip(sizes[:-1], sizes[1:], strict=True))
    for side, (axes, title) in enumerate(zip(panels, ("signal", "gradient"), strict=True)):
        axes.axhline(1, color="black", lw=0.8)
        for place, (name, colour) in enumerate(LOOKS.items()):
            rows = np.array([interval(column) for column in results["gains"][name][..., side].T])
            bars = np.abs(rows[:, 1:].T - rows[:, 0])
            at = np.arange(len(shapes)) + 0.2 * (place - 1)
            axes.errorbar(at, rows[:, 0], bars, fmt="o", ms=5, color=colour, label=name)
            expected = [law(name, *shape)[side] for shape in shapes]
            axes.plot(at, expected, "_", color=colour, ms=16)
        axes.set_xticks(range(len(shapes)), [f"{a} to {b}" for a, b in shapes], fontsize=8)
        axes.set(yscale="log", title=f"variance of the {title}, after / before", xlabel="layer")
    panels[0].set_yticks([0.3, 0.5, 1, 2, 3], ["0.3", "0.5", "1", "2", "3"])
    panels[0].minorticks_off()
    panels[0].set_ylabel("gain of one linear layer")
    panels[0].plot([], [], "k_", ms=16, label="law")
    panels[0].legend()
    draws = len(results["sums"])
    fig.suptitle(f"mean and 95 % interval of {draws} draws of each layer", fontsize=9)
    return fig
