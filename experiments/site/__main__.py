"""Builds the site: its pages from the records, then HTML from the pages.

Examples:
    python -m experiments.site                    into build/site
    python -m experiments.site --serve            and shows it at http://127.0.0.1:8000
    python -m experiments.site --out public
"""

import argparse
import functools
import http.server
import sys
from pathlib import Path

from experiments.site._build import ROOT, build


def parse(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        "python -m experiments.site",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build/site", help="folder (build/site)")
    parser.add_argument("--serve", action="store_true", help="show the site on this machine")
    return parser.parse_args(arguments)


def serve(folder: Path) -> None:
    """Shows a folder at a local address until interrupted."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 8000), handler) as server:
        print("http://127.0.0.1:8000 (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main(arguments: list[str]) -> None:
    """Builds, and serves if that was asked for."""
    options = parse(arguments)
    build(ROOT / "paper_figs", ROOT / "build/docs", options.out.resolve())
    if options.serve:
        serve(options.out)


if __name__ == "__main__":
    main(sys.argv[1:])
