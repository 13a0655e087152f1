"""Do the printed lines compile?

Of Adam, 004:247 lacks the sign between the rate and the moment (E-25), and 002:450 has a
parenthesis too many (E-26). Each printed line is handed to Python's `compile`, then the repaired
one; the loop around the repaired line runs on the shared valley next to our uncorrected Adam,
epsilon inside the root (004) and outside (002), rate 0.1.

004:14 counts by "t + 1 <- t" (E-127), which is no assignment, and read as t <- t never moves.
004:234 spells Adam out as "Adaptive + Momentum" (E-131), 002:438 as adaptive moment estimation:
under a gradient that changes its sign at every step the first moment cancels, as a momentum does,
and the second does not.

002:1028-1032 is a random search in which `//training for 5 epoch` stands for the training (E-105).
That is no comment in Python, and as a comment it leaves a loop that draws and never trains.

Command: python -m experiments --only do_the_printed_lines_compile      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure
from experiments.lab.scenes import RATES, valley
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-25", "E-26", "E-105", "E-127", "E-131")
LINES = {  # id: (notes, printed, repaired, epsilon inside the root)
    "E-25": (
        "004:247",
        "x -= learning_rate first_moment /np.sqrt(second_moment + 1e-7)",
        "x -= learning_rate * first_moment /np.sqrt(second_moment + 1e-7)",
        True,
    ),
    "E-26": (
        "002:450",
        "x -= learning_rate * first_moment / (np.sqrt(second_moment) + 1e-7))",
        "x -= learning_rate * first_moment / (np.sqrt(second_moment) + 1e-7)",
        False,
    ),
}
SEARCH = """
count=100
for i in range(count):
    lr = 10**np.random.uniform(-5,-3)
    reg = 10**np.random.uniform(-4, 4)
"""
TRAINING = {  # the last line of the search
    "printed": "    //training for 5 epoch",
    "commented": "    # training for 5 epochs",
    "repaired": "    train(lr, reg, epochs=5)",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of the repaired loop."""

    steps: int = 100


SMOKE = Config(steps=20)
FULL = Config()


def error_of(line: str) -> dict[str, Any]:
    """Python's complaint about the line and its place, empty if it compiles."""
    try:
        compile(line, "<the note>", "exec")
    except SyntaxError as error:
        return {"message": str(error.msg), "column": int(error.offset or 0)}
    return {"message": "", "column": 0}


def repaired_loop(line: str, gradient: Any, steps: int) -> np.ndarray:
    """The note's loop around its repaired line, in NumPy as printed."""
    code = compile(line, "<repaired>", "exec")
    names = {"np": np, "learning_rate": RATES["adam"], "x": np.array(valley().start)}
    names["first_moment"] = names["second_moment"] = np.zeros(2)
    points = [names["x"].copy()]
    for _ in range(steps):
        dx = gradient(names["x"])
        names["first_moment"] = 0.9 * names["first_moment"] + (1 - 0.9) * dx
        names["second_moment"] = 0.999 * names["second_moment"] + (1 - 0.999) * dx * dx
        exec(code, names)
        points.append(names["x"].copy())
    return np.stack(points)


def run(config: Config) -> dict[str, Any]:
    """What Python says of each line, and the losses of both loops."""
    results: dict[str, Any] = {}
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(valley()))
        for name, (_, printed, repaired, inside) in LINES.items():
            tx = optimizers.adam(RATES["adam"], eps_inside=inside, bias_correction=False)
            ours = surfaces.trajectory(
                tx, valley(), jnp.array(valley().start, jnp.float64), config.steps
            )
            points = repaired_loop(repaired, lambda x: np.asarray(gradient(x)), config.steps)
            results[name] = {
                "printed": error_of(printed),
                "repaired": error_of(repaired),
                "loop": jax.vmap(valley())(jnp.asarray(points)),
                "ours": ours.losses,
                "distance": np.abs(points - np.asarray(ours.points)).max(),
            }
    return {
        **results,
        "search": {name: trained(line) for name, line in TRAINING.items()},
        "counter": count(config.steps),
        "moments": moments(config.steps),
    }


def trained(line: str) -> dict[str, Any]:
    """What Python says of the search with this last line, and how often it trains."""
    found, calls = error_of(SEARCH + line), []
    if not found["message"]:
        exec(SEARCH + line, {"np": np, "train": lambda *pair, epochs: calls.append(pair)})
    return {**found, "calls": len(calls)}


def count(steps: int) -> dict[str, Any]:
    """What Python says of the printed counter, and where t = t and t = t + 1 take it from 1."""
    ends = {}
    for line in ("t = t", "t = t + 1"):
        names = {"t": 1}
        for _ in range(steps):
            exec(line, names)
        ends[line] = names["t"]
    return {"printed": error_of("t + 1 = t"), **ends}


