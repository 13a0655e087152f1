"""Runs the experiments, judges the lectures' claims by them, and draws the figures.

Pictures, records and a ledger of the verdicts are written into a folder, ./figures if none is
named. Without --only, the scripts that take seconds are run.

Examples:
    python -m experiments                         all quick scripts, into ./figures
    python -m experiments --tier 2                and those that take up to ten minutes each
    python -m experiments --tier 3                and the long studies, which go on after a kill
    python -m experiments --list                  what there is, and what was found
    python -m experiments --list --only momentum  the same of one topic
    python -m experiments --only C-013 --only F-038
    python -m experiments --full --out paper_figs
    python -m experiments --reseed 1 --only C-008 which verdicts do other seeds change?
    python -m experiments --only C-023 --json     the verdicts for another program
"""

import argparse
import json
import os
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
QUICK_COMPILATION = "--xla_backend_optimization_level=0"  # of programs that run once, and briefly
if version("jaxlib").startswith("0.10."):  # its older emitters, 2.5 times as fast to compile
    QUICK_COMPILATION += (
        " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
        " --xla_llvm_disable_expensive_passes=true"
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; JAX is not imported yet, so `--help` is quick."""
    parser = argparse.ArgumentParser(
        "python -m experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--list", action="store_true", help="list the scripts, what they own and what was found"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME|ID",
        help="a topic, a question, or the id of a claim, erratum or figure; may be repeated",
    )
    parser.add_argument(
        "--tier",
        type=int,
        choices=(1, 2, 3),
        help="1, the default without --only: scripts that take seconds; 2: also scripts of up to "
        "ten minutes; 3: also long studies, of hours",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--smoke",
        dest="preset",
        action="store_const",
        const="smoke",
        help="runs of seconds, too small to judge",
    )
    size.add_argument(
        "--full", dest="preset", action="store_const", const="full", help="the longest runs"
    )
    parser.add_argument(
        "--out", type=folder, default=Path("figures"), help="the folder for all files (./figures)"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--redraw", action="store_true", help="draw from the records, do not run")
    way.add_argument(
        "--reseed",
        type=int,
        metavar="N",
        help="compare the committed verdicts with those of the Nth other seeds, 1 to 9",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace larger runs, and files of others"
    )
    parser.add_argument("--jobs", type=int, help="scripts at a time (one for each CPU core)")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON document, for other programs; progress goes to stderr",
    )
    parser.set_defaults(preset="default")
    options = parser.parse_args(arguments)
    if options.jobs is not None and options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    if options.reseed is not None and not 1 <= options.reseed <= 9:
        parser.error(f"--reseed must be from 1 to 9, got {options.reseed}")
    if options.json and options.reseed is not None:
        parser.error("--json cannot be combined with --reseed")
    runs = options.redraw or options.force or options.reseed or options.preset != "default"
    if options.list and runs:
        parser.error("--list runs nothing: it cannot be combined with what changes a run")
    return options


def folder(name: str) -> Path:
    """The value of `--out`; no name at all is no folder."""
    if not name:
        raise argparse.ArgumentTypeError("a folder has a name, got ''")
    return Path(name)


def prepare_jax(options) -> None:
    """What was compiled is kept for the next run; smoke runs are compiled quickly."""
    if "jax" in sys.modules:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "jaxtricks" / "compiled"))
    if options.preset == "smoke":
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_COMPILATION}"


def of_tier(scripts, options):
    """Those of the tier that was asked for; without one, what was not named must be quick."""
    everything = options.list or options.only or options.redraw or options.preset == "smoke"
    tier = options.tier or (3 if everything else 1)
    for script in scripts if options.only else ():
        if script.tier > tier:
            print(f"left out, as its tier is {script.tier}: {script.name}", file=sys.stderr)
    return [script for script in scripts if script.tier <= tier]


def show_list(scripts, options) -> None:
    """Prints the list with the committed verdicts, for people or for programs."""
    from experiments.engine._documents import list_document
    from experiments.engine._freeze import COMMITTED
    from experiments.engine._terminal import list_lines

    if options.json:
        print(json.dumps({"scripts": list_document(scripts, COMMITTED)}, indent=1))
    else:
        print("\n".join(list_lines(scripts, COMMITTED)))


def run_all(scripts, options, done) -> None:
    """Runs the scripts; when one has ended there is a line, and `done` has it, failed or not."""
    from experiments.engine._attempts import Task, attempts
    from experiments.engine._freeze import COMMITTED
    from experiments.engine._terminal import Progress, recorded

    task = Task(options.preset, options.out, options.force, options.redraw)
    records = {script.name: recorded(script, COMMITTED) for script in scripts}
    seconds = {name: record["wall_seconds"] for name, record in records.items() if record}
    if options.redraw:  # it takes as long for each
        seconds = dict.fromkeys(records, 1.0)
    stream = sys.stderr if options.json else sys.stdout
    progress = Progress(scripts, seconds, jobs(options), stream)
    try:
        progress.start()
        for script, tried in attempts(scripts, task, progress.jobs):
            done.append((script, tried))
            progress.tell(script, tried)
    finally:
        progress.end()


def jobs(options) -> int:
    """As told, else one for each core, or one alone on an accelerator, whose memory JAX takes."""
    if options.jobs:
        return options.jobs
    import jax

    return os.cpu_count() or 1 if jax.default_backend() == "cpu" else 1


def report(done, options) -> None:
    """Prints the verdicts of the scripts that were run and their tally; in full: the ledger."""
    from experiments.engine._documents import run_document
    from experiments.engine._terminal import tally, tally_line, verdict_table, verdicts_of

    if options.json:
        print(json.dumps(run_document(done, options.out), indent=1))
        return
    verdicts = list(verdicts_of(done, options.out))
    if verdicts:
        print(f"\n{verdict_table(verdicts, sys.stdout)}")
    failed = sum(tried.failed for _, tried in done)
    print(f"\n{tally_line(tally(verdicts), failed)}")
    print(f"ledger: {options.out / 'README.md'}   gallery: {options.out / 'index.html'}")


def list_flips(scripts, options) -> int:
    """Verdicts of another set of seeds beside the committed ones."""
    from experiments.engine._flips import compare, repeatable
    from experiments.engine._freeze import COMMITTED
    from experiments.engine._sentences import finding
    from experiments.markup import printable

    if not options.only:
        scripts = repeatable(scripts, COMMITTED, options.preset)
    pairs, failed = [], False
    for script in scripts:
        try:
            rows = compare(script, options.preset, options.reseed, COMMITTED, options.out)
            for before, after in rows:
                pairs.append((before, after))
                flip = "" if before.outcome == after.outcome else "   FLIP"
                for seeds, verdict in (("committed", before), ("other seeds", after)):
                    told = textwrap.shorten(printable(finding(verdict)), 200, placeholder=" ...")
                    print(f"{seeds}: {told}{flip}", flush=True)
        except ValueError as error:
            print(error, file=sys.stderr)
            failed |= bool(options.only)  # of all, those that cannot be compared are left out
        except Exception as error:
            print(f"{script.name} FAILED: {type(error).__name__}: {error}", file=sys.stderr)
            failed = True
    flips = [
        f"{before.subject} ({before.outcome} -> {after.outcome})"
        for before, after in pairs
        if before.outcome != after.outcome
    ]
    print(f"{len(flips)} of {len(pairs)} verdicts flip{': ' if flips else ''}{', '.join(flips)}")
    return FAILED if failed else 0


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0, 1 after a failure, 2 of a wrong use, 130 after Ctrl-C."""
    options = parse(arguments)
    prepare_jax(options)
    from experiments.engine._script import find_scripts

    try:
        scripts = find_scripts(tuple(options.only))
    except ValueError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    broken = [script for script in scripts if script.broken]
    for script in broken:
        print(f"{script.name} FAILED: {script.broken}", file=sys.stderr)
    scripts = of_tier([script for script in scripts if not script.broken], options)
    if not (scripts or broken):
        print(f"none of these scripts is of tier {options.tier} or below", file=sys.stderr)
        return WRONG_USE
    if options.list:
        show_list(scripts, options)
        return FAILED if broken else 0
    if options.reseed is not None:
        return list_flips(scripts, options)
    return run_and_report(scripts, broken, options)


def run_and_report(scripts, broken, options) -> int:
    """Runs or redraws the scripts, and writes the ledger however that ended."""
    from experiments.engine._attempts import Attempt
    from experiments.engine._freeze import record_path
    from experiments.engine._ledger import write_ledger
    from experiments.engine._run import prepare_folder

    done = []
    if options.redraw and not options.only:
        scripts = [script for script in scripts if record_path(script, options.out).exists()]
    if options.redraw and not (scripts and options.out.is_dir()):
        print(f"--out {options.out} holds no record to draw from", file=sys.stderr)
        return WRONG_USE
    try:
        prepare_folder(options.out)
        run_all(scripts, options, done)
        write_ledger(options.out)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"cannot write to {options.out}: {error}", file=sys.stderr)
        return FAILED
    except ValueError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        if any(options.out.glob("*.json")):
            write_ledger(options.out)
        if options.json:
            report(done, options)
        print(f"\ninterrupted: {options.out} keeps every finished experiment", file=sys.stderr)
        return INTERRUPTED
    done += [(script, Attempt(None, f"FAILED: {script.broken}", failed=True)) for script in broken]
    report(done, options)
    failures = [script.name for script, tried in done if tried.failed]
    if failures:
        print(f"failed: {', '.join(failures)}", file=sys.stderr)
    return FAILED if failures else 0


if __name__ == "__main__":
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed one is None
        # A terminal without ✓ and δ shows "?" instead.
        stream.reconfigure(errors="replace")  # type: ignore
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
