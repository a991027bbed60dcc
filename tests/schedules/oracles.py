"""Two other programs that know cron expressions: the class of Elasticsearch's node, and Quartz."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from scripts.elasticsearch import Unavailable, client_major, distribution, folders, java
from tests.environment import skip_or_fail

QUARTZ = "org.quartz-scheduler:quartz:2.5.2"


class Question(NamedTuple):
    """What is asked of `elasticsearch` or `quartz`: the next slot of an expression after a time."""

    program: str
    expression: str
    after: datetime


def ask(questions: Iterable[Question]) -> list[str]:
    """The slots, in seconds since 1970, or `never`, `refused` (the expression) or `fails` (the search)."""
    try:
        chosen, its_java = distribution.choose(java.find(), client_major())
        home = distribution.home(chosen)
        jars = [str(quartz()), *map(str, home.glob("modules/x-pack-core/*.jar")), f"{home}/lib/*"]
    except Unavailable as reason:
        skip_or_fail(str(reason))
    done = subprocess.run(
        [its_java.home / "bin" / "java", "-cp", ":".join(jars), Path(__file__).with_name("Oracle.java")],
        input="".join(
            f"{program}\t{expression}\t{after.timestamp():.0f}\n" for program, expression, after in questions
        ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def quartz() -> Path:
    """Quartz in the cache; the first call downloads it."""
    cache = folders.make(folders.cache_folder())
    _, name, version = QUARTZ.split(":")
    ready = cache / f"{name}-{version}.jar"
    if not ready.exists():
        maven = shutil.which("mvn")
        if maven is None:
            raise Unavailable("Maven (mvn) is not installed")
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            command = [maven, distribution.COPY, f"-Dartifact={QUARTZ}", f"-DoutputDirectory={unfinished}"]
            done = subprocess.run(command, cwd=unfinished, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Unavailable(f"Maven could not download {QUARTZ}: {done.stdout[-500:]}")
            (Path(unfinished) / ready.name).replace(ready)
    return ready
