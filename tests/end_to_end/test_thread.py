"""The thread: a request is applied, a Job profiles it, a deployment comes out, and the plugin reads it back."""

from __future__ import annotations

import json

import pytest
import yaml

from crds import documents
from tests.cluster.polling import eventually
from tests.end_to_end.conftest import Standalone

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("standalone")]

REQUEST = """\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata:
  name: qwen
spec:
  model: Qwen/Qwen3-32B
  backend: vllm
  autoApply: {auto}
  sla: {{ttft: 1000, itl: 30}}
  overrides:
    profilingJob:
      template:
        spec:
          containers: []
          tolerations: [{{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}}]
"""


def apply(standalone: Standalone, text: str) -> None:
    standalone.kubectl("apply", "-f", "-", input=text)


def events(standalone: Standalone, name: str) -> list[str]:
    listed = standalone.kubectl("get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "json")
    return [item["reason"] for item in json.loads(listed.stdout)["items"]]


def test_a_request_becomes_a_deployment(standalone: Standalone) -> None:
    apply(standalone, REQUEST.format(auto="true"))
    request = standalone.settled("qwen", "Deploying")
    assert request["status"]["dgdName"] == "qwen-dgd"
    assert request["status"]["profilingJobName"] == "profile-qwen"
    job = standalone.get("job", "profile-qwen")
    assert job["metadata"]["ownerReferences"][0]["uid"] == request["metadata"]["uid"]

    dgd = standalone.created("dgd", "qwen-dgd")
    assert dgd["metadata"]["labels"]["dgdr.nvidia.com/name"] == "qwen"
    assert "ownerReferences" not in dgd["metadata"]
    gpus = sum(
        service["replicas"] * int(service.get("resources", {}).get("limits", {}).get("gpu", 0))
        for service in dgd["spec"]["services"].values()
    )
    assert 0 < gpus <= 16
    for service in dgd["spec"]["services"].values():
        assert service["extraPodSpec"]["tolerations"][0]["key"] == "nvidia.com/gpu"

    # NVIDIA's operator is not here to run it: say in its place that the deployment is up.
    state = {"status": {"state": "successful", "conditions": [], "services": {}}}
    standalone.kubectl("patch", "dgd", "qwen-dgd", "--subresource=status", "--type=merge", "-p", json.dumps(state))
    deployed = standalone.settled("qwen", "Deployed")
    assert standalone.condition(deployed, "Succeeded")["status"] == "True"
    assert set(events(standalone, "qwen")) >= {
        "Initialized",
        "ProfilingJobCreated",
        "SpecGenerated",
        "DeploymentCreated",
        "DeploymentReady",
    }

    # The deployment outlives the request; what the request owns goes with it.
    standalone.kubectl("delete", "dgdr", "qwen", "--wait")
    assert standalone.get("dgd", "qwen-dgd")["metadata"]["uid"] == dgd["metadata"]["uid"]


def test_a_reviewed_request_is_read_back_by_the_plugin(standalone: Standalone) -> None:
    apply(standalone, REQUEST.format(auto="false"))
    request = standalone.settled("qwen", "Ready")
    assert standalone.condition(request, "Succeeded")["reason"] == "SpecGenerated"
    assert request["status"]["profilingResults"]["pareto"]

    table = standalone.dynamo("get").stdout
    assert table.splitlines()[0].split()[:4] == ["NAME", "MODEL", "BACKEND", "PHASE"]
    assert "Ready" in table

    page = standalone.dynamo("describe", "qwen").stdout
    for expected in ("Qwen/Qwen3-32B", "h200_sxm", "Ready", "TTFT", "ITL", "SpecGenerated"):
        assert expected in page

    picture = standalone.dynamo("pareto", "qwen").stdout
    assert "tokens/s/GPU" in picture
    assert any("\u2800" < letter <= "\u28ff" for letter in picture)  # braille

    # selectedConfig can be applied as it is.
    standalone.kubectl("apply", "-f", "-", input=json.dumps(request["status"]["profilingResults"]["selectedConfig"]))
    assert standalone.get("dgd", "qwen-dgd")["spec"]["backendFramework"] == "vllm"


def test_a_job_gives_what_the_laptop_gives(standalone: Standalone, tmp_path_factory: pytest.TempPathFactory) -> None:
    apply(standalone, REQUEST.format(auto="false"))
    standalone.settled("qwen", "Ready")
    output = standalone.get("configmap", "dgdr-output-qwen")["data"]["final_config.yaml"]
    job = standalone.get("job", "profile-qwen")
    spec = json.loads(job["spec"]["template"]["spec"]["containers"][0]["args"][1])
    document = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen", "namespace": standalone.namespace},
        "spec": spec,
    }
    directory = tmp_path_factory.mktemp("laptop")
    (directory / "request.yaml").write_text(yaml.safe_dump(document))
    request = str(directory / "request.yaml")
    from_job = {d["metadata"]["name"]: d for d in documents.load(output, "the Job")}
    profile = from_job.pop("dgdr-profile-qwen")["data"]["profile.json"]
    on_a_laptop = documents.load(standalone.dynamo("profile", "-f", request, "-o", "yaml").stdout, "the laptop")
    assert on_a_laptop == list(from_job.values())
    assert json.loads(standalone.dynamo("profile", "-f", request, "-o", "json").stdout) == json.loads(profile)


