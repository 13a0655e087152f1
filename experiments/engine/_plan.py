"""What is fixed for a claim before the run, and its hash: nothing may change after a look."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments import catalogue
from experiments.engine._results import to_json


@dataclass(frozen=True)
class Plan:
    """What a script declares for a claim, beside the protocol's row and its own configuration.

    Attributes:
        effects: the smallest effects that matter and the tolerances, by what they are of.
        gates: names of the controls that must pass in the same run.
        settings: whatever else the run fixes and `Config` does not hold.
        revised: why the plan differs from one that was run before, or from the protocol's row,
            where that is wrong on its face; it needs seeds that were never used.

    Raises:
        TypeError: `gates` are no tuple of texts.
        ValueError: an effect is not finite.
    """

    effects: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    revised: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.gates, tuple) or not all(isinstance(g, str) for g in self.gates):
            raise TypeError(f"gates must be a tuple of names, got {self.gates!r}.")
        for name, effect in self.effects.items():
            if not math.isfinite(effect):
                raise ValueError(f"the effect {name!r} must be finite, got {effect!r}.")


def declared_alike(recorded: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Whether a record's plan fixes the same effects, controls and settings, whatever its sizes."""
    return all(recorded.get(name) == plan[name] for name in ("effects", "gates", "settings"))


def frozen(claim: str, plan: Plan, config: Any) -> dict[str, Any]:
    """The plan as it stands in a record, with the SHA-256 of all that is fixed.

    That is the protocol's row (quantifier, statement, parts, metric, direction, smallest effect,
    gates, n), the plan and the configuration (settings, seeds, budgets), as sorted JSON. A record's
    configuration is a mapping.

    Raises:
        ValueError: the protocol has no such claim.
    """
    if claim not in catalogue.protocol():
        raise ValueError(f"PLANS has {claim!r}, which is no claim of the protocol.")
    declared = to_json(dataclasses.asdict(plan))
    fixed = {
        "row": dataclasses.asdict(catalogue.protocol()[claim]),
        "plan": declared,
        "config": to_json(config if isinstance(config, Mapping) else dataclasses.asdict(config)),
    }
    text = json.dumps(fixed, sort_keys=True, ensure_ascii=False)
    return {**declared, "sha256": hashlib.sha256(text.encode()).hexdigest()}
