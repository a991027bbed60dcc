"""make run: the service beside an Elasticsearch, both in the foreground until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.settings import Settings, SettingsError, load
from scripts.elasticsearch import Source, Unavailable, folders, for_run
from scripts.elasticsearch.node import run_port
from scripts.elasticsearch.source import http_get
from scripts.gateway import Gateway, GatewayError, host_and_port
from scripts.parent_death import STOP_SIGNALS, exit_on_signals, exit_with_parent, with_parent_death_signal
from scripts.secrets import kept_key

_REPOSITORY = Path(__file__).resolve().parent.parent
_GRACE_SECONDS = 40  # longer than gunicorn itself waits for requests in progress
_REPORT_SECONDS = 10  # between two lines that say why the service is not ready

_FIRST_REQUESTS = """
The Connector API answers at {url} until Ctrl-C. A first connector, and a sync job for it:

  curl -X PUT {url}/_connector/my-connector -H 'Content-Type: application/json' \\
    -d '{{"name": "My connector", "index_name": "search-mine", "service_type": "mysql"}}'
  curl -X POST {url}/_connector/_sync_job -H 'Content-Type: application/json' \\
    -d '{{"id": "my-connector", "job_type": "full"}}'
  curl '{url}/_connector/_sync_job?status=pending&pretty'
"""
_WITHOUT_GATEWAY = """
Workers need one address for this API and Elasticsearch: make run GATEWAY=1
"""
_WORKER_CONFIGURATION = """
The config.yml of a worker for it (docs/connect-a-worker.md says more):

  elasticsearch.host: {url}
  connectors:
    - connector_id: my-connector
      service_type: mysql
"""


class _RunError(Exception):
    """The run cannot start or go on; the message says why."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def main() -> int:
    """Run the service and, unless ``ELASTICSEARCH_URL`` names one, an Elasticsearch for it.

    Returns:
        The exit status: 0 after Ctrl-C or another signal, the service's own if it exited by itself, else 1.
    """
    try:
        exit_on_signals()
        exit_with_parent()
        settings = load()
        port = _free_port(settings.host, settings.port)
        gateway_port = _gateway_port(settings)
        run_port()  # checked here: an invalid one is no reason to try a container
        with ExitStack() as stack:
            source = stack.enter_context(for_run())
            if source.version:  # otherwise it is the cluster of ELASTICSEARCH_URL
                _print(f"Elasticsearch {source.version} answers at {source.url}")
            url = public_url = _url(settings.host, port)
            gateway = None
            if gateway_port is not None:
                public_url = _url(settings.host, gateway_port)
                gateway = Gateway(
                    settings.host, gateway_port, url, source.url, settings.elasticsearch_ca_certs
                )
                stack.enter_context(gateway)
                _print(
                    f"The gateway answers at {public_url}: /_connector is the service, the rest Elasticsearch"
                )
            service = stack.enter_context(_service(source, port, _secrets_key(settings)))
            _watch(source, service, gateway, url, public_url)
    except SystemExit:
        _print("Stopped.")
        return 0
    except _RunError as error:
        _print(str(error))
        return error.status
    except (SettingsError, Unavailable, GatewayError) as error:
        _print(str(error))
        return 1
    return 0


def _print(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _gateway_port(settings: Settings) -> int | None:
    """Read and check GATEWAY and GATEWAY_PORT, before anything is started.

    Returns:
        The port of the gateway; None if GATEWAY is off.
    """
    if os.environ.get("GATEWAY", "0") in ("", "0"):
        return None
    port = os.environ.get("GATEWAY_PORT", "9281")
    if not (port.isdecimal() and int(port) < 65536):
        raise _RunError(f"GATEWAY_PORT must be a port number, not {port!r}.")
    if settings.elasticsearch_cert_fingerprint:
        raise _RunError("The gateway needs ELASTICSEARCH_CA_CERTS: nginx cannot check a fingerprint.")
    return _free_port(settings.host, int(port), "GATEWAY_PORT")


def _url(host: str, port: int) -> str:
    return f"http://{host_and_port({'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host), port)}"


def _free_port(host: str, port: int, variable: str = "PORT") -> int:
    """Check that a port is free, before Elasticsearch is started; the service would check it only afterwards.

    Returns:
        The port; for 0 any free one.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise _RunError(
            f"Cannot listen at {host}:{port} ({error}); set HOST or {variable} to another address."
        ) from error


def _secrets_key(settings: Settings) -> dict[str, str]:
    """Keep a key for secrets beside the data of an Elasticsearch that this command starts.

    Returns:
        The SECRETS_KEYS setting; empty if it is set already, and for the cluster of ELASTICSEARCH_URL.
    """
    if settings.secrets_keys or os.environ.get("ELASTICSEARCH_URL"):
        return {}
    file = folders.make(folders.data_folder()) / "secrets.key"
    try:
        key = kept_key(file)
    except OSError as error:
        raise _RunError(
            f"The file {file} for the key of secrets cannot be read or written ({error.strerror})."
        ) from error
    _print(f"Secrets are encrypted with the key in {file}")
    return {"SECRETS_KEYS": key}


@contextmanager
def _service(source: Source, port: int, secrets_key: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run gunicorn; at the end it completes the requests in progress while Elasticsearch still runs."""
    # In a session of its own: gunicorn would stop at once at the Ctrl-C of a terminal.
    service = subprocess.Popen(
        with_parent_death_signal([sys.executable, "-m", "gunicorn"]),
        cwd=_REPOSITORY,
        env={**os.environ, "ELASTICSEARCH_URL": source.url, "PORT": str(port), **secrets_key},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield service
    finally:
        if service.poll() is None:
            _print("Stopping after the requests in progress. Press Ctrl-C again to stop at once.")
            for number in STOP_SIGNALS:
                signal.signal(number, lambda *_: service.send_signal(signal.SIGQUIT))
            service.terminate()
            try:
                service.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(service.pid, signal.SIGKILL)
                service.wait()


def _watch(
    source: Source, service: subprocess.Popen[bytes], gateway: Gateway | None, url: str, public_url: str
) -> None:
    """Print first requests to `public_url` when the service at `url` is ready, and wait until a process exits.

    Raises:
        _RunError: One of the processes exited.
    """
    ready, reported = False, time.monotonic()
    while True:
        if (status := service.poll()) is not None:
            # A negative status is the number of a signal; like a shell, add 128 to it.
            raise _RunError(
                f"The service exited with status {status}; see its output above.",
                128 - status if status < 0 else status or 1,
            )
        if failure := source.failure() or (gateway and gateway.failure()):
            raise _RunError(f"The service stops, because {failure}")
        if not ready:
            problem = _readiness_problem(url)
            ready = problem is None
            if ready:
                workers = _WORKER_CONFIGURATION if gateway else _WITHOUT_GATEWAY
                print((_FIRST_REQUESTS + workers).format(url=public_url), flush=True)
            elif time.monotonic() - reported > _REPORT_SECONDS:
                _print(f"Not ready yet: {problem}")
                reported = time.monotonic()
        time.sleep(0.2)


def _readiness_problem(url: str) -> str | None:
    """Ask the service whether it is ready; None if it is, else the reason."""
    try:
        status, body = http_get(f"{url}/readyz")
    except OSError as error:
        return str(error)
    return None if status == 200 else f"{status} {body.decode(errors='replace').strip()}"


if __name__ == "__main__":
    sys.exit(main())
