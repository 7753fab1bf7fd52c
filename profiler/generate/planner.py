"""The planner: its service, and its configuration completed from the request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from crds import vocabulary as v
from crds.errors import InvalidRequest
from crds.fields import did_you_mean, unsupported
from profiler.generate import names
from profiler.generate.deployment import Deployment
from profiler.generate.services import Service, tolerations
from profiler.profile import Worker
from profiler.request import Request

CONFIG_KEY = "planner_config.json"
CONFIG_DIRECTORY = "/workspace/planner_config"

# Keys of Dynamo 1.2's PlannerConfig. It drops others without a word, so a typo would change nothing.
# fmt: off
KEYS = frozenset({
    "advisory", "aic_interpolation", "backend", "decode_engine_num_gpu", "enable_load_scaling",
    "enable_throughput_scaling", "environment", "fpm_sample_bucket_size", "global_planner_namespace", "itl_ms",
    "kalman_min_points", "kalman_q_level", "kalman_q_trend", "kalman_r", "live_dashboard_port",
    "load_adjustment_interval_seconds", "load_metric_samples", "load_min_observations", "load_predictor",
    "load_predictor_log1p", "load_predictor_warmup_trace", "load_scaling_down_sensitivity", "log_dir",
    "max_gpu_budget", "max_num_fpm_samples", "metric_pulling_prometheus_endpoint", "metric_reporting_prometheus_port",
    "min_endpoint", "min_gpu_budget", "mode", "model_name", "namespace", "optimization_target",
    "pre_deployment_sweeping_mode", "prefill_engine_num_gpu", "profile_results_dir", "prophet_window_size",
    "report_filename", "report_interval_hours", "report_output_dir", "throughput_adjustment_interval_seconds",
    "throughput_metrics_source", "ttft_ms",
})
# fmt: on
# Older spellings that it still accepts.
OLD_NAMES = {
    "ttft": "ttft_ms",
    "itl": "itl_ms",
    "throughput_adjustment_interval": "throughput_adjustment_interval_seconds",
    "load_adjustment_interval": "load_adjustment_interval_seconds",
}
# With any other value the planner's pod would end at its start.
CHOICES = {
    "environment": ("kubernetes", "virtual", "global-planner"),
    "optimization_target": ("throughput", "latency", "sla"),
    "pre_deployment_sweeping_mode": ("none", "rapid", "thorough"),
    "throughput_metrics_source": ("frontend", "router"),
}
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
    """A PlannerConfig, and what of the request's could not be used."""

    values: dict[str, Any]
    warnings: tuple[str, ...]


def config(deployment: Deployment, backend: str) -> Config:
    """The planner's configuration: what the request says, then what follows from the request and the deployment.

    Raises InvalidRequest for a value that the planner does not take.
    """
    given, warnings = _given(deployment.request)
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
    if _needs_curves(values) and "aic_interpolation" not in given:
        curves = _curves(deployment)
        if curves:
            values["aic_interpolation"] = curves
        elif backend != v.Backend.VLLM:  # vLLM workers measure themselves
            warnings.append(
                "features.planner: no performance tables for throughput scaling here; set enable_load_scaling instead"
            )
    return Config(values, tuple(warnings))


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


def _given(request: Request) -> tuple[dict[str, Any], list[str]]:
    """What the request says, under today's names, and a warning for each key that the planner does not know.

    Raises InvalidRequest for a value that the planner does not take.
    """
    given: dict[str, Any] = {}
    warnings: list[str] = []
    for key, value in (request.planner or {}).items():
        name = OLD_NAMES.get(key, key)
        if name in KEYS:
            if value is not None:
                given[name] = value
        elif key != "enabled":
            near = did_you_mean(key, sorted(KEYS))
            question = f'; did you mean "{near}"?' if near else ""
            warnings.append(f"features.planner.{key}: the planner has no such key and ignores it{question}")
    errors = [
        unsupported(f"spec.features.planner.{key}", given[key], choices)
        for key, choices in CHOICES.items()
        if key in given and given[key] not in choices
    ]
    if errors:
        raise InvalidRequest("the planner cannot start with this", errors)
    return given, warnings


def _targets(deployment: Deployment) -> dict[str, float]:
    """The latency targets in ms. Under an end-to-end target they are what the chosen configuration makes of it."""
    sla, metrics = deployment.request.sla, deployment.configuration.metrics
    return {
        "ttft_ms": sla.ttft_ms if sla.ttft_ms is not None else metrics.ttft_ms,
        "itl_ms": sla.itl_ms if sla.itl_ms is not None else metrics.itl_ms,
    }


def _needs_curves(values: dict[str, Any]) -> bool:
    """Throughput scaling runs for the target `sla` only, and then needs a model of how the workers perform."""
    return (
        values.get("optimization_target") == "sla"
        and values.get("enable_throughput_scaling", True)
        and values.get("pre_deployment_sweeping_mode", "rapid") == "rapid"
    )


def _curves(deployment: Deployment) -> dict[str, Any] | None:
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
