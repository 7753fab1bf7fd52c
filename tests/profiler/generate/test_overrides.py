"""`overrides.dgd`: merged once, and nothing of it is lost without a word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.documents import dump, load
from profiler.generate import Generated
from profiler.generate.overrides import merged
from tests.profiler.generate import cases
from tests.profiler.generate.cases import MOE, TEP16, TP4

ENVELOPE = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment"}


def overridden(backend: str = "vllm", mode: Any = "agg", *layouts: Any, dgd: dict[str, Any], **spec: Any) -> Generated:
    return cases.generated(backend, mode, *layouts, overrides={"dgd": ENVELOPE | dgd}, **spec)


def for_service(name: str, change: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"services": {name: change}}}


def arguments(name: str, *given: str) -> dict[str, Any]:
    return for_service(name, {"extraPodSpec": {"mainContainer": {"args": list(given)}}})


def test_arguments_of_a_worker_are_appended_once() -> None:
    """Upstream 1.2.1 merged twice, so they came out twice."""
    result = overridden(dgd=arguments("VllmDecodeWorker", "--enable-prefix-caching"))
    args = cases.container(cases.services(result)["VllmDecodeWorker"])["args"]
    assert args.count("--enable-prefix-caching") == 1
    assert args[:2] == ["--model", "Qwen/Qwen3-32B"]
    assert args[-1] == "--enable-prefix-caching"
    assert result.warnings == ()


def test_the_planner_can_be_overridden() -> None:
    """Upstream's first merge came before the planner was there, and warned that it does not exist."""
    result = overridden(dgd=for_service("Planner", {"replicas": 0}), features={"planner": {}})
    assert cases.services(result)["Planner"]["replicas"] == 0
    assert result.warnings == ()


def test_arguments_of_the_frontend_replace_and_keep_its_command() -> None:
    """The operator's own command is `python3` with `-m dynamo.frontend` as arguments, which these would replace."""
    result = overridden(dgd=arguments("Frontend", "--router-mode", "kv"))
    container = cases.container(cases.services(result)["Frontend"])
    assert container["command"] == ["python3", "-m", "dynamo.frontend"]
    assert container["args"] == ["--router-mode", "kv"]


def test_arguments_that_name_the_module_are_left_alone() -> None:
    result = overridden(dgd=arguments("Frontend", "-m", "dynamo.frontend", "--router-mode", "kv"))
    assert "command" not in cases.container(cases.services(result)["Frontend"])


def test_a_variable_of_ones_own_takes_no_other_away() -> None:
    """Lists of named things merge by name: the token stays, and a variable of the same name is replaced."""
    given = [{"name": "HF_HOME", "value": "/scratch"}, {"name": "CUSTOM", "value": "1"}]
    result = overridden(dgd=for_service("VllmDecodeWorker", {"envs": given}), modelCache={"pvcName": "models"})
    envs = cases.services(result)["VllmDecodeWorker"]["envs"]
    assert [(env["name"], env.get("value")) for env in envs] == [
        ("HF_TOKEN", None),
        ("HF_HOME", "/scratch"),
        ("CUSTOM", "1"),
    ]


def test_volume_mounts_merge_by_where_they_are_mounted() -> None:
    mounts = [{"name": "scratch", "mountPoint": "/scratch"}]
    result = overridden(dgd=for_service("VllmDecodeWorker", {"volumeMounts": mounts}), modelCache={"pvcName": "models"})
    mounted = cases.services(result)["VllmDecodeWorker"]["volumeMounts"]
    assert [mount["name"] for mount in mounted] == ["models", "scratch"]


def test_other_lists_and_scalars_replace_and_null_removes() -> None:
    change = {"sharedMemory": None, "replicas": 5, "extraPodSpec": {"mainContainer": {"command": ["/entry"]}}}
    service = cases.services(overridden(dgd=for_service("VllmDecodeWorker", change)))["VllmDecodeWorker"]
    assert "sharedMemory" not in service
    assert service["replicas"] == 5
    assert cases.container(service)["command"] == ["/entry"]
    assert cases.container(service)["image"]


def test_nulls_inside_new_objects_vanish() -> None:
    change = {"extraPodSpec": {"securityContext": {"runAsUser": None, "fsGroup": 0}}}
    service = cases.services(overridden(dgd=for_service("VllmDecodeWorker", change)))["VllmDecodeWorker"]
    assert service["extraPodSpec"]["securityContext"] == {"fsGroup": 0}


def test_a_service_can_be_removed() -> None:
    assert "Frontend" not in cases.services(overridden(dgd={"spec": {"services": {"Frontend": None}}}))


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"replica": 2}, 'replica: Unknown field: did you mean "replicas"?'),
        ({"replicas": "two"}, "replicas: Invalid type"),
        (
            {"extraPodSpec": {"tolerations": [{"efect": "NoSchedule"}]}},
            "extraPodSpec.tolerations[0].efect: Unknown field",
        ),
    ],
)
def test_what_the_api_server_would_refuse_is_said(change: dict[str, Any], warning: str) -> None:
    (found,) = overridden(dgd=for_service("VllmDecodeWorker", change)).warnings
    assert found.startswith(f"overrides.dgd.spec.services[VllmDecodeWorker].{warning}")


