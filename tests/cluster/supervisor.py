"""The process that runs the control plane and the nodes of one test run, and ends them with it.

    python -m tests.cluster.supervisor RUN_DIRECTORY BINARIES

It is apart from pytest so that the workers of pytest-xdist share one control plane, and so that nothing outlives a
killed run: the run's main process holds a lock on `RUN_DIRECTORY/alive`, which the kernel releases however that process
ends, and the supervisor stops everything once it gets the lock. Should the supervisor itself be killed, its children
die with it (PR_SET_PDEATHSIG, Linux only).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import yaml
from urllib3.exceptions import HTTPError

from tests.cluster import certificates
from tests.cluster.api import Api, ApiFailure

REPOSITORY = Path(__file__).parents[2]
ATTEMPTS = 3  # a port that was free when we asked may be taken when a server binds it
READY_SECONDS = 60.0
STOP_SECONDS = 5.0
PR_SET_PDEATHSIG = 1
CONTEXT = "control-plane"
# No kubelet reports to the node controllers here: they would call every node dead and evict its pods.
CONTROLLERS = "*,-node-lifecycle-controller,-node-ipam-controller,-taint-eviction-controller"


class NotStarted(Exception):
    """A server ended or did not become ready; the text holds the end of its log."""


class Supervisor:
    """Servers of one control plane in `directory`, in the order in which they were started."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self.directory = directory
        self._binaries = binaries
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self) -> None:
        """Start all servers and write `kubeconfig`. Raises NotStarted; call stop() after that too."""
        certificates.write(self.directory)
        etcd, peer, secure = _free_ports(3)
        token = secrets.token_urlsafe(24)
        server = f"https://127.0.0.1:{secure}"
        self._write_private("tokens.csv", f'{token},admin,admin,"system:masters"\n')
        self._write_private("kubeconfig", yaml.safe_dump(_kubeconfig(server, token, self.directory / "ca.crt")))
        self._run("etcd", [str(self._binaries / "server"), *self._etcd_flags(etcd, peer)])
        self._run("kube-apiserver", [str(self._binaries / "kube-apiserver"), *self._apiserver_flags(etcd, secure)])
        self._wait_until_ready(Api(server, token, self.directory / "ca.crt"))
        kubeconfig = f"--kubeconfig={self.directory}/kubeconfig"
        for name, flags in (
            ("kube-controller-manager", self._controller_flags()),
            ("kube-scheduler", ["--leader-elect=false", "--secure-port=0"]),
        ):
            self._run(name, [str(self._binaries / name), kubeconfig, *flags])
        self._run("nodes", [sys.executable, "-m", "tests.cluster.node", str(self.directory)], REPOSITORY)

    def check(self) -> None:
        """Raise NotStarted if a server has ended by itself."""
        for name, process in self._running:
            if process.poll() is not None:
                tail = "\n".join(self._log(name).read_text(errors="replace").splitlines()[-8:])
                raise NotStarted(
                    f"{name} ended with exit code {process.returncode}; the end of {self._log(name)}:\n{tail}"
                )

    def stop(self) -> None:
        """End every server, clients before the servers they talk to."""
        while self._running:
            _, process = self._running.pop()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, name: str, command: Sequence[str], working_directory: Path | None = None) -> None:
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=working_directory or self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest, which still has namespaces to look at
                preexec_fn=_die_with_parent,
            )
        self._running.append((name, process))

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _write_private(self, name: str, text: str) -> None:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)

    def _wait_until_ready(self, api: Api) -> None:
        deadline = time.monotonic() + READY_SECONDS
        last = "no answer"
        while time.monotonic() < deadline:
            self.check()
            try:
                api.ready()
            except (ApiFailure, HTTPError) as failure:
                last = str(failure)
                time.sleep(0.05)
            else:
                return
        raise NotStarted(f"kube-apiserver is not ready after {READY_SECONDS:.0f} s: {last}; see {self.directory}")

    def _etcd_flags(self, client: int, peer: int) -> list[str]:
        client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        return [
            f"--data-dir={self.directory}/etcd",
            f"--listen-client-urls={client_url}",
            f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            "--unsafe-no-fsync",  # nobody reads this database after the run
            "--log-level=warn",
        ]

    def _apiserver_flags(self, etcd: int, port: int) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # Loopback may not be the endpoint of the `kubernetes` Service; containers get it by environment.
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={self.directory}/server.crt",
            f"--tls-private-key-file={self.directory}/server.key",
            f"--token-auth-file={self.directory}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={self.directory}/service-account.key",
            f"--service-account-key-file={self.directory}/service-account.key",
            "--service-cluster-ip-range=10.0.0.0/24",
        ]

    def _controller_flags(self) -> list[str]:
        return [
            f"--controllers={CONTROLLERS}",
            f"--service-account-private-key-file={self.directory}/service-account.key",
            f"--root-ca-file={self.directory}/ca.crt",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]


def _kubeconfig(server: str, token: str, authority: Path) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": "admin"}}],
        "current-context": CONTEXT,
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop_on_signal(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def remove(run: Path) -> None:
    """Remove a run's directory, unless KEEP_CONTROL_PLANE_LOGS asks to keep the logs in it."""
    if not os.environ.get("KEEP_CONTROL_PLANE_LOGS"):
        shutil.rmtree(run, ignore_errors=True)


def _start(run: Path, binaries: Path) -> Supervisor:
    """Start a control plane in a directory of its own below `run`; again on fresh ports if a server ends."""
    for attempt in range(1, ATTEMPTS + 1):
        directory = run / f"control-plane-{attempt}"
        directory.mkdir(mode=0o700)
        supervisor = Supervisor(directory, binaries)
        try:
            supervisor.start()
            time.sleep(0.2)  # a scheduler or controller manager that cannot start ends at once
            supervisor.check()
        except NotStarted:
            supervisor.stop()
            if attempt == ATTEMPTS:
                raise
        except BaseException:
            supervisor.stop()
            raise
        else:
            return supervisor
    raise AssertionError("unreachable")


def _report(run: Path, state: dict[str, str]) -> None:
    """Tell the test workers, in one step: they must never read half a file."""
    scratch = run / "state.json.new"
    scratch.write_text(json.dumps(state))
    scratch.rename(run / "state.json")


def _wait_until_the_run_ends(run: Path, supervisor: Supervisor) -> None:
    with (run / "alive").open() as alive:
        while True:
            try:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                supervisor.check()
                time.sleep(0.2)
            else:
                return


def main(run: Path, binaries: Path) -> None:
    """Run a control plane until the test run that holds `run/alive` ends."""
    signal.signal(signal.SIGTERM, _stop_on_signal)
    signal.signal(signal.SIGINT, _stop_on_signal)
    with (run / "supervisor").open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)  # held until we are gone: the run waits for it before it ends
        try:
            supervisor = _start(run, binaries)
        except NotStarted as failure:
            _report(run, {"failed": str(failure)})
            return
        try:
            _report(run, {"directory": str(supervisor.directory)})
            _wait_until_the_run_ends(run, supervisor)
        except NotStarted as failure:
            _report(run, {"failed": str(failure)})
            supervisor.stop()
            _wait_until_the_run_ends(run, supervisor)
        finally:
            supervisor.stop()
            remove(run)


if __name__ == "__main__":
    os.umask(0o077)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
