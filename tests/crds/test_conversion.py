"""v1alpha1 to v1beta1 and back: nothing is lost, and an edit through the other version changes what it edits alone."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crds import schema
from crds import vocabulary as v
from crds.conversion import convert, unsaid
from crds.errors import InputError
from crds.fields import ErrorType, FieldError
from tests.crds.valid import JSON, requests

ALPHA, BETA = "nvidia.com/v1alpha1", "nvidia.com/v1beta1"
KEPT_SPEC, KEPT_STATUS = "nvidia.com/dgdr-spec", "nvidia.com/dgdr-status"
OTHER = {ALPHA: BETA, BETA: ALPHA}

thorough = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

# One field in each version, with a value to write.
SHARED_FIELDS = [
    ("spec.model", "spec.model", "another/model"),
    ("spec.backend", "spec.backend", "sglang"),
    ("spec.autoApply", "spec.autoApply", True),
    ("spec.useMocker", "spec.features.mocker.enabled", True),
    ("spec.profilingConfig.profilerImage", "spec.image", "image:2"),
    ("spec.profilingConfig.config.sla.ttft", "spec.sla.ttft", 123),
    ("spec.profilingConfig.config.sla.itl", "spec.sla.itl", 12.5),
    ("spec.profilingConfig.config.sla.optimizationType", "spec.sla.optimizationType", "latency"),
    ("spec.profilingConfig.config.sla.isl", "spec.workload.isl", 1234),
    ("spec.profilingConfig.config.sla.osl", "spec.workload.osl", 123),
    ("spec.profilingConfig.config.deployment.modelCache.pvcName", "spec.modelCache.pvcName", "another"),
    ("spec.profilingConfig.config.deployment.modelCache.modelPathInPvc", "spec.modelCache.pvcModelPath", "a/b"),
    ("spec.profilingConfig.config.deployment.modelCache.pvcMountPath", "spec.modelCache.pvcMountPath", "/a"),
    ("spec.profilingConfig.config.planner", "spec.features.planner", {"mode": "agg"}),
    (
        "spec.profilingConfig.tolerations",
        "spec.overrides.profilingJob.template.spec.tolerations",
        [{"operator": "Exists"}],
    ),
    ("spec.profilingConfig.nodeSelector", "spec.overrides.profilingJob.template.spec.nodeSelector", {"pool": "gpu"}),
    ("status.observedGeneration", "status.observedGeneration", 77),
]


def alpha(**spec: Any) -> dict[str, Any]:
    spec = {"model": "m", "backend": "vllm", "profilingConfig": {"profilerImage": "i"}, **spec}
    return {"apiVersion": ALPHA, "kind": "DynamoGraphDeploymentRequest", "metadata": {"name": "r"}, "spec": spec}


def beta(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "r", **({"annotations": annotations} if annotations else {})}
    return {
        "apiVersion": BETA,
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": metadata,
        "spec": {"model": "m", **spec},
    }


def with_status(document: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {**document, "status": status}


def there(document: dict[str, Any]) -> dict[str, Any]:
    """In the other version, as it is read: stored objects are filled in, and only v1beta1 is stored."""
    converted = convert(document, OTHER[document["apiVersion"]])
    return schema.defaulted(converted) if converted["apiVersion"] == BETA else converted


def there_and_back(document: dict[str, Any]) -> dict[str, Any]:
    return there(there(document))


def settable(document: dict[str, Any], field: str) -> bool:
    """Whether a field can be set without putting an object in place of something else."""
    at: Any = document
    for key in field.split(".")[:-1]:
        at = at.get(key, {})
        if not isinstance(at, dict):
            return False
    return True


def broken(document: dict[str, Any]) -> list[FieldError]:
    """What the API server would refuse later; what its schema does not know it takes away by itself."""
    return [error for error in schema.check(document) if error.type is not ErrorType.UNKNOWN]


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Without the annotations that conversion writes."""
    kept = {k: x for k, x in document["metadata"].get("annotations", {}).items() if not k.startswith("nvidia.com/dgdr")}
    metadata = {key: value for key, value in document["metadata"].items() if key != "annotations"}
    return {**document, "metadata": {**metadata, "annotations": kept} if kept else metadata}


