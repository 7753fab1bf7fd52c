"""A pod whose containers really run, one process each, and the status that the kubelet would report of them.

Init containers run first, in order. A container that cannot be configured yet waits with the kubelet's reason, and is
tried again. Nothing is restarted: profiling Jobs use restartPolicy Never.
"""

from __future__ import annotations

import datetime
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.cluster import container as runtime
from tests.cluster import environment, volumes
from tests.cluster.api import Api, ApiFailure
from tests.cluster.volumes import NotYet

Object = dict[str, Any]
POLL_SECONDS = 0.05
RETRY_SECONDS = 0.5


class Container:
    """One container of a pod: waiting, running or terminated."""

    def __init__(self, spec: Object, log: Path, scratch: Path) -> None:
        self.spec, self._log, self._scratch = spec, log, scratch
        self.process: subprocess.Popen[bytes] | None = None
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self._retry_at = 0.0

    @property
    def exit_code(self) -> int | None:
        """Exit code once it has ended."""
        code: int | None = self.state.get("terminated", {}).get("exitCode")
        return code

    def advance(self, start: Callable[[Container], subprocess.Popen[bytes]]) -> bool:
        """Start the container or notice its end; whether the state changed."""
        if self.exit_code is not None:
            return False
        if self.process is not None:
            return self._notice_end(self.process)
        if time.monotonic() < self._retry_at:
            return False
        before = self.state
        try:
            self.process = start(self)
        except NotYet as reason:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self.state = {"waiting": {"reason": "CreateContainerConfigError", "message": str(reason)}}
        else:
            self.state = {"running": {"startedAt": _now()}}
        return self.state != before

    def launch(self, command: list[str], variables: Mapping[str, str], mounts: list[runtime.Mount]) -> Any:
        """Start the process."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return runtime.spawn(
            command,
            variables,
            mounts,
            scratch=self._scratch,
            log=self._log,
            working_directory=self.spec.get("workingDir", ""),
        )

    def abandon(self) -> None:
        """The pod ends before this container could start."""
        if self.process is None:
            self._terminated(137, "ContainerStatusUnknown", _now())

    def status(self) -> Object:
        """Its entry in containerStatuses."""
        name = self.spec["name"]
        return {
            "name": name,
            "image": self.spec.get("image", ""),
            "imageID": "",
            "containerID": f"process://{self.process.pid}" if self.process else "",
            "ready": "running" in self.state or (self.exit_code == 0 and not self.process),
            "started": "running" in self.state,
            "restartCount": 0,
            "state": self.state,
        }

    def _notice_end(self, process: subprocess.Popen[bytes]) -> bool:
        code = process.poll()
        if code is None:
            return False
        runtime.end(process, signal.SIGKILL)  # what it started and left behind ends with it
        code = code if code >= 0 else 128 - code
        self._terminated(code, "Error" if code else "Completed", self.state["running"]["startedAt"])
        return True

    def _terminated(self, code: int, reason: str, started: str) -> None:
        ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": _now()}
        self.state = {"terminated": ended}


class Pod:
    """Runs a pod to its end in a thread, which owns the processes: they die with it."""

    def __init__(self, pod: Object, api: Api, ip: str, directory: Path) -> None:
        metadata = pod["metadata"]
        self._pod, self._api, self._ip = pod, api, ip
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._source = volumes.Source(api, pod, ip)
        self._directory = directory / "pods" / metadata["uid"]
        self._claims = directory / "claims"
        self._volumes: dict[str, Path] = {}
        self._deleted = threading.Event()
        self._grace = 0.0
        self._started = _now()
        self._thread = threading.Thread(target=self._run, name=self._path, daemon=True)
        logs = log_directory(directory, metadata["namespace"], metadata["name"])
        logs.mkdir(parents=True, exist_ok=True)
        self._inits, self._containers = (
            [
                Container(spec, logs / f"{spec['name']}.log", self._directory / "roots" / spec["name"])
                for spec in pod["spec"].get(kind) or []
            ]
            for kind in ("initContainers", "containers")
        )

    def delete(self, grace_seconds: float) -> None:
        """Ask the containers to end, and kill them after `grace_seconds`."""
        self._grace = grace_seconds
        self._deleted.set()

    def start(self) -> None:
        """Start, and return at once."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether containers may still run."""
        return self._thread.is_alive()

    def _run(self) -> None:
        """Run init containers, then the containers; report each change; finalise a deletion."""
        try:
            if self._make_volumes() and all(self._run_to_end([each]) for each in self._inits):
                self._run_to_end(self._containers)
            if self._deleted.is_set():
                for each in [*self._inits, *self._containers]:
                    each.abandon()
            self._report()
            if self._deleted.is_set():
                self._finalise()
        except ApiFailure as failure:
            if failure.code != 404:  # the pod was deleted by force
                raise
        finally:
            for each in [*self._inits, *self._containers]:
                if each.process is not None and each.exit_code is None:
                    runtime.end(each.process, signal.SIGKILL)
                    each.process.wait()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _make_volumes(self) -> bool:
        """Whether the volumes exist; false if the pod is deleted before all that they need does."""
        self._report()
        while not self._deleted.is_set():
            try:
                specs = self._pod["spec"].get("volumes") or []
                self._volumes = volumes.prepare(specs, self._source, self._directory / "volumes", self._claims)
            except NotYet:
                self._deleted.wait(RETRY_SECONDS)
            else:
                return True
        return False

    def _run_to_end(self, group: list[Container]) -> bool:
        """Run containers side by side until all have ended; whether all succeeded."""
        kill_at: float | None = None
        while any(each.exit_code is None for each in group):
            if self._deleted.is_set() and kill_at is None:
                kill_at = time.monotonic() + self._grace
                self._signal(group, signal.SIGTERM)
            elif kill_at is not None and time.monotonic() > kill_at:
                self._signal(group, signal.SIGKILL)
            if kill_at is None or all(each.process is not None for each in group):
                changed = [each.advance(self._start) for each in group]
            else:
                changed = [each.advance(self._start) for each in group if each.process is not None]
                for each in group:
                    each.abandon()
            if any(changed):
                self._report()
            time.sleep(POLL_SECONDS) if kill_at is not None else self._deleted.wait(POLL_SECONDS)
        return all(each.exit_code == 0 for each in group)

    def _signal(self, group: list[Container], number: signal.Signals) -> None:
        for each in group:
            if each.process is not None and each.exit_code is None:
                runtime.end(each.process, number)

    def _start(self, each: Container) -> subprocess.Popen[bytes]:
        server = urlsplit(self._api.server)
        base = runtime.base_environment() | {
            "HOSTNAME": self._pod["metadata"]["name"],
            "KUBERNETES_SERVICE_HOST": server.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(server.port),
        }
        variables = environment.resolve(each.spec, self._source, base)
        command = [*(each.spec.get("command") or []), *(each.spec.get("args") or [])]
        if not each.spec.get("command"):
            raise NotYet("the node harness has no images, so it needs a command")
        process: subprocess.Popen[bytes] = each.launch(
            [environment.expand(word, variables) for word in command], variables, self._mounts(each.spec, variables)
        )
        return process

    def _mounts(self, spec: Object, variables: Mapping[str, str]) -> list[runtime.Mount]:
        mounts = []
        for mount in spec.get("volumeMounts") or []:
            inner = mount.get("subPath") or environment.expand(mount.get("subPathExpr", ""), variables)
            source = self._volumes[mount["name"]] / inner
            if not source.exists():
                source.mkdir(parents=True)
            mounts.append(runtime.Mount(source, mount["mountPath"], mount.get("readOnly", False)))
        return mounts

    def _report(self) -> None:
        codes = [each.exit_code for each in self._containers]
        running = any("running" in each.state for each in self._containers)
        init_failed = any(each.exit_code for each in self._inits)
        if init_failed or (None not in codes and any(codes)):
            phase = "Failed"
        elif None not in codes:
            phase = "Succeeded"
        else:
            phase = "Running" if running or any(code is not None for code in codes) else "Pending"
        initialized = all(each.exit_code == 0 for each in self._inits)
        ready = phase == "Running" and all("running" in each.state for each in self._containers)
        status = {
            "phase": phase,
            "startTime": self._started,
            "hostIP": "127.0.0.1",
            "podIP": self._ip,
            "podIPs": [{"ip": self._ip}],
            "conditions": [
                condition("Initialized", initialized),
                condition("ContainersReady", ready),
                condition("Ready", ready),
            ],
            "initContainerStatuses": [each.status() for each in self._inits],
            "containerStatuses": [each.status() for each in self._containers],
        }
        self._api.patch(f"{self._path}/status", {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": status})

    def _finalise(self) -> None:
        preconditions = {"uid": self._pod["metadata"]["uid"]}
        self._api.delete(
            self._path,
            {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": preconditions},
        )


def condition(name: str, true: bool) -> Object:
    """A condition of a pod or node."""
    return {"type": name, "status": "True" if true else "False", "lastTransitionTime": _now()}


def log_directory(directory: Path, namespace: str, pod: str) -> Path:
    """Where a pod's containers log, one file each."""
    return directory / "logs" / namespace / pod


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
