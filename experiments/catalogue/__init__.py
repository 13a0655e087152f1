"""Everything the experiments must answer: claims, errata, figures and the tricks behind them.

The library itself does not cite the notes: `systems.json` says which function answers which trick,
and `beyond.json` lists the public names that answer none. Ids are stable. `004:299` is line 299 of
note 004.

Example:
    >>> claims()["C-019"].text
    'The initial velocity does not matter: starting it at 0 makes no difference'
    >>> errata()["E-05"].where
    '002:229 vs 002:293, 004:74 (class B too)'
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

Row = TypeVar("Row")
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Claim:
    """A sentence of the notes that a measurement can confirm or refute.

    Attributes:
        id: `C-001` to `C-150`.
        text: the claim.
        notes: where the notes make it.
        section: the topic.
    """

    id: str
    text: str
    notes: tuple[str, ...]
    section: str


@dataclass(frozen=True)
class Protocol:
    """How a claim is judged, fixed before looking; `docs/judging.md` has the rules it refers to.

    Attributes:
        id: the claim's.
        anew: whether a verdict of before this protocol is void.
        quantifier: A, what holds always; U, usually; C, a comparison; E, what may be; T, not
            testable.
        says: what the sentence says, and where.
        parts: what is judged one by one, and whether all must hold or any.
        metric: what is measured, and the claimed direction.
        effect: the smallest effect that matters (δ) and why.
        gate: what must be so in the same run for the verdict to count.
        n: seeds, at least; `12×10` is settings times seeds; `det` is deterministic.
    """

    id: str
    anew: bool
    quantifier: Literal["A", "U", "C", "E", "T"]
    says: str
    parts: str
    metric: str
    effect: str
    gate: str
    n: str


@dataclass(frozen=True)
class Erratum:
    """A place where the notes are wrong, clash or misprint.

    Attributes:
        id: `E-01` to `E-134`.
        kind: A changes results if taken literally; B is a clash of conventions; C is a wrong or
            overstated explanation; D is a typing or reference error.
        where: note lines, with remarks.
        printed: as printed (A, D), the clash (B) or the statement (C).
        right: the right form (A, D), what resolves the clash (B) or the better statement (C).
        size: the expected size or its demonstration, a lead to be measured; None if not sized.
    """

    id: str
    kind: Literal["A", "B", "C", "D"]
    where: str
    printed: str
    right: str
    size: str | None


@dataclass(frozen=True)
class Figure:
    """A picture of the notes that an experiment regenerates.

    Attributes:
        id: `F-001` to `F-100`.
        shows: what it showed.
        notes: where it stands in the notes.
        experiment: what is run to draw it again.
        compute: data set, if any, and tier: T0 under 10 s, T1 under 2 min, T2 under 20 min on two
            cores, T3 on an accelerator.
        right_if: the number that must hold for the new picture to say what the old one said.
    """

    id: str
    shows: str
    notes: tuple[str, ...]
    experiment: str
    compute: str
    right_if: str


@dataclass(frozen=True)
class System:
    """A trick, an interface or a trap of the notes.

    Attributes:
        id: the group's letters and a number, such as `S-OPT-01`.
        name: what it is called.
        notes: where it stands in the notes; empty for traps of today's libraries.
        group: the topic.
        where: what answers it: public names, ours written as they are imported below `jaxtricks.`
            (`optimizers.adam`), others in full (`optax.l2_loss`); None if nothing does.
        reason: why nothing does, such as "not yet"; None otherwise.
    """

    id: str
    name: str
    notes: tuple[str, ...]
    group: str
    where: tuple[str, ...] | None
    reason: str | None = None


@lru_cache(maxsize=1)
def claims() -> Mapping[str, Claim]:
    """The 150 claims by id."""
    return _read("claims.json", Claim)


@lru_cache(maxsize=1)
def protocol() -> Mapping[str, Protocol]:
    """How each of the 150 claims is judged, by the claim's id."""
    return _read("protocol.json", Protocol)


@lru_cache(maxsize=1)
def errata() -> Mapping[str, Erratum]:
    """The 134 errata by id."""
    return _read("errata.json", Erratum)


@lru_cache(maxsize=1)
def figures() -> Mapping[str, Figure]:
    """The 100 figures by id."""
    return _read("figures.json", Figure)


@lru_cache(maxsize=1)
def systems() -> Mapping[str, System]:
    """The 192 tricks, interfaces and traps by id."""
    return _read("systems.json", System)


@lru_cache(maxsize=1)
def beyond() -> frozenset[str]:
    """The public names of ours that answer no trick of the notes, written as in `System.where`."""
    return frozenset(json.loads((FOLDER / "beyond.json").read_text("utf-8")))


def _read(name: str, build: Callable[..., Row]) -> Mapping[str, Row]:
    rows: list[dict[str, Any]] = json.loads((FOLDER / name).read_text("utf-8"))
    for row in rows:
        row.update({key: tuple(cell) for key, cell in row.items() if isinstance(cell, list)})
        if "class" in row:
            row["kind"] = row.pop("class")  # a reserved word in Python
    return MappingProxyType({row["id"]: build(**row) for row in rows})
