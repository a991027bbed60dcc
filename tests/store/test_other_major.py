"""A cluster of 8.x: `make run` chooses the client that fits, and a service with the 9.x client says what is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from scripts.elasticsearch import EmbeddedNode, Security, Source, client_major
from tests.command_line.program import Program
from tests.documents import ID
from tests.make_run import OUR_VARIABLES
from tests.secured import ROLES, password
from tests.service import REPOSITORY, SECRETS_KEY, Service

CLIENT = version("elasticsearch")
only_newest_client = pytest.mark.skipif(
    CLIENT.startswith("8."), reason="the 8.x client speaks to 8.x and 9.x"
)

# `run` may not ask for the version.
USERS = {"admin": "superuser", "run": "run"}


@pytest.fixture(scope="module")
def older() -> Iterator[EmbeddedNode]:
    with EmbeddedNode(major=8) as node:
        yield node


@pytest.fixture(scope="module")
def older_secured() -> Iterator[EmbeddedNode]:
    users = {user: (password(user), [role]) for user, role in USERS.items()}
    with EmbeddedNode(
        major=8, security=Security(users=users, roles=f"run: {json.dumps(ROLES['run'])}\n")
    ) as node:
        yield node


Chosen = Callable[..., tuple[int, str]]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Chosen:
    """The client's major that `make run` chooses for a cluster, and what it prints about it."""
    monkeypatch.delenv("ELASTICSEARCH_MAJOR", raising=False)

    def choose(url: str, **settings: str) -> tuple[int, str]:
        for name, value in ({"URL": url} | settings).items():
            monkeypatch.setenv(f"ELASTICSEARCH_{name}", value)
        return client_major(ask=True), capfd.readouterr().err

    return choose


def test_open_cluster_gets_the_client_that_fits(older: EmbeddedNode, node: Source, chosen: Chosen) -> None:
    assert chosen(older.url) == (8, "")
    assert chosen(f"http://127.0.0.1:9, {older.url}/") == (8, "")
    assert chosen(node.url) == (int(node.version.partition(".")[0]), "")
    assert chosen(older.url, MAJOR="9") == (9, "")


@pytest.mark.parametrize("user", USERS)
def test_secured_cluster_gets_the_client_that_fits(
    older_secured: EmbeddedNode, chosen: Chosen, user: str
) -> None:
    assert chosen(older_secured.url, USERNAME=user, PASSWORD=password(user)) == (8, "")


def test_cluster_that_refuses_the_credentials_gets_the_newest_client(
    older_secured: EmbeddedNode, chosen: Chosen
) -> None:
    for credentials in ({"USERNAME": "admin", "PASSWORD": "not-it"}, {"API_KEY": "bm90OmtleQ=="}):
        major, printed = chosen(older_secured.url, **credentials)
        assert major == 9
        assert printed == (
            "The cluster of ELASTICSEARCH_URL does not tell its version (it answers 401), so the client is 9.x; "
            "ELASTICSEARCH_MAJOR=8 chooses the other.\n"
        )


def test_only_make_run_asks_the_cluster(older: EmbeddedNode) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)}

    def environments(*command: str, **settings: str) -> set[str]:
        """The virtual environments that a make command would use."""
        made = subprocess.run(
            ["make", "--dry-run", *command],
            cwd=REPOSITORY,
            env={**inherited, **settings},
            capture_output=True,
            text=True,
            check=True,
        )
        assert made.stderr == ""
        return set(re.findall(r"\.venv/\d+", made.stdout))

    assert environments("run", ELASTICSEARCH_URL=older.url) == {".venv/8"}
    assert environments("run", f"ELASTICSEARCH_URL={older.url}") == {".venv/8"}
    assert environments("run", ELASTICSEARCH_URL=older.url, ELASTICSEARCH_MAJOR="9") == {".venv/9"}
    assert environments("secrets-rotate", ELASTICSEARCH_URL=older.url) == {".venv/9"}


def sentence(number: str) -> str:
    return (
        f"The cluster is Elasticsearch {number}, which the installed client {CLIENT} cannot speak to: `make run` chooses the "
        "client by itself at its start, ELASTICSEARCH_MAJOR=8 chooses it for every command, and "
        "`--build-arg ELASTICSEARCH_MAJOR=8` for an image."
    )


@only_newest_client
def test_service_says_which_version_it_met_and_what_to_do(older: EmbeddedNode) -> None:
    with Service(older.url, WORKERS="1", LOG_FORMAT="json", SECRETS_KEYS=SECRETS_KEY) as service:
        requests = [
            ("GET", "/readyz", None),
            ("GET", "/_connector/_sync_job", None),
            ("POST", "/_connector/_sync_job", {"id": ID}),
            ("PUT", f"/_connector/{ID}", {"index_name": "search-c"}),
            ("DELETE", f"/_connector/{ID}?delete_sync_jobs=true", None),
            ("PUT", "/_connector/_sync_job/j/_check_in", None),
            ("PUT", "/_connector/_secret/s", {"value": "v"}),
        ]
        error = {"type": "status_exception", "reason": sentence(older.version)}
        for _ in range(20):
            for method, path, body in requests:
                response = service.http.request(method, path, json=body)
                assert response.status_code == 503, path
                assert response.json() == {"error": {"root_cause": [error], **error}, "status": 503}
        assert service.http.get("/healthz").status_code == 200
        events = [json.loads(line) for line in service.log().splitlines()]
    told = [event for event in events if sentence(older.version) in event.values()]
    assert sorted(event["event"] for event in told) == ["elasticsearch_incompatible", "indices_not_prepared"]
    assert not re.search("media.type", json.dumps(events))


@only_newest_client
def test_command_line_says_that_the_cluster_is_of_an_older_major(older: EmbeddedNode, tmp_path: Path) -> None:
    done = Program(tmp_path, url=older.url).run("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {older.url} is an Elasticsearch that does not understand the installed client, elasticsearch-py {CLIENT}: "
        "it is of an older major version, and the service is not in front of it.\n"
    )


@only_newest_client
def test_user_who_may_not_ask_for_the_version_learns_the_major(older_secured: EmbeddedNode) -> None:
    own = {"ELASTICSEARCH_USERNAME": "run", "ELASTICSEARCH_PASSWORD": password("run")}
    with Service(older_secured.url, WORKERS="1", **own) as service:
        response = service.http.get("/readyz")
    assert (response.status_code, response.json()["error"]["reason"]) == (503, sentence("8.x"))
