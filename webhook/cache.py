"""The facts of a cluster, kept in memory by watches, so that no review ever waits for a call.

Each kind is watched by itself and cut down to what is asked of it: without rights to one kind, or with the API server
away, the others and the rules still answer. Of secrets only the one name is watched, and nothing of its content kept.
API groups and DCGM exporters cannot be watched; a thread asks for them every minute.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.errors import DynamoError
from crds.fields import get
from crds.kube.resources import DGD, DGDR, NODES, PVCS, SECRETS, Cluster
from crds.kube.watch import Informer, Key
from profiler.discovery import dcgm
from profiler.discovery.nodes import Exporter
from profiler.discovery.pools import Discovery, discover

Object = dict[str, Any]

ASK_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class Cache:
    """Facts (see `webhook.facts`) of one cluster. Starts once; reads are safe from any thread and never wait."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        scan: Callable[[Cluster, list[Object]], tuple[Exporter, ...]] = dcgm.scan,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._scan, self._clock = cluster, scan, clock
        self._nodes = Informer(cluster, NODES, keep=_node, on_change=self._node_changed)
        self._requests = Informer(cluster, DGDR, keep=_request)
        self._deployments = Informer(cluster, DGD, keep=_name_only)
        self._claims = Informer(cluster, PVCS, keep=_name_only)
        self._tokens = Informer(cluster, SECRETS, fields=f"metadata.name={v.HF_TOKEN_SECRET}", keep=_name_only)
        self._informers = (self._nodes, self._requests, self._deployments, self._claims, self._tokens)
        self._lock = threading.Lock()
        self._seen: dict[Key, Object] = {}
        self._exporters: tuple[Exporter, ...] = ()
        self._discovery: Discovery | None = None
        self._groups: frozenset[str] | None = None
        self._stopped = threading.Event()
        self._began = clock()
        self._heard: dict[Informer, float] = {}
        self._thread: threading.Thread | None = None

    @classmethod
    def connect(cls, cluster: Cluster) -> Cache:
        """The cache of a cluster, with DCGM exporters asked over HTTP. Sends nothing before `start`."""
        return cls(cluster)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._began = self._clock()
        for informer in self._informers:
            informer.start()
        self._thread = threading.Thread(target=self._run, name="cache", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watches; what is known stays readable."""
        self._stopped.set()
        for informer in self._informers:
            informer.stop()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def wait_synced(self, timeout: float) -> bool:
        """Wait for every kind's first list; False if one is not there within `timeout` seconds (or may not be read)."""
        end = self._clock() + timeout
        return all(informer.wait_synced(max(0.0, end - self._clock())) for informer in self._informers)

    def age_seconds(self) -> float:
        """Time since the kind that has been silent for longest was in step; of kinds that may be read at all."""
        with self._lock:
            since = min(self._heard.values(), default=self._began)
        age = self._clock() - since
        # Looked at every few seconds: less than that is no age.
        return age if age > 2 * LOOK_SECONDS else 0.0

    def discovery(self) -> Discovery | None:
        """GPUs of the cluster, None before the nodes are known."""
        if not self._nodes.wait_synced(0):
            return None
        with self._lock:
            if self._discovery is None:
                self._discovery = discover(self._nodes.items(), self._exporters)
            return self._discovery

    def request(self, namespace: str, name: str) -> Object | None:
        """What injection needs of a DGDR."""
        return self._requests.get(namespace, name)

    def has_deployment(self, namespace: str, name: str) -> bool | None:
        """Whether a DGD exists."""
        return _has(self._deployments, namespace, name)

    def has_claim(self, namespace: str, name: str) -> bool | None:
        """Whether a PersistentVolumeClaim exists."""
        return _has(self._claims, namespace, name)

    def has_token(self, namespace: str) -> bool | None:
        """Whether the secret with the Hugging Face token exists."""
        return _has(self._tokens, namespace, v.HF_TOKEN_SECRET)

    def api_groups(self) -> frozenset[str] | None:
        """API groups that the cluster serves."""
        return self._groups

    def _node_changed(self, key: Key, node: Object | None) -> None:
        """Forget the pools only where a node changed in what makes them: heartbeats come all the time."""
        seen = {**node, "metadata": {"labels": node["metadata"].get("labels")}} if node is not None else None
        with self._lock:
            if seen != self._seen.pop(key, None):
                self._discovery = None
            if seen is not None:
                self._seen[key] = seen

    def _run(self) -> None:
        groups_due = exporters_due = self._clock()
        while True:
            self._look()
            now, nodes_known = self._clock(), self._nodes.wait_synced(0)
            if now >= groups_due:
                groups_due = now + ASK_SECONDS
                self._ask(self._ask_groups)
            # The nodes say which exporters are to be asked.
            if nodes_known and now >= exporters_due:
                exporters_due = now + ASK_SECONDS
                self._ask(self._ask_exporters)
            if self._stopped.wait(LOOK_SECONDS if nodes_known else LOOK_SECONDS / 10):
                return

    def _look(self) -> None:
        """Note which watches are in step."""
        now = self._clock()
        with self._lock:
            for informer in self._informers:
                if informer.error is None and informer.wait_synced(0):
                    self._heard[informer] = now

    def _ask(self, question: Callable[[], None]) -> None:
        try:
            question()
        except DynamoError as error:
            _log.debug("%s", error)
        except Exception:  # noqa: BLE001 - whatever a broken server sends must not end the thread
            _log.exception("a question to the cluster")

    def _ask_groups(self) -> None:
        answer = self._cluster.transport.request("GET", "/apis")
        if answer.code == 200:
            self._groups = frozenset(group["name"] for group in json.loads(answer.body)["groups"])

    def _ask_exporters(self) -> None:
        found = self._scan(self._cluster, self._nodes.items())
        with self._lock:
            if found != self._exporters:
                self._exporters, self._discovery = found, None


def _has(informer: Informer, namespace: str, name: str) -> bool | None:
    if not informer.wait_synced(0):
        return None
    return informer.get(namespace, name) is not None


def _metadata(found: Mapping[str, Any], *more: str) -> Object:
    metadata = found["metadata"]
    return {key: metadata[key] for key in ("name", "namespace", "resourceVersion", *more) if key in metadata}


def _name_only(found: Object) -> Object:
    return {"metadata": _metadata(found)}


def _node(found: Object) -> Object:
    """What `profiler.discovery.nodes` reads: labels, taints, whether it is cordoned and ready, and its GPUs."""
    spec, status = found.get("spec") or {}, found.get("status") or {}
    allocatable = status.get("allocatable") or {}
    ready = [
        {"type": "Ready", "status": one.get("status")}
        for one in status.get("conditions") or ()
        if one.get("type") == "Ready"
    ]
    return {
        "metadata": _metadata(found, "labels"),
        "spec": {key: spec[key] for key in ("unschedulable", "taints") if key in spec},
        "status": {
            "conditions": ready,
            "allocatable": {key: value for key, value in allocatable.items() if key.endswith(".com/gpu")},
        },
    }


def _request(found: Object) -> Object:
    """What injection reads: the GPU, the model cache and the tolerations."""
    path = "overrides.profilingJob.template.spec.tolerations"
    spec = found.get("spec") or {}
    return {
        "metadata": _metadata(found),
        "spec": {
            "hardware": {"gpuSku": get(spec, "hardware.gpuSku")},
            "modelCache": spec.get("modelCache"),
            "overrides": {"profilingJob": {"template": {"spec": {"tolerations": get(spec, path)}}}},
        },
    }
