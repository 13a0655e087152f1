"""Does ReduceLROnPlateau cut when the loss stalls, and otherwise only record?

The lecture (001:36-45) says so, and that a cut takes off a half "or by some rule". The rates that
PyTorch's own `ReduceLROnPlateau` gave for 14 sequences of metrics (flat, falling, with NaN,
negative, all its options) are compared with our preset; a loss that always falls, one that is flat
and one that falls and then stalls say what triggers a cut. 001:45 is read as a factor of one half.

Command: python -m experiments --only does_the_plateau_rule_wait_for_a_stall      (CPU, about 2 s)
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, figure
from experiments.engine.before import Verdict, combine, exact
from jaxtricks import control
from jaxtricks.presets import torch as presets
from tests.golden.tables import PLATEAUS

CLAIMS = ("C-049",)
ERRATA = ("E-89",)

# Made by PyTorch itself, with `python -m tests.golden.generate torch`.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "torch.json"
PATIENCE = 10


@dataclasses.dataclass(frozen=True)
class Config:
    """`epochs`: of the three losses made for the purpose."""

    epochs: int = 60


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Our rates beside PyTorch's, and the rates for three losses with both factors."""
    golden = json.loads(GOLDEN.read_text())
    epochs = np.arange(config.epochs, dtype=np.float32)
    losses = {
        "falling": 2 * np.float32(0.97) ** epochs,
        "flat": np.ones_like(epochs),
        "falls, then stalls": np.maximum(2 * np.float32(0.93) ** epochs, 0.5),
    }
    ours, tenth, half = follow_all(np.stack(list(losses.values())))
    return {
        "torch": golden["versions"]["torch"],
        "ours": ours,
        "theirs": golden["plateaus"],
        "losses": losses,
        "tenth": dict(zip(losses, tenth, strict=True)),
        "half": dict(zip(losses, half, strict=True)),
    }


@jax.jit
def follow_all(losses: jax.Array) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    """PyTorch's cases; the losses with the default factor, and with a half."""
    cases = [
        follow(presets.reduce_lr_on_plateau(**case.arguments), jnp.array(metrics))
        for case, metrics in PLATEAUS
    ]
    tenth, half = presets.reduce_lr_on_plateau(0.1), presets.reduce_lr_on_plateau(0.1, factor=0.5)
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
    """PyTorch's rates exactly; no cut while falling; the first cut at bad epoch patience + 1."""
    pairs = list(zip(results["ours"], results["theirs"], strict=True))
    error = max(np.max(np.abs(ours / theirs - 1)) for ours, theirs in pairs)
    tenth, losses = results["tenth"], results["losses"]
    bad = {
        name: int(cuts(tenth[name])[0]) - stall(losses[name]) + 1
        for name in ("flat", "falls, then stalls")
    }
    golden = exact(
        "C-049",
        error < 1e-6,
        f"{len(pairs)} sequences, {sum(len(ours) for ours, _ in pairs)} metrics: largest relative "
        f"distance from PyTorch {results['torch']}'s rates {error:.1e}",
    )
    trigger = exact(
        "C-049",
        len(cuts(tenth["falling"])) == 0 and set(bad.values()) == {PATIENCE + 1},
        f"falling loss: {len(cuts(tenth['falling']))} cuts in {len(losses['falling'])} epochs; "
        f"first cut at bad epoch {bad['flat']} (flat) and {bad['falls, then stalls']} (stalled)",
    )
    return [combine("C-049", [golden, trigger]), halves(results)]


def halves(results: dict[str, Any]) -> Verdict:
    """E-89: the rule's default multiplies by 0.1; a half is another rule."""
    tenth, half = (results[name]["flat"] for name in ("tenth", "half"))
    third = cuts(tenth)[2]
    golden = results["theirs"][0]
    return exact(
        "E-89",
        np.isclose(golden[cuts(golden)[0]], 0.01) and tenth[third] < half[third] / 100,
        f"PyTorch's default multiplies by {golden[cuts(golden)[0]] / golden[0]:.2g}: after three "
        f"cuts 0.1 is {tenth[third]:.3g}, with halves {half[third]:.3g}",
    )


def draw(results: dict[str, Any]) -> Figure:
    """The three losses above, the rates below: multiplied by 0.1, and halved as printed."""
    fig, axes = figure(2, 3, width=3.9, height=2.3, sharex=True)
    for i, (name, loss) in enumerate(results["losses"].items()):
        draw_loss(axes[i], name, loss)
        rate = axes[3 + i]
        tenth, half = results["tenth"][name], results["half"][name]
        rate.step(np.arange(len(loss)), tenth, where="post", color=RIGHT, label="times 0.1")
        rate.step(
            np.arange(len(loss)), half, "--", where="post", color=LITERAL, label="halved (001:45)"
        )
        for cut in cuts(tenth):
            axes[i].axvline(cut, color="grey", lw=0.7, ls=":")
            rate.axvline(cut, color="grey", lw=0.7, ls=":")
        rate.set(yscale="log", ylim=(1e-7, 0.5), xlabel="epoch")
    axes[0].plot([], [], "x", ms=4, color=COLOURS[3], label="bad")
    axes[0].legend(loc="upper right", ncol=2)
    axes[0].set_ylabel("loss")
    axes[3].set_ylabel("learning rate")
    axes[3].legend(loc="lower left")
    return fig


def draw_loss(axes: Axes, name: str, loss: np.ndarray) -> None:
    """One loss, its bad epochs marked."""
    epochs = np.arange(len(loss))
    bad = np.append(False, np.diff(loss) >= 0)
    axes.plot(epochs[~bad], loss[~bad], ".", color=COLOURS[2], label="better than ever")
    axes.plot(epochs[bad], loss[bad], "x", ms=4, color=COLOURS[3])
    axes.set(title=f"{name} (dotted: cuts, patience {PATIENCE})", ylim=(0, 2.6))
