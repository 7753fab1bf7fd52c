"""gunicorn over TLS: one worker with threads, a certificate that can change while it serves, sockets that time out.

Three traps that are known to bite: gunicorn closes idle connections after 2 s, while the API server keeps them for 90 s
and would lose requests; it builds a TLS context for each connection, which costs more than the review; and a client
that says nothing after the TLS handshake holds a thread for ever.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

THREADS = 32
KEEP_ALIVE_SECONDS = 100  # above the 90 s for which the API server keeps an idle connection
GRACEFUL_SECONDS = 20
SOCKET_SECONDS = 5.0


class _TimedSocket(ssl.SSLSocket):
    """A TLS socket whose handshake and reads end: silent clients cannot hold the threads."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(SOCKET_SECONDS)
        super().do_handshake(block)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(SOCKET_SECONDS if flag else 0.0)


class ContextCache:
    """The TLS context of a certificate and key, built anew when the files change; a broken pair keeps the old one."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._lock = threading.Lock()
        self._seen: object = None
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext:
        """The context to use now. Raises OSError or ssl.SSLError where no good pair was ever there."""
        with self._lock:
            try:
                stats = [path.stat() for path in self._files]
                seen = [(stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats]
                if seen != self._seen:
                    self._context, self._seen = self._build(), seen
            except OSError:  # ssl.SSLError is one
                if self._context is None:
                    raise
            assert self._context is not None
            return self._context

    def _build(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files)
        context.sslsocket_class = _TimedSocket
        return context


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings. `ready` is called once the port is open."""

    def __init__(
        self, app: Flask, *, bind: str, certificate: Path, key: Path, ready: Callable[[], None] = lambda: None
    ) -> None:
        self._app = app
        contexts = ContextCache(certificate, key)
        contexts.get()  # a broken pair is said at start
        self._settings: dict[str, Any] = {
            "bind": bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "certfile": str(certificate),
            "keyfile": str(key),
            "ssl_context": lambda _config, _factory: contexts.get(),
            "when_ready": lambda _server: ready(),
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn its settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application to serve."""
        return self._app
