"""Everything that can go wrong for a user, as one tree. Each leaf says what, why and what to type next.

    DynamoError                  exit 1
    ├── InputError               a file, a document or a value that was given cannot be used
    │   └── InvalidRequest       a DGDR that breaks rules; carries the field errors
    ├── ProfileError             the profiler has no answer
    │   ├── UnknownModel         no source knows the model
    │   ├── UnknownHardware      nobody said which GPU, and nothing could be detected
    │   └── NoCandidate          no layout fits the memory and the GPU budget
    ├── ClusterError             talking to a cluster failed
    │   ├── NoCluster            no kubeconfig and not in a pod
    │   ├── Unreachable          no connection, TLS failure, cut
    │   └── ApiError             the server answered with a failure; carries its Status
    │       ├── NotFound         404
    │       ├── Conflict         409
    │       ├── Expired          410
    │       └── Refused          400, 403 by admission, 422
    └── TimedOut                 exit 124

Usage errors (exit 2) are click's own, an interrupt is exit 130.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crds.fields import FieldError


class DynamoError(Exception):
    """An error to show to a user: `what` happened, `why`, and what to type `next` (the last two may be empty)."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", next: str = "") -> None:  # noqa: A002 - the sentence's own name
        super().__init__(what)
        self.what, self.why, self.next = what, why, next

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text}; {self.next}" if self.next else text


class InputError(DynamoError):
    """What was given cannot be used."""


class InvalidRequest(InputError):
    """A request that breaks rules. `errors` holds every violation, in field order."""

    def __init__(self, what: str, errors: Sequence[FieldError]) -> None:
        super().__init__(what, "; ".join(str(error) for error in errors))
        self.errors = tuple(errors)


class ProfileError(DynamoError):
    """The profiler has no answer for this request."""


class UnknownModel(ProfileError):
    """No source knows the model."""


class UnknownHardware(ProfileError):
    """Neither the request nor discovery says which GPU."""


class NoCandidate(ProfileError):
    """No configuration fits the memory and the GPU budget."""


class ClusterError(DynamoError):
    """Talking to a cluster failed."""


class NoCluster(ClusterError):
    """No kubeconfig was found and this is not a pod."""


class Unreachable(ClusterError):
    """The server could not be reached, or the connection broke."""


class ApiError(ClusterError):
    """The API server answered with a failure. `code` is the HTTP status, `status` the Status object (may be empty)."""

    def __init__(self, code: int, status: dict[str, Any], what: str, why: str = "", next: str = "") -> None:  # noqa: A002
        super().__init__(what, why, next)
        self.code, self.status = code, status


class NotFound(ApiError):
    """404: the object or the resource type does not exist."""


class Conflict(ApiError):
    """409: somebody else wrote first, or the name exists."""


class Expired(ApiError):
    """410: the resource version is too old; list again."""


class Refused(ApiError):
    """400, 403 by admission, or 422: the object itself was refused; retrying it as it is cannot help."""


class TimedOut(DynamoError):
    """The time that was given ran out."""

    exit_code = 124
