"""What a request leaves open and the cluster can tell; what a user says is never touched."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webhook.known import Known, pool, request, review
from webhook import defaults
from webhook.defaults import Changes, Settings
from webhook.facts import NothingKnown

FOUND = {"gpuSku": "h200_sxm", "vramMb": 143771, "numGpusPerNode": 8, "totalGpus": 16}
ANNOTATION = "dgdr.nvidia.com/detected-hardware"
OPERATOR = "system:serviceaccount:dynamo-system:dynamo-platform-dynamo-operator-controller-manager"


def changes(document: dict[str, Any], facts: Known, **settings: Any) -> Changes:
    return defaults.changes(review(document), Settings(**settings), facts)


def changed(document: dict[str, Any], facts: Known, **settings: Any) -> dict[str, Any]:
    patched: dict[str, Any] = jsonpatch.apply_patch(document, list(changes(document, facts, **settings).patch))
    return patched


def test_hardware_is_filled_in_and_named_in_an_annotation() -> None:
    found = changed(request(), Known(pools=(pool(),)))
    assert found["spec"]["hardware"] == FOUND
    assert found["metadata"]["annotations"] == {ANNOTATION: "gpuSku,vramMb,numGpusPerNode,totalGpus"}


def test_annotations_that_are_there_stay() -> None:
    found = changed(request(annotations={"a": "b"}), Known(pools=(pool(),)))
    assert set(found["metadata"]["annotations"]) == {"a", ANNOTATION}


def test_what_discovery_knows_besides_is_filled_in_too() -> None:
    found = changed(request(), Known(pools=(pool(rdma=True, interconnect="nvlink"),)))
    assert found["spec"]["hardware"] == FOUND | {"interconnect": "nvlink", "rdma": True}


@pytest.mark.parametrize(
    "given_",
    [
        {"totalGpus": 64},
        {"gpuSku": "h200_sxm"},
        {"vramMb": 100000.0, "numGpusPerNode": 4},
        {"interconnect": "pcie"},
        {},
    ],
)
def test_what_the_user_says_wins(given_: dict[str, Any]) -> None:
    found = changed(request({"hardware": given_}), Known(pools=(pool(rdma=False, interconnect="nvlink"),)))
    assert found["spec"]["hardware"] == FOUND | {"interconnect": "nvlink", "rdma": False} | given_


def test_a_sku_chooses_its_pool() -> None:
    found = changed(request({"hardware": {"gpuSku": "l40s"}}), Known(pools=(pool(), pool("l40s", 4, 2))))
    assert (found["spec"]["hardware"]["numGpusPerNode"], found["spec"]["hardware"]["totalGpus"]) == (2, 4)


def test_a_sku_that_no_node_has_is_left_alone() -> None:
    assert changes(request({"hardware": {"gpuSku": "t4"}}), Known(pools=(pool(),))) == Changes()


def test_a_complete_request_is_left_alone() -> None:
    assert changes(request({"hardware": FOUND}), Known(pools=(pool(interconnect="nvlink"),))) == Changes()


@pytest.mark.parametrize("facts", [Known(), Known(pools=()), NothingKnown()])
def test_without_gpus_nothing_is_filled_in(facts: Known) -> None:
    assert changes(request(), facts) == Changes()


def test_more_than_32_gpus_are_capped_and_said() -> None:
    facts = Known(pools=(pool(total=64),))
    assert changed(request(), facts)["spec"]["hardware"]["totalGpus"] == 32
    assert changes(request(), facts).warnings == (
        "spec.hardware.totalGpus: detected 64 GPUs, capped at 32; set it explicitly to use more",
    )


def test_an_explicit_total_is_never_capped() -> None:
    found = changes(request({"hardware": {"totalGpus": 64}}), Known(pools=(pool(total=64),)))
    assert found.warnings == ()


def test_a_mixed_cluster_says_what_was_not_chosen() -> None:
    facts = Known(pools=(pool(), pool("h100_sxm", 8), pool("l40s", 4, 4)))
    assert changes(request(), facts).warnings == (
        "spec.hardware.gpuSku: detected h200_sxm, of which there are most; ignored 8 h100_sxm, 4 l40s",
    )


def test_nodes_that_were_left_out_are_said() -> None:
    facts = Known(pools=(pool(),), ignored=(("gpu-7", "cordoned"), ("gpu-9", "MIG is on")))
    assert changes(request(), facts).warnings == ("spec.hardware: ignored node gpu-7 and 1 more: cordoned",)


def test_the_image_is_the_configured_one() -> None:
    assert changed(request(), Known(), default_image="registry/profiler:1")["spec"]["image"] == "registry/profiler:1"


@pytest.mark.parametrize(("image", "configured"), [("mine:2", "registry/profiler:1"), ("mine:2", None), (None, None)])
def test_an_image_that_is_given_or_not_configured_is_left_alone(image: str | None, configured: str | None) -> None:
    document = request({"image": image} if image else {})
    assert changes(document, Known(), default_image=configured) == Changes()


def test_another_version_is_left_alone() -> None:
    document = {**request(), "apiVersion": "nvidia.com/v1alpha1"}
    assert changes(document, Known(pools=(pool(),)), default_image="i") == Changes()


def on_update(new: dict[str, Any], old: dict[str, Any], user: str) -> Changes:
    return defaults.changes(review(new, old, user=user), Settings(default_image="i"), Known(pools=(pool(),)))


def test_a_total_that_a_controller_detected_is_capped() -> None:
    new, old = request({"hardware": FOUND | {"totalGpus": 64}}, "Pending"), request(phase="Pending")
    found = on_update(new, old, OPERATOR)
    assert found.patch == ({"op": "replace", "path": "/spec/hardware/totalGpus", "value": 32},)
    assert found.warnings[0].startswith("spec.hardware.totalGpus: detected 64 GPUs, capped at 32")


@pytest.mark.parametrize(
    ("before", "phase", "total", "user"),
    [
        ({}, "Pending", 64, "alice"),
        ({}, "Pending", 64, "system:serviceaccount:argocd:argocd-application-controller"),
        ({"totalGpus": 16}, "Pending", 64, OPERATOR),
        ({}, "Profiling", 64, OPERATOR),
        ({}, "Pending", 32, OPERATOR),
    ],
    ids=["a person", "GitOps", "it was said before", "not Pending", "not above"],
)
def test_any_other_update_is_left_alone(before: dict[str, Any], phase: str, total: int, user: str) -> None:
    new = request({"hardware": {"totalGpus": total}}, phase)
    assert on_update(new, request({"hardware": before}, phase), user) == Changes()


hardware = st.fixed_dictionaries(
    {},
    optional={
        "gpuSku": st.sampled_from(["h200_sxm", "l40s", "t4"]),
        "vramMb": st.none() | st.floats(1, 1e6),
        "numGpusPerNode": st.none() | st.integers(1, 16),
        "totalGpus": st.integers(1, 256),
        "interconnect": st.just("pcie"),
        "rdma": st.booleans(),
    },
)


@given(hardware, st.none() | st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_change_applies_once_keeps_what_is_there_and_completes_all_or_nothing(
    given_: dict[str, Any], annotations: dict[str, str] | None, mixed: bool
) -> None:
    facts = Known(pools=(pool(interconnect="nvlink"), *([pool("l40s", 8)] if mixed else [])))
    document = request({"hardware": given_}, annotations=annotations)
    once = changed(document, facts, default_image="i")
    assert changes(once, facts, default_image="i").patch == ()
    said = {name: value for name, value in given_.items() if value is not None}
    filled = once["spec"]["hardware"]
    assert {name: filled[name] for name in said} == said
    added = [name for name in defaults.NEEDED if filled.get(name) != said.get(name)]
    assert not added or all(filled.get(name) is not None for name in defaults.NEEDED)
    rest = {key: value for key, value in once["spec"].items() if key not in ("hardware", "image")}
    assert rest == {"model": "Qwen/Qwen3-0.6B"}
    assert (annotations or {}).items() <= (once["metadata"]["annotations"] or {}).items()
