"""Does accumulating the gradients of batches solve the memory problem?

000:127-177 guesses that small batches are not only for lack of graphics memory, since an epoch's
batch gradients can be stored and averaged (batch gradient descent), and shows the prices of three
cards; 001:119 says that SGD saves memory. The notes' network (784-256-128-64-32-10 ReLU, no
dropout; 64 inputs where MNIST is not prepared), gradient descent. Bytes of one update from the
compiled program: arguments, results that reuse none of them, and temporaries; nothing is run.
C-004: a line through the bytes of one full batch must fit with R^2 > 0.99, and 128 examples need
less than all. C-002: the accumulated update must be the full batch's within 1e-6, the last part
whole or ragged, and its bytes must grow by at most 1 % of the full batch's a further example. The
note's "store" is read as a running sum of batches that come one by one (a reading chosen, not
measured); besides: all examples on the device and taken in parts, and every gradient kept.

Command: python -m experiments --only does_accumulation_solve_the_memory_problem  (CPU, about 20 s)
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure
from experiments.engine.before import Verdict, combine, exact
from jaxtricks import data, models, optimizers, training

FIGURES = ("F-013",)
CLAIMS = ("C-002", "C-004")

PRICES = {  # as printed, 000:129-177: yuan, and gigabytes where it says
    "GTX1060": (1789, ()),
    "GTX1080Ti": (7599, (11,)),
    "Tesla V100": (80999, (16, 32)),
}
EPOCH, SGD_BATCH = 60_000, 128  # examples of MNIST, and of a usual batch
ARMS = ("full batch", "all gradients kept", "in parts", "one by one")


@dataclasses.dataclass(frozen=True)
class Config:
    """`sizes`: examples of an update; `part`: of a batch that divides them; `hidden`: units."""

    sizes: tuple[int, ...] = (128, 1024, 8192, 65_536)
    part: int = 64
    hidden: tuple[int, ...] = (256, 128, 64, 32)
    count: int = 1024


SMOKE = Config(sizes=(16, 32), part=8, hidden=(), count=16)
FULL = Config(sizes=(128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536), count=8192)


def run(config: Config) -> dict[str, Any]:
    """Bytes of an update per arm and size, and differences between updates."""
    name = "mnist" if data.available("mnist") else "digits"
    examples = data.load(name, limit=config.count, validation=0).train
    rule = optimizers.gradient_descent(0.1)
    model = models.MLP((*config.hidden, 10))
    loss = training.classification_loss(model)
    image = np.float32(examples["image"][:1])
    init = jax.jit(model.init, static_argnames="train")
    state = trainer(loss, rule).init(init(jax.random.key(0), image, train=False))
    return {
        "data_set": name,
        "sizes": config.sizes,
        "part": config.part,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        "bytes": memory(loss, rule, state, examples, config),
        "differences": differences(loss, rule, state, examples, config.part),
    }


def trainer(loss: training.Loss, rule: Any, parts: int = 1) -> training.Trainer:
    """Takes a batch in so many parts, without diagnostics."""
    return training.trainer(loss, rule, accumulate=parts, diagnostics=False)


def memory(
    loss: training.Loss, rule: Any, state: training.TrainState, examples: dict, config: Config
) -> dict[str, list[int]]:
    """Bytes of an update over each number of examples."""
    rows = {arm: [] for arm in ARMS}
    for size in config.sizes:
        parts = size // config.part
        steps = {
            "full batch": trainer(loss, rule).step,
            "in parts": trainer(loss, rule, parts).step,
            "all gradients kept": keep_all(loss, rule, parts),
        }
        for arm, step in steps.items():
            rows[arm].append(program_bytes(step, state, examples, size))
        gradual = trainer(loss, optimizers.accumulate(rule, parts))
        gathering = gradual.init(training.variables(state))
        rows["one by one"].append(program_bytes(gradual.step, gathering, examples, config.part))
    return rows


def keep_all(loss: training.Loss, rule: Any, parts: int) -> Callable:
    """The note read to the letter: stores the gradient of every part, then takes their mean."""

    def step(state: training.TrainState, batch: dict, key: jax.Array) -> Any:
        def mean_loss(params: Any, part: dict) -> jax.Array:
            return jnp.mean(loss(params, {}, part, {"dropout": key}, train=True)[0])

        split = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), batch)
        stored = jax.lax.map(lambda part: jax.grad(mean_loss)(state.params, part), split)
        stored = jax.lax.optimization_barrier(stored)
        mean = jax.tree.map(lambda g: jnp.mean(g, axis=0), stored)
        updates, opt_state = rule.update(mean, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return dataclasses.replace(state, params=params, opt_state=opt_state), {}

    return step


def program_bytes(step: Callable, state: Any, examples: dict, size: int) -> int:
    """Bytes that the compiled step holds, its state donated, for a batch of `size` examples."""
    batch = {
        name: jax.ShapeDtypeStruct((size, *values.shape[1:]), values.dtype)
        for name, values in examples.items()
    }
    lowered = jax.jit(step, donate_argnums=0).lower(state, batch, jax.random.key(0))
    used = lowered.compile().memory_analysis()
    if used is None:
        raise RuntimeError("this backend does not say how much memory a program takes.")
    held = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
    return held + used.temp_size_in_bytes


def differences(
    loss: training.Loss, rule: Any, state: training.TrainState, examples: dict, part: int
) -> dict[str, float]:
    """Largest difference in a parameter from the full batch's update, after one update."""
    size = len(examples["label"]) // part * part
    whole = {name: values[:size] for name, values in examples.items()}
    gradual = optimizers.accumulate(rule, size // part)
    full, parted = (jax.jit(trainer(loss, rule, parts).step) for parts in (1, size // part))

    @jax.jit
    def streamed(batch: dict) -> training.TrainState:
        def gradient(params: Any, piece: dict) -> Any:
            losses, _ = loss(params, {}, piece, {}, train=True)
            mass = jnp.sum(piece["weight"])
            return jnp.sum(piece["weight"] * losses) / mass, mass

        def body(opt_state: Any, piece: dict) -> Any:
            slope, mass = jax.grad(gradient, has_aux=True)(state.params, piece)
            updates, opt_state = gradual.update(slope, opt_state, state.params, weight=mass)
            return opt_state, updates

        pieces = jax.tree.map(lambda x: x.reshape(size // part, part, *x.shape[1:]), batch)
        _, updates = jax.lax.scan(body, gradual.init(state.params), pieces)
        return optax.apply_updates(state.params, jax.tree.map(lambda u: u[-1], updates))

    out = {}
    for name, missing in (("whole", 0), ("ragged", part // 2)):
        batch = {**whole, "weight": np.float32(np.arange(size) < size - missing)}
        target = full(state, batch, jax.random.key(0))[0].params
        found = {
            "in parts": parted(state, batch, jax.random.key(0))[0].params,
            "one by one": streamed(batch),
        }
        for arm, params in found.items():
            out[f"{arm}, {name}"] = distance(params, target)
    return out


def distance(params: Any, target: Any) -> float:
    """The largest difference of two entries."""
    trees = (jax.device_get(jax.tree.leaves(tree)) for tree in (params, target))
    return max(float(np.abs(a - b).max()) for a, b in zip(*trees, strict=True))


def line(results: dict[str, Any], arm: str) -> tuple[float, float, float]:
    """Bytes an example, bytes at 0 examples, and R^2 of the line."""
    sizes, used = np.asarray(results["sizes"], float), results["bytes"][arm]
    slope, start = np.polyfit(sizes, used, 1)
    spread = np.sum((used - np.mean(used)) ** 2)
    rest = np.sum((used - start - slope * sizes) ** 2)
    return float(slope), float(start), float(1 - rest / spread) if spread else 1.0


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-002: exact and flat; C-004: linear, and less for a small batch."""
    slope, start, fit = line(results, "full batch")
    saved = slope * EPOCH + start, slope * SGD_BATCH + start
    linear = exact("C-004", fit > 0.99, f"{slope / 1e3:.2f} kB an example, R^2 = {fit:.5f}")
    less = exact(
        "C-004",
        saved[1] < saved[0],
        f"by that line {saved[1] / 1e6:.1f} MB for {SGD_BATCH} examples, {saved[0] / 1e6:.0f} MB "
        f"for {EPOCH}",
    )
    worst = max(results["differences"].values())
    same = exact("C-002", worst <= 1e-6, f"whole and ragged: at most {worst:.1e} from full batch")
    growth = {arm: round(line(results, arm)[0]) for arm in ARMS}
    flat = exact(
        "C-002",
        growth["one by one"] <= 0.01 * slope,
        f"one by one {results['bytes']['one by one'][0] / 1e6:.2f} MB for any number; bytes a "
        f"further example: {growth['one by one']}, full batch {slope:.0f}, in parts "
        f"{growth['in parts']}, all gradients kept {growth['all gradients kept']}",
    )
    return [combine("C-002", [same, flat]), combine("C-004", [linear, less])]


def draw(results: dict[str, Any]) -> Figure:
    """The prices, memory against examples, and what a further example costs."""
    fig, (price, used, growth) = figure(1, 3, width=4.4, height=3.5)
    draw_prices(price)
    for i, arm in enumerate(ARMS):
        used.loglog(
            results["sizes"], np.asarray(results["bytes"][arm]) / 1e6, "os^D"[i] + "-", ms=4,
            color=COLOURS[i], label=arm,
        )  # fmt: skip
    used.set(
        xlabel="examples of one update", ylabel="MB of the compiled update",
        title=f"{results['data_set']}: {results['parameters']:,.0f} parameters, batches of "
        f"{results['part']:.0f}",
    )  # fmt: skip
    used.legend()
    slopes = [max(line(results, arm)[0], 0.0) for arm in ARMS]
    bars = growth.bar(range(len(ARMS)), slopes, color=COLOURS[: len(ARMS)])
    growth.bar_label(bars, [f"{slope:,.0f}" for slope in slopes])
    growth.set_xticks(range(len(ARMS)), [arm.replace(" ", "\n", 1) for arm in ARMS])
    growth.set(ylabel="bytes a further example", title="slope of the memory")
    return fig


def draw_prices(axes: Axes) -> None:
    """The advertisements' prices, with what a gigabyte costs where they say how many."""
    bars = axes.bar(range(len(PRICES)), [price for price, _ in PRICES.values()], color=COLOURS[0])
    texts = [
        f"¥{price:,}" + "".join(f"\n¥{price / gb:,.0f} / GB at {gb} GB" for gb in memory)
        for price, memory in PRICES.values()
    ]
    axes.bar_label(bars, texts, fontsize=7, padding=2)
    axes.set_xticks(range(len(PRICES)), list(PRICES))
    axes.set(ylabel="price, yuan", ylim=(0, 100_000), title="as advertised in the notes")
