"""Admission rules for v1alpha1 DynamoGraphDeployments in clusters where NVIDIA's operator does not hold them.

`check` is the door. What the CRD's schema refuses already has no rule here.

* `table`: the rules, their order, and `check`.
* `graph`: a deployment as the rules read it, and what a caller knows besides it.
* `naming`: names that Services and pods are derived from.
* `spec`: annotations, restart and topology of the whole deployment.
* `service`, `features`: what one service may say; what an EPP, a memory service and failover ask for.
* `change`: what an update may change.
* `advice`: what is allowed but likely a mistake, as warnings.
"""

from crds.rules.deployments.graph import DeploymentContext
from crds.rules.deployments.table import check

__all__ = ["DeploymentContext", "check"]
