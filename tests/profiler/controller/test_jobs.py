"""The profiling Job, and `overrides.profilingJob` merged into it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from profiler.controller.jobs import JobSettings, profiling_job

HARDWARE = {"gpuSku": "h200_sxm", "totalGpus": 16, "numGpusPerNode": 8, "vramMb": 143771.0}


def dgdr(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "qwen", "namespace": "team", "uid": "u-1"},
        "spec": {"model": "Qwen/Qwen3-0.6B", **spec},
    }


def job(**override: Any) -> dict[str, Any]:
    spec = {"overrides": {"profilingJob": override}} if override else {}
    return profiling_job(dgdr(**spec), HARDWARE, JobSettings(image="ours:1"))


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = made["spec"]["template"]["spec"]
    return pod


def profiler_of(made: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(made)["containers"][0]
    return container


def override(**pod: Any) -> dict[str, Any]:
    return job(template={"spec": {"containers": [], **pod}})


def test_the_profiler_gets_the_spec_with_the_hardware_filled_in() -> None:
    arguments = profiler_of(job())["args"]
    assert json.loads(arguments[1]) == {"model": "Qwen/Qwen3-0.6B", "hardware": HARDWARE}


def test_job_and_pod_carry_the_labels_that_people_select_on() -> None:
    made = job()
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        assert labels["nvidia.com/dgdr-name"] == "qwen"
        assert labels["dgdr.nvidia.com/name"] == "qwen"
        assert labels["app"] == "dynamo-profiler"


def test_the_token_is_optional() -> None:
    token = profiler_of(job())["env"][0]
    assert token["name"] == "HUGGING_FACE_HUB_TOKEN"
    assert token["valueFrom"]["secretKeyRef"]["optional"] is True


def test_the_model_cache_is_mounted_read_only_into_the_profiler_alone() -> None:
    made = profiling_job(dgdr(modelCache={"pvcName": "cache"}), HARDWARE, JobSettings("i"))
    profiler, relay = pod_of(made)["containers"]
    assert {"name": "model-cache", "mountPath": "/opt/model-cache", "readOnly": True} in profiler["volumeMounts"]
    assert "model-cache" not in json.dumps(relay)


def test_tolerations_of_the_override_replace() -> None:
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert pod_of(override(tolerations=tolerations))["tolerations"] == tolerations


def test_the_first_container_changes_the_profiler_whatever_its_name_but_never_its_command() -> None:
    given = {"name": "any", "image": "mine:2", "command": ["sh"], "args": ["-c", "true"], "env": [{"name": "A"}]}
    profiler = profiler_of(override(containers=[given]))
    assert profiler["image"] == "mine:2"
    assert profiler["command"] == ["python", "-m", "profiler"]
    assert profiler["args"][0] == "--config"
    assert {"name": "A"} in profiler["env"]


def test_env_merges_by_name() -> None:
    given = {"name": "profiler", "env": [{"name": "HUGGING_FACE_HUB_TOKEN", "value": ""}]}
    env = profiler_of(override(containers=[given]))["env"]
    assert [e for e in env if e["name"] == "HUGGING_FACE_HUB_TOKEN"] == given["env"]


def test_a_container_called_output_copier_changes_the_relay() -> None:
    made = override(containers=[{"name": "output-copier", "image": "mirror/copier:1"}])
    assert [c["image"] for c in pod_of(made)["containers"]] == ["ours:1", "mirror/copier:1"]


def test_an_init_container_called_profiler_without_an_image_hands_its_env_to_the_profiler() -> None:
    made = override(initContainers=[{"name": "profiler", "env": [{"name": "HF_TOKEN", "value": "t"}]}])
    assert {"name": "HF_TOKEN", "value": "t"} in profiler_of(made)["env"]
    assert "initContainers" not in pod_of(made)


def test_volumes_merge_by_name_so_that_the_output_can_go_to_a_claim() -> None:
    claim = {"name": "profiling-output", "persistentVolumeClaim": {"claimName": "dynamo-pvc"}}
    assert pod_of(override(volumes=[claim]))["volumes"] == [claim]


@pytest.mark.parametrize("key", ["app", "dgdr", "dgdr.nvidia.com/name", "nvidia.com/dgdr-name"])
def test_labels_that_others_rely_on_are_kept(key: str) -> None:
    made = job(template={"metadata": {"labels": {key: "other", "team": "a"}}, "spec": {"containers": []}})
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels[key] != "other"
    assert labels["team"] == "a"


def test_the_deadline_and_the_backoff_can_be_set() -> None:
    made = job(backoffLimit=2, activeDeadlineSeconds=60, template={"spec": {"containers": []}})
    assert (made["spec"]["backoffLimit"], made["spec"]["activeDeadlineSeconds"]) == (2, 60)
