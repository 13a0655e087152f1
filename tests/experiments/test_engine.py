"""The engine: plans, files written whole or not at all, the command line."""

import dataclasses
import os
import signal
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments import __main__ as command_line
from experiments.engine import Gate, Plan, Verdict, all_of, exactly, holds, over, paired
from experiments.engine import _run as running
from experiments.engine._attempts import Attempt
from experiments.engine._freeze import ReplacementRefused
from experiments.engine._ledger import false_discovery, gallery, ledger, write_ledger
from experiments.engine._results import (
    NonFiniteResult,
    check_finite,
    from_json,
    read_record,
    to_json,
)
from experiments.engine._run import (
    prepare_folder,
    redraw_script,
    run_script,
)
from experiments.engine._script import Script, find_scripts
from experiments.engine.before import exact
from experiments.files import write_atomically


@dataclasses.dataclass(frozen=True)
class Config:
    value: float = 1.0
    data_set: str = "analytic"


def judged(scope="toy", gates=("pos",), holding=True):
    controls = [Gate(name, True, "it rises") for name in gates]
    return all_of("C-001", [holds("measured", holding)], scope=scope, gates=controls)


def fake_script(run=None, **attributes):
    """A script whose module is made here."""
    module: Any = types.ModuleType("question", "Does the fake work?\n")
    module.Config, module.SMOKE, module.FULL = Config, Config(0.0), Config(2.0)
    module.CLAIMS, module.PLANS = ("C-001",), {"C-001": Plan({"rise": 1e-6}, ("pos",))}
    module.run = run or (lambda c: {"x": np.full(3, c.value), "data_set": c.data_set})
    module.judge = lambda results: [judged()]
    module.draw = lambda results: Figure()
    for name, value in attributes.items():
        setattr(module, name, value)
    script = Script("topic/question")
    script.__dict__["module"] = module
    return script


# Files and records


