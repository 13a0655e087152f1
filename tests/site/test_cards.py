"""The gallery and the ledger as pages: what a record holds is text, and every tally is a count."""

import copy
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from experiments import catalogue
from experiments.engine._ledger import JUDGED
from experiments.engine._results import read_verdict
from experiments.markup import printable
from experiments.site._card import SIGNS, chip
from experiments.site._claims import claims_page, tally, tally_sentence
from experiments.site._edition import Edition, read_edition
from experiments.site._gallery import gallery, pages
from experiments.site._images import WIDTHS, picture_of, pictures

markdown = pytest.importorskip("markdown", reason="the pages are Markdown: pip install '.[docs]'")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "paper_figs"
PLANT = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> \"' onclick='alert(1)' **bold** `code` "
    "[link](javascript:alert(1)) | $x$ &amp; <!-- --> ]]>"
)
PART = {
    "text": "error",
    "claimed": "over 0",
    "outcomes": ["refuted"] * 3,
    "support": [1.0] * 3,
    "against": [0.01] * 3,
    "estimate": 1.0,
    "low": 0.5,
    "high": 1.5,
    "n": 10,
    "p": 0.01,
    "panel": "a",
    "remark": "",
    "sizes": [0.1],
}
VERDICT = {
    "subject": "C-013",
    "outcome": "refuted",
    "parts": [PART],
    "together": "all",
    "gates": [{"name": "pos", "passed": True, "text": "found"}],
    "scope": "digits",
    "sensitivity": ["refuted", "refuted"],
    "p": 0.01,
    "reason": "",
    "beside": ["another number"],
}
PLAN = {"revised": "", "sha256": ""}
RECORD = {
    "schema": 2,
    "script": "momentum/is_it_so",
    "question": "Is it so?",
    "figures": ["F-001"],
    "animated": False,
    "preset": "default",
    "config": {"rate": 0.1},
    "data_set": "digits",
    "seeds": 10,
    "device": "2 CPU cores",
    "wall_seconds": 1.5,
    "rule": "def judge",
    "plans": {},
    "verdicts": [VERDICT],
    "results": {"data_set": "digits"},
}
FIXED = {"outcome", "outcomes", "together", "preset", "sensitivity", "script"}  # of few words


def planted(tree, key=""):
    """The tree with the plant in every string that a record may choose freely."""
    if isinstance(tree, dict):
        return {name: planted(value, name) for name, value in tree.items()}
    if key in FIXED or not isinstance(tree, str | list):
        return tree
    return PLANT if isinstance(tree, str) else [planted(item, key) for item in tree]


def edition_of(records, folder):
    verdicts = {
        verdict.subject: (verdict, record)
        for record in records
        for verdict in map(read_verdict, record["verdicts"])
    }
    q = {subject: 0.2 for subject, (verdict, _) in verdicts.items() if verdict.p is not None}
    return Edition(tuple(records), verdicts, q, folder)


