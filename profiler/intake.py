"""From a DGDR to a `Request`: one way in for the Job, the command line and the controller, so that they answer alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crds import rules, schema
from crds.errors import InvalidRequest
from crds.fields import ErrorType
from profiler.request import GpuPool, Request


def request(document: Mapping[str, Any], detected: GpuPool | None = None) -> Request:
    """The request behind a v1beta1 DGDR; `detected` fills in the hardware that it leaves open.

    An API server has held it against the schema already, a person's file has not. Unknown fields become warnings:
    NVIDIA's profiler ignores them, and a newer API may have them. Raises InvalidRequest with every rule that is broken,
    UnknownHardware where nobody says which GPU.
    """
    findings = rules.check(document, context=rules.Context(mode=rules.Mode.BESIDE))
    found = schema.check(document)
    wrong = findings.errors or tuple(error for error in found if error.type is not ErrorType.UNKNOWN)
    if wrong:
        raise InvalidRequest("the request cannot be used", wrong)
    metadata = document["metadata"]
    built = Request.from_spec(
        document["spec"], name=metadata["name"], namespace=metadata.get("namespace") or "default", detected=detected
    )
    unknown = [f"{error.path} is ignored: no such field" for error in found]
    return replace(built, warnings=(*built.warnings, *findings.warnings, *unknown))
