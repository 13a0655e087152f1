"""Do real ensembles cost too much?

Note 004:722 says that training many models and combining them costs too much computation and
storage. The 784-256-128-64-32-10 ReLU net of 000:49-55 is trained by Adam for some steps, in
batches of 128 random images (the pixels do not change the cost): one model, and k = 2, 4 and 8 at
once by `vmap`. Besides, the ensemble predicts 1,000 images. Clocks take turns, and ratios to one
model are formed within a round. C-141: at k = 8 the training time and the bytes of the stored
parameters are more than four times those of one model, so that not even half of the cost is saved;
the time is judged by its log10 over the rounds. It is the seconds that the processor spends (on
other devices those that pass), which stay the same where others use the machine; the seconds that
pass are given besides. What is too much is left to the reader. As a control one model is timed
twice in each round, and the ratio must be 1 to a quarter.

Command: python -m experiments --only do_real_ensembles_cost_too_much      (CPU, about 25 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
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
    over,
)
from experiments.performance.timing import cpu_model, interleaved
from jaxtricks import models, optimizers
from jaxtricks.averaging import ensemble_predictions

FIGURES = ()
CLAIMS = ("C-141",)
ALONE = True  # it measures seconds
TIER = 2

TASKS = ("training", "prediction")
MODELS = 8
PLANS = {
    "C-141": Plan(
        effects={"times one model": 4.0, "same twice": 0.25},
        gates=("same twice", "device"),
        settings={"models": MODELS, "clock": "processor, if that is the device"},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of training, on one batch after another; `images`: to predict."""

    sizes: tuple[int, ...] = (1, 2, 4, 8)
    hidden: tuple[int, ...] = (256, 128, 64, 32)
    batch: int = 128
    steps: int = 20
    images: int = 1000
    rounds: int = 20


SMOKE = Config(sizes=(1, 8), hidden=(8,), batch=8, steps=2, images=8, rounds=3)
FULL = Config(sizes=(1, 2, 4, 8, 16), steps=100, images=10_000, rounds=40)


def run(config: Config) -> dict[str, Any]:
    """Seconds `[size, round]` of both tasks, first one model again, and the members' bytes."""
    model = models.MLP((*config.hidden, 10))
    ours = lab.trainer(model, optimizers.adam(1e-3))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (config.steps, config.batch, 28, 28, 1), np.uint8)
    labels = rng.integers(0, 10, images.shape[:2], np.int32)
    batches = jax.device_put({"image": images, "label": labels})
    asked = jax.device_put(np.float32(images.reshape(-1, 28, 28, 1)[: config.images]) / 255)

    def train(params: Any, batches: Any) -> Any:
        key = jax.random.key(0)
        state = ours.init({"params": params})
        state, _ = jax.lax.scan(lambda s, b: ours.step(s, b, key), state, batches)
        return state.params

    def predict(params: Any, images: jax.Array) -> jax.Array:
        return model.apply({"params": params}, images, train=False)

    def predict_together(params: Any, images: jax.Array) -> jax.Array:
        return ensemble_predictions(jax.vmap(predict, (0, None))(params, images))

    together = jax.jit(jax.vmap(train, (0, None))), jax.jit(predict_together)
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), asked[:1])["params"]
    contenders, stored = {}, []
    for size in config.sizes:
        draws = jax.tree.map(lambda leaf, k=size: rng.normal(0, 0.1, (k, *leaf.shape)), shapes)
        members = jax.device_put(jax.tree.map(np.float32, draws))
        stored.append(sum(leaf.nbytes for leaf in jax.tree.leaves(members)))
        for task, work, rest in zip(TASKS, together, (batches, asked), strict=True):
            contenders[task, size] = functools.partial(finish, work, members, rest)
    contenders["training", "again"] = contenders["training", config.sizes[0]]
    clocks = interleaved(contenders, config.rounds)
    names = {
        "training": [("training", size) for size in config.sizes],
        "prediction": [("prediction", size) for size in config.sizes],
        "again": [("training", "again")],
    }
    passed = {name: np.stack([clocks.wall[row] for row in rows]) for name, rows in names.items()}
    spent = {name: np.stack([clocks.cpu[row] for row in rows]) for name, rows in names.items()}
    device = jax.devices()[0]
    on_processor = device.platform == "cpu"
    return {
        "data_set": "random pixels",
        "device": cpu_model() if on_processor else device.device_kind,
        "clock": "processor time" if on_processor else "time",
        "sizes": config.sizes,
        "steps": config.steps,
        "parameters": stored[0] // 4,
        "stored": stored,
        "training, passed": passed["training"],
        **(spent if on_processor else passed),
    }


