"""GPU pools out of Node objects."""

from __future__ import annotations

from typing import Any

import pytest

from profiler.discovery.nodes import Exporter
from profiler.discovery.pools import Discovery, discover

TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def node(
    name: str, product: str = "NVIDIA-H200", count: int = 8, *, memory: str = "143771", **extra: Any
) -> dict[str, Any]:
    labels = {
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.memory": memory,
        **extra.pop("labels", {}),
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": extra,
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def test_nodes_of_a_sku_are_one_pool_and_the_largest_comes_first() -> None:
    found = discover([node("a", "NVIDIA-H100-80GB-HBM3"), node("b"), node("c")])
    assert [(p.sku, p.total_gpus, p.nodes) for p in found.pools] == [
        ("h200_sxm", 16, ("b", "c")),
        ("h100_sxm", 8, ("a",)),
    ]


def test_nodes_of_different_size_are_summed_and_the_smallest_bounds_an_engine() -> None:
    pool = discover([node("a", count=8), node("b", count=4)]).pools[0]
    assert (pool.total_gpus, pool.gpus_per_node) == (12, 4)


def test_a_detected_count_is_capped_at_32() -> None:
    found = discover([node(str(i)) for i in range(8)])
    assert found.pools[0].total_gpus == 64
    assert found.pools[0].as_detected().total_gpus == 32


def test_a_given_sku_chooses_its_pool() -> None:
    found = discover([node("a"), node("b"), node("c", "NVIDIA-L40S")])
    assert found.pool("l40s") == found.pools[1]
    assert found.pool("t4") is None
    assert Discovery(()).pool() is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (node("x", unschedulable=True), "cordoned"),
        ({**node("x"), "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, "not ready"),
        (node("x", "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"), "MIG is on"),
        (node("x", labels={"nvidia.com/mig-1g.10gb.count": "7"}), "MIG is on"),
        (node("x", labels={"nvidia.com/gpu.replicas": "4"}), "its GPUs are shared"),
        (node("x", "NVIDIA-RTX-PRO-6000"), 'GPU product "NVIDIA-RTX-PRO-6000" is no SKU of the API'),
        (node("x", memory="lots"), "nothing says how much memory its GPUs have"),
        (node("x", count=0), "nothing says how many GPUs it has"),
    ],
    ids=["cordoned", "not-ready", "mig-product", "mig-devices", "shared", "unknown", "memory", "count"],
)
def test_a_node_that_cannot_serve_is_left_out_with_the_reason(bad: dict[str, Any], reason: str) -> None:
    found = discover([node("a"), bad])
    assert found.pools[0].nodes == ("a",)
    assert found.ignored == (("x", reason),)


def test_nodes_without_gpus_are_passed_over() -> None:
    assert discover([{"metadata": {"name": "cpu"}}]) == Discovery(())


def test_taints_common_to_the_pool_become_tolerations() -> None:
    own = {"key": "team", "effect": "NoExecute"}
    soft = {"key": "spot", "effect": "PreferNoSchedule"}
    pool = discover([node("a", taints=[TAINT, own, soft]), node("b", taints=[TAINT])]).pools[0]
    assert pool.tolerations == (
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"},
    )


def test_a_taint_without_a_value_is_tolerated_by_key() -> None:
    pool = discover([node("a", taints=[{"key": "gpu", "effect": "NoExecute"}])]).pools[0]
    assert pool.tolerations == ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"},)


def test_taints_of_the_moment_are_never_tolerated() -> None:
    pressure = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    booting = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}
    assert discover([node("a", taints=[TAINT, pressure, booting])]).pools[0].taints == (TAINT,)


def test_the_strategy_label_that_the_gpu_operator_sets_everywhere_is_no_mig() -> None:
    labels = {"nvidia.com/mig.strategy": "single", "nvidia.com/mig.capable": "true", "nvidia.com/gpu.replicas": "1"}
    assert discover([node("a", labels=labels)]).pools[0].nodes == ("a",)


def amd(name: str, product: str, vram: str, count: int, prefix: str = "amd.com/gpu") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {f"{prefix}.product-name": product, f"{prefix}.vram": vram}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"amd.com/gpu": str(count)}},
    }


@pytest.mark.parametrize(
    ("labelled", "sku", "vram_mb"),
    [
        (amd("a", "AMD_Instinct_MI300X_OAM", "192G", 8), "mi300", 196608),
        (amd("a", "AMD_Instinct_MI250X", "64G", 8, "beta.amd.com/gpu"), "mi200", 65536),
    ],
)
def test_amd_nodes_are_read_from_their_own_labels(labelled: dict[str, Any], sku: str, vram_mb: int) -> None:
    pool = discover([labelled]).pools[0]
    assert (pool.sku, pool.vram_mb, pool.gpus_per_node) == (sku, vram_mb, 8)


def bare(name: str, gpus: int = 8) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": str(gpus)}},
    }


def test_a_node_without_labels_is_known_by_its_exporter() -> None:
    exporter = Exporter("a", "NVIDIA H100 80GB HBM3", 8, 81559, nvlink=True)
    pool = discover([bare("a")], [exporter]).pools[0]
    assert (pool.sku, pool.total_gpus, pool.vram_mb, pool.interconnect) == ("h100_sxm", 8, 81559, "nvlink")


def test_gpus_that_nobody_describes_are_named_as_ignored() -> None:
    assert discover([bare("a")]).ignored == (("a", "its GPUs have no labels of GPU feature discovery"),)


def test_labels_win_over_an_exporter_which_adds_the_interconnect() -> None:
    exporter = Exporter("a", "NVIDIA H200", 4, 1, nvlink=False)
    pool = discover([node("a"), node("b")], [exporter]).pools[0]
    assert (pool.total_gpus, pool.vram_mb, pool.interconnect) == (16, 143771, "pcie")


def test_an_interconnect_on_which_nodes_disagree_is_unknown() -> None:
    exporters = [Exporter(name, "NVIDIA H200", 8, 143771, nvlink=name == "a") for name in "ab"]
    assert discover([node("a"), node("b")], exporters).pools[0].interconnect is None


def test_slices_that_only_the_exporter_sees_are_left_out() -> None:
    exporter = Exporter("a", "NVIDIA H200", 8, 143771, nvlink=True, sliced=True)
    assert discover([bare("a")], [exporter]).ignored == (("a", "MIG is on"),)
