"""Does Adam need a momentum argument?

001:26 says that some optimizers, "such as Adam", have no momentum argument, because they do it
themselves, and that only the original SGD needs it. Three parts: the rule Adam has no argument
called `momentum`; its first moment m is momentum under another name, that is, 1 - b1 times the
velocity, along one path over the turned valley in float64 to 1e-12; and no rule but SGD has such an
argument. The rules are those of torch 1.13, as its documentation prints them, and those of the
optax that is installed: all its functions whose first argument is the learning rate.

Command: python -m experiments --only does_adam_need_momentum      (CPU, about 2 s)
"""

import dataclasses
import functools
import inspect
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    exactly,
    figure,
    method,
    tolerance,
)
from experiments.lab.scenes import RATES, ROTATED_START, rotated_valley
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ("C-018",)
ERRATA = ("E-63",)
# Arguments after `params` of the rules of torch 1.13, without those that only say how to compute
# (foreach, capturable, differentiable, fused, maximize). Torch 2.13 has the same, and two rules
# more: Adafactor, and Muon, which has a momentum too.
TORCH = {
    "SGD": ("lr", "momentum", "dampening", "weight_decay", "nesterov"),
    "RMSprop": ("lr", "alpha", "eps", "weight_decay", "momentum", "centered"),
    "Adam": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "AdamW": ("lr", "betas", "eps", "weight_decay", "amsgrad"),
    "Adamax": ("lr", "betas", "eps", "weight_decay"),
    "NAdam": ("lr", "betas", "eps", "weight_decay", "momentum_decay"),
    "RAdam": ("lr", "betas", "eps", "weight_decay"),
    "SparseAdam": ("lr", "betas", "eps"),
    "Adagrad": ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"),
    "Adadelta": ("lr", "rho", "eps", "weight_decay"),
    "ASGD": ("lr", "lambd", "alpha", "t0", "weight_decay"),
    "Rprop": ("lr", "etas", "step_sizes"),
    "LBFGS": (
        "lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size",
        "line_search_fn",
    ),
}  # fmt: skip
ARGUMENTS = ("momentum", "b1 or betas")
NO_RULES = ("_", "scale_by")  # how names begin that are private, or parts of a rule


@dataclasses.dataclass(frozen=True)
class Config:
    """Adam's path has `steps` from `start`, at `rate` and with the first moment's decay `b1`, from
    0 to under 1."""

    steps: int = 60
    start: tuple[float, float] = ROTATED_START
    rate: float = RATES["adam"]
    b1: float = 0.9


SMOKE = Config(steps=20)
FULL = Config(steps=1000)
PLANS = {
    "C-018": Plan(
        effects={"count": 0.5, "relative": 1e-12},
        gates=("pos",),
        settings={"b1": Config.b1, "rate": Config.rate, "argument": "momentum"},
    )
}


def run(config: Config) -> dict[str, Any]:
    """The tables of arguments, and Adam's first moment beside the velocity, `[step, weight]`."""
    start, b1 = jnp.array(config.start), config.b1
    with jax.enable_x64(True):
        rule = optimizers.adam(config.rate, b1=b1)
        path = surfaces.trajectory(rule, rotated_valley(), start.astype(float), config.steps)
        moment = states(optax.scale_by_adam(b1=b1), path.gradients)[1].mu
        velocity = states(optimizers.scale_by_momentum(b1), path.gradients)[0]
    return {
        "torch": TORCH,
        "optax": arguments_of_optax(),
        "optax version": metadata.version("optax"),
        "gradients": path.gradients,
        "moment": moment,
        "velocity": velocity,
        "b1": b1,
    }


def states(rule: optax.GradientTransformation, gradients: jax.Array) -> tuple[jax.Array, Any]:
    """What the rule makes of a sequence of gradients, and its states."""

    def body(state: Any, gradient: jax.Array) -> tuple[Any, tuple[jax.Array, Any]]:
        update, state = rule.update(gradient, state)
        return state, (update, state)

    return jax.lax.scan(body, rule.init(gradients[0]), gradients)[1]


def arguments_of_optax() -> dict[str, tuple[str, ...]]:
    """The arguments of every rule of optax: a function whose first one is the learning rate."""
    table = {}
    for name, factory in vars(optax).items():
        rule = inspect.isfunction(factory) or isinstance(factory, functools.partial)
        if rule and not name.startswith(NO_RULES):
            names = tuple(inspect.signature(factory).parameters)
            if names[:1] == ("learning_rate",):
                table[name] = names
    return table


