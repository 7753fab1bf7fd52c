"""The webhook as a process: TLS by its own CA, a certificate swapped under way, silent clients."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from webhook import certificates


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Running:
    port: int
    directory: Path
    process: subprocess.Popen[bytes]

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "ca.crt"))

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context or self.context(), timeout=10)

    def status(self) -> int:
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", "/livez")
            return connection.getresponse().status


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Running]:
    port = free_port()
    command = [sys.executable, "-m", "webhook", "serve", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([*command, "--cert-dir", str(tmp_path)])
    running = Running(port, tmp_path, process)
    deadline = time.monotonic() + 30
    while True:
        try:
            running.status()
            break
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline, "the webhook did not come up"
            time.sleep(0.05)
    yield running
    if process.poll() is None:
        process.terminate()
        process.wait(30)


def test_it_serves_by_its_own_ca_and_stops_cleanly_when_told(webhook: Running) -> None:
    assert webhook.status() == 200
    os.kill(webhook.process.pid, signal.SIGTERM)
    assert webhook.process.wait(30) == 0


def test_tls_below_1_2_is_refused(webhook: Running) -> None:
    context = webhook.context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1  # deprecated, on purpose
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)), contextlib.closing(webhook.connect(context)) as connection:
        connection.request("GET", "/livez")


def test_a_new_certificate_is_served_without_a_restart_and_a_broken_one_keeps_the_old(webhook: Running) -> None:
    ca = (webhook.directory / "ca.crt").read_bytes()
    (webhook.directory / "tls.crt").write_text("broken")
    assert webhook.status() == 200
    certificates.write(webhook.directory, ["127.0.0.1"], datetime.now(UTC))
    assert (webhook.directory / "ca.crt").read_bytes() != ca
    assert webhook.status() == 200  # verified by the new CA


def test_silent_clients_do_not_hold_it(webhook: Running) -> None:
    context = webhook.context()
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", webhook.port)))
            stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
        deadline = time.monotonic() + 20
        assert webhook.status() == 200
        assert time.monotonic() < deadline


def test_an_unusable_register_url_is_one_sentence() -> None:
    command = [sys.executable, "-m", "webhook", "serve", "--register", "http://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('error: --register "http://127.0.0.1:1" is no https URL')
    assert "Traceback" not in done.stderr