def test_create_makes_a_request_that_is_profiled(standalone: Standalone) -> None:
    made = standalone.dynamo("create", "small", "--model", "Qwen/Qwen3-0.6B", "--backend", "sglang", "--no-auto-apply")
    assert "dynamographdeploymentrequest.nvidia.com/small created" in made.stdout
    assert standalone.settled("small", "Ready")["status"]["dgdName"] == "small-dgd"


def test_an_unknown_sku_is_refused_with_what_was_meant(standalone: Standalone) -> None:
    text = REQUEST.format(auto="true") + "  hardware: {gpuSku: H100-SXM5-80GB}\n"
    refused = standalone.kubectl("apply", "-f", "-", input=text, check=False)
    assert refused.returncode == 1
    assert 'spec.hardware.gpuSku: Unsupported value: "H100-SXM5-80GB"' in refused.stderr
    assert 'did you mean "h100_sxm"?' in refused.stderr


def test_a_spec_is_frozen_once_profiling_began(standalone: Standalone) -> None:
    apply(standalone, REQUEST.format(auto="false"))
    standalone.settled("qwen", "Ready")
    change = '{"spec":{"backend":"sglang"}}'
    refused = standalone.kubectl("patch", "dgdr", "qwen", "--type=merge", "-p", change, check=False)
    assert 'updates are forbidden while the resource is in phase "Ready"' in refused.stderr
    standalone.kubectl("label", "dgdr", "qwen", "team=a")  # metadata stays free


def test_a_model_that_nobody_knows_fails_with_the_reason_in_its_conditions(standalone: Standalone) -> None:
    apply(standalone, REQUEST.format(auto="true").replace("Qwen/Qwen3-32B", "acme/secret-7b"))
    failed = standalone.settled("qwen", "Failed")
    succeeded = standalone.condition(failed, "Succeeded")
    assert succeeded["status"] == "False"
    assert "acme/secret-7b" in succeeded["message"]
    assert "ProfilingCheckFailed" in events(standalone, "qwen")


def waiting_for_a_node_that_never_comes(deadline: int) -> str:
    text = REQUEST.format(auto="true")
    text = text.replace("    profilingJob:\n", f"    profilingJob:\n      activeDeadlineSeconds: {deadline}\n")
    return text.replace("containers: []", "containers: []\n          nodeSelector: {never: here}")


def test_a_failing_job_leaves_the_request_failed_with_the_reason(standalone: Standalone) -> None:
    apply(standalone, waiting_for_a_node_that_never_comes(deadline=1))
    failed = standalone.settled("qwen", "Failed")
    message = standalone.condition(failed, "Succeeded")["message"]
    assert message.startswith("Profiling failed: profiling job failed: Job was active longer than specified deadline")


def test_a_job_that_is_deleted_before_its_end_is_made_again(standalone: Standalone) -> None:
    apply(standalone, waiting_for_a_node_that_never_comes(deadline=600))
    standalone.settled("qwen", "Profiling")
    first = standalone.get("job", "profile-qwen")["metadata"]["uid"]
    standalone.kubectl("delete", "job", "profile-qwen")

    def made_again() -> bool:
        found = standalone.kubectl("get", "job", "profile-qwen", "-o", "jsonpath={.metadata.uid}", check=False)
        return found.stdout not in ("", first)

    assert eventually(made_again, 30)
    assert standalone.get("dgdr", "qwen")["status"]["phase"] == "Profiling"


def test_a_missing_model_cache_fails_before_anything_is_profiled(standalone: Standalone) -> None:
    apply(standalone, REQUEST.format(auto="true") + "  modelCache: {pvcName: nowhere}\n")
    failed = standalone.settled("qwen", "Failed")
    validation = standalone.condition(failed, "Validation")
    assert validation["reason"] == "ValidationFailed"
    assert f"model cache PVC nowhere not found in namespace {standalone.namespace}" in validation["message"]
    assert standalone.kubectl("get", "jobs", "-o", "name").stdout == ""


def test_a_foreign_deployment_of_that_name_is_not_taken_over(standalone: Standalone) -> None:
    foreign = {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": "qwen-dgd"},
        "spec": {"services": {"Frontend": {"componentType": "frontend"}}},
    }
    standalone.kubectl("apply", "-f", "-", input=json.dumps(foreign))
    apply(standalone, REQUEST.format(auto="true"))
    failed = standalone.settled("qwen", "Failed")
    assert standalone.condition(failed, "DeploymentReady")["reason"] == "DeploymentRejected"
    assert list(standalone.get("dgd", "qwen-dgd")["spec"]["services"]) == ["Frontend"]


def test_a_deployment_that_a_person_deletes_ends_the_request(standalone: Standalone) -> None:
    apply(standalone, REQUEST.format(auto="true"))
    standalone.settled("qwen", "Deploying")
    standalone.created("dgd", "qwen-dgd")
    standalone.kubectl("delete", "dgd", "qwen-dgd")
    failed = standalone.settled("qwen", "Failed")
    assert standalone.condition(failed, "DeploymentReady")["reason"] == "DeploymentDeleted"
