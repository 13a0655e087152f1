"""Do ragged batches bias the mean of their gradients, and does the printed SGD take one image?

000:127 averages the gradients of an epoch's batches. Where the last batch is smaller, each of its
examples counts more (E-15). 897 to 1024 examples are read in batches of 128; the right weights are
the batches' sizes. Measured is the root mean square error of the mean gradient over data sets of
independent values with standard deviation 1, whose closed form is the distance of the weights.
002:140 promises "one image at a time", but its code passes `data` (E-30). The printed loop and SGD
fit the shared line, and their errors are followed through one pass over the examples.

Command: python -m experiments --only do_ragged_batches_bias_the_mean      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure
from experiments.lab.scenes import LINE_RATE, line_fit, line_start
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-15", "E-30")
BATCH, BATCHES, NOTE_EXAMPLES = 128, 8, 1000
CUTS = range(BATCH, NOTE_EXAMPLES, BATCH)


@dataclasses.dataclass(frozen=True)
class Config:
    """`last`: sizes of the last batch (104: 1000 examples); `seeds`: data sets.

    `rate`: of the line's descent; `orders`: in which SGD takes the line's examples.
    """

    rate: float = LINE_RATE
    orders: int = 20
    last: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 104, 128)
    seeds: int = 200


SMOKE = Config(last=(8, 104, 128), seeds=30)
FULL = Config(seeds=2000)


def mean_gradient(gradients: jax.Array, sizes: jax.Array, weighting: Any) -> jax.Array:
    """What `accumulate` hands on after the batches' mean gradients."""
    rule = optimizers.accumulate(optimizers.gradient_descent(1.0), BATCHES, weighting=weighting)

    def body(state: Any, batch: Any) -> Any:
        update, state = rule.update(batch[0], state, weight=batch[1])
        return state, update

    return -jax.lax.scan(body, rule.init(jnp.zeros(())), (gradients, sizes))[1][-1]


def run(config: Config) -> dict[str, Any]:
    """Errors by size of the last batch; the line by pass."""

    def errors(last: jax.Array, example: jax.Array) -> jax.Array:
        sizes = jnp.full(BATCHES, BATCH).at[-1].set(last)
        there = jnp.arange(BATCH)[None] < sizes[:, None]
        means = jnp.sum(example * there, axis=1) / sizes
        truth = jnp.sum(example * there) / jnp.sum(sizes)
        of_batches = mean_gradient(means, sizes, "batch")
        return jnp.stack([of_batches, mean_gradient(means, sizes, "example")]) - truth

    @jax.jit
    def by_seed() -> jax.Array:
        values = jax.random.normal(jax.random.key(0), (config.seeds, BATCHES, BATCH))
        return jax.vmap(jax.vmap(errors, (None, 0)), (0, None))(jnp.array(config.last), values)

    measured = np.asarray(by_seed())  # [last, seed, weighting]
    return {
        "last": config.last,
        "rms": np.sqrt(np.mean(measured**2, axis=1)),
        "law": [law(last) for last in config.last],
        "note_errors": measured[config.last.index(NOTE_EXAMPLES - BATCH * (BATCHES - 1))],
        "sorted_means": jax.jit(sorted_means)(),
        "rate": config.rate,
        **jax.jit(one_pass, static_argnums=0)(config),
    }


def law(last: int) -> float:
    """Root of the summed squared differences of the weights 1 / (K n_k) and 1 / n."""
    total = BATCH * (BATCHES - 1) + last
    full = BATCH * (BATCHES - 1) * (1 / (BATCHES * BATCH) - 1 / total) ** 2
    return float(np.sqrt(full + last * (1 / (BATCHES * last) - 1 / total) ** 2))


def sorted_means() -> jax.Array:
    """Both means of 1000 values that rise evenly from 0 to 1, read in that order."""
    batches = np.array_split((np.arange(NOTE_EXAMPLES) + 0.5) / NOTE_EXAMPLES, CUTS)
    means = jnp.array([batch.mean() for batch in batches])
    sizes = jnp.array([len(batch) for batch in batches])
    return jnp.stack([mean_gradient(means, sizes, kind) for kind in ("batch", "example")])


