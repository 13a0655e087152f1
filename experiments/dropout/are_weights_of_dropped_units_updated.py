"""Are the weights of dropped units updated?

003:57 and 004:694 say that they are not: the parameters of the units that an update drops keep
their values. A network of one hidden layer with dropout 0.5 learns digits, one image an update, as
the notes have it. Of each update and each hidden unit that it drops, the change of all the unit's
numbers (the weights that lead to it, its bias, the weights that leave it) is measured in float32,
where any change but exactly 0 is one too many: under gradient descent, momentum, Adam, and gradient
descent with weight decay. As a control, each unit that is not dropped must change. The same again
with `optimizers.freeze_dropped` behind the rule.

Command: python -m experiments --only are_weights_of_dropped_units_updated      (CPU, about 15 s)
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    RIGHT,
    Gate,
    Plan,
    Verdict,
    all_of,
    exactly,
    figure,
    method,
    tolerance,
)
from jaxtricks import data, models, optimizers, regularizers, training

FIGURES = ()
CLAIMS = ("C-077",)
ERRATA = ()

SMALLEST = float(np.finfo(np.float32).smallest_subnormal)  # nothing but 0 is less
RATES = {"gradient descent": 0.05, "momentum": 0.005, "adam": 0.001, "descent and decay": 0.05}
DECAY, WEIGHT_DECAY, DROPOUT = 0.9, 5e-4, 0.5
PLANS = {
    "C-077": Plan(
        effects={"change": SMALLEST},
        gates=("kept rows",),
        settings={
            "rates": RATES,
            "momentum": DECAY,
            "weight decay": WEIGHT_DECAY,
            "dropout": DROPOUT,
            "activation": "tanh",
            "images an update": 1,
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`updates`: of one image each; `width`: hidden units."""

    updates: int = 200
    width: int = 64
    seed: int = 15_077


SMOKE = Config(updates=40)
FULL = Config(updates=1000)


def rules() -> dict[str, optax.GradientTransformation]:
    """The rules, each with its rate."""
    decay = optimizers.add_decoupled_decay(WEIGHT_DECAY)
    made = {
        "gradient descent": optimizers.gradient_descent,
        "momentum": functools.partial(optimizers.momentum, decay=DECAY),
        "adam": optimizers.adam,
        "descent and decay": lambda rate: optax.chain(decay, optimizers.gradient_descent(rate)),
    }
    return {name: made[name](rate) for name, rate in RATES.items()}


def of_dropout(params: Any, masks: Any, weight: jax.Array) -> dict[str, Any]:
    """Which units are present, and which parameters are therefore updated."""
    present = regularizers.present_units(masks["Dropout_0"], weight)
    keep = optimizers.keep_present(params, {("Dense_0", "Dense_1"): present})
    return {"keep": keep, "present": present}


def remember_present(width: int) -> optax.GradientTransformationExtraArgs:
    """Leaves the updates alone; its state is the units that were present."""

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any) -> Any:
        return updates, extra_args["present"]

    return optax.GradientTransformationExtraArgs(lambda params: jnp.ones(width, bool), update)


def run(config: Config) -> dict[str, Any]:
    """The changes of dropped and present units in each update, and one unit's way."""
    digits = data.load("digits").train
    images = {name: values[: config.updates, None] for name, values in digits.items()}
    net = models.MLP((config.width, 10), activation=nn.tanh, dropout_rates=DROPOUT)
    loss = training.classification_loss(net, extra_args=of_dropout)
    init_key, step_key = jax.random.split(jax.random.key(config.seed))

    @jax.jit
    def follow(images: Any) -> dict[str, Any]:
        variables = net.init(init_key, jnp.zeros((1, 8, 8, 1)), train=False)
        start = of_units(variables["params"])
        out = {}
        for name, rule in rules().items():
            for form, links in (("alone", ()), ("frozen", (optimizers.freeze_dropped(),))):
                tx = optax.chain(rule, *links, remember_present(config.width))
                trainer = training.trainer(loss, tx, diagnostics=False)

                def body(state: Any, image: Any, trainer: Any = trainer) -> Any:
                    after, _ = trainer.step(state, image, step_key)
                    changed = changes(state.params, after.params, after.opt_state[-1])
                    way = jnp.linalg.norm(of_units(after.params) - start, axis=0)[0]
                    return after, changed | {"way": way, "dropped": ~after.opt_state[-1][0]}

                out[f"{name}, {form}"] = jax.lax.scan(body, trainer.init(variables), images)[1]
        return out

    found = follow(images)
    return {
        "data_set": "digits",
        "changes": {
            name: {
                "largest": jnp.max(path["largest"]),
                "dropped": jnp.sqrt(jnp.mean(path["square of dropped"])),
                "present": jnp.sqrt(jnp.mean(path["square of present"])),
                "without change": jnp.sum(path["present without change"]),
            }
            for name, path in found.items()
        },
        "way": {name: path["way"][:60] for name, path in found.items()},
        "unit dropped": found["adam, alone"]["dropped"][:60],
        "updates": config.updates,
        "width": config.width,
    }


