"""Does accumulating the gradients of batches solve the memory problem?

000:127-177 guesses that small batches are not only for lack of graphics memory, because the
gradients of an epoch's batches can be stored and averaged before one update, and shows the prices
of three cards; 001:119 says that SGD saves memory. The notes' network (784-256-128-64-32-10 ReLU,
no dropout; 64 inputs where MNIST is not prepared) is trained by gradient descent. The compiled
program of one update tells how many bytes it holds: arguments, results and temporaries.
C-002: where every batch's gradient is kept, the bytes must not grow with the examples (by 1 % of
what the full batch takes for a further one, at most), and the mean must give the full batch's
update within 1e-6. As a control a last batch of half the size must spoil the plain mean (E-15).
Besides: a running sum of batches that come one by one, and all examples on the device, taken in
parts. C-004: the bytes must lie on a line in B, and 128 examples take less than half of all 60,000.

Command: python -m experiments --only does_accumulation_solve_the_memory_problem  (CPU, about 20 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.batches._memory import ARMS, bytes_of_updates, differences, trainer
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    exactly,
    figure,
    tolerance,
    under,
)
from jaxtricks import data, models, optimizers, training

FIGURES = ("F-013",)
CLAIMS = ("C-002", "C-004")
TIER = 2

PRICES = {  # as printed, 000:129-177: yuan, and gigabytes where it says
    "GTX1060": (1789, ()),
    "GTX1080Ti": (7599, (11,)),
    "Tesla V100": (80999, (16, 32)),
}
EPOCH, SGD_BATCH = 60_000, 128  # examples of MNIST, and of a usual batch
PLANS = {
    "C-002": Plan(
        effects={"bytes, of the full batch's": 0.01, "weight": 1e-6},
        gates=("ragged",),
        settings={"arm": "all gradients kept"},
    ),
    "C-004": Plan(
        effects={"bytes, of all examples'": 0.5, "1 - R^2": 0.01},
        gates=("linear",),
        settings={"all": EPOCH, "batch": SGD_BATCH},
    ),
}


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
        "device": jax.devices()[0].platform,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
        "bytes": bytes_of_updates(loss, rule, state, examples, config.sizes, config.part),
        "differences": differences(loss, rule, state, examples, config.part),
    }


def line(results: dict[str, Any], arm: str) -> tuple[float, float, float]:
    """Bytes an example, bytes at 0 examples, and R^2 of the line."""
    sizes, used = np.asarray(results["sizes"], float), results["bytes"][arm]
    slope, start = np.polyfit(sizes, used, 1)
    spread = np.sum((used - np.mean(used)) ** 2)
    rest = np.sum((used - start - slope * sizes) ** 2)
    return float(slope), float(start), float(1 - rest / spread) if spread else 1.0


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-002: flat, and the full batch's update; C-004: linear, and less for a small batch."""
    memory, saving = PLANS["C-002"].effects, PLANS["C-004"].effects
    slope, start, fit = line(results, "full batch")
    all_of_them, batch = slope * EPOCH + start, slope * SGD_BATCH + start
    growth = {arm: round(line(results, arm)[0], 3) + 0.0 for arm in ARMS}  # not -0
    off = results["differences"]
    net = (
        f"{data_name(results['data_set'])} images, ReLU net of {results['parameters']:,.0f} "
        f"parameters, gradient descent, the update as compiled for a {results['device'].upper()}, "
        "float32"
    )
    scope = f"{net}, {results['sizes'][0]:.0f} to {results['sizes'][-1]:,.0f} examples"
    return [
        all_of(
            "C-002",
            [
                tolerance(
                    "bytes for a further example where every batch's gradient is kept, over the "
                    "full batch's",
                    [exactly(growth["all gradients kept"] / slope)],
                    within=memory["bytes, of the full batch's"],
                    panel="c",
                ),
                tolerance(
                    "largest difference from the weights that the full batch gives, whole batches",
                    [exactly(off["all gradients kept, whole"])],
                    within=memory["weight"],
                ),
            ],
            scope=f"{scope} in batches of {results['part']:.0f}",
            gates=[
                Gate(
                    "ragged",
                    off["all gradients kept, ragged"] > memory["weight"],
                    f"with a last batch of {results['part'] / 2:.0f} the plain mean is off by "
                    f"{off['all gradients kept, ragged']:.1e}",
                )
            ],
            beside=[
                f"{arm}: {growth[arm] / slope:.3f} of the full batch's bytes for a further "
                f"example, weights off by {off[arm + ', whole']:.1e}, with a ragged batch "
                f"{off[arm + ', ragged']:.1e}"
                for arm in ("one by one", "in parts")
            ],
        ),
        all_of(
            "C-004",
            [
                tolerance(
                    "R^2 of a line through the bytes",
                    [exactly(fit)],
                    target=1.0,
                    within=saving["1 - R^2"],
                    panel="b",
                ),
                under(
                    f"bytes for {SGD_BATCH} examples over those for {EPOCH:,}",
                    exactly(batch / all_of_them),
                    saving["bytes, of all examples'"],
                    panel="b",
                ),
            ],
            scope=scope,
            gates=[Gate("linear", fit > 1 - saving["1 - R^2"], f"R^2 = {fit:.5f}")],
            beside=[
                f"by that line a batch takes {batch / 1e6:.1f} MB, all {all_of_them / 1e6:.0f} MB"
            ],
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The prices, memory against examples, and what a further example costs."""
    fig, (price, used, growth) = figure(1, 3, width=5.2, height=4.6)
    draw_prices(price)
    for i, arm in enumerate(ARMS):
        bytes_used = np.asarray(results["bytes"][arm]) / 1e6
        look = {"color": COLOURS[i], "marker": "os^D"[i], "label": arm}
        used.loglog(results["sizes"], bytes_used, **look)
    sizes = [int(size) for size in results["sizes"]]
    used.set_xticks(sizes, [f"{size:,}" for size in sizes])
    used.minorticks_off()
    used.set(xlabel="examples of one update", ylabel="MB that the update holds")
    used.set_title(f"{data_name(results['data_set'])}, batches of {results['part']:.0f}")
    used.legend()
    slopes = [max(line(results, arm)[0], 0.0) for arm in ARMS]
    bars = growth.barh(range(len(ARMS)), slopes, color=COLOURS[: len(ARMS)])
    growth.bar_label(bars, [f"{slope:,.0f}" for slope in slopes], padding=4)
    growth.set_yticks(range(len(ARMS)), ["full\nbatch", "all\nkept", "in\nparts", "one by\none"])
    growth.invert_yaxis()
    growth.set(xlabel="bytes for a further example", xlim=(0, 1.25 * max(slopes)))
    growth.set_title("Slopes of the lines of panel b")
    return fig


def draw_prices(axes: Axes) -> None:
    """The advertisements' prices, with what a gigabyte costs where they say how many."""
    bars = axes.bar(range(len(PRICES)), [price for price, _ in PRICES.values()], color="grey")
    texts = [
        f"¥{price:,}" + "".join(f"\n{gb} GB: ¥{price / gb:,.0f}/GB" for gb in memory)
        for price, memory in PRICES.values()
    ]
    axes.bar_label(bars, texts, fontsize=10.5, padding=3)
    axes.set_xticks(range(len(PRICES)), list(PRICES))
    axes.set_yticks(range(0, 80_001, 20_000), [f"{k},000" if k else "0" for k in range(0, 81, 20)])
    axes.set(ylabel="price / yuan", ylim=(0, 104_000), title="As advertised in the notes")
