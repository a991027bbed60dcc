"""A server behind the gateway that records requests unchanged and sends the responses that a test chooses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Self


@dataclass(frozen=True)
class Arrived:
    """A request as it arrived."""

    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all_of(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]


def http_response(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """The bytes of a complete HTTP response."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


class Recorder:
    """A minimal HTTP server. `respond` returns the bytes of each response, or None to close the connection."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[Arrived] = []
        self.started = threading.Event()
        self.respond: Callable[[Arrived, socket.socket], bytes | None]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.forget()

    def forget(self) -> None:
        """Remove all recorded requests; from now on, respond with the name of this server."""
        self.requests.clear()
        self.started.clear()
        self.respond = lambda _arrived, _connection: http_response(body=self.name.encode())

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(
                    target=self._serve, args=(connection, len(self._connections)), daemon=True
                ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while (arrived := self._read(stream, number)) is not None:
                self.requests.append(arrived)
                response = self.respond(arrived, connection)
                if response is None:
                    return
                connection.sendall(response)

    def _read(self, stream: BinaryIO, number: int) -> Arrived | None:
        line = stream.readline().decode("latin-1").rstrip("\r\n")
        if not line:
            return None
        method, _, rest = line.partition(" ")
        headers = []
        while field := stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = field.partition(":")
            headers.append((name, value.strip(" ")))
        self.started.set()
        by_name = {name.lower(): value for name, value in headers}
        if by_name.get("transfer-encoding") == "chunked":
            body = b"".join(iter(lambda: self._chunk(stream), b""))
        else:
            body = stream.read(int(by_name.get("content-length", 0)))
        return Arrived(number, method, rest.removesuffix(" HTTP/1.1"), headers, body)

    def _chunk(self, stream: BinaryIO) -> bytes:
        chunk = stream.read(int(stream.readline(), 16))
        stream.readline()
        return chunk
