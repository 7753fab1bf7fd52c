"""The rules' twins in CEL, on a real API server without any webhook of ours."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from crds import vocabulary as v
from crds.documents import dump_all
from tests.cluster.controlplane import REPOSITORY, ControlPlane
from tests.cluster.polling import eventually
from tests.crds.cases import CASES, Case, Twin, request

pytestmark = pytest.mark.cluster

POLICY = REPOSITORY / "crds" / "dgdr-policy.yaml"
CRD = REPOSITORY / "crds" / f"nvidia.com_{v.PLURALS[v.Kind.DGDR]}.yaml"
ADMITTED = "admitted"
BY_SCHEMA = "refused by the schema"


@pytest.fixture
def group(control_plane: ControlPlane) -> Iterator[str]:
    """The CRD once more in a group of its own: here objects can be made that the policy would refuse."""
    name = f"t{secrets.token_hex(4)}.example.com"
    crd = yaml.safe_load(CRD.read_text())
    crd["metadata"]["name"] = f"{crd['spec']['names']['plural']}.{name}"
    crd["spec"]["group"] = name
    control_plane.run_kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump(crd))
    listing = f"/apis/{name}/{v.Version.V1BETA1}/{crd['spec']['names']['plural']}"
    eventually(lambda: serves(control_plane, listing), 60, f"{name} is not served")
    yield name
    control_plane.run_kubectl("delete", "crd", crd["metadata"]["name"], "--wait=false")


def serves(control_plane: ControlPlane, path: str) -> bool:
    """Whether the API server knows a path yet."""
    return control_plane.run_kubectl("get", "--raw", path, check=False).returncode == 0


def apply_policy(control_plane: ControlPlane, group: str, namespace: str) -> None:
    """Apply our policy to `group`, under that name, and wait until it acts."""
    policy, binding = yaml.safe_load_all(POLICY.read_text())
    policy["metadata"]["name"] = binding["metadata"]["name"] = binding["spec"]["policyName"] = group
    policy["spec"]["matchConstraints"]["resourceRules"][0]["apiGroups"] = [group]
    control_plane.run_kubectl("apply", "-f", "-", input=yaml.safe_dump_all([policy, binding]))
    refused = moved(request({"sla": {"itl": -5}}), group, "canary")

    def acts() -> bool:
        done = control_plane.run_kubectl(
            "create", "--dry-run=server", "-f", "-", input=yaml.safe_dump(refused), check=False, namespace=namespace
        )
        return group in done.stderr and "denied request" in done.stderr

    eventually(acts, 60, "the policy does not act", interval=0.5)


def policy_status(control_plane: ControlPlane, policy: str) -> Any:
    """Status of a policy once its expressions were checked against the types of the CRD; `typeChecking` complains."""
    text = control_plane.run_kubectl("get", "validatingadmissionpolicy", policy, "-o", "json").stdout
    status = json.loads(text).get("status", {})
    return status if "typeChecking" in status else None


def moved(document: dict[str, Any], group: str, name: str) -> dict[str, Any]:
    """`document` in `group`, under a name of its own unless its name is what the case is about."""
    own = document["metadata"]["name"]
    return {
        **document,
        "apiVersion": f"{group}/{v.Version.V1BETA1}",
        "metadata": {"name": name if own == "qwen" else own},
    }


def answers(done: Any, names: dict[str, str]) -> dict[str, str]:
    """What kubectl says of each object of a batch: case name -> answer. `names` are the objects' names by case."""
    refusals = re.split(r"\n(?=The |Error from server)", done.stderr)
    found = {}
    for case, name in names.items():
        mine = [text for text in refusals if f'"{name}"' in text]
        denied = re.search(r"denied request: (.*)", mine[0]) if mine else None
        if denied:
            found[case] = denied[1].strip()
        elif mine:
            found[case] = BY_SCHEMA
        else:
            assert f"/{name} " in done.stdout, f"nothing was said of {case}: {done.stdout}{done.stderr}"
            found[case] = ADMITTED
    return found


def expected(case: Case) -> str:
    """What an API server without the webhook should say."""
    if not case.errors or case.twin is Twin.NONE:
        return ADMITTED
    return case.errors[0] if case.twin is Twin.POLICY else BY_SCHEMA


def test_rules_and_twins_agree(control_plane: ControlPlane, namespace: str, group: str) -> None:
    def kubectl(*verb: str, documents: dict[str, dict[str, Any]], check: bool) -> Any:
        text = dump_all(documents.values())
        return control_plane.run_kubectl(*verb, "-f", "-", input=text, check=check, namespace=namespace)

    olds, creates, updates = {}, {}, {}
    for number, case in enumerate(CASES):
        (creates if case.old is None else updates)[case.name] = moved(case.new, group, f"case-{number}")
        if case.old is not None:
            olds[case.name] = moved(case.old, group, f"case-{number}")
    with_status = {name: old for name, old in olds.items() if "status" in old}
    kubectl("create", documents=olds, check=True)
    kubectl("replace", "--subresource=status", documents=with_status, check=True)

    apply_policy(control_plane, group, namespace)
    try:
        said = {}
        for verb, news in (("create", creates), ("replace", updates)):
            done = kubectl(verb, "--dry-run=server", documents=news, check=False)
            said |= answers(done, {case: new["metadata"]["name"] for case, new in news.items()})
        status = eventually(lambda: policy_status(control_plane, group), 60, "the policy was not type-checked")
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            control_plane.run_kubectl("delete", kind, group)
    assert said == {case.name: expected(case) for case in CASES}
    assert status["typeChecking"] == {}


def test_the_policy_refuses_what_is_applied_under_its_real_name(
    control_plane: ControlPlane, namespace: str, crds: None
) -> None:
    wrong = dump_all([request({"backend": "auto", "searchStrategy": "thorough"})])
    right = dump_all([request()])

    def refused() -> bool:
        done = control_plane.run_kubectl(
            "apply", "--dry-run=server", "-f", "-", input=wrong, check=False, namespace=namespace
        )
        return "dgdr-rules.nvidia.com" in done.stderr and 'is incompatible with spec.backend "auto"' in done.stderr

    eventually(refused, 60, "the policy does not act", interval=0.5)
    control_plane.run_kubectl("apply", "-f", "-", input=right, namespace=namespace)
