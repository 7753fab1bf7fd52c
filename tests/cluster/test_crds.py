"""The CRDs on a real API server, and the offline check held against that server's own answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crds import schema
from crds import vocabulary as v
from tests.cluster.api import ApiFailure
from tests.cluster.controlplane import REPOSITORY, ControlPlane
from tests.crds import doc_examples

pytestmark = pytest.mark.cluster

STRICT_DRY_RUN = "dryRun=All&fieldValidation=Strict"
REFUSED_BY_SCHEMA = {400, 422}


@pytest.fixture(scope="module")
def group(control_plane: ControlPlane) -> Iterator[str]:
    """The CRDs once more in a group of their own, applied client-side: no policy or webhook acts here."""
    name = f"t{secrets.token_hex(4)}.example.com"
    crds = []
    for path in sorted((REPOSITORY / "crds").glob("nvidia.com_*.yaml")):
        crd = yaml.load(path.read_text(), yaml.CSafeLoader)
        crd["metadata"]["name"] = f"{crd['spec']['names']['plural']}.{name}"
        crd["spec"]["group"] = name
        crds.append(crd)
    names = [crd["metadata"]["name"] for crd in crds]
    control_plane.run_kubectl("apply", "-f", "-", input=yaml.dump_all(crds, Dumper=yaml.CSafeDumper))
    control_plane.run_kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *names)
    yield name
    control_plane.run_kubectl("delete", "crd", "--wait=false", *names)


def answer(control_plane: ControlPlane, group: str, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The spec that the server would store of `document`, or None where it refuses the document."""
    version = document["apiVersion"].split("/")[1]
    plural = v.PLURALS[v.Kind(document["kind"])]
    path = f"/apis/{group}/{version}/namespaces/default/{plural}?{STRICT_DRY_RUN}"
    try:
        stored = control_plane.api.post(path, {**document, "apiVersion": f"{group}/{version}"})
    except ApiFailure as failure:
        if failure.code not in REFUSED_BY_SCHEMA:
            raise
        return None
    return stored.get("spec", {})


@pytest.mark.parametrize("name", doc_examples.ACCEPTED | doc_examples.REFUSED)
def test_the_server_takes_the_examples_of_the_documentation(control_plane: ControlPlane, group: str, name: str) -> None:
    document = doc_examples.request(name, (doc_examples.ACCEPTED | doc_examples.REFUSED)[name])
    stored = answer(control_plane, group, document)
    assert stored == (None if name in doc_examples.REFUSED else schema.defaulted(document)["spec"])


JUNK = st.sampled_from([None, True, -1, 3.5, 8.0, 10**11, "", "x", "1Gi", [], [None], {}, {"odd": 1}, {"name": "a"}])


@st.composite
def instances(draw: st.DrawFn, schema: Mapping[str, Any], sound: int, depth: int = 0) -> Any:
    """Something near to what `schema` allows: of `sound` values about one is wrong, or an object has an odd field."""
    if draw(st.integers(0, sound)) == sound:
        return draw(JUNK)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema.get("x-kubernetes-int-or-string"):
        return draw(st.sampled_from([1, "1", "1Gi"]))
    if schema.get("x-kubernetes-embedded-resource"):
        return draw(st.sampled_from([{}, {"kind": "A"}, {"apiVersion": "a/v1", "kind": "A", "spec": {"b": None}}]))
    if schema["type"] == "array":
        return [draw(instances(schema["items"], sound, depth + 1)) for _ in range(draw(st.integers(0, 2)))]
    if schema["type"] == "object":
        fields, others = schema.get("properties", {}), schema.get("additionalProperties", {"type": "string"})
        names = [*schema.get("required", ())]
        if fields and depth < 12:
            names += draw(st.lists(st.sampled_from(sorted(fields)), max_size=3))
        if draw(st.integers(0, sound)) == sound:
            names.append("odd")
        return {name: draw(instances(fields.get(name, others), sound, depth + 1)) for name in names}
    return draw({"string": st.sampled_from(["a", "b"]), "boolean": st.booleans()}.get(schema["type"], st.just(1)))


