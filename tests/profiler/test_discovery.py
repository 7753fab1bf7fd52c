"""GPU pools out of Node objects."""

from __future__ import annotations

from typing import Any

import pytest

from profiler.discovery import Discovery, discover

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
        (node("x", labels={"nvidia.com/mig.strategy": "mixed"}), "MIG is on"),
        (node("x", "NVIDIA-RTX-PRO-6000"), 'GPU product "NVIDIA-RTX-PRO-6000" is no SKU of the API'),
        (node("x", memory="lots"), "labels nvidia.com/gpu.count and nvidia.com/gpu.memory must be positive numbers"),
    ],
    ids=["cordoned", "not-ready", "mig-product", "mig-strategy", "unknown", "memory"],
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
