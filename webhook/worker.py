"""gunicorn's threaded worker, with five changes that an admission webhook needs.

* A connection takes a thread only once it has sent something, before and after the TLS handshake: silent clients,
  however many, hold none.
* A plain review is answered below WSGI, in one write. The rest (wrong path, method, type or size, chunked bodies) goes
  to the application as ever.
* A worker that stops serves whoever stands in line and closes the port at once, for the next process to have it.
* Closing a connection never waits for its client.
* After an answer the thread stays a moment with its connection, where there is a thread for each: the next request of
  a busy API server then costs no hand-over between threads.

It leans on gunicorn's internals as they are in 27; tests/webhook/test_server.py holds it to what it promises.
"""

from __future__ import annotations

import select
import time
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.util import http_date
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from webhook.app import MAX_BODY
from webhook.reviewer import CONTENT_TYPE, Reply, Reviewer

STAY_MILLISECONDS = 5
MAX_DRAIN = 32 * 2**20


class _Connection(TConn):  # type: ignore[misc]
    def close(self, graceful: bool = False) -> None:  # noqa: ARG002 - the base class has it
        """Close at once. The base class waits up to 2 s for the client to close first, in the one thread that polls.

        What a client sent is read before it is answered, so closing does not cut its answer off.
        """
        super().close(graceful=False)


class ReviewWorker(ThreadWorker):  # type: ignore[misc]
    """See the module."""

    def init_process(self) -> None:
        """Prepare what every request needs, then serve."""
        self._reviewer: Reviewer = self.app.reviewer
        self._paths = self._reviewer.paths
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Take a connection, and wait for its first bytes without a thread."""
        self._take(listener)

    def set_accept_enabled(self, enabled: bool) -> None:
        """As the base class. When stopping, take whoever stands in line, then leave the line to another process.

        The base class keeps the port open until its last connection ends: whoever connects meanwhile is never served.
        """
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                while self._take(listener):
                    pass
                listener.close()

    def _take(self, listener: Any) -> bool:
        try:
            socket, address = listener.accept()
        except OSError:  # nobody there, or gone again
            return False
        self.nr_conns += 1
        conn = _Connection(self.cfg, socket, address, listener.getsockname())
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))
        return True

    def handle(self, conn: Any) -> Any:
        """Answer the requests of a connection until it pauses: True to keep it, False to close it."""
        if not conn.initialized:
            try:
                conn.init()  # the handshake
            except OSError:  # ssl.SSLError is one
                return False
            if not _readable(conn, 0):
                return _DEFER
        kept = super().handle(conn)
        while kept is True and self.alive and self.nr_conns <= self.cfg.threads and _readable(conn, STAY_MILLISECONDS):
            kept = super().handle(conn)
        return kept

    def handle_request(self, request: Any, conn: Any) -> bool:
        """Answer one request: True to keep the connection."""
        if not self._is_plain_review(request):
            kept = super().handle_request(request, conn)
            return _drained(request.body) and kept
        kept = self.alive and not request.should_close() and len(self.keepalived_conns) < self.max_keepalived
        reply = self._reviewer.reply(request.path, request.body.read())
        conn.sock.sendall(_message(reply, kept))
        return kept

    def _is_plain_review(self, request: Any) -> bool:
        if request.method != "POST" or request.path not in self._paths:
            return False
        length = kind = ""
        for name, value in request.headers:
            if name == "CONTENT-LENGTH":
                length = value
            elif name == "CONTENT-TYPE":
                kind = value
            elif name in ("EXPECT", "TRANSFER-ENCODING"):
                return False
        return kind == CONTENT_TYPE and length.isdecimal() and int(length) <= MAX_BODY


def _readable(conn: Any, milliseconds: int) -> bool:
    if conn.sock.pending():
        return True
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _drained(body: Any) -> bool:
    """Read what the application left of a body, so that a client that is still writing comes to read its answer."""
    drained = 0
    try:
        while piece := body.read(65536):
            drained += len(piece)
            if drained >= MAX_DRAIN:
                return False
    except (OSError, ParseException):
        return False
    return True


def _message(reply: Reply, kept: bool) -> bytes:
    status: HTTPStatus = reply.status
    return (b"HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s") % (
        status,
        status.phrase.encode(),
        http_date().encode(),
        b"keep-alive" if kept else b"close",
        CONTENT_TYPE.encode(),
        len(reply.body),
        reply.body,
    )
