"""v1alpha1 DGDR examples of Dynamo's documentation before 1.1, as their `spec`."""

from __future__ import annotations

from typing import Any

QWEN = "Qwen/Qwen3-0.6B"
IMAGE = "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.8.0"


def _sla(isl: int, osl: int, ttft: float, itl: float) -> dict[str, Any]:
    return {"isl": isl, "osl": osl, "ttft": ttft, "itl": itl}


def _request(model: str, backend: str, config: dict[str, Any], **profiling: Any) -> dict[str, Any]:
    return {
        "model": model,
        "backend": backend,
        "profilingConfig": {"profilerImage": IMAGE, "config": config, **profiling},
        "deploymentOverrides": {"workersImage": IMAGE},
        "autoApply": True,
    }


EXAMPLES: dict[str, dict[str, Any]] = {
    "sla-aic": _request(
        "Qwen/Qwen3-32B",
        "trtllm",
        {"sweep": {"useAiConfigurator": True, "aicSystem": "h200_sxm"}, "sla": _sla(3000, 150, 500.0, 30.0)},
    ),
    "sla-online": _request(QWEN, "vllm", {"sweep": {"useAiConfigurator": False}, "sla": _sla(3000, 150, 200, 20)}),
    "sla-moe": _request(
        "deepseek-ai/DeepSeek-R1",
        "sglang",
        {
            "sla": _sla(2048, 512, 300, 25),
            "deployment": {"modelCache": {"pvcName": "model-cache", "pvcPath": "deepseek-r1"}},
            "hardware": {"minNumGpusPerEngine": 8, "maxNumGpusPerEngine": 16, "numGpusPerNode": 8},
        },
        configMapRef={"name": "deepseek-r1-config", "key": "tep16p-dep16d-disagg.yaml"},
    ),
    "trtllm-aic-offline": _request(
        "Qwen/Qwen3-32B", "trtllm", {"sweep": {"use_ai_configurator": True}, "sla": _sla(4000, 500, 300, 10)}
    ),
    "sglang-moe": _request("deepseek-ai/DeepSeek-R1", "sglang", {"sla": _sla(2048, 512, 300, 25)}),
    "vllm-dense-online": _request(QWEN, "vllm", {"sweep": {"use_ai_configurator": False}, "sla": {"ttft": 200.0}}),
    "my-model-deployment": _request(QWEN, "vllm", {"sla": _sla(3000, 150, 200.0, 20.0)}),
}


def request(name: str) -> dict[str, Any]:
    """The example as a whole object."""
    return {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name},
        "spec": EXAMPLES[name],
    }
