"""Plain-text indexes: `llms.txt` names the pages, `api.txt` every public name."""

import inspect
from inspect import Parameter
from typing import Any

from typing_extensions import is_protocol

from experiments.markup import Escaped
from experiments.site import _api
from experiments.site._edition import Edition

OF_EVERY_MODULE = ("parent", "name")  # arguments of all Flax modules
ABOUT = """# jaxtricks

> The classic neural-network training tricks as pure JAX functions, and the measured edition of the
> lectures that taught them.

- [Every public name, with its signature](api.txt)
- [Conventions: which keyword reproduces which framework and paper](conventions/)
- [Claims and their verdicts](claims/)
- [Errata](errata/)
- [Figures](figures/)
- [Tricks of the notes, and the functions that answer them](tricks/)
- [How claims are judged](judging/)
- [What it costs](performance/)

## Guides

- [Training](guides/training/)
- [Regularisation](guides/regularisation/)
- [Tuning](guides/tuning/)
- [Models of nnx and Equinox, and dicts](guides/nnx_equinox_dicts/)
- [Your own experiment](guides/your_own_experiment/)

## API
"""


def pages(edition: Edition) -> dict[str, str]:
    """`llms.txt` and `api.txt`."""
    del edition
    rooms = _api.rooms()
    lines = [f"- [jaxtricks.{n}](api/{n}/): {_api.first_sentence(r)}" for n, r in rooms.items()]
    names = [_room(name, room) for name, room in rooms.items()]
    return {"llms.txt": f"{ABOUT}\n" + "\n".join(lines) + "\n", "api.txt": "\n\n".join(names) + "\n"}


def _room(name: str, room: Any) -> str:
    head = f"jaxtricks.{name}: {_api.first_sentence(room)}"
    return "\n".join([head, *(_line(n, getattr(room, n)) for n in _api.public_names(room))])


def _line(name: str, thing: Any) -> str:
    return f"  {name}{_signature(thing)}\n      {_api.first_sentence(thing)}"


def _signature(thing: Any) -> str:
    """The arguments and their defaults; the types stand on the page."""
    if not inspect.isroutine(thing) and not _is_made(thing):
        return ""
    bare = [
        parameter.replace(annotation=Parameter.empty, default=_default(parameter.default))
        for name, parameter in inspect.signature(thing).parameters.items()
        if not (inspect.isclass(thing) and name in OF_EVERY_MODULE)
    ]
    return str(inspect.Signature(bare))


def _is_made(thing: Any) -> bool:
    """Whether it is a class that the reader makes objects of: no error, no protocol."""
    return inspect.isclass(thing) and not (issubclass(thing, Exception) or is_protocol(thing))


def _default(value: Any) -> Any:
    """The default, or the name of a function, whose `repr` has an address that changes."""
    named = callable(value) and value is not Parameter.empty and hasattr(value, "__name__")
    return Escaped(value.__name__) if named else value
