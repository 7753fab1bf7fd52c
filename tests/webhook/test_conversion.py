"""ConversionReviews in and out: every object or none, and a reason that names the object."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds import schema
from tests.crds import doc_examples, old_examples
from tests.crds.valid import JSON
from webhook.admission import Admission
from webhook.app import create_app
from webhook.conversion import MAX_BODY, PATH, conversion_patch
from webhook.metrics import Metrics
from webhook.reviewer import Reviewer

ALPHA, BETA = "nvidia.com/v1alpha1", "nvidia.com/v1beta1"


def review(to: str, *objects: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": "u-1", "desiredAPIVersion": to, "objects": list(objects)},
    }


def post(body: bytes) -> dict[str, Any]:
    answer = (
        create_app(Reviewer(Admission().answerers(), Metrics()))
        .test_client()
        .post(PATH, data=body, content_type="application/json")
    )
    assert answer.status_code == 200
    document = json.loads(answer.data)
    assert (document["apiVersion"], document["kind"]) == ("apiextensions.k8s.io/v1", "ConversionReview")
    response: dict[str, Any] = document["response"]
    return response


def ask(to: str, *objects: Any) -> dict[str, Any]:
    response = post(json.dumps(review(to, *objects)).encode())
    assert response["uid"] == "u-1"
    return response


def named(name: str, config: Any) -> dict[str, Any]:
    request = old_examples.request("my-model-deployment")
    profiling = {**request["spec"]["profilingConfig"], "config": config}
    metadata = {"name": name, "namespace": "team-a", "uid": name, "resourceVersion": "7"}
    return {**request, "metadata": metadata, "spec": {**request["spec"], "profilingConfig": profiling}}


def test_every_object_comes_back_in_order_and_as_itself() -> None:
    old = [named("a", {}), named("b", {"sla": {"ttft": 5}})]
    response = ask(BETA, *old)
    assert response["result"] == {"status": "Success"}
    new = response["convertedObjects"]
    assert [item["apiVersion"] for item in new] == [BETA, BETA]
    for before, after in zip(old, new, strict=True):
        assert after["metadata"] | {"annotations": None} == before["metadata"] | {"annotations": None}
    assert new[1]["spec"]["sla"] == {"ttft": 5}


@pytest.mark.parametrize("name", old_examples.EXAMPLES)
def test_old_examples_come_back_the_same(name: str) -> None:
    old = old_examples.request(name)
    back = ask(ALPHA, *ask(BETA, old)["convertedObjects"])["convertedObjects"][0]
    assert back["spec"] == {"useMocker": False, "enableGpuDiscovery": True, **old["spec"]}


@pytest.mark.parametrize("name", doc_examples.ACCEPTED)
def test_new_examples_come_back_the_same(name: str) -> None:
    new = schema.defaulted(doc_examples.request(name, doc_examples.ACCEPTED[name]))
    assert ask(BETA, *ask(ALPHA, new)["convertedObjects"])["convertedObjects"] == [new]


def test_one_object_that_cannot_be_converted_fails_the_review_with_its_name_and_the_reason() -> None:
    response = ask(BETA, named("good", {}), named("bad", "text"), named("worse", [1]))
    says = "{}: spec.profilingConfig.config must be an object: it is {}; write it as keys and values"
    message = "; ".join([says.format("team-a/bad", '"text"'), says.format("team-a/worse", "[1]")])
    assert response["result"] == {"status": "Failure", "message": message}
    assert "convertedObjects" not in response


def test_a_failure_names_a_few_objects_and_counts_the_others() -> None:
    message = ask(BETA, *(named(f"r{index}", 5) for index in range(50)))["result"]["message"]
    assert message.count("must be an object") == 10
    assert message.endswith("; and 40 more")


def test_an_unknown_version_is_a_failure() -> None:
    message = ask("nvidia.com/v9", named("r", {}))["result"]["message"]
    assert message.startswith('team-a/r: apiVersion "nvidia.com/v9" cannot be converted')


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not a ConversionReview"),
        (b"\xff", "not a ConversionReview"),
        (b"[" * 100_000, "not a ConversionReview"),
        (json.dumps({**review(BETA), "kind": "Pod"}).encode(), "Pod apiextensions.k8s.io/v1 is not served"),
        (json.dumps({**review(BETA), "apiVersion": "v1"}).encode(), "ConversionReview v1 is not served"),
    ],
    ids=["empty", "bytes", "deep", "kind", "version"],
)
def test_what_is_no_review_is_a_failure_with_the_reason(body: bytes, why: str) -> None:
    result = post(body)["result"]
    assert result["status"] == "Failure"
    assert why in result["message"]


@given(st.sampled_from([ALPHA, BETA]), JSON, JSON, JSON)
@settings(max_examples=300, deadline=None)
def test_any_structure_gets_a_well_formed_answer(version: str, metadata: Any, spec: Any, status: Any) -> None:
    document = {
        "apiVersion": version,
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }
    other = BETA if version == ALPHA else ALPHA
    assert ask(other, document, spec)["result"]["status"] in ("Success", "Failure")


def test_a_list_that_is_larger_than_an_admission_review_is_converted() -> None:
    large = named("r", {"notes": "x" * 10_000})
    body = json.dumps(review(BETA, *[large] * 1000)).encode()
    assert 7 * 2**20 < len(body) < MAX_BODY
    assert len(post(body)["convertedObjects"]) == 1000


def test_the_patch_leads_the_api_server_to_the_route() -> None:
    client = conversion_patch("https://127.0.0.1:8443/", b"PEM")["spec"]["conversion"]["webhook"]["clientConfig"]
    assert client == {
        "url": "https://127.0.0.1:8443/convert",
        "service": None,
        "caBundle": base64.b64encode(b"PEM").decode(),
    }
    service = {"namespace": "dynamo", "name": "webhook", "port": 443}
    client = conversion_patch(service, b"PEM")["spec"]["conversion"]["webhook"]["clientConfig"]
    assert (client["service"], client["url"]) == ({**service, "path": "/convert"}, None)
