"""What is allowed but will not work in this cluster, as warnings. A fact that nobody could look up raises none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import get
from crds.rules.context import Context, Mode

Document = Mapping[str, Any]

# Repositories on the Hugging Face hub that want a token: accept the licence there first.
_GATED: Final = ("meta-llama/", "google/gemma-", "mistralai/Mistral-Large-", "mistralai/Mistral-7B-Instruct-v0.2")
_PROFILER_TOKEN: Final = "HUGGING_FACE_HUB_TOKEN"
_MIB: Final = 2**20


def dgd_exists(_: Document, context: Context) -> Iterator[str]:
    """NVIDIA's operator reports a DGD that it finds under the target name as its own, and deploys nothing."""
    if context.dgd_exists:
        yield "metadata.name: a DynamoGraphDeployment of the target name exists; it will be kept as it is"


def claim_missing(document: Document, context: Context) -> Iterator[str]:
    """NVIDIA's operator fails a request whose claim is not there, for good."""
    if context.claim_exists is False:
        name = str(get(document, "spec.modelCache.pvcName"))[:40]
        yield f'spec.modelCache.pvcName: there is no PersistentVolumeClaim "{name}" here yet; create it first'


def token_missing(document: Document, context: Context) -> Iterator[str]:
    """Without a token a gated model cannot be downloaded; NVIDIA's profiling pod does not even start without one."""
    if context.token_exists is not False:
        return
    model = get(document, "spec.model")
    gated = isinstance(model, str) and model.startswith(_GATED) and not get(document, "spec.modelCache.pvcModelPath")
    if gated:
        yield f"spec.model: is gated on the Hugging Face hub, but there is no secret {v.HF_TOKEN_SECRET} here"
    elif context.mode is Mode.BESIDE and not _token_overridden(document):
        yield f"spec: Dynamo's profiling pod waits for a secret {v.HF_TOKEN_SECRET}, which is not here; create it"


def _token_overridden(document: Document) -> bool:
    """Whether the profiling Job gets a token, or none on purpose, in another way."""
    containers = get(document, "spec.overrides.profilingJob.template.spec.containers", [])
    first = containers[0] if isinstance(containers, list) and containers else None
    envs = get(first, "env", [])
    return isinstance(envs, list) and any(get(env, "name") == _PROFILER_TOKEN for env in envs)


def gpu_elsewhere(document: Document, context: Context) -> Iterator[str]:
    """A deployment for a GPU that no node has stays pending."""
    sku = get(document, "spec.hardware.gpuSku")
    if context.detected_skus and sku in v.GPU_SKUS and sku not in context.detected_skus:
        listed = ", ".join(context.detected_skus[:3]) + (", ..." if len(context.detected_skus) > 3 else "")
        yield f'spec.hardware.gpuSku: no usable node has "{sku}"; there are {listed}'


def gpu_unmeasured(document: Document, context: Context) -> Iterator[str]:
    """An estimate for a GPU that was never measured has wider error bars; a thorough search measures by itself."""
    sku = get(document, "spec.hardware.gpuSku")
    thorough = get(document, "spec.searchStrategy") == v.SearchStrategy.THOROUGH
    if context.measured_skus is not None and sku in v.GPU_SKUS and sku not in context.measured_skus and not thorough:
        yield f'spec.hardware.gpuSku: estimates for "{sku}" are carried over from other GPUs; expect wide error bars'


def planner_without_prometheus(document: Document, context: Context) -> Iterator[str]:
    """Scaling by latency reads the latencies from Prometheus; the other targets do without."""
    planner = get(document, "spec.features.planner", {})
    asks = get(planner, "optimization_target") == "sla" and not get(planner, "metric_pulling_prometheus_endpoint")
    if context.prometheus is False and asks:
        yield 'spec.features.planner.optimization_target: "sla" needs Prometheus, which is not in this cluster'


def multinode_missing(document: Document, context: Context) -> Iterator[str]:
    """A model that one node cannot hold needs engines over several, and something that starts them together."""
    per_node, vram = get(document, "spec.hardware.numGpusPerNode"), get(document, "spec.hardware.vramMb")
    if context.multinode is not False or context.weights_bytes is None or get(document, "spec.features.mocker.enabled"):
        return
    known = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (per_node, vram))
    if known and context.weights_bytes > per_node * vram * _MIB:
        yield "spec.model: needs several nodes for its weights, but the cluster has neither Grove nor LeaderWorkerSet"
