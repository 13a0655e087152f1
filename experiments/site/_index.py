"""Plain-text indexes: `llms.txt` names the pages, `api.txt` every name; and the search's index."""

import json
import re
from pathlib import Path
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

{guides}

## API
"""


GUIDES = Path(__file__).parents[2] / "docs" / "guides"
SEARCHED = 1200  # characters of an entry
CODE = re.compile(r"<pre>.*?</pre>", re.DOTALL)


def pages(edition: Edition) -> dict[str, str]:
    """`llms.txt` and `api.txt`."""
    del edition
    rooms = _api.rooms()
    lines = [f"- [jaxtricks.{n}](api/{n}/): {_api.first_sentence(r)}" for n, r in rooms.items()]
    about = ABOUT.format(guides="\n".join(map(_guide, sorted(GUIDES.glob("*.md")))))
    names = [_room(name, room) for name, room in rooms.items()]
    return {
        "llms.txt": f"{about}\n" + "\n".join(lines) + "\n",
        "api.txt": "\n\n".join(names) + "\n",
    }


def make_search_light(site: Path) -> None:
    """Takes code, tags and what is far down out of the search's index, which every page loads."""
    path = site / "search" / "search_index.json"
    index = json.loads(path.read_text("utf-8"))
    for entry in index["docs"]:
        text = " ".join(re.sub("<[^>]+>", "", CODE.sub("", entry["text"])).split())
        entry["text"] = text[:SEARCHED].rpartition(" ")[0] if len(text) > SEARCHED else text
    path.write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), "utf-8")


def _guide(path: Path) -> str:
    title = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
    return f"- [{title}](guides/{path.stem}/)"


def _room(name: str, room: Any) -> str:
    head = f"jaxtricks.{name}: {_api.first_sentence(room)}"
    return "\n".join([head, *(_line(n, getattr(room, n)) for n in _api.public_names(room))])


def _line(name: str, thing: Any) -> str:
    return f"  {name}{_api.signature(thing)}\n      {_api.first_sentence(thing)}"
