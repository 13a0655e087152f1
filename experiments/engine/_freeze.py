"""What a run or a redraw may not replace: larger runs, other scripts' records, committed plans."""

import functools
import math
from pathlib import Path
from typing import Any

from experiments.engine._plan import frozen
from experiments.engine._results import PRESETS, read_record, to_json
from experiments.engine._script import Script
from experiments.engine._verdict import Verdict
from experiments.markup import printable

COMMITTED = Path(__file__).resolve().parents[2] / "paper_figs"
RANGE = 10_000  # of seeds that belong to one plan: a revised one begins with the next
REAL_DATA = ("mnist", "cifar10")
ROUNDING = (1e-5, 1e-9)  # by which two runs of a float32 program differ, relative or absolute


class ReplacementRefused(RuntimeError):
    """The folder holds a larger preset, real data, another plan or outcome, or a file of others.

    And `force` was not given.
    """


def record_path(script: Script, out: Path) -> Path:
    return out / f"{script.stem}.json"


def existing(script: Script, out: Path, force: bool) -> dict[str, Any] | None:
    """The record there is.

    Raises:
        ReplacementRefused: the file is not ours, or a picture of this name has no record, so that
            it may be somebody's, and `force` does not give them up.
    """
    path = record_path(script, out)
    if not path.exists():
        pictures = [path.with_suffix(suffix) for suffix in (".png", ".svg", ".gif")]
        taken = next((picture for picture in pictures if picture.exists()), None)
        if taken and not force:
            raise ReplacementRefused(f"{taken} is there without a record (--force replaces it).")
        return None
    try:
        record = read_record(path)
    except ValueError as error:
        if force:
            return None
        raise ReplacementRefused(f"{printable(error)} (--force replaces it.)") from error
    refuse_other_script(script, record, force)
    return record


def refuse_other_script(script: Script, record: dict[str, Any], force: bool) -> None:
    if record["script"] != script.name and not force:
        raise ReplacementRefused(
            f"{script.stem} is a record of {record['script']}, not of {script.name} (--force "
            "replaces it)."
        )


def refuse_other_outcomes(record: dict[str, Any], verdicts: list[Verdict]) -> None:
    """A rule that gives another outcome after the look is another plan."""
    before = {verdict["subject"]: verdict["outcome"] for verdict in record["verdicts"]}
    for verdict in verdicts:
        if verdict.subject in record["plans"] and verdict.outcome != before[verdict.subject]:
            raise ReplacementRefused(
                f"{verdict.subject} was {before[verdict.subject]} and would be {verdict.outcome} "
                "by the rule as it is now (--force writes it)."
            )


def refuse_smaller(
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


def only_names_more(
    script: Script, old: dict[str, Any], config: dict[str, Any], preset: str
) -> bool:
    """Whether the plans are the record's, but for fields that were added to the configuration.

    Such a field may only name what was fixed before: see `refuse_other_results`.
    """
    now, then = to_json(config), old["config"]
    named = now != then and holds_all(now, then, rounding=(0.0, 0.0))
    same = preset == old["preset"] and old["plans"].keys() <= script.plans.keys()
    return (
        named
        and same
        and bool(old["plans"])
        and all(
            before["sha256"] == frozen(claim, script.plans[claim], old["config"])["sha256"]
            for claim, before in old["plans"].items()
        )
    )


def holds_all(new: Any, old: Any, *, rounding: tuple[float, float]) -> bool:
    """Whether all that the old one has is in the new one, which may have more keys.

    Numbers may differ by the first of `rounding`, relative, or by the second.
    """
    hold = functools.partial(holds_all, rounding=rounding)
    if isinstance(new, dict) and isinstance(old, dict):
        return all(key in new and hold(new[key], value) for key, value in old.items())
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(hold, new, old))
    if isinstance(new, float) or isinstance(old, float):
        numbers = isinstance(new, int | float) and isinstance(old, int | float)
        return numbers and math.isclose(new, old, rel_tol=rounding[0], abs_tol=rounding[1])
    return new == old


def refuse_other_results(script: Script, old: dict[str, Any], results: dict[str, Any]) -> None:
    """A field that only names what was fixed before changes no number of the run."""
    if not holds_all(to_json(results), to_json(old["results"]), rounding=ROUNDING):
        raise ReplacementRefused(
            f"{script.stem}: with the fields that were added to Config the results are others than "
            "those that are committed (--force replaces them; another folder takes a variant)."
        )


def refuse_other_plans(
    script: Script, old: dict[str, Any], plans: dict[str, Any], preset: str
) -> None:
    """What is committed stands, unless the script says why its plan was changed after a look."""
    variant = "(--force replaces it; another folder takes a variant)."
    then, now = script.config(str(old["preset"])), script.config(preset)
    for claim, before in old["plans"].items():
        if claim not in plans:
            raise ReplacementRefused(f"{claim} was judged by a plan that PLANS lacks {variant}")
        plan = script.plans[claim]
        if before["sha256"] == frozen(claim, plan, then)["sha256"]:
            continue  # a larger preset changes no plan
        if plan.revised in ("", before["revised"]):
            raise ReplacementRefused(
                f"{claim} was judged by another plan, and `revised` gives no new reason {variant}"
            )
        used, seed = old["config"].get("seed"), getattr(now, "seed", None)
        if used is not None and seed is not None and seed < used + RANGE:
            raise ReplacementRefused(
                f"{claim}: a revised plan needs a seed that was never used, {used + RANGE} or "
                f"more, got {seed} {variant}"
            )
