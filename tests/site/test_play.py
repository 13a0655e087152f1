"""The script of the page "Play": paths as of the library, looks as in the figures.

Node runs the script itself; where there is no Node the tests are skipped.
"""

import html
import json
import pathlib
import re
import shutil
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.engine._style import METHODS
from jaxtricks import optimizers, surfaces

NODE = shutil.which("node")
SCRIPT = pathlib.Path(__file__).parents[2] / "docs" / "assets" / "play.js"
SURFACES = {
    "banana": surfaces.banana,
    "beale": surfaces.beale,
    "saddle": surfaces.saddle,
    "valley": lambda: surfaces.quadratic((1.0, 20.0)),
}
STARTS = {"banana": (-1.2, 0.8), "beale": (1.0, 1.5), "saddle": (1.0, 0.01), "valley": (-3.0, 1.0)}
SETTINGS = (
    {"rate": 0.001, "adaptive": 0.05, "momentum": 0.9, "decay": 0.99},
    {"rate": 0.0004, "adaptive": 0.2, "momentum": 0.35, "decay": 0.9},
)
STEPS = 50

pytestmark = pytest.mark.skipif(NODE is None, reason="Node runs the page's script")


def rules(rate, adaptive, momentum, decay):
    """The seven update rules with the arguments that the page states."""
    return {
        "gradient descent": optimizers.gradient_descent(rate),
        "momentum": optimizers.momentum(rate, decay=momentum),
        "nesterov": optimizers.nesterov(rate, decay=momentum),
        "adagrad": optimizers.adagrad(adaptive),
        "adadelta": optimizers.adadelta(1.0, decay=decay),
        "rmsprop": optimizers.rmsprop(adaptive, decay=decay),
        "adam": optimizers.adam(adaptive, b1=momentum, b2=decay),
    }


