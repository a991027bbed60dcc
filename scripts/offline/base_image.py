"""make base-image: builds the base images of the service and an nginx image from Debian's packages, without a registry."""

from __future__ import annotations

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

# Debian 12 has Python 3.11; Debian 13 has 3.13, as the Dockerfile's default base. Both come from the same mirrors.
_RELEASES = {"bookworm": "trixie"}
_APT_SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")

# The packages are only unpacked; these lines replace their installation scripts.
_FINISH = """
set -e
cd "$1"
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
find usr/share/ca-certificates -name '*.crt' -exec cat {} + >etc/ssl/certs/ca-certificates.crt
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info var/cache var/lib/apt
"""

# The official nginx image handles templates in the same way.
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

# The wheels of all requirements, which pip then takes without a network.
_BUILDER = f"""
FROM {BASE}
COPY wheels /wheels
COPY pip.conf /etc/pip.conf
"""
_PIP_CONF = b"[global]\nno-index = true\nfind-links = /wheels\n"


class ImageError(Exception):
    """An image cannot be built; the message says why."""


def main() -> int:
    """Build the base, the builder and the gateway image.

    Returns:
        The exit status.
    """
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
    """Build a small image with Python from the distribution's packages, unless it exists.

    Raises:
        ImageError: It cannot be built.
    """
    _make_from_packages(BASE, _PACKAGES)


def make_gateway() -> None:
    """Build an nginx image that handles templates as the official one does.

    Raises:
        ImageError: It cannot be built.
    """
    _make_from_packages(f"{GATEWAY}-packages", f"{_PACKAGES} gettext-base nginx")

    def fill(context: tarfile.TarFile) -> None:
        add_bytes(context, "nginx.conf", _NGINX_CONF)
        add_bytes(context, "start", _NGINX_START)

    build(GATEWAY, _GATEWAY, fill)


def _make_from_packages(tag: str, packages: str) -> None:
    if exists(tag):
        return
    if shutil.which("mmdebstrap") is None:
        raise ImageError("mmdebstrap is not installed (the package mmdebstrap of Debian or Ubuntu).")
    codename = _codename()
    release = _RELEASES.get(codename, codename)
    command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={packages}"]
    command += [f"--extract-hook={_FINISH.strip()}", release, "-"]
    print(f"Building {tag} from the packages of {release}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as sources, tempfile.TemporaryFile() as packed:
        for file in (Path("/etc/apt") / name for name in _APT_SOURCES):
            if file.is_file() and (text := file.read_text()):
                copy = Path(sources) / file.name
                copy.write_text(text.replace(codename, release))
                command.append(str(copy))
        if subprocess.run(command, stdout=packed, check=False).returncode:
            raise ImageError(f"{tag} cannot be built; see the output above.")
        packed.seek(0)
        imported = ["docker", "import", "-", tag]
        if subprocess.run(imported, stdin=packed, stdout=subprocess.DEVNULL, check=False).returncode:
            raise ImageError(f"{tag} cannot be imported; see the output above.")


def make_builder(major: str) -> None:
    """Build the image in which the requirements of the service or of its tests are installed, without a network.

    Args:
        major: The major of the Elasticsearch client in the requirements.

    Raises:
        ImageError: It cannot be built.
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
            raise ImageError("The requirements cannot be downloaded; see the output above.")

        def fill(context: tarfile.TarFile) -> None:
            context.add(wheels, "wheels")
            add_bytes(context, "pip.conf", _PIP_CONF)

        build(BUILDER, _BUILDER, fill)


def exists(tag: str) -> bool:
    """Tell whether Docker has an image.

    Args:
        tag: The image's name.

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
    """Build an image from a context that is only in memory.

    Args:
        tag: The image's name.
        dockerfile: The text of its Dockerfile.
        fill: Adds the files that the Dockerfile copies to the context.

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
        except BrokenPipeError:  # docker exited and printed the reason
            docker.wait()
    if docker.returncode:
        raise ImageError(f"{tag} cannot be built; see the output above.")


def add_bytes(context: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with this content to a context."""
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