def taking(table: dict[str, Any], argument: str) -> list[str]:
    """Names of the rules with the argument; "b1 or betas" is either of the two."""
    wanted = set(argument.split(" or "))
    return [rule for rule, names in table.items() if wanted & set(names)]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """No such argument in Adam; its m is momentum; no other rule but SGD has the argument."""
    plan = PLANS["C-018"]
    tables = {"torch": results["torch"], "optax": results["optax"]}
    takers = {name: taking(table, "momentum") for name, table in tables.items()}
    others = {name: [r for r in rules if r.lower() != "sgd"] for name, rules in takers.items()}
    moment, velocity, b1 = results["moment"], results["velocity"], results["b1"]
    apart = np.max(np.abs(moment - (1 - b1) * velocity)) / np.max(np.abs(moment))
    listed = " and ".join(f"{', '.join(rules)} in {name}" for name, rules in others.items())
    parts = [
        tolerance(
            "arguments of Adam that are called momentum, in torch and in optax",
            [
                exactly(rule in takers[name])
                for name, rule in (("torch", "Adam"), ("optax", "adam"))
            ],
            within=plan.effects["count"],
            panel="a",
        ),
        tolerance(
            f"distance of Adam's first moment from {1 - b1:.1g} of the velocity, over its largest",
            [exactly(apart)],
            within=plan.effects["relative"],
            panel="c",
        ),
        tolerance(
            f"rules other than SGD that take momentum ({listed}), in torch and in optax",
            [exactly(len(rules)) for rules in others.values()],
            within=plan.effects["count"],
            panel="b",
        ),
    ]
    version = results["optax version"]
    control = Gate(
        "pos",
        "SGD" in takers["torch"] and "sgd" in takers["optax"],
        f"the tables of torch 1.13 and optax {version} both show SGD's momentum",
    )
    memory = "adam" in taking(tables["optax"], "b1 or betas")
    return [
        all_of(
            "C-018",
            parts,
            gates=[control],
            scope=f"all {len(tables['torch'])} rules of torch 1.13 by its documentation and all "
            f"{len(tables['optax'])} of optax {version}; the moment along {len(moment)} updates of "
            f"Adam on the turned valley, 2 parameters, b1 = {b1}, float64",
        ),
        demonstration(
            "E-63",
            bool(memory and others["torch"] and others["optax"] and apart < 1e-12),
            f"Adam's momentum is its b1: m is {1 - b1:.1g} of the velocity to {apart:.1g}; other "
            f"rules with the argument are {listed}",
            panel="b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The tables of both libraries, and Adam's moment over the velocity."""
    fig, (torch, ours, moments) = figure(1, 3, width=5.2, height=5.2)
    draw_table(torch, results["torch"], list(results["torch"]))
    torch.set_title("all rules of torch 1.13")
    table = results["optax"]
    known = {name.lower() for name in results["torch"]}
    shown = [name for name in table if name in known or "momentum" in table[name]]
    draw_table(ours, table, sorted(shown, key=lambda name: ("momentum" not in table[name], name)))
    version, others = results["optax version"], len(table) - len(shown)
    ours.set_title(
        f"{len(shown)} rules of optax {version}\n(none of its {others} others takes momentum)"
    )
    steps, b1 = np.arange(1, len(results["moment"]) + 1), results["b1"]
    gradient, velocity, moment = (results[key][:, 0] for key in ("gradients", "velocity", "moment"))
    moments.plot(steps, gradient, color="grey", lw=1, label="gradient")
    look = method("momentum") | {"linestyle": "-", "lw": 4, "alpha": 0.5}
    moments.plot(steps, (1 - b1) * velocity, **look | {"label": rf"{1 - b1:.1g} $\times$ velocity"})
    moments.plot(steps, moment, **method("adam") | {"label": "Adam's first moment m"})
    moments.set(xlabel="step", ylabel="first component")
    moments.set_title(rf"Adam on the turned valley, $\beta_1$ = {b1}")
    moments.legend(loc="best")
    return fig


def draw_table(axes: Axes, table: dict[str, Any], rules: list[str]) -> None:
    """A row a rule, a column an argument: a dot where the rule takes it."""
    rows = rules[::-1]
    for column, argument in enumerate(ARGUMENTS):
        places = [rows.index(rule) for rule in taking(table, argument) if rule in rows]
        axes.plot([column] * len(places), places, "os"[column], ms=9, color=COLOURS[1 - column])
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(ARGUMENTS)), ARGUMENTS)
    axes.set(xlim=(-0.6, 1.6), ylim=(-0.7, len(rows) - 0.3), xlabel="argument")
