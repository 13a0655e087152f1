"""Running one experiment: results, verdicts, picture, files."""

import dataclasses
import io
import os
import platform
import re
import textwrap
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image

from experiments.engine._animation import gif_bytes
from experiments.engine._plan import frozen
from experiments.engine._results import (
    PRESETS,
    SCHEMA,
    check_finite,
    from_json,
    read_record,
    to_json,
    write_record,
)
from experiments.engine._script import Script
from experiments.engine._sentences import finding
from experiments.engine._style import RC, caption
from experiments.engine._verdict import Verdict
from experiments.engine.before import Verdict as Before
from experiments.engine.before import as_verdict
from experiments.files import write_atomically
from experiments.markup import printable

OUR_PAGES = {
    "README.md": rb"\A# Ledger",
    "index.html": rb"<title>jaxtricks: the measured lectures</title>",
}
COMMITTED = Path(__file__).resolve().parents[2] / "paper_figs"
SMALL = 300_000  # bytes of an SVG that is kept
ANEW = "to be judged anew"
REAL_DATA = ("mnist", "cifar10")
COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"

_compile_seconds = [0.0]
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: (
        _compile_seconds.__setitem__(0, _compile_seconds[0] + seconds)
        if event == COMPILE_EVENT
        else None
    )
)


class ReplacementRefused(RuntimeError):
    """The output folder holds a larger preset, real data, or a file that is not ours.

    And `force` was not given.
    """


def record_path(script: Script, out: Path) -> Path:
    return out / f"{script.stem}.json"


def picture_path(script: Script, out: Path) -> Path:
    """The animation of an animated script; its still, a PNG, lies beside it."""
    return out / f"{script.stem}.{'gif' if script.animate else 'png'}"


def run_script(script: Script, preset: str, out: Path, *, force: bool = False) -> Path:
    """Runs, judges, draws and writes one experiment; returns the picture's path.

    Raises:
        ReplacementRefused: see there.
        NonFiniteResult: a result is NaN or infinite though the script did not say that it may be.
        OSError: the output cannot be written; whatever was there before still is.
    """
    old = _existing(script, out, force)
    if old and not force:
        _refuse_smaller(script, old, preset=preset)
    config = script.config(preset)
    plans = {claim: frozen(claim, plan, config) for claim, plan in script.plans.items()}
    if old and not force and out.resolve() == COMMITTED:
        _refuse_other_plans(script, old, plans, preset)
    compile_before, start = _compile_seconds[0], time.perf_counter()
    results = script.module.run(config)
    wall = time.perf_counter() - start
    check_finite(results, script.non_finite)
    record = {
        "schema": SCHEMA,
        "script": script.name,
        "question": script.question,
        "figures": script.figures,
        "animated": script.animate is not None,
        "preset": preset,
        "config": dataclasses.asdict(config),
        "data_set": results.get("data_set", "analytic"),
        "seeds": getattr(config, "seeds", 1),
        "device": _device(),
        "versions": {name: metadata.version(name) for name in ("jax", "flax", "optax", "numpy")},
        "wall_seconds": round(wall, 2),
        "compile_seconds": round(_compile_seconds[0] - compile_before, 2),
    }
    if old and not force:
        _refuse_smaller(script, old, data_set=str(record["data_set"]))
    readable = from_json(to_json(results))
    verdicts = judged(script, readable)
    record["plans"] = plans
    record["verdicts"] = [dataclasses.asdict(verdict) for verdict in verdicts]
    record["results"] = results
    pictures = _draw(script, readable, preset, verdicts)
    _write_pictures(script, out, pictures)
    write_record(record_path(script, out), record)
    return picture_path(script, out)


def redraw_script(script: Script, out: Path) -> Path:
    """Judges and draws again from the JSON in `out`, without running.

    Raises:
        FileNotFoundError: there is none.
    """
    path = record_path(script, out)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: run {script.name} before redrawing it.")
    record = read_record(path)
    verdicts = judged(script, record["results"])
    record["verdicts"] = [dataclasses.asdict(verdict) for verdict in verdicts]
    pictures = _draw(script, record["results"], record["preset"], verdicts)
    _write_pictures(script, out, pictures)
    write_record(path, record)
    return picture_path(script, out)


