"""Running one experiment: results, verdicts, picture, files."""

import dataclasses
import json
import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path

import jax

from experiments.engine._freeze import (
    COMMITTED,
    ReplacementRefused,
    existing,
    only_names_more,
    record_path,
    refuse_other_outcomes,
    refuse_other_plans,
    refuse_other_results,
    refuse_other_script,
    refuse_smaller,
)
from experiments.engine._judged import judged
from experiments.engine._picture import picture_files, picture_path, write_picture
from experiments.engine._plan import declared_alike, frozen
from experiments.engine._results import (
    SCHEMA,
    check_finite,
    check_record,
    from_json,
    read_record,
    to_json,
    write_record,
)
from experiments.engine._script import Script
from experiments.engine._trials import seconds_so_far

OUR_PAGES = {
    "README.md": rb"\A# Ledger",
    "index.html": rb"<title>jaxtricks: the measured lectures</title>",
}
COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"

_compile_seconds = [0.0]
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: (
        _compile_seconds.__setitem__(0, _compile_seconds[0] + seconds)
        if event == COMPILE_EVENT
        else None
    )
)


def run_script(script: Script, preset: str, out: Path, *, force: bool = False) -> Path:
    """Runs, judges, draws and writes one experiment; returns the picture's path.

    Raises:
        ReplacementRefused: see there.
        NonFiniteResult: a result is NaN or infinite though the script did not say that it may be.
        OSError: the output cannot be written; whatever was there before still is.
    """
    old = existing(script, out, force)
    if old and not force:
        refuse_smaller(script, old, preset=preset)
    config = script.config(preset)
    plans = {claim: frozen(claim, plan, config) for claim, plan in script.plans.items()}
    named_anew = False
    if old and not force and out.resolve() == COMMITTED:
        named_anew = only_names_more(script, old, dataclasses.asdict(config), preset)
        if not named_anew:
            refuse_other_plans(script, old, plans, preset)
    earlier = seconds_so_far(script.trials(out, config))
    compile_before, start = _compile_seconds[0], time.perf_counter()
    results = script.run(config, out)
    if not isinstance(results, dict):
        raise TypeError(f"{script.name}: run must return a dict, got {results!r}.")
    wall = earlier + time.perf_counter() - start
    check_finite(results, script.non_finite)
    if old and named_anew:
        refuse_other_results(script, old, results)
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
        refuse_smaller(script, old, data_set=str(record["data_set"]))
    readable = from_json(to_json(results))
    verdicts = judged(script, readable)
    if old and named_anew:
        refuse_other_outcomes(old, verdicts)
    record["rule"] = script.rule
    record["plans"] = plans
    record["verdicts"] = [dataclasses.asdict(verdict) for verdict in verdicts]
    record["results"] = results
    check_record(json.loads(json.dumps(to_json(record))))
    write_picture(script, out, picture_files(script, readable, preset, verdicts))
    write_record(record_path(script, out), record)
    script.trials(out, config).unlink(missing_ok=True)
    return picture_path(script, out)


def redraw_script(script: Script, out: Path, *, force: bool = False) -> Path:
    """Judges and draws again from the JSON in `out`, without running.

    Raises:
        FileNotFoundError: there is none.
        ReplacementRefused: it is another script's, was run by another plan, or is committed with
            another outcome, and `force` was not given.
    """
    path = record_path(script, out)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: run {script.name} before redrawing it.")
    record = read_record(path)
    refuse_other_script(script, record, force)
    config = script.config(record["preset"])
    plans = {claim: frozen(claim, plan, config) for claim, plan in script.plans.items()}
    for claim, plan in {} if force else plans.items():
        if not declared_alike(record["plans"].get(claim, {}), plan):
            raise ReplacementRefused(
                f"{claim} was run by another plan than the script's (--force judges by this one)."
            )
    verdicts = judged(script, record["results"])
    if not force and out.resolve() == COMMITTED:
        refuse_other_outcomes(record, verdicts)
    record["question"], record["rule"] = script.question, script.rule
    record["figures"], record["animated"] = script.figures, script.animate is not None
    if force:
        record["plans"] = plans
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


def _device() -> str:
    device = jax.devices()[0]
    name = f"{os.cpu_count()} CPU cores" if device.platform == "cpu" else device.device_kind
    return f"{name}, {platform.machine()}"
