"""What `features.planner` may say: the keys of Dynamo 1.2's PlannerConfig, and the values with which it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crds.errors import InvalidRequest
from crds.fields import FieldError, did_you_mean, invalid, show, unsupported

PATH = "spec.features.planner"
Kind = Literal["integer", "number", "boolean", "string", "object"]
_KINDS: dict[Kind, tuple[str, type | tuple[type, ...]]] = {
    "integer": ("a whole number", int),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", bool),
    "string": ("text", str),
    "object": ("an object", Mapping),
}
# It drops other keys without a word, so a typo would change nothing.
# fmt: off
KEYS: dict[str, Kind] = {
    **dict.fromkeys((
        "decode_engine_num_gpu", "fpm_sample_bucket_size", "kalman_min_points", "live_dashboard_port",
        "load_adjustment_interval_seconds", "load_metric_samples", "load_min_observations",
        "load_scaling_down_sensitivity", "max_gpu_budget", "max_num_fpm_samples", "metric_reporting_prometheus_port",
        "min_endpoint", "min_gpu_budget", "prefill_engine_num_gpu", "prophet_window_size",
        "throughput_adjustment_interval_seconds",
    ), "integer"),
    **dict.fromkeys((
        "itl_ms", "kalman_q_level", "kalman_q_trend", "kalman_r", "report_interval_hours", "ttft_ms",
    ), "number"),
    **dict.fromkeys((
        "advisory", "enable_load_scaling", "enable_throughput_scaling", "load_predictor_log1p",
    ), "boolean"),
    **dict.fromkeys((
        "backend", "environment", "global_planner_namespace", "load_predictor", "load_predictor_warmup_trace",
        "log_dir", "metric_pulling_prometheus_endpoint", "mode", "model_name", "namespace", "optimization_target",
        "pre_deployment_sweeping_mode", "profile_results_dir", "report_filename", "report_output_dir",
        "throughput_metrics_source",
    ), "string"),
    "aic_interpolation": "object",
}
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
PREDICTORS = ("arima", "constant", "kalman", "prophet")
LEAST = {"max_gpu_budget": -1, "min_gpu_budget": -1, "min_endpoint": 0}  # -1: no such bound
LEAST |= dict.fromkeys(("live_dashboard_port", "metric_reporting_prometheus_port"), 0)
LEAST |= dict.fromkeys(("kalman_q_level", "kalman_q_trend", "kalman_r", "load_scaling_down_sensitivity"), 0)
_FASTER, _SLOWER = "load_adjustment_interval_seconds", "throughput_adjustment_interval_seconds"
_SECONDS = {_FASTER: 5, _SLOWER: 180}  # its defaults


@dataclass(frozen=True)
class Given:
    """The request's own values under today's names, and a warning for each that cannot be used."""

    values: dict[str, Any]
    warnings: tuple[str, ...]


def given(said: Mapping[str, Any]) -> Given:
    """What `features.planner` says. Raises InvalidRequest with every value with which the planner would not start."""
    values: dict[str, Any] = {}
    warnings: list[str] = []
    errors: list[FieldError] = []
    for key, value in said.items():
        name = OLD_NAMES.get(key, key)
        if name in KEYS:
            if value is not None:
                values[name] = value
                errors += [error] if (error := _wrong(name, value, f"{PATH}.{key}")) else []
        elif key != "enabled":
            near = did_you_mean(key, sorted(KEYS))
            question = f'; did you mean "{near}"?' if near else ""
            warnings.append(f"features.planner.{key}: the planner has no such key and ignores it{question}")
    errors = errors or _together(values)
    if errors:
        raise InvalidRequest("the planner cannot start with this", errors)
    predictor = values.get("load_predictor", PREDICTORS[0])
    if predictor not in PREDICTORS:
        del values["load_predictor"]
        known = ", ".join(PREDICTORS)
        warnings.append(f"features.planner.load_predictor: the planner knows {known}; {show(predictor)} is left out")
    return Given(values, tuple(warnings))


def _wrong(key: str, value: Any, path: str) -> FieldError | None:
    """What is wrong with one value."""
    kind = KEYS[key]
    if key in CHOICES:
        return None if value in CHOICES[key] else unsupported(path, value, CHOICES[key])
    words, types = _KINDS[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
        return invalid(path, value, f"must be {words}")
    return _out_of_range(path, key, value) if isinstance(value, int | float) and kind != "boolean" else None


def _out_of_range(path: str, key: str, value: float) -> FieldError | None:
    least = LEAST.get(key)
    if not math.isfinite(value) or (value <= 0 if least is None else value < least):
        return invalid(path, value, "must be greater than 0" if least is None else f"must be at least {least}")
    if key == "fpm_sample_bucket_size" and math.isqrt(int(value)) ** 2 != value:
        return invalid(path, value, "must be a square number, as 16")
    return None


def _together(values: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with values that are right by themselves."""
    by_sla = values.get("optimization_target") == "sla"
    by_throughput = by_sla and values.get("enable_throughput_scaling", True)
    by_load = not by_sla or values.get("enable_load_scaling", False)
    errors = []
    if not by_throughput and not by_load:
        detail = "the planner scales by nothing; set this or enable_load_scaling to true"
        errors.append(invalid(f"{PATH}.enable_throughput_scaling", False, detail))
    if by_throughput and values.get("pre_deployment_sweeping_mode") == "none":
        detail = "throughput scaling needs rapid or thorough, or enable_throughput_scaling: false"
        errors.append(invalid(f"{PATH}.pre_deployment_sweeping_mode", "none", detail))
    fast, slow = (values.get(key, _SECONDS[key]) for key in (_FASTER, _SLOWER))
    if by_throughput and by_load and fast >= slow:
        errors.append(invalid(f"{PATH}.{_FASTER}", fast, f"must be less than {_SLOWER} ({slow})"))
    if values.get("environment") == "global-planner" and not values.get("global_planner_namespace"):
        errors.append(invalid(f"{PATH}.environment", "global-planner", "needs global_planner_namespace"))
    return errors
