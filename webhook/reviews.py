"""AdmissionReview (admission.k8s.io/v1) in and out.

The answer keeps to what the API server checks: same uid, apiVersion and kind of v1, a response, patch and patchType
only together and never from a validating call. Whatever cannot be understood gets an answer too, never an exception.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from crds.errors import InputError
from crds.fields import FieldError

Operation = dict[str, Any]  # of a JSON Patch (RFC 6902)

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
MAX_WARNINGS = 20
MAX_WARNING_LENGTH = 250  # the API server cuts longer ones


class _User(msgspec.Struct):
    username: str = ""


class _Meta(msgspec.Struct, rename="camel"):
    uid: str
    operation: str
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    user_info: _User = msgspec.field(default_factory=_User)
    object: Any = None
    old_object: Any = None


class _Envelope(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: _Meta


_DECODER = msgspec.json.Decoder(_Envelope)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True)
class Review:
    """What is asked: an operation of `user` on an object, with what it was before (null where there is none)."""

    uid: str
    operation: str
    subresource: str
    namespace: str
    name: str
    user: str
    object: dict[str, Any] | None
    old_object: dict[str, Any] | None


def decode(body: bytes) -> Review:
    """Read a review. Raises InputError where it is none."""
    try:
        envelope = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError("the body is not an AdmissionReview", str(error)) from error
    if envelope.api_version != API_VERSION or envelope.kind != KIND:
        raise InputError(
            "the body is not an AdmissionReview of a version that is served",
            f"it is {envelope.kind} {envelope.api_version}, {KIND} {API_VERSION} is expected",
        )
    request = envelope.request
    if not request.uid:
        raise InputError("the AdmissionReview has no request.uid")
    for name, value in (("object", request.object), ("oldObject", request.old_object)):
        if value is not None and not isinstance(value, dict):
            raise InputError("the body is not an AdmissionReview", f"request.{name} is no object")
    return Review(
        uid=request.uid,
        operation=request.operation,
        subresource=request.sub_resource,
        namespace=request.namespace,
        name=request.name,
        user=request.user_info.username,
        object=request.object,
        old_object=request.old_object,
    )


@dataclass(frozen=True)
class Answer:
    """What is answered: refused where there are errors, else let pass, perhaps changed by JSON Patch operations."""

    uid: str
    errors: Sequence[FieldError] = ()
    warnings: Sequence[str] = ()
    patch: Sequence[Operation] = ()

    @property
    def allowed(self) -> bool:
        """Whether the write passes."""
        return not self.errors


def encode(answer: Answer) -> bytes:
    """The AdmissionReview of an answer."""
    response: dict[str, Any] = {"uid": answer.uid, "allowed": answer.allowed}
    if answer.errors:
        response["status"] = _invalid(answer.errors)
    elif answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(_ENCODER.encode(answer.patch)).decode()
    return _encode(response, answer.warnings)


def _invalid(errors: Sequence[FieldError]) -> dict[str, Any]:
    """Status Invalid (422): all errors in the message, each as a cause."""
    lines = [str(error) for error in errors]
    message = lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} errors:", *(f"* {line}" for line in lines)])
    causes = [
        {"reason": error.reason, "field": error.path, "message": f"{error.type}: {error.detail}"} for error in errors
    ]
    return {
        "status": "Failure",
        "reason": "Invalid",
        "code": 422,
        "message": message,
        "details": {"causes": causes},
    }


def not_understood(reason: str, *, code: int = 400) -> bytes:
    """The answer to what is no review: a review all the same, with the reason."""
    status = {"status": "Failure", "reason": "BadRequest", "code": code, "message": reason}
    return _encode({"uid": "", "allowed": False, "status": status}, ())


def _encode(response: dict[str, Any], warnings: Sequence[str]) -> bytes:
    if warnings:
        response["warnings"] = [text[:MAX_WARNING_LENGTH] for text in warnings[:MAX_WARNINGS]]
    return _ENCODER.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})
