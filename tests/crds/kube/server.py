"""An HTTP server that answers as a test tells it to, wrongly if need be, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Message
    body: bytes


Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's next answer."""

    protocol_version = "HTTP/1.1"
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(Asked(self.command, self.path, self.headers, body))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server looks for these names

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Server(ThreadingHTTPServer):
    """`answers` are used one a request, the last for ever; set `released` to let answers that wait go on."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Asked] = []
        self.answers: list[Answer] = [says({})]
        self.released = threading.Event()
        self.secure = context is not None
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what several tests want."""


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a free port of the loopback, with TLS if a context is given."""
    server = Server(context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def says(document: object, code: int = 200, *headers: tuple[str, str]) -> Answer:
    """A complete JSON answer; a str is sent as it is."""
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode()

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status(code: int, reason: str, message: str = "", **details: Any) -> Answer:
    """A failure as the API server words it."""
    document = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}
    return says(document | ({"details": details} if details else {}), code)


def listing(*objects: dict[str, Any], version: str) -> Answer:
    """A list of objects at a resource version."""
    return says({"metadata": {"resourceVersion": version}, "items": list(objects)})


def cut(handler: Handler) -> None:
    """Promise a hundred bytes, send three, hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"a')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def silence(handler: Handler) -> None:
    """Say nothing until released."""
    handler.server.released.wait(30)
    handler.close_connection = True


def streams(*lines: object, end: str = "clean") -> Answer:
    """Lines in chunks, then a "clean" end, a "cut" in the middle, or "open": nothing more until released."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in lines:
            data = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if end == "open":
            handler.server.released.wait(30)
        if end == "clean":
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer
