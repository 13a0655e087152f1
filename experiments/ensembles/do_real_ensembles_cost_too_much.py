"""Do real ensembles cost too much?

Note 004:722: training many models and averaging them costs too much computation and storage. The
784-256-128-64-32-10 ReLU net of 000:49-55, Adam, batches of 128 random images (the pixels do not
change the cost): one model, and k = 2, 4 and 8 at once by `vmap`, trained for some steps; and the
ensemble's prediction of 1,000 images. One after another k models cost k times as much, so a ratio
is the smaller of k and the measured one: clocks take turns, ratios to one model are formed within a
round, and their median counts. C-141: confirmed if at k = 8 training time, prediction time and
stored parameters are all at least four times those of one model, half the cost without any saving.

Command: python -m experiments --only do_real_ensembles_cost_too_much      (CPU, about 12 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import COLOURS, band, figure
from experiments.engine.before import Verdict, exact
from experiments.performance._timing import interleaved
from jaxtricks import models, optimizers
from jaxtricks.averaging import ensemble_predictions

FIGURES = ()
CLAIMS = ("C-141",)
ALONE = True  # it measures seconds
TIER = 2

TASKS = ("training", "prediction")


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of training, on one batch after another; `images`: to predict."""

    sizes: tuple[int, ...] = (1, 2, 4, 8)
    hidden: tuple[int, ...] = (256, 128, 64, 32)
    batch: int = 128
    steps: int = 20
    images: int = 1000
    rounds: int = 5
    seeds: int = 1


SMOKE = Config(sizes=(1, 8), hidden=(8,), batch=8, steps=2, images=8, rounds=2)
FULL = Config(sizes=(1, 2, 4, 8, 16), steps=100, images=10_000, rounds=15)


def run(config: Config) -> dict[str, Any]:
    """Seconds `[size, round]` of both tasks, and the bytes of the members' parameters."""
    model = models.MLP((*config.hidden, 10))
    ours = networks.trainer(model, optimizers.adam(1e-3))
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
    wall = interleaved(contenders, config.rounds).wall
    seconds = {task: np.stack([wall[task, size] for size in config.sizes]) for task in TASKS}
    return {"data_set": "random pixels", "sizes": config.sizes, "stored": stored, **seconds}


def finish(work: Callable[..., Any], *operands: Any) -> None:
    """Does the work to its end."""
    jax.block_until_ready(work(*operands))


def at_once(results: dict[str, Any], task: str) -> np.ndarray:
    """Median over the rounds of the time to that of one model, `[size]`."""
    return np.median(results[task] / results[task][:1], axis=1)


def ratios(results: dict[str, Any], task: str) -> np.ndarray:
    """The same, but at most k, which models one after another cost."""
    return np.minimum(at_once(results, task), results["sizes"])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """All three ratios at k = 8 against half of 8."""
    place = list(results["sizes"]).index(8)
    stored = results["stored"][place] / results["stored"][0]
    times = [ratios(results, task)[place] for task in TASKS]
    text = (
        f"8 models against one: {times[0]:.1f} times the training time, {times[1]:.1f} times the "
        f"prediction time, {stored:.1f} times the stored parameters (all at once by vmap: "
        f"{at_once(results, 'training')[place]:.1f} and "
        f"{at_once(results, 'prediction')[place]:.1f} times the time)"
    )
    return [exact("C-141", min(*times, stored) >= 4, text)]


def draw(results: dict[str, Any]) -> Figure:
    """Seconds of both tasks and the ratios to one model."""
    fig, axes = figure(1, 3, width=4.2, height=3.4)
    sizes = np.asarray(results["sizes"])
    for panel, task in zip(axes, TASKS, strict=False):
        low, middle, high = np.percentile(1000 * results[task], (25, 50, 75), axis=1)
        band(panel, sizes, middle, low, high, color=COLOURS[0], marker="o", label="all at once")
        panel.plot(sizes, middle[0] * sizes, ":", color="black", label="one after another")
        panel.set(xscale="log", yscale="log", ylabel="milliseconds")
        panel.set_title(f"{task}: median and quartiles, {results[task].shape[1]} rounds")
        panel.legend()
    last = axes[-1]
    stored = np.asarray(results["stored"])
    curves = {task: ratios(results, task) for task in TASKS}
    curves["stored parameters"] = stored / stored[0]
    for (name, values), colour, line in zip(
        curves.items(), COLOURS[2:], ("-", "--", ":"), strict=False
    ):
        last.plot(sizes, values, "o", linestyle=line, color=colour, label=name)
    last.axhline(4, color="black", ls="--", lw=0.8, label="too much at $k$ = 8")
    last.set(
        xscale="log",
        yscale="log",
        ylabel="times one model",
        title="ratio to one model, in the cheaper way",
    )
    last.set_yticks(sizes, sizes)
    last.legend()
    for panel in axes:
        panel.set_xticks(sizes, sizes)
        panel.minorticks_off()
        panel.set_xlabel("models in the ensemble, $k$")
    return fig
