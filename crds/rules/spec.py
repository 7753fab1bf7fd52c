"""What a spec may say: one function a rule, over the whole document, yielding the violations.

A value of the wrong type altogether is the schema's to refuse; the rules step over it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import ErrorType, FieldError, forbidden, get, invalid, required, show, unsupported
from crds.rules.context import Context, Mode
from crds.skus import AMBIGUOUS, sku_of

Document = Mapping[str, Any]

_BACKENDS: Final = tuple(str(item) for item in v.Backend)

NUMBERS: Final = (
    "hardware.vramMb",
    "workload.concurrency",
    "workload.requestRate",
    "sla.ttft",
    "sla.itl",
    "sla.e2eLatency",
)
WHOLE_NUMBERS: Final = ("hardware.totalGpus", "hardware.numGpusPerNode", "workload.isl", "workload.osl")
_ALPHA_BLOB: Final = "profilingConfig.config.sla"
_ALPHA_NUMBERS: Final = (f"{_ALPHA_BLOB}.ttft", f"{_ALPHA_BLOB}.itl", f"{_ALPHA_BLOB}.isl", f"{_ALPHA_BLOB}.osl")


def model(document: Document, _: Context) -> Iterator[FieldError]:
    """There is a spec and it names a model."""
    if document.get("spec") is None:
        yield required("spec", "")
        return
    name = get(document, "spec.model")
    if isinstance(document["spec"], dict) and (name is None or (isinstance(name, str) and not name.strip())):
        yield required("spec.model", "")


def _one_of(document: Document, path: str, supported: tuple[str, ...]) -> Iterator[FieldError]:
    value = get(document, path)
    if value is not None and value not in supported:
        yield unsupported(path, value, supported)


def backend(document: Document, _: Context) -> Iterator[FieldError]:
    """The backend is one of the enum."""
    yield from _one_of(document, "spec.backend", _BACKENDS)


def search_strategy(document: Document, _: Context) -> Iterator[FieldError]:
    """The search strategy is one of the enum."""
    yield from _one_of(document, "spec.searchStrategy", tuple(str(item) for item in v.SearchStrategy))


def optimization_type(document: Document, _: Context) -> Iterator[FieldError]:
    """The optimization type is one of the enum."""
    yield from _one_of(document, "spec.sla.optimizationType", tuple(str(item) for item in v.OptimizationType))


def thorough_backend(document: Document, _: Context) -> Iterator[FieldError]:
    """Measuring needs one engine to measure."""
    strategy = get(document, "spec.searchStrategy")
    if strategy == v.SearchStrategy.THOROUGH and get(document, "spec.backend", v.Backend.AUTO) == v.Backend.AUTO:
        why = (
            'is incompatible with spec.backend "auto"; set spec.backend to a specific backend (sglang, trtllm, or vllm)'
        )
        yield invalid("spec.searchStrategy", strategy, why)


def _path(value: Any) -> str:
    return value if isinstance(value, str) else ""


def model_cache(document: Document, _: Context) -> Iterator[FieldError]:
    """A path lies on a PVC and stays inside it; the PVC is mounted at an absolute path."""
    cache = "spec.modelCache"
    inside = _path(get(document, f"{cache}.pvcModelPath"))
    mount = _path(get(document, f"{cache}.pvcMountPath"))
    if inside and not get(document, f"{cache}.pvcName"):
        yield required(f"{cache}.pvcName", "spec.modelCache.pvcModelPath is a path on this PVC")
    if ".." in inside.split("/"):
        yield invalid(f"{cache}.pvcModelPath", inside, 'must not contain ".."')
    if mount and not mount.startswith("/"):
        yield invalid(f"{cache}.pvcMountPath", mount, "must be an absolute path")
    elif ".." in mount.split("/"):
        yield invalid(f"{cache}.pvcMountPath", mount, 'must not contain ".."')


def gpu_sku(document: Document, _: Context) -> Iterator[FieldError]:
    """The GPU is one of the enum; a product name is answered with its SKU."""
    path = "spec.hardware.gpuSku"
    sku = get(document, path)
    if sku is not None and sku not in v.GPU_SKUS:
        product = sku if isinstance(sku, str) and sku.lower() not in AMBIGUOUS else ""
        yield unsupported(path, sku, v.GPU_SKUS, hint=sku_of(product))


def gpu_known(document: Document, context: Context) -> Iterator[FieldError]:
    """Somebody says which GPU. Beside NVIDIA's operator only a warning: its own discovery may see more."""
    if context.mode is Mode.BESIDE or context.hardware_known is not False or get(document, "spec.hardware.gpuSku"):
        return
    why = "no GPU node was found to detect it from; set spec.hardware.gpuSku, numGpusPerNode and totalGpus"
    yield required("spec.hardware.gpuSku", why)


def _positive(document: Document, path: str, whole: bool) -> Iterator[FieldError]:
    value = get(document, path)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield invalid(path, value, "must be a number greater than 0")
    elif not value > 0:
        yield invalid(path, value, "must be greater than 0")
    elif isinstance(value, float) and math.isinf(value):
        yield invalid(path, value, "must be finite")
    elif whole and value != int(value):
        yield invalid(path, value, "must be a whole number")


def positive_numbers(document: Document, _: Context) -> Iterator[FieldError]:
    """Times, lengths, rates and counts are numbers greater than 0."""
    for path in NUMBERS:
        yield from _positive(document, f"spec.{path}", whole=False)
    for path in WHOLE_NUMBERS:
        yield from _positive(document, f"spec.{path}", whole=True)


def alpha_numbers(document: Document, _: Context) -> Iterator[FieldError]:
    """The same for the numbers inside v1alpha1's profilingConfig.config."""
    for path in _ALPHA_NUMBERS:
        yield from _positive(document, f"spec.{path}", whole=False)


def one_load(document: Document, _: Context) -> Iterator[FieldError]:
    """The load is a rate or a concurrency."""
    if (
        get(document, "spec.workload.requestRate") is not None
        and get(document, "spec.workload.concurrency") is not None
    ):
        yield forbidden("spec.workload.requestRate", "cannot be combined with spec.workload.concurrency")


def one_latency(document: Document, _: Context) -> Iterator[FieldError]:
    """The target is end to end, or per phase."""
    sla = get(document, "spec.sla", {})
    if get(sla, "e2eLatency") is not None and (get(sla, "ttft") is not None or get(sla, "itl") is not None):
        yield forbidden("spec.sla.e2eLatency", "cannot be combined with spec.sla.ttft or spec.sla.itl")


def dgd_override(document: Document, _: Context) -> Iterator[FieldError]:
    """An override is a DGD of the version that is merged.

    A v1beta1 override passes NVIDIA's operator and is then lost without a word: its `spec.components` match nothing.
    """
    for field, only in (("apiVersion", v.DGD_API_VERSION), ("kind", str(v.Kind.DGD))):
        path = f"spec.overrides.dgd.{field}"
        value = get(document, path)
        if value is not None and value != only:
            # No "did you mean": another version has another shape, so that changing this field alone is no cure.
            yield FieldError(path, ErrorType.UNSUPPORTED, f"{show(value)}: supported values: {show(only)}")
