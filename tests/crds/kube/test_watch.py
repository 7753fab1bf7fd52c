"""Watches and informers against a server that cuts, expires and falls silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from crds.errors import ApiError, Expired, Unreachable
from crds.kube.resources import CONFIGMAPS, Cluster
from crds.kube.watch import Event, Informer, watch
from tests.crds.kube.server import Answer, Server, hang_up, listing, says, silence, status, streams


def thing(name: str, version: str, namespace: str = "n") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": version},
    }


def event(kind: str, name: str, version: str) -> dict[str, Any]:
    return {"type": kind, "object": thing(name, version)}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "did not happen within 5 s"
        time.sleep(0.01)


# One watch.


def test_events_come_out_and_bookmarks_only_move_the_version(cluster: Cluster, server: Server) -> None:
    server.answers = [streams(event("ADDED", "a", "5"), bookmark("9"))]
    changes = watch(cluster, CONFIGMAPS, resource_version="4", labels="x=1", timeout=60)
    assert list(changes) == [Event("ADDED", thing("a", "5"))]
    assert changes.resource_version == "9"
    path = server.asked[0].path
    assert path.startswith("/api/v1/namespaces/mine/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=60&")
    assert path.endswith("labelSelector=x%3D1&resourceVersion=4")


@pytest.mark.parametrize("answer", [streams(EXPIRED), status(410, "Expired", "too old")])
def test_a_version_that_is_too_old_raises_expired(cluster: Cluster, server: Server, answer: Answer) -> None:
    server.answers = [answer]
    with pytest.raises(Expired):
        next(watch(cluster, CONFIGMAPS, resource_version="1"))


def test_another_error_in_the_stream_is_the_servers_own(cluster: Cluster, server: Server) -> None:
    failed = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "reason": "InternalError", "message": "boom"}}
    server.answers = [streams(failed)]
    with pytest.raises(ApiError, match=r"Error from server \(InternalError\): boom"):
        next(watch(cluster, CONFIGMAPS))


@pytest.mark.parametrize("answer", [streams(event("ADDED", "a", "1"), b'{"type": "AD', end="cut"), streams(b"<html>")])
def test_a_watch_that_is_cut_or_no_watch_raises_unreachable(cluster: Cluster, server: Server, answer: Answer) -> None:
    server.answers = [answer]
    with pytest.raises(Unreachable):
        list(watch(cluster, CONFIGMAPS))


# The informer.


class Pauses:
    """Stands in for the waiting between attempts: notes how long, and returns at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return False


def informer(cluster: Cluster, **more: Any) -> tuple[Informer, list[tuple[str, str | None]], Pauses]:
    """An informer, what it told (name, version or None), and how it paused."""
    told: list[tuple[str, str | None]] = []
    pauses = Pauses()
    one = Informer(
        cluster,
        CONFIGMAPS,
        on_change=lambda key, found: told.append((key[1], found and found["metadata"]["resourceVersion"])),
        pause=pauses,
        jitter=lambda: 0.0,
        **more,
    )
    return one, told, pauses


def test_an_informer_lists_then_follows(cluster: Cluster, server: Server) -> None:
    changes = streams(event("ADDED", "b", "8"), event("MODIFIED", "a", "9"), event("DELETED", "b", "10"), end="open")
    server.answers = [listing(thing("a", "5"), version="7"), changes]
    one, told, _ = informer(cluster)
    one.start()
    assert one.wait_synced(5)
    eventually(lambda: len(told) == 4)
    one.stop()
    assert told == [("a", "5"), ("b", "8"), ("a", "9"), ("b", None)]
    assert one.items() == [one.get("n", "a")] == [thing("a", "9")]
    assert "resourceVersion=7" in server.asked[1].path


@pytest.mark.parametrize("last", [streams(EXPIRED), streams(end="cut"), hang_up])
def test_a_lost_watch_lists_again_and_tells_what_changed_meanwhile(
    cluster: Cluster, server: Server, last: Answer
) -> None:
    server.answers = [
        listing(thing("same", "1"), thing("gone", "2"), thing("changed", "3"), version="4"),
        last,
        listing(thing("same", "1"), thing("changed", "8"), thing("new", "9"), version="10"),
        streams(end="open"),
    ]
    if last is hang_up:
        server.answers.insert(2, hang_up)  # a read that loses its connection is tried a second time
    one, told, _ = informer(cluster)
    one.start()
    eventually(lambda: len(told) == 6)
    one.stop()
    assert told == [("same", "1"), ("gone", "2"), ("changed", "3"), ("gone", None), ("changed", "8"), ("new", "9")]


