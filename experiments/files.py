"""Files written whole or not at all, and JSON files read with errors that name them."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames: a crash leaves the old file or none, never half of one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: the path is not a regular file (a pipe would never end), cannot be read, or its
            content is torn, not text, or nested too deeply. The message names the path.
    """
    try:
        if not path.is_file():
            raise ValueError("it is not a regular file")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}.") from error
