"""Files that a user names, and requests out of them and of flags, checked by every rule before anyone acts on them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crds import vocabulary as v
from crds.errors import InputError, InvalidRequest
from crds.fields import FieldError
from kubectl_dynamo.session import note

if TYPE_CHECKING:
    from crds.rules import Context

NAME = f"{v.Kind.DGDR.lower()}.{v.GROUP}"


def one_request(path: str) -> dict[str, Any]:
    """The only request of a file (or "-"). Raises InputError for none or several."""
    from crds import documents  # YAML is read only where a file is named

    source = source_of(path)
    found = documents.requests(documents.read(path, sys.stdin), source)
    if len(found) > 1:
        names = ", ".join(str((request.get("metadata") or {}).get("name")) for request in found)
        raise InputError(f"{source}: holds {len(found)} requests ({names})", next="give this command one at a time")
    return found[0]


def source_of(path: str) -> str:
    """How messages call a file."""
    return "standard input" if path == "-" else path


def content(path: str) -> bytes:
    """The bytes of a file (or "-"). Raises InputError."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def new_request(name: str, namespace: str | None = None) -> dict[str, Any]:
    """An empty request, to be filled by flags."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": v.DGDR_API_VERSION, "kind": str(v.Kind.DGDR), "metadata": metadata, "spec": {}}


def current(document: dict[str, Any], source: str) -> dict[str, Any]:
    """A request as one of v1beta1; one of v1alpha1 is checked and converted, and a note says so and what that drops.

    Raises InvalidRequest for one that breaks the rules of its own version.
    """
    if document.get("apiVersion") == v.DGDR_API_VERSION:
        return document
    from crds.conversion import convert, unsaid  # for the few that still have it
    from crds.rules import Context, Mode

    errors, _ = violations(document, Context(mode=Mode.LOCAL))
    if errors:
        raise InvalidRequest(f"{source}: {label(document)} is not valid", errors)
    dropped = unsaid(document)
    without = f", without {', '.join(dropped)}" if dropped else ""
    note(f"Note: {source} is of {document['apiVersion']}; profiled as {v.DGDR_API_VERSION}{without}")
    return convert(document, v.DGDR_API_VERSION)


def violations(document: Mapping[str, Any], context: Context) -> tuple[list[FieldError], tuple[str, ...]]:
    """Everything that schema and rules refuse, and the warnings."""
    from crds import rules, schema  # both read YAML

    findings = rules.check(document, context=context)
    ruled = {error.path for error in findings.errors}
    # Where a rule and the schema speak of the same field, the rule says more.
    unruled = [error for error in schema.check(document) if error.path not in ruled]
    return [*unruled, *findings.errors], tuple(str(warning) for warning in findings.warnings)


def check(document: Mapping[str, Any], source: str, context: Context) -> None:
    """Refuse a request that breaks rules, all violations at once; warnings go to stderr. Raises InvalidRequest."""
    errors, warnings = violations(document, context)
    warn(warnings)
    if errors:
        raise InvalidRequest(f"{source}: {label(document)} is not valid", errors)


def warn(warnings: tuple[str, ...]) -> None:
    """Print warnings as kubectl prints those of the server."""
    for warning in warnings:
        note(f"Warning: {warning}")


def label(document: Mapping[str, Any]) -> str:
    """`dynamographdeploymentrequest/qwen`."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{v.Kind.DGDR.lower()}/{name or '<no name>'}"


def dns_name(model: str) -> str:
    """A name for a request about a model: its last part, lower case, as a DNS label of whole words.

    Short enough for the names of the deployment's Services, which start with it, and like them with a letter.
    """
    from crds.rules.names import COMFORTABLE_NAME

    words = re.findall(r"[a-z0-9]+", model.rstrip("/").rpartition("/")[2].lower())
    words = list(dropwhile(lambda word: word[0].isdigit(), words))
    while len(words) > 1 and len("-".join(words)) > COMFORTABLE_NAME:
        words.pop()
    return "-".join(words)[:COMFORTABLE_NAME] or "request"


def files_under(path: str) -> list[str]:
    """The file, or the YAML and JSON files of a directory, sorted. Raises InputError for a directory without any."""
    place = Path(path)
    if path == "-" or not place.is_dir():
        return [path]
    found = sorted(str(item) for item in place.rglob("*") if item.suffix in {".yaml", ".yml", ".json"})
    if not found:
        raise InputError(f"{path}: has no .yaml, .yml or .json file")
    return found
