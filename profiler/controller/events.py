"""Events on a request. Recording the same thing twice counts it, so a restarted controller repeats nothing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from crds import vocabulary as v
from crds.errors import ClusterError, Conflict
from crds.kube.resources import EVENTS, Cluster
from profiler.controller.states import Note, timestamp

log = logging.getLogger(__name__)
COMPONENT = "dgdr-controller"


class Recorder:
    """Writes events; an event that cannot be written is logged and never stops a reconcile."""

    def __init__(self, cluster: Cluster, now: Callable[[], datetime]) -> None:
        self._cluster, self._now = cluster, now

    def record(self, dgdr: Mapping[str, Any], note: Note) -> None:
        """Record `note` on `dgdr`."""
        metadata = dgdr["metadata"]
        digest = hashlib.sha256(f"{metadata['uid']} {note.type} {note.reason} {note.message}".encode()).hexdigest()
        name = f"{metadata['name']}.{digest[:16]}"
        try:
            self._cluster.create(EVENTS, self._event(dgdr, note, name), namespace=metadata["namespace"])
        except Conflict:
            self._count(name, metadata["namespace"])
        except ClusterError as error:
            log.warning("event %s on %s/%s lost: %s", note.reason, metadata["namespace"], metadata["name"], error)

    def _event(self, dgdr: Mapping[str, Any], note: Note, name: str) -> dict[str, Any]:
        metadata, time = dgdr["metadata"], timestamp(self._now())
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": v.DGDR_API_VERSION,
                "kind": str(v.Kind.DGDR),
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": note.type,
            "reason": note.reason,
            "message": note.message[:1024],
            "source": {"component": COMPONENT},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }

    def _count(self, name: str, namespace: str) -> None:
        try:
            seen = self._cluster.get(EVENTS, name, namespace=namespace)
            change = {"count": int(seen.get("count") or 1) + 1, "lastTimestamp": timestamp(self._now())}
            self._cluster.patch(EVENTS, name, change, namespace=namespace)
        except ClusterError as error:
            log.warning("event %s/%s not counted: %s", namespace, name, error)
