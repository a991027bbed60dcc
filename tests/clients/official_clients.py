"""The official clients behind one interface, so that one test can run with each of them."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from elasticsearch import ApiError, AsyncElasticsearch, Elasticsearch
from elasticsearch.exceptions import GeneralAvailabilityWarning

from tests.service import Service

DRIVER = Path(__file__).parent / "javascript" / "driver.js"
COMMON_PARAMETERS = {"error_trace", "filter_path", "human", "pretty"}  # of every method


@dataclass(frozen=True)
class Response:
    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class ClientError(Exception):
    """The exception that a client raised for an error response, and what it says about the response."""

    exception: str
    message: str
    status: int
    body: Any


class Official(Protocol):
    """An official client. Methods and parameters have their Python names."""

    exceptions: Mapping[int, str]  # class names of the client's exceptions by status

    def methods(self) -> Mapping[str, set[str] | None]:
        """The public methods of `client.connector`, and the parameters of each where the client knows them."""

    def call(self, method: str, **arguments: Any) -> Response: ...

    def close(self) -> None: ...


class PythonClient:
    """elasticsearch-py, whose warnings are errors here, including those for the response header `Warning`.

    Except for one: before each request, it warns that these methods are not yet a stable part of the client.
    """

    exceptions: ClassVar = {
        400: "BadRequestError",
        401: "AuthenticationException",
        403: "AuthorizationException",
        404: "NotFoundError",
        409: "ConflictError",
    }

    def __init__(self, url: str, *, asynchronous: bool, **options: Any) -> None:
        self._loop = asyncio.Runner() if asynchronous else None
        self._client = AsyncElasticsearch(url, **options) if asynchronous else Elasticsearch(url, **options)

    def methods(self) -> dict[str, set[str] | None]:
        own = vars(type(self._client.connector)).items()
        return {
            name: set(inspect.signature(member).parameters) - {"self", "body"} - COMMON_PARAMETERS
            for name, member in own
            if not name.startswith("_") and callable(member)
        }

    def call(self, method: str, **arguments: Any) -> Response:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", GeneralAvailabilityWarning)
            try:
                response = self._finish(getattr(self._client.connector, method)(**arguments))
            except ApiError as error:
                raise ClientError(
                    type(error).__name__, error.message, error.status_code, error.body
                ) from error
        assert "warning" not in response.meta.headers
        return Response(response.meta.status, response.body, dict(response.meta.headers))

    def close(self) -> None:
        self._finish(self._client.close())
        if self._loop:
            self._loop.close()

    def _finish(self, result: Any) -> Any:
        return self._loop.run(result) if self._loop and inspect.isawaitable(result) else result


class JavaScriptClient:
    """@elastic/elasticsearch, in a process of its own."""

    exceptions: ClassVar = dict.fromkeys((400, 401, 403, 404, 409), "ResponseError")

    def __init__(self, url: str, folder: Path, package: str, **options: Any) -> None:
        self._options = options
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            ["node", str(DRIVER), str(folder), package, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )

    def methods(self) -> dict[str, set[str] | None]:
        found = self._do(describe=True)["methods"]
        return {
            _snake(name): parameters if parameters is None else {_in_python(p) for p in parameters}
            for name, parameters in found.items()
        }

    def call(self, method: str, **arguments: Any) -> Response:
        return self.call_with(self._options, {}, method, **arguments)

    def call_with(
        self, client_options: Mapping[str, Any], options: Mapping[str, Any], method: str, **arguments: Any
    ) -> Response:
        """Like `call`, with options for the client and for the request."""
        parameters = {_in_javascript(name): value for name, value in arguments.items()}
        reply = self._do(
            method=_camel(method), parameters=parameters, clientOptions=client_options, options=options
        )
        assert reply["processWarnings"] == []
        if "error" in reply:
            raise ClientError(reply["error"], reply["message"], reply["status"], reply["body"])
        assert reply["warnings"] is None
        return Response(reply["status"], reply["body"], reply["headers"])

    def close(self) -> None:
        self._process.communicate(timeout=30)
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _do(self, **task: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._stderr.seek(0)
            raise AssertionError(self._stderr.read())
        return dict(json.loads(line))


def logged_statuses(service: Service, opaque_id: str) -> list[int]:
    """The status codes of the responses to requests with this opaque id, from the JSON log of the service."""
    lines = [json.loads(line) for line in service.log().splitlines() if '"event": "request"' in line]
    return [line["status"] for line in lines if line["request_id"] == opaque_id]


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def _in_python(parameter: str) -> str:
    return "from_" if parameter == "from" else parameter


def _in_javascript(parameter: str) -> str:
    return "from" if parameter == "from_" else parameter
