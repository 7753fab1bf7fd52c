"""The request as the profiler works on it, built in one place from a DGDR."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crds import vocabulary as v
from crds.errors import InputError, UnknownHardware
from crds.fields import get
from profiler.hardware import Gpu, gpu

_LEAST_MIB = 1024  # no GPU has less memory: who writes less means GiB


@dataclass(frozen=True)
class Workload:
    """Mean input and output lengths in tokens, and the load in requests/s or requests in flight (at most one)."""

    isl: int = 4000
    osl: int = 1000
    request_rate: float | None = None
    concurrency: float | None = None


@dataclass(frozen=True)
class Sla:
    """Latency targets in ms. Either ttft and itl, or e2e."""

    ttft_ms: float | None = 2000.0
    itl_ms: float | None = 30.0
    e2e_latency_ms: float | None = None
    optimization: v.OptimizationType = v.OptimizationType.THROUGHPUT


@dataclass(frozen=True)
class GpuPool:
    """GPUs that a cluster has (discovery) or a person names (flags): what stands in where a request is silent."""

    sku: str
    total_gpus: int
    gpus_per_node: int | None = None
    vram_mb: float | None = None
    interconnect: str | None = None
    rdma: bool | None = None
    source: str = "discovery"


@dataclass(frozen=True)
class Hardware:
    """The GPUs to plan for, every field known. `gpu` already carries the request's vramMb and interconnect."""

    gpu: Gpu
    total_gpus: int
    gpus_per_node: int
    interconnect: str | None = None
    rdma: bool | None = None
    source: str = "request"

    @property
    def gpu_in_nodes(self) -> Gpu:
        """The GPU in nodes of this size, as the estimator must see it: what lies beyond a node is the network."""
        return replace(self.gpu, gpus_per_node=self.gpus_per_node)


@dataclass(frozen=True)
class ModelCache:
    """A PVC that holds checkpoints."""

    pvc_name: str
    model_path: str | None = None  # relative to the PVC's root
    mount_path: str = v.DEFAULT_MODEL_MOUNT

    @property
    def checkpoint(self) -> str | None:
        """Absolute path of the checkpoint inside a pod, or None where the PVC is only a download cache."""
        return f"{self.mount_path.rstrip('/')}/{self.model_path.strip('/')}" if self.model_path else None


@dataclass(frozen=True)
class Request:
    """What was asked, with defaults and hardware filled in."""

    name: str
    namespace: str
    model: str
    hardware: Hardware
    backend: v.Backend = v.Backend.AUTO
    workload: Workload = field(default_factory=Workload)
    sla: Sla = field(default_factory=Sla)
    strategy: v.SearchStrategy = v.SearchStrategy.RAPID
    planner: Mapping[str, Any] | None = None  # a PlannerConfig as given; None = no planner
    mocker: bool = False
    model_cache: ModelCache | None = None
    image: str = v.DEFAULT_IMAGE
    overrides_dgd: Mapping[str, Any] | None = None
    tolerations: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def backends(self) -> tuple[v.Backend, ...]:
        """The engines to search."""
        return v.ENGINES if self.backend is v.Backend.AUTO else (self.backend,)

    @property
    def dgd_name(self) -> str:
        """Name of the deployment to generate."""
        return v.dgd_name(self.name, self.overrides_dgd)

    @classmethod
    def from_spec(
        cls, spec: Mapping[str, Any], *, name: str, namespace: str = "default", detected: GpuPool | None = None
    ) -> Request:
        """Build a request from a valid DGDR spec (v1beta1, see crds.rules); `detected` fills what it leaves open.

        Raises UnknownHardware where neither says which GPU, InputError where a value cannot be used.
        """
        cache = get(spec, "modelCache.pvcName")
        hardware = _hardware(spec.get("hardware") or {}, detected)
        planner = get(spec, "features.planner")
        return cls(
            name=name,
            namespace=namespace,
            model=str(spec["model"]),
            backend=v.Backend(spec.get("backend") or v.Backend.AUTO),
            workload=_workload(spec),
            sla=_sla(spec),
            hardware=hardware,
            strategy=v.SearchStrategy(spec.get("searchStrategy") or v.SearchStrategy.RAPID),
            planner=None if planner is None or planner.get("enabled") is False else planner,
            mocker=bool(get(spec, "features.mocker.enabled", False)),
            model_cache=ModelCache(
                pvc_name=cache,
                model_path=get(spec, "modelCache.pvcModelPath"),
                mount_path=get(spec, "modelCache.pvcMountPath", v.DEFAULT_MODEL_MOUNT),
            )
            if cache
            else None,
            image=spec.get("image") or v.DEFAULT_IMAGE,
            overrides_dgd=get(spec, "overrides.dgd"),
            tolerations=tuple(get(spec, "overrides.profilingJob.template.spec.tolerations", [])),
            warnings=_unlinked(hardware),
        )


