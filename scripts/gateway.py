"""nginx in the foreground as one address for both: /_connector is the service, all else is Elasticsearch."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

import certifi

from scripts.parent_death import set_parent_death_signal, with_parent_death_signal

TEMPLATE = Path(__file__).resolve().parent.parent / "gateway" / "nginx.conf.template"

# What surrounds the template elsewhere is the nginx.conf of a distribution or an image. This one needs no right at all:
# every path is below the folder that nginx is started with.
_MAIN = """
daemon off;
worker_processes 1;
pid nginx.pid;
lock_file nginx.lock;
error_log stderr warn;
events {
    worker_connections 1024;
}
http {
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include gateway.conf;
    include tls*.conf;
}
"""

_TLS = """
proxy_ssl_server_name on;
proxy_ssl_name "{host}";
proxy_ssl_verify on;
proxy_ssl_verify_depth 5;
proxy_ssl_trusted_certificate "{authorities}";
"""

_START_SECONDS = 10.0
_GRACE_SECONDS = 5.0


class GatewayError(Exception):
    """There can be no gateway; the text is one sentence that says why."""


class Gateway:
    """nginx with our configuration, which ends when the thread that started it ends: start it from the main thread."""

    def __init__(
        self, host: str, port: int, connectors_url: str, elasticsearch_url: str, ca_certs: str | None = None
    ) -> None:
        """Describe the gateway; nothing is started yet.

        Args:
            host: Where to listen.
            port: Where to listen.
            connectors_url: The service, over http.
            elasticsearch_url: Elasticsearch: one address, or several of one cluster separated by commas. Credentials in
                it are not used, since callers bring their own.
            ca_certs: A file with the certificates of the authority that signed Elasticsearch's; None for the usual ones.

        Raises:
            GatewayError: One of the addresses cannot be used.
        """
        self._elasticsearch = [_checked(url) for url in elasticsearch_url.split(",")]
        self._authorities = Path(ca_certs or certifi.where()).absolute()
        first = self._elasticsearch[0]
        if len({each.scheme for each in self._elasticsearch}) > 1:
            raise GatewayError("The gateway needs one scheme for all addresses of Elasticsearch.")
        if first.scheme == "https" and len({each.hostname for each in self._elasticsearch}) > 1:
            raise GatewayError("The gateway checks certificates for one host name of Elasticsearch only.")
        self._values = {
            "GATEWAY_LISTEN": _joined(host, port),
            "CONNECTORS_ADDRESS": _server(_checked(connectors_url)),
            # More servers than one, in a place for one.
            "ELASTICSEARCH_ADDRESS": ";\n    server ".join(map(_server, self._elasticsearch)),
            "ELASTICSEARCH_SCHEME": first.scheme,
        }
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start nginx and wait until it listens.

        Raises:
            GatewayError: There is no nginx, or it does not start; then it has said why on standard error.
        """
        # Debian's users do not have the folder of nginx in their PATH.
        nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
        if nginx is None:
            raise GatewayError(
                "The gateway needs nginx, which is not installed (Debian's nginx-light will do)."
            )
        self._folder = tempfile.TemporaryDirectory(prefix="connector-sync-service-gateway-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # root's nginx serves as another user
        (folder / "nginx.conf").write_text(_MAIN)
        (folder / "gateway.conf").write_text(render(TEMPLATE.read_text(), self._values))
        if self._values["ELASTICSEARCH_SCHEME"] == "https":
            host = self._elasticsearch[0].hostname
            (folder / "tls.conf").write_text(_TLS.format(host=host, authorities=self._authorities))
        # In a session of its own, since nginx takes the Ctrl-C of a terminal as "at once".
        self._process = subprocess.Popen(
            with_parent_death_signal(
                [nginx, "-e", "stderr", "-p", f"{folder}/", "-c", f"{folder}/nginx.conf"]
            ),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait(folder / "nginx.pid")
        except BaseException:
            self.stop()
            raise
        return self

    def failure(self) -> str | None:
        """Say how nginx ended by itself; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"nginx ended with status {self._process.returncode}; what it said stands above"

    def wait(self) -> None:
        """Wait until nginx ends."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Let nginx answer the requests under way for some seconds, then end it."""
        if self._process is not None:
            for asked in (signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL):
                self._process.send_signal(asked)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_SECONDS)
                    break
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _wait(self, pid_file: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (ended := self.failure()) is None:
            if pid_file.exists():  # nginx writes it once it listens
                return
            if time.monotonic() > deadline:
                raise GatewayError("The gateway cannot be started, since nginx does not listen.")
            time.sleep(0.02)
        raise GatewayError(f"The gateway cannot be started, since {ended}.")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()


def render(template: str, values: dict[str, str]) -> str:
    """Put values where a template says ``${NAME}``, as envsubst does; nginx's own variables stay."""
    return re.sub(r"\$\{([A-Z_]+)\}", lambda match: values[match[1]], template)


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url.strip())
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # never print a password
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GatewayError(f"The gateway needs an http or https address, and {shown} is none.")
    if parts.path.strip("/") or parts.query:
        raise GatewayError(f"The gateway passes paths on as they are, so {shown} may have none.")
    return parts


def _server(url: SplitResult) -> str:
    host, port = url.hostname or "", url.port or {"http": 80, "https": 443}[url.scheme]
    # nginx would take turns among all addresses of a name, and nobody may listen at one of those of localhost.
    with suppress(OSError), socket.create_connection((host, port), timeout=2) as connection:
        host = connection.getpeername()[0]
    return _joined(host, port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def main() -> int:
    """Run the gateway until somebody asks for its end.

    Returns:
        The exit status: 0 when somebody asked for the end, else 1.
    """
    parser = argparse.ArgumentParser(prog="python3 -m scripts.gateway", description=__doc__)
    parser.add_argument(
        "elasticsearch", help="the address of Elasticsearch, http://127.0.0.1:9200 for example"
    )
    parser.add_argument("connectors", help="the address of the service, http://127.0.0.1:9280 for example")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    parser.add_argument("--port", default=9281, type=int, help="where to listen (%(default)s)")
    parser.add_argument("--ca-certs", help="the certificates of the authority that signed Elasticsearch's")
    chosen = parser.parse_args()
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, lambda *_: sys.exit(0))
    try:
        set_parent_death_signal()
        gateway = Gateway(chosen.host, chosen.port, chosen.connectors, chosen.elasticsearch, chosen.ca_certs)
        with gateway:
            print(f"The gateway answers at http://{_joined(chosen.host, chosen.port)}", flush=True)
            gateway.wait()
            print(gateway.failure(), file=sys.stderr)
    except GatewayError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