def test_results_survive_json():
    results = {"a": np.arange(6.0).reshape(2, 3), "b": [{"c": 1}], "d": "text", "e": 3}
    results |= {"f": np.array([1.0, np.nan, -np.inf]), "ragged": [[1.0], [1.0, 2.0]]}
    back = from_json(to_json(results))
    np.testing.assert_array_equal(back["a"], results["a"])
    np.testing.assert_array_equal(back["f"], results["f"])
    assert back["b"] == results["b"] and back["d"] == "text" and back["e"] == 3
    assert [row.tolist() for row in back["ragged"]] == results["ragged"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_undeclared_non_finite_results_are_named(bad):
    results = {"loss": {"adam": np.array([1.0, bad])}}
    with pytest.raises(NonFiniteResult, match="loss/adam .* index"):
        check_finite(results, allowed=())
    check_finite(results, allowed=("loss",))


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("stage", ["run", "judge", "draw"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_a_broken_experiment_leaves_no_file(tmp_path, stage, error):
    def fail(_):
        raise error

    with pytest.raises(error):
        run_script(fake_script(**{stage: fail}), "default", tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_nan_leaves_no_file_and_says_where(tmp_path):
    script = fake_script(lambda config: {"loss": np.array([1.0, np.nan])})
    with pytest.raises(NonFiniteResult, match=r"loss is not finite, first at index \[1\]"):
        run_script(script, "default", tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_verdict_for_another_claim_is_refused(tmp_path):
    script = fake_script(judge=lambda _: [exact("C-002", True, "?")])
    with pytest.raises(ValueError, match="owns .*C-001.* judged .*C-002"):
        run_script(script, "default", tmp_path)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"judge": lambda _: [judged(scope="")]}, "needs a scope and the controls"),
        ({"judge": lambda _: [judged(gates=())]}, r"controls \('pos',\), got 'toy' and \(\)"),
        ({"judge": lambda _: [exact("C-001", True, "?")]}, "if, and only if, PLANS has it"),
        ({"PLANS": {}}, "if, and only if, PLANS has it"),
    ],
)
def test_plan_and_verdict_go_together(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        run_script(fake_script(**changes), "default", tmp_path)
    assert os.listdir(tmp_path) == []


def test_what_was_measured_before_the_protocol_is_no_verdict(tmp_path):
    script = fake_script(PLANS={}, judge=lambda _: [exact("C-001", True, "measured")])
    run_script(script, "default", tmp_path)
    write_ledger(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "| **to be judged anew** | measured |" in text
    assert "149 not yet judged, 1 to be judged anew" in text


@pytest.mark.slow
def test_a_committed_verdict_stands_until_the_script_says_why(tmp_path, monkeypatch):
    """In the folder that is committed; elsewhere a changed plan is a variant and runs."""
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    run_script(fake_script(), "default", tmp_path)
    run_script(fake_script(), "default", tmp_path)
    other = {"C-001": Plan({"rise": 1e-3}, ("pos",))}
    with pytest.raises(ReplacementRefused, match="C-001 was judged by another plan"):
        run_script(fake_script(PLANS=other), "default", tmp_path)
    with pytest.raises(ReplacementRefused, match="C-001 was judged by another plan"):
        run_script(fake_script(PLANS=other), "full", tmp_path)
    run_script(fake_script(PLANS=other), "default", tmp_path / "..")
    revised = {"C-001": Plan({"rise": 1e-3}, ("pos",), revised="1e-6 is under the rounding")}
    run_script(fake_script(PLANS=revised), "default", tmp_path)
    write_ledger(tmp_path)
    assert "revised: 1e-6 is under the rounding" in (tmp_path / "README.md").read_text()


@pytest.mark.slow
def test_a_revised_plan_needs_seeds_that_were_never_used(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    revised = {"C-001": Plan({"rise": 1e-3}, ("pos",), revised="1e-6 is under the rounding")}

    def again(seed, **attributes):
        attributes |= {"Config": lambda: dataclasses.make_dataclass("Seeded", ["seed"])(seed)}
        run = {"run": lambda config: {"x": np.full(3, config.seed)}}
        return run_script(fake_script(**run, **attributes), "default", tmp_path)

    again(7)
    for seed in (7, 8, 10_006):
        with pytest.raises(ReplacementRefused, match="never used, 10007 or more, got"):
            again(seed, PLANS=revised)
    again(10_007, PLANS=revised)


@dataclasses.dataclass(frozen=True)
class Named(Config):
    rate: float = 0.1


@pytest.mark.slow
def test_a_field_that_names_what_was_fixed_before_needs_no_new_plan(tmp_path, monkeypatch):
    """The hash is the new configuration's, so that the field is fixed from then on."""
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    before = read_record(run_script(fake_script(), "default", tmp_path).with_suffix(".json"))
    rounded = lambda c: {"x": np.full(3, 1 + 1e-6), "more": 1, "data_set": c.data_set}  # noqa: E731
    run_script(fake_script(Config=Named, run=rounded), "default", tmp_path)
    after = read_record(tmp_path / "question.json")
    assert after["config"] == {**before["config"], "rate": 0.1}
    assert after["plans"]["C-001"]["sha256"] != before["plans"]["C-001"]["sha256"]
    with pytest.raises(ReplacementRefused, match="C-001 was judged by another plan"):
        run_script(fake_script(Config=lambda: Named(rate=0.2)), "default", tmp_path)


def test_the_same_plan_may_be_run_again_and_give_other_numbers(tmp_path, monkeypatch):
    """As on another CPU."""
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    for value in (1.0, 2.0):
        run_script(fake_script(lambda c, v=value: {"x": np.full(3, v)}), "default", tmp_path)
    assert read_record(tmp_path / "question.json")["results"]["x"].tolist() == [2.0] * 3


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"run": lambda c: {"x": np.full(3, 2.0)}}, "the results are others than those"),
        ({"run": lambda c: {"x": np.full(3, 1.0001)}}, "the results are others than those"),
        ({"run": lambda c: {"y": np.full(3, 1.0)}}, "the results are others than those"),
        ({"judge": lambda _: [judged(holding=False)]}, "was confirmed and would be refuted"),
        ({"PLANS": {"C-001": Plan({"rise": 0.1}, ("pos",))}}, "by another plan"),
        ({"Config": lambda: Named(value=2.0)}, "by another plan"),
    ],
)
def test_a_field_that_changes_results_is_another_plan(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    run_script(fake_script(), "default", tmp_path)
    committed = (tmp_path / "question.json").read_bytes()
    with pytest.raises(ReplacementRefused, match=message):
        run_script(fake_script(**{"Config": Named, **changes}), "default", tmp_path)
    assert (tmp_path / "question.json").read_bytes() == committed


def test_a_plan_is_not_lost_on_the_way_to_another(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    run_script(fake_script(), "default", tmp_path)
    without = fake_script(judge=lambda _: [exact("C-001", True, "?")], PLANS={})
    with pytest.raises(ReplacementRefused, match="C-001 was judged by a plan that PLANS lacks"):
        run_script(without, "default", tmp_path)


@pytest.mark.slow
def test_a_larger_preset_replaces_a_smaller_one_by_the_same_plan_only(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    run_script(fake_script(), "default", tmp_path)
    changed = fake_script(Config=lambda: Config(3.0))
    with pytest.raises(ReplacementRefused, match="C-001 was judged by another plan"):
        run_script(changed, "full", tmp_path)
    run_script(fake_script(), "full", tmp_path)
    assert read_record(tmp_path / "question.json")["preset"] == "full"


@pytest.mark.slow
def test_smaller_runs_do_not_replace_larger_ones(tmp_path):
    run_script(fake_script(), "full", tmp_path)
    with pytest.raises(ReplacementRefused, match="full"):
        run_script(fake_script(), "default", tmp_path)
    run_script(fake_script(), "default", tmp_path, force=True)
    assert read_record(tmp_path / "question.json")["preset"] == "default"


def test_bundled_data_does_not_replace_real_data(tmp_path):
    run_script(fake_script(Config=lambda: Config(data_set="mnist")), "default", tmp_path)
    with pytest.raises(ReplacementRefused, match="mnist"):
        run_script(fake_script(Config=lambda: Config(data_set="digits")), "default", tmp_path)


@pytest.mark.slow
def test_the_same_run_gives_the_same_record_but_for_times(tmp_path):
    records = []
    for _ in range(2):
        run_script(fake_script(), "default", tmp_path)
        text = (tmp_path / "question.json").read_text().splitlines()
        records.append([line for line in text if "_seconds" not in line])
    assert records[0] == records[1]


def test_a_folder_that_cannot_be_written_is_found_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        prepare_folder(tmp_path / "file")


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 0}'])
def test_foreign_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="no result file"):
        read_record(tmp_path / "a.json")


def test_the_q_values_are_benjamini_and_hochberg_s():
    """Of p = 0.01, 0.02 and 0.2, and of what is not random or not judged none."""
    made = [
        Verdict(f"C-00{i}", "confirmed", p=p) for i, p in enumerate([0.01, 0.2, None, 0.02])
    ] + [Verdict("C-009", "not run", p=1e-9)]
    assert false_discovery(made) == pytest.approx({"C-000": 0.03, "C-001": 0.2, "C-003": 0.03})
    assert false_discovery([]) == {}


# Ledger and command line


def test_ledger_lists_every_claim_and_erratum(tmp_path):
    run_script(fake_script(), "default", tmp_path)
    write_ledger(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert all(f"| C-{i:03} |" in text for i in range(1, 151))
    assert all(f"| E-{i:02} |" in text for i in range(1, 135))
    lines = "measured: confirmed<br>control pos passed: it rises"
    assert f"| **confirmed** | {lines} | toy | [picture](question.png)" in text
    assert "<br>*gate:* pos: 1.05·2/L\\* rises<br>" in text  # the protocol's row
    assert "149 not yet judged" in text
    assert "(`--full`):** 0 run, 1 not run." in text
    assert "question.png" in (tmp_path / "index.html").read_text()


def test_the_gallery_folds_what_was_measured_besides(tmp_path):
    part = paired("gain", np.linspace(0.1, 1.9, 20), effect=1.0, claimed="up")
    verdict = all_of("C-001", [part], scope="toy", beside=["1 < 2"])
    script = fake_script(judge=lambda _: [verdict], PLANS={"C-001": Plan({"rise": 1.0})})
    run_script(script, "default", tmp_path)
    page = gallery([read_record(tmp_path / "question.json")])
    assert "<details><summary>besides</summary>1 &lt; 2</details>" in page
    assert "</b> (depends on δ: no difference at twice)<br>gain: 1" in page


def test_a_smoke_run_is_marked_as_one(capsys, tmp_path):
    run_script(fake_script(), "smoke", tmp_path)
    write_ledger(tmp_path)
    assert "**confirmed** (smoke run) | measured: confirmed" in (tmp_path / "README.md").read_text()
    options = command_line.parse(["--smoke", "--out", str(tmp_path)])
    command_line.report([(fake_script(), Attempt(None, "1.0 s"))], options)
    printed = capsys.readouterr().out
    assert "too small to judge  C-001" in printed and "no verdicts" in printed


@pytest.mark.slow
def test_redrawing_by_another_plan_is_refused_unless_forced(tmp_path):
    script = fake_script()
    run_script(script, "default", tmp_path)
    before = (tmp_path / "question.json").read_bytes()
    script.module.__dict__["PLANS"] = {"C-001": Plan({"rise": 1e-3}, ("pos",))}
    with pytest.raises(ReplacementRefused, match="C-001 was run by another plan than the script's"):
        redraw_script(script, tmp_path)
    assert (tmp_path / "question.json").read_bytes() == before
    redraw_script(script, tmp_path, force=True)


@pytest.mark.slow
def test_what_is_committed_keeps_its_outcome_when_it_is_redrawn(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "COMMITTED", tmp_path)
    script = fake_script()
    run_script(script, "default", tmp_path)
    script.module.__dict__["judge"] = lambda _: [judged(holding=False)]
    with pytest.raises(ReplacementRefused, match="C-001 was confirmed and would be refuted by the"):
        redraw_script(script, tmp_path)
    redraw_script(script, tmp_path, force=True)
    assert read_record(tmp_path / "question.json")["verdicts"][0]["outcome"] == "refuted"


@pytest.mark.slow
def test_a_forced_redraw_keeps_the_plan_that_it_judged_by(tmp_path):
    script = fake_script()
    run_script(script, "default", tmp_path)
    script.module.__dict__["PLANS"] = {"C-001": Plan({"rise": 1e-3}, ("pos",))}
    redraw_script(script, tmp_path, force=True)
    plan = read_record(tmp_path / "question.json")["plans"]["C-001"]
    assert plan["effects"] == {"rise": 1e-3}


@pytest.mark.slow
@pytest.mark.parametrize("act", [lambda s, out: run_script(s, "default", out), redraw_script])
def test_another_script_s_record_is_not_replaced(tmp_path, act):
    run_script(fake_script(), "default", tmp_path)
    other = Script("topics/question")
    other.__dict__["module"] = fake_script().module
    with pytest.raises(ReplacementRefused, match="question is a record of topic/question, not of"):
        act(other, tmp_path)


@pytest.mark.parametrize(
    "results, error, words",
    [
        (None, TypeError, "topic/question: run must return a dict, got None"),
        ({1: [1.0]}, TypeError, "keys of results must be texts, got 1"),
        ({"a": {1: 2.0}}, TypeError, "keys of result a must be texts, got 1"),
        ({"a": [1.0, "nan"]}, TypeError, r"result a\[1\] is the text 'nan', which is read as a"),
        ({"a": {"b": {1, 2}}}, TypeError, "result a/b is {1, 2}, which a record cannot hold"),
        ({"x": 1.0, "data_set": ["a"]}, ValueError, "data_set is missing or of another type"),
    ],
)
def test_what_no_record_can_hold_is_named_and_leaves_no_file(tmp_path, results, error, words):
    with pytest.raises(error, match=words):
        run_script(fake_script(lambda _: results), "default", tmp_path)
    assert os.listdir(tmp_path) == []


def test_ragged_lists_of_any_depth_come_back():
    ragged = {"a": [[1, [2, 3]], [4]], "b": [[["x"], ["y", "z"]]]}
    assert to_json(from_json(to_json(ragged))) == ragged


@pytest.mark.parametrize("judge", [lambda _: None, lambda _: judged(), lambda _: ["confirmed"]])
def test_what_is_no_list_of_verdicts_is_refused(tmp_path, judge):
    with pytest.raises(TypeError, match="judge must return a list of verdicts, got"):
        run_script(fake_script(judge=judge), "default", tmp_path)


@pytest.mark.slow
def test_a_part_is_judged_by_an_effect_of_the_plan(tmp_path):
    """Or by its log10, or by 0, which is only a direction."""

    def script(effect):
        parts = [over("x", exactly(9.0), effect), over("y", exactly(9.0), 0.0)]
        verdict = all_of("C-001", parts, scope="toy")
        plan = Plan({"factor": 4.0})
        return fake_script(judge=lambda _: [verdict], PLANS={"C-001": plan})

    run_script(script(4.0), "default", tmp_path)
    run_script(script(np.log10(4.0)), "default", tmp_path)
    with pytest.raises(ValueError, match="C-001: 'x' is judged by 0.9, which is none of the plan"):
        run_script(script(0.9), "default", tmp_path)


@pytest.mark.parametrize(
    "plan, error, words",
    [
        (lambda: Plan({}, "fit"), TypeError, "gates must be a tuple of names, got 'fit'"),
        (lambda: Plan({}, ["fit"]), TypeError, "gates must be a tuple of names"),
        (lambda: Plan({"x": np.nan}), ValueError, "the effect 'x' must be finite, got nan"),
    ],
)
def test_bad_plans_are_refused(plan, error, words):
    with pytest.raises(error, match=words):
        plan()


def test_a_plan_of_no_claim_is_refused(tmp_path):
    with pytest.raises(ValueError, match="PLANS has 'C-999', which is no claim of the protocol"):
        run_script(fake_script(PLANS={"C-999": Plan()}), "default", tmp_path)


def test_a_script_that_cannot_be_imported_stops_no_other(tmp_path, monkeypatch, capsys):
    good, bad = fake_script(), Script("topic/not_there")
    monkeypatch.setattr("experiments.engine._script.find_scripts", lambda only: [bad, good])
    assert command_line.main(["--jobs", "1", "--out", str(tmp_path)]) == 1
    assert "topic/not_there FAILED: ModuleNotFoundError" in capsys.readouterr().err
    assert (tmp_path / "question.json").exists()


def test_a_record_keeps_the_source_of_its_rule(tmp_path):
    script = fake_script()
    run_script(script, "default", tmp_path)
    assert "judged()" in read_record(tmp_path / "question.json")["rule"]


@pytest.mark.slow
def test_redrawing_takes_the_records_there_are(capsys, tmp_path):
    (script,) = find_scripts(("what_is_the_velocity",))
    run_script(script, "smoke", tmp_path)
    assert command_line.main(["--redraw", "--jobs", "1", "--out", str(tmp_path)]) == 0
    assert "1 script ..." in capsys.readouterr().out


def test_ledger_of_nothing():
    assert "150 not yet judged" in ledger([])


def test_scripts_are_found_by_topic_name_and_id():
    script = find_scripts()[0]
    for wanted in (script.name, script.stem, f"experiments/{script.name}.py", script.subjects[0]):
        assert find_scripts((wanted,)) == [script]
    with pytest.raises(ValueError, match="no experiment fits 'C-999'"):
        find_scripts(("C-999",))


def test_a_claim_without_a_script_is_told_from_an_unknown_one():
    with pytest.raises(ValueError, match="no experiment yet for 'C-132'"):
        find_scripts(("C-132",))


def test_a_readme_that_is_no_ledger_is_not_overwritten(capsys, tmp_path):
    (tmp_path / "README.md").write_text("# My project")
    assert command_line.main(["--smoke", "--out", str(tmp_path)]) == 1
    assert "would be overwritten" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["README.md"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".gif"])
def test_a_picture_without_a_record_may_be_somebodys(tmp_path, suffix):
    picture = tmp_path / f"question{suffix}"
    picture.write_bytes(b"mine")
    with pytest.raises(ReplacementRefused, match="is there without a record"):
        run_script(fake_script(), "default", tmp_path)
    assert picture.read_bytes() == b"mine"
    run_script(fake_script(), "default", tmp_path, force=True)


def test_unknown_name_is_an_error_with_a_message(capsys):
    assert command_line.main(["--only", "nonsense"]) == 2
    assert "no experiment fits 'nonsense'" in capsys.readouterr().err


def test_unwritable_output_is_an_error_with_a_message(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert command_line.main(["--smoke", "--out", str(tmp_path / "file")]) == 1
    assert "cannot write to" in capsys.readouterr().err


def test_interruption_is_reported(capsys, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.engine._attempts.run_script", interrupt)
    assert command_line.main(["--smoke", "--jobs", "1", "--out", str(tmp_path)]) == 130
    assert "keeps every finished experiment" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_help_does_not_import_jax():
    code = (
        "import sys; from experiments.__main__ import parse; parse([]); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


COMMAND = [sys.executable, "-m", "experiments", "--smoke", "--only", "does_it_zigzag_in_a_valley"]


@pytest.mark.slow
def test_a_full_disk_is_reported_and_leaves_no_half_written_file(tmp_path):
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *COMMAND, "--out", str(tmp_path)]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "FAILED: OSError" in done.stdout and "cannot write to" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_ends_with_a_message_and_no_half_written_file(tmp_path):
    """Of all smoke runs: no machine is done with them before the signal comes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", "--smoke", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.read(1)  # the first experiment has begun
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in message
    assert not any(name.startswith(".") for name in os.listdir(tmp_path))
