"""A webhook as a process, and clients for it: well-behaved, hostile, and many at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

from tests.cluster.controlplane import REPOSITORY
from tests.cluster.polling import eventually
from webhook.hooks import VALIDATE_DGDR

HOST = "127.0.0.1"
JSON = {"Content-Type": "application/json"}
REVIEW = json.dumps(
    {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "operation": "CREATE",
            "object": {
                "apiVersion": "nvidia.com/v1beta1",
                "kind": "DynamoGraphDeploymentRequest",
                "metadata": {"name": "qwen", "namespace": "default"},
                "spec": {"model": "Qwen/Qwen3-0.6B"},
            },
        },
    }
).encode()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Running:
    """A webhook that was started: its ports, the directory of its certificates, and its process."""

    port: int
    health_port: int
    directory: Path
    process: subprocess.Popen[bytes]

    def context(self) -> ssl.SSLContext:
        """TLS as an API server does it: HTTP/1.1, and only the CA that is published."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        context.set_alpn_protocols(["http/1.1"])
        return context

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        """A client of its own, not yet connected."""
        return http.client.HTTPSConnection(HOST, self.port, context=context or self.context(), timeout=10)

    def socket(self) -> ssl.SSLSocket:
        """A TLS connection on which nothing was said yet."""
        plain = socket.create_connection((HOST, self.port), timeout=10)
        return self.context().wrap_socket(plain, server_hostname=HOST)

    def post(self, body: bytes = REVIEW, path: str = VALIDATE_DGDR, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of one review on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("POST", path, body, {**JSON, **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def health(self, path: str) -> str:
        """What the plain port answers. Raises urllib's HTTPError where the status is no success."""
        with urlopen(f"http://{HOST}:{self.health_port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


@contextlib.contextmanager
def serving(directory: Path, *arguments: str, port: int | None = None, log: Path | None = None) -> Iterator[Running]:
    """A webhook with certificates of its own in `directory`, up and answering."""
    ports = port or free_port(), free_port()
    command = [sys.executable, "-m", "webhook", "serve", "--host", HOST, "--port", str(ports[0])]
    command += ["--health-port", str(ports[1]), *arguments]
    if not any(argument.startswith("--tls-") for argument in arguments):
        command += ["--cert-dir", str(directory)]
    with (log or directory / "log").open("ab") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    running = Running(*ports, directory, process)

    def up() -> bool:
        assert process.poll() is None, (log or directory / "log").read_text()
        try:
            return running.health("/readyz") == "ok\n"
        except OSError:
            return False

    try:
        eventually(up, 30, "the webhook did not come up")
        yield running
    finally:
        running.stop()


class Writers:
    """Clients that post reviews one after the other on kept connections, as an API server does, and never retry.

    `answered` counts statuses; `lost` holds what happened to requests that got no answer.
    """

    def __init__(self, running: Running, count: int, *, paced: float = 0.0) -> None:
        self.answered: Counter[int] = Counter()
        self.lost: list[str] = []
        self._running, self._paced = running, paced
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: TracebackType | type[BaseException] | BaseException | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def wait_for(self, more: int) -> None:
        """Until that many more were answered."""
        wanted = sum(self.answered.values()) + more
        eventually(lambda: sum(self.answered.values()) >= wanted, 30, f"no {more} answers")

    def _write(self) -> None:
        while not self._stop.is_set():
            connection = self._running.connect()
            try:
                connection.connect()
            except OSError:
                # Refused before anything was sent: an API server dials again, elsewhere.
                time.sleep(0.02)
                continue
            with contextlib.closing(connection):
                self._use(connection)

    def _use(self, connection: http.client.HTTPSConnection) -> None:
        while not self._stop.is_set():
            try:
                connection.request("POST", VALIDATE_DGDR, REVIEW, JSON)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                return
            self.answered[answer.status] += 1
            if answer.headers["Connection"] == "close":
                return
            time.sleep(self._paced)


@contextlib.contextmanager
def held(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Keep connections open until the block ends."""
    with contextlib.ExitStack() as stack:
        for each in sockets:
            stack.enter_context(each)
        yield
