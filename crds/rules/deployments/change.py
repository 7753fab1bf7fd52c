"""What an update may not change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from crds.fields import FieldError, forbidden, get, show
from crds.rules.deployments.graph import DeploymentContext, Document, Service, enabled, services

_AGAIN: Final = "delete and recreate the deployment to change it"
_ROLLING: Final = ("Pending", "InProgress")
# Who scales where an adapter does: Dynamo's planner, and the controller behind the adapter itself.
_SCALERS: Final = re.compile(
    r"system:serviceaccount:[^:]+:(?:planner-serviceaccount|(?:[^:]*-)?dynamo-operator-controller-manager)"
)


def backend_framework(new: Document, old: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """The engine stays."""
    path = "spec.backendFramework"
    before = get(old, path, "")
    if get(new, path, "") != before:
        yield forbidden(path, f"cannot change from {_said(before)}; {_AGAIN}")


def _said(value: object) -> str:
    return show(value) if value else "unset"


def service_set(new: Document, old: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """Services neither come nor go."""
    now, before = services(new), services(old)
    added, removed = ([name for name in here if name not in there] for here, there in ((now, before), (before, now)))
    if added or removed:
        said = [
            f"{verb} {', '.join(map(_said, names))}" for verb, names in (("add", added), ("remove", removed)) if names
        ]
        yield forbidden("spec.services", f"an update cannot {' or '.join(said)}; {_AGAIN}")


def topology(new: Document, old: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """Pods that run stay where they were packed."""
    path = "spec.topologyConstraint"
    if get(new, path) != get(old, path):
        yield forbidden(path, f"cannot be added, removed or changed; {_AGAIN}")


def service_topology(new: Service, old: Service, _: DeploymentContext) -> Iterator[FieldError]:
    """As for the whole deployment."""
    if new.topology != old.topology:
        yield forbidden(f"{new.path}.topologyConstraint", f"cannot be added, removed or changed; {_AGAIN}")


def node_topology(new: Service, old: Service, _: DeploymentContext) -> Iterator[FieldError]:
    """An engine over several nodes is another kind of object than one on a node."""
    if (new.nodes > 1) != (old.nodes > 1):
        before = "several nodes to one" if old.nodes > 1 else "one node to several"
        yield forbidden(f"{new.path}.multinode", f"a service cannot change from {before}; {_AGAIN}")


def scaled_replicas(new: Service, old: Service, context: DeploymentContext) -> Iterator[FieldError]:
    """Replicas belong to the scaling adapter, so that two do not pull at them."""
    adapter = any(enabled(each.spec, "scalingAdapter") for each in (new, old))
    if adapter and new.replicas != old.replicas and not _SCALERS.fullmatch(context.user):
        why = f"belongs to the scaling adapter; keep {old.replicas}, and scale the DynamoGraphDeploymentScalingAdapter"
        yield forbidden(f"{new.path}.replicas", why)


def restart_id(new: Document, old: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """One rollout at a time."""
    path = "spec.restart.id"
    phase, asked = get(old, "status.rollingUpdate.phase"), get(new, path)
    if phase in _ROLLING and asked is not None and asked != get(old, path):
        yield forbidden(path, f"cannot change while a rolling update is {phase}; wait until it is Completed")
