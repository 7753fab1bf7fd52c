"""`status` of a DGDR: v1alpha1's state and deployment, v1beta1's phase and dgdName.

A request is Deployed in v1beta1 where it is Ready in v1alpha1 with a deployment that was created. States that v1beta1
has no phase for (Initializing, DeploymentDeleted) are kept aside, and are put back only while the phase and the name of
the deployment are still what they stood for: a controller of v1beta1 writes its status without looking at them.
"""

from __future__ import annotations

from typing import Any, Final

from crds import vocabulary as v
from crds.conversion.trees import MISSING, Tree, filled, get, path, without

INITIALIZING: Final = "Initializing"  # v1alpha1's state of a request that nobody has looked at
DEPLOYMENT_DELETED: Final = "DeploymentDeleted"
SHARED: Final = ("observedGeneration", "conditions")
SELECTED: Final = path("profilingResults.selectedConfig")

_PHASES: Final = {
    "Pending": v.Phase.PENDING,
    "Profiling": v.Phase.PROFILING,
    "Ready": v.Phase.READY,
    "Deploying": v.Phase.DEPLOYING,
    DEPLOYMENT_DELETED: v.Phase.READY,
    "Failed": v.Phase.FAILED,
}
_STATES: Final = {str(phase): state for state, phase in _PHASES.items() if state != DEPLOYMENT_DELETED} | {
    str(v.Phase.DEPLOYED): "Ready"
}
# What v1alpha1 says of a deployment of which only the name is known.
_DEPLOYMENTS: Final = {str(v.Phase.DEPLOYING): v.DgdState.PENDING, str(v.Phase.DEPLOYED): v.DgdState.SUCCESSFUL}


def to_beta(alpha: Tree, kept: Tree) -> Tree:
    """The v1beta1 status of a v1alpha1 one; `kept` is what v1alpha1 could not say of an earlier v1beta1 status."""
    beta: Tree = {key: alpha[key] for key in SHARED if key in alpha}
    untouched = "phase" in kept and kept["phase"] is None and alpha.get("state") == INITIALIZING
    phase = None if untouched else _phase(alpha.get("state"), alpha.get("deployment"))
    if phase is not None:
        beta["phase"] = phase
    if (name := _name(alpha)) is not MISSING:
        beta["dgdName"] = name
    if isinstance(alpha.get("generatedDeployment"), dict):
        beta["profilingResults"] = {"selectedConfig": alpha["generatedDeployment"]}
    stale = {"phase", "dgdName"}
    if kept.get("phase", str(v.Phase.PROFILING)) != phase:
        stale.add("profilingPhase")
    if kept.get("dgdName", MISSING) != name:
        stale.add("deploymentInfo")
    return filled(beta, {key: value for key, value in kept.items() if key not in stale})


def to_alpha(beta: Tree, kept: Tree) -> Tree:
    """The v1alpha1 status of a v1beta1 one; `kept` is what v1beta1 could not say of an earlier v1alpha1 status."""
    alpha: Tree = {key: beta[key] for key in SHARED if key in beta}
    phase, name = beta.get("phase"), beta.get("dgdName", MISSING)
    alpha["state"] = _STATES.get(str(phase), INITIALIZING)
    deployment = _deployment(phase, name)
    state, earlier = kept.get("state", alpha["state"]), kept.get("deployment")
    if _name(kept) == name:
        if phase is not None and _phase(state, earlier) == phase:
            alpha["state"], deployment = state, earlier or deployment
        elif isinstance(earlier, dict) and deployment is not None:
            deployment = {**{key: earlier[key] for key in ("namespace",) if key in earlier}, **deployment}
    if deployment is not None:
        alpha["deployment"] = deployment
    if _is_resource(selected := get(beta, SELECTED)):
        alpha["generatedDeployment"] = selected
    return filled(alpha, {key: value for key, value in kept.items() if key not in ("state", "deployment")})


def only_alpha(alpha: Tree) -> Tree:
    """What v1beta1 cannot say of a v1alpha1 status."""
    gone = {*SHARED, "state", "deployment"} | (
        {"generatedDeployment"} if get(alpha, ("generatedDeployment",)) else set()
    )
    kept = {key: value for key, value in alpha.items() if key not in gone}
    state, deployment = alpha.get("state") or INITIALIZING, alpha.get("deployment")
    phase = _phase(state, deployment)
    if state != _STATES[phase] or deployment != _deployment(phase, _name(alpha)):
        kept["state"] = state
        if deployment is not None:
            kept["deployment"] = deployment
    return kept


def only_beta(beta: Tree) -> Tree:
    """What v1alpha1 cannot say of a v1beta1 status, and what that belongs to: a phase, a deployment."""
    kept = {key: value for key, value in beta.items() if key not in {*SHARED, "phase", "dgdName"}}
    if _is_resource(get(kept, SELECTED)):
        kept = without(kept, SELECTED)
    if "phase" not in beta or "profilingPhase" in beta:
        kept["phase"] = beta.get("phase")
    if "deploymentInfo" in beta and "dgdName" in beta:
        kept["dgdName"] = beta["dgdName"]
    return kept


def _phase(state: Any, deployment: Any) -> str:
    if state == "Ready" and isinstance(deployment, dict) and deployment.get("created") is True:
        return str(v.Phase.DEPLOYED)
    return str(_PHASES.get(state if isinstance(state, str) else "", v.Phase.PENDING))


def _name(alpha: Tree) -> Any:
    """Name of the deployment of a v1alpha1 status, MISSING where it has none."""
    return get(alpha, ("deployment", "name"))


def _deployment(phase: Any, name: Any) -> Tree | None:
    deployed = phase == v.Phase.DEPLOYED
    if name is MISSING and not deployed:
        return None
    named = {} if name is MISSING else {"name": name}
    state = str(_DEPLOYMENTS.get(str(phase), v.DgdState.INITIALIZING))
    return {**named, "state": state, **({"created": True} if deployed else {})}


def _is_resource(value: Any) -> bool:
    """v1alpha1 takes only an object with apiVersion and kind."""
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str) and value[key] for key in ("apiVersion", "kind")
    )
