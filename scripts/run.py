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
from scripts.elasticsearch.source import ask
from scripts.gateway import Gateway, GatewayError
from scripts.parent_death import set_parent_death_signal, with_parent_death_signal
from scripts.secrets import kept_key

_REPOSITORY = Path(__file__).resolve().parent.parent
_GRACE_SECONDS = 40  # longer than gunicorn itself waits for requests under way
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_FIRST_REQUESTS = """
The Connector API answers at {url} until Ctrl-C. A first connector, and a sync job for it:

  curl -X PUT {url}/_connector/my-connector -H 'Content-Type: application/json' \\
    -d '{{"name": "My connector", "index_name": "search-mine", "service_type": "mysql"}}'
  curl -X POST {url}/_connector/_sync_job -H 'Content-Type: application/json' \\
    -d '{{"id": "my-connector", "job_type": "full"}}'
  curl '{url}/_connector/_sync_job?status=pending&pretty'
"""


class _Asked(BaseException):
    """Somebody asked for the end, with Ctrl-C or another signal."""


class _Ended(Exception):
    """The service or its Elasticsearch ended by itself."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def main() -> int:
    """Run the service and, unless ``ELASTICSEARCH_URL`` names one, an Elasticsearch for it.

    Returns:
        The exit status: 0 when somebody asked for the end, the service's own when it ended by itself, else 1.
    """
    for asked in _SIGNALS:
        signal.signal(asked, _ask)
    try:
        set_parent_death_signal()
        settings = load()
        port = _free_port(settings.host, settings.port)
        gateway_port = _gateway_port(settings)
        with ExitStack() as stack:
            source = stack.enter_context(for_run())
            if source.version:  # not a cluster that was named: its address may hold a password
                _say(f"Elasticsearch {source.version} answers at {source.url}")
            url = shown = _url(settings.host, port)
            gateway = None
            if gateway_port is not None:
                shown = _url(settings.host, gateway_port)
                gateway = Gateway(
                    settings.host, gateway_port, url, source.url, settings.elasticsearch_ca_certs
                )
                stack.enter_context(gateway)
                _say(f"The gateway answers at {shown}: /_connector is the service, all else Elasticsearch")
            service = stack.enter_context(_service(source, port, _key(settings)))
            _wait(source, service, gateway, url, shown)
    except _Asked:
        _say("Stopped.")
        return 0
    except _Ended as error:
        _say(str(error))
        return error.status
    except (SettingsError, Unavailable, GatewayError) as error:
        _say(str(error))
        return 1
    return 0


def _ask(_signum: int, _frame: object) -> None:
    for asked in _SIGNALS:  # once is enough: nothing may interrupt the end
        signal.signal(asked, signal.SIG_IGN)
    raise _Asked


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _gateway_port(settings: Settings) -> int | None:
    """Read GATEWAY and GATEWAY_PORT, and refuse what no gateway can do before anything is started.

    Returns:
        The port of the gateway; None when no gateway is wanted.
    """
    if os.environ.get("GATEWAY", "0") in ("", "0"):
        return None
    wanted = os.environ.get("GATEWAY_PORT", "9281")
    if not (wanted.isdecimal() and int(wanted) < 65536):
        raise _Ended(f"GATEWAY_PORT is {wanted!r}, which is no port.", 1)
    if settings.elasticsearch_cert_fingerprint:
        raise _Ended("The gateway needs ELASTICSEARCH_CA_CERTS: nginx compares no fingerprints.", 1)
    return _free_port(settings.host, int(wanted), "GATEWAY_PORT")


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _free_port(host: str, port: int, variable: str = "PORT") -> int:
    """Fail at once on a port that is taken, which the service would only find out after Elasticsearch has started.

    Returns:
        The port; a free one for 0.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        raise _Ended(
            f"Cannot listen at {host}:{port} ({error}); HOST and {variable} name another address.", 1
        ) from error


def _key(settings: Settings) -> dict[str, str]:
    """Give an Elasticsearch of our own a key for secrets, which stays beside its data.

    Returns:
        The setting; empty for a cluster that was named, and where there is a key already.
    """
    if settings.secrets_keys or os.environ.get("ELASTICSEARCH_URL"):
        return {}
    file = folders.make(folders.data_folder()) / "secrets.key"
    try:
        key = kept_key(file)
    except OSError as error:
        raise _Ended(
            f"Secrets have no key, since {file} cannot be read or made ({error.strerror}).", 1
        ) from error
    _say(f"Secrets are encrypted with the key in {file}")
    return {"SECRETS_KEYS": key}


@contextmanager
def _service(source: Source, port: int, key: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run gunicorn; at the end let it answer the requests under way, while Elasticsearch still runs."""
    # In a session of its own, since gunicorn takes the Ctrl-C of a terminal as "at once".
    service = subprocess.Popen(
        with_parent_death_signal([sys.executable, "-m", "gunicorn"]),
        cwd=_REPOSITORY,
        env={**os.environ, "ELASTICSEARCH_URL": source.url, "PORT": str(port), **key},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield service
    finally:
        if service.poll() is None:
            _say("Stopping; requests under way are answered first. Ctrl-C again ends at once.")
            for asked in _SIGNALS:
                signal.signal(asked, lambda *_: service.send_signal(signal.SIGQUIT))
            service.terminate()
            try:
                service.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(service.pid, signal.SIGKILL)
                service.wait()


def _wait(
    source: Source, service: subprocess.Popen[bytes], gateway: Gateway | None, url: str, shown: str
) -> None:
    """Say when the service at `url` is ready, with first requests to `shown`, and wait until something ends."""
    ready, complained = False, time.monotonic()
    while True:
        if (status := service.poll()) is not None:
            # A negative status is a signal's number, which a shell adds to 128.
            raise _Ended(
                f"The service ended by itself with status {status}; what it said stands above.",
                128 - status if status < 0 else status or 1,
            )
        if failure := source.failure():
            raise _Ended(f"The service ends, since {failure}", 1)
        if gateway and (failure := gateway.failure()):
            raise _Ended(f"The service ends, since {failure}", 1)
        if not ready:
            answer = _readiness(url)
            ready = answer is None
            if ready:
                print(_FIRST_REQUESTS.format(url=shown), flush=True)
            elif time.monotonic() - complained > 10:
                _say(f"Not ready yet: {answer}")
                complained = time.monotonic()
        time.sleep(0.2)


def _readiness(url: str) -> str | None:
    """Ask the service whether it is ready: None, or what it says instead."""
    try:
        status, body = ask(f"{url}/readyz")
    except OSError as error:
        return str(error)
    return None if status == 200 else f"{status} {body.decode(errors='replace').strip()}"


if __name__ == "__main__":
    sys.exit(main())
