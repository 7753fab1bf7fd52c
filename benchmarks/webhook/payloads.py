"""The two reviews that are measured: an update of a DGDR (11 kB) and a generated DGD that lacks 16 things (15 kB)."""

from __future__ import annotations

import json
from typing import Any

REQUEST = "deepseek-r1"
NAMESPACE = "inference"
TAINTS = ({"key": "nvidia.com/gpu", "effect": "NoSchedule"}, {"key": "team", "value": "llm", "effect": "NoSchedule"})
MODEL_CACHE = {"pvcName": "model-cache", "pvcMountPath": "/models"}


def _review(document: dict[str, Any], old: dict[str, Any] | None) -> bytes:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "operation": "CREATE" if old is None else "UPDATE",
        "name": document["metadata"]["name"],
        "namespace": NAMESPACE,
        "userInfo": {"username": "admin", "groups": ["system:authenticated"]},
        "object": document,
        "oldObject": old,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review, separators=(",", ":")).encode()


def request_update() -> bytes:
    """A user changes the backend of a request that is still pending."""
    managed = [{"manager": f"manager-{i}", "operation": "Apply", "fieldsV1": {"f:spec": {}}} for i in range(8)]
    old: dict[str, Any] = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {
            "name": REQUEST,
            "namespace": NAMESPACE,
            "annotations": {f"example.com/note-{i}": "a note that a pipeline left here " * 3 for i in range(24)},
            "managedFields": managed,
        },
        "spec": {
            "model": "deepseek-ai/DeepSeek-R1",
            "backend": "auto",
            "searchStrategy": "rapid",
            "autoApply": True,
            "hardware": {"gpuSku": "h200_sxm", "vramMb": 143771, "totalGpus": 32, "numGpusPerNode": 8},
            "workload": {"isl": 4000, "osl": 1000, "concurrency": 64},
            "sla": {"ttft": 2000, "itl": 30, "optimizationType": "throughput"},
            "modelCache": MODEL_CACHE,
            "overrides": {
                "profilingJob": {
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "profiler",
                                    "env": [{"name": f"VARIABLE_{i}", "value": "some value"} for i in range(24)],
                                }
                            ]
                        }
                    }
                }
            },
        },
        "status": {"phase": "Pending"},
    }
    new = {**old, "spec": {**old["spec"], "backend": "vllm"}}
    return _review(new, old)


def deployment_create() -> bytes:
    """A DGD made for the request: a frontend and three workers, without tolerations, token and model cache."""
    flags = [f"--some-engine-flag-{i}={'x' * 20}" for i in range(104)]

    def worker(kind: str, **pod: Any) -> dict[str, Any]:
        container = {"image": "nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.2.1", "command": ["python3"], "args": flags}
        return {
            "componentType": "worker",
            "subComponentType": kind,
            "replicas": 2,
            "resources": {"limits": {"gpu": "8"}},
            "envs": [{"name": "LOG_LEVEL", "value": "info"}],
            "extraPodSpec": {"mainContainer": container, **pod},
        }

    services: dict[str, Any] = {"Frontend": {"componentType": "frontend", "replicas": 1}}
    services["decode-a"] = worker("decode", tolerations=[{"key": "other", "operator": "Exists"}])
    services |= {name: worker(name.partition("-")[0]) for name in ("decode-b", "prefill-a")}
    labels = {"dgdr.nvidia.com/name": REQUEST, "dgdr.nvidia.com/namespace": NAMESPACE}
    document = {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": f"{REQUEST}-dgd", "namespace": NAMESPACE, "labels": labels},
        "spec": {"backendFramework": "vllm", "services": services},
    }
    return _review(document, None)
