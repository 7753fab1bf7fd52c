"""The planner: its service, and its configuration completed from the request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from crds import vocabulary as v
from profiler.generate import curves, names, planner_keys
from profiler.generate.deployment import Deployment
from profiler.generate.services import Service, tolerations
from profiler.profile import Worker
from profiler.request import Request

CONFIG_KEY = "planner_config.json"
CONFIG_DIRECTORY = "/workspace/planner_config"

# Systems for which the planner's image carries performance tables, by SKU.
AIC_SYSTEMS = {
    "a100_sxm": "a100_sxm",
    "b200_sxm": "b200_sxm",
    "gb200_sxm": "gb200",
    "h100_sxm": "h100_sxm",
    "h200_sxm": "h200_sxm",
    "l40s": "l40s",
}
PREFILL_SAMPLES, DECODE_SAMPLES = 16, 6  # points along each axis of the planner's performance curves


@dataclass(frozen=True)
class Config:
    """A PlannerConfig, what of the request's could not be used, and whether it reads the workers' curves."""

    values: dict[str, Any]
    warnings: tuple[str, ...]
    reads_curves: bool


def config(deployment: Deployment, backend: str) -> Config:
    """The planner's configuration: what the request says, then what follows from the request and the deployment.

    Raises InvalidRequest for values with which the planner would not start.
    """
    said = planner_keys.given(deployment.request.planner or {})
    given, warnings = said.values, list(said.warnings)
    facts = {"backend": backend, "mode": str(deployment.configuration.mode), "model_name": deployment.served_name}
    for key, fact in facts.items():
        said = given.get(key, fact)
        if str(said).lower() != fact.lower():
            warnings.append(f'features.planner.{key}: "{said}" is not what is deployed; using "{fact}"')
    values: dict[str, Any] = {**_targets(deployment), "max_gpu_budget": deployment.request.hardware.total_gpus}
    for kind in deployment.configuration.workers:
        role = "prefill" if kind.role == "prefill" else "decode"
        values[f"{role}_engine_num_gpu"] = kind.layout.gpus
    values |= given | facts
    scales_by_throughput = values.get("optimization_target") == "sla" and values.get("enable_throughput_scaling", True)
    if not scales_by_throughput:
        return Config(values, tuple(warnings), reads_curves=False)
    if deployment.curves:
        values.setdefault("profile_results_dir", curves.DIRECTORY)
    elif backend != v.Backend.VLLM:  # vLLM workers measure themselves
        warnings.append("features.planner: no estimates to scale throughput by; set enable_load_scaling instead")
    if values.get("pre_deployment_sweeping_mode", "rapid") == "rapid" and (tables := _tables(deployment)):
        values.setdefault("aic_interpolation", tables)
    return Config(values, tuple(warnings), reads_curves=values.get("profile_results_dir") == curves.DIRECTORY)


def config_map(request: Request, values: dict[str, Any]) -> dict[str, Any]:
    """The ConfigMap that holds the planner's configuration. No namespace: it lands beside the deployment."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.planner_config(request), "labels": names.labels(request)},
        "data": {CONFIG_KEY: json.dumps(values, indent=2, sort_keys=True)},
    }


def service(deployment: Deployment, image: str) -> Service:
    """The service that scales the workers. The operator gives it its own service account."""
    volume = "planner-config"
    return {
        "componentType": "planner",
        "replicas": 1,
        "extraPodSpec": {
            **tolerations(deployment),
            "volumes": [{"name": volume, "configMap": {"name": names.planner_config(deployment.request)}}],
            "mainContainer": {
                "image": image,
                "command": ["python3", "-m", "dynamo.planner"],
                "args": ["--config", f"{CONFIG_DIRECTORY}/{CONFIG_KEY}"],
                "volumeMounts": [{"name": volume, "mountPath": CONFIG_DIRECTORY, "readOnly": True}],
            },
        },
    }


def _targets(deployment: Deployment) -> dict[str, float]:
    """The latency targets in ms. Under an end-to-end target they are what the chosen configuration makes of it."""
    sla, metrics = deployment.request.sla, deployment.configuration.metrics
    return {
        "ttft_ms": sla.ttft_ms if sla.ttft_ms is not None else metrics.ttft_ms,
        "itl_ms": sla.itl_ms if sla.itl_ms is not None else metrics.itl_ms,
    }


def _tables(deployment: Deployment) -> dict[str, Any] | None:
    """What the planner needs to look its curves up in the tables of its image, which know disaggregated engines."""
    request, configuration = deployment.request, deployment.configuration
    system = AIC_SYSTEMS.get(request.hardware.gpu.sku)
    if not system or not deployment.disaggregated:
        return None
    layouts = {kind.role: _layout(kind) for kind in configuration.workers}
    return {
        "hf_id": request.model,
        "system": system,
        "backend": configuration.backend,
        "isl": request.workload.isl,
        "osl": request.workload.osl,
        "sweep_max_context_length": deployment.context_tokens,
        "prefill_interpolation_granularity": PREFILL_SAMPLES,
        "decode_interpolation_granularity": DECODE_SAMPLES,
        "prefill_pick": layouts["prefill"],
        "decode_pick": layouts["decode"],
    }


def _layout(kind: Worker) -> dict[str, int]:
    layout = kind.layout
    return {"tp": layout.tp, "pp": layout.pp, "dp": layout.dp, "moe_tp": layout.moe_tp, "moe_ep": layout.moe_ep}
