"""Whatever strings a record holds, the pages show them as text; other files cost nothing."""

import html.parser
import json
import os
import re
import urllib.parse

import pytest

from experiments import __main__ as command_line
from experiments.engine._attempts import Attempt
from experiments.engine._freeze import ReplacementRefused
from experiments.engine._ledger import gallery, ledger, read_folder, write_ledger
from experiments.engine._results import read_record
from experiments.engine._run import prepare_folder, redraw_script, run_script
from experiments.markup import plain_html, plain_markdown, printable
from tests.experiments.test_engine import fake_script

HOSTILE = [
    "a | b", "\\| \\", "`code`", "``", "*a* **b** __c__ _d_", "~~gone~~", "$x^2$", "a_b_c",
    "<img src=x onerror=alert(1)>", "</table><script>alert(1)</script>", "<!-- ", "]]>",
    "[text](javascript:alert(1))", "![](http://127.0.0.1/x.png)", "[a][b]", "[^1]", "<http://a.b>",
    "https://a.b/c", "www.a.b", "me@a.b", "&lt;b&gt; &amp;", "&#60;b&#62;", "\"' onload=x",
    "two\nlines\r\n# heading\t| tab", "\x1b[31mred\x07", "\u202egnp.exe\u2069", "\x00", "\ud800",
    "\u2028next", "# heading", "- item", "1. item", "> quote", "    code", "| --- |", "é – 数",
]  # fmt: skip
BADGE = "<b>|`[x](y)`\n\x1b"


def hostile_record(text, name="question"):
    """Of the right types, and every string that they leave free is the text."""
    part = {
        "text": text,
        "claimed": text,
        "outcomes": ["confirmed"] * 3,
        "support": [0.0] * 3,
        "against": [1.0] * 3,
        "estimate": 1.0,
        "low": 0.5,
        "high": 1.5,
        "n": 20,
        "p": 0.01,
        "panel": text,
        "remark": text,
        "sizes": [0.1],
    }
    verdict = {
        "subject": "C-001",
        "outcome": "confirmed",
        "parts": [part],
        "together": "all",
        "gates": [{"name": text, "passed": True, "text": text}],
        "scope": text,
        "sensitivity": ["confirmed"] * 2,
        "p": 0.0,
        "reason": text,
        "beside": [text],
    }
    return {
        "schema": 2,
        "script": f"{text}/{name}",
        "question": text,
        "figures": ["F-001", text],
        "animated": False,
        "preset": "default",
        "config": {text: 1},
        "data_set": text,
        "device": text,
        "wall_seconds": 1.0,
        "rule": text,
        "plans": {"C-001": {"revised": text, "sha256": text}},
        "verdicts": [verdict, {**verdict, "subject": text}],
        "results": {text: text},
    }


def shown(text):
    """What a reader sees: white space is one space, and invisible characters are marked."""
    return " ".join(printable(text).split())


def markdown_cells(page):
    """Texts of the cells of all tables, and the tokens that are not text, by CommonMark's rules."""
    markdown_it = pytest.importorskip("markdown_it")
    tokens = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    inline = [token for token in tokens if token.type == "inline"]
    kinds = {child.type for token in inline for child in token.children}
    cells = [" ".join("".join(c.content for c in t.children).split()) for t in inline]
    return [re.sub(" ?(<br>|: |, ) ?", r"\1", cell) for cell in cells], kinds


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_renders_as_the_very_text(text):
    page = f"| head | next |\n| --- | --- |\n| {plain_markdown(text)} | end |\n"
    cells, kinds = markdown_cells(page)
    assert cells == ["head", "next", shown(text), "end"]
    assert kinds <= {"text", "text_special"}


class Reader(html.parser.HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl}")

    unknown_decl = handle_pi = handle_comment


