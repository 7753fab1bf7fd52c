"""Admission rules for DynamoModels in clusters where NVIDIA's operator does not hold them. `check` is the door."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from crds.fields import FieldError, forbidden, get, invalid, required, show
from crds.rules.table import Findings

Document = Mapping[str, Any]

_TYPE: Final = "spec.modelType"
_BASE: Final = "spec.baseModelName"
_URI: Final = "spec.source.uri"
_SCHEMES: Final = ("s3://", "hf://")
_DEFAULT_TYPE: Final = "base"
_LORA: Final = "lora"


def check(new: Document, old: Document | None = None) -> Findings:
    """Apply every rule to a DynamoModel; with `old`, to an update of it.

    An object that is being deleted and an update that changes nothing of the spec always pass, and what `old` already
    violated in the same way is tolerated. Never raises, whatever the document holds.
    """
    if get(new, "metadata.deletionTimestamp"):
        return Findings()
    errors = list(_standing(new))
    if old is not None:
        if new.get("spec") == old.get("spec"):
            return Findings()
        tolerated = set(_standing(old))
        errors = [error for error in errors if error not in tolerated]
        errors += (replace(error, rule="model-change") for error in _changes(new, old))
    return Findings(tuple(errors))


def _standing(document: Document) -> Iterator[FieldError]:
    for path, example in (("spec.modelName", "the name that requests give"), (_BASE, "the model that workers serve")):
        if get(document, path) in (None, ""):
            yield required(path, f"set it to {example}", rule="model-names")
    if get(document, _TYPE) == _LORA:
        for error in _lora_source(get(document, _URI)):
            yield replace(error, rule="model-source")


def _lora_source(uri: Any) -> Iterator[FieldError]:
    """Workers download a LoRA by themselves."""
    where = "s3://<bucket>/<path> or hf://<organisation>/<name>"
    if uri in (None, ""):
        yield required(_URI, f'modelType "{_LORA}" is downloaded from {where}; set it to one of them')
    elif isinstance(uri, str) and not uri.startswith(_SCHEMES):
        yield invalid(_URI, uri, f"must be {where}")


def _changes(new: Document, old: Document) -> Iterator[FieldError]:
    """The type says how a model is loaded, and the base model finds the workers that load it."""
    for path, default in ((_TYPE, _DEFAULT_TYPE), (_BASE, "")):
        before = get(old, path, default)
        if get(new, path, default) != before:
            yield forbidden(path, f"cannot change from {show(before)}; delete and recreate the model to change it")
