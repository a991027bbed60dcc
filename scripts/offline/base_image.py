"""make base-image: what the service's image is built on, and nginx, of Debian's packages where no registry is reached."""

from __future__ import annotations

import argparse
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

BASE = "connector-sync-service/base"
BUILDER = "connector-sync-service/builder"
GATEWAY = "connector-sync-service/nginx"

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGES = "base-files bash ca-certificates coreutils dash grep libstdc++6 python3-venv sed zlib1g"

# Debian 12 has Python 3.11, Debian 13 that of the Dockerfile's own base; from the same mirrors, whatever they are.
_RELEASES = {"bookworm": "trixie"}
_APT_SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")

# The packages are unpacked only; these lines are what their own scripts would have done.
_FINISH = """
set -e
cd "$1"
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
find usr/share/ca-certificates -name '*.crt' -exec cat {} + >etc/ssl/certs/ca-certificates.crt
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info var/cache var/lib/apt
"""

# What nginx's own image does with its templates.
_GATEWAY = f"""
FROM {GATEWAY}-packages
COPY nginx.conf start /
ENTRYPOINT ["sh", "/start"]
"""
_NGINX_CONF = b"""
user root;
error_log /dev/stderr;
pid /run/nginx.pid;
events {}
http {
    access_log /dev/stdout;
    include /etc/nginx/conf.d/*.conf;
}
"""
_NGINX_START = b"""
set -e
variables=$(env | cut -d= -f1 | sed 's/.*/${&}/')
for template in /etc/nginx/templates/*.template; do
    envsubst "$variables" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec nginx -c /nginx.conf -g 'daemon off;'
"""

# Beside the base's own Python: the wheels of all requirements, and no other place to look for them.
_BUILDER = f"""
FROM {BASE}
COPY wheels /wheels
COPY pip.conf /etc/pip.conf
"""
_PIP_CONF = b"[global]\nno-index = true\nfind-links = /wheels\n"


class ImageError(Exception):
    """An image cannot be made; the text is one sentence that says why."""


def main() -> int:
    """Make the base, the builder and the gateway's image.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python3 -m scripts.offline.base_image", description=__doc__)
    parser.parse_args()
    major = os.environ.get("ELASTICSEARCH_MAJOR", "9")
    try:
        make_base()
        make_builder(major)
        make_gateway()
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"make image ARGS='--build-arg BASE={BASE} --build-arg BUILDER={BUILDER}'")
    print(f"GATEWAY_IMAGE={GATEWAY}")
    return 0


def make_base() -> None:
    """Make a small image of the distribution's packages, with Python; nothing is done if it is there already.

    Raises:
        ImageError: It cannot be made.
    """
    _make_of_packages(BASE, _PACKAGES)


def make_gateway() -> None:
    """Make an image of nginx that takes templates as nginx's own does.

    Raises:
        ImageError: It cannot be made.
    """
    _make_of_packages(f"{GATEWAY}-packages", f"{_PACKAGES} gettext-base nginx")

    def fill(context: tarfile.TarFile) -> None:
        add_bytes(context, "nginx.conf", _NGINX_CONF)
        add_bytes(context, "start", _NGINX_START)

    build(GATEWAY, _GATEWAY, fill)


def _make_of_packages(tag: str, packages: str) -> None:
    if exists(tag):
        return
    if shutil.which("mmdebstrap") is None:
        raise ImageError("mmdebstrap is not installed (the package mmdebstrap of Debian or Ubuntu).")
    own = _codename()
    release = _RELEASES.get(own, own)
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={packages}"]
    command += [f"--extract-hook={_FINISH.strip()}", release, "-"]
    print(f"Making {tag} of the packages of {release}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as sources, tempfile.TemporaryFile() as packed:
        for file in (Path("/etc/apt") / name for name in _APT_SOURCES):
            if file.is_file() and (text := file.read_text()):
                copy = Path(sources) / file.name
                copy.write_text(text.replace(own, release))
                command.append(str(copy))
        if subprocess.run(command, stdout=packed, check=False).returncode:
            raise ImageError(f"{tag} cannot be made; why stands above.")
        packed.seek(0)
        imported = ["docker", "import", "-", tag]
        if subprocess.run(imported, stdin=packed, stdout=subprocess.DEVNULL, check=False).returncode:
            raise ImageError(f"{tag} cannot be imported; why stands above.")


def make_builder(major: str) -> None:
    """Make the image that requirements are installed in, without a network: the service's, or those of its tests.

    Args:
        major: The major of the Elasticsearch client among them.

    Raises:
        ImageError: It cannot be made.
    """
    python = subprocess.run(
        ["docker", "run", "--rm", BASE, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    if python.returncode:
        raise ImageError(f"{BASE} does not run: {python.stderr.strip()}")
    with tempfile.TemporaryDirectory() as wheels:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        pip += ["--require-hashes", "--only-binary=:all:", f"--python-version={python.stdout.strip()}"]
        pip += [f"--requirement={_REPOSITORY / 'requirements' / f'dev-{major}.txt'}", f"--dest={wheels}"]
        if subprocess.run(pip, stdin=subprocess.DEVNULL, check=False).returncode:
            raise ImageError("The requirements cannot be fetched; why stands above.")

        def fill(context: tarfile.TarFile) -> None:
            context.add(wheels, "wheels")
            add_bytes(context, "pip.conf", _PIP_CONF)

        build(BUILDER, _BUILDER, fill)


def exists(tag: str) -> bool:
    """Tell whether there is such an image.

    Raises:
        ImageError: Docker does not answer.
    """
    try:
        listed = subprocess.run(
            ["docker", "images", "--quiet", tag], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"The docker command cannot be used ({error}).") from error
    if listed.returncode:
        raise ImageError(f"Docker does not answer: {listed.stderr.strip()}")
    return bool(listed.stdout.strip())


def build(tag: str, dockerfile: str, fill: Callable[[tarfile.TarFile], None]) -> None:
    """Build an image from a context that never lies on a disk.

    Args:
        tag: Its name.
        dockerfile: The text of its Dockerfile.
        fill: Adds the files that the Dockerfile copies.

    Raises:
        ImageError: Docker could not build it.
    """
    command = ["docker", "build", "--quiet", "--tag", tag, "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as docker:
        assert docker.stdin is not None
        try:
            with tarfile.open(fileobj=docker.stdin, mode="w|") as context:
                add_bytes(context, "Dockerfile", dockerfile.encode())
                fill(context)
            docker.stdin.close()
        except BrokenPipeError:  # docker ended, and has said why
            docker.wait()
    if docker.returncode:
        raise ImageError(f"{tag} cannot be built; why stands above.")


def add_bytes(context: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that exists in memory only."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    context.addfile(entry, io.BytesIO(content))


def _codename() -> str:
    try:
        return platform.freedesktop_os_release()["VERSION_CODENAME"]
    except (OSError, KeyError) as error:
        raise ImageError("This machine runs neither Debian nor Ubuntu.") from error


if __name__ == "__main__":
    sys.exit(main())
