"""Pending: validate the request, find the hardware, make the profiling Job."""

from __future__ import annotations

from typing import Any

from crds import rules
from crds import vocabulary as v
from crds.errors import Conflict, InputError, Refused
from crds.fields import get
from crds.kube.resources import CONFIGMAPS, JOBS, PVCS
from profiler.controller import jobs, results, states
from profiler.controller.states import normal
from profiler.controller.step import FIELD_MANAGER, RETRY_SECONDS, Step, Tools

HARDWARE_FIELDS = ("gpuSku", "vramMb", "numGpusPerNode", "totalGpus")
PREPARING = "Discovering GPU hardware and preparing profiling job"


def pending(step: Step, tools: Tools) -> float | None:
    """An edit in Pending is used, so every pass validates what is there now. Returns seconds until the next pass."""
    first = states.condition(step.status, v.Condition.VALIDATION) is None
    step.enter(v.Phase.PENDING)
    step.status["observedGeneration"] = step.generation
    hardware = _hardware(step, tools)
    problem = _problem(step, tools, hardware)
    if problem:
        step.fail(v.Condition.VALIDATION, "ValidationFailed", problem, "ValidationFailed")
        return None
    step.set(v.Condition.VALIDATION, True, "ValidationPassed", "")
    if first:
        step.set(v.Condition.PROFILING, False, "DiscoveringHardware", PREPARING)
        step.note(normal("Initialized", "DGDR initialized successfully"))
        return 0.0  # so that Pending is seen before the Job is made
    return start_job(step, tools, hardware)


def start_job(step: Step, tools: Tools, hardware: dict[str, Any] | None = None) -> float | None:
    """Make the profiling Job with its service account and rights, and enter Profiling."""
    try:
        job = jobs.profiling_job(step.dgdr, hardware or _hardware(step, tools), tools.settings)
        made = _create(step, tools, job)
    except (InputError, Refused) as error:
        step.fail(v.Condition.PROFILING, "JobCreationFailed", str(error), "ProfilingJobFailed")
        return None
    if not made:
        return RETRY_SECONDS
    step.enter(v.Phase.PROFILING)
    step.status["profilingPhase"] = str(v.ProfilingPhase.INITIALIZING)
    step.status["profilingJobName"] = job["metadata"]["name"]
    step.set(v.Condition.PROFILING, False, "Initializing", PREPARING)
    step.note(normal("ProfilingJobCreated", "Profiling job created"))
    return None


def _create(step: Step, tools: Tools, job: dict[str, Any]) -> bool:
    """Create the Job; False where one of an earlier request of this name still has to go."""
    cluster = tools.cluster
    for document in jobs.job_access(step.namespace):
        cluster.apply(document, field_manager=FIELD_MANAGER, force=True)
    output = jobs.output_name(step.name)
    stale = cluster.find(CONFIGMAPS, output, namespace=step.namespace)
    if stale is not None and not results.belongs_to(stale, step.dgdr):
        cluster.delete(CONFIGMAPS, output, namespace=step.namespace)
    try:
        cluster.create(JOBS, job, namespace=step.namespace)
    except Conflict:
        existing = cluster.find(JOBS, job["metadata"]["name"], namespace=step.namespace)
        if existing is None:
            return False
        if not results.belongs_to(existing, step.dgdr):
            cluster.delete(JOBS, job["metadata"]["name"], namespace=step.namespace)
            return False
    return True


def _problem(step: Step, tools: Tools, hardware: dict[str, Any]) -> str | None:
    """Why the request cannot be profiled, a line for each reason, or None."""
    known = all(hardware.get(key) for key in ("gpuSku", "totalGpus"))
    found = rules.check(step.dgdr, context=rules.Context(rules.Mode.STANDALONE, hardware_known=known))
    lines = [str(error) for error in found.errors]
    claim = get(step.dgdr, "spec.modelCache.pvcName")
    if claim and tools.cluster.find(PVCS, claim, namespace=step.namespace) is None:
        lines.append(f"model cache PVC {claim} not found in namespace {step.namespace}")
    return "\n".join(lines) or None


def _hardware(step: Step, tools: Tools) -> dict[str, Any]:
    """`spec.hardware`, its gaps filled from the cluster's nodes. Not written back: GitOps tools would see drift."""
    given = dict(get(step.dgdr, "spec.hardware", {}))
    pool = None if all(given.get(key) for key in HARDWARE_FIELDS) else tools.discover().pool(given.get("gpuSku"))
    if pool is None:
        return given
    seen = pool.as_detected()
    detected = {
        "gpuSku": seen.sku,
        "vramMb": seen.vram_mb,
        "numGpusPerNode": seen.gpus_per_node,
        "totalGpus": seen.total_gpus,
        "rdma": seen.rdma,
    }
    return {**{key: value for key, value in detected.items() if value is not None}, **given}
