"""make elasticsearch-image: a local Elasticsearch image for containers where no registry is reached; prints its name."""

from __future__ import annotations

import argparse
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

# As Elastic's own image: user 1000, and settings are environment variables, such as discovery.type.
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
    """Make the image of the newest Elasticsearch that a Java here runs, and print its name for ``ES_IMAGE``.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python3 -m scripts.offline.elasticsearch_image", description=__doc__
    )
    parser.parse_args()
    major = os.environ.get("ELASTICSEARCH_MAJOR")
    try:
        print(make(int(major) if major else None))
    except (ImageError, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make(major: int | None = None) -> str:
    """Make the image out of the same distribution that the embedded node runs, and a Java of this machine.

    Args:
        major: The Elasticsearch major; None for the newest that a Java here runs.

    Returns:
        The image's name; its tag is the version.

    Raises:
        ImageError: The image cannot be built.
        Unavailable: There is no such Elasticsearch, or no Java for it.
    """
    chosen, chosen_java = distribution.choose(java.find(), major)
    tag = f"connector-sync-service/elasticsearch:{chosen.version}"
    if exists(tag):
        return tag
    make_base()
    home = distribution.home(chosen)
    print(f"Making {tag} with Java {chosen_java.major}", file=sys.stderr, flush=True)

    def fill(context: tarfile.TarFile) -> None:
        _add_java(context, chosen_java.home)
        _add_home(context, home)

    build(tag, _DOCKERFILE, fill)
    return tag


def _add_java(context: tarfile.TarFile, home: Path) -> None:
    # File by file, since Debian's is full of links to elsewhere, some of them to what is not installed.
    for file in sorted(home.rglob("*")):
        inside = file.relative_to(home).as_posix()
        if file.is_file() and not _NOT_NEEDED.match(inside):
            context.add(file.resolve(), f"jdk/{inside}")


def _add_home(context: tarfile.TarFile, home: Path) -> None:
    def differs(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = entry.name.removeprefix("elasticsearch/")
        return None if inside in ("bin/elasticsearch-env", "config/elasticsearch.yml") else entry

    context.add(home, "elasticsearch", filter=differs)
    script = (home / "bin/elasticsearch-env").read_bytes()
    taking_variables = script.replace(b"ES_DISTRIBUTION_TYPE=zip", b"ES_DISTRIBUTION_TYPE=docker")
    add_bytes(context, "elasticsearch/bin/elasticsearch-env", taking_variables)
    add_bytes(context, "elasticsearch/config/elasticsearch.yml", _SETTINGS)
    for name in ("data", "logs", "config/jvm.options.d"):
        folder = tarfile.TarInfo(f"elasticsearch/{name}")
        folder.type, folder.mode = tarfile.DIRTYPE, stat.S_IRWXU | stat.S_IRWXG
        context.addfile(folder)


if __name__ == "__main__":
    sys.exit(main())
