"""DCGM exporters: which are asked, what their metrics say, and that a broken one harms nobody."""

from __future__ import annotations

from typing import Any

import pytest

from crds.errors import InputError, Unreachable
from crds.kube.access import Access
from crds.kube.resources import Cluster
from crds.kube.transport import Transport
from profiler.discovery import dcgm
from profiler.discovery.nodes import Exporter
from tests.crds.kube.server import Handler, listing, running, says, silence


def metrics(gpus: int = 8, model: str = "NVIDIA H100 80GB HBM3", links: int = 18, *, slice_: str = "") -> str:
    lines = []
    for name, value in (
        ("DCGM_FI_DEV_SM_CLOCK", 1980),
        ("DCGM_FI_DEV_GPU_TEMP", 34),
        ("DCGM_FI_DEV_FB_FREE", 80000),
        ("DCGM_FI_DEV_FB_USED", 1000),
        ("DCGM_FI_DEV_FB_RESERVED", 559),
        ("DCGM_FI_DEV_NVLINK_LINK_COUNT", links),
    ):
        lines += [f"# HELP {name} Something of a GPU.", f"# TYPE {name} gauge"]
        for index in range(gpus):
            part = f',GPU_I_ID="{slice_}"' if slice_ else ""
            lines.append(f'{name}{{gpu="{index}",UUID="GPU-{index}",modelName="{model}",Hostname="a"{part}}} {value}')
    return "\n".join(lines) + "\n"


def test_gpus_memory_and_links_are_read() -> None:
    assert dcgm.parse(metrics(), "a") == Exporter("a", "NVIDIA H100 80GB HBM3", 8, 81559, nvlink=True)


def test_gpus_without_links_are_on_pcie() -> None:
    found = dcgm.parse(metrics(2, "NVIDIA L40S", 0), "a")
    assert found == Exporter("a", "NVIDIA L40S", 2, 81559, nvlink=False)


def test_slices_are_seen() -> None:
    found = dcgm.parse(metrics(1, slice_="7"), "a")
    assert found is not None
    assert found.sliced


@pytest.mark.parametrize("text", ["", "# nothing here\n", 'up{job="x"} 1\n'])
def test_no_gpus_are_no_exporter(text: str) -> None:
    assert dcgm.parse(text, "a") is None


@pytest.mark.parametrize("text", ["<html>", "{]", 'DCGM_FI_DEV_FB_FREE{gpu="0"} +Inf\n', 'DCGM_FI_DEV_GPU_TEMP{gpu="0'])
def test_what_is_no_metrics_is_said(text: str) -> None:
    with pytest.raises(InputError, match="Prometheus"):
        dcgm.parse(text, "a")


def pod(node: str, address: str = "10.0.0.1", phase: str = "Running", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"dcgm-{node}", "namespace": "gpu-operator", "resourceVersion": "1"},
        "spec": {"nodeName": node, **spec},
        "status": {"phase": phase, "podIP": address},
    }


def labelled(name: str, product: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product} if product else {}}}


def test_two_exporters_of_each_product_and_all_without_labels_are_asked() -> None:
    nodes = [*(labelled(f"h{i}", "NVIDIA-H200") for i in range(4)), labelled("x"), labelled("y")]
    pods = [pod(node["metadata"]["name"]) for node in nodes]
    assert [one["spec"]["nodeName"] for one in dcgm.chosen(pods, nodes)] == ["h0", "h1", "x", "y"]


def test_pods_that_do_not_run_or_belong_to_no_node_are_not_asked() -> None:
    assert dcgm.chosen([pod("a", phase="Pending"), pod("a", address=""), pod("gone")], [labelled("a")]) == []


def cluster(url: str) -> Cluster:
    return Cluster(Transport(Access(server=url, context="test")), "mine")


def test_a_scan_asks_a_pod_once_and_survives_those_that_do_not_answer() -> None:
    pods = listing(pod("a"), pod("b"), pod("c", "fd00::1"), version="1")
    asked = []

    def fetch(url: str) -> str:
        asked.append(url)
        if "10.0.0.1" in url:
            raise Unreachable("no route")
        return metrics()

    with running() as server:
        server.answers = [pods, pods]
        found = dcgm.scan(cluster(server.url), [labelled("a"), labelled("b"), labelled("c")], fetch)
    assert [one.node for one in found] == ["c"]
    assert sorted(asked) == [
        "http://10.0.0.1:9400/metrics",
        "http://10.0.0.1:9400/metrics",
        "http://[fd00::1]:9400/metrics",
    ]


def test_metrics_come_over_http_from_the_port_that_the_pod_names() -> None:
    with running() as exporter, running() as server:
        exporter.answers = [says(metrics())]
        port = int(exporter.url.rpartition(":")[2])
        ports = [{"ports": [{"name": "metrics", "containerPort": port}]}]
        exporters = listing(pod("a", "127.0.0.1", containers=ports), version="1")
        server.answers = [exporters, exporters]
        (found,) = dcgm.scan(cluster(server.url), [labelled("a")])
    assert found.gpus == 8


def test_an_exporter_that_says_nothing_or_refuses_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dcgm, "_TIMEOUT", 0.2)

    def refuse(handler: Handler) -> None:
        handler.send_error(503)

    for answer in (silence, refuse):
        with running() as exporter, running() as server:
            exporter.answers = [answer]
            port = int(exporter.url.rpartition(":")[2])
            ports = [{"ports": [{"name": "metrics", "containerPort": port}]}]
            exporters = listing(pod("a", "127.0.0.1", containers=ports), version="1")
            server.answers = [exporters, exporters]
            assert dcgm.scan(cluster(server.url), [labelled("a")]) == ()
