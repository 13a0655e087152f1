"""Running one experiment: results, verdicts, picture, files."""

import dataclasses
import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from experiments.engine._picture import picture_files, picture_path, write_picture
from experiments.engine._plan import declared_alike, frozen
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
from experiments.engine._verdict import Verdict, follows
from experiments.engine.before import Verdict as Before
from experiments.engine.before import as_verdict
from experiments.markup import printable

OUR_PAGES = {
    "README.md": rb"\A# Ledger",
    "index.html": rb"<title>jaxtricks: the measured lectures</title>",
}
COMMITTED = Path(__file__).resolve().parents[2] / "paper_figs"
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
        _refuse_other_plans(old, plans, preset, dataclasses.asdict(config))
    compile_before, start = _compile_seconds[0], time.perf_counter()
    results = script.run(config, out)
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
    record["rule"] = script.rule
    record["plans"] = plans
    record["verdicts"] = [dataclasses.asdict(verdict) for verdict in verdicts]
    record["results"] = results
    write_picture(script, out, picture_files(script, readable, preset, verdicts))
    write_record(record_path(script, out), record)
    script.trials(out).unlink(missing_ok=True)
    return picture_path(script, out)


def redraw_script(script: Script, out: Path, *, force: bool = False) -> Path:
    """Judges and draws again from the JSON in `out`, without running.

    Raises:
        FileNotFoundError: there is none.
        ReplacementRefused: it was run by another plan, and `force` was not given.
    """
    path = record_path(script, out)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: run {script.name} before redrawing it.")
    record = read_record(path)
    config = script.config(record["preset"])
    plans = {claim: frozen(claim, plan, config) for claim, plan in script.plans.items()}
    for claim, plan in {} if force else plans.items():
        if not declared_alike(record["plans"].get(claim, {}), plan):
            raise ReplacementRefused(
                f"{claim} was run by another plan than the script's (--force judges by this one)."
            )
    verdicts = judged(script, record["results"])
    record["question"], record["rule"] = script.question, script.rule
    record["verdicts"] = [dataclasses.asdict(verdict) for verdict in verdicts]
    pictures = picture_files(script, record["results"], record["preset"], verdicts)
    write_picture(script, out, pictures)
    write_record(path, record)
    return picture_path(script, out)


def prepare_folder(out: Path) -> None:
    """Makes the output folder and proves that it can be written, before any work is done.

    Raises:
        OSError: it cannot.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError("it is a file, not a folder")
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
    old: dict[str, Any], plans: dict[str, Any], preset: str, seeds: dict[str, Any]
) -> None:
    """What is committed stands, unless the script says why its plan was changed after a look."""
    for claim, plan in plans.items():
        before = old["plans"].get(claim)
        if before is None or (
            before["sha256"] == plan["sha256"]
            if preset == old["preset"]
            else declared_alike(before, plan)
        ):
            continue
        variant = "(--force replaces it; another folder takes a variant)."
        if plan["revised"] in ("", before["revised"]):
            raise ReplacementRefused(
                f"{claim} was judged by another plan, and `revised` gives no new reason {variant}"
            )
        if "seed" in seeds and seeds["seed"] == old["config"].get("seed"):
            raise ReplacementRefused(
                f"{claim}: a revised plan needs a seed that was never used {variant}"
            )


def judged(script: Script, results: dict[str, Any]) -> list[Verdict]:
    """The script's verdicts; a claim without a plan is shown as measured before the protocol.

    Raises:
        ValueError: the script judges other claims or errata than it owns, a claim without its plan,
            without a scope, with other controls than the plan has, or with an outcome that its
            parts and controls do not give.
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
        if plan and not follows(verdict):
            raise ValueError(f"{verdict.subject}: its parts and controls do not give the outcome.")
        verdicts.append(verdict)
    return verdicts


def _device() -> str:
    device = jax.devices()[0]
    name = f"{os.cpu_count()} CPU cores" if device.platform == "cpu" else device.device_kind
    return f"{name}, {platform.machine()}"
