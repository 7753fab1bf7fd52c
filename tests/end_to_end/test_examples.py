"""Every example of the public docs, applied unchanged, comes to the end that the docs promise."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from crds import schema
from tests.cluster.controlplane import REPOSITORY
from tests.cluster.node import GPU_TAINT
from tests.end_to_end.conftest import Standalone

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

EXAMPLES = REPOSITORY / "manifests" / "examples"
CLAIMS = ("model-cache", "dynamo-pvc")
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Found:
    """What an example came to."""

    request: dict[str, Any]
    dgd: dict[str, Any]
    profile: dict[str, Any]
    job: dict[str, Any]

    @property
    def services(self) -> dict[str, Any]:
        services: dict[str, Any] = self.dgd["spec"]["services"]
        return services

    @property
    def workers(self) -> list[dict[str, Any]]:
        return [s for s in self.services.values() if s["componentType"] == "worker"]

    @property
    def gpus(self) -> int:
        def nodes(service: Mapping[str, Any]) -> int:
            return int(service.get("multinode", {}).get("nodeCount", 1))

        return sum(
            int(s["replicas"]) * nodes(s) * int(s.get("resources", {}).get("limits", {}).get("gpu", 0))
            for s in self.workers
        )

    @property
    def arguments(self) -> str:
        return " ".join(" ".join(s["extraPodSpec"]["mainContainer"]["args"]) for s in self.workers)

    def warned(self, *words: str) -> bool:
        return any(all(word in warning for word in words) for warning in self.profile["warnings"])


def nothing_more(found: Found) -> None:
    """The phase and what holds for every example is all that is asked."""


def env_everywhere(found: Found) -> None:
    assert {"name": "TRITON_PTXAS_PATH", "value": "/usr/local/cuda/bin/ptxas"} in found.dgd["spec"]["envs"]


def env_of_decode_or_a_warning(found: Found) -> None:
    decode = found.services.get("decode")
    if decode is None:
        assert found.warned("decode")
    else:
        assert {"name": "CUSTOM_WORKER_ENV", "value": "enabled"} in decode["envs"]


def env_everywhere_and_a_warning(found: Found) -> None:
    env_everywhere(found)
    assert found.warned("VllmWorker")


def planner(found: Found) -> None:
    assert found.services["Planner"]["componentType"] == "planner"


def planner_and_a_warning_for_each_unknown_option(found: Found) -> None:
    planner(found)
    for option in ("planner_min_endpoint", "planner_adjustment_interval", "planner_load_predictor"):
        assert found.warned(option)


def cached_llama(found: Found) -> None:
    planner(found)
    snapshot = "hub/models--meta-llama--Llama-3.1-70B-Instruct/snapshots/<commit-hash>"
    assert f"--model /home/dynamo/.cache/huggingface/{snapshot}" in found.arguments
    assert {"name": "model-cache", "create": False} in found.dgd["spec"]["pvcs"]


def tolerated_everywhere(found: Found) -> None:
    assert found.job["spec"]["template"]["spec"]["tolerations"] == [TOLERATION]
    for service in found.services.values():
        assert TOLERATION in service["extraPodSpec"]["tolerations"]


def tolerated_deepseek(found: Found) -> None:
    tolerated_everywhere(found)
    planner(found)
    assert found.profile["asked"]["total_gpus"] == 32
    assert found.warned("thorough")


def sixty_four(found: Found) -> None:
    assert found.profile["asked"]["total_gpus"] == 64


def cached_deepseek(found: Found) -> None:
    assert "--model-path /opt/model-cache/deepseek-r1" in found.arguments
    for worker in found.workers:
        assert worker["volumeMounts"][0]["mountPoint"] == "/opt/model-cache"


def token_for_the_profiler(found: Found) -> None:
    profiler = found.job["spec"]["template"]["spec"]["containers"][0]
    assert any(e["name"] == "HF_TOKEN" and e["valueFrom"]["secretKeyRef"]["key"] == "HF_TOKEN" for e in profiler["env"])


def serves_five_a_second_on_few_gpus(found: Found) -> None:
    assert found.profile["pick"]["metrics"]["request_rate"] >= 5.0
    assert found.gpus < 16


def h100_from_the_cluster(found: Found) -> None:
    asked = found.profile["asked"]
    assert (asked["gpu_sku"], asked["total_gpus"], asked["gpu_memory_gib"]) == ("h100_sxm", 8, 80.0)


def given_memory_counts(found: Found) -> None:
    assert found.profile["asked"]["gpu_memory_gib"] == 80.0


def named_my_dgd(found: Found) -> None:
    assert found.dgd["metadata"]["name"] == "my-dgd"


def without_gpus(found: Found) -> None:
    assert found.gpus == 0
    assert all("dynamo.mocker" in s["extraPodSpec"]["mainContainer"]["command"] for s in found.workers)


def output_on_a_claim(found: Found) -> None:
    volumes = found.job["spec"]["template"]["spec"]["volumes"]
    assert {"name": "profiling-output", "persistentVolumeClaim": {"claimName": "dynamo-pvc"}} in volumes


def closest_with_its_verdict(found: Found) -> None:
    assert found.profile["sla_met"] is False
    assert found.warned("SLA")


# Example -> phase it ends in, and what else must hold. autoApply decides between Ready and Deploying.
OUTCOMES: dict[str, tuple[str, Callable[[Found], None]]] = {
    "qwen-small": ("Deploying", nothing_more),
    "qwen3-quickstart": ("Deploying", nothing_more),
    "qwen3-sglang": ("Deploying", env_everywhere),
    "decode-env": ("Deploying", env_of_decode_or_a_warning),
    "llama-chat": ("Ready", nothing_more),
    "llama-70b": ("Ready", cached_llama),
    "deepseek-r1": ("Ready", tolerated_deepseek),
    "vllm-dense-online": ("Deploying", nothing_more),
    "more-gpus": ("Deploying", sixty_four),
    "my-model-profiling": ("Deploying", nothing_more),
    "sglang-moe": ("Deploying", cached_deepseek),
    "llama-private": ("Deploying", token_for_the_profiler),
    "low-latency-dense": ("Deploying", nothing_more),
    "e2e-latency": ("Deploying", nothing_more),
    "dense-with-tolerations": ("Deploying", tolerated_everywhere),
    "worker-env": ("Deploying", env_everywhere_and_a_warning),
    "request-rate": ("Deploying", serves_five_a_second_on_few_gpus),
    "planner-sla": ("Deploying", planner),
    "h100-node": ("Deploying", h100_from_the_cluster),
    "explicit-hardware": ("Deploying", given_memory_counts),
    "planner-options": ("Deploying", planner_and_a_warning_for_each_unknown_option),
    "model-cache": ("Deploying", nothing_more),
    "named-dgd": ("Deploying", named_my_dgd),
    "mocker": ("Deploying", without_gpus),
    "output-volume": ("Deploying", output_on_a_claim),
    "planner-disagg": ("Deploying", planner),
    "planner-latency": ("Deploying", planner),
    "planner-load": ("Deploying", planner),
    "planner-advisory": ("Deploying", planner),
    "planner-throughput": ("Deploying", planner),
    "llama-prefill-short": ("Ready", nothing_more),
    "sla-aic": ("Deploying", nothing_more),
    "sla-online": ("Deploying", nothing_more),
    "sla-moe": ("Deploying", nothing_more),
    "tight-sla": ("Deploying", closest_with_its_verdict),
    "example-llm-sla": ("Deploying", nothing_more),
}


@pytest.fixture(scope="module")
def applied(shared_standalone: Standalone) -> Standalone:
    """All of them at once, with the claims that some need and a token that one asks for."""
    for claim in CLAIMS:
        document = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        shared_standalone.kubectl("apply", "-f", "-", input=json.dumps(document))
    shared_standalone.kubectl("create", "secret", "generic", "hf-token-secret", "--from-literal=HF_TOKEN=t")
    shared_standalone.kubectl("apply", "-f", str(EXAMPLES))
    return shared_standalone


def test_every_example_has_its_outcome() -> None:
    assert sorted(OUTCOMES) == sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def admitted(dgd: dict[str, Any]) -> dict[str, Any]:
    """The deployment with what the webhook adds: the workers tolerate the taint that all GPU nodes have."""
    admitted = copy.deepcopy(dgd)
    for service in admitted["spec"]["services"].values():
        if service.get("resources", {}).get("limits", {}).get("gpu"):
            tolerations = service.setdefault("extraPodSpec", {}).setdefault("tolerations", [])
            if TOLERATION not in tolerations:
                tolerations.append({**GPU_TAINT, "operator": "Equal"})
    return admitted


@pytest.mark.parametrize("name", OUTCOMES)
def test_example(applied: Standalone, name: str) -> None:
    phase, check = OUTCOMES[name]
    request = applied.settled(name, phase, timeout=240)
    dgd = request["status"]["profilingResults"]["selectedConfig"]
    profile = json.loads(applied.get("configmap", f"dgdr-profile-{name}")["data"]["profile.json"])
    found = Found(request, dgd, profile, applied.get("job", f"profile-{name}"))
    assert all(int(s["replicas"]) > 0 for s in found.services.values())
    assert found.gpus <= profile["asked"]["total_gpus"]
    if phase == "Deploying":
        assert applied.created("dgd", request["status"]["dgdName"])["spec"] == admitted(schema.defaulted(dgd))["spec"]
    else:  # what a person would do next; the server takes it
        applied.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(dgd))
    check(found)
