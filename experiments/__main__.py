"""Runs the experiments, judges the claims and draws the figures.

Examples:
    python -m experiments                         all default figures into ./figures
    python -m experiments --tier 2                and those that take up to ten minutes each
    python -m experiments --tier 3                and the long studies, which go on after a kill
    python -m experiments --list                  what there is
    python -m experiments --only C-013 --only F-038
    python -m experiments --full --out paper_figs
    python -m experiments --reseed 1 --only C-008 which verdicts do other seeds change?
"""

import argparse
import os
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

FAILED, INTERRUPTED = 1, 130
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
    parser.add_argument("--list", action="store_true", help="list the scripts and what they own")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME|ID", help="topic, question or C-013"
    )
    parser.add_argument(
        "--tier",
        type=int,
        choices=(1, 2, 3),
        default=1,
        help="2: also scripts of up to ten minutes; 3: also long studies, of hours",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--smoke",
        dest="preset",
        action="store_const",
        const="smoke",
        help="seconds, too small to judge",
    )
    size.add_argument("--full", dest="preset", action="store_const", const="full", help="longest")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder (./figures)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--redraw", action="store_true", help="draw from the JSON, do not run")
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
    parser.set_defaults(preset="default")
    options = parser.parse_args(arguments)
    if options.jobs is not None and options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    if options.reseed is not None and not 1 <= options.reseed <= 9:
        parser.error(f"--reseed must be from 1 to 9, got {options.reseed}")
    return options


def show_list(scripts) -> None:
    for script in scripts:
        print(f"{script.name:60} {', '.join(script.subjects)}\n    {script.question}")


def run_all(scripts, options) -> tuple[list[Path], list[str]]:
    """Runs the scripts, printing a line when one has ended; a failure does not stop the others."""
    from experiments.engine._attempts import Task, attempts

    task = Task(options.preset, options.out, options.force, options.redraw)
    pictures, failures = [], []
    print(f"{len(scripts)} scripts ...", flush=True)
    for number, (script, tried) in enumerate(attempts(scripts, task, jobs(options)), start=1):
        print(f"[{number:2}/{len(scripts)}] {script.name} {tried.line}", flush=True)
        if tried.picture:
            pictures.append(tried.picture)
        if tried.failed:
            failures.append(script.name)
    return pictures, failures


def jobs(options) -> int:
    """As told, else one for each core, or one alone on an accelerator, whose memory JAX takes."""
    if options.jobs:
        return options.jobs
    import jax

    return os.cpu_count() or 1 if jax.default_backend() == "cpu" else 1


def report(scripts, out: Path) -> None:
    """Prints the verdicts of the scripts that have a record in `out`; in full: the ledger."""
    from experiments.engine._freeze import record_path
    from experiments.engine._results import read_record, read_verdict
    from experiments.engine._sentences import finding
    from experiments.markup import printable

    print()
    for script in scripts:
        path = record_path(script, out)
        try:
            record = read_record(path) if path.exists() else {"verdicts": [], "preset": ""}
        except ValueError:  # the ledger has said so
            continue
        small = " (smoke run, too small to judge by)" if record["preset"] == "smoke" else ""
        for verdict in map(read_verdict, record["verdicts"]):
            print(textwrap.shorten(printable(finding(verdict)), 200, placeholder=" ...") + small)


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
    """Returns the exit code: 0, 1 after a failure, 130 after Ctrl-C."""
    options = parse(arguments)
    if "jax" not in sys.modules:  # what was compiled is kept for the next run
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "jaxtricks" / "compiled"))
    if options.preset == "smoke" and "jax" not in sys.modules:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_COMPILATION}"
    from experiments.engine._script import find_scripts

    try:
        scripts = find_scripts(tuple(options.only))
    except ValueError as error:
        print(error, file=sys.stderr)
        return FAILED
    broken = [script for script in scripts if script.broken]
    for script in broken:
        print(f"{script.name} FAILED: {script.broken}", file=sys.stderr)
    scripts = [script for script in scripts if not script.broken]
    if options.list:
        show_list(scripts)
        return FAILED if broken else 0
    if not options.only and not options.redraw and options.preset != "smoke":
        scripts = [script for script in scripts if script.tier <= options.tier]
    if options.reseed is not None:
        return list_flips(scripts, options)
    from experiments.engine._freeze import record_path
    from experiments.engine._ledger import write_ledger
    from experiments.engine._run import prepare_folder

    if options.redraw and not options.only:
        scripts = [script for script in scripts if record_path(script, options.out).exists()]

    try:
        prepare_folder(options.out)
        pictures, failures = run_all(scripts, options)
        write_ledger(options.out)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"cannot write to {options.out}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        if any(options.out.glob("*.json")):
            write_ledger(options.out)
        print(f"\ninterrupted: {options.out} keeps every finished experiment", file=sys.stderr)
        return INTERRUPTED
    report(scripts, options.out)
    print("\n" + "\n".join(map(str, pictures)))
    print(f"\nledger: {options.out / 'README.md'}   gallery: {options.out / 'index.html'}")
    if failures:
        print(f"failed: {', '.join(failures)}", file=sys.stderr)
    return FAILED if failures or broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
