"""Requests in a cluster, made by hand: each phase that `describe` must tell well."""

from __future__ import annotations

from typing import Any

from kubectl_dynamo.views.describe import Story
from tests.kubectl_dynamo.profiles import MET, MISSED

NOW = "2026-05-01T12:30:00Z"


def dgdr(phase: str | None = None, **status: Any) -> dict[str, Any]:
    """A request of the docs, in a phase."""
    document: dict[str, Any] = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "llama-70b", "namespace": "dynamo", "creationTimestamp": "2026-05-01T12:00:00Z"},
        "spec": {
            "model": "meta-llama/Llama-3.1-70B-Instruct",
            "backend": "vllm",
            "autoApply": False,
            "sla": {"ttft": 500, "itl": 50},
            "workload": {"isl": 4000, "osl": 1000, "requestRate": 10},
        },
    }
    if phase:
        document["status"] = {"phase": phase, **status}
    return document


def condition(kind: str, status: str, reason: str, message: str = "", at: str = "12:05") -> dict[str, str]:
    """One condition of a status."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": f"2026-05-01T{at}:00Z",
    }


def event(kind: str, reason: str, message: str, *, warning: bool = False, at: str = "12:05") -> dict[str, Any]:
    """One event about the request or its Job."""
    name = "llama-70b" if kind == "DynamoGraphDeploymentRequest" else "profile-llama-70b"
    return {
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": message,
        "lastTimestamp": f"2026-05-01T{at}:00Z",
        "involvedObject": {"kind": kind, "name": name},
    }


_DGD = {
    "apiVersion": "nvidia.com/v1alpha1",
    "kind": "DynamoGraphDeployment",
    "metadata": {"name": "llama-70b-dgd", "namespace": "dynamo"},
    "spec": {
        "services": {
            "Frontend": {"replicas": 1},
            "VllmPrefillWorker": {"replicas": 2, "resources": {"limits": {"gpu": "2"}}},
            "VllmDecodeWorker": {"replicas": 2, "resources": {"limits": {"gpu": "4"}}},
        }
    },
}

STORIES = {
    "unseen": Story(dgdr()),
    "profiling": Story(
        dgdr(
            "Profiling",
            profilingPhase="SweepingDecode",
            profilingJobName="profile-llama-70b",
            conditions=[
                condition("Validation", "True", "ValidationSucceeded", "the request is valid"),
                condition("Profiling", "False", "SweepingDecode", "sweeping decode engines", at="12:29"),
                condition("Succeeded", "False", "Profiling", "Profiling is in progress"),
            ],
        ),
        events=(
            event("DynamoGraphDeploymentRequest", "ProfilingJobCreated", "Job profile-llama-70b created"),
            event("Job", "SuccessfulCreate", "Created pod: profile-llama-70b-x7k2p", at="12:06"),
        ),
    ),
    "deploying": Story(
        dgdr(
            "Deploying",
            dgdName="llama-70b-dgd",
            conditions=[
                condition("Validation", "True", "ValidationSucceeded"),
                condition("Profiling", "True", "Completed", at="12:20"),
                condition("SpecGenerated", "True", "SpecGenerated", at="12:20"),
                condition("DeploymentReady", "False", "Deploying", "waiting for VllmDecodeWorker", at="12:21"),
                condition("Succeeded", "False", "Deploying", "The deployment is starting"),
            ],
        ),
        dgd={
            **_DGD,
            "status": {
                "state": "pending",
                "conditions": [
                    condition("Ready", "False", "some_resources_are_not_ready", "Resources not ready: VllmDecodeWorker")
                ],
                "services": {
                    "Frontend": {"readyReplicas": 1},
                    "VllmPrefillWorker": {"readyReplicas": 2},
                    "VllmDecodeWorker": {"readyReplicas": 0},
                },
            },
        },
        profile=MET,
        events=(event("DynamoGraphDeploymentRequest", "DeploymentCreated", "DGD llama-70b-dgd created", at="12:21"),),
    ),
    "ready-upstream": Story(
        dgdr(
            "Ready",
            dgdName="llama-70b-dgd",
            profilingResults={"selectedConfig": _DGD, "pareto": [{"config": {}}] * 4},
            conditions=[condition("Succeeded", "True", "SpecGenerated", "The deployment can be applied")],
        ),
        notes=("Its profiler left no profile.json, so how it chose is not known here.",),
    ),
    "failed": Story(
        dgdr(
            "Failed",
            profilingPhase="Initializing",
            conditions=[
                condition("Validation", "True", "ValidationSucceeded"),
                condition("Profiling", "False", "InitializingFailed", "profiling failed: no source knows the model x"),
                condition("Succeeded", "False", "Failed", "profiling failed: no source knows the model x"),
            ],
        ),
        events=(event("Job", "BackoffLimitExceeded", "Job has reached the specified backoff limit", warning=True),),
    ),
    "missed": Story(
        dgdr("Ready", conditions=[condition("Succeeded", "True", "SpecGenerated", "The deployment can be applied")]),
        profile=MISSED,
    ),
}
