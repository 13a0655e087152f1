"""A second set of seeds: does it give the same verdicts?"""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from experiments.engine._results import from_json, read_record, read_verdict, to_json
from experiments.engine._run import judged, record_path
from experiments.engine._script import Script

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
            if read_record(path)["wall_seconds"] <= SECONDS:
                chosen.append(script)
    return chosen


def compare(
    script: Script, preset: str, reseed: int, committed: Path, out: Path
) -> Iterator[tuple[str, str, str]]:
    """Runs a script with other seeds: claim, committed outcome and the new one, for each it judges.

    Nothing is written, but a long study's trials in `out`, until all are finished.

    Raises:
        ValueError: the script has no `seed` in its `Config`, or its committed record is missing or
            of another preset or data set.
    """
    config = reseeded(script, preset, reseed)
    if config is None:
        raise ValueError(f"{script.name} has no seed in its Config: nothing in it is random.")
    path = record_path(script, committed)
    if not path.exists():
        raise ValueError(f"{path} is not there: nothing to compare with.")
    record = read_record(path)
    folder = out / f"reseed-{reseed}"
    results = script.run(config, folder)
    script.trials(folder).unlink(missing_ok=True)
    found = (preset, results.get("data_set", "analytic"))
    if found != (record["preset"], record["data_set"]):
        raise ValueError(
            f"{path} is of {record['preset']} and {record['data_set']}, this run of "
            f"{found[0]} and {found[1]}."
        )
    before = {v.subject: v.outcome for v in map(read_verdict, record["verdicts"])}
    for verdict in judged(script, from_json(to_json(results))):
        if verdict.subject in script.plans:
            yield verdict.subject, before[verdict.subject], verdict.outcome