SPECS = {
    kind: schema.versions(kind)[api]["properties"]["spec"]
    for kind, api in ((v.Kind.DGDR, v.DGDR_API_VERSION), (v.Kind.MODEL, v.DGD_API_VERSION))
}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_offline_check_agrees_with_the_server(control_plane: ControlPlane, group: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(SPECS)))
    document = {
        "apiVersion": next(iter(schema.versions(kind))),
        "kind": str(kind),
        "metadata": {"name": "r"},
        "spec": data.draw(instances(SPECS[kind], data.draw(st.sampled_from([10, 100])))),
    }
    stored = answer(control_plane, group, document)
    found = [str(error) for error in schema.check(document)]
    assert (stored is not None) == (not found), (json.dumps(document), found)
    if stored is not None:
        assert schema.defaulted(document).get("spec", {}) == stored


def test_columns_show_what_a_person_looks_for(control_plane: ControlPlane, group: str, namespace: str) -> None:
    document = doc_examples.request("qwen", {"model": "Qwen/Qwen3-0.6B"}) | {"apiVersion": f"{group}/v1beta1"}
    control_plane.run_kubectl("create", "-f", "-", input=json.dumps(document), namespace=namespace)
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": "Profiling",
        "message": "under way",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"phase": "Profiling", "profilingPhase": "Initializing", "dgdName": "qwen-dgd", "conditions": [condition]}
    resource = f"{v.PLURALS[v.Kind.DGDR]}.{group}"
    patch = ["patch", resource, "qwen", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})]
    control_plane.run_kubectl(*patch, namespace=namespace)
    head, row = control_plane.run_kubectl("get", resource, namespace=namespace).stdout.splitlines()
    assert head.split() == ["NAME", "MODEL", "BACKEND", "PHASE", "PROFILING", "REASON", "MESSAGE", "DGD", "AGE"]
    assert " ".join(row.split()[:-1]) == "qwen Qwen/Qwen3-0.6B auto Profiling Initializing Profiling under way qwen-dgd"


def test_the_old_version_is_served_with_a_warning_that_names_the_new_one(
    control_plane: ControlPlane, group: str, namespace: str
) -> None:
    resource = f"{v.PLURALS[v.Kind.DGDR]}.v1alpha1.{group}"
    assert "use nvidia.com/v1beta1" in control_plane.run_kubectl("get", resource, namespace=namespace).stderr


def test_two_appliers_share_the_profiling_jobs_environment(
    control_plane: ControlPlane, group: str, namespace: str
) -> None:
    for owner in ("alice", "bob"):
        container = {"name": "profiler", "env": [{"name": owner.upper(), "value": "1"}]}
        job = {"template": {"spec": {"containers": [container]}}}
        spec = {"model": "m", "overrides": {"profilingJob": job}}
        document = doc_examples.request("shared", spec) | {"apiVersion": f"{group}/v1beta1"}
        command = ("apply", "--server-side", f"--field-manager={owner}", "-f", "-")
        control_plane.run_kubectl(*command, input=json.dumps(document), namespace=namespace)
    path = "{.spec.overrides.profilingJob.template.spec.containers[*].env[*].name}"
    resource = f"{v.PLURALS[v.Kind.DGDR]}.{group}"
    shown = control_plane.run_kubectl("get", resource, "shared", "-o", f"jsonpath={path}", namespace=namespace)
    assert shown.stdout.split() == ["ALICE", "BOB"]


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"sharedMemory": {}}, "size is required when disabled is false"),
        ({"sharedMemory": {"size": "0Gi"}}, "size must be greater than 0 unless disabled is true"),
        ({"sharedMemory": {"disabled": True}}, ""),
        ({"sharedMemory": {"size": "8Gi"}}, ""),
        ({"checkpoint": {"enabled": True}}, "either checkpointRef or both identity.model"),
        ({"checkpoint": {"enabled": True, "checkpointRef": "c"}}, ""),
        ({"multinode": {"nodeCount": 1}}, "greater than or equal to 2"),
    ],
)
def test_a_service_that_cannot_work_is_refused(
    control_plane: ControlPlane, group: str, namespace: str, service: dict[str, Any], message: str
) -> None:
    document = {
        "apiVersion": f"{group}/v1alpha1",
        "kind": str(v.Kind.DGD),
        "metadata": {"name": "d"},
        "spec": {"services": {"Frontend": service}},
    }
    done = control_plane.run_kubectl(
        "create", "--dry-run=server", "-f", "-", input=json.dumps(document), namespace=namespace, check=False
    )
    assert (done.returncode == 0) is (not message)
    assert message in done.stderr
