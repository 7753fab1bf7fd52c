"""What a DGD that is made for a request lacks: tolerations, the Hugging Face token, the model cache. Pure.

Only v1alpha1 deployments are read; in another version there are no `spec.services`, and so nothing is missing. What the
deployment says itself wins: an item is missing only where nothing of its kind is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crds import vocabulary as v
from crds.fields import get
from profiler.request import ModelCache
from webhook.facts import Facts
from webhook.patches import appended
from webhook.reviews import Operation, Review

Document = Mapping[str, Any]

TOKEN: Final = {
    "name": v.HF_TOKEN_KEY,
    "valueFrom": {"secretKeyRef": {"name": v.HF_TOKEN_SECRET, "key": v.HF_TOKEN_KEY, "optional": True}},
}
# The hub's client reads the first, and the second for old times' sake.
_TOKENS: Final = frozenset({v.HF_TOKEN_KEY, "HUGGING_FACE_HUB_TOKEN"})
_CACHE_HOME: Final = "HF_HOME"
_WORKERS: Final = frozenset({"worker", "prefill", "decode"})
_FRONTEND: Final = "frontend"
_TOLERATIONS: Final = ("extraPodSpec", "tolerations")


@dataclass(frozen=True)
class Missing:
    """One operation that adds what is missing, and how to say that it is missing."""

    operation: Operation
    warning: str


def missing(review: Review, facts: Facts) -> list[Missing]:
    """What to add to a DGD: nothing where it is not made for a request, or is on its way out."""
    dgd = review.object
    labels = get(dgd, "metadata.labels", {})
    owner = labels.get(v.LABEL_DGDR_NAME) if isinstance(labels, dict) else None
    services = get(dgd, "spec.services")
    if not isinstance(owner, str) or review.subresource or get(dgd, "metadata.deletionTimestamp") is not None:
        return []
    if not isinstance(services, dict):
        return []
    changed = {key: one for key, one in services.items() if isinstance(one, dict) and _changed(key, one, review)}
    namespace = labels.get(v.LABEL_DGDR_NAMESPACE)
    request = facts.request(namespace if isinstance(namespace, str) else review.namespace, owner)
    return list(_missing(dgd or {}, changed, request, facts))


def _changed(name: str, service: Document, review: Review) -> bool:
    """Whether a service is new or other than before. One that is merely scaled must not be restarted by a change."""
    old = get(review.old_object, "spec.services", {})
    before = old.get(name) if isinstance(old, dict) else None
    if not isinstance(before, dict):
        return True
    return any(service.get(key) != before.get(key) for key in service.keys() | before.keys() if key != "replicas")


def _missing(
    dgd: Document, services: Mapping[str, Document], request: Document | None, facts: Facts
) -> Iterator[Missing]:
    cache = _model_cache(request)
    wanted = _wanted_tolerations(request, facts)
    common = _names(get(dgd, "spec.envs"))
    mounted = False
    for name, service in services.items():
        path, said = ("spec", "services", name), f"spec.services.{name[:24]}"
        if _gpus(service):
            lacking = _lacking(wanted, get(service, "extraPodSpec.tolerations"))
            for operation in appended(dgd, (*path, *_TOLERATIONS), lacking):
                yield _say(operation, f"{said}: no toleration for the taints of the GPU nodes")
        envs: list[Document] = []
        if _is_worker(service) and not _has_token(service, common):
            envs.append(TOKEN)
        if cache and (_is_worker(service) or _type(service) == _FRONTEND):
            mount, home = _cache_of(service, cache, common)
            mounted = mounted or mount is not None
            for operation in appended(dgd, (*path, "volumeMounts"), [mount] if mount else []):
                yield _say(operation, f"{said}: the model cache of the request is not mounted")
            envs += [home] if home else []
        for operation in appended(dgd, (*path, "envs"), envs):
            yield _say(operation, f"{said}: no {' and '.join(str(env['name']) for env in envs)}")
    if cache and mounted and cache.pvc_name not in _names(get(dgd, "spec.pvcs")):
        for operation in appended(dgd, ("spec", "pvcs"), [{"name": cache.pvc_name, "create": False}]):
            yield _say(operation, "spec.pvcs: the model cache of the request is not there")


def _say(operation: Operation, what: str) -> Missing:
    return Missing(operation, f"{what}; the webhook did not add it")


def _model_cache(request: Document | None) -> ModelCache | None:
    given = get(request, "spec.modelCache", {})
    name = get(given, "pvcName")
    if not isinstance(name, str) or not name:
        return None
    return ModelCache(name, get(given, "pvcModelPath"), get(given, "pvcMountPath", v.DEFAULT_MODEL_MOUNT))


def _wanted_tolerations(request: Document | None, facts: Facts) -> list[Document]:
    """The request's own, and what the nodes of its GPUs ask of everybody."""
    if request is None:
        return []
    given = get(request, "spec.overrides.profilingJob.template.spec.tolerations", [])
    wanted: list[Document] = [one for one in _items(given) if isinstance(one, dict)]
    discovery = facts.discovery()
    pool = discovery.pool(get(request, "spec.hardware.gpuSku")) if discovery else None
    return wanted + [one for one in (pool.tolerations if pool else ()) if not any(_covers(own, one) for own in wanted)]


