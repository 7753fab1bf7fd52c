"""The webhook against a Go net/http peer: rate, p99, CPU per request as ratios, and memory after many reviews.

Both serve TLS on this machine, take the same bytes and give the same answers. Rounds are interleaved, so that both see
the same neighbours; the ratio of each round is taken, and the median of rounds is shown. Needs `wrk` and Go 1.22.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.webhook import payloads
from tests.webhook.serving import free_port
from webhook.certificates.files import Files
from webhook.certificates.issue import issue_ca, issue_leaf
from webhook.hooks import MUTATE_DGD, VALIDATE_DGDR

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
CASES = {
    "DGDR update": (VALIDATE_DGDR, payloads.request_update()),
    "DGD, 16 operations": (MUTATE_DGD, payloads.deployment_create()),
}


@dataclass(frozen=True)
class Server:
    """A server under test."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def processes(self) -> list[int]:
        """Its process and all that it started."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.processes()]
        return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS

    def memory_mb(self) -> float:
        """Proportional set size, in MB."""
        lines = [line for pid in self.processes() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().split("\n")]
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


@dataclass(frozen=True)
class Measured:
    """One run of wrk."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def measure(server: Server, path: str, body: Path, connections: int, seconds: float) -> Measured:
    """Load a server. Raises RuntimeError where a request failed."""
    before = server.cpu_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(HERE / "load.lua")]
    url = f"https://127.0.0.1:{server.port}{path}"
    environment = {**os.environ, "BODY_FILE": str(body)}
    output = subprocess.run([*command, url], env=environment, capture_output=True, text=True, check=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT"))
    requests, rate, p50, p99, errors = map(float, line.split()[1:])
    if errors or not requests:
        raise RuntimeError(f"{server.name}: {errors:g} of {requests:g} requests failed")
    return Measured(rate, p50, p99, (server.cpu_seconds() - before) / requests * 1e6)


@contextlib.contextmanager
def started(name: str, files: Files, command: list[str]) -> Iterator[Server]:
    """A server, up."""
    port = free_port()
    process = subprocess.Popen([*command, str(port), str(files.certificate), str(files.key)], cwd=HERE.parents[1])
    server = Server(name, port, process)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                answer(server, files, *CASES["DGDR update"])
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def answer(server: Server, files: Files, path: str, body: bytes) -> dict[str, Any]:
    """What a server says to a review, its patch decoded."""
    url = f"https://127.0.0.1:{server.port}{path}"
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=str(files.ca))) as got:
        response: dict[str, Any] = json.load(got)["response"]
    if "patch" in response:
        operations = json.loads(base64.b64decode(response["patch"]))
        response["patch"] = sorted(operations, key=lambda one: json.dumps(one))
    return response


def main() -> None:
    """Measure and print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--reviews", type=int, default=100_000, help="for the memory")
    options = parser.parse_args()
    for tool in ("wrk", "go"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed")
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        directory = Path(scratch)
        files = Files.within(directory)
        now = datetime.now(UTC)
        ca = issue_ca(now)
        files.put_bundle(ca.certificate)
        files.put_pair(issue_leaf(ca, ["127.0.0.1"], now))
        subprocess.run(["go", "build", "-o", str(directory / "peer"), "."], cwd=HERE / "peer", check=True)
        python = [sys.executable, "-m", "benchmarks.webhook.serve"]
        ours = stack.enter_context(started("webhook", files, python))
        peer = stack.enter_context(started("peer", files, [str(directory / "peer")]))
        compare(ours, peer, files, directory, options)
        memory(ours, directory, options.reviews)


def compare(ours: Server, peer: Server, files: Files, directory: Path, options: argparse.Namespace) -> None:
    """Print rates, latencies and CPU of both, and the medians of their ratios (ours to the peer's)."""
    print("| review | connections | rate/s: ours, Go, ratio | p99 ms: ours, Go, ratio | CPU µs: ours, Go, ratio |")
    print("|---|---|---|---|---|")
    for name, (path, body) in CASES.items():
        if answer(ours, files, path, body) != answer(peer, files, path, body):
            sys.exit(f"the servers do not answer alike to {name}")
        (directory / "body").write_bytes(body)
        for connections in (1, 8):
            pairs = [
                [measure(each, path, directory / "body", connections, options.seconds) for each in (ours, peer)]
                for _ in range(options.rounds)
            ]
            cells = [_cell(pairs, field) for field in ("rate", "p99_ms", "cpu_us")]
            print(f"| {name} | {connections} | {' | '.join(cells)} |", flush=True)


def _cell(pairs: list[list[Measured]], field: str) -> str:
    ours, peers = ([getattr(pair[i], field) for pair in pairs] for i in (0, 1))
    ratios = sorted(a / b for a, b in zip(ours, peers, strict=True))
    digits = 1 if field == "p99_ms" else 0
    middle = f"{statistics.median(ours):.{digits}f}, {statistics.median(peers):.{digits}f}"
    return f"{middle}, **{statistics.median(ratios):.2f}** [{ratios[0]:.2f}-{ratios[-1]:.2f}]"


def memory(ours: Server, directory: Path, reviews: int) -> None:
    """Print the memory of the whole process tree before and after many reviews."""
    path, body = CASES["DGD, 16 operations"]
    (directory / "body").write_bytes(body)
    done, sizes = 0, [(0, ours.memory_mb())]
    while done < reviews:
        done += round(measure(ours, path, directory / "body", 8, 5).rate * 5)
        sizes.append((done, ours.memory_mb()))
    some = dict([sizes[0], sizes[len(sizes) // 2], sizes[-1]])
    shown = ", ".join(f"{size:.1f} MB after {count}" for count, size in some.items())
    print(f"\nMemory of the process tree (PSS): {shown} more reviews.")


if __name__ == "__main__":
    main()
