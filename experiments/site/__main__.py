"""Builds the site: its pages from the records, then HTML from the pages.

Examples:
    python -m experiments.site                    into build/site
    python -m experiments.site --serve            and shows it at http://127.0.0.1:8000
    python -m experiments.site --out public       another folder: empty, new, or an earlier site
"""

import argparse
import functools
import http.server
import sys
from contextlib import ExitStack
from pathlib import Path

from experiments.markup import printable
from experiments.site._place import ROOT, check_place
from experiments.site._time import set_build_time

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
ADDRESS = ("127.0.0.1", 8000)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; neither JAX nor MkDocs is imported yet, so `--help` is quick."""
    parser = argparse.ArgumentParser(
        "python -m experiments.site",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", default=str(ROOT / "build/site"), help="folder (build/site)")
    parser.add_argument("--serve", action="store_true", help="show the site on this machine")
    return parser.parse_args(arguments)


def open_server(folder: Path) -> http.server.ThreadingHTTPServer:
    """A server of a folder that has its port already and answers once `serve_forever` is called.

    Raises:
        ValueError: the port cannot be had.
    """
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer(ADDRESS, handler)
    except OSError as error:
        raise ValueError(f"--serve: {ADDRESS[0]}:{ADDRESS[1]} cannot be had: {error}.") from error


def build_and_serve(site: Path, *, show: bool) -> None:
    """Builds, and serves if that was asked for, from a port that was tried before."""
    with ExitStack() as stack:
        server = stack.enter_context(open_server(site)) if show else None
        set_build_time()  # before NumPy, which reads it when it is imported
        from experiments.site._build import build

        build(ROOT / "paper_figs", site)
        if server:
            print("http://{}:{} (Ctrl-C ends it)".format(*ADDRESS))
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0, 1 after a failure, 2 of a wrong use, 130 after Ctrl-C."""
    options = parse(arguments)
    site = Path(options.out).resolve()
    try:
        if not options.out:
            raise ValueError("--out '' names no folder.")
        check_place(site)
    except (OSError, ValueError) as error:
        return _tell(error, WRONG_USE)
    try:
        build_and_serve(site, show=options.serve)
    except ImportError as error:
        return _tell(f"{error}: the site needs pip install '.[docs]'", FAILED)
    except (OSError, ValueError) as error:
        return _tell(f"no site was written to {site}: {error}", FAILED)
    except KeyboardInterrupt:
        return _tell(f"interrupted: {site} is as it was", INTERRUPTED)
    return 0


def _tell(what: object, code: int) -> int:
    print(printable(what), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
