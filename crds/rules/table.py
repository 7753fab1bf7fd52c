"""The rules in a table, and the one function that applies them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import FieldError, get
from crds.rules import advice, change, cluster, names, spec
from crds.rules.context import Context

Document = Mapping[str, Any]

_BETA: Final = frozenset({v.Version.V1BETA1})
_ALPHA: Final = frozenset({v.Version.V1ALPHA1})


@dataclass(frozen=True)
class Rule:
    """One rule: its name (for metrics), what yields its violations, and the versions whose fields it knows."""

    name: str
    violations: Callable[[Document, Context], Iterable[FieldError]]
    versions: frozenset[v.Version] = _BETA


RULES: Final = (
    Rule("name-fits", names.name_fits, _BETA | _ALPHA),
    Rule("model", spec.model, _BETA | _ALPHA),
    Rule("backend", spec.backend, _BETA | _ALPHA),
    Rule("search-strategy", spec.search_strategy),
    Rule("thorough-backend", spec.thorough_backend),
    Rule("model-cache", spec.model_cache),
    Rule("gpu-sku", spec.gpu_sku),
    Rule("gpu-known", spec.gpu_known),
    Rule("positive-numbers", spec.positive_numbers),
    Rule("positive-numbers", spec.alpha_numbers, _ALPHA),
    Rule("one-load", spec.one_load),
    Rule("one-latency", spec.one_latency),
    Rule("optimization-type", spec.optimization_type),
    Rule("dgd-override", spec.dgd_override),
    Rule("dgd-name-fits", names.dgd_name_fits),
)
FROZEN: Final = "frozen"

ADVICE: Final = (
    advice.yaml_names,
    advice.service_names,
    cluster.dgd_exists,
    advice.snapshot,
    cluster.claim_missing,
    cluster.token_missing,
    advice.gpu_unknown,
    cluster.gpu_elsewhere,
    cluster.gpu_unmeasured,
    advice.dgd_override_fields,
    advice.planner_disabled,
    cluster.planner_without_prometheus,
    cluster.multinode_missing,
    advice.deprecated,
)

# The order in which the API declares its fields, and so the order of errors. A parent comes before its fields.
_FIELDS: Final = (
    "metadata.name",
    "spec",
    "spec.model",
    "spec.backend",
    "spec.searchStrategy",
    "spec.modelCache.pvcName",
    "spec.modelCache.pvcModelPath",
    "spec.modelCache.pvcMountPath",
    "spec.hardware.gpuSku",
    "spec.hardware.vramMb",
    "spec.hardware.totalGpus",
    "spec.hardware.numGpusPerNode",
    "spec.workload.isl",
    "spec.workload.osl",
    "spec.workload.concurrency",
    "spec.workload.requestRate",
    "spec.sla.ttft",
    "spec.sla.itl",
    "spec.sla.e2eLatency",
    "spec.sla.optimizationType",
    "spec.overrides.dgd.apiVersion",
    "spec.overrides.dgd.kind",
    "spec.overrides.dgd.metadata.name",
)
_POSITION: Final = {path: position for position, path in enumerate(_FIELDS)}


@dataclass(frozen=True)
class Findings:
    """What the rules say of an object: all violations in field order, and warnings."""

    errors: tuple[FieldError, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())


def check(new: Document, old: Document | None = None, context: Context = Context()) -> Findings:  # noqa: B008 - frozen
    """Apply every rule to a DGDR; with `old`, to an update of it.

    An object that is being deleted and an update that changes nothing of the spec always pass, and what `old` already
    violated in the same way is tolerated. Never raises, whatever the document holds.
    """
    if get(new, "metadata.deletionTimestamp"):
        return Findings()
    errors = list(_violations(new, context))
    if old is not None:
        if change.unchanged(new, old):
            return Findings()
        if errors:
            standing = set(_violations(old, context)) if errors else set()
            errors = [error for error in errors if error not in standing]
        errors += [replace(error, rule=FROZEN) for error in change.frozen(old)]
    errors.sort(key=lambda error: _POSITION.get(error.path, len(_POSITION)))
    asked = context if old is None else replace(context, dgd_exists=None)
    return Findings(tuple(errors), tuple(text for advise in ADVICE for text in advise(new, asked)))


def _violations(document: Document, context: Context) -> Iterator[FieldError]:
    version = str(document.get("apiVersion", v.DGDR_API_VERSION)).rpartition("/")[2]
    for rule in RULES:
        if version in rule.versions or (version not in list(v.Version) and v.Version.V1BETA1 in rule.versions):
            for error in rule.violations(document, context):
                yield replace(error, rule=rule.name)
