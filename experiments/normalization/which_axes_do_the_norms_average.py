"""Over which axes do batch, layer, instance and group norm average?

The lecture's four cubes (002:107-122), drawn from the layers' behaviour: one entry of a random
batch [N, H, W, C] is changed, and every entry of the output that changes is coloured. Erratum E-50
is that batch norm is printed for rows (1 x D statistics) and used on images, E-29 that a 2-D layer
stands behind dense ones: with the features as its height it standardises all of them together.

Command: python -m experiments --only which_axes_do_the_norms_average      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, convention, demonstration, figure
from jaxtricks.normalization import BatchNorm

FIGURES = ("F-018",)
ERRATA = ("E-29", "E-50")

# Which of N, (H, W) and C the changed entry reaches; of C: all, one, or a half.
WANTED = {
    "batch norm": (True, "one"),
    "layer norm": (False, "all"),
    "instance norm": (False, "one"),
    "group norm": (False, "half"),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The batch of images: N, H = W, and C, a multiple of the `groups` of group norm.

    `change`: is added to one entry. `rows` of features with the `deviations` go through E-29's
    layers.
    """

    examples: int = 4
    side: int = 2
    channels: int = 4
    groups: int = 2
    change: float = 10.0
    rows: int = 200
    deviations: tuple[float, ...] = (0.1, 1.0, 10.0)


SMOKE = Config(examples=2)
FULL = Config()


def trained(layer: BatchNorm, x: jax.Array) -> jax.Array:
    """Normalised by the batch."""
    variables = layer.init(jax.random.key(0), x, train=False)
    return layer.apply(variables, x, train=True, mutable=["batch_stats"])[0]


def plain(layer: nn.Module, x: jax.Array) -> Any:
    """Normalised by a layer without a mode."""
    return layer.apply(layer.init(jax.random.key(0), x), x)


def run(config: Config) -> dict[str, Any]:
    """Which outputs change with the first input; deviations of features behind E-29's layer."""
    shape = (config.examples, config.side, config.side, config.channels)
    norms = {
        "batch norm": lambda x: trained(BatchNorm(), x),
        "layer norm": lambda x: plain(nn.LayerNorm(reduction_axes=(1, 2, 3)), x),
        "instance norm": lambda x: plain(nn.GroupNorm(num_groups=None, group_size=1), x),
        "group norm": lambda x: plain(nn.GroupNorm(num_groups=config.groups), x),
    }

    def measure(key: jax.Array) -> dict[str, Any]:
        x = jax.random.normal(key, shape)
        other = x.at[0, 0, 0, 0].add(config.change)
        changed = {name: jnp.abs(norm(x) - norm(other)) > 1e-6 for name, norm in norms.items()}
        spread = jnp.array([config.deviations])
        rows = jax.random.normal(key, (config.rows, spread.size)) * spread
        as_height = trained(BatchNorm(), rows.reshape(*rows.shape, 1, 1)).reshape(rows.shape)
        deviations = [jnp.std(y, axis=0) for y in (trained(BatchNorm(), rows), as_height)]
        return {"changed": changed, "rows": deviations[0], "as_height": deviations[1]}

    return jax.device_get(jax.jit(measure)(jax.random.key(0)))


def reach(changed: np.ndarray) -> tuple[bool, str]:
    """Whether other examples change, and how many channels of the first one."""
    channels = changed[0].any(axis=(0, 1))
    count = int(channels.sum())
    share = "one" if count == 1 else "all" if count == len(channels) else "half"
    return bool(changed[1:].any()), share


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-50 if batch norm averages over N, H and W of images, and the others over one example;
    E-29 if the 2-D layer leaves features with deviations other than 1, and the 1-D one none."""
    found = {name: reach(np.asarray(results["changed"][name])) for name in WANTED}
    text = ", ".join(
        f"{name}: {'all examples' if every else 'one example'}, {channels} of the channels"
        for name, (every, channels) in found.items()
    )
    wrong, right = results["as_height"], results["rows"]
    return [
        demonstration(
            "E-29",
            np.allclose(right, 1, atol=0.01) and np.abs(wrong - 1).max() > 0.5,
            f"deviations of {len(right)} features behind the 1-D layer "
            f"{np.round(right, 3).tolist()}, behind the 2-D one {np.round(wrong, 3).tolist()}",
        ),
        convention("E-50", f"a changed entry reaches: {text}"),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The cubes: N to the right, C to the back, positions up."""
    fig, panels = figure(1, 4, width=3.4, height=3.9, subplot_kw={"projection": "3d"})
    rows: Any = zip(panels, COLOURS, WANTED, strict=False)
    for axes, colour, name in rows:
        changed = np.asarray(results["changed"][name])
        examples, channels = changed.shape[0], changed.shape[-1]
        cube = changed.reshape(examples, -1, channels).transpose(0, 2, 1)  # N, C, positions
        faces = np.where(cube, colour, "whitesmoke")
        axes.voxels(np.ones_like(cube), facecolors=faces, edgecolor="grey", linewidth=0.4)
        axes.set(title=name, xticks=[], yticks=[], zticks=[])
        for label, write in (("examples", axes.set_xlabel), ("channels", axes.set_ylabel)):
            write(label, labelpad=-12)
        axes.text2D(0.0, 0.5, "positions", va="center", transform=axes.transAxes, rotation=90)
        axes.view_init(elev=22, azim=-60)
    told = "coloured: the outputs that change with one input (first example, channel and position)"
    last: Any = panels[-1]  # drawn last, so that no cube hides the line above all four
    note = last.text2D(-0.03, 1.0, told, transform=last.transAxes, ha="right", va="top")
    note.set_in_layout(False)
    return fig
