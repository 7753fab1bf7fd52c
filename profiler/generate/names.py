"""Names and labels of what is generated. Nothing random: the same request gives the same names."""

from __future__ import annotations

from collections.abc import Iterable

from crds import vocabulary as v
from profiler.request import Request

FRONTEND = "Frontend"
PLANNER = "Planner"
# Dynamo's own profiler refuses a longer DGD name plus service name; its operator shortens names from here on.
COMFORTABLE = 45


def planner_config(request: Request) -> str:
    """Name of the planner's ConfigMap. It carries the request's: one of another request would be overwritten."""
    return f"planner-config-{request.name}"


def profile_data(request: Request) -> str:
    """Name of the ConfigMap with the workers' performance curves."""
    return f"planner-profile-data-{request.name}"


def labels(request: Request) -> dict[str, str]:
    """Labels by which a generated object is found from its request."""
    return {
        v.LABEL_DGDR_NAME: request.name,
        v.LABEL_DGDR_NAMESPACE: request.namespace,
        v.LABEL_MANAGED_BY: v.MANAGED_BY,
    }


def length_warnings(dgd: str, services: Iterable[str]) -> list[str]:
    """A warning where the names of the Services come out longer than Dynamo's tools like; one for the longest."""
    longest = max(services, key=len, default="")
    if len(dgd) + len(longest) <= COMFORTABLE:
        return []
    return [f'"{dgd}" and its service "{longest}" exceed {COMFORTABLE} characters; set overrides.dgd.metadata.name']
