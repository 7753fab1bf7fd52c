"""What a user reads when the API server says no."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crds.errors import ApiError, Conflict, Expired, NotFound, Refused
from crds.kube.errors import Target, failure, target

DGDR = "dynamographdeploymentrequests"
DGDRS = f"/apis/nvidia.com/v1beta1/namespaces/team/{DGDR}"


def answer(code: int, reason: str, message: str, method: str = "GET", path: str = DGDRS, **details: Any) -> ApiError:
    status = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return failure(code, json.dumps(status).encode(), target(method, path))


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", None, Target("list", "", "v1", "pods")),
        ("GET", "/api/v1/pods", {"watch": "true"}, Target("watch", "", "v1", "pods")),
        ("GET", "/api/v1/namespaces/a", None, Target("get", "", "v1", "namespaces", "", "a")),
        ("GET", "/api/v1/namespaces/a/pods/p/log", None, Target("get", "", "v1", "pods", "a", "p", "log")),
        (
            "PUT",
            f"{DGDRS}/x/status",
            None,
            Target("update", "nvidia.com", "v1beta1", DGDR, "team", "x", "status"),
        ),
        ("DELETE", "/apis/apps/v1/deployments/d", None, Target("delete", "apps", "v1", "deployments", "", "d")),
        ("GET", "/version", None, Target("list")),
    ],
)
def test_a_path_is_read_as_the_authoriser_does(
    method: str, path: str, query: dict[str, str] | None, expected: Target
) -> None:
    assert target(method, path, query) == expected


def test_an_object_that_does_not_exist() -> None:
    error = answer(404, "NotFound", 'dynamographdeploymentrequests.nvidia.com "x" not found', name="x")
    assert isinstance(error, NotFound)
    assert str(error) == 'Error from server (NotFound): dynamographdeploymentrequests.nvidia.com "x" not found'


@pytest.mark.parametrize("body", [b"404 page not found\n", b""])
def test_a_resource_type_that_does_not_exist(body: bytes) -> None:
    if not body:
        status = {"kind": "Status", "code": 404, "message": "the server could not find the requested resource"}
        body = json.dumps(status).encode()
    assert str(failure(404, body, target("GET", DGDRS))) == (
        'the server doesn\'t have a resource type "dynamographdeploymentrequests" in nvidia.com/v1beta1; '
        "install the CRDs: kubectl apply -f crds/"
    )


def test_missing_rights_name_the_rule_to_ask_for() -> None:
    message = (
        'x is forbidden: User "bob" cannot list resource "dynamographdeploymentrequests" in API group "nvidia.com"'
    )
    error = answer(403, "Forbidden", message)
    assert type(error) is ApiError
    assert error.next == (
        "ask an administrator for a Role in namespace team with the rule "
        '{apiGroups: ["nvidia.com"], resources: ["dynamographdeploymentrequests"], verbs: ["list"]}'
    )


@pytest.mark.parametrize(
    "message",
    ['pods "p" is forbidden: exceeded quota: q', 'admission webhook "w" denied the request: team cannot have this'],
)
def test_forbidden_by_admission_is_a_refusal(message: str) -> None:
    error = answer(403, "Forbidden", message, "POST")
    assert isinstance(error, Refused)
    assert (error.what, error.next) == (f"Error from server (Forbidden): {message}", "")


def test_not_logged_in_says_what_to_do() -> None:
    error = answer(401, "Unauthorized", "Unauthorized")
    assert type(error) is ApiError
    assert "log in again" in error.next


def test_several_violations_are_listed_one_a_line() -> None:
    causes = [{"field": "spec.a", "message": "Required value"}, {"field": "spec.b", "message": "Invalid value: 3"}]
    error = answer(422, "Invalid", "all in one line", "POST", name="x", kind="DGDR", causes=causes)
    assert isinstance(error, Refused)
    assert str(error) == 'The DGDR "x" is invalid: \n* spec.a: Required value\n* spec.b: Invalid value: 3'


def test_one_violation_stays_in_the_line() -> None:
    causes = [{"field": "spec.a", "message": "Required value"}]
    error = answer(422, "Invalid", "", "POST", name="x", kind="DGDR", causes=causes)
    assert str(error) == 'The DGDR "x" is invalid: spec.a: Required value'


def test_invalid_without_causes_keeps_the_message() -> None:
    assert str(answer(422, "Invalid", "m", "POST")) == "Error from server (Invalid): m"


@pytest.mark.parametrize(
    ("reason", "causes", "advice"),
    [
        ("Conflict", [], "read the object again"),
        ("AlreadyExists", [], "choose another name"),
        ("Conflict", [{"reason": "FieldManagerConflict"}], "leave these fields to their manager"),
    ],
)
def test_each_conflict_has_its_advice(reason: str, causes: list[dict[str, str]], advice: str) -> None:
    error = answer(409, reason, "m", "POST", causes=causes)
    assert isinstance(error, Conflict)
    assert error.next.startswith(advice)


def test_gone_is_expired() -> None:
    assert isinstance(answer(410, "Expired", "too old"), Expired)


def test_a_bad_request_is_a_refusal() -> None:
    assert isinstance(answer(400, "BadRequest", "m"), Refused)


def test_a_busy_server_says_when_to_come_back() -> None:
    error = answer(429, "TooManyRequests", "slow down", retryAfterSeconds=7)
    assert str(error) == "Error from server (TooManyRequests): slow down; try again in 7 s"


def test_a_webhook_that_is_down_is_recognised() -> None:
    error = answer(500, "InternalError", 'failed calling webhook "w": connection refused', "POST")
    assert "admission webhook does not answer" in error.next


def test_text_instead_of_a_status_is_shown() -> None:
    error = failure(502, b"<html>bad gateway</html>", target("GET", DGDRS))
    assert (error.code, error.status) == (502, {})
    assert error.what == "Error from server (HTTP 502): <html>bad gateway</html>"
