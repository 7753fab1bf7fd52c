"""Admission rules for DynamoGraphDeploymentRequests: one function each, called by every part.

`check` is the door. Each rule that CEL can say has a twin in `crds/dgdr-policy.yaml`; `tests/crds/cases.py` holds the
cases on which rule and twin must agree.

* `table`: the rules in their order, and `check`.
* `spec`, `names`: what a request may say, one function a rule.
* `change`: what an update may change.
* `advice`: what is allowed but likely a mistake, as warnings.
* `cluster`: what is allowed but will not work in this cluster, as warnings.
* `context`: what a caller knows besides the object.
"""

from crds.rules.context import Context, Mode
from crds.rules.table import RULES, Findings, Rule, check

__all__ = ["RULES", "Context", "Findings", "Mode", "Rule", "check"]
