"""What a generated deployment gets, that a second time changes nothing, and that nothing else is touched."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webhook.known import TOLERATION, Known, deployment, pool, request, review
from webhook import injection
from webhook.facts import NothingKnown

GPU = {"resources": {"limits": {"gpu": "2"}}}
OWN = {"key": "team", "operator": "Exists"}
CACHE = {"modelCache": {"pvcName": "models", "pvcMountPath": "/models"}}
TOLERATIONS = {"overrides": {"profilingJob": {"template": {"spec": {"tolerations": [OWN]}}}}}
TOKEN = {
    "name": "HF_TOKEN",
    "valueFrom": {"secretKeyRef": {"name": "hf-token-secret", "key": "HF_TOKEN", "optional": True}},
}
HOME = {"name": "HF_HOME", "value": "/models"}
MOUNT = {"name": "models", "mountPoint": "/models"}


def facts(spec: dict[str, Any] | None = None, **known: Any) -> Known:
    return Known(requests={("team", "qwen"): request(spec)}, **{"pools": (pool(),), **known})


def operations(dgd: dict[str, Any], known: Any, old: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [one.operation for one in injection.missing(review(dgd, old), known)]


def injected(dgd: dict[str, Any], known: Any) -> dict[str, Any]:
    patched: dict[str, Any] = jsonpatch.apply_patch(dgd, operations(dgd, known))
    return patched


def service(name: str, dgd: dict[str, Any], known: Any) -> dict[str, Any]:
    found: dict[str, Any] = injected(dgd, known)["spec"]["services"][name]
    return found


def worker(**more: Any) -> dict[str, Any]:
    return deployment({"Worker": {"componentType": "worker", **GPU, **more}})


def test_a_worker_gets_tolerations_of_the_nodes_and_of_the_request() -> None:
    found = service("Worker", worker(), facts(TOLERATIONS))
    assert found["extraPodSpec"] == {"tolerations": [OWN, TOLERATION]}


def test_a_service_that_asks_for_no_gpu_gets_no_tolerations() -> None:
    dgd = deployment({"Frontend": {"componentType": "frontend"}, "Planner": {"resources": {"limits": {"gpu": "0"}}}})
    assert operations(dgd, facts(TOLERATIONS)) == []


@pytest.mark.parametrize(
    "asks",
    [
        {"resources": {"requests": {"gpu": "1"}}},
        {"resources": {"limits": {"custom": {"amd.com/gpu": "1"}}}},
        {"extraPodSpec": {"mainContainer": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}},
    ],
)
def test_gpus_are_asked_for_in_several_ways(asks: dict[str, Any]) -> None:
    found = service("Custom", deployment({"Custom": asks}), facts())
    assert found["extraPodSpec"]["tolerations"] == [TOLERATION]


@pytest.mark.parametrize(
    "own",
    [
        {"operator": "Exists"},
        {"key": "nvidia.com/gpu", "operator": "Exists"},
        {"key": "nvidia.com/gpu", "value": "present"},
        TOLERATION,
    ],
)
def test_a_toleration_that_covers_the_taint_is_enough(own: dict[str, str]) -> None:
    dgd = worker(extraPodSpec={"tolerations": [own]}, envs=[TOKEN])
    assert operations(dgd, facts()) == []


@pytest.mark.parametrize(
    "own",
    [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"},
        {"key": "nvidia.com/gpu", "value": "absent"},
        {"key": "other", "operator": "Exists"},
    ],
)
def test_one_that_does_not_is_kept_and_the_missing_one_appended(own: dict[str, str]) -> None:
    dgd = worker(extraPodSpec={"tolerations": [own]}, envs=[TOKEN])
    path = "/spec/services/Worker/extraPodSpec/tolerations/-"
    assert operations(dgd, facts()) == [{"op": "add", "path": path, "value": TOLERATION}]


def test_taints_are_those_of_the_gpu_that_the_request_names() -> None:
    other = pool("l40s", 4, 4, taints=({"key": "l40s", "effect": "NoExecute"},))
    found = service("Worker", worker(), facts({"hardware": {"gpuSku": "l40s"}}, pools=(pool(), other)))
    assert found["extraPodSpec"]["tolerations"] == [{"key": "l40s", "operator": "Exists", "effect": "NoExecute"}]


@pytest.mark.parametrize("kind", ["worker", "prefill", "decode"])
def test_workers_get_the_token_which_need_not_exist(kind: str) -> None:
    assert service("W", deployment({"W": {"componentType": kind}}), facts())["envs"] == [TOKEN]


@pytest.mark.parametrize(
    "own",
    [
        {"envs": [{"name": "HF_TOKEN", "value": "mine"}]},
        {"envs": [{"name": "HUGGING_FACE_HUB_TOKEN", "value": "mine"}]},
        {"envFromSecret": "my-secret"},
        {"extraPodSpec": {"mainContainer": {"envFrom": [{"secretRef": {"name": "mine"}}]}}},
        {"extraPodSpec": {"mainContainer": {"env": [{"name": "HF_TOKEN", "value": "mine"}]}}},
    ],
)
def test_a_token_of_ones_own_is_left_alone(own: dict[str, Any]) -> None:
    assert operations(deployment({"W": {"componentType": "worker", **own}}), facts()) == []


def test_a_token_for_all_services_is_enough() -> None:
    dgd = deployment({"W": {"componentType": "worker"}}, envs=[{"name": "HF_TOKEN", "value": "mine"}])
    assert operations(dgd, facts()) == []


def test_the_model_cache_is_mounted_on_workers_and_the_frontend() -> None:
    kinds = ("worker", "frontend", "planner")
    found = injected(deployment({kind: {"componentType": kind} for kind in kinds}), facts(CACHE))
    services = found["spec"]["services"]
    assert found["spec"]["pvcs"] == [{"name": "models", "create": False}]
    assert services["worker"] == {"componentType": "worker", "volumeMounts": [MOUNT], "envs": [TOKEN, HOME]}
    assert services["frontend"] == {"componentType": "frontend", "volumeMounts": [MOUNT], "envs": [HOME]}
    assert services["planner"] == {"componentType": "planner"}


def test_a_checkpoint_is_read_by_its_path_and_needs_no_home() -> None:
    known = facts({"modelCache": {**CACHE["modelCache"], "pvcModelPath": "qwen"}})
    assert service("F", deployment({"F": {"componentType": "frontend"}}), known) == {
        "componentType": "frontend",
        "volumeMounts": [MOUNT],
    }


def test_claims_and_mounts_of_ones_own_stay() -> None:
    other = {"name": "other", "mountPoint": "/other"}
    dgd = deployment({"F": {"componentType": "frontend", "volumeMounts": [other]}}, pvcs=[{"name": "other"}])
    assert operations(dgd, facts(CACHE)) == [
        {"op": "add", "path": "/spec/services/F/volumeMounts/-", "value": MOUNT},
        {"op": "add", "path": "/spec/services/F/envs", "value": [HOME]},
        {"op": "add", "path": "/spec/pvcs/-", "value": {"name": "models", "create": False}},
    ]


@pytest.mark.parametrize(
    "own",
    [
        {"volumeMounts": [{"name": "models", "mountPoint": "/elsewhere"}]},
        {"volumeMounts": [{"name": "other", "mountPoint": "/models"}]},
        {"extraPodSpec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "models"}}]}},
        {"extraPodSpec": {"mainContainer": {"volumeMounts": [{"name": "v", "mountPath": "/models"}]}}},
    ],
)
def test_a_cache_that_is_mounted_otherwise_is_left_alone(own: dict[str, Any]) -> None:
    assert operations(deployment({"F": {"componentType": "frontend", **own}}), facts(CACHE)) == []


def test_a_home_of_ones_own_is_left_alone() -> None:
    dgd = deployment({"F": {"componentType": "frontend", "envs": [{"name": "HF_HOME", "value": "/tmp"}]}})
    assert service("F", dgd, facts(CACHE))["envs"] == [{"name": "HF_HOME", "value": "/tmp"}]


@pytest.mark.parametrize(
    "dgd",
    [
        deployment({"W": {"componentType": "worker"}}, labels={}),
        deployment({}),
        {**worker(), "metadata": {**worker()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {**worker(), "apiVersion": "nvidia.com/v1beta1", "spec": {"components": [{"name": "W", "type": "worker"}]}},
    ],
    ids=["not made for a request", "no services", "being deleted", "v1beta1"],
)
def test_what_is_not_ours_is_left_alone(dgd: dict[str, Any]) -> None:
    assert operations(dgd, facts(CACHE | TOLERATIONS)) == []


def test_without_facts_only_the_token_is_added() -> None:
    assert service("Worker", worker(), NothingKnown()) == {"componentType": "worker", **GPU, "envs": [TOKEN]}


def test_scaling_a_deployment_restarts_nothing() -> None:
    old, new = worker(replicas=1), worker(replicas=4)
    assert operations(new, facts(CACHE | TOLERATIONS), old) == []


def test_a_service_that_changes_is_completed_and_another_is_not() -> None:
    plain = {"componentType": "worker"}
    old, new = deployment({"a": plain, "b": plain}), deployment({"a": plain, "b": {**plain, "labels": {"x": "y"}}})
    assert [one["path"] for one in operations(new, facts(), old)] == ["/spec/services/b/envs"]


def test_names_are_escaped_in_paths() -> None:
    dgd = deployment({"a/b~c": {"componentType": "worker"}})
    assert injected(dgd, facts())["spec"]["services"]["a/b~c"]["envs"] == [TOKEN]


def test_what_is_missing_can_be_said() -> None:
    found = injection.missing(review(deployment({"W": {"componentType": "worker", **GPU}})), facts(CACHE))
    assert [one.warning for one in found] == [
        "spec.services.W: no toleration for the taints of the GPU nodes; the webhook did not add it",
        "spec.services.W: the model cache of the request is not mounted; the webhook did not add it",
        "spec.services.W: no HF_TOKEN and HF_HOME; the webhook did not add it",
        "spec.pvcs: the model cache of the request is not there; the webhook did not add it",
    ]


def test_what_is_said_stays_short() -> None:
    found = injection.missing(review(deployment({"W" * 60: {"componentType": "worker", **GPU}})), facts(CACHE))
    assert max(len(one.warning) for one in found) < 120


# Any deployment that the schema lets in, and some that it does not.

toleration = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["nvidia.com/gpu", "team", ""]),
        "operator": st.sampled_from(["Exists", "Equal"]),
        "value": st.sampled_from(["present", "x", ""]),
        "effect": st.sampled_from(["NoSchedule", "NoExecute", ""]),
    },
)
env = st.fixed_dictionaries({"name": st.sampled_from(["HF_TOKEN", "HF_HOME", "A"]), "value": st.just("x")})
mount = st.fixed_dictionaries(
    {"name": st.sampled_from(["models", "other"]), "mountPoint": st.sampled_from(["/models", "/other"])}
)
broken = st.sampled_from([None, 1, "x", {}, [None], [1]])
pod_spec = st.fixed_dictionaries(
    {},
    optional={
        "tolerations": st.lists(toleration, max_size=3) | broken,
        "mainContainer": st.fixed_dictionaries(
            {}, optional={"env": st.lists(env, max_size=2), "args": st.just(["-v"])}
        ),
        "volumes": st.just([{"name": "v", "persistentVolumeClaim": {"claimName": "models"}}]),
    },
)
services = st.dictionaries(
    st.sampled_from(["Frontend", "Worker", "a/b", "~"]),
    st.fixed_dictionaries(
        {},
        optional={
            "componentType": st.sampled_from(["worker", "frontend", "planner", "prefill"]) | broken,
            "resources": st.sampled_from([{"limits": {"gpu": "1"}}, {"limits": {"gpu": "0"}}, {"limits": None}])
            | broken,
            "envs": st.lists(env, max_size=3) | broken,
            "volumeMounts": st.lists(mount, max_size=2) | broken,
            "extraPodSpec": pod_spec | broken,
            "replicas": st.integers(0, 4),
        },
    )
    | broken,
    max_size=4,
)
pvcs = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["models", "other"])}), max_size=2) | broken


def only_adds(before: Any, after: Any) -> bool:
    """Whether everything of `before` is in `after`, lists as beginnings; null and absent are the same."""
    if before is None:
        return True
    if isinstance(before, dict):
        return isinstance(after, dict) and all(only_adds(value, after.get(key)) for key, value in before.items())
    if isinstance(before, list):
        return isinstance(after, list) and after[: len(before)] == before
    return bool(before == after)


@given(services, st.fixed_dictionaries({}, optional={"pvcs": pvcs, "envs": st.lists(env, max_size=2) | broken}))
@settings(max_examples=500, deadline=None)
def test_twice_is_once_and_nothing_is_lost(services: dict[str, Any], spec: dict[str, Any]) -> None:
    known = facts(CACHE | TOLERATIONS)
    dgd = deployment(services, **spec)
    before = copy.deepcopy(dgd)
    once = injected(dgd, known)
    assert dgd == before
    assert operations(once, known) == []
    assert only_adds(dgd, once)
    assert set(once["spec"]["services"]) == set(services)