@pytest.mark.parametrize(
    ("backend", "layout", "args", "says"),
    [
        ("vllm", TP4, ("--tensor-parallel-size", "8"), "an engine of 8 GPUs, but its pods have 4"),
        ("vllm", TP4, ("--tensor-parallel-size=2",), "an engine of 2 GPUs, but its pods have 4"),
        ("vllm", TP4, ("--data-parallel-size", "2"), "an engine of 8 GPUs, but its pods have 4"),
        ("vllm", TEP16, ("--pipeline-parallel-size", "2"), "an engine of 32 GPUs, but its pods have 16"),
        ("sglang", TP4, ("--tp", "2"), "an engine of 2 GPUs, but its pods have 4"),
        ("trtllm", TP4, ("--tensor-parallel-size", "1"), "an engine of 1 GPU, but its pods have 4"),
    ],
)
def test_sizes_without_their_gpus_are_warned_about(backend: str, layout: Any, args: tuple[str, ...], says: str) -> None:
    name = next(iter(cases.workers(cases.generated(backend, "agg", layout, model=MOE))))
    (warning,) = overridden(backend, "agg", layout, dgd=arguments(name, *args), model=MOE).warnings
    assert says in warning
    assert warning.startswith(f"overrides.dgd.spec.services[{name}]: ")


@pytest.mark.parametrize(
    "change",
    [
        {"resources": {"limits": {"gpu": "8"}}, "extraPodSpec": {"mainContainer": {"args": ["-tp", "8"]}}},
        {"extraPodSpec": {"mainContainer": {"args": ["--tensor-parallel-size", "4"]}}},
        {"extraPodSpec": {"mainContainer": {"args": ["--seed", "8"]}}},
        {"resources": {"limits": {"gpu": "8"}}},
    ],
)
def test_sizes_with_their_gpus_are_fine(change: dict[str, Any]) -> None:
    assert overridden(dgd=for_service("VllmDecodeWorker", change)).warnings == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("spec", "metadata", "services", "labels", "annotations", "components", "extraPodSpec", "envs"),
                    *(
                        "Frontend",
                        "VllmDecodeWorker",
                        "VllmWorker",
                        "mainContainer",
                        "args",
                        "replicas",
                        "volumeMounts",
                    ),
                    *("name", "value", "mountPoint"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(override=st.dictionaries(st.sampled_from(["spec", "metadata", "status"]), JSON, max_size=3))
def test_no_override_breaks_generation(override: dict[str, Any]) -> None:
    dgd = overridden(dgd=override).documents[-1]
    assert dgd["metadata"]["labels"]["dgdr.nvidia.com/name"] == "chat"
    assert load(dump(dgd), "generated") == [dgd]


def test_everything_but_arguments_merges_to_the_same_twice() -> None:
    change = {
        "spec": {
            "envs": [{"name": "A", "value": "b"}],
            "services": {"decode": {"replicas": 2, "envs": [{"name": "B", "value": "c"}]}},
        },
        "metadata": {"labels": {"team": "a"}},
    }
    generated = cases.generated("sglang").documents[-1]
    once, _ = merged(generated, change, {})
    assert merged(once, change, {}) == (once, [])


def test_labels_and_annotations_are_added_and_ours_stay() -> None:
    metadata = {"labels": {"team": "a", "dgdr.nvidia.com/name": "other"}, "annotations": {"note": "b"}, "name": "mine"}
    found = overridden(dgd={"metadata": metadata}).documents[-1]["metadata"]
    assert found["name"] == "mine"
    assert (found["labels"]["team"], found["labels"]["dgdr.nvidia.com/name"]) == ("a", "chat")
    assert found["annotations"] == {"note": "b"}


@pytest.mark.parametrize(
    ("dgd", "warning"),
    [
        (for_service("VllmDecodWorker", {}), 'overrides.dgd.spec.services[VllmDecodWorker]: no such service, so this '
         'is ignored; did you mean "VllmDecodeWorker"?'),
        (for_service("epp", {}), "overrides.dgd.spec.services[epp]: no such service, so this is ignored; there are "
         "Frontend, VllmDecodeWorker"),
        ({"spec": {"components": []}}, "overrides.dgd.spec.components: this is the shape of v1beta1; write v1alpha1 "
         "spec.services"),
        ({"metadata": {"namespace": "x"}}, "overrides.dgd.metadata.namespace: only name, labels and annotations are "
         "taken over"),
        ({"spec": "replicas"}, "overrides.dgd.spec: must be an object; it is ignored"),
        ({"spec": {"services": {"Frontend": 2}}},
         "overrides.dgd.spec.services[Frontend]: must be an object; it is ignored"),
        ({"metadata": {"labels": ["a"]}}, "overrides.dgd.metadata.labels: must be an object; it is ignored"),
        ({"status": {}}, "overrides.dgd.status: a deployment has no such field; it is ignored"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_is_said(dgd: dict[str, Any], warning: str) -> None:
    result = overridden(dgd=dgd)
    assert result.warnings == (warning,)
    assert result.documents == cases.generated().documents


@pytest.mark.parametrize(
    ("called", "backend", "mode", "layouts", "name"),
    [
        ("VllmWorker", "vllm", "agg", (), "VllmDecodeWorker"),
        ("VllmPrefillWorker", "vllm", "disagg", (TEP16,), "prefill"),
        ("VllmDecodeWorker", "vllm", "agg", (TEP16,), "decode"),
        ("TRTLLMDecodeWorker", "trtllm", "disagg", (), "decode"),
    ],
)
def test_a_worker_is_found_by_its_other_names(called: str, backend: str, mode: Any, layouts: Any, name: str) -> None:
    """The public examples say VllmWorker, and a person cannot know whether the pick will span nodes."""
    dgd = for_service(called, {"envs": [{"name": "CUSTOM", "value": "1"}]})
    result = overridden(backend, mode, *layouts, dgd=dgd, model=MOE)
    assert {"name": "CUSTOM", "value": "1"} in cases.services(result)[name]["envs"]
    assert result.warnings == (
        f'overrides.dgd.spec.services[{called}]: the service is called "{name}" here; applied to it',
    )
