"""Watching: `watch` follows changes once, `Informer` keeps a copy of all objects in step for as long as it runs."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from crds.errors import DynamoError, Expired, Unreachable
from crds.kube import errors
from crds.kube.kinds import Resource
from crds.kube.resources import Cluster
from crds.kube.stream import Stream

Object = dict[str, Any]
Key = tuple[str, str]

WATCH_SECONDS = 290  # the server ends a watch after this; an idle connection that outlives it is dead
SOCKET_GRACE = 15.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_SHORTEST_WATCH = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """ADDED, MODIFIED or DELETED, and the object as it is (for DELETED: as it last was)."""

    type: str
    object: Object


class Watch(Iterator[Event]):
    """Events of one watch. `resource_version` moves on with events and bookmarks; `close` works from any thread.

    Raises:
        Expired: the version is too old; list again.
        Unreachable: the connection broke or stayed silent for longer than the server keeps a watch.
    """

    def __init__(self, stream: Stream, resource_version: str) -> None:
        self._stream, self.resource_version = stream, resource_version

    def __next__(self) -> Event:
        while True:
            line = next(self._stream)
            try:
                kind, found = _parsed(line)
                if kind == "ERROR":
                    raise errors.failure(
                        int(found.get("code") or 500), json.dumps(found).encode(), errors.Target("watch")
                    )
                self.resource_version = found["metadata"]["resourceVersion"]
            except BaseException:
                self.close()
                raise
            if kind != "BOOKMARK":
                return Event(kind, found)

    def close(self) -> None:
        """End the watch and its connection."""
        self._stream.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parsed(line: bytes) -> tuple[str, Object]:
    try:
        event = json.loads(line)
        return event["type"], event["object"]
    except (ValueError, TypeError, KeyError) as error:
        raise Unreachable("the watch was cut in the middle of an event", next="try again") from error


def watch(
    cluster: Cluster,
    resource: Resource,
    *,
    namespace: str | None = None,
    all_namespaces: bool = False,
    labels: str | None = None,
    fields: str | None = None,
    resource_version: str | None = None,
    timeout: float | None = None,
) -> Watch:
    """Follow changes since `resource_version`; without one, existing objects come first, each as ADDED.

    Ends without an error after `timeout` seconds (about five minutes if None): then go on from `.resource_version`.
    Bookmarks are asked for and only move that version.
    """
    seconds = max(1, round(timeout)) if timeout is not None else WATCH_SECONDS + random.randrange(20)
    query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
    chosen = {"labelSelector": labels, "fieldSelector": fields, "resourceVersion": resource_version}
    query |= {key: value for key, value in chosen.items() if value}
    path = resource.path(None if all_namespaces else namespace or cluster.namespace)
    stream = cluster.transport.stream(path, query=query, timeout=seconds + SOCKET_GRACE)
    return Watch(stream, resource_version or "")


class Informer:
    """A thread that keeps a copy of all objects of a type: lists, watches, and lists again when it lost the thread.

    `on_change(key, object or None)` is called in that thread, once the copy holds the change; None means deleted, also
    when that happened while the connection was down. `error` is the last failure while it lasts. Reads are safe from
    any thread; objects that are handed out are shared and must not be changed.

    Args:
        namespace: None means all namespaces.
        fields: a field selector. With `metadata.name=...`, rights to that one name are enough.
        keep: what to copy of an object, to hold less in memory; must keep name, namespace and resourceVersion.
        pause: waits that many seconds, True when woken because of `stop`; by default an event's wait.
        jitter: a number in [0, 1), stretches a pause by up to a half.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        keep: Callable[[Object], Object] = lambda found: found,
        on_change: Callable[[Key, Object | None], None] | None = None,
        pause: Callable[[float], bool] | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._resource, self._namespace, self._labels = cluster, resource, namespace, labels
        self._fields, self._keep, self._on_change = fields, keep, on_change
        self._stopped, self._synced = threading.Event(), threading.Event()
        self._pause, self._jitter, self._clock = pause or self._stopped.wait, jitter, clock
        self._lock = threading.Lock()
        self._objects: dict[Key, Object] = {}
        self._watch: Watch | None = None
        self._thread: threading.Thread | None = None
        self._failures = 0
        self.error: Exception | None = None

    def start(self) -> None:
        """Begin; returns at once. An informer starts once."""
        self._thread = threading.Thread(target=self._run, name=f"informer-{self._resource.plural}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, also when it waits for an event; what was copied stays readable.

        Returns within about a second: a thread whose request the server has not begun to answer is left to time out.
        """
        self._stopped.set()
        with self._lock:
            current = self._watch
        if current is not None:
            current.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1)

    def wait_synced(self, timeout: float) -> bool:
        """Wait until the first list is complete; False if it is not within `timeout` seconds."""
        return self._synced.wait(timeout)

    def get(self, namespace: str, name: str) -> Object | None:
        """The object as last seen; the namespace of a cluster-scoped one is ""."""
        with self._lock:
            return self._objects.get((namespace, name))

    def items(self) -> list[Object]:
        """All objects as last seen."""
        with self._lock:
            return list(self._objects.values())

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow(self._relist())
            except Expired as error:
                _log.debug("watch of %s: %s", self._resource.qualified, error)
            except DynamoError as error:
                self.error = error
                _log.warning("watch of %s: %s", self._resource.qualified, error)
            except Exception as error:  # noqa: BLE001 - whatever a broken server sends, a silent end would be worse
                self.error = error
                _log.exception("watch of %s", self._resource.qualified)
            if self._stopped.is_set() or self._pause(self._next_pause()):
                return

    def _next_pause(self) -> float:
        seconds = min(_FIRST_PAUSE * 2.0**self._failures, _LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 10)
        return seconds * (1 + self._jitter() / 2)

    def _relist(self) -> str:
        listing = self._cluster.list(
            self._resource,
            namespace=self._namespace,
            all_namespaces=self._namespace is None,
            labels=self._labels,
            fields=self._fields,
        )
        fresh = {_key(one): self._keep(one) for one in listing.items}
        with self._lock:
            old, self._objects = self._objects, fresh
        self.error = None
        self._synced.set()
        for key in old.keys() - fresh.keys():
            self._tell(key, None)
        for key, found in fresh.items():
            if key not in old or _version(old[key]) != _version(found):
                self._tell(key, found)
        return listing.resource_version

    def _follow(self, version: str) -> None:
        """Watch again and again from where the last watch ended, until something breaks."""
        while not self._stopped.is_set():
            current = watch(
                self._cluster,
                self._resource,
                namespace=self._namespace,
                all_namespaces=self._namespace is None,
                labels=self._labels,
                fields=self._fields,
                resource_version=version,
            )
            with self._lock:
                self._watch = current
            # stop() may have looked for a watch to close before this one was there.
            with current:
                if self._stopped.is_set():
                    return
                began = self._clock()
                for event in current:
                    self._failures, self.error = 0, None
                    self._take(event)
            if current.resource_version == version and self._clock() - began < _SHORTEST_WATCH:
                raise Unreachable("a watch ended as soon as it had begun", next="look for a proxy that cuts it")
            self._failures, self.error = 0, None
            version = current.resource_version

    def _take(self, event: Event) -> None:
        key = _key(event.object)
        found = None if event.type == "DELETED" else self._keep(event.object)
        with self._lock:
            if found is None:
                self._objects.pop(key, None)
            else:
                self._objects[key] = found
        self._tell(key, found)

    def _tell(self, key: Key, found: Object | None) -> None:
        if self._on_change is None or self._stopped.is_set():
            return
        try:
            self._on_change(key, found)
        except Exception:  # noqa: BLE001 - a mistake of the listener must not end the copy for everybody else
            _log.exception("the listener of %s failed on %s", self._resource.qualified, key)


def _key(found: Object) -> Key:
    metadata = found["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _version(found: Object) -> str:
    return str(found["metadata"].get("resourceVersion", ""))
