"""Does a start from zero learn?

The lecture (004:309-310): for logistic regression zeros or small random numbers will do; for deep
models the start deserves thought. Softmax regression and a net of two hidden tanh layers learn the
digits by full-batch momentum from zeros, from all weights equal, and from N(0, s^2) of three
deviations s. The regression has an L2 penalty of 0.001, which its loss contains: without one the
digits can be separated and no loss is the least. "Will do" means a final loss at most 1 % over that
of the best start, once every gradient is under 1e-6; it is judged by the worst seed, for rounding
is all that seeds differ in. From zeros the units of a layer get equal gradients and stay one unit,
and a net of one unit that is zero knows the shares of the classes only: its loss is ln 10.

Command: python -m experiments --only does_a_zero_start_learn      (CPU, about 40 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    equivalent,
    exactly,
    figure,
    holds,
    interval,
    under,
)
from experiments.lab.starts import one_of
from jaxtricks import data, initializers, models, optimizers

CLAIMS = ("C-088", "C-089")
TIER = 2

STARTS = {
    "zeros": initializers.zeros,
    "all 0.1": jax.nn.initializers.constant(0.1),
    "N(0, 0.001²)": initializers.gaussian(std=0.001),
    "N(0, 0.01²)": initializers.gaussian(std=0.01),
    "N(0, 0.1²)": initializers.gaussian(std=0.1),
}
LOOKS = dict(zip(STARTS, ("#000000", "#7F7F7F", COLOURS[4], COLOURS[0], COLOURS[3]), strict=True))
RANDOM = tuple(name for name in STARTS if name[0] == "N")
JUDGED = ("zeros", *RANDOM)
CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Net:
    """Hidden units, L2 penalty of all parameters, rate and decay of momentum, and the precision."""

    hidden: tuple[int, ...]
    penalty: float
    rate: float
    decay: float
    dtype: str


LOGISTIC, DEEP = "softmax regression", "two hidden layers of 32 units"
NETS = {
    LOGISTIC: Net((), 1e-3, 0.5, 0.96, "float64"),
    DEEP: Net((32, 32), 0.0, 0.1, 0.9, "float32"),
}
SETTINGS = {name: dataclasses.asdict(net) for name, net in NETS.items()}
PLANS = {
    "C-088": Plan(
        effects={"loss over the best, minus 1": 0.01, "gradient": 1e-6},
        gates=("conv",),
        settings={"nets": SETTINGS, "starts": JUDGED},
        revised="in a first run, with decay 0.95 and no penalty of the biases, the gradients had "
        "not come under 1e-6; other seeds",
    ),
    "C-089": Plan(
        effects={"loss around ln 10": 1e-3, "trained: loss over ln 10": 0.1},
        gates=("pos",),
        settings={"nets": SETTINGS, "starts": ("zeros", "N(0, 0.1²)")},
        revised="half of the updates, and other seeds, as C-088 was revised",
    ),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Updates of either net, `marks` looks at the loss.

    `seeds`: of the random starts; the others have no random number.
    """

    seed: int = 16_088
    steps: int = 1000
    deep_steps: int = 500
    marks: int = 50
    seeds: int = 10


SMOKE = Config(steps=10, deep_steps=10, marks=2, seeds=2)
FULL = Config(steps=10_000, deep_steps=10_000, marks=500, seeds=50)


def run(config: Config) -> dict[str, Any]:
    """By net and start: training losses `[seed, mark]`, the last over the best start's minus 1, the
    norm of the last gradient, and how many different units the first layer ends with."""
    split = data.load("digits").train
    images = split["image"].reshape(len(split["label"]), -1)
    images = data.standardize(images).apply(images)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    found: dict[str, Any] = {name: {} for name in NETS}
    updates = dict(zip(NETS, (config.steps, config.deep_steps), strict=True))
    with jax.enable_x64(True):
        for name, net in NETS.items():
            examples = {"image": jnp.asarray(images, net.dtype), "label": split["label"]}
            marks = config.marks, updates[name] // config.marks
            one = functools.partial(train, marks=marks, examples=examples, net=net)
            run_all = jax.jit(
                lambda start, keys, one=one: jax.lax.map(lambda k: one(start, k), keys)
            )
            for number, start in enumerate(STARTS):
                ended = jax.device_get(run_all(number, keys if start in RANDOM else keys[:1]))
                first = ended.pop("first")
                found[name][start] = {**ended, "units": units(first)}
            best = min(found[name][start]["loss"][:, -1].mean() for start in JUDGED)
            for ended in found[name].values():
                ended["excess"] = ended["loss"][:, -1] / best - 1
    return {"data_set": "digits", "count": len(images), "updates": updates, "nets": found}


