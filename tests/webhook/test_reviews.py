"""AdmissionReviews in and out: what is understood, what is answered, and that nothing is ever a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds.errors import InputError
from crds.fields import invalid, required
from webhook import reviews
from webhook.admission import Admission
from webhook.app import create_app
from webhook.hooks import MUTATE_DGDR, VALIDATE_DGDR
from webhook.metrics import Metrics
from webhook.reviewer import Reviewer
from webhook.reviews import Answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def review(**request: Any) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "u-1", "operation": "CREATE", **request},
    }


def dgdr(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen", "namespace": "default"},
        "spec": {"model": "Qwen/Qwen3-0.6B", **spec},
    }


def post(path: str, body: bytes, content_type: str = "application/json") -> tuple[int, dict[str, Any]]:
    answer = (
        create_app(Reviewer(Admission().answerers(), Metrics()))
        .test_client()
        .post(path, data=body, content_type=content_type)
    )
    return answer.status_code, json.loads(answer.data)


def ask(path: str, **request: Any) -> dict[str, Any]:
    code, answer = post(path, json.dumps(review(**request)).encode())
    assert code == 200
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = answer["response"]
    return response


@pytest.mark.parametrize("path", [MUTATE_DGDR, VALIDATE_DGDR])
def test_a_good_request_passes(path: str) -> None:
    assert ask(path, object=dgdr()) == {"uid": "u-1", "allowed": True}


def test_every_violation_is_named_at_once_and_as_a_cause() -> None:
    response = ask(MUTATE_DGDR, object=dgdr(hardware={"gpuSku": "H100-SXM5-80GB"}, sla={"itl": -5}))
    status = response["status"]
    assert (response["allowed"], status["code"], status["reason"]) == (False, 422, "Invalid")
    assert status["message"].startswith("2 errors:\n* spec.hardware.gpuSku: Unsupported value: ")
    assert 'did you mean "h100_sxm"?' in status["message"]
    assert [cause["field"] for cause in status["details"]["causes"]] == ["spec.hardware.gpuSku", "spec.sla.itl"]


def test_one_violation_is_one_sentence() -> None:
    response = ask(VALIDATE_DGDR, object=dgdr(sla={"itl": -5}))
    assert response["status"]["message"] == "spec.sla.itl: Invalid value: -5: must be greater than 0"


def test_a_frozen_spec_is_refused() -> None:
    old = {**dgdr(), "status": {"phase": "Profiling"}}
    response = ask(VALIDATE_DGDR, operation="UPDATE", object={**old, **dgdr(backend="vllm")}, oldObject=old)
    assert response["status"]["message"].startswith("spec: Forbidden: updates are forbidden")


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "DELETE", "object": None, "oldObject": dgdr(sla={"itl": -1})},
        {"operation": "UPDATE", "subResource": "status", "object": dgdr(sla={"itl": -1})},
    ],
    ids=["delete", "subresource"],
)
def test_what_cannot_change_a_spec_passes(request_: dict[str, Any]) -> None:
    assert ask(VALIDATE_DGDR, **request_)["allowed"] is True


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not an AdmissionReview"),
        (b"nonsense", "JSON is malformed"),
        (b"[]", "not an AdmissionReview"),
        (b"\xff\xfe", "not an AdmissionReview"),
        (b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "missing required field"),
        (json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(), "v1beta1"),
        (json.dumps({**review(), "kind": "Pod"}).encode(), "Pod"),
        (json.dumps(review(uid="")).encode(), "no request.uid"),
        (json.dumps(review(object=[])).encode(), "request.object is no object"),
        (b"[" * 100_000, "not an AdmissionReview"),
    ],
    ids=["empty", "no-json", "list", "bytes", "no-request", "v1beta1", "kind", "uid", "object", "deep"],
)
def test_what_is_no_review_gets_an_answer_with_the_reason(body: bytes, why: str) -> None:
    code, answer = post(VALIDATE_DGDR, body)
    assert code == 400
    assert answer["response"]["allowed"] is False
    assert why in answer["response"]["status"]["message"]


def test_another_content_type_is_refused() -> None:
    assert post(VALIDATE_DGDR, b"{}", "text/plain")[0] == 415


def test_a_body_beyond_the_limit_is_refused() -> None:
    assert post(VALIDATE_DGDR, b" " * (8 * 2**20))[0] == 413


@given(JSON, JSON, st.sampled_from(sorted(Admission().answerers())))
@settings(max_examples=300, deadline=None)
def test_any_structure_gets_a_well_formed_answer(new: Any, old: Any, path: str) -> None:
    code, answer = post(path, json.dumps(review(object=new, oldObject=old)).encode())
    assert code in (200, 400)
    assert isinstance(answer["response"]["allowed"], bool)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_spec_gets_a_well_formed_answer(spec: Any) -> None:
    code, answer = post(MUTATE_DGDR, json.dumps(review(object={**dgdr(), "spec": spec})).encode())
    assert code == 200
    assert answer["response"]["uid"] == "u-1"


def test_warnings_travel_on_refusals_too_and_are_cut() -> None:
    errors = [required("spec.model", "the model to serve"), invalid("spec.sla.itl", 0, "must be greater than 0")]
    response = json.loads(reviews.encode(Answer("u", errors, ["w" * 1000])))["response"]
    assert len(response["warnings"][0]) == reviews.MAX_WARNING_LENGTH


def test_a_patch_comes_with_its_type() -> None:
    plain = json.loads(reviews.encode(Answer("u")))["response"]
    patched = json.loads(reviews.encode(Answer("u", patch=[{"op": "add", "path": "/spec/image", "value": "i"}])))[
        "response"
    ]
    assert "patchType" not in plain
    assert patched["patchType"] == "JSONPatch"


def test_decode_names_the_problem() -> None:
    with pytest.raises(InputError, match="is not an AdmissionReview"):
        reviews.decode(b"{}")