def read_html(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.tags, "".join(reader.texts)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_reads_back_as_the_very_text(text):
    tags, inside = read_html(f'<p title="{plain_html(text)}">{plain_html(text)}</p>')
    assert tags == [("p", {"title": printable(text)})]
    assert inside == printable(text)


@pytest.fixture(scope="module")
def harmless_ledger():
    page = ledger([hostile_record("harmless")])
    return page, *markdown_cells(page)


@pytest.mark.parametrize("text", HOSTILE)
def test_ledger_shows_a_hostile_record_as_text(text, harmless_ledger):
    """As many lines and cells as with a harmless record, and no link but those to pictures."""
    harmless, plain, plain_kinds = harmless_ledger
    page = ledger([hostile_record(text)])
    assert len(page.splitlines()) == len(harmless.splitlines())
    assert page.isprintable() or all(c.isprintable() or c == "\n" for c in page)
    page.encode()
    cells, kinds = markdown_cells(page)
    assert kinds <= plain_kinds | {"text_special"}
    assert [cell.replace("harmless", shown(text)) for cell in plain if cell != "harmless"] == [
        cell for cell, was in zip(cells, plain, strict=True) if was != "harmless"
    ]
    assert cells.count(shown(text)) >= plain.count("harmless") > 2


@pytest.mark.parametrize("text", HOSTILE)
def test_gallery_shows_a_hostile_record_as_text(text):
    """The same elements and attributes as with a harmless record, and the text in their place."""
    (tags, inside), (plain_tags, plain) = (
        read_html(gallery([hostile_record(t)]).removeprefix("<!doctype html>"))
        for t in (text, "harmless")
    )
    assert inside == plain.replace("harmless", printable(text))
    assert [tag for tag, _ in tags] == [tag for tag, _ in plain_tags]
    for (_, found), (_, wanted) in zip(tags, plain_tags, strict=True):
        values = {k: v and v.replace("harmless", printable(text)) for k, v in wanted.items()}
        assert found == values


@pytest.mark.parametrize("name", ["javascript:alert(1)", 'a"b', "a)b <c>", "a%2Fb", "é", "..\\x"])
def test_links_to_pictures_stay_in_the_folder(name):
    tags, _ = read_html(gallery([hostile_record("x", name)]).removeprefix("<!doctype html>"))
    (link,) = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert urllib.parse.urlsplit(link).path == link  # neither a scheme nor a host
    assert urllib.parse.unquote(link) == f"{name}.png"
    assert f"[picture]({link})" in ledger([hostile_record("x", name)])


def test_terminal_shows_no_control_characters(tmp_path, capsys):
    run_script(fake_script(), "default", tmp_path)
    record = json.loads((tmp_path / "question.json").read_text())
    record["verdicts"][0] |= {"reason": BADGE, "subject": BADGE}
    (tmp_path / "question.json").write_text(json.dumps(record))
    options = command_line.parse(["--out", str(tmp_path)])
    command_line.report([(fake_script(), Attempt(None, "1.0 s"))], options)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and printable(BADGE).strip() in printed


def bad_files():
    """Contents of a JSON file that is not ours, by what is wrong."""
    good = hostile_record("text")
    yield "torn", json.dumps(good)[:-20].encode()
    yield "empty", b""
    yield "not text", b"\xff\xfe\x00\xd8"
    yield "too deep", b"[" * 100_000
    yield "too deep inside", b'{"schema": 2, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    yield "long number", b"1" * 5000
    yield "a list", b"[]"
    yield "a stranger's", b'{"name": "package", "version": "1.0.0"}'
    yield "of another schema", json.dumps({**good, "schema": 1}).encode()
    yield "of another script", json.dumps({**good, "script": "topic/other"}).encode()
    for key in good:
        yield f"without {key}", json.dumps({k: v for k, v in good.items() if k != key}).encode()
        other = [] if key in ("results", "plans", "config") else {"a": 1}
        yield f"{key} of another type", json.dumps({**good, key: other}).encode()
    yield "a plan of another type", json.dumps({**good, "plans": {"C-001": 1}}).encode()
    for seconds in ("NaN", "Infinity", "-1.0", "1" + "0" * 400, "1e308", "true"):
        told = json.dumps({**good, "wall_seconds": "?"}).replace('"?"', seconds)
        yield f"{seconds[:20]} seconds", told.encode()
    yield "half a character", json.dumps({**good, "script": "\ud800/question"}).encode()
    yield "a claim without a plan", json.dumps({**good, "plans": {}}).encode()
    yield "unknown preset", json.dumps({**good, "preset": "huge"}).encode()
    yield "figures", json.dumps({**good, "figures": [1]}).encode()
    verdict = good["verdicts"][0]
    part = verdict["parts"][0]
    for change in (
        {"outcome": "<b>"},
        {"subject": 1},
        {"together": "some"},
        {"sensitivity": ["<b>"]},
        {"p": "0.01"},
        {"beside": [1]},
        {"gates": [{"name": "pos"}]},
        {"other": "x"},
        {"parts": [{**part, "text": 1}]},
        {"parts": [{**part, "outcomes": ["<b>"] * 3}]},
        {"parts": [{**part, "support": [0.0]}]},
        {"parts": [{**part, "low": "<b>"}]},
        {"parts": "text"},
    ):
        changed = {**good, "verdicts": [verdict | change]}
        yield f"verdict {change}", json.dumps(changed).encode()


BAD = dict(bad_files())


@pytest.fixture(scope="module")
def good_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    run_script(fake_script(), "default", folder)
    return (folder / "question.json").read_bytes()


@pytest.mark.parametrize("content", BAD.values(), ids=list(BAD))
def test_another_file_costs_neither_the_records_nor_itself(tmp_path, capsys, good_file, content):
    (tmp_path / "question.json").write_bytes(content)
    assert read_folder(tmp_path) == []
    assert str(tmp_path / "question.json") in capsys.readouterr().err
    (tmp_path / "question.json").write_bytes(good_file)
    (tmp_path / "torn.json").write_bytes(content)
    assert [record["script"] for record in read_folder(tmp_path)] == ["topic/question"]
    assert (tmp_path / "torn.json").read_bytes() == content


def test_a_record_without_seconds_is_not_redrawn(tmp_path, good_file):
    content = re.sub(rb'"wall_seconds": [^,]+', b'"wall_seconds": NaN', good_file)
    (tmp_path / "question.json").write_bytes(content)
    with pytest.raises(ValueError, match="question.json .* wall_seconds must be a number"):
        redraw_script(fake_script(), tmp_path)
    assert (tmp_path / "question.json").read_bytes() == content


def test_all_these_files_do_not_cost_the_ledger(tmp_path, capsys):
    for number, content in enumerate(BAD.values()):
        (tmp_path / f"{number}.json").write_bytes(content)
    write_ledger(tmp_path)
    assert "150 not yet judged" in (tmp_path / "README.md").read_text()
    errors = capsys.readouterr().err
    assert all(str(tmp_path / f"{number}.json") in errors for number in range(len(BAD)))


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling link", "unreadable"])
def test_what_is_no_file_is_left_out_and_nothing_hangs(tmp_path, capsys, kind):
    path = tmp_path / "x.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_bytes(b"{}")
        path.chmod(0)
    write_ledger(tmp_path)
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("content", [BAD["torn"], BAD["a stranger's"]], ids=["torn", "stranger's"])
def test_a_file_that_is_not_ours_is_replaced_only_by_force(tmp_path, content):
    path = tmp_path / "question.json"
    path.write_bytes(content)
    with pytest.raises(ReplacementRefused, match=r"question\.json .* \(--force replaces it"):
        run_script(fake_script(), "default", tmp_path)
    assert path.read_bytes() == content and os.listdir(tmp_path) == ["question.json"]
    run_script(fake_script(), "default", tmp_path, force=True)
    assert read_record(path)["preset"] == "default"


def test_a_strangers_file_in_the_folder_costs_the_command_nothing(tmp_path, capsys):
    """One in the way of a script's record is kept, one elsewhere is left out of the ledger."""
    names = ("which_logarithm_checks_the_loss", "which_random_search_draws_are_negative")
    for name in (names[0], "package"):
        (tmp_path / f"{name}.json").write_text('{"name": "package"}')
    only = [part for name in names for part in ("--only", name)]
    assert command_line.main(["--smoke", "--jobs", "1", *only, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert f"{names[0]} kept: {tmp_path / names[0]}.json is no result file" in printed.out
    assert f"left out of the ledger: {tmp_path / 'package'}.json" in printed.err
    assert (tmp_path / f"{names[0]}.json").read_text() == '{"name": "package"}'
    assert names[1] in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "index.html"])
@pytest.mark.parametrize("content", [b"<html>mine</html>", b"\xff\xfe"])
def test_a_strangers_page_is_not_overwritten(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileExistsError, match=name):
        prepare_folder(tmp_path)
    (tmp_path / name).unlink()
    write_ledger(tmp_path)
    prepare_folder(tmp_path)  # ours are
