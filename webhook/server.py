"""gunicorn over TLS: one worker with threads, a certificate that can change while it serves, and no thread for silence.

Traps that are known to bite: gunicorn closes idle connections after 2 s, while the API server keeps them for 90 s and
would lose requests; it builds a TLS context for each connection, which costs more than the review; and it gives a
thread to every connection that has not said anything yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from crds.errors import InputError
from webhook.logs import ServerLogger
from webhook.reviewer import Reviewer
from webhook.tls import ContextCache
from webhook.worker import ReviewWorker

THREADS = 32
KEEP_ALIVE_SECONDS = 100  # above the 90 s for which the API server keeps an idle connection
GRACEFUL_SECONDS = 20


@dataclass(frozen=True)
class Listener:
    """Where to listen, by which certificate; with `reuse_port` a second process may listen there too."""

    bind: str
    certificate: Path
    key: Path
    threads: int = THREADS
    reuse_port: bool = False


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings.

    Raises InputError where there is no good certificate to begin with.

    Args:
        app: what answers all that is no plain review: wrong paths, methods, types and sizes.
        reviewer: what answers reviews.
        ready: called once the port is open, before anything is answered.
        started: called in the process that answers, with what says whether it still takes new connections.
    """

    def __init__(
        self,
        app: Flask,
        reviewer: Reviewer,
        listener: Listener,
        *,
        ready: Callable[[], None] = lambda: None,
        started: Callable[[Callable[[], bool]], None] = lambda _alive: None,
    ) -> None:
        self._app = app
        self.reviewer = reviewer
        contexts = ContextCache(listener.certificate, listener.key)
        try:
            contexts.get()
        except OSError as error:  # ssl.SSLError is one
            what = f"the certificate {listener.certificate} cannot be served with the key {listener.key}"
            raise InputError(what, str(error)) from error
        self._settings: dict[str, Any] = {
            "bind": listener.bind,
            "reuse_port": listener.reuse_port,
            "worker_class": ReviewWorker,
            "workers": 1,
            "threads": listener.threads,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "certfile": str(listener.certificate),
            "keyfile": str(listener.key),
            "ssl_context": lambda _config, _factory: contexts.get(),
            "when_ready": lambda _arbiter: ready(),
            "post_worker_init": lambda worker: started(lambda: bool(worker.alive)),
            "logger_class": ServerLogger,
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
