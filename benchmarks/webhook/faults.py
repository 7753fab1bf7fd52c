"""What must not lose a request, tried on processes under load: a stop, a certificate swap, a rolling restart; and
hostile clients beside a normal one. Prints one row each, and exits 1 where something was lost or held up."""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.webhook.serving import HOST, Running, Writers, held, serving
from webhook.certificates.files import Files
from webhook.certificates.issue import issue_ca, issue_leaf
from webhook.hooks import VALIDATE_DGDR

WRITERS = 4
SECONDS = 3.0
CLIENTS = 40
LIMIT_SECONDS = 5.0  # the API server's patience
HEAD = f"POST {VALIDATE_DGDR} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()


@contextlib.contextmanager
def scratch() -> Iterator[tuple[Path, Files, list[str]]]:
    """A directory with a certificate, and the flags that serve it."""
    with tempfile.TemporaryDirectory() as name:
        files = Files.within(Path(name))
        swap(files)
        flags = ["--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key), "--reuse-port"]
        yield Path(name), files, flags


def swap(files: Files) -> None:
    """A new CA and a new certificate."""
    now = datetime.now(UTC)
    ca = issue_ca(now)
    files.put_bundle(ca.certificate)
    files.put_pair(issue_leaf(ca, ["localhost", HOST], now))


def stop() -> Writers:
    """SIGTERM under load."""
    with scratch() as (directory, _, flags), serving(directory, *flags) as running, Writers(running, WRITERS) as load:
        time.sleep(SECONDS)
        running.stop()
        time.sleep(0.5)
    return load


def certificate_swap() -> Writers:
    """Ten new certificates under load, of which old connections need to know nothing."""
    with (
        scratch() as (directory, files, flags),
        serving(directory, *flags) as running,
        Writers(running, WRITERS) as load,
    ):
        for _ in range(10):
            time.sleep(SECONDS / 10)
            swap(files)
            if running.post()[0] != 200:
                load.lost.append("a new connection after the swap")
    return load


def rolling_restart() -> Writers:
    """Three times, the next process takes over the port of the one before."""
    with scratch() as (directory, _, flags), contextlib.ExitStack() as stack:
        current = stack.enter_context(serving(directory, *flags))
        load = stack.enter_context(Writers(current, WRITERS))
        for _ in range(3):
            following = stack.enter_context(serving(directory, *flags, port=current.port))
            time.sleep(SECONDS / 3)
            current.stop()
            current = following
        load.__exit__(None, None, None)
    return load


def silent_tcp(running: Running) -> socket.socket:
    """Connects and says nothing."""
    return socket.create_connection((HOST, running.port), timeout=10)


def idle_tls(running: Running) -> socket.socket:
    """Says nothing after the handshake."""
    return running.socket()


def main() -> None:
    """Run all and print a table as Markdown."""
    failed = False
    print("| under load | answered | lost |\n|---|---|---|")
    for action in (stop, certificate_swap, rolling_restart):
        load = action()
        failed |= bool(load.lost) or set(load.answered) != {200}
        print(f"| {action.__doc__} | {sum(load.answered.values())} | {len(load.lost)} |", flush=True)
    print(f"\n| {CLIENTS} clients at once | a normal review meanwhile, s |\n|---|---|")
    with scratch() as (directory, _, flags), serving(directory, *flags) as running:
        for what, client, says in (
            ("connect and say nothing", silent_tcp, b""),
            ("say nothing after the TLS handshake", idle_tls, b""),
            ("send half a head", idle_tls, HEAD),
            ("send one byte of a body of 6,000", idle_tls, HEAD + b"Content-Length: 6000\r\n\r\n{"),
        ):
            seconds = _meanwhile(running, client, says)
            failed |= seconds > LIMIT_SECONDS
            print(f"| {what} | {seconds:.2f} |", flush=True)
        print(f"\nA body of 8 MiB is answered with {running.post(b' ' * 8 * 2**20)[0]}.")
    sys.exit(int(failed))


def _meanwhile(running: Running, client: Callable[[Running], socket.socket], says: bytes) -> float:
    clients = [client(running) for _ in range(CLIENTS)]
    with held(clients):
        for each in clients:
            each.sendall(says)
        began = time.monotonic()
        running.post()
        return time.monotonic() - began


if __name__ == "__main__":
    main()
