"""Names that Services and pods are derived from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from crds import vocabulary as v
from crds.fields import FieldError, invalid
from crds.rules.deployments.graph import (
    ENABLE_GROVE,
    DeploymentContext,
    Document,
    Service,
    annotations_of,
)
from crds.rules.names import request_name

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

# Grove's pod names leave this to the names that they are made of. Dynamo 1.2's operator shortens the deployment's part
# down to the second number, so that what remains is a limit of the service's name alone.
_GROVE_NAMES: Final = 45
_GROVE_SHORTEST: Final = 8
_ROLE: Final = len("-ldr")


def service_name(service: Service, document: Document, _: DeploymentContext) -> Iterator[FieldError]:
    """A service becomes the Service `<dgd>-<service>`: a DNS label of at most 63 characters."""
    part = service.name.lower().replace(".", "-")
    if not _LABEL.fullmatch(part):
        why = 'becomes part of a Service\'s name; use letters, digits and "-", with a letter or digit at both ends'
        yield invalid(service.path, service.name, why)
        return
    dgd = request_name(document) or ""
    over = len(dgd) + len("-") + len(part) - v.DNS_LABEL_MAX
    if over > 0:
        why = f"its Service would be named {dgd}-{part}, which is {over} more than {v.DNS_LABEL_MAX} characters"
        yield invalid(service.path, service.name, f"{why}; shorten metadata.name or the service's name")


def grove_names(service: Service, document: Document, context: DeploymentContext) -> Iterator[FieldError]:
    """With Grove the service's part of a pod's name, twice with a role over several nodes, leaves too little."""
    if context.grove is not True or annotations_of(document).get(ENABLE_GROVE) == "false":
        return
    several = service.nodes > 1
    part = 2 * len(service.name) + _ROLE if several else len(service.name)
    dgd = len(request_name(document) or "")
    if part + min(dgd, _GROVE_SHORTEST) <= _GROVE_NAMES:
        return
    longest = _GROVE_NAMES - _GROVE_SHORTEST
    most = (longest - _ROLE) // 2 if several else longest
    where = "a service over several nodes" if several else "a service"
    yield invalid(service.path, service.name, f"is too long for Grove; name {where} with at most {most} characters")
