"""A DGDR of one version in, the same DGDR in the other version out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.conversion import annotations as kept_in
from crds.conversion import spec, status
from crds.conversion.spec import Kept
from crds.conversion.trees import MISSING, Tree, get, path
from crds.errors import InputError
from crds.fields import show

ALPHA: Final = f"{v.GROUP}/{v.Version.V1ALPHA1}"
BETA: Final = v.DGDR_API_VERSION

_Parts = tuple[Tree, dict[str, str]]


def convert(document: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """`document`, a DGDR of v1alpha1 or v1beta1, as one of `api_version`.

    Nothing of `document` is changed, and the answer may share parts with it. Raises InputError for what is no DGDR of
    a version that is served, or has no meaning in the other one.
    """
    for wanted in (document.get("apiVersion"), api_version):
        if wanted not in (ALPHA, BETA):
            raise InputError(f"apiVersion {show(wanted)} cannot be converted", f"{ALPHA} and {BETA} can")
    if document.get("kind") != v.Kind.DGDR:
        raise InputError(f"kind {show(document.get('kind'))} cannot be converted", f"{v.Kind.DGDR} can")
    if document["apiVersion"] == api_version:
        return dict(document)
    _expect_objects(document, ("metadata", "metadata.annotations", "spec", "status"))
    if api_version == BETA:
        _expect_objects(document, ("spec.profilingConfig.config",))
    metadata = document.get("metadata") or {}
    parts, added = _CONVERSIONS[api_version](document, metadata.get("annotations") or {})
    return {
        **{key: value for key, value in document.items() if key not in ("spec", "status")},
        "apiVersion": api_version,
        "metadata": _annotated(metadata, added),
        **parts,
    }


def unsaid(alpha: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a v1alpha1 DGDR that v1beta1 has none for, as paths: `spec.deploymentOverrides.workersImage`."""
    return tuple(_leaves(spec.unsaid_of_alpha(alpha.get("spec") or {}), "spec"))


def _leaves(value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield at
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{at}.{key}")


def _expect_objects(document: Mapping[str, Any], parts: tuple[str, ...]) -> None:
    for part in parts:
        value = get(document, path(part))
        if value is not MISSING and value is not None and not isinstance(value, dict):
            raise InputError(f"{part} must be an object", f"it is {show(value)}", "write it as keys and values")


def _to_beta(alpha: Mapping[str, Any], annotations: Mapping[str, Any]) -> _Parts:
    kept_spec, kept_status = kept_in.kept_of_beta(annotations)
    only_spec, only_status, parts = Kept(), {}, {}
    if alpha.get("spec") is not None:
        parts["spec"] = spec.to_beta(alpha["spec"], kept_spec)
        only_spec = spec.only_alpha(alpha["spec"], parts["spec"])
    if alpha.get("status") is not None:
        parts["status"] = status.to_beta(alpha["status"], kept_status)
        only_status = status.only_alpha(alpha["status"])
    return parts, kept_in.keeping(only_spec, only_status) | kept_in.acting(only_spec)


def _to_alpha(beta: Mapping[str, Any], annotations: Mapping[str, Any]) -> _Parts:
    kept_spec, kept_status = kept_in.kept_of_alpha(annotations)
    only_spec, only_status, parts = Kept(), {}, {}
    if beta.get("spec") is not None:
        parts["spec"] = spec.to_alpha(beta["spec"], kept_spec)
        only_spec = spec.only_beta(beta["spec"], parts["spec"])
    if beta.get("status") is not None:
        parts["status"] = status.to_alpha(beta["status"], kept_status)
        only_status = status.only_beta(beta["status"])
    return parts, kept_in.keeping(only_spec, only_status)


_CONVERSIONS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], _Parts]]] = {
    BETA: _to_beta,
    ALPHA: _to_alpha,
}


def _annotated(metadata: Mapping[str, Any], added: dict[str, str]) -> Tree:
    """The metadata with only the private annotations that this conversion adds."""
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key not in kept_in.PRIVATE
    }
    others = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**others, "annotations": annotations | added} if annotations or added else others
