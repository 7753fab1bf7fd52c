"""The facts of a cluster as watches bring them, and what is known without rights or without a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crds.kube.access import Access
from crds.kube.resources import Cluster
from crds.kube.transport import Transport
from profiler.discovery.nodes import Exporter
from tests.crds.kube.server import Handler, Server, running, says, status
from webhook.cache import Cache

TAINT = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}


def node(name: str, version: str = "1", **labels: str) -> dict[str, Any]:
    gpus = {"nvidia.com/gpu.product": "NVIDIA-H200", "nvidia.com/gpu.count": "8", "nvidia.com/gpu.memory": "143771"}
    return {
        "metadata": {"name": name, "resourceVersion": version, "labels": gpus | labels, "annotations": {"big": "x"}},
        "spec": {"taints": [TAINT], "podCIDR": "10.0.0.0/24"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": version}],
            "allocatable": {"cpu": "64", "nvidia.com/gpu": "8"},
            "images": [{"names": ["large"]}],
        },
    }


def named(name: str, namespace: str = "team", **extra: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"}, **extra}


class Api:
    """What the server lists by path; `watching` holds what its watches send once. Without an entry: 403."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.watching: dict[str, list[dict[str, Any]]] = {}
        self.away = False
        self.asked: list[str] = []

    def __call__(self, handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        self.asked.append(handler.path)
        kind = path.rpartition("/")[2]
        if self.away:
            status(503, "ServiceUnavailable")(handler)
        elif path == "/apis" and "apis" in self.objects:
            says({"groups": self.objects["apis"]})(handler)
        elif kind not in self.objects:
            status(403, "Forbidden")(handler)
        elif "watch=true" in query:
            self._stream(kind, handler)
        else:
            says({"metadata": {"resourceVersion": "1"}, "items": self.objects[kind]})(handler)

    def _stream(self, kind: str, handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not (handler.server.released.wait(0.01) or self.away):
            for event in self.watching.pop(kind, ()):
                line = json.dumps(event).encode() + b"\n"
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        handler.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def api(server: Server) -> Api:
    found = Api()
    server.answers = [found]
    return found


@pytest.fixture
def started(server: Server) -> Iterator[Callable[..., Cache]]:
    caches = []

    def start(**options: Any) -> Cache:
        cluster = Cluster(Transport(Access(server=server.url, context="test")), "mine")
        cache = Cache(cluster, **{"scan": lambda *_: (), **options})
        caches.append(cache)
        cache.start()
        return cache

    yield start
    for cache in caches:
        cache.stop()


def eventually(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "did not happen within 5 s"
        time.sleep(0.01)


def everything(api: Api) -> None:
    request = named(
        "qwen", spec={"modelCache": {"pvcName": "models"}, "hardware": {"gpuSku": "h200_sxm"}, "model": "m"}
    )
    api.objects |= {
        "nodes": [node("a"), node("b")],
        "dynamographdeploymentrequests": [request],
        "dynamographdeployments": [named("qwen-dgd")],
        "persistentvolumeclaims": [named("models")],
        "secrets": [named("hf-token-secret", data={"HF_TOKEN": "c2VjcmV0"})],
        "apis": [{"name": "apps"}, {"name": "grove.io"}],
    }


def test_everything_that_may_be_read_is_known(api: Api, started: Callable[..., Cache]) -> None:
    everything(api)
    cache = started()
    assert cache.wait_synced(5)
    discovery = cache.discovery()
    assert discovery is not None
    assert [(pool.sku, pool.total_gpus) for pool in discovery.pools] == [("h200_sxm", 16)]
    assert (cache.has_claim("team", "models"), cache.has_claim("team", "other")) == (True, False)
    assert (cache.has_deployment("team", "qwen-dgd"), cache.has_deployment("x", "qwen-dgd")) == (True, False)
    assert (cache.has_token("team"), cache.has_token("x")) == (True, False)
    assert cache.request("team", "qwen") is not None
    eventually(lambda: cache.api_groups() == {"apps", "grove.io"})
    assert cache.age_seconds() == 0


def test_of_secrets_one_name_is_watched_and_no_content_kept(api: Api, started: Callable[..., Cache]) -> None:
    everything(api)
    cache = started()
    assert cache.wait_synced(5)
    asked = [path for path in api.asked if "/secrets" in path]
    assert all("fieldSelector=metadata.name%3Dhf-token-secret" in path for path in asked)
    assert "c2VjcmV0" not in repr(cache._tokens.items())


def test_without_rights_the_rest_is_known(api: Api, started: Callable[..., Cache]) -> None:
    everything(api)
    del api.objects["secrets"], api.objects["nodes"]
    cache = started()
    assert not cache.wait_synced(0.3)
    eventually(lambda: cache.has_claim("team", "models"))
    assert (cache.has_token("team"), cache.discovery()) == (None, None)


def test_with_the_server_away_nothing_is_known_and_nothing_fails(api: Api, started: Callable[..., Cache]) -> None:
    api.away = True
    cache = started()
    assert not cache.wait_synced(0.2)
    assert cache.discovery() is None
    assert cache.api_groups() is None
    assert cache.has_deployment("team", "x") is None
    assert cache.request("team", "x") is None


def test_a_server_that_goes_away_leaves_what_is_known_and_the_age_grows(
    api: Api, started: Callable[..., Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.cache.LOOK_SECONDS", 0.05)
    everything(api)
    cache = started()
    assert cache.wait_synced(5)
    eventually(lambda: cache.api_groups())
    api.away = True
    eventually(lambda: cache.age_seconds() > 0.3)
    assert cache.has_claim("team", "models") is True
    api.away = False
    eventually(lambda: cache.age_seconds() == 0)


def test_a_heartbeat_keeps_the_pools_and_a_cordon_makes_new_ones(api: Api, started: Callable[..., Cache]) -> None:
    everything(api)
    cache = started()
    assert cache.wait_synced(5)
    before = cache.discovery()
    api.watching["nodes"] = [{"type": "MODIFIED", "object": node("a", "2")}]
    eventually(lambda: cache._nodes.get("", "a")["metadata"]["resourceVersion"] == "2")
    assert cache.discovery() is before
    cordoned = node("a", "3")
    cordoned["spec"]["unschedulable"] = True
    api.watching["nodes"] = [{"type": "MODIFIED", "object": cordoned}]
    eventually(lambda: cache.discovery().ignored == (("a", "cordoned"),))


def test_a_node_that_goes_takes_its_gpus_with_it(api: Api, started: Callable[..., Cache]) -> None:
    everything(api)
    cache = started()
    assert cache.wait_synced(5)
    api.watching["nodes"] = [{"type": "DELETED", "object": node("a", "2")}]
    eventually(lambda: cache.discovery().pools[0].total_gpus == 8)


def test_exporters_add_what_labels_do_not_say(api: Api, started: Callable[..., Cache]) -> None:
    everything(api)
    scans: list[int] = []

    def scan(_: Cluster, nodes: list[dict[str, Any]]) -> tuple[Exporter, ...]:
        scans.append(len(nodes))
        return (Exporter("a", "NVIDIA H200", 8, 143771, nvlink=True),)

    cache = started(scan=scan)
    eventually(lambda: cache.discovery() and cache.discovery().pools[0].interconnect == "nvlink")
    assert scans == [2]


def test_a_cache_that_never_started_can_be_stopped(server: Server) -> None:
    Cache.connect(Cluster(Transport(Access(server=server.url, context="test")), "mine")).stop()
