"""The guides are true: their code runs from the first line to the last."""

import contextlib
import io
import pathlib
import re
from typing import Any

import jax
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
CHECKS = {
    "compose_with_optax": lambda names: [
        names["reached"] < 1e-4,
        not names["updates"]["kernel"].any() and names["updates"]["bias"].any(),
        names["steps"][:2] == [0, 0] and names["steps"][2] > 0,
    ],
    "devices": lambda names: [
        names["gap"] < 1e-3,
        len(names["sharding"].device_set) == len(jax.devices()) > 1,
        names["metrics"]["loss"] < np.log(10),
    ],
    "look_inside": lambda names: [
        names["small"]["Dense_7"] < 1e-6 < 0.1 < names["xavier"]["Dense_7"],
        len(names["sizes"]) == 9 and all(size > 0 for size in names["sizes"].values()),
        0 < names["dead"].sum() <= 50,
        names["eigenvalues"][-1] > 0 and names["plane"].shape == (5, 5),
        np.isclose(names["plane"][2, 2], names["loss"](names["params"]), rtol=1e-5),
    ],
    "port_a_recipe": lambda names: [
        names["accuracy"] > 0.85 and names["of_keras"] > 0.85,
        names["constant"] < 1e-6 and names["apart"] > 1e-3,
    ],
    "regularisation": lambda names: [
        names["longest"] <= 3.0001,
        names["right"].mean() > 0.8 and names["accuracy"] > 0.8,
        names["doubt"][~names["right"]].mean() > names["doubt"][names["right"]].mean(),
        names["losses"].shape == (3,),
        names["frozen"].epochs == names["pooled"].epochs == 10,
    ],
    "sweeps": lambda names: [
        names["losses"].shape == (2, 64) and names["finite"].min() < 0.1,
        names["accuracies"].shape == (6,) and names["accuracies"][names["best"]] > 0.6,
        names["settings"]["rate"][names["best"]] == np.float32(1e-2),
    ],
    "training": lambda names: [
        names["accuracy"] > 0.8,
        names["result"].epochs == 6 and len(names["result"].history[-1]["weights.rows"]) == 64,
        names["recalibrated"]["batch_stats"].keys() == names["variables"]["batch_stats"].keys(),
        names["rest"].validation["accuracy"].shape == (2, 2),
    ],
    "tuning": lambda names: [
        names["first"].verdict == "as expected" and names["heart"].verdict == "learned",
        1e-4 < names["scan"].best < 0.3 and not names["scan"].at_edge,
        len(names["coarse"].table["accuracy"]) == 32 and names["found"].score < 0.5,
        names["coarse"].curves["loss"].shape == (32, 5),
        np.bincount(names["halved"].table["epochs"]).tolist() == [0, 21, 0, 7] + 5 * [0] + [4],
        names["again"][1].mean > 0.9,
        names["findings"][0].name == "rate too low",
        np.array_equal(names["more"].table["loss"], names["coarse"].table["loss"]),
        set(names["wide"].table["width"]) == {32, 128},
        names["tested"]["accuracy"] > 0.85,
    ],
    "your_own_experiment": lambda names: [
        names["paths"]["points"][0, 0].tolist() == [0.5, -0.2] and len(names["drawn"].axes) == 3,
        names["results"]["ratios"].shape == (10, 4) and names["verdict"].outcome == "confirmed",
        len(names["picture"].axes) >= 3,
        names["gain"].n == 10 and set(names["arms"]) == {"plain", "smoothed"},
        0 < names["arms"]["plain"].tested["test error"].mean() < 30,
        names["answer"].gates[0].name == "edge",
    ],
    "nnx_equinox_dicts": lambda names: (
        [
            names[f"{kind}_result"].history[-1]["validation.accuracy"] > 0.8
            for kind in ("linen", "nnx", "normed", "equinox", "plain")
        ]
        + [
            names["accuracy"] > 0.8,
            names["logits"].shape == (len(names["digits"].test["label"]), 10),
        ]
    ),
}


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def shown(text):
    """Each block of Python with the block of text that follows it before the next one, or None."""
    found = re.findall(r"^```(python|text)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    after = [*found[1:], ("", "")]
    return [
        (block, output if then == "text" else None)
        for (kind, block), (then, output) in zip(found, after, strict=True)
        if kind == "python"
    ]


def words(text):
    """A text without its numbers, which differ between machines, and without line breaks."""
    return " ".join(re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", text).split())


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_the_code_of_a_guide_runs_and_prints_what_it_shows(guide):
    names: dict[str, Any] = {}
    with jax.numpy_rank_promotion("allow"):  # a user's default
        for block, output in shown(guide.read_text("utf-8")):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block, str(guide), "exec"), names)
            if "print(" in block:
                assert words(printed.getvalue()) == words(output)
    assert all(CHECKS[guide.stem](names))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_what_a_block_prints_is_shown(guide):
    hidden = [
        block for block, out in shown(guide.read_text("utf-8")) if "print(" in block and not out
    ]
    assert hidden == []


def test_nnx_takes_no_more_than_three_lines_more_than_linen():
    """Those that make a model of a class and hand it to the same loop."""
    text = (ROOT / "docs" / "guides" / "nnx_equinox_dicts.md").read_text()
    made = [block.rstrip().split("\n\n\n")[-1].splitlines() for block in blocks(text)[1:3]]
    assert "LinenNet()" in made[0][0] and "NnxNet(" in made[1][0]
    assert len(made[1]) <= len(made[0]) + 3
