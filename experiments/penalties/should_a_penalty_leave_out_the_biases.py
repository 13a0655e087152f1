r"""Should an L2 penalty leave out the biases?

004:670 says that the penalty does not consider them; 001:21-23 uses PyTorch's `weight_decay`, which
penalises every parameter, and 002:656 writes W alone (E-39). A convention without a stated effect,
so that C-065 is not judged; printed are test points with the biases in the penalty and without.
Planted data with an offset: logistic regression between two clouds on both sides of a plane that is
so far from 0, in 10 dimensions, on 100 examples, minimised by Newton's method in float64, where the
bias alone can move the boundary. Beside it a ReLU net on 1,000 images of MNIST averaged to 14 x 14
pixels (digits where it is not prepared). The masked penalty's gradient is held to the strength
times the weights, and to exact zeros at the biases.

Command: python -m experiments --only should_a_penalty_leave_out_the_biases      (CPU, about 90 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Plan,
    Verdict,
    band,
    convention,
    data_name,
    figure,
    interval,
    not_testable,
)
from experiments.penalties import _nets as nets
from jaxtricks import optimizers, presets, regularizers

CLAIMS = ("C-065",)
ERRATA = ("E-39",)
TIER = 2
PLANS = {"C-065": Plan()}

FEATURES, EXAMPLES, FRESH, NEWTON = 10, 100, 10_000, 30
ARMS = ("weights alone", "biases too")
RATE, STRENGTH = 0.1, 0.1  # of the step without a gradient


@dataclasses.dataclass(frozen=True)
class Config:
    """`offsets`: distances of the plane from 0, in standard deviations of a cloud."""

    data_set: str = "mnist"
    offsets: tuple[float, ...] = (0.0, 1.0, 3.0, 10.0)
    strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    net_strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)
    epochs: int = 60
    count: int = 1000
    seeds: int = 20
    seed: int = 15_065


SMOKE = Config(
    "digits",
    offsets=(0.0, 3.0),
    strengths=(0.1,),
    net_strengths=(0.1,),
    epochs=1,
    count=50,
    seeds=2,
)
FULL = Config(offsets=(0.0, 1.0, 3.0, 10.0, 30.0), epochs=300, count=5000)


def run(config: Config) -> dict[str, Any]:
    """Test errors in percent by arm, `[offset, strength, seed]`, and of nets `[strength, seed]`."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    with jax.enable_x64(True):
        planted = jax.device_get(
            regressions(keys, jnp.array(config.offsets), jnp.array(config.strengths))
        )
        step = jax.device_get({"left": one_step(), "gradient": masked_gradient()})
    images = lab.read(config.data_set, pool=20_000, validation=2000)
    recipe = nets.Recipe(count=config.count, epochs=config.epochs)

    def one(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> Any:
        sets = lab.Images(pool, validation, test, images.name)
        return nets.train(key, trial, pool, recipe).losses(sets)["test"]["error"]

    strengths = np.array(config.net_strengths, np.float32)
    biases = {"weights alone": np.zeros_like(strengths), "biases too": strengths}
    found = {
        arm: lab.over(one, {"L2": strengths, "biases": biases[arm]}, keys, images[:3])
        for arm in ARMS
    }
    return {
        "data_set": images.name,
        "offsets": config.offsets,
        "strengths": config.strengths,
        "net strengths": config.net_strengths,
        "planted": planted,
        "nets": found,
        **step,
    }


@jax.jit
def regressions(keys: jax.Array, offsets: jax.Array, strengths: jax.Array) -> dict[str, jax.Array]:
    """Test errors in percent of both arms, `[offset, strength, seed]`, as one program."""

    def one(key: jax.Array, offset: jax.Array, strength: jax.Array, biases: float) -> jax.Array:
        train_key, test_key = jax.random.split(key)
        x, sign = clouds(train_key, offset, EXAMPLES)
        fresh_x, fresh_sign = clouds(test_key, offset, FRESH)
        params = minimum(x, sign, strength, biases)
        wrong = fresh_sign * (fresh_x @ params[:-1] + params[-1]) <= 0
        return 100 * jnp.mean(wrong)

    def arm(biases: float) -> jax.Array:
        def given(key: jax.Array, offset: jax.Array, strength: jax.Array) -> jax.Array:
            return one(key, offset, strength, biases)

        over_keys = jax.vmap(given, (0, None, None))
        over_strengths = jax.vmap(over_keys, (None, None, 0))
        return jax.vmap(over_strengths, (None, 0, None))(keys, offsets, strengths)

    return dict(zip(ARMS, map(arm, (0.0, 1.0)), strict=True))


def clouds(key: jax.Array, offset: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """Normal points one deviation to both sides of a plane `offset` from 0, and their signs."""
    sign_key, noise_key = jax.random.split(key)
    sign = jax.random.rademacher(sign_key, (count,), float)
    noise = jax.random.normal(noise_key, (count, FEATURES))
    return noise.at[:, 0].add(sign + offset), sign


def minimum(x: jax.Array, sign: jax.Array, strength: jax.Array, biases: float) -> jax.Array:
    """Weights and, last, the bias at the least mean logistic loss with its penalty."""

    def loss(params: jax.Array) -> jax.Array:
        penalty = regularizers.l2(params[:-1], strength)
        penalty += regularizers.l2(params[-1:], strength * biases)
        return jnp.mean(jax.nn.softplus(-sign * (x @ params[:-1] + params[-1]))) + penalty

    def newton(params: jax.Array, _: None) -> tuple[jax.Array, None]:
        return params - jnp.linalg.solve(jax.hessian(loss)(params), jax.grad(loss)(params)), None

    return jax.lax.scan(newton, jnp.zeros(FEATURES + 1), length=NEWTON)[0]


def layers() -> dict[str, Any]:
    """Parameters of a small net, all away from 0."""
    return {"Dense_0": {"kernel": jnp.linspace(1.0, 2.0, 6).reshape(2, 3), "bias": jnp.ones(3)}}


def one_step() -> dict[str, jax.Array]:
    """What a step without a gradient leaves of a bias."""
    params = layers()
    descent = optimizers.gradient_descent(RATE)
    masked = optimizers.add_l2(STRENGTH, mask=optimizers.weights_only)
    rules = {
        "masked": optax.chain(masked, descent),
        "torch": presets.torch.sgd(RATE, weight_decay=STRENGTH),
    }
    zeros, left = jax.tree.map(jnp.zeros_like, params), {}
    for name, tx in rules.items():
        updates, _ = tx.update(zeros, tx.init(params), params)
        left[name] = optax.apply_updates(params, updates)["Dense_0"]["bias"][0]
    return left


def masked_gradient() -> dict[str, jax.Array]:
    """The largest entry at a bias, and the largest difference from strength times a weight."""

    def penalty(params: Any) -> jax.Array:
        return regularizers.l2(params, STRENGTH, mask=optimizers.weights_only)

    found, params = jax.grad(penalty)(layers())["Dense_0"], layers()["Dense_0"]
    off = found["kernel"] - STRENGTH * params["kernel"]
    return {"biases": jnp.max(jnp.abs(found["bias"])), "weights": jnp.max(jnp.abs(off))}


def gains(found: dict[str, Any]) -> np.ndarray:
    """Test points that penalising the weights alone gains over penalising the biases too."""
    alone, too = (np.asarray(found[arm]) for arm in ARMS)
    return too - alone


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Nothing is judged: the claim and the erratum are conventions."""
    beside = []
    for offset, rows in zip(results["offsets"], gains(results["planted"]), strict=True):
        beside.append(
            f"planted offset {offset:g}: leaving the biases out gains "
            f"{listed(rows)} test points at strengths {numbers(results['strengths'])}"
        )
    beside.append(
        f"net on {data_name(results['data_set'])}: it gains {listed(gains(results['nets']))} test "
        f"points at strengths {numbers(results['net strengths'])}"
    )
    gradient, left = results["gradient"], results["left"]
    beside.append(
        f"gradient of the masked penalty: {gradient['biases']:g} at every bias, within "
        f"{gradient['weights']:g} of the strength times the weight at the others"
    )
    reason = "a convention, of which no effect is stated; test points are printed"
    return [
        not_testable("C-065", reason, beside),
        convention(
            "E-39",
            f"a step without a gradient, rate {RATE} and strength {STRENGTH}, leaves "
            f"{left['masked']:.4g} of a bias if the penalty leaves biases out (004:670)",
            f"and {left['torch']:.4g} with PyTorch's weight_decay (001:21-23), which penalises all",
            "002:656 writes W alone and names no bias",
        ),
    ]


def listed(rows: np.ndarray) -> str:
    """Means over the seeds with their intervals."""
    ends = [interval(row) for row in rows]
    return ", ".join(f"{mean:.2g} [{low:.2g}, {high:.2g}]" for mean, low, high in ends)


def numbers(values: Any) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def draw(results: dict[str, Any]) -> Figure:
    """Test errors on planted data, and the points gained there and by the nets."""
    fig, (errors, planted, real) = figure(1, 3, width=4.8, height=4.4)
    offsets, middle = np.asarray(results["offsets"]), len(results["strengths"]) // 2
    for i, arm in enumerate(ARMS):
        rows = np.array([interval(row) for row in results["planted"][arm][:, middle]])
        look = {"color": COLOURS[i], "marker": "os"[i], "ls": ("-", "--")[i], "label": arm}
        band(errors, offsets, *rows.T, **look)
    for i, (offset, found) in enumerate(zip(offsets, gains(results["planted"]), strict=True)):
        rows = np.array([interval(row) for row in found])
        look = {"color": COLOURS[2 + i], "marker": "osD^v"[i], "label": f"offset {offset:g}"}
        band(planted, results["strengths"], *rows.T, **look)
    found = gains(results["nets"])
    rows = np.array([interval(row) for row in found])
    band(real, results["net strengths"], *rows.T, color=COLOURS[1], marker="o")
    errors.set(xlabel="distance of the plane from 0 / deviations", ylabel="test error / %")
    errors.set_title(f"two clouds, strength {results['strengths'][middle]:g}")
    errors.legend(title="penalty on", loc="upper left")
    planted.set_title("two clouds, biases left out")
    planted.legend()
    real.set_title(f"ReLU net, {data_name(results['data_set'])}; 95 % of {found.shape[1]} seeds")
    for axes in (planted, real):
        axes.axhline(0, color="grey", lw=0.8)
        axes.set(xscale="log", xlabel=r"strength $\lambda$", ylabel="test points gained")
    return fig
