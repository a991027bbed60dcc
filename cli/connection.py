"""Where the service is, and who asks: the options of all commands, and requests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import click
from click.core import ParameterSource

from . import profiles
from .parameters import Decorator, together

CONNECTORS = "/_connector"
JOBS = f"{CONNECTORS}/_sync_job"
_DEFAULT_URL = "http://127.0.0.1:9280"
_DEFAULT_TIMEOUT_SECONDS = 30.0
# The service may work for a minute on requests for many jobs.
MANY_JOBS_SECONDS = 60


def job_path(job_id: str) -> str:
    """The path of a job."""
    return f"{JOBS}/{quote(job_id, safe='', errors='surrogateescape')}"  # as bytes, if it is no UTF-8


@dataclass(frozen=True)
class Connection:
    """The service as one caller reaches it. The client is made for the first request."""

    url: str
    timeout: float
    api_key: str | None = field(repr=False)
    username: str | None
    password: str | None = field(repr=False)
    ca_certs: str | None
    fingerprint: str | None

    @property
    def address(self) -> str:
        """The URL for messages, without credentials."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def get(self, path: str, **params: str | int) -> Any:
        """Send a GET; see `request`."""
        return self.request("GET", path, params=params)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        extra_seconds: float = 0,
    ) -> Any:
        """Send a request and return the body of its response.

        `extra_seconds` is how much longer than usual the service may take.

        Raises:
            Failure: There is no response, or it is an error.
            click.UsageError: The options do not make a client.
        """
        from . import client  # importing elasticsearch takes longer than all the rest

        return client.send(
            self._client.options(request_timeout=self.timeout + extra_seconds),
            client.Request(self.address, method, path, params or {}, body, headers or {}),
        )

    @cached_property
    def _client(self) -> Any:
        from . import client

        basic_auth = None
        if self.username is not None:
            basic_auth = (self.username, _ask_for_password(self.password))
        return client.connect(
            self.url,
            api_key=self.api_key,
            basic_auth=basic_auth,
            ca_certs=self.ca_certs,
            ssl_assert_fingerprint=self.fingerprint,
        )


def _ask_for_password(given: str | None) -> str:
    if given not in (None, "-"):
        return str(given)
    if not sys.stdin.isatty():
        raise click.UsageError("There is no password, and no terminal to ask for one.")
    return str(click.prompt("Password", hide_input=True, err=True))


def _checked_url(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    """Refuse what is no address, without repeating it: it may have a password."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port:
            return url
    raise click.BadParameter("it must have a scheme, a host and a port, as https://localhost:9280 has.")


def _option(name: str, what: str, **settings: Any) -> Decorator:
    variable = f"SYNC_JOBS_{name.upper().replace('-', '_')}"
    return click.option(f"--{name}", envvar=variable, show_envvar=True, help=what, **settings)


# The options of `from_options`. No default is shown by click itself: in a profile these have other ones, and secrets.
connection_options = together(
    _option(
        "profile",
        "Which table of the profile file to use; 'default' unless given.",
        metavar="NAME",
        is_eager=True,
        callback=profiles.load,
    ),
    _option(
        "url",
        f"The address of the service, or of the gateway; {_DEFAULT_URL} unless given.",
        metavar="URL",
        default=_DEFAULT_URL,
        callback=_checked_url,
    ),
    _option("api-key", "An encoded API key.", metavar="KEY"),
    _option("username", "A user.", metavar="NAME"),
    _option("password", "The user's password; '-', or none, asks for it.", metavar="PASSWORD"),
    _option(
        "ca-certs",
        "A file with the certificates of the authority.",
        type=click.Path(exists=True, dir_okay=False),
    ),
    _option("fingerprint", "The fingerprint of the certificate.", metavar="SHA256"),
    _option(
        "timeout",
        f"How long to wait for a response; {_DEFAULT_TIMEOUT_SECONDS:g} unless given.",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULT_TIMEOUT_SECONDS,
    ),
)


def from_options(context: click.Context) -> Connection:
    """The connection that the options of this context describe.

    Of an API key and a user, the one from the stronger source counts: an option, then the environment, then a profile.

    Raises:
        click.UsageError: Both come from the same source.
    """
    values = {name: value for name, value in context.params.items() if name != "profile"}
    if values["api_key"] is not None and values["username"] is not None:
        strength = list(ParameterSource).index
        key, user = (
            strength(context.get_parameter_source(name) or ParameterSource.DEFAULT)
            for name in ("api_key", "username")
        )
        if key == user:
            raise click.UsageError("An API key and a user are given; one of them must be left out.")
        values["api_key" if key > user else "username"] = None
    return Connection(**values)


pass_connection = click.make_pass_decorator(Connection)