def one_pass(config: Config) -> dict[str, Any]:
    """Mean squared error of the line against examples seen: the printed loop, and SGD."""
    inputs, targets = map(jnp.asarray, line_fit())
    start, rule = jnp.array(line_start(), jnp.float32), optimizers.gradient_descent(config.rate)
    whole = surfaces.least_squares(inputs, targets)
    printed = surfaces.trajectory(rule, whole, start, 1)

    def sgd(key: jax.Array) -> jax.Array:
        order = jax.random.permutation(key, len(inputs))

        def body(theta: jax.Array, i: jax.Array) -> Any:
            one = surfaces.least_squares(inputs[i][None], targets[i][None])
            theta = theta - config.rate * jax.grad(one)(theta)
            return theta, 2 * whole(theta)

        losses = jax.lax.scan(body, start, order)[1]
        return jnp.append(2 * whole(start), losses)

    return {
        "printed_error": 2 * printed.losses,
        "sgd_error": jax.vmap(sgd)(jax.random.split(jax.random.key(1), config.orders)),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-15: with 1000 examples the mean of means errs a thousand times as much as the weighted one,
    whose error is under 1e-6. E-30: in every order SGD ends the pass below the printed loop.
    """
    means, weighted = results["rms"][list(results["last"]).index(104)]
    printed, sgd = results["printed_error"], results["sgd_error"]
    return [
        demonstration(
            "E-15",
            bool(weighted < 1e-6 and means > 1000 * weighted),
            f"with 1000 examples in batches of 128 the mean of the means is off by {means:.4f} "
            f"standard deviations, the weighted mean by {weighted:.0e}; of values sorted from 0 "
            f"to 1 they make {results['sorted_means'][0]:.4f} and {results['sorted_means'][1]:.4f}",
            panel="a",
        ),
        demonstration(
            "E-30",
            bool(np.all(sgd[:, -1] < printed[-1])),
            f"in one pass over {sgd.shape[1] - 1} examples the printed loop makes 1 update (error "
            f"{printed[0]:.3g} to {printed[-1]:.3g}), one image at a time {sgd.shape[1] - 1} (to "
            f"{sgd[:, -1].mean():.3g}, the mean of {len(sgd)} orders)",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Errors by size of the last batch; errors of the line in one pass."""
    fig, (ragged, line) = figure(1, 2, width=5.6, height=5.0)
    last, rms = results["last"], results["rms"]
    uneven = results["law"] > 0
    ragged.loglog(last[uneven], results["law"][uneven], "k:", label="law (weights)")
    ragged.loglog(last[uneven], rms[uneven, 0], "o", color=LITERAL, label="mean of the means")
    ragged.loglog(last, rms[:, 1], "s-", color=RIGHT, label="weighted by size")
    ragged.set_xticks([1, 4, 16, 64, 128], ["1", "4", "16", "64", "128"])
    ragged.minorticks_off()
    ragged.set(xlabel="examples in the last batch (others 128)", ylim=(3e-10, 3))
    ragged.set(ylabel="rms error / standard deviation")
    ragged.set_title(f"Mean gradient of 8 batches, {len(results['note_errors'])} data sets")
    ragged.legend(loc="center left")
    sgd, printed = results["sgd_error"], results["printed_error"]
    seen = np.arange(sgd.shape[1])
    line.semilogy(seen, sgd.T, color=RIGHT, alpha=0.3, linewidth=1)
    line.plot([0, seen[-1], seen[-1]], [printed[0], *printed], color=LITERAL, ls="--")
    line.plot(seen[-1], printed[-1], "o", color=LITERAL)
    line.text(20, 1.15 * printed[0], "as printed: all of `data`, 1 update", color=LITERAL)
    line.text(26, 1.2, f"one image a step,\n{len(sgd)} orders", color=RIGHT)
    line.set(xlabel="examples seen (one pass)", ylabel="mean squared error of all", ylim=(0.2, 12))
    line.set_yticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "1", "2", "5", "10"])
    line.minorticks_off()
    line.set_title(f"The printed SGD is batch descent (rate {results['rate']})")
    return fig
