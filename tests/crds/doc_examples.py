"""Every DGDR example of Dynamo's 1.2 documentation, as its `spec`; the page is named beside each.

An example that the docs print as a fragment stands on Qwen3-0.6B with vLLM. `REFUSED` holds what the docs print and no
API server accepts.
"""

from __future__ import annotations

from typing import Any

QWEN = "Qwen/Qwen3-0.6B"
DEEPSEEK = "deepseek-ai/DeepSeek-R1"
HF_HOME = "/home/dynamo/.cache/huggingface"
DGD = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment"}
ANY_GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def _fragment(**fields: Any) -> dict[str, Any]:
    return {"model": QWEN, "backend": "vllm", **fields}


def _job(**pod: Any) -> dict[str, Any]:
    return {"profilingJob": {"template": {"spec": pod}}}


def _planner(**settings: Any) -> dict[str, Any]:
    return _fragment(features={"planner": settings})


def _snapshot(repository: str) -> dict[str, Any]:
    path = f"hub/models--{repository}/snapshots/<commit-hash>"
    return {"pvcName": "model-cache", "pvcMountPath": HF_HOME, "pvcModelPath": path}


ACCEPTED: dict[str, dict[str, Any]] = {
    # kubernetes/dgdr, kubernetes/README
    "my-model": {"model": QWEN},
    "qwen3-quickstart": {"model": QWEN, "backend": "auto"},
    "qwen3-sglang": {
        "model": "Qwen/Qwen3-30B-A3B",
        "backend": "sglang",
        "overrides": {
            "dgd": {**DGD, "spec": {"envs": [{"name": "TRITON_PTXAS_PATH", "value": "/usr/local/cuda/bin/ptxas"}]}}
        },
    },
    "worker-env": _fragment(
        overrides={
            "dgd": {
                **DGD,
                "spec": {"services": {"decode": {"envs": [{"name": "CUSTOM_WORKER_ENV", "value": "enabled"}]}}},
            }
        }
    ),
    # kubernetes/model-deployment-guide
    "llama-70b": {
        "model": "meta-llama/Llama-3.1-70B-Instruct",
        "backend": "vllm",
        "searchStrategy": "rapid",
        "autoApply": False,
        "modelCache": _snapshot("meta-llama--Llama-3.1-70B-Instruct"),
        "sla": {"ttft": 500, "itl": 50},
        "workload": {"isl": 4000, "osl": 1000, "requestRate": 10},
        "features": {"planner": {"enabled": True}},
    },
    "deepseek-r1": {
        "model": DEEPSEEK,
        "backend": "sglang",
        "searchStrategy": "thorough",
        "autoApply": False,
        "modelCache": _snapshot("deepseek-ai--DeepSeek-R1"),
        "sla": {"ttft": 2000, "itl": 100},
        "hardware": {"totalGpus": 32},
        "features": {"planner": {"enabled": True}},
        "overrides": _job(containers=[], tolerations=[ANY_GPU_TAINT]),
    },
    "thorough": _fragment(searchStrategy="thorough"),
    "64-gpus": _fragment(hardware={"totalGpus": 64}),
    # profiler/README, profiler-examples
    "my-model-profiling": _fragment(
        workload={"isl": 3000, "osl": 150}, sla={"ttft": 200.0, "itl": 20.0}, autoApply=True
    ),
    "sglang-moe": {
        "model": DEEPSEEK,
        "backend": "sglang",
        "hardware": {"numGpusPerNode": 8},
        "modelCache": {"pvcName": "model-cache", "pvcModelPath": "deepseek-r1"},
    },
    "llama-private": {
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "overrides": _job(
            containers=[],
            initContainers=[
                {
                    "name": "profiler",
                    "env": [
                        {
                            "name": "HF_TOKEN",
                            "valueFrom": {"secretKeyRef": {"name": "hf-token-secret", "key": "HF_TOKEN"}},
                        }
                    ],
                }
            ],
        ),
    },
    "low-latency-dense": {
        "model": QWEN,
        "sla": {"ttft": 500, "itl": 20},
        "workload": {"isl": 2000, "osl": 500},
    },
    "whole-request": _fragment(sla={"e2eLatency": 10000}),
    "dense-with-tolerations": {"model": QWEN, "overrides": _job(containers=[], tolerations=[ANY_GPU_TAINT])},
    "two-overrides": _fragment(
        overrides={
            "dgd": {
                **DGD,
                "spec": {
                    "envs": [{"name": "TRITON_PTXAS_PATH", "value": "/usr/local/cuda/bin/ptxas"}],
                    "services": {"VllmWorker": {"envs": [{"name": "CUSTOM_ENV", "value": "my-value"}]}},
                },
            }
        }
    ),
    # profiler-guide
    "request-rate": _fragment(workload={"requestRate": 5.0}),
    "planner-sweep": _planner(
        optimization_target="sla", pre_deployment_sweeping_mode="rapid", enable_throughput_scaling=True
    ),
    "h100": _fragment(hardware={"numGpusPerNode": 8, "gpuSku": "h100_sxm", "vramMb": 81920}),
    "h200": _fragment(hardware={"gpuSku": "h200_sxm", "vramMb": 81920, "totalGpus": 16, "numGpusPerNode": 8}),
    "planner-old-keys": _planner(
        planner_min_endpoint=2, planner_adjustment_interval=60, planner_load_predictor="linear"
    ),
    "planner-camel-case": _planner(plannerMinEndpoint=2),
    "cached-repository": _fragment(
        modelCache={
            "pvcName": "model-cache",
            "pvcModelPath": "hub/models--deepseek-ai--DeepSeek-R1",
            "pvcMountPath": "/opt/model-cache",
        }
    ),
    "named-dgd": _fragment(overrides={"dgd": {**DGD, "metadata": {"name": "my-dgd"}, "spec": {}}}),
    "mocker": {"model": QWEN, "backend": "trtllm", "features": {"mocker": {"enabled": True}}, "autoApply": True},
    "artifacts-on-a-volume": _fragment(
        overrides=_job(
            containers=[],
            volumes=[{"name": "profiling-output", "persistentVolumeClaim": {"claimName": "dynamo-pvc"}}],
        )
    ),
    # planner/README and guide, global-planner, planner-examples
    "planner-disagg": _planner(mode="disagg", backend="vllm"),
    "planner-latency": _planner(mode="disagg", backend="vllm", optimization_target="latency"),
    "planner-targets": _planner(
        optimization_target="sla",
        enable_throughput_scaling=True,
        enable_load_scaling=True,
        ttft_ms=500.0,
        itl_ms=50.0,
        pre_deployment_sweeping_mode="rapid",
    ),
    "planner-advisory": _planner(advisory=True),
    "llama-prefill-short": {
        "model": "meta-llama/Llama-3.3-70B-Instruct",
        "backend": "vllm",
        "workload": {"isl": 2048, "osl": 256},
        "sla": {"ttft": 200.0, "itl": 20.0},
        "searchStrategy": "rapid",
        "autoApply": False,
    },
    "sla-aic": {"model": "Qwen/Qwen3-32B", "backend": "vllm"},
    "sla-moe": {"model": DEEPSEEK, "backend": "sglang"},
    "tight-sla": _fragment(
        workload={"isl": 8000, "osl": 200},
        sla={"ttft": 200.0, "itl": 10.0},
        hardware={"gpuSku": "h200_sxm"},
        searchStrategy="rapid",
    ),
    # the operator's config/samples
    "example-llm-sla": {
        "model": QWEN,
        "backend": "trtllm",
        "image": "tensorrtllm-runtime:1.1.1",
        "searchStrategy": "thorough",
        "hardware": {"numGpusPerNode": 8, "gpuSku": "h200_sxm"},
        "workload": {"isl": 3000, "osl": 500},
        "sla": {"ttft": 50.0, "itl": 10.0},
        "autoApply": True,
    },
}

REFUSED: dict[str, dict[str, Any]] = {
    # profiler-guide, "Accessing Profiling Artifacts": a Job's pod spec needs `containers`
    "artifacts-without-containers": _fragment(
        overrides=_job(volumes=[{"name": "profiling-output", "persistentVolumeClaim": {"claimName": "dynamo-pvc"}}])
    ),
}


def request(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """The example as a whole object."""
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name},
        "spec": spec,
    }
