"""Field paths and field errors, in the form of Kubernetes' own `field.Error`: `<path>: <Kind>: <detail>`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ErrorType(StrEnum):
    """Kinds of field errors, with the texts that Kubernetes prints."""

    REQUIRED = "Required value"
    INVALID = "Invalid value"
    UNSUPPORTED = "Unsupported value"
    FORBIDDEN = "Forbidden"
    UNKNOWN = "Unknown field"
    TYPE = "Invalid type"


# StatusCause reasons that the API server uses for the same kinds.
REASONS = {
    ErrorType.REQUIRED: "FieldValueRequired",
    ErrorType.INVALID: "FieldValueInvalid",
    ErrorType.UNSUPPORTED: "FieldValueNotSupported",
    ErrorType.FORBIDDEN: "FieldValueForbidden",
    ErrorType.UNKNOWN: "FieldValueInvalid",
    ErrorType.TYPE: "FieldValueTypeInvalid",
}


@dataclass(frozen=True)
class FieldError:
    """One violation: where, which kind, and a detail that says what to do. `rule` names the rule for metrics."""

    path: str
    type: ErrorType
    detail: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.type}: {self.detail}" if self.detail else f"{self.path}: {self.type}"

    @property
    def reason(self) -> str:
        """Reason of a StatusCause for this error."""
        return REASONS[self.type]


def show(value: Any) -> str:
    """A value as Kubernetes prints it in a message: strings quoted, all else as JSON, long values cut."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "..."


def required(path: str, detail: str, rule: str = "") -> FieldError:
    """`spec.model: Required value: ...`"""
    return FieldError(path, ErrorType.REQUIRED, detail, rule)


def invalid(path: str, value: Any, detail: str, rule: str = "") -> FieldError:
    """`spec.sla.itl: Invalid value: -5: must be greater than 0`"""
    return FieldError(path, ErrorType.INVALID, f"{show(value)}: {detail}", rule)


def forbidden(path: str, detail: str, rule: str = "") -> FieldError:
    """`spec: Forbidden: updates are forbidden ...`"""
    return FieldError(path, ErrorType.FORBIDDEN, detail, rule)


def unsupported(path: str, value: Any, supported: Sequence[str], rule: str = "", hint: str | None = None) -> FieldError:
    """`spec.backend: Unsupported value: "vlm": supported values: "auto", ...; did you mean "vllm"?`

    `hint` names the supported value that was meant where the caller knows better than spelling does.
    """
    listed = ", ".join(show(item) for item in supported)
    nearest = hint or did_you_mean(value, supported)
    question = f"; did you mean {show(nearest)}?" if nearest else ""
    return FieldError(path, ErrorType.UNSUPPORTED, f"{show(value)}: supported values: {listed}{question}", rule)


def did_you_mean(value: Any, candidates: Iterable[str]) -> str | None:
    """The candidate whose spelling is nearest to `value`, or None where nothing is near."""
    if not isinstance(value, str):
        return None
    by_key = {candidate.lower().replace("-", "").replace("_", ""): candidate for candidate in candidates}
    near = difflib.get_close_matches(value.lower().replace("-", "").replace("_", ""), list(by_key), n=1, cutoff=0.6)
    return by_key[near[0]] if near else None


def get(document: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path of nested mappings, or `default` where any step is absent or null."""
    for key in path.split("."):
        if not isinstance(document, dict) or document.get(key) is None:
            return default
        document = document[key]
    return document
