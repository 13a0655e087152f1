"""What the command line shows, to people in a terminal or a pipe, and to other programs."""

import dataclasses
import io
import itertools
import json
import re
import shlex
import unicodedata

import pytest

from experiments import __main__ as command_line
from experiments import catalogue
from experiments.engine import _attempts as command_line_attempts
from experiments.engine import _freeze as freeze
from experiments.engine._attempts import Attempt
from experiments.engine._documents import list_document, run_document
from experiments.engine._part import holds, left_open
from experiments.engine._script import Script, find_scripts
from experiments.engine._terminal import (
    ERASE_LINE,
    Progress,
    duration,
    list_lines,
    measured,
    measured_ratio,
    recorded,
    seconds_left,
    tally,
    tally_line,
    verdict_table,
    verdicts_of,
)
from experiments.engine._verdict import all_of, not_testable
from experiments.markup import UNPRINTABLE, printable
from tests.experiments.test_engine import fake_script
from tests.experiments.test_markup import HOSTILE, hostile_record

CONFIRMED = all_of("C-001", [holds("it arrives at 0.25", True, panel="a")], scope="toy")
REFUTED = all_of("C-019", [holds("it is the same", False)], scope="toy")
OPEN = all_of("C-023", [left_open(holds("it is open", True), "too few")], scope="toy")
TOLD = not_testable("C-051", "a report of usage")
ESCAPE = re.compile(r"\x1b\[[0-9;]*[mK]")


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def screen(self):
        """Lines as they stand at the end, each after it was last erased."""
        return [line.split(ERASE_LINE)[-1] for line in self.getvalue().split("\n")]


def script_of(name, **attributes):
    script = Script(name)
    script.__dict__["module"] = fake_script(**attributes).module
    return script


def plant(folder, to, *verdicts, **fields):
    """Writes a record of the script with these verdicts."""
    rows = [dataclasses.asdict(verdict) for verdict in verdicts]
    plans = {row["subject"]: {"revised": "", "sha256": ""} for row in rows}
    record = {**hostile_record("toy"), "script": to.name, "plans": plans, "verdicts": rows}
    path = freeze.record_path(to, folder)
    path.write_text(json.dumps(record | fields))
    return path.with_suffix(".png")


