"""Does ReduceLROnPlateau cut when the loss stalls, and otherwise only record?

The lecture (001:36-45) says so, and that a cut takes off a half "or by some rule". The rates that
PyTorch's own `ReduceLROnPlateau` gave for 14 sequences of metrics (flat, falling, with NaN,
negative, all its options) are compared with our preset; a loss that always falls, one that is flat
and one that falls and then stalls say what triggers a cut. 001:45 is read as a factor of one half.

Command: python -m experiments --only does_the_plateau_rule_wait_for_a_stall      (CPU, about 2 s)
"""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    exactly,
    figure,
    holds,
    tolerance,
)
from jaxtricks import control
from jaxtricks.presets import torch as presets
from tests.golden.tables import PLATEAUS

CLAIMS = ("C-049",)
ERRATA = ("E-89",)
PLANS = {
    "C-049": Plan(
        effects={"relative distance": 1e-6},
        gates=("factor",),
        settings={"patience": 10, "factor": 0.1, "first rate": 0.1},
    )
}

# Made by PyTorch itself, with `python -m tests.golden.generate torch`.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "torch.json"
NAMES = {"falling": "falls", "flat": "is flat", "falls, then stalls": "falls, then stalls"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`epochs`: of the three losses made for the purpose, and the `patience` tried on them.

    `rate`: the first one; `falls`: what multiplies, every epoch from 2 on, the falling loss and
    the one that stalls at `floor`.
    """

    epochs: int = 60
    patience: int = 10
    rate: float = 0.1
    falls: tuple[float, float] = (0.97, 0.93)
    floor: float = 0.5


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Our rates beside PyTorch's, and the rates for three losses with both factors."""
    golden = json.loads(GOLDEN.read_text())
    epochs = np.arange(config.epochs, dtype=np.float32)
    steady, sooner = map(np.float32, config.falls)
    losses = {
        "falling": 2 * steady**epochs,
        "flat": np.ones_like(epochs),
        "falls, then stalls": np.maximum(2 * sooner**epochs, config.floor),
    }
    ours, tenth, half = follow_all(np.stack(list(losses.values())), config)
    return {
        "patience": config.patience,
        "torch": golden["versions"]["torch"],
        "ours": ours,
        "theirs": golden["plateaus"],
        "losses": losses,
        "tenth": dict(zip(losses, tenth, strict=True)),
        "half": dict(zip(losses, half, strict=True)),
        "rejected": rejects(1.0) and rejects(2.0),
    }


def rejects(factor: float) -> bool:
    """Whether the rule refuses a factor that would not make the rate smaller."""
    try:
        presets.reduce_lr_on_plateau(0.1, factor=factor)
    except ValueError:
        return True
    return False


@functools.partial(jax.jit, static_argnums=1)
def follow_all(losses: jax.Array, config: Config) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    """PyTorch's cases; the losses with the default factor, and with a half."""
    cases = [
        follow(presets.reduce_lr_on_plateau(**case.arguments), jnp.array(metrics))
        for case, metrics in PLATEAUS
    ]
    tenth, half = (
        presets.reduce_lr_on_plateau(config.rate, patience=config.patience, factor=factor)
        for factor in (0.1, 0.5)
    )
    over_losses = jax.vmap(follow, (None, 0))
    return cases, over_losses(tenth, losses), over_losses(half, losses)


def follow(machine: control.ControlRule, metrics: jax.Array) -> jax.Array:
    """The rate after each metric."""

    def observe(state, value):
        rate, state = machine.update(value, state)
        return state, rate

    return jax.lax.scan(observe, machine.init(), metrics)[1]


def cuts(rates: np.ndarray) -> np.ndarray:
    """The epochs whose metric made the rate smaller."""
    return np.flatnonzero(np.diff(rates) < 0) + 1


def stall(loss: np.ndarray) -> int:
    """The first epoch that brings nothing new."""
    return int(np.flatnonzero(np.diff(loss) >= 0)[0]) + 1


def judge(results: dict[str, Any]) -> list[Verdict]:
    """PyTorch's rates; no cut while falling; the first cut at bad epoch patience + 1."""
    pairs = list(zip(results["ours"], results["theirs"], strict=True))
    tenth, losses = results["tenth"], results["losses"]
    bad = {
        name: int(cuts(tenth[name])[0]) - stall(losses[name]) + 1
        for name in ("flat", "falls, then stalls")
    }
    falling, patience = len(cuts(tenth["falling"])), int(results["patience"])
    parts = [
        tolerance(
            f"relative distance of the rates from those of PyTorch {results['torch']} in "
            f"{len(pairs)} sequences of metrics",
            [exactly(rate) for ours, theirs in pairs for rate in ours / theirs - 1],
            within=PLANS["C-049"].effects["relative distance"],
        ),
        holds(
            f"{falling} cuts in {len(losses['falling'])} epochs of a falling loss, claimed none",
            falling == 0,
            panel="a",
        ),
        holds(
            f"first cut at bad epoch {bad['flat']} of a flat loss and {bad['falls, then stalls']} "
            f"of one that stalls, claimed patience + 1 = {patience + 1}",
            set(bad.values()) == {patience + 1},
            panel="b",
        ),
    ]
    gate = Gate("factor", bool(results["rejected"]), "factors of 1 and 2 are rejected")
    scope = (
        f"ReduceLROnPlateau's rule, patience {patience} and factor 0.1, on made losses of "
        f"{len(losses['flat'])} epochs and {len(pairs)} sequences with all its options, float32"
    )
    return [all_of("C-049", parts, gates=[gate], scope=scope), halves(results)]


def halves(results: dict[str, Any]) -> Verdict:
    """E-89: the rule's default multiplies by 0.1; a half is another rule."""
    tenth, half = (results[name]["flat"] for name in ("tenth", "half"))
    third = cuts(tenth)[2]
    golden = results["theirs"][0]
    shown = np.isclose(golden[cuts(golden)[0]], 0.01) and tenth[third] < half[third] / 100
    text = (
        f"PyTorch's default multiplies by {golden[cuts(golden)[0]] / golden[0]:.2g}, so three cuts "
        f"make {tenth[third]:.3g} of 0.1, where halves would make {half[third]:.3g}"
    )
    return demonstration("E-89", bool(shown), text, panel="b")


def draw(results: dict[str, Any]) -> Figure:
    """The rate of each made loss, multiplied by 0.1 and halved as printed; the loss in grey."""
    fig, axes = figure(1, 3, width=5.4, height=4.6)
    for panel, (name, loss) in zip(axes, results["losses"].items(), strict=True):
        epochs = np.arange(len(loss))
        tenth, half = results["tenth"][name], results["half"][name]
        panel.step(epochs, tenth, where="post", color=RIGHT, label="rate, times 0.1")
        panel.step(epochs, half, "--", where="post", color=LITERAL, label="rate, halved (001:45)")
        panel.set(yscale="log", ylim=(1e-7, 30), xlabel="epoch", ylabel="learning rate")
        panel.set_yticks(10.0 ** np.arange(-7, 0, 2))
        cut = f"cut at bad epoch {results['patience'] + 1:.0f}" if len(cuts(tenth)) else "no cut"
        panel.set_title(f"the loss {NAMES[name]}: {cut}")
        draw_loss(panel.twinx(), loss)
    axes[0].plot([], [], ".", color="grey", label="loss, better than ever")
    axes[0].plot([], [], "x", color="black", ms=4, label="loss, a bad epoch")
    axes[0].legend(loc="center left", bbox_to_anchor=(0, 0.3))
    return fig


def draw_loss(axes: Axes, loss: np.ndarray) -> None:
    """One loss on the right-hand axis, its bad epochs marked."""
    epochs = np.arange(len(loss))
    bad = np.append(False, np.diff(loss) >= 0)
    axes.plot(epochs[~bad], loss[~bad], ".", color="grey")
    axes.plot(epochs[bad], loss[bad], "x", ms=4, color="black")
    axes.spines.right.set_visible(True)
    axes.set(ylim=(-5, 2.2), yticks=(0, 1, 2))
    axes.set_ylabel("loss", loc="top")
    axes.grid(visible=False)