def prepare_folder(out: Path) -> None:
    """Makes the output folder and proves that it can be written, before any work is done.

    Raises:
        OSError: it cannot.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, ours in OUR_PAGES.items():
        page = out / name
        if page.exists() and not (page.is_file() and re.search(ours, page.read_bytes())):
            raise FileExistsError(f"{page} is no page of ours and would be overwritten")
    probe = out / f".probe-{os.getpid()}"
    probe.write_bytes(b"")
    probe.unlink()


def _existing(script: Script, out: Path, force: bool) -> dict[str, Any] | None:
    """The record there is.

    Raises:
        ReplacementRefused: the file is not ours, and `force` does not give it up.
    """
    path = record_path(script, out)
    if not path.exists():
        return None
    try:
        return read_record(path)
    except ValueError as error:
        if force:
            return None
        raise ReplacementRefused(f"{printable(error)} (--force replaces it.)") from error


def _refuse_smaller(
    script: Script,
    old: dict[str, Any],
    *,
    preset: str | None = None,
    data_set: str | None = None,
) -> None:
    if preset and PRESETS.index(preset) < PRESETS.index(str(old["preset"])):
        raise ReplacementRefused(
            f"{script.stem} holds a {old['preset']} run; {preset} would replace it with a smaller "
            "one (--force does it)."
        )
    if data_set and old["data_set"] in REAL_DATA and data_set not in REAL_DATA:
        raise ReplacementRefused(
            f"{script.stem} was measured on {old['data_set']}; this run used {data_set} "
            "(--force replaces it)."
        )


def _refuse_other_plans(
    script: Script, old: dict[str, Any], plans: dict[str, Any], preset: str
) -> None:
    """What is committed stands, unless the script says why its plan was changed after a look."""
    for claim, plan in plans.items():
        before = old["plans"].get(claim)
        if before and preset == old["preset"] and before["sha256"] != plan["sha256"]:
            if plan["revised"] in ("", before["revised"]):
                raise ReplacementRefused(
                    f"{claim} was judged by another plan, and `revised` does not say why "
                    "(--force replaces it; another folder takes a variant)."
                )


def judged(script: Script, results: dict[str, Any]) -> list[Verdict]:
    """The script's verdicts; a claim without a plan is shown as measured before the protocol.

    Raises:
        ValueError: the script judges other claims or errata than it owns, a claim without its plan,
            without a scope, or with other controls than the plan has.
    """
    found = script.module.judge(results)
    owned = [*script.claims, *script.errata]
    if sorted(verdict.subject for verdict in found) != sorted(owned):
        subjects = [verdict.subject for verdict in found]
        raise ValueError(f"{script.name} owns {owned} but judged {subjects}.")
    verdicts = []
    for verdict in found:
        claim = verdict.subject in script.claims
        if isinstance(verdict, Before):
            verdict = as_verdict(verdict, claim=claim)
        plan = script.plans.get(verdict.subject)
        if claim and (plan is None) != (verdict.outcome == ANEW):
            raise ValueError(f"{verdict.subject} is judged if, and only if, it has a plan.")
        if plan and verdict.parts:
            gates = tuple(gate.name for gate in verdict.gates)
            if gates != plan.gates or not verdict.scope:
                raise ValueError(
                    f"{verdict.subject} needs a scope and the controls {plan.gates}, got "
                    f"{verdict.scope!r} and {gates}."
                )
        verdicts.append(verdict)
    return verdicts


def _write_pictures(script: Script, out: Path, pictures: dict[str, bytes]) -> None:
    for suffix, picture in pictures.items():
        write_atomically(picture_path(script, out).with_suffix(suffix), picture)
    if ".svg" not in pictures:
        picture_path(script, out).with_suffix(".svg").unlink(missing_ok=True)


def _draw(
    script: Script, results: dict[str, Any], preset: str, verdicts: Sequence[Verdict]
) -> dict[str, bytes]:
    """The picture's files by suffix: of an animation a still too, of a small one SVG besides.

    A smoke run draws sketches.
    """
    pictures = {}
    with plt.rc_context(RC):
        animation = script.animate(results) if script.animate else None
        figure = animation.figure if animation else script.module.draw(results)
        shown = [textwrap.shorten(finding(v), 240, placeholder=" ...") for v in verdicts]
        caption(figure, script.question, shown)
        try:
            if preset == "smoke":
                _sketch(figure)
            if animation:
                pictures[".gif"] = gif_bytes(animation)
            pictures[".png"] = _png(figure, sketch=preset == "smoke")
            if preset != "smoke" and not animation:
                svg = _svg(figure)
                pictures |= {".svg": svg} if len(svg) < SMALL else {}
        finally:
            plt.close(figure)
    return pictures


def _png(figure: Figure, *, sketch: bool) -> bytes:
    """With a palette of 256 colours, a third of the size."""
    buffer, metadata = io.BytesIO(), {"Software": None}
    if sketch:
        FigureCanvasAgg(figure).print_png(buffer, metadata=metadata)
        return buffer.getvalue()
    figure.savefig(buffer, format="png", metadata=metadata)
    flat, image = io.BytesIO(), Image.open(buffer).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(flat, "PNG", optimize=True)
    return flat.getvalue()


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _sketch(figure: Figure) -> None:
    """Small, without ticks and layout, which cost most of a smoke run's drawing."""
    figure.set_layout_engine("none")
    figure.set_dpi(40)
    for axis in figure.findobj(Axis):
        axis.set_major_locator(NullLocator())
        axis.set_minor_locator(NullLocator())


def _device() -> str:
    device = jax.devices()[0]
    name = f"{os.cpu_count()} CPU cores" if device.platform == "cpu" else device.device_kind
    return f"{name}, {platform.machine()}"
