"""The built pages: links lead somewhere, nothing is fetched, names have entries, bytes repeat."""

import filecmp
import html.parser
import json
import os
import re
from urllib.parse import unquote, urlsplit

import jax.numpy as jnp
import pytest

from tests.experiments.test_markup import hostile_record
from tests.site.conftest import ROOT, build_site

pytest.importorskip("mkdocstrings", reason="what builds the site: pip install '.[docs]'")
from experiments.site import _api, _build, _conventions, _index  # noqa: E402
from experiments.site._house_style import HouseStyle  # noqa: E402

EDITION = None  # pages that show no measurement read none
PLANTED = "<planted onload=alert(1)>[a](planted:b) `c` | $d$ </table><script>planted()</script>"
LOADED = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("video", "src")}
STYLE_ADDRESS = re.compile(r"""(?:url\(|@import)\s*["']?([^"')]+)""")


class Page(html.parser.HTMLParser):
    """What a built page links to, loads and is."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.ids, self.tags = [], [], set(), set()
        self.title, self.description, self._in_title = "", "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self._in_title = tag == "title" and not self.title
        if tag == "meta" and attributes.get("name") == "description":
            self.description = attributes["content"]
        for key in {"href", "src", "poster"} & attributes.keys():
            self.links.append(attributes[key])
            if (tag, key) in LOADED or tag == "link":
                self.loaded.append(attributes[key])
        self.loaded += [
            part.split()[0] for part in (attributes.get("srcset") or "").split(",") if part
        ]
        self.loaded += STYLE_ADDRESS.findall(attributes.get("style") or "")

    def handle_data(self, data):
        self.title += data if self._in_title else ""
        self._in_title = False


def read_pages(site):
    return {
        path.relative_to(site).as_posix(): Page(path.read_text("utf-8"))
        for path in sorted(site.rglob("*.html"))
    }


@pytest.fixture(scope="session")
def built(site):
    """The pages, by their path."""
    return read_pages(site)


def target(page, link):
    """The file of the site that a link leads to, and the anchor in it."""
    address = urlsplit(link)
    path = unquote(address.path)
    if path.startswith("/"):  # of the page for errors alone, which stands at any address
        path = os.path.normpath(path[1:])
    elif path:
        ending = "/index.html" if path.endswith("/") or path.split("/")[-1] in (".", "..") else ""
        path = os.path.normpath(os.path.join(os.path.dirname(page), path + ending))
    else:
        path = page
    return ("index.html" if path == "." else path), unquote(address.fragment)


def lost(site, pages):
    """Links of the pages to files or anchors that the site does not have."""
    for name, page in pages.items():
        for link in page.links:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            path, anchor = target(name, link)
            if not (site / path).exists():
                yield name, link
            elif anchor and path.endswith(".html") and anchor not in pages[path].ids:
                yield name, link


@pytest.mark.slow
def test_every_link_and_anchor_resolves(site, built):
    assert sum(len(page.links) for page in built.values()) > 1000
    assert list(lost(site, built)) == []


def test_a_lost_link_is_found(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "index.html").write_text(
        '<a id=here></a><a href="#here">1</a><a href="room/">2</a>'
    )
    (tmp_path / "room/index.html").write_text('<a href="../#gone">1</a><img src="../no.png">')
    found = list(lost(tmp_path, read_pages(tmp_path)))
    assert found == [("room/index.html", "../#gone"), ("room/index.html", "../no.png")]


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site, built):
    loaded = [(name, link) for name, page in built.items() for link in page.loaded]
    for sheet in site.rglob("*.css"):
        addresses = STYLE_ADDRESS.findall(sheet.read_text("utf-8"))
        loaded += [(sheet.name, address) for address in addresses]
    assert len(loaded) > 100
    foreign = [at for at in loaded if at[1].startswith(("http:", "https:", "//"))]
    assert foreign == []


@pytest.mark.slow
def test_every_page_has_a_title_and_a_description(built):
    assert [name for name, page in built.items() if not page.title.strip()] == []
    assert [name for name, page in built.items() if not page.description.strip()] == []


@pytest.mark.slow
@pytest.mark.parametrize("room", _api.rooms())
def test_every_public_name_has_an_entry(built, room):
    anchors = built[f"api/{room}/index.html"].ids
    wanted = {f"jaxtricks.{room}.{name}" for name in _api.public_names(_api.rooms()[room])}
    assert wanted and wanted <= anchors


@pytest.mark.slow
def test_types_of_other_packages_are_links(site):
    page = (site / "api/optimizers/index.html").read_text("utf-8")
    address = _api.framework_address("optax.GradientTransformationExtraArgs")
    assert f'<a href="{address}"' in page


@pytest.mark.slow
def test_two_builds_give_the_same_bytes(site, tmp_path):
    again = build_site(ROOT / "paper_figs", tmp_path)
    files = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    _, different, unread = filecmp.cmpfiles(site, again, list(map(str, files)), shallow=False)
    assert (different, unread) == ([], [])


@pytest.mark.slow
def test_a_record_with_planted_markup_builds_and_stays_text(tmp_path):
    records = tmp_path / "records"
    records.mkdir()
    record = hostile_record(PLANTED)
    (records / "question.json").write_text(json.dumps(record))
    picture = next((ROOT / "paper_figs").glob("*.png"))
    (records / "question.png").write_bytes(picture.read_bytes())
    pages = read_pages(build_site(records, tmp_path))
    assert [name for name, page in pages.items() if "planted" in page.tags] == []
    assert [n for n, page in pages.items() if any("planted:" in at for at in page.links)] == []
    assert "planted()" not in "".join(_scripts(tmp_path / "site"))


def _scripts(site):
    for path in site.rglob("*.html"):
        yield from re.findall(r"<script[^>]*>(.*?)</script>", path.read_text("utf-8"), re.DOTALL)


def test_rooms_are_those_of_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert re.findall(r"api/([\w.]+)\.md", navigation) == list(_api.rooms())


def test_first_sentence_ends_where_it_ends():
    assert _api.first_sentence(jnp.zeros) == "Create an array full of zeros."

    def function():
        """Gives 0.5 of it, as `f(x).sum()` does: at once. The rest
        is here.
        """

    assert _api.first_sentence(function) == "Gives 0.5 of it, as `f(x).sum()` does: at once."


def test_signatures_have_no_addresses_of_this_run():
    index = _index.pages(EDITION)["api.txt"]
    assert " at 0x" not in index
    assert "adam(learning_rate, *, b1=0.9, b2=0.999, eps=1e-07," in index
    assert "BatchNorm(decay=0.9, eps=1e-05," in index


def test_documents_lead_to_pages_where_the_site_has_them():
    text = "[a](../../CONTRIBUTING.md) [b](../judging.md#gates) [c](https://a.b/c.md) [d](#d)"
    adapted = _build.adapted(text, "docs/guides/sweeps.md")
    assert adapted == text.replace("../../CONTRIBUTING.md", "../contributing.md")
    assert _build.adapted("[a](docs/judging.md)", "CONTRIBUTING.md") == "[a](judging.md)"


def test_tables_under_a_number_are_nested_for_python_markdown():
    text = "1. First:\n   | a | b |\n   |---|---|\n   | c | d |\n2. Second\n"
    nested = "1. First:\n\n    | a | b |\n    |---|---|\n    | c | d |\n\n2. Second\n"
    assert _build.adapted(text, "CONTRIBUTING.md") == nested


@pytest.fixture(scope="module")
def markdown():
    """Renders as the site does, one document at a time."""
    renderer = pytest.importorskip("markdown", reason="MkDocs renders with it")
    config = pytest.importorskip("mkdocs.config").load_config(
        str(ROOT / "mkdocs.yml"), docs_dir=str(ROOT / "docs")
    )
    return lambda text: renderer.markdown(
        text, extensions=config.markdown_extensions, extension_configs=config.mdx_configs
    )


@pytest.mark.parametrize("source", [*_build.documents(), *_build.MOVED])
def test_every_list_item_of_a_document_is_one_on_its_page(markdown, source):
    text = (ROOT / source).read_text("utf-8")
    page = markdown(_build.adapted(text, source))
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    items = re.findall(r"(?m)^ *(?:[-*]|\d+\.) (?=\S)", prose)
    assert page.count("<li>") == len(items)
    assert re.findall(r"<t[dh][^>]*>\s*(?:-|\d+\.)\s+\S", page) == []


def test_ids_of_the_edition_are_links_outside_code_and_links():
    text = "- R-01 C-007 (E-66), `C-008`, [C-009](a.md), S-API-05\n```\nF-001\n```\n"
    linked = text.replace("R-01", '<a id="R-01"></a>[R-01](../judging.md#R-01)')
    linked = linked.replace("C-007", "[C-007](../claims.md#C-007)")
    linked = linked.replace("E-66", "[E-66](../errata.md#E-66)")
    assert _build.adapted(text, "docs/guides/sweeps.md") == linked


def test_names_of_the_conventions_are_links():
    row = "| Penalties | `optimizers.add_l1`, `add_l2`; or `regularizers.l1` | halved (`half`) |"
    linked = _conventions.linked_row(row)
    assert "[`add_l2`](api/optimizers.md#jaxtricks.optimizers.add_l2)" in linked
    assert "[`regularizers.l1`](api/regularizers.md#jaxtricks.regularizers.l1)" in linked
    assert linked.endswith("| halved (`half`) |")


def test_every_preset_names_what_it_reproduces():
    page = _conventions.pages(EDITION)["conventions.md"]
    rows = re.findall(r"^\| .*presets\.(?:torch|keras)\.\w+`\]\(api.*$", page, re.MULTILINE)
    assert len(rows) > 30
    assert [row for row in rows if not row.startswith("| [`")] == []


def test_a_flax_layer_has_the_signature_that_flax_gives_it():
    griffe = pytest.importorskip("griffe", reason="it reads the docstrings")
    package = griffe.load(
        "jaxtricks", search_paths=[ROOT], extensions=griffe.load_extensions(HouseStyle)
    )
    layer = package["normalization.BatchNorm"]
    assert [argument.name for argument in layer.parameters][:3] == ["self", "decay", "eps"]
    assert str(layer.parameters["decay"].default) == "0.9"
    kinds = {section.kind.value for section in layer.docstring.parse("google")}
    assert "examples" in kinds
