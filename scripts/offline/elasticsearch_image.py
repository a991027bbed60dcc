"""make elasticsearch-image: builds an Elasticsearch image without a registry, and prints its name."""

from __future__ import annotations

import os
import re
import stat
import sys
import tarfile
from pathlib import Path

from scripts.elasticsearch import Unavailable, distribution, java
from scripts.offline.base_image import BASE, ImageError, add_bytes, build, exists, make_base

_HOME = "/usr/share/elasticsearch"
_NOT_NEEDED = re.compile(
    r"(demo|include|jmods|legal|man)(/|$)|lib/(ct\.sym|src\.zip)$|lib/server/classes_.*\.jsa$"
)

# As in Elastic's image: user 1000, and settings such as discovery.type are environment variables.
_DOCKERFILE = f"""
FROM {BASE}
RUN echo 'elasticsearch:x:1000:0::{_HOME}:/bin/bash' >>/etc/passwd
COPY jdk /usr/share/jdk
COPY --chown=1000:0 elasticsearch {_HOME}
WORKDIR {_HOME}
ENV ES_JAVA_HOME=/usr/share/jdk ELASTIC_CONTAINER=true
USER 1000:0
EXPOSE 9200 9300
ENTRYPOINT ["bash", "bin/elasticsearch"]
"""
_SETTINGS = b"cluster.name: docker-cluster\nnetwork.host: 0.0.0.0\n"


def main() -> int:
    """Build the image of the newest Elasticsearch that a Java here can run, and print its name for ``ES_IMAGE``.

    Returns:
        The exit status.
    """
    major = os.environ.get("ELASTICSEARCH_MAJOR")
    try:
        print(make(int(major) if major else None))
    except (ImageError, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make(major: int | None = None) -> str:
    """Build the image from the distribution of the embedded node and a Java of this machine, unless it exists.

    Args:
        major: The Elasticsearch major; None for the newest that a Java here can run.

    Returns:
        The image's name; its tag is the version.

    Raises:
        ImageError: The image cannot be built.
        Unavailable: That Elasticsearch, or a Java for it, is not available.
    """
    chosen, chosen_java = distribution.choose(java.find(), major)
    tag = f"connector-sync-service/elasticsearch:{chosen.version}"
    if exists(tag):
        return tag
    make_base()
    home = distribution.home(chosen)
    print(f"Building {tag} with Java {chosen_java.major}", file=sys.stderr, flush=True)

    def fill(context: tarfile.TarFile) -> None:
        _add_java(context, chosen_java.home)
        _add_home(context, home)

    build(tag, _DOCKERFILE, fill)
    return tag


def _add_java(context: tarfile.TarFile, home: Path) -> None:
    # File by file: Debian's Java has many links to other folders, and some lead to files that are not installed.
    for file in sorted(home.rglob("*")):
        inside = file.relative_to(home).as_posix()
        if file.is_file() and not _NOT_NEEDED.match(inside):
            context.add(file.resolve(), f"jdk/{inside}")


def _add_home(context: tarfile.TarFile, home: Path) -> None:
    def leave_out_changed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = entry.name.removeprefix("elasticsearch/")
        return None if inside in ("bin/elasticsearch-env", "config/elasticsearch.yml") else entry

    context.add(home, "elasticsearch", filter=leave_out_changed)
    script = (home / "bin/elasticsearch-env").read_bytes()
    with_variables = script.replace(b"ES_DISTRIBUTION_TYPE=zip", b"ES_DISTRIBUTION_TYPE=docker")
    add_bytes(context, "elasticsearch/bin/elasticsearch-env", with_variables)
    add_bytes(context, "elasticsearch/config/elasticsearch.yml", _SETTINGS)
    for name in ("data", "logs", "config/jvm.options.d"):
        folder = tarfile.TarInfo(f"elasticsearch/{name}")
        folder.type, folder.mode = tarfile.DIRTYPE, stat.S_IRWXU | stat.S_IRWXG
        context.addfile(folder)


if __name__ == "__main__":
    sys.exit(main())
