"""Plain-text indexes: `llms.txt` names the pages, `api.txt` every public name."""

from typing import Any

from experiments.site import _api
from experiments.site._edition import Edition

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
    return {
        "llms.txt": f"{ABOUT}\n" + "\n".join(lines) + "\n",
        "api.txt": "\n\n".join(names) + "\n",
    }


def _room(name: str, room: Any) -> str:
    head = f"jaxtricks.{name}: {_api.first_sentence(room)}"
    return "\n".join([head, *(_line(n, getattr(room, n)) for n in _api.public_names(room))])


def _line(name: str, thing: Any) -> str:
    return f"  {name}{_api.signature(thing)}\n      {_api.first_sentence(thing)}"
