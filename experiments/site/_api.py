"""The reference: a page for each room of the library, with an entry for each public name."""

import inspect
import json
import re
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any

from typing_extensions import is_protocol

import jaxtricks
from experiments.markup import Escaped, table
from experiments.site._edition import Edition

OF_EVERY_MODULE = ("parent", "name")  # arguments of all Flax modules
LINKS = Path(__file__).with_name("links.json")
ORIGINS = {"jaxtricks.initializers.zeros": "jax.nn.initializers.zeros"}  # re-exported
SPECIAL = ("__call__", "__getitem__", "__len__")
UNLINKED = re.compile(r'<span title="([\w.]+)">(\w+)</span>')


def rooms() -> dict[str, ModuleType]:
    """The packages with public functions, by their name below `jaxtricks`."""
    found = {}
    for name, room in inspect.getmembers(jaxtricks, inspect.ismodule):
        if name.startswith("_"):
            continue
        inner = dict(inspect.getmembers(room, inspect.ismodule)) if name == "presets" else {}
        found |= {f"{name}.{part}": module for part, module in inner.items()} or {name: room}
    return found


def public_names(room: ModuleType) -> list[str]:
    """The names that a room exports, functions first."""
    names = [name for name in room.__all__ if not inspect.ismodule(getattr(room, name))]
    return sorted(names, key=lambda name: (not inspect.isfunction(getattr(room, name)), name))


def first_sentence(thing: Any) -> str:
    """The first sentence of a docstring, on one line; of the name of a type there is none."""
    if not inspect.isroutine(thing) and not inspect.isclass(thing) and not inspect.ismodule(thing):
        return "The name of a type."
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=\.)\s+(?=[A-Z`$])", paragraph)[0]


def signature(thing: Any) -> str:
    """The arguments and their defaults; the types stand on the page."""
    if not inspect.isroutine(thing) and not _is_made(thing):
        return ""
    bare = [
        parameter.replace(annotation=Parameter.empty, default=_default(parameter.default))
        for name, parameter in inspect.signature(thing).parameters.items()
        if not (inspect.isclass(thing) and name in OF_EVERY_MODULE)
    ]
    return str(inspect.Signature(bare))


def pages(edition: Edition) -> dict[str, str]:
    """`api/<room>.md` for every room."""
    del edition
    return {f"api/{name}.md": _page(name, room) for name, room in rooms().items()}


def link_frameworks(site: Path) -> None:
    """Links the types of JAX, optax and others in the signatures of a built site to their pages."""
    for path in sorted(site.glob("api/*/index.html")):
        path.write_text(UNLINKED.sub(_linked, path.read_text()))


def framework_address(name: str) -> str | None:
    """Where a name of another package is documented, after the longest prefix in `links.json`."""
    patterns = json.loads(LINKS.read_text())
    known = [prefix for prefix in patterns if f"{name}.".startswith(f"{prefix}.")]
    return patterns[max(known, key=len)].format(name=name) if known else None


def _linked(found: re.Match[str]) -> str:
    name, shown = found.groups()
    address = framework_address(name)
    return f'<a href="{address}" title="{name}">{shown}</a>' if address else found[0]


def _page(name: str, room: ModuleType) -> str:
    path = f"jaxtricks.{name}"
    rows = [(f"[`{n}`](#{path}.{n})", _cell(getattr(room, n))) for n in public_names(room)]
    entries = [_entry(f"{path}.{n}", n, getattr(room, n)) for n in public_names(room)]
    about = json.dumps(f"{path}: {first_sentence(room)}".replace("`", ""))
    head = ["---", f"description: {about}", "---", "", f"# {path}", "", inspect.getdoc(room) or ""]
    return "\n".join([*head, "", *table(("name", "what it is"), rows), "", *entries])


def _cell(thing: Any) -> str:
    """The first sentence, in which no bar of a formula ends the cell."""
    sentence = first_sentence(thing)
    return re.sub(r"\$[^$]+\$", lambda formula: formula[0].replace("|", r"\vert{}"), sentence)


def _entry(path: str, name: str, thing: Any) -> str:
    module = getattr(thing, "__module__", None) or ""
    if inspect.isroutine(thing) and not module.startswith("jaxtricks"):
        origin = ORIGINS.get(path, f"{module}.{name}")
        return f"## `{name}` {{ #{path} }}\n\nThis is [`{origin}`]({framework_address(origin)}).\n"
    members = json.dumps(_members(thing)) if inspect.isclass(thing) else "false"
    return f"::: {path}\n    options:\n      members: {members}\n"


def _members(kind: type) -> list[str] | bool:
    """The methods that a class itself defines and documents."""
    fields = inspect.get_annotations(kind)
    named = [
        name
        for name, thing in vars(kind).items()
        if (not name.startswith("_") or name in SPECIAL)
        and name not in fields  # a field whose default is a function
        and (inspect.isfunction(thing) or isinstance(thing, property))
        and thing.__doc__
    ]
    return named or False


def _is_made(thing: Any) -> bool:
    """Whether it is a class that the reader makes objects of: no error, no protocol."""
    return inspect.isclass(thing) and not (issubclass(thing, Exception) or is_protocol(thing))


def _default(value: Any) -> Any:
    """The default, or the name of a function, whose `repr` has an address that changes."""
    named = callable(value) and value is not Parameter.empty and hasattr(value, "__name__")
    return Escaped(value.__name__) if named else value