def train(
    start: jax.Array, key: jax.Array, *, marks: tuple[int, int], examples: Any, net: Net
) -> dict[str, jax.Array]:
    """The loss at each mark, the last gradient's norm and the first layer's weights at the end.

    `marks`: how many, and updates from one to the next.
    """
    init = one_of(tuple(STARTS.values()), start)
    model = models.MLP((*net.hidden, CLASSES), activation=jnp.tanh, kernel_init=init)
    params = lab.first_variables(model, key, examples)["params"]
    params = jax.tree.map(lambda w: w.astype(net.dtype), params)
    rule = optimizers.momentum(net.rate, decay=net.decay)

    def loss(params: Any) -> jax.Array:
        logits = model.apply({"params": params}, examples["image"], train=False)
        labels = examples["label"]
        fit = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return fit + net.penalty / 2 * optax.tree.norm(params, squared=True)

    def mark(carry: Any, _: Any) -> tuple[Any, jax.Array]:
        def update(carry: Any, _: Any) -> tuple[Any, None]:
            params, state = carry
            updates, state = rule.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        carry, _ = jax.lax.scan(update, carry, None, marks[1])
        return carry, loss(carry[0])

    (params, _), losses = jax.lax.scan(mark, (params, rule.init(params)), None, marks[0])
    gradient = optax.tree.norm(jax.grad(loss)(params))
    return {"loss": losses, "gradient": gradient, "first": params["Dense_0"]["kernel"]}


def units(kernels: np.ndarray) -> np.ndarray:
    """Of each seed: how many columns differ by more than rounding."""
    scale = np.abs(kernels).max() or 1.0
    return np.array([len(np.unique(np.round(kernel / scale, 4), axis=1).T) for kernel in kernels])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-088 if no start's final loss is over 1 % above the best's; C-089 if from zeros the units
    stay one and the loss is ln 10."""
    return [enough(results), fails(results)]


def enough(results: dict[str, Any]) -> Verdict:
    """C-088: zeros and small random weights, for softmax regression."""
    effects, starts = PLANS["C-088"].effects, results["nets"][LOGISTIC]
    excess = {name: float(np.max(found["excess"])) for name, found in starts.items()}
    steep = max(float(np.max(starts[name]["gradient"])) for name in JUDGED)
    seeds = len(starts[RANDOM[0]]["loss"])
    return all_of(
        "C-088",
        [
            under(
                f"final loss over the best start's, minus 1, from {name}"
                + f", worst of {seeds} seeds" * (name in RANDOM),
                exactly(excess[name]),
                effects["loss over the best, minus 1"],
                panel="a",
            )
            for name in JUDGED
        ],
        scope=f"{LOGISTIC}, {scope(results, LOGISTIC)}",
        gates=[
            Gate("conv", steep < effects["gradient"], f"the largest last gradient is {steep:.2g}")
        ],
        beside=[f"from all weights equal it is {excess['all 0.1']:.2g} over the best"],
    )


def fails(results: dict[str, Any]) -> Verdict:
    """C-089, taken as: a deep net from zeros does not learn."""
    effects, starts = PLANS["C-089"].effects, results["nets"][DEEP]
    end, count = float(starts["zeros"]["loss"][0][-1]), int(starts["zeros"]["units"][0])
    trained = np.asarray(starts["N(0, 0.1²)"]["loss"])[:, -1].max() / np.log(CLASSES)
    width, equal = NETS[DEEP].hidden[0], starts["all 0.1"]
    return all_of(
        "C-089",
        [
            holds(
                f"from zeros the {width} units of the first layer stay one (different units: "
                f"{count})",
                count == 1,
            ),
            equivalent(
                "final training loss from zeros, minus ln 10",
                exactly(end - np.log(CLASSES)),
                within=effects["loss around ln 10"],
                panel="b",
            ),
        ],
        scope=f"{DEEP}, tanh, {scope(results, DEEP)}",
        gates=[
            Gate(
                "pos",
                bool(trained < effects["trained: loss over ln 10"]),
                f"from N(0, 0.1²) the final loss is at most {trained:.2g} of ln 10",
            )
        ],
        beside=[
            f"from all weights equal {int(equal['units'][0])} different units of the first layer "
            f"are left, and the final loss is {float(equal['loss'][0][-1]):.3g}"
        ],
    )


def scope(results: dict[str, Any], name: str) -> str:
    """Of one net's runs."""
    net = NETS[name]
    return (
        f"{results['count']} digits, standardised, L2 penalty {net.penalty:g}, "
        f"{results['updates'][name]} updates of full-batch momentum at rate "
        f"{net.rate:g} and decay {net.decay:g}, {net.dtype}"
    )


def draw(results: dict[str, Any]) -> Figure:
    """Training losses of both networks from all starts."""
    fig, panels = figure(1, 2, width=5.6, height=4.2, sharey=True)
    for axes, (net, starts) in zip(panels, results["nets"].items(), strict=True):
        for i, (name, found) in enumerate(starts.items()):
            losses = np.asarray(found["loss"])
            steps = (1 + np.arange(losses.shape[1])) * results["updates"][net] / losses.shape[1]
            alone = len(losses) == 1
            rows = np.repeat(losses, 3, 0) if alone else np.transpose([*map(interval, losses.T)])
            look = {"color": LOOKS[name], "linestyle": (0, (5, 2 + i)) if alone else "-"}
            band(axes, steps, *rows, label=name, **look)
        axes.set(yscale="log", xlabel="update", title=net)
    panels[0].set_ylabel("training loss / nats")
    panels[0].set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    seeds = len(results["nets"][DEEP][RANDOM[0]]["loss"])
    panels[0].legend(title=f"start (mean and 95 % of {seeds} seeds)", loc="lower right", ncols=2)
    return fig