def of_units(params: Any) -> jax.Array:
    """All numbers of each hidden unit: weights to it, bias, weights from it, [numbers, units]."""
    first, second = params["Dense_0"], params["Dense_1"]
    return jnp.concatenate([first["kernel"], first["bias"][None], second["kernel"].T])


def changes(before: Any, after: Any, present: jax.Array) -> dict[str, jax.Array]:
    """How far the numbers of dropped and of present units went in one update."""
    change = of_units(after) - of_units(before)
    mean_square = jnp.mean(change**2, axis=0)
    still = jnp.all(change == 0, axis=0)
    dropped = ~present
    return {
        "largest": jnp.max(jnp.abs(change), initial=0, where=dropped[None]),
        "square of dropped": jnp.sum(mean_square, where=dropped) / jnp.maximum(jnp.sum(dropped), 1),
        "square of present": jnp.sum(mean_square, where=present) / jnp.maximum(jnp.sum(present), 1),
        "present without change": jnp.sum(still & present),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Each rule's largest change of a dropped unit must be exactly 0."""
    found = results["changes"]
    within = PLANS["C-077"].effects["change"]
    parts = [
        tolerance(
            f"largest change of a dropped unit's weights in an update, over the rate, {name}",
            [exactly(found[f"{name}, alone"]["largest"] / rate)],
            within=within,
            panel="a",
        )
        for name, rate in RATES.items()
    ]
    still = sum(found[f"{name}, alone"]["without change"] for name in RATES)
    control = Gate("kept rows", still == 0, f"{still} times a unit that stayed did not change")
    ratios = [
        f"{name} changes dropped units {of['dropped'] / of['present']:.2g} times as much as the "
        "others (root mean square)"
        for name, of in ((name, found[f"{name}, alone"]) for name in RATES)
    ]
    most = max(found[f"{name}, frozen"]["largest"] for name in RATES)
    return [
        all_of(
            "C-077",
            parts,
            scope=f"digits, network 64-{results['width']}-10 (tanh, dropout {DROPOUT}), "
            f"{results['updates']} updates of one image, float32; rates {tuple(RATES.values())}, "
            f"momentum {DECAY}, weight decay {WEIGHT_DECAY:g}",
            gates=[control],
            beside=[*ratios, f"with freeze_dropped the largest change under any rule is {most:g}"],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """How much dropped units change, and one unit's way."""
    fig, (bars, ways) = figure(1, 2, width=5.6, height=4.6)
    for shift, form, look in (
        (-0.2, "alone", {"color": LITERAL, "label": "the rule alone"}),
        (0.2, "frozen", {"color": RIGHT, "label": "with freeze_dropped"}),
    ):
        found = [results["changes"][f"{name}, {form}"] for name in RATES]
        ratios = [of["dropped"] / of["present"] for of in found]
        drawn = bars.barh(np.arange(len(RATES)) + shift, ratios, height=0.4, **look)
        bars.bar_label(drawn, fmt="%.2g", padding=3)
    bars.set_yticks(np.arange(len(RATES)), list(RATES))
    bars.invert_yaxis()
    bars.set(xlabel="change of dropped units / change of the others", xlim=(0, 1.3))
    bars.set_title("root mean square change in an update")
    bars.grid(visible=False, axis="y")
    bars.legend(loc="lower right")
    updates = np.arange(1, len(results["unit dropped"]) + 1)
    for name in ("momentum", "adam"):
        for form, look in (("alone", {}), ("frozen", {"linestyle": "-", "linewidth": 1.1})):
            label = name if form == "alone" else f"{name}, freeze_dropped"
            way = results["way"][f"{name}, {form}"] / RATES[name]
            ways.plot(updates, way, **(method(name) | look | {"label": label}))
    for update in updates[np.asarray(results["unit dropped"], bool)]:
        ways.axvspan(update - 1, update, color="grey", alpha=0.15, linewidth=0)
    ways.set(xlabel="update", ylabel="distance / learning rate", xlim=(0, updates[-1]))
    ways.set_title("way of one unit's weights; grey: it is dropped")
    ways.legend(loc="upper left")
    return fig
