"""Writes the pages of the site into one folder, and builds it with MkDocs."""

import logging
import posixpath
import re
import shutil
import tempfile
from pathlib import Path

from experiments.site import (
    _api,
    _claims,
    _conventions,
    _errata,
    _figures,
    _findings,
    _gallery,
    _index,
    _landing,
    _tricks,
)
from experiments.site._edition import Edition, read_edition
from experiments.site._place import ROOT, taking_its_place

PAGES = (
    _landing,
    _gallery,
    _claims,
    _errata,
    _figures,
    _findings,
    _tricks,
    _conventions,
    _api,
    _index,
)
MOVED = {  # documents that stand elsewhere in the repository
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "paper_figs/performance.md": "performance.md",
}
ANSWERED = {  # files without a page of their own, and the page that shows the same
    "README.md": "index.md",
    "paper_figs/README.md": "claims.md",
    "paper_figs/index.html": "gallery.md",
}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")
UNDER_A_NUMBER = re.compile(r"(?m)^   (?=\S)")  # GitHub nests by three spaces, Python-Markdown by 4
TABLE_UNDER_A_LINE = re.compile(r"(?m)^(.*[^|\s])\n(    \|)")
ID = (
    re.compile(  # of a claim, an erratum, a figure or a rule; code, links and tags stay as they are
        r"(?ms)^```.*?^```|`[^`\n]*`|\[[^\]]*\]\([^)]*\)|</?[a-z][^>]*>"
        r"|(?<![\w-])(?P<id>[CEF]-\d{2,3}|R-\d\d)\b"
    )
)
OF_THE_EDITION = {"C": "claims.md", "E": "errata.md", "F": "figures.md", "R": "docs/judging.md"}
RULE = re.compile(r"(?m)^- (?=(R-\d\d) )")
TABLE_BEFORE_A_LINE = re.compile(r"(?m)^(    \|.*\n)(?=[^\n ])")  # else it takes that line in


def write_pages(edition: Edition, folder: Path) -> None:
    """Writes everything that MkDocs reads: `docs/`, the moved documents, the generated pages."""
    shutil.copytree(ROOT / "docs", folder, dirs_exist_ok=True)
    sources = {path: path.removeprefix("docs/") for path in documents()} | MOVED
    pages: dict[str, str | bytes] = {
        page: adapted((ROOT / source).read_text(), source) for source, page in sources.items()
    }
    for module in PAGES:
        pages |= module.pages(edition)
    for name, content in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def adapted(text: str, source: str) -> str:
    """A Markdown document of the repository as its place on the site needs it.

    Links lead to pages of the site, ids of claims, errata, figures and rules become links, and
    lists and tables are written as Python-Markdown reads them.
    """
    here = posixpath.dirname(_page(source))

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[0]))
        return posixpath.relpath(_page(target), here or ".")

    def id_link(found: re.Match[str]) -> str:
        if not (id := found["id"]):
            return found[0]
        return f"[{id}]({posixpath.relpath(_page(OF_THE_EDITION[id[0]]), here or '.')}#{id})"

    linked = ID.sub(id_link, RULE.sub(r'- <a id="\1"></a>', LINK.sub(link, text)))
    nested = UNDER_A_NUMBER.sub("    ", linked)
    return TABLE_BEFORE_A_LINE.sub(r"\1\n", TABLE_UNDER_A_LINE.sub(r"\1\n\n\2", nested))


def build(records: Path, site: Path) -> None:
    """Builds the site from a folder of records; what was at `site` stays until it is whole.

    SOURCE_DATE_EPOCH dates the pages, so that the same sources give the same bytes.

    Raises:
        ValueError: MkDocs has a warning, for example of a link that leads nowhere, or there is
            something in the way at `site`, or the records cannot be used.
        OSError: a folder cannot be written.
        ImportError: MkDocs or one of its plugins is missing.
    """
    import material  # noqa: F401
    import mkdocs  # noqa: F401
    import mkdocstrings  # noqa: F401

    (ROOT / "build").mkdir(exist_ok=True)
    with (
        taking_its_place(site) as new,
        tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="docs-") as folder,
    ):
        write_pages(read_edition(records), Path(folder))
        run_mkdocs(folder, new)
        _api.link_frameworks(new)
        _index.make_search_light(new)


def run_mkdocs(pages: str, site: Path) -> None:
    """Makes HTML of the pages; MkDocs tells on stderr what it warns of.

    Raises:
        ValueError: there was a warning or an error.
    """
    from mkdocs.commands.build import build as build_pages
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=pages, site_dir=str(site))
        config.plugins.on_startup(command="build", dirty=False)
        build_pages(config)
    except MkDocsException as error:
        raise ValueError(str(error)) from error


def documents() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]


def _page(source: str) -> str:
    """The page of a file of the repository."""
    return (MOVED | ANSWERED).get(source, source.removeprefix("docs/"))
