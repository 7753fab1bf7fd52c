"""Admission rules: one function each, called by every part.

`check` is the door for DynamoGraphDeploymentRequests. Each of their rules that CEL can say has a twin in
`crds/dgdr-policy.yaml`; `tests/crds/cases.py` holds the cases on which rule and twin must agree. `check_deployment` and
`check_model` are for the kinds that NVIDIA's operator, where it is there, holds against rules of its own.

* `table`: the rules in their order, and `check`.
* `spec`, `names`: what a request may say, one function a rule.
* `change`: what an update may change.
* `advice`: what is allowed but likely a mistake, as warnings.
* `cluster`: what is allowed but will not work in this cluster, as warnings.
* `context`: what a caller knows besides the object.
* `deployments`: the rules for DynamoGraphDeployments.
* `models`: the rules for DynamoModels.
"""

from crds.rules.context import Context, Mode
from crds.rules.deployments import DeploymentContext
from crds.rules.deployments import check as check_deployment
from crds.rules.models import check as check_model
from crds.rules.table import RULES, Findings, Rule, check

__all__ = [
    "RULES",
    "Context",
    "DeploymentContext",
    "Findings",
    "Mode",
    "Rule",
    "check",
    "check_deployment",
    "check_model",
]
