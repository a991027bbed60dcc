"""nginx in the foreground as one address: /_connector goes to the service, the rest to Elasticsearch."""

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

from scripts.parent_death import Stopped, exit_on_signals, with_parent_death_signal

TEMPLATE = Path(__file__).resolve().parent.parent / "gateway" / "nginx.conf.template"

# Elsewhere the template is included by the nginx.conf of a distribution or an image. This one needs no privileges: all
# its paths are below the folder that nginx is started with.
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
proxy_ssl_trusted_certificate "{ca_certs}";
"""

_START_SECONDS = 10.0
_GRACE_SECONDS = 5.0


class GatewayError(Exception):
    """The gateway cannot run; the message says why."""


class Gateway:
    """nginx with our configuration. It ends when the thread that started it ends, so start it from the main thread."""

    def __init__(
        self, host: str, port: int, connectors_url: str, elasticsearch_url: str, ca_certs: str | None = None
    ) -> None:
        """Describe the gateway; nothing is started yet.

        Args:
            host: The address to listen at.
            port: The port to listen at.
            connectors_url: The address of the service, over http.
            elasticsearch_url: The address of Elasticsearch, or several of one cluster separated by commas. Credentials
                in it are not used: callers send their own.
            ca_certs: A file with the certificate authorities that Elasticsearch's certificate is checked against; None
                for the usual ones.

        Raises:
            GatewayError: One of the addresses cannot be used.
        """
        self._elasticsearch = [_parse_url(url) for url in elasticsearch_url.split(",")]
        self._ca_certs = Path(ca_certs or certifi.where()).absolute()
        first = self._elasticsearch[0]
        if len({each.scheme for each in self._elasticsearch}) > 1:
            raise GatewayError("The gateway needs one scheme for all addresses of Elasticsearch.")
        if first.scheme == "https" and len({each.hostname for each in self._elasticsearch}) > 1:
            raise GatewayError(
                "The gateway can check the certificate of one host name of Elasticsearch only."
            )
        self._values = {
            "GATEWAY_LISTEN": host_and_port(host, port),
            "CONNECTORS_ADDRESS": _server_address(_parse_url(connectors_url)),
            # The template has one "server" line; this makes several of it.
            "ELASTICSEARCH_ADDRESS": ";\n    server ".join(map(_server_address, self._elasticsearch)),
            "ELASTICSEARCH_SCHEME": first.scheme,
        }
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start nginx and wait until it listens.

        Raises:
            GatewayError: nginx is not installed, or does not start; its reason is on standard error.
        """
        # Debian installs nginx in a folder that is not in the PATH of users.
        nginx = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
        if nginx is None:
            raise GatewayError(
                "The gateway needs nginx, which is not installed (Debian's nginx-light is enough)."
            )
        self._folder = tempfile.TemporaryDirectory(prefix="connector-sync-service-gateway-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # nginx started by root serves as another user
        (folder / "nginx.conf").write_text(_MAIN)
        (folder / "gateway.conf").write_text(render(TEMPLATE.read_text(), self._values))
        if self._values["ELASTICSEARCH_SCHEME"] == "https":
            host = self._elasticsearch[0].hostname
            (folder / "tls.conf").write_text(_TLS.format(host=host, ca_certs=self._ca_certs))
        # In a session of its own: nginx would stop at once at the Ctrl-C of a terminal.
        self._process = subprocess.Popen(
            with_parent_death_signal(
                [nginx, "-e", "stderr", "-p", f"{folder}/", "-c", f"{folder}/nginx.conf"]
            ),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait_until_it_listens(folder / "nginx.pid")
        except BaseException:
            self.stop()
            raise
        return self

    def failure(self) -> str | None:
        """Say how nginx exited by itself; None while it runs."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"nginx exited with status {self._process.returncode}; see its output above"

    def wait(self) -> None:
        """Wait until nginx exits."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Stop nginx; requests in progress get some seconds to complete."""
        if self._process is not None:
            for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL):
                self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_SECONDS)
                    break
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _wait_until_it_listens(self, pid_file: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (failure := self.failure()) is None:
            if pid_file.exists():  # nginx writes it once it listens
                return
            if time.monotonic() > deadline:
                raise GatewayError("The gateway cannot be started, because nginx does not listen.")
            time.sleep(0.02)
        raise GatewayError(f"The gateway cannot be started, because {failure}.")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()


def render(template: str, values: dict[str, str]) -> str:
    """Replace ``${NAME}`` in a template, as envsubst does; nginx's own variables, ``$name``, are left alone.

    Args:
        template: The text with the placeholders.
        values: What to put in, by name.
    """
    return re.sub(r"\$\{([A-Z_]+)\}", lambda match: values[match[1]], template)


def _parse_url(url: str) -> SplitResult:
    parts = urlsplit(url.strip())
    printable = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # without the password
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GatewayError(f"The gateway needs an http or https address, not {printable}.")
    if parts.path.strip("/") or parts.query:
        raise GatewayError(f"The gateway forwards paths unchanged, so {printable} must not have a path.")
    return parts


def _server_address(url: SplitResult) -> str:
    host, port = url.hostname or "", url.port or {"http": 80, "https": 443}[url.scheme]
    # nginx would use all addresses of a name in turn, and a server on localhost may listen at one of them only.
    with suppress(OSError), socket.create_connection((host, port), timeout=2) as connection:
        host = connection.getpeername()[0]
    return host_and_port(host, port)


def host_and_port(host: str, port: int) -> str:
    """Join host and port as in a URL, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def main() -> int:
    """Run the gateway until Ctrl-C or another signal, also when the shell that started it has ended.

    Returns:
        The exit status: 0 after a signal, 1 if the gateway failed.
    """
    parser = argparse.ArgumentParser(prog="python3 -m scripts.gateway", description=__doc__)
    parser.add_argument(
        "elasticsearch", help="the address of Elasticsearch, http://127.0.0.1:9200 for example"
    )
    parser.add_argument("connectors", help="the address of the service, http://127.0.0.1:9280 for example")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (%(default)s)")
    parser.add_argument("--port", default=9281, type=int, help="the port to listen at (%(default)s)")
    parser.add_argument("--ca-certs", help="a file with the certificate authorities of Elasticsearch")
    options = parser.parse_args()
    exit_on_signals()
    try:
        with Gateway(
            options.host, options.port, options.connectors, options.elasticsearch, options.ca_certs
        ) as gateway:
            print(f"The gateway answers at http://{host_and_port(options.host, options.port)}", flush=True)
            gateway.wait()
            print(gateway.failure(), file=sys.stderr)
    except Stopped as stopped:
        print(f"Stopped by {stopped.signal}.", file=sys.stderr)
        return 0
    except GatewayError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