def finish(work: Callable[..., Any], *operands: Any) -> None:
    """Does the work to its end."""
    jax.block_until_ready(work(*operands))


def ratios(results: dict[str, Any], task: str) -> np.ndarray:
    """Time over that of one model in the same round, `[size, round]`."""
    return results[task] / results[task][:1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Training time and stored bytes at k = 8 against half of 8."""
    effects, place = PLANS["C-141"].effects, list(results["sizes"]).index(MODELS)
    bound, stored = effects["times one model"], results["stored"]
    parts = [
        over(
            f"log10 of the training's {results['clock']} of {MODELS} models at once over one's "
            f"({np.log10(bound):.3f} is {bound:g} times)",
            np.log10(ratios(results, "training")[place]),
            float(np.log10(bound)),
            panel="b",
        ),
        over(
            f"bytes of {MODELS} models' parameters over one's",
            exactly(stored[place] / stored[0]),
            bound,
            panel="b",
        ),
    ]
    same = np.log10(results["again"][0] / results["training"][0])
    twice = 10 ** np.array(interval(same))
    most = 1 + effects["same twice"]
    gates = [
        Gate(
            "same twice",
            bool(1 / most < twice[1] and twice[2] < most),
            f"one model timed twice: ratio {twice[0]:.2f} [{twice[1]:.2f}, {twice[2]:.2f}]",
        ),
        Gate("device", None, results["device"]),
    ]
    beside = [
        f"{MODELS} models over one, geometric mean of the rounds: {name} "
        f"{10 ** np.mean(np.log10(ratios(results, task)[place])):.1f}"
        for name, task in (
            (f"training's {results['clock']}", "training"),
            ("training's time passed", "training, passed"),
            (f"{results['clock']} of the ensemble's prediction", "prediction"),
        )
    ]
    scope = (
        f"random images, ReLU net of {results['parameters']:,.0f} parameters, Adam, "
        f"{results['steps']:.0f} updates of batch 128, float32, {results['device']}"
    )
    return [all_of("C-141", parts, scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Seconds of both tasks, and the ratios to one model."""
    fig, (times, costs) = figure(1, 2, width=5.6, height=4.8)
    sizes = np.asarray(results["sizes"])
    stored = np.asarray(results["stored"])
    for i, task in enumerate(TASKS):
        look = {"color": COLOURS[i], "marker": "os"[i], "label": task}
        low, middle, high = np.percentile(1000 * results[task], (25, 50, 75), axis=1)
        band(times, sizes, middle, low, high, **look)
        rows = np.array([interval(row) for row in np.log10(ratios(results, task))[1:]])
        band(costs, sizes, *np.vstack([np.ones((1, 3)), 10**rows]).T, **look)
    costs.plot(sizes, stored / stored[0], "^:", color=COLOURS[2], label="stored parameters")
    bound = PLANS["C-141"].effects["times one model"]
    costs.axhline(bound, color="black", ls="--", lw=1, label=f"judged at $k$ = {MODELS}: over this")
    times.set(ylabel=f"{results['clock']} / ms", title="Median and quartiles")
    costs.set(ylabel="times one model")
    costs.set_title(f"Over one model: mean and 95 % of {results['training'].shape[1]} rounds")
    for panel in (times, costs):
        panel.set(xscale="log", yscale="log", xlabel="models in the ensemble, $k$")
        panel.set_xticks(sizes, [str(int(size)) for size in sizes])
        panel.minorticks_off()
        panel.legend()
    costs.set_yticks(sizes, [str(int(size)) for size in sizes])
    ticks = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
    low, high = times.get_ylim()
    shown = [tick for tick in ticks if low < tick < high]
    times.set_yticks(shown, [str(tick) for tick in shown])
    return fig
