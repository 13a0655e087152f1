"""The built site in a real browser: every page at two widths, and what the reader can operate.

It needs Chromium, playwright and axe-playwright-python, and is skipped where one is missing.
"""

import functools
import http.server
import pathlib
import re
import shutil
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe looks at the pages")

WIDTHS = (1400, 390)
MOST_BYTES = 2_000_000
KINDS = (  # one page of each kind
    "", "gallery/", "claims/", "errata/", "figures/", "tricks/", "play/", "api/optimizers/",
    "guides/training/",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# axe takes a minute for a page of 150 cards: of the parts that look alike, three of each remain.
THREE_OF_EACH = """() => {
  const seen = {};
  for (const part of document.querySelectorAll("[data-item], .doc-function, .doc-class, tr")) {
    const look = [part.className, part.dataset.verdict, part.closest("table")?.className].join();
    seen[look] = (seen[look] ?? 0) + 1;
    if (seen[look] > 3 && !part.closest("#play")) part.remove();
  }
}"""
READY = "document.readyState === 'complete' && new Promise((seen) => setTimeout(seen, 100, true))"

pytestmark = pytest.mark.slow


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and writes nothing to the terminal."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="session")
def address(site):
    """Where the built site is served."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = filter(None, map(shutil.which, BROWSERS))
        program = next(found, playwright.chromium.executable_path)
        if not pathlib.Path(program).exists():
            pytest.skip("no Chromium is installed")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """A function that opens a page of the site, with a fresh cache."""
    contexts = []

    def visit(url="about:blank", *, width=1400, scheme="light"):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        if url != "about:blank":
            page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pages(site):
    """The paths of all pages."""
    files = (path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html")))
    names = [re.sub(r"(^|/)index\.html$", r"\1", name) for name in files]
    assert set(KINDS) <= set(names)
    return names


@contextmanager
def watched(page, address):
    """Collects what goes wrong while the page loads, and the answers that came."""
    faults, answers = [], []
    ours = urlsplit(address).netloc

    def requested(request):
        if urlsplit(request.url).scheme not in ("data", "blob"):
            if urlsplit(request.url).netloc != ours:
                faults.append(f"asks another host: {request.url}")

    def answered(response):
        answers.append(response)
        if response.status >= 400:
            faults.append(f"{response.status}: {response.url}")

    page.on("request", requested)
    page.on("response", answered)
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: faults.append(f"console: {said.text}") if said.type == "error" else None,
    )
    yield faults, answers


def violations(page):
    """What axe finds of serious or critical impact, rule by rule."""
    page.evaluate(THREE_OF_EACH)
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']} {rule['nodes'][0]['target']} and {len(rule['nodes']) - 1} more"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_loads_whole_and_small(tab, address, pages, width):
    problems = {}
    for name in pages:
        page = tab(width=width)
        with watched(page, address) as (faults, answers):
            page.goto(address + name)
            page.wait_for_load_state("networkidle")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            faults.append(f"{wide} pixels too wide")
        size = sum(int(answer.headers.get("content-length", 0)) for answer in answers)
        if size > MOST_BYTES:
            faults.append(f"{size} bytes")
        page.context.close()
        if faults:
            problems[name] = faults
    assert not problems


def test_axe_finds_nothing_serious(tab, address, pages):
    problems = {}
    page = tab()
    for name in pages:
        page.goto(address + name)
        page.wait_for_function(READY)
        if found := violations(page):
            problems[name] = found
    assert not problems


@pytest.mark.parametrize(("width", "scheme"), [(1400, "dark"), (390, "light")])
def test_axe_finds_nothing_serious_on_a_page_of_each_kind(tab, address, width, scheme):
    problems = {}
    page = tab(width=width, scheme=scheme)
    for name in KINDS:
        page.goto(address + name)
        page.wait_for_function(READY)
        if found := violations(page):
            problems[name] = found
    assert not problems
    assert page.evaluate("document.body.dataset.mdColorScheme") == {
        "dark": "slate", "light": "default",
    }[scheme]  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "anchor", ["claims/#C-013", "errata/#E-05", "figures/#F-001", "tricks/#S-OPT-01"]
)
def test_an_anchor_lands_below_the_header(tab, address, anchor, width):
    page = tab(address + anchor, width=width)
    page.wait_for_function(READY)
    row = page.locator(f"[id='{anchor.split('#')[1]}']")
    top = page.evaluate("document.querySelector('.md-header').getBoundingClientRect().bottom")
    sync_api.expect(row).to_be_in_viewport()
    assert top - 1 <= row.bounding_box()["y"] < 900


@pytest.fixture
def gallery(tab, address):
    page = tab(address + "gallery/")
    page.locator("form[data-filter]").wait_for()
    return page


def visible(page):
    return page.locator("[data-item]:visible").count()


@pytest.mark.parametrize("name", ["verdict", "topic", "note", "data"])
def test_a_filter_of_the_gallery_narrows_it_to_what_it_says(gallery, name):
    every = visible(gallery)
    select = gallery.locator(f"select[name={name}]")
    option = select.locator("option").nth(1)
    promised = int(re.findall(r"\((\d+) cards\)$", option.text_content() or "")[0])
    select.select_option(option.get_attribute("value"))
    assert 0 < promised < every
    assert visible(gallery) == promised
    count = gallery.locator("form[data-filter] output")
    assert count.text_content().startswith(f"{promised} of {every} ")
    assert f"{name}=" in gallery.url
    gallery.reload()
    sync_api.expect(count).to_contain_text(f"{promised} of {every} ")
    gallery.locator("form[data-filter] button[type=reset]").click()
    sync_api.expect(count).to_contain_text(f"{every} of {every} ")


def test_an_anchor_that_the_filters_hide_clears_them(tab, address):
    page = tab(address + "gallery/?topic=momentum#what_is_a_saddle")
    card = page.locator("#what_is_a_saddle")
    sync_api.expect(card).to_be_in_viewport()
    page.wait_for_url(lambda url: "topic" not in url)
    page.locator("select[name=topic]").select_option("dropout")
    sync_api.expect(card).to_be_hidden()
    page.evaluate("location.hash = '#what_is_the_velocity'")
    sync_api.expect(page.locator("#what_is_the_velocity")).to_be_in_viewport()
    page.locator("select[name=topic]").select_option("momentum")
    page.reload()
    sync_api.expect(page.locator("#what_is_the_velocity")).to_be_in_viewport()
    assert "topic=momentum" in page.url  # what is not hidden clears nothing


def test_an_anchor_that_is_none_is_no_error(tab, address):
    page = tab()
    with watched(page, address) as (faults, _):
        page.goto(address + "gallery/#%")
        page.locator("form[data-filter]").wait_for()
        page.evaluate("location.hash = '#%E0%A4%A'")
        page.wait_for_timeout(100)
    assert not faults


def test_the_text_search_of_the_gallery(gallery):
    every = visible(gallery)
    box = gallery.locator("form[data-filter] input[type=search]")
    box.fill("momentum")
    some = visible(gallery)
    assert 0 < some < every
    for card in gallery.locator("[data-item]:visible").all():
        assert "momentum" in card.text_content().lower()
    box.fill("nosuchword")
    assert visible(gallery) == 0
    sync_api.expect(gallery.locator("form[data-filter] output")).to_contain_text(f"0 of {every}")


def test_the_search_of_the_site_finds_momentum(tab, address):
    page = tab(address)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("/")
    page.keyboard.type("momentum")
    first = page.locator(".md-search-result__item").first
    sync_api.expect(first).to_contain_text("momentum", ignore_case=True)
    first.locator("a").first.click()
    page.wait_for_url(lambda url: url.rstrip("/") != address.rstrip("/"))
    assert "momentum" in page.locator("article").first.text_content().lower()


@pytest.fixture
def play(tab, address):
    page = tab(address + "play/")
    page.locator("[data-rule=adam] output").wait_for()
    return page


def drawn(page):
    return page.locator("#play canvas").evaluate("canvas => canvas.toDataURL()")


def losses(page):
    return page.locator("#play [data-rule]").evaluate_all(
        "rows => Object.fromEntries(rows.map("
        "row => [row.dataset.rule, row.querySelector('output').value]))"
    )


SGD = {"gradient descent", "momentum", "nesterov"}
SCALED = {"adagrad", "rmsprop", "adam"}


@pytest.mark.parametrize(
    ("slider", "moved"),
    [
        ("rate", SGD),
        ("adaptive", SCALED),
        ("momentum", {"momentum", "nesterov", "adam"}),
        ("decay", {"adadelta", "rmsprop", "adam"}),
        ("steps", SGD | SCALED | {"adadelta"}),
        ("x", SGD | SCALED | {"adadelta"}),
        ("y", SGD | SCALED | {"adadelta"}),
    ],
)
def test_an_arrow_key_on_a_slider_moves_the_paths_that_it_concerns(play, slider, moved):
    play.locator("#play-surface").select_option("beale")
    before, picture = losses(play), drawn(play)
    play.locator(f"#play-{slider}").focus()
    for _ in range(9):
        play.keyboard.press("ArrowLeft" if slider == "steps" else "ArrowRight")
    after = losses(play)
    assert {rule for rule in after if after[rule] != before[rule]} == moved
    assert drawn(play) != picture
    told = play.locator(f"output[for=play-{slider}]").text_content()
    assert play.locator(f"#play-{slider}").get_attribute("aria-valuetext") == told


def test_the_address_of_the_play_page_shows_the_same_again(play, tab):
    for slider in ("rate", "adaptive", "momentum", "decay", "steps", "x", "y"):
        play.locator(f"#play-{slider}").focus()
        for _ in range(3):
            play.keyboard.press("ArrowLeft")
    play.locator("[data-rule=nesterov] input").uncheck()
    again = tab(play.url)
    again.locator("[data-rule=adam] output").wait_for()
    assert losses(again) == losses(play) and drawn(again) == drawn(play)
    assert not again.locator("[data-rule=nesterov] input").is_checked()
    for slider in ("rate", "adaptive", "momentum", "decay", "steps", "x", "y"):
        value = play.locator(f"#play-{slider}").input_value()
        assert again.locator(f"#play-{slider}").input_value() == value
    again.get_by_role("button", name="Reset everything").click()
    assert again.locator("output[for=play-momentum]").text_content() == "0.9"


def test_the_play_page_works_by_keyboard_alone(play):
    """Tab reaches every control, space hides a path, and letters choose another surface."""
    play.locator("[data-rule=momentum] input").focus()
    picture = drawn(play)
    play.keyboard.press("Space")
    assert drawn(play) != picture and "off=momentum" in play.url
    reached = []
    while len(reached) < 40 and "Reset" not in " ".join(reached):
        play.keyboard.press("Tab")
        reached.append(
            play.evaluate(
                "document.activeElement.name || document.activeElement.textContent.trim()"
            )
        )
    sliders = ["surface", "steps", "momentum", "rate", "adaptive", "decay", "x", "y"]
    assert [name for name in reached if name in sliders] == sliders
    play.locator("#play-surface").focus()
    play.keyboard.type("Beale")
    assert "surface=beale" in play.url
    assert play.locator("output[for=play-y]").text_content() == "1.5"
    play.get_by_role("button", name="on Beale's surface").focus()
    play.keyboard.press("Enter")
    assert "steps=300" in play.url


def test_a_click_on_the_map_moves_the_start(play):
    box = play.locator("#play canvas").bounding_box()
    before = losses(play)
    play.mouse.move(box["x"] + 300, box["y"] + 60)
    play.mouse.down()
    middle = play.locator("output[for=play-x]").text_content()
    play.mouse.move(box["x"] + 200, box["y"] + 90)
    play.mouse.up()
    end = play.locator("output[for=play-x]").text_content()
    play.mouse.move(box["x"] + 500, box["y"] + 90)
    assert play.locator("output[for=play-x]").text_content() == end != middle
    assert all(losses(play)[rule] != loss for rule, loss in before.items())


def test_a_path_that_diverges_says_so(play):
    play.locator("#play-rate").focus()
    play.keyboard.press("End")
    assert losses(play)["gradient descent"].startswith("diverges, step ")
    assert not losses(play)["adam"].startswith("diverges")
