"""python3 -m scripts.elasticsearch: a throwaway Elasticsearch until Ctrl-C; --major: which client major fits here."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from scripts.parent_death import set_parent_death_signal

from . import Unavailable, client_major, for_tests


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m scripts.elasticsearch", description=__doc__)
    parser.add_argument(
        "--major", action="store_true", help="print the fitting client major (9 or 8) and end"
    )
    options = parser.parse_args()
    try:
        if options.major:
            print(client_major())
            return 0
        set_parent_death_signal()
        return _foreground()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1


def _foreground() -> int:
    ended = threading.Event()
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, _leave)
    with for_tests() as source:
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, lambda *_: ended.set())
        print(f"Elasticsearch {source.version} answers at {source.url} until Ctrl-C.", flush=True)
        while not ended.wait(0.5):
            if failure := source.failure():
                print(failure, file=sys.stderr)
                return 1
    return 0


def _leave(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(_main())