def test_a_watch_that_ends_well_goes_on_from_its_bookmark(cluster: Cluster, server: Server) -> None:
    server.answers = [listing(version="4"), streams(bookmark("6")), streams(event("ADDED", "a", "7"), end="open")]
    one, told, pauses = informer(cluster)
    one.start()
    eventually(lambda: bool(told))
    one.stop()
    assert "resourceVersion=6" in server.asked[2].path
    assert pauses.seconds == []


def test_failures_back_off_and_the_last_one_can_be_asked_for(cluster: Cluster, server: Server) -> None:
    broken = [status(503, "ServiceUnavailable", "later")] * 7
    server.answers = [*broken, listing(version="1"), streams(event("ADDED", "a", "2"), end="open")]
    one, told, pauses = informer(cluster)
    assert not one.wait_synced(0)
    one.start()
    eventually(lambda: bool(told))
    one.stop()
    assert pauses.seconds == [1, 2, 4, 8, 16, 30, 30]
    assert one.error is None


def test_missing_rights_keep_an_informer_from_being_synced(cluster: Cluster, server: Server) -> None:
    server.answers = [status(403, "Forbidden", 'x is forbidden: User "u" cannot list resource "configmaps"')]
    one = Informer(cluster, CONFIGMAPS)
    one.start()
    eventually(lambda: one.error is not None)
    assert not one.wait_synced(0.05)
    assert "cannot list" in str(one.error)
    began = time.monotonic()
    one.stop()
    assert time.monotonic() - began < 1


def test_a_proxy_that_ends_every_watch_at_once_is_not_asked_in_a_hot_loop(cluster: Cluster, server: Server) -> None:
    server.answers = [listing(version="1"), streams(), listing(version="1"), streams(), listing(version="1"), silence]
    one, _, pauses = informer(cluster)
    one.start()
    eventually(lambda: len(server.asked) == 6)
    assert pauses.seconds == [1, 2]
    server.released.set()
    one.stop()


def test_jitter_stretches_a_pause() -> None:
    pauses = Pauses()
    one = Informer(
        _Unreachable(), CONFIGMAPS, pause=lambda s: pauses(s) or len(pauses.seconds) == 2, jitter=lambda: 0.5
    )
    one.start()
    eventually(lambda: len(pauses.seconds) == 2)
    assert pauses.seconds == [1.25, 2.5]


class _Unreachable(Cluster):
    """A cluster that is down."""

    def __init__(self) -> None:
        """Needs no transport."""

    def list(self, *_: Any, **__: Any) -> Any:
        raise Unreachable("down")


def test_a_listener_that_fails_does_not_end_the_informer(cluster: Cluster, server: Server) -> None:
    server.answers = [listing(thing("a", "1"), version="2"), streams(event("ADDED", "b", "3"), end="open")]

    def fail(*_: object) -> None:
        raise RuntimeError("a mistake")

    one = Informer(cluster, CONFIGMAPS, on_change=fail)
    one.start()
    eventually(lambda: one.get("n", "b") is not None)
    one.stop()


def test_nonsense_from_the_server_does_not_end_the_informer(cluster: Cluster, server: Server) -> None:
    server.answers = [says({"no": "list"}), listing(thing("a", "1"), version="2"), streams(end="open")]
    one, told, _ = informer(cluster)
    one.start()
    eventually(lambda: told == [("a", "1")])
    one.stop()


@pytest.mark.parametrize("answers", [[listing(version="1"), streams(end="open")], [listing(version="1"), silence]])
def test_stop_does_not_wait_for_an_event(cluster: Cluster, server: Server, answers: list[Answer]) -> None:
    server.answers = answers
    one = Informer(cluster, CONFIGMAPS)
    one.start()
    eventually(lambda: len(server.asked) == 2)
    time.sleep(0.1)
    began = time.monotonic()
    one.stop()
    assert time.monotonic() - began < 2


def test_the_thread_ends_with_stop(cluster: Cluster, server: Server) -> None:
    server.answers = [listing(version="1"), streams(end="open")]
    one = Informer(cluster, CONFIGMAPS)
    one.start()
    assert one.wait_synced(5)
    one.stop()
    assert not any(thread.name == "informer-configmaps" for thread in threading.enumerate())


def test_an_informer_asks_for_what_it_selects_and_copies_what_it_keeps(cluster: Cluster, server: Server) -> None:
    def keep(found: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": found["metadata"]}

    server.answers = [listing(thing("a", "1"), version="1"), streams(event("ADDED", "b", "2")), silence]
    informer = Informer(cluster, CONFIGMAPS, fields="metadata.name=a", keep=keep)
    informer.start()
    eventually(lambda: len(informer.items()) == 2)
    informer.stop()
    assert all("fieldSelector=metadata.name%3Da" in asked.path for asked in server.asked[:2])
    assert [set(one) for one in informer.items()] == [{"metadata"}, {"metadata"}]
