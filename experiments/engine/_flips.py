"""A second set of seeds: does it give the same verdicts?"""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from experiments.engine._freeze import record_path
from experiments.engine._judged import judged
from experiments.engine._plan import declared_alike, frozen
from experiments.engine._results import (
    check_finite,
    from_json,
    read_record,
    read_verdict,
    to_json,
)
from experiments.engine._script import Script
from experiments.engine._verdict import Verdict

STEP = 1000  # between one set of seeds and the next
SECONDS = 10.0  # of a committed run that is short enough to be repeated by default


def reseeded(script: Script, preset: str, reseed: int) -> Any:
    """The script's configuration with other seeds; None if nothing in it is random."""
    config = script.config(preset)
    if not any(field.name == "seed" for field in dataclasses.fields(config)):  # type: ignore
        return None
    return dataclasses.replace(config, seed=config.seed + STEP * reseed)  # type: ignore


def repeatable(scripts: Iterable[Script], committed: Path, preset: str) -> list[Script]:
    """Those with seeds whose committed run took seconds."""
    chosen = []
    for script in scripts:
        path = record_path(script, committed)
        if script.plans and reseeded(script, preset, 0) is not None and path.exists():
            record = read_record(path)
            if record["preset"] == preset and record["wall_seconds"] <= SECONDS:
                chosen.append(script)
    return chosen


def compare(
    script: Script, preset: str, reseed: int, committed: Path, out: Path
) -> Iterator[tuple[Verdict, Verdict]]:
    """Runs a script with other seeds: the committed verdict and the new one, of each claim.

    Nothing is written, but a long study's trials in `out`, until all are finished.

    Raises:
        ValueError: the script has no `seed` in its `Config`, or its committed record is missing or
            of another preset, plan or data set.
    """
    config = reseeded(script, preset, reseed)
    if config is None:
        raise ValueError(f"{script.name} has no seed in its Config: other seeds change nothing.")
    path = record_path(script, committed)
    if not path.exists():
        raise ValueError(f"{path} is not there: nothing to compare with.")
    record = read_record(path)
    if record["preset"] != preset:
        raise ValueError(f"{path} is of the preset {record['preset']}, not of {preset}.")
    for claim, plan in script.plans.items():
        if not declared_alike(record["plans"].get(claim, {}), frozen(claim, plan, config)):
            raise ValueError(f"{path}: {claim} was run by another plan than the script's.")
    folder = out / f"reseed-{reseed}"
    results = script.run(config, folder)
    check_finite(results, script.non_finite)
    data = results.get("data_set", "analytic")
    if data != record["data_set"]:
        raise ValueError(f"{path} is of {record['data_set']}, this run of {data}.")
    before = {v.subject: v for v in map(read_verdict, record["verdicts"])}
    for verdict in judged(script, from_json(to_json(results))):
        if verdict.subject in script.plans:
            yield before[verdict.subject], verdict
    script.trials(folder, config).unlink(missing_ok=True)