def written(document: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """A copy with a field set."""
    result = copy.deepcopy(document)
    at: Any = result
    *parents, last = field.split(".")
    for key in parents:
        at = at.setdefault(key, {})
    at[last] = value
    return result


@pytest.mark.parametrize("version", list(v.Version))
@thorough
@given(data=st.data())
def test_there_and_back_is_the_same_object(version: v.Version, data: st.DataObject) -> None:
    document = schema.defaulted(data.draw(requests(version)))
    before = copy.deepcopy(document)
    assert plain(there_and_back(document)) == document
    assert document == before


@pytest.mark.parametrize("version", list(v.Version))
@thorough
@given(data=st.data())
def test_there_and_back_before_defaults_is_the_same_but_for_them(version: v.Version, data: st.DataObject) -> None:
    document = data.draw(requests(version))
    back = convert(convert(document, OTHER[document["apiVersion"]]), document["apiVersion"])
    assert schema.defaulted(plain(back)) == schema.defaulted(document)


@pytest.mark.parametrize("version", list(v.Version))
@thorough
@given(data=st.data())
def test_what_comes_out_fits_its_schema(version: v.Version, data: st.DataObject) -> None:
    document = schema.defaulted(data.draw(requests(version)))
    assert schema.check(document) == []
    assert schema.check(there(document)) == []


@pytest.mark.parametrize(("alpha_field", "beta_field", "value"), SHARED_FIELDS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_edit_through_the_old_version_changes_nothing_else(
    alpha_field: str, beta_field: str, value: Any, data: st.DataObject
) -> None:
    stored = schema.defaulted(data.draw(requests(v.Version.V1BETA1)))
    old = there(stored)
    assume(beta_field.split(".")[0] in stored)
    assume(settable(old, alpha_field))
    edited = there(written(old, alpha_field, value))
    expected = written(stored, beta_field, value)
    if "profilingJob" in beta_field:
        expected["spec"]["overrides"]["profilingJob"]["template"]["spec"].setdefault("containers", [])
    assert plain(edited) == schema.defaulted(expected)


@pytest.mark.parametrize(("alpha_field", "beta_field", "value"), SHARED_FIELDS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_edit_of_what_the_old_version_wrote_changes_nothing_else(
    alpha_field: str, beta_field: str, value: Any, data: st.DataObject
) -> None:
    document = schema.defaulted(data.draw(requests(v.Version.V1ALPHA1)))
    assume(beta_field.split(".")[0] in document)
    assume(settable(document, alpha_field))
    edited = there(written(there(document), beta_field, value))
    assert plain(edited) == written(document, alpha_field, value)


@pytest.mark.parametrize("version", list(v.Version))
@thorough
@given(data=st.data())
def test_a_forged_annotation_never_makes_an_object_that_the_schema_refuses(
    version: v.Version, data: st.DataObject
) -> None:
    document = schema.defaulted(data.draw(requests(version)))
    forged = JSON | requests(v.Version.V1ALPHA1).map(lambda it: it["spec"]) | requests(v.Version.V1BETA1)
    texts = st.text() | forged.map(json.dumps) | forged.map(lambda it: json.dumps({"spec": it, "absent": it}))
    document["metadata"]["annotations"] = data.draw(
        st.dictionaries(
            st.sampled_from([KEPT_SPEC, KEPT_STATUS, *(f"nvidia.com/dgdr-{name}" for name in LEGACY)]), texts
        )
    )
    assert broken(there(document)) == []


LEGACY = {
    "enable-gpu-discovery": "true",
    "deployment-overrides": '{"name":"d","labels":{"a":"b"}}',
    "profiling-config": '{"sla":{"ttft":1,"isl":2},"sweep":{"aic":true}}',
    "config-map-ref": '{"name":"c","key":"k"}',
    "output-pvc": "results",
    "status-backend": "vllm",
    "profiling-results": "configmap/c",
    "deployment-status": json.dumps(
        {"name": "d", "namespace": "n", "state": "failed", "created": True, "requestState": "DeploymentDeleted"}
    ),
}


def test_what_older_operators_kept_is_read_and_live_fields_win() -> None:
    annotations = {f"nvidia.com/dgdr-{name}": text for name, text in LEGACY.items()}
    request = with_status(beta(annotations, sla={"ttft": 500}), phase="Ready", dgdName="d")
    old = convert(request, ALPHA)
    assert old["spec"]["deploymentOverrides"] == {"name": "d", "labels": {"a": "b"}}
    assert old["spec"]["profilingConfig"] == {
        "profilerImage": "",
        "config": {"sla": {"ttft": 500}, "sweep": {"aic": True}},
        "configMapRef": {"name": "c", "key": "k"},
        "outputPVC": "results",
    }
    assert old["status"] == {
        "state": "DeploymentDeleted",
        "backend": "vllm",
        "profilingResults": "configmap/c",
        "deployment": {"name": "d", "namespace": "n", "state": "failed", "created": True},
    }
    assert "annotations" not in old["metadata"]


def test_the_annotation_is_as_nvidias_operator_reads_it() -> None:
    new = convert(alpha(enableGpuDiscovery=False, deploymentOverrides={"workersImage": "w"}), BETA)
    kept = json.loads(new["metadata"]["annotations"][KEPT_SPEC])
    assert kept == {
        "version": 1,
        "spec": {"enableGpuDiscovery": False, "deploymentOverrides": {"workersImage": "w"}},
    }


@pytest.mark.parametrize("payload", ["%s", '{"version":1,"spec":%s}'], ids=["bare", "envelope"])
def test_what_nvidias_operator_kept_is_read(payload: str) -> None:
    # Go writes strings without omitempty even where they are empty.
    config = {"profilerImage": "", "outputPVC": "p"}
    spec = json.dumps({"model": "", "profilingConfig": config, "deploymentOverrides": {"workersImage": "i"}})
    old = convert(beta({KEPT_SPEC: payload % spec}, image="i"), ALPHA)
    assert old["spec"]["model"] == "m"
    assert old["spec"]["profilingConfig"] == {"profilerImage": "i", "outputPVC": "p"}
    assert old["spec"]["deploymentOverrides"] == {"workersImage": "i"}


def test_controllers_find_the_config_map_and_the_volume_on_the_new_version() -> None:
    config = {"profilerImage": "i", "configMapRef": {"name": "c", "key": "k"}, "outputPVC": "p"}
    annotations = convert(alpha(profilingConfig=config), BETA)["metadata"]["annotations"]
    assert json.loads(annotations["nvidia.com/dgdr-config-map-ref"]) == {"name": "c", "key": "k"}
    assert annotations["nvidia.com/dgdr-output-pvc"] == "p"


def test_a_volume_that_is_named_anew_on_the_new_version_wins() -> None:
    new = convert(alpha(profilingConfig={"profilerImage": "i", "outputPVC": "p"}), BETA)
    new["metadata"]["annotations"]["nvidia.com/dgdr-output-pvc"] = "q"
    assert convert(new, ALPHA)["spec"]["profilingConfig"]["outputPVC"] == "q"


def test_a_mocker_that_is_off_stays_off_and_can_be_turned_on() -> None:
    stored = beta(features={"mocker": {"enabled": False}})
    old = convert(stored, ALPHA)
    assert convert(written(old, "spec.model", "n"), BETA)["spec"]["features"] == {"mocker": {"enabled": False}}
    assert convert(written(old, "spec.useMocker", True), BETA)["spec"]["features"] == {"mocker": {"enabled": True}}


def test_a_field_that_is_removed_through_the_other_version_is_gone() -> None:
    old = alpha(profilingConfig={"profilerImage": "i", "config": {"sla": {"ttft": 5, "odd": 1}, "sweep": {}}})
    new = there(old)
    del new["spec"]["sla"]
    assert there(new)["spec"]["profilingConfig"]["config"] == {"sla": {"odd": 1}, "sweep": {}}


@pytest.mark.parametrize("field", ["e2eLatency", "ttft"])
def test_an_annotation_with_a_number_beyond_all_bounds_is_passed_over(field: str) -> None:
    annotations = {KEPT_SPEC: json.dumps({"sla": {field: 10**400}})}
    new = convert({**alpha(), "metadata": {"annotations": annotations}}, BETA)
    assert "sla" not in new["spec"]


@pytest.mark.parametrize("value", [3000.5, 2**31, 10**30, "3000", None, True, [1]])
def test_what_an_integer_field_cannot_hold_is_kept_aside_not_cut(value: Any) -> None:
    old = alpha(profilingConfig={"profilerImage": "i", "config": {"sla": {"isl": value}}})
    assert "workload" not in convert(old, BETA)["spec"]
    assert there_and_back(old)["spec"]["profilingConfig"] == old["spec"]["profilingConfig"]


def test_resources_are_those_of_the_first_container() -> None:
    limits = {"limits": {"cpu": "1"}}
    old = alpha(profilingConfig={"profilerImage": "i", "resources": limits})
    pod = convert(old, BETA)["spec"]["overrides"]["profilingJob"]["template"]["spec"]
    assert pod == {"containers": [{"name": "profiler", "resources": limits}]}
    containers = [{"name": "x", "image": "y", "resources": limits}, {"name": "z"}]
    stored = beta(overrides={"profilingJob": {"template": {"spec": {"containers": containers}}}})
    edited = convert(written(convert(stored, ALPHA), "spec.profilingConfig.resources", {}), BETA)
    assert edited["spec"]["overrides"]["profilingJob"]["template"]["spec"]["containers"] == [
        {"name": "x", "image": "y", "resources": {}},
        {"name": "z"},
    ]


def test_the_image_of_the_profiler_wins_over_the_workers() -> None:
    workers = {"deploymentOverrides": {"workersImage": "w"}}
    assert convert(alpha(**workers), BETA)["spec"]["image"] == "i"
    bare = alpha(**workers, profilingConfig={"profilerImage": ""})
    new = convert(bare, BETA)
    assert new["spec"]["image"] == "w"
    assert convert(new, ALPHA)["spec"]["profilingConfig"]["profilerImage"] == ""
    new["spec"]["image"] = "x"
    assert convert(new, ALPHA)["spec"]["profilingConfig"]["profilerImage"] == "x"


def test_an_image_that_was_taken_away_does_not_come_back_from_the_workers() -> None:
    new = convert(alpha(deploymentOverrides={"workersImage": "w"}), BETA)
    del new["spec"]["image"]
    assert "image" not in there_and_back(new)["spec"]


DEPLOYMENT = {"name": "d", "state": "successful", "created": True}


@pytest.mark.parametrize(
    ("state", "deployment", "phase"),
    [
        ("Initializing", None, "Pending"),
        ("Pending", None, "Pending"),
        ("Profiling", None, "Profiling"),
        ("Ready", None, "Ready"),
        ("Ready", {**DEPLOYMENT, "created": False}, "Ready"),
        ("Ready", DEPLOYMENT, "Deployed"),
        ("Deploying", DEPLOYMENT, "Deploying"),
        ("DeploymentDeleted", DEPLOYMENT, "Ready"),
        ("Failed", None, "Failed"),
    ],
)
def test_each_state_is_a_phase_and_comes_back(state: str, deployment: dict[str, Any] | None, phase: str) -> None:
    status = {"state": state, **({"deployment": deployment} if deployment else {})}
    new = convert(with_status(alpha(), **status), BETA)
    assert new["status"]["phase"] == phase
    assert convert(new, ALPHA)["status"] == status


def test_a_state_that_was_kept_is_forgotten_once_the_phase_moves_on() -> None:
    deleted = {**DEPLOYMENT, "namespace": "n"}
    new = convert(with_status(alpha(), state="DeploymentDeleted", deployment=deleted), BETA)
    new["status"]["phase"] = "Deployed"
    assert convert(new, ALPHA)["status"] == {"state": "Ready", "deployment": deleted}
    new["status"] = {"phase": "Ready", "dgdName": "another"}
    assert convert(new, ALPHA)["status"] == {
        "state": "Ready",
        "deployment": {"name": "another", "state": "initializing"},
    }


def test_a_deployed_request_shows_its_deployment_in_the_old_version() -> None:
    old = convert(with_status(beta(), phase="Deployed", dgdName="d"), ALPHA)
    assert old["status"] == {"state": "Ready", "deployment": DEPLOYMENT}


def test_progress_is_forgotten_once_the_old_version_moves_the_state_on() -> None:
    status = {"phase": "Profiling", "profilingPhase": "SweepingDecode", "profilingJobName": "profile-r"}
    old = convert(with_status(beta(), **status), ALPHA)
    assert convert(old, BETA)["status"] == status
    old["status"]["state"] = "Ready"
    assert convert(old, BETA)["status"] == {"phase": "Ready", "profilingJobName": "profile-r"}


def test_counts_of_replicas_belong_to_their_deployment() -> None:
    status = {"phase": "Deployed", "dgdName": "d", "deploymentInfo": {"replicas": 2}}
    old = convert(with_status(beta(), **status), ALPHA)
    old["status"]["deployment"]["name"] = "another"
    assert "deploymentInfo" not in convert(old, BETA)["status"]


def test_a_request_without_a_spec_has_none_in_the_other_version() -> None:
    bare = {"apiVersion": BETA, "kind": "DynamoGraphDeploymentRequest", "metadata": {"name": "r"}}
    assert convert(bare, ALPHA) == {**bare, "apiVersion": ALPHA}


@pytest.mark.parametrize("config", ["text", 5, [], True])
def test_a_configuration_that_is_no_object_is_refused_by_name(config: Any) -> None:
    with pytest.raises(InputError, match=r"spec\.profilingConfig\.config must be an object: it is "):
        convert(alpha(profilingConfig={"profilerImage": "i", "config": config}), BETA)


@pytest.mark.parametrize(
    ("document", "to", "why"),
    [
        ({**alpha(), "apiVersion": "nvidia.com/v1beta2"}, BETA, '"nvidia.com/v1beta2" cannot be converted'),
        (alpha(), "nvidia.com/v2", '"nvidia.com/v2" cannot be converted'),
        ({**alpha(), "kind": "DynamoModel"}, BETA, 'kind "DynamoModel" cannot be converted'),
        ({**alpha(), "spec": []}, BETA, "spec must be an object"),
        ({**alpha(), "metadata": 1}, BETA, "metadata must be an object"),
    ],
)
def test_what_cannot_be_converted_is_said_in_a_sentence(document: dict[str, Any], to: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        convert(document, to)


def test_what_v1beta1_has_no_field_for_is_named() -> None:
    assert unsaid(alpha()) == ()
    config = {"sla": {"isl": 100}, "sweep": {"useAiConfigurator": True}, "hardware": {"numGpusPerNode": 8}}
    document = alpha(
        profilingConfig={"profilerImage": "i", "config": config}, deploymentOverrides={"workersImage": "w"}
    )
    assert unsaid(document) == (
        "spec.profilingConfig.config.sweep.useAiConfigurator",
        "spec.profilingConfig.config.hardware.numGpusPerNode",
        "spec.deploymentOverrides.workersImage",
    )