def node(expression, given=None):
    """The value of a JavaScript expression of the script `play` and of `given`."""
    program = (
        f"const play = require({json.dumps(str(SCRIPT))});"
        "const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"console.log(JSON.stringify({expression}));"
    )
    done = subprocess.run(
        [NODE or "node", "-e", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def paths():
    """The page's paths: `[setting][surface][rule]`."""
    sets = [
        {name: {**setting, "x": x, "y": y, "steps": STEPS} for name, (x, y) in STARTS.items()}
        for setting in SETTINGS
    ]
    each = "Object.fromEntries(Object.keys(play.RULES).map((rule) => [rule, %s]))"
    path = each % "play.trajectory(surface, rule, set)"
    surface = f"Object.fromEntries(Object.entries(sets).map(([surface, set]) => [surface, {path}]))"
    return node(f"given.map((sets) => {surface})", sets)


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("setting", range(len(SETTINGS)))
def test_the_paths_are_those_of_the_library(paths, setting, name):
    with jax.enable_x64(True):
        surface, start = SURFACES[name](), jnp.array(STARTS[name])
        library = {
            rule: np.asarray(surfaces.trajectory(tx, surface, start, STEPS).points)
            for rule, tx in rules(**SETTINGS[setting]).items()
        }
    page = paths[setting][name]
    assert page.keys() == library.keys()
    for rule, points in library.items():
        assert points.dtype == np.float64 and np.ptp(points, axis=0).max() > 1e-3
        np.testing.assert_allclose(page[rule], points, rtol=1e-8, atol=1e-8, err_msg=rule)


def test_the_losses_and_minima_are_those_of_the_library():
    points = [[0.3, -0.7], [-1.2, 0.9], [2.0, 0.4]]
    losses = node(
        "Object.fromEntries(Object.entries(play.SURFACES).map(([name, { loss, optimum }]) =>"
        " [name, { losses: given.map((point) => loss(...point)), optimum }]))",
        points,
    )
    assert losses.keys() == SURFACES.keys()
    with jax.enable_x64(True):
        for name, make in SURFACES.items():
            surface = make()
            expected = [float(surface(jnp.array(point))) for point in points]
            np.testing.assert_allclose(losses[name]["losses"], expected, rtol=1e-12)
            if surface.optimum is None:
                assert losses[name]["optimum"] is None
            else:
                np.testing.assert_allclose(losses[name]["optimum"], surface.optimum, rtol=1e-12)


def test_the_rules_look_as_in_the_figures():
    looks = node("play.RULES")
    assert all(name in METHODS for name in looks) and len(looks) == 7
    for name, look in looks.items():
        dashes = METHODS[name].linestyle
        expected = [] if dashes == "-" else list(dashes[1])
        assert (look["color"], look["dash"]) == (METHODS[name].color, expected)


def test_a_path_is_cut_where_it_diverges():
    # 1 - 0.2 * 20 = -3: y grows threefold in each step, and |y| reaches 100 heights of 3.5.
    lost = node(
        "[true, false].map((far) => { const set = { ...play.read(''), rate: far ? 0.2 : 0.02 };"
        " const path = play.run('valley', 'gradient descent', set);"
        " return [path.diverges, path.points.length, play.verdict(path, 'valley')]; })"
    )
    step = next(k for k in range(99) if 3**k >= 350)
    assert lost[0] == [step, step, f"diverges, step {step}"]
    assert lost[1][:2] == [None, 151]


def test_a_path_without_numbers_diverges_at_once_and_a_saddle_lets_fall():
    # At a rate of 1 the saddle multiplies y by 3 and x by -1: from 0.01 past 300 in 10 steps.
    said = node(
        "['saddle', 'beale'].map((surface) => { const set = { ...play.read('surface=' + surface),"
        " rate: surface === 'beale' ? NaN : 1 };"
        " return play.verdict(play.run(surface, 'gradient descent', set), surface); })"
    )
    assert said == ["falls without end, step 10", "diverges, step 1"]


def test_the_address_keeps_the_settings():
    state = node("play.read('#surface=beale&rate=0.01&steps=42&x=-0.5&momentum=0.99&off=adam')")
    assert state["surface"] == "beale" and state["off"] == ["adam"]
    assert (state["rate"], state["steps"], state["x"], state["y"]) == (0.01, 42, -0.5, 1.5)
    assert node("play.read(play.write(given))", state) == state


@pytest.mark.parametrize(
    "address",
    ("#", "#momentum", "#surface=toString&rate=abc&x=", "#off=constructor,<b>&steps=NaN&momentum="),
)
def test_a_spoilt_address_gives_the_usual_settings(address):
    usual = node("play.read('')")
    got = node("play.read(given)", address)
    assert got == usual


def test_an_address_beyond_the_sliders_gives_their_ends():
    state = node("play.read('#rate=1e9&momentum=7&decay=-1&steps=1e9&x=-99&y=99')")
    ends = {"rate": 1, "momentum": 0.999, "decay": 0, "steps": 300, "x": -3.5, "y": 1.75}
    assert {name: state[name] for name in ends} == ends


@pytest.fixture(scope="module")
def suggested():
    """By the settings that the page suggests: where each path ends, its lowest y and its loss."""
    page = (SCRIPT.parents[1] / "play.md").read_text("utf-8")
    settings = [html.unescape(text) for text in re.findall(r'data-play="(.+?)"', page)]
    told = "({ points, loss, inside }) => ({ end: points.at(-1), inside, loss,"
    told += " lowest: Math.min(...points.map((point) => point[1])) })"
    path = f"({told})(play.run(play.read(text).surface, rule, play.read(text)))"
    each = f"Object.fromEntries(Object.keys(play.RULES).map((rule) => [rule, {path}]))"
    return dict(zip(settings, node(f"given.map((text) => {each})", settings), strict=True))


def test_much_momentum_does_in_the_valley_what_the_page_says(suggested):
    usual, much = (suggested[f"surface=valley&momentum={rho}"] for rho in ("0.9", "0.99"))
    assert all(usual[rule]["loss"] < 1e-5 for rule in ("momentum", "nesterov", "adam"))
    assert f"{much['momentum']['loss']:.1f} {much['adam']['loss']:.1f}" == "2.8 1.1"
    assert f"{much['nesterov']['loss']:.2f}" == "0.03"


def test_the_detour_on_beales_surface_is_as_the_page_says(suggested):
    paths = suggested["surface=beale&adaptive=0.07&steps=300"]
    assert f"{paths['momentum']['lowest']:.1f} {paths['nesterov']['lowest']:.1f}" == "-1.5 -1.1"
    assert paths["rmsprop"]["lowest"] > 0 and paths["adam"]["lowest"] > 0
    away = {
        rule: np.hypot(path["end"][0] - 3, path["end"][1] - 0.5) for rule, path in paths.items()
    }
    near = {rule for rule in away if away[rule] < 0.1}
    assert near == {"momentum", "nesterov", "rmsprop", "adam"}
    assert away["adagrad"] > 1 and np.hypot(*np.subtract(paths["adadelta"]["end"], (1, 1.5))) < 1


def test_all_paths_stay_on_the_ridge_and_leave_it_from_beside(suggested):
    on, beside = suggested["surface=saddle&y=0"], suggested["surface=saddle&y=0.01"]
    assert all(path["end"][1] == 0 and abs(path["end"][0]) < 1 for path in on.values())
    assert all(abs(path["end"][1]) > 0.5 for path in beside.values())
    assert [rule for rule, path in beside.items() if path["inside"]] == ["adagrad"]
