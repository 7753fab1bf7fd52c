"""The plain port: /livez, /readyz and /metrics, apart from reviews, so that a probe needs no TLS and no free thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from crds.errors import InputError
from webhook import metrics
from webhook.metrics import Metrics

log = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Why the webhook is not ready, in a sentence; None where all is well."""

_CLIENT_SECONDS = 5.0


class Health:
    """What the plain port answers: status and text by path."""

    def __init__(self, metrics: Metrics, checks: Sequence[Check]) -> None:
        self._metrics, self._checks = metrics, tuple(checks)

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a GET of `path`."""
        if path == "/livez":
            return HTTPStatus.OK, "text/plain", b"ok\n"
        if path == "/readyz":
            problems = [problem for check in self._checks if (problem := check()) is not None]
            status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
            return status, "text/plain; charset=utf-8", ("\n".join(problems or ["ok"]) + "\n").encode()
        if path == "/metrics":
            return HTTPStatus.OK, metrics.CONTENT_TYPE, self._metrics.text()
        return HTTPStatus.NOT_FOUND, "text/plain", b"try /livez, /readyz or /metrics\n"


class HealthServer(ThreadingHTTPServer):
    """Serves `health` over plain HTTP in threads of its own."""

    daemon_threads = True

    def __init__(self, host: str, port: int, health: Health) -> None:
        """Listen. Raises InputError where that is not possible."""
        self.health = health
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise InputError(
                f"port {port} cannot be listened on", str(error), "choose another --health-port"
            ) from error

    def start(self) -> None:
        """Serve until the process ends. A probe is answered during a graceful stop, too."""
        threading.Thread(target=self.serve_forever, name="health", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    protocol_version = "HTTP/1.1"
    timeout = _CLIENT_SECONDS

    def do_GET(self) -> None:
        """Answer a probe or Prometheus."""
        status, kind, body = self.server.health.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        """Probes come every few seconds: only a log at debug shows them."""
        log.debug(format, *arguments)
