"""Profiling: follow the output ConfigMap and the Job until there is a result or a reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crds import vocabulary as v
from crds.errors import InputError
from crds.fields import get
from crds.kube.resources import CONFIGMAPS, JOBS
from profiler.controller import deployment, jobs, results, states
from profiler.controller.pending import start_job
from profiler.controller.states import normal
from profiler.controller.step import FIELD_MANAGER, Step, Tools


def profiling(step: Step, tools: Tools) -> float | None:
    """Returns seconds until the next pass, None to wait for a change."""
    output = tools.cluster.find(CONFIGMAPS, jobs.output_name(step.name), namespace=step.namespace)
    job = tools.cluster.find(JOBS, jobs.job_name(step.name), namespace=step.namespace)
    if output is not None and results.belongs_to(output, step.dgdr):
        _follow_output(step, results.progress(output))
        failure = results.failure(output)
        if failure:
            _failed(step, f"profiling failed: {failure}")
            return None
        if results.finished(output):
            return _finish(step, tools, output)
    if job is None:
        return start_job(step, tools)  # deleted by hand before there was a result: profile again
    _follow_job(step, job)
    return None


def _follow_output(step: Step, seen: results.Progress) -> None:
    if seen.phase and seen.phase != step.status.get("profilingPhase"):
        step.status["profilingPhase"] = str(seen.phase)
        step.set(v.Condition.PROFILING, False, states.profiling_reason(seen.phase), seen.message)


def _follow_job(step: Step, job: Mapping[str, Any]) -> None:
    held = {c["type"]: c for c in get(job, "status.conditions", []) if c.get("status") == "True"}
    failed = held.get("Failed") or held.get("FailureTarget")
    current = states.condition(step.status, v.Condition.PROFILING)
    if failed:
        _failed(step, f"profiling job failed: {failed.get('message') or failed.get('reason') or 'no reason given'}")
    elif "Complete" in held:
        _failed(step, "profiling job ended without a result")
    elif get(job, "status.active") and current and current["reason"] == "Initializing":
        step.set(v.Condition.PROFILING, False, "ProfilingRunning", "Profiling is in progress")


def _failed(step: Step, message: str) -> None:
    reason = states.profiling_failed_reason(step.status.get("profilingPhase"))
    step.fail(v.Condition.PROFILING, reason, message, "ProfilingCheckFailed")


def _finish(step: Step, tools: Tools, output: Mapping[str, Any]) -> float | None:
    """Put the result into status; with autoApply the next pass deploys it."""
    step.status.pop("profilingPhase", None)
    step.set(v.Condition.PROFILING, True, "ProfilingCompleted", "Profiling job completed successfully")
    try:
        result = results.result(output)
    except InputError as error:
        step.fail(v.Condition.SPEC_GENERATED, "GenerationFailed", str(error), "GenerationFailed")
        return None
    _keep_config_maps(step, tools, result)
    dgd = deployment.to_create(step.dgdr, result.dgd)
    step.status["dgdName"] = dgd["metadata"]["name"]
    pareto = [{"config": config} for config in result.pareto]
    step.status["profilingResults"] = {"selectedConfig": dgd, "pareto": pareto}
    deploys = bool(get(step.dgdr, "spec.autoApply", True))
    message = "DynamoGraphDeployment spec generated successfully"
    if not deploys:
        message = "Generated spec is available in status.profilingResults.selectedConfig"
    step.set(v.Condition.SPEC_GENERATED, True, "SpecGenerated", message)
    step.note(normal("SpecGenerated", message))
    step.enter(v.Phase.DEPLOYING if deploys else v.Phase.READY)
    return 0.0 if deploys else None


def _keep_config_maps(step: Step, tools: Tools, result: results.Result) -> None:
    """Apply the ConfigMaps of a result. What the DGD's pods mount has no owner until the DGD is there."""
    for document in result.config_maps:
        keeper = jobs.owner(step.dgdr) if deployment.is_profile(step.dgdr, document) else None
        made = deployment.config_map(step.dgdr, document, keeper)
        tools.cluster.apply(made, field_manager=FIELD_MANAGER, force=True)