@pytest.fixture(autouse=True)
def _sixty_columns_in_colour(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """Runs plant a record and take no time; `topic/broken` fails, `topic/kept` is kept."""
    scripts = [script_of(f"topic/{name}") for name in ("question", "broken", "kept", "other")]
    verdicts = {"question": (CONFIRMED, REFUTED), "kept": (OPEN,), "other": (TOLD,)}

    def run_script(script, preset, out, *, force):
        if script.stem == "broken":
            raise ValueError("the run\x1b[2J broke")
        picture = plant(out, script, *verdicts[script.stem], preset=preset)
        if script.stem == "kept":
            raise freeze.ReplacementRefused("it is larger")
        return picture

    monkeypatch.setattr("experiments.engine._attempts.run_script", run_script)
    monkeypatch.setattr("experiments.engine._script.find_scripts", lambda only: scripts)
    monkeypatch.setattr(freeze, "COMMITTED", tmp_path / "committed")
    (tmp_path / "committed").mkdir()
    return scripts


# The time left


@pytest.mark.parametrize("jobs, expected", [(1, 3 * (60 + 30)), (2, 3 * (60 + 20)), (9, 240)])
def test_time_left_by_hand(jobs, expected):
    """10 and 20 s side by side take as long as the longer one; 60 s have to be alone."""
    scripts = [script_of("t/a"), script_of("t/b"), script_of("t/c", ALONE=True), script_of("t/new")]
    assert seconds_left(scripts, {"t/a": 10.0, "t/b": 20.0, "t/c": 60.0}, 3.0, jobs) == expected
    assert seconds_left([], {}, 3.0, jobs) == 0


def test_many_short_scripts_are_divided_by_the_jobs():
    scripts = [script_of(f"t/{i}") for i in range(8)]
    assert seconds_left(scripts, {script.name: 5.0 for script in scripts}, 1.0, 4) == 8 * 5 / 4


@pytest.mark.parametrize(
    "ended, ratio",
    [({}, 1), ({"new": 9.0}, 1), ({"zero": 9.0}, 1), ({"a": 5.0, "b": 20.0, "new": 99.0}, 25 / 20)],
)
def test_ratio_of_this_machine_to_the_records(ended, ratio):
    assert measured_ratio(ended, {"a": 10.0, "b": 10.0, "c": 1.0, "zero": 0.0}) == ratio


@pytest.mark.parametrize(
    "seconds, words", [(0.2, "0 s"), (89.0, "89 s"), (90.0, "2 min"), (600.0, "10 min"),
                       (3600.0, "60 min"), (12600.0, "3.5 h")],
)  # fmt: skip
def test_durations(seconds, words):
    assert duration(seconds) == words


def run_progress(stream):
    """30 s were recorded for each but the new one, which nobody knows."""
    scripts = [script_of(f"t/{name}") for name in ("a", "b", "c", "new")]
    progress = Progress(scripts, {f"t/{name}": 30.0 for name in "abc"}, 1, stream)
    progress.start()
    progress.tell(scripts[0], Attempt(None, "45.0 s", seconds=45.0))  # half as long again
    progress.tell(scripts[1], Attempt(None, "FAILED: \x1b[2J", failed=True))  # says nothing
    progress.tell(scripts[2], Attempt(None, "15.0 s", seconds=15.0))
    progress.tell(scripts[3], Attempt(None, "1.0 s", seconds=1.0))
    progress.end()


def test_a_pipe_gets_plain_lines_with_the_time_left():
    stream = io.StringIO()
    run_progress(stream)
    assert stream.getvalue().splitlines() == [
        "4 scripts ...",
        "[1/4] t/a 45.0 s (about 2 min left, besides 1 new script)",  # (30 + 30) * 1.5 = 90 s
        "[2/4] t/b FAILED: \ufffd[2J (about 45 s left, besides 1 new script)",
        "[3/4] t/c 15.0 s (1 script left)",
        "[4/4] t/new 1.0 s",
    ]


def test_a_terminal_has_one_line_that_is_rewritten_in_place():
    stream = Terminal()
    run_progress(stream)
    assert stream.screen() == [
        "4 scripts ...", "[1/4] t/a 45.0 s", "[2/4] t/b FAILED: \ufffd[2J", "[3/4] t/c 15.0 s",
        "[4/4] t/new 1.0 s", "",
    ]  # fmt: skip
    rewritten = re.findall(r"about [^\r]*?left", stream.getvalue())
    assert rewritten == ["about 2 min left", "about 2 min left", "about 45 s left"]


def test_the_rewritten_line_fits_the_terminal(monkeypatch):
    """A longer one would wrap, and only its last row would be erased."""
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    run_progress(stream)
    rewritten = [line.split("\r")[0] for line in stream.getvalue().split(ERASE_LINE)]
    assert "about 2 min left, b" in rewritten
    assert all(len(line) < 20 for line in rewritten if line.startswith("about"))


# The verdicts


def rows(*verdicts):
    return [(verdict, False) for verdict in verdicts]


def test_every_verdict_has_sign_outcome_id_sentence_and_finding():
    lines = verdict_table(rows(CONFIRMED, TOLD), io.StringIO()).splitlines()
    assert lines[0].startswith("✓ confirmed     C-001  ")
    words = " ".join(line[23:] for line in lines)
    for verdict in (CONFIRMED, TOLD):
        assert catalogue.claims()[verdict.subject].text in words
        assert measured(verdict) in words
    assert "it arrives at 0.25 (panel a)" in words and "a report of usage" in words
    assert any(line.startswith("· not testable  C-051  ") for line in lines)


@pytest.mark.parametrize("columns, widest", [(60, 60), (200, 200), (10, 22 + 24 + 1)])
def test_the_table_is_as_wide_as_the_terminal(monkeypatch, columns, widest):
    """But sentences have 24 columns at least; no word is lost."""
    monkeypatch.setenv("COLUMNS", str(columns))
    long = all_of("C-019", [holds("a very long text " * 20 + "x" * 99, True)], scope="toy")
    table = verdict_table(rows(CONFIRMED, long, TOLD), io.StringIO())
    assert max(map(len, table.splitlines())) <= widest
    assert table.count("very") == 20 and table.count("x") >= 99


def test_colours_are_in_a_terminal_only_and_change_no_text(monkeypatch):
    verdicts = rows(CONFIRMED, REFUTED, OPEN, TOLD)
    plain = verdict_table(verdicts, io.StringIO())
    coloured = verdict_table(verdicts, Terminal())
    assert not ESCAPE.search(plain) and ESCAPE.sub("", coloured) == plain
    codes = re.findall(r"\x1b\[38;5;\d+m", coloured)
    assert len(codes) == len(set(codes)) == 3  # what is not judged has none
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert verdict_table(verdicts, Terminal()) == plain


def test_smoke_runs_are_marked_and_not_tallied():
    verdicts = [(CONFIRMED, True), (REFUTED, False)]
    table = verdict_table(verdicts, io.StringIO())
    assert "· too small to judge  C-001" in table and "confirmed" not in table
    assert tally(verdicts) == {"refuted": 1}


def test_tallies():
    verdicts = rows(REFUTED, *[CONFIRMED] * 12, OPEN, REFUTED)
    assert tally_line(tally(verdicts), 0) == "12 confirmed, 2 refuted, 1 undecided"
    assert tally_line(tally(rows(OPEN)), 2) == "1 undecided; 2 scripts failed"
    assert tally_line({}, 1) == "no verdicts; 1 script failed"


def test_what_the_ledger_leaves_out_is_not_shown(tmp_path):
    """An outcome that does not follow, another script's record, and what is no good record."""
    script = script_of("topic/question")
    assert recorded(script, tmp_path) is None
    plant(tmp_path, script, CONFIRMED)
    assert recorded(script, tmp_path)["verdicts"][0]["outcome"] == "confirmed"
    for verdicts, fields in (
        ([dataclasses.replace(REFUTED, outcome="confirmed")], {}),
        ([CONFIRMED], {"script": "other/question"}),
        ([CONFIRMED], {"schema": 1}),
        ([CONFIRMED], {"wall_seconds": float("nan")}),  # JSON has none
    ):
        plant(tmp_path, script, *verdicts, **fields)
        assert recorded(script, tmp_path) is None
        assert not list(verdicts_of([(script, Attempt(None, "1.0 s"))], tmp_path))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_record_holds_is_shown_as_text(tmp_path, text):
    script = script_of("topic/question")
    record = hostile_record(text)
    record["verdicts"] = [{**v, "reason": ""} for v in record["verdicts"]]
    record |= {"script": script.name}
    freeze.record_path(script, tmp_path).write_text(json.dumps(record))
    done = [(script, Attempt(None, text))]
    lines = verdict_table(list(verdicts_of(done, tmp_path)), io.StringIO()).splitlines()
    lines += list_lines([script], tmp_path)
    documents = [run_document(done, tmp_path), list_document([script], tmp_path)]
    shown = "".join([*lines, json.dumps(documents, ensure_ascii=False)])
    assert not [c for c in shown if unicodedata.category(c) in UNPRINTABLE]
    told = "".join("".join(lines).split())
    assert "".join(printable(text).split()) in told


# The whole command


def run(*arguments):
    return command_line.main(["--jobs", "1", *arguments])


def test_a_run_ends_with_the_table_and_the_tally(planted, tmp_path, capsys):
    assert run("--out", str(tmp_path)) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "4 scripts ..." and "\x1b" not in printed.out
    assert lines[1].startswith(f"[1/4] topic/question 0.0 s -> {tmp_path / 'question.png'} (")
    assert "topic/broken FAILED: ValueError: the run\ufffd[2J broke" in lines[2]
    assert "topic/kept kept: it is larger" in lines[3]
    heads = [line.split()[:3] for line in lines if re.match("[✓✗=?·] ", line)]
    assert [head[:2] for head in heads] == [
        ["✓", "confirmed"], ["✗", "refuted"], ["?", "undecided"], ["·", "not"]
    ]  # fmt: skip
    counts = "1 confirmed, 1 refuted, 1 undecided, 1 not testable; 1 script failed"
    assert lines[-2] == counts
    assert printed.err == "failed: topic/broken\n"


def test_a_smoke_run_is_tallied_nowhere(planted, tmp_path, capsys):
    planted[:] = planted[:1]
    assert run("--smoke", "--out", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert printed.count("too small to judge") == 2 and "\nno verdicts\n" in printed


def test_json_of_a_run_agrees_with_the_records(planted, tmp_path, capsys):
    assert run("--json", "--out", str(tmp_path)) == 1
    printed = capsys.readouterr()
    told = json.loads(printed.out)  # and nothing else
    assert "[4/4] topic/other" in printed.err
    assert told["out"] == str(tmp_path)
    by_name = {script["name"]: script for script in told["scripts"]}
    statuses = {name: script["status"] for name, script in by_name.items()}
    assert list(statuses.values()) == ["done", "failed", "kept", "done"]
    assert by_name["topic/question"]["picture"] == str(tmp_path / "question.png")
    assert by_name["topic/question"]["seconds"] >= 0
    assert by_name["topic/broken"]["record"] is None
    for stem in ("question", "kept", "other"):
        record = json.loads((tmp_path / f"{stem}.json").read_text())
        found = by_name[f"topic/{stem}"]["record"]
        assert found["wall_seconds"] == record["wall_seconds"]
        for row, verdict in zip(found["verdicts"], record["verdicts"], strict=True):
            assert {key: row[key] for key in verdict} == verdict  # its parts too
            assert row["finding"].startswith(f"{verdict['subject']} {verdict['outcome']}: ")
            assert row["sentence"] == catalogue.claims()[verdict["subject"]].text
            assert row["too_small"] is False
    assert told["tally"] == {"confirmed": 1, "refuted": 1, "undecided": 1, "not testable": 1}


def test_a_module_that_cannot_be_imported_is_a_failed_script(planted, tmp_path, capsys):
    planted[:] = [planted[0], Script("topic/not_there")]
    assert run("--json", "--out", str(tmp_path)) == 1
    printed = capsys.readouterr()
    last = json.loads(printed.out)["scripts"][-1]
    assert (last["name"], last["status"]) == ("topic/not_there", "failed")
    assert "ModuleNotFoundError" in last["message"]
    assert "failed: topic/not_there" in printed.err


def test_the_time_left_is_that_of_the_committed_records(planted, tmp_path, capsys):
    """Before anything has ended nothing corrects it; redrawing takes as long for each."""
    planted[:] = planted[2:]
    for script, seconds in zip(planted, (40.0, 400.0), strict=True):
        plant(tmp_path / "committed", script, OPEN, wall_seconds=seconds)
    run("--out", str(tmp_path))
    assert "it is larger (about 7 min left)" in capsys.readouterr().out


# The list


def test_the_list_is_grouped_and_has_the_committed_outcomes(planted, tmp_path, capsys):
    planted[:] = [
        script_of("one/first", FIGURES=("F-001",), CLAIMS=("C-019", "C-001")),
        script_of("one/second", TIER=2, CLAIMS=("C-023",)),
        script_of("two/third", TIER=3, CLAIMS=(), ERRATA=("E-05",)),
    ]
    committed = tmp_path / "committed"
    plant(committed, planted[0], REFUTED, wall_seconds=1.5, data_set="digits")
    plant(committed, planted[1], OPEN, preset="smoke")
    assert run("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "one",
        "first F-001, C-019 refuted, C-001",
        "Does the fake work? (tier 1, 1.5 s, digits)",
        "second C-023 undecided (too small to judge)",
        "Does the fake work? (tier 2, 1.0 s, toy)",
        "two",
        "third E-05",
        "Does the fake work? (tier 3, no record)",
    ]
    assert run("--list", "--tier", "2") == 0
    assert "third" not in capsys.readouterr().out


def test_json_of_the_list_agrees_with_the_committed_records(capsys):
    chosen = ("what_is_the_velocity", "does_it_zigzag_in_a_valley")
    assert run("--list", "--json", "--only", chosen[0], "--only", chosen[1]) == 0
    told = json.loads(capsys.readouterr().out)["scripts"]
    assert [row["name"] for row in told] == [script.name for script in find_scripts(chosen)]
    assert {row["topic"] for row in told} == {"momentum", "gradient_descent"}
    for row in told:
        path = freeze.COMMITTED / f"{row['name'].split('/')[1]}.json"
        record = json.loads(path.read_text("utf-8"))
        assert row["record"]["wall_seconds"] == record["wall_seconds"]
        assert row["record"]["data_set"] == record["data_set"]
        outcomes = [(v["subject"], v["outcome"]) for v in record["verdicts"]]
        assert [(v["subject"], v["outcome"]) for v in row["record"]["verdicts"]] == outcomes


# What is asked for


@pytest.mark.parametrize(
    "arguments, tiers",
    [([], [1]), (["--tier", "2"], [1, 2]), (["--list"], [1, 2, 3]), (["--smoke"], [1, 2, 3]),
     (["--redraw"], [1, 2, 3]), (["--only", "x"], [1, 2, 3]), (["--list", "--tier", "1"], [1]),
     (["--only", "x", "--tier", "2"], [1, 2])],
)  # fmt: skip
def test_tiers(arguments, tiers):
    scripts = [script_of(f"t/{tier}", TIER=tier) for tier in (1, 2, 3)]
    chosen = command_line.of_tier(scripts, command_line.parse(arguments))
    assert [script.tier for script in chosen] == tiers


def test_what_a_tier_leaves_out_is_named(capsys):
    scripts = [script_of(f"t/{tier}", TIER=tier) for tier in (1, 3)]
    command_line.of_tier(scripts, command_line.parse(["--only", "t", "--tier", "2"]))
    assert capsys.readouterr().err == "left out, as its tier is 3: t/3\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--list", "--redraw"], "--list runs nothing"),
        (["--list", "--smoke"], "--list runs nothing"),
        (["--list", "--reseed", "1"], "--list runs nothing"),
        (["--out", ""], "a folder has a name"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        command_line.parse(arguments)
    assert message in capsys.readouterr().err


def test_a_folder_without_records_has_nothing_to_draw(tmp_path, capsys):
    assert run("--redraw", "--out", str(tmp_path / "typo")) == 2
    assert "holds no record to draw from" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_an_interrupted_run_prints_the_json_of_what_was_finished(
    planted, tmp_path, monkeypatch, capsys
):
    def interrupted(scripts, task, jobs):
        yield from itertools.islice(attempts(scripts, task, jobs), 1)
        raise KeyboardInterrupt

    attempts = command_line_attempts.attempts
    monkeypatch.setattr(command_line_attempts, "attempts", interrupted)
    assert run("--json", "--out", str(tmp_path)) == 130
    assert len(json.loads(capsys.readouterr().out)["scripts"]) == 1


def test_no_script_of_the_tier_is_a_wrong_use(planted, capsys):
    planted[:] = [script_of("t/long", TIER=3)]
    assert run("--only", "t", "--tier", "2") == 2
    assert "none of these scripts is of tier 2 or below" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wanted, meant",
    [
        ("momntum", "momentum"),
        ("C-13", "C-013"),
        ("c13", "C-013"),
        ("E-5", "E-05"),
        ("F-38", "F-038"),
        ("does_it_zigzag_in_a_vally", "does_it_zigzag_in_a_valley"),
        ("momentum/what_is_velocity", "momentum/what_is_the_velocity"),
        ("banana", "does_momentum_tame_the_banana"),
    ],
)
def test_near_misses_are_suggested(wanted, meant, capsys):
    assert command_line.main(["--only", wanted]) == 2
    printed = capsys.readouterr()
    assert f"no experiment fits '{wanted}'; did you mean " in printed.err and not printed.out
    assert f"'{meant}'" in printed.err


def test_nothing_is_suggested_for_what_is_like_nothing(capsys):
    assert command_line.main(["--only", "qqqqqqqq"]) == 2
    assert capsys.readouterr().err == "no experiment fits 'qqqqqqqq'; --list shows them all.\n"


def test_json_of_other_seeds_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        command_line.main(["--reseed", "1", "--json"])
    assert ended.value.code == 2 and "--json cannot be combined" in capsys.readouterr().err


def test_the_examples_of_the_help_are_commands_that_work():
    doc = command_line.__doc__ or ""
    examples = re.findall(
        r"^    python -m experiments(.*?)(?:  +.*| which .*)?$", doc, re.MULTILINE
    )
    assert len(examples) == 9
    for example in examples:
        command_line.parse(shlex.split(example))
    ids = {*catalogue.claims(), *catalogue.figures()}
    assert set(re.findall(r"[CF]-\d{3}", doc)) <= ids
