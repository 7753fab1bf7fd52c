"""What tests see of the control plane: one per test run, shared by its workers, started by the first that asks."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.api import Api
from tests.cluster.supervisor import remove

if TYPE_CHECKING:
    from crds.kube.resources import Cluster

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT_VARIABLE = "KUBECTL_DYNAMO_TEST_RUN"
START_SECONDS = 120.0
STOP_SECONDS = 30.0


class Run:
    """One run of pytest: a directory that its workers share. The run's main process creates it, and ends it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "home"
        self._alive: Any = None

    @classmethod
    def create(cls, binaries: Path) -> Run:
        """A new run on the control plane in `binaries`, if built. It lives until `end` or the end of this process."""
        run = cls(Path(tempfile.mkdtemp(prefix="kubectl-dynamo-tests-")))
        run.home.mkdir()
        (run.directory / "bin").symlink_to(binaries)
        run._alive = (run.directory / "alive").open("w")
        fcntl.flock(run._alive, fcntl.LOCK_EX)
        os.environ[ENVIRONMENT_VARIABLE] = str(run.directory)
        return run

    @classmethod
    def of_this_worker(cls) -> Run:
        """The run that this process, the main one or a worker, belongs to."""
        return cls(Path(os.environ[ENVIRONMENT_VARIABLE]))

    @property
    def binaries(self) -> Path | None:
        """Directory of the control plane's binaries, or None where they are not built."""
        path = self.directory / "bin"
        return path.resolve() if path.exists() else None

    @contextmanager
    def only_one(self, what: str) -> Iterator[Path]:
        """Hold a lock among the workers of the run. Yields the file that marks `what` as done."""
        with (self.directory / f"{what}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.directory / f"{what}.done"

    def control_plane(self) -> ControlPlane:
        """The run's control plane, started if no worker has yet. Raises RuntimeError if it cannot be."""
        with self.only_one("control-plane"):
            state = self.directory / "state.json"
            if not state.exists():
                self._start_supervisor(state)
            answer = json.loads(state.read_text())
        if "failed" in answer:
            raise RuntimeError(f"the control plane is not running: {answer['failed']}")
        return ControlPlane.at(Path(answer["directory"]), self)

    def _start_supervisor(self, state: Path) -> None:
        with (self.directory / "supervisor.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.supervisor", str(self.directory), str(self.binaries)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not state.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"the control plane did not start: {(self.directory / 'supervisor.log').read_text()}"
                )
            time.sleep(0.02)

    def end(self) -> None:
        """Stop the control plane, wait until nothing of it is left, and remove the run's directory."""
        self._alive.close()
        mine = self.directory / "supervisor"
        deadline = time.monotonic() + STOP_SECONDS
        while mine.exists() and time.monotonic() < deadline and not _free(mine):
            time.sleep(0.05)
        remove(self.directory)


def _free(path: Path) -> bool:
    try:
        with path.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:  # whoever held it has removed it
        return True
    return True


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane. `directory` holds its logs; `api` is the administrator's, for the harness' own calls."""

    directory: Path
    kubeconfig: Path
    server: str
    kubectl: Path
    api: Api
    run: Run

    @classmethod
    def at(cls, directory: Path, run: Run) -> ControlPlane:
        """The control plane whose supervisor wrote `directory`."""
        api = Api.of_kubeconfig(directory / "kubeconfig")
        return cls(
            directory=directory,
            kubeconfig=directory / "kubeconfig",
            server=api.server,
            kubectl=run.directory / "bin" / "kubectl",
            api=api,
            run=run,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Environment for a process that uses this cluster, with this project's kubectl plugin on its PATH."""
        path = os.pathsep.join([str(Path(sys.executable).parent), str(self.kubectl.parent), os.environ.get("PATH", "")])
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.run.home), "PATH": path}

    def run_kubectl(
        self,
        *arguments: str,
        input: str | None = None,
        check: bool = True,
        namespace: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator. With `check`, a failure raises AssertionError with what kubectl printed."""
        scope = ["--namespace", namespace] if namespace else []
        done = subprocess.run(
            [str(self.kubectl), *scope, *arguments], input=input, capture_output=True, text=True, env=self.environment
        )
        if check and done.returncode:
            command = " ".join(["kubectl", *scope, *arguments])
            raise AssertionError(f"`{command}` failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def cluster(self, namespace: str | None = None) -> Cluster:
        """The project's own client, connected as administrator."""
        from crds.kube.access import Overrides
        from crds.kube.resources import Cluster

        return Cluster.connect(Overrides(kubeconfig=str(self.kubeconfig), namespace=namespace))