def _unlinked(hardware: Hardware) -> tuple[str, ...]:
    """A warning where estimates cannot go by the link that the request or the nodes name."""
    named = hardware.interconnect
    if not named or hardware.gpu.joined_by(named):
        return ()
    usual = f"{hardware.gpu.link_bandwidth / 1e9:g} GB/s"
    return (f"spec.hardware.interconnect: {hardware.gpu.sku} has no {named}; estimates take its usual link, {usual}",)


def _workload(spec: Mapping[str, Any]) -> Workload:
    return Workload(
        isl=int(get(spec, "workload.isl", Workload.isl)),
        osl=int(get(spec, "workload.osl", Workload.osl)),
        request_rate=get(spec, "workload.requestRate"),
        concurrency=get(spec, "workload.concurrency"),
    )


def _sla(spec: Mapping[str, Any]) -> Sla:
    optimization = v.OptimizationType(get(spec, "sla.optimizationType", v.OptimizationType.THROUGHPUT))
    e2e = get(spec, "sla.e2eLatency")
    if e2e is not None:
        return Sla(ttft_ms=None, itl_ms=None, e2e_latency_ms=float(e2e), optimization=optimization)
    return Sla(
        ttft_ms=float(get(spec, "sla.ttft", Sla.ttft_ms)),
        itl_ms=float(get(spec, "sla.itl", Sla.itl_ms)),
        optimization=optimization,
    )


def _hardware(given: Mapping[str, Any], detected: GpuPool | None) -> Hardware:
    sku = given.get("gpuSku") or (detected.sku if detected else None)
    if not sku:
        raise UnknownHardware(
            "spec.hardware.gpuSku: Required value",
            "no GPU node was found to detect it from",
            "set spec.hardware.gpuSku, numGpusPerNode and totalGpus (without a cluster: --gpu h200_sxm --gpus 16)",
        )
    pool = detected if detected and detected.sku == sku else None
    total = given.get("totalGpus") or (pool.total_gpus if pool else None)
    if not total:
        raise UnknownHardware(
            "spec.hardware.totalGpus: Required value",
            f"nothing says how many {sku} GPUs there are",
            "set spec.hardware.totalGpus (without a cluster: --gpus 16)",
        )
    vram = given.get("vramMb") or (pool.vram_mb if pool else None)
    if vram is not None and not (math.isfinite(vram) and vram > 0):
        raise InputError(f"spec.hardware.vramMb: Invalid value: {vram}", "must be greater than 0")
    if vram is not None and vram < _LEAST_MIB:
        raise InputError(
            f"spec.hardware.vramMb: Invalid value: {vram}", "no GPU has so little", f"it is in MiB: {vram * 1024:g}?"
        )
    chosen = gpu(sku, vram_mb=vram)
    interconnect = given.get("interconnect") or (pool.interconnect if pool else None)
    if interconnect:
        chosen = chosen.joined_by(str(interconnect)) or chosen
    per_node = given.get("numGpusPerNode") or (pool.gpus_per_node if pool else None) or chosen.gpus_per_node
    sources = [
        "request" if any(given.get(key) for key in ("gpuSku", "totalGpus", "numGpusPerNode")) else "",
        pool.source if pool and not all(given.get(key) for key in ("gpuSku", "totalGpus", "numGpusPerNode")) else "",
    ]
    return Hardware(
        gpu=chosen,
        total_gpus=int(total),
        gpus_per_node=int(per_node),
        interconnect=interconnect,
        rdma=given.get("rdma") if given.get("rdma") is not None else (pool.rdma if pool else None),
        source=", ".join(s for s in sources if s),
    )
