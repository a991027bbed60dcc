"""python3 -m scripts.elasticsearch: a throwaway Elasticsearch until Ctrl-C; --major: which client major fits here."""

from __future__ import annotations

import argparse
import sys
import time

from scripts.parent_death import exit_on_signals, exit_with_parent

from . import Unavailable, client_major, for_tests


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.elasticsearch", description=__doc__)
    parser.add_argument(
        "--major", action="store_true", help="print the fitting client major (9 or 8) and exit"
    )
    parser.add_argument(
        "--ask", action="store_true", help="for --major, ask the cluster of ELASTICSEARCH_URL"
    )
    options = parser.parse_args()
    try:
        if options.major:
            print(client_major(ask=options.ask))
            return 0
        exit_on_signals()
        exit_with_parent()
        with for_tests() as source:
            print(f"Elasticsearch {source.version} answers at {source.url} until Ctrl-C.", flush=True)
            while (failure := source.failure()) is None:
                time.sleep(0.5)
            print(failure, file=sys.stderr)
    except Unavailable as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(_main())
