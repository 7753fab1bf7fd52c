"""`python -m profiler.relay`: the sidecar that carries a profiler's files to the output ConfigMap as they change.

It plays the part of the output-copier in NVIDIA's profiling Job and writes the same keys, so either controller can
read them: `phase` and `message` on each change; at the end `profiler_status` with the files, or with `profiler_error`.
A profiler that dies without a last word is reported as failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crds import vocabulary as v
from crds.errors import ClusterError, DynamoError
from crds.kube.resources import PODS, Cluster
from profiler.controller.jobs import labels, owner
from profiler.status import plain

PROFILER = "profiler"
POLL_SECONDS = 0.2
POD_EVERY = 10  # looks at the file per look at the pod
FIELD_MANAGER = "dgdr-relay"


@dataclass(frozen=True)
class Target:
    """The ConfigMap to write, and the request that owns it."""

    name: str
    namespace: str
    dgdr: str
    uid: str

    def document(self, data: Mapping[str, str]) -> dict[str, Any]:
        """The ConfigMap with `data`."""
        request = {"metadata": {"name": self.dgdr, "namespace": self.namespace, "uid": self.uid}}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": labels(request),
                "ownerReferences": [owner(request)],
            },
            "data": dict(data),
        }


def main(argv: list[str] | None = None) -> int:
    """Relay until the profiler is done. Exit code 0 also where the profiler failed: that is said in the ConfigMap."""
    parser = argparse.ArgumentParser(prog="python -m profiler.relay", description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, required=True, help="where the profiler writes its files")
    parser.add_argument("--config-map", required=True, help="ConfigMap to write")
    options = parser.parse_args(argv)
    try:
        target = Target(
            options.config_map, os.environ["DGDR_NAMESPACE"], os.environ["DGDR_NAME"], os.environ["DGDR_UID"]
        )
        cluster = Cluster.connect()
        relay(cluster, options.output_dir, target, pod=os.environ["POD_NAME"], sleep=time.sleep)
    except KeyError as error:
        print(f"error: environment variable {error} is not set", file=sys.stderr)  # noqa: T201 - an edge
        return 1
    except DynamoError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - an edge
        return error.exit_code
    return 0


def relay(cluster: Cluster, directory: Path, target: Target, *, pod: str, sleep: Callable[[float], None]) -> None:
    """Follow the status file in `directory` until its last state, writing each change to the ConfigMap.

    Raises ClusterError where the last state could not be written.
    """
    sent: dict[str, str] = {}
    looks = 0
    while True:
        status = _read(directory)
        if status.get("status") in ("success", "failed"):
            _write(cluster, target, _last(directory, status), sleep)
            return
        ended = _profiler_ended(cluster, target.namespace, pod) if looks % POD_EVERY == 0 else ""
        # Read once more: the profiler may have written its last word between the two looks.
        if ended and _read(directory) == status:
            _write(cluster, target, _died(status, ended), sleep)
            return
        seen = {key: status[key] for key in ("phase", "message") if status.get(key)}
        if seen and seen != sent:
            cluster.apply(target.document(seen), field_manager=FIELD_MANAGER, force=True)
            sent = seen
        looks += 1
        sleep(POLL_SECONDS)


def _read(directory: Path) -> dict[str, str]:
    """The status file's text values; empty where it is not there yet, or half-written by another profiler."""
    try:
        text = (directory / v.STATUS_FILE).read_text(encoding="utf-8")
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(key): plain(value) for key, value in found.items() if isinstance(value, str)}


def _last(directory: Path, status: Mapping[str, str]) -> dict[str, str]:
    data = {key: status[key] for key in ("phase", "message") if status.get(key)}
    data["profiler_status"] = status["status"]
    if status["status"] == "failed":
        data["profiler_error"] = status.get("error") or status.get("message") or "the profiler gave no reason"
    for name in (v.RESULT_FILE, v.STATUS_FILE, v.WEBUI_FILE):
        path = directory / name
        if path.exists() and (status["status"] == "success" or name == v.STATUS_FILE):
            data[name] = path.read_text(encoding="utf-8")
    return data


def _died(status: Mapping[str, str], reason: str) -> dict[str, str]:
    data = {key: status[key] for key in ("phase",) if status.get(key)}
    error = f"the profiler ended without a result: {reason}"
    return {**data, "message": error, "profiler_status": "failed", "profiler_error": error}


def _profiler_ended(cluster: Cluster, namespace: str, pod: str) -> str:
    """How the profiler's container ended, or an empty string while it runs."""
    try:
        found = cluster.get(PODS, pod, namespace=namespace)
    except ClusterError:
        return ""  # asked again soon; the status file is the first source
    for container in found.get("status", {}).get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated")
        if container.get("name") == PROFILER and ended:
            return f"exit code {ended.get('exitCode')}, {ended.get('reason', 'no reason given')}"
    return ""


def _write(cluster: Cluster, target: Target, data: Mapping[str, str], sleep: Callable[[float], None]) -> None:
    """Write the last state, trying for about half a minute: without it the whole profile is lost."""
    for attempt in range(6):
        try:
            cluster.apply(target.document(data), field_manager=FIELD_MANAGER, force=True)
            return
        except ClusterError:
            if attempt == 5:
                raise
            sleep(2.0**attempt)


if __name__ == "__main__":
    sys.exit(main())
