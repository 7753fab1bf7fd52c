"""ConversionReview (apiextensions.k8s.io/v1) in and out: requests for deployments of one version as the other.

The API server sends a whole list in one review and turns a failed one into an error of the read that caused it. So what
cannot be converted is a Failure that names each object and says why, in an answer that HTTP calls a success.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from flask import Response, request

from crds import vocabulary as v
from crds.conversion import convert
from crds.errors import InputError

PATH: Final = "/convert"
API_VERSION: Final = "apiextensions.k8s.io/v1"
KIND: Final = "ConversionReview"
CRD: Final = f"{v.PLURALS[v.Kind.DGDR]}.{v.GROUP}"
MAX_BODY: Final = 64 * 2**20  # a list without pages of 5,000 requests with their profiles
MAX_NAMED: Final = 10  # objects that one Failure names


class _Request(msgspec.Struct, rename={"desired_api_version": "desiredAPIVersion"}):
    uid: str
    desired_api_version: str
    objects: list[Any]


class _Envelope(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: _Request


_DECODER: Final = msgspec.json.Decoder(_Envelope)
_ENCODER: Final = msgspec.json.Encoder()


def view() -> Response:
    """The route. Whatever is posted is answered with a ConversionReview."""
    request.max_content_length = MAX_BODY
    return Response(answer(request.get_data(cache=False)), content_type="application/json")


def answer(body: bytes) -> bytes:
    """The review of a review: every object converted, or a Failure that says which could not be."""
    try:
        envelope = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        return _failure("", f"the body is not a {KIND}: {error}")
    if envelope.api_version != API_VERSION or envelope.kind != KIND:
        found = f"{envelope.kind} {envelope.api_version}"
        return _failure(envelope.request.uid, f"{found} is not served, {KIND} {API_VERSION} is")
    return _converted(envelope.request)


def conversion_patch(target: str | Mapping[str, Any], ca: bytes) -> dict[str, Any]:
    """A merge patch for `CRD` that has the API server ask us.

    `target` is the https URL of the webhook, or the reference of its Service (namespace, name, port); `ca` is PEM.
    """
    if isinstance(target, str):
        where: dict[str, Any] = {"url": target.rstrip("/") + PATH, "service": None}
    else:
        where = {"service": {**target, "path": PATH}, "url": None}
    client = {**where, "caBundle": base64.b64encode(ca).decode()}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    return {"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}}


def _converted(asked: _Request) -> bytes:
    converted, problems = [], []
    for document in asked.objects:
        try:
            if not isinstance(document, dict):
                raise InputError("an object cannot be converted", "it is no JSON object")
            converted.append(convert(document, asked.desired_api_version))
        except (InputError, RecursionError) as error:
            problems.append(f"{_name(document)}: {_reason(error)}")
    if problems:
        more = [f"and {len(problems) - MAX_NAMED} more"] if len(problems) > MAX_NAMED else []
        return _failure(asked.uid, "; ".join([*problems[:MAX_NAMED], *more]))
    try:
        return _review({"uid": asked.uid, "result": {"status": "Success"}, "convertedObjects": converted})
    except RecursionError as error:
        return _failure(asked.uid, _reason(error))


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _name(document: Any) -> str:
    """An object as kubectl names it: `namespace/name`."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    parts = [metadata.get(key) for key in ("namespace", "name")] if isinstance(metadata, dict) else []
    return "/".join(part for part in parts if isinstance(part, str)) or "an object without a name"


def _failure(uid: str, message: str) -> bytes:
    return _review({"uid": uid, "result": {"status": "Failure", "message": message}})


def _review(response: dict[str, Any]) -> bytes:
    return _ENCODER.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})
