"""Where do the warmup, the inverse root and the linear decay start?

002:602 warms up "from 0", 002:599 has t in [1, n] (E-43): the first rate is 0 or alpha / n. 002:563
writes alpha / sqrt(t) with a T that does not occur, and no value at t = 0; the figure beside it is
the Transformer's, with a warmup (E-52). 002:573 calls alpha (1 - t / T) BERT's, without BERT's
warmup: the first update then has the full rate (E-53). Rates of 1 at the peak, 100 updates, 10 of
them warmup.

Command: python -m experiments --only where_do_warmup_and_inverse_root_start      (CPU, about 1 s)
"""

import dataclasses
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, Verdict, convention, demonstration, figure
from jaxtricks import schedules

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-43", "E-52", "E-53")
NON_FINITE = ("inverse_root_printed",)


@dataclasses.dataclass(frozen=True)
class Config:
    """`total` updates, the first `warmup` of them for the ramp."""

    total: int = 100
    warmup: int = 10


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Every schedule at the counts 0, 1, ..."""
    count, warmup = jnp.arange(config.total + 1), config.warmup
    decay = schedules.linear_decay(1.0, config.total - warmup)
    peak = np.sqrt(warmup)  # noam(1, warmup) peaks at 1 / sqrt(warmup)
    curves = {
        "first_step": schedules.linear_warmup(1.0, warmup),
        "zero": schedules.linear_warmup(1.0, warmup, start="zero"),
        "inverse_root_printed": lambda t: 1.0 / jnp.sqrt(jnp.asarray(t, jnp.float32)),
        "inverse_root": schedules.inverse_sqrt_decay(1.0),
        "noam": schedules.noam(1, warmup_steps=warmup, scale=peak),
        "linear_printed": schedules.linear_decay(1.0, config.total),
        "bert": schedules.with_warmup(decay, warmup),
        "bert_zero": schedules.with_warmup(decay, warmup, start="zero"),
    }
    return {
        "warmup": warmup,
        "total": config.total,
        "takes_a_total": "total_steps"
        in inspect.signature(schedules.inverse_sqrt_decay).parameters,
        **{name: jax.vmap(curve)(count) for name, curve in curves.items()},
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-43 is a convention. E-52 if the printed rate is infinite and ours 1, without a total; E-53
    if the first rate is the peak without warmup, and a tenth of it or less with it."""
    r, n = results, results["warmup"]
    printed, ours = r["inverse_root_printed"], r["inverse_root"]
    later = np.allclose(printed[1:], ours[:-1], rtol=1e-6) and not r["takes_a_total"]
    return [
        convention(
            "E-43",
            f"first of {n} warmup updates: {r['zero'][0]:g} (from 0) or {r['first_step'][0]:g} of "
            f"the peak (t from 1); sum of the ramp's first {n} rates {r['zero'][:n].sum():.1f} and "
            f"{r['first_step'][:n].sum():.1f}; one update apart",
        ),
        demonstration(
            "E-52",
            np.isposinf(printed[0]) and ours[0] == 1 and later and r["noam"][0] < 0.5,
            f"alpha / sqrt(t) at t = 0: {printed[0]:g}; with t from 1 the first rate is "
            f"{ours[0]:g}, the Transformer's, with its warmup, {r['noam'][0]:.3f} of its peak",
            panel="b",
        ),
        demonstration(
            "E-53",
            r["linear_printed"][0] == 1 and r["bert"][0] <= 1 / n + 1e-6,
            f"first rate of the linear decay over the peak: {r['linear_printed'][0]:g} as printed, "
            f"{r['bert'][0]:g} with a warmup of {n} in {r['total']}; the printed rate is higher "
            f"in {np.sum(r['linear_printed'] > r['bert'] + 1e-6)} of {r['total']} updates",
            panel="c",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The three starts."""
    fig, (warmup, root, linear) = figure(1, 3, height=4.7)
    n, r = results["warmup"], results
    first = np.arange(2 * n)
    warmup.plot(first, r["zero"][: 2 * n], "o--", ms=4, color=COLOURS[5], label='from 0: "zero"')
    label = '$t$ from 1: "first_step"'
    warmup.plot(first, r["first_step"][: 2 * n], "s-", ms=4, color=COLOURS[0], label=label)
    warmup.set_xticks(range(0, 2 * n + 1, n // 2))
    warmup.set_title(f"linear warmup, {n} updates")
    count = np.arange(len(r["noam"]))
    root.plot(
        count[1:], r["inverse_root_printed"][1:], "--", color=LITERAL, label="printed, $t$ from 0"
    )
    root.annotate(
        "infinite",
        (0, 1.25),
        (8, 1.25),
        color=LITERAL,
        va="center",
        arrowprops={"arrowstyle": "->", "color": LITERAL},
    )
    root.plot(count, r["inverse_root"], color=RIGHT, label="$t$ from 1")
    root.plot(count, r["noam"], ":", color="black", label="Transformer, peak 1")
    root.set(ylim=(0, 1.35), title=r"the inverse root, $\alpha/\sqrt{t}$")
    linear.plot(count, r["linear_printed"], "--", color=LITERAL, label="printed: no warmup")
    linear.plot(count, r["bert"], color=RIGHT, label=f"BERT: {n} updates of warmup")
    linear.set(ylim=(0, 1.35), title="linear decay")
    for axes in (warmup, root, linear):
        axes.set(xlabel="finished updates", ylabel="learning rate / peak")
        axes.legend(loc="lower right" if axes is warmup else "upper right")
    return fig
