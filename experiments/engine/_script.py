"""Finding the experiment scripts and reading what they expose."""

import dataclasses
import difflib
import hashlib
import importlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments import catalogue
from experiments.engine._plan import Plan

ROOT = Path(__file__).resolve().parents[1]
NOT_SCRIPTS = {"engine", "catalogue", "lab", "performance"}
SUBJECT = re.compile(r"[CEF]-\d{3}|E-\d{2}")


@dataclasses.dataclass(frozen=True)
class Script:
    """One experiment: `name` is "topic/question". The module is imported when first needed."""

    name: str

    @cached_property
    def module(self) -> ModuleType:
        return importlib.import_module("experiments." + self.name.replace("/", "."))

    @cached_property
    def broken(self) -> str:
        """Why its module cannot be imported; empty if it can."""
        try:
            return "" * bool(self.module)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    @property
    def stem(self) -> str:
        """Name of its files in the output folder."""
        return self.name.split("/")[-1]

    @property
    def question(self) -> str:
        """First line of the docstring."""
        return (self.module.__doc__ or "").strip().splitlines()[0]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Ids of the figures, claims and errata that the script owns."""
        return (*self.figures, *self.claims, *self.errata)

    @property
    def figures(self) -> tuple[str, ...]:
        return getattr(self.module, "FIGURES", ())

    @property
    def claims(self) -> tuple[str, ...]:
        return getattr(self.module, "CLAIMS", ())

    @property
    def plans(self) -> Mapping[str, Plan]:
        """What is fixed for each claim that the protocol judges here; other claims wait for it."""
        return getattr(self.module, "PLANS", {})

    @property
    def errata(self) -> tuple[str, ...]:
        return getattr(self.module, "ERRATA", ())

    @property
    def references(self) -> tuple[str, ...]:
        """Published results that the script measures again, each by its name in the ledger."""
        return getattr(self.module, "REFERENCES", ())

    @property
    def non_finite(self) -> tuple[str, ...]:
        """Keys of the results in which NaN or infinity is a finding, not a failure."""
        return getattr(self.module, "NON_FINITE", ())

    @property
    def tier(self) -> int:
        """1: part of the main job, which has 5 minutes for all; 2: left out of it, because it takes
        over 20 seconds, or 10 and has no figure; 3: a study of over ten minutes, which goes on
        after a kill. Animations of the notes' figures stay in the main job."""
        return getattr(self.module, "TIER", 1)

    @property
    def alone(self) -> bool:
        """Whether it measures seconds, so that nothing may run beside it."""
        return getattr(self.module, "ALONE", False)

    @property
    def animate(self) -> Callable | None:
        return getattr(self.module, "animate", None)

    @property
    def rule(self) -> str:
        """Source of the function that judges, as a record keeps it."""
        return inspect.getsource(self.module.judge)

    def run(self, config: object, out: Path) -> dict[str, Any]:
        """Its results. A long study, whose `run` takes the path of its `trials` too, goes on with
        those that are finished in `out`."""
        if "trials" in inspect.signature(self.module.run).parameters:
            return self.module.run(config, self.trials(out, config))
        return self.module.run(config)

    def trials(self, out: Path, config: object) -> Path:
        """Where a long study keeps its finished trials until its record is written.

        Another configuration (seeds, sizes, preset) has another file.
        """
        fixed = json.dumps(dataclasses.asdict(config), sort_keys=True, default=str)  # type: ignore
        return (
            out / "trials" / f"{self.stem}-{hashlib.sha256(fixed.encode()).hexdigest()[:12]}.jsonl"
        )

    def config(self, preset: str) -> object:
        if preset == "default":
            return self.module.Config()
        return {"smoke": self.module.SMOKE, "full": self.module.FULL}[preset]


def find_scripts(only: tuple[str, ...] = ()) -> list[Script]:
    """All scripts, or those named: "topic", "topic/question", "question" or an id such as "C-013".

    Raises:
        ValueError: a name fits no script.
    """
    paths = sorted(ROOT.glob("*/*.py"))
    names = [
        f"{path.parent.name}/{path.stem}"
        for path in paths
        if path.parent.name not in NOT_SCRIPTS and not path.stem.startswith("_")
    ]
    scripts = [Script(name) for name in names]
    if not only:
        return scripts
    chosen: list[Script] = []
    for wanted in only:
        if SUBJECT.fullmatch(wanted.upper()):
            wanted = wanted.upper()
            fitting = [s for s in scripts if not s.broken and wanted in s.subjects]
        else:
            wanted = wanted.removeprefix("experiments/").removesuffix(".py")
            fitting = [s for s in scripts if wanted in (s.name, s.stem, s.name.split("/")[0])]
        if not fitting:
            known = {*catalogue.claims(), *catalogue.errata(), *catalogue.figures()}
            why = "no experiment yet for" if wanted in known else "no experiment fits"
            meant = "" if wanted in known else near_misses(wanted, [*names, *sorted(known)])
            raise ValueError(f"{why} {wanted!r}; {meant}--list shows them all.")
        chosen += [script for script in fitting if script not in chosen]
    return chosen


def near_misses(wanted: str, known: list[str]) -> str:
    """Asks whether a topic, a question or an id like the one wanted was meant; empty if none is."""
    number = re.fullmatch(r"([CEF])-?(\d{1,3})", wanted.upper())
    padded = f"{number[1]}-{int(number[2]):0{2 if number[1] == 'E' else 3}}" if number else ""
    if padded in known:
        return f"did you mean {padded!r}? "
    split = [(name,) if "/" in wanted else name.split("/") for name in known]
    words = list(dict.fromkeys(word for parts in split for word in parts))
    meant = difflib.get_close_matches(wanted, words)
    meant += [word for word in words if wanted in word and word not in meant][: 3 - len(meant)]
    return f"did you mean {' or '.join(map(repr, meant))}? " if meant else ""
