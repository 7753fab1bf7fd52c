"""Names that others are derived from must leave room: `<dgd>-<service>` is a Service, `profile-<dgdr>` a Job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import FieldError, get, invalid, required
from crds.rules.context import Context

Document = Mapping[str, Any]

LONGEST_SERVICE: Final = len("VllmPrefillWorker")
MAX_TOGETHER: Final = 45  # DGD plus service name, in the profiler of Dynamo 1.2
COMFORTABLE_NAME: Final = MAX_TOGETHER - LONGEST_SERVICE - len(v.DGD_SUFFIX)  # of a request, whatever its backend
MAX_DGD_NAME: Final = v.DNS_LABEL_MAX - len("-") - LONGEST_SERVICE
MAX_NAME: Final = MAX_DGD_NAME - len(v.DGD_SUFFIX)
MAX_NAME_OF_JOB: Final = v.DNS_LABEL_MAX - len(v.JOB_PREFIX)
OVERRIDE: Final = "spec.overrides.dgd.metadata.name"
_GENERATED: Final = 5  # random characters that the API server appends to generateName, cut to 63 in all
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SYNTAX: Final = 'must be lowercase letters, digits, "-" and ".", with a letter or digit at both ends'


def override_name(document: Document) -> str | None:
    """The name that the request gives its deployment itself, or None."""
    name = get(document, OVERRIDE)
    return name if isinstance(name, str) and name else None


def request_name(document: Document) -> str | None:
    """The request's name; for generateName one of the length that it will have."""
    name, prefix = get(document, "metadata.name"), get(document, "metadata.generateName")
    if isinstance(name, str) and name:
        return name
    if isinstance(prefix, str) and prefix:
        return prefix[: v.DNS_LABEL_MAX - _GENERATED] + "x" * _GENERATED
    return None


def name_fits(document: Document, _: Context) -> Iterator[FieldError]:
    """The name is one that Kubernetes takes, and what is made of it fits into 63 characters."""
    name = request_name(document)
    if name is None:
        yield required("metadata.name", "")
    elif not _SUBDOMAIN.fullmatch(name):
        yield invalid("metadata.name", name, _SYNTAX)
    elif override_name(document) is None and len(name) > MAX_NAME:
        why = f"must be no more than {MAX_NAME} characters so that the Services of its deployment fit"
        yield invalid("metadata.name", name, why)
    elif len(name) > MAX_NAME_OF_JOB:
        why = f"must be no more than {MAX_NAME_OF_JOB} characters so that the name of its profiling Job fits"
        yield invalid("metadata.name", name, why)


def dgd_name_fits(document: Document, _: Context) -> Iterator[FieldError]:
    """A name given to the deployment is a name that Kubernetes takes, and its Services' names fit."""
    name = override_name(document)
    if name is None:
        return
    if not _SUBDOMAIN.fullmatch(name):
        yield invalid(OVERRIDE, name, _SYNTAX)
    elif len(name) > MAX_DGD_NAME:
        yield invalid(OVERRIDE, name, f"must be no more than {MAX_DGD_NAME} characters so that its Services fit")
