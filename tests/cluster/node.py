"""A small kubelet for every node of the test cluster.

    python -m tests.cluster.node CONTROL_PLANE_DIRECTORY

It registers GPU nodes and a CPU node and serves whatever pod is bound to any node: a profiling pod's containers really
run, as processes of this machine (`tests.cluster.pod`); every other pod is just reported Running and Ready. It also
gives each PersistentVolumeClaim a volume. The controllers that watch nodes' heartbeats are off, so a node stays Ready.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from tests.cluster import volumes
from tests.cluster.api import Api, ApiFailure
from tests.cluster.pod import Pod, condition, log_directory

Object = dict[str, Any]
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
ADDRESSES = (f"10.244.{high}.{low}" for high, low in itertools.product(range(256), range(1, 255)))


@dataclass(frozen=True)
class Node:
    """A node to register. `product` and `memory_mib` (of one GPU) are as GPU feature discovery labels them."""

    name: str
    gpus: int = 0
    product: str = ""
    memory_mib: int = 0
    taints: tuple[dict[str, str], ...] = (GPU_TAINT,)
    labels: tuple[tuple[str, str], ...] = ()

    def document(self) -> Object:
        """The Node object, without its status."""
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        if self.gpus:
            labels |= {
                "nvidia.com/gpu.product": self.product,
                "nvidia.com/gpu.count": str(self.gpus),
                "nvidia.com/gpu.memory": str(self.memory_mib),
            }
        metadata = {"name": self.name, "labels": labels | dict(self.labels)}
        return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}

    def status(self) -> Object:
        """Its status: Ready, with room for many small pods."""
        capacity = {"cpu": "64", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": "250"}
        if self.gpus:
            capacity["nvidia.com/gpu"] = str(self.gpus)
        return {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [condition("Ready", True)],
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": self.name},
            ],
        }


NODES = (
    Node("cpu-1"),
    Node("gpu-1", 8, "NVIDIA-H200", 143771),
    Node("gpu-2", 8, "NVIDIA-H200", 143771),
)


@dataclass(frozen=True)
class Nodes:
    """What a test sees of the nodes."""

    api: Api
    directory: Path

    def add(self, node: Node) -> None:
        """Register one more node. Remove it again: every test of the run sees it."""
        self.api.post("/api/v1/nodes", node.document())
        # Admission taints a new node as not ready; no node controller runs that would take the taint away.
        taints = list(node.taints) if node.gpus else []
        self.api.patch(f"/api/v1/nodes/{node.name}", {"spec": {"taints": taints}})
        self.api.patch(f"/api/v1/nodes/{node.name}/status", {"status": node.status()})

    def remove(self, name: str) -> None:
        """Delete a node."""
        self.api.delete(f"/api/v1/nodes/{name}")

    def logs(self, namespace: str, pod: str, container: str) -> str:
        """stdout and stderr of a container that really ran, or runs."""
        return (log_directory(self.directory, namespace, pod) / f"{container}.log").read_text(errors="replace")


class Kubelet:
    """Serves the pods of every node."""

    def __init__(self, api: Api, directory: Path) -> None:
        self._api, self._directory = api, directory
        self._running: dict[str, Pod] = {}

    def on_pod(self, kind: str, pod: Object) -> None:
        """Handle a watch event of a pod that is bound to a node."""
        uid = pod["metadata"]["uid"]
        running = self._running.get(uid)
        if kind == "DELETED":
            if running:
                running.delete(0)
            self._running.pop(uid, None)
        elif "deletionTimestamp" in pod["metadata"]:
            self._delete(pod, running)
        elif running is None and pod["status"].get("phase") == "Pending" and "podIP" not in pod["status"]:
            self._start(pod)

    def on_claim(self, kind: str, claim: Object) -> None:
        """Give a claim without a volume one, which the volume controller then binds."""
        metadata, spec = claim["metadata"], claim["spec"]
        name = f"claim-{metadata['uid']}"
        if kind == "DELETED":
            self._api.delete(f"/api/v1/persistentvolumes/{name}")
        elif not spec.get("volumeName") and claim["status"].get("phase") == "Pending":
            directory = volumes.claim_directory(self._directory / "claims", metadata["namespace"], metadata["name"])
            directory.mkdir(parents=True, exist_ok=True)
            self._api.post("/api/v1/persistentvolumes", _volume(name, claim, directory))

    def _start(self, pod: Object) -> None:
        ip = next(ADDRESSES)
        if really_runs(pod):
            running = self._running[pod["metadata"]["uid"]] = Pod(pod, self._api, ip, self._directory)
            running.start()
        else:
            self._api.patch(f"{_path(pod)}/status", {"status": _running_status(pod, ip)})

    def _delete(self, pod: Object, running: Pod | None) -> None:
        if running is not None and running.alive:
            running.delete(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
            return
        if pod["status"].get("phase") not in ("Succeeded", "Failed"):
            # A Job counts a pod only once its phase is final, and keeps it until then.
            self._api.patch(f"{_path(pod)}/status", {"status": {"phase": "Failed"}})
        self._api.delete(_path(pod), {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})


def really_runs(pod: Object) -> bool:
    """Whether the containers of `pod` run as processes: it belongs to a profiling Job."""
    labels = pod["metadata"].get("labels") or {}
    return labels.get("app") == "dynamo-profiler" or "nvidia.com/dgdr-name" in labels


def follow(api: Api, path: str, handle: Callable[[str, Object], None], **query: str) -> None:
    """List and watch `path` for ever, handing each object to `handle` with the kind of its event."""
    while True:
        try:
            listed = api.get(path, **query)
            for item in listed["items"]:
                _quietly(handle, "ADDED", item)
            version = listed["metadata"]["resourceVersion"]
            for event in api.watch(path, version, **query):
                if event["type"] != "BOOKMARK":
                    _quietly(handle, event["type"], event["object"])
        except (ApiFailure, HTTPError) as failure:
            print(f"{path}: {failure}; listing again", file=sys.stderr, flush=True)
            time.sleep(0.2)


def _quietly(handle: Callable[[str, Object], None], kind: str, item: Object) -> None:
    """Handle one event; that an object is gone or changed meanwhile is for a later event to say."""
    try:
        handle(kind, item)
    except ApiFailure as failure:
        if failure.code not in (404, 409):
            print(f"{item['metadata']['name']}: {failure}", file=sys.stderr, flush=True)
    except Exception:  # noqa: BLE001 - one odd pod must not take the nodes away from every other test
        traceback.print_exc()


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _running_status(pod: Object, ip: str) -> Object:
    started = condition("Ready", True)["lastTransitionTime"]
    statuses = [
        {
            "name": container["name"],
            "image": container.get("image", ""),
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": started}},
        }
        for container in pod["spec"]["containers"]
    ]
    return {
        "phase": "Running",
        "startTime": started,
        "hostIP": "127.0.0.1",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [condition(name, True) for name in ("Initialized", "ContainersReady", "Ready")],
        "containerStatuses": statuses,
    }


def _volume(name: str, claim: Object, directory: Path) -> Object:
    metadata, spec = claim["metadata"], claim["spec"]
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        **{key: metadata[key] for key in ("namespace", "name", "uid")},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName", ""),
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": reference,
            "hostPath": {"path": str(directory)},
        },
    }


def main(control_plane: Path) -> None:
    """Register the nodes and serve them until this process is ended."""
    api = Api.of_kubeconfig(control_plane / "kubeconfig")
    directory = control_plane / "nodes"
    directory.mkdir()
    kubelet, nodes = Kubelet(api, directory), Nodes(api, directory)
    for node in NODES:
        nodes.add(node)
    threading.Thread(target=follow, args=(api, "/api/v1/persistentvolumeclaims", kubelet.on_claim), daemon=True).start()
    follow(api, "/api/v1/pods", kubelet.on_pod, fieldSelector="spec.nodeName!=")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
