"""TLS as the server uses it: contexts that follow their files, and sockets on which nothing waits for ever."""

from __future__ import annotations

import errno
import ssl
import threading
import time
from pathlib import Path

SILENCE_SECONDS = 2.0  # between two reads or writes; the API server is a neighbour
REQUEST_SECONDS = 10.0  # for a whole request, however slowly it trickles in


class TimedSocket(ssl.SSLSocket):
    """A TLS socket whose handshake, reads and writes end: neither silence nor a trickle can hold a thread.

    The server makes a socket blocking when it turns to a request on it: that starts the time of the request.
    """

    _deadline = 0.0

    def do_handshake(self, block: bool = False) -> None:
        """As the base class, in bounded time."""
        self.settimeout(SILENCE_SECONDS)
        super().do_handshake(block)

    def setblocking(self, flag: bool) -> None:
        """Blocking means: with the limits of a request that begins now."""
        self._deadline = time.monotonic() + REQUEST_SECONDS
        self.settimeout(SILENCE_SECONDS if flag else 0.0)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As the base class. Raises ConnectionResetError where the client is silent, or over its time.

        Not TimeoutError: gunicorn would log a stack trace for each such client.
        """
        try:
            if self.gettimeout():
                left = max(self._deadline - time.monotonic(), 0.001)
                if left < SILENCE_SECONDS:
                    self.settimeout(left)
            return super().recv(buflen, flags)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the client was too slow") from error


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
        # A new context, not a new chain in the old one: OpenSSL keeps one chain per key type, and would go on
        # serving the old one beside a new one of another type.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files)
        context.sslsocket_class = TimedSocket
        return context
