"""What the API server answered with, as an exception that says what to do. Sentences start as kubectl's do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crds import vocabulary
from crds.errors import ApiError, Conflict, Expired, NotFound, Refused

_PATH = re.compile(
    r"^/(?:api/(?P<core>[^/]+)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>.+))?$"
)
# Anything else that is forbidden is an admission's verdict on the object.
_BY_AUTHORISER = re.compile(r'is forbidden: User ".*" cannot \w+ (?:resource|path) "|^forbidden: User ')
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Target:
    """What a request was about, in the words of an RBAC rule. `plural` is "" for a path that is no resource."""

    verb: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def qualified(self) -> str:
        """`dynamographdeployments.nvidia.com`, `pods`, `pods/log`."""
        plural = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{plural}/{self.subresource}" if self.subresource else plural

    @property
    def rule(self) -> str:
        """The RBAC rule that would allow it."""
        resource = f"{self.plural}/{self.subresource}" if self.subresource else self.plural
        return f'{{apiGroups: ["{self.group}"], resources: ["{resource}"], verbs: ["{self.verb}"]}}'


def target(method: str, path: str, query: Mapping[str, str] | None = None) -> Target:
    """Read a request's path as the API server's authoriser does."""
    match = _PATH.match(path)
    found = match.groupdict(default="") if match else {}
    if method in ("GET", "HEAD"):
        verb = "watch" if (query or {}).get("watch") == "true" else "get" if found.get("name") else "list"
    else:
        verb = _VERBS.get(method, method.lower())
    return Target(
        verb,
        found.get("group", ""),
        found.get("core") or found.get("version", ""),
        found.get("plural", ""),
        found.get("namespace", ""),
        found.get("name", ""),
        found.get("subresource", ""),
    )


def failure(code: int, body: bytes, about: Target) -> ApiError:
    """The exception for an answer of `code` (400 or more) with `body`, a Status or any text."""
    status = _status(body)
    message = status.get("message") or body[:200].decode("utf-8", "replace").strip() or "no explanation was given"
    reason = status.get("reason") or _reason(code)
    what = f"Error from server ({reason})"
    match code:
        case 401:
            return _unauthorized(code, status)
        case 403:
            return _forbidden(code, status, what, message, about)
        case 404:
            return _not_found(code, status, what, message, about)
        case 409:
            return Conflict(code, status, f"{what}: {message}", next=_after_conflict(reason, status))
        case 410:
            return Expired(code, status, f"{what}: {message}", next="list again")
        case 422:
            return _invalid(code, status, message)
        case 400:
            return Refused(code, status, f"{what}: {message}")
        case _:
            return ApiError(code, status, f"{what}: {message}", next=_when_to_retry(code, status, message))


def _status(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) and document.get("kind") == "Status" else {}


def _reason(code: int) -> str:
    known = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 422: "Invalid"}
    known |= {
        400: "BadRequest",
        429: "TooManyRequests",
        500: "InternalError",
        503: "ServiceUnavailable",
        504: "Timeout",
    }
    return known.get(code, f"HTTP {code}")


def _unauthorized(code: int, status: dict[str, Any]) -> ApiError:
    return ApiError(
        code,
        status,
        "Error from server (Unauthorized): the server does not accept your credentials",
        next="log in again or renew the token, and check with: kubectl auth whoami",
    )


def _forbidden(code: int, status: dict[str, Any], what: str, message: str, about: Target) -> ApiError:
    if not _BY_AUTHORISER.search(message):
        return Refused(code, status, f"{what}: {message}")
    if not about.plural:
        return ApiError(code, status, f"{what}: {message}")
    scope = f"a Role in namespace {about.namespace}" if about.namespace else "a ClusterRole"
    return ApiError(
        code, status, f"{what}: {message}", next=f"ask an administrator for {scope} with the rule {about.rule}"
    )


def _not_found(code: int, status: dict[str, Any], what: str, message: str, about: Target) -> ApiError:
    details = status.get("details") or {}
    if (
        details.get("name")
        or not about.plural
        or "could not find the requested resource" not in message + _GENERIC_404.get(message, "")
    ):
        return NotFound(code, status, f"{what}: {message}")
    hint = "install the CRDs: kubectl apply -f crds/" if about.group == vocabulary.GROUP else ""
    version = f"{about.group}/{about.version}" if about.group else about.version
    return NotFound(code, status, f'the server doesn\'t have a resource type "{about.plural}" in {version}', next=hint)


# An unknown group is answered in plain text by the mux, an unknown resource of a known group by a Status.
_GENERIC_404 = {"404 page not found": "could not find the requested resource"}


def _after_conflict(reason: str, status: dict[str, Any]) -> str:
    causes = (status.get("details") or {}).get("causes") or ()
    if any(cause.get("reason") == "FieldManagerConflict" for cause in causes):
        return "leave these fields to their manager, or take them over by force"
    if reason == "AlreadyExists":
        return "choose another name, or delete the existing object first"
    return "read the object again and repeat the change"


def _invalid(code: int, status: dict[str, Any], message: str) -> Refused:
    details = status.get("details") or {}
    causes = [
        f"{cause['field']}: {cause['message']}" if cause.get("field") else str(cause.get("message", ""))
        for cause in details.get("causes") or ()
    ]
    if not causes or not details.get("name"):
        return Refused(code, status, f"Error from server (Invalid): {message}")
    what = f'The {details.get("kind", "object")} "{details["name"]}" is invalid'
    return Refused(code, status, what, causes[0] if len(causes) == 1 else "".join(f"\n* {cause}" for cause in causes))


def _when_to_retry(code: int, status: dict[str, Any], message: str) -> str:
    if "failed calling webhook" in message:
        return "the cluster's admission webhook does not answer: see whether its pods run, then repeat the command"
    seconds = (status.get("details") or {}).get("retryAfterSeconds")
    if seconds:
        return f"try again in {seconds} s"
    return "try again in a moment" if code == 429 or code >= 500 else ""