def _lacking(wanted: Sequence[Document], present: Any) -> list[Document]:
    there = [one for one in _items(present) if isinstance(one, dict)]
    return [one for one in wanted if not any(_covers(own, one) for own in there)]


def _covers(own: Document, wanted: Document) -> bool:
    """Whether `own` tolerates every taint that `wanted` does (an empty key or effect means any)."""
    if own.get("effect") and own.get("effect") != wanted.get("effect"):
        return False
    exists = own.get("operator") == "Exists"
    if not own.get("key"):
        return exists
    if own.get("key") != wanted.get("key"):
        return False
    return exists or (wanted.get("operator") != "Exists" and (own.get("value") or "") == (wanted.get("value") or ""))


def _cache_of(service: Document, cache: ModelCache, common: frozenset[str]) -> tuple[Document | None, Document | None]:
    """The mount and the variable that a service lacks; a mount of its own for the claim or at the path stays alone."""
    mounts = [one for one in _items(service.get("volumeMounts")) if isinstance(one, dict)]
    there = any(one.get("name") == cache.pvc_name and one.get("mountPoint") == cache.mount_path for one in mounts)
    if not there and _occupied(service, mounts, cache):
        return None, None
    # A checkpoint is read by its path; only a download cache is found through the variable.
    wants_home = not cache.checkpoint and _CACHE_HOME not in common | _variables(service)
    home = {"name": _CACHE_HOME, "value": cache.mount_path} if wants_home else None
    return None if there else {"name": cache.pvc_name, "mountPoint": cache.mount_path}, home


def _occupied(service: Document, mounts: Iterable[Document], cache: ModelCache) -> bool:
    """Whether the claim is mounted elsewhere, or something else where it would be."""
    if any(cache.pvc_name == one.get("name") or cache.mount_path == one.get("mountPoint") for one in mounts):
        return True
    volumes = _items(get(service, "extraPodSpec.volumes"))
    if any(get(one, "persistentVolumeClaim.claimName") == cache.pvc_name for one in volumes):
        return True
    own = _items(get(service, "extraPodSpec.mainContainer.volumeMounts"))
    return any(get(one, "mountPath") == cache.mount_path for one in own)


def _has_token(service: Document, common: frozenset[str]) -> bool:
    if service.get("envFromSecret") or get(service, "extraPodSpec.mainContainer.envFrom"):
        return True
    return bool(_TOKENS & (common | _variables(service)))


def _variables(service: Document) -> frozenset[str]:
    return _names(service.get("envs")) | _names(get(service, "extraPodSpec.mainContainer.env"))


def _names(items: Any) -> frozenset[str]:
    names = (get(one, "name") for one in _items(items))
    return frozenset(name for name in names if isinstance(name, str))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _type(service: Document) -> str:
    given = service.get("componentType")
    return given.lower() if isinstance(given, str) else ""


def _is_worker(service: Document) -> bool:
    return _type(service) in _WORKERS


def _gpus(service: Document) -> bool:
    """Whether a service asks for GPUs, in Dynamo's short form or by the name of the resource."""
    for kind in ("limits", "requests"):
        if get(service, f"resources.{kind}.gpu") not in (None, "", "0", 0):
            return True
        own = get(service, f"extraPodSpec.mainContainer.resources.{kind}", {})
        for given in (own, get(service, f"resources.{kind}.custom", {})):
            if isinstance(given, dict) and any(str(key).endswith(".com/gpu") for key in given):
                return True
    return False
