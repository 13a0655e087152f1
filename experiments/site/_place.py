"""Where a site may stand: what is there already is kept until a whole one takes its place."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRACKED = ("docs", "experiments", "jaxtricks", "paper_figs", "tests")
MARK = ("llms.txt", b"# jaxtricks\n")  # every site has this file, and it begins with this line


def check_place(site: Path) -> None:
    """Checks that a site may be written to a resolved path.

    Raises:
        ValueError: it is a file, or a folder whose content would be lost or does not belong to it.
    """
    if (ROOT / "build").is_relative_to(site):
        raise ValueError(f"--out {site} holds the repository, or all of its builds.")
    below = site.relative_to(ROOT).parts[0] if site.is_relative_to(ROOT) else ""
    if below in TRACKED or below.startswith("."):
        raise ValueError(f"--out {site} lies among the repository's own files.")
    if site.exists() and not site.is_dir():
        raise ValueError(f"--out {site} is a file, not a folder.")
    if site.is_dir() and any(site.iterdir()) and not _is_earlier_site(site):
        raise ValueError(f"--out {site} is neither empty nor an earlier site.")


@contextmanager
def taking_its_place(site: Path) -> Iterator[Path]:
    """A fresh folder that becomes `site` if the block ends without an error.

    Raises:
        ValueError: something else stands at `site`, or does so when the block has ended.
    """
    check_place(site)
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site.parent, prefix=f".{site.name}-") as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        yield new
        check_place(site)
        try:
            if site.exists():
                site.rename(old)
            new.rename(site)
        except BaseException:
            if old.exists() and not site.exists():
                old.rename(site)
            raise


def _is_earlier_site(folder: Path) -> bool:
    """Hidden files are none of a site's: a folder with `.git` is a branch that is published."""
    name, beginning = MARK
    marked = (folder / name).is_file() and (folder / name).read_bytes().startswith(beginning)
    return marked and not any(folder.glob(".*"))
