"""The services of a DGD: the Frontend and the workers, and what all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from crds import vocabulary as v
from profiler.generate.deployment import Deployment, Flag, arguments
from profiler.profile import Role, Worker

Service = dict[str, Any]

# tmpfs for NCCL and the engine's own message queues, for each GPU of a pod; the operator's default is 8Gi in all.
SHARED_MEMORY_GIB = 10
AMD_GPU = "amd.com/gpu"


class Engine(Protocol):
    """What a module for an engine gives."""

    MODULE: str
    BACKEND: str
    RUNTIME: str

    def name(self, role: Role, nodes: int) -> str:
        """Service name of a worker."""

    def aliases(self, role: Role) -> tuple[str, ...]:
        """Other names under which people know this worker."""

    def flags(self, worker: Worker, deployment: Deployment) -> list[Flag]:
        """Flags of one worker, with their reasons."""

    def environment(self, worker: Worker, deployment: Deployment) -> dict[str, str]:
        """Environment of one worker beyond what every service gets."""


def frontend(deployment: Deployment, image: str) -> Service:
    """The OpenAI endpoint. Its router stays at upstream's default; `DYN_ROUTER_MODE=kv` is an override away."""
    container: dict[str, Any] = {"image": image}
    cache = deployment.request.model_cache
    if cache and cache.checkpoint:
        # Without the files that lie in the cache it would download the tokenizer. Args alone replace the module's name.
        container["command"] = ["python3", "-m", "dynamo.frontend"]
        container["args"] = ["--model-name", deployment.served_name, "--model-path", cache.checkpoint]
    return {
        "componentType": "frontend",
        "replicas": 1,
        "envs": _environment(deployment, {}),
        **_mounts(deployment),
        "extraPodSpec": _pod(deployment, container),
    }


def worker(engine: Engine, kind: Worker, deployment: Deployment, image: str) -> Service:
    """One kind of worker."""
    service: Service = {"componentType": "worker"}
    if kind.role != "worker":
        service["subComponentType"] = kind.role
    elif deployment.planned:
        # The planner finds workers by this and treats the one worker of an aggregated deployment as decode.
        service["subComponentType"] = "decode"
    service["replicas"] = kind.replicas
    if deployment.planned:
        service["scalingAdapter"] = {"enabled": True}
    if not deployment.request.mocker:
        service |= _gpus(kind, deployment)
    container = {
        "image": image,
        # Both, always: args alone become words of a shell, and the operator adds its own flags to the exec form only.
        "command": ["python3", "-m", engine.MODULE],
        "args": arguments(engine.flags(kind, deployment)),
    }
    return service | {
        "envs": _environment(deployment, engine.environment(kind, deployment)),
        **_mounts(deployment),
        "extraPodSpec": _pod(deployment, container),
    }


def tolerations(deployment: Deployment) -> dict[str, Any]:
    """Tolerations of the request, for every service: the Frontend's nodes may be tainted as the workers' are."""
    given = deployment.request.tolerations
    return {"tolerations": list(given)} if given else {}


def volumes(deployment: Deployment) -> dict[str, Any]:
    """`spec.pvcs`: the model cache, which exists already."""
    cache = deployment.request.model_cache
    return {"pvcs": [{"name": cache.pvc_name, "create": False}]} if cache else {}


def _gpus(kind: Worker, deployment: Deployment) -> dict[str, Any]:
    """GPUs of each pod, nodes of each engine, and the shared memory that several GPUs need."""
    per_pod, nodes = deployment.gpus_per_pod(kind), deployment.nodes(kind)
    limits = {"gpu": str(per_pod)}
    if deployment.request.hardware.gpu.family.startswith("cdna"):
        limits["gpuType"] = AMD_GPU
    found: dict[str, Any] = {"resources": {"limits": limits}}
    if nodes > 1:
        found["multinode"] = {"nodeCount": nodes}
    if kind.layout.gpus > 1:
        found["sharedMemory"] = {"size": f"{SHARED_MEMORY_GIB * max(per_pod, 2)}Gi"}
    return found


def _environment(deployment: Deployment, own: Mapping[str, str]) -> list[dict[str, Any]]:
    """The token for gated models, optional so that open models start without the secret, and where downloads go."""
    token = {"name": v.HF_TOKEN_SECRET, "key": v.HF_TOKEN_KEY, "optional": True}
    envs: list[dict[str, Any]] = [{"name": v.HF_TOKEN_KEY, "valueFrom": {"secretKeyRef": token}}]
    cache = deployment.request.model_cache
    if cache and not cache.checkpoint:
        envs.append({"name": "HF_HOME", "value": cache.mount_path})
    return envs + [{"name": key, "value": value} for key, value in own.items()]


def _mounts(deployment: Deployment) -> dict[str, Any]:
    cache = deployment.request.model_cache
    return {"volumeMounts": [{"name": cache.pvc_name, "mountPoint": cache.mount_path}]} if cache else {}


def _pod(deployment: Deployment, container: dict[str, Any]) -> dict[str, Any]:
    return tolerations(deployment) | {"mainContainer": container}
