"""Do real ensembles cost too much?

Note 004:722: training many models and averaging them costs too much computation and storage. The
784-256-128-64-32-10 ReLU net of 000:49-55, Adam, batches of 128 random images (the pixels do not
change the cost): k = 1, 2, 4 and 8 members trained for some steps, one after another and all at
once by `vmap`, and the ensemble's prediction of 1,000 images in both forms; the quicker form counts.
Clocks take turns, ratios to k = 1 are taken within a round, and their median is reported. C-141:
confirmed if at k = 8 training time, prediction time and stored parameters are all at least four
times those of one model, half of what eight would cost without any saving.

Command: python -m experiments --only do_real_ensembles_cost_too_much      (CPU, about N s)
Found: not yet.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, exact, figure
from experiments.performance._timing import interleaved
from jaxtricks import models, optimizers
from jaxtricks.averaging import ensemble_predictions
from jaxtricks.training import classification_loss, init_state, make_train_step

FIGURES = ()
CLAIMS = ("C-141",)

FORMS = ("one after another", "all at once")
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
    """Seconds `[form, size, round]` of both tasks, and the bytes of the members' parameters."""
    model, tx = models.MLP((*config.hidden, 10)), optimizers.adam(1e-3)
    image_key, label_key, key = jax.random.split(jax.random.key(0), 3)
    shape = (config.steps, config.batch)
    images = jax.random.randint(image_key, (*shape, 28, 28, 1), 0, 256, jnp.uint8)
    batches = {"image": images, "label": jax.random.randint(label_key, shape, 0, 10)}
    asked = images.reshape(-1, 28, 28, 1)[: config.images] / 255
    step = make_train_step(classification_loss(model), tx, rng_streams=(), diagnostics=False)

    def train(key: jax.Array, batches: Any) -> Any:
        params = model.init(key, jnp.ones((1, 28, 28, 1)), train=False)["params"]
        state, _ = jax.lax.scan(lambda s, b: step(s, b, key), init_state(params, tx), batches)
        return state.params

    def predict(params: Any, images: jax.Array) -> jax.Array:
        return model.apply({"params": params}, images, train=False)

    contenders, stored = {}, []
    for size in config.sizes:
        keys = jax.random.split(key, size)
        params = jax.jit(jax.vmap(train, (0, None)))(keys, batches)
        stored.append(sum(leaf.nbytes for leaf in jax.tree.leaves(params)))
        for form in FORMS:
            trained = members(train, form, (keys, batches))
            predicted = members(predict, form, (params, asked), average=True)
            contenders |= {("training", form, size): trained, ("prediction", form, size): predicted}
    wall = interleaved(contenders, config.rounds).wall
    seconds = {
        task: np.array([[wall[task, form, size] for size in config.sizes] for form in FORMS])
        for task in TASKS
    }
    return {"data_set": "random pixels", "sizes": config.sizes, "stored": stored, **seconds}


def members(
    work: Callable[[Any, Any], Any], form: str, operands: tuple[Any, Any], *, average: bool = False
) -> Callable[[], None]:
    """A compiled call of `work` on every member (the first operand's rows), and its wait."""

    @jax.jit
    def all_members(rows: Any, shared: Any) -> Any:
        if form == "all at once":
            out = jax.vmap(work, (0, None))(rows, shared)
        else:
            out = jax.lax.map(lambda row: work(row, shared), rows)
        return ensemble_predictions(out) if average else out

    def call() -> None:
        jax.block_until_ready(all_members(*operands))

    return call


def ratios(seconds: np.ndarray) -> np.ndarray:
    """Median over the rounds of the quicker form's time to that of one model, `[size]`."""
    quicker = seconds.min(axis=0)
    return np.median(quicker / quicker[:1], axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """All three ratios at k = 8 against half of 8."""
    place = list(results["sizes"]).index(8)
    stored = results["stored"][place] / results["stored"][0]
    times = [ratios(results[task])[place] for task in TASKS]
    text = (
        f"8 models against one: {times[0]:.1f} times the training time, {times[1]:.1f} times the "
        f"prediction time, {stored:.1f} times the stored parameters"
    )
    return [exact("C-141", min(*times, stored) >= 4, text)]


def draw(results: dict[str, Any]) -> Figure:
    """Seconds of both forms and the ratios to one model."""
    fig, axes = figure(1, 3, width=4.2, height=3.4)
    sizes = np.asarray(results["sizes"])
    for panel, task in zip(axes, TASKS, strict=False):
        for form, seconds, colour in zip(FORMS, results[task], COLOURS, strict=False):
            low, middle, high = np.percentile(1000 * seconds, (25, 50, 75), axis=1)
            panel.plot(sizes, middle, "o-", color=colour, label=form)
            panel.fill_between(sizes, low, high, color=colour, alpha=0.2, linewidth=0)
        panel.set(xscale="log", yscale="log", ylabel="milliseconds")
        panel.set_title(f"{task}: median and quartiles, {results[task].shape[-1]} rounds")
        panel.legend()
    last = axes[-1]
    stored = np.asarray(results["stored"])
    curves = {task: ratios(results[task]) for task in TASKS}
    curves["stored parameters"] = stored / stored[0]
    for (name, values), colour in zip(curves.items(), COLOURS[2:], strict=False):
        last.plot(sizes, values, "o-", color=colour, label=name)
    last.plot(sizes, sizes, ":", color="black", label="$k$")
    last.set(xscale="log", yscale="log", ylabel="times one model", title="the quicker form")
    last.legend()
    for panel in axes:
        panel.set_xticks(sizes, sizes)
        panel.minorticks_off()
        panel.set_xlabel("models in the ensemble, $k$")
    return fig