def moments(steps: int) -> np.ndarray:
    """Adam's two moments after gradients 1, -1, 1, ..., corrected for their start at 0."""
    rule = optimizers.scale_by_adam()
    state = rule.init(jnp.zeros(()))
    for step in range(steps):
        _, state = rule.update(jnp.asarray((-1.0) ** step), state)
    return np.array(
        [
            optax.tree.get(state, "mu") / (1 - 0.9**steps),
            optax.tree.get(state, "nu") / (1 - 0.999**steps),
        ]
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the printed line is a SyntaxError, the repaired one is none and runs as ours."""
    verdicts = []
    for name, (notes, *_) in LINES.items():
        found = results[name]
        printed, repaired = found["printed"], found["repaired"]
        holds = printed["message"] and not repaired["message"] and found["distance"] < 1e-9
        verdicts.append(
            demonstration(
                name,
                bool(holds),
                f"{notes} as printed: SyntaxError at column {printed['column']}; repaired, "
                f"{len(found['loop']) - 1} steps take the loss from {found['loop'][0]:.3g} to "
                f"{found['loop'][-1]:.2g} and stay within {found['distance']:.0e} of our adam",
            )
        )
    search = results["search"]
    calls = {name: found["calls"] for name, found in search.items()}
    verdicts.append(
        demonstration(
            "E-105",
            bool(search["printed"]["message"]) and calls["commented"] == 0 < calls["repaired"],
            f"//training is a SyntaxError at column {search['printed']['column']}; as a comment it "
            f"leaves a search that trains {calls['commented']} times, and with a call it trains "
            f"{calls['repaired']} times",
        )
    )
    counter, (first, second) = results["counter"], results["moments"]
    stays = counter["t = t"] == 1 < counter["t = t + 1"]
    return [
        *verdicts,
        demonstration(
            "E-127",
            bool(counter["printed"]["message"]) and stays,
            f"t + 1 = t is a SyntaxError, t = t leaves the counter at {counter['t = t']}, and "
            f"t = t + 1 takes it from 1 to {counter['t = t + 1']}",
        ),
        demonstration(
            "E-131",
            bool(abs(first) < 0.1 and np.isclose(second, 1, rtol=1e-4)),
            f"under gradients 1, -1, 1, ... the first moment is {first:.3f}, the second "
            f"{second:.3f}: two moments, of which the second is no momentum",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """A table: each printed line, what Python says of it, the repaired line and what that does."""
    fig, (axes,) = figure(1, 1, width=13, height=4.3)
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for column, head in COLUMNS.items():
        axes.text(column, 1.0, head, va="top", fontweight="bold")
    where, code, says = COLUMNS
    mono = {"family": "monospace", "fontsize": 10.5, "va": "center"}
    for row, (notes, printed, message, repaired, does) in enumerate(rows(results)):
        y = 0.84 - 0.19 * row
        axes.axhline(y + 0.085, color="grey", lw=0.6)
        axes.text(where, y, notes, va="center")
        for line, told, colour, at in (
            (printed, message, LITERAL, y + 0.035),
            (repaired, does, RIGHT, y - 0.035),
        ):
            axes.text(code, at, line.strip(), color=colour, **mono)
            axes.text(says, at, told, color=colour, va="center", fontsize=11)
    return fig


COLUMNS = {0.0: "where", 0.13: "as printed, and repaired", 0.64: "what Python does with it"}


def rows(results: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Of each line: where it stands, as printed, Python's word, repaired, and what that does."""

    def error(found: dict[str, Any]) -> str:
        return f"SyntaxError at column {found['column']}"

    found = []
    for name, (notes, printed, repaired, inside) in LINES.items():
        place = "inside" if inside else "outside"
        loop, distance = results[name]["loop"], results[name]["distance"]
        does = f"{len(loop) - 1} steps within {distance:.0e} of our adam, $\\epsilon$ {place}"
        found.append((f"{name}, {notes}", printed, error(results[name]["printed"]), repaired, does))
    counter, search = results["counter"], results["search"]
    counts = f"counts from 1 to {counter['t = t + 1']}; t = t stays at {counter['t = t']}"
    found.append(("E-127, 004:14", "t + 1 = t", error(counter["printed"]), "t = t + 1", counts))
    calls = {name: one["calls"] for name, one in search.items()}
    trains = f"trains {calls['repaired']} times; as a comment {calls['commented']} times"
    lines = TRAINING["printed"], TRAINING["repaired"]
    found.append(("E-105, 002:1032", lines[0], error(search["printed"]), lines[1], trains))
    first, second = results["moments"]
    names = "Adam = Adaptive + Momentum", "Adam = adaptive moment estimation"
    does = f"first {first:.3f}, second {second:.3f}: one is no momentum"
    found.append(
        ("E-131, 004:234", names[0], "two moments of gradients 1, -1, ...:", names[1], does)
    )
    return found