class Page(HTMLParser):
    """The elements and the text of a page as a browser sees them."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.text = Counter(), [], []
        body = source.split("---\n", 2)[2]
        self.feed(markdown.markdown(body, extensions=["attr_list", "tables"]))

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name, of=None):
        return [a[name] for tag, a in self.attributes if name in a and of in (None, tag)]


@pytest.fixture(scope="module")
def committed():
    records = [json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))]
    return edition_of(records, FOLDER)


@pytest.fixture(scope="module")
def cards(committed):
    return Page(gallery(committed))


@pytest.fixture(scope="module")
def claims(committed):
    return Page(claims_page(committed))


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (1000, 250), "white").save(tmp_path / "is_it_so.png")
    return tmp_path


def test_what_is_planted_in_a_record_comes_out_as_text(folder):
    records = [
        planted(RECORD) | {"config": {PLANT: 1}},
        {**planted(RECORD), "script": f"momentum/{PLANT}"},
    ]
    page = Page(gallery(edition_of(records, folder)))
    clean = Page(gallery(edition_of([RECORD, RECORD], folder)))
    assert page.tags.keys() <= clean.tags.keys()
    assert page.tags["img"] == 1  # the picture of the first; the second has no file
    assert not [name for _, a in page.attributes for name in a if name.startswith("on")]
    assert not [href for href in page.values("href") if href.startswith("javascript")]
    assert "".join(page.text).count(PLANT) >= 2 * 8  # question, subject, panel, part, control, ...
    assert PLANT in page.values("alt")[0]


def test_what_is_planted_in_a_judged_claim_comes_out_as_text(folder):
    record = planted(RECORD)
    record["verdicts"][0]["subject"] = "C-013"
    page = Page(claims_page(edition_of([record], folder)))
    clean = Page(claims_page(edition_of([RECORD], folder)))
    assert page.tags == clean.tags
    assert "".join(page.text).count(PLANT) >= 6
    assert PLANT not in "".join(clean.text)


def test_a_record_cannot_name_a_file_elsewhere(folder):
    (folder / "is_it_so.json").write_text("{}")
    stranger = {**RECORD, "script": "../../tests/site/is_it_so"}
    files = pages(edition_of([stranger], folder))
    assert not [path for path in files if path.startswith("assets/scripts") or ".." in path]


@pytest.mark.parametrize("name", ["a|b", 'say "so", [x]\\', "数 & <b>", "\x1b[31m \ud800"])
def test_a_data_set_of_any_name_answers_to_its_own_filter(folder, name):
    page = Page(gallery(edition_of([{**RECORD, "data_set": name}], folder)))
    (marks,) = map(json.loads, page.values("data-data", of="article"))
    assert marks == [printable(name)] and marks[0] in page.values("value", of="option")


def test_what_is_in_no_catalogue_is_no_link_and_pictures_have_an_address(tmp_path):
    name = "is it, so? 100%"
    Image.new("RGB", (100, 50)).save(tmp_path / f"{name}.png")
    record = {**RECORD, "script": f"momentum/{name}", "figures": ["F-001", "F-999", "<b>"]}
    page = Page(gallery(edition_of([record], tmp_path)))
    assert [a for a in page.values("href") if a.startswith("../figures")] == ["../figures/#F-001"]
    assert "F-999; <b>" in "".join(page.text)
    address = "../assets/pictures/is%20it%2C%20so%3F%20100%25"
    assert page.values("src", of="img") == [f"{address}-960.webp"]
    assert page.values("srcset") == [f"{address}-480.webp 480w, {address}-960.webp 960w"]
    assert f"{address}-1920.webp" in page.values("href")


def test_every_claim_has_its_anchor_once(claims):
    ids = Counter(claims.values("id"))
    assert {claim: ids[claim] for claim in catalogue.claims()} == dict.fromkeys(
        catalogue.claims(), 1
    )
    assert set(ids.values()) == {1}


def test_every_record_has_its_card_once(cards):
    names = [path.stem for path in FOLDER.glob("*.json")]
    assert Counter(cards.values("id", of="article")) == Counter(names)
    links = {href.removeprefix("#") for href in cards.values("href") if href.startswith("#")}
    assert links == set(names)


def test_claims_and_cards_link_to_each_other(claims, cards):
    for page, other, name in (claims, cards, "gallery"), (cards, claims, "claims"):
        links = {href for href in page.values("href") if href.startswith(f"../{name}/#")}
        assert links
        assert {href.split("#")[1] for href in links} <= set(other.values("id"))


def test_tallies_are_counts_of_the_records(committed):
    counted = Counter(
        row["outcome"]
        for path in FOLDER.glob("*.json")
        for row in json.loads(path.read_bytes())["verdicts"]
        if row["subject"].startswith("C-")
    )
    counted["not yet judged"] = len(catalogue.claims()) - counted.total()
    assert tally(committed, catalogue.claims()) == dict(+counted)
    page = claims_page(committed)
    sections = re.findall(r"<section.*?</section>", page, re.DOTALL)
    totals = [int(re.search(r"<p>Of (\d+) claims", section)[1]) for section in sections]
    assert totals == [section.count("<article") for section in sections]
    options = re.findall(r'<option value="([a-z ]+)">[a-z ]+ \((\d+) claims\)', page)
    assert {name: int(n) for name, n in options if name in SIGNS} == dict(+counted)


def test_a_tally_in_words():
    assert tally_sentence({"confirmed": 3, "refuted": 1, "no difference": 1}) == (
        "Of 5 claims 3 are confirmed, 1 is refuted and 1 shows no difference."
    )
    assert tally_sentence({"undecided": 1}) == "Its one claim is undecided."


def test_smoke_runs_do_not_count(tmp_path):
    for name, preset in ("is_it_so", "default"), ("is_it_small", "smoke"):
        record = copy.deepcopy({**RECORD, "script": f"momentum/{name}", "preset": preset})
        subject = {"default": "C-013", "smoke": "C-014"}[preset]
        record |= {"plans": {subject: PLAN}, "verdicts": [{**VERDICT, "subject": subject}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    edition = read_edition(tmp_path)
    assert set(edition.verdicts) == {"C-013"} == set(edition.q)
    assert tally(edition, ["C-013", "C-014"]) == {"refuted": 1, "not yet judged": 1}
    assert "is_it_small" not in gallery(edition)


@pytest.mark.parametrize("here", [False, True], ids=["missing", "empty"])
def test_no_folder_of_records_is_told(tmp_path, here):
    folder = tmp_path if here else tmp_path / "records"
    with pytest.raises(ValueError, match=f"{folder} is no folder of records"):
        read_edition(folder)


def write_rivals(folder, preset="default"):
    """Two records that judge one claim, of which the second confirms it."""
    part = {**PART, "outcomes": ["confirmed"] * 3, "support": [0.01] * 3, "against": [1.0] * 3}
    other = {**VERDICT, "outcome": "confirmed", "sensitivity": ["confirmed"] * 2, "parts": [part]}
    for name, verdict, size in ("is_it_so", VERDICT, "default"), ("so_it_is", other, preset):
        record = {**RECORD, "script": f"momentum/{name}", "plans": {"C-013": PLAN}}
        record |= {"verdicts": [verdict], "preset": size}
        (folder / f"{name}.json").write_text(json.dumps(record))


def test_each_card_has_the_verdict_of_its_own_record(tmp_path, capsys):
    write_rivals(tmp_path)
    edition = read_edition(tmp_path)
    assert "C-013 is judged 2 times; that of so_it_is.json is shown" in capsys.readouterr().err
    first, second = re.findall("<article.*?</article>", gallery(edition))
    assert "edition-refuted" in first and "edition-confirmed" not in first
    assert "edition-confirmed" in second and "edition-refuted" not in second
    assert ", q " in second and ", q " not in first  # q is of the verdicts that are shown
    card = claims_page(edition).split('id="C-013"')[1].split("</article>")[0]
    assert "edition-confirmed" in card and "edition-refuted" not in card


def test_a_smoke_run_is_no_rival(tmp_path, capsys):
    write_rivals(tmp_path, preset="smoke")
    assert read_edition(tmp_path).verdicts["C-013"][0].outcome == "refuted"
    assert capsys.readouterr().err == ""


def test_what_is_to_be_judged_anew_has_no_verdict_and_no_number(folder):
    void = {**VERDICT, "outcome": "to be judged anew", "parts": [], "p": None, "sensitivity": []}
    page = claims_page(edition_of([{**RECORD, "verdicts": [void]}], folder))
    card = page[page.index('id="C-013"') :].split("</article>")[0]
    shown = re.sub("<details.*?</details>", "", card)
    assert "to be judged anew" in shown and "no verdict" in shown
    assert "another number" not in shown
    assert "another number" in card


def test_chips_have_a_sign_and_enough_contrast():
    css = (ROOT / "docs/assets/edition.css").read_text("utf-8")
    pairs = re.findall(r"color: (#\w{6}); background: (#\w{6})", css)
    assert len(pairs) == 2 * 5  # a neutral one and four outcomes, in the light and the dark scheme
    assert min(contrast(*pair) for pair in pairs) >= 4.5
    assert len({SIGNS[name] for name in JUDGED}) == len(JUDGED)
    assert all(SIGNS[outcome] in chip(outcome) for outcome in SIGNS)


def contrast(ink, paper):
    """The ratio of WCAG 2.2."""

    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(ink), luminance(paper)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_of_black_and_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_pictures_have_alternative_texts_and_a_shape(cards):
    assert cards.tags["img"] == len(list(FOLDER.glob("*.png")))
    assert min(map(len, cards.values("alt"))) > 20
    assert len(cards.values("width", of="img")) == len(cards.values("height")) == cards.tags["img"]
    moving = len(list(FOLDER.glob("*.gif")))
    assert cards.values("media", of="source") == ["(prefers-reduced-motion: reduce)"] * moving


def test_the_pages_are_light(committed):
    assert len(gallery(committed).encode()) < 900_000
    assert len(claims_page(committed).encode()) < 600_000


def test_pictures_are_the_same_bytes_and_are_made_once(folder, monkeypatch):
    edition = edition_of([RECORD], folder)
    files = pictures(edition, folder / "first")
    assert files == pictures(edition, folder / "second")
    for width in WIDTHS:
        content = io.BytesIO(files[f"assets/pictures/is_it_so-{width}.webp"])
        assert Image.open(content).size == (width, width // 4)
    monkeypatch.setattr("experiments.site._images._stills", lambda content: pytest.fail("again"))
    assert files == pictures(edition, folder / "first")


def test_an_animation_moves_and_has_a_still(folder):
    frames = [Image.new("RGB", (1000, 250), colour) for colour in ("white", "black", "red")]
    frames[0].save(folder / "is_it_so.gif", save_all=True, append_images=frames[1:], duration=90)
    edition = edition_of([{**RECORD, "animated": True}], folder)
    files = pictures(edition, folder / "cache")
    content = io.BytesIO(files["assets/pictures/is_it_so-moving.webp"])
    assert len(list(ImageSequence.Iterator(Image.open(content)))) == 3
    assert "assets/pictures/is_it_so-960.webp" in files


def picture_file(size=(100, 50), kind="PNG", **how):
    file = io.BytesIO()
    noise = Image.frombytes("L", size, bytes(i * i % 251 for i in range(size[0] * size[1])))
    noise.save(file, kind, **how)
    return file.getvalue()


BAD_PICTURES = {
    "empty": b"",
    "text": b"no picture",
    "truncated": picture_file()[:-200],
    "a broken chunk": picture_file().replace(b"IDAT", b"IDAX"),
    "tall": picture_file((1, 20_000)),
    "flat": picture_file((5_000, 1)),
}
FRAMES = [Image.new("L", (100, 50), shade) for shade in (0, 255)]
BAD_ANIMATIONS = {
    "empty": b"",
    "a PNG cut short": picture_file()[:40],
    "one frame": picture_file(kind="GIF"),
    "no duration": picture_file(kind="GIF", save_all=True, append_images=FRAMES, duration=0),
    "broken": picture_file(kind="GIF", save_all=True, append_images=FRAMES, duration=90)[:2000],
}


@pytest.mark.parametrize("content", BAD_PICTURES.values(), ids=list(BAD_PICTURES))
def test_a_bad_picture_is_told_with_its_name(tmp_path, content):
    (tmp_path / "is_it_so.png").write_bytes(content)
    with pytest.raises(ValueError, match="is_it_so.png is no picture that can be shown"):
        pages(edition_of([RECORD], tmp_path))
    if content not in (BAD_PICTURES["truncated"], BAD_PICTURES["a broken chunk"]):
        with pytest.raises(ValueError, match="is_it_so.png"):
            picture_of(RECORD, tmp_path)


def test_a_picture_with_too_many_pixels_is_told(folder, monkeypatch):
    monkeypatch.setattr("experiments.site._images.MOST_PIXELS", 1000 * 250 - 1)
    with pytest.raises(ValueError, match="is_it_so.png .* it has 1000 x 250 pixels"):
        picture_of(RECORD, folder)


@pytest.mark.parametrize("content", BAD_ANIMATIONS.values(), ids=list(BAD_ANIMATIONS))
def test_a_bad_animation_is_told_with_its_name(folder, content):
    (folder / "is_it_so.gif").write_bytes(content)
    edition = edition_of([{**RECORD, "animated": True}], folder)
    with pytest.raises(ValueError, match="is_it_so.gif is no picture that can be shown"):
        pictures(edition, folder / "cache")


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_kept_picture_that_is_not_whole_is_made_anew(folder, length):
    edition, cache = edition_of([RECORD], folder), folder / "cache"
    files = pictures(edition, cache)
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[:length])
    assert pictures(edition, cache) == files
    assert sorted(path.read_bytes() for path in cache.iterdir()) == sorted(files.values())
