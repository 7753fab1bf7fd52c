"""Deploying and Deployed: create the DGD once, then follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crds import vocabulary as v
from crds.errors import Refused
from crds.fields import get
from crds.kube.resources import CONFIGMAPS, DGD
from profiler.controller import deployment, jobs, results, states
from profiler.controller.states import normal, warning
from profiler.controller.step import FIELD_MANAGER, Step, Tools

READY = v.Condition.DEPLOYMENT_READY


def deploying(step: Step, tools: Tools) -> float | None:
    """The condition DeploymentReady is there once the DGD was created: a DGD that is gone after that was deleted."""
    name = step.status["dgdName"]
    dgd = tools.cluster.find(DGD, name, namespace=step.namespace)
    created = states.condition(step.status, READY) is not None
    if dgd is None and created:
        _deleted(step, name)
    elif dgd is None:
        _create(step, tools)
    elif not deployment.is_ours(step.dgdr, dgd):
        message = (
            f"a DynamoGraphDeployment named {name} exists already and was not made for this request; "
            "delete it, or choose another name in spec.overrides.dgd.metadata.name of a new request"
        )
        step.fail(READY, "DeploymentRejected", message, "DeploymentCreationFailed")
    elif not created:  # a pass that was cut short after creating it
        _announce(step, tools, dgd)
    else:
        _follow(step, name, dgd)
    return None


def _create(step: Step, tools: Tools) -> None:
    wanted = get(step.status, "profilingResults.selectedConfig")
    try:
        dgd = tools.cluster.create(DGD, wanted, namespace=step.namespace)
    except Refused as error:
        step.fail(READY, "DeploymentRejected", str(error), "DeploymentCreationFailed")
        return
    _announce(step, tools, dgd)


def _announce(step: Step, tools: Tools, dgd: Mapping[str, Any]) -> None:
    name = dgd["metadata"]["name"]
    _own_config_maps(step, tools, dgd)
    step.set(READY, False, "DeploymentCreated", f"DGD {name} created, waiting for Ready")
    step.note(normal("DeploymentCreated", f"DynamoGraphDeployment {name} created successfully"))


def _own_config_maps(step: Step, tools: Tools, dgd: Mapping[str, Any]) -> None:
    """The DGD owns what its pods mount, so that deleting the request leaves a running deployment whole."""
    output = tools.cluster.find(CONFIGMAPS, jobs.output_name(step.name), namespace=step.namespace)
    for document in results.result(output).config_maps if output else ():
        if not deployment.is_profile(step.dgdr, document):
            made = deployment.config_map(step.dgdr, document, deployment.dgd_owner(dgd))
            tools.cluster.apply(made, field_manager=FIELD_MANAGER, force=True)


def _deleted(step: Step, name: str) -> None:
    step.status.pop("dgdName", None)
    step.status.pop("deploymentInfo", None)
    message = "Deployment was deleted by user. Create a new DGDR to redeploy."
    step.set(READY, False, "DeploymentDeleted", message)
    step.enter(v.Phase.FAILED)
    advice = f"DGD {name} was deleted. DGDR will not recreate it. Delete this DGDR and create a new one to redeploy."
    step.note(warning("DeploymentDeleted", advice))


def _follow(step: Step, name: str, dgd: Mapping[str, Any]) -> None:
    state, was = deployment.state(dgd), step.phase
    step.status["deploymentInfo"] = deployment.info(dgd)
    if state == v.DgdState.SUCCESSFUL:
        message = f"DynamoGraphDeployment {name} is ready"
        step.set(READY, True, "DeploymentReady", message)
        step.enter(v.Phase.DEPLOYED)
        if was is not v.Phase.DEPLOYED:
            step.note(normal("DeploymentReady", message))
        return
    step.enter(v.Phase.DEPLOYING)
    if was is v.Phase.DEPLOYED:
        step.set(READY, False, "DeploymentDegraded", f"Deployment degraded to {state}")
        step.note(warning("DeploymentDegraded", f"DynamoGraphDeployment {name} degraded from Ready to {state}"))
    else:
        step.set(READY, False, "DeploymentInProgress", f"DGD {name} is in {state} state")
