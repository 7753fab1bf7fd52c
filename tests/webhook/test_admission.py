"""Whole answers: rules first, then what is filled in; what is known of the cluster decides, and never a call."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.rules import Mode
from tests.webhook.known import Known, deployment, pool, request, review
from webhook import reviews
from webhook.admission import Admission
from webhook.defaults import Settings
from webhook.hooks import HOOKS, HookKind, hooks
from webhook.reviews import Answer


def admission(mode: Mode = Mode.STANDALONE, **known: Any) -> Admission:
    return Admission(Settings(mode), Known(**known))


def test_every_hook_has_an_answer() -> None:
    assert {hook.path for hook in HOOKS} == set(Admission().answerers())


@pytest.mark.parametrize("mode", [Mode.BESIDE, Mode.STANDALONE])
@pytest.mark.parametrize("kind", list(HookKind))
def test_a_configuration_asks_about_a_kind_once(kind: HookKind, mode: Mode) -> None:
    found = hooks(kind, mode)
    assert len({hook.name for hook in found}) == len({hook.resource for hook in found}) == len(found) > 0


def test_the_mutating_call_refuses_with_the_whole_list_and_changes_nothing() -> None:
    answer = admission(pools=(pool(),)).mutate_request(review(request({"sla": {"itl": -5}, "backend": "vlm"})))
    assert [error.path for error in answer.errors] == ["spec.backend", "spec.sla.itl"]
    assert answer.patch == ()


def test_the_validating_call_refuses_the_same() -> None:
    asked = review(request({"sla": {"itl": -5}}))
    known = admission(pools=(pool(),))
    assert known.validate_request(asked).errors == known.mutate_request(asked).errors


def test_a_request_on_a_cluster_without_gpus_is_refused_standalone() -> None:
    answer = admission(pools=()).mutate_request(review(request()))
    (error,) = answer.errors
    assert str(error) == (
        "spec.hardware.gpuSku: Required value: no GPU node was found to detect it from; "
        "set spec.hardware.gpuSku, numGpusPerNode and totalGpus"
    )


def test_and_beside_nvidias_operator_it_is_a_warning() -> None:
    answer = admission(Mode.BESIDE, pools=()).validate_request(review(request()))
    assert answer.allowed
    assert answer.warnings == (
        "spec.hardware.gpuSku: no GPU node was found to detect it from; set gpuSku, numGpusPerNode and totalGpus",
    )


def test_a_cluster_that_nobody_could_look_at_refuses_nothing() -> None:
    assert admission().mutate_request(review(request())) == Answer("u-1")


def test_facts_of_the_cluster_become_warnings() -> None:
    known = admission(deployments={"qwen-dgd"}, claims=set(), tokens=set(), groups=frozenset({"apps"}))
    spec = {
        "model": "meta-llama/Llama-3.1-405B-Instruct",
        "modelCache": {"pvcName": "models"},
        "backend": "sglang",
        "hardware": {"gpuSku": "l4", "numGpusPerNode": 8, "vramMb": 24000},
        "features": {"planner": {"optimization_target": "sla"}},
    }
    answer = known.validate_request(review(request(spec)))
    assert [warning.partition(":")[0] for warning in answer.warnings] == [
        "metadata.name",
        "spec.modelCache.pvcName",
        "spec.model",
        "spec.hardware.gpuSku",
        "spec.features.planner.optimization_target",
        "spec.model",
    ]


def test_each_warning_comes_once_from_the_two_calls() -> None:
    known = admission(deployments={"qwen-dgd"}, pools=(pool(total=64),))
    mutated = known.mutate_request(review(request()))
    validated = known.validate_request(review(request({"hardware": {"gpuSku": "h200_sxm"}})))
    assert [warning[:24] for warning in (*mutated.warnings, *validated.warnings)] == [
        "spec.hardware.totalGpus:",
        "metadata.name: a DynamoG",
    ]


@pytest.mark.parametrize("answerer", ["mutate_request", "validate_request", "mutate_deployment", "validate_deployment"])
@pytest.mark.parametrize(
    "asked",
    [
        review(None, request({"sla": {"itl": -5}}), operation="DELETE"),  # type: ignore[arg-type]
        review(request({"sla": {"itl": -5}}), subresource="status"),
        review({**deployment({"W": {"componentType": "worker"}})}, subresource="scale"),
        review({**request({"sla": {"itl": -5}}), "metadata": {"name": "x", "deletionTimestamp": "now"}}),
    ],
    ids=["DELETE", "status", "scale", "being deleted"],
)
def test_what_is_not_about_a_whole_living_object_passes(answerer: str, asked: Any) -> None:
    answer = getattr(admission(pools=(pool(),)), answerer)(asked)
    assert (answer.allowed, list(answer.patch), list(answer.warnings)) == (True, [], [])


def test_a_deployment_is_completed_and_then_nothing_is_missing() -> None:
    asked = review(deployment({"W": {"componentType": "worker"}}))
    known = admission()
    assert [operation["path"] for operation in known.mutate_deployment(asked).patch] == ["/spec/services/W/envs"]
    assert known.validate_deployment(asked).warnings == ["spec.services.W: no HF_TOKEN; the webhook did not add it"]


# Whatever is sent.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
FULL_REQUEST = request(
    {
        "hardware": {"gpuSku": "h200_sxm"},
        "modelCache": {"pvcName": "models", "pvcMountPath": "/models"},
        "features": {"planner": {"optimization_target": "sla"}, "mocker": {"enabled": False}},
        "overrides": {
            "profilingJob": {"template": {"spec": {"containers": [{"env": [{"name": "A"}]}], "tolerations": [{}]}}},
            "dgd": {"metadata": {"name": "x"}, "spec": {"services": {"W": {"autoscaling": {}}}}},
        },
    },
    "Pending",
    labels={"dgdr.nvidia.com/name": "qwen"},
)
FULL_DEPLOYMENT = deployment(
    {
        "W": {
            "componentType": "worker",
            "resources": {"limits": {"gpu": "1", "custom": {}}, "requests": {}},
            "envs": [{"name": "A"}],
            "volumeMounts": [{"name": "models", "mountPoint": "/models"}],
            "extraPodSpec": {"tolerations": [{"key": "a"}], "volumes": [{}], "mainContainer": {"env": [{}]}},
        }
    },
    pvcs=[{"name": "a"}],
    envs=[{"name": "B"}],
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """A full object with up to two places in which anything may stand."""
    document = copy.deepcopy(draw(st.sampled_from([FULL_REQUEST, FULL_DEPLOYMENT])))
    for _ in range(draw(st.integers(1, 2))):
        container, key = draw(st.sampled_from(list(places(document))))
        container[key] = draw(JSON)
    return document


@given(broken(), st.none() | broken(), st.sampled_from(sorted(Admission().answerers())), st.sampled_from(list(Mode)))
@settings(max_examples=500, deadline=None)
def test_whatever_is_sent_is_answered_and_the_same_way_twice(
    new: dict[str, Any], old: dict[str, Any] | None, path: str, mode: Mode
) -> None:
    stored = {**FULL_REQUEST, "spec": new.get("spec")} if isinstance(new.get("spec"), dict) else FULL_REQUEST
    known = admission(
        mode, pools=(pool(total=64),), requests={("team", "qwen"): stored}, groups=frozenset(), tokens=set()
    )
    answer = known.answerers()[path]
    asked = review(new, old)
    first = reviews.encode(answer(asked))
    assert first == reviews.encode(answer(asked))
    assert max(map(len, answer(asked).warnings), default=0) < 120
