"""Every trick of the notes names what answers it; every public name answers one, or is listed.

The two ends of `experiments/catalogue/systems.json`: a name that is renamed, added or removed in
the library fails here, and the message says which file to edit.
"""

import importlib
import importlib.util
from types import ModuleType

import jaxtricks
from experiments import catalogue
from experiments.engine._ledger import ledger

SYSTEMS, BEYOND = "experiments/catalogue/systems.json", "experiments/catalogue/beyond.json"


def rooms():
    return {n: m for n, m in vars(jaxtricks).items() if isinstance(m, ModuleType) and n[0] != "_"}


def public_names(prefix, module):
    """Names as they are imported below `jaxtricks.`; a module that lists names stands for these."""
    for name in getattr(module, "__all__", ()):
        member = getattr(module, name)
        if isinstance(member, ModuleType):
            yield from public_names(f"{prefix}.{name}", member)
        else:
            yield f"{prefix}.{name}"


OURS = {name for room, module in rooms().items() for name in public_names(room, module)}
ANSWERS = {name: row.id for row in catalogue.systems().values() for name in row.where or ()}


def exists(name):
    """Whether an upstream name can be imported; None if its library is not installed."""
    parts = name.split(".")
    if importlib.util.find_spec(parts[0]) is None:
        return None
    for length in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def test_every_trick_says_where_it_is_or_why_it_is_nowhere():
    for row in catalogue.systems().values():
        if row.where is None:
            assert row.reason, f'{row.id} has no "where": give it a "reason" in {SYSTEMS}.'
        else:
            assert row.where, (
                f'{row.id} has an empty "where": write null and a "reason" in {SYSTEMS}.'
            )
            assert row.reason is None, f'{row.id} has a "where": remove its "reason" in {SYSTEMS}.'
            assert len(row.where) == len(set(row.where)), f"{row.id} names something twice."


def test_every_name_of_ours_that_answers_is_public():
    gone = {n: i for n, i in ANSWERS.items() if n.split(".")[0] in rooms() and n not in OURS}
    assert not gone, f"Not public names of jaxtricks: write their new names in {SYSTEMS}: {gone}"


def test_every_upstream_name_that_answers_can_be_imported():
    upstream = {n for n in ANSWERS if n.split(".")[0] not in rooms()}
    gone = {n: ANSWERS[n] for n in upstream if exists(n) is False}
    assert not gone, f"Neither rooms of jaxtricks nor importable: correct {SYSTEMS}: {gone}"
    assert {n for n in upstream if exists(n)}, "no upstream name was imported"


def test_names_that_do_not_exist_are_found():
    assert exists("optax.adam") and exists("jax.nn.initializers.zeros")
    assert exists("optax.adem") is False and exists("jax.no_such_module.relu") is False
    assert exists("no_such_library.adam") is None


def test_every_public_name_answers_a_trick_or_is_listed_as_beyond_the_notes():
    missing = sorted(OURS - set(ANSWERS) - catalogue.beyond())
    assert not missing, (
        f'Add each to the "where" of the trick that it answers in {SYSTEMS}, or to {BEYOND} if the '
        f"notes do not have it: {missing}"
    )


def test_the_list_of_names_beyond_the_notes_holds_no_other():
    answered = {n: ANSWERS[n] for n in catalogue.beyond() if n in ANSWERS}
    assert not answered, f"These answer tricks: remove them from {BEYOND}: {answered}"
    gone = sorted(catalogue.beyond() - OURS)
    assert not gone, f"Not public names of jaxtricks: remove or rename them in {BEYOND}: {gone}"


def test_the_ledger_shows_where_every_trick_is():
    rows = {
        line.split(" | ")[0][2:]: line for line in ledger([]).splitlines() if "| S-" in line[:4]
    }
    assert list(rows) == list(catalogue.systems())
    for row in catalogue.systems().values():
        shown = [f"`{name}`" for name in row.where or ()] or [f"none: {row.reason}"]
        assert all(text in rows[row.id].split(" | ")[-1] for text in shown), row.id
