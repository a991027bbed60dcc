"""How the program ends when it cannot do what it should: one sentence, and the exit status."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.certificates import Certificate, TlsFront
from tests.command_line.program import Program
from tests.documents import ID, a_job
from tests.fault_proxy import FaultProxy
from tests.service import Service, free_port


def failure(program: Program, *arguments: str, status: int = 1, **environment: str) -> str:
    """The one line on standard error of a command that fails."""
    done = program.run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (status, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(".")
    return line.removeprefix("Error: ")


@contextmanager
def responding(status: int, body: str, **headers: str) -> Iterator[str]:
    """A server that gives every request the same response; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_nothing_listens(tmp_path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    secret = url.replace("//", "//somebody:hunter2@")
    assert failure(Program(tmp_path, url=secret), "list") == f"Nothing answers at {url}: Connection refused."


def test_what_http_does_not_allow_is_not_repeated(tmp_path) -> None:
    said = failure(Program(tmp_path, url="http://127.0.0.1:9", api_key="hunter2\n"), "list")
    assert said.startswith("The request cannot be sent: ")
    assert "hunter2" not in said


def test_silent_server(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        said = failure(Program(tmp_path, url=url, timeout="0.3"), "list")
    assert said == f"{url} does not respond in time (--timeout)."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(200, "<html>", "text/html"), (200, "{}", "application/json"), (404, "<html>", "text/html")],
)
def test_something_else_answers(tmp_path, status, body, kind) -> None:
    with responding(status, body, Content_Type=kind) as url:
        said = failure(Program(tmp_path, url=url), "list")
    shown = "" if status == 200 else f" (HTTP status {status})"
    assert said == f"{url} is neither the service nor Elasticsearch{shown}."


def test_elasticsearch_without_the_service(tmp_path, node_url) -> None:
    said = failure(Program(tmp_path, url=node_url), "summary")
    assert said == (
        f"{node_url} is Elasticsearch itself, or an older version of the service: it does not know this request "
        "(GET /_connector/_sync_job/_summary)."
    )


# What Elasticsearch's own Connector API, which the tests' node does not have, says to our extensions.
OWN_API = {
    "summary": (404, {"type": "resource_not_found_exception", "reason": "_summary"}),
    "rescue": (405, "Incorrect HTTP method for uri [/x] and method [POST], allowed: [DELETE, GET]"),
    "list": (
        400,
        {
            "type": "illegal_argument_exception",
            "reason": "request [/x] contains unrecognized parameters: [order], [search_after]",
        },
    ),
}


@pytest.mark.parametrize("command", OWN_API)
def test_connector_api_of_elasticsearch_itself(tmp_path, command) -> None:
    status, error = OWN_API[command]
    body = json.dumps({"error": error, "status": status})
    with responding(status, body, Content_Type="application/json", X_Elastic_Product="Elasticsearch") as url:
        said = failure(Program(tmp_path, url=url), command)
    assert said.startswith(f"{url} is Elasticsearch itself, or an older version of the service")


def test_service_that_is_not_ready_says_why(tmp_path) -> None:
    with Service(f"http://127.0.0.1:{free_port()}", WORKERS="1", ELASTICSEARCH_TIMEOUT="1") as away:
        said = failure(Program(tmp_path, url=away.url), "list")
        assert said == away.http.get("/readyz").json()["error"]["reason"]


def test_refused_requests_are_the_sentences_of_the_service(program, jobs) -> None:
    jobs.put("j1", a_job("completed"))
    assert failure(program, "show", "a b/ü", status=6) == "There is no sync job [a b/ü]."
    assert failure(program, "create", "nobody", status=6) == "Connector with id 'nobody' does not exist."
    assert failure(program, "cancel", "j1").startswith("Invalid transition attempt from [completed]")
    assert failure(program, "claim", "--worker", "w", "--wait", "2m").startswith("[")


def test_wrong_command_line_is_2(program) -> None:
    for arguments in (["list", "--status", "pending,no"], ["watch", "j", "--interval", "soon"], ["no"]):
        done = program.run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Error: " in done.stderr


def test_certificate_that_cannot_be_verified(service, tmp_path) -> None:
    server, other = (Certificate(tmp_path, name) for name in ("server", "other"))
    with TlsFront(service.url, server) as front:
        program = Program(tmp_path, url=front.url)
        assert failure(program, "list") == f"TLS with {front.url} fails: self-signed certificate."
        assert "fingerprint" in failure(program, "--fingerprint", other.fingerprint, "list").lower()
        assert program.json_lines("--fingerprint", server.fingerprint, "list") == []
        assert program.json_lines("--ca-certs", str(server.file), "list") == []
        plain = front.url.replace("https", "http")
        assert failure(program, "list", SYNC_JOBS_URL=plain).startswith(f"Nothing answers at {plain}: ")


def test_closed_pipe_ends_it_silently(program, put_jobs) -> None:
    put_jobs(1_000, connector_id="c" * 200)  # more than a pipe takes
    for arguments in (["list", "--all"], ["list", "--all", "--json"]):
        with program.start(*arguments) as process:
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == 141


def test_ctrl_c_ends_it_without_a_trace(program, service) -> None:
    sent = threading.Event()
    with FaultProxy(service.url) as proxy, proxy.losing(lambda _: bool(sent.set())):
        program.environment["SYNC_JOBS_URL"] = proxy.url
        # The proxy stays connected, so the service waits further: not for a job of another test.
        with program.terminal("claim", "--worker", "w", "--connector", "none", "--wait", "50s") as terminal:
            assert sent.wait(60)
            terminal.type("\x03")
            assert terminal.end() == 130
    assert terminal.screen == "^C"


def test_gateway_is_as_good_as_the_service(program, gateway_url, new_job) -> None:
    job = new_job()
    program.environment["SYNC_JOBS_URL"] = gateway_url
    assert program.json("show", job)["connector"]["id"] == ID
    assert program.output("claim", "--worker", "w").strip() == job
